//! A session bus with a panel on it, just enough to see a tray item and to click in its menu.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use zbus::{
    blocking::{Connection, Proxy, connection::Builder},
    message::Header,
    zvariant::{OwnedObjectPath, OwnedValue, Structure, Value},
};

use super::eventually;

/// The bus ends with this, and the panel with the bus.
pub struct Panel {
    daemon: Child,
    bus: Connection,
    registered: mpsc::Receiver<Item>,
}

/// Where a tray item is: name on the bus and object.
pub struct Item {
    name: String,
    path: String,
}

struct Watcher {
    registered: mpsc::Sender<Item>,
}

#[zbus::interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    /// The service is the path of the object (Ayatana's way) or a name on the bus (KDE's).
    fn register_status_notifier_item(&self, service: &str, #[zbus(header)] header: Header<'_>) {
        let sender = header.sender().map(|name| name.to_string()).unwrap_or_default();
        let item = if service.starts_with('/') {
            Item { name: sender, path: service.to_owned() }
        } else {
            Item { name: service.to_owned(), path: "/StatusNotifierItem".to_owned() }
        };
        let _ = self.registered.send(item);
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        Vec::new()
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

impl Panel {
    /// A session bus with its socket in this folder, which is the person's.
    pub fn start(folder: &Path) -> Self {
        let socket = folder.join("bus");
        let config = folder.join("bus.conf");
        // As the system's own for sessions, except that this test, which is root, may talk as well.
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/>\
             </policy></busconfig>",
            socket.display()
        );
        fs::write(&config, text).expect("the bus is described");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        let daemon = Command::new("setpriv")
            .args(["--reuid", "1000", "--regid", "1000", "--clear-groups", "--pdeathsig", "KILL"])
            .args(["--", "dbus-daemon", "--nofork", "--nopidfile", "--config-file"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        let address = format!("unix:path={}", socket.display());
        let (sender, registered) = mpsc::channel();
        eventually("the session bus", || socket.exists().then_some(()));
        let bus = Builder::address(address.as_str())
            .and_then(|bus| bus.name("org.kde.StatusNotifierWatcher"))
            .and_then(|bus| bus.serve_at("/StatusNotifierWatcher", Watcher { registered: sender }))
            .and_then(Builder::build)
            .expect("the panel is on the bus");
        Self { daemon, bus, registered }
    }

    /// The next tray item that registered itself.
    pub fn item(&self) -> Option<Item> {
        self.registered.try_recv().ok()
    }

    /// Labels and ids of its menu, the first level only.
    pub fn menu(&self, item: &Item) -> Option<Vec<(String, i32)>> {
        let none: Vec<&str> = Vec::new();
        let menu = self.menu_of(item)?;
        let (_, (_, _, entries)): (u32, (i32, Properties, Vec<OwnedValue>)) =
            menu.call("GetLayout", &(0_i32, 1_i32, none)).ok()?;
        let entries = entries.into_iter().filter_map(|entry| {
            let entry = Structure::try_from(Value::from(entry)).ok()?;
            let (id, properties, _): (i32, Properties, Vec<OwnedValue>) = entry.try_into().ok()?;
            let label = properties.get("label").and_then(|label| <&str>::try_from(label).ok());
            // Underscores mark the letters to press.
            Some((label.unwrap_or_default().replace('_', ""), id))
        });
        Some(entries.collect())
    }

    /// Chooses an entry of its menu.
    pub fn click(&self, item: &Item, id: i32) {
        let menu = self.menu_of(item).expect("the item has a menu");
        let event = (id, "clicked", Value::from(0_i32), 0_u32);
        menu.call::<_, _, ()>("Event", &event).expect("the click arrives");
    }

    fn menu_of(&self, item: &Item) -> Option<Proxy<'_>> {
        let (name, path) = (item.name.clone(), item.path.clone());
        let properties = Proxy::new(&self.bus, name.clone(), path, "org.kde.StatusNotifierItem");
        let menu: OwnedObjectPath = properties.ok()?.get_property("Menu").ok()?;
        Proxy::new(&self.bus, name, menu, "com.canonical.dbusmenu").ok()
    }
}

type Properties = std::collections::HashMap<String, OwnedValue>;

impl Drop for Panel {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
