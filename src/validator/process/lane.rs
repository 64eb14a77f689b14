//! One process at a time and the conversation with it: what is in flight, what goes wrong, and whose doing it is.

use super::asked::Asked;
use super::child::{Heard, Process, words};
use super::fleet::Fleet;
use super::wire::{self, Says};
use crate::jose::{NumericDate, Token};
use crate::validator::{Configured, Fault, Verdict};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// So many lines are shown with a fault that no single token caused.
const RECENT: usize = 6;
/// Of each so many octets.
const RECENT_LINE: usize = 160;
/// Octets that are written at a time.
const MAX_BATCH: usize = 1 << 18;
/// The first pause before a process is started again, doubled each time.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest one.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long the log of one that is asked alone is listened to after its answer.
const LISTENED: Duration = Duration::from_millis(20);

/// A policy as it is sent, and what must not be heard of it again.
pub(super) struct Policy {
    pub(super) text: Vec<u8>,
    pub(super) secrets: Vec<Vec<u8>>,
    /// Whether a token that was seen before is refused.
    pub(super) refuses_replay: bool,
}

/// What has happened to a validator.
pub(super) enum Event {
    Told(Arc<Policy>),
    Shown(Token, NumericDate),
}

/// A validator as somebody holds it: its past, from which it can be made again in any process.
pub(super) struct Object {
    pub(super) number: u64,
    pub(super) events: Vec<Event>,
    /// Whether it was said that it prints a secret: once is enough, and its other answers count.
    pub(super) has_leaked: bool,
}

/// Where one worker's calls go.
#[derive(Default)]
pub(super) struct Lane {
    process: Option<Process>,
    /// Whose validator is in the process, and how much of its past.
    at_work: Option<(u64, usize)>,
    next_id: u64,
    /// Processes that ended badly since the last verdict.
    failures: u32,
    /// Whether the process has been shown a token for its own sake.
    is_used: bool,
    /// The validator at whose policy, or past, the process last printed a secret.
    leaked_when_told: Option<u64>,
    recent: VecDeque<Vec<u8>>,
    /// What the process said it holds as keys under the last policy.
    pub(super) key_texts: Vec<String>,
    pub(super) mishaps: Vec<Fault>,
}

/// What went wrong with a process.
struct Trouble {
    what: String,
    kind: Sort,
    /// The token that is to blame, where that is plain.
    about: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Closed,
    Silent(u64),
    Said,
}

impl Object {
    /// Whether a token that was seen before is refused by its last policy.
    fn refuses_replay(&self) -> bool {
        let policies = self.events.iter().rev().filter_map(|event| match event {
            Event::Told(policy) => Some(policy),
            Event::Shown(..) => None,
        });
        policies.take(1).any(|policy| policy.refuses_replay)
    }
}

impl Lane {
    /// With a process that is there already.
    pub(super) fn of(process: Process) -> Self {
        let mut lane = Lane::default();
        lane.process = Some(process);
        lane
    }

    /// The last of its past has just happened in this process, where it is at work in it.
    pub(super) fn has_shown(&mut self, object: &Object) {
        if let Some((number, known)) = &mut self.at_work
            && *number == object.number
        {
            *known = object.events.len();
        }
    }

    /// Has a validator learn the last thing that happened to it; the answer to the last policy.
    pub(super) fn catch_up(&mut self, fleet: &Fleet, object: &Object) -> Result<Configured, Fault> {
        let mut first: Option<Fault> = None;
        loop {
            self.be_there(fleet)?;
            let known = self.at_work;
            if known != Some((object.number, object.events.len())) && self.gives_away_in_log() {
                self.mishaps.push(leak_of_none());
            }
            match self.replay(fleet, object) {
                Ok(answer) => {
                    if known != self.at_work && self.gives_away_in_log() {
                        self.leaked_when_told = Some(object.number);
                    }
                    self.mishaps.extend(first);
                    return answer.inspect_err(|_| self.at_work = None);
                }
                Err(trouble) => {
                    let hung = matches!(trouble.kind, Sort::Silent(_));
                    let recent = self.recent_words();
                    let fault = self.end(fleet, &trouble);
                    // The second time it is the policy's doing. Whoever wanted only a twin from it passes over the answer, so it
                    // is said here too.
                    if hung || first.is_some() {
                        self.mishaps.push(with_recent(&fault, &recent));
                        return Err(fault);
                    }
                    first = Some(fault);
                }
            }
        }
    }

    /// Tells what the process has not heard of this validator's past; one that another has used since is made anew.
    fn replay(&mut self, fleet: &Fleet, object: &Object) -> Result<Result<Configured, Fault>, Trouble> {
        let known = self.at_work.filter(|(number, _)| *number == object.number).map_or(0, |(_, known)| known);
        let mut answer = Configured::Ready;
        for (index, event) in object.events.iter().enumerate().skip(known) {
            match event {
                Event::Told(policy) => match self.tell(fleet, policy, index == 0)? {
                    Ok(Configured::Ready) => {}
                    Ok(skip) => answer = skip,
                    Err(why) => return Ok(Err(Fault::Broken(format!("it cannot be configured: {why}")))),
                },
                Event::Shown(token, at) => {
                    let tokens = [(token.clone(), *at)];
                    let mut asked = Asked::new(&tokens);
                    self.converse(fleet, &mut asked, &[0], 1).map_err(|(trouble, _)| trouble)?;
                }
            }
            self.at_work = Some((object.number, index + 1));
        }
        Ok(Ok(answer))
    }

    /// Shows tokens: an answer for each, in their order.
    pub(super) fn ask(
        &mut self,
        fleet: &Fleet,
        object: &mut Object,
        tokens: &[(Token, NumericDate)],
    ) -> Vec<Result<Verdict, Fault>> {
        let mut asked = Asked::new(tokens);
        let mut rest: Vec<usize> = (0..tokens.len()).collect();
        // Those that were in flight when something went wrong are asked one by one.
        let mut suspects: VecDeque<usize> = VecDeque::new();
        let mut cause: Option<Fault> = None;
        loop {
            let one = suspects.front().copied();
            let batch = one.map_or_else(|| rest.clone(), |one| vec![one]);
            if batch.is_empty() {
                break;
            }
            match self.catch_up(fleet, object) {
                Ok(Configured::Ready) => {}
                Ok(Configured::Skip(why)) => {
                    return asked.closed(&Fault::Broken(format!("it does not work under this policy any more: {why}")));
                }
                Err(fault) => return asked.closed(&fault),
            }
            // What it printed when it was told is seen again with any token; what comes late is nobody's.
            if self.leaked_when_told.take_if(|number| *number == object.number).is_some() {
                asked.leaking.insert(0);
            }
            self.late_leak(object);
            let window = if one.is_some() { 1 } else { fleet.program().window };
            let (was_unused, answered) = (!self.is_used, asked.answers.len() - asked.open().len());
            self.is_used = true;
            let (trouble, in_flight) = match self.converse(fleet, &mut asked, &batch, window) {
                Ok(()) => {
                    if self.gives_away_in_log() {
                        asked.leak_in_log(&batch);
                    }
                    rest.clear();
                    suspects.retain(|&index| asked.answers[index].is_none());
                    if suspects.is_empty() {
                        self.mishaps.extend(cause.take());
                        rest = asked.open();
                    }
                    continue;
                }
                Err(trouble) => trouble,
            };
            // What an earlier token has done may show late: only the first one of a process is plainly to blame.
            let alone = was_unused && in_flight.len() == 1 && asked.answers.len() - asked.open().len() == answered;
            let guilty = trouble.about.or_else(|| in_flight.first().copied().filter(|_| alone));
            let recent = self.recent_words();
            let log = self.process.as_ref().map(Process::log);
            let fault = self.end(fleet, &trouble);
            if log.is_some_and(|log| log.gave_away()) {
                asked.leak_in_log(&batch);
            }
            asked.seen.extend(&in_flight);
            suspects.extend(in_flight);
            match guilty {
                Some(index) => {
                    asked.answers[index] = Some(Err(fault));
                    cause = None;
                }
                None if suspects.is_empty() => self.mishaps.push(with_recent(&fault, &recent)),
                None => cause = Some(with_recent(&fault, &recent)),
            }
            let mut seen = BTreeSet::new();
            suspects.retain(|&index| asked.answers[index].is_none() && seen.insert(index));
            rest = if suspects.is_empty() { asked.open() } else { Vec::new() };
        }
        if object.refuses_replay() {
            asked.unjudge_replays();
        }
        self.place_leak(fleet, object, &mut asked);
        asked.answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(unanswered()))).collect()
    }

    /// Lays a secret that was printed at one token, the same one in every run. Where several were in flight when it came into
    /// the log they are shown once more, one by one; where none of them does it alone it is nobody's.
    fn place_leak(&mut self, fleet: &Fleet, object: &mut Object, asked: &mut Asked<'_>) {
        if object.has_leaked || (asked.leaking.is_empty() && asked.unplaced.is_empty()) {
            return;
        }
        object.has_leaked = true;
        // Whoever has seen them all does not look at them again.
        if asked.leaking.is_empty() && !object.refuses_replay() {
            let found = asked.unplaced.iter().copied().find(|&index| {
                matches!(asked.answers[index], Some(Ok(_))) && self.leaks_alone(fleet, object, &asked.tokens[index])
            });
            asked.leaking.extend(found);
        }
        match asked.leaking.first() {
            Some(&index) => asked.answers[index] = Some(Err(Fault::Leak)),
            None => self.mishaps.push(leak_of_none()),
        }
    }

    /// Whether a token that is shown with nothing else in flight has a secret printed in the log.
    fn leaks_alone(&mut self, fleet: &Fleet, object: &Object, token: &(Token, NumericDate)) -> bool {
        if self.catch_up(fleet, object) != Ok(Configured::Ready) {
            return false;
        }
        // What came before is not this token's.
        self.gives_away_in_log();
        let tokens = std::slice::from_ref(token);
        if let Err((trouble, _)) = self.converse(fleet, &mut Asked::new(tokens), &[0], 1) {
            let log = self.process.as_ref().map(Process::log);
            let fault = self.end(fleet, &trouble);
            self.mishaps.push(fault);
            return log.is_some_and(|log| log.gave_away());
        }
        self.gives_away_in_log() || {
            std::thread::sleep(LISTENED);
            self.gives_away_in_log()
        }
    }

    /// A secret that came into the log when nothing was in flight.
    fn late_leak(&mut self, object: &mut Object) {
        if self.gives_away_in_log() && !object.has_leaked {
            object.has_leaked = true;
            self.mishaps.push(leak_of_none());
        }
    }

    fn gives_away_in_log(&self) -> bool {
        self.process.as_ref().is_some_and(Process::gives_away_in_log)
    }

    /// Has tokens in flight, so many at a time, until each has its answer, or until something goes wrong: then which were in
    /// flight.
    fn converse(
        &mut self,
        fleet: &Fleet,
        asked: &mut Asked<'_>,
        batch: &[usize],
        window: usize,
    ) -> Result<(), (Trouble, Vec<usize>)> {
        self.unasked(asked).map_err(|trouble| (trouble, Vec::new()))?;
        let Some(process) = self.process.as_ref() else {
            return Err((Trouble::said("it is not there".to_owned()), Vec::new()));
        };
        let first = self.next_id;
        let (mut sent, mut done) = (0, 0);
        let (mut heard, mut at) = (Vec::new(), 0);
        let half = window / 2;
        let trouble = loop {
            // In two portions, and the next as soon as one is answered: while we read the answers to one, it works on the other.
            while sent < batch.len() && sent - done <= half {
                let mut lines = Vec::new();
                let portion = batch[sent..].iter().take(window - half);
                for &index in portion {
                    let (token, now) = &asked.tokens[index];
                    let at = lines.len();
                    wire::validate(&mut lines, self.next_id, token, *now);
                    note(&mut self.recent, b'>', &lines[at..]);
                    asked.ids.insert(self.next_id, index);
                    self.next_id += 1;
                    sent += 1;
                    if lines.len() >= MAX_BATCH {
                        break;
                    }
                }
                process.say(lines);
            }
            if at == heard.len() {
                if done == batch.len() {
                    break None;
                }
                match process.hear(fleet.program().timeout) {
                    Heard::Lines(lines) => (heard, at) = (lines, 0),
                    other => break Some(Trouble::of(&other, fleet.program().timeout)),
                }
            }
            let end = memchr::memchr(b'\n', &heard[at..]).map_or(heard.len(), |end| at + end + 1);
            let line = &heard[at..end];
            at = end;
            note(&mut self.recent, b'<', line);
            let Some(answer) = wire::read_answer(line, false) else {
                break Some(Trouble::said(format!("it printed what is no answer: {}", shown(line))));
            };
            let index = match asked.ids.get(&answer.id) {
                Some(&index) if answer.id >= first && asked.answers[index].is_none() => index,
                known => break Some(Trouble::twice(answer.id, known.copied(), line)),
            };
            let Says::Verdict(verdict) = answer.says else {
                let about = Some(index);
                let what = format!("it answered with what is no verdict: {}", shown(line));
                break Some(Trouble { about, ..Trouble::said(what) });
            };
            if process.gives_away_in(line) {
                asked.leaking.insert(index);
            }
            asked.answers[index] = Some(Ok(verdict));
            self.failures = 0;
            done += 1;
        };
        let trouble = trouble.or_else(|| self.unasked(asked).err());
        match trouble {
            None => Ok(()),
            Some(trouble) => {
                let open = batch[..sent].iter().copied().filter(|&index| asked.answers[index].is_none());
                Err((trouble, open.collect()))
            }
        }
    }

    /// Whether something came that nobody asked for.
    fn unasked(&mut self, asked: &Asked<'_>) -> Result<(), Trouble> {
        match self.process.as_ref().and_then(Process::overhear) {
            None => Ok(()),
            Some(Heard::Lines(lines)) => {
                note(&mut self.recent, b'<', &lines);
                let known = wire::read_answer(&lines, false).map(|answer| answer.id);
                Err(match known {
                    Some(id) => Trouble::twice(id, asked.ids.get(&id).copied(), &lines),
                    None => Trouble::said(format!("it printed, unasked: {}", shown(&lines))),
                })
            }
            Some(other) => Err(Trouble::of(&other, Duration::ZERO)),
        }
    }

    /// Hands over a policy: a barrier, nothing is in flight.
    fn tell(&mut self, fleet: &Fleet, policy: &Policy, fresh: bool) -> Result<Result<Configured, String>, Trouble> {
        self.unasked(&Asked::new(&[]))?;
        let Some(process) = self.process.as_ref() else {
            return Err(Trouble::said("it is not there".to_owned()));
        };
        let id = self.next_id;
        self.next_id += 1;
        process.guard(&policy.secrets);
        note(&mut self.recent, b'>', format!("configure {id}, fresh {fresh}\n").as_bytes());
        process.say(wire::configure(id, fresh, &policy.text));
        let lines = match process.hear(fleet.program().patience) {
            Heard::Lines(lines) => lines,
            other => return Err(Trouble::of(&other, fleet.program().patience)),
        };
        note(&mut self.recent, b'<', &lines);
        process.looks_into(&lines);
        match wire::read_answer(&lines, true) {
            Some(answer) if answer.id == id => match answer.says {
                Says::Configured(says) => {
                    self.key_texts = answer.key_texts;
                    Ok(Ok(says))
                }
                Says::NotConfigured(why) => Ok(Err(why)),
                _ => Err(Trouble::said(format!("it answered a policy with {}", shown(&lines)))),
            },
            Some(answer) => Err(Trouble::twice(answer.id, None, &lines)),
            None => Err(Trouble::said(format!("it answered a policy with {}", shown(&lines)))),
        }
    }

    /// Sends a line that is no request, which it must pass over.
    pub(super) fn disturb(&mut self, fleet: &Fleet, line: &[u8]) -> Result<(), Fault> {
        self.be_there(fleet)?;
        note(&mut self.recent, b'>', line);
        if let Some(process) = &self.process {
            process.say(line.to_vec());
        }
        Ok(())
    }

    /// Sees to it that there is a process.
    fn be_there(&mut self, fleet: &Fleet) -> Result<(), Fault> {
        while self.process.is_none() {
            fleet.still_worth_it(self.failures)?;
            if self.failures > 0 {
                std::thread::sleep((PAUSE * 2_u32.saturating_pow(self.failures.min(16) - 1)).min(LONGEST_PAUSE));
            }
            self.at_work = None;
            self.recent.clear();
            match fleet.start() {
                Ok(process) => {
                    self.process = Some(process);
                    self.is_used = false;
                }
                Err(error) => {
                    self.failures += 1;
                    fleet.failed_to_start(&error);
                }
            }
        }
        fleet.still_worth_it(self.failures)
    }

    /// Ends the process after trouble, and says what happened.
    fn end(&mut self, fleet: &Fleet, trouble: &Trouble) -> Fault {
        self.failures += 1;
        self.at_work = None;
        let ended = self.process.take().map(|process| process.end(trouble.kind == Sort::Closed));
        let (status, log) = ended.unwrap_or_default();
        let fault = match trouble.kind {
            Sort::Silent(millis) => Fault::Hang(millis),
            Sort::Closed | Sort::Said => Fault::Broken(words(&trouble.what, status)),
        };
        let fault = fault.with_log(&log);
        fleet.failed(&fault);
        fault
    }

    fn recent_words(&self) -> String {
        let lines: Vec<String> = self.recent.iter().map(|line| shown(line)).collect();
        lines.join(" | ")
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.dismiss();
        }
    }
}

impl Trouble {
    fn said(what: String) -> Self {
        Trouble { what, kind: Sort::Said, about: None }
    }

    fn twice(id: u64, known: Option<usize>, line: &[u8]) -> Self {
        let what = match known {
            Some(_) => format!("it answered request {id} a second time: {}", shown(line)),
            None => format!("it answered a request that is not in flight: {}", shown(line)),
        };
        Trouble { about: known, ..Trouble::said(what) }
    }

    fn of(heard: &Heard, waited: Duration) -> Self {
        let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let (what, kind) = match heard {
            Heard::Silence => (format!("it did not answer within {millis} ms"), Sort::Silent(millis)),
            Heard::TooLong => (format!("it printed a line of more than {} octets", wire::MAX_LINE), Sort::Said),
            Heard::End(rest) if !rest.is_empty() => {
                (format!("it ended in the middle of a line: {}", shown(rest)), Sort::Closed)
            }
            Heard::End(_) | Heard::Lines(_) => ("it ended, or closed its standard output".to_owned(), Sort::Closed),
        };
        Trouble { what, kind, about: None }
    }
}

fn leak_of_none() -> Fault {
    Fault::Broken(
        "it printed a secret of its own policy in its log, and no token that is shown alone has it do so".into(),
    )
}

fn unanswered() -> Fault {
    Fault::Broken("it was not asked".to_owned())
}

fn with_recent(fault: &Fault, recent: &str) -> Fault {
    let log: Vec<&str> = fault.log().collect();
    let words = match fault.bare() {
        Fault::Broken(words) => words.clone(),
        other => other.to_string(),
    };
    Fault::Broken(format!("{words}; the lines before: {recent}")).with_log(&log.join("\n"))
}

/// The beginning of a line.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(RECENT_LINE)]);
    text.trim_end().to_owned()
}

/// Keeps the beginning of a line for a while.
fn note(recent: &mut VecDeque<Vec<u8>>, sign: u8, line: &[u8]) {
    let mut kept = if recent.len() >= RECENT { recent.pop_front().unwrap_or_default() } else { Vec::new() };
    kept.clear();
    kept.extend_from_slice(&[sign, b' ']);
    kept.extend_from_slice(&line[..line.len().min(RECENT_LINE)]);
    recent.push_back(kept);
}
