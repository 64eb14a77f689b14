//! A place of one's own to run `wrongkey` in, and what came of it.

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The time of every run that can choose it.
pub(crate) const NOW: &str = "1790000000";

/// An empty folder to run the command in.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, its folders too.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, started here and free of the caller's settings.
    pub(crate) fn command(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::cargo_bin("wrongkey").unwrap();
        command.current_dir(self.folder.path());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "CARGO_TERM_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command().args(arguments))
    }

    /// Runs with these arguments and reads standard output as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat());
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.out, ran.err))
    }

    /// The findings of the last run.
    pub(crate) fn findings(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path("wrongkey-out/findings")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Every file and folder here.
    pub(crate) fn listing(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        walk(self.folder.path(), &mut found);
        found
    }
}

fn walk(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        }
        found.insert(path);
    }
}

impl Ran {
    pub(crate) fn of(command: &mut assert_cmd::Command) -> Self {
        let output = command.output().unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn says(self, needles: &[&str]) -> Self {
        for needle in needles {
            assert!(self.out.contains(needle), "{needle:?} is not in\n{}\n{}", self.out, self.err);
        }
        self
    }

    #[track_caller]
    pub(crate) fn does_not_say(self, needles: &[&str]) -> Self {
        for needle in needles {
            assert!(!self.out.contains(needle), "{needle:?} is in\n{}", self.out);
        }
        self
    }

    #[track_caller]
    pub(crate) fn complains(self, needles: &[&str]) -> Self {
        for needle in needles {
            assert!(self.err.contains(needle), "{needle:?} is not in\n{}", self.err);
        }
        self
    }
}

/// The scenario that this project exists for.
pub(crate) const STORM: &str = r#"{ "scenario": 1, "world": "storm-0558", "party": "both-mail",
  "honest": { "issuer": "enterprise", "tenant": "contoso" },
  "acts": [ { "sign-with": { "key": "consumer-2023" } } ] }
"#;

/// A validator that accepts it.
pub(crate) const STORM_FLAW: &str = "flawed-signature-only-over-merged-keys";

/// The part of a text that comes first does so.
#[track_caller]
pub(crate) fn in_order(text: &str, needles: &[&str]) {
    let mut from = 0;
    for needle in needles {
        let at = text[from..].find(needle);
        from += at.unwrap_or_else(|| panic!("{needle:?} does not follow in\n{text}")) + needle.len();
    }
}
