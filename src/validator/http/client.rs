//! Asks an endpoint: connections that are kept, a bounded time, a bounded answer, and what silence means.

use super::NotReady;
use super::Settings;
use super::request::Form;
use super::settings::{BadSetting, Pointers, Statuses};
use crate::clock;
use crate::jose::Token;
use crate::validator::{Fault, Identity, Verdict};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::header::WWW_AUTHENTICATE;
use ureq::http::{Request, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Error};

/// Most octets that are read of one answer's body.
const MAX_BODY: u64 = 64 << 10;
/// Most idle connections that are kept: those of every worker.
const MAX_IDLE: usize = 1_024;
/// After so many tokens in a row without an answer it is asked without a token whether it is still there.
const SILENT: usize = 4;
/// After so many it is given up, whatever it says to that.
const MUTE: usize = 64;
/// The same for answers that mean neither yes nor no: more than any two honest tokens lie apart.
const UNCLEAR: usize = 600;
/// Slower than this, tokens that are forged together would no longer be of the present when the last is shown.
const SLOW: Duration = Duration::from_millis(20);
/// Between two attempts to reach it.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who asks one endpoint.
#[derive(Debug)]
pub(super) struct Client {
    kept: Agent,
    /// Makes a connection for each request.
    fresh: Agent,
    form: Form,
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
    pub(super) fn new(settings: &Settings) -> Result<Self, BadSetting> {
        let (accept, reject) = settings.statuses()?;
        let tls = tls(settings)?;
        let agent = |idle: usize| {
            let config = Config::builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .proxy(None)
                .user_agent(concat!("wrongkey/", env!("CARGO_PKG_VERSION")))
                .tls_config(tls.clone())
                .timeout_global(Some(settings.timeout))
                .max_idle_connections(idle)
                .max_idle_connections_per_host(idle)
                .build();
            Agent::with_parts(config, DefaultConnector::default(), Remembering::default())
        };
        Ok(Client {
            kept: agent(MAX_IDLE),
            fresh: agent(0),
            form: Form::new(settings)?,
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
        })
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
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
        let until = clock::instant() + self.wait_for;
        loop {
            let not_ready = match self.without_token() {
                Ok(answer) if self.reject.has(answer.status) => return Ok(()),
                Ok(answer) if self.accept.has(answer.status) => {
                    return Err(NotReady::NeedsNoToken(format!("it answers {}", answer.words())));
                }
                Ok(answer) => NotReady::NeedsNoToken(neither(&answer)),
                Err(error) => NotReady::Unreachable(words(&error, self.timeout)),
            };
            if clock::instant() >= until {
                return Err(not_ready);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What it says to a token.
    pub(super) fn ask(&self, token: &Token) -> Result<Verdict, Failure> {
        if let Some(why) = self.gone.get() {
            return Err(Failure::Own(Fault::Gone(why.clone())));
        }
        let request = self.form.with(Some(token.as_bytes()));
        let request =
            request.map_err(|why| Failure::Own(Fault::Broken(format!("the request cannot be made: {why}"))))?;
        match self.answer(&request) {
            Ok(answer) => {
                self.silent.store(0, Ordering::Relaxed);
                self.meaning(&answer).map_err(Failure::Own)
            }
            Err(fault) => match self.silence() {
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

    /// Sends a request until there is an answer, or it is clear that there is none.
    fn answer(&self, request: &Request<Vec<u8>>) -> Result<Answer, Fault> {
        let begun = clock::instant();
        let mut agent = &self.kept;
        loop {
            let error = match self.once(agent, request) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match &error {
                Error::Timeout(_) => {
                    return Err(Fault::Hang(u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)));
                }
                // It has seen nothing of this token yet: whoever brought it down, it may come back.
                error if is_unreachable(error) && begun.elapsed() < self.timeout.max(self.wait_for) => {
                    std::thread::sleep(PAUSE);
                }
                // A connection that is kept may be closed while we write to it. A new one tells that from a fault.
                Error::Io(_) if std::ptr::eq(agent, &raw const self.kept) => agent = &self.fresh,
                error => return Err(Fault::Broken(words(error, self.timeout))),
            }
        }
    }

    fn without_token(&self) -> Result<Answer, Error> {
        let request = self.form.with(None).map_err(|why| Error::Other(why.into()))?;
        self.once(&self.fresh, &request)
    }

    fn once(&self, agent: &Agent, request: &Request<Vec<u8>>) -> Result<Answer, Error> {
        if let Some(pace) = &self.pace {
            pace.wait();
        }
        let response =
            if self.form.has_body() { agent.run(request.clone())? } else { agent.run(request.clone().map(drop))? };
        let status = response.status();
        let challenge = response.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let (body, cut) = match response.into_body().into_with_config().limit(MAX_BODY).read_to_vec() {
            Ok(body) => (body, false),
            Err(Error::BodyExceedsLimit(_)) => (Vec::new(), true),
            Err(error) => return Err(error),
        };
        Ok(Answer { status, challenge, body, cut })
    }

    /// Counts a silence, and says why it is given up where it is.
    fn silence(&self) -> Option<String> {
        let silent = self.silent.fetch_add(1, Ordering::Relaxed) + 1;
        if silent >= MUTE {
            let why = || format!("{silent} tokens in a row were not answered");
            return Some(self.gone.get_or_init(why).clone());
        }
        if silent.is_multiple_of(SILENT)
            && let Err(error) = self.without_token()
        {
            return Some(self.gone.get_or_init(|| words(&error, self.timeout)).clone());
        }
        self.gone.get().cloned()
    }
}

fn neither(answer: &Answer) -> String {
    format!("it answers {}, which is neither an accept status nor a reject status", answer.words())
}

/// Whether no connection came about.
fn is_unreachable(error: &Error) -> bool {
    match error {
        Error::HostNotFound | Error::ConnectionFailed => true,
        Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::AddrNotAvailable
        ),
        _ => false,
    }
}

/// What happened, in words.
fn words(error: &Error, timeout: Duration) -> String {
    match error {
        Error::Timeout(_) => format!("no answer within {} ms", timeout.as_millis()),
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => "the connection was refused".to_owned(),
        Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            "the connection was closed without an answer".to_owned()
        }
        Error::Io(error) if error.kind() == ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
        Error::HostNotFound => "there is no host of that name".to_owned(),
        error => error.to_string(),
    }
}

fn tls(settings: &Settings) -> Result<TlsConfig, BadSetting> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder().unversioned_rustls_crypto_provider(provider);
    let certificates = match &settings.ca {
        None if settings.url.starts_with("https:") => {
            let problem = "https needs it: a file with the certificates, as PEM, of who may vouch for the server";
            return Err(BadSetting::new("ca", problem));
        }
        None => Vec::new(),
        Some(pem) => {
            let items: Result<Vec<_>, _> = parse_pem(pem.as_bytes()).collect();
            let items =
                items.map_err(|error| BadSetting::new("ca", format!("{error}: it takes certificates as PEM")))?;
            let certificates = items.into_iter().filter_map(|item| match item {
                PemItem::Certificate(certificate) => Some(certificate),
                _ => None,
            });
            certificates.collect()
        }
    };
    if settings.ca.is_some() && certificates.is_empty() {
        return Err(BadSetting::new("ca", "there is no certificate in it: it takes certificates as PEM"));
    }
    Ok(tls.root_certs(RootCerts::from(certificates)).build())
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

    /// Waits for this request's turn.
    fn wait(&self) {
        let now = clock::instant();
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = (*next).max(now);
            *next = turn + self.every;
            turn
        };
        std::thread::sleep(turn.saturating_duration_since(now));
    }
}

/// Looks a host up once: the usual resolver does so, on a thread of its own, for every request.
#[derive(Debug, Default)]
struct Remembering {
    usual: DefaultResolver,
    known: Mutex<Option<(Uri, Vec<std::net::SocketAddr>)>>,
}

impl Resolver for Remembering {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let place = |uri: &Uri| (uri.scheme().cloned(), uri.authority().cloned());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, addresses)) = &*known
            && place(of) == place(uri)
        {
            let mut resolved = self.empty();
            addresses.iter().for_each(|address| resolved.push(*address));
            return Ok(resolved);
        }
        let resolved = self.usual.resolve(uri, config, timeout)?;
        *known = Some((uri.clone(), resolved.to_vec()));
        Ok(resolved)
    }
}
