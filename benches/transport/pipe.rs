//! A validator in another process: the same tokens through `wrongkey` and through a plain pipe into the same adapter.

use crate::{SIGNERS, made, met, root, tokens};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use wrongkey::clock;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::validator::process::Adapter;
use wrongkey::validator::program::Program;
use wrongkey::validator::{Configured, Validator as _};

/// Tokens of a run.
const TOKENS: u64 = 20_000;
/// Runs on either side, in turns; the fastest of each counts, since whatever else the machine does only slows them down.
const TURNS: usize = 5;
/// Requests that are in flight at most.
const WINDOW: usize = 64;

/// What is asked of an adapter.
#[derive(Clone, Copy)]
enum Target {
    /// The least part of the rate through a plain pipe.
    Part(f64),
    /// Tokens a second with HS256.
    Rate(f64),
}

/// Adapters by their command lines, what brings them here, and the target.
const ADAPTERS: [(&str, &[&str], Target); 4] = [
    (
        "adapters/python/.venv/bin/python adapters/python/pyjwt_adapter.py",
        &["adapters/install.sh", "python"],
        Target::Part(0.9),
    ),
    ("node adapters/node/jose.mjs", &["adapters/install.sh", "node"], Target::Part(0.9)),
    ("node adapters/node/jsonwebtoken.mjs", &["adapters/install.sh", "node"], Target::Part(0.9)),
    (
        "adapters/rust/target/release/wrongkey-adapter-jsonwebtoken",
        &[
            "cargo",
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
            "adapters/rust/Cargo.toml",
            "--target-dir",
            "adapters/rust/target",
        ],
        Target::Rate(30_000.0),
    ),
];

pub(crate) fn measure() {
    println!("pipe: {TOKENS} tokens, {WINDOW} in flight, the fastest of {TURNS} turns");
    for (line, bring, target) in ADAPTERS {
        if let Err(why) = made(bring[0], &bring[1..]) {
            println!("  {line}: left out, {why}");
            continue;
        }
        for signer in SIGNERS {
            let (policy, tokens) = tokens(signer, TOKENS);
            let alg = signer.2;
            match fastest(line, &policy, &tokens) {
                Ok((ours, plain)) => {
                    let (rate, part) = (rate(ours), plain.as_secs_f64() / ours.as_secs_f64());
                    let judged = match target {
                        Target::Part(least) => format!("(target: at least {least}): {}", met(part >= least)),
                        Target::Rate(least) if alg == "HS256" => {
                            format!("(target: at least {least} a second): {}", met(rate >= least))
                        }
                        Target::Rate(_) => "(no target)".to_owned(),
                    };
                    println!(
                        "  {alg:<6} {line}: {rate:.0} a second through wrongkey, {:.0} through a plain pipe: {part:.2} {judged}",
                        self::rate(plain)
                    );
                }
                Err(why) => println!("  {alg:<6} {line}: left out, {why}"),
            }
        }
    }
}

fn rate(took: Duration) -> f64 {
    TOKENS as f64 / took.as_secs_f64()
}

/// The time of the fastest turn through `wrongkey`, and through a plain pipe.
fn fastest(line: &str, policy: &TrustPolicy, tokens: &[(Token, NumericDate)]) -> Result<(Duration, Duration), String> {
    let mut best = [Duration::MAX; 2];
    for _ in 0..TURNS {
        for (best, way) in best.iter_mut().zip([through_wrongkey, through_a_pipe]) {
            *best = (*best).min(way(root(), line, policy, tokens)?);
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
