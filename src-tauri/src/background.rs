//! What goes on without a window: notices, refreshes, starting at login.
//!
//! [`start`] is called once, by the app itself and not by the tests on the mock runtime: those must
//! not speak to the desktop of whoever runs them.

use std::sync::{Arc, Mutex, PoisonError};

use palette_keys_core::{
    Failure, PaletteKeys, notices::Teller, palette_keys::Change, settings::Settings,
};
use tauri::{AppHandle, Emitter, Manager, Runtime};

use crate::{
    agent,
    desk::Desk,
    events, login,
    network::{self, Heard},
    notify::{self, Notifier},
    schedule,
    views::BackgroundView,
    windows::MAIN,
};

/// The parts that go on without a window.
pub struct Background {
    pub(crate) notifier: Notifier,
    pub(crate) teller: Arc<Teller>,
    pub(crate) pulse: Arc<schedule::Pulse>,
    /// As they were last applied, to know what a person just changed.
    settings: Mutex<Settings>,
    login_problem: Mutex<Option<String>>,
}

/// Starts them. A second call does nothing.
pub fn start<R: Runtime>(app: &AppHandle<R>) {
    if app.try_state::<Background>().is_some() {
        return;
    }
    let Some(desk) = app.try_state::<Desk>() else { return };
    let keys = Arc::clone(&desk.keys);
    let teller = Arc::new(Teller::new(&keys));
    let pulse = Arc::new(schedule::Pulse::default());
    let settings = keys.settings();
    let login_problem = login::verify(settings.start_at_login).err();
    listen(&keys, &teller, &pulse);
    let notifier = {
        let (app, pulse) = (app.clone(), Arc::clone(&pulse));
        Notifier::start(move || {
            // What could not be shown before can be now.
            pulse.nudge();
            changed(&app);
        })
    };
    network::watch({
        let (app, pulse) = (app.clone(), Arc::clone(&pulse));
        move |heard| match heard {
            Heard::Network => pulse.network_changed(),
            Heard::Resumed => {
                pulse.resumed();
                crate::lock::look(&app);
            }
            Heard::ScreenLocked => screen_locked(&app),
        }
    });
    app.manage(Background {
        notifier,
        teller,
        pulse,
        settings: Mutex::new(settings),
        login_problem: Mutex::new(login_problem),
    });
    // What the tray has to say goes the same way.
    app.state::<agent::Agent>().notices_by(Box::new(Desktop(app.clone())));
    tauri::async_runtime::spawn(schedule::run(app.clone(), keys));
}

/// Nobody is at the desk: no value stays on the clipboard or in a window.
fn screen_locked<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move { put_values_away(&app).await });
}

/// No value stays on the clipboard or in a window.
pub(crate) async fn put_values_away<R: Runtime>(app: &AppHandle<R>) {
    crate::reveal::close(app);
    let _ = app.state::<crate::clipboard::Clipboard>().clear().await;
}

/// The desktop's notices, as the agent needs them.
struct Desktop<R: Runtime>(AppHandle<R>);

impl<R: Runtime> agent::Notices for Desktop<R> {
    fn tell(&self, title: &str, body: &str) {
        notify::tell(&self.0, title, body);
    }

    fn host(&self) -> Option<String> {
        self.0.try_state::<Background>()?.notifier.host()
    }

    fn pause(&self, until: Option<i64>) -> Result<(), Failure> {
        pause(&self.0, until)
    }

    fn paused_until(&self) -> Option<i64> {
        teller(&self.0)?.paused_until()
    }
}

fn listen(keys: &Arc<PaletteKeys>, teller: &Arc<Teller>, pulse: &Arc<schedule::Pulse>) {
    let (teller, pulse) = (Arc::clone(teller), Arc::clone(pulse));
    keys.on_change(Box::new(move |change| {
        if let Change::OutboxEnded(end) = &change {
            teller.ended(end, pulse.steady());
        }
        pulse.nudge();
    }));
}

/// Fills in what is known here of how the app lives on without its window.
pub fn fill<R: Runtime>(app: &AppHandle<R>, view: &mut BackgroundView) {
    view.paused_until = teller(app).and_then(|teller| teller.paused_until());
    let Some(background) = app.try_state::<Background>() else { return };
    view.notice_host = background.notifier.host();
    view.login_problem = lock(&background.login_problem).clone();
}

/// Nothing waits to be told (how acts ended is gathered for a moment, in memory), and nothing is on
/// its way to the desktop, or was shown and is not written down yet.
pub fn has_told_all<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.try_state::<Background>().is_none_or(|background| {
        // Where nothing on the desktop shows notices, none will be: Activity has the act.
        let gathered =
            background.notifier.host().is_some() && background.teller.acts_due_at().is_some();
        !gathered && background.notifier.is_idle()
    })
}

/// Pauses the notices until then (ms since 1970 UTC), or ends the pause.
pub fn pause<R: Runtime>(app: &AppHandle<R>, until: Option<i64>) -> Result<(), Failure> {
    if let Some(teller) = teller(app) {
        teller.pause(until)?;
    }
    if let Some(background) = app.try_state::<Background>() {
        background.pulse.nudge();
    }
    changed(app);
    Ok(())
}

/// The pause is on disk, and counts whether or not the rest was started.
fn teller<R: Runtime>(app: &AppHandle<R>) -> Option<Arc<Teller>> {
    match app.try_state::<Background>() {
        Some(background) => Some(Arc::clone(&background.teller)),
        None => Some(Arc::new(Teller::new(&app.try_state::<Desk>()?.keys))),
    }
}

/// The settings were saved: what they mean for the desktop is done.
pub fn settings_saved<R: Runtime>(app: &AppHandle<R>, settings: &Settings) {
    let Some(background) = app.try_state::<Background>() else { return };
    let before = std::mem::replace(&mut *lock(&background.settings), settings.clone());
    if before.start_at_login != settings.start_at_login {
        *lock(&background.login_problem) = login::apply(settings.start_at_login).err();
    }
    background.pulse.nudge();
    changed(app);
}

/// Tells the window how things stand now.
fn changed<R: Runtime>(app: &AppHandle<R>) {
    // No window, nobody to tell: it asks when it opens.
    let _ = app.emit_to(MAIN, events::BACKGROUND, agent::view(app));
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
