//! What is left behind: in the page's stores, on the disk, in processes, on the bus. No secret.

use std::{os::unix::fs::PermissionsExt, path::PathBuf};

use base64::Engine;

use crate::{
    acts::{connect, go, wait_for_keys},
    harness::{Launch, Page, Stage, any, eventually},
};

/// A secret in the ways in which programs write text down.
fn encodings(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("UTF-8", secret.as_bytes().to_vec()),
        ("UTF-16", secret.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
    ];
    // Base64 takes three bytes at a time: what stands before and after changes the letters there.
    for before in 0..3 {
        let text = "_".repeat(before) + secret;
        let letters = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text).into_bytes();
        all.push(("base64", letters[before + before.min(1)..letters.len() - 2].to_vec()));
    }
    all
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Makes a key that goes into the keychain, and gives its value as the server knows it.
async fn make_key(stage: &Stage, page: &Page, name: &str) -> String {
    page.role("button", "New API key").click().await;
    let dialog = page.role("dialog", "New API key");
    dialog.role("textbox", "API key name").fill(name).await;
    dialog.role("button", "Generate").click().await;
    let save = page.role("dialog", "Save your API key");
    save.role("button", "Done").wait_enabled().await;
    eventually("the value is in the keychain", async || {
        let entries = stage.secrets(&[("service", crate::acts::SERVICE)]).await;
        (entries.len() == 2).then_some(())
    })
    .await;
    save.role("button", "Copy").click().await;
    eventually("it is on the clipboard", async || stage.clipboard().await).await;
    save.role("button", "Done").click().await;
    save.wait_gone().await;
    stage.sim.key_named(name).expect("it was made").value
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_stores_nothing() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    make_key(&stage, &page, "stores-nothing").await;
    go(&page, "Settings").await;
    page.role("heading", "Settings").wait().await;
    let left = page
        .evaluate(
            "return { local: localStorage.length, session: sessionStorage.length,\n\
               cookies: document.cookie, state: history.state, address: location.href,\n\
               bases: 'databases' in indexedDB ? (await indexedDB.databases()).length : 0,\n\
               caches: typeof caches === 'undefined' ? 0 : (await caches.keys().catch(() => [])).length }",
        )
        .await;
    assert_eq!(left["local"], 0, "{left}");
    assert_eq!(left["session"], 0, "{left}");
    assert_eq!(left["cookies"], "", "{left}");
    assert_eq!(left["bases"], 0, "{left}");
    assert_eq!(left["caches"], 0, "{left}");
    assert!(left["state"].is_null(), "{left}");
    assert!(left["address"].as_str().is_some_and(|address| address.len() < 40), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_a_file_a_log_a_process_or_the_bus() {
    let mut stage = Stage::new().await;
    stage.start("dbus-monitor", &["--session"]);
    let page = stage.launch(Launch::default().with("RUST_LOG", "trace")).await;
    let key = stage.sim.admin().api_key;
    connect(&page, &stage.sim.origin(), &key).await;
    let made = make_key(&stage, &page, "leaves-no-trace").await;
    go(&page, "Activity").await;
    page.role("heading", "Activity").wait().await;
    let page_text = page.evaluate("return document.documentElement.outerHTML").await.to_string();

    let mut seen: Vec<(String, Vec<u8>)> = vec![
        ("the page".into(), page_text.into_bytes()),
        ("the title".into(), page.title().await.into_bytes()),
    ];
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        for part in ["cmdline", "environ"] {
            if let Ok(bytes) = std::fs::read(process.join(part)) {
                seen.push((process.join(part).display().to_string(), bytes));
            }
        }
    }
    let while_running = files(&stage);
    stage.quit().await;
    let bus = std::fs::read(stage.home().parent().unwrap().join("others.log")).unwrap();
    assert!(holds(&bus, b"org.freedesktop.Secret.Item"), "the bus was listened to");
    seen.push(("the bus".into(), bus));
    seen.push(("the log".into(), stage.log().into_bytes()));
    seen.extend(while_running);
    seen.extend(files(&stage));
    assert!(seen.len() > 50, "there was something to look at");

    for (what, secret) in [("sign-in", &key), ("new", &made)] {
        assert!(secret.len() >= 32, "a value like a real one");
        for (encoding, bytes) in encodings(secret) {
            let found: Vec<&str> = seen
                .iter()
                .filter(|(_, content)| holds(content, &bytes))
                .map(|(place, _)| place.as_str())
                .collect();
            assert!(found.is_empty(), "the {what} key is in {found:?} as {encoding}");
        }
    }
}

/// Every file of the person's but the keychain's own, with what is in it.
fn files(stage: &Stage) -> Vec<(String, Vec<u8>)> {
    let read = |path: PathBuf| Some((path.display().to_string(), std::fs::read(&path).ok()?));
    stage.files().into_iter().filter_map(read).collect()
}

fn all_below(folder: &std::path::Path, found: &mut Vec<PathBuf>) {
    found.push(folder.to_owned());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => all_below(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_files_are_its_users_alone() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    go(&page, "Settings").await;
    page.role("radiogroup", "Appearance").role("radio", "Dark").check(true).await;
    page.role("heading", "Settings").wait().await;
    let check = || {
        let mut all = Vec::new();
        all_below(&stage.data(), &mut all);
        all_below(&stage.home().join(".cache/dev.palettekeys.app"), &mut all);
        assert!(all.iter().any(|path| path.is_file()), "{all:?}");
        for path in all.iter().filter(|path| path.exists()) {
            let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{} is {mode:o}", path.display());
        }
    };
    check();
    stage.quit().await;
    let page = stage.relaunch().await;
    wait_for_keys(&page).await;
    assert_eq!(page.role("alert", any()).count().await, 0);
}
