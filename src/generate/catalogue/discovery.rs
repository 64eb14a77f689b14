//! What goes wrong where issuers publish: key sets that cannot be had, and discovery that leads to somebody else's.

use super::Class;
use crate::generate::acts::{set_header, strip};
use crate::generate::site::{Site, Trust, is_secret};
use crate::policy::{Disturbance, KeySource};
use crate::rule::Rule;
use crate::scenario::{Honest, Kid, Scenario, Step, Value};
use crate::world::{Issuer, Key};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "KL-12",
        title: "The key set cannot be fetched, comes late or breaks off: no stranger's key and no missing signature may pass for \
                that, the last good set serves only within its lifetime, and afterwards all is as before.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "OpenID Connect Core 1.0 section 10.1.1; RFC 8725 section 3.8; policy (`jwks_max_age`)",
        build: out_of_reach,
    },
    Class {
        id: "KL-13",
        title: "While its own set cannot be fetched, an issuer's tokens are verified by the last good set of another.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; OpenID Connect Core 1.0 section 10.1.1",
        build: last_good_of_another,
    },
    Class {
        id: "KR-26",
        title: "An issuer's discovery document is another issuer's, whose key then signs for the first.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8414 section 3.3; OpenID Connect Discovery 1.0 section 4.3",
        build: mismatched,
    },
    Class {
        id: "KR-27",
        title: "An issuer's discovery document and key set lead by a redirect to an attacker's host, and the attacker's key signs.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "CVE-2026-49478; RFC 8725 section 3.10; RFC 8414 section 3.2 (a successful response has the status 200)",
        build: redirected,
    },
    Class {
        id: "KR-28",
        title: "One issuer's discovery document says that it is another issuer's and names its own key set, and its key signs for \
                the other.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8414 sections 3.3 and 6.2; OpenID Connect Discovery 1.0 sections 4.3 and 7.2",
        build: posing,
    },
];

/// A site where keys are fetched: elsewhere nothing of this can happen.
fn fetching(site: Site<'_>) -> Option<Site<'_>> {
    (site.key_source == KeySource::Fetched).then_some(site)
}

fn unreachable(issuer: &Issuer, how: Disturbance) -> Step {
    Step::JwksUnreachable { issuer: issuer.alias.clone(), how }
}

fn honest(trust: Trust<'_>) -> Step {
    trust.present(Vec::new())
}

fn forged(claimed: Trust<'_>, key: &Key, kid: Kid) -> Step {
    claimed.present(vec![claimed.sign_with(key, kid)])
}

/// A key of the attacker's that can sign with an algorithm which this issuer is allowed.
fn strangers_key(trust: Trust<'_>) -> Option<&Key> {
    trust.site.attacker_keys().find(|key| !is_secret(key) && trust.can_use(key))
}

fn out_of_reach(site: Site<'_>) -> Vec<Scenario> {
    let Some(site) = fetching(site) else { return Vec::new() };
    let mut scenarios = Vec::new();
    for (index, trust) in site.trusts().enumerate() {
        let Some(stranger) = strangers_key(trust) else { continue };
        let refused = || forged(trust, stranger, Kid::Keep);
        let unsigned = trust.present(vec![set_header("alg", Value::text("none")), strip()]);
        let ways = [Disturbance::Cut, Disturbance::Status, Disturbance::Truncated, Disturbance::Slow];
        // What an answer looks like that is none does not hang on whose it is.
        let ways = ways.into_iter().take(if index == 0 { 4 } else { 1 });
        scenarios.extend(ways.map(|how| {
            let gone = unreachable(trust.issuer, how);
            site.steps(vec![gone, refused(), unsigned.clone(), honest(trust)])
        }));
        let gone = || unreachable(trust.issuer, Disturbance::Cut);
        let wait = || Step::AdvanceClock(site.patience());
        let back = Step::JwksReachable { issuer: trust.issuer.alias.clone() };
        let (before, meanwhile, after) = (honest(trust), honest(trust), honest(trust));
        scenarios.push(site.steps(vec![before, gone(), wait(), refused(), meanwhile, back, wait(), after]));
        // Where the policy does not say for how long a set serves, nobody can say when the last good one has served.
        let key = trust.honest_keys().into_iter().find(|key| key.published);
        if let Some(key) = key.filter(|_| site.party.jwks_max_age.is_some()) {
            let by_key = Honest { key: Some(key.alias.clone()), ..trust.honest() };
            let prime = site.present(trust.honest_by(key), Vec::new());
            let removed = Step::RemoveKey { key: key.alias.clone() };
            let outlived = site.present(by_key, Vec::new());
            scenarios.push(site.steps(vec![prime, gone(), refused(), removed, wait(), outlived]));
        }
    }
    scenarios
}

/// Every ordered pair of trusted issuers, with the key of the one that signs for the other.
fn pairs<'w>(site: Site<'w>) -> impl Iterator<Item = (Trust<'w>, Trust<'w>, &'w Key)> {
    let claimed = fetching(site).into_iter().flat_map(Site::trusts);
    claimed.flat_map(|claimed| {
        let key = move |signer: Trust<'w>| Some((claimed, signer, *claimed.cleanest_keys(signer.issuer).first()?));
        claimed.others().filter_map(key)
    })
}

fn last_good_of_another(site: Site<'_>) -> Vec<Scenario> {
    let play = |(claimed, signer, key): (Trust<'_>, Trust<'_>, &Key)| {
        let gone = unreachable(claimed.issuer, Disturbance::Cut);
        let tries = [Kid::Own, Kid::Keep].map(|kid| forged(claimed, key, kid));
        let steps = [honest(signer)].into_iter().chain(tries).chain([honest(signer)]);
        first_and_later(site, claimed, gone, steps.collect())
    };
    pairs(site).flat_map(play).collect()
}

/// From the beginning, for whoever looks once, and after an honest token and so long that nothing which was fetched before serves
/// any more.
fn first_and_later(site: Site<'_>, claimed: Trust<'_>, gone: Step, steps: Vec<Step>) -> [Scenario; 2] {
    let wait = Step::AdvanceClock(site.patience());
    let first = [gone.clone()].into_iter().chain(steps.clone()).collect();
    let later = [honest(claimed), gone, wait].into_iter().chain(steps).collect();
    [site.steps(first), site.steps(later)]
}

fn mismatched(site: Site<'_>) -> Vec<Scenario> {
    let Some(site) = fetching(site) else { return Vec::new() };
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        let others = claimed.others().map(|other| other.issuer).chain(site.strangers());
        for other in others {
            if let Some(&key) = claimed.cleanest_keys(other).first() {
                let gone = unreachable(claimed.issuer, Disturbance::DiscoveryOf(other.alias.clone()));
                scenarios.extend(first_and_later(site, claimed, gone, vec![forged(claimed, key, Kid::Own)]));
            }
        }
    }
    scenarios
}

fn redirected(site: Site<'_>) -> Vec<Scenario> {
    let Some(site) = fetching(site) else { return Vec::new() };
    let play = |trust: Trust<'_>| {
        let key = strangers_key(trust)?;
        let gone = unreachable(trust.issuer, Disturbance::Redirect);
        Some(first_and_later(site, trust, gone, vec![forged(trust, key, Kid::Own)]).to_vec())
    };
    site.trusts().filter_map(play).flatten().collect()
}

fn posing(site: Site<'_>) -> Vec<Scenario> {
    let play = |(claimed, signer, key): (Trust<'_>, Trust<'_>, &Key)| {
        let posing = unreachable(signer.issuer, Disturbance::PosesAs(claimed.issuer.alias.clone()));
        // Its own token has its document looked at.
        first_and_later(site, claimed, posing, vec![honest(signer), forged(claimed, key, Kid::Own)])
    };
    pairs(site).flat_map(play).collect()
}
