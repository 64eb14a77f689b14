//! Does our gate ever take a signature by a key that had no right to make it?

mod adapter;

use adapter::OurGate;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::cell::RefCell;
use std::sync::Arc;
use wrongkey::generate::{Atlas, strategy};
use wrongkey::harness::fuzz::{Played, ScenarioTarget};
use wrongkey::harness::shipped_worlds;

/// A test for each attack class.
mod class {
    wrongkey::class_tests!(|| Box::new(super::OurGate::default()));
}

proptest! {
    // From one seed, so that what is found today is found tomorrow.
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        rng_seed: RngSeed::Fixed(0),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Random scenarios; one that is answered wrongly shrinks to the fewest steps and acts.
    #[test]
    fn no_scenario_is_answered_wrongly(
        scenario in strategy(Arc::new(Atlas::of(&shipped_worlds()).with_clock_standing_still()))
    ) {
        thread_local! {
            static GATE: RefCell<ScenarioTarget> =
                RefCell::new(ScenarioTarget::of(|| Box::new(OurGate::default()), ""));
        }
        let played = GATE.with_borrow_mut(|gate| gate.play(scenario.to_json().as_bytes()));
        if let Played::Wrong(account) = played {
            prop_assert!(false, "{}", account);
        }
    }
}
