//! What the crates accept and refuse when they are used as taught.

use super::application::Craft;
use super::{Recipe, recipes};
use crate::jose::{Jwk, JwkSet, Material, NumericDate, Serialization, Token, encode_base64url};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use crate::validator::{Clock, Configured, Identity, Verdict};
use aws_lc_rs::hmac;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value, json};

/// 2100-01-01: some of the crates read the system's clock.
const FAR: i64 = 4_102_444_800;
/// What the others are told.
const NOW: NumericDate = NumericDate(1_790_000_000);
const A: &str = "https://a.example";
const B: &str = "https://b.example";
const SECRET: [u8; 32] = [5; 32];

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).unwrap()
}

fn signature(seed: u8, input: &str) -> String {
    let signature: Signature = key(seed).sign(input.as_bytes());
    encode_base64url(&signature.to_bytes())
}

fn named(kid: &str, material: Material) -> Jwk {
    let mut jwk = Jwk::new(material);
    jwk.kid = Some(kid.to_owned());
    jwk
}

fn jwk(kid: &str, seed: u8) -> Jwk {
    let point = key(seed).verifying_key().to_encoded_point(false);
    let [x, y] = [point.x(), point.y()].map(|part| part.unwrap().to_vec());
    named(kid, Material::Ec { crv: "P-256".to_owned(), x, y })
}

fn issuer(name: &str, kid: &str, seed: u8) -> TrustedIssuer {
    let jwks = Some(JwkSet::of(vec![jwk(kid, seed)]));
    TrustedIssuer {
        issuer: name.to_owned(),
        jwks,
        algorithms: Some(vec!["ES256".to_owned()]),
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
    let input = input("ES256", kid, claims);
    Token::new(format!("{input}.{}", signature(seed, &input)))
}

fn recipe(name: &str) -> Recipe {
    recipes().into_iter().find(|recipe| recipe.name == name).unwrap()
}

fn judge(name: &str, policy: &TrustPolicy, token: &Token) -> Verdict {
    let mut validator = (recipe(name).maker)()();
    assert_eq!(validator.configure(policy), Ok(Configured::Ready));
    validator.validate(token, NOW).unwrap()
}

/// The crates of the recipes.
fn crafts() -> Vec<&'static Craft> {
    vec![
        &super::jsonwebtoken::CRAFT,
        &super::jwt_simple::CRAFT,
        &super::biscuit::CRAFT,
        #[cfg(feature = "josekit")]
        &super::josekit::CRAFT,
    ]
}

#[test]
fn each_crate_has_a_sound_recipe_and_a_pooled_one() {
    let mut names = Vec::new();
    for craft in crafts() {
        names.extend([(craft.name, true), (craft.pooled_name, false)]);
    }
    assert_eq!(recipes().iter().map(|recipe| (recipe.name, recipe.sound)).collect::<Vec<_>>(), names);
    for recipe in recipes() {
        let description = (recipe.maker)()().describe();
        let clock = if recipe.name.starts_with("jsonwebtoken") { Clock::System } else { Clock::Settable };
        assert_eq!((description.name.as_str(), description.clock), (recipe.name, clock));
    }
}

#[test]
fn the_versions_are_those_that_are_built_in() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    let lock: toml::Table = lock.parse().unwrap();
    for craft in crafts() {
        let packages = lock["package"].as_array().unwrap().iter();
        let versions: Vec<_> = packages.filter(|one| one["name"].as_str() == Some(craft.name)).collect();
        let versions: Vec<_> = versions.iter().map(|one| one["version"].as_str()).collect();
        assert_eq!(versions, [Some(craft.version)], "{}", craft.name);
    }
}

/// With a `kid` and without, but for the crate that takes no token without one.
fn kids(recipe: &Recipe, kid: &'static str) -> Vec<Option<&'static str>> {
    if recipe.name.starts_with("josekit") { vec![Some(kid)] } else { vec![Some(kid), None] }
}

#[test]
fn honest_tokens_are_accepted() {
    for recipe in recipes() {
        for kid in kids(&recipe, "b") {
            let verdict = judge(recipe.name, &policy(), &sign(2, kid, &claims(B)));
            let identity = Identity { iss: Some(B.to_owned()), sub: Some("alice".to_owned()), ..Identity::default() };
            // This crate does not say which key of a set it was.
            let key = (!recipe.name.starts_with("biscuit")).then(|| jwk("b", 2).material.thumbprint());
            assert_eq!(verdict, Verdict::Accept { identity: Some(identity), key }, "{}", recipe.name);
        }
    }
}

#[test]
fn only_the_pool_takes_the_key_of_another_issuer() {
    for recipe in recipes() {
        for kid in kids(&recipe, "b") {
            let crossed = sign(2, kid, &claims(A));
            assert_eq!(judge(recipe.name, &policy(), &crossed).accepted(), !recipe.sound, "{}", recipe.name);
        }
        let stranger = sign(9, Some("a"), &claims(A));
        assert!(!judge(recipe.name, &policy(), &stranger).accepted(), "{}", recipe.name);
    }
}

#[test]
fn secrets_are_found_by_kid_too() {
    let mut policy = policy();
    let secret = named("s", Material::Oct { k: SECRET.to_vec() });
    policy.issuers[0].secrets = Some(JwkSet::of(vec![secret]));
    policy.issuers[0].algorithms = Some(vec!["ES256".to_owned(), "HS256".to_owned()]);
    for recipe in recipes() {
        for kid in kids(&recipe, "s") {
            let input = input("HS256", kid, &claims(A));
            let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), input.as_bytes());
            let token = Token::new(format!("{input}.{}", encode_base64url(mac.as_ref())));
            assert!(judge(recipe.name, &policy, &token).accepted(), "{}", recipe.name);
        }
    }
}

/// An algorithm that the issuer may use and the crate does not have is no reason to refuse a token.
#[test]
fn a_token_of_an_algorithm_that_the_crate_does_not_have_is_skipped() {
    let mut policy = policy();
    policy.issuers[0].algorithms = Some(vec!["ES256".to_owned(), "ES256X".to_owned()]);
    let signed = |alg: &str| {
        let input = input(alg, Some("a"), &claims(A));
        Token::new(format!("{input}.{}", signature(1, &input)))
    };
    for recipe in recipes() {
        assert!(judge(recipe.name, &policy, &signed("ES256")).accepted(), "{}", recipe.name);
        assert!(matches!(judge(recipe.name, &policy, &signed("ES256X")), Verdict::Skip(_)), "{}", recipe.name);
        for alg in ["ES384", "ES256Y", "none"] {
            assert!(matches!(judge(recipe.name, &policy, &signed(alg)), Verdict::Reject(_)), "{}: {alg}", recipe.name);
        }
    }
}

#[test]
fn what_the_crates_are_told_is_checked() {
    let wrong = [
        ("exp", json!(1)),
        ("exp", json!("4102444800")),
        ("nbf", json!(FAR)),
        ("aud", json!("other")),
        ("iss", json!("https://evil.example")),
        ("iss", json!(7)),
        ("sub", json!(["alice"])),
    ];
    for recipe in recipes() {
        for (name, value) in &wrong {
            let mut claims = claims(A);
            claims[*name] = value.clone();
            let verdict = judge(recipe.name, &policy(), &sign(1, Some("a"), &claims));
            assert!(!verdict.accepted(), "{}: {name} {value}", recipe.name);
        }
        let mut policy = policy();
        policy.issuers[0].algorithms = Some(vec!["HS256".to_owned()]);
        policy.issuers[1].algorithms = Some(vec!["HS256".to_owned()]);
        assert!(!judge(recipe.name, &policy, &sign(1, Some("a"), &claims(A))).accepted());
    }
}

#[test]
fn a_crate_that_can_be_told_the_time_is() {
    let mut claims = claims(A);
    claims["exp"] = json!(NOW.0 + 60);
    let token = sign(1, Some("a"), &claims);
    for recipe in recipes().into_iter().filter(|recipe| (recipe.maker)()().describe().clock == Clock::Settable) {
        let mut validator = (recipe.maker)()();
        assert_eq!(validator.configure(&policy()), Ok(Configured::Ready));
        let mut at = |seconds| validator.validate(&token, NOW.plus(seconds)).unwrap().accepted();
        assert!(at(0) && at(59) && !at(61) && at(0), "{}", recipe.name);
    }
}

#[test]
fn no_audience_of_its_own_and_none_asked_for_differ() {
    for recipe in recipes() {
        let token = sign(1, Some("a"), &claims(A));
        let nameless = TrustPolicy { audiences: Some(Vec::new()), ..policy() };
        if recipe.name.starts_with("jsonwebtoken") {
            assert!(!judge(recipe.name, &nameless, &token).accepted());
        } else {
            assert!(matches!((recipe.maker)()().configure(&nameless), Ok(Configured::Skip(_))), "{}", recipe.name);
        }
        let not_asked = TrustPolicy { audiences: None, ..policy() };
        assert!(judge(recipe.name, &not_asked, &token).accepted());
    }
}

#[test]
fn a_template_becomes_one_name_for_each_tenant() {
    let mut policy = policy();
    policy.issuers[0].issuer = "https://t.example/{tenantid}".to_owned();
    for recipe in recipes() {
        assert!(matches!((recipe.maker)()().configure(&policy), Ok(Configured::Skip(_))), "{}", recipe.name);
    }

    policy.issuers[0].tenants = Some(vec!["t1".to_owned(), "t2".to_owned()]);
    for recipe in recipes() {
        let mut claims = claims("https://t.example/t2");
        claims["tid"] = json!("t2");
        let verdict = judge(recipe.name, &policy, &sign(1, Some("a"), &claims));
        assert!(
            matches!(&verdict, Verdict::Accept { identity: Some(who), .. } if who.tenant.as_deref() == Some("t2")),
            "{}: {verdict:?}",
            recipe.name
        );
        claims["iss"] = json!("https://t.example/t3");
        assert!(!judge(recipe.name, &policy, &sign(1, Some("a"), &claims)).accepted());
    }
}

#[test]
fn a_policy_that_no_crate_has_a_setting_for_is_skipped() {
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

#[test]
fn what_one_crate_has_a_setting_for_another_skips() {
    let strings = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    let mut one_subject = policy();
    one_subject.issuers.iter_mut().for_each(|issuer| issuer.subjects = strings(&["alice"]));
    let policies = [
        ("one subject", one_subject),
        ("two audiences", TrustPolicy { audiences: strings(&["mail", "post"]), ..policy() }),
        ("a leeway", TrustPolicy { leeway: Some(60), ..policy() }),
        ("two token types", TrustPolicy { token_types: strings(&["JWT", "at+jwt"]), ..policy() }),
        ("an extension", TrustPolicy { crit_understood: strings(&["ext"]), ..policy() }),
    ];
    for recipe in recipes() {
        let skips = |policy| matches!((recipe.maker)()().configure(policy), Ok(Configured::Skip(_)));
        let skipped: Vec<_> = policies.iter().filter(|(_, policy)| skips(policy)).map(|(name, _)| *name).collect();
        let expected: &[&str] = match recipe.name.trim_end_matches("-pooled") {
            "jsonwebtoken" => &[],
            "jwt-simple" => &["two token types", "an extension"],
            "biscuit" => &["one subject", "two audiences"],
            "josekit" => &["two audiences", "a leeway", "an extension"],
            other => panic!("what does {other} skip?"),
        };
        assert_eq!(skipped, expected, "{}", recipe.name);
    }
}

/// A token with one more header member.
fn with_header(member: &str, value: Value) -> Token {
    let mut header = json!({"alg": "ES256", "kid": "a"});
    header[member] = value;
    let part = |value: &Value| encode_base64url(value.to_string().as_bytes());
    let input = format!("{}.{}", part(&header), part(&claims(A)));
    Token::new(format!("{input}.{}", signature(1, &input)))
}

/// A token with one claim of another value; `None`: without it.
fn with_claim(name: &str, value: Option<Value>) -> Token {
    let mut claims = claims(A);
    match value {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().unwrap().remove(name)),
    }
    sign(1, Some("a"), &claims)
}

/// Not wishes but facts: what these versions of the crates leave to the application. A new version that checks more
/// makes this test fail, and the waivers and the documentation then have to change.
#[test]
fn the_crates_leave_these_unchecked() {
    let mut lifetime = TrustPolicy { enforce_key_lifetime: Some(true), ..policy() };
    lifetime.cloud_instance = Some("public".to_owned());
    let mut use_and_alg = policy();
    let key = &mut lifetime.issuers[0].jwks.as_mut().unwrap().keys[0];
    key.exp = Some(NumericDate(1));
    key.cloud_instance_name = Some("other".to_owned());
    let key = &mut use_and_alg.issuers[0].jwks.as_mut().unwrap().keys[0];
    key.key_use = Some("enc".to_owned());
    key.key_ops = Some(vec!["encrypt".to_owned()]);
    let mut other_alg = policy();
    other_alg.issuers[0].jwks.as_mut().unwrap().keys[0].alg = Some("ES384".to_owned());
    let typed = TrustPolicy { token_types: Some(vec!["at+jwt".to_owned()]), ..policy() };
    let unlisted = TrustPolicy { required_claims: Some(vec!["iss".to_owned()]), ..policy() };
    let tries = [
        ("the lifetime and cloud of a key", &lifetime, sign(1, Some("a"), &claims(A))),
        ("the use of a key", &use_and_alg, sign(1, Some("a"), &claims(A))),
        ("the algorithm of a key", &other_alg, sign(1, Some("a"), &claims(A))),
        ("crit", &policy(), with_header("crit", json!(["unheard-of"]))),
        ("typ", &typed, with_header("typ", json!("logout+jwt"))),
        ("an empty claim", &policy(), with_claim("sub", Some(json!("")))),
        ("a missing sub", &policy(), with_claim("sub", None)),
        ("a missing exp", &policy(), with_claim("exp", None)),
        ("a missing aud", &policy(), with_claim("aud", None)),
        ("a missing iss", &policy(), with_claim("iss", None)),
        ("an aud that is a number", &unlisted, with_claim("aud", Some(json!(7)))),
        ("an nbf that is null", &policy(), with_claim("nbf", Some(Value::Null))),
    ];
    for recipe in recipes() {
        let open = |policy, token| judge(recipe.name, policy, token).accepted();
        let open: Vec<_> =
            tries.iter().filter(|(_, policy, token)| open(policy, token)).map(|(name, ..)| *name).collect();
        let expected: &[&str] = match recipe.name.trim_end_matches("-pooled") {
            "jsonwebtoken" => &[
                "the lifetime and cloud of a key",
                "the use of a key",
                "the algorithm of a key",
                "crit",
                "typ",
                "an empty claim",
                "an aud that is a number",
            ],
            "jwt-simple" => &["the lifetime and cloud of a key", "an empty claim", "a missing sub", "a missing exp"],
            "biscuit" => &[
                "the lifetime and cloud of a key",
                "the use of a key",
                "crit",
                "typ",
                "an empty claim",
                "an nbf that is null",
            ],
            "josekit" => &[
                "the lifetime and cloud of a key",
                "typ",
                "an empty claim",
                "a missing sub",
                "a missing exp",
                "a missing aud",
            ],
            other => panic!("what does {other} leave unchecked?"),
        };
        assert_eq!(open, expected, "{}", recipe.name);
    }
    let list = with_claim("iss", Some(json!([A, "https://evil.example"])));
    assert!(judge("jsonwebtoken-pooled", &policy(), &list).accepted());
    assert!(!judge("jsonwebtoken", &policy(), &list).accepted());
    let lax = TrustPolicy { required_claims: None, ..policy() };
    let nobody = with_claim("iss", None);
    assert!(judge("jsonwebtoken-pooled", &lax, &nobody).accepted());
    assert!(!judge("jsonwebtoken", &lax, &nobody).accepted());
}
