//! Algorithm: the token says how it wants to be verified, and must not be believed.

use super::Class;
use crate::generate::acts::{drop_header, json, mangle, set_header, sign_now, sign_public_text, strip};
use crate::generate::site::{Site, Trust, is_rsa, is_secret};
use crate::jose::{Family, Hash, Layout, Primitive};
use crate::rule::Rule;
use crate::scenario::{Act, Kid, Mangle, PublicText, Scenario, SignWith, Value};
use crate::world::Key;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "AL-01",
        title: "The token is unsigned and says so: `alg` is `none`, in every mix of upper and lower case.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 8725 sections 2.1 and 3.2; RFC 7518 section 3.6; CVE-2021-22160",
        build: |site| unsigned(site, &["none", "None", "NONE", "nOnE"]),
    },
    Class {
        id: "AL-02",
        title: "`alg` is `none` and a signature stands there all the same: the original one, one over `none`, or zeros.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7518 section 3.6 (`none` goes with an empty signature); RFC 8725 section 3.2",
        build: |site| {
            let none = || set_header("alg", Value::text("none"));
            tokens(site, &[vec![sign_now(), none()], vec![none()], vec![sign_now(), none(), mangle(Mangle::Zero)]])
        },
    },
    Class {
        id: "AL-03",
        title: "The token is unsigned and `alg` is almost `none`: with spaces, a NUL, or a letter of another script.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 8725 sections 2.1 and 3.2; RFC 7515 section 4.1.1 (names are case-sensitive text)",
        build: |site| unsigned(site, &[" none", "none ", "none\u{0}", "n\u{43e}ne"]),
    },
    Class {
        id: "AL-04",
        title: "`alg` is missing, empty or no text at all, under a signature or without one.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 4.1.1 (`alg` must be there); RFC 8725 section 3.1",
        build: no_algorithm,
    },
    Class {
        id: "AL-06",
        title: "HMAC keyed with the text of the issuer's RSA public key, in each layout that applications keep it in.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; CVE-2015-9235; CVE-2016-5431; CVE-2017-11424",
        build: |site| public_text_as_secret(site, &Layout::ALL, is_rsa),
    },
    Class {
        id: "AL-08",
        title: "HMAC keyed with the text of the issuer's elliptic-curve or Edwards-curve public key.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 2.1; CVE-2022-29217",
        build: |site| {
            let layouts = [Layout::SpkiPem, Layout::Openssh, Layout::Der, Layout::Jwk, Layout::Jwks, Layout::Modulus];
            public_text_as_secret(site, &layouts, |key| !is_rsa(key))
        },
    },
    Class {
        id: "AL-09",
        title: "The issuer's own RSA key signs by the other of PKCS #1 v1.5 and PSS, which the party does not allow.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 8725 section 3.1; RFC 7518 sections 3.3 and 3.5",
        build: |site| {
            other_algorithms(site, |_| true, |key| key.signs.first().into_iter().filter_map(other_padding).collect())
        },
    },
    Class {
        id: "AL-13",
        title: "The party allows `alg`, and the key's JWK names another: the key is not listed for it.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 7517 section 4.4; RFC 8725 section 3.1",
        build: not_the_jwks_own,
    },
    Class {
        id: "AL-14",
        title: "The key's JWK names no algorithm, and the token picks one that the party does not allow.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 8725 section 3.1",
        build: |site| {
            let named = |names: &[&str]| names.iter().filter_map(|name| Primitive::from_name(name)).collect();
            other_algorithms(site, |key| key.jwk.alg.is_none(), move |_| named(&["RS512"]))
        },
    },
    Class {
        id: "AL-18",
        title: "HMAC keyed with nothing, under the `kid` of a key, under one that nobody has, and under none.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7518 section 3.2; CVE-2026-45363",
        build: |site| site.claimable().flat_map(empty_secret).collect(),
    },
];

fn tokens(site: Site<'_>, lists: &[Vec<Act>]) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(lists.to_vec())).collect()
}

fn unsigned(site: Site<'_>, names: &[&str]) -> Vec<Scenario> {
    let acts = names.iter().map(|name| vec![set_header("alg", Value::text(*name)), strip()]);
    site.claimable().take(1).flat_map(|trust| trust.tokens(acts.clone())).collect()
}

fn no_algorithm(site: Site<'_>) -> Vec<Scenario> {
    let values =
        [Value::text(""), Value::null(), Value::integer(256), Value::List(vec![Value::text("none")]), json("{}")];
    let mut lists = vec![vec![drop_header("alg")], vec![drop_header("alg"), strip()]];
    lists.extend(values.into_iter().map(|value| vec![set_header("alg", value)]));
    site.first().flat_map(|trust| trust.tokens(lists.clone())).collect()
}

/// The text of the issuer's first key in service as an HS256 secret, and the plainest as one for the longer hashes; for
/// further issuers with such keys the plainest has to do.
fn public_text_as_secret(site: Site<'_>, layouts: &[Layout], wanted: fn(&Key) -> bool) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.claimable() {
        let key = trust.claimed_keys().into_iter().find(|key| wanted(key) && !is_secret(key));
        let Some(key) = key else { continue };
        let layouts = if scenarios.is_empty() { layouts } else { &[Layout::SpkiPem] };
        if scenarios.is_empty() {
            let longer = ["HS384", "HS512"].map(|alg| sign_public_text(key, Layout::SpkiPem, Some(alg)));
            scenarios.extend(longer.map(|act| trust.token(vec![act])));
        }
        scenarios.extend(layouts.iter().map(|&layout| trust.token(vec![sign_public_text(key, layout, None)])));
    }
    scenarios
}

/// A lookup that finds no key must not hand out an empty one.
fn empty_secret(trust: Trust<'_>) -> Vec<Scenario> {
    let Some(key) = trust.claimed_keys().into_iter().find(|key| !is_secret(key)) else { return Vec::new() };
    let secret = PublicText { of: key.alias.clone(), layout: Layout::Empty };
    let by = |kid| Act::SignWith(SignWith { key: None, secret: Some(secret.clone()), alg: None, kid });
    trust.tokens([Kid::Own, Kid::Text("nobody".to_owned()), Kid::None].map(|kid| vec![by(kid)]))
}

fn other_padding(alg: &Primitive) -> Option<Primitive> {
    Primitive::from_name(match (alg.family(), alg.hash()) {
        (Family::RsaPkcs1, Hash::Sha256) => "PS256",
        (Family::RsaPkcs1, Hash::Sha384) => "PS384",
        (Family::RsaPkcs1, Hash::Sha512) => "PS512",
        (Family::RsaPss, Hash::Sha256) => "RS256",
        (Family::RsaPss, Hash::Sha384) => "RS384",
        (Family::RsaPss, Hash::Sha512) => "RS512",
        _ => return None,
    })
}

/// Honest keys sign by algorithms that fit them and that the party does not allow.
fn other_algorithms(
    site: Site<'_>,
    wanted: fn(&Key) -> bool,
    algorithms: impl Fn(&Key) -> Vec<Primitive>,
) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        for key in trust.honest_keys().into_iter().filter(|key| wanted(key)) {
            let unlawful = |alg: &Primitive| key.jwk.material.fits(*alg) && !trust.allows(*alg);
            for alg in algorithms(key).into_iter().filter(unlawful) {
                scenarios.push(by_algorithm(trust, key, alg));
            }
        }
    }
    scenarios
}

/// The issuer's own key signs by this algorithm.
fn by_algorithm(trust: Trust<'_>, key: &Key, alg: Primitive) -> Scenario {
    let first = trust.honest_keys().first().is_some_and(|first| first.alias == key.alias);
    let named = (!first).then(|| key.alias.clone());
    let act = SignWith { key: named, secret: None, alg: Some(alg.name().to_owned()), kid: Kid::Own };
    trust.token(vec![Act::SignWith(act)])
}

fn not_the_jwks_own(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        for key in trust.listed_keys() {
            let Some(own) = &key.jwk.alg else { continue };
            let others = key.signs.iter().filter(|alg| alg.name() != own && trust.allows(**alg));
            scenarios.extend(others.map(|&alg| by_algorithm(trust, key, alg)));
        }
    }
    scenarios
}
