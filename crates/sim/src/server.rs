//! Sockets to answers: the accept loop, the recorder, and where faults come in.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::clock::{Clock, http_date};
use crate::faults::{Fault, Faults};
use crate::limits::Buckets;
use crate::reply::Reply;
use crate::tenant::Tenant;
use crate::wire::{Answer, Broken, Control, Stream, Wire};
use crate::{SimOptions, TlsIdentity, routes, seed};

/// The largest body that is read; none of the calls needs a hundredth of it.
const MOST_BODY: usize = 2 * 1024 * 1024;

/// A lock that a panicking test cannot poison for the others.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything the connections share.
pub(crate) struct Shared {
    tenant: Mutex<Tenant>,
    faults: Mutex<Faults>,
    recorder: Mutex<Recorder>,
    buckets: Mutex<Buckets>,
    rate_limit: AtomicBool,
    started: Instant,
    pub(crate) clock: Clock,
    pub(crate) acceptor: Option<TlsAcceptor>,
    pub(crate) users_me: AtomicBool,
    pub(crate) bad_key_not_found: AtomicBool,
    pub(crate) connections: AtomicU64,
    pub(crate) extra_hosts: Vec<String>,
}

impl Shared {
    pub(crate) fn new(options: SimOptions, acceptor: Option<TlsAcceptor>) -> Self {
        let clock = Clock::default();
        let tenant = seed::tenant(&options, clock.now());
        Self {
            tenant: Mutex::new(tenant),
            faults: Mutex::default(),
            recorder: Mutex::new(Recorder::new(options.record_limit)),
            buckets: Mutex::default(),
            rate_limit: AtomicBool::new(options.rate_limit),
            started: Instant::now(),
            clock,
            acceptor,
            users_me: AtomicBool::new(options.users_me),
            bad_key_not_found: AtomicBool::new(options.bad_key_not_found),
            connections: AtomicU64::new(0),
            extra_hosts: options.extra_hosts,
        }
    }

    pub(crate) fn tenant(&self) -> MutexGuard<'_, Tenant> {
        lock(&self.tenant)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn recorder(&self) -> MutexGuard<'_, Recorder> {
        lock(&self.recorder)
    }

    pub(crate) fn set_rate_limit(&self, on: bool) {
        lock(&self.buckets).refill();
        self.rate_limit.store(on, Ordering::Relaxed);
    }

    /// True if this request is within the rate limit, or there is none.
    pub(crate) fn within_rate(&self, from: IpAddr, path: &str) -> bool {
        !self.rate_limit.load(Ordering::Relaxed) || lock(&self.buckets).take(from, path)
    }
}

/// A request the simulator got, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Number of the request since the start, from 0.
    pub index: u64,
    /// Method as sent.
    pub method: String,
    /// Path as sent: not decoded, without the query.
    pub path: String,
    /// Query as sent, without the question mark.
    pub query: Option<String>,
    /// Every header in the order sent, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there was none, or if it was over 2 MiB.
    pub body: Vec<u8>,
    /// When it arrived, by the server's clock.
    pub at: Timestamp,
    /// When it arrived, since the simulator started, by a clock that never jumps (tokio's).
    pub since_start: Duration,
    /// Status that was sent; `None` while there is none, and for good if the fault sends none.
    pub status: Option<u16>,
    /// The fault that was used on it.
    pub fault: Option<Fault>,
}

impl Recorded {
    /// The first header with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Null` if it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

pub(crate) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub(crate) struct Recorder {
    kept: std::collections::VecDeque<Recorded>,
    next: u64,
    limit: usize,
}

impl Recorder {
    fn new(limit: usize) -> Self {
        Self { kept: std::collections::VecDeque::new(), next: 0, limit }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.kept.clear();
    }

    fn add(&mut self, mut recorded: Recorded) -> u64 {
        recorded.index = self.next;
        self.next += 1;
        if self.kept.len() >= self.limit {
            self.kept.pop_front();
        }
        if self.limit > 0 {
            self.kept.push_back(recorded);
        }
        self.next - 1
    }

    fn set_status(&mut self, index: u64, status: u16) {
        let Some(first) = self.kept.front().map(|recorded| recorded.index) else { return };
        let Some(at) = index.checked_sub(first).and_then(|at| usize::try_from(at).ok()) else {
            return;
        };
        // Indexes are consecutive within what is kept: only the front is ever dropped.
        if let Some(recorded) = self.kept.get_mut(at) {
            recorded.status = Some(status);
        }
    }
}

/// Reads the identity for https.
pub(crate) fn acceptor(identity: &TlsIdentity) -> io::Result<TlsAcceptor> {
    let bad = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
    let chain = CertificateDer::pem_slice_iter(identity.cert_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| bad(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())
        .map_err(|error| bad(error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| bad(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| bad(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Accepts connections until dropped; dropping it drops every open connection with it.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, peer)) => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    open.spawn(serve(tcp, peer.ip(), Arc::clone(&shared)));
                }
                // Out of file descriptors or a connection gone before it was accepted: go on, but
                // do not spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

async fn serve(tcp: TcpStream, peer: IpAddr, shared: Arc<Shared>) {
    // Small answers in one go; without it each waits for the client's delayed ACK.
    let _ = tcp.set_nodelay(true);
    let stream = match &shared.acceptor {
        None => Stream::Plain(tcp),
        Some(acceptor) => match acceptor.accept(tcp).await {
            Ok(tls) => Stream::Tls(Box::new(tls)),
            // The client turned the certificate down, or spoke no TLS.
            Err(_) => return,
        },
    };
    let control = Arc::new(Control::default());
    let wire = Wire::new(stream, Arc::clone(&control));
    let service =
        service_fn(move |request| answer(Arc::clone(&shared), Arc::clone(&control), peer, request));
    // An error here is the client going away, or a fault at work.
    let _ = http1::Builder::new()
        // No time-out: a test with paused time would run into it while a connection idles.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

/// One request, read whole.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) headers: Vec<(String, String)>,
    /// `None` if it was too big.
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) peer: IpAddr,
}

async fn answer(
    shared: Arc<Shared>,
    control: Arc<Control>,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Broken> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, MOST_BODY).collect().await;
    let asked = Asked {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        authority: parts.uri.authority().map(|authority| authority.as_str().to_owned()),
        headers: texts(&parts.headers),
        body: body.ok().map(|body| body.to_bytes().to_vec()),
        peer,
    };
    let fault = shared.faults().take(&asked.method, &asked.path, &asked.headers);
    let index = shared.recorder().add(Recorded {
        index: 0,
        method: asked.method.clone(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        headers: asked.headers.clone(),
        body: asked.body.clone().unwrap_or_default(),
        at: shared.clock.now(),
        since_start: shared.started.elapsed(),
        status: None,
        fault: fault.clone(),
    });
    let response = match fault {
        None => whole(routes::handle(&shared, &asked)),
        Some(fault) => faulty(&shared, &control, &asked, fault).await?,
    };
    let mut response = response;
    if let Ok(date) = HeaderValue::from_str(&http_date(shared.clock.now())) {
        response.headers_mut().insert(hyper::header::DATE, date);
    }
    shared.recorder().set_status(index, response.status().as_u16());
    Ok(response)
}

/// The answer with this fault in it, or an error that makes hyper drop the connection.
async fn faulty(
    shared: &Shared,
    control: &Control,
    asked: &Asked,
    fault: Fault,
) -> Result<Response<Answer>, Broken> {
    const HTML: &str = "text/html; charset=utf-8";
    let handle = || routes::handle(shared, asked);
    Ok(match fault {
        Fault::Status { code, body, content_type, headers } => {
            let mut reply = Reply::of(&content_type, code, body.into_bytes());
            reply.headers = headers;
            whole(reply)
        }
        Fault::ResetBeforeHandling => {
            control.reset();
            return Err(Broken);
        }
        Fault::ResetAfterHandling => {
            handle();
            control.reset();
            return Err(Broken);
        }
        Fault::HangBeforeHandling => std::future::pending().await,
        Fault::HangAfterHandling => {
            handle();
            std::future::pending().await
        }
        Fault::DelayMs(wait) => {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            whole(handle())
        }
        Fault::SlowHeaders => {
            let reply = handle();
            control.slow();
            whole(reply)
        }
        Fault::CutBody { at } => {
            let mut reply = with_body(handle());
            let length = reply.body.len();
            reply.body.truncate(at.min(length.saturating_sub(1)));
            let body = std::mem::take(&mut reply.body);
            sized(reply, length as u64, Answer::cut(body))
        }
        Fault::Drip => {
            let mut reply = with_body(handle());
            let body = std::mem::take(&mut reply.body);
            sized(reply, body.len() as u64, Answer::drip(body))
        }
        Fault::ReplaceBody(body) => {
            let mut reply = with_body(handle());
            reply.body = body.into_bytes();
            whole(reply)
        }
        Fault::RateLimited { retry_after } => {
            let reply = routes::too_many_requests();
            whole(match retry_after {
                Some(seconds) => reply.with_header("retry-after", &seconds.to_string()),
                None => reply,
            })
        }
        Fault::Redirect { code, to } => {
            whole(Reply::of(HTML, code, Vec::new()).with_header("location", &to))
        }
        Fault::HtmlOk => {
            let page = "<!doctype html><title>Sign in to the network</title><h1>Welcome</h1>";
            whole(Reply::of(HTML, 200, page.into()))
        }
        Fault::HtmlNotFound => {
            let page = "<!doctype html><title>404 Not Found</title><h1>Not Found</h1>";
            whole(Reply::of(HTML, 404, page.into()))
        }
        Fault::Empty => whole(Reply::of("application/json", 200, Vec::new())),
        Fault::GarbageJson(text) => whole(Reply::of("application/json", 200, text.into_bytes())),
        Fault::EndlessBody => {
            let reply = Reply::of("application/json", 200, Vec::new());
            head(reply, Answer::Flood { started: false, left: None })
        }
        Fault::HugeBody { bytes } => {
            let reply = Reply::of("application/json", 200, Vec::new());
            sized(reply, bytes, Answer::Flood { started: false, left: Some(bytes) })
        }
        Fault::ManyHeaders(count) => {
            let mut reply = handle();
            for n in 0..count.min(30_000) {
                reply = reply.with_header(&format!("x-filler-{n}"), "x");
            }
            whole(reply)
        }
        Fault::BigHeader { bytes } => whole(handle().with_header("x-filler", &"x".repeat(bytes))),
    })
}

/// An answer that can be cut or dripped: 204 has no body by the rules of HTTP, so it becomes a 200
/// with an empty JSON object, spread out.
fn with_body(mut reply: Reply) -> Reply {
    if reply.status == 204 {
        reply.status = 200;
    }
    if reply.body.is_empty() {
        reply.content_type = Some("application/json".to_owned());
        reply.body = b"{                                                              }".to_vec();
    }
    reply
}

fn whole(mut reply: Reply) -> Response<Answer> {
    let body = Answer::whole(std::mem::take(&mut reply.body));
    head(reply, body)
}

fn sized(reply: Reply, length: u64, body: Answer) -> Response<Answer> {
    let mut response = head(reply, body);
    response.headers_mut().insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Status and headers of the reply over this body. Anything HTTP cannot carry is left out.
fn head(reply: Reply, body: Answer) -> Response<Answer> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(value) = reply.content_type.and_then(|text| HeaderValue::from_str(&text).ok()) {
        headers.insert(hyper::header::CONTENT_TYPE, value);
    }
    for (name, value) in reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&value)) {
            headers.append(name, value);
        }
    }
    response
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}
