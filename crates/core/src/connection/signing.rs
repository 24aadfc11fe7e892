//! The key that a connection signs in with: which one it is, and what must not happen to it by
//! mistake.
//!
//! A server never says with which key a request was signed in, so it is known when we made the key,
//! when only one own key can be it, or when the person said so.

use super::{ConnectionView, SignInMethod, live::Live};
use crate::{
    ErrorCode, Failure,
    keys::{ApiKey, KeyUid},
    outbox::OutboxAction,
    palette_keys::Change,
    ports::Ports,
    store::{CachedList, ConnectionRecord},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// What is remembered of a connection's own sign-in, beside which key it is. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SignInNotes {
    /// This app made the key for its own sign-in.
    pub own: bool,
    /// The person was asked which key it is, and put the question away.
    pub asked: bool,
    /// The person was offered a key of the app's own, and stays with the password.
    pub keeps_password: bool,
    /// Whether the key is renewed by itself; none: an own one is, a pasted one is not.
    pub renew: Option<bool>,
    /// The name of a key that is being made for the sign-in, until it signs in.
    pub making: Option<String>,
    /// How the last renewal by itself failed.
    pub failed: Option<RenewalFailed>,
    /// Keys that the app made for this sign-in before the present one, newest last. They end by
    /// themselves and are then deleted: ended ones count as keys of their owner.
    pub past: Vec<KeyUid>,
}

/// A renewal of the sign-in key that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalFailed {
    /// When, by this computer's clock, ms since 1970 UTC.
    pub at: i64,
    /// How often in a row.
    pub times: u32,
    /// Why.
    pub problem: Failure,
}

/// How a connection signs in, as the window sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignInKeyView {
    /// uid of the key; none: it signs in with a password, or it is not known which key it is.
    pub uid: Option<String>,
    /// Its name, as far as the list is known.
    pub name: Option<String>,
    /// When it ends, ms since 1970 UTC; none: never, or not known.
    #[ts(type = "number | null")]
    pub expires: Option<i64>,
    /// This app made it for its own sign-in.
    pub own: bool,
    /// It is renewed by itself, while the setting says so.
    pub renews: bool,
    /// Ask the person once which key it is.
    pub asks: bool,
    /// Offer once to make a key instead of asking for the password each time.
    pub offers: bool,
    /// Why the last renewal by itself failed.
    pub problem: Option<Failure>,
}

/// Change how a connection signs in, as far as that is remembered on this computer.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SignInChangeRequest {
    /// Id of the connection.
    pub connection: String,
    /// What is said.
    pub change: SignInChange,
}

/// What a person says of a connection's sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SignInChange {
    /// This key signs it in.
    Key {
        /// uid of one of the caller's own keys that work.
        uid: String,
    },
    /// It is not known which; the question is put away.
    NotKnown,
    /// The password is asked for each time; the offer is put away.
    KeepPassword,
    /// Whether its key is renewed by itself.
    Renew {
        /// True: it is.
        on: bool,
    },
}

/// Why what was said of a sign-in was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInChangeError {
    /// Only an own key that works can sign in.
    #[error(
        "This key cannot be the one that signs Palette Keys in: it is not yours, or it does not \
         work any more. Nothing was changed."
    )]
    CannotBeIt,
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<SignInChangeError> for Failure {
    fn from(error: SignInChangeError) -> Self {
        match error {
            SignInChangeError::CannotBeIt => Failure::new(ErrorCode::Refused, error.to_string()),
            SignInChangeError::Failed(failure) => failure,
        }
    }
}

/// Takes what a person says of a connection's sign-in. Nothing is sent.
pub(crate) fn change(
    ports: &Ports,
    live: &Live,
    change: &SignInChange,
) -> Result<ConnectionView, SignInChangeError> {
    if let SignInChange::Key { uid } = change {
        let (list, now) = (live.known(ports), live.server_now(ports));
        let me = live.identity().map(|me| me.user_uid).unwrap_or_default();
        let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
        let is_api_key = live.record().method == SignInMethod::ApiKey;
        let fits = keys.iter().any(|key| key.uid.as_str() == uid && can_sign_in(key, &me, now));
        if !is_api_key || !fits {
            return Err(SignInChangeError::CannotBeIt);
        }
    }
    live.remember(ports, |record| match change {
        SignInChange::Key { uid } => {
            if record.signing_key_uid.as_deref() != Some(uid) {
                // What was agreed and what failed was about another key.
                record.sign_in = SignInNotes::default();
            }
            record.signing_key_uid = Some(uid.clone());
            record.sign_in.asked = true;
        }
        SignInChange::NotKnown => {
            record.signing_key_uid = None;
            record.sign_in = SignInNotes { asked: true, ..SignInNotes::default() };
        }
        SignInChange::KeepPassword => record.sign_in.keeps_password = true,
        SignInChange::Renew { on } => {
            record.sign_in.renew = Some(*on);
            record.sign_in.failed = None;
        }
    })?;
    ports.tell(Change::Connections);
    live.tell_changed(ports);
    Ok(live.view())
}

/// A list was just read: which key signs in is written down as soon as it can only be one, since
/// later there may be more; and a key that was said to be it, but does not work any more although
/// the sign-in does, is not it. One that a list lacks is gone only if the list is `complete`.
pub(crate) fn learn(ports: &Ports, live: &Live, complete: bool) {
    let record = live.record();
    let Some(list) = live.known(ports) else { return };
    let now = live.server_now(ports);
    if let Some(known) = &record.signing_key_uid {
        let key = list.keys.iter().find(|key| key.uid.as_str() == known);
        let works = key.map_or(!complete, |key| works(key, now));
        let asked_for = || ports.outbox.revoking(&record.id).contains(known);
        if record.sign_in.own || works || asked_for() {
            return;
        }
        let wrong = live.remember(ports, |record| {
            record.signing_key_uid = None;
            record.sign_in = SignInNotes::default();
        });
        if wrong.is_ok() {
            ports.tell(Change::Connections);
        }
    }
    if live.record().signing_key_uid.is_some() {
        return;
    }
    let Some(uid) = live.signing_uid(Some(&list), now) else { return };
    if live.remember(ports, |record| record.signing_key_uid = Some(uid)).is_err() {
        tracing::warn!("which key signs in could not be remembered");
    }
}

/// It is in service and its end has not passed.
pub(crate) fn works(key: &ApiKey, now: Timestamp) -> bool {
    key.active && key.expires.is_none_or(|ends| ends > now)
}

/// A key that works belongs to the caller, is active and has not ended.
pub(crate) fn can_sign_in(key: &ApiKey, me: &str, now: Timestamp) -> bool {
    !me.is_empty() && key.owner_uid == me && works(key, now)
}

/// How a connection signs in, from what is remembered and its list.
pub(crate) fn view_of(
    record: &ConnectionRecord,
    me: Option<&str>,
    list: Option<&CachedList>,
    is_signed_in: bool,
    uid: Option<String>,
) -> SignInKeyView {
    let notes = &record.sign_in;
    if record.method == SignInMethod::Password {
        let offers = is_signed_in && !notes.keeps_password;
        return SignInKeyView { offers, ..SignInKeyView::default() };
    }
    let key = list
        .zip(uid.as_deref())
        .and_then(|(list, uid)| list.keys.iter().find(|key| key.uid.as_str() == uid));
    // By the server's clock at the time of the list.
    let able = list.zip(me).map_or(0, |(list, me)| {
        let offset = SignedDuration::from_millis(list.clock_offset_ms);
        let now = list.as_of.checked_add(offset).unwrap_or(list.as_of);
        list.keys.iter().filter(|key| can_sign_in(key, me, now)).count()
    });
    let hidden = list.map_or(0, |list| list.skipped);
    SignInKeyView {
        name: key.map(|key| key.name.clone()),
        expires: key.and_then(|key| key.expires).map(Timestamp::as_millisecond),
        own: notes.own,
        renews: uid.is_some() && notes.renew.unwrap_or(notes.own),
        asks: uid.is_none() && able + hidden > 1 && able > 0 && !notes.asked && !record.demo,
        offers: false,
        problem: notes.failed.as_ref().map(|failed| failed.problem.clone()),
        uid,
    }
}

/// What was about to be done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Revoke,
    Delete,
    Shorten,
}

/// Stops what would sign this app out: the key signs in this connection, or another one to the same
/// tenant. A key that is out of service already, or whose revocation a person has confirmed, signs
/// nobody in any more.
pub(crate) fn guard(ports: &Ports, live: &Live, uid: &KeyUid, doing: Doing) -> Result<(), Failure> {
    let list = live.known(ports);
    let now = live.server_now(ports);
    let known = list.as_ref().and_then(|list| list.keys.iter().find(|key| key.uid == *uid));
    if known.is_some_and(|key| !works(key, now)) {
        return Ok(());
    }
    if ports.outbox.revoking(&live.id()).contains(uid.as_str()) {
        return Ok(());
    }
    let names: Vec<String> =
        signed_in_with(ports, live, uid).iter().map(|live| live.name()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let (done, goes) = match doing {
        Doing::Revoke => ("revoked", "Revoking it would sign this app out at once."),
        Doing::Delete => ("deleted", "Deleting it would sign this app out at once."),
        Doing::Shorten => ("changed", "With an earlier end this app would be signed out then."),
    };
    Err(Failure::new(
        ErrorCode::SignsThisAppIn,
        format!(
            "This key signs Palette Keys in to {}. {goes} Nothing was {done}. Roll it instead: the \
             new key takes over before this one ends.",
            names.join(" and to ")
        ),
    ))
}

/// As [`guard`], for several keys: none of them is touched when one signs this app in.
pub(crate) fn guard_all(
    ports: &Ports,
    live: &Live,
    uids: &[KeyUid],
    action: OutboxAction,
) -> Result<(), Failure> {
    let doing = match action {
        OutboxAction::Revoke => Doing::Revoke,
        OutboxAction::Delete => Doing::Delete,
    };
    uids.iter().try_for_each(|uid| guard(ports, live, uid, doing))
}

/// The connections that sign in with a key: this one, and others to the same tenant.
pub(crate) fn signed_in_with(ports: &Ports, live: &Live, uid: &KeyUid) -> Vec<Arc<Live>> {
    live.known(ports);
    let (record, tenant) = (live.record(), live.identity().map(|me| me.tenant_uid));
    let signs_in = |other: &Arc<Live>| {
        let theirs = other.record();
        let list = other.known(ports);
        let same_tenant = theirs.origin == record.origin
            && tenant.is_some()
            && other.identity().map(|me| me.tenant_uid) == tenant;
        (theirs.id == record.id || same_tenant)
            && other.signing_uid(list.as_deref(), other.server_now(ports)).as_deref()
                == Some(uid.as_str())
    };
    let mut found: Vec<Arc<Live>> =
        ports.outbox.connections().all().into_iter().filter(signs_in).collect();
    // The one that is looked at is named first.
    found.sort_by_key(|other| other.id() != record.id);
    found
}
