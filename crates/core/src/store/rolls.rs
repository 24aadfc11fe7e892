//! Rolls: one key taking the place of another, step by step, so that a crash at any of them is
//! resumed or reported.

use super::{ConnectionRecord, Store, StoreError, Whole, connections, packed, unpacked, whole};
use crate::{
    Failure,
    keys::{
        ApiKey, KeyUid,
        roll::{Grace, RollPurpose},
    },
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A roll that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollRecord {
    /// The `op_id` of the roll, and of the creation in it.
    pub roll: String,
    /// The connection's id.
    pub connection: String,
    /// What the key is for.
    pub purpose: RollPurpose,
    /// The old key as it was when it was last read before its end was moved: what "Cancel roll"
    /// goes back to.
    pub old: ApiKey,
    /// The caller owns it.
    pub mine: bool,
    /// This app made the old key for its own sign-in, so it may be deleted once it has ended. One
    /// that a person made is never deleted by itself.
    #[serde(default)]
    pub old_is_own: bool,
    /// The name asked for the new key.
    pub new_name: String,
    /// The new key, once it was found in a fresh list.
    pub new_uid: Option<KeyUid>,
    /// How long the old key goes on.
    pub grace: Grace,
    /// When it was asked for, by the server's clock.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub asked_at: Timestamp,
    /// How far it got.
    pub step: RollStep,
    /// The end that was asked of the server for the old key; none: none was.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub target: Option<Timestamp>,
    /// The other end that may be ours: an "Extend grace" has one before it and one after it, and
    /// until its answer is known the server may have either. None: `target` alone.
    #[serde(default, with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub other_target: Option<Timestamp>,
    /// The new value was proved to work.
    pub proved: bool,
    /// Which stored value was the connection's credential before the swap, by its key's uid; none:
    /// the connection's own entry. Counts only once [`RollRecord::swapped`] is true.
    pub credential_before: Option<String>,
    /// uid of the key that signed in before the swap.
    pub signing_before: Option<String>,
    /// The connection signs in with the new key.
    pub swapped: bool,
    /// The old key's revocation is in the outbox.
    pub revocation_asked: bool,
    /// What stands in the way; none: nothing, as far as is known.
    pub problem: Option<Failure>,
    /// The line in the journal that waits for the outcome.
    pub line: Option<i64>,
}

impl RollRecord {
    /// The new key is in the old one's place, which ends by itself, on the server or through the
    /// outbox.
    pub(crate) fn is_in_place(&self) -> bool {
        matches!(self.step, RollStep::Rolling | RollStep::Revoking)
    }
}

/// How far a roll got. Written before what it names is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum RollStep {
    /// The new key is asked for, perhaps sent.
    Asked,
    /// The answer was lost: whether there is a new key is looked up.
    Lost,
    /// The new key is on the server and its value in memory.
    Made,
    /// The value waits for a person in "Save your API key".
    HandOver,
    /// There is a new key whose value nobody has.
    Orphaned,
    /// The value is in the keychain or in a person's hands.
    Kept,
    /// The value works, or is not ours to try.
    Proved,
    /// The old key's end is moved.
    Ending,
    /// The old key ends by itself, on the server.
    Rolling,
    /// The old key's revocation is with the outbox.
    Revoking,
    /// The old key's end is put back.
    Cancelling,
    /// The new key's revocation goes to the outbox.
    CancelRevoking,
}

impl Store {
    /// Writes a roll down, before anything is sent.
    ///
    /// # Errors
    /// [`StoreError::IntentExists`] when its id is known, or when the file cannot be written.
    pub fn add_roll(&self, roll: &RollRecord) -> Result<(), StoreError> {
        let (text, sum) = packed(roll)?;
        let added = self.lock().execute(
            "INSERT INTO roll (roll, connection, asked_at, record, sum) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (roll) DO NOTHING",
            params![roll.roll, roll.connection, roll.asked_at.as_millisecond(), text, sum],
        )?;
        if added == 0 { Err(StoreError::IntentExists) } else { Ok(()) }
    }

    /// Writes how far a roll got.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such roll, or when the file cannot be written.
    pub fn update_roll(&self, roll: &RollRecord) -> Result<(), StoreError> {
        update(&self.lock(), roll)
    }

    /// The new key of a roll was found, if there is such a roll.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn roll_found(&self, roll: &str, uid: &KeyUid) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(mut known) = one(&step, roll)? else { return Ok(()) };
        known.new_uid = Some(uid.clone());
        if matches!(known.step, RollStep::Asked | RollStep::Lost) {
            known.step = RollStep::Made;
        }
        update(&step, &known)?;
        Ok(step.commit()?)
    }

    /// Writes which key a connection signs in with together with the roll that made it so: both or
    /// neither.
    ///
    /// # Errors
    /// When the file cannot be written; then neither is.
    pub fn swap_credential(
        &self,
        connection: &ConnectionRecord,
        roll: &RollRecord,
    ) -> Result<(), StoreError> {
        let mut file = self.lock();
        let step = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !connection.demo {
            connections::put(&step, connection)?;
        }
        update(&step, roll)?;
        Ok(step.commit()?)
    }

    /// One roll.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn roll(&self, roll: &str) -> Result<Option<RollRecord>, StoreError> {
        one(&self.lock(), roll)
    }

    /// The rolls of one connection, or all, oldest first, but for those that cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rolls(&self, connection: Option<&str>) -> Result<Vec<RollRecord>, StoreError> {
        let mut rolls = read_all(&self.lock())?.records;
        rolls.retain(|roll| connection.is_none_or(|id| roll.connection == id));
        Ok(rolls)
    }

    /// Forgets a roll, once it is over; false when there was none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove_roll(&self, roll: &str) -> Result<bool, StoreError> {
        let removed = self.lock().execute("DELETE FROM roll WHERE roll = ?1", [roll])?;
        Ok(removed > 0)
    }
}

fn update(connection: &Connection, roll: &RollRecord) -> Result<(), StoreError> {
    let (text, sum) = packed(roll)?;
    let changed = connection.execute(
        "UPDATE roll SET record = ?2, sum = ?3 WHERE roll = ?1",
        params![roll.roll, text, sum],
    )?;
    if changed == 0 { Err(StoreError::Missing) } else { Ok(()) }
}

fn one(connection: &Connection, roll: &str) -> Result<Option<RollRecord>, StoreError> {
    connection
        .query_row("SELECT record, sum FROM roll WHERE roll = ?1", [roll], both)
        .optional()?
        .map(|(text, sum)| unpacked(&text, sum))
        .transpose()
}

pub(super) fn read_all(connection: &Connection) -> Result<Whole<RollRecord>, StoreError> {
    whole(connection, "SELECT record, sum FROM roll ORDER BY asked_at, roll")
}

fn both(row: &Row<'_>) -> rusqlite::Result<(String, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_that_an_earlier_version_wrote_is_read_and_its_old_key_counts_as_a_persons() {
        let old = crate::keys::tests::key("k1", "jane");
        let roll = RollRecord {
            purpose: RollPurpose::SignIn,
            old_is_own: true,
            other_target: old.expires,
            swapped: true,
            ..crate::keys::tests::roll(&old, RollStep::Rolling)
        };
        let mut text = serde_json::to_value(&roll).unwrap();
        for new in ["oldIsOwn", "otherTarget"] {
            assert!(text.as_object_mut().unwrap().remove(new).is_some(), "{new}");
        }
        let read: RollRecord = serde_json::from_value(text).unwrap();
        assert_eq!(read, RollRecord { old_is_own: false, other_target: None, ..roll });
    }
}
