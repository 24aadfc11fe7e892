//! Faults that can be switched on from tests: each of trust.md section 6 A4 that a server can
//! cause, and the hostile bodies of A4 and D30.

/// Which requests a fault is for. Every field that is set has to match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matcher {
    /// HTTP method, upper case.
    pub method: Option<String>,
    /// Start of the raw path (not decoded, without the query).
    pub path_prefix: Option<String>,
    /// Text somewhere in the raw path.
    pub path_contains: Option<String>,
    /// A header, by name in any case, with exactly this value.
    pub header: Option<(String, String)>,
}

impl Matcher {
    /// Every request.
    #[must_use]
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request with this method.
    #[must_use]
    pub fn method(method: &str) -> Self {
        Self { method: Some(method.to_ascii_uppercase()), ..Self::default() }
    }

    /// Every request whose path starts so.
    #[must_use]
    pub fn path(prefix: &str) -> Self {
        Self { path_prefix: Some(prefix.to_owned()), ..Self::default() }
    }

    /// Method and start of the path.
    #[must_use]
    pub fn on(method: &str, prefix: &str) -> Self {
        Self { path_prefix: Some(prefix.to_owned()), ..Self::method(method) }
    }

    fn matches(&self, method: &str, path: &str, headers: &[(String, String)]) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path_prefix.as_ref().is_none_or(|prefix| path.starts_with(prefix.as_str()))
            && self.path_contains.as_ref().is_none_or(|part| path.contains(part.as_str()))
            && self.header.as_ref().is_none_or(|(name, value)| {
                headers.iter().any(|(n, v)| n.eq_ignore_ascii_case(name) && v == value)
            })
    }
}

/// What goes wrong. "Handled" means that the tenant was changed as the request asked ("committed");
/// the faults that do not say so leave the tenant alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This answer instead of the real one.
    Status {
        /// HTTP status.
        code: u16,
        /// The whole body.
        body: String,
        /// `Content-Type` of the body.
        content_type: String,
        /// Further headers.
        headers: Vec<(String, String)>,
    },
    /// The connection is reset without a byte of an answer; nothing is done.
    ResetBeforeHandling,
    /// Handled, then the connection is reset without a byte of an answer.
    ResetAfterHandling,
    /// Never answers; nothing is done.
    HangBeforeHandling,
    /// Handled, then never answers.
    HangAfterHandling,
    /// Handled and answered properly, this much later (the wait comes first).
    DelayMs(u64),
    /// Handled; the answer comes at one byte a second from its first byte on (slow-loris).
    SlowHeaders,
    /// Handled; the answer announces its full length and ends after `at` bytes of body.
    CutBody {
        /// Bytes of the body that are sent.
        at: usize,
    },
    /// Handled; the status is the real one, the body this text (204 becomes 200).
    ReplaceBody(String),
    /// 429 `TooManyRequests`, with `Retry-After` in seconds or without.
    RateLimited {
        /// Value of `Retry-After`.
        retry_after: Option<u64>,
    },
    /// A redirect with this `Location`.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        code: u16,
        /// The `Location`.
        to: String,
    },
    /// 200 with a page of HTML (a captive portal).
    HtmlOk,
    /// 404 with a page of HTML (a proxy).
    HtmlNotFound,
    /// 200 without a body.
    Empty,
    /// 200 `application/json` with this text as the body, whatever it is.
    GarbageJson(String),
    /// 200 with a JSON body that never ends, as fast as the client reads.
    EndlessBody,
    /// 200 with a JSON-like body of this many bytes.
    HugeBody {
        /// Size of the body.
        bytes: u64,
    },
    /// Handled; headers at once, then the body at one byte a second.
    Drip,
    /// Handled; this many extra headers in the answer (at most 30,000).
    ManyHeaders(usize),
    /// Handled; one extra header of this many bytes.
    BigHeader {
        /// Length of the header's value.
        bytes: usize,
    },
}

impl Fault {
    /// A JSON answer with this status in Palette's error form (fact sheet §6).
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({
            "code": code, "message": message, "details": {}, "ref": crate::tenant::reference(),
        });
        Self::status(status, "application/json", &body.to_string())
    }

    /// An answer with this status, content type and body.
    #[must_use]
    pub fn status(code: u16, content_type: &str, body: &str) -> Self {
        Self::Status {
            code,
            body: body.to_owned(),
            content_type: content_type.to_owned(),
            headers: Vec::new(),
        }
    }

    /// The 20 faults of trust.md section 6 A4 that a server can cause, by name; `elsewhere` is
    /// where the redirects point. The other two are "refused" ([`crate::Sim::go_down`]) and "DNS"
    /// (the client's own).
    #[must_use]
    pub fn scorecard(elsewhere: &str) -> Vec<(&'static str, Self)> {
        let html = "text/html; charset=utf-8";
        let redirect = |code| Self::Redirect { code, to: elsewhere.to_owned() };
        vec![
            ("reset before commit", Self::ResetBeforeHandling),
            ("reset after commit", Self::ResetAfterHandling),
            ("timeout", Self::HangBeforeHandling),
            ("slow-loris headers", Self::SlowHeaders),
            ("cut body", Self::CutBody { at: 5 }),
            ("429", Self::RateLimited { retry_after: None }),
            ("429 with Retry-After", Self::RateLimited { retry_after: Some(2) }),
            ("500", Self::error(500, "InternalServerError", "Something went wrong")),
            ("502", Self::status(502, html, "<html><h1>502 Bad Gateway</h1></html>")),
            ("503 HTML", Self::status(503, html, "<html><h1>503 Unavailable</h1></html>")),
            ("504", Self::status(504, html, "<html><h1>504 Gateway Time-out</h1></html>")),
            ("200 HTML", Self::HtmlOk),
            ("301", redirect(301)),
            ("302", redirect(302)),
            ("307", redirect(307)),
            ("308", redirect(308)),
            ("401", Self::error(401, "UnAuthorizedAccess", "Access is not authorized")),
            ("403", Self::error(403, "OperationForbidden", "Operation is forbidden")),
            ("404 JSON", Self::error(404, "ResourceNotFound", "The resource was not found")),
            ("404 HTML", Self::HtmlNotFound),
        ]
    }
}

/// The faults that are switched on, in the order they were set.
#[derive(Default)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
}

struct Armed {
    matcher: Matcher,
    fault: Fault,
    left: Option<u32>,
}

impl Faults {
    pub(crate) fn add(&mut self, matcher: Matcher, fault: Fault, times: Option<u32>) {
        if times != Some(0) {
            self.armed.push(Armed { matcher, fault, left: times });
        }
    }

    pub(crate) fn clear(&mut self) {
        self.armed.clear();
    }

    /// The fault for this request, counted as used.
    pub(crate) fn take(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
    ) -> Option<Fault> {
        let at = self.armed.iter().position(|a| a.matcher.matches(method, path, headers))?;
        let armed = self.armed.get_mut(at)?;
        let fault = armed.fault.clone();
        if let Some(left) = armed.left.as_mut() {
            *left -= 1;
            if *left == 0 {
                self.armed.remove(at);
            }
        }
        Some(fault)
    }
}
