//! `wrongkey` proves that a token validator never accepts a signature made by a key that had no right to make it.
//!
//! It forges tokens whose history it knows, shows them to a validator, and compares the answer with what that history
//! demands.
//!
//! ```text
//!              World ──► TrustPolicy ──────────────┬──────────────────────────┐
//!                │                                 │                          │
//! generate ─► Scenario ─► forge ──┬─► Token ─► Validator ─► Verdict | Fault   │
//!                ▲                │                             │             │
//!              shrink             └─► Provenance ─► oracle ─► Expectation ◄───┘
//!                ▲                                              │
//!                └──────────── is it still this? ────────── Finding ─► Report
//! ```
//!
//! In the order in which things flow:
//!
//! - [`jose`]: tokens, JSON as written, base64url, keys and algorithm names, lossless and lax
//! - [`key`]: test keys with their private halves, and deterministic signing
//! - [`policy`]: all that a validator is told
//! - [`world`]: everybody who exists; derives policies
//! - [`scenario`]: recipes of attacks, the only thing that is stored
//! - [`generate`]: the catalogue of attack classes, random scenarios, mutation; the only place that draws randomness
//! - [`issuers`]: discovery documents and JWK Sets of a world, as files and over loopback HTTP(S), and a log of who fetched what
//! - [`provenance`]: what was written and who signed what
//! - [`forge`]: from a scenario to tokens and their provenance
//! - [`validator`]: the trait, a strict reference, recipes over real crates, flawed ones, processes in any language
//! - [`rule`]: the requirements with their sources
//! - [`oracle`]: what is lawful to answer
//! - [`twin`]: what shows why a token was rejected
//! - [`finding`]: a wrong answer, and what makes two the same
//! - [`shrink`]: the smallest scenario that still shows it
//! - [`campaign`]: one run of many scenarios against one validator
//! - [`config`]: `wrongkey.toml`: validators by name, and waivers
//! - [`waiver`]: findings that are known, each excused with a reason
//! - [`judgement`]: what to make of a campaign: what counts, what is excused, what was not shown
//! - `report`, `cli`: texts and commands, behind the feature `cli`
//! - [`error`]: our own failures
//! - [`clock`]: the one place where time enters
//! - [`harness`]: for Rust projects that test a validator of their own

mod alike;
pub mod campaign;
#[cfg(feature = "cli")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod finding;
pub mod forge;
pub mod generate;
pub mod harness;
pub mod issuers;
pub mod jose;
pub mod judgement;
pub mod key;
pub mod oracle;
pub mod policy;
pub mod provenance;
#[cfg(feature = "cli")]
pub mod report;
pub mod rule;
pub mod scenario;
pub mod shrink;
pub mod twin;
pub mod validator;
pub mod waiver;
pub mod world;
