//! Delete: for ever, by typed name.

use super::{
    KeyUid,
    name::LONGEST_NAME,
    revoke::{PATIENCE, is_gone, no_answer_yet},
};
use crate::{
    ErrorCode, Failure,
    connection::{
        live::Live,
        signing::{self, Doing},
    },
    keychain::{EntryName, KeychainError},
    outbox::{OutboxAction, Tried},
    ports::{Ports, internal},
    shown::visible,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Why a key was not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// What was typed is not the key's name, or not the end of its uid where that is asked for.
    #[error("What you typed is not {0}. Nothing was deleted.")]
    NameMismatch(Confirmation),
    /// It was not on the server any more before.
    #[error("This key is not on the server any more. Nothing was deleted.")]
    Gone,
    /// The server has not confirmed the deletion yet; it is tried on.
    #[error("{0}")]
    Unconfirmed(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// What is typed to confirm a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The key's name.
    Name,
    /// The last six characters of its uid, because the name cannot be typed from sight in a field
    /// of one line.
    UidEnd,
}

impl Confirmation {
    fn of(name: &str) -> Self {
        let name = name.trim_matches(' ');
        let seen = visible(name, LONGEST_NAME);
        // Isolates are ours: one in the name itself would be written out.
        let seen = seen.trim_start_matches('\u{2068}').trim_end_matches('\u{2069}');
        let can_be_typed = !name.is_empty() && seen == name && !name.contains("  ");
        if can_be_typed { Self::Name } else { Self::UidEnd }
    }
}

impl std::fmt::Display for Confirmation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "the key's name",
            Self::UidEnd => "the last six characters of the key's uid",
        })
    }
}

impl From<DeleteError> for Failure {
    fn from(error: DeleteError) -> Self {
        let code = match error {
            DeleteError::NameMismatch(_) => ErrorCode::NameMismatch,
            DeleteError::Gone => ErrorCode::KeyGone,
            DeleteError::Unconfirmed(_) => ErrorCode::OutcomeUnknown,
            DeleteError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// Delete a key.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeleteRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uid of the key.
    pub uid: String,
    /// The key's name; where nobody can type that, the last six characters of its uid.
    pub typed_name: String,
}

/// A deleted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DeleteView {
    /// uid of the key that is gone.
    pub uid: String,
    /// False: the value was not in the keychain, or could not be removed from it.
    pub removed_from_keychain: bool,
}

/// Deletes a key for ever, and its value from the keychain, through the outbox. The typed name is
/// checked against a fresh read, or without the server against the list that is known.
pub(crate) async fn delete(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    request: &DeleteRequest,
) -> Result<DeleteView, DeleteError> {
    signing::guard(ports, live, uid, Doing::Delete)?;
    let begun = tokio::time::Instant::now();
    let name = name_of(ports, live, uid).await?;
    if !is_confirmed(&request.typed_name, &name, uid.as_str()) {
        return Err(DeleteError::NameMismatch(Confirmation::of(&name)));
    }
    let added = ports
        .outbox
        .add(ports, live, OutboxAction::Delete, &request.op_id, std::slice::from_ref(uid))
        .pop();
    let added = added.ok_or_else(|| internal("The deletion was not taken. Nothing was sent."))?;
    let kept = match added.recorded {
        true => "It is written down and tried on until the server confirms it.",
        false => "It could not be written down; it is tried on as long as the app is open.",
    };
    // A moment for the first try, however long the name took.
    let until = (begun + PATIENCE).max(tokio::time::Instant::now() + PATIENCE / 3);
    match tokio::time::timeout_at(until, added.tried).await {
        Ok(Ok(Tried::Confirmed(confirmed))) => Ok(DeleteView {
            uid: uid.as_str().to_owned(),
            removed_from_keychain: confirmed.removed_from_keychain,
        }),
        Ok(Ok(Tried::NotYet(problem))) => Err(DeleteError::Unconfirmed(format!(
            "The deletion is not confirmed yet. {} {kept}",
            problem.message
        ))),
        Ok(Ok(Tried::GivenUp) | Err(_)) => Err(DeleteError::Unconfirmed(
            "The deletion was given up before the server confirmed it. The key may still work."
                .to_owned(),
        )),
        Err(_) => Err(DeleteError::Unconfirmed(format!(
            "The deletion is not confirmed yet. {} {kept}",
            no_answer_yet(live).message
        ))),
    }
}

/// Whether what was typed confirms a deletion: the key's name, without the spaces around it, or the
/// end of its uid, with or without the dots before it. The window asks by the same rule.
fn is_confirmed(typed: &str, name: &str, uid: &str) -> bool {
    let typed = typed.trim_matches(' ');
    match Confirmation::of(name) {
        Confirmation::Name => typed == name.trim_matches(' '),
        Confirmation::UidEnd => {
            let end = uid.char_indices().rev().nth(5).map_or(uid, |(at, _)| &uid[at..]);
            !end.is_empty() && typed.strip_prefix('\u{2026}').unwrap_or(typed) == end
        }
    }
}

/// The name of a key: as the server says now, else as it was last known.
async fn name_of(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<String, DeleteError> {
    let read = async {
        let client = live.signed_in(ports).await?;
        match client.key(uid).await {
            Ok(key) => {
                live.patch(ports, uid, Some(&key));
                Ok(key.name)
            }
            Err(error) if error.is_gone() && is_gone(&client, uid).await => {
                live.patch(ports, uid, None);
                Err(DeleteError::Gone)
            }
            Err(error) => {
                live.heard_refusal(ports, &client, &error);
                Err(error.failure().into())
            }
        }
    };
    let failed = match tokio::time::timeout(PATIENCE / 2, read).await {
        Ok(Err(DeleteError::Failed(failure))) => failure,
        Ok(known) => return known,
        Err(_) => no_answer_yet(live),
    };
    live.known_key(ports, uid).map(|key| key.name).ok_or(DeleteError::Failed(failed))
}

/// Takes the value of a key out of the keychain; false when it was not there or stays.
pub(crate) async fn remove_value(ports: &Ports, live: &Live, uid: &KeyUid) -> bool {
    let connection = live.id();
    let stored = ports.store.stored_uids(&connection);
    if !stored.is_ok_and(|stored| stored.contains(uid.as_str())) {
        return false;
    }
    let removed = ports.keychain.remove(EntryName::key_value(&*connection, uid.clone())).await;
    // Still there: the index has to say so, or nobody would ever find it again.
    if matches!(removed, Ok(_) | Err(KeychainError::ItemMissing))
        && ports.store.unmark_stored(&connection, uid.as_str()).is_err()
    {
        tracing::warn!("a value that left the keychain is still said to be in it");
    }
    removed.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_confirms_a_deletion_or_the_uid_where_nobody_can_type_the_name() {
        // The same table as in the window's `names.test.ts`.
        let table: [(&str, &str, bool); 29] = [
            ("ci-prod", "ci-prod", true),
            (" ci-prod ", "ci-prod", true),
            ("ci-prod", " ci-prod  ", true),
            ("CI-PROD", "ci-prod", false),
            ("ci-pro", "ci-prod", false),
            ("", "ci-prod", false),
            ("0c7471", "ci-prod", false),
            ("ключ 鍵 🔑", "ключ 鍵 🔑", true),
            ("مفتاح", "مفتاح", true),
            ("", "", false),
            ("  ", "  ", false),
            ("(no name)", "", false),
            ("0c7471", "", true),
            ("…0c7471 ", "", true),
            ("0C7471", "", false),
            ("c7471", "", false),
            ("…", "", false),
            ("two lines", "two\nlines", false),
            ("two\nlines", "two\nlines", false),
            ("0c7471", "two\nlines", true),
            ("prod", "prod\n", false),
            ("0c7471", "prod\n", true),
            ("prod", "\u{feff}prod", false),
            ("0c7471", "pro\u{202e}d", true),
            ("0c7471", "pro\u{200b}d", true),
            ("a b", "a  b", false),
            ("0c7471", "a  b", true),
            ("a b", "a\u{a0}b", false),
            ("0c7471", "a\u{a0}b", true),
        ];
        for (typed, name, confirmed) in table {
            let answer = is_confirmed(typed, name, "66e844c44bab2337f20c7471");
            assert_eq!(answer, confirmed, "{typed:?} for {name:?}");
        }
        assert!(is_confirmed("k1", "", "k1"));
        for (name, asked) in [("ci", "the key's name"), ("", "the last six characters of")] {
            let words = DeleteError::NameMismatch(Confirmation::of(name)).to_string();
            assert!(words.contains(asked) && words.ends_with("Nothing was deleted."), "{words}");
        }
        assert!(!is_confirmed("", "", ""), "without a uid nothing confirms");
        let long = "x".repeat(LONGEST_NAME + 1);
        assert!(!is_confirmed(&long, &long, "k1") && is_confirmed("k1", &long, "k1"));
    }
}
