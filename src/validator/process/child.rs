//! One process of an adapter: its pipes, read and written aside so that no pipe that is full can stop us, and its log.

use super::wire::MAX_LINE;
use crate::validator::program::{Group, Pipes, Program, StartError, lock};
use memchr::memmem::Finder;
use std::cell::Cell;
use std::collections::HashMap;
use std::io::{PipeWriter, Read, Write};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Is shown every line that is exchanged, `>` to the adapter, `<` from it and `!` from its log; secrets are left out.
pub type Trace = Arc<dyn Fn(&str) + Send + Sync>;

/// Octets that are read at a time.
const CHUNK: usize = 1 << 16;
/// Most chunks that wait to be looked at: whoever prints more waits.
const CHUNKS: usize = 8;
/// What stands in a trace where a secret was.
const LEFT_OUT: &[u8; 8] = b"(secret)";
/// How much is kept of the end of a log.
const TAIL: usize = 4_096;
/// How long a process that closed its output has to end by itself, so that it can be said how it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long one that is no longer needed has to end when its input is closed.
const FAREWELL: Duration = Duration::from_millis(300);
/// How long to wait for the end of the log of a process that has ended: what left its group may hold it open.
const REST_OF_LOG: Duration = Duration::from_millis(100);
/// How long to wait until a log has been read up to our mark.
const UP_TO_MARK: Duration = Duration::from_secs(5);
/// What we write into a log ourselves, to know that all before it has been read. Whoever prints it gains nothing.
const MARK: &[u8] = b"\x01wrongkey has read this log up to here\x01";

/// What came from standard output.
pub(super) enum Heard {
    /// Whole lines, each with its `\n`.
    Lines(Vec<u8>),
    /// More than a line may have.
    TooLong,
    /// It is closed; what stood behind the last `\n`.
    End(Vec<u8>),
    /// Nothing in time.
    Silence,
}

/// A running adapter.
pub(super) struct Process {
    group: Group,
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<Heard>,
    log: Arc<Log>,
    /// Where it writes its log, for our marks, and how many there are.
    log_end: PipeWriter,
    marks: Cell<u64>,
}

/// What it prints beside its answers, and what it must not print.
pub(super) struct Log {
    tail: Mutex<Vec<u8>>,
    progress: Mutex<Progress>,
    progressed: Condvar,
    secrets: Mutex<Secrets>,
    leaked: AtomicBool,
    trace: Option<Trace>,
}

/// How far a log has been read.
#[derive(Default)]
struct Progress {
    marks: u64,
    is_over: bool,
}

#[derive(Default)]
struct Secrets {
    forms: HashMap<Vec<u8>, Finder<'static>>,
    longest: usize,
}

impl Secrets {
    fn are_in(&self, octets: &[u8]) -> bool {
        self.forms.values().any(|form| form.find(octets).is_some())
    }
}

impl Process {
    pub(super) fn start(program: &Program, trace: Option<&Trace>) -> Result<Self, StartError> {
        let (group, Pipes { mut input, output, errors, errors_end }) = Group::start(program, &program.args)?;
        let log = Arc::new(Log {
            tail: Mutex::default(),
            progress: Mutex::default(),
            progressed: Condvar::new(),
            secrets: Mutex::default(),
            leaked: AtomicBool::new(false),
            trace: trace.cloned(),
        });
        let (to_writer, lines) = channel::<Vec<u8>>();
        let (to_us, heard) = sync_channel(CHUNKS);
        let threads = [
            spawn(move || {
                // Whoever reads no more is found out by the silence that follows.
                while lines.recv().is_ok_and(|lines| input.write_all(&lines).is_ok()) {}
            }),
            spawn(move || read_lines(output, &to_us)),
            spawn({
                let log = Arc::clone(&log);
                move || log.read(errors)
            }),
        ];
        if let Some(error) = threads.into_iter().find_map(Result::err) {
            let why = format!("no thread could be started for it: {error}");
            return Err(StartError::NotRun { command: program.command.clone(), why });
        }
        Ok(Process { group, input: Some(to_writer), output: heard, log, log_end: errors_end, marks: Cell::new(0) })
    }

    /// Sends lines. Where nobody reads them any more, that shows when an answer is waited for.
    pub(super) fn say(&self, lines: Vec<u8>) {
        if let Some(trace) = &self.log.trace {
            self.log.trace_lines(trace, '>', &lines);
        }
        if let Some(input) = &self.input {
            let _ = input.send(lines);
        }
    }

    /// Waits so long for what comes next.
    pub(super) fn hear(&self, most: Duration) -> Heard {
        match self.output.recv_timeout(most) {
            Ok(heard) => self.traced(heard),
            Err(RecvTimeoutError::Timeout) => Heard::Silence,
            Err(RecvTimeoutError::Disconnected) => Heard::End(Vec::new()),
        }
    }

    /// What has come already, where something has.
    pub(super) fn overhear(&self) -> Option<Heard> {
        match self.output.try_recv() {
            Ok(heard) => Some(self.traced(heard)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Heard::End(Vec::new())),
        }
    }

    fn traced(&self, heard: Heard) -> Heard {
        if let (Some(trace), Heard::Lines(lines) | Heard::End(lines)) = (&self.log.trace, &heard) {
            self.log.trace_lines(trace, '<', lines);
        }
        heard
    }

    /// From now on these must not be printed.
    pub(super) fn guard(&self, forms: &[Vec<u8>]) {
        let mut secrets = lock(&self.log.secrets);
        for form in forms {
            secrets.longest = secrets.longest.max(form.len());
            secrets.forms.entry(form.clone()).or_insert_with(|| Finder::new(form).into_owned());
        }
    }

    /// Whether an answer holds a secret that it was told.
    pub(super) fn gives_away_in(&self, answer: &[u8]) -> bool {
        lock(&self.log.secrets).are_in(answer)
    }

    /// Looks for such a secret in what is no answer to a token: it counts with the log.
    pub(super) fn looks_into(&self, line: &[u8]) {
        if lock(&self.log.secrets).are_in(line) {
            self.log.leaked.store(true, Ordering::Release);
        }
    }

    /// Whether the log holds a secret that it was told, up to what was printed before this call and since the last one. Where
    /// it was told none, nothing is waited for.
    pub(super) fn gives_away_in_log(&self) -> bool {
        if lock(&self.log.secrets).forms.is_empty() {
            return false;
        }
        self.marks.set(self.marks.get() + 1);
        if (&self.log_end).write_all(MARK).is_ok() {
            self.log.wait(UP_TO_MARK, |progress| progress.marks >= self.marks.get());
        }
        self.log.gave_away()
    }

    /// Its log, which can be asked after its end.
    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.log)
    }

    /// Ends it; how it ended, where it did so itself, and the end of its log.
    pub(super) fn end(self, has_closed: bool) -> (Option<ExitStatus>, String) {
        let Process { group, log, log_end, .. } = self;
        let status = group.end(if has_closed { LAST_WORDS } else { Duration::ZERO });
        drop(log_end);
        log.wait(REST_OF_LOG, |progress| progress.is_over);
        let secrets = lock(&log.secrets);
        let tail = lock(&log.tail);
        let text =
            if secrets.are_in(&tail) { "(left out: it holds a secret)".into() } else { String::from_utf8_lossy(&tail) };
        (status, text.trim().to_owned())
    }

    /// Lets it end by itself, for a while.
    pub(super) fn dismiss(mut self) {
        self.input = None;
        self.group.end(FAREWELL);
    }
}

/// What is carried from one piece of a log to the next.
#[derive(Default)]
struct Reading {
    /// A secret may stand across the border of two pieces.
    seam: Vec<u8>,
    line: Vec<u8>,
}

fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), std::io::Error> {
    std::thread::Builder::new().name("wrongkey-pipe".to_owned()).stack_size(1 << 18).spawn(work).map(|_| ())
}

/// Hands on whole lines until the end, or until one is too long.
fn read_lines(mut output: impl Read, to: &SyncSender<Heard>) {
    let mut rest: Vec<u8> = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => &chunk[..read],
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        match memchr::memrchr(b'\n', read) {
            Some(at) => {
                let mut lines = std::mem::take(&mut rest);
                lines.extend_from_slice(&read[..=at]);
                rest.extend_from_slice(&read[at + 1..]);
                if to.send(Heard::Lines(lines)).is_err() {
                    return;
                }
            }
            None => rest.extend_from_slice(read),
        }
        if rest.len() > MAX_LINE {
            let _ = to.send(Heard::TooLong);
            return;
        }
    }
    let _ = to.send(Heard::End(rest));
}

impl Log {
    /// Reads all there is, so that nobody who prints much is stopped by it, and keeps the end.
    fn read(&self, mut errors: impl Read) {
        let mut chunk = vec![0; CHUNK];
        let mut read = Reading::default();
        // What may be the beginning of a mark.
        let mut rest: Vec<u8> = Vec::new();
        loop {
            match errors.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => {
                    rest.extend_from_slice(&chunk[..count]);
                    let mut marks = 0;
                    while let Some(at) = memchr::memmem::find(&rest, MARK) {
                        rest.drain(at..at + MARK.len());
                        marks += 1;
                    }
                    let begun = (1..MARK.len()).rev().find(|&begun| rest.ends_with(&MARK[..begun])).unwrap_or(0);
                    let held = rest.split_off(rest.len() - begun);
                    self.take(&mut read, &rest);
                    rest = held;
                    if marks > 0 {
                        lock(&self.progress).marks += marks;
                        self.progressed.notify_all();
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.take(&mut read, &rest);
        lock(&self.progress).is_over = true;
        self.progressed.notify_all();
    }

    /// Looks at what was read, and keeps the end.
    fn take(&self, reading: &mut Reading, read: &[u8]) {
        let Reading { seam, line } = reading;
        if let Some(trace) = &self.trace {
            line.extend_from_slice(read);
            let whole = memchr::memrchr(b'\n', line).map_or(0, |at| at + 1);
            let whole = if line.len() > CHUNK { line.len() } else { whole };
            self.trace_lines(trace, '!', &line[..whole]);
            line.drain(..whole);
        }
        let secrets = lock(&self.secrets);
        seam.extend_from_slice(read);
        if secrets.are_in(seam) {
            self.leaked.store(true, Ordering::Release);
            seam.clear();
        }
        let keep = secrets.longest.saturating_sub(1).max(TAIL.min(read.len()));
        seam.drain(..seam.len().saturating_sub(keep));
        drop(secrets);
        let mut tail = lock(&self.tail);
        tail.extend_from_slice(read);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }

    /// Whether it has been seen to hold a secret since this was last asked.
    pub(super) fn gave_away(&self) -> bool {
        self.leaked.swap(false, Ordering::AcqRel)
    }

    /// Waits until so much has been read, or the log is over, but only so long.
    fn wait(&self, most: Duration, enough: impl Fn(&Progress) -> bool) {
        let waits = |progress: &mut Progress| !progress.is_over && !enough(progress);
        drop(
            self.progressed
                .wait_timeout_while(lock(&self.progress), most, waits)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn trace_lines(&self, trace: &Trace, sign: char, lines: &[u8]) {
        let secrets = lock(&self.secrets);
        for line in lines.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()) {
            let mut text = line.to_vec();
            for (form, finder) in &secrets.forms {
                // What was put in is not looked at again: it may be the secret itself.
                let mut from = 0;
                while let Some(at) = finder.find(&text[from..]) {
                    text.splice(from + at..from + at + form.len(), *LEFT_OUT);
                    from += at + LEFT_OUT.len();
                }
            }
            trace(&format!("{sign} {}", String::from_utf8_lossy(&text)));
        }
    }
}

/// What happened in words, with how the process ended.
pub(super) fn words(what: &str, ended: Option<ExitStatus>) -> String {
    ended.map_or_else(|| what.to_owned(), |status| format!("{what} ({status})"))
}
