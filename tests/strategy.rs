//! The public strategy in a user's own `proptest!`: a validator with a planted flaw fails the property, and what proptest prints
//! is the smallest scenario that shows it.

mod common;

use common::{NOW, atlas, shared_worlds};
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{RngAlgorithm, RngSeed, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wrongkey::campaign::{Case, Examiner};
use wrongkey::finding::Kind;
use wrongkey::generate::{Atlas, Site, is_playable, strategy};
use wrongkey::rule::Rule;
use wrongkey::scenario::{Act, Scenario, Step};
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::Calendar;

/// What a failing property of this validator shrinks to: it says that nothing is accepted which breaks one of these rules alone.
fn smallest(flaw: Flaw, rules: &[Rule], atlas: &Arc<Atlas>) -> Scenario {
    let examiner = RefCell::new(Examiner::unwatched(flawed::maker(Some(flaw)), &shared_worlds(), Calendar::At(NOW)));
    let smallest = RefCell::new(None);
    let config = ProptestConfig {
        cases: 20_000,
        max_shrink_iters: 20_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    };
    let failed = catch_unwind(AssertUnwindSafe(|| {
        proptest!(config, |(scenario in strategy(Arc::clone(atlas)))| {
            let mut examiner = examiner.borrow_mut();
            examiner.forget();
            let cases = examiner.examine(&scenario, 0).unwrap();
            let wrong = |case: &Case| {
                case.wrong().is_some_and(|(kind, broken)| {
                    kind == Kind::FalseAccept && rules.iter().any(|rule| broken == BTreeSet::from([*rule]))
                })
            };
            let fails = cases.iter().any(wrong);
            if fails {
                *smallest.borrow_mut() = Some(scenario.clone());
            }
            prop_assert!(!fails, "accepted");
        });
    }));
    let panic = failed.expect_err("the property should have failed");
    let message = panic.downcast_ref::<String>().expect("proptest says what failed");
    let smallest = smallest.into_inner().unwrap();
    assert!(message.contains("minimal failing input"), "{message}");
    assert!(message.contains(&format!("{smallest:#?}")[..60]), "{message}");
    smallest
}

fn at_party(party: &str) -> Arc<Atlas> {
    Arc::new(Atlas::selecting(&shared_worlds(), |site: &Site<'_>| site.party.alias == party))
}

#[test]
fn a_key_of_another_issuer_shrinks_to_one_act_that_signs_with_it() {
    let smallest = smallest(Flaw::SignatureOnlyOverMergedKeys, &[Rule::KeyBelongsToIssuer], &at_party("api"));
    let present = smallest.as_single().expect("one token");
    let [Act::SignWith(sign)] = present.acts.as_slice() else { panic!("{}", smallest.to_json()) };
    assert!(sign.key.is_some() && sign.secret.is_none(), "{}", smallest.to_json());
    assert!(present.honest.subject.is_none() && present.honest.tenant.is_none() && present.honest.alg.is_none());
}

#[test]
fn a_key_that_is_not_forgotten_shrinks_to_what_happened_and_one_honest_token() {
    let smallest = smallest(Flaw::RefreshAppends, &[Rule::KeyInService], &at_party("api"));
    let kinds: Vec<&str> = smallest.steps.iter().map(Step::kind).collect();
    // Keys go, and a token by one of them is presented: without either nothing is wrong.
    let [gone @ .., "present"] = kinds.as_slice() else { panic!("{}", smallest.to_json()) };
    match gone {
        // A policy changes at work where a token was shown before: else it is the first policy.
        ["present", "update-policy"] => {}
        _ => {
            let goes = |kind: &&str| matches!(*kind, "remove-key" | "rotate-key");
            assert!(!gone.is_empty() && gone.iter().all(goes), "{gone:?}");
        }
    }
    assert!(smallest.presents().all(|(_, present)| present.acts.is_empty()), "{}", smallest.to_json());
}

#[test]
fn whatever_a_failure_shrinks_through_can_be_played() {
    let atlas = atlas();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut sequences = 0;
    for round in 0..60_u32 {
        let (mut tree, asked) = (strategy(Arc::clone(&atlas)).new_tree(&mut runner).unwrap(), any::<u64>());
        let mut answers = asked.new_tree(&mut runner).unwrap().current();
        sequences += u32::from(tree.current().as_single().is_none());
        let mut size = usize::MAX;
        for _ in 0..200 {
            let scenario = tree.current();
            assert!(is_playable(&scenario, atlas.world(&scenario.world).unwrap()), "{}", scenario.to_json());
            // Fails or passes by the toss of a coin; what failed only ever gets smaller.
            answers = answers.rotate_left(1);
            let goes_on = if answers & 1 == 0 {
                assert!(scenario.steps.len() <= size, "round {round}");
                size = scenario.steps.len();
                tree.simplify()
            } else {
                tree.complicate()
            };
            if !goes_on {
                break;
            }
        }
    }
    assert!(sequences > 3, "{sequences}");
}
