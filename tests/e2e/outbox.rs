//! What a person confirmed and the server did not: shown, tried again, given up, stopped.

use palette_sim::{Fault, Matcher, Seed, SimOptions};

use crate::{
    acts::{go, status},
    harness::{Launch, Locator, Setting, any, containing, eventually},
    scene::Scene,
};

/// Keys that are revoked together.
const MANY: usize = 120;

/// The server answers changes of a key with an error, for as long as it is let.
fn refuse_changes(scene: &Scene) {
    let busy = Fault::status(503, "text/html", "<html><h1>503 Service Unavailable</h1></html>");
    scene.sim().set_fault(Matcher::on("PUT", "/v1/apiKeys"), busy, None);
}

/// Revokes an own key in the window while the server refuses, and opens the list of what waits.
async fn unconfirmed(scene: &Scene, name: &str) -> Locator {
    refuse_changes(scene);
    scene.look_at(name).await.role("button", "Revoke").click().await;
    scene.told("Could not confirm").await;
    assert!(scene.key(name).active);
    status(&scene.page).role("button", "1 revocation not confirmed yet").click().await;
    let dialog = scene.dialog("Not confirmed yet");
    dialog.words(containing(name)).nth(0).wait().await;
    dialog
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_confirmed_is_shown_and_tried_again() {
    let scene = Scene::admin().await;
    let dialog = unconfirmed(&scene, "release-bot").await;
    let uid = scene.key("release-bot").uid;
    dialog.words(containing(&uid[uid.len() - 6..])).nth(0).wait().await;
    dialog.words(containing("asked")).nth(0).wait().await;
    scene.page.assert_accessible("the list of what is not confirmed").await;
    scene.page.screenshot("outbox-light").await;
    let said = scene.toasts().texts().await.join(" ");
    assert!(!said.contains("Revoked release-bot"), "{said}");

    scene.sim().clear_faults();
    dialog.role("button", containing("Try now")).nth(0).click().await;
    scene.key_becomes("release-bot", "revoked", |key| !key.active).await;
    dialog.wait_gone().await;
    scene.told("Revoked release-bot.").await;
    scene.details().words("Revoked").nth(0).wait().await;
    let button = status(&scene.page).role("button", containing("not confirmed yet"));
    button.wait_gone().await;
    go(&scene.page, "Activity").await;
    scene.page.words(containing("release-bot")).nth(0).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_is_asked_twice_and_written_down() {
    let launch = Launch::default().dark();
    let scene = Scene::of(Setting::default(), launch, palette_sim::Sim::admin).await;
    let dialog = unconfirmed(&scene, "release-bot").await;
    scene.page.assert_accessible("the list of what is not confirmed, dark").await;
    scene.page.screenshot("outbox-dark").await;
    dialog.role("button", containing("Give up")).nth(0).click().await;
    let question = scene.page.role("alertdialog", any());
    question.words(containing("may still work")).nth(0).wait().await;
    question.words(containing("release-bot")).nth(0).wait().await;
    question.role("button", "Cancel").wait_focused().await;
    scene.page.assert_accessible("the question before giving up").await;
    question.role("button", "Give up").click().await;
    question.wait_gone().await;
    status(&scene.page).role("button", containing("not confirmed yet")).wait_gone().await;

    assert!(scene.key("release-bot").active);
    scene.sim().clear_faults();
    let before = scene.requests("PUT", "/v1/apiKeys");
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(scene.requests("PUT", "/v1/apiKeys"), before, "nothing is sent any more");
    if dialog.exists().await {
        scene.page.press("Escape").await;
    }
    go(&scene.page, "Activity").await;
    scene.page.words(containing("may still work")).nth(0).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let mut scene = Scene::admin().await;
    let dialog = unconfirmed(&scene, "release-bot").await;
    scene.page.press("Escape").await;
    dialog.wait_gone().await;
    scene.stage.crash().await;
    let page = scene.stage.relaunch().await;
    let button = status(&page).role("button", "1 revocation not confirmed yet");
    button.wait().await;
    crate::acts::search(&page, "\"release-bot\"").await;
    crate::acts::row(&page, "release-bot").words(containing("Revoking")).nth(0).wait().await;
    scene.stage.sim.clear_faults();
    eventually("release-bot is revoked", async || (!scene.key("release-bot").active).then_some(()))
        .await;
    button.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_a_bulk_revocation_leaves_the_rest_alone() {
    let palette = SimOptions { seed: Seed::Size { keys: 60, users: 6 }, ..SimOptions::default() };
    let scene = Scene::admin_of(palette).await;
    let mine = scene.sim().admin().uid;
    // So many that most of them wait for the server's rate: 30 are gone before anybody can stop.
    for number in 0..MANY {
        let key = palette_sim::NewKey {
            owner_uid: Some(mine.clone()),
            ..palette_sim::NewKey::named(&format!("bulk-{number:03}"))
        };
        scene.sim().add_key(key);
    }
    scene.search("bulk-").await;
    let first = crate::acts::row(&scene.page, "bulk-000");
    crate::acts::refresh_until(&scene.page, &first, "bulk-000").await;
    first.role("rowheader", any()).click().await;
    scene.page.press("Control+a").await;
    let selection = scene.page.role("toolbar", "Selection");
    selection.words(format!("{MANY} selected")).wait().await;
    selection.role("button", "Revoke").click().await;
    let question = scene.question(&format!("Revoke {MANY} keys?"));
    question.role("button", format!("Revoke {MANY} keys")).click().await;
    let progress = scene.page.words(containing(&format!(" of {MANY}")));
    progress.wait().await;
    eventually("some are revoked", async || (bulk(&scene, false) >= 3).then_some(())).await;
    scene.page.role("button", "Stop").click().await;
    progress.wait_gone().await;
    status(&scene.page).role("button", containing("not confirmed yet")).wait_gone().await;
    let revoked = bulk(&scene, false);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(bulk(&scene, false), revoked, "nothing is sent after the stop");
    assert!((3..MANY).contains(&revoked), "{revoked} of {MANY} are revoked");
    scene.told(&format!("Revoked {revoked}")).await;
    let others = scene.sim().keys().into_iter().filter(|k| !k.name.starts_with("bulk-"));
    let touched = scene.sim().requests().into_iter().filter(|request| request.method == "PUT");
    let others: Vec<String> = others.map(|key| key.uid).collect();
    for request in touched {
        assert!(others.iter().all(|uid| !request.path.contains(uid)), "{}", request.path);
    }
    println!("bulk revoke of {MANY} with stop: {revoked} revoked, {} left alone", MANY - revoked);
}

fn bulk(scene: &Scene, active: bool) -> usize {
    let keys = scene.sim().keys();
    keys.iter().filter(|key| key.name.starts_with("bulk-") && key.active == active).count()
}
