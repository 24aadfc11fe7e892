//! Connections as they are remembered, and which one was open last.

use super::{Store, StoreError, Whole, packed, whole};
use crate::{
    connection::{Colour, ProxyChoice, SignInMethod, signing::SignInNotes},
    keychain::EntryName,
    keys::KeyUid,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// A connection without its credential, which is in the keychain under the connection's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionRecord {
    /// Made by us, never changes.
    pub id: String,
    /// As a person named it, else the organization's name.
    pub name: String,
    /// As a person chose it.
    pub colour: Colour,
    /// `scheme://host[:port]`.
    pub origin: String,
    /// How it signs in.
    pub method: SignInMethod,
    /// The e-mail address typed for a password sign-in.
    pub email: Option<String>,
    /// The organization's name.
    pub organization: Option<String>,
    /// PEM text of an extra certificate authority. Refused when it holds a private key.
    pub ca_certificate: Option<String>,
    /// Which proxy it uses. Refused when the address holds a password.
    pub proxy: ProxyChoice,
    /// The simulator inside the app.
    pub demo: bool,
    /// The credential is in no keychain: sign in again after each start.
    pub in_memory_only: bool,
    /// The uid of the key it signs in with, once known.
    pub signing_key_uid: Option<String>,
    /// Which entry of the keychain is the credential: the stored value of the key with this uid, so
    /// that a roll swaps credentials by writing this record; none: the connection's own entry.
    #[serde(default)]
    pub credential_key: Option<KeyUid>,
    /// What is remembered of its own sign-in beside that.
    #[serde(default)]
    pub sign_in: SignInNotes,
    /// Its place in the switcher.
    pub position: u32,
}

impl ConnectionRecord {
    /// The entry of the keychain that holds its credential.
    pub fn credential_entry(&self) -> EntryName {
        match &self.credential_key {
            Some(uid) => EntryName::key_value(&*self.id, uid.clone()),
            None => EntryName::credential(&*self.id),
        }
    }

    fn holds_secret(&self) -> bool {
        let proxy_password = match &self.proxy {
            ProxyChoice::Custom { url } => {
                // Without a scheme `user:pw@host` would read as the scheme "user".
                let url = if url.contains("://") { url.clone() } else { format!("http://{url}") };
                url::Url::parse(&url).is_ok_and(|url| url.password().is_some())
            }
            ProxyChoice::System | ProxyChoice::None => false,
        };
        let private_key =
            self.ca_certificate.as_ref().is_some_and(|pem| pem.contains("PRIVATE KEY"));
        proxy_password || private_key
    }
}

impl Store {
    /// All connections in the order of their positions, but for those that cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list_connections(&self) -> Result<Vec<ConnectionRecord>, StoreError> {
        Ok(read_all(&self.lock())?.records)
    }

    /// Whether [`Store::put_connection`] would take it, before anything is done with it.
    ///
    /// # Errors
    /// [`StoreError::HoldsSecret`].
    pub fn check_connection(&self, record: &ConnectionRecord) -> Result<(), StoreError> {
        if record.holds_secret() { Err(StoreError::HoldsSecret) } else { Ok(()) }
    }

    /// Adds a connection or replaces the one with its id.
    ///
    /// # Errors
    /// [`StoreError::HoldsSecret`], or when the file cannot be written.
    pub fn put_connection(&self, record: &ConnectionRecord) -> Result<(), StoreError> {
        put(&self.lock(), record)
    }

    /// Forgets a connection with its list, its creation intents and the index of its stored
    /// values; false when there was none. Its journal stays. Remove its keychain entries first:
    /// afterwards nobody knows which they were.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was forgotten.
    pub fn remove_connection(&self, id: &str) -> Result<bool, StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction()?;
        step.execute("DELETE FROM list WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM stored WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM intent WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM roll WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM told WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM accepted WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM key_change WHERE connection = ?1", [id])?;
        step.execute("DELETE FROM about WHERE name = 'active' AND value = ?1", [id])?;
        let removed = step.execute("DELETE FROM connection WHERE id = ?1", [id])?;
        step.commit()?;
        Ok(removed > 0)
    }

    /// The id of the connection that was open last; none when it is gone.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn active_connection(&self) -> Result<Option<String>, StoreError> {
        let id = self
            .lock()
            .query_row(
                "SELECT value FROM about JOIN connection ON connection.id = about.value
                 WHERE about.name = 'active'",
                [],
                |row| row.get(0),
            )
            .optional()?;
        Ok(id)
    }

    /// Remembers which connection is open.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_active_connection(&self, id: Option<&str>) -> Result<(), StoreError> {
        let connection = self.lock();
        match id {
            Some(id) => connection.execute(
                "INSERT INTO about (name, value) VALUES ('active', ?1)
                 ON CONFLICT (name) DO UPDATE SET value = ?1",
                [id],
            )?,
            None => connection.execute("DELETE FROM about WHERE name = 'active'", [])?,
        };
        Ok(())
    }
}

pub(super) fn put(connection: &Connection, record: &ConnectionRecord) -> Result<(), StoreError> {
    if record.holds_secret() {
        return Err(StoreError::HoldsSecret);
    }
    let (text, sum) = packed(record)?;
    connection.execute(
        "INSERT INTO connection (id, position, record, sum) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET position = ?2, record = ?3, sum = ?4",
        params![record.id, record.position, text, sum],
    )?;
    Ok(())
}

pub(super) fn read_all(connection: &Connection) -> Result<Whole<ConnectionRecord>, StoreError> {
    whole(connection, "SELECT record, sum FROM connection ORDER BY position, id")
}
