//! The window that shows one value: it opens, it is the only one that has it, and it dies.

use std::{path::Path, time::Duration};

use crate::{
    harness::{Locator, eventually, within},
    scene::Scene,
};

/// Presses "Reveal" and works the new window from then on.
async fn reveal(scene: &Scene, button: Locator) -> String {
    let known = scene.page.windows().await;
    button.click().await;
    scene.page.switch_to_new(&known).await
}

async fn ended(pid: u32) {
    eventually(&format!("web process {pid} has ended"), async || {
        (!Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_shown_in_a_window_of_its_own_that_dies_with_it() {
    let scene = Scene::admin().await;
    let key = scene.create_stored("shown").await;
    let details = scene.look_at("shown").await;
    let before = scene.stage.web_processes();
    let shown = reveal(&scene, details.role("button", "Reveal")).await;

    scene.page.role("heading", "shown").wait().await;
    let value = scene.page.role("group", "API key");
    assert_eq!(value.text().await, key.value);
    let counting = scene.page.role("timer", crate::harness::any());
    assert!(counting.text().await.starts_with("Closes in "), "{}", counting.text().await);
    let own: Vec<u32> =
        scene.stage.web_processes().into_iter().filter(|pid| !before.contains(pid)).collect();
    assert_eq!(own.len(), 1, "a process of its own: {before:?} and {own:?}");

    // Loaded again it gets nothing: the value was taken once.
    scene.page.role("button", "Copy").click().await;
    eventually("the value is on the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&key.value)).then_some(())
    })
    .await;
    scene.page.role("button", "Close").click().await;
    ended(own[0]).await;
    scene.stage.wait_window_gone("shown · API key").await;
    assert!(!scene.page.switch_to(&shown).await, "the window is gone");
    assert!(scene.page.switch_to(&scene.main).await);
    let page = scene.page.evaluate("return document.documentElement.outerHTML").await;
    assert!(!page.as_str().unwrap_or_default().contains(&key.value));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_once_and_covered_when_another_window_comes_in_front() {
    let scene = Scene::admin().await;
    let held = scene.create("covered", false).await;
    let key = scene.key("covered");
    reveal(&scene, held.role("button", "Reveal")).await;
    let value = scene.page.role("group", "API key");
    value.wait_text(&key.value).await;
    scene.stage.bring_to_front("covered · API key").await;
    scene.stage.bring_to_front("Palette Keys").await;
    let again = scene.page.role("button", "Show again");
    again.wait().await;
    let body = scene.page.evaluate("return document.body.innerText").await;
    assert!(!body.as_str().unwrap_or_default().contains(&key.value), "it is covered: {body}");
    scene.stage.bring_to_front("covered · API key").await;
    again.click().await;
    value.wait_text(&key.value).await;
    // A page that is loaded again gets nothing.
    scene.page.reload().await;
    scene.page.role("alert", crate::harness::any()).wait_text("no longer").await;
    scene.stage.press_key("Escape").await;
    scene.stage.wait_window_gone("covered · API key").await;
    // Shown is kept: its owner has seen it.
    assert!(scene.page.switch_to(&scene.main).await);
    held.role("button", "Done").click().await;
    held.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_value_takes_the_place_of_the_one_before() {
    let scene = Scene::admin().await;
    scene.create_stored("first-shown").await;
    let second = scene.create_stored("second-shown").await;
    let details = scene.look_at("first-shown").await;
    reveal(&scene, details.role("button", "Reveal")).await;
    scene.page.role("heading", "first-shown").wait().await;

    assert!(scene.page.switch_to(&scene.main).await);
    let button = scene.look_at("second-shown").await.role("button", "Reveal");
    reveal(&scene, button).await;
    scene.page.role("group", "API key").wait_text(&second.value).await;
    scene.stage.wait_window_gone("first-shown · API key").await;
    // What ended with the first window has not ended with this one.
    scene.page.role("button", "Copy").click().await;
    eventually("its value is on the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&second.value)).then_some(())
    })
    .await;
    assert!(scene.page.switch_to(&scene.main).await);
    assert_eq!(scene.page.role("alert", crate::harness::any()).count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_closes_itself_after_half_a_minute() {
    let scene = Scene::admin().await;
    scene.create_stored("short-lived").await;
    let details = scene.look_at("short-lived").await;
    let before = scene.stage.web_processes();
    reveal(&scene, details.role("button", "Reveal")).await;
    scene.page.role("group", "API key").wait().await;
    let own: Vec<u32> =
        scene.stage.web_processes().into_iter().filter(|pid| !before.contains(pid)).collect();
    let opened = std::time::Instant::now();
    let gone = within(Duration::from_secs(40), async || {
        let titles = scene.stage.window_titles();
        titles.iter().all(|title| !title.contains("short-lived")).then_some(())
    })
    .await;
    assert!(gone.is_some(), "it is still there");
    let lasted = opened.elapsed();
    assert!((26..=32).contains(&lasted.as_secs()), "it lasted {lasted:?}");
    ended(own[0]).await;
}
