//! The key that signs this app in: made by the app after a password, told for a pasted one, and
//! kept from being revoked by mistake.

use palette_keys_core::keys::KeyUid;

use crate::{
    acts::{SERVICE, connect, go, listed, open_details, status, type_account, wait_for_keys},
    harness::{Launch, Page, Stage, containing, eventually},
};

const GUARD: &str = "This key signs Palette Keys in to acme";

/// Revokes the key of the open details as far as the guard.
async fn stopped(page: &Page, name: &str) {
    let details = open_details(page, name).await;
    details.words("Signs this app in").wait().await;
    details.role("button", "Revoke").click().await;
    page.role("alertdialog", GUARD).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_password_the_app_signs_in_with_a_key_of_its_own() {
    let mut stage = Stage::new().await;
    let admin = stage.sim.admin();
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    type_account(&page, &admin.email, &admin.organization, &admin.password).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    let before = stage.sim.keys().len();

    page.role("button", "Make a key…").click().await;
    let dialog = page.role("dialog", "Sign in without your password");
    dialog.wait().await;
    page.assert_accessible("Sign in without your password").await;
    dialog.role("button", "Make the key").click().await;
    dialog.wait_gone().await;
    page.words(containing("signs Palette Keys in from now on")).wait().await;
    assert_eq!(page.role("button", "Make a key…").count().await, 0, "offered once");

    let made: Vec<_> = stage.sim.keys().into_iter().skip(before).collect();
    assert_eq!(made.len(), 1);
    let own = &made[0];
    assert!(own.name.starts_with("palette-keys on "), "{}", own.name);
    let kept = stage.secrets(&[("service", SERVICE)]).await;
    assert_eq!(kept.len(), 1, "one entry: the key's value is the credential; {kept:?}");
    assert_eq!(kept[0].secret, own.value);
    assert!(KeyUid::new(&own.uid).is_some());

    // Quit, and start: from the keychain, with the new key, without a session.
    stage.quit().await;
    stage.sim.end_sessions();
    stage.sim.clear_requests();
    let page = stage.relaunch().await;
    wait_for_keys(&page).await;
    status(&page).wait_text("You see every key of acme").await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());
    let sent = stage.sim.requests();
    let with = |name: &str| sent.iter().any(|r| r.headers.iter().any(|(header, _)| header == name));
    assert!(with("apikey") && !with("authorization"));
    assert_eq!(stage.files_with(own.value.as_bytes()), Vec::<std::path::PathBuf>::new());

    go(&page, "Settings").await;
    page.words(containing("Signs in with palette-keys on ")).wait().await;
    let said = page.words(containing("Signs in with palette-keys on ")).text().await;
    assert!(said.contains("ends in 30 days, renews itself"), "{said}");
    assert!(page.role("checkbox", containing("Renew my sign-in key")).is_checked().await);
    page.assert_accessible("Settings, sign-in key").await;

    // The guard, and the second thought.
    go(&page, "Keys").await;
    stopped(&page, &own.name).await;
    page.assert_accessible("the guard").await;
    page.role("button", "Go back").click().await;
    page.role("alertdialog", GUARD).wait_gone().await;
    assert!(stage.sim.key(&own.uid).unwrap().active, "nothing was done");
    stopped(&page, &own.name).await;
    page.role("button", "Revoke anyway…").click().await;
    let second = page.role("alertdialog", "Revoke it and be signed out?");
    second.wait().await;
    page.assert_accessible("the second thought").await;
    second.role("button", "Revoke and sign out").click().await;
    let sim = stage.sim.clone();
    eventually("the key is revoked", async || (!sim.key(&own.uid)?.active).then_some(())).await;
    status(&page).wait_text("Signed out, as of ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_key_among_several_is_asked_for_once() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.words("Which of your keys signs Palette Keys in?").wait().await;
    page.role("button", "Choose…").click().await;
    let dialog = page.role("dialog", "Which of your keys signs Palette Keys in?");
    dialog.role("radio", containing("palette-keys on lark")).click().await;
    dialog.role("checkbox", containing("Renew it by itself")).wait().await;
    page.assert_accessible("Which of your keys").await;
    dialog.role("button", "Save").click().await;
    dialog.wait_gone().await;
    page.words("Which of your keys signs Palette Keys in?").wait_gone().await;
    stopped(&page, "palette-keys on lark").await;
    page.role("button", "Go back").click().await;

    stage.quit().await;
    let page = stage.relaunch().await;
    wait_for_keys(&page).await;
    assert_eq!(page.words("Which of your keys signs Palette Keys in?").count().await, 0);
    stopped(&page, "palette-keys on lark").await;
}
