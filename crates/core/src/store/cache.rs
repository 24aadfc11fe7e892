//! The last list of each connection, for a start without network, and which values are stored.

use super::{Store, StoreError, packed, text, unpacked};
use crate::{
    api::{Person, RoleRights},
    connection::IdentityView,
    keys::ApiKey,
};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The keys of a connection as the server last gave them, with what is needed to show them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CachedList {
    /// When the server answered, by this computer's clock.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub as_of: Timestamp,
    /// Every key the caller sees.
    pub keys: Vec<ApiKey>,
    /// How many more there were that could not be understood: what is not in `keys` may still be
    /// there.
    #[serde(default)]
    pub skipped: usize,
    /// The people of the tenant; none when they may not be read.
    pub people: Option<Vec<Person>>,
    /// When they were read, by the server's clock: of who came later nothing is known. None: not with
    /// this list, or with one of an earlier version.
    #[serde(default, with = "jiff::fmt::serde::timestamp::millisecond::optional")]
    pub people_as_of: Option<Timestamp>,
    /// What the roles of these people allow; none when roles may not be read.
    #[serde(default)]
    pub roles: Option<Vec<RoleRights>>,
    /// Who the caller is.
    pub identity: IdentityView,
    /// Keys a user may have; none: the limit is not known.
    pub quota: Option<u32>,
    /// Server clock minus this computer's, in ms.
    pub clock_offset_ms: i64,
}

impl CachedList {
    /// When the people in it were read, by the server's clock; none: they are not known.
    pub fn people_as_of(&self) -> Option<Timestamp> {
        self.people.as_ref()?;
        let offset = SignedDuration::from_millis(self.clock_offset_ms);
        self.people_as_of.or_else(|| self.as_of.checked_add(offset).ok())
    }
}

impl Store {
    /// Replaces the remembered list of a connection.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_list(&self, connection: &str, list: &CachedList) -> Result<(), StoreError> {
        let (text, sum) = packed(list)?;
        self.lock().execute(
            "INSERT INTO list (connection, as_of, list, sum) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (connection) DO UPDATE SET as_of = ?2, list = ?3, sum = ?4",
            params![connection, list.as_of.as_millisecond(), text, sum],
        )?;
        Ok(())
    }

    /// The remembered list of a connection. One that cannot be read (damaged, or written by another
    /// version) counts as none: the next refresh brings it back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, connection: &str) -> Result<Option<CachedList>, StoreError> {
        let row = self
            .lock()
            .query_row("SELECT list, sum FROM list WHERE connection = ?1", [connection], |row| {
                Ok((text(row, 0)?.unwrap_or_default(), row.get(1)?))
            })
            .optional()?;
        Ok(row.and_then(|(text, sum)| unpacked(&text, sum).ok()))
    }

    /// The uids of the keys whose values are in the keychain, as far as we wrote them there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stored_uids(&self, connection: &str) -> Result<HashSet<String>, StoreError> {
        let open = self.lock();
        let mut rows = open.prepare_cached("SELECT uid FROM stored WHERE connection = ?1")?;
        let uids = rows.query_map([connection], |row| text(row, 0))?;
        Ok(uids.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// uid and name of each key whose value is in the keychain; the name is that of the time when it
    /// was put there.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stored_names(&self, connection: &str) -> Result<Vec<(String, String)>, StoreError> {
        let open = self.lock();
        let mut rows = open.prepare_cached("SELECT uid, name FROM stored WHERE connection = ?1")?;
        let named = rows.query_map([connection], |row| Ok((text(row, 0)?, text(row, 1)?)))?;
        let named = named.collect::<Result<Vec<_>, _>>()?;
        Ok(named
            .into_iter()
            .filter_map(|(uid, name)| Some((uid?, name.unwrap_or_default())))
            .collect())
    }

    /// The uids of the keys that had this name when their values went to the keychain.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stored_named(&self, connection: &str, name: &str) -> Result<Vec<String>, StoreError> {
        let open = self.lock();
        let mut rows = open.prepare_cached(
            "SELECT uid FROM stored WHERE connection = ?1 AND name = ?2 ORDER BY at DESC",
        )?;
        let uids = rows.query_map([connection, name], |row| text(row, 0))?;
        Ok(uids.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Remembers that the value of a key is in the keychain, under the key's name at that time.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mark_stored(
        &self,
        connection: &str,
        uid: &str,
        name: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.lock().execute(
            "INSERT INTO stored (connection, uid, name, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (connection, uid) DO UPDATE SET name = ?3, at = ?4",
            params![connection, uid, name, at.as_millisecond()],
        )?;
        Ok(())
    }

    /// Remembers that the value of a key is not in the keychain any more; false when it was not
    /// said to be.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn unmark_stored(&self, connection: &str, uid: &str) -> Result<bool, StoreError> {
        let removed = self
            .lock()
            .execute("DELETE FROM stored WHERE connection = ?1 AND uid = ?2", [connection, uid])?;
        Ok(removed > 0)
    }
}
