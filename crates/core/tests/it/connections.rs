//! Connections: made, kept, opened again, removed; and nothing half saved.

use crate::desk::{Desk, op, sim};
use crate::tls::{Authority, authority, issued, params};
use palette_keys_core::connection::{
    CertificateChange, Colour, ConnectRequest, ConnectionRequest, ConnectionState, DemoPerson,
    DemoRequest, EditConnectionRequest, ProxyChoice, RemovalView, Sees, SignIn, SignInMethod,
    SignInRequest,
};
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState, SecretStore};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::keys::list::ListRequest;
use palette_keys_core::{ErrorCode, Secret};
use palette_sim::{Account, Fault, Matcher, Seed, SimOptions, TlsIdentity};

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

/// An edit that changes nothing.
fn edited(desk: &Desk) -> EditConnectionRequest {
    EditConnectionRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        name: "acme".into(),
        colour: Colour::Indigo,
        certificate: CertificateChange::Keep,
        proxy: ProxyChoice::System,
    }
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
    let request = ListRequest { connection, refresh: true, have: None };
    let list = desk.keys.list_keys(request).await.unwrap();
    assert!(list.problem.is_some());
    let view = desk.keys.start().await.unwrap().connections.remove(0);
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
}

#[tokio::test]
async fn the_same_person_on_the_same_host_is_one_connection() {
    let mut desk = Desk::admin().await;
    let admin = desk.sim.admin();
    let edit =
        EditConnectionRequest { name: "Production".into(), colour: Colour::Red, ..edited(&desk) };
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
        name: name.into(),
        colour: Colour::Pink,
        ..edited(&desk)
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
async fn the_way_to_the_server_is_tried_without_a_credential() {
    let desk = Desk::admin().await;
    desk.sim.clear_requests();
    let view = desk.keys.check_network(the(&desk)).await.unwrap();
    assert_eq!(Some(view.host.as_str()), desk.sim.origin().strip_prefix("http://"));
    assert!(view.answered_in.is_some(), "{view:?}");
    assert_eq!(view.problem, None);
    let asked = desk.sim.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked.iter().all(|request| request.header("ApiKey").is_none()), "nobody asks");

    desk.sim.set_fault(Matcher::any(), Fault::ResetBeforeHandling, None);
    let view = desk.keys.check_network(the(&desk)).await.unwrap();
    assert_eq!(view.answered_in, None);
    let problem = view.problem.expect("what is in the way");
    assert!(problem.message.contains(&view.host), "{}", problem.message);

    let gone = ConnectionRequest { connection: "none".into() };
    let unknown = desk.keys.check_network(gone).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::ConnectionUnknown);
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

/// A Palette with a certificate of its own authority, and a connection that trusts it.
async fn desk_with_authority() -> (Desk, Authority) {
    let authority = authority("Acme CA");
    let identity = issued(&authority, &params("127.0.0.1"));
    let tls = TlsIdentity { cert_pem: identity.chain, key_pem: identity.key };
    let options = SimOptions { rate_limit: false, tls: Some(tls), ..SimOptions::default() };
    let mut desk = Desk::on(palette_sim::start(options).await.unwrap());
    let request = ConnectRequest {
        ca_certificate: Some(authority.pem.clone()),
        ..desk.request(&desk.sim.admin())
    };
    desk.connection = desk.keys.connect(request).await.unwrap().connection.id;
    (desk, authority)
}

fn replaced(pem: &str) -> CertificateChange {
    CertificateChange::Replace { pem: pem.into() }
}

#[tokio::test]
async fn another_way_to_the_host_is_tried_before_it_replaces_what_works() {
    let (mut desk, good) = desk_with_authority().await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nowhere = ProxyChoice::Custom { url: format!("http://{}", nobody.local_addr().unwrap()) };
    drop(nobody);
    let before = desk.store().list_connections().unwrap();
    let way = |certificate, proxy| EditConnectionRequest {
        name: "Renamed".into(),
        certificate,
        proxy,
        ..edited(&desk)
    };
    for (why, request, code) in [
        ("none", way(CertificateChange::Remove, ProxyChoice::System), ErrorCode::TlsUntrusted),
        (
            "another authority",
            way(replaced(&authority("Other CA").pem), ProxyChoice::System),
            ErrorCode::TlsUntrusted,
        ),
        ("no PEM", way(replaced("x"), ProxyChoice::System), ErrorCode::CertificateInvalid),
        ("no proxy there", way(CertificateChange::Keep, nowhere), ErrorCode::ProxyFailed),
        (
            "no address",
            way(CertificateChange::Keep, ProxyChoice::Custom { url: "::".into() }),
            ErrorCode::ProxyInvalid,
        ),
        (
            "a password",
            way(CertificateChange::Keep, ProxyChoice::Custom { url: "http://a:b@p:1".into() }),
            ErrorCode::StoreFailed,
        ),
    ] {
        let failure = desk.keys.edit_connection(request).await.unwrap_err();
        assert_eq!(failure.code, code, "{why}: {}", failure.message);
        if matches!(code, ErrorCode::TlsUntrusted | ErrorCode::ProxyFailed) {
            assert!(failure.message.ends_with("The connection is as it was."), "{failure}");
        }
        assert_eq!(desk.store().list_connections().unwrap(), before, "{why}");
        assert!(desk.list(true).await.problem.is_none(), "{why}: it goes on working");
    }
    assert!(desk.activity().iter().all(|line| line.act != Act::EditConnection));

    // The two authorities in one file, as when a server's certificate is about to change.
    let both = format!("{}{}", authority("Next CA").pem, good.pem);
    let request = EditConnectionRequest {
        certificate: replaced(&both),
        proxy: ProxyChoice::None,
        ..edited(&desk)
    };
    desk.sim.clear_requests();
    let (first, second) = tokio::join!(
        desk.keys.edit_connection(request.clone()),
        desk.keys.edit_connection(request.clone()),
    );
    let view = first.unwrap();
    assert_eq!(second.unwrap(), view, "one act, one answer");
    assert_eq!(desk.sent("GET", "/v1/users/info"), 1, "tried once");
    assert_eq!((view.state, view.proxy), (ConnectionState::SignedIn, ProxyChoice::None));
    assert!(view.has_ca_certificate);
    let line = desk.line(Act::EditConnection);
    assert_eq!(line.state, ActState::Done);
    assert!(line.detail.starts_with("CA certificate replaced. Proxy: none;"), "{}", line.detail);
    assert!(desk.list(true).await.problem.is_none());
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn, "remembered");
    assert_eq!(desk.store().list_connections().unwrap()[0].ca_certificate.as_deref(), Some(&*both));
}

#[tokio::test]
async fn a_way_is_tried_also_where_no_credential_is_at_hand() {
    let (mut desk, good) = desk_with_authority().await;
    // The server gets a certificate of an authority that nobody trusts yet: the credential is in the
    // keychain, which is locked.
    let tried = |desk: &Desk, certificate| {
        let request = EditConnectionRequest { certificate, ..edited(desk) };
        let keys = desk.keys.clone();
        async move { keys.edit_connection(request).await }
    };
    desk.crash();
    desk.keychain.set_state(KeychainState::Locked);
    let both = format!("{}{}", good.pem, authority("Next CA").pem);
    let failure = tried(&desk, CertificateChange::Remove).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::TlsUntrusted);
    desk.sim.clear_requests();
    tried(&desk, replaced(&both)).await.unwrap();
    let asked = desk.sim.requests();
    assert!(!asked.is_empty() && asked.iter().all(|each| each.header("apikey").is_none()));
    desk.keychain.set_state(KeychainState::Ready);
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);

    // A credential that the server refuses says nothing against the way.
    desk.sim.edit_key_directly(&desk.sim.admin().api_key_uid, |key| key.active = false);
    let view = tried(&desk, replaced(&good.pem)).await.unwrap();
    assert_eq!(view.state, ConnectionState::NeedsSignIn);
}

#[tokio::test]
async fn a_password_session_goes_on_over_another_way() {
    let authority = authority("Acme CA");
    let identity = issued(&authority, &params("127.0.0.1"));
    let tls = TlsIdentity { cert_pem: identity.chain, key_pem: identity.key };
    let options = SimOptions { rate_limit: false, tls: Some(tls), ..SimOptions::default() };
    let mut desk = Desk::on(palette_sim::start(options).await.unwrap());
    let account = desk.sim.admin();
    let request = ConnectRequest {
        ca_certificate: Some(authority.pem.clone()),
        sign_in: with_password(&account),
        ..desk.request(&account)
    };
    desk.connection = desk.keys.connect(request).await.unwrap().connection.id;
    let request = EditConnectionRequest { proxy: ProxyChoice::None, ..edited(&desk) };
    let view = desk.keys.edit_connection(request).await.unwrap();
    assert_eq!(view.state, ConnectionState::SignedIn, "nobody has to type a password again");
    assert!(desk.list(true).await.problem.is_none());
}

#[tokio::test]
async fn before_it_is_removed_a_connection_says_what_goes_and_what_stands_against_it() {
    let desk = Desk::admin().await;
    let look = || desk.keys.connection_removal(&the(&desk)).unwrap();
    let nothing =
        RemovalView { stored: Vec::new(), has_credential: true, waiting: 0, not_kept: None };
    assert_eq!(look(), nothing);
    for name in ["zebra", "Apple"] {
        desk.created(&desk.new_key(name)).await;
    }
    let unkept = CreateRequest { save_to_keychain: false, ..desk.new_key("unkept") };
    let held = desk.created(&unkept).await;
    assert_eq!(
        look(),
        RemovalView {
            stored: vec!["Apple".into(), "zebra".into()],
            not_kept: Some("unkept".into()),
            ..nothing
        }
    );

    // A revocation that the server does not take keeps the connection; confirmed, it lets it go.
    let uid = held.uid.unwrap();
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{uid}/state"));
    desk.sim.set_fault(state, Fault::ResetBeforeHandling, None);
    let finish = palette_keys_core::held::Finish::RevokeAndClose;
    let request = palette_keys_core::held::FinishRequest { op_id: op(), held: held.held, finish };
    let finishing = {
        let keys = desk.keys.clone();
        tokio::spawn(async move { keys.finish_held(request).await })
    };
    while desk.keys.outbox().items.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(look().waiting, 1);
    let failure = desk.keys.remove_connection(the(&desk)).await.unwrap_err();
    assert!(
        matches!(failure.code, ErrorCode::RevocationsOpen | ErrorCode::ValueNotKept),
        "{failure}"
    );
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    let _ = finishing.await;
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert_eq!((look().waiting, look().not_kept), (0, None));
    desk.keys.remove_connection(the(&desk)).await.unwrap();
    assert!(desk.keychain.names().is_empty());
    let failure = desk.keys.connection_removal(&the(&desk)).unwrap_err();
    assert_eq!(failure.code, ErrorCode::ConnectionUnknown);
}
