//! The connection and the body as hyper sees them, with the means to break both: a reset, one byte
//! a second, a body that stops short or never does.

use std::convert::Infallible;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

/// Pause between two bytes of a slow answer.
const SLOW: Duration = Duration::from_secs(1);
/// How long a cut body waits before the cut, so that what was sent before it reaches the client.
const BEFORE_CUT: Duration = Duration::from_millis(30);
const CHUNK: usize = 64 * 1024;

/// What a request handler may ask of its connection.
#[derive(Default)]
pub(crate) struct Control {
    reset: AtomicBool,
    slow: AtomicBool,
}

impl Control {
    /// Close with RST instead of FIN, as a crashed server or a firewall does.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// Write one byte a second from here on.
    pub(crate) fn slow(&self) {
        self.slow.store(true, Ordering::Relaxed);
    }
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// One connection.
pub(crate) struct Wire {
    stream: Stream,
    control: Arc<Control>,
    nap: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(crate) fn new(stream: Stream, control: Arc<Control>) -> Self {
        Self { stream, control, nap: None }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.control.reset.load(Ordering::Relaxed) {
            // If it fails, the client sees an orderly close without an answer: as good a fault.
            let _ = self.stream.tcp().set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut part = buf;
        if self.control.slow.load(Ordering::Relaxed) && !buf.is_empty() {
            if let Some(nap) = self.nap.as_mut() {
                ready!(nap.as_mut().poll(cx));
            }
            self.nap = Some(Box::pin(tokio::time::sleep(SLOW)));
            part = &buf[..1];
        }
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_write(cx, part),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_write(cx, part),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Stream::Tls(tls) => Pin::new(tls.as_mut()).poll_shutdown(cx),
        }
    }
}

/// The body of an answer.
pub(crate) enum Answer {
    /// All of it at once.
    Whole(Option<Bytes>),
    /// This much, then the connection breaks.
    Cut { first: Option<Bytes>, pause: Option<Pin<Box<Sleep>>> },
    /// One byte a second.
    Drip { rest: Bytes, nap: Option<Pin<Box<Sleep>>> },
    /// So many bytes of JSON-like text, or without end.
    Flood { started: bool, left: Option<u64> },
}

impl Answer {
    pub(crate) fn whole(body: Vec<u8>) -> Self {
        Self::Whole((!body.is_empty()).then(|| Bytes::from(body)))
    }

    pub(crate) fn cut(body: Vec<u8>) -> Self {
        Self::Cut { first: (!body.is_empty()).then(|| Bytes::from(body)), pause: None }
    }

    pub(crate) fn drip(body: Vec<u8>) -> Self {
        Self::Drip { rest: Bytes::from(body), nap: None }
    }
}

/// Why a body ended early; hyper then drops the connection.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection was broken on purpose")
    }
}

impl std::error::Error for Broken {}

impl From<Infallible> for Broken {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Cut { first, pause } => {
                if let Some(bytes) = first.take() {
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                let pause = pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(BEFORE_CUT)));
                ready!(pause.as_mut().poll(cx));
                Poll::Ready(Some(Err(Broken)))
            }
            Self::Drip { rest, nap } => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                if let Some(nap) = nap.as_mut() {
                    ready!(nap.as_mut().poll(cx));
                }
                *nap = Some(Box::pin(tokio::time::sleep(SLOW)));
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(1)))))
            }
            Self::Flood { started, left } => {
                const OPENING: &[u8] = br#"{"items":[{"metadata":{"name":""#;
                let mut bytes = if *started {
                    Bytes::from_static(&[b'x'; CHUNK])
                } else {
                    *started = true;
                    Bytes::from_static(OPENING)
                };
                if let Some(left) = left {
                    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    if take == 0 {
                        return Poll::Ready(None);
                    }
                    bytes.truncate(take);
                    *left -= take as u64;
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            // The others set `Content-Length` themselves, or have none.
            _ => SizeHint::default(),
        }
    }
}
