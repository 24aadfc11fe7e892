//! Every answer a server or the way to it can give, for a revocation and for a deletion.

use crate::desk::{Desk, Watch, came, drained, op, settle};
use palette_keys_core::ErrorCode;
use palette_keys_core::keys::delete::DeleteRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::outbox::OutboxAction;
use palette_sim::{Fault, Matcher};
use std::time::Duration;

/// Blocked ones are tried every quarter of an hour; a little more for the tries themselves.
const QUARTER: Duration = Duration::from_secs(15 * 60 + 90);

/// One fault while it lasts, and after it was lifted. True when all was as it should be.
async fn survives(name: &str, fault: Option<&Fault>, action: OutboxAction) -> bool {
    let desk = Desk::new(1).await;
    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    let uid = desk.targets[0].clone();
    match fault {
        Some(fault) => {
            let (method, path) = match action {
                OutboxAction::Revoke => ("PUT", format!("/v1/apiKeys/{uid}/state")),
                OutboxAction::Delete => ("DELETE", format!("/v1/apiKeys/{uid}")),
            };
            desk.sim.set_fault(Matcher::on(method, &path), fault.clone(), None);
        }
        None => desk.sim.go_down().await,
    }
    let claimed = match action {
        OutboxAction::Revoke => {
            let answer = keys.revoke_key(desk.act(&uid)).await;
            assert!(answer.is_ok(), "{name}: recorded, so no error: {answer:?}");
            matches!(answer, Ok(RevokeView::Confirmed { .. }))
        }
        OutboxAction::Delete => {
            let request = DeleteRequest {
                op_id: op(),
                connection: desk.connection.clone(),
                uid: uid.clone(),
                typed_name: "target-0".into(),
            };
            let answer = keys.delete_key(request).await;
            if let Err(failure) = &answer {
                assert_eq!(failure.code, ErrorCode::OutcomeUnknown, "{name}: {failure:?}");
            }
            answer.is_ok()
        }
    };
    let so_far = |desk: &Desk| match action {
        OutboxAction::Revoke => desk.is_done(&uid),
        OutboxAction::Delete => desk.sim.key(&uid).is_none(),
    };
    let falsely = claimed && !so_far(&desk);
    // A while with the fault: nothing may be claimed, nothing may be dropped.
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let kept = so_far(&desk) || keys.outbox().items.len() == 1;
    let view = keys.outbox();
    let words = view.items.first().map(|item| (item.state, item.problem.as_ref().map(|p| p.code)));

    desk.sim.clear_faults();
    if fault.is_none() {
        desk.sim.come_back().await.unwrap();
    }
    // By itself, without a person.
    let ended = drained(&keys, QUARTER).await && came(QUARTER, || so_far(&desk)).await;
    let right = ended && kept && !falsely && watch.falsely() == 0 && desk.touched() == 0;
    let given_up = watch.given_up();
    if !right || given_up > 0 {
        println!(
            "{action:?} {name}: kept {kept}, ended {ended}, false {falsely} {}, given up \
             {given_up}, meanwhile {words:?}, now {:?}",
            watch.falsely(),
            keys.outbox()
        );
    }
    drop(keys);
    settle().await;
    right && given_up == 0
}

async fn all(action: OutboxAction) {
    // Where the redirects lead: nothing of ours may arrive there.
    let elsewhere = palette_sim::start(palette_sim::SimOptions::default()).await.unwrap();
    let faults = Fault::scorecard(&elsewhere.origin());
    let (mut passed, total) = (0, faults.len() + 1);
    for (name, fault) in &faults {
        passed += usize::from(survives(name, Some(fault), action).await);
    }
    passed += usize::from(survives("refused", None, action).await);
    println!(
        "check 4: {passed}/{total} {action:?} (the one of DNS is in `names`), sent \
         elsewhere {}",
        elsewhere.requests().len()
    );
    assert_eq!(elsewhere.requests().len(), 0, "a redirect was followed");
    assert_eq!(passed, total);
}

#[tokio::test(start_paused = true)]
async fn a_revocation_survives_every_answer() {
    all(OutboxAction::Revoke).await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_survives_every_answer() {
    all(OutboxAction::Delete).await;
}
