//! Roll: a new key takes the place of an old one, and the old one goes on for a while.
//!
//! A roll is a row on disk ([`crate::store::RollRecord`]) that is written before each step is begun:
//!
//! ```text
//! asked ─ the one POST of a creation ─▶ made ─▶ kept ─▶ proved ─▶ (swapped) ─▶ ending ─▶ rolling
//!   │                                     │                                       │
//!   └▶ lost ─▶ orphaned                   └▶ handOver (Save dialog)               └▶ revoking ("Now")
//! ```
//!
//! The new key is made by [`super::create`], lost answer included, so there is never a second POST.
//! Only when its value is kept and works is the old key's end moved, on the server, so that it ends
//! even if this computer is off. A crash at any step leaves a row that [`resume`] goes on with, or
//! whose [`RollView`] names both keys and what to do.
//!
//! How to call it:
//!
//! - A person: [`crate::PaletteKeys::roll_key`] with a [`RollRequest`]. Whether the key signs the app
//!   in is found out here (the connection's `signing_key_uid`), so the purpose need not be said.
//! - The agent: `roll::start(ports, live, &request, Some(RollPurpose::SignIn))`. It answers with the
//!   [`RollView`] once the old key is rolling, or once the roll waits for something
//!   ([`RollView::problem`]); an error means that no key was made and nothing was changed. With the
//!   same `op_id` it goes on with the roll that is there. `roll::running(ports, connection, uid)`
//!   tells whether one runs.
//! - The credential of a connection is what its record says ([`ConnectionRecord::credential_entry`]):
//!   the swap is one SQLite transaction ([`Store::swap_credential`]), and the keychain holds both
//!   values until the old key has ended.
//!
//! [`ConnectionRecord::credential_entry`]: crate::store::ConnectionRecord::credential_entry
//! [`Store::swap_credential`]: crate::store::Store::swap_credential

mod back;
mod machine;

use super::{
    ApiKey, KeyRequest, KeyUid,
    activity::{Act, ActState},
    create::{self, CreateError, CreateRequest, CreateView, Wording},
    edit::{EditError, read_for_change},
    expiry::{ExpiryChoice, local_text},
    list::keys_of,
    name::LONGEST_NAME,
};
use crate::{
    ErrorCode, Failure,
    connection::{
        live::{Live, key_uid},
        signing::{self, Doing},
    },
    held::{HeldView, SavedState},
    once::lock,
    palette_keys::Connections,
    ports::{Deed, Ports},
    store::{RollRecord, RollStep},
};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use ts_rs::TS;

/// What the server refused is asked for by itself so much later.
const REFUSED_RESTS: SignedDuration = SignedDuration::from_hours(6);

/// Why a roll was not begun, or why an act on one was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// One of the two keys of a roll that is not over.
    #[error(
        "\u{201c}{old}\u{201d} is being replaced by \u{201c}{new}\u{201d}, and that roll is not \
         over. Let it end, or cancel it. No key was made."
    )]
    Running {
        /// Name of the old key.
        old: String,
        /// Name of the new one.
        new: String,
    },
    /// A revoked key has nothing that could go on.
    #[error(
        "This key is revoked, so there is nothing to replace. Make a new key. No key was made."
    )]
    Revoked,
    /// The caller may not change the old key, or not make one for its owner.
    #[error("Your account may not roll this key: it may not {0}. No key was made.")]
    Forbidden(&'static str),
    /// The old key is gone.
    #[error("This key is not on the server any more. No key was made.")]
    Gone,
    /// The new key was not made.
    #[error(transparent)]
    NotMade(#[from] CreateError),
    /// There is no such roll any more.
    #[error("This roll is over. Nothing was changed.")]
    Over,
    /// The roll is not at a step where that can be done.
    #[error("{0} Nothing was changed.")]
    NotNow(String),
    /// The old key has ended or is being revoked.
    #[error(
        "\u{201c}{0}\u{201d} has ended, so there is nothing to go back to: the new key is the one \
         that works. Nothing was changed."
    )]
    OldEnded(String),
    /// The old key would end later than it was made for.
    #[error("{0} Nothing was changed.")]
    GraceTooLong(String),
    /// Which key the creation made is not settled.
    #[error("{0}")]
    ValueLost(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<RollError> for Failure {
    fn from(error: RollError) -> Self {
        let code = match error {
            RollError::NotMade(error) => return error.into(),
            RollError::Failed(failure) => return failure,
            RollError::Running { .. } => ErrorCode::RollRunning,
            RollError::Revoked | RollError::NotNow(_) => ErrorCode::RollNotPossible,
            RollError::Forbidden(_) => ErrorCode::Forbidden,
            RollError::Gone => ErrorCode::KeyGone,
            RollError::Over => ErrorCode::RollOver,
            RollError::OldEnded(_) => ErrorCode::RollOldKeyEnded,
            RollError::GraceTooLong(_) => ErrorCode::GraceTooLong,
            RollError::ValueLost(_) => ErrorCode::RollValueLost,
        };
        Failure::new(code, error.to_string())
    }
}

/// How long the old key goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Grace {
    /// Not at all: it is revoked, through the outbox.
    Now,
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    #[default]
    Week,
    /// 30 days.
    Month,
}

impl Grace {
    /// How long that is.
    pub fn length(self) -> SignedDuration {
        SignedDuration::from_hours(match self {
            Self::Now => 0,
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 24 * 7,
            Self::Month => 24 * 30,
        })
    }

    /// The instant at which it ends, in whole milliseconds as Palette writes times.
    fn ends(self, now: Timestamp) -> Timestamp {
        let ends = now.checked_add(self.length()).unwrap_or(now);
        Timestamp::from_millisecond(ends.as_millisecond()).unwrap_or(ends)
    }
}

/// What a rolled key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum RollPurpose {
    /// For whatever a person uses it for.
    Ordinary,
    /// It signs this app in: the credential is swapped before the old one's end is moved.
    SignIn,
}

/// Roll a key.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RollRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first. It
    /// names the roll from then on.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uid of the old key.
    pub uid: String,
    /// The new key's name.
    pub name: String,
    /// When the new key ends.
    pub expiry: ExpiryChoice,
    /// How long the old key goes on.
    pub grace: Grace,
}

/// What the dialog "Roll API key" begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RollOfferView {
    /// The name offered for the new key: the old one's with today's date.
    pub name: String,
    /// The caller owns it: the new value is tried and kept in the keychain.
    pub mine: bool,
    /// It signs this app in.
    pub signs_in: bool,
    /// Keys its owner has, revoked and expired ones included.
    pub owner_keys: u32,
    /// Keys a person may have; none: not known.
    pub quota: Option<u32>,
}

/// What to do with a running roll.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum RollAct {
    /// Go on where it stands.
    Continue,
    /// The old key goes on for so long from now.
    Extend {
        /// How long.
        grace: Grace,
    },
    /// The old key is revoked now.
    EndNow,
    /// The new key is revoked and the old one goes on as it was.
    Cancel,
}

/// Act on a running roll.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RollActRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Names the roll.
    pub roll: String,
    /// What to do.
    pub act: RollAct,
}

/// A roll after an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RollActView {
    /// None: it is over.
    pub roll: Option<RollView>,
}

/// A roll that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RollView {
    /// Names it.
    pub roll: String,
    /// Id of the connection.
    pub connection: String,
    /// What the key is for.
    pub purpose: RollPurpose,
    /// uid of the old key.
    pub old_uid: String,
    /// Its name.
    pub old_name: String,
    /// uid of the new key, once it is known.
    pub new_uid: Option<String>,
    /// Its name.
    pub new_name: String,
    /// The person both act as.
    pub owner_name: String,
    /// The caller is that person.
    pub mine: bool,
    /// How far it got.
    pub step: RollStep,
    /// How long the old key was to go on.
    pub grace: Grace,
    /// When the old key ends, ms since 1970; none: its end was not moved (yet), or it never ends.
    #[ts(type = "number | null")]
    pub old_ends: Option<i64>,
    /// What the old key's end was before, ms since 1970; none: never.
    #[ts(type = "number | null")]
    pub old_ended_before: Option<i64>,
    /// What stands in the way, with what to do about it.
    pub problem: Option<crate::Failure>,
    /// The new value, while it waits for a person in "Save your API key".
    pub held: Option<HeldView>,
    /// "Extend grace" can be done.
    pub may_extend: bool,
    /// "End now" can be done.
    pub may_end_now: bool,
    /// "Cancel roll" can be done.
    pub may_cancel: bool,
    /// "Try again" can be done.
    pub may_continue: bool,
}

/// Which of the two keys of a roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum PairRole {
    /// The one that ends.
    Old,
    /// The one that takes its place.
    New,
}

/// The other key of a running roll.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PairView {
    /// Names the roll.
    pub roll: String,
    /// Which of the two this key is.
    pub role: PairRole,
    /// uid of the other key; none: not known yet.
    pub uid: Option<String>,
    /// Its name.
    pub name: String,
    /// When the old key ends, ms since 1970, once its end was moved.
    #[ts(type = "number | null")]
    pub ends: Option<i64>,
}

/// The roll that a key is part of, seen from it.
pub(super) fn pair_of(key: &ApiKey, rolls: &[RollRecord]) -> Option<PairView> {
    rolls.iter().find_map(|roll| {
        let is_old = roll.old.uid == key.uid;
        let is_new = roll.new_uid.as_ref() == Some(&key.uid);
        let ends = (roll.step == RollStep::Rolling).then_some(roll.target).flatten();
        (is_old || is_new).then(|| PairView {
            roll: roll.roll.clone(),
            role: if is_old { PairRole::Old } else { PairRole::New },
            uid: match is_old {
                true => roll.new_uid.clone().map(String::from),
                false => Some(roll.old.uid.as_str().to_owned()),
            },
            name: if is_old { roll.new_name.clone() } else { roll.old.name.clone() },
            ends: match is_old && roll.step == RollStep::Rolling {
                // What the server says of it counts.
                true => key.expires.map(Timestamp::as_millisecond),
                false => ends.map(Timestamp::as_millisecond),
            },
        })
    })
}

/// The roll that a key is the old or the new one of; none: no roll of it is running.
pub(crate) fn running(ports: &Ports, connection: &str, uid: &KeyUid) -> Option<RollRecord> {
    let rolls = ports.store.rolls(Some(connection)).unwrap_or_default();
    rolls.into_iter().find(|roll| roll.old.uid == *uid || roll.new_uid.as_ref() == Some(uid))
}

/// The name of a roll that would be lost with its connection. One whose old key ends by itself
/// needs it no more.
pub(crate) fn that_needs(ports: &Ports, connection: &str) -> Option<String> {
    let live_steps = |roll: &RollRecord| roll.step != RollStep::Rolling;
    let demo = connection == crate::connection::demo::DEMO;
    let rolls = ports.store.rolls(Some(connection)).unwrap_or_default();
    rolls.into_iter().find(|roll| !demo && live_steps(roll)).map(|roll| roll.old.name)
}

/// What the dialog begins with. Nothing is sent.
pub(crate) fn offer(
    ports: &Ports,
    live: &Live,
    request: &KeyRequest,
) -> Result<RollOfferView, RollError> {
    let uid = key_uid(&request.uid)?;
    let key = live.known_key(ports, &uid).ok_or(RollError::Gone)?;
    let list = live.known(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let now = live.server_now(ports);
    Ok(RollOfferView {
        name: name_for(&key, keys, now, &ports.clock.time_zone()),
        mine: live.view_key(ports, &key).mine,
        signs_in: signs_in(ports, live, &uid),
        owner_keys: keys_of(Some(&key.owner_uid), keys),
        quota: list.as_ref().and_then(|list| list.quota),
    })
}

/// The old name with today's date: "ci-prod-2026-11-25". A date that an earlier roll put there makes
/// way, and a name that the owner has already gets a number.
fn name_for(key: &ApiKey, keys: &[ApiKey], now: Timestamp, zone: &TimeZone) -> String {
    let date = now.to_zoned(zone.clone()).date().to_string();
    let base = without_date(key.name.trim());
    let taken = |name: &str| {
        keys.iter().any(|other| other.owner_uid == key.owner_uid && other.name.trim() == name)
    };
    let with = |suffix: &str| {
        let room = LONGEST_NAME.saturating_sub(suffix.chars().count());
        let base: String = base.chars().take(room).collect();
        format!("{}{suffix}", base.trim_end())
    };
    let first = with(&format!("-{date}"));
    if !taken(&first) {
        return first;
    }
    let numbered = (2..1_000).map(|number| with(&format!("-{date}-{number}")));
    let mut free = numbered.filter(|name| !taken(name));
    free.next().unwrap_or(first)
}

/// A name without the date, and the number, that an earlier roll gave it.
fn without_date(name: &str) -> &str {
    let dated = |name: &'_ str| -> Option<usize> {
        let at = name.len().checked_sub(11)?;
        let rest = name.get(at..)?;
        let date = rest.strip_prefix(['-', ' ', '_'])?;
        date.parse::<Date>().ok().filter(|_| at > 0 && date.len() == 10).map(|_| at)
    };
    if let Some(at) = dated(name) {
        return &name[..at];
    }
    let without_number = name
        .rsplit_once('-')
        .filter(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        .map(|(rest, _)| rest);
    match without_number.and_then(|rest| dated(rest).map(|at| &rest[..at])) {
        Some(base) => base,
        None => name,
    }
}

/// Whether a key signs this app in, as far as that is known.
fn signs_in(ports: &Ports, live: &Live, uid: &KeyUid) -> bool {
    let list = live.known(ports);
    let signing = live.signing_uid(list.as_deref(), live.server_now(ports));
    signing.as_deref() == Some(uid.as_str())
}

/// Rolls a key: answers once the old one is rolling (or revoked), or once something stands in the
/// way, which is in the view. An error means that no key was made and nothing was changed, except
/// for [`RollError::NotMade`] with an outcome that is not known, which is a view too.
///
/// `purpose` none: a person asks, and what the key is for is found out from the connection's record.
pub(crate) async fn start(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    request: &RollRequest,
    purpose: Option<RollPurpose>,
) -> Result<RollActView, RollError> {
    let _turn = live.rolling.lock().await;
    if let Some(roll) = ports.store.roll(&request.op_id).map_err(|error| error.failure())? {
        // Asked for in an earlier run.
        let roll = machine::advance(ports, live, roll, true).await;
        return Ok(RollActView { roll: roll.map(|roll| view_of(ports, live, &roll)) });
    }
    let uid = key_uid(&request.uid)?;
    if let Some(roll) = running(ports, &live.id(), &uid) {
        return Err(RollError::Running { old: roll.old.name, new: roll.new_name });
    }
    let (client, me) = live.identified(ports).await?;
    let old = read_for_change(ports, live, &client, &uid).await.map_err(|error| match error {
        EditError::Gone => RollError::Gone,
        error => RollError::Failed(error.into()),
    })?;
    live.patch(ports, &uid, Some(&old));
    if !old.active {
        return Err(RollError::Revoked);
    }
    let seen = live.view_key(ports, &old);
    if !seen.may.update {
        return Err(RollError::Forbidden("change it"));
    }
    if !seen.mine && !me.may_create_for_others {
        return Err(RollError::Forbidden("make keys for other people"));
    }
    let wording = if purpose.is_some() { Wording::Ours } else { Wording::Theirs };
    let purpose = purpose.unwrap_or_else(|| match signs_in(ports, live, &uid) {
        true => RollPurpose::SignIn,
        false => RollPurpose::Ordinary,
    });
    if purpose == RollPurpose::Ordinary && request.grace == Grace::Now {
        signing::guard(ports, live, &uid, Doing::Revoke).map_err(not_begun)?;
    }
    let mut roll = RollRecord {
        roll: request.op_id.clone(),
        connection: live.id(),
        purpose,
        mine: seen.mine,
        old_is_own: purpose == RollPurpose::SignIn && live.record().sign_in.own,
        new_name: request.name.trim().to_owned(),
        new_uid: None,
        grace: request.grace,
        asked_at: client.server_now(),
        step: RollStep::Asked,
        target: None,
        other_target: None,
        proved: false,
        credential_before: None,
        signing_before: None,
        swapped: false,
        revocation_asked: false,
        problem: None,
        line: None,
        old,
    };
    let detail = format!("A new key \u{201c}{}\u{201d} is to take its place", roll.new_name);
    let entry = ports.entry(live, &Deed::of_key(Act::Roll, &roll.old, &detail));
    roll.line = Some(ports.store.ask(&entry).map_err(|error| not_begun(error.failure()))?.get());
    if let Err(error) = ports.store.add_roll(&roll) {
        let failure = not_begun(error.failure());
        machine::outcome(ports, &roll, ActState::Failed, &failure.message);
        return Err(failure.into());
    }
    live.tell_changed(ports);
    let creation = CreateRequest {
        op_id: roll.roll.clone(),
        connection: roll.connection.clone(),
        name: roll.new_name.clone(),
        description: roll.old.description.clone(),
        owner_uid: Some(roll.old.owner_uid.clone()),
        expiry: request.expiry.clone(),
        save_to_keychain: roll.mine,
    };
    let created = create::create(ports, live, &creation, wording).await;
    // The creation wrote which key it is.
    if let Ok(Some(written)) = ports.store.roll(&roll.roll) {
        roll = written;
    }
    let roll = match created {
        Err(error) => {
            let failure = Failure::from(error.clone());
            machine::over(ports, live, &roll, ActState::Failed, &failure.message).await;
            return Err(error.into());
        }
        Ok(CreateView::NotCreated { problem }) => {
            machine::over(ports, live, &roll, ActState::Failed, &problem.message).await;
            return Err(problem.into());
        }
        Ok(CreateView::Lost { .. }) => {
            roll.step = RollStep::Lost;
            machine::advance(ports, live, roll, false).await
        }
        Ok(CreateView::Created { held }) => {
            roll.new_uid = roll.new_uid.or_else(|| held.uid.as_deref().and_then(KeyUid::new));
            roll.step = RollStep::HandOver;
            let is_filed = roll.mine && held.saved == SavedState::Saved;
            let roll = machine::advance(ports, live, roll, false).await;
            if is_filed {
                // No dialog opens for it that would let it go: the keychain has it.
                ports.held.drop_value(&request.op_id);
            }
            roll
        }
    };
    Ok(RollActView { roll: roll.map(|roll| view_of(ports, live, &roll)) })
}

fn not_begun(failure: Failure) -> Failure {
    Failure { message: format!("{} No key was made.", failure.message), ..failure }
}

/// Does something with a running roll.
pub(crate) async fn act(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    request: &RollActRequest,
) -> Result<RollActView, RollError> {
    let _turn = live.rolling.lock().await;
    let roll = ports.store.roll(&request.roll).map_err(|error| error.failure())?;
    let roll = roll.ok_or(RollError::Over)?;
    let roll = match &request.act {
        RollAct::Continue => machine::advance(ports, live, roll, true).await,
        RollAct::Extend { grace } => Some(machine::extend(ports, live, roll, *grace).await?),
        RollAct::EndNow => {
            let roll = machine::begin_end_now(ports, live, roll).await?;
            machine::advance(ports, live, roll, true).await
        }
        RollAct::Cancel => match back::begin(ports, live, roll).await? {
            Some(roll) => machine::advance(ports, live, roll, true).await,
            None => None,
        },
    };
    Ok(RollActView { roll: roll.map(|roll| view_of(ports, live, &roll)) })
}

/// The rolls of a connection that are not over, as the window sees them.
pub(crate) fn views(ports: &Ports, live: &Live) -> Vec<RollView> {
    let rolls = ports.store.rolls(Some(&live.id())).unwrap_or_default();
    rolls.iter().map(|roll| view_of(ports, live, roll)).collect()
}

fn view_of(ports: &Ports, live: &Live, roll: &RollRecord) -> RollView {
    use RollStep::*;
    let known = live.known_key(ports, &roll.old.uid);
    let now = live.server_now(ports);
    let ended = known
        .as_ref()
        .is_some_and(|key| !key.active || key.expires.is_some_and(|ends| ends <= now));
    let made = roll.new_uid.is_some();
    let moved = roll.problem.as_ref().is_some_and(|p| p.code == ErrorCode::RollEndChanged);
    let old_ends = match roll.step {
        Rolling if moved => known.as_ref().map_or(roll.target, |key| key.expires),
        Rolling => roll.target,
        _ => None,
    };
    let at_its_end = roll.old.expires.is_some() && old_ends >= roll.old.expires;
    let problem = roll.problem.clone();
    RollView {
        roll: roll.roll.clone(),
        connection: roll.connection.clone(),
        purpose: roll.purpose,
        old_uid: roll.old.uid.as_str().to_owned(),
        old_name: known.map_or_else(|| roll.old.name.clone(), |key| key.name),
        new_uid: roll.new_uid.clone().map(String::from),
        new_name: roll.new_name.clone(),
        owner_name: roll.old.owner_name.clone(),
        mine: roll.mine,
        step: roll.step,
        grace: roll.grace,
        old_ends: old_ends.map(Timestamp::as_millisecond),
        old_ended_before: roll.old.expires.map(Timestamp::as_millisecond),
        held: ports.held.view(&roll.roll).ok().filter(|_| roll.step == HandOver),
        may_extend: roll.step == Rolling && !ended && !at_its_end,
        may_end_now: matches!(roll.step, Rolling | Ending) && !ended,
        may_cancel: match roll.step {
            Asked | Revoking | CancelRevoking => false,
            Lost => problem.is_some(),
            Made | HandOver | Orphaned | Kept | Proved => made,
            Ending | Rolling => !ended,
            Cancelling => false,
        },
        may_continue: problem.is_some() && !matches!(roll.step, Rolling | Orphaned),
        problem,
    }
}

/// The new key of a creation was found: if it is a roll's, that is written down before its value
/// goes anywhere.
pub(crate) fn found(ports: &Ports, creation: &str, uid: &KeyUid) {
    if ports.store.roll_found(creation, uid).is_err() {
        tracing::warn!("the new key of a roll could not be written down");
    }
}

/// A lost creation was settled by a person: a roll that waited for it is over.
pub(crate) async fn creation_settled(ports: &Arc<Ports>, live: &Arc<Live>, creation: &str) {
    if let Ok(Some(roll)) = ports.store.roll(creation) {
        let words = "The lost key was settled; the old key goes on as it was";
        machine::over(ports, live, &roll, ActState::Failed, words).await;
    }
}

/// A person closed "Save your API key" with the value kept (or its key revoked): a roll that waited
/// for it goes on (or is over).
pub(crate) async fn handed_over(ports: &Arc<Ports>, live: &Arc<Live>, held: &str, kept: bool) {
    let Ok(Some(mut roll)) = ports.store.roll(held) else { return };
    if !kept {
        let words = "The new key is revoked; the old key goes on as it was";
        machine::over(ports, live, &roll, ActState::Cancelled, words).await;
        return;
    }
    if roll.step != RollStep::HandOver {
        return;
    }
    roll.step = RollStep::Kept;
    if ports.store.update_roll(&roll).is_err() {
        tracing::warn!("that a new value is kept could not be written down");
    }
    let (task_ports, task_live) = (Arc::clone(ports), Arc::clone(live));
    ports.tasks.spawn(async move {
        let _turn = task_live.rolling.lock().await;
        if let Ok(Some(roll)) = task_ports.store.roll(&roll.roll) {
            machine::advance(&task_ports, &task_live, roll, false).await;
        }
    });
}

/// Goes on with every roll of a connection, after its list was read or could not be.
pub(crate) fn tend(ports: &Arc<Ports>, live: &Arc<Live>) {
    let rolls = ports.store.rolls(Some(&live.id())).unwrap_or_default();
    if rolls.iter().all(|roll| rests(ports, live, roll)) {
        return;
    }
    let (task_ports, task_live) = (Arc::clone(ports), Arc::clone(live));
    ports.tasks.spawn(async move {
        // One that is at work looks for itself.
        let Ok(_turn) = task_live.rolling.try_lock() else { return };
        go_on(&task_ports, &task_live).await;
    });
}

async fn go_on(ports: &Arc<Ports>, live: &Arc<Live>) {
    for roll in ports.store.rolls(Some(&live.id())).unwrap_or_default() {
        if !rests(ports, live, &roll) {
            machine::advance(ports, live, roll, false).await;
        }
    }
}

/// What the server refused is not asked for again with every list, as long as both keys are in
/// service: each try is a request and a line of Activity. A person can try at any time.
fn rests(ports: &Ports, live: &Live, roll: &RollRecord) -> bool {
    let refused = lock(&live.refused_rolls).get(&roll.roll).copied();
    let waits = |since: Timestamp| {
        let passed = ports.now().duration_since(since);
        passed >= SignedDuration::ZERO && passed < REFUSED_RESTS
    };
    if !refused.is_some_and(waits) {
        return false;
    }
    let now = live.server_now(ports);
    live.known(ports).is_some_and(|list| {
        let in_service = |uid: &KeyUid| {
            list.keys.iter().any(|key| {
                key.uid == *uid && key.active && key.expires.is_none_or(|ends| ends > now)
            })
        };
        in_service(&roll.old.uid) && roll.new_uid.as_ref().is_none_or(in_service)
    })
}

/// At a start: each roll goes on where an earlier run left it. Needs a tokio runtime.
pub(crate) fn resume(ports: &Arc<Ports>, connections: &Connections) {
    if tokio::runtime::Handle::try_current().is_err() {
        return;
    }
    for live in connections.all() {
        let open = ports.store.rolls(Some(&live.id())).unwrap_or_default();
        if open.is_empty() || live.record().demo {
            continue;
        }
        let task_ports = Arc::clone(ports);
        ports.tasks.spawn(async move {
            let _turn = live.rolling.lock().await;
            go_on(&task_ports, &live).await;
            // An answer that was lost may still be on its way to become a key.
            for pause in &task_ports.timing.looks {
                let open = task_ports.store.rolls(Some(&live.id())).unwrap_or_default();
                let unclear =
                    |roll: &RollRecord| matches!(roll.step, RollStep::Asked | RollStep::Lost);
                if !open.iter().any(unclear) {
                    break;
                }
                tokio::time::sleep(*pause).await;
                go_on(&task_ports, &live).await;
            }
        });
    }
}

/// "Tue 12 Jan 2027, 18:00 CET", or "never".
fn end_text(ports: &Ports, end: Option<Timestamp>) -> String {
    end.map_or_else(|| "never".to_owned(), |at| local_text(at, &ports.clock.time_zone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;

    fn named(name: &str) -> ApiKey {
        ApiKey { name: name.into(), ..key("k1", "jane") }
    }

    #[test]
    fn the_new_name_has_todays_date_once() {
        let now: Timestamp = "2026-11-25T23:30:00Z".parse().unwrap();
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let long = "x".repeat(LONGEST_NAME);
        let cut = format!("{}-2026-11-26", "x".repeat(LONGEST_NAME - 11));
        let table = [
            ("ci-prod", "ci-prod-2026-11-26", "the date is the local one"),
            (" ci prod ", "ci prod-2026-11-26", "trimmed"),
            ("ci-prod-2026-08-01", "ci-prod-2026-11-26", "rolled again"),
            ("ci-prod 2026-08-01", "ci-prod-2026-11-26", "dated by hand"),
            ("ci-prod-2026-08-01-2", "ci-prod-2026-11-26", "rolled twice on a day"),
            ("ci-prod-2", "ci-prod-2-2026-11-26", "a number alone is the name's own"),
            ("2026-08-01", "2026-08-01-2026-11-26", "nothing would be left"),
            ("ci-2026-13-99", "ci-2026-13-99-2026-11-26", "no date"),
            ("ключ-2026-08-01", "ключ-2026-11-26", "any script"),
            (&long, &cut, "no longer than a name may be"),
        ];
        for (name, expected, why) in table {
            let named = named(name);
            let offered = name_for(&named, std::slice::from_ref(&named), now, &berlin);
            assert_eq!(offered, expected, "{why}");
        }
        let both = [named("ci"), named("ci-2026-11-26")];
        assert_eq!(
            name_for(&both[0], &both, now, &berlin),
            "ci-2026-11-26-2",
            "rolled twice today"
        );
        assert_eq!(name_for(&both[1], &both, now, &berlin), "ci-2026-11-26-2", "and once more");
    }

    #[test]
    fn a_grace_has_its_length() {
        let now: Timestamp = "2026-11-25T12:00:00.123456Z".parse().unwrap();
        let ends = [Grace::Now, Grace::Hour, Grace::Day, Grace::Week, Grace::Month]
            .map(|grace| grace.ends(now).to_string());
        assert_eq!(
            ends,
            [
                "2026-11-25T12:00:00.123Z",
                "2026-11-25T13:00:00.123Z",
                "2026-11-26T12:00:00.123Z",
                "2026-12-02T12:00:00.123Z",
                "2026-12-25T12:00:00.123Z",
            ]
        );
        assert_eq!(Grace::default(), Grace::Week);
    }
}
