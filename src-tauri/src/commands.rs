//! THE table: every command the windows may call, each one line into the product.
//!
//! The table at the end feeds Tauri's handler, the TypeScript the window compiles
//! against, and (through `build.rs`) the permissions. Names are the same in all three.

use crate::{
    agent,
    clipboard::Clipboard,
    desk::Desk,
    files, reveal,
    views::{BackgroundView, ClipboardView, PauseRequest, QuitRequest, RevealView},
};
use palette_keys_core::{
    Failure,
    connection::{
        AddressRequest, AddressView, ConnectRequest, ConnectView, ConnectionRequest,
        ConnectionView, DemoRequest, EditConnectionRequest, SignInRequest,
    },
    held::{FinishRequest, HeldRequest, HeldView, ValueSource},
    keychain::KeychainView,
    keys::{
        KeyActRequest, KeyRequest, KeyView,
        activity::{ActivityRequest, ActivityView},
        create::{CreateRequest, CreateView, SettleRequest, SettleView},
        delete::{DeleteRequest, DeleteView},
        details::KeyDetailsView,
        edit::{EditRequest, EditView},
        expiry::{ExpiryRequest, ExpiryView},
        list::{KeyListView, ListRequest},
        renew::{ChangedKeyView, RenewRequest},
        revoke::RevokeView,
    },
    outbox::{OutboxAddRequest, OutboxGiveUpRequest, OutboxRetryRequest, OutboxView},
    palette_keys::StartView,
    settings::Settings,
    snippet::CopyRequest,
};
use tauri::{AppHandle, Runtime, State};

/// What every command answers.
pub type Answer<View> = Result<View, Failure>;

/// Everything the window needs at start.
#[tauri::command]
pub async fn start<R: Runtime>(app: AppHandle<R>, desk: State<'_, Desk>) -> Answer<StartView> {
    let started = desk.keys.start().await;
    agent::window_started(&app);
    started
}

/// What a typed address is understood as.
#[tauri::command]
pub async fn parse_address(desk: State<'_, Desk>, request: AddressRequest) -> Answer<AddressView> {
    desk.keys.parse_address(request)
}

/// Makes a connection and signs in.
#[tauri::command]
pub async fn connect(desk: State<'_, Desk>, request: ConnectRequest) -> Answer<ConnectView> {
    desk.keys.connect(request).await
}

/// Signs in again.
#[tauri::command]
pub async fn sign_in(desk: State<'_, Desk>, request: SignInRequest) -> Answer<ConnectView> {
    desk.keys.sign_in(request).await
}

/// Opens the simulator inside the app.
#[tauri::command]
pub async fn open_demo(desk: State<'_, Desk>, request: DemoRequest) -> Answer<ConnectView> {
    desk.open_demo(request).await
}

/// Switches to a connection.
#[tauri::command]
pub async fn select_connection(
    desk: State<'_, Desk>,
    request: ConnectionRequest,
) -> Answer<ConnectionView> {
    desk.keys.select_connection(request).await
}

/// Changes a connection's name and colour.
#[tauri::command]
pub async fn edit_connection(
    desk: State<'_, Desk>,
    request: EditConnectionRequest,
) -> Answer<ConnectionView> {
    desk.keys.edit_connection(request).await
}

/// Forgets a connection and what is stored for it; its keys stay valid on the server.
#[tauri::command]
pub async fn remove_connection(
    desk: State<'_, Desk>,
    request: ConnectionRequest,
) -> Answer<StartView> {
    desk.keys.remove_connection(request).await
}

/// The keys of a connection.
#[tauri::command]
pub async fn list_keys(desk: State<'_, Desk>, request: ListRequest) -> Answer<KeyListView> {
    desk.keys.list_keys(request).await
}

/// Everything known of one key.
#[tauri::command]
pub async fn key_details(desk: State<'_, Desk>, request: KeyRequest) -> Answer<KeyDetailsView> {
    desk.keys.key_details(request).await
}

/// Reads one key from the server.
#[tauri::command]
pub async fn read_key(desk: State<'_, Desk>, request: KeyRequest) -> Answer<KeyView> {
    desk.keys.read_key(request).await
}

/// When a chosen expiry ends.
#[tauri::command]
pub async fn resolve_expiry(desk: State<'_, Desk>, request: ExpiryRequest) -> Answer<ExpiryView> {
    desk.keys.resolve_expiry(request).await
}

/// Makes a key.
#[tauri::command]
pub async fn create_key(desk: State<'_, Desk>, request: CreateRequest) -> Answer<CreateView> {
    desk.keys.create_key(request).await
}

/// Settles a creation whose answer was lost.
#[tauri::command]
pub async fn settle_creation(desk: State<'_, Desk>, request: SettleRequest) -> Answer<SettleView> {
    desk.keys.settle_creation(request).await
}

/// Changes a key's name, description or expiry.
#[tauri::command]
pub async fn edit_key(desk: State<'_, Desk>, request: EditRequest) -> Answer<EditView> {
    desk.keys.edit_key(request).await
}

/// Moves a key's end.
#[tauri::command]
pub async fn renew_key(desk: State<'_, Desk>, request: RenewRequest) -> Answer<ChangedKeyView> {
    desk.keys.renew_key(request).await
}

/// Revokes a key.
#[tauri::command]
pub async fn revoke_key(desk: State<'_, Desk>, request: KeyActRequest) -> Answer<RevokeView> {
    desk.keys.revoke_key(request).await
}

/// Re-activates a revoked key.
#[tauri::command]
pub async fn reactivate_key(
    desk: State<'_, Desk>,
    request: KeyActRequest,
) -> Answer<ChangedKeyView> {
    desk.keys.reactivate_key(request).await
}

/// Deletes a key for ever.
#[tauri::command]
pub async fn delete_key(desk: State<'_, Desk>, request: DeleteRequest) -> Answer<DeleteView> {
    desk.keys.delete_key(request).await
}

/// Revocations and deletions that the server has not confirmed yet.
#[tauri::command]
pub async fn outbox(desk: State<'_, Desk>) -> Answer<OutboxView> {
    Ok(desk.keys.outbox())
}

/// Revokes or deletes several keys.
#[tauri::command]
pub async fn add_to_outbox(desk: State<'_, Desk>, request: OutboxAddRequest) -> Answer<OutboxView> {
    desk.keys.add_to_outbox(request).await
}

/// Tries what waits in the outbox now.
#[tauri::command]
pub async fn retry_outbox(
    desk: State<'_, Desk>,
    request: OutboxRetryRequest,
) -> Answer<OutboxView> {
    Ok(desk.keys.retry_outbox(&request))
}

/// Takes records out of the outbox although the server has not confirmed them.
#[tauri::command]
pub async fn give_up(desk: State<'_, Desk>, request: OutboxGiveUpRequest) -> Answer<OutboxView> {
    desk.keys.give_up(request).await
}

/// How the app lives on without its window.
#[tauri::command]
pub async fn background<R: Runtime>(app: AppHandle<R>) -> Answer<BackgroundView> {
    Ok(agent::view(&app))
}

/// Pauses the notices, or ends the pause.
#[tauri::command]
pub async fn pause_notices<R: Runtime>(
    app: AppHandle<R>,
    request: PauseRequest,
) -> Answer<BackgroundView> {
    agent::pause_notices(&app, request)
}

/// Ends the app, also when something is not confirmed or kept, if the person said so.
#[tauri::command]
pub async fn quit<R: Runtime>(app: AppHandle<R>, request: QuitRequest) -> Answer<()> {
    agent::quit(&app, request);
    Ok(())
}

/// Values that nobody has kept yet.
#[tauri::command]
pub async fn held_values(desk: State<'_, Desk>) -> Answer<Vec<HeldView>> {
    Ok(desk.keys.held_values())
}

/// Puts a held value into the keychain.
#[tauri::command]
pub async fn save_held_to_keychain(
    desk: State<'_, Desk>,
    request: HeldRequest,
) -> Answer<HeldView> {
    desk.keys.save_held_to_keychain(request).await
}

/// Writes a held value to a file that a person picks.
#[tauri::command]
pub async fn save_held_to_file<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: HeldRequest,
) -> Answer<HeldView> {
    let path = files::pick_for_value(&app, &desk.keys.held_value(&request)?.name).await?;
    desk.keys.save_held_to_file(request, &path).await
}

/// Closes "Save your API key".
#[tauri::command]
pub async fn finish_held(desk: State<'_, Desk>, request: FinishRequest) -> Answer<()> {
    desk.keys.finish_held(request).await
}

/// Puts a value on the clipboard, to be cleared.
#[tauri::command]
pub async fn copy_value(
    desk: State<'_, Desk>,
    clipboard: State<'_, Clipboard>,
    request: CopyRequest,
) -> Answer<ClipboardView> {
    agent::copy_value(&desk.keys, &clipboard, &request).await
}

/// Clears the clipboard now, if it still holds our value.
#[tauri::command]
pub async fn clear_clipboard(clipboard: State<'_, Clipboard>) -> Answer<ClipboardView> {
    clipboard.clear().await
}

/// Shows a value in its own short-lived window.
#[tauri::command]
pub async fn reveal_value<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: ValueSource,
) -> Answer<()> {
    let shown = reveal::open(&app, desk.keys.reveal_value(&request).await?);
    if shown.is_err() {
        desk.keys.reveal_failed(&request)?;
    }
    shown
}

/// What this app did.
#[tauri::command]
pub async fn list_activity(
    desk: State<'_, Desk>,
    request: ActivityRequest,
) -> Answer<Vec<ActivityView>> {
    desk.keys.list_activity(request)
}

/// Saves the settings.
#[tauri::command]
pub async fn save_settings<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: Settings,
) -> Answer<Settings> {
    desk.keys
        .save_settings(request)
        .inspect(|settings| crate::windows::set_appearance(&app, settings.appearance))
        .inspect(|_| agent::background_changed(&app))
}

/// Tries the keychain for real.
#[tauri::command]
pub async fn check_keychain(desk: State<'_, Desk>) -> Answer<KeychainView> {
    Ok(desk.keys.check_keychain().await)
}

/// The one value, for the `reveal` window only.
#[tauri::command]
pub async fn reveal_take(shown: State<'_, reveal::Shown>) -> Answer<RevealView> {
    shown.take()
}

/// Copies the value that the `reveal` window shows.
#[tauri::command]
pub async fn reveal_copy(
    desk: State<'_, Desk>,
    clipboard: State<'_, Clipboard>,
    shown: State<'_, reveal::Shown>,
) -> Answer<ClipboardView> {
    clipboard.copy(shown.value()?, desk.keys.settings().clipboard_seconds).await
}

/// Destroys the `reveal` window.
#[tauri::command]
pub async fn reveal_close<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    reveal::close(&app);
    Ok(())
}

macro_rules! table {
    ($($name:ident: $request:ty => $view:ty,)*) => {
        /// Every command's name.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// The handler of every command.
        pub fn handler<R: Runtime>() -> impl Fn(tauri::ipc::Invoke<R>) -> bool + Send + Sync + 'static {
            tauri::generate_handler![$($name),*]
        }

        /// `name: { request: …; view: … }` lines of the window's `Commands` interface.
        #[cfg(test)]
        pub fn typescript(config: &ts_rs::Config) -> String {
            let mut lines = String::new();
            $(lines.push_str(&format!(
                "  {}: {{ request: {}; view: {} }};\n",
                stringify!($name),
                <$request as ts_rs::TS>::name(config),
                <$view as ts_rs::TS>::name(config),
            ));)*
            lines
        }
    };
}

table! {
    start: () => StartView,
    parse_address: AddressRequest => AddressView,
    connect: ConnectRequest => ConnectView,
    sign_in: SignInRequest => ConnectView,
    open_demo: DemoRequest => ConnectView,
    select_connection: ConnectionRequest => ConnectionView,
    edit_connection: EditConnectionRequest => ConnectionView,
    remove_connection: ConnectionRequest => StartView,
    list_keys: ListRequest => KeyListView,
    key_details: KeyRequest => KeyDetailsView,
    read_key: KeyRequest => KeyView,
    resolve_expiry: ExpiryRequest => ExpiryView,
    create_key: CreateRequest => CreateView,
    settle_creation: SettleRequest => SettleView,
    edit_key: EditRequest => EditView,
    renew_key: RenewRequest => ChangedKeyView,
    revoke_key: KeyActRequest => RevokeView,
    reactivate_key: KeyActRequest => ChangedKeyView,
    delete_key: DeleteRequest => DeleteView,
    outbox: () => OutboxView,
    add_to_outbox: OutboxAddRequest => OutboxView,
    retry_outbox: OutboxRetryRequest => OutboxView,
    give_up: OutboxGiveUpRequest => OutboxView,
    background: () => BackgroundView,
    pause_notices: PauseRequest => BackgroundView,
    quit: QuitRequest => (),
    held_values: () => Vec<HeldView>,
    save_held_to_keychain: HeldRequest => HeldView,
    save_held_to_file: HeldRequest => HeldView,
    finish_held: FinishRequest => (),
    copy_value: CopyRequest => ClipboardView,
    clear_clipboard: () => ClipboardView,
    reveal_value: ValueSource => (),
    list_activity: ActivityRequest => Vec<ActivityView>,
    save_settings: Settings => Settings,
    check_keychain: () => KeychainView,
    reveal_take: () => RevealView,
    reveal_copy: () => ClipboardView,
    reveal_close: () => (),
}
