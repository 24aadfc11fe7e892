//! Keys that end: at which moments their owner is told, and the weekly digest for admins.

use super::{
    CHANGES, DIGEST, Notice, ROLLED, SEEN, ms_between,
    words::{DAY, counted, key_name, listed, moment, plain, span},
};
use crate::{
    connection::Sees,
    keys::{ApiKey, KeyUid, Lens, OwnerState, created_of, owner_state_of},
    settings::Settings,
    store::{RollRecord, ToldRow},
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
    /// Keys of this app's own sign-in, which it replaces, lets end and deletes by itself: what
    /// nobody asked for is not told.
    pub(crate) own_affair: &'a HashSet<KeyUid>,
    pub(crate) settings: &'a Settings,
    pub(crate) zone: &'a TimeZone,
}

/// What was told, by what it was about.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<(String, String, i64, i64), i64>);

impl Told {
    pub(crate) fn extend(&mut self, rows: impl IntoIterator<Item = ToldRow>) {
        for row in rows {
            let at = self.0.entry((row.connection, row.uid, row.ends_at, row.days));
            let at = at.or_insert(row.at);
            // Of several that are on their way the highest number counts.
            *at = if row.days == CHANGES { row.at.max(*at) } else { row.at };
        }
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
            .filter(move |key| me == Some(&key.owner_uid) && !self.own_affair.contains(&key.uid))
            .filter_map(|key| Some((key, key.expires?)))
    }

    /// The roll that is to replace this key, as long as it is not over.
    fn roll(&self, key: &ApiKey) -> Option<&RollRecord> {
        self.lens.rolls.iter().find(|roll| roll.old.uid == key.uid)
    }

    fn fate(&self, key: &ApiKey, ends_at: i64, told: &Told) -> Fate {
        match self.roll(key) {
            Some(roll) if roll.is_in_place() => Fate::Replaced,
            Some(_) => Fate::Unfinished,
            None => match told.at(self.connection, key.uid.as_str(), ends_at, ROLLED) {
                Some(_) => Fate::Replaced,
                None => Fate::Alone,
            },
        }
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
        let moved_by = look.roll(key).filter(|roll| roll.old.expires != key.expires);
        let at = if moved_by.is_some() || told.knew_another_end(look.connection, uid, ends_at) {
            let or_else = moved_by.map_or(now, |roll| roll.asked_at);
            let changed = key.modified.filter(|modified| *modified <= now).unwrap_or(or_else);
            changed.as_millisecond().max(made)
        } else {
            made
        };
        Some(ToldRow { at, ..look.row(uid, ends_at, SEEN) })
    });
    new.collect()
}

/// What the end of a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Nothing takes its place.
    Alone,
    /// It was rolled: another key is in its place, and it is meant to end.
    Replaced,
    /// It is being rolled, and that is held up.
    Unfinished,
}

/// One key that is to be told about.
struct Ending<'a> {
    key: &'a ApiKey,
    ends: Timestamp,
    fate: Fate,
    row: ToldRow,
}

impl Ending<'_> {
    fn is_over(&self) -> bool {
        self.row.days == 0
    }
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
            let fate = look.fate(key, ends_at, told);
            news.then(|| Ending { key, ends, fate, row: look.row(uid, ends_at, days) })
        })
        .collect();
    // What has ended comes first.
    ending.sort_by_key(|one| (!one.is_over(), one.ends));
    if ending.len() <= MOST {
        return ending.into_iter().map(|one| notice(look, vec![one])).collect();
    }
    let mut groups: BTreeMap<(bool, Fate), Vec<Ending<'_>>> = BTreeMap::new();
    for one in ending {
        groups.entry((!one.is_over(), one.fate)).or_default().push(one);
    }
    groups.into_values().map(|group| notice(look, group)).collect()
}

/// One notice for keys of one fate that all have ended, or all will.
fn notice(look: &Look<'_>, ending: Vec<Ending<'_>>) -> Notice {
    let Some(first) = ending.first() else { return Notice::new("", "") };
    let (over, fate) = (first.is_over(), first.fate);
    let (title, body) = match &*ending {
        [one] => alone(look, one),
        _ => {
            let (many, names) = (counted(ending.len(), "key"), names(look, &ending));
            let last = ending.iter().map(|one| ms_between(look.lens.now, one.ends)).max();
            let within = span(last.unwrap_or_default());
            match (over, fate) {
                (true, Fate::Alone) => (
                    "API keys have ended",
                    format!(
                        "{many} have ended: {names}. Renew those in Palette Keys that something \
                         still needs."
                    ),
                ),
                (true, Fate::Replaced) => (
                    "rolled API keys have ended",
                    format!(
                        "{many} have ended as their rolls wanted: {names}. What stopped working \
                         needs the new values."
                    ),
                ),
                (true, Fate::Unfinished) => (
                    "API keys have ended",
                    format!(
                        "{many} have ended, and their rolls are not finished: {names}. See to them \
                         in Palette Keys."
                    ),
                ),
                (false, Fate::Alone) => (
                    "API keys end soon",
                    format!(
                        "{many} end within {within}: {names}. Renew or roll them in Palette Keys."
                    ),
                ),
                (false, Fate::Replaced) => (
                    "rolled API keys end soon",
                    format!(
                        "{many} that were rolled end within {within}: {names}. Give their new \
                         values to what still uses the old ones."
                    ),
                ),
                (false, Fate::Unfinished) => (
                    "API keys end soon",
                    format!(
                        "{many} end within {within}, and their rolls are not finished: {names}. \
                         See to them in Palette Keys."
                    ),
                ),
            }
        }
    };
    told_by(look, title, body, ending)
}

fn alone(look: &Look<'_>, one: &Ending<'_>) -> (&'static str, String) {
    let (name, moment) = (name(one.key), look.moment(one.ends));
    let left = span(ms_between(look.lens.now, one.ends));
    let new = look.roll(one.key).map(|roll| match &roll.new_uid {
        Some(uid) => key_name(&roll.new_name, uid.as_str()),
        None => plain(&roll.new_name),
    });
    let new = new.as_deref().unwrap_or("another key");
    match (one.is_over(), one.fate) {
        (true, Fate::Alone) => (
            "an API key has ended",
            format!(
                "{name} has ended ({moment}). Renew it in Palette Keys if something still needs it."
            ),
        ),
        (true, Fate::Replaced) => (
            "a rolled API key has ended",
            format!(
                "{name} has ended ({moment}) as its roll wanted. What stopped working needs the new \
                 value."
            ),
        ),
        (true, Fate::Unfinished) => (
            "an API key has ended",
            format!(
                "{name} has ended ({moment}), and its roll to {new} is not finished. See to it in \
                 Palette Keys."
            ),
        ),
        (false, Fate::Alone) => (
            "an API key ends soon",
            format!("{name} ends in {left} ({moment}). Renew or roll it in Palette Keys."),
        ),
        (false, Fate::Replaced) => (
            "a rolled API key ends soon",
            format!(
                "{name} ends in {left} ({moment}), and {new} takes its place. Give the new value to \
                 what still uses the old one."
            ),
        ),
        (false, Fate::Unfinished) => (
            "an API key ends soon",
            format!(
                "{name} ends in {left} ({moment}), and its roll to {new} is not finished. See to it \
                 in Palette Keys."
            ),
        ),
    }
}

fn told_by(look: &Look<'_>, title: &str, body: String, ending: Vec<Ending<'_>>) -> Notice {
    let rows = ending.into_iter().map(|one| one.row).collect();
    Notice::new(look.title(title), body + &look.age()).telling(rows)
}

fn name(key: &ApiKey) -> String {
    key_name(&key.name, key.uid.as_str())
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
        // What was rolled is meant to end.
        .filter(|key| !look.roll(key).is_some_and(RollRecord::is_in_place))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        connection::IdentityView,
        keys::tests::{identity, key, person, roll},
        store::RollStep,
    };
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Tue 12 Jan 2027, 18:00 in Berlin.
    const END: &str = "2027-01-12T17:00:00Z";
    const HOUR: i64 = 3_600_000;

    struct Scene {
        keys: Vec<ApiKey>,
        me: IdentityView,
        people: Option<Vec<crate::api::Person>>,
        revoking: Vec<&'static str>,
        own_affair: Vec<&'static str>,
        rolls: Vec<RollRecord>,
        settings: Settings,
        told: Vec<ToldRow>,
        as_of: Option<Timestamp>,
    }

    impl Scene {
        fn of(keys: Vec<ApiKey>) -> Self {
            Self {
                keys,
                me: identity("jane"),
                people: None,
                revoking: Vec::new(),
                own_affair: Vec::new(),
                rolls: Vec::new(),
                settings: Settings::default(),
                told: Vec::new(),
                as_of: None,
            }
        }

        fn look<T>(&self, now: Timestamp, see: impl FnOnce(&Look<'_>, &Told) -> T) -> T {
            let (stored, revoking) = (HashSet::new(), self.revoking.iter().copied().collect());
            let people = self.people.as_ref();
            let lens = Lens {
                now,
                lead_days: self.settings.lead_days,
                identity: Some(&self.me),
                people: people
                    .map(|all| all.iter().map(|one| (&*one.uid, one)).collect::<HashMap<_, _>>()),
                people_as_of: None,
                stored: &stored,
                revoking: &HashSet::new(),
                signing_uid: None,
                rolls: &self.rolls,
            };
            let own_affair = self.own_affair.iter().filter_map(|uid| KeyUid::new(uid)).collect();
            let mut told = Told::default();
            told.extend(self.told.clone());
            let look = Look {
                connection: "c1",
                connection_name: "acme",
                keys: &self.keys,
                as_of: self.as_of.unwrap_or(now),
                local_now: now,
                lens: &lens,
                revoking: &revoking,
                own_affair: &own_affair,
                settings: &self.settings,
                zone: &TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap(),
            };
            see(&look, &told)
        }

        /// What is due, without showing it.
        fn due(&mut self, now: Timestamp) -> Vec<Notice> {
            self.told.extend(self.look(now, first_seen));
            self.look(now, due)
        }

        /// What is due, shown.
        fn tell(&mut self, now: Timestamp) -> Vec<String> {
            let notices = self.due(now);
            self.told.extend(notices.iter().flat_map(|notice| notice.tells.clone()));
            notices.into_iter().map(|notice| notice.body).collect()
        }
    }

    fn end() -> Timestamp {
        END.parse().unwrap()
    }

    fn before(ms: i64) -> Timestamp {
        end().checked_sub(SignedDuration::from_millis(ms)).unwrap()
    }

    /// Ends at [`END`], after a life of so many days.
    fn named(uid: &str, name: &str, life_days: i64) -> ApiKey {
        ApiKey {
            name: name.into(),
            created: Some(before(life_days * DAY)),
            expires: Some(end()),
            ..key(uid, "jane")
        }
    }

    #[test]
    fn the_words_are_the_ones_of_the_product() {
        let mut scene = Scene::of(vec![named("k1", "ci-prod", 365)]);
        let notices = scene.due(before(7 * DAY));
        assert_eq!(notices[0].title, "acme: an API key ends soon");
        assert_eq!(
            notices[0].body,
            "ci-prod ends in 7 days (Tue 12 Jan, 18:00). Renew or roll it in Palette Keys."
        );
        assert_eq!(
            Scene::of(vec![named("k1", "ci-prod", 365)]).tell(end()),
            ["ci-prod has ended (Tue 12 Jan, 18:00). Renew it in Palette Keys if something still \
              needs it."]
        );
    }

    #[test]
    fn each_threshold_is_told_once_and_at_the_right_moment() {
        let mut scene = Scene::of(vec![named("k1", "ci", 365)]);
        let mut told = Vec::new();
        // Every hour of the last forty days and the first day after.
        for hour in (-24..=40 * 24).rev() {
            for body in scene.tell(before(hour * HOUR)) {
                told.push((hour, body.split(" (").next().unwrap().to_owned()));
            }
        }
        let expected = [
            (30 * 24, "ci ends in 30 days"),
            (14 * 24, "ci ends in 14 days"),
            (7 * 24, "ci ends in 7 days"),
            (3 * 24, "ci ends in 3 days"),
            (24, "ci ends in 1 day"),
            (0, "ci has ended"),
        ];
        assert_eq!(told, expected.map(|(hour, words)| (hour, words.to_owned())));
    }

    #[test]
    fn thresholds_depend_on_life_time_left_and_what_was_told() {
        /// Why, days of life, ms left, what was told, what is told now.
        type Case<'a> = (&'a str, i64, i64, &'a [i64], Option<&'a str>);
        let table: [Case<'_>; 19] = [
            ("just outside", 365, 30 * DAY + 1, &[], None),
            ("just inside", 365, 30 * DAY, &[], Some("in 30 days")),
            ("after an absence: the tightest", 365, 5 * DAY + 1, &[], Some("in 6 days")),
            ("after an absence, wider told", 365, 5 * DAY + 1, &[30, 14], Some("in 6 days")),
            ("told", 365, 6 * DAY, &[7], None),
            ("a tighter one was told", 365, 6 * DAY, &[3], None),
            ("the end was told", 365, -1, &[0], None),
            ("ended", 365, 0, &[1], Some("has ended")),
            ("ended long ago", 365, -LATEST_DAYS * DAY, &[], None),
            ("ended during a holiday", 365, 1 - LATEST_DAYS * DAY, &[], Some("has ended")),
            ("a new 30-day key", 30, 30 * DAY, &[], None),
            ("a 30-day key at 14", 30, 14 * DAY, &[], Some("in 14 days")),
            ("a new 7-day key", 7, 7 * DAY, &[], None),
            ("a 7-day key at 5", 7, 5 * DAY, &[], None),
            ("a 7-day key at 3", 7, 3 * DAY, &[], Some("in 3 days")),
            ("a 1-day key", 1, DAY / 2, &[], None),
            ("a 1-day key at its end", 1, 0, &[], Some("has ended")),
            ("one hour", 365, HOUR, &[], Some("in 1 hour")),
            ("one minute", 365, 59_000, &[3], Some("in 1 minute")),
        ];
        for (why, life, left, told, expected) in table {
            let mut scene = Scene::of(vec![named("k1", "ci", life)]);
            let row = |days: &i64| ToldRow {
                connection: "c1".into(),
                uid: "k1".into(),
                ends_at: end().as_millisecond(),
                days: *days,
                at: 0,
            };
            scene.told = told.iter().map(row).collect();
            let bodies = scene.tell(before(left));
            match expected {
                None => assert_eq!(bodies, Vec::<String>::new(), "{why}"),
                Some(words) => {
                    assert_eq!(bodies.len(), 1, "{why}");
                    assert!(bodies[0].contains(words), "{why}: {bodies:?}");
                }
            }
            assert_eq!(scene.tell(before(left)), Vec::<String>::new(), "{why}: once");
        }
    }

    #[test]
    fn only_own_keys_in_service_are_told() {
        let ending = || named("k1", "ci", 365);
        type Change = fn(&mut ApiKey);
        let table: [(&str, Change, bool); 6] = [
            ("own", |_| {}, true),
            ("revoked", |key| key.active = false, false),
            ("of somebody else", |key| key.owner_uid = "sam".into(), false),
            ("of nobody", |key| key.owner_uid = String::new(), false),
            ("being deleted", |key| key.deleted = key.created, false),
            ("never ending", |key| key.expires = None, false),
        ];
        for (why, change, expected) in table {
            let mut one = ending();
            change(&mut one);
            let mut scene = Scene::of(vec![one]);
            assert_eq!(!scene.tell(before(DAY)).is_empty(), expected, "{why}");
        }
        let mut scene = Scene::of(vec![ending()]);
        scene.revoking = vec!["k1"];
        assert!(scene.tell(before(DAY)).is_empty(), "a revocation is under way");
        let mut scene = Scene::of(vec![ApiKey { owner_uid: String::new(), ..ending() }]);
        scene.me.user_uid = String::new();
        assert!(scene.tell(before(DAY)).is_empty(), "nobody knows who the caller is");
    }

    #[test]
    fn a_renewed_key_starts_again_and_says_nothing_at_once() {
        let mut scene = Scene::of(vec![named("k1", "ci", 365)]);
        assert_eq!(scene.tell(before(3 * DAY)).len(), 1);
        let now = before(3 * DAY - HOUR);
        let renewed = now.checked_add(SignedDuration::from_hours(30 * 24)).unwrap();
        scene.keys[0].expires = Some(renewed);
        scene.keys[0].modified = Some(now);
        assert_eq!(scene.tell(now), Vec::<String>::new(), "not: ends in 30 days");
        let at = |days: i64| renewed.checked_sub(SignedDuration::from_hours(24 * days)).unwrap();
        assert_eq!(scene.tell(at(20)), Vec::<String>::new());
        assert!(scene.tell(at(14))[0].contains("in 14 days"));

        // Renewed elsewhere while this computer was off: its life began with the renewal.
        let mut scene = Scene::of(vec![named("k1", "ci", 365)]);
        scene.tell(before(3 * DAY));
        scene.keys[0].expires = Some(renewed);
        scene.keys[0].modified = Some(now);
        assert!(scene.tell(at(5))[0].contains("in 5 days"));
        // The server does not say when: only what comes after this look is told.
        let mut scene = Scene::of(vec![named("k1", "ci", 365)]);
        scene.tell(before(3 * DAY));
        scene.keys[0].expires = Some(renewed);
        assert_eq!(scene.tell(at(5)), Vec::<String>::new());
        assert!(scene.tell(at(3))[0].contains("in 3 days"));
    }

    #[test]
    fn more_than_three_are_told_as_one() {
        let keys = |count: usize| {
            let one = |n| named(&format!("k{n}"), &format!("ci-{n}"), 365);
            (1..=count).map(one).collect::<Vec<_>>()
        };
        assert_eq!(Scene::of(keys(3)).tell(before(7 * DAY)).len(), 3);
        let mut scene = Scene::of(keys(5));
        let notices = scene.due(before(7 * DAY));
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].title, "acme: API keys end soon");
        assert_eq!(
            notices[0].body,
            "5 keys end within 7 days: ci-1 (Tue 12 Jan, 18:00), ci-2 (Tue 12 Jan, 18:00), ci-3 \
             (Tue 12 Jan, 18:00) and 2 more. Renew or roll them in Palette Keys."
        );
        assert_eq!(notices[0].tells.len(), 5, "each counts as told");
        scene.tell(before(7 * DAY));
        assert_eq!(scene.tell(before(6 * DAY)), Vec::<String>::new());

        let mut mixed = keys(4);
        for ended in &mut mixed[..2] {
            ended.expires = Some(before(8 * DAY));
        }
        let bodies = Scene::of(mixed).tell(before(7 * DAY));
        assert_eq!(bodies.len(), 2);
        assert!(
            bodies[0].starts_with("2 keys have ended: ci-1 (Mon 4 Jan, 18:00) and ci-2"),
            "{bodies:?}"
        );
        assert!(bodies[1].starts_with("2 keys end within 7 days: ci-3"), "{bodies:?}");
    }

    /// `key` is rolled to "NAME-new", and its end was moved to a week after that.
    fn rolled(key: &ApiKey, step: RollStep) -> RollRecord {
        let asked_at = before(7 * DAY);
        RollRecord {
            old: ApiKey { expires: Some(before(-300 * DAY)), ..key.clone() },
            new_name: format!("{}-new", key.name),
            new_uid: KeyUid::new("new"),
            asked_at,
            target: key.expires,
            ..roll(key, step)
        }
    }

    #[test]
    fn a_rolled_key_is_told_in_its_own_words_and_never_to_be_renewed() {
        let old = ApiKey { modified: Some(before(7 * DAY)), ..named("k1", "ci-prod", 365) };
        let mut scene = Scene::of(vec![old.clone()]);
        scene.rolls = vec![rolled(&old, RollStep::Rolling)];
        assert_eq!(scene.tell(before(7 * DAY)), Vec::<String>::new(), "it was rolled just now");
        let notices = scene.due(before(3 * DAY));
        assert_eq!(notices[0].title, "acme: a rolled API key ends soon");
        assert_eq!(
            notices[0].body,
            "ci-prod ends in 3 days (Tue 12 Jan, 18:00), and ci-prod-new takes its place. Give the \
             new value to what still uses the old one."
        );
        let words = "ci-prod has ended (Tue 12 Jan, 18:00) as its roll wanted. What stopped working \
                     needs the new value.";
        assert_eq!(scene.tell(end()), [words]);

        // The list came first, and with it the end of the roll.
        let mut scene = Scene::of(vec![old.clone()]);
        scene.told.push(ToldRow {
            connection: "c1".into(),
            uid: "k1".into(),
            ends_at: end().as_millisecond(),
            days: ROLLED,
            at: 0,
        });
        assert_eq!(scene.tell(end()), [words]);
        // Another end is another matter.
        scene.keys[0].expires = Some(before(-DAY));
        assert!(scene.tell(before(-DAY))[0].contains("Renew it in Palette Keys"));

        let mut scene = Scene::of(vec![old.clone()]);
        scene.rolls = vec![rolled(&old, RollStep::Orphaned)];
        assert_eq!(
            scene.tell(before(DAY)),
            ["ci-prod ends in 1 day (Tue 12 Jan, 18:00), and its roll to ci-prod-new is not \
              finished. See to it in Palette Keys."]
        );
        assert!(scene.tell(end())[0].contains("has ended (Tue 12 Jan, 18:00), and its roll"));
    }

    #[test]
    fn rolled_keys_are_not_counted_among_those_that_are_to_be_renewed() {
        let one = |n| named(&format!("k{n}"), &format!("ci-{n}"), 365);
        let mut scene = Scene::of((1..=5).map(one).collect());
        scene.rolls = (0..2).map(|n| rolled(&scene.keys[n], RollStep::Rolling)).collect();
        scene.rolls.push(rolled(&scene.keys[2], RollStep::Lost));
        let bodies = scene.tell(before(3 * DAY));
        assert_eq!(bodies.len(), 3, "{bodies:?}");
        assert!(bodies[0].starts_with("2 keys end within 3 days: ci-4 ("), "{bodies:?}");
        assert!(bodies[1].starts_with("2 keys that were rolled end within 3 days: ci-1 ("));
        assert!(!bodies[1].contains("Renew"), "{bodies:?}");
        assert!(bodies[2].starts_with("ci-3 ends in 3 days"), "{bodies:?}");
        assert!(bodies[2].ends_with("is not finished. See to it in Palette Keys."), "{bodies:?}");
        let bodies = scene.tell(end());
        assert!(bodies[1].starts_with("2 keys have ended as their rolls wanted: ci-1 ("));

        let mut others = Scene::of(vec![ApiKey { expires: Some(end()), ..key("k", "sam") }]);
        assert!(others.look(before(5 * DAY), digest).is_some());
        others.rolls = vec![rolled(&others.keys[0], RollStep::Rolling)];
        assert_eq!(others.look(before(5 * DAY), digest), None, "it is meant to end");
    }

    #[test]
    fn keys_of_the_apps_own_sign_in_are_not_told() {
        let mut scene = Scene::of(vec![named("k1", "palette-keys on heron", 30)]);
        scene.own_affair = vec!["k1"];
        for left in [7 * DAY, DAY, 0] {
            assert_eq!(scene.tell(before(left)), Vec::<String>::new());
        }
    }

    #[test]
    fn an_old_list_says_so_and_names_are_made_plain() {
        let mut scene = Scene::of(vec![named("k1", "a\u{202e}<b>\n", 365)]);
        scene.as_of = Some(before(9 * DAY));
        let notices = scene.due(before(7 * DAY));
        assert_eq!(
            notices[0].body,
            "a⟨U+202E⟩<b> ends in 7 days (Tue 12 Jan, 18:00). Renew or roll it in Palette Keys. \
             The list is as of Sun 3 Jan, 18:00."
        );
    }

    #[test]
    fn the_digest_comes_once_a_week_and_only_to_who_sees_all() {
        let other = |uid: &str, owner: &str| ApiKey { expires: Some(end()), ..key(uid, owner) };
        let mut nightly = other("k2", "sam");
        nightly.name = "nightly".into();
        let keys = vec![
            nightly,
            ApiKey { expires: None, ..key("k3", "left") },
            ApiKey { expires: None, ..key("k4", "kim") },
            other("own", "jane"),
            ApiKey { active: false, ..other("k5", "sam") },
            ApiKey { expires: Some(before(300 * DAY)), ..key("k6", "sam") },
        ];
        let mut scene = Scene::of(keys);
        scene.people = Some(vec![person("sam", Some(true)), person("kim", Some(false))]);
        let now = before(5 * DAY);
        let first = scene.look(now, digest).unwrap();
        assert_eq!(first.title, "acme: the week\u{2019}s look at API keys");
        assert_eq!(
            first.body,
            "Keys of others: 1 ends within 14 days (first nightly, Tue 12 Jan, 18:00), 1 belongs to \
             somebody who is gone, 1 belongs to somebody who may not sign in and 2 never end. Look \
             at them in Palette Keys."
        );
        scene.told.extend(first.tells);
        let told = |scene: &Scene, now| scene.look(now, digest).is_some();
        assert!(!told(&scene, before(5 * DAY - HOUR)));
        assert!(!told(&scene, before(5 * DAY - 7 * DAY + 1)));
        assert!(told(&scene, before(5 * DAY - 7 * DAY)));
        assert!(told(&scene, before(400 * DAY)), "a clock that was set back does not silence it");
        scene.told.clear();
        scene.settings.weekly_digest = false;
        assert!(!told(&scene, now), "switched off");
        scene.settings.weekly_digest = true;
        scene.me.sees = Sees::OwnKeys;
        assert!(!told(&scene, now), "own keys only");
        scene.me.sees = Sees::EveryKey;
        scene.as_of = Some(before(13 * DAY));
        assert!(!told(&scene, now), "the list is too old");
        let quiet = Scene::of(vec![ApiKey { expires: Some(end()), ..key("k", "sam") }]);
        assert!(!told(&quiet, before(15 * DAY)), "nothing to say");
    }

    proptest! {
        /// Whenever the app happens to run: each threshold at most once, never a wider one after a
        /// tighter one, none as wide as the life, and after each look nothing that was reached is
        /// untold.
        #[test]
        fn whenever_it_runs_nothing_is_lost_or_repeated(
            life in 1_i64..400,
            mut looks in prop::collection::vec(-40 * 24_i64..400 * 24, 1..60),
        ) {
            looks.sort_unstable_by(|a, b| b.cmp(a));
            let mut scene = Scene::of(vec![named("k1", "ci", life)]);
            let mut last = i64::MAX;
            for hours in looks.into_iter().filter(|hours| *hours <= life * 24) {
                let notices = scene.due(before(hours * HOUR));
                prop_assert!(notices.len() <= 1);
                for row in notices.iter().flat_map(|notice| &notice.tells) {
                    prop_assert!(row.days < last, "{} after {last}", row.days);
                    prop_assert!(row.days < life || row.days == 0);
                    last = row.days;
                }
                scene.told.extend(notices.into_iter().flat_map(|notice| notice.tells));
                let reached = scene.settings.notice_days.iter().map(|days| i64::from(*days));
                let tightest = reached.filter(|days| hours <= days * 24 && *days < life).min();
                if let Some(days) = tightest.filter(|_| hours > 0) {
                    // Wider than the life was skipped even if it is the tightest that was reached.
                    prop_assert!(last <= days, "{days} days were reached, told was {last}");
                }
                if (1 - LATEST_DAYS * 24..=0).contains(&hours) {
                    prop_assert_eq!(last, 0);
                }
            }
        }
    }
}
