//! The expiry timeline: how many keys end on each day, and how to spread a pile-up.

use super::findings::keys_word;
use crate::keys::{ApiKey, Status, expiry::local_text, status_of};
use jiff::{SignedDuration, Timestamp, Zoned, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Days before today that are shown.
pub const BEFORE: i32 = 30;
/// Days after today that are shown.
pub const AFTER: i32 = 90;
/// A pile-up is spread over so many days.
pub const SPREAD_DAYS: i32 = 14;

/// The last 30 and the next 90 days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TimelineView {
    /// Today, where this computer is: `2027-01-30`.
    pub today: String,
    /// Only days on which something ends, in order.
    pub days: Vec<DayView>,
    /// "9 end on 30 January", the fullest first.
    pub pile_ups: Vec<PileUpView>,
}

/// A day on which keys end. Revoked keys are left out: their end stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct DayView {
    /// Days from today; below 0: past.
    pub offset: i32,
    /// `2027-01-30`
    pub date: String,
    /// "Sat 30 Jan 2027"
    pub label: String,
    /// uids of the keys that end.
    pub keys: Vec<String>,
    /// Of those, ended already.
    pub expired: u32,
    /// Of those, within the lead time.
    pub expiring: u32,
    /// More end on it than the policy calls a pile-up.
    pub pile_up: bool,
}

/// A day on which many keys end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PileUpView {
    /// `2027-01-30`
    pub date: String,
    /// "9 end on 30 January"
    pub words: String,
}

/// Counts the ends of each day, by the calendar of `zone`.
pub fn timeline(
    keys: &[ApiKey],
    now: Timestamp,
    zone: &TimeZone,
    lead_days: u32,
    pile_up: u32,
) -> TimelineView {
    let today = now.to_zoned(zone.clone()).date();
    let mut days: Vec<Option<DayView>> = Vec::new();
    days.resize_with((BEFORE + AFTER + 1) as usize, || None);
    let reach = SignedDuration::from_hours(24 * i64::from(AFTER + 2));
    for key in keys.iter().filter(|key| key.active && key.deleted.is_none()) {
        let Some(ends) = key.expires else { continue };
        // Most keys are settled without a calendar.
        if ends.duration_since(now).abs() > reach {
            continue;
        }
        let date = ends.to_zoned(zone.clone()).date();
        let offset = days_between(today, date);
        let Some(place) = usize::try_from(offset + BEFORE).ok().filter(|at| *at < days.len())
        else {
            continue;
        };
        let day = days[place].get_or_insert_with(|| DayView {
            offset,
            date: date.to_string(),
            label: date.strftime("%a %-d %b %Y").to_string(),
            keys: Vec::new(),
            expired: 0,
            expiring: 0,
            pile_up: false,
        });
        day.keys.push(key.uid.as_str().to_owned());
        match status_of(key, now, lead_days) {
            Status::Expired => day.expired += 1,
            Status::Expiring => day.expiring += 1,
            Status::Active | Status::Revoked => {}
        }
    }
    let mut days: Vec<DayView> = days.into_iter().flatten().collect();
    // What ended already cannot be spread, and is not counted.
    let ahead = |day: &DayView| day.keys.len() - day.expired as usize;
    for day in &mut days {
        day.pile_up = day.offset >= 0 && ahead(day) >= pile_up as usize;
    }
    let mut fullest: Vec<&DayView> = days.iter().filter(|day| day.pile_up).collect();
    fullest.sort_by_key(|day| (std::cmp::Reverse(ahead(day)), day.offset));
    let pile_ups = fullest
        .iter()
        .map(|day| PileUpView {
            date: day.date.clone(),
            words: format!("{} end on {}", ahead(day), short_date(&day.date)),
        })
        .collect();
    TimelineView { today: today.to_string(), pile_ups, days }
}

/// "30 Jan"
fn short_date(date: &str) -> String {
    date.parse::<Date>()
        .map_or_else(|_| date.to_owned(), |date| date.strftime("%-d %b").to_string())
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until((jiff::Unit::Day, to)).map_or(i32::MAX, |span| span.get_days())
}

/// A key whose end is to move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct MoveView {
    /// uid of the key.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Its owner's name; may be empty.
    pub owner: String,
    /// Its end now, ms since 1970 UTC.
    #[ts(type = "number")]
    pub from: i64,
    /// Its new end, ms since 1970 UTC; the same as `from` for the one that stays.
    #[ts(type = "number")]
    pub to: i64,
    /// "Tue 12 Jan 2027, 18:00 CET"
    pub to_words: String,
    /// The local date of the new end, as an expiry choice has it.
    pub date: String,
    /// The local time of the new end.
    pub time: String,
    /// The caller may not change it, a roll has a say in its end, or it signs this app in: it stays.
    pub fixed: bool,
}

/// How a pile-up would be spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SpreadView {
    /// `2027-01-30`
    pub date: String,
    /// In the order of the new ends.
    pub moves: Vec<MoveView>,
    /// What holds it back, in words; empty: nothing.
    pub note: String,
}

/// Whether an end can be moved to another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movable {
    /// It can.
    Yes,
    /// The caller may not change the key.
    NotByCaller,
    /// The key is part of a roll, which says when it ends.
    Rolling,
    /// The key signs this app in: it is rolled, not moved.
    SignsIn,
}

/// Spreads the keys that end on a day over two weeks around it, evenly, each at its own time of
/// day. No end moves to before tomorrow, and none beyond the longest life, counted from now; the
/// window moves or shrinks for that.
pub fn spread(
    keys: &[(&ApiKey, Movable)],
    date: Date,
    now: Timestamp,
    zone: &TimeZone,
    longest_days: Option<u32>,
) -> SpreadView {
    let today = now.to_zoned(zone.clone()).date();
    let ends = |key: &ApiKey| key.expires.map(|at| at.to_zoned(zone.clone()));
    let mut on_day: Vec<(&ApiKey, Zoned, Movable)> = keys
        .iter()
        .filter(|(key, _)| key.active && key.deleted.is_none())
        .filter_map(|(key, movable)| Some((*key, ends(key)?, *movable)))
        .filter(|(_, at, _)| at.date() == date && at.timestamp() > now)
        .collect();
    on_day.sort_by(|a, b| {
        (a.1.timestamp(), &a.0.name, &a.0.uid).cmp(&(b.1.timestamp(), &b.0.name, &b.0.uid))
    });
    let place = days_between(today, date);
    let first_possible = 1;
    // A day less than the policy allows, so that the time of day never reaches over it.
    let last_possible = longest_days
        .and_then(|days| i32::try_from(days).ok())
        .map_or(i32::MAX, |days| (days - 1).max(first_possible));
    let half = SPREAD_DAYS / 2;
    let mut first = place - half;
    let mut last = first + SPREAD_DAYS - 1;
    let mut note = String::new();
    if last > last_possible {
        let over = last - last_possible;
        (first, last) = (first - over, last_possible);
        note = "Some end earlier than you may expect: no end moves beyond the longest life."
            .to_owned();
    }
    if first < first_possible {
        last = (last + first_possible - first).min(last_possible.max(first_possible));
        first = first_possible;
    }
    let count = |wanted| on_day.iter().filter(|(.., movable)| *movable == wanted).count();
    let [movable, fixed, rolling, signs_in] =
        [Movable::Yes, Movable::NotByCaller, Movable::Rolling, Movable::SignsIn].map(count);
    let steps = i64::from(last - first);
    let mut moved = 0_i64;
    let mut moves: Vec<MoveView> = on_day
        .into_iter()
        .map(|(key, at, whether)| {
            let fixed = whether != Movable::Yes;
            let target = if !fixed && movable > 1 {
                let step = i32::try_from(moved * steps / (movable as i64 - 1)).unwrap_or(0);
                moved += 1;
                first + step
            } else {
                place
            };
            let end = on(today, target, &at, zone).unwrap_or_else(|| at.clone());
            // The policy is about the instant, not the day: never a minute beyond it.
            let beyond = longest_days.is_some_and(|days| {
                end.timestamp().duration_since(now)
                    > SignedDuration::from_hours(24 * i64::from(days))
                    && end.timestamp() > at.timestamp()
            });
            let end = if beyond { at.clone() } else { end };
            MoveView {
                uid: key.uid.as_str().to_owned(),
                name: key.name.clone(),
                owner: key.owner_name.clone(),
                from: at.timestamp().as_millisecond(),
                to: end.timestamp().as_millisecond(),
                to_words: local_text(end.timestamp(), zone),
                date: end.date().to_string(),
                time: end.strftime("%H:%M").to_string(),
                fixed,
            }
        })
        .collect();
    moves.sort_by(|a, b| (a.to, &a.name).cmp(&(b.to, &b.name)));
    let stays = |count| if count == 1 { "stays" } else { "stay" };
    let is = |count| if count == 1 { "is" } else { "are" };
    for (count, words) in [
        (fixed, format!("{} may not be changed by you and {}.", keys_word(fixed), stays(fixed))),
        (
            rolling,
            format!("{} {} being rolled and {}.", keys_word(rolling), is(rolling), stays(rolling)),
        ),
        (signs_in, "The key that signs Palette Keys in stays: roll it instead.".to_owned()),
    ] {
        if count > 0 {
            note = if note.is_empty() { words } else { format!("{note} {words}") };
        }
    }
    SpreadView { date: date.to_string(), moves, note }
}

/// The same local time, to the minute, so many days from today.
fn on(today: Date, offset: i32, at: &Zoned, zone: &TimeZone) -> Option<Zoned> {
    let date = today.checked_add(jiff::Span::new().days(offset)).ok()?;
    if date == at.date() {
        return Some(at.clone());
    }
    let time = jiff::civil::time(at.hour(), at.minute(), 0, 0);
    date.to_datetime(time).to_zoned(zone.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;
    use proptest::prelude::*;

    const NOW: &str = "2026-11-25T12:00:00Z";

    fn now() -> Timestamp {
        NOW.parse().unwrap()
    }

    fn ends(uid: &str, at: &str) -> ApiKey {
        ApiKey { expires: Some(at.parse().unwrap()), ..key(uid, "jane") }
    }

    #[test]
    fn ends_are_counted_on_the_day_of_this_zone() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let keys = [
            ends("a", "2026-11-25T13:00:00Z"),
            ends("b", "2026-11-25T23:30:00Z"),
            ends("c", "2026-11-25T11:00:00Z"),
            ends("d", "2026-10-26T12:00:00Z"),
            ends("e", "2026-10-25T12:00:00Z"),
            ends("f", "2027-02-23T12:00:00Z"),
            ends("g", "2027-02-24T12:00:00Z"),
            ApiKey { active: false, ..ends("h", "2026-11-26T12:00:00Z") },
            ApiKey { expires: None, ..key("i", "jane") },
        ];
        let view = timeline(&keys, now(), &berlin, 14, 2);
        let days: Vec<_> = view
            .days
            .iter()
            .map(|day| (day.offset, day.keys.join(""), day.expired, day.expiring, day.pile_up))
            .collect();
        let day = |offset, keys: &str, expired, expiring, pile_up| {
            (offset, keys.to_owned(), expired, expiring, pile_up)
        };
        assert_eq!(
            days,
            [
                day(-30, "d", 1, 0, false),
                // Two end today, but one of them already has.
                day(0, "ac", 1, 1, false),
                // Half past midnight in Berlin.
                day(1, "b", 0, 1, false),
                day(90, "f", 0, 0, false),
            ]
        );
        assert_eq!(view.days[2].label, "Thu 26 Nov 2026");
        assert!(view.pile_ups.is_empty());
    }

    #[test]
    fn pile_ups_are_named_fullest_first() {
        let mut keys = Vec::new();
        for n in 0..9 {
            keys.push(ends(&format!("a{n}"), "2027-01-30T12:00:00Z"));
        }
        for n in 0..5 {
            keys.push(ends(&format!("b{n}"), "2026-12-01T12:00:00Z"));
        }
        for n in 0..9 {
            keys.push(ends(&format!("c{n}"), "2026-11-20T12:00:00Z"));
        }
        let view = timeline(&keys, now(), &TimeZone::UTC, 14, 5);
        let words: Vec<&str> = view.pile_ups.iter().map(|pile| &*pile.words).collect();
        assert_eq!(words, ["9 end on 30 Jan", "5 end on 1 Dec"], "what ended cannot be spread");

        // Six end today, and as many have: fewer are to come than on the first.
        for n in 0..6 {
            keys.push(ends(&format!("d{n}"), "2026-11-25T11:00:00Z"));
            keys.push(ends(&format!("e{n}"), "2026-11-25T13:00:00Z"));
        }
        keys.push(ends("b5", "2026-12-01T12:00:00Z"));
        keys.push(ends("b6", "2026-12-01T12:00:00Z"));
        let view = timeline(&keys, now(), &TimeZone::UTC, 14, 5);
        let words: Vec<&str> = view.pile_ups.iter().map(|pile| &*pile.words).collect();
        assert_eq!(words, ["9 end on 30 Jan", "7 end on 1 Dec", "6 end on 25 Nov"]);
    }

    fn spread_of(keys: &[ApiKey], date: &str, longest: Option<u32>) -> SpreadView {
        let movable = |key: &ApiKey| match &*key.name {
            "fixed" => Movable::NotByCaller,
            "rolling" => Movable::Rolling,
            "signs-in" => Movable::SignsIn,
            _ => Movable::Yes,
        };
        let keys: Vec<(&ApiKey, Movable)> = keys.iter().map(|key| (key, movable(key))).collect();
        spread(&keys, date.parse().unwrap(), now(), &TimeZone::UTC, longest)
    }

    fn pile(count: usize, at: &str) -> Vec<ApiKey> {
        (0..count).map(|n| ends(&format!("k{n:03}"), at)).collect()
    }

    #[test]
    fn a_pile_is_spread_over_the_two_weeks_around_its_day() {
        let view = spread_of(&pile(8, "2027-01-30T15:30:20Z"), "2027-01-30", None);
        let dates: Vec<&str> = view.moves.iter().map(|each| &*each.date).collect();
        assert_eq!(
            dates,
            [
                "2027-01-23",
                "2027-01-24",
                "2027-01-26",
                "2027-01-28",
                "2027-01-30",
                "2027-02-01",
                "2027-02-03",
                "2027-02-05"
            ]
        );
        assert!(view.moves.iter().all(|each| each.time == "15:30"), "the time of day stays");
        assert_eq!(view.note, "");
    }

    #[test]
    fn what_may_not_be_changed_stays_and_is_said() {
        let mut keys = pile(3, "2027-01-30T15:30:00Z");
        keys[1].name = "fixed".into();
        let view = spread_of(&keys, "2027-01-30", None);
        let fixed = view.moves.iter().find(|each| each.fixed).unwrap();
        assert_eq!((fixed.from, &*fixed.date), (fixed.to, "2027-01-30"));
        assert_eq!(view.note, "1 key may not be changed by you and stays.");
    }

    #[test]
    fn the_key_that_signs_the_app_in_stays_and_is_said() {
        let mut keys = pile(4, "2027-01-30T15:30:00Z");
        keys[3].name = "signs-in".into();
        let view = spread_of(&keys, "2027-01-30", None);
        let held: Vec<_> = view.moves.iter().filter(|each| each.fixed).collect();
        assert!(matches!(&*held, [one] if one.from == one.to && one.name == "signs-in"));
        assert_eq!(view.note, "The key that signs Palette Keys in stays: roll it instead.");
        let dates: Vec<&str> =
            view.moves.iter().filter(|each| !each.fixed).map(|each| &*each.date).collect();
        assert_eq!(dates, ["2027-01-23", "2027-01-29", "2027-02-05"], "it takes no day of theirs");
    }

    #[test]
    fn what_is_being_rolled_stays_and_is_said() {
        let mut keys = pile(5, "2027-01-30T15:30:00Z");
        for key in &mut keys[1..3] {
            key.name = "rolling".into();
        }
        let view = spread_of(&keys, "2027-01-30", None);
        let held: Vec<_> = view.moves.iter().filter(|each| each.fixed).collect();
        assert_eq!(held.len(), 2);
        assert!(held.iter().all(|each| each.from == each.to && each.name == "rolling"));
        assert_eq!(view.note, "2 keys are being rolled and stay.");
        let dates: Vec<&str> =
            view.moves.iter().filter(|each| !each.fixed).map(|each| &*each.date).collect();
        assert_eq!(dates, ["2027-01-23", "2027-01-29", "2027-02-05"], "the others share the days");
    }

    proptest! {
        #[test]
        fn no_end_moves_past_the_policy_or_into_the_past(
            count in 1_usize..60,
            offset in 0_i64..400,
            hour in 0_i64..24,
            longest in proptest::option::of(1_u32..400),
        ) {
            let day = now().checked_add(SignedDuration::from_hours(24 * offset)).unwrap();
            let at = day.to_zoned(TimeZone::UTC).date().to_zoned(TimeZone::UTC).unwrap().timestamp();
            let at = at.checked_add(SignedDuration::from_hours(hour)).unwrap();
            let keys: Vec<ApiKey> = (0..count)
                .map(|n| ApiKey { expires: Some(at), ..key(&format!("k{n:03}"), "jane") })
                .collect();
            let date = at.to_zoned(TimeZone::UTC).date().to_string();
            let view = spread_of(&keys, &date, longest);
            prop_assert_eq!(view.moves.len(), if at > now() { count } else { 0 });
            for each in &view.moves {
                prop_assert!(each.to > now().as_millisecond());
                if let Some(days) = longest {
                    let limit = now().as_millisecond() + i64::from(days) * 86_400_000;
                    prop_assert!(each.to <= limit || each.to <= each.from, "{:?}", each);
                }
            }
            if let (Some(first), Some(last)) = (view.moves.first(), view.moves.last()) {
                prop_assert!(last.to - first.to <= i64::from(SPREAD_DAYS) * 86_400_000
                    || longest.is_some());
            }
        }
    }
}
