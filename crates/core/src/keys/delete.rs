//! Delete: for ever, by typed name.

use super::{KeyUid, activity::Act, revoke::is_gone};
use crate::{
    ErrorCode, Failure,
    api::Sent,
    connection::live::Live,
    keychain::{EntryName, KeychainError},
    ports::{Deed, Ports},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Why a key was not deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// The typed name is not the key's.
    #[error("The name you typed is not the key's name. Nothing was deleted.")]
    NameMismatch,
    /// It was not on the server any more before.
    #[error("This key is not on the server any more. Nothing was deleted.")]
    Gone,
    /// The deletion was sent, but the server has not confirmed it.
    #[error("{0}")]
    Unconfirmed(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<DeleteError> for Failure {
    fn from(error: DeleteError) -> Self {
        let code = match error {
            DeleteError::NameMismatch => ErrorCode::NameMismatch,
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
    /// Must equal the key's name.
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

/// Deletes a key for ever, and its value from the keychain.
pub(crate) async fn delete(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    typed_name: &str,
) -> Result<DeleteView, DeleteError> {
    let client = live.signed_in(ports).await?;
    let key = match client.key(uid).await {
        Ok(key) => key,
        Err(error) if error.is_gone() && is_gone(&client, uid).await => {
            live.patch(ports, uid, None);
            return Err(DeleteError::Gone);
        }
        Err(error) => {
            live.heard_refusal(ports, &error);
            return Err(error.failure().into());
        }
    };
    if typed_name.trim() != key.name.trim() {
        live.patch(ports, uid, Some(&key));
        return Err(DeleteError::NameMismatch);
    }
    let asked = ports.ask(live, &Deed::of_key(Act::Delete, &key, "DELETE"))?;
    let sent = client.delete_key(uid).await;
    if let Err(error) = &sent
        && error.sent() != Sent::Unknown
        && !error.is_gone()
    {
        live.heard_refusal(ports, error);
        asked.failed(&error.failure());
        return Err(error.failure().into());
    }
    let read = client.key(uid).await;
    let gone = match &read {
        Err(error) if error.is_gone() => is_gone(&client, uid).await,
        _ => false,
    };
    if gone {
        live.patch(ports, uid, None);
        let removed_from_keychain = remove_value(ports, live, uid).await;
        let removed = if removed_from_keychain { ", its value left the keychain" } else { "" };
        asked.changed(&format!("DELETE \u{2192} the key is gone{removed}"), Some(&key), None);
        return Ok(DeleteView { uid: uid.as_str().to_owned(), removed_from_keychain });
    }
    let words = match (read, sent) {
        (Ok(_), Ok(())) => {
            "The server accepted the deletion, but a fresh read still shows the key. Look again in \
             a moment."
                .to_owned()
        }
        (Ok(_), Err(_)) => {
            "The answer was lost and a fresh read still shows the key, so it was most likely not \
             deleted. Look again in a moment."
                .to_owned()
        }
        (Err(error), Ok(())) => format!(
            "The server accepted the deletion, but this could not be confirmed. {}",
            error.failure().message
        ),
        (Err(error), Err(_)) => format!(
            "The answer was lost and the key could not be read again, so it is not known whether it \
             was deleted. {}",
            error.failure().message
        ),
    };
    let failure = Failure::new(ErrorCode::OutcomeUnknown, words.clone());
    asked.unknown(&failure);
    Err(DeleteError::Unconfirmed(words))
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
