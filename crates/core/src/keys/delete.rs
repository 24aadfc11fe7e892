//! Delete: for ever, by typed name.

use super::{
    KeyUid,
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
    /// The server has not confirmed the deletion yet; it is tried on.
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
    if request.typed_name.trim() != name.trim() {
        return Err(DeleteError::NameMismatch);
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
                live.heard_refusal(ports, &error);
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
