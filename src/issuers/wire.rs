//! Connections: plain ones and ones in TLS at one port, and a way to cut one off.

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

/// How long a client may take to say what it speaks, and to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Most connections at a time.
const MAX_CONNECTIONS: usize = 512;
/// The first octet of a TLS connection: a record that holds a handshake message (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Connections that are ready to be served.
pub(super) struct Arrivals {
    ready: mpsc::Receiver<(Wire, SocketAddr)>,
    address: SocketAddr,
}

/// Takes connections from a listener, in a task of its own and each in one of its own: who is slow keeps nobody waiting. Must
/// be called inside a runtime.
pub(super) fn arrivals(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) -> Arrivals {
    let (sender, ready) = mpsc::channel(16);
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, from)) = listener.accept().await else {
                // Too many open files, or a client that is gone already.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            };
            let (sender, tls) = (sender.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, welcomed(stream, tls)).await else { return };
                let wire = Wire { stream: stream.0, cut: Cut::new(stream.1), _place: place };
                // Nobody serves any more when this fails.
                let _ = sender.send((wire, from)).await;
            });
        }
    });
    Arrivals { ready, address }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The connection as it is served, and whether it is in TLS.
async fn welcomed(stream: TcpStream, tls: Option<TlsAcceptor>) -> io::Result<(Box<dyn Stream>, bool)> {
    let _ = stream.set_nodelay(true);
    let mut first = [0; 1];
    match tls {
        Some(tls) if stream.peek(&mut first).await? == 1 && first[0] == TLS_HANDSHAKE => {
            Ok((Box::new(tls.accept(stream).await?), true))
        }
        _ => Ok((Box::new(stream), false)),
    }
}

impl Listener for Arrivals {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        match self.ready.recv().await {
            Some(arrived) => arrived,
            // The task that accepts ends with the runtime only.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that can be cut off.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    cut: Cut,
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Cuts a connection off, and knows whether it is in TLS.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    cut: Arc<AtomicBool>,
    secure: bool,
}

impl Cut {
    fn new(secure: bool) -> Self {
        Cut { cut: Arc::default(), secure }
    }

    /// Nothing further is written.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(super) fn secure(&self) -> bool {
        self.secure
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Connected<IncomingStream<'_, Arrivals>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Arrivals>) -> Self {
        stream.io().cut.clone()
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
