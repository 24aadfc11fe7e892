//! Making keys: every choice of an end, lost answers, double presses, and the one moment in which
//! the value can be kept.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use jiff::{SignedDuration, ToSpan};
use palette_sim::{Fault, Matcher, Sim, SimOptions};

use crate::{
    harness::{Launch, Locator, Setting, any, containing, eventually, within},
    scene::{Scene, berlin, in_berlin},
};

/// Closes "Save your API key" for a value that is kept.
async fn done(held: &Locator) {
    held.role("button", "Done").click().await;
    held.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_preset_end_is_what_the_server_gets() {
    let scene = Scene::admin().await;
    for days in [7, 30, 60, 90] {
        let name = format!("ends-in-{days}");
        let dialog = scene.begin_key(&name).await;
        let preset = dialog.role("radio", format!("{days} days"));
        assert_eq!(preset.is_checked().await, days == 30, "30 days is the default");
        preset.click().await;
        let day = scene.sim().now() + SignedDuration::from_hours(24 * days);
        let day = day.to_zoned(berlin()).strftime("Ends %a %-d %b %Y, ").to_string();
        let said = dialog.words(containing(&day)).text().await;
        dialog.role("button", "Generate").click().await;
        let held = scene.dialog("Save your API key");
        held.role("button", "Saved").wait().await;

        let key = scene.key(&name);
        let end = key.expiry.expect("it ends");
        let life = end.duration_since(key.created);
        let off = life - SignedDuration::from_hours(24 * days);
        assert!(off.abs() < SignedDuration::from_secs(10), "{days} days became {life:?}");
        // "In 30 days" moves on while one looks at it.
        let minutes = [end, end - 1.minute()].map(in_berlin);
        assert!(minutes.iter().any(|minute| said.contains(minute)), "{said} is not {minutes:?}");
        held.words(containing(&format!("Ends {}", in_berlin(end)))).wait().await;
        done(&held).await;
        scene.details().wait().await;
    }
    assert_eq!(scene.posts(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_end_is_what_the_server_gets() {
    let scene = Scene::admin().await;
    let dialog = scene.begin_key("typed-end").await;
    dialog.role("radio", "Custom").click().await;
    let day = scene.sim().now().to_zoned(berlin()).date() + 45.days();
    dialog.role("textbox", "Date").fill(&day.to_string()).await;
    dialog.role("textbox", "Time").fill("18:07").await;
    let at = day.at(18, 7, 0, 0).to_zoned(berlin()).expect("a time").timestamp();
    dialog.words(containing(&format!("Ends {}", in_berlin(at)))).wait().await;
    dialog.role("button", "Generate").click().await;
    let held = scene.dialog("Save your API key");
    held.words(containing(&format!("Ends {}", in_berlin(at)))).wait().await;
    assert_eq!(scene.key("typed-end").expiry, Some(at), "the server has exactly this minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_cannot_be_is_said_in_words_and_not_sent() {
    let scene = Scene::admin().await;
    let now = scene.sim().now().to_zoned(berlin());
    // The next night in which clocks go forward: 02:30 is on no clock.
    let spring = berlin()
        .following(now.timestamp())
        .find(|change| change.offset() > berlin().to_offset(change.timestamp() - 1.second()))
        .expect("there is a spring")
        .timestamp()
        .to_zoned(berlin())
        .date();
    let dialog = scene.begin_key("never-made").await;
    dialog.role("radio", "Custom").click().await;
    let refused = [
        ((now.date() - 1.day()).to_string(), "12:00", "is already past"),
        ("2099-01-01".to_owned(), "12:00", "more than ten years away"),
        (spring.to_string(), "02:30", "does not exist: clocks go forward"),
        ("2027-02-30".to_owned(), "12:00", "is not a date and a time"),
        ("tomorrow".to_owned(), "noon", "is not a date and a time"),
        (String::new(), "12:00", "Choose a date and a time"),
    ];
    for (date, time, words) in &refused {
        dialog.role("textbox", "Date").put(date).await;
        dialog.role("textbox", "Time").put(time).await;
        dialog.words(containing(words)).wait().await;
        dialog.role("button", "Generate").click().await;
        dialog.words(containing(words)).wait().await;
        assert!(dialog.exists().await, "the dialog stays: {words}");
    }
    assert_eq!(scene.posts(), 0, "nothing was sent");
    // What was typed is still there, and mending the date is enough.
    dialog.role("textbox", "API key name").wait_value("never-made").await;
    dialog.role("textbox", "Date").put(&(now.date() + 9.days()).to_string()).await;
    dialog.words(containing("Ends ")).wait().await;
    dialog.role("button", "Generate").click().await;
    scene.dialog("Save your API key").wait().await;
    assert_eq!(scene.posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_makes_a_key_for_somebody_else() {
    let scene = Scene::admin().await;
    let dialog = scene.begin_key("for-sam").await;
    let who = dialog.role("combobox", "User name");
    who.wait_value("Jane Doe").await;
    who.click().await;
    scene.page.type_text("okafor").await;
    let sam = scene.page.role("option", containing("Sam Okafor"));
    let entry = sam.text().await;
    assert!(entry.contains("sam.okafor@acme.example"), "{entry}");
    assert!(entry.contains("of 20 keys"), "{entry}");
    sam.click().await;
    who.wait_value("Sam Okafor").await;
    let save = dialog.role("checkbox", "Save to keychain");
    assert!(!save.is_checked().await, "somebody else's key is not kept here unasked");
    dialog.role("button", "Generate").click().await;
    let held = scene.dialog("Save your API key");
    held.words(containing("Made for Sam Okafor")).wait().await;

    let key = scene.key("for-sam");
    assert_eq!(key.owner_uid, scene.sim().user().uid);
    assert_eq!(key.creator_uid, scene.sim().admin().uid);
    assert_eq!(scene.requests("GET", "/v1/users/info"), 1, "nobody signed in as Sam");
    assert!(scene.stored_values().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_checked_before_anything_is_sent() {
    let scene = Scene::admin().await;
    let dialog = scene.begin_key("ci-prod").await;
    let name = dialog.role("textbox", "API key name");
    dialog.words(containing("already have a key with this name")).wait().await;
    name.wait_invalid().await;
    for bad in ["", "   ", &"x".repeat(10_000)] {
        name.put(bad).await;
        dialog.role("button", "Generate").click().await;
        name.wait_invalid().await;
    }
    assert_eq!(scene.posts(), 0);
    name.put("exe.\u{202e}txt").await;
    dialog.role("button", "Generate").click().await;
    dialog.words(containing("invisible character (U+202E)")).wait().await;
    assert_eq!(scene.posts(), 0);
    // Markup and other scripts are text like any other.
    name.put("<img src=x onerror=window.__pwn=1> \u{7d4c}\u{7406}").await;
    dialog.role("button", "Generate").click().await;
    let held = scene.dialog("Save your API key");
    held.wait().await;
    assert_eq!(scene.posts(), 1);
    assert!(scene.page.evaluate("return window.__pwn ?? null").await.is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_value_is_in_the_keychain_works_and_is_nowhere_in_the_window() {
    let scene = Scene::admin().await;
    // Every answer that reaches the page passes through here.
    scene
        .page
        .evaluate(
            "window.__heard = [];
             const fetch = window.fetch;
             window.fetch = async (...given) => {
               const answer = await fetch(...given);
               answer.clone().text().then((text) => window.__heard.push(text));
               return answer;
             };",
        )
        .await;
    let held = scene.create("kept-safe", true).await;
    held.role("button", "Saved").wait().await;
    held.words(containing("Works: acts as Jane Doe")).wait().await;
    let key = scene.key("kept-safe");

    let stored = scene.stored_values().await;
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(stored[0].secret, key.value);
    assert!(stored[0].label.contains("kept-safe"), "{}", stored[0].label);
    assert!(stored[0].label.contains("acme"), "{}", stored[0].label);
    assert!(scene.works(&stored[0].secret).await, "it signs in");

    done(&held).await;
    let details = scene.look_at("kept-safe").await;
    details.role("button", "Copy key").wait().await;
    scene.page.role("link", "Activity").click().await;
    scene.page.words(containing("kept-safe")).nth(0).wait().await;
    let page = scene
        .page
        .evaluate(
            "return document.documentElement.outerHTML + JSON.stringify(window.__heard)
               + JSON.stringify({ ...localStorage, ...sessionStorage }) + history.state",
        )
        .await;
    let page = page.as_str().unwrap_or_default();
    let heard = page.matches("kept-safe").count();
    assert!(heard > 5, "the answers were listened to: {heard}");
    assert!(!page.contains(&key.value), "the value is in the window");
    assert!(!page.contains(&scene.sim().admin().api_key), "the credential is in the window");
    for secret in [&key.value, &scene.sim().admin().api_key] {
        assert!(scene.stage.files_with(secret.as_bytes()).is_empty(), "a secret is in a file");
        assert!(!scene.stage.log().contains(secret.as_str()), "a secret is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_leaves_one_key_and_is_mended_by_one_button() {
    for (name, fault) in [
        ("reset", Fault::ResetAfterHandling),
        ("cut", Fault::CutBody { at: 20 }),
        ("garbage", Fault::ReplaceBody("<html>gateway</html>".into())),
    ] {
        let scene = Scene::admin().await;
        scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), fault, Some(1));
        scene.begin_key(name).await.role("button", "Generate").click().await;
        let lost = scene.page.role("dialog", "A key was made whose value nobody has");
        lost.words(containing("The answer never arrived")).wait().await;
        assert_eq!(scene.posts(), 1, "{name}: never a second POST by itself");
        let orphan = scene.key(name);
        assert!(orphan.active, "{name}: nothing is revoked unasked");

        lost.role("button", "Revoke it and create again").click().await;
        let held = scene.dialog("Save your API key");
        held.role("button", "Saved").wait().await;
        assert_eq!(scene.posts(), 2, "{name}");
        let named: Vec<_> = scene.sim().keys().into_iter().filter(|key| key.name == name).collect();
        assert_eq!(named.len(), 2, "{name}: {named:?}");
        for key in named {
            assert_eq!(key.active, key.uid != orphan.uid, "{name}: only the lost one is revoked");
        }
        done(&held).await;
        assert_eq!(scene.page.words(containing("value nobody has")).count().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_key_that_is_left_stays_on_the_server() {
    let scene = Scene::admin().await;
    scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::ResetAfterHandling, Some(1));
    scene.begin_key("left-alone").await.role("button", "Generate").click().await;
    let lost = scene.page.role("dialog", "A key was made whose value nobody has");
    scene.page.press("Escape").await;
    lost.role("button", "Leave it").click().await;
    lost.wait_gone().await;
    assert!(scene.key("left-alone").active);
    assert_eq!(scene.posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_made_is_said_and_can_be_tried_again() {
    let scene = Scene::admin().await;
    scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::ResetBeforeHandling, Some(1));
    let dialog = scene.begin_key("second-try").await;
    dialog.role("button", "Generate").click().await;
    // Only the last of several looks at the list, 30 s later, is believed.
    let said = dialog.words(containing("It was not created. You can try again."));
    within(Duration::from_secs(50), async || said.exists().await.then_some(())).await;
    said.wait().await;
    assert!(scene.sim().key_named("second-try").is_none());
    assert_eq!(scene.posts(), 1);
    dialog.role("button", "Generate").click().await;
    scene.dialog("Save your API key").role("button", "Saved").wait().await;
    assert_eq!(scene.posts(), 2);
    assert_eq!(scene.sim().keys().iter().filter(|key| key.name == "second-try").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_server_is_said_and_nothing_is_lost() {
    let scene = Scene::admin().await;
    let refusal = Fault::error(403, "OperationForbidden", "Operation is forbidden");
    scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), refusal, Some(1));
    let dialog = scene.begin_key("refused").await;
    dialog.role("button", "Generate").click().await;
    dialog.words(containing("Palette does not allow this")).wait().await;
    dialog.role("textbox", "API key name").wait_value("refused").await;
    assert_eq!(scene.posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_double_click_or_enter_and_click_make_one_key() {
    let scene = Scene::admin().await;
    let slow =
        || scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::DelayMs(600), None);
    slow();
    let dialog = scene.begin_key("double-click").await;
    dialog.role("button", "Generate").double_click().await;
    done(&scene.dialog("Save your API key")).await;
    assert_eq!(scene.posts(), 1, "double click");

    let dialog = scene.begin_key("enter-and-click").await;
    let (x, y) = dialog.role("button", "Generate").place().await;
    dialog.role("textbox", "API key name").focus().await;
    scene.page.press("Enter").await;
    scene.page.press("Enter").await;
    scene.page.click_at(x, y).await;
    done(&scene.dialog("Save your API key")).await;
    assert_eq!(scene.posts(), 2, "Enter, Enter and click");
    for name in ["double-click", "enter-and-click"] {
        assert_eq!(scene.sim().keys().iter().filter(|key| key.name == name).count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_while_creating_makes_one_key_and_shows_its_value_again() {
    let scene = Scene::admin().await;
    scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::DelayMs(1_500), Some(1));
    let dialog = scene.begin_key("reloaded").await;
    dialog.role("checkbox", "Save to keychain").check(false).await;
    dialog.role("button", "Generate").click().await;
    eventually("the creation is on its way", async || (scene.posts() == 1).then_some(())).await;
    scene.page.reload().await;
    let held = scene.dialog("Save your API key");
    held.words(containing("reloaded")).wait().await;
    assert_eq!(scene.posts(), 1);
    // A reload with the dialog open loses nothing either.
    scene.page.reload().await;
    held.role("button", "Save to keychain").click().await;
    held.role("button", "Saved").wait().await;
    assert_eq!(scene.stored_values().await[0].secret, scene.key("reloaded").value);
    assert_eq!(scene.posts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unkept_value_is_not_lost_by_escape_a_click_outside_or_done() {
    let scene = Scene::admin().await;
    let held = scene.create("unkept", false).await;
    held.role("button", "Save to keychain").wait().await;
    scene.page.press("Escape").await;
    let outside = scene.page.evaluate("return document.elementFromPoint(4, 4).className").await;
    assert!(outside.as_str().is_some_and(|class| class.contains("veil")), "{outside}");
    scene.page.click_at(4, 4).await;
    held.role("button", "Copy").wait().await;

    held.role("button", "Done").click().await;
    let question = scene.question("Close without keeping it?");
    question.role("button", "Go back").wait_focused().await;
    scene.page.press("Enter").await;
    question.wait_gone().await;
    assert!(scene.key("unkept").active);

    held.role("button", "Done").click().await;
    question.role("button", "Revoke and close").click().await;
    question.wait_gone().await;
    held.wait_gone().await;
    assert!(!scene.key("unkept").active, "the server has revoked it");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_window_with_an_unkept_value_asks_first() {
    let mut scene = Scene::admin().await;
    let held = scene.create("unkept", false).await;
    scene.stage.press_close_button("Palette Keys").await;
    let question = scene.question("Close without keeping it?");
    question.role("button", "Go back").wait_focused().await;
    assert!(scene.stage.is_running());
    question.role("button", "Go back").click().await;
    held.role("button", "Save to keychain").click().await;
    held.role("button", "Saved").wait().await;
    done(&held).await;
    scene.stage.press_close_button("Palette Keys").await;
    scene.stage.wait_ended().await;
    assert_eq!(scene.stored_values().await[0].secret, scene.key("unkept").value);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_is_saved_to_a_file_that_only_its_owner_can_read() {
    let scene = Scene::admin().await;
    let held = scene.create("to-file", false).await;
    // Closing the chooser is a choice, not trouble, and keeps nothing.
    held.role("button", "Save to file").click().await;
    let title = "Save the value of your API key";
    scene.stage.bring_to_front(title).await;
    scene.stage.press_key("Escape").await;
    scene.stage.wait_window_gone(title).await;
    assert_eq!(held.role("alert", any()).count().await, 0);

    held.role("button", "Save to file").click().await;
    let path = scene.stage.home().join("to-file.key");
    scene.stage.bring_to_front(title).await;
    scene.stage.press_key("ctrl+a").await;
    scene.stage.type_on_desktop(&path.display().to_string()).await;
    scene.stage.press_key("Return").await;
    held.words(containing("Saved to a file that only you can read")).wait().await;
    let written = fs::read_to_string(&path).expect("the file is there");
    assert_eq!(written.trim_end_matches('\n'), scene.key("to-file").value);
    let rights = fs::metadata(&path).expect("its rights").permissions().mode() & 0o777;
    assert_eq!(rights, 0o600, "{rights:o}");
    done(&held).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_user_makes_keys_for_nobody_else() {
    let scene = Scene::user().await;
    let dialog = scene.begin_key("sams-own").await;
    dialog.role("radio", "7 days").wait().await;
    assert_eq!(dialog.role("combobox", any()).count().await, 0, "no choice of a person");
    dialog.role("button", "Generate").click().await;
    scene.dialog("Save your API key").role("button", "Saved").wait().await;
    assert_eq!(scene.key("sams-own").owner_uid, scene.sim().user().uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_said_before_anything_is_sent() {
    let setting = Setting { palette: SimOptions::default(), ..Setting::default() };
    let scene = Scene::of(setting, Launch::default(), |sim: &Sim| {
        sim.set_quota(7);
        sim.admin()
    })
    .await;
    let dialog = scene.begin_key("one-too-many").await;
    dialog.words("All 7 keys are used").wait().await;
    dialog.role("button", "Generate").click().await;
    dialog.words(containing("no room for another")).wait().await;
    assert_eq!(scene.posts(), 0);
}
