//! Activity: what this app did, as the journal has it.

use super::KeyUid;
use crate::{Failure, palette_keys::Connections, ports::Ports};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// A connection was made.
    Connect,
    /// A person signed in again.
    SignIn,
    /// A connection was removed from this app.
    RemoveConnection,
    /// A key was made.
    Create,
    /// A key's name, description or expiry was changed.
    Edit,
    /// A key's end was moved.
    Renew,
    /// A key was taken out of service.
    Revoke,
    /// A revoked key was put back into service.
    Reactivate,
    /// A key was deleted for ever.
    Delete,
    /// A value was copied.
    Copy,
    /// A value was shown.
    Reveal,
    /// A value was put into the keychain.
    SaveToKeychain,
    /// A value was written to a file.
    SaveToFile,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ActState {
    /// Written down before it was sent; no outcome is known (the app ended in between).
    Asked,
    /// It was done, and where a server is concerned, confirmed by it.
    Done,
    /// It was not done.
    Failed,
    /// Sent, but what the server did is not known.
    Unknown,
}

/// One line of the time line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    /// Later lines have higher ones.
    #[ts(type = "number")]
    pub id: i64,
    /// Milliseconds since 1970 UTC.
    #[ts(type = "number")]
    pub at: i64,
    /// Id of the connection, which may be gone.
    pub connection: String,
    /// Its name at that time.
    pub connection_name: String,
    /// What was done.
    pub act: Act,
    /// How it ended.
    pub state: ActState,
    /// The key it was done to.
    pub key_uid: Option<String>,
    /// Its name at that time.
    pub key_name: Option<String>,
    /// Its owner's name at that time.
    pub owner_name: Option<String>,
    /// What was sent or answered, in words: "PUT state → 204, read back: revoked".
    pub detail: String,
    /// True for a confirmed revocation that a re-activation would undo.
    pub can_undo: bool,
}

/// Read the time line.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ActivityRequest {
    /// None: all connections.
    pub connection: Option<String>,
    /// Only lines older than this id; none: from the newest.
    #[ts(type = "number | null")]
    pub before: Option<i64>,
    /// 1 to 200.
    pub limit: u32,
}

/// The time line, newest first. Only what can still be undone is offered to be: the connection is
/// there, and as far as its list is known, so is the key, revoked.
pub(crate) fn activity(
    ports: &Ports,
    connections: &Connections,
    request: &ActivityRequest,
) -> Result<Vec<ActivityView>, Failure> {
    let mut lines = ports.store.activity(request).map_err(|error| error.failure())?;
    for line in lines.iter_mut().filter(|line| line.can_undo) {
        let uid = line.key_uid.as_deref().and_then(KeyUid::new);
        line.can_undo = match (connections.find(&line.connection), uid) {
            (Some(live), Some(uid)) => match live.known(ports) {
                Some(list) => list.keys.iter().any(|key| key.uid == uid && !key.active),
                None => true,
            },
            _ => false,
        };
    }
    Ok(lines)
}
