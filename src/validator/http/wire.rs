//! Where an endpoint is, and connections to it.

use super::request::takes_body;
use super::settings::BadSetting;
use super::surplus::{Last, Surplus, Watched};
use crate::validator::endpoint::Settings;
use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use axum::http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection, over which requests go one after the other.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    last: Last,
    surplus: Surplus,
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Lost> {
        Ok(self.sender.send_request(request).await.inspect_err(|error| {
            if error.is_canceled() {
                self.surplus.look_at(error, &self.last);
            }
        })?)
    }
}

/// Why a request has no answer, in words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    /// No connection came about.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before the answer did.
    #[error("{0}")]
    Cut(String),
    /// Nothing can be sent, or what came is no answer.
    #[error("{0}")]
    Otherwise(String),
}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Lost::Unreachable("the connection was refused".to_owned()),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
                Lost::Unreachable(error.to_string())
            }
            ErrorKind::ConnectionReset => Lost::Cut("the connection was reset".to_owned()),
            ErrorKind::UnexpectedEof => Lost::Cut("the connection was closed without an answer".to_owned()),
            _ => Lost::Cut(error.to_string()),
        }
    }
}

impl From<hyper::Error> for Lost {
    fn from(error: hyper::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            if let Some(inner) = inner.downcast_ref::<io::Error>() {
                return Lost::from(io::Error::new(inner.kind(), inner.to_string()));
            }
            cause = inner.source();
        }
        if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
            return Lost::from(io::Error::from(ErrorKind::UnexpectedEof));
        }
        Lost::Otherwise(error.to_string())
    }
}

/// Where an endpoint is.
#[derive(Debug)]
pub(super) struct Place {
    /// The host and port, for whoever looks hosts up.
    address: String,
    /// The same as it was written.
    authority: HeaderValue,
    /// What makes it safe, and the name that its certificate must have.
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    /// What came over any connection to it that nobody asked for.
    pub(super) surplus: Surplus,
}

impl Place {
    pub(super) fn new(settings: &Settings) -> Result<Self, BadSetting> {
        let wrong = |problem: String| BadSetting::new("url", format!("{:?}: {problem}", settings.url));
        let uri: Uri = settings.url.parse().map_err(|error| wrong(format!("{error}")))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no host".to_owned()))?;
        let certificates = certificates(settings)?;
        let safe = uri.scheme_str() == Some("https");
        let tls = if safe {
            let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|error| wrong(error.to_string()))?;
            Some((tls(certificates)?, name))
        } else {
            None
        };
        let port = authority.port_u16().unwrap_or(if safe { 443 } else { 80 });
        Ok(Place {
            address: format!("{}:{port}", authority.host()),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|error| wrong(error.to_string()))?,
            tls,
            surplus: Surplus::default(),
        })
    }

    /// The request as it goes over a connection to this place.
    pub(super) fn addressed(&self, request: Request<Vec<u8>>) -> Request<Full<Bytes>> {
        let (mut parts, body) = request.into_parts();
        // The target is in origin form (RFC 9112 section 3.2.1).
        if let Some(target) = parts.uri.path_and_query().cloned() {
            parts.uri = Uri::from(target);
        }
        let headers = &mut parts.headers;
        headers.entry(HOST).or_insert_with(|| self.authority.clone());
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("wrongkey/", env!("CARGO_PKG_VERSION"))));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // RFC 9110 section 8.6.
        if body.is_empty() && takes_body(&parts.method) {
            headers.entry(CONTENT_LENGTH).or_insert(HeaderValue::from_static("0"));
        }
        Request::from_parts(parts, Full::from(body))
    }

    /// A new connection. It is driven by the runtime that this is called in.
    pub(super) async fn connect(&self) -> Result<Connection, Lost> {
        let found = tokio::net::lookup_host(&self.address).await;
        let found: Vec<_> = found.map_err(|_| Lost::Unreachable("there is no host of that name".to_owned()))?.collect();
        let stream = TcpStream::connect(&found[..]).await?;
        stream.set_nodelay(true)?;
        match &self.tls {
            None => self.over(stream).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(Arc::clone(config));
                self.over(connector.connect(name.clone(), stream).await?).await
            }
        }
    }

    async fn over(&self, inner: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Connection, Lost> {
        let last = Last::default();
        let (sender, driver) = handshake(TokioIo::new(Watched { inner, last: last.clone() })).await?;
        let connection = Connection { sender, last: last.clone(), surplus: self.surplus.clone() };
        let surplus = self.surplus.clone();
        // How it ends while somebody waits for an answer is seen by whoever waits.
        tokio::spawn(async move {
            if let Err(end) = driver.await {
                surplus.look_at(&end, &last);
            }
        });
        Ok(connection)
    }
}

fn certificates(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, BadSetting> {
    let Some(pem) = &settings.ca else {
        if settings.url.starts_with("https:") {
            let problem = "https needs it: a file with the certificates, as PEM, of who may vouch for the server";
            return Err(BadSetting::new("ca", problem));
        }
        return Ok(Vec::new());
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let certificates =
        certificates.map_err(|error| BadSetting::new("ca", format!("{error}: it takes certificates as PEM")))?;
    if certificates.is_empty() {
        return Err(BadSetting::new("ca", "there is no certificate in it: it takes certificates as PEM"));
    }
    Ok(certificates)
}

fn tls(certificates: Vec<CertificateDer<'static>>) -> Result<Arc<ClientConfig>, BadSetting> {
    let wrong = |error: rustls::Error| BadSetting::new("ca", format!("{error}: it takes certificates as PEM"));
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate).map_err(wrong)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(wrong)?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
