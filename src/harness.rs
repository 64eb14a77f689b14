//! For Rust projects: one call in a `#[test]` judges a validator of your own, one line gives each class a test of its own
//! ([`class_tests!`](crate::class_tests)), and one makes a fuzz target ([`fuzz_target!`](crate::fuzz_target)).

mod class;
mod class_tests;
pub mod fuzz;
mod fuzz_target;
mod scenario;

pub use class::{JudgedClass, check_class, check_honest, judge_class, shipped_worlds};
pub use scenario::check_scenario;

use crate::campaign::{Outcome, Plan, Progress, Selection, Stream, run};
use crate::clock;
use crate::config::Config;
use crate::finding::Finding;
use crate::judgement::{self, Judgement};
use crate::rule::{Rule, Severity};
use crate::validator::{Maker, Validator};
use crate::world::{DEFAULT_SEED, World};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Judges a validator by the whole catalogue in the shipped worlds, and panics with a readable account of all that keeps the
/// run from being clean: findings, honest tokens that were refused, rules and classes for which nothing was shown, and
/// waivers that excuse nothing. Waivers stand in `wrongkey.toml` in the package's folder or above it.
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
    // Cargo runs tests in the folder of their package.
    let config = Config::find(None, &std::env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned()));
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let verdict = judge(&(Arc::new(make) as Maker), &config);
    assert!(verdict.is_clean(), "{verdict}");
}

/// What the catalogue showed of a validator.
#[derive(Debug)]
pub struct Verdict {
    /// The validator's name and version.
    pub validator: String,
    /// Tokens that were presented and judged.
    pub presented: u64,
    /// Findings of any severity, worst first, without those that are waived.
    pub findings: Vec<Finding>,
    /// Findings that are waived, each with the reason.
    pub waived: Vec<(Finding, String)>,
    /// What was not shown, in sentences: honest tokens refused, rules and classes without evidence.
    pub inconclusive: Vec<String>,
    /// Rules that the validator was not tried by, with its reasons for being skipped.
    pub not_tried: BTreeMap<Rule, BTreeSet<String>>,
    /// Waivers that excuse nothing any more.
    pub stale_waivers: Vec<String>,
}

impl Verdict {
    /// Whether the baseline held, nothing was found but what is waived, every rule and class that was tried has evidence, and
    /// no waiver is stale.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.inconclusive.is_empty() && self.stale_waivers.is_empty()
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { validator, presented, findings, waived, .. } = self;
        let counts = format!("{} findings, {} waived", findings.len(), waived.len());
        writeln!(f, "{validator}: {presented} tokens judged, {counts}")?;
        for finding in findings {
            writeln!(f, "  {} {}", finding.severity.name(), finding.origin)?;
            for rule in &finding.rules {
                writeln!(f, "    rule      {rule}: {} ({})", rule.demand(), rule.source())?;
            }
            let scenario = serde_json::to_string(&finding.scenario).unwrap_or_default();
            writeln!(f, "    answer    {}", finding.answer)?;
            writeln!(f, "    lawful    {}", finding.lawful)?;
            writeln!(f, "    scenario  {scenario}")?;
            writeln!(f, "    token     {}", finding.token)?;
            writeln!(f, "    replay    {}", scenario::replay_line(&scenario))?;
        }
        for sentence in &self.inconclusive {
            writeln!(f, "  inconclusive: {sentence}")?;
        }
        for (rule, reasons) in &self.not_tried {
            let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
            writeln!(f, "  not tried: {rule}: {}", reasons.join("; "))?;
        }
        for waiver in &self.stale_waivers {
            writeln!(f, "  stale waiver: {waiver} excuses nothing any more")?;
        }
        Ok(())
    }
}

/// Judges a validator by the whole catalogue in the shipped worlds, with these waivers.
///
/// # Panics
/// Where no validator can be made.
#[must_use]
pub fn judge(maker: &Maker, config: &Config) -> Verdict {
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
    let judged = judgement::judge(&outcome, config, Severity::Low, plan.now);
    let stale = judgement::stale(config, &[(&outcome, &judged)]);
    verdict(outcome, judged, config, stale)
}

fn verdict(outcome: Outcome, judged: Judgement, config: &Config, stale: Vec<usize>) -> Verdict {
    let excuses: BTreeMap<usize, usize> = judged.waived.iter().copied().collect();
    let mut findings = Vec::new();
    let mut waived = Vec::new();
    for (index, finding) in outcome.findings.into_iter().enumerate() {
        match excuses.get(&index) {
            Some(&waiver) => waived.push((finding, config.waivers[waiver].reason.clone())),
            None => findings.push(finding),
        }
    }
    Verdict {
        validator: format!("{} {}", outcome.description.name, outcome.description.version),
        presented: outcome.tally.presented,
        findings,
        waived,
        inconclusive: judged.inconclusive,
        not_tried: judged.not_tried,
        stale_waivers: stale.into_iter().map(|index| config.waivers[index].text.clone()).collect(),
    }
}
