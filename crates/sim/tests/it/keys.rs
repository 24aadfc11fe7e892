//! The life of a key, as the fact sheet tells it.

use palette_sim::NewKey;
use serde_json::{Value, json};

use crate::support::{Api, at, demo, empty};

const ZERO: &str = "0001-01-01T00:00:00.000Z";

#[tokio::test]
async fn a_key_is_shown_as_the_sample_in_the_docs() {
    let sim = empty().await;
    let admin = sim.admin();
    let api = Api::of(&sim, &admin);
    let expiry = at(&sim, 86_400);
    let got = api
        .send(
            "POST",
            "/v1/apiKeys",
            json!({
                "metadata": { "name": "ci", "annotations": { "description": "d", "team": "t" } },
                "spec": { "userUid": admin.uid, "expiry": expiry },
            }),
        )
        .await;
    assert_eq!(got.status, 201);
    let (uid, value) = (got.json()["uid"].clone(), got.json()["apiKey"].clone());
    let (uid, value) = (uid.as_str().unwrap(), value.as_str().unwrap());
    assert_eq!(value.len(), 32);
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let truth = sim.key(uid).unwrap();
    assert_eq!(truth.value, value);

    let shown = api.get(&format!("/v1/apiKeys/{uid}")).await;
    assert!(!shown.text.contains(value), "the value is shown once");
    let created = format!("{:.3}", truth.created);
    assert_eq!(
        shown.json(),
        json!({
            "metadata": {
                "annotations": {
                    "description": "d",
                    "team": "t",
                    "ownerUid": admin.uid,
                    "permissions": "apiKey.create,apiKey.delete,apiKey.get,apiKey.list,apiKey.update,tag.update",
                    "scope": "tenant",
                    "scopeVisibility": "20",
                    "tenantUid": sim.tenant_uid(),
                },
                "creationTimestamp": created,
                "deletionTimestamp": ZERO,
                "lastModifiedTimestamp": created,
                "name": "ci",
                "uid": uid,
            },
            "spec": {
                "expiry": expiry,
                "user": { "firstName": "Jane", "lastName": "Doe", "uid": admin.uid },
            },
            "status": { "isActive": true },
        })
    );
    let list = api.get("/v1/apiKeys").await.items();
    assert!(list.contains(&shown.json()), "the list shows the same");
    assert_eq!(uid.get(..8).unwrap(), format!("{:08x}", truth.created.as_second()));
}

#[tokio::test]
async fn a_revoked_key_has_no_is_active() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let uid = api.create("k").await;
    let path = format!("/v1/apiKeys/{uid}");
    let active = |active| json!({ "isActive": active });
    let put = format!("{path}/state");
    for (method, on) in [("PUT", &put), ("PATCH", &path)] {
        assert_eq!(api.send(method, on, active(false)).await.status, 204);
        assert_eq!(api.get(&path).await.json()["status"], json!({}), "{method}");
        assert_eq!(api.send(method, on, active(true)).await.status, 204);
        assert_eq!(api.get(&path).await.json()["status"], active(true), "{method}");
    }
    // A missing boolean is false.
    assert_eq!(api.send("PUT", &put, json!({})).await.status, 204);
    assert!(!sim.key(&uid).unwrap().active);
}

#[tokio::test]
async fn put_overwrites_what_is_left_out() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    let before = sim.key_named("ci-prod").unwrap();
    let path = format!("/v1/apiKeys/{}", before.uid);
    let mut whole: Value = api.get(&path).await.json();
    whole["metadata"]["name"] = json!("ci-prod-2");
    whole["metadata"]["annotations"]["ownerUid"] = json!("someone else");
    whole["metadata"]["annotations"]["permissions"] = json!("all");
    assert_eq!(api.send("PUT", &path, whole).await.status, 204);
    let after = sim.key(&before.uid).unwrap();
    assert_eq!(after.name, "ci-prod-2");
    assert_eq!(
        (&after.annotations, &after.labels, after.expiry, &after.description, &after.value),
        (&before.annotations, &before.labels, before.expiry, &before.description, &before.value),
        "what was read and sent back is kept"
    );
    assert_eq!(after.creator_uid, before.creator_uid);
    assert!(after.modified > before.modified);

    assert_eq!(api.send("PUT", &path, json!({ "metadata": { "name": "bare" } })).await.status, 204);
    let bare = sim.key(&before.uid).unwrap();
    assert_eq!((bare.expiry, bare.description.as_str()), (None, ""));
    assert!(bare.annotations.is_empty() && bare.labels.is_empty());
    let shown = api.get(&path).await.json();
    assert_eq!(shown["spec"]["expiry"], ZERO);
    assert_eq!(shown["metadata"]["annotations"]["ownerUid"], before.creator_uid);
}

#[tokio::test]
async fn expiry_is_future_or_unset() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let create = |expiry: Value| {
        let body = json!({ "metadata": { "name": "k" }, "spec": { "expiry": expiry } });
        api.send("POST", "/v1/apiKeys", body)
    };
    for unset in [Value::Null, json!(ZERO), json!("")] {
        let got = create(unset).await;
        assert_eq!(sim.key(got.json()["uid"].as_str().unwrap()).unwrap().expiry, None);
    }
    let got = create(json!(at(&sim, -1))).await;
    assert_eq!((got.status, got.code()), (400, json!("InvalidExpiry")));
    let got = create(json!("2999-01-01T00:00:00+05:30")).await;
    let key = sim.key(got.json()["uid"].as_str().unwrap()).unwrap();
    assert_eq!(key.expiry.unwrap().to_string(), "2998-12-31T18:30:00Z");
}

#[tokio::test]
async fn an_expired_key_wakes_up_only_with_a_new_expiry() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let expiry = Some(at(&sim, -60).parse().unwrap());
    let key = sim.add_key(NewKey { expiry, active: false, ..NewKey::named("old") });
    let path = format!("/v1/apiKeys/{}", key.uid);
    let state = format!("{path}/state");
    let got = api.send("PUT", &state, json!({ "isActive": true })).await;
    assert_eq!((got.status, got.code()), (400, json!("ApiKeyExpired")));
    // Renaming with the old expiry sent back is fine.
    let mut whole = api.get(&path).await.json();
    whole["metadata"]["name"] = json!("older");
    assert_eq!(api.send("PUT", &path, whole.clone()).await.status, 204);
    whole["spec"]["expiry"] = json!(at(&sim, 3600));
    assert_eq!(api.send("PUT", &path, whole).await.status, 204);
    assert_eq!(api.send("PUT", &state, json!({ "isActive": true })).await.status, 204);
    assert!(sim.key(&key.uid).unwrap().works_at(sim.now()));
}

#[tokio::test]
async fn names_repeat_and_unknown_keys_are_not_found() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let (one, two) = (api.create("same").await, api.create("same").await);
    assert_ne!(one, two);
    assert_eq!(api.delete(&format!("/v1/apiKeys/{one}")).await.status, 204);
    for method in ["GET", "DELETE", "PUT", "PATCH"] {
        let body = json!({ "metadata": { "name": "x" } });
        let got = api.send(method, &format!("/v1/apiKeys/{one}"), body).await;
        assert_eq!((got.status, got.code()), (404, json!("ResourceNotFound")), "{method}");
    }
    assert!(sim.key(&two).is_some());
}

#[tokio::test]
async fn every_change_is_in_the_log() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let uid = api.create("logged").await;
    let path = format!("/v1/apiKeys/{uid}");
    api.send("PUT", &path, json!({ "metadata": { "name": "logged" } })).await;
    for active in [false, false, true] {
        api.send("PUT", &format!("{path}/state"), json!({ "isActive": active })).await;
    }
    sim.edit_key_directly(&uid, |key| key.name = "by another".to_owned());
    api.delete(&path).await;
    let query = format!("/v1/audits?resourceKind=apiKey&resourceUid={uid}");
    let mut items = api.get(&query).await.items();
    items.reverse();
    let actions: Vec<&str> =
        items.iter().map(|item| item["spec"]["actionType"].as_str().unwrap()).collect();
    // The second revoke changed nothing.
    assert_eq!(actions, ["create", "update", "update", "update", "update", "delete"]);
    let actor = |n: usize| items[n]["spec"]["actor"]["user"]["uid"].as_str().unwrap().to_owned();
    assert_eq!(actor(0), sim.admin().uid);
    assert_ne!(actor(4), sim.admin().uid, "someone else");
    assert_eq!(items[5]["spec"]["resource"]["name"], "by another");
    assert_eq!(items[5]["spec"]["resource"]["kind"], "apiKey");
}

#[tokio::test]
async fn hostile_uids_reach_only_themselves() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    for uid in ["../x", "a/b", "%2e%2e", "?x", "#", "a\r\nb", &"u".repeat(1024), "\u{202e}", " "] {
        sim.add_key(NewKey { uid: Some(uid.to_owned()), ..NewKey::named("hostile") });
        let encoded: String = uid.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/v1/apiKeys/{encoded}");
        assert_eq!(api.get(&path).await.json()["metadata"]["uid"], uid);
        assert_eq!(api.delete(&path).await.status, 204, "{uid:?}");
        assert!(sim.key(uid).is_none(), "{uid:?}");
    }
    assert_eq!(sim.keys().len(), 6, "the sign-in keys are all there");
}

#[tokio::test]
async fn the_demo_has_every_state() {
    let sim = demo().await;
    let (keys, now) = (sim.keys(), sim.now());
    let people = sim.users();
    assert_eq!((keys.len(), people.len()), (39, 12));
    let count = |f: &dyn Fn(&palette_sim::KeyTruth) -> bool| keys.iter().filter(|k| f(k)).count();
    let admin = sim.admin();
    assert_eq!(count(&|key| key.owner_uid == admin.uid), 7);
    let days =
        |key: &palette_sim::KeyTruth| key.expiry.map(|e| e.duration_since(now).as_hours() / 24);
    for wanted in [5, 9, 12] {
        assert_eq!(count(&|k| k.owner_uid == admin.uid && days(k) == Some(wanted)), 1);
    }
    assert!(count(&|key| key.expiry.is_none()) >= 2, "never ending");
    assert!(count(&|key| key.expiry.is_some_and(|e| e <= now)) >= 5, "expired");
    assert!(count(&|key| !key.active) >= 5, "revoked");
    let known = |uid: &str| people.iter().any(|person| person.uid == uid);
    assert_eq!(count(&|key| !known(&key.owner_uid)), 4, "owners gone");
    assert!(count(&|key| people.iter().any(|p| p.uid == key.owner_uid && !p.active)) >= 2);
    for account in [sim.admin(), sim.user(), sim.viewer(), sim.project_admin(), sim.user_admin()] {
        assert!(sim.key(&account.api_key_uid).unwrap().works_at(now), "{}", account.name);
    }
}
