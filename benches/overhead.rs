//! What the harness costs beside the validator: the time of a campaign's loop without the time inside private-key
//! operations, over the bare calls that the same loop made into the validator, for one algorithm at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wrongkey::campaign::{Outcome, Plan, Progress, Selection, Stream, run};
use wrongkey::clock;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::key::Memo;
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::recipe::recipes;
use wrongkey::validator::{Configured, Description, Fault, Maker, Validator, Verdict};
use wrongkey::world::{DEFAULT_SEED, World};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Random scenarios beside the catalogue.
const RANDOM: usize = 20_000;
/// Their seed.
const SEED: u64 = 1;
/// The loop and the bare calls are timed this often in turn, and the least of each counts: the machine is shared.
const ROUNDS: usize = 3;

fn main() {
    // `cargo test --benches` and `--all-targets` run this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!(
        "overhead over the bare calls into jsonwebtoken, one core, the catalogue and {RANDOM} random scenarios of seed {SEED}"
    );
    println!("(loop without private-key operations / bare calls; with signing: the whole loop / bare calls)\n");
    println!(
        "  {:<6} {:>9} {:>9} {:>9} {:>9} {:>9} {:>13} {:>9} {:>12}",
        "", "calls", "bare", "loop", "signing", "overhead", "with signing", "us/call", "memo known"
    );
    let asked = |name: &&&str| {
        let mut names = std::env::args().skip(1).filter(|argument| argument != "--bench").peekable();
        names.peek().is_none() || names.any(|asked| asked == **name)
    };
    for name in ["HS256", "RS256", "PS256", "ES256", "EdDSA"].iter().filter(asked) {
        measure(name);
    }
    println!(
        "\n  target: HS256 at most 2.5, the others 1.3; with signing EdDSA at most 1.5; the memo keeps {}",
        Memo::BOUND
    );
}

fn measure(name: &str) {
    let maker = recipes().into_iter().find(|recipe| recipe.name == "jsonwebtoken").map(|recipe| (recipe.maker)());
    let maker = maker.unwrap_or_else(|| unreachable!("the recipe is built in"));
    let log: Log = Arc::default();
    let outcome = campaign(name, &recording(&maker, &log)).0;
    let calls = log.take();
    let (mut bare, mut whole, mut signing) = (Duration::MAX, Duration::MAX, Duration::ZERO);
    let mut known = 0.0;
    // Signing with PS256 takes most of the time, and none of it counts.
    for _ in 0..if name == "PS256" { 1 } else { ROUNDS } {
        bare = bare.min(timed(|| replay(&maker, &calls)).1);
        let (outcome, took, world) = campaign(name, &maker);
        let ledger = world.memo.ledger();
        if took.saturating_sub(ledger.signing) < whole.saturating_sub(signing) {
            (whole, signing) = (took, ledger.signing);
        }
        known = ledger.known as f64 / ledger.asked.max(1) as f64;
        drop(outcome);
    }
    let count: usize = calls.iter().map(Vec::len).sum();
    let ratio = |time: Duration| time.as_secs_f64() / bare.as_secs_f64();
    println!(
        "  {name:<6} {count:>9} {:>7.2} s {:>7.2} s {:>7.2} s {:>9.2} {:>13.2} {:>9.1} {:>11.0}%",
        bare.as_secs_f64(),
        whole.as_secs_f64(),
        signing.as_secs_f64(),
        ratio(whole.saturating_sub(signing)),
        ratio(whole),
        bare.as_secs_f64() * 1e6 / count.max(1) as f64,
        known * 100.0,
    );
    assert!(outcome.tally.presented > RANDOM as u64, "the loop presented {} tokens", outcome.tally.presented);
}

/// A world in which everybody signs with one algorithm.
fn world(name: &str) -> Arc<World> {
    let key = |alias: &str, owner: Option<&str>, file: u8| {
        let owner = owner.map_or_else(String::new, |owner| format!("owner = \"{owner}\"\n"));
        let half = match name {
            "HS256" => "derive = \"secret\"".to_owned(),
            "ES256" => "derive = \"P-256\"".to_owned(),
            "EdDSA" => "derive = \"Ed25519\"".to_owned(),
            _ => format!("shipped = \"rsa-{file}\""),
        };
        format!("[keys.{alias}]\n{owner}{half}\nsigns = [\"{name}\"]\n")
    };
    let secrets = |key: &str| if name == "HS256" { format!("secrets = [\"{key}\"]\n") } else { String::new() };
    let issuer = |alias: &str| format!("[issuers.{alias}]\nalgorithms = [\"{name}\"]\n");
    let text = format!(
        "world = 1\nname = \"one-algorithm\"\nabout = \"Everybody signs with one algorithm.\"\n{}{}{}{}{}{}{}\
         [parties.api]\nrequired-claims = [\"iss\", \"sub\", \"aud\", \"exp\"]\n[parties.api.issuers.a]\n{}[parties.api.issuers.b]\n{}",
        issuer("a"),
        issuer("b"),
        issuer("c"),
        key("a-1", Some("a"), 3),
        key("b-1", Some("b"), 4),
        key("c-1", Some("c"), 5),
        key("mallory", None, 9),
        secrets("a-1"),
        secrets("b-1"),
    );
    let world = World::from_toml(&text, "one-algorithm", None, DEFAULT_SEED);
    Arc::new(world.unwrap_or_else(|error| panic!("{error}")))
}

/// Runs it and says how long it took: in processor time of all threads, where the system tells (in hundredths of a second), since
/// the machine may be shared.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let (start, used) = (clock::instant(), processor_time());
    let done = work();
    let took = processor_time().zip(used).map_or_else(|| start.elapsed(), |(end, start)| end.saturating_sub(start));
    (done, took)
}

/// What this process has used so far: `utime` and `stime` of proc(5), in ticks of which Linux shows a hundred a second.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: Option<Vec<u64>> =
        after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse().ok()).collect();
    Some(Duration::from_millis(ticks?.into_iter().sum::<u64>() * 10))
}

/// A campaign without its end, where findings are shrunk, from a memo that knows nothing.
fn campaign(name: &str, maker: &Maker) -> (Outcome, Duration, Arc<World>) {
    let world = world(name);
    world.memo.watch();
    let worlds = [Arc::clone(&world)];
    let stream = Arc::new(Stream::new(&worlds, &Selection::default(), Vec::new(), RANDOM, SEED));
    let plan = Plan {
        worlds: worlds.to_vec(),
        stream,
        now: clock::now(),
        jobs: 1,
        timeout: Duration::from_secs(5),
        max_findings: 0,
    };
    let (outcome, took) = timed(|| run(&plan, maker, &Arc::new(Progress::default()), &mut || {}));
    (outcome.unwrap_or_else(|error| panic!("{error}")), took, world)
}

/// A call into a validator.
enum Call {
    Configure(Arc<TrustPolicy>),
    Validate(Token, NumericDate),
}

/// What every instance was asked.
#[derive(Default)]
struct Calls {
    instances: Mutex<BTreeMap<usize, Vec<Call>>>,
    made: AtomicUsize,
}

type Log = Arc<Calls>;

impl Calls {
    fn note(&self, instance: usize, call: Call) {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner).entry(instance).or_default().push(call);
    }

    fn take(&self) -> Vec<Vec<Call>> {
        std::mem::take(&mut *self.instances.lock().unwrap_or_else(PoisonError::into_inner)).into_values().collect()
    }
}

struct Recorder {
    inner: Box<dyn Validator>,
    instance: usize,
    log: Log,
}

impl Validator for Recorder {
    fn describe(&self) -> Description {
        self.inner.describe()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        self.log.note(self.instance, Call::Configure(Arc::new(policy.clone())));
        self.inner.configure(policy)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        self.log.note(self.instance, Call::Validate(token.clone(), now));
        self.inner.validate(token, now)
    }
}

fn recording(maker: &Maker, log: &Log) -> Maker {
    let (maker, log) = (Arc::clone(maker), Arc::clone(log));
    Arc::new(move || {
        let instance = log.made.fetch_add(1, Ordering::Relaxed);
        Box::new(Recorder { inner: maker(), instance, log: Arc::clone(&log) })
    })
}

fn replay(maker: &Maker, calls: &[Vec<Call>]) {
    for calls in calls {
        let mut validator = maker();
        for call in calls {
            match call {
                Call::Configure(policy) => {
                    let _ = std::hint::black_box(validator.configure(policy));
                }
                Call::Validate(token, now) => {
                    let _ = std::hint::black_box(validator.validate(token, *now));
                }
            }
        }
    }
}
