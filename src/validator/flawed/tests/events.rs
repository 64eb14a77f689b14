//! For each flaw the events that show it, and which flaws another one includes.

use super::made::*;
use super::{Event, Event::Present, configure};
use crate::jose::{Token, encode_base64url};
use crate::policy::{Replay, TrustPolicy, TrustedIssuer};
use crate::validator::flawed::{Flaw, key::Key};
use serde_json::json;

/// Events after which the sound validator rejects the last token and the flawed one accepts it; `None` for flaws that
/// have a test of their own.
pub(super) fn flip(flaw: Flaw) -> Option<Vec<Event>> {
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
        Flaw::SignatureOnlyOverMergedKeys => only(both.clone(), Draft::of(A, &b, "EdDSA").without("kid").sign(&b)),
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
        Flaw::IssuerIgnored => draft(honest.claim("iss", json!(7))),
        Flaw::OwnNameTrusted => draft(honest.claim("iss", json!(OURS))),
        Flaw::SelfIssuedTrusted => {
            let evil = Signer::ed("evil", 9);
            let sub = json!(evil.jwk.material.thumbprint());
            let own = honest.claim("iss", json!("https://self-issued.me")).claim("sub", sub);
            only(both.clone(), own.claim("sub_jwk", serde_json::to_value(&evil.jwk).unwrap()).sign(&evil))
        }
        Flaw::PrototypeNames => {
            let empty = Signer::secret("a", &[]);
            only(both.clone(), Draft::of("__proto__", &empty, "HS256").sign(&empty))
        }
        Flaw::IssuerArray => draft(honest.claim("iss", json!(["https://evil.example", A]))),
        Flaw::MissingIssuerAllowed => draft(honest.without("iss")),
        Flaw::EmptyIssuerMatchesMissing => only(policy(vec![issuer("", &[&a])]), honest.without("iss").sign(&a)),
        Flaw::KeyIssuerCheckPassesWithoutIssuer => {
            let (a, b) = owned(A);
            only(converged(both, &[&a, &b]), Draft::of(A, &b, "EdDSA").sign(&b))
        }
        Flaw::BlankKeyIssuerPasses => {
            let (a, b) = owned(A);
            let blank = b.with(|jwk| jwk.issuer = Some(" ".to_owned()));
            only(converged(both, &[&a, &blank]), Draft::of(A, &blank, "EdDSA").sign(&blank))
        }
        Flaw::KeyIssuerByKid => only(both.clone(), Draft::of(A, &b, "EdDSA").sign(&b)),
        Flaw::KeysByIssuerPrefix => {
            let longer = "https://a.example-labs";
            let siblings = policy(vec![issuer(A, &[&a]), issuer(longer, &[&b])]);
            only(siblings, Draft::of(longer, &a, "EdDSA").without("kid").sign(&a))
        }
        Flaw::ConvergedByKid => {
            let (a, b) = owned(A);
            let b = b.with(|jwk| jwk.issuer = Some(B.to_owned()));
            only(converged(both, &[&a, &b]), Draft::of(B, &a, "EdDSA").sign(&a))
        }
        Flaw::KidCacheAcrossIssuers => {
            let other = Draft::of(B, &a, "EdDSA").sign(&a);
            Some(vec![configure(both), Present(honest.sign(&a)), Present(other)])
        }
        // By the rules of the claimed issuer: those of the key's own would refuse it.
        Flaw::KidTableOfAllIssuers => {
            let narrow = TrustedIssuer { subjects: texts(&["robot"]), ..issuer(B, &[&b]) };
            only(policy(vec![issuer(A, &[&a]), narrow]), Draft::of(A, &b, "EdDSA").sign(&b))
        }
        Flaw::AcceptsNone => {
            only(both.clone(), Token::new(format!("{}.", honest.header("alg", json!("nOnE")).input())))
        }
        Flaw::HmacOverPublicPem => {
            let mut policy = policy(vec![issuer(A, &[&RSA])]);
            policy.algorithms = texts(&["RS256"]);
            let pem = Key::new(RSA.jwk.clone()).spki_pem().unwrap();
            only(policy, Draft::of(A, &RSA, "HS256").sign(&Signer::secret("rsa", pem.as_bytes())))
        }
        Flaw::HmacOverJwkText => {
            let text = serde_json::to_string(&a.jwk).unwrap();
            only(both.clone(), Draft::of(A, &a, "HS384").sign(&Signer::secret("a", text.as_bytes())))
        }
        Flaw::HmacOverOpensshLine => {
            let line = Key::new(a.jwk.clone()).openssh_line().unwrap();
            only(both.clone(), Draft::of(A, &a, "HS512").sign(&Signer::secret("a", line.as_bytes())))
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
        Flaw::AlgorithmsPooled => {
            let mut policy = policy(vec![issuer(A, &[&RSA]), issuer(B, &[&b])]);
            policy.issuers[0].algorithms = texts(&["RS256"]);
            policy.issuers[1].algorithms = texts(&["EdDSA", "RS512"]);
            only(policy, Draft::of(A, &RSA, "RS512").sign(&RSA))
        }
        Flaw::EmptyAlgorithmsPermitAll => with_issuer(&|issuer| issuer.algorithms = Some(Vec::new()), &honest),
        // Beyond its curve ES256K computes what ES256 does (RFC 8812 section 3.2).
        Flaw::CurveNotCompared => with_key(Signer::ec("ec"), "ES256K"),
        Flaw::ConfirmationKeyTrusted => {
            let holder = Signer::ed("holder", 9);
            let named = honest.claim("cnf", json!({ "jwk": &holder.jwk }));
            only(both.clone(), named.sign(&holder))
        }
        Flaw::EmptySetLetsPass => only(policy(vec![issuer(A, &[])]), honest.sign(&a)),
        Flaw::EmbeddedJwkTrusted => {
            let evil = Signer::ed("evil", 9);
            let jwk = serde_json::to_value(&evil.jwk).unwrap();
            only(both.clone(), honest.header("jwk", jwk).sign(&evil))
        }
        Flaw::EmbeddedCertificateTrusted => {
            let (evil, certificate) = Signer::certified("evil");
            let policy = policy(vec![issuer(A, &[&RSA])]);
            let carrying = Draft::of(A, &RSA, "RS256").header("x5c", json!([certificate]));
            only(policy, carrying.sign(&evil))
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
        Flaw::AudiencesPooled => {
            let other = "https://desk.example";
            let mut policy = TrustPolicy { audiences: texts(&[OURS, other]), ..both.clone() };
            policy.issuers[0].audiences = texts(&[OURS]);
            policy.issuers[1].audiences = texts(&[other]);
            only(policy, honest.claim("aud", json!(other)).sign(&a))
        }
        Flaw::EmptyAudienceMeansAny => {
            only(TrustPolicy { audiences: Some(Vec::new()), ..both.clone() }, honest.sign(&a))
        }
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
        | Flaw::KidAsIndex
        | Flaw::IdentityBySubject
        | Flaw::OneBadKeyDropsAll
        | Flaw::LeewayWraps
        | Flaw::RefusesNoKid
        | Flaw::RefusesPs256
        | Flaw::SubjectFromUsername
        | Flaw::SwapsSubject
        | Flaw::UnknownMembersRefused
        | Flaw::PanicsOnUnknownIssuer
        | Flaw::HangsOnExpired
        | Flaw::PrintsSecret => None,
    }
}

/// Whether the first mistake includes the second, or gives no answer that could be compared.
pub(super) fn includes(greater: Flaw, flaw: Flaw) -> bool {
    match greater {
        Flaw::AcceptAll | Flaw::SignatureNotVerified | Flaw::HangsOnExpired | Flaw::PanicsOnUnknownIssuer => true,
        Flaw::AlgorithmFromHeader => {
            matches!(flaw, Flaw::JwkAlgIgnored | Flaw::AlgorithmsPooled | Flaw::EmptyAlgorithmsPermitAll)
        }
        Flaw::AudienceIgnored => {
            matches!(flaw, Flaw::AudienceByPrefix | Flaw::AudienceSplit | Flaw::AudienceWildcard)
                || matches!(flaw, Flaw::AudiencesPooled | Flaw::EmptyAudienceMeansAny)
        }
        Flaw::ConvergedByKid => matches!(flaw, Flaw::KeyIssuerCheckPassesWithoutIssuer | Flaw::BlankKeyIssuerPasses),
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
            flaw.name().starts_with("issuer-")
                || matches!(flaw, Flaw::DisabledIssuerTrusted | Flaw::FirstMemberWins | Flaw::OwnNameTrusted)
        }
        Flaw::IssuerIgnored => {
            includes(Flaw::IssuerByKey, flaw)
                || includes(Flaw::KeyIssuerByKid, flaw)
                || matches!(flaw, Flaw::KeyIssuerByKid | Flaw::KeysByIssuerPrefix | Flaw::SignatureOnlyOverMergedKeys)
        }
        // Whatever tenant the name says, the key is the one of all of them.
        Flaw::KeyIssuerByKid => {
            matches!(flaw, Flaw::ConvergedByKid | Flaw::KidCacheAcrossIssuers | Flaw::TenantMismatchIgnored)
        }
        Flaw::IssuerBySubstring => {
            matches!(flaw, Flaw::IssuerByPrefix | Flaw::IssuerTrimmed | Flaw::IssuerByLine)
                || includes(Flaw::IssuerByPrefix, flaw)
        }
        Flaw::IssuerUrlNormalised => flaw == Flaw::IssuerSlashIgnored,
        Flaw::MissingIssuerAllowed => matches!(flaw, Flaw::MemberNamesFolded | Flaw::EmptyIssuerMatchesMissing),
        Flaw::NotBeforeIgnored => matches!(flaw, Flaw::DatesIn32Bits | Flaw::MillisecondsGuessed),
        Flaw::KidTableOfAllIssuers => {
            matches!(flaw, Flaw::ConvergedByKid | Flaw::KeyIssuerCheckPassesWithoutIssuer | Flaw::KidCacheAcrossIssuers)
                || matches!(flaw, Flaw::BlankKeyIssuerPasses | Flaw::KeyIssuerByKid)
        }
        Flaw::SignatureOnlyOverMergedKeys => {
            matches!(flaw, Flaw::KidTableOfAllIssuers | Flaw::KeysByIssuerPrefix)
                || includes(Flaw::KidTableOfAllIssuers, flaw)
        }
        _ => false,
    }
}
