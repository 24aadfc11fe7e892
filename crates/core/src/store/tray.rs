//! What the tray asks the journal.

use super::{Store, StoreError, text};
use jiff::Timestamp;
use rusqlite::params;
use std::collections::HashMap;

/// A confirmed revocation that nothing later settled anew.
pub(crate) struct RevokedLine {
    pub(crate) connection: String,
    pub(crate) key_uid: String,
    pub(crate) key_name: String,
    /// When it was confirmed, ms since 1970 UTC.
    pub(crate) ended_at: i64,
}

impl Store {
    /// Revocations confirmed since then, newest first.
    pub(crate) fn revoked_since(&self, since: Timestamp) -> Result<Vec<RevokedLine>, StoreError> {
        let connection = self.lock();
        let mut rows = connection.prepare_cached(
            "SELECT connection, key_uid, key_name, ended_at FROM journal
             WHERE id > (SELECT coalesce(max(id), 0) - 1000 FROM journal)
               AND act = 'revoke' AND state = 'done' AND key_uid IS NOT NULL AND ended_at >= ?1
               AND NOT EXISTS (
                   SELECT 1 FROM journal AS later
                   WHERE later.connection = journal.connection
                     AND later.key_uid = journal.key_uid
                     AND later.id > journal.id AND later.state = 'done'
                     AND later.act IN ('revoke', 'reactivate', 'delete'))
             ORDER BY ended_at DESC, id DESC LIMIT 50",
        )?;
        let lines = rows.query_map(params![since.as_millisecond()], |row| {
            let word = |column| text(row, column).map(Option::unwrap_or_default);
            Ok(RevokedLine {
                connection: word(0)?,
                key_uid: word(1)?,
                key_name: word(2)?,
                ended_at: row.get(3)?,
            })
        })?;
        Ok(lines.collect::<Result<_, _>>()?)
    }

    /// How often each stored value of a connection was copied, by the key's uid.
    pub(crate) fn copies(&self, connection: &str) -> Result<HashMap<String, u32>, StoreError> {
        let file = self.lock();
        let mut rows = file.prepare_cached(
            "SELECT stored.uid, count(*) FROM stored JOIN journal
                 ON journal.connection = stored.connection AND journal.key_uid = stored.uid
             WHERE stored.connection = ?1 AND journal.act = 'copy' AND journal.state = 'done'
             GROUP BY stored.uid",
        )?;
        let counts = rows.query_map([connection], |row| {
            Ok((text(row, 0)?.unwrap_or_default(), row.get::<_, u32>(1)?))
        })?;
        Ok(counts.collect::<Result<_, _>>()?)
    }
}
