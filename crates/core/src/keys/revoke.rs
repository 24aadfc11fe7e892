//! Revoke and re-activate: the same call, one boolean.

use super::{
    ApiKey, KeyUid, KeyView,
    activity::{Act, ActState},
    renew::ChangedKeyView,
};
use crate::{
    ErrorCode, Failure, Secret,
    api::{ApiError, PaletteClient, Sent},
    connection::live::Live,
    keychain::EntryName,
    ports::{Deed, Ports},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use ts_rs::TS;

/// How often a revocation is sent when its answer is lost and the key still reads as active. The
/// same state sent twice is the same state (trust.md 5.3).
const SENDINGS: u32 = 3;

/// How long the keychain may take for the value that the proof needs.
const VALUE_WITHIN: Duration = Duration::from_secs(3);

/// How often the revoked value is tried: a server may take a moment to refuse it (fact sheet §3.5
/// \[UNK\]: the delay is not documented).
const PROOFS: u32 = 3;

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

/// How a revocation ended. Failures before anything was sent are errors instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RevokeView {
    /// A fresh read says revoked (`key`) or gone (none).
    Confirmed {
        /// The key as it was read; none: it is gone.
        key: Option<KeyView>,
        /// When the server refused the revoked value itself, ms since 1970; none: we do not hold it.
        #[ts(type = "number | null")]
        refused_at: Option<i64>,
    },
    /// Sent, but the server has not confirmed it.
    Unconfirmed {
        /// What stands in the way, in words.
        problem: crate::Failure,
    },
}

/// Takes a key out of service. It says so only when a fresh read of the server does.
pub(crate) async fn revoke(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<RevokeView, Failure> {
    let client = live.signed_in(ports).await?;
    let before = live.known_key(ports, uid);
    let name = before.as_ref().map(|key| key.name.clone()).unwrap_or_default();
    let owner = before.as_ref().map(|key| key.owner_name.clone()).unwrap_or_default();
    let deed = Deed {
        act: Act::Revoke,
        key_uid: uid.as_str(),
        key_name: &name,
        owner_name: &owner,
        detail: "PUT state, inactive",
    };
    // A full disk must never stop a revocation (trust.md 5.1).
    let asked = ports.ask_or_go_ahead(live, &deed);
    let fate = match send(&client, uid).await {
        Ok(fate) => fate,
        Err(error) => {
            live.heard_refusal(ports, &error);
            let failure = error.failure();
            asked.failed(&failure);
            return Err(failure);
        }
    };
    match fate {
        Fate::Revoked(key) => {
            live.patch(ports, uid, Some(&key));
            let refused_at = proof(ports, live, &client, uid).await;
            let refused = if refused_at.is_some() { ", its value is refused" } else { "" };
            asked.changed(
                &format!("PUT state, inactive \u{2192} read back: revoked{refused}"),
                before.as_ref(),
                Some(&key),
            );
            Ok(RevokeView::Confirmed { key: Some(live.view_key(ports, &key)), refused_at })
        }
        Fate::Gone => {
            live.patch(ports, uid, None);
            let refused_at = proof(ports, live, &client, uid).await;
            asked.changed("PUT state, inactive \u{2192} the key is gone", before.as_ref(), None);
            Ok(RevokeView::Confirmed { key: None, refused_at })
        }
        Fate::Unconfirmed(failure, error) => {
            if let Some(error) = error {
                live.heard_refusal(ports, &error);
            }
            asked.unknown(&failure);
            Ok(RevokeView::Unconfirmed { problem: failure })
        }
    }
}

/// What became of a revocation that was sent.
enum Fate {
    Revoked(Box<ApiKey>),
    Gone,
    Unconfirmed(Failure, Option<ApiError>),
}

/// The one place where a revocation is sent. The durable outbox will stand before it: a record
/// written first, and this repeated until the fate is `Revoked` or `Gone`.
async fn send(client: &PaletteClient, uid: &KeyUid) -> Result<Fate, ApiError> {
    let mut sendings = 0;
    loop {
        sendings += 1;
        let sent = client.set_active(uid, false).await;
        let lost = match sent {
            Ok(()) => None,
            // Not there: believed only when a list of the same credential says so too.
            Err(error) if error.is_gone() => {
                return if is_gone(client, uid).await { Ok(Fate::Gone) } else { Err(error) };
            }
            Err(error) if error.sent() == Sent::Unknown => Some(error),
            // An earlier sending may have been heard, so a refusal now does not undo it.
            Err(error) if sendings > 1 => Some(error),
            Err(error) => return Err(error),
        };
        let read = client.key(uid).await;
        return Ok(match (read, lost) {
            (Ok(key), _) if !key.active => Fate::Revoked(Box::new(key)),
            (Ok(_), Some(_)) if sendings < SENDINGS => continue,
            (Ok(_), Some(error)) => Fate::Unconfirmed(error.failure(), Some(error)),
            (Ok(_), None) => Fate::Unconfirmed(
                Failure::new(
                    ErrorCode::OutcomeUnknown,
                    "The server accepted the revocation, but a fresh read still shows the key as \
                     active. Try again.",
                ),
                None,
            ),
            (Err(error), _) if error.is_gone() && is_gone(client, uid).await => Fate::Gone,
            (Err(read), Some(lost)) => Fate::Unconfirmed(lost.failure(), Some(read)),
            (Err(read), None) => Fate::Unconfirmed(not_read_back(&read), Some(read)),
        });
    }
}

/// The server accepted a change, but the fresh read failed.
fn not_read_back(read: &ApiError) -> Failure {
    let failure = read.failure();
    let message = if read.needs_sign_in() {
        "The server accepted the revocation and now refuses the credential that Palette Keys signs \
         in with, perhaps because that is the key you revoked. Sign in with another one to confirm \
         it."
        .to_owned()
    } else {
        format!(
            "The server accepted the revocation, but the key could not be read again to confirm \
             it. {}",
            failure.message
        )
    };
    Failure { message, code: ErrorCode::OutcomeUnknown, details: failure.details }
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

/// When the server refused the revoked value itself, ms since 1970 by the server's clock; none when
/// we do not have the value or it was not refused.
async fn proof(ports: &Ports, live: &Live, client: &PaletteClient, uid: &KeyUid) -> Option<i64> {
    let value = value_of(ports, live, uid).await?;
    for attempt in 0..PROOFS {
        if attempt > 0 {
            tokio::time::sleep(ports.timing.between_proofs).await;
        }
        match client.prove(&value).await {
            Ok(_) => {}
            Err(error) if error.needs_sign_in() => {
                return Some(client.server_now().as_millisecond());
            }
            Err(_) => return None,
        }
    }
    None
}

/// The value of a key, if it is held or in the keychain and at hand without waiting for a prompt.
async fn value_of(ports: &Ports, live: &Live, uid: &KeyUid) -> Option<Secret> {
    let connection = live.id();
    if let Some(value) = ports.held.value_of(&connection, uid) {
        return Some(value);
    }
    if !ports.store.stored_uids(&connection).ok()?.contains(uid.as_str()) {
        return None;
    }
    let reading = ports.keychain.read(EntryName::key_value(connection, uid.clone()));
    tokio::time::timeout(VALUE_WITHIN, reading).await.ok()?.ok()
}

/// Puts a revoked key back into service.
pub(crate) async fn reactivate(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<ChangedKeyView, StateError> {
    let client = live.signed_in(ports).await?;
    let read = client.key(uid).await;
    let before = match read {
        Ok(key) => key,
        Err(error) if error.is_gone() && is_gone(&client, uid).await => {
            live.patch(ports, uid, None);
            return Err(StateError::Gone);
        }
        Err(error) => {
            live.heard_refusal(ports, &error);
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
    let deed = Deed::of_key(Act::Reactivate, &before, "PUT state, active");
    let asked = ports.ask(live, &deed)?;
    let sent = client.set_active(uid, true).await;
    if let Err(error) = &sent
        && error.sent() != Sent::Unknown
    {
        live.heard_refusal(ports, error);
        asked.failed(&error.failure());
        return Err(error.failure().into());
    }
    let read = client.key(uid).await;
    if let Ok(key) = &read {
        live.patch(ports, uid, Some(key));
        if key.active {
            let detail = "PUT state, active \u{2192} read back: active";
            asked.changed(detail, Some(&before), Some(key));
            return Ok(ChangedKeyView { key: live.view_key(ports, key) });
        }
    }
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
