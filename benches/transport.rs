//! What it costs to judge a validator in another process: the same tokens through `wrongkey` and through a plain pipe into the
//! same adapter. Run by `cargo bench --bench transport`, after `adapters/install.sh` and a release build of `adapters/rust`; what is
//! not there is left out and named.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use wrongkey::clock;
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::scenario::{Honest, Scenario};
use wrongkey::validator::process::Adapter;
use wrongkey::validator::program::Program;
use wrongkey::validator::{Configured, Validator as _};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// Tokens of a run.
const TOKENS: u64 = 20_000;
/// Runs on either side, in turns; the fastest of each counts, since whatever else the machine does only slows them down.
const TURNS: usize = 5;
/// Requests that are in flight at most.
const WINDOW: usize = 64;

/// Adapters by their command lines, with the least rate through `wrongkey` for the rate through a plain pipe, or tokens a second.
const ADAPTERS: [(&str, &str); 4] = [
    ("adapters/python/.venv/bin/python adapters/python/pyjwt_adapter.py", "at least 0.9"),
    ("node adapters/node/jose.mjs", "at least 0.9"),
    ("node adapters/node/jsonwebtoken.mjs", "at least 0.9"),
    ("adapters/rust/target/release/wrongkey-adapter-jsonwebtoken", "HS256 at least 30,000 a second"),
];

fn main() {
    // `cargo test --benches` and `--all-targets` run this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    println!("{TOKENS} tokens, {WINDOW} in flight, the fastest of {TURNS} turns\n");
    for (issuer, key, alg) in [("mac", "mac-256", "HS256"), ("north", "north-ed", "EdDSA")] {
        let (policy, tokens) = tokens(issuer, key, alg);
        for (line, target) in ADAPTERS {
            match measure(root, line, &policy, &tokens) {
                Ok((ours, plain)) => println!(
                    "{alg:<6} {line}: {:>7.0} a second through wrongkey, {:>7.0} through a plain pipe: {:.2} (target: {target})",
                    rate(ours),
                    rate(plain),
                    plain.as_secs_f64() / ours.as_secs_f64()
                ),
                Err(why) => println!("{alg:<6} {line}: left out, {why}"),
            }
        }
    }
}

fn rate(took: Duration) -> f64 {
    TOKENS as f64 / took.as_secs_f64()
}

/// Honest tokens of an issuer, all different, and the policy of the party that takes every algorithm.
fn tokens(issuer: &str, key: &str, alg: &str) -> (Arc<TrustPolicy>, Vec<(Token, NumericDate)>) {
    let world = World::shipped("all-algorithms", DEFAULT_SEED).unwrap_or_else(|| unreachable!("it is shipped"));
    let party = world.parties[0].alias.clone();
    let forge = Forge::new(Arc::clone(&world), Calendar::At(clock::now()));
    let honest =
        Honest { issuer: issuer.to_owned(), key: Some(key.to_owned()), alg: Some(alg.to_owned()), ..Honest::default() };
    let scenario = Scenario::single(world.name.clone(), KeySource::PerIssuer, party.clone(), honest, Vec::new());
    let policy = forge.policy(&party, KeySource::PerIssuer).unwrap_or_else(|| unreachable!("it is the world's"));
    let tokens = (0..TOKENS).map(|number| {
        let moves = forge.play(&scenario, number).unwrap_or_else(|error| panic!("{error}"));
        let presented = moves.into_iter().find_map(|happening| match happening {
            Move::Present(presented) => Some((presented.token.clone(), presented.at)),
            Move::Trust { .. } => None,
        });
        presented.unwrap_or_else(|| unreachable!("one token is presented"))
    });
    (Arc::clone(policy), tokens.collect())
}

/// The time of the fastest turn through `wrongkey`, and through a plain pipe.
fn measure(
    root: &Path,
    line: &str,
    policy: &TrustPolicy,
    tokens: &[(Token, NumericDate)],
) -> Result<(Duration, Duration), String> {
    let mut best = [Duration::MAX; 2];
    for _ in 0..TURNS {
        for (best, way) in best.iter_mut().zip([through_wrongkey, through_a_pipe]) {
            *best = (*best).min(way(root, line, policy, tokens)?);
        }
    }
    Ok((best[0], best[1]))
}

fn through_wrongkey(
    root: &Path,
    line: &str,
    policy: &TrustPolicy,
    tokens: &[(Token, NumericDate)],
) -> Result<Duration, String> {
    let program = Program { cwd: Some(root.to_owned()), window: WINDOW, ..Program::parse(line)? };
    let adapter = Adapter::start(program, None).map_err(|error| error.to_string())?;
    let mut validator = adapter.validator();
    match validator.configure(policy) {
        Ok(Configured::Ready) => {}
        other => return Err(format!("configure: {other:?}")),
    }
    // Whatever is made at the first token is made before the clock starts, on either side.
    validator.validate_all(&tokens[..1]);
    let start = clock::instant();
    let answers = validator.validate_all(tokens);
    let took = start.elapsed();
    match answers.iter().position(|answer| !answer.as_ref().is_ok_and(wrongkey::validator::Verdict::accepted)) {
        Some(at) => Err(format!("an honest token is refused: {:?}", answers[at])),
        None => Ok(took),
    }
}

/// The least that can be done: lines written by one thread while another counts the answers.
fn through_a_pipe(
    root: &Path,
    line: &str,
    policy: &TrustPolicy,
    tokens: &[(Token, NumericDate)],
) -> Result<Duration, String> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("no pipes".to_owned());
    };
    let mut answers = BufReader::new(output).lines();
    let mut answered = |wanted: &str| match answers.next() {
        Some(Ok(line)) if line.contains(wanted) => Ok(()),
        other => Err(format!("{other:?} where {wanted} was awaited")),
    };
    let asked = |id: usize, (token, now): &(Token, NumericDate)| {
        let token = token.as_str().unwrap_or_default();
        format!("{{\"validate\":{{\"id\":{id},\"token\":\"{token}\",\"now\":{now}}}}}\n")
    };
    let policy = serde_json::to_string(policy).map_err(|error| error.to_string())?;
    let hello = "{\"hello\":{\"protocol\":1,\"harness\":\"plain pipe\"}}\n".to_owned();
    let configure = format!("{{\"configure\":{{\"id\":0,\"fresh\":true,\"policy\":{policy}}}}}\n");
    for (line, wanted) in [(hello, "hello"), (configure, "ok"), (asked(1, &tokens[0]), "accept")] {
        input.write_all(line.as_bytes()).map_err(|error| error.to_string())?;
        answered(wanted)?;
    }
    let lines: String = tokens.iter().enumerate().map(|(at, token)| asked(at + 2, token)).collect();
    let start = clock::instant();
    let writer = std::thread::spawn(move || {
        // A reader that ends too early is told so by its own side.
        let _ = input.write_all(lines.as_bytes());
    });
    for _ in tokens {
        answered("accept")?;
    }
    let took = start.elapsed();
    writer.join().map_err(|_| "the writer ended".to_owned())?;
    child.wait().map_err(|error| error.to_string())?;
    Ok(took)
}
