//! The server itself: what it records, its clock, its doors, its end.

use palette_sim::{Seed, SimOptions, TlsIdentity};
use serde_json::json;

use crate::support::{Api, client_builder, demo, empty, read};

#[tokio::test]
async fn every_request_is_recorded_as_sent() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    api.get("/v1/users?limit=5&x=%20").await;
    api.send("POST", "/v1/apiKeys", json!({ "metadata": { "name": "n" } })).await;
    api.get("/v1/apiKeys/a%2Fb").await;
    let recorded = sim.requests();
    let lines: Vec<_> = recorded
        .iter()
        .map(|r| (r.index, r.method.as_str(), r.path.as_str(), r.query.as_deref(), r.status))
        .collect();
    assert_eq!(
        lines,
        [
            (0, "GET", "/v1/users", Some("limit=5&x=%20"), Some(200)),
            (1, "POST", "/v1/apiKeys", None, Some(201)),
            (2, "GET", "/v1/apiKeys/a%2Fb", None, Some(404)),
        ]
    );
    assert_eq!(recorded[1].header("APIKEY"), Some(sim.admin().api_key.as_str()));
    assert_eq!(recorded[1].json()["metadata"]["name"], "n");
    assert!(recorded[0].since_start <= recorded[1].since_start);
    sim.clear_requests();
    api.get("/v1/users/info").await;
    assert_eq!(sim.requests().iter().map(|r| r.index).collect::<Vec<_>>(), [3]);
    assert!(sim.requests()[0].status.is_some());
}

#[tokio::test]
async fn old_requests_are_dropped() {
    let options = SimOptions { record_limit: 2, seed: Seed::Empty, ..SimOptions::default() };
    let sim = palette_sim::start(options).await.unwrap();
    let api = Api::nobody(&sim);
    for _ in 0..5 {
        api.get("/v1/health/ping").await;
    }
    let kept: Vec<_> = sim.requests().iter().map(|r| (r.index, r.status)).collect();
    assert_eq!(kept, [(3, Some(200)), (4, Some(200))]);
}

#[tokio::test]
async fn the_clock_shows_in_every_answer() {
    let sim = empty().await;
    let api = Api::nobody(&sim);
    for offset in [0, 86_400 * 366, -86_400 * 3_650, i64::MAX, i64::MIN, 0] {
        sim.set_clock_offset_seconds(offset);
        let now = sim.now();
        let got = api.get("/v1/health/ping").await;
        let date = got.header("date").unwrap();
        if offset.unsigned_abs() < 1 << 40 {
            let shown = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
            assert!((shown - now).get_seconds().abs() <= 2, "{date} is not {now}");
        }
    }
}

#[tokio::test]
async fn other_host_names_are_turned_away() {
    let options =
        SimOptions { extra_hosts: vec!["palette.test".to_owned()], ..SimOptions::default() };
    let sim = palette_sim::start(options).await.unwrap();
    let api = Api::of(&sim, &sim.admin());
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("[::1]", 200),
        ("[::1]:80", 200),
        ("127.0.0.1:9", 200),
        ("palette.test", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost:80.evil.example", 403),
        ("", 403),
    ] {
        let got = read(api.request("GET", "/v1/users/info").header("host", host)).await;
        assert_eq!(got.status, status, "{host:?}");
    }
    assert!(sim.host().starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn it_goes_down_comes_back_and_stops() {
    let sim = empty().await;
    let api = Api::of(&sim, &sim.admin());
    let uid = api.create("kept").await;
    sim.go_down().await;
    let error = api.request("GET", "/v1/users/info").send().await.unwrap_err();
    assert!(error.is_connect(), "refused: {error:?}");
    sim.come_back().await.unwrap();
    assert_eq!(api.get(&format!("/v1/apiKeys/{uid}")).await.status, 200);

    let (origin, other) = (sim.origin(), sim.clone());
    drop(sim);
    assert_eq!(api.get("/v1/users/info").await.status, 200, "a handle is left");
    drop(other);
    for _ in 0..50 {
        match api.client.get(format!("{origin}/v1/health/ping")).send().await {
            Err(error) if error.is_connect() => return,
            _ => tokio::time::sleep(std::time::Duration::from_millis(20)).await,
        }
    }
    panic!("still there");
}

#[tokio::test]
async fn it_speaks_https_with_a_given_identity() {
    let signed = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let identity =
        TlsIdentity { cert_pem: signed.cert.pem(), key_pem: signed.signing_key.serialize_pem() };
    let options = SimOptions { tls: Some(identity), ..SimOptions::default() };
    let sim = palette_sim::start(options).await.unwrap();
    assert!(sim.origin().starts_with("https://"));
    let mut api = Api::of(&sim, &sim.admin());
    let error = api.request("GET", "/v1/users/info").send().await.unwrap_err();
    assert!(error.is_connect(), "not trusted: {error:?}");
    assert_eq!((sim.connections(), sim.requests().len()), (1, 0));
    let root = reqwest::Certificate::from_pem(signed.cert.pem().as_bytes()).unwrap();
    api.client = client_builder().tls_certs_only([root]).build().unwrap();
    assert_eq!(api.get("/v1/users/info").await.status, 200);

    let bad = TlsIdentity { cert_pem: "x".to_owned(), key_pem: "y".to_owned() };
    let options = SimOptions { tls: Some(bad), ..SimOptions::default() };
    let error = palette_sim::start(options).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn many_at_once_are_all_answered() {
    let sim = demo().await;
    sim.set_rate_limit(false);
    let api = std::sync::Arc::new(Api::of(&sim, &sim.admin()));
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let api = std::sync::Arc::clone(&api);
            tokio::spawn(async move { api.get(&format!("/v1/apiKeys?n={n}")).await.items().len() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), 39);
    }
    assert_eq!(sim.requests().len(), 100);
}
