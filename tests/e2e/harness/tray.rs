//! The desktop's panel: it shows tray icons and works their menus, as the ones of KDE, Xfce and
//! GNOME's extension do, through `StatusNotifierItem` and `com.canonical.dbusmenu`.
//!
//! A panel can come late, be there without showing anything, and go away in the middle.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use zbus::{
    Connection,
    connection::Builder,
    fdo::{DBusProxy, RequestNameFlags},
    message::Header,
    names::BusName,
    object_server::SignalEmitter,
    zvariant::{ObjectPath, OwnedValue, Structure, Value},
};

use super::{PATIENCE, Stage, eventually, now, within};

const WATCHER: &str = "org.kde.StatusNotifierWatcher";
const WATCHER_PATH: &str = "/StatusNotifierWatcher";
const ITEM: &str = "org.kde.StatusNotifierItem";
const MENU: &str = "com.canonical.dbusmenu";

/// Where one icon registered itself: name on the bus and object.
type Address = (String, String);

/// A panel on a stage's session bus; it goes away when it is dropped.
pub struct Panel {
    bus: Connection,
    registered: Arc<Mutex<Vec<Address>>>,
}

/// One tray icon.
#[derive(Clone, Debug)]
pub struct TrayItem {
    bus: Connection,
    address: Address,
    menu: String,
}

/// One entry of a menu, with what is below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What the panel names in a click.
    pub id: i32,
    /// As a person reads it: the mark of a mnemonic is not part of it.
    pub label: String,
    /// Whether it can be chosen.
    pub enabled: bool,
    /// Whether it is a line between others.
    pub separator: bool,
    /// Whether it opens another menu.
    pub submenu: bool,
    /// The entries below it that are not hidden.
    pub children: Vec<Entry>,
}

/// What the panel paints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Icon {
    /// Name of an icon, or the path of a file.
    pub name: String,
    /// Where the name is looked for first.
    pub theme_path: String,
    /// Width and height of each picture that came over the bus itself.
    pub pixmaps: Vec<(i32, i32)>,
    /// Bytes of the file or of the largest picture.
    pub bytes: Vec<u8>,
}

struct Watcher {
    registered: Arc<Mutex<Vec<Address>>>,
    host: bool,
}

impl Watcher {
    fn add(&self, address: Address) {
        let mut known = self.registered.lock().expect("not poisoned");
        known.retain(|other| *other != address);
        known.push(address);
    }
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// The service is a name on the bus (KDE's way) or the path of the object (Ayatana's).
    async fn register_status_notifier_item(
        &self,
        service: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
    ) -> zbus::fdo::Result<()> {
        let sender = header.sender().map(|name| name.to_string()).unwrap_or_default();
        let address = if service.starts_with('/') {
            (sender, service.to_owned())
        } else {
            (service.to_owned(), "/StatusNotifierItem".to_owned())
        };
        let word = format!("{}{}", address.0, address.1);
        self.add(address);
        Self::status_notifier_item_registered(&emitter, &word).await?;
        Ok(())
    }

    async fn register_status_notifier_host(&self, _service: &str) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        let known = self.registered.lock().expect("not poisoned");
        known.iter().map(|(name, path)| format!("{name}{path}")).collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        self.host
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }

    #[zbus(signal)]
    async fn status_notifier_item_registered(
        emitter: &SignalEmitter<'_>,
        item: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_item_unregistered(
        emitter: &SignalEmitter<'_>,
        item: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_host_registered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn status_notifier_host_unregistered(emitter: &SignalEmitter<'_>) -> zbus::Result<()>;
}

/// A connection to a stage's session bus. A call that nobody answers fails the test.
pub(super) fn session_bus(environment: &[(String, String)]) -> Builder<'static> {
    let address = environment.iter().find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS");
    let address = address.map(|(_, value)| value.clone()).expect("the stage has a bus");
    Builder::address(address.as_str()).expect("an address of a bus").method_timeout(PATIENCE)
}

impl Panel {
    /// A panel that shows icons.
    pub async fn start(stage: &Stage) -> Self {
        Self::on_bus(stage, true).await
    }

    /// Something that takes registrations, while nothing shows them.
    pub async fn start_without_host(stage: &Stage) -> Self {
        Self::on_bus(stage, false).await
    }

    async fn on_bus(stage: &Stage, host: bool) -> Self {
        let registered = Arc::<Mutex<Vec<Address>>>::default();
        let watcher = Watcher { registered: registered.clone(), host };
        let bus = session_bus(stage.environment());
        let bus = bus.serve_at(WATCHER_PATH, watcher).expect("a free path");
        let bus = bus.build().await.expect("the session bus answers");
        // Only now: who waits for the name asks in the same moment.
        bus.request_name_with_flags(WATCHER, RequestNameFlags::DoNotQueue.into())
            .await
            .expect("one panel at a time");
        if host {
            let emitter = SignalEmitter::new(&bus, WATCHER_PATH).expect("a path");
            let told = Watcher::status_notifier_host_registered(&emitter).await;
            told.expect("the signal is sent");
        }
        Self { bus, registered }
    }

    /// The panel ends, as when it crashes or the person changes the desktop's shell.
    pub async fn stop(self) {
        self.bus.release_name(WATCHER).await.expect("the name is given back");
        self.bus.close().await.expect("the panel leaves the bus");
    }

    /// The icons that are there now.
    pub async fn items(&self) -> Vec<TrayItem> {
        let known = self.registered.lock().expect("not poisoned").clone();
        let names = DBusProxy::new(&self.bus).await.expect("the bus itself");
        let mut items = Vec::new();
        for address in known {
            let name = BusName::try_from(address.0.as_str()).expect("a name on the bus");
            if !names.name_has_owner(name).await.unwrap_or_default() {
                continue;
            }
            let Some(properties) = properties(&self.bus, &address).await else { continue };
            // Ayatana's library keeps the object of an icon that is hidden.
            if text(properties.get("Status")) == "Passive" {
                continue;
            }
            let menu = text(properties.get("Menu"));
            items.push(TrayItem { bus: self.bus.clone(), address, menu });
        }
        items
    }

    /// Waits until there is exactly one icon.
    pub async fn item(&self) -> TrayItem {
        eventually("one tray icon", async || {
            let mut items = self.items().await;
            if items.len() == 1 { items.pop() } else { None }
        })
        .await
    }

    /// Waits until there is none.
    pub async fn wait_empty(&self) {
        eventually("no tray icon is left", async || self.items().await.is_empty().then_some(()))
            .await;
    }

    /// Whether one comes within this time.
    pub async fn gets_item(&self, time: Duration) -> bool {
        within(time, async || (!self.items().await.is_empty()).then_some(())).await.is_some()
    }
}

async fn properties(bus: &Connection, address: &Address) -> Option<HashMap<String, OwnedValue>> {
    let (name, path) = address;
    let reply = bus
        .call_method(
            Some(name.as_str()),
            path.as_str(),
            Some("org.freedesktop.DBus.Properties"),
            "GetAll",
            &(ITEM,),
        )
        .await
        .ok()?;
    reply.body().deserialize().ok()
}

impl TrayItem {
    /// A property of the icon.
    pub async fn property(&self, name: &str) -> String {
        text(self.properties().await.get(name))
    }

    async fn properties(&self) -> HashMap<String, OwnedValue> {
        let properties = properties(&self.bus, &self.address).await;
        properties.unwrap_or_else(|| panic!("the icon {:?} does not answer", self.address))
    }

    /// What the panel paints now.
    pub async fn icon(&self) -> Icon {
        let properties = self.properties().await;
        let name = text(properties.get("IconName"));
        let theme_path = text(properties.get("IconThemePath"));
        let mut icon = Icon { name, theme_path, ..Icon::default() };
        let mut largest = 0;
        if let Some(Value::Array(pictures)) = properties.get("IconPixmap").map(|value| &**value) {
            for picture in pictures.iter() {
                let Value::Structure(picture) = picture else { continue };
                let [Value::I32(width), Value::I32(height), Value::Array(bytes)] = picture.fields()
                else {
                    continue;
                };
                icon.pixmaps.push((*width, *height));
                if bytes.len() > largest {
                    largest = bytes.len();
                    let byte = |value: &Value<'_>| match value {
                        Value::U8(byte) => Some(*byte),
                        _ => None,
                    };
                    icon.bytes = bytes.iter().filter_map(byte).collect();
                }
            }
        }
        if icon.bytes.is_empty() {
            let folder = std::path::Path::new(&icon.theme_path);
            let places = [
                std::path::PathBuf::from(&icon.name),
                folder.join(&icon.name),
                folder.join(format!("{}.png", icon.name)),
            ];
            icon.bytes = places.iter().find_map(|p| std::fs::read(p).ok()).unwrap_or_default();
        }
        icon
    }

    /// The whole menu, as a panel reads it.
    pub async fn menu(&self) -> Entry {
        let nothing: [&str; 0] = [];
        let reply = self.call_menu("GetLayout", &(0_i32, -1_i32, &nothing[..])).await;
        let reply = reply.unwrap_or_else(|error| panic!("the menu does not answer: {error}"));
        let body = reply.body();
        let layout: Structure<'_> = body.deserialize().expect("a layout");
        let root = layout.fields().get(1).and_then(entry);
        root.unwrap_or_else(|| panic!("this is no layout: {layout:?}"))
    }

    /// Waits until the menu has this entry, each step named by a part of its label.
    pub async fn entry(&self, path: &[&str]) -> Entry {
        let mut seen = Entry::default();
        let found = within(PATIENCE, async || {
            seen = self.menu().await;
            seen.find(path).cloned()
        })
        .await;
        found.unwrap_or_else(|| panic!("the menu has no {path:?}, but\n{}", seen.tree()))
    }

    /// Waits until the menu has no such entry.
    pub async fn wait_without(&self, path: &[&str]) {
        eventually(&format!("the menu is without {path:?}"), async || {
            self.menu().await.find(path).is_none().then_some(())
        })
        .await;
    }

    /// Opens the menus on the way and chooses the last one, as a person does. Gives the moment just
    /// before the click left.
    pub async fn pick(&self, path: &[&str]) -> Timestamp {
        let chosen = self.entry(path).await;
        assert!(chosen.enabled, "{path:?} cannot be chosen");
        assert!(!chosen.submenu, "{path:?} only opens a menu");
        // A panel tells the program before it shows a menu, and reads it again if it is asked to.
        self.about_to_show(0).await;
        for depth in 1..path.len() {
            let above = self.entry(&path[..depth]).await;
            self.about_to_show(above.id).await;
            self.send_event(above.id, "opened").await;
        }
        let chosen = self.entry(path).await;
        self.click(chosen.id).await
    }

    /// Chooses the entry with this id, whatever it is by now.
    pub async fn click(&self, id: i32) -> Timestamp {
        let before = now();
        self.send_event(id, "clicked").await;
        before
    }

    /// Like [`TrayItem::click`], for an id that may be gone: the program may refuse it.
    pub async fn try_click(&self, id: i32) -> bool {
        self.event(id, "clicked").await.is_ok()
    }

    async fn about_to_show(&self, id: i32) {
        // Libraries that build no menu on demand refuse some ids; panels go on all the same.
        let _ = self.call_menu("AboutToShow", &(id,)).await;
    }

    async fn send_event(&self, id: i32, kind: &str) {
        let sent = self.event(id, kind).await;
        sent.unwrap_or_else(|error| panic!("the event {kind} of {id} was refused: {error}"));
    }

    async fn event(&self, id: i32, kind: &str) -> zbus::Result<zbus::Message> {
        let nothing = Value::from(0_i32);
        let at = u32::try_from(now().as_second()).unwrap_or_default();
        self.call_menu("Event", &(id, kind, nothing, at)).await
    }

    async fn call_menu<B>(&self, method: &str, body: &B) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let path = ObjectPath::try_from(self.menu.as_str())?;
        self.bus.call_method(Some(self.address.0.as_str()), path, Some(MENU), method, body).await
    }
}

impl Entry {
    /// The entry at the end of this way, each step named by a part of its label. The first that
    /// fits is taken.
    pub fn find(&self, path: &[&str]) -> Option<&Entry> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let fitting = self.children.iter().filter(|child| child.label.contains(first));
        fitting.filter_map(|child| child.find(rest)).next()
    }

    /// Labels of the entries directly below, lines as "―".
    pub fn labels(&self) -> Vec<&str> {
        let shown = self.children.iter();
        shown.map(|child| if child.separator { "―" } else { child.label.as_str() }).collect()
    }

    /// Every entry below, at any depth.
    pub fn all(&self) -> Vec<&Entry> {
        self.children.iter().flat_map(|child| [vec![child], child.all()].concat()).collect()
    }

    /// The menu as text, for a message.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, 0);
        text
    }

    fn write(&self, text: &mut String, depth: usize) {
        use std::fmt::Write;
        for child in &self.children {
            let label = if child.separator { "―" } else { &child.label };
            let state = if child.enabled { "" } else { " (cannot be chosen)" };
            let more = if child.submenu { " ▸" } else { "" };
            let _ = writeln!(text, "{:indent$}{label}{more}{state}", "", indent = depth * 4);
            child.write(text, depth + 1);
        }
    }
}

/// One node of `(ia{sv}av)`; hidden ones and what is below them are left out.
fn entry(value: &Value<'_>) -> Option<Entry> {
    let Value::Structure(node) = inner(value) else { return None };
    let [Value::I32(id), Value::Dict(properties), Value::Array(children)] = node.fields() else {
        return None;
    };
    let properties: HashMap<&str, &Value<'_>> = properties
        .iter()
        .filter_map(|(name, value)| match name {
            Value::Str(name) => Some((name.as_str(), inner(value))),
            _ => None,
        })
        .collect();
    let flag = |name: &str| !matches!(properties.get(name), Some(Value::Bool(false)));
    if !flag("visible") {
        return None;
    }
    let text = |name: &str| match properties.get(name) {
        Some(Value::Str(text)) => text.to_string(),
        _ => String::new(),
    };
    Some(Entry {
        id: *id,
        label: without_mnemonic(&text("label")),
        enabled: flag("enabled"),
        separator: text("type") == "separator",
        submenu: text("children-display") == "submenu",
        children: children.iter().filter_map(entry).collect(),
    })
}

/// What a person reads: the first lone underscore marks a mnemonic and is not shown, two of them
/// are one (the rule of `com.canonical.dbusmenu`).
fn without_mnemonic(label: &str) -> String {
    let mut shown = String::new();
    let mut letters = label.chars().peekable();
    let mut marked = false;
    while let Some(letter) = letters.next() {
        if letter != '_' {
            shown.push(letter);
        } else if letters.peek() == Some(&'_') {
            letters.next();
            shown.push('_');
        } else if marked {
            shown.push('_');
        } else {
            marked = true;
        }
    }
    shown
}

fn inner<'a>(value: &'a Value<'a>) -> &'a Value<'a> {
    match value {
        Value::Value(value) => inner(value),
        value => value,
    }
}

fn text(value: Option<&OwnedValue>) -> String {
    match value.map(|value| inner(value)) {
        Some(Value::Str(text)) => text.to_string(),
        Some(Value::ObjectPath(path)) => path.to_string(),
        _ => String::new(),
    }
}

#[test]
fn a_label_is_read_as_a_panel_shows_it() {
    for (label, shown) in
        [("_Open", "Open"), ("a__b", "a_b"), ("p__rod_", "p_rod"), ("x_y_z", "xy_z"), ("&", "&")]
    {
        assert_eq!(without_mnemonic(label), shown, "{label}");
    }
}
