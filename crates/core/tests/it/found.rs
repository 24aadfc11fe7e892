//! "Found a key?": tried once, on one host, known if we hold it, revoked, and proved by itself.

use crate::desk::{Desk, op, sim};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::{
    ErrorCode, Failure, Secret,
    found::{
        FoundOutcome, FoundProof, FoundRequest, FoundView, RevokeFoundRequest, RevokedFoundView,
    },
};
use palette_sim::{Fault, Matcher, Seed};

async fn try_it(desk: &Desk, value: &str) -> Result<FoundView, Failure> {
    let request = FoundRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        value: Secret::new(value.to_owned()),
    };
    desk.keys.try_found_key(request).await
}

async fn revoke(desk: &Desk, found: &FoundView, uid: &str) -> Result<RevokedFoundView, Failure> {
    let request = RevokeFoundRequest {
        op_id: op(),
        found: found.found.clone().unwrap_or_default(),
        uid: uid.into(),
    };
    desk.keys.revoke_found_key(request).await
}

/// Requests that carried this value.
fn carried(desk: &Desk, value: &str) -> usize {
    let requests = desk.sim.requests();
    requests.iter().filter(|request| format!("{request:?}").contains(value)).count()
}

/// Nothing that was shown or written holds it.
fn nowhere(desk: &Desk, value: &str, shown: &impl std::fmt::Debug) {
    assert!(!format!("{shown:?}").contains(value), "shown");
    assert!(!format!("{:?}", desk.activity()).contains(value), "in the time line");
    desk.nowhere_on_disk(value);
}

#[tokio::test]
async fn a_value_we_hold_is_known_by_name_and_revoked_with_proof() {
    let desk = Desk::admin().await;
    let uid = desk.created(&desk.new_key("leaked")).await.uid.unwrap();
    let value = desk.sim.key(&uid).unwrap().value;
    desk.sim.clear_requests();
    let found = try_it(&desk, &format!("  {value}\n")).await.unwrap();
    let FoundOutcome::Known { key, works: true } = &found.outcome else { panic!("{found:?}") };
    assert_eq!((&*key.name, &*key.uid), ("leaked", &*uid));
    assert_eq!(carried(&desk, &value), 1, "tried once");
    desk.line_ended(Act::TryFound, ActState::Done);
    let view = revoke(&desk, &found, &uid).await.unwrap();
    assert!(matches!(view.revoked, RevokeView::Confirmed { .. }), "{view:?}");
    assert!(matches!(view.value, FoundProof::Refused { .. }), "{view:?}");
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert_eq!(revoke(&desk, &found, &uid).await.unwrap_err().code, ErrorCode::ValueGone, "let go");
}

#[tokio::test]
async fn an_unknown_value_names_its_person_and_the_keys_it_can_be() {
    let desk = Desk::admin().await;
    let held = desk.created(&desk.new_key("another of mine")).await.uid.unwrap();
    let truth = desk.sim.key_named("release-bot").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    let FoundOutcome::Unknown { acts_as, organization, signs_in, candidates, problem } =
        &found.outcome
    else {
        panic!("{found:?}")
    };
    assert_eq!((&**acts_as, &**organization), ("Jane Doe", "acme"));
    assert!(!signs_in && problem.is_none());
    let names: Vec<&str> = candidates.iter().map(|key| &*key.name).collect();
    assert!(names.contains(&"release-bot") && names.contains(&"ci-prod"), "{names:?}");
    assert!(!names.contains(&"leaked-in-slack"), "revoked");
    assert!(!names.contains(&"vertex-sandbox"), "expired");
    assert!(!names.contains(&"capacity-report"), "another's");
    assert!(candidates.iter().all(|key| key.uid != held), "we hold another value for that one");
    let view = revoke(&desk, &found, &truth.uid).await.unwrap();
    assert!(matches!(view.value, FoundProof::Refused { .. }), "{view:?}");
    nowhere(&desk, &truth.value, &(found, view));
    let line = desk.line(Act::Revoke);
    assert!(line.detail.contains("Refused by Palette at "), "{}", line.detail);
}

#[tokio::test]
async fn the_wrong_pick_is_said_and_the_right_one_can_follow() {
    let desk = Desk::admin().await;
    let truth = desk.sim.key_named("release-bot").unwrap();
    let wrong = desk.listed("backup-verify").await;
    let found = try_it(&desk, &truth.value).await.unwrap();
    let view = revoke(&desk, &found, &wrong.uid).await.unwrap();
    assert!(matches!(view.revoked, RevokeView::Confirmed { refused_at: None, .. }), "{view:?}");
    assert_eq!(view.value, FoundProof::StillWorks);
    let view = revoke(&desk, &found, &truth.uid).await.unwrap();
    assert!(matches!(view.value, FoundProof::Refused { .. }), "{view:?}");
}

#[tokio::test]
async fn somebody_elses_value_is_known_to_an_admin() {
    let desk = Desk::admin().await;
    let truth = desk.sim.key_named("capacity-report").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    let FoundOutcome::Unknown { acts_as, candidates, .. } = &found.outcome else {
        panic!("{found:?}")
    };
    assert_eq!(acts_as, "Sam Okafor");
    assert!(candidates.iter().any(|key| key.uid == truth.uid));
    assert!(candidates.iter().all(|key| key.owner_uid == truth.owner_uid));

    // A plain user learns that it works, and has no key to pick.
    let desk = Desk::user().await;
    let truth = desk.sim.key_named("ci-prod").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    let FoundOutcome::Unknown { candidates, .. } = &found.outcome else { panic!("{found:?}") };
    assert!(candidates.is_empty(), "{candidates:?}");
}

#[tokio::test]
async fn the_key_that_signs_in_is_known_as_that() {
    let desk = Desk::admin().await;
    let admin = desk.sim.admin();
    let found = try_it(&desk, &admin.api_key).await.unwrap();
    match &found.outcome {
        FoundOutcome::Known { key, works: true } => assert_eq!(key.uid, admin.api_key_uid),
        FoundOutcome::Unknown { signs_in: true, candidates, .. } => {
            assert!(candidates.iter().any(|key| key.uid == admin.api_key_uid));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_refused_value_is_let_go_of() {
    let desk = Desk::admin().await;
    let revoked = desk.sim.key_named("leaked-in-slack").unwrap();
    for value in [&*revoked.value, "never-was-a-key-of-this-tenant"] {
        desk.sim.clear_requests();
        let found = try_it(&desk, value).await.unwrap();
        assert_eq!((&found.outcome, &found.found), (&FoundOutcome::Refused, &None));
        assert_eq!(carried(&desk, value), 1);
        nowhere(&desk, value, &found);
    }
    // Refused, but we hold it: it has its name all the same.
    let request = CreateRequest { save_to_keychain: true, ..desk.new_key("kept") };
    let uid = desk.created(&request).await.uid.unwrap();
    let value = desk.sim.key(&uid).unwrap().value;
    desk.keys.revoke_key(desk.act(&uid)).await.unwrap();
    let found = try_it(&desk, &value).await.unwrap();
    let FoundOutcome::Known { key, works: false } = &found.outcome else { panic!("{found:?}") };
    assert_eq!((&*key.uid, &found.found), (&*uid, &None));
}

#[tokio::test]
async fn trouble_on_the_way_is_no_answer_and_is_not_tried_again() {
    for (fault, code) in [
        (Fault::error(500, "Internal", "no"), ErrorCode::ServerFault),
        (Fault::RateLimited { retry_after: None }, ErrorCode::RateLimited),
        (Fault::ResetAfterHandling, ErrorCode::HostUnreachable),
        (Fault::HtmlOk, ErrorCode::NotPalette),
        (Fault::error(401, "UnAuthorizedAccess", "VALUE"), ErrorCode::Internal),
    ] {
        let desk = Desk::admin().await;
        let value = desk.sim.key_named("release-bot").unwrap().value;
        let fault = match fault {
            // An error that says the value back.
            Fault::Status { code: 401, .. } => Fault::error(401, "UnAuthorizedAccess", &value),
            fault => fault,
        };
        desk.sim.set_fault(Matcher::on("GET", "/v1/users/info"), fault.clone(), None);
        let answer = try_it(&desk, &value).await;
        assert_eq!(carried(&desk, &value), 1, "{fault:?}");
        match &answer {
            Ok(found) => assert_eq!(found.outcome, FoundOutcome::Refused, "{fault:?}"),
            Err(failure) => {
                assert_eq!(failure.code, code, "{fault:?}: {}", failure.message);
                desk.line_ended(Act::TryFound, ActState::Failed);
            }
        }
        nowhere(&desk, &value, &answer);
    }
}

#[tokio::test]
async fn it_goes_to_the_chosen_host_only_and_without_another_credential() {
    let mut desk = Desk::admin().await;
    let first = desk.connection.clone();
    let other = sim(Seed::Demo).await;
    let here = std::mem::replace(&mut desk.sim, other.clone());
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    assert_ne!(desk.connection, first);
    let value = here.key_named("release-bot").unwrap().value;
    here.clear_requests();
    other.clear_requests();
    // Chosen: the second. A value of the first host is refused there, and the first hears nothing.
    let found = try_it(&desk, &value).await.unwrap();
    assert_eq!(found.outcome, FoundOutcome::Refused);
    assert!(here.requests().is_empty(), "{:?}", here.requests());
    let tried: Vec<_> =
        other.requests().into_iter().filter(|r| format!("{r:?}").contains(&value)).collect();
    assert_eq!(tried.len(), 1);
    let said = format!("{:?}", tried[0]);
    assert!(!said.contains(&account.api_key), "no other credential: {said}");
    assert!(tried[0].path.starts_with("/v1/users/info"), "{said}");
    // Redirected: not followed.
    other.set_fault(
        Matcher::on("GET", "/v1/users/info"),
        Fault::Redirect { code: 307, to: format!("{}/v1/users/info", here.origin()) },
        None,
    );
    let failure = try_it(&desk, &value).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::RedirectRefused);
    assert!(here.requests().is_empty());
}

#[tokio::test]
async fn a_value_of_another_connection_is_recognised_and_sent_nowhere() {
    let mut desk = Desk::admin().await;
    let uid = desk.created(&desk.new_key("of the first")).await.uid.unwrap();
    let value = desk.sim.key(&uid).unwrap().value;
    desk.sim = sim(Seed::Demo).await;
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    let found = try_it(&desk, &value).await.unwrap();
    let FoundOutcome::Elsewhere { key_name, .. } = &found.outcome else { panic!("{found:?}") };
    assert_eq!((&**key_name, &found.found), ("of the first", &None));
    assert_eq!(carried(&desk, &value), 0);
}

#[tokio::test]
async fn what_is_no_key_is_not_sent() {
    let desk = Desk::admin().await;
    for text in ["", "short", "with a space in the middle of it", "ключключключключ"]
    {
        let failure = try_it(&desk, text).await.unwrap_err();
        assert_eq!(failure.code, ErrorCode::KeyMalformed);
    }
    assert!(desk.sim.requests().is_empty());
}

#[tokio::test]
async fn an_unconfirmed_revocation_keeps_the_value_for_its_proof_and_then_lets_go() {
    let desk = Desk::admin().await;
    let truth = desk.sim.key_named("release-bot").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{}/state", truth.uid));
    desk.sim.set_fault(state, Fault::error(503, "Unavailable", "later"), None);
    let view = revoke(&desk, &found, &truth.uid).await.unwrap();
    assert!(matches!(view.revoked, RevokeView::Unconfirmed { .. }), "{view:?}");
    assert_eq!(view.value, FoundProof::NotKnown);
    desk.keys.forget_found_key();
    desk.sim.clear_faults();
    desk.keys.wake();
    desk.drained().await;
    assert!(!desk.sim.key(&truth.uid).unwrap().active);
    let line = desk.line(Act::Revoke);
    assert!(line.detail.contains("Refused by Palette at "), "{}", line.detail);

    // Closed without a revocation: gone at once.
    let desk = Desk::admin().await;
    let truth = desk.sim.key_named("release-bot").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    desk.keys.forget_found_key();
    let failure = revoke(&desk, &found, &truth.uid).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ValueGone);
    assert!(desk.sim.key(&truth.uid).unwrap().active, "nothing was sent");
}

#[tokio::test]
async fn ten_minutes_are_the_most() {
    let desk = Desk::admin().await;
    let truth = desk.sim.key_named("release-bot").unwrap();
    let found = try_it(&desk, &truth.value).await.unwrap();
    desk.clock.wrong_by(jiff::SignedDuration::from_mins(11));
    let failure = revoke(&desk, &found, &truth.uid).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::ValueGone);
}
