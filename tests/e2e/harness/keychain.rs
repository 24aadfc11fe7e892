//! The session's Secret Service: gnome-keyring, as a desktop runs it.

use std::{path::PathBuf, process::Stdio};

use super::{
    child::{Child, Program},
    eventually,
};

/// The keychain that a stage opens with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keychain {
    /// Running and open, as after a login.
    #[default]
    Unlocked,
    /// Running and locked, and nobody can be asked to unlock it: a use fails at once.
    Locked,
    /// Running and locked; its prompt shows and is never answered.
    LockedWithPrompt,
    /// No program offers one.
    None,
}

/// One entry of the keychain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredSecret {
    /// The name that a keychain program shows.
    pub label: String,
    /// The value.
    pub secret: String,
    /// What it is found by, sorted.
    pub attributes: Vec<(String, String)>,
}

/// gnome-keyring on the stage's session bus.
#[derive(Debug)]
pub(super) struct Keyring {
    environment: Vec<(String, String)>,
    log: PathBuf,
    daemon: Option<Child>,
}

/// Password of the "login" keyring. Not empty: with an empty one its file is not encrypted.
const PASSWORD: &[u8] = b"stage";

impl Keyring {
    pub async fn open(kind: Keychain, environment: &[(String, String)], log: PathBuf) -> Self {
        let mut keyring = Self { environment: environment.to_vec(), log, daemon: None };
        match kind {
            Keychain::None => {}
            Keychain::Unlocked => keyring.start(true).await,
            Keychain::Locked | Keychain::LockedWithPrompt => {
                // The first, open run makes the "login" keyring, so that there is something to lock.
                keyring.start(true).await;
                keyring.stop().await;
                keyring.start(false).await;
            }
        }
        keyring
    }

    /// Starts the daemon: open, or locked as after a restart.
    pub async fn start(&mut self, unlocked: bool) {
        let program = Program::new("gnome-keyring-daemon", &self.environment).log(&self.log);
        let program = if unlocked {
            program.args(&["--foreground", "--components=secrets", "--unlock"]).input(PASSWORD)
        } else {
            program.args(&["--foreground", "--components=secrets", "--start"])
        };
        self.daemon = Some(program.start());
        eventually("the keychain is on the bus", async || self.on_bus().await.then_some(())).await;
        if unlocked {
            eventually("the keychain is open", async || self.has_login().await.then_some(())).await;
        }
    }

    /// Ends the daemon; its entries stay in their file.
    pub async fn stop(&mut self) {
        self.daemon = None;
        eventually("the keychain left the bus", async || (!self.on_bus().await).then_some(()))
            .await;
    }

    /// Locks the running keychain.
    pub async fn lock(&self) {
        self.run("secret-tool", &["lock", "--collection=login"]).await;
    }

    /// Every entry with these attributes; with none, every entry that names a service.
    pub async fn search(&self, attributes: &[(&str, &str)]) -> Vec<StoredSecret> {
        let mut line = vec!["search", "--all"];
        line.extend(attributes.iter().flat_map(|(name, value)| [*name, *value]));
        entries(&self.run("secret-tool", &line).await)
    }

    /// Keeps an entry, as another program would.
    pub async fn store(&self, label: &str, attributes: &[(&str, &str)], secret: &str) {
        let label = format!("--label={label}");
        let mut line = vec!["store", &label];
        line.extend(attributes.iter().flat_map(|(name, value)| [*name, *value]));
        self.run_with("secret-tool", &line, secret).await;
    }

    /// Whether the program that shows the keyring's prompt runs.
    pub async fn is_prompting(&self) -> bool {
        self.is_named("org.gnome.keyring.SystemPrompter").await
    }

    async fn on_bus(&self) -> bool {
        self.is_named("org.freedesktop.secrets").await
    }

    /// Whether somebody on the bus has this name.
    pub async fn is_named(&self, name: &str) -> bool {
        let name = format!("string:{name}");
        let question = [
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus.NameHasOwner",
            &name,
        ];
        self.run("dbus-send", &question).await.contains("boolean true")
    }

    async fn has_login(&self) -> bool {
        let question = [
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            "/org/freedesktop/secrets",
            "org.freedesktop.Secret.Service.ReadAlias",
            "string:default",
        ];
        self.run("dbus-send", &question).await.contains("/collection/")
    }

    async fn run(&self, program: &str, arguments: &[&str]) -> String {
        self.run_with(program, arguments, "").await
    }

    /// Both outputs: `secret-tool search` prints attributes on the error one.
    async fn run_with(&self, program: &str, arguments: &[&str], input: &str) -> String {
        use tokio::io::AsyncWriteExt;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
        let mut stdin = child.stdin.take().expect("a pipe");
        // One that reads nothing may be gone already.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = tokio::time::timeout(super::PATIENCE, child.wait_with_output()).await;
        let output = output.unwrap_or_else(|_| panic!("{program} did not end")).expect("it ran");
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr)
    }
}

/// Reads what `secret-tool search` prints. The two outputs are not interleaved as written: values
/// come first, attributes after them, both in the order of the entries.
fn entries(text: &str) -> Vec<StoredSecret> {
    let mut entries: Vec<StoredSecret> = Vec::new();
    let mut attributes: Vec<Vec<(String, String)>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("[/") {
            entries.push(StoredSecret::default());
        } else if let Some((name, value)) = line.split_once(" = ") {
            let value = value.to_owned();
            match (name, name.strip_prefix("attribute."), entries.last_mut()) {
                ("label", _, Some(entry)) => entry.label = value,
                ("secret", _, Some(entry)) => entry.secret = value,
                // Each entry's list ends at the next entry's first name.
                ("schema", ..) => attributes.push(Vec::new()),
                (_, Some(name), _) => {
                    let again =
                        attributes.last().is_none_or(|list| list.iter().any(|(n, _)| n == name));
                    if again {
                        attributes.push(Vec::new());
                    }
                    if let Some(list) = attributes.last_mut() {
                        list.push((name.to_owned(), value));
                    }
                }
                _ => {}
            }
        }
    }
    for (entry, mut list) in entries.iter_mut().zip(attributes) {
        list.sort();
        entry.attributes = list;
    }
    entries
}
