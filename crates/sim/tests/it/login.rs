//! Passwords and tokens.

use palette_sim::{Account, Sim, SimOptions};
use serde_json::json;

use crate::support::{Api, Got, demo};

async fn login(sim: &Sim, account: &Account, org: &str) -> Got {
    let body = json!({ "emailId": account.email, "password": account.password, "org": org });
    Api::nobody(sim).send("POST", "/v1/auth/authenticate?setCookie=false", body).await
}

fn token(got: &Got) -> String {
    got.json()["Authorization"].as_str().unwrap().to_owned()
}

async fn works(sim: &Sim, token: &str) -> bool {
    Api::with(sim, "Authorization", token).get("/v1/users/info").await.status == 200
}

/// The claims of a token; base64 by hand, tests have no library for it.
fn claims(token: &str) -> serde_json::Value {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bits = Vec::new();
    for byte in token.split('.').nth(1).unwrap().bytes() {
        let value = alphabet.iter().position(|known| *known == byte).unwrap();
        bits.extend((0..6).rev().map(|bit| value >> bit & 1));
    }
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|chunk| chunk.iter().fold(0, |byte, bit| byte << 1 | u8::try_from(*bit).unwrap()))
        .collect();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_token_ends_and_is_refreshed_before() {
    let sim = demo().await;
    let got = login(&sim, &sim.admin(), "acme").await;
    assert_eq!(got.status, 200);
    assert_eq!(got.json()["isMfa"], false);
    assert_eq!(got.header("set-cookie"), None);
    let first = token(&got);
    let claims_of_first = claims(&first);
    assert_eq!(claims_of_first["exp"].as_i64().unwrap() - sim.now().as_second(), 15 * 60);
    assert!(works(&sim, &first).await);

    sim.advance_seconds(14 * 60);
    let got = Api::nobody(&sim).get(&format!("/v1/auth/refresh/{first}?setCookie=false")).await;
    let second = token(&got);
    assert_eq!(claims(&second)["sid"], claims_of_first["sid"], "the same session");
    assert_ne!(first, second);
    sim.advance_seconds(2 * 60);
    assert!(!works(&sim, &first).await, "ended");
    assert!(works(&sim, &second).await);
    let got = Api::nobody(&sim).get(&format!("/v1/auth/refresh/{first}")).await;
    assert_eq!((got.status, got.code()), (401, json!("UnAuthorizedAccess")));

    let api = Api::with(&sim, "Authorization", &second);
    let got = api.send("POST", "/v1/users/auth/tokens/revoke", json!({ "tokens": [second] })).await;
    assert_eq!(got.status, 204);
    assert!(!works(&sim, &second).await);
}

#[tokio::test]
async fn the_life_of_a_token_is_a_setting() {
    let options = SimOptions { token_minutes: 1, ..SimOptions::default() };
    let sim = palette_sim::start(options).await.unwrap();
    let token = token(&login(&sim, &sim.user(), "").await);
    sim.advance_seconds(59);
    assert!(works(&sim, &token).await);
    sim.advance_seconds(2);
    assert!(!works(&sim, &token).await);
    let path = format!("/v1/tenants/{}/authTokenSettings", sim.tenant_uid());
    let got = Api::of(&sim, &sim.admin()).get(&path).await;
    assert_eq!(got.json()["expiryTimeMinutes"], 15, "the least the schema allows");
}

#[tokio::test]
async fn wrong_passwords_people_and_organizations_are_refused() {
    let sim = demo().await;
    let admin = sim.admin();
    let wrong = Account { password: "wrong".to_owned(), ..admin.clone() };
    let got = login(&sim, &wrong, "acme").await;
    assert_eq!((got.status, got.code()), (401, json!("UnAuthorizedAccess")));
    assert_eq!(login(&sim, &admin, "globex").await.status, 401);
    assert_eq!(login(&sim, &admin, "").await.status, 200);
    let inactive = sim.account("omar.haddad@acme.example");
    assert_eq!(login(&sim, &inactive, "acme").await.status, 401);
    let two = sim.account("grace.kim@acme.example");
    let got = login(&sim, &two, "").await;
    assert_eq!((got.status, got.code()), (400, json!("OrganizationRequired")));
    assert_eq!(login(&sim, &two, "acme").await.status, 200);
    let got = Api::nobody(&sim).get("/v1/auth/org?orgName=nope").await;
    assert_eq!(got.code(), "ResourceNotFound");
}

#[tokio::test]
async fn a_second_factor_cannot_be_given() {
    let sim = demo().await;
    let got = login(&sim, &sim.mfa_user(), "acme").await;
    assert_eq!((got.status, &got.json()["isMfa"]), (200, &json!(true)));
    assert!(!works(&sim, &token(&got)).await);
}

#[tokio::test]
async fn tokens_of_people_who_left_stop() {
    let sim = demo().await;
    let user = sim.user();
    let token = token(&login(&sim, &user, "acme").await);
    sim.deactivate_user(&user.uid);
    assert!(!works(&sim, &token).await);
    sim.end_sessions();
    assert!(!works(&sim, &token).await);
}

#[tokio::test]
async fn the_cookie_comes_unless_refused() {
    let sim = demo().await;
    let admin = sim.admin();
    let body = json!({ "emailId": admin.email, "password": admin.password });
    let got = Api::nobody(&sim).send("POST", "/v1/auth/authenticate", body).await;
    assert!(got.header("set-cookie").unwrap().contains("HttpOnly"));
    let cookie = format!("Authorization={}", token(&got));
    let orgs = Api::with(&sim, "Cookie", &cookie).get("/v1/auth/orgs").await;
    assert_eq!(orgs.json()["organizations"].as_array().unwrap().len(), 1);
}
