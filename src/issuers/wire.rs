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
use tokio::time::{Instant, Sleep, sleep};
use tokio_rustls::TlsAcceptor;

/// How long a client may take to say what it speaks, and to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What clients may take of a server, so that none of them keeps it from all others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most connections at a time.
    pub(super) connections: usize,
    /// How long a connection may be there, or stay after an answer, until a whole request has come over it.
    pub(super) request: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connections: 512, request: Duration::from_secs(15) }
    }
}

/// The first octet of a TLS connection: a record that holds a handshake message (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Connections that are ready to be served.
pub(super) struct Arrivals {
    ready: mpsc::Receiver<(Wire, SocketAddr)>,
    address: SocketAddr,
}

/// Takes connections from a listener, in a task of its own and each in one of its own: who is slow keeps nobody waiting. Must
/// be called inside a runtime.
pub(super) fn arrivals(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, limits: Limits) -> Arrivals {
    let (sender, ready) = mpsc::channel(16);
    let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)));
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits.connections));
    tokio::spawn(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, from)) = listener.accept().await else {
                // Too many open files, or a client that is gone already.
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let (sender, tls) = (sender.clone(), tls.clone());
            tokio::spawn(async move {
                let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, welcomed(stream, tls)).await else { return };
                let deadline = Box::pin(sleep(limits.request));
                let wire = Wire {
                    stream: stream.0,
                    cut: Cut::new(stream.1),
                    deadline,
                    request: limits.request,
                    _place: place,
                };
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
    /// When the next request must have come.
    deadline: Pin<Box<Sleep>>,
    request: Duration,
    _place: tokio::sync::OwnedSemaphorePermit,
}

/// Cuts a connection off, and knows whether it is in TLS.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    cut: Arc<AtomicBool>,
    /// Whether it has a whole request, and the answer is not there yet.
    serving: Arc<AtomicBool>,
    secure: bool,
}

impl Cut {
    fn new(secure: bool) -> Self {
        Cut { cut: Arc::default(), serving: Arc::default(), secure }
    }

    /// Nothing further is written.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    /// A whole request has come: however long its answer takes, nobody but us is slow.
    pub(super) fn serves(&self) {
        self.serving.store(true, Ordering::Release);
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
        let read = Pin::new(&mut self.stream).poll_read(cx, buf)?;
        if read.is_pending() && !self.cut.serving.load(Ordering::Acquire) && self.deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read.map(Ok)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        let next = Instant::now() + self.request;
        self.deadline.as_mut().reset(next);
        // Whoever waits for the next request may not look at this again before something wakes him.
        let _ = self.deadline.as_mut().poll(cx);
        self.cut.serving.store(false, Ordering::Release);
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

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::extract::ConnectInfo;
    use std::io::{Read as _, Write as _};

    const LIMITS: Limits = Limits { connections: 8, request: Duration::from_millis(200) };

    /// A server that takes longer for its answers than its clients may for their requests.
    fn slow() -> (tokio::runtime::Runtime, SocketAddr) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = async |ConnectInfo(cut): ConnectInfo<Cut>| {
            cut.serves();
            sleep(LIMITS.request * 3).await;
            "done"
        };
        let service = Router::new().fallback(answer).into_make_service_with_connect_info::<Cut>();
        let _guard = runtime.enter();
        let arrivals = arrivals(listener, None, LIMITS);
        runtime.spawn(async move { axum::serve(arrivals, service).await });
        (runtime, address)
    }

    fn connected(to: SocketAddr, says: &str) -> std::net::TcpStream {
        let mut stream = std::net::TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(says.as_bytes()).unwrap();
        stream
    }

    #[test]
    fn who_asks_for_nothing_keeps_no_place() {
        let (_runtime, address) = slow();
        let silent: Vec<_> = (0..8).map(|_| connected(address, "")).collect();
        let unfinished: Vec<_> = (0..8).map(|_| connected(address, "GET / HTTP/1.1\r\nHost: ")).collect();
        // Nothing closes this one but the server, after its answer.
        let mut asks = connected(address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut answer = String::new();
        asks.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
        drop((silent, unfinished));
    }
}
