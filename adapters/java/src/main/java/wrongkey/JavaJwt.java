package wrongkey;

import com.auth0.jwk.Jwk;
import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTVerifier;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.interfaces.DecodedJWT;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.security.PublicKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * java-jwt, as its documentation teaches: {@code JWT.require} with the algorithm under its key, and everything else required of
 * it. {@code JWT.decode} shows issuer, {@code kid} and algorithm unverified, to choose the key.
 */
final class JavaJwt {
    private static final Map<String, Protocol.Reader<Algorithm>> ALGORITHMS = new LinkedHashMap<>();

    static {
        ALGORITHMS.put("HS256", jwk -> Algorithm.HMAC256(secret(jwk)));
        ALGORITHMS.put("HS384", jwk -> Algorithm.HMAC384(secret(jwk)));
        ALGORITHMS.put("HS512", jwk -> Algorithm.HMAC512(secret(jwk)));
        ALGORITHMS.put("RS256", jwk -> Algorithm.RSA256((RSAPublicKey) key(jwk)));
        ALGORITHMS.put("RS384", jwk -> Algorithm.RSA384((RSAPublicKey) key(jwk)));
        ALGORITHMS.put("RS512", jwk -> Algorithm.RSA512((RSAPublicKey) key(jwk)));
        ALGORITHMS.put("ES256", jwk -> Algorithm.ECDSA256((ECPublicKey) key(has(jwk, "crv", "P-256"))));
        ALGORITHMS.put("ES384", jwk -> Algorithm.ECDSA384((ECPublicKey) key(has(jwk, "crv", "P-384"))));
        ALGORITHMS.put("ES512", jwk -> Algorithm.ECDSA512((ECPublicKey) key(has(jwk, "crv", "P-521"))));
    }

    public static void main(String[] arguments) throws IOException {
        Protocol.serve(arguments, "java-jwt", JWT.class, ALGORITHMS.keySet(), token -> JWT.decode(token).getIssuer(), JavaJwt::open);
    }

    private static Protocol.Door open(Protocol.Terms terms, Protocol.Realm realm) {
        Map<String, Algorithm> keys = new HashMap<>();
        for (String name : realm.algorithms()) {
            realm.usable(jwk -> Map.entry(name + " " + jwk.path("kid").asText(), algorithm(name, jwk)))
                    .forEach(key -> keys.putIfAbsent(key.getKey(), key.getValue()));
        }
        return (token, now) -> {
            DecodedJWT unverified = JWT.decode(token);
            Algorithm algorithm = keys.get(unverified.getAlgorithm() + " " + unverified.getKeyId());
            if (algorithm == null) {
                throw new Protocol.Refused("no key of that kid and algorithm");
            }
            var verification = JWT.require(algorithm).acceptLeeway(terms.leeway()).withIssuer(realm.issuers().toArray(String[]::new));
            if (realm.audiences() != null && !realm.hasNoAudience()) {
                verification.withAnyOfAudience(realm.audiences().toArray(String[]::new));
            }
            terms.required().forEach(verification::withClaimPresence);
            Clock clock = Clock.fixed(Instant.ofEpochSecond(now), ZoneOffset.UTC);
            DecodedJWT verified = ((JWTVerifier.BaseVerification) verification).build(clock).verify(token);
            Map<String, Object> claims = new LinkedHashMap<>();
            verified.getClaims().forEach((name, claim) -> claims.put(name, claim.as(Object.class)));
            return new Protocol.Verified(verified.getType(), claims);
        };
    }

    private static Algorithm algorithm(String name, JsonNode jwk) throws Exception {
        if (!jwk.path("alg").asText(name).equals(name) || !jwk.path("use").asText("sig").equals("sig")) {
            throw new IllegalArgumentException("a key for something else");
        }
        return ALGORITHMS.get(name).read(jwk);
    }

    private static byte[] secret(JsonNode jwk) {
        return Base64.getUrlDecoder().decode(has(jwk, "kty", "oct").path("k").asText());
    }

    @SuppressWarnings("unchecked")
    private static PublicKey key(JsonNode jwk) throws Exception {
        return Jwk.fromValues(new ObjectMapper().convertValue(jwk, Map.class)).getPublicKey();
    }

    /** The key, where a member of it says that. */
    private static JsonNode has(JsonNode jwk, String member, String text) {
        if (!jwk.path(member).asText().equals(text)) {
            throw new IllegalArgumentException("the key's " + member + " is not " + text);
        }
        return jwk;
    }
}
