//! `wrongkey test` of PyJWT's adapter, as a person runs it: what it holds for some tokens and for ten times as many, and how long
//! the catalogue of all worlds takes.

use crate::{made, met};
use std::process::{Command, Stdio};
use std::time::Duration;
use wrongkey::clock;

/// The adapter, run in `adapters/`.
const ADAPTER: &str = "python/.venv/bin/python python/pyjwt_adapter.py";
/// Random scenarios beside the catalogue of one world, in a short run and in one of more than ten times as many tokens.
const RANDOM: [u64; 2] = [0, 30_000];
/// Megabytes.
const MOST_MEMORY: f64 = 150.0;
/// Flat: the long run holds at most so many times as much as the short one.
const FLAT: f64 = 1.25;
const LONGEST: Duration = Duration::from_secs(60);

pub(crate) fn memory() {
    println!("memory: our own process, the adapter's not counted");
    let mut runs = Vec::new();
    for random in RANDOM {
        let arguments = ["--world", "two-issuers", "--random", &random.to_string()];
        match run(&arguments) {
            Ok(ran) => {
                println!("  wrongkey test {}: {ran}", arguments.join(" "));
                runs.push(ran);
            }
            Err(why) => return println!("  left out, {why}"),
        }
    }
    let (more, growth) = (runs[1].presented / runs[0].presented, runs[1].peak / runs[0].peak);
    let met = met(runs.iter().all(|run| run.peak <= MOST_MEMORY) && growth <= FLAT);
    println!(
        "  {growth:.2} times the memory for {more} times the tokens (target: at most {MOST_MEMORY} MB, {FLAT} times): {met}"
    );
}

pub(crate) fn catalogue() {
    println!("catalogue: of all worlds, against PyJWT");
    match run(&[]) {
        Ok(ran) => println!("  {ran} (target: at most {} s): {}", LONGEST.as_secs(), met(ran.took <= LONGEST)),
        Err(why) => println!("  left out, {why}"),
    }
}

/// A run of the program.
struct Ran {
    took: Duration,
    /// In megabytes.
    peak: f64,
    /// Tokens.
    presented: u64,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tokens in {:.1} s, peak memory {:.1} MB", self.presented, self.took.as_secs_f64(), self.peak)
    }
}

/// `wrongkey test` of the adapter, with these arguments.
fn run(arguments: &[&str]) -> Result<Ran, String> {
    made("adapters/install.sh", &["python"])?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let report = scratch.path().join("report.json");
    let start = clock::instant();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wrongkey"))
        .args(["test", "--exec", ADAPTER, "--exit-zero", "--config", "adapters.toml"])
        .args(arguments)
        .arg("--out")
        .arg(scratch.path().join("out"))
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .current_dir(crate::root().join("adapters"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut peak = None;
    let status = loop {
        peak = peak_memory(child.id()).or(peak);
        match child.try_wait().map_err(|error| error.to_string())? {
            None => std::thread::sleep(Duration::from_millis(10)),
            Some(status) => break status,
        }
    };
    let took = start.elapsed();
    let text = std::fs::read_to_string(&report).map_err(|_| format!("it ended with {status} and no report"))?;
    let report: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let presented = report["validators"][0]["presented"].as_u64().filter(|&presented| presented > 0);
    Ok(Ran {
        took,
        peak: peak.ok_or("this system tells no process's peak memory")?,
        presented: presented.ok_or("no token was presented")?,
    })
}

/// The most megabytes that a process has held so far, where the system tells.
fn peak_memory(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
