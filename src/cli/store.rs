//! The folder of findings: checked before a run, written as soon as a validator is judged, and a former run kept beside it.

use super::validators::Named;
use crate::error::Error;
use crate::finding::{Finding, file_name};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The folder inside the output folder.
pub(super) const FINDINGS: &str = "findings";

/// Where the findings of a run go.
pub(super) struct Store {
    out: PathBuf,
    /// World files by the names of their worlds: to see a finding again takes its world.
    files: BTreeMap<String, PathBuf>,
    written: bool,
    failed: Option<Error>,
}

impl Store {
    /// Makes sure that findings can go there, and writes nothing yet.
    ///
    /// Only a former run is ever moved aside, so a folder that holds anything else is refused.
    pub(super) fn check(out: &Path, files: BTreeMap<String, PathBuf>) -> Result<Store, Error> {
        let shown = out.display();
        let refuse = |problem: &str| Err(Error::Usage(format!("--out: {shown} {problem}")));
        if let Some(file) = out.ancestors().find(|path| path.is_file()) {
            return refuse(&format!("cannot be a folder: {} is a file", file.display()));
        }
        if out.is_dir() {
            let entries = std::fs::read_dir(out).map_err(|source| Error::Read { path: out.to_owned(), source })?;
            let foreign = entries.filter_map(Result::ok).find(|entry| entry.file_name() != FINDINGS);
            if let Some(foreign) = foreign {
                let name = foreign.file_name();
                let name = name.to_string_lossy();
                return refuse(&format!("holds `{name}`, which is no part of a run: name a new or an empty folder"));
            }
            if out.join(FINDINGS).exists() && out.file_name().is_none() {
                return refuse("holds a former run, which cannot be moved aside from there: name a new folder");
            }
        }
        Ok(Store { out: out.to_owned(), files, written: false, failed: None })
    }

    /// Moves a former run aside; nothing is deleted.
    pub(super) fn begin(&self) -> Result<(), Error> {
        if !self.out.join(FINDINGS).exists() {
            return Ok(());
        }
        let name = self.out.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = |number: u32| self.out.with_file_name(format!("{name}.{number}"));
        let Some(free) = (1..).map(beside).find(|path| !path.exists()) else { return Ok(()) };
        std::fs::rename(&self.out, &free).map_err(|source| Error::Write { path: free, source })
    }

    /// Writes findings, each with the command that shows it again. One that cannot be written does not keep the others back.
    pub(super) fn keep(&mut self, findings: &mut [Finding], of: &Named) {
        for finding in findings {
            if let Some(again) = &of.again {
                // The name of the file begins with the validator's as well.
                let named = format!(".json {}", finding.validator);
                finding.reproduce = finding.reproduce.replacen(&named, &format!(".json {again}"), 1);
            }
            if let Err(error) = self.write(finding) {
                self.failed.get_or_insert(error);
            }
        }
    }

    /// The folder, where something was written.
    pub(super) fn folder(&self) -> Option<String> {
        self.written.then(|| self.out.display().to_string())
    }

    /// The first failure to write.
    pub(super) fn into_failure(self) -> Option<Error> {
        self.failed
    }

    fn write(&mut self, finding: &mut Finding) -> Result<(), Error> {
        let folder = self.out.join(FINDINGS);
        std::fs::create_dir_all(&folder).map_err(|source| Error::Write { path: folder.clone(), source })?;
        let name = file_name(&finding.origin);
        let path = folder.join(&name);
        finding.reproduce = finding.reproduce.replace(&name, &shell_word(&path));
        if let Some(file) = self.files.get(&finding.scenario.world) {
            finding.reproduce.push_str(&format!(" --world {}", shell_word(file)));
        }
        let mut text = serde_json::to_string_pretty(finding).unwrap_or_default();
        text.push('\n');
        write(&path, &text)?;
        self.written = true;
        Ok(())
    }
}

/// Makes sure that a report can go there, and writes nothing yet.
pub(super) fn check_report(path: &Path) -> Result<(), Error> {
    let shown = path.display();
    if path.is_dir() {
        return Err(Error::Usage(format!("--report: {shown} is a folder: name a file")));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder.filter(|folder| !folder.is_dir()) {
        Some(folder) => Err(Error::Usage(format!("--report: there is no folder {}: make it first", folder.display()))),
        None => Ok(()),
    }
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// A path as one word of a POSIX shell.
fn shell_word(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A text as one word of a POSIX shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain && !text.is_empty() { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        assert_eq!(shell_word(Path::new("wrongkey-out/findings/a.b+c.json")), "wrongkey-out/findings/a.b+c.json");
        assert_eq!(shell_word(Path::new("it's here/$x")), r"'it'\''s here/$x'");
    }
}
