//! Validators in other processes, as they are named on the command line.

use super::args::ProcessArgs;
use super::validators::Named;
use crate::error::Error;
use crate::finding::tame;
use crate::validator::process::{Adapter, Trace};
use crate::validator::program::{Program, StartError};
use std::sync::Arc;
use std::time::Duration;

/// Longest line that is shown of what is exchanged.
const MAX_LINE: usize = 20_000;

impl ProcessArgs {
    /// Whether any is named.
    pub(super) fn any(&self) -> bool {
        !self.exec.is_empty()
    }

    /// Starts all that are named.
    pub(super) fn validators(&self, timeout: Duration, trace: bool) -> Result<Vec<Named>, Error> {
        let adapter = |line: &String| {
            let program = Program::parse(line).map_err(|why| Error::Usage(format!("--exec: {why}")))?;
            adapter(Program { timeout, ..program }, &format!("--exec {}", shell_words::quote(line)), trace)
        };
        let mut all: Vec<Named> = Vec::new();
        for one in self.exec.iter().map(adapter) {
            let one = one?;
            if all.iter().any(|other| other.name == one.name) {
                let name = one.name;
                return Err(Error::Usage(format!(
                    "--exec: two validators call themselves `{name}`: judge them one by one"
                )));
            }
            all.push(one);
        }
        Ok(all)
    }
}

/// Starts an adapter and lets it say its name.
pub(super) fn adapter(program: Program, typed: &str, trace: bool) -> Result<Named, Error> {
    let shows: Trace = Arc::new(|line| eprintln!("{}", tame(line, MAX_LINE)));
    let adapter = Adapter::start(program, trace.then_some(shows)).map_err(|error| match error {
        StartError::NoHello { command, why } => Error::NotReady { validator: format!("`{command}`"), problem: why },
        not_run => Error::Usage(not_run.to_string()),
    })?;
    Ok(Named {
        name: adapter.description().name.clone(),
        about: "a process that speaks the protocol".to_owned(),
        sort: "process",
        maker: adapter.maker(),
        ready: None,
        again: Some(typed.to_owned()),
    })
}
