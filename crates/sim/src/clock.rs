//! The server's clock: the machine's plus an offset that tests may set.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

#[derive(Default)]
pub(crate) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    /// Now, in whole milliseconds: the API writes no finer (fact sheet §3.2 `[DOC]`), so that what a
    /// client reads equals what the tenant holds.
    pub(crate) fn now(&self) -> Timestamp {
        // The one place of this crate that reads the machine's clock.
        #[allow(clippy::disallowed_methods)]
        let machine = Timestamp::now();
        let offset = SignedDuration::from_secs(self.offset_seconds.load(Ordering::Relaxed));
        let now = later(machine, offset);
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    pub(crate) fn set_offset_seconds(&self, seconds: i64) {
        self.offset_seconds.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn advance_seconds(&self, seconds: i64) {
        let add = |old: i64| Some(old.saturating_add(seconds));
        let _ = self.offset_seconds.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// `time` moved by `by`, held at the ends of what can be written.
pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(by).unwrap_or(end)
}

/// As the API writes times: `YYYY-MM-DDTHH:MM:SS.mmmZ` (fact sheet §3.2 `[GOA]`).
pub(crate) fn wire(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// As the API writes an optional time: unset is Go's zero time (fact sheet §3.2 `[DOC]`).
pub(crate) fn wire_or_zero(time: Option<Timestamp>) -> String {
    time.map_or_else(|| ZERO.to_owned(), wire)
}

/// Go's zero time, "unset".
pub(crate) const ZERO: &str = "0001-01-01T00:00:00.000Z";

/// As HTTP writes times, for the `Date` header.
pub(crate) fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
