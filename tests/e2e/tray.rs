//! The tray: two picks take a key out of service, whatever else is going on.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use jiff::SignedDuration;
use palette_sim::{NewKey, Seed, SimOptions};

use crate::{
    acts::{SERVICE, status},
    desk::{Desk, OWN, WINDOW, add_key},
    harness::{Entry, Keychain, Launch, Page, Setting, containing, eventually, target, within},
};

#[tokio::test(flavor = "multi_thread")]
async fn two_picks_revoke_a_key_without_a_window_and_one_undoes_it() {
    let (desk, _page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    desk.close_window().await;
    desk.notices.clear();

    let menu = tray.menu().await;
    let labels = menu.labels();
    assert_eq!(labels[0], "Open Palette Keys", "{}", menu.tree());
    assert_eq!(labels.last(), Some(&"Quit"), "{}", menu.tree());
    let keys = menu.find(&["Quick revoke"]).expect("the list").labels();
    for (key, name) in keys.iter().zip(OWN) {
        assert!(key.starts_with(&format!("{name} (ends in ")), "soonest first: {keys:?}");
    }
    assert!(keys.len() <= 11, "ten and \"More…\": {keys:?}");
    assert!(menu.find(&["Undo revoke"]).is_none());
    let uid = desk.key("leaked").uid;
    let tail = &uid[uid.len() - 6..];
    let second = menu.find(&["Quick revoke", "leaked ("]).expect("the key").labels();
    assert_eq!(second, [format!("Revoke leaked …{tail} now")], "it says which one");

    let began = desk.pick_revoke(&tray, "leaked").await;
    let took = desk.wait_on_wire(&uid, began).await;
    assert!(took < Duration::from_secs(1), "the request was on the wire after {took:?}");
    desk.wait_active("leaked", false).await;
    desk.notices.wait("Revoked leaked.").await;
    assert_eq!(desk.stage.web_processes(), Vec::<u32>::new(), "no window was needed");

    // The key is gone from the list, and can be had back.
    tray.wait_without(&["Quick revoke", "leaked ("]).await;
    tray.pick(&["Undo revoke leaked ("]).await;
    desk.wait_active("leaked", true).await;
    tray.wait_without(&["Undo revoke leaked"]).await;
    tray.entry(&["Quick revoke", "leaked ("]).await;
    let touched: HashSet<String> = desk
        .sim()
        .requests()
        .into_iter()
        .filter(|request| request.method == "PUT" || request.method == "DELETE")
        .map(|request| request.path)
        .collect();
    assert_eq!(touched, HashSet::from([format!("/v1/apiKeys/{uid}/state")]), "no other key");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tray_works_and_the_window_comes_back_when_its_web_process_died() {
    // Check 13: killed and closed in turns.
    const TIMES: usize = 10;
    let (mut desk, _page) = Desk::driven(Setting::default()).await;
    let names: Vec<String> = (0..TIMES).map(|number| format!("burst-{number}")).collect();
    for (number, name) in (0..).zip(&names) {
        add_key(desk.sim(), name, SignedDuration::from_mins(30 + number));
    }
    desk.stage.quit().await;
    desk.stage.start_alone(&[]);
    let (mut revoked, mut back) = (0, 0);
    for (number, name) in names.iter().enumerate() {
        desk.stage.wait_for_window(WINDOW).await;
        eventually("the window has its web process", async || {
            (!desk.stage.web_processes().is_empty()).then_some(())
        })
        .await;
        // WebKitGTK 2.50 aborts the whole program when a web process ends before it has said its
        // number ("readPIDFromPeer"); a person needs longer to reach the close button.
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let tray = desk.tray_with(name).await;
        if number % 2 == 0 {
            for pid in desk.stage.web_processes() {
                desk.stage.kill(pid);
            }
        } else {
            desk.close_window().await;
        }
        let uid = desk.key(name).uid;
        let began = desk.pick_revoke(&tray, name).await;
        let reached = within(Duration::from_secs(5), async || {
            desk.state_changes(&uid).iter().any(|request| request.at >= began).then_some(())
        });
        revoked += usize::from(reached.await.is_some());
        // After a crash it comes by itself, or when it is asked for; after closing, when asked for.
        tray.pick(&["Open Palette Keys"]).await;
        let opened = within(Duration::from_secs(15), async || {
            let there = desk.stage.window_titles().iter().any(|title| title.contains(WINDOW));
            (there && !desk.stage.web_processes().is_empty()).then_some(())
        });
        back += usize::from(opened.await.is_some());
    }
    println!(
        "check 13: tray revoke reached the server {revoked}/{TIMES}, window back {back}/{TIMES}"
    );
    assert_eq!((revoked, back), (TIMES, TIMES));
    for name in &names {
        desk.wait_active(name, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unanswered_keychain_prompt_delays_neither_the_tray_nor_quitting() {
    // Check 37. The credential was read before the keychain was locked.
    let setting = Setting { keychain: Keychain::LockedWithPrompt, ..Setting::default() };
    let (mut desk, page) = Desk::driven(setting).await;
    let tray = desk.tray_with("leaked").await;
    // A value in the keychain, to be asked for.
    page.role("button", "New API key").nth(0).click().await;
    let dialog = page.role("dialog", "New API key");
    dialog.role("textbox", "API key name").put("stored-one").await;
    dialog.role("checkbox", "Save to keychain").check(true).await;
    dialog.role("button", "Generate").click().await;
    let held = page.role("dialog", "Save your API key");
    held.role("button", "Saved").wait().await;
    held.role("button", "Done").click().await;
    held.wait_gone().await;
    assert_eq!(desk.stage.secrets(&[("service", SERVICE)]).await.len(), 2);
    desk.stage.lock_keychain().await;

    tray.pick(&["Copy key", "stored-one"]).await;
    eventually("the prompt is open", async || desk.stage.is_prompting().await.then_some(())).await;
    let mut passed = 0;
    for name in OWN {
        let uid = desk.key(name).uid;
        let began = desk.pick_revoke(&tray, name).await;
        let took = desk.wait_on_wire(&uid, began).await;
        assert!(took <= Duration::from_secs(1), "{name} was on the wire after {took:?}");
        desk.wait_active(name, false).await;
        passed += 1;
    }
    assert!(desk.stage.is_prompting().await, "nobody has answered it");
    // Everything is confirmed, so quitting asks nothing.
    tray.wait_without(&["not confirmed yet"]).await;
    let began = Instant::now();
    tray.pick(&["Quit"]).await;
    desk.stage.wait_ended().await;
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(3), "quitting took {took:?}");
    println!("check 37: tray click on the wire within 1 s {passed}/3, quit after {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_the_entry_says_so_and_it_is_confirmed_afterwards() {
    let desk = Desk::alone(&["--hidden"]).await;
    let tray = desk.tray_with("leaked").await;
    let calm = tray.icon().await;
    assert!(!calm.bytes.is_empty(), "the icon can be read: {:?}", calm.name);
    desk.sim().go_down().await;
    desk.pick_revoke(&tray, "leaked").await;
    tray.entry(&["Quick revoke", "leaked (Revoking… not confirmed)"]).await;
    tray.entry(&["1 revocation not confirmed yet", "leaked", "Last answer"]).await;
    let alarmed = eventually("the icon says so", async || {
        let icon = tray.icon().await;
        (icon.bytes != calm.bytes && !icon.bytes.is_empty()).then_some(icon)
    })
    .await;
    assert!(desk.key("leaked").active, "nothing has reached the server");
    assert!(desk.notices.with("Revoked").is_empty(), "nothing is claimed");
    assert!(tray.menu().await.find(&["Undo revoke"]).is_none());

    desk.sim().come_back().await.unwrap();
    tray.pick(&["1 revocation not confirmed yet", "leaked", "Try now"]).await;
    desk.wait_active("leaked", false).await;
    desk.notices.wait("Revoked leaked.").await;
    tray.wait_without(&["not confirmed yet"]).await;
    tray.entry(&["Undo revoke leaked ("]).await;
    eventually("the icon is calm again", async || {
        let icon = tray.icon().await;
        (icon.bytes != alarmed.bytes && !icon.bytes.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_icon_has_three_states() {
    // Nobody's key ends soon; then one does; then a revocation waits.
    let palette = SimOptions { seed: Seed::Empty, ..SimOptions::default() };
    let mut stage = crate::harness::Stage::set(Setting { palette, ..Setting::default() }).await;
    let mine = stage.sim.admin().api_key_uid;
    stage.sim.edit_key_directly(&mine, |key| key.expiry = None);
    let panel = crate::harness::Panel::start(&stage).await;
    let page = stage.launch(Launch::default()).await;
    crate::acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let tray = panel.item().await;
    let mut seen = vec![tray.icon().await.bytes];
    let folder = target().join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();

    add_key(&stage.sim, "soon", SignedDuration::from_hours(48));
    page.press("F5").await;
    tray.entry(&["1 key expires within 14 days", "soon"]).await;
    seen.push(changed(&tray, &seen).await);
    stage.sim.go_down().await;
    tray.pick(&["Quick revoke", "soon (", "Revoke soon "]).await;
    tray.entry(&["1 revocation not confirmed yet"]).await;
    seen.push(changed(&tray, &seen).await);
    for (name, bytes) in ["fine", "attention", "unconfirmed"].iter().zip(&seen) {
        std::fs::write(folder.join(format!("tray-{name}.png")), bytes).unwrap();
    }
}

/// Waits for an icon that is none of these.
async fn changed(tray: &crate::harness::TrayItem, known: &[Vec<u8>]) -> Vec<u8> {
    eventually("another icon", async || {
        let bytes = tray.icon().await.bytes;
        (!bytes.is_empty() && !known.contains(&bytes)).then_some(bytes)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_shown_whole_and_apart() {
    // Check 35 for the tray. What a menu would eat or hide must be there to be read.
    let names = [
        ("prod", "prod"),
        ("prod&", "prod&"),
        ("&prod", "&prod"),
        ("p_rod", "p_rod"),
        ("_prod_", "_prod_"),
        ("a__b", "a__b"),
        ("<b>prod</b> &amp;", "<b>prod</b> &amp;"),
        ("pro\u{202e}d", "U+202E"),
        ("pro\u{200b}d", "U+200B"),
    ];
    let palette = SimOptions { seed: Seed::Empty, ..SimOptions::default() };
    let mut stage = crate::harness::Stage::set(Setting { palette, ..Setting::default() }).await;
    for (number, (name, _)) in (1..).zip(names) {
        add_key(&stage.sim, name, SignedDuration::from_hours(number));
    }
    let panel = crate::harness::Panel::start(&stage).await;
    let page = stage.launch(Launch::default()).await;
    crate::acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let tray = panel.item().await;
    tray.entry(&["Quick revoke", "prod ("]).await;
    let menu = tray.menu().await;
    let list = menu.find(&["Quick revoke"]).unwrap();
    let mut shown = 0;
    for (entry, (name, part)) in list.children.iter().zip(names) {
        let uid = stage.sim.key_named(name).unwrap().uid;
        let tail = &uid[uid.len() - 6..];
        let act = entry.children.first().map(|act| act.label.clone()).unwrap_or_default();
        let whole = entry.label.contains(part) && act.contains(part) && act.contains(tail);
        assert!(whole, "{name:?} is {:?} and {act:?}", entry.label);
        shown += 1;
    }
    let distinct: HashSet<&str> = list.labels().into_iter().take(names.len()).collect();
    assert_eq!((shown, distinct.len()), (names.len(), names.len()));
    println!("check 35, tray: names shown whole and apart {shown}/{}", names.len());
}

/// Numbers that are the same in each run, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap_or_default() % sides
    }
}

/// What becomes of the list between reading the menu and the click.
fn upset(desk: &Desk, case: usize, dice: &mut Dice, uids: &[String]) {
    let any = |dice: &mut Dice| uids[dice.throw(uids.len())].clone();
    for _ in 0..=dice.throw(3) {
        let uid = any(dice);
        match dice.throw(5) {
            // Another order.
            0 => {
                let minutes = 10 + i64::try_from(dice.throw(200)).unwrap_or_default();
                let ends = desk.sim().now() + SignedDuration::from_mins(minutes);
                desk.sim().edit_key_directly(&uid, |key| key.expiry = Some(ends));
            }
            // Another name, possibly one that another key has.
            1 => desk.sim().edit_key_directly(&uid, |key| key.name = format!("n{}", case % 4)),
            2 => {
                let other = desk.sim().key(&any(dice)).map(|key| key.name);
                let name = other.unwrap_or_else(|| "twin".to_owned());
                desk.sim().edit_key_directly(&uid, |key| key.name = name);
            }
            3 => {
                desk.sim().remove_key(&uid);
            }
            _ => {
                let minutes = 5 + i64::try_from(dice.throw(60)).unwrap_or_default();
                add_key(desk.sim(), "new one", SignedDuration::from_mins(minutes));
            }
        }
    }
}

/// Check 12: an entry that was read before the list changed is that key's, or nobody's.
async fn stale_clicks(cases: usize) {
    let palette = SimOptions { seed: Seed::Empty, rate_limit: false, ..SimOptions::default() };
    let (desk, page) = Desk::driven(Setting { palette, ..Setting::default() }).await;
    let tray = desk.tray_with("leaked").await;
    let mut dice = Dice(0x5EED_2026_1123);
    let (mut hits, mut gone, mut wrong) = (0, 0, Vec::new());
    for case in 0..cases {
        let mine = desk.sim().admin();
        for key in desk.sim().keys() {
            let signs_in = key.uid == mine.api_key_uid;
            if key.owner_uid == mine.uid && !signs_in {
                desk.sim().remove_key(&key.uid);
            }
        }
        let mut uids = Vec::new();
        for number in 0..6 {
            let name = format!("case{case}-{}", number % 4);
            let key = desk.sim().add_key(NewKey {
                owner_uid: Some(mine.uid.clone()),
                expiry: Some(desk.sim().now() + SignedDuration::from_mins(60 + number)),
                ..NewKey::named(&name)
            });
            uids.push(key.uid);
        }
        let old = refreshed(&page, &tray, &format!("Revoke case{case}-")).await;
        let acts: Vec<&Entry> =
            old.all().into_iter().filter(|entry| entry.label.starts_with("Revoke case")).collect();
        assert_eq!(acts.len(), uids.len(), "case {case}:\n{}", old.tree());
        let act = acts[dice.throw(acts.len())];
        let meant = uids.iter().find(|uid| act.label.contains(&uid[uid.len() - 6..]));
        let meant = meant.unwrap_or_else(|| panic!("whose is {:?}", act.label)).clone();

        upset(&desk, case, &mut dice, &uids);
        page.press("F5").await;
        // The menu is old, being changed or new in the moment of the click.
        tokio::time::sleep(Duration::from_millis(dice.throw(1800) as u64)).await;
        let before: HashSet<String> = active(&desk);
        let taken = tray.try_click(act.id).await;
        let ended = within(Duration::from_millis(1500), async || {
            active(&desk).len().lt(&before.len()).then_some(())
        });
        let ended = ended.await.is_some();
        // A wrong one could follow the right one.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let lost: Vec<String> = before.difference(&active(&desk)).cloned().collect();
        match lost.as_slice() {
            [] => gone += 1,
            [one] if *one == meant => hits += 1,
            other => {
                wrong.push(format!("case {case}: {other:?} instead of {meant} ({taken}, {ended})"))
            }
        }
    }
    println!(
        "check 12: wrong key revoked {}/{cases} (the key that was meant {hits}, nothing {gone})",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(hits * 4 >= cases, "the clicks did too little to show anything: {hits} of {cases}");
    drop(page);
}

fn active(desk: &Desk) -> HashSet<String> {
    desk.sim().keys().into_iter().filter(|key| key.active).map(|key| key.uid).collect()
}

/// Presses F5 until the menu offers these.
async fn refreshed(page: &Page, tray: &crate::harness::TrayItem, part: &str) -> Entry {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        page.press("F5").await;
        let found = within(Duration::from_millis(1500), async || {
            let menu = tray.menu().await;
            let offered = menu.all();
            let acts = offered.iter().filter(|entry| entry.label.starts_with(part)).count();
            (acts == 6).then_some(menu)
        });
        if let Some(menu) = found.await {
            return menu;
        }
        assert!(Instant::now() < deadline, "no menu with {part}:\n{}", tray.menu().await.tree());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_entry_never_means_another_key() {
    stale_clicks(40).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "200 cases take some minutes"]
async fn an_old_entry_never_means_another_key_in_200_cases() {
    stale_clicks(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_lead_to_their_place_in_the_window() {
    let (desk, page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    page.role("link", "Activity").click().await;
    tray.pick(&["New key"]).await;
    page.role("dialog", "New API key").wait().await;
    page.press("Escape").await;
    page.role("dialog", "New API key").wait_gone().await;
    tray.pick(&["expire within 14 days", "spare (", "Open"]).await;
    page.role("region", "Key details").role("heading", "spare").wait().await;
    if tray.menu().await.find(&["Quick revoke", "More"]).is_some() {
        tray.pick(&["Quick revoke", "More"]).await;
        page.role("searchbox", "Search keys").wait_focused().await;
    }

    // Renewing needs no window.
    let before = desk.key("third").expiry;
    tray.pick(&["expire within 14 days", "third (", "Renew 30 days"]).await;
    eventually("third ends later", async || (desk.key("third").expiry > before).then_some(()))
        .await;
    tray.wait_without(&["expire within 14 days", "third ("]).await;

    // What the tray revokes is said in the window, which is in sight.
    desk.pick_revoke(&tray, "leaked").await;
    page.role("region", "Notifications").words(containing("Revoked leaked.")).wait().await;
    status(&page).wait_text("As of ").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_rolled_from_the_tray_which_shows_the_pair_until_the_roll_is_cancelled() {
    let (desk, page) = Desk::driven(Setting::default()).await;
    let tray = desk.tray_with("leaked").await;
    let ends = add_key(desk.sim(), "deploy", SignedDuration::from_hours(24 * 10)).expiry;
    page.press("F5").await;
    let path = ["expire within 14 days", "deploy (ends in 10 d)"];
    let acts = tray.entry(&path).await;
    assert_eq!(acts.labels(), ["Roll\u{2026}", "Renew 30 days", "Open"]);

    // "Roll…" opens the dialog for that key, wherever the window was.
    page.role("link", "Activity").click().await;
    tray.pick(&[path[0], path[1], "Roll"]).await;
    let dialog = page.role("dialog", "Roll API key");
    dialog.words(containing("deploy")).nth(0).wait().await;
    dialog.role("textbox", "API key name").put("deploy-next").await;
    dialog.role("button", "Roll").click().await;
    dialog.words("deploy-next is in its place").wait().await;
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;

    // The old one is meant to end: neither is it to be renewed, nor is it a reason for a sign.
    let pair =
        ["expire within 14 days", "deploy (ends in 7 d)", "Rolling: replaced by deploy-next"];
    tray.entry(&pair).await;
    let acts = tray.entry(&pair[..2]).await;
    assert_eq!(acts.labels(), ["Rolling: replaced by deploy-next", "Open"]);
    let line = acts.find(&["Rolling"]).expect("the line");
    assert!(!line.enabled, "it says, and does nothing");
    tray.entry(&["Quick revoke", "deploy-next (ends in "]).await;

    // Cancelled, both menus are what they were.
    page.role("link", "Activity").click().await;
    page.role("button", "Cancel roll of deploy").click().await;
    let question = page.role("alertdialog", "Cancel the roll of deploy?");
    question.role("button", "Cancel roll").click().await;
    desk.wait_active("deploy-next", false).await;
    let acts = tray.entry(&path).await;
    assert_eq!(acts.labels(), ["Roll\u{2026}", "Renew 30 days", "Open"]);
    tray.wait_without(&["Quick revoke", "deploy-next ("]).await;
    let ms = |time: Option<jiff::Timestamp>| time.map(jiff::Timestamp::as_millisecond);
    assert_eq!(ms(desk.key("deploy").expiry), ms(ends), "the end is exactly what it was");
}
