//! For Rust projects: one call in a `#[test]` judges a validator of your own, and one line makes a fuzz target.

pub mod fuzz;

use crate::campaign::{Plan, Progress, Selection, Stream, run};
use crate::clock;
use crate::finding::Finding;
use crate::rule::Rule;
use crate::validator::{Maker, Validator};
use crate::world::{DEFAULT_SEED, World};
use std::sync::Arc;
use std::time::Duration;

/// Judges a validator by the whole catalogue in the shipped worlds, and panics with a readable account of every finding, of a
/// baseline that did not hold, and of every rule that was broken and for which nothing was shown.
///
/// ```no_run
/// # use wrongkey::validator::reference::Reference;
/// # fn my_validator() -> Reference { Reference::default() }
/// #[test]
/// fn my_validator_takes_no_wrong_key() {
///     wrongkey::harness::check(|| Box::new(my_validator()));
/// }
/// ```
///
/// # Panics
/// Where the validator fails; that is what it is for.
pub fn check(make: impl Fn() -> Box<dyn Validator> + Send + Sync + 'static) {
    let verdict = judge(&(Arc::new(make) as Maker));
    assert!(verdict.is_clean(), "{verdict}");
}

/// What the catalogue showed of a validator.
#[derive(Debug)]
pub struct Verdict {
    /// The validator's name and version.
    pub validator: String,
    /// Every finding, worst first.
    pub findings: Vec<Finding>,
    /// Honest tokens that were refused at the start, in words.
    pub baseline_failures: Vec<String>,
    /// Rules that were broken alone and for which no rejection has an accepted twin.
    pub without_evidence: Vec<Rule>,
    /// Honest tokens that were accepted at the start.
    pub honest_accepted: u64,
}

impl Verdict {
    /// Whether the baseline held, nothing was found and every rule has evidence.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let shown = self.baseline_failures.is_empty() && self.honest_accepted > 0;
        shown && self.findings.is_empty() && self.without_evidence.is_empty()
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {} findings", self.validator, self.findings.len())?;
        if self.honest_accepted == 0 {
            writeln!(f, "  no honest token was accepted")?;
        }
        for failure in &self.baseline_failures {
            writeln!(f, "  honest token refused: {failure}")?;
        }
        for rule in &self.without_evidence {
            writeln!(f, "  {rule}: broken, and no rejection has an accepted twin")?;
        }
        for finding in &self.findings {
            let scenario = serde_json::to_string(&finding.scenario).unwrap_or_default();
            writeln!(f, "  {} [{}]", finding.origin, finding.severity.name())?;
            writeln!(
                f,
                "    answer    {}\n    lawful    {}\n    scenario  {scenario}",
                finding.answer, finding.lawful
            )?;
        }
        Ok(())
    }
}

/// Judges a validator by the whole catalogue in the shipped worlds.
///
/// # Panics
/// Where the maker itself panics.
#[must_use]
pub fn judge(maker: &Maker) -> Verdict {
    let worlds: Vec<Arc<World>> =
        World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
    let plan = Plan {
        stream: Arc::new(Stream::new(&worlds, &Selection::default(), Vec::new(), 0, 0)),
        worlds,
        now: clock::now(),
        jobs: 1,
        timeout: Duration::from_secs(5),
        max_findings: 200,
    };
    let outcome = run(&plan, maker, &Arc::new(Progress::default()), &mut || {});
    let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
    let failures = outcome.tally.baseline_failures.iter();
    Verdict {
        validator: format!("{} {}", outcome.description.name, outcome.description.version),
        baseline_failures: failures.map(|f| format!("{} ({}): {}", f.site, f.token, f.answer)).collect(),
        without_evidence: outcome.tally.rules_without_evidence(),
        honest_accepted: outcome.tally.baseline_accepted,
        findings: outcome.findings,
    }
}
