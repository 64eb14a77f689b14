//! What is generated, judged: it can be played, and it asks what is worth asking.

use super::*;
use crate::forge::{Forge, Move};
use crate::jose::NumericDate;
use crate::oracle::{Expectation, Told, expect};
use crate::policy::TrustPolicy;
use crate::rule::Rule;
use crate::scenario::{Act, PolicyAct, Scenario, Step};
use crate::world::{Calendar, DEFAULT_SEED, World};
use proptest::test_runner::{Config, TestError, TestRunner};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

const NOW: NumericDate = NumericDate(1_790_000_000);

static ATLAS: LazyLock<Arc<Atlas>> = LazyLock::new(|| {
    let worlds: Vec<_> = World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
    Arc::new(Atlas::of(&worlds))
});

static FORGES: LazyLock<Vec<Forge>> =
    LazyLock::new(|| ATLAS.worlds().iter().map(|world| Forge::new(Arc::clone(world), Calendar::At(NOW))).collect());

/// What the oracle concludes about each presented token; `Err` where the scenario cannot be played.
fn conclusions(scenario: &Scenario) -> Result<Vec<Expectation>, String> {
    let forge = FORGES.iter().find(|forge| forge.world().name == scenario.world).ok_or("no such world")?;
    let mut told: BTreeMap<String, Vec<(NumericDate, Arc<TrustPolicy>)>> = BTreeMap::new();
    let mut all = Vec::new();
    for step in forge.play(scenario, 0).map_err(|error| error.to_string())? {
        match step {
            Move::Trust { party, policy, at } => told.entry(party).or_default().push((at, policy)),
            Move::Present(presented) => {
                let told: Vec<Told<'_>> =
                    told[&presented.party].iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                all.push(expect(&told, &presented.provenance, presented.at));
            }
        }
    }
    Ok(all)
}

/// Counts of what tokens are worth.
#[derive(Debug, Default)]
struct Tally {
    tokens: usize,
    accepted: usize,
    alone: BTreeMap<Rule, usize>,
    unspecified: usize,
}

impl Tally {
    fn count(&mut self, expectations: &[Expectation]) {
        for expectation in expectations {
            self.tokens += 1;
            self.accepted += usize::from(!expectation.rejectable());
            self.unspecified += usize::from(expectation.unspecified());
            if let Some(rule) = expectation.alone() {
                *self.alone.entry(rule).or_default() += 1;
            }
        }
    }

    fn percent(&self, count: usize) -> f64 {
        f64::from(u32::try_from(count).unwrap()) * 100.0 / f64::from(u32::try_from(self.tokens).unwrap())
    }
}

#[test]
fn random_scenarios_can_be_played_and_ask_what_is_worth_asking() {
    const COUNT: u64 = 9_000;
    let mut tally = Tally::default();
    let (mut unplayable, mut sequences) = (0, 0);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    // What comes of tokens where the policy was changed, at the start and later.
    let (mut configured, mut changed) = (Tally::default(), Tally::default());
    for index in 0..COUNT {
        let scenario = seeded(0, index, &ATLAS);
        assert_eq!(Scenario::from_json(scenario.to_json().as_bytes()).unwrap(), scenario);
        sequences += usize::from(scenario.as_single().is_none());
        for (_, present) in scenario.presents() {
            present.acts.iter().for_each(|act| *kinds.entry(act.kind()).or_default() += 1);
        }
        for step in &scenario.steps {
            let Step::UpdatePolicy { acts, .. } = step else { continue };
            acts.iter().for_each(|act| *told.entry(act.kind()).or_default() += 1);
        }
        match conclusions(&scenario) {
            Ok(expectations) => {
                tally.count(&expectations);
                if scenario.configured() > 0 {
                    configured.count(&expectations);
                } else if scenario.steps.iter().any(|step| step.kind() == "update-policy") {
                    changed.count(&expectations);
                }
            }
            Err(error) => {
                println!("{error}\n{}", scenario.to_json());
                unplayable += 1;
            }
        }
    }
    let alone: usize = tally.alone.values().sum();
    println!(
        "{} tokens, {sequences} sequences, {unplayable} unplayable: {:.1}% accepted, {:.1}% alone, {:.1}% unspecified\n{:?}\n{kinds:?}",
        tally.tokens,
        tally.percent(tally.accepted),
        tally.percent(alone),
        tally.percent(tally.unspecified),
        tally.alone
    );
    println!("{told:?}\nconfigured: {configured:?}\nchanged later: {changed:?}");
    assert!(unplayable * 100 <= COUNT, "{unplayable} cannot be played");
    assert!(tally.percent(tally.accepted) >= 15.0);
    assert!(tally.percent(alone) >= 30.0);
    assert!(tally.percent(tally.unspecified) <= 10.0);
    let never: Vec<_> = Rule::OF_TOKENS.iter().filter(|rule| !tally.alone.contains_key(rule)).collect();
    assert!(never.is_empty(), "never alone: {never:?}");
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    assert_eq!(told.len(), 17, "{told:?}");
    for tally in [configured, changed] {
        let alone: usize = tally.alone.values().sum();
        assert!(
            tally.tokens > 300 && tally.percent(tally.accepted) >= 15.0 && tally.percent(alone) >= 30.0,
            "{tally:?}"
        );
    }
}

#[test]
fn the_stream_of_a_seed_is_random_access() {
    let some: Vec<_> = (0..20).map(|index| seeded(7, index, &ATLAS)).collect();
    assert_eq!(seeded(7, 13, &ATLAS), some[13]);
    assert_ne!(seeded(8, 13, &ATLAS), some[13]);
    assert!(some.iter().collect::<HashSet<_>>().len() > 10);
}

#[test]
fn no_bytes_at_all_make_an_honest_token() {
    let scenario = random(&mut arbitrary::Unstructured::new(&[]), &ATLAS).unwrap();
    assert!(scenario.as_single().is_some_and(|present| present.acts.is_empty()), "{}", scenario.to_json());
}

#[test]
fn where_the_clock_stands_still_no_time_passes() {
    let still = Atlas::of(ATLAS.worlds()).with_clock_standing_still();
    let mut bytes = Vec::new();
    for index in 0..500 {
        bytes = mutate(&bytes, 4_096, index, &still);
        let mutant = Scenario::from_json(&bytes).unwrap();
        for scenario in [seeded(0, u64::from(index), &still), mutant] {
            assert!(scenario.steps.iter().all(|step| step.kind() != "advance-clock"));
            assert!(scenario.presents().next().is_some());
        }
    }
}

#[test]
fn what_counts_as_playable_plays() {
    for site in ATLAS.sites() {
        for class in classes() {
            for scenario in class.scenarios(&site) {
                assert!(is_playable(&scenario, site.world), "{}\n{}", class.id, scenario.to_json());
            }
        }
    }
}

/// Runs a property that holds for few scenarios, and gives the one that its failure shrinks to.
fn shrunk(fails: impl Fn(&Scenario) -> bool) -> Scenario {
    let config = Config { cases: 2_000, max_shrink_iters: 20_000, failure_persistence: None, ..Config::default() };
    let rng = proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm);
    let result = TestRunner::new_with_rng(config, rng).run(&strategy(Arc::clone(&ATLAS)), |scenario| {
        proptest::prop_assert!(!fails(&scenario));
        Ok(())
    });
    match result {
        Err(TestError::Fail(_, scenario)) => scenario,
        other => panic!("the property should have failed: {other:?}"),
    }
}

#[test]
fn a_failure_by_one_act_shrinks_to_exactly_that_act() {
    let strips =
        |scenario: &Scenario| scenario.presents().any(|(_, present)| present.acts.contains(&Act::StripSignature {}));
    let smallest = shrunk(strips);
    let present = smallest.as_single().expect("one token");
    assert_eq!(present.acts, [Act::StripSignature {}]);
    assert!(present.honest.key.is_none() && present.honest.subject.is_none() && present.honest.tenant.is_none());
}

#[test]
fn the_wrong_key_shrinks_to_exactly_one_act() {
    let forged = |scenario: &Scenario| {
        let alone = |expectation: &Expectation| expectation.alone() == Some(Rule::KeyBelongsToIssuer);
        // A key that is named as the honest one needs no act at all to be the wrong one.
        let left_to_the_issuer = scenario.presents().all(|(_, present)| present.honest.key.is_none());
        left_to_the_issuer && conclusions(scenario).is_ok_and(|all| all.iter().any(alone))
    };
    let smallest = shrunk(forged);
    let present = smallest.as_single().expect("one token");
    assert!(matches!(present.acts.as_slice(), [Act::SignWith(_)]), "{}", smallest.to_json());
}

#[test]
fn a_policy_that_is_badly_configured_shrinks_to_one_act_on_it_and_an_honest_token() {
    let no_key = |scenario: &Scenario| {
        let alone = |expectation: &Expectation| expectation.alone() == Some(Rule::KeyAcceptable);
        let spoiled = |step: &Step| match step {
            Step::UpdatePolicy { acts, .. } => acts.iter().any(|act| matches!(act, PolicyAct::SpoilKey { .. })),
            _ => false,
        };
        scenario.steps.iter().any(spoiled) && conclusions(scenario).is_ok_and(|all| all.iter().any(alone))
    };
    let smallest = shrunk(no_key);
    let [Step::UpdatePolicy { acts: told, .. }, Step::Present(present)] = smallest.steps.as_slice() else {
        panic!("{}", smallest.to_json())
    };
    assert!(matches!(told.as_slice(), [PolicyAct::SpoilKey { .. }]), "{}", smallest.to_json());
    assert!(present.acts.is_empty() && present.honest.subject.is_none(), "{}", smallest.to_json());
}

#[test]
fn mutation_reaches_every_act_on_a_policy_and_leaves_it_again() {
    let mut bytes = Vec::new();
    let (mut told, mut lengths) = (BTreeMap::<&str, usize>::new(), BTreeSet::new());
    let leads = [
        r#"{"scenario":1,"world":"two-issuers","steps":[{"update-policy":{"party":"api","acts":[{"set-leeway":30}]}},
            {"present":{"to":"api","honest":{"issuer":"a"}}}]}"#,
        r#"{"scenario":1,"world":"storm-0558","key_source":"converged","steps":[
            {"update-policy":{"party":"both-mail","acts":[{"set-leeway":30}]}},
            {"present":{"to":"both-mail","honest":{"issuer":"enterprise"}}}]}"#,
    ];
    for seed in 0..12_000 {
        if seed % 10 == 0 {
            bytes = leads[usize::from(seed % 20 == 10)].as_bytes().to_vec();
        }
        bytes = mutate(&bytes, 4_096, seed, &ATLAS);
        for step in Scenario::from_json(&bytes).unwrap().steps {
            let Step::UpdatePolicy { acts, .. } = step else { continue };
            lengths.insert(acts.len());
            acts.iter().for_each(|act| *told.entry(act.kind()).or_default() += 1);
        }
    }
    assert_eq!(told.len(), 17, "{told:?}");
    assert!(lengths.is_superset(&BTreeSet::from([1, 2, 3])), "{lengths:?}");
}

#[test]
fn a_walk_of_mutations_stays_among_scenarios_worth_playing() {
    const STEPS: u32 = 5_000;
    const MAX_SIZE: usize = 4_096;
    let seeds = [
        r#"{"scenario":1,"world":"storm-0558","party":"enterprise-mail","honest":{"issuer":"enterprise","tenant":"contoso"},"acts":[{"sign-with":{"key":"consumer-2023"}}]}"#,
        r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"a"}}"#,
        r#"{"scenario":1,"world":"two-issuers","party":"web","honest":{"issuer":"b"},"acts":[{"set-claim":{"name":"exp","value":"-1h"}}]}"#,
        "",
        "no scenario at all",
    ];
    let mut tally = Tally::default();
    let (mut plays, mut worth, mut total) = (0, 0, 0);
    let mut distinct: HashSet<Vec<u8>> = HashSet::new();
    for (walk, seed) in seeds.iter().enumerate() {
        let mut bytes = seed.as_bytes().to_vec();
        for step in 0..STEPS / 5 {
            let random = u32::try_from(walk).unwrap() * STEPS + step;
            bytes = mutate(&bytes, MAX_SIZE, random, &ATLAS);
            assert!(bytes.len() <= MAX_SIZE);
            total += 1;
            distinct.insert(bytes.clone());
            let Ok(scenario) = Scenario::from_json(&bytes) else { continue };
            let Ok(expectations) = conclusions(&scenario) else { continue };
            plays += 1;
            let counts = |one: &Expectation| !one.rejectable() || one.alone().is_some();
            worth += usize::from(expectations.iter().any(counts));
            tally.count(&expectations);
        }
    }
    let alone: usize = tally.alone.values().sum();
    println!(
        "{total} mutations: {plays} play, {} distinct, {worth} worth it; {} tokens: {:.1}% accepted, {:.1}% alone, {:.1}% unspecified",
        distinct.len(),
        tally.tokens,
        tally.percent(tally.accepted),
        tally.percent(alone),
        tally.percent(tally.unspecified)
    );
    assert!(plays * 100 >= total * 95, "{plays} play");
    assert!(distinct.len() * 2 >= total, "{} are distinct", distinct.len());
    assert!(tally.percent(tally.accepted + alone) >= 20.0);
}

#[test]
fn a_mutation_changes_something_and_depends_on_its_seed_alone() {
    let bytes = serde_json::to_vec(&seeded(0, 5, &ATLAS)).unwrap();
    let mutants: BTreeSet<_> = (0..50).map(|seed| mutate(&bytes, 4_096, seed, &ATLAS)).collect();
    assert!(mutants.len() > 25 && !mutants.contains(&bytes));
    assert_eq!(mutate(&bytes, 4_096, 9, &ATLAS), mutate(&bytes, 4_096, 9, &ATLAS));
}

#[test]
fn a_guided_scenario_is_near_a_lead_and_depends_on_seed_and_number_alone() {
    let kinds = |scenario: &Scenario| -> BTreeSet<&str> {
        scenario.presents().flat_map(|(_, present)| present.acts.iter().map(Act::kind)).collect()
    };
    let mut forged = (0..).map(|index| seeded(0, index, &ATLAS)).filter(|scenario| !kinds(scenario).is_empty());
    let lead = Arc::new(forged.next().unwrap());
    let leads = [Arc::clone(&lead)];
    let guided_by = |leads: &[Arc<Scenario>]| -> Vec<Scenario> {
        (0..200).map(|number| guided(1, number, leads, &ATLAS)).collect()
    };
    let near = guided_by(&leads);
    assert!(near.iter().all(|scenario| conclusions(scenario).is_ok()));
    let alike = |one: &&Scenario| one.world == lead.world && !kinds(one).is_disjoint(&kinds(&lead));
    let (close, far) = (near.iter().filter(alike).count(), guided_by(&[]).iter().filter(alike).count());
    assert!(close > 2 * far + 40, "{close} near the lead, {far} without one");
    assert!(near.iter().filter(|scenario| **scenario == *lead).count() < 20, "few take back what they changed");
    assert_eq!(near, guided_by(&leads));
}

#[test]
fn what_does_not_fit_becomes_something_that_does() {
    let bytes = serde_json::to_vec(&seeded(0, 5, &ATLAS)).unwrap();
    for (max_size, seed) in [(4_096, 1), (300, 2), (120, 3), (100, 4), (60, 5), (0, 6)] {
        let mutant = mutate(&bytes, max_size, seed, &ATLAS);
        assert!(mutant.len() <= max_size);
        assert!(mutant.is_empty() || Scenario::from_json(&mutant).is_ok());
        assert_eq!(mutant.is_empty(), max_size < 100, "{max_size}");
    }
}
