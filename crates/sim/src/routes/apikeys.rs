//! `/v1/apiKeys*`, all seven operations (fact sheet §3).
//!
//! Everyone may do everything with their own keys (`spec.user` is the caller), whatever their
//! roles; the keys of others need `apiKey.*` at tenant scope (fact sheet §3.6 `[DOC]`+`[INF]`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Call, Caller, forbidden};
use crate::clock::{ZERO, wire, wire_or_zero};
use crate::input;
use crate::reply::{Answered, Reply, invalid, refuse};
use crate::tenant::{ACL_ANNOTATIONS, KeyTruth, NewKey, Tenant};

/// A key as the API shows it (fact sheet §3.2). A struct and not a JSON value: the list of 6,000
/// keys is measured against a bare request.
#[derive(Serialize)]
struct Shown<'a> {
    metadata: Metadata<'a>,
    spec: Spec<'a>,
    status: Status,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    annotations: BTreeMap<&'a str, &'a str>,
    creation_timestamp: String,
    deletion_timestamp: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    last_modified_timestamp: String,
    name: &'a str,
    uid: &'a str,
}

#[derive(Serialize)]
struct Spec<'a> {
    expiry: String,
    user: Person<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Person<'a> {
    first_name: &'a str,
    last_name: &'a str,
    uid: &'a str,
}

/// `isActive` is left out when false, as Go's `omitempty` does (fact sheet §3.2).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_active: bool,
}

fn show<'a>(key: &'a KeyTruth, tenant: &'a Tenant, permissions: &'a str) -> Shown<'a> {
    let mut annotations: BTreeMap<&str, &str> =
        key.annotations.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    annotations.extend([
        ("description", key.description.as_str()),
        ("ownerUid", key.creator_uid.as_str()),
        ("permissions", permissions),
        ("scope", "tenant"),
        ("scopeVisibility", "20"),
        ("tenantUid", tenant.uid.as_str()),
    ]);
    let (first_name, last_name) = match tenant.users.get(&key.owner_uid) {
        Some(user) => (&user.first_name, &user.last_name),
        // Removed: the names as they were, or empty ones (fact sheet §3.6 `[UNK]`).
        None => (&key.owner_first_name, &key.owner_last_name),
    };
    Shown {
        metadata: Metadata {
            annotations,
            creation_timestamp: wire(key.created),
            deletion_timestamp: ZERO,
            labels: &key.labels,
            last_modified_timestamp: wire(key.modified),
            name: &key.name,
            uid: &key.uid,
        },
        spec: Spec {
            expiry: wire_or_zero(key.expiry),
            user: Person { first_name, last_name, uid: &key.owner_uid },
        },
        status: Status { is_active: key.active },
    }
}

/// What the caller may do with one key, as the row says it: their tenant permissions, and on their
/// own key always get, update and delete (fact sheet §3.2 `[INF]`).
struct Rows {
    own: String,
    others: String,
    sees_all: bool,
    uid: String,
}

impl Rows {
    fn of(caller: &Caller) -> Self {
        let tenant: Vec<&str> = caller
            .permissions
            .iter()
            .map(String::as_str)
            .filter(|name| name.starts_with("apiKey.") || *name == "tag.update")
            .collect();
        let mut own = tenant.clone();
        own.extend(["apiKey.delete", "apiKey.get", "apiKey.update"]);
        own.sort_unstable();
        own.dedup();
        Self {
            own: own.join(","),
            others: tenant.join(","),
            sees_all: caller.may("apiKey.list"),
            uid: caller.user.uid.clone(),
        }
    }

    fn is_own(&self, key: &KeyTruth) -> bool {
        key.owner_uid == self.uid
    }

    fn on(&self, key: &KeyTruth) -> &str {
        if self.is_own(key) { &self.own } else { &self.others }
    }
}

/// All keys without pages or filters; without `apiKey.list` the caller's own (fact sheet §3.1
/// `[SPEC]`, §3.6 `[INF]`).
pub(crate) fn list(call: &mut Call<'_>) -> Answered {
    #[derive(Serialize)]
    struct List<'a> {
        items: Vec<Shown<'a>>,
    }
    let rows = Rows::of(&call.caller()?);
    let tenant = &call.tenant;
    let items = tenant
        .keys
        .values()
        .filter(|key| rows.sees_all || rows.is_own(key))
        .map(|key| show(key, tenant, rows.on(key)))
        .collect();
    Ok(Reply::json(200, &List { items }))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let key = reachable(call, &caller, "apiKey.get")?;
    let rows = Rows::of(&caller);
    Ok(Reply::json(200, &show(&key, &call.tenant, rows.on(&key))))
}

/// The key of the path, if the caller may do this with it. Deleting or changing an unknown uid is
/// 404 `ResourceNotFound` (fact sheet §3.5 `[INF]`).
fn reachable(call: &Call<'_>, caller: &Caller, permission: &str) -> Result<KeyTruth, Box<Reply>> {
    let uid = call.uid();
    let key = call.tenant.keys.get(&uid);
    match key {
        Some(key) if key.owner_uid == caller.user.uid || caller.may(permission) => Ok(key.clone()),
        Some(_) => forbidden(permission),
        None => refuse(404, "ResourceNotFound", &format!("ApiKey '{uid}' is not found")),
    }
}

/// What a client may write into the metadata.
struct Written {
    name: String,
    description: String,
    annotations: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

/// Reads `metadata`: a name is needed (`[UNK]`; the schema asks for none), names may repeat (fact
/// sheet §3.3 `[INF]`), times and the server's own annotations are ignored.
fn written(body: &serde_json::Map<String, serde_json::Value>) -> Result<Written, Box<Reply>> {
    let metadata = input::inner(body, "metadata")?;
    let name = match input::string(&metadata, "metadata.name")? {
        None => return invalid(602, "metadata.name in body is required"),
        Some(name) if name.is_empty() => {
            return invalid(604, "metadata.name in body should be at least 1 chars long");
        }
        Some(name) => name,
    };
    input::string(&metadata, "metadata.uid")?;
    for time in ["creationTimestamp", "deletionTimestamp", "lastModifiedTimestamp"] {
        input::time(&metadata, &format!("metadata.{time}"))?;
    }
    let mut annotations = input::texts(&metadata, "metadata.annotations")?;
    let description = annotations.remove("description").unwrap_or_default();
    annotations.retain(|name, _| !ACL_ANNOTATIONS.contains(&name.as_str()));
    let labels = input::texts(&metadata, "metadata.labels")?;
    Ok(Written { name, description, annotations, labels })
}

fn check_expiry(expiry: Option<Timestamp>, now: Timestamp) -> Result<(), Box<Reply>> {
    if expiry.is_some_and(|expiry| expiry <= now) {
        // What the server says is `[UNK]` (fact sheet §3.3); docs only speak of future dates.
        return refuse(400, "InvalidExpiry", "The expiry of the API key must be in the future");
    }
    Ok(())
}

/// Creates a key and shows its value, once (fact sheet §3.3 `[DOC]`). Left out or zero, the expiry
/// stays unset and the key never ends `[UNK]`. `uid` is the key's `[INF]`.
pub(crate) fn create(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let now = call.now;
    let body = input::object(call.body(), call.header("content-type"))?;
    let written = written(&body)?;
    let spec = input::inner(&body, "spec")?;
    let expiry = input::time(&spec, "spec.expiry")?;
    let asked_for = input::string(&spec, "spec.userUid")?.filter(|uid| !uid.is_empty());
    // The Go SDK sends the tenant's uid here and nobody reports a failure (fact sheet §3.3 [SDK]);
    // left out, the caller is meant.
    let owner_uid = match asked_for {
        Some(uid) if uid != call.tenant.uid => uid,
        _ => caller.user.uid.clone(),
    };
    if owner_uid != caller.user.uid {
        // Only administrators may name another person (fact sheet §3.3 `[DOC]`).
        if !caller.may("apiKey.create") {
            return forbidden("apiKey.create");
        }
        if !call.tenant.users.contains_key(&owner_uid) {
            return refuse(404, "UserNotFound", "Specified user not found");
        }
    }
    check_expiry(expiry, now)?;
    if call.tenant.keys_of(&owner_uid) >= call.tenant.quota {
        // "Gives an error" (fact sheet §3.6 `[DOC]`), which one is `[UNK]`. Expired and revoked
        // keys count.
        let message = format!(
            "Resource limit reached: a user may have {} API keys, delete one first",
            call.tenant.quota
        );
        return refuse(409, "ResourceLimitExceeded", &message);
    }
    let key = call.tenant.add_key(
        NewKey {
            description: written.description,
            owner_uid: Some(owner_uid),
            creator_uid: Some(caller.user.uid.clone()),
            expiry,
            annotations: written.annotations,
            labels: written.labels,
            ..NewKey::named(&written.name)
        },
        now,
    );
    call.tenant.audit_key(&caller.user, "create", "created", &key, now);
    Ok(Reply::json(201, &json!({ "apiKey": key.value, "uid": key.uid })))
}

/// Overwrites name, annotations, labels and expiry with what is sent (fact sheet §3.4 `[DOC]`);
/// what is left out is lost. Value and person stay.
pub(crate) fn update(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let now = call.now;
    let mut key = reachable(call, &caller, "apiKey.update")?;
    let body = input::object(call.body(), call.header("content-type"))?;
    let written = written(&body)?;
    let spec = input::inner(&body, "spec")?;
    let expiry = input::time(&spec, "spec.expiry")?;
    if expiry != key.expiry {
        // An expired key may be renamed with its old expiry sent back.
        check_expiry(expiry, now)?;
    }
    key.name = written.name;
    key.description = written.description;
    key.annotations = written.annotations;
    key.labels = written.labels;
    key.expiry = expiry;
    key.modified = now;
    call.tenant.put_key(key.clone());
    call.tenant.audit_key(&caller.user, "update", "updated", &key, now);
    Ok(Reply::no_content())
}

/// Revokes or re-activates, by `PUT …/state` and `PATCH` alike (fact sheet §3.5 `[SPEC]`). A
/// missing `isActive` is false `[SDK→INF]`; an expired key cannot be re-activated `[DOC]`. One's
/// own key is no exception `[UNK]`.
pub(crate) fn set_state(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let now = call.now;
    let mut key = reachable(call, &caller, "apiKey.update")?;
    let body = input::object(call.body(), call.header("content-type"))?;
    let active = input::boolean(&body, "isActive")?.unwrap_or(false);
    if active && key.expiry.is_some_and(|expiry| expiry <= now) {
        let message = "The API key has expired, extend its expiry before it is activated";
        return refuse(400, "ApiKeyExpired", message);
    }
    if key.active != active {
        key.active = active;
        key.modified = now;
        call.tenant.put_key(key.clone());
        let verb = if active { "activated" } else { "revoked" };
        call.tenant.audit_key(&caller.user, "update", verb, &key, now);
    }
    Ok(Reply::no_content())
}

/// Deletes at once and for good (fact sheet §3.5 `[DOC]`); a second time is 404.
pub(crate) fn delete(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let now = call.now;
    let key = reachable(call, &caller, "apiKey.delete")?;
    call.tenant.take_key(&key.uid);
    call.tenant.audit_key(&caller.user, "delete", "deleted", &key, now);
    Ok(Reply::no_content())
}
