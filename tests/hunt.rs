//! A search without an end: it tries the same things for any number of jobs, learns from what it sees, and stops when told to.

mod common;

use common::{NOW, shared_worlds};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use wrongkey::campaign::{Limits, Outcome, Plan, Progress, Selection, Stream, hunt, run};
use wrongkey::clock;
use wrongkey::finding::{Finding, Kind};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::rule::Rule;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::{Configured, Description, Fault, Maker, Validator, Verdict};

/// A generation and a bit: what the first showed has a say in the second.
const SCENARIOS: u64 = 2_048 + 200;

/// How often each token was shown, by its digest.
type Shown = Arc<Mutex<BTreeMap<[u8; 32], u32>>>;

/// A validator that keeps a list of what it is shown.
struct Listing {
    inner: Box<dyn Validator>,
    shown: Shown,
}

impl Validator for Listing {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        *self.shown.lock().unwrap().entry(Sha256::digest(token.as_bytes()).into()).or_default() += 1;
        self.inner.validate(token, now)
    }
}

fn listing(flaw: Option<Flaw>) -> (Maker, Shown) {
    let shown = Shown::default();
    let (inner, list) = (flawed::maker(flaw), Arc::clone(&shown));
    (Arc::new(move || Box::new(Listing { inner: inner(), shown: Arc::clone(&list) })), shown)
}

/// The smallest site there is, without the catalogue: nothing but the search.
fn plan(seed: u64, random: usize, jobs: usize) -> Plan {
    let selection = Selection {
        parties: vec!["web".to_owned()],
        key_sources: Vec::new(),
        classes: Arc::new(|class| class.id == "PC-01"),
    };
    let worlds = shared_worlds();
    let stream = Arc::new(Stream::new(&worlds, &selection, Vec::new(), random, seed));
    Plan { worlds, stream, now: NOW, jobs, timeout: Duration::from_secs(30), max_findings: 100 }
}

fn limits(scenarios: u64) -> Limits {
    Limits { until: None, scenarios: Some(scenarios) }
}

fn hunted(plan: &Plan, maker: &Maker, limits: &Limits) -> Outcome {
    let progress = Arc::new(Progress::default());
    hunt(plan, maker, limits, Vec::new(), &progress, &mut |_| {}, &mut || {}).unwrap()
}

#[test]
fn the_same_seed_shows_the_same_tokens_for_any_number_of_jobs() {
    let searched = |jobs| {
        let (maker, shown) = listing(None);
        let outcome = hunted(&plan(5, 0, jobs), &maker, &limits(SCENARIOS));
        let hunted = outcome.hunted.unwrap();
        assert_eq!((hunted.scenarios, hunted.generations), (SCENARIOS, 2));
        assert!(outcome.tally.classes["guided"].presented > 0);
        (hunted.leads, shown.lock().unwrap().clone())
    };
    let one = searched(1);
    assert!(one.1.len() > 2_000, "{}", one.1.len());
    assert_eq!(one, searched(3));
}

#[test]
fn random_scenarios_alone_are_the_same_for_any_number_of_jobs_too() {
    let drawn = |seed, jobs| {
        let (maker, shown) = listing(None);
        run(&plan(seed, 600, jobs), &maker, &Arc::new(Progress::default()), &mut || {}).unwrap();
        std::mem::take(&mut *shown.lock().unwrap())
    };
    let one = drawn(5, 1);
    assert!(one.len() > 600, "{}", one.len());
    assert_eq!(one, drawn(5, 3));
    assert_ne!(one, drawn(6, 3));
}

#[test]
fn a_hunt_that_time_ends_tried_the_first_scenarios_of_a_longer_one() {
    let (maker, short) = listing(None);
    let until = Some(clock::instant() + Duration::from_millis(1_500));
    let outcome = hunted(&plan(1, 0, 2), &maker, &Limits { until, scenarios: None });
    let scenarios = outcome.hunted.unwrap().scenarios;
    assert!(!outcome.interrupted && !outcome.broken_off);
    let (maker, again) = listing(None);
    let repeated = hunted(&plan(1, 0, 1), &maker, &limits(scenarios));
    assert_eq!(repeated.hunted.unwrap().scenarios, scenarios);
    assert_eq!(*short.lock().unwrap(), *again.lock().unwrap());
}

#[test]
fn a_flaw_is_found_without_any_class_that_aims_at_it_and_told_at_once() {
    let mut told: Vec<Finding> = Vec::new();
    let maker = flawed::maker(Some(Flaw::SignatureOnlyOverMergedKeys));
    let progress = Arc::new(Progress::default());
    let mut found = |findings: Vec<Finding>| told.extend(findings);
    let outcome =
        hunt(&plan(0, 0, 2), &maker, &limits(2_048 + SCENARIOS), Vec::new(), &progress, &mut found, &mut || {})
            .unwrap();
    let storm = outcome.findings.iter().find(|finding| finding.rules == BTreeSet::from([Rule::KeyBelongsToIssuer]));
    let storm = storm.unwrap();
    assert!(storm.reproduced && storm.kind == Kind::FalseAccept);
    assert_eq!(storm.scenario.as_single().unwrap().acts.len(), 1);
    let origins = |findings: &[Finding]| findings.iter().map(|finding| finding.origin.clone()).collect::<BTreeSet<_>>();
    assert_eq!(origins(&told), origins(&outcome.findings));
    assert_eq!(told.len(), outcome.findings.len(), "each is told once");
    assert_eq!(progress.found.load(Ordering::Relaxed), told.len());
    let first = told.iter().find(|finding| finding.origin == storm.origin).unwrap();
    assert!(first.count < storm.count, "what later generations see again is counted");
}

#[test]
fn a_hunt_of_a_validator_that_refuses_everything_goes_no_further_than_the_catalogue() {
    let outcome = hunted(&plan(0, 0, 1), &flawed::maker(Some(Flaw::RejectAll)), &Limits::default());
    assert_eq!(outcome.hunted.unwrap().scenarios, 0);
    assert!(!outcome.tally.baseline_held());
}

#[test]
fn a_hunt_without_limits_ends_when_it_is_interrupted() {
    let progress = Arc::new(Progress::default());
    let stop = Arc::clone(&progress);
    let mut tick = move || {
        if stop.done.load(Ordering::Relaxed) > 100 {
            stop.stop.store(true, Ordering::Release);
        }
    };
    let (maker, limits) = (flawed::maker(None), Limits::default());
    let outcome = hunt(&plan(0, 0, 2), &maker, &limits, Vec::new(), &progress, &mut |_| {}, &mut tick).unwrap();
    assert!(outcome.interrupted && !outcome.broken_off);
    assert!(outcome.findings.is_empty());
}
