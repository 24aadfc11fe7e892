//! Notices on the desktop.
//!
//! Linux: `org.freedesktop.Notifications` on the session bus, from a thread of its own, so that a
//! desktop that does not answer stops nobody. Notices say something; no act lives only in one
//! (product.md 5), so they have no buttons. Without a server they are in the app only.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use tauri::{AppHandle, Manager, Runtime};

use crate::background::{Background, lock};

/// So many notices within [`WINDOW`] are shown one by one; the ones after them become one.
const BURST: usize = 3;
const WINDOW: Duration = Duration::from_secs(2);
/// Of notices that became one, so many are told in full.
const TOLD: usize = 3;

/// Shows the answer to something that a person just did where there is no window: it is told even
/// while notices are paused.
pub fn tell<R: Runtime>(app: &AppHandle<R>, title: &str, body: &str) {
    if let Some(background) = app.try_state::<Background>() {
        background.notifier.show(title, body, |_| {});
    }
}

/// Where notices go.
pub(crate) struct Notifier {
    jobs: mpsc::Sender<Job>,
    host: Arc<Mutex<Option<String>>>,
    /// What is on its way to the desktop, or about to be.
    under_way: Arc<AtomicUsize>,
}

/// Counts as on its way as long as it is held.
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is done once it is known whether the desktop took a notice: called once, and with "no" where
/// nobody is left to show it.
struct Done {
    then: Option<Box<dyn FnOnce(bool) + Send>>,
    _under_way: UnderWay,
}

impl Done {
    fn say(mut self, taken: bool) {
        if let Some(then) = self.then.take() {
            then(taken);
        }
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then(false);
        }
    }
}

enum Job {
    Show(Words, Done),
    /// The server on the bus came, went, or is another one.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "heard on a bus only"))]
    HostChanged,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    title: String,
    body: String,
}

impl Notifier {
    /// Starts the thread. `host_changed` is called there when another server takes notices, or none.
    pub(crate) fn start(host_changed: impl Fn() + Send + 'static) -> Self {
        Self::start_on(None, host_changed)
    }

    /// The same on another bus than the session's, by its address.
    fn start_on(bus: Option<String>, host_changed: impl Fn() + Send + 'static) -> Self {
        let (jobs, inbox) = mpsc::channel();
        let host = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&host);
        let again = jobs.clone();
        let started = std::thread::Builder::new().name("notices".into()).spawn(move || {
            let mut desktop = desktop::Desktop::new(bus, again);
            let mut burst = Burst::default();
            let said = |desktop: &mut desktop::Desktop| {
                let name = desktop.host();
                let before = std::mem::replace(&mut *lock(&shared), name.clone());
                if before != name {
                    host_changed();
                }
            };
            said(&mut desktop);
            let began = Instant::now();
            loop {
                let job = match burst.due_at() {
                    None => inbox.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                    Some(due) => inbox.recv_timeout(due.saturating_sub(began.elapsed())),
                };
                match job {
                    Ok(Job::Show(words, done)) => {
                        if let Some((words, done)) = burst.take(words, done, began.elapsed()) {
                            done.say(desktop.show(&words));
                        }
                    }
                    Ok(Job::HostChanged) => desktop.forget(),
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        if let Some((words, all)) = burst.rest(began.elapsed()) {
                            let shown = desktop.show(&words);
                            all.into_iter().for_each(|done: Done| done.say(shown));
                        }
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                }
                said(&mut desktop);
            }
        });
        if started.is_err() {
            tracing::warn!("notices cannot be shown: no thread");
        }
        Self { jobs, host, under_way: Arc::default() }
    }

    /// Shows a notice. `done` is told whether the desktop took it, on the thread of the notices and
    /// before anything else is shown: whoever writes down what was told has done so by then, however
    /// soon after it the app ends.
    pub(crate) fn show(&self, title: &str, body: &str, done: impl FnOnce(bool) + Send + 'static) {
        let words = Words { title: title.to_owned(), body: body.to_owned() };
        let done = Done { then: Some(Box::new(done)), _under_way: self.under_way() };
        // Without the thread it comes back and is dropped, which says "not shown".
        let _ = self.jobs.send(Job::Show(words, done));
    }

    /// Held by whoever is about to show something.
    pub(crate) fn under_way(&self) -> UnderWay {
        UnderWay::new(&self.under_way)
    }

    /// Nothing is on its way to the desktop, and what was is written down.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    /// What takes notices, in words; none: nothing does.
    pub(crate) fn host(&self) -> Option<String> {
        lock(&self.host).clone()
    }
}

/// Keeps a heap of notices from covering the screen.
struct Burst<A> {
    /// When the last ones were shown.
    shown: VecDeque<Duration>,
    held: Vec<(Words, A)>,
    held_since: Duration,
}

impl<A> Default for Burst<A> {
    fn default() -> Self {
        Self { shown: VecDeque::new(), held: Vec::new(), held_since: Duration::ZERO }
    }
}

impl<A> Burst<A> {
    /// The notice, if it may be shown at once; else it is held.
    fn take(&mut self, words: Words, answer: A, now: Duration) -> Option<(Words, A)> {
        while self.shown.front().is_some_and(|shown| *shown + WINDOW <= now) {
            self.shown.pop_front();
        }
        if self.held.is_empty() && self.shown.len() < BURST {
            self.shown.push_back(now);
            return Some((words, answer));
        }
        if self.held.is_empty() {
            self.held_since = now;
        }
        self.held.push((words, answer));
        None
    }

    /// When the held ones are to be shown as one.
    fn due_at(&self) -> Option<Duration> {
        (!self.held.is_empty()).then_some(self.held_since + WINDOW)
    }

    /// The held ones as one, when it is time.
    fn rest(&mut self, now: Duration) -> Option<(Words, Vec<A>)> {
        if self.due_at().is_none_or(|due| now < due) {
            return None;
        }
        self.shown.push_back(now);
        let (mut words, answers): (Vec<Words>, Vec<A>) =
            std::mem::take(&mut self.held).into_iter().unzip();
        if words.len() == 1 {
            return words.pop().map(|words| (words, answers));
        }
        let mut lines: Vec<String> =
            words.iter().take(TOLD).map(|words| words.body.clone()).collect();
        if words.len() > TOLD {
            lines.push(format!("And {} more: see Palette Keys.", words.len() - TOLD));
        }
        let title = format!("{} more notices", words.len());
        Some((Words { title, body: lines.join("\n") }, answers))
    }
}

#[cfg(target_os = "linux")]
mod desktop {
    use std::{collections::HashMap, io::ErrorKind, sync::mpsc, time::Duration};

    use palette_keys_core::notices::words::{escaped, plain};
    use zbus::{
        blocking::{Connection, MessageIterator, connection},
        message::Message,
        zvariant::Value,
    };

    use super::{Job, Words};

    const NAME: &str = "org.freedesktop.Notifications";
    const PATH: &str = "/org/freedesktop/Notifications";
    const BUS: &str = "org.freedesktop.DBus";
    /// Longer than a desktop takes to start its server, short enough to go on without it.
    const ANSWER: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 8 });

    /// The desktop's server for notices, found when it is needed.
    pub(super) struct Desktop {
        /// None: the session's.
        address: Option<String>,
        jobs: mpsc::Sender<Job>,
        bus: Option<Connection>,
        server: Option<Server>,
        /// The server was looked for since the bus last said that something changed.
        looked: bool,
    }

    struct Server {
        name: String,
        markup: bool,
        body: bool,
    }

    impl Desktop {
        pub(super) fn new(address: Option<String>, jobs: mpsc::Sender<Job>) -> Self {
            Self { address, jobs, bus: None, server: None, looked: false }
        }

        /// The next question finds the server anew.
        pub(super) fn forget(&mut self) {
            self.server = None;
            self.looked = false;
        }

        pub(super) fn host(&mut self) -> Option<String> {
            if !self.looked {
                self.find();
            }
            self.server.as_ref().map(|server| server.name.clone())
        }

        /// Shows it, on a new connection when the old one is gone.
        pub(super) fn show(&mut self, words: &Words) -> bool {
            self.send(words) || {
                // A bus without a server is kept: what listens to it would stay for ever.
                if self.bus.as_ref().is_some_and(is_gone) {
                    self.bus = None;
                }
                self.find();
                self.send(words)
            }
        }

        fn send(&mut self, words: &Words) -> bool {
            if self.server.is_none() {
                self.find();
            }
            let (Some(bus), Some(server)) = (&self.bus, &self.server) else { return false };
            let body = if server.markup { escaped(&words.body) } else { words.body.clone() };
            // A server without bodies shows titles only, and those do not say which key.
            let (title, body) = if server.body {
                (words.title.as_str(), body)
            } else {
                (&*words.body, String::new())
            };
            let hints: HashMap<&str, Value<'_>> = HashMap::from([
                ("category", Value::from("device")),
                ("urgency", Value::from(1_u8)),
            ]);
            let message = (
                "Palette Keys",
                0_u32,
                "palette-keys",
                title,
                body.as_str(),
                Vec::<&str>::new(),
                hints,
                -1_i32,
            );
            match ask::<_, u32>(bus, NAME, PATH, NAME, "Notify", &message) {
                Ok(_) => true,
                Err(error) => {
                    self.forget();
                    // It was sent, and a desktop that is only slow shows it: better once, perhaps
                    // unseen, than again and again. What was refused was not shown.
                    is_late(&error)
                }
            }
        }

        /// Asks who is there; the bus starts a server where it knows one.
        fn find(&mut self) {
            self.looked = true;
            self.server = None;
            if self.bus.is_none() {
                self.bus = self.connect().ok();
            }
            let Some(bus) = &self.bus else { return };
            self.server = who(bus).ok();
        }

        fn connect(&self) -> zbus::Result<Connection> {
            let builder = match &self.address {
                Some(address) => connection::Builder::address(address.as_str())?,
                None => connection::Builder::session()?,
            };
            let bus = builder.method_timeout(ANSWER).build()?;
            // An iterator made before the rule misses nothing.
            let messages = MessageIterator::from(&bus);
            let rule = format!(
                "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',\
                 arg0='{NAME}'"
            );
            ask::<_, ()>(&bus, BUS, "/org/freedesktop/DBus", BUS, "AddMatch", &(rule,))?;
            let jobs = self.jobs.clone();
            std::thread::Builder::new().name("notice-host".into()).spawn(move || {
                for message in messages {
                    let Ok(message) = message else { break };
                    if is_change(&message) && jobs.send(Job::HostChanged).is_err() {
                        return;
                    }
                }
                // The bus is gone, and the server with it.
                let _ = jobs.send(Job::HostChanged);
            })?;
            Ok(bus)
        }
    }

    /// No answer came in time.
    fn is_late(error: &zbus::Error) -> bool {
        matches!(error, zbus::Error::InputOutput(error) if error.kind() == ErrorKind::TimedOut)
    }

    /// The bus itself does not answer.
    fn is_gone(bus: &Connection) -> bool {
        ask::<_, String>(bus, BUS, "/org/freedesktop/DBus", BUS, "GetId", &()).is_err()
    }

    fn is_change(message: &Message) -> bool {
        let header = message.header();
        header.member().is_some_and(|member| member.as_str() == "NameOwnerChanged")
            && message
                .body()
                .deserialize::<(&str, &str, &str)>()
                .is_ok_and(|(name, _, _)| name == NAME)
    }

    fn who(bus: &Connection) -> zbus::Result<Server> {
        let (name, _, _, _): (String, String, String, String) =
            ask(bus, NAME, PATH, NAME, "GetServerInformation", &())?;
        let able: Vec<String> =
            ask(bus, NAME, PATH, NAME, "GetCapabilities", &()).unwrap_or_default();
        let can = |what: &str| able.iter().any(|known| known == what);
        Ok(Server {
            name: in_words(&name),
            // What it did not say is taken for the worst: markup that is rendered.
            markup: can("body-markup") || able.is_empty(),
            body: can("body") || able.is_empty(),
        })
    }

    /// The name of a server as a person knows it.
    pub(super) fn in_words(name: &str) -> String {
        match name {
            "gnome-shell" => "GNOME Shell".to_owned(),
            "Xfce Notify Daemon" => "Xfce".to_owned(),
            "" => "the desktop".to_owned(),
            other => plain(other),
        }
    }

    fn ask<B, A>(
        bus: &Connection,
        destination: &str,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<A>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        A: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let answer = bus.call_method(Some(destination), path, Some(interface), method, body)?;
        answer.body().deserialize()
    }
}

#[cfg(not(target_os = "linux"))]
mod desktop {
    use std::sync::mpsc;

    use super::{Job, Words};

    /// The system's own notices: macOS and Windows always have them.
    pub(super) struct Desktop;

    impl Desktop {
        pub(super) fn new(_bus: Option<String>, _jobs: mpsc::Sender<Job>) -> Self {
            Self
        }

        pub(super) fn forget(&mut self) {}

        pub(super) fn host(&mut self) -> Option<String> {
            Some(if cfg!(windows) { "Windows" } else { "Notification Center" }.to_owned())
        }

        pub(super) fn show(&mut self, words: &Words) -> bool {
            notify_rust::Notification::new()
                .appname("Palette Keys")
                .summary(&words.title)
                .body(&words.body)
                .show()
                .is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(number: u32) -> Words {
        Words { title: format!("t{number}"), body: format!("b{number}.") }
    }

    const S: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_few_notices_are_shown_at_once_and_a_heap_becomes_one() {
        let mut burst = Burst::default();
        for number in 0..3 {
            assert!(burst.take(words(number), number, S(100)).is_some(), "{number}");
        }
        for number in 3..9 {
            assert!(burst.take(words(number), number, S(200)).is_none(), "{number}");
        }
        assert_eq!(burst.due_at(), Some(S(2200)));
        assert!(burst.rest(S(2199)).is_none());
        let (one, answers) = burst.rest(S(2200)).unwrap();
        assert_eq!(one.title, "6 more notices");
        assert_eq!(one.body, "b3.\nb4.\nb5.\nAnd 3 more: see Palette Keys.");
        assert_eq!(answers, [3, 4, 5, 6, 7, 8]);
        assert_eq!(burst.due_at(), None);
        assert!(burst.take(words(9), 9, S(2300)).is_some(), "the window moved on");
    }

    #[test]
    fn a_single_one_that_was_held_is_shown_as_it_is() {
        let mut burst = Burst::default();
        for number in 0..4 {
            let _ = burst.take(words(number), number, S(0));
        }
        assert_eq!(burst.rest(S(2000)).unwrap().0, words(3));
    }

    #[test]
    fn order_is_kept_while_something_is_held() {
        let mut burst = Burst::default();
        for number in 0..4 {
            let _ = burst.take(words(number), number, S(0));
        }
        // The window is over, but an older one still waits.
        assert!(burst.take(words(4), 4, S(2500)).is_none());
        assert_eq!(burst.rest(S(2500)).unwrap().1, [3, 4]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn servers_have_names_that_people_know() {
        assert_eq!(desktop::in_words("gnome-shell"), "GNOME Shell");
        assert_eq!(desktop::in_words("Plasma"), "Plasma");
        assert_eq!(desktop::in_words("x\u{202e}y"), "x⟨U+202E⟩y");
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod on_a_bus {
    use std::{
        collections::HashMap,
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use zbus::{blocking::connection, zvariant::OwnedValue};

    use super::*;

    const NAME: &str = "org.freedesktop.Notifications";

    /// A bus of its own that starts no services; it ends with the test.
    struct Bus {
        daemon: Child,
        address: String,
        _home: tempfile::TempDir,
    }

    impl Bus {
        fn start() -> Self {
            let home = tempfile::tempdir().unwrap();
            let config = home.path().join("bus.conf");
            let text = format!(
                "<busconfig><type>session</type><listen>unix:dir={}</listen>\
                 <auth>EXTERNAL</auth><policy context=\"default\"><allow send_destination=\"*\"/>\
                 <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
                home.path().display()
            );
            std::fs::write(&config, text).unwrap();
            let mut daemon = Command::new("dbus-daemon")
                .arg(format!("--config-file={}", config.display()))
                .args(["--nofork", "--print-address=1"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("dbus-daemon starts");
            let mut address = String::new();
            BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
            Self { daemon, address: address.trim().to_owned(), _home: home }
        }
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }

    /// What a desktop would show.
    #[derive(Clone, Default)]
    struct Fake {
        name: &'static str,
        able: &'static [&'static str],
        seen: Arc<Mutex<Vec<(String, String)>>>,
        /// Answers so late.
        late: Duration,
        refuses: bool,
    }

    #[zbus::interface(name = "org.freedesktop.Notifications")]
    impl Fake {
        #[allow(clippy::too_many_arguments, reason = "the specification's")]
        fn notify(
            &self,
            app: &str,
            _replaces: u32,
            _icon: &str,
            summary: String,
            body: String,
            actions: Vec<String>,
            _hints: HashMap<String, OwnedValue>,
            _expires: i32,
        ) -> zbus::fdo::Result<u32> {
            assert_eq!((app, actions.len()), ("Palette Keys", 0));
            if self.refuses {
                return Err(zbus::fdo::Error::LimitsExceeded("too many".to_owned()));
            }
            let count = {
                let mut seen = lock(&self.seen);
                seen.push((summary, body));
                seen.len()
            };
            std::thread::sleep(self.late);
            Ok(u32::try_from(count).unwrap())
        }

        fn get_capabilities(&self) -> Vec<String> {
            self.able.iter().map(|able| (*able).to_owned()).collect()
        }

        fn get_server_information(&self) -> (String, String, String, String) {
            (self.name.into(), "tests".into(), "1".into(), "1.2".into())
        }
    }

    impl Fake {
        fn serve(&self, bus: &Bus) -> zbus::blocking::Connection {
            connection::Builder::address(bus.address.as_str())
                .unwrap()
                .serve_at("/org/freedesktop/Notifications", self.clone())
                .unwrap()
                .name(NAME)
                .unwrap()
                .build()
                .unwrap()
        }

        fn seen(&self) -> Vec<(String, String)> {
            lock(&self.seen).clone()
        }
    }

    fn asked(notifier: &Notifier, title: &str, body: &str) -> mpsc::Receiver<bool> {
        let (answer, answered) = mpsc::channel();
        notifier.show(title, body, move |taken| answer.send(taken).unwrap());
        answered
    }

    fn shown(notifier: &Notifier, title: &str, body: &str) -> bool {
        asked(notifier, title, body).recv().unwrap()
    }

    fn until(what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn said(title: &str, body: &str) -> (String, String) {
        (title.to_owned(), body.to_owned())
    }

    #[test]
    fn a_server_may_come_late_go_and_come_back_as_another() {
        let bus = Bus::start();
        let changes = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&changes);
        let notifier = Notifier::start_on(Some(bus.address.clone()), move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert!(!shown(&notifier, "t", "nobody is there"));
        assert_eq!(notifier.host(), None);

        let gnome = Fake { name: "gnome-shell", able: &["body", "body-markup"], ..Fake::default() };
        let served = gnome.serve(&bus);
        until("the server is found", || notifier.host().is_some());
        assert_eq!(notifier.host().as_deref(), Some("GNOME Shell"));
        assert!(shown(&notifier, "a <b> & c", "x <b>bold</b> & y"));
        assert_eq!(
            gnome.seen(),
            [said("a <b> & c", "x &lt;b&gt;bold&lt;/b&gt; &amp; y")],
            "titles are plain by specification, bodies are rendered"
        );

        drop(served);
        until("it is gone", || notifier.host().is_none());
        assert!(!shown(&notifier, "t", "lost"));

        let plain = Fake { name: "dunst", able: &["body"], ..Fake::default() };
        let served = plain.serve(&bus);
        until("another is found", || notifier.host().as_deref() == Some("dunst"));
        assert!(shown(&notifier, "t", "x <b> & y"));
        assert_eq!(plain.seen(), [said("t", "x <b> & y")]);
        drop(served);
        until("that is gone too", || notifier.host().is_none());

        let bare = Fake { name: "tiny", able: &["actions"], ..Fake::default() };
        let _served = bare.serve(&bus);
        until("the third is found", || notifier.host().as_deref() == Some("tiny"));
        assert!(shown(&notifier, "t", "ci ends"));
        assert_eq!(bare.seen(), [said("ci ends", "")], "what matters, where there is no body");
        assert_eq!(changes.load(Ordering::SeqCst), 5);
        assert_eq!(gnome.seen().len(), 1, "nothing is sent twice");
    }

    #[test]
    fn a_heap_arrives_as_four() {
        let bus = Bus::start();
        let fake = Fake { name: "dunst", able: &["body"], ..Fake::default() };
        let _served = fake.serve(&bus);
        let notifier = Notifier::start_on(Some(bus.address.clone()), || {});
        let answers: Vec<_> =
            (0..20).map(|n| asked(&notifier, &format!("t{n}"), &format!("b{n}."))).collect();
        assert!(!notifier.is_idle());
        let taken = |answer: mpsc::Receiver<bool>| answer.recv().unwrap();
        assert!(answers.into_iter().all(taken), "each counts as shown");
        until("nothing is on its way", || notifier.is_idle());
        let seen = fake.seen();
        assert_eq!(seen.len(), 4);
        assert_eq!(seen[3].0, "17 more notices");
    }

    #[test]
    fn what_was_shown_is_written_down_before_the_next_is_shown() {
        let bus = Bus::start();
        let fake = Fake { name: "dunst", able: &["body"], ..Fake::default() };
        let _served = fake.serve(&bus);
        let notifier = Notifier::start_on(Some(bus.address.clone()), || {});
        let (written, wrote) = mpsc::channel();
        for n in 1..=BURST {
            let (fake, written) = (fake.clone(), written.clone());
            notifier.show(&format!("t{n}"), "b", move |taken| {
                // The disk takes a moment.
                std::thread::sleep(Duration::from_millis(50));
                written.send((n, taken, fake.seen().len())).unwrap();
            });
        }
        drop(written);
        let wrote: Vec<_> = wrote.iter().collect();
        assert_eq!(wrote, [(1, true, 1), (2, true, 2), (3, true, 3)]);
    }

    #[test]
    fn what_is_answered_late_was_shown_and_what_is_refused_was_not() {
        let bus = Bus::start();
        let late = Fake {
            name: "dunst",
            able: &["body"],
            late: Duration::from_millis(2_500),
            ..Fake::default()
        };
        let served = late.serve(&bus);
        let notifier = Notifier::start_on(Some(bus.address.clone()), || {});
        until("it is found", || notifier.host().is_some());
        assert!(shown(&notifier, "t", "late"));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(late.seen(), [said("t", "late")], "it is not sent again");
        drop(served);
        until("it is gone", || notifier.host().is_none());

        let refuses = Fake { name: "full", able: &["body"], refuses: true, ..Fake::default() };
        let _served = refuses.serve(&bus);
        until("another is found", || notifier.host().as_deref() == Some("full"));
        assert!(!shown(&notifier, "t", "refused"));
        until("nothing is on its way", || notifier.is_idle());
    }

    #[test]
    fn without_a_thread_it_is_said_that_nothing_was_shown() {
        let notifier =
            Notifier { jobs: mpsc::channel().0, host: Arc::default(), under_way: Arc::default() };
        assert!(!shown(&notifier, "t", "b"));
        assert!(notifier.is_idle());
        let about_to = notifier.under_way();
        assert!(!notifier.is_idle());
        drop(about_to);
        assert!(notifier.is_idle());
    }

    #[test]
    fn notices_that_nobody_takes_leave_nothing_behind() {
        let bus = Bus::start();
        let other = connection::Builder::address(bus.address.as_str()).unwrap().build().unwrap();
        let names = zbus::blocking::fdo::DBusProxy::new(&other).unwrap();
        let connections = || {
            let all = names.list_names().unwrap();
            all.iter().filter(|name| name.starts_with(':')).count()
        };
        let before = connections();
        let notifier = Notifier::start_on(Some(bus.address.clone()), || {});
        for _ in 0..10 {
            assert!(!shown(&notifier, "t", "nobody is there"));
        }
        assert_eq!(connections() - before, 1, "one connection, which waits for a server");
    }

    #[test]
    fn a_bus_that_dies_or_was_never_there_stops_nobody() {
        let nowhere = "unix:path=/nonexistent/palette-keys".to_owned();
        let notifier = Notifier::start_on(Some(nowhere), || {});
        assert!(!shown(&notifier, "t", "b"));
        let bus = Bus::start();
        let fake = Fake { name: "dunst", able: &["body"], ..Fake::default() };
        let served = fake.serve(&bus);
        let notifier = Notifier::start_on(Some(bus.address.clone()), || {});
        assert!(shown(&notifier, "t", "b"));
        drop(bus);
        until("the end of the bus is noticed", || notifier.host().is_none());
        assert!(!shown(&notifier, "t", "b"));
        drop(served);
    }
}
