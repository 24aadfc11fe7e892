//! The queue: what waits, who sends, when.
//!
//! Two locks: `writing` is held while the disk and the memory are brought to the same, `state`
//! only while the memory is looked at. Never the other way round, and never over a wait.

use super::{
    BY_ITSELF, DamagedRecordView, OutboxAction, OutboxEnd, OutboxEndView, OutboxItemView,
    OutboxState, OutboxView, answer::Class, send,
};
use crate::{
    Failure,
    connection::live::Live,
    keys::{
        ApiKey, KeyUid, KeyView,
        activity::{Act, ActState},
    },
    once::lock,
    palette_keys::{Change, Connections},
    ports::{Deed, Ports},
    store::{Ended, JournalId, JournalOutcome, NewRecord, OutboxRecord, Recorded},
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, HashSet},
    fs::{File, OpenOptions},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::Thread,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::Instant,
};

/// Held by the process that sends; the system takes it back when that ends, however it ends.
const LOCK_NAME: &str = "sender.lock";

/// Windows and tray are told of changes at most this often: what they are told is the whole outbox.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// The same while there are many, from so many on.
const MANY_TOLD_EVERY: (usize, Duration) = (100, Duration::from_millis(300));

/// How often we look what another process wrote, and whether we may send.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Right after a start the one before may just be ending.
const LOOK_SOON: (u32, Duration) = (20, Duration::from_millis(50));

/// What the disk refused is offered to it again after so many looks.
const OFFER_AGAIN: u32 = 5;

/// The two clocks of this computer are this far apart: it slept, or the time was set.
const CLOCK_JUMP: Duration = Duration::from_secs(30);

/// Bulk records on their way at one time for each connection; the throttle decides their pace.
const BULK_AT_ONCE: usize = 6;

/// Single records on their way at one time for each connection.
const ALONE_AT_ONCE: usize = 16;

/// While more of a bulk act wait to be sent, those that were taken wait this long for the list that
/// confirms them together.
const CONFIRM_AFTER: Duration = Duration::from_secs(6);

/// Tries of others that the key we sign in with waits for.
const OTHERS_FIRST: u32 = 5;

/// Told when a sender of this process stops, so that the next need not wait for its look.
static RELEASED: Notify = Notify::const_new();

/// How a try of a record ended for whoever waits for it.
#[derive(Debug, Clone)]
pub(crate) enum Tried {
    /// Confirmed by a fresh read.
    Confirmed(Box<Confirmed>),
    /// Not confirmed, and tried on.
    NotYet(Failure),
    /// Somebody took it out.
    GivenUp,
}

/// A confirmed record.
#[derive(Debug, Clone)]
pub(crate) struct Confirmed {
    /// The key as it was read; none: it is gone.
    pub(crate) key: Option<KeyView>,
    /// When the server refused the value, ms since 1970.
    pub(crate) refused_at: Option<i64>,
    /// The value left the keychain.
    pub(crate) removed_from_keychain: bool,
}

/// A record that was asked for.
pub(crate) struct Added {
    /// False: the disk refused it.
    pub(crate) recorded: bool,
    /// Its first try from now on.
    pub(crate) tried: oneshot::Receiver<Tried>,
    /// Its line of the journal; none when the disk refused it.
    pub(crate) line: Option<JournalId>,
}

/// The outbox of one [`crate::PaletteKeys`].
#[derive(Default)]
pub(crate) struct Outbox {
    connections: Arc<Connections>,
    writing: Mutex<()>,
    state: Mutex<State>,
    /// Something is due, or may be.
    bell: Notify,
    /// A record came back from its try.
    landed: Notify,
    started: AtomicBool,
    closed: AtomicBool,
    watcher: OnceLock<Thread>,
    ports: OnceLock<Weak<Ports>>,
}

#[derive(Default)]
struct State {
    items: Vec<Item>,
    damaged: Vec<DamagedRecordView>,
    role: Role,
    /// What [`crate::store::Store::written_elsewhere`] said last.
    version: Option<i64>,
    told_at: Option<Instant>,
    tell_pending: bool,
    /// Records that are over, though the disk would not have it yet.
    over: Vec<Ended>,
}

/// Whether this process sends.
#[derive(Default)]
enum Role {
    #[default]
    Unknown,
    /// With the lock; none where there is no file to share, or no lock to be had.
    Sender(#[allow(dead_code, reason = "held, never read")] Option<File>),
    Elsewhere,
}

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    OnDisk,
    /// The disk refused it.
    InMemory,
    /// Of a demo tenant, which ends with the app, and so does what is asked of it.
    ForThisRun,
}

struct Item {
    record: OutboxRecord,
    kept: Kept,
    /// The key as it was known, for a line that is written later.
    before: Option<ApiKey>,
    phase: Phase,
    /// Ahead of all others.
    urgent: bool,
    /// Tries in a row that did not help.
    tries: u32,
    /// Answers in a row that were not Palette's.
    strange: u32,
    /// On its way out: not sent any more.
    withdrawn: bool,
    waiting: Vec<oneshot::Sender<Tried>>,
    last_class: Option<Class>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    At(Instant),
    Flying,
    /// Taken by the server since then; a fresh read is to come.
    ToConfirm(Instant),
    /// The fresh read is under way.
    Confirming,
}

/// Records that were taken out of the memory, of which somebody is to be told.
type Gone = Vec<(Item, OutboxItemView, Leaving)>;

/// What the sender does next.
enum Job {
    Send(String),
    Confirm { connection: String, records: Vec<String> },
}

impl Item {
    fn new(record: OutboxRecord, kept: Kept, before: Option<ApiKey>) -> Self {
        Self {
            urgent: record.alone,
            record,
            kept,
            before,
            phase: Phase::At(Instant::now()),
            tries: 0,
            strange: 0,
            withdrawn: false,
            waiting: Vec::new(),
            last_class: None,
        }
    }

    fn is_of(&self, connection: &str, uid: &KeyUid, action: OutboxAction) -> bool {
        self.record.connection == connection
            && self.record.key_uid == *uid
            && self.record.action == action
            && !self.withdrawn
    }

    fn at_once(&mut self, now: Instant) {
        self.tries = 0;
        if let Phase::At(at) = self.phase
            && at > now
        {
            self.phase = Phase::At(now);
        }
    }

    /// A fresh list or read is all that is missing.
    fn accepted(&self) -> bool {
        self.record.state == OutboxState::Accepted
    }
}

impl State {
    fn find(&mut self, record: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.record.record == record)
    }

    fn sends(&self) -> bool {
        matches!(self.role, Role::Sender(_))
    }
}

/// Opening and closing.
impl Outbox {
    pub(crate) fn new(connections: Arc<Connections>) -> Self {
        Self { connections, ..Self::default() }
    }

    /// Reads what is on disk. Everything is due at once: what the clock says never matters.
    pub(crate) fn load(&self, ports: &Ports) {
        let _writing = lock(&self.writing);
        let version = ports.store.written_elsewhere().ok();
        match ports.store.outbox() {
            Ok((records, damaged)) => {
                let mut state = lock(&self.state);
                state.items = records
                    .into_iter()
                    .map(|record| Item::new(record, Kept::OnDisk, None))
                    .collect();
                state.damaged = damaged;
                state.version = version;
            }
            Err(_) => tracing::warn!("the outbox could not be read"),
        }
    }

    /// Tells the outbox of whose it is.
    pub(crate) fn belongs_to(ports: &Arc<Ports>) {
        let _ = ports.outbox.ports.set(Arc::downgrade(ports));
    }

    fn shared(&self) -> Option<Arc<Ports>> {
        self.ports.get().and_then(Weak::upgrade)
    }

    /// Starts to send, once, where there is a tokio runtime.
    pub(crate) fn start(ports: &Arc<Ports>) {
        let outbox = &ports.outbox;
        let Ok(runtime) = Handle::try_current() else { return };
        if outbox.closed.load(Ordering::Acquire) || outbox.started.swap(true, Ordering::AcqRel) {
            return;
        }
        ports.tasks.spawn(run(Arc::clone(ports)));
        let weak = Arc::downgrade(ports);
        let watch =
            std::thread::Builder::new().name("outbox".into()).spawn(|| watch(weak, runtime));
        match watch {
            Ok(watcher) => drop(outbox.watcher.set(watcher.thread().clone())),
            Err(_) => tracing::warn!("what other processes write to the outbox is not seen"),
        }
    }

    /// Stops sending and lets another process do it.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.state).role = Role::Elsewhere;
        if let Some(watcher) = self.watcher.get() {
            watcher.unpark();
        }
        RELEASED.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// Looking.
impl Outbox {
    /// The uids of a connection's keys with an open record.
    pub(crate) fn revoking(&self, connection: &str) -> HashSet<String> {
        lock(&self.state)
            .items
            .iter()
            .filter(|item| item.record.connection == connection && !item.withdrawn)
            .map(|item| item.record.key_uid.as_str().to_owned())
            .collect()
    }

    /// Open revocations and deletions of a connection.
    pub(crate) fn open_of(&self, connection: &str) -> usize {
        lock(&self.state).items.iter().filter(|item| item.record.connection == connection).count()
    }

    /// Everything that waits, oldest first.
    pub(crate) fn view(&self, ports: &Ports) -> OutboxView {
        let (now, wall) = (Instant::now(), ports.now());
        let names = self.names();
        let state = lock(&self.state);
        OutboxView {
            items: state
                .items
                .iter()
                .filter(|item| !item.withdrawn)
                .map(|item| view_of(item, &names, state.sends(), now, wall))
                .collect(),
            damaged: state.damaged.clone(),
            sent_elsewhere: matches!(state.role, Role::Elsewhere),
        }
    }

    fn names(&self) -> HashMap<String, String> {
        self.connections.all().iter().map(|live| (live.id(), live.name())).collect()
    }

    /// The connections of this run.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    pub(super) fn find_live(&self, connection: &str) -> Option<Arc<Live>> {
        self.connections.find(connection)
    }

    pub(super) fn record(&self, record: &str) -> Option<OutboxRecord> {
        lock(&self.state).find(record).map(|item| item.record.clone())
    }
}

fn view_of(
    item: &Item,
    names: &HashMap<String, String>,
    sends: bool,
    now: Instant,
    wall: Timestamp,
) -> OutboxItemView {
    let record = &item.record;
    let next_try_at = match item.phase {
        Phase::At(at) if sends => {
            let pause = at.saturating_duration_since(now);
            let pause = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
            Some(wall.as_millisecond().saturating_add(pause))
        }
        _ => None,
    };
    OutboxItemView {
        record: record.record.clone(),
        connection: record.connection.clone(),
        connection_name: names.get(&record.connection).unwrap_or(&record.connection_name).clone(),
        key_uid: record.key_uid.as_str().to_owned(),
        key_name: record.key_name.clone(),
        owner_name: record.owner_name.clone(),
        action: record.action,
        asked_at: record.asked_at.as_millisecond(),
        attempts: record.attempts,
        state: record.state,
        problem: record.problem.clone(),
        last_tried_at: record.last_tried_at,
        next_try_at,
        recorded: item.kept != Kept::InMemory,
        by_itself: record.op_id.starts_with(BY_ITSELF),
    }
}

/// Adding.
impl Outbox {
    /// Writes down what a person confirmed, all at once, and rings. A key that has such a record
    /// already joins it. If the disk refuses, it is sent all the same.
    pub(crate) fn add(
        &self,
        ports: &Arc<Ports>,
        live: &Arc<Live>,
        action: OutboxAction,
        op_id: &str,
        uids: &[KeyUid],
    ) -> Vec<Added> {
        Self::start(ports);
        let connection = live.record();
        live.known(ports);
        let tenant_uid = live.identity().map(|me| me.tenant_uid).filter(|uid| !uid.is_empty());
        let known: HashMap<KeyUid, ApiKey> = match uids {
            [uid] => live.known_key(ports, uid).map(|key| (uid.clone(), key)).into_iter().collect(),
            _ => {
                let wanted: HashSet<&KeyUid> = uids.iter().collect();
                let list = live.known(ports);
                let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
                let keys = keys.iter().filter(|key| wanted.contains(&key.uid));
                keys.map(|key| (key.uid.clone(), key.clone())).collect()
            }
        };
        let now = Instant::now();
        let asked_at = ports.now();
        let mut added = Vec::with_capacity(uids.len());
        let merged = {
            let _writing = lock(&self.writing);
            let merged = self.merge(ports);
            let mut fresh: Vec<Recorded> = Vec::new();
            let mut new = HashSet::new();
            for uid in uids {
                let joins = {
                    let state = lock(&self.state);
                    state.items.iter().any(|item| item.is_of(&connection.id, uid, action))
                };
                if joins || !new.insert(uid.clone()) {
                    continue;
                }
                let key = known.get(uid).cloned();
                let record = OutboxRecord::new(NewRecord {
                    op_id: op_id.to_owned(),
                    connection: connection.id.clone(),
                    connection_name: connection.name.clone(),
                    origin: connection.origin.clone(),
                    tenant_uid: tenant_uid.clone(),
                    key_uid: uid.clone(),
                    key: key.clone(),
                    action,
                    asked_at,
                    alone: uids.len() == 1,
                });
                let entry = entry(ports, live, &record);
                fresh.push(Recorded { record, entry, before: key });
            }
            let kept = if connection.demo {
                for new in &mut fresh {
                    if let Ok(line) = ports.store.ask(&new.entry) {
                        new.record.line_is(line);
                    }
                }
                Kept::ForThisRun
            } else if fresh.is_empty() || ports.store.add_to_outbox(&mut fresh).is_ok() {
                Kept::OnDisk
            } else {
                tracing::warn!("the disk refused a revocation; it is sent all the same");
                Kept::InMemory
            };
            let mut state = lock(&self.state);
            for new in fresh {
                state.items.push(Item::new(new.record, kept, new.before));
            }
            for uid in uids {
                let (sender, tried) = oneshot::channel();
                let item =
                    state.items.iter_mut().find(|item| item.is_of(&connection.id, uid, action));
                if let Some(item) = item {
                    // Asked for again: now.
                    item.at_once(now);
                    item.urgent |= uids.len() == 1;
                    item.waiting.push(sender);
                    let line = item.record.journal();
                    added.push(Added { recorded: item.kept != Kept::InMemory, tried, line });
                }
            }
            merged
        };
        self.tell_merged(ports, merged);
        self.bell.notify_one();
        ports.keys_changed(&connection.id);
        self.changed(ports);
        added
    }

    /// Tries records now: one, or all.
    pub(crate) fn retry(&self, ports: &Arc<Ports>, record: Option<&str>) {
        let now = Instant::now();
        for item in &mut lock(&self.state).items {
            if record.is_none_or(|record| item.record.record == record) {
                item.at_once(now);
                item.urgent |= record.is_some();
            }
        }
        Self::start(ports);
        self.bell.notify_one();
        self.changed(ports);
    }

    /// The keychain can be read: what waits for it is tried now.
    pub(crate) fn keychain_is_back(&self, ports: &Ports) {
        let now = Instant::now();
        let mut any = false;
        for item in &mut lock(&self.state).items {
            if item.last_class == Some(Class::Keychain) {
                item.at_once(now);
                any = true;
            }
        }
        if any {
            self.bell.notify_one();
            self.changed(ports);
        }
    }

    /// A credential came, or came back, or the server answers again: what waits for this connection
    /// is tried now.
    pub(crate) fn credential_changed(&self, ports: &Ports, connection: &str) {
        let now = Instant::now();
        let mut any = false;
        for item in &mut lock(&self.state).items {
            if item.record.connection == connection {
                item.at_once(now);
                any = true;
            }
        }
        if any {
            self.bell.notify_one();
            self.changed(ports);
        }
    }
}

/// The line of a record in the journal.
fn entry(ports: &Ports, live: &Live, record: &OutboxRecord) -> crate::store::JournalEntry {
    let (act, detail) = match record.action {
        OutboxAction::Revoke => (Act::Revoke, "To be sent: revoke."),
        OutboxAction::Delete => (Act::Delete, "To be sent: delete."),
    };
    let deed = Deed {
        act,
        key_uid: record.key_uid.as_str(),
        key_name: &record.key_name,
        owner_name: &record.owner_name,
        detail,
    };
    ports.entry(live, &deed)
}

/// How a record leaves.
pub(super) struct Leaving {
    pub(super) record: String,
    pub(super) end: OutboxEnd,
    pub(super) state: ActState,
    pub(super) detail: String,
    /// As it was read back.
    pub(super) key: Option<ApiKey>,
    pub(super) removed_from_keychain: bool,
}

/// Leaving.
impl Outbox {
    /// Takes records out, with their lines, and tells everybody.
    pub(super) fn leave(&self, ports: &Ports, leaving: Vec<Leaving>) {
        let gone = {
            let _writing = lock(&self.writing);
            let ended: Vec<Ended> = {
                let mut state = lock(&self.state);
                let find = |leaving: &Leaving| {
                    let item = state.find(&leaving.record)?;
                    Some(ended(ports, &item.record, leaving))
                };
                leaving.iter().filter_map(find).collect()
            };
            let kept = if ports.store.end_outbox(&ended).is_err() {
                tracing::warn!("the end of a revocation could not be written down yet");
                ended
            } else {
                Vec::new()
            };
            let mut state = lock(&self.state);
            state.over.extend(kept);
            self.taken(&mut state, ports, leaving)
        };
        self.tell_ends(ports, gone);
    }

    /// Takes the items out of the memory.
    fn taken(&self, state: &mut State, ports: &Ports, leaving: Vec<Leaving>) -> Gone {
        let (now, wall) = (Instant::now(), ports.now());
        let mut gone = Vec::with_capacity(leaving.len());
        for leaving in leaving {
            let place = state.items.iter().position(|item| item.record.record == leaving.record);
            let Some(place) = place else { continue };
            let item = state.items.remove(place);
            let view = view_of(&item, &HashMap::new(), false, now, wall);
            gone.push((item, view, leaving));
        }
        gone
    }

    /// Tells those who wait, then everybody.
    fn tell_ends(&self, ports: &Ports, gone: Gone) {
        if gone.is_empty() {
            return;
        }
        let names = self.names();
        let mut connections = HashSet::new();
        for (item, mut view, leaving) in gone {
            if let Some(name) = names.get(&view.connection) {
                view.connection_name.clone_from(name);
            }
            let live = self.find_live(&view.connection);
            let key = live
                .as_ref()
                .zip(leaving.key.as_ref())
                .map(|(live, key)| live.view_key(ports, key));
            let tried = match leaving.end {
                OutboxEnd::Confirmed { refused_at } => Tried::Confirmed(Box::new(Confirmed {
                    key: key.clone(),
                    refused_at,
                    removed_from_keychain: leaving.removed_from_keychain,
                })),
                OutboxEnd::GivenUp => Tried::GivenUp,
            };
            for waiting in item.waiting {
                let _ = waiting.send(tried.clone());
            }
            connections.insert(view.connection.clone());
            let end = OutboxEndView { item: view, end: leaving.end, key };
            ports.tell(Change::OutboxEnded(Box::new(end)));
        }
        for connection in connections {
            ports.keys_changed(&connection);
        }
        self.landed.notify_waiters();
        self.bell.notify_one();
        self.changed(ports);
    }

    /// A person takes records out although the server has not confirmed them.
    pub(crate) fn give_up(
        &self,
        ports: &Ports,
        records: &[String],
        unsent_only: bool,
    ) -> Result<(), Failure> {
        let merged = {
            let _writing = lock(&self.writing);
            self.merge(ports)
        };
        self.tell_merged(ports, merged);
        let gone = {
            let _writing = lock(&self.writing);
            let mut leaving = Vec::new();
            let (mut on_disk, mut others) = (Vec::new(), Vec::new());
            {
                let mut state = lock(&self.state);
                for record in records {
                    let Some(item) = state.find(record) else { continue };
                    if unsent_only && (item.record.sent || item.phase == Phase::Flying) {
                        continue;
                    }
                    let (act, detail) = match item.record.sent {
                        true => (ActState::Unknown, "given up: this key may still work".to_owned()),
                        false => (
                            ActState::Failed,
                            "stopped before it was sent: this key still works".to_owned(),
                        ),
                    };
                    let detail = match &item.record.problem {
                        Some(problem) if item.record.sent => {
                            format!("{detail}. Last: {}", problem.message)
                        }
                        _ => detail,
                    };
                    let leave = Leaving {
                        record: record.clone(),
                        end: OutboxEnd::GivenUp,
                        state: act,
                        detail,
                        key: None,
                        removed_from_keychain: false,
                    };
                    match item.kept {
                        Kept::OnDisk => on_disk.push(ended(ports, &item.record, &leave)),
                        _ => others.push(ended(ports, &item.record, &leave)),
                    }
                    leaving.push(leave);
                }
            }
            if unsent_only {
                let left = ports.store.end_unsent(&on_disk).map_err(|error| error.failure())?;
                // What another process has sent meanwhile stays.
                leaving.retain(|leave| {
                    left.contains(&leave.record)
                        || others.iter().any(|other| other.record == leave.record)
                });
            } else {
                ports.store.end_outbox(&on_disk).map_err(|error| error.failure())?;
            }
            if ports.store.end_outbox(&others).is_err() {
                tracing::warn!("that a revocation was given up could not be written down");
            }
            let mut state = lock(&self.state);
            self.taken(&mut state, ports, leaving)
        };
        self.tell_ends(ports, gone);
        Ok(())
    }

    /// The key is to be put back into service: its open revocations are withdrawn. One that is on
    /// its way is waited for, or it would land after the re-activation.
    pub(crate) async fn withdraw(&self, ports: &Ports, live: &Live, uid: &KeyUid) {
        let connection = live.id();
        let of_key = |item: &Item| {
            item.record.connection == connection
                && item.record.key_uid == *uid
                && item.record.action == OutboxAction::Revoke
        };
        loop {
            let landed = self.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            let (records, flying) = {
                let mut state = lock(&self.state);
                let mut items: Vec<_> =
                    state.items.iter_mut().filter(|item| of_key(item)).collect();
                items.iter_mut().for_each(|item| item.withdrawn = true);
                let flying = items.iter().any(|item| item.phase == Phase::Flying);
                (items.iter().map(|item| item.record.record.clone()).collect::<Vec<_>>(), flying)
            };
            if flying {
                landed.await;
                continue;
            }
            let leaving = records.into_iter().map(|record| Leaving {
                record,
                end: OutboxEnd::GivenUp,
                state: ActState::Unknown,
                detail: "withdrawn: the key was to be put back into service".to_owned(),
                key: None,
                removed_from_keychain: false,
            });
            let leaving: Vec<_> = leaving.collect();
            if !leaving.is_empty() {
                self.leave(ports, leaving);
            }
            return;
        }
    }

    /// Records of a demo tenant that is gone.
    pub(crate) fn forget_demo(&self, connection: &str) {
        lock(&self.state).items.retain(|item| item.record.connection != connection);
    }
}

fn ended(ports: &Ports, record: &OutboxRecord, leaving: &Leaving) -> Ended {
    let mut outcome = JournalOutcome::new(leaving.state, &leaving.detail, ports.now());
    outcome.after.clone_from(&leaving.key);
    Ended { record: record.record.clone(), journal: record.journal(), outcome }
}

/// Sending.
impl Outbox {
    /// What is due, and when the next is.
    fn due(&self, ports: &Ports) -> (Vec<Job>, Option<Instant>) {
        let now = Instant::now();
        let own = self.own_keys(ports);
        let mut state = lock(&self.state);
        if !state.sends() || self.is_closed() {
            return (Vec::new(), None);
        }
        // What another record of the same connection has to do first.
        let mut flying: HashMap<(String, bool), usize> = HashMap::new();
        let mut unsent: HashMap<String, usize> = HashMap::new();
        let mut in_front: HashMap<String, usize> = HashMap::new();
        for item in &mut state.items {
            let connection = &item.record.connection;
            if let Phase::At(at) = item.phase
                && at <= now
                && item.accepted()
            {
                item.phase = Phase::ToConfirm(now);
            }
            match item.phase {
                Phase::Flying => *flying.entry((connection.clone(), item.urgent)).or_default() += 1,
                Phase::At(at) if at <= now => {
                    *unsent.entry(connection.clone()).or_default() += 1;
                }
                _ => {}
            }
            if !own.contains(&(connection.clone(), item.record.key_uid.clone()))
                && item.record.state != OutboxState::Blocked
                && item.tries < OTHERS_FIRST
            {
                *in_front.entry(connection.clone()).or_default() += 1;
            }
        }
        let mut order: Vec<usize> = (0..state.items.len()).collect();
        order.sort_by_key(|&place| !state.items[place].urgent);
        let mut jobs = Vec::new();
        let mut next: Option<Instant> = None;
        let mut soonest =
            |at: Instant| next = Some(next.map_or(at, |known: Instant| known.min(at)));
        let mut confirming: HashMap<String, (Instant, Vec<String>)> = HashMap::new();
        for place in order {
            let item = &mut state.items[place];
            let connection = item.record.connection.clone();
            match item.phase {
                Phase::Flying | Phase::Confirming => {}
                _ if item.withdrawn => {}
                Phase::ToConfirm(since) => {
                    let group = confirming.entry(connection).or_insert((since, Vec::new()));
                    group.0 = group.0.min(since);
                    group.1.push(item.record.record.clone());
                }
                Phase::At(at) if at > now => soonest(at),
                Phase::At(_) => {
                    let last = own.contains(&(connection.clone(), item.record.key_uid.clone()));
                    if last && in_front.get(&connection).is_some_and(|&others| others > 0) {
                        continue;
                    }
                    let most = if item.urgent { ALONE_AT_ONCE } else { BULK_AT_ONCE };
                    let places = flying.entry((connection, item.urgent)).or_default();
                    if *places < most {
                        *places += 1;
                        item.phase = Phase::Flying;
                        jobs.push(Job::Send(item.record.record.clone()));
                    }
                }
            }
        }
        for (connection, (since, records)) in confirming {
            let more_to_come = unsent.get(&connection).is_some_and(|&count| count > 0)
                || [true, false].iter().any(|&urgent| {
                    flying.get(&(connection.clone(), urgent)).is_some_and(|&count| count > 0)
                });
            let at = since + CONFIRM_AFTER;
            if more_to_come && now < at {
                soonest(at);
                continue;
            }
            for record in &records {
                if let Some(item) = state.find(record) {
                    item.phase = Phase::Confirming;
                }
            }
            jobs.push(Job::Confirm { connection, records });
        }
        (jobs, next)
    }

    /// The keys that the connections sign in with.
    fn own_keys(&self, ports: &Ports) -> HashSet<(String, KeyUid)> {
        let connections: HashSet<String> =
            lock(&self.state).items.iter().map(|item| item.record.connection.clone()).collect();
        connections
            .into_iter()
            .filter_map(|id| {
                let live = self.find_live(&id)?;
                let list = live.known(ports);
                let uid = live.signing_uid(list.as_deref(), live.server_now(ports))?;
                Some((id, KeyUid::new(&uid)?))
            })
            .collect()
    }

    /// Writes down that a record is about to be sent, if that is new (one of many); false when
    /// somebody gave it up.
    pub(super) fn about_to_send(&self, ports: &Ports, record: &str) -> bool {
        let _writing = lock(&self.writing);
        let known = {
            let mut state = lock(&self.state);
            let Some(item) = state.find(record) else { return false };
            if item.withdrawn {
                return false;
            }
            let sent = std::mem::replace(&mut item.record.sent, true);
            if sent || item.kept != Kept::OnDisk {
                return true;
            }
            item.record.clone()
        };
        // A disk that refuses now does not stop it.
        ports.store.update_outbox(&known).unwrap_or(true)
    }

    /// The server took a record of many; a list will confirm it with others.
    pub(super) fn accepted(&self, ports: &Ports, record: &str) {
        {
            let mut state = lock(&self.state);
            if let Some(item) = state.find(record) {
                item.record.attempts = item.record.attempts.saturating_add(1);
                item.record.state = OutboxState::Accepted;
                item.record.last_tried_at = Some(ports.now().as_millisecond());
                item.record.problem = None;
                item.phase = Phase::ToConfirm(Instant::now());
            }
        }
        self.landed.notify_waiters();
        self.bell.notify_one();
        self.changed(ports);
    }

    /// A try that did not confirm it. `accepted`: the server took it.
    pub(super) fn not_yet(
        &self,
        ports: &Ports,
        record: &str,
        began: Instant,
        sendings: u32,
        miss: send::Miss,
    ) {
        let rule = miss.class.rule();
        let written = {
            let mut state = lock(&self.state);
            let Some(item) = state.find(record) else { return };
            let was = (item.record.state, item.record.problem.clone());
            item.strange = if miss.class == Class::NotPalette { item.strange + 1 } else { 0 };
            item.record.attempts = item.record.attempts.saturating_add(sendings);
            item.record.last_tried_at = Some(ports.now().as_millisecond());
            item.record.problem = Some(miss.failure.clone());
            item.last_class = Some(miss.class);
            item.record.state = if rule.is_blocked(item.strange) {
                OutboxState::Blocked
            } else if miss.accepted {
                OutboxState::Accepted
            } else {
                OutboxState::Waiting
            };
            // Counted from the start of the try: what hangs for half a minute has waited.
            let now = Instant::now();
            item.phase = Phase::At((began + rule.pause(item.tries)).max(now));
            if rule.counts {
                item.tries = item.tries.saturating_add(1);
            }
            if miss.class != Class::Throttled {
                for waiting in item.waiting.drain(..) {
                    let _ = waiting.send(Tried::NotYet(miss.failure.clone()));
                }
            }
            // Not each of a month of tries is worth a write.
            let new = was != (item.record.state, item.record.problem.clone())
                || item.record.attempts.is_power_of_two()
                || item.record.attempts.is_multiple_of(64);
            (new && item.kept == Kept::OnDisk).then(|| item.record.clone())
        };
        if let Some(known) = written {
            let _writing = lock(&self.writing);
            if ports.store.update_outbox(&known).is_err() {
                tracing::warn!("how a revocation fares could not be written down");
            }
        }
        self.landed.notify_waiters();
        self.bell.notify_one();
        self.changed(ports);
    }

    /// The task of a try ended without a word (it panicked): the record must not stay on its way.
    pub(super) fn fell(&self, record: &str) {
        if let Some(item) = lock(&self.state).find(record)
            && matches!(item.phase, Phase::Flying | Phase::Confirming)
        {
            item.phase = Phase::At(Instant::now() + LOOK_EVERY);
        }
        self.landed.notify_waiters();
        self.bell.notify_one();
    }

    pub(super) fn is_urgent(&self, record: &str) -> bool {
        lock(&self.state).find(record).is_none_or(|item| item.urgent)
    }

    /// No try of it in a row has failed yet.
    pub(super) fn is_fresh(&self, record: &str) -> bool {
        lock(&self.state).find(record).is_some_and(|item| item.tries == 0)
    }

    /// Tells that something changed, though not too often.
    fn changed(&self, ports: &Ports) {
        let now = Instant::now();
        let later = {
            let mut state = lock(&self.state);
            let many = state.items.len() >= MANY_TOLD_EVERY.0;
            let every = if many { MANY_TOLD_EVERY.1 } else { TOLD_EVERY };
            match state.told_at {
                Some(at) if now < at + every => {
                    if state.tell_pending {
                        return;
                    }
                    Some(at + every)
                }
                _ => {
                    state.told_at = Some(now);
                    None
                }
            }
        };
        if let Some(at) = later
            && let Some(ports) = self.shared()
            && Handle::try_current().is_ok()
        {
            lock(&self.state).tell_pending = true;
            let tasks = ports.tasks.clone();
            tasks.spawn(async move {
                tokio::time::sleep_until(at).await;
                {
                    let mut state = lock(&ports.outbox.state);
                    state.tell_pending = false;
                    state.told_at = Some(Instant::now());
                }
                ports.tell(Change::Outbox);
            });
            return;
        }
        ports.tell(Change::Outbox);
    }
}

/// Two processes on one directory.
impl Outbox {
    /// Becomes the sender if nobody is.
    fn take_over(&self, ports: &Ports) {
        {
            let state = lock(&self.state);
            if state.sends() || self.is_closed() {
                return;
            }
        }
        let held = match ports.store.dir() {
            None => Some(None),
            Some(dir) => match lock_file(dir) {
                Locked::Ours(file) => Some(Some(file)),
                Locked::Theirs => None,
                // Better twice than never.
                Locked::Impossible => Some(None),
            },
        };
        let writing = lock(&self.writing);
        let became = {
            let mut state = lock(&self.state);
            let before = matches!(state.role, Role::Elsewhere);
            match held {
                Some(file) if !self.is_closed() => {
                    state.role = Role::Sender(file);
                    state.version = None;
                    let now = Instant::now();
                    state.items.iter_mut().for_each(|item| item.at_once(now));
                    true
                }
                _ => {
                    state.role = Role::Elsewhere;
                    !before
                }
            }
        };
        if became {
            // What the one before us left, as it is on disk.
            let merged = self.merge(ports);
            drop(writing);
            self.tell_merged(ports, merged);
            self.changed(ports);
        }
    }

    /// Brings the memory to what is on disk, if another process wrote there. `writing` is held.
    fn merge(&self, ports: &Ports) -> Option<Gone> {
        ports.store.dir()?;
        let version = ports.store.written_elsewhere().ok()?;
        if lock(&self.state).version == Some(version) {
            return None;
        }
        let (records, damaged) = ports.store.outbox().ok()?;
        let mut gone = Vec::new();
        {
            let mut state = lock(&self.state);
            state.version = Some(version);
            state.damaged = damaged;
            let sends = state.sends();
            let mut on_disk: HashMap<String, OutboxRecord> =
                records.into_iter().map(|record| (record.record.clone(), record)).collect();
            for over in &state.over {
                on_disk.remove(&over.record);
            }
            let mut items = std::mem::take(&mut state.items);
            items.retain_mut(|item| match on_disk.remove(&item.record.record) {
                Some(record) => {
                    if !sends {
                        item.record = record;
                    }
                    true
                }
                None => {
                    if item.kept == Kept::OnDisk {
                        gone.push(item.record.record.clone());
                    }
                    true
                }
            });
            let mut new: Vec<OutboxRecord> = on_disk.into_values().collect();
            new.sort_by_key(|record| record.asked_at);
            items.extend(new.into_iter().map(|record| Item::new(record, Kept::OnDisk, None)));
            items.sort_by_key(|item| item.record.asked_at);
            state.items = items;
        }
        let leaving: Vec<Leaving> =
            gone.into_iter().filter_map(|record| self.ended_elsewhere(ports, record)).collect();
        let mut state = lock(&self.state);
        Some(self.taken(&mut state, ports, leaving))
    }

    /// Tells what [`Outbox::merge`] found, without a lock.
    fn tell_merged(&self, ports: &Ports, merged: Option<Gone>) {
        let Some(gone) = merged else { return };
        for (item, _, leaving) in &gone {
            if let (OutboxEnd::Confirmed { .. }, Some(live), Some(ports)) =
                (leaving.end, self.find_live(&item.record.connection), self.shared())
            {
                // Another process of this app did it.
                let _ours = live.changing(&item.record.key_uid);
                live.patch(&ports, &item.record.key_uid, leaving.key.as_ref());
            }
        }
        if gone.is_empty() {
            self.changed(ports);
        }
        self.tell_ends(ports, gone);
    }

    /// How a record ended in another process: its line of the journal says so.
    fn ended_elsewhere(&self, ports: &Ports, record: String) -> Option<Leaving> {
        let known = self.record(&record)?;
        let line = known.journal().and_then(|line| ports.store.change(line).ok().flatten());
        let done = line.as_ref().filter(|line| line.activity.state == ActState::Done);
        Some(Leaving {
            record,
            end: match done {
                Some(_) => OutboxEnd::Confirmed { refused_at: None },
                None => OutboxEnd::GivenUp,
            },
            state: done.map_or(ActState::Unknown, |line| line.activity.state),
            detail: String::new(),
            key: done.and_then(|line| line.after.clone()),
            removed_from_keychain: false,
        })
    }

    /// Offers the disk what it refused.
    fn offer_again(&self, ports: &Ports) {
        let _writing = lock(&self.writing);
        let over = std::mem::take(&mut lock(&self.state).over);
        if !over.is_empty() && ports.store.end_outbox(&over).is_err() {
            lock(&self.state).over = over;
        }
        let mut refused: Vec<Recorded> = {
            let state = lock(&self.state);
            let refused =
                state.items.iter().filter(|item| item.kept == Kept::InMemory && !item.withdrawn);
            refused
                .filter_map(|item| {
                    let live = self.find_live(&item.record.connection)?;
                    let mut entry = entry(ports, &live, &item.record);
                    entry.at = item.record.asked_at;
                    Some(Recorded {
                        record: item.record.clone(),
                        entry,
                        before: item.before.clone(),
                    })
                })
                .collect()
        };
        if refused.is_empty() || ports.store.add_to_outbox(&mut refused).is_err() {
            return;
        }
        {
            let mut state = lock(&self.state);
            for new in refused {
                if let Some(item) = state.find(&new.record.record) {
                    item.record.journal_is_of(&new.record);
                    item.kept = Kept::OnDisk;
                }
            }
        }
        self.changed(ports);
    }
}

enum Locked {
    Ours(File),
    Theirs,
    Impossible,
}

fn lock_file(dir: &Path) -> Locked {
    let path = dir.join(LOCK_NAME);
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A disk that takes no new file may still have the old one.
    let file = options.open(&path).or_else(|_| File::open(&path));
    let Ok(file) = file else { return Locked::Impossible };
    match file.try_lock() {
        Ok(()) => Locked::Ours(file),
        Err(std::fs::TryLockError::WouldBlock) => Locked::Theirs,
        Err(std::fs::TryLockError::Error(_)) => Locked::Impossible,
    }
}

/// Sends until the product ends.
async fn run(ports: Arc<Ports>) {
    let outbox = &ports.outbox;
    while !outbox.is_closed() {
        let released = RELEASED.notified();
        tokio::pin!(released);
        released.as_mut().enable();
        outbox.take_over(&ports);
        let (jobs, next) = outbox.due(&ports);
        for job in jobs {
            let ports = Arc::clone(&ports);
            match job {
                Job::Send(record) => ports.tasks.clone().spawn(send::send(ports, record)),
                Job::Confirm { connection, records } => {
                    ports.tasks.clone().spawn(send::confirm(ports, connection, records));
                }
            }
        }
        let later = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = outbox.bell.notified() => {}
            () = released => {}
            () = later => {}
        }
    }
}

/// Looks once a second what other processes wrote and whether this computer slept. A plain thread
/// on plain time: a runtime that is busy or whose clock stands still does not matter to it.
fn watch(ports: Weak<Ports>, runtime: Handle) {
    let mut looks = 0_u32;
    let mut clocks: Option<(std::time::Instant, Timestamp)> = None;
    loop {
        {
            let Some(ports) = ports.upgrade() else { return };
            if ports.outbox.is_closed() {
                return;
            }
            let now = (std::time::Instant::now(), ports.now());
            let jumped = clocks.replace(now).is_some_and(|before| {
                let passed = now.0.duration_since(before.0);
                let shown = now.1.duration_since(before.1);
                let passed = jiff::SignedDuration::try_from(passed).unwrap_or_default();
                (shown - passed).unsigned_abs() > CLOCK_JUMP
            });
            // What is told here starts tasks.
            let _inside = runtime.enter();
            // Without this thread nothing would take over from a sender that died, so it outlives
            // a mistake of ours; no lock is left behind, and the next look begins anew.
            let look = AssertUnwindSafe(|| look(&ports, jumped, looks.is_multiple_of(OFFER_AGAIN)));
            if catch_unwind(look).is_err() {
                tracing::error!("looking after the outbox failed; it is tried again");
            }
        }
        looks = looks.saturating_add(1);
        std::thread::park_timeout(if looks < LOOK_SOON.0 { LOOK_SOON.1 } else { LOOK_EVERY });
    }
}

/// One look.
fn look(ports: &Arc<Ports>, clock_jumped: bool, offer_again: bool) {
    let outbox = &ports.outbox;
    if clock_jumped {
        outbox.retry(ports, None);
    }
    let merged = {
        let _writing = lock(&outbox.writing);
        outbox.merge(ports)
    };
    let new = merged.is_some();
    outbox.tell_merged(ports, merged);
    if new || !lock(&outbox.state).sends() {
        outbox.bell.notify_one();
    }
    if offer_again {
        let anything = {
            let state = lock(&outbox.state);
            !state.over.is_empty() || state.items.iter().any(|item| item.kept == Kept::InMemory)
        };
        if anything {
            outbox.offer_again(ports);
        }
    }
}
