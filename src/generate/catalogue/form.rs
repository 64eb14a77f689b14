//! Serialization, critical extensions and types of tokens: the frame around the claims.

use super::Class;
use crate::generate::acts::{drop_header, set_claim, set_header};
use crate::generate::site::{Site, Trust};
use crate::jose::Serialization;
use crate::rule::Rule;
use crate::scenario::{Act, Scenario, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "CR-01",
        title: "The signer says that an extension must be understood (`crit`), and the validator does not know it.",
        aims: Some(Rule::CritUnderstood),
        source: "RFC 7515 section 4.1.11; CVE-2025-59420",
        build: |site| tokens(site, critical),
    },
    Class {
        id: "CR-02",
        title: "The list of extensions that must be understood is there and empty, which it must not be.",
        aims: Some(Rule::CritUnderstood),
        source: "RFC 7515 section 4.1.11",
        build: |site| tokens(site, |_| vec![vec![set_header("crit", Value::List(Vec::new()))]]),
    },
    Class {
        id: "SE-01",
        title: "A good token comes as JSON with one signature; a JWT is compact.",
        aims: Some(Rule::SerializationExpected),
        source: "RFC 7519 sections 1 and 7.2; RFC 7515 section 7.2.2",
        build: |site| tokens(site, |_| vec![vec![serialize(Serialization::Flattened)]]),
    },
    Class {
        id: "SE-08",
        title: "A good token comes without its payload, to be filled in from elsewhere.",
        aims: Some(Rule::SerializationExpected),
        source: "RFC 7515 appendix F; RFC 7519 section 7.2",
        build: |site| tokens(site, |_| vec![vec![serialize(Serialization::Detached)]]),
    },
    Class {
        id: "SE-09",
        title: "The header says that the payload is not encoded (`b64` false), which no JWT may, and that this must be understood.",
        aims: Some(Rule::SerializationExpected),
        source: "RFC 7797 sections 6 and 7",
        build: |site| {
            let unencoded = || set_header("b64", Value::bool(false));
            let crit = || set_header("crit", Value::List(vec![Value::text("b64")]));
            // Without `crit` whoever does not know `b64` ignores it (RFC 7515 section 4), and rightly accepts.
            site.first().flat_map(|trust| trust.tokens([vec![crit(), unencoded()]])).collect()
        },
    },
    Class {
        id: "TY-01",
        title: "An ID token, which has a nonce and no access token's `typ`, is presented to a service that asks for a type.",
        aims: Some(Rule::TypeExpected),
        source: "RFC 8725 sections 2.8 and 3.11; RFC 9068 section 4",
        build: |site| typed(site, id_token),
    },
    Class {
        id: "TY-13",
        title: "`typ` is missing, names another kind of token, or stands among the claims only.",
        aims: Some(Rule::TypeExpected),
        source: "RFC 8725 section 3.11; RFC 7515 section 4.1.9",
        build: |site| typed(site, other_types),
    },
];

fn tokens(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(lists(trust))).collect()
}

fn typed(site: Site<'_>, lists: fn(Trust<'_>) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    if site.party.token_types.iter().flatten().next().is_some() { tokens(site, lists) } else { Vec::new() }
}

fn serialize(serialization: Serialization) -> Act {
    Act::Serialize { r#as: serialization }
}

fn critical(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let known = trust.site.party.crit_understood.as_deref().unwrap_or_default();
    let unknown = ["x-bound", "exp"].into_iter().filter(|name| !known.iter().any(|one| one == name));
    let acts = |name: &str| {
        let crit = set_header("crit", Value::List(vec![Value::text(name)]));
        vec![crit, set_header(name, Value::bool(true))]
    };
    unknown.map(acts).collect()
}

/// `typ` values of other kinds of tokens (RFC 9068, OpenID Connect Back-Channel Logout, RFC 9449).
const KINDS: [&str; 4] = ["JWT", "at+jwt", "logout+jwt", "dpop+jwt"];

/// The kinds that this party does not ask for, whatever the spelling (RFC 7515 section 4.1.9).
fn unasked(trust: Trust<'_>) -> impl Iterator<Item = &'static str> {
    let plain = |name: &str| {
        let lower = name.to_ascii_lowercase();
        lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
    };
    let asked: Vec<String> = trust.site.party.token_types.iter().flatten().map(|name| plain(name)).collect();
    KINDS.into_iter().filter(move |kind| !asked.contains(&plain(kind)))
}

fn id_token(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let nonce = || set_claim("nonce", Value::text("n-0S6_WzA2Mj"));
    let mut lists = vec![vec![drop_header("typ"), nonce()]];
    let jwt = unasked(trust).find(|kind| *kind == "JWT");
    lists.extend(jwt.map(|kind| vec![set_header("typ", Value::text(kind)), nonce()]));
    lists
}

fn other_types(trust: Trust<'_>) -> Vec<Vec<Act>> {
    let mut lists = vec![vec![drop_header("typ")]];
    lists.extend(unasked(trust).map(|kind| vec![set_header("typ", Value::text(kind))]));
    let asked = trust.site.party.token_types.iter().flatten().next();
    lists.extend(asked.map(|typ| vec![drop_header("typ"), set_claim("typ", Value::text(typ))]));
    lists
}
