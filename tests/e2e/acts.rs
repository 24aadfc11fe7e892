//! What a person does again and again, and what they look for afterwards.

use std::time::Duration;

use crate::harness::{Locator, PATIENCE, Page, Stage, any, containing, within};

/// The name under which the keychain lists our entries.
pub const SERVICE: &str = "Palette Keys";

/// Fills in "Connect to Palette" for an API key, and presses nothing.
pub async fn type_key(page: &Page, address: &str, key: &str) {
    page.role("heading", "Connect to Palette").wait().await;
    page.role("textbox", "Palette address").put(address).await;
    page.role("radio", "API key").check(true).await;
    page.password("API key").put(key).await;
}

/// Connects with an API key and waits for the list.
pub async fn connect(page: &Page, address: &str, key: &str) {
    type_key(page, address, key).await;
    page.role("button", "Connect").click().await;
    wait_for_keys(page).await;
}

/// Fills in the account of someone with a password, and presses nothing.
pub async fn type_account(page: &Page, email: &str, organization: &str, password: &str) {
    page.role("radio", "Email and password").check(true).await;
    page.role("textbox", "Email").put(email).await;
    page.role("textbox", "Organization").put(organization).await;
    page.password("Password").put(password).await;
}

/// Waits for a list that the server has just given.
pub async fn wait_for_keys(page: &Page) {
    page.role("heading", "API keys").wait().await;
    status(page).wait_text("As of ").await;
}

/// The status bar.
pub fn status(page: &Page) -> Locator {
    page.role("status", "Status")
}

/// The row of a key, as far as it is in sight.
pub fn row(page: &Page, name: &str) -> Locator {
    page.role("grid", "API keys").role("row", containing(name))
}

/// How many keys the list has, in sight or not; the head is a row too.
pub async fn listed(page: &Page) -> usize {
    let rows = page.role("grid", "API keys").attribute("aria-rowcount").await.unwrap_or_default();
    rows.parse::<usize>().unwrap_or_default().saturating_sub(1)
}

/// Shows only what fits this search.
pub async fn search(page: &Page, words: &str) {
    page.role("searchbox", "Search keys").put(words).await;
}

/// Opens the details of a key that is in sight.
pub async fn open_details(page: &Page, name: &str) -> Locator {
    row(page, name).role("rowheader", any()).click().await;
    let details = page.role("region", "Key details");
    details.role("heading", containing(name)).wait().await;
    details
}

/// Goes to one of the screens of the navigation.
pub async fn go(page: &Page, screen: &str) {
    page.role("navigation", "Main").role("link", screen).click().await;
}

/// Presses F5, again and again until a refresh shows this: one that is under way takes no other.
pub async fn refresh_until(page: &Page, shown: &Locator, part: &str) {
    let seen = within(PATIENCE, async || {
        page.press("F5").await;
        let look =
            async || shown.texts().await.iter().any(|text| text.contains(part)).then_some(());
        within(Duration::from_secs(1), look).await
    });
    if seen.await.is_none() {
        page.fail(&format!("no refresh shows {part:?}")).await;
    }
}

/// Waits for an error with these words in it, and gives all of them.
pub async fn refused(page: &Page, words: &str) -> String {
    page.role("alert", any()).wait_text(words).await
}

/// Nothing is in the keychain, and the next start knows of no connection.
pub async fn assert_nothing_saved(stage: &mut Stage) {
    assert_eq!(stage.secrets(&[("service", SERVICE)]).await, [], "nothing was to be kept");
    stage.quit().await;
    let page = stage.relaunch().await;
    page.role("heading", "Connect to Palette").wait().await;
}
