//! One `#[test]` a class: the macro has every class, each test runs its own alone, and nothing that was not shown passes in
//! silence. After a change of the catalogue `WRONGKEY_BLESS=1 cargo test --test class_tests` writes the macro's list anew.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use wrongkey::config::{Config, parse};
use wrongkey::generate::classes;
use wrongkey::harness::{check_class, check_honest, check_scenario, judge_class};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::rule::Rule;
use wrongkey::validator::flawed::{Flaw, Flawed};
use wrongkey::validator::reference::Reference;
use wrongkey::validator::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};

/// Every class, for a validator that is sound.
mod reference {
    wrongkey::class_tests!(|| Box::new(super::Reference::default()));
}

fn flawed(flaw: Flaw) -> Maker {
    Arc::new(move || Box::new(Flawed::new(Some(flaw))))
}

/// The file that holds the macro, as it is to be.
fn macro_file() -> String {
    let mut tests = String::new();
    for class in classes() {
        let name = class.id.to_lowercase().replace(['-', '/'], "_");
        writeln!(tests, "            {name} {:?}", class.id).unwrap();
    }
    format!("{HEAD}{tests}{TAIL}")
}

const HEAD: &str = r#"//! A test for each class. `WRONGKEY_BLESS=1 cargo test --test class_tests` writes this file.

/// Makes a `#[test]` of each class of the catalogue for a validator of your own, named after the class (`ks_01`), and one that
/// shows honest tokens. Each runs its class alone, wherever in the shipped worlds it can be tried; see
/// [`check_class`](crate::harness::check_class) for what makes one fail. The argument makes a fresh validator.
///
/// ```
/// # use wrongkey::validator::reference::Reference as OurGate;
/// mod our_gate {
///     wrongkey::class_tests!(|| Box::new(super::OurGate::default()));
/// }
/// ```
#[macro_export]
#[rustfmt::skip]
macro_rules! class_tests {
    (@each $make:expr; $($name:ident $id:literal)*) => {
        $(
            #[test]
            fn $name() {
                $crate::harness::check_class($id, $make);
            }
        )*
    };
    ($make:expr $(,)?) => {
        #[test]
        fn honest_tokens_are_accepted() {
            $crate::harness::check_honest($make);
        }
        $crate::class_tests! { @each $make;
"#;

const TAIL: &str = "        }
    };
}
";

#[test]
fn the_macro_has_every_class() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/harness/class_tests.rs");
    let written = std::fs::read_to_string(&path).unwrap();
    let expected = macro_file();
    if written != expected && std::env::var_os("WRONGKEY_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(
        written == expected,
        "src/harness/class_tests.rs is not of this catalogue: WRONGKEY_BLESS=1 writes it anew"
    );
}

#[test]
fn a_class_fails_for_what_it_is_about_and_for_nothing_else() {
    let pools = || flawed(Flaw::SignatureOnlyOverMergedKeys);
    let judged = judge_class("KS-01", &pools(), &Config::default());
    assert_eq!(judged.class.id, "KS-01");
    let rules: Vec<_> = judged.verdict.findings.iter().map(|finding| &finding.rules).collect();
    assert!(!rules.is_empty() && rules.iter().all(|rules| **rules == [Rule::KeyBelongsToIssuer].into()), "{rules:?}");
    assert!(judge_class("TM-01", &pools(), &Config::default()).verdict.is_clean());

    let make = || Box::new(Flawed::new(Some(Flaw::SignatureOnlyOverMergedKeys))) as Box<dyn Validator>;
    let panic = catch_unwind(AssertUnwindSafe(|| check_class("KS-01", make))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for needle in [judged.class.title, "KeyBelongsToIssuer", "scenario  {", "token     eyJ"] {
        assert!(text.contains(needle), "{needle:?} is not in\n{text}");
    }
}

/// The scenario in the line of Rust that a failing class prints.
fn replayed(text: &str) -> &str {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("replay    wrongkey::harness::check_scenario(r"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let (marks, rest) = line.split_once('"').unwrap();
    rest.split_once(&format!("\"{marks}, || Box::new(YourValidator))")).unwrap().0
}

#[test]
fn the_line_that_a_failing_class_prints_shows_the_same_again() {
    let pooling = || Box::new(Flawed::new(Some(Flaw::SignatureOnlyOverMergedKeys))) as Box<dyn Validator>;
    let sound = || Box::new(Reference::default()) as Box<dyn Validator>;
    let panic = catch_unwind(|| check_class("KS-01", pooling)).unwrap_err();
    let scenario = replayed(panic.downcast_ref::<String>().unwrap()).to_owned();
    check_scenario(&scenario, sound);
    let panic = catch_unwind(AssertUnwindSafe(|| check_scenario(&scenario, pooling))).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    for needle in
        ["step 1: false-accept KeyBelongsToIssuer: ", "lawful    reject (KeyBelongsToIssuer)", "token     eyJ"]
    {
        assert!(text.contains(needle), "{needle:?} is not in\n{text}");
    }
}

#[test]
fn a_scenario_by_itself_shows_nothing_where_its_twin_is_refused_or_no_token_is_shown() {
    let scenario = r#"{"scenario":1,"world":"two-issuers","party":"api","honest":{"issuer":"a"},"acts":[{"sign-with":{"key":"b-ps"}}]}"#;
    let told = |make: Maker| {
        let panic = catch_unwind(AssertUnwindSafe(|| check_scenario(scenario, move || make()))).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    assert!(told(useless(false)).contains("its lawful twin was refused too (no)"));
    assert_eq!(told(useless(true)), "no token was shown: it is Sunday");
    let panic = catch_unwind(|| check_scenario("{}", || Box::new(Reference::default()))).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("missing field `scenario`"));
}

#[test]
fn a_class_that_shows_nothing_fails() {
    // Its twins have no `kid` either, so nothing is learnt from its refusals.
    let refuses = flawed(Flaw::RefusesNoKid);
    let shown = |id: &&str| !judge_class(id, &refuses, &Config::default()).verdict.is_clean();
    let failing: Vec<_> = ["KS-01", "KS-03", "TM-01"].into_iter().filter(shown).collect();
    assert_eq!(failing, ["KS-03"]);
    let config = parse("[[waiver]]\nclass = 'KS-03'\nreason = 'known'", "t").unwrap();
    assert!(judge_class("KS-03", &refuses, &config).verdict.is_clean());
}

#[test]
fn what_is_waived_passes_and_is_told() {
    let config = "[[waiver]]\nrule = 'TypeExpected'\nreason = 'a gateway looks at it'";
    let config = parse(config, "test").unwrap();
    let judged = judge_class("TY-01", &flawed(Flaw::TypeIgnored), &config);
    assert!(judged.verdict.is_clean(), "{}", judged.verdict);
    assert_eq!(judged.note().as_deref(), Some("TY-01 waived: a gateway looks at it"));
    assert_eq!(judge_class("TY-01", &flawed(Flaw::CritIgnored), &config).note(), None);
}

/// Works under no policy, or refuses everything.
struct Useless {
    skips: bool,
}

fn useless(skips: bool) -> Maker {
    Arc::new(move || Box::new(Useless { skips }))
}

impl Validator for Useless {
    fn describe(&self) -> Description {
        Description::new("useless", "1", Clock::Settable)
    }

    fn configure(&mut self, _: &TrustPolicy) -> Result<Configured, Fault> {
        Ok(if self.skips { Configured::Skip("it is Sunday".to_owned()) } else { Configured::Ready })
    }

    fn validate(&mut self, _: &Token, _: NumericDate) -> Result<Verdict, Fault> {
        Ok(Verdict::Reject("no".to_owned()))
    }
}

#[test]
fn a_class_that_is_not_tried_says_so_and_a_validator_that_skips_everything_fails() {
    let judged = judge_class("KS-01", &useless(true), &Config::default());
    assert!(judged.verdict.is_clean(), "{}", judged.verdict);
    assert_eq!(judged.note().as_deref(), Some("KS-01 not tried: it is Sunday"));
    let panic = catch_unwind(|| check_honest(|| useless(true)())).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "no honest token was judged: it is Sunday");
}

#[test]
fn a_validator_that_refuses_everything_fails_everywhere() {
    let judged = judge_class("KS-01", &useless(false), &Config::default());
    assert!(!judged.verdict.is_clean());
    assert!(judged.verdict.to_string().contains("honest tokens were refused at the start"), "{}", judged.verdict);
    let panic = catch_unwind(|| check_honest(|| useless(false)())).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().contains("honest tokens were refused at the start"));
}
