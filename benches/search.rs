//! How soon a search finds what is wrong: for each flaw, random scenarios until the finding that shows it; and what a case of
//! the `proptest` strategy costs. A person reads it and no test asserts it. Run by `cargo bench --bench search`; what libFuzzer
//! needs is measured by `scripts/measure-libfuzzer.sh`.

#[allow(dead_code, reason = "the tests read all of a row, this a part of it")]
#[path = "../tests/flaws/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use table::{ROWS, Row};
use wrongkey::campaign::{CHUNK, Case, Examiner};
use wrongkey::clock;
use wrongkey::generate::{Atlas, seeded, strategy};
use wrongkey::jose::NumericDate;
use wrongkey::rule::Rule;
use wrongkey::validator::flawed::{self, Flaw};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// The time of forging.
const NOW: NumericDate = NumericDate(1_790_000_000);
/// Searches for each flaw, each from its own seed, where the command line says nothing else: `cargo bench --bench search -- 7`.
const SEEDS: u64 = 31;
/// A search that has found nothing after so many scenarios has failed.
const PATIENCE: u64 = 5_000;
/// After so long in one call a validator hangs.
const STANDS_STILL: Duration = Duration::from_secs(2);
/// Cases whose cost is measured.
const CASES: u32 = 40_000;

fn main() {
    // `cargo test --benches` and `--all-targets` run this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    // Some flaws panic; what they say is not of interest here.
    std::panic::set_hook(Box::new(|_| ()));
    let worlds: Vec<_> = World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect();
    let atlas = Arc::new(Atlas::of(&worlds));
    let seeds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SEEDS);
    strategy_cost(&atlas);
    flaws(&worlds, &atlas, seeds);
}

/// What a case costs through `proptest`, beside the same scenario from the generator alone.
fn strategy_cost(atlas: &Arc<Atlas>) {
    let plain = || {
        let start = clock::instant();
        (0..CASES).for_each(|case| drop(black_box(seeded(0, u64::from(case), atlas))));
        start.elapsed() / CASES
    };
    let through = || {
        let config = proptest::test_runner::Config { cases: CASES, failure_persistence: None, ..Default::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let start = clock::instant();
        let ran = runner.run(&strategy(Arc::clone(atlas)), |scenario| {
            drop(black_box(scenario));
            Ok(())
        });
        assert!(ran.is_ok(), "{ran:?}");
        start.elapsed() / CASES
    };
    // The best of a few rounds, turn by turn: other programs only ever make it slower.
    let (mut alone, mut cases) = (Duration::MAX, Duration::MAX);
    for _ in 0..7 {
        alone = alone.min(plain());
        cases = cases.min(through());
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "proptest strategy: {:.1} us a case, plain generation {:.1} us: {:.1} us more, ratio {:.2} (target: at most 5 us more)\n",
        micros(cases),
        micros(alone),
        micros(cases) - micros(alone),
        micros(cases) / micros(alone)
    );
}

/// For each flaw the median number of random scenarios to its finding.
fn flaws(worlds: &[Arc<World>], atlas: &Arc<Atlas>, seeds: u64) {
    let start = clock::instant();
    let waiting = Mutex::new(0..seeds);
    let counts: Vec<Mutex<Vec<u64>>> = ROWS.iter().map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(seed) = lock(&waiting).next() {
                    for (row, counts) in ROWS.iter().zip(&counts) {
                        let count = search(row, worlds, atlas, seed);
                        lock(counts).push(count);
                    }
                }
            });
        }
    });
    println!("random scenarios to the finding that shows a flaw, {seeds} seeds, given up after {PATIENCE}:");
    println!("  {:<44} {:>7} {:>7} {:>7}", "flaw", "median", "least", "most");
    let mut medians: Vec<(u64, u64, u64, &str)> = Vec::new();
    for (row, counts) in ROWS.iter().zip(counts) {
        let mut counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
        counts.sort_unstable();
        medians.push((counts[counts.len() / 2], counts[0], counts[counts.len() - 1], row.flaw.name()));
    }
    medians.sort_unstable();
    for (median, least, most, name) in &medians {
        let short = if *median > PATIENCE { "  falls short" } else { "" };
        println!("  {name:<44} {} {} {}{short}", shown(*median), shown(*least), shown(*most));
    }
    let within = medians.iter().filter(|(median, ..)| *median <= PATIENCE).count();
    println!(
        "  {within} of {} flaws ({} %) within {PATIENCE} (target: at least 90 %), {:.0} s",
        medians.len(),
        within * 100 / medians.len(),
        start.elapsed().as_secs_f64()
    );
}

fn shown(count: u64) -> String {
    if count > PATIENCE { format!("{:>7}", "-") } else { format!("{count:>7}") }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a case is the finding of the flaw's row.
fn shows(row: &Row, case: &Case) -> bool {
    let blamed: BTreeSet<Rule> = row.rules.iter().copied().collect();
    case.wrong().is_some_and(|(kind, rules)| kind == row.kind && rules == blamed)
}

/// The number of the first scenario that shows the flaw, or one more than the patience. Instances last as long as in a campaign.
fn search(row: &'static Row, worlds: &[Arc<World>], atlas: &Arc<Atlas>, seed: u64) -> u64 {
    let (worlds, atlas) = (worlds.to_vec(), Arc::clone(atlas));
    let (done, progress) = channel();
    let searching = move || {
        let maker = flawed::maker(Some(row.flaw));
        let mut examiner = Examiner::unwatched(maker, &worlds, Calendar::At(NOW));
        for index in 0..PATIENCE {
            if index.is_multiple_of(CHUNK as u64) {
                examiner.forget();
            }
            let cases = examiner.examine(&seeded(seed, index, &atlas), index).unwrap_or_default();
            let found = cases.iter().any(|case| shows(row, case));
            if done.send(found).is_err() || found {
                return;
            }
        }
    };
    // A thread that hangs is left behind; it sleeps, and ends with the program.
    if row.flaw == Flaw::HangsOnExpired {
        std::thread::spawn(searching);
    } else {
        searching();
    }
    let mut tried = 0;
    loop {
        match progress.recv_timeout(STANDS_STILL) {
            Ok(found) => {
                tried += 1;
                if found {
                    return tried;
                }
            }
            Err(RecvTimeoutError::Timeout) => return tried + 1,
            Err(RecvTimeoutError::Disconnected) => return PATIENCE + 1,
        }
    }
}
