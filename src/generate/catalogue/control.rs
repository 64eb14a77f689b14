//! Positive controls: whoever refuses these proves nothing by refusing the rest.

use super::Class;
use crate::generate::acts::{drop_claim, drop_header, json, set_claim, spell};
use crate::generate::site::{Site, Trust, permits_signing};
use crate::jose::{Material, Primitive, Spelling};
use crate::scenario::{Act, Duplicate, EcdsaInteger, Honest, Kid, Place, Scenario, Segment, Span, Value};
use crate::world::Key;

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "PC-01",
        title: "An honest token of every trusted issuer, for every tenant, key and algorithm that the policy admits.",
        aims: None,
        source: "RFC 7519 section 7.2",
        build: honest_tokens,
    },
    Class {
        id: "PC-02",
        title: "The diagonal of KS-06: every issuer's keys sign for that issuer itself, with their `kid` and without.",
        aims: None,
        source: "RFC 8725 section 3.8; RFC 7515 section 4.1.4",
        build: diagonal,
    },
    Class {
        id: "PC-04",
        title: "Honest tokens as other writers put them: `typ` first, claims in the order of a map, spaces after colons.",
        aims: None,
        source: "RFC 8259 sections 1 and 2 (order and white space mean nothing); RFC 7519 section 3.1",
        build: as_others_write,
    },
    Class {
        id: "PC-06",
        title: "Legal, and seldom seen: claims that nobody asked for, a long key, a long `kid`, an ECDSA signature whose R or S begins \
                with a zero octet.",
        aims: None,
        source: "RFC 7519 section 4 (claims not understood are ignored); RFC 7518 sections 3.3 and 3.4; RFC 7515 section 4.1.4",
        build: seldom_seen,
    },
];

pub(super) fn honest_tokens(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        for key in trust.honest_keys() {
            let chosen = own_algorithm(trust, key);
            for alg in trust.algorithms_of(key) {
                let alg = (Some(alg) != chosen).then(|| alg.name().to_owned());
                let honest = Honest { alg, ..trust.honest_by(key) };
                scenarios.push(site.single(honest.clone(), Vec::new()));
                let others = trust.tenants().iter().skip(1);
                scenarios.extend(
                    others.map(|tenant| {
                        site.single(Honest { tenant: Some(tenant.clone()), ..honest.clone() }, Vec::new())
                    }),
                );
            }
        }
    }
    scenarios
}

/// The algorithm that an honest token by this key has unless another is asked for.
fn own_algorithm(trust: Trust<'_>, key: &Key) -> Option<Primitive> {
    key.signs.iter().copied().find(|&alg| trust.allows(alg))
}

fn diagonal(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        // Where the first algorithm that the party allows is not the one that the JWK names, AL-13 has the case.
        let in_order =
            |key: &&Key| own_algorithm(trust, key).is_some_and(|alg| trust.algorithms_of(key).contains(&alg));
        let keys = trust.honest_keys().into_iter().filter(in_order);
        keys.flat_map(|key| [Kid::Own, Kid::None].map(|kid| trust.token(vec![trust.sign_with(key, kid)]))).collect()
    };
    site.trusts().flat_map(of_trust).collect()
}

/// Moves a member to the front: what stood elsewhere is left out.
fn first(name: &str, value: Value) -> [Act; 2] {
    [drop_claim(name), Act::DuplicateClaim(Duplicate { name: name.to_owned(), value, at: Place::First })]
}

fn as_others_write(site: Site<'_>) -> Vec<Scenario> {
    let spaced = [Segment::Header, Segment::Payload].map(|part| spell(part, Spelling::JsonWhitespace));
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        // By the alphabet: what comes first is put there last.
        let mut sorted: Vec<Act> = first("iss", Value::issuer(&trust.issuer.alias)).into();
        sorted.extend(first("exp", Value::Time(Span(3600))));
        if !site.party.audiences.is_empty() {
            sorted.extend(first("aud", Value::Audience(site.party.alias.clone())));
        }
        let mut lists = vec![spaced.to_vec(), sorted];
        if let Some(typ) = site.party.token_types.iter().flatten().next() {
            let typ = Duplicate { name: "typ".to_owned(), value: Value::text(typ), at: Place::First };
            lists.push(vec![drop_header("typ"), Act::DuplicateHeader(typ)]);
        }
        trust.tokens(lists)
    };
    site.first().flat_map(of_trust).collect()
}

/// The first key on P-256 by which honest tokens are signed here. A signature that is searched for costs as much as some
/// hundred others, so that the first party of a world that has such a key is enough.
pub(super) fn curve(site: Site<'_>) -> Option<(Trust<'_>, &Key)> {
    fn first(site: Site<'_>) -> Option<(Trust<'_>, &Key)> {
        let short = |key: &&Key| matches!(&key.jwk.material, Material::Ec { crv, .. } if crv == "P-256");
        site.trusts().find_map(|trust| Some((trust, trust.honest_keys().into_iter().find(short)?)))
    }
    let elsewhere = Site::all(site.world).into_iter().find(|site| first(*site).is_some())?;
    let here = (&elsewhere.party.alias, elsewhere.key_source) == (&site.party.alias, site.key_source);
    first(site).filter(|_| here)
}

fn seldom_seen(site: Site<'_>) -> Vec<Scenario> {
    const LONG_MODULUS: usize = 512;
    const LONG_KID: usize = 128;
    let claims = vec![
        set_claim("", Value::text("")),
        set_claim("https://schema.example/größe", Value::text("\u{1f511} \u{10ffff}")),
        set_claim("act", json("{\"sub\":\"somebody\",\"act\":{\"sub\":\"else\",\"iss\":\"https://other.example\"}}")),
        set_claim("numbers", json("[0,-1,0.5,9007199254740991]")),
        set_claim("long", Value::text("x".repeat(4000))),
    ];
    let mut scenarios: Vec<_> = site.first().map(|trust| trust.token(claims.clone())).collect();
    if let Some((trust, key)) = curve(site) {
        let seek = |of| vec![Act::SeekLeadingZero { of }];
        scenarios.extend([EcdsaInteger::R, EcdsaInteger::S].map(|of| site.single(trust.honest_by(key), seek(of))));
    }
    let seldom = |key: &&Key| {
        let long = matches!(&key.jwk.material, Material::Rsa { n, .. } if n.len() >= LONG_MODULUS);
        long || key.jwk.kid.as_ref().is_some_and(|kid| kid.len() >= LONG_KID)
    };
    for trust in site.trusts() {
        let keys = trust.listed_keys().into_iter().filter(|key| permits_signing(&key.jwk) && trust.can_use(key));
        scenarios.extend(keys.filter(seldom).map(|key| trust.token(vec![trust.sign_with(key, Kid::Own)])));
    }
    scenarios
}
