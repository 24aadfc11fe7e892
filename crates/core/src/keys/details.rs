//! Details: what the list does not carry.

use super::{
    KeyUid, KeyView,
    activity::ActivityView,
    edit::{EditError, read_for_change},
    owner::{self, OwnerView},
};
use crate::{Failure, connection::live::Live, ports::Ports};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Lines of history that are shown.
const HISTORY: u32 = 50;

/// Everything known of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyDetailsView {
    /// The key as in the list.
    pub key: KeyView,
    /// Role names of the owner; none: may not be read.
    pub roles: Option<Vec<String>>,
    /// The owner as far as people may be read; none: not known.
    pub owner: Option<OwnerView>,
    /// "GNOME Keyring, this computer"; none: not stored here.
    pub stored_in: Option<String>,
    /// What this app did with it, newest first.
    pub history: Vec<ActivityView>,
}

/// Everything known of a key. Works offline with what is remembered.
pub(crate) async fn details(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<KeyDetailsView, EditError> {
    let key = match live.known_key(ports, uid) {
        Some(key) => key,
        None => {
            let client = live.signed_in(ports).await?;
            read_for_change(ports, live, &client, uid).await?
        }
    };
    let connection = live.id();
    let history =
        ports.store.history(&connection, uid.as_str(), HISTORY).map_err(|error| error.failure())?;
    let stored = ports.store.stored_uids(&connection).unwrap_or_default();
    let stored_in = match stored.contains(uid.as_str()) {
        true => Some(format!("{}, this computer", ports.keychain.view().await.name)),
        false => None,
    };
    Ok(KeyDetailsView {
        roles: roles(ports, live, &key.owner_uid).await,
        owner: live.known(ports).and_then(|list| owner::of(&list, &key.owner_uid)),
        key: live.view_key(ports, &key),
        stored_in,
        history,
    })
}

/// Role names of an owner, where they may be read; details are not worth an error for them.
async fn roles(ports: &Ports, live: &Live, owner_uid: &str) -> Option<Vec<String>> {
    let me = live.identity()?;
    if me.user_uid == owner_uid {
        return (!me.roles.is_empty()).then_some(me.roles);
    }
    if !me.may_list_people || owner_uid.is_empty() {
        return None;
    }
    let client = live.signed_in(ports).await.ok()?;
    let roles = client.roles_of(owner_uid).await.ok()??;
    Some(roles.into_iter().map(|role| role.name).collect())
}

/// Reads one key from the server.
pub(crate) async fn read(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<KeyView, Failure> {
    let client = live.signed_in(ports).await?;
    let key = read_for_change(ports, live, &client, uid).await?;
    live.patch(ports, uid, Some(&key));
    Ok(live.view_key(ports, &key))
}
