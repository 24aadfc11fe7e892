//! The outbox: revocations and deletions that a person confirmed, until the server has confirmed
//! them too.
//!
//! A record is on disk before the first byte is sent, and leaves only when a fresh read says that
//! the key is revoked or gone, or when a person gives it up knowing that the key may still work
//! (trust.md 5.1). If the disk refuses, the act is sent all the same and shown as not recorded.

mod answer;
mod engine;
mod send;

pub(crate) use engine::{Added, Outbox, Tried};

use crate::Failure;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The `op_id` of what this app does by itself begins so: nobody asked for it, and nobody waits to
/// hear that it was done.
pub(crate) const BY_ITSELF: &str = "by-itself-";

/// What a record asks of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum OutboxAction {
    /// Take the key out of service.
    Revoke,
    /// Delete the key for ever.
    Delete,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum OutboxState {
    /// It waits for its turn, is on its way, or will be sent again.
    Waiting,
    /// The server took it; a fresh read has not shown it yet.
    Accepted,
    /// Only a person can help it on: the credential, the permission, the host. It is tried again
    /// all the same, every quarter of an hour and when something changes.
    Blocked,
}

/// One record in the eyes of window and tray.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxItemView {
    /// Names the record.
    pub record: String,
    /// Id of the connection.
    pub connection: String,
    /// Its name.
    pub connection_name: String,
    /// uid of the key.
    pub key_uid: String,
    /// Its name when it was asked for; may be empty.
    pub key_name: String,
    /// Its owner's name; may be empty.
    pub owner_name: String,
    /// What is asked.
    pub action: OutboxAction,
    /// When a person confirmed it, ms since 1970 UTC.
    #[ts(type = "number")]
    pub asked_at: i64,
    /// How often it was sent.
    pub attempts: u32,
    /// Where it stands.
    pub state: OutboxState,
    /// What the last try met, in words; none before the first answer.
    pub problem: Option<Failure>,
    /// When it was last tried, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub last_tried_at: Option<i64>,
    /// When it is tried next, ms since 1970 UTC; none while it is on its way or another process
    /// sends.
    #[ts(type = "number | null")]
    pub next_try_at: Option<i64>,
    /// False: the disk refused the record, so it lives only as long as the app is open.
    pub recorded: bool,
    /// The app asked for it by itself. The window is not told.
    #[serde(skip)]
    #[ts(skip)]
    pub by_itself: bool,
}

/// A record on disk that cannot be read. It is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DamagedRecordView {
    /// Names the record.
    pub record: String,
    /// What is known of it, in words.
    pub words: String,
}

/// Everything that waits for the server, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxView {
    /// The records.
    pub items: Vec<OutboxItemView>,
    /// Records that cannot be read.
    pub damaged: Vec<DamagedRecordView>,
    /// True: another process of this app sends them.
    pub sent_elsewhere: bool,
}

/// How a record left the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OutboxEnd {
    /// A fresh read says revoked or gone.
    Confirmed {
        /// When the server refused the revoked value itself, ms since 1970; none: not held.
        #[ts(type = "number | null")]
        refused_at: Option<i64>,
    },
    /// A person gave it up, or withdrew it by re-activating the key.
    GivenUp,
}

/// A record that left the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxEndView {
    /// The record as it was last.
    pub item: OutboxItemView,
    /// How it left.
    pub end: OutboxEnd,
    /// The key as it was read back; none: it is gone, or not read.
    pub key: Option<crate::keys::KeyView>,
}

/// Revoke or delete several keys: all are written down at once, then sent at the allowed speed.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxAddRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// What is asked.
    pub action: OutboxAction,
    /// uids of the keys.
    pub uids: Vec<String>,
}

/// Try a record now.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxRetryRequest {
    /// None: all of them.
    pub record: Option<String>,
}

/// Take records out of the outbox although the server has not confirmed them.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OutboxGiveUpRequest {
    /// Made once for each thing a person does.
    pub op_id: String,
    /// The records. What a person saw and meant: never "all".
    pub records: Vec<String>,
    /// True: only those that were never sent (a bulk act is stopped); nothing is journalled as
    /// "may still work" for them.
    pub unsent_only: bool,
}
