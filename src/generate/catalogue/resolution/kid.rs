//! The `kid`: text that the attacker chooses, which names a key within the issuer's set and nothing else.

use super::super::Class;
use super::{attacked, attackers, colleagues, own, signed, some, url};
use crate::generate::acts::{drop_header, json, set_header, sign_secret};
use crate::generate::site::{Site, Trust, is_secret};
use crate::jose::{Layout, Primitive};
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::scenario::{Edit, Kid, PublicForm, Scenario, Value};
use crate::world::Key;

pub(in super::super) const CLASSES: &[Class] = &[
    Class {
        id: "KR-15",
        title: "`kid` is the text of a JWK, or a URL at the attacker's host, and the key there signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.4 (`kid` is a hint); RFC 8725 section 3.10",
        build: |site| {
            attacked(site, |trust, _, foreign| {
                let jwk = Value::Quoted(Box::new(Value::Jwk(foreign.alias.clone())));
                let place = (trust.site.key_source == KeySource::Fetched).then(|| url(foreign));
                let names = [Some(jwk), place].into_iter().flatten();
                names.map(|name| (vec![set_header("kid", name)], vec![Kid::Keep])).collect()
            })
        },
    },
    Class {
        id: "KR-16",
        title: "`kid` is the path of a file that everybody knows, and what stands in it is the HMAC secret.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 sections 4.1.4 and 10.12; RFC 8725 section 3.10",
        build: |site| keyed(site, &PATHS),
    },
    Class {
        id: "KR-17",
        title: "`kid` is a piece of SQL, LDAP, a shell line, a template, a second header line or a query object.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.10 (`kid` is to be sanitised)",
        build: injected,
    },
    Class {
        id: "KR-18",
        title: "`kid` is no text but `null`, a number, a truth value, a list or an object, over HMAC keyed with nothing, which a \
                look-up that finds nothing may hand out.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.4 (`kid` must be a string); RFC 7518 section 3.2",
        build: no_text,
    },
    Class {
        id: "KR-19",
        title: "`kid` is empty, or a word that may stand for any key: `*`, `default`, `0`.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.4; RFC 7517 section 4.5",
        build: any_key,
    },
    Class {
        id: "KR-20",
        title: "`kid` is the issuer's but for letter case, a full-width form, a NUL at its end, or a thousand characters more.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.4 (case-sensitive); RFC 7517 section 4.5; RFC 8259 section 8.3",
        build: |site| {
            named(site, |own| {
                let kid = own.jwk.kid.clone().unwrap_or_default();
                let edits = [Edit::SwapCase, Edit::FullWidth].into_iter();
                let edits = edits.chain(["\0".to_owned(), "x".repeat(1_100)].map(Edit::Suffix));
                let others = edits.filter(|edit| !kid.is_empty() && edit.apply(&kid) != kid);
                others.map(|edit| Value::Kid(own.alias.clone()).edited(edit)).collect()
            })
        },
    },
    Class {
        id: "KR-21",
        title: "A token without `kid` by each key of an issuer that has several: any of them, or none, and no other issuer's.",
        aims: None,
        source: "RFC 7515 section 4.1.4 (`kid` is optional) and appendix D",
        build: |site| without_kid(site, |count| count > 1),
    },
    Class {
        id: "KR-22",
        title: "A token without `kid` by the only key of its issuer.",
        aims: None,
        source: "RFC 7515 section 4.1.4 (`kid` is optional)",
        build: |site| without_kid(site, |count| count == 1),
    },
    Class {
        id: "KR-23",
        title: "`kid` names one key of the issuer's and another one of them signed.",
        aims: None,
        source: "RFC 7515 section 4.1.4 (`kid` is a hint) and appendix D",
        build: |site| site.trusts().flat_map(neighbours).collect(),
    },
    Class {
        id: "KR-31",
        title: "Good tokens with a flood of unknown `kid`s, and after them an honest one is accepted as ever.",
        aims: None,
        source: "CVE-2026-48524; RFC 7517 section 4.5",
        build: |site| site.first().map(flood).collect(),
    },
];

/// Paths, and what is in the files.
const PATHS: [(&str, &str); 8] = [
    ("/dev/null", ""),
    ("../../../../../../../../dev/null", ""),
    ("..%2f..%2f..%2f..%2fdev%2fnull", ""),
    ("file:///dev/null", ""),
    ("..\\..\\..\\NUL", ""),
    ("/proc/sys/kernel/randomize_va_space", "2\n"),
    ("../../../../../../../../proc/sys/kernel/randomize_va_space", "2\n"),
    ("../../../../../../../../proc/sys/kernel/randomize_va_space", "2"),
];

/// Queries that answer with a key of the attacker's choice, and that key.
const QUERIES: [(&str, &str); 3] = [
    ("nobody' UNION SELECT 'secret' -- ", "secret"),
    ("nobody\" UNION SELECT \"secret\" -- ", "secret"),
    ("nobody' UNION SELECT '", ""),
];

/// What a look-up by string, a shell, a template or a log may make more of.
const PIECES: [&str; 8] =
    ["' OR '1'='1", "*)(uid=*))(|(uid=*", "key.pem; id", "| id", "$(id)", "{{7*7}}", "${7*7}", "key\r\nx-key: other"];

/// How many tokens make a flood.
const FLOOD: usize = 24;

/// Whom to claim with an HMAC: an issuer that may use one before others, so that nothing but its key is wrong.
fn hmac_first(site: Site<'_>) -> Vec<Trust<'_>> {
    let (mut may, others): (Vec<_>, Vec<_>) = site.claimable().partition(|trust| trust.allows(Primitive::HS256));
    may.extend(others);
    may
}

/// HMAC keyed with what the `kid` leads to.
fn keyed(site: Site<'_>, known: &[(&str, &str)]) -> Vec<Scenario> {
    let Some((trust, key)) =
        hmac_first(site).into_iter().find_map(|trust| Some((trust, trust.claimed_keys().into_iter().next()?)))
    else {
        return Vec::new();
    };
    let secret = |text: &str| match text {
        "" => PublicForm::Layout(Layout::Empty),
        text => PublicForm::Text(text.to_owned()),
    };
    some(
        trust,
        known.iter().map(|(kid, text)| vec![sign_secret(key, secret(text), None, Kid::Text((*kid).to_owned()))]),
    )
}

fn injected(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = keyed(site, &QUERIES);
    scenarios.extend(over_nothing(site, [r#"{"$ne":null}"#, r#"{"$gt":""}"#].map(json)));
    scenarios
        .extend(attacked(site, |_, _, _| PIECES.map(|piece| (Vec::new(), vec![Kid::Text(piece.to_owned())])).into()));
    scenarios
}

/// These `kid`s over HMAC keyed with nothing.
fn over_nothing(site: Site<'_>, values: impl IntoIterator<Item = Value>) -> Vec<Scenario> {
    let claimed = hmac_first(site).into_iter().find_map(|trust| Some((trust, own(trust)?)));
    let Some((trust, key)) = claimed else { return Vec::new() };
    let nothing = || sign_secret(key, PublicForm::Layout(Layout::Empty), None, Kid::Keep);
    some(trust, values.into_iter().map(|value| vec![set_header("kid", value), nothing()]))
}

/// And over a good signature, where the standards leave it open.
fn no_text(site: Site<'_>) -> Vec<Scenario> {
    let values = || {
        let own = site.first().find_map(own).map(|key| Value::List(vec![Value::Kid(key.alias.clone())]));
        let plain = [Value::null(), Value::integer(0), Value::integer(1), Value::bool(true), json("{}")];
        plain.into_iter().chain(own)
    };
    let mut scenarios = over_nothing(site, values());
    let honest = site.first().flat_map(|trust| some(trust, values().map(|value| vec![set_header("kid", value)])));
    scenarios.extend(honest);
    scenarios
}

/// These `kid`s over another trusted issuer's signature, where there is one, else over the attacker's; and over a good one, where
/// the standards leave it open.
fn named(site: Site<'_>, values: impl Fn(&Key) -> Vec<Value>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    let found = site.claimable().find_map(|trust| Some((trust, own(trust)?, stranger(trust)?)));
    if let Some((trust, own, foreign)) = found {
        let by = |value| signed(trust, &[set_header("kid", value)], foreign, Kid::Keep);
        scenarios.extend(some(trust, values(own).into_iter().map(by)));
    }
    if let Some((trust, own)) = site.first().find_map(|trust| Some((trust, own(trust)?))) {
        scenarios.extend(some(trust, values(own).into_iter().map(|value| vec![set_header("kid", value)])));
    }
    scenarios
}

/// Somebody else's key whose signature looks most like a good one.
fn stranger(trust: Trust<'_>) -> Option<&Key> {
    colleagues(trust).next().filter(|key| !is_secret(key)).or_else(|| attackers(trust))
}

fn any_key(site: Site<'_>) -> Vec<Scenario> {
    const WORDS: [&str; 4] = ["", "*", "default", "0"];
    let mut scenarios = keyed(site, &WORDS.map(|word| (word, "")));
    let found = site.claimable().find_map(|trust| Some((trust, stranger(trust)?)));
    if let Some((trust, foreign)) = found {
        scenarios.extend(some(trust, WORDS.map(|word| signed(trust, &[], foreign, Kid::Text(word.to_owned())))));
    }
    scenarios
}

fn without_kid(site: Site<'_>, wanted: fn(usize) -> bool) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let keys = trust.honest_keys();
        if wanted(trust.listed_keys().len()) {
            let bare = |key: &&Key| site.single(trust.honest_by(key), vec![drop_header("kid")]);
            scenarios.extend(keys.iter().map(bare));
        }
    }
    scenarios
}

/// Each honest key under the `kid` of the next.
fn neighbours(trust: Trust<'_>) -> Vec<Scenario> {
    let keys = trust.honest_keys();
    if keys.len() < 2 {
        return Vec::new();
    }
    let pairs = keys.iter().zip(keys.iter().cycle().skip(1));
    let under = |(signer, named): (&&Key, &&Key)| {
        trust.site.single(trust.honest_by(signer), vec![set_header("kid", Value::Kid(named.alias.clone()))])
    };
    pairs.map(under).collect()
}

fn flood(trust: Trust<'_>) -> Scenario {
    let unknown = |number: usize| trust.present(vec![set_header("kid", Value::text(format!("nobody-{number}")))]);
    let steps = (0..FLOOD).map(unknown).chain([trust.present(Vec::new())]);
    trust.site.steps(steps.collect())
}

/// In the set that all publish together: the key of one issuer for another, after honest tokens of both.
pub(super) fn one_set(site: Site<'_>) -> Vec<Scenario> {
    if site.key_source != KeySource::Converged {
        return Vec::new();
    }
    let mut scenarios = Vec::new();
    for claimed in site.trusts() {
        for other in claimed.others() {
            let Some(key) = claimed.cleanest_keys(other.issuer).into_iter().next() else { continue };
            let honest = [other.present(Vec::new()), claimed.present(Vec::new())];
            let forged = claimed.present(vec![claimed.sign_with(key, Kid::Own)]);
            scenarios.push(site.steps(honest.into_iter().chain([forged]).collect()));
        }
    }
    scenarios
}
