//! Issuer, tenant and audience: who the token says it is from and for, all under an honest signature.

use super::Class;
use super::configuration::nameless_both;
use crate::generate::acts::{drop_claim, json, set_claim};
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Act, Edit, Honest, Scenario, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "IA-01",
        title: "`iss` is left out, and with it every check that only runs when it is there.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 9068 sections 2.2 and 4; RFC 8725 section 3.8",
        build: |site| without_issuer(site, &drop_claim("iss")),
    },
    Class {
        id: "IA-02",
        title: "`iss` is no text: null, a number, a truth value or an object around the right name.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 sections 2 and 4.1.1",
        build: |site| tokens(site, issuer_of_another_type),
    },
    Class {
        id: "IA-03",
        title: "`iss` is a list with the right name in it, alone or beside another.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2025-30144; RFC 7519 section 4.1.1",
        build: |site| tokens(site, issuer_in_a_list),
    },
    Class {
        id: "IA-04",
        title: "`iss` is the empty text, which must not match an issuer that was never set.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 8725 section 3.8; policy (an empty claim counts as absent)",
        build: |site| without_issuer(site, &set_claim("iss", Value::text(""))),
    },
    Class {
        id: "IA-05",
        title: "`iss` is a beginning, an end or a middle of the trusted name, for checks that search instead of compare.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2024-53861; RFC 7519 section 2 (compared as it stands)",
        build: |site| {
            edited(site, &[vec![Edit::CutEnd(1)], vec![Edit::CutStart(1)], vec![Edit::CutStart(8), Edit::CutEnd(2)]])
        },
    },
    Class {
        id: "IA-06",
        title: "`iss` begins with the trusted name and goes on: another path, host, query or fragment.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2 (compared as it stands); RFC 8725 section 3.8",
        build: |site| {
            let suffix = |text: &str| vec![Edit::Suffix(text.to_owned())];
            edited(site, &["1", "/x", ".example.net", "#", "?"].map(suffix))
        },
    },
    Class {
        id: "IA-07",
        title: "`iss` has the trusted name where a URL has the user and another host behind it.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 3986 section 7.6; RFC 7519 section 2",
        build: |site| {
            let suffix = |text: &str| vec![Edit::Suffix(text.to_owned())];
            edited(site, &["@login.example.net", ":x@login.example.net/"].map(suffix))
        },
    },
    Class {
        id: "IA-19",
        title: "The tenant in `iss` and the claim `tid` name two customers, both of them admitted.",
        aims: Some(Rule::TenantAdmitted),
        source: "policy (issuer template, `tid`); RFC 8725 section 3.8",
        build: two_tenants_of_each,
    },
    Class {
        id: "IA-22",
        title: "A customer of the same multi-tenant issuer, honestly signed for, is not one that this service admits.",
        aims: Some(Rule::TenantAdmitted),
        source: "policy (admitted tenants); RFC 8725 section 3.8",
        build: other_tenant,
    },
    Class {
        id: "IA-31",
        title: "`aud` is left out, so that the token is for anybody.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 8725 section 3.9; RFC 9068 section 4",
        build: |site| addressed(site, |_| vec![vec![drop_claim("aud")]]),
    },
    Class {
        id: "IA-32",
        title: "The right issuer signs for another service, and the token comes here.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7519 section 4.1.3; RFC 8725 section 3.9; CVE-2023-22482",
        build: |site| addressed(site, other_audience),
    },
    Class {
        id: "IA-33",
        title: "`aud` is a list with our name in it: alone it must be accepted, beside others an application may refuse.",
        aims: None,
        source: "RFC 7519 section 4.1.3; OpenID Connect Core 1.0 section 3.1.3.7",
        build: |site| addressed(site, audience_in_a_list),
    },
    Class {
        id: "IA-34",
        title: "`aud` is an empty list, a list of nothing, null, a number, an object or a list in a list, or one with a number in it.",
        aims: Some(Rule::AudienceIncludesUs),
        source: "RFC 7519 section 4.1.3; CVE-2020-26160",
        build: |site| {
            let build = if site.party.audiences.is_empty() { no_text_for_nobody } else { audience_of_another_type };
            tokens(site, build)
        },
    },
    Class {
        id: "IA-40",
        title: "`sub` is left out, empty, null, a list or an object: there is nobody to sign in, and somebody may be.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 9068 section 2.2; RFC 7519 section 4.1.2",
        build: |site| required(site, "sub", |_| nobody()),
    },
];

fn tokens(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(lists(trust))).collect()
}

fn requires(site: Site<'_>, claim: &str) -> bool {
    site.party.required_claims.iter().flatten().any(|name| name == claim)
}

fn required(site: Site<'_>, claim: &str, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    if requires(site, claim) { tokens(site, lists) } else { Vec::new() }
}

/// The token names no issuer: as things are, and where the policy names none either.
fn without_issuer(site: Site<'_>, act: &Act) -> Vec<Scenario> {
    if !requires(site, "iss") {
        return Vec::new();
    }
    let mut scenarios = nameless_both(site, act);
    scenarios.splice(0..0, site.first().map(|trust| trust.token(vec![act.clone()])));
    scenarios
}

pub(super) fn addressed(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    if site.party.audiences.is_empty() {
        return Vec::new();
    }
    tokens(site, lists)
}

fn nobody() -> Vec<Vec<Act>> {
    let values = [Value::text(""), Value::null(), Value::List(Vec::new()), json("{}")];
    let set = values.map(|value| vec![set_claim("sub", value)]);
    [vec![drop_claim("sub")]].into_iter().chain(set).collect()
}

/// The issuer's name after these edits, in turn.
fn edited(site: Site<'_>, edits: &[Vec<Edit>]) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        let value = |edits: &Vec<Edit>| {
            edits.iter().fold(Value::issuer(&trust.issuer.alias), |value, edit| value.edited(edit.clone()))
        };
        trust.tokens(edits.iter().map(|edits| vec![set_claim("iss", value(edits))]))
    };
    site.first().flat_map(of_trust).collect()
}

fn issuer_of_another_type(_: Trust<'_>) -> Vec<Vec<Act>> {
    let values = [Value::null(), Value::integer(0), Value::bool(true), json("{\"iss\":\"\"}")];
    values.map(|value| vec![set_claim("iss", value)]).into()
}

fn issuer_in_a_list(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let good = || Value::issuer(&trust.issuer.alias);
    let other = trust.site.world.issuers.iter().find(|issuer| issuer.alias != trust.issuer.alias);
    let evil = || match other {
        Some(issuer) => Value::issuer(&issuer.alias),
        None => good().edited(Edit::Suffix("1".to_owned())),
    };
    let lists = [vec![good()], vec![good(), evil()], vec![evil(), good()]];
    lists.map(|list| vec![set_claim("iss", Value::List(list))]).into()
}

pub(super) fn two_tenants_of_each(site: Site<'_>) -> Vec<Scenario> {
    site.trusts().flat_map(|trust| trust.tokens(two_tenants(trust))).collect()
}

fn two_tenants(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let [first, second, ..] = trust.tenants() else { return Vec::new() };
    let name = |tenant: &String| Value::Issuer { of: trust.issuer.alias.clone(), tenant: Some(tenant.clone()) };
    let outside = trust.other_tenants().next();
    let mut lists = vec![
        vec![set_claim("tid", Value::Tenant(second.clone()))],
        vec![set_claim("iss", name(second))],
        vec![set_claim("tid", Value::Tenant(first.clone()).edited(Edit::SwapCase))],
    ];
    // The admitted tenant stands in the one place and the other in the other: whoever reads one of the two is fooled once.
    lists.extend(outside.map(|tenant| vec![set_claim("tid", Value::Tenant(tenant.clone()))]));
    lists.extend(outside.map(|tenant| vec![set_claim("iss", name(tenant))]));
    lists
}

fn other_tenant(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        let honest = |tenant: &String| Honest { tenant: Some(tenant.clone()), ..trust.honest() };
        trust.other_tenants().map(|tenant| site.single(honest(tenant), Vec::new())).collect()
    };
    site.trusts().flat_map(of_trust).collect()
}

pub(super) fn own_audience(trust: Trust<'_>) -> Value {
    let party = trust.site.party.alias.clone();
    match trust.terms.audiences {
        None => Value::Audience(party),
        Some(_) => Value::AudienceOf { party, issuer: trust.issuer.alias.clone() },
    }
}

/// Another service's name.
fn other_audience(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let site = trust.site;
    let named_otherwise =
        |party: &&crate::world::Party| party.audiences.first().is_some_and(|name| !site.party.audiences.contains(name));
    let other = site.world.parties.iter().find(named_otherwise).map(|party| Value::Audience(party.alias.clone()));
    let mut values: Vec<_> = other.into_iter().collect();
    values.extend(values.first().cloned().map(|value| Value::List(vec![value])));
    values.push(own_audience(trust).edited(Edit::Prefix("x".to_owned())));
    values.into_iter().map(|value| vec![set_claim("aud", value)]).collect()
}

fn audience_in_a_list(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let own = || own_audience(trust);
    let other = || Value::issuer(&trust.issuer.alias);
    let lists = [vec![own()], vec![own(), other()], vec![other(), own()]];
    lists.map(|list| vec![set_claim("aud", Value::List(list))]).into()
}

/// A party without a name is meant by no `aud` that is there, whatever it is.
fn no_text_for_nobody(_: Trust<'_>) -> Vec<Vec<Act>> {
    let values = [Value::List(vec![Value::text("x"), Value::integer(0)]), Value::integer(0), json("{}")];
    values.map(|value| vec![set_claim("aud", value)]).into()
}

fn audience_of_another_type(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let values = [
        Value::List(Vec::new()),
        Value::List(vec![Value::text("")]),
        Value::null(),
        Value::integer(0),
        json("{}"),
        Value::List(vec![Value::List(vec![own_audience(trust)])]),
    ];
    values.map(|value| vec![set_claim("aud", value)]).into()
}
