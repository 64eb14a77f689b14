//! The bodies of fuzz targets: `scenario`, whose inputs are scenario files, `token`, whose inputs are any octets, and `files`,
//! whose inputs are all that we read.
//!
//! Each judges one input after the other, so that a fuzzer, a test and a program that replays files do the
//! same. A crash must reproduce in any year: the time stands still, keys are fixed, nothing is read but the input.

mod files;
mod panics;
mod replay;
mod scenario;
mod token;

pub use files::{file_kinds, play_file, run_file};
pub use panics::{abort_on_panic, caught, hold_panics};
pub use replay::{Replayed, program, replay};
pub use scenario::ScenarioTarget;
pub use token::{Count, TokenTarget};

use crate::error::Error;
use crate::jose::NumericDate;
use crate::validator::flawed::{self, Flaw};
use crate::validator::recipe::recipes;
use crate::validator::{Maker, reference};
use crate::world::{DEFAULT_SEED, World};
use std::sync::Arc;

/// The time of every fuzz target.
pub const NOW: NumericDate = NumericDate(1_790_000_000);

/// What came of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Played {
    /// It is nothing that can be judged here, for this reason.
    Unplayable(String),
    /// Nothing was wrong, or only what is waived. What was seen, in words.
    Lawful(String),
    /// Something was wrong. The first line begins with the rule; what is needed to see it again follows.
    Wrong(String),
}

/// The shipped worlds.
fn worlds() -> Vec<Arc<World>> {
    World::shipped_names().filter_map(|name| World::shipped(name, DEFAULT_SEED)).collect()
}

/// The makers of the built-in validators of a list of names with commas between them.
fn makers(names: &str) -> Result<Vec<(String, Maker)>, Error> {
    let known = built_in();
    let named = |name: &str| {
        let found = known.iter().find(|(known, _)| known == name);
        found.cloned().ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
            Error::Usage(format!("there is no validator `{name}`: one or more of {}", names.join(", ")))
        })
    };
    names.split(',').map(|name| named(name.trim())).collect()
}

/// Every built-in validator by name.
fn built_in() -> Vec<(String, Maker)> {
    let unsound = recipes().into_iter().filter(|recipe| !recipe.sound);
    let unsound = unsound.map(|recipe| (recipe.name.to_owned(), (recipe.maker)()));
    let flawed = Flaw::ALL.iter().map(|&flaw| (format!("flawed-{}", flaw.name()), flawed::maker(Some(flaw))));
    sound().into_iter().chain(unsound).chain(flawed).collect()
}

/// Those of them that are meant to be right.
fn sound() -> Vec<(String, Maker)> {
    let recipes = recipes().into_iter().filter(|recipe| recipe.sound);
    let recipes = recipes.map(|recipe| (recipe.name.to_owned(), (recipe.maker)()));
    let own = [("reference".to_owned(), reference::maker()), ("sound".to_owned(), flawed::maker(None))];
    own.into_iter().chain(recipes).collect()
}
