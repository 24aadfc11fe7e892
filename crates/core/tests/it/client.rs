//! The client's calls against the simulator of Palette: what it sends, what it understands, what
//! it repeats and what it never repeats.

use crate::raw::{Answer, CANARY, client, json, response, serve, settled, stranger};
use jiff::{SignedDuration, Timestamp};
use palette_keys_core::api::{ApiError, Credential, PaletteClient, People, Sent};
use palette_keys_core::connection::ProxyChoice;
use palette_keys_core::keys::{ApiKey, KeyChange, KeyUid, NewKey};
use palette_keys_core::{ErrorCode, Secret};
use palette_sim::{Account, Fault, Matcher, Seed, Sim, SimOptions};
use std::collections::BTreeMap;
use std::time::Duration;

async fn sim() -> Sim {
    let options = SimOptions { rate_limit: false, ..SimOptions::default() };
    palette_sim::start(options).await.unwrap()
}

fn admin(sim: &Sim) -> PaletteClient {
    client(&sim.origin(), &sim.admin().api_key)
}

fn in_days(days: i64) -> Timestamp {
    let now = Timestamp::from_second(1_800_000_000).unwrap().max(today());
    now.checked_add(SignedDuration::from_hours(24 * days)).unwrap()
}

fn today() -> Timestamp {
    use palette_keys_core::clock::{Clock, SystemClock};
    SystemClock.now()
}

fn new_key(sim: &Sim, name: &str) -> NewKey {
    NewKey {
        name: name.into(),
        description: "made by a test".into(),
        owner_uid: sim.admin().uid,
        expires: in_days(30),
        annotations: BTreeMap::from([("opId".into(), "op-1".into())]),
    }
}

async fn named(client: &PaletteClient, name: &str) -> Option<ApiKey> {
    client.list_keys().await.unwrap().into_iter().find(|key| key.name == name)
}

fn sent(sim: &Sim, method: &str, path: &str) -> usize {
    sim.requests().iter().filter(|r| r.method == method && r.path.starts_with(path)).count()
}

async fn signed_in(sim: &Sim, account: &Account) -> PaletteClient {
    let client = stranger(&sim.origin());
    let password = Secret::new(account.password.clone());
    client.authenticate(&account.email, &account.organization, &password).await.unwrap();
    client
}

// ---- who am I ----

#[tokio::test]
async fn an_admin_sees_everything() {
    let sim = sim().await;
    let client = admin(&sim);
    let who = client.who_am_i().await.unwrap();
    assert_eq!(who.user_uid, sim.admin().uid);
    assert_eq!(who.tenant_uid, sim.tenant_uid());
    assert_eq!(who.organization, sim.admin().organization);

    let me = client.me().await.unwrap().expect("users/me is there");
    assert_eq!(me.email, sim.admin().email);
    assert!(me.tenant_permissions.iter().any(|p| p == "apiKey.create"), "{me:?}");

    let keys = client.read_keys().await.unwrap();
    assert_eq!((keys.keys.len(), keys.skipped), (sim.keys().len(), 0));
    for truth in sim.keys() {
        let key = keys.keys.iter().find(|key| key.uid.as_str() == truth.uid).unwrap();
        assert_eq!((&key.name, key.active), (&truth.name, truth.active));
        assert_eq!(key.expires, truth.expiry);
        assert_eq!(key.owner_uid, truth.owner_uid);
        assert_eq!(key.description, truth.description);
    }

    let People::Known(people) = client.people().await.unwrap() else {
        panic!("admins list people")
    };
    assert_eq!(people.len(), sim.users().len());
    for truth in sim.users() {
        let person = people.iter().find(|person| person.uid == truth.uid).unwrap();
        assert_eq!(person.active, Some(truth.active), "{}", person.name);
        assert!(!person.name.is_empty() && person.email.contains('@'));
    }

    let limit = client.key_limit(&who.tenant_uid).await.unwrap();
    assert_eq!(limit, Some(20));
    let roles = client.roles_of(&who.user_uid).await.unwrap().expect("readable");
    assert!(roles.iter().any(|role| role.name == "Tenant Admin"), "{roles:?}");
    let uids: Vec<String> = roles.into_iter().map(|role| role.uid).collect();
    let permissions = client.role_permissions(&uids).await.unwrap().expect("readable");
    assert!(permissions.iter().any(|p| p == "apiKey.delete"), "{permissions:?}");
    let person = client.user(&who.user_uid).await.unwrap().expect("readable");
    assert_eq!(person.email, sim.admin().email);
}

#[tokio::test]
async fn a_plain_user_sees_own_keys_only() {
    let sim = sim().await;
    let user = sim.user();
    let client = client(&sim.origin(), &user.api_key);
    let keys = client.list_keys().await.unwrap();
    assert!(!keys.is_empty() && keys.iter().all(|key| key.owner_uid == user.uid));
    assert_eq!(client.people().await.unwrap(), People::Unreadable);
    assert_eq!(client.roles_of(&user.uid).await.unwrap(), None);
    assert_eq!(client.user(&user.uid).await.unwrap(), None);
    assert_eq!(client.key_limit(&sim.tenant_uid()).await.unwrap(), None);
    assert_eq!(client.role_permissions(&["x".into()]).await.unwrap(), None);
}

#[tokio::test]
async fn a_wrong_key_is_rejected_and_never_repeated_in_words() {
    for not_found in [false, true] {
        let sim = sim().await;
        sim.set_bad_key_not_found(not_found);
        let error = client(&sim.origin(), CANARY).who_am_i().await.unwrap_err();
        assert!(matches!(error, ApiError::CredentialRejected(_)), "{error:?}");
        let failure = error.failure();
        assert_eq!(failure.code, ErrorCode::CredentialRejected);
        assert!(!format!("{failure:?} {error:?}").contains(CANARY), "the echo is redacted");
        let said = failure.details.unwrap().server_message.unwrap();
        assert!(said.contains("[redacted]"), "the simulator echoed it: {said}");
    }
}

#[tokio::test]
async fn a_value_is_proved_beside_the_own_credential() {
    let sim = sim().await;
    let client = admin(&sim);
    let who = client.prove(&Secret::new(sim.user().api_key)).await.unwrap();
    assert_eq!(who.user_uid, sim.user().uid);
    assert_eq!(client.who_am_i().await.unwrap().user_uid, sim.admin().uid, "still signed in as");
    let error = client.prove(&Secret::new(CANARY.into())).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CredentialRejected);
    assert!(client.is_signed_in(), "a bad value does not sign the owner out");
    let error = client.prove(&Secret::new("two lines\nof it".into())).await.unwrap_err();
    assert_eq!(error, ApiError::CredentialMalformed);
}

#[tokio::test]
async fn without_users_me() {
    let sim = sim().await;
    sim.set_users_me(false);
    assert_eq!(admin(&sim).me().await.unwrap(), None);
}

#[tokio::test]
async fn nothing_is_sent_before_signing_in() {
    let sim = sim().await;
    let client = stranger(&sim.origin());
    assert_eq!(client.list_keys().await.unwrap_err(), ApiError::NotSignedIn);
    client.sign_in(Credential::ApiKey(Secret::new("ä".into())));
    assert_eq!(client.list_keys().await.unwrap_err(), ApiError::CredentialMalformed);
    client.sign_out();
    assert!(!client.is_signed_in());
    assert_eq!(client.list_keys().await.unwrap_err(), ApiError::NotSignedIn);
    assert_eq!(sim.requests().len(), 0);
}

#[tokio::test]
async fn what_a_request_carries() {
    let sim = sim().await;
    let client = admin(&sim);
    client.list_keys().await.unwrap();
    client.people().await.unwrap();
    client.create_key(&new_key(&sim, "carried")).await.unwrap_or_else(|e| panic!("{e:?}"));
    let with_password = signed_in(&sim, &sim.user()).await;
    with_password.list_keys().await.unwrap();
    for request in sim.requests() {
        let header = |name: &str| request.header(name).map(str::to_owned);
        assert_eq!(header("projectuid"), None, "validated on every request since 4.9.22");
        assert_eq!(header("cookie"), None);
        assert_eq!(header("accept").as_deref(), Some("application/json"));
        assert_eq!(header("accept-encoding"), None, "no compression, so no bomb");
        let agent = header("user-agent").unwrap();
        assert!(agent.starts_with("palette-keys/"), "{agent}");
        let (key, jwt) = (header("apikey"), header("authorization"));
        match request.path.as_str() {
            "/v1/auth/authenticate" => {
                assert_eq!((key, jwt), (None, None));
                assert_eq!(request.query.as_deref(), Some("setCookie=false"));
            }
            _ => assert!(key.is_some() != jwt.is_some(), "exactly one credential"),
        }
        if let Some(jwt) = request.header("authorization") {
            assert!(!jwt.starts_with("Bearer"), "raw");
        }
    }
}

// ---- password sessions ----

#[tokio::test]
async fn signing_in_with_a_password() {
    let sim = sim().await;
    let client = signed_in(&sim, &sim.user()).await;
    assert_eq!(client.who_am_i().await.unwrap().user_uid, sim.user().uid);

    let stranger = stranger(&sim.origin());
    let wrong = Secret::new("hunter2-hunter2".into());
    let error = stranger.authenticate(&sim.user().email, "", &wrong).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CredentialRejected);
    assert!(!stranger.is_signed_in());
    assert_eq!(sent(&sim, "POST", "/v1/auth/authenticate"), 2, "never repeated");

    let mfa = sim.mfa_user();
    let password = Secret::new(mfa.password.clone());
    let error = stranger.authenticate(&mfa.email, &mfa.organization, &password).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::MfaRequired);
    assert!(!stranger.is_signed_in(), "the token of a pending factor is not kept");
}

#[tokio::test]
async fn an_organization_is_asked_for() {
    let sim = sim().await;
    let stranger = stranger(&sim.origin());
    let fault = Fault::error(400, "OrganizationRequired", "specify the organization");
    sim.set_fault(Matcher::path("/v1/auth/authenticate"), fault, None);
    let password = Secret::new("x".into());
    let error = stranger.authenticate("a@b.c", "", &password).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::OrganizationNeeded);
    let error = stranger.authenticate("a@b.c", "acme", &password).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Refused, "one was named");
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_ends_once_for_all() {
    let sim = sim().await;
    let client = signed_in(&sim, &sim.admin()).await;
    client.list_keys().await.unwrap();
    assert_eq!(sent(&sim, "GET", "/v1/auth/refresh/"), 0, "young enough");
    sim.advance_seconds(12 * 60);
    // The first answer tells the server's time; the calls after it know that little is left.
    client.list_keys().await.unwrap();
    let (a, b, c, d) =
        tokio::join!(client.list_keys(), client.people(), client.who_am_i(), client.list_keys());
    assert!(a.is_ok() && b.is_ok() && c.is_ok() && d.is_ok());
    assert_eq!(sent(&sim, "GET", "/v1/auth/refresh/"), 1, "single flight");
    let refresh =
        sim.requests().into_iter().find(|r| r.path.starts_with("/v1/auth/refresh/")).unwrap();
    assert_eq!(refresh.query.as_deref(), Some("setCookie=false"));
    assert_eq!(refresh.header("authorization"), None);
    sim.advance_seconds(5 * 60);
    client.list_keys().await.unwrap();
}

#[tokio::test]
async fn a_session_ends() {
    // Too long asleep.
    let sim = sim().await;
    let client = signed_in(&sim, &sim.admin()).await;
    sim.advance_seconds(16 * 60);
    let error = client.list_keys().await.unwrap_err();
    assert!(matches!(error, ApiError::SessionEnded(_)), "{error:?}");
    assert!(!client.is_signed_in());
    let before = sim.requests().len();
    let error = client.list_keys().await.unwrap_err();
    assert!(matches!(error, ApiError::SessionEnded(_)), "it stays ended: {error:?}");
    assert_eq!((error.sent(), sim.requests().len()), (Sent::No, before));

    // Signed out elsewhere.
    let client = signed_in(&sim, &sim.admin()).await;
    client.list_keys().await.unwrap();
    sim.end_sessions();
    let uid = KeyUid::new(&sim.keys()[0].uid).unwrap();
    let error = client.set_active(&uid, false).await.unwrap_err();
    assert!(matches!(error, ApiError::SessionEnded(_)), "{error:?}");
    assert_eq!(error.sent(), Sent::Refused);

    // Refresh refused.
    let client = signed_in(&sim, &sim.admin()).await;
    sim.advance_seconds(12 * 60);
    client.list_keys().await.unwrap();
    let fault = Fault::error(401, "UnAuthorizedAccess", "no more");
    sim.set_fault(Matcher::path("/v1/auth/refresh/"), fault, None);
    let error = client.list_keys().await.unwrap_err();
    assert!(matches!(error, ApiError::SessionEnded(_)), "{error:?}");
    sim.clear_faults();
}

#[tokio::test]
async fn a_refresh_that_fails_on_the_way_is_not_the_end() {
    let sim = sim().await;
    let client = signed_in(&sim, &sim.admin()).await;
    sim.advance_seconds(12 * 60);
    client.list_keys().await.unwrap();
    for fault in [Fault::ResetBeforeHandling, Fault::HtmlOk, Fault::status(503, "text/html", "x")] {
        sim.clear_faults();
        sim.set_fault(Matcher::path("/v1/auth/refresh/"), fault, None);
        client.list_keys().await.unwrap();
    }
    assert!(client.is_signed_in());
}

#[tokio::test]
async fn a_token_in_the_path_is_in_no_error() {
    let sim = sim().await;
    let client = signed_in(&sim, &sim.admin()).await;
    let jwt = {
        client.list_keys().await.unwrap();
        let requests = sim.requests();
        requests.last().unwrap().header("authorization").unwrap().to_owned()
    };
    let echo = Fault::error(401, "Unknown", &format!("Too Many, [GET] /v1/auth/refresh/{jwt}"));
    sim.advance_seconds(12 * 60);
    client.list_keys().await.unwrap();
    sim.set_fault(Matcher::path("/v1/auth/refresh/"), echo, None);
    let error = client.list_keys().await.unwrap_err();
    let all = format!("{error:?} {:?}", error.failure());
    for part in jwt.as_bytes().windows(12) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(!all.contains(part), "{all}");
    }
}

// ---- keys ----

#[tokio::test]
async fn the_life_of_a_key() {
    let sim = sim().await;
    let client = admin(&sim);
    let made = client.create_key(&new_key(&sim, "life")).await.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(client.prove(&made.value).await.unwrap().user_uid, sim.admin().uid);
    let key = named(&client, "life").await.expect("it is in the list");
    assert_eq!(key.expires.unwrap().as_millisecond(), in_days(30).as_millisecond());
    assert_eq!(key.annotations.get("opId").map(String::as_str), Some("op-1"));

    sim.edit_key_directly(key.uid.as_str(), |key| {
        key.labels.insert("team".into(), "ops".into());
        key.annotations.insert("made-with".into(), "care".into());
    });
    let key = client.key(&key.uid).await.unwrap();
    let change =
        KeyChange { name: "life 2".into(), description: "d".into(), expires: Some(in_days(60)) };
    client.update_key(&key, &change).await.unwrap();
    let truth = sim.key(key.uid.as_str()).unwrap();
    assert_eq!((truth.name.as_str(), truth.description.as_str()), ("life 2", "d"));
    assert_eq!(truth.labels.get("team").map(String::as_str), Some("ops"));
    assert_eq!(truth.annotations.get("made-with").map(String::as_str), Some("care"));
    assert_eq!(truth.annotations.get("opId").map(String::as_str), Some("op-1"));

    client.set_active(&key.uid, false).await.unwrap();
    assert!(!client.key(&key.uid).await.unwrap().active);
    let error = client.prove(&made.value).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CredentialRejected);
    client.set_active(&key.uid, true).await.unwrap();
    assert!(client.key(&key.uid).await.unwrap().active);

    client.delete_key(&key.uid).await.unwrap();
    for error in [
        client.key(&key.uid).await.unwrap_err(),
        client.delete_key(&key.uid).await.unwrap_err(),
        client.set_active(&key.uid, false).await.unwrap_err(),
        client.update_key(&key, &change).await.unwrap_err(),
    ] {
        assert!(error.is_gone(), "{error:?}");
        assert_eq!(error.sent(), Sent::Refused);
        assert_eq!(error.failure().code, ErrorCode::KeyGone);
    }
}

/// The 429s last and without a pause: they slow this prefix down, as they should.
fn quick_last(faults: Vec<(&'static str, Fault)>) -> Vec<(&'static str, Fault)> {
    let limited = |fault: &Fault| matches!(fault, Fault::RateLimited { .. });
    let (last, mut all): (Vec<_>, Vec<_>) =
        faults.into_iter().partition(|(_, fault)| limited(fault));
    let at_once = Fault::RateLimited { retry_after: Some(0) };
    all.extend(last.into_iter().map(|(name, _)| (name, at_once.clone())));
    all
}

/// Trust check 14: POST count 1 under every fault, and the truth about what may have happened.
#[tokio::test]
async fn a_creation_is_sent_once_whatever_happens() {
    let sim = sim().await;
    let client = admin(&sim);
    let elsewhere = serve(|_, _| Answer::Bytes(json("{}"))).await;
    let mut faults = Fault::scorecard(&format!("{}/x", elsewhere.origin));
    faults.extend([
        ("garbage", Fault::GarbageJson("{\"apiKey\":".into())),
        ("no value", Fault::GarbageJson("{\"uid\":\"u\"}".into())),
        ("empty value", Fault::GarbageJson("{\"apiKey\":\"\"}".into())),
        ("value of another type", Fault::GarbageJson("{\"apiKey\":{\"a\":1}}".into())),
        ("empty", Fault::Empty),
        ("drip", Fault::Drip),
        ("hang after", Fault::HangAfterHandling),
        ("endless", Fault::EndlessBody),
    ]);
    for (name, fault) in quick_last(faults) {
        sim.clear_requests();
        sim.clear_faults();
        sim.set_fault(Matcher::method("POST"), fault, None);
        let error = match client.create_key(&new_key(&sim, name)).await {
            Ok(_) => panic!("{name}: no value came"),
            Err(error) => error,
        };
        assert_eq!(sent(&sim, "POST", "/v1/apiKeys"), 1, "{name}");
        let expected = match name {
            "429" | "429 with Retry-After" => Sent::No,
            "401" | "403" | "404 JSON" | "404 HTML" => Sent::Refused,
            _ => Sent::Unknown,
        };
        assert_eq!(error.sent(), expected, "{name}: {error:?}");
        let words = error.failure().message;
        let claim = if expected == Sent::Unknown { "It is not known" } else { "No key was made." };
        assert!(words.contains(claim), "{name}: {words}");
    }
    assert_eq!(elsewhere.requests().len(), 0, "no redirect was followed");

    sim.go_down().await;
    let error = client.create_key(&new_key(&sim, "down")).await.err().unwrap();
    assert!(matches!(error, ApiError::HostUnreachable(_)), "{error:?}");
    assert_eq!(error.sent(), Sent::No, "provably never processed");
}

#[tokio::test]
async fn reads_are_repeated() {
    let sim = sim().await;
    let client = admin(&sim);
    let unavailable = || Fault::status(503, "text/html", "<h1>busy</h1>");
    for fault in [unavailable(), Fault::ResetBeforeHandling, Fault::CutBody { at: 9 }] {
        sim.clear_requests();
        sim.set_fault(Matcher::any(), fault, Some(3));
        client.list_keys().await.unwrap();
        assert_eq!(sent(&sim, "GET", "/v1/apiKeys"), 4);
    }
    sim.clear_requests();
    sim.set_fault(Matcher::any(), unavailable(), None);
    let error = client.list_keys().await.unwrap_err();
    assert_eq!((error.code(), sent(&sim, "GET", "/v1/apiKeys")), (ErrorCode::ServerFault, 4));
    sim.clear_faults();

    for (fault, code) in [
        (Fault::error(403, "OperationForbidden", "no"), ErrorCode::Forbidden),
        (Fault::error(401, "UnAuthorizedAccess", "no"), ErrorCode::Unauthorized),
        (Fault::HtmlOk, ErrorCode::NotPalette),
        (Fault::GarbageJson("{".into()), ErrorCode::AnswerUnreadable),
        (Fault::status(501, "application/json", "{}"), ErrorCode::ServerFault),
    ] {
        sim.clear_requests();
        sim.set_fault(Matcher::any(), fault, Some(1));
        assert_eq!(client.list_keys().await.unwrap_err().code(), code);
        assert_eq!(sim.requests().len(), 1, "{code:?} would only say the same again");
    }
}

#[tokio::test]
async fn changes_with_one_end_state_are_repeated_once() {
    let sim = sim().await;
    let client = admin(&sim);
    let truth = sim.add_key(palette_sim::NewKey::named("twice"));
    let uid = KeyUid::new(&truth.uid).unwrap();

    sim.set_fault(Matcher::method("PUT"), Fault::ResetAfterHandling, Some(1));
    client.set_active(&uid, false).await.unwrap();
    assert_eq!(sent(&sim, "PUT", "/v1/apiKeys"), 2);
    assert!(!sim.key(&truth.uid).unwrap().active);

    sim.clear_requests();
    sim.set_fault(Matcher::method("PUT"), Fault::ResetBeforeHandling, None);
    let error = client.set_active(&uid, true).await.unwrap_err();
    assert_eq!((error.sent(), sent(&sim, "PUT", "/v1/apiKeys")), (Sent::Unknown, 2));
    sim.clear_faults();

    // The first DELETE did it, its answer was lost: "gone" is then no proof that it was ours.
    sim.set_fault(Matcher::method("DELETE"), Fault::ResetAfterHandling, Some(1));
    let error = client.delete_key(&uid).await.unwrap_err();
    assert!(matches!(&error, ApiError::Unconfirmed(last) if last.is_gone()), "{error:?}");
    assert_eq!((error.sent(), error.code()), (Sent::Unknown, ErrorCode::KeyGone));
    assert!(sim.key(&truth.uid).is_none());
}

/// Trust check 4, as far as the client goes: no fault is taken for success.
#[tokio::test]
async fn no_fault_is_a_confirmed_revocation() {
    let sim = sim().await;
    let client = admin(&sim);
    for (name, fault) in quick_last(Fault::scorecard("https://elsewhere.example/x")) {
        // Nothing to cut: 204 has no body.
        if matches!(fault, Fault::CutBody { .. }) {
            continue;
        }
        let truth = sim.add_key(palette_sim::NewKey::named(name));
        let uid = KeyUid::new(&truth.uid).unwrap();
        for method in ["PUT", "DELETE"] {
            sim.clear_faults();
            sim.set_fault(Matcher::method(method), fault.clone(), None);
            let result = match method {
                "PUT" => client.set_active(&uid, false).await,
                _ => client.delete_key(&uid).await,
            };
            let error = result.expect_err(name);
            let words = error.failure().message;
            let claim = match error.sent() {
                Sent::Unknown => "It is not known whether the change was made",
                Sent::No | Sent::Refused => "Nothing was changed.",
            };
            assert!(words.contains(claim), "{method} {name}: {words}");
        }
    }
}

#[tokio::test]
async fn state_falls_back_to_patch() {
    let sim = sim().await;
    let client = admin(&sim);
    let truth = sim.add_key(palette_sim::NewKey::named("patched"));
    let uid = KeyUid::new(&truth.uid).unwrap();
    for (status, code) in [(404, 404), (405, 405)] {
        let body = format!(r#"{{"code":{code},"message":"path was not found"}}"#);
        sim.clear_faults();
        let fault = Fault::status(status, "application/json", &body);
        sim.set_fault(Matcher::method("PUT"), fault, None);
        for active in [false, true] {
            client.set_active(&uid, active).await.unwrap();
            assert_eq!(sim.key(&truth.uid).unwrap().active, active);
        }
    }
    sim.clear_faults();
    sim.clear_requests();
    let gone = KeyUid::new("0123456789abcdef01234567").unwrap();
    assert!(client.set_active(&gone, false).await.unwrap_err().is_gone());
    assert_eq!(sent(&sim, "PATCH", "/"), 0, "a missing key is not a missing call");
}

#[tokio::test]
async fn another_key_in_the_answer_is_not_the_key() {
    let server = serve(|_, _| Answer::Bytes(json(r#"{"metadata":{"uid":"other"}}"#))).await;
    let uid = KeyUid::new("mine").unwrap();
    let error = client(&server.origin, CANARY).key(&uid).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AnswerUnreadable);
}

// ---- people ----

#[tokio::test]
async fn people_by_other_ways() {
    let sim = sim().await;
    let client = admin(&sim);
    let everyone = sim.users().len();
    let count = |people: People| match people {
        People::Known(people) => Some((people.len(), people.iter().all(|p| p.active.is_some()))),
        People::Unreadable => None,
    };
    let absent = || {
        let body = r#"{"code":405,"message":"method GET is not allowed, but [POST] are"}"#;
        Fault::status(405, "application/json", body)
    };
    sim.set_fault(Matcher::path("/v1/users/meta"), absent(), None);
    assert_eq!(count(client.people().await.unwrap()), Some((everyone, true)), "users");
    sim.set_fault(Matcher::on("GET", "/v1/users"), absent(), None);
    assert_eq!(count(client.people().await.unwrap()), Some((everyone, true)), "summary");
    assert!(sent(&sim, "POST", "/v1/users/summary") == 1);
    sim.set_fault(Matcher::on("POST", "/v1/users/summary"), absent(), None);
    assert_eq!(count(client.people().await.unwrap()), None, "nothing is left");

    sim.clear_faults();
    let refused = Fault::error(403, "OperationForbidden", "no");
    sim.set_fault(Matcher::on("POST", "/v1/users/summary"), absent(), None);
    let known = client.people().await.unwrap();
    assert_eq!(count(known), Some((everyone, true)), "the pages where there is no summary");
    sim.set_fault(Matcher::path("/v1/users/meta"), Fault::DelayMs(0), Some(1));
    sim.set_fault(Matcher::on("GET", "/v1/users"), refused, None);
    let known = client.people().await.unwrap();
    assert_eq!(count(known), Some((everyone, false)), "who there is, without their activity");
}

#[tokio::test]
async fn people_on_many_pages() {
    let options = SimOptions {
        seed: Seed::Size { keys: 10, users: 234 },
        rate_limit: false,
        ..SimOptions::default()
    };
    let sim = palette_sim::start(options).await.unwrap();
    let client = admin(&sim);
    let People::Known(people) = client.people().await.unwrap() else { panic!("readable") };
    assert_eq!(people.len(), sim.users().len());
    assert!(people.iter().all(|person| person.active.is_some()));
    assert!(people.iter().all(|person| !person.roles.is_empty()), "roles by name");
    let asked = |sim: &Sim| {
        let requests = sim.requests();
        requests.iter().filter(|request| request.path.starts_with("/v1/users")).count()
    };
    assert_eq!(asked(&sim), 2, "however many people there are");

    sim.clear_requests();
    let body = r#"{"code":405,"message":"method POST is not allowed"}"#;
    let absent = Fault::status(405, "application/json", body);
    sim.set_fault(Matcher::on("POST", "/v1/users/summary"), absent, None);
    let People::Known(paged) = client.people().await.unwrap() else { panic!("readable") };
    assert!(paged.iter().all(|person| person.active.is_some()), "every page was read");
    assert_eq!(paged.len(), people.len());
    assert_eq!(asked(&sim), 2 + people.len().div_ceil(50), "50 a page");
}

#[tokio::test]
async fn pages_that_go_in_a_circle() {
    let server = serve(|_, request| {
        Answer::Bytes(if request.starts_with("GET /v1/users/meta") {
            response("405 No", "application/json", br#"{"code":405,"message":"no"}"#)
        } else {
            json(r#"{"items":[{"metadata":{"uid":"u1"}}],"listmeta":{"continue":"again"}}"#)
        })
    })
    .await;
    let error = client(&server.origin, CANARY).people().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::AnswerUnreadable);
    assert!(server.requests().len() < 6, "{}", server.requests().len());
}

#[tokio::test]
async fn hostile_uids_reach_no_path() {
    let sim = sim().await;
    let client = admin(&sim);
    let long = "a".repeat(1024);
    for uid in ["../x", "a/b", "%2e%2e", "?x", "#", "a\r\nb", "", ".", "..", "a b", "ä", &long] {
        assert!(KeyUid::new(uid).is_none(), "{uid:?}");
        assert_eq!(client.user(uid).await.unwrap(), None);
        assert_eq!(client.roles_of(uid).await.unwrap(), None);
        assert_eq!(client.key_limit(uid).await.unwrap(), None);
    }
    assert_eq!(sim.requests().len(), 0);
}

// ---- time, proxy, size ----

#[tokio::test]
async fn the_servers_clock_is_learnt() {
    let sim = sim().await;
    let client = admin(&sim);
    client.who_am_i().await.unwrap();
    assert_eq!(client.clock_offset_ms(), 0, "the same clock: no tremble");
    for seconds in [3600, -365 * 24 * 3600] {
        sim.set_clock_offset_seconds(seconds);
        client.list_keys().await.unwrap();
        let offset = client.clock_offset_ms();
        assert!((offset - seconds * 1000).abs() <= 1500, "{offset} ms for {seconds} s");
        let now = client.server_now().duration_since(sim.now());
        assert!(now.abs() <= SignedDuration::from_millis(2000), "{now}");
        client.list_keys().await.unwrap();
        assert_eq!(client.clock_offset_ms(), offset, "one that fits is kept");
    }
}

#[tokio::test]
async fn hosts_that_are_not_there() {
    let client = client("https://no-such-host.invalid", CANARY);
    let error = client.who_am_i().await.unwrap_err();
    assert_eq!((error.code(), error.sent()), (ErrorCode::HostUnknown, Sent::No));
    assert!(error.failure().message.contains("no-such-host.invalid"));
}

#[tokio::test]
async fn proxies() {
    // One that refuses, one that is not there, one that is no proxy.
    let refusing = serve(|_, _| {
        Answer::Bytes(response("407 Proxy Authentication Required", "text/plain", b"no"))
    })
    .await;
    let resetting = serve(|_, _| Answer::Reset).await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    for url in [
        refusing.origin.clone(),
        refusing.origin.replace("http://", ""),
        resetting.origin.clone(),
        format!("http://127.0.0.1:{gone}"),
        format!("socks5://127.0.0.1:{gone}"),
    ] {
        let proxy = ProxyChoice::Custom { url: url.clone() };
        let client = settled("https://palette.example.com", None, proxy);
        client.sign_in(Credential::ApiKey(Secret::new(CANARY.into())));
        let error = client.who_am_i().await.unwrap_err();
        assert_eq!((error.code(), error.sent()), (ErrorCode::ProxyFailed, Sent::No), "{url}");
    }
    let asked = refusing.requests();
    assert!(asked.iter().all(|request| request.starts_with("CONNECT palette.example.com:443 ")));
    assert!(asked.iter().all(|request| !request.contains(CANARY)), "the proxy never sees a key");
}

#[tokio::test]
async fn plain_http_never_leaves_this_computer() {
    let proxy = serve(|_, _| Answer::Bytes(json(r#"{"userUid":"from the proxy"}"#))).await;
    let sim = sim().await;
    let choice = ProxyChoice::Custom { url: proxy.origin.clone() };
    let client = settled(&sim.origin(), None, choice);
    client.sign_in(Credential::ApiKey(Secret::new(sim.admin().api_key)));
    assert_eq!(client.who_am_i().await.unwrap().user_uid, sim.admin().uid);
    assert_eq!(proxy.requests().len(), 0);
}

#[tokio::test]
async fn proxy_addresses_that_are_none() {
    use palette_keys_core::api::{ClientSettings, Origin};
    use palette_keys_core::clock::SystemClock;
    for url in ["", "  ", "ftp://proxy:1", "http://", "http://a b", "://x", "http://proxy:99999"] {
        let (origin, _) = Origin::parse("palette.example.com").unwrap();
        let proxy = ProxyChoice::Custom { url: url.into() };
        let settings = ClientSettings { origin, ca_certificate: None, proxy };
        let opened = PaletteClient::open(settings, std::sync::Arc::new(SystemClock));
        assert_eq!(opened.err(), Some(ApiError::ProxyInvalid), "{url:?}");
    }
}

#[tokio::test]
async fn six_thousand_keys() {
    let options = SimOptions {
        seed: Seed::Size { keys: 6_000, users: 300 },
        rate_limit: false,
        ..SimOptions::default()
    };
    let sim = palette_sim::start(options).await.unwrap();
    // The product's limits: the test ones would cut this list.
    let settings = palette_keys_core::api::ClientSettings {
        origin: palette_keys_core::api::Origin::parse(&sim.origin()).unwrap().0,
        ca_certificate: None,
        proxy: ProxyChoice::None,
    };
    let clock = std::sync::Arc::new(palette_keys_core::clock::SystemClock);
    let client = PaletteClient::open(settings, clock).unwrap();
    client.sign_in(Credential::ApiKey(Secret::new(sim.admin().api_key)));
    let keys = tokio::time::timeout(Duration::from_secs(20), client.read_keys()).await;
    let keys = keys.expect("in time").unwrap();
    assert_eq!((keys.keys.len(), keys.skipped), (6_000, 0));
}
