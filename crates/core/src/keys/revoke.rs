//! Revoke and re-activate: the same call, one boolean.

use super::{
    KeyUid, KeyView,
    activity::{Act, ActState},
    renew::ChangedKeyView,
};
use crate::{
    ErrorCode, Failure,
    api::{PaletteClient, Sent},
    connection::{
        live::Live,
        signing::{self, Doing},
    },
    outbox::{Added, OutboxAction, Tried},
    ports::{Deed, Ports, internal},
    store::JournalId,
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use ts_rs::TS;

/// How long whoever asked waits for the first try; the outbox goes on all the same.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);

/// Why a key's state was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Its end has passed: an active state would not make it work.
    #[error(
        "This key has expired, so re-activating it would not make it work. Renew it: that moves \
         its end. Nothing was changed."
    )]
    Expired,
    /// It is not on the server any more.
    #[error("This key is not on the server any more. Nothing was changed.")]
    Gone,
    /// The server said yes, but a fresh read does not show it, or could not be had.
    #[error("The server has not confirmed that the key is active again. {0}")]
    Unconfirmed(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        let code = match error {
            StateError::Expired => ErrorCode::KeyIsExpired,
            StateError::Gone => ErrorCode::KeyGone,
            StateError::Unconfirmed(_) => ErrorCode::OutcomeUnknown,
            StateError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// How a revocation stands after its first try. An error means that none was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it goes to JSON")]
pub enum RevokeView {
    /// A fresh read says revoked (`key`) or gone (none).
    Confirmed {
        /// The key as it was read; none: it is gone.
        key: Option<KeyView>,
        /// When the server refused the revoked value itself, ms since 1970; none: we do not hold it.
        #[ts(type = "number | null")]
        refused_at: Option<i64>,
    },
    /// Not confirmed by the server yet. It is written down and tried on until it is.
    Unconfirmed {
        /// What stands in the way, in words.
        problem: crate::Failure,
    },
}

/// A revocation that was asked for.
pub(crate) struct Revoked {
    /// How it stands.
    pub(crate) view: RevokeView,
    /// False: the disk refused the record, so it lives only as long as the app.
    pub(crate) recorded: bool,
}

/// As [`revoke`], unless the key signs this app in: that takes a word of its own.
pub(crate) async fn revoke_unless_it_signs_in(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    op_id: &str,
) -> Result<RevokeView, Failure> {
    signing::guard(ports, live, uid, Doing::Revoke)?;
    Ok(revoke(ports, live, uid, op_id).await?.view)
}

/// Takes a key out of service, through the outbox. It says so only when a fresh read of the server
/// does; else it is tried on. It does not ask whether the key signs this app in.
pub(crate) async fn revoke(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    op_id: &str,
) -> Result<Revoked, Failure> {
    revoke_as(ports, live, uid, op_id, None).await
}

/// As [`revoke`]; `undoes` is the line of the journal that this takes back.
pub(crate) async fn revoke_as(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    op_id: &str,
    undoes: Option<JournalId>,
) -> Result<Revoked, Failure> {
    let uids = std::slice::from_ref(uid);
    let added = ports.outbox.add(ports, live, OutboxAction::Revoke, op_id, uids).pop();
    let Added { recorded, tried, line } =
        added.ok_or_else(|| internal("The revocation was not taken. Nothing was sent."))?;
    if let (Some(line), Some(undone)) = (line, undoes)
        && ports.store.undoes(line, undone).is_err()
    {
        tracing::warn!("that a line is an undo could not be written down");
    }
    let view = match tokio::time::timeout(PATIENCE, tried).await {
        Ok(Ok(Tried::Confirmed(confirmed))) => {
            RevokeView::Confirmed { key: confirmed.key, refused_at: confirmed.refused_at }
        }
        Ok(Ok(Tried::NotYet(problem))) => RevokeView::Unconfirmed { problem },
        Ok(Ok(Tried::GivenUp) | Err(_)) => RevokeView::Unconfirmed {
            problem: Failure::new(
                ErrorCode::OutcomeUnknown,
                "The revocation was withdrawn before the server confirmed it. The key may still \
                 work.",
            ),
        },
        Err(_) => RevokeView::Unconfirmed { problem: no_answer_yet(live) },
    };
    Ok(Revoked { view, recorded })
}

/// Nothing is known after [`PATIENCE`].
pub(crate) fn no_answer_yet(live: &Live) -> Failure {
    let host = live.view().host;
    Failure::new(ErrorCode::TimedOut, format!("{host} has not answered yet. It is tried on."))
}

/// Whether a fresh list has no such key. A 404 alone may also be a bad credential or a proxy
/// (fact sheet §6, trust.md 5.1).
pub(crate) async fn is_gone(client: &PaletteClient, uid: &KeyUid) -> bool {
    // A list with items that make no sense may hold it all the same.
    client
        .read_keys()
        .await
        .is_ok_and(|listed| listed.skipped == 0 && listed.keys.iter().all(|key| key.uid != *uid))
}

/// Puts a revoked key back into service.
pub(crate) async fn reactivate(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<ChangedKeyView, StateError> {
    reactivate_as(ports, live, uid, None).await
}

/// As [`reactivate`]; `undoes` is the line of the journal that this takes back.
pub(crate) async fn reactivate_as(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    undoes: Option<JournalId>,
) -> Result<ChangedKeyView, StateError> {
    ports.outbox.withdraw(ports, live, uid).await;
    let client = live.signed_in(ports).await?;
    let read = client.key(uid).await;
    let before = match read {
        Ok(key) => key,
        Err(error) if error.is_gone() && is_gone(&client, uid).await => {
            live.patch(ports, uid, None);
            return Err(StateError::Gone);
        }
        Err(error) => {
            live.heard_refusal(ports, &client, &error);
            return Err(error.failure().into());
        }
    };
    if before.active {
        live.patch(ports, uid, Some(&before));
        return Ok(ChangedKeyView { key: live.view_key(ports, &before) });
    }
    // It can be re-activated only while its end has not passed (fact sheet §3.5 \[DOC\]).
    if before.expires.is_some_and(|ends| ends <= client.server_now()) {
        live.patch(ports, uid, Some(&before));
        return Err(StateError::Expired);
    }
    let deed = Deed::of_key(Act::Reactivate, &before, "To be sent: re-activate.");
    let asked = ports.ask(live, &deed)?;
    asked.undoes(undoes);
    let changing = live.changing(uid);
    let sent = client.set_active(uid, true).await;
    if let Err(error) = &sent
        && error.sent() != Sent::Unknown
    {
        live.heard_refusal(ports, &client, error);
        asked.failed(&error.failure());
        return Err(error.failure().into());
    }
    let read = client.key(uid).await;
    if let Ok(key) = &read {
        live.patch(ports, uid, Some(key));
        if key.active {
            let detail = "Sent: re-activate. Read back: active.";
            asked.changed(detail, Some(&before), Some(key));
            return Ok(ChangedKeyView { key: live.view_key(ports, key) });
        }
    }
    changing.is_unsettled();
    let words = match (read, sent) {
        (Err(error), _) => format!("It could not be read again. {}", error.failure().message),
        (Ok(_), Err(error)) => {
            format!("A fresh read shows it revoked. {}", error.failure().message)
        }
        (Ok(_), Ok(())) => "A fresh read shows it revoked. Try again.".to_owned(),
    };
    let error = StateError::Unconfirmed(words);
    asked.ended(ActState::Unknown, &error.to_string(), |outcome| {
        outcome.before = Some(before);
    });
    Err(error)
}
