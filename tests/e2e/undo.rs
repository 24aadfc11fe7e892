//! Taking back what was done, what the server's log says of it, and a key that somebody found.

use palette_sim::KeyTruth;

use crate::{
    acts,
    harness::{any, containing},
    scene::Scene,
};

/// Renames `release-bot`, so that there is something to take back.
async fn renamed(scene: &Scene) -> KeyTruth {
    let before = scene.key("release-bot");
    let details = scene.look_at("release-bot").await;
    details.role("button", "Edit").click().await;
    let dialog = scene.dialog("Edit API key");
    dialog.role("textbox", "API key name").fill("release-robot").await;
    dialog.role("button", "Save").click().await;
    dialog.wait_gone().await;
    scene.told("Saved release-robot.").await;
    scene.search("").await;
    before
}

/// Waits until "Activity" says this.
async fn says(scene: &Scene, words: &str) {
    scene.page.role("main", any()).wait_text(words).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rename_is_taken_back_done_again_and_taken_back_by_a_key_stroke() {
    let scene = Scene::admin().await;
    let before = renamed(&scene).await;
    scene.toasts().role("button", "Undo").click().await;
    scene.told("Changed release-bot back.").await;
    let after = scene.sim().key(&before.uid).expect("it is there");
    assert_eq!((&after.name, &after.annotations), (&before.name, &before.annotations));
    scene.toasts().role("button", "Redo").click().await;
    scene.key_becomes("release-robot", "renamed again", |_| true).await;
    scene.told("Changed release-robot back.").await;

    // From the time line, which says before and after.
    acts::go(&scene.page, "Activity").await;
    scene.page.role("heading", "Activity").wait().await;
    says(&scene, "Name: release-bot").await;
    scene.page.role("button", containing("Undo: change")).nth(0).click().await;
    scene.key_becomes("release-bot", "as it was", |key| key.uid == before.uid).await;
    // And with nothing but the keyboard: the act that the two undos stand around.
    let details = {
        acts::go(&scene.page, "Keys").await;
        scene.look_at("release-bot").await
    };
    details.role("button", "Renew").click().await;
    let dialog = scene.dialog("Renew API key");
    dialog.role("radio", "90 days").click().await;
    dialog.role("button", "Renew").click().await;
    dialog.wait_gone().await;
    scene.told("Renewed release-bot.").await;
    scene.key_becomes("release-bot", "renewed", |key| key.expiry != before.expiry).await;
    scene.page.press("Control+z").await;
    scene.key_becomes("release-bot", "ending as before", |key| key.expiry == before.expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_somebody_moved_since_is_shown_and_set_back_only_when_said_so() {
    let scene = Scene::admin().await;
    let before = scene.key("ci-prod");
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Renew").click().await;
    let dialog = scene.dialog("Renew API key");
    dialog.role("radio", "60 days").click().await;
    dialog.role("button", "Renew").click().await;
    dialog.wait_gone().await;
    scene.told("Renewed ci-prod.").await;
    let theirs = before
        .expiry
        .and_then(|end| end.checked_add(jiff::SignedDuration::from_hours(24 * 10)).ok());
    scene.sim().edit_key_directly(&before.uid, |key| key.expiry = theirs);
    let puts = scene.requests("PUT", "/v1/apiKeys");
    scene.toasts().role("button", "Undo").click().await;
    let both = scene.question("Someone changed this key since");
    both.wait().await;
    for words in ["As you left it", "Now", "After the undo"] {
        both.words(words).nth(0).wait().await;
    }
    scene.page.assert_accessible("undo-conflict").await;
    both.role("button", "Leave as it is").click().await;
    both.wait_gone().await;
    assert_eq!(scene.key("ci-prod").expiry, theirs, "left as it is");
    assert_eq!(scene.requests("PUT", "/v1/apiKeys"), puts, "nothing was sent");

    acts::go(&scene.page, "Activity").await;
    says(&scene, "Renewed ci-prod").await;
    scene.page.role("button", "Undo: change ci-prod back").click().await;
    both.wait().await;
    both.role("button", "Undo anyway").click().await;
    both.wait_gone().await;
    scene.key_becomes("ci-prod", "ending as before", |key| key.expiry == before.expiry).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn activity_is_filtered_and_has_the_servers_log_beside_it() {
    let scene = Scene::admin().await;
    renamed(&scene).await;
    assert_eq!(scene.requests("GET", "/v1/audits"), 0, "nobody looked yet");
    acts::go(&scene.page, "Activity").await;
    let page = &scene.page;
    says(&scene, "Edited release-").await;
    page.role("searchbox", "Search activity").put("nothing-like-this").await;
    page.words("Nothing matches").wait().await;
    page.role("button", "Clear filters").nth(0).click().await;
    says(&scene, "Edited release-").await;
    page.role("radio", "Both").click().await;
    page.words(containing("In the server's log at")).nth(0).wait().await;
    page.words(containing("API key 'ci-prod'")).nth(0).wait().await;
    page.role("radio", "Server").click().await;
    says(&scene, "API key 'release-robot' updated").await;
    assert!(scene.requests("GET", "/v1/audits") > 0);

    // And of one key, in its details.
    acts::go(page, "Keys").await;
    let details = scene.look_at("ci-prod").await;
    details.role("radio", "Server").click().await;
    details.words(containing("revoked")).nth(0).wait().await;
    details.words("Ana Ruiz").nth(0).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_servers_log_is_told_so() {
    let scene = Scene::user().await;
    acts::go(&scene.page, "Activity").await;
    scene.page.role("radio", "Server").click().await;
    scene.page.words("Not yours to read").wait().await;
    scene.page.words(containing("audit.list")).nth(0).wait().await;
    scene.page.assert_accessible("activity-not-allowed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_found_key_is_recognised_revoked_and_proved() {
    let scene = Scene::admin().await;
    let leaked = scene.key("release-bot");
    let page = &scene.page;
    page.press("Control+k").await;
    page.role("combobox", "Command").put("found").await;
    page.role("option", "Found a key?").click().await;
    let dialog = scene.dialog("Found a key?");
    dialog.wait().await;
    page.password("Found value").put(&leaked.value).await;
    dialog.role("button", "Continue").click().await;
    let host = scene.sim().host();
    dialog.words(host.clone()).nth(0).wait().await;
    let asked = scene.requests("GET", "/v1/users/info");
    dialog.role("button", format!("Try it on {host}")).click().await;
    dialog.words(containing("It works: it acts as Jane Doe")).wait().await;
    assert_eq!(scene.requests("GET", "/v1/users/info"), asked + 1, "tried once");
    dialog.role("radio", containing("release-bot")).click().await;
    dialog.role("button", "Revoke release-bot").click().await;
    let question = scene.question("Revoke release-bot?");
    question.words(containing("Owner: Jane Doe")).wait().await;
    question.role("button", "Revoke").click().await;
    let dialog = scene.dialog("release-bot is revoked");
    dialog.words(containing("Palette refused the found value at")).wait().await;
    assert!(!scene.key("release-bot").active);
    assert!(!scene.works(&leaked.value).await);
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;
    acts::go(page, "Activity").await;
    says(&scene, "Tried the found value").await;
    assert!(!page.role("main", any()).text().await.contains(&leaked.value));
}
