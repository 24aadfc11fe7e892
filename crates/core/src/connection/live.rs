//! A connection in this run: its client, where it stands, and the list it last got.

use super::{
    ConnectionState, ConnectionView, IdentityView, SignInMethod,
    identity::{self, with_evidence},
    signing,
};
use crate::{
    ErrorCode, Failure,
    api::{ApiError, ClientSettings, Credential, KeyList, Origin, PaletteClient},
    keychain::KeychainError,
    keys::{
        ApiKey, KeyUid, KeyView, Lens,
        list::{Given, Listed},
        view_of,
    },
    once::{Once, lock},
    palette_keys::Change,
    ports::{Ports, internal},
    review::{self, changes::KeyChangeView},
    store::{CachedList, ConnectionRecord, Store, StoreError},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Changes of single keys that a list read at the same time may not show yet: this many are kept.
const PATCHES: usize = 256;

/// A changed list is written to disk after this time, so that a row of changes costs one write.
const WRITE_AFTER: Duration = Duration::from_millis(300);

/// A change that was asked for so long before a list had come may not be in it.
const LIST_TAKES: SignedDuration = SignedDuration::from_secs(60);

/// A connection in this run.
pub(crate) struct Live {
    inner: Mutex<Inner>,
    /// One reading of the credential at a time.
    signing: tokio::sync::Mutex<()>,
    /// Creations take turns up to their answer, so that each sees the other's key in its list.
    pub(crate) creating: tokio::sync::Mutex<()>,
    /// One step of a roll at a time.
    pub(crate) rolling: tokio::sync::Mutex<()>,
    /// Rolls that the server refused to go on with, and when.
    pub(crate) refused_rolls: Mutex<HashMap<String, Timestamp>>,
    /// Read-locked while the audit log is asked who changed keys.
    pub(crate) naming: Arc<tokio::sync::RwLock<()>>,
    /// One refresh at a time; others join it.
    pub(crate) refreshing: Once<Result<(), Failure>>,
    /// One first sign-in at a time; others join it.
    pub(crate) entering: Once<()>,
    write_pending: AtomicBool,
    /// Held while something is remembered of it: one at a time, so that none writes back what
    /// another has just changed. True: it was removed, and nothing is remembered of it any more.
    removed: Mutex<bool>,
    /// What the window has of the list.
    pub(crate) given: Mutex<Given>,
}

struct Inner {
    record: ConnectionRecord,
    client: Option<PaletteClient>,
    state: ConnectionState,
    problem: Option<Failure>,
    identity: Option<IdentityView>,
    /// When identity, people and quota were last read in this run.
    about_at: Option<Timestamp>,
    list: Option<Arc<CachedList>>,
    /// The list on disk was looked for.
    disk_read: bool,
    /// Why the last refresh failed.
    list_problem: Option<Failure>,
    offset_ms: i64,
    /// Counts the patches, so that a list knows which came after it was asked for.
    step: u64,
    patches: VecDeque<Patch>,
    /// Keys that this app is changing, with how many acts of it are at that.
    changing: HashMap<KeyUid, usize>,
    /// Keys of whose change no answer came, each with the step from which on a list settles it.
    unsettled: Vec<(u64, KeyUid)>,
}

/// A key as it was read back after a change; none: it is gone.
struct Patch {
    step: u64,
    uid: KeyUid,
    key: Option<ApiKey>,
}

/// This app is changing a key, from before that is sent until what was read back is in the list: a
/// list that comes in between shows the change, and nobody else made it.
#[must_use]
pub(crate) struct Changing {
    live: Arc<Live>,
    uid: KeyUid,
}

impl Changing {
    /// Whether it was changed is not known: the next list that is asked for may be the first to tell.
    pub(crate) fn is_unsettled(&self) {
        self.live.with(|inner| {
            inner.step += 1;
            inner.unsettled.push((inner.step, self.uid.clone()));
        });
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.live.with(|inner| {
            if let Some(acts) = inner.changing.get_mut(&self.uid) {
                *acts -= 1;
                if *acts == 0 {
                    inner.changing.remove(&self.uid);
                }
            }
        });
    }
}

impl Inner {
    /// Keys whose difference to the list before is our own doing, in a list that was asked for at
    /// this step.
    fn ours(&mut self, since: u64) -> HashSet<String> {
        let unsettled = self.unsettled.iter().map(|(_, uid)| uid);
        let ours = self.changing.keys().chain(unsettled).map(|uid| uid.as_str().to_owned());
        let ours = ours.collect();
        self.unsettled.retain(|(step, _)| *step > since);
        ours
    }

    /// As [`Live::signing_uid`].
    fn signing_uid(&self, list: Option<&CachedList>, now: Timestamp) -> Option<String> {
        if self.record.method != SignInMethod::ApiKey {
            return None;
        }
        if self.record.signing_key_uid.is_some() {
            return self.record.signing_key_uid.clone();
        }
        let me = self.identity.as_ref()?;
        // One that could not be understood may be it as well.
        let list = list.filter(|list| list.skipped == 0)?;
        let mut able = list.keys.iter().filter(|key| signing::can_sign_in(key, &me.user_uid, now));
        let only = able.next()?;
        able.next().is_none().then(|| only.uid.as_str().to_owned())
    }
}

impl Live {
    /// A remembered connection that was not tried yet.
    pub(crate) fn remembered(record: ConnectionRecord) -> Self {
        let state = match record.method {
            SignInMethod::ApiKey if !record.in_memory_only => ConnectionState::Offline,
            _ => ConnectionState::NeedsSignIn,
        };
        Self {
            inner: Mutex::new(Inner {
                record,
                client: None,
                state,
                problem: None,
                identity: None,
                about_at: None,
                list: None,
                disk_read: false,
                list_problem: None,
                offset_ms: 0,
                step: 0,
                patches: VecDeque::new(),
                changing: HashMap::new(),
                unsettled: Vec::new(),
            }),
            signing: tokio::sync::Mutex::new(()),
            creating: tokio::sync::Mutex::new(()),
            rolling: tokio::sync::Mutex::new(()),
            refused_rolls: Mutex::default(),
            naming: Arc::default(),
            refreshing: Once::new(0),
            entering: Once::new(0),
            write_pending: AtomicBool::new(false),
            removed: Mutex::new(false),
            given: Mutex::default(),
        }
    }

    fn with<R>(&self, f: impl FnOnce(&mut Inner) -> R) -> R {
        f(&mut lock(&self.inner))
    }

    pub(crate) fn id(&self) -> String {
        self.with(|inner| inner.record.id.clone())
    }

    pub(crate) fn record(&self) -> ConnectionRecord {
        self.with(|inner| inner.record.clone())
    }

    /// Changes the record of the connection. `put` writes it down first, so that what is shown is
    /// what is kept.
    pub(crate) fn rewrite(
        &self,
        ports: &Ports,
        change: impl FnOnce(&mut ConnectionRecord),
        put: impl FnOnce(&Store, &ConnectionRecord) -> Result<(), StoreError>,
    ) -> Result<(), Failure> {
        let removed = lock(&self.removed);
        let mut record = self.record();
        if *removed {
            return Err(Failure::new(
                ErrorCode::ConnectionUnknown,
                format!("The connection \u{201c}{}\u{201d} is not there any more.", record.name),
            ));
        }
        change(&mut record);
        put(&ports.store, &record).map_err(|error| error.failure())?;
        self.with(|inner| inner.record = record);
        Ok(())
    }

    /// As [`Live::rewrite`], where nothing else is written with it.
    pub(crate) fn remember(
        &self,
        ports: &Ports,
        change: impl FnOnce(&mut ConnectionRecord),
    ) -> Result<(), Failure> {
        self.rewrite(ports, change, |store, record| match record.demo {
            true => Ok(()),
            false => store.put_connection(record),
        })
    }

    /// Another is in its place: nothing is remembered of this one any more.
    pub(crate) fn retire(&self) {
        *lock(&self.removed) = true;
    }

    /// Forgets what is remembered of it, for good: what comes later, of a list that was on its way,
    /// is not written down.
    pub(crate) fn forget<E>(&self, forget: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut removed = lock(&self.removed);
        forget()?;
        *removed = true;
        Ok(())
    }

    /// The connection as the window sees it.
    pub(crate) fn view(&self) -> ConnectionView {
        self.with(|inner| {
            let record = inner.record.clone();
            let list = inner.list.as_deref();
            // By the server's clock at the time of the list: what ended since is said by the list.
            let uid = list.map_or_else(
                || record.signing_key_uid.clone(),
                |list| {
                    let offset = SignedDuration::from_millis(list.clock_offset_ms);
                    let now = list.as_of.checked_add(offset).unwrap_or(list.as_of);
                    inner.signing_uid(Some(list), now)
                },
            );
            let me = inner.identity.as_ref().map(|me| &*me.user_uid);
            let is_signed_in = inner.state == ConnectionState::SignedIn;
            let sign_in = signing::view_of(&record, me, list, is_signed_in, uid);
            let host = record.origin.split_once("://").map_or(&*record.origin, |(_, host)| host);
            ConnectionView {
                host: host.to_owned(),
                id: record.id,
                name: record.name,
                colour: record.colour,
                origin: record.origin,
                method: record.method,
                email: record.email,
                organization: record.organization,
                demo: record.demo,
                has_ca_certificate: record.ca_certificate.is_some(),
                proxy: record.proxy,
                state: inner.state,
                identity: inner.identity.clone(),
                problem: inner.problem.clone(),
                in_memory_only: record.in_memory_only,
                sign_in,
            }
        })
    }

    pub(crate) fn identity(&self) -> Option<IdentityView> {
        self.with(|inner| inner.identity.clone())
    }

    /// The server just said who the caller is. What the lists showed before still counts.
    pub(crate) fn identity_is(&self, identity: IdentityView) {
        self.with(|inner| {
            let list = inner.list.as_deref();
            let keys = list.map(|list| &*list.keys).unwrap_or_default();
            let people = list.and_then(|list| list.people.as_deref());
            inner.identity = Some(with_evidence(identity, keys, people));
        });
    }

    pub(crate) fn list_problem(&self) -> Option<Failure> {
        self.with(|inner| inner.list_problem.clone())
    }

    pub(crate) fn about_at(&self) -> Option<Timestamp> {
        self.with(|inner| inner.about_at)
    }

    /// The next reading of the list reads people too.
    pub(crate) fn forget_about(&self) {
        self.with(|inner| inner.about_at = None);
    }

    /// No reading of the list has read people since.
    pub(crate) fn forgot_about(&self) -> bool {
        self.with(|inner| inner.about_at.is_none())
    }

    /// The server's clock minus this computer's, as far as it is known.
    pub(crate) fn offset_ms(&self) -> i64 {
        self.with(|inner| inner.offset_ms)
    }

    /// The server's time.
    pub(crate) fn server_now(&self, ports: &Ports) -> Timestamp {
        let now = ports.now();
        now.checked_add(SignedDuration::from_millis(self.offset_ms())).unwrap_or(now)
    }

    /// The client has a credential.
    pub(crate) fn is_signed_in(&self) -> bool {
        self.with(|inner| inner.client.as_ref().is_some_and(PaletteClient::is_signed_in))
    }

    /// It is signed in by what only this process knows.
    pub(crate) fn is_signed_in_here_only(&self) -> bool {
        let (record, signed_in) = (self.record(), self.is_signed_in());
        record.demo
            || signed_in && (record.method == SignInMethod::Password || record.in_memory_only)
    }

    /// The name to show for it in words.
    pub(crate) fn name(&self) -> String {
        self.with(|inner| inner.record.name.clone())
    }

    /// The client, opened when it is first needed.
    pub(crate) fn client(&self, ports: &Ports) -> Result<PaletteClient, Failure> {
        self.with(|inner| {
            if let Some(client) = &inner.client {
                return Ok(client.clone());
            }
            let client = ports.client(settings_of(&inner.record)?)?;
            inner.client = Some(client.clone());
            Ok(client)
        })
    }

    /// A new client for the same host that has no credential.
    pub(crate) fn bare_client(&self, ports: &Ports) -> Result<PaletteClient, Failure> {
        ports.client(settings_of(&self.record())?)
    }

    /// The way to its host is another one from now on. What is under way ends on the old one.
    pub(crate) fn go_by(&self, client: PaletteClient) {
        self.with(|inner| inner.client = Some(client));
    }

    /// Whether this client is the one that it goes by now.
    fn goes_by(&self, client: &PaletteClient) -> bool {
        self.with(|inner| inner.client.as_ref().is_some_and(|known| known.is(client)))
    }

    /// Somebody signed in to it. What is under way goes on with the client of before, and what it
    /// changes is known here; the `listed` was asked for at the step `since`.
    pub(crate) fn signs_in(
        self: &Arc<Self>,
        ports: &Arc<Ports>,
        client: PaletteClient,
        since: u64,
        listed: Listed,
    ) {
        self.go_by(client);
        self.with(|inner| {
            inner.state = ConnectionState::SignedIn;
            inner.problem = None;
            inner.identity = Some(listed.identity.clone());
        });
        self.replace(ports, since, listed);
    }

    /// The client with its credential: the keychain is read when it is first needed, and again
    /// after it was not readable.
    pub(crate) async fn signed_in(&self, ports: &Ports) -> Result<PaletteClient, Failure> {
        let client = self.client(ports)?;
        if client.is_signed_in() {
            return Ok(client);
        }
        let _turn = self.signing.lock().await;
        if client.is_signed_in() {
            return Ok(client);
        }
        let record = self.record();
        if record.method == SignInMethod::Password || record.in_memory_only {
            let failure = Failure::new(
                ErrorCode::NotSignedIn,
                format!("You are not signed in to {}. Sign in and try again.", record.name),
            );
            self.stands(ports, ConnectionState::NeedsSignIn, Some(failure.clone()));
            return Err(failure);
        }
        match ports.keychain.read(record.credential_entry()).await {
            Ok(value) => {
                client.sign_in(Credential::ApiKey(value));
                Ok(client)
            }
            Err(error) => {
                let state = match error {
                    KeychainError::ItemMissing => ConnectionState::NeedsSignIn,
                    _ => ConnectionState::KeychainUnavailable,
                };
                self.stands(ports, state, Some(error.failure()));
                Err(error.failure())
            }
        }
    }

    /// The signed-in client and whom it acts as.
    pub(crate) async fn identified(
        &self,
        ports: &Ports,
    ) -> Result<(PaletteClient, IdentityView), Failure> {
        let client = self.signed_in(ports).await?;
        if let Some(identity) = self.identity() {
            return Ok((client, identity));
        }
        let identity = identity::identify(&client).await;
        self.heard(ports, &client, &identity);
        let identity = identity.map_err(|error| error.failure())?;
        self.identity_is(identity.clone());
        Ok((client, identity))
    }

    /// Learns from the answer to a read where the connection stands.
    pub(crate) fn heard<T>(
        &self,
        ports: &Ports,
        client: &PaletteClient,
        answer: &Result<T, ApiError>,
    ) {
        if !self.goes_by(client) {
            return;
        }
        match answer {
            Ok(_) => {
                self.with(|inner| inner.offset_ms = client.clock_offset_ms());
                self.stands(ports, ConnectionState::SignedIn, None);
            }
            Err(error) if error.is_offline() => {
                self.stands(ports, ConnectionState::Offline, Some(error.failure()));
            }
            Err(error) => self.heard_refusal(ports, client, error),
        }
    }

    /// Learns from a failed act only whether the credential still counts. What the client of before
    /// hears says nothing of the one that took its place.
    pub(crate) fn heard_refusal(&self, ports: &Ports, client: &PaletteClient, error: &ApiError) {
        if error.needs_sign_in() && self.goes_by(client) {
            self.stands(ports, ConnectionState::NeedsSignIn, Some(error.failure()));
        }
    }

    /// It stands so now; whoever listens is told when that is new.
    pub(crate) fn stands(&self, ports: &Ports, state: ConnectionState, problem: Option<Failure>) {
        let new = self.with(|inner| {
            let new = inner.state != state || inner.problem != problem;
            inner.state = state;
            inner.problem = problem;
            new
        });
        if new {
            ports.tell(Change::Connections);
            if state == ConnectionState::SignedIn {
                ports.outbox.credential_changed(ports, &self.id());
            }
        }
    }

    /// The list in memory, else the one on disk.
    pub(crate) fn known(&self, ports: &Ports) -> Option<Arc<CachedList>> {
        let (list, disk_read, id) =
            self.with(|inner| (inner.list.clone(), inner.disk_read, inner.record.id.clone()));
        if list.is_some() || disk_read {
            return list;
        }
        // Read without the lock: parsing thousands of keys takes a while.
        let from_disk = ports.store.list(&id).unwrap_or_default().map(Arc::new);
        // What this app had under way when it ended is no change by others.
        let under_way = from_disk.as_ref().map(|list| {
            let from = list.as_of.checked_sub(LIST_TAKES).unwrap_or(Timestamp::MIN);
            ports.store.changes_without_answer(&id, from).unwrap_or_default()
        });
        self.with(|inner| {
            inner.disk_read = true;
            if inner.list.is_none()
                && let Some(list) = from_disk
            {
                let step = inner.step;
                inner.unsettled.extend(under_way.into_iter().flatten().map(|uid| (step, uid)));
                inner.offset_ms = list.clock_offset_ms;
                inner.identity.get_or_insert_with(|| list.identity.clone());
                inner.list = Some(list);
            }
            inner.list.clone()
        })
    }

    /// One key of the known list.
    pub(crate) fn known_key(&self, ports: &Ports, uid: &KeyUid) -> Option<ApiKey> {
        let list = self.known(ports)?;
        list.keys.iter().find(|key| key.uid == *uid).cloned()
    }

    /// Something that a list view shows has changed.
    pub(crate) fn tell_changed(&self, ports: &Ports) {
        ports.keys_changed(&self.id());
    }

    /// The list has changed; with it, perhaps, what the connection says of its sign-in key and of what
    /// its caller may do.
    fn tell_changed_since(&self, ports: &Ports, shown: &ConnectionView) {
        self.tell_changed(ports);
        if self.view() != *shown {
            ports.tell(Change::Connections);
        }
    }

    /// Held while this app changes a key.
    pub(crate) fn changing(self: &Arc<Self>, uid: &KeyUid) -> Changing {
        self.with(|inner| *inner.changing.entry(uid.clone()).or_default() += 1);
        Changing { live: Arc::clone(self), uid: uid.clone() }
    }

    /// Remember this before a list is asked for, and give it to [`Live::replace`].
    pub(crate) fn step(&self) -> u64 {
        self.with(|inner| inner.step)
    }

    /// A fresh list is there. Changes made while it was on its way win over it.
    /// Answers what others changed since the list before, which is also written down.
    pub(crate) fn replace(
        self: &Arc<Self>,
        ports: &Arc<Ports>,
        since: u64,
        listed: Listed,
    ) -> Vec<KeyChangeView> {
        let at = listed.as_of;
        // What is on disk is the list before, too.
        self.known(ports);
        let shown = self.view();
        let lists = self.with(|inner| {
            inner.disk_read = true;
            inner.offset_ms = listed.clock_offset_ms;
            inner.list_problem = listed.problem.clone();
            if listed.about_read {
                inner.about_at = Some(listed.as_of);
            }
            let mut list = listed.into_list()?;
            for patch in inner.patches.iter().filter(|patch| patch.step > since) {
                put(&mut list.keys, &patch.uid, patch.key.as_ref());
            }
            inner.identity = Some(list.identity.clone());
            let ours = inner.ours(since);
            let before = inner.list.replace(Arc::new(list));
            Some((before?, inner.list.clone()?, ours))
        });
        let removed = lock(&self.removed);
        let changed = lists.filter(|_| !*removed).map(|(before, now, ours)| {
            review::changed(ports, &self.id(), &before, &now, &ours, at)
        });
        drop(removed);
        self.write_soon(ports);
        self.tell_changed_since(ports, &shown);
        changed.unwrap_or_default()
    }

    /// Only the keys were read again.
    pub(crate) fn replace_keys(
        self: &Arc<Self>,
        ports: &Arc<Ports>,
        since: u64,
        client: &PaletteClient,
        identity: &IdentityView,
        read: KeyList,
    ) {
        let KeyList { keys, skipped } = read;
        let known = self.known(ports);
        let people = known.as_ref().and_then(|list| list.people.clone());
        let changed = self.replace(
            ports,
            since,
            Listed {
                as_of: ports.now(),
                identity: with_evidence(identity.clone(), &keys, people.as_deref()),
                people,
                people_as_of: known.as_ref().and_then(|list| list.people_as_of()),
                roles: known.as_ref().and_then(|list| list.roles.clone()),
                quota: known.and_then(|list| list.quota),
                keys: Some(keys),
                skipped,
                clock_offset_ms: client.clock_offset_ms(),
                problem: None,
                about_read: false,
            },
        );
        review::name_soon(ports, self, changed);
    }

    /// The last refresh failed. One of before somebody signed in to it again says nothing any more.
    pub(crate) fn refresh_failed(&self, client: Option<&PaletteClient>, failure: &Failure) {
        if client.is_none_or(|client| self.goes_by(client)) {
            self.with(|inner| inner.list_problem = Some(failure.clone()));
        }
    }

    /// A key was read back after a change, or is gone.
    pub(crate) fn patch(self: &Arc<Self>, ports: &Arc<Ports>, uid: &KeyUid, key: Option<&ApiKey>) {
        self.known(ports);
        let shown = self.view();
        let before = self.with(|inner| {
            inner.step += 1;
            if inner.patches.len() == PATCHES {
                inner.patches.pop_front();
            }
            inner.patches.push_back(Patch {
                step: inner.step,
                uid: uid.clone(),
                key: key.cloned(),
            });
            let ours = inner.changing.contains_key(uid)
                || inner.unsettled.iter().any(|(_, known)| known == uid);
            let list = inner.list.as_mut()?;
            let was = list.keys.iter().find(|known| known.uid == *uid && !ours).cloned();
            put(&mut Arc::make_mut(list).keys, uid, key);
            Some((was?, list.as_of))
        });
        // The next list will not differ from this one: what others did is seen now or never.
        let removed = lock(&self.removed);
        let changed = before
            .filter(|_| !*removed)
            .map(|(was, after)| review::changed_key(ports, &self.id(), &was, key, after));
        drop(removed);
        self.write_soon(ports);
        self.tell_changed_since(ports, &shown);
        review::name_soon(ports, self, changed.unwrap_or_default());
    }

    /// Writes the list to disk in a moment. What is lost when the app ends before is only a cache.
    fn write_soon(self: &Arc<Self>, ports: &Arc<Ports>) {
        if self.write_pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let (live, task_ports) = (Arc::clone(self), Arc::clone(ports));
        ports.tasks.spawn(async move {
            tokio::time::sleep(WRITE_AFTER).await;
            live.write_pending.store(false, Ordering::Release);
            live.write(&task_ports);
        });
    }

    /// Writes the list to disk.
    pub(crate) fn write(&self, ports: &Ports) {
        let (record, list) = self.with(|inner| (inner.record.clone(), inner.list.clone()));
        let Some(list) = list else { return };
        let removed = lock(&self.removed);
        if !*removed && ports.store.put_list(&record.id, &list).is_err() {
            tracing::warn!("the list of a connection could not be remembered");
        }
    }

    /// The key this app signs in with: as it was written down, else the only one it can be. A key
    /// that works belongs to the caller, is active and has not ended, so where the caller has
    /// exactly one such key, that is it (fact sheet §3.5: the value itself is never listed). Not
    /// while there are keys that could not be understood.
    pub(crate) fn signing_uid(&self, list: Option<&CachedList>, now: Timestamp) -> Option<String> {
        self.with(|inner| inner.signing_uid(list, now))
    }

    /// Looks at keys with everything their views depend on.
    pub(crate) fn look<R>(&self, ports: &Ports, look: impl FnOnce(&Lens<'_>) -> R) -> R {
        let list = self.known(ports);
        let (identity, id) = self.with(|inner| (inner.identity.clone(), inner.record.id.clone()));
        // Not knowing what is stored costs a flag, never the list.
        let stored: HashSet<String> = ports.store.stored_uids(&id).unwrap_or_default();
        let revoking = ports.outbox.revoking(&id);
        let now = self.server_now(ports);
        let signing_uid = self.signing_uid(list.as_deref(), now);
        let rolls = ports.store.rolls(Some(&id)).unwrap_or_default();
        let people = list.as_ref().and_then(|list| list.people.as_ref());
        look(&Lens {
            now,
            lead_days: ports.settings().lead_days,
            identity: identity.as_ref(),
            people: people
                .map(|people| people.iter().map(|person| (&*person.uid, person)).collect()),
            people_as_of: list.as_ref().and_then(|list| list.people_as_of()),
            stored: &stored,
            signing_uid: signing_uid.as_deref(),
            revoking: &revoking,
            rolls: &rolls,
        })
    }

    /// One key as the window sees it.
    pub(crate) fn view_key(&self, ports: &Ports, key: &ApiKey) -> KeyView {
        self.look(ports, |lens| view_of(key, lens))
    }

    /// Forgets the credential.
    pub(crate) fn sign_out(&self) {
        if let Some(client) = self.with(|inner| inner.client.clone()) {
            client.sign_out();
        }
    }
}

/// Where a connection leads, and how.
fn settings_of(record: &ConnectionRecord) -> Result<ClientSettings, Failure> {
    let (origin, _) = Origin::parse(&record.origin).map_err(|error| error.failure())?;
    Ok(ClientSettings {
        origin,
        ca_certificate: record.ca_certificate.clone(),
        proxy: record.proxy.clone(),
    })
}

/// Puts a key where the one with its uid is, or at the end; none removes it.
fn put(keys: &mut Vec<ApiKey>, uid: &KeyUid, key: Option<&ApiKey>) {
    match (keys.iter().position(|known| known.uid == *uid), key) {
        (Some(place), Some(key)) => keys[place] = key.clone(),
        (Some(place), None) => {
            keys.remove(place);
        }
        (None, Some(key)) => keys.push(key.clone()),
        (None, None) => {}
    }
}

/// The uid of a request. What is no uid names no key, and is never put into a path.
pub(crate) fn key_uid(uid: &str) -> Result<KeyUid, Failure> {
    KeyUid::new(uid).ok_or_else(|| internal("This is not the uid of a key. Nothing was sent."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::SystemClock,
        connection::{Colour, ProxyChoice},
        held::HeldValues,
        keychain::MemoryKeychain,
        keys::{
            create::AtWork,
            tests::{identity, key},
        },
        once::Tasks,
        palette_keys::Timing,
        store::Store,
    };

    fn ports() -> Arc<Ports> {
        Arc::new(Ports {
            store: Store::open_in_memory().unwrap(),
            keychain: Arc::new(MemoryKeychain::new()),
            clock: Arc::new(SystemClock),
            held: HeldValues::default(),
            found: crate::found::FoundValues::default(),
            at_work: AtWork::default(),
            tasks: Tasks::default(),
            timing: Timing::default(),
            listeners: std::sync::RwLock::default(),
            revisions: std::sync::Mutex::default(),
            outbox: crate::outbox::Outbox::default(),
            policy: crate::review::policy::PolicyFile::default(),
        })
    }

    fn record() -> ConnectionRecord {
        ConnectionRecord {
            id: "c1".into(),
            name: "acme".into(),
            colour: Colour::Teal,
            origin: "https://palette.example".into(),
            method: SignInMethod::ApiKey,
            email: None,
            organization: None,
            ca_certificate: None,
            proxy: ProxyChoice::None,
            demo: false,
            in_memory_only: false,
            signing_key_uid: None,
            credential_key: None,
            sign_in: Default::default(),
            position: 0,
        }
    }

    fn listed(keys: Vec<ApiKey>) -> Listed {
        Listed {
            as_of: Timestamp::UNIX_EPOCH,
            keys: Some(keys),
            skipped: 0,
            identity: identity("jane"),
            people: None,
            people_as_of: None,
            roles: None,
            quota: None,
            clock_offset_ms: 0,
            problem: None,
            about_read: true,
        }
    }

    fn uids(live: &Live, ports: &Ports) -> Vec<(String, bool)> {
        let list = live.known(ports).unwrap();
        list.keys.iter().map(|key| (key.uid.as_str().to_owned(), key.active)).collect()
    }

    #[tokio::test]
    async fn a_change_made_while_a_list_was_on_its_way_wins_over_it() {
        let (ports, live) = (ports(), Arc::new(Live::remembered(record())));
        let old = || vec![key("k1", "jane"), key("k2", "jane")];
        live.replace(&ports, live.step(), listed(old()));

        let asked_for = live.step();
        let revoked = ApiKey { active: false, ..key("k1", "jane") };
        live.patch(&ports, &revoked.uid, Some(&revoked));
        live.patch(&ports, &key("k2", "jane").uid, None);
        live.patch(&ports, &key("k3", "jane").uid, Some(&key("k3", "jane")));
        let now = [("k1".to_owned(), false), ("k3".to_owned(), true)];
        assert_eq!(uids(&live, &ports), now);
        live.replace(&ports, asked_for, listed(old()));
        assert_eq!(uids(&live, &ports), now, "the older answer does not undo them");
        live.replace(&ports, live.step(), listed(old()));
        assert_eq!(uids(&live, &ports).len(), 2, "a newer answer counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_of_changes_is_written_once_and_soon() {
        let (ports, live) = (ports(), Arc::new(Live::remembered(record())));
        live.replace(&ports, live.step(), listed(vec![key("k1", "jane")]));
        live.patch(&ports, &key("k2", "jane").uid, Some(&key("k2", "jane")));
        assert!(ports.store.list("c1").unwrap().is_none());
        tokio::time::sleep(WRITE_AFTER * 2).await;
        assert_eq!(ports.store.list("c1").unwrap().unwrap().keys.len(), 2);
        live.patch(&ports, &key("k2", "jane").uid, None);
        tokio::time::sleep(WRITE_AFTER * 2).await;
        assert_eq!(ports.store.list("c1").unwrap().unwrap().keys.len(), 1);
    }

    #[tokio::test]
    async fn the_signing_key_is_told_only_when_it_can_be_one() {
        let (ports, live) = (ports(), Arc::new(Live::remembered(record())));
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let told = |keys: Vec<ApiKey>| {
            live.replace(&ports, live.step(), listed(keys));
            live.signing_uid(live.known(&ports).as_deref(), now)
        };
        let ended = |uid| ApiKey { expires: Some(Timestamp::UNIX_EPOCH), ..key(uid, "jane") };
        let revoked = |uid| ApiKey { active: false, ..key(uid, "jane") };
        let only = vec![key("k1", "jane"), ended("k2"), revoked("k3"), key("k4", "sam")];
        assert_eq!(told(only).as_deref(), Some("k1"));
        assert_eq!(told(vec![key("k1", "jane"), key("k2", "jane")]), None);
        assert_eq!(told(vec![key("k4", "sam")]), None);
        live.rewrite(&ports, |record| record.method = SignInMethod::Password, |_, _| Ok(()))
            .unwrap();
        assert_eq!(told(vec![key("k1", "jane")]), None, "a session is no key");
    }
}
