//! What takes notices on the desktop (`org.freedesktop.Notifications`), and remembers them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use zbus::{
    Connection,
    object_server::SignalEmitter,
    zvariant::{OwnedValue, Value},
};

use super::{PATIENCE, Stage, now, tray::session_bus, within};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// One notice as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its number; the program may change or close the notice by it.
    pub id: u32,
    /// The program's name.
    pub app: String,
    /// The first line; never markup.
    pub summary: String,
    /// The rest, with markup, as it came.
    pub body: String,
    /// Names and labels of its buttons, in turns.
    pub actions: Vec<String>,
    /// The desktop entry it names, which gives it its place in the desktop's settings.
    pub desktop_entry: String,
    /// When it came.
    pub at: Timestamp,
}

impl Notice {
    /// The body as a desktop shows it: tags are gone, entities are letters.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        let mut in_tag = false;
        for letter in self.body.chars() {
            match letter {
                '<' => in_tag = true,
                '>' if in_tag => in_tag = false,
                letter if !in_tag => shown.push(letter),
                _ => {}
            }
        }
        // The ampersand last: what it makes is text.
        for (entity, letter) in
            [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'")]
        {
            shown = shown.replace(entity, letter);
        }
        shown.replace("&amp;", "&")
    }

    /// Summary and shown body.
    pub fn words(&self) -> String {
        format!("{}\n{}", self.summary, self.shown())
    }
}

/// A notice service on a stage's session bus; it goes away when it is dropped.
pub struct Notices {
    bus: Connection,
    arrived: Arc<Mutex<Vec<Notice>>>,
}

struct Service {
    arrived: Arc<Mutex<Vec<Notice>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Service {
    fn get_server_information(&self) -> (&str, &str, &str, &str) {
        ("Stage notices", "Palette Keys tests", "1.0", "1.2")
    }

    /// With markup: who does not escape names is found out.
    fn get_capabilities(&self) -> Vec<&str> {
        vec!["actions", "body", "body-markup", "persistence"]
    }

    #[expect(clippy::too_many_arguments, reason = "the protocol has so many")]
    fn notify(
        &self,
        app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expire_timeout: i32,
    ) -> u32 {
        let mut arrived = self.arrived.lock().expect("not poisoned");
        let next = arrived.iter().map(|notice| notice.id).max().unwrap_or_default() + 1;
        let id = if replaces_id == 0 { next } else { replaces_id };
        let desktop_entry = match hints.get("desktop-entry").map(|value| &**value) {
            Some(Value::Str(text)) => text.to_string(),
            _ => String::new(),
        };
        let at = now();
        arrived.push(Notice { id, app: app_name, summary, body, actions, desktop_entry, at });
        id
    }

    async fn close_notification(
        &self,
        id: u32,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        // 3: closed by a call.
        Self::notification_closed(&emitter, id, 3).await?;
        Ok(())
    }

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        id: u32,
        action_key: &str,
    ) -> zbus::Result<()>;
}

impl Notices {
    /// Serves the name from now on.
    pub async fn start(stage: &Stage) -> Self {
        let arrived = Arc::<Mutex<Vec<Notice>>>::default();
        let service = Service { arrived: arrived.clone() };
        let bus = session_bus(stage.environment());
        let bus = bus.serve_at(PATH, service).expect("a free path");
        let bus = bus.name(NAME).expect("a good name").build().await;
        Self { bus: bus.expect("one notice service at a time"), arrived }
    }

    /// The service ends; what arrived is kept.
    pub async fn stop(self) -> Vec<Notice> {
        self.bus.release_name(NAME).await.expect("the name is given back");
        let arrived = self.all();
        self.bus.close().await.expect("the service leaves the bus");
        arrived
    }

    /// All that arrived so far, changed ones each time they were.
    pub fn all(&self) -> Vec<Notice> {
        self.arrived.lock().expect("not poisoned").clone()
    }

    /// Those with this in their words.
    pub fn with(&self, part: &str) -> Vec<Notice> {
        let mut all = self.all();
        all.retain(|notice| notice.words().contains(part));
        all
    }

    /// Waits for one with this in its words.
    pub async fn wait(&self, part: &str) -> Notice {
        let found = within(PATIENCE, async || self.with(part).pop()).await;
        found.unwrap_or_else(|| panic!("no notice has {part:?}; there are {:#?}", self.all()))
    }

    /// Forgets what arrived so far.
    pub fn clear(&self) {
        self.arrived.lock().expect("not poisoned").clear();
    }

    /// The person clicks on the notice, or on one of its buttons.
    pub async fn invoke(&self, id: u32, action: &str) {
        let emitter = SignalEmitter::new(&self.bus, PATH).expect("a path");
        let told = Service::action_invoked(&emitter, id, action).await;
        told.expect("the signal is sent");
    }
}
