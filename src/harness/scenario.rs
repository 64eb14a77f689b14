//! One scenario at a time: what a finding shows again, as a test of one line.

use super::shipped_worlds;
use crate::campaign::{Case, Evidence, Replayed, Seen, lawful_words, replay};
use crate::clock;
use crate::finding::tame;
use crate::scenario::Scenario;
use crate::validator::{Maker, Validator};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Plays one scenario of the shipped worlds against a fresh validator of your own, and panics with what was answered and what
/// would have been lawful where an answer is wrong, or where a rejection shows nothing because the lawful twin was refused too.
/// What [`check`](super::check) and the tests of [`class_tests!`](crate::class_tests) print of a finding goes in as it stands;
/// waivers are not asked.
///
/// ```
/// # use wrongkey::validator::reference::Reference as OurGate;
/// let scenario = r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"a"},"acts":[{"sign-with":{"key":"b-ps"}}]}"#;
/// wrongkey::harness::check_scenario(scenario, || Box::new(OurGate::default()));
/// ```
///
/// # Panics
/// Where the validator fails or is shown no token at all, and where the text is no scenario that can be played.
pub fn check_scenario(scenario: &str, make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static) {
    let scenario = Scenario::from_json(scenario.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    let make = Arc::new(make) as Maker;
    let played = replay(&shipped_worlds(), &make, &scenario, clock::now(), Duration::from_secs(5));
    let Replayed { cases, .. } = played.unwrap_or_else(|error| panic!("{error}"));
    let mut problems = String::new();
    for case in &cases {
        if let Some(answer) = problem(case) {
            let step = case.step + 1;
            // Nothing that is written into a text fails.
            let _ = writeln!(problems, "step {step}: {answer}\n  lawful    {}", lawful_words(case));
            let token = tame(&String::from_utf8_lossy(case.token.as_bytes()), 16_384);
            let _ = writeln!(problems, "  token     {token}");
        }
    }
    assert!(problems.is_empty(), "{problems}");
    let skipped = cases.iter().find_map(|case| if let Seen::Skipped(why) = &case.seen { Some(why) } else { None });
    if let Some(why) = skipped {
        assert!(cases.iter().any(|case| !matches!(case.seen, Seen::Skipped(_))), "no token was shown: {why}");
    }
}

/// What is wrong with an answer, where something is.
fn problem(case: &Case) -> Option<String> {
    match &case.seen {
        Seen::Wrong { kind, answer, .. } => {
            let rules: Vec<_> = case.expectation.broken().iter().map(|rule| rule.name()).collect();
            Some(format!("{} {}: {answer}", kind.name(), rules.join(", ")))
        }
        Seen::Fault(fault) => Some(fault.to_string()),
        Seen::Rejected(Evidence::TwinRefused(_, why)) => {
            Some(format!("rejected, which shows nothing: its lawful twin was refused too ({why})"))
        }
        _ => None,
    }
}

/// The line of Rust that plays a scenario again.
pub(super) fn replay_line(scenario: &str) -> String {
    // As many marks as end the text nowhere in it.
    let marks = (1..).map(|count| "#".repeat(count)).find(|marks| !scenario.contains(&format!("\"{marks}")));
    let marks = marks.unwrap_or_default();
    format!("wrongkey::harness::check_scenario(r{marks}\"{scenario}\"{marks}, || Box::new(YourValidator))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_would_end_the_text_gets_more_marks() {
        for (scenario, literal) in
            [(r#"{"a":"b"}"#, "r#\"{\"a\":\"b\"}\"#"), (r##"{"a":"#"}"##, "r##\"{\"a\":\"#\"}\"##")]
        {
            assert!(replay_line(scenario).contains(&format!("({literal}, ")), "{}", replay_line(scenario));
        }
    }
}
