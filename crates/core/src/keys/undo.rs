//! Undo: takes back what one line of the journal did, and nothing else.
//!
//! The key is read again first. If it is not as this app left it, somebody changed it since: that
//! is shown, and only a second call that names what was shown goes ahead.

use super::{
    ApiKey, KeyChange, KeyUid, KeyView,
    activity::{Act, ActState, Field, fields_changed},
    edit::{self, EditError},
    expiry::local_text,
    name::{NameError, not_taken},
    revoke::{self, RevokeView, StateError},
};
use crate::{
    ErrorCode, Failure,
    connection::signing::{self, Doing},
    palette_keys::Connections,
    ports::Ports,
    store::{JournalChange, JournalId, fields_of},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Why something was not taken back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndoError {
    /// There is no such line, it was not confirmed, or it is of an act that cannot be taken back.
    #[error("There is nothing here that can be undone. Nothing was changed.")]
    NotReversible,
    /// The end that would be set again has passed.
    #[error(
        "The end it had before, {0}, has passed by now, so setting it again would end the key at \
         once. Nothing was changed. To take the key out of service, revoke it."
    )]
    EndPassed(String),
    /// The name that would be given again is another key's by now.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Changing the key failed.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Putting the key back into service failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<UndoError> for Failure {
    fn from(error: UndoError) -> Self {
        match error {
            UndoError::NotReversible => Failure::new(ErrorCode::NotReversible, error.to_string()),
            UndoError::EndPassed(_) => Failure::new(ErrorCode::ExpiryPast, error.to_string()),
            UndoError::Name(error) => error.into(),
            UndoError::Edit(error) => error.into(),
            UndoError::State(error) => error.into(),
            UndoError::Failed(failure) => failure,
        }
    }
}

/// Take back what was done.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct UndoRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// What is taken back.
    pub target: UndoTarget,
    /// The key as a conflict showed it: "undo anyway", as long as it is still so. None: only if
    /// nobody changed it.
    pub seen: Option<KeyState>,
}

/// Which act is meant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum UndoTarget {
    /// One line of the time line.
    Line {
        /// Its id.
        #[ts(type = "number")]
        line: i64,
    },
    /// The newest of this kind that was confirmed for a key.
    Act {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: String,
        /// The kind.
        act: Act,
    },
}

/// What of a key can be changed and changed back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyState {
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: String,
    /// Its end, ms since 1970 UTC; none: never.
    #[ts(type = "number | null")]
    pub expires: Option<i64>,
    /// In service, or revoked.
    pub active: bool,
}

impl KeyState {
    fn of(key: &ApiKey) -> Self {
        Self {
            name: key.name.clone(),
            description: key.description.clone(),
            expires: key.expires.map(Timestamp::as_millisecond),
            active: key.active,
        }
    }
}

/// How an undo ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum UndoView {
    /// The server has it as it was, read back.
    Undone {
        /// What was taken back.
        act: Act,
        /// Id of the connection.
        connection: String,
        /// The key as it was read back; none: it is gone.
        key: Option<KeyView>,
        /// False: it was so already, and nothing was sent.
        sent: bool,
    },
    /// Somebody changed the key since. Nothing was sent.
    Conflict {
        /// The line in question.
        #[ts(type = "number")]
        line: i64,
        /// What would be taken back.
        act: Act,
        /// Id of the connection.
        connection: String,
        /// The key as it is on the server now.
        key: Box<KeyView>,
        /// As this app left it.
        left: KeyState,
        /// As it is on the server now: `seen` of "undo anyway".
        now: KeyState,
        /// As it would be after the undo.
        back: KeyState,
    },
    /// The key is to be out of service again, and the server has not confirmed that yet. It is
    /// written down and tried on until it is.
    Unconfirmed {
        /// What stands in the way, in words.
        problem: Failure,
    },
}

/// Takes back what a line did, if nobody changed the key since.
pub(crate) async fn undo(
    ports: &Arc<Ports>,
    connections: &Connections,
    request: &UndoRequest,
) -> Result<UndoView, UndoError> {
    let line = match &request.target {
        UndoTarget::Line { line } => JournalId::from_view(*line),
        UndoTarget::Act { connection, uid, act } => {
            let newest = ports.store.newest_of(connection, uid, *act);
            newest.map_err(|error| error.failure())?.ok_or(UndoError::NotReversible)?
        }
    };
    let change = ports.store.change(line).map_err(|error| error.failure())?;
    let change = change.ok_or(UndoError::NotReversible)?;
    let uid = change.activity.key_uid.as_deref().and_then(KeyUid::new);
    let uid = uid.ok_or(UndoError::NotReversible)?;
    let live = connections.get(&change.activity.connection)?;
    let client = live.signed_in(ports).await?;
    let now = edit::read_for_change(ports, &live, &client, &uid).await?;
    let Plan { fields, left, back } = plan(&change, &now).ok_or(UndoError::NotReversible)?;

    let (act, connection) = (change.activity.act, live.id());
    let shown = || live.view_key(ports, &now);
    if fields.iter().all(|field| field.is_same(&now, &back)) {
        live.patch(ports, &uid, Some(&now));
        return Ok(UndoView::Undone { act, connection, key: Some(shown()), sent: false });
    }
    let as_expected = match &request.seen {
        Some(seen) => *seen == KeyState::of(&now),
        None => fields_changed(&left, &now).is_empty(),
    };
    if !as_expected {
        live.patch(ports, &uid, Some(&now));
        return Ok(UndoView::Conflict {
            line: line.get(),
            act,
            connection,
            key: Box::new(shown()),
            left: KeyState::of(&left),
            now: KeyState::of(&now),
            back: KeyState::of(&back),
        });
    }
    let undoes = Some(line);
    let key = match act {
        Act::Revoke => revoke::reactivate_as(ports, &live, &uid, undoes).await?.key,
        Act::Reactivate => {
            live.patch(ports, &uid, Some(&now));
            signing::guard(ports, &live, &uid, Doing::Revoke)?;
            let revoked = revoke::revoke_as(ports, &live, &uid, &request.op_id, undoes).await?;
            match revoked.view {
                RevokeView::Confirmed { key, .. } => {
                    return Ok(UndoView::Undone { act, connection, key, sent: true });
                }
                RevokeView::Unconfirmed { problem } => {
                    return Ok(UndoView::Unconfirmed { problem });
                }
            }
        }
        _ => {
            if fields.contains(&Field::Name) {
                let known = live.known(ports);
                let keys = known.as_ref().map(|list| &*list.keys).unwrap_or_default();
                not_taken(back.name.trim(), &now.owner_uid, &now.owner_name, Some(&uid), keys)?;
            }
            if fields.contains(&Field::Expires)
                && let Some(end) = back.expires
                && end <= client.server_now()
            {
                return Err(UndoError::EndPassed(local_text(end, &ports.clock.time_zone())));
            }
            let change =
                KeyChange { name: back.name, description: back.description, expires: back.expires };
            edit::apply_as(ports, &live, &client, &now, &change, Act::Edit, undoes).await?
        }
    };
    Ok(UndoView::Undone { act, connection, key: Some(key), sent: true })
}

/// What an undo is about.
struct Plan {
    /// The fields it sets back.
    fields: Vec<Field>,
    /// The key as this app left it.
    left: ApiKey,
    /// The key as it would be.
    back: ApiKey,
}

/// What taking back a line means for a key as it is now. Only what the line changed is set back;
/// none when it changed nothing that is known.
fn plan(change: &JournalChange, now: &ApiKey) -> Option<Plan> {
    let JournalChange { activity, before, after, left } = change;
    if activity.state != ActState::Done {
        return None;
    }
    let mut left = left.as_ref().or(after.as_ref()).unwrap_or(now).clone();
    let mut back = now.clone();
    let fields = match activity.act {
        Act::Revoke | Act::Reactivate => {
            left.active = activity.act == Act::Reactivate;
            back.active = !left.active;
            vec![Field::Active]
        }
        act @ (Act::Edit | Act::Renew) => {
            let (before, after) = (before.as_ref()?, after.as_ref()?);
            let fields = fields_of(act, before, after);
            for field in &fields {
                field.copy(after, &mut left);
                field.copy(before, &mut back);
            }
            fields
        }
        _ => return None,
    };
    (!fields.is_empty()).then_some(Plan { fields, left, back })
}

impl Field {
    /// Makes `to` the same as `from` in it.
    fn copy(self, from: &ApiKey, to: &mut ApiKey) {
        match self {
            Self::Name => to.name.clone_from(&from.name),
            Self::Description => to.description.clone_from(&from.description),
            Self::Expires => to.expires = from.expires,
            Self::Active => to.active = from.active,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{activity::ActivityView, tests::key};

    fn change(act: Act, before: Option<ApiKey>, after: Option<ApiKey>) -> JournalChange {
        let activity = ActivityView {
            id: 1,
            at: 0,
            connection: "c1".into(),
            connection_name: "acme".into(),
            act,
            state: ActState::Done,
            key_uid: Some("k1".into()),
            key_name: None,
            owner_name: None,
            detail: String::new(),
            changes: Vec::new(),
            can_undo: true,
            undoes: None,
        };
        JournalChange { activity, left: after.clone(), before, after }
    }

    #[test]
    fn only_what_the_act_changed_is_set_back() {
        let before = key("k1", "jane");
        let after = ApiKey { name: "new".into(), ..before.clone() };
        // Somebody described it since, and that stays.
        let now = ApiKey { description: "theirs".into(), ..after.clone() };
        let plan = plan(&change(Act::Edit, Some(before.clone()), Some(after)), &now).unwrap();
        assert_eq!(plan.fields, [Field::Name]);
        assert_eq!(
            (plan.back.name, plan.back.description.as_str()),
            (before.name, "theirs"),
            "their description"
        );
        assert_eq!(fields_changed(&plan.left, &now), [Field::Description], "and it is told");
    }

    #[test]
    fn a_line_that_changed_nothing_known_has_no_undo() {
        let now = key("k1", "jane");
        for nothing in [
            change(Act::Edit, None, Some(now.clone())),
            change(Act::Edit, Some(now.clone()), None),
            change(Act::Renew, Some(now.clone()), Some(now.clone())),
            change(Act::Delete, Some(now.clone()), None),
            change(Act::Copy, None, None),
        ] {
            assert!(plan(&nothing, &now).is_none(), "{:?}", nothing.activity.act);
        }
        let mut unknown = change(Act::Revoke, None, None);
        assert!(plan(&unknown, &now).is_some_and(|plan| plan.back.active));
        unknown.activity.state = ActState::Unknown;
        assert!(plan(&unknown, &now).is_none(), "not confirmed");
    }
}
