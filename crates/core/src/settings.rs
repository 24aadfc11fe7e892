//! What a person may choose.

use crate::{
    ErrorCode, Failure,
    review::findings::{Rule, Severity},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};
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

/// A column of the key list that a person may put away; status and name always stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ListColumn {
    /// Whose key it is.
    Owner,
    /// When it ends.
    Expires,
    /// When it was made.
    Created,
    /// Whether its value is in the keychain.
    Keychain,
}

/// What the key list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ListOrder {
    /// By status.
    Status,
    /// By name.
    Name,
    /// By the owner's name.
    Owner,
    /// By the end; rising, that is next trouble first.
    Expires,
    /// By the time it was made.
    Created,
    /// By whether its value is in the keychain.
    Keychain,
}

/// One of the product's own views of the key list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ListView {
    /// Every key that may be seen.
    All,
    /// The person's own.
    Mine,
    /// Those that end soon.
    Expiring,
    /// Those that have ended.
    Expired,
    /// Those out of service.
    Revoked,
    /// Those without an end.
    NeverExpires,
    /// Those of people who are gone.
    OwnerGone,
    /// Those whose value is in the keychain.
    InKeychain,
}

/// A view that a person saved: what is shown, and in which order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SavedView {
    /// 1 to 60 characters, each name once.
    pub name: String,
    /// The view it starts from.
    pub view: ListView,
    /// The search, as typed: at most 500 characters.
    pub search: String,
    /// The column it is sorted by.
    pub order: ListOrder,
    /// The other way round.
    pub descending: bool,
}

impl SavedView {
    /// Refuses a name or a search that is out of its bounds.
    fn check(&self) -> Result<(), Failure> {
        let Self { name, search, .. } = self;
        if !VIEW_NAME.contains(&name.chars().count()) || name.trim() != name {
            return Err(refusal(format!(
                "A view's name must have {} to {} characters, with no space at either end. Nothing \
                 was saved.",
                VIEW_NAME.start(),
                VIEW_NAME.end()
            )));
        }
        if search.chars().count() > LONGEST_SEARCH {
            return Err(refusal(format!(
                "A saved view's search may have at most {LONGEST_SEARCH} characters. Nothing was \
                 saved."
            )));
        }
        Ok(())
    }
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
    /// Minutes without a key or a click in the window after which the app locks: 1 to 240; none:
    /// never.
    pub lock_after_minutes: Option<u32>,
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
    /// Tell admins what others changed between two refreshes.
    pub change_notices: bool,
    /// The policy file; none: there is no policy.
    pub policy_path: Option<String>,
    /// Severities of a review's rules that differ from the product's.
    #[ts(type = "Partial<Record<Rule, Severity>>")]
    pub severities: BTreeMap<Rule, Severity>,
    /// Keep the keys fresh that this app signs in with: its own, and those a person agreed to.
    pub renew_sign_in_key: bool,
    /// Columns of the key list that are put away.
    pub hidden_columns: BTreeSet<ListColumn>,
    /// Views a person saved, in the order they are shown: at most twenty.
    pub saved_views: Vec<SavedView>,
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
            lock_after_minutes: None,
            start_at_login: false,
            close_to_tray: true,
            notices: true,
            notice_days: vec![30, 14, 7, 3, 1],
            weekly_digest: true,
            change_notices: false,
            policy_path: None,
            severities: BTreeMap::new(),
            renew_sign_in_key: true,
            hidden_columns: BTreeSet::new(),
            saved_views: Vec::new(),
        }
    }
}

const NOTICE_DAYS: RangeInclusive<u32> = 1..=365;
const MOST_NOTICES: usize = 10;
const MOST_VIEWS: usize = 20;
const VIEW_NAME: RangeInclusive<usize> = 1..=60;
const LONGEST_SEARCH: usize = 500;
const CLIPBOARD_SECONDS: RangeInclusive<u32> = 10..=300;
const LIFE_DAYS: RangeInclusive<u32> = 1..=3650;
const LEAD_DAYS: RangeInclusive<u32> = 1..=90;
const REFRESH_MINUTES: RangeInclusive<u32> = 1..=120;
const LOCK_MINUTES: RangeInclusive<u32> = 1..=240;

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
            (
                "The minutes until the app locks",
                self.lock_after_minutes.unwrap_or(*LOCK_MINUTES.start()),
                LOCK_MINUTES,
            ),
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
        self.check_views()?;
        match self.longest_life_days {
            Some(longest) if self.default_expiration_days > longest => Err(refusal(format!(
                "The default expiration of {} days is longer than the longest allowed life of \
                 {longest} days. No setting was changed.",
                self.default_expiration_days
            ))),
            _ => Ok(()),
        }
    }

    fn check_views(&self) -> Result<(), Failure> {
        if self.saved_views.len() > MOST_VIEWS {
            return Err(refusal(format!(
                "There is room for {MOST_VIEWS} saved views. Remove one first. Nothing was saved."
            )));
        }
        for (place, view) in self.saved_views.iter().enumerate() {
            view.check()?;
            if self.saved_views[..place].iter().any(|other| other.name == view.name) {
                return Err(refusal(
                    "There is a view of that name already. Nothing was saved.".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Settings read from disk: a field that is missing or of another type is at its default, of a
    /// list what can be read is kept, and each value is brought into its range. A file edited by
    /// hand, or by a newer version, must not stop the app.
    pub(crate) fn from_stored(stored: &Map<String, Value>) -> Self {
        let mut settings = Self::default();
        for (field, value) in stored {
            // One unreadable field must not cost the others, nor one part of it the rest.
            if let Some(read) = settings.with(field, value.clone()) {
                settings = read;
            } else if let Some(read) =
                settings.readable(field, value).and_then(|rest| settings.with(field, rest))
            {
                settings = read;
            }
        }
        settings.clamped()
    }

    /// These with one field as it is stored; none when it cannot be read.
    fn with(&self, field: &str, value: Value) -> Option<Self> {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else { return None };
        fields.insert(field.to_owned(), value);
        serde_json::from_value(Value::Object(fields)).ok()
    }

    /// The parts of a list, or of a table, that can be read each on its own.
    fn readable(&self, field: &str, value: &Value) -> Option<Value> {
        match value {
            Value::Array(parts) => {
                let alone = |part: &&Value| self.with(field, Value::Array(vec![(*part).clone()]));
                let read = parts.iter().filter(|part| alone(part).is_some());
                Some(Value::Array(read.cloned().collect()))
            }
            Value::Object(parts) => {
                let alone = |name: &String, part: &Value| {
                    self.with(field, Value::Object(Map::from_iter([(name.clone(), part.clone())])))
                };
                let read = parts.iter().filter(|(name, part)| alone(name, part).is_some());
                let read = read.map(|(name, part)| (name.clone(), part.clone()));
                Some(Value::Object(read.collect()))
            }
            _ => None,
        }
    }

    fn clamped(mut self) -> Self {
        let into =
            |value: u32, range: RangeInclusive<u32>| value.clamp(*range.start(), *range.end());
        self.clipboard_seconds = into(self.clipboard_seconds, CLIPBOARD_SECONDS);
        self.lead_days = into(self.lead_days, LEAD_DAYS);
        self.refresh_minutes = into(self.refresh_minutes, REFRESH_MINUTES);
        self.lock_after_minutes =
            self.lock_after_minutes.map(|minutes| into(minutes, LOCK_MINUTES));
        self.notice_days.retain(|days| NOTICE_DAYS.contains(days));
        self.notice_days.sort_unstable_by(|a, b| b.cmp(a));
        self.notice_days.dedup();
        self.notice_days.truncate(MOST_NOTICES);
        let mut names = BTreeSet::new();
        self.saved_views.retain(|view| view.check().is_ok() && names.insert(view.name.clone()));
        self.saved_views.truncate(MOST_VIEWS);
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
        let bad: [fn(&mut Settings); 17] = [
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
            |s| s.lock_after_minutes = Some(0),
            |s| s.lock_after_minutes = Some(241),
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
            Settings { lock_after_minutes: Some(1), ..good.clone() },
            Settings { lock_after_minutes: Some(240), ..good.clone() },
        ] {
            assert_eq!(edge.check(), Ok(()));
        }
    }

    fn view(name: &str, search: &str) -> SavedView {
        SavedView {
            name: name.to_owned(),
            view: ListView::NeverExpires,
            search: search.to_owned(),
            order: ListOrder::Created,
            descending: true,
        }
    }

    #[test]
    fn a_saved_view_has_a_name_of_its_own_and_twenty_are_enough() {
        let numbered = |count: usize| (0..count).map(|n| view(&n.to_string(), "")).collect();
        let cases: [(Vec<SavedView>, Option<&str>); 8] = [
            (vec![view("Mine, old", "owner:me created:>1y")], None),
            (numbered(20), None),
            (numbered(21), Some("room for 20")),
            (vec![view("", "")], Some("1 to 60")),
            (vec![view(" a", "")], Some("no space at either end")),
            (vec![view(&"ä".repeat(61), "")], Some("1 to 60")),
            (vec![view("a", &"x".repeat(501))], Some("at most 500")),
            (vec![view("a", ""), view("a", "b")], Some("of that name already")),
        ];
        for (saved_views, refused) in cases {
            let settings = Settings { saved_views, ..Settings::default() };
            match (settings.check(), refused) {
                (Ok(()), None) => {}
                (Err(failure), Some(words)) => {
                    assert!(failure.message.contains(words), "{}", failure.message);
                    assert!(failure.message.contains("Nothing was saved"));
                }
                (outcome, _) => panic!("{refused:?}: {outcome:?}"),
            }
            // Edited by hand, what is wrong is left out and the rest stays.
            assert!(settings.clamped().check().is_ok());
        }
        let kept = Settings {
            saved_views: vec![view("a", ""), view("a", "b"), view("", "")],
            ..Settings::default()
        };
        assert_eq!(kept.clamped().saved_views, [view("a", "")]);
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
            "lockAfterMinutes": 0,
            "noticeDays": [3, 7, 7, 0, 400],
            "fromTheFuture": [1, 2],
            "hiddenColumns": ["owner", "moonPhase"],
            "severities": { "neverEnds": "off", "ofTheFuture": "off", "ownerGone": 3 },
            "savedViews": [
                { "name": "kept", "view": "all", "search": "ci", "order": "name",
                  "descending": false },
                { "name": "lost", "view": "ofTheFuture", "search": "", "order": "name",
                  "descending": false },
                "no view",
            ],
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
                lock_after_minutes: Some(1),
                notice_days: vec![7, 3],
                hidden_columns: BTreeSet::from([ListColumn::Owner]),
                severities: BTreeMap::from([(Rule::NeverEnds, Severity::Off)]),
                saved_views: vec![SavedView {
                    name: "kept".to_owned(),
                    view: ListView::All,
                    search: "ci".to_owned(),
                    order: ListOrder::Name,
                    descending: false,
                }],
                ..Settings::default()
            }
        );
        assert!(read.check().is_ok(), "what is read back can be saved again");
    }
}
