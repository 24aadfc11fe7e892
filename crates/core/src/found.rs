//! "Found a key?": a value that turned up somewhere. Whose is it, and out of service with it.
//!
//! The value comes in once. It is compared here with every value we hold, then tried once on
//! `users/info` of the one host that the person was asked about, by a client that has no other
//! credential. While it can still prove something it is held in memory, for ten minutes at most; it
//! is never written down, never part of an error, and never goes back to a window.

use crate::{
    ErrorCode, Failure, Secret,
    api::{ApiError, WhoAmI},
    connection::{SignInMethod, connect::bare_key, live::Live},
    keychain::{EntryName, KeychainState},
    keys::{
        KeyUid, KeyView,
        activity::Act,
        list,
        revoke::{self, RevokeView},
    },
    once::lock,
    palette_keys::Connections,
    ports::{Deed, Ports},
    shown::visible,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};
use ts_rs::TS;

/// How long a found value is held.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// How long the keychain may take for the comparison: a prompt that nobody answers must not hold up
/// taking a leaked key out of service.
const COMPARE_WITHIN: Duration = Duration::from_secs(8);

/// Longest name of a person or organization that is shown, in characters.
const LONGEST_NAME: usize = 80;

/// Why nothing is known of a found value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoundError {
    /// It is not held any more.
    #[error(
        "The value is not held any more: it is kept for ten minutes at most. Nothing was sent. \
         Enter it again, or revoke the key from the list."
    )]
    ValueGone,
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<FoundError> for Failure {
    fn from(error: FoundError) -> Self {
        match error {
            FoundError::ValueGone => Failure::new(ErrorCode::ValueGone, error.to_string()),
            FoundError::Failed(failure) => failure,
        }
    }
}

/// Try a value that somebody found. It can only come in: there is no `Serialize` and no `Debug`.
#[derive(Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FoundRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection on whose host it is tried.
    pub connection: String,
    /// The value.
    #[ts(type = "string")]
    pub value: Secret,
}

/// What is known of a found value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FoundView {
    /// Names the value while it is held; none: it was let go of, since nothing is left to prove.
    pub found: Option<String>,
    /// The host it was meant for.
    pub host: String,
    /// What is known.
    pub outcome: FoundOutcome,
}

/// What trying a found value told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FoundOutcome {
    /// We hold the same value: it is this key's.
    Known {
        /// The key.
        key: KeyView,
        /// The server took it.
        works: bool,
    },
    /// We hold the same value for another connection. Nothing was sent.
    Elsewhere {
        /// Id of that connection.
        connection: String,
        /// Its name.
        connection_name: String,
        /// The key's name; empty when it is not known.
        key_name: String,
    },
    /// The server took it, and none of the values we hold is the same.
    Unknown {
        /// The person it acts as.
        acts_as: String,
        /// The organization it works in.
        organization: String,
        /// It signs this very app in.
        signs_in: bool,
        /// The keys it can be, newest first: of that person, in service, and with no other value
        /// that we hold.
        candidates: Vec<KeyView>,
        /// Why the list may be older than that, if it is.
        problem: Option<Failure>,
    },
    /// The server did not take it.
    Refused,
}

/// Revoke the key that a found value is.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RevokeFoundRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// The found value.
    pub found: String,
    /// uid of the key.
    pub uid: String,
}

/// How the revocation stands, and what the value itself proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RevokedFoundView {
    /// How the revocation stands.
    pub revoked: RevokeView,
    /// What the value proves.
    pub value: FoundProof,
}

/// What a found value proves after the revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum FoundProof {
    /// The server refused it.
    Refused {
        /// When, by the server's clock, ms since 1970 UTC.
        #[ts(type = "number")]
        at: i64,
    },
    /// The server still takes it: it is another key's. It is still held.
    StillWorks,
    /// It could not be tried, or the revocation is not confirmed yet.
    NotKnown,
}

/// The one value that is held.
struct FoundValue {
    id: String,
    connection: String,
    /// The key a person says it is.
    uid: Option<KeyUid>,
    value: Secret,
    since: Timestamp,
}

/// The found value, in memory only.
#[derive(Default)]
pub(crate) struct FoundValues(Mutex<Option<FoundValue>>);

impl FoundValues {
    /// Holds a value in the place of the one before.
    fn hold(
        &self,
        ports: &Arc<Ports>,
        connection: String,
        uid: Option<KeyUid>,
        value: Secret,
    ) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let held = FoundValue { id: id.clone(), connection, uid, value, since: ports.now() };
        *lock(&self.0) = Some(held);
        let (ports_of_task, name) = (Arc::clone(ports), id.clone());
        ports.tasks.spawn(async move {
            tokio::time::sleep(LASTS).await;
            ports_of_task.found.forget(&name);
        });
        id
    }

    /// The value that a person says is this key's.
    pub(crate) fn value_of(&self, ports: &Ports, connection: &str, uid: &KeyUid) -> Option<Secret> {
        self.fresh(ports, |held| {
            let is_it = held.connection == connection && held.uid.as_ref() == Some(uid);
            is_it.then(|| held.value.clone())
        })
    }

    /// Says whose value it is, or that nobody knows.
    fn is_of(&self, ports: &Ports, id: &str, uid: Option<KeyUid>) -> Option<(String, Secret)> {
        self.fresh(ports, |held| {
            if held.id != id {
                return None;
            }
            held.uid = uid;
            Some((held.connection.clone(), held.value.clone()))
        })
    }

    fn fresh<R>(
        &self,
        ports: &Ports,
        look: impl FnOnce(&mut FoundValue) -> Option<R>,
    ) -> Option<R> {
        let mut held = lock(&self.0);
        let lasts = SignedDuration::try_from(LASTS).unwrap_or(SignedDuration::ZERO);
        // Also where the task could not wake: after a sleep of the computer.
        if held.as_ref().is_some_and(|held| ports.now().duration_since(held.since).abs() > lasts) {
            *held = None;
        }
        held.as_mut().and_then(look)
    }

    /// Lets go of it.
    pub(crate) fn forget(&self, id: &str) {
        let mut held = lock(&self.0);
        if held.as_ref().is_some_and(|held| held.id == id) {
            *held = None;
        }
    }

    /// Lets go of it, if it was tried on this connection.
    pub(crate) fn drop_all_of(&self, connection: &str) {
        let mut held = lock(&self.0);
        if held.as_ref().is_some_and(|held| held.connection == connection) {
            *held = None;
        }
    }
}

/// Compares a value with those we hold, tries it once on one host, and says what is known of it.
pub(crate) async fn try_found(
    ports: &Arc<Ports>,
    connections: &Connections,
    live: &Arc<Live>,
    request: &FoundRequest,
) -> Result<FoundView, FoundError> {
    let value = bare_key(&request.value).map_err(Failure::from)?;
    let host = live.view().host;
    let compared = compare(ports, connections, live, &value).await;
    if let Some((other, uid)) = &compared.same
        && other.id() != live.id()
    {
        let name = uid.as_ref().and_then(|uid| other.known_key(ports, uid)).map(|key| key.name);
        let outcome = FoundOutcome::Elsewhere {
            connection: other.id(),
            connection_name: other.name(),
            key_name: name.unwrap_or_default(),
        };
        return Ok(FoundView { found: None, host, outcome });
    }
    let uid = compared.same.and_then(|(_, uid)| uid);
    let known = uid.as_ref().and_then(|uid| live.known_key(ports, uid));
    let deed = Deed {
        act: Act::TryFound,
        key_uid: uid.as_ref().map(KeyUid::as_str).unwrap_or_default(),
        key_name: known.as_ref().map(|key| &*key.name).unwrap_or_default(),
        owner_name: known.as_ref().map(|key| &*key.owner_name).unwrap_or_default(),
        detail: &format!("Try the found value on {host}, once"),
    };
    let client = live.bare_client(ports)?;
    let asked = ports.ask(live, &deed)?;
    let tried = client.prove_once(&value).await;
    let works = match &tried {
        Ok(_) => true,
        Err(ApiError::CredentialRejected(_)) => false,
        Err(error) => {
            let failure = error.failure();
            asked.failed(&failure);
            return Err(failure.into());
        }
    };
    // What it can be is looked for in a fresh list; without one the known list must do.
    let problem = list::refresh(ports, live).await.err();
    let outcome = match (uid.as_ref().and_then(|uid| live.known_key(ports, uid)), tried) {
        (Some(key), _) => FoundOutcome::Known { key: live.view_key(ports, &key), works },
        (None, Ok(who)) => {
            unknown(ports, live, &who, &compared.differing, compared.signs_in, problem)
        }
        (None, Err(_)) => FoundOutcome::Refused,
    };
    asked.done(&match &outcome {
        FoundOutcome::Unknown { acts_as, .. } => {
            format!("Tried on {host}: it works and acts as {acts_as}")
        }
        _ if works => format!("Tried on {host}: it works"),
        _ => format!("Tried on {host}: refused"),
    });
    let found = works.then(|| ports.found.hold(ports, live.id(), None, value));
    Ok(FoundView { found, host, outcome })
}

/// Who the value acts as, and which keys it can be.
fn unknown(
    ports: &Ports,
    live: &Live,
    who: &WhoAmI,
    differing: &HashSet<KeyUid>,
    signs_in: bool,
    problem: Option<Failure>,
) -> FoundOutcome {
    let list = live.known(ports);
    let now = live.server_now(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let same_tenant = live.identity().is_none_or(|me| me.tenant_uid == who.tenant_uid);
    let signing = live.signing_uid(list.as_deref(), now);
    let mut able: Vec<_> = keys
        .iter()
        .filter(|key| {
            let may_sign = signing.as_deref() == Some(key.uid.as_str());
            same_tenant
                && key.owner_uid == who.user_uid
                && key.active
                && key.expires.is_none_or(|ends| ends > now)
                && !differing.contains(&key.uid)
                // Where it is known which key signs in, a value is that key's or it is not.
                && (signing.is_none() || may_sign == signs_in)
        })
        .collect();
    able.sort_by_key(|key| std::cmp::Reverse(key.created));
    let me = live.identity().filter(|me| me.user_uid == who.user_uid).map(|me| me.name);
    let people = list.as_ref().and_then(|list| list.people.as_ref());
    let person = people.and_then(|people| people.iter().find(|person| person.uid == who.user_uid));
    let names = [
        me.unwrap_or_default(),
        person.map(|person| person.name.clone()).unwrap_or_default(),
        able.first().map(|key| key.owner_name.clone()).unwrap_or_default(),
        who.user_uid.clone(),
    ];
    let acts_as = names.iter().map(|name| visible(name, LONGEST_NAME));
    FoundOutcome::Unknown {
        acts_as: acts_as.into_iter().find(|name| !name.is_empty()).unwrap_or_default(),
        organization: visible(&who.organization, LONGEST_NAME),
        signs_in,
        candidates: able.into_iter().map(|key| live.view_key(ports, key)).collect(),
        problem,
    }
}

/// What comparing with the values we hold told.
#[derive(Default)]
struct Compared {
    /// Where the same value is held, and for which key if that is known.
    same: Option<(Arc<Live>, Option<KeyUid>)>,
    /// Keys of the connection that have another value.
    differing: HashSet<KeyUid>,
    /// It is what the connection signs in with.
    signs_in: bool,
}

/// Compares a value with every one we hold. What cannot be read is not compared.
async fn compare(
    ports: &Ports,
    connections: &Connections,
    live: &Arc<Live>,
    value: &Secret,
) -> Compared {
    let mut compared = Compared::default();
    if let Some((connection, uid)) = ports.held.find(value)
        && let Some(of) = connections.find(&connection)
    {
        compared.same = Some((of, uid.as_deref().and_then(KeyUid::new)));
    }
    if ports.keychain.view().await.state != KeychainState::Ready {
        return compared;
    }
    let in_keychain = async {
        let mut all = connections.all();
        // The one it is tried on first: with thousands of others its own must not be missed.
        all.sort_by_key(|of| of.id() != live.id());
        for of in all {
            let record = of.record();
            let here = record.id == live.id();
            if record.method == SignInMethod::ApiKey && !record.in_memory_only {
                let entry = EntryName::credential(&*record.id);
                if let Ok(credential) = ports.keychain.read(entry).await
                    && credential.same_as(value)
                {
                    of.known(ports);
                    let list = of.known(ports);
                    let uid = of.signing_uid(list.as_deref(), of.server_now(ports));
                    let uid = uid.as_deref().and_then(KeyUid::new);
                    compared.signs_in |= here;
                    // Not knowing which key it is, its candidates are looked for as ever.
                    if uid.is_some() || !here {
                        compared.same.get_or_insert((Arc::clone(&of), uid));
                    }
                }
            }
            for uid in ports.store.stored_uids(&record.id).unwrap_or_default() {
                let Some(uid) = KeyUid::new(&uid) else { continue };
                let entry = EntryName::key_value(&*record.id, uid.clone());
                let Ok(stored) = ports.keychain.read(entry).await else { continue };
                if stored.same_as(value) {
                    compared.same.get_or_insert((Arc::clone(&of), Some(uid)));
                } else if here {
                    compared.differing.insert(uid);
                }
            }
        }
    };
    // What was compared until then counts.
    let _ = tokio::time::timeout(COMPARE_WITHIN, in_keychain).await;
    compared
}

/// Revokes the key that a person says the value is, through the outbox, and tries the value after.
pub(crate) async fn revoke_found(
    ports: &Arc<Ports>,
    connections: &Connections,
    request: &RevokeFoundRequest,
) -> Result<RevokedFoundView, FoundError> {
    let uid = crate::connection::live::key_uid(&request.uid)?;
    let held = ports.found.is_of(ports, &request.found, Some(uid.clone()));
    let (connection, value) = held.ok_or(FoundError::ValueGone)?;
    let live = connections.get(&connection)?;
    let revoked = revoke::revoke(ports, &live, &uid, &request.op_id).await?.view;
    let value = match &revoked {
        // The outbox goes on and has the value for its proof.
        RevokeView::Unconfirmed { .. } => FoundProof::NotKnown,
        RevokeView::Confirmed { refused_at: Some(at), .. } => FoundProof::Refused { at: *at },
        RevokeView::Confirmed { refused_at: None, .. } => {
            let client = live.bare_client(ports)?;
            match client.prove_once(&value).await {
                Ok(_) => FoundProof::StillWorks,
                Err(ApiError::CredentialRejected(_)) => {
                    FoundProof::Refused { at: client.server_now().as_millisecond() }
                }
                Err(_) => FoundProof::NotKnown,
            }
        }
    };
    match (&revoked, &value) {
        (RevokeView::Unconfirmed { .. }, _) => {}
        (_, FoundProof::StillWorks) => drop(ports.found.is_of(ports, &request.found, None)),
        _ => ports.found.forget(&request.found),
    }
    Ok(RevokedFoundView { revoked, value })
}

/// The person is done with it. A revocation that is not confirmed yet keeps the value for its proof.
pub(crate) fn forget(ports: &Ports) {
    let mut held = lock(&ports.found.0);
    let needed = held.as_ref().is_some_and(|held| {
        let revoking = ports.outbox.revoking(&held.connection);
        held.uid.as_ref().is_some_and(|uid| revoking.contains(uid.as_str()))
    });
    if !needed {
        *held = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_value_never_holds_it() {
        let view = FoundView {
            found: Some("id".into()),
            host: "palette.example".into(),
            outcome: FoundOutcome::Refused,
        };
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["outcome"]["kind"], "refused");
        assert_eq!(json.as_object().map(serde_json::Map::len), Some(3));
    }
}
