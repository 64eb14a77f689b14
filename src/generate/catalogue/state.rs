//! State: what one token leaves behind in a cache must not open the door to the next.

use super::Class;
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Kid, Scenario, Step};
use crate::world::Key;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "ST-01",
        title: "An honest token puts its issuer's key into every cache, and then that key signs for another issuer.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 4.5",
        build: |site| pairs(site, primed),
    },
    Class {
        id: "ST-02",
        title: "The forged token comes before the honest one and again after it, and again when caches have run out.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 4.5",
        build: |site| pairs(site, around),
    },
    Class {
        id: "ST-12",
        title: "An honest token is accepted before a forged one and still after it: the attack leaves the validator working.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8",
        build: sandwich,
    },
];

/// Every ordered pair of trusted issuers, with the key of the one that signs for the other.
fn pairs(site: Site<'_>, play: fn(Trust<'_>, Trust<'_>, &Key) -> Vec<Scenario>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        for signer in claimed.others() {
            if let Some(key) = claimed.cleanest_keys(signer.issuer).first() {
                scenarios.extend(play(claimed, signer, key));
            }
        }
    }
    scenarios
}

fn forged(claimed: Trust<'_>, key: &Key) -> Step {
    claimed.present(vec![claimed.sign_with(key, Kid::Own)])
}

/// The signer's honest token, by the very key where honest tokens are signed with it.
fn prime(signer: Trust<'_>, key: &Key) -> Step {
    let honest = if key.honest { signer.honest_by(key) } else { signer.honest() };
    signer.site.present(honest, Vec::new())
}

fn primed(claimed: Trust<'_>, signer: Trust<'_>, key: &Key) -> Vec<Scenario> {
    vec![claimed.site.steps(vec![prime(signer, key), forged(claimed, key)])]
}

fn around(claimed: Trust<'_>, signer: Trust<'_>, key: &Key) -> Vec<Scenario> {
    let site = claimed.site;
    let wait = Step::AdvanceClock(site.patience());
    vec![
        site.steps(vec![forged(claimed, key), prime(signer, key), forged(claimed, key)]),
        site.steps(vec![prime(signer, key), wait, forged(claimed, key)]),
    ]
}

fn sandwich(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |claimed: Trust<'_>| {
        let colleague = claimed.others().find_map(|other| claimed.cleanest_keys(other.issuer).first().copied());
        let stranger = || site.strangers().find_map(|other| claimed.cleanest_keys(other).first().copied());
        let key = colleague.or_else(stranger).or_else(|| site.attacker_keys().find(|key| claimed.can_use(key)))?;
        let honest = || site.present(claimed.honest(), Vec::new());
        Some(site.steps(vec![honest(), forged(claimed, key), honest()]))
    };
    site.trusts().filter_map(of_trust).collect()
}
