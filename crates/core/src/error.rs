//! The one error that leaves this crate: a code, words, and what the server said.
//!
//! Each layer has its own enum (`ApiError`, `KeychainError`, one per operation);
//! all of them end in a [`Failure`]. The window matches on [`ErrorCode`] only, never on
//! words, and its table is complete: a new code here is a compile error there.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What went wrong, as a code the window has words for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    // The address a person typed
    /// No address was typed.
    AddressEmpty,
    /// What was typed is no address.
    AddressInvalid,
    /// The address holds a user name or password.
    AddressHasCredentials,
    /// Plain http to another computer.
    AddressNotSecure,
    // Signing in
    /// What was pasted is no API key.
    KeyMalformed,
    /// The server, or this connection, does not accept the credential.
    CredentialRejected,
    /// A second factor is asked for, which only the web console can take.
    MfaRequired,
    /// The e-mail address is in several organizations.
    OrganizationNeeded,
    /// A person has to sign in first.
    NotSignedIn,
    /// There is no such connection.
    ConnectionUnknown,
    /// There is such a connection already.
    ConnectionExists,
    /// The CA certificate cannot be read.
    CertificateInvalid,
    /// The proxy's address is not understood.
    ProxyInvalid,
    // On the way to the server
    /// The host refused the connection, broke it, or no way leads there.
    HostUnreachable,
    /// No computer of this name was found.
    HostUnknown,
    /// No answer in time.
    TimedOut,
    /// The encrypted connection is not trusted.
    TlsUntrusted,
    /// The proxy could not be used.
    ProxyFailed,
    /// The server sent us elsewhere; we never follow.
    RedirectRefused,
    /// What answered is not Palette.
    NotPalette,
    /// The answer is cut or not what Palette answers here.
    AnswerUnreadable,
    /// The answer is larger than we accept.
    AnswerTooLarge,
    /// Too many requests.
    RateLimited,
    /// The server failed (5xx).
    ServerFault,
    // What the server said
    /// The credential does not count any more (401).
    Unauthorized,
    /// The permission is missing (403).
    Forbidden,
    /// There is no such key any more.
    KeyGone,
    /// The server does not want it, for a reason of its own.
    Refused,
    // Making and changing keys
    /// No name.
    NameEmpty,
    /// More characters than a name may have.
    NameTooLong,
    /// A control character, or one that cannot be seen.
    NameHasControlCharacters,
    /// The owner has another key of this name.
    NameTaken,
    /// More characters than a description may have.
    DescriptionTooLong,
    /// The name is not like the policy wants names.
    NameOutsidePolicy,
    /// The policy wants a description.
    DescriptionMissing,
    /// No date or no time.
    ExpiryMissing,
    /// The end is not after now.
    ExpiryPast,
    /// The end is more than ten years away.
    ExpiryTooFar,
    /// Not a date of the calendar, or not a time of day.
    ExpiryNotATime,
    /// A local time over which clocks go forward.
    ExpirySkippedByClockChange,
    /// Longer than the longest life that the settings allow.
    ExpiryBeyondPolicy,
    /// The owner has as many keys as a person may have.
    QuotaFull,
    /// Nobody has this uid.
    OwnerUnknown,
    /// The typed name is not the key's.
    NameMismatch,
    /// Its end has passed: renew it instead.
    KeyIsExpired,
    /// Sent, but what the server did is not confirmed.
    OutcomeUnknown,
    // Rolling a key
    /// A roll of this key, or one that needs this connection, is not over.
    RollRunning,
    /// There is no such roll any more.
    RollOver,
    /// This key cannot be rolled.
    RollNotPossible,
    /// A key was made whose value nobody has.
    RollValueLost,
    /// Whether somebody kept the new value is not known.
    RollValueUnsure,
    /// The new key does not work, or acts as somebody else.
    RollNotProved,
    /// The new key is not on the server any more, or was revoked.
    RollNewKeyGone,
    /// The old key has ended, so there is nothing to go back to.
    RollOldKeyEnded,
    /// Somebody else moved the old key's end meanwhile.
    RollEndChanged,
    /// The old key would end later than it was made for.
    GraceTooLong,
    /// Revocations that are not confirmed yet still need it.
    RevocationsOpen,
    /// There is nothing of it that could be taken back.
    NotReversible,
    // Review
    /// No reason, or one that is too long.
    ReasonInvalid,
    /// Not a day in the coming year.
    UntilInvalid,
    /// The finding is not there any more.
    FindingGone,
    /// The policy file is not one.
    PolicyInvalid,
    /// The key signs this app in, so what would end it is stopped.
    SignsThisAppIn,
    // The value of a key
    /// The value is no longer held.
    ValueGone,
    /// Nobody has kept the value yet.
    ValueNotKept,
    /// The value is not in this computer's keychain.
    ValueNotStored,
    /// The clipboard did not take it.
    ClipboardFailed,
    /// The file was not written.
    FileFailed,
    /// A person closed a dialog.
    Cancelled,
    // The keychain
    /// No keychain answers.
    KeychainAbsent,
    /// The keychain is locked.
    KeychainLocked,
    /// A person closed its prompt.
    KeychainDismissed,
    /// Its prompt is open and unanswered.
    KeychainWaiting,
    /// It has no such entry.
    KeychainItemMissing,
    /// It has more than one such entry.
    KeychainAmbiguous,
    /// It failed in another way.
    KeychainFailed,
    // What is remembered on disk
    /// The file in which things are remembered could not be used.
    StoreFailed,
    /// A setting is out of its range.
    SettingInvalid,
    /// The app is locked: it does nothing for its window.
    AppLocked,
    /// The desktop did not say that the person at the desk is who they should be.
    NotRecognised,
    /// A mistake of ours.
    Internal,
}

/// What the server added. Secrets are already redacted; text is capped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ErrorDetails {
    /// HTTP status, when there was an answer.
    #[ts(type = "number | null")]
    pub status: Option<u16>,
    /// `code` of Palette's error body, which is a string or a number there.
    pub server_code: Option<String>,
    /// `message` of Palette's error body, redacted, at most 400 characters.
    pub server_message: Option<String>,
    /// `ref` of Palette's error body: the id support asks for.
    pub reference: Option<String>,
}

/// An operation that did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[ts(rename = "ErrorView")]
#[error("{message}")]
pub struct Failure {
    /// What happened.
    pub code: ErrorCode,
    /// What happened in plain words, and what was and was not changed. Never a secret.
    pub message: String,
    /// What the server said, if it spoke.
    pub details: Option<ErrorDetails>,
}

impl Failure {
    /// A failure with words and nothing from a server.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }
}
