//! Positive controls: whoever refuses these proves nothing by refusing the rest.

use super::Class;
use crate::generate::site::{Site, Trust};
use crate::jose::Primitive;
use crate::scenario::{Honest, Kid, Scenario};
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
