//! Review, as everybody who may see something of it.

use crate::{
    acts::{connect, wait_for_keys},
    harness::{Launch, Page, Stage, containing},
};

async fn open_review(page: &Page) {
    wait_for_keys(page).await;
    page.role("link", "Review").click().await;
    page.role("heading", "Review").wait().await;
    page.role("figure", "Expiry timeline").wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_keeps_a_finding_takes_it_back_and_opens_the_list_for_many() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    open_review(&page).await;
    for counter in ["Act now", "This month", "Clean up"] {
        page.role("button", containing(counter)).wait().await;
    }
    page.role("heading", containing("of people who are gone")).wait().await;
    let legacy = page.role("listitem", containing("legacy-jenkins never expires"));
    legacy.role("button", "Keep\u{2026}").click().await;
    let dialog = page.role("dialog", "Keep as it is?");
    dialog.role("textbox", "Reason").fill("Old build farm").await;
    dialog.role("button", "Keep").click().await;
    dialog.wait_gone().await;
    legacy.wait_gone().await;

    page.role("button", containing("Accepted until a date")).click().await;
    let accepted = page.role("dialog", "Accepted until a date");
    accepted.words("Old build farm").wait().await;
    accepted.role("button", containing("Take back: legacy-jenkins")).click().await;
    accepted.role("button", "Close").click().await;
    accepted.wait_gone().await;
    legacy.wait().await;

    // A group act opens the list first: nothing is sent by the press.
    let gone = page.role("listitem", containing("of people who are gone"));
    gone.role("button", containing("Revoke all")).click().await;
    page.role("heading", "API keys").wait().await;
    page.role("toolbar", "Selection").wait().await;
    page.words(containing("of people who are gone")).wait().await;
    assert!(stage.sim.keys().iter().any(|key| key.name == "vmo-migration" && key.active));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_is_told_why_nothing_can_be_done() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.viewer().api_key).await;
    open_review(&page).await;
    let gone = page.role("listitem", containing("of people who are gone"));
    gone.words(containing("may see these keys, but not change them")).wait().await;
    assert_eq!(gone.role("button", containing("Revoke")).count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_admin_reviews_every_key_and_nobody_is_called_gone() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.project_admin().api_key).await;
    open_review(&page).await;
    page.words("People could not be read").wait().await;
    page.role("heading", containing("legacy-jenkins never expires")).wait().await;
    assert_eq!(page.role("heading", containing("people who are gone")).count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_user_reviews_own_keys() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.user().api_key).await;
    open_review(&page).await;
    page.words(containing("You review your own keys")).wait().await;
    page.words(containing("4 keys")).nth(0).wait().await;
    assert_eq!(page.role("heading", containing("legacy-jenkins")).count().await, 0);
}
