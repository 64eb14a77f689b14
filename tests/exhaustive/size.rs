//! The size, counted again from the world's data by plain loops, and the distinct tokens, counted by forging them.

use super::{WHOLE, world};
use crate::common::NOW;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wrongkey::forge::{BY_NUMBER, Forge, Move};
use wrongkey::generate::Exhaustive;
use wrongkey::jose::{Material, Primitive};
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::KeySource;
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Kid, Scenario, Step};
use wrongkey::world::{Calendar, Issuer, Key, Party, World};

const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
];

/// How many ways there are to sign with each class of algorithm: signed by a key, and not.
fn ways(key: Option<&Key>, allowed: &[String]) -> (usize, usize) {
    let Some(key) = key else { return (0, 2) };
    let own = key.signs[0];
    let can: Vec<Primitive> = ALGORITHMS
        .iter()
        .map(|name| Primitive::from_name(name).unwrap())
        .filter(|alg| *alg != own && key.jwk.material.fits(*alg))
        .collect();
    let is_allowed = |alg: &Primitive| allowed.contains(&alg.name().to_owned());
    let mut classes = 1;
    classes += usize::from(can.iter().any(is_allowed));
    classes += usize::from(can.iter().any(|alg| alg.family() == own.family() && !is_allowed(alg)));
    classes += usize::from(can.iter().any(|alg| alg.family() != own.family() && !is_allowed(alg)));
    let public_text = usize::from(!matches!(key.jwk.material, Material::Oct { .. }));
    (if key.private.is_some() { classes } else { 0 }, public_text)
}

/// The kids that differ: none at all, an unknown one, and those that are in the world.
fn kids(world: &World, key: Option<&Key>, victim: &Key) -> usize {
    let mut texts = BTreeSet::new();
    texts.extend(key.and_then(|key| key.jwk.kid.clone()));
    texts.extend(victim.jwk.kid.clone());
    let is_shared = |text: &String| world.keys.iter().filter(|key| key.jwk.kid.as_ref() == Some(text)).count() > 1;
    let others = |wanted: &dyn Fn(&Key) -> bool| {
        let keys = world.keys.iter().filter(|key| wanted(key));
        keys.filter_map(|key| key.jwk.kid.clone()).find(|text| !texts.contains(text))
    };
    let of_the_victim = others(&|key| key.published && key.owner == victim.owner);
    let shared = others(&|key| key.jwk.kid.as_ref().is_some_and(is_shared));
    texts.extend(of_the_victim.into_iter().chain(shared));
    texts.len() + 2
}

fn tenants(world: &World, party: &Party, issuer: &Issuer) -> usize {
    if issuer.tenants.is_empty() {
        // With a tenant claim and without.
        return 1 + usize::from(!world.tenants.is_empty());
    }
    let admitted =
        party.issuers.iter().find(|terms| terms.alias == issuer.alias).and_then(|terms| terms.tenants.as_ref());
    let admitted = admitted.unwrap_or(&issuer.tenants);
    let second = usize::from(admitted.len() > 1);
    let other = usize::from(world.tenants.iter().any(|tenant| !admitted.contains(&tenant.alias)));
    let mixed = usize::from(second + other > 0);
    1 + second + other + mixed + 1
}

fn audiences(world: &World, party: &Party) -> usize {
    let own = usize::from(!party.audiences.is_empty());
    let names =
        world.parties.iter().filter(|other| other.alias != party.alias).filter_map(|other| other.audiences.first());
    let other = usize::from(names.filter(|name| !party.audiences.contains(name)).count() > 0);
    // None; own, alone and in a list; another's; both, either way round.
    1 + 2 * own + other + 2 * own * other
}

/// Statuses other than what the world has.
fn changes(world: &World, party: &Party, source: KeySource, key: &Key) -> usize {
    let Some(owner) = &key.owner else { return 0 };
    let trusted = party.issuers.iter().any(|terms| terms.alias == *owner);
    let in_set = source == KeySource::Converged && world.converged.contains(owner);
    let told = in_set || (trusted && source != KeySource::Converged);
    usize::from(key.published && told) + usize::from(trusted)
}

/// The size of a world's core, by plain loops over its data.
fn size(world: &World) -> usize {
    let mut size = 0;
    for party in &world.parties {
        for &source in &party.key_sources {
            for key in world.keys.iter().map(Some).chain([None]) {
                for issuer in &world.issuers {
                    let terms = party.issuers.iter().find(|terms| terms.alias == issuer.alias);
                    let allowed = terms.and_then(|terms| terms.algorithms.as_ref()).unwrap_or(&issuer.algorithms);
                    let at_start = wrongkey::world::Publication::of(world);
                    let Some(victim) = world.default_key(party, &issuer.alias, &at_start) else { continue };
                    let (signed, unsigned) = ways(key, allowed);
                    let changes = key.map_or(0, |key| changes(world, party, source, key));
                    let claims = tenants(world, party, issuer) * audiences(world, party);
                    size += (signed * (1 + changes) + unsigned) * kids(world, key, victim) * claims;
                }
            }
        }
    }
    size
}

#[test]
fn each_world_is_presented_as_often_as_its_axes_say() {
    for core in WHOLE.cores() {
        assert_eq!(core.presentations(), size(core.world()), "{}", core.world().name);
    }
}

#[test]
fn a_world_of_ones_own_has_its_size_too() {
    for name in ["../../examples/worlds/own-keys", "public-only", "narrow"] {
        let world = world(name);
        let own = Exhaustive::of(std::slice::from_ref(&world), |_| true);
        assert_eq!(own.len(), size(&world));
        let party = &world.parties[0].alias;
        let one = Exhaustive::of(std::slice::from_ref(&world), |site| site.party.alias == *party);
        assert!(!one.is_empty() && one.len() < own.len());
        assert!((0..one.len()).all(|index| one.nth(index).as_led().unwrap().1.to == *party));
    }
}

/// Digest of the token when what keeps it fresh is the same in all, and the rules that it breaks.
fn forged(forge: &Forge, scenario: &Scenario) -> ([u8; 32], Expectation) {
    let mut policies = Vec::new();
    for happening in forge.play(scenario, BY_NUMBER).unwrap() {
        match happening {
            Move::Trust { policy, at, .. } => policies.push((at, policy)),
            Move::Present(presented) => {
                let told: Vec<Told<'_>> = policies.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                let expectation = expect(&told, &presented.provenance, presented.at);
                return (Sha256::digest(presented.token.as_bytes()).into(), expectation);
            }
        }
    }
    panic!("no token: {}", scenario.to_json())
}

#[test]
fn distinct_tokens_are_as_many_as_differ_when_all_are_forged_with_one_number() {
    for name in ["narrow", "narrow-tenants"] {
        let world = world(name);
        let core = Exhaustive::of(std::slice::from_ref(&world), |_| true);
        let forge = Forge::new(world, Calendar::At(NOW));
        let mut contents: BTreeMap<[u8; 32], u64> = BTreeMap::new();
        for index in 0..core.len() {
            let (token, _) = forged(&forge, &core.nth(index));
            let content = core.content_of(index);
            assert_eq!(*contents.entry(token).or_insert(content), content, "{name} {index}");
        }
        let distinct: BTreeSet<u64> = contents.values().copied().collect();
        assert_eq!(distinct.len(), contents.len(), "{name}: tokens that differ have contents that differ");
        assert_eq!(distinct.len(), core.cores()[0].distinct_tokens(), "{name}");
        assert!(distinct.len() < core.len(), "{name}");
    }
}

/// Whether nothing but its signer, its `kid`, its `aud` and its `tid` set the token apart from an honest one, so that it may break
/// a rule alone. It is only to save time: what it lets through is judged.
fn is_near_honest(scenario: &Scenario, world: &World) -> bool {
    let [Step::Present(present)] = &*scenario.steps else { return false };
    let allowed =
        |alg: &String| world.issuer(&present.honest.issuer).is_some_and(|issuer| issuer.algorithms.contains(alg));
    present.acts.iter().all(|act| match act {
        Act::SignWith(sign) => sign.key.is_some() && sign.alg.as_ref().is_none_or(allowed),
        Act::SetClaim(claim) => claim.name == "aud" || claim.name == "tid",
        _ => false,
    })
}

#[test]
fn at_least_five_thousand_distinct_tokens_break_key_belongs_to_issuer_alone() {
    const ASKED_FOR: usize = 5_000;
    let forges: BTreeMap<String, Forge> = WHOLE
        .cores()
        .iter()
        .map(|core| (core.world().name.clone(), Forge::new(Arc::clone(core.world()), Calendar::At(NOW))))
        .collect();
    let (mut contents, mut tokens) = (BTreeSet::new(), BTreeSet::new());
    for index in 0..WHOLE.len() {
        if contents.contains(&WHOLE.content_of(index)) {
            continue;
        }
        let scenario = WHOLE.nth(index);
        let forge = &forges[&scenario.world];
        if is_near_honest(&scenario, forge.world()) {
            let (token, expectation) = forged(forge, &scenario);
            if expectation.alone() == Some(Rule::KeyBelongsToIssuer) {
                contents.insert(WHOLE.content_of(index));
                tokens.insert(token);
            }
        }
        if tokens.len() >= ASKED_FOR {
            break;
        }
    }
    assert_eq!(tokens.len(), contents.len());
    assert!(tokens.len() >= ASKED_FOR, "{} distinct tokens", tokens.len());
}

#[test]
fn a_token_is_the_same_octets_at_every_key_source_and_whatever_becomes_of_its_key() {
    let world = world("narrow");
    let core = Exhaustive::of(std::slice::from_ref(&world), |_| true);
    let forge = Forge::new(Arc::clone(&world), Calendar::At(NOW));
    let mut tokens = BTreeMap::new();
    let mut again = 0;
    for index in (0..core.len()).filter(|&index| core.token_of(index).is_multiple_of(7)) {
        let moves = forge.play(&core.nth(index), BY_NUMBER | core.token_of(index)).unwrap();
        let Some(Move::Present(presented)) = moves.into_iter().last() else { panic!("{index}") };
        if let Some(before) = tokens.insert(core.token_of(index), presented.token.clone()) {
            assert_eq!(before, presented.token);
            again += 1;
        }
    }
    assert!(again > tokens.len() / 2, "{again} of {}", tokens.len());
    let distinct: BTreeSet<Vec<u8>> = tokens.values().map(|token| token.as_bytes().to_vec()).collect();
    assert_eq!(distinct.len(), tokens.len(), "tokens of other numbers are other octets");
}

#[test]
fn every_act_names_a_value_of_an_axis() {
    let mut kids = BTreeSet::new();
    for index in super::spread(101) {
        let scenario = WHOLE.nth(index);
        for (_, present) in scenario.presents() {
            for act in &present.acts {
                if let Act::SignWith(sign) = act {
                    kids.insert(match &sign.kid {
                        Kid::Own => "own",
                        Kid::Of(_) => "of another",
                        Kid::None => "absent",
                        Kid::Text(_) => "unknown",
                        Kid::Keep => "kept",
                    });
                }
            }
        }
    }
    assert_eq!(kids, BTreeSet::from(["own", "of another", "absent", "unknown"]));
}
