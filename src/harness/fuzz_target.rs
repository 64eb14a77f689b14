//! A whole fuzz target in one line.

use super::fuzz::ScenarioTarget;
use crate::config;
use crate::validator::{Maker, Validator};
use std::sync::Arc;

impl ScenarioTarget {
    /// A target for one validator, with the waivers of a `wrongkey.toml`; what [`fuzz_target!`](crate::fuzz_target) runs.
    ///
    /// # Panics
    /// Where the waivers cannot be read.
    #[must_use]
    pub fn of(make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static, waivers: &str) -> Self {
        let config = config::parse(waivers, config::FILE).unwrap_or_else(|error| panic!("{error}"));
        ScenarioTarget::new(&[Arc::new(make) as Maker], config.waivers)
    }
}

/// A libFuzzer target for a validator of your own: scenarios are decoded, mutated in their structure, signed with real keys and
/// judged, so that the search lives beyond the signature check. It is the whole body of a target, in a crate that has
/// `libfuzzer-sys`:
///
/// ```ignore
/// #![no_main]
/// wrongkey::fuzz_target!(|| Box::new(our_service::OurGate::default()));
/// ```
///
/// A second argument is the text of a `wrongkey.toml` whose waivers hold: `include_str!("../../wrongkey.toml")`. A wrong answer
/// ends the process with a message that begins with the rule and holds the readable scenario; `wrongkey reproduce` reads the
/// crash file.
#[macro_export]
macro_rules! fuzz_target {
    ($make:expr $(,)?) => {
        $crate::fuzz_target!($make, "");
    };
    ($make:expr, $waivers:expr $(,)?) => {
        ::std::thread_local! {
            static WRONGKEY_TARGET: ::std::cell::RefCell<$crate::harness::fuzz::ScenarioTarget> =
                ::std::cell::RefCell::new($crate::harness::fuzz::ScenarioTarget::of($make, $waivers));
        }

        ::libfuzzer_sys::fuzz_target!(
            init: $crate::harness::fuzz::hold_panics(),
            |input: &[u8]| -> ::libfuzzer_sys::Corpus {
                let run = || WRONGKEY_TARGET.with_borrow_mut(|target| target.run(input));
                if $crate::harness::fuzz::abort_on_panic(run) {
                    ::libfuzzer_sys::Corpus::Keep
                } else {
                    ::libfuzzer_sys::Corpus::Reject
                }
            }
        );

        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            WRONGKEY_TARGET.with_borrow(|target| target.mutate(data, size, max_size, seed))
        });
    };
}
