//! What a Rust project gets that tests a validator of its own: one call that passes, or panics with all one needs to know.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wrongkey::config::{Config, parse};
use wrongkey::harness::{check, judge};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::rule::Rule;
use wrongkey::validator::flawed::{Flaw, Flawed};
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Configured, Description, Fault, Maker, Validator, Verdict};

fn flawed(flaw: Flaw) -> Maker {
    Arc::new(move || Box::new(Flawed::new(Some(flaw))))
}

fn message(make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| check(make))).unwrap_err();
    panic.downcast_ref::<String>().unwrap().clone()
}

#[test]
fn a_sound_validator_passes() {
    check(|| Box::new(Reference::default()));
    check(|| Box::new(Flawed::new(None)));
}

#[test]
fn a_flawed_one_fails_and_the_message_says_why() {
    let text = message(|| Box::new(Flawed::new(Some(Flaw::SignatureOnlyOverMergedKeys))));
    for needle in [
        "flawed-signature-only-over-merged-keys 0.1.0: ",
        "critical flawed-signature-only-over-merged-keys.false-accept.KeyBelongsToIssuer.sign-with.other-trusted",
        "rule      KeyBelongsToIssuer: The key that signed is, or was, listed",
        "RFC 8725 section 3.8",
        "answer    accept, as iss https://",
        "lawful    reject (KeyBelongsToIssuer)",
        r#"scenario  {"scenario":1,"world":"#,
        "token     eyJ",
    ] {
        assert!(text.contains(needle), "{needle:?} is not in\n{text}");
    }
}

#[test]
fn medium_findings_and_gaps_fail_too() {
    let verdict = judge(&flawed(Flaw::LaxBase64), &Config::default());
    assert!(!verdict.is_clean());
    assert!(verdict.findings.iter().all(|finding| finding.rules == [Rule::WellFormed].into()), "{verdict}");
    let verdict = judge(&flawed(Flaw::RefusesNoKid), &Config::default());
    assert!(verdict.findings.is_empty() && !verdict.is_clean(), "{verdict}");
    assert!(verdict.to_string().contains("inconclusive: "), "{verdict}");
}

#[test]
fn waivers_excuse_and_go_stale() {
    let config = |text: &str| parse(text, "test").unwrap();
    let waiver = "[[waiver]]\nrule = 'TypeExpected'\nreason = 'known'\n";
    let verdict = judge(&flawed(Flaw::TypeIgnored), &config(waiver));
    assert!(verdict.is_clean(), "{verdict}");
    assert!(!verdict.waived.is_empty() && verdict.waived.iter().all(|(_, reason)| reason == "known"));
    let verdict = judge(&flawed(Flaw::CritIgnored), &config(waiver));
    assert_eq!(verdict.stale_waivers, ["rule TypeExpected"]);
    assert!(!verdict.findings.is_empty());
}

#[test]
fn the_recipe_passes_with_the_waivers_of_this_repository() {
    let recipe = recipes().into_iter().find(|recipe| recipe.name == "jsonwebtoken").unwrap();
    let maker = (recipe.maker)();
    check(move || maker());
}

/// Works under no policy, and says so.
struct Nowhere;

impl Validator for Nowhere {
    fn describe(&self) -> Description {
        Reference::default().describe()
    }

    fn configure(&mut self, _: &TrustPolicy) -> Result<Configured, Fault> {
        Ok(Configured::Skip("it is Sunday".to_owned()))
    }

    fn validate(&mut self, _: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        Ok(Verdict::Reject("no".to_owned()))
    }
}

#[test]
fn a_validator_that_skips_everything_does_not_pass() {
    let text = message(|| Box::new(Nowhere));
    assert!(text.contains("no honest token was judged"), "{text}");
    assert!(text.contains("not tried: KeyBelongsToIssuer: it is Sunday"), "{text}");
}
