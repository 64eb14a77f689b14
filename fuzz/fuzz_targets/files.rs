//! Searches for a world, scenario, configuration or policy file that is read wrongly.
//!
//! The first line of an input says which of these the rest is. Without a fuzzer the program plays the files and folders that
//! are its arguments.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod fuzzed {
    use libfuzzer_sys::{Corpus, fuzz_target};
    use wrongkey::harness::fuzz::{abort_on_panic, hold_panics, run_file};

    fuzz_target!(
        init: hold_panics(),
        |input: &[u8]| -> Corpus {
            if abort_on_panic(|| run_file(input)) { Corpus::Keep } else { Corpus::Reject }
        }
    );
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    use wrongkey::harness::fuzz::{play_file, program};
    program("files", &mut |input| play_file(input)).into()
}
