//! Who the client is signed in as, and how long that lasts.

use super::error::ApiError;
use crate::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Deserialize;
use tokio::time::Instant;

/// Life of a token that does not say how long it lasts (fact sheet §2.3: 15 minutes in the docs).
const USUAL_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// A token is refreshed when less than this is left.
const LITTLE_LEFT: SignedDuration = SignedDuration::from_mins(2);

/// What a connection signs in with. No `Debug`.
#[derive(Clone)]
pub enum Credential {
    /// An API key, sent in the header `ApiKey` (fact sheet §2.1).
    ApiKey(Secret),
    /// A login token, sent raw in `Authorization`, without `Bearer` (fact sheet §2.1).
    Session {
        /// The token.
        jwt: Secret,
    },
}

impl Credential {
    /// The header that carries it, marked so that no library prints it.
    pub(super) fn header(&self) -> Result<(HeaderName, HeaderValue), ApiError> {
        let (name, secret) = match self {
            Self::ApiKey(key) => (HeaderName::from_static("apikey"), key),
            Self::Session { jwt } => (AUTHORIZATION, jwt),
        };
        // EXPOSE: the server has to see it; the header is sensitive and set for this request only.
        let text = secret.expose_secret();
        // A header may hold spaces and Latin letters, a credential may not (fact sheet §3.3).
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ApiError::CredentialMalformed);
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| ApiError::CredentialMalformed)?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    /// The secret in it, for redaction.
    pub(super) fn secret(&self) -> &Secret {
        match self {
            Self::ApiKey(secret) | Self::Session { jwt: secret } => secret,
        }
    }
}

/// From when to when a token is good, on the server's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    begins: Timestamp,
    ends: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    exp: Option<f64>,
    iat: Option<f64>,
}

impl Life {
    /// Reads `exp` and `iat` of a token received at `now`. Its signature is the server's business.
    pub(super) fn of(jwt: &Secret, now: Timestamp) -> Self {
        // EXPOSE: its middle part is read for two times.
        let payload = jwt.expose_secret().split('.').nth(1).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
        let claims: Option<Claims> = serde_json::from_slice(&payload).ok();
        let time = |seconds: Option<f64>| {
            seconds.and_then(|seconds| Timestamp::from_second(seconds as i64).ok())
        };
        let (exp, iat) = claims.map_or((None, None), |claims| (claims.exp, claims.iat));
        let ends = time(exp).unwrap_or_else(|| later(now, USUAL_LIFE));
        let begins = time(iat).filter(|begins| *begins < ends).unwrap_or_else(|| now.min(ends));
        Self { begins, ends }
    }

    /// Less than a quarter of its life, or less than two minutes, or nothing is left. A token that
    /// lives for minutes only is refreshed at half of them, else every call would ask for a new one.
    pub(super) fn wants_refresh(&self, now: Timestamp) -> bool {
        let life = self.ends.duration_since(self.begins);
        let least = (life / 4).max(LITTLE_LEFT.min(life / 2));
        self.ends.duration_since(now) < least
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What the client holds.
pub(super) enum Held {
    /// Nobody signed in.
    Nothing,
    /// A password session was there and ended.
    Ended,
    /// A credential.
    Credential {
        /// Sent with each call.
        credential: Credential,
        /// None for an API key.
        life: Option<Life>,
        /// When a refresh was last tried and the token stayed.
        tried: Option<Instant>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload)))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time")
    }

    #[test]
    fn when_to_refresh() {
        let life = Life::of(&jwt(r#"{"iat":1000,"exp":1900}"#), at(1000));
        for (now, wants) in
            [(1000, false), (1674, false), (1676, true), (1900, true), (99_000, true)]
        {
            assert_eq!(life.wants_refresh(at(now)), wants, "{now}");
        }
        let short = Life::of(&jwt(r#"{"iat":1000,"exp":1300}"#), at(1000));
        assert!(!short.wants_refresh(at(1179)));
        assert!(short.wants_refresh(at(1181)), "less than two minutes");
        let tiny = Life::of(&jwt(r#"{"iat":1000,"exp":1060}"#), at(1000));
        assert!(!tiny.wants_refresh(at(1000)), "not at once");
        assert!(tiny.wants_refresh(at(1031)));
    }

    #[test]
    fn tokens_that_do_not_say() {
        let usual = Life { begins: at(1000), ends: at(1900) };
        for token in ["", "x", "a.b.c", "a.!!.c", "a..", "ä.ö.ü"] {
            assert_eq!(Life::of(&Secret::new(token.into()), at(1000)), usual, "{token}");
        }
        for payload in ["{}", "[]", r#"{"exp":"soon"}"#, r#"{"exp":1e300}"#] {
            assert_eq!(Life::of(&jwt(payload), at(1000)), usual, "{payload}");
        }
        let odd = Life::of(&jwt(r#"{"exp":500.7,"iat":900}"#), at(1000));
        assert!(odd.wants_refresh(at(1000)));
    }

    #[test]
    fn credentials_that_cannot_be_sent() {
        for text in ["", "a b", "a\nb", "a\r\nApiKey: x", "ä", "a\u{0}"] {
            let key = Credential::ApiKey(Secret::new(text.into()));
            assert_eq!(key.header().err(), Some(ApiError::CredentialMalformed), "{text:?}");
        }
        let header = Credential::ApiKey(Secret::new("abc".into())).header();
        assert!(header.is_ok_and(|(_, value)| value.is_sensitive()));
    }
}
