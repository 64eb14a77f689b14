//! Key scope: the signature is good, and the key that made it had no right to.

use super::Class;
use super::configuration::{nameless_provider, spoiled_template};
use super::trust_scope::contradicts_itself;
use crate::generate::acts::{drop_header, set_claim, set_header};
use crate::generate::site::{Site, Trust, operations_permit, permits_signing};
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::scenario::{Edit, Honest, Kid, Scenario, Value};
use crate::world::Key;

/// The class that this project exists for.
pub(super) const FIRST: &[Class] = &[Class {
    id: "KS-01",
    title: "A trusted issuer's key signs a token that claims another trusted issuer, and `kid` honestly names that key.",
    aims: Some(Rule::KeyBelongsToIssuer),
    source: "RFC 8725 section 3.8; Storm-0558 (2023)",
    build: |site| cross(site, &Kid::Own),
}];

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "KS-02",
        title: "A trusted issuer's key signs for another issuer, and `kid` lies: it names a key of the issuer claimed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7515 section 4.1.4 (`kid` is a hint)",
        build: |site| cross(site, &Kid::Keep),
    },
    Class {
        id: "KS-03",
        title: "A trusted issuer's key signs for another issuer without `kid`, for validators that try every key they have.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7515 appendix D",
        build: |site| cross(site, &Kid::None),
    },
    Class {
        id: "KS-04",
        title: "Two issuers publish different keys under one `kid`; the issuer listed first signs for the one listed later.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 4.5 (a `kid` is distinct within its own set, no wider)",
        build: |site| alike(site, true),
    },
    Class {
        id: "KS-05",
        title: "Two issuers publish different keys under one `kid`; the issuer listed later signs for the one listed first.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 4.5 (a `kid` is distinct within its own set, no wider)",
        build: |site| alike(site, false),
    },
    Class {
        id: "KS-06",
        title: "Every published signing key of every other issuer signs for each trusted issuer, with its own `kid`, the claimed \
                issuer's, and none.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8",
        build: matrix,
    },
    Class {
        id: "KS-07",
        title: "A key that nobody published signs, and `kid` names a key of the issuer.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7515 section 4.1.4",
        build: |site| unknown_key(site, &[Kid::Keep]),
    },
    Class {
        id: "KS-08",
        title: "A key that nobody published signs under a `kid` that nobody published, or none; no key may stand in for it.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7515 section 4.1.4",
        build: |site| unknown_key(site, &[Kid::Own, Kid::None]),
    },
    Class {
        id: "KS-09",
        title: "An issuer that the relying party does not trust honestly signs a token of its own.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 8725 section 3.8; RFC 9068 section 4",
        build: stranger_for_itself,
    },
    Class {
        id: "KS-10",
        title: "An issuer that the relying party does not trust signs for one that it trusts.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8",
        build: stranger_for_trusted,
    },
    Class {
        id: "KS-11",
        title: "The relying party has exactly one provider, and a token of another issuer comes, by that issuer's key or by \
                the provider's; or the provider's own name is empty, or a template that fits nobody, and must not fit everybody.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 8725 section 3.8; RFC 9068 section 4",
        build: |site| [only_provider(site), nameless_provider(site), spoiled_template(site)].concat(),
    },
    Class {
        id: "KS-12",
        title: "One JWK Set serves two populations, each JWK names its issuer, and a key of one signs for the other.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "Storm-0558 (2023); RFC 8725 section 3.8",
        build: converged,
    },
    Class {
        id: "KS-14",
        title: "A JWK in a converged set does not say whose it is, and its key signs for a trusted issuer.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; policy (`issuer` in each JWK of a converged set)",
        build: orphan,
    },
    Class {
        id: "KS-16",
        title: "The issuer's key for another, sovereign cloud signs a token for this one.",
        aims: Some(Rule::CloudMatches),
        source: "policy (`cloud_instance_name`); RFC 8725 section 3.8",
        build: other_cloud,
    },
    Class {
        id: "KS-20",
        title: "One key signs for every customer, and the header `signer` that tells them apart is missing or another's.",
        aims: Some(Rule::SignerNamed),
        source: "ALBeast (2024); CVE-2024-8901; policy (`signer`)",
        build: other_signer,
    },
    Class {
        id: "KS-25",
        title: "An issuer that may name certain subjects only names another.",
        aims: Some(Rule::SubjectAdmitted),
        source: "RFC 8725 section 3.8",
        build: other_subject,
    },
    Class {
        id: "KS-26",
        title: "The issuer's own encryption key signs: its JWK says `use` `enc`.",
        aims: Some(Rule::KeyUsePermits),
        source: "RFC 7517 section 4.2",
        build: |site| {
            own_keys(site, |_, key| {
                key.jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") && !contradicts_itself(&key.jwk)
            })
        },
    },
    Class {
        id: "KS-27",
        title: "The issuer's own key signs although its `key_ops` lack `verify`.",
        aims: Some(Rule::KeyUsePermits),
        source: "RFC 7517 section 4.3",
        build: |site| own_keys(site, |_, key| !operations_permit(&key.jwk) && !contradicts_itself(&key.jwk)),
    },
];

/// Every ordered pair of trusted issuers, by the cleanest keys of the one that signs.
fn cross(site: Site<'_>, kid: &Kid) -> Vec<Scenario> {
    let for_claimed = |claimed: Trust<'_>| -> Vec<Scenario> {
        let keys = claimed.others().flat_map(|signer| claimed.cleanest_keys(signer.issuer));
        keys.map(|key| claimed.token(vec![claimed.sign_with(key, kid.clone())])).collect()
    };
    site.claimable().flat_map(for_claimed).collect()
}

fn alike(site: Site<'_>, signer_first: bool) -> Vec<Scenario> {
    let trusts: Vec<_> = site.trusts().collect();
    let mut scenarios = Vec::new();
    for (at, claimed) in trusts.iter().enumerate() {
        let signers = if signer_first { &trusts[..at] } else { &trusts[at + 1..] };
        let kids: Vec<_> = claimed.listed_keys().iter().filter_map(|key| key.jwk.kid.clone()).collect();
        let keys = signers.iter().flat_map(|signer| claimed.foreign_keys(signer.issuer));
        let collides = |key: &&Key| key.jwk.kid.as_ref().is_some_and(|kid| kids.contains(kid));
        scenarios.extend(keys.filter(collides).map(|key| claimed.token(vec![claimed.sign_with(key, Kid::Own)])));
    }
    scenarios
}

fn matrix(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        let owners = site.world.issuers.iter().filter(|owner| owner.alias != claimed.issuer.alias);
        let keys = owners.flat_map(|owner| claimed.foreign_keys(owner));
        for key in keys.filter(|key| permits_signing(&key.jwk)) {
            let kids = [Kid::Own, Kid::Keep, Kid::None];
            scenarios.extend(kids.map(|kid| claimed.token(vec![claimed.sign_with(key, kid)])));
        }
    }
    scenarios
}

fn unknown_key(site: Site<'_>, kids: &[Kid]) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        for key in site.attacker_keys().filter(|key| claimed.can_use(key)) {
            scenarios.extend(kids.iter().map(|kid| claimed.token(vec![claimed.sign_with(key, kid.clone())])));
        }
    }
    scenarios
}

pub(super) fn stranger_for_itself(site: Site<'_>) -> Vec<Scenario> {
    let own = |issuer: &crate::world::Issuer| {
        let honest = Honest { issuer: issuer.alias.clone(), ..Honest::default() };
        let can_sign = site.world.keys_of(&issuer.alias).any(|key| key.honest && key.private.is_some());
        can_sign.then(|| site.single(honest, site.completion(issuer)))
    };
    site.strangers().filter_map(own).collect()
}

fn stranger_for_trusted(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        for key in site.strangers().flat_map(|stranger| claimed.cleanest_keys(stranger)) {
            scenarios.push(claimed.token(vec![claimed.sign_with(key, Kid::Own)]));
        }
    }
    scenarios
}

fn only_provider(site: Site<'_>) -> Vec<Scenario> {
    let trusts: Vec<_> = site.trusts().collect();
    let ([provider], [_]) = (trusts.as_slice(), site.party.issuers.as_slice()) else { return Vec::new() };
    let mut scenarios = stranger_for_itself(site);
    for stranger in site.strangers() {
        for key in provider.honest_keys() {
            let honest = Honest { issuer: stranger.alias.clone(), ..Honest::default() };
            let mut acts = site.completion(stranger);
            acts.push(provider.sign_with(key, Kid::Own));
            scenarios.push(site.single(honest, acts));
        }
    }
    scenarios
}

fn converged(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    for claimed in site.claimable() {
        let owners = site
            .world
            .issuers
            .iter()
            .filter(|owner| owner.alias != claimed.issuer.alias && site.world.converged.contains(&owner.alias));
        let keys = owners.flat_map(|owner| claimed.foreign_keys(owner)).filter(|key| key.names_issuer);
        scenarios.extend(keys.map(|key| claimed.token(vec![claimed.sign_with(key, Kid::Own)])));
    }
    scenarios
}

fn orphan(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let orphans = || {
        let in_set = |key: &&Key| key.owner.as_ref().is_some_and(|owner| site.world.converged.contains(owner));
        let keys = site.world.keys.iter().filter(|key| key.published && !key.names_issuer && key.private.is_some());
        let keys = keys.filter(|key| key.issuer_member.is_none());
        keys.filter(in_set)
    };
    let for_claimed = |claimed: Trust<'_>| -> Vec<Scenario> {
        let usable = orphans().filter(|key| claimed.can_use(key) && !claimed.lists(key));
        usable.map(|key| claimed.token(vec![claimed.sign_with(key, Kid::Own)])).collect()
    };
    site.claimable().flat_map(for_claimed).collect()
}

/// Tokens in order but for the key, which is the issuer's own and has that property.
pub(super) fn own_keys(site: Site<'_>, wanted: fn(Trust<'_>, &Key) -> bool) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        let keys = trust.listed_keys().into_iter();
        let keys = keys.filter(|key| !trust.algorithms_of(key).is_empty() && wanted(trust, key));
        keys.map(|key| trust.token(vec![trust.sign_with(key, Kid::Own)])).collect()
    };
    site.trusts().flat_map(of_trust).collect()
}

fn other_cloud(site: Site<'_>) -> Vec<Scenario> {
    own_keys(site, |trust, key| match (&trust.site.party.cloud_instance, &key.jwk.cloud_instance_name) {
        (Some(ours), Some(theirs)) => ours != theirs,
        _ => false,
    })
}

fn other_signer(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts().filter(|trust| trust.terms.signer.is_some()) {
        // The issuer's own, or the one that this party asks for.
        let mut aliases = [&trust.issuer.alias, &site.party.alias].into_iter();
        let asked = aliases.find(|alias| site.world.signer(alias) == trust.terms.signer.as_deref());
        let Some(asked) = asked else { continue };
        let own = || Value::Signer(asked.clone());
        let issuers = site.world.issuers.iter().map(|issuer| &issuer.alias);
        let mut signers = site.world.parties.iter().map(|party| &party.alias).chain(issuers);
        let another = |alias: &&String| {
            site.world.signer(alias).is_some_and(|signer| trust.terms.signer.as_deref() != Some(signer))
        };
        let other = signers.find(another);
        let values = [
            other.map(|alias| Value::Signer(alias.clone())),
            Some(own().edited(Edit::CutEnd(1))),
            Some(own().edited(Edit::Suffix("1".to_owned()))),
            Some(own().edited(Edit::SwapCase)),
            Some(Value::List(vec![own()])),
        ];
        scenarios.push(trust.token(vec![drop_header("signer")]));
        scenarios.extend(values.into_iter().flatten().map(|value| trust.token(vec![set_header("signer", value)])));
        scenarios.push(trust.token(vec![drop_header("signer"), set_claim("signer", own())]));
    }
    scenarios
}

fn other_subject(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let Some(admitted) = &trust.terms.subjects else { continue };
        for subject in site.world.subjects.iter().filter(|subject| !admitted.contains(&subject.alias)) {
            let honest = Honest { subject: Some(subject.alias.clone()), ..trust.honest() };
            scenarios.push(site.single(honest, Vec::new()));
        }
        let Some(known) = admitted.first() else { continue };
        let named = || Value::Subject(known.clone());
        let edits = [Edit::SwapCase, Edit::CutEnd(1), Edit::Suffix("1".to_owned())];
        scenarios.extend(edits.map(|edit| trust.token(vec![set_claim("sub", named().edited(edit))])));
    }
    scenarios
}
