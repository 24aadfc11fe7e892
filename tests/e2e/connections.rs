//! Two Palettes in one app: switched, edited, removed, and never mistaken for each other.

use palette_sim::{Fault, Matcher, NewKey, SimOptions};

use crate::{
    acts::{SERVICE, connect, go, row, search, status, type_key, wait_for_keys},
    connect::{authority, choose_authority},
    harness::{Launch, Stage, containing, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_palettes_are_edited_and_removed_and_never_mistaken_for_each_other() {
    let mut stage = Stage::new().await;
    let (ca, identity) = authority("127.0.0.1");
    let staging = palette_sim::start(SimOptions { tls: Some(identity), ..SimOptions::default() });
    let staging = staging.await.unwrap();
    stage.sim.add_key(NewKey::named("only-in-production"));
    let leaked = staging.add_key(NewKey {
        owner_uid: Some(staging.admin().uid),
        ..NewKey::named("only-in-staging")
    });

    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connection: acme").click().await;
    page.role("menuitem", containing("Add connection")).click().await;
    type_key(&page, &staging.origin(), &staging.admin().api_key).await;
    page.role("button", "Connection options").click().await;
    page.role("textbox", "Connection name").fill("staging").await;
    choose_authority(&page, &stage, &ca).await;
    page.role("button", "Connect").click().await;
    page.role("button", "Connection: staging").wait().await;
    wait_for_keys(&page).await;

    // Each is found again as it was left, and shows no key of the other one.
    search(&page, "only-in").await;
    row(&page, "only-in-staging").wait().await;
    page.role("checkbox", "Select only-in-staging").click().await;
    page.press("Control+1").await;
    page.role("button", "Connection: acme").wait().await;
    status(&page).wait_text("As of ").await;
    assert_eq!(page.role("searchbox", "Search keys").value().await, "");
    search(&page, "only-in").await;
    row(&page, "only-in-production").wait().await;
    assert_eq!(row(&page, "only-in-staging").count().await, 0);
    page.press("Control+2").await;
    page.role("button", "Connection: staging").wait().await;
    row(&page, "only-in-staging").wait().await;
    assert_eq!(row(&page, "only-in-production").count().await, 0);
    assert!(page.role("checkbox", "Select only-in-staging").is_checked().await);

    // Another way to the host is tried before it replaces what works.
    page.role("button", "Connection: staging").click().await;
    page.role("menuitem", "Edit connection…").click().await;
    let edit = page.role("dialog", "Edit connection");
    edit.role("textbox", "Connection name").fill("Staging EU").await;
    edit.role("radio", "Red").check(true).await;
    edit.role("button", "Remove the CA certificate").click().await;
    edit.words(containing("Save tries this on the server first")).wait().await;
    edit.role("button", "Save").click().await;
    edit.words(containing("not from an authority this computer knows")).wait().await;
    edit.words(containing("The connection is as it was.")).wait().await;
    page.role("button", "Connection: staging").wait().await;
    let (next, _) = authority("127.0.0.1");
    choose_authority(&page, &stage, &format!("{next}{ca}")).await;
    edit.words("authority.pem").wait().await;
    edit.role("button", "Save").click().await;
    edit.wait_gone().await;
    page.role("button", "Connection: Staging EU").wait().await;
    page.press("F5").await;
    wait_for_keys(&page).await;

    // A revocation that is not confirmed keeps it; the question about it names the connection.
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{}/state", leaked.uid));
    staging.set_fault(state, Fault::ResetBeforeHandling, None);
    page.role("toolbar", "Selection").role("button", "Revoke").click().await;
    eventually("it is asked for", async || {
        staging.requests().iter().any(|each| each.method == "PUT").then_some(())
    })
    .await;
    go(&page, "Settings").await;
    page.role("button", "Remove Staging EU").click().await;
    let question = page.role("alertdialog", "Remove Staging EU?");
    question.words(containing("1 revocation still needs it.")).wait().await;
    assert_eq!(question.role("button", "Remove").count().await, 0);
    question.role("button", "Show what waits").click().await;
    let waiting = page.role("dialog", "Not confirmed yet");
    waiting.words(containing("only-in-staging")).nth(0).wait().await;
    // Pressed while the fault lasts: once it is gone, what waits may be gone before the press.
    waiting.role("button", containing("Try")).nth(0).click().await;
    staging.clear_faults();
    eventually("the server has revoked it", async || {
        staging.key(&leaked.uid).is_some_and(|key| !key.active).then_some(())
    })
    .await;
    page.press("Escape").await;
    waiting.wait_gone().await;

    // Where the last record had gone by itself, that key led back to the list.
    go(&page, "Settings").await;
    page.role("button", "Remove Staging EU").click().await;
    question.words(containing("every key there stays valid")).wait().await;
    question.words("Connection: Staging EU").wait().await;
    question.role("button", "Remove").click().await;
    question.wait_gone().await;
    page.role("button", "Connection: acme").wait().await;
    let left = eventually("its entry is gone", async || {
        let left = stage.secrets(&[("service", SERVICE)]).await;
        (left.len() == 1).then_some(left)
    })
    .await;
    assert_eq!(left[0].secret, stage.sim.admin().api_key);
    assert!(staging.key(&staging.admin().api_key_uid).is_some_and(|key| key.active));
}
