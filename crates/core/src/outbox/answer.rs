//! What an answer means for a record: the table of trust.md 5.1, for revocations and deletions
//! alike.

use crate::{
    ErrorCode, Failure,
    api::{ApiError, chance},
};
use std::time::Duration;

/// The longest pause while nothing but time is needed, and the pause after an untrusted connection.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Between two tries of a record that needs a person.
pub(super) const BLOCKED_PAUSE: Duration = Duration::from_secs(15 * 60);

/// Between two looks at a keychain that could not be read.
pub(super) const KEYCHAIN_PAUSE: Duration = Duration::from_secs(10);

/// The first pause doubles from here.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No pause is shorter.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// Answers of something that is not Palette, in a row, before a person is asked to look.
const STRANGE: u32 = 3;

/// What a try met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// The server took it, or had done it, but a fresh read does not show it.
    Accepted,
    /// Palette says that there is no such key, but its list does not agree.
    NotThere,
    /// A proxy, a captive portal, another site.
    NotPalette,
    /// The credential is missing, has ended, or is refused.
    Credential,
    /// The permission is missing.
    Forbidden,
    /// The server does not want it.
    Refused,
    /// Too many requests: the throttle waits, and it does not count as a try.
    Throttled,
    /// Unknown or over in a moment: 5xx, time-outs, resets, no network.
    Passing,
    /// The encrypted connection is not trusted.
    Untrusted,
    /// The keychain that holds the credential cannot be read.
    Keychain,
    /// The connection is not the one the record was made for.
    Misdirected,
}

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    /// It counts as a try.
    pub(super) counts: bool,
    /// The key is read again, since it may be revoked all the same.
    pub(super) read_again: bool,
    /// A person has to help.
    pub(super) blocked: Blocked,
    /// When it is tried next.
    pub(super) pause: Pause,
}

/// Whether a person has to help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocked {
    Never,
    /// After [`STRANGE`] in a row.
    InTheEnd,
    Always,
}

/// When a record is tried next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// As soon as the throttle lets it.
    None,
    /// Full jitter below a bound that doubles up to five minutes.
    Backoff,
    /// This long.
    Fixed(Duration),
}

impl Class {
    /// Of what the HTTP client says.
    pub(super) fn of(error: &ApiError) -> Self {
        match error {
            ApiError::NotSignedIn
            | ApiError::SessionEnded(_)
            | ApiError::MfaRequired(_)
            | ApiError::OrganizationNeeded(_)
            | ApiError::CredentialRejected(_)
            | ApiError::CredentialMalformed
            | ApiError::Unauthorized(_) => Self::Credential,
            ApiError::Forbidden(_) => Self::Forbidden,
            ApiError::Gone(_) => Self::NotThere,
            ApiError::Absent(_) | ApiError::Refused(_) | ApiError::CertificateInvalid => {
                Self::Refused
            }
            ApiError::RedirectRefused(_) | ApiError::NotPalette(_) => Self::NotPalette,
            ApiError::RateLimited(..) => Self::Throttled,
            ApiError::TlsUntrusted(..) => Self::Untrusted,
            ApiError::HostUnknown(_)
            | ApiError::HostUnreachable(_)
            | ApiError::ConnectionLost(_)
            | ApiError::TimedOut(_)
            | ApiError::ProxyFailed(_)
            | ApiError::ProxyInvalid
            | ApiError::AnswerUnreadable(_)
            | ApiError::AnswerTooLarge(_)
            | ApiError::ServerFault(_)
            | ApiError::Internal(_) => Self::Passing,
            ApiError::Unconfirmed(last) => Self::of(last),
        }
    }

    /// Of why there is no signed-in client.
    pub(super) fn of_sign_in(failure: &Failure) -> Self {
        match failure.code {
            ErrorCode::KeychainAbsent
            | ErrorCode::KeychainLocked
            | ErrorCode::KeychainDismissed
            | ErrorCode::KeychainWaiting
            | ErrorCode::KeychainFailed => Self::Keychain,
            ErrorCode::CertificateInvalid | ErrorCode::ProxyInvalid => Self::Refused,
            ErrorCode::Internal => Self::Passing,
            _ => Self::Credential,
        }
    }

    /// What to do about it.
    pub(super) fn rule(self) -> Rule {
        let blocked = |pause| Rule {
            counts: true,
            read_again: true,
            blocked: Blocked::Always,
            pause: Pause::Fixed(pause),
        };
        let passing =
            Rule { counts: true, read_again: true, blocked: Blocked::Never, pause: Pause::Backoff };
        match self {
            Self::Accepted | Self::Passing => passing,
            Self::NotThere | Self::Forbidden | Self::Refused => blocked(BLOCKED_PAUSE),
            // Asking once more with a credential that is refused tells nothing.
            Self::Credential => Rule { read_again: false, ..blocked(BLOCKED_PAUSE) },
            Self::NotPalette => Rule { read_again: false, blocked: Blocked::InTheEnd, ..passing },
            Self::Throttled => {
                Rule { counts: false, read_again: false, pause: Pause::None, ..passing }
            }
            Self::Untrusted => Rule { read_again: false, ..blocked(LONGEST_PAUSE) },
            // Nothing was sent.
            Self::Keychain => Rule { counts: false, read_again: false, ..blocked(KEYCHAIN_PAUSE) },
            Self::Misdirected => {
                Rule { counts: false, read_again: false, ..blocked(BLOCKED_PAUSE) }
            }
        }
    }
}

impl Rule {
    /// Whether a person has to help, after so many strange answers in a row.
    pub(super) fn is_blocked(self, strange: u32) -> bool {
        match self.blocked {
            Blocked::Never => false,
            Blocked::InTheEnd => strange >= STRANGE,
            Blocked::Always => true,
        }
    }

    /// The pause after so many tries in a row that did not help.
    pub(super) fn pause(self, tries: u32) -> Duration {
        match self.pause {
            Pause::None => Duration::ZERO,
            Pause::Fixed(pause) => pause,
            Pause::Backoff => backoff(tries, chance()),
        }
    }
}

/// Full jitter: evenly below a bound that doubles with each try, so that many apps do not come
/// back at once to a server that just came up.
fn backoff(tries: u32, chance: f64) -> Duration {
    let bound = FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
    bound.mul_f64(chance.clamp(0.0, 1.0)).max(SHORTEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ErrorDetails,
        api::{Asked, Exchange, Sent, TlsProblem},
    };

    #[test]
    fn pauses_grow_to_five_minutes_and_no_further() {
        for tries in [0, 1, 5, 9, 16, 1_000, u32::MAX] {
            assert_eq!(backoff(tries, 0.0), SHORTEST_PAUSE);
            assert!(backoff(tries, 1.0) <= LONGEST_PAUSE);
        }
        assert_eq!(backoff(0, 1.0), Duration::from_secs(1));
        assert_eq!(backoff(3, 0.5), Duration::from_secs(4));
        assert_eq!(backoff(9, 1.0), LONGEST_PAUSE);
    }

    /// The 22 answers of trust check 4, for a revocation or a deletion alike: what each is taken
    /// for, whether a person is called, and whether the key is read again.
    #[test]
    fn every_answer_has_its_meaning() {
        use Class::*;
        let told = |sent, status: Option<u16>| Exchange {
            host: "palette.example".into(),
            asked: Asked::Change,
            sent,
            details: status.map(|status| {
                Box::new(ErrorDetails { status: Some(status), ..ErrorDetails::default() })
            }),
        };
        let lost = || told(Sent::Unknown, None);
        let no = || told(Sent::No, None);
        let said = |status| told(Sent::Refused, Some(status));
        let failed = |status| ApiError::ServerFault(told(Sent::Unknown, Some(status)));
        let redirect = |status| ApiError::RedirectRefused(told(Sent::Unknown, Some(status)));
        let table = [
            ("refused", ApiError::HostUnreachable(no()), Passing, false),
            ("DNS", ApiError::HostUnknown(no()), Passing, false),
            ("reset before commit", ApiError::ConnectionLost(lost()), Passing, false),
            ("reset after commit", ApiError::ConnectionLost(lost()), Passing, false),
            ("timeout", ApiError::TimedOut(lost()), Passing, false),
            ("slow-loris headers", ApiError::TimedOut(lost()), Passing, false),
            ("cut body", ApiError::AnswerUnreadable(lost()), Passing, false),
            ("429", ApiError::RateLimited(no(), None), Throttled, false),
            (
                "429 with Retry-After",
                ApiError::RateLimited(no(), Some(LONGEST_PAUSE)),
                Throttled,
                false,
            ),
            ("500", failed(500), Passing, false),
            ("502", failed(502), Passing, false),
            ("503 HTML", failed(503), Passing, false),
            ("504", failed(504), Passing, false),
            ("200 HTML", ApiError::NotPalette(lost()), NotPalette, false),
            ("301", redirect(301), NotPalette, false),
            ("302", redirect(302), NotPalette, false),
            ("307", redirect(307), NotPalette, false),
            ("308", redirect(308), NotPalette, false),
            ("401", ApiError::Unauthorized(said(401)), Credential, true),
            ("403", ApiError::Forbidden(said(403)), Forbidden, true),
            ("404 JSON", ApiError::Gone(said(404)), NotThere, true),
            ("404 HTML", ApiError::NotPalette(said(404)), NotPalette, false),
        ];
        assert_eq!(table.len(), 22);
        for (name, error, class, blocked) in table {
            assert_eq!(Class::of(&error), class, "{name}");
            assert_eq!(Class::of(&ApiError::Unconfirmed(Box::new(error))), class, "{name}");
            assert_eq!(class.rule().is_blocked(1), blocked, "{name}");
            assert_eq!(class.rule().counts, class != Throttled, "{name}");
            // Never for good, and what needs no person never for longer than five minutes.
            let longest = if blocked { BLOCKED_PAUSE } else { LONGEST_PAUSE };
            assert!(class.rule().pause(99) <= longest, "{name}");
        }
        let others = [
            (ApiError::TlsUntrusted(no(), TlsProblem::UnknownAuthority), Untrusted),
            (ApiError::Refused(said(409)), Refused),
            (ApiError::Absent(said(404)), Refused),
            (ApiError::NotSignedIn, Credential),
            (ApiError::ProxyFailed(no()), Passing),
        ];
        for (error, class) in others {
            assert_eq!(Class::of(&error), class, "{error:?}");
        }
        assert_eq!(Untrusted.rule().pause(0), LONGEST_PAUSE);
    }

    #[test]
    fn only_what_needs_a_person_is_blocked() {
        use Class::*;
        let all = [
            (Accepted, false),
            (NotThere, true),
            (NotPalette, false),
            (Credential, true),
            (Forbidden, true),
            (Refused, true),
            (Throttled, false),
            (Passing, false),
            (Untrusted, true),
            (Keychain, true),
            (Misdirected, true),
        ];
        for (class, blocked) in all {
            assert_eq!(class.rule().is_blocked(0), blocked, "{class:?}");
            assert!(class.rule().pause(40) <= BLOCKED_PAUSE, "{class:?} is always tried again");
        }
        assert!(!NotPalette.rule().is_blocked(2) && NotPalette.rule().is_blocked(3));
        assert!(!Throttled.rule().counts);
    }
}
