//! Create: one press makes one key, and its value is never lost in silence.

use crate::desk::{Desk, op, saved, sim};
use jiff::{SignedDuration, Timestamp};
use palette_keys_core::ErrorCode;
use palette_keys_core::held::{Finish, FinishRequest, HeldRequest, ProofState, SavedState};
use palette_keys_core::keychain::{KeychainError, KeychainState};
use palette_keys_core::keys::KeyActRequest;
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::{
    CreateRequest, CreateView, LostAct, LostCreationView, SettleRequest,
};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::settings::Settings;
use palette_sim::{Fault, Matcher, NewKey, Seed};
use std::time::Duration;

const POST: (&str, &str) = ("POST", "/v1/apiKeys");

fn posts(desk: &Desk) -> usize {
    desk.sent(POST.0, POST.1)
}

fn on_post() -> Matcher {
    Matcher::on(POST.0, POST.1)
}

fn on_list() -> Matcher {
    Matcher::on("GET", "/v1/apiKeys")
}

async fn settle(desk: &Desk, creation: &str, act: LostAct) -> Option<LostCreationView> {
    let request = SettleRequest { op_id: op(), creation: creation.into(), act };
    desk.keys.settle_creation(request).await.unwrap().lost
}

#[tokio::test]
async fn a_key_is_made_found_filed_and_proved() {
    let desk = Desk::admin().await;
    let held = desk.created(&desk.new_key("ci-deployer")).await;
    let truth = desk.sim.key_named("ci-deployer").unwrap();

    assert_eq!(posts(&desk), 1);
    assert_eq!(held.uid.as_deref(), Some(&*truth.uid));
    assert_eq!(held.expires, truth.expiry.map(Timestamp::as_millisecond));
    assert_eq!((held.organization.as_str(), held.owner_name.as_str()), ("acme", "Jane Doe"));
    assert_eq!(held.length as usize, truth.value.len());
    assert!(saved(&held) && held.kept, "filed in the keychain");
    assert_eq!(held.proof, ProofState::Works { acts_as: "Jane Doe".into() });
    assert_eq!(desk.stored_value(&truth.uid).await.as_ref(), Some(&truth.value));
    assert_eq!(truth.description, "made by a test");
    let (sent, soon) = (truth.expiry.unwrap(), desk.sim.now());
    let life = sent.duration_since(soon);
    assert!(life > SignedDuration::from_hours(24 * 30) - SignedDuration::from_secs(20));

    let view = desk.listed("ci-deployer").await;
    assert!(view.mine && view.flags.contains(&palette_keys_core::keys::Flag::InKeychain));
    desk.line_ended(Act::Create, ActState::Done);
    assert_eq!(desk.line(Act::Create).key_uid, Some(truth.uid));
    assert!(desk.keys.held_values().is_empty(), "kept values do not hold the window up");
    assert!(desk.store().intents(None).unwrap().is_empty(), "the value is kept");
    desk.nowhere_on_disk(&truth.value);
}

#[tokio::test]
async fn one_op_id_makes_one_key_however_often_it_is_asked() {
    let desk = Desk::admin().await;
    desk.sim.set_fault(on_post(), Fault::DelayMs(80), None);
    let request = desk.new_key("once");
    let eight: Vec<_> = (0..8)
        .map(|_| {
            let (keys, request) = (desk.keys.clone(), request.clone());
            tokio::spawn(async move { keys.create_key(request).await })
        })
        .collect();
    let mut answers = Vec::new();
    for call in eight {
        answers.push(call.await.unwrap().unwrap());
    }
    answers.push(desk.create(&request).await.unwrap());
    answers.dedup();
    assert_eq!(answers.len(), 1, "all nine got the same answer");
    assert_eq!((posts(&desk), desk.made("once").len()), (1, 1));
}

#[tokio::test]
async fn whoever_asked_may_be_gone_the_value_is_held_all_the_same() {
    let desk = Desk::admin().await;
    desk.sim.set_fault(on_post(), Fault::DelayMs(60), None);
    let request = CreateRequest { save_to_keychain: false, ..desk.new_key("closed-window") };
    let gave_up = tokio::time::timeout(Duration::from_millis(20), desk.create(&request)).await;
    assert!(gave_up.is_err());
    let held = desk.created(&request).await;
    assert_eq!((posts(&desk), desk.made("closed-window").len()), (1, 1));
    assert_eq!(desk.keys.held_values(), [held]);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused_before_anything_is_sent() {
    let desk = Desk::admin().await;
    desk.sim.add_key(NewKey { owner_uid: Some(desk.sim.admin().uid), ..NewKey::named("taken") });
    let base = desk.new_key("fine");
    let at = |date: &str, time: &str| ExpiryChoice::At { date: date.into(), time: time.into() };
    let stranger = Some("66e844c44bab2337f20c7471".to_owned());
    let table = [
        (CreateRequest { name: " ".into(), ..base.clone() }, ErrorCode::NameEmpty),
        (CreateRequest { name: "x".repeat(10_000), ..base.clone() }, ErrorCode::NameTooLong),
        (
            CreateRequest { name: "a\u{202e}b".into(), ..base.clone() },
            ErrorCode::NameHasControlCharacters,
        ),
        (
            CreateRequest { name: "a\nb".into(), ..base.clone() },
            ErrorCode::NameHasControlCharacters,
        ),
        (CreateRequest { name: " taken ".into(), ..base.clone() }, ErrorCode::NameTaken),
        (
            CreateRequest { description: "x".repeat(1_001), ..base.clone() },
            ErrorCode::DescriptionTooLong,
        ),
        (
            CreateRequest { expiry: at("2020-01-01", "10:00"), ..base.clone() },
            ErrorCode::ExpiryPast,
        ),
        (CreateRequest { expiry: at("", ""), ..base.clone() }, ErrorCode::ExpiryMissing),
        (
            CreateRequest { expiry: at("2027-03-28", "02:30"), ..base.clone() },
            ErrorCode::ExpirySkippedByClockChange,
        ),
        (
            CreateRequest { expiry: ExpiryChoice::Days { days: 4_000 }, ..base.clone() },
            ErrorCode::ExpiryTooFar,
        ),
        (CreateRequest { owner_uid: stranger, ..base.clone() }, ErrorCode::OwnerUnknown),
        (CreateRequest { connection: "none".into(), ..base.clone() }, ErrorCode::ConnectionUnknown),
    ];
    for (request, code) in table {
        let request = CreateRequest { op_id: op(), ..request };
        let failure = desk.create(&request).await.unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
    }
    assert_eq!(posts(&desk), 0);
    assert!(desk.store().intents(None).unwrap().is_empty());
}

#[tokio::test]
async fn the_longest_allowed_life_binds() {
    let desk = Desk::admin().await;
    let settings = Settings {
        longest_life_days: Some(30),
        default_expiration_days: 30,
        ..Settings::default()
    };
    desk.keys.save_settings(settings).unwrap();
    let expiry = ExpiryChoice::Days { days: 31 };
    let failure = desk.create(&CreateRequest { expiry, ..desk.new_key("long") }).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ExpiryBeyondPolicy);
    desk.created(&desk.new_key("short enough")).await;
}

#[tokio::test]
async fn a_full_quota_is_said_before_anything_is_sent() {
    let desk = Desk::admin().await;
    let mine = desk.sim.keys().into_iter().filter(|key| key.owner_uid == desk.sim.admin().uid);
    desk.sim.set_quota(mine.count());
    desk.clock.wrong_by(SignedDuration::from_mins(11));
    desk.list(true).await;
    let failure = desk.create(&desk.new_key("one too many")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::QuotaFull, "{}", failure.message);
    assert!(failure.message.contains("Jane Doe"), "{}", failure.message);
    assert_eq!(posts(&desk), 0);
}

#[tokio::test]
async fn a_quota_that_only_the_server_knows_is_its_own_refusal() {
    let desk = Desk::user().await;
    desk.sim.set_quota(1);
    let failure = desk.create(&desk.new_key("one too many")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::Refused, "{}", failure.message);
    assert!(desk.store().intents(None).unwrap().is_empty(), "refused is not lost");
    desk.line_ended(Act::Create, ActState::Failed);
}

#[tokio::test]
async fn without_a_keychain_nothing_is_sent_unless_it_is_not_needed() {
    let desk = Desk::admin().await;
    for (state, code) in [
        (KeychainState::Absent, ErrorCode::KeychainAbsent),
        (KeychainState::Locked, ErrorCode::KeychainLocked),
        (KeychainState::Dismissed, ErrorCode::KeychainDismissed),
        (KeychainState::WaitingForPrompt, ErrorCode::KeychainWaiting),
    ] {
        desk.keychain.set_state(state);
        let failure = desk.create(&desk.new_key("nowhere to put it")).await.unwrap_err();
        assert_eq!(failure.code, code);
        assert!(failure.message.contains("No key was made."), "{}", failure.message);
    }
    assert_eq!(posts(&desk), 0);
    let request = CreateRequest { save_to_keychain: false, ..desk.new_key("in hand") };
    let held = desk.created(&request).await;
    assert_eq!((held.saved, held.kept), (SavedState::NotAsked, false));
}

#[tokio::test]
async fn a_value_that_the_keychain_does_not_take_is_still_held() {
    let desk = Desk::admin().await;
    let request = desk.new_key("held");
    // The probe takes the first write, so let only the second fail.
    desk.sim.set_fault(on_post(), Fault::DelayMs(100), Some(1));
    let keys = desk.keys.clone();
    let asked = request.clone();
    let call = tokio::spawn(async move { keys.create_key(asked).await });
    while posts(&desk) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    desk.keychain.fail_next_write(KeychainError::Locked);
    let CreateView::Created { held } = call.await.unwrap().unwrap() else { panic!("not made") };
    let SavedState::Failed { problem } = &held.saved else { panic!("{:?}", held.saved) };
    assert_eq!(problem.code, ErrorCode::KeychainLocked);
    assert!(!held.kept);
    assert_eq!(desk.keys.held_values().len(), 1);
    assert_eq!(desk.store().intents(None).unwrap().len(), 1, "a crash now would lose the value");

    let done = FinishRequest { op_id: op(), held: held.held.clone(), finish: Finish::Kept };
    let failure = desk.keys.finish_held(done).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ValueNotKept);

    let again = HeldRequest { held: held.held.clone() };
    let held = desk.keys.save_held_to_keychain(again).await.unwrap();
    assert!(saved(&held) && held.kept);
    let uid = held.uid.unwrap();
    assert_eq!(desk.stored_value(&uid).await, Some(desk.sim.key(&uid).unwrap().value));
    assert!(desk.store().intents(None).unwrap().is_empty());
}

#[tokio::test]
async fn an_admin_makes_a_key_for_somebody_else_and_does_not_try_it() {
    let desk = Desk::admin().await;
    let sam = desk.sim.user();
    let list = desk.list(false).await;
    let person = list.people.iter().find(|person| person.uid == sam.uid).unwrap();
    assert_eq!(person.email, sam.email);
    let request = CreateRequest { owner_uid: Some(sam.uid.clone()), ..desk.new_key("for-sam") };
    let held = desk.created(&request).await;
    assert_eq!((held.owner_name.as_str(), &held.proof), ("Sam Okafor", &ProofState::NotTried));
    let view = desk.listed("for-sam").await;
    assert_eq!((view.owner_uid, view.mine), (sam.uid, false));
    assert_eq!(view.made_by.as_deref(), Some("Jane Doe"));
}

#[tokio::test]
async fn a_plain_user_makes_keys_for_nobody_else() {
    let desk = Desk::user().await;
    let request =
        CreateRequest { owner_uid: Some(desk.sim.admin().uid), ..desk.new_key("not mine") };
    let failure = desk.create(&request).await.unwrap_err();
    assert_eq!((failure.code, posts(&desk)), (ErrorCode::Forbidden, 0));
    assert!(saved(&desk.created(&desk.new_key("mine")).await));
}

#[tokio::test]
async fn a_lost_answer_leaves_one_key_and_says_so() {
    let faults = [
        Fault::ResetAfterHandling,
        Fault::HangAfterHandling,
        Fault::CutBody { at: 10 },
        Fault::ReplaceBody("{}".into()),
    ];
    for fault in faults {
        let desk = Desk::admin().await;
        desk.sim.set_fault(on_post(), fault.clone(), Some(1));
        let request = desk.new_key("lost");
        let lost = desk.lost(&request).await;
        let made = desk.made("lost");
        assert_eq!((posts(&desk), made.len()), (1, 1), "{fault:?}");
        assert!(lost.looked);
        let uids: Vec<_> = lost.candidates.iter().map(|key| key.uid.as_str()).collect();
        assert_eq!(uids, [made[0].uid.as_str()], "{fault:?}");
        assert!(made[0].active, "never revoked by itself");
        assert_eq!(desk.list(false).await.lost_creations, std::slice::from_ref(&lost));
        desk.line_ended(Act::Create, ActState::Unknown);
        assert_eq!(desk.create(&request).await.unwrap(), CreateView::Lost { lost }, "joined");

        let left =
            settle(&desk, &request.op_id, LostAct::Revoke { uid: made[0].uid.clone() }).await;
        assert_eq!(left, None);
        assert!(!desk.sim.key(&made[0].uid).unwrap().active);
        assert!(desk.list(false).await.lost_creations.is_empty());
        assert_eq!(posts(&desk), 1);
        // "…and create again": a new op_id, and the same name, which a revoked key does not hold.
        desk.created(&desk.new_key("lost")).await;
    }
}

#[tokio::test]
async fn an_answer_lost_before_the_server_acted_is_not_created() {
    for fault in [
        Fault::ResetBeforeHandling,
        Fault::HangBeforeHandling,
        Fault::error(500, "InternalError", "sorry"),
        Fault::status(502, "text/html", "<h1>Bad gateway</h1>"),
        Fault::HtmlOk,
    ] {
        let desk = Desk::admin().await;
        desk.sim.set_fault(on_post(), fault.clone(), Some(1));
        let answer = desk.create(&desk.new_key("never")).await.unwrap();
        assert!(matches!(answer, CreateView::NotCreated { .. }), "{fault:?}: {answer:?}");
        assert_eq!((posts(&desk), desk.made("never").len()), (1, 0), "{fault:?}");
        assert!(desk.store().intents(None).unwrap().is_empty());
        desk.line_ended(Act::Create, ActState::Failed);
        desk.created(&desk.new_key("never")).await;
    }
}

#[tokio::test]
async fn what_is_provably_not_processed_is_a_plain_failure() {
    for (fault, code) in [
        (Fault::error(403, "OperationForbidden", "no"), ErrorCode::Forbidden),
        (Fault::error(400, "InvalidName", "no"), ErrorCode::Refused),
        (Fault::error(401, "UnAuthorizedAccess", "no"), ErrorCode::Unauthorized),
    ] {
        let desk = Desk::admin().await;
        desk.sim.set_fault(on_post(), fault, None);
        let failure = desk.create(&desk.new_key("refused")).await.unwrap_err();
        assert_eq!(failure.code, code, "{}", failure.message);
        assert!(desk.store().intents(None).unwrap().is_empty());
    }
}

#[tokio::test]
async fn lists_that_cannot_be_read_leave_it_open_until_they_can() {
    let mut desk = Desk::admin().await;
    desk.sim.set_fault(on_post(), Fault::ResetAfterHandling, Some(1));
    let request = desk.new_key("dark");
    // The list of the preflight works, those after the loss do not.
    let keys = desk.keys.clone();
    let asked = request.clone();
    let call = tokio::spawn(async move { keys.create_key(asked).await });
    while posts(&desk) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    desk.sim.set_fault(on_list(), Fault::error(503, "Unavailable", "later"), None);
    let CreateView::Lost { lost } = call.await.unwrap().unwrap() else { panic!("not lost") };
    assert_eq!((lost.looked, lost.candidates.len()), (false, 0));
    let still = settle(&desk, &request.op_id, LostAct::Look).await.unwrap();
    assert!(!still.looked);

    desk.sim.clear_faults();
    desk.crash();
    let offered = desk.list(true).await.lost_creations;
    assert_eq!(offered.len(), 1);
    assert_eq!((offered[0].looked, offered[0].candidates.len()), (true, 1));
    let seen = settle(&desk, &request.op_id, LostAct::Look).await.unwrap();
    assert_eq!(seen.candidates, offered[0].candidates);

    let elsewhere = desk.listed("ci-prod").await.uid;
    let act = LostAct::Revoke { uid: elsewhere.clone() };
    let wrong = SettleRequest { op_id: op(), creation: request.op_id.clone(), act };
    assert_eq!(desk.keys.settle_creation(wrong).await.unwrap_err().code, ErrorCode::KeyGone);
    assert!(desk.sim.key(&elsewhere).unwrap().active, "no other key is ever revoked");

    assert_eq!(settle(&desk, &request.op_id, LostAct::Leave).await, None);
    assert!(desk.list(true).await.lost_creations.is_empty());
    assert!(desk.made("dark")[0].active, "left as it is");
}

#[tokio::test]
async fn a_crash_while_the_answer_is_on_its_way_is_a_lost_answer() {
    let mut desk = Desk::admin().await;
    desk.sim.set_fault(on_post(), Fault::HangAfterHandling, Some(1));
    let request = desk.new_key("crashed");
    let keys = desk.keys.clone();
    let asked = request.clone();
    let call = tokio::spawn(async move { keys.create_key(asked).await });
    while desk.made("crashed").is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // The last handle goes with the aborted call, as everything does in a crash.
    call.abort();
    let _ = call.await;
    desk.crash();

    assert_eq!(desk.select().await.state, palette_keys_core::connection::ConnectionState::SignedIn);
    let offered = desk.list(true).await.lost_creations;
    assert_eq!(offered.len(), 1);
    assert_eq!(offered[0].candidates[0].uid, desk.made("crashed")[0].uid);
    assert_eq!(desk.line(Act::Create).state, ActState::Asked, "no outcome is claimed");
    // The same op_id after the crash: the window asked again, and no second key is made.
    assert_eq!(desk.lost(&request).await.candidates.len(), 1);
    assert_eq!((posts(&desk), desk.made("crashed").len()), (1, 1));
}

#[tokio::test]
async fn a_crash_before_anybody_kept_the_value_is_offered_after_the_restart() {
    let mut desk = Desk::admin().await;
    let request = CreateRequest { save_to_keychain: false, ..desk.new_key("unkept") };
    let held = desk.created(&request).await;
    desk.crash();
    assert!(desk.keys.held_values().is_empty(), "values are never on disk");
    let offered = desk.list(true).await.lost_creations;
    assert_eq!(offered.len(), 1);
    assert_eq!(Some(&offered[0].candidates[0].uid), held.uid.as_ref());
}

#[tokio::test]
async fn a_value_whose_key_is_not_in_the_list_is_held_and_filed_later() {
    let desk = Desk::admin().await;
    let request = desk.new_key("late");
    desk.sim.set_fault(on_post(), Fault::DelayMs(60), Some(1));
    let keys = desk.keys.clone();
    let asked = request.clone();
    let call = tokio::spawn(async move { keys.create_key(asked).await });
    while posts(&desk) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    desk.sim.set_fault(on_list(), Fault::error(503, "Unavailable", "later"), None);
    let CreateView::Created { held } = call.await.unwrap().unwrap() else { panic!("not made") };
    assert_eq!(held.uid, None);
    assert!(matches!(held.saved, SavedState::Failed { .. }));
    let name = HeldRequest { held: held.held };
    assert!(desk.keys.save_held_to_keychain(name.clone()).await.is_err());
    desk.sim.clear_faults();
    let held = desk.keys.save_held_to_keychain(name).await.unwrap();
    assert!(saved(&held));
    assert_eq!(held.uid, Some(desk.made("late")[0].uid.clone()));
}

#[tokio::test]
async fn a_clock_that_is_a_year_off_does_not_matter() {
    for wrong in [SignedDuration::from_hours(24 * 365), SignedDuration::from_hours(-24 * 365)] {
        let desk = Desk::admin().await;
        desk.clock.wrong_by(wrong);
        desk.list(true).await;
        desk.created(&desk.new_key("true time")).await;
        let life = desk.made("true time")[0].expiry.unwrap().duration_since(desk.sim.now());
        assert!((life - SignedDuration::from_hours(24 * 30)).abs() < SignedDuration::from_secs(30));
        desk.sim.set_fault(on_post(), Fault::ResetAfterHandling, Some(1));
        let lost = desk.lost(&desk.new_key("lost time")).await;
        assert_eq!(lost.candidates.len(), 1, "recognised by the server's clock");
    }
}

#[tokio::test]
async fn keys_made_by_others_meanwhile_are_not_taken_for_ours() {
    let desk = Desk::admin().await;
    desk.sim.set_fault(on_post(), Fault::ResetBeforeHandling, Some(1));
    let request = desk.new_key("nightly");
    let sam = desk.sim.user().uid;
    desk.sim.add_key(NewKey { owner_uid: Some(sam), ..NewKey::named("nightly") });
    let answer = desk.create(&request).await.unwrap();
    assert!(matches!(answer, CreateView::NotCreated { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_full_disk_stops_a_creation_and_says_so() {
    let desk = Desk::on(sim(Seed::Empty).await);
    let mut desk = desk;
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    // Another program keeps the file locked for longer than we wait.
    let path = desk.folder().join(palette_keys_core::store::FILE_NAME);
    let other = rusqlite::Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failure = desk.create(&desk.new_key("unwritten")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::StoreFailed, "{}", failure.message);
    assert_eq!(posts(&desk), 0);

    // A revocation is never stopped by it.
    let uid = desk.sim.add_key(NewKey::named("leaked")).uid;
    let request =
        KeyActRequest { op_id: op(), connection: desk.connection.clone(), uid: uid.clone() };
    let _ = desk.keys.revoke_key(request).await.unwrap();
    assert!(!desk.sim.key(&uid).unwrap().active);
}
