//! What a person or a pipeline reads of a run. Everything that a validator said is tamed before it gets here.

pub mod json;
pub mod text;
pub mod token;

use crate::campaign::Outcome;
use crate::finding::Finding;
use crate::jose::NumericDate;
use crate::judgement::{Exit, Judgement};
use crate::waiver::Config;
use crate::world::World;
use std::sync::Arc;

/// One run of `wrongkey test`.
#[derive(Debug)]
pub struct Run {
    /// The time, taken once at the start.
    pub now: NumericDate,
    /// Seed of the generation.
    pub seed: u64,
    /// The worlds.
    pub worlds: Vec<Arc<World>>,
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
    /// Where findings were written, if any.
    pub out: Option<String>,
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
}

/// A validator and what is to be made of it.
#[derive(Debug)]
pub struct Judged {
    /// What came of it.
    pub outcome: Outcome,
    /// What is to be made of it.
    pub judgement: Judgement,
}
