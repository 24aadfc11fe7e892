//! `/v1/health/*` (fact sheet §1 `[SPEC]`).

use serde_json::json;

use super::Call;
use crate::reply::{Answered, Reply};

pub(crate) fn ping(_: &mut Call<'_>) -> Answered {
    Ok(Reply::json(200, &json!({ "msg": "pong" })))
}

pub(crate) fn ready(_: &mut Call<'_>) -> Answered {
    Ok(Reply::json(200, &json!({ "msg": "ready" })))
}
