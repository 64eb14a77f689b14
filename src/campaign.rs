//! One run of many scenarios against one validator: baseline first, honest tokens all through, twins, evidence, findings.
//!
//! The scenarios are one indexed stream, cut into chunks of [`CHUNK`] whatever the number of jobs. Each chunk starts on fresh
//! instances and opens and closes every site it uses with an honest token; if the closing one is refused, what was rejected
//! there shows nothing. Before a finding is written it is replayed alone on a fresh instance and shrunk.

mod case;
mod conclude;
mod examine;
mod parties;
mod pool;
mod stream;
mod tally;

pub use case::{Case, Evidence, Seen, TwinNote};
pub use conclude::{Replayed, replay, shrink_finding};
pub use examine::Examiner;
pub use stream::{Item, Phase, Selection, Stream};
pub use tally::{BaselineFailure, Cell, ClassTally, RuleTally, Tally};

use crate::clock;
use crate::error::Error;
use crate::finding::{Finding, Kind, tame};
use crate::jose::NumericDate;
use crate::policy::KeySource;
use crate::rule::Rule;
use crate::validator::{Description, Fault, Maker};
use crate::world::World;
use case::SiteId;
use conclude::Groups;
use examine::InHand;
use pool::{AfterHang, Pulse};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// Whether it was broken off: too many hung workers.
    pub broken_off: bool,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// Index in the stream of the first accepted token whose key never belonged to the claimed issuer.
    pub first_cross_issuer: Option<usize>,
    /// Scenarios that could not be played, with the reason.
    pub unplayable: Vec<(String, String)>,
}

/// How far a campaign has come; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Scenarios done.
    pub done: AtomicUsize,
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
    unplayable: Vec<(usize, String)>,
    /// What is left of the entries once the chunk is over: a campaign of millions must not keep millions of them.
    summary: Summary,
}

/// What a chunk, or the chunks so far, came to.
#[derive(Default)]
struct Summary {
    tally: Tally,
    groups: Groups,
    first_cross_issuer: Option<usize>,
    unplayable: Vec<(String, String)>,
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
    }
}

impl Chunk {
    /// Counts the entries and lets them go.
    fn sum_up(&mut self, plan: &Plan, description: &Description) {
        let summary = &mut self.summary;
        for (index, why) in self.unplayable.drain(..) {
            summary.unplayable.push((plan.stream.name_of(index), why));
        }
        for (site, why) in &self.closed_badly {
            summary.tally.closed_badly(site, why);
        }
        for mut entry in self.entries.drain(..) {
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
    let count = plan.stream.len().div_ceil(CHUNK);
    let chunks: Arc<Vec<Mutex<Chunk>>> = Arc::new((0..count).map(|_| Mutex::default()).collect());
    let in_hand: Arc<Vec<InHand>> = Arc::new((0..count).map(|_| InHand::default()).collect());
    let work = {
        let (chunks, in_hand, plan) = (Arc::clone(&chunks), Arc::clone(&in_hand), plan.clone());
        let (maker, progress, description) = (Arc::clone(maker), Arc::clone(progress), description.clone());
        let work = move |task: usize, pulse: &Pulse| {
            let examiner =
                Examiner::new(Arc::clone(&maker), description.clone(), &plan.worlds, plan.now, pulse.clone());
            let examiner = examiner.naming(Arc::clone(&in_hand[task]));
            run_chunk(&plan, task, &chunks[task], examiner, pulse, &progress);
        };
        Arc::new(work) as pool::Work
    };
    let timeout_ms = u64::try_from(plan.timeout.as_millis()).unwrap_or(u64::MAX);
    let mut hung = |task: usize| {
        let mut chunk = lock(&chunks[task]);
        if let Some(mut case) = lock(&in_hand[task]).take() {
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
    let interrupted = progress.stop.load(Ordering::Acquire);
    let mut summary = Summary { tally: Tally::new(plan), ..Summary::default() };
    for chunk in chunks.iter() {
        let mut chunk = lock(chunk);
        chunk.sum_up(plan, &description);
        summary.merge(std::mem::take(&mut chunk.summary));
    }
    let Summary { tally, groups, first_cross_issuer, unplayable } = summary;
    let (findings, findings_beyond) = conclude::findings(plan, maker, &description, groups, &progress.stop, tick);
    Ok(Outcome {
        description,
        tally,
        findings,
        findings_beyond,
        duration: start.elapsed(),
        broken_off: !finished && !interrupted,
        interrupted,
        first_cross_issuer,
        unplayable,
    })
}

fn run_chunk(
    plan: &Plan,
    task: usize,
    chunk: &Mutex<Chunk>,
    mut examiner: Examiner,
    pulse: &Pulse,
    progress: &Progress,
) {
    let first = task * CHUNK;
    let size = CHUNK.min(plan.stream.len() - first);
    let mut opened: BTreeMap<SiteId, ()> = BTreeMap::new();
    loop {
        let at = lock(chunk).next;
        if at >= size || pulse.is_abandoned() {
            break;
        }
        let index = first + at;
        let item = plan.stream.nth(index);
        if let Some(present) = item.scenario.as_single() {
            let site = (item.scenario.world.clone(), present.to.clone(), item.scenario.key_source);
            if opened.insert(site.clone(), ()).is_none() && examiner.unfit(&item.scenario).is_none() {
                honest(plan, &mut examiner, chunk, &site, index, pulse);
            }
        }
        let cases = examiner.examine(&item.scenario, index as u64);
        let mut chunk = lock(chunk);
        if pulse.is_abandoned() {
            return;
        }
        match cases {
            Ok(cases) => chunk.entries.extend(cases.into_iter().map(|case| Entry { index, case })),
            Err(error) => chunk.unplayable.push((index, error.to_string())),
        }
        chunk.next += 1;
        progress.done.fetch_add(1, Ordering::Relaxed);
    }
    for (number, site) in examiner.open_sites().into_iter().enumerate() {
        if pulse.is_abandoned() {
            return;
        }
        honest(plan, &mut examiner, chunk, &site, usize::MAX / 2 - number, pulse);
    }
    let mut chunk = lock(chunk);
    if !pulse.is_abandoned() {
        chunk.sum_up(plan, examiner.description());
    }
}

/// Shows an honest token at a site. Refused, it takes the worth from what was rejected there in this chunk.
fn honest(
    plan: &Plan,
    examiner: &mut Examiner,
    chunk: &Mutex<Chunk>,
    site: &(String, String, KeySource),
    number: usize,
    pulse: &Pulse,
) {
    let Some(scenario) = plan.stream.honest_at(site) else { return };
    let Ok(cases) = examiner.examine(scenario, number as u64 | HONEST) else { return };
    if pulse.is_abandoned() {
        return;
    }
    for case in cases {
        let refused = match &case.seen {
            Seen::Wrong { kind: Kind::FalseReject, answer, .. } => answer.clone(),
            Seen::Fault(fault) => fault.to_string(),
            _ => continue,
        };
        lock(chunk).closed_badly.insert(site.clone(), refused);
    }
}

/// Numbers of honest tokens between others differ from all stream indices.
const HONEST: u64 = 1 << 62;
