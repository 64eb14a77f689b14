//! The command line: what was typed, what it means, and how the process ends.

mod args;
mod run;
mod single;
mod teach;
mod validators;

use crate::error::Error;
use crate::judgement::Exit;
use args::{Cli, Command};
use clap::Parser as _;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

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
        dispatch(cli).unwrap_or_else(|error| {
            complain(&error);
            Exit::Usage
        })
    });
    let exit = exit.unwrap_or_else(|_| {
        eprintln!("wrongkey: this is a bug of wrongkey's own; please report it with the lines above");
        Exit::Bug
    });
    ExitCode::from(exit.code())
}

fn dispatch(cli: Cli) -> Result<Exit, Error> {
    match cli.command {
        Command::Test(args) => run::test(&args),
        Command::Reproduce(args) => single::reproduce(&args),
        Command::Shrink(args) => single::shrink(&args),
        Command::Forge(args) => single::forge(&args),
        Command::Explain(args) => teach::explain(&args),
        Command::List(args) => teach::list(&args),
    }
}

fn complain(error: &Error) {
    eprintln!("wrongkey: {error}");
}

/// Prints text made with styles, with or without them. A reader that has gone away is no failure of ours.
fn print(text: &str, color: args::Color) {
    use anstream::{AutoStream, ColorChoice};
    let choice = match color {
        args::Color::Always => ColorChoice::Always,
        args::Color::Never => ColorChoice::Never,
        args::Color::Auto => AutoStream::choice(&std::io::stdout()),
    };
    let mut stream = AutoStream::new(std::io::stdout().lock(), choice);
    let _ = stream.write_all(text.as_bytes());
    let _ = stream.flush();
}

fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}
