//! Pages, filters and the audit log.

use palette_sim::{Seed, SimOptions};
use serde_json::json;

use crate::support::{Api, demo};

#[tokio::test]
async fn people_come_in_pages_of_50() {
    let seed = Seed::Size { keys: 6_000, users: 120 };
    let sim = palette_sim::start(SimOptions { seed, ..SimOptions::default() }).await.unwrap();
    let api = Api::of(&sim, &sim.admin());
    let (mut uids, mut token) = (Vec::new(), String::new());
    for (page, length) in [50, 50, 20].into_iter().enumerate() {
        let got = api.get(&format!("/v1/users?continue={}", token.replace('=', "%3D"))).await;
        let meta = got.json()["listmeta"].clone();
        assert_eq!(got.items().len(), length);
        assert_eq!((&meta["count"], &meta["offset"]), (&json!(120), &json!(page * 50)));
        uids.extend(got.items().into_iter().map(|item| item["metadata"]["uid"].clone()));
        token = meta["continue"].as_str().unwrap().to_owned();
    }
    assert_eq!(token, "", "the end");
    uids.sort_by_key(ToString::to_string);
    uids.dedup();
    assert_eq!(uids.len(), 120);
    assert_eq!(api.get("/v1/users/meta").await.items().len(), 120, "without pages");

    let offset = api.get("/v1/users?limit=7&offset=118").await;
    assert_eq!(offset.items().len(), 2);
    assert_eq!(api.get("/v1/users?offset=9999").await.items().len(), 0);
    let got = api.get("/v1/users?limit=51").await;
    assert_eq!((got.status, got.code()), (422, json!(608)));
    assert_eq!(api.get("/v1/users?continue=nonsense").await.status, 400);

    // The roles that matter are on the second page.
    let first = api.get("/v1/roles").await;
    assert!(!first.text.contains("Tenant Admin"));
    assert_ne!(first.json()["listmeta"]["continue"], "");

    assert_eq!(api.get("/v1/apiKeys").await.items().len(), 6_000, "keys have no pages");
    assert_eq!(sim.keys().len(), 6_000);
    api.create("there is room").await;
}

#[tokio::test]
async fn filters_and_orders_are_followed() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    let got = api.get("/v1/users?filters=spec.emailId%3Djane.doe%40acme.example").await;
    assert_eq!(got.items().len(), 1);
    let got = api
        .get(
            "/v1/users?filters=spec.firstName%3DJaneORspec.firstName%3DAna&orderBy=metadata.name=1",
        )
        .await;
    let names: Vec<_> = got.items().iter().map(|i| i["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["Ana Ruiz", "Jane Doe"]);
    let body = json!({
        "filter": { "name": { "contains": "A", "ignoreCase": true }, "emailId": { "ne": "x" } },
        "sort": [{ "field": "name", "order": "desc" }],
    });
    let items = api.send("POST", "/v1/users/summary", body).await.items();
    assert!(items.len() > 3);
    let names: Vec<String> =
        items.iter().map(|i| i["metadata"]["name"].to_string().to_lowercase()).collect();
    assert!(names.is_sorted_by(|a, b| a >= b), "{names:?}");
}

#[tokio::test]
async fn audits_are_newest_first_and_filtered() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    let first = api.get("/v1/audits").await;
    assert_eq!(first.items().len(), 50);
    assert_ne!(first.json()["listmeta"]["continue"], "");
    let times: Vec<String> =
        first.items().iter().map(|i| i["metadata"]["creationTimestamp"].to_string()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "newest first");

    let uid = sim.key_named("ci-prod").unwrap().uid;
    let of_key = api.get(&format!("/v1/audits?resourceKind=apiKey&resourceUid={uid}")).await;
    assert_eq!(of_key.items().len(), 4);
    for (query, expected) in [
        ("actionType=create", 1),
        ("actionType=update", 3),
        ("startTime=2999-01-01T00:00:00Z", 0),
        ("endTime=2000-01-01T00:00:00%2B05:30", 0),
        ("userUid=nobody", 0),
        ("projectUid=p", 0),
        ("tenantUid=other", 0),
    ] {
        let got = api.get(&format!("/v1/audits?resourceUid={uid}&{query}")).await;
        assert_eq!(got.items().len(), expected, "{query}");
    }
    for (query, code) in [("actionType=explode", 606), ("startTime=2000-01-01T00:00:00+05:30", 601)]
    {
        // The plus was not encoded, so a blank arrives.
        let got = api.get(&format!("/v1/audits?{query}")).await;
        assert_eq!((got.status, got.code()), (422, json!(code)), "{query}");
    }
    let one = of_key.items()[0]["metadata"]["uid"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&format!("/v1/audits/{one}")).await.json(), of_key.items()[0]);
    assert_eq!(api.get("/v1/audits/none").await.code(), "ResourceNotFound");
}
