package wrongkey;

import com.fasterxml.jackson.databind.JsonNode;
import io.jsonwebtoken.Claims;
import io.jsonwebtoken.Header;
import io.jsonwebtoken.Jws;
import io.jsonwebtoken.JwsHeader;
import io.jsonwebtoken.JwtParser;
import io.jsonwebtoken.JwtParserBuilder;
import io.jsonwebtoken.Jwts;
import io.jsonwebtoken.security.Jwk;
import io.jsonwebtoken.security.Jwks;
import io.jsonwebtoken.security.Keys;
import io.jsonwebtoken.security.SecretJwk;
import io.jsonwebtoken.security.UnsupportedKeyException;
import java.io.IOException;
import java.security.Key;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * jjwt, as its documentation teaches: a {@code JwtParser} with a key locator that looks the {@code kid} up, and everything else
 * required of it.
 *
 * <p>The library shows nothing of a signed token unverified, so the parsers of the issuers are tried in turn; each requires its
 * own issuer. Pooled, there is one parser, and the issuer is compared with a list afterwards.
 */
final class Jjwt {
    private static final Set<String> ALGORITHMS = new LinkedHashSet<>(List.of("HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
            "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"));

    /** The time that the parsers take for the present. */
    private static long now;

    /** A parser with the realm that it is for. */
    private record Door(JwtParser parser, Protocol.Realm realm) {}

    public static void main(String[] arguments) throws IOException {
        Protocol.serve(arguments, "jjwt", Jwts.class, ALGORITHMS, Jjwt::settle);
    }

    private static Protocol.Judge settle(Protocol.Terms terms) {
        List<Door> doors = new ArrayList<>();
        for (Protocol.Realm realm : terms.realms()) {
            doors.add(new Door(parser(realm, terms), realm));
        }
        return (token, time) -> {
            now = time;
            Exception refusal = new Protocol.Refused("nobody is trusted");
            for (Door door : doors) {
                try {
                    return application(door.parser().parseSignedClaims(token), door.realm(), terms);
                } catch (Exception error) {
                    refusal = error;
                }
            }
            throw refusal;
        };
    }

    private static Protocol.Verified application(Jws<Claims> jws, Protocol.Realm realm, Protocol.Terms terms) throws Exception {
        Claims claims = jws.getPayload();
        if (!realm.issuers().contains(claims.getIssuer())) {
            throw new Protocol.Refused("the issuer is not trusted");
        }
        if (realm.hasNoAudience() && claims.containsKey("aud")) {
            throw new Protocol.Refused("it is for somebody");
        }
        if (realm.audiences() != null && realm.audiences().size() > 1 && Collections.disjoint(realm.audiences(), claims.getAudience())) {
            throw new Protocol.Refused("it is for others");
        }
        terms.require(claims);
        return new Protocol.Verified(jws.getHeader().getType(), claims, realm);
    }

    private static JwtParser parser(Protocol.Realm realm, Protocol.Terms terms) {
        Map<String, Jwk<?>> keys = new HashMap<>();
        for (JsonNode key : realm.keys()) {
            try {
                Jwk<?> jwk = Jwks.parser().build().parse(key.toString());
                keys.putIfAbsent(jwk.getId(), jwk);
            } catch (RuntimeException unusable) {
                // a key that the library cannot use
            }
        }
        JwtParserBuilder builder = Jwts.parser()
                .keyLocator(header -> locate(keys, header))
                .clock(() -> new Date(now * 1000))
                .clockSkewSeconds(terms.leeway());
        var algorithms = builder.sig().clear();
        realm.algorithms().forEach(name -> algorithms.add(Jwts.SIG.get().forKey(name)));
        algorithms.and();
        if (realm.issuers().size() == 1) {
            builder.requireIssuer(realm.issuers().iterator().next());
        }
        if (realm.audiences() != null && realm.audiences().size() == 1) {
            builder.requireAudience(realm.audiences().iterator().next());
        }
        return builder.build();
    }

    private static Key locate(Map<String, Jwk<?>> keys, Header header) {
        Jwk<?> key = header instanceof JwsHeader signed ? keys.get(signed.getKeyId()) : null;
        if (key == null || key.getAlgorithm() != null && !key.getAlgorithm().equals(header.getAlgorithm())) {
            throw new UnsupportedKeyException("no key of that kid and algorithm");
        }
        // A secret whose JWK names no algorithm: the library would take it for one of AES.
        return key instanceof SecretJwk && key.getAlgorithm() == null ? Keys.hmacShaKeyFor(key.toKey().getEncoded()) : key.toKey();
    }
}
