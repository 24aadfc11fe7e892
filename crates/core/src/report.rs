//! Reports: what a person takes out of the app to show or to keep, as CSV, JSON or one page of HTML.
//!
//! A report is made from the list as it is known, of the keys that the window names (what view and
//! search let through), and says of itself when, where, by whom and of what it was made. It never
//! holds a secret: it is made from what the main window is shown, which gets none. The formats are
//! described in `docs/report.md`; the JSON has a schema, `docs/report.schema.json`.

mod csv;
mod html;
mod offboard;

use crate::{
    ErrorCode, Failure,
    connection::{Sees, live::Live},
    held,
    keys::{
        Flag, KeyView, OwnerState, Status,
        activity::{Act, ActState},
        view_of,
    },
    ports::{Deed, Ports, internal},
    review::{
        self,
        findings::{FindingView, Severity},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    path::Path,
    sync::Arc,
};
use ts_rs::TS;

pub(crate) use offboard::offboard;
pub use offboard::{OffboardReportRequest, Replacement};

/// The number of the JSON's schema. It grows when a field goes away or means something else; new
/// fields do not change it.
pub const VERSION: u32 = 1;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ReportFormat {
    /// One line for each key, for spreadsheets.
    Csv,
    /// Everything, for programs.
    Json,
    /// One page, for people; prints well.
    Html,
}

impl ReportFormat {
    /// What a file's name ends with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Html => "html",
        }
    }
}

/// Write a report of keys.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReportRequest {
    /// Id of the connection.
    pub connection: String,
    /// How it is written.
    pub format: ReportFormat,
    /// uids of the keys, in their order; none: every key.
    pub uids: Option<Vec<String>>,
    /// What the keys were chosen by, in words: "Expiring, owner:sam"; empty: nothing.
    pub filter: String,
}

/// A report that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReportView {
    /// The file's name, without its folder.
    pub file: String,
    /// Keys in it.
    pub keys: u32,
}

/// A report before it has a form. The JSON is exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct Report {
    /// "palette-keys-report"
    pub(crate) format: &'static str,
    pub(crate) version: u32,
    /// "keys" or "offboarding"
    pub(crate) kind: &'static str,
    /// "Palette Keys 0.1.0"
    pub(crate) made_with: String,
    pub(crate) made_at: Timestamp,
    pub(crate) made_by: Option<PersonPart>,
    pub(crate) connection: String,
    pub(crate) tenant: String,
    pub(crate) host: String,
    /// "every_key" or "own_keys"
    pub(crate) sees: Option<&'static str>,
    /// When the server was last asked, by its own clock.
    pub(crate) as_of: Option<Timestamp>,
    /// Keys that the server gave as well and that could not be understood: they are in no list here.
    pub(crate) not_understood: usize,
    pub(crate) filter: Option<String>,
    pub(crate) counts: Counts,
    pub(crate) keys: Vec<KeyPart>,
    /// Worst first, as far as they are about these keys. What was accepted is not among them.
    pub(crate) findings: Vec<FindingPart>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offboarding: Option<offboard::Offboarding>,
}

/// A person of a report. Empty texts are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PersonPart {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
}

/// How many keys are what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    pub(crate) keys: usize,
    pub(crate) people: usize,
    pub(crate) active: usize,
    pub(crate) expiring: usize,
    pub(crate) expired: usize,
    pub(crate) revoked: usize,
    pub(crate) never_expires: usize,
    pub(crate) owner_gone: usize,
    pub(crate) owner_inactive: usize,
    pub(crate) findings: usize,
}

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeyPart {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) status: &'static str,
    pub(crate) flags: Vec<&'static str>,
    pub(crate) owner: OwnerPart,
    pub(crate) made_by: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
    /// None: never.
    pub(crate) expires: Option<Timestamp>,
    /// What the review says of it, one each: the finding's title where it is about this key alone,
    /// else what it looks for.
    pub(crate) findings: Vec<String>,
}

/// The owner of a key. Empty texts are not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OwnerPart {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    pub(crate) state: &'static str,
}

/// One finding of the review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FindingPart {
    pub(crate) rule: String,
    pub(crate) severity: &'static str,
    pub(crate) title: String,
    pub(crate) evidence: String,
    /// uids of the keys it is about.
    pub(crate) keys: Vec<String>,
}

/// What the file is written in and its name.
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) keys: u32,
}

/// Makes a report of keys.
pub(crate) fn keys(
    ports: &Ports,
    live: &Live,
    version: &str,
    request: &ReportRequest,
) -> Result<Written, Failure> {
    if live.known(ports).is_none() {
        return Err(Failure::new(
            ErrorCode::FileFailed,
            "The keys have not been read yet, so there is nothing to report. Nothing was written.",
        ));
    }
    let all = views(ports, live);
    let of_keys: Vec<&KeyView> = match &request.uids {
        None => all.iter().collect(),
        Some(uids) => {
            let known: HashMap<&str, &KeyView> = all.iter().map(|key| (&*key.uid, key)).collect();
            uids.iter().filter_map(|uid| known.get(&**uid).copied()).collect()
        }
    };
    let report = Report {
        filter: Some(request.filter.trim().to_owned()).filter(|filter| !filter.is_empty()),
        ..base(ports, live, version, "keys", &of_keys)
    };
    Ok(Written { text: write(ports, &report, request.format)?, keys: count(report.keys.len()) })
}

/// Every known key. What the window was given of the list stays untouched by it.
fn views(ports: &Ports, live: &Live) -> Vec<KeyView> {
    let list = live.known(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    live.look(ports, |lens| keys.iter().map(|key| view_of(key, lens)).collect())
}

/// What every report says of itself, and the keys.
fn base(
    ports: &Ports,
    live: &Live,
    version: &str,
    kind: &'static str,
    keys: &[&KeyView],
) -> Report {
    let connection = live.view();
    let list = live.known(ports);
    let identity = connection.identity.as_ref();
    let found = findings(ports, live, &keys.iter().map(|key| &*key.uid).collect());
    let mut by_key: HashMap<&str, Vec<String>> = HashMap::new();
    for finding in &found {
        // The title of a group counts its keys: of one of them it says nothing.
        let words = match finding.keys.len() {
            1 => &*finding.title,
            _ => finding.rule.title(),
        };
        for uid in &finding.keys {
            by_key.entry(uid).or_default().push(words.to_owned());
        }
    }
    let parts: Vec<KeyPart> = keys
        .iter()
        .map(|key| part_of(key, by_key.get(&*key.uid).cloned().unwrap_or_default()))
        .collect();
    let findings: Vec<FindingPart> = found.into_iter().map(FindingPart::from).collect();
    Report {
        format: "palette-keys-report",
        version: VERSION,
        kind,
        made_with: format!("Palette Keys {version}"),
        made_at: whole_seconds(ports.now()),
        made_by: identity.map(|me| PersonPart {
            uid: me.user_uid.clone(),
            name: me.name.clone(),
            email: me.email.clone(),
        }),
        connection: connection.name,
        tenant: connection.organization.clone().unwrap_or_default(),
        host: connection.host,
        sees: identity.map(|me| match me.sees {
            Sees::EveryKey => "every_key",
            Sees::OwnKeys => "own_keys",
        }),
        as_of: list.as_ref().map(|list| whole_seconds(list.as_of)),
        not_understood: list.map_or(0, |list| list.skipped),
        filter: None,
        counts: counts(keys, findings.len()),
        keys: parts,
        findings,
        offboarding: None,
    }
}

fn counts(keys: &[&KeyView], findings: usize) -> Counts {
    let of = |fits: &dyn Fn(&KeyView) -> bool| keys.iter().filter(|key| fits(key)).count();
    let flag = |flag: Flag| of(&|key| key.flags.contains(&flag));
    let owners: HashSet<(&str, &str)> = keys
        .iter()
        .map(|key| match key.owner_uid.is_empty() {
            true => ("", &*key.owner_name),
            false => (&*key.owner_uid, ""),
        })
        .collect();
    Counts {
        keys: keys.len(),
        people: owners.len(),
        active: of(&|key| key.status == Status::Active),
        expiring: of(&|key| key.status == Status::Expiring),
        expired: of(&|key| key.status == Status::Expired),
        revoked: of(&|key| key.status == Status::Revoked),
        never_expires: flag(Flag::NeverExpires),
        owner_gone: flag(Flag::OwnerGone),
        owner_inactive: flag(Flag::OwnerInactive),
        findings,
    }
}

fn part_of(key: &KeyView, findings: Vec<String>) -> KeyPart {
    KeyPart {
        uid: key.uid.clone(),
        name: key.name.clone(),
        description: key.description.clone(),
        status: status_word(key.status),
        flags: key.flags.iter().map(|flag| flag_word(*flag)).collect(),
        owner: OwnerPart {
            uid: key.owner_uid.clone(),
            name: key.owner_name.clone(),
            email: key.owner_email.clone(),
            state: match key.owner_state {
                OwnerState::Active => "active",
                OwnerState::Inactive => "inactive",
                OwnerState::Gone => "gone",
                OwnerState::Unknown => "unknown",
            },
        },
        made_by: key.made_by.clone(),
        created: (key.created != 0).then(|| at(key.created)).flatten(),
        modified: key.modified.and_then(at),
        expires: key.expires.and_then(at),
        findings,
    }
}

/// The word of a status in CSV and JSON.
pub(crate) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "active",
        Status::Expiring => "expiring",
        Status::Expired => "expired",
        Status::Revoked => "revoked",
    }
}

/// The word of a flag in CSV and JSON.
fn flag_word(flag: Flag) -> &'static str {
    match flag {
        Flag::NeverExpires => "never_expires",
        Flag::OwnerGone => "owner_gone",
        Flag::OwnerInactive => "owner_inactive",
        Flag::InKeychain => "in_keychain",
        Flag::SignsIn => "signs_in",
        Flag::Rolling => "rolling",
        Flag::Replaces => "replaces",
        Flag::Revoking => "revoking",
    }
}

/// What the review says of the keys of these uids.
fn findings(ports: &Ports, live: &Live, uids: &HashSet<&str>) -> Vec<FindingView> {
    // Not knowing what was accepted tells a finding once more, which hides nothing.
    let accepted = ports.store.accepted(&live.id()).unwrap_or_default();
    review::look(ports, live, |input, _| review::findings_of(input, &accepted, uids))
}

impl From<FindingView> for FindingPart {
    fn from(finding: FindingView) -> Self {
        Self {
            rule: finding.rule.name().to_owned(),
            severity: match finding.severity {
                Severity::ActNow => "act_now",
                Severity::ThisMonth => "this_month",
                Severity::CleanUp => "clean_up",
                Severity::Off => "off",
            },
            title: finding.title,
            evidence: finding.evidence,
            keys: finding.keys,
        }
    }
}

fn write(ports: &Ports, report: &Report, format: ReportFormat) -> Result<String, Failure> {
    match format {
        ReportFormat::Csv => Ok(csv::csv(report)),
        ReportFormat::Html => Ok(html::html(report, &ports.clock.time_zone())),
        ReportFormat::Json => serde_json::to_string_pretty(report)
            .map(|text| text + "\n")
            .map_err(|_| internal("The report could not be written down. No file was made.")),
    }
}

/// Puts a report where a person picked: whole or not at all, readable by its owner only.
pub(crate) async fn save(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    act: Act,
    written: Written,
    path: &Path,
) -> Result<ReportView, Failure> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Written { text, keys } = written;
    let told = held::write_text(path, text).await;
    let name = if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") };
    let state = if told.is_ok() { ActState::Done } else { ActState::Failed };
    let deed = Deed { act, key_uid: "", key_name: &name, owner_name: "", detail: &file };
    // What is on disk is there, whether the journal can tell or not.
    if ports.note(live, &deed, state).is_err() {
        tracing::warn!("that a report was written could not be written down");
    }
    told.map_err(|words| {
        Failure::new(ErrorCode::FileFailed, format!("{words} No report was written."))
    })?;
    Ok(ReportView { file, keys })
}

/// The name a file dialog proposes: "acme keys 2026-11-25.csv".
pub(crate) fn file_name(ports: &Ports, live: &Live, what: &str, format: ReportFormat) -> String {
    let connection = live.view();
    let tenant = connection.organization.unwrap_or(connection.name);
    let date = ports.now().to_zoned(ports.clock.time_zone()).strftime("%Y-%m-%d").to_string();
    let name: String = format!("{tenant} {what} {date}")
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | ' ') { c } else { '-' })
        .take(80)
        .collect();
    format!("{}.{}", name.trim_matches(['-', ' ']), format.extension())
}

fn at(ms: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms).ok()
}

/// Times of ours are told to the second; those of the server as it gave them.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// "2026-11-25T04:10:00Z", whole seconds: the one form of a time in CSV.
fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
pub(crate) mod tests;
