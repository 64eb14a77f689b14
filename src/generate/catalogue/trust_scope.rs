//! Key scope where more than one thing names a key or an issuer: shared names, shared keys, per-issuer terms, and issuers
//! that look like somebody's.

use super::configuration::key_of_nobody;
use super::{Class, identity, key_scope};
use crate::generate::acts::{set_claim, set_header, sign_public_text};
use crate::generate::site::{Site, Trust, is_secret, permits_signing};
use crate::jose::{Jwk, Layout, Primitive};
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::scenario::{Act, Honest, Kid, Scenario, SignWith, Value};
use crate::world::{Issuer, Key};
use std::collections::BTreeMap;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "KS-13",
        title: "The key's `issuer` is a template, and the tenant in `iss` and the claim `tid` put two customers into it.",
        aims: Some(Rule::TenantAdmitted),
        source: "RFC 8725 section 3.8; policy (an `issuer` template in each JWK of a converged set)",
        build: two_tenants_in_the_keys_template,
    },
    Class {
        id: "KS-15",
        title: "The `issuer` of a JWK in a converged set is missing, blank, another's or no text, and its key signs for a trusted \
                issuer.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; policy (`issuer` in each JWK of a converged set)",
        build: |site| [unreadable_owner(site), key_of_nobody(site)].concat(),
    },
    Class {
        id: "KS-17",
        title: "Two keys of a converged set share a `kid`; after an honest token by the one the other signs for its issuer.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 4.5",
        build: shared_name_in_one_set,
    },
    Class {
        id: "KS-18",
        title: "One key is listed for two issuers, and the one that the relying party does not trust signs for itself.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2025-46647; RFC 8725 section 3.8",
        build: untrusted_owner_of_a_known_key,
    },
    Class {
        id: "KS-19",
        title: "One key signs for all customers of an issuer, and a token for another customer comes here.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "ALBeast (2024); RFC 7519 section 4.1.3; RFC 8725 section 3.9",
        build: another_customers_token,
    },
    Class {
        id: "KS-21",
        title: "An issuer signs for one of our names that only another issuer may use.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7519 section 4.1.3; RFC 8725 sections 3.8 and 3.9; policy (audiences of an issuer)",
        build: audience_of_another_issuer,
    },
    Class {
        id: "KS-22",
        title: "An issuer's own key signs with an algorithm that only another issuer is allowed.",
        aims: Some(Rule::AlgorithmAllowed),
        source: "RFC 8725 section 3.1; policy (algorithms of an issuer)",
        build: algorithm_of_another_issuer,
    },
    Class {
        id: "KS-28",
        title: "The issuer's own key signs, and its `use` and `key_ops` contradict each other or list nothing that is known.",
        aims: Some(Rule::KeyUsePermits),
        source: "RFC 7517 section 4.3",
        build: |site| key_scope::own_keys(site, |_, key| contradicts_itself(&key.jwk)),
    },
    Class {
        id: "KS-29",
        title: "The holder's key, which `cnf` names, signs the token itself.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7800 section 3.2; RFC 8725 section 3.8; RFC 7515 section 10.3",
        build: holders_key,
    },
    Class {
        id: "KS-30",
        title: "A key that is the right issuer's and is not for its tokens signs: a client key, a successor, another party's \
                secret.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 sections 3.8 and 3.12",
        build: key_for_something_else,
    },
    Class {
        id: "KS-31",
        title: "Of two issuers on one host the name of the first is the beginning of the second's, and each signs for the other.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7519 section 2 (compared as it stands)",
        build: siblings,
    },
    Class {
        id: "KS-34",
        title: "Two issuers were given one secret: a code of the one is one of the other's too, and must be taken for it or refused.",
        aims: None,
        source: "RFC 7515 section 10.5",
        build: shared_secret,
    },
    Class {
        id: "KS-35",
        title: "An issuer with the same path on another host, as a test system has it, signs for the one of this host.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; OWASP (keys of a test system in production)",
        build: test_system,
    },
    Class {
        id: "KS-36",
        title: "Somebody is their own issuer, with the key in `sub_jwk`, where nobody has enabled that.",
        aims: Some(Rule::IssuerTrusted),
        source: "OpenID Connect Core 1.0 section 7; RFC 8725 section 3.8",
        build: self_issued,
    },
    Class {
        id: "KS-37",
        title: "`iss` is the relying party's own name, by a trusted issuer's key and by nobody's.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 8725 section 3.8; RFC 9068 section 4",
        build: own_name,
    },
    Class {
        id: "KS-39",
        title: "`kid` is a name that every object of some languages has, such as `__proto__`.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.4; RFC 8725 section 3.10",
        build: names_of_every_object,
    },
    Class {
        id: "KS-40",
        title: "Two issuers, or two tenants of one, each sign honestly for a subject of the same name: these are two people.",
        aims: None,
        source: "RFC 7519 section 4.1.2; RFC 8725 section 3.8",
        build: one_name_two_people,
    },
];

fn two_tenants_in_the_keys_template(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source == KeySource::Converged { identity::two_tenants_of_each(site) } else { Vec::new() }
}

fn unreadable_owner(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let in_set = |key: &&Key| key.owner.as_ref().is_some_and(|owner| site.world.converged.contains(owner));
    let unreadable = |key: &&Key| key.published && key.issuer_member.is_some() && key.private.is_some();
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        let keys = site.world.keys.iter().filter(in_set).filter(unreadable);
        let keys = keys.filter(|key| claimed.can_use(key) && !claimed.lists(key));
        scenarios.extend(keys.map(|key| claimed.token(vec![claimed.sign_with(key, Kid::Own)])));
    }
    scenarios
}

fn shared_name_in_one_set(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        for own in claimed.honest_keys() {
            let others = claimed.others().flat_map(|signer| claimed.foreign_keys(signer.issuer));
            let alike = others.filter(|key| key.jwk.kid == own.jwk.kid && claimed.can_use(key));
            scenarios.extend(alike.map(|key| {
                let honest = site.present(claimed.honest_by(own), Vec::new());
                site.steps(vec![honest, claimed.present(vec![claimed.sign_with(key, Kid::Own)])])
            }));
        }
    }
    scenarios
}

fn untrusted_owner_of_a_known_key(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for stranger in site.strangers() {
        let keys = site.world.keys_of(&stranger.alias).filter(|key| key.private.is_some());
        for key in keys.filter(|key| site.trusts().any(|trust| trust.lists(key))) {
            let honest = Honest { key: Some(key.alias.clone()), ..honest_of(stranger) };
            scenarios.push(site.single(honest, site.completion(stranger)));
        }
    }
    scenarios
}

fn honest_of(issuer: &Issuer) -> Honest {
    Honest { issuer: issuer.alias.clone(), ..Honest::default() }
}

fn another_customers_token(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        for other in site.world.parties.iter().filter(|other| other.alias != site.party.alias) {
            let Some(terms) = other.issuers.iter().find(|terms| terms.alias == trust.issuer.alias) else { continue };
            let for_other = other.audience_for(Some(terms));
            if site.party.audiences.is_empty() || for_other.is_none_or(|name| names(trust, name)) {
                continue;
            }
            let addressed = match terms.audiences {
                None => Value::Audience(other.alias.clone()),
                Some(_) => Value::AudienceOf { party: other.alias.clone(), issuer: trust.issuer.alias.clone() },
            };
            let mut acts = vec![set_claim("aud", addressed)];
            scenarios.push(trust.token(acts.clone()));
            if terms.signer.is_some() && trust.terms.signer.is_some() {
                acts.push(set_header("signer", Value::Signer(other.alias.clone())));
                scenarios.push(trust.token(acts));
            }
        }
    }
    scenarios
}

/// Whether the party has this name for this issuer.
fn names(trust: Trust<'_>, name: &str) -> bool {
    trust.terms.audiences.as_ref().unwrap_or(&trust.site.party.audiences).iter().any(|own| own == name)
}

fn audience_of_another_issuer(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts().filter(|trust| trust.terms.audiences.is_some()) {
        let party = || site.party.alias.clone();
        let others = trust
            .others()
            .filter(|other| site.party.audience_for(Some(other.terms)).is_some_and(|name| !names(trust, name)));
        for other in others {
            let theirs = || Value::AudienceOf { party: party(), issuer: other.issuer.alias.clone() };
            scenarios
                .extend(trust.tokens([theirs(), Value::List(vec![theirs()])].map(|aud| vec![set_claim("aud", aud)])));
        }
    }
    scenarios
}

fn algorithm_of_another_issuer(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        for key in claimed.listed_keys().into_iter().filter(|key| permits_signing(&key.jwk)) {
            let listed_for = |alg: &Primitive| key.jwk.alg.as_deref().is_none_or(|name| name == alg.name());
            let elsewhere = |alg: &Primitive| !claimed.allows(*alg) && claimed.others().any(|other| other.allows(*alg));
            let algs = key.signs.iter().filter(|alg| listed_for(alg) && elsewhere(alg));
            scenarios.extend(algs.map(|alg| {
                let alg = Some(alg.name().to_owned());
                let sign = SignWith { key: Some(key.alias.clone()), secret: None, alg, kid: Kid::Own };
                claimed.token(vec![Act::SignWith(sign)])
            }));
        }
    }
    scenarios
}

/// Whether `key_ops` does not permit verifying together with `use`, names an operation twice, or none that is known.
pub(super) fn contradicts_itself(jwk: &Jwk) -> bool {
    const KNOWN: [&str; 8] =
        ["sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"];
    let Some(operations) = &jwk.key_ops else { return false };
    let twice = operations.iter().enumerate().any(|(index, one)| operations[..index].contains(one));
    let unknown = operations.iter().all(|one| !KNOWN.contains(&one.as_str()));
    !permits_signing(jwk) && (jwk.key_use.is_some() || twice || unknown)
}

fn holders_key(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (index, claimed) in site.claimable().enumerate() {
        for key in site.attacker_keys().filter(|key| claimed.can_use(key) && !is_secret(key)) {
            let confirmation = set_claim("cnf", member("jwk", Value::Jwk(key.alias.clone())));
            let forged = vec![confirmation.clone(), claimed.sign_with(key, Kid::Own)];
            scenarios.push(claimed.token(forged.clone()));
            // An honest token has named the holder before.
            if index == 0 && !claimed.honest_keys().is_empty() {
                scenarios.push(site.steps(vec![claimed.present(vec![confirmation]), claimed.present(forged)]));
            }
        }
    }
    scenarios
}

fn member(name: &str, value: Value) -> Value {
    Value::Object(BTreeMap::from([(name.to_owned(), value)]))
}

fn key_for_something_else(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        let unlisted = |key: &&Key| !key.published && key.private.is_some() && !claimed.lists(key);
        let keys = site.world.keys_of(&claimed.issuer.alias).filter(unlisted).filter(|key| claimed.can_use(key));
        for key in keys {
            scenarios.extend([Kid::Own, Kid::Keep].map(|kid| claimed.token(vec![claimed.sign_with(key, kid)])));
        }
    }
    scenarios
}

fn siblings(site: Site<'_>) -> Vec<Scenario> {
    signed_by_issuers(site, |claimed, other| {
        other.name != claimed.name && (other.name.starts_with(&claimed.name) || claimed.name.starts_with(&other.name))
    })
}

fn test_system(site: Site<'_>) -> Vec<Scenario> {
    let trusted = |other: &Issuer| site.party.issuers.iter().any(|terms| terms.alias == other.alias);
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        let path = path_of(&claimed.issuer.name);
        let copies = site.world.issuers.iter().filter(|other| {
            path.is_some() && path_of(&other.name) == path && other.name != claimed.issuer.name && !trusted(other)
        });
        scenarios.extend(copies.flat_map(|other| by_issuer(claimed, other)));
    }
    scenarios
}

/// What stands behind the host of a name, where there is anything.
fn path_of(name: &str) -> Option<&str> {
    let (_, rest) = name.split_once("://")?;
    rest.find('/').map(|at| &rest[at..])
}

fn signed_by_issuers(site: Site<'_>, wanted: fn(&Issuer, &Issuer) -> bool) -> Vec<Scenario> {
    let by_each = |claimed: Trust<'_>| -> Vec<Scenario> {
        let others = site.world.issuers.iter().filter(|other| wanted(claimed.issuer, other));
        others.flat_map(|other| by_issuer(claimed, other)).collect()
    };
    site.claimable().flat_map(by_each).collect()
}

/// The first clean key of another issuer signs for this one, under its own `kid`, the issuer's and none.
fn by_issuer(claimed: Trust<'_>, other: &Issuer) -> Vec<Scenario> {
    let keys = claimed.foreign_keys(other).into_iter().filter(|key| claimed.can_use(key)).take(1);
    let by_key = |key| [Kid::Own, Kid::Keep, Kid::None].map(|kid| claimed.token(vec![claimed.sign_with(key, kid)]));
    keys.flat_map(by_key).collect()
}

fn shared_secret(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        let theirs = claimed.others().flat_map(Trust::listed_keys).filter(|key| is_secret(key));
        let shared = theirs.filter(|key| claimed.lists(key) && claimed.can_use(key));
        scenarios.extend(shared.map(|key| claimed.token(vec![claimed.sign_with(key, Kid::Own)])));
    }
    scenarios
}

fn self_issued(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.first() {
        for key in site.attacker_keys().filter(|key| trust.can_use(key) && !is_secret(key)) {
            let name = || Value::Thumbprint(key.alias.clone());
            for iss in [Value::text("https://self-issued.me"), name()] {
                scenarios.push(trust.token(vec![
                    set_claim("iss", iss),
                    set_claim("sub", name()),
                    set_claim("sub_jwk", Value::Jwk(key.alias.clone())),
                    trust.sign_with(key, Kid::None),
                ]));
            }
        }
    }
    scenarios
}

fn own_name(site: Site<'_>) -> Vec<Scenario> {
    if site.party.audiences.is_empty() {
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    for trust in site.first() {
        let named = || set_claim("iss", Value::Audience(site.party.alias.clone()));
        scenarios.push(trust.token(vec![named()]));
        let keys = site.attacker_keys().filter(|key| trust.can_use(key)).take(1);
        scenarios.extend(keys.map(|key| trust.token(vec![named(), trust.sign_with(key, Kid::Own)])));
    }
    scenarios
}

fn names_of_every_object(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for name in ["__proto__", "constructor", "toString"] {
        let kid = Kid::Text(name.to_owned());
        for trust in site.first() {
            let keys = site.attacker_keys().filter(|key| trust.can_use(key)).take(1);
            scenarios.extend(keys.map(|key| trust.token(vec![trust.sign_with(key, kid.clone())])));
        }
        // What has no key in it is an empty secret to whoever does not look.
        for trust in site.trusts().filter(|trust| trust.allows(Primitive::HS256)).take(1) {
            let Some(key) = trust.claimed_keys().first().copied() else { continue };
            let Act::SignWith(sign) = sign_public_text(key, Layout::Empty, None) else { continue };
            scenarios.push(trust.token(vec![Act::SignWith(SignWith { kid: kid.clone(), ..sign })]));
        }
    }
    scenarios
}

fn one_name_two_people(site: Site<'_>) -> Vec<Scenario> {
    let sub = || vec![set_claim("sub", Value::text("1001"))];
    let mut scenarios = Vec::new();
    let anybody: Vec<_> = site.trusts().filter(|trust| trust.terms.subjects.is_none()).collect();
    if let [first, second, ..] = anybody.as_slice() {
        scenarios.push(site.steps(vec![first.present(sub()), second.present(sub())]));
    }
    for trust in anybody.iter().filter(|trust| trust.tenants().len() > 1).take(1) {
        let of = |tenant: &String| Honest { tenant: Some(tenant.clone()), ..trust.honest() };
        let steps = trust.tenants().iter().take(2).map(|tenant| site.present(of(tenant), sub()));
        scenarios.push(site.steps(steps.collect()));
    }
    scenarios
}
