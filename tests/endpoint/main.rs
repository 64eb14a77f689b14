//! HTTP endpoints as validators, over real connections to a server on loopback.

#[path = "../common/mod.rs"]
mod common;

#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

mod answers;
mod campaigns;
mod command;
mod connections;
mod issuers;
mod server;
mod tls;

use std::sync::Arc;
use wrongkey::clock;
use wrongkey::jose::{NumericDate, Token};
use wrongkey::policy::{KeySource, TrustPolicy};
use wrongkey::validator::http::{Endpoint, Settings};
use wrongkey::validator::{Configured, Fault, Validator, Verdict};
use wrongkey::world::{Calendar, DEFAULT_SEED, Publication, World};

/// The policy of a relying party of a shipped world.
fn policy_of(world: &str, party: &str, at: NumericDate) -> TrustPolicy {
    let world = World::shipped(world, DEFAULT_SEED).unwrap();
    let party = world.party(party).unwrap();
    world.policy(party, KeySource::PerIssuer, &Publication::of(&world), Calendar::At(at))
}

/// The policy of the endpoints of these tests.
fn policy() -> TrustPolicy {
    policy_of("two-issuers", "api", clock::now())
}

/// A validator that stands for an endpoint, under its policy.
fn validator(settings: Settings) -> Box<dyn Validator> {
    let mut validator = Endpoint::new(settings, policy()).unwrap().maker()();
    assert_eq!(validator.configure(&policy()), Ok(Configured::Ready));
    validator
}

fn ask(validator: &mut dyn Validator, token: &str) -> Result<Verdict, Fault> {
    validator.validate(&Token::new(token), NumericDate(0))
}

fn ask_all(validator: &mut dyn Validator, tokens: &[&str]) -> Vec<Result<Verdict, Fault>> {
    let tokens: Vec<_> = tokens.iter().map(|token| (Token::new(*token), NumericDate(0))).collect();
    validator.validate_all(&tokens)
}

fn accept() -> Result<Verdict, Fault> {
    Ok(Verdict::Accept { identity: None, key: None })
}

fn reject(words: &str) -> Result<Verdict, Fault> {
    Ok(Verdict::Reject(words.to_owned()))
}

fn broken(answer: &Result<Verdict, Fault>) -> &str {
    match answer {
        Err(Fault::Broken(words)) => words,
        other => panic!("{other:?}"),
    }
}

/// A list that several threads fill.
type Shared<T> = Arc<std::sync::Mutex<Vec<T>>>;
