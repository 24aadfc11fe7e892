//! Create: one press makes one key, and its value is never lost in silence.

use super::{
    ApiKey, KeyUid, NewKey,
    activity::{Act, ActState},
    created_of,
    edit::resolved,
    expiry::{ExpiryChoice, ExpiryError},
    list::keys_of,
    name::{NameError, checked_description, checked_name, not_taken},
    revoke::{self, RevokeView},
    roll,
};
use crate::{
    ErrorCode, Failure, Secret,
    api::{KeyList, PaletteClient, Sent},
    connection::{IdentityView, live::Live},
    held::{HeldView, ProofState, SavedState, file_value},
    once::lock,
    ports::{Asked, Deed, Ports},
    store::{CreateIntent, IntentState},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};
use ts_rs::TS;

/// The annotation that carries the `op_id`, by which a key is recognised after a lost answer if the
/// server keeps it (trust.md 5.3; whether it does is not known).
const OP_ID_ANNOTATION: &str = "paletteKeysOpId";

/// A key made longer before the asking than this is not the one that was asked for.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Why no key was made. Each of these comes before anything was sent, or with the server's word
/// that it made none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// The name or description cannot be used.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The chosen end is none.
    #[error(transparent)]
    Expiry(#[from] ExpiryError),
    /// The owner has as many keys as a person may have.
    #[error(
        "{owner} has {have} of {limit} keys, so there is no room for another. Delete one that is \
         no longer needed. No key was made."
    )]
    QuotaFull {
        /// The owner.
        owner: String,
        /// Keys the owner has, revoked and expired ones included.
        have: u32,
        /// Keys a person may have.
        limit: u32,
    },
    /// The caller may not make keys for others.
    #[error("Your account may make keys for yourself only. No key was made.")]
    OthersForbidden,
    /// Nobody has this uid.
    #[error("This person is not in the organization any more. No key was made.")]
    OwnerUnknown,
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        let code = match error {
            CreateError::Name(error) => return error.into(),
            CreateError::Expiry(error) => return error.into(),
            CreateError::Failed(failure) => return failure,
            CreateError::QuotaFull { .. } => ErrorCode::QuotaFull,
            CreateError::OthersForbidden => ErrorCode::Forbidden,
            CreateError::OwnerUnknown => ErrorCode::OwnerUnknown,
        };
        Failure::new(code, error.to_string())
    }
}

/// Why a lost creation was not settled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettleError {
    /// That key is not one that the creation may have made.
    #[error("That key is not one that this creation may have made. Nothing was revoked.")]
    NotACandidate,
    /// The revocation is not confirmed, so the creation stays open.
    #[error("The revocation is not confirmed yet. {0}")]
    NotRevoked(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<SettleError> for Failure {
    fn from(error: SettleError) -> Self {
        let code = match error {
            SettleError::NotACandidate => ErrorCode::KeyGone,
            SettleError::NotRevoked(_) => ErrorCode::OutcomeUnknown,
            SettleError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// Make a key.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CreateRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// The key's name.
    pub name: String,
    /// May be empty.
    pub description: String,
    /// None: the caller.
    pub owner_uid: Option<String>,
    /// When it ends.
    pub expiry: ExpiryChoice,
    /// Whether its value shall go to the keychain at once.
    pub save_to_keychain: bool,
}

/// How a creation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it goes to JSON")]
pub enum CreateView {
    /// The server made it and its value is held.
    Created {
        /// The value, without the value.
        held: crate::held::HeldView,
    },
    /// The answer was lost and the lists show no new key: it may be tried again.
    NotCreated {
        /// How the answer was lost.
        problem: crate::Failure,
    },
    /// The answer was lost and there is a key whose value nobody has (or the lists could not be read).
    Lost {
        /// What is known of it.
        lost: LostCreationView,
    },
}

/// A creation whose answer was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LostCreationView {
    /// The `op_id` of the creation.
    pub creation: String,
    /// Id of the connection.
    pub connection: String,
    /// The name that was asked for.
    pub name: String,
    /// When it was asked for, by the server's clock, ms since 1970.
    #[ts(type = "number")]
    pub asked_at: i64,
    /// Keys that may be it. Empty: the lists could not be read yet, or show none.
    pub candidates: Vec<super::KeyView>,
    /// True once a fresh list was read after the loss.
    pub looked: bool,
}

/// What to do with a lost creation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum LostAct {
    /// Look again.
    Look,
    /// Revoke that key and forget the creation.
    Revoke {
        /// uid of one of the candidates.
        uid: String,
    },
    /// Leave every key as it is and forget the creation.
    Leave,
}

/// Settle a lost creation.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SettleRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// The `op_id` of the creation.
    pub creation: String,
    /// What to do.
    pub act: LostAct,
}

/// The lost creation after the act; none: settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SettleView {
    /// What is known of it now.
    pub lost: Option<LostCreationView>,
}

/// Creations that are at work in this run: their intents are not lost.
#[derive(Default)]
pub(crate) struct AtWork(Mutex<HashSet<String>>);

struct Working<'a>(&'a AtWork, String);

impl AtWork {
    fn begin(&self, op_id: &str) -> Working<'_> {
        lock(&self.0).insert(op_id.to_owned());
        Working(self, op_id.to_owned())
    }

    fn has(&self, op_id: &str) -> bool {
        lock(&self.0).contains(op_id)
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).remove(&self.1);
    }
}

/// Who gave a new key its name and description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wording {
    /// A person, who can find other words where the policy asks for them.
    Theirs,
    /// This app, for the key that signs it in: nobody is there to change them, so the policy's
    /// wishes for names and descriptions do not count. Its longest life does.
    Ours,
}

/// Makes a key. One `POST`, whatever happens; see `product.md` section 3 and trust.md 5.3.
pub(crate) async fn create(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    request: &CreateRequest,
    wording: Wording,
) -> Result<CreateView, CreateError> {
    let _working = ports.at_work.begin(&request.op_id);
    if let Ok(held) = ports.held.view(&request.op_id) {
        return Ok(CreateView::Created { held });
    }
    if let Some(intent) = open_intent(ports, &request.op_id)? {
        // Asked for in an earlier run, which ended before the answer was dealt with.
        return Ok(CreateView::Lost { lost: look(ports, live, &intent).await.lost });
    }
    let name = checked_name(&request.name)?;
    let description = checked_description(&request.description)?;
    if wording == Wording::Theirs {
        let policy = ports.policy.state().policy;
        policy.check_name(&name)?;
        policy.check_description(&description)?;
    }
    let (client, me) = live.identified(ports).await?;
    // Fails early and without a list; it is resolved again when the server's clock is fresh.
    resolved(ports, &client, &request.expiry)?;

    let turn = live.creating.lock().await;
    let since = live.step();
    let listed = client.read_keys().await;
    live.heard(ports, &client, &listed);
    let listed = listed.map_err(|error| no_key_made(error.failure()))?;
    let keys = listed.keys.clone();
    live.replace_keys(ports, since, &client, &me, listed);
    let me = live.identity().unwrap_or(me);
    let owner = owner(ports, live, &me, request.owner_uid.as_deref(), &keys)?;
    if let Some(limit) = live.known(ports).and_then(|list| list.quota) {
        let have = keys_of(Some(&owner.uid), &keys);
        if have >= limit {
            return Err(CreateError::QuotaFull { owner: owner.said(), have, limit });
        }
    }
    not_taken(&name, &owner.uid, &owner.name, None, &keys)?;
    let expires = resolved(ports, &client, &request.expiry)?;
    if request.save_to_keychain {
        // A new value must never find out that there is nowhere to put it.
        ports.keychain.probe().await.map_err(|error| no_key_made(error.failure()))?;
    }

    let intent = CreateIntent {
        op_id: request.op_id.clone(),
        connection: live.id(),
        name: name.clone(),
        description: description.clone(),
        owner_uid: owner.uid.clone(),
        expires,
        uids_before: keys.iter().map(|key| key.uid.as_str().to_owned()).collect(),
        asked_at: client.server_now(),
        state: IntentState::Asked,
    };
    let deed = Deed {
        act: Act::Create,
        key_uid: "",
        key_name: &name,
        owner_name: &owner.name,
        detail: "To be sent: new key.",
    };
    let asked = ports.ask(live, &deed)?;
    if let Err(error) = ports.store.put_intent(&intent) {
        let failure = no_key_made(error.failure());
        asked.failed(&failure);
        return Err(failure.into());
    }
    let new = NewKey {
        name,
        description,
        owner_uid: owner.uid.clone(),
        expires,
        annotations: BTreeMap::from([(OP_ID_ANNOTATION.to_owned(), request.op_id.clone())]),
    };
    let answer = client.create_key(&new).await;
    drop(turn);
    match answer {
        Ok(created) => {
            let made = Made { intent, owner, me, uid: created.uid };
            Ok(made.keep(ports, live, &client, asked, created.value, request).await)
        }
        Err(error) if error.sent() == Sent::Unknown => {
            Ok(lost(ports, live, &intent, asked, error.failure()).await)
        }
        Err(error) => {
            live.heard_refusal(ports, &client, &error);
            forget_intent(ports, &intent.op_id);
            asked.failed(&error.failure());
            Err(error.failure().into())
        }
    }
}

/// Words for a failure before anything was sent.
fn no_key_made(failure: Failure) -> Failure {
    if failure.message.contains("No key was made.") {
        return failure;
    }
    Failure { message: format!("{} No key was made.", failure.message), ..failure }
}

struct Owner {
    uid: String,
    name: String,
}

impl Owner {
    fn said(&self) -> String {
        if self.name.is_empty() { "This person".to_owned() } else { self.name.clone() }
    }
}

/// Whom the key is for: the caller, or somebody whom the lists know.
fn owner(
    ports: &Ports,
    live: &Live,
    me: &IdentityView,
    uid: Option<&str>,
    keys: &[ApiKey],
) -> Result<Owner, CreateError> {
    let Some(uid) = uid.filter(|uid| *uid != me.user_uid) else {
        return Ok(Owner { uid: me.user_uid.clone(), name: me.name.clone() });
    };
    if !me.may_create_for_others {
        return Err(CreateError::OthersForbidden);
    }
    let list = live.known(ports);
    let person = list
        .as_ref()
        .and_then(|list| list.people.as_deref())
        .unwrap_or_default()
        .iter()
        .find(|person| person.uid == uid);
    let name = match person {
        Some(person) => person.name.clone(),
        // Where people cannot be read, whoever owns a key is somebody.
        None if list.as_ref().is_none_or(|list| list.people.is_none()) => keys
            .iter()
            .find(|key| key.owner_uid == uid)
            .map(|key| key.owner_name.clone())
            .ok_or(CreateError::OwnerUnknown)?,
        None => return Err(CreateError::OwnerUnknown),
    };
    Ok(Owner { uid: uid.to_owned(), name })
}

/// A key that the server says it made.
struct Made {
    intent: CreateIntent,
    owner: Owner,
    me: IdentityView,
    /// What the answer calls uid: not trusted (fact sheet §3.3).
    uid: Option<String>,
}

impl Made {
    /// Holds the value before anything else can go wrong, then finds, files and proves it.
    async fn keep(
        self,
        ports: &Arc<Ports>,
        live: &Arc<Live>,
        client: &PaletteClient,
        asked: Asked<'_>,
        value: Secret,
        request: &CreateRequest,
    ) -> CreateView {
        let op_id = &self.intent.op_id;
        // EXPOSE: only counted, for the mask
        let length = u32::try_from(value.expose_secret().chars().count()).unwrap_or(u32::MAX);
        let view = HeldView {
            held: op_id.clone(),
            connection: self.intent.connection.clone(),
            uid: None,
            name: self.intent.name.clone(),
            owner_name: self.owner.name.clone(),
            organization: self.me.organization.clone(),
            expires: Some(self.intent.expires.as_millisecond()),
            length,
            saved: SavedState::NotAsked,
            proof: ProofState::NotTried,
            kept: false,
        };
        ports.held.hold(view.clone(), value.clone());

        let since = live.step();
        let found = match client.read_keys().await {
            Ok(listed) => {
                let found = recognise(&self.intent, self.uid.as_deref(), &listed).cloned();
                live.replace_keys(ports, since, client, &self.me, listed);
                found
            }
            // The list may be too much to ask for where a single key is not.
            Err(_) => self.read_alone(client).await,
        };
        if let Some(key) = &found {
            found_in_list(ports, &self.intent, key);
            live.patch(ports, &key.uid, Some(key));
        }
        let uid = found.as_ref().map(|key| key.uid.clone());

        if request.save_to_keychain {
            match &uid {
                // Its outcome is in the view either way; the value is held whatever it is.
                Some(uid) => {
                    let _ = file_value(ports, live, op_id, uid, &self.intent.name).await;
                }
                None => {
                    let problem = Failure::from(crate::held::HeldError::NotFoundYet);
                    let _ = ports
                        .held
                        .change(op_id, |view| view.saved = SavedState::Failed { problem });
                }
            }
        }
        if self.owner.uid == self.me.user_uid {
            let proof = self.proof(client, &value).await;
            let _ = ports.held.change(op_id, |view| view.proof = proof);
        }
        let detail = match &uid {
            Some(_) => "Sent: new key. Found in a fresh list.",
            None => "Sent: new key. Made, but not found in a list yet.",
        };
        asked.ended(ActState::Done, detail, |outcome| {
            outcome.key_uid = uid.map(String::from);
            outcome.after = found;
        });
        CreateView::Created { held: ports.held.view(op_id).unwrap_or(view) }
    }

    async fn read_alone(&self, client: &PaletteClient) -> Option<ApiKey> {
        let uid = KeyUid::new(self.uid.as_deref()?)?;
        let key = client.key(&uid).await.ok()?;
        let new = !self.intent.uids_before.iter().any(|before| before == uid.as_str());
        (new && key.name == self.intent.name).then_some(key)
    }

    /// Tries the new value: it works when the server says whom it acts as.
    async fn proof(&self, client: &PaletteClient, value: &Secret) -> ProofState {
        match client.prove(value).await {
            Ok(who) if who.user_uid == self.me.user_uid => {
                ProofState::Works { acts_as: self.me.name.clone() }
            }
            Ok(who) => ProofState::Works { acts_as: who.user_uid },
            Err(error) => ProofState::Failed { problem: error.failure() },
        }
    }
}

/// Finds the key that was just made: by the uid of the answer if the list has it and it is new,
/// else the only new one that can be it.
fn recognise<'a>(
    intent: &CreateIntent,
    uid: Option<&str>,
    listed: &'a KeyList,
) -> Option<&'a ApiKey> {
    let mut new = candidates(intent, &listed.keys);
    if let Some(place) = new.iter().position(|key| Some(key.uid.as_str()) == uid) {
        return Some(new.swap_remove(place));
    }
    match new.len() {
        1 => new.pop(),
        _ => None,
    }
}

/// The key of a held value was found: its uid is known from now on.
fn found_in_list(ports: &Ports, intent: &CreateIntent, key: &ApiKey) {
    roll::found(ports, &intent.op_id, &key.uid);
    let uid = key.uid.as_str().to_owned();
    let made = IntentState::Made { uid: uid.clone() };
    if ports.store.update_intent(&intent.op_id, made).is_err() {
        tracing::warn!("a made key could not be written down; it counts as lost after a crash");
    }
    let _ = ports.held.change(&intent.op_id, |view| {
        view.uid = Some(uid);
        view.expires = key.expires.map(Timestamp::as_millisecond);
        if !key.owner_name.is_empty() {
            view.owner_name.clone_from(&key.owner_name);
        }
    });
}

/// Looks again for the key of a held value.
pub(crate) async fn find_held(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    held: &str,
) -> Result<Option<KeyUid>, Failure> {
    let intents = ports.store.intents(Some(&live.id())).map_err(|error| error.failure())?;
    let Some(intent) = intents.into_iter().find(|intent| intent.op_id == held) else {
        return Ok(None);
    };
    let (client, me) = live.identified(ports).await?;
    let since = live.step();
    let listed = client.read_keys().await;
    live.heard(ports, &client, &listed);
    let listed = listed.map_err(|error| error.failure())?;
    let found = recognise(&intent, None, &listed).cloned();
    live.replace_keys(ports, since, &client, &me, listed);
    Ok(found.map(|key| {
        found_in_list(ports, &intent, &key);
        key.uid
    }))
}

/// Somebody has the value: after a crash nothing is lost any more.
pub(crate) fn value_is_kept(ports: &Ports, held: &str) {
    let Ok(intents) = ports.store.intents(None) else { return };
    if let Some(intent) = intents.into_iter().find(|intent| intent.op_id == held) {
        forget_intent(ports, held);
        ports.held.put_aside(held, intent);
    }
}

/// The value did not arrive after all: after a crash its key would be one whose value nobody has.
pub(crate) fn value_is_not_kept(ports: &Ports, held: &str) {
    if let Some(intent) = ports.held.take_aside(held)
        && ports.store.put_intent(&intent).is_err()
    {
        tracing::warn!("a value that nobody has could not be written down");
    }
}

fn forget_intent(ports: &Ports, op_id: &str) {
    if ports.store.remove_intent(op_id).is_err() {
        tracing::warn!("a settled creation could not be forgotten; it will be offered again");
    }
}

/// Keys that a creation may have made: not there before, and either marked with its `op_id`, or of
/// the same name and owner and not older than the asking.
pub(crate) fn candidates<'a>(intent: &CreateIntent, keys: &'a [ApiKey]) -> Vec<&'a ApiKey> {
    if let IntentState::Made { uid } = &intent.state {
        return keys.iter().filter(|key| key.uid.as_str() == uid).collect();
    }
    let before: HashSet<&str> = intent.uids_before.iter().map(String::as_str).collect();
    let oldest = intent.asked_at.checked_sub(CLOCK_TOLERANCE).unwrap_or(Timestamp::MIN);
    let is_it = |key: &&ApiKey| match key.annotations.get(OP_ID_ANNOTATION) {
        Some(op_id) => *op_id == intent.op_id,
        None => {
            key.name == intent.name
                && (key.owner_uid == intent.owner_uid || key.owner_uid.is_empty())
                && created_of(key).is_none_or(|created| created >= oldest)
        }
    };
    keys.iter().filter(|key| !before.contains(key.uid.as_str())).filter(is_it).collect()
}

/// Keys that carry the mark of a creation whose intent is settled.
pub(crate) fn marked<'a>(op_id: &str, keys: &'a [ApiKey]) -> Vec<&'a ApiKey> {
    let is_it = |key: &&ApiKey| key.annotations.get(OP_ID_ANNOTATION).is_some_and(|id| id == op_id);
    keys.iter().filter(is_it).collect()
}

/// What one look at a fresh list gave.
struct Looked {
    lost: LostCreationView,
    /// The list was read and every item in it understood, so a key that is not in it is not there.
    complete: bool,
}

/// Looks for the key of a lost creation in a fresh list.
async fn look(ports: &Arc<Ports>, live: &Arc<Live>, intent: &CreateIntent) -> Looked {
    let unseen = || Looked { lost: lost_view(ports, live, intent, &[], false), complete: false };
    let Ok((client, me)) = live.identified(ports).await else { return unseen() };
    let since = live.step();
    let listed = client.read_keys().await;
    live.heard(ports, &client, &listed);
    let Ok(listed) = listed else { return unseen() };
    live.replace_keys(ports, since, &client, &me, listed.clone());
    let KeyList { keys, skipped } = listed;
    Looked { lost: lost_view(ports, live, intent, &keys, true), complete: skipped == 0 }
}

fn lost_view(
    ports: &Ports,
    live: &Live,
    intent: &CreateIntent,
    keys: &[ApiKey],
    looked: bool,
) -> LostCreationView {
    LostCreationView {
        creation: intent.op_id.clone(),
        connection: intent.connection.clone(),
        name: intent.name.clone(),
        asked_at: intent.asked_at.as_millisecond(),
        candidates: candidates(intent, keys)
            .into_iter()
            .map(|key| live.view_key(ports, key))
            .collect(),
        looked,
    }
}

/// The answer was lost. Never a second `POST`: lists tell whether a key was made, and a key is
/// believed not to be made only after the last look.
async fn lost(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    intent: &CreateIntent,
    asked: Asked<'_>,
    problem: Failure,
) -> CreateView {
    if ports.store.update_intent(&intent.op_id, IntentState::Lost).is_err() {
        tracing::warn!("a lost answer could not be written down; the intent still stands");
    }
    let mut last = None;
    for pause in &ports.timing.looks {
        tokio::time::sleep(*pause).await;
        let looked = look(ports, live, intent).await;
        let found = !looked.lost.candidates.is_empty();
        last = Some(looked);
        if found {
            break;
        }
    }
    match last {
        Some(looked) if looked.complete && looked.lost.candidates.is_empty() => {
            forget_intent(ports, &intent.op_id);
            let problem = Failure {
                message: "The answer of the server was lost, and its list shows no new key: none \
                          was made. You can try again."
                    .to_owned(),
                ..problem
            };
            asked.ended(
                ActState::Failed,
                "Sent: new key. The answer was lost; lists show no new key.",
                |_| {},
            );
            CreateView::NotCreated { problem }
        }
        last => {
            let lost = match last {
                Some(looked) => looked.lost,
                None => lost_view(ports, live, intent, &[], false),
            };
            let detail = match lost.candidates.len() {
                0 => "Sent: new key. The answer was lost; whether a key was made is not known.",
                1 => "Sent: new key. The answer was lost; a key was made whose value nobody has.",
                _ => "Sent: new key. The answer was lost; several new keys may be it.",
            };
            asked.ended(ActState::Unknown, detail, |outcome| {
                if let [only] = &*lost.candidates {
                    outcome.key_uid = Some(only.uid.clone());
                }
            });
            CreateView::Lost { lost }
        }
    }
}

/// Creations of a connection whose answer was lost and that nobody settled, as far as the known
/// list tells. An intent that is neither at work nor held was cut off by the end of an earlier run.
pub(crate) fn lost_creations(ports: &Ports, live: &Live) -> Vec<LostCreationView> {
    let Ok(intents) = ports.store.intents(Some(&live.id())) else { return Vec::new() };
    let list = live.known(ports);
    let stored = ports.store.stored_uids(&live.id()).unwrap_or_default();
    let rolls = ports.store.rolls(Some(&live.id())).unwrap_or_default();
    let rolls: HashSet<String> = rolls.into_iter().map(|roll| roll.roll).collect();
    intents
        .iter()
        .filter(|intent| !ports.at_work.has(&intent.op_id))
        .filter(|intent| ports.held.view(&intent.op_id).is_err())
        // The app ended after the value was filed and before that was written down.
        .filter(|intent| match &intent.state {
            IntentState::Made { uid } => !stored.contains(uid),
            IntentState::Asked | IntentState::Lost => true,
        })
        .map(|intent| {
            let fresh = list.as_ref().filter(|list| {
                let offset = SignedDuration::from_millis(list.clock_offset_ms);
                list.as_of.checked_add(offset).is_ok_and(|as_of| as_of > intent.asked_at)
            });
            let keys = fresh.map(|list| &*list.keys).unwrap_or_default();
            lost_view(ports, live, intent, keys, fresh.is_some())
        })
        // A roll tells of its own, unless a person has to pick.
        .filter(|lost| lost.candidates.len() > 1 || !rolls.contains(&lost.creation))
        .collect()
}

/// Settles a lost creation.
pub(crate) async fn settle(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    intent: &CreateIntent,
    request: &SettleRequest,
) -> Result<SettleView, SettleError> {
    match &request.act {
        LostAct::Look => Ok(SettleView { lost: Some(look(ports, live, intent).await.lost) }),
        LostAct::Leave => {
            ports.store.remove_intent(&intent.op_id).map_err(|error| error.failure())?;
            roll::creation_settled(ports, live, &intent.op_id).await;
            Ok(SettleView { lost: None })
        }
        LostAct::Revoke { uid } => {
            let looked = look(ports, live, intent).await.lost;
            let candidate = looked
                .candidates
                .iter()
                .find(|key| key.uid == *uid)
                .and_then(|key| KeyUid::new(&key.uid))
                .ok_or(SettleError::NotACandidate)?;
            let revoked = revoke::revoke(ports, live, &candidate, &request.op_id).await?;
            match revoked.view {
                RevokeView::Unconfirmed { problem } if !revoked.recorded => {
                    Err(SettleError::NotRevoked(problem.message))
                }
                // Confirmed, or written down in the outbox, which sees to it.
                _ => {
                    forget_intent(ports, &intent.op_id);
                    roll::creation_settled(ports, live, &intent.op_id).await;
                    Ok(SettleView { lost: None })
                }
            }
        }
    }
}

/// The open intent of a creation.
pub(crate) fn open_intent(ports: &Ports, creation: &str) -> Result<Option<CreateIntent>, Failure> {
    let intents = ports.store.intents(None).map_err(|error| error.failure())?;
    Ok(intents.into_iter().find(|intent| intent.op_id == creation))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::key;

    fn intent() -> CreateIntent {
        CreateIntent {
            op_id: "op-1".into(),
            connection: "c1".into(),
            name: "ci".into(),
            description: String::new(),
            owner_uid: "jane".into(),
            expires: "2027-01-01T00:00:00Z".parse().unwrap(),
            uids_before: vec!["old".into()],
            asked_at: "2026-11-23T12:00:00Z".parse().unwrap(),
            state: IntentState::Lost,
        }
    }

    fn named(uid: &str, owner: &str, name: &str, created: &str) -> ApiKey {
        let created = (!created.is_empty()).then(|| created.parse().unwrap());
        ApiKey { name: name.into(), created, ..key(uid, owner) }
    }

    fn marked(uid: &str, name: &str, op_id: &str) -> ApiKey {
        let mut key = named(uid, "jane", name, "2026-11-23T12:00:01Z");
        key.annotations.insert(OP_ID_ANNOTATION.into(), op_id.into());
        key
    }

    #[test]
    fn only_new_keys_that_can_be_it_are_candidates() {
        let table = [
            (named("new", "jane", "ci", "2026-11-23T12:00:01Z"), true, "new, same name"),
            (named("new", "jane", "ci", "2026-11-23T11:55:00Z"), true, "within the tolerance"),
            (named("new", "jane", "ci", "2026-11-23T11:54:59Z"), false, "too old"),
            (named("new", "jane", "ci", ""), true, "the server does not say when"),
            (named("new", "", "ci", "2026-11-23T12:00:01Z"), true, "nor for whom"),
            (named("old", "jane", "ci", "2026-11-23T12:00:01Z"), false, "was there before"),
            (named("new", "sam", "ci", "2026-11-23T12:00:01Z"), false, "of somebody else"),
            (named("new", "jane", "nightly", "2026-11-23T12:00:01Z"), false, "other name"),
            (marked("new", "renamed", "op-1"), true, "marked, renamed meanwhile"),
            (marked("new", "ci", "op-2"), false, "marked by another creation"),
            (marked("old", "ci", "op-1"), false, "marked, but was there before"),
        ];
        for (subject, expected, why) in table {
            let found = !candidates(&intent(), std::slice::from_ref(&subject)).is_empty();
            assert_eq!(found, expected, "{why}");
        }
    }

    #[test]
    fn a_made_key_is_known_by_its_uid_alone() {
        let made = CreateIntent { state: IntentState::Made { uid: "k9".into() }, ..intent() };
        let keys = [named("k9", "sam", "renamed", ""), named("new", "jane", "ci", "")];
        assert_eq!(candidates(&made, &keys), [&keys[0]]);
    }

    #[test]
    fn the_answers_uid_counts_only_when_a_fresh_list_has_it_as_new() {
        let new = |uid: &str| named(uid, "jane", "ci", "2026-11-23T12:00:01Z");
        let listed = |keys: &[ApiKey]| KeyList { keys: keys.to_vec(), skipped: 0 };
        let table = [
            (Some("k2"), vec![new("k1"), new("k2")], Some("k2"), "the answer's uid is in the list"),
            (Some("jane"), vec![new("k1")], Some("k1"), "the answer named a person; one is new"),
            (None, vec![new("k1")], Some("k1"), "the answer named nothing; one is new"),
            (Some("old"), vec![new("old"), new("k1")], Some("k1"), "the answer named an old key"),
            (Some("jane"), vec![new("k1"), new("k2")], None, "two can be it: nothing is guessed"),
            (Some("k1"), vec![], None, "not in the list"),
        ];
        for (uid, keys, expected, why) in table {
            let listed = listed(&keys);
            let found = recognise(&intent(), uid, &listed).map(|key| key.uid.as_str());
            assert_eq!(found, expected, "{why}");
        }
    }
}
