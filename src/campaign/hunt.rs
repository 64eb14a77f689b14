//! A campaign without an end: after the fixed scenarios generations of random and guided ones, until it is told to stop.
//!
//! A generation has a fixed size. What showed something new in it is taken in when it is over, in the order of the stream, so
//! that the first so many scenarios of a hunt are the same for any number of jobs. Time only decides how many there are.

use super::case::{Case, Evidence, Seen};
use super::key_texts::with_key_texts;
use super::{CHUNK, Outcome, Plan, Progress, Terms, Total, describe, lock};
use crate::clock;
use crate::error::Error;
use crate::finding::{Finding, Kind, Relation};
use crate::rule::Rule;
use crate::scenario::{Act, Scenario, Step};
use crate::validator::Maker;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Scenarios of a generation.
pub(super) const GENERATION: usize = 8 * CHUNK;

/// Most scenarios that guide a search; the oldest make room.
const MAX_LEADS: usize = 2_048;

/// Most things that are remembered as no longer new: beyond them nothing is.
const MAX_NOTICED: usize = 1 << 16;

/// When a hunt ends. Without either limit it goes on until it is interrupted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Nothing is begun after this moment.
    pub until: Option<Instant>,
    /// So many scenarios after the fixed ones.
    pub scenarios: Option<u64>,
}

/// What a hunt tried after the fixed scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hunted {
    /// Scenarios; half of them are drawn from the seed alone. The same number, given as a limit, tries the same ones again.
    pub scenarios: u64,
    /// Generations.
    pub generations: u64,
    /// Scenarios that showed something new, of all that were tried.
    pub leads: u64,
}

/// Runs a campaign that goes on searching. `leads` are scenarios to search near from the start. `found` is told of findings as
/// soon as they are made; the outcome has them all, with their final counts.
///
/// # Errors
/// Those of [`run`](super::run).
pub fn hunt(
    plan: &Plan,
    maker: &Maker,
    limits: &Limits,
    leads: Vec<Arc<Scenario>>,
    progress: &Arc<Progress>,
    found: &mut dyn FnMut(Vec<Finding>),
    tick: &mut dyn FnMut(),
) -> Result<Outcome, Error> {
    let start = clock::instant();
    let mut total = Total::new(plan, describe(maker, plan.timeout)?);
    let plan = &with_key_texts(plan, maker, &mut total, &progress.stop);
    let mut known = Known::new(leads);
    let mut hunted = Hunted::default();
    let fixed = Terms { learns: true, ..Terms::default() };
    let first = total.round(plan, maker, &fixed, progress, tick);
    let mut tell = |total: &Total, new: Vec<String>| {
        let findings: Vec<Finding> =
            new.iter().filter_map(|origin| total.conclusions.finding(origin).cloned()).collect();
        if !findings.is_empty() {
            found(findings);
        }
    };
    tell(&total, first.new);
    hunted.leads += known.learn(first.leads);
    // Where no honest token is accepted a search shows nothing.
    let mut goes_on = total.tally.baseline_accepted > 0;
    while goes_on {
        let left = limits.scenarios.map_or(u64::MAX, |most| most.saturating_sub(hunted.scenarios));
        let count = GENERATION.min(usize::try_from(left).unwrap_or(usize::MAX));
        let over = limits.until.is_some_and(|until| clock::instant() >= until);
        if count == 0 || over || total.broken_off || progress.stop.load(Ordering::Acquire) {
            break;
        }
        let stream = plan.stream.generation(hunted.scenarios, count, known.leads.iter().cloned().collect());
        let plan = Plan { stream: Arc::new(stream), ..plan.clone() };
        let terms = Terms { gate: Arc::new(Gate::closing(limits.until)), learns: true, ..Terms::default() };
        let round = total.round(&plan, maker, &terms, progress, tick);
        tell(&total, round.new);
        hunted.leads += known.learn(round.leads);
        hunted.scenarios += round.begun as u64;
        hunted.generations += 1;
        goes_on = round.begun == count;
    }
    Ok(total.into_outcome(plan, progress, start.elapsed(), Some(hunted)))
}

/// Lets chunks begin until a moment. Those that have begun are always the first ones: what was handed out before another that
/// has begun begins as well.
#[derive(Debug, Default)]
pub(super) struct Gate {
    until: Option<Instant>,
    begun: Mutex<usize>,
}

impl Gate {
    fn closing(until: Option<Instant>) -> Self {
        Gate { until, begun: Mutex::default() }
    }

    /// Whether the chunk of that number may begin. They are handed out in order, and may ask in another.
    pub(super) fn admits(&self, task: usize) -> bool {
        let mut begun = lock(&self.begun);
        if task >= *begun {
            if self.until.is_some_and(|until| clock::instant() >= until) {
                return false;
            }
            *begun = task + 1;
        }
        true
    }

    /// How many chunks have begun.
    pub(super) fn begun(&self) -> usize {
        *lock(&self.begun)
    }
}

/// A scenario that may show something new, and what that is.
#[derive(Debug)]
pub(super) struct Lead {
    scenario: Arc<Scenario>,
    shows: Shows,
}

/// What a presented token showed: how it was made, what it broke, and what was answered. Tokens that agree in all of it are
/// taken to have gone the same way through the validator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shows {
    world: String,
    /// Kinds of steps and acts, each once.
    ways: BTreeSet<&'static str>,
    broken: BTreeSet<Rule>,
    relation: Relation,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Accepted,
    Rejected,
    /// Rejected, and the lawful twin as well.
    TwinRefused,
    /// One of several lawful answers: the places where readings differ.
    Open(bool),
    Wrong(Kind),
}

/// What has been seen before.
pub(super) type Noticed = BTreeSet<Shows>;

/// What one scenario shows that is not among what was noticed before it.
pub(super) fn leads(scenario: &Arc<Scenario>, cases: &[Case], noticed: &mut Noticed) -> Vec<Lead> {
    let mut leads = Vec::new();
    for case in cases {
        // What breaks one rule is nearest to being accepted; what breaks many says little about each.
        if case.expectation.broken().len() > 1 && case.wrong().is_none() {
            continue;
        }
        let answer = match &case.seen {
            Seen::Accepted { .. } => Answer::Accepted,
            Seen::Rejected(Evidence::TwinRefused(..)) => Answer::TwinRefused,
            Seen::Rejected(_) => Answer::Rejected,
            Seen::Open { accepted } => Answer::Open(*accepted),
            Seen::Wrong { kind, .. } => Answer::Wrong(*kind),
            Seen::Fault(_) => Answer::Wrong(Kind::Fault),
            Seen::Skipped(_) => continue,
        };
        let steps = scenario.steps.iter().filter(|step| !matches!(step, Step::Present(_))).map(Step::kind);
        let acts = scenario.presents().flat_map(|(_, present)| present.acts.iter().map(Act::kind));
        let shows = Shows {
            world: scenario.world.clone(),
            ways: steps.chain(acts).collect(),
            broken: case.expectation.broken().clone(),
            relation: case.relation,
            answer,
        };
        if noticed.insert(shows.clone()) {
            leads.push(Lead { scenario: Arc::clone(scenario), shows });
        }
    }
    leads
}

/// What a search has learnt.
struct Known {
    leads: VecDeque<Arc<Scenario>>,
    noticed: Noticed,
}

impl Known {
    fn new(leads: Vec<Arc<Scenario>>) -> Self {
        let mut known = Known { leads: VecDeque::new(), noticed: Noticed::new() };
        leads.into_iter().for_each(|lead| known.keep(lead));
        known
    }

    fn keep(&mut self, lead: Arc<Scenario>) {
        if self.leads.len() == MAX_LEADS {
            self.leads.pop_front();
        }
        self.leads.push_back(lead);
    }

    /// Keeps what is new, and says how much that is.
    fn learn(&mut self, leads: Vec<Lead>) -> u64 {
        let mut new = 0;
        for Lead { scenario, shows } in leads {
            if self.noticed.len() < MAX_NOTICED && self.noticed.insert(shows) {
                new += 1;
                if self.leads.back() != Some(&scenario) {
                    self.keep(scenario);
                }
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::KeySource;
    use crate::scenario::Honest;
    use std::time::Duration;

    #[test]
    fn a_gate_that_closes_lets_no_later_chunk_overtake_an_earlier_one() {
        let gate = Gate::default();
        assert!(gate.admits(0) && gate.admits(2));
        assert_eq!(gate.begun(), 3);
        let closed = Gate { until: Some(clock::instant() - Duration::from_millis(1)), begun: Mutex::new(3) };
        assert!(closed.admits(1), "it was handed out before one that has begun");
        assert!(!closed.admits(3) && !closed.admits(4));
        assert_eq!(closed.begun(), 3);
    }

    #[test]
    fn what_a_search_remembers_is_bounded_and_the_latest_stay() {
        let scenario = |number: usize| {
            let honest = Honest { issuer: number.to_string(), ..Honest::default() };
            Arc::new(Scenario::single("w", KeySource::PerIssuer, "p", honest, Vec::new()))
        };
        let shows = |number: usize| Shows {
            world: number.to_string(),
            ways: BTreeSet::new(),
            broken: BTreeSet::new(),
            relation: Relation::Own,
            answer: Answer::Accepted,
        };
        let mut known = Known::new(vec![scenario(0)]);
        let many = || (0..MAX_LEADS + 10).map(|number| Lead { scenario: scenario(number), shows: shows(number) });
        assert_eq!(known.learn(many().collect()), (MAX_LEADS + 10) as u64);
        assert_eq!(known.leads.len(), MAX_LEADS);
        assert_eq!(known.leads.back(), Some(&scenario(MAX_LEADS + 9)));
        assert_eq!(known.learn(many().collect()), 0, "nothing is new twice");
    }
}
