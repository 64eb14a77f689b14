//! Time: tokens too old, too new, or with a date that is none.

use super::Class;
use crate::generate::acts::{drop_claim, json, set_claim};
use crate::generate::site::Site;
use crate::rule::Rule;
use crate::scenario::{Act, Scenario, Span, Value};

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "TM-01",
        title: "The token has expired, an hour or years ago.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 section 4.1.4",
        build: |site| tokens(site, &[-3600, -10 * 365 * 86_400].map(|ago| exp(Value::Time(Span(ago - leeway(site)))))),
    },
    Class {
        id: "TM-02",
        title: "The token expires this very second: `exp` is the first moment at which it must no longer be taken.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 section 4.1.4 (on or after)",
        build: |site| tokens(site, &[exp(Value::Time(Span(-leeway(site))))]),
    },
    Class {
        id: "TM-03",
        title: "`exp` is left out, so that the token never ends.",
        aims: Some(Rule::RequiredClaimsPresent),
        source: "RFC 9068 section 2.2; policy (required claims)",
        build: |site| {
            let asked = site.party.required_claims.iter().flatten().any(|name| name == "exp");
            if asked { tokens(site, &[drop_claim("exp")]) } else { Vec::new() }
        },
    },
    Class {
        id: "TM-04",
        title: "`exp` is a date to come, written as text, which is no NumericDate.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 sections 2 and 4.1.4",
        build: |site| tokens(site, &[exp(Value::TimeText(Span(3600)))]),
    },
    Class {
        id: "TM-05",
        title: "`exp` is null, a truth value, a list or an object, which is no NumericDate.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 sections 2 and 4.1.4",
        build: |site| {
            let list = Value::List(vec![Value::Time(Span(3600))]);
            tokens(site, &[Value::null(), Value::bool(true), list, json("{}")].map(exp))
        },
    },
    Class {
        id: "TM-09",
        title: "The token is for later: `nbf` lies ahead, or is no NumericDate.",
        aims: Some(Rule::NotBeforeReached),
        source: "RFC 7519 sections 2 and 4.1.5",
        build: |site| {
            let values = [Value::Time(Span(3600 + leeway(site))), Value::TimeText(Span(-3600)), Value::null()];
            tokens(site, &values.map(|value| set_claim("nbf", value)))
        },
    },
];

fn exp(value: Value) -> Act {
    set_claim("exp", value)
}

fn leeway(site: Site<'_>) -> i64 {
    i64::try_from(site.party.leeway.unwrap_or(0)).unwrap_or(i64::MAX / 2)
}

fn tokens(site: Site<'_>, acts: &[Act]) -> Vec<Scenario> {
    site.first().flat_map(|trust| trust.tokens(acts.iter().map(|act| vec![act.clone()]))).collect()
}
