//! The processes of one adapter: one for each thread that works with it, and what is known of all of them.

use super::child::{Heard, Process, Trace, words};
use super::lane::Lane;
use super::wire::{self, Hello};
use crate::policy::TrustPolicy;
use crate::validator::program::{Program, StartError, lock};
use crate::validator::{Configured, Fault, last_lines};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;

/// So many processes may end badly with no verdict in between.
const MAX_IN_A_ROW: u32 = 32;
/// So many may in all.
const MAX_FAILURES: u32 = 500;
/// So many of them because they hung: each costs all the time there is for a token.
const MAX_HANGS: u32 = 16;
/// So many times in a row it may not start at all.
const MAX_STARTS: u32 = 4;
/// Most policies whose answer is remembered.
const MAX_REMEMBERED: usize = 1 << 16;

/// Everything about one adapter that its validators share.
pub(super) struct Fleet {
    program: Program,
    hello: Hello,
    trace: Option<Trace>,
    lanes: Mutex<Lanes>,
    remembered: Mutex<HashMap<[u8; 32], Result<Configured, Fault>>>,
    gone: Mutex<Option<Fault>>,
    failures: AtomicU32,
    hangs: AtomicU32,
    starts: AtomicU32,
    objects: AtomicU64,
}

#[derive(Default)]
struct Lanes {
    at_work: HashMap<ThreadId, Arc<Mutex<Lane>>>,
    idle: Vec<Arc<Mutex<Lane>>>,
}

/// Says that a thread is over, so that its process can serve another.
struct Badge {
    fleet: Weak<Fleet>,
    thread: ThreadId,
}

impl Drop for Badge {
    fn drop(&mut self) {
        if let Some(fleet) = self.fleet.upgrade() {
            let mut lanes = lock(&fleet.lanes);
            if let Some(lane) = lanes.at_work.remove(&self.thread) {
                lanes.idle.push(lane);
            }
        }
    }
}

thread_local! {
    static BADGES: RefCell<Vec<Badge>> = const { RefCell::new(Vec::new()) };
}

impl Fleet {
    /// Starts the first process, which says what the adapter is.
    pub(super) fn new(program: Program, trace: Option<Trace>) -> Result<Arc<Self>, StartError> {
        let (process, hello) = greet(&program, trace.as_ref())?;
        let fleet = Fleet {
            program,
            hello,
            trace,
            lanes: Mutex::default(),
            remembered: Mutex::default(),
            gone: Mutex::default(),
            failures: AtomicU32::default(),
            hangs: AtomicU32::default(),
            starts: AtomicU32::default(),
            objects: AtomicU64::default(),
        };
        lock(&fleet.lanes).idle.push(Arc::new(Mutex::new(Lane::of(process))));
        Ok(Arc::new(fleet))
    }

    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    pub(super) fn hello(&self) -> &Hello {
        &self.hello
    }

    /// A number for a new validator.
    pub(super) fn number(&self) -> u64 {
        self.objects.fetch_add(1, Ordering::Relaxed)
    }

    /// Where the calling thread's calls go: always the same process, so that a sequence finds its caches.
    pub(super) fn lane(self: &Arc<Self>) -> Arc<Mutex<Lane>> {
        let thread = std::thread::current().id();
        let mut lanes = lock(&self.lanes);
        if let Some(lane) = lanes.at_work.get(&thread) {
            return Arc::clone(lane);
        }
        let lane = lanes.idle.pop().unwrap_or_default();
        lanes.at_work.insert(thread, Arc::clone(&lane));
        drop(lanes);
        let badge = Badge { fleet: Arc::downgrade(self), thread };
        // Where the thread is ending already, its lane stays with the fleet until that ends.
        let _ = BADGES.try_with(|badges| {
            let mut badges = badges.borrow_mut();
            badges.retain(|badge| badge.fleet.strong_count() > 0);
            badges.push(badge);
        });
        lane
    }

    /// Another process of the same adapter.
    pub(super) fn start(&self) -> Result<Process, StartError> {
        let (process, hello) = greet(&self.program, self.trace.as_ref())?;
        let (was, is) = (&self.hello.description, &hello.description);
        if was != is {
            let why = format!("says hello as {} {} and was {} {}", is.name, is.version, was.name, was.version);
            return Err(StartError::NoHello { command: self.program.command.clone(), why });
        }
        self.starts.store(0, Ordering::Relaxed);
        Ok(process)
    }

    /// A process has ended badly.
    pub(super) fn failed(&self, why: &Fault) {
        let hung = matches!(why.bare(), Fault::Hang(_));
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let hangs = if hung { self.hangs.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
        if failures >= MAX_FAILURES {
            self.give_up(&format!("it had to be started again {failures} times; the last time {why}"));
        } else if hangs >= MAX_HANGS {
            self.give_up(&format!("it hung {hangs} times; the last time {why}"));
        }
    }

    pub(super) fn failed_to_start(&self, error: &StartError) {
        let starts = self.starts.fetch_add(1, Ordering::Relaxed) + 1;
        if starts >= MAX_STARTS {
            self.give_up(&format!("it does not start any more: {error}"));
        }
    }

    /// Whether it makes sense to go on, after so many failures with no verdict in between.
    pub(super) fn still_worth_it(&self, in_a_row: u32) -> Result<(), Fault> {
        if in_a_row >= MAX_IN_A_ROW {
            self.give_up(&format!("it was started {in_a_row} times and gave no verdict"));
        }
        lock(&self.gone).clone().map_or(Ok(()), Err)
    }

    fn give_up(&self, why: &str) {
        lock(&self.gone).get_or_insert_with(|| Fault::Gone(why.to_owned()));
    }

    /// What the adapter said to a policy, in whatever order that stands.
    pub(super) fn remembered(&self, name: &[u8; 32]) -> Option<Result<Configured, Fault>> {
        lock(&self.remembered).get(name).cloned()
    }

    pub(super) fn remember(&self, name: [u8; 32], answer: &Result<Configured, Fault>) {
        if matches!(answer, Err(Fault::Gone(_))) {
            return;
        }
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(name, answer.clone());
    }
}

/// A name for a policy, the same in whatever order issuers and keys stand.
pub(super) fn name(policy: &TrustPolicy) -> [u8; 32] {
    fn sort<T: serde::Serialize>(items: &mut [T]) {
        items.sort_by_cached_key(|item| serde_json::to_string(item).unwrap_or_default());
    }
    let mut policy = policy.clone();
    for issuer in &mut policy.issuers {
        for set in issuer.jwks.iter_mut().chain(&mut issuer.secrets) {
            sort(&mut set.keys);
        }
    }
    if let Some(set) = &mut policy.converged_jwks {
        sort(&mut set.keys);
    }
    sort(&mut policy.issuers);
    Sha256::digest(wire::policy(&policy)).into()
}

/// Starts a process and exchanges hellos.
fn greet(program: &Program, trace: Option<&Trace>) -> Result<(Process, Hello), StartError> {
    let process = Process::start(program, trace)?;
    let no_hello = |why: String| StartError::NoHello { command: program.command.clone(), why };
    process.say(wire::hello());
    let what = match process.hear(program.patience) {
        Heard::Lines(lines) => match wire::read_hello(&lines, program.window) {
            Ok(hello) => return Ok((process, hello)),
            Err(why) => return Err(no_hello(why)),
        },
        Heard::Silence => format!("said no hello within {} s", program.patience.as_secs_f32()),
        Heard::TooLong => "printed a line without an end where its hello should be".to_owned(),
        Heard::End(_) => "ended before it said hello".to_owned(),
    };
    let (status, log) = process.end(true);
    let said = words(&what, status);
    Err(no_hello(match last_lines(&log) {
        "" => said,
        end => format!("{said}; its log ends: {}", end.replace('\n', " | ")),
    }))
}
