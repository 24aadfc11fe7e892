//! `/v1/tenants/{uid}` and its settings, read only.

use serde_json::json;

use super::{Call, forbidden};
use crate::limits::MOST_KEYS_PER_USER;
use crate::reply::{Answered, Reply, refuse};

/// Tagged `system`: refused to people of the tenant (fact sheet §2.5 `[SPEC]` → `[INF]`).
pub(crate) fn get(call: &mut Call<'_>) -> Answered {
    call.caller()?;
    forbidden("tenant.get")
}

/// Keys a person may have (fact sheet §3.6). Who may read it is `[UNK]`: here everyone with a role
/// in the tenant, so that a client meets both answers.
pub(crate) fn resource_limits(call: &mut Call<'_>) -> Answered {
    readable(call)?;
    let body = json!({ "resources": [
        { "kind": "apiKey", "label": "API Key", "limit": call.tenant.quota, "maxLimit": MOST_KEYS_PER_USER },
        { "kind": "user", "label": "User", "limit": 300, "maxLimit": 10_000 },
        { "kind": "role", "label": "Role", "limit": 100, "maxLimit": 1_000 },
    ] });
    Ok(Reply::json(200, &body))
}

/// Life of a login token, 15–1440 minutes (fact sheet §2.3 `[SPEC]`).
pub(crate) fn token_settings(call: &mut Call<'_>) -> Answered {
    readable(call)?;
    let minutes = call.tenant.token_minutes.clamp(15, 1440);
    Ok(Reply::json(200, &json!({ "expiryTimeMinutes": minutes })))
}

fn readable(call: &Call<'_>) -> Result<(), Box<Reply>> {
    let caller = call.caller()?;
    if caller.permissions.is_empty() {
        return forbidden("tenant.get");
    }
    if call.uid() != call.tenant.uid {
        return refuse(404, "ResourceNotFound", "The tenant is not found");
    }
    Ok(())
}
