//! `/v1/users*`: who am I, and who is in the tenant (fact sheet §2.5 and §4).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;
use crate::clock::{ZERO, wire, wire_or_zero};
use crate::input::{self, Page, Query};
use crate::reply::{Answered, Reply, invalid, refuse};
use crate::tenant::{Tenant, User};

/// The first call of every client (fact sheet §2.5 `[SPEC]`).
pub(crate) fn info(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    Ok(Reply::json(
        200,
        &json!({
            "orgName": call.tenant.organization,
            "tenantUid": call.tenant.uid,
            "userUid": caller.user.uid,
        }),
    ))
}

/// Hidden since April 2025 but alive (fact sheet §2.5 `[SDK]`, GO24 `V1UserMe`).
pub(crate) fn me(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let user = &caller.user;
    Ok(Reply::json(
        200,
        &json!({
            "metadata": metadata(user),
            "spec": {
                "emailId": user.email,
                "firstName": user.first_name,
                "lastName": user.last_name,
                "roles": user.roles,
            },
            "status": {
                "activationLink": "",
                "isActive": user.active,
                "isContractAccepted": true,
                "loginMode": "local",
                "tenant": {
                    "orgName": call.tenant.organization,
                    "tenantUid": call.tenant.uid,
                },
                "tenantPermissions": { "tenant": caller.permissions },
                "projectPermissions": {},
            },
        }),
    ))
}

/// One page of the people; `fields` is accepted and ignored.
pub(crate) fn list(call: &mut Call<'_>) -> Answered {
    call.allowed("user.list")?;
    let page = Page::read(&call.query)?;
    let users = call.tenant.users.values().map(shape).collect();
    let (items, meta) = page.cut(filtered(&call.query, users)?);
    Ok(Reply::json(200, &json!({ "items": items, "listmeta": meta })))
}

/// Everyone at once, without pages (fact sheet §4 `[SPEC]`).
pub(crate) fn meta(call: &mut Call<'_>) -> Answered {
    call.allowed("user.list")?;
    let items: Vec<Value> = call
        .tenant
        .users
        .values()
        .map(|user| json!({ "uid": user.uid, "name": user.name(), "emailId": user.email }))
        .collect();
    Ok(Reply::json(200, &json!({ "items": items })))
}

/// A person; `UserNotFound` if there is none (fact sheet §4 `[SDK]`). One's own row needs the
/// permission too (fact sheet §2.5 `[INF]`).
pub(crate) fn get(call: &mut Call<'_>) -> Answered {
    call.allowed("user.get")?;
    let body = shape(find(call)?);
    Ok(Reply::json(200, &body))
}

/// Own roles and those from teams (fact sheet §2.5 `[SPEC]`).
pub(crate) fn roles(call: &mut Call<'_>) -> Answered {
    call.allowed("user.get")?;
    let user = find(call)?;
    Ok(Reply::json(
        200,
        &json!({
            "roles": named(&call.tenant, &user.roles),
            "inheritedRoles": named(&call.tenant, &user.inherited),
        }),
    ))
}

/// People by filter, in order, without pages (fact sheet §4 `[SPEC]`).
pub(crate) fn summary(call: &mut Call<'_>) -> Answered {
    call.allowed("user.list")?;
    let body = input::optional_object(call.body(), call.header("content-type"))?;
    let body = body.unwrap_or_default();
    let filter = input::inner(&body, "filter")?;
    let email = TextFilter::read(&filter, "filter.emailId")?;
    let name = TextFilter::read(&filter, "filter.name")?;
    let order = Order::read(input::array(&body, "sort")?)?;
    let mut users: Vec<&User> = call
        .tenant
        .users
        .values()
        .filter(|user| email.fits(&user.email) && name.fits(&user.name()))
        .collect();
    users.sort_by(|a, b| order.compare(a, b));
    let items: Vec<Value> = users
        .into_iter()
        .map(|user| {
            json!({
                "metadata": metadata(user),
                "spec": {
                    "emailId": user.email,
                    "firstName": user.first_name,
                    "lastName": user.last_name,
                    "projects": [],
                    "projectsCount": 0,
                    "roles": named(&call.tenant, &user.roles),
                    "teams": [],
                },
                "status": status(user),
            })
        })
        .collect();
    Ok(Reply::json(200, &json!({ "items": items })))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a User, Box<Reply>> {
    match call.tenant.users.get(&call.uid()) {
        Some(user) => Ok(user),
        None => refuse(404, "UserNotFound", "Specified user not found"),
    }
}

fn shape(user: &User) -> Value {
    json!({
        "metadata": metadata(user),
        "spec": {
            "emailId": user.email,
            "firstName": user.first_name,
            "lastName": user.last_name,
            "roles": user.roles,
        },
        "status": status(user),
    })
}

fn metadata(user: &User) -> Value {
    json!({
        "uid": user.uid,
        "name": user.name(),
        "annotations": { "scope": "tenant" },
        "creationTimestamp": wire(user.created),
        "deletionTimestamp": ZERO,
        "lastModifiedTimestamp": wire(user.modified),
    })
}

/// `isActive` is always there for people (fact sheet §3.2 `[SPEC]`); the activation link is a live
/// secret while an invitation is open (fact sheet §4).
fn status(user: &User) -> Value {
    json!({
        "activationLink": user.activation_link,
        "isActive": user.active,
        "isPasswordResetting": false,
        "lastSignIn": wire_or_zero(user.last_sign_in),
    })
}

fn named(tenant: &Tenant, uids: &[String]) -> Vec<Value> {
    tenant
        .roles
        .iter()
        .filter(|role| uids.contains(&role.uid))
        .map(|role| json!({ "name": role.name, "uid": role.uid }))
        .collect()
}

/// `v1FilterString`: every condition given has to hold; case is ignored unless told otherwise.
struct TextFilter {
    conditions: BTreeMap<&'static str, String>,
    ignore_case: bool,
}

impl TextFilter {
    fn read(filter: &serde_json::Map<String, Value>, path: &str) -> Result<Self, Box<Reply>> {
        let object = input::inner(filter, path)?;
        let mut conditions = BTreeMap::new();
        for name in ["beginsWith", "contains", "eq", "ne"] {
            if let Some(text) = input::string(&object, &format!("{path}.{name}"))? {
                conditions.insert(name, text);
            }
        }
        let ignore_case = input::boolean(&object, &format!("{path}.ignoreCase"))?.unwrap_or(true);
        Ok(Self { conditions, ignore_case })
    }

    fn fits(&self, text: &str) -> bool {
        let fold = |text: &str| if self.ignore_case { text.to_lowercase() } else { text.into() };
        let text: String = fold(text);
        self.conditions.iter().all(|(kind, wanted)| {
            let wanted = fold(wanted);
            match *kind {
                "beginsWith" => text.starts_with(&wanted),
                "contains" => text.contains(&wanted),
                "eq" => text == wanted,
                _ => text != wanted,
            }
        })
    }
}

/// `v1UserSummarySortSpec`, several of them.
struct Order {
    by: Vec<(bool, bool)>,
}

impl Order {
    fn read(specs: Vec<Value>) -> Result<Self, Box<Reply>> {
        let mut by = Vec::new();
        for spec in specs {
            let Value::Object(spec) = spec else {
                return invalid(601, "sort in body must be of type object");
            };
            let by_name = match input::string(&spec, "sort.field")?.as_deref() {
                None => continue,
                Some("name") => true,
                Some("creationTimestamp") => false,
                Some(_) => {
                    let message = "sort.field in body should be one of [name creationTimestamp]";
                    return invalid(606, message);
                }
            };
            let descending = match input::string(&spec, "sort.order")?.as_deref() {
                None | Some("asc") => false,
                Some("desc") => true,
                Some(_) => return invalid(606, "sort.order in body should be one of [asc desc]"),
            };
            by.push((by_name, descending));
        }
        Ok(Self { by })
    }

    fn compare(&self, a: &User, b: &User) -> Ordering {
        self.by.iter().fold(Ordering::Equal, |sofar, (by_name, descending)| {
            sofar.then_with(|| {
                let order = if *by_name {
                    a.name().to_lowercase().cmp(&b.name().to_lowercase())
                } else {
                    a.created.cmp(&b.created)
                };
                if *descending { order.reverse() } else { order }
            })
        })
    }
}

/// `filters` and `orderBy` of the paged lists (fact sheet §4): `path=value` joined by AND and OR
/// (AND binds tighter), `path=1` or `path=-1` joined by commas. A path that does not exist fits
/// nothing.
pub(crate) fn filtered(query: &Query, items: Vec<Value>) -> Result<Vec<Value>, Box<Reply>> {
    let mut items = items;
    if let Some(filters) = query.filled("filters") {
        let mut any = Vec::new();
        for group in filters.split("OR") {
            let mut all = Vec::new();
            for condition in group.split("AND") {
                let Some((path, value)) = condition.split_once('=') else {
                    return refuse(400, "InvalidFilters", "The filters are not valid");
                };
                all.push((path.trim(), value.trim()));
            }
            any.push(all);
        }
        items.retain(|item| {
            any.iter().any(|all| all.iter().all(|(path, value)| text_at(item, path) == *value))
        });
    }
    if let Some(order_by) = query.filled("orderBy") {
        for part in order_by.split(',').rev() {
            let (path, descending) = match part.split_once('=') {
                Some((path, "1")) => (path, false),
                Some((path, "-1")) => (path, true),
                _ => return refuse(400, "InvalidOrderBy", "The orderBy is not valid"),
            };
            // Stable, from the last key to the first.
            items.sort_by(|a, b| {
                let order = text_at(a, path).cmp(&text_at(b, path));
                if descending { order.reverse() } else { order }
            });
        }
    }
    Ok(items)
}

fn text_at(item: &Value, path: &str) -> String {
    let found = path.split('.').try_fold(item, |value, name| value.get(name));
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
