//! Validators that `wrongkey.toml` names, as people and pipelines use them.

#[path = "../process/support.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod adapters;

#[path = "../common/mod.rs"]
mod common;

#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

#[path = "../endpoint/server.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod server;

mod names;
mod programs;
mod schema;
mod sites;

use adapters::line;
use std::path::Path;
use support::Place;

/// A table that runs an adapter.
fn table(name: &str, arguments: &str, more: &str) -> String {
    format!("[validators.{name}]\nexec = {:?}\n{more}\n", line(arguments))
}

/// A place with a configuration.
fn place(config: &str) -> Place {
    let place = Place::new();
    place.file("wrongkey.toml", config);
    place
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A flaw that the classes of `QUICK` show.
const FLAW: &str = "flawed-signature-only-over-merged-keys";

/// A few classes, at a time that the adapter is told.
const QUICK: [&str; 4] = ["--only", "KS-01", "--now", support::NOW];
