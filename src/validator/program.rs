//! A program of somebody else's: what it is made from, and its processes, none of which outlives us.
//!
//! Each runs in a process group of its own, without a shell, so that what it starts ends with it.

use crate::clock;
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessGroup};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many requests may be in flight, unless somebody says otherwise.
pub const WINDOW: usize = 64;
/// How long a program has for its start and for each policy, unless somebody says otherwise.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a validator in another process is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program's name, looked for in `PATH`, or its path.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What is added to the environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs; ours where nothing is said.
    pub cwd: Option<PathBuf>,
    /// How long it has for one token.
    pub timeout: Duration,
    /// How long it has for its start and for each policy.
    pub patience: Duration,
    /// How many requests may be in flight.
    pub window: usize,
}

impl Program {
    /// A command line, split as a shell splits it and run without one.
    ///
    /// # Errors
    /// Where a quote is not closed, or nothing is named.
    pub fn parse(line: &str) -> Result<Self, String> {
        let words = shell_words::split(line).map_err(|_| format!("{line:?}: a quote is not closed"))?;
        let mut words = words.into_iter();
        let command = words.next().filter(|command| !command.is_empty());
        let command = command.ok_or_else(|| "it names no program: say which, as 'python3 adapter.py'".to_owned())?;
        Ok(Program {
            command,
            args: words.collect(),
            env: BTreeMap::new(),
            cwd: None,
            timeout: Duration::from_secs(5),
            patience: PATIENCE,
            window: WINDOW,
        })
    }
}

impl Program {
    /// Starts it and ends it at once, to see whether it can be run at all.
    ///
    /// # Errors
    /// Where it cannot.
    pub fn check(&self) -> Result<(), StartError> {
        Group::start(self, &self.args).map(drop)
    }

    /// Runs it to its end, for so long at most, and keeps the end of what it prints: so many octets. Where it does not come out
    /// well, all that it has started ends with it; else that may stay, as a server does that was set up.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn run(&self, most: Duration, keep: usize) -> Result<Ran, StartError> {
        let begun = clock::instant();
        let no_pipe = |error: std::io::Error| self.not_run(error.to_string());
        let (reader, writer) = std::io::pipe().map_err(no_pipe)?;
        let errors = writer.try_clone().map_err(no_pipe)?;
        let group = Group::launch(self, &self.args, |command| {
            // Our ends of the pipe go with the command.
            command.stdin(Stdio::null()).stdout(writer).stderr(errors);
        })?;
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let all_read = keep_end(reader, &kept, keep);
        let status = loop {
            match group.ended() {
                None if begun.elapsed() < most => std::thread::sleep(LOOK_AT_RUN),
                status => break status,
            }
        };
        if status.is_some_and(|status| status.success()) {
            group.let_go();
            return Ok(Ran { status, printed: Vec::new() });
        }
        drop(group);
        // What has left the group may hold the pipe for ever.
        let _ = all_read.recv_timeout(LAST_WORDS);
        let printed = lock(&kept).iter().copied().collect();
        Ok(Ran { status, printed })
    }

    fn not_run(&self, why: String) -> StartError {
        StartError::NotRun { command: self.command.clone(), why }
    }
}

/// How a program that was run to its end came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// How it ended; `None` where it had to be ended.
    pub status: Option<ExitStatus>,
    /// The end of what it printed, on either output; nothing where it came out well.
    pub printed: Vec<u8>,
}

/// How often the end of a program that is run to its end is looked for.
const LOOK_AT_RUN: Duration = Duration::from_millis(10);
/// How long its last words may take.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Reads all there is on a thread of its own, and keeps the end; says when that is over.
fn keep_end(mut from: impl Read + Send + 'static, kept: &Arc<Mutex<VecDeque<u8>>>, most: usize) -> Receiver<()> {
    let (over, all_read) = channel();
    let kept = Arc::clone(kept);
    // Without a thread nothing is read, and what would have been is missing.
    let _ = std::thread::Builder::new().stack_size(1 << 18).spawn(move || {
        let mut part = [0; 4_096];
        while let Ok(length @ 1..) = from.read(&mut part) {
            let mut kept = lock(&kept);
            kept.extend(&part[..length]);
            let surplus = kept.len().saturating_sub(most);
            kept.drain(..surplus);
        }
        let _ = over.send(());
    });
    all_read
}

/// Why a program does not start, or is no adapter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot be run at all.
    #[error("cannot run `{command}`: {why}")]
    NotRun {
        /// The program.
        command: String,
        /// Why, and what would help.
        why: String,
    },
    /// Its arguments, or one of them, are longer than they may be.
    #[error("cannot run `{command}`: its arguments are longer than they may be")]
    TooLong {
        /// The program.
        command: String,
    },
    /// It runs, and does not say what it should.
    #[error("`{command}` {why}")]
    NoHello {
        /// The program.
        command: String,
        /// What it did instead.
        why: String,
    },
}

/// The pipes of a process.
pub(super) struct Pipes {
    pub(super) input: ChildStdin,
    pub(super) output: ChildStdout,
    pub(super) errors: PipeReader,
    /// The end of `errors` into which the process writes: while it is held, that pipe does not end.
    pub(super) errors_end: PipeWriter,
}

/// The pauses after which what could not be started is tried again: where it cannot at the moment, it may soon.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
    Duration::from_millis(320),
    Duration::from_millis(640),
];

type Child = Arc<Mutex<Option<Box<dyn ChildWrapper>>>>;

/// A process and what it has started; all of it ends with this.
pub(super) struct Group {
    number: u64,
    child: Child,
}

/// Every process group that has not been ended yet.
static LIVE: Mutex<Live> =
    Mutex::new(Live { over: false, next: 0, children: BTreeMap::new(), folders: BTreeSet::new() });

struct Live {
    /// Nothing is started any more.
    over: bool,
    next: u64,
    children: BTreeMap<u64, Child>,
    folders: BTreeSet<PathBuf>,
}

/// Ends every process that is still there, with its files, and lets none be started any more: for the end of our own.
pub fn end_all() {
    let (children, folders) = {
        let mut live = lock(&LIVE);
        live.over = true;
        (std::mem::take(&mut live.children), std::mem::take(&mut live.folders))
    };
    for child in children.into_values() {
        finish(&child, Duration::ZERO);
    }
    for folder in folders {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// A folder for files that only a program of ours may read; removed at the end.
pub(super) struct Folder(Option<tempfile::TempDir>);

impl Folder {
    /// # Errors
    /// Where none can be made.
    pub(super) fn new() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("wrongkey-").tempdir()?;
        let mut live = lock(&LIVE);
        if live.over {
            return Err(std::io::Error::other("the run is over"));
        }
        live.folders.insert(folder.path().to_owned());
        Ok(Folder(Some(folder)))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), tempfile::TempDir::path)
    }

    /// A new file that nobody else may read.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(super) fn create_private(&self, name: &str) -> std::io::Result<File> {
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take() {
            lock(&LIVE).folders.remove(folder.path());
            // What cannot be removed stays: there is nobody to tell.
            let _ = folder.close();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// Starts a program with these arguments.
    ///
    /// # Errors
    /// Where there is no such program, or it may not be run.
    pub(super) fn start(program: &Program, args: &[impl AsRef<OsStr>]) -> Result<(Group, Pipes), StartError> {
        let no_pipes = || program.not_run("its pipes cannot be had".to_owned());
        let (errors, errors_end) = std::io::pipe().map_err(|_| no_pipes())?;
        let its_errors = errors_end.try_clone().map_err(|_| no_pipes())?;
        let group = Group::launch(program, args, |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(its_errors);
        })?;
        let pipes = lock(&group.child).as_mut().map(|child| (child.stdin().take(), child.stdout().take()));
        match pipes {
            Some((Some(input), Some(output))) => Ok((group, Pipes { input, output, errors, errors_end })),
            _ => Err(no_pipes()),
        }
    }

    fn launch(
        program: &Program,
        args: &[impl AsRef<OsStr>],
        connected: impl FnOnce(&mut Command),
    ) -> Result<Group, StartError> {
        if let Some(cwd) = program.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            return Err(program.not_run(format!("its working directory {} is no folder", cwd.display())));
        }
        let mut wrapped = CommandWrap::with_new(&program.command, |command| {
            command.args(args).envs(&program.env);
            connected(command);
            if let Some(cwd) = &program.cwd {
                command.current_dir(cwd);
            }
        });
        #[cfg(unix)]
        wrapped.wrap(ProcessGroup::leader());
        let mut pauses = PAUSES.iter();
        let (mut live, child) = loop {
            let live = lock(&LIVE);
            if live.over {
                return Err(program.not_run("the run is over".to_owned()));
            }
            let error = match wrapped.spawn() {
                Ok(child) => break (live, child),
                Err(error) => error,
            };
            drop(live);
            let why = match error.kind() {
                ErrorKind::NotFound => "there is no such program: give its path, or a name in PATH".to_owned(),
                ErrorKind::PermissionDenied => "it is not executable: `chmod +x` makes it so".to_owned(),
                ErrorKind::ArgumentListTooLong => return Err(StartError::TooLong { command: program.command.clone() }),
                // Too many processes or files at the moment, or the program is just being written.
                _ => {
                    if let Some(pause) = pauses.next() {
                        std::thread::sleep(*pause);
                        continue;
                    }
                    error.to_string()
                }
            };
            return Err(program.not_run(why));
        };
        let number = live.next;
        live.next += 1;
        let child: Child = Arc::new(Mutex::new(Some(child)));
        live.children.insert(number, Arc::clone(&child));
        Ok(Group { number, child })
    }

    /// How it ended, where it has done so itself.
    fn ended(&self) -> Option<ExitStatus> {
        lock(&self.child).as_mut()?.try_wait().ok().flatten()
    }

    /// Leaves what it has started to itself.
    fn let_go(self) {
        lock(&LIVE).children.remove(&self.number);
        lock(&self.child).take();
    }

    /// Waits so long for its end, and ends it and all that it started. Says how it ended, where that was its own doing.
    pub(super) fn end(&self, grace: Duration) -> Option<ExitStatus> {
        lock(&LIVE).children.remove(&self.number);
        finish(&self.child, grace)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(2);

fn finish(child: &Child, grace: Duration) -> Option<ExitStatus> {
    let mut child = lock(child).take()?;
    let mut status = None;
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(Some(ended)) = child.try_wait() {
            status = Some(ended);
            break;
        }
        if waited >= grace {
            break;
        }
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
    // What it started is in its group and may be there still; where nothing is left there is nobody to tell.
    let _ = child.start_kill();
    let _ = child.wait();
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_like_a_shell_would() {
        let program = Program::parse(r#"./a 'b c' "d \"e\"" f\ g $HOME | h"#).unwrap();
        assert_eq!(program.command, "./a");
        assert_eq!(program.args, ["b c", r#"d "e""#, "f g", "$HOME", "|", "h"]);
        for wrong in ["", "   ", "''", "a 'b"] {
            assert!(Program::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_cannot_be_run_says_why() {
        let start = |line: &str, cwd: Option<&str>| {
            let program = Program { cwd: cwd.map(PathBuf::from), ..Program::parse(line).unwrap() };
            Group::start(&program, &program.args).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(start("wrongkey-no-such-program", None).contains("there is no such program"));
        assert!(start("/etc/passwd", None).contains("it is not executable"));
        assert!(start("true", Some("/no/such/folder")).contains("is no folder"));
        assert_eq!(start("true", None), "");
    }

    /// A program that is open for writing cannot be run (`ETXTBSY`).
    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_run_at_the_moment_is_tried_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("busy");
        std::fs::copy("/bin/true", &path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program::parse(&path.display().to_string()).unwrap();
        let written = File::options().append(true).open(&path).unwrap();
        let why = Group::start(&program, &program.args).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(why.contains("busy"), "{why}");
        let soon = std::thread::spawn(move || {
            std::thread::sleep(PAUSES[0]);
            drop(written);
        });
        assert!(Group::start(&program, &program.args).is_ok());
        soon.join().unwrap();
    }

    #[test]
    fn how_it_ended_is_known_where_it_ended_itself() {
        let program = Program::parse("sh -c 'exit 7'").unwrap();
        let (group, _pipes) = Group::start(&program, &program.args).unwrap();
        assert_eq!(group.end(Duration::from_secs(20)).and_then(|status| status.code()), Some(7));
        let program = Program::parse("sleep 1000").unwrap();
        let (group, _pipes) = Group::start(&program, &program.args).unwrap();
        assert_eq!(group.end(Duration::ZERO), None);
    }
}
