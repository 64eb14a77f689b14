package wrongkey;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * What every Java adapter shares: the lines of protocol version 1, and a policy as an application writes it down. An adapter's
 * own class says how its library is used.
 */
final class Protocol {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Protocol() {}

    /** The policy asks for something that neither the library nor an application on it has a setting for. */
    static final class Skip extends Exception {
        Skip(String reason) {
            super(reason);
        }
    }

    /** What the application itself refuses, before or after the library's call. */
    static final class Refused extends Exception {
        Refused(String reason) {
            super(reason);
        }
    }

    /** Issuers and keys that are trusted together, and what they may sign. Audiences and subjects: null where nobody asks. */
    record Realm(Set<String> issuers, List<JsonNode> keys, Set<String> algorithms, Set<String> audiences, Set<String> subjects) {
        boolean hasNoAudience() {
            return audiences != null && audiences.isEmpty();
        }

        /** The issuer, where there is one: more a library may not take, and the application compares them. */
        Optional<String> onlyIssuer() {
            return issuers.size() == 1 ? issuers.stream().findFirst() : Optional.empty();
        }

        /** What the library makes of the keys; one that it cannot use is left out. */
        <K> List<K> usable(Reader<K> reader) {
            List<K> usable = new ArrayList<>();
            for (JsonNode key : keys) {
                try {
                    usable.add(reader.read(key));
                } catch (Exception unusable) {
                    // left out
                }
            }
            return usable;
        }
    }

    /** A tenant as a claim must name it. */
    record Tenant(String claim, String tenant) {}

    /** A policy as an application writes it down: one realm for each issuer, or one for all where keys are pooled. */
    record Terms(List<Realm> realms, List<String> required, long leeway, List<String> types, Map<String, Tenant> tenants) {
        /** For libraries that have no setting for required claims. */
        void require(Map<String, ?> claims) throws Refused {
            for (String name : required) {
                if (claims.get(name) == null || claims.get(name).equals("")) {
                    throw new Refused("no " + name);
                }
            }
        }

        /**
         * What is left to the application once the library is content: one of several issuers, an audience where the party has
         * none, `typ`, the subject and the tenant.
         */
        private void ownChecks(Realm realm, Verified verified) throws Refused {
            if (realm.issuers().size() != 1 && !realm.issuers().contains(verified.claims().get("iss"))) {
                throw new Refused("the issuer is not trusted");
            }
            if (realm.hasNoAudience() && verified.claims().containsKey("aud")) {
                throw new Refused("it is for somebody");
            }
            if (types != null && !types.isEmpty() && types.stream().noneMatch(one -> shortened(one).equals(shortened(verified.type())))) {
                throw new Refused("another typ");
            }
            Set<String> subjects = realm.subjects();
            if (subjects != null && !subjects.contains(verified.claims().get("sub"))) {
                throw new Refused("another subject");
            }
            Tenant tenant = tenants.get(verified.claims().get("iss"));
            if (tenant != null && !tenant.tenant().equals(verified.claims().get(tenant.claim()))) {
                throw new Refused("another tenant");
            }
        }

        /** Who the application takes it to be: the library's own claims. */
        private Map<String, Object> identity(Map<String, ?> claims) {
            Map<String, Object> who = new LinkedHashMap<>();
            who.put("iss", claims.get("iss"));
            who.put("sub", claims.get("sub"));
            Tenant tenant = tenants.get(claims.get("iss"));
            if (tenant != null) {
                who.put("tid", claims.get(tenant.claim()));
            }
            return who;
        }
    }

    /** A token as the library gave it out. */
    record Verified(String type, Map<String, ?> claims) {}

    /** A key as the library takes it. */
    interface Reader<K> {
        K read(JsonNode jwk) throws Exception;
    }

    /** Whom a token claims as issuer before anything is checked. */
    interface Unverified {
        String issuer(String token) throws Exception;
    }

    /** The library at work for one realm; it throws where it refuses. */
    interface Door {
        Verified judge(String token, long now) throws Exception;
    }

    /** Puts a realm into the library's settings. */
    interface Opener {
        Door open(Terms terms, Realm realm) throws Exception;
    }

    /** A policy at work. Where the library shows nothing unverified, the doors are tried in turn. */
    private record Service(Terms terms, List<Door> doors, Unverified unverified) {
        Map<String, Object> judge(String token, long now) throws Exception {
            String issuer = unverified == null ? null : unverified.issuer(token);
            Exception refusal = new Refused("the issuer is not trusted");
            for (int number = 0; number < doors.size(); number++) {
                Realm realm = terms.realms().get(number);
                if (unverified != null && !realm.issuers().contains(issuer)) {
                    continue;
                }
                try {
                    Verified verified = doors.get(number).judge(token, now);
                    terms.ownChecks(realm, verified);
                    return terms.identity(verified.claims());
                } catch (Exception error) {
                    refusal = error;
                }
            }
            throw refusal;
        }
    }

    /** RFC 7515 section 4.1.9: compared without regard to case, and `application/` may be left out. */
    private static String shortened(String type) {
        return type == null ? "" : type.toLowerCase(Locale.ROOT).replaceFirst("^application/", "");
    }

    private static Set<String> strings(JsonNode list) {
        if (list.isMissingNode()) {
            return null;
        }
        Set<String> all = new LinkedHashSet<>();
        list.forEach(one -> all.add(one.asText()));
        return all;
    }

    private static Set<String> narrowed(Set<String> everyone, Set<String> own) {
        if (everyone == null || own == null) {
            return everyone == null ? own : everyone;
        }
        Set<String> both = new LinkedHashSet<>(own);
        both.retainAll(everyone);
        return both;
    }

    private static Terms terms(JsonNode policy, Set<String> known, boolean pooled) throws Skip {
        String source = policy.path("key_source").asText();
        if (source.equals("fetched")) {
            throw new Skip("it fetches no keys");
        } else if (source.equals("converged") && !pooled) {
            throw new Skip("a key set for each issuer only");
        } else if (policy.has("serializations") && !strings(policy.get("serializations")).equals(Set.of("compact"))) {
            throw new Skip("only the compact serialization");
        } else if (policy.path("replay").asText().equals("refuse")) {
            throw new Skip("no replay store");
        } else if (!policy.path("crit_understood").isEmpty()) {
            throw new Skip("it understands no extension of the header");
        } else if (policy.path("leeway").bigIntegerValue().compareTo(BigInteger.valueOf(Integer.MAX_VALUE)) > 0) {
            throw new Skip("no leeway of decades");
        } else if (policy.path("enforce_key_lifetime").asBoolean() && !pooled) {
            // Whoever pools the keys of all issuers asks nothing further of a key.
            throw new Skip("no setting for the lifetime of a key");
        } else if (policy.has("cloud_instance") && !pooled) {
            throw new Skip("no setting for the cloud of a key");
        }
        Map<String, Tenant> tenants = new LinkedHashMap<>();
        List<Realm> realms = new ArrayList<>();
        for (JsonNode issuer : policy.path("issuers")) {
            if (issuer.has("signer")) {
                throw new Skip("no setting for the header member signer");
            }
            Set<String> names = names(policy, issuer, tenants);
            Set<String> allowed = narrowed(strings(policy.path("algorithms")), strings(issuer.path("algorithms")));
            Set<String> algorithms = new LinkedHashSet<>(known);
            if (allowed != null) {
                algorithms.retainAll(allowed);
            }
            List<JsonNode> keys = new ArrayList<>();
            issuer.path("jwks").path("keys").forEach(keys::add);
            issuer.path("secrets").path("keys").forEach(keys::add);
            Set<String> audiences = narrowed(strings(policy.path("audiences")), strings(issuer.path("audiences")));
            realms.add(new Realm(names, keys, algorithms, audiences, strings(issuer.path("subjects"))));
        }
        if (pooled) {
            realms = List.of(pool(realms, policy.path("converged_jwks").path("keys")));
        }
        List<String> required = new ArrayList<>();
        policy.path("required_claims").forEach(name -> required.add(name.asText()));
        Set<String> types = strings(policy.path("token_types"));
        return new Terms(realms, required, policy.path("leeway").asLong(), types == null ? null : List.copyOf(types), tenants);
    }

    /** Libraries compare whole names, so a template becomes one name for each tenant; a literal name wins over it. */
    private static Set<String> names(JsonNode policy, JsonNode issuer, Map<String, Tenant> tenants) throws Skip {
        String name = issuer.path("issuer").asText();
        if (!name.contains("{tenantid}")) {
            return Set.of(name);
        }
        if (!issuer.has("tenants")) {
            throw new Skip("no issuer templates without a list of tenants");
        }
        Set<String> literal = new LinkedHashSet<>();
        policy.path("issuers").forEach(other -> literal.add(other.path("issuer").asText()));
        Set<String> names = new LinkedHashSet<>();
        for (String tenant : strings(issuer.get("tenants"))) {
            String one = name.replace("{tenantid}", tenant);
            if (!literal.contains(one)) {
                names.add(one);
                tenants.put(one, new Tenant(issuer.path("tenant_claim").asText("tid"), tenant));
            }
        }
        return names;
    }

    /** One realm of everything that any issuer may do: the mistake that a pooled adapter is there to show. */
    private static Realm pool(List<Realm> realms, JsonNode converged) throws Skip {
        Realm all = new Realm(new LinkedHashSet<>(), new ArrayList<>(), new LinkedHashSet<>(), new LinkedHashSet<>(), null);
        Set<String> subjects = realms.isEmpty() ? null : realms.get(0).subjects();
        boolean anyAudience = false;
        for (Realm realm : realms) {
            if (!Objects.equals(realm.subjects(), subjects)) {
                throw new Skip("the same subjects for all issuers only");
            }
            all.issuers().addAll(realm.issuers());
            all.keys().addAll(realm.keys());
            all.algorithms().addAll(realm.algorithms());
            all.audiences().addAll(realm.audiences() == null ? Set.of() : realm.audiences());
            anyAudience |= realm.audiences() == null;
        }
        converged.forEach(all.keys()::add);
        return new Realm(all.issuers(), all.keys(), all.algorithms(), anyAudience ? null : all.audiences(), subjects);
    }

    /** Answers until standard input ends. `--pooled` puts the keys of all issuers into one set. */
    static void serve(String[] arguments, String name, Class<?> library, Set<String> algorithms, Unverified unverified, Opener opener)
            throws IOException {
        boolean pooled = arguments.length == 1 && arguments[0].equals("--pooled");
        if (arguments.length > 0 && !pooled) {
            System.err.println("usage: java … " + name + " [--pooled]");
            System.exit(2);
        }
        Service service = null;
        InputStream in = System.in;
        BufferedOutputStream out = new BufferedOutputStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), 1 << 16);
        byte[] chunk = new byte[1 << 16];
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int read; (read = in.read(chunk)) >= 0;) {
            int from = 0;
            for (int at = 0; at < read; at++) {
                if (chunk[at] != '\n') {
                    continue;
                }
                line.write(chunk, from, at - from);
                from = at + 1;
                JsonNode message;
                try {
                    message = JSON.readTree(line.toByteArray());
                } catch (IOException unreadable) {
                    System.err.println("cannot read a line of " + line.size() + " octets");
                    continue;
                } finally {
                    line.reset();
                }
                if (message.has("hello")) {
                    write(out, hello(pooled ? name + "-pooled" : name, pooled, library, algorithms));
                } else if (message.has("configure")) {
                    // The application reads its configuration anew; nothing is remembered of the former one.
                    JsonNode request = message.get("configure");
                    service = null;
                    try {
                        Terms terms = terms(request.path("policy"), algorithms, pooled);
                        List<Door> doors = new ArrayList<>();
                        for (Realm realm : terms.realms()) {
                            doors.add(opener.open(terms, realm));
                        }
                        service = new Service(terms, doors, unverified);
                        write(out, Map.of("id", request.get("id"), "ok", true));
                    } catch (Skip skip) {
                        write(out, Map.of("id", request.get("id"), "skip", skip.getMessage()));
                    } catch (Exception error) {
                        write(out, Map.of("id", request.get("id"), "error", error.toString()));
                    }
                } else if (message.has("validate")) {
                    write(out, validate(message.get("validate"), service));
                } else {
                    System.err.println("cannot read a line that asks for nothing known");
                }
            }
            line.write(chunk, from, read - from);
            if (in.available() == 0) {
                out.flush();
            }
        }
    }

    private static Map<String, Object> validate(JsonNode request, Service service) throws IOException {
        String token = request.has("token") ? request.get("token").asText()
                : new String(Base64.getDecoder().decode(request.get("token_b64").asText()), StandardCharsets.ISO_8859_1);
        Map<String, Object> answer = new LinkedHashMap<>();
        answer.put("id", request.get("id"));
        try {
            answer.put("accept", service.judge(token, request.get("now").asLong()));
        } catch (Exception | StackOverflowError refusal) {
            // Whatever escapes a library ends as a refused request in a service.
            answer.put("reject", String.valueOf(refusal));
        }
        return answer;
    }

    private static Map<String, Object> hello(String name, boolean pooled, Class<?> library, Set<String> algorithms) {
        String path = library.getProtectionDomain().getCodeSource().getLocation().getPath();
        Map<String, Object> said = new LinkedHashMap<>();
        said.put("protocol", 1);
        said.put("name", name);
        // The jar that is really loaded: name-version.jar.
        said.put("version", path.replaceFirst(".*/[a-z-]+-([0-9][^/]*)\\.jar$", "$1"));
        said.put("clock", "settable");
        said.put("key_sources", pooled ? List.of("per-issuer", "converged") : List.of("per-issuer"));
        said.put("features", List.of("live-update", "issuer-templates", "identity", "large"));
        said.put("algorithms", algorithms);
        return Map.of("hello", said);
    }

    private static void write(BufferedOutputStream out, Map<String, ?> answer) throws IOException {
        out.write(JSON.writeValueAsBytes(answer));
        out.write('\n');
    }
}
