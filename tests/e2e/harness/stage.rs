//! The desktop of one test.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use palette_sim::{Sim, SimOptions};
use tempfile::TempDir;

use super::{
    Page,
    child::{Child, Program, descendants, end_process},
    driver::Session,
    eventually,
    keychain::{Keychain, Keyring, StoredSecret},
    target, test_name, within,
};

/// The program under test.
const APP: &str = env!("CARGO_BIN_EXE_palette-keys");

/// How a stage is set. `Setting::default()` is the usual desktop and the demo tenant.
#[derive(Default)]
pub struct Setting {
    /// The keychain it has.
    pub keychain: Keychain,
    /// The Palette it has. The rate limit is as on a real one.
    pub palette: SimOptions,
}

/// How the app is started.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Arguments, such as `--demo`.
    pub arguments: Vec<String>,
    /// Variables beside the stage's own; one of the same name replaces it.
    pub variables: Vec<(String, String)>,
    /// Whether the desktop is dark.
    pub dark: bool,
    /// Another program than the app.
    pub program: Option<String>,
}

impl Launch {
    /// The app on the demo tenant.
    pub fn demo() -> Self {
        Self { arguments: vec!["--demo".to_owned()], ..Self::default() }
    }

    /// The same on a dark desktop.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// With this variable in the app's environment.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A home, a display, a session bus, a keychain and a Palette, all of them this test's alone.
/// Dropping it ends every program it started and removes the home.
pub struct Stage {
    /// The Palette on loopback.
    pub sim: Sim,
    environment: Vec<(String, String)>,
    keyring: Keyring,
    running: Option<Running>,
    last: Launch,
    others: Vec<Child>,
    // The order of these is the order in which they end: the display and the home last.
    _bus: Child,
    _display: Child,
    home: TempDir,
}

/// The app and the driver that started it; without a driver, the app alone.
struct Running {
    session: Option<Session>,
    pid: u32,
    starter: Child,
}

/// What WebKit says when the port of its inspector is taken.
const INSPECTOR_REFUSED: &str = "Failed to start remote inspector server";

impl Stage {
    /// The usual desktop and the demo tenant.
    pub async fn new() -> Self {
        Self::set(Setting::default()).await
    }

    /// A stage as described.
    pub async fn set(setting: Setting) -> Self {
        let home = TempDir::with_prefix("pk-").expect("a temporary home");
        let mut display = Program::new("Xvfb", &[path_variable()])
            .args(&[
                "-displayfd",
                "1",
                "-screen",
                "0",
                "1600x1200x24",
                "-nolisten",
                "tcp",
                "-noreset",
            ])
            .piped()
            .start();
        let number = display.line();
        let environment = environment(home.path(), &number);
        let bus = start_bus(home.path(), &environment, setting.keychain).await;
        let log = home.path().join("keyring.log");
        let keyring = Keyring::open(setting.keychain, &environment, log).await;
        let sim = palette_sim::start(setting.palette).await.expect("the simulator starts");
        Self {
            sim,
            environment,
            keyring,
            running: None,
            last: Launch::default(),
            others: Vec::new(),
            _bus: bus,
            _display: display,
            home,
        }
    }

    /// Starts the app; its first window is the page.
    pub async fn launch(&mut self, launch: Launch) -> Page {
        assert!(self.running.is_none(), "the app runs already: quit it first");
        let mut environment = self.environment.clone();
        if launch.dark {
            environment.push(("GTK_THEME".to_owned(), "Adwaita:dark".to_owned()));
        }
        environment.extend(launch.variables.clone());
        let binary = launch.program.clone().unwrap_or_else(|| APP.to_owned());
        let mut tries = 0;
        let (driver, session) = loop {
            tries += 1;
            let (driver, port) = self.start_driver(&environment).await;
            match Session::open(port, &binary, &launch.arguments).await {
                Ok(session) => break (driver, session),
                // The driver found a free port for WebKit's inspector, and another test took it
                // before the app could: nothing has happened yet, so once more.
                Err(_) if tries < 3 && self.log().contains(INSPECTOR_REFUSED) => {
                    let _ = fs::remove_file(self.app_log());
                }
                Err(refusal) => panic!("the app did not open: {refusal}\n{}", self.log()),
            }
        };
        let driven = descendants(driver.pid());
        let (pid, _) = driven.get(1).cloned().unwrap_or_else(|| panic!("no app: {driven:?}"));
        self.last = launch;
        self.running = Some(Running { session: Some(session.clone()), pid, starter: driver });
        Page::new(session)
    }

    /// Starts the app as a person's desktop does, without a driver: it need not open a window, and
    /// nothing but the desktop itself (tray, notices, X server) can look at it.
    pub fn start_alone(&mut self, arguments: &[&str]) {
        self.start_alone_with(arguments, &[]);
    }

    /// The same with more in its environment.
    pub fn start_alone_with(&mut self, arguments: &[&str], more: &[(&str, &str)]) {
        assert!(self.running.is_none(), "the app runs already: quit it first");
        // What the driver needs is not what people get.
        let chosen = ["TAURI_WEBVIEW_AUTOMATION", "WEBKIT_DISABLE_DMABUF_RENDERER"];
        let mut environment = self.environment.clone();
        environment.retain(|(name, _)| !chosen.contains(&name.as_str()));
        environment.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let program = Program::new(APP, &environment).args(arguments).log(&self.app_log());
        let app = program.start();
        self.running = Some(Running { session: None, pid: app.pid(), starter: app });
    }

    /// The program under test.
    pub fn program(&self) -> &'static str {
        APP
    }

    /// Kills one process of the app, as when it crashes.
    pub fn kill(&self, pid: u32) {
        end_process(pid, true);
    }

    async fn start_driver(&self, environment: &[(String, String)]) -> (Child, u16) {
        // Between finding a port and using it another test may take it: then once more.
        for _ in 0..5 {
            let port = free_port();
            let mut driver = Program::new("WebKitWebDriver", environment)
                .args(&["--host=127.0.0.1".to_owned(), format!("--port={port}")])
                .log(&self.app_log())
                .start();
            let answers = within(Duration::from_secs(5), async || {
                tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()
            })
            .await;
            if answers.is_some() && driver.alive() {
                return (driver, port);
            }
        }
        panic!("WebKitWebDriver does not start\n{}", self.log());
    }

    /// Starts the app again as it was started before.
    pub async fn relaunch(&mut self) -> Page {
        let last = self.last.clone();
        self.launch(last).await
    }

    /// Quits the app as the session's end does, and waits until it is gone.
    pub async fn quit(&mut self) {
        self.end_app(false).await;
    }

    /// Kills the app without a word to it.
    pub async fn crash(&mut self) {
        self.end_app(true).await;
    }

    async fn end_app(&mut self, crash: bool) {
        let Some(running) = self.running.take() else { return };
        let processes = descendants(running.pid);
        end_process(running.pid, crash);
        let gone =
            within(Duration::from_secs(5), async || has_ended(running.pid).then_some(())).await;
        // A page that is being drawn in that moment hangs in WebKitGTK, which ends it only after
        // 10 s. Nobody waits for that: it has neither window nor data of ours to write.
        for (pid, _) in processes {
            end_process(pid, true);
        }
        drop(running.starter);
        assert!(gone.is_some(), "the app did not quit within 5 s");
        self.wait_forgotten().await;
    }

    /// The next start would greet the one that is gone, as long as the bus still has its name.
    async fn wait_forgotten(&self) {
        eventually("the bus forgot the app", async || {
            let name = "dev.palettekeys.app.SingleInstance";
            (!self.keyring.is_named(name).await).then_some(())
        })
        .await;
    }

    /// Waits until the app has ended by itself (after its last window was closed, say).
    pub async fn wait_ended(&mut self) {
        let Some(running) = self.running.take() else { return };
        eventually("the app ended", async || has_ended(running.pid).then_some(())).await;
        self.wait_forgotten().await;
    }

    /// Whether the app runs.
    pub fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|running| !has_ended(running.pid))
    }

    /// Pid of the app.
    pub fn app_pid(&self) -> u32 {
        self.running.as_ref().expect("the app runs").pid
    }

    /// The app's process and all below it: pid and name.
    pub fn processes(&self) -> Vec<(u32, String)> {
        descendants(self.app_pid())
    }

    /// Pids of the processes that draw pages, one a web context.
    pub fn web_processes(&self) -> Vec<u32> {
        let all = self.processes().into_iter();
        all.filter(|(_, name)| name.starts_with("WebKitWebProces")).map(|(pid, _)| pid).collect()
    }

    /// All that the app, its web view and the driver printed so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.app_log()).unwrap_or_default()
    }

    fn app_log(&self) -> PathBuf {
        // Beside the home's folders, so that a search of those does not find it.
        self.home.path().join("app.log")
    }

    /// Entries of the keychain with these attributes.
    pub async fn secrets(&self, attributes: &[(&str, &str)]) -> Vec<StoredSecret> {
        self.keyring.search(attributes).await
    }

    /// Keeps an entry, as another program would.
    pub async fn store_secret(&self, label: &str, attributes: &[(&str, &str)], secret: &str) {
        self.keyring.store(label, attributes, secret).await;
    }

    /// Locks the keychain while all goes on.
    pub async fn lock_keychain(&self) {
        self.keyring.lock().await;
    }

    /// Ends the keychain's program; its entries stay in their file.
    pub async fn stop_keychain(&mut self) {
        self.keyring.stop().await;
    }

    /// Starts the keychain's program, open or locked.
    pub async fn start_keychain(&mut self, unlocked: bool) {
        self.keyring.start(unlocked).await;
    }

    /// Whether the keychain shows its prompt (see [`Keychain::LockedWithPrompt`]).
    pub async fn is_prompting(&self) -> bool {
        self.keyring.is_prompting().await
    }

    /// Text on the clipboard; `None` when it is empty or holds something else.
    pub async fn clipboard(&self) -> Option<String> {
        self.xclip(&["-o"]).await
    }

    /// What the clipboard offers its content as.
    pub async fn clipboard_targets(&self) -> Vec<String> {
        let text = self.xclip(&["-o", "-t", "TARGETS"]).await.unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Puts text on the clipboard, as another program would.
    pub async fn set_clipboard(&mut self, text: &str) {
        // It stays to answer those who paste, until the stage ends.
        let holder = Program::new("xclip", &self.environment)
            .args(&["-selection", "clipboard", "-i", "-quiet"])
            .input(text.as_bytes())
            .start();
        self.others.push(holder);
        let text = text.to_owned();
        eventually("the text is on the clipboard", async || {
            (self.clipboard().await.as_ref() == Some(&text)).then_some(())
        })
        .await;
    }

    async fn xclip(&self, arguments: &[&str]) -> Option<String> {
        let output =
            self.command("xclip", &[&["-selection", "clipboard"], arguments].concat()).await;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs a program on this desktop to its end.
    pub async fn command(&self, program: &str, arguments: &[&str]) -> std::process::Output {
        let command = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(super::PATIENCE, command).await;
        output
            .unwrap_or_else(|_| panic!("{program} did not end"))
            .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
    }

    /// Starts a program on this desktop that lives until the stage ends.
    pub fn start(&mut self, program: &str, arguments: &[&str]) -> u32 {
        let log = self.home.path().join("others.log");
        let child = Program::new(program, &self.environment).args(arguments).log(&log).start();
        let pid = child.pid();
        self.others.push(child);
        pid
    }

    /// Ends a program started with [`Stage::start`].
    pub fn end_started(&mut self, pid: u32) {
        self.others.retain(|child| child.pid() != pid);
    }

    /// The environment of every program on this desktop.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The home of the person at this desktop.
    pub fn home(&self) -> PathBuf {
        self.home.path().join("home")
    }

    /// Where the app keeps its data.
    pub fn data(&self) -> PathBuf {
        self.home().join(".local/share/dev.palettekeys.app")
    }

    /// Every file below the home and the runtime folder, the keychain's own file left out.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in ["home", "run"] {
            walk(&self.home.path().join(folder), &mut found);
        }
        found.retain(|path| !path.components().any(|part| part.as_os_str() == "keyrings"));
        found
    }

    /// Files with these bytes in them.
    pub fn files_with(&self, bytes: &[u8]) -> Vec<PathBuf> {
        let mut files = self.files();
        files.retain(|path| {
            fs::read(path).unwrap_or_default().windows(bytes.len()).any(|part| part == bytes)
        });
        files
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Kept for whoever reads the failure; the home itself goes.
            let folder = target().join("e2e-failures");
            let _ = fs::create_dir_all(&folder);
            let _ = fs::copy(self.app_log(), folder.join(format!("{}.log", test_name())));
            if let Some(session) = self.running.as_ref().and_then(|run| run.session.clone()) {
                photograph(session, folder.join(format!("{}.png", test_name())));
            }
        }
        if let Some(running) = self.running.take() {
            end_process(running.pid, true);
        }
    }
}

/// Last picture of a failed test. The test's runtime is in the middle of a panic, so this takes a
/// thread and a runtime of its own.
fn photograph(session: Session, path: PathBuf) {
    if path.exists() && path.metadata().and_then(|m| m.modified()).is_ok_and(is_recent) {
        return;
    }
    let taken = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        let picture =
            async { tokio::time::timeout(Duration::from_secs(5), session.picture()).await };
        fs::write(path, runtime.block_on(picture).ok()?.ok()?).ok()
    });
    let _ = taken.join();
}

/// Whether [`Page::fail`] has just made it.
fn is_recent(time: std::time::SystemTime) -> bool {
    time.elapsed().is_ok_and(|age| age < Duration::from_secs(20))
}

fn has_ended(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // A process that nobody has waited for yet is over as well.
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z'))
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

fn path_variable() -> (String, String) {
    ("PATH".to_owned(), std::env::var("PATH").unwrap_or_default())
}

fn environment(top: &Path, display: &str) -> Vec<(String, String)> {
    let home = top.join("home");
    let run = top.join("run");
    for folder in [&home, &run, &home.join(".config"), &home.join(".cache")] {
        fs::create_dir_all(folder).expect("a folder of the home");
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).expect("private");
    }
    let text = |path: PathBuf| path.display().to_string();
    let pair = |name: &str, value: String| (name.to_owned(), value);
    vec![
        path_variable(),
        pair("HOME", text(home.clone())),
        pair("XDG_CONFIG_HOME", text(home.join(".config"))),
        pair("XDG_DATA_HOME", text(home.join(".local/share"))),
        pair("XDG_STATE_HOME", text(home.join(".local/state"))),
        pair("XDG_CACHE_HOME", text(home.join(".cache"))),
        pair("XDG_RUNTIME_DIR", text(run.clone())),
        pair("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", text(run.join("bus")))),
        pair("DISPLAY", format!(":{display}")),
        pair("GDK_BACKEND", "x11".to_owned()),
        pair("LANG", "C.UTF-8".to_owned()),
        pair("TZ", "Europe/Berlin".to_owned()),
        // The bus has no accessibility service and no settings daemon to wait for.
        pair("NO_AT_BRIDGE", "1".to_owned()),
        pair("GSETTINGS_BACKEND", "memory".to_owned()),
        // Without it the app is no automation target and the driver waits for ever.
        pair("TAURI_WEBVIEW_AUTOMATION", "true".to_owned()),
        // The app switches this renderer off where nobody has chosen; WebKitGTK's screenshots come
        // from it, and the driver waits for ever for one that cannot be taken.
        pair("WEBKIT_DISABLE_DMABUF_RENDERER", "0".to_owned()),
        pair("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
    ]
}

async fn start_bus(top: &Path, environment: &[(String, String)], keychain: Keychain) -> Child {
    let socket = top.join("run/bus");
    let services = top.join("services");
    fs::create_dir_all(&services).expect("a folder for services");
    if keychain == Keychain::LockedWithPrompt {
        // The dialog that asks for the keyring's password. On the other stages nothing is started
        // by its name, so that "no keychain" means none.
        let name = "org.gnome.keyring.SystemPrompter";
        let text = format!("[D-BUS Service]\nName={name}\nExec=/usr/libexec/gcr-prompter\n");
        fs::write(services.join(format!("{name}.service")), text).expect("the service is written");
    }
    let rules = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#,
        socket.display(),
        services.display()
    );
    let path = top.join("bus.conf");
    fs::write(&path, rules).expect("the bus is described");
    let bus = Program::new("dbus-daemon", environment)
        .args(&["--nofork".to_owned(), format!("--config-file={}", path.display())])
        .log(&top.join("bus.log"))
        .start();
    eventually("the session bus", async || socket.exists().then_some(())).await;
    bus
}
