//! Notices when a server sends more than it was asked for: such octets must never be taken for the answer to the next token.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const NONE: u8 = 0;
const SEEN: u8 = 1;
const SAID: u8 = 2;

/// Whether octets came that nobody asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Surplus(Arc<AtomicU8>);

impl Surplus {
    pub(super) fn is_seen(&self) -> bool {
        self.0.load(Ordering::Acquire) != NONE
    }

    /// Whether it is to be said: once.
    pub(super) fn to_say(&self) -> bool {
        self.0.compare_exchange(SEEN, SAID, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// How a connection ended that waited for nothing, or with a request that it has not sent.
    pub(super) fn look_at(&self, end: &hyper::Error, last: &Last) {
        let cause = if end.is_canceled() { end.source().and_then(|inner| inner.downcast_ref()) } else { Some(end) };
        if cause.is_some_and(is_unasked) && !last.gives_up() {
            // What was said already is not said again.
            let _ = self.0.compare_exchange(NONE, SEEN, Ordering::AcqRel, Ordering::Acquire);
        }
    }
}

/// Whether this is the one error that has no name: octets where nothing was waited for.
fn is_unasked(error: &hyper::Error) -> bool {
    let named = error.is_parse()
        || error.is_user()
        || error.is_canceled()
        || error.is_closed()
        || error.is_incomplete_message()
        || error.is_body_write_aborted()
        || error.is_shutdown()
        || error.is_timeout();
    !named && error.source().is_none()
}

/// What came last over a connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Last(Arc<AtomicBool>);

impl Last {
    /// A server that gives up an idle connection may say so unasked (RFC 9110 section 15.5.9).
    fn gives_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A stream of which it is known what came last.
pub(super) struct Watched<S> {
    pub(super) inner: S,
    pub(super) last: Last,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, into);
        let read = &into.filled()[before..];
        if !read.is_empty() {
            let gives_up = read.starts_with(b"HTTP/1.1 408 ") || read.starts_with(b"HTTP/1.0 408 ");
            self.last.0.store(gives_up, Ordering::Release);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
