//! Trust that was configured badly: issuers without a name, secrets that are none, and keys that nobody can verify with.

use super::made::Must::{Accept, Either};
use super::made::{
    A, B, KEY_A, KEY_B, Made, Must, NOW, SECRET, SHORT, STRANGER, changed, converged, expectation, honest, issuer, jwk,
    policy, reject, says, set, strings, text, with,
};
use serde_json::{Value, json};
use std::sync::LazyLock;
use wrongkey::jose::{Jwk, JwkSet, Layout, Material, Primitive, encode_base64url};
use wrongkey::key::{DerivedKind, PrivateKey, public_text};
use wrongkey::oracle::Latitude;
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::rule::Rule;

/// Under this policy either answer is lawful, for this reason and no other.
fn open(policy: &TrustPolicy, made: &Made, why: Latitude) {
    says(policy, made, &Either);
    assert_eq!(*expectation(&[(0, policy.clone())], made).latitudes(), [why].into());
}

#[test]
fn an_issuer_without_a_name_is_nobody_and_need_not_be_refused() {
    let named = |name: &str, required: &[&str]| {
        with(|policy| {
            policy.issuers[0].issuer = name.to_owned();
            policy.required_claims = strings(required);
        })
    };
    let from = |name: &str| honest().claim("iss", text(name));
    let asked = ["iss", "sub", "aud", "exp"];
    for blank in ["", " ", "\t\n"] {
        open(&named(blank, &["sub"]), &from(blank), Latitude::NamelessIssuer);
        // Only its own key signs for it, and only exactly that name is its name.
        says(&named(blank, &["sub"]), &from(blank).by(&KEY_B), &reject(&[Rule::KeyBelongsToIssuer]));
        says(&named(blank, &asked), &honest(), &reject(&[Rule::IssuerTrusted]));
        says(&named(blank, &["sub"]), &from(&format!("{blank} ")), &reject(&[Rule::IssuerTrusted]));
        says(&policy(), &from(&format!("{blank} ")), &reject(&[Rule::IssuerTrusted]));
    }
    // What must be there must say something (RFC 9068 section 2.2); white space does.
    says(&named("", &asked), &from(""), &reject(&[Rule::RequiredClaimsPresent]));
    open(&named(" ", &asked), &from(" "), Latitude::NamelessIssuer);
    says(&named("", &["sub"]), &honest().no_claim("iss"), &reject(&[Rule::RequiredClaimsPresent]));
    for name in ["x", " x", "\u{200b}"] {
        says(&named(name, &asked), &from(name), &Accept);
    }
}

fn shared(key: &PrivateKey) -> TrustedIssuer {
    TrustedIssuer { secrets: set(&[jwk(key, Some("a1"))]), ..issuer(A, &[]) }
}

#[test]
fn a_secret_in_a_published_set_may_be_refused() {
    let published = |policy: &mut TrustPolicy| policy.issuers[0] = issuer(A, &[jwk(&SECRET, Some("a1"))]);
    let by_secret = || honest().hmac(&SECRET);
    open(&with(published), &by_secret(), Latitude::SecretPublished);
    says(&with(|policy| policy.issuers[0] = shared(&SECRET)), &by_secret(), &Accept);
    // Where the very same JWK is kept as well, that is the one that was meant.
    let both =
        with(|policy| policy.issuers[0] = TrustedIssuer { jwks: set(&[jwk(&SECRET, Some("a1"))]), ..shared(&SECRET) });
    says(&both, &by_secret(), &Accept);
    // It is no reason to refuse what the issuer's other key signs, and no excuse for anything else.
    let beside = with(|policy| policy.issuers[0] = issuer(A, &[jwk(&SECRET, Some("a2")), jwk(&KEY_A, Some("a1"))]));
    says(&beside, &honest(), &Accept);
    says(&beside, &honest().by(&STRANGER), &reject(&[Rule::KeyBelongsToIssuer]));
    let not_allowed = with(|policy| {
        published(policy);
        policy.issuers[0].algorithms = strings(&["ES256"]);
    });
    says(&not_allowed, &by_secret(), &reject(&[Rule::AlgorithmAllowed]));
    says(&with(published), &by_secret().claim("iss", text(B)), &reject(&[Rule::KeyBelongsToIssuer]));
    let short = with(|policy| policy.issuers[0] = issuer(A, &[jwk(&SHORT, Some("a1"))]));
    says(&short, &honest().hmac(&SHORT), &reject(&[Rule::KeyAcceptable]));
    let owner = || issuer(A, &[]);
    let one_set = |owned: Option<&str>| converged(&[owner()], &[(&SECRET, owned)]);
    open(&one_set(Some(A)), &by_secret(), Latitude::SecretPublished);
    says(&one_set(Some(B)), &by_secret(), &reject(&[Rule::KeyBelongsToIssuer]));
    says(&one_set(None), &by_secret(), &reject(&[Rule::KeyBelongsToIssuer]));
}

#[test]
fn a_key_that_says_it_is_revoked_may_be_refused() {
    for said in [json!({ "revoked_at": NOW - 9 }), json!({}), json!(false)] {
        let marked = || changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.revoked = Some(said.clone()));
        let listed = |keys: &[Jwk]| with(|policy| policy.issuers[0] = issuer(A, keys));
        open(&listed(&[marked()]), &honest(), Latitude::MarkedRevoked);
        // It excuses nothing and concerns no other key; and a listing that says nothing is one.
        says(&listed(&[marked()]), &honest().by(&STRANGER), &reject(&[Rule::KeyBelongsToIssuer]));
        says(&listed(&[marked()]), &honest().claim("iss", text(B)).by(&KEY_B).head("kid", text("b1")), &Accept);
        let plain = || jwk(&KEY_A, Some("a1"));
        assert!(expectation(&[(0, listed(&[plain()]))], &honest()).latitudes().is_empty());
    }
}

/// A key for the rest of the process.
fn kept(octets: Vec<u8>) -> &'static PrivateKey {
    Box::leak(Box::new(PrivateKey::secret(octets)))
}

/// What everybody can read of a key, written so.
fn written(key: &PrivateKey, layout: Layout) -> Vec<u8> {
    let jwk = jwk(key, Some("a1"));
    public_text(&jwk, &JwkSet::of(vec![jwk.clone()]), layout).expect("it can be written so")
}

#[test]
fn a_secret_that_everybody_can_guess_may_be_refused() {
    let guessable = [
        vec![0; 32],
        vec![b' '; 64],
        vec![b'a'; 40],
        written(&STRANGER, Layout::SpkiPem),
        written(&STRANGER, Layout::SpkiPemLeadingNewline),
        written(&STRANGER, Layout::Openssh),
        written(&STRANGER, Layout::Jwk),
        written(&STRANGER, Layout::Jwks),
        // The octets of a key that stands in this policy, bare and inside something.
        written(&KEY_B, Layout::Der),
        written(&KEY_B, Layout::Point),
        written(&KEY_B, Layout::SpkiBase64),
        written(&KEY_B, Layout::ModulusText),
    ];
    for secret in guessable {
        let key = kept(secret);
        open(&with(|policy| policy.issuers[0] = shared(key)), &honest().hmac(key), Latitude::SecretGuessable);
    }
    let secret = |octets: &[u8]| kept(octets.to_vec());
    let mut nearly = vec![0; 32];
    nearly[31] = 1;
    let kept_well: [&[u8]; 4] = [
        &nearly,
        b"-----BEGINNING of a long and winding secret, which is no key",
        // The octets of a key that this policy does not have.
        &written(&STRANGER, Layout::Der),
        &written(&STRANGER, Layout::SpkiBase64),
    ];
    for octets in kept_well {
        let key = secret(octets);
        says(&with(|policy| policy.issuers[0] = shared(key)), &honest().hmac(key), &Accept);
    }
    // Too short is too short, whatever it says; and who signs for an issuer with a text that it does not share is a stranger.
    for short in [&b""[..], b" ", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let key = secret(short);
        says(&with(|policy| policy.issuers[0] = shared(key)), &honest().hmac(key), &reject(&[Rule::KeyAcceptable]));
        says(
            &with(|policy| policy.issuers[0] = shared(&SECRET)),
            &honest().hmac(key),
            &reject(&[Rule::KeyBelongsToIssuer]),
        );
    }
}

/// The JWK as JSON, with members changed.
fn stray(key: &PrivateKey, changes: &[(&str, Value)]) -> Value {
    let mut value = serde_json::to_value(jwk(key, Some("a1"))).expect("a JWK is JSON");
    let members = value.as_object_mut().expect("an object");
    for (name, change) in changes {
        if change.is_null() {
            members.remove(*name);
        } else {
            members.insert((*name).to_owned(), change.clone());
        }
    }
    value
}

fn listing(keys: &[Jwk], strays: &[Value]) -> TrustPolicy {
    let whole = JwkSet { strays: strays.to_vec(), ..JwkSet::of(keys.to_vec()) };
    with(|policy| policy.issuers[0].jwks = Some(whole))
}

#[test]
fn the_issuers_own_numbers_in_a_form_that_makes_no_key_are_no_strangers() {
    let Material::Ec { crv, x, y } = KEY_A.material() else { panic!("a point") };
    let no_key = reject(&[Rule::KeyAcceptable]);
    let nobodys = reject(&[Rule::KeyBelongsToIssuer]);
    let point = |crv: &str, y: &[u8]| {
        let material = Material::Ec { crv: crv.to_owned(), x: x.clone(), y: y.to_vec() };
        changed(jwk(&KEY_A, Some("a1")), |jwk| jwk.material = material)
    };
    let mut off = y.clone();
    off[31] ^= 1;
    for bad in [point(crv, &off), point("P-384", y), point("P-256K", y)] {
        says(&listing(std::slice::from_ref(&bad), &[]), &honest(), &no_key);
        says(&listing(std::slice::from_ref(&bad), &[]), &honest().by(&STRANGER), &nobodys);
        // Beside a good listing it is passed over (RFC 7517 section 5).
        let both = listing(&[bad.clone(), jwk(&KEY_A, Some("a1"))], &[]);
        assert_eq!(expectation(&[(0, both)], &honest()).broken().len(), 0);
        // Listed for another issuer it is none of this one's.
        let elsewhere = with(|policy| {
            policy.issuers[0] = issuer(A, &[]);
            policy.issuers[1] = issuer(B, &[bad]);
        });
        says(&elsewhere, &honest(), &nobodys);
    }
    let spoiled = [
        stray(&KEY_A, &[("kty", json!("MEGOLM"))]),
        stray(&KEY_A, &[("kty", Value::Null)]),
        stray(&KEY_A, &[("kty", json!("RSA"))]),
        stray(&KEY_A, &[("y", Value::Null)]),
    ];
    for stray in &spoiled {
        says(&listing(&[], std::slice::from_ref(stray)), &honest(), &no_key);
        says(&listing(&[], std::slice::from_ref(stray)), &honest().by(&STRANGER), &nobodys);
        says(&listing(&[jwk(&KEY_A, Some("a1"))], std::slice::from_ref(stray)), &honest(), &Accept);
    }
    // Without its number nobody can tell whose it was, and another key's says nothing of this one.
    says(&listing(&[], &[stray(&KEY_A, &[("x", Value::Null)])]), &honest(), &nobodys);
    says(&listing(&[], &[stray(&KEY_B, &[("kty", json!("MEGOLM"))])]), &honest(), &nobodys);
    let other = encode_base64url(&off);
    says(&listing(&[], &[stray(&KEY_A, &[("kty", json!("MEGOLM")), ("x", json!(other))])]), &honest(), &nobodys);
    // A secret is no number that stands there in public.
    let secret = stray(&SECRET, &[("kty", json!("MEGOLM"))]);
    says(&listing(&[], &[secret]), &honest().hmac(&SECRET), &nobodys);
}

#[test]
fn in_a_converged_set_a_spoiled_key_is_the_issuers_whom_it_names() {
    let of = |owner: Value| {
        let stray = stray(&KEY_A, &[("kty", json!("MEGOLM")), ("issuer", owner)]);
        let mut policy = converged(&[issuer(A, &[]), issuer(B, &[])], &[]);
        policy.converged_jwks = Some(JwkSet { strays: vec![stray], ..JwkSet::default() });
        policy
    };
    assert_eq!(of(json!(A)).key_source, KeySource::Converged);
    says(&of(json!(A)), &honest(), &reject(&[Rule::KeyAcceptable]));
    for owner in [json!(B), json!(7), json!(""), Value::Null] {
        says(&of(owner), &honest(), &reject(&[Rule::KeyBelongsToIssuer]));
    }
}

#[test]
fn a_key_is_as_strong_as_its_algorithm_asks() {
    static OPEN: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::derive(DerivedKind::RsaExponentOne, 7, "open"));
    let listed = |jwk: Jwk| with(|policy| policy.issuers[0] = issuer(A, &[jwk]));
    let by_open = || {
        let mut made = honest().by(&OPEN).head("alg", text("RS256"));
        made.primitive = Primitive::RS256;
        made
    };
    says(&listed(jwk(&OPEN, Some("a1"))), &by_open(), &reject(&[Rule::KeyAcceptable]));
    let strong: Must = reject(&[Rule::KeyBelongsToIssuer]);
    says(&policy(), &by_open(), &strong);
    // RFC 7518 section 3.2: at least as long as what the hash puts out, to the octet.
    for (alg, least) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let primitive = Primitive::from_name(alg).expect("a registered name");
        for (length, must) in [(least, Accept), (least - 1, reject(&[Rule::KeyAcceptable]))] {
            let octets = (0..length).map(|index| u8::try_from(index).expect("few") ^ 0x5a).collect();
            let key = kept(octets);
            let mut made = honest().hmac(key).head("alg", text(alg));
            made.primitive = primitive;
            says(&with(|policy| policy.issuers[0] = shared(key)), &made, &must);
        }
    }
}
