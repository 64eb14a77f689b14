//! Names that are nearly the trusted issuer's: equal to whoever normalises, decodes, trims, folds or matches instead of
//! comparing as it stands (RFC 7519 section 2), and templates with what is no tenant in the tenant's place.

use super::Class;
use crate::generate::acts::{drop_claim, set_claim, set_header, spell};
use crate::generate::site::{Site, Trust};
use crate::jose::Spelling;
use crate::policy::TENANT_PLACE;
use crate::rule::Rule;
use crate::scenario::{Act, Duplicate, Edit, Place, Scenario, Segment, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "IA-08",
        title: "`iss` is the trusted name with a slash more at its end, or one fewer.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2 (compared as it stands); RFC 8414 section 3.3",
        build: |site| near(site, slashes),
    },
    Class {
        id: "IA-09",
        title: "`iss` is the trusted name with its scheme, host or path in other letter case.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2 (case-sensitive); RFC 3986 section 6.2.2.1",
        build: |site| near(site, |_| cases()),
    },
    Class {
        id: "IA-10",
        title: "`iss` names the trusted host by another scheme or by none, with its port, or with the dot of the root.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2; RFC 8414 section 2; RFC 3986 section 6.2.3",
        build: |site| near(site, |_| schemes()),
    },
    Class {
        id: "IA-11",
        title: "`iss` becomes the trusted name once percent-encoding is undone, or its path is put in order.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2; RFC 3986 sections 6.2.2.2 and 6.2.2.3",
        build: |site| near(site, |_| encodings()),
    },
    Class {
        id: "IA-12",
        title: "`iss` looks like the trusted name, or becomes it when Unicode or the domain name is normalised.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7515 section 10.13; RFC 7519 section 2; RFC 5891 section 4; Unicode Standard Annex 15",
        build: |site| near(site, |_| look_alikes()),
    },
    Class {
        id: "IA-13",
        title: "`iss` is the trusted name with something around it that is trimmed, not seen, or ends a string in C.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 2 (compared as it stands); RFC 8259 section 8.3",
        build: |site| near(site, |_| surroundings()),
    },
    Class {
        id: "IA-14",
        title: "One line of `iss` is the trusted name, for patterns that end where a line ends.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2026-22772; RFC 7519 section 2",
        build: |site| near(site, |_| lines()),
    },
    Class {
        id: "IA-15",
        title: "`iss` has another letter where the trusted name has a dot, or is a pattern itself.",
        aims: Some(Rule::IssuerTrusted),
        source: "CVE-2025-29778; RFC 7519 section 2",
        build: |site| {
            let patterns = ["*", ".*", "https://*", "%"].map(|pattern| vec![set_claim("iss", Value::text(pattern))]);
            let mut scenarios = near(site, |_| dots());
            scenarios.extend(site.first().flat_map(|trust| trust.tokens(patterns.clone())));
            scenarios
        },
    },
    Class {
        id: "IA-16",
        title: "`iss` is the issuer's template itself, its place for the tenant not filled.",
        aims: Some(Rule::IssuerTrusted),
        source: "policy (issuer template); Microsoft identity platform, access token claims",
        build: |site| {
            in_templates(site, |trust| {
                let place = || Value::text(TENANT_PLACE);
                vec![vec![segment(trust, place())], vec![segment(trust, place()), set_claim("tid", place())]]
            })
        },
    },
    Class {
        id: "IA-17",
        title: "The place for the tenant holds what is no tenant: nothing, more than one path segment, dots, a query.",
        aims: Some(Rule::IssuerTrusted),
        source: "policy (issuer template: one path segment); RFC 3986 section 3.3",
        build: |site| in_templates(site, no_tenants),
    },
    Class {
        id: "IA-18",
        title: "An admitted tenant's id stands in `iss` and `tid` in other letter case, in braces, shorter or longer.",
        aims: Some(Rule::TenantAdmitted),
        source: "policy (tenants are compared as they stand); RFC 9562 section 4",
        build: |site| in_templates(site, respelled_tenants),
    },
    Class {
        id: "IA-20",
        title: "The tenant claim is left out, and the tenant in `iss` is believed.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "policy (issuer template, `tid`); Microsoft identity platform, access token claims",
        build: |site| in_templates(site, |_| vec![vec![drop_claim("tid")]]),
    },
    Class {
        id: "IA-21",
        title: "The tenant claim stands there twice, in two letter cases, and names another customer once.",
        aims: Some(Rule::TenantAdmitted),
        source: "RFC 7519 section 4 (claim names are case-sensitive); policy (`tid`)",
        build: |site| in_templates(site, tenant_twins),
    },
    Class {
        id: "IA-23",
        title: "`iss` has a word for many tenants in the tenant's place: common, organizations, consumers.",
        aims: Some(Rule::TenantAdmitted),
        source: "policy (issuer template); Microsoft identity platform, tenant-independent endpoints",
        build: |site| in_templates(site, words_for_many),
    },
    Class {
        id: "IA-25",
        title: "The header repeats `iss` with another value: the trusted name where the payload has none.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 5.3",
        build: |site| {
            tokens(site, |trust| {
                let own = || Value::issuer(&trust.issuer.alias);
                vec![
                    vec![set_header("iss", own()), set_claim("iss", stranger(trust))],
                    vec![set_header("iss", stranger(trust))],
                ]
            })
        },
    },
    Class {
        id: "IA-26",
        title: "`iss` stands there twice, with the trusted name and a stranger's, in both orders.",
        aims: Some(Rule::IssuerTrusted),
        source: "RFC 7519 section 4 (refused, or the last one counts)",
        build: |site| {
            tokens(site, |trust| {
                [Place::Last, Place::First].map(|at| vec![duplicate("iss", stranger(trust), at)]).into()
            })
        },
    },
    Class {
        id: "IA-27",
        title: "The issuer is named by `ISS` or `Iss` alone, which are names of other claims.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 7519 sections 4 and 10.1.1 (claim names are case-sensitive); RFC 8725 section 3.8",
        build: |site| {
            tokens(site, |trust| {
                let named = |name: &str| vec![drop_claim("iss"), set_claim(name, Value::issuer(&trust.issuer.alias))];
                ["ISS", "Iss"].map(named).into()
            })
        },
    },
    Class {
        id: "IA-29",
        title: "The payload is written with escapes that JSON does not need: `iss` is the same text.",
        aims: None,
        source: "RFC 8259 section 7; RFC 7519 section 7.3",
        build: |site| tokens(site, |_| vec![vec![spell(Segment::Payload, Spelling::JsonEscapes)]]),
    },
];

fn tokens(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(lists(trust))).collect()
}

/// The trusted name after these edits, in turn; without those that leave it what it is.
fn near(site: Site<'_>, lists: fn(&str) -> Vec<Vec<Edit>>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        let tenant = trust.tenants().first().and_then(|tenant| site.world.tenant(tenant));
        let name = site.world.issuer_name(trust.issuer, tenant);
        let changes = |edits: &Vec<Edit>| edits.iter().fold(name.clone(), |name, edit| edit.apply(&name)) != name;
        let value = |edits: Vec<Edit>| edits.into_iter().fold(Value::issuer(&trust.issuer.alias), Value::edited);
        let lists = lists(&name).into_iter().filter(changes);
        trust.tokens(lists.map(|edits| vec![set_claim("iss", value(edits))]))
    };
    site.first().flat_map(of_trust).collect()
}

fn in_templates(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    let templates = site.trusts().filter(|trust| !trust.tenants().is_empty()).take(1);
    templates.flat_map(|trust| trust.tokens(lists(trust))).collect()
}

fn stranger(trust: Trust<'_>) -> Value {
    let known = |name: &str| trust.site.party.issuers.iter().any(|terms| terms.alias == name);
    let plain = trust.site.strangers().find(|issuer| issuer.tenants.is_empty() && !known(&issuer.alias));
    match plain {
        Some(issuer) => Value::issuer(&issuer.alias),
        None => Value::issuer(&trust.issuer.alias).edited(suffix(".example.net")),
    }
}

pub(super) fn duplicate(name: &str, value: Value, at: Place) -> Act {
    Act::DuplicateClaim(Duplicate { name: name.to_owned(), value, at })
}

fn suffix(text: &str) -> Edit {
    Edit::Suffix(text.to_owned())
}

fn prefix(text: &str) -> Edit {
    Edit::Prefix(text.to_owned())
}

fn replace(from: &str, to: &str) -> Edit {
    Edit::Replace(from.to_owned(), to.to_owned())
}

fn in_host(edit: Edit) -> Edit {
    Edit::InHost(Box::new(edit))
}

fn in_path(edit: Edit) -> Edit {
    Edit::InPath(Box::new(edit))
}

fn slashes(name: &str) -> Vec<Vec<Edit>> {
    let fewer = name.ends_with('/').then(|| vec![Edit::CutEnd(1)]);
    [vec![suffix("/")], vec![suffix("//")]].into_iter().chain(fewer).collect()
}

fn cases() -> Vec<Vec<Edit>> {
    [Edit::SwapCase, replace("https:", "HTTPS:"), in_host(Edit::SwapCase), in_path(Edit::SwapCase)]
        .map(|edit| vec![edit])
        .into()
}

fn schemes() -> Vec<Vec<Edit>> {
    [
        replace("https://", "http://"),
        replace("https://", ""),
        replace("https://", "//"),
        in_host(suffix(":443")),
        in_host(suffix(".")),
    ]
    .map(|edit| vec![edit])
    .into()
}

fn encodings() -> Vec<Vec<Edit>> {
    [
        in_host(Edit::PercentEncode(0)),
        in_path(Edit::PercentEncode(0)),
        replace("://", "%3a//"),
        in_path(prefix("/.")),
        in_path(prefix("/x/..")),
        in_path(prefix("/")),
        suffix("/."),
        suffix("/x/.."),
        replace("/", "\\"),
    ]
    .map(|edit| vec![edit])
    .into()
}

fn look_alikes() -> Vec<Vec<Edit>> {
    let mut lists: Vec<Vec<Edit>> = [
        in_host(Edit::LookAlike),
        in_host(Edit::FullWidth),
        in_host(replace(".", "\u{3002}")),
        in_host(Edit::Insert(1, "\u{ad}".to_owned())),
        in_host(suffix("\u{301}")),
        // Its upper case is `S`.
        replace("https:", "http\u{17f}:"),
    ]
    .map(|edit| vec![edit])
    .into();
    // What RFC 3492 makes of labels of ASCII alone, which RFC 5891 section 4 forbids and decoders undo all the same.
    lists.push([prefix("xn--"), replace(".", "-.xn--"), suffix("-")].map(in_host).into());
    lists
}

fn surroundings() -> Vec<Vec<Edit>> {
    [
        suffix(" "),
        prefix(" "),
        suffix("\t"),
        suffix("\u{a0}"),
        suffix("\u{200b}"),
        prefix("\u{feff}"),
        Edit::Insert(8, "\u{200d}".to_owned()),
        suffix("\0"),
        suffix("\0.example.net"),
    ]
    .map(|edit| vec![edit])
    .into()
}

fn lines() -> Vec<Vec<Edit>> {
    [
        suffix("\n"),
        prefix("\n"),
        suffix("\r\n"),
        suffix("\nhttps://login.example.net"),
        prefix("https://login.example.net\n"),
    ]
    .map(|edit| vec![edit])
    .into()
}

fn dots() -> Vec<Vec<Edit>> {
    [replace(".", "x"), in_host(replace(".", "-"))].map(|edit| vec![edit]).into()
}

/// The issuer's name with this where its template has the tenant.
fn segment(trust: Trust<'_>, value: Value) -> Act {
    let of = trust.issuer.alias.clone();
    set_claim("iss", Value::IssuerWith { of, segment: Box::new(value) })
}

/// The same in `iss` and in the tenant claim.
fn tenant_of(trust: Trust<'_>, value: Value) -> Vec<Act> {
    vec![segment(trust, value.clone()), set_claim("tid", value)]
}

fn own_tenant(trust: Trust<'_>) -> Value {
    Value::Tenant(trust.tenants().first().cloned().unwrap_or_default())
}

fn no_tenants(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let behind = trust.issuer.name.split_once(TENANT_PLACE).map_or("", |(_, behind)| behind);
    let mut lists = ["", ".", ".."].map(|text| tenant_of(trust, Value::text(text))).to_vec();
    let edits = [suffix("/x"), prefix("x/"), suffix("/.."), suffix("?x"), suffix("#"), suffix("\\x")];
    lists.extend(edits.map(|edit| tenant_of(trust, own_tenant(trust).edited(edit))));
    // The template's own end stands in the tenant: what is cut at its first or its last place is another tenant.
    if !behind.is_empty() {
        lists.push(tenant_of(trust, own_tenant(trust).edited(suffix(&format!("{behind}/x")))));
    }
    lists
}

fn respelled_tenants(trust: Trust<'_>) -> Vec<Vec<Act>> {
    // Where no tenants are listed any well-formed one is admitted, these among them.
    if trust.terms.tenants.is_none() {
        return Vec::new();
    }
    let mut lists: Vec<Vec<Act>> = [Edit::SwapCase, replace("-", ""), Edit::CutEnd(1), suffix("0"), Edit::LookAlike]
        .map(|edit| tenant_of(trust, own_tenant(trust).edited(edit)))
        .into();
    lists.push(tenant_of(trust, own_tenant(trust).edited(prefix("{")).edited(suffix("}"))));
    lists
}

fn tenant_twins(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let mut others = trust.other_tenants().chain(trust.tenants().iter().skip(1));
    let Some(other) = others.next() else { return Vec::new() };
    let other = || Value::Tenant(other.clone());
    let mut lists: Vec<Vec<Act>> =
        ["TID", "Tid"].map(|twin| vec![set_claim("tid", other()), set_claim(twin, own_tenant(trust))]).into();
    lists.push(vec![set_claim("TID", other())]);
    lists
}

fn words_for_many(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let words = ["common", "organizations", "consumers"];
    let mut lists: Vec<_> = words.map(|word| vec![segment(trust, Value::text(word))]).into();
    if trust.terms.tenants.is_some() {
        lists.extend(words.map(|word| tenant_of(trust, Value::text(word))));
    }
    lists
}
