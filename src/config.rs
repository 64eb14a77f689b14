//! `wrongkey.toml`: validators by name, and findings that are known.

mod entry;
mod length;

pub use entry::{Entry, Feature, Kind};
pub(crate) use length::length;

use crate::alike::hint;
use crate::error::Error;
use crate::waiver::{Waiver, WaiverFile};
use entry::EntryFile;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// The name of the configuration file, looked for in the working directory and upward.
pub const FILE: &str = "wrongkey.toml";

/// The configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// Where it came from.
    pub path: Option<PathBuf>,
    /// Validators by name, in the order of the file. Paths in them are as they are written: relative to the file's folder.
    pub validators: Vec<Entry>,
    /// What is excused.
    pub waivers: Vec<Waiver>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    #[serde(default)]
    validators: BTreeMap<String, Spanned<EntryFile>>,
    #[serde(default)]
    waiver: Vec<Spanned<WaiverFile>>,
}

impl Config {
    /// The configuration at that path, or the nearest one upward from a folder, or none.
    ///
    /// # Errors
    /// Names the file, the line and what would be right.
    pub fn find(given: Option<&Path>, from: &Path) -> Result<Config, Error> {
        let path = match given {
            Some(path) => Some(path.to_owned()),
            None => from.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()),
        };
        let Some(path) = path else { return Ok(Config::default()) };
        let text = std::fs::read_to_string(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let config = parse(&text, &path.display().to_string())?;
        Ok(Config { path: Some(path), ..config })
    }

    /// The folder that paths in the file are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path
            .as_deref()
            .and_then(Path::parent)
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
    }

    /// An error in a line of the file.
    #[must_use]
    pub fn wrong(&self, line: usize, problem: &str) -> Error {
        let file = self.path.as_deref().unwrap_or(Path::new(FILE)).display().to_string();
        Error::File { file, problem: format!("line {line}: {problem}") }
    }
}

/// Reads a configuration from text; `file` is what errors call it.
///
/// # Errors
/// Names the file, the line and what would be right.
pub fn parse(text: &str, file: &str) -> Result<Config, Error> {
    let place = Place { text, file };
    let written: ConfigFile = toml::from_str(text).map_err(|error| place.unreadable(&error))?;
    let mut validators: Vec<Entry> = Vec::new();
    for (name, entry) in written.validators {
        validators.push(entry.get_ref().read(&name, entry.span().start, &place)?);
    }
    validators.sort_by_key(|entry| entry.line);
    let mut waivers = Vec::new();
    for waiver in written.waiver {
        let line = place.line(waiver.span().start);
        waivers.push(waiver.into_inner().read().map_err(|problem| place.wrong(line, &problem))?);
    }
    Ok(Config { path: None, validators, waivers })
}

/// A text that is read, for errors in it.
struct Place<'t> {
    text: &'t str,
    file: &'t str,
}

impl Place<'_> {
    /// The line, from 1, of an octet.
    fn line(&self, at: usize) -> usize {
        self.text.as_bytes()[..at.min(self.text.len())].iter().filter(|&&octet| octet == b'\n').count() + 1
    }

    fn wrong(&self, line: usize, problem: &str) -> Error {
        Error::File { file: self.file.to_owned(), problem: format!("line {line}: {problem}") }
    }

    /// What the reader of TOML says; of a member that it does not know also which may have been meant.
    fn unreadable(&self, error: &toml::de::Error) -> Error {
        // "unknown field `a`, expected `b` or `c`"
        let mut quoted = error.message().split('`').skip(1).step_by(2);
        let meant = match quoted.next() {
            Some(typed) if error.message().starts_with("unknown ") => hint(typed, quoted),
            _ => String::new(),
        };
        Error::File { file: self.file.to_owned(), problem: format!("{}{meant}", error.to_string().trim_end()) }
    }
}

#[cfg(test)]
mod tests;
