//! From a request to an answer: the checks every request passes, then the table of calls.

pub(crate) mod apikeys;
pub(crate) mod audits;
pub(crate) mod auth;
pub(crate) mod health;
pub(crate) mod roles;
pub(crate) mod tenants;
pub(crate) mod users;

use std::collections::BTreeSet;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::input::Query;
use crate::reply::{Answered, Reply, refuse};
use crate::server::{Asked, Shared, header};
use crate::tenant::{Tenant, User};

/// A call in progress, with the tenant locked for it.
pub(crate) struct Call<'a> {
    pub(crate) tenant: MutexGuard<'a, Tenant>,
    pub(crate) asked: &'a Asked,
    pub(crate) query: Query,
    /// Decoded values of the `{…}` parts of the path.
    pub(crate) params: Vec<String>,
    pub(crate) now: Timestamp,
    caller: Option<Caller>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) permissions: BTreeSet<String>,
}

impl Caller {
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.permissions.contains(permission)
    }
}

impl Call<'_> {
    /// The only `{…}` of the path; empty if there is none.
    pub(crate) fn uid(&self) -> String {
        self.params.first().cloned().unwrap_or_default()
    }

    pub(crate) fn caller(&self) -> Result<Caller, Box<Reply>> {
        match &self.caller {
            Some(caller) => Ok(caller.clone()),
            None => refuse(401, UNAUTHORIZED, "Access is not authorized"),
        }
    }

    /// The caller, if they have this permission at tenant scope.
    pub(crate) fn allowed(&self, permission: &str) -> Result<Caller, Box<Reply>> {
        let caller = self.caller()?;
        if caller.may(permission) { Ok(caller) } else { forbidden(permission) }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.asked.headers, name)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.asked.body.as_deref().unwrap_or_default()
    }
}

/// Code of every rejected credential (fact sheet §6 `[3P]`).
pub(crate) const UNAUTHORIZED: &str = "UnAuthorizedAccess";

/// The form of a missing permission (fact sheet §6 `[3P]`).
pub(crate) fn forbidden<T>(permission: &str) -> Result<T, Box<Reply>> {
    let message = format!(
        "Operation '{permission}' is forbidden. Verify the user has '{permission}' permission"
    );
    refuse(403, "OperationForbidden", &message)
}

/// Over the limit (fact sheet §7 `[DOC]`; no `Retry-After` is documented).
pub(crate) fn too_many_requests() -> Reply {
    Reply::error(429, "TooManyRequests", "Too many requests, retry after a few moments")
}

/// One call of the table.
struct Route {
    method: &'static str,
    path: &'static str,
    /// Works without a credential.
    open: bool,
    handle: fn(&mut Call<'_>) -> Answered,
}

const fn call(
    method: &'static str,
    path: &'static str,
    handle: fn(&mut Call<'_>) -> Answered,
) -> Route {
    Route { method, path, open: false, handle }
}

const fn open(
    method: &'static str,
    path: &'static str,
    handle: fn(&mut Call<'_>) -> Answered,
) -> Route {
    Route { method, path, open: true, handle }
}

const USERS_ME: &str = "/v1/users/me";

/// Every call, plain paths before those with a `{…}` in the same place. The authentication,
/// organization and health calls need no credential (fact sheet §2.4; for health `[UNK]`).
const ROUTES: &[Route] = &[
    call("GET", "/v1/apiKeys", apikeys::list),
    call("POST", "/v1/apiKeys", apikeys::create),
    call("GET", "/v1/apiKeys/{uid}", apikeys::get),
    call("PUT", "/v1/apiKeys/{uid}", apikeys::update),
    call("PATCH", "/v1/apiKeys/{uid}", apikeys::set_state),
    call("DELETE", "/v1/apiKeys/{uid}", apikeys::delete),
    call("PUT", "/v1/apiKeys/{uid}/state", apikeys::set_state),
    call("GET", "/v1/audits", audits::list),
    call("GET", "/v1/audits/{uid}", audits::get),
    call("GET", "/v1/audits/{uid}/sysMsg", audits::message),
    open("POST", "/v1/auth/authenticate", auth::authenticate),
    open("GET", "/v1/auth/org", auth::organization),
    open("GET", "/v1/auth/orgs", auth::organizations),
    open("GET", "/v1/auth/refresh/{token}", auth::refresh),
    open("GET", "/v1/auth/sso/logins", auth::sso_logins),
    open("GET", "/v1/health/ping", health::ping),
    open("GET", "/v1/health/ready", health::ready),
    call("GET", "/v1/permissions", roles::permissions),
    call("GET", "/v1/roles", roles::list),
    call("GET", "/v1/tenants/{tenantUid}", tenants::get),
    call("GET", "/v1/tenants/{tenantUid}/authTokenSettings", tenants::token_settings),
    call("GET", "/v1/tenants/{tenantUid}/resourceLimits", tenants::resource_limits),
    call("GET", "/v1/users", users::list),
    call("POST", "/v1/users/auth/tokens/revoke", auth::revoke),
    call("GET", "/v1/users/info", users::info),
    call("GET", USERS_ME, users::me),
    call("GET", "/v1/users/meta", users::meta),
    call("POST", "/v1/users/summary", users::summary),
    call("GET", "/v1/users/{uid}", users::get),
    call("GET", "/v1/users/{uid}/roles", users::roles),
];

/// Answers a request. Never panics, whatever was sent.
pub(crate) fn handle(shared: &Shared, asked: &Asked) -> Reply {
    match answer(shared, asked) {
        Ok(reply) => reply,
        Err(reply) => *reply,
    }
}

fn answer(shared: &Shared, asked: &Asked) -> Answered {
    if !is_ours(asked, &shared.extra_hosts) {
        // Not Palette's: it keeps web pages that rebind their name to 127.0.0.1 out of the demo.
        return refuse(403, "HostNotAllowed", "The simulator answers on loopback names only");
    }
    if !shared.within_rate(asked.peer, &asked.path) {
        return Ok(too_many_requests());
    }
    let (route, params) = find(asked, shared.users_me.load(Ordering::Relaxed))?;
    if asked.body.is_none() {
        return Ok(Reply::framework(413, "http: request body too large"));
    }
    let mut call = Call {
        tenant: shared.tenant(),
        asked,
        query: Query::read(asked.query.as_deref()),
        params,
        now: shared.clock.now(),
        caller: None,
    };
    if !route.open {
        let not_found = shared.bad_key_not_found.load(Ordering::Relaxed);
        call.caller = Some(auth::identify(&call, not_found)?);
        check_project(&call)?;
    }
    (route.handle)(&mut call)
}

/// Whether the request was made to a loopback name.
fn is_ours(asked: &Asked, extra: &[String]) -> bool {
    let name_is_ours = |authority: &str| {
        let name = match authority.rsplit_once(':') {
            // The last colon of a bracketed address without a port is inside the brackets.
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => authority,
        };
        let loopback = ["127.0.0.1", "localhost", "[::1]"];
        loopback.iter().any(|known| name.eq_ignore_ascii_case(known))
            || extra.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let mut hosts = asked.headers.iter().filter(|(name, _)| name == "host").map(|(_, v)| v);
    let host = hosts.next();
    hosts.next().is_none()
        && host.is_some_and(|host| name_is_ours(host))
        && asked.authority.as_deref().is_none_or(name_is_ours)
}

/// The call for this path and method, with the values of its `{…}`. The forms of the refusals are
/// those of fact sheet §6 `[3P][GOA]`.
fn find(asked: &Asked, users_me: bool) -> Result<(&'static Route, Vec<String>), Box<Reply>> {
    let at_path = ROUTES
        .iter()
        .find_map(|route| fits(route.path, &asked.path).map(|params| (route.path, params)));
    let missing = at_path.as_ref().is_none_or(|(path, _)| *path == USERS_ME && !users_me);
    let Some((path, params)) = at_path.filter(|_| !missing) else {
        let message = format!("path {} was not found", asked.path);
        return crate::reply::invalid(404, &message);
    };
    let mut here = ROUTES.iter().filter(|route| route.path == path);
    match here.clone().find(|route| route.method == asked.method) {
        Some(route) => Ok((route, params)),
        None => {
            let mut methods: Vec<&str> = here.by_ref().map(|route| route.method).collect();
            methods.sort_unstable();
            let list = methods.join(",");
            let message = format!("method {} is not allowed, but [{list}] are", asked.method);
            Err(Box::new(Reply::framework(405, &message).with_header("allow", &list)))
        }
    }
}

/// The values of the `{…}` of `pattern` if `path` fits it. The raw path is cut at its slashes
/// first and decoded after, so `a%2Fb` is one value and `../x` no way around anything.
fn fits(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut given = path.split('/');
    for part in pattern.split('/') {
        let segment = given.next()?;
        if part.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            params.push(percent_decode_str(segment).decode_utf8_lossy().into_owned());
        } else if part != segment {
            return None;
        }
    }
    given.next().is_none().then_some(params)
}

/// A `ProjectUid` that is sent is checked since 4.9.22 (fact sheet §2.1 `[DOC]`); this tenant has
/// no projects, so none is right.
fn check_project(call: &Call<'_>) -> Result<(), Box<Reply>> {
    match call.header("projectuid") {
        None => Ok(()),
        Some(uid) => refuse(
            404,
            "ProjectNotFoundInTenant",
            &format!("Project '{uid}' is not found in the tenant"),
        ),
    }
}
