//! Roll: a new key takes the place of an old one, and at no moment is there no key that works.

use crate::desk::{Desk, HandClock, op, sim};
use jiff::{SignedDuration, Timestamp};
use palette_keys_core::connection::ConnectionState;
use palette_keys_core::connection::signing::{SignInChange, SignInChangeRequest};
use palette_keys_core::held::{Finish, FinishRequest, HeldRequest};
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState, SecretStore};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::roll::{
    Grace, PairRole, RollAct, RollActRequest, RollActView, RollPurpose, RollRequest, RollView,
};
use palette_keys_core::keys::{Flag, KeyRequest, KeyUid, KeyView};
use palette_keys_core::notices::Teller;
use palette_keys_core::review::{ReviewRequest, findings::Rule};
use palette_keys_core::settings::Settings;
use palette_keys_core::store::RollStep;
use palette_keys_core::{ErrorCode, Failure};
use palette_sim::{Account, Fault, KeyTruth, Matcher, NewKey, Seed};
use std::time::Duration;

const NAME: &str = "nightly-build";
const NEXT: &str = "nightly-build-next";

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn ms(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_millisecond)
}

/// A key to roll, with everything that a PUT might lose.
fn old_key(owner: &Account, life: Option<SignedDuration>, now: Timestamp) -> NewKey {
    NewKey {
        description: "Builds at night".into(),
        owner_uid: Some(owner.uid.clone()),
        expiry: life.map(|life| now.checked_add(life).unwrap()),
        annotations: [("team".to_owned(), "platform".to_owned())].into(),
        labels: [("env".to_owned(), "prod".to_owned())].into(),
        ..NewKey::named(NAME)
    }
}

/// Jane Doe with a key of hers that ends in 90 days.
async fn admin() -> (Desk, KeyTruth) {
    let desk = Desk::admin().await;
    let old = desk.sim.add_key(old_key(&desk.sim.admin(), Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    desk.sim.clear_requests();
    (desk, old)
}

fn request(desk: &Desk, uid: &str, grace: Grace) -> RollRequest {
    RollRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.into(),
        name: NEXT.into(),
        expiry: ExpiryChoice::Days { days: 60 },
        grace,
    }
}

async fn roll(desk: &Desk, uid: &str, grace: Grace) -> Result<Option<RollView>, Failure> {
    Ok(desk.keys.roll_key(request(desk, uid, grace)).await?.roll)
}

async fn act(desk: &Desk, roll: &str, act: RollAct) -> Result<RollActView, Failure> {
    let request = RollActRequest { op_id: op(), roll: roll.into(), act };
    desk.keys.act_on_roll(request).await
}

async fn rolls(desk: &Desk) -> Vec<RollView> {
    desk.list(false).await.rolls
}

fn truth(desk: &Desk, uid: &str) -> KeyTruth {
    desk.sim.key(uid).expect("the key is on the server")
}

fn works(desk: &Desk, uid: &str) -> bool {
    let now = desk.sim.now();
    desk.sim.key(uid).is_some_and(|key| key.works_at(now))
}

async fn key(desk: &Desk, uid: &str) -> KeyView {
    desk.list(false).await.keys.into_iter().find(|key| key.uid == uid).expect("it is listed")
}

/// Waits for something that happens by itself.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {what}");
}

fn posts(desk: &Desk) -> usize {
    desk.sent("POST", "/v1/apiKeys")
}

#[tokio::test]
async fn the_end_of_a_rolled_key_is_told_as_such_whichever_loop_is_first() {
    for list_first in [false, true] {
        let (desk, old) = admin().await;
        roll(&desk, &old.uid, Grace::Hour).await.unwrap().expect("it is rolling");
        let teller = Teller::new(&desk.keys);
        let told = |lists| {
            let notices = teller.due(Duration::ZERO, lists, false).into_iter();
            notices.filter(|one| one.body.starts_with(NAME)).map(|one| one.body).collect::<Vec<_>>()
        };
        assert_eq!(told(true), Vec::<String>::new(), "it was rolled just now");
        desk.sim.set_clock_offset_seconds(2 * 3_600);
        desk.clock.wrong_by(SignedDuration::from_hours(2));
        if list_first {
            desk.list(true).await;
            until("the roll is over", async || rolls(&desk).await.is_empty()).await;
        }
        let bodies = told(true);
        assert_eq!(bodies.len(), 1, "{bodies:?}");
        assert!(bodies[0].contains("as its roll wanted"), "{bodies:?}, list first: {list_first}");
    }
}

#[tokio::test]
async fn a_key_is_rolled_with_a_grace_that_the_server_keeps() {
    let (desk, old) = admin().await;
    let running = roll(&desk, &old.uid, Grace::Week).await.unwrap().expect("it is rolling");
    let new = desk.sim.key_named(NEXT).unwrap();

    assert_eq!((running.step, running.problem.as_ref()), (RollStep::Rolling, None));
    assert_eq!(running.new_uid.as_deref(), Some(&*new.uid));
    assert_eq!((new.description.as_str(), &new.owner_uid), ("Builds at night", &old.owner_uid));
    assert_eq!(desk.stored_value(&new.uid).await.as_ref(), Some(&new.value));
    let held = HeldRequest { held: running.roll.clone() };
    let gone = desk.keys.held_value(&held).unwrap_err();
    assert_eq!(gone.code, ErrorCode::ValueGone, "it is in the keychain and no more in memory");
    assert_eq!(posts(&desk), 1);
    desk.nowhere_on_disk(&new.value);

    // The old one ends by itself, with everything else as it was.
    let now = truth(&desk, &old.uid);
    let left = now.expiry.unwrap().duration_since(desk.sim.now());
    assert!(left <= days(7) && left > days(7) - SignedDuration::from_mins(1), "{left:?}");
    let but_for_its_end = KeyTruth { expiry: old.expiry, modified: old.modified, ..now.clone() };
    assert_eq!(but_for_its_end, old);
    // It is told in both.
    let (shown_old, shown_new) = (key(&desk, &old.uid).await, key(&desk, &new.uid).await);
    assert!(shown_old.flags.contains(&Flag::Rolling) && shown_new.flags.contains(&Flag::Replaces));
    let (pair_old, pair_new) = (shown_old.pair.unwrap(), shown_new.pair.unwrap());
    assert_eq!((pair_old.role, pair_old.name.as_str()), (PairRole::Old, NEXT));
    assert_eq!((pair_new.role, pair_new.name.as_str()), (PairRole::New, NAME));
    assert_eq!(pair_old.ends, ms(now.expiry));
    assert_eq!(running.old_ends, ms(now.expiry));
    for act in [Act::Roll, Act::Create, Act::RollProve, Act::RollEnd, Act::Replace] {
        desk.line_ended(act, ActState::Done);
    }
    let connection = desk.connection.clone();
    let review = desk.keys.review(ReviewRequest { connection }).await.unwrap();
    let soon = review.findings.iter().filter(|finding| finding.rule == Rule::ExpiringSoon);
    assert!(soon.clone().count() > 0 && soon.clone().all(|one| !one.keys.contains(&old.uid)));
    assert!(desk.line(Act::Roll).detail.contains(NEXT), "{}", desk.line(Act::Roll).detail);
    assert!(desk.line(Act::Replace).detail.contains(NAME), "{}", desk.line(Act::Replace).detail);

    // Its time passes on the server; the next list finds the roll over.
    desk.sim.advance_seconds(days(7).as_secs() + 1);
    desk.list(true).await;
    until("the roll is over", async || rolls(&desk).await.is_empty()).await;
    assert!(works(&desk, &new.uid) && !works(&desk, &old.uid));
    assert!(key(&desk, &new.uid).await.pair.is_none());
}

#[tokio::test]
async fn one_op_id_rolls_once_and_a_rolling_key_is_not_rolled_again() {
    let (desk, old) = admin().await;
    desk.sim.set_fault(Matcher::any(), Fault::DelayMs(20), None);
    let once = request(&desk, &old.uid, Grace::Week);
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (keys, once) = (desk.keys.clone(), once.clone());
            tokio::spawn(async move { keys.roll_key(once).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().unwrap().roll.is_some());
    }
    assert_eq!((posts(&desk), desk.made(NEXT).len()), (1, 1));
    let new = desk.sim.key_named(NEXT).unwrap();
    for uid in [&old.uid, &new.uid] {
        let failure = roll(&desk, uid, Grace::Week).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::RollRunning, "{}", failure.message);
        assert!(failure.message.contains(NAME) && failure.message.contains(NEXT));
    }
    assert_eq!(posts(&desk), 1);
}

#[tokio::test]
async fn each_grace_moves_the_end_and_never_makes_it_later() {
    let hour = SignedDuration::from_hours(1);
    let table = [
        (Some(days(90)), Grace::Hour, Some(hour)),
        (Some(days(90)), Grace::Day, Some(days(1))),
        (Some(days(90)), Grace::Week, Some(days(7))),
        (Some(days(90)), Grace::Month, Some(days(30))),
        (None, Grace::Week, Some(days(7))),
        // It ends before the grace is over: its end stays as it is.
        (Some(days(3)), Grace::Week, Some(days(3))),
        (Some(hour), Grace::Month, Some(hour)),
    ];
    for (life, grace, left) in table {
        let desk = Desk::admin().await;
        let old = desk.sim.add_key(old_key(&desk.sim.admin(), life, desk.sim.now()));
        desk.list(true).await;
        desk.sim.clear_requests();
        roll(&desk, &old.uid, grace).await.unwrap().unwrap();
        let after = truth(&desk, &old.uid);
        let really = after.expiry.unwrap().duration_since(desk.sim.now());
        let error = (really - left.unwrap()).abs();
        assert!(error < SignedDuration::from_secs(60), "{life:?} {grace:?}: {really:?}");
        let kept = life.is_some() && life == left;
        assert_eq!(after.expiry == old.expiry, kept, "{life:?} {grace:?}");
        let puts = desk.sent("PUT", &format!("/v1/apiKeys/{}", old.uid));
        assert_eq!(puts, usize::from(!kept), "{life:?} {grace:?}");
    }
}

#[tokio::test]
async fn now_revokes_the_old_key_once_the_new_one_works() {
    let (desk, old) = admin().await;
    assert_eq!(roll(&desk, &old.uid, Grace::Now).await.unwrap(), None, "over at once");
    let new = desk.sim.key_named(NEXT).unwrap();
    assert!(works(&desk, &new.uid) && !truth(&desk, &old.uid).active);
    assert_eq!(truth(&desk, &old.uid).expiry, old.expiry, "its end is as it was");
    desk.line_ended(Act::Revoke, ActState::Done);
    desk.line_ended(Act::Roll, ActState::Done);
    let at = |method: &str, path: &str| {
        desk.sim.requests().iter().position(|r| r.method == method && r.path.starts_with(path))
    };
    let proved = at("GET", "/v1/users/info").unwrap();
    let revoked = at("PUT", &format!("/v1/apiKeys/{}/state", old.uid)).unwrap();
    assert!(at("POST", "/v1/apiKeys").unwrap() < proved && proved < revoked);
}

#[tokio::test]
async fn now_without_an_answer_waits_in_the_outbox() {
    let (desk, old) = admin().await;
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{}/state", old.uid));
    desk.sim.set_fault(state, Fault::error(503, "Unavailable", "later"), None);
    let running = roll(&desk, &old.uid, Grace::Now).await.unwrap().expect("it waits");
    assert_eq!(running.step, RollStep::Revoking);
    assert!(key(&desk, &old.uid).await.flags.contains(&Flag::Revoking));
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    desk.list(true).await;
    until("the roll is over", async || rolls(&desk).await.is_empty()).await;
    assert!(!truth(&desk, &old.uid).active && works(&desk, &desk.sim.key_named(NEXT).unwrap().uid));
}

#[tokio::test]
async fn what_cannot_be_rolled_is_refused_before_anything_is_sent() {
    let desk = Desk::admin().await;
    let revoked = desk.sim.add_key(NewKey { active: false, ..NewKey::named("revoked") });
    let gone = desk.sim.add_key(NewKey::named("gone"));
    let orphan = desk.sim.add_key(NewKey {
        owner_uid: Some("66e844c44bab2337f20c7471".into()),
        ..NewKey::named("orphan")
    });
    let fine = desk.sim.add_key(NewKey::named("fine"));
    desk.list(true).await;
    desk.sim.remove_key(&gone.uid);
    desk.sim.clear_requests();
    let base = request(&desk, &fine.uid, Grace::Week);
    let of = |uid: &str| RollRequest { uid: uid.into(), ..base.clone() };
    let table = [
        (of(&revoked.uid), ErrorCode::RollNotPossible),
        (of(&gone.uid), ErrorCode::KeyGone),
        (of(&orphan.uid), ErrorCode::OwnerUnknown),
        (RollRequest { name: " ".into(), ..base.clone() }, ErrorCode::NameEmpty),
        (RollRequest { name: "fine".into(), ..base.clone() }, ErrorCode::NameTaken),
        (
            RollRequest { expiry: ExpiryChoice::Days { days: 4_000 }, ..base.clone() },
            ErrorCode::ExpiryTooFar,
        ),
        (RollRequest { connection: "none".into(), ..base.clone() }, ErrorCode::ConnectionUnknown),
    ];
    for (request, code) in table {
        let failure = desk.keys.roll_key(RollRequest { op_id: op(), ..request }).await.unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
    }
    for state in [KeychainState::Absent, KeychainState::Locked] {
        desk.keychain.set_state(state);
        let request = RollRequest { op_id: op(), ..base.clone() };
        let failure = desk.keys.roll_key(request).await.unwrap_err();
        assert!(failure.message.contains("No key was made."), "{}", failure.message);
    }
    desk.keychain.set_state(KeychainState::Ready);
    let settings = Settings {
        longest_life_days: Some(30),
        default_expiration_days: 30,
        ..Settings::default()
    };
    desk.keys.save_settings(settings).unwrap();
    let failure =
        desk.keys.roll_key(RollRequest { op_id: op(), ..base.clone() }).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ExpiryBeyondPolicy);
    assert_eq!(posts(&desk), 0);
    assert!(rolls(&desk).await.is_empty() && desk.store().intents(None).unwrap().is_empty());
    desk.line_ended(Act::Roll, ActState::Failed);
}

#[tokio::test]
async fn a_full_quota_is_said_before_anything_is_sent() {
    let (desk, old) = admin().await;
    let mine = desk.sim.keys().into_iter().filter(|key| key.owner_uid == desk.sim.admin().uid);
    desk.sim.set_quota(mine.count());
    desk.clock.wrong_by(SignedDuration::from_mins(11));
    desk.list(true).await;
    let failure = roll(&desk, &old.uid, Grace::Week).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::QuotaFull, "{}", failure.message);
    assert_eq!((posts(&desk), truth(&desk, &old.uid)), (0, old));
}

#[tokio::test]
async fn the_offer_names_the_new_key_and_says_what_will_be_done_with_it() {
    let (desk, old) = admin().await;
    let request = |uid: &str| KeyRequest { connection: desk.connection.clone(), uid: uid.into() };
    let offer = desk.keys.roll_offer(&request(&old.uid)).unwrap();
    let today = desk.sim.now().to_zoned(palette_zone(&desk.clock)).date();
    assert_eq!(offer.name, format!("{NAME}-{today}"));
    assert!(offer.mine && !offer.signs_in && offer.owner_keys > 1 && offer.quota.is_some());
    let theirs = desk.list(false).await.keys.into_iter().find(|key| !key.mine).unwrap();
    assert!(!desk.keys.roll_offer(&request(&theirs.uid)).unwrap().mine);
}

fn palette_zone(clock: &HandClock) -> jiff::tz::TimeZone {
    palette_keys_core::clock::Clock::time_zone(clock)
}

#[tokio::test]
async fn a_running_roll_is_extended_within_the_old_keys_own_end() {
    let (desk, old) = admin().await;
    let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
    let longer = act(&desk, &id, RollAct::Extend { grace: Grace::Month }).await.unwrap();
    let left = truth(&desk, &old.uid).expiry.unwrap().duration_since(desk.sim.now());
    assert!(left > days(29) && left <= days(30), "{left:?}");
    assert_eq!(longer.roll.unwrap().old_ends, ms(truth(&desk, &old.uid).expiry));
    let shorter = act(&desk, &id, RollAct::Extend { grace: Grace::Week }).await.unwrap_err();
    assert_eq!(shorter.code, ErrorCode::GraceTooLong, "{}", shorter.message);

    let desk = Desk::admin().await;
    let old = desk.sim.add_key(old_key(&desk.sim.admin(), Some(days(9)), desk.sim.now()));
    desk.list(true).await;
    let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
    let whole = act(&desk, &id, RollAct::Extend { grace: Grace::Month }).await.unwrap();
    assert_eq!(ms(truth(&desk, &old.uid).expiry), ms(old.expiry), "no longer than it was made for");
    assert!(!whole.roll.unwrap().may_extend);

    let on = Matcher::on("PUT", &format!("/v1/apiKeys/{}", old.uid));
    desk.sim.edit_key_directly(&old.uid, |key| {
        key.expiry = Some(desk.sim.now().checked_add(days(1)).unwrap());
    });
    desk.sim.set_fault(on, Fault::error(403, "Forbidden", "no"), None);
    let refused = act(&desk, &id, RollAct::Extend { grace: Grace::Week }).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Forbidden, "{}", refused.message);
    assert!(works(&desk, &old.uid));
}

/// Whatever an "Extend grace" came to, a cancelled roll leaves the old key as it was.
async fn cancelled_as_it_was(desk: &Desk, id: &str, old: &KeyTruth, what: &str) {
    desk.list(true).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let running = rolls(desk).await.remove(0);
    assert_eq!(running.problem, None, "{what}: nobody else moved the end");
    assert_eq!(running.old_ends, ms(truth(desk, &old.uid).expiry), "{what}: what is shown is so");
    assert_eq!(act(desk, id, RollAct::Cancel).await.unwrap().roll, None, "{what}");
    let now = truth(desk, &old.uid);
    assert_eq!(KeyTruth { modified: old.modified, ..now }, *old, "{what}: its own end again");
    assert!(!desk.sim.key_named(NEXT).unwrap().active, "{what}");
}

#[tokio::test]
async fn an_extension_whose_answer_is_lost_is_ours_whether_it_was_done_or_not() {
    for (what, done, readable) in [
        ("not done", false, true),
        ("not done, not read", false, false),
        ("done, not read", true, false),
    ] {
        let (desk, old) = admin().await;
        let id = roll(&desk, &old.uid, Grace::Hour).await.unwrap().unwrap().roll;
        let before = truth(&desk, &old.uid).expiry;
        let on = |method| Matcher::on(method, &format!("/v1/apiKeys/{}", old.uid));
        // One that hangs leaves the time to break the reading too.
        let lost = match (done, readable) {
            (_, true) => Fault::ResetBeforeHandling,
            (true, false) => Fault::HangAfterHandling,
            (false, false) => Fault::HangBeforeHandling,
        };
        desk.sim.set_fault(on("PUT"), lost, None);
        let extend = {
            let (keys, roll) = (desk.keys.clone(), id.clone());
            let extend = RollAct::Extend { grace: Grace::Week };
            let request = RollActRequest { op_id: op(), roll, act: extend };
            tokio::spawn(async move { keys.act_on_roll(request).await })
        };
        if !readable {
            let puts = || desk.sent("PUT", &format!("/v1/apiKeys/{}", old.uid));
            let so_far = puts();
            until("it is sent", async || puts() > so_far).await;
            desk.sim.set_fault(on("GET"), Fault::error(503, "Unavailable", "later"), None);
        }
        let failure = extend.await.unwrap().unwrap_err();
        assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{what}: {}", failure.message);
        desk.sim.clear_faults();
        assert_eq!(truth(&desk, &old.uid).expiry != before, done, "{what}");
        cancelled_as_it_was(&desk, &id, &old, what).await;
    }
}

#[tokio::test]
async fn an_extension_that_a_crash_cut_off_is_ours_whether_it_was_done_or_not() {
    let (mut done, mut not_done) = (0, 0);
    for at in 1..12 {
        let (mut desk, old) = admin().await;
        let id = roll(&desk, &old.uid, Grace::Hour).await.unwrap().unwrap().roll;
        let before = truth(&desk, &old.uid).expiry;
        desk.sim.clear_requests();
        desk.sim.set_fault(Matcher::any(), Fault::DelayMs(12), None);
        let extend = RollAct::Extend { grace: Grace::Week };
        let request = RollActRequest { op_id: op(), roll: id.clone(), act: extend };
        let keys = desk.keys.clone();
        let call = tokio::spawn(async move { keys.act_on_roll(request).await });
        while desk.sim.requests().len() < at && !call.is_finished() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = call.is_finished();
        call.abort();
        let _ = call.await;
        if ended {
            break;
        }
        desk.crash();
        desk.sim.clear_faults();
        tokio::time::sleep(Duration::from_millis(50)).await;
        match truth(&desk, &old.uid).expiry == before {
            true => not_done += 1,
            false => done += 1,
        }
        cancelled_as_it_was(&desk, &id, &old, &format!("request {at}")).await;
    }
    assert!(done > 0 && not_done > 1, "done {done}, not done {not_done}");
}

#[tokio::test]
async fn a_running_roll_is_ended_now() {
    let (desk, old) = admin().await;
    let id = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap().roll;
    assert_eq!(act(&desk, &id, RollAct::EndNow).await.unwrap().roll, None);
    assert!(!truth(&desk, &old.uid).active);
    assert!(works(&desk, &desk.sim.key_named(NEXT).unwrap().uid));
    let over = act(&desk, &id, RollAct::Cancel).await.unwrap_err();
    assert_eq!(over.code, ErrorCode::RollOver);
}

/// A person says that this key signs the app in.
fn signs_in(desk: &Desk, uid: &str) {
    let change = SignInChange::Key { uid: uid.into() };
    let request = SignInChangeRequest { connection: desk.connection.clone(), change };
    desk.keys.change_sign_in(request).unwrap();
}

#[tokio::test]
async fn neither_key_of_a_roll_is_revoked_once_it_is_said_to_sign_in() {
    let (desk, old) = admin().await;
    let running = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    assert_eq!(running.purpose, RollPurpose::Ordinary, "not known at the time");
    let new = running.new_uid.unwrap();
    for (uid, would) in [(&old.uid, RollAct::EndNow), (&new, RollAct::Cancel)] {
        signs_in(&desk, uid);
        let failure = act(&desk, &running.roll, would.clone()).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::SignsThisAppIn, "{would:?}: {}", failure.message);
        assert!(works(&desk, &old.uid) && works(&desk, &new), "{would:?}");
        assert_eq!(rolls(&desk).await[0].step, RollStep::Rolling, "{would:?}");
    }
    assert!(desk.keys.outbox().items.is_empty());
    // Of the other one, both are taken.
    assert_eq!(act(&desk, &running.roll, RollAct::EndNow).await.unwrap().roll, None);
    assert!(!truth(&desk, &old.uid).active);
}

#[tokio::test]
async fn now_spares_a_key_that_is_said_to_sign_in_while_it_is_rolled() {
    let (desk, old) = admin().await;
    let info = Matcher::on("GET", "/v1/users/info");
    desk.sim.set_fault(info, Fault::error(503, "Unavailable", "later"), None);
    let waits = roll(&desk, &old.uid, Grace::Now).await.unwrap().unwrap();
    desk.sim.clear_faults();
    signs_in(&desk, &old.uid);
    let spared = act(&desk, &waits.roll, RollAct::Continue).await.unwrap().roll.unwrap();
    assert_eq!(spared.step, RollStep::Ending);
    let problem = spared.problem.unwrap();
    assert_eq!(problem.code, ErrorCode::SignsThisAppIn, "{}", problem.message);
    assert!(works(&desk, &old.uid) && desk.keys.outbox().items.is_empty());
    signs_in(&desk, &desk.sim.admin().api_key_uid);
    assert_eq!(act(&desk, &waits.roll, RollAct::Continue).await.unwrap().roll, None);
    assert!(!works(&desk, &old.uid));
}

#[tokio::test]
async fn a_cancelled_roll_leaves_the_old_key_exactly_as_it_was() {
    for life in [Some(days(90)), Some(days(3)), None] {
        let desk = Desk::admin().await;
        let old = desk.sim.add_key(old_key(&desk.sim.admin(), life, desk.sim.now()));
        desk.list(true).await;
        let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
        desk.sim.clear_requests();
        assert_eq!(act(&desk, &id, RollAct::Cancel).await.unwrap().roll, None);
        let (now, new) = (truth(&desk, &old.uid), desk.sim.key_named(NEXT).unwrap());
        assert_eq!(KeyTruth { modified: old.modified, ..now }, old, "{life:?}");
        assert!(!new.active, "the new one is revoked");
        let at = |path: &str| {
            desk.sim.requests().iter().position(|r| r.method == "PUT" && r.path == path)
        };
        let restored = at(&format!("/v1/apiKeys/{}", old.uid));
        let revoked = at(&format!("/v1/apiKeys/{}/state", new.uid)).unwrap();
        assert!(restored.is_some_and(|restored| restored < revoked), "old first: {restored:?}");
        desk.line_ended(Act::RollCancel, ActState::Done);
        desk.line_ended(Act::Roll, ActState::Cancelled);
        assert!(key(&desk, &old.uid).await.pair.is_none());
    }
}

#[tokio::test]
async fn cancel_after_the_old_key_ended_keeps_the_one_that_works() {
    for ended in ["revoked", "expired", "gone"] {
        let (desk, old) = admin().await;
        let id = roll(&desk, &old.uid, Grace::Hour).await.unwrap().unwrap().roll;
        match ended {
            "revoked" => desk.sim.edit_key_directly(&old.uid, |key| key.active = false),
            "expired" => desk.sim.advance_seconds(3_700),
            _ => {
                desk.sim.remove_key(&old.uid);
            }
        }
        let failure = act(&desk, &id, RollAct::Cancel).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::RollOldKeyEnded, "{ended}: {}", failure.message);
        assert!(works(&desk, &desk.sim.key_named(NEXT).unwrap().uid), "{ended}");
        desk.list(true).await;
        until("the roll is over", async || rolls(&desk).await.is_empty()).await;
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_moved_is_told_in_one_message() {
    let (desk, old) = admin().await;
    let on = Matcher::on("PUT", &format!("/v1/apiKeys/{}", old.uid));
    desk.sim.set_fault(on, Fault::error(403, "Forbidden", "not allowed"), None);
    let view = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap();
    let problem = view.problem.unwrap();
    let words = problem.message;
    let stands = format!(
        "\u{201c}{NEXT}\u{201d} is in place, but the end of \u{201c}{NAME}\u{201d} could not be \
         moved, so both keys work. You may not do this on "
    );
    assert!(words.starts_with(&stands), "{words}");
    let said = "It says: \u{201c}not allowed\u{201d}. Ask a tenant admin for the permission.";
    assert!(words.ends_with(said), "{words}");
    assert_eq!(problem.details.and_then(|details| details.status), Some(403));
    assert!(works(&desk, &old.uid), "{words}");
}

#[tokio::test]
async fn a_cancel_that_cannot_restore_revokes_nothing() {
    let (desk, old) = admin().await;
    let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
    let on = Matcher::on("PUT", &format!("/v1/apiKeys/{}", old.uid));
    desk.sim.set_fault(on, Fault::error(403, "Forbidden", "no"), None);
    let view = act(&desk, &id, RollAct::Cancel).await.unwrap().roll.expect("it goes on");
    let problem = view.problem.unwrap();
    assert!(problem.message.contains("was not revoked and both work"), "{}", problem.message);
    let new = desk.sim.key_named(NEXT).unwrap();
    assert!(works(&desk, &old.uid) && works(&desk, &new.uid), "both work");
    // Lists go on to be read; what was refused is not asked for with each.
    let puts = || desk.sent("PUT", &format!("/v1/apiKeys/{}", old.uid));
    let tries = puts();
    for _ in 0..5 {
        desk.list(true).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(puts(), tries, "it waits for a person");
    desk.clock.wrong_by(SignedDuration::from_hours(7));
    desk.list(true).await;
    until("hours later it is asked for again", async || puts() == tries + 1).await;
    desk.sim.clear_faults();
    assert_eq!(act(&desk, &id, RollAct::Continue).await.unwrap().roll, None);
    assert_eq!(ms(truth(&desk, &old.uid).expiry), ms(old.expiry));
    assert!(!works(&desk, &new.uid));
}

#[tokio::test]
async fn somebody_elses_key_is_handed_over_and_not_tried() {
    let desk = Desk::admin().await;
    let owner = desk.sim.user();
    let old = desk.sim.add_key(old_key(&owner, Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    desk.sim.clear_requests();
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    let held = view.held.expect("the value waits for a person");
    assert_eq!((view.step, view.mine), (RollStep::HandOver, false));
    let new = desk.sim.key_named(NEXT).unwrap();
    assert_eq!(new.owner_uid, owner.uid);
    assert_eq!(desk.sent("GET", "/v1/users/info"), 0, "not tried");
    assert_eq!(
        truth(&desk, &old.uid),
        old,
        "nothing happens to it before the value is handed over"
    );

    let copy = palette_keys_core::snippet::CopyRequest {
        source: palette_keys_core::held::ValueSource::Held { held: held.held.clone() },
        shape: palette_keys_core::snippet::CopyShape::Value,
    };
    desk.keys.copy_text(&copy).await.unwrap();
    let done = FinishRequest { op_id: op(), held: held.held, finish: Finish::Kept };
    desk.keys.finish_held(done).await.unwrap();
    until("it is rolling", async || {
        rolls(&desk).await.iter().any(|roll| roll.step == RollStep::Rolling)
    })
    .await;
    let left = truth(&desk, &old.uid).expiry.unwrap().duration_since(desk.sim.now());
    assert!(left <= days(7), "{left:?}");
    assert_eq!(desk.stored_value(&new.uid).await, None, "it is not ours to keep");
}

#[tokio::test]
async fn an_owner_who_leaves_in_the_middle_of_a_roll_leaves_both_keys_known() {
    let desk = Desk::admin().await;
    let owner = desk.sim.user();
    let old = desk.sim.add_key(old_key(&owner, Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    let held = view.held.expect("the value waits for a person").held;
    desk.sim.remove_user(&owner.uid);
    desk.clock.wrong_by(SignedDuration::from_mins(11));
    desk.list(true).await;
    let new = desk.sim.key_named(NEXT).unwrap();
    let running = rolls(&desk).await;
    assert_eq!(running.len(), 1, "{running:?}");
    assert_eq!((&running[0].old_uid, running[0].new_uid.as_ref()), (&old.uid, Some(&new.uid)));
    assert!(works(&desk, &old.uid) && works(&desk, &new.uid), "keys outlive their owner");
    assert!(key(&desk, &new.uid).await.flags.contains(&Flag::OwnerGone));

    // Given up, the new one is revoked and the old one is as it was.
    let revoke = FinishRequest { op_id: op(), held, finish: Finish::RevokeAndClose };
    desk.keys.finish_held(revoke).await.unwrap();
    assert!(!truth(&desk, &new.uid).active);
    assert_eq!(truth(&desk, &old.uid), old);
    assert!(rolls(&desk).await.is_empty());
}

#[tokio::test]
async fn an_ended_key_is_rolled_without_its_end_being_moved() {
    let desk = Desk::admin().await;
    let mine = desk.sim.admin();
    let old = desk.sim.add_key(old_key(&mine, Some(days(-2)), desk.sim.now()));
    desk.list(true).await;
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap();
    let new = desk.sim.key_named(NEXT).unwrap();
    assert!(works(&desk, &new.uid), "{view:?}");
    assert_eq!(truth(&desk, &old.uid), old, "what has ended does not work again");
    until("the roll is over", async || {
        desk.list(true).await;
        rolls(&desk).await.is_empty()
    })
    .await;
    assert_eq!(desk.stored_value(&new.uid).await.as_deref(), Some(&*new.value));
}

#[tokio::test]
async fn a_hand_over_that_is_refused_revokes_the_new_key_and_leaves_the_old_one() {
    let desk = Desk::admin().await;
    let old = desk.sim.add_key(old_key(&desk.sim.user(), Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    let held = view.held.unwrap().held;
    let revoke = FinishRequest { op_id: op(), held, finish: Finish::RevokeAndClose };
    desk.keys.finish_held(revoke).await.unwrap();
    assert!(rolls(&desk).await.is_empty());
    assert_eq!(truth(&desk, &old.uid), old);
    assert!(!desk.sim.key_named(NEXT).unwrap().active);
    desk.line_ended(Act::Roll, ActState::Cancelled);
}

#[tokio::test]
async fn the_key_that_signs_in_is_swapped_before_its_end_is_moved() {
    let desk = Desk::user().await;
    let account = desk.sim.user();
    only_its_sign_in_key(&desk, &account);
    desk.list(true).await;
    desk.sim.clear_requests();
    let view = roll(&desk, &account.api_key_uid, Grace::Week).await.unwrap().unwrap();
    let new = desk.sim.key_named(NEXT).unwrap();
    assert_eq!((view.purpose, view.step), (RollPurpose::SignIn, RollStep::Rolling));
    let signs_in = |uid: &str, list: &[KeyView]| {
        list.iter().any(|key| key.uid == uid && key.flags.contains(&Flag::SignsIn))
    };
    let list = desk.list(false).await.keys;
    assert!(signs_in(&new.uid, &list) && !signs_in(&account.api_key_uid, &list));
    // The old key's end was moved by the new key: the swap came first.
    let requests = desk.sim.requests();
    let end = requests.iter().find(|r| r.method == "PUT").unwrap();
    let sent = end.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("apikey")).unwrap();
    assert_eq!(sent.1, new.value);
    assert_eq!(desk.stored_value(&new.uid).await.as_ref(), Some(&new.value));
    let own = EntryName::credential(&*desk.connection);
    assert!(desk.keychain.names().contains(&own), "the old value stays until its key has ended");
    desk.line_ended(Act::RollSwap, ActState::Done);

    // After a start it still signs in, with the new one.
    let mut desk = desk;
    desk.crash();
    desk.sim.clear_requests();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    assert!(
        desk.sim.requests().iter().all(|r| r.headers.iter().any(|(_, value)| *value == new.value))
    );
    desk.sim.advance_seconds(days(7).as_secs() + 1);
    desk.list(true).await;
    until("the roll is over", async || rolls(&desk).await.is_empty()).await;
    assert!(!desk.keychain.names().contains(&own), "of no use any more");
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
}

fn only_its_sign_in_key(desk: &Desk, account: &Account) {
    for key in desk.sim.keys() {
        if key.owner_uid == account.uid && key.uid != account.api_key_uid {
            desk.sim.remove_key(&key.uid);
        }
    }
}

#[tokio::test]
async fn a_cancelled_sign_in_roll_signs_in_with_the_old_key_again() {
    let mut desk = Desk::user().await;
    let account = desk.sim.user();
    only_its_sign_in_key(&desk, &account);
    desk.list(true).await;
    let before = desk.sim.key(&account.api_key_uid).unwrap();
    let id = roll(&desk, &account.api_key_uid, Grace::Day).await.unwrap().unwrap().roll;
    assert_eq!(act(&desk, &id, RollAct::Cancel).await.unwrap().roll, None);
    let after = truth(&desk, &account.api_key_uid);
    assert_eq!(KeyTruth { modified: before.modified, ..after }, before);
    assert!(!desk.sim.key_named(NEXT).unwrap().active);
    assert!(key(&desk, &account.api_key_uid).await.flags.contains(&Flag::SignsIn));
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
}

#[tokio::test]
async fn a_sign_in_key_that_a_backup_forgot_is_swapped_back() {
    let mut desk = Desk::user().await;
    let account = desk.sim.user();
    only_its_sign_in_key(&desk, &account);
    desk.list(true).await;
    let before = desk.sim.key(&account.api_key_uid).unwrap();
    roll(&desk, &account.api_key_uid, Grace::Day).await.unwrap().unwrap();
    // The server comes back from a backup: the new key never was. (Its old end may have survived.)
    desk.sim.remove_key(&desk.sim.key_named(NEXT).unwrap().uid);
    desk.list(true).await;
    until("the roll is over", async || rolls(&desk).await.is_empty()).await;
    assert_eq!(ms(truth(&desk, &account.api_key_uid).expiry), ms(before.expiry));
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    assert!(desk.list(true).await.problem.is_none());
}

#[tokio::test]
async fn a_new_key_that_a_backup_forgot_gives_the_old_one_its_end_back() {
    for gone in [true, false] {
        let (desk, old) = admin().await;
        roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap();
        let new = desk.sim.key_named(NEXT).unwrap();
        match gone {
            true => assert!(desk.sim.remove_key(&new.uid)),
            false => desk.sim.edit_key_directly(&new.uid, |key| key.active = false),
        }
        desk.list(true).await;
        until("the roll is over", async || rolls(&desk).await.is_empty()).await;
        assert_eq!(ms(truth(&desk, &old.uid).expiry), ms(old.expiry), "gone: {gone}");
        assert!(works(&desk, &old.uid));
        let line = desk.line(Act::Roll);
        assert!(line.detail.contains(NAME) && line.detail.contains(NEXT), "{}", line.detail);
    }
}

#[tokio::test]
async fn an_end_that_somebody_moved_is_told_and_not_overwritten_by_a_cancel() {
    let (desk, old) = admin().await;
    let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
    let theirs = desk.sim.now().checked_add(days(40)).unwrap();
    desk.sim.edit_key_directly(&old.uid, |key| key.expiry = Some(theirs));
    desk.list(true).await;
    until("it is told", async || rolls(&desk).await.iter().any(|roll| roll.problem.is_some()))
        .await;
    let view = rolls(&desk).await.remove(0);
    assert_eq!(view.problem.as_ref().unwrap().code, ErrorCode::RollEndChanged);
    assert_eq!(view.old_ends, ms(Some(theirs)), "what the server says is shown");
    assert!(view.may_end_now && view.may_cancel);
    act(&desk, &id, RollAct::Cancel).await.unwrap();
    assert_eq!(truth(&desk, &old.uid).expiry, Some(theirs), "theirs stays");
    assert!(!desk.sim.key_named(NEXT).unwrap().active);
}

#[tokio::test]
async fn the_servers_clock_counts_whatever_this_computers_says() {
    for wrong in [-days(3), days(3)] {
        let (desk, old) = admin().await;
        desk.clock.wrong_by(wrong);
        desk.list(true).await;
        roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap();
        let left = truth(&desk, &old.uid).expiry.unwrap().duration_since(desk.sim.now());
        let error = (left - days(1)).abs();
        assert!(error < SignedDuration::from_secs(60), "wrong by {wrong:?}: {left:?}");
        assert_eq!(rolls(&desk).await.len(), 1, "it is not over by our clock");
    }
}

#[tokio::test]
async fn a_connection_is_not_removed_between_the_steps_of_a_roll() {
    let (desk, old) = admin().await;
    let on = Matcher::on("PUT", &format!("/v1/apiKeys/{}", old.uid));
    desk.sim.set_fault(on, Fault::error(403, "Forbidden", "no"), None);
    let id = roll(&desk, &old.uid, Grace::Day).await.unwrap().unwrap().roll;
    let connection = desk.connection.clone();
    let remove =
        || palette_keys_core::connection::ConnectionRequest { connection: connection.clone() };
    let failure = desk.keys.remove_connection(remove()).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::RollRunning, "{}", failure.message);
    desk.sim.clear_faults();
    act(&desk, &id, RollAct::Continue).await.unwrap();
    desk.keys.remove_connection(remove()).await.unwrap();
    assert!(desk.store().rolls(None).unwrap().is_empty());
}

/// What is done to the world while a roll runs.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The `n`th request that matches fails so.
    Server(&'static str, &'static str, fn() -> Fault),
    /// The write of the new value fails.
    KeychainWrite,
    /// The read-back before the proof fails.
    KeychainRead,
}

/// What each trouble comes to at first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ends {
    /// Nothing was made and nothing changed, which is said.
    NotBegun(ErrorCode),
    /// It waits, which is said with both keys named, and goes on when asked.
    Waits(ErrorCode),
    /// It is not noticed.
    Well,
}

fn on_new(method: &'static str) -> Matcher {
    Matcher::on(method, "/v1/apiKeys")
}

/// A fault at every step of a roll: never a state without a working key, never a success that is
/// none, and a key that was made is always named.
#[tokio::test]
async fn a_fault_at_every_step_is_said_and_leaves_a_key_that_works() {
    use Ends::*;
    use Trouble::*;
    let unavailable = || Fault::error(503, "Unavailable", "later");
    let forbidden = || Fault::error(403, "Forbidden", "no");
    let rejected = || Fault::error(401, "Unauthorized", "no");
    let table: Vec<(&str, Trouble, Ends)> = vec![
        (
            "reading refused before",
            Server("GET", "/v1/apiKeys", forbidden),
            NotBegun(ErrorCode::Forbidden),
        ),
        (
            "create refused",
            Server("POST", "/v1/apiKeys", forbidden),
            NotBegun(ErrorCode::Forbidden),
        ),
        (
            "create: quota only the server knows",
            Server("POST", "/v1/apiKeys", || Fault::error(400, "ApiKeyLimit", "full")),
            NotBegun(ErrorCode::Refused),
        ),
        (
            "create reset before",
            Server("POST", "/v1/apiKeys", || Fault::ResetBeforeHandling),
            NotBegun(ErrorCode::HostUnreachable),
        ),
        (
            "create answered after the time-out",
            Server("POST", "/v1/apiKeys", || Fault::HangAfterHandling),
            Waits(ErrorCode::RollValueLost),
        ),
        (
            "create reset after",
            Server("POST", "/v1/apiKeys", || Fault::ResetAfterHandling),
            Waits(ErrorCode::RollValueLost),
        ),
        (
            "create: answer cut",
            Server("POST", "/v1/apiKeys", || Fault::CutBody { at: 9 }),
            Waits(ErrorCode::RollValueLost),
        ),
        ("keychain refuses the value", KeychainWrite, Waits(ErrorCode::KeychainLocked)),
        ("keychain cannot be read back", KeychainRead, Waits(ErrorCode::KeychainLocked)),
        (
            "proof: unavailable",
            Server("GET", "/v1/users/info", unavailable),
            Waits(ErrorCode::ServerFault),
        ),
        (
            "proof: rejected",
            Server("GET", "/v1/users/info", rejected),
            Waits(ErrorCode::RollNotProved),
        ),
        (
            "proof: hangs",
            Server("GET", "/v1/users/info", || Fault::HangBeforeHandling),
            Waits(ErrorCode::TimedOut),
        ),
        ("end refused", Server("PUT", "/v1/apiKeys", forbidden), Waits(ErrorCode::Forbidden)),
        (
            "end: bad request",
            Server("PUT", "/v1/apiKeys", || Fault::error(400, "InvalidExpiry", "no")),
            Waits(ErrorCode::Refused),
        ),
        (
            "end: answer lost, done",
            Server("PUT", "/v1/apiKeys", || Fault::ResetAfterHandling),
            Well,
        ),
        (
            "end: accepted and not done",
            Server("PUT", "/v1/apiKeys", || Fault::status(204, "application/json", "")),
            Waits(ErrorCode::OutcomeUnknown),
        ),
        (
            "end: hangs",
            Server("PUT", "/v1/apiKeys", || Fault::HangBeforeHandling),
            Waits(ErrorCode::OutcomeUnknown),
        ),
    ];
    let (mut said, mut working, mut lost) = (0, 0, 0);
    let all = table.len();
    for (name, trouble, ends) in table {
        let (desk, old) = admin().await;
        match trouble {
            Server(method, path, fault) => {
                desk.sim.set_fault(Matcher::on(method, path), fault(), None)
            }
            KeychainWrite => {
                desk.sim.set_fault(on_new("POST"), Fault::DelayMs(60), Some(1));
            }
            KeychainRead => desk.keychain.fail_next_read(KeychainError::Locked),
        }
        let call = {
            let (keys, request) = (desk.keys.clone(), request(&desk, &old.uid, Grace::Week));
            tokio::spawn(async move { keys.roll_key(request).await })
        };
        if matches!(trouble, KeychainWrite) {
            until("the probe is over", async || posts(&desk) == 1).await;
            desk.keychain.fail_next_write(KeychainError::Locked);
        }
        let outcome = call.await.unwrap();
        assert!(posts(&desk) <= 1, "{name}: never a second POST");
        let made = desk.sim.key_named(NEXT);
        working += usize::from(works(&desk, &old.uid));
        match (ends, outcome) {
            (NotBegun(code), Err(failure)) => {
                assert_eq!(failure.code, code, "{name}: {}", failure.message);
                assert!(made.is_none() && rolls(&desk).await.is_empty(), "{name}");
                assert_eq!(truth(&desk, &old.uid), old, "{name}");
                if posts(&desk) == 1 {
                    desk.line_ended(Act::Roll, ActState::Failed);
                }
                said += 1;
            }
            (Waits(code), Ok(RollActView { roll: Some(view) })) => {
                let problem = view.problem.clone().unwrap_or_else(|| panic!("{name}: {view:?}"));
                assert_eq!(problem.code, code, "{name}: {}", problem.message);
                let made = made.expect("it was made");
                assert_eq!(view.new_uid.as_deref(), Some(&*made.uid), "{name}");
                let named = problem.message.contains(NAME) && problem.message.contains(NEXT);
                assert!(named, "{name}: both are named in {:?}", problem.message);
                assert!(view.may_cancel, "{name}: there is a way back");
                said += 1;
                let has_value = desk.stored_value(&made.uid).await.is_some()
                    || desk.keys.held_values().iter().any(|held| held.held == view.roll)
                    || problem.code == ErrorCode::RollValueLost;
                lost += usize::from(!has_value);
                // And the way on: what was in the way is gone.
                desk.sim.clear_faults();
                if code == ErrorCode::RollValueLost {
                    assert_eq!(act(&desk, &view.roll, RollAct::Cancel).await.unwrap().roll, None);
                    assert!(!truth(&desk, &made.uid).active && works(&desk, &old.uid), "{name}");
                } else {
                    let on = act(&desk, &view.roll, RollAct::Continue).await.unwrap().roll;
                    let on = on.unwrap_or_else(|| panic!("{name}: over?"));
                    assert_eq!((on.step, on.problem), (RollStep::Rolling, None), "{name}");
                }
            }
            (Well, Ok(RollActView { roll: Some(view) })) => {
                assert_eq!((view.step, view.problem.as_ref()), (RollStep::Rolling, None), "{name}");
                said += 1;
            }
            (ends, outcome) => panic!("{name}: expected {ends:?}, got {outcome:?}"),
        }
        assert_eq!(
            posts(&desk),
            usize::from(!name.starts_with("reading")),
            "{name}: one POST in all"
        );
    }
    println!(
        "roll, a fault at every step: {said}/{all}; with a working key {working}/{all}; values lost in silence {lost}"
    );
    assert_eq!((said, working, lost), (all, all, 0));
}

/// The app is dropped as if it crashed when the server is asked the `n`th thing, and starts again.
#[tokio::test]
async fn a_crash_at_every_request_is_resumed_or_reported_with_both_keys_named() {
    let purposes = ["ordinary", "signIn", "now", "cancel"];
    let (mut runs, mut finished, mut resumed, mut reported, mut bare, mut lost) =
        (0, 0, 0, 0, 0, 0);
    // Each before the server has done what it was asked, and some after.
    let moments = (1..40).flat_map(|at| [Some((at, false)), (at % 3 == 0).then_some((at, true))]);
    let moments: Vec<(usize, bool)> = moments.flatten().collect();
    for purpose in purposes {
        for &(at, late) in &moments {
            let (mut desk, old) = match purpose {
                "signIn" => {
                    let desk = Desk::user().await;
                    let account = desk.sim.user();
                    only_its_sign_in_key(&desk, &account);
                    desk.list(true).await;
                    desk.sim.clear_requests();
                    let old = desk.sim.key(&account.api_key_uid).unwrap();
                    (desk, old)
                }
                _ => admin().await,
            };
            let grace = if purpose == "now" { Grace::Now } else { Grace::Week };
            let mut cancelling = None;
            if purpose == "cancel" {
                cancelling = roll(&desk, &old.uid, grace).await.unwrap().map(|roll| roll.roll);
                desk.sim.clear_requests();
            }
            desk.sim.set_fault(Matcher::any(), Fault::DelayMs(12), None);
            let (keys, rolled) = (desk.keys.clone(), request(&desk, &old.uid, grace));
            let call = tokio::spawn(async move {
                match cancelling {
                    Some(roll) => {
                        let request = RollActRequest { op_id: op(), roll, act: RollAct::Cancel };
                        keys.act_on_roll(request).await
                    }
                    None => keys.roll_key(rolled).await,
                }
            });
            while desk.sim.requests().len() < at && !call.is_finished() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let ended = call.is_finished();
            call.abort();
            let _ = call.await;
            if late {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if ended {
                break;
            }
            runs += 1;
            desk.crash();
            desk.sim.clear_faults();
            tokio::time::sleep(Duration::from_millis(50)).await;
            settled(&desk).await;
            let made = desk.sim.key_named(NEXT);
            let views = rolls(&desk).await;
            let new_works = made.as_ref().is_some_and(|made| works(&desk, &made.uid));
            let kept = match &made {
                Some(made) => desk.stored_value(&made.uid).await.as_ref() == Some(&made.value),
                None => false,
            };
            bare += usize::from(!(works(&desk, &old.uid) || (new_works && kept)));
            let named = |view: &RollView| {
                view.problem.as_ref().is_some_and(|problem| {
                    problem.message.contains(NEXT) && problem.message.contains(&old.name)
                })
            };
            match &*views {
                [] => finished += 1,
                [view] if view.problem.is_none() && view.step == RollStep::Rolling => resumed += 1,
                [view] if named(view) => reported += 1,
                other => panic!("{purpose}, request {at}: {other:?}"),
            }
            // A key that works and whose value nobody has is one that was named.
            let told = views.iter().any(named);
            lost += usize::from(new_works && !kept && !told);
            assert!(desk.sent("POST", "/v1/apiKeys") <= 1, "{purpose}, request {at}");
            if purpose == "signIn" {
                assert_eq!(desk.select().await.state, ConnectionState::SignedIn, "request {at}");
            }
            if views.iter().any(|view| view.step == RollStep::Orphaned) {
                act(&desk, &views[0].roll, RollAct::Cancel).await.unwrap();
                assert!(!truth(&desk, &made.unwrap().uid).active && works(&desk, &old.uid));
            }
        }
    }
    let all = finished + resumed + reported;
    println!(
        "roll, a crash at every request: {all}/{runs} (over {finished}, resumed {resumed}, reported \
         {reported}); without a working key {bare}; values lost in silence {lost}"
    );
    assert!(runs >= 30, "{runs} crashes prove little");
    assert!(resumed > 0 && reported > 0 && finished > 0);
    assert_eq!((all, bare, lost), (runs, 0, 0));
}

/// What a start goes on with has come to rest.
async fn settled(desk: &Desk) {
    until("what was resumed rests", async || {
        let views = rolls(desk).await;
        let rests = |view: &RollView| {
            let unclear =
                view.problem.as_ref().is_some_and(|p| p.code == ErrorCode::OutcomeUnknown);
            (view.step == RollStep::Rolling || view.problem.is_some()) && !unclear
        };
        views.iter().all(rests) && desk.keys.outbox().items.is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_value_that_was_being_handed_over_is_not_taken_for_kept() {
    let mut desk = Desk::admin().await;
    let old = desk.sim.add_key(old_key(&desk.sim.user(), Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    // Nobody has it.
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    desk.crash();
    settled(&desk).await;
    let told = rolls(&desk).await.remove(0);
    assert_eq!(told.step, RollStep::Orphaned);
    assert_eq!(told.problem.unwrap().code, ErrorCode::RollValueLost);
    act(&desk, &view.roll, RollAct::Cancel).await.unwrap();
    assert_eq!(truth(&desk, &old.uid), old);

    // Somebody copied it, and the app ended before "Done".
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    let copy = palette_keys_core::snippet::CopyRequest {
        source: palette_keys_core::held::ValueSource::Held { held: view.roll.clone() },
        shape: palette_keys_core::snippet::CopyShape::Value,
    };
    desk.keys.copy_text(&copy).await.unwrap();
    desk.crash();
    settled(&desk).await;
    let told = rolls(&desk).await.remove(0);
    assert_eq!(told.problem.unwrap().code, ErrorCode::RollValueUnsure);
    assert_eq!(truth(&desk, &old.uid), old, "it is not ended on a guess");
    let on = act(&desk, &view.roll, RollAct::Continue).await.unwrap().roll.unwrap();
    assert_eq!(on.step, RollStep::Rolling);
}

#[tokio::test]
async fn a_value_that_the_keychain_refused_can_be_saved_later_and_the_roll_goes_on() {
    let (desk, old) = admin().await;
    desk.sim.set_fault(on_new("POST"), Fault::DelayMs(80), Some(1));
    let call = {
        let (keys, request) = (desk.keys.clone(), request(&desk, &old.uid, Grace::Week));
        tokio::spawn(async move { keys.roll_key(request).await })
    };
    until("it is asked for", async || posts(&desk) == 1).await;
    desk.keychain.fail_next_write(KeychainError::Locked);
    let view = call.await.unwrap().unwrap().roll.unwrap();
    let held = view.held.expect("it is held");
    assert_eq!(truth(&desk, &old.uid), old);
    desk.keys.save_held_to_keychain(HeldRequest { held: held.held.clone() }).await.unwrap();
    let done = FinishRequest { op_id: op(), held: held.held, finish: Finish::Kept };
    desk.keys.finish_held(done).await.unwrap();
    until("it is rolling", async || {
        rolls(&desk).await.iter().any(|roll| roll.step == RollStep::Rolling)
    })
    .await;
}

#[tokio::test]
async fn a_value_is_let_go_once_trying_again_has_saved_it_and_not_before_a_dialog_is_closed() {
    for by_dialog in [false, true] {
        let (desk, old) = admin().await;
        desk.sim.set_fault(on_new("POST"), Fault::DelayMs(80), Some(1));
        let call = {
            let (keys, request) = (desk.keys.clone(), request(&desk, &old.uid, Grace::Week));
            tokio::spawn(async move { keys.roll_key(request).await })
        };
        until("it is asked for", async || posts(&desk) == 1).await;
        desk.keychain.fail_next_write(KeychainError::Locked);
        let view = call.await.unwrap().unwrap().roll.unwrap();
        let held = HeldRequest { held: view.held.expect("it is held").held };
        let rolling = async || rolls(&desk).await.iter().any(|r| r.step == RollStep::Rolling);
        if by_dialog {
            desk.keys.save_held_to_keychain(held.clone()).await.unwrap();
            // A list that is read meanwhile lets the roll go on; the dialog is still open.
            desk.list(true).await;
            until("it is rolling", rolling).await;
            assert!(desk.keys.held_value(&held).unwrap().kept, "it can still be copied");
            let done = FinishRequest { op_id: op(), held: held.held.clone(), finish: Finish::Kept };
            desk.keys.finish_held(done).await.unwrap();
        } else {
            act(&desk, &view.roll, RollAct::Continue).await.unwrap();
            assert!(rolling().await);
        }
        assert_eq!(desk.keys.held_value(&held).unwrap_err().code, ErrorCode::ValueGone);
        let new = desk.sim.key_named(NEXT).unwrap();
        assert_eq!(desk.stored_value(&new.uid).await.as_ref(), Some(&new.value));
    }
}

#[tokio::test]
async fn an_own_key_of_a_plain_user_is_rolled_and_others_are_not_shown() {
    let sim = sim(Seed::Demo).await;
    let account = sim.user();
    let mut desk = Desk::on(sim);
    desk.sign_in(&account).await;
    let old = desk.sim.add_key(old_key(&account, Some(days(90)), desk.sim.now()));
    desk.list(true).await;
    let view = roll(&desk, &old.uid, Grace::Week).await.unwrap().unwrap();
    assert_eq!((view.step, view.mine), (RollStep::Rolling, true));
    let uid = KeyUid::new(view.new_uid.as_deref().unwrap()).unwrap();
    assert!(desk.keychain.read(EntryName::key_value(&*desk.connection, uid)).await.is_ok());
}
