//! Several connections at once: what goes on by itself goes on for each of them, whichever is open.

use crate::desk::{Desk, op};
use jiff::SignedDuration;
use palette_keys_core::background::{self, Refreshed};
use palette_keys_core::connection::{ConnectRequest, ConnectionRequest, ConnectionState};
use palette_keys_core::keys::KeyActRequest;
use palette_keys_core::keys::list::ListRequest;
use palette_keys_core::notices::Teller;
use palette_keys_core::palette_keys::Change;
use palette_keys_core::tray::TrayIcon;
use palette_sim::{Fault, Matcher, NewKey, Sim, SimOptions};
use std::time::{Duration, Instant};

/// A desk with two connections to two hosts; "staging" is open, and so is its tray.
async fn two() -> (Desk, Sim, String) {
    let mut desk = Desk::bare().await;
    let staging = palette_sim::start(SimOptions { rate_limit: false, ..SimOptions::default() });
    let staging = staging.await.unwrap();
    for (sim, name) in [(&desk.sim, "soon-in-production"), (&staging, "soon-in-staging")] {
        let soon = sim.now() + SignedDuration::from_hours(30);
        sim.add_key(NewKey {
            owner_uid: Some(sim.admin().uid),
            expiry: Some(soon),
            ..NewKey::named(name)
        });
    }
    let production =
        ConnectRequest { name: "production".into(), ..desk.request(&desk.sim.admin()) };
    desk.connection = desk.keys.connect(production).await.unwrap().connection.id;
    let request = ConnectRequest {
        name: "staging".into(),
        address: staging.origin(),
        ..desk.request(&staging.admin())
    };
    let id = desk.keys.connect(request).await.unwrap().connection.id;
    desk.sim.clear_requests();
    staging.clear_requests();
    (desk, staging, id)
}

fn lists(sim: &Sim) -> usize {
    sim.requests().iter().filter(|each| each.method == "GET" && each.path == "/v1/apiKeys").count()
}

#[tokio::test]
async fn what_was_picked_is_open_before_its_server_has_answered() {
    let (desk, _staging, _) = two().await;
    let mut desk = desk;
    desk.crash();
    desk.sim.set_fault(Matcher::on("GET", "/v1/users/info"), Fault::DelayMs(3_000), None);
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let keys = std::sync::Arc::downgrade(&desk.keys);
    desk.keys.on_change(Box::new(move |change| {
        if let (Change::Connections, Some(keys)) = (change, keys.upgrade()) {
            let _ = told.send(keys.tray_model().active);
        }
    }));
    let began = Instant::now();
    let selecting = {
        let (keys, connection) = (desk.keys.clone(), desk.connection.clone());
        tokio::spawn(async move { keys.select_connection(ConnectionRequest { connection }).await })
    };
    let first = hears.recv().await.unwrap();
    assert_eq!(first.as_ref(), Some(&desk.connection));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(!selecting.is_finished(), "the server is still being asked");
    selecting.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_connection_is_read_again_and_tells_what_ends() {
    let (desk, staging, _) = two().await;
    assert_eq!(background::refresh(&desk.keys).await, Refreshed::Read);
    assert_eq!((lists(&desk.sim), lists(&staging)), (1, 1), "each its own host, once");

    let teller = Teller::new(&desk.keys);
    let told: Vec<String> = teller
        .due(Duration::from_secs(1), true, false)
        .into_iter()
        .map(|notice| format!("{} {}", notice.title, notice.body))
        .collect();
    let told = told.join("\n");
    assert!(told.contains("production") && told.contains("staging"), "{told}");

    // One host that is away holds up nothing of the other.
    staging.go_down().await;
    assert_eq!(background::refresh(&desk.keys).await, Refreshed::Partly);
    let states: Vec<_> =
        desk.keys.start().await.unwrap().connections.iter().map(|each| each.state).collect();
    assert_eq!(states, [ConnectionState::SignedIn, ConnectionState::Offline]);
}

#[tokio::test]
async fn the_tray_says_what_ends_in_the_others_and_opens_them() {
    let (desk, _staging, id) = two().await;
    let model = desk.keys.tray_model();
    assert_eq!(model.active.as_deref(), Some(&*id));
    let ending: Vec<_> =
        model.connections.iter().map(|each| (&*each.name, each.ending > 0)).collect();
    assert_eq!(ending, [("production", true), ("staging", true)]);
    assert!(model.keys.iter().all(|key| key.name != "soon-in-production"), "none of the other's");
    let menu = desk.keys.tray_menu(None);
    assert_eq!(menu.icon, TrayIcon::Attention);
    let labels: Vec<_> = menu.items.iter().map(|item| item.label().to_owned()).collect();
    assert!(labels.contains(&"Quick revoke in staging".to_owned()), "{labels:?}");
    assert!(labels.contains(&"Connection: staging".to_owned()), "{labels:?}");

    let request = ConnectionRequest { connection: desk.connection.clone() };
    desk.keys.select_connection(request).await.unwrap();
    let labels: Vec<_> =
        desk.keys.tray_menu(None).items.iter().map(|item| item.label().to_owned()).collect();
    assert!(labels.contains(&"Quick revoke in production".to_owned()), "{labels:?}");
}

#[tokio::test]
async fn a_revocation_goes_to_its_own_host_and_keeps_only_its_own_connection() {
    let (desk, staging, id) = two().await;
    let uid = desk.sim.key_named("soon-in-production").unwrap().uid;
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{uid}/state"));
    desk.sim.set_fault(state, Fault::ResetBeforeHandling, None);
    let revoking = {
        let request =
            KeyActRequest { op_id: op(), connection: desk.connection.clone(), uid: uid.clone() };
        let keys = desk.keys.clone();
        tokio::spawn(async move { keys.revoke_key(request).await })
    };
    while desk.keys.outbox().items.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(desk.keys.tray_menu(None).icon, TrayIcon::Unconfirmed, "whichever is open");
    let removal = |connection: &str| {
        desk.keys
            .connection_removal(&ConnectionRequest { connection: connection.to_owned() })
            .unwrap()
            .waiting
    };
    assert_eq!((removal(&desk.connection), removal(&id)), (1, 0));

    // The one that nothing waits for can go, and the other's revocation is still sent.
    desk.keys.remove_connection(ConnectionRequest { connection: id }).await.unwrap();
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    revoking.await.unwrap().unwrap();
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert!(staging.requests().iter().all(|each| each.method == "GET"), "nothing changed there");
    let request = ListRequest { connection: desk.connection.clone(), refresh: true, have: None };
    assert!(desk.keys.list_keys(request).await.unwrap().problem.is_none());
}
