//! The outbox on disk: one row for each revocation or deletion that the server has not confirmed.
//!
//! A record is added with its line of the journal in one transaction, and leaves with the line's
//! outcome in one. Rows that cannot be read are left exactly as they are: they never stop the good
//! ones, and whoever can read them later (a newer version, a person) finds them whole.

use super::{JournalEntry, JournalId, JournalOutcome, Store, StoreError, journal, packed, text};
use crate::{
    Failure,
    keys::{ApiKey, KeyUid},
    outbox::{DamagedRecordView, OutboxAction, OutboxState},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};

/// The version of the records that this app writes.
const RECORD: u32 = 1;

/// Longest name of a damaged record that is shown: the row may hold anything.
const LONGEST_NAME: usize = 64;

/// Longest name that is written down: a server may call a key anything.
const LONGEST_WORD: usize = 1_000;

/// No record of ours comes near it.
const LONGEST_RECORD: usize = 128 * 1024;

/// A revocation or deletion that a person confirmed. Never a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRecord {
    /// Version of this record.
    v: u32,
    /// Names the record.
    pub record: String,
    /// The `op_id` of what the person did; records of one bulk act share it.
    pub op_id: String,
    /// The connection's id.
    pub connection: String,
    /// Its name at that time.
    pub connection_name: String,
    /// Where it goes, frozen: a connection that points elsewhere later does not send it.
    pub origin: String,
    /// The tenant, frozen; none when it was not known.
    pub tenant_uid: Option<String>,
    /// uid of the key.
    pub key_uid: KeyUid,
    /// Its name at that time; may be empty.
    pub key_name: String,
    /// Its owner's uid; may be empty.
    pub owner_uid: String,
    /// Its owner's name; may be empty.
    pub owner_name: String,
    /// What is asked.
    pub action: OutboxAction,
    /// When a person confirmed it, by this computer's clock.
    #[serde(with = "jiff::fmt::serde::timestamp::millisecond::required")]
    pub asked_at: Timestamp,
    /// A person asked for this one key, not for many at once.
    pub alone: bool,
    /// It was sent, or was about to be.
    pub sent: bool,
    /// How often it was sent, as far as it was written down.
    pub attempts: u32,
    /// Where it stands.
    pub state: OutboxState,
    /// What the last try met.
    pub problem: Option<Failure>,
    /// When it was last tried, ms since 1970 UTC.
    pub last_tried_at: Option<i64>,
    /// Its line of the journal.
    journal: Option<i64>,
}

/// What a new record is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// The `op_id` of what the person did.
    pub op_id: String,
    /// The connection's id.
    pub connection: String,
    /// Its name.
    pub connection_name: String,
    /// Where it goes.
    pub origin: String,
    /// The tenant, when known.
    pub tenant_uid: Option<String>,
    /// uid of the key.
    pub key_uid: KeyUid,
    /// The key as it is known.
    pub key: Option<ApiKey>,
    /// What is asked.
    pub action: OutboxAction,
    /// When.
    pub asked_at: Timestamp,
    /// Not one of many.
    pub alone: bool,
}

impl OutboxRecord {
    /// A record that nobody has tried yet.
    pub fn new(new: NewRecord) -> Self {
        let short = |text: String| match text.char_indices().nth(LONGEST_WORD) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        };
        let (key_name, owner_uid, owner_name) = new
            .key
            .map(|key| (short(key.name), short(key.owner_uid), short(key.owner_name)))
            .unwrap_or_default();
        Self {
            v: RECORD,
            record: uuid::Uuid::new_v4().to_string(),
            op_id: new.op_id,
            connection: new.connection,
            connection_name: new.connection_name,
            origin: new.origin,
            tenant_uid: new.tenant_uid,
            key_uid: new.key_uid,
            key_name,
            owner_uid,
            owner_name,
            action: new.action,
            asked_at: new.asked_at,
            alone: new.alone,
            sent: new.alone,
            attempts: 0,
            state: OutboxState::Waiting,
            problem: None,
            last_tried_at: None,
            journal: None,
        }
    }

    /// This is its line.
    pub(crate) fn line_is(&mut self, line: JournalId) {
        self.journal = Some(line.get());
    }

    /// It has the same line as another copy of it.
    pub(crate) fn journal_is_of(&mut self, other: &Self) {
        self.journal = other.journal;
    }

    /// Its line of the journal; none when the disk refused it.
    pub fn journal(&self) -> Option<JournalId> {
        self.journal.map(JournalId::from_view)
    }
}

/// A record with what is written to the journal for it.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The record.
    pub record: OutboxRecord,
    /// Its line.
    pub entry: JournalEntry,
    /// The key as it was known, for the line.
    pub before: Option<ApiKey>,
}

/// A record that leaves.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Which.
    pub record: String,
    /// Its line of the journal.
    pub journal: Option<JournalId>,
    /// What the line says from now on.
    pub outcome: JournalOutcome,
}

impl Store {
    /// Writes records down with their lines of the journal: all of them or none. Each is told its
    /// line.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing was.
    pub fn add_to_outbox(&self, records: &mut [Recorded]) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut written = Vec::with_capacity(records.len());
        for new in records.iter() {
            let line = journal::ask(&step, &new.entry, new.before.as_ref())?;
            let record = OutboxRecord { journal: Some(line.get()), ..new.record.clone() };
            let (text, sum) = packed(&record)?;
            step.execute(
                "INSERT INTO outbox (op_id, asked_at, record, sum) VALUES (?1, ?2, ?3, ?4)",
                params![record.record, record.asked_at.as_millisecond(), text, sum],
            )?;
            written.push(record);
        }
        step.commit()?;
        for (new, record) in records.iter_mut().zip(written) {
            new.record = record;
        }
        Ok(())
    }

    /// Writes down how a record fares; false when it is not there any more, because somebody gave
    /// it up.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn update_outbox(&self, record: &OutboxRecord) -> Result<bool, StoreError> {
        let (text, sum) = packed(record)?;
        let changed = self.lock().execute(
            "UPDATE outbox SET record = ?2, sum = ?3 WHERE op_id = ?1",
            params![record.record, text, sum],
        )?;
        Ok(changed > 0)
    }

    /// Takes records out, with the outcome of their lines: all of them or none.
    ///
    /// # Errors
    /// When the file cannot be written; then they are still there.
    pub fn end_outbox(&self, ended: &[Ended]) -> Result<(), StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for ended in ended {
            end(&step, ended)?;
        }
        Ok(step.commit()?)
    }

    /// Takes records out that were never sent, and says which those were.
    ///
    /// # Errors
    /// When the file cannot be written; then they are still there.
    pub fn end_unsent(&self, ended: &[Ended]) -> Result<Vec<String>, StoreError> {
        let mut connection = self.lock();
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut removed = Vec::new();
        for ended in ended {
            let row = step
                .query_row(
                    "SELECT op_id, record, sum FROM outbox WHERE op_id = ?1",
                    [&ended.record],
                    |row| Ok(read(row)),
                )
                .optional()?;
            if let Some(Ok(record)) = row
                && !record.sent
            {
                end(&step, ended)?;
                removed.push(ended.record.clone());
            }
        }
        step.commit()?;
        Ok(removed)
    }

    /// The records, oldest first, and those that cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read at all.
    pub fn outbox(&self) -> Result<(Vec<OutboxRecord>, Vec<DamagedRecordView>), StoreError> {
        let open = self.lock();
        let mut rows =
            open.prepare_cached("SELECT op_id, record, sum FROM outbox ORDER BY asked_at, rowid")?;
        let mut rows = rows.query([])?;
        let (mut good, mut damaged) = (Vec::new(), Vec::new());
        while let Some(row) = rows.next()? {
            match read(row) {
                Ok(record) => good.push(record),
                Err(view) => damaged.push(view),
            }
        }
        Ok((good, damaged))
    }

    /// Changes when another process wrote to the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn written_elsewhere(&self) -> Result<i64, StoreError> {
        let open = self.lock();
        let mut version = open.prepare_cached("PRAGMA data_version")?;
        Ok(version.query_row([], |row| row.get(0))?)
    }
}

/// What the outbox of a damaged file still says, and whether that is all of it.
pub(super) fn salvaged(open: &Connection) -> (Vec<OutboxRecord>, bool) {
    let mut records = Vec::new();
    // In the order of the table: a sort would fail as a whole where some rows can be had.
    let whole = open.prepare("SELECT op_id, record, sum FROM outbox").and_then(|mut rows| {
        let mut rows = rows.query([])?;
        let mut whole = true;
        while let Some(row) = rows.next()? {
            match read(row) {
                Ok(record) => records.push(record),
                Err(_) => whole = false,
            }
        }
        Ok(whole)
    });
    (records, whole.unwrap_or(false))
}

fn end(step: &Transaction<'_>, ended: &Ended) -> Result<(), StoreError> {
    step.execute("DELETE FROM outbox WHERE op_id = ?1", [&ended.record])?;
    match ended.journal.map(|line| journal::set_outcome(step, line, &ended.outcome)) {
        // A line that is not there any more must not keep the record.
        Some(Err(StoreError::Missing)) | None => Ok(()),
        Some(written) => written,
    }
}

/// What every version of a record has.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// A row as a record, or what can be said of it.
fn read(row: &Row<'_>) -> Result<OutboxRecord, DamagedRecordView> {
    let name = text(row, 0).ok().flatten().unwrap_or_default();
    let damaged = |words: &str| DamagedRecordView {
        record: name
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .take(LONGEST_NAME)
            .collect(),
        words: words.to_owned(),
    };
    let unreadable = || {
        damaged(
            "This record was damaged and cannot be read. It is kept as it is. A key that you \
             revoked may still work: look at your keys.",
        )
    };
    let length = row.get_ref(1).ok().and_then(|json| json.as_bytes().ok().map(<[u8]>::len));
    if length.is_none_or(|length| length > LONGEST_RECORD) {
        return Err(unreadable());
    }
    let json = text(row, 1).ok().flatten().ok_or_else(unreadable)?;
    let sum: i64 = row.get(2).map_err(|_| unreadable())?;
    if super::sum(&json) != sum {
        return Err(unreadable());
    }
    let version: Version = serde_json::from_str(&json).map_err(|_| unreadable())?;
    if version.v > RECORD {
        return Err(damaged(
            "This record was written by a newer version of Palette Keys. It is kept as it is; that \
             version sends it.",
        ));
    }
    let record: OutboxRecord = serde_json::from_str(&json).map_err(|_| unreadable())?;
    if record.v != RECORD || record.record != name {
        return Err(unreadable());
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{
        activity::{Act, ActState},
        tests::key,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn new(uid: &str, second: i64) -> Recorded {
        let before = key(uid, "jane");
        let record = OutboxRecord::new(NewRecord {
            op_id: "op".into(),
            connection: "c1".into(),
            connection_name: "acme".into(),
            origin: "https://palette.example".into(),
            tenant_uid: Some("t1".into()),
            key_uid: before.uid.clone(),
            key: Some(before.clone()),
            action: OutboxAction::Revoke,
            asked_at: at(second),
            alone: false,
        });
        let entry = JournalEntry {
            connection: "c1".into(),
            connection_name: "acme".into(),
            act: Act::Revoke,
            key_uid: Some(uid.into()),
            key_name: Some(before.name.clone()),
            owner_name: None,
            detail: "To be sent: revoke.".into(),
            at: at(second),
        };
        Recorded { record, entry, before: Some(before) }
    }

    fn ended(record: &OutboxRecord) -> Ended {
        let outcome = JournalOutcome::new(ActState::Done, "revoked", at(9));
        Ended { record: record.record.clone(), journal: record.journal(), outcome }
    }

    #[test]
    fn a_record_comes_and_goes_with_its_line() {
        let store = Store::open_in_memory().unwrap();
        let mut records = [new("k2", 2), new("k1", 1)];
        store.add_to_outbox(&mut records).unwrap();
        let (mut listed, damaged) = store.outbox().unwrap();
        assert_eq!(damaged, []);
        assert_eq!(listed[0].key_uid.as_str(), "k1", "oldest first");
        let line = store.change(listed[0].journal().unwrap()).unwrap().unwrap();
        assert_eq!(line.activity.state, ActState::Asked);
        assert_eq!(line.before, records[1].before);

        listed[0].attempts = 3;
        assert!(store.update_outbox(&listed[0]).unwrap());
        assert_eq!(store.outbox().unwrap().0[0].attempts, 3);
        store.end_outbox(&[ended(&listed[0])]).unwrap();
        assert!(!store.update_outbox(&listed[0]).unwrap(), "gone");
        let line = store.change(listed[0].journal().unwrap()).unwrap().unwrap();
        assert_eq!(line.activity.state, ActState::Done);
        assert_eq!(line.before, records[1].before, "what the key was is kept");
        assert_eq!(store.outbox().unwrap().0.len(), 1);
    }

    #[test]
    fn only_what_was_not_sent_is_stopped() {
        let store = Store::open_in_memory().unwrap();
        let mut records = [new("k1", 1), new("k2", 2)];
        store.add_to_outbox(&mut records).unwrap();
        let sent = OutboxRecord { sent: true, ..records[0].record.clone() };
        store.update_outbox(&sent).unwrap();
        let all = [ended(&sent), ended(&records[1].record)];
        assert_eq!(store.end_unsent(&all).unwrap(), [records[1].record.record.clone()]);
        assert_eq!(store.outbox().unwrap().0, [sent]);
    }

    #[test]
    fn damaged_rows_are_told_and_left_alone() {
        let store = Store::open_in_memory().unwrap();
        let mut good = [new("good", 1)];
        store.add_to_outbox(&mut good).unwrap();
        let (whole, sum) = packed(&good[0].record).unwrap();
        let newer = whole.replace("\"v\":1", "\"v\":2");
        let mut bad: Vec<(String, i64)> = (0..whole.len())
            .map(|length| whole[..length].to_owned())
            .map(|cut| (cut.clone(), super::super::sum(&cut)))
            .collect();
        let said = |text: &str| (text.to_owned(), super::super::sum(text));
        bad.push((whole.clone(), sum + 1));
        bad.push((whole.clone(), sum));
        bad.push(said(&newer));
        bad.push(said(&"\0".repeat(300)));
        bad.push(said(&whole.replace("\"attempts\":0", "\"attempts\":\"many\"")));
        bad.push(said(&whole.replace("\"keyUid\":\"good\"", "\"keyUid\":\"../users\"")));
        bad.push(said(&"x".repeat(10 * 1024 * 1024)));
        bad.push(said("null"));
        bad.push(said("[]"));
        for (number, (text, sum)) in bad.iter().enumerate() {
            let name = format!("bad {number}");
            store
                .lock()
                .execute("INSERT INTO outbox VALUES (?1, 5, ?2, ?3)", params![name, text, sum])
                .unwrap();
        }
        let (listed, damaged) = store.outbox().unwrap();
        assert_eq!(listed, [good[0].record.clone()]);
        assert_eq!(damaged.len(), bad.len());
        assert_eq!(damaged.iter().filter(|view| view.words.contains("newer")).count(), 1);
        let kept = |name: &str| -> String {
            let sql = "SELECT record FROM outbox WHERE op_id = ?1";
            store.lock().query_row(sql, [name], |row| row.get(0)).unwrap()
        };
        for (number, (text, _)) in bad.iter().enumerate() {
            assert_eq!(&kept(&format!("bad {number}")), text);
        }
    }
}
