//! Our own failures, sorted by who can mend them. What a validator does wrong is never one of these.

use std::path::PathBuf;

/// What went wrong on our side: each reads after "failed to …" and says where, and what would mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A world file is wrong.
    #[error("world {file}: {place}: {problem}")]
    World {
        /// The file, or the shipped world's name.
        file: String,
        /// The table or member.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A scenario names what its world does not have, or asks for what cannot be done.
    #[error("scenario: {place}: {problem}")]
    Scenario {
        /// The step and act.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A scenario asks for an act or step of the format that this version does not run.
    #[error("scenario: {place}: `{what}` is part of the format, but this version of wrongkey does not run it")]
    NotRun {
        /// The step and act.
        place: String,
        /// Its name.
        what: String,
    },
    /// A scenario, finding, waiver or configuration file cannot be understood.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// Where in it, what is wrong and what would be right.
        problem: String,
    },
    /// A validator cannot be judged at all: it is not there, or answers nothing that could be understood.
    #[error("{validator} {problem}")]
    NotReady {
        /// Its name.
        validator: String,
        /// Why.
        problem: String,
    },
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
}
