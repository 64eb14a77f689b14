//! The issuers of a world, and the attacker's host beside them, over HTTP and HTTPS on one loopback port.
//!
//! Hosts are told apart by name: by `Host` (RFC 9110 section 7.2), and in TLS the certificate is the one for the name that
//! the client gives (RFC 6066 section 3). A name that is no issuer's is the attacker's. On a port with TLS the first octet of a
//! connection says which of the two is spoken, so that one address serves both.

use super::authority::Authority;
use super::documents::{Answer, Published};
use super::wire::{Arrivals, Cut, Limits, arrivals};
use crate::clock;
use crate::error::Error;
use crate::jose::NumericDate;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;

/// Most fetches that are remembered; the oldest go first.
const MAX_FETCHES: usize = 100_000;
/// Longest host or path that is remembered.
const MAX_NAME: usize = 2_048;

/// One request that reached the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fetch {
    /// Its place among all requests, from 0.
    pub number: u64,
    /// When, in seconds since 1970.
    pub at: NumericDate,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The host and port that were asked for, as the client wrote them.
    pub host: String,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The name of the issuer whose document was asked for; absent: an issuer's host where nothing is, or the attacker's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Whether the host is the attacker's.
    pub attacker: bool,
    /// The status of the answer; 0 where the connection was cut without one.
    pub status: u16,
}

/// What goes wrong at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection is cut without an answer.
    Unreachable,
    /// The answer comes after so long.
    Slow(Duration),
    /// The answer has this status and no document.
    Status(u16),
    /// The document ends in the middle.
    Truncated,
    /// The answer leads to this URL, with the path that was asked for at its end.
    Redirect(String),
    /// In the place of the discovery document stands this.
    Discovery(Value),
}

/// What the server shows, and what was asked of it.
#[derive(Default)]
struct Shown {
    published: Arc<Published>,
    troubles: BTreeMap<String, Trouble>,
    fetches: VecDeque<Fetch>,
    /// How many there were in all.
    count: u64,
}

#[derive(Default)]
struct Board {
    shown: Mutex<Shown>,
    fetched: Condvar,
}

impl Board {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server at work. It ends with this value.
pub struct Issuers {
    address: SocketAddr,
    board: Arc<Board>,
    ca: Option<String>,
    runtime: Option<Runtime>,
}

impl Issuers {
    /// Serves what is published at a loopback address; port 0 takes a free one. With TLS the same port speaks both.
    ///
    /// # Errors
    /// Where the address is not on loopback, or the port cannot be had.
    pub fn start(listen: SocketAddr, tls: bool, published: impl Into<Arc<Published>>) -> Result<Issuers, Error> {
        if !listen.ip().is_loopback() {
            let problem = "is not a loopback address: issuers are served to this machine only, at 127.0.0.1 or [::1]";
            return Err(Error::Usage(format!("{listen} {problem}")));
        }
        let authority = if tls { Some(Arc::new(Authority::new()?)) } else { None };
        let acceptor = authority.as_ref().map(Authority::server).transpose()?;
        let cannot = |error: &io::Error| {
            let why = match error.kind() {
                io::ErrorKind::AddrInUse => "the port is taken: name another one, or 0 for any".to_owned(),
                io::ErrorKind::PermissionDenied => "the port may not be used: name one above 1023".to_owned(),
                _ => error.to_string(),
            };
            Error::Usage(format!("{listen}: {why}"))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| cannot(&error))?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(listen)).map_err(|error| cannot(&error))?;
        let address = listener.local_addr().map_err(|error| cannot(&error))?;
        let board = Arc::new(Board {
            shown: Mutex::new(Shown { published: published.into(), ..Shown::default() }),
            ..Board::default()
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&board));
        let service = router.into_make_service_with_connect_info::<Cut>();
        let _guard = runtime.enter();
        let arrivals: Arrivals = arrivals(listener, acceptor.map(Arc::new), Limits::default());
        runtime.spawn(async move { axum::serve(arrivals, service).await });
        Ok(Issuers { address, board, ca: authority.map(|authority| authority.pem()), runtime: Some(runtime) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that its certificates are by, as PEM; `None` without TLS.
    #[must_use]
    pub fn ca(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// From now on this is published.
    pub fn show(&self, published: impl Into<Arc<Published>>) {
        self.board.shown().published = published.into();
    }

    /// From now on this is published, and this goes wrong at the issuers of those names and nothing anywhere else.
    pub(super) fn show_all(&self, published: Arc<Published>, troubles: BTreeMap<String, Trouble>) {
        let mut shown = self.board.shown();
        shown.published = published;
        shown.troubles = troubles;
    }

    /// From now on this goes wrong at the issuer of that name, or nothing any more.
    pub fn trouble(&self, issuer: &str, trouble: Option<Trouble>) {
        let mut shown = self.board.shown();
        match trouble {
            Some(trouble) => drop(shown.troubles.insert(issuer.to_owned(), trouble)),
            None => drop(shown.troubles.remove(issuer)),
        }
    }

    /// How many requests there have been: a mark for [`Issuers::fetches_since`].
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.board.shown().count
    }

    /// The requests from that mark on, as far as they are remembered.
    #[must_use]
    pub fn fetches_since(&self, mark: u64) -> Vec<Fetch> {
        self.board.shown().fetches.iter().filter(|fetch| fetch.number >= mark).cloned().collect()
    }

    /// The same, but waits for the first one, at most that long.
    #[must_use]
    pub fn wait_for_fetches(&self, mark: u64, longest: Duration) -> Vec<Fetch> {
        let shown = self.board.shown();
        drop(self.board.fetched.wait_timeout_while(shown, longest, |shown| shown.count <= mark));
        self.fetches_since(mark)
    }
}

impl Drop for Issuers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Answers one request, and writes it down before the answer goes out: who has the answer has been seen.
async fn serve(State(board): State<Arc<Board>>, ConnectInfo(cut): ConnectInfo<Cut>, request: Request) -> Response {
    cut.serves();
    let in_header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    // A request in absolute form names the host itself (RFC 9112 section 3.2.2).
    let host = request.uri().authority().map(axum::http::uri::Authority::as_str).or(in_header);
    let host = host.unwrap_or_default().to_owned();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (answer, trouble, max_age) = {
        let shown = board.shown();
        let answer = shown.published.answer(&host, &path);
        let trouble = match &answer {
            Answer::Issuer { issuer, .. } => shown.troubles.get(issuer).cloned(),
            _ => None,
        };
        (answer, trouble, shown.published.max_age)
    };
    let (issuer, attacker, body) = match answer {
        Answer::Issuer { issuer, body } => (Some(issuer), false, Some(body)),
        Answer::Nothing => (None, false, None),
        Answer::Attacker(body) => (None, true, Some(body)),
    };
    if let Some(Trouble::Slow(wait)) = trouble {
        tokio::time::sleep(wait).await;
    }
    let body = match (body, &trouble) {
        (Some(body), Some(Trouble::Discovery(other))) if is_metadata(&body) => Some(other.clone()),
        (body, _) => body,
    };
    let text = body.map(|body| match body {
        Value::String(text) => (text, "application/pem-certificate-chain"),
        body => (body.to_string(), "application/json"),
    });
    let (status, mut response) = match (text, &trouble) {
        (_, Some(Trouble::Unreachable)) => (None, Response::new(Body::empty())),
        (_, Some(Trouble::Status(status))) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (Some(status), Response::new(Body::empty()))
        }
        (_, Some(Trouble::Redirect(to))) => {
            let mut response = Response::new(Body::empty());
            if let Ok(to) = HeaderValue::from_str(&format!("{to}{path}")) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            (Some(StatusCode::FOUND), response)
        }
        (None, _) => (Some(StatusCode::NOT_FOUND), Response::new(Body::empty())),
        (Some((text, content_type)), trouble) => {
            let whole = text.len();
            let sent = if *trouble == Some(Trouble::Truncated) { whole / 2 } else { whole };
            let mut response = Response::new(Body::from(Bytes::from(text).slice(..sent)));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            let age = max_age.and_then(|age| HeaderValue::from_str(&format!("max-age={age}")).ok());
            age.and_then(|age| response.headers_mut().insert(header::CACHE_CONTROL, age));
            (Some(StatusCode::OK), response)
        }
    };
    {
        let mut shown = board.shown();
        let fetch = Fetch {
            number: shown.count,
            at: clock::now(),
            scheme: if cut.secure() { "https" } else { "http" },
            host: bounded(&host),
            method: bounded(request.method().as_str()),
            path: bounded(&path),
            issuer,
            attacker,
            status: status.map_or(0, |status| status.as_u16()),
        };
        shown.count += 1;
        if shown.fetches.len() >= MAX_FETCHES {
            shown.fetches.pop_front();
        }
        shown.fetches.push_back(fetch);
        board.fetched.notify_all();
    }
    match status {
        Some(status) => *response.status_mut() = status,
        None => cut.cut(),
    }
    response
}

/// Whether a document is metadata (OpenID Connect Discovery 1.0 section 3) and no key set.
fn is_metadata(document: &Value) -> bool {
    document.get("jwks_uri").is_some()
}

fn bounded(text: &str) -> String {
    text.chars().take(MAX_NAME).collect()
}
