//! Algorithm: the token says how it wants to be verified, and must not be believed.

use super::Class;
use crate::generate::acts::{drop_header, json, mangle, set_header, sign_now, splice, strip};
use crate::generate::site::{Site, Trust, is_secret, permits_signing};
use crate::jose::{Family, Hash, Material, Primitive};
use crate::rule::Rule;
use crate::scenario::{
    Act, Donor, Duplicate, Honest, Kid, Mangle, Place, PolicyAct, Scenario, Segment, SignWith, Step, Value,
};
use crate::world::Key;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "AL-01",
        title: "The token is unsigned and says so: `alg` is `none`, in every mix of upper and lower case, also where `kid` finds no key.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 8725 sections 2.1 and 3.2; RFC 7518 section 3.6; CVE-2021-22160; CVE-2022-23540",
        build: |site| {
            let mut lists = unsigned(&["none", "None", "NONE", "nOnE", "noNE"]);
            // Where the look-up finds nothing, there is no key that asks for a signature.
            for kid in [set_header("kid", Value::text("nobody")), drop_header("kid")] {
                lists.push(vec![kid, set_header("alg", Value::text("none")), strip()]);
            }
            of_the_first(site, &lists)
        },
    },
    Class {
        id: "AL-02",
        title: "`alg` is `none` and a signature stands there all the same: the original one, one over `none`, another token's, or zeros.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7518 section 3.6 (`none` goes with an empty signature); RFC 8725 section 3.2",
        build: |site| {
            let none = || set_header("alg", Value::text("none"));
            let of_another =
                |trust: Trust<'_>| splice(Segment::Signature, Donor { honest: trust.honest(), acts: Vec::new() });
            let fixed = [vec![sign_now(), none()], vec![none()], vec![sign_now(), none(), mangle(Mangle::Zero)]];
            let others = site.first().flat_map(|trust| trust.tokens([vec![sign_now(), none(), of_another(trust)]]));
            tokens(site, &fixed).into_iter().chain(others).collect()
        },
    },
    Class {
        id: "AL-03",
        title: "The token is unsigned and `alg` is almost `none`: with spaces, a NUL, or a letter of another script.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 8725 sections 2.1 and 3.2; RFC 7515 section 4.1.1 (names are case-sensitive text)",
        build: |site| {
            let almost = [" none", "none ", "none\t", "none\n", "none\u{0}", "n\u{43e}ne", "\u{ff4e}one"];
            let signed = almost.map(|name| vec![set_header("alg", Value::text(name))]);
            of_the_first(site, &unsigned(&almost)).into_iter().chain(tokens(site, &signed)).collect()
        },
    },
    Class {
        id: "AL-04",
        title: "`alg` is missing, empty or no text at all, under a signature or without one.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 4.1.1 (`alg` must be there); RFC 8725 section 3.1",
        build: no_algorithm,
    },
    Class {
        id: "AL-05",
        title: "`alg` is the right name in other letters, or with white space or a NUL at an end, over an honest signature.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 4.1.1 (`alg` is a case-sensitive string); RFC 8725 section 3.1",
        build: |site| by_honest_keys(site, respelled),
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
        id: "AL-10",
        title: "`alg` is one that the issuer may use, and its own key signed by another hash or padding of RSA, or another hash of HMAC.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 5.2; RFC 7518 sections 3.2, 3.3 and 3.5; RFC 8725 section 3.1",
        build: |site| by_honest_keys(site, computed_otherwise),
    },
    Class {
        id: "AL-11",
        title: "The issuer's own key signs by the algorithm of another curve than the key is on.",
        aims: Some(Rule::KeyAcceptable),
        source: "RFC 7518 section 3.4; RFC 8812 section 3.2; RFC 8725 section 3.5",
        build: |site| by_honest_keys(site, on_the_wrong_curve),
    },
    Class {
        id: "AL-12",
        title: "A key listed for key agreement (X25519) signs by EdDSA: as an Ed25519 key its octets would verify.",
        aims: Some(Rule::KeyAcceptable),
        source: "RFC 8037 sections 2 and 3.1; RFC 8725 section 3.1",
        build: |site| site.trusts().flat_map(agreement_key).collect(),
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
        source: "RFC 8725 section 3.1; RFC 7517 section 4.4 (`alg` is optional); CVE-2026-22818",
        build: |site| {
            let any = |key: &Key| Primitive::ALL.into_iter().filter(|alg| key.jwk.material.fits(*alg)).collect();
            other_algorithms(site, |key| key.jwk.alg.is_none(), any)
        },
    },
    Class {
        id: "AL-15",
        title: "The issuer's own key signs by the same kind of algorithm with another hash, which the party does not allow.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 8725 sections 3.1 and 3.2",
        build: |site| other_algorithms(site, |_| true, |key| key.signs.first().map(other_hashes).unwrap_or_default()),
    },
    Class {
        id: "AL-16",
        title: "`alg` is a name that nobody has registered for this, or not yet: what is not known must not count as verified.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 sections 4.1.1 and 5.2; RFC 8725 section 3.1; CVE-2026-23993",
        build: |site| unknown(site, &UNKNOWN),
    },
    Class {
        id: "AL-17",
        title: "`alg` is one for encryption, in a token of three parts.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 9; RFC 7516 section 9; RFC 7518 section 4.1",
        build: |site| unknown(site, &ENCRYPTION),
    },
    Class {
        id: "AL-20",
        title: "`alg` stands twice, and by the last one, which may be meant, the signature is none.",
        aims: Some(Rule::SignatureMatches),
        source: "RFC 7515 section 4 (refuse duplicates, or take the last); RFC 8725 section 2.4",
        build: |site| {
            let twice = |at| Act::DuplicateHeader(Duplicate { name: "alg".to_owned(), value: Value::text("none"), at });
            tokens(
                site,
                &[
                    vec![twice(Place::Last)],
                    vec![twice(Place::Last), strip()],
                    vec![twice(Place::First), strip()],
                    vec![sign_now(), twice(Place::Last), strip()],
                ],
            )
        },
    },
    Class {
        id: "AL-22",
        title: "`kid` names a key pair of the issuer's and the signature is by somebody else's secret; or it names a secret, and a key pair signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 sections 2.1 and 3.1; RFC 7515 section 4.1.4 (`kid` is a hint); RFC 7517 section 4.1",
        build: |site| site.claimable().flat_map(other_kind).collect(),
    },
    Class {
        id: "AL-23",
        title: "`alg` is the fully specified name (`Ed25519`) where the policy has the polymorphic one (`EdDSA`), or the other way round.",
        aims: None,
        source: "RFC 9864 section 2.2 (two names of one algorithm; the newer one need not be known)",
        build: |site| site.trusts().flat_map(two_names).collect(),
    },
    Class {
        id: "AL-24",
        title: "The list of an issuer's algorithms becomes empty: that means none, and not any.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 8725 section 3.1 (only the supported set may be used)",
        build: |site| site.trusts().map(nothing_allowed).collect(),
    },
];

fn tokens(site: Site<'_>, lists: &[Vec<Act>]) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(lists.to_vec())).collect()
}

fn unsigned(names: &[&str]) -> Vec<Vec<Act>> {
    names.iter().map(|name| vec![set_header("alg", Value::text(*name)), strip()]).collect()
}

/// These tokens, all in the name of the first issuer that can be claimed.
fn of_the_first(site: Site<'_>, lists: &[Vec<Act>]) -> Vec<Scenario> {
    site.claimable().take(1).flat_map(|trust| trust.tokens(lists.to_vec())).collect()
}

fn no_algorithm(site: Site<'_>) -> Vec<Scenario> {
    let values =
        [Value::text(""), Value::null(), Value::integer(256), Value::List(vec![Value::text("none")]), json("{}")];
    let mut lists = vec![vec![drop_header("alg")], vec![drop_header("alg"), strip()]];
    lists.extend(values.into_iter().map(|value| vec![set_header("alg", value)]));
    site.first().flat_map(|trust| trust.tokens(lists.clone())).collect()
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

/// Names that are not registered for a JWS, or that no validator here has.
const UNKNOWN: [&str; 9] = [
    "RS1",
    "HS1",
    "HS1024",
    "RS255",
    "ES512K",
    "Ed448",
    "ML-DSA-65",
    "unknown",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
];

/// Names of RFC 7518 section 4.1.
const ENCRYPTION: [&str; 7] = ["dir", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A128KW", "ECDH-ES", "PBES2-HS256+A128KW"];

/// Over an honest signature, over none, and with the `enc` that a JWE has.
fn unknown(site: Site<'_>, names: &[&str]) -> Vec<Scenario> {
    let mut lists = Vec::new();
    for name in names {
        let named = || set_header("alg", Value::text(*name));
        lists.push(vec![named()]);
        lists.push(vec![named(), strip()]);
    }
    if names.contains(&"dir") {
        lists.push(vec![set_header("alg", Value::text("dir")), set_header("enc", Value::text("A128GCM")), strip()]);
    }
    tokens(site, &lists)
}

/// An honest token and what is done to it.
type Token = (Honest, Vec<Act>);

/// What the first honest key for each algorithm gives: an honest token by it, and acts on that.
fn by_honest_keys(site: Site<'_>, of: fn(Trust<'_>, &Key, Primitive) -> Vec<Token>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let mut tried = Vec::new();
    for trust in site.trusts() {
        for key in trust.honest_keys() {
            for alg in trust.algorithms_of(key) {
                // One key for each algorithm shows it.
                if tried.contains(&alg) {
                    continue;
                }
                tried.push(alg);
                scenarios.extend(of(trust, key, alg).into_iter().map(|(honest, acts)| site.single(honest, acts)));
            }
        }
    }
    scenarios
}

/// An honest token by this key that is signed by this algorithm and names another.
fn misnamed(trust: Trust<'_>, key: &Key, by: Primitive, name: &str) -> Token {
    let honest = Honest { alg: Some(by.name().to_owned()), ..trust.honest_by(key) };
    (honest, vec![set_header("alg", Value::text(name))])
}

fn respelled(trust: Trust<'_>, key: &Key, alg: Primitive) -> Vec<Token> {
    let name = alg.name();
    let mixed: String =
        name.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let mut names = vec![name.to_lowercase(), name.to_uppercase(), mixed];
    names.extend([format!(" {name}"), format!("{name} "), format!("{name}\n"), format!("{name}\u{0}")]);
    names.retain(|other| other != name);
    names.dedup();
    names.into_iter().map(|other| misnamed(trust, key, alg, &other)).collect()
}

/// Named as is in order, and computed by something else that the key can do.
fn computed_otherwise(trust: Trust<'_>, key: &Key, alg: Primitive) -> Vec<Token> {
    if matches!(alg.family(), Family::Ecdsa | Family::EdDsa) {
        return Vec::new();
    }
    let others = Primitive::ALL.into_iter().filter(|other| *other != alg && key.jwk.material.fits(*other));
    others.map(|other| misnamed(trust, key, other, alg.name())).collect()
}

fn on_the_wrong_curve(trust: Trust<'_>, key: &Key, alg: Primitive) -> Vec<Token> {
    if alg.family() != Family::Ecdsa {
        return Vec::new();
    }
    let others = Primitive::ALL.into_iter().filter(|other| other.family() == Family::Ecdsa && *other != alg);
    let by = |other: Primitive| Act::SignWith(SignWith { alg: Some(other.name().to_owned()), ..SignWith::default() });
    others.map(|other| (trust.honest_by(key), vec![by(other)])).collect()
}

fn agreement_key(trust: Trust<'_>) -> Vec<Scenario> {
    let agreement = |key: &&Key| matches!(&key.jwk.material, Material::Okp { crv, .. } if crv == "X25519");
    let keys = trust.listed_keys().into_iter().filter(agreement);
    keys.flat_map(|key| trust.tokens([Kid::Own, Kid::Keep, Kid::None].map(|kid| vec![trust.sign_with(key, kid)])))
        .collect()
}

fn other_hashes(alg: &Primitive) -> Vec<Primitive> {
    let same_kind = |other: &Primitive| other.family() == alg.family() && other.hash() != alg.hash();
    Primitive::ALL.into_iter().filter(|other| other.crv().is_none() && same_kind(other)).collect()
}

/// Somebody else's key of the other kind, under the `kid` of this issuer's own.
fn other_kind(trust: Trust<'_>) -> Vec<Scenario> {
    let own = trust.claimed_keys();
    let foreign = |secret: bool| {
        let keys = trust.site.world.keys.iter().filter(move |key| is_secret(key) == secret && key.private.is_some());
        let keys = keys.filter(|key| key.owner.as_ref() != Some(&trust.issuer.alias) && !trust.lists(key));
        keys.filter(|key| permits_signing(&key.jwk) && key.jwk.material.bits().is_none_or(|bits| bits >= 256))
    };
    let mut lists = Vec::new();
    for secret in [true, false] {
        let Some(named) = own.iter().find(|key| is_secret(key) != secret) else { continue };
        let mut keys: Vec<_> = foreign(secret).collect();
        // One of each owner shows it.
        keys.dedup_by(|a, b| a.owner == b.owner);
        lists.extend(keys.into_iter().map(|key| vec![trust.sign_with(key, Kid::Of(named.alias.clone()))]));
    }
    trust.tokens(lists)
}

fn two_names(trust: Trust<'_>) -> Vec<Scenario> {
    let keys = trust.honest_keys();
    let Some(key) = keys.iter().find(|key| key.signs.contains(&Primitive::EDDSA)) else { return Vec::new() };
    let honest = Honest { key: Some(key.alias.clone()), ..trust.honest() };
    let fully = || vec![set_header("alg", Value::text("Ed25519"))];
    let shown = |acts| trust.site.present(honest.clone(), acts);
    let told = || Step::UpdatePolicy {
        party: trust.site.party.alias.clone(),
        acts: vec![PolicyAct::SetAlgorithms {
            issuer: trust.issuer.alias.clone(),
            algorithms: vec!["Ed25519".to_owned()],
        }],
    };
    let steps = [vec![shown(fully())], vec![told(), shown(Vec::new())], vec![told(), shown(fully())]];
    steps.into_iter().map(|steps| trust.site.steps(steps)).collect()
}

fn nothing_allowed(trust: Trust<'_>) -> Scenario {
    let act = PolicyAct::SetAlgorithms { issuer: trust.issuer.alias.clone(), algorithms: Vec::new() };
    let party = trust.site.party.alias.clone();
    trust.site.steps(vec![
        trust.present(Vec::new()),
        Step::UpdatePolicy { party, acts: vec![act] },
        trust.present(Vec::new()),
    ])
}
