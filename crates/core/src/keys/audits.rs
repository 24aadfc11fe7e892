//! What the server itself wrote down about keys: its audit log, read only when somebody looks.

use crate::{
    ErrorCode, Failure,
    api::{ApiError, AuditEntry, AuditQuery},
    connection::live::{Live, key_uid},
    ports::{Ports, internal},
    shown::visible,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Longest message of an entry, in characters.
const LONGEST_MESSAGE: usize = 300;
/// Longest name in an entry, in characters.
const LONGEST_NAME: usize = 80;
/// Longest place of a page that is sent back to the server.
const LONGEST_PLACE: usize = 4_096;

/// Why the audit log was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditsError {
    /// The place of the page is none that a server of ours gave.
    #[error("That page of the audit log is not known any more. Read it again from the newest.")]
    PlaceUnknown,
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<AuditsError> for Failure {
    fn from(error: AuditsError) -> Self {
        match error {
            AuditsError::PlaceUnknown => Failure::new(ErrorCode::Internal, error.to_string()),
            AuditsError::Failed(failure) => failure,
        }
    }
}

/// Read a page of the server's audit log.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditsRequest {
    /// Id of the connection.
    pub connection: String,
    /// uid of a key; none: every key's entries.
    pub uid: Option<String>,
    /// At this time or later by this computer's clock, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub from: Option<i64>,
    /// At this time or earlier by this computer's clock, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub until: Option<i64>,
    /// `next` of the page before; none: from the newest.
    pub next: Option<String>,
}

/// A page of the audit log, or why there is none to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum AuditsView {
    /// Newest first.
    Listed {
        /// The entries.
        entries: Vec<AuditView>,
        /// Entries that could not be understood.
        skipped: u32,
        /// For the next page; none: that was all.
        next: Option<String>,
    },
    /// The caller may not read it.
    NotAllowed {
        /// Said in words.
        message: String,
    },
}

/// One entry of the audit log. Its texts are made visible and are not endless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AuditView {
    /// uid of the entry; may be empty.
    pub uid: String,
    /// When, by the server's clock, ms since 1970 UTC.
    #[ts(type = "number")]
    pub at: i64,
    /// The same by this computer's clock, to stand beside what this app did.
    #[ts(type = "number")]
    pub local_at: i64,
    /// `create`, `update`, `delete` or what else the server says.
    pub action: String,
    /// What was done, in the server's words.
    pub message: String,
    /// A note that a person added; usually empty.
    pub note: String,
    /// Who did it; empty when the server does not say.
    pub actor: String,
    /// uid of the key, where it is one.
    pub key_uid: Option<String>,
    /// The key's name at that time; may be empty.
    pub key_name: String,
}

/// Reads one page.
pub(crate) async fn audits(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    request: &AuditsRequest,
) -> Result<AuditsView, AuditsError> {
    if request.next.as_ref().is_some_and(|next| next.len() > LONGEST_PLACE) {
        return Err(AuditsError::PlaceUnknown);
    }
    let offset = live.offset_ms();
    let query = AuditQuery {
        uid: request.uid.as_deref().map(key_uid).transpose()?,
        from: request.from.map(|at| on_the_server(at, offset)).transpose()?,
        until: request.until.map(|at| on_the_server(at, offset)).transpose()?,
        next: request.next.clone(),
    };
    let client = live.signed_in(ports).await?;
    match client.audits(&query).await {
        Ok(page) => Ok(AuditsView::Listed {
            entries: page.entries.iter().map(|entry| view_of(entry, offset)).collect(),
            skipped: u32::try_from(page.skipped).unwrap_or(u32::MAX),
            next: page.next,
        }),
        Err(ApiError::Forbidden(_)) => Ok(AuditsView::NotAllowed { message: not_allowed(live) }),
        Err(error) => {
            live.heard_refusal(ports, &client, &error);
            Err(error.failure().into())
        }
    }
}

fn not_allowed(live: &Live) -> String {
    let organization = live.identity().map(|me| visible(&me.organization, LONGEST_NAME));
    let place = organization.filter(|name| !name.is_empty()).unwrap_or_else(|| live.name());
    format!(
        "Your roles in {place} do not let you read the server's audit log: that takes the \
         permission audit.list. A tenant admin can give it to you."
    )
}

fn on_the_server(at: i64, offset: i64) -> Result<Timestamp, Failure> {
    Timestamp::from_millisecond(at.saturating_add(offset))
        .map_err(|_| internal("That is no time. Nothing was asked."))
}

fn view_of(entry: &AuditEntry, offset: i64) -> AuditView {
    let here = entry.at.checked_sub(SignedDuration::from_millis(offset)).unwrap_or(entry.at);
    AuditView {
        uid: visible(&entry.uid, LONGEST_NAME),
        at: entry.at.as_millisecond(),
        local_at: here.as_millisecond(),
        action: visible(&entry.action, LONGEST_NAME),
        message: visible(&entry.message, LONGEST_MESSAGE),
        note: visible(&entry.note, LONGEST_MESSAGE),
        actor: visible(&entry.actor, LONGEST_NAME),
        key_uid: entry.key_uid.as_ref().map(|uid| uid.as_str().to_owned()),
        key_name: visible(&entry.key_name, LONGEST_NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_visible_and_short() {
        let entry = AuditEntry {
            uid: "a".repeat(5_000),
            at: Timestamp::UNIX_EPOCH,
            action: "update\n".into(),
            message: format!("<b>pro\u{202e}d</b> {}", "x".repeat(100_000)),
            note: "\u{200b}".into(),
            actor: "Jane\u{0}".into(),
            key_uid: None,
            key_name: "a\nb".into(),
        };
        let view = view_of(&entry, 1_500);
        assert_eq!(view.message.chars().count(), LONGEST_MESSAGE);
        assert!(view.message.starts_with("<b>pro⟨U+202E⟩d</b>"), "{}", view.message);
        assert_eq!(view.action, "update⟨U+000A⟩");
        assert_eq!(view.key_name, "a⟨U+000A⟩b");
        assert_eq!((view.actor.as_str(), view.note.as_str()), ("Jane⟨U+0000⟩", "⟨U+200B⟩"));
        assert_eq!((view.at, view.local_at), (0, -1_500));
        assert!(view.uid.len() <= LONGEST_NAME + 4);
    }
}
