//! A record is for one server and one tenant, whatever becomes of its connection.

use crate::desk::{Desk, Watch, connect_request, drained, op, settle};
use palette_keys_core::connection::{ConnectionRequest, SignInRequest};
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::outbox::OutboxState;
use palette_keys_core::store::{ConnectionRecord, Store};
use palette_sim::{Seed, Sim, SimOptions};
use std::time::Duration;

const QUARTER: Duration = Duration::from_secs(15 * 60 + 90);

/// A desk with one open record, and its product closed.
async fn with_a_record() -> Desk {
    let desk = Desk::new(1).await;
    desk.sim.go_down().await;
    let keys = desk.open();
    let answer = keys.revoke_key(desk.act(&desk.targets[0])).await.unwrap();
    assert!(matches!(answer, RevokeView::Unconfirmed { .. }), "{answer:?}");
    drop(keys);
    settle().await;
    desk
}

/// Another tenant that takes the same credentials and knows a key of the same uid.
async fn double_of(desk: &Desk) -> Sim {
    let options = SimOptions {
        seed: Seed::Empty,
        rate_limit: false,
        admin_key: Some(desk.sim.admin().api_key),
        ..SimOptions::default()
    };
    let double = palette_sim::start(options).await.unwrap();
    let mut key = palette_sim::NewKey::named("target-0");
    key.uid = Some(desk.targets[0].clone());
    double.add_key(key);
    double
}

fn edit_record(desk: &Desk, change: impl FnOnce(&mut ConnectionRecord)) {
    let (store, _) = Store::open(desk.folder()).unwrap();
    let mut record = store.list_connections().unwrap().remove(0);
    change(&mut record);
    store.put_connection(&record).unwrap();
}

/// 1: the connection's host is another one now.
async fn host_edited() -> bool {
    let desk = with_a_record().await;
    let double = double_of(&desk).await;
    desk.sim.come_back().await.unwrap();
    let origin = desk.sim.origin();
    edit_record(&desk, |record| record.origin = double.origin());
    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    tokio::time::sleep(QUARTER).await;
    let item = keys.outbox().items.pop();
    let waits = item.as_ref().is_some_and(|item| {
        item.state == OutboxState::Blocked
            && item.problem.as_ref().is_some_and(|p| !p.message.is_empty())
    });
    let to_the_new = double.requests().len();
    let untouched = double.key(&desk.targets[0]).unwrap().active;
    println!(
        "host edited: requests to the new host {to_the_new}, {:?}",
        item.as_ref().and_then(|item| item.problem.as_ref()).map(|problem| &problem.message)
    );
    drop(keys);
    settle().await;
    // With the old host back it is sent there.
    edit_record(&desk, |record| record.origin = origin);
    let keys = desk.open();
    let ended = drained(&keys, QUARTER).await && desk.is_done(&desk.targets[0]);
    drop(keys);
    settle().await;
    waits && to_the_new == 0 && untouched && ended && watch.falsely() == 0
}

/// 2: another credential takes the place of the first.
async fn credential_replaced() -> bool {
    let desk = with_a_record().await;
    desk.sim.come_back().await.unwrap();
    // The old one does not count any more.
    let old = desk.sim.admin().api_key_uid;
    desk.sim.edit_key_directly(&old, |key| key.active = false);
    let keys = desk.open();
    tokio::time::sleep(QUARTER).await;
    let deferred = !desk.is_done(&desk.targets[0]) && keys.outbox().items.len() == 1;
    // Somebody else's is refused, and nothing goes out in their name.
    let sign_in = |api_key: String| SignInRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        sign_in: connect_request(desk.sim.origin(), api_key).sign_in,
    };
    let refused = keys.sign_in(sign_in(desk.sim.user_admin().api_key)).await.is_err();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let still = !desk.is_done(&desk.targets[0]) && keys.outbox().items.len() == 1;
    let fresh = desk.sim.key_named("bystander-0").unwrap().value;
    keys.sign_in(sign_in(fresh.clone())).await.unwrap();
    let ended = drained(&keys, Duration::from_secs(30)).await;
    let puts = desk.writes();
    let with_fresh = puts.iter().any(|put| put.header("apikey") == Some(&fresh));
    println!("credential replaced: deferred {deferred}, somebody else's refused {refused}");
    drop(keys);
    settle().await;
    deferred && refused && still && ended && with_fresh && desk.is_done(&desk.targets[0])
}

/// 3: the connection is to be removed.
async fn connection_removed() -> bool {
    let desk = with_a_record().await;
    let keys = desk.open();
    let request = || ConnectionRequest { connection: desk.connection.clone() };
    let refused = keys.remove_connection(request()).await;
    println!("connection removed: {:?}", refused.as_ref().err().map(|failure| &failure.message));
    let kept = keys.outbox().items.len() == 1;
    desk.sim.come_back().await.unwrap();
    let ended = drained(&keys, Duration::from_secs(6 * 60)).await;
    let done = desk.is_done(&desk.targets[0]);
    let removed = keys.remove_connection(request()).await.is_ok();
    drop(keys);
    settle().await;
    refused.is_err() && kept && ended && done && removed
}

#[tokio::test(start_paused = true)]
async fn a_record_goes_to_its_own_server_or_nowhere() {
    let right = [host_edited().await, credential_replaced().await, connection_removed().await];
    let passed = right.iter().filter(|right| **right).count();
    println!("check 11: {passed}/3 {right:?}");
    assert_eq!(passed, 3);
}
