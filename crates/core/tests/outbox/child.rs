//! The product in a process of its own, to be killed: this binary once more, with its task in the
//! environment and its news on stdout, one `@` line each.

use crate::desk::{self, op, timing};
use palette_keys_core::clock::SystemClock;
use palette_keys_core::keychain::{EntryName, MemoryKeychain, SecretStore};
use palette_keys_core::keys::KeyActRequest;
use palette_keys_core::keys::revoke::RevokeView;
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest, OutboxEnd};
use palette_keys_core::palette_keys::Change;
use palette_keys_core::{PaletteKeys, Secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TASK: &str = "PALETTE_KEYS_CHILD";

/// A child that is not done by then ends itself.
const LONGEST: Duration = Duration::from_secs(120);

/// What the child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    pub folder: PathBuf,
    pub connection: String,
    /// A made-up key of the simulator.
    pub credential: String,
    pub uids: Vec<String>,
    pub how: How,
    /// What is asked in one go.
    pub action: OutboxAction,
    /// Wait for a line on stdin before anything is asked.
    pub on_word: bool,
    /// Go on when the outbox is empty, until killed.
    pub stay: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum How {
    /// Revoke them one after the other, as the window does.
    Single,
    /// Revoke or delete them in one go.
    Bulk,
    /// Ask for nothing: only send what is there.
    Resume,
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The test runner leaves its own line open, so a new one comes first.
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Not a test: the body of the child.
#[test]
#[ignore = "run as a process of its own by the tests of this binary"]
fn body() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    // Under strace it is not this process that its parent can kill.
    std::thread::spawn(|| {
        std::thread::sleep(LONGEST);
        std::process::exit(3);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(task));
    // As a killed app ends: nothing is tidied up.
    std::process::exit(0);
}

async fn run(task: Task) {
    let keychain = MemoryKeychain::new();
    let entry = EntryName::credential(&*task.connection);
    let credential = Secret::new(task.credential.clone());
    keychain.write(entry, "credential".into(), credential).await.unwrap();
    let keys = desk::open(&task.folder, &keychain, Arc::new(SystemClock), timing());
    listen(&keys);
    say("ready");
    if task.on_word {
        let (send, word) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _ = std::io::stdin().read_line(&mut String::new());
            let _ = send.send(());
        });
        word.await.unwrap();
    }
    say("begin");
    match task.how {
        How::Single => {
            for uid in &task.uids {
                let (connection, uid) = (task.connection.clone(), uid.clone());
                let request = KeyActRequest { op_id: op(), connection, uid: uid.clone() };
                match keys.revoke_key(request).await {
                    Ok(RevokeView::Confirmed { .. }) => say(&format!("confirmed {uid}")),
                    Ok(RevokeView::Unconfirmed { problem }) => {
                        say(&format!("unconfirmed {uid} {:?}", problem.code));
                    }
                    Err(failure) => say(&format!("refused {uid} {:?}", failure.code)),
                }
            }
        }
        How::Bulk => {
            let request = OutboxAddRequest {
                op_id: op(),
                connection: task.connection.clone(),
                action: task.action,
                uids: task.uids.clone(),
            };
            let view = keys.add_to_outbox(request).await.unwrap();
            say(&format!("added {}", view.items.iter().filter(|item| item.recorded).count()));
        }
        How::Resume => {}
    }
    while task.stay || !keys.outbox().items.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    say("empty");
}

/// Tells what a person would see.
fn listen(keys: &Arc<PaletteKeys>) {
    let (send, mut changes) = tokio::sync::mpsc::unbounded_channel();
    keys.on_change(Box::new(move |change| {
        let _ = send.send(change);
    }));
    let mut told = BTreeSet::new();
    let keys = Arc::downgrade(keys);
    tokio::spawn(async move {
        while let Some(change) = changes.recv().await {
            let Some(keys) = keys.upgrade() else { return };
            match change {
                Change::Outbox => {
                    let view = keys.outbox();
                    for item in view.items {
                        let word = if item.recorded { "recorded" } else { "unrecorded" };
                        let line = format!("{word} {}", item.key_uid);
                        let problem = item.problem.map(|p| format!("problem {:?}", p.code));
                        for line in problem.into_iter().chain([line]) {
                            if told.insert(line.clone()) {
                                say(&line);
                            }
                        }
                    }
                }
                Change::OutboxEnded(ended) => {
                    let end = match ended.end {
                        OutboxEnd::Confirmed { .. } => "ended",
                        OutboxEnd::GivenUp => "givenup",
                    };
                    say(&format!("{end} {}", ended.item.key_uid));
                }
                _ => {}
            }
        }
    });
}

/// A running child. It is killed when dropped.
pub struct Child {
    process: std::process::Child,
    lines: Receiver<String>,
    said: Vec<String>,
    panics: Arc<Mutex<Vec<String>>>,
}

impl Child {
    pub fn spawn(task: &Task) -> Self {
        Self::spawn_under(&[], task)
    }

    /// The child as an argument of another program, such as strace with its options.
    pub fn spawn_under(wrapper: &[String], task: &Task) -> Self {
        let exe = std::env::current_exe().unwrap();
        let exe = exe.to_str().unwrap().to_owned();
        let own = [&exe, "--ignored", "--exact", "--nocapture", "--test-threads=1", "child::body"];
        let line: Vec<&str> = wrapper.iter().map(String::as_str).chain(own).collect();
        let mut process = Command::new(line[0])
            .args(&line[1..])
            .env(TASK, serde_json::to_string(task).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let panics = Arc::new(Mutex::new(Vec::new()));
        let (errors, seen) = (process.stderr.take().unwrap(), Arc::clone(&panics));
        std::thread::spawn(move || {
            // Only the product's: a child that is cut off may well panic when it says so.
            let ours = |line: &String| line.contains("panicked at crates/core/src");
            let lines = BufReader::new(errors).lines().map_while(Result::ok);
            lines.filter(ours).for_each(|line| seen.lock().unwrap().push(line));
        });
        let out = BufReader::new(process.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix('@')
                    && send.send(line.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        Self { process, lines, said: Vec::new(), panics }
    }

    /// Lets a child go on that waits for it.
    pub fn word(&mut self) {
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// Waits for a line that starts so; none when the child ended first.
    pub fn wait_for(&mut self, start: &str, within: Duration) -> Option<String> {
        if let Some(line) = self.said.iter().find(|line| line.starts_with(start)) {
            return Some(line.clone());
        }
        let began = Instant::now();
        loop {
            let left = within.checked_sub(began.elapsed());
            let left = left.unwrap_or_else(|| {
                panic!("the child did not say {start:?} in {within:?} but {:?}", self.said)
            });
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.starts_with(start) {
                        return Some(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Waits for its end and says whether it ended by itself.
    pub fn finished(&mut self, within: Duration) -> bool {
        let empty = self.wait_for("empty", within).is_some();
        let _ = self.process.wait();
        empty
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.said.extend(self.lines.iter());
    }

    /// Everything it said; all of it once it ended.
    pub fn said(&mut self) -> &[String] {
        self.said.extend(self.lines.try_iter());
        &self.said
    }

    /// The uids it told a person were recorded or answered.
    pub fn acknowledged(&mut self) -> BTreeSet<String> {
        let words = ["recorded", "confirmed", "unconfirmed", "ended"];
        let uid = |line: &String| {
            let (word, rest) = line.split_once(' ')?;
            words.contains(&word).then(|| rest.split(' ').next().unwrap().to_owned())
        };
        self.said().iter().filter_map(uid).collect()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let panics = self.panics.lock().unwrap();
        if !std::thread::panicking() {
            assert!(panics.is_empty(), "a thread of the product panicked: {panics:?}");
        }
    }
}
