//! The panel and the notice service of the stage themselves, worked by a tiny program of our own:
//! when these fail, look here first.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use zbus::{
    Connection,
    zvariant::{ObjectPath, OwnedValue, Structure, StructureBuilder, Value},
};

use crate::harness::{Notices, Panel, Stage, eventually};

/// What the tiny program was told, in words.
type Told = Arc<Mutex<Vec<String>>>;

struct Icon;

#[zbus::interface(name = "org.kde.StatusNotifierItem")]
impl Icon {
    #[zbus(property)]
    fn status(&self) -> &str {
        "Active"
    }

    #[zbus(property)]
    fn title(&self) -> &str {
        "Tiny"
    }

    #[zbus(property)]
    fn icon_name(&self) -> &str {
        "tiny"
    }

    #[zbus(property)]
    fn icon_pixmap(&self) -> Vec<(i32, i32, Vec<u8>)> {
        vec![(1, 1, vec![0; 4]), (2, 1, vec![7; 8])]
    }

    #[zbus(property)]
    fn menu(&self) -> ObjectPath<'_> {
        ObjectPath::from_static_str_unchecked("/Menu")
    }
}

struct Menu {
    told: Told,
}

impl Menu {
    fn say(&self, words: String) {
        self.told.lock().unwrap().push(words);
    }
}

#[zbus::interface(name = "com.canonical.dbusmenu")]
impl Menu {
    #[allow(clippy::type_complexity, reason = "the protocol says so")]
    fn get_layout(
        &self,
        _parent: i32,
        _depth: i32,
        _names: Vec<String>,
    ) -> (u32, (i32, HashMap<String, Value<'static>>, Vec<Value<'static>>)) {
        let below = vec![
            node(11, vec![("label", "Revoke _ci__prod now".into())], vec![]),
            node(12, vec![("label", "Hidden".into()), ("visible", false.into())], vec![]),
            node(13, vec![("label", "Never".into()), ("enabled", false.into())], vec![]),
        ];
        let submenu = vec![("label", "Quick".into()), ("children-display", "submenu".into())];
        let children = vec![
            node(1, vec![("label", "Open".into())], vec![]),
            node(2, vec![("type", "separator".into())], vec![]),
            node(3, submenu, below),
        ];
        (1, (0, HashMap::new(), children))
    }

    fn about_to_show(&self, id: i32) -> bool {
        self.say(format!("about to show {id}"));
        false
    }

    fn event(&self, id: i32, kind: &str, _data: OwnedValue, _at: u32) {
        self.say(format!("{kind} {id}"));
    }
}

fn node(
    id: i32,
    properties: Vec<(&str, Value<'static>)>,
    children: Vec<Value<'static>>,
) -> Value<'static> {
    let properties: HashMap<String, Value<'static>> =
        properties.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let node: Structure<'static> = StructureBuilder::new()
        .add_field(id)
        .add_field(properties)
        .add_field(children)
        .build()
        .unwrap();
    Value::from(node)
}

async fn bus(stage: &Stage) -> Connection {
    let address = stage.environment().iter().find(|(name, _)| name == "DBUS_SESSION_BUS_ADDRESS");
    let address = address.map(|(_, value)| value.as_str()).unwrap();
    zbus::connection::Builder::address(address).unwrap().build().await.unwrap()
}

/// Puts the tiny program's icon into the tray, as Ayatana's library does: by path, not by name.
async fn register(bus: &Connection) {
    bus.call_method(
        Some("org.kde.StatusNotifierWatcher"),
        "/StatusNotifierWatcher",
        Some("org.kde.StatusNotifierWatcher"),
        "RegisterStatusNotifierItem",
        &("/StatusNotifierItem",),
    )
    .await
    .unwrap();
}

async fn host_registered(bus: &Connection) -> Option<bool> {
    let reply = bus
        .call_method(
            Some("org.kde.StatusNotifierWatcher"),
            "/StatusNotifierWatcher",
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &("org.kde.StatusNotifierWatcher", "IsStatusNotifierHostRegistered"),
        )
        .await
        .ok()?;
    let value: OwnedValue = reply.body().deserialize().ok()?;
    bool::try_from(value).ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_shows_an_icon_and_works_its_menu() {
    let stage = Stage::new().await;
    let told = Told::default();
    let program = bus(&stage).await;
    program.object_server().at("/StatusNotifierItem", Icon).await.unwrap();
    program.object_server().at("/Menu", Menu { told: told.clone() }).await.unwrap();
    assert_eq!(host_registered(&program).await, None, "no panel is there yet");

    let panel = Panel::start(&stage).await;
    assert_eq!(host_registered(&program).await, Some(true));
    assert!(!panel.gets_item(Duration::from_millis(200)).await);
    register(&program).await;
    let item = panel.item().await;
    assert_eq!(item.property("Title").await, "Tiny");
    let icon = item.icon().await;
    assert_eq!((icon.name.as_str(), icon.pixmaps.as_slice()), ("tiny", &[(1, 1), (2, 1)][..]));
    assert_eq!(icon.bytes, [7; 8]);

    let menu = item.menu().await;
    assert_eq!(menu.labels(), ["Open", "―", "Quick"]);
    assert_eq!(menu.find(&["Quick"]).unwrap().labels(), ["Revoke ci_prod now", "Never"]);
    assert!(!menu.find(&["Quick", "Never"]).unwrap().enabled);
    assert_eq!(menu.all().len(), 5);
    assert_eq!(menu.find(&["Quick", "Hidden"]), None);

    item.pick(&["Quick", "Revoke ci_prod"]).await;
    let expected = ["about to show 0", "about to show 3", "opened 3", "clicked 11"];
    assert_eq!(*told.lock().unwrap(), expected);

    // The program ends: so does its icon.
    program.close().await.unwrap();
    panel.wait_empty().await;
    panel.stop().await;

    let other = bus(&stage).await;
    assert_eq!(host_registered(&other).await, None, "the panel is gone");
    let _watcher = Panel::start_without_host(&stage).await;
    assert_eq!(host_registered(&other).await, Some(false));
}

async fn notify(bus: &Connection, replaces: u32, summary: &str, body: &str) -> u32 {
    let hints = HashMap::from([("desktop-entry", Value::from("tiny"))]);
    let reply = bus
        .call_method(
            Some("org.freedesktop.Notifications"),
            "/org/freedesktop/Notifications",
            Some("org.freedesktop.Notifications"),
            "Notify",
            &("Tiny", replaces, "", summary, body, vec!["default", "Open"], hints, -1_i32),
        )
        .await
        .unwrap();
    reply.body().deserialize().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_arrive_with_all_that_is_in_them() {
    let stage = Stage::new().await;
    let program = bus(&stage).await;
    let notices = Notices::start(&stage).await;
    let first = notify(&program, 0, "One & only", "<b>a</b> &lt;b&gt; &amp;lt;").await;
    let second = notify(&program, 0, "Two", "").await;
    assert_ne!(first, second);
    assert_eq!(notify(&program, first, "One again", "").await, first, "it is replaced");

    let notice = notices.wait("One & only").await;
    assert_eq!(notice.shown(), "a <b> &lt;", "entities are read once");
    assert_eq!((notice.app.as_str(), notice.desktop_entry.as_str()), ("Tiny", "tiny"));
    assert_eq!(notice.actions, ["default", "Open"]);
    assert_eq!(notices.with("again").len(), 1);

    // A click on it reaches the program.
    let mut signals = zbus::MessageStream::from(&program);
    let rule = "type='signal',interface='org.freedesktop.Notifications'";
    let rules = zbus::fdo::DBusProxy::new(&program).await.unwrap();
    rules.add_match_rule(rule.try_into().unwrap()).await.unwrap();
    notices.invoke(first, "default").await;
    let told = eventually("the click is told", async || {
        use std::future::poll_fn;
        let mut stream = std::pin::pin!(&mut signals);
        let next = poll_fn(|context| {
            zbus::export::futures_core::Stream::poll_next(stream.as_mut(), context)
        });
        let message = tokio::time::timeout(Duration::from_millis(100), next).await.ok()??.ok()?;
        let header = message.header();
        (header.member()?.as_str() == "ActionInvoked").then(|| message.body())
    })
    .await;
    assert_eq!(told.deserialize::<(u32, String)>().unwrap(), (first, "default".to_owned()));

    assert_eq!(notices.stop().await.len(), 3);
}
