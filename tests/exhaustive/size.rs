//! The size, counted again from the world's data by plain loops, and the distinct tokens, counted by forging them.

use super::{WHOLE, spread, world};
use crate::common::NOW;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wrongkey::forge::{BY_NUMBER, Forge, Move};
use wrongkey::generate::Exhaustive;
use wrongkey::jose::{Jwk, Material, Primitive};
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Kid, Scenario, Step};
use wrongkey::world::{Calendar, Issuer, Key, Party, Publication, World};

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

/// What a party is told at the start, read off its policy.
struct Known<'w> {
    world: &'w World,
    source: KeySource,
    policy: TrustPolicy,
    keys: Vec<Jwk>,
}

impl<'w> Known<'w> {
    fn at(world: &'w World, party: &Party, source: KeySource) -> Self {
        let policy = world.policy(party, source, &Publication::of(world), Calendar::At(NOW));
        let own = policy.issuers.iter().flat_map(|issuer| issuer.own_keys().cloned());
        let keys = own.chain(policy.converged_jwks.iter().flat_map(|set| set.keys.clone())).collect();
        Known { world, source, policy, keys }
    }

    fn trusts(&self, issuer: &Issuer) -> bool {
        self.policy.issuers.iter().any(|told| told.issuer == issuer.name)
    }

    fn has_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|jwk| jwk.kid.as_deref() == Some(kid))
    }

    fn has_tenant(&self, alias: &str) -> bool {
        let id = &self.world.tenant(alias).unwrap().id;
        self.policy.issuers.iter().any(|told| told.tenants.iter().flatten().any(|tenant| tenant == id))
    }

    /// What is to be seen of a key, but for its name and its numbers; `None` where another key has either of them.
    fn look(&self, key: &Key) -> Option<String> {
        let (kid, material) = (key.jwk.kid.as_ref()?, &key.jwk.material);
        let others = self.world.keys.iter().filter(|other| other.alias != key.alias);
        if others.clone().any(|other| other.jwk.kid.as_ref() == Some(kid) || other.jwk.material == *material) {
            return None;
        }
        let mut seen = serde_json::to_value(&key.jwk).unwrap();
        for number in ["kid", "n", "e", "x", "y", "k"] {
            seen.as_object_mut().unwrap().remove(number);
        }
        Some(format!("{seen} {:?} {:?} {}", material.bits(), key.signs.first(), key.private.is_some()))
    }

    fn is_stranger(&self, key: &Key, issuer: &Issuer) -> bool {
        let owner = key.owner.as_ref().map(|owner| self.world.issuer(owner).unwrap());
        self.keys.iter().all(|jwk| jwk.kid != key.jwk.kid && jwk.material != key.jwk.material)
            && owner.is_none_or(|owner| owner.alias != issuer.alias && !self.trusts(owner))
    }

    /// Whether an earlier key of the world is, but for names, this key in the issuer's name.
    fn is_folded(&self, index: usize, issuer: &Issuer) -> bool {
        let key = &self.world.keys[index];
        let Some(look) = self.look(key) else { return false };
        // What a key's kind is worth to somebody who is not told of it: with what it signs.
        let kind = |key: &Key| {
            let jwk = serde_json::to_value(&key.jwk).unwrap();
            let bits = key.jwk.material.bits();
            (jwk["kty"].clone(), jwk["crv"].clone(), bits, key.signs.first().copied(), key.private.is_some())
        };
        let listed = |key: &Key| self.keys.iter().any(|jwk| jwk.material == key.jwk.material);
        self.world.keys[..index].iter().any(|other| {
            let Some(other_look) = self.look(other) else { return false };
            let siblings = key.owner == other.owner && key.published == other.published && listed(key) == listed(other);
            let lifetimes = (key.not_before, key.not_after) == (other.not_before, other.not_after);
            let strangers = self.is_stranger(key, issuer) && self.is_stranger(other, issuer);
            (self.source != KeySource::Converged && siblings && lifetimes && look == other_look)
                || (!self.trusts(issuer) && strangers && kind(key) == kind(other))
        })
    }
}

/// The kids that differ: none at all, an unknown one, and those that are in the world.
fn kids(told: &Known<'_>, issuer: &Issuer, key: Option<&Key>, victim: &Key) -> usize {
    let world = told.world;
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
    let its_own = key.is_some_and(|key| key.owner.as_ref() == Some(&issuer.alias));
    if its_own || told.trusts(issuer) {
        return texts.len() + 2;
    }
    // All that the party never heard of are one.
    texts.iter().filter(|text| told.has_kid(text)).count() + 2
}

fn tenants(told: &Known<'_>, party: &Party, issuer: &Issuer) -> usize {
    let world = told.world;
    if issuer.tenants.is_empty() {
        // With a tenant claim and without.
        return 1 + usize::from(!world.tenants.is_empty());
    }
    let admitted =
        party.issuers.iter().find(|terms| terms.alias == issuer.alias).and_then(|terms| terms.tenants.as_ref());
    let admitted = admitted.unwrap_or(&issuer.tenants);
    let other = world.tenants.iter().map(|tenant| &tenant.alias).find(|alias| !admitted.contains(alias));
    let whole: Vec<&String> = admitted.iter().take(2).chain(other).collect();
    let mixed = usize::from(whole.len() > 1);
    let strangers = whole.iter().filter(|alias| !told.trusts(issuer) && !told.has_tenant(alias)).count();
    whole.len() - strangers.saturating_sub(1) + mixed + 1
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
            let told = Known::at(world, party, source);
            for index in (0..world.keys.len()).map(Some).chain([None]) {
                let key = index.map(|index| &world.keys[index]);
                for issuer in &world.issuers {
                    if index.is_some_and(|index| told.is_folded(index, issuer)) {
                        continue;
                    }
                    let terms = party.issuers.iter().find(|terms| terms.alias == issuer.alias);
                    let allowed = terms.and_then(|terms| terms.algorithms.as_ref()).unwrap_or(&issuer.algorithms);
                    let at_start = Publication::of(world);
                    let Some(victim) = world.default_key(party, &issuer.alias, &at_start) else { continue };
                    let (signed, unsigned) = ways(key, allowed);
                    let changes = key.map_or(0, |key| changes(world, party, source, key));
                    let claims = tenants(&told, party, issuer) * audiences(world, party);
                    size += (signed * (1 + changes) + unsigned) * kids(&told, issuer, key, victim) * claims;
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

/// One of a key's own names in place of another's, wherever the scenario has them.
fn renamed(scenario: &Scenario, from: &str, to: &str) -> Scenario {
    let text = serde_json::to_string(scenario).unwrap();
    Scenario::from_json(text.replace(&format!("\"{from}\""), &format!("\"{to}\"")).as_bytes()).unwrap()
}

#[test]
fn what_is_folded_for_being_alike_is_judged_like_what_stands_for_it() {
    let core = WHOLE.cores().iter().find(|core| core.world().name == "multi-tenant").unwrap();
    let (world, forge) = (core.world(), Forge::new(Arc::clone(core.world()), Calendar::At(NOW)));
    // Keys whose names the converged set spells differently, and strangers to those who are not told of the directory.
    let siblings = ["directory-space", "directory-null", "directory-number", "directory-list"];
    let strangers = ["partners-ec", "mallory-ec"];
    let mut seen: BTreeMap<(bool, Option<Rule>), usize> = BTreeMap::new();
    for index in spread(11) {
        let scenario = WHOLE.nth(index);
        let (_, present) = scenario.as_led().unwrap();
        if scenario.world != world.name || scenario.key_source != KeySource::PerIssuer {
            continue;
        }
        let signer = present.acts.iter().find_map(|act| match act {
            Act::SignWith(sign) => sign.key.clone().or_else(|| Some(sign.secret.as_ref()?.of.clone())),
            _ => None,
        });
        let stranger_here = present.to == "vendor-desk" && present.honest.issuer == "staging";
        let others: &[&str] = match signer.as_deref() {
            // There are many of them.
            Some("directory-blank") if index.is_multiple_of(5) => &siblings,
            Some("directory-ec" | "directory-client") if stranger_here => &strangers,
            _ => continue,
        };
        let (_, expectation) = forged(&forge, &scenario);
        for other in others {
            let (_, folded) = forged(&forge, &renamed(&scenario, signer.as_ref().unwrap(), other));
            assert_eq!(folded.broken(), expectation.broken(), "{other} in {}", scenario.to_json());
            assert_eq!(folded.latitudes(), expectation.latitudes(), "{other} in {}", scenario.to_json());
            *seen.entry((others.len() == 2, expectation.alone())).or_default() += 1;
        }
    }
    println!("{seen:?}");
    for (strangers, rule) in
        [(false, Rule::KeyBelongsToIssuer), (false, Rule::IssuerTrusted), (true, Rule::IssuerTrusted)]
    {
        assert!(seen.contains_key(&(strangers, Some(rule))), "{rule} is among them: {seen:?}");
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
