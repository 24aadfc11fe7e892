//! What the shell tells the window.

use std::sync::{Arc, Weak};

use palette_keys_core::{
    PaletteKeys, connection::ConnectionRequest, held::HeldView, outbox::OutboxView,
    palette_keys::Change,
};
use tauri::{AppHandle, Emitter, Runtime};

use crate::{
    views::{BackgroundView, ClipboardView, GoView, KeysChangedView},
    windows::MAIN,
};

/// The keys of a connection changed: [`KeysChangedView`].
pub const KEYS_CHANGED: &str = "keys-changed";
/// How something ended was written down: [`ConnectionRequest`].
pub const ACTIVITY_CHANGED: &str = "activity-changed";
/// Connections changed: nothing.
pub const CONNECTIONS_CHANGED: &str = "connections-changed";
/// The clipboard's state changed: [`ClipboardView`].
pub const CLIPBOARD: &str = "clipboard";
/// The outbox changed: [`OutboxView`].
pub const OUTBOX_CHANGED: &str = "outbox-changed";
/// Something left the outbox: [`palette_keys_core::outbox::OutboxEndView`].
pub const OUTBOX_ENDED: &str = "outbox-ended";
/// How far a bulk act came: [`palette_keys_core::keys::bulk::BulkRunView`].
pub const BULK_CHANGED: &str = "bulk-changed";
/// Tray host, notices or their pause changed: [`crate::views::BackgroundView`].
pub const BACKGROUND: &str = "background";
/// The person wants to quit while revocations wait: nothing. The window asks, then calls `quit`.
pub const QUIT_ASKED: &str = "quit-asked";
/// The tray wants something shown: [`crate::views::GoView`].
pub const GO: &str = "go";
/// The window was asked to close while a value waits to be kept: [`HeldView`].
pub const HELD_WAITING: &str = "held-waiting";

/// Passes on what the product says.
pub fn forward<R: Runtime>(app: &AppHandle<R>, keys: &Arc<PaletteKeys>) {
    let (app, weak) = (app.clone(), Arc::downgrade(keys));
    keys.on_change(Box::new(move |change| match change {
        Change::Keys { connection, revision } => {
            tell(&app, KEYS_CHANGED, KeysChangedView { connection, revision });
        }
        Change::Activity { connection } => {
            tell(&app, ACTIVITY_CHANGED, ConnectionRequest { connection });
        }
        Change::Outbox => tell(&app, OUTBOX_CHANGED, keys_view(&weak)),
        Change::OutboxEnded(end) => tell(&app, OUTBOX_ENDED, *end),
        Change::Bulk(run) => tell(&app, BULK_CHANGED, *run),
        Change::Connections => tell(&app, CONNECTIONS_CHANGED, ()),
    }));
}

fn keys_view(keys: &Weak<PaletteKeys>) -> OutboxView {
    keys.upgrade().map(|keys| keys.outbox()).unwrap_or_default()
}

/// Tells the main window how the clipboard stands.
pub fn clipboard<R: Runtime>(app: &AppHandle<R>, view: ClipboardView) {
    tell(app, CLIPBOARD, view);
}

/// Tells the main window that a value still waits.
pub fn held_waiting<R: Runtime>(app: &AppHandle<R>, held: HeldView) {
    tell(app, HELD_WAITING, held);
}

/// Tells the main window how the app lives on without it.
pub fn background<R: Runtime>(app: &AppHandle<R>, view: BackgroundView) {
    tell(app, BACKGROUND, view);
}

/// The main window asks whether to quit.
pub fn quit_asked<R: Runtime>(app: &AppHandle<R>) {
    tell(app, QUIT_ASKED, ());
}

/// The main window shows something.
pub fn go<R: Runtime>(app: &AppHandle<R>, view: GoView) {
    tell(app, GO, view);
}

/// Another connection is open, or where one stands is new.
pub fn connections_changed<R: Runtime>(app: &AppHandle<R>) {
    tell(app, CONNECTIONS_CHANGED, ());
}

fn tell<R: Runtime, P: serde::Serialize + Clone>(app: &AppHandle<R>, event: &str, payload: P) {
    // No window, or a locked one, and nobody to tell: it asks for everything when it opens.
    if crate::lock::is_locked(app) {
        return;
    }
    let _ = app.emit_to(MAIN, event, payload);
}
