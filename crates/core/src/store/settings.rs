//! Settings as they are remembered.

use super::{Store, StoreError};
use crate::settings::Settings;
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};

impl Store {
    /// The settings; what was never set, or cannot be read, is at its default, and what is out of
    /// its range is brought into it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        Ok(Settings::from_stored(&read(&self.lock())?))
    }

    /// Writes all settings down. Fields of a newer version of this app are kept. Whoever calls
    /// this has had them checked with [`Settings::check`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let step =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let mut fields = read(&step)?;
        if let Value::Object(ours) = serde_json::to_value(settings)? {
            fields.extend(ours);
        }
        step.execute(
            "INSERT INTO about (name, value) VALUES ('settings', ?1)
             ON CONFLICT (name) DO UPDATE SET value = ?1",
            [serde_json::to_string(&fields)?],
        )?;
        Ok(step.commit()?)
    }
}

/// Puts settings that cannot be read under another name, so that the next change does not write over
/// them; false when there were none.
pub(super) fn put_by(connection: &Connection) -> Result<bool, StoreError> {
    match read(connection) {
        Ok(_) => Ok(false),
        Err(StoreError::Damaged) => {
            connection.execute(
                "UPDATE OR REPLACE about SET name = 'settings.corrupt' WHERE name = 'settings'",
                [],
            )?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

fn read(connection: &Connection) -> Result<Map<String, Value>, StoreError> {
    let text: Option<String> = connection
        .query_row("SELECT value FROM about WHERE name = 'settings'", [], |row| row.get(0))
        .optional()?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}
