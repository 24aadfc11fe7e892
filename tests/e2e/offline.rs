//! Without the server: what was read last stays in sight, and says how old it is.

use crate::{
    acts::{connect, listed, open_details, refresh_until, refused, row, status, wait_for_keys},
    harness::{Launch, Stage, any},
};
use palette_sim::{Fault, Matcher};

#[tokio::test(flavor = "multi_thread")]
async fn the_last_list_is_there_at_a_start_without_the_server() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let before = listed(&page).await;
    stage.quit().await;

    stage.sim.go_down().await;
    let page = stage.relaunch().await;
    status(&page).wait_text("Offline, as of ").await;
    assert_eq!(listed(&page).await, before);
    refused(&page, "You see the keys as of").await;
    let details = open_details(&page, "ci-prod").await;
    details.words("jane.doe@acme.example").wait().await;
    assert!(!page.role("heading", "Connect to Palette").exists().await, "nobody has to sign in");

    // Reads are tried several times; once that is over only a person can ask again.
    let again = page.role("button", "Try again");
    again.wait_enabled().await;
    stage.sim.come_back().await.unwrap();
    again.click().await;
    wait_for_keys(&page).await;
    page.role("alert", any()).wait_gone().await;
    assert_eq!(listed(&page).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_not_heard_yet_is_not_called_offline() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let before = listed(&page).await;
    for dark in [false, true] {
        stage.quit().await;
        stage.sim.set_fault(Matcher::any(), Fault::DelayMs(4_000), None);
        let page = stage.launch(Launch { dark, ..Launch::default() }).await;
        status(&page).wait_text("Connecting, as of ").await;
        assert_eq!(listed(&page).await, before);
        assert!(!page.words("Offline.").exists().await, "nobody knows that yet");
        page.role("region", "Key details").wait().await;
        page.screenshot(if dark { "connecting-dark" } else { "connecting-light" }).await;
        page.assert_accessible("the list while it connects").await;
        stage.sim.clear_faults();
        status(&page).wait_text("As of ").await;
        page.role("alert", any()).wait_gone().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_server_keeps_the_list_and_its_changes_come_with_it() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    row(&page, "ci-prod").wait().await;

    stage.sim.go_down().await;
    refresh_until(&page, &status(&page), "Offline, as of ").await;
    row(&page, "ci-prod").wait().await;

    stage.sim.come_back().await.unwrap();
    let uid = stage.sim.key_named("ci-prod").unwrap().uid;
    stage.sim.edit_key_directly(&uid, |key| key.name = "ci-prod-renamed".to_owned());
    refresh_until(&page, &row(&page, "ci-prod-renamed"), "ci-prod-renamed").await;
    status(&page).wait_text("As of ").await;
}
