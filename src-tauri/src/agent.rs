//! The app without its window: tray, notices, refreshes, quitting.

use palette_keys_core::Failure;
use tauri::{AppHandle, Runtime};

use crate::views::{BackgroundView, PauseRequest, QuitRequest};

/// How the app lives on without its window.
pub fn view<R: Runtime>(app: &AppHandle<R>) -> BackgroundView {
    let mut view = BackgroundView {
        tray_host: false,
        notice_host: None,
        paused_until: None,
        login_problem: None,
    };
    crate::background::fill(app, &mut view);
    view
}

/// Pauses the notices, or ends the pause.
pub fn pause_notices<R: Runtime>(
    app: &AppHandle<R>,
    request: PauseRequest,
) -> Result<BackgroundView, Failure> {
    crate::background::pause(app, request.until)?;
    Ok(view(app))
}

/// Ends the app.
pub fn quit<R: Runtime>(app: &AppHandle<R>, _request: QuitRequest) {
    app.exit(0);
}
