//! What it costs to judge a validator that is not in this process: beside a plain pipe into the same adapter, beside what `wrk`
//! gets from the same server, in memory, and in time for a whole catalogue. Run by `cargo bench --bench transport`, which builds
//! and installs what the adapters need; a name after `--` takes one measure alone. What is not here is left out and named.

mod http;
mod pipe;
mod run;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use wrongkey::clock;
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::scenario::{Honest, Scenario};
use wrongkey::world::{Calendar, DEFAULT_SEED, World};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// By the names under which `cargo bench --bench transport -- NAME…` takes some of them.
const MEASURES: [(&str, fn()); 4] =
    [("pipe", pipe::measure), ("http", http::measure), ("memory", run::memory), ("catalogue", run::catalogue)];

/// The issuers whose tokens are shown, with the key and the algorithm: the cheapest to verify, and one with a key pair.
const SIGNERS: [(&str, &str, &str); 2] = [("mac", "mac-256", "HS256"), ("north", "north-ed", "EdDSA")];

fn main() {
    // Started by the measure beside `wrk`.
    if std::env::args().nth(1).as_deref() == Some(http::SERVE) {
        return http::serve();
    }
    // `cargo test --benches` and `--all-targets` run this program too, without the argument that `cargo bench` gives.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("{} build\n", if cfg!(debug_assertions) { "debug" } else { "release" });
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, measure) in MEASURES {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure();
            println!();
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn met(met: bool) -> &'static str {
    if met { "met" } else { "NOT MET" }
}

/// Runs a program in the root of the repository; what it said, where it fails or is not there.
fn made(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().last().unwrap_or(program).to_owned())
}

/// Honest tokens of an issuer, all different, and the policy of the party that takes every algorithm.
fn tokens((issuer, key, alg): (&str, &str, &str), count: u64) -> (Arc<TrustPolicy>, Vec<(Token, NumericDate)>) {
    let world = World::shipped("all-algorithms", DEFAULT_SEED).unwrap_or_else(|| unreachable!("it is shipped"));
    let party = world.parties[0].alias.clone();
    let forge = Forge::new(Arc::clone(&world), Calendar::At(clock::now()));
    let honest =
        Honest { issuer: issuer.to_owned(), key: Some(key.to_owned()), alg: Some(alg.to_owned()), ..Honest::default() };
    let scenario = Scenario::single(world.name.clone(), KeySource::PerIssuer, party.clone(), honest, Vec::new());
    let policy = forge.policy(&party, KeySource::PerIssuer).unwrap_or_else(|| unreachable!("it is the world's"));
    let tokens = (0..count).map(|number| {
        let moves = forge.play(&scenario, number).unwrap_or_else(|error| panic!("{error}"));
        let presented = moves.into_iter().find_map(|happening| match happening {
            Move::Present(presented) => Some((presented.token.clone(), presented.at)),
            Move::Trust { .. } => None,
        });
        presented.unwrap_or_else(|| unreachable!("one token is presented"))
    });
    (Arc::clone(policy), tokens.collect())
}
