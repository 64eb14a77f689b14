//! Broken files and flags: exit 2, a message with file, place and remedy, and nothing written.

use crate::support::{Place, STORM, STORM_FLAW};

const WORLD: &str = r#"
world = 1
name = "w"
about = "a small world"
[issuers.a]
algorithms = ["ES256"]
[keys.k]
owner = "a"
derive = "P-256"
signs = ["ES256"]
[parties.p]
[parties.p.issuers.a]
"#;

/// The command is refused with all these words, and nothing is written.
#[track_caller]
fn refused(place: &Place, arguments: &[&str], says: &[&str]) {
    let before = place.listing();
    let ran = place.run(arguments).ends(2).complains(says);
    assert_eq!(ran.out, "", "{arguments:?}");
    assert_eq!(place.listing(), before, "{arguments:?}");
}

#[test]
fn a_broken_world_is_refused() {
    let place = Place::new();
    place.file("ok.toml", WORLD);
    place.run(&["test", "sound", "--world", "ok.toml"]).ends(0);
    place.file("k.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let key = "derive = \"P-256\"";
    let cases: &[(&str, &str, &[&str])] = &[
        ("world = 1", "world = ", &["TOML parse error at line 2"]),
        ("world = 1", "world = 2", &["world: version 2 is unknown", "reads 1"]),
        ("world = 1", "world = 1\nissuer = 1", &["line 3", "unknown field `issuer`", "`issuers`"]),
        ("[keys.k]", "[keys.k]\ncolour = 'red'", &["keys.k", "unknown field `colour`", "expected one of"]),
        ("owner = \"a\"", "owner = \"b\"", &["keys.k.owner", "no issuer `b`", "declare it"]),
        ("[parties.p.issuers.a]", "[parties.p.issuers.b]", &["parties.p.issuers.b", "no issuer `b`"]),
        ("signs = [\"ES256\"]", "signs = [\"ES255\"]", &["keys.k.signs", "unknown algorithm \"ES255\"", "RFC 7518"]),
        ("signs = [\"ES256\"]", "signs = [\"RS256\"]", &["keys.k.signs", "a EC key cannot sign RS256"]),
        ("signs = [\"ES256\"]", "signs = []", &["keys.k.signs", "at least one"]),
        (key, "derive = 'P-256'\nshipped = 'rsa-1'", &["keys.k", "exactly one of `shipped`, `derive`"]),
        (key, "", &["keys.k", "exactly one of"]),
        (key, "shipped = 'rsa-77'", &["keys.k", "no shipped key `rsa-77`", "rsa-10"]),
        (key, "private-pem = 'k.pem'", &["keys.k", "no private key in it", "PKCS#8 PEM"]),
        (key, "private-pem = 'missing.pem'", &["cannot read", "missing.pem"]),
        (
            key,
            "public-jwk = { kty = 'EC', crv = 'P-256', x = 'AA', y = 'AA', d = 'AA' }",
            &["keys.k", "(`d`)", "private-pem"],
        ),
        (key, "public-jwk = { kty = 'oct', k = 'AAAA' }", &["keys.k", "holds a private key (`k`)"]),
        (
            "algorithms = [\"ES256\"]",
            "algorithms = [\"ES256\"]\npath = '/{tenantid}'",
            &["issuers.a", "needs `tenants`"],
        ),
        ("[parties.p]", "[parties.p]\nkey-sources = ['converged']", &["parties.p.key-sources", "`converged` list"]),
        (
            "[parties.p]",
            "[parties.p]\nkey-sources = ['cloud']",
            &["parties.p", "unknown variant `cloud`", "per-issuer"],
        ),
        (key, "shipped = 'rsa-1'\nderived-from = 'a'", &["keys.k", "`derived-from` goes with `derive`"]),
        (key, "derive = 'P-224'", &["keys.k", "unknown variant `P-224`", "`secp256k1`"]),
        (
            "[parties.p]",
            "[parties.p]\naudiences = []\nrequired-claims = ['aud']",
            &["parties.p.required-claims", "without audiences", "do not require it"],
        ),
        ("name = \"w\"", "name = \"a/b\"", &["name", "letters, digits"]),
        ("[issuers.a]", "[issuers.a]\nname = 'https://a.example'\nhost = 'b'", &["issuers.a", "not both"]),
        ("[issuers.a]", "[issuers.a]\npath = '/{label:b'", &["issuers.a", "closing `}`"]),
    ];
    for (old, new, says) in cases {
        assert!(WORLD.contains(old));
        place.file("bad.toml", WORLD.replacen(old, new, 1));
        let mut needles = vec!["error: "];
        needles.extend_from_slice(says);
        if !new.contains("missing") {
            needles.push("bad.toml");
        }
        refused(&place, &["test", "sound", "--world", "bad.toml"], &needles);
    }
    place.file("large.toml", vec![b'#'; 5 << 20]);
    refused(&place, &["test", "sound", "--world", "large.toml"], &["large.toml", "at most"]);
    place.file("latin.toml", b"# \xff\n");
    refused(&place, &["test", "sound", "--world", "latin.toml"], &["latin.toml", "UTF-8"]);
}

#[test]
fn a_broken_scenario_is_refused_by_every_command_that_reads_one() {
    let place = Place::new();
    let cases: &[(&str, &str, &[&str])] = &[
        ("\"scenario\": 1,", "", &["missing field `scenario`"]),
        ("\"scenario\": 1", "\"scenario\": 2", &["scenario version 2 is unknown", "reads version 1"]),
        ("{ \"scenario\"", "\"scenario\"", &["line 1 column"]),
        ("\"sign-with\"", "\"bless\"", &["unknown variant `bless`", "`sign-with`", "line 3 column"]),
        ("\"key\":", "\"kee\":", &["unknown field `kee`", "`key`", "line 3 column"]),
        ("\"party\":", "\"partie\":", &["unknown field `partie`", "`party`", "line 1 column"]),
        ("\"acts\":", "\"steps\": [], \"acts\":", &["`steps` stands beside", "one form or the other"]),
        ("\"party\": \"both-mail\",", "", &["missing field `party`"]),
        ("consumer-2023", "consumer-2024", &["step 1, act 1 (sign-with)", "no key `consumer-2024`"]),
        ("both-mail", "no-mail", &["step 1", "no party `no-mail`", "enterprise-mail"]),
        ("\"enterprise\"", "\"entreprise\"", &["step 1, honest", "no issuer `entreprise`"]),
        ("contoso", "nobody", &["step 1, honest", "no tenant `nobody`"]),
        ("storm-0558", "storm-0559", &["world", "`storm-0559`", "--world"]),
        ("{ \"key\": \"consumer-2023\" }", "{ \"alg\": \"XX\" }", &["nobody can sign with \"XX\""]),
        ("{ \"key\": \"consumer-2023\" }", "{ \"kid\": \"soon\" }", &["unknown variant `soon`"]),
    ];
    for (old, new, says) in cases {
        assert!(STORM.contains(old), "{old}");
        place.file("bad.json", STORM.replacen(old, new, 1));
        let needles = [&["error: bad.json: ", "corpus/README.md"][..], says].concat();
        let needles = if *old == "storm-0558" { [&["error: bad.json: "][..], says].concat() } else { needles };
        refused(&place, &["reproduce", "bad.json"], &needles);
        refused(&place, &["shrink", "bad.json", "sound"], &needles);
        refused(&place, &["forge", "bad.json"], &needles);
    }
    for name in ["reproduce", "shrink", "forge"] {
        let rest: &[&str] = if name == "shrink" { &["sound"] } else { &[] };
        refused(&place, &[&[name, "nosuch.json"], rest].concat(), &["cannot read nosuch.json"]);
        refused(&place, &[&[name, "."], rest].concat(), &["cannot read ."]);
    }
    place.file("large.json", vec![b' '; 5 << 20]);
    refused(&place, &["reproduce", "large.json"], &["large.json", "neither a scenario nor a finding"]);
    place.file("finding.json", "{\"finding\": 1}");
    refused(&place, &["reproduce", "finding.json"], &["finding.json", "missing field", "another version"]);
}

#[test]
fn what_this_version_does_not_run_is_refused_by_name() {
    let place = Place::new();
    let act = r#"{ "sign-with": { "key": "consumer-2023" } }"#;
    let honest = r#"{ "issuer": "enterprise" }"#;
    let long = |step: &str| {
        format!(
            r#"{{ "scenario": 1, "world": "storm-0558", "steps": [
            {{ "present": {{ "as": "t", "to": "both-mail", "honest": {honest} }} }}, {step} ] }}"#
        )
    };
    let together = format!(r#"{{ "together": [ {{ "to": "both-mail", "honest": {honest} }} ] }}"#);
    for (text, name) in [
        (STORM.replace(act, r#"{ "serialize": { "as": "general" } }"#), "`serialize as general`"),
        (STORM.replace(act, r#"{ "serialize": { "as": "nested" } }"#), "`serialize as nested`"),
        (long(&together), "`together`"),
        (long(r#"{ "exchange": { "token": "t", "at": "both-mail" } }"#), "`exchange`"),
    ] {
        place.file("later.json", text);
        let says = ["error: later.json: ", "step ", name, "does not run it", "leave it out"];
        refused(&place, &["reproduce", "later.json", "sound"], &says);
        refused(&place, &["shrink", "later.json", "sound"], &says);
        refused(&place, &["forge", "later.json"], &says);
    }
}

#[test]
fn a_broken_waiver_is_refused() {
    let place = Place::new();
    for (text, says) in [
        ("[[waiver]]\nrule = 'TypeExpected'\n", &["line 1", "needs a `reason`"][..]),
        ("[[waiver]]\nrule = 'TypeExpected'\nreason = ' '\n", &["line 1", "needs a `reason`"]),
        ("\n[[waiver]]\nreason = 'x'\n", &["line 2", "needs `rule`, `class` or `origin`"]),
        ("[[waiver]]\nrule = '['\nreason = 'x'\n", &["line 1", "`rule`"]),
        ("[[waiver]]\nvalidator = '{'\nrule = '*'\nreason = 'x'\n", &["line 1", "`validator`"]),
        ("[[waiver]]\nrule = 'Nope'\nreason = 'x'\n", &["matches no rule", "wrongkey list rules"]),
        ("[[waiver]]\nclass = 'ZZ-*'\nreason = 'x'\n", &["matches no class", "wrongkey list classes"]),
        ("[[waiver]]\nrule = '*'\nreason = 'x'\nuntil = 'soon'\n", &["line 4", "until"]),
        ("[[waiver]]\nrule = '*'\nreason = 'x'\nuntil = 2026-02-30\n", &["line 4"]),
        ("[[waiver]]\nrule = '*'\nreason = 'x'\nuntil = 07:32:00\n", &["`until` is a date, as 2026-12-31"]),
        ("[[waiver]]\nrule = '*'\nreason = 'x'\nwho = 'me'\n", &["line 4", "unknown field `who`"]),
        ("[[waver]]\n", &["line 1", "unknown field `waver`", "`waiver`"]),
        ("waiver = 3\n", &["line 1"]),
        ("[[waiver]\n", &["TOML parse error at line 1"]),
    ] {
        place.file("wrongkey.toml", text);
        let says = [&["error: ", "wrongkey.toml: "], says].concat();
        refused(&place, &["test", "sound"], &says);
        refused(&place, &["test", "sound", "--config", "wrongkey.toml"], &says);
    }
    refused(&place, &["test", "sound", "--config", "nosuch.toml"], &["cannot read nosuch.toml"]);
}

#[test]
fn broken_flags_are_refused() {
    let place = Place::new();
    place.file("file", "");
    place.file("mine/precious", "");
    place.file("s.json", STORM);
    let cases: &[(&[&str], &[&str])] = &[
        (&["test", "nosuch"], &["no validator `nosuch`", "wrongkey list validators"]),
        (&["test", "jsonwebtokn"], &["did you mean `jsonwebtoken`?"]),
        (&["test", "--world", "storm-558"], &["`storm-558`", "two-issuers", "did you mean `storm-0558`?"]),
        (&["test", "--world", "nosuch.toml"], &["cannot read nosuch.toml"]),
        (&["test", "--world", "."], &["."]),
        (&["test", "--party", "mailbox"], &["--party", "`mailbox`", "consumer-mail"]),
        (&["test", "--party", "api", "--world", "storm-0558"], &["--party", "no chosen world has `api`"]),
        (&["test", "--party", "api", "--key-source", "converged"], &["--key-source", "`converged`", "choose another"]),
        (&["test", "--key-source", "cloud"], &["--key-source", "per-issuer, converged"]),
        (&["test", "--only", "ZZ-*"], &["--only", "matches no rule and no class", "wrongkey list"]),
        (&["test", "--only", "NotExpire"], &["--only", "did you mean `NotExpired`?"]),
        (&["test", "--skip", "["], &["--skip"]),
        (&["test", "--skip", "ZZ-*"], &["--skip", "matches no rule and no class"]),
        (&["test", "--now", "1790000000"], &["--now", "`jsonwebtoken` reads the machine's clock", "`reference`"]),
        (&["test", "reference", "jsonwebtoken", "--now", "1"], &["--now", "`jsonwebtoken`"]),
        (&["reproduce", "s.json", "--now", "1790000000"], &["--now", "`jsonwebtoken`"]),
        (&["shrink", "s.json", "jsonwebtoken-pooled", "--now", "1"], &["--now", "`jsonwebtoken-pooled`"]),
        (&["test", "--now", "-1"], &["--now", "-1 is not in 0.."]),
        (&["test", "--now", "soon"], &["--now", "invalid digit"]),
        (&["test", "--seed", "-1"], &["--seed"]),
        (&["test", "--jobs", "0"], &["--jobs", "1..=256"]),
        (&["test", "--timeout", "5"], &["--timeout", "5s or 500ms"]),
        (&["test", "--timeout", "1ms"], &["--timeout", "from 10ms to 1h"]),
        (&["test", "--fail-on", "severe"], &["--fail-on", "critical, high, medium, low"]),
        (&["test", "--format", "xml"], &["--format", "text, json"]),
        (&["test", "--report", "xml=a"], &["--report", "json=PATH"]),
        (&["test", "--report", "json="], &["--report", "needs a path"]),
        (&["test", "--report", "json=no/such/a.json"], &["--report", "no folder no/such", "make it first"]),
        (&["test", "--report", "json=mine"], &["--report", "mine is a folder"]),
        (&["test", "--out", "file"], &["--out", "file is a file"]),
        (&["test", "--out", "file/out"], &["--out", "file is a file"]),
        (&["test", "--out", "mine"], &["--out", "mine", "`precious`", "empty folder"]),
        (&["test", "--out", "."], &["--out"]),
        (&["test", "--color", "sometimes"], &["--color", "auto, always, never"]),
        (&["test", "--quik"], &["--quik", "--quiet"]),
        (&["tset"], &["unrecognized subcommand 'tset'", "'test'"]),
        (&["explain", "KeyBelongToIssuer"], &["did you mean `KeyBelongsToIssuer`?"]),
        (&["explain"], &["<ID>"]),
        (&["list", "keys"], &["rules, classes, worlds, validators"]),
        (&["shrink", "s.json"], &["<NAME>"]),
        (&["shrink", "s.json", "nosuch"], &["no validator `nosuch`"]),
        (&["reproduce", "s.json", "nosuch"], &["no validator `nosuch`"]),
        (&["forge"], &["<FILE>"]),
        (&[], &["Usage: wrongkey"]),
    ];
    for (arguments, says) in cases {
        refused(&place, arguments, says);
    }
}

#[test]
fn findings_that_cannot_be_written_are_shown_all_the_same() {
    let place = Place::new();
    // The folder of findings is a file by the time they are to be written: a full disk looks like this.
    let long = "x".repeat(300);
    let ran = place.run(&["test", STORM_FLAW, "--only", "KS-01", "--out", &long, "--report", "json=r.json"]).ends(2);
    let ran = ran.says(&["false-accept critical KeyBelongsToIssuer", "result: findings"]);
    ran.complains(&["error: cannot write", "File name too long"]);
    assert!(place.path("r.json").is_file());
}

#[test]
fn a_hostile_file_cannot_command_the_terminal() {
    let place = Place::new();
    place.file("evil.json", "{ \"scenario\": 1, \"\u{9b}2J\u{202e}\": 1 }");
    place.file("evil.toml", "\"a\\u001b[2J\" = 1\nworld = 1\n");
    for arguments in [&["reproduce", "evil.json"][..], &["test", "--world", "evil.toml"], &["test", "\u{1b}[2J"]] {
        let ran = place.run(arguments).ends(2);
        assert!(!ran.err.contains(['\u{9b}', '\u{202e}', '\u{1b}']), "{:?}", ran.err);
    }
}

#[test]
fn trouble_at_an_issuer_is_refused_where_nobody_fetches() {
    let place = Place::new();
    let steps = |steps: &str| {
        let present = r#"{ "present": { "to": "api", "honest": { "issuer": "a" } } }"#;
        format!(r#"{{ "scenario": 1, "world": "two-issuers", "steps": [ {steps}, {present} ] }}"#)
    };
    place.file("trouble.json", steps(r#"{ "jwks-unreachable": { "issuer": "a" } }"#));
    let says = ["step 1 (jwks-unreachable)", "nobody fetches keys here", "`key_source` is `fetched`"];
    refused(&place, &["reproduce", "trouble.json", "sound"], &says);
    place.file("how.json", steps(r#"{ "jwks-unreachable": { "issuer": "a", "how": "sideways" } }"#));
    refused(&place, &["reproduce", "how.json", "sound"], &["how.json", "sideways", "`truncated`"]);
}
