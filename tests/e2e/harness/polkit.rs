//! A polkit authority that a test answers for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use zbus::{Connection, zvariant::OwnedValue};

use super::{Stage, tray::session_bus};

const NAME: &str = "org.freedesktop.PolicyKit1";
const PATH: &str = "/org/freedesktop/PolicyKit1/Authority";

/// What the person at the desk does when asked for their password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Person {
    /// Types it.
    Known,
    /// Closes the question.
    Closes,
    /// Types another, or is never asked because no agent runs.
    Unknown,
}

/// One question: about which action, for which name on the bus, and whether the person may be asked.
pub type Asked = (String, String, bool);

/// An authority on a stage's session bus; the app has to take that for the system's.
pub struct Polkit {
    _bus: Connection,
    person: Arc<Mutex<Person>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

struct Authority {
    person: Arc<Mutex<Person>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

type Action =
    (String, String, String, String, String, String, u32, u32, u32, HashMap<String, String>);

#[zbus::interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    fn enumerate_actions(&self, _locale: &str) -> Vec<Action> {
        let action = |id: &str| {
            let words = || "words".to_owned();
            let none = HashMap::new();
            (id.to_owned(), words(), words(), words(), words(), words(), 0, 0, 3, none)
        };
        vec![action("org.freedesktop.login1.reboot"), action("dev.palettekeys.app.unlock")]
    }

    fn check_authorization(
        &self,
        subject: (String, HashMap<String, OwnedValue>),
        action: String,
        _details: HashMap<String, String>,
        flags: u32,
        _cancellation: &str,
    ) -> (bool, bool, HashMap<String, String>) {
        assert_eq!(subject.0, "system-bus-name");
        let name = String::try_from(subject.1["name"].try_clone().expect("a name")).expect("words");
        self.asked.lock().expect("not poisoned").push((action, name, flags & 1 == 1));
        match *self.person.lock().expect("not poisoned") {
            Person::Known => (true, false, HashMap::new()),
            Person::Closes => (false, true, [("polkit.dismissed".into(), "true".into())].into()),
            Person::Unknown => (false, true, HashMap::new()),
        }
    }
}

impl Polkit {
    /// Serves the name from now on.
    pub async fn start(stage: &Stage, person: Person) -> Self {
        let (person, asked) = (Arc::new(Mutex::new(person)), Arc::default());
        let authority = Authority { person: Arc::clone(&person), asked: Arc::clone(&asked) };
        let bus = session_bus(stage.environment());
        let bus = bus.serve_at(PATH, authority).expect("a free path");
        let bus = bus.name(NAME).expect("a good name").build().await;
        Self { _bus: bus.expect("one authority at a time"), person, asked }
    }

    /// From now on the person does this.
    pub fn person_is(&self, person: Person) {
        *self.person.lock().expect("not poisoned") = person;
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }
}
