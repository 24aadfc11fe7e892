//! Keys that end: at which moments their owner is told, and the weekly digest for admins.

use super::{
    DIGEST, Notice, SEEN, ms_between,
    words::{DAY, counted, listed, moment, plain, span},
};
use crate::{
    connection::Sees,
    keys::{ApiKey, Lens, OwnerState, created_of, owner_state_of},
    settings::Settings,
    store::ToldRow,
};
use jiff::{Timestamp, tz::TimeZone};
use std::collections::{BTreeMap, HashSet};

/// An end that is further back is not told any more: whoever comes back after so long looks at the
/// list, and a new connection must not begin with a heap of old ends.
const LATEST_DAYS: i64 = 30;
/// More notices than these about one connection at one time become one.
const MOST: usize = 3;
/// A list older than this may be wrong about ends, so the notice says how old it is.
const FRESH: i64 = DAY;
/// The digest comes once in this time.
const WEEK: i64 = 7 * DAY;

/// One connection, looked at for what is due. Pure: no clock, no disk.
pub(crate) struct Look<'a> {
    pub(crate) connection: &'a str,
    pub(crate) connection_name: &'a str,
    pub(crate) keys: &'a [ApiKey],
    /// When the list was read, by this computer's clock.
    pub(crate) as_of: Timestamp,
    /// This computer's time; `lens.now` is the server's, by which keys end.
    pub(crate) local_now: Timestamp,
    pub(crate) lens: &'a Lens<'a>,
    /// Keys whose revocation is confirmed by the person and under way.
    pub(crate) revoking: &'a HashSet<&'a str>,
    pub(crate) settings: &'a Settings,
    pub(crate) zone: &'a TimeZone,
}

/// What was told, by what it was about.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<(String, String, i64, i64), i64>);

impl Told {
    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = ToldRow>) {
        let entry = |row: ToldRow| ((row.connection, row.uid, row.ends_at, row.days), row.at);
        self.0.extend(rows.into_iter().map(entry));
    }

    /// When it was told.
    pub(crate) fn at(&self, connection: &str, uid: &str, ends_at: i64, days: i64) -> Option<i64> {
        self.0.get(&(connection.to_owned(), uid.to_owned(), ends_at, days)).copied()
    }

    /// Told for this end at this threshold, or at a tighter one.
    fn covers(&self, connection: &str, uid: &str, ends_at: i64, days: i64) -> bool {
        let key = |days| (connection.to_owned(), uid.to_owned(), ends_at, days);
        self.0.range(key(0)..=key(days)).next().is_some()
    }

    /// Another end of this key was seen before: it was renewed since.
    fn knew_another_end(&self, connection: &str, uid: &str, ends_at: i64) -> bool {
        let key = |ends_at| (connection.to_owned(), uid.to_owned(), ends_at, i64::MIN);
        self.0
            .range(key(i64::MIN)..)
            .take_while(|((c, u, ..), _)| c == connection && u == uid)
            .any(|((.., known, days), _)| *days == SEEN && *known != ends_at)
    }
}

impl Look<'_> {
    fn row(&self, uid: &str, ends_at: i64, days: i64) -> ToldRow {
        ToldRow {
            connection: self.connection.to_owned(),
            uid: uid.to_owned(),
            ends_at,
            days,
            at: self.local_now.as_millisecond(),
        }
    }

    fn me(&self) -> Option<&str> {
        self.lens.identity.map(|me| &*me.user_uid).filter(|uid| !uid.is_empty())
    }

    /// Keys that work, or worked until they ended.
    fn in_service(&self) -> impl Iterator<Item = &ApiKey> {
        self.keys.iter().filter(|key| {
            key.active && key.deleted.is_none() && !self.revoking.contains(key.uid.as_str())
        })
    }

    fn own(&self) -> impl Iterator<Item = (&ApiKey, Timestamp)> {
        let me = self.me();
        self.in_service()
            .filter(move |key| me == Some(&key.owner_uid))
            .filter_map(|key| Some((key, key.expires?)))
    }

    fn moment(&self, at: Timestamp) -> String {
        moment(at, self.lens.now, self.zone)
    }

    fn title(&self, what: &str) -> String {
        format!("{}: {what}", plain(self.connection_name))
    }

    /// How old the list is, when that matters.
    fn age(&self) -> String {
        if ms_between(self.as_of, self.local_now) <= FRESH {
            return String::new();
        }
        format!(" The list is as of {}.", moment(self.as_of, self.local_now, self.zone))
    }
}

/// Since when the ends that are seen for the first time count. For a key that was renewed it is the
/// renewal: else a renewal by 30 days would be answered with "ends in 30 days".
pub(crate) fn first_seen(look: &Look<'_>, told: &Told) -> Vec<ToldRow> {
    let now = look.lens.now;
    let new = look.own().filter_map(|(key, ends)| {
        let (uid, ends_at) = (key.uid.as_str(), ends.as_millisecond());
        if told.at(look.connection, uid, ends_at, SEEN).is_some() {
            return None;
        }
        let made = created_of(key).map_or(i64::MIN, Timestamp::as_millisecond);
        let at = if told.knew_another_end(look.connection, uid, ends_at) {
            let changed = key.modified.filter(|modified| *modified <= now).unwrap_or(now);
            changed.as_millisecond().max(made)
        } else {
            made
        };
        Some(ToldRow { at, ..look.row(uid, ends_at, SEEN) })
    });
    new.collect()
}

/// One key that is to be told about.
struct Ending<'a> {
    key: &'a ApiKey,
    ends: Timestamp,
    row: ToldRow,
}

/// The threshold that is due: the tightest one that was reached. Wider ones than the key's whole
/// life say nothing.
fn threshold(left: i64, life: i64, notice_days: &[u32]) -> Option<i64> {
    if left <= 0 {
        return (left > -LATEST_DAYS * DAY).then_some(0);
    }
    let reached = notice_days.iter().map(|days| i64::from(*days)).filter(|days| left <= days * DAY);
    reached.min().filter(|days| days * DAY < life)
}

/// Notices about the caller's own keys.
pub(crate) fn due(look: &Look<'_>, told: &Told) -> Vec<Notice> {
    let now = look.lens.now;
    let mut ending: Vec<Ending<'_>> = look
        .own()
        .filter_map(|(key, ends)| {
            let (uid, ends_at) = (key.uid.as_str(), ends.as_millisecond());
            let since = told.at(look.connection, uid, ends_at, SEEN).unwrap_or(i64::MIN);
            let life = ends_at.saturating_sub(since);
            let days = threshold(ms_between(now, ends), life, &look.settings.notice_days)?;
            let news = !told.covers(look.connection, uid, ends_at, days);
            news.then(|| Ending { key, ends, row: look.row(uid, ends_at, days) })
        })
        .collect();
    ending.sort_by_key(|one| one.ends);
    let (ended, coming): (Vec<_>, Vec<_>) = ending.into_iter().partition(|one| one.row.days == 0);
    if ended.len() + coming.len() <= MOST {
        let ended = ended.into_iter().map(|one| grouped_ended(look, vec![one]));
        let coming = coming.into_iter().map(|one| grouped_coming(look, vec![one]));
        return ended.chain(coming).collect();
    }
    let mut notices = Vec::new();
    if !ended.is_empty() {
        notices.push(grouped_ended(look, ended));
    }
    if !coming.is_empty() {
        notices.push(grouped_coming(look, coming));
    }
    notices
}

fn grouped_coming(look: &Look<'_>, ending: Vec<Ending<'_>>) -> Notice {
    let now = look.lens.now;
    let (title, body) = match &*ending {
        [one] => (
            "an API key ends soon",
            format!(
                "{} ends in {} ({}). Renew or roll it in Palette Keys.",
                name(one.key),
                span(ms_between(now, one.ends)),
                look.moment(one.ends)
            ),
        ),
        _ => {
            let last = ending.iter().map(|one| ms_between(now, one.ends)).max().unwrap_or_default();
            (
                "API keys end soon",
                format!(
                    "{} end within {}: {}. Renew or roll them in Palette Keys.",
                    counted(ending.len(), "key"),
                    span(last),
                    names(look, &ending)
                ),
            )
        }
    };
    told_by(look, title, body, ending)
}

fn grouped_ended(look: &Look<'_>, ending: Vec<Ending<'_>>) -> Notice {
    let (title, body) = match &*ending {
        [one] => (
            "an API key has ended",
            format!(
                "{} has ended ({}). Renew it in Palette Keys if something still needs it.",
                name(one.key),
                look.moment(one.ends)
            ),
        ),
        _ => (
            "API keys have ended",
            format!(
                "{} have ended: {}. Renew those in Palette Keys that something still needs.",
                counted(ending.len(), "key"),
                names(look, &ending)
            ),
        ),
    };
    told_by(look, title, body, ending)
}

fn told_by(look: &Look<'_>, title: &str, body: String, ending: Vec<Ending<'_>>) -> Notice {
    let rows = ending.into_iter().map(|one| one.row).collect();
    Notice::new(look.title(title), body + &look.age()).telling(rows)
}

fn name(key: &ApiKey) -> String {
    super::words::key_name(&key.name, key.uid.as_str())
}

fn names(look: &Look<'_>, ending: &[Ending<'_>]) -> String {
    let each = |one: &Ending<'_>| format!("{} ({})", name(one.key), look.moment(one.ends));
    listed(&ending.iter().map(each).collect::<Vec<_>>(), MOST)
}

/// Once a week, for who sees everybody's keys: what of others needs a look.
pub(crate) fn digest(look: &Look<'_>, told: &Told) -> Option<Notice> {
    let (now, me) = (look.lens.now, look.me()?);
    let sees_all = look.lens.identity.is_some_and(|me| me.sees == Sees::EveryKey);
    // What was true a week ago is no digest of this week.
    let old = ms_between(look.as_of, look.local_now) > WEEK;
    let recent = told
        .at(look.connection, "", 0, DIGEST)
        .is_some_and(|at| (look.local_now.as_millisecond().abs_diff(at)) < WEEK.unsigned_abs());
    if !look.settings.weekly_digest || !sees_all || old || recent {
        return None;
    }
    let working: Vec<&ApiKey> = look
        .in_service()
        .filter(|key| key.owner_uid != me && key.expires.is_none_or(|ends| ends > now))
        .collect();
    let lead = i64::from(look.settings.lead_days);
    let mut ending: Vec<(&ApiKey, Timestamp)> = working
        .iter()
        .filter_map(|key| Some((*key, key.expires?)))
        .filter(|(_, ends)| ms_between(now, *ends) <= lead * DAY)
        .collect();
    ending.sort_by_key(|(_, ends)| *ends);
    let owner_is =
        |state| working.iter().filter(|key| owner_state_of(key, look.lens) == state).count();
    let (gone, inactive) = (owner_is(OwnerState::Gone), owner_is(OwnerState::Inactive));
    let never = working.iter().filter(|key| key.expires.is_none()).count();
    let mut parts = Vec::new();
    let verb = |count: usize, one: &str, more: &str| {
        format!("{count} {}", if count == 1 { one } else { more })
    };
    if let Some((first, ends)) = ending.first() {
        parts.push(format!(
            "{} within {} (first {}, {})",
            verb(ending.len(), "ends", "end"),
            counted(lead, "day"),
            name(first),
            look.moment(*ends)
        ));
    }
    if gone > 0 {
        parts.push(verb(gone, "belongs to somebody who is gone", "belong to people who are gone"));
    }
    if inactive > 0 {
        parts.push(verb(
            inactive,
            "belongs to somebody who may not sign in",
            "belong to people who may not sign in",
        ));
    }
    if never > 0 {
        parts.push(verb(never, "never ends", "never end"));
    }
    if parts.is_empty() {
        return None;
    }
    let body = format!(
        "Keys of others: {}. Look at them in Palette Keys.{}",
        listed(&parts, parts.len()),
        look.age()
    );
    let notice = Notice::new(look.title("the week\u{2019}s look at API keys"), body);
    Some(notice.telling(vec![look.row("", 0, DIGEST)]))
}
