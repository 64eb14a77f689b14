//! For whom a token is, and who is signed in by it, where names are close to one another or stand in several places.

use super::Class;
use super::identity::{addressed, own_audience};
use crate::generate::acts::{set_claim, the_same_again};
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Act, Edit, Present, Scenario, Step, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "IA-35",
        title: "`aud` is nearly our name: longer, shorter, in other letters or letter case, several in one text, a wildcard.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7519 sections 2 and 4.1.3 (compared as it stands); CVE-2024-5798",
        build: |site| addressed(site, nearly_ours),
    },
    Class {
        id: "IA-37",
        title: "`aud` names an issuer, its token endpoint, or the issuer of other tokens: whom a client authenticates to.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7523 section 3; RFC 7519 section 4.1.3; RFC 8725 section 3.9",
        build: |site| addressed(site, issuers_as_audience),
    },
    Class {
        id: "IA-38",
        title: "One token is addressed to two services and shown to both: each may take it, and neither can tell.",
        aims: None,
        source: "RFC 7519 section 4.1.3; RFC 9068 section 3; OpenID Connect Core 1.0 section 3.1.3.7",
        build: shared_audience,
    },
    Class {
        id: "IA-39",
        title: "The token names a party that it was issued to (`azp`, `client_id`), beside one audience or several.",
        aims: None,
        source: "OpenID Connect Core 1.0 sections 2 and 3.1.3.7; RFC 9068 section 2.2",
        build: |site| addressed(site, authorized_parties),
    },
    Class {
        id: "IA-42",
        title: "`email`, `preferred_username` and their like name somebody else: who is signed in is `sub`.",
        aims: None,
        source: "CVE-2023-3128; OpenID Connect Core 1.0 section 5.7; RFC 7519 section 4.1.2",
        build: |site| site.first().flat_map(|trust| trust.tokens(names_that_change(site))).collect(),
    },
];

fn nearly_ours(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let suffix = |text: &str| Edit::Suffix(text.to_owned());
    let prefix = |text: &str| Edit::Prefix(text.to_owned());
    let mut edits = vec![
        suffix("/"),
        suffix("1"),
        suffix(".example.net"),
        prefix("x"),
        Edit::CutEnd(1),
        Edit::CutStart(1),
        Edit::SwapCase,
        Edit::LookAlike,
        suffix(" "),
        suffix("\0"),
        suffix("\n"),
        suffix(" https://login.example.net"),
        prefix("https://login.example.net,"),
    ];
    let name = trust.site.party.audiences.first().map_or("", String::as_str);
    edits.retain(|edit| !trust.site.party.audiences.contains(&edit.apply(name)));
    let edited = edits.into_iter().map(|edit| own_audience(trust).edited(edit));
    let patterns = ["*", ".*"].map(Value::text);
    edited.chain(patterns).map(|value| vec![set_claim("aud", value)]).collect()
}

fn issuers_as_audience(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let own = || Value::issuer(&trust.issuer.alias);
    let other = trust.site.world.issuers.iter().find(|issuer| issuer.alias != trust.issuer.alias);
    let mut values = vec![own(), own().edited(Edit::Suffix("/token".to_owned()))];
    values.extend(other.map(|issuer| Value::issuer(&issuer.alias)));
    values.into_iter().map(|value| vec![set_claim("aud", value)]).collect()
}

/// Somebody else's service whose names are not ours.
fn other_party(site: Site<'_>) -> Option<&crate::world::Party> {
    let named_otherwise =
        |party: &&crate::world::Party| party.audiences.first().is_some_and(|name| !site.party.audiences.contains(name));
    site.world.parties.iter().find(named_otherwise)
}

/// At another party that trusts the same issuer on the same terms, so that only the audience could tell the two apart.
fn shared_audience(site: Site<'_>) -> Vec<Scenario> {
    if site.party.audiences.is_empty() {
        return Vec::new();
    }
    let of_trust = |trust: Trust<'_>| {
        let alike = |party: &&crate::world::Party| {
            let terms = party.issuers.iter().find(|terms| terms.alias == trust.issuer.alias);
            party.alias != site.party.alias
                && party.audiences.first().is_some_and(|name| !site.party.audiences.contains(name))
                && party.key_sources.contains(&site.key_source)
                && party.token_types == site.party.token_types
                && party.required_claims == site.party.required_claims
                && party.replay == site.party.replay
                && terms.is_some_and(|terms| {
                    (&terms.tenants, &terms.subjects, &terms.signer, &terms.algorithms)
                        == (&trust.terms.tenants, &trust.terms.subjects, &trust.terms.signer, &trust.terms.algorithms)
                })
        };
        let other = site.world.parties.iter().find(alike)?;
        let both = Value::List(vec![own_audience(trust), Value::Audience(other.alias.clone())]);
        let first = Present {
            name: Some("shared".to_owned()),
            to: site.party.alias.clone(),
            honest: trust.honest(),
            acts: vec![set_claim("aud", both)],
        };
        let again =
            Present { name: None, to: other.alias.clone(), honest: trust.honest(), acts: the_same_again("shared") };
        Some(site.steps(vec![Step::Present(first), Step::Present(again)]))
    };
    site.trusts().filter_map(of_trust).take(1).collect()
}

fn authorized_parties(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let own = || own_audience(trust);
    let other = other_party(trust.site)
        .map_or_else(|| Value::text("another-client"), |party| Value::Audience(party.alias.clone()));
    let both = || Value::List(vec![own(), other.clone()]);
    vec![
        vec![set_claim("azp", own())],
        vec![set_claim("azp", other.clone())],
        vec![set_claim("client_id", other.clone())],
        vec![set_claim("aud", both()), set_claim("azp", own())],
        vec![set_claim("aud", both()), set_claim("azp", other.clone())],
    ]
}

fn names_that_change(site: Site<'_>) -> Vec<Vec<Act>> {
    let somebody = || match site.world.subjects.last() {
        Some(subject) => Value::Subject(subject.alias.clone()),
        None => Value::text("administrator"),
    };
    let address = || somebody().edited(Edit::Suffix("@login.example.net".to_owned()));
    vec![
        vec![set_claim("email", address()), set_claim("email_verified", Value::bool(true))],
        vec![set_claim("preferred_username", somebody()), set_claim("upn", address())],
        vec![set_claim("name", somebody()), set_claim("username", somebody()), set_claim("uid", somebody())],
    ]
}
