//! What changed between two refreshes, by someone else than this app: what it did itself is in the
//! remembered list before the next one comes.
//!
//! The remembered list is on disk, so this works across restarts. By whom is told where the audit
//! log may be read (fact sheet §5): one read of it for one refresh that brought changes.

use super::findings::keys_word;
use crate::{
    api::AuditEntry,
    keys::{ApiKey, KeyUid},
    notices::words::{key_name, plain},
    shown::visible,
    store::CachedList,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ts_rs::TS;

/// Changes that are remembered, newest first; more, where more came at once.
pub const KEPT: usize = 200;
/// Changes older than this are forgotten.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Longest name of a person, in characters.
const LONGEST_NAME: usize = 80;

/// What happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is new.
    Made,
    /// It works again after a revocation.
    Reactivated,
    /// Its end moved to later.
    Extended,
    /// It had an end and has none now.
    MadeNeverEnding,
    /// It is not there any more.
    Removed,
}

/// A change, on disk and for the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyChangeView {
    /// What happened.
    pub kind: ChangeKind,
    /// uid of the key.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its owner's name; may be empty.
    pub owner: String,
    /// "ends 12 March 2027 instead of 3 December"; empty: nothing to add.
    pub detail: String,
    /// Who did it, by the audit log; none: not known.
    pub by: Option<String>,
    /// When it was noticed, ms since 1970 UTC by this computer's clock.
    #[ts(type = "number")]
    pub at: i64,
    /// When the list before was read: it happened after that.
    #[ts(type = "number")]
    pub after: i64,
}

/// The differences that matter, in the order of the fresh list. Nothing where the two lists are
/// not of the same person with the same sight: then what is new was only unseen. A key that could
/// not be understood in one of them is neither gone nor new.
pub fn changes(
    before: &CachedList,
    now: &CachedList,
    at: Timestamp,
    date: impl Fn(Timestamp) -> String,
) -> Vec<KeyChangeView> {
    let identity = &now.identity;
    if before.identity.user_uid != identity.user_uid || before.identity.sees != identity.sees {
        return Vec::new();
    }
    let old: HashMap<&KeyUid, &ApiKey> = before.keys.iter().map(|key| (&key.uid, key)).collect();
    let mut found = Vec::new();
    let mut add = |key: &ApiKey, kind, detail: String| {
        found.push(view(key, kind, detail, at, before.as_of));
    };
    // By the server's clock, as the times of keys are.
    let offset = SignedDuration::from_millis(before.clock_offset_ms);
    let read_at = before.as_of.checked_add(offset).unwrap_or(before.as_of);
    let is_new = |key: &ApiKey| before.skipped == 0 || key.created.is_some_and(|at| at > read_at);
    for key in &now.keys {
        let Some(was) = old.get(&key.uid) else {
            if is_new(key) {
                add(key, ChangeKind::Made, ends(key, &date));
            }
            continue;
        };
        for (kind, detail) in differences(was, key, &date) {
            add(key, kind, detail);
        }
    }
    if now.skipped > 0 {
        return found;
    }
    let there: std::collections::HashSet<&KeyUid> = now.keys.iter().map(|key| &key.uid).collect();
    for key in before.keys.iter().filter(|key| !there.contains(&key.uid)) {
        add(key, ChangeKind::Removed, String::new());
    }
    found
}

/// What somebody did to one key that was read by itself, not with a list. None: it is gone.
pub fn of_key(
    was: &ApiKey,
    now: Option<&ApiKey>,
    at: Timestamp,
    after: Timestamp,
    date: impl Fn(Timestamp) -> String,
) -> Vec<KeyChangeView> {
    let Some(key) = now else {
        return vec![view(was, ChangeKind::Removed, String::new(), at, after)];
    };
    let found = differences(was, key, &date).into_iter();
    found.map(|(kind, detail)| view(key, kind, detail, at, after)).collect()
}

fn view(
    key: &ApiKey,
    kind: ChangeKind,
    detail: String,
    at: Timestamp,
    after: Timestamp,
) -> KeyChangeView {
    KeyChangeView {
        kind,
        uid: key.uid.as_str().to_owned(),
        name: key.name.clone(),
        owner: key.owner_name.clone(),
        detail,
        by: None,
        at: at.as_millisecond(),
        after: after.as_millisecond(),
    }
}

fn ends(key: &ApiKey, date: impl Fn(Timestamp) -> String) -> String {
    key.expires.map_or_else(|| "never ends".to_owned(), |at| format!("ends {}", date(at)))
}

fn differences(
    was: &ApiKey,
    key: &ApiKey,
    date: &impl Fn(Timestamp) -> String,
) -> Vec<(ChangeKind, String)> {
    let mut found = Vec::new();
    if key.active && !was.active {
        found.push((ChangeKind::Reactivated, ends(key, date)));
    }
    match (was.expires, key.expires) {
        (Some(_), None) => found.push((ChangeKind::MadeNeverEnding, String::new())),
        (Some(then), Some(now)) if now > then => {
            let detail = format!("ends {} instead of {}", date(now), date(then));
            found.push((ChangeKind::Extended, detail));
        }
        _ => {}
    }
    found
}

/// Adds who did it, by the entries of the log that fit: of that key, since the list before, and of that
/// kind of act. The log does not say which change an update made, so where several people changed the
/// key, or a part of the log is missing (not `whole`), it stays nameless, as what no entry fits; nobody
/// is guessed.
pub(crate) fn named(
    changed: Vec<KeyChangeView>,
    log: &[AuditEntry],
    whole: bool,
) -> Vec<KeyChangeView> {
    let fits = |change: &KeyChangeView, entry: &AuditEntry| {
        let same = entry.key_uid.as_ref().is_some_and(|uid| uid.as_str() == change.uid);
        let action = entry.action.to_ascii_lowercase();
        same && !entry.actor.trim().is_empty()
            && match change.kind {
                ChangeKind::Made => action == "create",
                ChangeKind::Removed => action == "delete",
                _ => whole && action != "create" && action != "delete",
            }
    };
    changed
        .into_iter()
        .map(|change| {
            let mut actors =
                log.iter().filter(|entry| fits(&change, entry)).map(|e| e.actor.trim());
            let first = actors.next();
            let by = first.filter(|first| actors.all(|other| other == *first));
            let by = by.map(|actor| visible(actor, LONGEST_NAME));
            KeyChangeView { by, ..change }
        })
        .collect()
}

/// One notice for all changes: "3 keys changed in acme".
pub(crate) fn notice(connection: &str, found: &[&KeyChangeView]) -> Option<(String, String)> {
    if found.is_empty() {
        return None;
    }
    let words = |change: &KeyChangeView| {
        let did = match change.kind {
            ChangeKind::Made => "was made",
            ChangeKind::Reactivated => "was re-activated",
            ChangeKind::Extended => "ends later now",
            ChangeKind::MadeNeverEnding => "never ends now",
            ChangeKind::Removed => "is gone",
        };
        let by = change.by.as_deref().map(|by| format!(" (by {by})")).unwrap_or_default();
        format!("{} {did}{by}.", key_name(&change.name, &change.uid))
    };
    let connection = plain(connection);
    let title = match found.len() {
        1 => format!("A key changed in {connection}"),
        all => format!("{} changed in {connection}", keys_word(all)),
    };
    let mut body: Vec<String> = found.iter().take(3).map(|change| words(change)).collect();
    if found.len() > 3 {
        body.push(format!("{} more are in Review.", found.len() - 3));
    }
    Some((title, body.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::Sees,
        keys::tests::{identity, key},
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn list(keys: Vec<ApiKey>) -> CachedList {
        CachedList {
            as_of: at("2026-11-25T10:00:00Z"),
            keys,
            skipped: 0,
            people: None,
            people_as_of: None,
            roles: None,
            identity: identity("jane"),
            quota: None,
            clock_offset_ms: 0,
        }
    }

    /// Before, after, and what is told of it.
    type Case = (Vec<ApiKey>, Vec<ApiKey>, Vec<(ChangeKind, &'static str)>);

    fn diff(before: Vec<ApiKey>, after: Vec<ApiKey>) -> Vec<(ChangeKind, String)> {
        let day = |at: Timestamp| at.strftime("%-d %b %Y").to_string();
        let found = changes(&list(before), &list(after), at("2026-11-25T12:00:00Z"), day);
        found.into_iter().map(|change| (change.kind, change.detail)).collect()
    }

    #[test]
    fn each_change_is_told_and_others_are_not() {
        let base = || key("k1", "sam");
        let later = |when: &str| ApiKey { expires: Some(at(when)), ..base() };
        let never = || ApiKey { expires: None, ..base() };
        let revoked = || ApiKey { active: false, ..base() };
        let table: Vec<Case> = vec![
            (vec![base()], vec![base()], vec![]),
            (vec![], vec![base()], vec![(ChangeKind::Made, "ends 1 Jun 2027")]),
            (vec![], vec![never()], vec![(ChangeKind::Made, "never ends")]),
            (vec![base()], vec![], vec![(ChangeKind::Removed, "")]),
            (vec![revoked()], vec![base()], vec![(ChangeKind::Reactivated, "ends 1 Jun 2027")]),
            (vec![base()], vec![revoked()], vec![]),
            (vec![base()], vec![never()], vec![(ChangeKind::MadeNeverEnding, "")]),
            (vec![never()], vec![base()], vec![]),
            (
                vec![base()],
                vec![later("2027-08-01T00:00:00Z")],
                vec![(ChangeKind::Extended, "ends 1 Aug 2027 instead of 1 Jun 2027")],
            ),
            (vec![base()], vec![later("2027-01-01T00:00:00Z")], vec![]),
            (
                vec![ApiKey { active: false, ..base() }],
                vec![later("2027-08-01T00:00:00Z")],
                vec![
                    (ChangeKind::Reactivated, "ends 1 Aug 2027"),
                    (ChangeKind::Extended, "ends 1 Aug 2027 instead of 1 Jun 2027"),
                ],
            ),
        ];
        for (before, after, expected) in table {
            let expected: Vec<_> =
                expected.into_iter().map(|(kind, detail)| (kind, detail.to_owned())).collect();
            assert_eq!(diff(before, after), expected);
        }
    }

    #[test]
    fn who_did_it_is_who_alone_can_have_and_is_never_guessed() {
        let day = |at: Timestamp| at.to_string();
        let never = ApiKey { expires: None, ..key("k2", "sam") };
        let before = list(vec![key("k2", "sam"), key("k3", "sam")]);
        let now = at("2026-11-25T12:00:00Z");
        let found = changes(&before, &list(vec![key("k1", "sam"), never]), now, day);
        let entry = |uid: &str, action: &str, actor: &str, minute: i64| AuditEntry {
            uid: String::new(),
            at: now.checked_add(SignedDuration::from_mins(minute)).unwrap(),
            action: action.into(),
            message: String::new(),
            note: String::new(),
            actor: actor.into(),
            key_uid: KeyUid::new(uid),
            key_name: String::new(),
        };
        let log = [
            entry("k1", "create", "Ana Ruiz", -9),
            entry("k1", "update", "Tom Lee", -1),
            entry("k2", "update", "Tom\u{202e} Lee ", -8),
            entry("k2", "Update", "Tom\u{202e} Lee", -5),
            entry("k2", "create", "Kim Ito", -2),
            entry("k3", "delete", "  ", -2),
        ];
        let by = |log: &[AuditEntry], whole| -> Vec<_> {
            let named = named(found.clone(), log, whole).into_iter();
            named.map(|change| (change.kind, change.by)).collect()
        };
        let ana = || (ChangeKind::Made, Some("Ana Ruiz".to_owned()));
        let tom = Some("Tom⟨U+202E⟩ Lee".to_owned());
        let removed = (ChangeKind::Removed, None);
        let never = |by| (ChangeKind::MadeNeverEnding, by);
        assert_eq!(by(&log, true), [ana(), never(tom), removed.clone()]);
        assert_eq!(
            by(&log, false),
            [ana(), never(None), removed.clone()],
            "somebody may be missing"
        );
        let more = [&log[..], &[entry("k2", "update", "Kim Ito", -3)]].concat();
        assert_eq!(by(&more, true), [ana(), never(None), removed], "either of two");
    }

    #[test]
    fn another_sight_is_no_change() {
        let day = |at: Timestamp| at.to_string();
        let now = at("2026-11-25T12:00:00Z");
        let seen_by = |identity| CachedList { identity, ..list(vec![key("k1", "sam")]) };
        let mut other = identity("jane");
        other.sees = Sees::OwnKeys;
        assert!(changes(&list(vec![]), &seen_by(other), now, day).is_empty());
        assert!(changes(&list(vec![]), &seen_by(identity("sam")), now, day).is_empty());
    }

    #[test]
    fn what_could_not_be_understood_is_neither_gone_nor_new() {
        let day = |at: Timestamp| at.to_string();
        let now = at("2026-11-25T12:00:00Z");
        let made = |uid: &str, when: &str| ApiKey { created: Some(at(when)), ..key(uid, "sam") };
        let (old, new) = (made("old", "2026-11-25T09:00:00Z"), made("new", "2026-11-25T11:00:00Z"));
        let partly = |keys| CachedList { skipped: 1, ..list(keys) };
        let told = |before: &CachedList, after: &CachedList| {
            let found = changes(before, after, now, day);
            found.into_iter().map(|change| (change.kind, change.uid)).collect::<Vec<_>>()
        };
        assert_eq!(told(&list(vec![old.clone()]), &partly(vec![])), []);
        assert_eq!(told(&partly(vec![]), &list(vec![old.clone()])), []);
        // One that was made since is new all the same.
        let both = partly(vec![old.clone(), new]);
        assert_eq!(told(&partly(vec![old]), &both), [(ChangeKind::Made, "new".to_owned())]);
    }

    #[test]
    fn one_notice_tells_three_and_counts_the_rest() {
        let day = |at: Timestamp| at.to_string();
        let keys: Vec<ApiKey> = (0..5).map(|n| key(&format!("k{n}"), "sam")).collect();
        let mut found = changes(&list(vec![]), &list(keys), at("2026-11-25T12:00:00Z"), day);
        found[0].by = Some("Ana Ruiz".into());
        let all: Vec<&KeyChangeView> = found.iter().collect();
        let (title, body) = notice("acme", &all).unwrap();
        assert_eq!(title, "5 keys changed in acme");
        assert!(body.starts_with("key k0 was made (by Ana Ruiz). key k1 was made."), "{body}");
        assert!(body.ends_with("2 more are in Review."), "{body}");
        assert!(notice("acme", &[]).is_none());
        assert_eq!(notice("acme", &all[..1]).unwrap().0, "A key changed in acme");

        // As every other notice says them.
        found[0].name = "pro\u{202e}d\n".into();
        found[1].name = " ".into();
        let all: Vec<&KeyChangeView> = found.iter().take(2).collect();
        let (title, body) = notice("ac\u{200b}me\n", &all).unwrap();
        assert_eq!(title, "2 keys changed in ac⟨U+200B⟩me");
        assert_eq!(body, "pro⟨U+202E⟩d was made (by Ana Ruiz). a key …k1 was made.");
    }
}
