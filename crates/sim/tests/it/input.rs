//! What a client must not send.

use serde_json::{Value, json};

use crate::support::{Api, demo, read};

#[tokio::test]
async fn bodies_of_the_wrong_shape_are_refused_by_number() {
    let sim = demo().await;
    sim.set_rate_limit(false);
    let api = Api::of(&sim, &sim.admin());
    for (body, status, code) in [
        (json!([]), 422, 601),
        (json!("x"), 422, 601),
        (Value::Null, 422, 602),
        (json!({}), 422, 602),
        (json!({ "metadata": 7 }), 422, 601),
        (json!({ "metadata": {} }), 422, 602),
        (json!({ "metadata": { "name": "" } }), 422, 604),
        (json!({ "metadata": { "name": 7 } }), 422, 601),
        (json!({ "metadata": { "name": "n", "annotations": [] } }), 422, 601),
        (json!({ "metadata": { "name": "n", "annotations": { "a": 1 } } }), 422, 601),
        (json!({ "metadata": { "name": "n", "labels": { "a": {} } } }), 422, 601),
        (json!({ "metadata": { "name": "n", "uid": 1 } }), 422, 601),
        (json!({ "metadata": { "name": "n", "creationTimestamp": "x" } }), 422, 601),
        (json!({ "metadata": { "name": "n" }, "spec": "x" }), 422, 601),
        (json!({ "metadata": { "name": "n" }, "spec": { "expiry": 5 } }), 422, 601),
        (json!({ "metadata": { "name": "n" }, "spec": { "expiry": "soon" } }), 422, 601),
        (json!({ "metadata": { "name": "n" }, "spec": { "userUid": [] } }), 422, 601),
    ] {
        let got = api.send("POST", "/v1/apiKeys", body.clone()).await;
        assert_eq!((got.status, got.code()), (status, json!(code)), "{body}");
    }
    let key = format!("/v1/apiKeys/{}/state", sim.admin().api_key_uid);
    let got = api.send("PUT", &key, json!({ "isActive": "false" })).await;
    assert_eq!((got.status, got.code()), (422, json!(601)));
    assert!(sim.key(&sim.admin().api_key_uid).unwrap().active);
    for body in [json!({ "sort": 1 }), json!({ "sort": [1] }), json!({ "filter": { "name": 1 } })] {
        assert_eq!(api.send("POST", "/v1/users/summary", body).await.status, 422);
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let sim = demo().await;
    sim.set_rate_limit(false);
    let api = Api::of(&sim, &sim.admin());
    let before = sim.keys().len();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["{", "nope", "\u{feff}{}", "{\"a\":1}}", deep.as_str()] {
        let request = api.request("POST", "/v1/apiKeys").header("content-type", "application/json");
        let got = read(request.body(body.to_owned())).await;
        assert_eq!((got.status, got.code()), (400, json!(400)), "{}", &body[..body.len().min(20)]);
    }
    let request = api.request("POST", "/v1/apiKeys").header("content-type", "application/json");
    let got = read(request.body(vec![b'{', 0xff, b'}'])).await;
    assert_eq!(got.status, 400, "no UTF-8");
    let request = api.request("POST", "/v1/apiKeys").header("content-type", "text/plain");
    assert_eq!(read(request.body("{}")).await.code(), 415);
    let request = api.request("POST", "/v1/apiKeys").header("content-type", "application/json");
    assert_eq!(read(request.body("x".repeat(3 << 20))).await.code(), 413);
    assert_eq!(sim.keys().len(), before);
}

#[tokio::test]
async fn odd_queries_are_refused_by_number() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    for (query, status, code) in [
        ("limit=-1", 422, 609),
        ("offset=-1", 422, 609),
        ("limit=x", 422, 601),
        ("limit=99999999999999999999", 422, 601),
    ] {
        let got = api.get(&format!("/v1/users?{query}")).await;
        assert_eq!((got.status, got.code()), (status, json!(code)), "{query}");
    }
    assert_eq!(api.get("/v1/users?limit=0").await.items().len(), 12, "0 means all");
    assert_eq!(api.get("/v1/users?offset=9223372036854775807").await.items().len(), 0);
    assert_eq!(api.get("/v1/permissions?scope=galaxy").await.code(), 606);
    assert_eq!(api.get("/v1/auth/refresh/x?setCookie=maybe").await.code(), 601);
    for path in ["/v1/apiKeys/", "/v1//apiKeys", "/", "/v1/apiKeys/%ff/state/x", "/v2/apiKeys"] {
        assert_eq!(api.get(path).await.code(), 404, "{path}");
    }
}

#[tokio::test]
async fn strange_names_are_kept_as_they_are() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    for name in ["<img src=x>", "a\u{202e}b", "line\nbreak", "\u{0}", "&_", &"n".repeat(10_000)] {
        let uid = api.create(name).await;
        assert_eq!(sim.key(&uid).unwrap().name, name);
        let shown = api.get(&format!("/v1/apiKeys/{uid}")).await.json();
        assert_eq!(shown["metadata"]["name"], name);
    }
}
