//! What is remembered on disk: one SQLite file, and never a secret.
//!
//! The file is `palette-keys.sqlite3`: WAL, `synchronous=FULL`, so that what a method returned `Ok`
//! for is still there after a power cut, and two processes may share it (trust.md, decision 2).
//! Its types hold no [`crate::Secret`], so a secret cannot be written by mistake; the two texts a
//! person could hide one in (a proxy address, a certificate) are refused.
//!
//! A damaged file is never written over: it is kept beside the new one as
//! `palette-keys.sqlite3.corrupt-<time>` and the person is told, also of the revocations that waited
//! in it. A damaged row in a good file stays where it is, is told, and stops nothing else. A file of
//! a newer version of this app is left alone, and this run remembers in memory.

mod cache;
mod connections;
mod file;
mod intents;
mod journal;
mod lock;
mod outbox;
mod review;
mod rolls;
mod schema;
mod settings;
mod told;
mod tray;

use crate::{ErrorCode, Failure};
use rusqlite::{Connection, Row};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use cache::CachedList;
pub use connections::ConnectionRecord;
pub use intents::{CreateIntent, IntentState};
pub(crate) use journal::fields_of;
pub use journal::{JournalChange, JournalEntry, JournalId, JournalOutcome};
pub use outbox::{Ended, NewRecord, OutboxRecord, Recorded};
pub use rolls::{RollRecord, RollStep};
pub use told::ToldRow;

/// The name of the file in the data directory. `-wal` and `-shm` files lie beside it while it is open.
pub const FILE_NAME: &str = "palette-keys.sqlite3";

/// The open file; clones share it. Its methods take milliseconds and may be called from async code.
#[derive(Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
    /// Where the file lies; none for a store in memory.
    dir: Option<Arc<Path>>,
}

/// Why something was not remembered or not read. Holds no text of any row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// The file, its directory or its disk may not be written or opened.
    #[error("the file may not be written or opened")]
    NotPermitted,
    /// Another process kept the file locked for too long.
    #[error("another process keeps the file locked")]
    Busy,
    /// The file was found damaged while it was in use. The next start sets it aside.
    #[error("the file is damaged")]
    Damaged,
    /// There is an intent with this `op_id` already: the same creation was asked for before.
    #[error("this creation was asked for before")]
    IntentExists,
    /// The record would bring a secret to disk: a password in a proxy address, a private key.
    #[error("the record holds a secret")]
    HoldsSecret,
    /// There is no such line or record.
    #[error("there is no such record")]
    Missing,
    /// Anything else.
    #[error("the file could not be used")]
    Failed,
}

impl StoreError {
    /// The same in the words and codes the window knows.
    pub fn failure(&self) -> Failure {
        let message = match self {
            Self::Full => "The disk is full, so nothing could be written down.",
            Self::NotPermitted => {
                "The file in which Palette Keys remembers things may not be written."
            }
            Self::Busy => {
                "Another program keeps the file of Palette Keys locked, so nothing could be \
                 written down. Try again."
            }
            Self::Damaged => {
                "The file in which Palette Keys remembers things is damaged. Start the app again: \
                 it keeps the damaged file and begins a new one."
            }
            Self::IntentExists => "This creation was asked for before and is not asked for again.",
            Self::HoldsSecret => {
                "This holds a password or a private key, and those are never written to disk."
            }
            Self::Missing => "There is no such record any more.",
            Self::Failed => "The file in which Palette Keys remembers things could not be used.",
        };
        Failure::new(ErrorCode::StoreFailed, message)
    }
}

impl From<rusqlite::Error> for StoreError {
    /// SQLite's words are dropped: they may hold parts of a statement, and nobody needs them.
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Sqlite;
        match error.sqlite_error_code() {
            Some(Sqlite::DiskFull) => Self::Full,
            Some(Sqlite::ReadOnly | Sqlite::CannotOpen | Sqlite::PermissionDenied) => {
                Self::NotPermitted
            }
            Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => Self::Busy,
            Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => Self::Damaged,
            Some(_) => Self::Failed,
            // Not an answer of SQLite but a row that is not what we wrote.
            None => Self::Damaged,
        }
    }
}

impl From<serde_json::Error> for StoreError {
    /// Text that we wrote and cannot read any more. The error itself is dropped, since it quotes
    /// what it read.
    fn from(_: serde_json::Error) -> Self {
        Self::Damaged
    }
}

impl Store {
    /// Opens the file in `dir`, making both when they are missing: the directory for its owner
    /// only (0700), the files too (0600). The notices say, in words for the person, what had to be
    /// set aside or cannot be read.
    ///
    /// # Errors
    /// Only where nothing can be kept there at all (no rights, full disk, locked for long). The
    /// app can then go on with [`Store::open_in_memory`] and say so.
    pub fn open(dir: &Path) -> Result<(Self, Vec<String>), StoreError> {
        let (connection, notices) = file::open(dir)?;
        // A file of a newer version is left alone, and this run remembers in memory.
        let on_disk = connection.path().is_some_and(|path| !path.is_empty());
        Ok((Self::of(connection, on_disk.then(|| dir.into())), notices))
    }

    /// A store that forgets everything when it is dropped.
    ///
    /// # Errors
    /// When SQLite has no memory.
    pub fn open_in_memory() -> Result<Self, StoreError> {
        file::open_in_memory().map(|connection| Self::of(connection, None))
    }

    fn of(connection: Connection, dir: Option<Arc<Path>>) -> Self {
        Self { connection: Arc::new(Mutex::new(connection)), dir }
    }

    /// The directory of the file; none when this run remembers in memory only.
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves at most a transaction that was rolled back.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record as JSON, with its sum.
fn packed<T: Serialize>(record: &T) -> Result<(String, i64), StoreError> {
    let text = serde_json::to_string(record)?;
    let sum = sum(&text);
    Ok((text, sum))
}

/// A record out of its JSON. SQLite's own checks do not see damage inside a text, and a host name
/// with a letter changed is worse than none.
fn unpacked<T: DeserializeOwned>(text: &str, written: i64) -> Result<T, StoreError> {
    if sum(text) != written {
        return Err(StoreError::Damaged);
    }
    Ok(serde_json::from_str(text)?)
}

/// The records of a table, and how many rows hold none: those are left exactly as they are and never
/// stop the good ones, so that whoever can read them later (a newer version, a person) finds them
/// whole. The statement gives each row's record and sum.
fn whole<T: DeserializeOwned>(open: &Connection, sql: &str) -> Result<Whole<T>, StoreError> {
    let mut rows = open.prepare_cached(sql)?;
    let mut rows = rows.query([])?;
    let mut whole = Whole { records: Vec::new(), unreadable: 0 };
    while let Some(row) = rows.next()? {
        let read = || unpacked(&row.get::<_, String>(0)?, row.get(1)?);
        match read() {
            Ok(record) => whole.records.push(record),
            Err(_) => whole.unreadable += 1,
        }
    }
    Ok(whole)
}

/// What [`whole`] read.
struct Whole<T> {
    records: Vec<T>,
    unreadable: usize,
}

/// FNV-1a, 64 bits: against chance, not against malice.
fn sum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// A text, with replacement characters where damage left bytes that are none: a line of the journal
/// that reads oddly is better than a time line that cannot be read.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    let bytes = row.get_ref(column)?.as_bytes_or_null()?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}
