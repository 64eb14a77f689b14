//! Plays files through a fuzz target without a fuzzer: what the target's program does where no fuzzer is linked in.

use super::Played;
use crate::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Counts of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs that were judged.
    pub played: usize,
    /// Of these, how many were answered wrongly.
    pub wrong: usize,
    /// Files that are no input, or none that can be judged here.
    pub unplayable: usize,
}

impl Replayed {
    /// 0: all answers were lawful or are waived. 1: one was wrong. 2: nothing could be played, which shows nothing.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.played, self.wrong) {
            (0, _) => 2,
            (_, 0) => 0,
            _ => 1,
        }
    }
}

/// Plays these files, and all files below these folders in the order of their paths, and prints what happened to each.
///
/// # Errors
/// Where a file cannot be read, or the output cannot be written.
pub fn replay(
    target: &mut dyn FnMut(&[u8]) -> Played,
    paths: &[PathBuf],
    out: &mut dyn Write,
) -> Result<Replayed, Error> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    let mut replayed = Replayed::default();
    let unwritten = |source| Error::Write { path: PathBuf::from("the standard output"), source };
    for file in &files {
        let input = std::fs::read(file).map_err(|source| Error::Read { path: file.clone(), source })?;
        let played = target(&input);
        let shown = file.display();
        let line = match &played {
            Played::Unplayable(why) => writeln!(out, "{shown}: not played: {why}"),
            Played::Lawful(answers) => writeln!(out, "{shown}: {answers}"),
            Played::Wrong(message) => writeln!(out, "{shown}: WRONG: {message}"),
        };
        line.map_err(unwritten)?;
        replayed.played += usize::from(!matches!(played, Played::Unplayable(_)));
        replayed.unplayable += usize::from(matches!(played, Played::Unplayable(_)));
        replayed.wrong += usize::from(matches!(played, Played::Wrong(_)));
    }
    let Replayed { played, wrong, unplayable } = replayed;
    writeln!(out, "{} files: {played} played, {wrong} of them answered wrongly; {unplayable} not played", files.len())
        .map_err(unwritten)?;
    Ok(replayed)
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unread = |source| Error::Read { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(unread)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(unread)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(unread)?;
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, files))
}

/// A whole program: plays the files and folders that are its arguments, prints what happened to each, and gives back the
/// process's exit code.
pub fn program(name: &str, target: &mut dyn FnMut(&[u8]) -> Played) -> u8 {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    if paths.is_empty() {
        eprintln!("usage: {name} FILE|FOLDER…   plays inputs, corpora and crash files");
        return 2;
    }
    match replay(target, &paths, &mut io::stdout().lock()) {
        Ok(replayed) => replayed.exit_code(),
        Err(error) => {
            eprintln!("{name}: {error}");
            2
        }
    }
}
