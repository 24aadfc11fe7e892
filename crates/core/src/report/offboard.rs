//! The report of an offboarding: whose keys, what was done to them, and what the server confirmed.
//!
//! What was done comes from the journal and what is true from a list that is read for it, never from
//! what the window remembers.

use super::{PersonPart, ReportFormat, Written, at, base, count, views, write};
use crate::{
    Failure,
    connection::{Sees, live::Live},
    keys::{
        KeyView, Status,
        activity::{Act, ActState, ActivityFilter, ActivityRequest, ActivityView},
        list,
    },
    ports::Ports,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};
use ts_rs::TS;

/// Lines of the journal that are looked through at most.
const LINES: usize = 20_000;

/// Write the report of an offboarding.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OffboardReportRequest {
    /// Id of the connection.
    pub connection: String,
    /// JSON or HTML; CSV holds the keys only.
    pub format: ReportFormat,
    /// uid of the person; empty when the server names none, then `name` is the person.
    pub person_uid: String,
    /// The person's name.
    pub name: String,
    /// The person's e-mail address, when known.
    pub email: Option<String>,
    /// uids of the keys the person had when it began: those that are deleted meanwhile are told of
    /// too.
    pub uids: Vec<String>,
    /// Who gets the replacements.
    pub successor_uid: Option<String>,
    /// Keys that were made in place of others.
    pub replacements: Vec<Replacement>,
    /// When it began, ms since 1970: older lines of the journal are not part of it.
    #[ts(type = "number")]
    pub since: i64,
}

/// A key made in place of another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// uid of the key it replaces.
    pub old: String,
    /// uid of the new key.
    pub new: String,
}

/// What a report says of an offboarding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Offboarding {
    pub(crate) person: PersonPart,
    /// "active", "inactive", "gone" or "unknown"
    pub(crate) person_state: &'static str,
    pub(crate) successor: Option<PersonPart>,
    pub(crate) began: Option<Timestamp>,
    /// The list was read from the server for this report, and every key in it was understood.
    pub(crate) confirmed: bool,
    /// Keys of the person that work, as the server says.
    pub(crate) still_work: usize,
    /// Keys that were there when it began and are not any more; empty while some could not be
    /// understood.
    pub(crate) deleted: Vec<String>,
    pub(crate) replacements: Vec<Pair>,
    pub(crate) acts: Vec<Done>,
}

/// A key and what replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Pair {
    pub(crate) old_uid: String,
    pub(crate) old_name: String,
    pub(crate) new_uid: String,
    pub(crate) new_name: String,
    /// The new key is in the list.
    pub(crate) confirmed: bool,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Done {
    pub(crate) at: Timestamp,
    pub(crate) key_uid: String,
    pub(crate) key_name: String,
    pub(crate) act: &'static str,
    /// "confirmed", "failed", "cancelled", "not confirmed" or "not known"
    pub(crate) outcome: &'static str,
    pub(crate) detail: String,
}

/// Makes the report of an offboarding, from a fresh list where the server can be asked.
pub(crate) async fn offboard(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    version: &str,
    request: &OffboardReportRequest,
) -> Result<Written, Failure> {
    let began = ports.now();
    let refreshed = list::refresh_with_people(ports, live).await.is_ok();
    // What is not in the list may be a key that could not be understood, and so may any of theirs.
    let whole = live.known(ports).is_some_and(|list| list.skipped == 0);
    // Whoever lost the sight of other people's keys sees none of theirs, and they work all the same.
    let sees = live.identity().is_some_and(|me| {
        me.sees == Sees::EveryKey
            || (!request.person_uid.is_empty() && me.user_uid == request.person_uid)
    });
    let whole = whole && sees;
    let confirmed = refreshed && whole;
    let people_read = live.about_at().is_some_and(|at| at >= began);
    let all = views(ports, live);
    let known: HashMap<&str, &KeyView> = all.iter().map(|key| (&*key.uid, key)).collect();
    let is_theirs = |key: &KeyView| match request.person_uid.is_empty() {
        true => key.owner_uid.is_empty() && key.owner_name == request.name,
        false => key.owner_uid == request.person_uid,
    };
    let theirs: Vec<&KeyView> = all.iter().filter(|key| is_theirs(key)).collect();
    let still_work =
        theirs.iter().filter(|key| matches!(key.status, Status::Active | Status::Expiring)).count();
    let mut about: HashSet<&str> = request.uids.iter().map(String::as_str).collect();
    about.extend(theirs.iter().map(|key| &*key.uid));
    let made: HashSet<&str> = request.replacements.iter().map(|pair| &*pair.new).collect();
    let lines = lines(ports, live, request.since, &about, &made)?;
    let names: HashMap<&str, &str> = lines
        .iter()
        .filter_map(|line| Some((line.key_uid.as_deref()?, line.key_name.as_deref()?)))
        .chain(all.iter().map(|key| (&*key.uid, &*key.name)))
        .collect();
    let name_of = |uid: &str| names.get(uid).copied().unwrap_or_default().to_owned();
    let people = live.known(ports).and_then(|list| list.people.clone());
    let successor = request.successor_uid.as_deref().map(|uid| {
        let person = people.iter().flatten().find(|person| person.uid == uid);
        PersonPart {
            uid: uid.to_owned(),
            name: person.map(|person| person.name.clone()).unwrap_or_default(),
            email: person.map(|person| person.email.clone()).filter(|email| !email.is_empty()),
        }
    });
    let person_state = match people.as_ref().filter(|_| people_read) {
        // A list of people from before says nothing of a dated report.
        None => "unknown",
        Some(people) => match people.iter().find(|person| person.uid == request.person_uid) {
            None => "gone",
            Some(person) => match person.active {
                Some(true) => "active",
                Some(false) => "inactive",
                None => "unknown",
            },
        },
    };
    let mut report = base(ports, live, version, "offboarding", &theirs);
    report.offboarding = Some(Offboarding {
        person: PersonPart {
            uid: request.person_uid.clone(),
            name: request.name.clone(),
            email: request.email.clone(),
        },
        person_state,
        successor,
        began: at(request.since),
        confirmed,
        still_work,
        deleted: request
            .uids
            .iter()
            .filter(|uid| whole && !known.contains_key(&***uid))
            .map(|uid| uid.to_string())
            .collect(),
        replacements: request
            .replacements
            .iter()
            .map(|pair| Pair {
                old_uid: pair.old.clone(),
                old_name: name_of(&pair.old),
                new_uid: pair.new.clone(),
                new_name: name_of(&pair.new),
                confirmed: confirmed && known.contains_key(&*pair.new),
            })
            .collect(),
        acts: lines.iter().map(done).collect(),
    });
    Ok(Written { text: write(ports, &report, request.format)?, keys: count(theirs.len()) })
}

/// What was done to these keys since it began, oldest first.
fn lines(
    ports: &Ports,
    live: &Live,
    since: i64,
    about: &HashSet<&str>,
    made: &HashSet<&str>,
) -> Result<Vec<ActivityView>, Failure> {
    let (mut found, mut before, mut read) = (Vec::new(), None, 0);
    loop {
        let request = ActivityRequest {
            connection: Some(live.id()),
            before,
            limit: 200,
            filter: ActivityFilter::default(),
        };
        let page = ports.store.activity(&request).map_err(|error| error.failure())?;
        read += page.len();
        before = page.last().map(|line| line.id);
        let over =
            page.len() < 200 || read >= LINES || page.last().is_some_and(|line| line.at < since);
        found.extend(page.into_iter().filter(|line| {
            let uid = line.key_uid.as_deref().unwrap_or_default();
            line.at >= since
                && (about.contains(uid) || made.contains(uid) && line.act == Act::Create)
        }));
        if over {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn done(line: &ActivityView) -> Done {
    Done {
        at: at(line.at).unwrap_or_default(),
        key_uid: line.key_uid.clone().unwrap_or_default(),
        key_name: line.key_name.clone().unwrap_or_default(),
        act: act_word(line.act),
        outcome: match line.state {
            ActState::Done => "confirmed",
            ActState::Failed => "failed",
            ActState::Cancelled => "cancelled",
            ActState::Asked => "not confirmed",
            ActState::Unknown => "not known",
        },
        detail: line.detail.clone(),
    }
}

fn act_word(act: Act) -> &'static str {
    match act {
        Act::Create => "made",
        Act::Edit => "edited",
        Act::Renew => "renewed",
        Act::Revoke => "revoked",
        Act::Reactivate => "re-activated",
        Act::Delete => "deleted",
        Act::Copy => "value copied",
        Act::Reveal => "value shown",
        Act::SaveToKeychain => "value saved to the keychain",
        Act::SaveToFile => "value saved to a file",
        Act::Roll => "rolled",
        Act::Replace => "took the place of another",
        Act::RollProve => "tried on the server",
        Act::RollSwap => "signs a connection in",
        Act::RollEnd => "end moved by a roll",
        Act::RollCancel => "roll cancelled",
        Act::TryFound => "tried as a found key",
        _ => "other",
    }
}
