//! Time is passed in.

use jiff::{Timestamp, tz::TimeZone};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// This computer's time. The server's is this plus the connection's offset.
    fn now(&self) -> Timestamp;
    /// The zone in which dates are shown and typed.
    fn time_zone(&self) -> TimeZone;
}

/// The computer's own clock and zone.
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place where the clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::system()
    }
}
