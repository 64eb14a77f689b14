//! A validator that judges many tokens at a time is judged like one that judges them one by one, and is asked together.

mod common;

use common::{NOW, worlds};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, run};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::validator::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};

/// What was called, of all instances.
#[derive(Default)]
struct Calls {
    configured: AtomicUsize,
    one: AtomicUsize,
    together: AtomicUsize,
    batches: AtomicUsize,
}

type Answer = Result<Verdict, Fault>;

/// Another validator, asked many at a time.
struct Herd {
    inner: Box<dyn Validator>,
    clock: Clock,
    calls: Arc<Calls>,
    /// How many of so many it judges.
    most: fn(usize) -> usize,
    /// Changes an answer.
    spoils: fn(&mut Answer),
    mishaps: Vec<Fault>,
}

impl Validator for Herd {
    fn describe(&self) -> Description {
        Description { at_once: 64, keeps_time: true, clock: self.clock, ..self.inner.describe() }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.calls.configured.fetch_add(1, Ordering::Relaxed);
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Answer {
        self.calls.one.fetch_add(1, Ordering::Relaxed);
        let mut answer = self.inner.validate(token, now);
        (self.spoils)(&mut answer);
        answer
    }

    fn validate_all(&mut self, tokens: &[(Token, NumericDate)]) -> Vec<Answer> {
        self.calls.batches.fetch_add(1, Ordering::Relaxed);
        self.calls.together.fetch_add(tokens.len(), Ordering::Relaxed);
        let judged = tokens.iter().take((self.most)(tokens.len()));
        let mut answers: Vec<Answer> = judged.map(|(token, now)| self.inner.validate(token, *now)).collect();
        answers.iter_mut().for_each(self.spoils);
        answers
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        token.as_bytes().contains(&b'\n').then(|| "no line feeds".to_owned())
    }

    fn mishaps(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.mishaps)
    }
}

impl Herd {
    fn of(inner: Box<dyn Validator>, calls: &Arc<Calls>) -> Self {
        let calls = Arc::clone(calls);
        Herd { inner, clock: Clock::Settable, calls, most: |all| all, spoils: |_| {}, mishaps: Vec::new() }
    }
}

fn herd(flaw: Option<Flaw>, most: fn(usize) -> usize, spoils: fn(&mut Answer)) -> (Maker, Arc<Calls>) {
    let calls = Arc::new(Calls::default());
    let (inner, counted) = (flawed::maker(flaw), Arc::clone(&calls));
    let maker: Maker = Arc::new(move || Box::new(Herd { most, spoils, ..Herd::of(inner(), &counted) }));
    (maker, calls)
}

fn plan(chosen: &[&str], random: usize) -> Plan {
    let worlds: Vec<_> = worlds().into_iter().filter(|world| chosen.contains(&world.name.as_str())).collect();
    let stream = Arc::new(Stream::new(&worlds, &Selection::default(), Vec::new(), random, 0));
    Plan { worlds, stream, now: NOW, jobs: 2, timeout: Duration::from_secs(20), max_findings: 100 }
}

fn outcome(plan: &Plan, maker: &Maker) -> Outcome {
    run(plan, maker, &Arc::new(Progress::default()), &mut || {}).unwrap()
}

/// What it came to, but for what cannot be carried.
fn said(outcome: &Outcome) -> String {
    let Outcome { tally, findings, broken_off, unplayable, .. } = outcome;
    format!("{tally:#?}{findings:#?}{broken_off}{unplayable:#?}")
}

#[test]
fn asking_together_changes_no_answer_and_no_evidence() {
    let plan = plan(&["storm-0558", "two-issuers", "rotation"], 300);
    for flaw in [None, Some(Flaw::IssuerByPrefix), Some(Flaw::KidCacheAcrossIssuers)] {
        let (together, calls) = herd(flaw, |all| all, |_| {});
        let inner = flawed::maker(flaw);
        let single: Maker = Arc::new(move || Box::new(Lone(Herd::of(inner(), &Arc::default()))));
        let (many, one) = (outcome(&plan, &together), outcome(&plan, &single));
        let (many, one) = (said(&many), said(&one));
        let differing = many.lines().zip(one.lines()).find(|(many, one)| many != one);
        assert!(many == one, "{flaw:?}: {differing:?}");
        let [one, together, batches] =
            [&calls.one, &calls.together, &calls.batches].map(|count| count.load(Ordering::Relaxed));
        assert!(together > 5 * one, "{flaw:?}: {together} together, {one} alone");
        // Most twins have a policy of their own.
        assert!(together > 3 * batches, "{flaw:?}: {together} in {batches}");
    }
}

/// The same, asked one by one.
struct Lone(Herd);

impl Validator for Lone {
    fn describe(&self) -> Description {
        Description { at_once: 1, ..self.0.describe() }
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.0.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Answer {
        self.0.validate(token, now)
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        self.0.cannot_carry(token)
    }
}

#[test]
fn too_few_answers_to_many_are_made_up_for_one_by_one() {
    let (short, calls) = herd(None, |all| all / 2, |_| {});
    let outcome = outcome(&plan(&["two-issuers"], 0), &short);
    assert!(outcome.findings.is_empty() && outcome.tally.baseline_held(), "{:#?}", outcome.findings.first());
    assert!(outcome.tally.rules_without_evidence().is_empty());
    let alone = calls.one.load(Ordering::Relaxed);
    assert!(alone > 1_000, "{alone}");
}

#[test]
fn what_is_gone_ends_the_run_and_is_laid_at_no_token_after_it() {
    let (leaves, calls) = herd(
        None,
        |all| all,
        |answer| *answer = Err(Fault::Gone("its process ends whenever it is started".to_owned())),
    );
    let outcome = outcome(&plan(&["two-issuers"], 0), &leaves);
    assert!(outcome.broken_off && outcome.gone.as_deref().is_some_and(|why| why.contains("whenever it is started")));
    // One a worker, and what a finding is replayed with.
    assert!(outcome.tally.faults <= 2, "{}", outcome.tally.faults);
    assert!(calls.batches.load(Ordering::Relaxed) < 40, "{}", calls.batches.load(Ordering::Relaxed));
}

#[test]
fn a_fault_of_no_token_is_told_once() {
    let calls = Arc::new(Calls::default());
    let made = Arc::new(AtomicUsize::new(0));
    let maker: Maker = Arc::new(move || {
        let first = made.fetch_add(1, Ordering::Relaxed) == 1;
        let mishaps = first.then(|| Fault::Broken("it ended between two tokens".to_owned()));
        Box::new(Herd { mishaps: mishaps.into_iter().collect(), ..Herd::of(flawed::maker(None)(), &calls) })
    });
    let outcome = outcome(&plan(&["two-issuers"], 0), &maker);
    assert_eq!(outcome.tally.mishaps, ["it gave no answer: it ended between two tokens"]);
    assert!(outcome.findings.is_empty() && outcome.tally.baseline_held());
}

#[test]
fn a_validator_with_a_clock_of_its_own_is_asked_together_too() {
    let calls = Arc::new(Calls::default());
    let counted = Arc::clone(&calls);
    let maker: Maker = Arc::new(move || {
        let inner = Box::new(OfTheMachine(flawed::maker(None)()));
        Box::new(Herd { clock: Clock::System, ..Herd::of(inner, &counted) })
    });
    let outcome = outcome(&plan(&["two-issuers"], 0), &maker);
    assert!(outcome.findings.is_empty() && outcome.tally.baseline_held(), "{:?}", outcome.findings);
    let [one, together] = [&calls.one, &calls.together].map(|count| count.load(Ordering::Relaxed));
    assert!(together > 5 * one, "{together} together, {one} alone");
}

/// It reads the machine's clock.
struct OfTheMachine(Box<dyn Validator>);

impl Validator for OfTheMachine {
    fn describe(&self) -> Description {
        self.0.describe()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.0.configure(policy)
    }

    fn validate(&mut self, token: &Token, _: NumericDate) -> Answer {
        self.0.validate(token, wrongkey::clock::now())
    }
}
