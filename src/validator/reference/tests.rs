//! A small world of tokens: two issuers, one of them a template, and Ed25519 keys by number.

mod form;

use super::Reference;
use super::base64url;
use crate::jose::{Jwk, JwkSet, Material, NumericDate, Serialization, Token, encode_base64url};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use crate::validator::{Configured, Fault, Identity, Validator, Verdict};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use proptest::prelude::*;
use proptest::sample::Index;

const NOW: i64 = 1_790_000_000;

const A: &str = "https://a.example";
const B: &str = "https://b.example/{tenantid}/v2.0";
const B_T1: &str = "https://b.example/t1/v2.0";

fn pair(number: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[number; 32]).expect("any seed will do")
}

fn jwk(number: u8) -> Jwk {
    let x = pair(number).public_key().as_ref().to_vec();
    let mut jwk = Jwk::new(Material::Okp { crv: "Ed25519".to_owned(), x });
    jwk.kid = Some(format!("k{number}"));
    jwk
}

fn set(keys: impl IntoIterator<Item = Jwk>) -> Option<JwkSet> {
    Some(JwkSet::of(keys.into_iter().collect()))
}

fn list<const N: usize>(names: [&str; N]) -> Option<Vec<String>> {
    Some(names.map(str::to_owned).into())
}

/// A signs with key 1, tenants of B with key 2.
fn policy() -> TrustPolicy {
    let issuer = |issuer: &str, key| TrustedIssuer {
        issuer: issuer.to_owned(),
        algorithms: list(["EdDSA", "HS256"]),
        jwks: set([jwk(key)]),
        ..TrustedIssuer::default()
    };
    TrustPolicy {
        policy: 1,
        relying_party: "party".to_owned(),
        key_source: KeySource::PerIssuer,
        audiences: None,
        algorithms: None,
        token_types: None,
        required_claims: None,
        leeway: None,
        serializations: None,
        signatures: None,
        crit_understood: None,
        cloud_instance: None,
        jwks_max_age: None,
        enforce_key_lifetime: None,
        replay: None,
        decryption_keys: None,
        resolver: None,
        issuers: vec![issuer(A, 1), issuer(B, 2)],
        converged_jwks: None,
    }
}

/// The same trust told in the other way.
fn converged() -> TrustPolicy {
    let mut policy = policy();
    policy.key_source = KeySource::Converged;
    let keys = policy.issuers.iter_mut().map(|issuer| {
        let mut jwk = issuer.jwks.take().expect("its set").keys.remove(0);
        jwk.issuer = Some(issuer.issuer.clone());
        jwk
    });
    policy.converged_jwks = set(keys.collect::<Vec<_>>());
    policy
}

fn with(change: impl FnOnce(&mut TrustPolicy)) -> TrustPolicy {
    let mut policy = policy();
    change(&mut policy);
    policy
}

const HEADER: &str = r#"{"alg":"EdDSA"}"#;

fn sign(key: u8, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", encode_base64url(header.as_bytes()), encode_base64url(payload.as_bytes()));
    let signature = pair(key).sign(input.as_bytes());
    format!("{input}.{}", encode_base64url(signature.as_ref()))
}

fn answer(policy: &TrustPolicy, token: impl Into<Vec<u8>>) -> Verdict {
    let mut reference = Reference::default();
    assert_eq!(reference.configure(policy), Ok(Configured::Ready));
    reference.validate(&Token::new(token), NumericDate(NOW)).expect("an answer")
}

fn accepts(policy: &TrustPolicy, token: &str) -> bool {
    match answer(policy, token) {
        Verdict::Accept { .. } => true,
        Verdict::Reject(_) => false,
        Verdict::Skip(why) => panic!("skipped: {why}"),
    }
}

/// Presents a token of issuer A with these further claims under key 1.
fn accepts_claims(policy: &TrustPolicy, claims: &str) -> bool {
    accepts(policy, &sign(1, HEADER, &format!(r#"{{"iss":"{A}"{claims}}}"#)))
}

/// The same with these further header members.
fn accepts_header(policy: &TrustPolicy, members: &str) -> bool {
    accepts(policy, &sign(1, &format!(r#"{{"alg":"EdDSA"{members}}}"#), &format!(r#"{{"iss":"{A}"}}"#)))
}

fn of_b(tenant: &str, tid: &str) -> String {
    format!(r#"{{"iss":"https://b.example/{tenant}/v2.0","sub":"s","tid":"{tid}"}}"#)
}

#[test]
fn an_accepted_token_says_who_and_by_which_key() {
    for policy in [policy(), converged()] {
        let verdict = answer(&policy, sign(1, HEADER, &format!(r#"{{"iss":"{A}","sub":"alice","tid":"t1"}}"#)));
        let (iss, sub, audience) = (Some(A.to_owned()), Some("alice".to_owned()), Some(Vec::new()));
        let identity = Identity { iss, sub, audience, ..Identity::default() };
        assert_eq!(verdict, Verdict::Accept { identity: Some(identity), key: Some(jwk(1).material.thumbprint()) });

        let verdict = answer(&policy, sign(2, HEADER, &of_b("t1", "t1")));
        let (iss, sub, tenant) = (Some(B_T1.to_owned()), Some("s".to_owned()), Some("t1".to_owned()));
        let identity = Identity { iss, sub, tenant, audience: Some(Vec::new()) };
        assert_eq!(verdict, Verdict::Accept { identity: Some(identity), key: Some(jwk(2).material.thumbprint()) });
    }
}

#[test]
fn a_key_of_one_issuer_does_not_sign_for_another() {
    for policy in [policy(), converged()] {
        for key in 1..=3 {
            for kid in ["", r#","kid":"k1""#, r#","kid":"k2""#, r#","kid":"k3""#, r#","kid":"""#] {
                let header = format!(r#"{{"alg":"EdDSA"{kid}}}"#);
                assert_eq!(
                    accepts(&policy, &sign(key, &header, &format!(r#"{{"iss":"{A}"}}"#))),
                    key == 1,
                    "{key} {kid}"
                );
                assert_eq!(accepts(&policy, &sign(key, &header, &of_b("t1", "t1"))), key == 2, "{key} {kid}");
            }
        }
    }
}

#[test]
fn one_kid_for_two_keys_confuses_nobody() {
    let policy = with(|policy| {
        let mut other = jwk(3);
        other.kid = Some("k1".to_owned());
        policy.issuers[0].jwks = set([other, jwk(1)]);
    });
    for key in [1, 3] {
        assert!(accepts(&policy, &sign(key, r#"{"alg":"EdDSA","kid":"k1"}"#, &format!(r#"{{"iss":"{A}"}}"#))));
    }
    assert!(!accepts_header(&policy, r#","kid":1"#) && !accepts_header(&policy, r#","kid":null"#));
}

#[test]
fn keys_of_the_other_source_are_nobodys() {
    let mut both = converged();
    both.issuers[0].jwks = set([jwk(3)]);
    assert!(!accepts(&both, &sign(3, HEADER, &format!(r#"{{"iss":"{A}"}}"#))));
    both.key_source = KeySource::PerIssuer;
    assert!(accepts(&both, &sign(3, HEADER, &format!(r#"{{"iss":"{A}"}}"#))));
    assert!(!accepts_claims(&both, ""));

    let mut nameless = converged();
    for jwk in &mut nameless.converged_jwks.as_mut().expect("the set").keys {
        jwk.issuer = None;
    }
    assert!(!accepts_claims(&nameless, ""));
}

#[test]
fn a_converged_key_may_be_one_tenants_own() {
    let mut policy = converged();
    policy.converged_jwks.as_mut().expect("the set").keys[1].issuer = Some(B_T1.to_owned());
    assert!(accepts(&policy, &sign(2, HEADER, &of_b("t1", "t1"))));
    assert!(!accepts(&policy, &sign(2, HEADER, &of_b("t2", "t2"))));
}

#[test]
fn issuers_are_named_exactly() {
    for iss in [
        r#""""#,
        "null",
        "1",
        r#"["https://a.example"]"#,
        r#""https://a.example/""#,
        r#""https://A.example""#,
        r#""https://b.example/{tenantid}/v2.0""#,
        r#""https://c.example""#,
    ] {
        let payload = format!(r#"{{"iss":{iss},"tid":"{{tenantid}}"}}"#);
        assert!(
            !accepts(&policy(), &sign(1, HEADER, &payload)) && !accepts(&policy(), &sign(2, HEADER, &payload)),
            "{iss}"
        );
    }
    assert!(!accepts(&policy(), &sign(1, HEADER, "{}")));
    assert!(accepts(&policy(), &sign(1, HEADER, r#"{"iss":"\u0068ttps:\/\/a.example"}"#)));
}

#[test]
fn a_literal_issuer_wins_over_a_template_and_two_templates_over_nobody() {
    let literal = with(|policy| {
        let own =
            TrustedIssuer { issuer: B_T1.to_owned(), jwks: set([jwk(3)]), tenants: list([]), ..Default::default() };
        policy.issuers.push(own);
    });
    assert!(accepts(&literal, &sign(3, HEADER, &of_b("t1", "other"))));
    assert!(!accepts(&literal, &sign(2, HEADER, &of_b("t1", "t1"))));
    let two = with(|policy| {
        let wide = TrustedIssuer {
            issuer: "https://b.example/{tenantid}/v2.0".replace("v2", "v{tenantid}"),
            ..Default::default()
        };
        policy.issuers.push(wide);
        let prefix = TrustedIssuer { issuer: "https://b.example/t{tenantid}/v2.0".to_owned(), ..Default::default() };
        policy.issuers.push(prefix);
    });
    assert!(!accepts(&two, &sign(2, HEADER, &of_b("t1", "t1"))));
    assert!(accepts(&two, &sign(2, HEADER, &of_b("u1", "u1"))));
}

#[test]
fn the_tenant_is_the_claims_the_issuers_and_the_partys() {
    let narrowed = with(|policy| policy.issuers[1].tenants = list(["t1"]));
    for (tenant, tid, any, admitted) in [
        ("t1", "t1", true, true),
        ("t2", "t2", true, false),
        ("T1", "T1", true, false),
        ("t1", "t2", false, false),
        ("t1", "T1", false, false),
        ("t1", "", false, false),
    ] {
        let token = sign(2, HEADER, &of_b(tenant, tid));
        assert_eq!((accepts(&policy(), &token), accepts(&narrowed, &token)), (any, admitted), "{tenant} {tid}");
    }
    assert!(!accepts(&policy(), &sign(2, HEADER, &format!(r#"{{"iss":"{B_T1}"}}"#))));
    assert!(!accepts(&policy(), &sign(2, HEADER, &format!(r#"{{"iss":"{B_T1}","tid":["t1"]}}"#))));
    let renamed = with(|policy| policy.issuers[1].tenant_claim = Some("org".to_owned()));
    assert!(!accepts(&renamed, &sign(2, HEADER, &of_b("t1", "t1"))));
    assert!(accepts(&renamed, &sign(2, HEADER, &format!(r#"{{"iss":"{B_T1}","org":"t1"}}"#))));
}

#[test]
fn subjects_and_the_signer_bind_where_they_are_given() {
    let subjects = with(|policy| policy.issuers[0].subjects = list(["robot"]));
    assert!(accepts_claims(&subjects, r#","sub":"robot""#));
    for claims in ["", r#","sub":"admin""#, r#","sub":["robot"]"#, r#","sub":"Robot""#] {
        assert!(!accepts_claims(&subjects, claims), "{claims}");
    }
    let signer = with(|policy| policy.issuers[0].signer = Some("lb-1".to_owned()));
    assert!(accepts_header(&signer, r#","signer":"lb-1""#));
    for members in ["", r#","signer":"lb-2""#, r#","signer":null"#, r#","signer":["lb-1"]"#] {
        assert!(!accepts_header(&signer, members), "{members}");
    }
}

#[test]
fn audiences_are_asked_as_the_policy_says() {
    let ours = with(|policy| policy.audiences = list(["us", "we"]));
    let nobody = with(|policy| policy.audiences = list([]));
    let narrowed = with(|policy| {
        policy.audiences = list(["us", "we"]);
        policy.issuers[0].audiences = list(["we"]);
    });
    for (claims, not_asked, by_ours, by_nobody, by_narrowed) in [
        ("", true, false, true, false),
        (r#","aud":"us""#, true, true, false, false),
        (r#","aud":"we""#, true, true, false, true),
        (r#","aud":["us","other"]"#, true, true, false, false),
        (r#","aud":["other","we"]"#, true, true, false, true),
        (r#","aud":["us",1]"#, true, false, false, false),
        (r#","aud":[["us"]]"#, true, false, false, false),
        (r#","aud":[]"#, true, false, false, false),
        (r#","aud":"""#, true, false, false, false),
        (r#","aud":"US""#, true, false, false, false),
        (r#","aud":null"#, true, false, false, false),
    ] {
        let answers = [&policy(), &ours, &nobody, &narrowed].map(|policy| accepts_claims(policy, claims));
        assert_eq!(answers, [not_asked, by_ours, by_nobody, by_narrowed], "{claims}");
    }
}

#[test]
fn required_claims_are_there_and_of_their_type() {
    for (name, good, bad) in [
        ("sub", &[r#""s""#][..], &["null", r#""""#, "1", "[]"][..]),
        ("jti", &[r#""j""#], &["null", r#""""#, "1"]),
        ("aud", &[r#""us""#, r#"["us"]"#], &["null", r#""""#, "1", "[1]"]),
        ("exp", &["1e11"], &["null", r#""1e11""#]),
        ("nbf", &["1"], &["null", r#""1""#]),
        ("iat", &["1", "1e999"], &["null", r#""1""#, r#""""#]),
        ("org", &[r#""o""#, "0", "false", "[]", "{}"], &["null", r#""""#]),
    ] {
        let policy = with(|policy| policy.required_claims = list(["iss", name]));
        assert!(!accepts_claims(&policy, ""), "{name}");
        assert!(!accepts_claims(&policy, &format!(r#","{}":{}"#, name.to_uppercase(), good[0])), "{name}");
        for (values, expected) in [(good, true), (bad, false)] {
            for value in values {
                assert_eq!(accepts_claims(&policy, &format!(r#","{name}":{value}"#)), expected, "{name} {value}");
            }
        }
    }
}

#[test]
fn times_are_compared_exactly() {
    let leeway = |seconds| with(|policy| policy.leeway = Some(seconds));
    for (policy, claims, good) in [
        (policy(), format!(r#","exp":{}"#, NOW + 1), true),
        (policy(), format!(r#","exp":{NOW}"#), false),
        (policy(), format!(r#","exp":{NOW}.5"#), true),
        (policy(), format!(r#","exp":{NOW}.0"#), false),
        (policy(), format!(r#","nbf":{NOW}"#), true),
        (policy(), format!(r#","nbf":{NOW}.5"#), false),
        (policy(), format!(r#","nbf":{}"#, NOW + 1), false),
        (leeway(10), format!(r#","exp":{}"#, NOW - 9), true),
        (leeway(10), format!(r#","exp":{}"#, NOW - 10), false),
        (leeway(10), format!(r#","nbf":{}"#, NOW + 10), true),
        (leeway(10), format!(r#","nbf":{}"#, NOW + 11), false),
        (leeway(u64::MAX), r#","exp":0,"nbf":99999999999"#.to_owned(), true),
        (leeway(u64::MAX), r#","exp":-99999999999999999999"#.to_owned(), false),
        (policy(), r#","exp":99999999999999999999"#.to_owned(), true),
        (policy(), r#","exp":18446744073709551617"#.to_owned(), true),
        (policy(), r#","exp":1e308"#.to_owned(), true),
        (policy(), r#","exp":1e999"#.to_owned(), false),
        (policy(), r#","nbf":-1e999"#.to_owned(), false),
        (policy(), r#","exp":-0"#.to_owned(), false),
        (policy(), r#","exp":"1e11""#.to_owned(), false),
        (policy(), r#","exp":null"#.to_owned(), false),
        (policy(), r#","nbf":true"#.to_owned(), false),
        (policy(), r#","iat":"1""#.to_owned(), false),
        (policy(), format!(r#","iat":{}"#, NOW + 99), true),
    ] {
        assert_eq!(accepts_claims(&policy, &claims), good, "{claims} with leeway {:?}", policy.leeway);
    }
}

#[test]
fn any_clock_reading_is_survived() {
    for now in [i64::MIN, -1, 0, i64::MAX] {
        let mut reference = Reference::default();
        let all = with(|policy| (policy.leeway, policy.enforce_key_lifetime) = (Some(u64::MAX), Some(true)));
        assert_eq!(reference.configure(&all), Ok(Configured::Ready));
        let token = sign(1, HEADER, &format!(r#"{{"iss":"{A}","exp":1,"nbf":1}}"#));
        assert!(reference.validate(&Token::new(token), NumericDate(now)).is_ok());
    }
}

#[test]
fn types_are_media_types() {
    let typed = with(|policy| policy.token_types = list(["at+jwt", "application/Other"]));
    let untyped = with(|policy| policy.token_types = list([]));
    for (members, good) in [
        (r#","typ":"at+jwt""#, true),
        (r#","typ":"AT+JWT""#, true),
        (r#","typ":"application/at+jwt""#, true),
        (r#","typ":"Application/AT+jwt""#, true),
        (r#","typ":"other""#, true),
        ("", false),
        (r#","typ":"JWT""#, false),
        (r#","typ":"at+jwt\u0000""#, false),
        (r#","typ":" at+jwt""#, false),
        (r#","typ":"application/application/at+jwt""#, false),
        (r#","typ":"applicatioñ""#, false),
        (r#","typ":["at+jwt"]"#, false),
        (r#","typ":null"#, false),
    ] {
        assert_eq!(accepts_header(&typed, members), good, "{members}");
        assert!(accepts_header(&untyped, members) && accepts_header(&policy(), members), "{members}");
    }
}

#[test]
fn critical_extensions_are_understood_or_refused() {
    let understanding = with(|policy| policy.crit_understood = list(["x", "b64", "kid", "y"]));
    for (members, understood) in [
        (r#","crit":["x"],"x":1"#, true),
        (r#","crit":["x","y"],"x":1,"y":2"#, true),
        (r#","crit":["b64"],"b64":true"#, true),
        (r#","crit":["b64"],"b64":false"#, false),
        (r#","crit":["x"]"#, false),
        (r#","crit":["x","x"],"x":1"#, false),
        (r#","crit":["z"],"z":1"#, false),
        (r#","crit":["kid"],"kid":"k1""#, false),
        (r#","crit":["x",1],"x":1"#, false),
        (r#","crit":[]"#, false),
        (r#","crit":"x","x":1"#, false),
        (r#","crit":null"#, false),
        (r#","crit":{"x":1},"x":1"#, false),
    ] {
        assert_eq!(accepts_header(&understanding, members), understood, "{members}");
        assert!(!accepts_header(&policy(), members), "{members}");
    }
    for members in [r#","b64":false"#, r#","b64":"true""#, r#","b64":null"#] {
        assert!(!accepts_header(&understanding, members), "{members}");
    }
    for members in
        [r#","b64":true"#, r#","CRIT":["z"]"#, r#","x":1"#, r#","zip":"DEF""#, r#","jku":"http://x","x5c":[1]"#]
    {
        assert!(accepts_header(&policy(), members), "{members}");
    }
}

#[test]
fn algorithms_are_those_of_the_policy_the_issuer_and_the_key() {
    let payload = format!(r#"{{"iss":"{A}"}}"#);
    let good = |policy: &TrustPolicy| accepts(policy, &sign(1, HEADER, &payload));
    assert!(good(&policy()));
    assert!(good(&with(|policy| policy.issuers[0].algorithms = None)));
    assert!(!good(&with(|policy| policy.issuers[0].algorithms = list([]))));
    assert!(!good(&with(|policy| policy.issuers[0].algorithms = list(["eddsa"]))));
    assert!(!good(&with(|policy| policy.algorithms = list(["RS256"]))));
    let key_alg =
        |alg: &str| with(|policy| policy.issuers[0].jwks.as_mut().unwrap().keys[0].alg = Some(alg.to_owned()));
    assert!(good(&key_alg("EdDSA")));
    assert!(!good(&key_alg("ES256")) && !good(&key_alg("Ed25519")));
    for header in
        [r#"{"alg":"none"}"#, r#"{"alg":"None"}"#, r#"{"alg":""}"#, r#"{"alg":1}"#, "{}", r#"{"ALG":"EdDSA"}"#]
    {
        let open = with(|policy| policy.issuers[0].algorithms = None);
        assert!(!accepts(&open, &sign(1, header, &payload)), "{header}");
        let (unsigned, _) =
            sign(1, header, &payload).rsplit_once('.').map(|(a, b)| (format!("{a}."), b.len())).unwrap();
        let inviting = with(|policy| policy.issuers[0].algorithms = list(["none"]));
        assert!(!accepts(&inviting, &unsigned) && !accepts(&open, &unsigned), "{header}");
    }
    let foreign = with(|policy| policy.issuers[0].algorithms = list(["Ed448"]));
    assert!(matches!(answer(&foreign, sign(1, r#"{"alg":"Ed448"}"#, &payload)), Verdict::Skip(_)));
    assert!(matches!(answer(&policy(), sign(1, r#"{"alg":"Ed448"}"#, &payload)), Verdict::Reject(_)));
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let hs256 = |secret: &[u8]| {
        let header = encode_base64url(br#"{"alg":"HS256"}"#);
        let input = format!("{header}.{}", encode_base64url(format!(r#"{{"iss":"{A}"}}"#).as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        format!("{input}.{}", encode_base64url(tag.as_ref()))
    };
    assert!(!accepts(&policy(), &hs256(pair(1).public_key().as_ref())));
    assert!(!accepts(&policy(), &hs256(b"")));
    for mut trust in [policy(), converged()] {
        trust.issuers[0].secrets = set([Jwk::new(Material::Oct { k: vec![9; 32] })]);
        assert!(accepts(&trust, &hs256(&[9; 32])) && !accepts(&trust, &hs256(&[8; 32])));
    }
}

#[test]
fn key_members_bind() {
    let changed = |change: fn(&mut Jwk)| {
        with(|policy| {
            (policy.cloud_instance, policy.enforce_key_lifetime) = (Some("here".to_owned()), Some(true));
            change(&mut policy.issuers[0].jwks.as_mut().unwrap().keys[0]);
        })
    };
    type Change = fn(&mut Jwk);
    let cases: [(Change, bool); 16] = [
        (|_| (), true),
        (|jwk| jwk.key_use = Some("sig".to_owned()), true),
        (|jwk| jwk.key_use = Some("enc".to_owned()), false),
        (|jwk| jwk.key_use = Some(String::new()), false),
        (|jwk| jwk.key_ops = list(["sign", "verify"]), true),
        (|jwk| jwk.key_ops = list(["sign"]), false),
        (|jwk| jwk.key_ops = list([]), false),
        (|jwk| jwk.cloud_instance_name = Some("here".to_owned()), true),
        (|jwk| jwk.cloud_instance_name = Some("there".to_owned()), false),
        (|jwk| jwk.nbf = Some(NumericDate(NOW)), true),
        (|jwk| jwk.nbf = Some(NumericDate(NOW + 1)), false),
        (|jwk| jwk.exp = Some(NumericDate(NOW + 1)), true),
        (|jwk| jwk.exp = Some(NumericDate(NOW)), false),
        (|jwk| jwk.exp = Some(NumericDate(i64::MIN)), false),
        // What is no certificate shows no time in which the key may be used.
        (|jwk| jwk.x5c = vec![b"no certificate".to_vec()], false),
        (|jwk| jwk.x5c = vec![Vec::new()], false),
    ];
    for (index, (change, good)) in cases.into_iter().enumerate() {
        assert_eq!(accepts_claims(&changed(change), ""), good, "case {index}");
    }
    // Nobody asks for lifetime and cloud.
    let lax = with(|policy| {
        let jwk = &mut policy.issuers[0].jwks.as_mut().unwrap().keys[0];
        (jwk.exp, jwk.cloud_instance_name) = (Some(NumericDate(1)), Some("there".to_owned()));
    });
    assert!(accepts_claims(&lax, ""));
}

#[test]
fn a_certificate_bounds_its_key_at_both_ends() {
    let pem = include_str!("../../world/keys/rsa-1-2016.cert.pem");
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let body = body.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let der = base64url::read(body.as_bytes()).expect("the body of a PEM file");
    let policy = with(|policy| {
        policy.enforce_key_lifetime = Some(true);
        policy.issuers[0].jwks.as_mut().unwrap().keys[0].x5c = vec![der];
    });
    let mut reference = Reference::default();
    assert_eq!(reference.configure(&policy), Ok(Configured::Ready));
    let token = Token::new(sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#)));
    // From 2016-04-05T00:00:00Z to 2021-04-04T23:59:59Z, both included.
    for (now, good) in [
        (1_459_814_399, false),
        (1_459_814_400, true),
        (1_617_580_799, true),
        (1_617_580_800, false),
        (NOW, false),
        (0, false),
    ] {
        let verdict = reference.validate(&token, NumericDate(now)).expect("an answer");
        assert_eq!(verdict.accepted(), good, "{now}");
    }
}

#[test]
fn a_new_policy_replaces_the_old_one_at_once() {
    let mut reference = Reference::default();
    let token = Token::new(sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#)));
    assert!(matches!(reference.validate(&token, NumericDate(NOW)), Err(Fault::Broken(_))));
    assert_eq!(reference.configure(&policy()), Ok(Configured::Ready));
    let mut good = |policy: &TrustPolicy| {
        assert_eq!(reference.configure(policy), Ok(Configured::Ready));
        reference.validate(&token, NumericDate(NOW)).is_ok_and(|verdict| verdict.accepted())
    };
    assert!(good(&policy()));
    assert!(!good(&with(|policy| (policy.jwks_max_age, policy.issuers[0].jwks) = (Some(300), set([jwk(3)])))));
    assert!(good(&converged()));
    assert!(!good(&with(|policy| drop(policy.issuers.remove(0)))));
    assert!(good(&policy()));

    for unsupported in [with(|policy| policy.key_source = KeySource::Fetched), with(|policy| policy.policy = 2)] {
        assert!(matches!(reference.configure(&unsupported), Ok(Configured::Skip(_))));
        assert!(reference.validate(&token, NumericDate(NOW)).is_err());
    }
}

#[test]
fn a_token_is_accepted_once_where_the_policy_says_so() {
    let mut reference = Reference::default();
    reference.configure(&with(|policy| policy.replay = Some(Replay::Refuse))).unwrap();
    let mut accepted = |token: &str| {
        let token = Token::new(token);
        reference.validate(&token, NumericDate(NOW)).is_ok_and(|verdict| verdict.accepted())
    };
    let token = sign(1, HEADER, &format!(r#"{{"iss":"{A}","jti":"t1"}}"#));
    let same_id = sign(1, HEADER, &format!(r#"{{"jti":"t1","iss":"{A}"}}"#));
    let other = sign(1, HEADER, &format!(r#"{{"iss":"{A}","jti":"t2"}}"#));
    let without = sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#));
    assert!(accepted(&token) && accepted(&other) && accepted(&without));
    assert!(!accepted(&token) && !accepted(&same_id) && !accepted(&other) && !accepted(&without));
}

#[test]
fn the_order_of_issuers_and_keys_means_nothing() {
    let mut policy = policy();
    policy.issuers[0].jwks = set([jwk(1), jwk(3), jwk(4)]);
    for number in 0..6 {
        let policy = policy.reordered(number);
        for key in [1, 3, 4] {
            assert!(accepts(&policy, &sign(key, HEADER, &format!(r#"{{"iss":"{A}"}}"#))));
        }
        assert!(!accepts(&policy, &sign(2, HEADER, &format!(r#"{{"iss":"{A}"}}"#))));
    }
}

proptest! {
    #[test]
    fn no_octets_are_too_strange(octets in any::<Vec<u8>>(), cut in any::<Index>(), octet in any::<u8>()) {
        prop_assert!(!answer(&policy(), octets).accepted());
        let mut token = sign(1, HEADER, &format!(r#"{{"iss":"{A}"}}"#)).into_bytes();
        let at = cut.index(token.len());
        let changed = token[at] != octet;
        token[at] = octet;
        prop_assert_eq!(answer(&policy(), token).accepted(), !changed);
    }
}
