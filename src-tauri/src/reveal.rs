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
    windows::{REVEAL, guarded},
};

/// Seconds after which the window closes by itself.
const CLOSES_IN: u32 = 30;

/// The value that the window shows, while it does.
#[derive(Default)]
pub struct Shown(Mutex<Option<Value>>);

struct Value {
    name: String,
    secret: Secret,
    taken: bool,
}

impl Shown {
    /// The value, once: a page that is loaded again gets nothing.
    pub fn take(&self) -> Result<RevealView, Failure> {
        let mut shown = self.lock();
        let value = shown.as_mut().filter(|value| !value.taken).ok_or_else(gone)?;
        value.taken = true;
        // EXPOSE: this is what a person asked for: the value, in the one window made for it.
        let text = value.secret.expose_secret().to_owned();
        Ok(RevealView { name: value.name.clone(), value: text, closes_in: CLOSES_IN })
    }

    /// The value for the clipboard.
    pub fn value(&self) -> Result<Secret, Failure> {
        self.lock().as_ref().map(|value| value.secret.clone()).ok_or_else(gone)
    }

    /// Drops the value.
    pub fn forget(&self) {
        self.lock().take();
    }

    fn put(&self, value: RevealedValue) {
        *self.lock() = Some(Value { name: value.name, secret: value.secret, taken: false });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Value>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn gone() -> Failure {
    Failure::new(ErrorCode::ValueGone, "The value is no longer shown. Reveal it again.")
}

/// Opens the window on a value; one that is open is replaced.
pub fn open<R: Runtime>(app: &AppHandle<R>, value: RevealedValue) -> Result<(), Failure> {
    close(app);
    let title = format!("{} · API key", value.name);
    app.state::<Shown>().put(value);
    let appearance = app.state::<Desk>().keys.settings().appearance;
    let window = guarded(app, REVEAL, "reveal.html", appearance)
        .title(title)
        .inner_size(520.0, 250.0)
        .min_inner_size(420.0, 220.0)
        .content_protected(true)
        .center()
        .build()
        .map_err(|error| {
            app.state::<Shown>().forget();
            Failure::new(
                ErrorCode::Internal,
                format!("The window for the value could not be opened: {error}."),
            )
        })?;
    tauri::async_runtime::spawn(async move {
        tokio::time::sleep(Duration::from_secs(CLOSES_IN.into())).await;
        let _ = window.destroy();
    });
    Ok(())
}

/// The page runs: it has taken the value, or there is none to take.
pub fn has_started<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.state::<Shown>().lock().as_ref().is_none_or(|value| value.taken)
}

/// Destroys the window and forgets the value.
pub fn close<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Shown>().forget();
    if let Some(window) = app.get_webview_window(REVEAL) {
        let _ = window.destroy();
    }
}
