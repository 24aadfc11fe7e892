//! Rolling a key: a new one takes its place, and what the keychain and the server have at each step.

use jiff::{SignedDuration, Timestamp};
use palette_sim::{Fault, Matcher};

use crate::{
    acts::wait_for_keys,
    harness::{any, containing, eventually},
    scene::{Scene, in_berlin},
};

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// Opens "Roll API key" for a key and gives the new one a name.
async fn begin(scene: &Scene, name: &str, next: &str) -> crate::harness::Locator {
    let details = scene.look_at(name).await;
    details.role("button", "Roll").click().await;
    let dialog = scene.dialog("Roll API key");
    dialog.words(containing("of 20 keys used")).wait().await;
    let field = dialog.role("textbox", "API key name");
    assert!(field.value().await.starts_with(&format!("{name}-20")), "the date is offered");
    field.put(next).await;
    dialog
}

/// The values in the keychain that are this.
async fn stored(scene: &Scene, value: &str) -> usize {
    scene.stored_values().await.iter().filter(|entry| entry.secret == value).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_makes_keeps_and_proves_the_new_key_and_then_ends_the_old_one() {
    let scene = Scene::admin().await;
    let before = scene.key("release-bot");
    let dialog = begin(&scene, "release-bot", "release-bot-next").await;
    dialog.role("radio", "24 hours").click().await;
    dialog.role("button", "Roll").click().await;
    dialog.words("release-bot-next is in its place").wait().await;
    let (old, new) = (scene.key("release-bot"), scene.key("release-bot-next"));
    let ends = old.expiry.expect("an end");
    dialog.words(containing("Until then both work")).wait().await;
    assert_eq!((scene.posts(), stored(&scene, &new.value).await), (1, 1));
    let left = ends.duration_since(scene.sim().now());
    assert!((left - days(1)).abs() < SignedDuration::from_mins(2), "{left:?}");
    assert_eq!((old.annotations, old.labels), (before.annotations, before.labels));
    assert!(scene.works(&new.value).await && scene.works(&old.value).await, "both work");
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;

    // The pair is linked in list and details, and the three buttons are there.
    scene.search("release-bot").await;
    scene.row("release-bot-next").words("Replaces release-bot").wait().await;
    let details = scene.details();
    details.words(containing(&in_berlin(ends)[..10])).nth(0).wait().await;
    let roll = details.role("group", "Roll");
    roll.role("button", "Extend grace").click().await;
    scene.choose_from_menu("7 days from now").await;
    scene
        .key_becomes("release-bot", "extended", |key| {
            key.expiry.is_some_and(|later| later > ends + days(5))
        })
        .await;
    roll.role("button", "End now").click().await;
    scene.question("End release-bot now?").role("button", "End now").click().await;
    scene.key_becomes("release-bot", "revoked", |key| !key.active).await;
    roll.wait_gone().await;
    assert!(scene.works(&new.value).await, "the new one goes on");
    scene.page.role("link", "Activity").click().await;
    scene.page.words(containing("Rolled")).nth(0).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_roll_leaves_the_old_key_as_it_was() {
    let scene = Scene::admin().await;
    let before = scene.key("release-bot");
    let dialog = begin(&scene, "release-bot", "release-bot-next").await;
    dialog.role("button", "Roll").click().await;
    dialog.words("release-bot-next is in its place").wait().await;
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;
    let roll = scene.details().role("group", "Roll");
    roll.role("button", "Cancel roll").click().await;
    let question = scene.question("Cancel the roll of release-bot?");
    question.role("button", "Cancel roll").click().await;
    scene.key_becomes("release-bot-next", "revoked", |key| !key.active).await;
    let after = scene.key("release-bot");
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    assert_eq!((ms(after.expiry), after.active), (ms(before.expiry), true));
    roll.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_roll_is_taken_back_from_its_line_in_activity() {
    let scene = Scene::admin().await;
    let dialog = begin(&scene, "release-bot", "release-bot-next").await;
    dialog.role("button", "Roll").click().await;
    dialog.words("release-bot-next is in its place").wait().await;
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;
    let page = &scene.page;
    page.role("link", "Activity").click().await;
    let cancel = page.role("button", "Cancel roll of release-bot");
    cancel.wait().await;
    page.assert_accessible("a running roll in Activity").await;
    page.screenshot("activity-roll-light").await;

    // Refused, it says so, and can be tried again.
    let put = Matcher::on("PUT", &format!("/v1/apiKeys/{}", scene.key("release-bot").uid));
    scene.sim().set_fault(put, Fault::error(403, "OperationForbidden", "not allowed"), None);
    cancel.click().await;
    let question = scene.question("Cancel the roll of release-bot?");
    question.role("button", "Cancel roll").click().await;
    scene.told("could not be put back").await;
    assert!(scene.key("release-bot-next").active, "both work");
    scene.sim().clear_faults();
    page.screenshot("activity-roll-refused-light").await;
    let again = page.role("button", "Cancel again: the roll of release-bot");
    again.click().await;
    scene.key_becomes("release-bot-next", "revoked", |key| !key.active).await;
    again.wait_gone().await;
    cancel.wait_gone().await;
    page.words(containing("Began to roll")).wait().await;
    // The first is a choice of the filter.
    page.words("Cancelled").nth(1).wait().await;
    assert!(scene.key("release-bot").active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_a_crash_cut_off_is_gone_on_with_after_the_start() {
    let mut scene = Scene::admin().await;
    let before = scene.key("release-bot");
    let put = Matcher::on("PUT", &format!("/v1/apiKeys/{}", before.uid));
    scene.sim().set_fault(put, Fault::HangBeforeHandling, None);
    let dialog = begin(&scene, "release-bot", "release-bot-next").await;
    dialog.role("button", "Roll").click().await;
    let new = scene.made("release-bot-next").await;
    eventually("the new value is in the keychain", async || {
        (stored(&scene, &new.value).await == 1).then_some(())
    })
    .await;
    eventually("the old key's end is asked for", async || {
        (scene.requests("PUT", "/v1/apiKeys") > 0).then_some(())
    })
    .await;
    scene.stage.crash().await;
    assert_eq!(scene.key("release-bot").expiry, before.expiry, "nothing happened to it yet");
    scene.sim().clear_faults();
    let page = scene.stage.relaunch().await;
    wait_for_keys(&page).await;
    let week = scene.sim().now() + days(7);
    scene
        .key_becomes("release-bot", "rolling", |key| {
            key.expiry.is_some_and(|ends| (ends.duration_since(week)).abs() < days(1))
        })
        .await;
    assert_eq!((scene.posts(), stored(&scene, &new.value).await), (1, 1), "one key, one value");
    page.role("searchbox", "Search keys").put("release-bot").await;
    page.role("row", containing("Rolling (ends in 7 d)")).role("rowheader", any()).click().await;
    let details = page.role("region", "Key details");
    details.role("group", "Roll").role("button", "Cancel roll").wait().await;
}
