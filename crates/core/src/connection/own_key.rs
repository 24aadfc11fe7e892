//! A key of the app's own: instead of asking for the password each time, the app makes a key for
//! its sign-in, keeps it in the keychain and signs in with that.
//!
//! The order: creation (probe, intent, one `POST`, filed, read back) → proved → one write of the
//! connection's record, which says that this key's stored value is the credential from now on.
//! Before that write the password's session goes on; after it the key does. There is no state
//! between the two.

use super::{
    ConnectionView, SignInMethod,
    live::Live,
    signing::{self, SignInNotes},
};
use crate::{
    ErrorCode, Failure,
    api::Credential,
    held::{self, Finish, SavedState},
    keychain::EntryName,
    keys::{
        KeyUid,
        activity::Act,
        create::{self, CreateRequest, CreateView, Wording},
        expiry::ExpiryChoice,
        name::checked_name,
    },
    palette_keys::Change,
    ports::{Deed, Ports, internal},
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// Life of a key that the app makes for its own sign-in, in days (product.md section 3).
pub(crate) const LIFE_DAYS: u32 = 30;

/// When such a key ends: sooner where the policy or the settings allow no [`LIFE_DAYS`].
pub(crate) fn expiry(ports: &Ports) -> ExpiryChoice {
    ExpiryChoice::Days { days: ports.longest_life().map_or(LIFE_DAYS, |days| days.min(LIFE_DAYS)) }
}

/// Names that are tried: "palette-keys on lark", "palette-keys on lark 2", …
const NAMES: u32 = 20;

/// Longest name of a computer that goes into a key's name, in characters.
const COMPUTER: usize = 40;

/// Why the connection does not sign in with a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnKeyError {
    /// It signs in with a key already, or nobody is signed in.
    #[error(
        "Sign in with email and password first: then Palette Keys can make a key of its own. No \
         key was made."
    )]
    NoSession,
    /// The server made it, but whether it is in the keychain is not sure.
    #[error(
        "The key was made, but the keychain did not take its value. {0} You stay signed in with \
         your password."
    )]
    NotSaved(String),
    /// It is in the keychain, but did not work yet.
    #[error(
        "The key was made and is in the keychain, but it could not be tried. {0} You stay signed \
         in with your password; try again and the same key is used."
    )]
    NotProved(String),
    /// The answer to the creation was lost.
    #[error("{0} You stay signed in with your password.")]
    NotKnown(String),
    /// Something below failed; the session goes on.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<OwnKeyError> for Failure {
    fn from(error: OwnKeyError) -> Self {
        let code = match error {
            OwnKeyError::NoSession => ErrorCode::NotSignedIn,
            OwnKeyError::NotSaved(_) => ErrorCode::KeychainFailed,
            OwnKeyError::NotProved(_) | OwnKeyError::NotKnown(_) => ErrorCode::OutcomeUnknown,
            OwnKeyError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// Make a key for the app's own sign-in.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OwnKeyRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
}

/// Makes a key for this computer and signs in with it from then on. A key that an earlier try made
/// and kept is used instead of another one.
pub(crate) async fn make(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    computer: &str,
    op_id: &str,
) -> Result<ConnectionView, OwnKeyError> {
    if live.record().sign_in.own && live.record().method == SignInMethod::ApiKey {
        return Ok(live.view());
    }
    if live.record().method != SignInMethod::Password {
        return Err(OwnKeyError::NoSession);
    }
    live.identified(ports).await.map_err(|_| OwnKeyError::NoSession)?;
    if let Some(uid) = made_before(ports, live) {
        return swap(ports, live, &uid).await;
    }
    let mut request = CreateRequest {
        op_id: op_id.to_owned(),
        connection: live.id(),
        name: String::new(),
        description: "Signs Palette Keys in on this computer".to_owned(),
        owner_uid: None,
        expiry: expiry(ports),
        save_to_keychain: true,
    };
    for number in 1..=NAMES {
        request.name = name_of(computer, number);
        live.remember(ports, |record| {
            record.sign_in.making = Some(request.name.clone());
        })?;
        match create::create(ports, live, &request, Wording::Ours).await.map_err(Failure::from) {
            Ok(view) => return made(ports, live, view).await,
            // Another computer of this name, or an earlier life of this one.
            Err(failure) if failure.code == ErrorCode::NameTaken && number < NAMES => {}
            Err(failure) => {
                forget_making(ports, live);
                return Err(failure.into());
            }
        }
    }
    Err(internal("No name was free. No key was made.").into())
}

async fn made(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    view: CreateView,
) -> Result<ConnectionView, OwnKeyError> {
    let held = match view {
        CreateView::Created { held } => held,
        CreateView::NotCreated { problem } => {
            forget_making(ports, live);
            return Err(problem.into());
        }
        CreateView::Lost { .. } => {
            return Err(OwnKeyError::NotKnown(
                "The answer of the server was lost. If a key was made, nobody has its value; it \
                 is shown above the list."
                    .to_owned(),
            ));
        }
    };
    match (&held.saved, held.uid.as_deref().and_then(KeyUid::new)) {
        (SavedState::Saved, Some(uid)) => {
            let signed_in = swap(ports, live, &uid).await;
            // It is in the keychain: nobody has to be asked to keep it.
            let _ = held::finish(ports, live, &held.held, Finish::Kept, &held.held).await;
            signed_in
        }
        (SavedState::Failed { problem }, _) => Err(OwnKeyError::NotSaved(problem.message.clone())),
        _ => Err(OwnKeyError::NotSaved("It is still held: keep it or revoke it.".to_owned())),
    }
}

fn forget_making(ports: &Ports, live: &Live) {
    if live.remember(ports, |record| record.sign_in.making = None).is_err() {
        tracing::warn!("that no key is made for the sign-in could not be written down");
    }
}

/// "palette-keys on lark", and with a number when that is taken.
fn name_of(computer: &str, number: u32) -> String {
    let computer: String = computer.chars().take(COMPUTER).collect();
    let name = checked_name(&format!("palette-keys on {}", computer.trim()));
    let name = match name {
        Ok(name) if !computer.trim().is_empty() => name,
        _ => "palette-keys".to_owned(),
    };
    if number == 1 { name } else { format!("{name} {number}") }
}

/// The key that an earlier try made and put into the keychain, and did not come to sign in with.
/// The list may be older than the key; whether it works is proved before it counts.
fn made_before(ports: &Ports, live: &Live) -> Option<KeyUid> {
    let name = live.record().sign_in.making?;
    let (list, now) = (live.known(ports), live.server_now(ports));
    let me = live.identity()?.user_uid;
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let able = |uid: &KeyUid| {
        let known = keys.iter().find(|key| key.uid == *uid);
        known.is_none_or(|key| signing::can_sign_in(key, &me, now))
    };
    let stored = ports.store.stored_named(&live.id(), &name).ok()?;
    stored.iter().filter_map(|uid| KeyUid::new(uid)).find(able)
}

/// Goes on with what the end of the app cut off: a key that was made and kept for the sign-in signs
/// in from now on. False when there is none, or it cannot be done now.
pub(crate) async fn resume(ports: &Arc<Ports>, live: &Arc<Live>) -> bool {
    if live.record().method != SignInMethod::Password {
        return false;
    }
    match made_before(ports, live) {
        Some(uid) => swap(ports, live, &uid).await.is_ok(),
        None => false,
    }
}

/// Proves the stored value of a key and makes it the credential of the connection.
async fn swap(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
) -> Result<ConnectionView, OwnKeyError> {
    let not_proved = |failure: Failure| OwnKeyError::NotProved(failure.message);
    let entry = EntryName::key_value(live.id(), uid.clone());
    let value = ports.keychain.read(entry).await.map_err(|error| not_proved(error.failure()))?;
    let client = live.client(ports)?;
    let who = client.prove(&value).await.map_err(|error| not_proved(error.failure()))?;
    let is_mine = live
        .identity()
        .is_some_and(|me| me.user_uid == who.user_uid && me.tenant_uid == who.tenant_uid);
    if !is_mine {
        return Err(OwnKeyError::NotProved("It acts as somebody else.".to_owned()));
    }

    let connections = ports.outbox.connections();
    let _turn = connections.changing.lock().await;
    // Signed in to with a key meanwhile: then that one stays.
    let live = connections.get(&live.id())?;
    if live.record().method != SignInMethod::Password {
        return Ok(live.view());
    }
    let name = live.known_key(ports, uid).map(|key| key.name).unwrap_or_default();
    let owner_name = live.identity().map(|me| me.name).unwrap_or_default();
    let deed = Deed {
        act: Act::SignIn,
        key_uid: uid.as_str(),
        key_name: &name,
        owner_name: &owner_name,
        detail: "Sign in with this key instead of the password",
    };
    let asked = ports.ask(&live, &deed)?;
    let written = live.remember(ports, |record| {
        record.method = SignInMethod::ApiKey;
        record.in_memory_only = false;
        record.credential_key = Some(uid.clone());
        record.signing_key_uid = Some(uid.as_str().to_owned());
        record.sign_in = SignInNotes { own: true, asked: true, ..SignInNotes::default() };
    });
    if let Err(failure) = written {
        asked.failed(&failure);
        return Err(failure.into());
    }
    // The session's token is let go here; the password itself was never kept.
    let client = live.client(ports)?;
    client.sign_in(Credential::ApiKey(value));
    asked.done("Signs in with this key from now on; it was tried on the server");
    live.heard(ports, &client, &Ok(()));
    ports.outbox.credential_changed(ports, &live.id());
    ports.tell(Change::Connections);
    live.tell_changed(ports);
    Ok(live.view())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_named_after_the_computer_and_the_name_can_always_be_used() {
        assert_eq!(name_of("lark", 1), "palette-keys on lark");
        assert_eq!(name_of("lark", 3), "palette-keys on lark 3");
        assert_eq!(name_of(" ", 1), "palette-keys");
        assert_eq!(name_of("a\u{202e}b", 2), "palette-keys 2");
        assert_eq!(name_of(&"x".repeat(300), 1).chars().count(), 16 + COMPUTER);
        for number in 1..=NAMES {
            assert!(checked_name(&name_of("lark\n", number)).is_ok());
        }
    }
}
