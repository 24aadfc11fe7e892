//! The product in one value: what the shell holds and every operation is given.

use crate::{
    ErrorCode, Failure, Secret,
    api::Limits,
    clock::Clock,
    connection::{
        AddressRequest, AddressView, ConnectRequest, ConnectView, ConnectionRequest,
        ConnectionView, DemoRequest, EditConnectionRequest, RemovalView, SignInRequest,
        check::{self, NetworkView},
        connect, demo, edit,
        live::{Live, key_uid},
        own_key::{self, OwnKeyRequest},
        remove, select, sign_in,
        signing::{self, SignInChangeRequest},
    },
    found::{self, FoundRequest, FoundView, RevokeFoundRequest, RevokedFoundView},
    held::{self, FinishRequest, HeldRequest, HeldView, RevealedValue, ValueSource},
    keychain::{KeychainState, KeychainView, SecretStore},
    keys::{
        KeyActRequest, KeyRequest, KeyView,
        activity::{self, Act, ActivityRequest, ActivityView},
        audits::{self, AuditsRequest, AuditsView},
        bulk::{self, BulkRequest, BulkRunView, BulkStopRequest, BulkView},
        create::{self, CreateRequest, CreateView, SettleRequest, SettleView, Wording},
        delete::{self, DeleteRequest, DeleteView},
        details::{self, KeyDetailsView},
        edit as edit_key,
        edit::{EditRequest, EditView},
        expiry::{self, ExpiryRequest, ExpiryView},
        list::{self, KeyListView, ListRequest},
        renew::{self, ChangedKeyView, RenewRequest},
        revoke::{self, RevokeView},
        roll::{self, RollActRequest, RollActView, RollError, RollOfferView, RollRequest},
        undo::{self, UndoRequest, UndoView},
    },
    once::{Once, Tasks, lock},
    outbox::{Outbox, OutboxAddRequest, OutboxGiveUpRequest, OutboxRetryRequest, OutboxView},
    ports::{Ports, internal},
    report::{self, OffboardReportRequest, ReportFormat, ReportRequest, ReportView},
    review::{
        self, ReviewRequest, ReviewView, SpreadRequest,
        accepted::{self, AcceptRequest, TakeBackRequest},
        policy::{self, PolicyFile, PolicyView},
        timeline::SpreadView,
    },
    settings::Settings,
    snippet::{CopyRequest, CopyShape},
    store::{RollStep, Store},
};
use serde::{Deserialize, Serialize};
use std::{
    future::Future,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use ts_rs::TS;

/// Outcomes that are remembered for a second call with the same `op_id`.
const REMEMBERED: usize = 256;

/// Everything the window needs at start. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StartView {
    /// Of this app.
    pub version: String,
    /// In the order of the switcher.
    pub connections: Vec<ConnectionView>,
    /// The connection that was open last; none: show Connect.
    pub active: Option<String>,
    /// As a person chose them.
    pub settings: Settings,
    /// Which keychain holds secrets, and where it stands.
    pub keychain: KeychainView,
    /// Values that nobody has kept yet: the window opens "Save your API key" again.
    pub held: Vec<crate::held::HeldView>,
    /// The demo tenant is built in.
    pub demo: bool,
    /// Something that was not readable and was set aside, in words.
    pub notices: Vec<String>,
    /// What is remembered of the keys of `active`, for a window that begins; else none.
    pub list: Option<KeyListView>,
}

/// What the product is made of: its outside, passed in.
pub struct Parts {
    /// What is remembered on disk.
    pub store: Store,
    /// Where secrets are kept.
    pub keychain: Arc<dyn SecretStore>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What the store had to set aside, in words.
    pub notices: Vec<String>,
    /// The demo tenant is built in.
    pub demo: bool,
    /// Of this app.
    pub version: String,
}

/// Pauses; the defaults are the product's, tests make them small.
#[derive(Debug, Clone)]
pub struct Timing {
    /// After a lost creation a fresh list is read after each of these pauses (trust.md 5.3: at 0,
    /// 2, 10 and 30 seconds).
    pub looks: Vec<Duration>,
    /// Between two trials of a revoked value.
    pub between_proofs: Duration,
    /// Time-outs and sizes of the calls.
    pub limits: Limits,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            looks: [0, 2, 8, 20].map(Duration::from_secs).to_vec(),
            between_proofs: Duration::from_millis(700),
            limits: Limits::default(),
        }
    }
}

/// Something that the window shows has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The keys of a connection.
    Keys {
        /// Id of the connection.
        connection: String,
        /// The state of its list now: a view with this number or a higher one shows the change.
        revision: u64,
    },
    /// Only the activity of a connection: how something ended was written down.
    Activity {
        /// Id of the connection.
        connection: String,
    },
    /// The connections, or where one stands.
    Connections,
    /// The outbox: what waits in it, or where something in it stands.
    Outbox,
    /// Something left the outbox.
    OutboxEnded(Box<crate::outbox::OutboxEndView>),
    /// How far a bulk act came.
    Bulk(Box<BulkRunView>),
}

/// The connections of this run.
#[derive(Default)]
pub(crate) struct Connections {
    all: Mutex<Vec<Arc<Live>>>,
    active: Mutex<Option<String>>,
    /// Connecting, signing in again and removing take turns.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl Connections {
    /// In the order of the switcher.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        lock(&self.all).clone()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Live>> {
        lock(&self.all).iter().find(|live| live.id() == id).cloned()
    }

    pub(crate) fn get(&self, id: &str) -> Result<Arc<Live>, Failure> {
        self.find(id).ok_or_else(|| {
            Failure::new(
                ErrorCode::ConnectionUnknown,
                "This connection is not there any more. Nothing was done.",
            )
        })
    }

    pub(crate) fn next_position(&self) -> u32 {
        let known = self.all();
        let positions = known.iter().map(|live| live.record()).filter(|record| !record.demo);
        positions.map(|record| record.position.saturating_add(1)).max().unwrap_or_default()
    }

    /// Adds a connection, or replaces the one with its id.
    pub(crate) fn put(&self, live: Arc<Live>) {
        let mut all = lock(&self.all);
        match all.iter().position(|known| known.id() == live.id()) {
            Some(place) if Arc::ptr_eq(&all[place], &live) => {}
            Some(place) => std::mem::replace(&mut all[place], live).retire(),
            None => all.push(live),
        }
        all.sort_by_key(|live| live.record().position);
    }

    /// Forgets a connection; if it was open, the first of the others is.
    pub(crate) fn forget(&self, ports: &Ports, id: &str) {
        lock(&self.all).retain(|live| live.id() != id);
        if self.active().as_deref() == Some(id) {
            let next = self.all().into_iter().next();
            *lock(&self.active) = next.as_ref().map(|live| live.id());
            if let Some(next) = next {
                // Only which one opens at the next start depends on it.
                let _ = self.activate(ports, &next);
            }
        }
    }

    pub(crate) fn active(&self) -> Option<String> {
        lock(&self.active).clone()
    }

    /// This connection is open. Remembered for the next start, but for the demo tenant, which is
    /// gone by then.
    pub(crate) fn activate(&self, ports: &Ports, live: &Live) -> Result<(), Failure> {
        let record = live.record();
        if !record.demo {
            let written = ports.store.set_active_connection(Some(&record.id));
            written.map_err(|error| error.failure())?;
        }
        *lock(&self.active) = Some(record.id);
        Ok(())
    }
}

/// The product.
pub struct PaletteKeys {
    inner: Arc<Inner>,
}

struct Inner {
    ports: Arc<Ports>,
    connections: Arc<Connections>,
    notices: Vec<String>,
    demo: bool,
    version: String,
    once: Onces,
    bulks: bulk::Bulks,
}

/// Outcomes by `op_id`, one table for each kind of answer.
struct Onces {
    connects: Once<Result<ConnectView, Failure>>,
    connection_edits: Once<Result<ConnectionView, Failure>>,
    own_keys: Once<Result<ConnectionView, Failure>>,
    creations: Once<Result<CreateView, Failure>>,
    settlements: Once<Result<SettleView, Failure>>,
    edits: Once<Result<EditView, Failure>>,
    changes: Once<Result<ChangedKeyView, Failure>>,
    revocations: Once<Result<RevokeView, Failure>>,
    deletions: Once<Result<DeleteView, Failure>>,
    rolls: Once<Result<RollActView, Failure>>,
    finishes: Once<Result<(), Failure>>,
    /// Without an `op_id` of their own: running ones are joined, finished ones are not remembered.
    saves: Once<Result<HeldView, Failure>>,
    additions: Once<Result<OutboxView, Failure>>,
    givings_up: Once<Result<OutboxView, Failure>>,
    bulks: Once<Result<BulkView, Failure>>,
    undos: Once<Result<UndoView, Failure>>,
    founds: Once<Result<FoundView, Failure>>,
    found_revocations: Once<Result<RevokedFoundView, Failure>>,
    decisions: Once<Result<(), Failure>>,
}

impl Drop for PaletteKeys {
    fn drop(&mut self) {
        // What is at work ends here; it is written down, and the next start deals with it.
        self.inner.ports.outbox.close();
        self.inner.ports.tasks.stop();
    }
}

/// Opening and listening.
impl PaletteKeys {
    /// Opens the product. Where there is a tokio runtime it begins to send what the outbox holds,
    /// for which the keychain is read; else [`PaletteKeys::start_sending`] does.
    pub fn open(parts: Parts) -> Arc<Self> {
        Self::open_with(parts, Timing::default())
    }

    /// As [`PaletteKeys::open`], with other pauses.
    pub fn open_with(parts: Parts, timing: Timing) -> Arc<Self> {
        let Parts { store, keychain, clock, mut notices, demo, version } = parts;
        let connections = Arc::new(Connections::default());
        match store.list_connections() {
            Ok(records) => {
                for record in records.into_iter().filter(|record| !record.demo) {
                    connections.put(Arc::new(Live::remembered(record)));
                }
            }
            Err(error) => notices
                .push(format!("The connections could not be read. {}", error.failure().message)),
        }
        *lock(&connections.active) = store.active_connection().unwrap_or_default();
        let ports = Ports {
            store,
            keychain,
            clock,
            held: held::HeldValues::default(),
            found: found::FoundValues::default(),
            at_work: create::AtWork::default(),
            tasks: Tasks::default(),
            timing,
            listeners: std::sync::RwLock::default(),
            revisions: std::sync::Mutex::default(),
            outbox: Outbox::new(Arc::clone(&connections)),
            policy: PolicyFile::default(),
        };
        ports.read_policy();
        let once = Onces {
            connects: Once::new(REMEMBERED),
            connection_edits: Once::new(REMEMBERED),
            own_keys: Once::new(REMEMBERED),
            creations: Once::new(REMEMBERED),
            settlements: Once::new(REMEMBERED),
            edits: Once::new(REMEMBERED),
            changes: Once::new(REMEMBERED),
            revocations: Once::new(REMEMBERED),
            deletions: Once::new(REMEMBERED),
            rolls: Once::new(REMEMBERED),
            finishes: Once::new(REMEMBERED),
            saves: Once::new(0),
            additions: Once::new(REMEMBERED),
            givings_up: Once::new(REMEMBERED),
            bulks: Once::new(16),
            undos: Once::new(REMEMBERED),
            founds: Once::new(REMEMBERED),
            found_revocations: Once::new(REMEMBERED),
            decisions: Once::new(REMEMBERED),
        };
        notices.extend(bulk::tell_cut_off(&ports.store, ports.now()));
        let ports = Arc::new(ports);
        Outbox::belongs_to(&ports);
        ports.outbox.load(&ports);
        Outbox::start(&ports);
        roll::resume(&ports, &connections);
        Arc::new(Self {
            inner: Arc::new(Inner {
                ports,
                connections,
                notices,
                demo,
                version,
                once,
                bulks: bulk::Bulks::default(),
            }),
        })
    }

    /// Calls `listener` after every change, on the thread that made it; it must return at once.
    pub fn on_change(&self, listener: Box<dyn Fn(Change) + Send + Sync>) {
        let listener = Arc::from(listener);
        match self.inner.ports.listeners.write() {
            Ok(mut listeners) => listeners.push(listener),
            Err(poisoned) => poisoned.into_inner().push(listener),
        }
    }
}

/// Start, settings, keychain.
impl PaletteKeys {
    /// Everything the window needs at start. Nothing is sent.
    pub async fn start(&self) -> Result<StartView, Failure> {
        let Inner { ports, connections, notices, demo, version, .. } = &*self.inner;
        let active = connections.active().filter(|id| connections.find(id).is_some());
        if let Some(live) = active.as_deref().and_then(|id| connections.find(id)) {
            // So that its identity is in the view.
            live.known(ports);
        }
        Ok(StartView {
            version: version.clone(),
            connections: connections.all().iter().map(|live| live.view()).collect(),
            active,
            settings: ports.settings(),
            keychain: ports.keychain.view().await,
            held: self.held_values(),
            demo: *demo,
            notices: notices.clone(),
            list: None,
        })
    }

    /// As [`PaletteKeys::start`], with what is remembered of the keys of the open connection.
    pub async fn start_with_keys(&self) -> Result<StartView, Failure> {
        let mut start = self.start().await?;
        let active = start.active.as_deref().and_then(|id| self.inner.connections.find(id));
        start.list = active.map(|live| list::view(&self.inner.ports, &live, None));
        Ok(start)
    }

    /// Reads the keys of the connection that was open last from the disk, so that the window, which
    /// takes longer to come, need not wait for them. Takes some time; for a thread of its own.
    pub fn read_ahead(&self) {
        let Inner { ports, connections, .. } = &*self.inner;
        if let Some(live) = connections.active().and_then(|id| connections.find(&id)) {
            live.known(ports);
        }
    }

    /// What would be lost if the process ended now and began again; none: everything that is known
    /// lies on the disk or in the keychain, and nothing is under way. A connection that is signed in
    /// by what only this process knows (a password, a key kept in memory, the demo tenant) counts.
    /// Whether the keychain would give the credentials again is asked of
    /// [`PaletteKeys::could_sign_in_anew`].
    pub fn at_work(&self) -> Option<&'static str> {
        let Inner { ports, connections, .. } = &*self.inner;
        if ports.store.dir().is_none() {
            Some("nothing is kept on disk")
        } else if !ports.held.is_empty() {
            Some("a value waits for a person")
        } else if !ports.outbox.view(ports).items.is_empty() {
            Some("something is not confirmed")
        } else if connections.all().iter().any(|live| live.is_signed_in_here_only()) {
            Some("a sign-in is in memory only")
        } else if ports.tasks.running() > 1 {
            // The one that goes on for good sends what the outbox holds.
            Some("an operation is under way")
        } else {
            None
        }
    }

    /// The keychain could be read now, or nobody is signed in from it. Opens no prompt.
    pub async fn could_sign_in_anew(&self) -> bool {
        let Inner { ports, connections, .. } = &*self.inner;
        !connections.all().iter().any(|live| live.is_signed_in())
            || ports.keychain.view().await.state == KeychainState::Ready
    }

    /// The settings; the defaults when they cannot be read.
    pub fn settings(&self) -> Settings {
        self.inner.ports.settings()
    }

    /// Checks and saves the settings.
    pub fn save_settings(&self, request: Settings) -> Result<Settings, Failure> {
        request.check()?;
        self.inner.ports.store.save_settings(&request).map_err(|error| error.failure())?;
        self.inner.ports.read_policy();
        Ok(request)
    }

    /// The app was locked when it last ended. When that cannot be read it was not: nobody is to be
    /// kept out by a damaged file.
    pub fn was_locked(&self) -> bool {
        self.inner.ports.store.was_locked().unwrap_or_default()
    }

    /// Remembers whether the app is locked, for its next start.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn remember_lock(&self, locked: bool) -> Result<(), Failure> {
        self.inner.ports.store.remember_lock(locked).map_err(|error| error.failure())
    }

    /// Tries the keychain for real, which may open its prompt, and says where it stands.
    pub async fn check_keychain(&self) -> KeychainView {
        let keychain = &self.inner.ports.keychain;
        let probed = keychain.probe().await;
        let mut view = keychain.view().await;
        match probed {
            Ok(()) => self.inner.ports.outbox.keychain_is_back(&self.inner.ports),
            Err(error) => {
                if let Some(state) = error.state() {
                    view.state = state;
                    view.advice.get_or_insert_with(|| error.failure().message);
                }
            }
        }
        view
    }
}

/// Connections.
impl PaletteKeys {
    /// What a typed address is understood as.
    pub fn parse_address(&self, request: AddressRequest) -> Result<AddressView, Failure> {
        connect::parse_address(&request.address)
    }

    /// Makes a connection and signs in.
    pub async fn connect(&self, request: ConnectRequest) -> Result<ConnectView, Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.connects,
            &op_id,
            |inner| async move {
                Ok(connect::connect(&inner.ports, &inner.connections, &request).await?)
            },
        )
        .await
    }

    /// Signs in again.
    pub async fn sign_in(&self, request: SignInRequest) -> Result<ConnectView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.connects,
            &op_id,
            |inner| async move {
                Ok(sign_in::sign_in(&inner.ports, &inner.connections, &live, &request).await?)
            },
        )
        .await
    }

    /// Opens the demo tenant: `origin` is where the shell runs it, `api_key` the person's key.
    pub async fn open_demo(
        &self,
        origin: String,
        api_key: Secret,
        request: DemoRequest,
    ) -> Result<ConnectView, Failure> {
        self.once(|once| &once.connects, &request.op_id, |inner| async move {
            demo::open(&inner.ports, &inner.connections, &origin, api_key).await
        })
        .await
    }

    /// Asks the server of a connection, without a credential, whether it answers and how fast.
    pub async fn check_network(&self, request: ConnectionRequest) -> Result<NetworkView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(check::check(&self.inner.ports, &live).await)
    }

    /// Opens a connection; where it stands is in the view.
    pub async fn select_connection(
        &self,
        request: ConnectionRequest,
    ) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        select::select(&self.inner.ports, &self.inner.connections, &live).await
    }

    /// Changes a connection's name and colour, and the way to its host once that was tried.
    pub async fn edit_connection(
        &self,
        request: EditConnectionRequest,
    ) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.connection_edits,
            &op_id,
            |inner| async move {
                Ok(edit::edit(&inner.ports, &inner.connections, &live, &request).await?)
            },
        )
        .await
    }

    /// What removing a connection would take from this computer, and what stands against it.
    pub fn connection_removal(&self, request: &ConnectionRequest) -> Result<RemovalView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        remove::preview(&self.inner.ports, &live)
    }

    /// Takes what a person says of the key that a connection signs in with.
    pub fn change_sign_in(&self, request: SignInChangeRequest) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(signing::change(&self.inner.ports, &live, &request.change)?)
    }

    /// Makes a key for the app's own sign-in instead of the password. `computer` is what this
    /// computer is called; it goes into the key's name.
    pub async fn make_own_key(
        &self,
        request: OwnKeyRequest,
        computer: &str,
    ) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let (op_id, computer) = (request.op_id.clone(), computer.to_owned());
        self.once(
            |once| &once.own_keys,
            &op_id,
            |inner| async move {
                Ok(own_key::make(&inner.ports, &live, &computer, &request.op_id).await?)
            },
        )
        .await
    }

    /// Forgets a connection, its credential and the stored values of its keys. The keys stay valid
    /// on the server.
    pub async fn remove_connection(
        &self,
        request: ConnectionRequest,
    ) -> Result<StartView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        remove::remove(&self.inner.ports, &self.inner.connections, &live).await?;
        self.start().await
    }
}

/// Keys.
impl PaletteKeys {
    /// The keys of a connection: what is remembered at once, or asked for anew.
    pub async fn list_keys(&self, request: ListRequest) -> Result<KeyListView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(list::list(&self.inner.ports, &live, &request).await)
    }

    /// Everything known of one key.
    pub async fn key_details(&self, request: KeyRequest) -> Result<KeyDetailsView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(details::details(&self.inner.ports, &live, &key_uid(&request.uid)?).await?)
    }

    /// Reads one key from the server.
    pub async fn read_key(&self, request: KeyRequest) -> Result<KeyView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        details::read(&self.inner.ports, &live, &key_uid(&request.uid)?).await
    }

    /// When a chosen expiry ends.
    pub async fn resolve_expiry(&self, request: ExpiryRequest) -> Result<ExpiryView, Failure> {
        let Inner { ports, connections, .. } = &*self.inner;
        let now = match &request.connection {
            Some(id) => {
                let live = connections.get(id)?;
                // The list of the last time knows how far the two clocks are apart.
                live.known(ports);
                live.server_now(ports)
            }
            None => ports.now(),
        };
        let longest = ports.longest_life();
        let end = expiry::resolve(&request.choice, now, &ports.clock.time_zone(), longest)?;
        Ok(end.view)
    }

    /// Makes a key, once.
    pub async fn create_key(&self, request: CreateRequest) -> Result<CreateView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.creations,
            &op_id,
            |inner| async move {
                Ok(create::create(&inner.ports, &live, &request, Wording::Theirs).await?)
            },
        )
        .await
    }

    /// Settles a creation whose answer was lost.
    pub async fn settle_creation(&self, request: SettleRequest) -> Result<SettleView, Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.settlements,
            &op_id,
            |inner| async move {
                let Some(intent) = create::open_intent(&inner.ports, &request.creation)? else {
                    return Ok(SettleView { lost: None });
                };
                let live = inner.connections.get(&intent.connection)?;
                Ok(create::settle(&inner.ports, &live, &intent, &request).await?)
            },
        )
        .await
    }

    /// Changes a key's name, description or expiry.
    pub async fn edit_key(&self, request: EditRequest) -> Result<EditView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.edits,
            &op_id,
            |inner| async move { Ok(edit_key::edit(&inner.ports, &live, &uid, &request).await?) },
        )
        .await
    }

    /// Moves a key's end.
    pub async fn renew_key(&self, request: RenewRequest) -> Result<ChangedKeyView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        let op_id = request.op_id.clone();
        self.once(|once| &once.changes, &op_id, |inner| async move {
            Ok(renew::renew(&inner.ports, &live, &uid, &request.expiry).await?)
        })
        .await
    }

    /// What the dialog "Roll API key" begins with. Nothing is sent.
    pub fn roll_offer(&self, request: &KeyRequest) -> Result<RollOfferView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(roll::offer(&self.inner.ports, &live, request)?)
    }

    /// Rolls a key: another takes its place, and it ends after a grace.
    pub async fn roll_key(&self, request: RollRequest) -> Result<RollActView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.rolls,
            &op_id,
            |inner| async move { Ok(roll::start(&inner.ports, &live, &request, None).await?) },
        )
        .await
    }

    /// Extends a running roll's grace, ends it, cancels it, or goes on with it.
    pub async fn act_on_roll(&self, request: RollActRequest) -> Result<RollActView, Failure> {
        let roll = self.inner.ports.store.roll(&request.roll).map_err(|error| error.failure())?;
        let live = self.inner.connections.get(&roll.ok_or(RollError::Over)?.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.rolls,
            &op_id,
            |inner| async move { Ok(roll::act(&inner.ports, &live, &request).await?) },
        )
        .await
    }

    /// Revokes a key.
    pub async fn revoke_key(&self, request: KeyActRequest) -> Result<RevokeView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.revocations,
            &op_id,
            |inner| async move {
                let Inner { ports, .. } = &*inner;
                revoke::revoke_unless_it_signs_in(ports, &live, &uid, &request.op_id).await
            },
        )
        .await
    }

    /// Revokes a key although it signs this app in: the person knows that the app is signed out
    /// then.
    pub async fn revoke_signing_key(&self, request: KeyActRequest) -> Result<RevokeView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.revocations,
            &op_id,
            |inner| async move {
                Ok(revoke::revoke(&inner.ports, &live, &uid, &request.op_id).await?.view)
            },
        )
        .await
    }

    /// Re-activates a revoked key.
    pub async fn reactivate_key(&self, request: KeyActRequest) -> Result<ChangedKeyView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        self.once(
            |once| &once.changes,
            &request.op_id,
            |inner| async move { Ok(revoke::reactivate(&inner.ports, &live, &uid).await?) },
        )
        .await
    }

    /// Deletes a key for ever.
    pub async fn delete_key(&self, request: DeleteRequest) -> Result<DeleteView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let uid = key_uid(&request.uid)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.deletions,
            &op_id,
            |inner| async move { Ok(delete::delete(&inner.ports, &live, &uid, &request).await?) },
        )
        .await
    }

    /// Renews or re-activates several keys, a few at a time, and says what became of each. How far
    /// it is, is told by [`Change::Bulk`].
    pub async fn bulk(&self, request: BulkRequest) -> Result<BulkView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.bulks,
            &op_id,
            |inner| async move { Ok(bulk::run(&inner.ports, &live, &inner.bulks, &request).await?) },
        )
        .await
    }

    /// The bulk acts that are under way.
    pub fn bulk_runs(&self) -> Vec<BulkRunView> {
        self.inner.bulks.views()
    }

    /// Begins no further key of a bulk act.
    pub fn stop_bulk(&self, request: &BulkStopRequest) {
        self.inner.bulks.stop(&self.inner.ports, &request.op_id);
    }

    /// What this app did, newest first.
    pub fn list_activity(&self, request: ActivityRequest) -> Result<Vec<ActivityView>, Failure> {
        activity::activity(&self.inner.ports, &self.inner.connections, &request)
    }

    /// The newest act of a connection that can be taken back and is no undo itself.
    pub fn last_reversible(
        &self,
        request: ConnectionRequest,
    ) -> Result<Option<ActivityView>, Failure> {
        let Inner { ports, connections, .. } = &*self.inner;
        activity::last_reversible(ports, connections, &request.connection)
    }

    /// Takes back what was done to a key, if nobody changed it since.
    pub async fn undo(&self, request: UndoRequest) -> Result<UndoView, Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.undos,
            &op_id,
            |inner| async move { Ok(undo::undo(&inner.ports, &inner.connections, &request).await?) },
        )
        .await
    }

    /// A page of the server's own audit log.
    pub async fn list_audits(&self, request: AuditsRequest) -> Result<AuditsView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(audits::audits(&self.inner.ports, &live, &request).await?)
    }
}

/// "Found a key?".
impl PaletteKeys {
    /// Tries a value that somebody found, once, on one host.
    pub async fn try_found_key(&self, request: FoundRequest) -> Result<FoundView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.founds,
            &op_id,
            |inner| async move {
                let Inner { ports, connections, .. } = &*inner;
                Ok(found::try_found(ports, connections, &live, &request).await?)
            },
        )
        .await
    }

    /// Revokes the key that a found value is.
    pub async fn revoke_found_key(
        &self,
        request: RevokeFoundRequest,
    ) -> Result<RevokedFoundView, Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.found_revocations,
            &op_id,
            |inner| async move {
                Ok(found::revoke_found(&inner.ports, &inner.connections, &request).await?)
            },
        )
        .await
    }

    /// Lets go of a found value.
    pub fn forget_found_key(&self) {
        found::forget(&self.inner.ports);
    }
}

/// Review.
impl PaletteKeys {
    /// What about a connection's keys needs a decision, from what is known. Nothing is sent.
    pub async fn review(&self, request: ReviewRequest) -> Result<ReviewView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(review::view(&self.inner.ports, &live))
    }

    /// Lives with a finding until a date.
    pub async fn accept_finding(&self, request: AcceptRequest) -> Result<ReviewView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let (op_id, of) = (request.op_id.clone(), Arc::clone(&live));
        self.once(
            |once| &once.decisions,
            &op_id,
            |inner| async move { Ok(accepted::accept(&inner.ports, &of, &request)?) },
        )
        .await?;
        Ok(review::view(&self.inner.ports, &live))
    }

    /// Takes an acceptance back: its finding is there again.
    pub async fn take_back_finding(&self, request: TakeBackRequest) -> Result<ReviewView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        let (op_id, of) = (request.op_id.clone(), Arc::clone(&live));
        self.once(
            |once| &once.decisions,
            &op_id,
            |inner| async move { Ok(accepted::take_back(&inner.ports, &of, &request)?) },
        )
        .await?;
        Ok(review::view(&self.inner.ports, &live))
    }

    /// How the keys that end on one day would be spread over two weeks. Nothing is changed.
    pub async fn plan_spread(&self, request: SpreadRequest) -> Result<SpreadView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        review::plan_spread(&self.inner.ports, &live, &request)
    }

    /// The policy that counts, read again.
    pub fn policy(&self) -> PolicyView {
        self.inner.ports.read_policy();
        review::policy_view(&self.inner.ports)
    }

    /// Takes a policy file that a person chose, once it is a good one.
    pub fn use_policy(&self, path: &Path) -> Result<Settings, Failure> {
        policy::check_file(path)?;
        let path = path.to_str().ok_or_else(policy::unnameable)?;
        let settings = Settings { policy_path: Some(path.to_owned()), ..self.settings() };
        self.save_settings(settings)
    }
}

/// Reports.
impl PaletteKeys {
    /// The name a file dialog proposes for a report of keys.
    pub fn report_name(&self, request: &ReportRequest) -> Result<String, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        Ok(report::file_name(&self.inner.ports, &live, "keys", request.format))
    }

    /// Writes a report of keys to a file, whole or not at all.
    pub async fn save_report(
        &self,
        request: ReportRequest,
        path: &Path,
    ) -> Result<ReportView, Failure> {
        let Inner { ports, connections, version, .. } = &*self.inner;
        let live = connections.get(&request.connection)?;
        let written = report::keys(ports, &live, version, &request)?;
        report::save(ports, &live, Act::ExportReport, written, path).await
    }

    /// The name a file dialog proposes for the report of an offboarding.
    pub fn offboard_report_name(&self, request: &OffboardReportRequest) -> Result<String, Failure> {
        if request.format == ReportFormat::Csv {
            return Err(internal("The report of an offboarding is JSON or HTML."));
        }
        let live = self.inner.connections.get(&request.connection)?;
        let what = format!("offboarding {}", request.name);
        Ok(report::file_name(&self.inner.ports, &live, &what, request.format))
    }

    /// Writes what was done to the keys of a person, and what the server says of them now.
    pub async fn save_offboard_report(
        &self,
        request: OffboardReportRequest,
        path: &Path,
    ) -> Result<ReportView, Failure> {
        let Inner { ports, connections, version, .. } = &*self.inner;
        let live = connections.get(&request.connection)?;
        let written = report::offboard(ports, &live, version, &request).await?;
        report::save(ports, &live, Act::ExportReport, written, path).await
    }
}

/// The outbox.
impl PaletteKeys {
    /// Sends what waits, from now on, if that was not begun when it was opened. Needs a tokio
    /// runtime; without one nothing happens.
    pub fn start_sending(&self) {
        Outbox::start(&self.inner.ports);
        roll::resume(&self.inner.ports, &self.inner.connections);
    }

    /// What waits for the server.
    pub fn outbox(&self) -> OutboxView {
        self.inner.ports.outbox.view(&self.inner.ports)
    }

    /// Writes down that several keys are to be revoked or deleted, and starts sending. It answers
    /// when all are written down; how they fare is told by [`Change::Outbox`] and
    /// [`Change::OutboxEnded`].
    pub async fn add_to_outbox(&self, request: OutboxAddRequest) -> Result<OutboxView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        // All or none: what is no uid names no key.
        let uids: Vec<_> = request.uids.iter().map(|uid| key_uid(uid)).collect::<Result<_, _>>()?;
        signing::guard_all(&self.inner.ports, &live, &uids, request.action)?;
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.additions,
            &op_id,
            |inner| async move {
                let ports = &inner.ports;
                ports.outbox.add(ports, &live, request.action, &request.op_id, &uids);
                Ok(ports.outbox.view(ports))
            },
        )
        .await
    }

    /// Tries one record, or all, now.
    pub fn retry_outbox(&self, request: &OutboxRetryRequest) -> OutboxView {
        self.inner.ports.outbox.retry(&self.inner.ports, request.record.as_deref());
        self.outbox()
    }

    /// Takes records out although the server has not confirmed them.
    pub async fn give_up(&self, request: OutboxGiveUpRequest) -> Result<OutboxView, Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.givings_up,
            &op_id,
            |inner| async move {
                let ports = &inner.ports;
                ports.outbox.give_up(ports, &request.records, request.unsent_only)?;
                Ok(ports.outbox.view(ports))
            },
        )
        .await
    }

    /// The network or the clock may have changed (resume from sleep): everything that waits is
    /// tried at once.
    pub fn wake(&self) {
        self.inner.ports.outbox.retry(&self.inner.ports, None);
    }
}

/// Values.
impl PaletteKeys {
    /// Values that wait for a person to keep them. One that a roll is about to keep by itself waits
    /// for nobody.
    pub fn held_values(&self) -> Vec<HeldView> {
        let ports = &self.inner.ports;
        let mut held = ports.held.not_kept();
        held.retain(|held| {
            let roll = ports.store.roll(&held.held).unwrap_or_default();
            roll.is_none_or(|roll| roll.step == RollStep::HandOver)
        });
        held
    }

    /// A value is on its way into the keychain, for a roll that nobody watches.
    pub fn is_filing(&self) -> bool {
        self.inner.ports.held.not_kept().len() > self.held_values().len()
    }

    /// One held value, kept or not.
    pub fn held_value(&self, request: &HeldRequest) -> Result<HeldView, Failure> {
        Ok(self.inner.ports.held.view(&request.held)?)
    }

    /// Puts a held value into the keychain.
    pub async fn save_held_to_keychain(&self, request: HeldRequest) -> Result<HeldView, Failure> {
        let live = self.live_of_held(&request.held)?;
        let held = request.held.clone();
        self.once(
            |once| &once.saves,
            &request.held,
            |inner| async move { Ok(held::save_to_keychain(&inner.ports, &live, &held).await?) },
        )
        .await
    }

    /// Writes a held value to a file that only its owner may read.
    pub async fn save_held_to_file(
        &self,
        request: HeldRequest,
        path: &Path,
    ) -> Result<HeldView, Failure> {
        let live = self.live_of_held(&request.held)?;
        Ok(held::save_to_file(&self.inner.ports, &live, &request.held, path).await?)
    }

    /// Closes "Save your API key".
    pub async fn finish_held(&self, request: FinishRequest) -> Result<(), Failure> {
        let op_id = request.op_id.clone();
        self.once(
            |once| &once.finishes,
            &op_id,
            |inner| async move {
                let connection = inner.ports.held.view(&request.held)?.connection;
                let live = inner.connections.get(&connection)?;
                let FinishRequest { op_id, held, finish } = &request;
                Ok(held::finish(&inner.ports, &live, held, *finish, op_id).await?)
            },
        )
        .await
    }

    /// A value for the clipboard, in the shape asked for. It counts as kept and as copied; if the
    /// clipboard does not take it, say so with [`PaletteKeys::copy_failed`].
    pub async fn copy_text(&self, request: &CopyRequest) -> Result<Secret, Failure> {
        let live = self.live_of(&request.source)?;
        let taken =
            held::take(&self.inner.ports, &live, &request.source, request.shape, Act::Copy).await?;
        Ok(taken.secret)
    }

    /// The clipboard did not take the value: nobody has it from that.
    pub fn copy_failed(&self, source: &ValueSource) -> Result<(), Failure> {
        let live = self.live_of(source)?;
        Ok(held::not_taken(&self.inner.ports, &live, source, Act::Copy)?)
    }

    /// A value for the window that shows it. It counts as kept; if that window cannot be opened,
    /// say so with [`PaletteKeys::reveal_failed`].
    pub async fn reveal_value(&self, source: &ValueSource) -> Result<RevealedValue, Failure> {
        let live = self.live_of(source)?;
        let shape = CopyShape::Value;
        Ok(held::take(&self.inner.ports, &live, source, shape, Act::Reveal).await?)
    }

    /// The window for the value could not be opened: nobody has seen it.
    pub fn reveal_failed(&self, source: &ValueSource) -> Result<(), Failure> {
        let live = self.live_of(source)?;
        Ok(held::not_taken(&self.inner.ports, &live, source, Act::Reveal)?)
    }
}

impl PaletteKeys {
    fn live_of_held(&self, held: &str) -> Result<Arc<Live>, Failure> {
        let connection = self.inner.ports.held.view(held)?.connection;
        self.inner.connections.get(&connection)
    }

    fn live_of(&self, source: &ValueSource) -> Result<Arc<Live>, Failure> {
        match source {
            ValueSource::Held { held } => self.live_of_held(held),
            ValueSource::Stored { connection, .. } => self.inner.connections.get(connection),
        }
    }

    /// Does something once for each `op_id`, in a task that outlives whoever asked.
    async fn once<T, F>(
        &self,
        table: impl Fn(&Onces) -> &Once<Result<T, Failure>>,
        op_id: &str,
        work: impl FnOnce(Arc<Inner>) -> F,
    ) -> Result<T, Failure>
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        if op_id.is_empty() {
            return Err(internal("The window gave this act no id. Nothing was done."));
        }
        let inner = Arc::clone(&self.inner);
        table(&self.inner.once)
            .run(&self.inner.ports.tasks, op_id, || work(inner))
            .await
            .unwrap_or_else(|| {
                Err(internal(
                    "Palette Keys made a mistake and does not know how this ended. Refresh the \
                     list to see what the server did.",
                ))
            })
    }
}

/// For the parts of core that look at everything: notices and refreshes.
impl PaletteKeys {
    pub(crate) fn ports(&self) -> &Arc<Ports> {
        &self.inner.ports
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.inner.connections
    }
}
