//! Who sees and may do what, and which credentials are turned away.

use palette_sim::{NewKey, Sim};
use serde_json::{Value, json};

use crate::support::{Api, at, demo, empty};

fn permissions(item: &Value) -> &str {
    item["metadata"]["annotations"]["permissions"].as_str().unwrap()
}

fn owner(item: &Value) -> &str {
    item["spec"]["user"]["uid"].as_str().unwrap()
}

#[tokio::test]
async fn admins_see_every_key_and_may_do_everything() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    let items = api.get("/v1/apiKeys").await.items();
    assert_eq!(items.len(), sim.keys().len());
    for item in &items {
        assert_eq!(
            permissions(item),
            "apiKey.create,apiKey.delete,apiKey.get,apiKey.list,apiKey.update,tag.update"
        );
    }
    let sams = sim.key_named("demo-day").unwrap();
    assert_eq!(api.delete(&format!("/v1/apiKeys/{}", sams.uid)).await.status, 204);
    for path in ["/v1/users", "/v1/users/meta", "/v1/roles", "/v1/audits"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    assert_eq!(api.get(&format!("/v1/tenants/{}", sim.tenant_uid())).await.status, 403);
}

#[tokio::test]
async fn plain_users_see_and_manage_their_own_keys_only() {
    let sim = demo().await;
    let user = sim.user();
    let api = Api::of(&sim, &user);
    let items = api.get("/v1/apiKeys").await.items();
    assert_eq!(items.len(), 4);
    for item in &items {
        assert_eq!(owner(item), user.uid);
        assert_eq!(permissions(item), "apiKey.delete,apiKey.get,apiKey.update");
    }
    let janes = sim.key_named("ci-prod").unwrap().uid;
    for (method, path) in [
        ("GET", format!("/v1/apiKeys/{janes}")),
        ("PUT", format!("/v1/apiKeys/{janes}/state")),
        ("DELETE", format!("/v1/apiKeys/{janes}")),
    ] {
        let got = api.send(method, &path, json!({ "isActive": false })).await;
        assert_eq!((got.status, got.code()), (403, json!("OperationForbidden")), "{method}");
    }
    assert!(sim.key(&janes).unwrap().active, "nothing happened to it");
    for path in ["/v1/users", "/v1/users/meta", "/v1/roles", "/v1/audits"] {
        assert_eq!(api.get(path).await.status, 403, "{path}");
    }
    assert_eq!(api.get(&format!("/v1/users/{}", user.uid)).await.status, 403);

    let own = api.create("mine").await;
    assert_eq!(sim.key(&own).unwrap().owner_uid, user.uid);
    assert_eq!(api.delete(&format!("/v1/apiKeys/{own}")).await.status, 204);
    let for_jane = json!({ "metadata": { "name": "n" }, "spec": { "userUid": sim.admin().uid } });
    let got = api.send("POST", "/v1/apiKeys", for_jane).await;
    assert_eq!((got.status, got.code()), (403, json!("OperationForbidden")));
}

#[tokio::test]
async fn viewers_see_every_key_and_change_their_own() {
    let sim = demo().await;
    let viewer = sim.viewer();
    let api = Api::of(&sim, &viewer);
    let items = api.get("/v1/apiKeys").await.items();
    assert_eq!(items.len(), sim.keys().len());
    for item in &items {
        let own = owner(item) == viewer.uid;
        let expected = if own {
            "apiKey.delete,apiKey.get,apiKey.list,apiKey.update"
        } else {
            "apiKey.get,apiKey.list"
        };
        assert_eq!(permissions(item), expected);
    }
    let janes = format!("/v1/apiKeys/{}", sim.key_named("ci-prod").unwrap().uid);
    assert_eq!(api.get(&janes).await.status, 200);
    assert_eq!(api.delete(&janes).await.status, 403);
    for path in ["/v1/users/meta", "/v1/audits", "/v1/roles"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
    let own = format!("/v1/apiKeys/{}", api.create("own").await);
    assert_eq!(api.delete(&own).await.status, 204);
}

#[tokio::test]
async fn project_admins_list_keys_but_not_people() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.project_admin());
    assert_eq!(api.get("/v1/apiKeys").await.items().len(), sim.keys().len());
    for path in ["/v1/users", "/v1/users/meta"] {
        assert_eq!(api.get(path).await.status, 403, "{path}");
    }
    assert_eq!(api.send("POST", "/v1/users/summary", json!({})).await.status, 403);
    assert_eq!(api.get("/v1/audits").await.status, 200);
}

#[tokio::test]
async fn user_admins_make_keys_for_others() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.user_admin());
    let sam = sim.user().uid;
    let body = json!({ "metadata": { "name": "for sam" }, "spec": { "userUid": sam } });
    let got = api.send("POST", "/v1/apiKeys", body).await;
    let key = sim.key(got.json()["uid"].as_str().unwrap()).unwrap();
    assert_eq!(key.owner_uid, sam);
    assert_eq!(key.creator_uid, sim.user_admin().uid);
    let body = json!({ "metadata": { "name": "x" }, "spec": { "userUid": "nobody" } });
    let got = api.send("POST", "/v1/apiKeys", body).await;
    assert_eq!((got.status, got.code()), (404, json!("UserNotFound")));
}

#[tokio::test]
async fn permissions_follow_the_roles_at_once() {
    let sim = empty().await;
    let user = sim.user();
    let api = Api::of(&sim, &user);
    assert_eq!(api.get("/v1/apiKeys").await.items().len(), 1);
    sim.set_user_roles(&user.uid, &["Tenant Viewer"]);
    assert_eq!(api.get("/v1/apiKeys").await.items().len(), 6);
}

#[tokio::test]
async fn team_roles_count() {
    let sim = demo().await;
    let yuki = sim.account("yuki.tanaka@acme.example");
    let api = Api::of(&sim, &yuki);
    assert_eq!(api.get("/v1/apiKeys").await.items().len(), sim.keys().len());
    let roles = api.get(&format!("/v1/users/{}/roles", yuki.uid)).await.json();
    assert_eq!(roles["inheritedRoles"][0]["name"], "Tenant Viewer");
}

async fn status(sim: &Sim, value: &str) -> u16 {
    Api::with(sim, "ApiKey", value).get("/v1/users/info").await.status
}

#[tokio::test]
async fn revoked_expired_and_deleted_keys_stop_working() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let revoked = sim.add_key(NewKey::named("revoked"));
    let deleted = sim.add_key(NewKey::named("deleted"));
    let expiry = Some(at(&sim, 60).parse().unwrap());
    let expiring = sim.add_key(NewKey { expiry, ..NewKey::named("expiring") });
    for key in [&revoked, &deleted, &expiring] {
        assert_eq!(status(&sim, &key.value).await, 200, "{}", key.name);
    }
    let state = format!("/v1/apiKeys/{}/state", revoked.uid);
    assert_eq!(api.send("PUT", &state, json!({ "isActive": false })).await.status, 204);
    assert_eq!(status(&sim, &revoked.value).await, 401);
    assert_eq!(api.send("PUT", &state, json!({ "isActive": true })).await.status, 204);
    assert_eq!(status(&sim, &revoked.value).await, 200);
    assert_eq!(api.delete(&format!("/v1/apiKeys/{}", deleted.uid)).await.status, 204);
    assert_eq!(status(&sim, &deleted.value).await, 401);
    sim.advance_seconds(61);
    assert_eq!(status(&sim, &expiring.value).await, 401);
}

#[tokio::test]
async fn keys_of_people_who_left_stay_and_work() {
    let sim = empty().await;
    let (user, viewer) = (sim.user(), sim.viewer());
    sim.remove_user(&user.uid);
    sim.deactivate_user(&viewer.uid);
    assert_eq!(status(&sim, &user.api_key).await, 200);
    assert_eq!(status(&sim, &viewer.api_key).await, 200);
    let api = Api::of(&sim, &sim.admin());
    let key = api.get(&format!("/v1/apiKeys/{}", user.api_key_uid)).await.json();
    assert_eq!(key["spec"]["user"]["uid"], user.uid);
    let got = api.get(&format!("/v1/users/{}", user.uid)).await;
    assert_eq!((got.status, got.code()), (404, json!("UserNotFound")));
    let people = api.get("/v1/users/meta").await.items();
    assert!(people.iter().all(|person| person["uid"] != user.uid));
}

#[tokio::test]
async fn a_bad_key_is_echoed_and_turned_away() {
    let sim = empty().await;
    let api = Api::with(&sim, "ApiKey", "no-such-key-1234567890");
    let got = api.get("/v1/users/info").await;
    assert_eq!((got.status, got.code()), (401, json!("UnAuthorizedAccess")));
    assert!(got.json()["message"].as_str().unwrap().contains("no-such-key-1234567890"));
    assert!(got.json()["ref"].as_str().unwrap().starts_with("ref-"));
    sim.set_bad_key_not_found(true);
    let got = api.get("/v1/users/info").await;
    assert_eq!((got.status, got.code()), (404, json!("ResourceNotFound")));
    assert!(got.text.contains("no-such-key-1234567890"));

    sim.set_bad_key_not_found(false);
    for (name, value) in [
        ("Authorization", sim.admin().api_key),
        ("Authorization", format!("Bearer {}", sim.admin().api_key)),
    ] {
        assert_eq!(Api::with(&sim, name, &value).get("/v1/users/info").await.status, 401);
    }
    let in_query = format!("/v1/users/info?ApiKey={}", sim.admin().api_key);
    assert_eq!(Api::nobody(&sim).get(&in_query).await.status, 401);
}

#[tokio::test]
async fn a_project_is_never_right() {
    let sim = empty().await;
    let mut api = Api::of(&sim, &sim.admin());
    api.credential.push(("ProjectUid", "63c1a2b3c4d5e6f708192a3b".to_owned()));
    let got = api.get("/v1/users/info").await;
    assert_eq!((got.status, got.code()), (404, json!("ProjectNotFoundInTenant")));
}

#[tokio::test]
async fn users_me_can_be_absent() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.viewer());
    let me = api.get("/v1/users/me").await.json();
    assert_eq!(me["spec"]["emailId"], sim.viewer().email);
    let mine = me["status"]["tenantPermissions"]["tenant"].as_array().unwrap();
    assert!(mine.contains(&json!("apiKey.list")) && !mine.contains(&json!("apiKey.create")));
    sim.set_users_me(false);
    let got = api.get("/v1/users/me").await;
    assert_eq!((got.status, got.code()), (404, json!(404)));
}
