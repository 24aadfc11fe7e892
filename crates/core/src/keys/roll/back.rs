//! The way back: "Cancel roll". The old key is made whole first, the new one revoked last, so that
//! a crash in between leaves two keys that work.

use super::{
    RollError, end_text,
    machine::{self, Drive, Next, same, still_works},
};
use crate::{
    ErrorCode, Failure,
    api::Credential,
    connection::{
        live::Live,
        signing::{self, Doing},
    },
    keychain::EntryName,
    keys::{
        KeyChange, KeyUid,
        activity::{Act, ActState},
        create,
        edit::{self, EditError, read_for_change},
        revoke,
    },
    outbox::OutboxAction,
    palette_keys::Change,
    ports::{Deed, Ports},
    store::{RollRecord, RollStep},
};
use std::sync::Arc;

/// Begins to cancel; none: there was nothing to go back from, and the roll is over.
pub(super) async fn begin(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    mut roll: RollRecord,
) -> Result<Option<RollRecord>, RollError> {
    // A swapped one gives the sign-in back before its new key is revoked.
    if let Some(new) = roll.new_uid.as_ref().filter(|_| !roll.swapped) {
        signing::guard(ports, live, new, Doing::Revoke)?;
    }
    match roll.step {
        RollStep::Revoking => return Err(RollError::OldEnded(roll.old.name)),
        RollStep::Asked | RollStep::Lost | RollStep::Made => {
            // Which key it is, if there is one, has to be known first.
            let Some(known) = machine::advance(ports, live, roll, false).await else {
                return Ok(None);
            };
            roll = known;
            if roll.new_uid.is_none() {
                let words = roll.problem.map(|problem| problem.message).unwrap_or_default();
                return Err(RollError::ValueLost(words));
            }
            roll.step = RollStep::CancelRevoking;
        }
        RollStep::HandOver if roll.new_uid.is_none() => {
            let found = create::find_held(ports, live, &roll.roll).await?;
            let words = "The new key was not found in a list of the server yet, so it was not \
                         revoked. Try again in a moment.";
            roll.new_uid = Some(found.ok_or_else(|| RollError::ValueLost(words.into()))?);
            roll.step = RollStep::CancelRevoking;
        }
        RollStep::HandOver | RollStep::Orphaned | RollStep::Kept | RollStep::Proved => {
            roll.step = RollStep::CancelRevoking;
        }
        RollStep::Ending | RollStep::Rolling => {
            let client = live.signed_in(ports).await?;
            still_works(ports, live, &client, &roll).await?;
            roll.step = RollStep::Cancelling;
        }
        RollStep::Cancelling | RollStep::CancelRevoking => {}
    }
    ports.store.update_roll(&roll).map_err(|error| error.failure())?;
    Ok(Some(roll))
}

/// The old key gets back what it had: the connection's sign-in, and its end, exactly.
pub(super) async fn restore(drive: &mut Drive<'_>) -> Result<Next, Failure> {
    if drive.roll.swapped {
        swap_back(drive).await?;
    }
    let (ports, live) = (drive.ports, drive.live);
    let client = live.signed_in(ports).await?;
    let old = match read_for_change(ports, live, &client, &drive.roll.old.uid).await {
        Ok(old) if old.active && old.expires.is_none_or(|ends| ends > client.server_now()) => old,
        Ok(_) | Err(EditError::Gone) => return old_has_ended(drive).await,
        Err(error) => return Err(not_restored(drive, error)),
    };
    let before = drive.roll.old.expires;
    // What somebody else set meanwhile stays as they set it.
    let ours = drive.roll.is_ours(old.expires);
    if ours && !same(old.expires, before) {
        let change = KeyChange {
            name: old.name.clone(),
            description: old.description.clone(),
            expires: before,
        };
        let restored = edit::apply(ports, live, &client, &old, &change, Act::RollCancel).await;
        restored.map_err(|error| not_restored(drive, error))?;
    } else {
        let words = format!("The old key ends {}", end_text(ports, old.expires));
        let _ = ports.note(live, &Deed::of_key(Act::RollCancel, &old, &words), ActState::Done);
    }
    Ok(Next::Step(RollStep::CancelRevoking))
}

fn not_restored(drive: &Drive<'_>, error: EditError) -> Failure {
    let (old, new) = (&drive.roll.old.name, &drive.roll.new_name);
    match error {
        EditError::NotTaken(error) => error.failure_on_the_way(
            &format!(
                "The end of \u{201c}{old}\u{201d} could not be put back, so \u{201c}{new}\u{201d} \
                 was not revoked and both work."
            ),
            "Try again.",
        ),
        EditError::Unconfirmed(words) => Failure::new(
            ErrorCode::OutcomeUnknown,
            format!(
                "It is not confirmed that the end of \u{201c}{old}\u{201d} was put back, so \
                 \u{201c}{new}\u{201d} was not revoked. {words}"
            ),
        ),
        other => {
            let failure = Failure::from(other);
            Failure {
                message: format!(
                    "The end of \u{201c}{old}\u{201d} could not be put back, so \
                     \u{201c}{new}\u{201d} was not revoked. {}",
                    failure.message
                ),
                ..failure
            }
        }
    }
}

/// Nothing to go back to. If the new key works it stays in the old one's place.
async fn old_has_ended(drive: &mut Drive<'_>) -> Result<Next, Failure> {
    Ok(Next::Over(
        ActState::Failed,
        format!(
            "\u{201c}{}\u{201d} had ended before the roll could be cancelled; \u{201c}{}\u{201d} \
             was left as it is",
            drive.roll.old.name, drive.roll.new_name
        ),
    ))
}

/// The new key is revoked, through the outbox, and the roll is over: the outbox sees to it.
pub(super) async fn revoke_new(drive: &mut Drive<'_>) -> Result<Next, Failure> {
    let (ports, live) = (drive.ports, drive.live);
    let uid = drive.new_uid()?;
    let op_id = format!("{}-new", drive.roll.roll);
    let uids = std::slice::from_ref(&uid);
    let added = ports.outbox.add(ports, live, OutboxAction::Revoke, &op_id, uids).pop();
    let Some(added) = added.filter(|added| added.recorded) else {
        return Err(Failure::new(
            ErrorCode::StoreFailed,
            "The new key's revocation is sent, but could not be written down. Keep Palette Keys \
             open until it is confirmed.",
        ));
    };
    // It is over either way; a moment's patience makes the list right at once.
    let _ = tokio::time::timeout(revoke::PATIENCE, added.tried).await;
    let _ = ports.store.remove_intent(&drive.roll.roll);
    ports.held.drop_value(&drive.roll.roll);
    Ok(Next::Over(
        ActState::Cancelled,
        format!(
            "\u{201c}{}\u{201d} goes on, \u{201c}{}\u{201d} ({uid}) is revoked",
            drive.roll.old.name, drive.roll.new_name
        ),
    ))
}

/// The connection signs in with the old key again, once that is proved to work.
pub(super) async fn swap_back(drive: &mut Drive<'_>) -> Result<(), Failure> {
    let (ports, live) = (drive.ports, drive.live);
    if !drive.roll.signs_in(&live.record()) {
        return signs_in_otherwise(drive);
    }
    let before = drive.roll.credential_before.as_deref().and_then(KeyUid::new);
    let entry = match &before {
        Some(uid) => EntryName::key_value(live.id(), uid.clone()),
        None => EntryName::credential(live.id()),
    };
    let value = ports.keychain.read(entry).await.map_err(|error| error.failure())?;
    let client = live.client(ports)?;
    let who = client.prove(&value).await.map_err(|error| error.failure())?;
    let me = live.identity();
    if me.is_some_and(|me| me.user_uid != who.user_uid) {
        return Err(Failure::new(
            ErrorCode::CredentialRejected,
            "What this connection signed in with before acts as somebody else now, so the new key \
             goes on signing it in. Sign in again, then cancel the roll.",
        ));
    }
    let connections = ports.outbox.connections();
    let _turn = connections.changing.lock().await;
    if !drive.roll.signs_in(&live.record()) {
        return signs_in_otherwise(drive);
    }
    let mut roll = drive.roll.clone();
    roll.swapped = false;
    roll.step = RollStep::Cancelling;
    let deed = Deed::of_key(Act::RollSwap, &roll.old, "Sign in with the old key again");
    let asked = ports.ask(live, &deed)?;
    let written = live.rewrite(
        ports,
        |record| {
            record.credential_key = before;
            record.signing_key_uid.clone_from(&roll.signing_before);
            // It is what it was before the roll: a key of the app's own, or one that a person made.
            record.sign_in.own = roll.old_is_own;
            record.sign_in.past.retain(|past| *past != roll.old.uid);
        },
        |store, record| store.swap_credential(record, &roll),
    );
    if let Err(failure) = written {
        asked.failed(&failure);
        return Err(failure);
    }
    client.sign_in(Credential::ApiKey(value));
    drive.roll = roll;
    asked.done("The connection signs in with the old key again");
    live.stands(ports, crate::connection::ConnectionState::SignedIn, None);
    ports.outbox.credential_changed(ports, &live.id());
    ports.tell(Change::Connections);
    Ok(())
}

/// A person signed in with something else meanwhile: there is nothing to give back.
fn signs_in_otherwise(drive: &mut Drive<'_>) -> Result<(), Failure> {
    drive.roll.swapped = false;
    drive.save()
}
