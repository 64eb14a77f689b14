package wrongkey;

import com.auth0.jwk.Jwk;
import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTVerifier;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.interfaces.DecodedJWT;
import com.auth0.jwt.interfaces.Verification;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * java-jwt, as its documentation teaches: a {@code JWTVerifier} for each key and algorithm, with everything else required of it.
 * {@code JWT.decode} shows issuer, {@code kid} and algorithm unverified, to choose the verifier.
 */
final class JavaJwt {
    private static final Set<String> ALGORITHMS = new LinkedHashSet<>(
            List.of("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"));
    private static final Map<String, String> CURVES = Map.of("ES256", "P-256", "ES384", "P-384", "ES512", "P-521");

    /** The time that the verifiers take for the present. */
    private static Instant now = Instant.EPOCH;

    private static final Clock CLOCK = new Clock() {
        @Override
        public ZoneOffset getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(java.time.ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    };

    public static void main(String[] arguments) throws IOException {
        Protocol.serve(arguments, "java-jwt", JWT.class, ALGORITHMS, JavaJwt::settle);
    }

    private static Protocol.Judge settle(Protocol.Terms terms) {
        Map<Protocol.Realm, Map<String, JWTVerifier>> verifiers = new IdentityHashMap<>();
        for (Protocol.Realm realm : terms.realms()) {
            verifiers.put(realm, verifiers(realm, terms));
        }
        return (token, time) -> {
            now = Instant.ofEpochSecond(time);
            DecodedJWT unverified = JWT.decode(token);
            Protocol.Realm realm = terms.realmOf(unverified.getIssuer());
            JWTVerifier verifier = verifiers.get(realm).get(unverified.getAlgorithm() + " " + unverified.getKeyId());
            if (verifier == null) {
                throw new Protocol.Refused("no key of that kid and algorithm");
            }
            DecodedJWT verified = verifier.verify(token);
            if (realm.hasNoAudience() && !verified.getClaim("aud").isMissing()) {
                throw new Protocol.Refused("it is for somebody");
            }
            Map<String, Object> claims = new LinkedHashMap<>();
            verified.getClaims().forEach((name, claim) -> claims.put(name, claim.as(Object.class)));
            return new Protocol.Verified(verified.getType(), claims, realm);
        };
    }

    private static Map<String, JWTVerifier> verifiers(Protocol.Realm realm, Protocol.Terms terms) {
        Map<String, JWTVerifier> verifiers = new HashMap<>();
        for (JsonNode key : realm.keys()) {
            for (String name : realm.algorithms()) {
                if (key.path("alg").asText(name).equals(name) && key.path("use").asText("sig").equals("sig")) {
                    try {
                        Algorithm algorithm = algorithm(name, key);
                        if (algorithm != null) {
                            verifiers.putIfAbsent(name + " " + key.path("kid").asText(), verifier(algorithm, realm, terms));
                        }
                    } catch (Exception unusable) {
                        // a key that the library cannot use
                    }
                }
            }
        }
        return verifiers;
    }

    private static JWTVerifier verifier(Algorithm algorithm, Protocol.Realm realm, Protocol.Terms terms) {
        Verification verification = JWT.require(algorithm).acceptLeeway(terms.leeway())
                .withIssuer(realm.issuers().toArray(String[]::new));
        if (realm.audiences() != null && !realm.audiences().isEmpty()) {
            verification.withAnyOfAudience(realm.audiences().toArray(String[]::new));
        }
        terms.required().forEach(verification::withClaimPresence);
        return ((JWTVerifier.BaseVerification) verification).build(CLOCK);
    }

    /** The algorithm under that key, or null where the two do not go together. */
    private static Algorithm algorithm(String name, JsonNode jwk) throws Exception {
        String type = jwk.path("kty").asText();
        if (name.startsWith("HS") && type.equals("oct")) {
            byte[] secret = Base64.getUrlDecoder().decode(jwk.path("k").asText());
            return switch (name) {
                case "HS256" -> Algorithm.HMAC256(secret);
                case "HS384" -> Algorithm.HMAC384(secret);
                default -> Algorithm.HMAC512(secret);
            };
        } else if (name.startsWith("RS") && type.equals("RSA")) {
            RSAPublicKey key = (RSAPublicKey) read(jwk).getPublicKey();
            return switch (name) {
                case "RS256" -> Algorithm.RSA256(key);
                case "RS384" -> Algorithm.RSA384(key);
                default -> Algorithm.RSA512(key);
            };
        } else if (name.startsWith("ES") && jwk.path("crv").asText().equals(CURVES.get(name))) {
            ECPublicKey key = (ECPublicKey) read(jwk).getPublicKey();
            return switch (name) {
                case "ES256" -> Algorithm.ECDSA256(key);
                case "ES384" -> Algorithm.ECDSA384(key);
                default -> Algorithm.ECDSA512(key);
            };
        }
        return null;
    }

    @SuppressWarnings("unchecked")
    private static Jwk read(JsonNode jwk) {
        return Jwk.fromValues(new ObjectMapper().convertValue(jwk, Map.class));
    }
}
