//! What a restart keeps, and what is done with several connections.

use std::time::Duration;

use crate::{
    acts::{
        SERVICE, connect, go, listed, refresh_until, row, status, type_account, type_key,
        wait_for_keys,
    },
    harness::{Launch, Page, Program, Stage, containing, eventually},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_signs_in_from_the_keychain_after_a_restart() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    for crashed in [false, true] {
        if crashed {
            stage.crash().await;
        } else {
            stage.quit().await;
        }
        stage.sim.clear_requests();
        let page = stage.relaunch().await;
        wait_for_keys(&page).await;
        status(&page).wait_text("You see every key of acme").await;
        assert_eq!(listed(&page).await, stage.sim.keys().len());
        assert!(!stage.sim.requests().is_empty(), "the list is a fresh one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_session_asks_again_after_a_restart() {
    let mut stage = Stage::new().await;
    let admin = stage.sim.admin();
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    type_account(&page, &admin.email, &admin.organization, &admin.password).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    stage.quit().await;

    let page = stage.relaunch().await;
    status(&page).wait_text("Signed out, as of ").await;
    row(&page, "ci-prod").wait().await;
    page.role("button", "Sign in").click().await;
    page.role("heading", "Sign in to acme").wait().await;
    assert!(page.role("radio", "Email and password").is_checked().await);
    assert_eq!(page.role("textbox", "Email").value().await, admin.email);
    assert_eq!(page.password("Password").value().await, "");
    page.password("Password").put(&admin.password).await;
    page.role("button", "Sign in").click().await;
    wait_for_keys(&page).await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());
    assert_eq!(stage.files_with(admin.password.as_bytes()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_asks_for_the_password_and_loses_nothing() {
    let mut stage = Stage::new().await;
    let admin = stage.sim.admin();
    let page = stage.launch(Launch::default()).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    type_account(&page, &admin.email, &admin.organization, &admin.password).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;

    stage.sim.end_sessions();
    refresh_until(&page, &status(&page), "Signed out, as of ").await;
    row(&page, "ci-prod").wait().await;
    page.role("button", "Sign in").click().await;
    page.password("Password").put(&admin.password).await;
    page.role("button", "Sign in").click().await;
    wait_for_keys(&page).await;
}

/// Switches to another connection.
async fn switch(page: &Page, from: &str, to: &str) {
    page.role("button", format!("Connection: {from}")).click().await;
    let menu = page.role("menu", "Connections");
    menu.role("menuitem", containing(to)).click().await;
    menu.wait_gone().await;
    page.role("button", format!("Connection: {to}")).wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_connections_are_switched_renamed_and_removed() {
    let mut stage = Stage::new().await;
    let (jane, sam) = (stage.sim.admin(), stage.sim.user());
    let before = stage.sim.keys().len();
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &jane.api_key).await;

    page.role("button", "Connection: acme").click().await;
    page.role("menuitem", containing("Add connection")).click().await;
    type_key(&page, &stage.sim.origin(), &sam.api_key).await;
    page.role("button", "Connection options").click().await;
    page.role("textbox", "Connection name").fill("Sam's own").await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    page.role("button", "Connection: Sam's own").wait().await;
    status(&page).wait_text("You see your own keys").await;
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await.len(), 2);

    switch(&page, "Sam's own", "acme").await;
    status(&page).wait_text("You see every key of acme").await;
    row(&page, "ci-prod").wait().await;
    page.press("Control+2").await;
    status(&page).wait_text("You see your own keys").await;
    assert_eq!(row(&page, "ci-prod").count().await, 0, "no key of the other one");

    go(&page, "Settings").await;
    page.role("button", "Edit Sam's own").click().await;
    let dialog = page.role("dialog", "Edit connection");
    dialog.role("textbox", "Connection name").fill("Sandbox").await;
    dialog.role("radio", "Green").check(true).await;
    dialog.role("button", "Save").click().await;
    dialog.wait_gone().await;
    page.role("button", "Connection: Sandbox").wait().await;
    page.role("button", "Edit Sandbox").click().await;
    assert!(page.role("radio", "Green").is_checked().await);
    page.role("dialog", "Edit connection").role("button", "Cancel").click().await;

    page.role("button", "Remove Sandbox").click().await;
    let question = page.role("alertdialog", "Remove Sandbox?");
    question.words(containing("every key there stays valid")).wait().await;
    question.role("button", "Cancel").wait_focused().await;
    question.role("button", "Remove").click().await;
    question.wait_gone().await;
    page.role("button", "Connection: acme").wait().await;
    let left = eventually("its entry is gone", async || {
        let left = stage.secrets(&[("service", SERVICE)]).await;
        (left.len() == 1).then_some(left)
    })
    .await;
    assert_eq!(left[0].secret, jane.api_key);
    assert_eq!(stage.sim.keys().len(), before, "the server still has every key");
    assert!(stage.sim.key(&sam.api_key_uid).is_some_and(|key| key.active));

    page.role("button", "Remove acme").click().await;
    page.role("alertdialog", "Remove acme?").role("button", "Remove").click().await;
    page.role("heading", "Connect to Palette").wait().await;
    crate::acts::assert_nothing_saved(&mut stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_open_connection_is_open_again_after_a_restart() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.user().api_key).await;
    page.role("button", "Connection: acme").click().await;
    page.role("menuitem", containing("Add connection")).click().await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connection options").click().await;
    page.role("textbox", "Connection name").fill("Everything").await;
    page.role("button", "Connect").click().await;
    page.role("button", "Connection: Everything").wait().await;
    stage.quit().await;
    let page = stage.relaunch().await;
    page.role("button", "Connection: Everything").wait().await;
    wait_for_keys(&page).await;
    status(&page).wait_text("You see every key of acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_leaves_the_first_one_in_charge() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    wait_for_keys(&page).await;
    let second = stage.command(env!("CARGO_BIN_EXE_palette-keys"), &[]).await;
    assert!(second.status.success(), "{second:?}");
    assert_eq!(page.windows().await.len(), 1);
    page.role("button", "Connection: Demo tenant").wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_window_ends_every_process() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    wait_for_keys(&page).await;
    let processes = stage.processes();
    assert!(processes.len() > 2, "the app and its web processes: {processes:?}");
    stage.press_close_button("Palette Keys").await;
    stage.wait_ended().await;
    eventually("all of them ended", async || {
        let gone =
            |(pid, _): &(u32, String)| !std::path::Path::new(&format!("/proc/{pid}")).exists();
        processes.iter().all(gone).then_some(())
    })
    .await;
}

/// The theme the page is drawn in.
async fn theme(page: &Page) -> String {
    let theme = page.evaluate("return document.documentElement.dataset.theme").await;
    theme.as_str().unwrap_or_default().to_owned()
}

async fn wait_for_theme(page: &Page, wanted: &str) {
    eventually(&format!("the theme is {wanted}"), async || {
        (theme(page).await == wanted).then_some(())
    })
    .await;
}

/// What is chosen is shown at once and written down a moment later.
async fn wait_until_written(stage: &Stage, appearance: &str) {
    let text = format!("\"appearance\":\"{appearance}\"");
    eventually(&format!("{text} is written down"), async || {
        (!stage.files_with(text.as_bytes()).is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_appearance_is_chosen_and_kept() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    wait_for_theme(&page, "light").await;
    go(&page, "Settings").await;
    let choice = page.role("radiogroup", "Appearance");
    assert!(choice.role("radio", "System").is_checked().await);
    choice.role("radio", "Dark").check(true).await;
    wait_for_theme(&page, "dark").await;
    wait_until_written(&stage, "dark").await;

    stage.quit().await;
    let page = stage.relaunch().await;
    page.role("heading", "API keys").wait().await;
    wait_for_theme(&page, "dark").await;
    go(&page, "Settings").await;
    page.role("radiogroup", "Appearance").role("radio", "Light").check(true).await;
    wait_for_theme(&page, "light").await;
    wait_until_written(&stage, "light").await;

    // Light was chosen, whatever the desktop is; "System" follows it.
    stage.quit().await;
    let page = stage.launch(Launch::demo().dark()).await;
    page.role("heading", "API keys").wait().await;
    wait_for_theme(&page, "light").await;
    go(&page, "Settings").await;
    page.role("radiogroup", "Appearance").role("radio", "System").check(true).await;
    wait_for_theme(&page, "dark").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_out_of_its_range_is_refused_and_a_good_one_is_kept() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::demo()).await;
    go(&page, "Settings").await;
    let seconds = page.role("textbox", "Clear a copied key after");
    assert_eq!(seconds.value().await, "30");
    for wrong in ["9", "301", "soon", "-1", ""] {
        seconds.fill(wrong).await;
        page.press("Enter").await;
        seconds.wait_invalid().await;
        page.words("Type a whole number of seconds from 10 to 300.").wait().await;
    }
    seconds.fill("45").await;
    page.press("Enter").await;
    page.role("region", "Clipboard").words("Saved").wait().await;
    assert_eq!(seconds.attribute("aria-invalid").await, None);

    stage.quit().await;
    let page = stage.relaunch().await;
    go(&page, "Settings").await;
    page.role("textbox", "Clear a copied key after").wait_value("45").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_end_it_leaves_by_itself_with_and_without_a_window() {
    let stage = Stage::new().await;
    for arguments in [&[][..], &["--hidden"]] {
        let log = stage.home().join("told-to-end.log");
        let program = Program::new(stage.program(), stage.environment());
        let mut app = program.args(arguments).log(&log).start();
        match arguments {
            // Without a tray it shows its window after all.
            [] => drop(stage.wait_for_window("Palette Keys").await),
            _ => tokio::time::sleep(Duration::from_secs(2)).await,
        }
        let code = app.told_to_end(Duration::from_secs(5));
        assert_eq!(code, Some(0), "{arguments:?}");
    }
}
