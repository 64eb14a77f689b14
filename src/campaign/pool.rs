//! Workers and the watchdog. It watches from outside: handing each token to another thread would cost more than judging it.

use crate::clock;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many hung workers end a run: a hung thread cannot be ended, only left behind.
pub(super) const MAX_ABANDONED: usize = 8;

/// Says when a call into the validator begins and ends.
#[derive(Clone)]
pub(super) struct Pulse {
    start: Instant,
    since: Arc<AtomicU64>,
    abandoned: Arc<AtomicBool>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Pulse { start: clock::instant(), since: Arc::default(), abandoned: Arc::default() }
    }

    /// A call begins.
    pub(super) fn begins(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(millis + 1, Ordering::Release);
    }

    /// A call has ended. A worker that was given up in between goes no further.
    pub(super) fn ends(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// Whether the watchdog has given this worker up.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    fn stands_still_for(&self) -> Option<Duration> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.start.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}

/// What workers do with a task.
pub(super) type Work = Arc<dyn Fn(usize, &Pulse) + Send + Sync>;

/// What is to be done after a worker hung.
pub(super) enum AfterHang {
    /// The same task again; its state says where to go on.
    GoOn,
    /// The task is over.
    Drop,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    waiting: VecDeque<usize>,
    unfinished: usize,
    /// A panic of our own in a worker.
    bug: Option<Box<dyn std::any::Any + Send>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work(task, pulse)` for every task on so many workers. A worker that stands still in one call for longer than
/// `timeout` is left behind and `hung(task)` says how to go on. `tick` is called every now and then. Returns false where so
/// many workers were left behind that the run was ended, or `stop` was set.
pub(super) fn run(
    tasks: usize,
    jobs: usize,
    timeout: Duration,
    stop: &AtomicBool,
    work: &Work,
    hung: &mut dyn FnMut(usize) -> AfterHang,
    tick: &mut dyn FnMut(),
) -> bool {
    let queue = Queue { waiting: (0..tasks).collect(), unfinished: tasks, bug: None };
    let shared = Arc::new(Shared { queue: Mutex::new(queue), changed: Condvar::new() });
    let mut workers: Vec<Worker> = (0..jobs.clamp(1, tasks.max(1))).map(|_| Worker::start(&shared, work)).collect();
    let mut abandoned = 0;
    let pause = (timeout / 8).clamp(Duration::from_millis(5), Duration::from_millis(50));
    let finished = loop {
        {
            let mut guard = lock(&shared.queue);
            if let Some(panic) = guard.bug.take() {
                std::panic::resume_unwind(panic);
            }
            if guard.unfinished == 0 {
                break true;
            }
            drop(shared.changed.wait_timeout(guard, pause).unwrap_or_else(PoisonError::into_inner));
        }
        tick();
        if stop.load(Ordering::Acquire) || abandoned >= MAX_ABANDONED {
            break false;
        }
        for worker in &mut workers {
            if worker.pulse.stands_still_for().is_none_or(|stood| stood < timeout) {
                continue;
            }
            worker.pulse.abandoned.store(true, Ordering::Release);
            abandoned += 1;
            if let Some(task) = *lock(&worker.task) {
                let mut guard = lock(&shared.queue);
                match hung(task) {
                    AfterHang::GoOn => guard.waiting.push_front(task),
                    AfterHang::Drop => guard.unfinished -= 1,
                }
            }
            *worker = Worker::start(&shared, work);
        }
    };
    for worker in &workers {
        worker.pulse.abandoned.store(true, Ordering::Release);
    }
    shared.changed.notify_all();
    finished
}

struct Worker {
    pulse: Pulse,
    task: Arc<Mutex<Option<usize>>>,
}

impl Worker {
    fn start(shared: &Arc<Shared>, work: &Work) -> Self {
        let worker = Worker { pulse: Pulse::new(), task: Arc::default() };
        let (shared, work) = (Arc::clone(shared), Arc::clone(work));
        let (pulse, current) = (worker.pulse.clone(), Arc::clone(&worker.task));
        let thread = std::thread::Builder::new().name(super::WORKER.to_owned()).stack_size(8 << 20);
        // Without threads nothing can be watched; the caller then sees tasks that never finish, so say it at once.
        let started = thread.spawn(move || {
            loop {
                let next = {
                    let mut queue = lock(&shared.queue);
                    loop {
                        if queue.unfinished == 0 || pulse.is_abandoned() {
                            return;
                        }
                        if let Some(task) = queue.waiting.pop_front() {
                            break task;
                        }
                        queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    }
                };
                *lock(&current) = Some(next);
                // What panics here is our own: validators are guarded where they are called.
                let ours = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(next, &pulse)));
                if let Err(panic) = ours {
                    lock(&shared.queue).bug = Some(panic);
                    shared.changed.notify_all();
                    return;
                }
                if pulse.is_abandoned() {
                    return;
                }
                *lock(&current) = None;
                lock(&shared.queue).unfinished -= 1;
                shared.changed.notify_all();
            }
        });
        if let Err(error) = started {
            panic!("no thread could be started: {error}");
        }
        worker
    }
}
