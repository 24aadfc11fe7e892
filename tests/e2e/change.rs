//! Changing keys: edit, renew, revoke, re-activate, delete, and what is said when Palette does not
//! answer.

use std::time::Duration;

use jiff::{SignedDuration, ToSpan};
use palette_sim::{Fault, Matcher, NewKey};

use crate::{
    harness::{any, containing, eventually},
    scene::Scene,
};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_keeps_every_annotation_and_label() {
    let scene = Scene::admin().await;
    let before = scene.key("ci-prod");
    assert!(before.annotations.contains_key("ticket") && before.labels.contains_key("env"));
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Edit").click().await;
    let dialog = scene.dialog("Edit API key");
    dialog.words(containing("Cannot be changed: a key stays with its owner")).wait().await;
    let save = dialog.role("button", "Save");
    dialog.role("textbox", "Description").fill("Deploys, all clusters").await;
    save.click().await;
    dialog.wait_gone().await;
    scene.told("Saved ci-prod.").await;
    let after = scene.key("ci-prod");
    assert_eq!(after.description, "Deploys, all clusters");
    assert_eq!(after.annotations, before.annotations);
    assert_eq!(after.labels, before.labels);
    assert_eq!((after.expiry, after.active), (before.expiry, true));

    details.role("button", "Edit").click().await;
    dialog.role("textbox", "API key name").fill("ci-prod-eu").await;
    dialog.role("radio", "60 days").click().await;
    save.click().await;
    dialog.wait_gone().await;
    let after = scene.sim().key(&before.uid).expect("it is there");
    assert_eq!(after.name, "ci-prod-eu");
    let life = after.expiry.expect("an end").duration_since(scene.sim().now());
    let off = life - SignedDuration::from_hours(24 * 60);
    assert!(off.abs() < SignedDuration::from_mins(1), "{life:?}");
    assert_eq!((after.annotations, after.labels), (before.annotations, before.labels));
}

/// Opens "Edit API key" for `release-bot`, types a description, and somebody else changes the key.
async fn conflict(scene: &Scene) {
    let details = scene.look_at("release-bot").await;
    details.role("button", "Edit").click().await;
    let dialog = scene.dialog("Edit API key");
    dialog.role("textbox", "Description").fill("mine").await;
    let uid = scene.key("release-bot").uid;
    scene.sim().edit_key_directly(&uid, |key| key.description = "theirs".into());
    dialog.role("button", "Save").click().await;
    let both = scene.question("Someone else changed this key");
    both.wait().await;
    both.words("theirs").wait().await;
    both.words("mine").wait().await;
    assert_eq!(scene.key("release-bot").description, "theirs", "nothing of mine was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_else_is_shown_and_mine_is_saved_over_it() {
    let scene = Scene::admin().await;
    conflict(&scene).await;
    let both = scene.question("Someone else changed this key");
    both.role("button", "Save mine").click().await;
    both.wait_gone().await;
    scene.key_becomes("release-bot", "mine", |key| key.description == "mine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_by_somebody_else_is_shown_and_taken_over() {
    let scene = Scene::admin().await;
    conflict(&scene).await;
    let puts = scene.requests("PUT", "/v1/apiKeys");
    let both = scene.question("Someone else changed this key");
    both.role("button", "Use theirs").click().await;
    both.wait_gone().await;
    scene.details().words("theirs").wait().await;
    assert_eq!(scene.requests("PUT", "/v1/apiKeys"), puts, "nothing was sent");
    assert_eq!(scene.key("release-bot").description, "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_moves_the_end_and_makes_an_expired_key_work() {
    let scene = Scene::admin().await;
    for (name, days) in [("ci-prod", 90), ("vertex-sandbox", 7)] {
        let details = scene.look_at(name).await;
        details.role("button", "Renew").click().await;
        let dialog = scene.dialog("Renew API key");
        dialog.role("radio", format!("{days} days")).click().await;
        dialog.role("button", "Renew").click().await;
        dialog.wait_gone().await;
        scene.told(&format!("Renewed {name}.")).await;
        let key = scene.key(name);
        let life = key.expiry.expect("an end").duration_since(scene.sim().now());
        let off = life - SignedDuration::from_hours(24 * days);
        assert!(off.abs() < SignedDuration::from_mins(1), "{name}: {life:?}");
        assert!(scene.works(&key.value).await, "{name} works");
        // A key that ends within the lead time is expiring, not just active.
        let status = if days > 14 { "Active" } else { "Expiring" };
        details.words(status).wait().await;
    }
    assert!(scene.key("ci-prod").annotations.contains_key("ticket"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_key_is_revoked_at_once_and_undo_brings_it_back() {
    let scene = Scene::admin().await;
    let details = scene.look_at("release-bot").await;
    details.role("button", "Revoke").click().await;
    scene.told("Revoked release-bot.").await;
    assert!(!scene.key("release-bot").active, "the server agreed before it was said");
    details.words("Revoked").nth(0).wait().await;
    scene.toasts().role("button", "Undo").click().await;
    scene.told("Re-activated release-bot.").await;
    assert!(scene.key("release-bot").active);

    // The same from the time line, after the toast is long gone.
    details.role("button", "Revoke").click().await;
    scene.key_becomes("release-bot", "revoked", |key| !key.active).await;
    scene.page.role("link", "Activity").click().await;
    let undo = scene.page.role("button", containing("Undo: re-activate release-bot"));
    undo.nth(0).click().await;
    scene.key_becomes("release-bot", "active", |key| key.active).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_key_is_revoked_after_one_question_that_names_it() {
    let scene = Scene::admin().await;
    let details = scene.look_at("grafana-reader").await;
    details.role("button", "Revoke").click().await;
    let question = scene.question("Revoke grafana-reader?");
    question.role("button", "Cancel").wait_focused().await;
    let words = question.text().await;
    for part in ["grafana-reader", "Sam Okafor", "acme"] {
        assert!(words.contains(part), "{part} is not in {words:?}");
    }
    question.role("button", "Cancel").click().await;
    question.wait_gone().await;
    assert!(scene.key("grafana-reader").active);
    assert_eq!(scene.requests("PUT", "/v1/apiKeys"), 0);
    details.role("button", "Revoke").click().await;
    question.role("button", "Revoke").click().await;
    scene.told("Revoked grafana-reader.").await;
    assert!(!scene.key("grafana-reader").active);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_called_revoked_before_palette_says_so() {
    let scene = Scene::admin().await;
    let state = || Matcher { path_contains: Some("/state".into()), ..Matcher::default() };
    let faults = [
        ("500", Fault::error(500, "InternalServerError", "Something went wrong")),
        ("reset", Fault::ResetBeforeHandling),
        ("garbage", Fault::HtmlOk),
    ];
    for ((what, fault), name) in faults.into_iter().zip(["ci-prod", "release-bot", "backup-verify"])
    {
        scene.sim().set_fault(state(), fault, None);
        let details = scene.look_at(name).await;
        details.role("button", "Revoke").click().await;
        scene.told(&format!("Could not confirm the revocation of {name}; still trying.")).await;
        details.words(containing("has not confirmed it")).wait().await;
        details.words("Revoking…").wait().await;
        scene.page.role("status", "Status").wait_text("not confirmed yet").await;
        let said = scene.page.words(containing(&format!("Revoked {name}"))).count().await;
        assert_eq!(said, 0, "{what}: it was called revoked");
        assert!(scene.key(name).active, "{what}");

        scene.sim().clear_faults();
        // Nobody has to ask: it goes on by itself.
        scene.told(&format!("Revoked {name}.")).await;
        assert!(!scene.key(name).active, "{what}");
        details.words(containing("has not confirmed it")).wait_gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbidden_revocation_says_who_is_needed_and_is_tried_again() {
    let scene = Scene::admin().await;
    let forbidden = Fault::error(403, "OperationForbidden", "Operation is forbidden");
    let state = Matcher { path_contains: Some("/state".into()), ..Matcher::default() };
    scene.sim().set_fault(state, forbidden, None);
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Revoke").click().await;
    details.words("Not confirmed yet").wait().await;
    details.words("Needs you").wait().await;
    scene.page.words(containing("The revocation of ci-prod needs you.")).nth(0).wait().await;
    assert!(scene.key("ci-prod").active);
    let said = scene.page.words(containing("Revoked ci-prod")).count().await;
    assert_eq!(said, 0, "nothing is claimed");

    scene.sim().clear_faults();
    details.role("button", "Try now").click().await;
    scene.told("Revoked ci-prod.").await;
    assert!(!scene.key("ci-prod").active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_that_ended_is_told_to_be_renewed() {
    let scene = Scene::admin().await;
    let ended = scene.sim().add_key(NewKey {
        active: false,
        expiry: Some(scene.sim().now() - 2.hours()),
        ..NewKey::named("ended-and-revoked")
    });
    scene.search("ended-and-revoked").await;
    let details = eventually("the new key is listed", async || {
        // A refresh that is still under way takes no second one.
        scene.page.press("F5").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        scene.name_cell("ended-and-revoked").exists().await.then(|| scene.details())
    })
    .await;
    scene.name_cell("ended-and-revoked").click().await;
    details.role("button", "Re-activate").click().await;
    let dialog = scene.dialog("Renew API key");
    dialog.words(containing("has expired, so it needs a new end")).wait().await;
    dialog.role("button", "Renew and re-activate").click().await;
    dialog.wait_gone().await;
    let key = scene.sim().key(&ended.uid).expect("it is there");
    assert!(key.active && scene.works(&key.value).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_takes_the_typed_name_and_the_value_leaves_the_keychain() {
    let scene = Scene::admin().await;
    let key = scene.create_stored("short-lived").await;
    assert_eq!(scene.stored_values().await.len(), 1);
    let details = scene.look_at("short-lived").await;
    details.role("button", "Delete").click().await;
    let dialog = scene.dialog("Delete API key");
    let delete = dialog.role("button", "Delete");
    let name = dialog.role("textbox", "Type the key's name to confirm");
    assert!(!delete.is_enabled().await);
    name.fill("short-live").await;
    assert!(!delete.is_enabled().await, "almost is not enough");
    dialog.role("button", "Revoke instead").wait().await;
    name.fill("short-lived").await;
    delete.click().await;
    dialog.wait_gone().await;
    scene.told("Deleted short-lived.").await;
    assert!(scene.sim().key(&key.uid).is_none());
    assert!(!scene.works(&key.value).await);
    assert!(scene.stored_values().await.is_empty(), "its value is gone from the keychain");
    assert_eq!(scene.name_cell("short-lived").count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_working_key_can_be_revoked_instead_of_deleted() {
    let scene = Scene::admin().await;
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Delete").click().await;
    let dialog = scene.dialog("Delete API key");
    dialog.role("button", "Revoke instead").click().await;
    dialog.wait_gone().await;
    scene.told("Revoked ci-prod.").await;
    assert!(!scene.key("ci-prod").active);
    // Revoked already, there is only the deletion left to offer.
    details.role("button", "Delete").click().await;
    dialog.wait().await;
    assert_eq!(dialog.role("button", "Revoke instead").count().await, 0);
    scene.page.press("Escape").await;
    dialog.wait_gone().await;
    assert!(scene.sim().key_named("ci-prod").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_elsewhere_says_so() {
    let scene = Scene::admin().await;
    let uid = scene.key("backup-verify").uid;
    let details = scene.look_at("backup-verify").await;
    scene.sim().remove_key(&uid);
    details.role("button", "Renew").click().await;
    let dialog = scene.dialog("Renew API key");
    dialog.role("button", "Renew").click().await;
    dialog.role("alert", any()).wait_text("no longer exists").await;
    dialog.role("button", "Cancel").click().await;
    dialog.wait_gone().await;
    scene.page.press("F5").await;
    scene.name_cell("backup-verify").wait_gone().await;
}
