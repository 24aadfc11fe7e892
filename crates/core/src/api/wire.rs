//! Palette's JSON, literally, and its way into our types.
//!
//! Decoding is lenient where Palette is known to vary (fact sheet §3.2): absent and `null` are the
//! same, unknown fields are ignored, the year 0001 is "unset", an absent `isActive` is false. It is
//! strict where a wrong guess would hurt: a uid that could change a path, or an expiry that cannot
//! be read, makes that one item unreadable, which is counted and left out; the others are kept. An
//! annotation or label that is no text is read over as an empty one: a key is not hidden for it.
//!
//! Two fields are never decoded: `spec.key` of a key (deprecated, may hold a value, §3.2) and
//! `status.activationLink` of a user (a live sign-in link, §4). Nothing here builds a
//! `serde_json::Value`, so no second copy of a secret exists, and no serde error leaves this file,
//! since it would quote the text it stumbled over.

use super::{AuditEntry, Me, Person, RoleName, RoleRights, WhoAmI};
use crate::Secret;
use crate::keys::{ApiKey, KeyChange, KeyUid, NewKey};
use jiff::Timestamp;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// The bytes are not what the call answers. Holds nothing on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// Decodes an answer, and forgets why it could not.
pub(super) fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Unreadable> {
    serde_json::from_slice(body).map_err(|_| Unreadable)
}

/// Encodes a body into memory that is wiped when it is dropped and never moved while it grows.
pub(super) fn write<T: Serialize>(body: &T, room: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *bytes, body).map_err(|_| Unreadable)?;
    Ok(bytes)
}

// ---- small pieces ----

/// A text, also where the server wrote a number or a boolean. With `LOOSE`, an object or array is
/// read over as an empty text; else it is an error.
#[derive(Default)]
struct Scalar<const LOOSE: bool>(String);

type Text = Scalar<false>;
type Loose = Scalar<true>;

impl<'de, const LOOSE: bool> Deserialize<'de> for Scalar<LOOSE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor::<LOOSE>)
    }
}

struct ScalarVisitor<const LOOSE: bool>;

impl<'de, const LOOSE: bool> Visitor<'de> for ScalarVisitor<LOOSE> {
    type Value = Scalar<LOOSE>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Scalar(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if !LOOSE {
            return Err(serde::de::Error::custom("not a text"));
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar(String::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        if !LOOSE {
            return Err(serde::de::Error::custom("not a text"));
        }
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar(String::new()))
    }
}

/// `null`, absent and empty are one thing.
fn text<const LOOSE: bool>(value: Option<Scalar<LOOSE>>) -> String {
    value.map(|value| value.0).unwrap_or_default()
}

/// A time; `Ok(None)` for absent, empty and the year 0001 (Go's zero time, fact sheet §3.2).
fn time(value: Option<Text>) -> Result<Option<Timestamp>, Unreadable> {
    let value = text(value);
    if value.is_empty() {
        return Ok(None);
    }
    let time: Timestamp = value.parse().map_err(|_| Unreadable)?;
    // Up to the year 2 in any zone.
    Ok((time.as_second() > -62_103_715_200).then_some(time))
}

/// A time as Palette writes it: UTC with milliseconds (fact sheet §3.2).
fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// Go's zero time, for "no expiry" (fact sheet §3.2).
const ZERO_TIME: &str = "0001-01-01T00:00:00.000Z";

/// A list whose items are read one by one, so that a bad one does not spoil the others.
#[derive(Deserialize)]
struct Items<'a> {
    #[serde(borrow)]
    items: Option<Raws<'a>>,
    listmeta: Option<ListMeta>,
}

/// More items than this are no list of ours; far above any tenant (fact sheet §3.6: 20 keys a
/// person).
const MOST_ITEMS: usize = 100_000;
/// A longer item is no key and no person.
const LONGEST_ITEM: usize = 256 * 1024;

/// The items, not yet read, and only so many: a million tiny ones take far more room than their
/// text (trust check 30).
struct Raws<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Raws<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawsVisitor;

        impl<'de> Visitor<'de> for RawsVisitor {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() >= MOST_ITEMS {
                        return Err(serde::de::Error::custom("too many"));
                    }
                    items.push(item);
                }
                Ok(items)
            }
        }

        deserializer.deserialize_seq(RawsVisitor).map(Self)
    }
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    more: Option<Loose>,
}

/// Items that were understood, how many were not, and where the next page begins.
#[derive(Debug)]
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) skipped: usize,
    /// Opaque; none at the end (fact sheet §4).
    pub(super) next: Option<String>,
}

fn page<'a, W, T>(
    body: &'a [u8],
    understand: impl Fn(W) -> Result<T, Unreadable>,
) -> Result<Page<T>, Unreadable>
where
    W: Deserialize<'a>,
{
    let Items { items, listmeta } = read(body)?;
    let raw = items.map(|items| items.0).unwrap_or_default();
    let total = raw.len();
    let items: Vec<T> = raw
        .into_iter()
        .filter(|item| item.get().len() <= LONGEST_ITEM)
        .filter_map(|item| {
            let item = serde_json::from_str(item.get()).map_err(|_| Unreadable);
            item.and_then(&understand).ok()
        })
        .collect();
    let skipped = total - items.len();
    if items.is_empty() && skipped > 0 {
        return Err(Unreadable);
    }
    let next = listmeta.and_then(|meta| meta.more).map(|more| more.0);
    Ok(Page { items, skipped, next: next.filter(|next| !next.is_empty()) })
}

// ---- keys ----

#[derive(Deserialize)]
struct WireKey {
    metadata: Option<WireMeta>,
    spec: Option<WireKeySpec>,
    status: Option<WireKeyStatus>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct WireMeta {
    uid: Option<Text>,
    name: Option<Text>,
    annotations: Option<BTreeMap<String, Loose>>,
    labels: Option<BTreeMap<String, Loose>>,
    creation_timestamp: Option<Text>,
    last_modified_timestamp: Option<Text>,
    deletion_timestamp: Option<Text>,
}

#[derive(Deserialize)]
struct WireKeySpec {
    expiry: Option<Text>,
    user: Option<WireOwner>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOwner {
    uid: Option<Text>,
    first_name: Option<Text>,
    last_name: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKeyStatus {
    is_active: Option<bool>,
}

fn texts(map: Option<BTreeMap<String, Loose>>) -> BTreeMap<String, String> {
    map.unwrap_or_default().into_iter().map(|(name, value)| (name, value.0)).collect()
}

fn full_name(first: Option<Text>, last: Option<Text>) -> String {
    let (first, last) = (text(first), text(last));
    format!("{} {}", first.trim(), last.trim()).trim().to_owned()
}

fn understand_key(wire: WireKey) -> Result<ApiKey, Unreadable> {
    let meta = wire.metadata.ok_or(Unreadable)?;
    let uid = KeyUid::new(&text(meta.uid)).ok_or(Unreadable)?;
    let annotations = texts(meta.annotations);
    let (expiry, owner) = wire.spec.map_or((None, None), |spec| (spec.expiry, spec.user));
    let (owner_uid, owner_name) = match owner {
        Some(owner) => (text(owner.uid), full_name(owner.first_name, owner.last_name)),
        None => (String::new(), String::new()),
    };
    let permissions = annotations.get("permissions").map(String::as_str).unwrap_or_default();
    let permissions = permissions.split(',').map(str::trim).filter(|name| !name.is_empty());
    Ok(ApiKey {
        uid,
        name: text(meta.name),
        description: annotations.get("description").cloned().unwrap_or_default(),
        permissions: permissions.map(str::to_owned).collect(),
        made_by_uid: annotations.get("ownerUid").filter(|uid| !uid.is_empty()).cloned(),
        annotations,
        labels: texts(meta.labels),
        owner_uid,
        owner_name,
        created: time(meta.creation_timestamp).unwrap_or_default(),
        modified: time(meta.last_modified_timestamp).unwrap_or_default(),
        deleted: time(meta.deletion_timestamp).unwrap_or_default(),
        // Not `unwrap_or_default`: "never expires" must not be what a typo looks like.
        expires: time(expiry)?,
        active: wire.status.and_then(|status| status.is_active).unwrap_or(false),
    })
}

/// `GET /v1/apiKeys`.
pub(super) fn keys(body: &[u8]) -> Result<Page<ApiKey>, Unreadable> {
    page(body, understand_key)
}

/// `GET /v1/apiKeys/{uid}`.
pub(super) fn key(body: &[u8]) -> Result<ApiKey, Unreadable> {
    understand_key(read(body)?)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCreated {
    api_key: Option<Secret>,
    uid: Option<Loose>,
}

/// `POST /v1/apiKeys` → 201: the value and the uid that is not to be trusted (fact sheet §3.3).
pub(super) fn created(body: &[u8]) -> Result<(Secret, Option<String>), Unreadable> {
    let WireCreated { api_key, uid } = read(body)?;
    let value = api_key.ok_or(Unreadable)?;
    // EXPOSE: looked at only to refuse an answer that holds no value.
    if value.expose_secret().is_empty() || value.expose_secret().contains(char::is_control) {
        return Err(Unreadable);
    }
    Ok((value, Some(text(uid)).filter(|uid| !uid.is_empty())))
}

#[derive(Serialize)]
struct SentKey<'a> {
    metadata: SentMeta<'a>,
    spec: SentSpec<'a>,
}

#[derive(Serialize)]
struct SentMeta<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a BTreeMap<String, String>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentSpec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_uid: Option<&'a str>,
    expiry: String,
}

fn sent_annotations<'a>(
    kept: &'a BTreeMap<String, String>,
    description: &'a str,
) -> BTreeMap<&'a str, &'a str> {
    let mut all: BTreeMap<_, _> = kept.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    all.insert("description", description);
    all
}

/// The body of `POST /v1/apiKeys` (fact sheet §3.3).
pub(super) fn new_key(new: &NewKey) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let body = SentKey {
        metadata: SentMeta {
            name: &new.name,
            uid: None,
            annotations: sent_annotations(&new.annotations, &new.description),
            labels: None,
        },
        spec: SentSpec { user_uid: Some(&new.owner_uid), expiry: written(new.expires) },
    };
    write(&body, 1024)
}

/// The body of `PUT /v1/apiKeys/{uid}`: everything the key had and what changes. A PUT overwrites,
/// so annotations, labels and the expiry are always sent (fact sheet §3.4).
pub(super) fn changed_key(
    key: &ApiKey,
    change: &KeyChange,
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let body = SentKey {
        metadata: SentMeta {
            name: &change.name,
            uid: Some(key.uid.as_str()),
            annotations: sent_annotations(&key.annotations, &change.description),
            labels: Some(&key.labels),
        },
        spec: SentSpec {
            user_uid: None,
            expiry: change.expires.map_or_else(|| ZERO_TIME.to_owned(), written),
        },
    };
    write(&body, 1024)
}

/// The body of a revocation or re-activation: always the explicit boolean (fact sheet §3.5).
pub(super) fn state(active: bool) -> &'static str {
    if active { r#"{"isActive":true}"# } else { r#"{"isActive":false}"# }
}

// ---- signing in ----

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SentLogin<'a> {
    email_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    org: &'a str,
    password: &'a str,
}

/// The body of `POST /v1/auth/authenticate` (fact sheet §2.2).
pub(super) fn login(
    email: &str,
    organization: &str,
    password: &Secret,
) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    // EXPOSE: the server checks it; the bytes are wiped when the request is done.
    let password = password.expose_secret();
    // JSON escapes take at most six bytes a byte: the buffer never grows, so no copy is left.
    let room = 6 * (email.len() + organization.len() + password.len()) + 64;
    write(&SentLogin { email_id: email, org: organization, password }, room)
}

#[derive(Deserialize)]
struct WireToken {
    #[serde(rename = "Authorization")]
    authorization: Option<Secret>,
    #[serde(rename = "isMfa")]
    is_mfa: Option<bool>,
}

/// A login token, or that a second factor is asked (fact sheet §2.2).
pub(super) enum Token {
    /// The JWT.
    Jwt(Secret),
    /// `isMfa: true`.
    SecondFactor,
}

/// `v1UserToken`.
pub(super) fn token(body: &[u8]) -> Result<Token, Unreadable> {
    let WireToken { authorization, is_mfa } = read(body)?;
    if is_mfa == Some(true) {
        return Ok(Token::SecondFactor);
    }
    let jwt = authorization.ok_or(Unreadable)?;
    // EXPOSE: looked at only to refuse what could not be sent in a header or a path.
    let fits = jwt.expose_secret().bytes().all(|b| b.is_ascii_graphic());
    // EXPOSE: as above.
    if !fits || jwt.expose_secret().trim_matches('.').is_empty() {
        return Err(Unreadable);
    }
    Ok(Token::Jwt(jwt))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireInfo {
    user_uid: Option<Text>,
    tenant_uid: Option<Text>,
    org_name: Option<Text>,
}

/// `GET /v1/users/info`; none when it names nobody.
pub(super) fn who_am_i(body: &[u8]) -> Result<Option<WhoAmI>, Unreadable> {
    let info: WireInfo = read(body)?;
    let who = WhoAmI {
        user_uid: text(info.user_uid),
        tenant_uid: text(info.tenant_uid),
        organization: text(info.org_name),
    };
    Ok(Some(who).filter(|who| !who.user_uid.is_empty()))
}

#[derive(Deserialize)]
struct WireMe {
    spec: Option<WireMeSpec>,
    status: Option<WireMeStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeSpec {
    first_name: Option<Text>,
    last_name: Option<Text>,
    email_id: Option<Text>,
    roles: Option<Vec<Role>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMeStatus {
    tenant_permissions: Option<BTreeMap<String, Option<Vec<Text>>>>,
}

/// A role, by uid or as an object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Role {
    Uid(String),
    Named { uid: Option<Loose>, name: Option<Loose> },
    Other(IgnoredAny),
}

/// `GET /v1/users/me` (hidden but alive, fact sheet §2.5).
pub(super) fn me(body: &[u8]) -> Result<Me, Unreadable> {
    let WireMe { spec, status } = read(body)?;
    let spec = spec.ok_or(Unreadable)?;
    let roles = spec.roles.unwrap_or_default().into_iter().filter_map(|role| match role {
        Role::Uid(uid) => Some(uid),
        Role::Named { uid, name } => {
            let uid = text(uid);
            Some(if uid.is_empty() { text(name) } else { uid })
        }
        Role::Other(_) => None,
    });
    let permissions = status.and_then(|status| status.tenant_permissions).unwrap_or_default();
    let mut permissions: Vec<String> =
        permissions.into_values().flatten().flatten().map(|permission| permission.0).collect();
    permissions.sort();
    permissions.dedup();
    Ok(Me {
        first_name: text(spec.first_name),
        last_name: text(spec.last_name),
        email: text(spec.email_id),
        roles: roles.filter(|role| !role.is_empty()).collect(),
        tenant_permissions: permissions,
    })
}

// ---- the audit log ----

#[derive(Deserialize)]
struct WireAudit {
    metadata: Option<WireMeta>,
    spec: Option<WireAuditSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuditSpec {
    action_msg: Option<Loose>,
    action_type: Option<Loose>,
    user_msg: Option<Loose>,
    actor: Option<WireActor>,
    resource: Option<WireResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireActor {
    actor_type: Option<Loose>,
    service_name: Option<Loose>,
    user: Option<WireActingUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireActingUser {
    email_id: Option<Text>,
    first_name: Option<Text>,
    last_name: Option<Text>,
}

#[derive(Deserialize)]
struct WireResource {
    name: Option<Loose>,
    uid: Option<Loose>,
}

/// `GET /v1/audits` (fact sheet §5). An entry without a time is left out: it has no place in a time
/// line.
pub(super) fn audits(body: &[u8]) -> Result<Page<AuditEntry>, Unreadable> {
    page(body, |wire: WireAudit| {
        let meta = wire.metadata.ok_or(Unreadable)?;
        let spec = wire.spec.ok_or(Unreadable)?;
        let (name, uid) =
            spec.resource.map_or((None, None), |resource| (resource.name, resource.uid));
        let actor = spec.actor.map(|actor| {
            let (service, kind) = (text(actor.service_name), text(actor.actor_type));
            let person = actor.user.map(|user| {
                let name = full_name(user.first_name, user.last_name);
                if name.is_empty() { text(user.email_id) } else { name }
            });
            let named = [person.unwrap_or_default(), service, kind];
            named.into_iter().find(|name| !name.trim().is_empty()).unwrap_or_default()
        });
        Ok(AuditEntry {
            uid: text(meta.uid),
            at: time(meta.creation_timestamp)?.ok_or(Unreadable)?,
            action: text(spec.action_type),
            message: text(spec.action_msg),
            note: text(spec.user_msg),
            actor: actor.unwrap_or_default(),
            key_uid: KeyUid::new(&text(uid)),
            key_name: text(name),
        })
    })
}

// ---- people ----

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePersonMeta {
    uid: Option<Text>,
    name: Option<Text>,
    email_id: Option<Text>,
}

/// `GET /v1/users/meta` (fact sheet §4).
pub(super) fn people_meta(body: &[u8]) -> Result<Page<Person>, Unreadable> {
    page(body, |wire: WirePersonMeta| {
        let uid = Some(text(wire.uid)).filter(|uid| !uid.is_empty()).ok_or(Unreadable)?;
        Ok(Person {
            uid,
            name: text(wire.name),
            email: text(wire.email_id),
            active: None,
            last_sign_in: None,
            roles: Vec::new(),
        })
    })
}

#[derive(Deserialize)]
struct WirePerson {
    metadata: Option<WireMeta>,
    spec: Option<WirePersonSpec>,
    status: Option<WirePersonStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePersonSpec {
    email_id: Option<Text>,
    first_name: Option<Text>,
    last_name: Option<Text>,
    /// uids from `users`, objects from `users/summary`.
    roles: Option<Vec<Role>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePersonStatus {
    is_active: Option<bool>,
    last_sign_in: Option<Text>,
}

fn understand_person(wire: WirePerson) -> Result<Person, Unreadable> {
    let meta = wire.metadata.ok_or(Unreadable)?;
    let uid = Some(text(meta.uid)).filter(|uid| !uid.is_empty()).ok_or(Unreadable)?;
    let (email, name, roles) = match wire.spec {
        Some(spec) => (text(spec.email_id), full_name(spec.first_name, spec.last_name), spec.roles),
        None => (String::new(), String::new(), None),
    };
    let roles = roles.unwrap_or_default().into_iter().filter_map(|role| match role {
        Role::Uid(uid) => Some(RoleName { uid, name: String::new() }),
        Role::Named { uid, name } => Some(RoleName { uid: text(uid), name: text(name) }),
        Role::Other(_) => None,
    });
    let roles = roles.filter(|role| !role.uid.is_empty()).collect();
    // v1UserStatus writes `isActive` always (fact sheet §3.2): absent says nothing here.
    let (active, last_sign_in) = match wire.status {
        Some(status) => (status.is_active, time(status.last_sign_in).unwrap_or_default()),
        None => (None, None),
    };
    let name = if name.is_empty() { text(meta.name) } else { name };
    Ok(Person { uid, name, email, active, last_sign_in, roles })
}

/// A page of `GET /v1/users`, or the whole of `POST /v1/users/summary` (fact sheet §4).
pub(super) fn people(body: &[u8]) -> Result<Page<Person>, Unreadable> {
    page(body, understand_person)
}

/// `GET /v1/users/{uid}`.
pub(super) fn person(body: &[u8]) -> Result<Person, Unreadable> {
    understand_person(read(body)?)
}

#[derive(Deserialize)]
struct WireNamed {
    uid: Option<Text>,
    name: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireUserRoles {
    roles: Option<Vec<WireNamed>>,
    inherited_roles: Option<Vec<WireNamed>>,
}

/// `GET /v1/users/{uid}/roles`: own ones, then those that come from teams.
pub(super) fn user_roles(body: &[u8]) -> Result<Vec<RoleName>, Unreadable> {
    let WireUserRoles { roles, inherited_roles } = read(body)?;
    let mut named: Vec<RoleName> = Vec::new();
    for role in roles.into_iter().chain(inherited_roles).flatten() {
        let role = RoleName { uid: text(role.uid), name: text(role.name) };
        if !named.contains(&role) {
            named.push(role);
        }
    }
    Ok(named)
}

#[derive(Deserialize)]
struct WireRole {
    metadata: Option<WireMeta>,
    spec: Option<WireRoleSpec>,
}

#[derive(Deserialize)]
struct WireRoleSpec {
    permissions: Option<Vec<Text>>,
}

/// A page of `GET /v1/roles`.
pub(super) fn roles(body: &[u8]) -> Result<Page<RoleRights>, Unreadable> {
    page(body, |wire: WireRole| {
        let meta = wire.metadata.ok_or(Unreadable)?;
        let permissions = wire.spec.and_then(|spec| spec.permissions).unwrap_or_default();
        Ok(RoleRights {
            uid: text(meta.uid),
            name: text(meta.name),
            permissions: permissions.into_iter().map(|permission| permission.0).collect(),
        })
    })
}

#[derive(Deserialize)]
struct WireLimits {
    resources: Option<Vec<WireLimit>>,
}

#[derive(Deserialize)]
struct WireLimit {
    kind: Option<Loose>,
    limit: Option<f64>,
}

/// `GET /v1/tenants/{uid}/resourceLimits`: keys a user may have (fact sheet §3.6).
pub(super) fn key_limit(body: &[u8]) -> Result<Option<u32>, Unreadable> {
    let WireLimits { resources } = read(body)?;
    let limit = resources
        .unwrap_or_default()
        .into_iter()
        .find(|limit| limit.kind.as_ref().is_some_and(|kind| kind.0 == "apiKey"))
        .and_then(|limit| limit.limit);
    // A limit that is no count says nothing.
    Ok(limit.filter(|limit| (0.0..=f64::from(u32::MAX)).contains(limit)).map(|limit| limit as u32))
}

// ---- errors ----

#[derive(Deserialize)]
struct WireError {
    code: Option<Code>,
    message: Option<Loose>,
    #[serde(rename = "ref")]
    reference: Option<Loose>,
}

/// `code` is a string from Palette and a number from the framework below it (fact sheet §6).
#[derive(Deserialize)]
#[serde(untagged)]
enum Code {
    Text(String),
    Integer(i64),
    Other(IgnoredAny),
}

/// An error body, as it came: not yet redacted.
#[derive(Default)]
pub(super) struct ServerError {
    pub(super) code: Option<String>,
    /// True when `code` is the framework's: "there is no such path or method".
    pub(super) numeric: bool,
    pub(super) message: Option<String>,
    pub(super) reference: Option<String>,
}

/// `v1Error` or the framework's error; unreadable when neither code nor message is there.
pub(super) fn error(body: &[u8]) -> Result<ServerError, Unreadable> {
    let WireError { code, message, reference } = read(body)?;
    let (code, numeric) = match code {
        // "404" as a string was seen in mocks only; it says no more than the number.
        Some(Code::Text(code)) => {
            let numeric = !code.is_empty() && code.bytes().all(|b| b.is_ascii_digit());
            (code, numeric)
        }
        Some(Code::Integer(code)) => (code.to_string(), true),
        Some(Code::Other(_)) | None => (String::new(), false),
    };
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let error = ServerError {
        code: filled(code),
        numeric,
        message: filled(text(message)),
        reference: filled(text(reference)),
    };
    if error.code.is_none() && error.message.is_none() { Err(Unreadable) } else { Ok(error) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The official sample (fact sheet §3.2 \[DOC\]), with a value in the deprecated field.
    const SAMPLE: &str = r#"{ "items": [ { "metadata": { "annotations": { "description": "CI",
        "ownerUid": "63c2", "permissions": "apiKey.get, apiKey.list", "scopeVisibility": 20 },
        "creationTimestamp": "2024-09-16T14:46:28.677Z",
        "deletionTimestamp": "0001-01-01T00:00:00.000Z",
        "lastModifiedTimestamp": "2024-09-16T14:46:29.079Z", "labels": {"team": "ops"},
        "name": "remove-me-test", "uid": "66e844c44bab2337f20c7471" },
        "spec": { "expiry": "2024-09-23T14:46:28.164Z", "key": "CANARY",
                  "user": { "firstName": "Ada", "lastName": "L", "uid": "63c1" } },
        "status": { "isActive": true } } ] }"#;

    #[test]
    fn the_official_sample() {
        let page = keys(SAMPLE.as_bytes()).expect("readable");
        let key = &page.items[0];
        assert_eq!(key.uid.as_str(), "66e844c44bab2337f20c7471");
        assert_eq!((key.name.as_str(), key.description.as_str()), ("remove-me-test", "CI"));
        assert_eq!((key.owner_uid.as_str(), key.owner_name.as_str()), ("63c1", "Ada L"));
        assert_eq!(key.made_by_uid.as_deref(), Some("63c2"));
        assert_eq!(key.permissions, ["apiKey.get", "apiKey.list"]);
        assert_eq!(key.annotations["scopeVisibility"], "20");
        assert_eq!(key.labels["team"], "ops");
        assert_eq!(key.expires, Some("2024-09-23T14:46:28.164Z".parse().expect("time")));
        assert_eq!(key.deleted, None, "the zero time is unset");
        assert!(key.active);
        assert!(!format!("{key:?}").contains("CANARY"), "spec.key is never decoded");
    }

    #[test]
    fn what_is_absent() {
        for (body, count, skipped) in [
            (r#"{"items": null}"#, 0, 0),
            ("{}", 0, 0),
            (r#"{"items": []}"#, 0, 0),
            (r#"{"items": [{"metadata":{"uid":"a1"}}]}"#, 1, 0),
            (r#"{"items": [{"metadata":{"uid":"a1"},"spec":null,"status":{}}]}"#, 1, 0),
            (r#"{"items": [{"metadata":{"uid":"a1"}}, {"metadata":{"uid":"../x"}}]}"#, 1, 1),
            (r#"{"items": [{"metadata":{"uid":"a1"}}, 7, null, "x", [], {}]}"#, 1, 5),
            (
                r#"{"items": [{"metadata":{"uid":"a1"}},
                    {"metadata":{"uid":"a2"},"spec":{"expiry":"soon"}}]}"#,
                1,
                1,
            ),
        ] {
            let page = keys(body.as_bytes()).expect(body);
            assert_eq!((page.items.len(), page.skipped), (count, skipped), "{body}");
            for key in page.items {
                assert!(!key.active, "absent isActive is revoked");
                assert_eq!(key.expires, None);
            }
        }
        for body in ["", "null", "[]", "7", r#"{"items": 7}"#, r#"{"items": [7]}"#, "\u{feff}{}"] {
            assert!(keys(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn a_key_is_not_hidden_for_a_strange_annotation() {
        let body = r#"{"items":[{"metadata":{"uid":"a1","annotations":{"description":"CI",
            "odd":{"a":[1,{}]},"tags":["x"],"none":null},"labels":{"team":["ops"]}},
            "status":{"isActive":true}}]}"#;
        let page = keys(body.as_bytes()).expect("readable");
        assert_eq!((page.items.len(), page.skipped), (1, 0));
        let key = &page.items[0];
        assert_eq!((key.description.as_str(), key.active), ("CI", true));
        assert!(["odd", "tags", "none"].iter().all(|name| key.annotations[*name].is_empty()));
        assert_eq!(key.labels["team"], "");
        // A guess here would hurt.
        for status in [r#"{"isActive":"true"}"#, r#"{"isActive":1}"#, "7"] {
            let body = format!(
                r#"{{"items":[{{"metadata":{{"uid":"a1"}}}},
                    {{"metadata":{{"uid":"a2"}},"status":{status}}}]}}"#
            );
            assert_eq!(keys(body.as_bytes()).expect("the other one").skipped, 1, "{status}");
        }
    }

    #[test]
    fn hostile_uids_are_skipped() {
        let long = "a".repeat(65);
        let good = r#"{"metadata":{"uid":"good"}}"#;
        for uid in
            ["../x", "a/b", "%2e%2e", "?x", "#", "a\\r\\nb", "", "a b", "\\u0000", "..", &long]
        {
            let body = format!(r#"{{"items":[{good},{{"metadata":{{"uid":"{uid}"}}}}]}}"#);
            let page = keys(body.as_bytes()).expect("readable");
            assert_eq!((page.items.len(), page.skipped), (1, 1), "{uid}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_a_crash() {
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(keys(deep.as_bytes()).is_err());
        let inside = format!(
            r#"{{"items":[{{"metadata":{{"uid":"a1","name":{deep}}}}},{{"metadata":{{"uid":"a2"}}}}]}}"#
        );
        assert_eq!(keys(inside.as_bytes()).expect("the other one").skipped, 1);
    }

    #[test]
    fn too_many_and_too_long() {
        let many = format!(r#"{{"items":[{}7]}}"#, "7,".repeat(MOST_ITEMS));
        assert!(keys(many.as_bytes()).is_err());
        let notes = "x".repeat(LONGEST_ITEM);
        let long = format!(
            r#"{{"items":[{{"metadata":{{"uid":"a1","name":"{notes}"}}}},{{"metadata":{{"uid":"a2"}}}}]}}"#
        );
        let page = keys(long.as_bytes()).expect("the other one");
        assert_eq!((page.items.len(), page.skipped), (1, 1));
    }

    #[test]
    fn error_bodies() {
        let read = |body: &str| {
            error(body.as_bytes())
                .map(|e| (e.code.unwrap_or_default(), e.numeric, e.message.unwrap_or_default()))
        };
        let found = |code: &str, numeric, message: &str| Ok((code.into(), numeric, message.into()));
        assert_eq!(
            read(r#"{"code":"ResourceNotFound","message":"m","details":{},"ref":"r"}"#),
            found("ResourceNotFound", false, "m")
        );
        assert_eq!(
            read(r#"{"code":405,"message":"method PUT is not allowed, but [PATCH] are"}"#),
            found("405", true, "method PUT is not allowed, but [PATCH] are")
        );
        assert_eq!(read(r#"{"code":"404"}"#), found("404", true, ""));
        assert_eq!(read(r#"{"code":{"a":1},"message":["x"]}"#), Err(Unreadable));
        assert_eq!(read(r#"{"code":4.5,"message":7}"#), found("", false, "7"));
        assert_eq!(read("<html>"), Err(Unreadable));
        assert_eq!(read("{}"), Err(Unreadable));
    }

    #[test]
    fn bodies_we_send() {
        let utf8 = |body: Result<Zeroizing<Vec<u8>>, Unreadable>| {
            String::from_utf8(body.expect("body").to_vec()).expect("UTF-8")
        };
        let expires = "2026-12-01T00:00:00Z".parse().expect("time");
        let new = NewKey {
            name: "ci".into(),
            description: "CI".into(),
            owner_uid: "63c1".into(),
            expires,
            annotations: BTreeMap::from([("op".into(), "1".into())]),
        };
        assert_eq!(
            utf8(new_key(&new)),
            r#"{"metadata":{"name":"ci","annotations":{"description":"CI","op":"1"}},"#.to_owned()
                + r#""spec":{"userUid":"63c1","expiry":"2026-12-01T00:00:00.000Z"}}"#
        );
        let key = keys(SAMPLE.as_bytes()).expect("readable").items.remove(0);
        let change = KeyChange { name: "n".into(), description: "d".into(), expires: None };
        assert_eq!(
            utf8(changed_key(&key, &change)),
            r#"{"metadata":{"name":"n","uid":"66e844c44bab2337f20c7471","annotations":"#.to_owned()
                + r#"{"description":"d","ownerUid":"63c2","permissions":"apiKey.get, apiKey.list","#
                + r#""scopeVisibility":"20"},"labels":{"team":"ops"}},"#
                + r#""spec":{"expiry":"0001-01-01T00:00:00.000Z"}}"#
        );
        let password = Secret::new("p\"w".into());
        assert_eq!(utf8(login("a@b.c", "", &password)), r#"{"emailId":"a@b.c","password":"p\"w"}"#);
    }

    #[test]
    fn tokens() {
        let jwt = |body: &str| match token(body.as_bytes()) {
            // EXPOSE: a made-up token in a test.
            Ok(Token::Jwt(jwt)) => jwt.expose_secret().to_owned(),
            Ok(Token::SecondFactor) => "mfa".into(),
            Err(Unreadable) => "unreadable".into(),
        };
        assert_eq!(jwt(r#"{"Authorization":"a.b.c","isMfa":false}"#), "a.b.c");
        assert_eq!(jwt(r#"{"Authorization":"a.b.c"}"#), "a.b.c");
        assert_eq!(jwt(r#"{"Authorization":"a.b.c","isMfa":true}"#), "mfa");
        for bad in ["..", "", "a b", "a\\nb", "ä"] {
            assert_eq!(jwt(&format!(r#"{{"Authorization":"{bad}"}}"#)), "unreadable", "{bad}");
        }
    }

    #[test]
    fn six_thousand_keys_are_read() {
        let item = SAMPLE.trim_start_matches(r#"{ "items": [ "#).trim_end_matches(" ] }");
        let body = format!(r#"{{"items":[{}]}}"#, vec![item; 6_000].join(","));
        assert_eq!(keys(body.as_bytes()).expect("readable").items.len(), 6_000);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// Cut anywhere, damaged anywhere: an answer or an error, never a panic.
        #[test]
        fn damaged_answers(at in 0..SAMPLE.len(), byte: u8, cut: bool) {
            let mut body = SAMPLE.as_bytes().to_vec();
            if cut { body.truncate(at) } else { body[at] = byte }
            for decode in [
                |b: &[u8]| keys(b).is_ok(),
                |b: &[u8]| key(b).is_ok(),
                |b: &[u8]| people(b).is_ok(),
                |b: &[u8]| error(b).is_ok(),
            ] {
                let understood = decode(&body);
                prop_assert!(!(cut && understood), "a cut answer is never an answer");
            }
        }
    }
}
