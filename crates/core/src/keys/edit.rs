//! Edit: read again, change only what was changed, never overwrite someone else's change unseen.

use super::{
    ApiKey, KeyChange, KeyUid, KeyView,
    activity::{Act, ActState},
    expiry::{self, ExpiryChoice, ExpiryError},
    name::{NameError, checked_description, checked_name, not_taken},
    revoke::is_gone,
};
use crate::{
    ErrorCode, Failure,
    api::{ApiError, PaletteClient, Sent},
    connection::{
        live::Live,
        signing::{self, Doing},
    },
    ports::{Deed, Ports},
    store::JournalId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Why a key was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The name or description cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The chosen end is none.
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// It is not on the server any more.
    #[error("This key is not on the server any more. Nothing was changed.")]
    Gone,
    /// The change was sent, but a fresh read does not show it, or could not be had.
    #[error("{0}")]
    Unconfirmed(String),
    /// The server did not take it, or could not be asked.
    #[error("{}", .0.failure().message)]
    NotTaken(ApiError),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Name(error) => error.into(),
            EditError::Expiry(error) => error.into(),
            EditError::Gone => Failure::new(ErrorCode::KeyGone, error.to_string()),
            EditError::Unconfirmed(words) => Failure::new(ErrorCode::OutcomeUnknown, words),
            EditError::NotTaken(error) => error.failure(),
            EditError::Failed(failure) => failure,
        }
    }
}

/// Change a key's name, description or expiry.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EditRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uid of the key.
    pub uid: String,
    /// What the person saw when they began: a difference on the server is a conflict.
    pub base: EditBase,
    /// The name it shall have.
    pub name: String,
    /// The description it shall have.
    pub description: String,
    /// None: keep the expiry.
    pub expiry: Option<ExpiryChoice>,
}

/// The fields of a key that can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EditBase {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its end, ms since 1970; none: never.
    #[ts(type = "number | null")]
    pub expires: Option<i64>,
}

/// How an edit ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum EditView {
    /// The server has it, read back.
    Saved {
        /// The key as it was read back.
        key: KeyView,
    },
    /// Someone changed it meanwhile; nothing was sent. Send again with `theirs` as base to overwrite.
    Conflict {
        /// The key as it is on the server now.
        theirs: KeyView,
    },
}

/// Changes a key: reads it again, sends the change with everything else as it was, reads it back.
pub(crate) async fn edit(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    request: &EditRequest,
) -> Result<EditView, EditError> {
    let description = checked_description(&request.description)?;
    let client = live.signed_in(ports).await?;
    let before = read_for_change(ports, live, &client, uid).await?;
    if !is_base(&request.base, &before) {
        live.patch(ports, uid, Some(&before));
        return Ok(EditView::Conflict { theirs: live.view_key(ports, &before) });
    }
    // A description that is kept need not be there either.
    if description != before.description.trim() {
        ports.policy.state().policy.check_description(&description)?;
    }
    // A name that is kept need not pass our rules: another client may have given it.
    let name = if request.name.trim() == before.name.trim() {
        before.name.clone()
    } else {
        let name = checked_name(&request.name)?;
        ports.policy.state().policy.check_name(&name)?;
        let known = live.known(ports);
        let keys = known.as_ref().map(|list| &*list.keys).unwrap_or_default();
        not_taken(&name, &before.owner_uid, &before.owner_name, Some(uid), keys)?;
        name
    };
    let expires = match &request.expiry {
        None => before.expires,
        Some(choice) => Some(resolved(ports, &client, choice)?),
    };
    let change = KeyChange { name, description, expires };
    let key = apply(ports, live, &client, &before, &change, Act::Edit).await?;
    Ok(EditView::Saved { key })
}

/// The instant of a choice, by the server's clock and the settings.
pub(crate) fn resolved(
    ports: &Ports,
    client: &PaletteClient,
    choice: &ExpiryChoice,
) -> Result<Timestamp, ExpiryError> {
    let longest = ports.longest_life();
    let zone = ports.clock.time_zone();
    expiry::resolve(choice, client.server_now(), &zone, longest).map(|end| end.at)
}

/// Whether a key may get this end, by the server's clock, the settings and the policy.
pub(crate) fn allowed(
    ports: &Ports,
    client: &PaletteClient,
    end: Timestamp,
) -> Result<(), ExpiryError> {
    let local = expiry::local_text(end, &ports.clock.time_zone());
    expiry::allowed(end, client.server_now(), &local, ports.longest_life())
}

/// The key as it is on the server now.
pub(crate) async fn read_for_change(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    uid: &KeyUid,
) -> Result<ApiKey, EditError> {
    match client.key(uid).await {
        Ok(key) => Ok(key),
        Err(error) if error.is_gone() && is_gone(client, uid).await => {
            live.patch(ports, uid, None);
            Err(EditError::Gone)
        }
        Err(error) => {
            live.heard_refusal(ports, client, &error);
            Err(EditError::NotTaken(error))
        }
    }
}

/// Sends a change and reads the key back. What the server has not shown is not claimed.
pub(crate) async fn apply(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    before: &ApiKey,
    change: &KeyChange,
    act: Act,
) -> Result<KeyView, EditError> {
    apply_as(ports, live, client, before, change, act, None).await
}

/// As [`apply`]; `undoes` is the line of the journal that this takes back.
pub(crate) async fn apply_as(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    before: &ApiKey,
    change: &KeyChange,
    act: Act,
    undoes: Option<JournalId>,
) -> Result<KeyView, EditError> {
    // What others did to it meanwhile is told apart from what is done now.
    live.patch(ports, &before.uid, Some(before));
    if is_changed(before, change) {
        return Ok(live.view_key(ports, before));
    }
    if shortens(before, change) {
        signing::guard(ports, live, &before.uid, Doing::Shorten)?;
    }
    let detail = in_words(ports, before, change);
    let asked = ports.ask(live, &Deed::of_key(act, before, &format!("To be sent: {detail}.")))?;
    asked.undoes(undoes);
    let changing = live.changing(&before.uid);
    let sent = match client.update_key(before, change).await {
        Err(error) if error.sent() != Sent::Unknown => {
            live.heard_refusal(ports, client, &error);
            asked.failed(&error.failure());
            return Err(EditError::NotTaken(error));
        }
        sent => sent,
    };
    let read = client.key(&before.uid).await;
    if let Ok(key) = &read {
        live.patch(ports, &before.uid, Some(key));
        if is_changed(key, change) {
            asked.changed(
                &format!("Sent: {detail}. Read back: the same."),
                Some(before),
                Some(key),
            );
            return Ok(live.view_key(ports, key));
        }
    }
    changing.is_unsettled();
    let words = match (read, sent) {
        (Err(read), Ok(())) => format!(
            "The server accepted the change, but the key could not be read again to confirm it. {}",
            read.failure().message
        ),
        (Err(read), Err(_)) => format!(
            "The answer was lost and the key could not be read again, so it is not known whether it \
             was changed. {}",
            read.failure().message
        ),
        (Ok(_), Err(_)) => "The answer was lost. A fresh read shows the key as it was, so the \
                            change was most likely not made. Look again in a moment."
            .to_owned(),
        (Ok(_), Ok(())) => "The server accepted the change, but a fresh read does not show it. \
                            Look at the key before you try again."
            .to_owned(),
    };
    asked.ended(ActState::Unknown, &words, |outcome| outcome.before = Some(before.clone()));
    Err(EditError::Unconfirmed(words))
}

/// Whether the key is what the person saw when they began. Times count in ms, as views carry them.
fn is_base(base: &EditBase, key: &ApiKey) -> bool {
    base.name == key.name
        && base.description == key.description
        && base.expires == key.expires.map(Timestamp::as_millisecond)
}

/// Whether the key is as the change wants it. Times count in ms, as Palette writes them.
fn is_changed(key: &ApiKey, change: &KeyChange) -> bool {
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    key.name == change.name
        && key.description == change.description
        && ms(key.expires) == ms(change.expires)
}

/// Whether the key would end sooner than it does now.
fn shortens(before: &ApiKey, change: &KeyChange) -> bool {
    match (before.expires, change.expires) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after < before,
    }
}

/// What a change changes, for the journal.
fn in_words(ports: &Ports, before: &ApiKey, change: &KeyChange) -> String {
    let mut parts = Vec::new();
    if before.name != change.name {
        parts.push(format!("name: {}", change.name));
    }
    if before.description != change.description {
        parts.push("description".to_owned());
    }
    if before.expires != change.expires {
        let zone = ports.clock.time_zone();
        let end = change.expires.map(|end| expiry::local_text(end, &zone));
        parts.push(format!("ends {}", end.as_deref().unwrap_or("never")));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;

    #[test]
    fn a_base_differs_by_any_field_that_can_be_edited() {
        let key = key("k1", "jane");
        let base = EditBase {
            name: key.name.clone(),
            description: String::new(),
            expires: key.expires.map(Timestamp::as_millisecond),
        };
        assert!(is_base(&base, &key));
        assert!(
            is_base(&base, &ApiKey { active: false, ..key.clone() }),
            "not a field of the form"
        );
        for other in [
            EditBase { name: "other".into(), ..base.clone() },
            EditBase { description: "other".into(), ..base.clone() },
            EditBase { expires: None, ..base.clone() },
        ] {
            assert!(!is_base(&other, &key), "{other:?}");
        }
    }
}
