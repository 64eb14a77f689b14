package wrongkey;

import com.fasterxml.jackson.databind.JsonNode;
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
import java.util.ArrayList;
import java.util.Date;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
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
        Protocol.serve(arguments, "nimbus-jose-jwt", JWK.class, ALGORITHMS, Nimbus::settle);
    }

    private static Protocol.Judge settle(Protocol.Terms terms) {
        Map<Protocol.Realm, DefaultJWTProcessor<SecurityContext>> processors = new IdentityHashMap<>();
        for (Protocol.Realm realm : terms.realms()) {
            if (!realm.algorithms().isEmpty()) { // the library takes no empty list
                processors.put(realm, processor(realm, terms));
            }
        }
        return (token, time) -> {
            now = time;
            SignedJWT jwt = SignedJWT.parse(token);
            Protocol.Realm realm = terms.realmOf(jwt.getJWTClaimsSet().getIssuer());
            if (!processors.containsKey(realm)) {
                throw new Protocol.Refused("no algorithm is allowed");
            }
            JWTClaimsSet claims = processors.get(realm).process(jwt, null);
            JOSEObjectType type = jwt.getHeader().getType();
            return new Protocol.Verified(type == null ? null : type.getType(), claims.toJSONObject(), realm);
        };
    }

    private static DefaultJWTProcessor<SecurityContext> processor(Protocol.Realm realm, Protocol.Terms terms) {
        DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
        if (terms.types() == null || terms.types().isEmpty()) {
            processor.setJWSTypeVerifier((type, context) -> {});
        } else {
            processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(
                    terms.types().stream().map(JOSEObjectType::new).collect(Collectors.toSet())));
        }
        Set<JWSAlgorithm> algorithms = realm.algorithms().stream().map(JWSAlgorithm::parse).collect(Collectors.toSet());
        List<JWK> keys = new ArrayList<>();
        for (JsonNode key : realm.keys()) {
            try {
                keys.add(JWK.parse(key.toString()));
            } catch (java.text.ParseException | IllegalArgumentException unusable) {
                // a key that the library cannot use
            }
        }
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithms, new ImmutableJWKSet<>(new JWKSet(keys))));
        JWTClaimsSet.Builder exact = new JWTClaimsSet.Builder();
        if (realm.issuers().size() == 1) {
            exact.issuer(realm.issuers().iterator().next());
        }
        Set<String> audiences = realm.audiences() == null || realm.audiences().isEmpty() ? null : realm.audiences();
        Set<String> prohibited = realm.hasNoAudience() ? Set.of("aud") : Set.of();
        DefaultJWTClaimsVerifier<SecurityContext> verifier = new DefaultJWTClaimsVerifier<>(
                audiences, exact.build(), new LinkedHashSet<>(terms.required()), prohibited) {
            @Override
            protected Date currentTime() {
                return new Date(now * 1000);
            }
        };
        verifier.setMaxClockSkew((int) terms.leeway());
        processor.setJWTClaimsSetVerifier(verifier);
        return processor;
    }
}
