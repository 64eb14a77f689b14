//! Validators in other processes, as they are named on the command line.

use super::args::{ProcessArgs, TIMEOUT};
use super::validators::Named;
use crate::campaign::{Selection, conform};
use crate::error::Error;
use crate::finding::tame;
use crate::jose::NumericDate;
use crate::scenario::Scenario;
use crate::validator::command::Template;
use crate::validator::process::{Adapter, Trace};
use crate::validator::program::{Program, StartError};
use crate::world::World;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Longest line that is shown of what is exchanged.
const MAX_LINE: usize = 20_000;
/// Longest name of a validator.
const MAX_NAME: usize = 80;

impl ProcessArgs {
    /// Whether any is named.
    pub(super) fn any(&self) -> bool {
        !self.exec.is_empty() || !self.command.is_empty()
    }

    /// Starts all that are named.
    pub(super) fn validators(&self, timeout: Option<Duration>, trace: bool) -> Result<Vec<Named>, Error> {
        let timeout = timeout.unwrap_or(TIMEOUT);
        let program = |flag: &str, line: &String| {
            let program = Program::parse(line).map_err(|why| Error::Usage(format!("--{flag}: {why}")))?;
            let again = format!("--{flag} {}", shell_words::quote(line));
            Ok((Program { timeout, ..program }, again))
        };
        let mut all: Vec<Named> = Vec::new();
        for line in &self.exec {
            let (program, again) = program("exec", line)?;
            all.push(Named { again: Some(again), ..adapter(program, trace)? });
        }
        for line in &self.command {
            let (program, again) = program("command", line)?;
            let command = command(program).map_err(|error| match error {
                Error::Usage(why) => Error::Usage(format!("--command: {why}")),
                other => other,
            })?;
            all.push(Named { again: Some(again), ..command });
        }
        Ok(all)
    }
}

/// A command is configured for one relying party.
pub(super) fn check_parties(subjects: &[Named], parties: &[String], worlds: &[Arc<World>]) -> Result<(), Error> {
    let command = subjects.iter().any(|subject| subject.sort == "command");
    let several = worlds.iter().find(|world| world.parties.len() > 1);
    match several.filter(|_| command && parties.is_empty()) {
        None => Ok(()),
        Some(world) => {
            let names: Vec<&str> = world.parties.iter().map(|party| party.alias.as_str()).collect();
            Err(Error::Usage(format!(
                "--command: {} has several relying parties: choose with --party, as --party {}",
                world.name,
                names.join(" or ")
            )))
        }
    }
}

/// Starts an adapter and lets it say its name.
pub(super) fn adapter(program: Program, trace: bool) -> Result<Named, Error> {
    let shows: Trace = Arc::new(|line| {
        // A reader that has gone away is no failure of ours.
        let _ = writeln!(std::io::stderr().lock(), "{}", tame(line, MAX_LINE));
    });
    let adapter = Adapter::start(program, trace.then_some(shows)).map_err(|error| match error {
        StartError::NoHello { command, why } => Error::NotReady { validator: format!("`{command}`"), problem: why },
        not_run => Error::Usage(not_run.to_string()),
    })?;
    Ok(Named {
        name: tame(&adapter.description().name, MAX_NAME),
        about: "a process that speaks the protocol".to_owned(),
        sort: "process",
        maker: adapter.maker(),
        ready: None,
        again: None,
        adapter: Some(adapter),
    })
}

/// A command that is run once for each token.
pub(super) fn command(program: Program) -> Result<Named, Error> {
    program.check().map_err(|error| Error::Usage(error.to_string()))?;
    let template = Template::new(program).map_err(Error::Usage)?;
    Ok(Named {
        name: tame(&template.description().name, MAX_NAME),
        about: "a command for each token".to_owned(),
        sort: "command",
        maker: template.maker(),
        ready: None,
        again: None,
        adapter: None,
    })
}

/// Tries what speaks the protocol before anything that it answers counts. What must not be accepted is shown in the run too.
pub(super) fn conformance(
    subjects: &[Named],
    worlds: &[Arc<World>],
    selection: &Selection,
    now: NumericDate,
) -> Result<Vec<(String, Scenario)>, Error> {
    let mut shown: Vec<(String, Scenario)> = Vec::new();
    for subject in subjects {
        let Some(adapter) = &subject.adapter else { continue };
        let conformed = conform(adapter, &subject.maker, worlds, selection, now).map_err(|unfit| Error::NotReady {
            validator: subject.name.clone(),
            problem: format!(
                "does not pass the conformance run, so nothing that it answers counts; it fails \"{}\": {}",
                unfit.step,
                tame(&unfit.why, MAX_LINE)
            ),
        })?;
        if !conformed.accepted.is_empty() {
            super::note(&format!(
                "{} accepts what nobody may accept ({}): check the adapter first, with `wrongkey reproduce FILE --trace` and \
                 the findings below",
                subject.name,
                conformed.accepted.join(", ")
            ));
        }
        for (name, scenario) in conformed.controls {
            if !shown.iter().any(|(_, known)| *known == scenario) {
                shown.push((format!("control: {name}"), scenario));
            }
        }
    }
    Ok(shown)
}
