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
    /// What a person gave up is known to them, and what the app did by itself nobody asked for.
    pub(crate) fn push(&mut self, end: &OutboxEndView, at: Duration) {
        if end.item.by_itself || !matches!(end.end, OutboxEnd::Confirmed { .. }) {
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
        .filter(|item| item.state != OutboxState::Blocked && !item.by_itself)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn item(record: &str, name: &str) -> OutboxItemView {
        OutboxItemView {
            record: record.into(),
            connection: "c1".into(),
            connection_name: "acme".into(),
            key_uid: "66e844c44bab2337f20c7471".into(),
            key_name: name.into(),
            owner_name: "Jane Doe".into(),
            action: OutboxAction::Revoke,
            asked_at: 1_000_000,
            attempts: 1,
            state: OutboxState::Waiting,
            problem: None,
            last_tried_at: None,
            next_try_at: None,
            recorded: true,
            by_itself: false,
        }
    }

    fn end(name: &str, action: OutboxAction, end: OutboxEnd) -> OutboxEndView {
        OutboxEndView { item: OutboxItemView { action, ..item("r", name) }, end, key: None }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_000_000 + ms).unwrap()
    }

    fn told_of(notices: &[Notice]) -> Told {
        let mut told = Told::default();
        told.extend(notices.iter().flat_map(|notice| notice.tells.clone()));
        told
    }

    const S: fn(u64) -> Duration = Duration::from_millis;
    const CONFIRMED: OutboxEnd = OutboxEnd::Confirmed { refused_at: None };

    #[test]
    fn acts_that_end_together_are_told_together() {
        let mut acts = EndedActs::default();
        assert_eq!(acts.due_at(), None);
        acts.push(&end("ci-prod", OutboxAction::Revoke, CONFIRMED), S(0));
        assert!(acts.take(S(1499)).is_empty());
        assert_eq!(acts.take(S(1500))[0].body, "Revoked ci-prod.");
        assert!(acts.take(S(9000)).is_empty(), "once");

        for n in 0..3 {
            acts.push(&end("k", OutboxAction::Revoke, CONFIRMED), S(10_000 + n * 1000));
        }
        acts.push(&end("old-ci", OutboxAction::Delete, CONFIRMED), S(12_000));
        acts.push(&end("kept", OutboxAction::Revoke, OutboxEnd::GivenUp), S(13_400));
        assert_eq!(acts.due_at(), Some(S(13_500)), "what was given up is no news");
        let bodies: Vec<_> = acts.take(S(13_500)).into_iter().map(|one| one.body).collect();
        assert_eq!(bodies, ["Revoked 3 keys.", "Deleted old-ci."]);

        for second in 0..100 {
            acts.push(&end("k", OutboxAction::Revoke, CONFIRMED), S(100_000 + second * 1000));
        }
        assert_eq!(acts.due_at(), Some(S(160_000)), "an endless row is told once a minute");
    }

    #[test]
    fn what_the_app_did_by_itself_is_told_only_where_it_needs_a_person() {
        let by_itself =
            || OutboxItemView { by_itself: true, action: OutboxAction::Delete, ..item("r", "k") };
        let mut acts = EndedActs::default();
        acts.push(&OutboxEndView { item: by_itself(), end: CONFIRMED, key: None }, S(0));
        assert_eq!((acts.due_at(), acts.take(S(90_000))), (None, Vec::new()));
        assert!(open(&[by_itself()], &Told::default(), at(400_000)).is_empty());
        let blocked = OutboxItemView { state: OutboxState::Blocked, ..by_itself() };
        assert_eq!(open(&[blocked], &Told::default(), at(0)).len(), 1);
    }

    #[test]
    fn what_is_not_confirmed_is_told_after_thirty_seconds_and_once() {
        let none = Told::default();
        let items = [item("r1", "ci-prod")];
        assert!(open(&items, &none, at(29_999)).is_empty());
        let notices = open(&items, &none, at(30_000));
        assert_eq!(notices[0].title, "Revocation not confirmed");
        assert_eq!(notices[0].body, "Could not confirm the revocation of ci-prod; still trying.");
        assert!(open(&items, &told_of(&notices), at(90_000)).is_empty());
        assert_eq!(open(&items, &none, at(-400_000)).len(), 1, "the clock was set back");

        let queued = OutboxItemView { attempts: 0, ..item("r1", "x") };
        assert!(
            open(std::slice::from_ref(&queued), &none, at(60_000)).is_empty(),
            "it waits for its turn"
        );
        assert_eq!(open(&[queued], &none, at(300_000)).len(), 1);

        let kept =
            OutboxItemView { recorded: false, action: OutboxAction::Delete, ..item("r1", "") };
        assert_eq!(
            open(&[kept], &none, at(30_000))[0].body,
            "Could not confirm the deletion of a key \u{2026}0c7471; still trying. It could not be \
             written down: keep Palette Keys open."
        );
        let many: Vec<_> = (0..5).map(|n| item(&format!("r{n}"), "k")).collect();
        let notices = open(&many, &none, at(30_000));
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].body, "Could not confirm 5 revocations; still trying.");
        assert!(open(&many, &told_of(&notices), at(30_001)).is_empty());
    }

    #[test]
    fn a_blocked_one_says_what_is_needed_at_once() {
        let blocked = |code| OutboxItemView {
            state: OutboxState::Blocked,
            problem: Some(Failure::new(code, "words of the failure")),
            ..item("r1", "ci-prod")
        };
        let table = [
            (ErrorCode::NotSignedIn, "sign in to acme again."),
            (ErrorCode::Unauthorized, "sign in to acme again."),
            (ErrorCode::Forbidden, "your account may not do this at acme. Ask an admin to do it."),
            (ErrorCode::KeychainLocked, "unlock the keychain."),
            (ErrorCode::KeychainWaiting, "answer the prompt of the keychain."),
            (ErrorCode::Internal, "open Palette Keys to see what is needed."),
        ];
        for (code, needed) in table {
            let items = [blocked(code)];
            let notices = open(&items, &Told::default(), at(0));
            assert_eq!(
                notices[0].body,
                format!(
                    "Could not confirm the revocation of ci-prod: {needed} It is tried again by \
                     itself too."
                )
            );
            let told = told_of(&notices);
            assert!(open(&items, &told, at(99_000)).is_empty());
            let waiting = [OutboxItemView { state: OutboxState::Waiting, ..blocked(code) }];
            assert!(open(&waiting, &told, at(99_000)).is_empty(), "not a second time");
        }
    }
}
