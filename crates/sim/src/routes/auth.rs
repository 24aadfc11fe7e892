//! Signing in: `/v1/auth/*`, and who a credential belongs to (fact sheet §2).

use serde_json::{Value, json};

use super::{Call, Caller, UNAUTHORIZED};
use crate::input;
use crate::reply::{Answered, Reply, invalid, refuse, type_name};
use crate::tenant::{Organization, User};

/// The caller, by `ApiKey` or by the raw JWT in `Authorization` (fact sheet §2.1 `[DOC]`).
///
/// A bad key is echoed in the message, as real servers have done (fact sheet §6): clients must
/// redact. An API key in `Authorization` is no token and fails `[3P]`.
pub(crate) fn identify(call: &Call<'_>, not_found: bool) -> Result<Caller, Box<Reply>> {
    let user = if let Some(value) = call.header("apikey") {
        match call.tenant.working_key(value, call.now) {
            Some(key) => call.tenant.person(&key.owner_uid).cloned().unwrap_or_else(|| {
                // The key of someone the tenant never knew: it works, and may do nothing.
                nobody(&key.owner_uid, call)
            }),
            None if not_found => {
                let message = format!("The API key '{value}' is not found");
                return refuse(404, "ResourceNotFound", &message);
            }
            None => {
                let message = format!("Access is not authorized, invalid API key '{value}'");
                return refuse(401, UNAUTHORIZED, &message);
            }
        }
    } else if let Some(token) = call.header("authorization") {
        signed_in(call, token)?.clone()
    } else {
        return refuse(401, UNAUTHORIZED, "Access is not authorized, no credential was sent");
    };
    let permissions = call.tenant.permissions(&user);
    Ok(Caller { user, permissions })
}

fn nobody(uid: &str, call: &Call<'_>) -> User {
    User {
        uid: uid.to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        password: String::new(),
        active: true,
        mfa: false,
        elsewhere: false,
        roles: Vec::new(),
        inherited: Vec::new(),
        created: call.now,
        modified: call.now,
        last_sign_in: None,
        activation_link: String::new(),
    }
}

/// The person behind a token that has not ended.
fn signed_in<'a>(call: &'a Call<'_>, token: &str) -> Result<&'a User, Box<Reply>> {
    let session = call
        .tenant
        .sessions
        .get(token)
        .filter(|session| session.expires > call.now && !session.pending);
    match session.and_then(|session| call.tenant.users.get(&session.user_uid)) {
        Some(user) if user.active => Ok(user),
        _ => refuse(401, UNAUTHORIZED, "Access is not authorized, the token is invalid or expired"),
    }
}

/// Password login (fact sheet §2.2). What the failures look like is `[UNK]`: 401 for a wrong
/// password or an inactive person alike, 400 when the address is in two organizations and none
/// was named.
pub(crate) fn authenticate(call: &mut Call<'_>) -> Answered {
    let set_cookie = call.query.boolean("setCookie")?.unwrap_or(true);
    let body = input::object(call.body(), call.header("content-type"))?;
    let email = input::string(&body, "emailId")?.unwrap_or_default();
    let org = input::string(&body, "org")?.filter(|org| !org.is_empty());
    let password = input::string(&body, "password")?.unwrap_or_default();
    let user = call
        .tenant
        .by_email(&email)
        .filter(|user| user.active && user.password == password)
        .filter(|_| org.as_ref().is_none_or(|org| *org == call.tenant.organization))
        .cloned();
    let Some(user) = user else {
        return refuse(401, UNAUTHORIZED, "The e-mail address or the password is not valid");
    };
    if user.elsewhere && org.is_none() {
        return refuse(
            400,
            "OrganizationRequired",
            "The user belongs to several organizations, specify the organization",
        );
    }
    let now = call.now;
    let token = call.tenant.sign_in(&user.uid, None, user.mfa, now);
    Ok(user_token(&token, user.mfa, set_cookie))
}

/// A new token for one that has not ended; the session stays the same (fact sheet §2.3 `[SPEC]`).
pub(crate) fn refresh(call: &mut Call<'_>) -> Answered {
    let set_cookie = call.query.boolean("setCookie")?.unwrap_or(true);
    let token = call.uid();
    let user_uid = signed_in(call, &token)?.uid.clone();
    let session_uid = call.tenant.sessions.get(&token).map(|session| session.session_uid.clone());
    let now = call.now;
    let token = call.tenant.sign_in(&user_uid, session_uid, false, now);
    Ok(user_token(&token, false, set_cookie))
}

/// `isMfa` is always there (fact sheet §2.2 `[SPEC]`, `x-omitempty:false`).
fn user_token(token: &str, mfa: bool, set_cookie: bool) -> Reply {
    let reply = Reply::json(200, &json!({ "Authorization": token, "isMfa": mfa }));
    if set_cookie {
        let cookie = format!("Authorization={token}; Path=/; HttpOnly; SameSite=Strict");
        reply.with_header("set-cookie", &cookie)
    } else {
        reply
    }
}

/// Ends login tokens (fact sheet §2.3 `[SPEC]`, outside the subset). Unknown ones are no error.
pub(crate) fn revoke(call: &mut Call<'_>) -> Answered {
    let caller = call.caller()?;
    let body = input::object(call.body(), call.header("content-type"))?;
    let mut tokens = Vec::new();
    for token in input::array(&body, "tokens")? {
        match token {
            Value::String(token) => tokens.push(token),
            other => {
                let found = type_name(&other);
                return invalid(601, &format!("tokens in body must be of type string: {found:?}"));
            }
        }
    }
    for token in tokens {
        let own = call.tenant.sessions.get(&token).is_some_and(|s| s.user_uid == caller.user.uid);
        if own {
            call.tenant.sessions.remove(&token);
        }
    }
    Ok(Reply::no_content())
}

/// How one signs in to an organization (fact sheet §2.4). An unknown name is `[UNK]`: 404 here.
pub(crate) fn organization(call: &mut Call<'_>) -> Answered {
    let total = call.tenant.organizations.len();
    let wanted = call.query.filled("orgName");
    let found = match wanted {
        None => None,
        Some(name) => match call.tenant.organizations.iter().find(|org| org.name == name) {
            Some(organization) => Some(organization),
            None => {
                let message = format!("Organization '{name}' is not found");
                return refuse(404, "ResourceNotFound", &message);
            }
        },
    };
    Ok(Reply::json(
        200,
        &json!({
            "appEnv": "self-hosted",
            "authType": auth_type(found),
            "orgName": found.map_or("", |org| org.name),
            "redirectUrl": redirect(found),
            "rootDomain": "palette.example",
            "securityMode": "",
            "ssoLogins": logins(found),
            "totalTenants": total,
        }),
    ))
}

/// The organizations of whoever is signed in by cookie or header; none else (fact sheet §2.4).
pub(crate) fn organizations(call: &mut Call<'_>) -> Answered {
    let cookie = call.header("cookie").and_then(|cookies| {
        cookies.split(';').find_map(|pair| pair.trim().strip_prefix("Authorization="))
    });
    let token = call.header("authorization").or(cookie);
    let user = token.and_then(|token| signed_in(call, token).ok());
    let items: Vec<Value> = call
        .tenant
        .organizations
        .iter()
        .filter(|org| {
            user.is_some_and(|user| org.name == call.tenant.organization || user.elsewhere)
        })
        .map(|org| {
            json!({
                "authType": auth_type(Some(org)),
                "name": org.name,
                "redirectUrl": redirect(Some(org)),
                "ssoLogins": logins(Some(org)),
            })
        })
        .collect();
    Ok(Reply::json(200, &json!({ "organizations": items })))
}

pub(crate) fn sso_logins(call: &mut Call<'_>) -> Answered {
    let wanted = call.query.get("org").unwrap_or_default();
    let found = call.tenant.organizations.iter().find(|org| org.name == wanted);
    Ok(Reply::json(200, &logins(found)))
}

fn auth_type(organization: Option<&Organization>) -> &'static str {
    if organization.is_some_and(|org| org.sso) { "sso" } else { "password" }
}

fn redirect(organization: Option<&Organization>) -> String {
    match organization {
        Some(org) if org.sso => format!("https://sso.palette.example/{}", org.name),
        _ => String::new(),
    }
}

fn logins(organization: Option<&Organization>) -> Value {
    match organization {
        Some(org) if org.sso => json!([{
            "displayName": "Google",
            "logo": "https://palette.example/google.svg",
            "name": "google",
            "redirectUri": format!("https://sso.palette.example/{}/google", org.name),
        }]),
        _ => json!([]),
    }
}
