//! Names and times as a notice says them.

use crate::shown::visible;
use jiff::{Timestamp, tz::TimeZone};

/// More characters of a name than these are not shown.
const LONGEST: usize = 60;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// A day of 24 hours in milliseconds, as Palette counts lives.
pub(crate) const DAY: i64 = 24 * HOUR;

/// A name from a server for a sentence, as [`visible`] makes it, without the blanks around it.
pub fn plain(name: &str) -> String {
    visible(name.trim(), LONGEST)
}

/// The name of a key, or the end of its uid when it has none.
pub fn key_name(name: &str, uid: &str) -> String {
    let name = plain(name);
    if !name.is_empty() {
        return name;
    }
    let count = uid.chars().count();
    let tail: String = uid.chars().skip(count.saturating_sub(6)).collect();
    format!("a key \u{2026}{tail}")
}

/// For a server that renders markup.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// "7 days", "5 hours", "1 minute": rounded up, so that nobody has less time than they read. The
/// nearest whole unit from a day on is days.
pub(crate) fn span(left_ms: i64) -> String {
    let up = |unit: i64| left_ms.max(1).saturating_add(unit - 1) / unit;
    let (count, unit) = if up(HOUR) >= 24 {
        (up(DAY), "day")
    } else if up(MINUTE) >= 60 {
        (up(HOUR), "hour")
    } else {
        (up(MINUTE), "minute")
    };
    counted(count, unit)
}

/// "1 key", "3 keys".
pub(crate) fn counted(count: impl TryInto<u64>, unit: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// "Tue 12 Jan, 18:00", with the year when the date alone could be another one.
pub(crate) fn moment(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let far = super::ms_between(now, at).saturating_abs() > 180 * DAY;
    let format = if far { "%a %-d %b %Y, %H:%M" } else { "%a %-d %b, %H:%M" };
    at.to_zoned(zone.clone()).strftime(format).to_string()
}

/// "a, b, c and 2 more".
pub(crate) fn listed(items: &[String], most: usize) -> String {
    let (shown, rest) = items.split_at(items.len().min(most));
    match (shown, rest.len()) {
        ([], _) => String::new(),
        (_, more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        ([only], 0) => only.clone(),
        ([head @ .., last], 0) => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_name_is_named_by_its_uid() {
        assert_eq!(key_name("pro\u{202e}d", "66e844c44bab2337f20c7471"), "pro⟨U+202E⟩d");
        assert_eq!(key_name(" ", "66e844c44bab2337f20c7471"), "a key \u{2026}0c7471");
        assert_eq!(escaped("<b>a & b</b>"), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    }

    #[test]
    fn time_left_is_rounded_up() {
        let table = [
            (7 * DAY, "7 days"),
            (7 * DAY - 1, "7 days"),
            (6 * DAY + 1, "7 days"),
            (6 * DAY, "6 days"),
            (DAY + 1, "2 days"),
            (DAY, "1 day"),
            (DAY - 1, "1 day"),
            (23 * HOUR + 1, "1 day"),
            (23 * HOUR, "23 hours"),
            (HOUR + 1, "2 hours"),
            (HOUR, "1 hour"),
            (59 * MINUTE + 1, "1 hour"),
            (59 * MINUTE, "59 minutes"),
            (1, "1 minute"),
            (0, "1 minute"),
            (i64::MAX, "106751991167 days"),
        ];
        for (left, expected) in table {
            assert_eq!(span(left), expected, "{left}");
        }
    }

    #[test]
    fn lists_say_how_many_more() {
        let items = |count: usize| (1..=count).map(|n| format!("k{n}")).collect::<Vec<_>>();
        assert_eq!(listed(&items(0), 3), "");
        assert_eq!(listed(&items(1), 3), "k1");
        assert_eq!(listed(&items(3), 3), "k1, k2 and k3");
        assert_eq!(listed(&items(5), 3), "k1, k2, k3 and 2 more");
    }
}
