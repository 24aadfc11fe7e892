//! What a person is told while no window is in sight: keys that end, revocations and how they fared.
//!
//! Everything told here is in the app as well, and no act lives only in a notice (product.md 5).
//! What is due is found by pure functions ([`ends`], [`acts`]); [`Teller`] joins them to what is
//! remembered.
//!
//! A notice is written down as told *after* the desktop took it. A crash in between costs one
//! repeat; the other way round it would cost the notice, in silence.

pub mod acts;
pub(crate) mod ends;
pub mod words;

use crate::{
    ErrorCode, Failure, PaletteKeys,
    connection::{
        Sees,
        renewal::{TRIES as RENEWAL_TRIES, own_affair},
    },
    outbox::{OutboxEndView, OutboxView},
    ports::Ports,
    review::changes::{self, KeyChangeView},
    shown::visible,
    store::{ConnectionRecord, ToldRow},
};
use acts::EndedActs;
use ends::{Look, Told};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// `days` of a row that says when this end of a key was first seen, or since when it counts.
pub(crate) const SEEN: i64 = -1;
/// `days` of a row that says: this record was not confirmed in time.
pub(crate) const UNCONFIRMED: i64 = -2;
/// `days` of a row that says: this record needs a person.
pub(crate) const BLOCKED: i64 = -3;
/// `days` of the row that says until when changes by others were told. An
/// earlier version wrote it.
pub(crate) const CHANGES_UNTIL: i64 = -8;
/// `days` of the row that says up to which number changes by others were told: that is its `at`.
pub(crate) const CHANGES: i64 = -12;
/// `days` of the row that says: that this sign-in key could not be renewed was told.
pub(crate) const RENEWAL: i64 = -9;
/// The same with little time left.
pub(crate) const RENEWAL_LATE: i64 = -10;
/// `days` of the row that says: this end is the one a roll gave the key, and that roll is done.
pub(crate) const ROLLED: i64 = -11;
/// `days` of the row of the weekly digest.
pub(crate) const DIGEST: i64 = -7;

/// The longest pause: "Until tomorrow" is what the menu offers, a week is what a person may mean.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What was told about an end is forgotten so long after it. Longer than the longest lead time.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(400 * 24);

/// Longest words of a failure in a notice, in characters.
const LONGEST_PROBLEM: usize = 240;
/// With less than this left it is told again.
const RENEWAL_LATE_AT: i64 = 3 * words::DAY;

/// Something to tell. Plain text: whoever shows it where markup is understood escapes it with
/// [`words::escaped`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A few words.
    pub title: String,
    /// What happened, when, and what to do.
    pub body: String,
    tells: Vec<ToldRow>,
}

impl Notice {
    pub(crate) fn new(title: impl Into<String>, body: impl Into<String>) -> Self {
        Self { title: title.into(), body: body.into(), tells: Vec::new() }
    }

    pub(crate) fn telling(mut self, rows: Vec<ToldRow>) -> Self {
        self.tells = rows;
        self
    }
}

/// Finds what is due, and remembers what was told.
pub struct Teller {
    keys: Weak<PaletteKeys>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    acts: EndedActs,
    /// On their way to the desktop, or shown although the disk refused to remember it.
    told: HashSet<ToldRow>,
    /// Old rows were forgotten in this run.
    tidied: bool,
}

impl Teller {
    /// A teller for the product; it does not keep it alive.
    pub fn new(keys: &Arc<PaletteKeys>) -> Self {
        Self { keys: Arc::downgrade(keys), memory: Mutex::default() }
    }

    /// Something left the outbox. `at` is a clock that only goes forward.
    pub fn ended(&self, end: &OutboxEndView, at: Duration) {
        crate::once::lock(&self.memory).acts.push(end, at);
    }

    /// When something gathered by [`Teller::ended`] is complete, by the same clock.
    pub fn acts_due_at(&self) -> Option<Duration> {
        crate::once::lock(&self.memory).acts.due_at()
    }

    /// What is to be told now. Nothing while notices are switched off or paused: what is then still
    /// true is told afterwards, in its tightest form.
    ///
    /// `at` is the clock of [`Teller::ended`]. `lists` is false as long as no list was asked for in
    /// this run: what the disk remembers of keys may be old. `busy` is true while the person looks
    /// at the window, which says itself how an act ended.
    ///
    /// Say of each with [`Teller::shown`] how it went; until then it is not given out again.
    pub fn due(&self, at: Duration, lists: bool, busy: bool) -> Vec<Notice> {
        let Some(keys) = self.keys.upgrade() else { return Vec::new() };
        let ports = keys.ports();
        let settings = ports.settings();
        if !settings.notices {
            crate::once::lock(&self.memory).acts = EndedActs::default();
            return Vec::new();
        }
        if self.paused_until().is_some() {
            return Vec::new();
        }
        let mut notices = crate::once::lock(&self.memory).acts.take(at);
        if busy {
            notices.clear();
        }
        let outbox = keys.outbox();
        if !outbox.sent_elsewhere {
            let told = self.told_of_records(ports, &outbox);
            let now = ports.now();
            notices.extend(acts::open(&outbox.items, &told, now));
        }
        if lists && !outbox.sent_elsewhere {
            for live in keys.connections().all() {
                notices.extend(self.of_connection(ports, &live, &outbox, &settings));
            }
            self.tidy(ports);
        }
        let mut memory = crate::once::lock(&self.memory);
        memory.told.extend(notices.iter().flat_map(|notice| notice.tells.iter().cloned()));
        notices
    }

    fn told_of_records(&self, ports: &Ports, outbox: &OutboxView) -> Told {
        let connections: HashSet<&str> =
            outbox.items.iter().map(|item| item.connection.as_str()).collect();
        let mut told = Told::default();
        for connection in connections {
            told.extend(ports.store.told(connection).unwrap_or_default());
        }
        told.extend(crate::once::lock(&self.memory).told.iter().cloned());
        told
    }

    fn of_connection(
        &self,
        ports: &Ports,
        live: &crate::connection::live::Live,
        outbox: &OutboxView,
        settings: &crate::settings::Settings,
    ) -> Vec<Notice> {
        let record = live.record();
        // The demo tenant is there to be looked at; its keys stop nobody's pipeline.
        if record.demo {
            return Vec::new();
        }
        let Some(list) = live.known(ports) else { return Vec::new() };
        // Without knowing what was told everything would be told again, every minute.
        let Ok(rows) = ports.store.told(&record.id) else { return Vec::new() };
        let mut told = Told::default();
        told.extend(rows);
        told.extend(crate::once::lock(&self.memory).told.iter().cloned());
        let revoking: HashSet<&str> = outbox
            .items
            .iter()
            .filter(|item| item.connection == record.id)
            .map(|item| item.key_uid.as_str())
            .collect();
        live.look(ports, |lens| {
            let look = Look {
                connection: &record.id,
                connection_name: &record.name,
                keys: &list.keys,
                as_of: list.as_of,
                local_now: ports.now(),
                lens,
                revoking: &revoking,
                own_affair: &own_affair(&record, &list.keys, lens.rolls, lens.now, settings),
                settings,
                zone: &ports.clock.time_zone(),
            };
            let seen = ends::first_seen(&look, &told);
            if ports.store.put_told(&seen).is_err() {
                tracing::warn!("what was seen for the first time could not be remembered");
            }
            told.extend(seen);
            let mut notices = ends::due(&look, &told);
            notices.extend(renewal(&look, &record, &told));
            notices.extend(ends::digest(&look, &told));
            let admin = lens.identity.is_some_and(|me| me.sees == Sees::EveryKey);
            if admin && settings.change_notices {
                notices.extend(changed(ports, &told, &record.id, &record.name));
            }
            notices
        })
    }

    /// Once in each run.
    fn tidy(&self, ports: &Ports) {
        if std::mem::replace(&mut crate::once::lock(&self.memory).tidied, true) {
            return;
        }
        if let Ok(before) = ports.now().checked_sub(REMEMBERED)
            && ports.store.forget_told(before).is_err()
        {
            tracing::warn!("what was told long ago could not be forgotten");
        }
    }

    /// The desktop took a notice, or did not. Only what it took is written down as told.
    pub fn shown(&self, notice: &Notice, taken: bool) {
        let written = taken
            && self
                .keys
                .upgrade()
                .is_some_and(|keys| keys.ports().store.put_told(&notice.tells).is_ok());
        if taken && !written {
            // Told in this run, and once more in the next one.
            tracing::warn!("a notice was shown, but that could not be remembered");
            return;
        }
        let mut memory = crate::once::lock(&self.memory);
        for row in &notice.tells {
            memory.told.remove(row);
        }
    }

    /// Pauses the notices until then, in ms since 1970 UTC; none, or a time that is past, ends the
    /// pause.
    ///
    /// # Errors
    /// [`ErrorCode::SettingInvalid`] for more than a week, or when it cannot be written down.
    pub fn pause(&self, until: Option<i64>) -> Result<(), Failure> {
        let Some(keys) = self.keys.upgrade() else { return Ok(()) };
        let ports = keys.ports();
        let now = ports.now().as_millisecond();
        let until = until.filter(|until| *until > now);
        if until.is_some_and(|until| !is_pause(until, now)) {
            return Err(Failure::new(
                ErrorCode::SettingInvalid,
                "Notices can be paused for a week at most. To have none at all, switch them off in \
                 Settings. Nothing was changed.",
            ));
        }
        ports.store.pause_notices(until).map_err(|error| error.failure())
    }

    /// Until when notices are paused, in ms since 1970 UTC; none: they are not.
    pub fn paused_until(&self) -> Option<i64> {
        let keys = self.keys.upgrade()?;
        let ports = keys.ports();
        let until = ports.store.notices_paused_until().ok().flatten()?;
        is_pause(until, ports.now().as_millisecond()).then_some(until)
    }
}

/// The key that signs this app in could not be renewed, and may end: told well before, while there is
/// time to do something about it.
fn renewal(look: &Look<'_>, record: &ConnectionRecord, told: &Told) -> Option<Notice> {
    let failed = record.sign_in.failed.as_ref().filter(|failed| failed.times >= RENEWAL_TRIES)?;
    let uid = record.signing_key_uid.as_deref()?;
    let key = look.keys.iter().find(|key| key.uid.as_str() == uid)?;
    let expires = key.expires?;
    let left = ms_between(look.lens.now, expires);
    if left <= 0 {
        return None;
    }
    let days = if left <= RENEWAL_LATE_AT { RENEWAL_LATE } else { RENEWAL };
    let ends_at = expires.as_millisecond();
    if told.at(look.connection, uid, ends_at, days).is_some() {
        return None;
    }
    let row = ToldRow {
        connection: look.connection.to_owned(),
        uid: uid.to_owned(),
        ends_at,
        days,
        at: look.local_now.as_millisecond(),
    };
    let title = format!(
        "Palette Keys could not renew its sign-in to {}",
        words::plain(look.connection_name)
    );
    let body = format!(
        "{} ends in {} ({}). {} It is tried again; until then you stay signed in.",
        words::key_name(&key.name, uid),
        words::span(left),
        words::moment(expires, look.lens.now, look.zone),
        visible(&failed.problem.message, LONGEST_PROBLEM),
    );
    Some(Notice::new(title, body).telling(vec![row]))
}

/// What others changed since it was last told. What came before the setting was switched on is a
/// day old at most when it is told.
fn changed(ports: &Ports, told: &Told, connection: &str, name: &str) -> Option<Notice> {
    let found = ports.store.numbered_changes(connection).ok()?;
    let is_new = |number: i64, change: &KeyChangeView| match told.at(connection, "", 0, CHANGES) {
        // By number: a clock that was set back in between would silence what came after.
        Some(last) => number > last,
        None => {
            let day = ports.now().as_millisecond() - 24 * 3_600_000;
            change.at > told.at(connection, "", 0, CHANGES_UNTIL).unwrap_or(day)
        }
    };
    let new: Vec<&(i64, KeyChangeView)> =
        found.iter().filter(|(number, change)| is_new(*number, change)).collect();
    let changes: Vec<&KeyChangeView> = new.iter().map(|(_, change)| change).collect();
    let (title, body) = changes::notice(name, &changes)?;
    let at = new.iter().map(|(number, _)| *number).max()?;
    let row = ToldRow {
        connection: connection.to_owned(),
        uid: String::new(),
        ends_at: 0,
        days: CHANGES,
        at,
    };
    Some(Notice::new(title, body).telling(vec![row]))
}

/// Still to come, and not further away than a pause can be: a clock that was set back must not
/// silence the app for years.
fn is_pause(until: i64, now: i64) -> bool {
    let left = i128::from(until) - i128::from(now);
    (1..=LONGEST_PAUSE.as_millis()).contains(&left)
}

/// Milliseconds from one instant to another.
pub(crate) fn ms_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_millisecond().saturating_sub(from.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        connection::{Colour, ProxyChoice, SignInMethod, signing::RenewalFailed},
        keychain::MemoryKeychain,
        keys::{
            ApiKey,
            tests::{identity, key},
        },
        palette_keys::Parts,
        settings::Settings,
        store::{CachedList, ConnectionRecord, Store},
    };
    use jiff::tz::TimeZone;
    use std::{path::Path, sync::atomic::AtomicI64, sync::atomic::Ordering};

    struct SetClock(AtomicI64);

    impl SetClock {
        fn at(text: &str) -> Arc<Self> {
            let at: Timestamp = text.parse().unwrap();
            Arc::new(Self(AtomicI64::new(at.as_millisecond())))
        }

        fn forward(&self, ms: i64) {
            self.0.fetch_add(ms, Ordering::SeqCst);
        }
    }

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
        }

        fn time_zone(&self) -> TimeZone {
            TimeZone::UTC
        }
    }

    const NOW: &str = "2027-05-28T12:00:00Z";
    const AT: Duration = Duration::from_secs(100);

    /// A remembered connection whose key `k1` ends in 3.5 days.
    fn remembered(home: &Path, clock: &Arc<SetClock>, demo: bool) -> (Arc<PaletteKeys>, Teller) {
        let (store, notices) = Store::open(home).unwrap();
        let record = ConnectionRecord {
            id: "c1".into(),
            name: "acme".into(),
            colour: Colour::Teal,
            origin: "https://palette.example".into(),
            method: SignInMethod::ApiKey,
            email: None,
            organization: None,
            ca_certificate: None,
            proxy: ProxyChoice::None,
            demo,
            in_memory_only: false,
            signing_key_uid: None,
            credential_key: None,
            sign_in: Default::default(),
            position: 0,
        };
        store.put_connection(&record).unwrap();
        let list = CachedList {
            as_of: clock.now(),
            keys: vec![ApiKey { name: "ci".into(), ..key("k1", "jane") }],
            skipped: 0,
            people: None,
            people_as_of: None,
            roles: None,
            identity: identity("jane"),
            quota: None,
            clock_offset_ms: 0,
        };
        store.put_list("c1", &list).unwrap();
        let keys = PaletteKeys::open(Parts {
            store,
            keychain: Arc::new(MemoryKeychain::new()),
            clock: Arc::<SetClock>::clone(clock),
            notices,
            demo: false,
            version: "0".into(),
        });
        let teller = Teller::new(&keys);
        (keys, teller)
    }

    fn bodies(notices: &[Notice]) -> Vec<&str> {
        notices.iter().map(|notice| notice.body.split(" (").next().unwrap()).collect()
    }

    #[test]
    fn a_crash_before_the_desktop_took_it_loses_nothing_and_one_after_it_repeats_it_once() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        {
            let (_keys, teller) = remembered(home.path(), &clock, false);
            assert_eq!(bodies(&teller.due(AT, true, false)), ["ci ends in 4 days"]);
            assert!(teller.due(AT, true, false).is_empty(), "it is on its way");
            // The app dies here: shown or not, nobody wrote it down.
        }
        {
            let (_keys, teller) = remembered(home.path(), &clock, false);
            let again = teller.due(AT, true, false);
            assert_eq!(bodies(&again), ["ci ends in 4 days"]);
            teller.shown(&again[0], false);
            let again = teller.due(AT, true, false);
            assert_eq!(again.len(), 1, "the desktop did not take it");
            teller.shown(&again[0], true);
            assert!(teller.due(AT, true, false).is_empty());
        }
        let (_keys, teller) = remembered(home.path(), &clock, false);
        assert!(teller.due(AT, true, false).is_empty(), "told is told, also after a restart");
        clock.forward(24 * 3_600_000);
        assert_eq!(bodies(&teller.due(AT, true, false)), ["ci ends in 3 days"]);
    }

    #[test]
    fn a_pause_lasts_over_a_restart_and_then_the_tightest_is_told() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let now = clock.now().as_millisecond();
        let day = words::DAY;
        {
            let (_keys, teller) = remembered(home.path(), &clock, false);
            for bad in [now + 7 * day + 1, i64::MAX] {
                let failure = teller.pause(Some(bad)).unwrap_err();
                assert_eq!(failure.code, ErrorCode::SettingInvalid, "{bad}");
            }
            teller.pause(Some(now + 3 * day)).unwrap();
            assert!(teller.due(AT, true, false).is_empty());
        }
        let (_keys, teller) = remembered(home.path(), &clock, false);
        assert_eq!(teller.paused_until(), Some(now + 3 * day));
        clock.forward(day);
        assert!(teller.due(AT, true, false).is_empty(), "3 days were reached in the pause");
        clock.forward(2 * day);
        assert_eq!(teller.paused_until(), None);
        let told = teller.due(AT, true, false);
        assert_eq!(bodies(&told), ["ci ends in 12 hours"], "once, and the tightest");
        teller.shown(&told[0], true);
        teller.pause(Some(now + 4 * day)).unwrap();
        assert_eq!(teller.paused_until(), Some(now + 4 * day));
        clock.forward(-3650 * day);
        assert_eq!(teller.paused_until(), None, "a clock set back by ten years pauses nothing");
        clock.forward(3650 * day);
        teller.pause(None).unwrap();
        assert_eq!(teller.paused_until(), None);
    }

    #[test]
    fn nothing_is_told_when_switched_off_before_the_lists_or_of_the_demo() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let (keys, teller) = remembered(home.path(), &clock, false);
        assert!(teller.due(AT, false, false).is_empty(), "no list was read yet");
        keys.save_settings(Settings { notices: false, ..Settings::default() }).unwrap();
        assert!(teller.due(AT, true, false).is_empty());
        keys.save_settings(Settings::default()).unwrap();
        assert_eq!(teller.due(AT, true, true).len(), 1, "ends are told with the window open too");
        let home = tempfile::tempdir().unwrap();
        let (_keys, teller) = remembered(home.path(), &clock, true);
        assert!(teller.due(AT, true, false).is_empty(), "demo");
    }

    #[test]
    fn changes_by_others_are_told_once_and_only_where_switched_on() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let (keys, teller) = remembered(home.path(), &clock, false);
        let told = teller.due(AT, true, false);
        teller.shown(&told[0], true);
        let change = KeyChangeView {
            kind: changes::ChangeKind::Made,
            uid: "k9".into(),
            name: "new-one".into(),
            owner: "Sam".into(),
            detail: String::new(),
            by: None,
            at: clock.now().as_millisecond() - 1_000,
            after: 0,
        };
        keys.ports().store.put_changes("c1", std::slice::from_ref(&change), 0).unwrap();
        assert!(teller.due(AT, true, false).is_empty(), "off unless switched on");
        keys.save_settings(Settings { change_notices: true, ..Settings::default() }).unwrap();
        let told = teller.due(AT, true, false);
        assert_eq!(bodies(&told), ["new-one was made."]);
        assert_eq!(told[0].title, "A key changed in acme");
        assert!(teller.due(AT, true, false).is_empty(), "given out once");
        teller.shown(&told[0], true);
        assert!(teller.due(AT, true, false).is_empty(), "and told once");

        // A clock that is set back silences nothing, and repeats nothing.
        clock.forward(-words::DAY);
        let next =
            KeyChangeView { name: "next".into(), at: clock.now().as_millisecond(), ..change };
        keys.ports().store.put_changes("c1", std::slice::from_ref(&next), 0).unwrap();
        let told = teller.due(AT, true, false);
        assert_eq!(bodies(&told), ["next was made."]);
        // Another one comes before it is shown: each is told once all the same.
        keys.ports().store.put_changes("c1", &[next], 0).unwrap();
        assert_eq!(bodies(&teller.due(AT, true, false)), ["next was made."]);
        assert!(teller.due(AT, true, false).is_empty());
        assert!(teller.due(AT, true, false).is_empty());
    }

    #[test]
    fn what_an_earlier_version_told_of_changes_is_not_told_again() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let (keys, teller) = remembered(home.path(), &clock, false);
        keys.save_settings(Settings { change_notices: true, ..Settings::default() }).unwrap();
        for notice in teller.due(AT, true, false) {
            teller.shown(&notice, true);
        }
        let now = clock.now().as_millisecond();
        let change = |name: &str, at| KeyChangeView {
            kind: changes::ChangeKind::Made,
            uid: name.into(),
            name: name.into(),
            owner: "Sam".into(),
            detail: String::new(),
            by: None,
            at,
            after: 0,
        };
        let store = &keys.ports().store;
        store.put_changes("c1", &[change("old", now - 2_000), change("new", now)], 0).unwrap();
        let row = ToldRow {
            connection: "c1".into(),
            uid: String::new(),
            ends_at: 0,
            days: CHANGES_UNTIL,
            at: now - 2_000,
        };
        store.put_told(&[row]).unwrap();
        let told = teller.due(AT, true, false);
        assert_eq!(bodies(&told), ["new was made."]);
    }

    #[test]
    fn a_renewal_that_goes_on_failing_is_told_well_before_the_end_and_once_more_near_it() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let (keys, teller) = remembered(home.path(), &clock, false);
        let told = teller.due(AT, true, false);
        teller.shown(&told[0], true);
        let live = keys.connections().get("c1").unwrap();
        let fail = |times: u32| {
            let failed = live.remember(keys.ports(), |record| {
                record.signing_key_uid = Some(key("k1", "jane").uid.as_str().to_owned());
                record.sign_in.failed = Some(RenewalFailed {
                    at: 0,
                    times,
                    problem: Failure::new(ErrorCode::Forbidden, "You may not\n do this."),
                });
            });
            failed.unwrap();
        };
        fail(2);
        assert!(teller.due(AT, true, false).is_empty(), "most trouble is over soon");
        fail(3);
        let told = teller.due(AT, true, false);
        assert_eq!(bodies(&told), ["ci ends in 4 days"]);
        assert_eq!(told[0].title, "Palette Keys could not renew its sign-in to acme");
        assert!(told[0].body.contains("You may not⟨U+000A⟩ do this."), "{}", told[0].body);
        teller.shown(&told[0], true);
        fail(9);
        assert!(teller.due(AT, true, false).is_empty(), "once");
        clock.forward(words::DAY);
        let again = teller.due(AT, true, false);
        // The end itself is told of, too, as of every own key.
        assert_eq!(bodies(&again), ["ci ends in 3 days", "ci ends in 3 days"]);
        for notice in &again {
            teller.shown(notice, true);
        }
        live.remember(keys.ports(), |record| record.sign_in.failed = None).unwrap();
        clock.forward(words::DAY);
        let told = teller.due(AT, true, false);
        assert!(told.iter().all(|notice| !notice.title.contains("renew")), "{told:?}");
    }

    #[test]
    fn a_teller_without_its_product_is_silent() {
        let home = tempfile::tempdir().unwrap();
        let clock = SetClock::at(NOW);
        let (keys, teller) = remembered(home.path(), &clock, false);
        drop(keys);
        assert!(teller.due(AT, true, false).is_empty());
        assert_eq!((teller.paused_until(), teller.pause(Some(1))), (None, Ok(())));
    }
}
