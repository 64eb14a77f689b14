//! What must hold for every scenario that any generator can make, each property a sentence.

mod common;

use common::{Judged, atlas, judge_all, plays, worlds};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use wrongkey::forge::{Forge, Move};
use wrongkey::generate::{Site, baseline, seeded, strategy};
use wrongkey::jose::{Json, Material, NumericDate, Primitive, Serialization, last};
use wrongkey::oracle::{Expectation, Lawful, Oracle, SignedIdentity, Told, expect};
use wrongkey::policy::{KeySource, TrustPolicy, TrustedIssuer};
use wrongkey::provenance::{Presented, Provenance};
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Edit, Mangle, Present, Scenario, SetMember, Step, Value};
use wrongkey::validator::flawed;
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::reference;
use wrongkey::validator::{Maker, Verdict};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

const CASES: u32 = 12_000;

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
}

/// Whether a verdict is one of the lawful answers, identity and key included.
fn is_lawful(verdict: &Verdict, lawful: &std::collections::BTreeSet<Lawful>) -> bool {
    lawful.iter().any(|answer| match (answer, verdict) {
        (Lawful::Reject(_), Verdict::Reject(_)) => true,
        (Lawful::Accept(signed), Verdict::Accept { identity, key }) => {
            let SignedIdentity { iss, sub, tenant, key: signer, .. } = signed;
            let same_tenant = |said: &Option<String>| said.is_none() || said == tenant;
            let same_audience = |said: &Option<Vec<String>>| said.as_ref().is_none_or(|said| signed.is_for(said));
            let same = identity.as_ref().is_some_and(|i| {
                i.iss == *iss && i.sub == *sub && same_tenant(&i.tenant) && same_audience(&i.audience)
            });
            same && (key.is_none() || *key == signer.as_ref().map(wrongkey::jose::Material::thumbprint))
        }
        _ => false,
    })
}

/// What a stream of scenarios held.
#[derive(Default)]
struct Held {
    tokens: u32,
    accept_only: u32,
    alone: BTreeMap<Rule, u32>,
    unspecified: u32,
    /// Rules without which the property fails.
    needed: BTreeMap<Rule, u32>,
}

#[test]
fn the_references_answer_is_lawful_for_every_scenario() {
    let held = RefCell::new(Held::default());
    let maker = reference::maker();
    let result = runner(CASES).run(&strategy(atlas()), |scenario| {
        for Judged { verdict, expectation, told, presented } in judge_all(&maker, &scenario) {
            let verdict = verdict.map_err(|fault| TestCaseError::fail(fault.to_string()))?;
            prop_assert!(
                is_lawful(&verdict, &expectation.lawful()),
                "{verdict:?} is not in {:?}\n{}\n{:?}",
                expectation.lawful(),
                scenario.to_json(),
                presented.token
            );
            let mut held = held.borrow_mut();
            held.tokens += 1;
            held.accept_only += u32::from(!expectation.rejectable());
            held.unspecified += u32::from(expectation.unspecified());
            if let Some(rule) = expectation.alone() {
                *held.alone.entry(rule).or_default() += 1;
            }
            // A rule that is broken alone is the only thing between this token and its acceptance.
            let told: Vec<Told<'_>> = told.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
            for &rule in expectation.broken() {
                let ablated = Oracle::without(rule).expect(&told, &presented.provenance, presented.at);
                if !is_lawful(&verdict, &ablated.lawful()) {
                    *held.needed.entry(rule).or_default() += 1;
                }
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    let Held { tokens, accept_only, alone, unspecified, needed } = held.into_inner();
    let share = |count: u32| f64::from(count) / f64::from(tokens);
    let by_one: u32 = alone.values().sum();
    println!(
        "{tokens} tokens: {:.3} accept, {:.3} by one rule, {:.3} open",
        share(accept_only),
        share(by_one),
        share(unspecified)
    );
    assert!(share(accept_only) >= 0.15, "accept {}", share(accept_only));
    assert!(share(by_one) >= 0.30, "rejected by exactly one rule {}", share(by_one));
    assert!(share(unspecified) <= 0.10, "unspecified {}", share(unspecified));
    for rule in Rule::OF_TOKENS {
        assert!(alone.contains_key(rule), "no token broke {rule} alone");
        assert!(needed.contains_key(rule), "the property holds without {rule}: the oracle's rule is never needed");
    }
}

#[test]
fn lawful_answers_last_as_long_as_they_are_said_to_and_no_longer() {
    let (mut lasting, mut changing) = (0, 0);
    let (atlas, maker) = (atlas(), reference::maker());
    for index in 0..3_000 {
        for Judged { expectation, told, presented, .. } in judge_all(&maker, &seeded(3, index, &atlas)) {
            let told: Vec<Told<'_>> = told.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
            let like = |offset: i64| {
                expect(&told, &presented.provenance, presented.at.plus(offset)).answers_like(&expectation)
            };
            let steady = i64::try_from(expectation.steady_for()).unwrap_or(i64::MAX);
            let within = (steady - 1).clamp(0, 1_000_000);
            for offset in [-within, -within / 2, within / 2, within] {
                assert!(like(offset), "{offset} of {steady}: {expectation:?}\n{:?}", presented.token);
            }
            lasting += u32::from(steady > 10);
            // A second more for the moments that are still in time themselves.
            changing += u32::from(steady < 1_000_000 && !(like(steady + 1) && like(-steady - 1)));
        }
    }
    assert!(lasting > 2_000 && changing > 1_000, "{lasting} last, {changing} change");
}

#[test]
fn of_a_sketch_the_same_is_lawful_as_of_what_is_signed() {
    let conclude = |moves: Vec<Move>| {
        let mut told: BTreeMap<String, Vec<(NumericDate, Arc<TrustPolicy>)>> = BTreeMap::new();
        let mut concluded = Vec::new();
        for happening in moves {
            match happening {
                Move::Trust { party, policy, at } => told.entry(party).or_default().push((at, policy)),
                Move::Present(presented) => {
                    let told = told[&presented.party].iter().map(|(at, policy)| Told { at: *at, policy });
                    concluded.push(expect(&told.collect::<Vec<_>>(), &presented.provenance, presented.at));
                }
            }
        }
        concluded
    };
    // Whether there is a `+` or `/` to write is chance.
    let by_chance = |scenario: &Scenario| scenario.to_json().contains("standard-alphabet");
    let (atlas, mut held) = (atlas(), Held::default());
    let forge = |world: &Arc<World>| (world.name.clone(), Forge::new(Arc::clone(world), Calendar::At(common::NOW)));
    let forges: BTreeMap<String, Forge> = atlas.worlds().iter().map(forge).collect();
    for index in 0..3_000 {
        let scenario = seeded(4, index, &atlas);
        if by_chance(&scenario) {
            continue;
        }
        let forge = &forges[&scenario.world];
        let signed = conclude(forge.play(&scenario, index).unwrap());
        let sketched = conclude(forge.sketch(&scenario, index).unwrap());
        assert_eq!(signed, sketched, "{}", scenario.to_json());
        held.accept_only += signed.iter().map(|one| u32::from(!one.rejectable())).sum::<u32>();
        for rule in signed.iter().filter_map(Expectation::alone) {
            *held.alone.entry(rule).or_default() += 1;
        }
    }
    assert!(held.accept_only > 500 && held.alone.len() > 15, "{} {:?}", held.accept_only, held.alone);
}

fn sound() -> Vec<Maker> {
    let mut makers = vec![reference::maker(), flawed::maker(None)];
    makers.extend(recipes().into_iter().filter(|recipe| recipe.sound).map(|recipe| (recipe.maker)()));
    makers
}

#[test]
fn an_honest_token_is_accepted_everywhere() {
    let mut accepted = 0;
    for world in worlds() {
        for party in &world.parties {
            for &key_source in &party.key_sources {
                for scenario in baseline(&Site { world: &world, party, key_source }) {
                    for maker in sound() {
                        if !maker().describe().key_sources.contains(&key_source) {
                            continue;
                        }
                        for judged in judge_all(&maker, &scenario) {
                            assert!(!judged.expectation.rejectable(), "{}", scenario.to_json());
                            let verdict = judged.verdict.unwrap();
                            if let Verdict::Skip(_) = verdict {
                                continue;
                            }
                            assert!(verdict.accepted(), "{verdict:?} {}", scenario.to_json());
                            accepted += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(accepted > 50, "{accepted}");
}

/// Whether a listing has the key's numbers, whatever curve it says that they belong to: it is the issuer's own, well listed or
/// badly.
fn same_numbers(listed: &Material, signer: &Material) -> bool {
    match (listed, signer) {
        (Material::Ec { x, y, .. }, Material::Ec { x: own_x, y: own_y, .. }) => x == own_x && y == own_y,
        (Material::Okp { x, .. }, Material::Okp { x: own, .. }) => x == own,
        (listed, signer) => listed == signer,
    }
}

/// Whether the key that signed is listed for the claimed issuer, read from policy and record without the oracle's help.
fn signer_is_listed(policies: &[&TrustPolicy], provenance: &Provenance) -> bool {
    let Presented::Jws(jws) = &provenance.presented else { return false };
    let Some(iss) = jws.payload.members().and_then(|p| last(p, "iss")).and_then(Json::as_str) else { return false };
    let header = jws.header.members().unwrap_or_default();
    let alg = last(header, "alg").and_then(Json::as_str).and_then(Primitive::from_name);
    let made = provenance.events.iter().filter(|event| {
        Some(event.primitive) == alg
            && (event.input == jws.input || **event.payload == *jws.payload.members().unwrap_or_default())
    });
    let fits = |name: &str| {
        let (before, after) = name.split_once("{tenantid}").unwrap_or((name, ""));
        iss == name || (name.contains("{tenantid}") && iss.starts_with(before) && iss.ends_with(after))
    };
    let mut events = made;
    events.any(|event| {
        policies.iter().any(|policy| {
            let own = policy.issuers.iter().filter(|issuer| fits(&issuer.issuer)).flat_map(TrustedIssuer::own_keys);
            let shared = policy.converged_jwks.iter().flat_map(|set| &set.keys);
            let shared = shared.filter(|jwk| jwk.issuer.as_deref().is_some_and(fits));
            own.chain(shared).any(|jwk| same_numbers(&jwk.material, &event.key))
        })
    })
}

#[test]
fn no_sound_validator_accepts_a_token_signed_by_a_key_that_the_claimed_issuer_does_not_list() {
    let makers = sound();
    let accepted = RefCell::new(vec![0_u32; makers.len()]);
    let refused = RefCell::new(vec![0_u32; makers.len()]);
    let result = runner(CASES / 3).run(&strategy(atlas()), |scenario| {
        for (index, maker) in makers.iter().enumerate() {
            if !maker().describe().key_sources.contains(&scenario.key_source) {
                continue;
            }
            for judged in judge_all(maker, &scenario) {
                let Ok(verdict) = judged.verdict else { continue };
                if !verdict.accepted() {
                    refused.borrow_mut()[index] += 1;
                    continue;
                }
                accepted.borrow_mut()[index] += 1;
                let policies: Vec<&TrustPolicy> = judged.told.iter().map(|(_, policy)| policy.as_ref()).collect();
                prop_assert!(
                    signer_is_listed(&policies, &judged.presented.provenance),
                    "{} accepted {}",
                    maker().describe().name,
                    scenario.to_json()
                );
            }
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted.into_inner().iter().all(|&count| count > 100), "each accepted something");
    assert!(refused.into_inner().iter().all(|&count| count > 100), "each refused something");
}

#[test]
fn the_pooled_recipe_breaks_that_property() {
    let pooled = recipes().into_iter().find(|recipe| !recipe.sound).unwrap();
    let maker = (pooled.maker)();
    let result = runner(CASES / 3).run(&strategy(atlas()), |scenario| {
        for judged in judge_all(&maker, &scenario) {
            let policies: Vec<&TrustPolicy> = judged.told.iter().map(|(_, policy)| policy.as_ref()).collect();
            let accepted = judged.verdict.is_ok_and(|verdict| verdict.accepted());
            prop_assert!(!accepted || signer_is_listed(&policies, &judged.presented.provenance));
        }
        Ok(())
    });
    assert!(matches!(result, Err(proptest::test_runner::TestError::Fail(..))));
}

/// Pairs of acts of which the second takes back the first.
fn undone(party: &str, issuer: &str) -> Vec<[Act; 2]> {
    let claim = |name: &str, value| Act::SetClaim(SetMember { name: name.to_owned(), value });
    let flip = |bit| Act::MangleSignature(Mangle::FlipBit(bit));
    let iss = || Value::issuer(issuer);
    let ours = Value::AudienceOf { party: party.to_owned(), issuer: issuer.to_owned() };
    vec![
        [claim("iss", iss().edited(Edit::Suffix(".evil".to_owned()))), claim("iss", iss())],
        [claim("iss", iss().edited(Edit::SwapCase)), claim("iss", iss().edited(Edit::SwapCase).edited(Edit::SwapCase))],
        [claim("aud", Value::null()), claim("aud", ours)],
        [claim("exp", "-1h".parse().map(Value::Time).unwrap()), claim("exp", "+1h".parse().map(Value::Time).unwrap())],
        [flip(3), flip(3)],
        [flip(1_000_003), flip(1_000_003)],
    ]
}

#[test]
fn undoing_an_act_restores_the_expectation() {
    let mut compared = 0;
    for world in worlds() {
        for party in &world.parties {
            let site = Site { world: &world, party, key_source: KeySource::PerIssuer };
            for honest in baseline(&site) {
                let Some(Present { honest: who, .. }) = honest.as_single().cloned() else { continue };
                let before = judge_all(&reference::maker(), &honest).remove(0).expectation;
                for pair in undone(&party.alias, &who.issuer) {
                    // Who has no name has no `aud` that could be put back.
                    let audience = matches!(&pair[0], Act::SetClaim(SetMember { name, .. }) if name == "aud");
                    if audience && party.audiences.is_empty() {
                        continue;
                    }
                    let with = |acts: &[Act]| {
                        let scenario = Scenario::single(
                            world.name.clone(),
                            KeySource::PerIssuer,
                            party.alias.clone(),
                            who.clone(),
                            acts.to_vec(),
                        );
                        judge_all(&reference::maker(), &scenario).remove(0)
                    };
                    let done = with(&pair[..1]).expectation;
                    let undone = with(&pair).expectation;
                    // Subjects are fresh in every token; everything else comes back.
                    assert_ne!(done.broken(), before.broken(), "{pair:?} does something");
                    assert_eq!(undone.broken(), before.broken(), "{pair:?}");
                    assert_eq!(undone.latitudes(), before.latitudes(), "{pair:?}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 60, "{compared}");
}

/// The same world twice: names of issuers, keys and parties, and who owns the key that nobody lists, are different.
const ONE: &str = include_str!("worlds/aliases-one.toml");
const TWO: &str = include_str!("worlds/aliases-two.toml");

#[test]
fn changing_owners_or_names_in_a_world_changes_no_expectation() {
    let [one, two] = [ONE, TWO].map(|text| Arc::new(World::from_toml(text, "test", None, DEFAULT_SEED).unwrap()));
    let calendar = Calendar::At(common::NOW);
    let policy = |world: &Arc<World>, party: &str| {
        let forge = Forge::new(Arc::clone(world), calendar);
        let mut policy = forge.policy(party, KeySource::PerIssuer).unwrap().as_ref().clone();
        // A name for logs; it decides nothing.
        policy.relying_party = String::new();
        policy
    };
    let (of_one, of_two) = (policy(&one, "api"), policy(&two, "desk"));
    let sorted = |policy: &TrustPolicy| {
        let mut policy = policy.clone();
        policy.issuers.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        policy
    };
    assert_eq!(sorted(&of_one), sorted(&of_two), "the two worlds tell the same policy");
    let forge = Forge::new(one, calendar);
    let atlas = Arc::new(wrongkey::generate::Atlas::of(&[Arc::clone(forge.world())]));
    let rejected = RefCell::new(0);
    let result = runner(1_000).run(&strategy(atlas), |scenario| {
        let Some(_) = scenario.as_single() else { return Ok(()) };
        for happening in forge.play(&scenario, 0).unwrap_or_default() {
            let Move::Present(presented) = happening else { continue };
            let judged = |policy| expect(&[Told { at: presented.at, policy }], &presented.provenance, presented.at);
            prop_assert_eq!(judged(&of_one), judged(&of_two));
            *rejected.borrow_mut() += u32::from(judged(&of_one).acceptable().is_none());
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(rejected.into_inner() > 100);
}

#[test]
fn forging_is_deterministic() {
    // Two copies of each world: nothing that one remembers can help the other.
    let others = worlds();
    let result = runner(400).run(&strategy(atlas()), |scenario| {
        let again = others.iter().find(|world| world.name == scenario.world).unwrap();
        let forge = Forge::new(Arc::clone(again), Calendar::At(common::NOW));
        let (first, second) = (plays(&scenario, 7), forge.play(&scenario, 7).unwrap());
        prop_assert_eq!(first.len(), second.len());
        for pair in first.iter().zip(&second) {
            match pair {
                (Move::Present(a), Move::Present(b)) => {
                    prop_assert_eq!(&a.token, &b.token);
                    prop_assert_eq!(&a.provenance, &b.provenance);
                }
                (Move::Trust { policy: a, .. }, Move::Trust { policy: b, .. }) => prop_assert_eq!(a, b),
                _ => prop_assert!(false, "the moves differ"),
            }
        }
        let fresh = plays(&scenario, 8);
        let tokens = |moves: &[Move]| -> Vec<_> {
            moves.iter().filter_map(|m| if let Move::Present(p) = m { Some(p.token.clone()) } else { None }).collect()
        };
        // Raw and detached tokens carry nothing that could be fresh, and a `jti` that an act wrote is the same every time.
        let sets_id = scenario.presents().any(|(_, present)| {
            present.acts.iter().any(|act| matches!(act, Act::SetClaim(SetMember { name, .. }) if name == "jti"))
        });
        let carries = |m: &Move| match m {
            Move::Present(p) => match &p.provenance.presented {
                Presented::Jws(jws) => {
                    let written = jws.payload.members().is_some_and(|claims| last(claims, "jti").is_some());
                    written && !sets_id && jws.serialization != Serialization::Detached
                }
                Presented::Opaque => false,
            },
            Move::Trust { .. } => false,
        };
        prop_assert!(
            !first.iter().any(carries) || tokens(&first) != tokens(&fresh),
            "another number gives fresh tokens"
        );
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_scenario_survives_writing_and_reading() {
    let result = runner(4_000).run(&strategy(atlas()), |scenario| {
        let text = scenario.to_json();
        let read = Scenario::from_json(text.as_bytes());
        prop_assert!(read.is_ok(), "{text}: {read:?}");
        prop_assert_eq!(read.unwrap(), scenario);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_strategy_shrinks_to_the_one_act_that_matters() {
    let result = runner(CASES).run(&strategy(atlas()), |scenario| {
        let strips = |present: &Present| present.acts.iter().any(|act| matches!(act, Act::StripSignature {}));
        prop_assert!(!scenario.presents().any(|(_, present)| strips(present)));
        Ok(())
    });
    let Err(proptest::test_runner::TestError::Fail(_, smallest)) = result else { panic!("nothing was found") };
    let [Step::Present(present)] = smallest.steps.as_slice() else { panic!("{}", smallest.to_json()) };
    assert!(matches!(present.acts.as_slice(), [Act::StripSignature {}]), "{}", smallest.to_json());
}
