//! What the relations are tried on.

use crate::common::shared_worlds;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use wrongkey::generate::{Site, catalogue};
use wrongkey::scenario::Scenario;

/// Random scenarios for each relation, the same ones for all, over every shipped world.
const RANDOM: u32 = 400;

/// Scenarios of one class in one world: what a class tries with the fifth key it has tried with the first.
const OF_A_CLASS: usize = 2;

/// Small worlds whose whole catalogue is tried: every class has a scenario in one of them, or is about what neither has.
const WORLDS: [&str; 2] = ["two-issuers", "kid-collision"];

pub(crate) fn runner() -> TestRunner {
    let config = Config { cases: RANDOM, failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// The first scenarios of every class in the small worlds.
pub(crate) fn catalogued() -> &'static [Scenario] {
    static CATALOGUED: LazyLock<Vec<Scenario>> = LazyLock::new(|| {
        let mut scenarios = Vec::new();
        for world in shared_worlds().iter().filter(|world| WORLDS.contains(&world.name.as_str())) {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            let all = catalogue(&Site::all(world), &|_| true).into_iter();
            let first = all.filter(|(class, _)| {
                let count = counts.entry(*class).or_default();
                *count += 1;
                *count <= OF_A_CLASS
            });
            scenarios.extend(first.map(|(_, scenario)| scenario));
        }
        scenarios
    });
    &CATALOGUED
}
