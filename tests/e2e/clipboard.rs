//! Copying a value: it is there, it goes again, and nothing of anybody else's is touched.

use std::time::Duration;

use crate::{
    harness::{any, containing, eventually, within},
    scene::Scene,
};

/// The stored value of a key is on the clipboard, put there from the details.
async fn copy(scene: &Scene, name: &str) -> String {
    let value = scene.create_stored(name).await.value;
    let details = scene.look_at(name).await;
    details.role("button", "Copy key").click().await;
    eventually("the value is on the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&value)).then_some(())
    })
    .await;
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_value_is_counted_down_and_cleared() {
    let scene = Scene::admin().await;
    scene.set_clipboard_seconds(10).await;
    let value = copy(&scene, "cleared").await;
    let copied = std::time::Instant::now();
    let hints = scene.stage.clipboard_targets().await;
    assert!(
        hints.iter().any(|hint| hint.contains("x-kde-passwordManagerHint")),
        "clipboard histories are asked to leave it alone: {hints:?}"
    );
    let counting = scene.page.words(containing("Clears in "));
    let first = counting.text().await;
    eventually("the countdown moves", async || (counting.text().await != first).then_some(()))
        .await;
    let gone = within(Duration::from_secs(15), async || {
        (scene.stage.clipboard().await.as_ref() != Some(&value)).then_some(())
    })
    .await;
    assert!(gone.is_some(), "it is still on the clipboard");
    let stayed = copied.elapsed();
    assert!((8..=12).contains(&stayed.as_secs()), "it stayed {stayed:?}");
    scene.page.words(containing("Clipboard cleared")).wait().await;
    assert_eq!(counting.count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_screen_takes_it_off_at_once() {
    let scene = Scene::with_system_bus().await;
    let value = copy(&scene, "locked-away").await;
    scene.details().role("button", "Reveal").click().await;
    scene.stage.wait_for_window("locked-away · API key").await;
    let locked = std::time::Instant::now();
    let signal = ["--type=signal", "/org/freedesktop/login1/session/_31"];
    let said = scene
        .stage
        .command("dbus-send", &[&signal[..], &["org.freedesktop.login1.Session.Lock"]].concat())
        .await;
    assert!(said.status.success());
    eventually("the value is off the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() != Some(&value)).then_some(())
    })
    .await;
    scene.stage.wait_window_gone("locked-away · API key").await;
    assert!(locked.elapsed() < Duration::from_secs(20), "sooner than by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_copied_is_left_alone() {
    let mut scene = Scene::admin().await;
    scene.set_clipboard_seconds(10).await;
    copy(&scene, "overtaken").await;
    scene.stage.set_clipboard("my own notes").await;
    let counting = scene.page.words(containing("Clears in "));
    let over =
        within(Duration::from_secs(15), async || (counting.count().await == 0).then_some(())).await;
    assert!(over.is_some(), "the countdown does not end");
    scene.page.words(containing("left alone")).wait().await;
    assert_eq!(scene.stage.clipboard().await.as_deref(), Some("my own notes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn clear_now_and_quitting_clear_at_once() {
    let mut scene = Scene::admin().await;
    let value = copy(&scene, "at-once").await;
    scene.page.role("button", "Clear now").click().await;
    eventually("it is off the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() != Some(&value)).then_some(())
    })
    .await;
    scene.details().role("button", "Copy key").click().await;
    eventually("it is on the clipboard again", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&value)).then_some(())
    })
    .await;
    scene.stage.press_close_button("Palette Keys").await;
    scene.stage.wait_ended().await;
    assert_ne!(scene.stage.clipboard().await, Some(value));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_holds_the_value_and_the_right_host() {
    let scene = Scene::admin().await;
    let held = scene.create("shapes", false).await;
    let value = scene.key("shapes").value;
    let host = scene.sim().host();
    let wanted = [
        (
            "SPECTROCLOUD_APIKEY export",
            format!("export SPECTROCLOUD_HOST={host} SPECTROCLOUD_APIKEY={value}"),
        ),
        ("PALETTE_API_KEY export", format!("export PALETTE_HOST={host} PALETTE_API_KEY={value}")),
        ("curl", format!("{}/v1/users/info", scene.sim().origin())),
        ("Terraform provider block", format!("api_key      = \"{value}\"")),
        (".tfvars line", format!("sc_api_key = \"{value}\"")),
        ("PowerShell variables", format!("$env:SPECTROCLOUD_APIKEY = '{value}'")),
        (".env lines", format!("PALETTE_API_KEY={value}\n")),
        ("MCP server config", format!("\"PALETTE_API_KEY\": \"{value}\"")),
        ("Go", format!("client.WithAPIKey(\"{value}\")")),
        ("TypeScript", format!("baseUrl: \"{}\"", scene.sim().origin())),
        ("Python", format!("headers={{\"ApiKey\": \"{value}\"}}")),
    ];
    for (shape, text) in wanted {
        held.role("button", "Copy as").click().await;
        scene.choose_from_menu(shape).await;
        let copied = eventually(&format!("{shape} is on the clipboard"), async || {
            scene.stage.clipboard().await.filter(|copied| copied.contains(&text))
        })
        .await;
        assert!(copied.contains(&value), "{shape}: {copied}");
        assert!(shape == ".tfvars line" || copied.contains(&host), "{shape}: {copied}");
    }
    held.role("button", "Copy").click().await;
    eventually("the bare value is on the clipboard", async || {
        (scene.stage.clipboard().await.as_ref() == Some(&value)).then_some(())
    })
    .await;
    held.role("timer", any()).wait_text("Clears in ").await;
    // A copied value is kept: nothing is asked.
    held.role("button", "Done").click().await;
    held.wait_gone().await;
    assert!(scene.key("shapes").active);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_line_works_as_it_is_pasted() {
    let scene = Scene::admin().await;
    let held = scene.create("curled", false).await;
    held.role("button", "Copy as").click().await;
    scene.choose_from_menu("curl").await;
    let line = eventually("the line is on the clipboard", async || {
        scene.stage.clipboard().await.filter(|text| text.contains("curl"))
    })
    .await;
    scene.sim().clear_requests();
    let said = scene.stage.command("sh", &["-c", &line]).await;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains(&scene.sim().admin().uid), "{said}");
    let value = scene.key("curled").value;
    let request = scene.sim().requests().into_iter().find(|r| r.path == "/v1/users/info");
    assert_eq!(request.expect("it arrived").header("apikey"), Some(value.as_str()));
}
