//! Searches for octets that a validator accepts as a token though nobody has signed what they decode to.
//!
//! The first line of an input says whom the rest is shown to: world, relying party, key source. The validators are the
//! reference and every recipe that binds keys to issuers, or those of `WRONGKEY_FUZZ_VALIDATOR=NAME,NAME`. Without a fuzzer
//! the program plays the files and folders that are its arguments; if a validator accepts nothing of a whole folder, nothing
//! was shown of it, and that is an error.

#![cfg_attr(fuzzing, no_main)]

use wrongkey::harness::fuzz::TokenTarget;

/// The repository's own waivers, and those that only fuzzing needs.
const WAIVERS: &str = concat!(include_str!("../../wrongkey.toml"), include_str!("../waivers.toml"));

fn target() -> TokenTarget {
    let named = TokenTarget::named(std::env::var("WRONGKEY_FUZZ_VALIDATOR").ok().as_deref());
    named.and_then(|target| target.waiving(WAIVERS)).unwrap_or_else(|error| {
        eprintln!("token: {error}");
        std::process::exit(2)
    })
}

#[cfg(fuzzing)]
mod fuzzed {
    use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
    use std::cell::RefCell;
    use wrongkey::harness::fuzz::{TokenTarget, abort_on_panic, hold_panics};

    /// Says at the end what was accepted.
    struct Counting(TokenTarget);

    impl Drop for Counting {
        fn drop(&mut self) {
            eprintln!("at the end: {}", self.0.told());
        }
    }

    thread_local! {
        static TARGET: RefCell<Counting> = RefCell::new(Counting(super::target()));
    }

    fuzz_target!(
        init: hold_panics(),
        |input: &[u8]| -> Corpus {
            let played = abort_on_panic(|| TARGET.with_borrow_mut(|target| target.0.run(input)));
            if played { Corpus::Keep } else { Corpus::Reject }
        }
    );

    fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
        TARGET.with_borrow(|target| target.0.mutate(data, size, max_size, seed, &mut fuzzer_mutate))
    });
}

#[cfg(not(fuzzing))]
fn main() -> std::process::ExitCode {
    let mut target = target();
    let code = wrongkey::harness::fuzz::program("token", &mut |input| target.play(input));
    println!("{}", target.told());
    let silent = target.never_accepted();
    let whole = std::env::args_os().skip(1).any(|path| std::path::Path::new(&path).is_dir());
    if code == 0 && whole && !silent.is_empty() {
        eprintln!("token: nothing was accepted by {}, so nothing was shown of it", silent.join(", "));
        return 2.into();
    }
    code.into()
}
