//! The app with a list of keys before it, and the clock inside its page.

use palette_sim::{Seed, SimOptions};
use serde_json::{Value, json};

use crate::harness::{Launch, Page, Setting, Stage};

/// The tenant that the targets are about.
pub fn large() -> SimOptions {
    SimOptions { seed: Seed::Size { keys: 6_000, users: 300 }, ..unhurried() }
}

/// The demo tenant of some 40 keys.
pub fn usual() -> SimOptions {
    usual_but(Seed::Demo)
}

/// A tenant with this in it.
pub fn usual_but(seed: Seed) -> SimOptions {
    SimOptions { seed, ..unhurried() }
}

/// The rate limit would be what is measured.
fn unhurried() -> SimOptions {
    SimOptions { rate_limit: false, ..SimOptions::default() }
}

/// The app, signed in as the admin of a tenant.
pub struct Window {
    /// Its desktop.
    pub stage: Stage,
    /// Its page, with the clock of `page.js` in it.
    pub page: Page,
    /// From pressing "Connect" to painted rows.
    pub connected: f64,
}

impl Window {
    /// Starts it on this tenant and connects.
    pub async fn open(palette: SimOptions) -> Self {
        Self::open_on(Self::stage(palette).await).await
    }

    /// A desktop with this tenant, before the app starts.
    pub async fn stage(palette: SimOptions) -> Stage {
        Stage::set(Setting { palette, ..Setting::default() }).await
    }

    /// Starts it there and connects.
    pub async fn open_on(mut stage: Stage) -> Self {
        // The stage chooses the renderer that its pictures need; people get this one.
        let launch = Launch::default()
            .with("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
            .with("RUST_LOG", "warn,palette_keys::afresh=debug");
        let page = stage.launch(launch).await;
        page.role("heading", "Connect to Palette").wait().await;
        page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
        page.role("radio", "API key").check(true).await;
        page.password("API key").put(&stage.sim.admin().api_key).await;
        page.role("button", "Connect").wait_enabled().await;
        page.evaluate(include_str!("page.js")).await;
        let connected = page.evaluate("return window.__bench.connect()").await;
        page.role("status", "Status").wait_text("As of ").await;
        let window = Self { stage, page, connected: number(&connected) };
        window.rest().await;
        window
    }

    /// Calls a function of `page.js`.
    pub async fn ask(&self, function: &str, arguments: Value) -> Value {
        let script = format!("return window.__bench.{function}(...arguments[0])");
        self.page.evaluate_with(&script, json!([arguments])).await
    }

    /// Lets what goes on behind the last act (the list is written to disk) come to its end.
    pub async fn rest(&self) {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    }
}

/// A number that the page gave.
pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// Numbers that the page gave.
pub fn numbers(value: &Value) -> impl Iterator<Item = f64> {
    value.as_array().into_iter().flatten().map(number)
}
