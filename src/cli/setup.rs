//! The command that a configuration has run once before a validator is judged. No shell is in between, and what it prints is
//! kept, bounded, to be shown where it fails.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Most that is kept of what it prints: the end.
const MAX_OUTPUT: usize = 16 << 10;

/// Lines of it that are shown.
const MAX_LINES: usize = 30;

/// How long its last words may take: what it has started may stay and hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Why a set-up did not come out well.
pub(super) enum Failed {
    /// It cannot be run: the configuration is wrong.
    NotRun(String),
    /// It ran, and failed.
    Ended(String),
}

/// Runs a command line to its end. It belongs to our process group, so that an interrupt ends both.
pub(super) fn run(line: &str, env: &BTreeMap<String, String>, folder: &Path) -> Result<(), Failed> {
    let words = shell_words::split(line).map_err(|_| Failed::NotRun(format!("{line:?}: a quote is not closed")))?;
    let [command, args @ ..] = &words[..] else { return Err(Failed::NotRun("it names no program".to_owned())) };
    if !folder.is_dir() {
        return Err(Failed::NotRun(format!("its working directory {} is no folder", folder.display())));
    }
    let not_run = |error: std::io::Error| {
        let why = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such program: give its path, or a name in PATH".to_owned(),
            std::io::ErrorKind::PermissionDenied => "it is not executable: `chmod +x` makes it so".to_owned(),
            _ => error.to_string(),
        };
        Failed::NotRun(format!("cannot run `{command}`: {why}"))
    };
    let (mut reader, writer) = std::io::pipe().map_err(not_run)?;
    let errors = writer.try_clone().map_err(not_run)?;
    let mut child = {
        let mut start = Command::new(command);
        start.args(args).envs(env).current_dir(folder).stdin(Stdio::null()).stdout(writer).stderr(errors);
        // Our ends of the pipe go with the command.
        start.spawn().map_err(not_run)?
    };
    let kept = Arc::new(Mutex::new(VecDeque::new()));
    let (ended, end) = mpsc::channel();
    let keep = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut part = [0; 4_096];
        while let Ok(length @ 1..) = reader.read(&mut part) {
            let mut kept: std::sync::MutexGuard<'_, VecDeque<u8>> = keep.lock().unwrap_or_else(PoisonError::into_inner);
            kept.extend(&part[..length]);
            let over = kept.len().saturating_sub(MAX_OUTPUT);
            kept.drain(..over);
        }
        let _ = ended.send(());
    });
    let status = child.wait().map_err(not_run)?;
    if status.success() {
        return Ok(());
    }
    let _ = end.recv_timeout(LAST_WORDS);
    let kept: Vec<u8> = kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<_> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(MAX_LINES)..].join("\n");
    let said = if shown.trim().is_empty() { "and printed nothing".to_owned() } else { format!("and printed\n{shown}") };
    Err(Failed::Ended(format!("`{line}` ended with {status} {said}")))
}
