package wrongkey;

import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.source.ImmutableJWKSet;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.IOException;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * nimbus-jose-jwt, as its documentation teaches: a {@code DefaultJWTProcessor} with a key selector over a JWK Set, a type
 * verifier and a claims verifier. {@code SignedJWT.parse} shows the issuer, to choose the processor.
 */
final class Nimbus {
    private static final Set<String> ALGORITHMS = new LinkedHashSet<>(List.of("HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
            "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"));

    /** The time that the claims verifier takes for the present. */
    private static long now;

    public static void main(String[] arguments) throws IOException {
        Protocol.serve(arguments, "nimbus-jose-jwt", JWK.class, ALGORITHMS,
                token -> SignedJWT.parse(token).getJWTClaimsSet().getIssuer(), Nimbus::open);
    }

    private static Protocol.Door open(Protocol.Terms terms, Protocol.Realm realm) {
        if (realm.algorithms().isEmpty()) { // the library takes no empty list
            return (token, time) -> {
                throw new Protocol.Refused("no algorithm is allowed");
            };
        }
        DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
        boolean anyType = terms.types() == null || terms.types().isEmpty();
        processor.setJWSTypeVerifier(anyType ? (type, context) -> {} : new DefaultJOSEObjectTypeVerifier<>(
                terms.types().stream().map(JOSEObjectType::new).collect(Collectors.toSet())));
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(
                realm.algorithms().stream().map(JWSAlgorithm::parse).collect(Collectors.toSet()),
                new ImmutableJWKSet<>(new JWKSet(realm.usable(jwk -> JWK.parse(jwk.toString()))))));
        var exact = new JWTClaimsSet.Builder();
        realm.onlyIssuer().ifPresent(exact::issuer);
        var verifier = new DefaultJWTClaimsVerifier<SecurityContext>(
                realm.audiences() == null || realm.hasNoAudience() ? null : realm.audiences(),
                exact.build(),
                new LinkedHashSet<>(terms.required()),
                realm.hasNoAudience() ? Set.of("aud") : Set.of()) {
            @Override
            protected Date currentTime() {
                return new Date(now * 1000);
            }
        };
        verifier.setMaxClockSkew((int) terms.leeway());
        processor.setJWTClaimsSetVerifier(verifier);
        return (token, time) -> {
            now = time;
            SignedJWT jwt = SignedJWT.parse(token);
            JWTClaimsSet claims = processor.process(jwt, null);
            JOSEObjectType type = jwt.getHeader().getType();
            return new Protocol.Verified(type == null ? null : type.getType(), claims.toJSONObject());
        };
    }
}
