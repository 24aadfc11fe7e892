//! The product in one value: what the shell holds and every operation is given.

use crate::{
    ErrorCode, Failure, Secret,
    api::Limits,
    clock::Clock,
    connection::{
        AddressRequest, AddressView, ConnectRequest, ConnectView, ConnectionRequest,
        ConnectionView, DemoRequest, EditConnectionRequest, SignInRequest, connect, demo, edit,
        live::{Live, key_uid},
        remove, select, sign_in,
    },
    held::{self, FinishRequest, HeldRequest, HeldView, RevealedValue, ValueSource},
    keychain::{KeychainView, SecretStore},
    keys::{
        KeyActRequest, KeyRequest, KeyView,
        activity::{self, Act, ActivityRequest, ActivityView},
        create::{self, CreateRequest, CreateView, SettleRequest, SettleView},
        delete::{self, DeleteRequest, DeleteView},
        details::{self, KeyDetailsView},
        edit as edit_key,
        edit::{EditRequest, EditView},
        expiry::{self, ExpiryRequest, ExpiryView},
        list::{self, KeyListView, ListRequest},
        renew::{self, ChangedKeyView, RenewRequest},
        revoke::{self, RevokeView},
    },
    once::{Once, Tasks, lock},
    outbox::{Outbox, OutboxAddRequest, OutboxGiveUpRequest, OutboxRetryRequest, OutboxView},
    ports::{Ports, internal},
    settings::Settings,
    snippet::{CopyRequest, CopyShape},
    store::Store,
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
    },
    /// The connections, or where one stands.
    Connections,
    /// The outbox: what waits in it, or where something in it stands.
    Outbox,
    /// Something left the outbox.
    OutboxEnded(Box<crate::outbox::OutboxEndView>),
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

    fn get(&self, id: &str) -> Result<Arc<Live>, Failure> {
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
            Some(place) => all[place] = live,
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
}

/// Outcomes by `op_id`, one table for each kind of answer.
struct Onces {
    connects: Once<Result<ConnectView, Failure>>,
    creations: Once<Result<CreateView, Failure>>,
    settlements: Once<Result<SettleView, Failure>>,
    edits: Once<Result<EditView, Failure>>,
    changes: Once<Result<ChangedKeyView, Failure>>,
    revocations: Once<Result<RevokeView, Failure>>,
    deletions: Once<Result<DeleteView, Failure>>,
    finishes: Once<Result<(), Failure>>,
    /// Without an `op_id` of their own: running ones are joined, finished ones are not remembered.
    saves: Once<Result<HeldView, Failure>>,
    additions: Once<Result<OutboxView, Failure>>,
    givings_up: Once<Result<OutboxView, Failure>>,
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
            at_work: create::AtWork::default(),
            tasks: Tasks::default(),
            timing,
            listeners: std::sync::RwLock::default(),
            outbox: Outbox::new(Arc::clone(&connections)),
        };
        let once = Onces {
            connects: Once::new(REMEMBERED),
            creations: Once::new(REMEMBERED),
            settlements: Once::new(REMEMBERED),
            edits: Once::new(REMEMBERED),
            changes: Once::new(REMEMBERED),
            revocations: Once::new(REMEMBERED),
            deletions: Once::new(REMEMBERED),
            finishes: Once::new(REMEMBERED),
            saves: Once::new(0),
            additions: Once::new(REMEMBERED),
            givings_up: Once::new(REMEMBERED),
        };
        let ports = Arc::new(ports);
        Outbox::belongs_to(&ports);
        ports.outbox.load(&ports);
        Outbox::start(&ports);
        Arc::new(Self {
            inner: Arc::new(Inner { ports, connections, notices, demo, version, once }),
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
            held: ports.held.not_kept(),
            demo: *demo,
            notices: notices.clone(),
        })
    }

    /// The settings; the defaults when they cannot be read.
    pub fn settings(&self) -> Settings {
        self.inner.ports.settings()
    }

    /// Checks and saves the settings.
    pub fn save_settings(&self, request: Settings) -> Result<Settings, Failure> {
        request.check()?;
        self.inner.ports.store.save_settings(&request).map_err(|error| error.failure())?;
        Ok(request)
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

    /// Opens a connection; where it stands is in the view.
    pub async fn select_connection(
        &self,
        request: ConnectionRequest,
    ) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        select::select(&self.inner.ports, &self.inner.connections, &live).await
    }

    /// Changes a connection's name and colour.
    pub async fn edit_connection(
        &self,
        request: EditConnectionRequest,
    ) -> Result<ConnectionView, Failure> {
        let live = self.inner.connections.get(&request.connection)?;
        edit::edit(&self.inner.ports, &live, &request)
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
        let longest = ports.settings().longest_life_days;
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
            |inner| async move { Ok(create::create(&inner.ports, &live, &request).await?) },
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

    /// Revokes a key.
    pub async fn revoke_key(&self, request: KeyActRequest) -> Result<RevokeView, Failure> {
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

    /// What this app did, newest first.
    pub fn list_activity(&self, request: ActivityRequest) -> Result<Vec<ActivityView>, Failure> {
        activity::activity(&self.inner.ports, &self.inner.connections, &request)
    }
}

/// The outbox.
impl PaletteKeys {
    /// Sends what waits, from now on, if that was not begun when it was opened. Needs a tokio
    /// runtime; without one nothing happens.
    pub fn start_sending(&self) {
        Outbox::start(&self.inner.ports);
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
    /// Values that nobody has kept yet.
    pub fn held_values(&self) -> Vec<HeldView> {
        self.inner.ports.held.not_kept()
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
