//! After a window the process begins anew, in its place.
//!
//! Once a window was open, GTK and WebKit keep what they loaded and made for it, and WebKit's
//! network process stays: more than half of what the agent then costs, and nothing gives it back.
//! So some seconds after the window was closed the program replaces itself by itself: the same
//! process id, started as at login. That is done only while nothing would be lost by it; what the
//! tray offers (the undo of a revocation, the pause) comes from the disk. A start that falls into
//! the moment in between finds no first instance and becomes it, with its window; this one then
//! meets it and ends.

use std::time::Duration;

use tauri::{AppHandle, Manager, Runtime};

use crate::{HIDDEN, agent, background, clipboard::Clipboard, desk::Desk};

/// The window may be opened again at once.
#[cfg(not(debug_assertions))]
const CALM: Duration = Duration::from_secs(4);
/// What was in the way is looked at again after this time.
const AGAIN: Duration = Duration::from_secs(10);

#[cfg(not(debug_assertions))]
fn calm() -> Duration {
    CALM
}

/// In a debug build a test says when: another one must not lose the tray that it holds.
#[cfg(debug_assertions)]
fn calm() -> Duration {
    let told = std::env::var("PALETTE_KEYS_CALM_MS").ok().and_then(|told| told.parse().ok());
    told.map_or(Duration::from_secs(24 * 3600), Duration::from_millis)
}

/// The main window was destroyed.
pub fn after_window<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(calm()).await;
        // A window that comes again begins this again when it goes.
        while app.webview_windows().is_empty() {
            if let Some(what) = in_the_way(&app) {
                tracing::debug!(what, "the agent does not begin anew yet");
            } else if !keys_could_sign_in(&app).await {
                tracing::debug!("the agent does not begin anew yet: the keychain is not readable");
            } else {
                let main = app.clone();
                let _ = app.run_on_main_thread(move || {
                    if copied_text_is_ours() {
                        tracing::debug!("the agent does not begin anew yet: text was copied");
                    } else if in_the_way(&main).is_none() {
                        crate::hardening::begin_anew(HIDDEN);
                    }
                });
            }
            tokio::time::sleep(AGAIN).await;
        }
    });
}

/// What would be lost; none: nothing.
fn in_the_way<R: Runtime>(app: &AppHandle<R>) -> Option<&'static str> {
    if !agent::is_idle(app) {
        Some("the window or the tray is at work")
    } else if !app.state::<Clipboard>().is_idle() {
        Some("a value is on the clipboard")
    } else if !background::has_told_all(app) {
        Some("an act is still to be told")
    } else {
        app.state::<Desk>().keys.at_work()
    }
}

async fn keys_could_sign_in<R: Runtime>(app: &AppHandle<R>) -> bool {
    let keys = std::sync::Arc::clone(&app.state::<Desk>().keys);
    keys.could_sign_in_anew().await
}

/// Text that was copied out of the page (the uid of a key) is served by this process.
fn copied_text_is_ours() -> bool {
    use gtk::gdk;
    gdk::selection_owner_get(&gdk::SELECTION_CLIPBOARD).is_some()
}
