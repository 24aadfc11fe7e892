//! Whether the app was locked when it ended: it comes back as it was left.

use super::{Store, StoreError};
use rusqlite::OptionalExtension;

/// The name of the mark in the table `about`.
const LOCKED: &str = "locked";

impl Store {
    /// The app was locked and nobody has unlocked it since.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn was_locked(&self) -> Result<bool, StoreError> {
        let mark = self
            .lock()
            .query_row("SELECT 1 FROM about WHERE name = ?1", [LOCKED], |_| Ok(()))
            .optional()?;
        Ok(mark.is_some())
    }

    /// Remembers whether it is locked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember_lock(&self, locked: bool) -> Result<(), StoreError> {
        let open = self.lock();
        if locked {
            open.execute("INSERT OR REPLACE INTO about (name, value) VALUES (?1, '1')", [LOCKED])?;
        } else {
            open.execute("DELETE FROM about WHERE name = ?1", [LOCKED])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_lasts_over_a_restart_until_it_is_taken_off() {
        let home = tempfile::tempdir().unwrap();
        {
            let (store, _) = Store::open(home.path()).unwrap();
            assert!(!store.was_locked().unwrap());
            store.remember_lock(true).unwrap();
            store.remember_lock(true).unwrap();
        }
        let (store, _) = Store::open(home.path()).unwrap();
        assert!(store.was_locked().unwrap());
        store.remember_lock(false).unwrap();
        assert!(!store.was_locked().unwrap());
    }
}
