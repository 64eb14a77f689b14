//! Searches for a scenario that a validator answers wrongly.
//!
//! The input is a scenario file; what a mutation changes is one thing in the scenario. The validators are the reference and
//! the recipes, whose known findings the repository's `wrongkey.toml` waives. With `WRONGKEY_FUZZ=NAME,NAME` they are the
//! named ones and nothing is waived. Without a fuzzer the program plays the files and folders that are its arguments.

#![cfg_attr(fuzzing, no_main)]

use wrongkey::harness::fuzz::ScenarioTarget;

fn target() -> ScenarioTarget {
    let names = std::env::var("WRONGKEY_FUZZ").ok();
    ScenarioTarget::named(names.as_deref(), include_str!("../../wrongkey.toml")).unwrap_or_else(|error| {
        eprintln!("scenario: {error}");
        std::process::exit(2)
    })
}

#[cfg(fuzzing)]
mod fuzzed {
    use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target};
    use std::cell::RefCell;
    use wrongkey::harness::fuzz::ScenarioTarget;

    thread_local! {
        static TARGET: RefCell<ScenarioTarget> = RefCell::new(super::target());
    }

    fuzz_target!(
        // The hook ends the process inside any panic; a validator's own is caught, and is an answer like others.
        init: drop(std::panic::take_hook()),
        |input: &[u8]| -> Corpus {
            if TARGET.with_borrow_mut(|target| target.run(input)) { Corpus::Keep } else { Corpus::Reject }
        }
    );

    fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
        TARGET.with_borrow(|target| target.mutate(data, size, max_size, seed))
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    let paths: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    if paths.is_empty() {
        eprintln!("usage: scenario FILE|FOLDER…   plays scenario files, corpora and crash files");
        return 2.into();
    }
    match wrongkey::harness::fuzz::replay(&mut target(), &paths, &mut std::io::stdout().lock()) {
        Ok(replayed) => replayed.exit_code().into(),
        Err(error) => {
            eprintln!("scenario: {error}");
            2.into()
        }
    }
}
