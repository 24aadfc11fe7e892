//! Undo: every reversible act can be taken back and done again, and nothing that somebody else did
//! since is written over unseen.

use crate::desk::{Desk, op};
use jiff::SignedDuration;
use palette_keys_core::ErrorCode;
use palette_keys_core::clock::Clock;
use palette_keys_core::connection::ConnectionRequest;
use palette_keys_core::connection::signing::{SignInChange, SignInChangeRequest};
use palette_keys_core::keys::activity::{Act, ActState, ActivityView, FieldChange};
use palette_keys_core::keys::delete::DeleteRequest;
use palette_keys_core::keys::edit::{EditBase, EditRequest, EditView};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::renew::RenewRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::keys::undo::{KeyState, UndoRequest, UndoTarget, UndoView};
use palette_keys_core::keys::{KeyView, Status};
use palette_keys_core::{Failure, keys::activity::ActivityRequest};
use palette_sim::{Fault, Matcher, NewKey};

fn undo_line(line: i64, seen: Option<KeyState>) -> UndoRequest {
    UndoRequest { op_id: op(), target: UndoTarget::Line { line }, seen }
}

async fn undo(desk: &Desk, line: &ActivityView) -> Result<UndoView, Failure> {
    desk.keys.undo(undo_line(line.id, None)).await
}

/// The key after an undo that was sent.
async fn undone(desk: &Desk, line: &ActivityView) -> KeyView {
    match undo(desk, line).await.unwrap() {
        UndoView::Undone { key: Some(key), sent: true, .. } => key,
        other => panic!("{other:?}"),
    }
}

async fn edit(desk: &Desk, key: &KeyView, name: &str, description: &str) -> KeyView {
    let request = EditRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: key.uid.clone(),
        base: EditBase {
            name: key.name.clone(),
            description: key.description.clone(),
            expires: key.expires,
        },
        name: name.into(),
        description: description.into(),
        expiry: None,
    };
    match desk.keys.edit_key(request).await.unwrap() {
        EditView::Saved { key, .. } => key,
        other => panic!("{other:?}"),
    }
}

async fn renew(desk: &Desk, uid: &str, days: u32) -> KeyView {
    let request = RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.into(),
        expiry: ExpiryChoice::Days { days },
    };
    desk.keys.renew_key(request).await.unwrap().key
}

async fn revoke(desk: &Desk, uid: &str) {
    let view = desk.keys.revoke_key(desk.act(uid)).await.unwrap();
    assert!(matches!(view, RevokeView::Confirmed { .. }), "{view:?}");
}

fn last(desk: &Desk) -> Option<ActivityView> {
    let request = ConnectionRequest { connection: desk.connection.clone() };
    desk.keys.last_reversible(request).unwrap()
}

#[tokio::test]
async fn a_rename_and_a_description_are_taken_back_and_done_again() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let before = desk.sim.key(&key.uid).unwrap();
    edit(&desk, &key, "ci-prod-eu", "in two\nlines").await;
    let line = desk.line(Act::Edit);
    assert!(line.can_undo);
    assert_eq!(
        line.changes[0],
        FieldChange::Name { before: "ci-prod".into(), after: "ci-prod-eu".into() }
    );
    assert!(matches!(line.changes[1], FieldChange::Description { .. }), "{:?}", line.changes);

    let key = undone(&desk, &line).await;
    assert_eq!((key.name, key.description), ("ci-prod".into(), before.description.clone()));
    let after = desk.sim.key(&key.uid).unwrap();
    assert_eq!((&after.annotations, &after.labels), (&before.annotations, &before.labels));
    assert_eq!((after.expiry, after.active), (before.expiry, true));

    let redo = desk.line(Act::Edit);
    assert_eq!((redo.undoes, redo.state, redo.can_undo), (Some(line.id), ActState::Done, true));
    assert!(!desk.activity().iter().any(|each| each.id == line.id && each.can_undo), "undone");
    let key = undone(&desk, &redo).await;
    assert_eq!((key.name, key.description), ("ci-prod-eu".into(), "in two\nlines".into()));
}

#[tokio::test]
async fn an_end_is_set_back_to_the_millisecond_by_edit_and_by_renewal() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let end = desk.sim.key(&key.uid).unwrap().expiry;
    renew(&desk, &key.uid, 90).await;
    let line = desk.line(Act::Renew);
    let [FieldChange::Expires { before, after }] = line.changes[..] else { panic!("{line:?}") };
    assert_eq!(before, key.expires);
    assert!(after > before);
    undone(&desk, &line).await;
    assert_eq!(desk.sim.key(&key.uid).unwrap().expiry, end);

    // A key that never ended never ends again.
    let endless = desk.listed("pcg-installer").await;
    renew(&desk, &endless.uid, 30).await;
    let key = undone(&desk, &desk.line(Act::Renew)).await;
    assert_eq!(key.expires, None);
    assert_eq!(desk.sim.key(&endless.uid).unwrap().expiry, None);
}

#[tokio::test]
async fn a_revocation_and_a_re_activation_are_each_others_undo() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    revoke(&desk, &key.uid).await;
    let revoked = desk.line(Act::Revoke);
    assert_eq!(revoked.changes, [FieldChange::Active { before: true, after: false }]);
    assert_eq!(undone(&desk, &revoked).await.status, Status::Expiring);
    let back = desk.line(Act::Reactivate);
    assert_eq!((back.undoes, back.can_undo), (Some(revoked.id), true));
    assert_eq!(undone(&desk, &back).await.status, Status::Revoked);
    assert!(!desk.sim.key(&key.uid).unwrap().active);
    let again = desk.line(Act::Revoke);
    assert_eq!(again.undoes, Some(back.id), "through the outbox, and it says so");
    assert_eq!(undone(&desk, &again).await.status, Status::Expiring);
}

#[tokio::test]
async fn what_somebody_changed_since_is_shown_and_only_overwritten_when_said_so() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    edit(&desk, &key, "release-robot", &key.description).await;
    let line = desk.line(Act::Edit);
    desk.sim.edit_key_directly(&key.uid, |key| key.name = "theirs".into());
    let puts = desk.sent("PUT", "/v1/apiKeys");
    let view = undo(&desk, &line).await.unwrap();
    let UndoView::Conflict { line: named, left, now, back, key: shown, .. } = view else {
        panic!("{view:?}")
    };
    assert_eq!((named, shown.name.as_str()), (line.id, "theirs"));
    assert_eq!(
        [&left.name, &now.name, &back.name],
        ["release-robot", "theirs", "release-bot"],
        "what we left, what is, what would be"
    );
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), puts, "nothing was sent");

    // They change it once more while the question is open: it is asked again.
    desk.sim.edit_key_directly(&key.uid, |key| key.description = "theirs too".into());
    let view = desk.keys.undo(undo_line(line.id, Some(now))).await.unwrap();
    let UndoView::Conflict { now, back, .. } = view else { panic!("{view:?}") };
    assert_eq!(now.description, "theirs too");
    assert_eq!(back.description, "theirs too", "only the name is set back");
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), puts);

    let view = desk.keys.undo(undo_line(line.id, Some(now))).await.unwrap();
    assert!(matches!(view, UndoView::Undone { sent: true, .. }), "{view:?}");
    let truth = desk.sim.key(&key.uid).unwrap();
    assert_eq!((&*truth.name, &*truth.description), ("release-bot", "theirs too"));
}

#[tokio::test]
async fn a_re_activation_asks_when_the_key_was_changed_while_it_was_revoked() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    revoke(&desk, &key.uid).await;
    let line = desk.line(Act::Revoke);
    desk.sim.edit_key_directly(&key.uid, |key| key.name = "LEAKED, do not re-activate".into());
    let view = undo(&desk, &line).await.unwrap();
    let UndoView::Conflict { now, back, .. } = view else { panic!("{view:?}") };
    assert!(back.active && !now.active);
    assert!(!desk.sim.key(&key.uid).unwrap().active, "it stays out of service");
}

#[tokio::test]
async fn what_we_changed_ourselves_since_is_no_conflict() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    let key = edit(&desk, &key, "release-robot", &key.description).await;
    let rename = desk.line(Act::Edit);
    edit(&desk, &key, "release-robot", "described").await;
    renew(&desk, &key.uid, 60).await;
    let key = undone(&desk, &rename).await;
    assert_eq!((&*key.name, &*key.description), ("release-bot", "described"));

    // But a name that we gave it since is not undone by an older line: that would be another act.
    let key = edit(&desk, &key, "a", &key.description).await;
    let first = desk.line(Act::Edit);
    edit(&desk, &key, "b", &key.description).await;
    assert!(!desk.activity().iter().any(|line| line.id == first.id && line.can_undo));
    let view = undo(&desk, &first).await.unwrap();
    assert!(matches!(view, UndoView::Conflict { .. }), "{view:?}");
}

#[tokio::test]
async fn what_is_so_already_is_not_sent_again() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    edit(&desk, &key, "release-robot", &key.description).await;
    let line = desk.line(Act::Edit);
    desk.sim.edit_key_directly(&key.uid, |key| key.name = "release-bot".into());
    let puts = desk.sent("PUT", "/v1/apiKeys");
    let view = undo(&desk, &line).await.unwrap();
    assert!(matches!(view, UndoView::Undone { sent: false, .. }), "{view:?}");
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), puts);
}

#[tokio::test]
async fn one_op_id_undoes_once() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    renew(&desk, &key.uid, 90).await;
    let request = undo_line(desk.line(Act::Renew).id, None);
    desk.sim.clear_requests();
    let first = desk.keys.undo(request.clone()).await.unwrap();
    assert_eq!(desk.keys.undo(request).await.unwrap(), first);
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 1);
}

#[tokio::test]
async fn an_undo_of_a_key_that_is_gone_says_so() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    edit(&desk, &key, "release-robot", &key.description).await;
    let line = desk.line(Act::Edit);
    desk.sim.remove_key(&key.uid);
    assert_eq!(undo(&desk, &line).await.unwrap_err().code, ErrorCode::KeyGone);
    assert!(!desk.line(Act::Edit).can_undo, "and is not offered any more");

    // Deleted by this app: not even asked.
    let key = desk.listed("backup-verify").await;
    renew(&desk, &key.uid, 60).await;
    let request = DeleteRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: key.uid,
        typed_name: "backup-verify".into(),
    };
    desk.keys.delete_key(request).await.unwrap();
    assert!(!desk.line(Act::Renew).can_undo);
}

#[tokio::test]
async fn an_end_that_has_passed_meanwhile_is_not_set_again() {
    let desk = Desk::admin().await;
    let expired = desk.listed("vertex-sandbox").await;
    let key = renew(&desk, &expired.uid, 30).await;
    let failure = undo(&desk, &desk.line(Act::Renew)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ExpiryPast);
    assert!(failure.message.contains("Nothing was changed"), "{}", failure.message);
    assert_eq!(desk.listed("vertex-sandbox").await.expires, key.expires);

    // A revoked key that ended meanwhile: re-activating it would not make it work.
    let soon = desk.sim.add_key(NewKey {
        expiry: Some(desk.sim.now().checked_add(SignedDuration::from_secs(60)).unwrap()),
        ..NewKey::named("soon")
    });
    desk.list(true).await;
    revoke(&desk, &soon.uid).await;
    desk.sim.advance_seconds(120);
    let failure = undo(&desk, &desk.line(Act::Revoke)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeyIsExpired);
}

#[tokio::test]
async fn a_name_that_is_taken_meanwhile_is_not_given_again() {
    let desk = Desk::admin().await;
    let key = desk.listed("release-bot").await;
    edit(&desk, &key, "release-robot", &key.description).await;
    let line = desk.line(Act::Edit);
    desk.created(&desk.new_key("release-bot")).await;
    assert_eq!(undo(&desk, &line).await.unwrap_err().code, ErrorCode::NameTaken);
}

#[tokio::test]
async fn a_permission_that_was_lost_is_said_and_nothing_is_changed() {
    let desk = Desk::admin().await;
    let key = desk.listed("capacity-report").await;
    renew(&desk, &key.uid, 60).await;
    let line = desk.line(Act::Renew);
    let now = desk.sim.key(&key.uid).unwrap();
    desk.sim.set_user_roles(&desk.sim.admin().uid, &["Tenant Viewer"]);
    let failure = undo(&desk, &line).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::Forbidden, "{}", failure.message);
    assert!(failure.message.contains("Nothing was changed"), "{}", failure.message);
    assert_eq!(desk.sim.key(&key.uid).unwrap().expiry, now.expiry);
    let tried = desk.line(Act::Edit);
    assert_eq!((tried.state, tried.undoes), (ActState::Failed, Some(line.id)));
}

#[tokio::test]
async fn a_lost_answer_claims_nothing() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    renew(&desk, &key.uid, 90).await;
    let line = desk.line(Act::Renew);
    let put = Matcher::on("PUT", &format!("/v1/apiKeys/{}", key.uid));
    desk.sim.set_fault(put, Fault::error(500, "Internal", "no"), None);
    assert_eq!(undo(&desk, &line).await.unwrap_err().code, ErrorCode::OutcomeUnknown);
    desk.line_ended(Act::Edit, ActState::Unknown);
    desk.sim.clear_faults();
    assert_eq!(undone(&desk, &line).await.expires, key.expires, "it can be tried again");
}

#[tokio::test]
async fn taking_back_a_re_activation_goes_on_when_the_server_is_away() {
    let desk = Desk::admin().await;
    let key = desk.listed("leaked-in-slack").await;
    desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap();
    let line = desk.line(Act::Reactivate);
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{}/state", key.uid));
    desk.sim.set_fault(state, Fault::error(503, "Unavailable", "later"), None);
    let view = undo(&desk, &line).await.unwrap();
    assert!(matches!(view, UndoView::Unconfirmed { .. }), "{view:?}");
    assert_eq!(desk.keys.outbox().items.len(), 1, "it is tried on");
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    assert!(!desk.sim.key(&key.uid).unwrap().active);
}

#[tokio::test]
async fn a_re_activation_of_the_key_that_signs_in_by_now_is_not_taken_back() {
    let desk = Desk::admin().await;
    let key = desk.sim.add_key(NewKey {
        active: false,
        owner_uid: Some(desk.sim.admin().uid),
        ..NewKey::named("back")
    });
    desk.list(true).await;
    desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap();
    let line = desk.line(Act::Reactivate);
    let (connection, change) =
        (desk.connection.clone(), SignInChange::Key { uid: key.uid.clone() });
    desk.keys.change_sign_in(SignInChangeRequest { connection, change }).unwrap();
    desk.sim.clear_requests();
    let failure = undo(&desk, &line).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::SignsThisAppIn, "{}", failure.message);
    assert!(desk.sim.key(&key.uid).unwrap().active && desk.sent("PUT", "/") == 0);
    assert!(desk.keys.outbox().items.is_empty());
}

#[tokio::test]
async fn the_last_reversible_act_steps_back_through_the_time_line() {
    let mut desk = Desk::admin().await;
    assert_eq!(last(&desk), None);
    let key = desk.listed("ci-prod").await;
    let other = desk.listed("release-bot").await;
    edit(&desk, &key, "ci-prod-eu", &key.description).await;
    renew(&desk, &key.uid, 60).await;
    revoke(&desk, &other.uid).await;
    let mut acts = Vec::new();
    desk.crash();
    desk.select().await;
    desk.list(true).await;
    while let Some(line) = last(&desk) {
        acts.push(line.act);
        undone(&desk, &line).await;
        assert!(acts.len() < 9, "{acts:?}");
    }
    assert_eq!(acts, [Act::Revoke, Act::Renew, Act::Edit], "and never an undo");
    // What was undone and done again is an act like any other.
    let undo_of_edit = desk.line(Act::Edit);
    let key = undone(&desk, &undo_of_edit).await;
    assert_eq!(key.name, "ci-prod-eu");
    let again = last(&desk).unwrap();
    assert_eq!(undone(&desk, &again).await.name, "ci-prod");
    assert_eq!(last(&desk), None);
}

#[tokio::test]
async fn a_toast_takes_back_its_own_act() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    renew(&desk, &key.uid, 60).await;
    edit(&desk, &desk.listed("ci-prod").await, "ci-prod-eu", &key.description).await;
    let target = UndoTarget::Act {
        connection: desk.connection.clone(),
        uid: key.uid.clone(),
        act: Act::Renew,
    };
    let request = UndoRequest { op_id: op(), target, seen: None };
    let view = desk.keys.undo(request).await.unwrap();
    assert!(matches!(view, UndoView::Undone { act: Act::Renew, .. }), "{view:?}");
    let truth = desk.sim.key(&key.uid).unwrap();
    assert_eq!(truth.name, "ci-prod-eu");
    assert_eq!(truth.expiry.map(jiff::Timestamp::as_millisecond), key.expires);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_refused() {
    let desk = Desk::admin().await;
    desk.created(&desk.new_key("a")).await;
    for line in [desk.line(Act::Create).id, desk.line(Act::Connect).id, 9_999, -1] {
        let failure = desk.keys.undo(undo_line(line, None)).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::NotReversible);
    }
}

#[tokio::test]
async fn ten_thousand_lines_are_read_by_page_and_filtered_by_all_there_is() {
    use palette_keys_core::keys::activity::ActivityFilter;
    use palette_keys_core::store::FILE_NAME;
    let desk = Desk::admin().await;
    let begun = desk.clock.now();
    let ms = begun.as_millisecond();
    // In one transaction: what is looked at is the reading.
    let mut raw = rusqlite::Connection::open(desk.folder().join(FILE_NAME)).unwrap();
    let writing = raw.transaction().unwrap();
    for number in 0..10_000_i64 {
        let act = if number % 10 == 0 { "renew" } else { "copy" };
        let state = if number % 2 == 0 { "done" } else { "failed" };
        writing
            .execute(
                "INSERT INTO journal (asked_at, connection, connection_name, act, state, key_uid,
                                      key_name, owner_name, detail)
                 VALUES (?1, 'acme', 'acme', ?2, ?3, ?4, ?5, 'Jane Doe', 'Copied')",
                rusqlite::params![
                    ms - (10_000 - number) * 1_000,
                    act,
                    state,
                    format!("{number:024x}"),
                    format!("key_{number} 100%"),
                ],
            )
            .unwrap();
    }
    writing.commit().unwrap();
    let read = |filter: ActivityFilter, before: Option<i64>| {
        let request = ActivityRequest { connection: None, before, limit: 50, filter };
        desk.keys.list_activity(request).unwrap()
    };
    let count = |filter: ActivityFilter| {
        let (mut seen, mut before) = (0, None);
        loop {
            let page = read(filter.clone(), before);
            assert!(page.len() <= 50);
            let Some(last) = page.last() else { return seen };
            before = Some(last.id);
            seen += page.len();
        }
    };
    let text = |text: &str| ActivityFilter { text: text.into(), ..ActivityFilter::default() };
    assert_eq!(count(ActivityFilter::default()), 10_001, "and the connection itself");
    assert_eq!(count(text("KEY_7 jane")), 1_111, "7, 70 to 79, 700 to 799, …");
    assert_eq!(count(text("key_999")), 11);
    assert_eq!(count(text("keyX999")), 0, "no wildcard of ours");
    assert_eq!(count(text("100%")), 10_000);
    assert_eq!(count(text("10_%")), 0);
    assert_eq!(count(text("nobody")), 0);
    let acts = |acts: &[Act]| ActivityFilter { acts: acts.to_vec(), ..ActivityFilter::default() };
    assert_eq!(count(acts(&[Act::Renew])), 1_000);
    assert_eq!(count(acts(&[Act::Renew, Act::Connect])), 1_001);
    let failed = ActivityFilter { states: vec![ActState::Failed], ..acts(&[Act::Renew]) };
    assert_eq!(count(failed), 0, "every tenth is an even one");
    let from = begun.checked_sub(SignedDuration::from_secs(100)).unwrap().as_millisecond();
    let until = begun.checked_sub(SignedDuration::from_secs(50)).unwrap().as_millisecond();
    let span = ActivityFilter { from: Some(from), until: Some(until), ..text("key_") };
    assert_eq!(count(span), 50);
    assert!(read(text("nobody"), None).is_empty());
}
