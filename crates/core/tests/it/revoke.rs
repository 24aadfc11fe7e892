//! Revoke, re-activate, delete: nothing is said that a fresh read of the server does not show.

use crate::desk::{Desk, op};
use jiff::SignedDuration;
use palette_keys_core::ErrorCode;
use palette_keys_core::connection::ConnectionState;
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::keys::delete::DeleteRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::keys::{Flag, Status};
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest, OutboxGiveUpRequest, OutboxState};
use palette_sim::{Fault, Matcher};

fn on_state(uid: &str) -> Matcher {
    Matcher::on("PUT", &format!("/v1/apiKeys/{uid}/state"))
}

fn on_key(method: &str, uid: &str) -> Matcher {
    Matcher::on(method, &format!("/v1/apiKeys/{uid}"))
}

fn delete(desk: &Desk, uid: &str, typed_name: &str) -> DeleteRequest {
    DeleteRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.into(),
        typed_name: typed_name.into(),
    }
}

#[tokio::test]
async fn a_revocation_is_confirmed_by_a_fresh_read_and_can_be_undone() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let RevokeView::Confirmed { key: Some(revoked), refused_at: None } = view else {
        panic!("{view:?}")
    };
    assert_eq!(revoked.status, Status::Revoked);
    assert!(!desk.sim.key(&key.uid).unwrap().active);
    assert_eq!(desk.listed("ci-prod").await.status, Status::Revoked, "the list knows at once");
    let line = desk.line(Act::Revoke);
    assert!(line.can_undo && line.state == ActState::Done, "{line:?}");

    let again = desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap();
    assert_eq!(again.key.status, Status::Expiring);
    assert!(desk.sim.key(&key.uid).unwrap().active);
    assert!(!desk.line(Act::Revoke).can_undo, "undone");
}

#[tokio::test]
async fn a_value_that_we_have_is_proved_to_be_refused() {
    let desk = Desk::admin().await;
    for save_to_keychain in [true, false] {
        let name = format!("proved {save_to_keychain}");
        let request = CreateRequest { save_to_keychain, ..desk.new_key(&name) };
        let uid = desk.created(&request).await.uid.unwrap();
        let view = desk.keys.revoke_key(desk.act(&uid)).await.unwrap();
        let RevokeView::Confirmed { refused_at: Some(at), .. } = view else { panic!("{view:?}") };
        assert!((desk.sim.now().as_millisecond() - at).abs() < 5_000);
        let line = desk.line(Act::Revoke);
        assert!(line.detail.contains("Refused by Palette at "), "{}", line.detail);
    }
    let states = desk.list(false).await;
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn, "only the value was refused");
    assert!(states.problem.is_none());
}

#[tokio::test]
async fn one_op_id_revokes_once() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let request = desk.act(&key.uid);
    let calls = (0..8).map(|_| {
        let (keys, request) = (desk.keys.clone(), request.clone());
        tokio::spawn(async move { keys.revoke_key(request).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(matches!(call.await.unwrap(), Ok(RevokeView::Confirmed { .. })));
    }
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 1);
}

#[tokio::test]
async fn a_lost_answer_is_looked_at_again_and_sent_again_while_the_key_is_active() {
    for fault in [
        Fault::ResetAfterHandling,
        Fault::ResetBeforeHandling,
        Fault::HangAfterHandling,
        Fault::error(500, "InternalError", "sorry"),
        Fault::status(502, "text/html", "<h1>Bad gateway</h1>"),
        Fault::error(504, "Timeout", "sorry"),
        Fault::HtmlOk,
        Fault::RateLimited { retry_after: None },
    ] {
        let desk = Desk::admin().await;
        let key = desk.listed("ci-prod").await;
        desk.sim.set_fault(on_state(&key.uid), fault.clone(), Some(1));
        let view = desk.keys.revoke_key(desk.act(&key.uid)).await;
        assert!(matches!(view, Ok(RevokeView::Confirmed { .. })), "{fault:?}: {view:?}");
        assert!(!desk.sim.key(&key.uid).unwrap().active, "{fault:?}");
    }
}

#[tokio::test]
async fn what_the_server_does_not_confirm_is_not_claimed() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    // 204 from something that is not the server: the key goes on working.
    desk.sim.set_fault(on_state(&key.uid), Fault::status(204, "application/json", ""), None);
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let RevokeView::Unconfirmed { problem } = view else { panic!("{view:?}") };
    assert_eq!(problem.code, ErrorCode::OutcomeUnknown);
    let listed = desk.listed("ci-prod").await;
    assert_eq!(listed.status, Status::Expiring);
    assert!(listed.flags.contains(&Flag::Revoking), "{:?}", listed.flags);
    desk.line_ended(Act::Revoke, ActState::Asked);

    // Sent for good, but nothing can be read back.
    desk.sim.clear_faults();
    desk.sim.set_fault(on_key("GET", &key.uid), Fault::error(503, "Unavailable", "later"), None);
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    assert!(matches!(view, RevokeView::Unconfirmed { .. }), "{view:?}");
    assert!(!desk.sim.key(&key.uid).unwrap().active);

    // Once it can be read, the same question has its answer.
    desk.sim.clear_faults();
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    assert!(matches!(view, RevokeView::Confirmed { .. }), "{view:?}");
    let lines = desk.activity();
    let lines = lines.iter().filter(|line| line.act == Act::Revoke).count();
    assert_eq!(lines, 1, "one record, one line");
    assert_eq!(desk.line(Act::Revoke).state, ActState::Done);
    assert!(desk.listed("ci-prod").await.flags.iter().all(|flag| *flag != Flag::Revoking));
}

#[tokio::test]
async fn a_server_that_is_away_gets_it_when_it_is_back_also_after_a_crash() {
    let mut desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    desk.sim.go_down().await;
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let RevokeView::Unconfirmed { problem } = view else { panic!("{view:?}") };
    assert_eq!(problem.code, ErrorCode::HostUnreachable, "{}", problem.message);
    let waiting = desk.keys.outbox();
    assert_eq!(waiting.items.len(), 1);
    assert!(waiting.items[0].recorded && waiting.items[0].attempts >= 1, "{waiting:?}");
    desk.crash();
    let waiting = desk.keys.outbox();
    assert_eq!((waiting.items.len(), &*waiting.items[0].key_uid), (1, &*key.uid));
    desk.sim.come_back().await.unwrap();
    desk.keys.wake();
    desk.drained().await;
    assert!(!desk.sim.key(&key.uid).unwrap().active);
    desk.line_ended(Act::Revoke, ActState::Done);
    assert!(desk.line(Act::Revoke).can_undo);
}

#[tokio::test]
async fn a_key_that_is_gone_is_confirmed_only_when_a_list_says_so() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    let not_found = || Fault::error(404, "ResourceNotFound", "not here");
    desk.sim.set_fault(on_state(&key.uid), not_found(), None);
    desk.sim.set_fault(Matcher::on("PATCH", "/v1/apiKeys"), not_found(), None);
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    let RevokeView::Unconfirmed { problem } = view else { panic!("{view:?}") };
    assert_eq!(problem.code, ErrorCode::KeyGone, "a read still shows it");
    assert!(desk.sim.key(&key.uid).unwrap().active);

    desk.sim.clear_faults();
    desk.sim.remove_key(&key.uid);
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    assert!(matches!(view, RevokeView::Confirmed { key: None, .. }), "{view:?}");
    assert!(desk.list(false).await.keys.iter().all(|known| known.uid != key.uid));
}

#[tokio::test]
async fn the_key_that_signs_in_is_known_and_its_revocation_is_told_honestly() {
    let desk = Desk::user().await;
    // A plain user whose only working key it is.
    let sign_in = desk.sim.user().api_key_uid;
    for key in desk.sim.keys() {
        if key.owner_uid == desk.sim.user().uid && key.uid != sign_in {
            desk.sim.remove_key(&key.uid);
        }
    }
    let list = desk.list(true).await;
    let flagged: Vec<_> =
        list.keys.iter().filter(|key| key.flags.contains(&Flag::SignsIn)).collect();
    assert_eq!(flagged.len(), 1);
    assert_eq!(flagged[0].uid, sign_in);
    // Still known when there are more.
    desk.created(&desk.new_key("another")).await;
    let list = desk.list(true).await;
    assert!(list.keys.iter().any(|key| key.uid == sign_in && key.flags.contains(&Flag::SignsIn)));

    let stopped = desk.keys.revoke_key(desk.act(&sign_in)).await.unwrap_err();
    assert_eq!(stopped.code, ErrorCode::SignsThisAppIn);
    assert!(desk.sim.key(&sign_in).unwrap().active);
    let view = desk.keys.revoke_signing_key(desk.act(&sign_in)).await.unwrap();
    let RevokeView::Unconfirmed { problem } = view else { panic!("{view:?}") };
    assert!(problem.message.contains("Sign in with another"), "{}", problem.message);
    assert!(!desk.sim.key(&sign_in).unwrap().active);
    assert_eq!(desk.select().await.state, ConnectionState::NeedsSignIn);
}

#[tokio::test]
async fn an_expired_key_is_not_re_activated() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    desk.sim.advance_seconds(SignedDuration::from_hours(24 * 7).as_secs());
    let failure = desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeyIsExpired, "{}", failure.message);
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 1, "only the revocation was sent");
}

#[tokio::test]
async fn a_re_activation_is_confirmed_too() {
    let desk = Desk::admin().await;
    let key = desk.listed("old-ci").await;
    desk.sim.set_fault(on_state(&key.uid), Fault::status(204, "application/json", ""), Some(1));
    let failure = desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{}", failure.message);
    desk.sim.set_fault(on_state(&key.uid), Fault::ResetAfterHandling, Some(1));
    let view = desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap();
    assert_eq!(view.key.status, Status::Expiring);
}

#[tokio::test]
async fn a_key_is_deleted_by_its_typed_name_and_its_value_leaves_the_keychain() {
    let desk = Desk::admin().await;
    let uid = desk.created(&desk.new_key("short-lived")).await.uid.unwrap();
    let failure = desk.keys.delete_key(delete(&desk, &uid, "short")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::NameMismatch);
    assert_eq!(desk.sent("DELETE", "/v1/apiKeys"), 0);
    assert!(desk.stored_value(&uid).await.is_some());

    let view = desk.keys.delete_key(delete(&desk, &uid, "short-lived ")).await.unwrap();
    assert!(view.removed_from_keychain);
    assert_eq!(desk.sim.key(&uid), None);
    assert_eq!(desk.stored_value(&uid).await, None);
    assert!(desk.list(false).await.keys.iter().all(|key| key.uid != uid));
    desk.line_ended(Act::Delete, ActState::Done);
    let failure = desk.keys.delete_key(delete(&desk, &uid, "short-lived")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::KeyGone);
}

#[tokio::test]
async fn a_lost_answer_to_a_deletion_is_settled_by_reading() {
    for fault in [Fault::ResetAfterHandling, Fault::HangAfterHandling] {
        let desk = Desk::admin().await;
        let uid = desk.listed("homelab-sync").await.uid;
        desk.sim.set_fault(on_key("DELETE", &uid), fault.clone(), Some(1));
        let deleted = desk.keys.delete_key(delete(&desk, &uid, "homelab-sync")).await;
        assert!(deleted.is_ok(), "{fault:?}: {deleted:?}");
        assert_eq!(desk.sim.key(&uid), None);
    }
    let desk = Desk::admin().await;
    let uid = desk.listed("homelab-sync").await.uid;
    desk.sim.set_fault(on_key("DELETE", &uid), Fault::error(500, "Internal", "no"), None);
    let failure = desk.keys.delete_key(delete(&desk, &uid, "homelab-sync")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{}", failure.message);
    desk.line_ended(Act::Delete, ActState::Asked);
    // A proxy's 404 is no proof that anything is gone.
    desk.sim.clear_faults();
    desk.sim.set_fault(on_key("DELETE", &uid), Fault::HtmlNotFound, None);
    assert!(desk.keys.delete_key(delete(&desk, &uid, "homelab-sync")).await.is_err());
    assert!(desk.sim.key(&uid).is_some());
    assert!(desk.list(false).await.keys.iter().any(|key| key.uid == uid));
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    assert_eq!(desk.sim.key(&uid), None);
    desk.line_ended(Act::Delete, ActState::Done);
}

#[tokio::test]
async fn hostile_uids_reach_no_path() {
    let desk = Desk::admin().await;
    for uid in ["../users", "a/b", "%2e%2e", "?x", "#", "", "a\r\nb", &"x".repeat(1_000)] {
        let failure = desk.keys.revoke_key(desk.act(uid)).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::Internal);
        assert!(desk.keys.delete_key(delete(&desk, uid, "x")).await.is_err());
    }
    assert!(desk.sim.requests().is_empty());
}

#[tokio::test]
async fn what_a_plain_user_may_not_do_is_the_servers_word() {
    let desk = Desk::user().await;
    let uid = desk.sim.key_named("ci-prod").unwrap().uid;
    let view = desk.keys.revoke_key(desk.act(&uid)).await.unwrap();
    let RevokeView::Unconfirmed { problem } = view else { panic!("{view:?}") };
    assert!(
        matches!(problem.code, ErrorCode::Forbidden | ErrorCode::KeyGone | ErrorCode::Refused),
        "{problem:?}"
    );
    assert!(desk.sim.key(&uid).unwrap().active);
    assert_eq!(desk.keys.outbox().items[0].state, OutboxState::Blocked);
}

#[tokio::test]
async fn only_what_can_still_be_undone_is_offered() {
    let desk = Desk::admin().await;
    let uid = desk.listed("ci-prod").await.uid;
    desk.keys.revoke_key(desk.act(&uid)).await.unwrap();
    assert!(desk.line(Act::Revoke).can_undo);
    desk.sim.edit_key_directly(&uid, |key| key.active = true);
    desk.list(true).await;
    assert!(!desk.line(Act::Revoke).can_undo, "somebody else undid it");
    desk.sim.remove_key(&uid);
    desk.list(true).await;
    assert!(!desk.line(Act::Revoke).can_undo, "nothing is left to undo");
}

#[tokio::test]
async fn many_are_confirmed_by_lists_and_the_rest_can_be_stopped() {
    let desk = Desk::admin().await;
    let uids: Vec<String> = desk
        .list(false)
        .await
        .keys
        .into_iter()
        .filter(|key| key.uid != desk.sim.admin().api_key_uid && key.status != Status::Revoked)
        .map(|key| key.uid)
        .take(12)
        .collect();
    assert_eq!(uids.len(), 12);
    let request = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Revoke,
        uids: uids.clone(),
    };
    let view = desk.keys.add_to_outbox(request.clone()).await.unwrap();
    assert_eq!(view.items.len(), 12);
    assert_eq!(desk.keys.add_to_outbox(request).await.unwrap(), view, "one op_id, one act");
    desk.drained().await;
    assert!(uids.iter().all(|uid| !desk.sim.key(uid).unwrap().active));
    assert_eq!(desk.sent("PUT", "/v1/apiKeys"), 12);
    assert!(desk.sent("GET", "/v1/apiKeys") <= 2, "confirmed together");
    let done = desk.activity().into_iter().filter(|line| line.act == Act::Revoke);
    assert!(done.map(|line| line.state).all(|state| state == ActState::Done));

    // Stopped before anything could be sent.
    let desk = Desk::admin().await;
    desk.sim.go_down().await;
    let request = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Revoke,
        uids: desk.list(false).await.keys.into_iter().map(|key| key.uid).collect(),
    };
    let view = desk.keys.add_to_outbox(request).await.unwrap();
    let all: Vec<String> = view.items.iter().map(|item| item.record.clone()).collect();
    let stop = |records, unsent_only| OutboxGiveUpRequest { op_id: op(), records, unsent_only };
    let left = desk.keys.give_up(stop(all.clone(), true)).await.unwrap();
    assert!(left.items.len() < all.len(), "what was on its way stays: {}", left.items.len());
    let left = desk.keys.give_up(stop(all, false)).await.unwrap();
    assert_eq!(left.items, []);
    let line = desk.line(Act::Revoke);
    assert!(matches!(line.state, ActState::Failed | ActState::Unknown), "{line:?}");
}

#[tokio::test]
async fn a_connection_stays_while_revocations_need_it_and_a_re_activation_withdraws_one() {
    let desk = Desk::admin().await;
    let key = desk.listed("ci-prod").await;
    desk.sim.set_fault(on_state(&key.uid), Fault::error(403, "OperationForbidden", "no"), Some(1));
    let view = desk.keys.revoke_key(desk.act(&key.uid)).await.unwrap();
    assert!(matches!(view, RevokeView::Unconfirmed { .. }), "{view:?}");
    let request =
        palette_keys_core::connection::ConnectionRequest { connection: desk.connection.clone() };
    let refused = desk.keys.remove_connection(request.clone()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RevocationsOpen);
    assert!(refused.message.starts_with("1 revocation still needs"), "{}", refused.message);

    let view = desk.keys.reactivate_key(desk.act(&key.uid)).await.unwrap();
    assert_eq!(view.key.status, Status::Expiring);
    assert_eq!(desk.keys.outbox().items, []);
    assert!(desk.line(Act::Revoke).detail.starts_with("withdrawn"));
    desk.keys.remove_connection(request).await.unwrap();
}

#[tokio::test]
async fn the_key_that_signs_in_goes_last() {
    let desk = Desk::user().await;
    let own = desk.sim.user().api_key_uid;
    for key in desk.sim.keys() {
        if key.owner_uid == desk.sim.user().uid && key.uid != own {
            desk.sim.remove_key(&key.uid);
        }
    }
    // The only one it can be: known from now on.
    desk.list(true).await;
    let one = desk.created(&desk.new_key("one")).await.uid.unwrap();
    let two = desk.created(&desk.new_key("two")).await.uid.unwrap();
    let request = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Revoke,
        uids: vec![one.clone(), two.clone()],
    };
    let revoked = desk.keys.revoke_signing_key(desk.act(&own));
    let (added, _) = tokio::join!(desk.keys.add_to_outbox(request), revoked);
    added.unwrap();
    let alone = async {
        loop {
            let items = desk.keys.outbox().items;
            if items.len() == 1 && items[0].state == OutboxState::Blocked {
                return items;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let left = tokio::time::timeout(std::time::Duration::from_secs(20), alone).await.unwrap();
    assert_eq!(left[0].key_uid, own, "its end nobody but another credential can confirm");
    assert!([&own, &one, &two].into_iter().all(|uid| !desk.sim.key(uid).unwrap().active));
    let puts = desk.sim.requests().into_iter().filter(|request| request.method == "PUT");
    let puts: Vec<String> = puts.map(|request| request.path).collect();
    assert!(puts.last().unwrap().contains(&own), "{puts:?}");
}

#[tokio::test]
async fn a_deletion_without_a_server_is_written_down_by_the_known_name() {
    let mut desk = Desk::admin().await;
    let uid = desk.listed("homelab-sync").await.uid;
    desk.sim.go_down().await;
    let wrong = desk.keys.delete_key(delete(&desk, &uid, "homelab")).await.unwrap_err();
    assert_eq!(wrong.code, ErrorCode::NameMismatch);
    assert_eq!(desk.keys.outbox().items, []);
    let failure = desk.keys.delete_key(delete(&desk, &uid, "homelab-sync")).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{}", failure.message);
    assert!(desk.listed("homelab-sync").await.flags.contains(&Flag::Revoking));
    desk.crash();
    desk.sim.come_back().await.unwrap();
    desk.keys.wake();
    desk.drained().await;
    assert_eq!(desk.sim.key(&uid), None);
}
