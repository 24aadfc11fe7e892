//! A product on a desk: a simulator with keys to revoke, a folder, a keychain in memory, a clock
//! that a test sets, and a watch on what leaves the outbox.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use palette_keys_core::clock::{Clock, SystemClock};
use palette_keys_core::connection::{Colour, ConnectRequest, ProxyChoice, SignIn};
use palette_keys_core::keychain::MemoryKeychain;
use palette_keys_core::keys::KeyActRequest;
use palette_keys_core::keys::list::ListRequest;
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest, OutboxEnd, OutboxItemView};
use palette_keys_core::palette_keys::{Change, Parts, Timing};
use palette_keys_core::store::Store;
use palette_keys_core::{PaletteKeys, Secret};
use palette_sim::{KeyTruth, NewKey, Recorded, Seed, Sim, SimOptions};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Whether the long checks run whole.
pub fn full() -> bool {
    std::env::var_os("PALETTE_KEYS_FULL").is_some_and(|value| value == "1")
}

/// As many as are asked for, or all of them.
pub fn sampled(usual: usize, whole: usize) -> usize {
    if full() { whole } else { usual }
}

pub fn op() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// This computer's time, which goes with tokio's, and an error that a test chooses.
pub struct HandClock {
    began: (Timestamp, Instant),
    error: Mutex<SignedDuration>,
}

impl HandClock {
    pub fn new() -> Arc<Self> {
        let began = (SystemClock.now(), Instant::now());
        Arc::new(Self { began, error: Mutex::new(SignedDuration::ZERO) })
    }

    pub fn wrong_by(&self, error: SignedDuration) {
        *self.error.lock().unwrap() = error;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.began.1.elapsed()).unwrap();
        self.began.0.checked_add(passed + *self.error.lock().unwrap()).unwrap()
    }

    fn time_zone(&self) -> TimeZone {
        TimeZone::UTC
    }
}

pub struct Desk {
    pub sim: Sim,
    pub keychain: MemoryKeychain,
    pub clock: Arc<HandClock>,
    pub timing: Timing,
    pub connection: String,
    /// uids of the keys that may be revoked or deleted; all others must stay as they are.
    pub targets: Vec<String>,
    dir: tempfile::TempDir,
    before: Vec<KeyTruth>,
}

/// The sign-in request of an admin.
pub fn connect_request(origin: String, api_key: String) -> ConnectRequest {
    ConnectRequest {
        op_id: op(),
        address: origin,
        sign_in: SignIn::ApiKey { api_key: Secret::new(api_key) },
        name: String::new(),
        colour: Colour::Teal,
        ca_certificate: None,
        proxy: ProxyChoice::None,
        in_memory_only: false,
    }
}

pub fn timing() -> Timing {
    Timing { between_proofs: Duration::from_millis(5), ..Timing::default() }
}

impl Desk {
    /// With this many keys to revoke, and no rate limit on the server.
    pub async fn new(targets: usize) -> Self {
        Self::with(targets, SimOptions { rate_limit: false, ..SimOptions::default() }).await
    }

    pub async fn with(targets: usize, options: SimOptions) -> Self {
        let sim = palette_sim::start(SimOptions { seed: Seed::Empty, ..options }).await.unwrap();
        let named = |number| NewKey::named(&format!("target-{number}"));
        let targets = (0..targets).map(|number| sim.add_key(named(number)).uid).collect();
        for number in 0..5 {
            sim.add_key(NewKey::named(&format!("bystander-{number}")));
        }
        let mut desk = Self {
            keychain: MemoryKeychain::new(),
            clock: HandClock::new(),
            timing: timing(),
            connection: String::new(),
            targets,
            dir: tempfile::tempdir().unwrap(),
            before: sim.keys(),
            sim,
        };
        let keys = desk.open();
        let request = connect_request(desk.sim.origin(), desk.sim.admin().api_key);
        desk.connection = keys.connect(request).await.unwrap().connection.id;
        let list = ListRequest { connection: desk.connection.clone(), refresh: true, have: None };
        keys.list_keys(list).await.unwrap();
        // Until the list is on disk, which is done a moment later.
        tokio::time::sleep(Duration::from_millis(600)).await;
        drop(keys);
        settle().await;
        desk.sim.clear_requests();
        desk
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// The product, as after a start. What an earlier one had under way ended with it.
    pub fn open(&self) -> Arc<PaletteKeys> {
        self.open_in(self.folder())
    }

    /// The same in another folder, such as a copy of this one's.
    pub fn open_in(&self, folder: &Path) -> Arc<PaletteKeys> {
        open(folder, &self.keychain, self.clock.clone(), self.timing.clone())
    }

    /// A copy of the folder, which nobody has open.
    pub fn copy(&self) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        copy
    }

    pub fn act(&self, uid: &str) -> KeyActRequest {
        KeyActRequest { op_id: op(), connection: self.connection.clone(), uid: uid.into() }
    }

    pub fn bulk(&self, action: OutboxAction, uids: &[String]) -> OutboxAddRequest {
        OutboxAddRequest {
            op_id: op(),
            connection: self.connection.clone(),
            action,
            uids: uids.to_vec(),
        }
    }

    /// Whether this was done to a key: it is revoked, or gone.
    pub fn is_done(&self, uid: &str) -> bool {
        self.sim.key(uid).is_none_or(|key| !key.active)
    }

    pub fn done(&self) -> usize {
        self.targets.iter().filter(|uid| self.is_done(uid)).count()
    }

    /// Keys that nobody asked to touch and that are not as they were.
    pub fn touched(&self) -> usize {
        let target = |key: &KeyTruth| self.targets.contains(&key.uid);
        let others = self.before.iter().filter(|key| !target(key));
        let changed = others.filter(|key| self.sim.key(&key.uid).as_ref() != Some(*key)).count();
        let known = |key: &KeyTruth| self.before.iter().any(|known| known.uid == key.uid);
        changed + self.sim.keys().iter().filter(|key| !known(key)).count()
    }

    /// The requests that change a key.
    pub fn writes(&self) -> Vec<Recorded> {
        writes(&self.sim)
    }
}

/// The requests of a server that change a key.
pub fn writes(sim: &Sim) -> Vec<Recorded> {
    let changes = |r: &Recorded| r.method != "GET" && r.path.starts_with("/v1/apiKeys");
    sim.requests().into_iter().filter(changes).collect()
}

/// Opens the product in a folder.
pub fn open(
    folder: &Path,
    keychain: &MemoryKeychain,
    clock: Arc<dyn Clock>,
    timing: Timing,
) -> Arc<PaletteKeys> {
    let (store, notices) = Store::open(folder).unwrap();
    let parts = Parts {
        store,
        keychain: Arc::new(keychain.clone()),
        clock,
        notices,
        demo: true,
        version: "0.0.0".into(),
    };
    PaletteKeys::open_with(parts, timing)
}

/// Lets the tasks of a product that was dropped end.
pub async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
}

/// What left an outbox, compared with the truth at that moment.
#[derive(Clone, Default)]
pub struct Watch(Arc<Mutex<Watched>>);

#[derive(Default)]
struct Watched {
    confirmed: Vec<OutboxItemView>,
    given_up: Vec<OutboxItemView>,
    falsely: Vec<String>,
}

impl Watch {
    pub fn on(keys: &PaletteKeys, sim: &Sim) -> Self {
        let (watch, sim) = (Self::default(), sim.clone());
        let watched = Arc::clone(&watch.0);
        keys.on_change(Box::new(move |change| {
            let Change::OutboxEnded(ended) = change else { return };
            let mut watched = watched.lock().unwrap();
            match ended.end {
                OutboxEnd::GivenUp => watched.given_up.push(ended.item),
                OutboxEnd::Confirmed { .. } => {
                    let key = sim.key(&ended.item.key_uid);
                    let is_so = match ended.item.action {
                        OutboxAction::Revoke => key.is_none_or(|key| !key.active),
                        OutboxAction::Delete => key.is_none(),
                    };
                    if !is_so {
                        watched.falsely.push(ended.item.key_uid.clone());
                    }
                    watched.confirmed.push(ended.item);
                }
            }
        }));
        watch
    }

    pub fn confirmed(&self) -> Vec<OutboxItemView> {
        self.0.lock().unwrap().confirmed.clone()
    }

    pub fn given_up(&self) -> usize {
        self.0.lock().unwrap().given_up.len()
    }

    /// How many were called confirmed although the server said otherwise.
    pub fn falsely(&self) -> usize {
        self.0.lock().unwrap().falsely.len()
    }
}

/// Waits until nothing is in the outbox any more; false when that took longer.
pub async fn drained(keys: &PaletteKeys, within: Duration) -> bool {
    came(within, || keys.outbox().items.is_empty()).await
}

/// Waits until it is so; false when that took longer.
pub async fn came(within: Duration, is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > within {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A number from a row that a seed gives: chance that can be had again.
pub struct Chance(u64);

impl Chance {
    /// Says its seed, so that a failure can be had again with `PALETTE_KEYS_SEED`.
    pub fn new() -> Self {
        let given = std::env::var("PALETTE_KEYS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        println!("PALETTE_KEYS_SEED={seed}");
        Self(seed | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}
