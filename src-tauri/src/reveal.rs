//! The window that shows one value, for half a minute.
//!
//! A web process of its own: when the window is destroyed the process ends and
//! takes its copies of the value with it.

use std::{sync::Mutex, time::Duration};

use palette_keys_core::{ErrorCode, Failure, Secret, held::RevealedValue};
use tauri::{AppHandle, Manager, Runtime};

use crate::{
    desk::Desk,
    views::RevealView,
    windows::{REVEAL, close_once, guarded},
};

/// Seconds after which the window closes by itself.
const CLOSES_IN: u32 = 30;

/// A window that was closed is gone after this time, also one whose page had to start first.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// What the window shows, and whether there is one.
#[derive(Default)]
pub struct Shown {
    inner: Mutex<Inner>,
    /// One window is opened at a time.
    opening: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Inner {
    value: Option<Value>,
    window: Stand,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stand {
    #[default]
    None,
    /// Its page has not asked for the value yet.
    Loading,
    Running,
}

struct Value {
    name: String,
    secret: Secret,
    taken: bool,
}

impl Shown {
    /// The value, once: a page that is loaded again gets nothing.
    pub fn take(&self) -> Result<RevealView, Failure> {
        let mut shown = self.lock();
        if shown.window == Stand::Loading {
            shown.window = Stand::Running;
        }
        let value = shown.value.as_mut().filter(|value| !value.taken).ok_or_else(gone)?;
        value.taken = true;
        // EXPOSE: this is what a person asked for: the value, in the one window made for it.
        let text = value.secret.expose_secret().to_owned();
        Ok(RevealView { name: value.name.clone(), value: text, closes_in: CLOSES_IN })
    }

    /// The value for the clipboard.
    pub fn value(&self) -> Result<Secret, Failure> {
        self.lock().value.as_ref().map(|value| value.secret.clone()).ok_or_else(gone)
    }

    /// Drops the value.
    pub fn forget(&self) {
        self.lock().value.take();
    }

    /// Its window is gone, and the value with it.
    pub fn window_gone(&self) {
        *self.lock() = Inner::default();
    }

    fn put(&self, value: RevealedValue) {
        let value = Value { name: value.name, secret: value.secret, taken: false };
        *self.lock() = Inner { value: Some(value), window: Stand::Loading };
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn gone() -> Failure {
    Failure::new(ErrorCode::ValueGone, "The value is no longer shown. Reveal it again.")
}

/// Opens the window on a value; one that is open is replaced.
pub async fn open<R: Runtime>(app: &AppHandle<R>, value: RevealedValue) -> Result<(), Failure> {
    let shown = app.state::<Shown>();
    let _one = shown.opening.lock().await;
    close(app);
    // Only one window has this name, and what ends with the old one is not to end with the new.
    let began = std::time::Instant::now();
    while there_is_one(app) {
        if began.elapsed() > GONE_WITHIN {
            return Err(not_opened("the one before it does not close"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let title = format!("{} · API key", value.name);
    shown.put(value);
    let appearance = app.state::<Desk>().keys.settings().appearance;
    let window = guarded(app, REVEAL, "reveal.html", appearance)
        .title(title)
        .inner_size(520.0, 250.0)
        .min_inner_size(420.0, 220.0)
        .content_protected(true)
        .center()
        .build()
        .map_err(|error| {
            shown.window_gone();
            not_opened(&error.to_string())
        })?;
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(Duration::from_secs(CLOSES_IN.into())).await;
        let _ = window.destroy();
    });
    Ok(())
}

fn not_opened(why: &str) -> Failure {
    Failure::new(
        ErrorCode::Internal,
        format!("The window for the value could not be opened: {why}. Try again."),
    )
}

fn there_is_one<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.get_webview_window(REVEAL).is_some() || app.state::<Shown>().lock().window != Stand::None
}

/// The page runs: it has asked for the value.
pub fn has_started<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.state::<Shown>().lock().window != Stand::Loading
}

/// Forgets the value and destroys the window, once its page has started.
pub fn close<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Shown>().forget();
    let Some(window) = app.get_webview_window(REVEAL) else { return };
    if has_started(app) {
        let _ = window.destroy();
    } else {
        close_once(&window.as_ref().window(), has_started);
    }
}
