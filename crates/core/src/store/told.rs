//! What a person was told already, so that it is told once, and until when notices are paused.

use super::{Store, StoreError, text};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, TransactionBehavior, params};

/// The name of the pause in the table `about`.
const PAUSE: &str = "notices-paused-until";

/// Something that was told, or seen for the first time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToldRow {
    /// Id of the connection.
    pub connection: String,
    /// uid of the key, or name of the outbox record; empty for the digest.
    pub uid: String,
    /// The key's end, or when the record was asked for, in ms since 1970 UTC; 0 for the digest.
    pub ends_at: i64,
    /// The days before the end; 0: the end itself; negative: another kind, see
    /// [`crate::notices`].
    pub days: i64,
    /// When, in ms since 1970 UTC.
    pub at: i64,
}

impl Store {
    /// Everything told about a connection.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn told(&self, connection: &str) -> Result<Vec<ToldRow>, StoreError> {
        let open = self.lock();
        let mut rows =
            open.prepare_cached("SELECT uid, ends_at, days, at FROM told WHERE connection = ?1")?;
        let told = rows.query_map([connection], |row| {
            Ok(ToldRow {
                connection: connection.to_owned(),
                uid: text(row, 0)?.unwrap_or_default(),
                ends_at: row.get(1)?,
                days: row.get(2)?,
                at: row.get(3)?,
            })
        })?;
        Ok(told.collect::<Result<_, _>>()?)
    }

    /// Writes down that this was told: all of it or nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_told(&self, rows: &[ToldRow]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for row in rows {
            step.execute(
                "INSERT INTO told (connection, uid, ends_at, days, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (connection, uid, ends_at, days) DO UPDATE SET at = ?5",
                params![row.connection, row.uid, row.ends_at, row.days, row.at],
            )?;
        }
        Ok(step.commit()?)
    }

    /// Forgets what was told about ends that lie before `ends_before` (the digest's rows have none
    /// and stay). Says how many rows went.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forget_told(&self, ends_before: Timestamp) -> Result<usize, StoreError> {
        let forgotten = self.lock().execute(
            "DELETE FROM told WHERE ends_at <> 0 AND ends_at < ?1",
            [ends_before.as_millisecond()],
        )?;
        Ok(forgotten)
    }

    /// Until when notices are paused, in ms since 1970 UTC.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn notices_paused_until(&self) -> Result<Option<i64>, StoreError> {
        let until: Option<String> = self
            .lock()
            .query_row("SELECT value FROM about WHERE name = ?1", [PAUSE], |row| row.get(0))
            .optional()?;
        // What is no number pauses nothing: better one notice too many than none for ever.
        Ok(until.and_then(|until| until.parse().ok()))
    }

    /// Pauses the notices, or ends the pause.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn pause_notices(&self, until: Option<i64>) -> Result<(), StoreError> {
        let open = self.lock();
        match until {
            Some(until) => open.execute(
                "INSERT INTO about (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = ?2",
                [PAUSE, &until.to_string()],
            )?,
            None => open.execute("DELETE FROM about WHERE name = ?1", [PAUSE])?,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(uid: &str, ends_at: i64, days: i64, at: i64) -> ToldRow {
        ToldRow { connection: "c1".into(), uid: uid.into(), ends_at, days, at }
    }

    #[test]
    fn what_was_told_is_there_after_a_restart_and_only_for_its_connection() {
        let home = tempfile::tempdir().unwrap();
        let rows = [row("k1", 5_000, 7, 1), row("k1", 5_000, 0, 2), row("", 0, -7, 3)];
        {
            let (store, _) = Store::open(home.path()).unwrap();
            store.put_told(&rows).unwrap();
            store.put_told(&[row("", 0, -7, 9)]).unwrap();
            store.pause_notices(Some(77)).unwrap();
        }
        let (store, _) = Store::open(home.path()).unwrap();
        let mut told = store.told("c1").unwrap();
        told.sort();
        assert_eq!(told, [row("", 0, -7, 9), row("k1", 5_000, 0, 2), row("k1", 5_000, 7, 1)]);
        assert_eq!(store.told("c2").unwrap(), []);
        assert_eq!(store.notices_paused_until().unwrap(), Some(77));
        store.pause_notices(None).unwrap();
        assert_eq!(store.notices_paused_until().unwrap(), None);
    }

    #[test]
    fn only_what_lies_long_behind_is_forgotten() {
        let store = Store::open_in_memory().unwrap();
        store
            .put_told(&[row("old", 4_999, 7, 1), row("k1", 5_000, 7, 1), row("", 0, -7, 1)])
            .unwrap();
        let before = Timestamp::from_millisecond(5_000).unwrap();
        assert_eq!(store.forget_told(before).unwrap(), 1);
        let left: Vec<_> = store.told("c1").unwrap().into_iter().map(|row| row.uid).collect();
        assert_eq!(left, ["", "k1"]);
    }
}
