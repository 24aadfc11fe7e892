//! The two windows, by trust: `main` shows untrusted text and gets no secret,
//! `reveal` shows one secret and can do nothing else.

use palette_keys_core::settings::Appearance;
use tauri::{
    AppHandle, Manager, Runtime, Theme, Url, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent,
    webview::NewWindowResponse, window::Color,
};
use tauri_plugin_store::StoreExt;

use crate::{desk::Desk, events};

/// Label of the main window.
pub const MAIN: &str = "main";
/// Label of the window that shows one value.
pub const REVEAL: &str = "reveal";

/// The file in which the size of the main window is kept. Nothing else is in it.
const PREFERENCES: &str = "window.json";
const SIZE: &str = "main-size";

/// Opens the main window, or raises it.
pub fn open_main<R: Runtime>(app: &AppHandle<R>, appearance: Appearance) -> tauri::Result<()> {
    if app.get_webview_window(MAIN).is_some() {
        raise(app);
        return Ok(());
    }
    let (width, height) = remembered_size(app).unwrap_or((1240.0, 780.0));
    guarded(app, MAIN, "index.html", appearance)
        .title("Palette Keys")
        .inner_size(width, height)
        .min_inner_size(640.0, 480.0)
        .center()
        .build()?;
    Ok(())
}

/// A window that can only ever show our own pages.
pub fn guarded<'a, R: Runtime>(
    app: &'a AppHandle<R>,
    label: &str,
    page: &str,
    appearance: Appearance,
) -> WebviewWindowBuilder<'a, R, AppHandle<R>> {
    let theme = theme(appearance);
    let builder = WebviewWindowBuilder::new(app, label, WebviewUrl::App(page.into()))
        .theme(theme)
        .devtools(false)
        .general_autofill_enabled(false)
        .zoom_hotkeys_enabled(true)
        .on_navigation(ours)
        .on_new_window(|_, _| NewWindowResponse::Deny);
    // The pages need no network. WebKitGTK connects to the host of a link that is clicked before it
    // asks us, past any policy of the page; now it asks a proxy that is not there, for names too.
    #[cfg(target_os = "linux")]
    let builder = match Url::parse("http://127.0.0.1:9") {
        Ok(nowhere) => builder.proxy_url(nowhere),
        Err(_) => builder,
    };
    // No white flash before a dark page.
    match theme {
        Some(Theme::Dark) => builder.background_color(Color(0x15, 0x17, 0x1c, 0xff)),
        _ => builder,
    }
}

/// Our own pages: `tauri://localhost` here, `http://tauri.localhost` on Windows.
fn ours(url: &Url) -> bool {
    url.scheme() == "tauri" || (url.scheme() == "http" && url.host_str() == Some("tauri.localhost"))
}

/// Brings the main window to the front, opening it if it is gone.
pub fn raise<R: Runtime>(app: &AppHandle<R>) {
    if let Some(window) = app.get_webview_window(MAIN) {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    } else if let Some(desk) = app.try_state::<Desk>()
        && let Err(error) = open_main(app, desk.keys.settings().appearance)
    {
        tracing::error!("the main window could not be opened: {error}");
    }
}

/// Light, dark, or as the desktop is.
pub fn set_appearance<R: Runtime>(app: &AppHandle<R>, appearance: Appearance) {
    for window in app.webview_windows().values() {
        let _ = window.set_theme(theme(appearance));
    }
}

fn theme(appearance: Appearance) -> Option<Theme> {
    match appearance {
        Appearance::System => None,
        Appearance::Light => Some(Theme::Light),
        Appearance::Dark => Some(Theme::Dark),
    }
}

/// Closing the main window never loses a value that nobody has kept.
pub fn on_event<R: Runtime>(window: &Window<R>, event: &WindowEvent) {
    let app = window.app_handle();
    match (window.label(), event) {
        (MAIN, WindowEvent::CloseRequested { api, .. }) => {
            if let Some(held) = app.state::<Desk>().keys.held_values().into_iter().next() {
                api.prevent_close();
                raise(app);
                events::held_waiting(app, held);
                return;
            }
            remember_size(window);
            crate::reveal::close(app);
        }
        (REVEAL, WindowEvent::Destroyed) => app.state::<crate::reveal::Shown>().forget(),
        _ => {}
    }
}

fn remembered_size<R: Runtime>(app: &AppHandle<R>) -> Option<(f64, f64)> {
    let preferences = app.store(PREFERENCES).ok()?;
    let (width, height): (f64, f64) = serde_json::from_value(preferences.get(SIZE)?).ok()?;
    // A file can say anything: keep the window on a screen.
    (width.is_finite() && height.is_finite())
        .then(|| (width.clamp(640.0, 4096.0), height.clamp(480.0, 4096.0)))
}

fn remember_size<R: Runtime>(window: &Window<R>) {
    let (Ok(size), Ok(scale)) = (window.inner_size(), window.scale_factor()) else { return };
    let size = size.to_logical::<f64>(scale);
    if let Ok(preferences) = window.app_handle().store(PREFERENCES) {
        preferences.set(SIZE, serde_json::json!([size.width, size.height]));
        let _ = preferences.save();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_open() {
        let table = [
            ("tauri://localhost/index.html", true),
            ("http://tauri.localhost/reveal.html", true),
            ("https://tauri.localhost.evil.example/", false),
            ("http://tauri.localhost.evil.example/", false),
            ("https://console.spectrocloud.com/", false),
            ("file:///etc/passwd", false),
            ("data:text/html,x", false),
            ("about:blank", false),
        ];
        for (address, expected) in table {
            assert_eq!(ours(&Url::parse(address).unwrap()), expected, "{address}");
        }
    }
}
