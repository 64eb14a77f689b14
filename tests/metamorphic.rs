//! Relations under which an answer must not change: what means the same is played beside what was played before, and every
//! sound validator answers both alike, as the oracle expects. For each relation a flawed validator answers otherwise.

mod common;

#[path = "metamorphic/inputs.rs"]
mod inputs;
#[path = "metamorphic/relations.rs"]
mod relations;

use common::atlas;
use inputs::{catalogued, runner};
use proptest::prelude::{TestCaseError, prop_assert};
use proptest::test_runner::TestError;
use relations::{FAR, Ground, NEAR, Relation};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use wrongkey::forge::{Move, Presentation};
use wrongkey::generate::strategy;
use wrongkey::jose::{Json, NumericDate, last};
use wrongkey::oracle::{Expectation, Told, expect};
use wrongkey::policy::TrustPolicy;
use wrongkey::provenance::Presented;
use wrongkey::scenario::{Scenario, Step};
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::{Clock, Configured, Identity, Maker, Validator, Verdict, reference};

/// What share of the scenarios it may be that a relation says nothing about.
const MOST_LEFT_OUT: f64 = 0.15;

/// What somebody answers to one token. The words of a refusal are for people.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Accepts {
        identity: Option<Identity>,
        key: Option<String>,
    },
    Rejects,
    Skips,
    /// It panics, or says that it gives no answer.
    Faults,
}

/// The answers to the tokens of a playing, by a fresh validator for each relying party; `None` where it cannot work under the
/// party's policy.
fn answers(maker: &Maker, moves: &[Move]) -> Vec<Option<Answer>> {
    let mut validators: BTreeMap<&str, Option<Box<dyn Validator>>> = BTreeMap::new();
    let mut answers = Vec::new();
    for happening in moves {
        match happening {
            Move::Trust { party, policy, .. } => {
                let validator = validators.entry(party).or_insert_with(|| Some(maker()));
                let ready = validator.as_mut().map(|validator| validator.configure(policy));
                if !matches!(ready, Some(Ok(Configured::Ready))) {
                    *validator = None;
                }
            }
            Move::Present(presented) => {
                let validator = validators.get_mut(presented.party.as_str()).and_then(Option::as_mut);
                answers.push(validator.map(|validator| answer(validator.as_mut(), presented)));
            }
        }
    }
    answers
}

thread_local! {
    /// Whether this thread waits for an answer: a panic then is one, and is kept off the terminal.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

fn answer(validator: &mut dyn Validator, presented: &Presentation) -> Answer {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !ASKING.get() {
                usual(info);
            }
        }));
    });
    ASKING.set(true);
    let answer = catch_unwind(AssertUnwindSafe(|| validator.validate(&presented.token, presented.at)));
    ASKING.set(false);
    match answer {
        Ok(Ok(Verdict::Accept { identity, key })) => Answer::Accepts { identity, key },
        Ok(Ok(Verdict::Reject(_))) => Answer::Rejects,
        Ok(Ok(Verdict::Skip(_))) => Answer::Skips,
        Ok(Err(_)) | Err(_) => Answer::Faults,
    }
}

/// What the oracle expects of each token.
fn expectations(moves: &[Move]) -> Vec<Expectation> {
    let mut told: BTreeMap<&str, Vec<(NumericDate, &TrustPolicy)>> = BTreeMap::new();
    let mut expectations = Vec::new();
    for happening in moves {
        match happening {
            Move::Trust { party, policy, at } => told.entry(party).or_default().push((*at, policy)),
            Move::Present(presented) => {
                let told = told[presented.party.as_str()].iter().map(|&(at, policy)| Told { at, policy });
                let told: Vec<Told<'_>> = told.collect();
                expectations.push(expect(&told, &presented.provenance, presented.at));
            }
        }
    }
    expectations
}

fn presented(moves: &[Move]) -> impl Iterator<Item = &Presentation> {
    moves.iter().filter_map(|happening| match happening {
        Move::Present(presented) => Some(presented.as_ref()),
        Move::Trust { .. } => None,
    })
}

/// What the changed tokens call the same people: subjects are fresh in each token, and a claim can hold a `kid`.
struct Names(BTreeMap<(&'static str, String), String>);

impl Names {
    fn between(original: &[Move], changed: &[Move]) -> Self {
        let claim = |presented: &Presentation, name: &str| {
            let Presented::Jws(jws) = &presented.provenance.presented else { return None };
            last(jws.payload.members()?, name).and_then(Json::as_str).map(str::to_owned)
        };
        let pairs = presented(original).zip(presented(changed));
        let of_pair = |(before, after): (&Presentation, &Presentation)| {
            let named = ["iss", "sub", "tid"].map(|name| Some(((name, claim(after, name)?), claim(before, name)?)));
            named.into_iter().flatten().collect::<Vec<_>>()
        };
        Names(pairs.flat_map(of_pair).collect())
    }

    /// A name of the changed playing as it is in the original one.
    fn before(&self, what: &'static str, name: Option<String>) -> Option<String> {
        name.map(|name| self.0.get(&(what, name.clone())).cloned().unwrap_or(name))
    }

    fn answer_before(&self, answer: Answer) -> Answer {
        let Answer::Accepts { identity: Some(Identity { iss, sub, tenant, audience }), key } = answer else {
            return answer;
        };
        let (iss, sub, tenant) = (self.before("iss", iss), self.before("sub", sub), self.before("tid", tenant));
        let audience =
            audience.map(|names| names.into_iter().filter_map(|name| self.before("aud", Some(name))).collect());
        let identity = Identity { iss, sub, tenant, audience };
        Answer::Accepts { identity: Some(identity), key }
    }
}

/// What has been compared, so that nothing is shown by too little.
#[derive(Debug, Default)]
struct Tally {
    tokens: u32,
    accepted: u32,
    rejected: u32,
    /// Scenarios that the relation does not apply to, by reason.
    left_out: BTreeMap<&'static str, u32>,
    scenarios: u32,
}

/// A scenario's moves, and those of what means the same.
type Sides = (Vec<Move>, Vec<Vec<Move>>);

/// Both sides of a relation; why not, where it does not apply.
fn sides_of(relation: Relation, clock: Clock, scenario: &Scenario) -> Result<Sides, &'static str> {
    let timeless = clock == Clock::System;
    if timeless && scenario.steps.iter().any(|step| matches!(step, Step::AdvanceClock(_))) {
        return Err("time passes, and the clock cannot be set");
    }
    let ground = Ground::of(&scenario.world);
    let original = ground.play(timeless, scenario);
    let changed = relation.changed(ground, timeless, scenario, &original)?;
    Ok((original, changed))
}

/// Both sides once for each kind of clock that is asked for: signing costs.
struct Played<'s> {
    relation: Relation,
    scenario: &'s Scenario,
    settable: OnceCell<Result<Sides, &'static str>>,
    system: OnceCell<Result<Sides, &'static str>>,
}

impl<'s> Played<'s> {
    fn new(relation: Relation, scenario: &'s Scenario) -> Self {
        Played { relation, scenario, settable: OnceCell::new(), system: OnceCell::new() }
    }

    fn for_clock(&self, clock: Clock) -> Result<&Sides, &'static str> {
        let sides = if clock == Clock::System { &self.system } else { &self.settable };
        sides.get_or_init(|| sides_of(self.relation, clock, self.scenario)).as_ref().map_err(|reason| *reason)
    }
}

/// Whether a validator answers both sides alike; says where it does not.
fn compare(played: &Played<'_>, maker: &Maker, tally: &mut Tally) -> Result<(), String> {
    let described = maker().describe();
    if !described.key_sources.contains(&played.scenario.key_source) {
        return Ok(());
    }
    tally.scenarios += 1;
    let (original, changed) = match played.for_clock(described.clock) {
        Ok(sides) => sides,
        Err(reason) => {
            *tally.left_out.entry(reason).or_default() += 1;
            return Ok(());
        }
    };
    let before = answers(maker, original);
    for changed in changed {
        let names = Names::between(original, changed);
        let after: Vec<_> = answers(maker, changed)
            .into_iter()
            .map(|answer| answer.map(|answer| names.answer_before(answer)))
            .collect();
        if before != after {
            return Err(format!("{}: {before:?}, then {after:?}\n{}", described.name, played.scenario.to_json()));
        }
    }
    for answer in before.iter().flatten() {
        tally.tokens += 1;
        tally.accepted += u32::from(matches!(answer, Answer::Accepts { .. }));
        tally.rejected += u32::from(*answer == Answer::Rejects);
    }
    Ok(())
}

/// Whether the oracle expects the same on both sides; says where it does not.
fn compare_expectations(played: &Played<'_>) -> Result<(), String> {
    let Ok((original, changed)) = played.for_clock(Clock::Settable) else { return Ok(()) };
    let before = expectations(original);
    for changed in changed {
        let names = Names::between(original, changed);
        let after = expectations(changed);
        let same = |before: &Expectation, after: &Expectation| {
            let identity = after.acceptable().cloned().map(|mut identity| {
                identity.iss = names.before("iss", identity.iss);
                identity.sub = names.before("sub", identity.sub);
                identity.tenant = names.before("tid", identity.tenant);
                let before = |name| names.before("aud", Some(name));
                identity.audience = identity.audience.map(|all| all.into_iter().filter_map(before).collect());
                identity
            });
            before.broken() == after.broken()
                && before.latitudes() == after.latitudes()
                && before.acceptable() == identity.as_ref()
        };
        let alike = before.len() == after.len() && before.iter().zip(&after).all(|(one, other)| same(one, other));
        if !alike {
            return Err(format!("the oracle: {before:?}, then {after:?}\n{}", played.scenario.to_json()));
        }
    }
    Ok(())
}

/// Those that are to keep every relation. One whose clock cannot be set takes no part where clocks are shifted.
fn sound(relation: Relation) -> Vec<Maker> {
    let mut makers = vec![reference::maker(), flawed::maker(None)];
    makers.extend(recipes().into_iter().filter(|recipe| recipe.sound).map(|recipe| (recipe.maker)()));
    makers.retain(|maker| relation.applies_to(&maker().describe()));
    makers
}

/// Every sound validator and the oracle, over random scenarios and the catalogue of small worlds.
fn holds(relation: Relation) {
    let makers = sound(relation);
    let tallies: RefCell<Vec<Tally>> = RefCell::new(makers.iter().map(|_| Tally::default()).collect());
    let keeps = |scenario: &Scenario| {
        let played = Played::new(relation, scenario);
        compare_expectations(&played)?;
        let mut tallies = tallies.borrow_mut();
        makers.iter().zip(tallies.iter_mut()).try_for_each(|(maker, tally)| compare(&played, maker, tally))
    };
    let random = runner().run(&strategy(atlas()), |scenario| keeps(&scenario).map_err(TestCaseError::fail));
    random.unwrap_or_else(|error| panic!("{error}"));
    for scenario in catalogued() {
        keeps(scenario).unwrap_or_else(|difference| panic!("{difference}"));
    }
    for (maker, tally) in makers.iter().zip(tallies.into_inner()) {
        let name = maker().describe().name;
        println!("{relation:?}, {name}: {tally:?}");
        let left_out: u32 = tally.left_out.values().sum();
        assert!(f64::from(left_out) <= MOST_LEFT_OUT * f64::from(tally.scenarios), "{name}: {tally:?}");
        assert!(tally.tokens >= 500, "{name}: {tally:?}");
        let share = |count: u32| f64::from(count) / f64::from(tally.tokens);
        assert!(share(tally.accepted) >= 0.15 && share(tally.rejected) >= 0.25, "{name}: {tally:?}");
    }
}

/// The scenario, as small as it gets, on whose sides a validator does not answer alike.
fn difference(relation: Relation, maker: &Maker) -> Option<Scenario> {
    let differs =
        |scenario: &Scenario| compare(&Played::new(relation, scenario), maker, &mut Tally::default()).is_err();
    let found = runner().run(&strategy(atlas()), |scenario| {
        prop_assert!(!differs(&scenario));
        Ok(())
    });
    match found {
        Err(TestError::Fail(_, scenario)) => Some(scenario),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Ok(()) => catalogued().iter().find(|scenario| differs(scenario)).cloned(),
    }
}

/// The relation tells the flawed validator from the one without a flaw, which keeps it.
fn catches(relation: Relation, flaw: Flaw) {
    let found = difference(relation, &flawed::maker(Some(flaw)));
    let scenario = found.unwrap_or_else(|| panic!("{relation:?} does not show {}", flaw.name()));
    println!("{relation:?} shows {}:\n{}", flaw.name(), scenario.to_json());
    let played = Played::new(relation, &scenario);
    let oracle = compare_expectations(&played);
    let sound = oracle.and_then(|()| compare(&played, &flawed::maker(None), &mut Tally::default()));
    sound.unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn the_order_of_issuers_and_keys_changes_no_answer() {
    holds(Relation::Order);
}

#[test]
fn the_order_of_issuers_catches_one_table_of_kids() {
    catches(Relation::Order, Flaw::KidTableOfAllIssuers);
}

#[test]
fn the_names_of_keys_change_no_answer() {
    holds(Relation::Kids);
}

#[test]
fn the_names_of_keys_catch_a_kid_as_an_index() {
    catches(Relation::Kids, Flaw::KidAsIndex);
}

#[test]
fn another_time_changes_no_answer() {
    for by in NEAR {
        holds(Relation::Clocks(by));
    }
}

#[test]
fn another_century_changes_no_answer() {
    holds(Relation::Clocks(FAR));
}

#[test]
fn another_century_catches_dates_in_32_bits() {
    catches(Relation::Clocks(FAR), Flaw::DatesIn32Bits);
}

#[test]
fn who_is_left_out_of_another_century_has_to_be() {
    let maker = |name: &str| recipes().into_iter().find(|recipe| recipe.name == name).map(|recipe| (recipe.maker)());
    for maker in relations::NOT_IN_2106.iter().filter_map(|name| maker(name)) {
        assert!(difference(Relation::Clocks(FAR), &maker).is_some(), "{}", maker().describe().name);
    }
}

#[test]
fn one_more_issuer_changes_no_answer() {
    holds(Relation::Issuer);
}

#[test]
fn one_more_issuer_catches_one_table_of_kids() {
    catches(Relation::Issuer, Flaw::KidTableOfAllIssuers);
}

#[test]
fn members_that_nobody_asked_for_change_no_answer() {
    holds(Relation::Members);
}

#[test]
fn members_that_nobody_asked_for_catch_who_refuses_them() {
    catches(Relation::Members, Flaw::UnknownMembersRefused);
}

#[test]
fn members_that_nobody_asked_for_catch_who_signs_in_the_one_they_name() {
    catches(Relation::Members, Flaw::SubjectFromUsername);
}
