//! The list: searching, views, selecting, and everything by keyboard alone.

use palette_sim::NewKey;

use crate::{
    acts::listed,
    harness::{any, containing, eventually},
    scene::Scene,
};

/// Waits until the list has this many keys, in sight or not.
async fn wait_listed(scene: &Scene, what: &str, wanted: usize) {
    let mut last = 0;
    let found = crate::harness::within(crate::harness::PATIENCE, async || {
        // Where none fits there is no grid.
        last = if wanted == 0 && !scene.page.role("grid", "API keys").exists().await {
            0
        } else {
            listed(&scene.page).await
        };
        (last == wanted).then_some(())
    })
    .await;
    if found.is_none() {
        scene.page.fail(&format!("{what}: {last} keys instead of {wanted}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_understands_its_words() {
    let scene = Scene::admin().await;
    scene.create_stored("kept-here").await;
    let keys = scene.sim().keys();
    let now = scene.sim().now();
    let people = scene.sim().users();
    let jane = scene.sim().admin().uid;
    let within = |key: &palette_sim::KeyTruth, days: i64| {
        key.expiry.is_some_and(|end| {
            let left = end.duration_since(now).as_hours();
            (0..days * 24).contains(&left)
        })
    };
    let count =
        |fits: &dyn Fn(&palette_sim::KeyTruth) -> bool| keys.iter().filter(|key| fits(key)).count();
    let wanted = [
        ("owner:jane", count(&|key| key.owner_uid == jane)),
        ("status:revoked", count(&|key| !key.active)),
        ("status:expired", count(&|key| key.active && !key.works_at(now))),
        ("status:expiring", count(&|key| key.works_at(now) && within(key, 14))),
        ("expires:<30d", count(&|key| within(key, 30))),
        ("is:never", count(&|key| key.expiry.is_none())),
        ("is:orphan", count(&|key| people.iter().all(|person| person.uid != key.owner_uid))),
        ("has:secret", 1),
        ("created:>1y", count(&|key| now.duration_since(key.created).as_hours() > 365 * 24)),
        ("owner:jane -status:revoked", count(&|key| key.owner_uid == jane && key.active)),
        (
            "backup",
            count(&|key| {
                format!("{} {}", key.name, key.description).to_lowercase().contains("backup")
            }),
        ),
        ("nothing-is-called-this", 0),
    ];
    for (text, fitting) in wanted {
        scene.search(text).await;
        wait_listed(&scene, text, fitting).await;
        // No part of it is called wrong.
        assert_eq!(scene.page.words(containing("Write ")).count().await, 0, "{text}");
    }
    scene.page.words("No key matches").wait().await;
    scene.page.role("button", "Show all keys").click().await;
    wait_listed(&scene, "all again", keys.len()).await;

    // What cannot be understood is said in place, and hides nothing.
    for (text, words) in [
        ("status:broken", "Status is one of"),
        ("expires:soon", "expires:<30d"),
        ("is:what", "is: knows"),
        ("has:what", "has: knows"),
    ] {
        let field = scene.page.role("searchbox", "Search keys");
        field.fill(text).await;
        scene.page.words(containing(words)).wait().await;
        field.wait_invalid().await;
        wait_listed(&scene, text, keys.len()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_search_hides_is_led_back_to() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let details = scene.look_at("ci-prod").await;
    scene.search("owner:sam").await;
    details.role("heading", "ci-prod").wait().await;
    details.words("Not in the list as it is filtered now.").wait().await;
    details.role("button", "Show in list").click().await;
    page.role("searchbox", "Search keys").wait_value("").await;
    wait_listed(&scene, "all again", scene.sim().keys().len()).await;
    let focus = "return document.activeElement.querySelector('[role=rowheader]')?.textContent";
    eventually("its row has the focus", async || {
        let name = page.evaluate(focus).await;
        name.as_str().is_some_and(|name| name.trim().starts_with("ci-prod")).then_some(())
    })
    .await;
    details.words("Not in the list as it is filtered now.").wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_focus_goes_to_the_list_when_what_had_it_is_gone() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let has_focus = async |name: &str| {
        let row = page.role("row", containing(&format!("Select {name} ")));
        row.wait_focused().await;
    };
    // Revoking an own key asks nothing, and its button is another one then.
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Revoke").click().await;
    details.role("button", "Re-activate").wait().await;
    has_focus("ci-prod").await;

    page.role("checkbox", "Select ci-prod").click().await;
    page.role("button", "Clear selection").click().await;
    has_focus("ci-prod").await;

    // A finding that leads here leaves its button behind.
    page.role("link", "Review").click().await;
    page.role("button", containing("Revoke all 2")).click().await;
    page.words("2 keys of people who are gone").wait().await;
    eventually("the first of them has the focus", async || {
        let role = page.evaluate("return document.activeElement.role").await;
        (role == "row").then_some(())
    })
    .await;
    page.press("Escape").await;
    page.role("toolbar", "Selection").wait_gone().await;
    page.press("Escape").await;
    wait_listed(&scene, "all of them", scene.sim().keys().len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_counts_and_shows_its_keys() {
    let scene = Scene::admin().await;
    scene.create_stored("kept-here").await;
    let keys = scene.sim().keys();
    let now = scene.sim().now();
    let people = scene.sim().users();
    let jane = scene.sim().admin().uid;
    let mut expected = [
        ("All", keys.len()),
        ("Mine", keys.iter().filter(|key| key.owner_uid == jane).count()),
        ("Expiring", 0),
        ("Expired", keys.iter().filter(|key| key.active && !key.works_at(now)).count()),
        ("Revoked", keys.iter().filter(|key| !key.active).count()),
        ("Never expires", keys.iter().filter(|key| key.expiry.is_none()).count()),
        (
            "Owner gone",
            keys.iter().filter(|key| people.iter().all(|one| one.uid != key.owner_uid)).count(),
        ),
        ("In keychain", 1),
    ];
    let soon = |key: &&palette_sim::KeyTruth| {
        key.expiry.is_some_and(|end| end.duration_since(now).as_hours() <= 14 * 24)
    };
    expected[2].1 = keys.iter().filter(|key| key.works_at(now)).filter(soon).count();
    let views = scene.page.role("listbox", "Views");
    for (view, count) in expected {
        assert!(count > 0, "{view} has something to show");
        let option = views.role("option", containing(view)).nth(0);
        // The name, then its count.
        option.wait_text(&count.to_string()).await;
        option.click().await;
        wait_listed(&scene, view, count).await;
        assert!(option.is_selected().await, "{view}");
    }
    scene.page.press("Escape").await;
    wait_listed(&scene, "Escape shows all", keys.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_are_revoked_after_one_question() {
    let scene = Scene::admin().await;
    let names = ["release-bot", "terraform-staging", "sam-workstation"];
    for name in names {
        scene.page.role("checkbox", format!("Select {name}")).click().await;
    }
    let selection = scene.page.role("toolbar", "Selection");
    selection.words("3 selected").wait().await;
    for act in ["Revoke", "Renew", "Delete"] {
        selection.role("button", act).wait().await;
    }
    selection.role("button", "Revoke").click().await;
    let question = scene.question("Revoke 3 keys?");
    let words = question.text().await;
    for part in names.iter().chain(&["Jane Doe", "Sam Okafor", "acme"]) {
        assert!(words.contains(part), "{part} is not in {words:?}");
    }
    question.role("button", "Revoke 3 keys").click().await;
    scene.told("Revoked 3 keys.").await;
    for name in names {
        assert!(!scene.key(name).active, "{name}");
    }
    selection.wait_gone().await;
    // One "Undo" brings all three back.
    scene.toasts().role("button", "Undo").click().await;
    scene.told("Re-activated 3 keys.").await;
    for name in names {
        assert!(scene.key(name).active, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_keys_are_deleted_by_their_number() {
    let scene = Scene::admin().await;
    for name in ["arm64-images", "old-ci"] {
        scene.sim().key_named(name).expect("it is in the tenant");
    }
    scene.search("status:revoked").await;
    wait_listed(&scene, "revoked", 6).await;
    for name in ["arm64-images", "old-ci"] {
        scene.page.role("checkbox", format!("Select {name}")).click().await;
    }
    scene.page.role("toolbar", "Selection").role("button", "Delete").click().await;
    let dialog = scene.dialog("Delete API key");
    let delete = dialog.role("button", "Delete");
    let number = dialog.role("textbox", "Type the number of keys to confirm");
    number.fill("3").await;
    assert!(!delete.is_enabled().await);
    number.fill("2").await;
    delete.click().await;
    scene.told("Deleted 2 keys.").await;
    assert!(scene.sim().key_named("arm64-images").is_none());
    assert!(scene.sim().key_named("old-ci").is_none());
    wait_listed(&scene, "the rest", 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_done_by_keyboard() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let search = page.role("searchbox", "Search keys");
    page.press("/").await;
    search.wait_focused().await;
    page.type_text("owner:jane status:expiring").await;
    wait_listed(&scene, "typed", 3).await;
    page.press("ArrowDown").await;
    let row = |name| scene.row(name);
    row("ci-prod").wait_focused().await;
    page.press("ArrowDown").await;
    row("release-bot").wait_focused().await;
    scene.details().role("heading", "release-bot").wait().await;

    // Selecting: one, a stretch, all, none.
    let selection = page.role("toolbar", "Selection");
    page.press("Space").await;
    selection.words("1 selected").wait().await;
    page.press("Shift+ArrowDown").await;
    selection.words("2 selected").wait().await;
    page.press("Control+a").await;
    selection.words("3 selected").wait().await;
    page.press("Escape").await;
    selection.wait_gone().await;

    // Acts on the key in focus; Escape leaves each dialog, and the focus comes back.
    row("terraform-staging").wait_focused().await;
    for (keys, dialog) in [
        ("e", "Edit API key"),
        ("n", "Renew API key"),
        ("Delete", "Delete API key"),
        ("Control+n", "New API key"),
        ("?", "Keyboard shortcuts"),
    ] {
        page.press(keys).await;
        scene.dialog(dialog).wait().await;
        page.press("Escape").await;
        scene.dialog(dialog).wait_gone().await;
        row("terraform-staging").wait_focused().await;
    }
    page.press("Shift+R").await;
    scene.told("Revoked terraform-staging.").await;
    assert!(!scene.key("terraform-staging").active);
    page.press("Control+z").await;
    scene.told("Re-activated terraform-staging.").await;
    assert!(scene.key("terraform-staging").active);

    // Enter opens the details and goes there; Escape comes back.
    row("terraform-staging").focus().await;
    page.press("Enter").await;
    eventually("the focus is in the details", async || {
        let inside = "const details = document.querySelector('[aria-label=\"Key details\"]');
            const focus = document.activeElement;
            return focus !== document.body && (focus.contains(details) || details.contains(focus))";
        page.evaluate(inside).await.as_bool().filter(|inside| *inside)
    })
    .await;
    page.press("Escape").await;
    row("terraform-staging").wait_focused().await;

    // The command palette acts on the key in focus.
    page.press("Control+k").await;
    let command = page.role("dialog", "Commands").role("combobox", "Command");
    command.wait_focused().await;
    page.type_text("renew").await;
    page.press("Enter").await;
    scene.dialog("Renew API key").wait().await;
    page.press("Escape").await;
    page.press("Control+k").await;
    command.wait_focused().await;
    page.type_text("go to settings").await;
    page.press("Enter").await;
    page.role("heading", "Settings").wait().await;
    page.press("Escape").await;
    page.role("heading", "API keys").wait().await;
    page.press("Control+,").await;
    page.role("heading", "Settings").wait().await;
    page.press("Control+f").await;
    search.wait_focused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_of_a_row_offers_what_may_be_done() {
    let scene = Scene::admin().await;
    scene.search("\"release-bot\"").await;
    wait_listed(&scene, "one", 1).await;
    scene.page.role("button", "Actions for release-bot").click().await;
    let menu = scene.page.role("menu", "Actions for release-bot");
    let entries = menu.role("menuitem", any()).texts().await;
    for act in ["Open", "Edit", "Renew", "Revoke", "Delete"] {
        assert!(entries.iter().any(|entry| entry.starts_with(act)), "{act} in {entries:?}");
    }
    assert!(!entries.iter().any(|entry| entry.starts_with("Copy")), "no value, no copy");
    menu.role("menuitem", containing("Edit")).click().await;
    scene.dialog("Edit API key").wait().await;
    scene.page.press("Escape").await;
    scene.page.role("button", "Actions for release-bot").wait_focused().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_moves_neither_focus_nor_selection_nor_scroll() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    page.resize(1240, 500).await;
    scene.name_cell("ci-prod").click().await;
    for _ in 0..2 {
        page.press("Space").await;
        page.press("PageDown").await;
    }
    page.role("toolbar", "Selection").words("2 selected").wait().await;
    let seen = "const grid = document.querySelector('[role=grid]');
        return [grid.scrollTop, document.activeElement.textContent,
          [...grid.querySelectorAll('[aria-selected=true]')].length, grid.ariaRowCount]";
    let before = page.evaluate(seen).await;
    assert!(before[0].as_f64().is_some_and(|top| top > 0.0), "{before}");
    // A key that comes first in the list, and one that is gone.
    scene.sim().add_key(NewKey {
        expiry: Some(scene.sim().now() + jiff::SignedDuration::from_hours(1)),
        ..NewKey::named("brand-new")
    });
    scene.sim().add_key(NewKey::named("zz-last"));
    let asked = scene.requests("GET", "/v1/apiKeys");
    page.press("F5").await;
    eventually("the list was read again", async || {
        (scene.requests("GET", "/v1/apiKeys") > asked).then_some(())
    })
    .await;
    wait_listed(&scene, "two more", scene.sim().keys().len()).await;
    let after = page.evaluate(seen).await;
    assert_eq!(after[1], before[1], "the focus stays on its key");
    page.role("toolbar", "Selection").words("2 selected").wait().await;
    assert_eq!(after[0], before[0], "nothing scrolls");
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_sort_both_ways() {
    let scene = Scene::admin().await;
    let name = scene.page.role("columnheader", containing("Name"));
    let first = scene.page.role("rowheader", any()).nth(0);
    name.role("button", "Name").click().await;
    assert_eq!(name.attribute("aria-sort").await.as_deref(), Some("ascending"));
    let mut names: Vec<String> = scene.sim().keys().into_iter().map(|key| key.name).collect();
    names.sort();
    first.wait_text(&names[0]).await;
    name.role("button", "Name").click().await;
    assert_eq!(name.attribute("aria-sort").await.as_deref(), Some("descending"));
    first.wait_text(names.last().expect("there are keys")).await;
}
