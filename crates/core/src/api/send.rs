//! The one way out: every request of this crate is sent here.
//!
//! What holds for all of them: a turn at the throttle, no redirect followed, time-outs, a cap on
//! the answer while it streams, retries only where the end state is the same, and an [`ApiError`]
//! in which no secret is left.

use super::error::{ApiError, Asked, Exchange, Sent};
use super::redact::{LONGEST_MESSAGE, LONGEST_WORD, redacted};
use super::session::Credential;
use super::throttle::{Priority, chance};
use super::{Inner, tls, wire};
use crate::{ErrorDetails, Secret};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use std::error::Error;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// An error body beyond this is not read: no error of Palette's comes near it.
const ERROR_BODY: usize = 64 * 1024;

/// The body of an answer; wiped when dropped.
pub(super) type Body = Zeroizing<Vec<u8>>;

/// With which credential a request goes.
#[derive(Clone, Copy)]
pub(super) enum With<'a> {
    /// None (signing in, refreshing).
    Nobody,
    /// The one that is signed in.
    Signed,
    /// This value instead.
    Value(&'a Secret),
}

/// What a good answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expect {
    /// 2xx with JSON, of a size for lists.
    List,
    /// 2xx with JSON, of ordinary size.
    Json,
    /// 204 and nothing else: any other 2xx may come from something in between.
    NoContent,
}

/// How often a request may be sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// Once, whatever happens.
    Once,
    /// Once more: the end state is the same.
    Twice,
    /// Three times more.
    Read,
}

impl Tries {
    fn retries(self) -> u32 {
        match self {
            Self::Once => 0,
            Self::Twice => 1,
            Self::Read => 3,
        }
    }
}

/// One request, before it is sent.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// Below `/v1`; each is escaped as one segment.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    /// JSON.
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    pub(super) asked: Asked,
    pub(super) priority: Priority,
    pub(super) with: With<'a>,
    pub(super) expect: Expect,
    pub(super) tries: Tries,
    /// A further secret that is in the request.
    pub(super) hide: Option<&'a Secret>,
}

impl<'a> Call<'a> {
    /// A read as who is signed in.
    pub(super) fn read(path: &'a [&'a str]) -> Self {
        Self {
            method: Method::GET,
            path,
            query: &[],
            body: None,
            asked: Asked::Read,
            priority: Priority::Read,
            with: With::Signed,
            expect: Expect::Json,
            tries: Tries::Read,
            hide: None,
        }
    }

    /// A change of a key as who is signed in.
    pub(super) fn change(method: Method, path: &'a [&'a str]) -> Self {
        Self {
            method,
            asked: Asked::Change,
            priority: Priority::Act,
            expect: Expect::NoContent,
            tries: Tries::Twice,
            ..Self::read(path)
        }
    }
}

impl Inner {
    /// Sends a request and gives its answer's body.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Body, ApiError> {
        let url = self.url(&call)?;
        let prefix = format!("/v1/{}", call.path.first().copied().unwrap_or_default());
        // Wiped with its last reference, which is ours or the connection's.
        let body = call.body.as_ref().map(|body| Bytes::from_owner(body.clone()));
        let mut uncertain = false;
        let mut spent = Duration::ZERO;
        let mut retries = 0;
        loop {
            let result = self.attempt(&call, &url, body.clone(), &prefix, &mut spent).await;
            let error = match result {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let changes = matches!(call.asked, Asked::Change | Asked::Create);
            uncertain |= changes && error.sent() == Sent::Unknown;
            let again = retries < call.tries.retries()
                && spent < self.limits.retry_within
                && is_passing(&error);
            if !again {
                return Err(if uncertain && error.sent() != Sent::Unknown {
                    ApiError::Unconfirmed(Box::new(error))
                } else {
                    error
                });
            }
            // After a 429 the throttle does the waiting.
            if !matches!(error, ApiError::RateLimited(..)) {
                let longest = self.limits.backoff * 2_u32.pow(retries);
                tokio::time::sleep(longest.mul_f64(0.5 + chance() / 2.0)).await;
            }
            retries += 1;
        }
    }

    /// The address of a call. Segments are pushed one by one, so nothing in them can change the
    /// path (trust check 34).
    fn url(&self, call: &Call<'_>) -> Result<reqwest::Url, ApiError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| ApiError::Internal("the origin has no path"))?
            .clear()
            .push("v1")
            .extend(call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        Ok(url)
    }

    async fn attempt(
        &self,
        call: &Call<'_>,
        url: &reqwest::Url,
        body: Option<Bytes>,
        prefix: &str,
        spent: &mut Duration,
    ) -> Result<Body, ApiError> {
        let signed = match call.with {
            With::Nobody => None,
            With::Signed => Some(self.credential().await?),
            With::Value(value) => Some(Credential::ApiKey(value.clone())),
        };
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(credential) = &signed {
            let (name, value) = credential.header()?;
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request = request.body(body);
        }
        let pass = self.throttle.pass(prefix, call.priority).await;
        let started = Instant::now();
        let result = self.exchange(call, request, signed.as_ref()).await;
        *spent += started.elapsed();
        if let Err(ApiError::RateLimited(_, retry_after)) = &result {
            pass.told_to_slow_down(*retry_after);
        }
        drop(pass);
        if let (With::Signed, Some(credential), Err(ApiError::Unauthorized(exchange))) =
            (call.with, &signed, &result)
            && self.session_is_over(credential)
        {
            return Err(ApiError::SessionEnded(exchange.clone()));
        }
        result
    }

    /// One request and its answer.
    async fn exchange(
        &self,
        call: &Call<'_>,
        request: reqwest::RequestBuilder,
        signed: Option<&Credential>,
    ) -> Result<Body, ApiError> {
        let before = self.clock.now();
        let response =
            request.send().await.map_err(|error| self.on_the_way(call.asked, &error, false))?;
        let after = self.clock.now();
        let status = response.status();
        let date = served_at(response.headers());
        let kind = Kind::of(response.headers());
        let told = |sent: Sent| self.told(call.asked, sent, Some(status));

        if status.is_redirection() {
            // A 303 is how some servers answer a POST they have processed.
            return Err(ApiError::RedirectRefused(told(Sent::Unknown)));
        }
        if !status.is_success() {
            let retry_after = retry_after(response.headers(), self.server_now());
            // What the body says only adds words; the status has already decided.
            let body = self.body(call.asked, response, ERROR_BODY).await.unwrap_or_default();
            // Also the one that is signed in while another is tried.
            let own = self.own_secret();
            let sent = signed.map(Credential::secret);
            let secrets: Vec<&Secret> = sent.into_iter().chain(call.hide).chain(&own).collect();
            let error = self.refusal(call, status, kind, &body, &secrets, retry_after);
            if !matches!(error, ApiError::NotPalette(_) | ApiError::ServerFault(_)) {
                self.learn_offset(before, after, date);
            }
            return Err(error);
        }
        if call.expect == Expect::NoContent {
            return match (status, kind) {
                (StatusCode::NO_CONTENT, _) => {
                    self.learn_offset(before, after, date);
                    Ok(Body::default())
                }
                (_, Kind::Html) => Err(ApiError::NotPalette(told(Sent::Unknown))),
                _ => Err(ApiError::AnswerUnreadable(told(Sent::Unknown))),
            };
        }
        let cap = match call.expect {
            Expect::List => self.limits.list_body,
            _ => self.limits.other_body,
        };
        if matches!(kind, Kind::Html | Kind::Other) {
            return Err(ApiError::NotPalette(told(Sent::Unknown)));
        }
        let body = self.body(call.asked, response, cap).await.map_err(|error| match error {
            // The status is known here, and belongs to the words.
            ApiError::AnswerTooLarge(_) => ApiError::AnswerTooLarge(told(Sent::Unknown)),
            error => error,
        })?;
        if body.trim_ascii_start().first() == Some(&b'<') {
            return Err(ApiError::NotPalette(told(Sent::Unknown)));
        }
        self.learn_offset(before, after, date);
        Ok(body)
    }

    /// Reads a body up to `cap` bytes into memory that is wiped, also where it had to grow.
    async fn body(
        &self,
        asked: Asked,
        mut response: Response,
        cap: usize,
    ) -> Result<Body, ApiError> {
        let too_large = || ApiError::AnswerTooLarge(self.told(asked, Sent::Unknown, None));
        let announced = response.content_length().unwrap_or(0);
        if announced > cap as u64 {
            return Err(too_large());
        }
        let room = usize::try_from(announced).unwrap_or(cap).max(16 * 1024);
        let mut body = Zeroizing::new(Vec::with_capacity(room.min(cap)));
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.on_the_way(asked, &error, true))?;
            let Some(chunk) = chunk else { return Ok(body) };
            let size = body.len() + chunk.len();
            if size > cap {
                return Err(too_large());
            }
            if size > body.capacity() {
                // Not `reserve`: it would leave the old bytes behind, unwiped.
                let mut larger = Zeroizing::new(Vec::with_capacity((size * 2).min(cap)));
                larger.extend_from_slice(&body);
                body = larger;
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// An answer that is neither success nor redirect (fact sheet §6).
    fn refusal(
        &self,
        call: &Call<'_>,
        status: StatusCode,
        kind: Kind,
        body: &[u8],
        secrets: &[&Secret],
        retry_after: Option<Duration>,
    ) -> ApiError {
        let server = wire::error(body).ok();
        let spoke = server.is_some();
        let server = server.unwrap_or_default();
        let shown = |text: Option<String>, longest| {
            text.map(|text| redacted(&text, secrets, longest)).filter(|text| !text.is_empty())
        };
        let told = |sent: Sent| Exchange {
            host: self.origin.host().to_owned(),
            asked: call.asked,
            sent,
            details: Some(Box::new(ErrorDetails {
                status: Some(status.as_u16()),
                server_code: shown(server.code.clone(), LONGEST_WORD),
                server_message: shown(server.message.clone(), LONGEST_MESSAGE),
                reference: shown(server.reference.clone(), LONGEST_WORD),
            })),
        };
        let html = !spoke && (kind == Kind::Html || body.trim_ascii_start().starts_with(b"<"));
        match status.as_u16() {
            429 => ApiError::RateLimited(told(Sent::No), retry_after),
            407 => ApiError::ProxyFailed(told(Sent::No)),
            // Time-outs of a server or a gateway that may have passed the request on.
            408 | 499 | 500.. => ApiError::ServerFault(told(Sent::Unknown)),
            // A web page is a proxy's or another site's word, never Palette's (trust.md 5.1).
            _ if html => ApiError::NotPalette(told(Sent::Refused)),
            401 => ApiError::Unauthorized(told(Sent::Refused)),
            403 => ApiError::Forbidden(told(Sent::Refused)),
            404 if spoke && !server.numeric && server.code.is_some() => {
                ApiError::Gone(told(Sent::Refused))
            }
            404 | 405 if server.numeric => ApiError::Absent(told(Sent::Refused)),
            404 if !spoke => ApiError::NotPalette(told(Sent::Refused)),
            _ => ApiError::Refused(told(Sent::Refused)),
        }
    }

    /// A failure below HTTP. The error itself is dropped: it may hold the URL, which may hold a
    /// login token.
    fn on_the_way(&self, asked: Asked, error: &reqwest::Error, answered: bool) -> ApiError {
        let found = Found::of(error);
        let connecting = error.is_connect() && !answered;
        let sent = if connecting { Sent::No } else { Sent::Unknown };
        let told = self.told(asked, sent, None);
        if let Some(problem) = found.tls {
            // A proxy with a bad certificate of its own is a rare case of the same words.
            return ApiError::TlsUntrusted(told, problem);
        }
        if connecting && (found.tunnel || (self.custom_proxy && !error.is_timeout())) {
            return ApiError::ProxyFailed(told);
        }
        if error.is_dns() {
            return ApiError::HostUnknown(told);
        }
        if error.is_timeout() {
            return ApiError::TimedOut(told);
        }
        if error.is_builder() {
            return ApiError::Internal("the request could not be built");
        }
        if connecting {
            return ApiError::HostUnreachable(told);
        }
        if found.not_http {
            return ApiError::AnswerUnreadable(told);
        }
        ApiError::ConnectionLost(told)
    }

    pub(super) fn told(&self, asked: Asked, sent: Sent, status: Option<StatusCode>) -> Exchange {
        Exchange {
            host: self.origin.host().to_owned(),
            asked,
            sent,
            details: status.map(|status| {
                Box::new(ErrorDetails { status: Some(status.as_u16()), ..ErrorDetails::default() })
            }),
        }
    }

    /// Learns the server's clock. Its `Date` has whole seconds and was written somewhere between
    /// `before` and `after`: an offset that fits is kept, so that it does not tremble.
    fn learn_offset(&self, before: Timestamp, after: Timestamp, date: Option<Timestamp>) {
        let Some(date) = date else { return };
        let least = date.duration_since(after).as_millis();
        let most = date.duration_since(before).as_millis() + 1000;
        let known = i128::from(self.offset_ms.load(Ordering::Relaxed));
        if known < least || known > most {
            let middle = i64::try_from((least + most) / 2).unwrap_or_default();
            self.offset_ms.store(middle, Ordering::Relaxed);
        }
    }

    pub(super) fn server_now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        let now = self.clock.now();
        now.checked_add(offset).unwrap_or(now)
    }
}

/// Worth another try: it may be over in a moment.
fn is_passing(error: &ApiError) -> bool {
    match error {
        ApiError::HostUnreachable(_)
        | ApiError::ConnectionLost(_)
        | ApiError::TimedOut(_)
        | ApiError::RateLimited(..) => true,
        ApiError::ServerFault(told) => {
            // 501 says "never".
            told.details.as_ref().is_none_or(|details| details.status != Some(501))
        }
        _ => false,
    }
}

/// What the `Content-Type` says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// JSON, or nothing, or plain text: worth reading.
    Readable,
    Html,
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::Readable };
        let kind = value.to_str().unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind {
            "" | "text/plain" | "application/json" | "text/json" => Self::Readable,
            "text/html" | "application/xhtml+xml" => Self::Html,
            kind if kind.ends_with("+json") => Self::Readable,
            _ => Self::Other,
        }
    }
}

fn http_date(value: &HeaderValue) -> Option<Timestamp> {
    let text = value.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

fn served_at(headers: &HeaderMap) -> Option<Timestamp> {
    headers.get(DATE).and_then(http_date)
}

/// `Retry-After`, in seconds or as a date; the throttle caps it.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?;
    if let Some(seconds) = value.to_str().ok().and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    let wait = http_date(value)?.duration_since(now);
    Some(Duration::from_secs(u64::try_from(wait.as_secs()).unwrap_or(0)))
}

/// What the causes of a failure tell.
#[derive(Default)]
struct Found {
    tls: Option<super::error::TlsProblem>,
    tunnel: bool,
    not_http: bool,
}

impl Found {
    fn of(error: &reqwest::Error) -> Self {
        let mut found = Self::default();
        let mut next: Option<&(dyn Error + 'static)> = error.source();
        // Causes do not loop, but nothing promises it.
        for _ in 0..32 {
            let Some(cause) = next else { break };
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                found.tls = Some(tls::problem(tls));
            }
            if let Some(http) = cause.downcast_ref::<hyper::Error>() {
                found.not_http |= http.is_parse();
            }
            // The types of these two are private to the HTTP library; the words are its own,
            // never a server's.
            let words = cause.to_string();
            found.tunnel |= words.starts_with("tunnel error") || words.starts_with("SOCKS error");
            next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                // `source()` of an I/O error skips the error it wraps.
                Some(inner) => Some(inner),
                None => cause.source(),
            };
        }
        found
    }
}
