//! What a person or a pipeline reads of a run. Everything that a validator said is tamed before it gets here.

mod exhaustive;
pub mod json;
pub mod text;
pub mod token;

use crate::campaign::Outcome;
use crate::config::Config;
use crate::finding::Finding;
use crate::generate::Exhaustive;
use crate::jose::NumericDate;
use crate::judgement::{Exit, Judgement};
use crate::waiver::Waiver;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One run of `wrongkey test` or `wrongkey hunt`.
#[derive(Debug)]
pub struct Run {
    /// The time, taken once at the start.
    pub now: NumericDate,
    /// Seed of the generation.
    pub seed: u64,
    /// The worlds.
    pub worlds: Vec<Arc<World>>,
    /// The exhaustive core; empty unless it was asked for.
    pub exhaustive: Exhaustive,
    /// World and issuer of those in whose name nobody here can sign: nothing is shown of tokens that claim them.
    pub unsigned: BTreeSet<(String, String)>,
    /// Scenarios from files.
    pub stored: Stored,
    /// Configuration and waivers.
    pub config: Config,
    /// The sensitivity control: a recipe known to be wrong, which must be found wrong.
    pub control: Option<Control>,
    /// The validators, in the order asked for.
    pub validators: Vec<Judged>,
    /// Waivers that excuse nothing any more.
    pub stale_waivers: Vec<usize>,
    /// How it ends.
    pub exit: Exit,
    /// Whether the process ends with 0 all the same, because it was asked to.
    pub forgiven: bool,
    /// Where findings were written, if any.
    pub out: Option<String>,
}

impl Run {
    /// Waivers in force here that excuse a whole critical rule: every report says them first.
    pub fn waived_critical(&self) -> impl Iterator<Item = &Waiver> {
        let names: Vec<&str> = self.validators.iter().map(|judged| judged.outcome.description.name.as_str()).collect();
        self.config.waivers.iter().filter(move |waiver| {
            waiver.covers_critical_rule() && names.iter().any(|name| waiver.in_force(name, self.now))
        })
    }
}

/// What became of stored scenarios.
#[derive(Debug, Default)]
pub struct Stored {
    /// So many were replayed.
    pub replayed: u64,
    /// So many have no place in the run, by reason.
    pub skipped: BTreeMap<String, u64>,
}

/// The sensitivity control.
#[derive(Debug)]
pub struct Control {
    /// What came of it.
    pub outcome: Outcome,
    /// The finding that had to be found.
    pub found: Option<Finding>,
    /// After how many scenarios of the catalogue it first showed.
    pub after: Option<usize>,
    /// Whether any token was such that its mistake would show.
    pub tried: bool,
}

/// A validator and what is to be made of it.
#[derive(Debug)]
pub struct Judged {
    /// What came of it.
    pub outcome: Outcome,
    /// What is to be made of it.
    pub judgement: Judgement,
}
