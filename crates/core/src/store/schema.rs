//! The tables, by version. A step is never changed once released; a new one is added at the end.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// Marks the file as ours in SQLite's own header ("PKey").
pub(super) const APPLICATION_ID: i32 = 0x504b_6579;

/// Step n brings version n to version n + 1. Times are milliseconds since 1970 UTC. Records that
/// are only read and written whole are JSON with the sum of that text; what is searched has columns.
const STEPS: [&str; 5] = [
    "
    CREATE TABLE about (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE connection (
        id TEXT PRIMARY KEY,
        position INTEGER NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE list (
        connection TEXT PRIMARY KEY,
        as_of INTEGER NOT NULL,
        list TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE stored (
        connection TEXT NOT NULL,
        uid TEXT NOT NULL,
        name TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (connection, uid)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE intent (
        op_id TEXT PRIMARY KEY,
        connection TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        intent TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        asked_at INTEGER NOT NULL,
        ended_at INTEGER,
        connection TEXT NOT NULL,
        connection_name TEXT NOT NULL,
        act TEXT NOT NULL,
        state TEXT NOT NULL,
        key_uid TEXT,
        key_name TEXT,
        owner_name TEXT,
        detail TEXT NOT NULL,
        key_before TEXT,
        key_after TEXT
    ) STRICT;
    CREATE INDEX journal_of_key ON journal (connection, key_uid, id);
",
    "
    CREATE TABLE outbox (
        op_id TEXT PRIMARY KEY,
        asked_at INTEGER NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE told (
        connection TEXT NOT NULL,
        uid TEXT NOT NULL,
        ends_at INTEGER NOT NULL,
        days INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (connection, uid, ends_at, days)
    ) STRICT, WITHOUT ROWID;
",
    // Which line a line undoes.
    "ALTER TABLE journal ADD COLUMN undoes INTEGER;",
    "
    CREATE TABLE roll (
        roll TEXT PRIMARY KEY,
        connection TEXT NOT NULL,
        asked_at INTEGER NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
",
    // What a review remembers.
    "
    CREATE TABLE accepted (
        connection TEXT NOT NULL,
        rule TEXT NOT NULL,
        uid TEXT NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER NOT NULL,
        PRIMARY KEY (connection, rule, uid)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE key_change (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        connection TEXT NOT NULL,
        at INTEGER NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX key_change_of ON key_change (connection, id);
",
];

/// The version this app writes.
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// What the file says about itself.
pub(super) enum Origin {
    /// This version or an older one wrote it.
    Ours,
    /// A newer version of this app wrote it.
    Newer,
    /// It is not what any version of this app writes.
    Strange,
}

/// Reads who wrote the file. The version stands in SQLite's header and in a row, so that a damaged
/// header is not taken for a newer version.
pub(super) fn origin(connection: &Connection) -> Result<Origin, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let written: Option<String> = connection
        .query_row("SELECT value FROM about WHERE name = 'schema'", [], |row| row.get(0))
        .optional()?;
    let agrees = written.as_deref() == Some(version.to_string().as_str());
    Ok(if application != i64::from(APPLICATION_ID) || version < 1 || !agrees {
        Origin::Strange
    } else if version > VERSION {
        Origin::Newer
    } else {
        Origin::Ours
    })
}

/// Brings the tables to [`VERSION`], each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    loop {
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let Some(sql) = usize::try_from(version).ok().and_then(|version| STEPS.get(version)) else {
            return Ok(());
        };
        step.execute_batch(sql)?;
        let next = version + 1;
        step.execute(
            "INSERT INTO about (name, value) VALUES ('schema', ?1)
             ON CONFLICT (name) DO UPDATE SET value = ?1",
            [next.to_string()],
        )?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", next)?;
        step.commit()?;
    }
}
