//! Many revocations against the documented rate, with a neighbour on the same address.

use crate::desk::{Desk, Watch, drained, settle};
use palette_keys_core::outbox::OutboxAction;
use palette_sim::{Fault, Matcher, Recorded, Sim, SimOptions};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

/// Somebody else behind the same address, who reads the list about twice a second.
async fn neighbour(sim: Sim) {
    let key = sim.user_admin().api_key;
    let request = format!(
        "GET /v1/apiKeys/none HTTP/1.1\r\nHost: {}\r\nApiKey: {key}\r\nUser-Agent: neighbour\r\n\
         Connection: close\r\n\r\n",
        sim.host()
    );
    loop {
        if let Ok(mut stream) = TcpStream::connect(sim.host()).await {
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn is_ours(request: &Recorded) -> bool {
    request.header("user-agent") != Some("neighbour")
}

/// The most requests of ours to the keys in any second.
fn peak(requests: &[Recorded]) -> usize {
    let mut at: Vec<Duration> = requests.iter().map(|request| request.since_start).collect();
    at.sort();
    let within = |from: &Duration| {
        let end = *from + Duration::from_secs(1);
        at.iter().filter(|at| **at >= *from && **at < end).count()
    };
    at.iter().map(within).max().unwrap_or_default()
}

struct Run {
    took: Duration,
    done: usize,
    refused: usize,
    peak: usize,
    sent: usize,
}

async fn run(keys_to_revoke: usize, with_neighbour: bool, storm: bool) -> Run {
    let options = SimOptions { rate_limit: true, ..SimOptions::default() };
    let desk = Desk::with(keys_to_revoke, options).await;
    // What signing in took from the bucket is back.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    let other = with_neighbour.then(|| tokio::spawn(neighbour(desk.sim.clone())));
    if storm {
        let slow = Fault::RateLimited { retry_after: None };
        desk.sim.set_fault(Matcher::path("/v1/apiKeys"), slow, Some(40));
    }
    let began = Instant::now();
    keys.add_to_outbox(desk.bulk(OutboxAction::Revoke, &desk.targets)).await.unwrap();
    let ended = drained(&keys, Duration::from_secs(600)).await;
    let took = began.elapsed();
    if let Some(other) = other {
        other.abort();
    }
    assert!(ended, "{} are still waiting", keys.outbox().items.len());
    assert_eq!((watch.confirmed().len(), watch.falsely()), (keys_to_revoke, 0));
    assert_eq!(desk.touched(), 0);
    let ours: Vec<_> = desk.sim.requests().into_iter().filter(is_ours).collect();
    let ours: Vec<_> = ours.into_iter().filter(|r| r.path.starts_with("/v1/apiKeys")).collect();
    let run = Run {
        took,
        done: desk.done(),
        refused: ours.iter().filter(|request| request.status == Some(429)).count(),
        peak: peak(&ours),
        sent: ours.len(),
    };
    drop(keys);
    settle().await;
    run
}

impl Run {
    fn words(&self) -> String {
        let Self { took, done, refused, peak, sent } = self;
        format!("{done} revoked in {took:.1?} (virtual), 429 {refused}, peak {peak}/s, sent {sent}")
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_beside_a_noisy_neighbour() {
    let run = run(500, true, false).await;
    let right = run.done == 500
        && run.refused <= 5
        && run.peak <= 20
        && run.took <= Duration::from_secs(75);
    println!("check 38: {}/1: {}", usize::from(right), run.words());
    assert!(right, "{}", run.words());
}

#[tokio::test(start_paused = true)]
async fn five_hundred_after_a_storm_of_429() {
    let run = run(500, false, true).await;
    let right = run.done == 500 && run.peak <= 20;
    println!("check 38: {}/1 after a storm: {}", usize::from(right), run.words());
    assert!(right, "{}", run.words());
}

#[tokio::test(start_paused = true)]
async fn two_hundred_take_what_the_bucket_allows_and_meet_no_429() {
    let run = run(200, false, false).await;
    let most = Duration::from_secs_f64((200.0 - 50.0) / 10.0 * 1.05);
    println!("two hundred, bucket allows {most:.2?}: {}", run.words());
    assert_eq!((run.done, run.refused), (200, 0), "{}", run.words());
    assert!(run.took <= most, "{} instead of {most:.2?}", run.words());
}
