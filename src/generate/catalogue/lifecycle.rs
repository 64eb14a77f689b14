//! Key lifecycle: keys and issuers come, go, and outlive their time.

use super::Class;
use super::key_scope::own_keys;
use crate::generate::acts::{set_claim, the_same_again};
use crate::generate::site::{Site, Trust, is_secret};
use crate::jose::{Family, Material, NumericDate, Primitive};
use crate::rule::Rule;
use crate::scenario::{Act, Honest, Kid, PolicyAct, Present, Scenario, SignWith, Span, Step, Value};
use crate::world::Key;

/// A certificate that ended before this (2025-01-01) has ended at any time at which this program runs.
const SURELY_PAST: NumericDate = NumericDate(1_735_689_600);

pub(super) const CLASSES: &[Class] = &[
    Class {
        id: "KL-01",
        title: "A key is taken out of the set, because it leaked for instance, and signs once more.",
        aims: Some(Rule::KeyInService),
        source: "OpenID Connect Core 1.0 section 10.1.1; CVE-2025-22149",
        build: removed,
    },
    Class {
        id: "KL-02",
        title: "A refresh brings another key in the place of the old one, whose token must not be accepted beside the new one's.",
        aims: Some(Rule::KeyInService),
        source: "CVE-2025-22149; OpenID Connect Core 1.0 section 10.1.1",
        build: |site| rotations(site, replaced),
    },
    Class {
        id: "KL-03",
        title: "The issuer's own key signs after the end that its certificate or JWK shows.",
        aims: Some(Rule::KeyLifetimeHonoured),
        source: "Storm-0558 (2023); RFC 5280 section 4.1.2.5; policy (`enforce_key_lifetime`)",
        build: |site| lifetime(site, has_ended),
    },
    Class {
        id: "KL-04",
        title: "The issuer's own key signs before the start that its certificate or JWK shows.",
        aims: Some(Rule::KeyLifetimeHonoured),
        source: "RFC 5280 section 4.1.2.5; policy (`enforce_key_lifetime`)",
        build: |site| lifetime(site, |_, key| key.not_before.is_some_and(|start| start.0 > 0)),
    },
    Class {
        id: "KL-05",
        title: "A key is revoked, and signs a token that says it was issued long before: whoever has the key writes any date. Or it \
                is still listed and its JWK says `revoked`, which a set that is no history need not know.",
        aims: Some(Rule::KeyInService),
        source: "OpenID Federation 1.0, historical keys (`revoked`); OpenID Connect Core 1.0 section 10.1.1; RFC 7517 section 4",
        build: revoked,
    },
    Class {
        id: "KL-06",
        title: "A key past its end signs a token whose `iat` lies within its lifetime, and one whose `iat` lies after it.",
        aims: Some(Rule::KeyLifetimeHonoured),
        source: "Storm-0558 (2023); RFC 7519 section 4.1.6; policy (`enforce_key_lifetime`)",
        build: backdated,
    },
    Class {
        id: "KL-07",
        title: "An issuer is disabled while the validator runs, and signs once more.",
        aims: Some(Rule::KeyInService),
        source: "RFC 8725 section 3.8; policy (trust withdrawn)",
        build: disabled,
    },
    Class {
        id: "KL-08",
        title: "An issuer is taken out of the policy, and a token that was accepted before comes again within its lifetime.",
        aims: Some(Rule::KeyInService),
        source: "CVE-2023-20903; RFC 8725 section 3.8; policy (trust withdrawn)",
        build: outlived,
    },
    Class {
        id: "KL-09",
        title: "A new key takes over the old one's `kid`, and the old key signs once more.",
        aims: Some(Rule::KeyInService),
        source: "OpenID Connect Core 1.0 section 10.1.1; RFC 7517 section 4.5",
        build: |site| rotations(site, same_kid),
    },
    Class {
        id: "KL-10",
        title: "A new key with a new `kid` takes over, and its first token must be accepted.",
        aims: None,
        source: "OpenID Connect Core 1.0 section 10.1.1",
        build: |site| rotations(site, new_kid),
    },
    Class {
        id: "KL-11",
        title: "While an old and a new key are both listed, tokens of both must be accepted.",
        aims: None,
        source: "OpenID Connect Core 1.0 section 10.1.1",
        build: |site| rotations(site, overlap),
    },
    Class {
        id: "KL-16",
        title: "The issuer's own key signs although it is no good: its modulus is so short that it can be factored, or its exponent \
                is 1, so that everybody can sign; or it is a secret, and shorter than what the hash puts out.",
        aims: Some(Rule::KeyAcceptable),
        source: "RFC 7518 sections 3.2 and 3.3; RFC 8017 section 3.1; RFC 8725 section 3.5",
        build: |site| {
            let weak = own_keys(site, |_, key| is_weak(&key.jwk.material));
            weak.into_iter().chain(site.trusts().flat_map(shorter_than_the_hash)).collect()
        },
    },
];

/// The first honest key that can be taken out of the issuer's set.
fn first_listed(trust: Trust<'_>) -> Option<&Key> {
    trust.honest_keys().into_iter().find(|key| key.published)
}

/// The change with a good token before it and a bad one after it: at once where no earlier set may be used any more, and
/// after a wait.
fn before_and_after(trust: Trust<'_>, before: Honest, change: Step, after: &Honest) -> Vec<Scenario> {
    let site = trust.site;
    let prime = site.present(before, Vec::new());
    let again = site.present(after.clone(), Vec::new());
    let wait = Step::AdvanceClock(site.patience());
    let later = site.steps(vec![prime.clone(), change.clone(), wait, again.clone()]);
    let at_once = site.steps(vec![prime, change, again]);
    if site.party.jwks_max_age.unwrap_or(0) == 0 { vec![at_once, later] } else { vec![later] }
}

/// A secret that is listed for no one algorithm, under those that it is too short for.
fn shorter_than_the_hash(trust: Trust<'_>) -> Vec<Scenario> {
    let keys = trust.honest_keys();
    let Some(key) = keys.iter().find(|key| is_secret(key) && key.jwk.alg.is_none()) else { return Vec::new() };
    let too_short = |alg: &Primitive| key.jwk.material.bits().is_some_and(|bits| bits < alg.hash().octets() * 8);
    let algorithms = Primitive::ALL.into_iter().filter(|alg| alg.family() == Family::Hmac && trust.allows(*alg));
    let signed = |alg: Primitive| {
        let sign = SignWith { key: Some(key.alias.clone()), alg: Some(alg.name().to_owned()), ..SignWith::default() };
        trust.site.single(trust.honest_by(key), vec![Act::SignWith(sign)])
    };
    algorithms.filter(too_short).map(signed).collect()
}

fn is_weak(material: &Material) -> bool {
    match material {
        Material::Rsa { e, .. } => material.bits().is_some_and(|bits| bits < 2048) || e.as_slice() == [1],
        _ => false,
    }
}

fn removed(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Vec<Scenario> {
        let Some(key) = first_listed(trust) else { return Vec::new() };
        let by_key = Honest { key: Some(key.alias.clone()), ..trust.honest() };
        before_and_after(trust, trust.honest_by(key), Step::RemoveKey { key: key.alias.clone() }, &by_key)
    };
    site.trusts().flat_map(of_trust).collect()
}

/// A week before now, which is before anything in the scenario happened.
fn long_ago() -> Act {
    set_claim("iat", Value::Time(Span(-7 * 86_400)))
}

fn revoked(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| -> Option<[Scenario; 2]> {
        let key = first_listed(trust)?;
        let by_key = Honest { key: Some(key.alias.clone()), ..trust.honest() };
        let steps = vec![
            site.present(trust.honest_by(key), Vec::new()),
            Step::RemoveKey { key: key.alias.clone() },
            Step::AdvanceClock(site.patience()),
            site.present(by_key, vec![long_ago()]),
        ];
        let acts = vec![PolicyAct::MarkRevoked(key.alias.clone())];
        let marked = Step::UpdatePolicy { party: site.party.alias.clone(), acts };
        Some([site.steps(steps), site.steps(vec![marked, site.present(trust.honest_by(key), Vec::new())])])
    };
    site.trusts().filter_map(of_trust).flatten().collect()
}

fn backdated(site: Site<'_>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    if site.party.enforce_key_lifetime != Some(true) {
        return scenarios;
    }
    for trust in site.trusts() {
        let ended = |key: &&Key| !trust.algorithms_of(key).is_empty() && has_ended(trust, key);
        for key in trust.listed_keys().into_iter().filter(ended) {
            let end = key.not_after.unwrap_or(Span(-20 * 365 * 86_400));
            let dates = [Span(end.0 - 86_400), Span(-60)];
            let dated = dates.map(|span| vec![set_claim("iat", Value::Time(span)), trust.sign_with(key, Kid::Own)]);
            scenarios.extend(dated.map(|acts| trust.token(acts)));
        }
    }
    scenarios
}

/// The token of before, octet by octet, when nobody trusts its issuer any more.
fn outlived(site: Site<'_>) -> Vec<Scenario> {
    let first = "first";
    let of_trust = |trust: Trust<'_>| {
        let party = site.party.alias.clone();
        let named =
            Present { name: Some(first.to_owned()), to: party.clone(), honest: trust.honest(), acts: Vec::new() };
        let acts = vec![PolicyAct::RemoveIssuer(trust.issuer.alias.clone())];
        let steps = vec![
            Step::Present(named),
            Step::UpdatePolicy { party, acts },
            Step::AdvanceClock(site.patience()),
            trust.present(the_same_again(first)),
        ];
        site.steps(steps)
    };
    site.trusts().map(of_trust).collect()
}

fn disabled(site: Site<'_>) -> Vec<Scenario> {
    let of_trust = |trust: Trust<'_>| {
        let gone = Step::DisableIssuer { issuer: trust.issuer.alias.clone() };
        before_and_after(trust, trust.honest(), gone, &trust.honest())
    };
    site.trusts().flat_map(of_trust).collect()
}

fn has_ended(_: Trust<'_>, key: &Key) -> bool {
    let by_certificate = key.jwk.lifetime().and_then(|lifetime| lifetime.not_after);
    key.not_after.is_some_and(|end| end.0 < 0) || by_certificate.is_some_and(|end| end < SURELY_PAST)
}

fn lifetime(site: Site<'_>, outside: fn(Trust<'_>, &Key) -> bool) -> Vec<Scenario> {
    if site.party.enforce_key_lifetime == Some(true) { own_keys(site, outside) } else { Vec::new() }
}

/// Every honest key with an unpublished one of the same issuer that can take its place.
fn rotations(site: Site<'_>, play: fn(Trust<'_>, &Key, &Key) -> Vec<Scenario>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for trust in site.trusts() {
        let waits = |key: &&Key| !key.published && key.private.is_some() && !is_secret(key);
        for new in site.world.keys_of(&trust.issuer.alias).filter(waits) {
            let usable = trust.algorithms_of(new);
            let old = trust
                .honest_keys()
                .into_iter()
                .find(|old| old.published && trust.algorithms_of(old).iter().any(|alg| usable.contains(alg)));
            scenarios.extend(old.into_iter().flat_map(|old| play(trust, old, new)));
        }
    }
    scenarios
}

fn rotate(old: &Key, new: &Key, keep_kid: bool, overlap: bool) -> Step {
    Step::RotateKey { key: old.alias.clone(), to: new.alias.clone(), keep_kid, overlap }
}

fn by(trust: Trust<'_>, key: &Key) -> Honest {
    Honest { key: Some(key.alias.clone()), ..trust.honest() }
}

fn same_kid(trust: Trust<'_>, old: &Key, new: &Key) -> Vec<Scenario> {
    before_and_after(trust, trust.honest_by(old), rotate(old, new, true, false), &by(trust, old))
}

fn replaced(trust: Trust<'_>, old: &Key, new: &Key) -> Vec<Scenario> {
    let site = trust.site;
    let steps = vec![
        site.present(trust.honest_by(old), Vec::new()),
        rotate(old, new, false, false),
        site.present(by(trust, new), Vec::new()),
        Step::AdvanceClock(site.patience()),
        site.present(by(trust, old), Vec::new()),
    ];
    vec![site.steps(steps)]
}

fn new_kid(trust: Trust<'_>, old: &Key, new: &Key) -> Vec<Scenario> {
    let site = trust.site;
    let prime = site.present(trust.honest_by(old), Vec::new());
    let fresh = site.present(by(trust, new), Vec::new());
    vec![site.steps(vec![prime, rotate(old, new, false, false), fresh])]
}

fn overlap(trust: Trust<'_>, old: &Key, new: &Key) -> Vec<Scenario> {
    let site = trust.site;
    let present = |honest| site.present(honest, Vec::new());
    let prime = present(trust.honest_by(old));
    vec![site.steps(vec![prime, rotate(old, new, false, true), present(by(trust, new)), present(by(trust, old))])]
}
