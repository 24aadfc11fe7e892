//! What can go wrong between us and a Palette host.
//!
//! Every variant answers two questions a caller has: what words to show ([`ApiError::failure`])
//! and whether the server may have done what was asked ([`ApiError::sent`]). None of them holds a
//! secret: server text is redacted and capped before it gets here, and the errors of serde and
//! reqwest, which can hold values and URLs, are dropped on the way.

use crate::{ErrorCode, ErrorDetails, Failure};
use std::time::Duration;

/// Whether a request may have been processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Provably never processed.
    No,
    /// The server answered and refused.
    Refused,
    /// May have been processed: a timeout, a reset, a cut or unreadable answer, a 5xx.
    Unknown,
}

/// What kind of thing was asked, for the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Something was read; nothing could change.
    Read,
    /// A key was to be changed, revoked, re-activated or deleted.
    Change,
    /// A key was to be made.
    Create,
    /// A person signs in, or a value is tried.
    SignIn,
}

/// One request and its end: what was asked of whom, and what came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `host[:port]` it went to.
    pub host: String,
    /// What kind of thing was asked.
    pub asked: Asked,
    /// Whether it may have been processed.
    pub sent: Sent,
    /// What the server said, redacted and capped; none when it did not speak.
    pub details: Option<Box<ErrorDetails>>,
}

/// Why the encrypted connection was not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProblem {
    /// The certificate has ended.
    Expired,
    /// The certificate begins in the future, or this computer's clock is wrong.
    NotYetValid,
    /// The certificate is for another host.
    WrongHost,
    /// No authority we know vouches for it: a private authority, or somebody in between.
    UnknownAuthority,
    /// The certificate was revoked, is damaged, or is for another purpose.
    BadCertificate,
    /// The two sides have no version or cipher in common, or the other side does not speak TLS.
    Protocol,
}

/// A call to Palette that did not give what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No credential is set; nothing was sent.
    #[error("not signed in")]
    NotSignedIn,
    /// The password session ended, or its refresh was refused.
    #[error("the session has ended")]
    SessionEnded(Exchange),
    /// The password was right but a second factor is asked, for which Palette has no public
    /// call (fact sheet §2.2).
    #[error("a second factor is needed")]
    MfaRequired(Exchange),
    /// The e-mail address is in several organizations and none was named (fact sheet §2.2 \[UNK\]).
    #[error("an organization is needed")]
    OrganizationNeeded(Exchange),
    /// The server does not accept this credential: wrong, ended, revoked, or of another host
    /// (fact sheet §6: these cannot be told apart).
    #[error("the credential was rejected")]
    CredentialRejected(Exchange),
    /// The credential has characters that cannot be sent in a header.
    #[error("the credential is malformed")]
    CredentialMalformed,
    /// The added certificate authority is not readable PEM.
    #[error("the certificate is not readable")]
    CertificateInvalid,
    /// The proxy's address is not understood.
    #[error("the proxy address is not understood")]
    ProxyInvalid,
    /// No address was found for the host's name.
    #[error("the host is not known")]
    HostUnknown(Exchange),
    /// The host refused the connection or no way leads to it.
    #[error("the host cannot be reached")]
    HostUnreachable(Exchange),
    /// The connection broke before the answer was complete.
    #[error("the connection broke")]
    ConnectionLost(Exchange),
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut(Exchange),
    /// The encrypted connection is not trusted. Nothing was sent.
    #[error("the connection is not trusted")]
    TlsUntrusted(Exchange, TlsProblem),
    /// The proxy could not be used.
    #[error("the proxy failed")]
    ProxyFailed(Exchange),
    /// The server sent us elsewhere; we never follow (trust.md section 0, 4).
    #[error("a redirect was refused")]
    RedirectRefused(Exchange),
    /// What answered is not Palette: a web page, a captive portal, a proxy.
    #[error("this is not Palette")]
    NotPalette(Exchange),
    /// The answer is not what Palette answers here, or was cut.
    #[error("the answer is not readable")]
    AnswerUnreadable(Exchange),
    /// The answer is larger than we accept.
    #[error("the answer is too large")]
    AnswerTooLarge(Exchange),
    /// 429; not processed (fact sheet §7). With the pause the server asked for, at most 60 s.
    #[error("too many requests")]
    RateLimited(Exchange, Option<Duration>),
    /// 5xx.
    #[error("the server failed")]
    ServerFault(Exchange),
    /// 401 on a call other than the identity probe.
    #[error("unauthorized")]
    Unauthorized(Exchange),
    /// 403: the caller lacks the permission.
    #[error("forbidden")]
    Forbidden(Exchange),
    /// 404 with a string code: the object does not exist (fact sheet §6).
    #[error("not found")]
    Gone(Exchange),
    /// 404 or 405 with a numeric code: this build has no such call (fact sheet §6).
    #[error("the call is absent")]
    Absent(Exchange),
    /// Any other 4xx: the server does not want it.
    #[error("refused")]
    Refused(Exchange),
    /// The last attempt ended so, but an earlier one may have been processed.
    #[error("unconfirmed: {0}")]
    Unconfirmed(Box<ApiError>),
    /// Something that cannot happen did, named in fixed words.
    #[error("internal: {0}")]
    Internal(&'static str),
}

impl ApiError {
    /// Whether the request may have been processed.
    pub fn sent(&self) -> Sent {
        match self {
            Self::Unconfirmed(_) => Sent::Unknown,
            other => other.exchange().map_or(Sent::No, |exchange| exchange.sent),
        }
    }

    /// True for "the object does not exist".
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Gone(_))
    }

    /// True when the credential no longer works: a person must sign in.
    pub fn needs_sign_in(&self) -> bool {
        match self {
            Self::NotSignedIn
            | Self::SessionEnded(_)
            | Self::CredentialRejected(_)
            | Self::CredentialMalformed
            | Self::Unauthorized(_) => true,
            Self::Unconfirmed(last) => last.needs_sign_in(),
            _ => false,
        }
    }

    /// True when it is Palette's own answer to somebody without a credential: the way there works.
    pub(crate) fn comes_from_palette(&self) -> bool {
        self.needs_sign_in() || matches!(self, Self::Forbidden(_) | Self::RateLimited(..))
    }

    /// True when the server could not be asked at all just now: what is remembered still counts.
    pub fn is_offline(&self) -> bool {
        match self {
            Self::HostUnknown(_)
            | Self::HostUnreachable(_)
            | Self::ConnectionLost(_)
            | Self::TimedOut(_)
            | Self::TlsUntrusted(..)
            | Self::ProxyFailed(_)
            | Self::RedirectRefused(_)
            | Self::NotPalette(_)
            | Self::RateLimited(..)
            | Self::ServerFault(_) => true,
            Self::Unconfirmed(last) => last.is_offline(),
            _ => false,
        }
    }

    /// The exchange it came from; none when nothing was sent.
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::SessionEnded(exchange)
            | Self::MfaRequired(exchange)
            | Self::OrganizationNeeded(exchange)
            | Self::CredentialRejected(exchange)
            | Self::HostUnknown(exchange)
            | Self::HostUnreachable(exchange)
            | Self::ConnectionLost(exchange)
            | Self::TimedOut(exchange)
            | Self::TlsUntrusted(exchange, _)
            | Self::ProxyFailed(exchange)
            | Self::RedirectRefused(exchange)
            | Self::NotPalette(exchange)
            | Self::AnswerUnreadable(exchange)
            | Self::AnswerTooLarge(exchange)
            | Self::RateLimited(exchange, _)
            | Self::ServerFault(exchange)
            | Self::Unauthorized(exchange)
            | Self::Forbidden(exchange)
            | Self::Gone(exchange)
            | Self::Absent(exchange)
            | Self::Refused(exchange) => Some(exchange),
            Self::Unconfirmed(last) => last.exchange(),
            Self::NotSignedIn
            | Self::CredentialMalformed
            | Self::CertificateInvalid
            | Self::ProxyInvalid
            | Self::Internal(_) => None,
        }
    }

    /// The code the window matches on.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotSignedIn | Self::SessionEnded(_) => ErrorCode::NotSignedIn,
            Self::MfaRequired(_) => ErrorCode::MfaRequired,
            Self::OrganizationNeeded(_) => ErrorCode::OrganizationNeeded,
            Self::CredentialRejected(_) => ErrorCode::CredentialRejected,
            Self::CredentialMalformed => ErrorCode::KeyMalformed,
            Self::CertificateInvalid => ErrorCode::CertificateInvalid,
            Self::ProxyInvalid => ErrorCode::ProxyInvalid,
            Self::HostUnknown(_) => ErrorCode::HostUnknown,
            Self::HostUnreachable(_) | Self::ConnectionLost(_) => ErrorCode::HostUnreachable,
            Self::TimedOut(_) => ErrorCode::TimedOut,
            Self::TlsUntrusted(..) => ErrorCode::TlsUntrusted,
            Self::ProxyFailed(_) => ErrorCode::ProxyFailed,
            Self::RedirectRefused(_) => ErrorCode::RedirectRefused,
            Self::NotPalette(_) => ErrorCode::NotPalette,
            Self::AnswerUnreadable(_) => ErrorCode::AnswerUnreadable,
            Self::AnswerTooLarge(_) => ErrorCode::AnswerTooLarge,
            Self::RateLimited(..) => ErrorCode::RateLimited,
            Self::ServerFault(_) => ErrorCode::ServerFault,
            Self::Unauthorized(_) => ErrorCode::Unauthorized,
            Self::Forbidden(_) => ErrorCode::Forbidden,
            Self::Gone(_) => ErrorCode::KeyGone,
            Self::Absent(_) | Self::Refused(_) => ErrorCode::Refused,
            Self::Unconfirmed(last) => last.code(),
            Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// The one error that leaves this crate: what happened, what was and was not changed, and one
    /// next step, in plain words.
    pub fn failure(&self) -> Failure {
        let (what, next) = self.words();
        let mut message = what;
        for part in [self.effect(), next] {
            if !part.is_empty() {
                message.push(' ');
                message.push_str(part);
            }
        }
        Failure {
            code: self.code(),
            message,
            details: self.exchange().and_then(|exchange| exchange.details.as_deref().cloned()),
        }
    }

    /// The same as the reason why something longer stopped on its way. `stands` says what is so by
    /// now, in place of what this one call did or did not change; `next` is what to do where the
    /// answer itself tells nothing.
    pub(crate) fn failure_on_the_way(&self, stands: &str, next: &str) -> Failure {
        let (what, own) = self.words();
        let next = if own.is_empty() { next } else { own };
        Failure { message: format!("{stands} {what} {next}"), ..self.failure() }
    }

    /// The same for something that goes on being tried: what happened, and what a person could
    /// mend. That it is not confirmed, and when it is tried next, is said beside it.
    pub fn failure_while_trying(&self) -> Failure {
        let last = match self {
            Self::Unconfirmed(last) => last,
            other => other,
        };
        let (mut message, next) = last.words();
        let next = match last {
            Self::NotSignedIn => "Sign in.",
            Self::HostUnreachable(_) => "Check your network, VPN and the address.",
            Self::ConnectionLost(_) | Self::TimedOut(_) => "Check your network.",
            Self::RateLimited(..)
            | Self::ServerFault(_)
            | Self::AnswerUnreadable(_)
            | Self::Internal(_) => "",
            _ => next,
        };
        if !next.is_empty() {
            message.push(' ');
            message.push_str(next);
        }
        Failure { message, ..self.failure() }
    }

    /// What was and was not changed.
    fn effect(&self) -> &'static str {
        let Some(exchange) = self.exchange() else { return "" };
        match (exchange.asked, self.sent()) {
            (Asked::Read | Asked::SignIn, _) => "",
            (Asked::Change, Sent::No | Sent::Refused) => "Nothing was changed.",
            (Asked::Create, Sent::No | Sent::Refused) => "No key was made.",
            (Asked::Change, Sent::Unknown) => {
                "It is not known whether the change was made; reading the key again will show it."
            }
            (Asked::Create, Sent::Unknown) => {
                "It is not known whether a key was made; the list will show it."
            }
        }
    }

    /// What happened, and one next step.
    fn words(&self) -> (String, &'static str) {
        let host = self.exchange().map_or("The server", |exchange| exchange.host.as_str());
        let said = || self.exchange().and_then(said).unwrap_or_default();
        match self {
            Self::NotSignedIn => ("You are not signed in.".into(), "Sign in and try again."),
            Self::SessionEnded(_) => {
                (format!("Your session on {host} has ended."), "Sign in again.")
            }
            Self::MfaRequired(_) => (
                format!("{host} asks for a second factor, which only the web console can take."),
                "Make an API key in the console and sign in with it here.",
            ),
            Self::OrganizationNeeded(_) => (
                format!("{host} needs to know the organization for this e-mail address."),
                "Enter the organization's name and try again.",
            ),
            Self::CredentialRejected(_) => (
                format!(
                    "{host} does not accept this credential. It may be mistyped, expired, revoked, \
                     or belong to another Palette host or organization."
                ),
                "Check it and the address.",
            ),
            Self::CredentialMalformed => (
                "This does not look like an API key: it has characters that no key has.".into(),
                "Copy it again, without spaces or line breaks.",
            ),
            Self::CertificateInvalid => (
                "The CA certificate is not readable.".into(),
                "Choose a file in PEM form: it begins with -----BEGIN CERTIFICATE-----.",
            ),
            Self::ProxyInvalid => (
                "The proxy's address is not understood.".into(),
                "Enter it like http://proxy.example.com:3128.",
            ),
            Self::HostUnknown(_) => (
                format!("No computer named {host} was found."),
                "Check the address and your network.",
            ),
            Self::HostUnreachable(_) => (
                format!("{host} cannot be reached."),
                "Check your network, VPN and the address, then try again.",
            ),
            Self::ConnectionLost(_) => (
                format!("The connection to {host} broke before its answer was complete."),
                "Check your network and try again.",
            ),
            Self::TimedOut(_) => {
                (format!("{host} did not answer in time."), "Check your network and try again.")
            }
            Self::TlsUntrusted(_, problem) => tls_words(host, *problem),
            Self::ProxyFailed(_) => (
                format!("The proxy could not be used to reach {host}."),
                "Check the proxy in the connection's options.",
            ),
            Self::RedirectRefused(_) => (
                format!(
                    "{host} sent us to another address. Palette Keys does not follow, so that a \
                     key never reaches a host you did not name."
                ),
                "Check the address; a network sign-in page may also be in the way.",
            ),
            Self::NotPalette(_) => (
                format!("What answers at {host} does not look like Palette."),
                "Check the address; a network sign-in page or proxy may also be in the way.",
            ),
            Self::AnswerUnreadable(_) => {
                (format!("{host} gave an answer that could not be understood."), "Try again.")
            }
            Self::AnswerTooLarge(_) => (
                format!("{host} gave a larger answer than Palette Keys accepts."),
                "Check the address.",
            ),
            Self::RateLimited(..) => (
                format!("{host} receives too many requests from your network."),
                "Try again in a few moments.",
            ),
            Self::ServerFault(_) => {
                (format!("{host} reported a fault of its own."), "Try again later.")
            }
            Self::Unauthorized(_) => {
                (format!("{host} no longer accepts your credential."), "Sign in again.")
            }
            Self::Forbidden(_) => (
                format!("You may not do this on {host}.{}", said()),
                "Ask a tenant admin for the permission.",
            ),
            Self::Gone(_) => (
                format!("{host} does not have this any more: it was deleted."),
                "Refresh the list.",
            ),
            Self::Absent(_) => (
                format!("This version of Palette at {host} does not offer that."),
                "Ask its administrator about an upgrade.",
            ),
            Self::Refused(_) => (format!("{host} refused this.{}", said()), ""),
            Self::Unconfirmed(last) => last.words(),
            Self::Internal(what) => {
                (format!("Something went wrong inside Palette Keys ({what})."), "Try again.")
            }
        }
    }
}

/// The server's own sentence, quoted.
fn said(exchange: &Exchange) -> Option<String> {
    let message = exchange.details.as_ref()?.server_message.as_ref()?;
    Some(format!(" It says: “{message}”."))
}

fn tls_words(host: &str, problem: TlsProblem) -> (String, &'static str) {
    match problem {
        TlsProblem::Expired => (
            format!("The certificate of {host} has expired, so the connection was not made."),
            "Tell its administrator, and check this computer's clock.",
        ),
        TlsProblem::NotYetValid => (
            format!("The certificate of {host} is not valid yet, so the connection was not made."),
            "Check this computer's clock.",
        ),
        TlsProblem::WrongHost => (
            format!(
                "The certificate shown by {host} is for another host, so the connection was not \
                 made."
            ),
            "Check the address.",
        ),
        TlsProblem::UnknownAuthority => (
            format!(
                "The certificate of {host} is not from an authority this computer knows, so the \
                 connection was not made."
            ),
            "If this is your own Palette, add its CA certificate in the connection's options.",
        ),
        TlsProblem::BadCertificate => (
            format!("The certificate of {host} is not acceptable, so the connection was not made."),
            "Tell its administrator.",
        ),
        TlsProblem::Protocol => (
            format!("No secure connection could be agreed on with {host}."),
            "Check the address and the port.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_by_itself_asks_nobody_to_try_again() {
        let exchange = || Exchange {
            host: "palette.example".into(),
            asked: Asked::Change,
            sent: Sent::Unknown,
            details: None,
        };
        let passing = [
            ApiError::HostUnreachable(exchange()),
            ApiError::ConnectionLost(exchange()),
            ApiError::TimedOut(exchange()),
            ApiError::ServerFault(exchange()),
            ApiError::RateLimited(exchange(), None),
            ApiError::AnswerUnreadable(exchange()),
        ];
        for error in passing {
            let asked = error.failure();
            assert!(asked.message.to_lowercase().contains("try again"), "{}", asked.message);
            let repeated = ApiError::Unconfirmed(Box::new(error.clone()));
            for error in [error, repeated] {
                let told = error.failure_while_trying();
                assert!(!told.message.to_lowercase().contains("try"), "{}", told.message);
                assert!(told.message.contains("palette.example"), "{}", told.message);
                assert_eq!(told.code, asked.code);
            }
        }
    }
}
