//! Scrolling and searching 6,000 keys: does every frame come in time?

use serde_json::{Value, json};

use crate::{
    figures::{Figure, Samples},
    signed_in::{Window, number, numbers},
};

/// One frame of a display with 60 of them a second.
const FRAME: f64 = 16.7;
/// A page that is busy for longer feels stuck.
const LONG_TASK: f64 = 50.0;
/// A frame this late has let one of the display's pass by.
const LATE: f64 = 1.5 * FRAME;

/// The wheel, jumps of the scroll bar, the search box.
pub async fn measure(window: &Window) -> Vec<Figure> {
    let wheel = wheel(window).await;
    let jumps = window.ask("jumps", json!([7_919, 200])).await;
    let words = ["prod", "ci-deploy", "owner:jane", "status:exp", "expires:<30d", "zzzz"];
    let typing = window.ask("typing", json!([words])).await;
    let mut figures = Vec::new();
    for (what, seen) in [
        ("6,000 keys: turning the wheel, to painted (p95)", &wheel),
        ("6,000 keys: dragging the scroll bar, to painted (p95)", &jumps),
        ("6,000 keys: a letter in the search box, to painted (p95)", &typing),
    ] {
        figures.extend(figures_of(what, seen));
    }
    figures
}

fn figures_of(what: &str, seen: &Value) -> [Figure; 2] {
    let times: Samples = numbers(&seen["times"]).collect();
    let frames: Samples = numbers(&seen["frames"]).collect();
    let late = numbers(&seen["frames"]).filter(|distance| *distance > LATE).count();
    let span = format!(
        "median {:.1}, worst {:.1} of {} inputs",
        times.median(),
        times.worst(),
        times.len()
    );
    let pace = format!(
        "frames come every {:.1} ms (median); {late} of {} late",
        frames.median(),
        frames.len()
    );
    [
        Figure::bound(what, times.p95(), span, FRAME),
        Figure::bound(
            "  longest time the page was busy",
            number(&seen["longest"]),
            pace,
            LONG_TASK,
        ),
    ]
}

/// The real wheel, through the X server: down a long way, and up again.
async fn wheel(window: &Window) -> Value {
    let grid = window.page.role("grid", "API keys");
    grid.hover().await;
    window.ask("record", json!(["scroll"])).await;
    for button in ["5", "4"] {
        let turn = ["click", "--repeat", "150", "--delay", "12", button];
        let output = window.stage.command("xdotool", &turn).await;
        assert!(output.status.success(), "xdotool turns the wheel");
    }
    window.rest().await;
    window.ask("stop", json!([])).await
}
