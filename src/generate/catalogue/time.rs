//! Time: tokens too old, too new, or with a date that is none.

use super::Class;
use super::issuer_name::duplicate;
use crate::generate::acts::{drop_claim, json, set_claim};
use crate::generate::site::{Site, Trust};
use crate::rule::Rule;
use crate::scenario::{Act, Place, PolicyAct, Scenario, Span, Step, Value};

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
        id: "TM-06",
        title: "`exp` is 0 or negative: long ago, and not without end.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 sections 2 and 4.1.4",
        build: |site| {
            // Where a leeway reaches further back than 1970, that is a policy and no attack.
            let numbers = ["0", "-1", "-2147483649", "-9223372036854775808", "-9223372036854775809", "-1e308"];
            tokens(site, &numbers.map(|number| exp(Value::Number(number.to_owned()))))
        },
    },
    Class {
        id: "TM-07",
        title: "`exp` has a fraction of a second, which decides nothing an hour before or after it.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 section 2 (non-integer values can be represented)",
        build: |site| {
            let date = |span: i64| Value::TimeAs { at: Span(span), form: "{}.5".to_owned() };
            let of_trust = |trust: Trust<'_>| {
                let shown = [exp(date(3600)), exp(date(-3600 - leeway(site))), set_claim("nbf", date(-3600))];
                site.steps(shown.map(|act| trust.present(vec![act])).into())
            };
            site.first().map(of_trust).collect()
        },
    },
    Class {
        id: "TM-08",
        title: "`nbf` lies so far ahead that no integer of 32, 53 or 64 bits holds it, nor any double: it must not come round.",
        aims: Some(Rule::NotBeforeReached),
        source: "RFC 7519 sections 2 and 4.1.5; RFC 8259 section 6",
        build: |site| {
            let wraps = ["9007199254740993", "9223372036854775808", "18446744073709551616", "18446744073709551617"];
            let beyond = ["1e19", "1e308", "1e999"];
            let numbers = wraps.into_iter().chain(beyond).map(|number| Value::Number(number.to_owned()));
            // A date of this century whose lower 32 bits are one of the last.
            let century = Value::Number("5000000000".to_owned());
            let nbf: Vec<_> = numbers.chain([century]).map(|value| set_claim("nbf", value)).collect();
            tokens(site, &nbf)
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
    Class {
        id: "TM-10",
        title: "`iat` lies a week back or an hour ahead: how old a token may be the policy does not say.",
        aims: None,
        source: "RFC 7519 section 4.1.6 (used to determine the age)",
        build: |site| tokens(site, &[-7 * 86_400, 3600].map(|span| set_claim("iat", Value::Time(Span(span))))),
    },
    Class {
        id: "TM-11",
        title: "The dates contradict one another: the token ends before it begins, or before it was issued.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 sections 4.1.4 to 4.1.6",
        build: |site| {
            let ended = |claim: &str, span| {
                vec![exp(Value::Time(Span(-3600 - leeway(site)))), set_claim(claim, Value::Time(Span(span)))]
            };
            let lists = [ended("nbf", 3600 + leeway(site)), ended("nbf", -60), ended("iat", -60), ended("iat", 3600)];
            site.first().flat_map(|trust| trust.tokens(lists.clone())).collect()
        },
    },
    Class {
        id: "TM-12",
        title: "The leeway is as large as an integer can be: honest tokens and long expired ones are in time, and nothing overflows.",
        aims: None,
        source: "RFC 7519 sections 4.1.4 and 4.1.5; policy (leeway)",
        build: |site| {
            let of_trust = |trust: Trust<'_>, leeway: u64| {
                let widen =
                    Step::UpdatePolicy { party: site.party.alias.clone(), acts: vec![PolicyAct::SetLeeway(leeway)] };
                let expired = vec![exp(Value::Time(Span(-86_400)))];
                let early = vec![set_claim("nbf", Value::Time(Span(86_400)))];
                let shown = [Vec::new(), expired, early].map(|acts| trust.present(acts));
                site.steps([widen].into_iter().chain(shown).collect())
            };
            let largest = [u64::MAX, i64::MAX.unsigned_abs(), u64::from(u32::MAX)];
            site.first().flat_map(|trust| largest.map(|leeway| of_trust(trust, leeway))).collect()
        },
    },
    Class {
        id: "TM-13",
        title: "`exp` stands there twice, once in the past and once to come, in both orders.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 section 4 (refused, or the last one counts)",
        build: |site| {
            let past = || Value::Time(Span(-3600 - leeway(site)));
            tokens(site, &[Place::Last, Place::First].map(|at| duplicate("exp", past(), at)))
        },
    },
    Class {
        id: "TM-14",
        title: "A date is written in milliseconds: `nbf` of an hour ago is then a date tens of thousands of years ahead.",
        aims: Some(Rule::NotBeforeReached),
        source: "RFC 7519 section 2 (NumericDate is in seconds)",
        build: |site| {
            let thousandfold =
                |claim, span| set_claim(claim, Value::TimeAs { at: Span(span), form: "{}000".to_owned() });
            tokens(site, &[thousandfold("nbf", -3600), thousandfold("exp", -3600)])
        },
    },
    Class {
        id: "TM-15",
        title: "The clock stands beyond what 32 bits count, signed or not, and in the year 3000.",
        aims: Some(Rule::NotExpired),
        source: "RFC 7519 sections 2 and 4.1.4 (seconds since 1970, without a bound)",
        build: |site| {
            // There a key's certificate has ended, or has it not: that is another class's matter.
            if site.party.enforce_key_lifetime == Some(true) {
                return Vec::new();
            }
            let year = 365 * 86_400;
            let of_trust = |trust: Trust<'_>, years: i64| {
                let expired = vec![exp(Value::Time(Span(-3600 - leeway(site))))];
                let shown = [Vec::new(), expired].map(|acts| trust.present(acts));
                site.steps([Step::AdvanceClock(Span(years * year))].into_iter().chain(shown).collect())
            };
            site.first().flat_map(|trust| [20, 100, 970].map(|years| of_trust(trust, years))).collect()
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
