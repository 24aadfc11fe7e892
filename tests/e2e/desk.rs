//! A person whose desktop has a tray and takes notices, with a few keys of their own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use palette_sim::{KeyTruth, NewKey, Recorded, Sim};

use crate::{
    acts,
    harness::{
        Keychain, Launch, Notices, Page, Panel, Setting, Stage, TrayItem, eventually, within,
    },
};

/// Title of the main window.
pub const WINDOW: &str = "Palette Keys";

/// Own keys that every desk has, soonest to expire first. Nothing in the demo tenant ends sooner.
pub const OWN: [&str; 3] = ["leaked", "spare", "third"];

/// A stage with a panel and a notice service, and the app signed in as Jane Doe, Tenant Admin.
pub struct Desk {
    /// The desktop and the Palette.
    pub stage: Stage,
    /// What shows the tray.
    pub panel: Panel,
    /// What takes notices.
    pub notices: Notices,
}

impl Desk {
    /// The app signed in once before, and now running by itself, without a driver: as it is on any
    /// day, with its window open or hidden.
    pub async fn alone(arguments: &[&str]) -> Self {
        let (mut desk, _) = Self::driven(Setting::default()).await;
        desk.stage.quit().await;
        desk.stage.sim.clear_requests();
        desk.stage.start_alone(arguments);
        desk
    }

    /// The app signed in, with its window open and driven.
    pub async fn driven(setting: Setting) -> (Self, Page) {
        let with_prompt = setting.keychain == Keychain::LockedWithPrompt;
        let mut stage = Stage::set(setting).await;
        if with_prompt {
            // Open for the sign-in; it is locked again later.
            stage.stop_keychain().await;
            stage.start_keychain(true).await;
        }
        for (number, name) in (1..).zip(OWN) {
            add_key(&stage.sim, name, SignedDuration::from_mins(100 + number * 20));
        }
        let panel = Panel::start(&stage).await;
        let notices = Notices::start(&stage).await;
        let page = stage.launch(Launch::default()).await;
        acts::connect(&page, &stage.sim.origin(), &stage.sim.admin().api_key).await;
        (Self { stage, panel, notices }, page)
    }

    /// The simulator.
    pub fn sim(&self) -> &Sim {
        &self.stage.sim
    }

    /// The tray icon.
    pub async fn tray(&self) -> TrayItem {
        self.panel.item().await
    }

    /// The tray icon, once its menu offers this key.
    pub async fn tray_with(&self, key: &str) -> TrayItem {
        let tray = self.tray().await;
        tray.entry(&["Quick revoke", &format!("{key} (")]).await;
        tray
    }

    /// Closes the window with its close button, and waits until nothing of it is left.
    pub async fn close_window(&self) {
        self.stage.press_close_button(WINDOW).await;
        self.stage.wait_window_gone(WINDOW).await;
        eventually("no web process is left", async || {
            self.stage.web_processes().is_empty().then_some(())
        })
        .await;
        assert!(self.stage.is_running(), "the agent goes on");
    }

    /// Two picks: the key, then "Revoke … now". Gives the moment of the second.
    pub async fn pick_revoke(&self, tray: &TrayItem, key: &str) -> Timestamp {
        tray.pick(&["Quick revoke", &format!("{key} ("), &format!("Revoke {key} ")]).await
    }

    /// What the server has under this name.
    pub fn key(&self, name: &str) -> KeyTruth {
        self.sim().key_named(name).unwrap_or_else(|| panic!("the server has no key {name:?}"))
    }

    /// Waits until the server's key works or does not.
    pub async fn wait_active(&self, name: &str, active: bool) {
        eventually(
            &format!("{name} is {}", if active { "active" } else { "revoked" }),
            async || (self.key(name).active == active).then_some(()),
        )
        .await;
    }

    /// Changes of a key's state that have reached the server.
    pub fn state_changes(&self, uid: &str) -> Vec<Recorded> {
        let path = format!("/v1/apiKeys/{uid}/state");
        let mut requests = self.sim().requests();
        requests.retain(|request| request.method == "PUT" && request.path == path);
        requests
    }

    /// Waits for a change of a key's state on the wire, and gives the time from `since` to it.
    pub async fn wait_on_wire(&self, uid: &str, since: Timestamp) -> Duration {
        let request = eventually("the revocation is on the wire", async || {
            self.state_changes(uid).into_iter().find(|request| request.at >= since)
        })
        .await;
        Duration::try_from(request.at.duration_since(since)).unwrap_or_default()
    }
}

/// Puts an own key of the admin into the tenant, a quarter of a year old, that ends in this time.
pub fn add_key(sim: &Sim, name: &str, left: SignedDuration) -> KeyTruth {
    let now = sim.now();
    sim.add_key(NewKey {
        owner_uid: Some(sim.admin().uid),
        expiry: Some(now + left),
        created: Some(now - SignedDuration::from_hours(24 * 90)),
        ..NewKey::named(name)
    })
}

/// Whether a condition holds within this time, for what must come or must not.
pub async fn holds_within(time: Duration, mut look: impl FnMut() -> bool) -> bool {
    within(time, async || look().then_some(())).await.is_some()
}
