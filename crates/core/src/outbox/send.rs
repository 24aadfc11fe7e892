//! One try of a record: sent, read back, and only then believed.

use super::{
    OutboxAction, OutboxEnd,
    answer::Class,
    engine::{Leaving, Outbox},
};
use crate::{
    ErrorCode, Failure, Secret,
    api::{ApiError, KeyList, PaletteClient, Priority},
    connection::{
        IdentityView, Sees, SignInMethod,
        identity::{self, with_evidence},
        live::Live,
    },
    keychain::{EntryName, KeychainState},
    keys::{ApiKey, KeyUid, activity::ActState, delete::remove_value},
    ports::Ports,
    store::OutboxRecord,
};
use jiff::Timestamp;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::Instant;

/// A single record whose first sending met something that passes is sent once more at once.
const FIRST_SENDINGS: u32 = 2;

/// So many of one connection are confirmed by one list instead of one read each.
const LIST_FROM: usize = 3;

/// How long the keychain may take for the value that the proof needs.
const VALUE_WITHIN: Duration = Duration::from_secs(2);

/// How long the proof may take in all: it only adds to what is confirmed.
const PROOF_WITHIN: Duration = Duration::from_secs(4);

/// How often the revoked value is tried: a server may take a moment to refuse it (fact sheet §3.5
/// \[UNK\]: the delay is not documented).
const PROOFS: u32 = 3;

/// A try that did not confirm a record.
pub(super) struct Miss {
    pub(super) class: Class,
    pub(super) failure: Failure,
    /// The server took it, or took it earlier.
    pub(super) accepted: bool,
}

impl Miss {
    fn new(class: Class, failure: Failure) -> Self {
        Self { class, failure, accepted: false }
    }

    fn of(error: &ApiError) -> Self {
        Self::new(Class::of(error), error.failure_while_trying())
    }
}

/// How a try ended.
enum Fate {
    /// A fresh read shows the key revoked, or gone (none).
    Confirmed(Option<Box<ApiKey>>),
    /// The server took one of many: a list will confirm it with others.
    Accepted,
    NotYet(Miss),
    /// Given up in the last moment.
    Withdrawn,
}

/// Sees to it that no record stays on its way when its task ends early.
struct Flight<'a> {
    outbox: &'a Outbox,
    records: Vec<String>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        for record in &self.records {
            self.outbox.fell(record);
        }
    }
}

/// Tries one record.
pub(super) async fn send(ports: Arc<Ports>, name: String) {
    let outbox = &ports.outbox;
    let flight = Flight { outbox, records: vec![name.clone()] };
    let Some(record) = outbox.record(&name) else { return };
    let began = Instant::now();
    let mut sendings = 0;
    let fate = match Way::to(&ports, &record).await {
        Ok(way) => {
            let most =
                if outbox.is_urgent(&name) && outbox.is_fresh(&name) { FIRST_SENDINGS } else { 1 };
            loop {
                if !outbox.about_to_send(&ports, &name) || outbox.is_closed() {
                    break Fate::Withdrawn;
                }
                sendings += 1;
                let fate = way.try_once(&ports, &record, outbox.is_urgent(&name)).await;
                match fate {
                    Fate::NotYet(miss)
                        if sendings < most
                            && matches!(miss.class, Class::Passing | Class::NotPalette) => {}
                    fate => break fate,
                }
            }
        }
        Err(miss) => Fate::NotYet(miss),
    };
    match fate {
        Fate::Confirmed(key) => {
            let leaving = confirmed(&ports, &record, key.map(|key| *key)).await;
            outbox.leave(&ports, vec![leaving]);
        }
        Fate::Accepted => outbox.accepted(&ports, &name),
        Fate::NotYet(miss) => outbox.not_yet(&ports, &name, began, sendings, miss),
        Fate::Withdrawn => {}
    }
    drop(flight);
}

/// Confirms records that the server took: with one list if they are many.
pub(super) async fn confirm(ports: Arc<Ports>, connection: String, names: Vec<String>) {
    let outbox = &ports.outbox;
    let flight = Flight { outbox, records: names.clone() };
    let began = Instant::now();
    let records: Vec<OutboxRecord> = names.iter().filter_map(|name| outbox.record(name)).collect();
    let Some(first) = records.first() else { return };
    let fates = match Way::to(&ports, first).await {
        Ok(way) if records.len() >= LIST_FROM || records.iter().any(is_deletion) => {
            way.confirm_with_list(&ports, &records).await
        }
        Ok(way) => {
            let mut fates = Vec::new();
            for record in &records {
                fates.push(way.read_back(&ports, record, Priority::Bulk, None).await);
            }
            fates
        }
        Err(miss) => records
            .iter()
            .map(|_| Fate::NotYet(Miss { accepted: true, failure: miss.failure.clone(), ..miss }))
            .collect(),
    };
    let mut sure = Vec::new();
    for (record, fate) in records.into_iter().zip(fates) {
        match fate {
            Fate::Confirmed(key) => sure.push((record, key.map(|key| *key))),
            Fate::NotYet(miss) => outbox.not_yet(&ports, &record.record, began, 0, miss),
            Fate::Accepted | Fate::Withdrawn => {}
        }
    }
    // Those whose value nobody holds leave together, the others when their value was tried.
    let (mut leaving, mut proofs) = (Vec::new(), Vec::new());
    for (record, key) in sure {
        if record.action == OutboxAction::Revoke && !may_hold(&ports, &connection, &record.key_uid)
        {
            leaving.push(unproved(&ports, &record, key, None, false));
        } else {
            proofs.push((record, key));
        }
    }
    outbox.leave(&ports, leaving);
    for (record, key) in proofs {
        let leaving = confirmed(&ports, &record, key).await;
        outbox.leave(&ports, vec![leaving]);
    }
    drop(flight);
}

fn is_deletion(record: &OutboxRecord) -> bool {
    record.action == OutboxAction::Delete
}

/// The way to the server that a record was made for.
struct Way {
    live: Arc<Live>,
    client: PaletteClient,
}

impl Way {
    /// Opens it. Nothing is sent to another host or tenant than the record's.
    async fn to(ports: &Arc<Ports>, record: &OutboxRecord) -> Result<Self, Miss> {
        let misdirected = |words: String| {
            Miss::new(Class::Misdirected, Failure::new(ErrorCode::ConnectionUnknown, words))
        };
        let Some(live) = ports.outbox.find_live(&record.connection) else {
            return Err(misdirected(format!(
                "The connection \u{201c}{}\u{201d} is not there any more, so this cannot be sent. \
                 Nothing was sent.",
                record.connection_name
            )));
        };
        if live.record().origin != record.origin {
            return Err(misdirected(format!(
                "This was confirmed for {}, but the connection points to {} now. Nothing was sent.",
                record.origin,
                live.record().origin
            )));
        }
        if let Some(miss) = keychain_first(ports, &live, record).await {
            return Err(miss);
        }
        let client = live.signed_in(ports).await;
        let client = client.map_err(|failure| Miss::new(Class::of_sign_in(&failure), failure))?;
        live.known(ports);
        if let Some(tenant) = &record.tenant_uid {
            let known = match live.identity() {
                Some(me) => me.tenant_uid,
                None => {
                    let who = client.who_am_i().await;
                    who.map_err(|error| {
                        live.heard_refusal(ports, &client, &error);
                        Miss::of(&error)
                    })?
                    .tenant_uid
                }
            };
            if known != *tenant {
                return Err(misdirected(
                    "This was confirmed for another organization than the one the connection \
                     signs in to now. Nothing was sent."
                        .to_owned(),
                ));
            }
        }
        Ok(Self { live, client })
    }

    /// Sends it and reads the key again.
    async fn try_once(&self, ports: &Arc<Ports>, record: &OutboxRecord, urgent: bool) -> Fate {
        let priority = if urgent { Priority::Revoke } else { Priority::Bulk };
        match self.client.take_out(&record.key_uid, record.action, priority).await {
            Ok(()) if !urgent => Fate::Accepted,
            Ok(()) => self.read_back(ports, record, priority, None).await,
            Err(error) => {
                self.live.heard_refusal(ports, &self.client, &error);
                let miss = Miss::of(&error);
                if miss.class.rule().read_again && error.sent() != crate::api::Sent::No {
                    self.read_back(ports, record, priority, Some(miss)).await
                } else {
                    Fate::NotYet(miss)
                }
            }
        }
    }

    /// Reads the key again. `missed`: what the sending met; none: the server took it.
    async fn read_back(
        &self,
        ports: &Arc<Ports>,
        record: &OutboxRecord,
        priority: Priority,
        missed: Option<Miss>,
    ) -> Fate {
        if is_deletion(record) {
            return match self.client.confirm_keys(priority).await {
                Ok(list) => self.in_list(ports, record, &list, missed).await,
                Err(error) => self.not_read(ports, record, &error, missed),
            };
        }
        match self.client.confirm_key(&record.key_uid, priority).await {
            Ok(key) => {
                self.live.patch(ports, &record.key_uid, Some(&key));
                if key.active {
                    Fate::NotYet(missed.unwrap_or_else(|| still_there(record)))
                } else {
                    Fate::Confirmed(Some(Box::new(key)))
                }
            }
            // Not there: believed only when a list of the same credential says so too.
            Err(error) if error.is_gone() => match self.client.confirm_keys(priority).await {
                Ok(list) => {
                    let missed = missed.unwrap_or_else(|| Miss::of(&error));
                    self.in_list(ports, record, &list, Some(missed)).await
                }
                Err(error) => self.not_read(ports, record, &error, missed),
            },
            Err(error) => self.not_read(ports, record, &error, missed),
        }
    }

    /// The key could not be read again.
    fn not_read(
        &self,
        ports: &Ports,
        record: &OutboxRecord,
        error: &ApiError,
        missed: Option<Miss>,
    ) -> Fate {
        self.live.heard_refusal(ports, &self.client, error);
        Fate::NotYet(missed.unwrap_or_else(|| Miss {
            accepted: true,
            ..Miss::new(Class::of(error), not_read_back(record, error))
        }))
    }

    /// What a fresh list says of a record.
    async fn in_list(
        &self,
        ports: &Arc<Ports>,
        record: &OutboxRecord,
        list: &KeyList,
        missed: Option<Miss>,
    ) -> Fate {
        let found = list.keys.iter().find(|key| key.uid == record.key_uid);
        match found {
            Some(key) if record.action == OutboxAction::Revoke && !key.active => {
                self.live.patch(ports, &record.key_uid, Some(key));
                Fate::Confirmed(Some(Box::new(key.clone())))
            }
            Some(key) => {
                self.live.patch(ports, &record.key_uid, Some(key));
                // The server is at it.
                let accepted = key.deleted.is_some() && is_deletion(record);
                let miss = missed.unwrap_or_else(|| still_there(record));
                Fate::NotYet(Miss { accepted: miss.accepted || accepted, ..miss })
            }
            // A list with items that make no sense may hold it all the same.
            None if list.skipped == 0 && self.sees(ports, record, list).await => {
                self.live.patch(ports, &record.key_uid, None);
                Fate::Confirmed(None)
            }
            None => Fate::NotYet(missed.unwrap_or_else(|| {
                Miss::new(
                    Class::NotThere,
                    Failure::new(
                        ErrorCode::KeyGone,
                        "The server does not show this key to you, which does not prove that it is \
                         gone. Look at it with an account that sees every key.",
                    ),
                )
            })),
        }
    }

    /// Whether a list of this credential would show the key: its owner's does, and one of somebody
    /// who sees every key. Who was shown it once may not be today.
    async fn sees(&self, ports: &Ports, record: &OutboxRecord, list: &KeyList) -> bool {
        let known = self.live.identity();
        let me = match &known {
            Some(me) => me.clone(),
            // There is no list of the last time to tell it.
            None => match self.who(ports).await {
                Some(me) => me,
                None => return false,
            },
        };
        if !record.owner_uid.is_empty() && record.owner_uid == me.user_uid {
            return true;
        }
        let evidence =
            with_evidence(IdentityView { sees: Sees::OwnKeys, ..me.clone() }, &list.keys, None);
        if evidence.sees == Sees::EveryKey {
            return true;
        }
        let today = if known.is_some() { self.who(ports).await } else { Some(me) };
        today.is_some_and(|me| me.sees == Sees::EveryKey)
    }

    /// Whom the credential acts as, asked anew.
    async fn who(&self, ports: &Ports) -> Option<IdentityView> {
        match identity::identify(&self.client).await {
            Ok(me) => {
                self.live.identity_is(me.clone());
                Some(me)
            }
            Err(error) => {
                self.live.heard_refusal(ports, &self.client, &error);
                None
            }
        }
    }

    /// One list for many records, asked for after the server took all of them.
    async fn confirm_with_list(&self, ports: &Arc<Ports>, records: &[OutboxRecord]) -> Vec<Fate> {
        let since = self.live.step();
        let list = match self.client.confirm_keys(Priority::Bulk).await {
            Ok(list) => list,
            Err(error) => {
                return records
                    .iter()
                    .map(|record| self.not_read(ports, record, &error, None))
                    .collect();
            }
        };
        if let Some(me) = self.live.identity() {
            self.live.replace_keys(ports, since, &self.client, &me, list.clone());
        }
        let listed: HashMap<&KeyUid, &ApiKey> =
            list.keys.iter().map(|key| (&key.uid, key)).collect();
        let mut fates = Vec::with_capacity(records.len());
        for record in records {
            fates.push(match listed.get(&record.key_uid) {
                Some(key) if record.action == OutboxAction::Revoke && !key.active => {
                    Fate::Confirmed(Some(Box::new((*key).clone())))
                }
                _ => self.in_list(ports, record, &list, None).await,
            });
        }
        fates
    }
}

/// After a keychain that could not be read it is only looked at, without its prompt, until it can.
/// A person who dismissed a prompt shall not get one every few seconds.
async fn keychain_first(ports: &Ports, live: &Live, record: &OutboxRecord) -> Option<Miss> {
    let problem = record.problem.clone()?;
    let from_keychain = {
        let record = live.record();
        record.method == SignInMethod::ApiKey && !record.in_memory_only
    };
    if !from_keychain
        || Class::of_sign_in(&problem) != Class::Keychain
        || live.client(ports).is_ok_and(|client| client.is_signed_in())
    {
        return None;
    }
    let state = ports.keychain.view().await.state;
    (state != KeychainState::Ready).then(|| Miss::new(Class::Keychain, problem))
}

fn still_there(record: &OutboxRecord) -> Miss {
    let words = match record.action {
        OutboxAction::Revoke => {
            "The server accepted the revocation, but a fresh read still shows the key as active. \
             It is tried again."
        }
        OutboxAction::Delete => {
            "The server accepted the deletion, but a fresh read still shows the key. It is tried \
             again."
        }
    };
    Miss::new(Class::Accepted, Failure::new(ErrorCode::OutcomeUnknown, words))
}

/// The server accepted a change, but the fresh read failed.
fn not_read_back(record: &OutboxRecord, read: &ApiError) -> Failure {
    let failure = read.failure();
    let act = if is_deletion(record) { "deletion" } else { "revocation" };
    let message = if read.needs_sign_in() {
        format!(
            "The server accepted the {act} and now refuses the credential that Palette Keys signs \
             in with, perhaps because that is the key itself. Sign in with another one to confirm \
             it."
        )
    } else {
        format!(
            "The server accepted the {act}, but the key could not be read again to confirm it. {}",
            failure.message
        )
    };
    Failure { message, code: ErrorCode::OutcomeUnknown, details: failure.details }
}

/// A record that a fresh read confirmed, with the proof by its own value where we hold it.
async fn confirmed(ports: &Arc<Ports>, record: &OutboxRecord, key: Option<ApiKey>) -> Leaving {
    let Some(live) = ports.outbox.find_live(&record.connection) else {
        return unproved(ports, record, key, None, false);
    };
    let proof = async {
        let client = live.client(ports).ok()?;
        proof(ports, &live, &client, &record.key_uid).await
    };
    let refused_at = tokio::time::timeout(PROOF_WITHIN, proof).await.ok().flatten();
    let removed = is_deletion(record) && remove_value(ports, &live, &record.key_uid).await;
    unproved(ports, record, key, refused_at, removed)
}

/// The same without asking anybody.
fn unproved(
    ports: &Ports,
    record: &OutboxRecord,
    key: Option<ApiKey>,
    refused_at: Option<i64>,
    removed_from_keychain: bool,
) -> Leaving {
    let mut detail = match (record.action, &key) {
        (OutboxAction::Revoke, Some(_)) => "Sent: revoke. Read back: revoked.",
        (OutboxAction::Revoke, None) => "Sent: revoke. The key is gone.",
        (OutboxAction::Delete, _) => "Sent: delete. The key is gone.",
    }
    .to_owned();
    if removed_from_keychain {
        detail.push_str(" Its value was removed from the keychain.");
    }
    if let Some(at) = refused_at.and_then(|at| Timestamp::from_millisecond(at).ok()) {
        let at = at.to_zoned(ports.clock.time_zone());
        detail.push_str(&format!(" Refused by Palette at {}.", at.strftime("%H:%M:%S")));
    }
    Leaving {
        record: record.record.clone(),
        end: OutboxEnd::Confirmed { refused_at },
        state: ActState::Done,
        detail,
        key,
        removed_from_keychain,
    }
}

fn may_hold(ports: &Ports, connection: &str, uid: &KeyUid) -> bool {
    ports.held.value_of(connection, uid).is_some()
        || ports.found.value_of(ports, connection, uid).is_some()
        || ports.store.stored_uids(connection).is_ok_and(|stored| stored.contains(uid.as_str()))
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
    // The very value that somebody found says more than a stored one.
    if let Some(value) = ports.found.value_of(ports, &connection, uid) {
        return Some(value);
    }
    if !ports.store.stored_uids(&connection).ok()?.contains(uid.as_str()) {
        return None;
    }
    let reading = ports.keychain.read(EntryName::key_value(connection, uid.clone()));
    tokio::time::timeout(VALUE_WITHIN, reading).await.ok()?.ok()
}
