//! A tenant of 6,000 keys and 300 people.

use palette_sim::{Seed, SimOptions};

use crate::{
    acts::listed,
    harness::{any, containing, eventually},
    scene::Scene,
};

const KEYS: usize = 6_000;

async fn large() -> Scene {
    let seed = Seed::Size { keys: KEYS, users: 300 };
    Scene::admin_of(SimOptions { seed, ..SimOptions::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn six_thousand_keys_scroll_sort_and_filter() {
    let scene = large().await;
    let page = &scene.page;
    assert_eq!(listed(page).await, KEYS);
    page.words(containing("6,000 keys of ")).wait().await;
    let made = async || page.role("grid", "API keys").role("row", any()).count().await;
    let rows = made().await;
    assert!((10..80).contains(&rows), "only a window of rows is made: {rows}");

    // To the end and back by keyboard.
    page.role("rowheader", any()).nth(0).click().await;
    page.press("End").await;
    let index = async || {
        let focused = "return document.activeElement.getAttribute('aria-rowindex')";
        page.evaluate(focused).await.as_str().map(str::to_owned)
    };
    let end = Some((KEYS + 1).to_string());
    eventually("the last row has the focus", async || (index().await == end).then_some(())).await;
    assert!(made().await < 80);
    page.press("Home").await;
    eventually("the first row has the focus", async || {
        (index().await.as_deref() == Some("2")).then_some(())
    })
    .await;

    // By scrolling: whatever the place, there are rows in sight, and no others are made.
    for part in [0.1, 0.5, 0.9, 1.0] {
        let shown = page
            .evaluate_with(
                "const grid = document.querySelector('[role=grid]');
                 grid.scrollTop = arguments[0] * grid.scrollHeight;
                 await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
                 const box = grid.getBoundingClientRect();
                 const at = document.elementFromPoint(box.left + 200, box.bottom - 80);
                 return at?.closest('[role=row]') !== null",
                serde_json::json!([part]),
            )
            .await;
        assert_eq!(shown, true, "rows in sight at {part}");
        assert!(made().await < 80);
    }

    // One key among thousands, then a whole kind.
    let name = scene.sim().keys()[4_321].name.clone();
    scene.search(&name).await;
    page.role("rowheader", containing(&name)).wait().await;
    assert_eq!(listed(page).await, 1);
    scene.search("is:never").await;
    let never = scene.sim().keys().iter().filter(|key| key.expiry.is_none()).count();
    eventually("all that never end", async || (listed(page).await == never).then_some(())).await;
    scene.search("").await;
    eventually("all again", async || (listed(page).await == KEYS).then_some(())).await;
    page.role("button", "Name").click().await;
    let mut names: Vec<String> = scene.sim().keys().into_iter().map(|key| key.name).collect();
    names.sort();
    page.role("rowheader", any()).nth(0).wait_text(&names[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_among_hundreds() {
    let scene = large().await;
    let dialog = scene.begin_key("for-someone").await;
    let who = dialog.role("combobox", "User name");
    who.click().await;
    let options = scene.page.role("option", containing("@acme.example"));
    let shown = options.count().await;
    assert!((50..=120).contains(&shown), "a part of them is made: {shown}");
    let last = scene.sim().users().pop().expect("there are people");
    scene.page.type_text(&last.email).await;
    let found = dialog.role("option", containing(&last.email));
    found.click().await;
    who.wait_value(&format!("{} {}", last.first_name, last.last_name)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_a_scrolled_list_begins_at_its_top() {
    let scene = large().await;
    let page = &scene.page;
    let name = scene.sim().keys()[4_321].name.clone();
    page.evaluate(
        "document.querySelector('[role=grid]').scrollTop = 100_000;
         await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));",
    )
    .await;
    // Notes each text that a name is given. A row that is made twice would be noted twice.
    page.evaluate(
        "window.__given = [];
         new MutationObserver((all) => {
           for (const { target } of all)
             if (target.parentElement?.matches('[role=rowheader] .name')) window.__given.push(target);
         }).observe(document.querySelector('[role=grid]'), { subtree: true, characterData: true })",
    )
    .await;
    page.role("searchbox", "Search keys").focus().await;
    page.type_text(&name[..1]).await;
    eventually("the top of the list", async || {
        let top = page.evaluate("return document.querySelector('[role=grid]').scrollTop").await;
        (top == 0).then_some(())
    })
    .await;
    let twice = "return window.__given.length - new Set(window.__given).size";
    assert_eq!(page.evaluate(twice).await, 0, "no row is made twice for one letter");
    assert!(page.evaluate("return window.__given.length").await.as_u64() > Some(5));
}
