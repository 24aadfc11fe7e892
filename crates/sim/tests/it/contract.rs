//! Every answer of every call, checked against the schema of the service itself.
//!
//! Stricter than the schema on one point: an object that lists its properties may have no others,
//! so that the simulator invents no field.

use std::collections::BTreeSet;
use std::path::PathBuf;

use palette_sim::NewKey;
use serde_json::{Value, json};

use crate::support::{Api, Got, demo};

fn document() -> Option<Value> {
    let path = std::env::var_os("PALETTE_OPENAPI").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/palette-openapi.json"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// Swagger 2 definitions as JSON schema: close the objects, nothing else differs for answers.
fn close(schema: &mut Value) {
    if let Value::Object(object) = schema {
        if object.contains_key("properties") && !object.contains_key("additionalProperties") {
            object.insert("additionalProperties".to_owned(), json!(false));
        }
        object.values_mut().for_each(close);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

struct Contract {
    document: Value,
    seen: BTreeSet<String>,
}

impl Contract {
    /// Checks an answer of the call at `path` (as in the document) and notes that it was seen.
    fn check(&mut self, method: &str, path: &str, status: u16, got: &Got) {
        assert_eq!(got.status, status, "{method} {path}: {got:?}");
        let responses = &self.document["paths"][path][method]["responses"];
        let response = &responses[status.to_string()];
        assert!(response.is_object(), "{method} {path} documents {status}");
        match response.get("schema") {
            None => assert_eq!(got.text, "", "{method} {path} has no body"),
            Some(schema) => {
                let mut root = schema.clone();
                let mut definitions = self.document["definitions"].clone();
                definitions.as_object_mut().unwrap().values_mut().for_each(close);
                if let Value::Object(root) = &mut root {
                    root.insert("definitions".to_owned(), definitions);
                }
                let validator = jsonschema::options()
                    .with_draft(jsonschema::Draft::Draft4)
                    .should_validate_formats(true)
                    .build(&root)
                    .unwrap();
                let body = got.json();
                let errors: Vec<String> = validator
                    .iter_errors(&body)
                    .map(|error| format!("{} at {}", error, error.instance_path()))
                    .collect();
                assert!(errors.is_empty(), "{method} {path}: {errors:#?}");
                assert_eq!(got.header("content-type"), Some("application/json"));
            }
        }
        self.seen.insert(format!("{} {path}", method.to_uppercase()));
    }
}

#[tokio::test]
async fn every_answer_fits_the_document() {
    let Some(document) = document() else {
        // Past the capture of the test harness, so that the skip shows in every run.
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), "skipped: palette-openapi.json not found");
        return;
    };
    let mut contract = Contract { document, seen: BTreeSet::new() };
    let sim = demo().await;
    sim.set_rate_limit(false);
    let admin = sim.admin();
    let api = Api::of(&sim, &admin);
    let tenant = sim.tenant_uid();
    // A key with everything a key can have, and hostile at that.
    let hostile = NewKey {
        uid: Some("../x?y#z".to_owned()),
        annotations: [("a\u{202e}b".to_owned(), "\u{0}".to_owned())].into(),
        labels: [("<b>".to_owned(), String::new())].into(),
        ..NewKey::named("a\nb\u{200b}<script>")
    };
    sim.add_key(hostile);

    for (path, asked) in [
        ("/v1/apiKeys", "/v1/apiKeys"),
        ("/v1/apiKeys/{uid}", &format!("/v1/apiKeys/{}", admin.api_key_uid)),
        ("/v1/apiKeys/{uid}", "/v1/apiKeys/..%2Fx%3Fy%23z"),
        ("/v1/audits", "/v1/audits"),
        ("/v1/audits/{uid}", &format!("/v1/audits/{}", sim.audits()[0].uid)),
        ("/v1/audits/{uid}/sysMsg", &format!("/v1/audits/{}/sysMsg", sim.audits()[0].uid)),
        ("/v1/auth/org", "/v1/auth/org"),
        ("/v1/auth/org", "/v1/auth/org?orgName=acme"),
        ("/v1/auth/org", "/v1/auth/org?orgName=globex"),
        ("/v1/auth/orgs", "/v1/auth/orgs"),
        ("/v1/auth/sso/logins", "/v1/auth/sso/logins"),
        ("/v1/auth/sso/logins", "/v1/auth/sso/logins?org=globex"),
        ("/v1/health/ping", "/v1/health/ping"),
        ("/v1/health/ready", "/v1/health/ready"),
        ("/v1/permissions", "/v1/permissions"),
        ("/v1/permissions", "/v1/permissions?scope=tenant"),
        ("/v1/roles", "/v1/roles"),
        ("/v1/roles", "/v1/roles?limit=2&offset=1"),
        ("/v1/tenants/{tenantUid}/resourceLimits", &format!("/v1/tenants/{tenant}/resourceLimits")),
        (
            "/v1/tenants/{tenantUid}/authTokenSettings",
            &format!("/v1/tenants/{tenant}/authTokenSettings"),
        ),
        ("/v1/users", "/v1/users"),
        ("/v1/users", "/v1/users?limit=3&offset=2"),
        ("/v1/users/info", "/v1/users/info"),
        ("/v1/users/meta", "/v1/users/meta"),
        ("/v1/users/{uid}", &format!("/v1/users/{}", admin.uid)),
        ("/v1/users/{uid}/roles", &format!("/v1/users/{}/roles", admin.uid)),
    ] {
        contract.check("get", path, 200, &api.get(asked).await);
    }

    let login = json!({ "emailId": admin.email, "password": admin.password, "org": "acme" });
    let got = api.send("POST", "/v1/auth/authenticate?setCookie=false", login).await;
    contract.check("post", "/v1/auth/authenticate", 200, &got);
    let token = got.json()["Authorization"].as_str().unwrap().to_owned();
    let got = api.get(&format!("/v1/auth/refresh/{token}?setCookie=false")).await;
    contract.check("get", "/v1/auth/refresh/{token}", 200, &got);
    let got = Api::with(&sim, "Authorization", &token).get("/v1/auth/orgs").await;
    contract.check("get", "/v1/auth/orgs", 200, &got);
    assert_eq!(got.json()["organizations"][0]["name"], "acme");

    let got = api.send("POST", "/v1/users/summary", json!({})).await;
    contract.check("post", "/v1/users/summary", 200, &got);
    let body = json!({ "metadata": { "name": "n" }, "spec": {} });
    let got = api.send("POST", "/v1/apiKeys", body.clone()).await;
    contract.check("post", "/v1/apiKeys", 201, &got);
    let uid = got.json()["uid"].as_str().unwrap().to_owned();
    let (path, state) = (format!("/v1/apiKeys/{uid}"), format!("/v1/apiKeys/{uid}/state"));
    contract.check("put", "/v1/apiKeys/{uid}", 204, &api.send("PUT", &path, body).await);
    let off = json!({ "isActive": false });
    contract.check("patch", "/v1/apiKeys/{uid}", 204, &api.send("PATCH", &path, off.clone()).await);
    contract.check("put", "/v1/apiKeys/{uid}/state", 204, &api.send("PUT", &state, off).await);
    contract.check("get", "/v1/apiKeys/{uid}", 200, &api.get(&path).await);
    contract.check("delete", "/v1/apiKeys/{uid}", 204, &api.delete(&path).await);

    // What the document has and the simulator refuses: writes on people, roles and the tenant, and
    // notes on audits.
    let refused = [
        "DELETE /v1/tenants/{tenantUid}",
        "DELETE /v1/users/{uid}",
        "GET /v1/tenants/{tenantUid}",
        "PATCH /v1/audits/{uid}/userMsg",
        "PATCH /v1/users/{uid}",
        "POST /v1/roles",
        "POST /v1/users",
        "PUT /v1/users/{uid}",
        "PUT /v1/users/{uid}/roles",
    ];
    let documented: BTreeSet<String> = contract.document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, calls)| {
            let calls = calls.as_object().unwrap().keys().filter(|name| *name != "parameters");
            calls.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .filter(|call| !refused.contains(&call.as_str()))
        .collect();
    assert_eq!(contract.seen, documented, "every call was checked");
}

#[tokio::test]
async fn writes_beyond_keys_are_refused_as_the_framework_does() {
    let sim = demo().await;
    let api = Api::of(&sim, &sim.admin());
    let uid = sim.admin().uid;
    for (method, path, allowed) in [
        ("POST", "/v1/users".to_owned(), "GET"),
        ("POST", "/v1/roles".to_owned(), "GET"),
        ("PUT", format!("/v1/users/{uid}"), "GET"),
        ("PATCH", format!("/v1/users/{uid}"), "GET"),
        ("DELETE", format!("/v1/users/{uid}"), "GET"),
        ("PUT", format!("/v1/users/{uid}/roles"), "GET"),
        ("DELETE", format!("/v1/tenants/{}", sim.tenant_uid()), "GET"),
        ("POST", format!("/v1/apiKeys/{uid}"), "DELETE,GET,PATCH,PUT"),
        ("GET", "/v1/users/summary".to_owned(), "POST"),
    ] {
        let got = api.send(method, &path, json!({})).await;
        assert_eq!(got.status, 405, "{method} {path}");
        let message = format!("method {method} is not allowed, but [{allowed}] are");
        assert_eq!(got.json(), json!({ "code": 405, "message": message }));
        assert_eq!(got.header("allow"), Some(allowed));
    }
    let got = api.get("/v1/x").await;
    assert_eq!(got.status, 404);
    assert_eq!(got.json(), json!({ "code": 404, "message": "path /v1/x was not found" }));
}
