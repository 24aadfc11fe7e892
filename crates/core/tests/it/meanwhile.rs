//! What goes on while a connection is changed: nothing of it is lost, and nothing comes back.

use crate::desk::{Desk, op, saved};
use palette_keys_core::Secret;
use palette_keys_core::connection::signing::{SignInChange, SignInChangeRequest};
use palette_keys_core::connection::{
    CertificateChange, Colour, ConnectionRequest, ConnectionState, EditConnectionRequest,
    ProxyChoice, SignIn, SignInRequest,
};
use palette_keys_core::keys::create::CreateView;
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::roll::{Grace, RollAct, RollActRequest, RollPurpose, RollRequest};
use palette_keys_core::store::RollStep;
use palette_sim::{Fault, KeyTruth, Matcher, Recorded};
use std::sync::Arc;
use std::time::Duration;

const KEYS: &str = "/v1/apiKeys";

/// Another key of the admin's, made by somebody else.
fn other_key(desk: &Desk) -> KeyTruth {
    desk.sim.add_key(palette_sim::NewKey {
        owner_uid: Some(desk.sim.admin().uid),
        ..palette_sim::NewKey::named("another sign-in")
    })
}

fn again(desk: &Desk, key: &KeyTruth) -> SignInRequest {
    SignInRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        sign_in: SignIn::ApiKey { api_key: Secret::new(key.value.clone()) },
    }
}

/// A person says that this key signs the app in.
fn signs_in(desk: &Desk, uid: &str) {
    let change = SignInChange::Key { uid: uid.into() };
    let request = SignInChangeRequest { connection: desk.connection.clone(), change };
    desk.keys.change_sign_in(request).unwrap();
}

/// The roll of a key that signs the app in, which is said of it first.
async fn roll_of_sign_in(desk: &Desk, uid: &str, name: &str) -> RollRequest {
    desk.list(true).await;
    signs_in(desk, uid);
    RollRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.into(),
        name: name.into(),
        expiry: ExpiryChoice::Days { days: 30 },
        grace: Grace::Day,
    }
}

/// So much later does the next request of this kind get its answer.
fn is_late(desk: &Desk, method: &str) {
    desk.sim.set_fault(Matcher::on(method, KEYS), Fault::DelayMs(400), Some(1));
}

async fn under_way(desk: &Desk, method: &str, path: &str) {
    let sent = async {
        while desk.sent(method, path) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), sent).await.expect("a request");
}

#[tokio::test]
async fn a_list_that_comes_after_the_removal_brings_nothing_back() {
    let mut desk = Desk::admin().await;
    let mine = desk.sim.admin();
    // The list that is on its way says which key signs in, which would be written down.
    for key in desk.sim.keys() {
        if key.owner_uid == mine.uid && key.uid != mine.api_key_uid {
            desk.sim.edit_key_directly(&key.uid, |key| key.active = false);
        }
    }
    is_late(&desk, "GET");
    let (list, removed) = tokio::join!(desk.list(true), async {
        under_way(&desk, "GET", KEYS).await;
        let request = ConnectionRequest { connection: desk.connection.clone() };
        desk.keys.remove_connection(request).await
    });
    assert_eq!(list.problem, None, "the list came, and was read");
    assert!(removed.unwrap().connections.is_empty());
    // Longer than a list waits to be written.
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(desk.store().list(&desk.connection).unwrap().is_none());
    assert!(desk.store().list_connections().unwrap().is_empty());
    desk.crash();
    assert!(desk.keys.start().await.unwrap().connections.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_say_of_a_connection_at_once_is_both_kept() {
    let desk = Arc::new(Desk::admin().await);
    for round in 0..40 {
        let (name, on) = (format!("acme {round}"), round % 2 == 0);
        let edit = EditConnectionRequest {
            op_id: op(),
            connection: desk.connection.clone(),
            name: name.clone(),
            colour: Colour::Indigo,
            certificate: CertificateChange::Keep,
            proxy: ProxyChoice::System,
        };
        let change = SignInChangeRequest {
            connection: desk.connection.clone(),
            change: SignInChange::Renew { on },
        };
        let (one, other) = (Arc::clone(&desk), Arc::clone(&desk));
        let edited = tokio::spawn(async move { one.keys.edit_connection(edit).await.unwrap() });
        let said = std::thread::spawn(move || other.keys.change_sign_in(change).unwrap());
        edited.await.unwrap();
        said.join().unwrap();
        let kept = desk.store().list_connections().unwrap().remove(0);
        assert_eq!((kept.name, kept.sign_in.renew), (name, Some(on)), "round {round}");
    }
}

#[tokio::test]
async fn a_key_made_while_somebody_signs_in_again_is_in_the_list() {
    let desk = Desk::admin().await;
    let other = other_key(&desk);
    is_late(&desk, "POST");
    let request = desk.new_key("made meanwhile");
    let (made, signed_in) = tokio::join!(desk.create(&request), async {
        under_way(&desk, "POST", KEYS).await;
        desk.keys.sign_in(again(&desk, &other)).await
    });
    assert_eq!(signed_in.unwrap().connection.state, ConnectionState::SignedIn);
    let Ok(CreateView::Created { held }) = made else { panic!("it was made") };
    assert!(saved(&held));
    assert_eq!(desk.listed("made meanwhile").await.uid, held.uid.unwrap());
}

#[tokio::test]
async fn what_the_old_credential_hears_is_not_said_of_the_new_one() {
    let desk = Desk::admin().await;
    let other = other_key(&desk);
    is_late(&desk, "GET");
    let (list, signed_in) = tokio::join!(desk.list(true), async {
        under_way(&desk, "GET", KEYS).await;
        let signed_in = desk.keys.sign_in(again(&desk, &other)).await;
        desk.sim.edit_key_directly(&desk.sim.admin().api_key_uid, |key| key.active = false);
        signed_in
    });
    assert_eq!(list.problem, None, "it was asked with the old one, whose answer is of no interest");
    assert_eq!(list.keys.len(), desk.sim.keys().len());
    assert_eq!(signed_in.unwrap().connection.state, ConnectionState::SignedIn);
    assert_eq!(desk.keys.start().await.unwrap().connections[0].state, ConnectionState::SignedIn);
    assert_eq!(desk.list(true).await.problem, None);
}

#[tokio::test]
async fn a_roll_leaves_the_key_that_somebody_signs_in_with_meanwhile() {
    let mut desk = Desk::admin().await;
    let (mine, other) = (desk.sim.admin().api_key_uid, other_key(&desk));
    let request = roll_of_sign_in(&desk, &mine, "rolled meanwhile").await;
    let tried = Matcher::on("GET", "/v1/users/info");
    desk.sim.set_fault(tried, Fault::DelayMs(400), Some(1));
    desk.sim.clear_requests();
    let (roll, signed_in) = tokio::join!(desk.keys.roll_key(request), async {
        under_way(&desk, "GET", "/v1/users/info").await;
        let signed_in = desk.keys.sign_in(again(&desk, &other)).await;
        signs_in(&desk, &other.uid);
        signed_in
    });
    let roll = roll.unwrap().roll.expect("it goes on");
    assert_eq!((roll.purpose, roll.step), (RollPurpose::SignIn, RollStep::Rolling));
    assert_eq!(signed_in.unwrap().connection.state, ConnectionState::SignedIn);
    for restarted in [false, true] {
        if restarted {
            desk.crash();
            assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
        }
        desk.sim.clear_requests();
        assert_eq!(desk.list(true).await.problem, None);
        let connection = desk.keys.start().await.unwrap().connections.remove(0);
        assert_eq!(connection.sign_in.uid, Some(other.uid.clone()), "restarted: {restarted}");
        let by_other = |request: &Recorded| request.header("apikey") == Some(&*other.value);
        assert!(desk.sim.requests().iter().all(by_other), "restarted: {restarted}");
    }
    // There is no sign-in to give back: cancelling takes the new key away, and no more.
    let cancel = RollActRequest { op_id: op(), roll: roll.roll, act: RollAct::Cancel };
    assert_eq!(desk.keys.act_on_roll(cancel).await.unwrap().roll, None);
    assert!(!desk.sim.key_named("rolled meanwhile").unwrap().active);
    assert!(desk.sim.key(&mine).unwrap().active);
    assert_eq!(desk.list(true).await.problem, None);
}

#[tokio::test]
async fn a_roll_that_is_cancelled_leaves_the_key_that_somebody_signed_in_with_after_it() {
    let mut desk = Desk::admin().await;
    let (mine, other) = (desk.sim.admin().api_key_uid, other_key(&desk));
    let request = roll_of_sign_in(&desk, &mine, "rolled before").await;
    let roll = desk.keys.roll_key(request).await.unwrap().roll.expect("it goes on");
    desk.keys.sign_in(again(&desk, &other)).await.unwrap();
    signs_in(&desk, &other.uid);
    let cancel = RollActRequest { op_id: op(), roll: roll.roll, act: RollAct::Cancel };
    assert_eq!(desk.keys.act_on_roll(cancel).await.unwrap().roll, None);
    assert!(!desk.sim.key_named("rolled before").unwrap().active);
    desk.crash();
    desk.sim.clear_requests();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    let by_other = |request: &Recorded| request.header("apikey") == Some(&*other.value);
    assert!(desk.sim.requests().iter().all(by_other));
}
