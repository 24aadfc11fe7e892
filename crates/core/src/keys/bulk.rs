//! Bulk: renew, re-activate or move the ends of many keys, a few at a time.
//!
//! Revoking and deleting many goes through the outbox, because it has to happen whatever becomes of
//! this app. What is here can be left half done: every key either has its change, confirmed by the
//! server, or is as it was. So it lives in memory only, stops on demand, and what it did is said key
//! by key. One line of the journal tells of the whole, so that a start after a crash can say how far
//! it came; each key has its own line beside it.

use super::{
    Flag, KeyUid, KeyView, Status,
    activity::{Act, ActState},
    edit, expiry,
    expiry::{ExpiryChoice, ExpiryError},
    renew, revoke,
};
use crate::{
    ErrorCode, Failure,
    api::PaletteClient,
    connection::live::{Live, key_uid},
    once::lock,
    palette_keys::Change,
    ports::{Deed, Ports, internal},
    store::{JournalId, JournalOutcome, Store},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::task::JoinSet;
use ts_rs::TS;

/// So many keys are worked on at once. The throttle all requests share paces them further.
const AT_ONCE: usize = 4;
/// So many times in a row without reaching the server, and the rest is left as it is.
const LOST_IN_A_ROW: usize = 6;
/// So many names are told in one line.
const NAMED: usize = 20;

/// Why nothing was begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulkError {
    /// The chosen end is none.
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<BulkError> for Failure {
    fn from(error: BulkError) -> Self {
        match error {
            BulkError::Expiry(error) => error.into(),
            BulkError::Failed(failure) => failure,
        }
    }
}

/// Do the same to several keys.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uids of the keys, in the order they are worked on.
    pub uids: Vec<String>,
    /// What is done to each.
    pub act: BulkAct,
}

/// What is done to each key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum BulkAct {
    /// The same new end for all.
    Renew {
        /// Counted from now.
        expiry: ExpiryChoice,
        /// Put revoked ones back into service as well.
        reactivate: bool,
    },
    /// Put back into service.
    Reactivate,
    /// Each gets its own new end (`after`), unless it has not the end any more that it had when this
    /// was planned (`before`).
    Move {
        /// The ends, in any order.
        ends: Vec<BulkEnd>,
    },
    /// Undo a renewal: each gets the end it had, unless somebody moved it since.
    Restore {
        /// The ends, in any order.
        ends: Vec<BulkEnd>,
    },
}

/// The end a key had and got.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkEnd {
    /// uid of the key.
    pub uid: String,
    /// Before, ms since 1970; none: it never ended.
    #[ts(type = "number | null")]
    pub before: Option<i64>,
    /// After, ms since 1970.
    #[ts(type = "number | null")]
    pub after: Option<i64>,
}

/// Names a bulk act that is under way.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkStopRequest {
    /// As it was begun with.
    pub op_id: String,
}

/// A bulk act under way. A call with its `op_id` joins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkRunView {
    /// As it was begun with.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// What is done to each key.
    pub act: BulkAct,
    /// Keys that have ended, one way or another.
    pub done: u32,
    /// Those of them that failed.
    pub failed: u32,
    /// All keys.
    pub of: u32,
    /// No further key is begun.
    pub stopping: bool,
}

/// What became of each key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkView {
    /// As they were read back. The server has confirmed each.
    pub changed: Vec<KeyView>,
    /// The ends that were moved, to undo it.
    pub ends: Vec<BulkEnd>,
    /// Not done, or not confirmed; the words say which.
    pub failed: Vec<BulkFailureView>,
    /// Left out on purpose.
    pub skipped: Vec<BulkSkippedView>,
    /// uids of keys that were not begun: it was stopped, or the server could not be reached.
    pub untouched: Vec<String>,
    /// Why the rest was not begun, when no person stopped it.
    pub cut_off: Option<Failure>,
}

/// A key that was not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkFailureView {
    /// uid of the key.
    pub uid: String,
    /// Its name; its uid when no list knows it.
    pub name: String,
    /// Why.
    pub problem: Failure,
}

/// A key that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BulkSkippedView {
    /// uid of the key.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: BulkSkip,
}

/// Why a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum BulkSkip {
    /// It signs this app in.
    SignsIn,
    /// It is part of a roll that is under way.
    Rolling,
    /// Somebody changed its end since: it is not put back.
    ChangedSince,
    /// The end it had has passed: going back to it would stop the key.
    EndPassed,
}

/// What is under way.
#[derive(Default)]
pub(crate) struct Bulks(Mutex<Vec<Arc<Run>>>);

struct Run {
    view: Mutex<BulkRunView>,
    stop: AtomicBool,
}

impl Bulks {
    /// All that is under way.
    pub(crate) fn views(&self) -> Vec<BulkRunView> {
        lock(&self.0).iter().map(|run| lock(&run.view).clone()).collect()
    }

    /// Begins no further key. What is on its way is waited for.
    pub(crate) fn stop(&self, ports: &Ports, op_id: &str) {
        let found = lock(&self.0).iter().find(|run| lock(&run.view).op_id == op_id).cloned();
        let Some(run) = found else { return };
        run.stop.store(true, Ordering::Release);
        run.change(ports, |view| view.stopping = true);
    }
}

impl Run {
    fn change(&self, ports: &Ports, change: impl FnOnce(&mut BulkRunView)) {
        let view = {
            let mut view = lock(&self.view);
            change(&mut view);
            view.clone()
        };
        ports.tell(Change::Bulk(Box::new(view)));
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// What is done to one key.
#[derive(Clone)]
enum Step {
    Renew { to: Timestamp, reactivate: bool },
    Reactivate,
    Move(Arc<BTreeMap<String, BulkEnd>>),
    Restore(Arc<BTreeMap<String, BulkEnd>>),
}

/// How one key ended.
enum Ended {
    Changed(Box<KeyView>, Option<BulkEnd>),
    Failed(Failure),
    Skipped(BulkSkip),
}

/// Does the same to several keys and says what became of each.
pub(crate) async fn run(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    bulks: &Bulks,
    request: &BulkRequest,
) -> Result<BulkView, BulkError> {
    // All or none: what is no uid names no key. One named twice is one key.
    let mut seen = HashSet::new();
    let mut waiting: VecDeque<KeyUid> = VecDeque::new();
    for uid in &request.uids {
        let uid = key_uid(uid)?;
        if seen.insert(uid.clone()) {
            waiting.push_back(uid);
        }
    }
    if waiting.is_empty() {
        return Err(internal("No key was named. Nothing was done.").into());
    }
    let client = live.signed_in(ports).await?;
    let step = match &request.act {
        BulkAct::Renew { expiry, reactivate } => {
            // Once for all: they were promised the same end.
            let to = edit::resolved(ports, &client, expiry)?;
            Step::Renew { to, reactivate: *reactivate }
        }
        BulkAct::Reactivate => Step::Reactivate,
        BulkAct::Move { ends } => Step::Move(by_uid(ends)),
        BulkAct::Restore { ends } => Step::Restore(by_uid(ends)),
    };
    let of = waiting.len();
    let all = in_words(ports, &step, of);
    let names = Names::of(ports, live);
    let line = begin(ports, live, &step, &all, of)?;
    let run = Arc::new(Run {
        view: Mutex::new(BulkRunView {
            op_id: request.op_id.clone(),
            connection: live.id(),
            act: request.act.clone(),
            done: 0,
            failed: 0,
            of: u32::try_from(of).unwrap_or(u32::MAX),
            stopping: false,
        }),
        stop: AtomicBool::new(false),
    });
    lock(&bulks.0).push(Arc::clone(&run));
    run.change(ports, |_| {});

    let mut outcome = BulkView {
        changed: Vec::new(),
        ends: Vec::new(),
        failed: Vec::new(),
        skipped: Vec::new(),
        untouched: Vec::new(),
        cut_off: None,
    };
    let mut at_work = JoinSet::new();
    let mut lost = 0;
    loop {
        while at_work.len() < AT_ONCE
            && !run.stops()
            && outcome.cut_off.is_none()
            && let Some(uid) = waiting.pop_front()
        {
            let (ports, live, step) = (Arc::clone(ports), Arc::clone(live), step.clone());
            at_work.spawn(async move {
                let ended = one(&ports, &live, &uid, &step).await;
                (uid, ended)
            });
        }
        let Some(joined) = at_work.join_next().await else { break };
        // A task that panicked has no uid; the key is among those that are not known.
        let Ok((uid, ended)) = joined else { continue };
        seen.remove(&uid);
        let name = names.of_key(&uid);
        let mut failed = false;
        match ended {
            Ended::Changed(key, end) => {
                lost = 0;
                outcome.changed.push(*key);
                outcome.ends.extend(end);
            }
            Ended::Skipped(why) => {
                lost = 0;
                outcome.skipped.push(BulkSkippedView { uid: uid.into(), name, why });
            }
            Ended::Failed(problem) => {
                failed = true;
                lost = if is_lost(problem.code) { lost + 1 } else { 0 };
                if needs_a_person(problem.code) || lost >= LOST_IN_A_ROW {
                    outcome.cut_off.get_or_insert_with(|| problem.clone());
                }
                outcome.failed.push(BulkFailureView { uid: uid.into(), name, problem });
            }
        }
        // On record first: a crash after this knows at least of this one.
        let progress = progress(&all, &outcome);
        let so_far = JournalOutcome::new(ActState::Asked, progress, ports.now());
        if ports.store.outcome(line, &so_far).is_err() {
            tracing::warn!("how far a bulk act came could not be written down");
        }
        run.change(ports, |view| {
            view.done += 1;
            view.failed += u32::from(failed);
        });
    }
    for uid in seen.iter().filter(|uid| !waiting.contains(uid)) {
        let problem = internal(
            "Palette Keys made a mistake and does not know how this ended. Refresh the list to \
             see what the server did.",
        );
        let name = names.of_key(uid);
        outcome.failed.push(BulkFailureView { uid: uid.as_str().to_owned(), name, problem });
    }
    outcome.untouched = waiting.into_iter().map(String::from).collect();
    end(ports, live, line, &all, &outcome);
    lock(&bulks.0).retain(|each| !Arc::ptr_eq(each, &run));
    Ok(outcome)
}

fn by_uid(ends: &[BulkEnd]) -> Arc<BTreeMap<String, BulkEnd>> {
    Arc::new(ends.iter().map(|end| (end.uid.clone(), end.clone())).collect())
}

async fn one(ports: &Arc<Ports>, live: &Arc<Live>, uid: &KeyUid, step: &Step) -> Ended {
    // The window leaves these out and says so; this holds whatever it sends.
    if let Some(why) = left_out(ports, live, uid) {
        return Ended::Skipped(why);
    }
    let ended = match step {
        Step::Renew { to, reactivate } => renewed(ports, live, uid, *to, *reactivate).await,
        Step::Reactivate => revoke::reactivate(ports, live, uid)
            .await
            .map(|view| Ended::Changed(Box::new(view.key), None))
            .map_err(Failure::from),
        Step::Move(ends) => moved(ports, live, uid, ends.get(uid.as_str())).await,
        Step::Restore(ends) => restored(ports, live, uid, ends.get(uid.as_str())).await,
    };
    ended.unwrap_or_else(Ended::Failed)
}

/// The key this app signs in with, and one that is being rolled, are changed by themselves only.
fn left_out(ports: &Ports, live: &Live, uid: &KeyUid) -> Option<BulkSkip> {
    let key = live.known_key(ports, uid)?;
    let view = live.view_key(ports, &key);
    let works = matches!(view.status, Status::Active | Status::Expiring);
    if works && view.flags.contains(&Flag::SignsIn) {
        return Some(BulkSkip::SignsIn);
    }
    view.pair.is_some().then_some(BulkSkip::Rolling)
}

async fn renewed(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    to: Timestamp,
    reactivate: bool,
) -> Result<Ended, Failure> {
    let moved = renew::renew_to(ports, live, uid, Some(to)).await?;
    let end = BulkEnd {
        uid: uid.as_str().to_owned(),
        before: moved.before.map(Timestamp::as_millisecond),
        after: moved.key.expires,
    };
    if !reactivate || moved.key.status != Status::Revoked {
        return Ok(Ended::Changed(Box::new(moved.key), Some(end)));
    }
    match revoke::reactivate(ports, live, uid).await.map_err(Failure::from) {
        Ok(view) => Ok(Ended::Changed(Box::new(view.key), Some(end))),
        Err(problem) => Err(Failure {
            message: format!("It has its new end, but is still revoked. {}", problem.message),
            ..problem
        }),
    }
}

/// As planned, if it is still as it was then: an end that its owner moved meanwhile is theirs.
async fn moved(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    end: Option<&BulkEnd>,
) -> Result<Ended, Failure> {
    let planned = end.and_then(|end| Some((end, Timestamp::from_millisecond(end.after?).ok()?)));
    let Some((end, to)) = planned else { return Ok(Ended::Skipped(BulkSkip::ChangedSince)) };
    let client = live.signed_in(ports).await?;
    if !still_ends(ports, live, &client, uid, end.before).await? {
        return Ok(Ended::Skipped(BulkSkip::ChangedSince));
    }
    edit::allowed(ports, &client, to)?;
    let moved = renew::renew_to(ports, live, uid, Some(to)).await?;
    Ok(Ended::Changed(Box::new(moved.key), Some(end.clone())))
}

async fn restored(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    uid: &KeyUid,
    end: Option<&BulkEnd>,
) -> Result<Ended, Failure> {
    let Some(end) = end else { return Ok(Ended::Skipped(BulkSkip::ChangedSince)) };
    let client = live.signed_in(ports).await?;
    if !still_ends(ports, live, &client, uid, end.after).await? {
        return Ok(Ended::Skipped(BulkSkip::ChangedSince));
    }
    let before = end.before.and_then(|before| Timestamp::from_millisecond(before).ok());
    if before.is_some_and(|before| before <= client.server_now()) {
        return Ok(Ended::Skipped(BulkSkip::EndPassed));
    }
    let moved = renew::renew_to(ports, live, uid, before).await?;
    Ok(Ended::Changed(Box::new(moved.key), None))
}

/// Whether the key has this end on the server; one that somebody moved is shown as it is now.
async fn still_ends(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    uid: &KeyUid,
    end: Option<i64>,
) -> Result<bool, Failure> {
    let now = edit::read_for_change(ports, live, client, uid).await?;
    let is_so = now.expires.map(Timestamp::as_millisecond) == end;
    if !is_so {
        live.patch(ports, uid, Some(&now));
    }
    Ok(is_so)
}

/// The server could not be asked.
fn is_lost(code: ErrorCode) -> bool {
    use ErrorCode::{
        HostUnknown, HostUnreachable, NotPalette, ProxyFailed, TimedOut, TlsUntrusted,
    };
    matches!(
        code,
        HostUnknown | HostUnreachable | NotPalette | ProxyFailed | TimedOut | TlsUntrusted
    )
}

/// No further key would fare better until a person did something.
fn needs_a_person(code: ErrorCode) -> bool {
    use ErrorCode::{
        CredentialRejected, KeychainAbsent, KeychainDismissed, KeychainLocked, NotSignedIn,
        Unauthorized,
    };
    matches!(
        code,
        CredentialRejected
            | KeychainAbsent
            | KeychainDismissed
            | KeychainLocked
            | NotSignedIn
            | Unauthorized
    )
}

// In the journal

fn act_of(step: &Step) -> Act {
    match step {
        Step::Renew { .. } | Step::Move(_) | Step::Restore(_) => Act::Renew,
        Step::Reactivate => Act::Reactivate,
    }
}

fn in_words(ports: &Ports, step: &Step, of: usize) -> String {
    let keys = count(of);
    match step {
        Step::Renew { to, reactivate } => {
            let end = expiry::local_text(*to, &ports.clock.time_zone());
            let also = if *reactivate { ", revoked ones re-activated" } else { "" };
            format!("{keys}: new end {end}{also}")
        }
        Step::Reactivate => format!("{keys}: active again"),
        Step::Move(_) => format!("{keys}: spread over two weeks, each with an end of its own"),
        Step::Restore(_) => format!("{keys}: the ends they had before"),
    }
}

fn begin(
    ports: &Ports,
    live: &Live,
    step: &Step,
    all: &str,
    of: usize,
) -> Result<JournalId, Failure> {
    let name = count(of);
    let deed =
        Deed { act: act_of(step), key_uid: "", key_name: &name, owner_name: "", detail: all };
    ports.store.ask(&ports.entry(live, &deed)).map_err(|error| {
        let failure = error.failure();
        Failure::new(failure.code, format!("{} Nothing was sent.", failure.message))
    })
}

/// "38 keys: new end …. 12 done, 1 not done so far."
fn progress(all: &str, outcome: &BulkView) -> String {
    let BulkView { changed, failed, skipped, .. } = outcome;
    let mut words = format!("{all}. {} done", changed.len());
    if !failed.is_empty() {
        words.push_str(&format!(", {} not done", failed.len()));
    }
    if !skipped.is_empty() {
        words.push_str(&format!(", {} left out", skipped.len()));
    }
    words
}

fn end(ports: &Ports, live: &Live, line: JournalId, all: &str, outcome: &BulkView) {
    let mut words = progress(all, outcome);
    if !outcome.untouched.is_empty() {
        words.push_str(&format!(", {} not begun", outcome.untouched.len()));
    }
    if !outcome.failed.is_empty() {
        let names = outcome.failed.iter().take(NAMED).map(|key| key.name.as_str());
        words.push_str(&format!(". Not done: {}", names.collect::<Vec<_>>().join(", ")));
        let more = outcome.failed.len().saturating_sub(NAMED);
        if more > 0 {
            words.push_str(&format!(" and {more} more"));
        }
    }
    let state = if outcome.changed.is_empty() { ActState::Failed } else { ActState::Done };
    let ended = JournalOutcome::new(state, words, ports.now());
    if ports.store.outcome(line, &ended).is_err() {
        tracing::warn!("the outcome of a bulk act could not be written down");
    }
    ports.tell(Change::Activity { connection: live.id() });
}

/// Says of each bulk act that the app ended in the middle of how far it had come, once.
pub(crate) fn tell_cut_off(store: &Store, now: Timestamp) -> Vec<String> {
    let Ok(lines) = store.bulk_lines_without_end() else { return Vec::new() };
    let told = lines.into_iter().map(|line| {
        let doing = if line.act == Act::Renew { "renewing" } else { "re-activating" };
        let keys = line.key_name.unwrap_or_else(|| "several keys".to_owned());
        let words = format!(
            "{}. Then Palette Keys ended; the others were not begun, or Activity names them",
            line.detail
        );
        let outcome = JournalOutcome::new(ActState::Unknown, words, now);
        if store.outcome(JournalId::from_view(line.id), &outcome).is_err() {
            tracing::warn!("a bulk act that was cut off could not be written down");
        }
        format!(
            "Palette Keys ended while it was {doing} {keys} in {}. As far as it came: {}. What was \
             not done is as it was.",
            line.connection_name, line.detail
        )
    });
    told.collect()
}

fn count(keys: usize) -> String {
    if keys == 1 { "1 key".to_owned() } else { format!("{keys} keys") }
}

/// Names as they were at the beginning.
struct Names(BTreeMap<KeyUid, String>);

impl Names {
    fn of(ports: &Ports, live: &Live) -> Self {
        let list = live.known(ports);
        let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
        Self(keys.iter().map(|key| (key.uid.clone(), key.name.clone())).collect())
    }

    fn of_key(&self, uid: &KeyUid) -> String {
        self.0.get(uid).cloned().unwrap_or_else(|| uid.as_str().to_owned())
    }
}
