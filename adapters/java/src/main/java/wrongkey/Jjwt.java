package wrongkey;

import io.jsonwebtoken.Claims;
import io.jsonwebtoken.Header;
import io.jsonwebtoken.Jws;
import io.jsonwebtoken.JwsHeader;
import io.jsonwebtoken.JwtParser;
import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.security.Jwk;
import io.jsonwebtoken.security.Jwks;
import io.jsonwebtoken.security.Keys;
import io.jsonwebtoken.security.SecretJwk;
import io.jsonwebtoken.security.UnsupportedKeyException;
import java.io.IOException;
import java.security.Key;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * jjwt, as its documentation teaches: a {@code JwtParser} with a key locator that looks the {@code kid} up, and everything else
 * required of it. The library shows nothing of a signed token unverified, so the parsers of the issuers are tried in turn; each
 * requires its own issuer.
 */
final class Jjwt {
    private static final Set<String> ALGORITHMS = new LinkedHashSet<>(List.of("HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
            "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"));

    /** The time that the parsers take for the present. */
    private static long now;

    public static void main(String[] arguments) throws IOException {
        Protocol.serve(arguments, "jjwt", Jwts.class, ALGORITHMS, null, Jjwt::open);
    }

    private static Protocol.Door open(Protocol.Terms terms, Protocol.Realm realm) {
        List<? extends Jwk<?>> keys = realm.usable(jwk -> Jwks.parser().build().parse(jwk.toString()));
        var builder = Jwts.parser().keyLocator(header -> locate(keys, header)).clock(() -> new Date(now * 1000))
                .clockSkewSeconds(terms.leeway());
        var algorithms = builder.sig().clear();
        realm.algorithms().forEach(name -> algorithms.add(Jwts.SIG.get().forKey(name)));
        algorithms.and();
        realm.onlyIssuer().ifPresent(builder::requireIssuer);
        boolean one = realm.audiences() != null && realm.audiences().size() == 1;
        if (one) {
            builder.requireAudience(realm.audiences().iterator().next());
        }
        JwtParser parser = builder.build();
        return (token, time) -> {
            now = time;
            Jws<Claims> jws = parser.parseSignedClaims(token);
            Claims claims = jws.getPayload();
            terms.require(claims);
            // The library takes one audience; of several the application compares them.
            boolean several = realm.audiences() != null && realm.audiences().size() > 1;
            if (several && Collections.disjoint(realm.audiences(), claims.getAudience())) {
                throw new Protocol.Refused("it is for others");
            }
            return new Protocol.Verified(jws.getHeader().getType(), claims);
        };
    }

    private static Key locate(List<? extends Jwk<?>> keys, Header header) {
        for (Jwk<?> key : keys) {
            boolean named = header instanceof JwsHeader signed && Objects.equals(key.getId(), signed.getKeyId());
            if (named && (key.getAlgorithm() == null || key.getAlgorithm().equals(header.getAlgorithm()))) {
                // A secret whose JWK names no algorithm the library would take for one of AES.
                boolean plain = key instanceof SecretJwk && key.getAlgorithm() == null;
                return plain ? Keys.hmacShaKeyFor(key.toKey().getEncoded()) : key.toKey();
            }
        }
        throw new UnsupportedKeyException("no key of that kid and algorithm");
    }
}
