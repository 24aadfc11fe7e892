//! Requests a second, and keys a person.

use std::time::Duration;

use palette_sim::NewKey;
use serde_json::json;

use crate::support::{Api, empty};

#[tokio::test]
async fn the_51st_request_at_once_is_too_many() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let mut refused = None;
    for n in 0..80 {
        let got = api.get("/v1/apiKeys/x").await;
        if got.status == 429 {
            refused = Some((n, got));
            break;
        }
    }
    let (n, got) = refused.expect("a limit");
    assert!(n >= 50, "a burst of 50 passes, not {n}");
    assert_eq!(got.code(), "TooManyRequests");
    assert_eq!(got.header("retry-after"), None);
    // Sub-paths share the bucket, other parents have their own.
    assert_eq!(api.get("/v1/apiKeys").await.status, 429);
    assert_eq!(api.get("/v1/users/info").await.status, 200);
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(api.get("/v1/apiKeys").await.status, 200, "10 a second come back");
    sim.set_rate_limit(false);
    for _ in 0..60 {
        assert_eq!(api.get("/v1/apiKeys/x").await.status, 404);
    }
}

#[tokio::test]
async fn a_person_has_20_keys_at_most() {
    let sim = empty().await;
    sim.set_rate_limit(false);
    let user = sim.user();
    let api = Api::of(&sim, &user);
    // Expired and revoked ones count.
    let past = Some("2020-01-01T00:00:00Z".parse().unwrap());
    for (expiry, active) in [(past, true), (None, false)] {
        let owner_uid = Some(user.uid.clone());
        sim.add_key(NewKey { owner_uid, expiry, active, ..NewKey::named("old") });
    }
    for n in 3..20 {
        api.create(&format!("k{n}")).await;
    }
    let body = json!({ "metadata": { "name": "one too many" } });
    let got = api.send("POST", "/v1/apiKeys", body.clone()).await;
    assert_eq!((got.status, got.code()), (409, json!("ResourceLimitExceeded")));
    // The limit is a person's, also when an administrator creates.
    let for_user = json!({ "metadata": { "name": "x" }, "spec": { "userUid": user.uid } });
    let admin = Api::of(&sim, &sim.admin());
    assert_eq!(admin.send("POST", "/v1/apiKeys", for_user).await.status, 409);
    sim.set_quota(21);
    assert_eq!(api.send("POST", "/v1/apiKeys", body).await.status, 201);
    let limits = admin.get(&format!("/v1/tenants/{}/resourceLimits", sim.tenant_uid())).await;
    assert_eq!(limits.json()["resources"][0]["limit"], 21);
}
