//! Remove: forget a connection and every secret of it on this computer. Its keys stay valid on the
//! server.

use super::{RemovalView, connect::is_stored, live::Live};
use crate::{
    ErrorCode, Failure,
    keychain::{EntryName, KeychainError},
    keys::{KeyUid, activity::Act, roll},
    palette_keys::{Change, Connections},
    ports::{Deed, Ports},
};
use std::sync::Arc;

/// Why a connection was not removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoveError {
    /// A new value of it would be lost.
    #[error(
        "The value of \u{201c}{0}\u{201d} was made with this connection and nobody has kept it yet. \
         Keep it first. Nothing was removed."
    )]
    ValueNotKept(String),
    /// Revocations or deletions that the server has not confirmed need its credential.
    #[error(
        "{0} still need{1} this connection. {2} sent until the server confirms {3}; give up what \
         you do not want any more, then remove the connection. Nothing was removed."
    )]
    StillNeeded(String, &'static str, &'static str, &'static str),
    /// A roll is between its steps.
    #[error(
        "The roll of \u{201c}{0}\u{201d} still needs this connection. Let it end, or cancel it. \
         Nothing was removed."
    )]
    RollRuns(String),
    /// Something below failed; the connection is still there.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<RemoveError> for Failure {
    fn from(error: RemoveError) -> Self {
        match error {
            RemoveError::ValueNotKept(_) => {
                Failure::new(ErrorCode::ValueNotKept, error.to_string())
            }
            RemoveError::StillNeeded(..) => {
                Failure::new(ErrorCode::RevocationsOpen, error.to_string())
            }
            RemoveError::RollRuns(_) => Failure::new(ErrorCode::RollRunning, error.to_string()),
            RemoveError::Failed(failure) => failure,
        }
    }
}

/// What removing a connection would take from this computer, and what stands against it. Nothing is
/// asked of keychain or server.
pub(crate) fn preview(ports: &Ports, live: &Live) -> Result<RemovalView, Failure> {
    let record = live.record();
    let named = ports.store.stored_names(&record.id).map_err(|error| error.failure())?;
    let mut stored: Vec<String> = named
        .into_iter()
        .map(|(uid, name)| {
            let known = KeyUid::new(&uid).and_then(|uid| live.known_key(ports, &uid));
            known.map_or(name, |key| key.name)
        })
        .collect();
    stored.sort_by_cached_key(|name| name.to_lowercase());
    let waiting = if record.demo { 0 } else { ports.outbox.open_of(&record.id) };
    let held = ports.held.not_kept().into_iter().find(|held| held.connection == record.id);
    Ok(RemovalView {
        stored,
        has_credential: is_stored(&record),
        waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
        not_kept: held.map(|held| held.name),
    })
}

/// Removes a connection: its credential and the stored values of its keys leave the keychain first,
/// then everything remembered of it is forgotten, except the journal.
pub(crate) async fn remove(
    ports: &Arc<Ports>,
    connections: &Connections,
    live: &Arc<Live>,
) -> Result<(), RemoveError> {
    let _turn = connections.changing.lock().await;
    let record = live.record();
    if let Some(held) = ports.held.not_kept().into_iter().find(|held| held.connection == record.id)
    {
        return Err(RemoveError::ValueNotKept(held.name));
    }
    match ports.outbox.open_of(&record.id) {
        0 => {}
        // Its server ends with it, and so does what was asked of that.
        _ if record.demo => ports.outbox.forget_demo(&record.id),
        1 => {
            return Err(RemoveError::StillNeeded("1 revocation".into(), "s", "It is", "it"));
        }
        open => {
            let open = format!("{open} revocations");
            return Err(RemoveError::StillNeeded(open, "", "They are", "them"));
        }
    }
    if let Some(roll) = roll::that_needs(ports, &record.id) {
        return Err(RemoveError::RollRuns(roll));
    }
    let deed = Deed::of_connection(Act::RemoveConnection, "Remove its secrets from the keychain");
    let asked = ports.ask(live, &deed)?;
    let removed = async {
        let left = remove_secrets(ports, live).await?;
        live.forget(|| ports.store.remove_connection(&record.id).map(drop))
            .map_err(|error| error.failure())?;
        Ok(left)
    };
    let left: Result<bool, Failure> = removed.await;
    match left {
        Ok(false) => asked.done("Removed, with its secrets in the keychain"),
        Ok(true) => asked.done("Removed; no keychain answered, so its secrets may still be there"),
        Err(failure) => {
            asked.failed(&failure);
            return Err(failure.into());
        }
    }
    live.sign_out();
    ports.held.drop_all_of(&record.id);
    ports.found.drop_all_of(&record.id);
    connections.forget(ports, &record.id);
    ports.tell(Change::Connections);
    Ok(())
}

/// Takes credential and values out of the keychain. True when no keychain answered: a connection
/// must be removable on a computer that has none any more. A locked one can be unlocked, so that is
/// an error, and nothing is forgotten.
pub(crate) async fn remove_secrets(ports: &Ports, live: &Live) -> Result<bool, Failure> {
    let record = live.record();
    let stored = ports.store.stored_uids(&record.id).map_err(|error| error.failure())?;
    let values = stored
        .iter()
        .filter_map(|uid| KeyUid::new(uid))
        .map(|uid| EntryName::key_value(&*record.id, uid))
        .filter(|entry| *entry != record.credential_entry());
    let own = is_stored(&record).then(|| EntryName::credential(&*record.id));
    // The value of a key, where a roll made that the credential.
    let rolled = record.credential_key.is_some().then(|| record.credential_entry());
    let credential = own.into_iter().chain(rolled);
    let mut absent = false;
    // The credential last: without it a connection that stays could not sign in.
    for entry in values.chain(credential) {
        match ports.keychain.remove(entry).await {
            Ok(_) | Err(KeychainError::ItemMissing) => {}
            Err(KeychainError::Absent) => absent = true,
            Err(error) => return Err(error.failure()),
        }
    }
    if !is_stored(&record) && !record.demo {
        // One of an earlier time may have stayed behind. It is of no use to anybody, so it is not
        // worth a failure.
        let _ = ports.keychain.remove(EntryName::credential(&*record.id)).await;
    }
    Ok(absent)
}
