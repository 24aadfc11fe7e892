//! The app without its window: what a click in the tray does, when the app stays, how it quits.
//!
//! Nothing here needs a window, its web process or an unlocked keychain; and nothing here waits on
//! the main thread, which draws the menu and hears the clicks.

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use palette_keys_core::{
    ErrorCode, Failure, PaletteKeys, Secret,
    connection::ConnectionRequest,
    held::ValueSource,
    keys::{
        Flag, KeyActRequest, KeyUid, KeyView, Status,
        activity::Act,
        expiry::{ExpiryChoice, local_text},
        renew::RenewRequest,
        undo::{UndoRequest, UndoTarget, UndoView},
    },
    outbox::OutboxRetryRequest,
    snippet::{CopyRequest, CopyShape},
    tray::{TrayId, shown_name},
};
use tauri::{AppHandle, Manager, RunEvent, Runtime};
use tokio::sync::{Notify, watch};

use crate::{
    clipboard::Clipboard,
    desk::Desk,
    events, host, lock,
    views::{BackgroundView, ClipboardView, GoView, PauseRequest, QuitRequest},
    windows,
};

/// Quitting takes no longer, whatever hangs.
const QUITS_WITHIN: Duration = Duration::from_millis(2_500);
/// A value that a renewal has just made is in the keychain after this time.
const FILED_WITHIN: Duration = Duration::from_millis(2_000);
/// A start without a window waits so long for a tray before it shows one after all.
const TRAY_APPEARS_WITHIN: Duration = Duration::from_secs(10);
/// A panel that restarts is away for a moment; only then is the tray gone.
const TRAY_COMES_BACK_WITHIN: Duration = Duration::from_secs(3);
/// A window that has not started after this time never will.
const STARTS_WITHIN: Duration = Duration::from_secs(15);
/// What does not concern the window waits so long for its page.
const PAINTS_WITHIN: Duration = Duration::from_millis(1_500);
/// A web process that dies more often than `MOST_REBUILDS` times in this time is not started again.
const REBUILDS_WITHIN: Duration = Duration::from_secs(60);
const MOST_REBUILDS: usize = 3;

/// What shows notices. The tray's clicks are answered by them, since there may be no window.
pub trait Notices: Send + Sync {
    /// Shows one; returns at once.
    fn tell(&self, title: &str, body: &str);
    /// What takes notices, in words; none: nothing does.
    fn host(&self) -> Option<String>;
    /// Pauses what is not asked for, until ms since 1970 UTC; none ends the pause.
    fn pause(&self, until: Option<i64>) -> Result<(), Failure>;
    /// Until when they are paused.
    fn paused_until(&self) -> Option<i64>;
}

/// The state of the life without a window.
pub struct Agent {
    /// None: not known yet.
    tray_host: watch::Sender<Option<bool>>,
    /// The icon could be made; without it a tray host is of no use.
    tray_made: AtomicBool,
    notices: OnceLock<Box<dyn Notices>>,
    /// The pause, while nothing shows notices.
    paused_until: Mutex<Option<i64>>,
    login_problem: Mutex<Option<String>>,
    changes: Arc<Notify>,
    waiting: Mutex<Waiting>,
    rebuilds: Mutex<Vec<Instant>>,
    rebuilding: AtomicBool,
    opening: AtomicBool,
    leaving: AtomicBool,
    /// The main window's page has painted once: what was put off for it begins.
    painted: Notify,
    /// How many picks in the tray are being done.
    acting: AtomicUsize,
    /// This is the program, not a test: quitting ends the process.
    is_program: AtomicBool,
}

/// What the window is told once it hears.
#[derive(Default)]
struct Waiting {
    /// Its page runs.
    started: bool,
    /// Its page hears events.
    hears: bool,
    go: Vec<GoView>,
    /// Since when the person is to be asked whether to quit.
    quit_asked: Option<Instant>,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            tray_host: watch::Sender::new(None),
            tray_made: AtomicBool::new(true),
            notices: OnceLock::new(),
            paused_until: Mutex::default(),
            login_problem: Mutex::default(),
            changes: Arc::default(),
            waiting: Mutex::default(),
            rebuilds: Mutex::default(),
            rebuilding: AtomicBool::new(false),
            opening: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            painted: Notify::new(),
            acting: AtomicUsize::new(0),
            is_program: AtomicBool::new(false),
        }
    }
}

impl Agent {
    /// Whether the desktop shows our icon, as far as it is known.
    pub fn has_tray(&self) -> bool {
        self.tray_made.load(Ordering::Acquire) && self.tray_host.borrow().unwrap_or_default()
    }

    /// Wakes whoever draws the tray.
    pub fn changes(&self) -> Arc<Notify> {
        Arc::clone(&self.changes)
    }

    /// Until when notices are paused, ms since 1970 UTC.
    pub fn paused_until(&self) -> Option<i64> {
        match self.notices.get() {
            Some(notices) => notices.paused_until(),
            None => *lock(&self.paused_until),
        }
    }

    /// Does something unless it is being done already: two clicks open one window.
    pub(crate) fn opening(&self, open: impl FnOnce()) {
        if !self.opening.swap(true, Ordering::AcqRel) {
            open();
            self.opening.store(false, Ordering::Release);
        }
    }

    /// From now on these show the notices.
    pub fn notices_by(&self, notices: Box<dyn Notices>) {
        let _ = self.notices.set(notices);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn keys<R: Runtime>(app: &AppHandle<R>) -> Arc<PaletteKeys> {
    Arc::clone(&app.state::<Desk>().keys)
}

// The desktop around it

/// How the app lives on without its window.
pub fn view<R: Runtime>(app: &AppHandle<R>) -> BackgroundView {
    let agent = app.state::<Agent>();
    let mut view = BackgroundView {
        tray_host: agent.has_tray(),
        notice_host: agent.notices.get().and_then(|notices| notices.host()),
        paused_until: agent.paused_until(),
        login_problem: lock(&agent.login_problem).clone(),
    };
    crate::background::fill(app, &mut view);
    view
}

/// Something in [`view`] changed: window and tray are told.
pub fn background_changed<R: Runtime>(app: &AppHandle<R>) {
    events::background(app, view(app));
    app.state::<Agent>().changes.notify_one();
}

/// Starting at login cannot be set up, and why; or it can.
pub fn login_problem_is<R: Runtime>(app: &AppHandle<R>, problem: Option<String>) {
    let new = {
        let agent = app.state::<Agent>();
        let mut known = lock(&agent.login_problem);
        std::mem::replace(&mut *known, problem.clone()) != problem
    };
    if new {
        background_changed(app);
    }
}

/// Watches for a tray from now on. `made`: our icon exists.
pub fn watch_tray<R: Runtime>(app: &AppHandle<R>, made: bool) {
    app.state::<Agent>().tray_made.store(made, Ordering::Release);
    let watched = app.clone();
    host::watch(move |there| tray_host_is(&watched, there));
}

/// The desktop shows tray icons, or does not any more.
pub fn tray_host_is<R: Runtime>(app: &AppHandle<R>, there: bool) {
    let before = app.state::<Agent>().tray_host.send_replace(Some(there));
    if before == Some(there) {
        return;
    }
    background_changed(app);
    if before == Some(true) {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            let mut host = app.state::<Agent>().tray_host.subscribe();
            let back = host.wait_for(|there| *there == Some(true));
            let is_back = tokio::time::timeout(TRAY_COMES_BACK_WITHIN, back).await.is_ok();
            // Without tray and window nobody could reach the app any more.
            if !is_back && !is_leaving(&app) {
                windows::raise_if_closed(&app);
            }
        });
    }
}

/// Started without a window: it opens after all when the desktop shows no icon.
pub fn stay_hidden<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let mut host = app.state::<Agent>().tray_host.subscribe();
        let there = host.wait_for(|there| *there == Some(true));
        let appeared = tokio::time::timeout(TRAY_APPEARS_WITHIN, there).await.is_ok();
        if !(appeared && app.state::<Agent>().has_tray()) {
            windows::raise(&app);
        }
    });
}

/// Shows a notice. Names in it must have gone through [`shown_name`].
pub fn tell<R: Runtime>(app: &AppHandle<R>, title: &str, body: &str) {
    if let Some(notices) = app.state::<Agent>().notices.get() {
        notices.tell(title, body);
    }
}

/// Says why a pick in the tray did nothing: with a notice, and in the window where nothing shows one.
/// Somebody who believes that a key is revoked must not be left in that belief.
fn tell_trouble<R: Runtime>(app: &AppHandle<R>, title: &str, body: &str) {
    let shows = app.state::<Agent>().notices.get().is_some_and(|notices| notices.host().is_some());
    tell(app, title, body);
    if !shows {
        go(app, GoView::Told { title: title.to_owned(), body: body.to_owned() });
    }
}

/// Pauses the notices, or ends the pause.
pub fn pause_notices<R: Runtime>(
    app: &AppHandle<R>,
    request: PauseRequest,
) -> Result<BackgroundView, Failure> {
    let agent = app.state::<Agent>();
    match agent.notices.get() {
        Some(notices) => notices.pause(request.until)?,
        None => *lock(&agent.paused_until) = request.until,
    }
    background_changed(app);
    Ok(view(app))
}

// Staying and leaving

/// Closing the window leaves the agent behind: there is a tray, and the person wants it so.
pub fn stays<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.state::<Agent>().has_tray() && keys(app).settings().close_to_tray
}

/// The person means to quit; nothing is asked any more.
pub fn is_leaving<R: Runtime>(app: &AppHandle<R>) -> bool {
    app.state::<Agent>().leaving.load(Ordering::Acquire)
}

/// Ends the app, or asks first when that would leave something open.
pub fn quit<R: Runtime>(app: &AppHandle<R>, request: QuitRequest) {
    if !request.anyway && asks_before_quitting(app) {
        return;
    }
    let keys = keys(app);
    if !keys.is_filing() {
        leave(app);
        return;
    }
    // A value made a moment ago is on its way into the keychain.
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let began = Instant::now();
        while keys.is_filing() && began.elapsed() < FILED_WITHIN {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        leave(&app);
    });
}

/// True: the person is asked in the window, which is opened for it.
pub fn asks_before_quitting<R: Runtime>(app: &AppHandle<R>) -> bool {
    let keys = keys(app);
    // Whoever closes the window of an unkept value is shown that value: so is whoever quits.
    let held = keys.held_values().into_iter().next();
    let outbox = keys.outbox();
    if held.is_none() && outbox.items.is_empty() && keys.bulk_runs().is_empty() {
        return false;
    }
    let hears = {
        let agent = app.state::<Agent>();
        let mut waiting = lock(&agent.waiting);
        if waiting.hears {
            waiting.quit_asked = None;
        } else {
            let asked = *waiting.quit_asked.get_or_insert_with(Instant::now);
            // A page that never starts can ask nothing: meant again, it is meant.
            if asked.elapsed() > STARTS_WITHIN {
                return false;
            }
        }
        waiting.hears
    };
    // Building a window waits for the main thread, on which this may run.
    raise_elsewhere(app);
    match held {
        // A window that just opens finds the value by itself.
        Some(held) if hears => events::held_waiting(app, held),
        None if hears => events::quit_asked(app),
        _ => {}
    }
    true
}

/// Ends the app within three seconds, whatever hangs.
pub fn leave<R: Runtime>(app: &AppHandle<R>) {
    let agent = app.state::<Agent>();
    if agent.leaving.swap(true, Ordering::AcqRel) {
        return;
    }
    if !agent.is_program.load(Ordering::Acquire) {
        return;
    }
    std::thread::spawn(|| {
        std::thread::sleep(QUITS_WITHIN);
        tracing::warn!("quitting took too long and was cut short");
        std::process::exit(0);
    });
    app.exit(0);
}

/// The session ends, or somebody ends the process: it leaves as it does when a person quits, so that
/// no value stays on the clipboard and what was told is written down. Nothing is asked, because
/// nobody would be there to answer.
#[cfg(unix)]
pub fn leave_when_told<R: Runtime>(app: &AppHandle<R>) {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let app = app.clone();
        tauri::async_runtime::spawn(async move {
            match signal(kind) {
                Ok(mut told) => {
                    if told.recv().await.is_some() {
                        leave(&app);
                    }
                }
                Err(error) => tracing::warn!("a signal cannot be heard: {error}"),
            }
        });
    }
}

/// Windows tells the window, which is closed then.
#[cfg(not(unix))]
pub fn leave_when_told<R: Runtime>(_app: &AppHandle<R>) {}

/// This is the program itself, not a test: quitting ends the process.
pub fn is_program<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Agent>().is_program.store(true, Ordering::Release);
}

/// This is the program, its window is closed for good, the tray shows its icon, and nothing that
/// was picked there is being done.
pub fn is_idle<R: Runtime>(app: &AppHandle<R>) -> bool {
    let agent = app.state::<Agent>();
    agent.is_program.load(Ordering::Acquire)
        && app.webview_windows().is_empty()
        && stays(app)
        && !is_leaving(app)
        && !agent.opening.load(Ordering::Acquire)
        && !agent.rebuilding.load(Ordering::Acquire)
        && agent.acting.load(Ordering::Acquire) == 0
        && lock(&agent.waiting).go.is_empty()
}

/// What the event loop tells.
pub fn on_run_event<R: Runtime>(app: &AppHandle<R>, event: &RunEvent) {
    match event {
        // The last window is gone, and nobody asked to quit.
        RunEvent::ExitRequested { code: None, api, .. } => {
            let rebuilding = app.state::<Agent>().rebuilding.load(Ordering::Acquire);
            if !is_leaving(app) && (rebuilding || stays(app)) {
                api.prevent_exit();
            }
        }
        // A click on the icon in the dock, with no window open.
        #[cfg(target_os = "macos")]
        RunEvent::Reopen { .. } => raise_elsewhere(app),
        RunEvent::Exit => app.state::<Clipboard>().clear_before_exit(),
        _ => {}
    }
}

// The window

/// The page of the main window begins, perhaps anew: it hears nothing yet.
pub fn page_begins<R: Runtime>(app: &AppHandle<R>) {
    let agent = app.state::<Agent>();
    let mut waiting = lock(&agent.waiting);
    waiting.started = true;
    waiting.hears = false;
}

/// The page of the main window hears events from now on: what waited for it is told.
pub fn page_hears<R: Runtime>(app: &AppHandle<R>) {
    let (go, quit_asked) = {
        let agent = app.state::<Agent>();
        let mut waiting = lock(&agent.waiting);
        waiting.hears = true;
        (std::mem::take(&mut waiting.go), waiting.quit_asked.take().is_some())
    };
    for go in go {
        events::go(app, go);
    }
    // An unkept value is shown by the window itself.
    if quit_asked && keys(app).held_values().is_empty() {
        events::quit_asked(app);
    }
}

/// The page of the main window has painted what it has.
pub fn page_painted<R: Runtime>(app: &AppHandle<R>) {
    app.state::<Agent>().painted.notify_one();
}

/// Returns when the page of the main window has painted, or is late with it.
pub async fn first_paint<R: Runtime>(app: &AppHandle<R>) {
    let _ = tokio::time::timeout(PAINTS_WITHIN, app.state::<Agent>().painted.notified()).await;
}

/// The page of the main window is not to be told anything before it begins anew.
pub fn page_hears_no_more<R: Runtime>(app: &AppHandle<R>) {
    lock(&app.state::<Agent>().waiting).hears = false;
}

/// The window is gone, or a new one has not started yet.
pub fn window_gone<R: Runtime>(app: &AppHandle<R>) {
    let agent = app.state::<Agent>();
    let mut waiting = lock(&agent.waiting);
    waiting.started = false;
    waiting.hears = false;
}

/// The main window's page runs.
pub fn has_started<R: Runtime>(app: &AppHandle<R>) -> bool {
    lock(&app.state::<Agent>().waiting).started
}

/// Opens or raises the window and shows something in it.
fn go<R: Runtime>(app: &AppHandle<R>, view: GoView) {
    let hears = {
        let agent = app.state::<Agent>();
        let mut waiting = lock(&agent.waiting);
        if !waiting.hears {
            // The last place counts; what was said on the way to it stays said.
            let words = matches!(view, GoView::Told { .. });
            waiting.go.retain(|before| words || matches!(before, GoView::Told { .. }));
            waiting.go.push(view.clone());
        }
        waiting.hears
    };
    windows::raise(app);
    if hears {
        events::go(app, view);
    }
}

fn raise_elsewhere<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move { windows::raise(&app) });
}

/// The web process of the main window died: the page is dead, the app is not. The window is built
/// anew, unless that happens again and again.
pub fn web_process_died<R: Runtime>(app: &AppHandle<R>) {
    let agent = app.state::<Agent>();
    let again_and_again = {
        let mut rebuilds = lock(&agent.rebuilds);
        rebuilds.retain(|at| at.elapsed() < REBUILDS_WITHIN);
        rebuilds.push(Instant::now());
        rebuilds.len() > MOST_REBUILDS
    };
    window_gone(app);
    let stays_without = again_and_again && stays(app);
    if again_and_again {
        tell(
            app,
            "The window keeps failing",
            "Its web process ended several times. What waits for the server goes on.",
        );
        if !stays_without {
            return;
        }
    }
    agent.rebuilding.store(true, Ordering::Release);
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        windows::destroy_main(&app).await;
        if !stays_without && !is_leaving(&app) {
            windows::raise(&app);
        }
        app.state::<Agent>().rebuilding.store(false, Ordering::Release);
    });
}

// What a click does

/// An entry was clicked. Returns at once: it is called on the main thread.
pub fn clicked<R: Runtime>(app: &AppHandle<R>, id: &str) {
    let Ok(id) = id.parse::<TrayId>() else {
        tracing::warn!("something was clicked in the tray that means nothing");
        return;
    };
    let app = app.clone();
    tauri::async_runtime::spawn(async move { act(&app, id).await });
}

/// Does what an entry means, and tells how it ended.
pub async fn act<R: Runtime>(app: &AppHandle<R>, id: TrayId) {
    app.state::<Agent>().acting.fetch_add(1, Ordering::AcqRel);
    do_act(app, id).await;
    app.state::<Agent>().acting.fetch_sub(1, Ordering::AcqRel);
}

async fn do_act<R: Runtime>(app: &AppHandle<R>, id: TrayId) {
    match id {
        id if lock::is_locked(app) && !while_locked(&id) => in_window(app, id),
        TrayId::Open => windows::raise(app),
        TrayId::Show { connection, uid } => {
            if known(app, &connection, &uid).is_some() {
                go(app, GoView::Key { connection, uid: uid.into() });
            }
        }
        TrayId::Renew { connection, uid } => renew(app, connection, &uid).await,
        TrayId::Roll { connection, uid } => {
            if known(app, &connection, &uid).is_some() {
                go(app, GoView::Roll { connection, uid: uid.into() });
            }
        }
        TrayId::Revoke { connection, uid } => revoke(app, connection, &uid).await,
        TrayId::Undo { connection, uid } => undo(app, connection, &uid).await,
        TrayId::Copy { connection, uid } => copy(app, connection, &uid).await,
        TrayId::Try { record } => {
            keys(app).retry_outbox(&OutboxRetryRequest { record: Some(record) });
        }
        TrayId::Search { connection } => go(app, GoView::Search { connection }),
        TrayId::Outbox => go(app, GoView::Outbox),
        TrayId::NewKey { connection } => go(app, GoView::NewKey { connection: Some(connection) }),
        TrayId::Connection { connection } => {
            let request = ConnectionRequest { connection: connection.clone() };
            // A window that is open follows at once and asks the server itself; any other finds the
            // connection open when it starts.
            events::go(app, GoView::Connection { connection });
            if let Err(failure) = keys(app).select_connection(request).await {
                tell_trouble(app, "Palette Keys", &failure.message);
            }
            events::connections_changed(app);
            app.state::<Agent>().changes.notify_one();
        }
        TrayId::Pause(pause) => paused(app, Some(keys(app).pause_ends(pause))),
        TrayId::Resume => paused(app, None),
        TrayId::Quit => quit(app, QuitRequest { anyway: false }),
    }
}

/// What the tray does although the app is locked: it takes keys out of service, shows the window and
/// ends the app. No value leaves it and no key gains anything.
fn while_locked(id: &TrayId) -> bool {
    !matches!(id, TrayId::Renew { .. } | TrayId::Undo { .. } | TrayId::Copy { .. })
}

/// Leads to where it can be done once the window is unlocked.
fn in_window<R: Runtime>(app: &AppHandle<R>, id: TrayId) {
    match id {
        TrayId::Renew { connection, uid } => go(app, GoView::Renew { connection, uid: uid.into() }),
        TrayId::Undo { connection, uid } | TrayId::Copy { connection, uid } => {
            go(app, GoView::Key { connection, uid: uid.into() });
        }
        _ => windows::raise(app),
    }
    tell(app, "Palette Keys is locked", "Unlock it in its window first. Nothing was done.");
}

/// The key that was clicked, as it is known now. Another one is never taken for it.
fn known<R: Runtime>(app: &AppHandle<R>, connection: &str, uid: &KeyUid) -> Option<KeyView> {
    let key = keys(app).tray_key(connection, uid);
    if key.is_none() {
        tell_trouble(
            app,
            "This key is not there any more",
            "It is not in the list of your connection any more. Nothing was done.",
        );
    }
    key
}

fn op_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// How the revocation ends is told by whoever tells the ends of all records; here only what keeps
/// it from beginning.
async fn revoke<R: Runtime>(app: &AppHandle<R>, connection: String, uid: &KeyUid) {
    let Some(key) = known(app, &connection, uid) else { return };
    let name = shown_name(&key.name);
    if key.status == Status::Revoked {
        tell_trouble(app, &format!("{name} is revoked already"), "Nothing was sent.");
        return;
    }
    let request = KeyActRequest { op_id: op_id(), connection, uid: key.uid };
    if let Err(failure) = keys(app).revoke_key(request).await {
        tell_trouble(app, &format!("{name} was not revoked"), &failure.message);
    }
}

async fn undo<R: Runtime>(app: &AppHandle<R>, connection: String, uid: &KeyUid) {
    let Some(key) = known(app, &connection, uid) else { return };
    let name = shown_name(&key.name);
    let target =
        UndoTarget::Act { connection: connection.clone(), uid: key.uid.clone(), act: Act::Revoke };
    match keys(app).undo(UndoRequest { op_id: op_id(), target, seen: None }).await {
        Ok(UndoView::Conflict { .. }) => {
            tell_trouble(
                app,
                &format!("{name} is still revoked"),
                "Somebody changed it since, so nothing was sent. Look at it, then undo the \
                 revocation in Activity.",
            );
            go(app, GoView::Key { connection, uid: key.uid });
        }
        Ok(_) => tell(app, &format!("{name} is active again"), "Its revocation was undone."),
        Err(failure) => {
            tell_trouble(app, &format!("{name} is still revoked"), &failure.message);
            if failure.code == ErrorCode::KeyIsExpired {
                go(app, GoView::Renew { connection, uid: key.uid });
            }
        }
    }
}

async fn renew<R: Runtime>(app: &AppHandle<R>, connection: String, uid: &KeyUid) {
    let Some(key) = known(app, &connection, uid) else { return };
    let name = shown_name(&key.name);
    let request = RenewRequest {
        op_id: op_id(),
        connection: connection.clone(),
        uid: key.uid.clone(),
        expiry: ExpiryChoice::Days { days: 30 },
    };
    match keys(app).renew_key(request).await {
        Ok(changed) => {
            let ends = changed.key.expires.map(jiff::Timestamp::from_millisecond);
            let ends = match ends {
                Some(Ok(ends)) => {
                    format!("Ends {}.", local_text(ends, &jiff::tz::TimeZone::system()))
                }
                _ => "The server names no end.".to_owned(),
            };
            tell(app, &format!("{name} is renewed"), &ends);
        }
        Err(failure) => {
            tell_trouble(app, &format!("{name} was not renewed"), &failure.message);
            go(app, GoView::Renew { connection, uid: key.uid });
        }
    }
}

async fn copy<R: Runtime>(app: &AppHandle<R>, connection: String, uid: &KeyUid) {
    let Some(key) = known(app, &connection, uid) else { return };
    let name = shown_name(&key.name);
    if !key.flags.contains(&Flag::InKeychain) {
        tell_trouble(
            app,
            &format!("{name} was not copied"),
            "Its value is not in the keychain any more.",
        );
        return;
    }
    let source = ValueSource::Stored { connection, uid: key.uid };
    let request = CopyRequest { source, shape: CopyShape::Value };
    match copy_value(app, &request).await {
        Ok(_) => {
            let seconds = keys(app).settings().clipboard_seconds;
            tell(
                app,
                &format!("{name} is copied"),
                &format!("It is taken off the clipboard in {seconds} seconds."),
            );
        }
        Err(failure) => tell_trouble(app, &format!("{name} was not copied"), &failure.message),
    }
}

/// A value onto the clipboard, to be cleared. Not one that the keychain gave only after the app was
/// locked.
pub async fn copy_value<R: Runtime>(
    app: &AppHandle<R>,
    request: &CopyRequest,
) -> Result<ClipboardView, Failure> {
    let keys = keys(app);
    let text: Secret = keys.copy_text(request).await?;
    let copied = match lock::is_locked(app) {
        true => Err(lock::refusal()),
        false => app.state::<Clipboard>().copy(text, keys.settings().clipboard_seconds).await,
    };
    if copied.is_err() {
        keys.copy_failed(&request.source)?;
    }
    copied
}

fn paused<R: Runtime>(app: &AppHandle<R>, until: Option<i64>) {
    if let Err(failure) = pause_notices(app, PauseRequest { until }) {
        tell_trouble(app, "Palette Keys", &failure.message);
    }
}
