//! Bulk: what was asked of many keys is done to each or said not to be, whatever happens between.

use crate::desk::{Desk, op};
use jiff::SignedDuration;
use palette_keys_core::ErrorCode;
use palette_keys_core::keys::activity::{Act, ActState, ActivityView};
use palette_keys_core::keys::bulk::{
    BulkAct, BulkEnd, BulkRequest, BulkSkip, BulkStopRequest, BulkView,
};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::{Flag, KeyView, Status};
use palette_keys_core::settings::Settings;
use palette_sim::{Fault, Matcher};
use std::time::Duration;

fn renew(days: u32) -> BulkAct {
    BulkAct::Renew { expiry: ExpiryChoice::Days { days }, reactivate: false }
}

fn request(desk: &Desk, keys: &[KeyView], act: BulkAct) -> BulkRequest {
    BulkRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uids: keys.iter().map(|key| key.uid.clone()).collect(),
        act,
    }
}

/// The first keys that are not signed in with.
async fn keys(desk: &Desk, fits: impl Fn(&KeyView) -> bool, count: usize) -> Vec<KeyView> {
    let list = desk.list(false).await.keys.into_iter();
    let keys: Vec<_> =
        list.filter(|key| !key.flags.contains(&Flag::SignsIn) && fits(key)).take(count).collect();
    assert_eq!(keys.len(), count, "the seed has such keys");
    keys
}

fn works(key: &KeyView) -> bool {
    matches!(key.status, Status::Active | Status::Expiring)
}

/// Each key is in exactly one part of the answer.
fn accounted(view: &BulkView, asked: usize) {
    let BulkView { changed, failed, skipped, untouched, .. } = view;
    let mut uids: Vec<&str> = changed.iter().map(|key| key.uid.as_str()).collect();
    uids.extend(failed.iter().map(|key| key.uid.as_str()));
    uids.extend(skipped.iter().map(|key| key.uid.as_str()));
    uids.extend(untouched.iter().map(String::as_str));
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), asked, "{view:?}");
}

/// The line of the whole, which is about no single key.
fn line_of_all(desk: &Desk, act: Act) -> ActivityView {
    let lines = desk.activity();
    lines.into_iter().find(|line| line.act == act && line.key_uid.is_none()).expect("a line")
}

#[tokio::test]
async fn all_get_the_same_end_each_with_a_line_of_its_own_and_one_for_the_whole() {
    let desk = Desk::admin().await;
    let keys = keys(&desk, works, 12).await;
    let view = desk.keys.bulk(request(&desk, &keys, renew(45))).await.unwrap();
    assert_eq!((view.changed.len(), view.ends.len()), (12, 12), "{view:?}");
    let end = view.changed[0].expires;
    for key in &view.changed {
        assert_eq!(key.expires, end, "one end for all");
        let truth = desk.sim.key(&key.uid).unwrap();
        assert_eq!(truth.expiry.map(|at| at.as_millisecond()), end, "as on the server");
    }
    let lines = desk.activity();
    let of_keys = lines.iter().filter(|line| line.act == Act::Renew && line.key_uid.is_some());
    assert_eq!(of_keys.filter(|line| line.state == ActState::Done).count(), 12);
    let all = line_of_all(&desk, Act::Renew);
    assert_eq!((all.state, all.key_name.as_deref()), (ActState::Done, Some("12 keys")));
    assert!(all.detail.ends_with(". 12 done"), "{}", all.detail);
    assert!(desk.keys.bulk_runs().is_empty());
}

#[tokio::test]
async fn a_failure_stops_nothing_else_and_is_told_by_name() {
    let desk = Desk::admin().await;
    let keys = keys(&desk, works, 10).await;
    for (key, fault) in [
        (&keys[2], Fault::error(403, "OperationForbidden", "no")),
        (&keys[5], Fault::error(400, "ValidationError", "no")),
    ] {
        let put = Matcher::on("PUT", &format!("/v1/apiKeys/{}", key.uid));
        desk.sim.set_fault(put, fault, None);
    }
    let view = desk.keys.bulk(request(&desk, &keys, renew(45))).await.unwrap();
    accounted(&view, 10);
    assert_eq!((view.changed.len(), view.failed.len()), (8, 2), "{view:?}");
    let code =
        |uid: &str| view.failed.iter().find(|failed| failed.uid == uid).unwrap().problem.code;
    assert_eq!(code(&keys[2].uid), ErrorCode::Forbidden);
    assert!(view.cut_off.is_none());
    let all = line_of_all(&desk, Act::Renew);
    assert!(all.detail.contains("8 done, 2 not done. Not done: "), "{}", all.detail);

    // "Retry failed" is the same act on what failed.
    desk.sim.clear_faults();
    let failed: Vec<_> =
        keys.iter().filter(|key| view.failed.iter().any(|f| f.uid == key.uid)).cloned().collect();
    let again = desk.keys.bulk(request(&desk, &failed, renew(45))).await.unwrap();
    assert_eq!((again.changed.len(), again.failed.len()), (2, 0), "{again:?}");
}

#[tokio::test]
async fn a_server_that_asks_to_wait_is_waited_for() {
    let desk = Desk::admin().await;
    let keys = keys(&desk, works, 8).await;
    // A neighbour has used up what this address may send.
    let limited = Fault::RateLimited { retry_after: None };
    desk.sim.set_fault(Matcher::method("PUT"), limited, Some(3));
    let view = desk.keys.bulk(request(&desk, &keys, renew(45))).await.unwrap();
    assert_eq!(view.changed.len(), 8, "{view:?}");
}

#[tokio::test]
async fn stopped_in_the_middle_it_finishes_what_is_on_its_way_and_names_the_rest() {
    let desk = Desk::admin().await;
    let keys = keys(&desk, works, 14).await;
    desk.sim.set_fault(Matcher::method("PUT"), Fault::DelayMs(150), None);
    let request = request(&desk, &keys, renew(45));
    let stop = BulkStopRequest { op_id: request.op_id.clone() };
    let running = tokio::spawn({
        let (product, request) = (desk.keys.clone(), request.clone());
        async move { product.bulk(request).await }
    });
    let begun = async {
        while desk.keys.bulk_runs().iter().all(|run| run.done == 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), begun).await.unwrap();
    let [run] = &*desk.keys.bulk_runs() else { panic!("one run") };
    assert_eq!((&run.op_id, run.of, run.stopping), (&request.op_id, 14, false));
    desk.keys.stop_bulk(&stop);
    let view = running.await.unwrap().unwrap();
    accounted(&view, 14);
    assert!(!view.changed.is_empty() && !view.untouched.is_empty(), "{view:?}");
    for uid in &view.untouched {
        let before = keys.iter().find(|key| key.uid == *uid).unwrap().expires;
        let now = desk.sim.key(uid).unwrap().expiry.map(|at| at.as_millisecond());
        assert_eq!(now, before, "not begun is as it was");
    }
    assert!(line_of_all(&desk, Act::Renew).detail.contains(" not begun"));
    // Asked again with the same id it is the same act, which is over.
    assert_eq!(desk.keys.bulk(request).await.unwrap(), view);
}

#[tokio::test]
async fn without_a_server_or_a_credential_the_rest_is_left_alone() {
    let desk = Desk::admin().await;
    let many = keys(&desk, works, 14).await;
    desk.sim.go_down().await;
    let view = desk.keys.bulk(request(&desk, &many, renew(45))).await.unwrap();
    accounted(&view, 14);
    assert!(view.changed.is_empty() && !view.untouched.is_empty(), "{view:?}");
    assert_eq!(view.cut_off.as_ref().unwrap().code, ErrorCode::HostUnreachable);
    assert_eq!(line_of_all(&desk, Act::Renew).state, ActState::Failed);

    desk.sim.come_back().await.unwrap();
    let refused = Fault::error(401, "Unauthorized", "no");
    desk.sim.set_fault(Matcher::on("GET", "/v1/apiKeys/"), refused, None);
    let view = desk.keys.bulk(request(&desk, &many, renew(45))).await.unwrap();
    accounted(&view, 14);
    assert!(view.changed.is_empty() && view.failed.len() < 14, "{view:?}");
    assert!(view.cut_off.is_some());
}

#[tokio::test]
async fn the_app_ending_in_the_middle_is_told_at_the_next_start_once() {
    let mut desk = Desk::admin().await;
    let keys = keys(&desk, works, 12).await;
    let put = |key: &KeyView| Matcher::on("PUT", &format!("/v1/apiKeys/{}", key.uid));
    for key in &keys[3..] {
        desk.sim.set_fault(put(key), Fault::HangBeforeHandling, None);
    }
    let request = request(&desk, &keys, renew(45));
    let running = tokio::spawn({
        let product = desk.keys.clone();
        async move { product.bulk(request).await }
    });
    let three = async {
        while desk.keys.bulk_runs().iter().all(|run| run.done < 3) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), three).await.unwrap();
    running.abort();
    let _ = running.await;
    desk.crash();
    desk.sim.clear_faults();
    let notices = desk.keys.start().await.unwrap().notices;
    let told = notices.iter().find(|notice| notice.contains("renewing 12 keys")).expect("a notice");
    assert!(told.contains("3 done"), "{told}");
    let all = line_of_all(&desk, Act::Renew);
    assert_eq!(all.state, ActState::Unknown, "{}", all.detail);
    desk.crash();
    let notices = desk.keys.start().await.unwrap().notices;
    assert!(notices.iter().all(|notice| !notice.contains("12 keys")), "said once: {notices:?}");
}

#[tokio::test]
async fn a_renewal_is_undone_but_not_over_somebody_elses_change_nor_into_the_past() {
    let desk = Desk::admin().await;
    let mut keys = keys(&desk, works, 3).await;
    keys.extend(self::keys(&desk, |key| key.status == Status::Expired, 1).await);
    let view = desk.keys.bulk(request(&desk, &keys, renew(45))).await.unwrap();
    assert_eq!(view.changed.len(), 4, "an expired key works again: {view:?}");
    let other = desk.sim.now() + SignedDuration::from_hours(24 * 9);
    desk.sim.edit_key_directly(&keys[1].uid, |key| key.expiry = Some(other));
    let restore = BulkAct::Restore { ends: view.ends.clone() };
    let undone = desk.keys.bulk(request(&desk, &keys, restore)).await.unwrap();
    accounted(&undone, 4);
    let why = |key: &KeyView| undone.skipped.iter().find(|s| s.uid == key.uid).map(|s| s.why);
    assert_eq!(why(&keys[1]), Some(BulkSkip::ChangedSince));
    assert_eq!(why(&keys[3]), Some(BulkSkip::EndPassed));
    for key in [&keys[0], &keys[2]] {
        let now = desk.sim.key(&key.uid).unwrap().expiry.map(|at| at.as_millisecond());
        assert_eq!(now, key.expires, "{}", key.name);
    }
    assert_eq!(desk.sim.key(&keys[1].uid).unwrap().expiry, Some(other));
}

#[tokio::test]
async fn ends_are_moved_as_planned_not_over_somebody_elses_change_nor_beyond_the_policy() {
    let desk = Desk::admin().await;
    let keys = keys(&desk, |key| works(key) && key.expires.is_some(), 4).await;
    let in_days =
        |days: i64| (desk.sim.now() + SignedDuration::from_hours(24 * days)).as_millisecond();
    let ends: Vec<BulkEnd> = keys
        .iter()
        .zip([20, 21, 22, 400])
        .map(|(key, days)| BulkEnd {
            uid: key.uid.clone(),
            before: key.expires,
            after: Some(in_days(days)),
        })
        .collect();
    let other = desk.sim.now() + SignedDuration::from_hours(24 * 9);
    desk.sim.edit_key_directly(&keys[1].uid, |key| key.expiry = Some(other));
    let settings = Settings { longest_life_days: Some(365), ..desk.keys.settings() };
    desk.keys.save_settings(settings).unwrap();
    let act = BulkAct::Move { ends: ends.clone() };
    let view = desk.keys.bulk(request(&desk, &keys, act)).await.unwrap();
    accounted(&view, 4);
    let now = |key: &KeyView| desk.sim.key(&key.uid).unwrap().expiry.map(|at| at.as_millisecond());
    assert_eq!((now(&keys[0]), now(&keys[2])), (ends[0].after, ends[2].after));
    assert!(matches!(&*view.skipped, [one] if one.why == BulkSkip::ChangedSince));
    assert_eq!(now(&keys[1]), Some(other.as_millisecond()), "its owner's choice stays");
    assert!(matches!(&*view.failed, [one] if one.problem.code == ErrorCode::ExpiryBeyondPolicy));
    assert_eq!(now(&keys[3]), keys[3].expires);

    // All of it can be taken back.
    let restore = BulkAct::Restore { ends: view.ends.clone() };
    let undone = desk.keys.bulk(request(&desk, &keys, restore)).await.unwrap();
    assert_eq!(undone.changed.len(), 2, "{undone:?}");
    assert_eq!((now(&keys[0]), now(&keys[2])), (keys[0].expires, keys[2].expires));
}

#[tokio::test]
async fn revoked_keys_come_back_and_those_that_ended_meanwhile_only_with_a_new_end() {
    let desk = Desk::admin().await;
    let revoked = keys(&desk, |key| key.status == Status::Revoked, 2).await;
    let past = desk.sim.now() - SignedDuration::from_hours(24);
    let future = desk.sim.now() + SignedDuration::from_hours(24 * 20);
    desk.sim.edit_key_directly(&revoked[0].uid, |key| key.expiry = Some(past));
    desk.sim.edit_key_directly(&revoked[1].uid, |key| key.expiry = Some(future));
    let view = desk.keys.bulk(request(&desk, &revoked, BulkAct::Reactivate)).await.unwrap();
    assert_eq!(view.changed.len(), 1, "{view:?}");
    assert_eq!(view.failed[0].problem.code, ErrorCode::KeyIsExpired);
    assert!(!desk.sim.key(&revoked[0].uid).unwrap().active);

    let both = BulkAct::Renew { expiry: ExpiryChoice::Days { days: 30 }, reactivate: true };
    let view = desk.keys.bulk(request(&desk, &revoked[..1], both)).await.unwrap();
    assert_eq!(view.changed[0].status, Status::Active, "{view:?}");
    assert!(desk.sim.key(&revoked[0].uid).unwrap().active);
}

#[tokio::test]
async fn the_key_that_signs_in_is_left_out_and_a_refused_end_begins_nothing() {
    let desk = Desk::admin().await;
    let own = desk.sim.admin().api_key_uid;
    let mine: Vec<String> = {
        let list = desk.list(false).await.keys.into_iter();
        list.filter(|key| key.mine && key.uid != own).map(|key| key.uid).collect()
    };
    for uid in mine {
        desk.sim.remove_key(&uid);
    }
    let list = desk.list(true).await;
    let own = list.keys.iter().find(|key| key.uid == own).unwrap().clone();
    assert!(own.flags.contains(&Flag::SignsIn));
    let others = keys(&desk, works, 2).await;
    let all = [own.clone(), others[0].clone(), others[1].clone()];
    let view = desk.keys.bulk(request(&desk, &all, renew(45))).await.unwrap();
    assert_eq!(view.changed.len(), 2);
    assert_eq!((&*view.skipped[0].uid, view.skipped[0].why), (&*own.uid, BulkSkip::SignsIn));
    assert_eq!(desk.sim.key(&own.uid).unwrap().expiry.map(|at| at.as_millisecond()), own.expires,);

    desk.sim.clear_requests();
    let mut settings = desk.keys.settings();
    settings.longest_life_days = Some(30);
    desk.keys.save_settings(settings).unwrap();
    let problem = desk.keys.bulk(request(&desk, &others, renew(31))).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::ExpiryBeyondPolicy);
    let none = desk.keys.bulk(request(&desk, &[], renew(30))).await.unwrap_err();
    assert_eq!(none.code, ErrorCode::Internal);
    assert_eq!(desk.sent("PUT", "/"), 0);
}
