//! What the crate accepts and refuses when it is used as taught.

use super::application::VERSION;
use super::{Recipe, recipes};
use crate::jose::{Jwk, JwkSet, Material, NumericDate, Serialization, Token, encode_base64url};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use crate::validator::{Clock, Configured, Identity, Verdict};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// 2100-01-01: the crate reads the system's clock.
const FAR: i64 = 4_102_444_800;
const A: &str = "https://a.example";
const B: &str = "https://b.example";
const SECRET: [u8; 32] = [5; 32];

fn ed(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn named(kid: &str, material: Material) -> Jwk {
    let mut jwk = Jwk::new(material);
    jwk.kid = Some(kid.to_owned());
    jwk
}

fn jwk(kid: &str, seed: u8) -> Jwk {
    let x = ed(seed).public_key().as_ref().to_vec();
    named(kid, Material::Okp { crv: "Ed25519".to_owned(), x })
}

fn issuer(name: &str, kid: &str, seed: u8) -> TrustedIssuer {
    let jwks = Some(JwkSet { keys: vec![jwk(kid, seed)] });
    TrustedIssuer {
        issuer: name.to_owned(),
        jwks,
        algorithms: Some(vec!["EdDSA".to_owned()]),
        ..TrustedIssuer::default()
    }
}

fn policy() -> TrustPolicy {
    let policy = json!({
        "policy": 1, "relying_party": "mail", "key_source": "per-issuer", "audiences": ["mail"],
        "required_claims": ["iss", "sub", "aud", "exp"], "leeway": 0, "serializations": ["compact"], "issuers": []
    });
    let policy: TrustPolicy = serde_json::from_value(policy).unwrap();
    TrustPolicy { issuers: vec![issuer(A, "a", 1), issuer(B, "b", 2)], ..policy }
}

fn claims(iss: &str) -> Value {
    json!({"iss": iss, "sub": "alice", "aud": "mail", "exp": FAR, "nbf": 1})
}

fn input(alg: &str, kid: Option<&str>, claims: &Value) -> String {
    let header = kid.map_or_else(|| json!({"alg": alg}), |kid| json!({"alg": alg, "kid": kid}));
    let part = |value: &Value| encode_base64url(value.to_string().as_bytes());
    format!("{}.{}", part(&header), part(claims))
}

fn sign(seed: u8, kid: Option<&str>, claims: &Value) -> Token {
    let input = input("EdDSA", kid, claims);
    Token::new(format!("{input}.{}", encode_base64url(ed(seed).sign(input.as_bytes()).as_ref())))
}

fn recipe(name: &str) -> Recipe {
    recipes().into_iter().find(|recipe| recipe.name == name).unwrap()
}

fn judge(name: &str, policy: &TrustPolicy, token: &Token) -> Verdict {
    let mut validator = (recipe(name).maker)()();
    assert_eq!(validator.configure(policy), Ok(Configured::Ready));
    validator.validate(token, NumericDate(0)).unwrap()
}

#[test]
fn recipes_are_known_by_their_names() {
    let names: BTreeSet<_> = recipes().iter().map(|recipe| recipe.name).collect();
    assert_eq!(names.len(), recipes().len());
    for recipe in recipes() {
        let description = (recipe.maker)()().describe();
        assert_eq!((description.name.as_str(), description.clock), (recipe.name, Clock::System));
    }
    assert!(recipe("jsonwebtoken").sound && !recipe("jsonwebtoken-pooled").sound);
}

#[test]
fn the_version_is_the_one_that_is_built_in() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let versions: Vec<_> = packages.filter(|one| one["name"].as_str() == Some("jsonwebtoken")).collect();
    assert_eq!(versions.iter().map(|one| one["version"].as_str()).collect::<Vec<_>>(), [Some(VERSION)]);
}

#[test]
fn honest_tokens_are_accepted() {
    for name in ["jsonwebtoken", "jsonwebtoken-pooled"] {
        for kid in [Some("b"), None] {
            let verdict = judge(name, &policy(), &sign(2, kid, &claims(B)));
            let identity = Identity { iss: Some(B.to_owned()), sub: Some("alice".to_owned()), tenant: None };
            assert_eq!(
                verdict,
                Verdict::Accept { identity: Some(identity), key: Some(jwk("b", 2).material.thumbprint()) }
            );
        }
    }
}

#[test]
fn only_the_pool_takes_the_key_of_another_issuer() {
    for kid in [Some("b"), None] {
        let crossed = sign(2, kid, &claims(A));
        assert!(!judge("jsonwebtoken", &policy(), &crossed).accepted());
        assert!(judge("jsonwebtoken-pooled", &policy(), &crossed).accepted());
    }
    let stranger = sign(9, Some("a"), &claims(A));
    assert!(!judge("jsonwebtoken", &policy(), &stranger).accepted());
    assert!(!judge("jsonwebtoken-pooled", &policy(), &stranger).accepted());
}

#[test]
fn secrets_are_found_by_kid_too() {
    let mut policy = policy();
    let secret = named("s", Material::Oct { k: SECRET.to_vec() });
    policy.issuers[0].secrets = Some(JwkSet { keys: vec![secret] });
    policy.issuers[0].algorithms = Some(vec!["EdDSA".to_owned(), "HS256".to_owned()]);
    for kid in [Some("s"), None] {
        let input = input("HS256", kid, &claims(A));
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), input.as_bytes());
        let token = Token::new(format!("{input}.{}", encode_base64url(mac.as_ref())));
        for recipe in recipes() {
            assert!(judge(recipe.name, &policy, &token).accepted(), "{}", recipe.name);
        }
    }
}

#[test]
fn what_the_validation_is_told_is_checked() {
    let wrong = [
        ("exp", json!(1)),
        ("exp", json!("4102444800")),
        ("nbf", json!(FAR)),
        ("aud", json!("other")),
        ("iss", json!("https://evil.example")),
        ("sub", Value::Null),
    ];
    for recipe in recipes() {
        for (name, value) in &wrong {
            let mut claims = claims(A);
            claims[*name] = value.clone();
            assert!(!judge(recipe.name, &policy(), &sign(1, Some("a"), &claims)).accepted(), "{}: {name}", recipe.name);
        }
        let mut policy = policy();
        policy.issuers[0].algorithms = Some(vec!["HS256".to_owned()]);
        policy.issuers[1].algorithms = Some(vec!["HS256".to_owned()]);
        assert!(!judge(recipe.name, &policy, &sign(1, Some("a"), &claims(A))).accepted());
    }
}

#[test]
fn no_audience_of_its_own_and_none_asked_for_differ() {
    for recipe in recipes() {
        let token = sign(1, Some("a"), &claims(A));
        let nameless = TrustPolicy { audiences: Some(Vec::new()), ..policy() };
        assert!(!judge(recipe.name, &nameless, &token).accepted());
        let not_asked = TrustPolicy { audiences: None, ..policy() };
        assert!(judge(recipe.name, &not_asked, &token).accepted());
    }
}

#[test]
fn a_template_becomes_one_name_for_each_tenant() {
    let mut policy = policy();
    policy.issuers[0].issuer = "https://t.example/{tenantid}".to_owned();
    let mut validator = (recipe("jsonwebtoken").maker)()();
    assert!(matches!(validator.configure(&policy), Ok(Configured::Skip(_))));

    policy.issuers[0].tenants = Some(vec!["t1".to_owned(), "t2".to_owned()]);
    for recipe in recipes() {
        let mut claims = claims("https://t.example/t2");
        claims["tid"] = json!("t2");
        let verdict = judge(recipe.name, &policy, &sign(1, Some("a"), &claims));
        assert!(matches!(verdict, Verdict::Accept { identity: Some(who), .. } if who.tenant.as_deref() == Some("t2")));
        claims["iss"] = json!("https://t.example/t3");
        assert!(!judge(recipe.name, &policy, &sign(1, Some("a"), &claims)).accepted());
    }
}

#[test]
fn a_policy_that_the_crate_has_no_setting_for_is_skipped() {
    let issuers = |change: &dyn Fn(&mut TrustedIssuer)| {
        let mut policy = policy();
        policy.issuers.iter_mut().for_each(change);
        policy
    };
    let two = Some(vec!["alice".to_owned(), "bob".to_owned()]);
    let skipped = [
        TrustPolicy { key_source: KeySource::Fetched, ..policy() },
        TrustPolicy { replay: Some(Replay::Refuse), ..policy() },
        TrustPolicy { serializations: Some(vec![Serialization::Compact, Serialization::Flattened]), ..policy() },
        TrustPolicy { serializations: Some(vec![Serialization::General]), ..policy() },
        issuers(&|issuer| issuer.signer = Some("s".to_owned())),
        issuers(&|issuer| issuer.subjects.clone_from(&two)),
    ];
    for recipe in recipes() {
        for policy in &skipped {
            assert!(matches!((recipe.maker)()().configure(policy), Ok(Configured::Skip(_))), "{}", recipe.name);
        }
    }
}

/// Not wishes but facts: what this version of the crate leaves to the application. A new version that checks more
/// makes this test fail, and the text in the documentation then has to change.
#[test]
fn the_crate_leaves_these_unchecked() {
    let with_header = |member: &str, value: Value| {
        let mut header = json!({"alg": "EdDSA", "kid": "a"});
        header[member] = value;
        let part = |value: &Value| encode_base64url(value.to_string().as_bytes());
        let input = format!("{}.{}", part(&header), part(&claims(A)));
        Token::new(format!("{input}.{}", encode_base64url(ed(1).sign(input.as_bytes()).as_ref())))
    };
    let crit = with_header("crit", json!(["unheard-of"]));
    let typ = with_header("typ", json!("logout+jwt"));
    let with_claim = |name: &str, value: Value| {
        let mut claims = claims(A);
        claims[name] = value;
        sign(1, Some("a"), &claims)
    };
    let empty_sub = with_claim("sub", json!(""));
    let mut strict = TrustPolicy { token_types: Some(vec!["at+jwt".to_owned()]), ..policy() };
    strict.enforce_key_lifetime = Some(true);
    strict.cloud_instance = Some("public".to_owned());
    let key = &mut strict.issuers[0].jwks.as_mut().unwrap().keys[0];
    key.key_use = Some("enc".to_owned());
    key.key_ops = Some(vec!["encrypt".to_owned()]);
    key.alg = Some("ES256".to_owned());
    key.exp = Some(NumericDate(1));
    key.cloud_instance_name = Some("other".to_owned());
    for recipe in recipes() {
        for token in [&crit, &typ, &empty_sub] {
            assert!(judge(recipe.name, &strict, token).accepted(), "{}", recipe.name);
        }
        let lax = TrustPolicy { required_claims: Some(vec!["iss".to_owned()]), ..policy() };
        assert!(judge(recipe.name, &lax, &with_claim("aud", json!(7))).accepted(), "{}", recipe.name);
    }
    let list = with_claim("iss", json!([A, "https://evil.example"]));
    assert!(judge("jsonwebtoken-pooled", &policy(), &list).accepted());
    assert!(!judge("jsonwebtoken", &policy(), &list).accepted());
    let lax = TrustPolicy { required_claims: None, ..policy() };
    let mut nobody = claims(A);
    nobody.as_object_mut().unwrap().remove("iss");
    assert!(judge("jsonwebtoken-pooled", &lax, &sign(1, Some("a"), &nobody)).accepted());
    assert!(!judge("jsonwebtoken", &lax, &sign(1, Some("a"), &nobody)).accepted());
}
