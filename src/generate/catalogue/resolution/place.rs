//! Places that a token names, at which a validator might look for keys (RFC 8725 section 3.10). Their point is what is fetched,
//! so they are tried where keys are fetched.

use super::super::Class;
use super::{attackers, own, signed, some, url};
use crate::generate::acts::{embed_key, set_claim, set_header};
use crate::generate::site::{Site, Trust};
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::scenario::{Act, Edit, KeyHeader, Kid, Scenario, Value};
use crate::world::Key;

pub(in super::super) const CLASSES: &[Class] = &[
    Class {
        id: "KR-04",
        title: "`jku` leads to the attacker's host, under the attacker's signature and under a good one.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 8725 section 3.10; RFC 7515 section 4.1.2; CVE-2018-0114",
        build: |site| each(site, |trust, own, foreign| elsewhere(trust, KeyHeader::Jku, own, foreign)),
    },
    Class {
        id: "KR-05",
        title: "`jku` passes for a place at the issuer's host by its beginning or by a part of it, and leads elsewhere.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 8725 section 3.10; RFC 3986 sections 3.2 and 7.6",
        build: |site| each(site, |trust, own, foreign| disguised(trust, "jku", own, foreign, &DISGUISES)),
    },
    Class {
        id: "KR-06",
        title: "`jku` leads to a page of the issuer's host that sends whoever asks to where its query says.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 8725 section 3.10; RFC 9110 section 15.4; RFC 6819 section 4.1.5",
        build: |site| each(site, |trust, own, foreign| redirected(trust, "jku", own, foreign)),
    },
    Class {
        id: "KR-07",
        title: "At `jku` the attacker serves its own keys beside the issuer's, before them or behind them, and signs.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 sections 3.8 and 3.10; RFC 7517 section 5 (the order in a set means nothing)",
        build: |site| each(site, beside_the_issuers),
    },
    Class {
        id: "KR-08",
        title: "`x5u` leads to the attacker's host, passes for a place at the issuer's, or is sent on from there.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 7515 section 4.1.5; RFC 8725 section 3.10",
        build: |site| {
            each(site, |trust, own, foreign| {
                let mut lists = elsewhere(trust, KeyHeader::X5u, own, foreign);
                lists.extend(disguised(trust, "x5u", own, foreign, &DISGUISES[..4]));
                lists.extend(redirected(trust, "x5u", own, foreign));
                lists
            })
        },
    },
    Class {
        id: "KR-24",
        title: "`iss` names a place inside, a file, or the attacker's host: whoever looks there before asking whether it is \
                trusted has been led.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 8725 sections 3.8 and 3.10; CVE-2025-52477; CVE-2026-32301",
        build: |site| each(site, inside),
    },
    Class {
        id: "KR-25",
        title: "The tenant in `iss` climbs out of the template's path, so that what is put together from it leads elsewhere.",
        aims: Some(Rule::UrlNotFetched),
        source: "RFC 8725 section 3.10; RFC 3986 section 5.2.4; CVE-2026-32301",
        build: |site| fetched(site).flat_map(climbing).collect(),
    },
];

/// Hosts that pass for the issuer's by a prefix or a part: what is put around its name. `evil.example` is nobody's.
const DISGUISES: [Disguise; 12] = [
    Disguise::After("@evil.example"),
    Disguise::After(".evil.example"),
    Disguise::Before("evil.example/"),
    Disguise::Before("evil.example#"),
    Disguise::Before("evil.example?"),
    Disguise::Before("evil.example//"),
    Disguise::Before("evil.example\\"),
    Disguise::Before("evil.example%2f"),
    Disguise::After(":80@evil.example"),
    Disguise::After("%2eevil.example"),
    Disguise::After("%00.evil.example"),
    Disguise::After(":8443"),
];

#[derive(Clone, Copy)]
enum Disguise {
    Before(&'static str),
    After(&'static str),
}

/// The issuers of which a party fetches the keys, and for which somebody can sign.
fn fetched(site: Site<'_>) -> impl Iterator<Item = Trust<'_>> {
    site.trusts().filter(|trust| trust.site.key_source == KeySource::Fetched)
}

/// Of the first of them, with its key and the attacker's.
fn each(site: Site<'_>, lists: fn(Trust<'_>, &Key, &Key) -> Vec<Vec<Act>>) -> Vec<Scenario> {
    let found = fetched(site).find_map(|trust| Some((trust, own(trust)?, attackers(trust)?)));
    found.map_or_else(Vec::new, |(trust, own, foreign)| some(trust, lists(trust, own, foreign)))
}

/// At the attacker's host, and at a place of the issuer's that nobody told the party of.
fn elsewhere(trust: Trust<'_>, r#as: KeyHeader, own: &Key, foreign: &Key) -> Vec<Vec<Act>> {
    let theirs = [embed_key(r#as, foreign)];
    let forged = [Kid::Own, Kid::Keep].map(|kid| signed(trust, &theirs, foreign, kid));
    let good = [foreign, own].map(|key| vec![embed_key(r#as, key)]);
    forged.into_iter().chain(good).collect()
}

fn disguised(trust: Trust<'_>, name: &str, own: &Key, foreign: &Key, disguises: &[Disguise]) -> Vec<Vec<Act>> {
    let lists = disguises.iter().map(|disguise| {
        let edit = match *disguise {
            Disguise::Before(text) => Edit::Prefix(text.to_owned()),
            Disguise::After(text) => Edit::Suffix(text.to_owned()),
        };
        let place = url(own).edited(Edit::InHost(Box::new(edit)));
        signed(trust, &[set_header(name, place)], foreign, Kid::Own)
    });
    lists.collect()
}

fn redirected(trust: Trust<'_>, name: &str, own: &Key, foreign: &Key) -> Vec<Vec<Act>> {
    let page = Value::Url { of: own.alias.clone(), file: Some("redirect".to_owned()) };
    let place = page.edited(Edit::Suffix("?to=https://evil.example/jwks.json".to_owned()));
    vec![signed(trust, &[set_header(name, place)], foreign, Kid::Own)]
}

fn beside_the_issuers(trust: Trust<'_>, _: &Key, foreign: &Key) -> Vec<Vec<Act>> {
    let at = |file: &str| Value::Url { of: foreign.alias.clone(), file: Some(file.to_owned()) };
    let files = ["own-first.json", "own-last.json"].into_iter();
    let by =
        |kid: Kid| files.clone().map(move |file| signed(trust, &[set_header("jku", at(file))], foreign, kid.clone()));
    [Kid::Own, Kid::Keep].into_iter().flat_map(by).collect()
}

/// Nobody's names, and names of this machine: no request leaves it.
fn inside(trust: Trust<'_>, _: &Key, foreign: &Key) -> Vec<Vec<Act>> {
    let hosts = ["127.0.0.1/", "[::1]/", "localhost:8443/", "metadata.internal/"];
    let inner = hosts.map(|host| url(foreign).edited(Edit::InHost(Box::new(Edit::Prefix(host.to_owned())))));
    let file = url(foreign).edited(Edit::Replace("https://".to_owned(), "file:///etc/".to_owned()));
    let names: Vec<Value> = inner.into_iter().chain([file, url(foreign)]).collect();
    let forged = names.iter().map(|name| signed(trust, &[set_claim("iss", name.clone())], foreign, Kid::Own));
    forged.chain([vec![set_claim("iss", url(foreign))]]).collect()
}

fn climbing(trust: Trust<'_>) -> Vec<Scenario> {
    if trust.tenants().is_empty() {
        return Vec::new();
    }
    let with = |segment: &str| {
        let name = Value::IssuerWith { of: trust.issuer.alias.clone(), segment: Box::new(Value::text(segment)) };
        vec![set_claim("iss", name), set_claim("tid", Value::text(segment))]
    };
    trust.tokens(["../evil", "../../evil", "..//evil.example", "x?y=/evil.example/", "x#/evil.example/"].map(with))
}
