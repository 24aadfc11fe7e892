//! The throttle as a server sees it.

use crate::raw::{Answer, CANARY, client, json, response, serve};
use palette_keys_core::ErrorCode;
use palette_keys_core::keys::KeyUid;
use palette_sim::{Fault, Matcher, SimOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_revoke_overtakes_reads_that_hang_and_reads_that_wait() {
    let server = serve(|_, request| {
        if request.starts_with("PUT") {
            Answer::Bytes(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec())
        } else {
            Answer::Silence
        }
    })
    .await;
    let client = client(&server.origin, CANARY);
    let reads: Vec<_> = (0..12)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.list_keys().await })
        })
        .collect();
    while server.requests().len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let start = Instant::now();
    client.set_active(&KeyUid::new("leaked").unwrap(), false).await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(800), "took {:?}", start.elapsed());
    assert_eq!(server.requests().len(), 5, "four reads, then the revoke");
    assert!(server.lines()[4].starts_with("PUT /v1/apiKeys/leaked/state "));
    reads.iter().for_each(|read| read.abort());
}

#[tokio::test]
async fn at_most_four_at_a_time_for_all_clients_of_a_host() {
    let sim = palette_sim::start(SimOptions { rate_limit: false, ..SimOptions::default() }).await;
    let sim = sim.unwrap();
    sim.set_fault(Matcher::any(), Fault::DelayMs(60), None);
    let (one, two) =
        (client(&sim.origin(), &sim.admin().api_key), client(&sim.origin(), &sim.user().api_key));
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for number in 0..16 {
        let client = if number % 2 == 0 { one.clone() } else { two.clone() };
        let done = Arc::clone(&under_way);
        tasks.push(tokio::spawn(async move {
            client.list_keys().await.unwrap();
            done.fetch_add(1, Ordering::Relaxed);
        }));
    }
    let start = Instant::now();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(under_way.load(Ordering::Relaxed), 16);
    assert!(start.elapsed() >= Duration::from_millis(4 * 60), "four rounds: {:?}", start.elapsed());
}

#[tokio::test]
async fn a_429_is_waited_out_for_reads() {
    let server = serve(|number, _| {
        Answer::Bytes(if number == 0 {
            let body = r#"{"code":"TooManyRequests","message":"slow down"}"#;
            let head = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n\
                        Content-Type: application/json\r\nConnection: close\r\n";
            format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
        } else {
            json(r#"{"items":[]}"#)
        })
    })
    .await;
    let client = client(&server.origin, CANARY);
    let start = Instant::now();
    assert_eq!(client.list_keys().await.unwrap(), []);
    assert!(start.elapsed() >= Duration::from_secs(1), "took {:?}", start.elapsed());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_429_that_stays_is_told() {
    let server = serve(|_, _| {
        Answer::Bytes(
            b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\nContent-Length: 0\r\n\
              Connection: close\r\n\r\n"
                .to_vec(),
        )
    })
    .await;
    let error = client(&server.origin, CANARY).list_keys().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::RateLimited);
    assert_eq!(server.requests().len(), 4);
    // 403 is no 429, whatever the header says.
    let server = serve(|_, _| Answer::Bytes(response("403 No", "application/json", b"{}"))).await;
    let error = client(&server.origin, CANARY).list_keys().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Forbidden);
}
