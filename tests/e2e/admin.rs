//! What a tenant admin does to many keys: acts on a selection, reports, and offboarding.

use std::{collections::BTreeSet, fs, time::Duration};

use jiff::SignedDuration;
use palette_sim::NewKey;

use crate::{
    acts::{listed, search},
    harness::{Stage, any, containing, eventually},
    scene::{Scene, berlin},
};

/// Ticks everything that this search lets through.
async fn select_all(scene: &Scene, words: &str) -> usize {
    search(&scene.page, words).await;
    scene.page.role("button", containing("matching")).click().await;
    scene.page.role("toolbar", "Selection").wait().await;
    listed(&scene.page).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_renewed_after_a_preview_and_put_back_by_undo() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let ends = || -> Vec<_> {
        let mut keys = scene.sim().keys();
        keys.sort_by(|a, b| a.uid.cmp(&b.uid));
        keys.into_iter().map(|key| (key.uid, key.active, key.expiry)).collect()
    };
    let before = ends();
    let count = select_all(&scene, "owner:sam -status:expired -is:never").await;
    let revoked = scene.page.role("grid", "API keys").role("row", containing("Revoked"));
    let revoked = revoked.count().await;
    assert!(count > revoked + 1, "{count} keys, {revoked} of them revoked");

    let selection = page.role("toolbar", "Selection");
    selection.role("button", "Renew").click().await;
    let dialog = page.role("dialog", "Renew API key");
    dialog.wait().await;
    page.assert_accessible("renewing a selection").await;
    dialog.role("radio", "90 days").check(true).await;
    dialog.role("button", "Renew").click().await;
    page.words(containing(&format!("Renewed {count} keys."))).wait().await;
    let renewed = ends();
    let moved = before.iter().zip(&renewed).filter(|(was, is)| was.2 != is.2).count();
    assert_eq!(moved, count, "what was selected, and nothing else");
    let least = scene.sim().now().as_second() + 89 * 86_400;
    for (_, (uid, _, end)) in before.iter().zip(&renewed).filter(|(was, is)| was.2 != is.2) {
        assert!(end.is_some_and(|end| end.as_second() > least), "{uid}");
    }

    scene.toasts().role("button", "Undo").click().await;
    page.words(containing(&format!("Put back the end of {count} keys."))).wait().await;
    assert_eq!(ends(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_revoked_without_the_key_that_signs_in() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    // Which key it is was asked; the app is told here.
    page.role("button", "Choose…").click().await;
    let which = page.role("dialog", "Which of your keys signs Palette Keys in?");
    which.role("radio", containing("palette-keys on lark")).check(true).await;
    which.role("button", "Save").click().await;
    which.wait_gone().await;

    let all = select_all(&scene, "owner:me -status:revoked -status:expired").await;
    page.role("toolbar", "Selection").role("button", "Revoke").click().await;
    let question = page.role("alertdialog", containing("Revoke "));
    question.words(containing(&format!("{} will be revoked", all - 1))).wait().await;
    question.words("1 signs Palette Keys in").wait().await;
    page.assert_accessible("the plan of a revocation").await;
    page.screenshot("bulk-revoke-light").await;
    question.role("button", containing("Revoke ")).click().await;
    page.words(containing(&format!("Revoked {} keys.", all - 1))).wait().await;
    assert!(scene.key("palette-keys on lark").active);

    scene.toasts().role("button", "Undo").click().await;
    page.words(containing(&format!("Re-activated {} keys.", all - 1))).wait().await;
    let mine = scene.sim().admin().uid;
    let out = scene.sim().keys().into_iter().filter(|key| key.owner_uid == mine && !key.active);
    let names: BTreeSet<String> = out.map(|key| key.name).collect();
    assert!(!names.contains("ci-prod"), "{names:?}");
}

/// Types a path into the desktop's own dialog, as a person does, and gives back what is there then.
async fn save(stage: &Stage, title: &str, file: &std::path::Path) -> String {
    stage.bring_to_front(title).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    stage.press_key("ctrl+a").await;
    stage.type_on_desktop(&file.display().to_string()).await;
    stage.press_key("Return").await;
    stage.wait_window_gone(title).await;
    eventually("the report", async || fs::read_to_string(file).ok()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_what_is_shown_goes_through_the_desktops_file_dialog() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    search(page, "is:never").await;
    let shown = listed(page).await;
    assert!(shown > 0);
    for (format, label) in [("csv", "CSV"), ("json", "JSON"), ("html", "HTML")] {
        page.role("button", "Export report").click().await;
        page.role("menu", "Export report").role("menuitem", containing(label)).click().await;
        let file = scene.stage.home().join(format!("report.{format}"));
        let text = save(&scene.stage, "Export report", &file).await;
        page.words(containing(&format!("report.{format}"))).nth(0).wait().await;
        match format {
            "csv" => assert_eq!(text.lines().count(), shown + 1, "{text}"),
            "json" => {
                let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(json["counts"]["keys"], shown);
                assert_eq!(json["filter"], "is:never");
            }
            _ => assert!(text.contains("is:never") && !text.contains("<script")),
        }
        for key in scene.sim().keys() {
            assert!(!text.contains(&key.value), "no value is in a report");
        }
    }
    // Closed without a choice: nothing is written, and nothing is said to have gone wrong.
    page.role("button", "Export report").click().await;
    page.role("menu", "Export report").role("menuitem", containing("CSV")).click().await;
    scene.stage.bring_to_front("Export report").await;
    scene.stage.press_key("Escape").await;
    scene.stage.wait_window_gone("Export report").await;
    page.role("button", "Export report").wait_enabled().await;
    assert_eq!(page.role("alert", any()).count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_offboarded_with_a_successor_and_a_report() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let leaver = "Ana Ruiz";
    let theirs = || {
        let name = |key: &palette_sim::KeyTruth| {
            format!("{} {}", key.owner_first_name, key.owner_last_name)
        };
        let keys = scene.sim().keys().into_iter();
        keys.filter(|key| name(key) == leaver).collect::<Vec<_>>()
    };
    let working = |key: &palette_sim::KeyTruth| {
        key.active && key.expiry.is_none_or(|end| end > scene.sim().now())
    };
    let before = theirs();
    let count = before.iter().filter(|key| working(key)).count();
    assert!(count >= 2, "{count}");

    page.role("link", "Review").click().await;
    page.role("button", "Offboard a person").click().await;
    let dialog = page.role("dialog", "Offboard a person");
    dialog.role("combobox", "Person").click().await;
    page.type_text(leaver).await;
    page.role("option", containing(leaver)).click().await;
    dialog.words(containing(&format!("{count} of them working"))).wait().await;
    dialog.role("combobox", containing("Successor")).click().await;
    page.type_text("okafor").await;
    page.role("option", containing("Sam Okafor")).click().await;
    page.assert_accessible("Offboard a person").await;
    page.screenshot("offboard-light").await;

    let some = before.iter().find(|key| working(key)).unwrap().name.clone();
    dialog.role("button", containing(&format!("Make a replacement for {some}"))).click().await;
    let create = page.role("dialog", "New API key");
    create.role("textbox", "API key name").wait_value(&some).await;
    create.role("button", "Generate").click().await;
    let held = page.role("dialog", "Save your API key");
    held.wait().await;
    let sam = scene.sim().user().uid;
    let made =
        scene.sim().keys().into_iter().filter(|key| key.name == some && key.owner_uid == sam);
    assert_eq!(made.count(), 1, "one replacement, of the successor");
    held.role("button", "Save to keychain").click().await;
    held.role("button", "Saved").wait().await;
    held.role("button", "Done").click().await;
    held.wait_gone().await;
    dialog.words(containing("Replaced by")).wait().await;

    dialog.role("button", containing("Revoke ")).click().await;
    let question = page.role("alertdialog", containing("Revoke "));
    question.role("button", containing("Revoke")).click().await;
    dialog.words(containing(&format!("No key of {leaver} works any more"))).wait().await;
    assert_eq!(theirs().iter().filter(|key| working(key)).count(), 0);

    dialog.role("button", "Save report").click().await;
    page.role("menu", "Save report").role("menuitem", containing("JSON")).click().await;
    let file = scene.stage.home().join("offboarded.json");
    let text = save(&scene.stage, "Export report", &file).await;
    dialog.words(containing("Report saved as")).wait().await;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(json.to_string().contains(leaver) && json.to_string().contains("Sam Okafor"));
    for key in scene.sim().keys() {
        assert!(!text.contains(&key.value), "no value is in a report");
    }
}

/// The days on which these keys end, where the person sits.
fn days_of(scene: &Scene, prefix: &str) -> BTreeSet<jiff::civil::Date> {
    let keys = scene.sim().keys().into_iter().filter(|key| key.name.starts_with(prefix));
    keys.filter_map(|key| key.expiry).map(|end| end.to_zoned(berlin()).date()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pile_up_is_spread_after_each_new_end_was_shown() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let noon = (scene.sim().now() + SignedDuration::from_hours(24 * 60)).to_zoned(berlin());
    let noon = noon.date().at(12, 0, 0, 0).to_zoned(berlin()).expect("a noon").timestamp();
    for number in 0..20 {
        scene.sim().add_key(NewKey {
            owner_uid: Some(scene.sim().user().uid),
            expiry: Some(noon),
            ..NewKey::named(&format!("pile-{number:02}"))
        });
    }
    page.role("link", "Review").click().await;
    page.press("F5").await;
    let figure = page.role("figure", "Expiry timeline");
    figure.words(containing("20 end on")).wait().await;
    figure.role("button", "spread them").click().await;
    let dialog = page.role("dialog", "Spread over two weeks");
    dialog.words("pile-00").wait().await;
    page.assert_accessible("spreading a pile-up").await;
    page.screenshot("spread-light").await;
    assert_eq!(days_of(&scene, "pile-").len(), 1, "nothing has moved yet");
    let move_them = dialog.role("button", containing("Move "));
    let words = move_them.text().await;
    move_them.click().await;
    dialog.wait_gone().await;
    let moved = words.trim_start_matches("Move ").trim_end_matches(" keys").to_owned();
    scene.told(&format!("Moved the end of {moved} keys.")).await;
    let days = days_of(&scene, "pile-");
    assert!(days.len() >= 10, "over two weeks: {days:?}");
    let (first, last) = (days.first().expect("a day"), days.last().expect("a day"));
    assert!(last.since(*first).expect("days").get_days() <= 14, "{days:?}");
    figure.words(containing("20 end on")).wait_gone().await;

    page.role("button", "Undo").click().await;
    scene.told(&format!("Put back the end of {moved} keys.")).await;
    assert_eq!(days_of(&scene, "pile-").len(), 1, "as it was");
}

/// Opens a file in the desktop's own dialog.
async fn choose(stage: &Stage, title: &str, file: &std::path::Path) {
    stage.bring_to_front(title).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    // The first stroke opens the field for a path, and what follows at once is lost.
    stage.press_key("slash").await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    stage.press_key("ctrl+a").await;
    stage.type_on_desktop(&file.display().to_string()).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    stage.press_key("Return").await;
    stage.wait_window_gone(title).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_file_is_chosen_obeyed_broken_and_left() {
    let scene = Scene::admin().await;
    let page = &scene.page;
    let file = scene.stage.home().join("policy.toml");
    fs::write(&file, "version = 1\nlongest_life_days = 45\nname_pattern = \"[a-z0-9-]+\"\n")
        .expect("the policy is written");
    page.role("link", "Settings").click().await;
    page.role("button", "Choose policy file\u{2026}").click().await;
    choose(&scene.stage, "Choose the policy file", &file).await;
    page.words(containing("policy.toml")).nth(0).wait().await;
    page.assert_accessible("a policy file in Settings").await;
    page.screenshot("settings-policy-light").await;

    // The form for making keys obeys it, and Review says what asks for what.
    page.role("link", "Keys").click().await;
    let dialog = scene.begin_key("Not Like This").await;
    dialog.role("button", "Generate").click().await;
    dialog.words(containing("[a-z0-9-]+")).nth(0).wait().await;
    assert!(scene.sim().key_named("Not Like This").is_none());
    page.press("Escape").await;
    dialog.wait_gone().await;
    page.role("link", "Review").click().await;
    page.words(containing("policy: 45 days at most")).wait().await;

    // One that is not in order is said with its line, and the last good one counts.
    fs::write(&file, "version = 1\nlongest_life_days = \"a month\"\n").expect("it is broken");
    page.role("link", "Settings").click().await;
    page.role("button", "Read again").click().await;
    page.words(containing("Line 2")).nth(0).wait().await;
    page.words(containing("The last good version still counts.")).nth(0).wait().await;
    page.role("button", "Use none").click().await;
    page.words(containing("No policy file: any key is allowed.")).wait().await;

    // Closed without a choice, nothing is said to have gone wrong.
    page.role("button", "Choose policy file\u{2026}").click().await;
    scene.stage.bring_to_front("Choose the policy file").await;
    scene.stage.press_key("Escape").await;
    scene.stage.wait_window_gone("Choose the policy file").await;
    page.words(containing("No policy file: any key is allowed.")).wait().await;
    assert_eq!(page.role("alert", any()).count().await, 0);
}
