//! The two windows, by trust: `main` shows untrusted text and gets no secret,
//! `reveal` shows one secret and can do nothing else.

use std::time::Duration;

use palette_keys_core::settings::Appearance;
use tauri::{
    AppHandle, Manager, Runtime, Theme, Url, WebviewUrl, WebviewWindow, WebviewWindowBuilder,
    Window, WindowEvent, webview::NewWindowResponse, window::Color,
};
use tauri_plugin_store::StoreExt;

use crate::{agent, desk::Desk, events};

/// Label of the main window.
pub const MAIN: &str = "main";
/// Label of the window that shows one value.
pub const REVEAL: &str = "reveal";

/// The file in which the size of the main window is kept, and what was said about closing it.
const PREFERENCES: &str = "window.json";
const SIZE: &str = "main-size";
/// It was said once that closing the window quits.
const SAID_THAT_CLOSING_QUITS: &str = "said-that-closing-quits";

/// A notice told on the way out is given so long, once in the life of an installation.
const BEFORE_THE_END: Duration = Duration::from_millis(250);

/// A page that has not started after this time never will.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// Opens the main window, or raises it.
pub fn open_main<R: Runtime>(app: &AppHandle<R>, appearance: Appearance) -> tauri::Result<()> {
    if app.get_webview_window(MAIN).is_some() {
        raise(app);
        return Ok(());
    }
    let (width, height) = remembered_size(app).unwrap_or((1240.0, 780.0));
    agent::window_gone(app);
    #[cfg(target_os = "linux")]
    let _mapping = crate::first_frame::at_mapping(theme(appearance));
    let window = guarded(app, MAIN, "index.html", appearance)
        .title("Palette Keys")
        .inner_size(width, height)
        .min_inner_size(640.0, 480.0)
        .center()
        .build()?;
    #[cfg(target_os = "linux")]
    crate::first_frame::show(&window, theme(appearance))?;
    watch_web_process(&window)
}

/// The page of the main window has something to show, in the frame that comes.
pub fn page_shows<R: Runtime>(app: &AppHandle<R>) {
    #[cfg(target_os = "linux")]
    let _ = app.run_on_main_thread(crate::first_frame::give_way);
    #[cfg(not(target_os = "linux"))]
    let _ = app;
}

/// The page of the main window has painted what it has.
pub fn page_painted<R: Runtime>(app: &AppHandle<R>) {
    #[cfg(target_os = "linux")]
    let _ = app.run_on_main_thread(crate::first_frame::end);
    agent::page_painted(app);
}

/// A page whose web process died shows nothing and hears nothing: the shell has to know.
#[cfg(target_os = "linux")]
fn watch_web_process<R: Runtime>(window: &WebviewWindow<R>) -> tauri::Result<()> {
    use webkit2gtk::WebViewExt;
    let app = window.app_handle().clone();
    window.with_webview(move |page| {
        page.inner().connect_web_process_terminated(move |_, reason| {
            tracing::warn!("the web process of the main window ended: {reason:?}");
            agent::web_process_died(&app);
        });
    })
}

/// WebView2 and WKWebView start their process again by themselves.
#[cfg(not(target_os = "linux"))]
fn watch_web_process<R: Runtime>(_window: &WebviewWindow<R>) -> tauri::Result<()> {
    Ok(())
}

/// Destroys the main window and returns when it is gone.
pub async fn destroy_main<R: Runtime>(app: &AppHandle<R>) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    remember_size(&window.as_ref().window());
    crate::reveal::close(app);
    let _ = window.destroy();
    for _ in 0..100 {
        if app.get_webview_window(MAIN).is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Opens the main window if there is none; one that is there is left where it is.
pub fn raise_if_closed<R: Runtime>(app: &AppHandle<R>) {
    if app.get_webview_window(MAIN).is_none() {
        raise(app);
    }
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
        Some(Theme::Dark) => builder.background_color(Color(0x12, 0x15, 0x1b, 0xff)),
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
    } else if let Some(desk) = app.try_state::<Desk>() {
        app.state::<agent::Agent>().opening(|| {
            if let Err(error) = open_main(app, desk.keys.settings().appearance) {
                tracing::error!("the main window could not be opened: {error}");
                agent::tell(
                    app,
                    "The window could not be opened",
                    "The tray goes on, and so does what you confirmed. Quit and start again to \
                     have a window.",
                );
            }
        });
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

/// Closing the main window never loses a value that nobody has kept. It leaves the agent behind
/// where there is a tray, else it quits.
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
            if !agent::stays(app) && !agent::is_leaving(app) {
                // The window that asks must stay open.
                if agent::asks_before_quitting(app) {
                    api.prevent_close();
                    return;
                }
                say_that_closing_quits(app);
            }
            remember_size(window);
            crate::reveal::close(app);
            if !agent::has_started(app) {
                api.prevent_close();
                close_once(window, agent::has_started);
            }
        }
        (REVEAL, WindowEvent::CloseRequested { api, .. }) if !crate::reveal::has_started(app) => {
            api.prevent_close();
            close_once(window, crate::reveal::has_started);
        }
        (MAIN, WindowEvent::Destroyed) => {
            agent::window_gone(app);
            #[cfg(target_os = "linux")]
            crate::afresh::after_window(app);
        }
        (REVEAL, WindowEvent::Destroyed) => app.state::<crate::reveal::Shown>().window_gone(),
        _ => {}
    }
}

/// Hides a window and destroys it once its page has started. WebKitGTK 2.50 ends the whole app when
/// a window goes whose web process has not yet reported its number ("readPIDFromPeer").
pub fn close_once<R: Runtime>(window: &Window<R>, has_started: fn(&AppHandle<R>) -> bool) {
    let _ = window.hide();
    let window = window.clone();
    tauri::async_runtime::spawn(async move {
        let app = window.app_handle();
        let began = std::time::Instant::now();
        while !has_started(app) && began.elapsed() < STARTS_WITHIN {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It may have been asked for again meanwhile.
        if !window.is_visible().unwrap_or(false) {
            let _ = window.destroy();
        }
    });
}

/// Once, and only to somebody who wants the tray and has none.
fn say_that_closing_quits<R: Runtime>(app: &AppHandle<R>) {
    if !app.state::<Desk>().keys.settings().close_to_tray {
        return;
    }
    let Ok(preferences) = app.store(PREFERENCES) else { return };
    if preferences.get(SAID_THAT_CLOSING_QUITS).is_some() {
        return;
    }
    preferences.set(SAID_THAT_CLOSING_QUITS, true);
    let _ = preferences.save();
    agent::tell(
        app,
        "Palette Keys has quit",
        "This desktop shows no tray icons, so closing the window ends the app.",
    );
    // The app ends now; the notice has to be on its way before.
    std::thread::sleep(BEFORE_THE_END);
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
