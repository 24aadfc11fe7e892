//! `/v1/audits` (fact sheet §5).

use serde_json::{Value, json};

use super::Call;
use crate::clock::{ZERO, wire};
use crate::input::{Page, query_time};
use crate::reply::{Answered, Reply, refuse};
use crate::tenant::AuditTruth;

const ACTIONS: [&str; 7] =
    ["create", "update", "delete", "publish", "deploy", "activity", "action"];

/// One page of the log, newest first.
pub(crate) fn list(call: &mut Call<'_>) -> Answered {
    call.allowed("audit.list")?;
    let query = &call.query;
    let start = query_time("startTime", query.get("startTime"))?;
    let end = query_time("endTime", query.get("endTime"))?;
    let action = query.one_of("actionType", &ACTIONS)?;
    let page = Page::read(query)?;
    let is = |name: &str, value: &str| query.filled(name).is_none_or(|wanted| wanted == value);
    // This tenant has no projects, and its log is its own.
    let elsewhere = query.filled("projectUid").is_some()
        || query.filled("tenantUid").is_some_and(|uid| uid != call.tenant.uid);
    let found: Vec<&AuditTruth> = call
        .tenant
        .audits
        .iter()
        .rev()
        .filter(|audit| {
            !elsewhere
                && start.is_none_or(|start| audit.at >= start)
                && end.is_none_or(|end| audit.at <= end)
                && action.is_none_or(|action| audit.action_type == action)
                && is("userUid", &audit.actor_uid)
                && is("resourceKind", &audit.resource_kind)
                && is("resourceUid", &audit.resource_uid)
        })
        .collect();
    let (found, meta) = page.cut(found);
    let items: Vec<Value> =
        found.into_iter().map(|audit| shape(audit, &call.tenant.organization)).collect();
    Ok(Reply::json(200, &json!({ "items": items, "listmeta": meta })))
}

pub(crate) fn get(call: &mut Call<'_>) -> Answered {
    call.allowed("audit.get")?;
    let body = shape(find(call)?, &call.tenant.organization);
    Ok(Reply::json(200, &body))
}

pub(crate) fn message(call: &mut Call<'_>) -> Answered {
    call.allowed("audit.get")?;
    let audit = find(call)?;
    let body = json!({ "actionMsg": audit.action_message, "contentMsg": audit.content_message });
    Ok(Reply::json(200, &body))
}

fn find<'a>(call: &'a Call<'_>) -> Result<&'a AuditTruth, Box<Reply>> {
    let uid = call.uid();
    match call.tenant.audits.iter().find(|audit| audit.uid == uid) {
        Some(audit) => Ok(audit),
        None => refuse(404, "ResourceNotFound", &format!("Audit '{uid}' is not found")),
    }
}

fn shape(audit: &AuditTruth, organization: &str) -> Value {
    json!({
        "metadata": {
            "uid": audit.uid,
            "creationTimestamp": wire(audit.at),
            "deletionTimestamp": ZERO,
            "lastModifiedTimestamp": wire(audit.at),
        },
        "spec": {
            "actionMsg": audit.action_message,
            "actionType": audit.action_type,
            "contentMsg": audit.content_message,
            "userMsg": "",
            "actor": {
                "actorType": "user",
                "project": { "name": "", "uid": "" },
                "serviceName": "",
                "user": {
                    "emailId": audit.actor_email,
                    "firstName": audit.actor_first_name,
                    "lastName": audit.actor_last_name,
                    "org": organization,
                    "uid": audit.actor_uid,
                },
            },
            "resource": {
                "kind": audit.resource_kind,
                "label": audit.resource_label,
                "name": audit.resource_name,
                "uid": audit.resource_uid,
            },
        },
    })
}
