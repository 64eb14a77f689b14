//! Our own adapter, built once, and tokens to show it.

use crate::common::{NOW, shared_worlds};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use wrongkey::forge::{Forge, Move};
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::TrustPolicy;
use wrongkey::scenario::Scenario;
use wrongkey::validator::process::Adapter;
use wrongkey::validator::program::Program;
use wrongkey::validator::{Fault, Verdict};
use wrongkey::world::Calendar;

/// The example `adapter`. `cargo test` builds it; a single test file on its own does not.
static ADAPTER: LazyLock<PathBuf> = LazyLock::new(|| {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells its tests about their package would be news to some build scripts, and all would be built again.
    let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    for (name, _) in std::env::vars().filter(|(name, _)| told.iter().any(|told| name.starts_with(told))) {
        cargo.env_remove(name);
    }
    cargo.args(["build", "--locked", "--quiet", "--example", "adapter", "--message-format", "json"]);
    let built = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let lines = String::from_utf8(built.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter_map(|line| line["executable"].as_str().map(PathBuf::from)).next_back().unwrap()
});

/// The command line of the adapter with these arguments.
pub(crate) fn line(arguments: &str) -> String {
    format!("'{}' {arguments}", ADAPTER.display())
}

/// What an adapter with these arguments is made from.
pub(crate) fn program(arguments: &str) -> Program {
    let program = Program::parse(&line(arguments)).unwrap();
    // Short only where somebody waits for all of it.
    let never_answers = arguments.contains("hangs") || arguments.contains("no-answer");
    let timeout = Duration::from_millis(if never_answers { 2_500 } else { 20_000 });
    Program { timeout, patience: Duration::from_secs(20), ..program }
}

pub(crate) fn adapter(arguments: &str) -> Adapter {
    Adapter::start(program(arguments), None).unwrap()
}

/// The policy of a party of world `two-issuers`, or of another world.
pub(crate) fn policy(world: &str, party: &str) -> TrustPolicy {
    played(world, &honest(world, party)).0
}

/// An honest token for a party.
fn honest(world: &str, party: &str) -> Scenario {
    let world = shared_worlds().into_iter().find(|known| known.name == world).unwrap();
    let issuer = world.parties.iter().find(|known| known.alias == party).unwrap().issuers[0].alias.clone();
    let text =
        format!(r#"{{"scenario":1,"world":"{}","party":"{party}","honest":{{"issuer":"{issuer}"}}}}"#, world.name);
    Scenario::from_json(text.as_bytes()).unwrap()
}

fn played(world: &str, scenario: &Scenario) -> (TrustPolicy, Token) {
    let world = shared_worlds().into_iter().find(|known| known.name == world).unwrap();
    let moves = Forge::new(world, Calendar::At(NOW)).play(scenario, 0).unwrap();
    let mut policies = moves.iter().filter_map(|one| match one {
        Move::Trust { policy, .. } => Some(policy.as_ref().clone()),
        Move::Present(_) => None,
    });
    let token = moves.iter().find_map(|one| match one {
        Move::Present(presented) => Some(presented.token.clone()),
        Move::Trust { .. } => None,
    });
    (policies.next().unwrap(), token.unwrap())
}

/// So many honest tokens for the party `api` of world `two-issuers`, each another.
pub(crate) fn honest_tokens(count: u64) -> Vec<(Token, NumericDate)> {
    honest_tokens_of("two-issuers", "api", count)
}

pub(crate) fn honest_tokens_of(world: &str, party: &str, count: u64) -> Vec<(Token, NumericDate)> {
    let scenario = honest(world, party);
    let world = shared_worlds().into_iter().find(|known| known.name == world).unwrap();
    let forge = Forge::new(world, Calendar::At(NOW));
    let token = |number| {
        forge.play(&scenario, number).unwrap().into_iter().find_map(|one| match one {
            Move::Present(presented) => Some((presented.token.clone(), presented.at)),
            Move::Trust { .. } => None,
        })
    };
    (0..count).map(|number| token(number).unwrap()).collect()
}

/// The token at which the adapter misbehaves.
pub(crate) fn trigger() -> (Token, NumericDate) {
    (Token::new("trigger.trigger.trigger"), NOW)
}

/// Answers in a few words.
pub(crate) fn words(answers: &[Result<Verdict, Fault>]) -> Vec<String> {
    let word = |answer: &Result<Verdict, Fault>| match answer {
        Ok(Verdict::Accept { .. }) => "accept".to_owned(),
        Ok(Verdict::Reject(_)) => "reject".to_owned(),
        Ok(Verdict::Skip(why)) => format!("skip: {why}"),
        Err(fault) => fault.to_string(),
    };
    answers.iter().map(word).collect()
}

/// How often each word stands there.
pub(crate) fn counted(words: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word.as_str()).or_default() += 1;
    }
    counts
}
