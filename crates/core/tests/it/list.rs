//! List and details: from the server, from memory, from disk; what is known and no more.

use crate::desk::{Desk, sim};
use jiff::SignedDuration;
use palette_keys_core::ErrorCode;
use palette_keys_core::connection::{ConnectionState, Sees};
use palette_keys_core::keys::activity::{Act, ActivityRequest};
use palette_keys_core::keys::expiry::{ExpiryChoice, ExpiryRequest};
use palette_keys_core::keys::list::KeyListView;
use palette_keys_core::keys::{Flag, KeyRequest, OwnerState, Status};
use palette_keys_core::palette_keys::Change;
use palette_keys_core::review::ReviewRequest;
use palette_sim::{Fault, Matcher, Seed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn key(desk: &Desk, uid: &str) -> KeyRequest {
    KeyRequest { connection: desk.connection.clone(), uid: uid.into() }
}

#[tokio::test]
async fn an_admin_sees_every_key_with_its_owner_and_state() {
    let desk = Desk::admin().await;
    let list = desk.list(true).await;
    assert_eq!(list.keys.len(), desk.sim.keys().len());
    assert_eq!((list.quota, list.problem.as_ref()), (Some(20), None));
    assert_eq!(list.own_user_uid, Some(desk.sim.admin().uid));
    let own = list.keys.iter().filter(|key| key.mine).count();
    assert_eq!(list.own_keys as usize, own);

    let status = |name: &str| list.keys.iter().find(|key| key.name == name).unwrap();
    assert_eq!(status("ci-prod").status, Status::Expiring);
    assert_eq!(status("backup-verify").status, Status::Active);
    assert_eq!(status("vertex-sandbox").status, Status::Expired);
    assert_eq!(status("leaked-in-slack").status, Status::Revoked);
    assert!(status("pcg-installer").flags.contains(&Flag::NeverExpires));
    assert_eq!(status("contractor-tmp").owner_state, OwnerState::Gone);
    assert!(status("contractor-tmp").flags.contains(&Flag::OwnerGone));
    let made = status("edge-provisioner");
    assert_eq!(made.made_by.as_deref(), Some("Ana Ruiz"));
    assert!(made.may.update && made.may.delete);
    assert!(list.people.iter().any(|person| person.name == "Sam Okafor" && person.keys > 0));
    let gone = desk.sim.users().into_iter().filter(|user| !user.active);
    for user in gone {
        assert!(list.people.iter().all(|person| person.uid != user.uid), "{}", user.email);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_understood_are_counted_and_not_called_gone() {
    let mut desk = Desk::admin().await;
    let review = async |desk: &Desk| {
        let connection = desk.connection.clone();
        desk.keys.review(ReviewRequest { connection }).await.unwrap().changes
    };
    let whole = desk.list(true).await;
    assert_eq!(whole.skipped, 0);
    let uid = desk.listed("ci-prod").await.uid;
    let as_it_was = desk.sim.key(&uid).unwrap();
    desk.garble(&uid);
    let list = desk.list(true).await;
    assert_eq!((list.keys.len(), list.skipped), (whole.keys.len() - 1, 1));
    assert_eq!(list.problem, None, "the others are there");
    assert_eq!(review(&desk).await, [], "nobody knows that it is gone");
    // A window that has the list before is told as well, and so is the next start.
    assert_eq!(desk.list_since(whole.snapshot).await.skipped, 1);
    tokio::time::sleep(Duration::from_millis(700)).await;
    desk.crash();
    assert_eq!(desk.list(false).await.skipped, 1);

    desk.sim.edit_key_directly(&uid, |key| key.description = as_it_was.description);
    let list = desk.list(true).await;
    assert_eq!((list.keys.len(), list.skipped), (whole.keys.len(), 0));
    assert_eq!(review(&desk).await, [], "nor is it new");
}

#[tokio::test]
async fn a_plain_user_sees_own_keys_and_nothing_is_claimed_of_others() {
    let desk = Desk::user().await;
    let list = desk.list(true).await;
    assert!(!list.keys.is_empty());
    assert!(list.keys.iter().all(|key| key.mine && key.owner_state == OwnerState::Active));
    assert!(list.keys.iter().all(|key| key.may.update && key.may.delete));
    assert!(list.people.is_empty());
    assert!(list.keys.iter().all(|key| !key.flags.contains(&Flag::OwnerGone)));
    assert_eq!(desk.sent("GET", "/v1/users/meta"), 0, "not asked for what may not be read");
}

#[tokio::test]
async fn a_project_admin_lists_keys_but_no_people() {
    let mut desk = Desk::bare().await;
    let account = desk.sim.project_admin();
    desk.sign_in(&account).await;
    let list = desk.list(true).await;
    assert!(list.keys.iter().any(|key| !key.mine));
    let others = list.keys.iter().filter(|key| !key.mine);
    assert!(others.clone().all(|key| key.owner_state == OwnerState::Unknown));
    assert!(others.clone().all(|key| !key.may.update && !key.may.delete));
    assert!(others.clone().any(|key| !key.owner_name.is_empty()), "from the key itself");
    assert!(list.people.is_empty());
}

#[tokio::test]
async fn what_is_remembered_comes_at_once_and_over_a_restart() {
    let mut desk = Desk::admin().await;
    let list = desk.list(true).await;
    desk.sim.clear_requests();
    // Each answer has a number of its own.
    let again = desk.list(false).await;
    assert_eq!(KeyListView { snapshot: list.snapshot, ..again }, list);
    // The list is written a moment after it was read.
    tokio::time::sleep(Duration::from_millis(500)).await;
    desk.sim.go_down().await;
    desk.crash();

    // A window that begins gets the keys with its first answer.
    desk.keys.read_ahead();
    let first = desk.keys.start_with_keys().await.unwrap();
    let known = first.list.unwrap();
    assert_eq!((known.connection, known.keys), (desk.connection.clone(), list.keys.clone()));
    let nothing_new = desk.list_since(known.snapshot).await;
    assert_eq!((nothing_new.keys.len(), nothing_new.since), (0, Some(known.snapshot)));

    let offline = desk.list(false).await;
    assert_eq!((&offline.keys, offline.as_of), (&list.keys, list.as_of));
    assert!(desk.sim.requests().is_empty());
    let start = desk.keys.start().await.unwrap();
    assert_eq!(start.list, None);
    assert_eq!(start.active.as_deref(), Some(&*desk.connection));
    assert_eq!(start.connections[0].identity.as_ref().unwrap().name, "Jane Doe");
    assert_eq!(desk.select().await.state, ConnectionState::Offline);
    let tried = desk.list(true).await;
    assert_eq!(tried.problem.unwrap().code, ErrorCode::HostUnreachable);
    assert_eq!((tried.keys, tried.as_of), (list.keys, list.as_of));

    desk.sim.come_back().await.unwrap();
    let back = desk.list(true).await;
    assert_eq!(back.problem, None);
    assert_eq!(desk.keys.start().await.unwrap().connections[0].state, ConnectionState::SignedIn);
}

#[tokio::test]
async fn a_refresh_is_joined_and_people_are_not_read_each_time() {
    let desk = Desk::admin().await;
    desk.sim.set_fault(Matcher::on("GET", "/v1/apiKeys"), Fault::DelayMs(80), None);
    let calls = (0..6).map(|_| {
        let (keys, connection) = (desk.keys.clone(), desk.connection.clone());
        let request =
            palette_keys_core::keys::list::ListRequest { connection, refresh: true, have: None };
        tokio::spawn(async move { keys.list_keys(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().problem, None);
    }
    assert_eq!(desk.sent("GET", "/v1/apiKeys"), 1);
    assert_eq!(desk.sent("GET", "/v1/users"), 0, "read when connecting");
    desk.clock.wrong_by(SignedDuration::from_secs(61));
    desk.list(true).await;
    assert_eq!(desk.sent("GET", "/v1/users/meta"), 1);

    // Many people take many requests where the short way is not there: they are read less often.
    let mut desk = Desk::on(sim(Seed::Size { keys: 10, users: 600 }).await);
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    desk.sim.clear_requests();
    for (seconds, read) in [(61, false), (9 * 60, false), (11 * 60, true)] {
        desk.clock.wrong_by(SignedDuration::from_secs(seconds));
        desk.list(true).await;
        assert_eq!(desk.sent("GET", "/v1/users/meta") > 0, read, "after {seconds} s");
    }
}

#[tokio::test]
async fn whoever_listens_is_told() {
    let desk = Desk::admin().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = told.clone();
    desk.keys.on_change(Box::new(move |change| listener.lock().unwrap().push(change)));
    let list = desk.list(true).await;
    assert!(
        told.lock().unwrap().contains(&Change::Keys {
            connection: desk.connection.clone(),
            revision: list.revision
        }),
        "and the view that came with it needs no second reading"
    );
    told.lock().unwrap().clear();
    desk.sim.go_down().await;
    desk.list(true).await;
    assert!(told.lock().unwrap().contains(&Change::Connections));
}

#[tokio::test]
async fn a_build_without_users_me_is_understood_from_what_else_there_is() {
    for (who, sees, others) in [("admin", Sees::EveryKey, true), ("user", Sees::OwnKeys, false)] {
        let mut desk = Desk::bare().await;
        desk.sim.set_users_me(false);
        let account = if who == "admin" { desk.sim.admin() } else { desk.sim.user() };
        desk.sign_in(&account).await;
        desk.list(true).await;
        let view = desk.keys.start().await.unwrap().connections.remove(0);
        let identity = view.identity.unwrap();
        assert_eq!((identity.sees, identity.may_create_for_others), (sees, others), "{who}");
    }
}

#[tokio::test]
async fn the_servers_clock_counts() {
    let desk = Desk::admin().await;
    desk.clock.wrong_by(SignedDuration::from_hours(-24 * 365));
    let list = desk.list(true).await;
    assert!((list.clock_offset - 365 * 24 * 3_600_000).abs() < 5_000, "{}", list.clock_offset);
    let expired = list.keys.iter().find(|key| key.name == "vertex-sandbox").unwrap();
    assert_eq!(expired.status, Status::Expired);
    let request = ExpiryRequest {
        connection: Some(desk.connection.clone()),
        choice: ExpiryChoice::Days { days: 30 },
    };
    let end = desk.keys.resolve_expiry(request).await.unwrap();
    let life = end.at - desk.sim.now().as_millisecond();
    assert!((life - 30 * 24 * 3_600_000).abs() < 5_000);
    assert_eq!(end.days, 30);
}

#[tokio::test]
async fn details_tell_roles_place_and_history() {
    let desk = Desk::admin().await;
    let uid = desk.created(&desk.new_key("detailed")).await.uid.unwrap();
    let details = desk.keys.key_details(key(&desk, &uid)).await.unwrap();
    assert_eq!(details.roles, Some(vec!["Tenant Admin".to_owned()]));
    assert_eq!(details.stored_in.as_deref(), Some("Keychain, this computer"));
    assert_eq!(details.history.len(), 1);
    assert_eq!(details.history[0].act, Act::Create);

    let others = desk.listed("nightly-backup").await.uid;
    let details = desk.keys.key_details(key(&desk, &others)).await.unwrap();
    assert_eq!(details.roles, Some(vec!["Tenant Admin".to_owned()]));
    assert_eq!((details.stored_in, details.history.len()), (None, 0));

    desk.sim.go_down().await;
    let offline = desk.keys.key_details(key(&desk, &others)).await.unwrap();
    assert_eq!((offline.key.name.as_str(), offline.roles), ("nightly-backup", None));
}

#[tokio::test]
async fn a_single_read_is_fresh() {
    let desk = Desk::admin().await;
    let uid = desk.listed("ci-prod").await.uid;
    desk.sim.edit_key_directly(&uid, |key| key.name = "ci-prod-2".into());
    assert_eq!(desk.keys.read_key(key(&desk, &uid)).await.unwrap().name, "ci-prod-2");
    assert_eq!(desk.listed("ci-prod-2").await.uid, uid);
    desk.sim.remove_key(&uid);
    let failure = desk.keys.read_key(key(&desk, &uid)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeyGone);
}

#[tokio::test]
async fn activity_is_one_time_line() {
    let desk = Desk::admin().await;
    desk.created(&desk.new_key("a")).await;
    let all = desk.activity();
    assert_eq!(all.iter().map(|line| line.act).collect::<Vec<_>>(), [Act::Create, Act::Connect]);
    let older = ActivityRequest {
        connection: None,
        before: Some(all[0].id),
        limit: 1,
        filter: Default::default(),
    };
    assert_eq!(desk.keys.list_activity(older).unwrap(), all[1..]);
}

#[tokio::test]
async fn six_thousand_keys_are_a_list_like_any_other() {
    let mut desk = Desk::patient(sim(Seed::Size { keys: 6_000, users: 300 }).await);
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let list = desk.list(false).await;
        best = best.min(begun.elapsed());
        assert_eq!(list.keys.len(), 6_000);
    }
    // 30 ms in a release build; tests are built without optimisation.
    let limit = if cfg!(debug_assertions) { 600 } else { 30 };
    assert!(best < Duration::from_millis(limit), "{best:?}");
}
