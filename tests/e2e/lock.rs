//! The lock: nothing is to be seen or copied until the person is recognised, and nothing that was
//! confirmed waits for it.

use std::time::{Duration, Instant};

use crate::{
    desk::Desk,
    harness::{Person, Polkit, Setting, containing, eventually, within},
    scene::Scene,
};

const LOCKED: &str = "Palette Keys is locked";

/// Names of the demo tenant that a locked page must not hold.
const NAMES: [&str; 4] = ["ci-prod", "terraform", "acme", "Jane Doe"];

async fn holds_nothing(page: &crate::harness::Page) {
    let text = page.evaluate("return document.documentElement.outerHTML").await.to_string();
    for name in NAMES {
        assert!(!text.contains(name), "a locked page knows {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_window_knows_nothing_and_opens_for_the_person_alone() {
    let mut scene = Scene::with_system_bus().await;
    let polkit = Polkit::start(&scene.stage, Person::Unknown).await;
    let held = scene.create("behind-the-door", true).await;
    held.role("button", "Copy").click().await;
    let value = scene.key("behind-the-door").value;
    eventually("it is on the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&value)).then_some(())
    })
    .await;
    held.role("button", "Done").click().await;
    held.wait_gone().await;

    // Whoever switches it on is asked what unlocking will ask.
    scene.page.role("link", "Settings").click().await;
    scene.page.words(containing("Unlocking asks for your password")).wait().await;
    let minutes = scene.page.role("textbox", "Lock after idle");
    minutes.fill("15").await;
    scene.page.press("Tab").await;
    scene.page.words(containing("no polkit agent running")).wait().await;
    polkit.person_is(Person::Known);
    minutes.fill("16").await;
    scene.page.press("Tab").await;
    scene.page.words("Saved").wait().await;
    scene.page.assert_accessible("Settings with a lock").await;

    scene.page.role("button", "Lock now").click().await;
    let door = scene.page.role("main", LOCKED);
    door.wait().await;
    let unlock = door.role("button", "Unlock");
    unlock.wait_focused().await;
    door.words(containing("asks for your password")).wait().await;
    scene.page.assert_accessible("locked").await;
    scene.page.screenshot("locked-light").await;
    holds_nothing(&scene.page).await;
    eventually("the value is off the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() != Some(&value)).then_some(())
    })
    .await;
    let refused = scene
        .page
        .evaluate(
            "return window.__TAURI_INTERNALS__\
             .invoke('list_keys', { request: { connection: 'x', refresh: false, have: null } })\
             .then(() => 'given', (failure) => failure.code)",
        )
        .await;
    assert_eq!(refused, "appLocked");

    polkit.person_is(Person::Closes);
    unlock.click().await;
    door.words(containing("The question for your password was closed.")).wait().await;
    scene.page.assert_accessible("locked, not recognised").await;
    scene.page.screenshot("locked-refused-light").await;

    // Starting it again does not open it.
    scene.stage.quit().await;
    let page = scene.stage.relaunch().await;
    let door = page.role("main", LOCKED);
    door.wait().await;
    holds_nothing(&page).await;
    let asked = polkit.asked();
    polkit.person_is(Person::Known);
    page.press("Enter").await;
    page.role("grid", "API keys").wait().await;
    door.wait_gone().await;
    let now = polkit.asked();
    assert_eq!(now.len(), asked.len() + 1);
    let (action, name, may_ask) = now.last().expect("a question");
    assert_eq!((action.as_str(), *may_ask), ("dev.palettekeys.app.unlock", true));
    assert!(name.starts_with(':'), "about the app itself: {name}");

    // Recognised, it stays open over a restart.
    scene.stage.quit().await;
    let page = scene.stage.relaunch().await;
    page.role("grid", "API keys").wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_polkit_it_hides_and_the_tray_still_revokes() {
    let (desk, page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    page.role("link", "Settings").click().await;
    page.words(containing("Unlocking asks for nothing on this desktop")).wait().await;
    page.press("Control+k").await;
    page.role("combobox", "Command").put("lock").await;
    page.role("option", "Lock now").click().await;
    let door = page.role("main", LOCKED);
    door.wait().await;
    desk.notices.clear();

    tray.pick(&[" within 14 days", "leaked (", "Renew 30 days"]).await;
    desk.notices.wait("Palette Keys is locked").await;
    let uid = desk.key("leaked").uid;
    assert!(desk.sim().requests().iter().all(|r| r.method != "PUT" || !r.path.contains(&uid)));
    let began = desk.pick_revoke(&tray, "leaked").await;
    desk.wait_on_wire(&uid, began).await;
    desk.wait_active("leaked", false).await;
    desk.notices.wait("Revoked leaked.").await;
    holds_nothing(&page).await;

    // What was picked meanwhile is shown once it is open.
    door.role("button", "Unlock").click().await;
    page.role("grid", "API keys").wait().await;
    door.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_being_chosen_is_not_written_behind_the_lock() {
    let scene = Scene::admin().await;
    let held = scene.create("chosen-too-late", false).await;
    held.role("button", "Save to file").click().await;
    let title = "Save the value of your API key";
    scene.stage.bring_to_front(title).await;
    // Its page is loaded anew at once, so no answer is waited for.
    let lock = "setTimeout(() => window.__TAURI_INTERNALS__.invoke('lock_now'), 50)";
    scene.page.evaluate(lock).await;
    let door = scene.page.role("main", LOCKED);
    door.wait().await;
    let path = scene.stage.home().join("too-late.key");
    scene.stage.bring_to_front(title).await;
    scene.stage.press_key("ctrl+a").await;
    scene.stage.type_on_desktop(&path.display().to_string()).await;
    scene.stage.press_key("Return").await;
    scene.stage.wait_window_gone(title).await;
    door.role("button", "Unlock").click().await;
    door.wait_gone().await;
    // The value is still there, to be put somewhere by whoever was let in.
    held.wait().await;
    assert!(!path.exists(), "a value was written while the app was locked");
    held.role("button", "Save to keychain").click().await;
    held.role("button", "Saved").wait().await;
    assert!(!path.exists());
    let stored = scene.stored_values().await;
    assert_eq!(stored[0].secret, scene.key("chosen-too-late").value);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_locks_by_itself_a_minute_after_the_last_sign_of_a_person() {
    let scene = Scene::admin().await;
    scene.page.role("link", "Settings").click().await;
    scene.page.role("textbox", "Lock after idle").fill("1").await;
    scene.page.press("Tab").await;
    scene.page.words("Saved").wait().await;
    scene.page.role("link", "Keys").click().await;
    let saved = Instant::now();
    let door = scene.page.role("main", LOCKED);
    // Somebody is there.
    while saved.elapsed() < Duration::from_secs(35) {
        scene.page.press("ArrowDown").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let last = Instant::now();
    let locked = within(Duration::from_secs(100), async || {
        (door.count().await == 1).then(|| last.elapsed())
    })
    .await
    .expect("it locks");
    assert!(locked > Duration::from_secs(45), "it was used until {locked:?} before");
    holds_nothing(&scene.page).await;
    door.role("button", "Unlock").click().await;
    scene.page.role("grid", "API keys").wait().await;
}
