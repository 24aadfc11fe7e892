//! The life without a window: closing, opening again, quitting, and what survives.

use std::time::{Duration, Instant};

use palette_sim::{Seed, SimOptions};

use crate::{
    acts::go,
    desk::{Desk, WINDOW, add_key, holds_within},
    harness::{Launch, Notices, Panel, Setting, Stage, any, containing, eventually, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn closing_keeps_the_agent_and_the_window_opens_again() {
    let (desk, _page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    let pid = desk.stage.app_pid();
    desk.close_window().await;

    tray.pick(&["Open Palette Keys"]).await;
    desk.stage.wait_for_window(WINDOW).await;
    eventually("one web process", async || (desk.stage.web_processes().len() == 1).then_some(()))
        .await;
    desk.close_window().await;

    let second = desk.stage.command(desk.stage.program(), &[]).await;
    assert!(second.status.success(), "{second:?}");
    desk.stage.wait_for_window(WINDOW).await;
    assert_eq!(desk.stage.app_pid(), pid);
    assert_eq!(desk.panel.items().await.len(), 1, "one icon, one app");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_closed_before_its_page_runs_does_not_end_the_agent() {
    let desk = Desk::alone(&["--hidden"]).await;
    desk.tray_with("leaked").await;
    let pid = desk.stage.app_pid();
    for _ in 0..4 {
        let second = desk.stage.command(desk.stage.program(), &[]).await;
        assert!(second.status.success(), "{second:?}");
        desk.stage.wait_for_window(WINDOW).await;
        desk.close_window().await;
        assert_eq!(desk.stage.app_pid(), pid);
    }
    desk.tray_with("leaked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_window_the_agent_begins_anew_and_nothing_is_lost() {
    let (mut desk, _) = Desk::driven(Setting::default()).await;
    desk.stage.quit().await;
    desk.stage.start_alone_with(&[], &[("PALETTE_KEYS_CALM_MS", "300")]);
    desk.stage.wait_for_window(WINDOW).await;
    let tray = desk.tray_with("leaked").await;
    let pid = desk.stage.app_pid();
    desk.pick_revoke(&tray, "leaked").await;
    desk.wait_active("leaked", false).await;
    tray.entry(&["Undo revoke leaked"]).await;

    desk.stage.press_close_button(WINDOW).await;
    desk.stage.wait_window_gone(WINDOW).await;
    eventually("it runs as it would after a login", async || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == b"--hidden").then_some(())
    })
    .await;
    assert_eq!(desk.stage.app_pid(), pid);
    eventually("nothing of the window is left, WebKit's network process neither", async || {
        (desk.stage.processes().len() == 1).then_some(())
    })
    .await;

    // The undo is still offered, and done; the outbox is sent from here.
    eventually("the icon is back, and one only", async || {
        (desk.panel.items().await.len() == 1).then_some(())
    })
    .await;
    let tray = desk.tray_with("spare").await;
    tray.pick(&["Undo revoke leaked"]).await;
    desk.wait_active("leaked", true).await;
    desk.pick_revoke(&tray, "spare").await;
    desk.wait_active("spare", false).await;

    let second = desk.stage.command(desk.stage.program(), &[]).await;
    assert!(second.status.success(), "{second:?}");
    desk.stage.wait_for_window(WINDOW).await;
    assert_eq!(desk.panel.items().await.len(), 1, "one icon, one app");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_quits_where_nothing_shows_a_tray() {
    // A watcher that has no host shows nothing either.
    let mut stage = Stage::new().await;
    let _watcher = Panel::start_without_host(&stage).await;
    let page = stage.launch(Launch::demo()).await;
    crate::acts::wait_for_keys(&page).await;
    close_and_end(&mut stage).await;
}

/// Presses the close button until the app ends: the first time it may say that it will quit.
async fn close_and_end(stage: &mut Stage) {
    stage.press_close_button(WINDOW).await;
    if !holds_within(Duration::from_secs(4), || !stage.is_running()).await {
        stage.press_close_button(WINDOW).await;
    }
    stage.wait_ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_choose_that_closing_quits() {
    let (mut desk, page) = Desk::driven(Setting::default()).await;
    go(&page, "Settings").await;
    page.role("checkbox", containing("lose to tray")).check(false).await;
    eventually("it is written down", async || {
        let written = !desk.stage.files_with(b"\"close_to_tray\":false").is_empty()
            || !desk.stage.files_with(b"\"closeToTray\":false").is_empty();
        written.then_some(())
    })
    .await;
    close_and_end(&mut desk.stage).await;
    desk.panel.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_comes_late_is_found_and_one_that_goes_brings_the_window_back() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    crate::acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let panel = Panel::start(&stage).await;
    panel.item().await.entry(&["Quick revoke"]).await;
    let desk = Desk { notices: Notices::start(&stage).await, stage, panel };
    desk.close_window().await;

    // Without a tray nobody could reach the app any more.
    let Desk { stage, panel, notices } = desk;
    panel.stop().await;
    stage.wait_for_window(WINDOW).await;

    // The next panel has the icon again, with its menu.
    let desk = Desk { panel: Panel::start(&stage).await, stage, notices };
    desk.tray().await.entry(&["Quick revoke"]).await;
    desk.close_window().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_start_shows_only_the_tray() {
    let desk = Desk::alone(&["--hidden"]).await;
    let tray = desk.tray_with("leaked").await;
    assert_eq!(desk.stage.window_titles(), Vec::<String>::new());
    assert_eq!(desk.stage.web_processes(), Vec::<u32>::new());
    // It is signed in, and what it knows is fresh before long.
    eventually("the list is read", async || {
        let all = desk.sim().requests();
        all.iter().any(|r| r.method == "GET" && r.path == "/v1/apiKeys").then_some(())
    })
    .await;
    desk.pick_revoke(&tray, "leaked").await;
    desk.wait_active("leaked", false).await;
    assert_eq!(desk.stage.web_processes(), Vec::<u32>::new(), "still no window");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_start_without_a_panel_opens_the_window() {
    let mut stage = Stage::new().await;
    stage.start_alone(&["--hidden"]);
    assert!(
        !holds_within(Duration::from_secs(3), || !stage.window_titles().is_empty()).await,
        "a panel may still come"
    );
    stage.wait_for_window(WINDOW).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_asks_while_something_is_not_confirmed_and_the_next_start_goes_on() {
    let (mut desk, page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    desk.sim().go_down().await;
    desk.pick_revoke(&tray, "leaked").await;
    tray.entry(&["1 revocation not confirmed yet"]).await;

    tray.pick(&["Quit"]).await;
    let question = page.role("alertdialog", "Quit Palette Keys?");
    question.wait().await;
    question.words(containing("1 revocation is not confirmed yet")).wait().await;
    page.assert_accessible("the question before quitting").await;
    page.screenshot("quit-light").await;
    question.role("button", "Keep running").wait_focused().await;
    question.role("button", "Keep running").click().await;
    question.wait_gone().await;
    assert!(desk.stage.is_running());

    tray.pick(&["Quit"]).await;
    let began = Instant::now();
    question.role("button", "Quit").click_to_end().await;
    desk.stage.wait_ended().await;
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(3), "quitting took {took:?}");

    assert!(desk.key("leaked").active);
    desk.sim().come_back().await.unwrap();
    desk.stage.start_alone(&["--hidden"]);
    desk.wait_active("leaked", false).await;
    desk.notices.wait("Revoked leaked.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quitting_from_the_tray_without_a_window_opens_the_question() {
    let mut desk = Desk::alone(&["--hidden"]).await;
    let tray = desk.tray_with("leaked").await;
    desk.sim().go_down().await;
    desk.pick_revoke(&tray, "leaked").await;
    tray.entry(&["1 revocation not confirmed yet"]).await;
    tray.pick(&["Quit"]).await;
    desk.stage.wait_for_window(WINDOW).await;
    assert!(desk.stage.is_running(), "it waits for an answer");
    // The window that asks can be closed; the revocation goes on.
    desk.close_window().await;
    desk.sim().come_back().await.unwrap();
    tray.pick(&["1 revocation not confirmed yet", "leaked", "Try now"]).await;
    desk.wait_active("leaked", false).await;
    tray.wait_without(&["not confirmed yet"]).await;
    tray.pick(&["Quit"]).await;
    desk.stage.wait_ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_survives_a_kill() {
    let mut desk = Desk::alone(&["--hidden"]).await;
    let mut confirmed = 0;
    for (name, down) in [("leaked", true), ("spare", false), ("third", true)] {
        let tray = desk.tray_with(name).await;
        // The server knew of the one before sooner than the app did: this one is to be alone.
        tray.wait_without(&["1 revocation not confirmed yet"]).await;
        if down {
            desk.sim().go_down().await;
        }
        let began = desk.pick_revoke(&tray, name).await;
        // Killed when the menu has said that it is on record; with a network, a moment after the pick.
        if down {
            tray.entry(&["1 revocation not confirmed yet", name]).await;
        } else {
            desk.wait_on_wire(&desk.key(name).uid, began).await;
        }
        desk.stage.crash().await;
        if down {
            assert!(desk.key(name).active);
            desk.sim().come_back().await.unwrap();
        }
        desk.stage.start_alone(&["--hidden"]);
        desk.wait_active(name, false).await;
        confirmed += 1;
    }
    println!("revocations finished by the start after a kill: {confirmed}/3");
}

#[tokio::test(flavor = "multi_thread")]
async fn start_at_login_is_an_entry_of_the_desktop() {
    let (desk, page) = Desk::driven(Setting::default()).await;
    let entry = desk.stage.home().join(".config/autostart/dev.palettekeys.app.desktop");
    go(&page, "Settings").await;
    let choice = page.role("checkbox", containing("tart at login"));
    assert!(!choice.is_checked().await);
    choice.check(true).await;
    let text =
        eventually("the entry is written", async || std::fs::read_to_string(&entry).ok()).await;
    assert!(text.contains("--hidden") && text.contains(desk.stage.program()), "{text}");
    page.assert_accessible("the settings of the background").await;
    choice.check(false).await;
    eventually("the entry is gone", async || (!entry.exists()).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_soon_is_told_once() {
    // Nothing else ends soon here: more than three keys would be told together.
    let palette = SimOptions { seed: Seed::Empty, ..SimOptions::default() };
    let mut stage = Stage::set(Setting { palette, ..Setting::default() }).await;
    add_key(&stage.sim, "ci-short", jiff::SignedDuration::from_hours(24 * 7 - 1));
    let panel = Panel::start(&stage).await;
    let notices = Notices::start(&stage).await;
    let page = stage.launch(Launch::default()).await;
    crate::acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let notice = notices.wait("ci-short ends in 7 days (").await;
    assert!(notice.app.contains("Palette Keys"), "{notice:#?}");
    for _ in 0..2 {
        stage.quit().await;
        stage.sim.clear_requests();
        stage.start_alone(&["--hidden"]);
        panel.item().await;
        // The first list of a start is read after some seconds; what is due is told after it.
        eventually("the list is read again", async || {
            let all = stage.sim.requests();
            all.iter().any(|r| r.method == "GET" && r.path == "/v1/apiKeys").then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_secs(4)).await;
    }
    assert_eq!(notices.with("ci-short"), [notice], "it is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_notices_come_afterwards_and_names_stay_text() {
    // Nothing takes notices until they are paused.
    let mut stage = Stage::new().await;
    let hostile = "<b>x</b>&<a href=\"http://evil\">y</a>";
    add_key(&stage.sim, hostile, jiff::SignedDuration::from_hours(24 * 3 - 1));
    let panel = Panel::start(&stage).await;
    let page = stage.launch(Launch::default()).await;
    crate::acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let tray = panel.item().await;
    tray.pick(&["Pause notices", "1 hour"]).await;
    tray.entry(&["Pause notices", "Resume notices (paused until "]).await;
    let notices = Notices::start(&stage).await;
    go(&page, "Keys").await;
    page.press("F5").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(notices.all(), [], "they are paused");

    tray.pick(&["Pause notices", "Resume notices"]).await;
    let arrived = within(Duration::from_secs(45), async || {
        let all = notices.all();
        (!all.is_empty()).then_some(all)
    });
    let arrived = arrived.await.expect("what is still true is told after the pause");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let all = notices.all();
    for notice in &all {
        assert!(!notice.body.contains("<b>") && !notice.body.contains("<a "), "{notice:#?}");
    }
    let named = all.iter().find(|notice| notice.shown().contains(hostile));
    assert!(named.is_some(), "the name is there, as text: {arrived:#?}");
    page.role("alert", any()).wait_gone().await;
}
