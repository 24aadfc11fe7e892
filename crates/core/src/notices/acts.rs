//! How revocations and deletions fared.

use super::{
    BLOCKED, Notice, UNCONFIRMED,
    ends::Told,
    words::{counted, key_name, plain},
};
use crate::{
    ErrorCode, Failure,
    outbox::{OutboxAction, OutboxEnd, OutboxEndView, OutboxItemView, OutboxState},
    store::ToldRow,
};
use jiff::Timestamp;
use std::time::Duration;

/// Acts that end within this time of each other are told together.
const QUIET: Duration = Duration::from_millis(1500);
/// But not later than this after the first of them.
const LONGEST: Duration = Duration::from_secs(60);
/// An act that is not confirmed after this time is told.
const PATIENCE: i64 = 30_000;
/// One that was never sent only waits for its turn, and is told after this time.
const TURN: i64 = 300_000;
/// More notices than these of one kind at one time become one.
const MOST: usize = 3;

/// Confirmed acts, gathered until a row of them is complete.
#[derive(Default)]
pub(crate) struct EndedActs {
    ended: Vec<(OutboxAction, String)>,
    first: Duration,
    last: Duration,
}

impl EndedActs {
    /// What a person gave up is known to them.
    pub(crate) fn push(&mut self, end: &OutboxEndView, at: Duration) {
        if !matches!(end.end, OutboxEnd::Confirmed { .. }) {
            return;
        }
        if self.ended.is_empty() {
            self.first = at;
        }
        self.last = at;
        let name = key_name(&end.item.key_name, &end.item.key_uid);
        self.ended.push((end.item.action, name));
    }

    pub(crate) fn due_at(&self) -> Option<Duration> {
        let complete = (self.last + QUIET).min(self.first + LONGEST);
        (!self.ended.is_empty()).then_some(complete)
    }

    /// "Revoked 3 keys."
    pub(crate) fn take(&mut self, at: Duration) -> Vec<Notice> {
        if self.due_at().is_none_or(|due| at < due) {
            return Vec::new();
        }
        let ended = std::mem::take(&mut self.ended);
        [OutboxAction::Revoke, OutboxAction::Delete]
            .into_iter()
            .filter_map(|action| {
                let names: Vec<&String> = ended
                    .iter()
                    .filter(|(done, _)| *done == action)
                    .map(|(_, name)| name)
                    .collect();
                let (title, verb) = match action {
                    OutboxAction::Revoke => ("Revocation confirmed", "Revoked"),
                    OutboxAction::Delete => ("Deletion confirmed", "Deleted"),
                };
                Some(match &*names {
                    [] => return None,
                    [only] => Notice::new(title, format!("{verb} {only}.")),
                    _ => Notice::new(title, format!("{verb} {}.", counted(names.len(), "key"))),
                })
            })
            .collect()
    }
}

/// What is to be told about records that wait, each once.
pub(crate) fn open(items: &[OutboxItemView], told: &Told, now: Timestamp) -> Vec<Notice> {
    let news = |item: &&OutboxItemView, kind| {
        told.at(&item.connection, &item.record, item.asked_at, kind).is_none()
    };
    // A clock that was set back must not make the app silent.
    let age =
        |item: &OutboxItemView| now.as_millisecond().saturating_sub(item.asked_at).saturating_abs();
    let blocked: Vec<_> = items
        .iter()
        .filter(|item| item.state == OutboxState::Blocked)
        .filter(|item| news(item, BLOCKED))
        .collect();
    let late: Vec<_> = items
        .iter()
        .filter(|item| item.state != OutboxState::Blocked)
        .filter(|item| {
            let tried = item.attempts > 0 || item.problem.is_some();
            age(item) >= if tried { PATIENCE } else { TURN }
        })
        // Who was told that it is blocked knows that it is not confirmed.
        .filter(|item| news(item, UNCONFIRMED) && news(item, BLOCKED))
        .collect();
    let row = |item: &OutboxItemView, days| ToldRow {
        connection: item.connection.clone(),
        uid: item.record.clone(),
        ends_at: item.asked_at,
        days,
        at: now.as_millisecond(),
    };
    let mut notices = Vec::new();
    for (kind, items, words) in [
        (BLOCKED, blocked, blocked_words as fn(&[&OutboxItemView]) -> _),
        (UNCONFIRMED, late, late_words),
    ] {
        let groups: Vec<&[&OutboxItemView]> =
            if items.len() > MOST { vec![&*items] } else { items.chunks(1).collect() };
        for group in groups {
            let rows = group.iter().map(|item| row(item, kind)).collect();
            notices.push(words(group).telling(rows));
        }
    }
    notices
}

fn late_words(items: &[&OutboxItemView]) -> Notice {
    let unkept = if items.iter().any(|item| !item.recorded) {
        " It could not be written down: keep Palette Keys open."
    } else {
        ""
    };
    Notice::new(
        format!("{} not confirmed", capital(&kind_of(items))),
        format!("Could not confirm {}; still trying.{unkept}", acts_on(items)),
    )
}

fn blocked_words(items: &[&OutboxItemView]) -> Notice {
    let first = items.first();
    let connection = first.map(|item| plain(&item.connection_name)).unwrap_or_default();
    let needed = needed(first.and_then(|item| item.problem.as_ref()), &connection);
    Notice::new(
        format!("{} waits for you", capital(&kind_of(items))),
        format!("Could not confirm {}: {needed} It is tried again by itself too.", acts_on(items)),
    )
}

/// What only a person can do, in our words: a server's own words have no place in a notice.
fn needed(problem: Option<&Failure>, connection: &str) -> String {
    let code = problem.map(|problem| problem.code);
    match code {
        Some(
            ErrorCode::NotSignedIn
            | ErrorCode::Unauthorized
            | ErrorCode::CredentialRejected
            | ErrorCode::KeychainItemMissing,
        ) => format!("sign in to {connection} again."),
        Some(ErrorCode::Forbidden) => {
            format!("your account may not do this at {connection}. Ask an admin to do it.")
        }
        Some(ErrorCode::KeychainWaiting) => "answer the prompt of the keychain.".to_owned(),
        Some(ErrorCode::KeychainLocked | ErrorCode::KeychainDismissed) => {
            "unlock the keychain.".to_owned()
        }
        Some(ErrorCode::KeychainAbsent) => "start the keychain of this computer.".to_owned(),
        Some(ErrorCode::ConnectionUnknown) => {
            "its connection was removed; add it again.".to_owned()
        }
        Some(ErrorCode::TlsUntrusted) => {
            format!("the encrypted connection to {connection} is not trusted.")
        }
        _ => "open Palette Keys to see what is needed.".to_owned(),
    }
}

/// "the revocation of ci-prod", "5 revocations".
fn acts_on(items: &[&OutboxItemView]) -> String {
    match items {
        [one] => format!("the {} of {}", kind_of(items), key_name(&one.key_name, &one.key_uid)),
        _ => counted(items.len(), &kind_of(items)),
    }
}

/// "revocation", "deletion", or what covers both.
fn kind_of(items: &[&OutboxItemView]) -> String {
    let all = |action| items.iter().all(|item| item.action == action);
    if all(OutboxAction::Revoke) {
        "revocation"
    } else if all(OutboxAction::Delete) {
        "deletion"
    } else {
        "change"
    }
    .to_owned()
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
