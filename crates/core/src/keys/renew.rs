//! Renew: move the end of the same key, counted from now.

use super::{
    KeyChange, KeyUid, KeyView,
    activity::Act,
    edit::{self, EditError},
    expiry::ExpiryChoice,
};
use crate::{connection::live::Live, ports::Ports};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Move a key's end.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RenewRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uid of the key.
    pub uid: String,
    /// The new end, counted from now.
    pub expiry: ExpiryChoice,
}

/// A key after a change that the server confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ChangedKeyView {
    /// The key as it was read back.
    pub key: KeyView,
}

/// Moves the end of a key. An expired key works again by it, a revoked one stays revoked.
pub(crate) async fn renew(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    expiry: &ExpiryChoice,
) -> Result<ChangedKeyView, EditError> {
    let client = live.signed_in(ports).await?;
    let end = edit::resolved(ports, &client, expiry)?;
    Ok(ChangedKeyView { key: renew_to(ports, live, uid, Some(end)).await?.key })
}

/// A key whose end was moved.
pub(crate) struct Moved {
    /// As it was read back.
    pub(crate) key: KeyView,
    /// The end it had.
    pub(crate) before: Option<Timestamp>,
}

/// Moves the end of a key to an instant that was resolved before; none: it never ends again.
pub(crate) async fn renew_to(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    end: Option<Timestamp>,
) -> Result<Moved, EditError> {
    let client = live.signed_in(ports).await?;
    let before = edit::read_for_change(ports, live, &client, uid).await?;
    let change = KeyChange {
        name: before.name.clone(),
        description: before.description.clone(),
        expires: end,
    };
    let key = edit::apply(ports, live, &client, &before, &change, Act::Renew).await?;
    Ok(Moved { key, before: before.expires })
}
