//! The journal: what was asked is written down before it is sent, the outcome after.

use super::{Store, StoreError, text};
use crate::keys::{
    ApiKey,
    activity::{Act, ActState, ActivityRequest, ActivityView},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::{Serialize, de::DeserializeOwned};

/// The number of a line. Later lines have higher numbers, and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(i64);

impl JournalId {
    /// The line a view speaks of (`ActivityView::id`).
    pub fn from_view(id: i64) -> Self {
        Self(id)
    }

    /// The number, as views carry it.
    pub fn get(self) -> i64 {
        self.0
    }
}

/// What is about to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// The connection's id.
    pub connection: String,
    /// Its name at that time.
    pub connection_name: String,
    /// What is done.
    pub act: Act,
    /// To which key; none when the act is not about a key, or it has no uid yet.
    pub key_uid: Option<String>,
    /// The key's name at that time.
    pub key_name: Option<String>,
    /// Its owner's name.
    pub owner_name: Option<String>,
    /// What is sent, in words. Never a secret.
    pub detail: String,
    /// When, by this computer's clock.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOutcome {
    /// How it ended.
    pub state: ActState,
    /// What was answered, in words: replaces the entry's detail. Never a secret.
    pub detail: String,
    /// The uid of the key, where only the outcome tells it (a creation). None keeps the entry's.
    pub key_uid: Option<String>,
    /// The key before, where there was one. None keeps the entry's.
    pub before: Option<ApiKey>,
    /// The key after, as read back.
    pub after: Option<ApiKey>,
    /// When, by this computer's clock.
    pub at: Timestamp,
}

impl JournalOutcome {
    /// An outcome without the key before and after.
    pub fn new(state: ActState, detail: impl Into<String>, at: Timestamp) -> Self {
        Self { state, detail: detail.into(), key_uid: None, before: None, after: None, at }
    }
}

/// A line with the key before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalChange {
    /// The line as the window sees it.
    pub activity: ActivityView,
    /// The key before.
    pub before: Option<ApiKey>,
    /// The key after, as read back.
    pub after: Option<ApiKey>,
}

/// The columns of a view. A revocation can be undone when it was confirmed and nothing done later
/// to the same key through this app settled its fate anew.
const VIEW: &str = "
    SELECT id, asked_at, connection, connection_name, act, state, key_uid, key_name, owner_name,
           detail,
           act = 'revoke' AND state = 'done' AND key_uid IS NOT NULL AND NOT EXISTS (
               SELECT 1 FROM journal AS later
               WHERE later.connection = journal.connection AND later.key_uid = journal.key_uid
                 AND later.id > journal.id AND later.state = 'done'
                 AND later.act IN ('revoke', 'reactivate', 'delete')),
           key_before, key_after
    FROM journal";

impl Store {
    /// Writes down what is about to be done. Only then may it be sent.
    ///
    /// # Errors
    /// When the file cannot be written. A revocation goes ahead all the same (house rule 8).
    pub fn ask(&self, entry: &JournalEntry) -> Result<JournalId, StoreError> {
        insert(&self.lock(), entry, ActState::Asked).map(JournalId)
    }

    /// Writes down how it ended. May be called again when an unknown outcome becomes known.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such line, or when the file cannot be written.
    pub fn outcome(&self, id: JournalId, outcome: &JournalOutcome) -> Result<(), StoreError> {
        set_outcome(&self.lock(), id, outcome)
    }

    /// Writes down something that happened on this computer at once (copied, revealed).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn note(&self, entry: &JournalEntry, state: ActState) -> Result<JournalId, StoreError> {
        insert(&self.lock(), entry, state).map(JournalId)
    }

    /// Lines, newest first. The limit is held between 1 and 200.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn activity(&self, request: &ActivityRequest) -> Result<Vec<ActivityView>, StoreError> {
        let sql = format!(
            "{VIEW} WHERE (?1 IS NULL OR connection = ?1) AND (?2 IS NULL OR id < ?2)
             ORDER BY id DESC LIMIT ?3"
        );
        read_views(
            &self.lock(),
            &sql,
            params![request.connection, request.before, request.limit.clamp(1, 200)],
        )
    }

    /// What this app did with one key, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn history(
        &self,
        connection: &str,
        uid: &str,
        limit: u32,
    ) -> Result<Vec<ActivityView>, StoreError> {
        let sql =
            format!("{VIEW} WHERE connection = ?1 AND key_uid = ?2 ORDER BY id DESC LIMIT ?3");
        read_views(&self.lock(), &sql, params![connection, uid, limit])
    }

    /// One line with the key before and after; none when there is no such line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn change(&self, id: JournalId) -> Result<Option<JournalChange>, StoreError> {
        let sql = format!("{VIEW} WHERE id = ?1");
        self.lock()
            .query_row(&sql, [id.0], |row| {
                // A key that cannot be read any more is one that is not known.
                let key = |column| -> rusqlite::Result<Option<ApiKey>> {
                    Ok(text(row, column)?.and_then(|text| serde_json::from_str(&text).ok()))
                };
                Ok((view(row)?, key(11)?, key(12)?))
            })
            .optional()?
            .map(|(activity, before, after)| {
                let activity = activity.ok_or(StoreError::Damaged)?;
                Ok(JournalChange { activity, before, after })
            })
            .transpose()
    }
}

/// Writes down what is about to be done to a key as it is known, within a transaction.
pub(super) fn ask(
    connection: &Connection,
    entry: &JournalEntry,
    before: Option<&ApiKey>,
) -> Result<JournalId, StoreError> {
    let id = insert(connection, entry, ActState::Asked)?;
    if let Some(before) = before {
        connection.execute(
            "UPDATE journal SET key_before = ?2 WHERE id = ?1",
            params![id, serde_json::to_string(before)?],
        )?;
    }
    Ok(JournalId(id))
}

/// Writes down how it ended, within a transaction or without.
pub(super) fn set_outcome(
    connection: &Connection,
    id: JournalId,
    outcome: &JournalOutcome,
) -> Result<(), StoreError> {
    let changed = connection.execute(
        "UPDATE journal SET state = ?2, detail = ?3, ended_at = ?4,
             key_uid = coalesce(?5, key_uid), key_before = coalesce(?6, key_before), key_after = ?7
         WHERE id = ?1",
        params![
            id.0,
            word(&outcome.state)?,
            outcome.detail,
            outcome.at.as_millisecond(),
            outcome.key_uid,
            outcome.before.as_ref().map(serde_json::to_string).transpose()?,
            outcome.after.as_ref().map(serde_json::to_string).transpose()?,
        ],
    )?;
    if changed == 0 { Err(StoreError::Missing) } else { Ok(()) }
}

fn insert(
    connection: &Connection,
    entry: &JournalEntry,
    state: ActState,
) -> Result<i64, StoreError> {
    let ended = (state != ActState::Asked).then(|| entry.at.as_millisecond());
    connection.execute(
        "INSERT INTO journal (asked_at, ended_at, connection, connection_name, act, state,
                              key_uid, key_name, owner_name, detail)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            entry.at.as_millisecond(),
            ended,
            entry.connection,
            entry.connection_name,
            word(&entry.act)?,
            word(&state)?,
            entry.key_uid,
            entry.key_name,
            entry.owner_name,
            entry.detail,
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

fn read_views(
    connection: &Connection,
    sql: &str,
    parameters: &[&dyn ToSql],
) -> Result<Vec<ActivityView>, StoreError> {
    let mut rows = connection.prepare_cached(sql)?;
    let views = rows.query_map(parameters, view)?.collect::<Result<Vec<_>, _>>()?;
    Ok(views.into_iter().flatten().collect())
}

/// None for a line of an act or state this version does not know: one line less is better than no
/// time line.
fn view(row: &Row<'_>) -> rusqlite::Result<Option<ActivityView>> {
    let word = |column| text(row, column).map(Option::unwrap_or_default);
    let (Some(act), Some(state)) = (from_word(word(4)?), from_word(word(5)?)) else {
        return Ok(None);
    };
    Ok(Some(ActivityView {
        id: row.get(0)?,
        at: row.get(1)?,
        connection: word(2)?,
        connection_name: word(3)?,
        act,
        state,
        key_uid: text(row, 6)?,
        key_name: text(row, 7)?,
        owner_name: text(row, 8)?,
        detail: word(9)?,
        can_undo: row.get(10)?,
    }))
}

/// The word the window uses for it too: `saveToKeychain`.
fn word<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        serde_json::Value::String(word) => Ok(word),
        _ => Err(StoreError::Failed),
    }
}

fn from_word<T: DeserializeOwned>(word: String) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(word)).ok()
}
