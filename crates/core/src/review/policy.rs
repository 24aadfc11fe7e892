//! The policy file: what an organization asks of its keys, as TOML (`docs/policy.md`).
//!
//! It is read at start and with each refresh. One that is broken is said with line and field, and
//! the last good one keeps counting, over a restart too: a typo must not make every key pass.

use super::findings::{Rule, Severity};
use crate::{
    ErrorCode, Failure,
    keys::{expiry::LONGEST_DAYS, name::NameError},
    once::lock,
    store::Store,
};
use jiff::{civil::Date, tz::TimeZone};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    path::Path,
    sync::{Arc, Mutex},
};
use toml::Spanned;
use ts_rs::TS;

/// A longer file is no policy.
const LONGEST_FILE: u64 = 256 * 1024;
/// A longer pattern is no naming rule.
const LONGEST_PATTERN: usize = 500;

/// What an organization asks of its keys. The default asks nothing and has the product's
/// thresholds.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Longest life in days a key may get, from now.
    pub longest_life_days: Option<u32>,
    /// What a name has to look like; the whole name has to fit.
    pub name_pattern: Option<NamePattern>,
    /// A key has to say what it is for.
    pub description_required: bool,
    /// A key has to end.
    pub forbid_never_ending: bool,
    /// When the rules speak up.
    pub thresholds: Thresholds,
    /// Severities that differ from the product's.
    pub severities: BTreeMap<Rule, Severity>,
    /// Keys of which something is accepted until a date.
    pub exceptions: Vec<Exception>,
}

/// A naming rule.
#[derive(Debug, Clone)]
pub struct NamePattern {
    /// As it stands in the file.
    pub text: String,
    whole: Regex,
}

impl NamePattern {
    /// The rule of this pattern, or why it is none.
    fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST_PATTERN {
            return Err(format!("must have 1 to {LONGEST_PATTERN} characters"));
        }
        RegexBuilder::new(&format!("^(?:{text})$"))
            .size_limit(1 << 20)
            .build()
            .map(|whole| Self { text: text.to_owned(), whole })
            .map_err(|_| "is not a regular expression".to_owned())
    }

    /// Whether a whole name fits.
    pub fn fits(&self, name: &str) -> bool {
        self.whole.is_match(name)
    }
}

/// When the rules speak up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// An owner who did not sign in for so many days.
    pub owner_not_seen_days: u32,
    /// A key older than so many days whose value was never replaced.
    pub never_rolled_days: u32,
    /// An expired key still there after so many days.
    pub expired_days: u32,
    /// A revoked key still there after so many days.
    pub revoked_days: u32,
    /// A key that ends within so many days; none: the lead time of the settings.
    pub expiring_days: Option<u32>,
    /// An owner with so many per cent of the keys that a person may have.
    pub quota_percent: u32,
    /// So many keys that end on one day are a pile-up.
    pub pile_up: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            owner_not_seen_days: 90,
            never_rolled_days: 180,
            expired_days: 14,
            revoked_days: 30,
            expiring_days: None,
            quota_percent: 90,
            pile_up: 5,
        }
    }
}

/// Keys of which something is accepted until a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Of which rule.
    pub rule: Rule,
    /// uid of the key, or its name; a `*` stands for any text.
    pub key: String,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub until: Date,
}

impl Exception {
    /// Whether it is about this key. Not whether it still counts.
    pub fn names(&self, uid: &str, name: &str) -> bool {
        self.key == uid || glob(&self.key, name)
    }
}

/// `*` stands for any text, everything else for itself.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.len() >= last.len() && rest.ends_with(last)
}

/// Why a file is no policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PolicyProblem {
    /// From 1; none: the whole file.
    pub line: Option<u32>,
    /// `thresholds.revoked_days`; none: no single field.
    pub field: Option<String>,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl PolicyProblem {
    fn whole(message: impl Into<String>) -> Self {
        Self { line: None, field: None, message: message.into() }
    }

    /// "Line 4, longest_life_days: must be between 1 and 3653."
    pub fn words(&self) -> String {
        match (self.line, &self.field) {
            (Some(line), Some(field)) => format!("Line {line}, {field}: {}", self.message),
            (Some(line), None) => format!("Line {line}: {}", self.message),
            _ => self.message.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<i64>,
    longest_life_days: Option<Spanned<i64>>,
    name_pattern: Option<Spanned<String>>,
    #[serde(default)]
    description_required: bool,
    #[serde(default)]
    forbid_never_ending: bool,
    #[serde(default)]
    thresholds: FileThresholds,
    #[serde(default)]
    severity: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    exceptions: Vec<FileException>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileThresholds {
    owner_not_seen_days: Option<Spanned<i64>>,
    never_rolled_days: Option<Spanned<i64>>,
    expired_days: Option<Spanned<i64>>,
    revoked_days: Option<Spanned<i64>>,
    expiring_days: Option<Spanned<i64>>,
    quota_percent: Option<Spanned<i64>>,
    pile_up: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileException {
    rule: Spanned<String>,
    key: Spanned<String>,
    reason: Spanned<String>,
    until: Spanned<toml::value::Datetime>,
}

/// Reads the text of a policy file.
///
/// # Errors
/// The first thing that is wrong, with line and field.
pub fn parse(text: &str) -> Result<Policy, PolicyProblem> {
    let file: File = toml::from_str(text).map_err(|error| not_toml(text, &error))?;
    let lines = Lines(text);
    if *file.version.as_ref() != 1 {
        return Err(lines.problem(&file.version, "version", "must be 1"));
    }
    let defaults = Thresholds::default();
    let raw = file.thresholds;
    let days = |value: &Option<Spanned<i64>>, field: &str| {
        lines.number(value.as_ref(), field, 1..=i64::from(LONGEST_DAYS))
    };
    let thresholds = Thresholds {
        owner_not_seen_days: days(&raw.owner_not_seen_days, "thresholds.owner_not_seen_days")?
            .unwrap_or(defaults.owner_not_seen_days),
        never_rolled_days: days(&raw.never_rolled_days, "thresholds.never_rolled_days")?
            .unwrap_or(defaults.never_rolled_days),
        expired_days: days(&raw.expired_days, "thresholds.expired_days")?
            .unwrap_or(defaults.expired_days),
        revoked_days: days(&raw.revoked_days, "thresholds.revoked_days")?
            .unwrap_or(defaults.revoked_days),
        expiring_days: days(&raw.expiring_days, "thresholds.expiring_days")?,
        quota_percent: lines
            .number(raw.quota_percent.as_ref(), "thresholds.quota_percent", 1..=100)?
            .unwrap_or(defaults.quota_percent),
        pile_up: lines
            .number(raw.pile_up.as_ref(), "thresholds.pile_up", 2..=10_000)?
            .unwrap_or(defaults.pile_up),
    };
    let mut severities = BTreeMap::new();
    for (name, value) in &file.severity {
        let field = format!("severity.{name}");
        let Some(rule) = Rule::named(name) else {
            let words = format!("is not a rule. Rules are {}", Rule::names());
            return Err(lines.problem(value, &field, &words));
        };
        let Some(severity) = Severity::named(value.as_ref()) else {
            let words = "must be \"act_now\", \"this_month\", \"clean_up\" or \"off\"";
            return Err(lines.problem(value, &field, words));
        };
        severities.insert(rule, severity);
    }
    let exceptions = file.exceptions.iter().map(|exception| lines.exception(exception));
    Ok(Policy {
        longest_life_days: days(&file.longest_life_days, "longest_life_days")?,
        name_pattern: match &file.name_pattern {
            None => None,
            Some(value) => {
                let pattern = NamePattern::new(value.as_ref());
                Some(pattern.map_err(|words| lines.problem(value, "name_pattern", &words))?)
            }
        },
        description_required: file.description_required,
        forbid_never_ending: file.forbid_never_ending,
        thresholds,
        severities,
        exceptions: exceptions.collect::<Result<_, _>>()?,
    })
}

/// The file's text, to find lines in.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn at(&self, span: &Range<usize>) -> u32 {
        let before = self.0.get(..span.start).unwrap_or(self.0);
        u32::try_from(before.matches('\n').count() + 1).unwrap_or(u32::MAX)
    }

    fn problem<T>(&self, value: &Spanned<T>, field: &str, words: &str) -> PolicyProblem {
        PolicyProblem {
            line: Some(self.at(&value.span())),
            field: Some(field.to_owned()),
            message: format!("{words}."),
        }
    }

    fn number(
        &self,
        value: Option<&Spanned<i64>>,
        field: &str,
        range: RangeInclusive<i64>,
    ) -> Result<Option<u32>, PolicyProblem> {
        let Some(value) = value else { return Ok(None) };
        if !range.contains(value.as_ref()) {
            let words = format!("must be between {} and {}", range.start(), range.end());
            return Err(self.problem(value, field, &words));
        }
        Ok(u32::try_from(*value.as_ref()).ok())
    }

    fn exception(&self, file: &FileException) -> Result<Exception, PolicyProblem> {
        let Some(rule) = Rule::named(file.rule.as_ref()) else {
            let words = format!("is not a rule. Rules are {}", Rule::names());
            return Err(self.problem(&file.rule, "exceptions.rule", &words));
        };
        for (value, field) in [(&file.key, "exceptions.key"), (&file.reason, "exceptions.reason")] {
            if value.as_ref().trim().is_empty() {
                return Err(self.problem(value, field, "must not be empty"));
            }
        }
        let until = file.until.as_ref().date.and_then(|date| {
            Date::new(
                i16::try_from(date.year).ok()?,
                i8::try_from(date.month).ok()?,
                i8::try_from(date.day).ok()?,
            )
            .ok()
        });
        let Some(until) = until else {
            let words = "must be a date such as 2027-01-31";
            return Err(self.problem(&file.until, "exceptions.until", words));
        };
        Ok(Exception {
            rule,
            key: file.key.as_ref().trim().to_owned(),
            reason: file.reason.as_ref().trim().to_owned(),
            until,
        })
    }
}

/// What the TOML reader found wrong. Its own words quote only its grammar and the field's name.
fn not_toml(text: &str, error: &toml::de::Error) -> PolicyProblem {
    let span = error.span();
    let line = span.as_ref().map(|span| Lines(text).at(span));
    let written = line.and_then(|line| text.lines().nth(line.saturating_sub(1) as usize));
    let field = written.and_then(|written| {
        let name = written.split_once('=').map_or(written, |(name, _)| name).trim();
        let name = name.trim_matches(['[', ']']);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        (!name.is_empty() && name.len() <= 60 && name.chars().all(plain)).then(|| name.to_owned())
    });
    let words = error.message().trim().trim_end_matches('.');
    // "missing field" has the span of the whole file or table.
    let field = if words.starts_with("missing field") { None } else { field };
    PolicyProblem { line, field, message: format!("{words}.") }
}

/// The policy that counts, and where it stands.
#[derive(Debug, Clone, Default)]
pub struct PolicyState {
    /// The chosen file; none: there is no policy.
    pub path: Option<String>,
    /// The last good one.
    pub policy: Arc<Policy>,
    /// Why the file as it is now does not count.
    pub problem: Option<PolicyProblem>,
    /// A good one was read, now or earlier.
    pub counts: bool,
}

/// The policy as the window sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// The chosen file; none: there is no policy file.
    pub path: Option<String>,
    /// Why the file as it is now does not count; the last good one still does.
    pub problem: Option<PolicyProblem>,
    /// A good one counts: `problem` is then about a newer version of it.
    pub counts: bool,
    /// Longest life in days, of the file or of the settings, whichever is shorter.
    pub longest_life_days: Option<u32>,
    /// What a name has to look like.
    pub name_pattern: Option<String>,
    /// A key has to say what it is for.
    pub description_required: bool,
    /// A key has to end.
    pub forbid_never_ending: bool,
    /// When the rules speak up.
    pub thresholds: Thresholds,
    /// Each rule with what it is called and how severe it is.
    pub rules: Vec<RuleView>,
}

/// A rule and how severe it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RuleView {
    /// Which.
    pub rule: Rule,
    /// "Owner gone"
    pub name: String,
    /// What it looks for, with its threshold.
    pub about: String,
    /// How severe its findings are.
    pub severity: Severity,
    /// The policy file says so: a person cannot change it in the window.
    pub by_policy: bool,
}

/// Holds the policy of this run.
#[derive(Default)]
pub(crate) struct PolicyFile(Mutex<PolicyState>);

impl PolicyFile {
    /// Where it stands, as last read.
    pub(crate) fn state(&self) -> PolicyState {
        lock(&self.0).clone()
    }

    /// Reads the chosen file again. What is broken is said, and the last good one is kept.
    pub(crate) fn read(&self, store: &Store, path: Option<&str>) {
        let Some(path) = path.filter(|path| !path.is_empty()) else {
            *lock(&self.0) = PolicyState::default();
            return;
        };
        let read =
            text_of(Path::new(path)).and_then(|text| parse(&text).map(|policy| (policy, text)));
        let mut state = lock(&self.0);
        let same = state.path.as_deref() == Some(path);
        match read {
            Ok((policy, text)) => {
                let new = !same || state.problem.is_some() || !state.counts;
                *state = PolicyState {
                    path: Some(path.to_owned()),
                    policy: Arc::new(policy),
                    problem: None,
                    counts: true,
                };
                drop(state);
                // Kept for a start at which the file is broken; read rarely, so written each time
                // it may have changed.
                let kept = store.good_policy().unwrap_or_default();
                let differs = kept.is_none_or(|kept| kept != (path.to_owned(), text.clone()));
                if (new || differs) && store.keep_policy(path, &text).is_err() {
                    tracing::warn!("the policy could not be remembered");
                }
            }
            Err(problem) => {
                if !same || !state.counts {
                    let kept = store.good_policy().unwrap_or_default();
                    let good =
                        kept.filter(|(of, _)| of == path).and_then(|(_, text)| parse(&text).ok());
                    state.counts = good.is_some();
                    state.policy = Arc::new(good.unwrap_or_default());
                }
                state.path = Some(path.to_owned());
                state.problem = Some(problem);
            }
        }
    }
}

fn text_of(path: &Path) -> Result<String, PolicyProblem> {
    let about = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if !about.is_file() {
        return Err(PolicyProblem::whole("This is not a file."));
    }
    if about.len() > LONGEST_FILE {
        return Err(PolicyProblem::whole("The file is longer than 256 KiB and is no policy."));
    }
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    String::from_utf8(bytes).map_err(|_| PolicyProblem::whole("The file is not UTF-8 text."))
}

fn unreadable(error: &std::io::Error) -> PolicyProblem {
    use std::io::ErrorKind;
    PolicyProblem::whole(match error.kind() {
        ErrorKind::NotFound => "The file is not there any more.",
        ErrorKind::PermissionDenied => "The file may not be read.",
        _ => "The file could not be read.",
    })
}

/// A path that cannot be remembered as text.
pub(crate) fn unnameable() -> Failure {
    Failure::new(
        ErrorCode::PolicyInvalid,
        "The name of this file is not text that can be remembered. Rename it or its folder. The \
         policy was not changed.",
    )
}

/// Reads a file that a person chose, before it is taken.
///
/// # Errors
/// [`ErrorCode::PolicyInvalid`] with line and field.
pub(crate) fn check_file(path: &Path) -> Result<(), Failure> {
    let checked = text_of(path).and_then(|text| parse(&text));
    checked.map(drop).map_err(|problem| {
        let words = format!("{} The policy was not changed.", problem.words());
        Failure::new(ErrorCode::PolicyInvalid, words)
    })
}

impl Policy {
    /// Refuses a name that does not fit. A name that is kept need not.
    ///
    /// # Errors
    /// [`NameError::OutsidePolicy`].
    pub fn check_name(&self, name: &str) -> Result<(), NameError> {
        match &self.name_pattern {
            Some(pattern) if !pattern.fits(name) => {
                Err(NameError::OutsidePolicy(pattern.text.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an empty description where one is required.
    ///
    /// # Errors
    /// [`NameError::DescriptionMissing`].
    pub fn check_description(&self, description: &str) -> Result<(), NameError> {
        if self.description_required && description.trim().is_empty() {
            return Err(NameError::DescriptionMissing);
        }
        Ok(())
    }

    /// The exception for a finding that counts on this day.
    pub(crate) fn exception(
        &self,
        rule: Rule,
        uid: &str,
        name: &str,
        today: Date,
    ) -> Option<&Exception> {
        self.exceptions
            .iter()
            .find(|each| each.rule == rule && each.until >= today && each.names(uid, name))
    }
}

/// The last moment of a day in ms since 1970, for showing until when an exception counts. No window
/// can show a day that lies beyond the last one there is.
pub(crate) fn end_of_day(day: Date, zone: &TimeZone) -> i64 {
    let next = day.tomorrow().ok().and_then(|next| next.to_zoned(zone.clone()).ok());
    next.map_or(LAST_SHOWN, |next| (next.timestamp().as_millisecond() - 1).min(LAST_SHOWN))
}

/// 31 December 9998 in ms since 1970: a day that every calendar can show, in every zone.
const LAST_SHOWN: i64 = 253_370_764_800_000 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
version = 1
longest_life_days = 90
name_pattern = "[a-z0-9-]+"
description_required = true
forbid_never_ending = true

[thresholds]
owner_not_seen_days = 60
revoked_days = 7
expiring_days = 21
quota_percent = 80
pile_up = 4

[severity]
never_ends = "act_now"
no_description = "off"

[[exceptions]]
rule = "never_ends"
key = "legacy-*"
reason = "Old build farm, replaced in spring"
until = 2027-03-31
"#;

    #[test]
    fn a_whole_file_is_read() {
        let policy = parse(FULL).unwrap();
        assert_eq!(policy.longest_life_days, Some(90));
        assert!(policy.description_required && policy.forbid_never_ending);
        let defaults = Thresholds::default();
        assert_eq!(
            policy.thresholds,
            Thresholds {
                owner_not_seen_days: 60,
                revoked_days: 7,
                expiring_days: Some(21),
                quota_percent: 80,
                pile_up: 4,
                ..defaults
            }
        );
        assert_eq!(policy.severities.get(&Rule::NeverEnds), Some(&Severity::ActNow));
        assert_eq!(policy.severities.get(&Rule::NoDescription), Some(&Severity::Off));
        assert!(policy.check_name("ci-prod-2").is_ok());
        assert!(policy.check_name("CI prod").is_err(), "the whole name has to fit");
        assert!(policy.check_description("  ").is_err());
        let day = |text: &str| text.parse::<Date>().unwrap();
        let found =
            |on: &str| policy.exception(Rule::NeverEnds, "u1", "legacy-jenkins", day(on)).is_some();
        assert!(found("2027-03-31") && !found("2027-04-01"), "its last day counts");
        assert!(policy.exception(Rule::NeverEnds, "u1", "ci", day("2027-01-01")).is_none());
    }

    #[test]
    fn the_smallest_file_asks_nothing() {
        let policy = parse("version = 1").unwrap();
        assert_eq!(policy.thresholds, Thresholds::default());
        assert!(policy.longest_life_days.is_none() && policy.exceptions.is_empty());
        assert!(policy.check_name("Anything at all").is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_field() {
        let table: [(&str, Option<u32>, Option<&str>, &str); 17] = [
            ("", Some(1), None, "missing field `version`"),
            ("version = 2", Some(1), Some("version"), "must be 1"),
            ("version = 1\nlongest_life_days = 0", Some(2), Some("longest_life_days"), "between 1"),
            (
                "version = 1\n\nlongest_life_days = \"90\"",
                Some(3),
                Some("longest_life_days"),
                "invalid type",
            ),
            (
                "version = 1\nlongest_live_days = 9",
                Some(2),
                Some("longest_live_days"),
                "unknown field",
            ),
            (
                "version = 1\nname_pattern = \"[\"",
                Some(2),
                Some("name_pattern"),
                "not a regular expression",
            ),
            ("version = 1\nname_pattern = \"\"", Some(2), Some("name_pattern"), "1 to 500"),
            (
                "version = 1\nname_pattern = \"(x{1000}){1000}\"",
                Some(2),
                Some("name_pattern"),
                "not a regular expression",
            ),
            (
                "version = 1\n[thresholds]\nquota_percent = 101",
                Some(3),
                Some("thresholds.quota_percent"),
                "between 1 and 100",
            ),
            (
                "version = 1\n[thresholds]\npile_up = 1",
                Some(3),
                Some("thresholds.pile_up"),
                "between 2",
            ),
            (
                "version = 1\n[severity]\nnever_end = \"off\"",
                Some(3),
                Some("severity.never_end"),
                "is not a rule. Rules are owner_gone",
            ),
            (
                "version = 1\n[severity]\nnever_ends = \"high\"",
                Some(3),
                Some("severity.never_ends"),
                "act_now",
            ),
            (
                "version = 1\n[[exceptions]]\nrule = \"x\"\nkey = \"a\"\nreason = \"b\"\nuntil = 2027-01-01",
                Some(3),
                Some("exceptions.rule"),
                "not a rule",
            ),
            (
                "version = 1\n[[exceptions]]\nrule = \"never_ends\"\nkey = \" \"\nreason = \"b\"\nuntil = 2027-01-01",
                Some(4),
                Some("exceptions.key"),
                "must not be empty",
            ),
            (
                "version = 1\n[[exceptions]]\nrule = \"never_ends\"\nkey = \"a\"\nreason = \"b\"\nuntil = 10:00:00",
                Some(6),
                Some("exceptions.until"),
                "a date such as",
            ),
            (
                "version = 1\n[[exceptions]]\nrule = \"never_ends\"\nkey = \"a\"\nuntil = 2027-01-01",
                Some(2),
                None,
                "missing field `reason`",
            ),
            ("version = 1\nversion 2", Some(2), None, ""),
        ];
        for (text, line, field, words) in table {
            let problem = parse(text).unwrap_err();
            assert_eq!(
                (problem.line, problem.field.as_deref()),
                (line, field),
                "{text}: {problem:?}"
            );
            assert!(problem.message.contains(words), "{text}: {}", problem.message);
            assert!(!problem.words().is_empty());
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("ci", "ci", true),
            ("ci", "cia", false),
            ("ci-*", "ci-prod", true),
            ("ci-*", "aci-prod", false),
            ("*-prod", "ci-prod", true),
            ("*-prod", "ci-prod-2", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "ac", false),
            ("aa*aa", "aaa", false),
            ("*", "", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_broken_file_is_said_and_the_last_good_one_counts_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        let path = file.to_str().unwrap();
        let (store, _) = Store::open(&dir.path().join("data")).unwrap();
        let holder = PolicyFile::default();

        holder.read(&store, Some(path));
        let missing = holder.state();
        assert!(!missing.counts && missing.problem.unwrap().message.contains("not there"));

        std::fs::write(&file, FULL).unwrap();
        holder.read(&store, Some(path));
        assert_eq!(holder.state().policy.longest_life_days, Some(90));
        assert!(holder.state().problem.is_none());

        std::fs::write(&file, "version = 1\nlongest_life_days = -1").unwrap();
        holder.read(&store, Some(path));
        let broken = holder.state();
        assert_eq!(broken.problem.unwrap().line, Some(2));
        assert!(broken.counts);
        assert_eq!(broken.policy.longest_life_days, Some(90), "the last good one is kept");

        let restarted = PolicyFile::default();
        restarted.read(&store, Some(path));
        assert_eq!(restarted.state().policy.longest_life_days, Some(90), "over a restart too");
        assert!(restarted.state().problem.is_some());

        std::fs::write(&file, "version = 1").unwrap();
        restarted.read(&store, Some(path));
        assert_eq!(restarted.state().policy.longest_life_days, None);
        restarted.read(&store, None);
        assert!(restarted.state().path.is_none());
    }

    #[test]
    fn an_exception_is_shown_until_its_last_day() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let shown = |text: &str| {
            let at = jiff::Timestamp::from_millisecond(end_of_day(day(text), &zone)).unwrap();
            at.to_zoned(zone.clone()).date()
        };
        assert_eq!(shown("2027-03-31"), day("2027-03-31"));
        assert_eq!(shown("2027-03-28"), day("2027-03-28"), "a day of 23 hours");
        assert!(shown("9999-12-31") >= day("9998-12-30"), "for ever is not 1970");
    }
}
