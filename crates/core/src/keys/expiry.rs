//! When a key ends: presets and typed dates, resolved in one place.

use crate::{ErrorCode, Failure};
use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Longest life that can be asked for: ten years, leap days included. Our own limit; Palette
/// documents none (fact sheet §3.3 \[UNK\]).
pub const LONGEST_DAYS: u32 = 3_653;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What a person chose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ExpiryChoice {
    /// So many days of 24 hours from now.
    Days {
        /// 1 to [`LONGEST_DAYS`].
        days: u32,
    },
    /// A local date and time: `2027-01-12`, `18:00`.
    At {
        /// `YYYY-MM-DD`.
        date: String,
        /// `HH:MM`.
        time: String,
    },
}

/// Resolve a choice for showing.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ExpiryRequest {
    /// Its server clock counts; none: this computer's.
    pub connection: Option<String>,
    /// What was chosen.
    pub choice: ExpiryChoice,
}

/// A resolved end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ExpiryView {
    /// Milliseconds since 1970 UTC.
    #[ts(type = "number")]
    pub at: i64,
    /// "Tue 12 Jan 2027, 18:00 CET"
    pub local: String,
    /// "17:00 UTC", with the date when that differs: "Mon 11 Jan 2027, 23:30 UTC".
    pub utc: String,
    /// Days of life, rounded up.
    pub days: u32,
}

/// Why a choice is no end for a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpiryError {
    /// No date or no time.
    #[error("Choose a date and a time.")]
    Missing,
    /// Not a date of the calendar, or not a time of day.
    #[error("\u{201c}{0}\u{201d} is not a date and a time like 2027-01-12 18:00.")]
    NotATime(String),
    /// Not after now, by the server's clock.
    #[error("{0} is already past. Choose a time that is still to come.")]
    Past(String),
    /// More than [`LONGEST_DAYS`] days from now.
    #[error("{0} is more than ten years away. Choose an earlier end.")]
    TooFar(String),
    /// A local time that no clock shows, because clocks go forward over it.
    #[error(
        "{skipped} does not exist: clocks go forward then. Choose {last_before} or earlier, or \
         {first_after} or later."
    )]
    Skipped {
        /// What was typed: "Sun 28 Mar 2027, 02:30".
        skipped: String,
        /// The last minute before the change: "01:59 CET".
        last_before: String,
        /// The first minute after it: "03:00 CEST".
        first_after: String,
    },
    /// Longer than the longest life of the settings or the policy.
    #[error(
        "{end} is later than the longest life of {days} days that Settings or the policy allow."
    )]
    BeyondPolicy {
        /// The end that was asked for.
        end: String,
        /// The setting.
        days: u32,
    },
}

impl From<ExpiryError> for Failure {
    fn from(error: ExpiryError) -> Self {
        let code = match error {
            ExpiryError::Missing => ErrorCode::ExpiryMissing,
            ExpiryError::NotATime(_) => ErrorCode::ExpiryNotATime,
            ExpiryError::Past(_) => ErrorCode::ExpiryPast,
            ExpiryError::TooFar(_) => ErrorCode::ExpiryTooFar,
            ExpiryError::Skipped { .. } => ErrorCode::ExpirySkippedByClockChange,
            ExpiryError::BeyondPolicy { .. } => ErrorCode::ExpiryBeyondPolicy,
        };
        Failure::new(code, error.to_string())
    }
}

/// A choice with its instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// When the key ends, in whole milliseconds as Palette writes times (fact sheet §3.2).
    pub at: Timestamp,
    /// The same for showing.
    pub view: ExpiryView,
}

/// Whether a key may end then: not in the past, not ever so late, and not beyond the longest allowed
/// life. `local` is the instant in words.
pub(crate) fn allowed(
    at: Timestamp,
    now: Timestamp,
    local: &str,
    longest_days: Option<u32>,
) -> Result<(), ExpiryError> {
    let local = || local.to_owned();
    if at <= now {
        return Err(ExpiryError::Past(local()));
    }
    let life = at.duration_since(now);
    if life > DAY * i32::try_from(LONGEST_DAYS).unwrap_or(i32::MAX) {
        return Err(ExpiryError::TooFar(local()));
    }
    match longest_days {
        Some(days) if life > DAY * i32::try_from(days).unwrap_or(i32::MAX) => {
            Err(ExpiryError::BeyondPolicy { end: local(), days })
        }
        _ => Ok(()),
    }
}

/// Resolves a choice.
///
/// `now` is the server's time: a preset counts from it and a typed end must lie after it, whatever
/// this computer's clock says. `zone` is the zone in which dates are typed and shown.
/// `longest_days` is the setting "longest allowed life".
pub fn resolve(
    choice: &ExpiryChoice,
    now: Timestamp,
    zone: &TimeZone,
    longest_days: Option<u32>,
) -> Result<Expiry, ExpiryError> {
    let (at, note) = match choice {
        // The milliseconds stay, as in the console (fact sheet §3.2, the sample).
        ExpiryChoice::Days { days } => {
            let text = || format!("{days} days from now");
            let life = DAY.checked_mul(i32::try_from(*days).unwrap_or(i32::MAX));
            let at = life.and_then(|life| now.checked_add(life).ok());
            (at.ok_or_else(|| ExpiryError::TooFar(text()))?, "")
        }
        ExpiryChoice::At { date, time } => typed(date.trim(), time.trim(), zone)?,
    };
    let at = whole_milliseconds(at);
    let local = format!("{}{note}", local_text(at, zone));
    allowed(at, now, &local, longest_days)?;
    let life = at.duration_since(now);
    let view = ExpiryView {
        at: at.as_millisecond(),
        local,
        utc: utc_text(at, zone),
        days: whole_days(life),
    };
    Ok(Expiry { at, view })
}

/// "Tue 12 Jan 2027, 18:00 CET"
pub fn local_text(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %Y, %H:%M %Z").to_string()
}

/// "17:00 UTC", with the date when it is another one than the local.
fn utc_text(at: Timestamp, zone: &TimeZone) -> String {
    let (utc, local) = (at.to_zoned(TimeZone::UTC), at.to_zoned(zone.clone()));
    let format = if utc.date() == local.date() { "%H:%M UTC" } else { "%a %-d %b %Y, %H:%M UTC" };
    utc.strftime(format).to_string()
}

/// Days of 24 hours, rounded up.
fn whole_days(life: SignedDuration) -> u32 {
    let seconds = life.as_secs() + i64::from(life.subsec_nanos() > 0);
    u32::try_from(seconds.max(0).unsigned_abs().div_ceil(86_400)).unwrap_or(u32::MAX)
}

fn whole_milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The instant of a typed local date and time, and what to say about it.
fn typed(
    date: &str,
    time: &str,
    zone: &TimeZone,
) -> Result<(Timestamp, &'static str), ExpiryError> {
    if date.is_empty() || time.is_empty() {
        return Err(ExpiryError::Missing);
    }
    let typed: String = format!("{date} {time}").chars().take(40).collect();
    let not_a_time = || ExpiryError::NotATime(typed.clone());
    let shaped = shaped(date, "0000-00-00") && shaped(time, "00:00");
    let local = shaped
        .then(|| DateTime::strptime("%Y-%m-%d %H:%M", &typed).ok())
        .flatten()
        .ok_or_else(not_a_time)?;
    let ambiguous = zone.to_ambiguous_timestamp(local);
    // The calendar goes a few hours further than instants do, both to the year 9999.
    let instant = |offset: jiff::tz::Offset| {
        offset.to_timestamp(local).map_err(|_| ExpiryError::TooFar(typed.clone()))
    };
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => Ok((instant(offset)?, "")),
        // Clocks go back over it: it comes twice. The earlier one never lets a key live longer
        // than the person meant.
        AmbiguousOffset::Fold { before, .. } => {
            Ok((instant(before)?, " (the first of two: clocks go back then)"))
        }
        AmbiguousOffset::Gap { before, .. } => {
            // Read with the offset before the change, a skipped time lies after the change.
            let after = instant(before)?;
            let changes = zone
                .preceding(after.checked_add(SignedDuration::from_secs(1)).unwrap_or(after))
                .next()
                .map_or(after, |transition| transition.timestamp());
            let last = changes.checked_sub(SignedDuration::from_mins(1)).unwrap_or(changes);
            let clock = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%H:%M %Z").to_string();
            Err(ExpiryError::Skipped {
                skipped: local.strftime("%a %-d %b %Y, %H:%M").to_string(),
                last_before: clock(last),
                first_after: clock(changes),
            })
        }
    }
}

/// Whether `text` has exactly the digits and separators of `shape`: parsers forgive more than a
/// person would expect.
fn shaped(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(byte, expected)| {
            if expected == b'0' { byte.is_ascii_digit() } else { byte == expected }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }

    fn now() -> Timestamp {
        "2026-11-23T13:02:30.123456Z".parse().unwrap()
    }

    fn at(date: &str, time: &str) -> ExpiryChoice {
        ExpiryChoice::At { date: date.into(), time: time.into() }
    }

    fn ends(choice: &ExpiryChoice) -> Result<(String, String, String, u32), ExpiryError> {
        resolve(choice, now(), &berlin(), None)
            .map(|end| (end.at.to_string(), end.view.local, end.view.utc, end.view.days))
    }

    #[test]
    fn a_preset_counts_days_of_24_hours_and_keeps_the_milliseconds() {
        let (at, local, utc, days) = ends(&ExpiryChoice::Days { days: 30 }).unwrap();
        assert_eq!(at, "2026-12-23T13:02:30.123Z");
        assert_eq!(local, "Wed 23 Dec 2026, 14:02 CET");
        assert_eq!(utc, "13:02 UTC");
        assert_eq!(days, 30);
    }

    #[test]
    fn a_preset_over_a_clock_change_shifts_the_local_hour() {
        let (_, local, utc, _) = ends(&ExpiryChoice::Days { days: 150 }).unwrap();
        assert_eq!((local.as_str(), utc.as_str()), ("Thu 22 Apr 2027, 15:02 CEST", "13:02 UTC"));
    }

    #[test]
    fn a_typed_end_is_local_has_no_seconds_and_shows_the_utc_date_when_it_differs() {
        let (at_, local, utc, days) = ends(&at("2027-01-12", "18:00")).unwrap();
        assert_eq!(at_, "2027-01-12T17:00:00Z");
        assert_eq!((local.as_str(), utc.as_str()), ("Tue 12 Jan 2027, 18:00 CET", "17:00 UTC"));
        assert_eq!(days, 51, "rounded up");

        let (_, local, utc, _) = ends(&at(" 2027-01-12 ", "00:30")).unwrap();
        assert_eq!(local, "Tue 12 Jan 2027, 00:30 CET");
        assert_eq!(utc, "Mon 11 Jan 2027, 23:30 UTC");
    }

    #[test]
    fn a_skipped_time_names_its_neighbours() {
        let error = ends(&at("2027-03-28", "02:30")).unwrap_err();
        assert_eq!(
            error,
            ExpiryError::Skipped {
                skipped: "Sun 28 Mar 2027, 02:30".into(),
                last_before: "01:59 CET".into(),
                first_after: "03:00 CEST".into(),
            }
        );
        for edge in ["02:00", "02:59"] {
            assert!(matches!(ends(&at("2027-03-28", edge)), Err(ExpiryError::Skipped { .. })));
        }
        assert_eq!(ends(&at("2027-03-28", "01:59")).unwrap().0, "2027-03-28T00:59:00Z");
        assert_eq!(ends(&at("2027-03-28", "03:00")).unwrap().0, "2027-03-28T01:00:00Z");
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_one_and_says_so() {
        let (at_, local, utc, _) = ends(&at("2027-10-31", "02:30")).unwrap();
        assert_eq!(at_, "2027-10-31T00:30:00Z");
        assert_eq!(local, "Sun 31 Oct 2027, 02:30 CEST (the first of two: clocks go back then)");
        assert_eq!(utc, "00:30 UTC");
    }

    #[test]
    fn what_is_no_end_is_refused_with_its_code() {
        let table = [
            (at("", "18:00"), ErrorCode::ExpiryMissing),
            (at("2027-01-12", " "), ErrorCode::ExpiryMissing),
            (at("2027-02-29", "18:00"), ErrorCode::ExpiryNotATime),
            (at("2027-13-01", "18:00"), ErrorCode::ExpiryNotATime),
            (at("2027-1-1", "18:00"), ErrorCode::ExpiryNotATime),
            (at("20270112", "18:00"), ErrorCode::ExpiryNotATime),
            (at("2027-01-12", "24:00"), ErrorCode::ExpiryNotATime),
            (at("2027-01-12", "18:00:30"), ErrorCode::ExpiryNotATime),
            (at("2027-01-12", "6pm"), ErrorCode::ExpiryNotATime),
            (at("２０２７-01-12", "18:00"), ErrorCode::ExpiryNotATime),
            (at("10000-01-01", "18:00"), ErrorCode::ExpiryNotATime),
            (at(&"9".repeat(10_000), "18:00"), ErrorCode::ExpiryNotATime),
            (at("2026-11-23", "14:02"), ErrorCode::ExpiryPast),
            (at("1969-12-31", "23:59"), ErrorCode::ExpiryPast),
            (ExpiryChoice::Days { days: 0 }, ErrorCode::ExpiryPast),
            (at("9999-12-31", "23:59"), ErrorCode::ExpiryTooFar),
            (at("2036-11-24", "14:02"), ErrorCode::ExpiryTooFar),
            (ExpiryChoice::Days { days: LONGEST_DAYS + 1 }, ErrorCode::ExpiryTooFar),
            (ExpiryChoice::Days { days: u32::MAX }, ErrorCode::ExpiryTooFar),
        ];
        for (choice, code) in table {
            let failure = Failure::from(ends(&choice).expect_err(&format!("{choice:?}")));
            assert_eq!(failure.code, code, "{choice:?}: {}", failure.message);
            assert!(failure.message.len() < 200, "{}", failure.message);
        }
        assert!(ends(&at("2026-11-23", "14:03")).is_ok());
        assert!(ends(&ExpiryChoice::Days { days: LONGEST_DAYS }).is_ok());
    }

    #[test]
    fn the_policy_bounds_presets_and_typed_ends_alike() {
        let within = |choice: &ExpiryChoice| resolve(choice, now(), &berlin(), Some(30));
        assert!(within(&ExpiryChoice::Days { days: 30 }).is_ok());
        assert!(within(&at("2026-12-23", "14:02")).is_ok());
        for beyond in [ExpiryChoice::Days { days: 31 }, at("2026-12-23", "14:03")] {
            let error = within(&beyond).unwrap_err();
            assert!(matches!(error, ExpiryError::BeyondPolicy { days: 30, .. }), "{error}");
        }
    }

    #[test]
    fn a_zone_without_a_name_shows_its_offset_and_utc_shows_itself_once() {
        let fixed = TimeZone::fixed(jiff::tz::offset(5));
        let end = resolve(&at("2027-01-12", "18:00"), now(), &fixed, None).unwrap();
        assert_eq!(end.view.local, "Tue 12 Jan 2027, 18:00 +05");
        let end = resolve(&at("2027-01-05", "18:00"), now(), &TimeZone::UTC, None).unwrap();
        assert_eq!(end.view.local, "Tue 5 Jan 2027, 18:00 UTC");
        assert_eq!(end.view.utc, "18:00 UTC");
    }
}
