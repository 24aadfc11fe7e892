//! Accepted: a finding that somebody decided to live with, until a date and as long as nothing
//! about it changes.

use super::findings::{Hit, Rule, keys_word};
use crate::{
    ErrorCode, Failure,
    connection::live::Live,
    keys::{
        ApiKey,
        activity::{Act, ActState},
    },
    ports::{Deed, Ports},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use ts_rs::TS;

/// The farthest end of an acceptance: what is meant for longer is an exception in the policy.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);
/// Longest reason, in characters.
const LONGEST_REASON: usize = 500;

/// Why a finding was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// No reason was given.
    #[error("Say why. Whoever looks next wants to know. Nothing was accepted.")]
    ReasonMissing,
    /// More characters than a reason may have.
    #[error("The reason has {0} characters; {LONGEST_REASON} are the most. Nothing was accepted.")]
    ReasonTooLong(usize),
    /// The end is not in the future, or more than a year away.
    #[error("Choose a day from tomorrow on, at most a year from now. Nothing was accepted.")]
    UntilInvalid,
    /// The finding is not there any more.
    #[error("This finding is not there any more. Nothing was accepted.")]
    Gone,
    /// It could not be written down.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<AcceptError> for Failure {
    fn from(error: AcceptError) -> Self {
        let code = match error {
            AcceptError::ReasonMissing | AcceptError::ReasonTooLong(_) => ErrorCode::ReasonInvalid,
            AcceptError::UntilInvalid => ErrorCode::UntilInvalid,
            AcceptError::Gone => ErrorCode::FindingGone,
            AcceptError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// Live with a finding until a date.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AcceptRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// Of which rule.
    pub rule: Rule,
    /// uids of the keys.
    pub keys: Vec<String>,
    /// Why.
    pub reason: String,
    /// Until when, ms since 1970 UTC.
    #[ts(type = "number")]
    pub until: i64,
}

/// Take an acceptance back.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct TakeBackRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// Of which rule.
    pub rule: Rule,
    /// uids of the keys.
    pub keys: Vec<String>,
}

/// An acceptance on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Of which rule.
    pub rule: Rule,
    /// uid of the key.
    pub uid: String,
    /// The key's name at that time.
    pub name: String,
    /// What was true of the key then: when it is not any more, the finding comes back.
    pub facts: String,
    /// Why.
    pub reason: String,
    /// When it was accepted, ms since 1970 UTC.
    pub at: i64,
    /// Until when, ms since 1970 UTC.
    pub until: i64,
}

/// An acceptance that counts, as the window shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct AcceptedView {
    /// Of which rule.
    pub rule: Rule,
    /// "Never expires"
    pub about: String,
    /// uid of the key.
    pub uid: String,
    /// The key's name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Until when, ms since 1970 UTC.
    #[ts(type = "number")]
    pub until: i64,
    /// The policy file says so: it cannot be taken back here.
    pub by_policy: bool,
}

/// What an acceptance rests on: whose key it is, whether it works, and when it ends.
pub fn facts(key: &ApiKey) -> String {
    let ends = key.expires.map_or("never".to_owned(), |at| at.as_millisecond().to_string());
    format!("{}|{}|{ends}", key.owner_uid, if key.active { "active" } else { "revoked" })
}

/// The acceptance of a hit, if there is one that still counts.
pub fn of<'a>(
    accepted: &'a HashMap<(Rule, &str), &Accepted>,
    hit: &Hit,
    key: &ApiKey,
    now: Timestamp,
) -> Option<&'a Accepted> {
    let accepted = accepted.get(&(hit.rule, key.uid.as_str()))?;
    (accepted.until > now.as_millisecond() && accepted.facts == facts(key)).then_some(*accepted)
}

/// Accepts findings: written down, or nothing is accepted.
pub(crate) fn accept(
    ports: &Ports,
    live: &Live,
    request: &AcceptRequest,
) -> Result<(), AcceptError> {
    let reason = request.reason.trim();
    let length = reason.chars().count();
    if length == 0 {
        return Err(AcceptError::ReasonMissing);
    }
    if length > LONGEST_REASON {
        return Err(AcceptError::ReasonTooLong(length));
    }
    let now = live.server_now(ports);
    let until =
        Timestamp::from_millisecond(request.until).map_err(|_| AcceptError::UntilInvalid)?;
    if until <= now || until.duration_since(now) > LONGEST {
        return Err(AcceptError::UntilInvalid);
    }
    let wanted: HashSet<&str> = request.keys.iter().map(String::as_str).collect();
    let list = live.known(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let rows: Vec<Accepted> = keys
        .iter()
        .filter(|key| wanted.contains(key.uid.as_str()))
        .map(|key| Accepted {
            rule: request.rule,
            uid: key.uid.as_str().to_owned(),
            name: key.name.clone(),
            facts: facts(key),
            reason: reason.to_owned(),
            at: now.as_millisecond(),
            until: request.until,
        })
        .collect();
    if rows.is_empty() {
        return Err(AcceptError::Gone);
    }
    ports.store.accept(&live.id(), &rows).map_err(|error| error.failure())?;
    let day = until.to_zoned(ports.clock.time_zone()).strftime("%-d %b %Y");
    let detail = format!("{}, until {day}: {reason}", request.rule.title());
    note(ports, live, Act::Accept, &request.keys, &detail);
    Ok(())
}

/// A line for Activity: with a name and an owner where it is about one key.
fn note(ports: &Ports, live: &Live, act: Act, uids: &[String], detail: &str) {
    let list = live.known(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let many = keys_word(uids.len());
    let deed = match uids {
        [uid] => keys.iter().find(|key| key.uid.as_str() == uid),
        _ => None,
    }
    .map_or(Deed { act, key_uid: "", key_name: &many, owner_name: "", detail }, |key| {
        Deed::of_key(act, key, detail)
    });
    // The decision is on disk and counts, whether the journal can tell of it or not.
    if ports.note(live, &deed, ActState::Done).is_err() {
        tracing::warn!("a decision of the review could not be written down");
    }
}

/// Takes acceptances back.
pub(crate) fn take_back(
    ports: &Ports,
    live: &Live,
    request: &TakeBackRequest,
) -> Result<(), AcceptError> {
    let taken = ports.store.take_back(&live.id(), request.rule, &request.keys);
    taken.map_err(|error| error.failure())?;
    note(ports, live, Act::TakeBack, &request.keys, request.rule.title());
    Ok(())
}
