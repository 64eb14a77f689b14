//! Storm-0558 by name: each key of the incident's world on the other kind of account, at each service.

use super::Class;
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Honest, Kid, Scenario};

/// The world in which these names mean something.
const WORLD: &str = "storm-0558";

const SOURCE: &str = "Microsoft Security Response Center, Storm-0558 key acquisition (2023-09-06); Cyber Safety Review \
                      Board, Summer 2023 Microsoft Exchange Online intrusion (2024); RFC 8725 section 3.8";

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "storm-0558/consumer-key-for-enterprise",
        title: "The consumer signing key in service signs a token for an enterprise mailbox.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "enterprise-mail", "consumer-2023", "enterprise"),
    },
    Class {
        id: "storm-0558/retired-consumer-key-for-enterprise",
        title: "The consumer signing key of 2016, years past its end, signs a token for an enterprise mailbox: the incident.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "enterprise-mail", "consumer-2016", "enterprise"),
    },
    Class {
        id: "storm-0558/consumer-key-for-enterprise-at-both",
        title: "The service for both kinds of accounts trusts the consumer key, and it signs for an enterprise mailbox.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "both-mail", "consumer-2023", "enterprise"),
    },
    Class {
        id: "storm-0558/retired-consumer-key-for-enterprise-at-both",
        title: "At the service for both kinds of accounts the consumer key of 2016 signs for an enterprise mailbox.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "both-mail", "consumer-2016", "enterprise"),
    },
    Class {
        id: "storm-0558/enterprise-key-for-consumer",
        title: "The same mistake the other way round: the enterprise key signs for a consumer mailbox.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "consumer-mail", "enterprise-1", "consumer"),
    },
    Class {
        id: "storm-0558/enterprise-key-for-consumer-at-both",
        title: "At the service for both kinds of accounts the enterprise key signs for a consumer mailbox.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: SOURCE,
        build: |site| forged(site, "both-mail", "enterprise-1", "consumer"),
    },
    Class {
        id: "storm-0558/retired-consumer-key-for-consumer",
        title: "The consumer key of 2016 signs for a consumer mailbox: the right issuer, and a key that should be dead.",
        aims: Some(Rule::KeyLifetimeHonoured),
        source: SOURCE,
        build: |site| {
            let at = |party| forged(site, party, "consumer-2016", "consumer");
            [at("consumer-mail"), at("both-mail")].concat()
        },
    },
];

/// This key signs for this issuer, once for each tenant that the party admits.
fn forged(site: Site<'_>, party: &str, key: &str, claimed: &str) -> Vec<Scenario> {
    if site.world.name != WORLD || site.party.alias != party {
        return Vec::new();
    }
    let Some(key) = site.world.key(key) else { return Vec::new() };
    let token = |claimed: Trust<'_>, tenant: Option<String>| {
        let honest = Honest { tenant, ..claimed.honest() };
        site.single(honest, vec![claimed.sign_with(key, Kid::Own)])
    };
    let for_claimed = |claimed: Trust<'_>| -> Vec<Scenario> {
        match claimed.tenants() {
            [] => vec![token(claimed, None)],
            tenants => tenants.iter().map(|tenant| token(claimed, Some(tenant.clone()))).collect(),
        }
    };
    site.trusts().filter(|trust| trust.issuer.alias == claimed).flat_map(for_claimed).collect()
}
