//! The key that signs this app in: known, guarded, and made by the app itself after a password.

use crate::desk::{Desk, op, sim};
use jiff::SignedDuration;
use palette_keys_core::connection::own_key::OwnKeyRequest;
use palette_keys_core::connection::signing::{SignInChange, SignInChangeRequest, SignInKeyView};
use palette_keys_core::connection::{
    ConnectRequest, ConnectionState, ConnectionView, SignIn, SignInMethod, SignInRequest,
};
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState, SecretStore};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::delete::DeleteRequest;
use palette_keys_core::keys::edit::{EditBase, EditRequest};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::renew::RenewRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::keys::roll::{Grace, RollRequest};
use palette_keys_core::keys::{Flag, KeyUid, KeyView};
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest};
use palette_keys_core::palette_keys::Change;
use palette_keys_core::{ErrorCode, Failure, Secret};
use palette_sim::{Account, Fault, Matcher, NewKey, Seed};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

async fn connection(desk: &Desk, id: &str) -> ConnectionView {
    let start = desk.keys.start().await.unwrap();
    start.connections.into_iter().find(|view| view.id == id).unwrap()
}

async fn sign_in(desk: &Desk) -> SignInKeyView {
    connection(desk, &desk.connection).await.sign_in
}

fn say(desk: &Desk, change: SignInChange) -> Result<ConnectionView, Failure> {
    let connection = desk.connection.clone();
    desk.keys.change_sign_in(SignInChangeRequest { connection, change })
}

fn it_is(desk: &Desk, uid: &str) -> Result<ConnectionView, Failure> {
    say(desk, SignInChange::Key { uid: uid.into() })
}

async fn flagged(desk: &Desk) -> Vec<String> {
    let keys = desk.list(false).await.keys;
    let signs_in = |key: &KeyView| key.flags.contains(&Flag::SignsIn);
    keys.into_iter().filter(signs_in).map(|key| key.uid).collect()
}

fn password(account: &Account) -> SignIn {
    SignIn::Password {
        email: account.email.clone(),
        organization: account.organization.clone(),
        password: Secret::new(account.password.clone()),
    }
}

/// Signed in as Jane Doe with her password.
async fn with_password() -> Desk {
    let mut desk = Desk::bare().await;
    let account = desk.sim.admin();
    let request = ConnectRequest { sign_in: password(&account), ..desk.request(&account) };
    desk.connection = desk.keys.connect(request).await.unwrap().connection.id;
    desk.sim.clear_requests();
    desk
}

fn own_key(desk: &Desk) -> OwnKeyRequest {
    OwnKeyRequest { op_id: op(), connection: desk.connection.clone() }
}

async fn make(desk: &Desk) -> Result<ConnectionView, Failure> {
    desk.keys.make_own_key(own_key(desk), "heron").await
}

const OWN: &str = "palette-keys on heron";

#[tokio::test]
async fn which_of_several_keys_signs_in_is_asked_once_and_kept() {
    let mut desk = Desk::admin().await;
    let uid = desk.sim.admin().api_key_uid;
    let before = sign_in(&desk).await;
    assert!(before.asks && before.uid.is_none() && !before.offers, "{before:?}");
    assert!(flagged(&desk).await.is_empty(), "nothing is guessed");

    let keys = desk.list(false).await.keys;
    let others = keys.iter().find(|key| !key.mine).unwrap();
    let revoked = keys.iter().find(|key| key.name == "old-ci").unwrap();
    for wrong in [&*others.uid, &*revoked.uid, "nobody"] {
        assert_eq!(it_is(&desk, wrong).unwrap_err().code, ErrorCode::Refused);
    }
    assert!(sign_in(&desk).await.asks, "what was refused changed nothing");

    let put_away = say(&desk, SignInChange::NotKnown).unwrap().sign_in;
    assert!(!put_away.asks && put_away.uid.is_none());
    desk.crash();
    assert!(!sign_in(&desk).await.asks, "asked once");

    let said = it_is(&desk, &uid).unwrap().sign_in;
    assert_eq!(said.uid.as_deref(), Some(&*uid));
    assert_eq!(said.name.as_deref(), Some("palette-keys on lark"));
    assert!(said.expires.is_some() && !said.own && !said.renews, "{said:?}");
    assert_eq!(flagged(&desk).await, [&*uid]);
    assert!(say(&desk, SignInChange::Renew { on: true }).unwrap().sign_in.renews);
    desk.crash();
    desk.select().await;
    desk.list(true).await;
    let kept = sign_in(&desk).await;
    assert_eq!(kept.uid.as_deref(), Some(&*uid));
    assert!(kept.renews && !kept.asks);
    assert_eq!(flagged(&desk).await, [&*uid]);
}

#[tokio::test]
async fn a_wrong_answer_is_found_out_when_that_key_ends_and_the_sign_in_does_not() {
    let desk = Desk::admin().await;
    let wrong = desk.listed("ci-prod").await.uid;
    it_is(&desk, &wrong).unwrap();
    desk.list(true).await;
    assert_eq!(sign_in(&desk).await.uid.as_deref(), Some(&*wrong));
    desk.sim.edit_key_directly(&wrong, |key| key.active = false);
    desk.list(true).await;
    let asked = sign_in(&desk).await;
    assert!(asked.uid.is_none() && asked.asks, "{asked:?}");
    assert!(flagged(&desk).await.is_empty());
}

#[tokio::test]
async fn a_wrong_answer_is_found_out_when_that_key_is_gone_and_not_when_it_cannot_be_read() {
    let desk = Desk::admin().await;
    let wrong = desk.listed("ci-prod").await.uid;
    it_is(&desk, &wrong).unwrap();
    // The list lacks it, and an item that makes no sense may be it.
    desk.sim.add_key(NewKey { uid: Some("a/b".into()), ..NewKey::named("senseless") });
    desk.sim.remove_key(&wrong);
    desk.list(true).await;
    assert!(desk.list(false).await.keys.iter().all(|key| key.uid != wrong));
    assert_eq!(sign_in(&desk).await.uid.as_deref(), Some(&*wrong), "not known to be gone");
    assert!(desk.sim.remove_key("a/b"));
    desk.list(true).await;
    let asked = sign_in(&desk).await;
    assert!(asked.uid.is_none() && asked.asks, "{asked:?}");
    assert_eq!(desk.sim.key(&desk.sim.admin().api_key_uid).map(|key| key.active), Some(true));
}

/// The only key that could be it need not be it while another cannot be understood.
#[tokio::test]
async fn the_sign_in_key_is_not_guessed_while_a_key_cannot_be_understood() {
    let mut desk = Desk::on(sim(Seed::Empty).await);
    let account = desk.sim.admin();
    let other = desk.sim.add_key(NewKey::named("other"));
    let mine = desk.sim.key(&account.api_key_uid).unwrap();
    assert_eq!(other.owner_uid, mine.owner_uid);
    // The one that signs in is the one that cannot be understood.
    desk.garble(&mine.uid);
    desk.sign_in(&account).await;
    desk.list(true).await;
    let asked = sign_in(&desk).await;
    assert!(asked.uid.is_none() && asked.asks, "{asked:?}");
    assert!(flagged(&desk).await.is_empty());
    let kept = desk.store().list_connections().unwrap().remove(0);
    assert_eq!(kept.signing_key_uid, None, "nothing is written down");

    // Understood again, and the other one out of service: now it can only be one.
    desk.sim.edit_key_directly(&mine.uid, |key| key.description = String::new());
    desk.sim.edit_key_directly(&other.uid, |key| key.active = false);
    desk.list(true).await;
    assert_eq!(sign_in(&desk).await.uid, Some(mine.uid));
}

/// A clock that was an hour slow when the session began makes it look an hour older once it is right.
#[tokio::test]
async fn a_clock_that_is_put_right_ends_no_session_that_is_still_good() {
    let mut desk = Desk::bare().await;
    desk.clock.wrong_by(SignedDuration::from_hours(-1));
    let account = desk.sim.admin();
    let request = ConnectRequest { sign_in: password(&account), ..desk.request(&account) };
    desk.connection = desk.keys.connect(request).await.unwrap().connection.id;
    let uid = desk.listed("ci-prod").await.uid;
    desk.clock.wrong_by(SignedDuration::ZERO);
    let revoked = desk.keys.revoke_key(desk.act(&uid)).await.unwrap();
    assert!(matches!(revoked, RevokeView::Confirmed { .. }), "{revoked:?}");
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert_eq!(desk.list(true).await.problem, None);
    let state = async || connection(&desk, &desk.connection).await.state;
    assert_eq!(state().await, ConnectionState::SignedIn);

    // Asleep for too long: the server says that it is over, and is asked once.
    desk.sim.advance_seconds(20 * 60);
    desk.clock.wrong_by(SignedDuration::from_mins(20));
    desk.sim.clear_requests();
    let problem = desk.list(true).await.problem.unwrap();
    assert_eq!((problem.code, desk.sim.requests().len()), (ErrorCode::NotSignedIn, 1));
    assert_eq!(state().await, ConnectionState::NeedsSignIn);
}

/// Everything that would end a key sooner.
async fn attempts(desk: &Desk, key: &KeyView) -> Vec<(&'static str, Result<(), Failure>)> {
    let (uid, connection) = (key.uid.clone(), desk.connection.clone());
    let base = EditBase {
        name: key.name.clone(),
        description: key.description.clone(),
        expires: key.expires,
    };
    let add = |action| OutboxAddRequest {
        op_id: op(),
        connection: connection.clone(),
        action,
        uids: vec![uid.clone()],
    };
    let sooner = ExpiryChoice::Days { days: 1 };
    let delete = DeleteRequest {
        op_id: op(),
        connection: connection.clone(),
        uid: uid.clone(),
        typed_name: key.name.clone(),
    };
    let edit = EditRequest {
        op_id: op(),
        connection: connection.clone(),
        uid: uid.clone(),
        base,
        name: key.name.clone(),
        description: key.description.clone(),
        expiry: Some(sooner.clone()),
    };
    let renew = RenewRequest {
        op_id: op(),
        connection: connection.clone(),
        uid: uid.clone(),
        expiry: sooner,
    };
    let keys = &desk.keys;
    vec![
        ("bulk revoke", keys.add_to_outbox(add(OutboxAction::Revoke)).await.map(drop)),
        ("bulk delete", keys.add_to_outbox(add(OutboxAction::Delete)).await.map(drop)),
        ("delete", keys.delete_key(delete).await.map(drop)),
        ("edit", keys.edit_key(edit).await.map(drop)),
        ("renew", keys.renew_key(renew).await.map(drop)),
        ("revoke", keys.revoke_key(desk.act(&uid)).await.map(drop)),
    ]
}

#[tokio::test]
async fn what_would_sign_the_app_out_is_stopped_before_anything_is_sent() {
    let desk = Desk::admin().await;
    let uid = desk.sim.admin().api_key_uid;
    it_is(&desk, &uid).unwrap();
    let key = desk.listed("palette-keys on lark").await;
    desk.sim.clear_requests();
    let mut stopped = 0;
    for (what, attempt) in attempts(&desk, &key).await {
        let failure = attempt.expect_err(what);
        assert_eq!(failure.code, ErrorCode::SignsThisAppIn, "{what}: {}", failure.message);
        let said = failure.message.starts_with("This key signs Palette Keys in to acme.");
        assert!(said && failure.message.contains("Nothing was"), "{what}: {}", failure.message);
        stopped += 1;
    }
    assert_eq!(desk.sent("PUT", "/"), 0);
    assert_eq!(desk.sent("DELETE", "/"), 0);
    assert!(desk.keys.outbox().items.is_empty());
    assert_eq!(desk.sim.key(&uid).unwrap().expiry.map(|end| end.as_millisecond()), key.expires);
    println!("guard: {stopped}/6 acts stopped before anything was sent");

    // A longer life and another name end nothing.
    let renew = RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.clone(),
        expiry: ExpiryChoice::Days { days: 60 },
    };
    assert!(desk.keys.renew_key(renew).await.is_ok());

    // A leaked key can be revoked all the same, once the person says so, and then nobody is in the
    // way of asking again.
    desk.keys.revoke_signing_key(desk.act(&uid)).await.unwrap();
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert_eq!(desk.select().await.state, ConnectionState::NeedsSignIn);
    let again = desk.keys.revoke_key(desk.act(&uid)).await;
    assert!(again.is_ok(), "{again:?}");
}

#[tokio::test]
async fn a_bulk_with_the_sign_in_key_in_it_touches_no_key() {
    let desk = Desk::admin().await;
    let (uid, other) = (desk.sim.admin().api_key_uid, desk.listed("ci-prod").await.uid);
    it_is(&desk, &uid).unwrap();
    let add = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Revoke,
        uids: vec![other.clone(), uid],
    };
    let failure = desk.keys.add_to_outbox(add).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::SignsThisAppIn);
    assert!(desk.keys.outbox().items.is_empty() && desk.sim.key(&other).unwrap().active);
}

#[tokio::test]
async fn a_key_that_signs_in_another_connection_to_the_tenant_is_guarded_too() {
    let mut desk = Desk::bare().await;
    let (sam, jane) = (desk.sim.user(), desk.sim.admin());
    let request = ConnectRequest { name: "sam's".into(), ..desk.request(&sam) };
    let sams = desk.keys.connect(request).await.unwrap().connection.id;
    desk.sign_in(&jane).await;
    desk.connection.clone_from(&sams);
    it_is(&desk, &sam.api_key_uid).unwrap();
    let connections = desk.keys.start().await.unwrap().connections;
    desk.connection = connections.into_iter().find(|view| view.id != sams).unwrap().id;

    let failure = desk.keys.revoke_key(desk.act(&sam.api_key_uid)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::SignsThisAppIn);
    assert!(failure.message.contains("to sam's."), "{}", failure.message);
    let roll = RollRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: sam.api_key_uid.clone(),
        name: "next".into(),
        expiry: ExpiryChoice::Days { days: 30 },
        grace: Grace::Now,
    };
    let failure = desk.keys.roll_key(roll).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::SignsThisAppIn, "{}", failure.message);
    assert!(failure.message.ends_with("No key was made."), "{}", failure.message);
    assert!(desk.made("next").is_empty() && desk.list(false).await.rolls.is_empty());
    desk.keys.revoke_signing_key(desk.act(&sam.api_key_uid)).await.unwrap();
    assert!(!desk.sim.key(&sam.api_key_uid).unwrap().active);
}

#[tokio::test]
async fn after_a_password_the_app_makes_a_key_of_its_own_and_signs_in_with_it() {
    let mut desk = with_password().await;
    assert!(sign_in(&desk).await.offers);
    let view = make(&desk).await.unwrap();
    assert_eq!((view.method, view.state), (SignInMethod::ApiKey, ConnectionState::SignedIn));
    let truth = desk.sim.key_named(OWN).unwrap();
    let said = view.sign_in;
    assert_eq!(said.uid.as_deref(), Some(&*truth.uid));
    assert!(said.own && said.renews && !said.offers && !said.asks, "{said:?}");
    let days =
        (truth.expiry.unwrap().as_millisecond() - desk.sim.now().as_millisecond()) / 3_600_000;
    assert!((719..=720).contains(&days), "{days} hours");
    assert!(desk.keys.held_values().is_empty(), "nobody has to keep it");
    assert_eq!(desk.stored_value(&truth.uid).await.as_deref(), Some(&*truth.value));
    desk.line_ended(Act::SignIn, ActState::Done);
    desk.nowhere_on_disk(&truth.value);
    desk.nowhere_on_disk(&desk.sim.admin().password);

    // The session is over, here and there: what is sent now carries the key.
    desk.sim.end_sessions();
    desk.sim.clear_requests();
    assert!(desk.list(true).await.problem.is_none());
    let bare = |header: &str| {
        desk.sim.requests().iter().any(|r| r.headers.iter().any(|(name, _)| name == header))
    };
    assert!(bare("apikey") && !bare("authorization"));

    // And after a restart, without anybody typing anything.
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    assert!(desk.list(true).await.problem.is_none());
    assert_eq!(flagged(&desk).await, [&*truth.uid]);

    // Asked again, nothing is made.
    assert!(make(&desk).await.is_ok());
    assert_eq!(desk.made(OWN).len(), 1);
    let stopped = desk.keys.revoke_key(desk.act(&truth.uid)).await.unwrap_err();
    assert_eq!(stopped.code, ErrorCode::SignsThisAppIn);
}

#[tokio::test]
async fn one_press_makes_one_key_and_a_taken_name_gets_a_number() {
    let desk = with_password().await;
    desk.created(&desk.new_key(OWN)).await;
    desk.sim.clear_requests();
    let request = own_key(&desk);
    let calls = (0..4).map(|_| {
        let (keys, request) = (desk.keys.clone(), request.clone());
        tokio::spawn(async move { keys.make_own_key(request, "heron").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(
            call.await.unwrap().unwrap().sign_in.name.as_deref(),
            Some("palette-keys on heron 2")
        );
    }
    assert_eq!(desk.sent("POST", "/v1/apiKeys"), 1);
}

#[tokio::test]
async fn the_offer_can_be_put_away_and_a_pasted_key_gets_none() {
    let mut desk = with_password().await;
    assert!(!say(&desk, SignInChange::KeepPassword).unwrap().sign_in.offers);
    desk.crash();
    let account = desk.sim.admin();
    let request = SignInRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        sign_in: password(&account),
    };
    assert!(!desk.keys.sign_in(request).await.unwrap().connection.sign_in.offers, "offered once");
    let pasted = Desk::admin().await;
    assert_eq!(make(&pasted).await.unwrap_err().code, ErrorCode::NotSignedIn);
    assert!(pasted.made(OWN).is_empty());
}

#[tokio::test]
async fn whatever_fails_the_password_session_goes_on_and_no_value_is_lost() {
    let mut held_up = 0;
    // Nothing was made.
    for (what, code) in [
        ("quota", ErrorCode::QuotaFull),
        ("keychain", ErrorCode::KeychainLocked),
        ("refused", ErrorCode::Forbidden),
    ] {
        let desk = with_password().await;
        match what {
            "quota" => {
                desk.sim.set_quota(1);
                desk.list(true).await;
            }
            "keychain" => desk.keychain.set_state(KeychainState::Locked),
            _ => desk.sim.set_fault(
                Matcher::on("POST", "/v1/apiKeys"),
                Fault::error(403, "OperationForbidden", "no"),
                None,
            ),
        }
        let failure = make(&desk).await.unwrap_err();
        if what != "quota" {
            assert_eq!(failure.code, code, "{what}: {}", failure.message);
        }
        desk.keychain.set_state(KeychainState::Ready);
        assert!(desk.made(OWN).is_empty(), "{what}");
        assert!(desk.list(true).await.problem.is_none(), "{what}: the session goes on");
        assert!(sign_in(&desk).await.offers, "{what}: it can be tried again");
        held_up += 1;
    }

    // Made, but the keychain refused the value: it waits for a person.
    let desk = with_password().await;
    desk.sim.set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::DelayMs(100), Some(1));
    let (keys, request) = (desk.keys.clone(), own_key(&desk));
    let making = tokio::spawn(async move { keys.make_own_key(request, "heron").await });
    while desk.sent("POST", "/v1/apiKeys") == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    desk.keychain.fail_next_write(KeychainError::Locked);
    let failure = making.await.unwrap().unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeychainFailed, "{}", failure.message);
    assert_eq!(desk.keys.held_values().len(), 1, "the value waits");
    assert_eq!(connection(&desk, &desk.connection).await.method, SignInMethod::Password);
    assert!(desk.list(true).await.problem.is_none());
    held_up += 1;

    // Made and kept, but not proved: the next try uses the same key.
    let desk = with_password().await;
    let probe = Matcher::on("GET", "/v1/users/info");
    desk.sim.set_fault(probe, Fault::error(503, "Unavailable", "later"), None);
    let failure = make(&desk).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{}", failure.message);
    assert_eq!(connection(&desk, &desk.connection).await.method, SignInMethod::Password);
    desk.sim.clear_faults();
    let view = make(&desk).await.unwrap();
    assert_eq!(view.method, SignInMethod::ApiKey);
    assert_eq!(desk.made(OWN).len(), 1);
    assert!(desk.keys.held_values().is_empty());
    held_up += 1;
    println!("own key: {held_up}/5 faults left the session as it was and no value lost");
}

#[tokio::test]
async fn a_crash_at_any_request_leaves_a_sign_in_and_names_what_was_made() {
    let (mut runs, mut own, mut reported, mut nothing) = (0, 0, 0, 0);
    for after in 1..=12 {
        let mut desk = with_password().await;
        desk.sim.set_fault(Matcher::any(), Fault::DelayMs(25), None);
        let request = own_key(&desk);
        let keys = desk.keys.clone();
        let making = tokio::spawn(async move { keys.make_own_key(request, "heron").await });
        let sim = desk.sim.clone();
        let reached = async {
            while sim.requests().len() < after {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(1), reached).await.is_err() {
            break;
        }
        making.abort();
        let _ = making.await;
        desk.crash();
        desk.sim.clear_faults();
        // What was on its way still arrives.
        tokio::time::sleep(Duration::from_millis(60)).await;
        let state = desk.select().await.state;
        let made = desk.made(OWN);
        runs += 1;
        if state == ConnectionState::SignedIn {
            assert_eq!(made.len(), 1, "after {after}");
            assert!(desk.list(true).await.problem.is_none(), "after {after}");
            own += 1;
            continue;
        }
        // The person signs in again, as after any start; nothing of the key is forgotten.
        assert_eq!(state, ConnectionState::NeedsSignIn, "after {after}");
        let account = desk.sim.admin();
        let connection = desk.connection.clone();
        let sign_in = SignInRequest { op_id: op(), connection, sign_in: password(&account) };
        desk.keys.sign_in(sign_in).await.unwrap();
        let list = desk.list(true).await;
        match made.first() {
            Some(key) => {
                let lost = &list.lost_creations;
                let named = lost.iter().any(|l| l.candidates.iter().any(|c| c.uid == key.uid));
                let stored = desk.stored_value(&key.uid).await.is_some();
                assert!(named || stored, "after {after}: a key nobody knows of; {lost:?}");
                reported += 1;
            }
            None => nothing += 1,
        }
    }
    println!(
        "own key, crash at each request: {runs}/{runs} ended well ({own} sign in with the new key, \
         {reported} name the key, {nothing} made none), 0 without a sign-in"
    );
    assert!(own > 0 && reported > 0 && nothing > 0, "the crashes hit all three stretches");
}

#[tokio::test]
async fn removing_the_connection_takes_the_own_key_out_of_the_keychain() {
    let desk = with_password().await;
    make(&desk).await.unwrap();
    let uid = KeyUid::new(&desk.sim.key_named(OWN).unwrap().uid).unwrap();
    let connection = desk.connection.clone();
    let request = palette_keys_core::connection::ConnectionRequest { connection };
    desk.keys.remove_connection(request).await.unwrap();
    let entry = EntryName::key_value(&*desk.connection, uid);
    assert_eq!(desk.keychain.read(entry).await.err(), Some(KeychainError::ItemMissing));
    assert!(desk.keychain.names().is_empty());
}

#[tokio::test]
async fn whoever_listens_is_told_when_a_list_says_something_else_of_the_sign_in_key() {
    let desk = Desk::admin().await;
    let own = desk.listed("palette-keys on lark").await;
    it_is(&desk, &own.uid).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let counts = told.clone();
    desk.keys.on_change(Box::new(move |change| {
        if change == Change::Connections {
            counts.fetch_add(1, Ordering::Relaxed);
        }
    }));

    // Another key is no matter of the connection's.
    let other = desk.sim.key_named("ci-prod").unwrap();
    desk.sim.edit_key_directly(&other.uid, |key| key.name = "ci-staging".into());
    desk.list(true).await;
    assert_eq!(told.load(Ordering::Relaxed), 0);

    desk.sim.edit_key_directly(&own.uid, |key| key.name = "palette-keys on heron".into());
    desk.list(true).await;
    assert_eq!(told.load(Ordering::Relaxed), 1);
    assert_eq!(sign_in(&desk).await.name.as_deref(), Some("palette-keys on heron"));
}
