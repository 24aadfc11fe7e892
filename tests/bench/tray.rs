//! From the second pick in the tray, and from the click in the window, to the request on the wire.

use jiff::Timestamp;
use serde_json::json;

use crate::{
    desk::{Desk, name},
    figures::{Figure, Samples},
    signed_in::{number, usual},
};

/// How often each is measured, after those that are not counted.
const ROUNDS: usize = 15;
const WARM_UP: usize = 2;
/// A person takes less for immediate.
const AT_ONCE: f64 = 50.0;

/// First in the window, then without it.
pub async fn measure() -> Vec<Figure> {
    let each = WARM_UP + ROUNDS;
    let desk = Desk::open(usual(), 2 * each).await;
    let mut clicks = Samples::default();
    for round in 0..each {
        let time = click(&desk, &name(round)).await;
        if round >= WARM_UP {
            clicks.push(time);
        }
    }
    desk.close_window().await;
    let tray = desk.begun_anew().await;
    let mut picks = Samples::default();
    for round in each..2 * each {
        let name = name(round);
        let key = desk.window.stage.sim.key_named(&name).expect("it is there");
        let list = format!("{name} (");
        let act = format!("Revoke {name} ");
        let began = tray.pick(&["Quick revoke", &list, &act]).await;
        let time = desk.on_wire(&key.uid, began).await;
        tray.wait_without(&["not confirmed yet"]).await;
        if round >= each + WARM_UP {
            picks.push(time);
        }
    }
    let stays = desk.window.stage.web_processes().is_empty();
    assert!(stays, "the picks were measured without a window");
    vec![
        Figure::bound(
            "tray pick to the request on the wire",
            picks.median(),
            picks.span(),
            AT_ONCE,
        ),
        Figure::bound(
            "click on Revoke to the request on the wire",
            clicks.median(),
            clicks.span(),
            AT_ONCE,
        ),
    ]
}

/// Presses "Revoke" in the details of a key; the page says when.
async fn click(desk: &Desk, name: &str) -> f64 {
    let page = &desk.window.page;
    let key = desk.window.stage.sim.key_named(name).expect("it is there");
    page.role("searchbox", "Search keys").put(&format!("\"{name}\"")).await;
    page.role("rowheader", name).nth(0).click().await;
    let details = page.role("region", "Key details");
    details.role("heading", name).wait().await;
    details.role("button", "Revoke").wait_enabled().await;
    desk.window.rest().await;
    let at = number(&desk.window.ask("revoke", json!([])).await);
    // The page's clock knows milliseconds only.
    let since = Timestamp::from_millisecond(at as i64).expect("a time of today");
    let time = desk.on_wire(&key.uid, since).await;
    details.role("button", "Re-activate").wait().await;
    desk.window.rest().await;
    time
}
