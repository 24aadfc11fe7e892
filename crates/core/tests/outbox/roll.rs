//! The app is killed in the middle of a roll and started again. Each kill ends in "finished",
//! "resumed" or "reported with both keys named"; there is always a key that works, and no value that
//! the server made is lost in silence.

use crate::desk::{came, full, op, sampled, settle, timing};
use crate::strace::{CALLS, Call, calls, said, wrapper};
use palette_keys_core::clock::SystemClock;
use palette_keys_core::connection::{Colour, ConnectRequest, ConnectionRequest, ConnectionState};
use palette_keys_core::connection::{ProxyChoice, SignIn};
use palette_keys_core::keychain::{
    BoxFuture, EntryName, KeychainError, KeychainState, KeychainView, SecretStore,
};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::list::ListRequest;
use palette_keys_core::keys::roll::{Grace, RollAct, RollActRequest, RollRequest, RollView};
use palette_keys_core::palette_keys::Parts;
use palette_keys_core::store::{RollStep, Store};
use palette_keys_core::{ErrorCode, PaletteKeys, Secret};
use palette_sim::{Account, KeyTruth, NewKey, Seed, Sim, SimOptions};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const TASK: &str = "PALETTE_KEYS_ROLL_CHILD";
const LONG: Duration = Duration::from_secs(20);

/// A keychain that outlives the process, as the desktop's does: one file an entry.
#[derive(Clone)]
struct FileKeychain(PathBuf);

impl FileKeychain {
    fn of(folder: &Path) -> Self {
        let place = folder.join("keychain");
        std::fs::create_dir_all(&place).unwrap();
        Self(place)
    }

    fn file(&self, entry: &EntryName) -> PathBuf {
        self.0.join(entry.user().replace('/', "+"))
    }
}

impl SecretStore for FileKeychain {
    fn write(
        &self,
        entry: EntryName,
        _: String,
        value: Secret,
    ) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(async move {
            let (file, beside) = (self.file(&entry), self.0.join(op()));
            // EXPOSE: a made-up value of the simulator, in a folder that a test removes
            std::fs::write(&beside, value.expose_secret()).unwrap();
            std::fs::rename(beside, file).unwrap();
            Ok(())
        })
    }

    fn read(&self, entry: EntryName) -> BoxFuture<'_, Result<Secret, KeychainError>> {
        Box::pin(async move {
            let read = std::fs::read_to_string(self.file(&entry));
            read.map(Secret::new).map_err(|_| KeychainError::ItemMissing)
        })
    }

    fn remove(&self, entry: EntryName) -> BoxFuture<'_, Result<bool, KeychainError>> {
        Box::pin(async move { Ok(std::fs::remove_file(self.file(&entry)).is_ok()) })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(async { Ok(()) })
    }

    fn view(&self) -> BoxFuture<'_, KeychainView> {
        let view =
            KeychainView { state: KeychainState::Ready, name: "Keychain".into(), advice: None };
        Box::pin(async { view })
    }
}

fn open(folder: &Path) -> Arc<PaletteKeys> {
    let (store, notices) = Store::open(folder).unwrap();
    let parts = Parts {
        store,
        keychain: Arc::new(FileKeychain::of(folder)),
        clock: Arc::new(SystemClock),
        notices,
        demo: true,
        version: "0.0.0".into(),
    };
    PaletteKeys::open_with(parts, timing())
}

/// What a child is to do.
#[derive(Clone, Serialize, Deserialize)]
struct Task {
    folder: PathBuf,
    connection: String,
    uid: String,
    name: String,
    grace: Grace,
    /// Cancel this roll instead of beginning one.
    cancel: Option<String>,
    /// Hold still when the window is told the so-manieth time.
    stop_at: u32,
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Not a test: the body of the child.
#[test]
#[ignore = "run as a process of its own by the tests of this module"]
fn body() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Task = serde_json::from_str(&task).unwrap();
    // Under strace it is not this process that its parent can kill.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        std::process::exit(3);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keys = open(&task.folder);
        let told = AtomicU32::new(0);
        say("begin");
        keys.on_change(Box::new(move |_| {
            if told.fetch_add(1, Ordering::Relaxed) + 1 == task.stop_at {
                say("stopped");
                loop {
                    std::thread::park();
                }
            }
        }));
        let ended = match task.cancel {
            Some(roll) => {
                let act = RollActRequest { op_id: op(), roll, act: RollAct::Cancel };
                keys.act_on_roll(act).await
            }
            None => {
                let roll = RollRequest {
                    op_id: op(),
                    connection: task.connection,
                    uid: task.uid,
                    name: task.name,
                    expiry: ExpiryChoice::Days { days: 60 },
                    grace: task.grace,
                };
                keys.roll_key(roll).await
            }
        };
        say(if ended.is_ok() { "done" } else { "failed" });
    });
    // As a killed app ends: nothing is tidied up.
    std::process::exit(0);
}

/// Runs a child until it says that it holds still, or ended; then it is killed. True when it was
/// killed in the middle.
fn killed(task: &Task, wrapper: &[String]) -> bool {
    let exe = std::env::current_exe().unwrap();
    let exe = exe.to_str().unwrap().to_owned();
    let own = [&exe, "--ignored", "--exact", "--nocapture", "--test-threads=1", "roll::body"];
    let line: Vec<&str> = wrapper.iter().map(String::as_str).chain(own).collect();
    let mut child = Command::new(line[0])
        .args(&line[1..])
        .env(TASK, serde_json::to_string(task).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut last = None;
    for line in out.lines().map_while(Result::ok) {
        match line.strip_prefix('@') {
            Some("begin") | None => {}
            Some(word) => {
                last = Some(word.to_owned());
                break;
            }
        }
    }
    // SIGKILL.
    let _ = child.kill();
    let _ = child.wait();
    last.as_deref() != Some("done") && last.as_deref() != Some("failed")
}

/// Somebody who is signed in, and what is on disk then.
struct Seat {
    sim: Sim,
    connection: String,
    dir: tempfile::TempDir,
}

impl Seat {
    async fn of(who: impl Fn(&Sim) -> Account) -> Self {
        let options = SimOptions { rate_limit: false, seed: Seed::Demo, ..SimOptions::default() };
        let sim = palette_sim::start(options).await.unwrap();
        let account = who(&sim);
        for key in sim.keys() {
            // The only key of theirs that works is the one that signs in.
            if key.owner_uid == account.uid && key.uid != account.api_key_uid {
                sim.remove_key(&key.uid);
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path());
        let request = ConnectRequest {
            op_id: op(),
            address: sim.origin(),
            sign_in: SignIn::ApiKey { api_key: Secret::new(account.api_key.clone()) },
            name: String::new(),
            colour: Colour::Teal,
            ca_certificate: None,
            proxy: ProxyChoice::None,
            in_memory_only: false,
        };
        let connection = keys.connect(request).await.unwrap().connection.id;
        let list = ListRequest { connection: connection.clone(), refresh: true, have: None };
        keys.list_keys(list).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        drop(keys);
        settle().await;
        Self { sim, connection, dir }
    }

    /// The folder and the keychain in it, once more.
    fn copy(&self) -> tempfile::TempDir {
        fn whole(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                match entry.file_type().unwrap().is_dir() {
                    true => whole(&entry.path(), &to),
                    false => drop(std::fs::copy(entry.path(), to).unwrap()),
                }
            }
        }
        let copy = tempfile::tempdir().unwrap();
        whole(self.dir.path(), copy.path());
        copy
    }

    fn works(&self, uid: &str) -> bool {
        let now = self.sim.now();
        self.sim.key(uid).is_some_and(|key| key.works_at(now))
    }
}

#[derive(Default, Debug)]
struct Counts {
    runs: usize,
    killed: usize,
    finished: usize,
    resumed: usize,
    reported: usize,
    bare: usize,
    lost: usize,
    posts: usize,
    locked_out: usize,
}

impl Counts {
    fn told(&self, what: &str) {
        println!(
            "roll, killed at {what}: {}/{} (killed in the middle {}; finished {}, resumed {}, \
             reported with both keys named {}); without a working key {}; values lost in silence \
             {}; second POSTs {}; locked out {}",
            self.finished + self.resumed + self.reported,
            self.runs,
            self.killed,
            self.finished,
            self.resumed,
            self.reported,
            self.bare,
            self.lost,
            self.posts,
            self.locked_out,
        );
        assert_eq!(self.finished + self.resumed + self.reported, self.runs, "{what}");
        assert_eq!((self.bare, self.lost, self.posts, self.locked_out), (0, 0, 0, 0), "{what}");
    }

    /// Starts the app again on what the killed one left, and judges what is there once it rests.
    async fn judge(&mut self, seat: &Seat, folder: &Path, old: &KeyTruth, name: &str) {
        self.runs += 1;
        // What the killed one had sent still arrives.
        tokio::time::sleep(Duration::from_millis(30)).await;
        let keys = open(folder);
        let views = || {
            let request =
                ListRequest { connection: seat.connection.clone(), refresh: false, have: None };
            let keys = Arc::clone(&keys);
            async move { keys.list_keys(request).await.unwrap().rolls }
        };
        let rests = |view: &RollView| {
            let unclear =
                view.problem.as_ref().is_some_and(|p| p.code == ErrorCode::OutcomeUnknown);
            (view.step == RollStep::Rolling || view.problem.is_some()) && !unclear
        };
        let mut left = views().await;
        for _ in 0..1_000 {
            if left.iter().all(rests) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            left = views().await;
        }
        assert!(came(LONG, || keys.outbox().items.is_empty()).await, "{:?}", keys.outbox());
        let made: Vec<_> = seat.sim.keys().into_iter().filter(|key| key.name == name).collect();
        let named = |view: &RollView| {
            let words = view.problem.as_ref().map(|problem| &*problem.message).unwrap_or_default();
            words.contains(name) && words.contains(&old.name)
        };
        match &*left {
            [] => self.finished += 1,
            [view] if view.problem.is_none() && view.step == RollStep::Rolling => self.resumed += 1,
            [view] if named(view) => self.reported += 1,
            other => println!("neither finished, resumed nor reported: {other:?}"),
        }
        let keychain = FileKeychain::of(folder);
        let kept = |key: &KeyTruth| {
            let uid = palette_keys_core::keys::KeyUid::new(&key.uid).unwrap();
            let entry = keychain.file(&EntryName::key_value(&*seat.connection, uid));
            std::fs::read_to_string(entry).is_ok_and(|value| value == key.value)
        };
        let new = made.first();
        let in_hand = new.is_some_and(|new| seat.works(&new.uid) && kept(new));
        self.bare += usize::from(!seat.works(&old.uid) && !in_hand);
        let silent = |new: &KeyTruth| seat.works(&new.uid) && !kept(new) && !left.iter().any(named);
        self.lost += usize::from(new.is_some_and(silent));
        self.posts += made.len().saturating_sub(1);
        let select = ConnectionRequest { connection: seat.connection.clone() };
        let signed_in = keys.select_connection(select).await.unwrap().state;
        self.locked_out += usize::from(signed_in != ConnectionState::SignedIn);
        drop(keys);
        settle().await;
        // As it was before, for the next run.
        for key in made {
            seat.sim.remove_key(&key.uid);
        }
        seat.sim.edit_key_directly(&old.uid, |key| {
            key.active = true;
            key.expiry = old.expiry;
        });
    }
}

fn task(seat: &Seat, folder: &Path, old: &KeyTruth, name: &str, grace: Grace) -> Task {
    Task {
        folder: folder.into(),
        connection: seat.connection.clone(),
        uid: old.uid.clone(),
        name: name.into(),
        grace,
        cancel: None,
        stop_at: u32::MAX,
    }
}

/// A key to roll, which ends in 90 days.
fn old_key(seat: &Seat) -> KeyTruth {
    let ends = seat.sim.now() + jiff::SignedDuration::from_hours(24 * 90);
    seat.sim.add_key(NewKey { expiry: Some(ends), ..NewKey::named("nightly") })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_whenever_a_step_is_told_every_roll_is_finished_resumed_or_reported() {
    let every = if full() { 1 } else { 3 };
    for sequence in ["grace", "now", "cancel", "sign in"] {
        let mut counts = Counts::default();
        let (seat, old) = match sequence {
            "sign in" => {
                let seat = Seat::of(|sim| sim.user()).await;
                let old = seat.sim.key(&seat.sim.user().api_key_uid).unwrap();
                (seat, old)
            }
            _ => {
                let seat = Seat::of(|sim| sim.admin()).await;
                let old = old_key(&seat);
                (seat, old)
            }
        };
        let grace = if sequence == "now" { Grace::Now } else { Grace::Week };
        let mut stop_at = 1;
        loop {
            let (folder, name) = (seat.copy(), format!("next-{stop_at}"));
            let mut task = task(&seat, folder.path(), &old, &name, grace);
            if sequence == "cancel" {
                let keys = open(folder.path());
                let request = RollRequest {
                    op_id: op(),
                    connection: seat.connection.clone(),
                    uid: old.uid.clone(),
                    name: name.clone(),
                    expiry: ExpiryChoice::Days { days: 60 },
                    grace,
                };
                let roll = keys.roll_key(request).await.unwrap().roll.unwrap();
                task.cancel = Some(roll.roll);
                drop(keys);
                settle().await;
            }
            task.stop_at = stop_at;
            let in_the_middle = killed(&task, &[]);
            counts.killed += usize::from(in_the_middle);
            counts.judge(&seat, folder.path(), &old, &name).await;
            if !in_the_middle || stop_at > 90 {
                break;
            }
            stop_at += every;
        }
        counts.told(&format!("each step that is told, {sequence}"));
        assert!(counts.killed >= 3, "{sequence}: {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_system_calls_every_roll_is_finished_resumed_or_reported() {
    let seat = Seat::of(|sim| sim.admin()).await;
    let old = old_key(&seat);
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    // What a roll does when nobody disturbs it.
    let folder = seat.copy();
    let quiet = wrapper(&log, &["-e", &format!("trace={CALLS}")]);
    let undisturbed = task(&seat, folder.path(), &old, "undisturbed", Grace::Week);
    assert!(!killed(&undisturbed, &quiet), "undisturbed it ends");
    let mut counts = Counts::default();
    counts.judge(&seat, folder.path(), &old, "undisturbed").await;
    let all = calls(&log);
    let (begin, end) = (said(&all, "begin"), said(&all, "done"));
    let main = all[begin].thread;
    let points: Vec<&Call> =
        all[begin + 1..end].iter().filter(|call| call.thread == main).collect();
    // Most calls come before the roll is written down, where the client reads its certificates.
    let written = points.iter().position(|call| call.name == "pwrite64").expect("it is written");
    let evenly = |part: &[&Call], count: usize| -> Vec<Call> {
        let count = count.min(part.len());
        (0..count).map(|at| part[at * part.len() / count].clone()).collect()
    };
    let many = sampled(24, usize::MAX);
    let chosen = [evenly(&points[..written], many / 8), evenly(&points[written..], many)].concat();
    for (number, point) in chosen.iter().enumerate() {
        let (folder, name) = (seat.copy(), format!("call-{number}"));
        let inject = format!("inject={}:signal=KILL:when={}", point.name, point.number);
        let disturbed = wrapper(&log, &["-e", &format!("trace={}", point.name), "-e", &inject]);
        let roll = task(&seat, folder.path(), &old, &name, Grace::Week);
        counts.killed += usize::from(killed(&roll, &disturbed));
        counts.judge(&seat, folder.path(), &old, &name).await;
    }
    counts.told(&format!("system calls, {} of {}", chosen.len(), points.len()));
    assert!(counts.killed * 10 >= chosen.len() * 8, "{counts:?}");
}
