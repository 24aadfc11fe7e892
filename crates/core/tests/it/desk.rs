//! A product on a desk: simulator, memory keychain, store in a folder of its own, a clock that is
//! set by hand, and everything that the window would ask for in one line.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use palette_keys_core::api::Limits;
use palette_keys_core::clock::{Clock, SystemClock};
use palette_keys_core::connection::{
    Colour, ConnectRequest, ConnectView, ConnectionRequest, ProxyChoice, SignIn,
};
use palette_keys_core::held::{HeldView, SavedState};
use palette_keys_core::keychain::{EntryName, MemoryKeychain, SecretStore};
use palette_keys_core::keys::activity::{Act, ActState, ActivityRequest, ActivityView};
use palette_keys_core::keys::create::{CreateRequest, CreateView, LostCreationView};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::list::{KeyListView, ListRequest};
use palette_keys_core::keys::{KeyActRequest, KeyUid, KeyView};
use palette_keys_core::palette_keys::{Parts, Timing};
use palette_keys_core::store::Store;
use palette_keys_core::{Failure, PaletteKeys, Secret};
use palette_sim::{Account, Seed, Sim, SimOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// This computer's clock with an error that a test chooses, in Berlin.
pub struct HandClock(Mutex<SignedDuration>);

impl HandClock {
    pub fn wrong_by(&self, error: SignedDuration) {
        *self.0.lock().unwrap() = error;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().checked_add(*self.0.lock().unwrap()).unwrap()
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
    }
}

pub struct Desk {
    pub sim: Sim,
    pub keys: Arc<PaletteKeys>,
    pub keychain: MemoryKeychain,
    pub clock: Arc<HandClock>,
    pub connection: String,
    dir: tempfile::TempDir,
}

pub fn timing() -> Timing {
    Timing {
        looks: [0, 20, 60, 150].map(Duration::from_millis).to_vec(),
        between_proofs: Duration::from_millis(5),
        limits: Limits {
            connect: Duration::from_secs(2),
            read: Duration::from_millis(600),
            total: Duration::from_millis(1500),
            backoff: Duration::from_millis(5),
            retry_within: Duration::from_millis(400),
            ..Limits::default()
        },
    }
}

pub fn op() -> String {
    uuid::Uuid::new_v4().to_string()
}

pub async fn sim(seed: Seed) -> Sim {
    palette_sim::start(SimOptions { rate_limit: false, seed, ..SimOptions::default() })
        .await
        .unwrap()
}

impl Desk {
    /// Nothing is connected yet.
    pub async fn bare() -> Self {
        Self::on(sim(Seed::Demo).await)
    }

    pub fn on(sim: Sim) -> Self {
        Self::with(sim, timing())
    }

    /// With the product's own patience, for what takes long.
    pub fn patient(sim: Sim) -> Self {
        Self::with(sim, Timing::default())
    }

    fn with(sim: Sim, timing: Timing) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(HandClock(Mutex::new(SignedDuration::ZERO)));
        let keychain = MemoryKeychain::new();
        let keys = open(dir.path(), &keychain, &clock, timing);
        Self { sim, keys, keychain, clock, connection: String::new(), dir }
    }

    /// Signed in as Jane Doe, Tenant Admin.
    pub async fn admin() -> Self {
        let mut desk = Self::bare().await;
        let account = desk.sim.admin();
        desk.sign_in(&account).await;
        desk
    }

    /// Signed in as Sam Okafor, a plain user.
    pub async fn user() -> Self {
        let mut desk = Self::bare().await;
        let account = desk.sim.user();
        desk.sign_in(&account).await;
        desk
    }

    pub async fn sign_in(&mut self, account: &Account) {
        let view = self.keys.connect(self.request(account)).await.unwrap();
        self.connection = view.connection.id;
        self.sim.clear_requests();
    }

    pub fn request(&self, account: &Account) -> ConnectRequest {
        ConnectRequest {
            op_id: op(),
            address: self.sim.origin(),
            sign_in: SignIn::ApiKey { api_key: Secret::new(account.api_key.clone()) },
            name: String::new(),
            colour: Colour::Teal,
            ca_certificate: None,
            proxy: ProxyChoice::System,
            in_memory_only: false,
        }
    }

    pub async fn connect(&self, account: &Account) -> Result<ConnectView, Failure> {
        self.keys.connect(self.request(account)).await
    }

    /// The app ends as if killed, and starts again on the same folder and keychain.
    pub fn crash(&mut self) {
        self.keys = open(self.dir.path(), &self.keychain, &self.clock, timing());
    }

    /// The store as another process would open it.
    pub fn store(&self) -> Store {
        Store::open(self.dir.path()).unwrap().0
    }

    pub fn folder(&self) -> &std::path::Path {
        self.dir.path()
    }

    pub async fn select(&self) -> palette_keys_core::connection::ConnectionView {
        let request = ConnectionRequest { connection: self.connection.clone() };
        self.keys.select_connection(request).await.unwrap()
    }

    pub async fn list(&self, refresh: bool) -> KeyListView {
        let request = ListRequest { connection: self.connection.clone(), refresh, have: None };
        self.keys.list_keys(request).await.unwrap()
    }

    /// What differs from the list that the window has.
    pub async fn list_since(&self, snapshot: u64) -> KeyListView {
        let connection = self.connection.clone();
        let request = ListRequest { connection, refresh: false, have: Some(snapshot) };
        self.keys.list_keys(request).await.unwrap()
    }

    /// What the server says of a key cannot be understood any more: so long an item is left out.
    pub fn garble(&self, uid: &str) {
        self.sim.edit_key_directly(uid, |key| key.description = "x".repeat(300 * 1024));
    }

    pub async fn listed(&self, name: &str) -> KeyView {
        let list = self.list(false).await;
        list.keys.into_iter().find(|key| key.name == name).expect(name)
    }

    pub fn new_key(&self, name: &str) -> CreateRequest {
        CreateRequest {
            op_id: op(),
            connection: self.connection.clone(),
            name: name.into(),
            description: "made by a test".into(),
            owner_uid: None,
            expiry: ExpiryChoice::Days { days: 30 },
            save_to_keychain: true,
        }
    }

    pub async fn create(&self, request: &CreateRequest) -> Result<CreateView, Failure> {
        self.keys.create_key(request.clone()).await
    }

    pub async fn created(&self, request: &CreateRequest) -> HeldView {
        match self.create(request).await.unwrap() {
            CreateView::Created { held } => held,
            other => panic!("{other:?}"),
        }
    }

    pub async fn lost(&self, request: &CreateRequest) -> LostCreationView {
        match self.create(request).await.unwrap() {
            CreateView::Lost { lost } => lost,
            other => panic!("{other:?}"),
        }
    }

    pub fn act(&self, uid: &str) -> KeyActRequest {
        KeyActRequest { op_id: op(), connection: self.connection.clone(), uid: uid.into() }
    }

    /// Nothing waits in the outbox any more.
    pub async fn drained(&self) {
        let drained = async {
            while !self.keys.outbox().items.is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), drained).await;
        assert!(waited.is_ok(), "{:?}", self.keys.outbox());
    }

    /// How many requests of this kind the server got.
    pub fn sent(&self, method: &str, path: &str) -> usize {
        let requests = self.sim.requests();
        requests.iter().filter(|r| r.method == method && r.path.starts_with(path)).count()
    }

    /// Keys of this name that exist on the server.
    pub fn made(&self, name: &str) -> Vec<palette_sim::KeyTruth> {
        self.sim.keys().into_iter().filter(|key| key.name == name).collect()
    }

    /// The value of a key in the keychain.
    pub async fn stored_value(&self, uid: &str) -> Option<String> {
        let uid = KeyUid::new(uid).unwrap();
        let value = self.keychain.read(EntryName::key_value(&*self.connection, uid)).await.ok()?;
        // EXPOSE: compared by a test with what the simulator made
        Some(value.expose_secret().to_owned())
    }

    pub fn activity(&self) -> Vec<ActivityView> {
        let request = ActivityRequest {
            connection: None,
            before: None,
            limit: 200,
            filter: Default::default(),
        };
        self.keys.list_activity(request).unwrap()
    }

    /// The newest line of an act.
    pub fn line(&self, act: Act) -> ActivityView {
        self.activity().into_iter().find(|line| line.act == act).expect("a line")
    }

    pub fn line_ended(&self, act: Act, state: ActState) {
        let line = self.line(act);
        assert_eq!(line.state, state, "{}", line.detail);
    }

    /// Nothing that is written to disk or shown holds this.
    pub fn nowhere_on_disk(&self, secret: &str) {
        for entry in std::fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds a secret", path.display());
        }
    }
}

pub fn saved(held: &HeldView) -> bool {
    held.saved == SavedState::Saved
}

fn open(
    dir: &std::path::Path,
    keychain: &MemoryKeychain,
    clock: &Arc<HandClock>,
    timing: Timing,
) -> Arc<PaletteKeys> {
    let (store, notices) = Store::open(dir).unwrap();
    let parts = Parts {
        store,
        keychain: Arc::new(keychain.clone()),
        clock: clock.clone(),
        notices,
        demo: true,
        version: "0.0.0".into(),
    };
    PaletteKeys::open_with(parts, timing)
}
