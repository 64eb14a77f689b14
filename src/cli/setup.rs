//! The command that a configuration has run once before a validator is judged. No shell is in between, and what it prints is
//! kept, bounded, to be shown where it fails.

use crate::validator::program::Program;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long it may take: it may have to fetch and build things.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// Most that is kept of what it prints: the end.
const MAX_OUTPUT: usize = 16 << 10;

/// Lines of it that are shown.
const MAX_LINES: usize = 30;

/// Why a set-up did not come out well.
pub(super) enum Failed {
    /// It cannot be run: the configuration is wrong.
    NotRun(String),
    /// It ran, and failed.
    Ended(String),
}

/// Runs a command line to its end, for so long at most.
pub(super) fn run(line: &str, env: &BTreeMap<String, String>, folder: &Path, longest: Duration) -> Result<(), Failed> {
    let program = Program::parse(line).map_err(Failed::NotRun)?;
    let program = Program { env: env.clone(), cwd: Some(folder.to_owned()), ..program };
    let ran = program.run(longest, MAX_OUTPUT).map_err(|error| Failed::NotRun(error.to_string()))?;
    let what = match ran.status {
        Some(status) if status.success() => return Ok(()),
        Some(status) => format!("ended with {status}"),
        None => format!("did not end within {} s", longest.as_secs_f32()),
    };
    let text = String::from_utf8_lossy(&ran.printed);
    let lines: Vec<_> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(MAX_LINES)..].join("\n");
    let said = if shown.trim().is_empty() { "and printed nothing".to_owned() } else { format!("and printed\n{shown}") };
    Err(Failed::Ended(format!("`{line}` {what} {said}")))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn one_without_an_end_is_ended_with_all_that_it_started_and_one_that_went_well_leaves_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let runs = |script: &str, longest: u64| {
            let line = format!("sh -c '{script}'");
            run(&line, &BTreeMap::new(), folder.path(), Duration::from_millis(longest))
        };
        let is_there = || {
            let pid = std::fs::read_to_string(&pid).unwrap();
            let seen = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid.trim()]).output().unwrap();
            let state = String::from_utf8(seen.stdout).unwrap();
            !state.trim().is_empty() && !state.trim().starts_with('Z')
        };
        let Err(Failed::Ended(why)) = runs("echo building; sleep 1000 & echo $! > pid; wait", 500) else { panic!() };
        assert!(why.contains("did not end within 0.5 s and printed\nbuilding"), "{why}");
        assert!(!is_there());
        assert!(runs("sleep 1000 >/dev/null 2>&1 & echo $! > pid", 60_000).is_ok());
        assert!(is_there());
        std::process::Command::new("kill").arg(std::fs::read_to_string(&pid).unwrap().trim()).status().unwrap();
        assert!(matches!(runs("sleep 1000 >/dev/null 2>&1 & echo $! > pid; exit 3", 60_000), Err(Failed::Ended(_))));
        assert!(!is_there());
    }
}
