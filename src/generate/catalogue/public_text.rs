//! HMAC keyed with what everybody knows: the text of a public key in each form in which applications keep it, nothing at
//! all, or what people take for a secret.

use super::Class;
use crate::generate::acts::{sign_public_text, sign_secret};
use crate::generate::playable::has_layout;
use crate::generate::site::{Site, Trust, is_rsa, is_secret};
use crate::jose::{Layout, Material};
use crate::rule::Rule;
use crate::scenario::{Kid, PublicForm, Scenario};
use crate::world::Key;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "AL-06",
        title: "HMAC keyed with the issuer's RSA public key as PEM, DER or an OpenSSH line, by each of the three hashes.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; CVE-2015-9235; CVE-2016-5431; CVE-2017-11424; CVE-2024-33663",
        build: |site| over_text(site, &FILES, is_rsa),
    },
    Class {
        id: "AL-07",
        title: "HMAC keyed with the JWK or JWK Set as last sent, or with something that stands in them.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; RFC 7517 sections 4 and 5",
        build: |site| over_text(site, &MEMBERS, is_rsa),
    },
    Class {
        id: "AL-08",
        title: "HMAC keyed with the issuer's elliptic-curve or Edwards-curve public key, in every form that it has.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; RFC 5480; RFC 8410; CVE-2022-29217; CVE-2024-33663",
        build: |site| over_text(site, Layout::ALL, |key| !is_rsa(key)),
    },
    Class {
        id: "AL-18",
        title: "HMAC keyed with nothing or a blank, under the `kid` of a key, under one that nobody has, and under none.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7518 section 3.2; CVE-2026-45363",
        build: |site| site.claimable().flat_map(empty_secret).collect(),
    },
    Class {
        id: "AL-19",
        title: "HMAC keyed with a secret that stands in a manual: who configured it has none.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.5; RFC 7518 section 3.2",
        build: |site| site.claimable().take(1).flat_map(from_a_manual).collect(),
    },
    Class {
        id: OTHER_TEXTS,
        title: "HMAC keyed with the issuer's certificate, with the text of a key other than the one that `kid` names, or with \
                what the validator says it holds.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; CVE-2022-29217; CVE-2024-33663",
        build: |site| site.claimable().flat_map(other_texts).collect(),
    },
];

/// The class of texts that no layout of the claimed issuer's keys gives.
pub(in crate::generate) const OTHER_TEXTS: &str = "AL-25";

/// What stands in the files in which keys are kept.
const FILES: [Layout; 14] = [
    Layout::SpkiPem,
    Layout::SpkiPemTrimmed,
    Layout::SpkiPemCrlf,
    Layout::SpkiPemLeadingNewline,
    Layout::SpkiPemComment,
    Layout::SpkiPemOneLine,
    Layout::SpkiBase64,
    Layout::Pkcs1Pem,
    Layout::Pkcs1PemTrimmed,
    Layout::Pkcs1PemCrlf,
    Layout::Pkcs1PemLeadingNewline,
    Layout::Openssh,
    Layout::OpensshNewline,
    Layout::Der,
];

/// What stands in a JWK Set, and what it is called by.
const MEMBERS: [Layout; 12] = [
    Layout::Jwk,
    Layout::Jwks,
    Layout::JwksAlone,
    Layout::Pkcs1Der,
    Layout::Modulus,
    Layout::ModulusText,
    Layout::Exponent,
    Layout::X5c,
    Layout::Kty,
    Layout::Alg,
    Layout::Kid,
    Layout::Path,
];

/// The algorithms of RFC 7518 section 3.2.
const HASHES: [&str; 3] = ["HS256", "HS384", "HS512"];

/// Strings that manuals and examples use as secrets, one of them long enough to look like one.
const WELL_KNOWN: [&str; 10] = [
    "secret",
    "password",
    "changeme",
    "key",
    "test",
    "jwt_secret",
    "your-256-bit-secret",
    "my_super_secret_key",
    "a-string-secret-at-least-256-bits-long",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
];

/// For the first issuer with a key of each wanted kind every text that the key has: at a world's first party by each hash,
/// elsewhere by one hash after the other. For further issuers the plainest has to do.
fn over_text(site: Site<'_>, layouts: &[Layout], wanted: fn(&Key) -> bool) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let mut tried: Vec<&str> = Vec::new();
    let everything = site.world.parties.first().is_some_and(|party| party.alias == site.party.alias);
    for trust in site.claimable() {
        for key in trust.claimed_keys().into_iter().filter(|key| wanted(key) && !is_secret(key)) {
            let kind = curve(key);
            if tried.contains(&kind) {
                let plainest = layouts.iter().take(1).filter(|&&layout| has_layout(key, layout));
                scenarios.extend(plainest.map(|&layout| trust.token(vec![sign_public_text(key, layout, None)])));
                continue;
            }
            tried.push(kind);
            let there = layouts.iter().filter(|&&layout| has_layout(key, layout) && layout != Layout::Empty);
            for (index, &layout) in there.enumerate() {
                let hashes = if everything { &HASHES[..] } else { &HASHES[index % 3..=index % 3] };
                let by = |alg: &&str| sign_public_text(key, layout, Some(*alg).filter(|alg| *alg != HASHES[0]));
                scenarios.extend(hashes.iter().map(|alg| trust.token(vec![by(alg)])));
            }
        }
    }
    scenarios
}

fn curve(key: &Key) -> &str {
    match &key.jwk.material {
        Material::Ec { crv, .. } | Material::Okp { crv, .. } => crv,
        other => other.kty(),
    }
}

/// A lookup that finds no key must not hand out an empty one.
fn empty_secret(trust: Trust<'_>) -> Vec<Scenario> {
    let Some(key) = trust.claimed_keys().into_iter().find(|key| !is_secret(key)) else { return Vec::new() };
    let kids = || [Kid::Own, Kid::Text("nobody".to_owned()), Kid::None];
    let nothing = kids().map(|kid| vec![sign_secret(key, PublicForm::Layout(Layout::Empty), None, kid)]);
    let blank = kids().map(|kid| vec![sign_secret(key, PublicForm::Text(" ".to_owned()), None, kid)]);
    trust.tokens(nothing.into_iter().chain(blank))
}

fn from_a_manual(trust: Trust<'_>) -> Vec<Scenario> {
    let Some(key) = trust.claimed_keys().into_iter().next() else { return Vec::new() };
    let by = |text: &str| vec![sign_secret(key, PublicForm::Text(text.to_owned()), None, Kid::Own)];
    trust.tokens(WELL_KNOWN.map(by))
}

/// Texts that a validator says it holds as keys: each under every `kid` of whom a token may claim as its issuer, and once by the
/// longer hashes and without a `kid`.
pub(super) fn held_texts(site: Site<'_>, texts: &[String]) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.claimable() {
        let keys = trust.claimed_keys().into_iter().filter(|key| !is_secret(key));
        for (index, key) in keys.enumerate() {
            for text in texts {
                let by = |alg: Option<&str>, kid| vec![sign_secret(key, PublicForm::Text(text.clone()), alg, kid)];
                let mut lists = vec![by(None, Kid::Own)];
                if index == 0 {
                    lists.extend(HASHES[1..].iter().map(|alg| by(Some(alg), Kid::Own)));
                    lists.push(by(None, Kid::None));
                }
                scenarios.extend(trust.tokens(lists));
            }
        }
    }
    scenarios
}

fn other_texts(trust: Trust<'_>) -> Vec<Scenario> {
    let own: Vec<_> = trust.claimed_keys().into_iter().filter(|key| !is_secret(key)).collect();
    let mut lists = Vec::new();
    for key in &own {
        let certificate = [Layout::CertificatePem, Layout::CertificateDer];
        for &layout in certificate.iter().filter(|&&layout| has_layout(key, layout)) {
            lists.extend(HASHES.map(|alg| vec![sign_public_text(key, layout, Some(alg))]));
        }
    }
    let Some(named) = own.first() else { return Vec::new() };
    let kid = || Kid::Of(named.alias.clone());
    let others =
        trust.site.world.keys.iter().filter(|key| key.published && !is_secret(key) && key.alias != named.alias);
    for other in others.take(2) {
        let texts = [Layout::SpkiPem, Layout::Openssh, Layout::Jwk];
        let texts = texts.into_iter().filter(|&layout| has_layout(other, layout));
        lists.extend(texts.map(|layout| vec![sign_secret(other, PublicForm::Layout(layout), None, kid())]));
    }
    trust.tokens(lists)
}
