//! Palette Keys, the desktop shell: windows, clipboard, files. Thin on purpose.
//!
//! Everything the product does is in `palette-keys-core`; this crate gives it a
//! window and the desktop's own parts. Reading order: [`run`], [`commands`], [`windows`],
//! and for the life without a window [`agent`], [`tray`], [`host`].

#[cfg(target_os = "linux")]
mod afresh;
pub mod agent;
pub mod background;
pub mod clipboard;
pub mod commands;
pub mod desk;
pub mod events;
pub mod files;
#[cfg(target_os = "linux")]
mod first_frame;
pub mod hardening;
pub mod host;
#[cfg(test)]
mod ipc_types;
pub mod lock;
mod login;
mod network;
pub mod notify;
pub mod reveal;
mod schedule;
pub mod tray;
pub mod views;
pub mod windows;

use std::sync::Arc;

use palette_keys_core::{
    Failure, PaletteKeys,
    clock::SystemClock,
    keychain::{NativeKeychain, SecretStore},
    palette_keys::Parts,
    store::Store,
};
use tauri::{Builder, Manager, Runtime};

/// The name under which the keychain lists our entries.
pub const KEYCHAIN_SERVICE: &str = "Palette Keys";

/// What the page has painted is on the screen after this time.
const DRAWN_WITHIN: std::time::Duration = std::time::Duration::from_millis(150);

/// The argument of a start at login: without a window, where there is a tray.
pub const HIDDEN: &str = "--hidden";

/// Runs the app until it is quit.
pub fn run() -> Result<(), Box<dyn std::error::Error>> {
    log_to_stderr();
    let wanted = |argument: &str| std::env::args().skip(1).any(|given| given == argument);
    let (demo_wanted, hidden) = (wanted("--demo"), wanted(HIDDEN));
    let app = builder(tauri::Builder::default())
        .plugin(tauri_plugin_single_instance::init(|app, arguments, _directory| {
            // A login that starts what already runs must not put a window in the way.
            if !arguments.iter().any(|given| given == HIDDEN) {
                windows::raise(app);
            }
        }))
        .setup(move |app| {
            let directory = app.path().app_data_dir()?;
            let (store, notices) = remembered_or_not(&directory)?;
            let keychain: Arc<dyn SecretStore> = Arc::new(NativeKeychain::new(KEYCHAIN_SERVICE));
            let keys = PaletteKeys::open(Parts {
                store,
                keychain,
                clock: Arc::new(SystemClock),
                notices,
                demo: cfg!(feature = "demo"),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            });
            let app = app.handle();
            prepare(app, Arc::clone(&keys), demo_wanted)?;
            agent::is_program(app);
            agent::leave_when_told(app);
            app.state::<lock::Lock>().proved_by(Box::new(lock::Desktop));
            if hidden {
                live_without_window(app);
                agent::stay_hidden(app);
                return Ok(());
            }
            let appearance = keys.settings().appearance;
            // Nothing waits for it: without a thread the window reads them itself.
            let _ = std::thread::Builder::new()
                .name("read-ahead".into())
                .spawn(move || keys.read_ahead());
            windows::open_main(app, appearance)?;
            // The window comes first: the tray takes time on the thread that draws it.
            let app = app.clone();
            tauri::async_runtime::spawn(async move {
                agent::first_paint(&app).await;
                tokio::time::sleep(DRAWN_WITHIN).await;
                let main = app.clone();
                let _ = app.run_on_main_thread(move || live_without_window(&main));
            });
            Ok(())
        })
        .build(context())?;
    app.run(|app, event| agent::on_run_event(app, &event));
    Ok(())
}

/// Notices, tray, network and sleep: what the app needs besides its window.
fn live_without_window<R: Runtime>(app: &tauri::AppHandle<R>) {
    background::start(app);
    let tray_made = tray::start(app);
    agent::watch_tray(app, tray_made);
    agent::background_changed(app);
}

/// The store in `directory`. When the disk refuses (no rights, full), the app still works, and says
/// that it will remember nothing.
fn remembered_or_not(directory: &std::path::Path) -> Result<(Store, Vec<String>), Failure> {
    Store::open(directory).or_else(|error| {
        let store = Store::open_in_memory().map_err(|error| error.failure())?;
        Ok((store, vec![error.failure().message]))
    })
}

/// Configuration, pages and permissions, as built in.
pub fn context<R: Runtime>() -> tauri::Context<R> {
    tauri::generate_context!("tauri.conf.json")
}

/// The builder that the app and the tests on the mock runtime share.
pub fn builder<R: Runtime>(builder: Builder<R>) -> Builder<R> {
    builder
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_store::Builder::new().build())
        .invoke_handler(lock::guarded(commands::handler()))
        .on_window_event(windows::on_event)
}

/// Gives the app its state and its main window.
pub fn open<R: Runtime>(
    app: &tauri::AppHandle<R>,
    keys: Arc<PaletteKeys>,
    demo_wanted: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let appearance = keys.settings().appearance;
    prepare(app, keys, demo_wanted)?;
    windows::open_main(app, appearance)?;
    Ok(())
}

/// Gives the app its state, without a window.
pub fn prepare<R: Runtime>(
    app: &tauri::AppHandle<R>,
    keys: Arc<PaletteKeys>,
    demo_wanted: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let agent = agent::Agent::default();
    let changes = agent.changes();
    app.manage(agent);
    keys.on_change(Box::new(move |_| changes.notify_one()));
    events::forward(app, &keys);
    {
        // What was confirmed before is sent whatever the window does.
        let tauri::async_runtime::RuntimeHandle::Tokio(runtime) = tauri::async_runtime::handle();
        let _runtime = runtime.enter();
        keys.start_sending();
    }
    app.manage(lock::Lock::new(&keys));
    app.manage(clipboard::Clipboard::start(app.clone()));
    app.manage(reveal::Shown::default());
    let desk = desk::Desk::new(keys);
    if demo_wanted {
        // Before the window asks for its start, so that it opens on the demo tenant at once.
        tauri::async_runtime::block_on(desk.open_demo_at_start())?;
    }
    app.manage(desk);
    tauri::async_runtime::spawn(lock::watch(app.clone()));
    Ok(())
}

/// Warnings and errors on stderr; `RUST_LOG` may ask for more of ours, never for
/// the HTTP, TLS and D-Bus crates, whose traces hold what we must not write down.
fn log_to_stderr() {
    use tracing_subscriber::{
        EnvFilter, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt,
    };
    let mut filter =
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).from_env_lossy();
    for quiet in [
        "hyper",
        "hyper_util",
        "h2",
        "rustls",
        "reqwest",
        "zbus",
        "keyring_core",
        "secret_service",
        "tauri",
        "wry",
    ] {
        if let Ok(directive) = format!("{quiet}=warn").parse() {
            filter = filter.add_directive(directive);
        }
    }
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(fmt::layer().with_writer(std::io::stderr))
        .try_init();
}
