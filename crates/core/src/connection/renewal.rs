//! The sign-in key renews itself: with a third of its life left the agent rolls it, so that the app
//! never signs itself out by letting its own key end.
//!
//! The roll does the work ([`crate::keys::roll`]): the new value is proved before one transaction
//! makes it the credential, and only then is the old key's end moved. Whatever fails, the old
//! credential goes on; it is tried again with patience, and said.

use super::{
    ConnectionState, SignInMethod,
    live::Live,
    own_key::{self, LIFE_DAYS},
    signing::{self, RenewalFailed},
};
use crate::{
    ErrorCode, Failure,
    api::Credential,
    keychain::EntryName,
    keys::{
        ApiKey, KeyRequest, KeyUid,
        activity::Act,
        created_of, list,
        roll::{self, Grace, RollAct, RollActRequest, RollPurpose, RollRequest},
    },
    outbox::{BY_ITSELF, OutboxAction},
    palette_keys::Change,
    ports::{Deed, Ports},
    settings::Settings,
    store::{ConnectionRecord, RollRecord, RollStep},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::HashSet, sync::Arc};

/// Life of a key that does not say when it was made, as for the ones we make.
const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(24 * LIFE_DAYS as i64);
/// The pause after the first failure; doubled each time, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(15);
/// With 10 of 30 days left and an outage of 5 there are still more than a dozen tries.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// So often in a row a renewal has to fail before it is told: three tries take some 45 minutes, and
/// most trouble is over then.
pub(crate) const TRIES: u32 = 3;
/// After a value was lost: each such try leaves a revoked key behind, which counts.
const LOST_PAUSE: SignedDuration = SignedDuration::from_hours(24);

/// Whether a key is to be renewed now: a third of its life is left, or less, but it still works.
fn is_due(created: Option<Timestamp>, expires: Timestamp, now: Timestamp) -> bool {
    expires > now && has_left(3, created, expires, now)
}

/// Whether a key should have been renewed by now: half of the time for it is over.
fn is_late(created: Option<Timestamp>, expires: Timestamp, now: Timestamp) -> bool {
    has_left(6, created, expires, now)
}

/// Whether one part in so many of its life is left, or less.
fn has_left(parts: i32, created: Option<Timestamp>, expires: Timestamp, now: Timestamp) -> bool {
    let life = created
        .map(|created| expires.duration_since(created))
        .filter(|life| life.is_positive())
        .unwrap_or(USUAL_LIFE);
    expires.duration_since(now) <= life / parts
}

/// Whether the pause after the last failure is over. A clock that was set back does not make it
/// longer.
fn is_patient(failed: Option<&RenewalFailed>, now: Timestamp) -> bool {
    let Some(failed) = failed else { return false };
    if failed.problem.code == ErrorCode::RollValueLost {
        return is_within(LOST_PAUSE, failed, now);
    }
    let pause =
        (FIRST_PAUSE * 2_i32.pow(failed.times.saturating_sub(1).min(10))).min(LONGEST_PAUSE);
    is_within(pause, failed, now)
}

fn is_within(pause: SignedDuration, failed: &RenewalFailed, now: Timestamp) -> bool {
    let since = now.as_millisecond().saturating_sub(failed.at);
    (0..i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)).contains(&since)
}

fn renews_itself(record: &ConnectionRecord, settings: &Settings) -> bool {
    let wanted = record.sign_in.renew.unwrap_or(record.sign_in.own);
    let is_key = record.method == SignInMethod::ApiKey && !record.in_memory_only && !record.demo;
    is_key && wanted && settings.renew_sign_in_key
}

/// Keys whose ends are this app's own affair: those that it made for its sign-in and that another
/// took the place of, and the one that signs in, as long as it works, is in time for its renewal, and
/// that did not fail so often in a row. What a person made may be in use elsewhere, so its end is
/// news also when another key signs in by now.
pub(crate) fn own_affair(
    record: &ConnectionRecord,
    keys: &[ApiKey],
    rolls: &[RollRecord],
    now: Timestamp,
    settings: &Settings,
) -> HashSet<KeyUid> {
    let past = record.sign_in.past.iter();
    let mut own: HashSet<KeyUid> = past
        .chain(rolls.iter().filter(|roll| is_past(roll)).map(|roll| &roll.old.uid))
        .cloned()
        .collect();
    let is_well = record.sign_in.failed.as_ref().is_none_or(|failed| failed.times < TRIES);
    if is_well && renews_itself(record, settings) {
        let signs_in = |key: &&ApiKey| record.signing_key_uid.as_deref() == Some(key.uid.as_str());
        let in_time = |key: &&ApiKey| {
            key.expires.is_none_or(|expires| !is_late(created_of(key), expires, now))
        };
        let key = keys.iter().find(signs_in).filter(|key| signing::works(key, now)).filter(in_time);
        own.extend(key.map(|key| key.uid.clone()));
    }
    own
}

/// The old key of this roll signed in before, and the app made it for that.
fn is_past(roll: &RollRecord) -> bool {
    roll.purpose == RollPurpose::SignIn && roll.swapped && roll.old_is_own
}

/// Renews the key that a connection signs in with, when that is wanted and due. A list that was
/// just read is what it goes by.
pub(crate) async fn renew_if_due(ports: &Arc<Ports>, live: &Arc<Live>) {
    let record = live.record();
    if !renews_itself(&record, &ports.settings()) {
        return;
    }
    if live.view().state == ConnectionState::NeedsSignIn {
        fall_back(ports, live).await;
        return;
    }
    remember_past(ports, live);
    tidy(ports, live);
    let Some(key) = signing_key(ports, live) else { return };
    let started = going(ports, live, &key.uid);
    let is_due = key
        .expires
        .is_some_and(|expires| is_due(created_of(&key), expires, live.server_now(ports)));
    // The old key ends by itself, on the server or through the outbox: nothing is left to do.
    if started.as_ref().map_or(!is_due, RollRecord::is_in_place) {
        // What failed before was made good, by us after a crash or by the person.
        if record.sign_in.failed.is_some() {
            failure_is(ports, live, None);
        }
        return;
    }
    if is_patient(record.sign_in.failed.as_ref(), ports.now()) {
        return;
    }
    let mut ended = match started {
        Some(roll) if roll.step == RollStep::Orphaned => Ok(()),
        Some(roll) => go_on(ports, live, roll).await,
        None => begin(ports, live, &key).await,
    };
    if let Some(roll) = going(ports, live, &key.uid).filter(|r| r.step == RollStep::Orphaned) {
        ended = take_back(ports, live, roll).await;
    }
    let failed = ended.err().map(|problem| RenewalFailed {
        at: ports.now().as_millisecond(),
        times: record.sign_in.failed.map_or(1, |failed| failed.times.saturating_add(1)),
        problem,
    });
    remember_past(ports, live);
    let replaced = live.record().signing_key_uid.as_deref() != Some(key.uid.as_str());
    // What replaced a key of a person's was made by us.
    if replaced && live.remember(ports, |record| record.sign_in.own = true).is_err() {
        tracing::warn!("that the sign-in key is our own could not be written down");
    }
    failure_is(ports, live, failed);
}

fn failure_is(ports: &Ports, live: &Live, failed: Option<RenewalFailed>) {
    if live.remember(ports, |record| record.sign_in.failed = failed).is_err() {
        tracing::warn!("how a renewal of the sign-in key ended could not be written down");
    }
    ports.tell(Change::Connections);
}

/// The answer to the creation was lost, and with it the value: the key that nobody can use is
/// revoked, never deleted, since nobody is there to be asked and the old key must not end meanwhile.
/// It is a failure all the same.
async fn take_back(ports: &Arc<Ports>, live: &Arc<Live>, roll: RollRecord) -> Result<(), Failure> {
    let op_id = uuid::Uuid::new_v4().to_string();
    let request = RollActRequest { op_id, roll: roll.roll, act: RollAct::Cancel };
    let problem = roll::act(ports, live, &request).await?.roll.and_then(|roll| roll.problem);
    Err(problem.unwrap_or_else(|| {
        Failure::new(
            ErrorCode::RollValueLost,
            format!(
                "The answer to the creation of \u{201c}{}\u{201d} was lost, and its value with it, \
                 so it is revoked. The key before goes on.",
                roll.new_name
            ),
        )
    }))
}

/// A roll that is not over knows which key signed in before: also one that went on after a crash.
/// A key that a person made is not among them, whatever signs in by now.
fn remember_past(ports: &Ports, live: &Live) {
    let record = live.record();
    let rolls = ports.store.rolls(Some(&record.id)).unwrap_or_default();
    let new: Vec<KeyUid> = rolls
        .into_iter()
        .filter(is_past)
        .map(|roll| roll.old.uid)
        .filter(|uid| !record.sign_in.past.contains(uid))
        .collect();
    if new.is_empty() {
        return;
    }
    if live.remember(ports, |record| record.sign_in.past.extend(new)).is_err() {
        tracing::warn!("which key signed in before could not be written down");
    }
}

/// Deletes keys that the app made for this sign-in and that have ended: each counts as one of the
/// keys a person may have, and after a year there would be no room for the next.
fn tidy(ports: &Arc<Ports>, live: &Arc<Live>) {
    let past = live.record().sign_in.past;
    // A key that could not be understood is not gone.
    let Some(list) = live.known(ports).filter(|list| !past.is_empty() && list.skipped == 0) else {
        return;
    };
    let now = live.server_now(ports);
    let known = |uid: &KeyUid| list.keys.iter().find(|key| key.uid == *uid);
    let (ended, kept): (Vec<KeyUid>, Vec<KeyUid>) =
        past.into_iter().partition(|uid| known(uid).is_none_or(|key| !signing::works(key, now)));
    if ended.is_empty() {
        return;
    }
    for uid in ended.iter().filter(|uid| known(uid).is_some()) {
        // Through the outbox, which writes it down, confirms it and removes the stored value.
        let op_id = format!("{BY_ITSELF}{}", uuid::Uuid::new_v4());
        ports.outbox.add(ports, live, OutboxAction::Delete, &op_id, std::slice::from_ref(uid));
    }
    if live.remember(ports, |record| record.sign_in.past = kept).is_err() {
        tracing::warn!("that old sign-in keys were deleted could not be written down");
    }
}

/// The server does not take the credential any more. Where it was restored from a backup that has
/// not the new key, the one before may work: its value stays in the keychain until it has ended.
async fn fall_back(ports: &Arc<Ports>, live: &Arc<Live>) {
    let record = live.record();
    let (Some(me), Ok(client)) = (live.identity(), live.client(ports)) else { return };
    for uid in record.sign_in.past.iter().rev() {
        let entry = EntryName::key_value(&*record.id, uid.clone());
        let Ok(value) = ports.keychain.read(entry).await else { continue };
        let Ok(who) = client.prove(&value).await else { continue };
        if who.user_uid != me.user_uid || who.tenant_uid != me.tenant_uid {
            continue;
        }
        let connections = ports.outbox.connections();
        let turn = connections.changing.lock().await;
        if live.view().state != ConnectionState::NeedsSignIn {
            // Signed in to again meanwhile.
            return;
        }
        let deed = Deed {
            act: Act::SignIn,
            key_uid: uid.as_str(),
            key_name: "",
            owner_name: &me.name,
            detail: "Sign in with the key before: the server does not know the new one",
        };
        let Ok(asked) = ports.ask(live, &deed) else { return };
        let back = live.remember(ports, |record| {
            record.credential_key = Some(uid.clone());
            record.signing_key_uid = Some(uid.as_str().to_owned());
            record.sign_in.past.retain(|past| past != uid);
            record.sign_in.failed = None;
        });
        match back {
            Ok(()) => {
                client.sign_in(Credential::ApiKey(value));
                asked.done("Signs in with the key before; it was tried on the server");
                live.heard(ports, &client, &Ok(()));
                ports.outbox.credential_changed(ports, &record.id);
                // Another key signs in, and the list is the one from before the server's refusal.
                ports.tell(Change::Connections);
                live.tell_changed(ports);
                drop(turn);
                if list::refresh(ports, live).await.is_err() {
                    tracing::debug!("the list could not be read with the key before");
                }
            }
            Err(failure) => asked.failed(&failure),
        }
        return;
    }
}

/// The key that signs in, as the list has it.
fn signing_key(ports: &Ports, live: &Live) -> Option<ApiKey> {
    let list = live.known(ports);
    let uid = live.signing_uid(list.as_deref(), live.server_now(ports))?;
    live.known_key(ports, &KeyUid::new(&uid)?)
}

/// The roll of the sign-in key that is not over.
fn going(ports: &Ports, live: &Live, uid: &KeyUid) -> Option<RollRecord> {
    roll::running(ports, &live.id(), uid)
}

async fn begin(ports: &Arc<Ports>, live: &Arc<Live>, key: &ApiKey) -> Result<(), Failure> {
    let asked = KeyRequest { connection: live.id(), uid: key.uid.as_str().to_owned() };
    let request = RollRequest {
        op_id: uuid::Uuid::new_v4().to_string(),
        connection: live.id(),
        uid: asked.uid.clone(),
        name: roll::offer(ports, live, &asked).map_err(Failure::from)?.name,
        expiry: own_key::expiry(ports),
        grace: Grace::Day,
    };
    send(ports, live, &request).await
}

/// A roll that something stood in the way of is asked for again under its own name.
async fn go_on(ports: &Arc<Ports>, live: &Arc<Live>, roll: RollRecord) -> Result<(), Failure> {
    let request = RollRequest {
        op_id: roll.roll,
        connection: roll.connection,
        uid: roll.old.uid.as_str().to_owned(),
        name: roll.new_name,
        expiry: own_key::expiry(ports),
        grace: roll.grace,
    };
    send(ports, live, &request).await
}

async fn send(ports: &Arc<Ports>, live: &Arc<Live>, request: &RollRequest) -> Result<(), Failure> {
    let view = roll::start(ports, live, request, Some(RollPurpose::SignIn)).await?;
    match view.roll.and_then(|roll| roll.problem) {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    #[test]
    fn a_key_is_due_with_a_third_of_its_life_left_and_while_it_works() {
        let table = [
            (Some(at(0)), 720, 479, false),
            (Some(at(0)), 720, 480, true),
            (Some(at(0)), 720, 719, true),
            (Some(at(0)), 720, 720, false),
            (None, 720, 479, false),
            (None, 720, 480, true),
            (Some(at(0)), 24, 15, false),
            (Some(at(0)), 24, 16, true),
            (Some(at(800)), 720, 480, true),
        ];
        for (created, expires, now, due) in table {
            assert_eq!(is_due(created, at(expires), at(now)), due, "{created:?} {expires} {now}");
        }
    }

    #[test]
    fn a_key_is_late_with_half_of_the_time_for_its_renewal_gone() {
        let table = [(480, false), (599, false), (600, true), (719, true), (900, true)];
        for (now, late) in table {
            assert_eq!(is_late(Some(at(0)), at(720), at(now)), late, "{now}");
            assert_eq!(is_late(None, at(720), at(now)), late, "{now}, made nobody knows when");
        }
    }

    #[test]
    fn a_failure_is_tried_again_with_patience_and_no_clock_parks_it() {
        let failed = |times| RenewalFailed {
            at: at(0).as_millisecond(),
            times,
            problem: Failure::new(ErrorCode::TimedOut, "late"),
        };
        let after = |minutes| at(0).checked_add(SignedDuration::from_mins(minutes)).unwrap();
        assert!(!is_patient(None, at(0)));
        for (times, minutes) in [(1, 15), (2, 30), (3, 60), (5, 240), (6, 360), (40, 360)] {
            assert!(is_patient(Some(&failed(times)), after(minutes - 1)), "{times}");
            assert!(!is_patient(Some(&failed(times)), after(minutes)), "{times}");
        }
        assert!(!is_patient(Some(&failed(9)), at(-1000)), "set back");
        let lost = Failure::new(ErrorCode::RollValueLost, "lost");
        let lost = RenewalFailed { problem: lost, ..failed(1) };
        assert!(is_patient(Some(&lost), at(23)) && !is_patient(Some(&lost), at(24)));
    }
}
