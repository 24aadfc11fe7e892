//! A Palette on loopback: the calls of `palette-openapi.json` that Palette Keys makes, with the
//! behaviour the fact sheet describes, and a box of faults.
//!
//! It serves the demo tenant of the app, every test of `palette-keys-core`, the end-to-end runs
//! and outside schema fuzzers. It knows nothing of core: the two meet only at JSON, else the
//! simulator would agree with the client's mistakes.
//!
//! "Fact sheet" in the comments of this crate is `shared/palette-api.md`; its marks (`[DOC]`,
//! `[SPEC]`, `[SDK]`, `[INF]`, `[UNK]`) are repeated where a behaviour is copied from it. Where the
//! sheet says `[UNK]` the simulator had to choose, and the comment says so.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use palette_sim::{Fault, Matcher, SimOptions};
//!
//! let sim = palette_sim::start(SimOptions::default()).await?;
//! let admin = sim.admin();
//! println!("{} with {}", sim.origin(), admin.api_key);
//! sim.set_fault(Matcher::method("DELETE"), Fault::ResetAfterHandling, Some(1));
//! # Ok(()) }
//! ```

#![deny(missing_docs)]

mod clock;
mod faults;
mod input;
mod limits;
mod reply;
mod routes;
mod seed;
mod server;
mod tenant;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;

pub use faults::{Fault, Matcher};
pub use server::Recorded;
pub use tenant::{Account, AuditTruth, KeyTruth, NewKey, UserTruth};

use server::Shared;

/// What a tenant holds when the simulator starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seed {
    /// About 40 keys of 12 people in every state, with dates relative to now.
    #[default]
    Demo,
    /// Exactly `keys` keys of `users` people (at least the six accounts), for measuring. The quota
    /// is raised so that everyone has room for 20 more; the roles fill two pages.
    Size {
        /// Number of keys in the tenant.
        keys: usize,
        /// Number of people in the tenant.
        users: usize,
    },
    /// The six accounts with one sign-in key each, and nothing else.
    Empty,
}

/// A certificate chain and its private key, both PEM, for serving https.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The chain, leaf first.
    pub cert_pem: String,
    /// The private key (PKCS#8, SEC1 or PKCS#1).
    pub key_pem: String,
}

/// How the simulator starts. `SimOptions::default()` is the demo tenant with rate limits.
#[derive(Clone)]
pub struct SimOptions {
    /// What the tenant holds.
    pub seed: Seed,
    /// 10 requests a second with burst 50 a prefix (fact sheet §7 `[DOC]`).
    pub rate_limit: bool,
    /// Life of a login token in minutes; 15 by default (fact sheet §2.3 `[DOC]`). The settings call
    /// shows it within 15–1440, as the schema demands, but tokens end when this says.
    pub token_minutes: i64,
    /// Whether the hidden `GET /v1/users/me` answers; else numeric 404 (fact sheet §2.5).
    pub users_me: bool,
    /// A bad key is answered 404 `ResourceNotFound` with the key in the message instead of 401
    /// (fact sheet §6, GO PR #209).
    pub bad_key_not_found: bool,
    /// Serve https with this identity (rustls on ring, HTTP/1.1) instead of plain http.
    pub tls: Option<TlsIdentity>,
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// Value of the admin's sign-in key; random if `None`.
    pub admin_key: Option<String>,
    /// Value of the plain user's sign-in key; random if `None`.
    pub user_key: Option<String>,
    /// Host names accepted in the `Host` header beside the loopback ones, for tests that resolve a
    /// made-up name to 127.0.0.1.
    pub extra_hosts: Vec<String>,
    /// How many requests [`Sim::requests`] keeps; older ones are dropped.
    pub record_limit: usize,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            seed: Seed::Demo,
            rate_limit: true,
            token_minutes: 15,
            users_me: true,
            bad_key_not_found: false,
            tls: None,
            port: 0,
            admin_key: None,
            user_key: None,
            extra_hosts: Vec::new(),
            record_limit: 20_000,
        }
    }
}

/// Starts a simulator on 127.0.0.1, on the current tokio runtime.
///
/// # Errors
/// When the port cannot be bound, or the TLS identity cannot be read (`InvalidInput`).
pub async fn start(options: SimOptions) -> io::Result<Sim> {
    let acceptor = match &options.tls {
        Some(identity) => Some(server::acceptor(identity)?),
        None => None,
    };
    let listener = listen(options.port)?;
    let address = listener.local_addr()?;
    let shared = Arc::new(Shared::new(options, acceptor));
    let task = tokio::spawn(server::accept(listener, Arc::clone(&shared)));
    let listening = AsyncMutex::new(None);
    let abort = std::sync::Mutex::new(Some(task.abort_handle()));
    if let Ok(mut slot) = listening.try_lock() {
        *slot = Some(task);
    }
    Ok(Sim { running: Arc::new(Running { shared, address, listening, abort }) })
}

/// Binds the port on loopback only; the address is free again at once after a stop.
fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.listen(1024)
}

/// A running simulator. Cheap to clone; the server stops with [`Sim::stop`] or when the last
/// handle is dropped.
#[derive(Clone)]
pub struct Sim {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: AsyncMutex<Option<JoinHandle<()>>>,
    abort: std::sync::Mutex<Option<tokio::task::AbortHandle>>,
}

impl Running {
    fn abort(&self) {
        if let Some(abort) = server::lock(&self.abort).take() {
            abort.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.abort();
    }
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("origin", &self.origin()).finish()
    }
}

/// Where it is, and who can sign in.
impl Sim {
    /// `http://127.0.0.1:PORT`, or `https://…` with a TLS identity.
    #[must_use]
    pub fn origin(&self) -> String {
        let scheme = if self.running.shared.acceptor.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.host())
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.running.address.to_string()
    }

    /// The port alone.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.running.address.port()
    }

    /// Jane Doe, Tenant Admin.
    #[must_use]
    pub fn admin(&self) -> Account {
        self.account(seed::ADMIN)
    }

    /// Sam Okafor, a plain user: project roles only, no permission in the tenant.
    #[must_use]
    pub fn user(&self) -> Account {
        self.account(seed::USER)
    }

    /// Priya Nair, Tenant Viewer: sees every key, changes only her own.
    #[must_use]
    pub fn viewer(&self) -> Account {
        self.account(seed::VIEWER)
    }

    /// Noah Lindqvist, Tenant Project Admin: lists keys, cannot list people (fact sheet §2.5).
    #[must_use]
    pub fn project_admin(&self) -> Account {
        self.account(seed::PROJECT_ADMIN)
    }

    /// Tomás Brandt, Tenant User Admin: all of `apiKey.*` and `user.*` but not Tenant Admin.
    #[must_use]
    pub fn user_admin(&self) -> Account {
        self.account(seed::USER_ADMIN)
    }

    /// Chloé Martin, whose password login asks for a second factor (`isMfa: true`).
    #[must_use]
    pub fn mfa_user(&self) -> Account {
        self.account(seed::MFA_USER)
    }

    /// Any person of the tenant by e-mail address. All fields are empty for an unknown one; the
    /// key is empty when the person has none that works.
    #[must_use]
    pub fn account(&self, email: &str) -> Account {
        self.running.shared.tenant().account(email, self.now())
    }
}

/// Faults, and what was asked.
impl Sim {
    /// From now on answers matching requests with `fault`, `times` times or until cleared. With
    /// several that match, the one set first is used.
    pub fn set_fault(&self, matcher: Matcher, fault: Fault, times: Option<u32>) {
        self.running.shared.faults().add(matcher, fault, times);
    }

    /// Removes every fault. Requests already hanging stay so.
    pub fn clear_faults(&self) {
        self.running.shared.faults().clear();
    }

    /// Every request since the start or the last [`Sim::clear_requests`], oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.running.shared.recorder().all()
    }

    /// Forgets the recorded requests; their numbering goes on.
    pub fn clear_requests(&self) {
        self.running.shared.recorder().clear();
    }

    /// TCP connections accepted so far, those that failed the TLS handshake included.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.running.shared.connections.load(Ordering::Relaxed)
    }

    /// Switches the rate limit on or off; buckets start full.
    pub fn set_rate_limit(&self, on: bool) {
        self.running.shared.set_rate_limit(on);
    }

    /// Switches the hidden `GET /v1/users/me` on or off.
    pub fn set_users_me(&self, on: bool) {
        self.running.shared.users_me.store(on, Ordering::Relaxed);
    }

    /// Switches between 401 and 404 for a bad key, see [`SimOptions::bad_key_not_found`].
    pub fn set_bad_key_not_found(&self, on: bool) {
        self.running.shared.bad_key_not_found.store(on, Ordering::Relaxed);
    }
}

/// The truth about the tenant, and changes made behind the client's back.
impl Sim {
    /// Every key, oldest first, with what no client may see (the value).
    #[must_use]
    pub fn keys(&self) -> Vec<KeyTruth> {
        self.running.shared.tenant().keys.values().cloned().collect()
    }

    /// One key by its uid.
    #[must_use]
    pub fn key(&self, uid: &str) -> Option<KeyTruth> {
        self.running.shared.tenant().keys.get(uid).cloned()
    }

    /// The oldest key with this name.
    #[must_use]
    pub fn key_named(&self, name: &str) -> Option<KeyTruth> {
        self.running.shared.tenant().keys.values().find(|key| key.name == name).cloned()
    }

    /// Someone else changes a key: `f` edits it, the server stamps the modification time and
    /// writes an audit entry in another person's name. The uid cannot be changed. Nothing happens
    /// for an unknown uid. `f` must not call back into the simulator.
    pub fn edit_key_directly(&self, uid: &str, f: impl FnOnce(&mut KeyTruth)) {
        let now = self.now();
        self.running.shared.tenant().edit_directly(uid, now, f);
    }

    /// Puts a key into the tenant without any check (past expiry, hostile name, quota).
    pub fn add_key(&self, key: NewKey) -> KeyTruth {
        let now = self.now();
        self.running.shared.tenant().add_key(key, now)
    }

    /// Removes a key without a trace. True if there was one.
    pub fn remove_key(&self, uid: &str) -> bool {
        self.running.shared.tenant().take_key(uid).is_some()
    }

    /// Everyone in the tenant, oldest first; removed people are not in it.
    #[must_use]
    pub fn users(&self) -> Vec<UserTruth> {
        self.running.shared.tenant().user_truths()
    }

    /// Removes a person; their keys stay behind, and go on working (fact sheet §3.6 `[INF]`).
    pub fn remove_user(&self, uid: &str) {
        self.running.shared.tenant().remove_user(uid);
    }

    /// Deactivates a person; password login fails from then on, keys go on working.
    pub fn deactivate_user(&self, uid: &str) {
        self.running.shared.tenant().set_user_active(uid, false);
    }

    /// Gives a person exactly these roles, by name as in the seed ("Tenant Viewer"); unknown names
    /// are ignored. Keys follow at once (fact sheet §2.5 `[DOC]`).
    pub fn set_user_roles(&self, uid: &str, roles: &[&str]) {
        self.running.shared.tenant().set_user_roles(uid, roles);
    }

    /// Keys a person may have; 20 by default (fact sheet §3.6 `[DOC]`).
    pub fn set_quota(&self, keys_per_user: usize) {
        self.running.shared.tenant().quota = keys_per_user;
    }

    /// The audit log, oldest first.
    #[must_use]
    pub fn audits(&self) -> Vec<AuditTruth> {
        self.running.shared.tenant().audits.clone()
    }

    /// Ends every login token at once, as a log-out elsewhere would.
    pub fn end_sessions(&self) {
        self.running.shared.tenant().sessions.clear();
    }

    /// uid of the tenant.
    #[must_use]
    pub fn tenant_uid(&self) -> String {
        self.running.shared.tenant().uid.clone()
    }
}

/// Time and life.
impl Sim {
    /// Sets the server's clock this far ahead of (or, negative, behind) the machine's. The `Date`
    /// header, expiries and tokens follow it; the rate limit does not.
    pub fn set_clock_offset_seconds(&self, seconds: i64) {
        self.running.shared.clock.set_offset_seconds(seconds);
    }

    /// Moves the server's clock on by this much.
    pub fn advance_seconds(&self, seconds: i64) {
        self.running.shared.clock.advance_seconds(seconds);
    }

    /// The server's time, in whole milliseconds as the API writes it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.running.shared.clock.now()
    }

    /// Stops the server: the port is closed and open connections are dropped. For good, unless
    /// [`Sim::come_back`] is called.
    pub fn stop(&self) {
        self.running.abort();
    }

    /// Stops the server and returns once the port refuses connections. The tenant is kept.
    pub async fn go_down(&self) {
        self.running.abort();
        if let Some(task) = self.running.listening.lock().await.take() {
            // An aborted task ends with a "cancelled" error, which is what was asked for.
            let _ = task.await;
        }
    }

    /// Starts the server again on the same port, with the same tenant.
    ///
    /// # Errors
    /// When another process took the port meanwhile.
    pub async fn come_back(&self) -> io::Result<()> {
        self.go_down().await;
        let listener = listen(self.port())?;
        let task = tokio::spawn(server::accept(listener, Arc::clone(&self.running.shared)));
        *server::lock(&self.running.abort) = Some(task.abort_handle());
        *self.running.listening.lock().await = Some(task);
        Ok(())
    }
}
