//! Searches for a scenario that a validator answers wrongly.
//!
//! The input is a scenario file; what a mutation changes is one thing in the scenario. The validators are the reference and
//! the recipes, whose known findings `wrongkey.toml` and `waivers.toml` waive. With `WRONGKEY_FUZZ_VALIDATOR=NAME,NAME` they are the
//! named ones and nothing is waived; with `WRONGKEY_FUZZ_RULE=RULE` only what breaks that rule alone counts. Without a
//! fuzzer the program plays the files and folders that are its arguments.

#![cfg_attr(fuzzing, no_main)]

use wrongkey::error::Error;
use wrongkey::harness::fuzz::ScenarioTarget;
use wrongkey::rule::Rule;

/// The repository's own, and that of the recipe which is known to be wrong.
const WAIVERS: &str = concat!(include_str!("../../wrongkey.toml"), include_str!("../waivers.toml"));

fn target() -> ScenarioTarget {
    from_environment().unwrap_or_else(|error| {
        eprintln!("scenario: {error}");
        std::process::exit(2)
    })
}

fn from_environment() -> Result<ScenarioTarget, Error> {
    let names = std::env::var("WRONGKEY_FUZZ_VALIDATOR").ok();
    let target = ScenarioTarget::named(names.as_deref(), WAIVERS)?;
    let Ok(name) = std::env::var("WRONGKEY_FUZZ_RULE") else { return Ok(target) };
    let rule = Rule::ALL.iter().find(|rule| rule.name() == name);
    let rule = rule.ok_or_else(|| Error::Usage(format!("there is no rule `{name}`: `wrongkey list rules`")))?;
    Ok(target.looking_for(*rule))
}

#[cfg(fuzzing)]
mod fuzzed {
    use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
    use std::cell::RefCell;
    use wrongkey::harness::fuzz::{ScenarioTarget, abort_on_panic, hold_panics};

    thread_local! {
        static TARGET: RefCell<ScenarioTarget> = RefCell::new(super::target());
    }

    fuzz_target!(
        init: hold_panics(),
        |input: &[u8]| -> Corpus {
            let played = abort_on_panic(|| TARGET.with_borrow_mut(|target| target.run(input)));
            if played { Corpus::Keep } else { Corpus::Reject }
        }
    );

    fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
        TARGET.with_borrow(|target| target.mutate_with(data, size, max_size, seed, &mut fuzzer_mutate))
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    let mut target = target();
    wrongkey::harness::fuzz::program("scenario", &mut |input| target.play(input)).into()
}
