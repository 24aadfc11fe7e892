//! Where most scenarios start: a person signed in, with the list of keys before them.

use jiff::{Timestamp, tz::TimeZone};
use palette_sim::{Account, KeyTruth, Sim, SimOptions};

use crate::{
    acts,
    harness::{Launch, Locator, Page, Setting, Stage, any, containing, eventually},
};

/// A stage with the app signed in.
pub struct Scene {
    /// The desktop and the Palette.
    pub stage: Stage,
    /// The main window.
    pub page: Page,
    /// Handle of the main window.
    pub main: String,
}

impl Scene {
    /// Jane Doe, Tenant Admin, in the demo tenant.
    pub async fn admin() -> Self {
        Self::of(Setting::default(), Launch::default(), Sim::admin).await
    }

    /// Sam Okafor, who sees only own keys.
    pub async fn user() -> Self {
        Self::of(Setting::default(), Launch::default(), Sim::user).await
    }

    /// The admin of another tenant than the demo one.
    pub async fn admin_of(palette: SimOptions) -> Self {
        let setting = Setting { palette, ..Setting::default() };
        Self::of(setting, Launch::default(), Sim::admin).await
    }

    /// Anybody, anywhere.
    pub async fn of(setting: Setting, launch: Launch, who: impl Fn(&Sim) -> Account) -> Self {
        Self::on(Stage::set(setting).await, launch, who).await
    }

    /// The admin, on a desktop whose one bus is the system's too: what logind says can be said.
    pub async fn with_system_bus() -> Self {
        let stage = Stage::set(Setting::default()).await;
        let bus = stage.environment().iter().find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS");
        let bus = bus.map(|(_, address)| address.clone()).expect("a bus");
        let launch = Launch::default().with("DBUS_SYSTEM_BUS_ADDRESS", &bus);
        Self::on(stage, launch, Sim::admin).await
    }

    async fn on(mut stage: Stage, launch: Launch, who: impl Fn(&Sim) -> Account) -> Self {
        let page = stage.launch(launch).await;
        let person = who(&stage.sim);
        acts::connect(&page, &stage.sim.origin(), &person.api_key).await;
        page.role("grid", "API keys").wait().await;
        let main = page.window().await;
        Self { stage, page, main }
    }

    /// The simulator.
    pub fn sim(&self) -> &Sim {
        &self.stage.sim
    }

    /// What the server has under this name.
    pub fn key(&self, name: &str) -> KeyTruth {
        self.sim().key_named(name).unwrap_or_else(|| panic!("the server has no key {name:?}"))
    }

    /// Waits until the server has a key of this name.
    pub async fn made(&self, name: &str) -> KeyTruth {
        eventually(&format!("{name} on the server"), async || self.sim().key_named(name)).await
    }

    /// Waits until the server's key fits.
    pub async fn key_becomes(&self, name: &str, what: &str, fits: impl Fn(&KeyTruth) -> bool) {
        eventually(&format!("{name} is {what}"), async || {
            self.sim().key_named(name).is_some_and(|key| fits(&key)).then_some(())
        })
        .await;
    }

    /// How many requests of this kind have reached the server.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        let all = self.sim().requests();
        all.iter().filter(|r| r.method == method && r.path.starts_with(path)).count()
    }

    /// Creations that have reached the server.
    pub fn posts(&self) -> usize {
        self.requests("POST", "/v1/apiKeys")
    }

    /// The dialog of this name.
    pub fn dialog(&self, name: &str) -> Locator {
        self.page.role("dialog", name)
    }

    /// The question of this name.
    pub fn question(&self, name: &str) -> Locator {
        self.page.role("alertdialog", name)
    }

    /// The details beside the list.
    pub fn details(&self) -> Locator {
        self.page.role("region", "Key details")
    }

    /// The words in the corner.
    pub fn toasts(&self) -> Locator {
        self.page.role("region", "Notifications")
    }

    /// Waits for words in the corner.
    pub async fn told(&self, part: &str) {
        self.toasts().words(containing(part)).wait().await;
    }

    /// The grid's cell with this key's name.
    pub fn name_cell(&self, name: &str) -> Locator {
        self.page.role("rowheader", name)
    }

    /// The row of the key with this name; chips such as "this app" may follow the name.
    pub fn row(&self, name: &str) -> Locator {
        self.page.role("row", containing(name))
    }

    /// Types into the search box what leaves only this.
    pub async fn search(&self, text: &str) {
        self.page.role("searchbox", "Search keys").put(text).await;
    }

    /// Searches for a key and makes it the current one, so that the details show it.
    pub async fn look_at(&self, name: &str) -> Locator {
        self.search(&format!("\"{name}\"")).await;
        self.page.role("rowheader", containing(name)).nth(0).click().await;
        let details = self.details();
        details.role("heading", name).wait().await;
        details
    }

    /// Opens "New API key" and fills in the name.
    pub async fn begin_key(&self, name: &str) -> Locator {
        self.page.role("button", "New API key").nth(0).click().await;
        let dialog = self.dialog("New API key");
        dialog.role("textbox", "API key name").put(name).await;
        dialog
    }

    /// Makes a key with the choices that are preselected; "Save your API key" is left open.
    pub async fn create(&self, name: &str, save: bool) -> Locator {
        let dialog = self.begin_key(name).await;
        dialog.role("checkbox", "Save to keychain").check(save).await;
        dialog.role("button", "Generate").click().await;
        let held = self.dialog("Save your API key");
        held.wait().await;
        held
    }

    /// Makes a key that is in the keychain, and closes its dialog.
    pub async fn create_stored(&self, name: &str) -> KeyTruth {
        let held = self.create(name, true).await;
        held.role("button", "Saved").wait().await;
        held.role("button", "Done").click().await;
        held.wait_gone().await;
        self.key(name)
    }

    /// Entries of the keychain that hold values of keys.
    pub async fn stored_values(&self) -> Vec<crate::harness::StoredSecret> {
        let mut entries = self.stage.secrets(&[("service", "Palette Keys")]).await;
        entries.retain(|entry| entry.label.starts_with("Palette API key"));
        entries
    }

    /// Whether the server takes this value.
    pub async fn works(&self, value: &str) -> bool {
        let answer = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client")
            .get(format!("{}/v1/users/info", self.sim().origin()))
            .header("ApiKey", value)
            .send()
            .await;
        answer.expect("the server answers").status().is_success()
    }

    /// Opens "Settings" and sets the seconds a copied value stays.
    pub async fn set_clipboard_seconds(&self, seconds: u32) {
        self.page.role("link", "Settings").click().await;
        let field = self.page.role("textbox", "Clear a copied key after");
        field.fill(&seconds.to_string()).await;
        self.page.press("Tab").await;
        self.page.words("Saved").wait().await;
        self.page.role("link", "Keys").click().await;
        self.page.role("grid", "API keys").wait().await;
    }

    /// Chooses an entry of an open menu.
    pub async fn choose_from_menu(&self, entry: &str) {
        self.page.role("menuitem", containing(entry)).click().await;
        self.page.role("menu", any()).wait_gone().await;
    }
}

/// "Tue 12 Jan 2027, 18:00 CET", as the person at the desk in Berlin reads it.
pub fn in_berlin(at: Timestamp) -> String {
    at.to_zoned(berlin()).strftime("%a %-d %b %Y, %H:%M %Z").to_string()
}

/// The zone of the stage.
pub fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").expect("the zone is known")
}
