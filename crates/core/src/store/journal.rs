//! The journal: what was asked is written down before it is sent, the outcome after.

use super::{Store, StoreError, text};
use crate::keys::{
    ApiKey, KeyUid,
    activity::{Act, ActState, ActivityRequest, ActivityView, Field, fields_changed},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter, types::Value};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::HashMap;

/// More words than these are not searched for.
const MOST_WORDS: usize = 8;

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
    /// The key as the newest act of this app left it, which may be this one; none: not known.
    pub left: Option<ApiKey>,
}

/// The columns of a line.
const VIEW: &str = "
    SELECT id, asked_at, connection, connection_name, act, state, key_uid, key_name, owner_name,
           detail, undoes, key_before, key_after
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

    /// Says of a line that it takes another one back.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn undoes(&self, line: JournalId, undone: JournalId) -> Result<(), StoreError> {
        let sql = "UPDATE journal SET undoes = ?2 WHERE id = ?1";
        Ok(self.lock().execute(sql, params![line.0, undone.0]).map(drop)?)
    }

    /// Lines, newest first. The limit is held between 1 and 200.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn activity(&self, request: &ActivityRequest) -> Result<Vec<ActivityView>, StoreError> {
        let mut clauses: Vec<String> = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut wants = |clause: &str, given: Vec<Value>| {
            let marks = vec!["?"; given.len()].join(", ");
            clauses.push(clause.replace("{}", &marks));
            values.extend(given);
        };
        if let Some(connection) = &request.connection {
            wants("connection = {}", vec![connection.clone().into()]);
        }
        if let Some(before) = request.before {
            wants("id < {}", vec![before.into()]);
        }
        let filter = &request.filter;
        for word in filter.text.split_whitespace().take(MOST_WORDS) {
            wants(SAYS, vec![like(word).into()]);
        }
        if !filter.acts.is_empty() {
            let words: Result<Vec<Value>, _> =
                filter.acts.iter().map(|act| word(act).map(Value::from)).collect();
            wants("act IN ({})", words?);
        }
        if !filter.states.is_empty() {
            let words: Result<Vec<Value>, _> =
                filter.states.iter().map(|state| word(state).map(Value::from)).collect();
            wants("state IN ({})", words?);
        }
        if let Some(from) = filter.from {
            wants("asked_at >= {}", vec![from.into()]);
        }
        if let Some(until) = filter.until {
            wants("asked_at < {}", vec![until.into()]);
        }
        let wanted = match clauses.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", clauses.join(" AND ")),
        };
        let limit = request.limit.clamp(1, 200);
        let sql = format!("{VIEW} {wanted} ORDER BY id DESC LIMIT {limit}");
        let open = self.lock();
        views(&open, read_lines(&open, &sql, &values)?)
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
            format!("{VIEW} WHERE connection = ? AND key_uid = ? ORDER BY id DESC LIMIT {limit}");
        let open = self.lock();
        let values = [connection.to_owned().into(), uid.to_owned().into()];
        views(&open, read_lines(&open, &sql, &values)?)
    }

    /// Lines of acts on several keys at once that have no end: the app ended in their middle.
    /// Oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn bulk_lines_without_end(&self) -> Result<Vec<ActivityView>, StoreError> {
        let sql = format!(
            "{VIEW} WHERE state = 'asked' AND key_uid IS NULL AND act IN ('renew', 'reactivate')
             ORDER BY id"
        );
        let open = self.lock();
        views(&open, read_lines(&open, &sql, &[])?)
    }

    /// Keys of a connection that this app asked, at this time or later, to be changed in a way that a
    /// list shows, and of which no answer is written down.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn changes_without_answer(
        &self,
        connection: &str,
        from: Timestamp,
    ) -> Result<Vec<KeyUid>, StoreError> {
        let acts = Act::CHANGES.iter().map(word).collect::<Result<Vec<_>, _>>()?.join("', '");
        let open = self.lock();
        let mut lines = open.prepare(&format!(
            "SELECT DISTINCT key_uid FROM journal
             WHERE connection = ?1 AND asked_at >= ?2 AND state IN ('asked', 'unknown')
                 AND act IN ('{acts}') AND key_uid IS NOT NULL"
        ))?;
        let uids = lines
            .query_map(params![connection, from.as_millisecond()], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(uids.iter().filter_map(|uid| KeyUid::new(uid)).collect())
    }

    /// One line with the key before and after; none when there is no such line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn change(&self, id: JournalId) -> Result<Option<JournalChange>, StoreError> {
        let open = self.lock();
        let sql = format!("{VIEW} WHERE id = ?1");
        let Some(line) = open.query_row(&sql, [id.0], line).optional()? else { return Ok(None) };
        let mut line = line.ok_or(StoreError::Damaged)?;
        let stand = Standing::of(&open, &line)?;
        stand.judge(&mut line);
        let Line { view, before, after } = line;
        Ok(Some(JournalChange { activity: view, before, after, left: stand.left }))
    }

    /// The newest confirmed line of an act on a key; none when there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn newest_of(
        &self,
        connection: &str,
        uid: &str,
        act: Act,
    ) -> Result<Option<JournalId>, StoreError> {
        let open = self.lock();
        let mut newest = open.prepare_cached(
            "SELECT id FROM journal
             WHERE connection = ?1 AND key_uid = ?2 AND act = ?3 AND state = 'done'
             ORDER BY id DESC LIMIT 1",
        )?;
        let found = newest.query_row(params![connection, uid, word(&act)?], |row| row.get(0));
        Ok(found.optional()?.map(JournalId))
    }
}

/// A word stands somewhere in what a line says.
const SAYS: &str = "(coalesce(key_name, '') || ' ' || coalesce(key_uid, '') || ' '
     || coalesce(owner_name, '') || ' ' || connection_name || ' ' || detail) LIKE {} ESCAPE '!'";

/// A word for [`SAYS`], as it is.
fn like(word: &str) -> String {
    format!("%{}%", word.replace('!', "!!").replace('%', "!%").replace('_', "!_"))
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

/// A line as it stands in the file.
struct Line {
    view: ActivityView,
    before: Option<ApiKey>,
    after: Option<ApiKey>,
}

fn read_lines(
    connection: &Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<Line>, StoreError> {
    let mut rows = connection.prepare_cached(sql)?;
    let lines = rows.query_map(params_from_iter(values), line)?.collect::<Result<Vec<_>, _>>()?;
    Ok(lines.into_iter().flatten().collect())
}

/// Lines as the window sees them: each key is looked up once.
fn views(connection: &Connection, lines: Vec<Line>) -> Result<Vec<ActivityView>, StoreError> {
    let mut known: HashMap<(String, String), Standing> = HashMap::new();
    let mut views = Vec::with_capacity(lines.len());
    for mut line in lines {
        let ActivityView { connection: of, key_uid, act, state, .. } = &line.view;
        if let Some(uid) = key_uid
            && act.is_reversible()
            && *state == ActState::Done
        {
            let key = (of.clone(), uid.clone());
            if !known.contains_key(&key) {
                known.insert(key.clone(), Standing::of(connection, &line)?);
            }
            if let Some(stand) = known.get(&key) {
                stand.judge(&mut line);
            }
        }
        views.push(line.view);
    }
    Ok(views)
}

/// Where a key stands as far as this app had to do with it.
#[derive(Default)]
struct Standing {
    /// As the newest act left it; none: not known.
    left: Option<ApiKey>,
    /// The newest line that put it in or out of service, or deleted it.
    settled: Option<i64>,
    deleted: bool,
}

impl Standing {
    fn of(connection: &Connection, line: &Line) -> Result<Self, StoreError> {
        let Some(uid) = &line.view.key_uid else { return Ok(Self::default()) };
        let key = params![line.view.connection, uid];
        let mut left = connection.prepare_cached(
            "SELECT key_after FROM journal
             WHERE connection = ?1 AND key_uid = ?2 AND state = 'done' AND key_after IS NOT NULL
             ORDER BY id DESC LIMIT 1",
        )?;
        let left = left.query_row(key, |row| read_key(row, 0)).optional()?.flatten();
        let mut settled = connection.prepare_cached(
            "SELECT id, act = 'delete' FROM journal
             WHERE connection = ?1 AND key_uid = ?2 AND state = 'done'
               AND act IN ('revoke', 'reactivate', 'delete')
             ORDER BY id DESC LIMIT 1",
        )?;
        let settled = settled.query_row(key, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (settled, deleted) = settled.map_or((None, false), |(id, gone)| (Some(id), gone));
        Ok(Self { left, settled, deleted })
    }

    /// Whether what a line did still stands, as far as this app had to do with it. What others did
    /// since is for a fresh read to tell.
    fn judge(&self, line: &mut Line) {
        let view = &mut line.view;
        if view.state != ActState::Done || view.key_uid.is_none() || self.deleted {
            return;
        }
        view.can_undo = match view.act {
            Act::Revoke | Act::Reactivate => self.settled == Some(view.id),
            Act::Edit | Act::Renew => match (&line.before, &line.after, &self.left) {
                (Some(before), Some(after), Some(left)) => {
                    let fields = fields_of(view.act, before, after);
                    !fields.is_empty() && fields.iter().all(|field| field.is_same(after, left))
                }
                _ => false,
            },
            _ => false,
        };
    }
}

/// The fields an act changed. What differs besides was another's doing.
pub(crate) fn fields_of(act: Act, before: &ApiKey, after: &ApiKey) -> Vec<Field> {
    let mut fields = fields_changed(before, after);
    let of_state = matches!(act, Act::Revoke | Act::Reactivate);
    fields.retain(|field| (*field == Field::Active) == of_state);
    fields
}

/// A key that cannot be read any more is one that is not known.
fn read_key(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ApiKey>> {
    Ok(text(row, column)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// None for a line of an act or state this version does not know: one line less is better than no
/// time line.
fn line(row: &Row<'_>) -> rusqlite::Result<Option<Line>> {
    let word = |column| text(row, column).map(Option::unwrap_or_default);
    let (Some(act), Some(state)) = (from_word::<Act>(word(4)?), from_word(word(5)?)) else {
        return Ok(None);
    };
    let (before, after) = (read_key(row, 11)?, read_key(row, 12)?);
    let changes = match (&before, &after, state) {
        (Some(before), Some(after), ActState::Done) if act.is_reversible() => {
            let fields = fields_of(act, before, after);
            fields.into_iter().map(|field| field.change(before, after)).collect()
        }
        _ => Vec::new(),
    };
    let view = ActivityView {
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
        changes,
        can_undo: false,
        undoes: row.get(10)?,
    };
    Ok(Some(Line { view, before, after }))
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
