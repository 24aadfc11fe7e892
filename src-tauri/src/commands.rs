//! THE table: every command the windows may call, each one line into the product.
//!
//! The table at the end feeds Tauri's handler, the TypeScript the window compiles
//! against, and (through `build.rs`) the permissions. Names are the same in all three.

use crate::{
    agent,
    clipboard::Clipboard,
    desk::Desk,
    files, lock, reveal,
    views::{
        BackgroundView, ClipboardView, LockView, PauseRequest, QuitRequest, RevealView,
        StartRequest,
    },
};
use palette_keys_core::{
    Failure,
    connection::{
        AddressRequest, AddressView, ConnectRequest, ConnectView, ConnectionRequest,
        ConnectionView, DemoRequest, EditConnectionRequest, RemovalView, SignInRequest,
        check::NetworkView, own_key::OwnKeyRequest, signing::SignInChangeRequest,
    },
    found::{FoundRequest, FoundView, RevokeFoundRequest, RevokedFoundView},
    held::{FinishRequest, HeldRequest, HeldView, ValueSource},
    keychain::KeychainView,
    keys::{
        KeyActRequest, KeyRequest, KeyView,
        activity::{ActivityRequest, ActivityView},
        audits::{AuditsRequest, AuditsView},
        bulk::{BulkRequest, BulkRunView, BulkStopRequest, BulkView},
        create::{CreateRequest, CreateView, SettleRequest, SettleView},
        delete::{DeleteRequest, DeleteView},
        details::KeyDetailsView,
        edit::{EditRequest, EditView},
        expiry::{ExpiryRequest, ExpiryView},
        list::{KeyListView, ListRequest},
        renew::{ChangedKeyView, RenewRequest},
        revoke::RevokeView,
        roll::{RollActRequest, RollActView, RollOfferView, RollRequest},
        undo::{UndoRequest, UndoView},
    },
    outbox::{OutboxAddRequest, OutboxGiveUpRequest, OutboxRetryRequest, OutboxView},
    palette_keys::StartView,
    report::{OffboardReportRequest, ReportRequest, ReportView},
    review::{
        ReviewRequest, ReviewView, SpreadRequest,
        accepted::{AcceptRequest, TakeBackRequest},
        policy::PolicyView,
        timeline::SpreadView,
    },
    settings::Settings,
    snippet::CopyRequest,
};
use tauri::{AppHandle, Runtime, State};

/// What every command answers.
pub type Answer<View> = Result<View, Failure>;

/// Everything the window needs at start.
#[tauri::command]
pub async fn start<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: StartRequest,
) -> Answer<StartView> {
    if request.begins {
        agent::page_begins(&app);
    }
    if lock::is_locked(&app) {
        return Err(lock::refusal());
    }
    if request.begins { desk.keys.start_with_keys().await } else { desk.keys.start().await }
}

/// Whether the app is locked, and what unlocking asks for.
#[tauri::command]
pub async fn lock_state<R: Runtime>(app: AppHandle<R>) -> Answer<LockView> {
    Ok(lock::view(&app).await)
}

/// Locks the app now.
#[tauri::command]
pub async fn lock_now<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    lock::lock_now(&app).await;
    Ok(())
}

/// Unlocks the app, once the desktop has recognised the person where it can.
#[tauri::command]
pub async fn unlock<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    lock::unlock(&app).await
}

/// Somebody uses the window.
#[tauri::command]
pub async fn in_use<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    lock::in_use(&app);
    Ok(())
}

/// The page hears events from now on.
#[tauri::command]
pub async fn hears<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    agent::page_hears(&app);
    Ok(())
}

/// The page has something to show: the frame that comes takes the place of what the shell showed
/// until then.
#[tauri::command]
pub async fn shows<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    crate::windows::page_shows(&app);
    Ok(())
}

/// The page has painted what it has.
#[tauri::command]
pub async fn painted<R: Runtime>(app: AppHandle<R>) -> Answer<()> {
    crate::windows::page_painted(&app);
    Ok(())
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

/// Changes a connection's name, colour, authority and proxy.
#[tauri::command]
pub async fn edit_connection(
    desk: State<'_, Desk>,
    request: EditConnectionRequest,
) -> Answer<ConnectionView> {
    desk.keys.edit_connection(request).await
}

/// What removing a connection would take from this computer, and what stands against it.
#[tauri::command]
pub async fn connection_removal(
    desk: State<'_, Desk>,
    request: ConnectionRequest,
) -> Answer<RemovalView> {
    desk.keys.connection_removal(&request)
}

/// Takes what a person says of the key that a connection signs in with.
#[tauri::command]
pub async fn change_sign_in(
    desk: State<'_, Desk>,
    request: SignInChangeRequest,
) -> Answer<ConnectionView> {
    desk.keys.change_sign_in(request)
}

/// Makes a key for the app's own sign-in, instead of the password.
#[tauri::command]
pub async fn make_own_key(desk: State<'_, Desk>, request: OwnKeyRequest) -> Answer<ConnectionView> {
    desk.keys.make_own_key(request, &crate::desk::computer_name()).await
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

/// What the dialog "Roll API key" begins with.
#[tauri::command]
pub async fn roll_offer(desk: State<'_, Desk>, request: KeyRequest) -> Answer<RollOfferView> {
    desk.keys.roll_offer(&request)
}

/// Rolls a key: another takes its place.
#[tauri::command]
pub async fn roll_key(desk: State<'_, Desk>, request: RollRequest) -> Answer<RollActView> {
    desk.keys.roll_key(request).await
}

/// Extends a running roll's grace, ends it, cancels it, or goes on with it.
#[tauri::command]
pub async fn act_on_roll(desk: State<'_, Desk>, request: RollActRequest) -> Answer<RollActView> {
    desk.keys.act_on_roll(request).await
}

/// Revokes a key.
#[tauri::command]
pub async fn revoke_key(desk: State<'_, Desk>, request: KeyActRequest) -> Answer<RevokeView> {
    desk.keys.revoke_key(request).await
}

/// Revokes a key although it signs this app in.
#[tauri::command]
pub async fn revoke_signing_key(
    desk: State<'_, Desk>,
    request: KeyActRequest,
) -> Answer<RevokeView> {
    desk.keys.revoke_signing_key(request).await
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

/// Renews or re-activates several keys.
#[tauri::command]
pub async fn bulk_keys(desk: State<'_, Desk>, request: BulkRequest) -> Answer<BulkView> {
    desk.keys.bulk(request).await
}

/// Bulk acts that are under way.
#[tauri::command]
pub async fn bulk_runs(desk: State<'_, Desk>) -> Answer<Vec<BulkRunView>> {
    Ok(desk.keys.bulk_runs())
}

/// Begins no further key of a bulk act.
#[tauri::command]
pub async fn stop_bulk(desk: State<'_, Desk>, request: BulkStopRequest) -> Answer<()> {
    desk.keys.stop_bulk(&request);
    Ok(())
}

/// Writes a report of keys to a file that a person picks.
#[tauri::command]
pub async fn export_report<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: ReportRequest,
) -> Answer<ReportView> {
    let path = files::pick_for_report(&app, &desk.keys.report_name(&request)?).await?;
    desk.keys.save_report(request, &path).await
}

/// Writes the report of an offboarding to a file that a person picks.
#[tauri::command]
pub async fn export_offboard_report<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: OffboardReportRequest,
) -> Answer<ReportView> {
    let path = files::pick_for_report(&app, &desk.keys.offboard_report_name(&request)?).await?;
    desk.keys.save_offboard_report(request, &path).await
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

/// What about a connection's keys needs a decision.
#[tauri::command]
pub async fn review(desk: State<'_, Desk>, request: ReviewRequest) -> Answer<ReviewView> {
    desk.keys.review(request).await
}

/// Lives with a finding until a date.
#[tauri::command]
pub async fn accept_finding(desk: State<'_, Desk>, request: AcceptRequest) -> Answer<ReviewView> {
    desk.keys.accept_finding(request).await
}

/// Takes an acceptance back.
#[tauri::command]
pub async fn take_back_finding(
    desk: State<'_, Desk>,
    request: TakeBackRequest,
) -> Answer<ReviewView> {
    desk.keys.take_back_finding(request).await
}

/// How the keys that end on one day would be spread.
#[tauri::command]
pub async fn plan_spread(desk: State<'_, Desk>, request: SpreadRequest) -> Answer<SpreadView> {
    desk.keys.plan_spread(request).await
}

/// The policy that counts.
#[tauri::command]
pub async fn policy(desk: State<'_, Desk>) -> Answer<PolicyView> {
    Ok(desk.keys.policy())
}

/// Takes a policy file that a person picks.
#[tauri::command]
pub async fn choose_policy<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
) -> Answer<Settings> {
    let path = files::pick_policy(&app).await?;
    desk.keys.use_policy(&path)
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
pub async fn copy_value<R: Runtime>(
    app: AppHandle<R>,
    request: CopyRequest,
) -> Answer<ClipboardView> {
    agent::copy_value(&app, &request).await
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
    let value = desk.keys.reveal_value(&request).await?;
    // The keychain may have given it only after the app was locked.
    let shown = match lock::is_locked(&app) {
        true => Err(lock::refusal()),
        false => reveal::open(&app, value).await,
    };
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

/// The newest act of a connection that can be taken back.
#[tauri::command]
pub async fn last_reversible(
    desk: State<'_, Desk>,
    request: ConnectionRequest,
) -> Answer<Option<ActivityView>> {
    desk.keys.last_reversible(request)
}

/// Takes back what was done to a key.
#[tauri::command]
pub async fn undo(desk: State<'_, Desk>, request: UndoRequest) -> Answer<UndoView> {
    desk.keys.undo(request).await
}

/// A page of the server's own audit log.
#[tauri::command]
pub async fn list_audits(desk: State<'_, Desk>, request: AuditsRequest) -> Answer<AuditsView> {
    desk.keys.list_audits(request).await
}

/// Tries a value that somebody found.
#[tauri::command]
pub async fn try_found_key(desk: State<'_, Desk>, request: FoundRequest) -> Answer<FoundView> {
    desk.keys.try_found_key(request).await
}

/// Revokes the key that a found value is.
#[tauri::command]
pub async fn revoke_found_key(
    desk: State<'_, Desk>,
    request: RevokeFoundRequest,
) -> Answer<RevokedFoundView> {
    desk.keys.revoke_found_key(request).await
}

/// Lets go of a found value.
#[tauri::command]
pub async fn forget_found_key(desk: State<'_, Desk>) -> Answer<()> {
    desk.keys.forget_found_key();
    Ok(())
}

/// Saves the settings.
#[tauri::command]
pub async fn save_settings<R: Runtime>(
    app: AppHandle<R>,
    desk: State<'_, Desk>,
    request: Settings,
) -> Answer<Settings> {
    lock::agree(&app, &desk.keys.settings(), &request).await?;
    desk.keys.save_settings(request).inspect(|settings| {
        lock::settings_saved(&app, settings);
        crate::windows::set_appearance(&app, settings.appearance);
        crate::background::settings_saved(&app, settings);
        agent::background_changed(&app);
    })
}

/// Tries the keychain for real.
#[tauri::command]
pub async fn check_keychain(desk: State<'_, Desk>) -> Answer<KeychainView> {
    Ok(desk.keys.check_keychain().await)
}

/// Asks the server of a connection whether it answers.
#[tauri::command]
pub async fn check_network(
    desk: State<'_, Desk>,
    request: ConnectionRequest,
) -> Answer<NetworkView> {
    desk.keys.check_network(request).await
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
    start: StartRequest => StartView,
    lock_state: () => LockView,
    lock_now: () => (),
    unlock: () => (),
    in_use: () => (),
    hears: () => (),
    shows: () => (),
    painted: () => (),
    parse_address: AddressRequest => AddressView,
    connect: ConnectRequest => ConnectView,
    sign_in: SignInRequest => ConnectView,
    open_demo: DemoRequest => ConnectView,
    select_connection: ConnectionRequest => ConnectionView,
    edit_connection: EditConnectionRequest => ConnectionView,
    connection_removal: ConnectionRequest => RemovalView,
    change_sign_in: SignInChangeRequest => ConnectionView,
    make_own_key: OwnKeyRequest => ConnectionView,
    remove_connection: ConnectionRequest => StartView,
    list_keys: ListRequest => KeyListView,
    key_details: KeyRequest => KeyDetailsView,
    read_key: KeyRequest => KeyView,
    resolve_expiry: ExpiryRequest => ExpiryView,
    create_key: CreateRequest => CreateView,
    settle_creation: SettleRequest => SettleView,
    edit_key: EditRequest => EditView,
    renew_key: RenewRequest => ChangedKeyView,
    roll_offer: KeyRequest => RollOfferView,
    roll_key: RollRequest => RollActView,
    act_on_roll: RollActRequest => RollActView,
    revoke_key: KeyActRequest => RevokeView,
    revoke_signing_key: KeyActRequest => RevokeView,
    reactivate_key: KeyActRequest => ChangedKeyView,
    delete_key: DeleteRequest => DeleteView,
    bulk_keys: BulkRequest => BulkView,
    bulk_runs: () => Vec<BulkRunView>,
    stop_bulk: BulkStopRequest => (),
    export_report: ReportRequest => ReportView,
    export_offboard_report: OffboardReportRequest => ReportView,
    outbox: () => OutboxView,
    add_to_outbox: OutboxAddRequest => OutboxView,
    retry_outbox: OutboxRetryRequest => OutboxView,
    give_up: OutboxGiveUpRequest => OutboxView,
    review: ReviewRequest => ReviewView,
    accept_finding: AcceptRequest => ReviewView,
    take_back_finding: TakeBackRequest => ReviewView,
    plan_spread: SpreadRequest => SpreadView,
    policy: () => PolicyView,
    choose_policy: () => Settings,
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
    last_reversible: ConnectionRequest => Option<ActivityView>,
    undo: UndoRequest => UndoView,
    list_audits: AuditsRequest => AuditsView,
    try_found_key: FoundRequest => FoundView,
    revoke_found_key: RevokeFoundRequest => RevokedFoundView,
    forget_found_key: () => (),
    save_settings: Settings => Settings,
    check_keychain: () => KeychainView,
    check_network: ConnectionRequest => NetworkView,
    reveal_take: () => RevealView,
    reveal_copy: () => ClipboardView,
    reveal_close: () => (),
}
