//! The stage itself, on WebKitGTK's own small browser: when these fail, look here first.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::harness::{Keychain, Launch, Page, Setting, Stage, any, containing, eventually};

/// A page under a policy as strict as the app's.
const PAGE: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Self-test</title>
<script src="/page.js"></script></head>
<body><main><h1>Self-test</h1>
<p role="status">Nothing yet</p>
<label>Name <input id="name"></label>
<label>Password <input type="password"></label>
<label><input type="checkbox"> Agree</label>
<label>Colour <select><option>Red</option><option>Green</option></select></label>
<button id="add">Add</button> <button disabled>Never</button>
<button id="open">Open</button>
<div hidden><button>Hidden</button></div>
<ul aria-label="Names"></ul>
<dialog aria-label="Sure?"><button id="yes">Add</button></dialog>
</main></body></html>"#;

const SCRIPT: &str = r##"
addEventListener("DOMContentLoaded", () => {
  const by = (query) => document.querySelector(query);
  let clicks = 0;
  by("#add").addEventListener("click", () => {
    clicks += 1;
    by("[role=status]").textContent = `${clicks} clicks`;
    setTimeout(() => {
      const item = document.createElement("li");
      item.textContent = by("#name").value;
      by("ul").append(item);
    }, 100);
  });
  by("#open").addEventListener("click", () => open("/", "", "width=300,height=200"));
  by("#yes").addEventListener("click", () => by("dialog").close());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.shiftKey && event.key.toLowerCase() === "k") by("dialog").showModal();
  });
});
"##;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'";

/// Serves the page on loopback as long as the test's runtime lives.
async fn page_on_loopback() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let script = request[..length].starts_with(b"GET /page.js");
                let (kind, body) = if script {
                    ("text/javascript", SCRIPT)
                } else {
                    ("text/html; charset=utf-8", PAGE)
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\
                     content-security-policy: {POLICY}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

fn browser() -> Launch {
    let folder = format!("/usr/lib/{}-linux-gnu/webkit2gtk-4.1", std::env::consts::ARCH);
    Launch {
        program: Some(format!("{folder}/MiniBrowser")),
        arguments: vec!["--automation".to_owned()],
        ..Launch::default()
    }
}

async fn open(stage: &mut Stage, launch: Launch) -> Page {
    let page = stage.launch(launch).await;
    page.go(&page_on_loopback().await).await;
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn controls_are_found_and_worked_by_role_and_name() {
    let mut stage = Stage::new().await;
    let page = open(&mut stage, browser()).await;
    page.role("heading", "Self-test").wait().await;
    assert_eq!(page.role("button", "Hidden").count().await, 0, "hidden is not there");
    assert_eq!(page.role("button", any()).count().await, 3);
    assert!(!page.role("button", "Never").is_enabled().await);

    page.role("textbox", "Name").fill("héllo & <b>").await;
    page.role("button", "Add").click().await;
    page.role("list", "Names").role("listitem", any()).wait_count(1).await;
    assert_eq!(page.role("list", "Names").role("listitem", any()).texts().await, ["héllo & <b>"]);
    assert_eq!(page.role("status", any()).wait_text("1 clicks").await, "1 clicks");
    page.role("button", "Add").double_click().await;
    page.role("status", any()).wait_text("3 clicks").await;

    page.field("Password").fill("s3cret").await;
    page.role("checkbox", containing("Agree")).check(true).await;
    page.role("combobox", containing("Colour")).choose("Green").await;
    page.role("combobox", containing("Colour")).wait_value("Green").await;

    page.press("Control+Shift+K").await;
    let dialog = page.role("dialog", "Sure?");
    dialog.role("button", "Add").click().await;
    dialog.wait_gone().await;

    page.role("textbox", "Name").put(&"x".repeat(10_000)).await;
    assert_eq!(page.role("textbox", "Name").value().await.len(), 10_000);
    page.reload().await;
    page.role("textbox", "Name").wait_value("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_is_taken_and_axe_sees_what_is_wrong() {
    let mut stage = Stage::new().await;
    let page = open(&mut stage, browser()).await;
    page.resize(900, 600).await;
    let picture = std::fs::read(page.screenshot("selftest").await).unwrap();
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2_000, "{} bytes", picture.len());
    page.assert_accessible("the self-test page").await;
    page.evaluate("document.querySelector('label').replaceWith(document.querySelector('#name'))")
        .await;
    let broken: Vec<String> =
        page.axe().await.into_iter().map(|violation| violation.rule).collect();
    assert_eq!(broken, ["label"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dark_desktop_is_dark_and_a_restart_keeps_the_home() {
    let mut stage = Stage::new().await;
    let page = open(&mut stage, browser()).await;
    assert!(!page.prefers_dark().await);
    assert_eq!(stage.web_processes().len(), 1, "{:?}", stage.processes());
    std::fs::write(stage.home().join("kept"), "canary").unwrap();
    stage.quit().await;
    assert!(!stage.is_running());
    let page = open(&mut stage, browser().dark()).await;
    assert!(page.prefers_dark().await);
    stage.crash().await;
    assert_eq!(stage.files_with(b"canary"), [stage.home().join("kept")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_keychain_keeps_and_finds() {
    let mut stage = Stage::new().await;
    let entry = [("service", "Self-test"), ("username", "one")];
    stage.store_secret("First", &entry, "s3cret").await;
    stage.store_secret("Second", &[("service", "Self-test"), ("username", "two")], "other").await;
    let found = stage.secrets(&entry).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].label.as_str(), found[0].secret.as_str()), ("First", "s3cret"));
    assert!(found[0].attributes.contains(&("username".into(), "one".into())), "{found:?}");
    let both = stage.secrets(&[("service", "Self-test")]).await;
    assert_eq!(both.len(), 2, "{both:?}");
    for entry in &both {
        let name = if entry.label == "First" { "one" } else { "two" };
        assert!(entry.attributes.contains(&("username".into(), name.into())), "{entry:?}");
    }
    // After a restart it is locked, and says nothing.
    stage.stop_keychain().await;
    stage.start_keychain(false).await;
    assert!(stage.secrets(&entry).await.iter().all(|entry| entry.secret.is_empty()));
    stage.stop_keychain().await;
    stage.start_keychain(true).await;
    assert_eq!(stage.secrets(&entry).await[0].secret, "s3cret");
    stage.lock_keychain().await;
    assert!(stage.secrets(&entry).await.iter().all(|entry| entry.secret.is_empty()));
    assert!(stage.files_with(b"s3cret").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keychain_nobody_answers() {
    let stage = Stage::set(Setting { keychain: Keychain::None, ..Setting::default() }).await;
    let said = stage.command("secret-tool", &["lookup", "service", "x"]).await;
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("org.freedesktop.secrets"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keychain_refuses_or_asks_for_ever() {
    let stage = Stage::set(Setting { keychain: Keychain::Locked, ..Setting::default() }).await;
    let line = ["5", "secret-tool", "store", "--label=x", "service", "x"];
    let refused = stage.command("timeout", &line).await;
    assert_ne!(refused.status.code(), Some(124), "it must not hang");
    assert!(!refused.status.success());

    let stage =
        Stage::set(Setting { keychain: Keychain::LockedWithPrompt, ..Setting::default() }).await;
    let asked = stage.command("timeout", &line).await;
    assert_eq!(asked.status.code(), Some(124), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_has_a_clipboard_of_its_own() {
    let (mut one, two) = (Stage::new().await, Stage::new().await);
    assert_eq!(one.clipboard().await, None);
    one.set_clipboard("for one").await;
    assert_eq!(one.clipboard().await.as_deref(), Some("for one"));
    assert_eq!(two.clipboard().await, None);
    assert!(one.clipboard_targets().await.contains(&"UTF8_STRING".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_its_stage() {
    let mut stage = Stage::new().await;
    open(&mut stage, browser()).await;
    let home = stage.home();
    let pids: Vec<u32> = stage.processes().into_iter().map(|(pid, _)| pid).collect();
    drop(stage);
    assert!(!home.exists());
    eventually("all processes ended", async || {
        pids.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_window_is_worked_and_closed() {
    let mut stage = Stage::new().await;
    let page = open(&mut stage, browser()).await;
    let first = page.windows().await;
    page.role("button", "Open").click().await;
    let second = page.switch_to_new(&first).await;
    page.role("textbox", "Name").fill("second").await;
    page.close_window().await;
    assert!(page.switch_to(&first[0]).await);
    assert!(!page.windows().await.contains(&second));
    page.role("textbox", "Name").wait_value("").await;
}
