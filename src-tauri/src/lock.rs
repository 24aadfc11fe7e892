//! The lock: after a time without a key or a click in the window, or when a person says so.
//!
//! A locked app gives its window nothing: every command but the few in `OPEN` is refused, nothing is
//! told, the page is loaded anew so that what it knew is gone with it, and no value stays on the
//! clipboard or in a window. What was confirmed goes on, and the tray still takes keys out of
//! service. Unlocking has the desktop ask for the person's password where it can. It is a door for
//! people who pass by the desk, not for programs: what the person may read, their programs may too.

use std::{
    sync::{Mutex, OnceLock},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use palette_keys_core::{
    ErrorCode, Failure, PaletteKeys,
    clock::{Clock, SystemClock},
    keychain::BoxFuture,
    settings::Settings,
};
use tauri::{AppHandle, Manager, Runtime, ipc::Invoke};
use tokio::sync::Notify;

#[cfg(target_os = "linux")]
mod polkit;

use crate::{agent, background, desk::Desk, views::LockView, windows::MAIN};

/// What a page may ask while the app is locked: nothing of it says anything about keys or people.
const OPEN: [&str; 10] = [
    // Refuses by itself, because it also says that the page begins.
    "start",
    "lock_state",
    "lock_now",
    "unlock",
    "in_use",
    "shows",
    "painted",
    "background",
    "clear_clipboard",
    "quit",
];

/// The computer may sleep, which a steady clock does not see: the other one is looked at so often.
const LOOKS: Duration = Duration::from_secs(30);

/// Recognises the person at the desk.
pub trait Doorman: Send + Sync {
    /// Whether it asks for anything.
    fn asks(&self) -> BoxFuture<'_, bool>;
    /// Returns once the person is recognised, which may take as long as they like.
    fn admits(&self) -> BoxFuture<'_, Result<(), Failure>>;
}

/// Whether the app is locked, and when it will be.
pub struct Lock {
    state: Mutex<State>,
    changed: Notify,
    doorman: OnceLock<Box<dyn Doorman>>,
    /// The person is asked once at a time.
    unlocking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    locked: bool,
    /// None: it does not lock by itself.
    after: Option<Duration>,
    used: Instant,
    used_at: Timestamp,
}

impl State {
    /// How long it is still open; none: until somebody locks it.
    fn left(&self, now: Instant, wall: Timestamp) -> Option<Duration> {
        let idle = now.saturating_duration_since(self.used);
        // A clock that was set back says nothing; the steady one goes on.
        let slept = Duration::try_from(wall.duration_since(self.used_at)).unwrap_or_default();
        self.after.map(|after| after.saturating_sub(idle.max(slept)))
    }

    fn is_used(&mut self) {
        self.used = Instant::now();
        self.used_at = SystemClock.now();
    }
}

impl Lock {
    /// As the app was left.
    pub fn new(keys: &PaletteKeys) -> Self {
        let state = State {
            locked: keys.was_locked(),
            after: after(&keys.settings()),
            used: Instant::now(),
            used_at: SystemClock.now(),
        };
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            doorman: OnceLock::new(),
            unlocking: tokio::sync::Mutex::new(()),
        }
    }

    /// From now on this one recognises the person.
    pub fn proved_by(&self, doorman: Box<dyn Doorman>) {
        let _ = self.doorman.set(doorman);
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut background::lock(&self.state))
    }

    fn left(&self) -> Option<Duration> {
        self.with(|state| state.left(Instant::now(), SystemClock.now()))
    }

    async fn admits(&self) -> Result<(), Failure> {
        match self.doorman.get() {
            Some(doorman) => doorman.admits().await,
            None => Ok(()),
        }
    }
}

fn after(settings: &Settings) -> Option<Duration> {
    settings.lock_after_minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)))
}

/// The app is locked, or its time is up.
pub fn is_locked<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.try_state::<Lock>().is_some_and(|lock| {
        lock.with(|state| state.locked) || lock.left().is_some_and(|left| left.is_zero())
    })
}

/// What a locked app answers.
pub fn refusal() -> Failure {
    Failure::new(ErrorCode::AppLocked, "Unlock it to go on. Nothing was done.")
}

/// The lock as the window sees it.
pub async fn view<R: Runtime>(app: &AppHandle<R>) -> LockView {
    let lock = app.state::<Lock>();
    let asks = match lock.doorman.get() {
        Some(doorman) => doorman.asks().await,
        None => false,
    };
    LockView { locked: is_locked(app), asks }
}

/// Locks the app now. A second call does nothing more.
pub async fn lock_now<R: Runtime>(app: &AppHandle<R>) {
    let lock = app.state::<Lock>();
    if lock.with(|state| std::mem::replace(&mut state.locked, true)) {
        return;
    }
    if let Err(failure) = app.state::<Desk>().keys.remember_lock(true) {
        // It is locked all the same, until it ends.
        tracing::warn!("the lock could not be remembered: {failure}");
    }
    agent::page_hears_no_more(app);
    // A page that has not begun is refused when it does.
    if agent::has_started(app)
        && let Some(window) = app.get_webview_window(MAIN)
        && let Err(error) = window.reload()
    {
        tracing::warn!("the page of a locked window could not be loaded anew: {error}");
    }
    background::put_values_away(app).await;
}

/// Unlocks the app once the person is recognised.
pub async fn unlock<R: Runtime>(app: &AppHandle<R>) -> Result<(), Failure> {
    let lock = app.state::<Lock>();
    let Ok(_one) = lock.unlocking.try_lock() else {
        return Err(Failure::new(
            ErrorCode::NotRecognised,
            "Your desktop asks for your password already; its window may be behind this one.",
        ));
    };
    lock.admits().await?;
    lock.with(|state| {
        state.locked = false;
        state.is_used();
    });
    lock.changed.notify_one();
    app.state::<Desk>().keys.remember_lock(false)
}

/// Somebody uses the window. A locked one stays so.
pub fn in_use<R: Runtime>(app: &AppHandle<R>) {
    if !is_locked(app) {
        app.state::<Lock>().with(State::is_used);
    }
}

/// Looks at the clock now.
pub fn look<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Lock>().changed.notify_one();
}

/// Whoever switches the lock on is asked once what unlocking will ask: better now than before a
/// closed door.
pub async fn agree<R: Runtime>(
    app: &AppHandle<R>,
    before: &Settings,
    wanted: &Settings,
) -> Result<(), Failure> {
    if before.lock_after_minutes.is_some() || wanted.lock_after_minutes.is_none() {
        return Ok(());
    }
    wanted.check()?;
    app.state::<Lock>().admits().await
}

/// The settings were saved.
pub fn settings_saved<R: Runtime>(app: &AppHandle<R>, settings: &Settings) {
    let lock = app.state::<Lock>();
    lock.with(|state| {
        state.after = after(settings);
        state.is_used();
    });
    lock.changed.notify_one();
}

/// Locks the app when its time is up, for as long as it runs.
pub async fn watch<R: Runtime>(app: AppHandle<R>) {
    loop {
        let lock = app.state::<Lock>();
        let left = if lock.with(|state| state.locked) { None } else { lock.left() };
        match left {
            Some(left) if left.is_zero() => lock_now(&app).await,
            Some(left) => {
                tokio::select! {
                    () = tokio::time::sleep(left.min(LOOKS)) => {}
                    () = lock.changed.notified() => {}
                }
            }
            None => lock.changed.notified().await,
        }
    }
}

/// Refuses what a locked app does not do.
pub fn guarded<R: Runtime>(
    handler: impl Fn(Invoke<R>) -> bool + Send + Sync + 'static,
) -> impl Fn(Invoke<R>) -> bool + Send + Sync + 'static {
    move |invoke| {
        let message = &invoke.message;
        if OPEN.contains(&message.command()) || !is_locked(message.webview_ref().app_handle()) {
            return handler(invoke);
        }
        invoke.resolver.reject(refusal());
        true
    }
}

/// The desktop, asked for the person's password.
pub struct Desktop;

#[cfg(target_os = "linux")]
impl Doorman for Desktop {
    fn asks(&self) -> BoxFuture<'_, bool> {
        Box::pin(polkit::asks())
    }

    fn admits(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(polkit::admits())
    }
}

/// Touch ID and Windows Hello are not asked yet; the window says that nothing is.
#[cfg(not(target_os = "linux"))]
impl Doorman for Desktop {
    fn asks(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    fn admits(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(after: Option<u64>) -> (State, Instant, Timestamp) {
        let (now, wall) = (Instant::now(), SystemClock.now());
        let after = after.map(Duration::from_secs);
        (State { locked: false, after, used: now, used_at: wall }, now, wall)
    }

    #[test]
    fn time_runs_by_the_clock_that_went_further() {
        let (state, now, wall) = state(Some(300));
        let left = |steady: u64, wall: Timestamp| {
            state.left(now + Duration::from_secs(steady), wall).unwrap().as_secs()
        };
        let later = |seconds| wall + Duration::from_secs(seconds);
        assert_eq!(left(0, wall), 300);
        assert_eq!(left(100, later(100)), 200);
        assert_eq!(left(400, later(400)), 0);
        assert_eq!(left(10, later(8 * 3600)), 0, "it slept for a night");
        assert_eq!(left(100, wall - Duration::from_secs(9_999)), 200, "the clock was set back");
    }

    #[test]
    fn without_a_time_it_stays_open() {
        let (state, now, wall) = state(None);
        let later = Duration::from_secs(1_000_000);
        assert_eq!(state.left(now + later, wall + later), None);
    }
}
