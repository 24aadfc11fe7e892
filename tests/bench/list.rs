//! 6,000 keys: from asking for the list to painted rows, against a bare request for the same
//! answer.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use crate::{
    figures::{Figure, Samples},
    signed_in::{Window, number},
};

/// How often each is measured, one after the other.
const ROUNDS: usize = 15;
/// Rounds that are not counted: connections are opened and code is compiled in them.
const WARM_UP: usize = 3;

/// The answer as Palette gives it: what any client of it has to read at least.
#[derive(Deserialize)]
#[allow(dead_code, reason = "parsed, and nothing more")]
struct Answer {
    items: Vec<Key>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Key {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "as above")]
struct Metadata {
    uid: String,
    name: String,
    annotations: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
    creation_timestamp: String,
    last_modified_timestamp: String,
    deletion_timestamp: String,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "as above")]
struct Spec {
    expiry: String,
    user: Owner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "as above")]
struct Owner {
    uid: String,
    first_name: String,
    last_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code, reason = "as above")]
struct Status {
    #[serde(default)]
    is_active: bool,
}

/// Both, in turns.
pub async fn measure(window: &mut Window) -> Vec<Figure> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain HTTP client");
    let [mut bare, mut made, mut painted, mut second] =
        [const { Vec::new() }; 4].map(Samples::from_iter);
    let mut bytes = 0;
    for round in 0..WARM_UP + ROUNDS {
        let (time, length) = bare_request(&client, window).await;
        // A row that stays as it was is not painted again: one in sight gets another name, which
        // keeps its place among others that end at the same time.
        let uid = window.ask("firstRow", json!([])).await;
        let uid = uid.as_str().expect("a row").to_owned();
        let mut name = String::new();
        window.stage.sim.edit_key_directly(&uid, |key| {
            let plain = key.name.split(" (").next().unwrap_or_default();
            name = format!("{plain} ({round})");
            key.name.clone_from(&name);
        });
        let times = window.ask("refresh", json!([uid, name])).await;
        window.rest().await;
        if round < WARM_UP {
            continue;
        }
        bytes = length;
        bare.push(time);
        made.push(number(&times["made"]));
        painted.push(number(&times["painted"]));
        second.push(number(&times["second"]));
    }
    let bare_time = bare.median();
    let against = "bare GET and parse";
    vec![
        Figure::ratio(
            "6,000 keys: refresh to painted rows",
            painted.median(),
            against,
            bare_time,
            3.0,
        ),
        Figure::note("  of it, until the rows are in the document", ms(made.median()), made.span()),
        Figure::note("  until the frame after that begins", ms(second.median()), second.span()),
        Figure::note(
            "  bare GET and parse",
            ms(bare_time),
            format!("{}; {:.1} MB", bare.span(), bytes as f64 / 1e6),
        ),
        Figure::note(
            "6,000 keys: \"Connect\" pressed to painted rows",
            ms(window.connected),
            "once; signing in, rights, people and limit included".to_owned(),
        ),
    ]
}

/// The request that the app makes, and its answer parsed into what a client needs of it.
async fn bare_request(client: &reqwest::Client, window: &Window) -> (f64, usize) {
    let sim = &window.stage.sim;
    let request = client
        .get(format!("{}/v1/apiKeys", sim.origin()))
        .header("ApiKey", sim.admin().api_key)
        .build()
        .expect("a request");
    let began = Instant::now();
    let answer = client.execute(request).await.expect("an answer");
    let body = answer.bytes().await.expect("all of it");
    let parsed: Answer = serde_json::from_slice(&body).expect("a list of keys");
    let time = began.elapsed().as_secs_f64() * 1000.0;
    assert!(parsed.items.len() >= 6_000, "all keys are in it");
    (time, body.len())
}

fn ms(time: f64) -> String {
    format!("{time:.1} ms")
}
