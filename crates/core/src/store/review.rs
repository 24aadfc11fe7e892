//! What a review remembers: what was accepted, what changed, and the last good policy.

use super::{Store, StoreError, packed, text, unpacked};
use crate::review::{
    accepted::Accepted,
    changes::{KEPT, KeyChangeView},
    findings::Rule,
};
use rusqlite::{OptionalExtension, TransactionBehavior, params};

/// Names in the table `about`.
const POLICY_PATH: &str = "policy-path";
const POLICY_TEXT: &str = "policy-text";

impl Store {
    /// Remembers that findings are accepted; all of it or nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn accept(&self, connection: &str, rows: &[Accepted]) -> Result<(), StoreError> {
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for row in rows {
            let (record, sum) = packed(row)?;
            step.execute(
                "INSERT INTO accepted (connection, rule, uid, record, sum)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (connection, rule, uid) DO UPDATE SET record = ?4, sum = ?5",
                params![connection, row.rule.name(), row.uid, record, sum],
            )?;
        }
        Ok(step.commit()?)
    }

    /// Everything accepted of a connection, whether or not it still counts. A damaged row counts
    /// as none: its finding comes back.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn accepted(&self, connection: &str) -> Result<Vec<Accepted>, StoreError> {
        let open = self.lock();
        let mut rows =
            open.prepare_cached("SELECT record, sum FROM accepted WHERE connection = ?1")?;
        let read = rows.query_map([connection], |row| {
            Ok((text(row, 0)?.unwrap_or_default(), row.get::<_, i64>(1)?))
        })?;
        let read = read.collect::<Result<Vec<_>, _>>()?;
        Ok(read.into_iter().filter_map(|(record, sum)| unpacked(&record, sum).ok()).collect())
    }

    /// Forgets that findings are accepted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn take_back(
        &self,
        connection: &str,
        rule: Rule,
        uids: &[String],
    ) -> Result<(), StoreError> {
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for uid in uids {
            step.execute(
                "DELETE FROM accepted WHERE connection = ?1 AND rule = ?2 AND uid = ?3",
                params![connection, rule.name(), uid],
            )?;
        }
        Ok(step.commit()?)
    }

    /// Remembers what changed, and forgets what lies before `forget_before` (ms since 1970 UTC) or
    /// is more than [`KEPT`].
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put_changes(
        &self,
        connection: &str,
        changes: &[KeyChangeView],
        forget_before: i64,
    ) -> Result<(), StoreError> {
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // What came together is told together, however much it is.
        let kept = KEPT.max(changes.len());
        for change in changes {
            let (record, sum) = packed(change)?;
            step.execute(
                "INSERT INTO key_change (connection, at, record, sum) VALUES (?1, ?2, ?3, ?4)",
                params![connection, change.at, record, sum],
            )?;
        }
        step.execute(
            "DELETE FROM key_change WHERE connection = ?1 AND (at < ?2 OR id NOT IN (
                SELECT id FROM key_change WHERE connection = ?1 ORDER BY id DESC LIMIT ?3))",
            params![connection, forget_before, i64::try_from(kept).unwrap_or(i64::MAX)],
        )?;
        Ok(step.commit()?)
    }

    /// What changed, newest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn changes(&self, connection: &str) -> Result<Vec<KeyChangeView>, StoreError> {
        Ok(self.numbered_changes(connection)?.into_iter().map(|(_, change)| change).collect())
    }

    /// What changed, newest first, each with its number. A later one has a higher number, whatever
    /// the clock did.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn numbered_changes(
        &self,
        connection: &str,
    ) -> Result<Vec<(i64, KeyChangeView)>, StoreError> {
        let open = self.lock();
        let mut rows = open.prepare_cached(
            "SELECT id, record, sum FROM key_change WHERE connection = ?1 ORDER BY id DESC",
        )?;
        let read = rows.query_map([connection], |row| {
            let number: i64 = row.get(0)?;
            Ok((number, text(row, 1)?.unwrap_or_default(), row.get::<_, i64>(2)?))
        })?;
        let read = read.collect::<Result<Vec<_>, _>>()?;
        let whole = |(number, record, sum): (i64, String, i64)| {
            Some((number, unpacked(&record, sum).ok()?))
        };
        Ok(read.into_iter().filter_map(whole).collect())
    }

    /// Adds to changes that are remembered who made them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn name_changes(
        &self,
        connection: &str,
        changes: &[KeyChangeView],
    ) -> Result<(), StoreError> {
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for change in changes.iter().filter(|change| change.by.is_some()) {
            let (nameless, _) = packed(&KeyChangeView { by: None, ..change.clone() })?;
            let (record, sum) = packed(change)?;
            step.execute(
                "UPDATE key_change SET record = ?3, sum = ?4 WHERE connection = ?1 AND record = ?2",
                params![connection, nameless, record, sum],
            )?;
        }
        Ok(step.commit()?)
    }

    /// Keeps the text of a good policy, for a start at which its file is broken.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_policy(&self, path: &str, policy: &str) -> Result<(), StoreError> {
        let mut open = self.lock();
        let step = open.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (name, value) in [(POLICY_PATH, path), (POLICY_TEXT, policy)] {
            step.execute(
                "INSERT INTO about (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = ?2",
                [name, value],
            )?;
        }
        Ok(step.commit()?)
    }

    /// The path and text of the last good policy.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn good_policy(&self) -> Result<Option<(String, String)>, StoreError> {
        let open = self.lock();
        let read = |name: &str| -> Result<Option<String>, StoreError> {
            Ok(open
                .query_row("SELECT value FROM about WHERE name = ?1", [name], |row| row.get(0))
                .optional()?)
        };
        Ok(read(POLICY_PATH)?.zip(read(POLICY_TEXT)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::changes::ChangeKind;

    fn change(n: i64) -> KeyChangeView {
        KeyChangeView {
            kind: ChangeKind::Made,
            uid: format!("k{n}"),
            name: format!("key {n}"),
            owner: "Sam".into(),
            detail: String::new(),
            by: None,
            at: n,
            after: n - 1,
        }
    }

    #[test]
    fn changes_are_there_after_a_restart_newest_first_and_not_for_ever() {
        let home = tempfile::tempdir().unwrap();
        {
            let (store, _) = Store::open(home.path()).unwrap();
            store.put_changes("c1", &[change(1), change(2)], 0).unwrap();
            store.put_changes("c2", &[change(9)], 0).unwrap();
        }
        let (store, _) = Store::open(home.path()).unwrap();
        assert_eq!(store.changes("c1").unwrap(), [change(2), change(1)]);
        let numbered = store.numbered_changes("c1").unwrap();
        assert!(numbered[0].0 > numbered[1].0 && numbered[0].1 == change(2), "{numbered:?}");
        store.put_changes("c1", &[change(3)], 2).unwrap();
        assert_eq!(store.changes("c1").unwrap(), [change(3), change(2)]);
        let many: Vec<_> = (10..10 + KEPT as i64 + 5).map(change).collect();
        store.put_changes("c1", &many, 0).unwrap();
        assert_eq!(
            store.changes("c1").unwrap().len(),
            many.len(),
            "none of those that came at once"
        );
        store.put_changes("c1", &[change(5)], 0).unwrap();
        assert_eq!(store.changes("c1").unwrap().len(), KEPT);
        assert_eq!(store.changes("c2").unwrap().len(), 1, "the other connection's stay");
        let named = KeyChangeView { by: Some("Ana".into()), ..change(9) };
        store.name_changes("c2", std::slice::from_ref(&named)).unwrap();
        assert_eq!(store.changes("c2").unwrap(), [named]);
    }

    #[test]
    fn what_was_accepted_is_replaced_and_taken_back() {
        let store = Store::open_in_memory().unwrap();
        let row = |reason: &str| Accepted {
            rule: Rule::NeverEnds,
            uid: "k1".into(),
            name: "ci".into(),
            facts: "f".into(),
            reason: reason.into(),
            at: 1,
            until: 2,
        };
        store.accept("c1", &[row("first")]).unwrap();
        store.accept("c1", &[row("second")]).unwrap();
        assert_eq!(store.accepted("c1").unwrap(), [row("second")]);
        assert_eq!(store.accepted("c2").unwrap(), []);
        store.take_back("c1", Rule::OwnerGone, &["k1".into()]).unwrap();
        assert_eq!(store.accepted("c1").unwrap().len(), 1, "another rule's");
        store.take_back("c1", Rule::NeverEnds, &["k1".into()]).unwrap();
        assert_eq!(store.accepted("c1").unwrap(), []);
    }
}
