//! How fast the release build is, as ratios against something measured in the same run.
//!
//! `cargo xtask bench` runs it; what is measured and how is told in `docs/bench.md`. A figure that
//! misses its target is printed as missed and fails nothing: timings depend on the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a stage that cannot be set ends the measurement"
)]
#![allow(clippy::print_stdout, reason = "the figures are printed")]

#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod desk;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
#[path = "../e2e/harness/mod.rs"]
mod harness;
#[cfg(target_os = "linux")]
mod list;
#[cfg(target_os = "linux")]
mod review;
#[cfg(target_os = "linux")]
mod revokes;
#[cfg(target_os = "linux")]
mod screen;
#[cfg(target_os = "linux")]
mod signed_in;
#[cfg(target_os = "linux")]
mod smooth;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod tray;

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The measurements need Xvfb and WebKitWebDriver: they run on Linux only.");
}

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() {
    use figures::{Figure, load, print};

    // Cargo adds `--bench`; every other word names a part to be measured alone, and `full` has what
    // takes long measured whole.
    let mut words: Vec<String> = std::env::args().skip(1).filter(|w| w != "--bench").collect();
    let full = words.iter().any(|word| word == "full");
    words.retain(|word| word != "full");
    let wanted = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    // Each part is printed as it ends: a stage that cannot be set costs only what comes after it.
    let told = |before: f64, figures: Vec<Figure>| print(&figures, before, load());
    if wanted("list") || wanted("smooth") {
        let before = load();
        let mut window = signed_in::Window::open(signed_in::large()).await;
        let mut figures = Vec::new();
        if wanted("list") {
            figures.extend(list::measure(&mut window).await);
        }
        if wanted("smooth") {
            figures.extend(smooth::measure(&window).await);
        }
        told(before, figures);
    }
    if wanted("review") {
        let before = load();
        let mut figures = vec![review::measure()];
        let window = signed_in::Window::open(signed_in::large()).await;
        figures.push(review::paint(&window).await);
        drop(window);
        figures.extend(review::memory().await);
        told(before, figures);
    }
    if wanted("start") {
        told(load(), start::measure().await);
    }
    if wanted("tray") {
        told(load(), tray::measure().await);
    }
    if wanted("revokes") {
        told(load(), revokes::measure().await);
    }
    if wanted("agent") {
        told(load(), agent::measure(full).await);
    }
}
