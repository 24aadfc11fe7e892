//! The one loop that goes on without a window. It sleeps until something is due or heard; nothing
//! here runs more often than twice a minute while nothing happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use palette_keys_core::{
    PaletteKeys,
    background::{Heard, Moment, Refreshed, Schedule, refresh},
    clock::{Clock, SystemClock},
};
use tauri::{AppHandle, Manager, Runtime};
use tokio::sync::{Notify, oneshot};

use crate::{background::Background, windows::MAIN};

/// A row of changes is looked at together.
const TOGETHER: Duration = Duration::from_secs(1);
/// Ends of keys come closer without a change: they are looked at so often.
const NOTICES: Duration = Duration::from_secs(60);
/// Records that wait are looked at so often, for the one that waits too long.
const RECORDS: Duration = Duration::from_secs(10);
/// After the desktop did not take a notice it is tried again after this time, or when something
/// that takes notices appears.
const AGAIN: Duration = Duration::from_secs(300);
/// A list that nobody could read in this time is told from as it is remembered.
const LISTS: Duration = Duration::from_secs(60);

/// What only starting or reading lists needed is let go of so much later, where no window is open.
const LET_GO_AFTER: Duration = Duration::from_secs(3);

/// What wakes the loop.
pub struct Pulse {
    began: Instant,
    notify: Notify,
    network: AtomicBool,
    resumed: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            notify: Notify::new(),
            network: AtomicBool::new(false),
            resumed: AtomicBool::new(false),
        }
    }
}

impl Pulse {
    /// A clock that only goes forward.
    pub fn steady(&self) -> Duration {
        self.began.elapsed()
    }

    /// Something changed that may have to be told.
    pub fn nudge(&self) {
        self.notify.notify_one();
    }

    /// The network came, went or changed.
    pub fn network_changed(&self) {
        self.network.store(true, Ordering::SeqCst);
        self.nudge();
    }

    /// The computer woke from sleep.
    pub fn resumed(&self) {
        self.resumed.store(true, Ordering::SeqCst);
        self.nudge();
    }

    fn heard(&self) -> Heard {
        Heard {
            network: self.network.swap(false, Ordering::SeqCst),
            resumed: self.resumed.swap(false, Ordering::SeqCst),
        }
    }

    fn moment(&self) -> Moment {
        Moment { wall_ms: SystemClock.now().as_millisecond(), steady: self.steady() }
    }
}

/// Runs until the app ends.
pub(crate) async fn run<R: Runtime>(app: AppHandle<R>, keys: Arc<PaletteKeys>) {
    let Some(background) = app.try_state::<Background>() else { return };
    let pulse = &background.pulse;
    let mut schedule = Schedule::new(pulse.moment());
    let mut reading: Option<oneshot::Receiver<Refreshed>> = None;
    let mut lists = false;
    let mut notices = Notices::default();
    let mut let_go_at = Some(pulse.steady() + LET_GO_AFTER);
    loop {
        if let Some(outcome) = reading.as_mut().and_then(|reading| reading.try_recv().ok()) {
            reading = None;
            lists |= outcome != Refreshed::PromptOpen;
            schedule.refreshed(pulse.moment(), outcome, random());
            let_go_at = Some(pulse.steady() + LET_GO_AFTER);
        }
        let step = schedule.look(pulse.moment(), pulse.heard(), keys.settings().refresh_minutes);
        if step.wake {
            keys.wake();
        }
        if step.refresh {
            let (done, outcome) = oneshot::channel();
            reading = Some(outcome);
            let (keys, pulse) = (Arc::clone(&keys), Arc::clone(pulse));
            tauri::async_runtime::spawn(async move {
                let _ = done.send(refresh(&keys).await);
                pulse.nudge();
            });
        }
        lists |= pulse.steady() >= LISTS;
        let tell_next = notices.tell(&app, &background, &keys, lists).await;
        if let_go_at.is_some_and(|at| at <= pulse.steady()) {
            let_go_at = None;
            if app.webview_windows().is_empty() {
                let_go().await;
            }
        }
        let let_go_next = let_go_at.map(|at| at.saturating_sub(pulse.steady()));
        let next = step.next.min(tell_next).min(let_go_next.unwrap_or(tell_next)).max(TOGETHER);
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            () = pulse.notify.notified() => tokio::time::sleep(TOGETHER).await,
        }
    }
}

/// Gives back memory that an idle agent does not need.
async fn let_go() {
    #[cfg(target_os = "linux")]
    let _ = tauri::async_runtime::spawn_blocking(crate::hardening::let_go_of_program).await;
}

/// When notices are looked for.
#[derive(Default)]
struct Notices {
    /// Not before this time: the desktop did not take the last one.
    not_before: Duration,
    host: Option<String>,
}

impl Notices {
    /// Tells what is due, and says after what time to look again.
    async fn tell<R: Runtime>(
        &mut self,
        app: &AppHandle<R>,
        background: &Background,
        keys: &PaletteKeys,
        lists: bool,
    ) -> Duration {
        let host = background.notifier.host();
        if host != self.host {
            self.host = host;
            self.not_before = Duration::ZERO;
        }
        let now = background.pulse.steady();
        let next = if keys.outbox().items.is_empty() { NOTICES } else { RECORDS };
        let acts = background.teller.acts_due_at().map(|due| due.saturating_sub(now));
        let next = acts.map_or(next, |acts| acts.min(next));
        if now < self.not_before {
            return next.max(self.not_before - now);
        }
        // What is due is in no memory but this one until it is on its way.
        let about_to = background.notifier.under_way();
        let due = background.teller.due(now, lists, is_looked_at(app));
        let mut answers = Vec::new();
        for notice in due {
            let (answer, answered) = oneshot::channel();
            let (title, body) = (notice.title.clone(), notice.body.clone());
            let teller = Arc::clone(&background.teller);
            // Written down where it was shown: an app that ends now does not tell it again.
            background.notifier.show(&title, &body, move |taken| {
                teller.shown(&notice, taken);
                let _ = answer.send(taken);
            });
            answers.push(answered);
        }
        drop(about_to);
        for answer in answers {
            if !answer.await.unwrap_or(false) {
                self.not_before = background.pulse.steady() + AGAIN;
            }
        }
        next
    }
}

/// The person has the main window before them, and it would say what happens.
fn is_looked_at<R: Runtime>(app: &AppHandle<R>) -> bool {
    !crate::lock::is_locked(app)
        && app.get_webview_window(MAIN).is_some_and(|window| window.is_focused().unwrap_or(false))
}

/// For the jitter only.
fn random() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_is_handed_on_once() {
        let pulse = Pulse::default();
        pulse.network_changed();
        pulse.resumed();
        assert_eq!(pulse.heard(), Heard { network: true, resumed: true });
        assert_eq!(pulse.heard(), Heard::default());
    }
}
