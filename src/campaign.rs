//! One run of many scenarios against one validator: baseline first, honest tokens all through, twins, evidence, findings.
//!
//! The scenarios are one indexed stream, cut into chunks of [`CHUNK`] whatever the number of jobs. Each chunk starts on fresh
//! instances and opens and closes every site it uses with an honest token; if the closing one is refused, what was rejected
//! there shows nothing. Before a finding is written it is replayed alone on a fresh instance and shrunk.

mod case;
mod conclude;
#[cfg(feature = "remote")]
mod conformance;
mod examine;
mod hunt;
mod key_texts;
mod parties;
mod pool;
mod stream;
mod tally;
mod tempted;
mod workshop;

pub use case::{Case, Evidence, Seen, TwinNote};
pub(crate) use conclude::lawful_words;
pub use conclude::{Replayed, replay, shrink_finding};
#[cfg(feature = "remote")]
pub use conformance::{Conformed, Unfit, conform};
pub use examine::Examiner;
pub use hunt::{Hunted, Limits, hunt};
pub use stream::{Item, Phase, Selection, Stream};
pub use tally::{BaselineFailure, Cell, ClassTally, ConductTally, CoreTally, RuleTally, Tally};

use crate::clock;
use crate::error::Error;
use crate::finding::{Finding, Kind, tame};
use crate::generate;
use crate::jose::{NumericDate, Token};
use crate::rule::Rule;
use crate::scenario::{Scenario, Step};
use crate::validator::{Description, Fault, Maker};
use crate::world::World;
use case::SiteId;
use conclude::{Conclusions, Groups};
use examine::{Door, InHand, Seeks, lead_name};
use hunt::{Gate, Lead};
use pool::{AfterHang, Pulse};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use workshop::Workshop;

/// Scenarios of a chunk.
pub const CHUNK: usize = 256;

/// Name of the threads that call validators; a panic there is a fault, and its message is kept rather than printed.
pub const WORKER: &str = "wrongkey-validator";

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The worlds.
    pub worlds: Vec<Arc<World>>,
    /// The scenarios.
    pub stream: Arc<Stream>,
    /// The time of forging, for validators whose clock can be set.
    pub now: NumericDate,
    /// Workers.
    pub jobs: usize,
    /// For one call into a validator.
    pub timeout: Duration,
    /// Most findings that are shrunk and kept.
    pub max_findings: usize,
}

/// What came of a campaign.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The validator.
    pub description: Description,
    /// Counts.
    pub tally: Tally,
    /// Findings, worst first.
    pub findings: Vec<Finding>,
    /// How many more there were than [`Plan::max_findings`].
    pub findings_beyond: usize,
    /// How long it took.
    pub duration: Duration,
    /// Whether it was broken off: too many hung workers, or the validator is gone.
    pub broken_off: bool,
    /// Why the validator is gone for good, where it is.
    pub gone: Option<String>,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// How many classes of the catalogue were chosen.
    pub chosen: usize,
    /// Index in the stream of the first accepted token whose key never belonged to the claimed issuer.
    pub first_cross_issuer: Option<usize>,
    /// Scenarios that could not be played, with the reason.
    pub unplayable: Vec<(String, String)>,
    /// What was searched after the fixed scenarios, where this was a hunt.
    pub hunted: Option<Hunted>,
}

impl Outcome {
    /// Whether the whole catalogue was chosen, as far as these worlds can express it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.chosen == generate::classes().len()
    }
}

/// How far a campaign has come; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Scenarios done.
    pub done: AtomicUsize,
    /// Findings made; known while a hunt goes on.
    pub found: AtomicUsize,
    /// Set to end the campaign early.
    pub stop: AtomicBool,
}

/// What is known of a chunk.
#[derive(Default)]
struct Chunk {
    next: usize,
    entries: Vec<Entry>,
    /// Sites at which the first or the last honest token was refused.
    closed_badly: BTreeMap<SiteId, String>,
    /// Sites at which an honest token between the others was answered with a secret, and the answer.
    leaked: BTreeMap<SiteId, String>,
    unplayable: Vec<(usize, String)>,
    leads: Vec<Lead>,
    /// What is left of the entries once the chunk is over: a campaign of millions must not keep millions of them.
    summary: Summary,
    /// Why the validator is gone for good, where it is.
    gone: Option<String>,
    /// Whether it is over.
    done: bool,
}

/// What the chunks so far came to, in their order: no more is kept of a campaign than of its longest chunk.
#[derive(Default)]
struct Ledger {
    next: usize,
    summary: Summary,
}

impl Ledger {
    /// Takes in the chunks that are over and follow on the last one that was taken in.
    fn settle(&mut self, chunks: &[Mutex<Chunk>]) {
        while let Some(chunk) = chunks.get(self.next) {
            let mut chunk = lock(chunk);
            if !chunk.done {
                break;
            }
            self.summary.merge(std::mem::take(&mut chunk.summary));
            self.next += 1;
        }
    }
}

/// What a chunk, or the chunks so far, came to.
#[derive(Default)]
struct Summary {
    tally: Tally,
    groups: Groups,
    first_cross_issuer: Option<usize>,
    unplayable: Vec<(String, String)>,
    leads: Vec<Lead>,
    gone: Option<String>,
}

/// Most scenarios that are named when they cannot be played.
const MAX_UNPLAYABLE: usize = 100;

impl Summary {
    fn merge(&mut self, other: Summary) {
        self.tally.merge(other.tally);
        self.groups.merge(other.groups);
        self.first_cross_issuer = self.first_cross_issuer.or(other.first_cross_issuer);
        self.unplayable.extend(other.unplayable);
        self.unplayable.truncate(MAX_UNPLAYABLE);
        self.leads.extend(other.leads);
        self.gone = self.gone.take().or(other.gone);
    }
}

impl Chunk {
    /// A secret is said to be printed once. Where that was at a token that opens or closes a site, which no finding is made of, a
    /// token of the stream at that site has to stand for it.
    fn lay_leak_at(leaked: &mut BTreeMap<SiteId, String>, case: &mut Case) {
        if matches!(case.seen, Seen::Skipped(_) | Seen::Wrong { .. } | Seen::Fault(_)) {
            return;
        }
        if let Some(answer) = leaked.remove(&case.site) {
            case.seen = Seen::Wrong { kind: Kind::Leak, answer, twin: None };
        }
    }

    /// Lays what came late at the door of the token that caused it: at nobody's, where no token of this chunk did.
    fn lay_late(&mut self, late: Vec<(Token, Fault)>) {
        for (token, fault) in late {
            match self.entries.iter_mut().rev().find(|entry| entry.case.token == token) {
                Some(entry) if entry.case.wrong().is_some() => {}
                Some(entry) => entry.case.seen = Seen::of(fault),
                None => self.summary.tally.mishaps(vec![fault.to_string()]),
            }
        }
    }

    /// Counts the entries and lets them go.
    fn sum_up(&mut self, plan: &Plan, description: &Description) {
        self.done = true;
        let summary = &mut self.summary;
        summary.leads.append(&mut self.leads);
        summary.gone = self.gone.take();
        // Taken, not drained: what is emptied would keep its room.
        for (index, why) in std::mem::take(&mut self.unplayable) {
            summary.unplayable.push((plan.stream.name_of(index), why));
        }
        for (site, why) in &self.closed_badly {
            summary.tally.closed_badly(site, why);
        }
        for mut entry in std::mem::take(&mut self.entries) {
            if let (Seen::Rejected(evidence), Some(why)) =
                (&mut entry.case.seen, self.closed_badly.get(&entry.case.site))
                && let Evidence::Confirmed(kind) = *evidence
            {
                *evidence = Evidence::TwinRefused(kind, format!("an honest token was refused afterwards: {why}"));
            }
            summary.tally.count(plan, description, &entry);
            if let Some((kind, rules)) = entry.case.wrong() {
                if kind == Kind::FalseAccept && rules.contains(&Rule::KeyBelongsToIssuer) {
                    summary.first_cross_issuer.get_or_insert(entry.index);
                }
                summary.groups.add(plan, entry, kind, rules);
            }
        }
    }
}

/// A case and the stream index it came from.
#[derive(Clone, Debug)]
struct Entry {
    index: usize,
    case: Case,
}

/// Longest name or version of a validator that is kept: they reach every report and the names of files.
const MAX_NAME: usize = 80;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps panics of validators off the terminal: they are faults, and their messages are in the report.
pub fn quiet_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() != Some(WORKER) {
            usual(info);
        }
    }));
}

/// What a validator says of itself, asked on a watched thread.
///
/// # Errors
/// Where it panics or hangs before it has been shown anything.
pub fn describe(maker: &Maker, timeout: Duration) -> Result<Description, Error> {
    let answer: Arc<Mutex<Option<Description>>> = Arc::default();
    let work = {
        let (answer, maker) = (Arc::clone(&answer), Arc::clone(maker));
        let work = move |_: usize, pulse: &Pulse| {
            pulse.begins();
            let described = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let validator = examine::Held::new(maker());
                validator.describe()
            }));
            pulse.ends();
            *lock(&answer) = described.ok().flatten();
        };
        Arc::new(work) as pool::Work
    };
    pool::run(1, 1, timeout, &AtomicBool::new(false), &work, &mut |_| AfterHang::Drop, &mut || {});
    let answered = lock(&answer).take();
    let hopeless = || Error::Usage("the validator panics or hangs when it is made or described".to_owned());
    let mut description = answered.ok_or_else(hopeless)?;
    description.name = tame(&description.name, MAX_NAME);
    description.version = tame(&description.version, MAX_NAME);
    Ok(description)
}

/// Runs a campaign.
///
/// # Errors
/// None of the validator's making: what it does wrong is in the outcome. A maker that cannot even make a validator to be
/// described is an error.
pub fn run(plan: &Plan, maker: &Maker, progress: &Arc<Progress>, tick: &mut dyn FnMut()) -> Result<Outcome, Error> {
    let start = clock::instant();
    let description = describe(maker, plan.timeout)?;
    let mut total = Total::new(plan, description);
    let plan = &key_texts::with_key_texts(plan, maker, &mut total, &progress.stop);
    total.round(plan, maker, &Terms::default(), progress, tick);
    Ok(total.into_outcome(plan, progress, start.elapsed(), None))
}

/// How a round is run.
#[derive(Clone, Default)]
struct Terms {
    /// Set when the validator is gone for good: there is nobody to show anything to.
    gone: Arc<AtomicBool>,
    /// Says which chunks are still begun.
    gate: Arc<Gate>,
    /// Whether what shows something new is to be remembered.
    learns: bool,
}

/// What the rounds of a campaign came to so far.
struct Total {
    description: Description,
    workshop: Arc<Workshop>,
    tally: Tally,
    conclusions: Conclusions,
    first_cross_issuer: Option<usize>,
    unplayable: Vec<(String, String)>,
    broken_off: bool,
    gone: Option<String>,
}

/// What a hunt goes on from after a round.
struct Round {
    /// What may show something new, in the order of the stream.
    leads: Vec<Lead>,
    /// Origins of new findings.
    new: Vec<String>,
    /// Scenarios that were begun: the first so many of the stream.
    begun: usize,
}

impl Total {
    fn new(plan: &Plan, description: Description) -> Self {
        Total {
            description,
            workshop: Arc::default(),
            tally: Tally::new(plan),
            conclusions: Conclusions::default(),
            first_cross_issuer: None,
            unplayable: Vec::new(),
            broken_off: false,
            gone: None,
        }
    }

    /// Shows every scenario of the plan's stream, as far as the gate lets them, and concludes.
    fn round(
        &mut self,
        plan: &Plan,
        maker: &Maker,
        terms: &Terms,
        progress: &Arc<Progress>,
        tick: &mut dyn FnMut(),
    ) -> Round {
        let count = plan.stream.len().div_ceil(CHUNK);
        let chunks: Arc<Vec<Mutex<Chunk>>> = Arc::new((0..count).map(|_| Mutex::default()).collect());
        let in_hand: Arc<Vec<InHand>> = Arc::new((0..count).map(|_| InHand::default()).collect());
        let ledger: Arc<Mutex<Ledger>> = Arc::default();
        let work = {
            let (chunks, in_hand, plan) = (Arc::clone(&chunks), Arc::clone(&in_hand), plan.clone());
            let (maker, progress, terms) = (Arc::clone(maker), Arc::clone(progress), terms.clone());
            let (description, workshop) = (self.description.clone(), Arc::clone(&self.workshop));
            let ledger = Arc::clone(&ledger);
            let work = move |task: usize, pulse: &Pulse| {
                if terms.gone.load(Ordering::Acquire) || !terms.gate.admits(task) {
                    return;
                }
                let examiner =
                    Examiner::new(Arc::clone(&maker), description.clone(), &plan.worlds, plan.now, pulse.clone());
                let examiner = examiner.naming(Arc::clone(&in_hand[task])).sharing(Arc::clone(&workshop));
                run_chunk(&plan, task, &chunks[task], examiner, pulse, &progress, &terms);
                if !pulse.is_abandoned() {
                    lock(&in_hand[task]).take();
                    lock(&ledger).settle(&chunks);
                }
            };
            Arc::new(work) as pool::Work
        };
        let timeout_ms = u64::try_from(plan.timeout.as_millis()).unwrap_or(u64::MAX);
        let mut hung = |task: usize| {
            let mut chunk = lock(&chunks[task]);
            if let Some(case) = lock(&in_hand[task]).take() {
                let mut case = Arc::unwrap_or_clone(case);
                case.seen = Seen::Fault(Fault::Hang(timeout_ms));
                // Past the end stand the closing honest tokens.
                let index = (task * CHUNK + chunk.next).min(plan.stream.len() - 1);
                chunk.entries.push(Entry { index, case });
            }
            chunk.next += 1;
            progress.done.fetch_add(1, Ordering::Relaxed);
            AfterHang::GoOn
        };
        let finished = pool::run(count, plan.jobs, plan.timeout, &progress.stop, &work, &mut hung, tick);
        for chunk in chunks.iter() {
            lock(chunk).sum_up(plan, &self.description);
        }
        let mut ledger = std::mem::take(&mut *lock(&ledger));
        ledger.settle(&chunks);
        let Ledger { summary, .. } = ledger;
        let Summary { tally, groups, first_cross_issuer, unplayable, leads, gone } = summary;
        self.tally.merge(tally);
        self.first_cross_issuer = self.first_cross_issuer.or(first_cross_issuer);
        self.unplayable.extend(unplayable);
        self.unplayable.truncate(MAX_UNPLAYABLE);
        self.broken_off |= gone.is_some() || !finished && !progress.stop.load(Ordering::Acquire);
        self.gone = self.gone.take().or(gone);
        let new = self.conclusions.take_in(plan, maker, &self.description, groups, &progress.stop, tick);
        progress.found.fetch_add(new.len(), Ordering::Relaxed);
        Round { leads, new, begun: (terms.gate.begun() * CHUNK).min(plan.stream.len()) }
    }

    fn into_outcome(self, plan: &Plan, progress: &Progress, duration: Duration, hunted: Option<Hunted>) -> Outcome {
        let (findings, findings_beyond) = self.conclusions.into_findings(plan.max_findings);
        Outcome {
            description: self.description,
            tally: self.tally,
            findings,
            findings_beyond,
            duration,
            broken_off: self.broken_off,
            gone: self.gone,
            interrupted: progress.stop.load(Ordering::Acquire),
            chosen: plan.stream.chosen(),
            first_cross_issuer: self.first_cross_issuer,
            unplayable: self.unplayable,
            hunted,
        }
    }
}

fn run_chunk(
    plan: &Plan,
    task: usize,
    chunk: &Mutex<Chunk>,
    mut examiner: Examiner,
    pulse: &Pulse,
    progress: &Progress,
    terms: &Terms,
) {
    if examiner.asks_ahead() {
        examiner.rehearse();
        let rehearsal = Mutex::new(Chunk { next: lock(chunk).next, ..Chunk::default() });
        show_chunk(plan, task, &rehearsal, &mut examiner, pulse, &Progress::default(), &Terms::default());
        examiner.ask_ahead();
    }
    show_chunk(plan, task, chunk, &mut examiner, pulse, progress, terms);
    let mut chunk = lock(chunk);
    if !pulse.is_abandoned() {
        chunk.gone = examiner.gone().map(str::to_owned);
        chunk.lay_late(examiner.take_late());
        chunk.summary.tally.mishaps(examiner.take_mishaps());
        chunk.sum_up(plan, examiner.description());
    }
}

/// Shows what a chunk has left to show, between honest tokens.
fn show_chunk(
    plan: &Plan,
    task: usize,
    chunk: &Mutex<Chunk>,
    examiner: &mut Examiner,
    pulse: &Pulse,
    progress: &Progress,
    terms: &Terms,
) {
    let mut noticed = hunt::Noticed::new();
    let first = task * CHUNK;
    let size = CHUNK.min(plan.stream.len() - first);
    let mut opened: BTreeSet<Door> = BTreeSet::new();
    loop {
        let at = lock(chunk).next;
        if at >= size || pulse.is_abandoned() || terms.gone.load(Ordering::Acquire) {
            break;
        }
        let index = first + at;
        let item = plan.stream.nth(index);
        let exhaustive = item.phase == Phase::Exhaustive;
        examiner.seek(if exhaustive { Seeks::Alone } else { Seeks::All });
        if let Some((lead, present)) = item.scenario.as_led()
            && (lead.is_empty() || exhaustive)
        {
            let site = (item.scenario.world.clone(), present.to.clone(), item.scenario.key_source);
            if opened.insert((site.clone(), lead_name(lead))) && examiner.unfit(&item.scenario).is_none() {
                honest(plan, examiner, chunk, &site, lead, plan.stream.number_in_all(index), pulse);
            }
        }
        let number = plan.stream.number_of(index);
        let cases = examiner.examine(&item.scenario, number);
        let mut chunk = lock(chunk);
        if pulse.is_abandoned() {
            return;
        }
        match cases {
            Ok(mut cases) => {
                cases.iter_mut().for_each(|case| Chunk::lay_leak_at(&mut chunk.leaked, case));
                if terms.learns {
                    chunk.leads.extend(hunt::leads(&item.scenario, &cases, &mut noticed));
                }
                chunk.entries.extend(cases.into_iter().map(|case| Entry { index, case }));
            }
            Err(error) => chunk.unplayable.push((index, error.to_string())),
        }
        chunk.lay_late(examiner.take_late());
        chunk.next += 1;
        progress.done.fetch_add(1, Ordering::Relaxed);
        if examiner.gone().is_some() {
            terms.gone.store(true, Ordering::Release);
            return;
        }
    }
    for (number, (site, lead)) in examiner.open_doors().into_iter().enumerate() {
        if pulse.is_abandoned() || examiner.gone().is_some() {
            return;
        }
        let last = plan.stream.number_in_all(first + size);
        if opened.contains(&(site.clone(), lead_name(&lead))) {
            honest(plan, examiner, chunk, &site, &lead, CLOSING | (last + number as u64), pulse);
        }
    }
    let mut guard = lock(chunk);
    let Chunk { entries, leaked, .. } = &mut *guard;
    entries.iter_mut().rev().for_each(|entry| Chunk::lay_leak_at(leaked, &mut entry.case));
}

/// Shows an honest token at a site, after what has changed there. Refused, it takes the worth from what was rejected there in
/// this chunk. Where nothing is left that must be accepted there, there is nothing to show.
fn honest(
    plan: &Plan,
    examiner: &mut Examiner,
    chunk: &Mutex<Chunk>,
    site: &SiteId,
    lead: &[Step],
    number: u64,
    pulse: &Pulse,
) {
    for scenario in plan.stream.honest_at(site) {
        let steps = lead.iter().chain(&scenario.steps).cloned().collect();
        let Ok(cases) = examiner.examine(&Scenario { steps, ..scenario.clone() }, number | HONEST) else { return };
        if pulse.is_abandoned() {
            return;
        }
        let lawful = cases.iter().all(|case| !case.expectation.rejectable());
        for case in cases {
            let refused = match &case.seen {
                Seen::Wrong { kind: Kind::FalseReject, answer, .. } => answer.clone(),
                Seen::Fault(fault) => fault.to_string(),
                Seen::Wrong { kind: Kind::Leak, answer, .. } => {
                    lock(chunk).leaked.insert(site.clone(), answer.clone());
                    continue;
                }
                _ => continue,
            };
            lock(chunk).closed_badly.insert(site.clone(), refused);
        }
        if lawful {
            return;
        }
    }
}

/// Numbers of honest tokens between others differ from all stream indices.
const HONEST: u64 = 1 << 62;
/// Numbers of those at the end of a chunk differ from those at its beginning.
const CLOSING: u64 = 1 << 61;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::reference;

    #[test]
    fn a_chunk_that_is_over_keeps_no_room_for_what_it_held() {
        let stream = Arc::new(Stream::new(&[], &Selection::default(), Vec::new(), 0, 0));
        let (now, timeout) = (NumericDate(0), Duration::from_secs(1));
        let plan = Plan { worlds: Vec::new(), stream, now, jobs: 1, timeout, max_findings: 1 };
        let mut chunk = Chunk::default();
        chunk.entries.reserve(CHUNK);
        chunk.sum_up(&plan, &reference::maker()().describe());
        assert_eq!(chunk.entries.capacity(), 0);
    }
}
