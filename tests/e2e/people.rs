//! Who one is decides what is there: no dead buttons, no others' keys, no claims about what may
//! not be known.

use crate::{
    acts::{connect, listed, open_details, row, search, status, wait_for_keys},
    harness::{Launch, Page, Stage, any, containing},
};

/// Opens "New API key".
async fn open_creation(page: &Page) -> crate::harness::Locator {
    page.role("button", "New API key").click().await;
    let dialog = page.role("dialog", "New API key");
    dialog.role("textbox", "API key name").wait().await;
    dialog
}

/// Looks for acts in the menu of a row: exactly these are there.
async fn assert_acts(page: &Page, name: &str, wanted: &[&str]) {
    page.role("button", format!("Actions for {name}")).click().await;
    let menu = page.role("menu", format!("Actions for {name}"));
    menu.wait().await;
    for act in wanted {
        menu.role("menuitem", *act).wait().await;
    }
    menu.role("menuitem", any()).wait_count(wanted.len()).await;
    page.press("Escape").await;
    menu.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_user_sees_own_keys_and_no_admin_controls() {
    let mut stage = Stage::new().await;
    let sam = stage.sim.user();
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &sam.api_key).await;
    status(&page).wait_text("You see your own keys").await;
    let own: Vec<_> = stage.sim.keys().into_iter().filter(|key| key.owner_uid == sam.uid).collect();
    assert_eq!(listed(&page).await, own.len());
    for key in &own {
        row(&page, &key.name).wait().await;
    }
    assert_eq!(row(&page, "ci-prod").count().await, 0);
    let views = page.role("listbox", "Views");
    for admins_only in ["Mine", "Owner gone"] {
        assert_eq!(views.role("option", containing(admins_only)).count().await, 0);
    }

    // What is one's own one may change.
    let details = open_details(&page, "capacity-report").await;
    for act in ["Edit", "Renew", "Revoke", "Delete"] {
        details.role("button", act).wait().await;
    }
    let dialog = open_creation(&page).await;
    assert_eq!(page.role("combobox", "User name").count().await, 0, "only for oneself");
    dialog.role("button", "Cancel").click().await;
    dialog.wait_gone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tenant_can_be_seen_as_a_plain_user() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    page.role("button", "look as a plain user").click().await;
    wait_for_keys(&page).await;
    status(&page).wait_text("You see your own keys").await;
    assert_eq!(row(&page, "ci-prod").count().await, 0);
    row(&page, "capacity-report").wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_sees_everything_and_is_told_why_nothing_can_be_done() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.viewer().api_key).await;
    status(&page).wait_text("You see every key of acme").await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());

    let details = open_details(&page, "ci-prod").await;
    details.words(containing("does not let you change or delete this key")).wait().await;
    for act in ["Edit", "Renew", "Revoke", "Re-activate", "Delete"] {
        assert_eq!(details.role("button", act).count().await, 0, "{act} is not there");
    }
    assert_acts(&page, "ci-prod", &["Open"]).await;

    let dialog = open_creation(&page).await;
    assert_eq!(page.role("combobox", "User name").count().await, 0, "only for oneself");
    dialog.role("button", "Cancel").click().await;
    dialog.wait_gone().await;

    // The viewer's own key is the viewer's to change.
    search(&page, "audit-export").await;
    let details = open_details(&page, "audit-export").await;
    details.role("button", "Renew").wait().await;
    assert_eq!(details.words(containing("does not let you")).count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_people_is_told_nothing_about_owners() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.project_admin().api_key).await;
    status(&page).wait_text("You see every key of acme").await;
    assert_eq!(listed(&page).await, stage.sim.keys().len());

    // Lena left, but nobody told us: not knowing her is no proof.
    let gone = page.role("listbox", "Views").role("option", containing("Owner gone"));
    assert_eq!(gone.text().await, "Owner gone 0");
    search(&page, "vmo-migration").await;
    row(&page, "vmo-migration").wait().await;
    assert_eq!(page.words("owner gone").count().await, 0);
    let details = open_details(&page, "vmo-migration").await;
    assert_eq!(details.words("Owner gone").count().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_whose_owner_is_gone_and_may_act() {
    let mut stage = Stage::new().await;
    let page = stage.launch(Launch::default()).await;
    connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
    let gone = page.role("listbox", "Views").role("option", containing("Owner gone"));
    assert_ne!(gone.text().await, "Owner gone 0");
    search(&page, "vmo-migration").await;
    let details = open_details(&page, "vmo-migration").await;
    details.words("Owner gone").wait().await;
    details.role("button", "Revoke").wait().await;
    open_creation(&page).await.role("combobox", "User name").wait().await;
}
