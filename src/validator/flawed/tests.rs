//! The sound pipeline accepts what is honest, and each flaw changes one answer of it.

mod events;
mod made;

use super::{Flaw, Flawed, maker};
use crate::jose::{JwkSet, Material, Serialization, Token};
use crate::policy::{KeySource, TrustPolicy};
use crate::validator::{Configured, Validator, Verdict};
use events::{flip, includes};
use made::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What happens to a validator, in order.
enum Event {
    Configure(Box<TrustPolicy>),
    Present(Token),
}
use Event::Present;

fn configure(policy: TrustPolicy) -> Event {
    Event::Configure(Box::new(policy))
}

/// The last answer.
fn run(flaw: Option<Flaw>, events: &[Event]) -> Verdict {
    let mut validator = Flawed::new(flaw);
    let mut last = Verdict::Skip("nothing was presented".to_owned());
    for event in events {
        match event {
            Event::Configure(policy) => assert_eq!(validator.configure(policy), Ok(Configured::Ready)),
            Present(token) => last = validator.validate(token, NOW).unwrap(),
        }
    }
    last
}

#[track_caller]
fn assert_accepted(flaw: Option<Flaw>, events: &[Event]) {
    let verdict = run(flaw, events);
    assert!(verdict.accepted(), "{flaw:?}: {verdict:?}");
}

#[test]
fn honest_tokens_of_every_algorithm_are_accepted() {
    for (signer, algorithms) in every_signer() {
        let other = Signer::ed(signer.jwk.kid.as_deref().unwrap(), 9);
        let per_issuer = policy(vec![issuer(B, &[&other]), issuer(A, &[&signer]), issuer(TEMPLATE, &[&signer])]);
        let foreign = issuer(A, &[&other]);
        for alg in algorithms {
            let draft = Draft::of(A, &signer, alg);
            let thumbprint = signer.jwk.material.thumbprint();
            for draft in [draft.clone(), draft.clone().without("kid"), draft.clone().header("kid", json!("unknown"))] {
                let verdict = run(None, &[configure(per_issuer.clone()), Present(draft.sign(&signer))]);
                let Verdict::Accept { identity: Some(identity), key } = verdict else {
                    panic!("{alg}: {verdict:?}");
                };
                assert_eq!((identity.iss.as_deref(), identity.sub.as_deref()), (Some(A), Some("alice")));
                assert_eq!((identity.tenant, key), (None, Some(thumbprint.clone())));
            }
            let draft = Draft::of("https://t.example/t1/v2.0", &signer, alg).claim("tid", json!("t1"));
            let verdict = run(None, &[configure(per_issuer.clone()), Present(draft.sign(&signer))]);
            assert!(
                matches!(&verdict, Verdict::Accept { identity: Some(who), .. } if who.tenant.as_deref() == Some("t1"))
            );

            let honest = Draft::of(A, &signer, alg).sign(&signer);
            let mut octets = honest.as_bytes().to_vec();
            let place = octets.iter().position(|octet| *octet == b'.').unwrap() + 5;
            octets[place] ^= 1;
            let late = Draft::of(A, &signer, alg).claim("exp", json!(NOW.0)).sign(&signer);
            let theirs = policy(vec![foreign.clone(), issuer(B, &[&signer])]);
            for (policy, token) in
                [(per_issuer.clone(), Token::new(octets)), (per_issuer.clone(), late), (theirs, honest)]
            {
                assert!(!run(None, &[configure(policy), Present(token)]).accepted());
            }
        }
    }
}

#[test]
fn a_converged_key_signs_for_the_issuer_that_it_names() {
    let signer = Signer::ed("k", 1).with(|jwk| jwk.issuer = Some(TEMPLATE.to_owned()));
    let other = Signer::ed("k", 2).with(|jwk| jwk.issuer = Some(A.to_owned()));
    let nobody = Signer::ed("n", 3);
    let policy = converged(policy(vec![issuer(TEMPLATE, &[]), issuer(A, &[])]), &[&other, &nobody, &signer]);
    let draft = Draft::of("https://t.example/t1/v2.0", &signer, "EdDSA").claim("tid", json!("t1"));
    assert_accepted(None, &[configure(policy.clone()), Present(draft.sign(&signer))]);
    let honest = Draft::of(A, &other, "EdDSA").sign(&other);
    assert_accepted(None, &[configure(policy.clone()), Present(honest)]);
    let secret = Signer::secret("s", &SECRET);
    let mut with_secret = policy.clone();
    with_secret.issuers[1].secrets = Some(JwkSet::of(vec![secret.jwk.clone()]));
    assert_accepted(None, &[configure(with_secret), Present(Draft::of(A, &secret, "HS256").sign(&secret))]);
    for wrong in [&other, &nobody] {
        assert!(!run(None, &[configure(policy.clone()), Present(draft.sign(wrong))]).accepted());
    }
}

#[test]
fn what_it_cannot_judge_is_skipped() {
    let signer = Signer::ed("k", 1);
    let base = policy(vec![issuer(A, &[&signer])]);
    let skipped = [
        TrustPolicy { key_source: KeySource::Fetched, ..base.clone() },
        TrustPolicy { serializations: Some(vec![Serialization::Compact, Serialization::General]), ..base },
    ];
    for policy in skipped {
        assert!(matches!(Flawed::new(None).configure(&policy), Ok(Configured::Skip(_))));
    }
}

#[test]
fn members_of_the_wrong_kind_are_refused() {
    let signer = Signer::ed("k", 1);
    let policy = policy(vec![issuer(A, &[&signer])]);
    let honest = Draft::of(A, &signer, "EdDSA");
    assert_accepted(
        None,
        &[configure(policy.clone()), Present(honest.clone().header("typ", json!("application/AT+JWT")).sign(&signer))],
    );
    assert_accepted(
        None,
        &[configure(policy.clone()), Present(honest.clone().claim("aud", json!(["x", OURS])).sign(&signer))],
    );
    assert_accepted(
        None,
        &[configure(policy.clone()), Present(honest.clone().claim("exp", json!(NOW.0 as f64 + 0.5)).sign(&signer))],
    );
    let wrong = [
        honest.clone().claim("exp", Value::Null),
        honest.clone().claim("exp", json!([NOW.0 + 600])),
        honest.clone().claim("nbf", json!(true)),
        honest.clone().claim("iss", json!([A])),
        honest.clone().claim("sub", json!("")),
        honest.clone().claim("sub", json!(7)),
        honest.clone().claim("aud", json!({"0": OURS})),
        honest.clone().claim("aud", json!([])),
        honest.clone().claim("jti", json!(7)),
        honest.clone().claim("jti", json!("j")).claim("iat", json!("1800000000")),
        honest.clone().header("typ", json!("text/at+jwt")),
        honest.clone().header("kid", json!(7)),
        honest.clone().header("crit", json!([])),
        honest.clone().header("crit", json!(["ext"])).header("ext", json!(1)),
        honest.clone().header("b64", json!(false)),
    ];
    let mut strict = policy.clone();
    strict.required_claims = texts(&["iss", "sub", "aud", "exp", "jti", "iat"]);
    assert_accepted(None, &[configure(strict.clone()), Present(honest.clone().claim("jti", json!("j")).sign(&signer))]);
    for draft in wrong {
        let policy = if draft.claims.get("jti").is_some() { &strict } else { &policy };
        assert!(!run(None, &[configure(policy.clone()), Present(draft.sign(&signer))]).accepted(), "{}", draft.claims);
    }
}

#[test]
fn a_flaw_is_known_by_its_name() {
    let names: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
    assert_eq!(names.len(), Flaw::ALL.len());
    let mistakes: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.mistake()).collect();
    assert_eq!(mistakes.len(), Flaw::ALL.len());
    for flaw in Flaw::ALL {
        assert_eq!(Flaw::from_name(flaw.name()), Some(*flaw));
        assert!(flaw.name().bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-'));
        assert_eq!(maker(Some(*flaw))().describe().name, format!("flawed-{}", flaw.name()));
    }
    assert_eq!(maker(None)().describe().name, "sound");
}

#[test]
fn flawed_validators_accept_honest_tokens() {
    let (a, b) = (Signer::ed("k", 1), Signer::ed("k", 2));
    let tokens = || {
        let first = Draft::of(B, &b, "EdDSA").sign(&b);
        vec![
            configure(policy(vec![issuer(A, &[&a]), issuer(B, &[&b])])),
            Present(first),
            Present(Draft::of(A, &a, "EdDSA").sign(&a)),
        ]
    };
    // Two issuers' keys of one name are where one table for all goes wrong.
    let others = |flaw: &&Flaw| ![Flaw::RejectAll, Flaw::KidTableOfAllIssuers].contains(flaw);
    for flaw in Flaw::ALL.iter().filter(others) {
        assert_accepted(Some(*flaw), &tokens());
    }
}

#[test]
fn each_flaw_accepts_what_no_other_does() {
    for flaw in Flaw::ALL.iter().copied() {
        let Some(events) = flip(flaw) else { continue };
        assert!(!run(None, &events).accepted(), "sound on {}", flaw.name());
        assert_accepted(Some(flaw), &events);
        for other in Flaw::ALL.iter().copied().filter(|other| *other != flaw && !includes(*other, flaw)) {
            assert!(!run(Some(other), &events).accepted(), "{} on {}", other.name(), flaw.name());
        }
    }
}

#[test]
fn refusals_and_faults_are_where_they_should_be() {
    let a = Signer::ed("a", 1);
    let secret = Signer::secret("s", &SECRET);
    let policy = || configure(policy(vec![issuer(A, &[&a, &RSA, &secret])]));
    let honest = Draft::of(A, &a, "EdDSA");
    assert!(!run(Some(Flaw::RejectAll), &[policy(), Present(honest.sign(&a))]).accepted());
    assert!(!run(Some(Flaw::RefusesNoKid), &[policy(), Present(honest.clone().without("kid").sign(&a))]).accepted());
    assert!(!run(Some(Flaw::RefusesPs256), &[policy(), Present(Draft::of(A, &RSA, "PS256").sign(&RSA))]).accepted());

    let first = Signer::ed("1", 3);
    let numbered = || configure(self::policy(vec![issuer(A, &[&first, &a])]));
    let one = Draft::of(A, &first, "EdDSA").sign(&first);
    assert_accepted(None, &[numbered(), Present(one.clone())]);
    assert!(!run(Some(Flaw::KidAsIndex), &[numbered(), Present(one)]).accepted());
    for unknown in [honest.clone().header("x-hint", json!(1)), honest.clone().claim("x-hint", json!(1))] {
        let token = unknown.sign(&a);
        assert_accepted(None, &[policy(), Present(token.clone())]);
        assert!(!run(Some(Flaw::UnknownMembersRefused), &[policy(), Present(token)]).accepted());
    }

    let second = honest.clone().claim("sub", json!("bob")).sign(&a);
    let verdict = run(Some(Flaw::SwapsSubject), &[policy(), Present(honest.sign(&a)), Present(second)]);
    assert!(matches!(verdict, Verdict::Accept { identity: Some(who), .. } if who.sub.as_deref() == Some("alice")));

    let named = honest.clone().claim("preferred_username", json!("bob")).sign(&a);
    let verdict = run(Some(Flaw::SubjectFromUsername), &[policy(), Present(named)]);
    assert!(matches!(verdict, Verdict::Accept { identity: Some(who), .. } if who.sub.as_deref() == Some("bob")));

    let b = Signer::ed("b", 2);
    let both = || configure(self::policy(vec![issuer(A, &[&a]), issuer(B, &[&b])]));
    let namesake = Draft::of(B, &b, "EdDSA").sign(&b);
    let identity = |flaw| match run(flaw, &[both(), Present(honest.sign(&a)), Present(namesake.clone())]) {
        Verdict::Accept { identity: Some(who), .. } => (who.iss.unwrap(), who.sub.unwrap()),
        verdict => panic!("{verdict:?}"),
    };
    assert_eq!(identity(None), (B.to_owned(), "alice".to_owned()));
    assert_eq!(identity(Some(Flaw::IdentityBySubject)), (A.to_owned(), "alice".to_owned()));

    let mut unread = self::policy(vec![issuer(A, &[&a])]);
    unread.issuers[0].jwks.as_mut().unwrap().strays.push(json!({"kty": "MEGOLM"}));
    assert_accepted(None, &[configure(unread.clone()), Present(honest.sign(&a))]);
    assert!(!run(Some(Flaw::OneBadKeyDropsAll), &[configure(unread), Present(honest.sign(&a))]).accepted());

    let endless = TrustPolicy { leeway: Some(u64::MAX), ..self::policy(vec![issuer(A, &[&a])]) };
    assert!(
        run(None, &[configure(endless.clone()), Present(honest.clone().claim("exp", json!(1)).sign(&a))]).accepted()
    );
    assert!(
        !run(Some(Flaw::LeewayWraps), &[configure(endless), Present(honest.clone().claim("exp", json!(1)).sign(&a))])
            .accepted()
    );

    let unknown = honest.clone().claim("iss", json!("https://evil.example")).sign(&a);
    let panicked =
        std::panic::catch_unwind(|| run(Some(Flaw::PanicsOnUnknownIssuer), &[policy(), Present(unknown.clone())]));
    assert!(panicked.is_err());

    let told = run(Some(Flaw::PrintsSecret), &[policy(), Present(unknown)]);
    assert!(matches!(told, Verdict::Reject(text) if text.contains(&"03".repeat(SECRET.len()))));
}

#[test]
fn the_pem_text_is_what_others_write() {
    use rsa::pkcs8::{EncodePublicKey as _, LineEnding};
    let Material::Rsa { n, e } = &RSA.jwk.material else { unreachable!() };
    let key = rsa::RsaPublicKey::new(rsa::BigUint::from_bytes_be(n), rsa::BigUint::from_bytes_be(e)).unwrap();
    assert_eq!(super::Key::new(RSA.jwk.clone()).spki_pem(), key.to_public_key_pem(LineEnding::LF).ok());
    for signer in [Signer::ec("ec"), Signer::ed("ed", 1)] {
        assert!(super::Key::new(signer.jwk).spki_pem().unwrap().ends_with("-----END PUBLIC KEY-----\n"));
    }
}

#[test]
fn the_openssh_line_is_what_others_write() {
    // RFC 8037 appendix A.2 as RFC 8709 section 4 writes it.
    let x = crate::jose::decode_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
    let line = |material| super::Key::new(crate::jose::Jwk::new(material)).openssh_line();
    assert_eq!(
        line(Material::Okp { crv: "Ed25519".to_owned(), x }).unwrap(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
    );
    assert!(line(RSA.jwk.material.clone()).unwrap().starts_with("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ"));
    let curve = line(Signer::ec("ec").jwk.material).unwrap();
    assert!(curve.starts_with("ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBB"), "{curve}");
    assert_eq!(line(Material::Oct { k: SECRET.to_vec() }), None);
}
