//! A command that judges one token and ends: 0 accepts, 1 rejects, 89 skips, anything else is a fault. No shell is in between.
//!
//! It says nobody's identity, so what hangs on identities is not observable.

use super::program::{Folder, Group, Pipes, Program, StartError, lock};
use super::{Clock, Configured, Description, Fault, Maker, Validator, Verdict};
use crate::jose::{NumericDate, Token};
use crate::policy::{TrustPolicy, secret_forms};
use memchr::memmem;
use std::ffi::OsString;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// Where the token stands.
const TOKEN: &str = "{token}";
/// Where the path of a file with the policy stands.
const POLICY_FILE: &str = "{policy-file}";
/// Where the time stands, in seconds since 1970.
const NOW: &str = "{now}";

/// Longest argument: what Linux takes, and a little room for the path of the policy file and the time.
const MAX_ARGUMENT: usize = 128_000;
/// So much of what it prints is looked at.
const MAX_PRINTED: u64 = 1 << 16;
/// How long to wait for the rest of what it printed, once it has ended: what it started may hold its output open.
const REST: Duration = Duration::from_millis(200);

/// So many pipes may be held open by what a command has left behind: each costs a thread for as long as that lives.
const MAX_HELD: usize = 64;

/// A command as it is written, with places for token, policy file and time.
#[derive(Clone, Debug)]
pub struct Template {
    program: Arc<Program>,
    /// The pipes that were given up, as long as somebody holds them open.
    held: Arc<Mutex<Vec<Weak<()>>>>,
}

impl Template {
    /// Checks that a command has the places that it needs.
    ///
    /// # Errors
    /// Where one is missing.
    pub fn new(program: Program) -> Result<Self, String> {
        for place in [TOKEN, POLICY_FILE] {
            if !program.args.iter().any(|arg| arg.contains(place)) {
                return Err(format!("no argument has {place} in it: write as './check {TOKEN} {POLICY_FILE} {NOW}'"));
            }
        }
        Ok(Template { program: Arc::new(program), held: Arc::default() })
    }

    /// Makes validators of it.
    #[must_use]
    pub fn maker(&self) -> Maker {
        let template = self.clone();
        Arc::new(move || Box::new(Judge { template: template.clone(), told: None }))
    }

    /// What is known of it.
    #[must_use]
    pub fn description(&self) -> Description {
        let told_the_time = self.program.args.iter().any(|arg| arg.contains(NOW));
        let path = PathBuf::from(&self.program.command);
        let name =
            path.file_name().map_or_else(|| self.program.command.clone(), |name| name.to_string_lossy().into_owned());
        let clock = if told_the_time { Clock::Settable } else { Clock::System };
        let keeps_time = true;
        Description { keeps_time, live_update: false, ..Description::new(name, "", clock) }
    }
}

/// A validator made from a command.
struct Judge {
    template: Template,
    told: Option<Told>,
}

struct Told {
    folder: Folder,
    secrets: Vec<Vec<u8>>,
}

impl Validator for Judge {
    fn describe(&self) -> Description {
        self.template.description()
    }

    fn configure(&mut self, policy: &TrustPolicy) -> Result<Configured, Fault> {
        let folder = Folder::new().and_then(|folder| {
            // It holds the party's own secrets.
            let mut file = folder.create_private("policy.json")?;
            serde_json::to_writer(&mut file, policy)?;
            file.flush()?;
            Ok(folder)
        });
        let folder = folder.map_err(|error| Fault::Gone(format!("its policy file cannot be written: {error}")))?;
        self.told = Some(Told { folder, secrets: policy.secret_octets().flat_map(secret_forms).collect() });
        Ok(Configured::Ready)
    }

    fn validate(&mut self, token: &Token, now: NumericDate) -> Result<Verdict, Fault> {
        let told = self.told.as_ref().ok_or_else(|| Fault::Broken("it was told no policy".to_owned()))?;
        let program = &self.template.program;
        self.template.check_held()?;
        let policy = told.folder.path().join("policy.json");
        let places = [
            (TOKEN, os_text(token.as_bytes())),
            (POLICY_FILE, policy.into_os_string()),
            (NOW, OsString::from(now.to_string())),
        ];
        let args: Vec<OsString> = program.args.iter().map(|arg| filled(arg, &places)).collect();
        let (group, pipes) = Group::start(program, &args).map_err(|error| match error {
            StartError::TooLong { .. } => Fault::Unjudged("longer than arguments may be".to_owned()),
            // It could be run a moment ago, or it will never be.
            StartError::NotRun { .. } | StartError::NoHello { .. } => Fault::Gone(error.to_string()),
        })?;
        let Pipes { input, output, errors, errors_end } = pipes;
        drop((input, errors_end));
        let (output, errors) = (drained(output), drained(errors));
        let ended = group.end(program.timeout);
        let printed: Vec<u8> = self.template.rest(&[errors, output]);
        if told.secrets.iter().any(|secret| memmem::find(&printed, secret).is_some()) {
            return Err(Fault::Leak);
        }
        let text = String::from_utf8_lossy(&printed);
        let said = text.trim().lines().next_back().unwrap_or_default().to_owned();
        let Some(ended) = ended else {
            return Err(Fault::Hang(u64::try_from(program.timeout.as_millis()).unwrap_or(u64::MAX)).with_log(&text));
        };
        match ended.code() {
            Some(0) => Ok(Verdict::Accept { identity: None, key: None }),
            Some(1) => Ok(Verdict::Reject(said)),
            Some(89) => Ok(Verdict::Skip(said)),
            _ => Err(Fault::Broken(format!("it ended with {ended}, which is neither 0, 1 nor 89")).with_log(&text)),
        }
    }

    fn cannot_carry(&self, token: &Token) -> Option<String> {
        let octets = token.as_bytes();
        if octets.contains(&0) {
            return Some("an argument holds no NUL".to_owned());
        }
        let is_long = |arg: &String| {
            let places = arg.matches(TOKEN).count();
            places > 0 && arg.len() + places * octets.len() > MAX_ARGUMENT
        };
        if self.template.program.args.iter().any(is_long) {
            return Some("longer than an argument may be".to_owned());
        }
        (cfg!(not(unix)) && token.as_str().is_none()).then(|| "an argument is UTF-8".to_owned())
    }
}

/// An argument with its places filled; what is filled in is not looked at again.
fn filled(arg: &str, places: &[(&str, OsString)]) -> OsString {
    let mut out = OsString::new();
    let mut rest = arg;
    let first = |text: &str| {
        let found = places.iter().filter_map(|(place, value)| Some((text.find(place)?, *place, value.clone())));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, place, value)) = first(rest) {
        out.push(&rest[..at]);
        out.push(value);
        rest = &rest[at + place.len()..];
    }
    out.push(rest);
    out
}

#[cfg(unix)]
fn os_text(octets: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt as _;
    OsString::from_vec(octets.to_vec())
}

#[cfg(not(unix))]
fn os_text(octets: &[u8]) -> OsString {
    String::from_utf8_lossy(octets).into_owned().into()
}

/// What comes over a pipe, read on a thread of its own.
struct Drained {
    beginning: Receiver<Vec<u8>>,
    /// Alive as long as the thread is.
    thread: Weak<()>,
}

/// Reads all there is, and hands on the beginning.
fn drained(pipe: impl Read + Send + 'static) -> Drained {
    let (to, beginning) = channel();
    let alive = Arc::new(());
    let thread = Arc::downgrade(&alive);
    // Without a thread nothing is read, and what would have been is missing.
    let _ = std::thread::Builder::new().stack_size(1 << 18).spawn(move || {
        let _alive = alive;
        let mut pipe = pipe;
        let mut beginning = Vec::new();
        let _ = pipe.by_ref().take(MAX_PRINTED).read_to_end(&mut beginning);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        let _ = to.send(beginning);
    });
    Drained { beginning, thread }
}

impl Template {
    /// What came over the pipes of a process that has ended. Those that are held open all the same are given up.
    fn rest(&self, pipes: &[Drained]) -> Vec<u8> {
        let mut printed = Vec::new();
        let mut most = REST;
        for pipe in pipes {
            match pipe.beginning.recv_timeout(most) {
                Ok(beginning) => printed.extend(beginning),
                Err(_) => {
                    lock(&self.held).push(Weak::clone(&pipe.thread));
                    // All have had that time.
                    most = Duration::ZERO;
                }
            }
        }
        printed
    }

    /// Makes sure that not too many pipes are held open.
    fn check_held(&self) -> Result<(), Fault> {
        let mut held = lock(&self.held);
        held.retain(|thread| thread.strong_count() > 0);
        if held.len() < MAX_HELD {
            return Ok(());
        }
        let why =
            format!("what it has left running holds {} pipes open: a command ends with all it starts", held.len());
        Err(Fault::Gone(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_looked_at_again() {
        let places = [(TOKEN, OsString::from("{now}")), (NOW, OsString::from("7"))];
        assert_eq!(filled("a{token}b{now}{token}{policy-file}", &places), "a{now}b7{now}{policy-file}");
        assert_eq!(filled("", &places), "");
    }

    #[test]
    fn a_command_without_a_place_for_the_token_or_the_policy_is_refused() {
        let new = |line: &str| Template::new(Program::parse(line).unwrap()).map(|template| template.description());
        assert!(new("check {policy-file}").unwrap_err().contains("{token}"));
        assert!(new("check {token}").unwrap_err().contains("{policy-file}"));
        assert_eq!(new("/bin/check x{token} {policy-file}").unwrap().clock, Clock::System);
        let description = new("/bin/check {token} {policy-file} --at={now}").unwrap();
        assert_eq!((description.clock, description.name.as_str()), (Clock::Settable, "check"));
    }
}
