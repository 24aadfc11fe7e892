//! Connections: made, kept, opened again, removed; and nothing half saved.

use crate::desk::{Desk, op, sim};
use palette_keys_core::connection::{
    Colour, ConnectRequest, ConnectionRequest, ConnectionState, DemoPerson, DemoRequest,
    EditConnectionRequest, Sees, SignIn, SignInMethod, SignInRequest,
};
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState, SecretStore};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::keys::list::ListRequest;
use palette_keys_core::{ErrorCode, Secret};
use palette_sim::{Account, Fault, Matcher, Seed, SimOptions};

fn with_key(key: &str) -> SignIn {
    SignIn::ApiKey { api_key: Secret::new(key.to_owned()) }
}

fn with_password(account: &Account) -> SignIn {
    SignIn::Password {
        email: account.email.clone(),
        organization: account.organization.clone(),
        password: Secret::new(account.password.clone()),
    }
}

fn the(desk: &Desk) -> ConnectionRequest {
    ConnectionRequest { connection: desk.connection.clone() }
}

fn again(desk: &Desk, sign_in: SignIn) -> SignInRequest {
    SignInRequest { op_id: op(), connection: desk.connection.clone(), sign_in }
}

async fn demo(desk: &Desk, person: DemoPerson) -> palette_keys_core::connection::ConnectionView {
    let account = match person {
        DemoPerson::Admin => desk.sim.admin(),
        DemoPerson::User => desk.sim.user(),
    };
    let (origin, key) = (desk.sim.origin(), Secret::new(account.api_key));
    let request = DemoRequest { op_id: op(), person };
    desk.keys.open_demo(origin, key, request).await.unwrap().connection
}

#[tokio::test]
async fn a_connection_says_who_you_are_and_keeps_the_key_in_the_keychain() {
    let desk = Desk::bare().await;
    assert_eq!(desk.keys.start().await.unwrap().active, None);
    let account = desk.sim.admin();
    let mut request = desk.request(&account);
    request.sign_in = with_key(&format!("  {}\r\n", account.api_key));
    let view = desk.keys.connect(request).await.unwrap().connection;
    assert_eq!((view.state, view.name.as_str()), (ConnectionState::SignedIn, "acme"));
    let me = view.identity.unwrap();
    assert_eq!((me.name.as_str(), me.organization.as_str()), ("Jane Doe", "acme"));
    assert_eq!((me.sees, me.may_create_for_others), (Sees::EveryKey, true));
    assert_eq!(me.roles, ["Tenant Admin"]);
    assert_eq!(view.email, Some(account.email));
    assert_eq!(view.host, desk.sim.host());

    let entry = EntryName::credential(&*view.id);
    // EXPOSE: compared by a test with what the simulator made
    let kept = desk.keychain.read(entry.clone()).await.unwrap().expose_secret().to_owned();
    assert_eq!(kept, account.api_key);
    assert_eq!(desk.keychain.label(&entry).as_deref(), Some("Palette Keys sign-in: acme"));
    let start = desk.keys.start().await.unwrap();
    assert_eq!(start.active, Some(view.id));
    desk.line_ended(Act::Connect, ActState::Done);
    desk.nowhere_on_disk(&account.api_key);
}

#[tokio::test]
async fn what_does_not_sign_in_saves_nothing() {
    let desk = Desk::bare().await;
    let account = desk.sim.admin();
    let good = || desk.request(&account);
    let wrong = "wrongwrongwrongwrongwrongwrong12";
    let table: Vec<(ConnectRequest, ErrorCode)> = vec![
        (ConnectRequest { address: " ".into(), ..good() }, ErrorCode::AddressEmpty),
        (
            ConnectRequest { address: "http://example.com".into(), ..good() },
            ErrorCode::AddressNotSecure,
        ),
        (
            ConnectRequest { address: "http://127.0.0.1:9".into(), ..good() },
            ErrorCode::HostUnreachable,
        ),
        (ConnectRequest { sign_in: with_key("short"), ..good() }, ErrorCode::KeyMalformed),
        (
            ConnectRequest { sign_in: with_key("two words in one key"), ..good() },
            ErrorCode::KeyMalformed,
        ),
        (ConnectRequest { sign_in: with_key(wrong), ..good() }, ErrorCode::CredentialRejected),
        (
            ConnectRequest {
                sign_in: with_password(&Account { password: "no".into(), ..account.clone() }),
                ..good()
            },
            ErrorCode::CredentialRejected,
        ),
        (
            ConnectRequest { sign_in: with_password(&desk.sim.mfa_user()), ..good() },
            ErrorCode::MfaRequired,
        ),
        (
            ConnectRequest { ca_certificate: Some("not PEM".into()), ..good() },
            ErrorCode::CertificateInvalid,
        ),
        (
            ConnectRequest { name: "a\u{202e}b".into(), ..good() },
            ErrorCode::NameHasControlCharacters,
        ),
    ];
    for (request, code) in table {
        let failure = desk.keys.connect(request).await.unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(!failure.message.contains(wrong), "{}", failure.message);
    }
    assert!(desk.keys.start().await.unwrap().connections.is_empty());
    assert!(desk.keychain.names().is_empty());
    assert!(desk.store().list_connections().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_keychain_nothing_is_half_saved_and_memory_will_do() {
    let mut desk = Desk::bare().await;
    let account = desk.sim.admin();
    desk.keychain.set_state(KeychainState::Absent);
    let failure = desk.connect(&account).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeychainAbsent);
    assert!(desk.keys.start().await.unwrap().connections.is_empty());
    assert!(desk.store().list_connections().unwrap().is_empty());

    let request = ConnectRequest { in_memory_only: true, ..desk.request(&account) };
    let view = desk.keys.connect(request).await.unwrap().connection;
    assert!(view.in_memory_only && view.state == ConnectionState::SignedIn);
    desk.connection = view.id;
    desk.crash();
    let view = desk.select().await;
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
    assert!(desk.keychain.names().is_empty());
    let back = desk.keys.sign_in(again(&desk, with_key(&account.api_key))).await.unwrap();
    assert_eq!(back.connection.state, ConnectionState::SignedIn);
}

#[tokio::test]
async fn a_restart_signs_in_from_the_keychain() {
    let mut desk = Desk::admin().await;
    desk.crash();
    let start = desk.keys.start().await.unwrap();
    assert_eq!(start.connections[0].state, ConnectionState::Offline, "not tried yet");
    assert!(desk.sim.requests().is_empty(), "nothing is sent at start");
    assert_eq!(desk.keychain.reads(), 0, "nor read");
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    assert_eq!(desk.list(true).await.problem, None);
}

#[tokio::test]
async fn a_keychain_that_cannot_be_read_is_told_apart_and_recovers() {
    let mut desk = Desk::admin().await;
    desk.crash();
    desk.keychain.set_state(KeychainState::Locked);
    let view = desk.select().await;
    assert_eq!(view.state, ConnectionState::KeychainUnavailable);
    assert_eq!(view.problem.unwrap().code, ErrorCode::KeychainLocked);
    let list = desk.list(true).await;
    assert!(!list.keys.is_empty(), "the list of the last time");
    assert_eq!(list.problem.unwrap().code, ErrorCode::KeychainLocked);
    desk.keychain.set_state(KeychainState::Ready);
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);

    desk.crash();
    desk.keychain.fail_next_read(KeychainError::ItemMissing);
    let view = desk.select().await;
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
    assert_eq!(view.problem.unwrap().code, ErrorCode::KeychainItemMissing);
}

#[tokio::test]
async fn a_credential_that_is_refused_later_needs_a_person() {
    let mut desk = Desk::admin().await;
    let uid = desk.sim.admin().api_key_uid;
    desk.sim.edit_key_directly(&uid, |key| key.active = false);
    let list = desk.list(true).await;
    assert_eq!(list.problem.unwrap().code, ErrorCode::Unauthorized);
    assert_eq!(desk.keys.start().await.unwrap().connections[0].state, ConnectionState::NeedsSignIn);
    desk.crash();
    let view = desk.select().await;
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
    assert_eq!(view.problem.unwrap().code, ErrorCode::CredentialRejected);

    let admin = desk.sim.admin();
    let other = desk.sim.add_key(palette_sim::NewKey {
        owner_uid: Some(admin.uid.clone()),
        ..palette_sim::NewKey::named("new sign-in")
    });
    let view = desk.keys.sign_in(again(&desk, with_key(&other.value))).await.unwrap();
    assert_eq!(view.connection.state, ConnectionState::SignedIn);
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn, "the new one is kept");
}

#[tokio::test]
async fn signing_in_as_somebody_else_is_refused() {
    let desk = Desk::admin().await;
    let sam = desk.sim.user();
    let failure = desk.keys.sign_in(again(&desk, with_key(&sam.api_key))).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::CredentialRejected);
    assert!(failure.message.contains("Sam Okafor"), "{}", failure.message);
    assert_eq!(desk.list(true).await.own_user_uid, Some(desk.sim.admin().uid), "as before");
}

#[tokio::test]
async fn a_password_session_is_never_stored() {
    let mut desk = Desk::bare().await;
    let account = desk.sim.admin();
    let request = ConnectRequest { sign_in: with_password(&account), ..desk.request(&account) };
    let view = desk.keys.connect(request).await.unwrap().connection;
    assert_eq!((view.method, view.email), (SignInMethod::Password, Some(account.email.clone())));
    assert!(desk.keychain.names().is_empty());
    desk.connection = view.id;
    desk.created(&desk.new_key("by session")).await;
    desk.nowhere_on_disk(&account.password);

    desk.crash();
    let view = desk.select().await;
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
    let failure = desk.create(&desk.new_key("later")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::NotSignedIn);
    let view = desk.keys.sign_in(again(&desk, with_password(&account))).await.unwrap();
    assert_eq!(view.connection.state, ConnectionState::SignedIn);
}

#[tokio::test]
async fn a_session_that_ends_needs_a_person() {
    let desk = Desk::on(sim(Seed::Demo).await);
    let account = desk.sim.admin();
    let request = ConnectRequest { sign_in: with_password(&account), ..desk.request(&account) };
    let connection = desk.keys.connect(request).await.unwrap().connection.id;
    desk.sim.end_sessions();
    let request = ListRequest { connection, refresh: true };
    let list = desk.keys.list_keys(request).await.unwrap();
    assert!(list.problem.is_some());
    let view = desk.keys.start().await.unwrap().connections.remove(0);
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
}

#[tokio::test]
async fn the_same_person_on_the_same_host_is_one_connection() {
    let mut desk = Desk::admin().await;
    let admin = desk.sim.admin();
    let edit = EditConnectionRequest {
        connection: desk.connection.clone(),
        name: "Production".into(),
        colour: Colour::Red,
    };
    desk.keys.edit_connection(edit).await.unwrap();
    let other = desk.sim.add_key(palette_sim::NewKey {
        owner_uid: Some(admin.uid.clone()),
        ..palette_sim::NewKey::named("second")
    });
    let again = ConnectRequest { sign_in: with_key(&other.value), ..desk.request(&admin) };
    let view = desk.keys.connect(again).await.unwrap().connection;
    assert_eq!((view.id.as_str(), view.name.as_str()), (&*desk.connection, "Production"));
    assert_eq!(desk.keys.start().await.unwrap().connections.len(), 1);

    let sam = desk.sim.user();
    let second = desk.connect(&sam).await.unwrap().connection;
    let start = desk.keys.start().await.unwrap();
    assert_eq!(start.connections.len(), 2);
    assert_eq!(start.active, Some(second.id));
    desk.crash();
    let order: Vec<_> = desk.keys.start().await.unwrap().connections;
    assert_eq!(order[0].name, "Production", "places are kept");
}

#[tokio::test]
async fn a_connection_is_renamed_and_keeps_it() {
    let mut desk = Desk::admin().await;
    let rename = |name: &str| EditConnectionRequest {
        connection: desk.connection.clone(),
        name: name.into(),
        colour: Colour::Pink,
    };
    assert_eq!(
        desk.keys.edit_connection(rename(" ")).await.unwrap_err().code,
        ErrorCode::NameEmpty
    );
    let view = desk.keys.edit_connection(rename(" Berlin ")).await.unwrap();
    assert_eq!((view.name.as_str(), view.colour), ("Berlin", Colour::Pink));
    desk.crash();
    assert_eq!(desk.keys.start().await.unwrap().connections[0].name, "Berlin");
}

#[tokio::test]
async fn removing_a_connection_removes_its_secrets_and_nothing_on_the_server() {
    let desk = Desk::admin().await;
    let uid = desk.created(&desk.new_key("stored")).await.uid.unwrap();
    let keys = desk.sim.keys().len();
    assert_eq!(desk.keychain.names().len(), 2);

    desk.keychain.set_state(KeychainState::Locked);
    let failure = desk.keys.remove_connection(the(&desk)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeychainLocked);
    assert_eq!(desk.keys.start().await.unwrap().connections.len(), 1, "still there");
    desk.keychain.set_state(KeychainState::Ready);

    let start = desk.keys.remove_connection(the(&desk)).await.unwrap();
    assert!(start.connections.is_empty() && start.active.is_none());
    assert!(desk.keychain.names().is_empty());
    assert_eq!(desk.sim.keys().len(), keys);
    assert!(desk.sim.key(&uid).unwrap().active);
    assert!(desk.store().list(&desk.connection).unwrap().is_none());
    desk.line_ended(Act::RemoveConnection, ActState::Done);
    let gone = desk.keys.select_connection(the(&desk)).await.unwrap_err();
    assert_eq!(gone.code, ErrorCode::ConnectionUnknown);
}

#[tokio::test]
async fn a_connection_with_a_value_that_nobody_kept_stays() {
    let desk = Desk::admin().await;
    let request = CreateRequest { save_to_keychain: false, ..desk.new_key("unkept") };
    desk.created(&request).await;
    let failure = desk.keys.remove_connection(the(&desk)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ValueNotKept);
}

#[tokio::test]
async fn one_op_id_connects_once() {
    let desk = Desk::bare().await;
    let account = desk.sim.admin();
    desk.sim.set_fault(Matcher::path("/v1/users/info"), Fault::DelayMs(40), None);
    let op_id = op();
    let calls = (0..4).map(|_| {
        let request = ConnectRequest { op_id: op_id.clone(), ..desk.request(&account) };
        let keys = desk.keys.clone();
        tokio::spawn(async move { keys.connect(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    assert_eq!(desk.sent("GET", "/v1/users/info"), 1);
    assert_eq!(desk.keys.start().await.unwrap().connections.len(), 1);
}

#[tokio::test]
async fn the_demo_tenant_is_forgotten_with_its_server() {
    let mut desk = Desk::bare().await;
    let view = demo(&desk, DemoPerson::Admin).await;
    assert!(view.demo && view.state == ConnectionState::SignedIn);
    desk.connection = view.id.clone();
    let uid = desk.created(&desk.new_key("played")).await.uid.unwrap();
    assert!(desk.stored_value(&uid).await.is_some());
    let unkept = CreateRequest { save_to_keychain: false, ..desk.new_key("unkept") };
    desk.created(&unkept).await;

    let user = demo(&desk, DemoPerson::User).await;
    assert_eq!(user.identity.unwrap().name, "Sam Okafor");
    assert_eq!(desk.keys.start().await.unwrap().connections.len(), 1);
    assert!(desk.stored_value(&uid).await.is_some(), "the same server still runs");

    desk.crash();
    let start = desk.keys.start().await.unwrap();
    assert!(start.connections.is_empty() && start.active.is_none());
    // Its server ended with the app: another one runs now.
    desk.sim = palette_sim::start(SimOptions { rate_limit: false, ..SimOptions::default() })
        .await
        .unwrap();
    demo(&desk, DemoPerson::Admin).await;
    assert_eq!(desk.stored_value(&uid).await, None);
    let list = desk.list(true).await;
    assert!(list.lost_creations.is_empty());
    assert!(list.keys.iter().all(|key| key.uid != uid));
    assert!(desk.keychain.names().is_empty());
}

#[tokio::test]
async fn settings_are_checked_and_the_keychain_is_tried() {
    let desk = Desk::bare().await;
    let good = desk.keys.settings();
    let bad = palette_keys_core::settings::Settings { lead_days: 0, ..good.clone() };
    assert_eq!(desk.keys.save_settings(bad).unwrap_err().code, ErrorCode::SettingInvalid);
    let wide = palette_keys_core::settings::Settings { lead_days: 30, ..good };
    assert_eq!(desk.keys.save_settings(wide.clone()).unwrap(), wide);
    assert_eq!(desk.keys.settings(), wide);

    assert_eq!(desk.keys.check_keychain().await.state, KeychainState::Ready);
    desk.keychain.set_state(KeychainState::Dismissed);
    let view = desk.keys.check_keychain().await;
    assert_eq!(view.state, KeychainState::Dismissed);
    assert!(view.advice.is_some());
}

#[tokio::test]
async fn a_keychain_that_went_away_does_not_keep_a_person_out() {
    let mut desk = Desk::admin().await;
    let account = desk.sim.admin();
    desk.crash();
    desk.keychain.set_state(KeychainState::Absent);
    assert_eq!(desk.select().await.state, ConnectionState::KeychainUnavailable);
    let request = ConnectRequest { in_memory_only: true, ..desk.request(&account) };
    let view = desk.keys.connect(request).await.unwrap().connection;
    assert_eq!((&view.id, view.in_memory_only), (&desk.connection, true));
    desk.keychain.set_state(KeychainState::Ready);
    desk.keys.remove_connection(the(&desk)).await.unwrap();
    assert!(desk.keychain.names().is_empty(), "the older credential is gone too");
}
