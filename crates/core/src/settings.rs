//! What a person may choose.

use crate::{ErrorCode, Failure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use ts_rs::TS;

/// Light, dark, or as the desktop is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Appearance {
    /// As the desktop is.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// All settings, with the defaults of `product.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Light, dark, or as the desktop is.
    pub appearance: Appearance,
    /// Seconds after which a copied value is cleared: 10 to 300.
    pub clipboard_seconds: u32,
    /// Days preselected for a new key: 1 to 3650.
    pub default_expiration_days: u32,
    /// A key is "Expiring" when it ends within so many days: 1 to 90.
    pub lead_days: u32,
    /// Longest life in days a new key may get; none: no limit of our own.
    pub longest_life_days: Option<u32>,
    /// Minutes between refreshes: 1 to 120.
    pub refresh_minutes: u32,
    /// Start with the desktop session, without a window.
    pub start_at_login: bool,
    /// Closing the window keeps the tray, where there is one.
    pub close_to_tray: bool,
    /// Tell about keys that end, and about revocations that could not be confirmed.
    pub notices: bool,
    /// Days before a key's end at which its owner is told: each 1 to 365, in falling order, at most
    /// ten; the end itself is always told.
    pub notice_days: Vec<u32>,
    /// Tell admins once a week about others' keys.
    pub weekly_digest: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            appearance: Appearance::System,
            clipboard_seconds: 30,
            default_expiration_days: 30,
            lead_days: 14,
            longest_life_days: None,
            refresh_minutes: 15,
            start_at_login: false,
            close_to_tray: true,
            notices: true,
            notice_days: vec![30, 14, 7, 3, 1],
            weekly_digest: true,
        }
    }
}

const NOTICE_DAYS: RangeInclusive<u32> = 1..=365;
const MOST_NOTICES: usize = 10;
const CLIPBOARD_SECONDS: RangeInclusive<u32> = 10..=300;
const LIFE_DAYS: RangeInclusive<u32> = 1..=3650;
const LEAD_DAYS: RangeInclusive<u32> = 1..=90;
const REFRESH_MINUTES: RangeInclusive<u32> = 1..=120;

impl Settings {
    /// Refuses what a person may not choose; nothing is changed in silence.
    ///
    /// # Errors
    /// [`ErrorCode::SettingInvalid`] with words for the first setting that is out of its range.
    pub fn check(&self) -> Result<(), Failure> {
        let ranges = [
            ("Clipboard seconds", self.clipboard_seconds, CLIPBOARD_SECONDS),
            ("The default expiration in days", self.default_expiration_days, LIFE_DAYS),
            ("The lead time in days", self.lead_days, LEAD_DAYS),
            (
                "The longest allowed life in days",
                self.longest_life_days.unwrap_or(*LIFE_DAYS.start()),
                LIFE_DAYS,
            ),
            ("The minutes between refreshes", self.refresh_minutes, REFRESH_MINUTES),
        ];
        for (what, value, range) in ranges {
            if !range.contains(&value) {
                return Err(refusal(format!(
                    "{what} must be between {} and {}. No setting was changed.",
                    range.start(),
                    range.end()
                )));
            }
        }
        let falling = self.notice_days.windows(2).all(|pair| pair[0] > pair[1]);
        let in_range = self.notice_days.iter().all(|days| NOTICE_DAYS.contains(days));
        if !falling || !in_range || self.notice_days.len() > MOST_NOTICES {
            return Err(refusal(format!(
                "The days before a key's end at which you are told must be between {} and {}, each \
                 once, at most {MOST_NOTICES} of them. No setting was changed.",
                NOTICE_DAYS.start(),
                NOTICE_DAYS.end()
            )));
        }
        match self.longest_life_days {
            Some(longest) if self.default_expiration_days > longest => Err(refusal(format!(
                "The default expiration of {} days is longer than the longest allowed life of \
                 {longest} days. No setting was changed.",
                self.default_expiration_days
            ))),
            _ => Ok(()),
        }
    }

    /// Settings read from disk: a field that is missing or of another type is at its default, and
    /// each value is brought into its range. A file edited by hand must not stop the app.
    pub(crate) fn from_stored(stored: &Map<String, Value>) -> Self {
        let mut settings = Self::default();
        for (field, value) in stored {
            let Ok(Value::Object(mut fields)) = serde_json::to_value(&settings) else { continue };
            fields.insert(field.clone(), value.clone());
            // One unreadable field must not cost the others.
            if let Ok(read) = serde_json::from_value(Value::Object(fields)) {
                settings = read;
            }
        }
        settings.clamped()
    }

    fn clamped(mut self) -> Self {
        let into =
            |value: u32, range: RangeInclusive<u32>| value.clamp(*range.start(), *range.end());
        self.clipboard_seconds = into(self.clipboard_seconds, CLIPBOARD_SECONDS);
        self.lead_days = into(self.lead_days, LEAD_DAYS);
        self.refresh_minutes = into(self.refresh_minutes, REFRESH_MINUTES);
        self.notice_days.retain(|days| NOTICE_DAYS.contains(days));
        self.notice_days.sort_unstable_by(|a, b| b.cmp(a));
        self.notice_days.dedup();
        self.notice_days.truncate(MOST_NOTICES);
        self.longest_life_days = self.longest_life_days.map(|days| into(days, LIFE_DAYS));
        let longest = self.longest_life_days.unwrap_or(*LIFE_DAYS.end());
        self.default_expiration_days = into(self.default_expiration_days, LIFE_DAYS).min(longest);
        self
    }
}

fn refusal(message: String) -> Failure {
    Failure::new(ErrorCode::SettingInvalid, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stored(value: Value) -> Settings {
        match value {
            Value::Object(fields) => Settings::from_stored(&fields),
            _ => panic!("an object"),
        }
    }

    #[test]
    fn refuses_each_value_out_of_its_range() {
        let good = Settings::default();
        assert!(good.check().is_ok());
        let bad: [fn(&mut Settings); 15] = [
            |s| s.clipboard_seconds = 9,
            |s| s.clipboard_seconds = 301,
            |s| s.default_expiration_days = 0,
            |s| s.default_expiration_days = 3651,
            |s| s.lead_days = 0,
            |s| s.lead_days = 91,
            |s| s.longest_life_days = Some(0),
            |s| s.longest_life_days = Some(3651),
            |s| s.longest_life_days = Some(29),
            |s| s.refresh_minutes = 0,
            |s| s.refresh_minutes = 121,
            |s| s.refresh_minutes = u32::MAX,
            |s| s.notice_days = vec![0],
            |s| s.notice_days = vec![3, 7],
            |s| s.notice_days = (1..=11).rev().collect(),
        ];
        for (number, spoil) in bad.iter().enumerate() {
            let mut settings = good.clone();
            spoil(&mut settings);
            let failure = settings.check().unwrap_err();
            assert_eq!(failure.code, ErrorCode::SettingInvalid, "case {number}");
            assert!(failure.message.contains("No setting was changed"), "case {number}");
        }
        for edge in [
            Settings { clipboard_seconds: 10, lead_days: 1, refresh_minutes: 1, ..good.clone() },
            Settings {
                clipboard_seconds: 300,
                lead_days: 90,
                refresh_minutes: 120,
                ..good.clone()
            },
            Settings { default_expiration_days: 3650, ..good.clone() },
            Settings { longest_life_days: Some(30), ..good.clone() },
        ] {
            assert_eq!(edge.check(), Ok(()));
        }
    }

    #[test]
    fn reads_what_it_can_and_brings_the_rest_into_range() {
        assert_eq!(stored(json!({})), Settings::default());
        let read = stored(json!({
            "appearance": "dark",
            "clipboardSeconds": 5,
            "leadDays": "many",
            "defaultExpirationDays": 90,
            "longestLifeDays": 60,
            "refreshMinutes": 4_000_000_000_u32,
            "noticeDays": [3, 7, 7, 0, 400],
            "fromTheFuture": [1, 2],
        }));
        assert_eq!(
            read,
            Settings {
                appearance: Appearance::Dark,
                clipboard_seconds: 10,
                default_expiration_days: 60,
                lead_days: 14,
                longest_life_days: Some(60),
                refresh_minutes: 120,
                notice_days: vec![7, 3],
                ..Settings::default()
            }
        );
        assert!(read.check().is_ok(), "what is read back can be saved again");
    }
}
