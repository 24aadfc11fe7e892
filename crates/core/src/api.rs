//! Palette over HTTP: one client for one connection, and a method for each call the product makes.
//!
//! "Fact sheet" in these comments is `shared/palette-api.md` of the project, "trust.md" its threat
//! model. What a reader should know first:
//!
//! - A credential travels in a header of its own, set for each request and marked sensitive. It
//!   goes to the connection's origin and nowhere else: redirects are never followed, since HTTP
//!   libraries do not take an `ApiKey` header off a redirected request (trust.md section 0, 4).
//! - `ProjectUid` is never sent: Palette checks it on every request since 4.9.22 (fact sheet §2.1).
//! - A creation is sent once. Reads are repeated, and so are changes whose end state is the same.
//!   Whether a failed request may have been processed is part of every error
//!   ([`ApiError::sent`]).
//! - [`address`] understands what a person typed, `tls` decides whom to trust, `throttle` keeps us
//!   below the server's limits, `wire` speaks JSON, `redact` keeps secrets out of errors.

#![deny(missing_docs)]

pub mod address;
pub mod error;
mod redact;
mod send;
mod session;
mod throttle;
mod tls;
mod wire;

pub use address::{AddressError, Origin};
pub use error::{ApiError, Asked, Exchange, Sent, TlsProblem};
pub use session::Credential;
pub use throttle::Priority;
pub(crate) use throttle::chance;

use crate::Secret;
use crate::clock::Clock;
use crate::connection::ProxyChoice;
use crate::keys::{ApiKey, CreatedKey, KeyChange, KeyUid, NewKey};
use crate::outbox::OutboxAction;
use jiff::Timestamp;
use reqwest::Method;
use send::{Call, Expect, Tries, With};
use session::{Held, Life};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use throttle::Throttle;
use zeroize::Zeroizing;

/// Most people a page may hold, and the server's own default (fact sheet §4).
const PAGE: &str = "50";
/// Pages of people read for their activity: it only adds "inactive" to what is known.
const ACTIVITY_PAGES: usize = 20;
/// Pages read where they are the only source. Beyond, nothing is claimed.
const MOST_PAGES: usize = 400;
/// A token that could not be refreshed is used on; so long until the next try.
const REFRESH_AGAIN: Duration = Duration::from_secs(10);

/// Where a client connects to, and how.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The host.
    pub origin: Origin,
    /// PEM text of authorities to trust beside the system's and the bundled ones.
    pub ca_certificate: Option<String>,
    /// Which proxy to use. To this computer none is used but a custom one over https.
    pub proxy: ProxyChoice,
}

/// Time-outs and sizes; the defaults are the product's (trust.md T6), tests make them small.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub read: Duration,
    /// For a whole exchange.
    pub total: Duration,
    /// Longest list in bytes. Lists have no pages (fact sheet §3.1), so they can be big; but the
    /// buffer and its predecessor while it grows stay below 64 MiB (trust check 30).
    pub list_body: usize,
    /// Longest other answer in bytes.
    pub other_body: usize,
    /// First pause before a retry; doubles.
    pub backoff: Duration,
    /// No retry once the attempts so far took this long together.
    pub retry_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(15),
            total: Duration::from_secs(30),
            list_body: 32 * 1024 * 1024,
            other_body: 1024 * 1024,
            backoff: Duration::from_millis(400),
            retry_within: Duration::from_secs(5),
        }
    }
}

/// Who a credential acts as (`users/info`, fact sheet §2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhoAmI {
    /// uid of the person.
    pub user_uid: String,
    /// uid of the tenant.
    pub tenant_uid: String,
    /// Name of the organization, which is the tenant.
    pub organization: String,
}

/// More about who a credential acts as (`users/me`, fact sheet §2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// First name; may be empty.
    pub first_name: String,
    /// Last name; may be empty.
    pub last_name: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// uids of the person's own roles.
    pub roles: Vec<String>,
    /// Permission strings in the tenant, such as `apiKey.list`, those from teams included.
    pub tenant_permissions: Vec<String>,
}

/// Somebody in the tenant (fact sheet §4).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// uid of the person.
    pub uid: String,
    /// First and last name; may be empty.
    pub name: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// Whether the person may sign in; false also before an invitation is accepted. None: not
    /// known.
    pub active: Option<bool>,
    /// When the person last signed in; none: never, or not known.
    pub last_sign_in: Option<Timestamp>,
    /// Own roles; empty: none, or not known. Those from teams are not in the lists (fact sheet §4).
    #[serde(default)]
    pub roles: Vec<RoleName>,
}

/// Everybody in the tenant, as far as the caller may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum People {
    /// All of them: who is not in it is gone.
    Known(Vec<Person>),
    /// The caller may not list people, or this Palette has no such call.
    Unreadable,
}

/// A role of a person.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RoleName {
    /// uid of the role.
    pub uid: String,
    /// Its name, such as "Tenant Admin"; empty where the list gave only the uid.
    pub name: String,
}

/// An entry of the server's audit log about a key (fact sheet §5). Its texts are whatever somebody
/// wrote; of secrets only the one that is signed in with is taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// uid of the entry; may be empty.
    pub uid: String,
    /// When, by the server's clock.
    pub at: Timestamp,
    /// `actionType`: `create`, `update`, `delete`, …
    pub action: String,
    /// `actionMsg`: what was done, in the server's words.
    pub message: String,
    /// `userMsg`: a note that a person added; usually empty.
    pub note: String,
    /// Who did it: a name, an e-mail address or a service; may be empty.
    pub actor: String,
    /// uid of the key.
    pub key_uid: Option<KeyUid>,
    /// The key's name at that time; may be empty.
    pub key_name: String,
}

/// Which entries of the audit log are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// About this key only; none: about every key.
    pub uid: Option<KeyUid>,
    /// At this time or later, by the server's clock.
    pub from: Option<Timestamp>,
    /// At this time or earlier.
    pub until: Option<Timestamp>,
    /// Where the page before ended; none: the newest.
    pub next: Option<String>,
}

/// A page of the audit log, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Entries left out because they make no sense.
    pub skipped: usize,
    /// Where the next page begins; opaque (fact sheet §4). None at the end.
    pub next: Option<String>,
}

/// What a role allows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RoleRights {
    /// uid of the role.
    pub uid: String,
    /// Its name; may be empty.
    pub name: String,
    /// Permission strings, such as `apiKey.list`.
    pub permissions: Vec<String>,
}

/// Keys of the tenant, and how many more could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyList {
    /// In the server's order.
    pub keys: Vec<ApiKey>,
    /// Items left out because they make no sense (for instance a uid that is none).
    pub skipped: usize,
}

/// The way to one Palette host. Cheap to clone; clones share credential, throttle and clock.
#[derive(Clone)]
pub struct PaletteClient {
    inner: Arc<Inner>,
}

struct Inner {
    origin: Origin,
    base: reqwest::Url,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    throttle: Arc<Throttle>,
    limits: Limits,
    custom_proxy: bool,
    held: Mutex<Held>,
    /// Held while a token is refreshed: one at a time.
    refreshing: tokio::sync::Mutex<()>,
    offset_ms: AtomicI64,
}

/// Opening, signing in, time.
impl PaletteClient {
    /// A client for one connection. Nothing is sent.
    ///
    /// # Errors
    /// [`ApiError::CertificateInvalid`] and [`ApiError::ProxyInvalid`] for what a person typed.
    pub fn open(settings: ClientSettings, clock: Arc<dyn Clock>) -> Result<Self, ApiError> {
        Self::open_with(settings, clock, Limits::default())
    }

    /// As [`PaletteClient::open`], with other limits.
    ///
    /// # Errors
    /// As [`PaletteClient::open`].
    pub fn open_with(
        settings: ClientSettings,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, ApiError> {
        let ClientSettings { origin, ca_certificate, proxy } = settings;
        let added = ca_certificate.as_deref().map(tls::read_pem).transpose()?.unwrap_or_default();
        let base = reqwest::Url::parse(origin.as_str())
            .map_err(|_| ApiError::Internal("the origin is no URL"))?;
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::configuration(&added)?)
            .https_only(origin.is_secure())
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .connect_timeout(limits.connect)
            .read_timeout(limits.read)
            .timeout(limits.total)
            // Shorter than any server's, so that a creation does not meet a connection that the
            // server is just closing.
            .pool_idle_timeout(Duration::from_secs(15))
            .user_agent(concat!("palette-keys/", env!("CARGO_PKG_VERSION")));
        let mut custom_proxy = false;
        builder = match proxy {
            // Plain http is for this computer only, and so are its bytes.
            _ if !origin.is_secure() => builder.no_proxy(),
            ProxyChoice::None => builder.no_proxy(),
            ProxyChoice::System if origin.is_loopback() => builder.no_proxy(),
            ProxyChoice::System => builder,
            ProxyChoice::Custom { url } => {
                custom_proxy = true;
                builder.proxy(custom(&url)?)
            }
        };
        let http =
            builder.build().map_err(|_| ApiError::Internal("the HTTP client did not start"))?;
        let throttle = Throttle::of(origin.as_str());
        Ok(Self {
            inner: Arc::new(Inner {
                origin,
                base,
                http,
                clock,
                throttle,
                limits,
                custom_proxy,
                held: Mutex::new(Held::Nothing),
                refreshing: tokio::sync::Mutex::new(()),
                offset_ms: AtomicI64::new(0),
            }),
        })
    }

    /// Where it connects to.
    pub fn origin(&self) -> &Origin {
        &self.inner.origin
    }

    /// Uses this credential from now on. Nothing is sent; [`PaletteClient::who_am_i`] tries it.
    pub fn sign_in(&self, credential: Credential) {
        let life = match &credential {
            Credential::ApiKey(_) => None,
            Credential::Session { jwt } => Some(Life::of(jwt, self.inner.server_now())),
        };
        *self.inner.held() = Held::Credential { credential, life, tried: None };
    }

    /// Uses the credential of another client to the same host, as far as that has one. Nothing is
    /// sent.
    pub(crate) fn sign_in_as(&self, other: &Self) {
        if self.inner.origin.as_str() != other.inner.origin.as_str() {
            return;
        }
        let held = match &*other.inner.held() {
            Held::Credential { credential, life, .. } => {
                Held::Credential { credential: credential.clone(), life: *life, tried: None }
            }
            Held::Nothing | Held::Ended => return,
        };
        *self.inner.held() = held;
    }

    /// Whether it is this client, or a clone of it.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Forgets the credential.
    pub fn sign_out(&self) {
        *self.inner.held() = Held::Nothing;
    }

    /// True while there is a credential that is not known to have ended.
    pub fn is_signed_in(&self) -> bool {
        matches!(&*self.inner.held(), Held::Credential { .. })
    }

    /// The server's clock minus ours in milliseconds, from the `Date` of its answers; within half a
    /// second or so. Zero until it is known to be otherwise.
    pub fn clock_offset_ms(&self) -> i64 {
        self.inner.offset_ms.load(Ordering::Relaxed)
    }

    /// The server's time.
    pub fn server_now(&self) -> Timestamp {
        self.inner.server_now()
    }
}

/// Who am I.
impl PaletteClient {
    /// Signs in with e-mail and password (fact sheet §2.2). The token is kept and refreshed before
    /// it ends; the password is not kept. An empty organization is left out.
    ///
    /// Never repeated: a wrong password may count towards a lock.
    ///
    /// # Errors
    /// [`ApiError::MfaRequired`], [`ApiError::OrganizationNeeded`],
    /// [`ApiError::CredentialRejected`], and all that can happen on the way.
    pub async fn authenticate(
        &self,
        email: &str,
        organization: &str,
        password: &Secret,
    ) -> Result<(), ApiError> {
        let inner = &self.inner;
        let body = wire::login(email, organization, password).map_err(|_| UNWRITABLE)?;
        let answer = inner
            .send(Call {
                method: Method::POST,
                query: &[("setCookie", "false")],
                body: Some(body),
                asked: Asked::SignIn,
                priority: Priority::Act,
                with: With::Nobody,
                tries: Tries::Once,
                hide: Some(password),
                ..Call::read(&["auth", "authenticate"])
            })
            .await
            .map_err(|error| match error {
                // No code is documented for "which organization?" (fact sheet §2.2 [UNK]); without
                // one named, a refusal that is not about the credential is taken for that.
                ApiError::Refused(told) if organization.is_empty() => {
                    ApiError::OrganizationNeeded(told)
                }
                error => rejected(error),
            })?;
        match wire::token(&answer) {
            Ok(wire::Token::Jwt(jwt)) => {
                self.sign_in(Credential::Session { jwt });
                Ok(())
            }
            Ok(wire::Token::SecondFactor) => {
                Err(ApiError::MfaRequired(inner.told(Asked::SignIn, Sent::Refused, None)))
            }
            Err(wire::Unreadable) => Err(inner.unreadable(Asked::SignIn)),
        }
    }

    /// The identity probe, and the best first call (fact sheet §2.5).
    ///
    /// # Errors
    /// [`ApiError::CredentialRejected`] for 401, 403 and the 404 some builds answer to a bad key
    /// (fact sheet §6).
    pub async fn who_am_i(&self) -> Result<WhoAmI, ApiError> {
        self.identity(With::Signed, Tries::Read).await
    }

    /// Asks whether Palette answers here, without a credential: the identity probe, which it then
    /// refuses.
    ///
    /// # Errors
    /// [`ApiError::CredentialRejected`] where Palette answers, else what is in the way.
    pub(crate) async fn is_there(&self) -> Result<(), ApiError> {
        self.identity(With::Nobody, Tries::Read).await.map(|_| ())
    }

    /// The identity probe with another key than the one signed in: does this value work, and for
    /// whom?
    ///
    /// # Errors
    /// As [`PaletteClient::who_am_i`].
    pub async fn prove(&self, value: &Secret) -> Result<WhoAmI, ApiError> {
        self.identity(With::Value(value), Tries::Read).await
    }

    /// As [`PaletteClient::prove`], and sent once, whatever happens.
    ///
    /// # Errors
    /// As [`PaletteClient::who_am_i`].
    pub async fn prove_once(&self, value: &Secret) -> Result<WhoAmI, ApiError> {
        self.identity(With::Value(value), Tries::Once).await
    }

    async fn identity(&self, with: With<'_>, tries: Tries) -> Result<WhoAmI, ApiError> {
        let call = Call {
            asked: Asked::SignIn,
            priority: Priority::Act,
            with,
            tries,
            ..Call::read(&["users", "info"])
        };
        let answer = self.inner.send(call).await.map_err(rejected)?;
        match wire::who_am_i(&answer) {
            Ok(Some(who)) => Ok(who),
            // JSON without a person in it: an API, but not this one.
            Ok(None) => {
                Err(ApiError::NotPalette(self.inner.told(Asked::SignIn, Sent::Refused, None)))
            }
            Err(wire::Unreadable) => Err(self.inner.unreadable(Asked::SignIn)),
        }
    }

    /// Names and permissions of the caller; none where this build has no such call, or refuses it
    /// (it is hidden, fact sheet §2.5).
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn me(&self) -> Result<Option<Me>, ApiError> {
        let answer = self.inner.send(Call::read(&["users", "me"])).await;
        match answer {
            Ok(body) => Ok(wire::me(&body).ok()),
            Err(ApiError::Absent(_) | ApiError::Forbidden(_) | ApiError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Keys.
impl PaletteClient {
    /// Every key the caller may see: an admin those of the tenant, others their own (fact sheet
    /// §3.6). Items that make no sense are left out.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn list_keys(&self) -> Result<Vec<ApiKey>, ApiError> {
        Ok(self.read_keys().await?.keys)
    }

    /// As [`PaletteClient::list_keys`], with the number of those left out.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn read_keys(&self) -> Result<KeyList, ApiError> {
        let call = Call { expect: Expect::List, ..Call::read(&["apiKeys"]) };
        let answer = self.inner.send(call).await?;
        let page = wire::keys(&answer).map_err(|_| self.inner.unreadable(Asked::Read))?;
        if page.skipped > 0 {
            tracing::warn!(skipped = page.skipped, "keys that could not be understood");
        }
        Ok(KeyList { keys: page.items, skipped: page.skipped })
    }

    /// One key.
    ///
    /// # Errors
    /// [`ApiError::Gone`] when there is none, and all that can happen on the way.
    pub async fn key(&self, uid: &KeyUid) -> Result<ApiKey, ApiError> {
        // A person looks at it or a change waits for it: ahead of the lists.
        let path = ["apiKeys", uid.as_str()];
        let call = Call { priority: Priority::Act, ..Call::read(&path) };
        let answer = self.inner.send(call).await?;
        match wire::key(&answer) {
            Ok(key) if key.uid == *uid => Ok(key),
            _ => Err(self.inner.unreadable(Asked::Read)),
        }
    }

    /// Makes a key. Sent once, whatever happens: the answer is the only time the value is seen, and
    /// a second request would make a second key (fact sheet §3.3).
    ///
    /// # Errors
    /// With [`Sent::No`] or [`Sent::Refused`] no key was made. With [`Sent::Unknown`] there may be
    /// one whose value nobody has: look for it in the list.
    pub async fn create_key(&self, new: &NewKey) -> Result<CreatedKey, ApiError> {
        let call = Call {
            method: Method::POST,
            body: Some(wire::new_key(new).map_err(|_| UNWRITABLE)?),
            asked: Asked::Create,
            priority: Priority::Act,
            tries: Tries::Once,
            ..Call::read(&["apiKeys"])
        };
        let answer = self.inner.send(call).await?;
        match wire::created(&answer) {
            Ok((value, uid)) => Ok(CreatedKey { value, uid }),
            Err(wire::Unreadable) => Err(self.inner.unreadable(Asked::Create)),
        }
    }

    /// Changes name, description and expiry of a key as it was just read. All its annotations and
    /// labels are sent back, since a PUT overwrites (fact sheet §3.4).
    ///
    /// # Errors
    /// [`ApiError::Gone`] when there is none, and all that can happen on the way.
    pub async fn update_key(&self, key: &ApiKey, change: &KeyChange) -> Result<(), ApiError> {
        let path = ["apiKeys", key.uid.as_str()];
        let body = wire::changed_key(key, change).map_err(|_| UNWRITABLE)?;
        let call = Call { body: Some(body), ..Call::change(Method::PUT, &path) };
        self.inner.send(call).await.map(drop)
    }

    /// Revokes (`false`) or re-activates (`true`) a key with `PUT …/state`, or where this build
    /// lacks that, with `PATCH`, which means the same (fact sheet §3.5). A revocation overtakes
    /// everything that waits.
    ///
    /// # Errors
    /// [`ApiError::Gone`] when there is none, and all that can happen on the way.
    pub async fn set_active(&self, uid: &KeyUid, active: bool) -> Result<(), ApiError> {
        let priority = if active { Priority::Act } else { Priority::Revoke };
        let body = || Some(Zeroizing::new(wire::state(active).as_bytes().to_vec()));
        let path = ["apiKeys", uid.as_str(), "state"];
        let put = Call { body: body(), priority, ..Call::change(Method::PUT, &path) };
        match self.inner.send(put).await {
            Err(ApiError::Absent(_)) => {
                let path = ["apiKeys", uid.as_str()];
                let patch = Call { body: body(), priority, ..Call::change(Method::PATCH, &path) };
                self.inner.send(patch).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    /// Revokes or deletes a key, once: the outbox repeats it. Where this build lacks `PUT …/state`,
    /// the `PATCH` that means the same.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub(crate) async fn take_out(
        &self,
        uid: &KeyUid,
        action: OutboxAction,
        priority: Priority,
    ) -> Result<(), ApiError> {
        let path = ["apiKeys", uid.as_str()];
        let once =
            |method, path| Call { priority, tries: Tries::Once, ..Call::change(method, path) };
        if action == OutboxAction::Delete {
            return self.inner.send(once(Method::DELETE, &path)).await.map(drop);
        }
        let body = || Some(Zeroizing::new(wire::state(false).as_bytes().to_vec()));
        let state = ["apiKeys", uid.as_str(), "state"];
        match self.inner.send(Call { body: body(), ..once(Method::PUT, &state) }).await {
            Err(ApiError::Absent(_)) => {
                let patch = Call { body: body(), ..once(Method::PATCH, &path) };
                self.inner.send(patch).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }

    /// One key, read once to confirm what the outbox sent.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub(crate) async fn confirm_key(
        &self,
        uid: &KeyUid,
        priority: Priority,
    ) -> Result<ApiKey, ApiError> {
        let path = ["apiKeys", uid.as_str()];
        let call = Call { priority, tries: Tries::Once, ..Call::read(&path) };
        let answer = self.inner.send(call).await?;
        match wire::key(&answer) {
            Ok(key) if key.uid == *uid => Ok(key),
            _ => Err(self.inner.unreadable(Asked::Read)),
        }
    }

    /// Every key the caller may see, read once to confirm what the outbox sent.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub(crate) async fn confirm_keys(&self, priority: Priority) -> Result<KeyList, ApiError> {
        let call =
            Call { priority, tries: Tries::Once, expect: Expect::List, ..Call::read(&["apiKeys"]) };
        let answer = self.inner.send(call).await?;
        let page = wire::keys(&answer).map_err(|_| self.inner.unreadable(Asked::Read))?;
        Ok(KeyList { keys: page.items, skipped: page.skipped })
    }

    /// Deletes a key for ever (fact sheet §3.5).
    ///
    /// # Errors
    /// [`ApiError::Gone`] when there is none, and all that can happen on the way. After a lost
    /// answer the second attempt may say "gone": that is [`ApiError::Unconfirmed`], and a list
    /// tells.
    pub async fn delete_key(&self, uid: &KeyUid) -> Result<(), ApiError> {
        let path = ["apiKeys", uid.as_str()];
        self.inner.send(Call::change(Method::DELETE, &path)).await.map(drop)
    }
}

/// People, roles and limits.
impl PaletteClient {
    /// Everybody in the tenant, with as few calls as the API allows (fact sheet §4):
    ///
    /// - `GET users/meta` says who there is, everybody at once. Only who is missing *there* may be
    ///   called gone. It knows neither roles nor activity.
    /// - `POST users/summary` says the rest (e-mail, roles with their names, active or not, last
    ///   sign-in), also at once: two calls, however many people there are.
    /// - `GET users` says the same but the roles' names, 50 people a page. It is read only where
    ///   `summary` is absent or refused, and where `meta` is absent: its `continue` proves that
    ///   nobody was left out. Where it is absent too, `summary` alone has to do.
    ///
    /// Palette moves its lists from GET to POST, hence the chain.
    ///
    /// # Errors
    /// All that can happen on the way; a refusal is [`People::Unreadable`] instead.
    pub async fn people(&self) -> Result<People, ApiError> {
        let call = Call { expect: Expect::List, ..Call::read(&["users", "meta"]) };
        match self.inner.send(call).await {
            Ok(answer) => {
                let page = wire::people_meta(&answer);
                let known = page.map_err(|_| self.inner.unreadable(Asked::Read))?;
                // Whoever could not be understood must not be taken for gone.
                if known.skipped > 0 {
                    return Ok(People::Unreadable);
                }
                self.with_the_rest(known.items).await.map(People::Known)
            }
            Err(ApiError::Absent(_)) => self.people_by_pages().await,
            Err(ApiError::Forbidden(_)) => Ok(People::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// Adds roles and who is active. What cannot be read stays unknown.
    async fn with_the_rest(&self, known: Vec<Person>) -> Result<Vec<Person>, ApiError> {
        let mut seen = BTreeMap::new();
        match self.people_by_summary().await {
            Ok(People::Known(people)) => {
                seen.extend(people.into_iter().map(|person| (person.uid.clone(), person)));
            }
            // It would go on for every other call as well.
            Err(error) if error.needs_sign_in() => return Err(error),
            Ok(People::Unreadable) | Err(_) => {
                let mut pages = Pages::default();
                for _ in 0..ACTIVITY_PAGES {
                    match self.next_people(&mut pages).await {
                        Ok(Some(people)) => {
                            let people = people.into_iter();
                            seen.extend(people.map(|person| (person.uid.clone(), person)));
                        }
                        Ok(None) => break,
                        Err(error) if error.needs_sign_in() => return Err(error),
                        Err(_) => break,
                    }
                }
            }
        }
        let mut all: Vec<Person> = known
            .into_iter()
            .map(|person| match seen.remove(&person.uid) {
                Some(fuller) => Person {
                    name: if person.name.is_empty() { fuller.name } else { person.name },
                    email: if person.email.is_empty() { fuller.email } else { person.email },
                    uid: person.uid,
                    ..fuller
                },
                None => person,
            })
            .collect();
        // Whom only the second list knows joined in between: there, and not gone.
        all.extend(seen.into_values());
        Ok(all)
    }

    /// Everybody from the pages of `users` alone.
    async fn people_by_pages(&self) -> Result<People, ApiError> {
        let mut pages = Pages::default();
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            match self.next_people(&mut pages).await {
                Ok(Some(people)) => all.extend(people),
                Ok(None) if pages.skipped > 0 => return Ok(People::Unreadable),
                Ok(None) => return Ok(People::Known(all)),
                Err(ApiError::Absent(_)) => return self.people_by_summary().await,
                Err(ApiError::Forbidden(_)) => return Ok(People::Unreadable),
                Err(error) => return Err(error),
            }
        }
        // More than we read: who is missing is not known, so nothing is claimed.
        Ok(People::Unreadable)
    }

    /// The next page of `users`; none after the last. The same query is repeated with the
    /// server's opaque `continue` (fact sheet §4).
    async fn next_people(&self, pages: &mut Pages) -> Result<Option<Vec<Person>>, ApiError> {
        let Some(query) = pages.query() else { return Ok(None) };
        let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let call = Call { query: &query, expect: Expect::List, ..Call::read(&["users"]) };
        let answer = self.inner.send(call).await?;
        let page = wire::people(&answer).map_err(|_| self.inner.unreadable(Asked::Read))?;
        if !pages.turn(page.next, page.skipped) {
            return Err(self.inner.unreadable(Asked::Read));
        }
        Ok(Some(page.items))
    }

    async fn people_by_summary(&self) -> Result<People, ApiError> {
        let call = Call {
            method: Method::POST,
            body: Some(Zeroizing::new(b"{}".to_vec())),
            expect: Expect::List,
            ..Call::read(&["users", "summary"])
        };
        match self.inner.send(call).await {
            Ok(answer) => {
                let page = wire::people(&answer);
                let page = page.map_err(|_| self.inner.unreadable(Asked::Read))?;
                Ok(if page.skipped > 0 { People::Unreadable } else { People::Known(page.items) })
            }
            Err(ApiError::Absent(_) | ApiError::Forbidden(_)) => Ok(People::Unreadable),
            Err(error) => Err(error),
        }
    }

    /// One person; none where the caller may not read people, or the uid is no uid.
    ///
    /// # Errors
    /// [`ApiError::Gone`] when there is nobody (`UserNotFound`, fact sheet §4), and all that can
    /// happen on the way.
    pub async fn user(&self, uid: &str) -> Result<Option<Person>, ApiError> {
        let Some(uid) = KeyUid::new(uid) else { return Ok(None) };
        let path = ["users", uid.as_str()];
        let answer = optional(self.inner.send(Call::read(&path)).await)?;
        let person = answer.map(|answer| wire::person(&answer)).transpose();
        person.map_err(|_| self.inner.unreadable(Asked::Read))
    }

    /// Roles of a person, own ones and those from teams; none where the caller may not read them.
    ///
    /// # Errors
    /// As [`PaletteClient::user`].
    pub async fn roles_of(&self, uid: &str) -> Result<Option<Vec<RoleName>>, ApiError> {
        let Some(uid) = KeyUid::new(uid) else { return Ok(None) };
        let path = ["users", uid.as_str(), "roles"];
        let answer = optional(self.inner.send(Call::read(&path)).await)?;
        let roles = answer.map(|answer| wire::user_roles(&answer)).transpose();
        roles.map_err(|_| self.inner.unreadable(Asked::Read))
    }

    /// The permissions that these roles give together, sorted; none where the caller may not read
    /// roles.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn role_permissions(
        &self,
        role_uids: &[String],
    ) -> Result<Option<Vec<String>>, ApiError> {
        let roles = self.role_rights(role_uids).await?;
        Ok(roles.map(|roles| {
            let mut permissions: Vec<String> =
                roles.into_iter().flat_map(|role| role.permissions).collect();
            permissions.sort();
            permissions.dedup();
            permissions
        }))
    }

    /// What these roles allow; none where the caller may not read roles. Pages are read until each
    /// was found (other clients read only the first, fact sheet §2.5).
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn role_rights(
        &self,
        role_uids: &[String],
    ) -> Result<Option<Vec<RoleRights>>, ApiError> {
        let mut missing: HashSet<&str> = role_uids.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        let mut pages = Pages::default();
        for _ in 0..MOST_PAGES {
            if missing.is_empty() {
                break;
            }
            let Some(query) = pages.query() else { break };
            let query: Vec<(&str, &str)> = query.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let call = Call { query: &query, expect: Expect::List, ..Call::read(&["roles"]) };
            let Some(answer) = optional(self.inner.send(call).await)? else { return Ok(None) };
            let page = wire::roles(&answer).map_err(|_| self.inner.unreadable(Asked::Read))?;
            if !pages.turn(page.next, page.skipped) {
                return Err(self.inner.unreadable(Asked::Read));
            }
            found.extend(page.items.into_iter().filter(|role| missing.remove(role.uid.as_str())));
        }
        Ok(Some(found))
    }

    /// Keys one person may have (fact sheet §3.6: 20 by default); none where the caller may not
    /// read it.
    ///
    /// # Errors
    /// All that can happen on the way.
    pub async fn key_limit(&self, tenant_uid: &str) -> Result<Option<u32>, ApiError> {
        let Some(uid) = KeyUid::new(tenant_uid) else { return Ok(None) };
        let path = ["tenants", uid.as_str(), "resourceLimits"];
        match optional(self.inner.send(Call::read(&path)).await) {
            Ok(Some(answer)) => {
                wire::key_limit(&answer).map_err(|_| self.inner.unreadable(Asked::Read))
            }
            Ok(None) | Err(ApiError::Gone(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The audit log.
impl PaletteClient {
    /// One page of what the server wrote down about keys, newest first (fact sheet §5:
    /// `resourceKind` is `apiKey`, a page holds at most 50).
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] without the permission `audit.list`, and all that can happen on the
    /// way.
    pub async fn audits(&self, wanted: &AuditQuery) -> Result<AuditPage, ApiError> {
        let time = |at: Timestamp| format!("{at:.3}");
        let (from, until) = (wanted.from.map(time), wanted.until.map(time));
        let uid = wanted.uid.as_ref().map(KeyUid::as_str);
        let mut query = vec![("resourceKind", "apiKey"), ("limit", PAGE)];
        let further = [
            ("resourceUid", uid),
            ("startTime", from.as_deref()),
            ("endTime", until.as_deref()),
            ("continue", wanted.next.as_deref()),
        ];
        query.extend(further.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let call = Call { query: &query, expect: Expect::List, ..Call::read(&["audits"]) };
        let answer = self.inner.send(call).await?;
        let page = wire::audits(&answer).map_err(|_| self.inner.unreadable(Asked::Read))?;
        let own = self.inner.own_secret();
        let secrets: Vec<&Secret> = own.iter().collect();
        let clean = |text: String| redact::without_secrets(&text, &secrets);
        let entries = page.items.into_iter().map(|entry| AuditEntry {
            message: clean(entry.message),
            note: clean(entry.note),
            actor: clean(entry.actor),
            key_name: clean(entry.key_name),
            ..entry
        });
        Ok(AuditPage {
            entries: entries.collect(),
            skipped: page.skipped,
            // A server that sends us in a circle has come to its end.
            next: page.next.filter(|next| wanted.next.as_ref() != Some(next)),
        })
    }
}

/// The credential of the next request.
impl Inner {
    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing here is half-written across a panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret that is signed in.
    fn own_secret(&self) -> Option<Secret> {
        match &*self.held() {
            Held::Credential { credential, .. } => Some(credential.secret().clone()),
            Held::Nothing | Held::Ended => None,
        }
    }

    /// What to send, refreshed if its end is near.
    async fn credential(&self) -> Result<Credential, ApiError> {
        if let Some(credential) = self.fresh()? {
            return Ok(credential);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        // Whoever held the lock may have done it.
        if let Some(credential) = self.fresh()? {
            return Ok(credential);
        }
        // Boxed: the refresh is itself a request, though one without a credential.
        Box::pin(self.refresh()).await
    }

    /// The credential, unless it wants a refresh first. One whose end has passed by our clock does
    /// too: that clock may just have been set, and only the server knows that a session is over.
    fn fresh(&self) -> Result<Option<Credential>, ApiError> {
        let now = self.server_now();
        match &*self.held() {
            Held::Nothing => Err(ApiError::NotSignedIn),
            Held::Ended => Err(self.session_ended()),
            Held::Credential { life: Some(life), tried, .. }
                if life.wants_refresh(now)
                    && tried.is_none_or(|tried| tried.elapsed() >= REFRESH_AGAIN) =>
            {
                Ok(None)
            }
            Held::Credential { credential, .. } => Ok(Some(credential.clone())),
        }
    }

    /// `GET /v1/auth/refresh/{token}` (fact sheet §2.3). The token is in the path: this URL is
    /// never logged and never part of an error.
    async fn refresh(&self) -> Result<Credential, ApiError> {
        let jwt = match &*self.held() {
            Held::Credential { credential: Credential::Session { jwt }, .. } => jwt.clone(),
            Held::Credential { credential, .. } => return Ok(credential.clone()),
            Held::Nothing => return Err(ApiError::NotSignedIn),
            Held::Ended => return Err(self.session_ended()),
        };
        // EXPOSE: Palette takes the token in the path.
        let path = ["auth", "refresh", jwt.expose_secret()];
        let answer = self
            .send(Call {
                query: &[("setCookie", "false")],
                // A revoke may be waiting for it.
                priority: Priority::Revoke,
                with: With::Nobody,
                tries: Tries::Twice,
                hide: Some(&jwt),
                ..Call::read(&path)
            })
            .await;
        let now = self.server_now();
        let mut held = self.held();
        let Held::Credential { credential, life, tried } = &mut *held else {
            return Err(ApiError::NotSignedIn);
        };
        // Somebody signed in anew meanwhile: that counts.
        if !is_session(credential, &jwt) {
            return Ok(credential.clone());
        }
        match answer.map(|body| wire::token(&body)) {
            Ok(Ok(wire::Token::Jwt(jwt))) => {
                *life = Some(Life::of(&jwt, now));
                *tried = None;
                *credential = Credential::Session { jwt };
                Ok(credential.clone())
            }
            Err(
                ApiError::Unauthorized(told)
                | ApiError::Forbidden(told)
                | ApiError::Gone(told)
                | ApiError::Refused(told),
            ) => {
                *held = Held::Ended;
                Err(ApiError::SessionEnded(told))
            }
            // The token is still good: use it, and try again soon.
            Ok(_) | Err(_) => {
                *tried = Some(tokio::time::Instant::now());
                Ok(credential.clone())
            }
        }
    }

    /// The server refused this credential. For a login token the session is over; a key that is
    /// refused is kept, since a person may re-activate it.
    fn session_is_over(&self, refused: &Credential) -> bool {
        let Credential::Session { jwt } = refused else { return false };
        let mut held = self.held();
        if matches!(&*held, Held::Credential { credential, .. } if is_session(credential, jwt)) {
            *held = Held::Ended;
        }
        true
    }

    fn session_ended(&self) -> ApiError {
        ApiError::SessionEnded(self.told(Asked::SignIn, Sent::No, None))
    }

    /// JSON that is not what the call answers. The server did answer 2xx, so a change may have
    /// been made.
    fn unreadable(&self, asked: Asked) -> ApiError {
        ApiError::AnswerUnreadable(self.told(asked, Sent::Unknown, None))
    }
}

/// Our own types that did not become JSON, which cannot happen.
const UNWRITABLE: ApiError = ApiError::Internal("the request could not be written");

fn is_session(credential: &Credential, token: &Secret) -> bool {
    match credential {
        // EXPOSE: compared with itself, to see whether it was replaced meanwhile.
        Credential::Session { jwt } => jwt.expose_secret() == token.expose_secret(),
        Credential::ApiKey(_) => false,
    }
}

/// On the identity probe these all mean: not this credential on this host (fact sheet §6).
fn rejected(error: ApiError) -> ApiError {
    match error {
        ApiError::Unauthorized(told) | ApiError::Forbidden(told) | ApiError::Gone(told) => {
            ApiError::CredentialRejected(told)
        }
        error => error,
    }
}

/// None where the caller lacks the permission or the build lacks the call.
fn optional<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(ApiError::Forbidden(_) | ApiError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A proxy a person typed: a URL, or a bare `host:port`, which means http.
fn custom(typed: &str) -> Result<reqwest::Proxy, ApiError> {
    let typed = typed.trim();
    let full;
    let text = if typed.contains("://") {
        typed
    } else {
        full = format!("http://{typed}");
        &full
    };
    let url = reqwest::Url::parse(text).map_err(|_| ApiError::ProxyInvalid)?;
    let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
    if !known || url.host_str().is_none_or(str::is_empty) || typed.contains(char::is_whitespace) {
        return Err(ApiError::ProxyInvalid);
    }
    reqwest::Proxy::all(url).map_err(|_| ApiError::ProxyInvalid)
}

/// Where a paged read stands.
#[derive(Default)]
struct Pages {
    begun: bool,
    next: Option<String>,
    seen: HashSet<String>,
    skipped: usize,
}

impl Pages {
    /// The query of the next page; none after the last.
    fn query(&self) -> Option<Vec<(&'static str, String)>> {
        let mut query = vec![("limit", PAGE.to_owned())];
        match &self.next {
            Some(next) => query.push(("continue", next.clone())),
            None if self.begun => return None,
            None => {}
        }
        Some(query)
    }

    /// Turns the page; false when the server sends us in a circle.
    fn turn(&mut self, next: Option<String>, skipped: usize) -> bool {
        self.begun = true;
        self.skipped += skipped;
        let new = next.as_ref().is_none_or(|next| self.seen.insert(next.clone()));
        self.next = next;
        new
    }
}
