//! The command line: what was typed, what it means, and how the process ends.

mod args;
mod choice;
mod configured;
mod endpoint;
mod fetch;
mod processes;
mod run;
mod serve;
mod setup;
mod single;
mod store;
mod stored;
mod teach;
mod validators;
mod world;

use crate::error::Error;
use crate::finding::tame;
use crate::judgement::Exit;
use crate::validator::program::end_all;
use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use args::{Cli, Color, Command};
use clap::Parser as _;
use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest line of an error message.
const MAX_LINE: usize = 1_000;
/// Most lines of an error message.
const MAX_LINES: usize = 40;

/// The whole program. Standard output is data; progress and messages go to standard error.
#[must_use]
pub fn main() -> ExitCode {
    crate::campaign::quiet_panics();
    // A panic of our own is a bug, and says so by its exit code.
    let exit = std::panic::catch_unwind(|| {
        let cli = match Cli::try_parse() {
            Ok(cli) => cli,
            Err(error) => {
                let _ = error.print();
                return if error.use_stderr() { Exit::Usage } else { Exit::Clean };
            }
        };
        match cli.color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        dispatch(cli).unwrap_or_else(|error| {
            complain(&error);
            match error {
                Error::NotReady { .. } => Exit::Inconclusive,
                _ => Exit::Usage,
            }
        })
    });
    let exit = exit.unwrap_or_else(|_| {
        say("error", AnsiColor::Red, "this is a bug of wrongkey's own; please report it with the lines above");
        Exit::Bug
    });
    // What was started for us ends with us.
    end_all();
    // What nobody can read must not pass for a whole report.
    let exit = if NOT_WRITTEN.load(Ordering::Relaxed) && exit != Exit::Bug { Exit::Usage } else { exit };
    ExitCode::from(exit.code())
}

fn dispatch(cli: Cli) -> Result<Exit, Error> {
    match cli.command {
        Command::Test(args) => run::test(&args),
        Command::Hunt(args) => run::hunt(&args),
        Command::Reproduce(args) => single::reproduce(&args),
        Command::Shrink(args) => single::shrink(&args),
        Command::Forge(args) => single::forge(&args),
        Command::Explain(args) => teach::explain(&args),
        Command::List(args) => teach::list(&args),
        Command::Serve(args) => serve::serve(&args),
        Command::World(command) => world::world(&command),
    }
}

fn complain(error: &Error) {
    say("error", AnsiColor::Red, &error.to_string());
}

fn note(text: &str) {
    say("note", AnsiColor::Cyan, text);
}

/// A message on standard error. It may quote a file or a validator, so it is tamed; a reader that has gone away is no failure.
fn say(word: &str, color: AnsiColor, text: &str) {
    let style: Style = color.on_default().bold();
    let _ = writeln!(anstream::stderr().lock(), "{style}{word}:{style:#} {}", tame_lines(text));
}

/// The same text with nothing in it that a terminal would obey, bounded.
fn tame_lines(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().take(MAX_LINES).map(|line| tame(line, MAX_LINE)).collect();
    if text.lines().nth(MAX_LINES).is_some() {
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

/// Prints text made with styles, with or without them.
fn print(text: &str) {
    let mut stream = anstream::stdout().lock();
    written(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}

/// Prints data octet by octet; on a terminal, where octets may be commands, as text that has been tamed.
fn print_data(octets: &[u8]) {
    let mut stream = std::io::stdout().lock();
    let octets = if stream.is_terminal() {
        Cow::Owned(tame(&String::from_utf8_lossy(octets), usize::MAX).into_bytes())
    } else {
        Cow::Borrowed(octets)
    };
    written(stream.write_all(&octets).and_then(|()| stream.write_all(b"\n")).and_then(|()| stream.flush()));
}

/// Whether something that belongs on standard output is not there.
static NOT_WRITTEN: AtomicBool = AtomicBool::new(false);

/// What came of writing to standard output. A reader that has gone away is no failure of ours; a full disk is said once, and the
/// rest is done all the same.
fn written(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != io::ErrorKind::BrokenPipe
        && !NOT_WRITTEN.swap(true, Ordering::Relaxed)
    {
        say("error", AnsiColor::Red, &format!("cannot write standard output: {error}"));
    }
}

fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_command_a_terminal() {
        assert_eq!(tame_lines("a\u{1b}]0;x\u{7}\nb\u{9b}2J"), "a\\u{1b}]0;x\\u{7}\nb\\u{9b}2J");
        assert_eq!(tame_lines(&"x\n".repeat(100)).lines().count(), MAX_LINES + 1);
        assert!(tame_lines(&"x".repeat(1 << 20)).len() < 2 * MAX_LINE);
    }
}
