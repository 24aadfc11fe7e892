//! The keychain in every state it can be in.

use std::time::{Duration, Instant};

use crate::{
    acts::{SERVICE, connect, go, refused, row, status, type_key, wait_for_keys},
    harness::{Keychain, Launch, Page, Setting, Stage, any, containing, eventually},
};

/// A page that is late by more than this is felt as stuck (trust.md, check 37).
const LONGEST_GAP_MS: f64 = 200.0;

async fn stage_with(keychain: Keychain) -> Stage {
    Stage::set(Setting { keychain, ..Setting::default() }).await
}

/// Starts measuring, anew, how long the page does not come to run anything.
async fn measure_gaps(page: &Page) {
    page.evaluate(
        "clearInterval(window.__beat); window.__gap = 0; let last = performance.now();\n\
         window.__beat = setInterval(() => { const now = performance.now();\n\
           window.__gap = Math.max(window.__gap, now - last); last = now; }, 20);",
    )
    .await;
}

async fn longest_gap(page: &Page) -> f64 {
    page.evaluate("return window.__gap").await.as_f64().unwrap_or(f64::MAX)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_the_sign_in_can_stay_in_memory() {
    let mut stage = stage_with(Keychain::None).await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    type_key(&page, &stage.sim.origin(), &key).await;
    page.role("button", "Connect").click().await;
    let said = refused(&page, "no keychain").await;
    assert!(said.contains("nothing can be stored"), "{said}");
    page.role("button", "Try again").wait().await;
    page.role("button", "Keep in memory until quit").click().await;
    wait_for_keys(&page).await;
    page.words(containing("kept in memory until you quit")).wait().await;
    page.role("navigation", "Main").words("Kept in memory until quit").wait().await;
    row(&page, "ci-prod").wait().await;
    assert_eq!(stage.files_with(key.as_bytes()), Vec::<std::path::PathBuf>::new());

    // What is remembered is shown, and the key is asked for again.
    stage.quit().await;
    let page = stage.relaunch().await;
    page.role("heading", "API keys").wait().await;
    status(&page).wait_text("Signed out, as of ").await;
    row(&page, "ci-prod").wait().await;
    page.role("button", "Sign in").click().await;
    page.role("heading", "Sign in to acme").wait().await;
    page.password("API key").put(&key).await;
    page.role("button", "Sign in").click().await;
    wait_for_keys(&page).await;
    page.role("navigation", "Main").words("Kept in memory until quit").wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_starts_late_is_found() {
    let mut stage = stage_with(Keychain::None).await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    type_key(&page, &stage.sim.origin(), &key).await;
    page.role("button", "Connect").click().await;
    refused(&page, "no keychain").await;
    stage.start_keychain(true).await;
    page.role("button", "Try again").click().await;
    wait_for_keys(&page).await;
    assert_eq!(page.words("Kept in memory until quit").count().await, 0);
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await[0].secret, key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_says_so_and_works_once_it_is_unlocked() {
    let mut stage = stage_with(Keychain::Locked).await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    type_key(&page, &stage.sim.origin(), &key).await;
    page.role("button", "Connect").click().await;
    refused(&page, "The keychain is locked").await;
    page.role("button", "Keep in memory until quit").wait().await;

    stage.stop_keychain().await;
    stage.start_keychain(true).await;
    page.role("button", "Try again").click().await;
    wait_for_keys(&page).await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await[0].secret, key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_that_nobody_answers_leaves_the_window_alive() {
    let mut stage = stage_with(Keychain::LockedWithPrompt).await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    type_key(&page, &stage.sim.origin(), &key).await;
    page.role("button", "Connection options").click().await;
    let name = page.role("textbox", "Connection name");
    let work = async |until: Duration| {
        let started = Instant::now();
        let mut turns = 0;
        while started.elapsed() < until && !page.role("alert", any()).exists().await {
            name.put(&format!("turn {turns}")).await;
            turns += 1;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        turns
    };
    // On a computer that is busy with other things every page is late now and then.
    measure_gaps(&page).await;
    work(Duration::from_secs(3)).await;
    let usual = longest_gap(&page).await;

    // While the prompt waits the form is worked on.
    measure_gaps(&page).await;
    page.role("button", "Connect").click().await;
    let turns = work(Duration::from_secs(60)).await;
    assert!(turns > 3, "the prompt was waited for: {turns} turns");
    refused(&page, "waiting for an answer to its prompt").await;
    page.role("button", "Keep in memory until quit").wait().await;
    let gap = longest_gap(&page).await;
    let most = LONGEST_GAP_MS.max(3.0 * usual);
    assert!(gap <= most, "the page stood still for {gap} ms, before it was {usual} ms");
    assert_eq!(page.password("API key").value().await, key, "nothing typed is lost");

    stage.stop_keychain().await;
    stage.start_keychain(true).await;
    page.role("button", "Try again").click().await;
    wait_for_keys(&page).await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await[0].secret, key);
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await.len(), 1, "and only once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_quits_while_a_prompt_waits() {
    let mut stage = stage_with(Keychain::LockedWithPrompt).await;
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connect").click().await;
    eventually("the prompt is open", async || stage.is_prompting().await.then_some(())).await;
    let started = Instant::now();
    stage.quit().await;
    let took = started.elapsed();
    assert!(took <= Duration::from_secs(3), "quitting took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_locked_at_start_shows_the_last_list_until_it_is_unlocked() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    stage.quit().await;

    stage.stop_keychain().await;
    stage.start_keychain(false).await;
    let page = stage.relaunch().await;
    refused(&page, "is locked").await;
    row(&page, "ci-prod").wait().await;
    status(&page).wait_text("Not refreshed, as of ").await;

    stage.stop_keychain().await;
    stage.start_keychain(true).await;
    page.role("button", "Try again").click().await;
    wait_for_keys(&page).await;
    page.role("alert", any()).wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_removed_elsewhere_asks_for_the_key_again() {
    let mut stage = Stage::new().await;
    let key = stage.sim.admin().api_key;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &key).await;
    stage.quit().await;

    stage.command("secret-tool", &["clear", "service", SERVICE]).await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, []);
    let page = stage.relaunch().await;
    refused(&page, "You are signed out of acme").await;
    row(&page, "ci-prod").wait().await;
    page.role("button", "Sign in").click().await;
    page.password("API key").put(&key).await;
    page.role("button", "Sign in").click().await;
    wait_for_keys(&page).await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await[0].secret, key);
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_try_the_keychain_live() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    wait_for_keys(&page).await;
    go(&page, "Settings").await;
    let check = page.role("region", "Diagnostics");
    check.role("status", "Keychain").wait_text("is ready").await;
    check.role("status", "Keychain").role("button", "Check again").click().await;
    check.role("status", "Keychain").wait_text("written, read back and removed just now").await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, [], "the test entry is gone");

    stage.stop_keychain().await;
    check.role("status", "Keychain").role("button", "Check again").click().await;
    check.role("status", "Keychain").wait_text("is not running").await;
    stage.start_keychain(false).await;
    check.role("status", "Keychain").role("button", "Check again").click().await;
    check.role("status", "Keychain").wait_text("is locked").await;
}
