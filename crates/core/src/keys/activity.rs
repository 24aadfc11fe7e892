//! Activity: what this app did, as the journal has it.

use super::{ApiKey, KeyUid};
use crate::{Failure, palette_keys::Connections, ports::Ports};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ts_rs::TS;

/// Longest name or description of a change that is shown, in characters; the rest is in the journal.
const LONGEST_TEXT: usize = 400;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// A connection was made.
    Connect,
    /// A person signed in again.
    SignIn,
    /// A connection was removed from this app.
    RemoveConnection,
    /// The way to a connection's host (authority, proxy) was changed.
    EditConnection,
    /// A key was made.
    Create,
    /// A key's name, description or expiry was changed.
    Edit,
    /// A key's end was moved.
    Renew,
    /// A key was taken out of service.
    Revoke,
    /// A revoked key was put back into service.
    Reactivate,
    /// A key was deleted for ever.
    Delete,
    /// A value was copied.
    Copy,
    /// A value was shown.
    Reveal,
    /// A value was put into the keychain.
    SaveToKeychain,
    /// A value was written to a file.
    SaveToFile,
    /// A report was written to a file. It holds no value.
    ExportReport,
    /// Somebody decided to live with a finding of the review.
    Accept,
    /// That decision was taken back.
    TakeBack,
    /// A value that somebody found was tried on a server.
    TryFound,
    /// A key was rolled: another was made to take its place.
    Roll,
    /// A key took the place of another.
    Replace,
    /// The new value of a roll was tried on the server.
    RollProve,
    /// A connection signs in with another key.
    RollSwap,
    /// The end of a key that was rolled was moved.
    RollEnd,
    /// A roll was cancelled: the new key is revoked, the old one goes on.
    RollCancel,
}

impl Act {
    /// The acts on a key whose effect another act takes back.
    pub const REVERSIBLE: [Self; 4] = [Self::Edit, Self::Renew, Self::Revoke, Self::Reactivate];

    /// The acts that change a key on the server in one call, and that have no record of their own
    /// beside the journal.
    pub(crate) const CHANGES: [Self; 5] =
        [Self::Edit, Self::Renew, Self::Reactivate, Self::RollEnd, Self::RollCancel];

    /// Whether another act takes its effect back.
    pub fn is_reversible(self) -> bool {
        Self::REVERSIBLE.contains(&self)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ActState {
    /// Written down before it was sent; no outcome is known (the app ended in between).
    Asked,
    /// It was done, and where a server is concerned, confirmed by it.
    Done,
    /// It was not done.
    Failed,
    /// It was begun, and taken back before it was over.
    Cancelled,
    /// Sent, but what the server did is not known.
    Unknown,
}

/// One line of the time line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ActivityView {
    /// Later lines have higher ones.
    #[ts(type = "number")]
    pub id: i64,
    /// Milliseconds since 1970 UTC.
    #[ts(type = "number")]
    pub at: i64,
    /// Id of the connection, which may be gone.
    pub connection: String,
    /// Its name at that time.
    pub connection_name: String,
    /// What was done.
    pub act: Act,
    /// How it ended.
    pub state: ActState,
    /// The key it was done to.
    pub key_uid: Option<String>,
    /// Its name at that time.
    pub key_name: Option<String>,
    /// Its owner's name at that time.
    pub owner_name: Option<String>,
    /// What was sent or answered, in words: "Sent: revoke. Read back: revoked.".
    pub detail: String,
    /// What it changed, where the journal knows the key before and after.
    pub changes: Vec<FieldChange>,
    /// True for a confirmed change that still stands as this act left it and can be taken back.
    pub can_undo: bool,
    /// The line that this one takes back; none: it is no undo.
    #[ts(type = "number | null")]
    pub undoes: Option<i64>,
}

/// One field of a key, before and after. Times are milliseconds since 1970 UTC, none: never.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "field", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FieldChange {
    /// The name.
    Name {
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// The description.
    Description {
        /// Before.
        before: String,
        /// After.
        after: String,
    },
    /// The end.
    Expires {
        /// Before.
        #[ts(type = "number | null")]
        before: Option<i64>,
        /// After.
        #[ts(type = "number | null")]
        after: Option<i64>,
    },
    /// In service (true) or revoked.
    Active {
        /// Before.
        before: bool,
        /// After.
        after: bool,
    },
}

/// A field of a key that an act of this app can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Field {
    Name,
    Description,
    Expires,
    Active,
}

impl Field {
    pub(crate) const ALL: [Self; 4] = [Self::Name, Self::Description, Self::Expires, Self::Active];

    /// Whether two keys are the same in it. Times count in ms, as Palette writes them.
    pub(crate) fn is_same(self, a: &ApiKey, b: &ApiKey) -> bool {
        let ms = |key: &ApiKey| key.expires.map(Timestamp::as_millisecond);
        match self {
            Self::Name => a.name == b.name,
            Self::Description => a.description == b.description,
            Self::Expires => ms(a) == ms(b),
            Self::Active => a.active == b.active,
        }
    }

    /// How it is in two keys.
    pub(crate) fn change(self, before: &ApiKey, after: &ApiKey) -> FieldChange {
        let ms = |key: &ApiKey| key.expires.map(Timestamp::as_millisecond);
        match self {
            Self::Name => FieldChange::Name { before: cut(&before.name), after: cut(&after.name) },
            Self::Description => FieldChange::Description {
                before: cut(&before.description),
                after: cut(&after.description),
            },
            Self::Expires => FieldChange::Expires { before: ms(before), after: ms(after) },
            Self::Active => FieldChange::Active { before: before.active, after: after.active },
        }
    }
}

/// The fields in which two keys differ, in the order shown.
pub(crate) fn fields_changed(before: &ApiKey, after: &ApiKey) -> Vec<Field> {
    Field::ALL.into_iter().filter(|field| !field.is_same(before, after)).collect()
}

/// A window marks characters that do not show; here a text is only kept from being endless.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Read the time line.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ActivityRequest {
    /// None: all connections.
    pub connection: Option<String>,
    /// Only lines older than this id; none: from the newest.
    #[ts(type = "number | null")]
    pub before: Option<i64>,
    /// 1 to 200.
    pub limit: u32,
    /// Which lines; the default leaves none out.
    #[serde(default)]
    pub filter: ActivityFilter,
}

/// Which lines of the time line are wanted. What is empty or none leaves nothing out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct ActivityFilter {
    /// Words that each stand somewhere in the key's name or uid, its owner, the connection's name or
    /// the detail; ASCII letters in either case.
    pub text: String,
    /// These acts.
    pub acts: Vec<Act>,
    /// These outcomes.
    pub states: Vec<ActState>,
    /// Asked at this time or later, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub from: Option<i64>,
    /// Asked before this time, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub until: Option<i64>,
}

/// The time line, newest first. Only what can still be undone is offered to be: the connection is
/// there, and as far as its list is known, so is the key, as the act left it.
pub(crate) fn activity(
    ports: &Ports,
    connections: &Connections,
    request: &ActivityRequest,
) -> Result<Vec<ActivityView>, Failure> {
    let mut lines = ports.store.activity(request).map_err(|error| error.failure())?;
    only_what_can_be_undone(ports, connections, &mut lines);
    Ok(lines)
}

/// Takes the undo off lines whose connection is gone, or whose key is gone or, as far as the list
/// shows, not as the act left it.
pub(crate) fn only_what_can_be_undone(
    ports: &Ports,
    connections: &Connections,
    lines: &mut [ActivityView],
) {
    for line in lines.iter_mut().filter(|line| line.can_undo) {
        let uid = line.key_uid.as_deref().and_then(KeyUid::new);
        line.can_undo = match (connections.find(&line.connection), uid) {
            (Some(live), Some(uid)) => match live.known(ports) {
                Some(list) => {
                    let state = line.act.leaves_active();
                    let fits = |key: &&ApiKey| state.is_none_or(|active| key.active == active);
                    list.keys.iter().find(|key| key.uid == uid).is_some_and(|key| fits(&key))
                }
                None => true,
            },
            _ => false,
        };
    }
}

impl Act {
    /// The state in which it leaves a key; none: it does not touch it.
    fn leaves_active(self) -> Option<bool> {
        match self {
            Self::Revoke => Some(false),
            Self::Reactivate => Some(true),
            _ => None,
        }
    }
}

/// The newest act on a connection that can be taken back and is not itself an undo; none when there
/// is none among the newest lines that changed a key.
pub(crate) fn last_reversible(
    ports: &Ports,
    connections: &Connections,
    connection: &str,
) -> Result<Option<ActivityView>, Failure> {
    let filter = ActivityFilter {
        acts: Act::REVERSIBLE.to_vec(),
        states: vec![ActState::Done],
        ..ActivityFilter::default()
    };
    let request = ActivityRequest {
        connection: Some(connection.to_owned()),
        before: None,
        limit: 200,
        filter,
    };
    let mut lines = ports.store.activity(&request).map_err(|error| error.failure())?;
    only_what_can_be_undone(ports, connections, &mut lines);
    let undone: HashMap<i64, Option<i64>> =
        lines.iter().map(|line| (line.id, line.undoes)).collect();
    // An undo of an undo is the act itself again.
    let is_undo = |line: &ActivityView| {
        let chain = std::iter::successors(line.undoes, |of| undone.get(of).copied().flatten());
        // Each names an older line; a damaged file may not.
        chain.take(64).count() % 2 == 1
    };
    Ok(lines.iter().find(|line| line.can_undo && !is_undo(line)).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;

    #[test]
    fn a_change_names_each_field_that_differs() {
        let before = key("k1", "jane");
        let after = ApiKey { name: "x".repeat(5_000), active: false, ..before.clone() };
        let fields = fields_changed(&before, &after);
        assert_eq!(fields, [Field::Name, Field::Active]);
        let FieldChange::Name { before: was, after: is } = Field::Name.change(&before, &after)
        else {
            panic!("another field")
        };
        assert_eq!((was.as_str(), is.chars().count()), ("key k1", LONGEST_TEXT + 1));
        assert_eq!(fields_changed(&before, &before), []);
        let finer = before
            .expires
            .and_then(|end| end.checked_add(jiff::SignedDuration::from_micros(300)).ok());
        let finer = ApiKey { expires: finer, ..before.clone() };
        assert_eq!(fields_changed(&before, &finer), [], "less than Palette writes");
    }
}
