//! Hears of sleep, of a locked screen and of the network, where the system says so: logind and
//! NetworkManager on the system bus. Without them the loop still notices a jump of the clock, and
//! asks again by itself.

/// What the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody says so there"))]
pub(crate) enum Heard {
    /// The network came or changed.
    Network,
    /// The computer woke from sleep.
    Resumed,
    /// The screen is being locked; somebody else's on the same computer counts too.
    ScreenLocked,
}

/// Listens for as long as the app runs. `hears` is called on a thread of its own.
#[cfg(target_os = "linux")]
pub(crate) fn watch(hears: impl Fn(Heard) + Send + 'static) {
    let listening = std::thread::Builder::new()
        .name("network".into())
        .spawn(move || {
            // A system without these is a common thing and no fault.
            let _ = linux::listen(&hears);
        })
        .map(drop);
    if listening.is_err() {
        tracing::warn!("changes of the network cannot be heard: no thread");
    }
}

/// Elsewhere the jump of the clock and the pauses between tries have to do.
#[cfg(not(target_os = "linux"))]
pub(crate) fn watch(_hears: impl Fn(Heard) + Send + 'static) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;

    use zbus::{
        blocking::{Connection, MessageIterator, fdo::DBusProxy},
        message::{Message, Type},
        zvariant::Value,
    };

    use super::Heard;

    const MANAGER: &str = "org.freedesktop.NetworkManager";
    const LOGIN: &str = "org.freedesktop.login1.Manager";
    const SESSION: &str = "org.freedesktop.login1.Session";
    const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

    const RULES: [&str; 5] = [
        "type='signal',interface='org.freedesktop.NetworkManager',member='StateChanged'",
        "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',\
         path='/org/freedesktop/NetworkManager'",
        "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForSleep'",
        "type='signal',interface='org.freedesktop.login1.Session',member='Lock'",
        "type='signal',interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',\
         arg0='org.freedesktop.login1.Session'",
    ];

    pub(super) fn listen(hears: &dyn Fn(Heard)) -> zbus::Result<()> {
        let bus = Connection::system()?;
        let proxy = DBusProxy::new(&bus)?;
        for rule in RULES {
            proxy.add_match_rule(rule.try_into()?)?;
        }
        for message in MessageIterator::from(&bus) {
            if let Some(heard) = meaning(&message?) {
                hears(heard);
            }
        }
        Ok(())
    }

    /// What a signal means for us. Everything the bus says is taken for a hint only: the worst it
    /// can do is one more look at the server, or a clipboard cleared early.
    pub(super) fn meaning(message: &Message) -> Option<Heard> {
        if message.message_type() != Type::Signal {
            return None;
        }
        let header = message.header();
        let body = message.body();
        match (header.interface()?.as_str(), header.member()?.as_str()) {
            // 50 to 70: connected to this link, this site, everywhere.
            (MANAGER, "StateChanged") => {
                let state: u32 = body.deserialize().ok()?;
                (state >= 50).then_some(Heard::Network)
            }
            // A VPN comes and goes without a change of state.
            (PROPERTIES, "PropertiesChanged") => {
                let (interface, changed, _): (&str, HashMap<&str, Value<'_>>, Vec<&str>) =
                    body.deserialize().ok()?;
                let ours = ["PrimaryConnection", "ActiveConnections", "Connectivity"];
                match interface {
                    MANAGER if ours.iter().any(|name| changed.contains_key(name)) => {
                        Some(Heard::Network)
                    }
                    SESSION if changed.get("LockedHint") == Some(&Value::Bool(true)) => {
                        Some(Heard::ScreenLocked)
                    }
                    _ => None,
                }
            }
            (SESSION, "Lock") => Some(Heard::ScreenLocked),
            (LOGIN, "PrepareForSleep") => {
                let going: bool = body.deserialize().ok()?;
                (!going).then_some(Heard::Resumed)
            }
            _ => None,
        }
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use zbus::{message::Message, zvariant::Value};

    use super::{Heard, linux::meaning};

    fn signal<B>(path: &str, interface: &str, member: &str, body: &B) -> Message
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        Message::signal(path, interface, member).unwrap().build(body).unwrap()
    }

    #[test]
    fn only_what_matters_is_heard() {
        let manager = "org.freedesktop.NetworkManager";
        let login = "org.freedesktop.login1.Manager";
        let at = "/org/freedesktop/NetworkManager";
        let state = |state: u32| meaning(&signal(at, manager, "StateChanged", &(state,)));
        assert_eq!(state(70), Some(Heard::Network));
        assert_eq!(state(20), None, "going offline helps nobody");
        let sleep = |going: bool| meaning(&signal("/x", login, "PrepareForSleep", &(going,)));
        assert_eq!(sleep(false), Some(Heard::Resumed));
        assert_eq!(sleep(true), None);
        let properties = |interface: &str, name: &str| {
            let changed = HashMap::from([(name, Value::from(1_u32))]);
            let body = (interface, changed, Vec::<&str>::new());
            meaning(&signal(at, "org.freedesktop.DBus.Properties", "PropertiesChanged", &body))
        };
        assert_eq!(properties(manager, "ActiveConnections"), Some(Heard::Network));
        assert_eq!(properties(manager, "Devices"), None);
        assert_eq!(properties("org.example", "ActiveConnections"), None);
        let session = "org.freedesktop.login1.Session";
        let hint = |locked: bool| {
            let changed = HashMap::from([("LockedHint", Value::from(locked))]);
            let body = (session, changed, Vec::<&str>::new());
            meaning(&signal("/x", "org.freedesktop.DBus.Properties", "PropertiesChanged", &body))
        };
        assert_eq!(hint(true), Some(Heard::ScreenLocked));
        assert_eq!(hint(false), None);
        assert_eq!(meaning(&signal("/x", session, "Lock", &())), Some(Heard::ScreenLocked));
        assert_eq!(meaning(&signal("/x", session, "Unlock", &())), None);
        assert_eq!(meaning(&signal(at, manager, "StateChanged", &("no number",))), None);
    }
}
