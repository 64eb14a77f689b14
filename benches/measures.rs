//! Measures that a person reads and no test asserts: how long a run takes, how soon the incident is found, and where the
//! time goes. Run by `cargo bench`; what libFuzzer needs is measured by `scripts/measure-libfuzzer.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrongkey::campaign::{Case, Examiner, Outcome, Phase, Plan, Progress, Selection, Stream, run};
use wrongkey::clock;
use wrongkey::finding::Kind;
use wrongkey::forge::{Forge, Move};
use wrongkey::generate::{Atlas, Core, EXHAUSTIVE_WORLDS, Exhaustive, seeded};
use wrongkey::rule::Rule;
use wrongkey::scenario::Scenario;
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::{Configured, Maker, Validator, reference};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// Runs of the random search, each from its own seed.
const SEEDS: u64 = 31;
/// A search that has found nothing after so many scenarios is given up.
const PATIENCE: u64 = 100_000;
/// Signatures made for each algorithm.
const SIGNATURES: u32 = 64;

/// By the names under which `cargo bench --bench measures -- NAME…` takes some of them.
const MEASURES: [(&str, fn()); 6] = [
    ("command", the_command),
    ("exhaustive", exhaustive),
    ("campaigns", campaigns),
    ("split", split),
    ("signatures", signatures),
    ("search", random_search),
];

fn main() {
    // `cargo test --benches` and `--all-targets` run this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "one core, catalogue of this version, {} build\n",
        if cfg!(debug_assertions) { "debug" } else { "release" }
    );
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
        }
    }
}

fn worlds() -> Vec<Arc<World>> {
    World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect()
}

fn worlds_of(names: &[&str]) -> Vec<Arc<World>> {
    worlds().into_iter().filter(|world| names.contains(&world.name.as_str())).collect()
}

fn validators() -> Vec<(&'static str, Maker)> {
    let recipes = recipes().into_iter().map(|recipe| (recipe.name, (recipe.maker)()));
    std::iter::once(("reference", reference::maker())).chain(recipes).collect()
}

fn maker(name: &str) -> Maker {
    validators()
        .into_iter()
        .find(|(known, _)| *known == name)
        .map_or_else(|| unreachable!("{name}"), |(_, maker)| maker)
}

/// The program as a person runs it, with its peak memory.
fn the_command() {
    let names: Vec<_> = validators().into_iter().map(|(name, _)| name).collect();
    for arguments in [&[][..], &names] {
        if let Some(ran) = wrongkey_test(arguments, "1") {
            println!("wrongkey test {} --jobs 1: {ran}", arguments.join(" "));
        }
    }
    println!("  target: under 3 s, under 100 MB\n");
}

/// The exhaustive core as `.ci/run` has it: how long it takes with one worker and with two, and how much it holds at most; and
/// how much it holds for one relying party of a world, and for all four.
fn exhaustive() {
    let core = Exhaustive::of(&worlds_of(&EXHAUSTIVE_WORLDS), |_| true);
    let tokens: usize = core.cores().iter().map(Core::distinct_tokens).sum();
    println!("exhaustive core: {tokens} distinct tokens, presented {} times to each validator", core.len());
    let arguments = ["reference", "jsonwebtoken", "--exhaustive"];
    let [one, two] = ["1", "2"].map(|jobs| {
        let ran = wrongkey_test(&arguments, jobs)?;
        println!("  wrongkey test {} --jobs {jobs}: {ran}", arguments.join(" "));
        Some(ran.took)
    });
    if let Some((one, two)) = one.zip(two) {
        println!("  two workers for one: {:.2} times the speed", one.as_secs_f64() / two.as_secs_f64());
    }
    println!("  target: under 60 s with two workers on two cores, under 200 MB, at least 1.7 times the speed");
    let world = ["reference", "jsonwebtoken", "--exhaustive", "--world", "multi-tenant"];
    let of_one = [&world[..], &["--party", "open-market"]].concat();
    for (arguments, wanted) in [(&of_one[..], "open-market"), (&world[..], "")] {
        let core =
            Exhaustive::of(&worlds_of(&["multi-tenant"]), |site| wanted.is_empty() || site.party.alias == wanted);
        if let Some(ran) = wrongkey_test(arguments, "2") {
            println!("  {} presentations, wrongkey test {}: {ran}", core.len(), arguments.join(" "));
        }
    }
    println!("  target: the memory is that of a part\n");
}

/// A run of the program.
struct Ran {
    took: Duration,
    /// In MB, where the system tells.
    peak: Option<f64>,
    status: String,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let peak = self.peak.map_or_else(|| "unknown".to_owned(), |peak| format!("{peak:.1} MB"));
        write!(f, "{}, peak memory {peak} ({})", seconds(self.took), self.status)
    }
}

/// `wrongkey test` with these arguments and so many workers; `None`, and a line that says so, where it does not start.
fn wrongkey_test(arguments: &[&str], jobs: &str) -> Option<Ran> {
    let out = std::env::temp_dir().join(format!("wrongkey-measures-{}", std::process::id()));
    let start = clock::instant();
    let child = Command::new(env!("CARGO_BIN_EXE_wrongkey"))
        .arg("test")
        .args(arguments)
        .args(["--jobs", jobs, "--exit-zero", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        println!("`wrongkey test` does not start");
        return None;
    };
    let mut peak = None;
    let status = loop {
        peak = peak_memory(child.id()).or(peak);
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Ok(Some(status)) => break status.to_string(),
            Err(error) => break error.to_string(),
        }
    };
    let ran = Ran { took: since(start), peak: peak.map(|kilobytes| kilobytes / 1024.0), status };
    // Ours, in the temporary folder; a file that stays behind does no harm.
    let _ = std::fs::remove_dir_all(&out);
    Some(ran)
}

/// The most kilobytes that a process has held so far, where the system tells.
fn peak_memory(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

fn campaign(maker: &Maker) -> (Outcome, usize) {
    let worlds = worlds();
    let stream = Arc::new(Stream::new(&worlds, &Selection::default(), Vec::new(), 0, 0));
    let baseline = (0..stream.len()).take_while(|&index| stream.nth(index).phase == Phase::Baseline).count();
    let plan = Plan { worlds, stream, now: clock::now(), jobs: 1, timeout: Duration::from_secs(5), max_findings: 200 };
    let outcome = run(&plan, maker, &Arc::new(Progress::default()), &mut || {});
    (outcome.unwrap_or_else(|error| panic!("{error}")), baseline)
}

/// Each validator's campaign in this process, twins and shrinking included.
fn campaigns() {
    for (name, maker) in validators() {
        let (outcome, baseline) = campaign(&maker);
        let tokens = outcome.tally.presented;
        let rate = float(tokens) / outcome.duration.as_secs_f64();
        println!("campaign {name}: {}, {tokens} tokens presented, {rate:.0} tokens/s", seconds(outcome.duration));
        if let Some(index) = outcome.first_cross_issuer {
            let after = (index + 1).saturating_sub(baseline);
            println!("  first cross-issuer acceptance: scenario {after} of the catalogue (target: within 50)");
        }
    }
    println!();
}

/// Where the time goes: forging with signatures made and with signatures remembered, and validating.
fn split() {
    let worlds = worlds();
    let stream = Stream::new(&worlds, &Selection::default(), Vec::new(), 0, 0);
    let scenarios: Vec<_> = (0..stream.len()).map(|index| stream.nth(index).scenario).collect();
    let calendar = Calendar::At(clock::now());
    let forges: BTreeMap<String, Forge> =
        worlds.iter().map(|world| (world.name.clone(), Forge::new(Arc::clone(world), calendar))).collect();
    let forge_all = || {
        let start = clock::instant();
        let play = |(number, scenario): (usize, &Arc<Scenario>)| {
            forges[&scenario.world].play(scenario, number as u64).unwrap_or_default()
        };
        let moves: Vec<_> = scenarios.iter().enumerate().map(play).collect();
        (moves, start.elapsed())
    };
    let (_, signing) = forge_all();
    let (moves, remembering) = forge_all();
    println!(
        "forging {} scenarios: {}, again with signatures remembered: {}",
        scenarios.len(),
        seconds(signing),
        seconds(remembering)
    );
    for (name, maker) in validators() {
        let (mut configuring, mut validating) = (Duration::ZERO, Duration::ZERO);
        let mut tokens: u32 = 0;
        for moves in &moves {
            let mut instances: BTreeMap<&str, Box<dyn Validator>> = BTreeMap::new();
            for happening in moves {
                let start = clock::instant();
                match happening {
                    Move::Trust { party, policy, .. } => {
                        let mut instance = instances.remove(party.as_str()).unwrap_or_else(|| maker());
                        if matches!(instance.configure(policy), Ok(Configured::Ready)) {
                            instances.insert(party, instance);
                        }
                        configuring += since(start);
                    }
                    Move::Present(presented) => {
                        let Some(instance) = instances.get_mut(presented.party.as_str()) else { continue };
                        // Only the time matters here.
                        let _ = instance.validate(&presented.token, presented.at);
                        validating += since(start);
                        tokens += 1;
                    }
                }
            }
        }
        let each = validating / tokens.max(1);
        println!(
            "  {name}: configuring {}, validating {tokens} tokens {} ({} us each)",
            seconds(configuring),
            seconds(validating),
            each.as_micros()
        );
    }
    println!();
}

/// What a signature costs, by algorithm and size of key.
fn signatures() {
    println!("microseconds a signature, without the memo:");
    let mut seen = BTreeMap::new();
    for world in worlds() {
        for key in &world.keys {
            let Some(private) = &key.private else { continue };
            for &algorithm in &key.signs {
                let octets = private.sign(algorithm, b"").map_or(0, |signature| signature.octets.len());
                let name = format!("{} ({octets} octets)", algorithm.name());
                if seen.contains_key(&name) {
                    continue;
                }
                let start = clock::instant();
                for number in 0..SIGNATURES {
                    std::hint::black_box(private.sign(algorithm, &number.to_be_bytes()).is_ok());
                }
                seen.insert(name, since(start) / SIGNATURES);
            }
        }
    }
    for (name, took) in seen {
        println!("  {name:<20} {:>8.1}", took.as_secs_f64() * 1e6);
    }
    println!();
}

/// How many random scenarios it takes until the pooled recipe accepts a token that is wrong in nothing but its key.
fn random_search() {
    let maker = maker("jsonwebtoken-pooled");
    let worlds = worlds();
    let atlas = Atlas::of(&worlds);
    let start = clock::instant();
    let mut counts: Vec<u64> = (0..SEEDS).map(|seed| search(&maker, &worlds, &atlas, seed)).collect();
    counts.sort_unstable();
    let at = |part: f64| counts[(part * float(SEEDS - 1)).round() as usize];
    println!(
        "random scenarios until the cross-issuer acceptance of jsonwebtoken-pooled, {SEEDS} seeds, {}:\n  median {}, 90th percentile {}, least {}, most {}",
        seconds(since(start)),
        at(0.5),
        at(0.9),
        at(0.0),
        at(1.0)
    );
}

fn search(maker: &Maker, worlds: &[Arc<World>], atlas: &Atlas, seed: u64) -> u64 {
    let mut examiner = Examiner::unwatched(Arc::clone(maker), worlds, Calendar::At(clock::now()));
    for index in 0..PATIENCE {
        let cases = examiner.examine(&seeded(seed, index, atlas), index).unwrap_or_default();
        let found = cases
            .iter()
            .filter_map(Case::wrong)
            .any(|(kind, rules)| kind == Kind::FalseAccept && rules == BTreeSet::from([Rule::KeyBelongsToIssuer]));
        if found {
            return index + 1;
        }
    }
    PATIENCE
}

fn since(start: Instant) -> Duration {
    clock::instant().duration_since(start)
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52, shown to a person")]
fn float(count: u64) -> f64 {
    count as f64
}
