//! Every screen and dialog, light and dark: a picture in `target/screenshots` and no rule of
//! axe-core broken. `cargo xtask screenshots` runs exactly these.

use std::fs;

use palette_sim::{Fault, Matcher, Sim};

use crate::{
    harness::{Launch, Page, Setting, Stage, any, containing, eventually, root},
    scene::Scene,
};

/// A light or a dark desktop.
#[derive(Clone, Copy)]
enum Theme {
    Light,
    Dark,
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn launch(self) -> Launch {
        match self {
            Self::Light => Launch::default(),
            Self::Dark => Launch::default().dark(),
        }
    }
}

/// Takes the picture `NAME-light.png` or `NAME-dark.png` and has axe-core look at the page.
async fn look(page: &Page, theme: Theme, name: &str) {
    // What the mouse is over looks different, and a picture must not depend on where it was.
    page.point_at(2, 2).await;
    let name = format!("{name}-{}", theme.name());
    page.screenshot(&name).await;
    page.assert_accessible(&name).await;
    let shown = page.evaluate("return document.documentElement.dataset.theme").await;
    assert_eq!(shown, theme.name(), "{name}");
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(page.evaluate(wide).await, 0, "{name} needs no scrolling sideways");
}

/// The pictures of the README, replaced only on demand: they differ a little at every run.
fn keep_for_readme(theme: Theme) {
    if std::env::var_os("PALETTE_KEYS_UPDATE_SCREENSHOTS").is_some_and(|wanted| wanted == "1") {
        let folder = root().join("docs/screenshots");
        fs::create_dir_all(&folder).expect("the folder can be made");
        let name = format!("keys-{}.png", theme.name());
        let taken = crate::harness::target().join("screenshots").join(&name);
        fs::copy(taken, folder.join(name)).expect("the picture is copied");
    }
}

/// The demo tenant with Jane's `ci-prod` in the keychain, and nothing said in the corner.
async fn scene(theme: Theme) -> Scene {
    let scene = Scene::of(Setting::default(), theme.launch(), Sim::admin).await;
    quiet(&scene.page).await;
    scene
}

/// Takes away the words in the corner.
async fn quiet(page: &Page) {
    let dismiss = page.role("region", "Notifications").role("button", "Dismiss");
    while dismiss.exists().await {
        dismiss.nth(0).click().await;
    }
}

async fn connect_screens(theme: Theme) {
    let mut stage = Stage::new().await;
    let page = stage.launch(theme.launch()).await;
    page.role("heading", "Connect to Palette").wait().await;
    look(&page, theme, "connect").await;
    page.role("button", "Connection options").click().await;
    page.role("textbox", "Connection name").wait().await;
    look(&page, theme, "connect-options").await;
    page.role("button", "Connection options").click().await;
    page.role("radio", "Email and password").click().await;
    page.role("textbox", "Email").put("jane.doe@acme.example").await;
    look(&page, theme, "connect-password").await;
    page.role("radio", "API key").click().await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    page.password("API key").put("not-a-key-of-this-tenant-at-all-0").await;
    page.role("button", "Connect").click().await;
    page.role("alert", any()).nth(0).wait().await;
    look(&page, theme, "connect-refused").await;
}

async fn main_screens(theme: Theme) {
    let scene = scene(theme).await;
    let page = &scene.page;
    for (name, save) in [("cluster-reports", true), ("helm-publisher", true)] {
        let held = scene.create(name, save).await;
        held.role("button", "Done").click().await;
        held.wait_gone().await;
    }
    scene.name_cell("ci-prod").click().await;
    scene.details().role("heading", "ci-prod").wait().await;
    scene.details().words("Tenant Admin").wait().await;
    quiet(page).await;
    look(page, theme, "keys").await;
    keep_for_readme(theme);

    scene.look_at("helm-publisher").await.role("button", "Copy key").wait().await;
    scene.search("").await;
    look(page, theme, "keys-stored-value").await;
    scene.search("nothing-like-this").await;
    page.words("No key matches").wait().await;
    scene.details().words("Not in the list as it is filtered now.").wait().await;
    look(page, theme, "keys-nothing-found").await;
    let search = page.role("searchbox", "Search keys");
    search.fill("status:broken").await;
    page.words(containing("Status is one of")).wait().await;
    look(page, theme, "keys-search-wrong").await;
    search.fill("").await;
    look(page, theme, "keys-search-help").await;
    for name in ["release-bot", "grafana-reader", "capacity-report"] {
        page.role("checkbox", format!("Select {name}")).click().await;
    }
    page.role("toolbar", "Selection").wait().await;
    look(page, theme, "keys-selection").await;
    let over = "const all = document.querySelector('.sub .all').getBoundingClientRect();\n\
                const line = document.querySelector('.sub').getBoundingClientRect();\n\
                return Math.max(0, Math.round(all.right - line.right))";
    assert_eq!(page.evaluate(over).await, 0, "what selects all of them is shown whole");
    page.role("button", "Clear selection").click().await;
    page.role("button", "Actions for release-bot").click().await;
    page.role("menu", any()).wait().await;
    look(page, theme, "keys-row-menu").await;
    page.press("Escape").await;
    page.role("menu", any()).wait_gone().await;
    page.role("button", "Connection: acme").click().await;
    page.role("menu", any()).wait().await;
    look(page, theme, "switcher").await;
    page.press("Escape").await;
    page.role("menu", any()).wait_gone().await;
    page.press("Control+k").await;
    page.role("dialog", "Commands").wait().await;
    look(page, theme, "command-palette").await;
    page.press("Escape").await;
    page.role("dialog", "Commands").wait_gone().await;
    page.press("?").await;
    scene.dialog("Keyboard shortcuts").wait().await;
    look(page, theme, "shortcuts").await;
    page.press("Escape").await;

    // Something to tell in the time line.
    scene.look_at("release-bot").await.role("button", "Revoke").click().await;
    scene.told("Revoked release-bot.").await;
    look(page, theme, "keys-revoked-toast").await;
    scene.toasts().role("button", "Undo").click().await;
    scene.told("Re-activated release-bot.").await;
    quiet(page).await;
    page.role("link", "Activity").click().await;
    page.words(containing("release-bot")).nth(0).wait().await;
    look(page, theme, "activity").await;
    activity_screens(&scene, theme).await;
    page.role("link", "Settings").click().await;
    page.role("heading", "Settings").wait().await;
    look(page, theme, "settings").await;
    page.role("heading", "About").scroll_into_view().await;
    look(page, theme, "settings-end").await;
    page.role("button", containing("Edit")).nth(0).click().await;
    let edit = scene.dialog("Edit connection");
    edit.role("combobox", "Proxy").choose("Custom").await;
    edit.role("textbox", "Proxy address").put("http://proxy.acme.example:3128").await;
    edit.words(containing("Save tries this")).wait().await;
    look(page, theme, "edit-connection").await;
    page.press("Escape").await;
    edit.wait_gone().await;
    page.role("button", containing("Remove")).nth(0).click().await;
    page.role("alertdialog", any()).words(containing("stays valid")).wait().await;
    look(page, theme, "remove-connection").await;
}

/// "Activity" with changes to read, the server's log, nothing left of it, and a narrow window.
async fn activity_screens(scene: &Scene, theme: Theme) {
    let page = &scene.page;
    page.role("link", "Keys").click().await;
    let details = scene.look_at("release-bot").await;
    details.role("button", "Renew").click().await;
    let dialog = scene.dialog("Renew API key");
    dialog.role("radio", "90 days").click().await;
    dialog.role("button", "Renew").click().await;
    dialog.wait_gone().await;
    details.role("radio", "Server").click().await;
    details.words(containing("updated")).nth(0).wait().await;
    quiet(page).await;
    look(page, theme, "history-server").await;
    page.role("link", "Activity").click().await;
    page.role("radio", "Both").click().await;
    page.words(containing("In the server's log at")).nth(0).wait().await;
    look(page, theme, "activity-both").await;
    page.role("radio", "Server").click().await;
    page.words(containing("API key 'ci-prod'")).nth(0).wait().await;
    look(page, theme, "activity-server").await;
    page.role("searchbox", "Search activity").put("nothing-like-this").await;
    page.words("No match among the entries read so far").wait().await;
    look(page, theme, "activity-nothing").await;
    page.role("radio", "This app").click().await;
    page.role("button", "Clear filters").nth(0).click().await;
    page.words(containing("Renewed")).nth(0).wait().await;
    look(page, theme, "activity-changes").await;
}

/// "Found a key?", from the value to the proof.
async fn found_key(scene: &Scene, theme: Theme) {
    let page = &scene.page;
    page.press("Control+k").await;
    page.role("combobox", "Command").put("found").await;
    page.role("option", "Found a key?").click().await;
    let dialog = scene.dialog("Found a key?");
    dialog.wait().await;
    look(page, theme, "found").await;
    page.password("Found value").put(&scene.key("backup-verify").value).await;
    dialog.role("button", "Continue").click().await;
    dialog.words(containing("It is sent once")).wait().await;
    look(page, theme, "found-question").await;
    dialog.role("button", containing("Try it on")).click().await;
    dialog.words(containing("It works")).wait().await;
    dialog.role("radio", containing("backup-verify")).click().await;
    look(page, theme, "found-candidates").await;
    dialog.role("button", "Revoke backup-verify").click().await;
    scene.question("Revoke backup-verify?").role("button", "Revoke").click().await;
    let dialog = scene.dialog("backup-verify is revoked");
    dialog.words(containing("Palette refused the found value")).wait().await;
    look(page, theme, "found-revoked").await;
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;
}

/// An undo of what somebody else changed since.
async fn undo_conflict(scene: &Scene, theme: Theme) {
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Edit").click().await;
    let dialog = scene.dialog("Edit API key");
    dialog.role("textbox", "API key name").put("ci-prod-eu").await;
    dialog.role("button", "Save").click().await;
    dialog.wait_gone().await;
    let uid = scene.key("ci-prod-eu").uid;
    scene.sim().edit_key_directly(&uid, |key| {
        key.name = "ci-prod-emea".into();
        key.description = "Deploys of the payment clusters, every region".into();
    });
    scene.toasts().role("button", "Undo").nth(0).click().await;
    let conflict = scene.question("Someone changed this key since");
    conflict.wait().await;
    look(&scene.page, theme, "undo-conflict").await;
    conflict.role("button", "Undo anyway").click().await;
    conflict.wait_gone().await;
    scene.key_becomes("ci-prod", "named as before", |key| key.uid == uid).await;
    quiet(&scene.page).await;
}

async fn dialogs(theme: Theme) {
    let scene = scene(theme).await;
    let page = &scene.page;
    undo_conflict(&scene, theme).await;
    found_key(&scene, theme).await;
    scene.search("").await;
    scene.name_cell("ci-prod").click().await;

    let dialog = scene.begin_key("ci-staging").await;
    dialog.role("textbox", "Description").put("GitHub Actions, staging clusters").await;
    dialog.words(containing("Ends ")).wait().await;
    look(page, theme, "create").await;
    dialog.role("combobox", "User name").click().await;
    page.role("option", containing("Sam Okafor")).wait().await;
    look(page, theme, "create-people").await;
    page.press("Escape").await;
    dialog.role("radio", "Custom").click().await;
    dialog.role("textbox", "Date").put("2020-01-01").await;
    dialog.role("textbox", "API key name").put("ci-prod").await;
    dialog.words(containing("is already past")).wait().await;
    look(page, theme, "create-wrong").await;
    dialog.role("radio", "30 days").click().await;
    dialog.role("textbox", "API key name").put("ci-staging").await;
    dialog.role("checkbox", "Save to keychain").check(false).await;
    dialog.role("button", "Generate").click().await;
    let held = scene.dialog("Save your API key");
    held.words(containing("Works: acts as")).wait().await;
    look(page, theme, "save-value-unkept").await;
    held.role("button", "Done").click().await;
    let question = scene.question("Close without keeping it?");
    question.wait().await;
    look(page, theme, "save-value-question").await;
    question.role("button", "Go back").click().await;
    held.role("button", "Save to keychain").click().await;
    held.role("button", "Saved").wait().await;
    held.role("button", "Copy").click().await;
    held.role("timer", any()).wait_text("Clears in ").await;
    look(page, theme, "save-value").await;
    held.role("button", "Copy as").click().await;
    page.role("menu", "Copy as").wait().await;
    look(page, theme, "save-value-copy-as").await;
    page.press("Escape").await;
    held.role("button", "Done").click().await;
    held.wait_gone().await;
    page.role("status", "Status").wait().await;
    look(page, theme, "keys-clipboard").await;
    page.role("button", "Clear now").click().await;

    let details = scene.look_at("ci-prod").await;
    details.role("button", "Edit").click().await;
    let dialog = scene.dialog("Edit API key");
    dialog.role("textbox", "Description").put("Deploys of all clusters").await;
    look(page, theme, "edit").await;
    let uid = scene.key("ci-prod").uid;
    scene.sim().edit_key_directly(&uid, |key| {
        key.description = "Deploys of the payment clusters, EU only".into();
    });
    dialog.role("button", "Save").click().await;
    let conflict = scene.question("Someone else changed this key");
    conflict.wait().await;
    look(page, theme, "edit-conflict").await;
    conflict.role("button", "Use theirs").click().await;
    conflict.wait_gone().await;

    details.role("button", "Renew").click().await;
    scene.dialog("Renew API key").words(containing("Ends ")).nth(0).wait().await;
    look(page, theme, "renew").await;
    page.press("Escape").await;
    roll(&scene, theme).await;
    let details = scene.look_at("ci-prod").await;
    details.role("button", "Delete").click().await;
    scene.dialog("Delete API key").wait().await;
    look(page, theme, "delete").await;
    page.press("Escape").await;
    let details = scene.look_at("grafana-reader").await;
    details.role("button", "Revoke").click().await;
    scene.question("Revoke grafana-reader?").wait().await;
    look(page, theme, "revoke-question").await;
    page.press("Escape").await;
    scene.search("owner:sam").await;
    page.role("checkbox", "Select all keys").click().await;
    page.role("toolbar", "Selection").role("button", "Delete").click().await;
    scene.dialog("Delete API key").wait().await;
    look(page, theme, "delete-several").await;
}

/// A roll from its form to the pair in the list, and one that something stands in the way of.
async fn roll(scene: &Scene, theme: Theme) {
    let page = &scene.page;
    scene.look_at("release-bot").await.role("button", "Roll").click().await;
    let dialog = scene.dialog("Roll API key");
    dialog.words(containing("keys used")).wait().await;
    dialog.words(containing("Ends ")).nth(0).wait().await;
    look(page, theme, "roll").await;
    let old = scene.key("release-bot").uid;
    let put = Matcher::on("PUT", &format!("/v1/apiKeys/{old}"));
    scene.sim().set_fault(put, Fault::error(403, "Forbidden", "not allowed"), None);
    dialog.role("textbox", "API key name").put("release-bot-next").await;
    dialog.role("button", "Roll").click().await;
    dialog.role("alert", any()).wait().await;
    look(page, theme, "roll-stuck").await;
    scene.sim().clear_faults();
    dialog.role("button", "Try again").click().await;
    dialog.words(containing("is in its place")).wait().await;
    look(page, theme, "roll-done").await;
    dialog.role("button", "Done").click().await;
    dialog.wait_gone().await;
    scene.search("release-bot").await;
    scene.details().role("group", "Roll").role("button", "Extend grace").wait().await;
    look(page, theme, "keys-rolling").await;
    let cut = "return [...document.querySelectorAll('[role=rowheader] .name')]\n\
               .filter((name) => name.scrollWidth > name.clientWidth).length";
    assert_eq!(page.evaluate(cut).await, 0, "the chips leave the names their room");
}

async fn trouble(theme: Theme) {
    let scene = scene(theme).await;
    let page = &scene.page;
    scene.sim().set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::ResetAfterHandling, Some(1));
    scene.begin_key("lost-in-transit").await.role("button", "Generate").click().await;
    let lost = page.role("dialog", "A key was made whose value nobody has");
    lost.wait().await;
    look(page, theme, "lost-creation").await;
    // The window is loaded anew: what is open is still said, in the list.
    page.reload().await;
    page.words(containing("A key was made whose value nobody has")).wait().await;
    look(page, theme, "lost-creation-banner").await;
    page.role("button", "Leave it").click().await;

    let state = Matcher { path_contains: Some("/state".into()), ..Matcher::default() };
    let fault = Fault::error(500, "InternalServerError", "Something went wrong");
    scene.sim().set_fault(state, fault, None);
    scene.look_at("ci-prod").await.role("button", "Revoke").click().await;
    scene.told("Could not confirm the revocation of ci-prod; still trying.").await;
    scene.search("").await;
    look(page, theme, "revoking").await;
    quiet(page).await;
    scene.sim().go_down().await;
    page.press("F5").await;
    page.role("status", "Status").wait_text("Offline, as of").await;
    look(page, theme, "offline").await;
    scene.sim().come_back().await.expect("the server is back");
    scene.sim().clear_faults();
    let forbidden = Fault::error(403, "OperationForbidden", "Operation is forbidden");
    scene.sim().set_fault(Matcher::on("GET", "/v1/apiKeys"), forbidden, None);
    let status = page.role("status", "Status");
    // A refresh that is still under way takes no second one.
    eventually("the list is not refreshed", async || {
        page.press("F5").await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        status.text().await.contains("Not refreshed").then_some(())
    })
    .await;
    look(page, theme, "not-refreshed").await;
}

async fn without_keys(theme: Theme) {
    let palette = palette_sim::SimOptions {
        seed: palette_sim::Seed::Empty,
        ..palette_sim::SimOptions::default()
    };
    let mut stage = Stage::set(Setting { palette, ..Setting::default() }).await;
    let list = || Matcher::on("GET", "/v1/apiKeys");
    stage.sim.set_fault(list(), Fault::HtmlOk, None);
    let page = stage.launch(theme.launch()).await;
    // With a password nothing is left when the only key is gone.
    let user = stage.sim.user();
    crate::acts::type_account(&page, &user.email, &user.organization, &user.password).await;
    page.role("textbox", "Palette address").put(&stage.sim.origin()).await;
    page.role("button", "Connect").click().await;
    page.words(containing("The keys could not be read")).wait().await;
    quiet(&page).await;
    look(&page, theme, "keys-unreadable").await;
    stage.sim.clear_faults();
    stage.sim.set_fault(list(), Fault::DelayMs(6_000), None);
    page.role("button", "Try again").click().await;
    page.words("Reading the keys…").wait().await;
    look(&page, theme, "keys-loading").await;
    stage.sim.remove_key(&user.api_key_uid);
    stage.sim.clear_faults();
    let empty = page.words("You have no API keys yet");
    eventually("the empty list", async || {
        if !empty.exists().await {
            page.press("F5").await;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        empty.exists().await.then_some(())
    })
    .await;
    look(&page, theme, "keys-none").await;
}

async fn narrow(theme: Theme) {
    let scene = scene(theme).await;
    let page = &scene.page;
    let resize = async |width: u32, height: u32| {
        page.resize(width, height).await;
        eventually("the page has its new size", async || {
            let size = page.evaluate("return [innerWidth, innerHeight]").await;
            (size == serde_json::json!([width, height])).then_some(())
        })
        .await;
    };
    resize(900, 600).await;
    look(page, theme, "keys-900x600").await;
    scene.name_cell("ci-prod").click().await;
    scene.details().role("heading", "ci-prod").wait().await;
    look(page, theme, "keys-900x600-details").await;
    page.press("Escape").await;
    scene.begin_key("narrow").await;
    look(page, theme, "create-900x600").await;
    page.press("Escape").await;
    scene.dialog("New API key").wait_gone().await;
    page.role("link", "Review").click().await;
    page.role("figure", "Expiry timeline").wait().await;
    look(page, theme, "review-900x600").await;
    let beside = "const days = [...document.querySelectorAll('.days button')];\n\
                  const isHit = (day) => {\n\
                    const { left, width, top } = day.getBoundingClientRect();\n\
                    return document.elementFromPoint(left + width / 2, top + 50) === day;\n\
                  };\n\
                  return days.length === 0 ? -1 : days.filter((day) => !isHit(day)).length";
    assert_eq!(page.evaluate(beside).await, 0, "a press on the middle of a bar is for its day");
    page.role("button", "Offboard a person").click().await;
    let offboard = scene.dialog("Offboard a person");
    offboard.role("combobox", "Person").click().await;
    page.type_text("ana").await;
    page.role("option", containing("Ana Ruiz")).click().await;
    offboard.words(containing("of them working")).wait().await;
    look(page, theme, "offboard-900x600").await;
    offboard.role("button", "Close").click().await;
    offboard.wait_gone().await;
    page.role("link", "Keys").click().await;
    page.role("grid", "API keys").wait().await;

    resize(1240, 780).await;
    page.zoom_to_double().await;
    page.role("row", containing("ci-prod")).focus().await;
    look(page, theme, "keys-200-percent").await;
    // By keyboard: the driver's mouse clicks where things were before the zoom.
    page.press("Control+n").await;
    let dialog = scene.dialog("New API key");
    dialog.role("textbox", "API key name").put("larger").await;
    look(page, theme, "create-200-percent").await;
    page.press("Enter").await;
    let held = scene.dialog("Save your API key");
    held.role("button", "Saved").wait().await;
    look(page, theme, "save-value-200-percent").await;
    held.role("button", "Done").focus().await;
    page.press("Enter").await;
    held.wait_gone().await;
    page.press("Control+,").await;
    page.role("heading", "Settings").wait().await;
    look(page, theme, "settings-200-percent").await;
    page.role("link", "Review").focus().await;
    page.press("Enter").await;
    page.role("figure", "Expiry timeline").wait().await;
    look(page, theme, "review-200-percent").await;
}

async fn review_screens(theme: Theme) {
    let scene = scene(theme).await;
    let page = &scene.page;
    page.role("link", "Review").click().await;
    page.role("figure", "Expiry timeline").wait().await;
    page.role("heading", containing("of people who are gone")).wait().await;
    quiet(page).await;
    look(page, theme, "review").await;
    page.role("radio", "By owner").check(true).await;
    look(page, theme, "review-by-owner").await;
    page.role("button", "Show as table").click().await;
    look(page, theme, "review-table").await;
    page.role("button", "Rules").click().await;
    let rules = scene.dialog("Rules of the review");
    rules.wait().await;
    look(page, theme, "review-rules").await;
    let native = "return [...document.querySelectorAll('select')]\n\
                  .filter((select) => getComputedStyle(select).appearance !== 'none').length";
    assert_eq!(page.evaluate(native).await, 0, "no select is drawn by the desktop");
    rules.role("button", "Close").click().await;
    rules.wait_gone().await;
    page.role("button", "Keep\u{2026}").nth(0).click().await;
    let keep = scene.dialog("Keep as it is?");
    keep.role("textbox", "Reason").put("The owner's team takes it over").await;
    look(page, theme, "review-keep").await;
    keep.role("button", "Keep").click().await;
    keep.wait_gone().await;
    // Before the dialog opens: a press beside it closes it.
    quiet(page).await;
    page.role("button", containing("Accepted until a date")).click().await;
    let accepted = scene.dialog("Accepted until a date");
    accepted.wait().await;
    look(page, theme, "review-accepted").await;
    accepted.role("button", "Close").click().await;
    accepted.wait_gone().await;
    page.role("link", "Keys").click().await;
    scene.search("is:never").await;
    page.role("button", "List options").click().await;
    page.role("menu", "List options").wait().await;
    look(page, theme, "list-options").await;
    page.role("menuitem", containing("Save this view")).click().await;
    let save = scene.dialog("Save this view");
    save.role("textbox", "Name").put("Without an end").await;
    look(page, theme, "save-view").await;
    save.role("button", "Save view").click().await;
    save.wait_gone().await;
    let views = page.role("listbox", "Views");
    views.role("option", containing("Without an end")).wait().await;
    look(page, theme, "saved-view").await;
}

async fn reveal_window(theme: Theme) {
    let scene = scene(theme).await;
    scene.create_stored("shown").await;
    let details = scene.look_at("shown").await;
    let known = scene.page.windows().await;
    details.role("button", "Reveal").click().await;
    scene.page.switch_to_new(&known).await;
    scene.page.role("group", "API key").wait().await;
    // The picture is kept: no true value in it.
    let mask = "document.querySelector('[aria-label=\"API key\"]').textContent = arguments[0]";
    scene.page.evaluate_with(mask, serde_json::json!(["ThisIsNotTheValueThisIsNotTheVal"])).await;
    look(&scene.page, theme, "reveal").await;
    scene.stage.bring_to_front("shown · API key").await;
    scene.stage.bring_to_front("Palette Keys").await;
    scene.page.role("button", "Show again").wait().await;
    look(&scene.page, theme, "reveal-covered").await;
}

macro_rules! in_both_themes {
    ($($light:ident, $dark:ident: $what:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $light() {
                $what(Theme::Light).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn $dark() {
                $what(Theme::Dark).await;
            }
        )*
    };
}

in_both_themes! {
    screenshots_of_connect_light, screenshots_of_connect_dark: connect_screens;
    screenshots_of_the_main_screens_light, screenshots_of_the_main_screens_dark: main_screens;
    screenshots_of_dialogs_light, screenshots_of_dialogs_dark: dialogs;
    screenshots_of_trouble_light, screenshots_of_trouble_dark: trouble;
    screenshots_without_keys_light, screenshots_without_keys_dark: without_keys;
    screenshots_of_narrow_windows_light, screenshots_of_narrow_windows_dark: narrow;
    screenshots_of_the_review_light, screenshots_of_the_review_dark: review_screens;
    screenshots_of_the_reveal_window_light, screenshots_of_the_reveal_window_dark: reveal_window;
}
