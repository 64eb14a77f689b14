//! The sound pipeline accepts what is honest, and each flaw changes one answer of it.

mod made;

use super::{Flaw, Flawed, maker};
use crate::jose::{JwkSet, Material, Serialization, Token, encode_base64url};
use crate::policy::{KeySource, Replay, TrustPolicy, TrustedIssuer};
use crate::validator::{Configured, Validator, Verdict};
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
    for flaw in Flaw::ALL.iter().filter(|flaw| **flaw != Flaw::RejectAll) {
        assert_accepted(Some(*flaw), &tokens());
    }
}

/// Events after which the sound validator rejects the last token and the flawed one accepts it; `None` for flaws that
/// have a test of their own.
fn flip(flaw: Flaw) -> Option<Vec<Event>> {
    let (a, b) = (Signer::ed("a", 1), Signer::ed("b", 2));
    let both = policy(vec![issuer(A, &[&a]), issuer(B, &[&b])]);
    let honest = Draft::of(A, &a, "EdDSA");
    let only = |policy: TrustPolicy, token: Token| Some(vec![configure(policy), Present(token)]);
    let draft = |draft: Draft| only(both.clone(), draft.sign(&a));
    let with_key = |key: Signer, alg: &str| only(policy(vec![issuer(A, &[&key])]), Draft::of(A, &key, alg).sign(&key));
    let with_issuer = |change: &dyn Fn(&mut TrustedIssuer), draft: &Draft| {
        let mut issuer = issuer(A, &[&a]);
        change(&mut issuer);
        only(policy(vec![issuer]), draft.sign(&a))
    };
    let with_tenant = |tenants: Option<Vec<String>>, segment: &str, tid: &str| {
        let issuer = TrustedIssuer { tenants, ..issuer(TEMPLATE, &[&a]) };
        let name = format!("https://t.example/{segment}/v2.0");
        only(policy(vec![issuer]), Draft::of(&name, &a, "EdDSA").claim("tid", json!(tid)).sign(&a))
    };
    let owned = |name: &str| {
        let name = Some(name.to_owned());
        (Signer::ed("a", 1).with(|jwk| jwk.issuer.clone_from(&name)), Signer::ed("b", 2).with(|jwk| jwk.issuer = None))
    };
    match flaw {
        Flaw::AcceptAll => only(both, Token::new("?")),
        Flaw::SignatureOnlyOverMergedKeys => only(both.clone(), Draft::of(A, &b, "EdDSA").sign(&b)),
        Flaw::IssuerByPrefix => draft(honest.claim("iss", json!("https://a.example.evil.example"))),
        Flaw::IssuerBySubstring => draft(honest.claim("iss", json!("https://evil.example/?https://a.example"))),
        Flaw::IssuerSlashIgnored => draft(honest.claim("iss", json!("https://a.example/"))),
        Flaw::IssuerCaseFolded => draft(honest.claim("iss", json!("HTTPS://A.example"))),
        Flaw::IssuerPercentDecoded => draft(honest.claim("iss", json!("https://%61.example"))),
        Flaw::IssuerUrlNormalised => draft(honest.claim("iss", json!("https://a.example:443"))),
        Flaw::IssuerTrimmed => draft(honest.claim("iss", json!(" https://a.example"))),
        Flaw::IssuerUntilNul => draft(honest.claim("iss", json!("https://a.example\0"))),
        Flaw::IssuerByLine => draft(honest.claim("iss", json!("https://evil.example\nhttps://a.example"))),
        Flaw::IssuerAsPattern => draft(honest.claim("iss", json!("https://a-example"))),
        Flaw::IssuerTemplateTrusted => with_tenant(None, "{tenantid}", "t1"),
        Flaw::IssuerFromHeader => draft(honest.header("iss", json!(A)).claim("iss", json!("https://evil.example"))),
        Flaw::IssuerByKey => draft(honest.claim("iss", json!("https://evil.example"))),
        Flaw::IssuerArray => draft(honest.claim("iss", json!(["https://evil.example", A]))),
        Flaw::MissingIssuerAllowed => draft(honest.without("iss")),
        Flaw::KeyIssuerCheckPassesWithoutIssuer => {
            let (a, b) = owned(A);
            only(converged(both, &[&a, &b]), Draft::of(A, &b, "EdDSA").sign(&b))
        }
        Flaw::ConvergedByKid => {
            let (a, _) = owned(A);
            only(converged(both, &[&a]), Draft::of(B, &a, "EdDSA").sign(&a))
        }
        Flaw::KidCacheAcrossIssuers => {
            let other = Draft::of(B, &a, "EdDSA").sign(&a);
            Some(vec![configure(both), Present(honest.sign(&a)), Present(other)])
        }
        Flaw::AcceptsNone => {
            only(both.clone(), Token::new(format!("{}.", honest.header("alg", json!("nOnE")).input())))
        }
        Flaw::HmacOverPublicPem => {
            let mut policy = policy(vec![issuer(A, &[&RSA])]);
            policy.algorithms = texts(&["RS256"]);
            let pem = super::Key::new(RSA.jwk.clone()).spki_pem().unwrap();
            only(policy, Draft::of(A, &RSA, "HS256").sign(&Signer::secret("rsa", pem.as_bytes())))
        }
        Flaw::AlgorithmFromHeader => {
            let mut policy = policy(vec![issuer(A, &[&RSA])]);
            policy.algorithms = texts(&["RS256"]);
            only(policy, Draft::of(A, &RSA, "RS512").sign(&RSA))
        }
        Flaw::JwkAlgIgnored => {
            let mut issuer = issuer(A, &[&RSA]);
            issuer.jwks.as_mut().unwrap().keys[0].alg = Some("RS256".to_owned());
            only(policy(vec![issuer]), Draft::of(A, &RSA, "PS256").sign(&RSA))
        }
        Flaw::EmbeddedJwkTrusted => {
            let evil = Signer::ed("evil", 9);
            let jwk = serde_json::to_value(&evil.jwk).unwrap();
            only(both.clone(), honest.header("jwk", jwk).sign(&evil))
        }
        Flaw::LookupByKidEmptySecret => {
            let policy = policy(vec![issuer(A, &[&Signer::secret("s", &SECRET)])]);
            let empty = Signer::secret("unknown", &[]);
            only(policy, Draft::of(A, &empty, "HS256").sign(&empty))
        }
        Flaw::UseEncAccepted => with_key(a.with(|jwk| jwk.key_use = Some("enc".to_owned())), "EdDSA"),
        Flaw::KeyOpsIgnored => with_key(a.with(|jwk| jwk.key_ops = texts(&["encrypt"])), "EdDSA"),
        Flaw::ShortKeysAccepted => with_key(Signer::short_rsa("short"), "RS256"),
        Flaw::RefreshAppends => {
            let rotated = policy(vec![issuer(A, &[&Signer::ed("a2", 3)])]);
            Some(vec![configure(both), configure(rotated), Present(honest.sign(&a))])
        }
        Flaw::DisabledIssuerTrusted => {
            let fewer = policy(vec![issuer(B, &[&b])]);
            Some(vec![configure(both), configure(fewer), Present(honest.sign(&a))])
        }
        Flaw::LifetimeIgnored => with_key(a.with(|jwk| jwk.exp = Some(NOW)), "EdDSA"),
        Flaw::CloudIgnored => with_key(a.with(|jwk| jwk.cloud_instance_name = Some("other".to_owned())), "EdDSA"),
        Flaw::SubjectIgnored => with_issuer(&|issuer| issuer.subjects = texts(&["robot"]), &honest),
        Flaw::SignerIgnored => with_issuer(&|issuer| issuer.signer = Some("s".to_owned()), &honest),
        Flaw::TenantAllowListIgnored => with_tenant(texts(&["t1"]), "t2", "t2"),
        Flaw::TenantCaseFolded => with_tenant(texts(&["t1"]), "t1", "T1"),
        Flaw::TenantMismatchIgnored => with_tenant(texts(&["t1"]), "t2", "t1"),
        Flaw::AudienceIgnored => draft(honest.claim("aud", json!("https://other.example"))),
        Flaw::AudienceOptional => draft(honest.without("aud")),
        Flaw::AudienceByPrefix => draft(honest.claim("aud", json!("https://mail.example.evil.example"))),
        Flaw::AudienceSplit => draft(honest.claim("aud", json!("https://other.example https://mail.example"))),
        Flaw::AudienceWildcard => draft(honest.claim("aud", json!("*"))),
        Flaw::RequiredClaimsIgnored => draft(honest.without("exp")),
        Flaw::ExpiredByAMinute => draft(honest.claim("exp", json!(NOW.0 - 59))),
        Flaw::ExpiryIgnored => draft(honest.claim("exp", json!(1))),
        Flaw::ExpiryInclusive => draft(honest.claim("exp", json!(NOW.0))),
        Flaw::ReplayAccepted => {
            let once = TrustPolicy { replay: Some(Replay::Refuse), ..both.clone() };
            let token = honest.claim("jti", json!("t1")).sign(&a);
            Some(vec![configure(once), Present(token.clone()), Present(token)])
        }
        Flaw::NotBeforeIgnored => draft(honest.claim("nbf", json!(NOW.0 + 1))),
        Flaw::NumericStringExp => draft(honest.claim("exp", json!("1"))),
        Flaw::OnlyWholeDatesRead => draft(honest.claim("exp", json!(1.5))),
        Flaw::DatesIn32Bits => draft(honest.claim("nbf", json!(1_i64 << 32))),
        Flaw::MillisecondsGuessed => draft(honest.claim("nbf", json!((NOW.0 - 100_000_000) * 1000))),
        Flaw::TypeIgnored => draft(honest.header("typ", json!("JWT"))),
        Flaw::CritIgnored => draft(honest.header("crit", json!(["ext"])).header("ext", json!(1))),
        Flaw::FlattenedAccepted => {
            let token = honest.sign(&a);
            let parts: Vec<_> = token.as_str().unwrap().split('.').collect();
            let json = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]});
            only(both.clone(), Token::new(json.to_string()))
        }
        Flaw::FirstMemberWins => {
            let header = encode_base64url(honest.header.to_string().as_bytes());
            let twice = honest.claims.to_string().replacen('}', r#","iss":"https://evil.example"}"#, 1);
            let input = format!("{header}.{}", encode_base64url(twice.as_bytes()));
            only(both.clone(), sign_text(&input, &a, "EdDSA"))
        }
        Flaw::MemberNamesFolded => draft(honest.without("iss").claim("ISS", json!(A))),
        Flaw::LaxBase64 => only(both.clone(), Token::new(format!("{}==", honest.sign(&a).as_str().unwrap()))),
        Flaw::ReserialisedInput => {
            let signed = honest.sign(&a);
            let signature = signed.as_str().unwrap().rsplit('.').next().unwrap();
            let spaced = serde_json::to_string_pretty(&honest.claims).unwrap().replace("alice", "\\u0061lice");
            let header = encode_base64url(honest.header.to_string().as_bytes());
            only(both.clone(), Token::new(format!("{header}.{}.{signature}", encode_base64url(spaced.as_bytes()))))
        }
        Flaw::SignatureNotVerified => only(both.clone(), Token::new(format!("{}.AAAA", honest.input()))),
        Flaw::UnsignedIfEmpty => only(both.clone(), Token::new(format!("{}.", honest.input()))),
        Flaw::RejectAll
        | Flaw::LeewayWraps
        | Flaw::RefusesNoKid
        | Flaw::RefusesPs256
        | Flaw::SubjectFromUsername
        | Flaw::SwapsSubject
        | Flaw::PanicsOnUnknownIssuer
        | Flaw::HangsOnExpired
        | Flaw::PrintsSecret => None,
    }
}

/// Whether the first mistake includes the second, or gives no answer that could be compared.
fn includes(greater: Flaw, flaw: Flaw) -> bool {
    match greater {
        Flaw::AcceptAll | Flaw::SignatureNotVerified | Flaw::HangsOnExpired | Flaw::PanicsOnUnknownIssuer => true,
        Flaw::AlgorithmFromHeader => flaw == Flaw::JwkAlgIgnored,
        Flaw::AudienceIgnored => {
            matches!(flaw, Flaw::AudienceByPrefix | Flaw::AudienceSplit | Flaw::AudienceWildcard)
        }
        Flaw::ConvergedByKid => flaw == Flaw::KeyIssuerCheckPassesWithoutIssuer,
        Flaw::ExpiredByAMinute => flaw == Flaw::ExpiryInclusive,
        Flaw::ExpiryIgnored => {
            matches!(flaw, Flaw::ExpiredByAMinute | Flaw::ExpiryInclusive | Flaw::NumericStringExp)
                || flaw == Flaw::OnlyWholeDatesRead
        }
        Flaw::IssuerByPrefix => {
            matches!(flaw, Flaw::IssuerSlashIgnored | Flaw::IssuerUrlNormalised | Flaw::IssuerUntilNul)
        }
        // Whatever the name, the key has an issuer.
        Flaw::IssuerByKey => {
            flaw.name().starts_with("issuer-") || matches!(flaw, Flaw::DisabledIssuerTrusted | Flaw::FirstMemberWins)
        }
        Flaw::IssuerBySubstring => {
            matches!(flaw, Flaw::IssuerByPrefix | Flaw::IssuerTrimmed | Flaw::IssuerByLine)
                || includes(Flaw::IssuerByPrefix, flaw)
        }
        Flaw::IssuerUrlNormalised => flaw == Flaw::IssuerSlashIgnored,
        Flaw::MissingIssuerAllowed => flaw == Flaw::MemberNamesFolded,
        Flaw::NotBeforeIgnored => matches!(flaw, Flaw::DatesIn32Bits | Flaw::MillisecondsGuessed),
        Flaw::SignatureOnlyOverMergedKeys => {
            matches!(flaw, Flaw::ConvergedByKid | Flaw::KeyIssuerCheckPassesWithoutIssuer | Flaw::KidCacheAcrossIssuers)
        }
        _ => false,
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

    let second = honest.clone().claim("sub", json!("bob")).sign(&a);
    let verdict = run(Some(Flaw::SwapsSubject), &[policy(), Present(honest.sign(&a)), Present(second)]);
    assert!(matches!(verdict, Verdict::Accept { identity: Some(who), .. } if who.sub.as_deref() == Some("alice")));

    let named = honest.clone().claim("preferred_username", json!("bob")).sign(&a);
    let verdict = run(Some(Flaw::SubjectFromUsername), &[policy(), Present(named)]);
    assert!(matches!(verdict, Verdict::Accept { identity: Some(who), .. } if who.sub.as_deref() == Some("bob")));

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
