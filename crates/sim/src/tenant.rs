//! The state of the tenant: people, roles, keys, login tokens and the audit log, and the rules by
//! which they change. No HTTP here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::clock::later;

/// The annotations the server writes itself on every answer, "read-only response data" (fact sheet
/// §3.2 and §3.4 `[SPEC]`, v1AclMeta); what a client sends under these names is dropped.
pub(crate) const ACL_ANNOTATIONS: [&str; 5] =
    ["ownerUid", "tenantUid", "permissions", "scope", "scopeVisibility"];

/// A person who can sign in, with everything needed to do so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// First and last name.
    pub name: String,
    /// E-mail address, the name to sign in with.
    pub email: String,
    /// Password.
    pub password: String,
    /// Name of the organization.
    pub organization: String,
    /// Value of the person's sign-in key, whatever became of it; for people who are no account, the
    /// oldest of their keys that works. Empty if none.
    pub api_key: String,
    /// uid of the person.
    pub uid: String,
    /// uid of that key. Empty if none.
    pub api_key_uid: String,
}

/// A key as the server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTruth {
    /// uid, 24 hex digits, the first 8 the second of creation (fact sheet §3.2 `[INF]`).
    pub uid: String,
    /// Name; not unique.
    pub name: String,
    /// Description; on the wire an annotation, always there (fact sheet §3.2 `[DOC]`).
    pub description: String,
    /// uid of the person the key acts as, `spec.user.uid` on the wire.
    pub owner_uid: String,
    /// First name shown in `spec.user` if that person is not in the tenant any more.
    pub owner_first_name: String,
    /// Last name shown in `spec.user` if that person is not in the tenant any more.
    pub owner_last_name: String,
    /// uid of who created it, `annotations.ownerUid` on the wire.
    pub creator_uid: String,
    /// False when revoked.
    pub active: bool,
    /// End of the key; `None` never ends (zero time on the wire).
    pub expiry: Option<Timestamp>,
    /// Time of creation.
    pub created: Timestamp,
    /// Time of the last change.
    pub modified: Timestamp,
    /// Annotations as clients wrote them, without the description and the server's own.
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The secret.
    pub value: String,
}

impl KeyTruth {
    /// Whether the key still signs in at this time.
    #[must_use]
    pub fn works_at(&self, now: Timestamp) -> bool {
        self.active && self.expiry.is_none_or(|expiry| expiry > now)
    }
}

/// A key to put into the tenant with [`crate::Sim::add_key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The person it acts as; the admin if `None`. Need not exist.
    pub owner_uid: Option<String>,
    /// Who created it; the owner if `None`.
    pub creator_uid: Option<String>,
    /// False for a revoked key.
    pub active: bool,
    /// End of the key; `None` never ends.
    pub expiry: Option<Timestamp>,
    /// Time of creation; now if `None`.
    pub created: Option<Timestamp>,
    /// Annotations beside the description.
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// uid; made up if `None`. A hostile one is allowed.
    pub uid: Option<String>,
    /// Value; made up if `None`.
    pub value: Option<String>,
}

impl NewKey {
    /// An active key of the admin that never ends.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            owner_uid: None,
            creator_uid: None,
            active: true,
            expiry: None,
            created: None,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            uid: None,
            value: None,
        }
    }
}

/// A person as the server holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTruth {
    /// uid.
    pub uid: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
    /// False when deactivated or never activated.
    pub active: bool,
    /// Names of their roles, those inherited from teams included.
    pub roles: Vec<String>,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditTruth {
    /// uid.
    pub uid: String,
    /// When.
    pub at: Timestamp,
    /// `create`, `update`, `delete`, …
    pub action_type: String,
    /// What was done, in words.
    pub action_message: String,
    /// More of it.
    pub content_message: String,
    /// uid of who did it.
    pub actor_uid: String,
    /// Their e-mail address at that time.
    pub actor_email: String,
    /// Their first name at that time.
    pub actor_first_name: String,
    /// Their last name at that time.
    pub actor_last_name: String,
    /// Kind of the thing: `apiKey`, `user`, …
    pub resource_kind: String,
    /// Label of the kind for people.
    pub resource_label: String,
    /// Name of the thing.
    pub resource_name: String,
    /// uid of the thing.
    pub resource_uid: String,
}

/// A person.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) uid: String,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) email: String,
    pub(crate) password: String,
    pub(crate) active: bool,
    pub(crate) mfa: bool,
    /// Also a member of another organization under the same address.
    pub(crate) elsewhere: bool,
    /// uids of roles.
    pub(crate) roles: Vec<String>,
    /// uids of roles that come from teams.
    pub(crate) inherited: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) last_sign_in: Option<Timestamp>,
    pub(crate) activation_link: String,
}

impl User {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

pub(crate) struct Role {
    pub(crate) uid: String,
    pub(crate) name: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) scope: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) created: Timestamp,
}

/// A login token.
pub(crate) struct Session {
    pub(crate) user_uid: String,
    pub(crate) session_uid: String,
    pub(crate) expires: Timestamp,
    /// Waits for a second factor that no public call can give (fact sheet §2.2).
    pub(crate) pending: bool,
}

/// An organization that can be asked for at sign-in.
pub(crate) struct Organization {
    pub(crate) name: &'static str,
    pub(crate) sso: bool,
}

pub(crate) struct Tenant {
    pub(crate) uid: String,
    pub(crate) organization: String,
    pub(crate) organizations: Vec<Organization>,
    /// By uid, which sorts by creation.
    pub(crate) users: BTreeMap<String, User>,
    /// Removed people, whose keys go on working.
    pub(crate) gone: HashMap<String, User>,
    pub(crate) roles: Vec<Role>,
    /// By uid, which sorts by creation.
    pub(crate) keys: BTreeMap<String, KeyTruth>,
    /// uid of the key by its value.
    by_value: HashMap<String, String>,
    pub(crate) sessions: HashMap<String, Session>,
    /// Oldest first.
    pub(crate) audits: Vec<AuditTruth>,
    pub(crate) quota: usize,
    pub(crate) token_minutes: i64,
    pub(crate) admin_email: String,
    /// uid and value of each account's sign-in key by the person's uid. Kept when the key is
    /// revoked or deleted, so that a test goes on asking for the same one.
    pub(crate) sign_in_keys: HashMap<String, (String, String)>,
}

impl Tenant {
    pub(crate) fn new(organization: &str, token_minutes: i64) -> Self {
        Self {
            uid: Uuid::new_v4().simple().to_string(),
            organization: organization.to_owned(),
            organizations: Vec::new(),
            users: BTreeMap::new(),
            gone: HashMap::new(),
            roles: Vec::new(),
            keys: BTreeMap::new(),
            by_value: HashMap::new(),
            sessions: HashMap::new(),
            audits: Vec::new(),
            quota: crate::limits::KEYS_PER_USER,
            token_minutes,
            admin_email: String::new(),
            sign_in_keys: HashMap::new(),
        }
    }

    /// A person of the tenant, or one who was removed but whose key still works.
    pub(crate) fn person(&self, uid: &str) -> Option<&User> {
        self.users.get(uid).or_else(|| self.gone.get(uid))
    }

    pub(crate) fn by_email(&self, email: &str) -> Option<&User> {
        self.users.values().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    pub(crate) fn role_named(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Permissions at tenant scope, from own roles and teams (fact sheet §2.5 `[DOC]`). Looked up
    /// for each request, so a key follows its person's roles at once.
    pub(crate) fn permissions(&self, user: &User) -> BTreeSet<String> {
        self.roles
            .iter()
            .filter(|role| role.scope == "tenant")
            .filter(|role| user.roles.contains(&role.uid) || user.inherited.contains(&role.uid))
            .flat_map(|role| role.permissions.iter().cloned())
            .collect()
    }

    pub(crate) fn account(&self, email: &str, now: Timestamp) -> Account {
        let Some(user) = self.by_email(email) else { return Account::default() };
        let any = || {
            self.keys
                .values()
                .find(|key| key.owner_uid == user.uid && key.works_at(now))
                .map(|key| (key.uid.clone(), key.value.clone()))
        };
        let (api_key_uid, api_key) =
            self.sign_in_keys.get(&user.uid).cloned().or_else(any).unwrap_or_default();
        Account {
            name: user.name(),
            email: user.email.clone(),
            password: user.password.clone(),
            organization: self.organization.clone(),
            api_key,
            uid: user.uid.clone(),
            api_key_uid,
        }
    }

    pub(crate) fn user_truths(&self) -> Vec<UserTruth> {
        let roles = |user: &User| {
            self.roles
                .iter()
                .filter(|role| user.roles.contains(&role.uid) || user.inherited.contains(&role.uid))
                .map(|role| role.name.clone())
                .collect()
        };
        self.users
            .values()
            .map(|user| UserTruth {
                uid: user.uid.clone(),
                first_name: user.first_name.clone(),
                last_name: user.last_name.clone(),
                email: user.email.clone(),
                active: user.active,
                roles: roles(user),
            })
            .collect()
    }

    /// The key with this value, if it works now.
    pub(crate) fn working_key(&self, value: &str, now: Timestamp) -> Option<&KeyTruth> {
        self.keys.get(self.by_value.get(value)?).filter(|key| key.works_at(now))
    }

    pub(crate) fn keys_of(&self, owner_uid: &str) -> usize {
        self.keys.values().filter(|key| key.owner_uid == owner_uid).count()
    }

    pub(crate) fn add_key(&mut self, new: NewKey, now: Timestamp) -> KeyTruth {
        let created = new.created.unwrap_or(now);
        let admin = || self.by_email(&self.admin_email).map(|user| user.uid.clone());
        let owner_uid = new.owner_uid.or_else(admin).unwrap_or_default();
        let owner = self.person(&owner_uid);
        let key = KeyTruth {
            uid: new.uid.unwrap_or_else(|| object_id(created)),
            name: new.name,
            description: new.description,
            owner_first_name: owner.map(|user| user.first_name.clone()).unwrap_or_default(),
            owner_last_name: owner.map(|user| user.last_name.clone()).unwrap_or_default(),
            creator_uid: new.creator_uid.unwrap_or_else(|| owner_uid.clone()),
            owner_uid,
            active: new.active,
            expiry: new.expiry,
            created,
            modified: created,
            annotations: new.annotations,
            labels: new.labels,
            value: new.value.unwrap_or_else(key_value),
        };
        self.put_key(key.clone());
        key
    }

    pub(crate) fn put_key(&mut self, key: KeyTruth) {
        self.by_value.insert(key.value.clone(), key.uid.clone());
        self.keys.insert(key.uid.clone(), key);
    }

    pub(crate) fn take_key(&mut self, uid: &str) -> Option<KeyTruth> {
        let key = self.keys.remove(uid)?;
        self.by_value.remove(&key.value);
        Some(key)
    }

    pub(crate) fn edit_directly(
        &mut self,
        uid: &str,
        now: Timestamp,
        f: impl FnOnce(&mut KeyTruth),
    ) {
        let Some(mut key) = self.take_key(uid) else { return };
        f(&mut key);
        key.uid = uid.to_owned();
        key.modified = now;
        self.put_key(key.clone());
        // The most likely "someone else": another administrator, else whoever is there.
        let other = self
            .users
            .values()
            .filter(|user| user.email != self.admin_email)
            .max_by_key(|user| self.permissions(user).contains("apiKey.update"))
            .cloned();
        if let Some(other) = other {
            self.audit_key(&other, "update", "updated", &key, now);
        }
    }

    pub(crate) fn remove_user(&mut self, uid: &str) {
        if let Some(user) = self.users.remove(uid) {
            self.sessions.retain(|_, session| session.user_uid != uid);
            self.gone.insert(uid.to_owned(), user);
        }
    }

    pub(crate) fn set_user_active(&mut self, uid: &str, active: bool) {
        if let Some(user) = self.users.get_mut(uid) {
            user.active = active;
        }
    }

    pub(crate) fn set_user_roles(&mut self, uid: &str, names: &[&str]) {
        let roles: Vec<String> =
            names.iter().filter_map(|name| self.role_named(name)).map(|r| r.uid.clone()).collect();
        if let Some(user) = self.users.get_mut(uid) {
            user.roles = roles;
            user.inherited.clear();
        }
    }

    /// Writes the audit entry of a change to a key. Entries name the person, never the key that was
    /// used; kind `apiKey` (fact sheet §5 `[DOC]`). The texts are ours, no public sample exists.
    pub(crate) fn audit_key(
        &mut self,
        actor: &User,
        action_type: &str,
        verb: &str,
        key: &KeyTruth,
        at: Timestamp,
    ) {
        let what = Subject { kind: "apiKey", label: "API key", name: &key.name, uid: &key.uid };
        self.audit(actor, action_type, verb, what, at);
    }

    pub(crate) fn audit(
        &mut self,
        actor: &User,
        action_type: &str,
        verb: &str,
        what: Subject<'_>,
        at: Timestamp,
    ) {
        self.audits.push(AuditTruth {
            uid: object_id(at),
            at,
            action_type: action_type.to_owned(),
            action_message: format!("{} '{}' {verb}", what.label, what.name),
            content_message: format!(
                "{} {verb} the {} '{}'",
                actor.name(),
                what.label.to_lowercase(),
                what.name
            ),
            actor_uid: actor.uid.clone(),
            actor_email: actor.email.clone(),
            actor_first_name: actor.first_name.clone(),
            actor_last_name: actor.last_name.clone(),
            resource_kind: what.kind.to_owned(),
            resource_label: what.label.to_owned(),
            resource_name: what.name.to_owned(),
            resource_uid: what.uid.to_owned(),
        });
    }

    /// A new login token for this person; `session_uid` is kept over a refresh (fact sheet §2.3).
    pub(crate) fn sign_in(
        &mut self,
        user_uid: &str,
        session_uid: Option<String>,
        pending: bool,
        now: Timestamp,
    ) -> String {
        let session_uid = session_uid.unwrap_or_else(|| object_id(now));
        let seconds = self.token_minutes.saturating_mul(60);
        let expires = later(now, SignedDuration::from_secs(seconds));
        let claims = serde_json::json!({
            "iss": "palette-sim",
            "sub": user_uid,
            "tenantUid": self.uid,
            "sid": session_uid,
            "jti": Uuid::new_v4().simple().to_string(),
            "iat": now.as_second(),
            "exp": expires.as_second(),
        });
        let token = jwt(&claims);
        // Ended tokens would pile up in a long demo.
        self.sessions.retain(|_, session| session.expires > now);
        self.sessions.insert(
            token.clone(),
            Session { user_uid: user_uid.to_owned(), session_uid, expires, pending },
        );
        if let Some(user) = self.users.get_mut(user_uid) {
            user.last_sign_in = Some(now);
        }
        token
    }
}

/// What an audit entry is about.
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a str,
    pub(crate) label: &'a str,
    pub(crate) name: &'a str,
    pub(crate) uid: &'a str,
}

/// A token of the shape of a JWT. The signature is random: the server knows its tokens by heart.
fn jwt(claims: &serde_json::Value) -> String {
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = base64.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let claims = base64.encode(claims.to_string());
    let signature = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    format!("{header}.{claims}.{}", base64.encode(signature))
}

/// A uid of 24 hex digits, the first 8 the second of creation (fact sheet §3.2 `[INF]`).
pub(crate) fn object_id(at: Timestamp) -> String {
    let second = u32::try_from(at.as_second().max(0)).unwrap_or(u32::MAX);
    let random = Uuid::new_v4().simple().to_string();
    format!("{second:08x}{}", random.get(16..).unwrap_or(&random))
}

/// A value of 32 letters and digits, like the one public sample (fact sheet §3.3 `[DOC]`).
pub(crate) fn key_value() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()]
        .concat()
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]))
        .collect()
}

/// A support reference, in the form the mocks use (fact sheet §6 `[MOCK]`).
pub(crate) fn reference() -> String {
    let random = Uuid::new_v4().simple().to_string();
    format!("ref-{}", random.get(..24).unwrap_or(&random))
}
