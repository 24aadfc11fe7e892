//! Intents: creations written down before they are sent, so that a lost answer is not a lost key.

use super::{Store, StoreError, Whole, packed, unpacked, whole};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// A creation that was asked for and is not settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateIntent {
    /// The `op_id` of the creation.
    pub op_id: String,
    /// The connection's id.
    pub connection: String,
    /// The name sent.
    pub name: String,
    /// The description sent.
    pub description: String,
    /// The owner sent.
    pub owner_uid: String,
    /// The expiry sent.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub expires: Timestamp,
    /// Every key there was before: a uid that is not among them may be the new key's.
    pub uids_before: Vec<String>,
    /// When it was sent, by the server's clock.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub asked_at: Timestamp,
    /// How far it got.
    pub state: IntentState,
}

/// How far a creation got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum IntentState {
    /// Written down, perhaps sent. Found at a start it means: the app ended in between.
    Asked,
    /// The answer was lost.
    Lost,
    /// The server made it; nobody has confirmed yet to have kept the value.
    Made {
        /// The key's uid, found in a fresh list.
        uid: String,
    },
}

impl Store {
    /// Writes an intent down, before the creation is sent.
    ///
    /// # Errors
    /// [`StoreError::IntentExists`] when its `op_id` is known: then nothing may be sent. Or when
    /// the file cannot be written.
    pub fn put_intent(&self, intent: &CreateIntent) -> Result<(), StoreError> {
        let (text, sum) = packed(intent)?;
        let added = self.lock().execute(
            "INSERT INTO intent (op_id, connection, asked_at, intent, sum)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (op_id) DO NOTHING",
            params![intent.op_id, intent.connection, intent.asked_at.as_millisecond(), text, sum],
        )?;
        if added == 0 { Err(StoreError::IntentExists) } else { Ok(()) }
    }

    /// Changes how far an intent got.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such intent, or when the file cannot be written.
    pub fn update_intent(&self, op_id: &str, state: IntentState) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (text, sum) = step
            .query_row("SELECT intent, sum FROM intent WHERE op_id = ?1", [op_id], both)
            .optional()?
            .ok_or(StoreError::Missing)?;
        let intent = CreateIntent { state, ..unpacked(&text, sum)? };
        let (text, sum) = packed(&intent)?;
        step.execute(
            "UPDATE intent SET intent = ?2, sum = ?3 WHERE op_id = ?1",
            params![op_id, text, sum],
        )?;
        Ok(step.commit()?)
    }

    /// The intents of one connection, or all, oldest first, but for those that cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn intents(&self, connection: Option<&str>) -> Result<Vec<CreateIntent>, StoreError> {
        let mut intents = read_all(&self.lock())?.records;
        intents.retain(|intent| connection.is_none_or(|id| intent.connection == id));
        Ok(intents)
    }

    /// Forgets an intent, once it is settled; false when there was none.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remove_intent(&self, op_id: &str) -> Result<bool, StoreError> {
        let removed = self.lock().execute("DELETE FROM intent WHERE op_id = ?1", [op_id])?;
        Ok(removed > 0)
    }
}

pub(super) fn read_all(connection: &Connection) -> Result<Whole<CreateIntent>, StoreError> {
    whole(connection, "SELECT intent, sum FROM intent ORDER BY asked_at, op_id")
}

fn both(row: &Row<'_>) -> rusqlite::Result<(String, i64)> {
    Ok((row.get(0)?, row.get(1)?))
}
