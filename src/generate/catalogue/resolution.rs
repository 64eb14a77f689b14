//! Key resolution: the token carries a key or says where one is, by `jwk`, `jku`, `x5c`, `x5u`, `x5t`, `kid` or `iss`, and none
//! of that makes it the issuer's.

mod kid;
mod place;

use super::Class;
use crate::generate::acts::{embed_jwk, embed_key, set_header};
use crate::generate::site::{Site, Trust, is_secret};
use crate::rule::Rule;
use crate::scenario::{Act, KeyHeader, Kid, Scenario, Value};
use crate::world::Key;
pub(super) use kid::CLASSES as BY_KID;
pub(super) use place::CLASSES as BY_PLACE;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "KR-01",
        title: "The token brings its own key in the header `jwk`, and the signature is good under it.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "CVE-2018-0114; RFC 7515 sections 4.1.3 and 6",
        build: embedded,
    },
    Class {
        id: "KR-02",
        title: "The header `jwk` holds the issuer's real key, and the attacker's signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 sections 4.1.3 and 5.2",
        build: |site| attacked(site, |_, own, _| vec![(vec![embed_jwk(own)], kids())]),
    },
    Class {
        id: "KR-03",
        title: "The header `jwk` is no key: a URL, or an object that says where one is or holds a certificate.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.3 (`jwk` is a JWK); RFC 8725 section 3.10",
        build: |site| attacked(site, no_key),
    },
    Class {
        id: "KR-09",
        title: "The token brings a certificate in `x5c` that its key signed for itself, and the signature is good under it.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 sections 4.1.6 and 10.3; RFC 5280 section 6",
        build: |site| attacked(site, self_signed),
    },
    Class {
        id: "KR-10",
        title: "`x5c` holds the attacker's certificate beside the issuer's, before it or behind it, and the attacker's key signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 section 4.1.6 (the first is the signer's, and each certifies the one before it)",
        build: |site| attacked(site, chains),
    },
    Class {
        id: "KR-13",
        title: "`x5t` or `x5t#S256` names the certificate of another key than the one that signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 sections 4.1.7 and 4.1.8",
        build: thumbprints,
    },
    Class {
        id: "KR-14",
        title: "`kid`, `jwk`, `x5c` and `x5t` name keys of different parties, and one that is not the issuer's signed.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 7515 sections 6 and 10.3; RFC 8725 section 3.8",
        build: |site| {
            let mut scenarios = attacked(site, at_odds);
            scenarios.extend(certified(site));
            scenarios
        },
    },
    Class {
        id: "KR-29",
        title: "Two issuers publish one set, and the key of the one signs for the other, after honest tokens of both.",
        aims: Some(Rule::KeyBelongsToIssuer),
        source: "RFC 8725 section 3.8; RFC 7517 section 5",
        build: kid::one_set,
    },
];

/// How many tokens of a class are a few.
const FEW: usize = 3;

/// Acts before the signature, and what `kid` says after it: a token for each of these.
type Forgery = (Vec<Act>, Vec<Kid>);

/// What the `kid` says where a key is carried: the carried key's own, or the issuer's as before.
fn kids() -> Vec<Kid> {
    vec![Kid::Own, Kid::Keep]
}

/// In the name of the first issuer that can be claimed: what is done with its key and the attacker's, who then signs.
fn attacked(site: Site<'_>, forgeries: fn(Trust<'_>, &Key, &Key) -> Vec<Forgery>) -> Vec<Scenario> {
    let Some((trust, own, foreign)) = site.claimable().find_map(|trust| Some((trust, own(trust)?, attackers(trust)?)))
    else {
        return Vec::new();
    };
    let mut lists = Vec::new();
    for (acts, kids) in forgeries(trust, own, foreign) {
        lists.extend(kids.into_iter().map(|kid| signed(trust, &acts, foreign, kid)));
    }
    some(trust, lists)
}

/// All of these tokens at a world's first relying party, and a few elsewhere, where the rest would show nothing new.
fn some(trust: Trust<'_>, lists: impl IntoIterator<Item = Vec<Act>>) -> Vec<Scenario> {
    let site = trust.site;
    let first = site.world.parties.first().is_some_and(|party| party.alias == site.party.alias);
    trust.tokens(lists.into_iter().take(if first { usize::MAX } else { FEW }))
}

/// These acts, and then that key signs.
fn signed(trust: Trust<'_>, acts: &[Act], key: &Key, kid: Kid) -> Vec<Act> {
    acts.iter().cloned().chain([trust.sign_with(key, kid)]).collect()
}

/// The issuer's first key pair.
fn own(trust: Trust<'_>) -> Option<&Key> {
    trust.claimed_keys().into_iter().find(|key| !is_secret(key))
}

/// The attacker's first key pair with an algorithm that this issuer is allowed.
fn attackers(trust: Trust<'_>) -> Option<&Key> {
    trust.site.attacker_keys().find(|key| !is_secret(key) && trust.can_use(key))
}

/// Keys of the other trusted issuers with an algorithm that this issuer is allowed.
fn colleagues(trust: Trust<'_>) -> impl Iterator<Item = &Key> {
    let keys = trust.others().flat_map(move |other| trust.cleanest_keys(other.issuer));
    keys.filter(move |key| trust.can_use(key))
}

fn url(key: &Key) -> Value {
    Value::Url { of: key.alias.clone(), file: None }
}

fn certificate(key: &Key) -> Option<Value> {
    key.certificates().map(|_| Value::Certificate(key.alias.clone()))
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Object(members.map(|(name, value)| (name.to_owned(), value)).into())
}

fn embedded(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.claimable() {
        for key in site.attacker_keys().filter(|key| !is_secret(key) && trust.can_use(key)) {
            let kids = [Kid::Own, Kid::Keep];
            scenarios.extend(kids.map(|kid| trust.token(vec![embed_jwk(key), trust.sign_with(key, kid)])));
        }
    }
    scenarios
}

fn no_key(_: Trust<'_>, _: &Key, foreign: &Key) -> Vec<Forgery> {
    let kty = || ("kty", Value::text(foreign.jwk.material.kty()));
    let mut values = vec![url(foreign), object([kty(), ("jku", url(foreign))]), object([kty(), ("x5u", url(foreign))])];
    values.extend(certificate(foreign).map(|first| object([kty(), ("x5c", Value::List(vec![first]))])));
    values.into_iter().map(|value| (vec![set_header("jwk", value)], vec![Kid::Keep])).collect()
}

fn self_signed(_: Trust<'_>, _: &Key, foreign: &Key) -> Vec<Forgery> {
    let chain = || embed_key(KeyHeader::X5c, foreign);
    let named = vec![chain(), embed_key(KeyHeader::X5t, foreign), embed_key(KeyHeader::X5tS256, foreign)];
    vec![(vec![chain()], kids()), (named, vec![Kid::None])]
}

fn chains(_: Trust<'_>, own: &Key, foreign: &Key) -> Vec<Forgery> {
    let (Some(trusted), Some(other)) = (certificate(own), certificate(foreign)) else { return Vec::new() };
    let orders = [vec![trusted.clone(), other.clone()], vec![other, trusted]];
    orders.map(|chain| (vec![set_header("x5c", Value::List(chain))], vec![Kid::Keep])).into()
}

/// Under the attacker's signature; and under a good one, where the standards leave open what becomes of it.
fn thumbprints(site: Site<'_>) -> Vec<Scenario> {
    const NAMES: [KeyHeader; 2] = [KeyHeader::X5t, KeyHeader::X5tS256];
    let mut scenarios = attacked(site, |_, own, foreign| {
        let certified = [own, foreign].into_iter().filter(|key| key.certificates().is_some());
        let named = |key: &Key| NAMES.map(|name| (vec![embed_key(name, key)], vec![Kid::Keep]));
        certified.flat_map(named).collect()
    });
    for trust in site.first() {
        let Some(foreign) = attackers(trust) else { continue };
        scenarios.extend(some(trust, NAMES.map(|name| vec![embed_key(name, foreign)])));
    }
    scenarios
}

fn at_odds(trust: Trust<'_>, own: &Key, foreign: &Key) -> Vec<Forgery> {
    let other = trust.others().find_map(|other| other.claimed_keys().into_iter().find(|key| !is_secret(key)));
    let other = other.unwrap_or(own);
    let chain = |key: &Key| key.certificates().map(|_| embed_key(KeyHeader::X5c, key));
    let named = |key: &Key| key.certificates().map(|_| embed_key(KeyHeader::X5tS256, key));
    let carried = |jwk: &Key, first: &Key, second: Option<&Key>| {
        let acts = [Some(embed_jwk(jwk)), chain(first), second.and_then(named)].into_iter().flatten().collect();
        (acts, vec![Kid::Of(own.alias.clone())])
    };
    vec![
        carried(foreign, own, None),
        carried(foreign, own, Some(other)),
        carried(own, foreign, Some(other)),
        carried(other, own, Some(foreign)),
    ]
}

/// By its certificate, and by what names that, another trusted issuer's key in an issuer's name.
fn certified(site: Site<'_>) -> Vec<Scenario> {
    let colleague = |trust| colleagues(trust).find(|key| key.certificates().is_some());
    let Some((trust, key)) = site.claimable().find_map(|trust| Some((trust, colleague(trust)?))) else {
        return Vec::new();
    };
    let names = [KeyHeader::X5c, KeyHeader::X5t, KeyHeader::X5tS256];
    let by = |name, kid| signed(trust, &[embed_key(name, key)], key, kid);
    some(trust, names.into_iter().flat_map(|name| [by(name, Kid::Keep), by(name, Kid::None)]))
}
