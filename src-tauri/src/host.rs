//! Whether the desktop shows tray icons, asked of it and watched.
//!
//! On Linux nothing tells an app that its icon is shown nowhere (trust.md 3.3), so the session bus
//! is asked for the program that shows them. It may come late and go away. Other systems always
//! have a place for the icon.

/// Calls `heard` with the answer, and again whenever it changes, on a thread of its own.
#[cfg(target_os = "linux")]
pub fn watch(heard: impl Fn(bool) + Send + 'static) {
    std::thread::spawn(move || {
        if let Err(error) = linux::watch(&heard) {
            tracing::info!("nobody can be asked for the tray: {error}");
        }
        // No session bus, or none any more: no icon is shown.
        heard(false);
    });
}

/// Calls `heard` once: here the answer is always yes.
#[cfg(not(target_os = "linux"))]
pub fn watch(heard: impl Fn(bool) + Send + 'static) {
    heard(true);
}

#[cfg(target_os = "linux")]
mod linux {
    use zbus::{
        MatchRule, Message,
        blocking::{Connection, MessageIterator, Proxy, fdo::DBusProxy, proxy::Builder},
        message::Type,
        names::BusName,
        proxy::CacheProperties,
    };

    /// Where programs with an icon announce themselves, on every desktop that has a place for them.
    const WATCHER: &str = "org.kde.StatusNotifierWatcher";
    const PATH: &str = "/StatusNotifierWatcher";

    /// Returns only when the bus is gone.
    pub(super) fn watch(heard: &impl Fn(bool)) -> zbus::Result<()> {
        let bus = Connection::session()?;
        let daemon = DBusProxy::new(&bus)?;
        // Listening begins before the first question: no change falls between the two.
        let messages = MessageIterator::from(&bus);
        let owner = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .add_arg(WATCHER)?
            .build();
        daemon.add_match_rule(owner)?;
        for member in ["StatusNotifierHostRegistered", "StatusNotifierHostUnregistered"] {
            let hosts =
                MatchRule::builder().msg_type(Type::Signal).interface(WATCHER)?.member(member)?;
            daemon.add_match_rule(hosts.build())?;
        }
        let mut last = is_there(&bus, &daemon);
        heard(last);
        for message in messages {
            if !concerns_the_host(&message?) {
                continue;
            }
            let now = is_there(&bus, &daemon);
            if now != last {
                last = now;
                heard(now);
            }
        }
        Ok(())
    }

    fn concerns_the_host(message: &Message) -> bool {
        let header = message.header();
        message.message_type() == Type::Signal
            && header.member().is_some_and(|member| {
                [
                    "NameOwnerChanged",
                    "StatusNotifierHostRegistered",
                    "StatusNotifierHostUnregistered",
                ]
                .contains(&member.as_str())
            })
    }

    fn is_there(bus: &Connection, daemon: &DBusProxy<'_>) -> bool {
        let Ok(name) = BusName::try_from(WATCHER) else { return false };
        if !daemon.name_has_owner(name).unwrap_or_default() {
            return false;
        }
        // A watcher that does not tell shows icons itself.
        registered(bus).unwrap_or(true)
    }

    fn registered(bus: &Connection) -> zbus::Result<bool> {
        let watcher: Proxy<'_> = Builder::new(bus)
            .destination(WATCHER)?
            .path(PATH)?
            .interface(WATCHER)?
            .cache_properties(CacheProperties::No)
            .build()?;
        watcher.get_property("IsStatusNotifierHostRegistered")
    }
}
