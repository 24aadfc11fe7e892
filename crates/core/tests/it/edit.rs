//! Edit and renew: everything else on the key stays, and no change of another is overwritten unseen.

use crate::desk::{Desk, op};
use jiff::{SignedDuration, Timestamp};
use palette_keys_core::ErrorCode;
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::edit::{EditBase, EditRequest, EditView};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::renew::RenewRequest;
use palette_keys_core::keys::{KeyView, Status};
use palette_sim::{Fault, Matcher, NewKey};
use std::collections::BTreeMap;

fn edit(desk: &Desk, key: &KeyView, name: &str, description: &str) -> EditRequest {
    EditRequest {
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
    }
}

fn renew(desk: &Desk, uid: &str, days: u32) -> RenewRequest {
    RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.into(),
        expiry: ExpiryChoice::Days { days },
    }
}

fn on_put(uid: &str) -> Matcher {
    Matcher::on("PUT", &format!("/v1/apiKeys/{uid}"))
}

/// A key with annotations and labels of somebody's own.
async fn labelled() -> (Desk, KeyView) {
    let desk = Desk::admin().await;
    let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    desk.sim.add_key(NewKey {
        description: "before".into(),
        annotations: BTreeMap::from([text("team", "platform"), text("ticket", "OPS-1")]),
        labels: BTreeMap::from([text("env", "prod"), text("bare", "")]),
        expiry: Some(desk.sim.now().checked_add(SignedDuration::from_hours(900)).unwrap()),
        ..NewKey::named("labelled")
    });
    desk.list(true).await;
    let key = desk.listed("labelled").await;
    (desk, key)
}

#[tokio::test]
async fn an_edit_changes_what_was_changed_and_nothing_else() {
    let (desk, key) = labelled().await;
    let before = desk.sim.key(&key.uid).unwrap();
    let request = edit(&desk, &key, " renamed ", "after\nin two lines");
    let EditView::Saved { key: saved } = desk.keys.edit_key(request).await.unwrap() else {
        panic!("a conflict")
    };
    assert_eq!(
        (saved.name.as_str(), saved.description.as_str()),
        ("renamed", "after\nin two lines")
    );
    let after = desk.sim.key(&key.uid).unwrap();
    assert_eq!((&after.annotations, &after.labels), (&before.annotations, &before.labels));
    assert_eq!((after.expiry, after.active, after.value), (before.expiry, true, before.value));
    assert_eq!(desk.listed("renamed").await.uid, key.uid);
    desk.line_ended(Act::Edit, ActState::Done);
    let line = desk.line(Act::Edit);
    assert!(line.detail.contains("name: renamed"), "{}", line.detail);
}

#[tokio::test]
async fn nothing_is_sent_when_nothing_changes() {
    let (desk, key) = labelled().await;
    let request = edit(&desk, &key, &key.name, &key.description);
    assert!(matches!(desk.keys.edit_key(request).await.unwrap(), EditView::Saved { .. }));
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 0);
}

#[tokio::test]
async fn a_change_of_somebody_else_is_a_conflict_and_is_shown() {
    let (desk, key) = labelled().await;
    desk.sim.edit_key_directly(&key.uid, |key| key.description = "theirs".into());
    let request = edit(&desk, &key, "mine", "mine");
    let EditView::Conflict { theirs } = desk.keys.edit_key(request.clone()).await.unwrap() else {
        panic!("no conflict")
    };
    assert_eq!(theirs.description, "theirs");
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 0);
    assert_eq!(desk.listed("labelled").await.description, "theirs", "the list knows");

    let base = EditBase { description: "theirs".into(), ..request.base.clone() };
    let overwrite = EditRequest { op_id: op(), base, ..request };
    assert!(matches!(desk.keys.edit_key(overwrite).await.unwrap(), EditView::Saved { .. }));
    assert_eq!(desk.sim.key(&key.uid).unwrap().name, "mine");
}

#[tokio::test]
async fn names_are_checked_only_when_they_change() {
    let desk = Desk::admin().await;
    desk.sim.add_key(NewKey::named("odd\u{202e}name"));
    desk.list(true).await;
    let odd = desk.listed("odd\u{202e}name").await;
    let kept = desk.keys.edit_key(edit(&desk, &odd, &odd.name, "new")).await.unwrap();
    assert!(matches!(kept, EditView::Saved { .. }), "another client gave that name");
    let odd = desk.listed("odd\u{202e}name").await;
    for (name, code) in [
        ("", ErrorCode::NameEmpty),
        ("a\tb", ErrorCode::NameHasControlCharacters),
        ("ci-prod", ErrorCode::NameTaken),
    ] {
        let failure = desk.keys.edit_key(edit(&desk, &odd, name, "")).await.unwrap_err();
        assert_eq!(failure.code, code);
    }
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    for fault in [Fault::ResetAfterHandling, Fault::HangAfterHandling] {
        let (desk, key) = labelled().await;
        desk.sim.set_fault(on_put(&key.uid), fault.clone(), Some(1));
        let saved = desk.keys.edit_key(edit(&desk, &key, "renamed", "")).await;
        assert!(matches!(saved, Ok(EditView::Saved { .. })), "{fault:?}: {saved:?}");
    }
    let (desk, key) = labelled().await;
    desk.sim.set_fault(on_put(&key.uid), Fault::error(500, "Internal", "no"), None);
    let failure = desk.keys.edit_key(edit(&desk, &key, "renamed", "")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown);
    assert!(failure.message.contains("as it was"), "{}", failure.message);
    desk.line_ended(Act::Edit, ActState::Unknown);

    // Accepted by something that changes nothing.
    desk.sim.clear_faults();
    desk.sim.set_fault(on_put(&key.uid), Fault::status(204, "application/json", ""), None);
    let failure = desk.keys.edit_key(edit(&desk, &key, "renamed", "")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown);
    assert!(failure.message.contains("does not show it"), "{}", failure.message);
}

#[tokio::test]
async fn a_refused_edit_says_that_nothing_was_changed() {
    let (desk, key) = labelled().await;
    desk.sim.set_fault(on_put(&key.uid), Fault::error(403, "OperationForbidden", "no"), None);
    let failure = desk.keys.edit_key(edit(&desk, &key, "renamed", "")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::Forbidden);
    assert!(failure.message.contains("Nothing was changed"), "{}", failure.message);
    desk.line_ended(Act::Edit, ActState::Failed);
}

#[tokio::test]
async fn an_edit_of_a_key_that_is_gone_says_so() {
    let (desk, key) = labelled().await;
    desk.sim.remove_key(&key.uid);
    let failure = desk.keys.edit_key(edit(&desk, &key, "renamed", "")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeyGone);
    assert!(desk.list(false).await.keys.iter().all(|known| known.uid != key.uid));
}

#[tokio::test]
async fn an_edit_can_move_the_end() {
    let (desk, key) = labelled().await;
    let expiry = Some(ExpiryChoice::At { date: "2027-06-01".into(), time: "12:00".into() });
    let request = EditRequest { expiry, ..edit(&desk, &key, &key.name, &key.description) };
    let EditView::Saved { key } = desk.keys.edit_key(request).await.unwrap() else { panic!() };
    let end: Timestamp = "2027-06-01T10:00:00Z".parse().unwrap();
    assert_eq!(key.expires, Some(end.as_millisecond()));
}

#[tokio::test]
async fn an_expired_key_works_again_after_a_renewal_and_a_revoked_one_stays_revoked() {
    let desk = Desk::admin().await;
    let expired = desk.listed("vertex-sandbox").await;
    assert_eq!(expired.status, Status::Expired);
    let view = desk.keys.renew_key(renew(&desk, &expired.uid, 30)).await.unwrap();
    assert_eq!(view.key.status, Status::Active);
    assert_eq!(view.key.description, "Trial of the FIPS edition");
    desk.line_ended(Act::Renew, ActState::Done);

    let revoked = desk.listed("leaked-in-slack").await;
    let view = desk.keys.renew_key(renew(&desk, &revoked.uid, 90)).await.unwrap();
    assert_eq!(view.key.status, Status::Revoked);

    let failure = desk.keys.renew_key(renew(&desk, &revoked.uid, 0)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ExpiryPast);
}

#[tokio::test]
async fn one_op_id_renews_once() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let request = renew(&desk, &key.uid, 30);
    let first = desk.keys.renew_key(request.clone()).await.unwrap();
    assert_eq!(desk.keys.renew_key(request).await.unwrap(), first);
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 1);
}
