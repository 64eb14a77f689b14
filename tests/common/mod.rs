//! What several test files need: the shipped worlds at a fixed time, and a validator's answers beside the oracle's.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use wrongkey::forge::{Forge, Move, Presentation};
use wrongkey::generate::Atlas;
use wrongkey::jose::NumericDate;
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::TrustPolicy;
use wrongkey::scenario::{Scenario, Step};
use wrongkey::validator::{Clock, Configured, Fault, Maker, Validator, Verdict};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// The time of every test that can choose it.
pub(crate) const NOW: NumericDate = NumericDate(1_790_000_000);

static WORLDS: LazyLock<Vec<Arc<World>>> = LazyLock::new(worlds);

static FORGES: LazyLock<BTreeMap<(String, bool), Forge>> = LazyLock::new(|| {
    let mut forges = BTreeMap::new();
    for world in WORLDS.iter() {
        forges.insert((world.name.clone(), false), Forge::new(Arc::clone(world), Calendar::At(NOW)));
        forges.insert((world.name.clone(), true), Forge::new(Arc::clone(world), Calendar::Timeless(NOW)));
    }
    forges
});

/// The shipped worlds, made anew.
pub(crate) fn worlds() -> Vec<Arc<World>> {
    World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect()
}

/// The shipped worlds, shared: what was signed once need not be signed again.
pub(crate) fn shared_worlds() -> Vec<Arc<World>> {
    WORLDS.clone()
}

/// The atlas of the shipped worlds.
pub(crate) fn atlas() -> Arc<Atlas> {
    static ATLAS: LazyLock<Arc<Atlas>> = LazyLock::new(|| Arc::new(Atlas::of(&WORLDS)));
    Arc::clone(&ATLAS)
}

/// What a scenario comes to at the fixed time.
pub(crate) fn plays(scenario: &Scenario, number: u64) -> Vec<Move> {
    let forge = &FORGES[&(scenario.world.clone(), false)];
    forge.play(scenario, number).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()))
}

/// One presented token with a validator's answer and what is lawful.
pub(crate) struct Judged {
    pub(crate) verdict: Result<Verdict, Fault>,
    pub(crate) expectation: Expectation,
    pub(crate) told: Vec<(NumericDate, Arc<TrustPolicy>)>,
    pub(crate) presented: Presentation,
}

/// Shows every token of a scenario to fresh validators, one a relying party. For a validator that reads the machine's clock
/// tokens are timeless, and scenarios in which time passes are left out.
pub(crate) fn judge_all(maker: &Maker, scenario: &Scenario) -> Vec<Judged> {
    let timeless = maker().describe().clock == Clock::System;
    if timeless && scenario.steps.iter().any(|step| matches!(step, Step::AdvanceClock(_))) {
        return Vec::new();
    }
    let forge = &FORGES[&(scenario.world.clone(), timeless)];
    let moves = forge.play(scenario, 0).unwrap_or_else(|error| panic!("{error}\n{}", scenario.to_json()));
    let mut validators: BTreeMap<String, Option<Box<dyn Validator>>> = BTreeMap::new();
    let mut told: BTreeMap<String, Vec<(NumericDate, Arc<TrustPolicy>)>> = BTreeMap::new();
    let mut judged = Vec::new();
    for happening in moves {
        match happening {
            Move::Trust { party, policy, at } => {
                let validator = validators.entry(party.clone()).or_insert_with(|| Some(maker()));
                let ready = validator.as_mut().map(|validator| validator.configure(&policy));
                if !matches!(ready, Some(Ok(Configured::Ready))) {
                    *validator = None;
                }
                told.entry(party).or_default().push((at, policy));
            }
            Move::Present(presented) => {
                let Some(Some(validator)) = validators.get_mut(&presented.party) else { continue };
                let verdict = validator.validate(&presented.token, presented.at);
                let told = told[&presented.party].clone();
                let views: Vec<Told<'_>> = told.iter().map(|(at, policy)| Told { at: *at, policy }).collect();
                let expectation = expect(&views, &presented.provenance, presented.at);
                judged.push(Judged { verdict, expectation, told, presented: *presented });
            }
        }
    }
    judged
}
