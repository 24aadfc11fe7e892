//! 200 revocations at once, at the rate the server documents, and one more in the middle.

use std::time::Duration;

use jiff::Timestamp;
use palette_sim::{Recorded, Seed, SimOptions};

use crate::{
    desk::{Desk, name},
    figures::Figure,
    harness::{containing, now, within},
};

const KEYS: usize = 200;
/// The documented limit: so many a second, so many at once.
const RATE: f64 = 10.0;
const BURST: f64 = 50.0;
/// What the bucket allows, and a little.
const SLACK: f64 = 1.05;
/// The single one may not wait for the others.
const AT_ONCE: f64 = 200.0;

pub async fn measure() -> Vec<Figure> {
    let palette = SimOptions { seed: Seed::Empty, rate_limit: true, ..SimOptions::default() };
    // The last one is not among those that are revoked together.
    let desk = Desk::open(palette, KEYS + 1).await;
    let single = "in-the-middle";
    let sim = &desk.window.stage.sim;
    let uid = sim.key_named(&name(KEYS)).expect("it is there").uid;
    let soon = sim.now() + jiff::SignedDuration::from_mins(30);
    sim.edit_key_directly(&uid, |key| {
        key.name = single.to_owned();
        key.expiry = Some(soon);
    });
    let page = &desk.window.page;
    page.press("F5").await;
    desk.tray.entry(&["Quick revoke", single]).await;
    page.role("searchbox", "Search keys").put("bench-").await;
    page.role("rowheader", name(0)).nth(0).click().await;
    page.press("Control+a").await;
    let selection = page.role("toolbar", "Selection");
    selection.words(format!("{KEYS} selected")).wait().await;
    // The bucket fills up again after the sign-in.
    tokio::time::sleep(Duration::from_secs(8)).await;
    selection.role("button", "Revoke").click().await;
    let question = page.role("alertdialog", containing("Revoke "));
    let began = now();
    question.role("button", containing("Revoke ")).click().await;
    let middle = within(Duration::from_secs(60), async || {
        (puts(&desk, began).len() >= KEYS / 2).then_some(())
    });
    assert!(middle.await.is_some(), "half of them are on the wire");
    let list = format!("{single} (");
    let act = format!("Revoke {single} ");
    let picked = desk.tray.pick(&["Quick revoke", &list, &act]).await;
    let waited = desk.on_wire(&uid, picked).await;
    let all = within(Duration::from_secs(120), async || {
        let active = desk.window.stage.sim.keys();
        let left = active.iter().filter(|k| k.active && k.name.starts_with("bench-")).count();
        (left == 0).then_some(())
    });
    assert!(all.await.is_some(), "all are revoked in the end");
    let quiet = within(Duration::from_secs(60), async || {
        desk.tray.menu().await.find(&["not confirmed yet"]).is_none().then_some(())
    });
    assert!(quiet.await.is_some(), "all are confirmed in the end");

    let puts = puts(&desk, began);
    let (first, last) = (puts.first().expect("sent").at, puts.last().expect("sent").at);
    // Confirmed by the first read that was asked for after the last revocation.
    let requests = desk.window.stage.sim.requests();
    let read = |request: &&Recorded| {
        request.method == "GET" && request.path.starts_with("/v1/apiKeys") && request.at > last
    };
    let confirmed = requests.iter().find(read).map_or(last, |request| request.at);
    let total = confirmed.duration_since(first).as_secs_f64();
    let allowed = (puts.len() as f64 - BURST) / RATE;
    let refused = requests.iter().filter(|request| request.status == Some(429)).count();
    vec![
        Figure::of(
            "200 revocations and one more, until read back",
            format!("{total:.2} s"),
            format!("the bucket allows {} in {allowed:.2} s", puts.len()),
            total / allowed,
            SLACK,
            "×",
        ),
        Figure::of(
            "  answered 429",
            refused.to_string(),
            format!("of {} requests", requests.len()),
            refused as f64,
            0.0,
            "",
        ),
        Figure::bound(
            "  one asked for in the middle, to the wire",
            waited,
            "from the tray, half of the others being on their way".to_owned(),
            AT_ONCE,
        ),
    ]
}

fn puts(desk: &Desk, since: Timestamp) -> Vec<Recorded> {
    let mut requests = desk.window.stage.sim.requests();
    requests.retain(|request| {
        request.method == "PUT" && request.path.ends_with("/state") && request.at >= since
    });
    requests
}
