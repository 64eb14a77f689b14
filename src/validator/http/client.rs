//! Asks an endpoint: connections that are kept, a bounded time, a bounded answer, and what silence means.

use super::NotReady;
use super::Settings;
use super::request::Form;
use super::settings::{BadSetting, Pointers, Statuses};
use super::wire::{Connection, Lost, Place};
use crate::clock;
use crate::jose::Token;
use crate::validator::{Fault, Identity, Verdict};
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, sleep_until, timeout};

/// Most octets that are read of one answer's body.
const MAX_BODY: usize = 64 << 10;
/// After so many tokens in a row without an answer it is asked without a token whether it is still there.
const SILENT: usize = 4;
/// After so many it is given up, whatever it says to that.
const MUTE: usize = 64;
/// The same for answers that mean neither yes nor no: more than any two honest tokens lie apart.
const UNCLEAR: usize = 600;
/// What is said of a server that sends more than it was asked for.
const SURPLUS: &str = "behind an answer it sent octets that nobody asked for, which could be taken for the next token's answer: \
    from then on each token had a connection of its own";
/// Slower than this, tokens that are forged together would no longer be of the present when the last is shown.
const SLOW: Duration = Duration::from_millis(20);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who asks one endpoint.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    form: Form,
    /// The lanes that nobody uses at the moment.
    lanes: Mutex<Vec<Lane>>,
    accept: Statuses,
    reject: Statuses,
    pointers: Option<Pointers>,
    pace: Option<Pace>,
    timeout: Duration,
    wait_for: Duration,
    connections: usize,
    silent: AtomicUsize,
    unclear: AtomicUsize,
    gone: OnceLock<String>,
    /// Whether its policy has it refuse a token that it has seen before: then none is shown twice.
    refuses_replay: bool,
}

/// Why a token has no verdict.
#[derive(Debug)]
pub(super) enum Failure {
    /// Silence: this token's doing, or that of one that was on the way at the same time.
    Silent(Fault),
    /// This token's doing.
    Own(Fault),
}

impl Failure {
    pub(super) fn may_be_anothers(&self) -> bool {
        matches!(self, Failure::Silent(_))
    }

    pub(super) fn into_fault(self) -> Fault {
        match self {
            Failure::Silent(fault) | Failure::Own(fault) => fault,
        }
    }
}

/// As much of an answer as was read.
struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    body: Vec<u8>,
    /// Whether there is more than was read.
    cut: bool,
}

impl Answer {
    /// The answer in words: the challenge where there is one (RFC 6750 section 3), else the body.
    fn words(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        match self.challenge.as_deref().unwrap_or(body.trim()) {
            "" => format!("HTTP {}", self.status.as_u16()),
            words => format!("HTTP {}: {words}", self.status.as_u16()),
        }
    }
}

impl Client {
    pub(super) fn new(settings: &Settings, refuses_replay: bool) -> Result<Self, BadSetting> {
        let (accept, reject) = settings.statuses()?;
        let form = Form::new(settings)?;
        Ok(Client {
            place: Place::new(settings)?,
            form,
            lanes: Mutex::default(),
            accept,
            reject,
            pointers: settings.pointers()?,
            pace: settings.pace()?.map(Pace::new),
            timeout: settings.timeout,
            wait_for: settings.wait_for,
            connections: settings.checked_connections()?,
            silent: AtomicUsize::new(0),
            unclear: AtomicUsize::new(0),
            gone: OnceLock::new(),
            refuses_replay,
        })
    }

    /// How many tokens are judged at a time.
    pub(super) fn at_once(&self) -> usize {
        if self.pace.as_ref().is_some_and(|pace| pace.every > SLOW) { 1 } else { self.connections }
    }

    /// Whether an accepting answer names the issuer, where it names anybody.
    pub(super) fn says_issuer(&self) -> bool {
        self.pointers.as_ref().is_none_or(|pointers| pointers.iss.is_some())
    }

    pub(super) fn cannot_carry(&self, token: &Token) -> Option<String> {
        self.form.cannot_carry(token)
    }

    /// Waits for the first answer, and makes sure that a request without a token is refused.
    pub(super) fn refuses_without_token(&self) -> Result<(), NotReady> {
        let mut lane = self.lane().map_err(NotReady::Unreachable)?;
        let until = clock::instant() + self.wait_for;
        loop {
            let not_ready = match lane.run(self.without_token()) {
                Ok(answer) if self.reject.has(answer.status) => return Ok(()),
                Ok(answer) if self.accept.has(answer.status) => {
                    return Err(NotReady::NeedsNoToken(format!("it answers {}", answer.words())));
                }
                Ok(answer) => NotReady::NeedsNoToken(neither(&answer)),
                Err(why) => NotReady::Unreachable(why),
            };
            if clock::instant() >= until {
                return Err(not_ready);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether connections are kept from one token to the next. Where a token might be shown twice because its connection was
    /// closed, or be given the answer to another, each has its own.
    pub(super) fn keeps_connections(&self) -> bool {
        !self.refuses_replay && !self.place.surplus.is_seen()
    }

    pub(super) fn refuses_replay(&self) -> bool {
        self.refuses_replay
    }

    /// That it has sent what nobody asked for, where that is so: said once.
    pub(super) fn surplus(&self) -> Option<Fault> {
        self.place.surplus.to_say().then(|| Fault::Broken(SURPLUS.to_owned()))
    }

    /// What it says to a token.
    pub(super) fn ask(&self, token: &Token) -> Result<Verdict, Failure> {
        let mut lane = self.lane().map_err(no_lane)?;
        let mut connection = lane.alone.take();
        let answer = lane.run(self.verdict(token, &mut connection));
        lane.alone = connection;
        self.give_back(lane, []);
        answer
    }

    /// What it says to each of these tokens, asked over all connections at a time.
    pub(super) fn ask_all(self: &Arc<Self>, tokens: &Arc<[Token]>) -> Vec<Result<Verdict, Failure>> {
        let mut lane = match self.lane() {
            Ok(lane) => lane,
            Err(why) => return tokens.iter().map(|_| Err(no_lane(why.clone()))).collect(),
        };
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..self.connections.min(tokens.len()) {
            let (client, tokens, next) = (Arc::clone(self), Arc::clone(tokens), Arc::clone(&next));
            let mut connection = lane.kept.pop();
            let work = async move {
                let mut answers = Vec::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(token) = tokens.get(index) else { return (answers, connection) };
                    answers.push((index, client.verdict(token, &mut connection).await));
                }
            };
            workers.spawn_on(work, lane.runtime.handle());
        }
        let (done, connections): (Vec<_>, Vec<_>) = lane.run(workers.join_all()).into_iter().unzip();
        self.give_back(lane, connections);
        let mut done: Vec<_> = done.into_iter().flatten().collect();
        done.sort_by_key(|(index, _)| *index);
        done.into_iter().map(|(_, answer)| answer).collect()
    }

    /// A lane that nobody else uses.
    fn lane(&self) -> Result<Lane, String> {
        let free = self.lanes.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.map_or_else(Lane::new, Ok)
    }

    fn give_back(&self, mut lane: Lane, connections: impl IntoIterator<Item = Option<Connection>>) {
        lane.kept.extend(connections.into_iter().flatten());
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
    }

    async fn verdict(&self, token: &Token, connection: &mut Option<Connection>) -> Result<Verdict, Failure> {
        if let Some(why) = self.gone.get() {
            return Err(Failure::Own(Fault::Gone(why.clone())));
        }
        match self.answer(token, connection).await {
            Ok(answer) => {
                self.silent.store(0, Ordering::Relaxed);
                self.meaning(&answer).map_err(Failure::Own)
            }
            Err(fault) => match self.silence().await {
                Some(why) => Err(Failure::Own(Fault::Gone(why))),
                None => Err(Failure::Silent(fault)),
            },
        }
    }

    fn meaning(&self, answer: &Answer) -> Result<Verdict, Fault> {
        let unclear = if self.accept.has(answer.status) || self.reject.has(answer.status) {
            self.unclear.store(0, Ordering::Relaxed);
            0
        } else {
            self.unclear.fetch_add(1, Ordering::Relaxed) + 1
        };
        if unclear > 0 {
            let why = neither(answer);
            if unclear >= UNCLEAR {
                return Err(Fault::Gone(self.gone.get_or_init(|| format!("{unclear} times in a row {why}")).clone()));
            }
            return Err(Fault::Broken(why));
        }
        if self.reject.has(answer.status) {
            return Ok(Verdict::Reject(answer.words()));
        }
        let Some(pointers) = &self.pointers else {
            return Ok(Verdict::Accept { identity: None, key: None });
        };
        if answer.cut {
            return Err(Fault::Broken(format!(
                "it accepts with an answer of more than {MAX_BODY} octets, in which nobody is looked for"
            )));
        }
        let body: serde_json::Value = serde_json::from_slice(&answer.body)
            .map_err(|error| Fault::Broken(format!("it accepts with an answer that is no JSON: {error}")))?;
        let text = |pointer: &Option<String>| match body.pointer(pointer.as_ref()?)? {
            serde_json::Value::Null => None,
            serde_json::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Ok(Verdict::accept(Identity {
            iss: text(&pointers.iss),
            sub: text(&pointers.sub),
            tenant: text(&pointers.tid),
            audience: None,
        }))
    }

    /// Sends the token until there is an answer, or it is clear that there is none.
    async fn answer(&self, token: &Token, connection: &mut Option<Connection>) -> Result<Answer, Fault> {
        let begun = clock::instant();
        // Where a token may not be shown twice it has a connection of its own, which nobody has a reason to close.
        let mut once_more = !self.refuses_replay;
        loop {
            self.wait().await;
            let lost = match timeout(self.timeout, self.once(Some(token.as_bytes()), connection)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(lost)) => lost,
                Err(_) => {
                    *connection = None;
                    return Err(Fault::Hang(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)));
                }
            };
            match lost {
                // It has seen nothing of this token yet: whoever brought it down, it may come back.
                Lost::Unreachable(_) if begun.elapsed() < self.timeout.max(self.wait_for) => sleep(PAUSE).await,
                // A connection that is kept may be closed while we write to it. A new one tells that from a fault.
                Lost::Cut(_) if once_more => once_more = false,
                lost => return Err(Fault::Broken(lost.to_string())),
            }
        }
    }

    async fn without_token(&self) -> Result<Answer, String> {
        self.wait().await;
        match timeout(self.timeout, self.once(None, &mut None)).await {
            Ok(answer) => answer.map_err(|lost| lost.to_string()),
            Err(_) => Err(format!("no answer within {} ms", self.timeout.as_millis())),
        }
    }

    /// Waits for a request's turn.
    async fn wait(&self) {
        if let Some(pace) = &self.pace {
            sleep_until(pace.turn().into()).await;
        }
    }

    /// Sends one request, over this connection where it is still there, and leaves the connection there where it can be kept.
    async fn once(&self, token: Option<&[u8]>, connection: &mut Option<Connection>) -> Result<Answer, Lost> {
        let request = self.form.with(token);
        let request = request.map_err(|why| Lost::Otherwise(format!("the request cannot be made: {why}")))?;
        let kept = connection.take();
        if kept.is_some() {
            // What has come over it meanwhile is heard before anything is sent.
            yield_now().await;
        }
        let mut usable = match kept.filter(|kept| self.keeps_connections() && !kept.is_closed()) {
            Some(kept) => kept,
            None => self.place.connect().await?,
        };
        let response = usable.send(self.place.addressed(request)).await?;
        let status = response.status();
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (body, cut) = match Limited::new(response.into_body(), MAX_BODY).collect().await {
            Ok(body) => {
                *connection = Some(usable);
                (body.to_bytes().into(), false)
            }
            Err(error) if error.is::<LengthLimitError>() => (Vec::new(), true),
            Err(error) => {
                let lost = error.downcast::<hyper::Error>().map(|error| Lost::from(*error));
                return Err(lost.unwrap_or_else(|error| Lost::Otherwise(error.to_string())));
            }
        };
        Ok(Answer { status, challenge, body, cut })
    }

    /// Counts a silence, and says why it is given up where it is.
    async fn silence(&self) -> Option<String> {
        let silent = self.silent.fetch_add(1, Ordering::Relaxed) + 1;
        if silent >= MUTE {
            let why = || format!("{silent} tokens in a row were not answered");
            return Some(self.gone.get_or_init(why).clone());
        }
        if silent.is_multiple_of(SILENT)
            && let Err(why) = self.without_token().await
        {
            return Some(self.gone.get_or_init(|| why).clone());
        }
        self.gone.get().cloned()
    }
}

fn neither(answer: &Answer) -> String {
    format!("it answers {}, which is neither an accept status nor a reject status", answer.words())
}

fn no_lane(why: String) -> Failure {
    Failure::Own(Fault::Broken(why))
}

/// What one caller at a time uses: connections, and what drives them while they are used.
#[derive(Debug)]
struct Lane {
    runtime: Runtime,
    kept: Vec<Connection>,
    /// The connection of tokens that are asked while nothing else is.
    alone: Option<Connection>,
}

impl Lane {
    fn new() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("nothing can be sent: {error}"))?;
        Ok(Lane { runtime, kept: Vec::new(), alone: None })
    }

    /// Nothing happens to a connection outside of this, so what arrived meanwhile is seen first: a server may have closed it, or
    /// may have said so in an answer to nobody. What is dropped is closed before this ends.
    fn run<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async {
            yield_now().await;
            let result = work.await;
            yield_now().await;
            result
        })
    }
}

/// Keeps requests apart by some time.
#[derive(Debug)]
struct Pace {
    every: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    fn new(every: Duration) -> Self {
        Pace { every, next: Mutex::new(clock::instant()) }
    }

    /// When it is this request's turn.
    fn turn(&self) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = (*next).max(clock::instant());
        *next = turn + self.every;
        turn
    }
}
