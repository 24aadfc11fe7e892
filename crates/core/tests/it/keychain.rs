//! The keychain: the memory one, and on Linux the native one against a real GNOME Keyring.
//!
//! The session bus is found through the environment of the process, so each native test starts a
//! bus of its own and runs its body, a test marked `#[ignore]` in [`inside`], in a child process
//! with that environment and a home of its own. No test sees the person's bus or keychain.

use palette_keys_core::{
    ErrorCode, Secret,
    keychain::{
        EntryName, Item, KeychainError, KeychainState, MemoryKeychain, SecretStore,
        credential_label, key_label,
    },
    keys::KeyUid,
};

fn uid(text: &str) -> KeyUid {
    KeyUid::new(text).unwrap()
}

fn entry() -> EntryName {
    EntryName::key_value("conn-1", uid("5f1b9e2a"))
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The text of what was read, or why not.
async fn read(keychain: &dyn SecretStore, entry: EntryName) -> Result<String, KeychainError> {
    let value = keychain.read(entry).await?;
    // EXPOSE: a test's own value
    Ok(value.expose_secret().to_owned())
}

async fn write(keychain: &dyn SecretStore, value: &str) -> Result<(), KeychainError> {
    keychain.write(entry(), key_label("ci-prod", "acme"), secret(value)).await
}

#[test]
fn entries_are_named_by_ids_and_labelled_for_people() {
    assert_eq!(EntryName::credential("conn-1").user(), "conn-1/credential");
    assert_eq!(entry().user(), "conn-1/key/5f1b9e2a");
    assert_eq!(entry().item, Item::KeyValue(uid("5f1b9e2a")));
    assert_eq!(key_label("ci-prod", "acme"), "Palette API key: ci-prod (acme)");
    assert_eq!(credential_label("acme"), "Palette Keys sign-in: acme");
    assert_eq!(credential_label("a\nb\u{7}c"), "Palette Keys sign-in: a b c");
    assert_eq!(key_label(&"x".repeat(10_000), "acme").chars().count(), 200);
}

#[test]
fn each_error_has_its_own_code_and_words() {
    let errors = [
        (KeychainError::Absent, ErrorCode::KeychainAbsent, Some(KeychainState::Absent)),
        (KeychainError::Locked, ErrorCode::KeychainLocked, Some(KeychainState::Locked)),
        (KeychainError::Dismissed, ErrorCode::KeychainDismissed, Some(KeychainState::Dismissed)),
        (KeychainError::Waiting, ErrorCode::KeychainWaiting, Some(KeychainState::WaitingForPrompt)),
        (KeychainError::ItemMissing, ErrorCode::KeychainItemMissing, None),
        (KeychainError::Ambiguous, ErrorCode::KeychainAmbiguous, None),
        (KeychainError::Failed, ErrorCode::KeychainFailed, None),
    ];
    let mut words = std::collections::HashSet::new();
    for (error, code, state) in errors {
        assert_eq!(error.failure().code, code);
        assert_eq!(error.state(), state);
        assert!(words.insert(error.failure().message), "{code:?} has words of its own");
    }
}

#[tokio::test]
async fn memory_keeps_reads_and_forgets() {
    let keychain = MemoryKeychain::new();
    assert_eq!(read(&keychain, entry()).await, Err(KeychainError::ItemMissing));
    write(&keychain, "value-1").await.unwrap();
    write(&keychain.clone(), "value-2").await.unwrap();
    assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value-2"));
    assert_eq!(keychain.label(&entry()).as_deref(), Some("Palette API key: ci-prod (acme)"));
    assert_eq!(keychain.names(), [entry()]);
    assert_eq!(
        read(&keychain, EntryName::credential("conn-1")).await,
        Err(KeychainError::ItemMissing)
    );
    keychain.probe().await.unwrap();
    assert_eq!(keychain.names(), [entry()], "a probe leaves nothing");
    assert_eq!(keychain.remove(entry()).await, Ok(true));
    assert_eq!(keychain.remove(entry()).await, Ok(false));
    assert_eq!(keychain.view().await.state, KeychainState::Ready);
}

#[tokio::test]
async fn memory_stands_as_it_is_told() {
    let keychain = MemoryKeychain::new();
    write(&keychain, "value").await.unwrap();
    for (state, error) in [
        (KeychainState::Absent, KeychainError::Absent),
        (KeychainState::Locked, KeychainError::Locked),
        (KeychainState::Dismissed, KeychainError::Dismissed),
        (KeychainState::WaitingForPrompt, KeychainError::Waiting),
    ] {
        keychain.set_state(state);
        assert_eq!(write(&keychain, "other").await, Err(error));
        assert_eq!(read(&keychain, entry()).await, Err(error));
        assert_eq!(keychain.remove(entry()).await, Err(error));
        assert_eq!(keychain.probe().await, Err(error));
        let view = keychain.view().await;
        assert_eq!(view.state, state);
        assert!(view.advice.is_some(), "{state:?} has advice");
    }
    keychain.set_state(KeychainState::Ready);
    assert_eq!(keychain.view().await.advice, None);
    assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"), "nothing was changed");
}

#[tokio::test]
async fn memory_fails_as_it_is_told() {
    let keychain = MemoryKeychain::new();
    keychain.fail_next_write(KeychainError::Failed);
    keychain.fail_next_write(KeychainError::Locked);
    assert_eq!(write(&keychain, "value").await, Err(KeychainError::Failed));
    assert_eq!(keychain.probe().await, Err(KeychainError::Locked));
    write(&keychain, "value").await.unwrap();
    keychain.fail_next_read(KeychainError::Ambiguous);
    assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Ambiguous));
    assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
    keychain.fail_next_removal(KeychainError::Dismissed);
    assert_eq!(keychain.remove(entry()).await, Err(KeychainError::Dismissed));
    assert_eq!(keychain.remove(entry()).await, Ok(true));
    assert_eq!((keychain.writes(), keychain.reads()), (3, 2));
}

#[tokio::test]
async fn only_one_line_of_ascii_is_an_entry() {
    let keychain = MemoryKeychain::new();
    for value in ["", "two\nlines", "tab\t", "NUL\0", "umlaut ü", "ends\r"] {
        assert_eq!(write(&keychain, value).await, Err(KeychainError::Failed), "{value:?}");
    }
    assert!(keychain.names().is_empty());
}

/// Bodies of the tests below, each run alone in a child process with its own bus and home.
#[cfg(target_os = "linux")]
mod inside {
    use super::{entry, read, secret, write};
    use palette_keys_core::keychain::{
        EntryName, KeychainError, KeychainState, NativeKeychain, SERVICE, SecretStore,
        credential_label, key_label,
    };
    use std::{
        io::Write,
        path::PathBuf,
        process::{Child, Command, Stdio},
        thread::sleep,
        time::{Duration, Instant},
    };

    const SECRETS: &str = "/org/freedesktop/secrets";
    const PASSWORD: &str = "login";

    fn keychain() -> NativeKeychain {
        NativeKeychain::new(SERVICE)
    }

    /// A keychain that gives up after a second.
    fn impatient() -> NativeKeychain {
        NativeKeychain::with_deadline(SERVICE, Duration::from_secs(1))
    }

    /// A program that ends with the test.
    struct Program(Child);

    impl Program {
        fn kill(mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn gnome_keyring(arguments: &[&str], password: &str) -> Program {
        let mut child = Command::new("gnome-keyring-daemon")
            .args(arguments)
            .args(["--components=secrets", "--foreground"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let program = Program(child);
        until("the daemon owns its name", || has_owner("org.freedesktop.secrets"));
        program
    }

    /// Started as a login does, with the login keyring open.
    fn unlocked() -> Program {
        let program = gnome_keyring(&["--unlock"], PASSWORD);
        until("the login keyring is there", || default_collection().is_some());
        program
    }

    /// Unlocks with the password, as a login does: no prompt involved.
    fn unlock_again() {
        apart(|| {
            use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
            let bus = bus();
            let at = |interface: &'static str| {
                zbus::blocking::Proxy::new(&bus, "org.freedesktop.secrets", SECRETS, interface)
                    .unwrap()
            };
            let (_, session): (OwnedValue, OwnedObjectPath) = at("org.freedesktop.Secret.Service")
                .call("OpenSession", &("plain", Value::from("")))
                .unwrap();
            let password = (session, Vec::<u8>::new(), PASSWORD.as_bytes().to_vec(), "text/plain");
            let _: () = at("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface")
                .call("UnlockWithMasterPassword", &(collection(), password))
                .unwrap();
            assert!(!is_locked());
        })
    }

    fn until(what: &str, met: impl Fn() -> bool) {
        let began = Instant::now();
        while !met() {
            assert!(began.elapsed() < Duration::from_secs(20), "in 20 s not: {what}");
            sleep(Duration::from_millis(20));
        }
    }

    fn bus() -> zbus::blocking::Connection {
        zbus::blocking::Connection::session().unwrap()
    }

    /// On a thread of its own: a thread that drives tasks does not block on the bus.
    fn apart<T: Send>(f: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(f).join().unwrap())
    }

    fn has_owner(name: &str) -> bool {
        apart(|| {
            let bus = zbus::blocking::fdo::DBusProxy::new(&bus()).unwrap();
            bus.name_has_owner(name.try_into().unwrap()).unwrap()
        })
    }

    fn reload_config() {
        apart(|| zbus::blocking::fdo::DBusProxy::new(&bus()).unwrap().reload_config().unwrap());
    }

    fn secrets(path: &str, interface: &str) -> zbus::blocking::Proxy<'static> {
        let (path, interface) = (path.to_owned(), interface.to_owned());
        zbus::blocking::Proxy::new(&bus(), "org.freedesktop.secrets", path, interface).unwrap()
    }

    fn default_collection() -> Option<zbus::zvariant::OwnedObjectPath> {
        apart(|| {
            let service = secrets(SECRETS, "org.freedesktop.Secret.Service");
            let path: zbus::zvariant::OwnedObjectPath =
                service.call("ReadAlias", &("default",)).ok()?;
            (path.as_str() != "/").then_some(path)
        })
    }

    /// The default collection. gnome-keyring may not name it for a moment after it wrote to it.
    fn collection() -> zbus::zvariant::OwnedObjectPath {
        let began = Instant::now();
        loop {
            if let Some(path) = default_collection() {
                return path;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "no default collection in 20 s");
            sleep(Duration::from_millis(20));
        }
    }

    fn is_locked() -> bool {
        apart(|| {
            let path = collection();
            secrets(path.as_str(), "org.freedesktop.Secret.Collection")
                .get_property("Locked")
                .unwrap()
        })
    }

    fn lock() {
        apart(|| {
            let service = secrets(SECRETS, "org.freedesktop.Secret.Service");
            let paths = vec![collection()];
            let _: (Vec<zbus::zvariant::OwnedObjectPath>, zbus::zvariant::OwnedObjectPath) =
                service.call("Lock", &(paths,)).unwrap();
            assert!(is_locked());
        })
    }

    /// Stands in for the program that shows GNOME Keyring's prompts.
    struct Prompter {
        answers: bool,
    }

    #[zbus::interface(name = "org.gnome.keyring.internal.Prompter")]
    impl Prompter {
        /// Silent: agrees and never calls back, like a dialog nobody answers. Else refuses, upon
        /// which the keyring closes the prompt as if a person had.
        fn begin_prompting(
            &self,
            _callback: zbus::zvariant::ObjectPath<'_>,
        ) -> zbus::fdo::Result<()> {
            if self.answers {
                return Err(zbus::fdo::Error::Failed("closed".into()));
            }
            Ok(())
        }

        fn stop_prompting(&self, _callback: zbus::zvariant::ObjectPath<'_>) {}
    }

    fn prompter(answers: bool) -> zbus::blocking::Connection {
        apart(|| {
            zbus::blocking::connection::Builder::session()
                .unwrap()
                .name("org.gnome.keyring.SystemPrompter")
                .unwrap()
                .serve_at("/org/gnome/keyring/Prompter", Prompter { answers })
                .unwrap()
                .build()
                .unwrap()
        })
    }

    fn secret_tool(arguments: &[&str]) -> String {
        let output = Command::new("secret-tool").args(arguments).output().unwrap();
        // `search` writes the attributes to stderr.
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// At most this long for an answer that needs nobody.
    fn quick(began: Instant) {
        assert!(began.elapsed() < Duration::from_secs(3), "took {:?}", began.elapsed());
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn writes_reads_and_removes() {
        let _daemon = unlocked();
        let keychain = keychain();
        let view = keychain.view().await;
        assert_eq!((view.state, view.name.as_str()), (KeychainState::Ready, "GNOME Keyring"));
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::ItemMissing));
        assert_eq!(keychain.remove(entry()).await, Ok(false));
        write(&keychain, "first-value").await.unwrap();
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("first-value"));

        let found = secret_tool(&["search", "--all", "service", "Palette Keys"]);
        assert!(found.contains("label = Palette API key: ci-prod (acme)"), "{found}");
        assert!(found.contains("secret = first-value"), "{found}");
        assert!(found.contains("attribute.username = conn-1/key/5f1b9e2a"), "{found}");

        // Renamed and replaced: one entry, with the new label.
        let label = key_label("ci-prod-2", "acme");
        keychain.write(entry(), label, secret("second-value")).await.unwrap();
        let found = secret_tool(&["search", "--all", "service", "Palette Keys"]);
        assert_eq!(found.matches("label = ").count(), 1, "{found}");
        assert!(found.contains("label = Palette API key: ci-prod-2 (acme)"), "{found}");
        assert!(found.contains("secret = second-value"), "{found}");

        let credential = EntryName::credential("conn-1");
        let label = credential_label("acme");
        keychain.write(credential.clone(), label, secret("the-credential")).await.unwrap();
        let looked_up =
            secret_tool(&["lookup", "service", "Palette Keys", "username", "conn-1/credential"]);
        assert_eq!(looked_up, "the-credential");
        assert_eq!(keychain.remove(entry()).await, Ok(true));
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::ItemMissing));
        assert_eq!(read(&keychain, credential).await.as_deref(), Ok("the-credential"));

        keychain.probe().await.unwrap();
        let found = secret_tool(&["search", "--all", "service", "Palette Keys"]);
        assert_eq!(found.matches("label = ").count(), 1, "a probe leaves nothing: {found}");
        for value in ["", "two\nlines", "umlaut ü"] {
            assert_eq!(write(&keychain, value).await, Err(KeychainError::Failed));
        }
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn two_entries_of_one_name_are_told() {
        let _daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value").await.unwrap();
        let mut child = Command::new("secret-tool")
            .args(["store", "--label=other", "service", "Palette Keys"])
            .args(["username", "conn-1/key/5f1b9e2a", "extra", "1"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"other").unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Ambiguous));
        assert_eq!(write(&keychain, "value").await, Err(KeychainError::Ambiguous));
        assert_eq!(keychain.remove(entry()).await, Err(KeychainError::Ambiguous));
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn absent_then_started_late() {
        let keychain = keychain();
        let began = Instant::now();
        assert_eq!(keychain.view().await.state, KeychainState::Absent);
        assert_eq!(write(&keychain, "value").await, Err(KeychainError::Absent));
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Absent));
        assert_eq!(keychain.probe().await, Err(KeychainError::Absent));
        quick(began);
        let _daemon = unlocked();
        write(&keychain, "value").await.unwrap();
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
        assert_eq!(keychain.view().await.state, KeychainState::Ready);
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn no_default_collection_is_absent() {
        // Started without a login: no keyring exists yet.
        let _daemon = gnome_keyring(&["--start"], "");
        assert_eq!(default_collection(), None);
        let keychain = keychain();
        let view = keychain.view().await;
        assert_eq!((view.state, view.name.as_str()), (KeychainState::Absent, "GNOME Keyring"));
        assert_eq!(write(&keychain, "value").await, Err(KeychainError::Absent));
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn restarted_between_and_during_uses() {
        let mut daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value-0").await.unwrap();
        for round in 1..=3 {
            daemon.kill();
            until("gone", || !has_owner("org.freedesktop.secrets"));
            if round % 2 == 0 {
                assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Absent));
                assert_eq!(keychain.view().await.state, KeychainState::Absent);
            }
            daemon = unlocked();
            let before = format!("value-{}", round - 1);
            assert_eq!(read(&keychain, entry()).await, Ok(before), "at the first try");
            write(&keychain, &format!("value-{round}")).await.unwrap();
        }
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn locked_with_nobody_to_ask() {
        let _daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value").await.unwrap();
        lock();
        let began = Instant::now();
        assert_eq!(keychain.view().await.state, KeychainState::Locked);
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Locked));
        assert_eq!(write(&keychain, "other").await, Err(KeychainError::Locked));
        assert_eq!(keychain.remove(entry()).await, Err(KeychainError::Locked));
        assert_eq!(keychain.probe().await, Err(KeychainError::Locked));
        quick(began);
        unlock_again();
        assert_eq!(keychain.view().await.state, KeychainState::Ready);
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
        write(&keychain, "other").await.unwrap();
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn a_closed_prompt_is_dismissed() {
        let _daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value").await.unwrap();
        let prompter = prompter(true);
        lock();
        assert_eq!(keychain.view().await.state, KeychainState::Locked, "nobody was asked yet");
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Dismissed));
        assert_eq!(keychain.view().await.state, KeychainState::Dismissed);
        unlock_again();
        assert_eq!(keychain.view().await.state, KeychainState::Ready);
        lock();
        assert_eq!(keychain.view().await.state, KeychainState::Locked, "forgotten");
        drop(prompter);
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn an_unanswered_prompt_is_waited_for_until_the_deadline() {
        let _daemon = unlocked();
        let keychain = impatient();
        write(&keychain, "value").await.unwrap();
        let prompter = prompter(false);
        lock();

        // Several at once: all hear of it, none waits for ever, one prompt only.
        let began = Instant::now();
        let (a, b, c, d) = tokio::join!(
            write(&keychain, "late"),
            read(&keychain, entry()),
            keychain.remove(entry()),
            keychain.probe(),
        );
        assert_eq!(a, Err(KeychainError::Waiting));
        assert_eq!(b, Err(KeychainError::Waiting));
        assert_eq!(c, Err(KeychainError::Waiting));
        assert_eq!(d, Err(KeychainError::Waiting));
        quick(began);
        for _ in 0..5 {
            let began = Instant::now();
            assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Waiting));
            assert_eq!(keychain.view().await.state, KeychainState::WaitingForPrompt);
            quick(began);
        }

        // Unlocked in another way: works at once, though the prompt is still open.
        unlock_again();
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
        // The prompt ends. What was given up must not happen behind the caller's back.
        drop(prompter);
        sleep(Duration::from_millis(700));
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"), "no late write");
        write(&keychain, "new").await.unwrap();
        assert_eq!(keychain.view().await.state, KeychainState::Ready);
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn a_daemon_that_dies_under_its_prompt() {
        let daemon = unlocked();
        let keychain = impatient();
        write(&keychain, "value").await.unwrap();
        let _prompter = prompter(false);
        lock();
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Waiting));
        daemon.kill();
        until("gone", || !has_owner("org.freedesktop.secrets"));
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Absent));
        let _daemon = unlocked();
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
        assert_eq!(keychain.view().await.state, KeychainState::Ready);
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn a_daemon_that_does_not_answer() {
        let daemon = unlocked();
        let keychain = impatient();
        write(&keychain, "value").await.unwrap();
        let stop = |signal: &str| {
            let pid = daemon.0.id().to_string();
            assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        };
        stop("-STOP");
        let began = Instant::now();
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Waiting));
        let view = keychain.view().await;
        assert_ne!(view.state, KeychainState::Ready);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        stop("-CONT");
        until("answers", || default_collection().is_some());
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn started_by_the_bus_and_locked() {
        // The keyring of an earlier login, then a daemon that the bus starts when asked.
        let daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value").await.unwrap();
        daemon.kill();
        until("gone", || !has_owner("org.freedesktop.secrets"));
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        std::fs::write(
            home.join("services/org.freedesktop.secrets.service"),
            "[D-BUS Service]\nName=org.freedesktop.secrets\n\
             Exec=/usr/bin/gnome-keyring-daemon --start --foreground --components=secrets\n",
        )
        .unwrap();
        reload_config();
        let began = Instant::now();
        let view = keychain.view().await;
        assert_eq!((view.state, view.name.as_str()), (KeychainState::Locked, "GNOME Keyring"));
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Locked));
        quick(began);
        unlock_again();
        assert_eq!(read(&keychain, entry()).await.as_deref(), Ok("value"));
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn a_prompter_that_cannot_start() {
        // As on a machine without a display: the bus knows the prompter, but it ends at once.
        let home = PathBuf::from(std::env::var_os("HOME").unwrap());
        std::fs::write(
            home.join("services/org.gnome.keyring.SystemPrompter.service"),
            "[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/false\n",
        )
        .unwrap();
        reload_config();
        let _daemon = unlocked();
        let keychain = keychain();
        write(&keychain, "value").await.unwrap();
        lock();
        let began = Instant::now();
        assert_eq!(read(&keychain, entry()).await, Err(KeychainError::Locked), "nobody was asked");
        assert_eq!(keychain.view().await.state, KeychainState::Locked);
        quick(began);
    }

    #[tokio::test]
    #[ignore = "run in a bus of its own"]
    async fn no_session_bus_is_absent() {
        let keychain = keychain();
        let began = Instant::now();
        let view = keychain.view().await;
        assert_eq!((view.state, view.name.as_str()), (KeychainState::Absent, "Keychain"));
        assert_eq!(write(&keychain, "value").await, Err(KeychainError::Absent));
        quick(began);
    }
}

#[cfg(target_os = "linux")]
mod native {
    use std::{
        io::{BufRead, BufReader},
        path::Path,
        process::{Child, Command, Stdio},
        time::{Duration, Instant},
    };

    /// How long one test may take.
    const LIMIT: Duration = Duration::from_secs(90);

    /// A session bus of its own; it ends with the test.
    struct Bus {
        daemon: Child,
        address: String,
    }

    impl Drop for Bus {
        fn drop(&mut self) {
            let _ = self.daemon.kill();
            let _ = self.daemon.wait();
        }
    }

    /// A bus that starts nothing but what lies in `home/services`.
    fn bus(home: &Path) -> Bus {
        let config = home.join("bus.conf");
        std::fs::create_dir(home.join("services")).unwrap();
        std::fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:dir={home}</listen>\
                 <servicedir>{home}/services</servicedir>\
                 <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
                 <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
                home = home.display()
            ),
        )
        .unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--print-address"])
            .envs(environment(home))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Bus { daemon, address: address.trim_end().to_owned() }
    }

    fn environment(home: &Path) -> Vec<(&'static str, std::path::PathBuf)> {
        let mut variables: Vec<_> = [
            ("XDG_RUNTIME_DIR", "run"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("TMPDIR", "tmp"),
        ]
        .map(|(variable, folder)| (variable, home.join(folder)))
        .to_vec();
        variables.push(("HOME", home.to_owned()));
        variables
    }

    fn missing() -> Option<&'static str> {
        let programs = ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"];
        programs.into_iter().find(|program| {
            !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                .any(|folder| folder.join(program).is_file())
        })
    }

    /// Runs one test of `inside` in a child process.
    fn run(name: &str, with_bus: bool) {
        if let Some(program) = missing() {
            let packages = "dbus, gnome-keyring, libsecret-tools";
            eprintln!("SKIPPED keychain::native::{name}: {program} is missing ({packages})");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        for (variable, folder) in environment(home.path()) {
            if variable != "HOME" {
                use std::os::unix::fs::DirBuilderExt;
                std::fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
            }
        }
        let bus = with_bus.then(|| bus(home.path()));
        let address = bus.as_ref().map_or("unix:path=/nonexistent/bus", |bus| &bus.address);
        let log = home.path().join("log");
        let output = std::fs::File::options().append(true).create(true).open(&log).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", &format!("keychain::inside::{name}")])
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .envs(environment(home.path()))
            .env("DBUS_SESSION_BUS_ADDRESS", address)
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("GNOME_KEYRING_CONTROL")
            .spawn()
            .unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if began.elapsed() > LIMIT {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        drop(bus);
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(status.is_some(), "not done in {LIMIT:?}\n{said}");
        assert!(status.is_some_and(|s| s.success()) && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn writes_reads_and_removes() {
        run("writes_reads_and_removes", true);
    }

    #[test]
    fn two_entries_of_one_name_are_told() {
        run("two_entries_of_one_name_are_told", true);
    }

    #[test]
    fn absent_then_started_late() {
        run("absent_then_started_late", true);
    }

    #[test]
    fn no_default_collection_is_absent() {
        run("no_default_collection_is_absent", true);
    }

    #[test]
    fn restarted_between_and_during_uses() {
        run("restarted_between_and_during_uses", true);
    }

    #[test]
    fn locked_with_nobody_to_ask() {
        run("locked_with_nobody_to_ask", true);
    }

    #[test]
    fn a_closed_prompt_is_dismissed() {
        run("a_closed_prompt_is_dismissed", true);
    }

    #[test]
    fn an_unanswered_prompt_is_waited_for_until_the_deadline() {
        run("an_unanswered_prompt_is_waited_for_until_the_deadline", true);
    }

    #[test]
    fn a_daemon_that_dies_under_its_prompt() {
        run("a_daemon_that_dies_under_its_prompt", true);
    }

    #[test]
    fn a_daemon_that_does_not_answer() {
        run("a_daemon_that_does_not_answer", true);
    }

    #[test]
    fn started_by_the_bus_and_locked() {
        run("started_by_the_bus_and_locked", true);
    }

    #[test]
    fn a_prompter_that_cannot_start() {
        run("a_prompter_that_cannot_start", true);
    }

    #[test]
    fn no_session_bus_is_absent() {
        run("no_session_bus_is_absent", false);
    }
}
