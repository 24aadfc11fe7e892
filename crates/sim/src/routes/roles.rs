//! `/v1/roles` and `/v1/permissions` (fact sheet §2.5).

use serde_json::{Value, json};

use super::Call;
use crate::clock::{ZERO, wire};
use crate::input::Page;
use crate::reply::{Answered, Reply};
use crate::routes::users;
use crate::tenant::Role;

/// One page of the roles; `fields` is accepted and ignored.
pub(crate) fn list(call: &mut Call<'_>) -> Answered {
    call.allowed("role.list")?;
    let page = Page::read(&call.query)?;
    let roles = call.tenant.roles.iter().map(shape).collect();
    let (items, meta) = page.cut(users::filtered(&call.query, roles)?);
    Ok(Reply::json(200, &json!({ "items": items, "listmeta": meta })))
}

fn shape(role: &Role) -> Value {
    json!({
        "metadata": {
            "uid": role.uid,
            "name": role.name,
            "annotations": {
                "scope": if role.kind == "system" { "system" } else { "tenant" },
                "permissions": "role.get,role.list",
            },
            "creationTimestamp": wire(role.created),
            "deletionTimestamp": ZERO,
            "lastModifiedTimestamp": wire(role.created),
        },
        "spec": { "permissions": role.permissions, "scope": role.scope, "type": role.kind },
        "status": { "isEnabled": true },
    })
}

/// The catalogue of permissions; not what the caller may do (fact sheet §2.5 `[SPEC]`).
pub(crate) fn permissions(call: &mut Call<'_>) -> Answered {
    call.caller()?;
    let scope = call.query.one_of("scope", &["system", "tenant", "project", "resource"])?;
    let catalogue = [
        ("API Keys", "apiKey", "tenant", &["create", "delete", "get", "list", "update"][..]),
        ("Audit", "audit", "tenant", &["get", "list"]),
        ("Roles", "role", "tenant", &["create", "delete", "get", "list", "update"]),
        ("Tags", "tag", "tenant", &["update"]),
        ("Users", "user", "tenant", &["create", "delete", "get", "list", "update"]),
        ("Projects", "project", "tenant", &["create", "delete", "get", "list", "update"]),
        ("Cluster", "cluster", "project", &["create", "delete", "get", "list", "update"]),
        ("Cluster Profile", "clusterProfile", "project", &["get", "list"]),
    ];
    let items: Vec<Value> = catalogue
        .iter()
        .filter(|(_, _, its_scope, _)| scope.is_none_or(|wanted| wanted == *its_scope))
        .map(|(name, subject, its_scope, verbs)| {
            let permissions: Vec<String> =
                verbs.iter().map(|verb| format!("{subject}.{verb}")).collect();
            json!({ "name": name, "permissions": permissions, "scope": its_scope })
        })
        .collect();
    Ok(Reply::json(200, &items))
}
