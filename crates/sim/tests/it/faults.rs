//! Each fault, seen by a client.

use std::time::{Duration, Instant};

use palette_sim::{Fault, Matcher, NewKey, Sim};
use serde_json::json;

use crate::support::{Api, client_builder, empty};

/// A simulator with a key to delete, and a client that waits a second at most.
struct Scene {
    sim: Sim,
    api: Api,
    uid: String,
}

async fn scene() -> Scene {
    let sim = empty().await;
    let mut api = Api::of(&sim, &sim.admin());
    api.client = client_builder().timeout(Duration::from_millis(1_300)).build().unwrap();
    let uid = sim.add_key(NewKey::named("victim")).uid;
    Scene { sim, api, uid }
}

/// What the client saw: an answer with this status and its body, or an error.
#[derive(Debug)]
enum Seen {
    Answer(u16, Result<String, reqwest::Error>),
    Nothing(reqwest::Error),
}

impl Scene {
    async fn delete_with(&self, fault: Fault) -> Seen {
        self.sim.set_fault(Matcher::method("DELETE"), fault, Some(1));
        let path = format!("/v1/apiKeys/{}", self.uid);
        match self.api.request("DELETE", &path).send().await {
            Ok(response) => Seen::Answer(response.status().as_u16(), response.text().await),
            Err(error) => Seen::Nothing(error),
        }
    }

    fn is_deleted(&self) -> bool {
        self.sim.key(&self.uid).is_none()
    }
}

#[tokio::test]
async fn the_scorecard_faults_do_as_they_say() {
    for (name, fault) in Fault::scorecard("http://127.0.0.1:9/elsewhere") {
        let scene = scene().await;
        let seen = scene.delete_with(fault).await;
        let committed = ["reset after commit", "slow-loris headers", "cut body"].contains(&name);
        assert_eq!(scene.is_deleted(), committed, "{name}");
        match (name, &seen) {
            ("reset before commit" | "reset after commit", Seen::Nothing(error)) => {
                assert!(!error.is_timeout() && !error.is_connect(), "{name}: {error:?}");
            }
            ("timeout" | "slow-loris headers", Seen::Nothing(error)) => {
                assert!(error.is_timeout(), "{name}: {error:?}");
            }
            ("cut body", Seen::Answer(200, Err(_))) => {}
            (_, Seen::Answer(status, Ok(_))) => {
                let wanted: u16 = name.split(' ').next().unwrap().parse().unwrap();
                assert_eq!(*status, wanted, "{name}");
            }
            _ => panic!("{name}: {seen:?}"),
        }
        // The fault is used up.
        let got = scene.api.delete(&format!("/v1/apiKeys/{}", scene.uid)).await;
        assert_eq!(got.status, if committed { 404 } else { 204 }, "{name}");
    }
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let scene = scene().await;
    for fault in [Fault::ResetBeforeHandling, Fault::ResetAfterHandling] {
        scene.sim.set_fault(Matcher::any(), fault, Some(1));
        let mut tcp = tokio::net::TcpStream::connect(scene.sim.host()).await.unwrap();
        let host = scene.sim.host();
        let request = format!("GET /v1/health/ping HTTP/1.1\r\nHost: {host}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let error = tcp.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let recorded = scene.sim.requests();
    assert_eq!(recorded.len(), 2);
    assert!(recorded.iter().all(|request| request.status.is_none()), "nothing was sent");
}

#[tokio::test]
async fn hangs_keep_the_connection_open() {
    for (fault, committed) in [(Fault::HangBeforeHandling, false), (Fault::HangAfterHandling, true)]
    {
        let scene = scene().await;
        let seen = scene.delete_with(fault).await;
        assert!(matches!(&seen, Seen::Nothing(error) if error.is_timeout()), "{seen:?}");
        assert_eq!(scene.is_deleted(), committed);
    }
}

#[tokio::test]
async fn a_create_can_be_lost_after_it_was_done() {
    let scene = scene().await;
    for fault in [Fault::ResetAfterHandling, Fault::HangAfterHandling, Fault::CutBody { at: 10 }] {
        let before = scene.sim.keys().len();
        scene.sim.set_fault(Matcher::on("POST", "/v1/apiKeys"), fault.clone(), Some(1));
        let body = json!({ "metadata": { "name": "lost" } });
        let response = scene.api.request("POST", "/v1/apiKeys").json(&body).send().await;
        let whole = match response {
            Ok(response) => response.text().await.is_ok(),
            Err(_) => false,
        };
        assert!(!whole, "{fault:?}");
        assert_eq!(scene.sim.keys().len(), before + 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cut_body_announces_its_whole_length() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let scene = scene().await;
    for at in [0, 3, usize::MAX] {
        scene.sim.set_fault(Matcher::any(), Fault::CutBody { at }, Some(1));
        let mut tcp = tokio::net::TcpStream::connect(scene.sim.host()).await.unwrap();
        let host = scene.sim.host();
        let request = format!("GET /v1/health/ping HTTP/1.1\r\nHost: {host}\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 14"), "{head}");
        assert_eq!(body.len(), at.min(13), "{body}");
    }
}

#[tokio::test]
async fn slow_answers_are_slow() {
    let scene = scene().await;
    let started = Instant::now();
    scene.sim.set_fault(Matcher::any(), Fault::DelayMs(300), Some(1));
    assert_eq!(scene.api.get("/v1/users/info").await.status, 200);
    assert!(started.elapsed() >= Duration::from_millis(300));

    scene.sim.set_fault(Matcher::any(), Fault::Drip, Some(1));
    let mut response = scene.api.request("GET", "/v1/users/info").send().await.unwrap();
    assert_eq!(response.status(), 200, "headers come at once");
    assert_eq!(response.chunk().await.unwrap().unwrap().as_ref(), b"{", "one byte");
    assert!(response.text().await.is_err(), "the rest takes too long");
}

#[tokio::test]
async fn bodies_without_end_and_without_measure() {
    let scene = scene().await;
    scene.sim.set_fault(Matcher::any(), Fault::EndlessBody, Some(1));
    let mut response = scene.api.request("GET", "/v1/apiKeys").send().await.unwrap();
    assert_eq!(response.content_length(), None);
    let mut read = 0;
    while read < 8 << 20 {
        read += response.chunk().await.unwrap().expect("no end").len();
    }
    drop(response);
    let bytes = (3 << 20) + 7;
    scene.sim.set_fault(Matcher::any(), Fault::HugeBody { bytes }, Some(1));
    let response = scene.api.request("GET", "/v1/apiKeys").send().await.unwrap();
    assert_eq!(response.content_length(), Some(bytes));
    assert_eq!(response.bytes().await.unwrap().len() as u64, bytes);
}

#[tokio::test]
async fn odd_answers() {
    let scene = scene().await;
    let ask = |fault: Fault| {
        scene.sim.set_fault(Matcher::any(), fault, Some(1));
        scene.api.get("/v1/users/info")
    };
    assert_eq!(ask(Fault::Empty).await.text, "");
    let garbage = ask(Fault::GarbageJson("{\"items\": nul".to_owned())).await;
    assert_eq!((garbage.status, garbage.text.as_str()), (200, "{\"items\": nul"));
    assert_eq!(ask(Fault::ReplaceBody("null".to_owned())).await.text, "null");
    assert!(ask(Fault::HtmlOk).await.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(ask(Fault::RateLimited { retry_after: None }).await.header("retry-after"), None);
    let limited = ask(Fault::RateLimited { retry_after: Some(7) }).await;
    assert_eq!(limited.header("retry-after"), Some("7"));
    assert_eq!(limited.code(), "TooManyRequests");
    let to = "http://other.example/x";
    let redirect = ask(Fault::Redirect { code: 307, to: to.to_owned() }).await;
    assert_eq!(redirect.header("location"), Some(to));
    assert_eq!(
        ask(Fault::BigHeader { bytes: 1_000 }).await.header("x-filler").unwrap().len(),
        1_000
    );
    let status = Fault::Status {
        code: 599,
        body: "b".to_owned(),
        content_type: "text/plain".to_owned(),
        headers: vec![("x-a".to_owned(), "1".to_owned())],
    };
    let got = ask(status).await;
    assert_eq!((got.status, got.text.as_str(), got.header("x-a")), (599, "b", Some("1")));
    // Ours has a limit of 100 headers, as hyper's clients do.
    scene.sim.set_fault(Matcher::any(), Fault::ManyHeaders(10_000), Some(1));
    assert!(scene.api.request("GET", "/v1/users/info").send().await.is_err());
}

#[tokio::test]
async fn matchers_times_and_order() {
    let scene = scene().await;
    let teapot = |code| Fault::status(code, "text/plain", "");
    scene.sim.set_fault(Matcher::path("/v1/users"), teapot(501), Some(2));
    scene.sim.set_fault(Matcher::path("/v1/users"), teapot(502), None);
    let header = ("apikey".to_owned(), "other".to_owned());
    let by_header = Matcher { header: Some(header), ..Matcher::any() };
    scene.sim.set_fault(by_header, teapot(503), None);
    let contains = Matcher { path_contains: Some("permi".to_owned()), ..Matcher::any() };
    scene.sim.set_fault(contains, teapot(504), None);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(scene.api.get("/v1/users/info").await.status);
    }
    assert_eq!(statuses, [501, 501, 502, 502]);
    assert_eq!(scene.api.get("/v1/permissions").await.status, 504);
    assert_eq!(scene.api.get("/v1/roles").await.status, 200);
    let other = Api::with(&scene.sim, "ApiKey", "other");
    assert_eq!(other.get("/v1/roles").await.status, 503);
    scene.sim.clear_faults();
    assert_eq!(scene.api.get("/v1/users/info").await.status, 200);
}
