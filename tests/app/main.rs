//! The shell's commands on Tauri's mock runtime, with the real permissions, against
//! the simulator. What a command does is tested in core; here: that every command is
//! wired, closed to the wrong window, joined by `op_id`, and that errors keep their JSON.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failed expectation is a failed test, and a figure is printed"
)]

mod lock;
mod tray;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use palette_keys::{commands, desk::Desk};
use palette_keys_core::{
    PaletteKeys, Secret,
    clock::SystemClock,
    keychain::{BoxFuture, EntryName, KeychainError, KeychainView, MemoryKeychain, SecretStore},
    palette_keys::Parts,
    store::Store,
};
use palette_sim::{Sim, SimOptions};
use serde_json::{Value, json};
use tauri::{
    App, Manager, WebviewWindow, WebviewWindowBuilder,
    ipc::{CallbackFn, InvokeBody},
    test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder},
    webview::InvokeRequest,
};
use tokio::sync::Notify;

/// An app without a screen, in a home of its own.
struct Stage {
    app: App<MockRuntime>,
    sim: Sim,
    _home: tempfile::TempDir,
}

impl Stage {
    fn open() -> Self {
        let stage = Self::without_window();
        palette_keys::windows::open_main(stage.app.handle(), Default::default())
            .expect("the main window opens");
        stage
    }

    /// The app as a start at login leaves it.
    fn without_window() -> Self {
        Self::with_keychain(Arc::new(MemoryKeychain::new()))
    }

    fn with_keychain(keychain: Arc<dyn SecretStore>) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let sim = tauri::async_runtime::block_on(palette_sim::start(SimOptions {
            rate_limit: false,
            ..SimOptions::default()
        }))
        .expect("the simulator starts");
        let (store, notices) = Store::open(home.path()).expect("the store opens");
        let keys = PaletteKeys::open(Parts {
            store,
            keychain,
            clock: Arc::new(SystemClock),
            notices,
            demo: true,
            version: "0.0.0-test".to_owned(),
        });
        let app = palette_keys::builder(mock_builder())
            .build(palette_keys::context())
            .expect("the app builds");
        palette_keys::prepare(app.handle(), keys, false).expect("the app has its state");
        Self { app, sim, _home: home }
    }

    fn main(&self) -> WebviewWindow<MockRuntime> {
        self.app.get_webview_window("main").expect("the main window is open")
    }

    fn window(&self, label: &str) -> WebviewWindow<MockRuntime> {
        self.app.get_webview_window(label).unwrap_or_else(|| {
            WebviewWindowBuilder::new(&self.app, label, Default::default())
                .build()
                .expect("a window")
        })
    }

    fn connect(&self) -> String {
        let view = call(&self.main(), "connect", self.as_admin()).expect("the connection is made");
        view["connection"]["id"].as_str().expect("an id").to_owned()
    }

    fn as_admin(&self) -> Value {
        json!({
            "opId": "connect-1",
            "address": self.sim.origin(),
            "signIn": { "method": "apiKey", "apiKey": self.sim.admin().api_key },
            "name": "", "colour": "indigo", "caCertificate": null,
            "proxy": { "kind": "none" }, "inMemoryOnly": false,
        })
    }
}

/// A keychain that prompts its person before each answer, once told to: whoever asks waits until
/// [`Prompting::answered`], for ever if need be.
#[derive(Default)]
struct Prompting {
    memory: MemoryKeychain,
    prompts: AtomicBool,
    asked: AtomicUsize,
    answered: Notify,
}

impl Prompting {
    fn answer<'a, T: Send + 'a>(&'a self, answer: BoxFuture<'a, T>) -> BoxFuture<'a, T> {
        Box::pin(async move {
            if self.prompts.load(Ordering::Acquire) {
                self.asked.fetch_add(1, Ordering::AcqRel);
                self.answered.notified().await;
            }
            answer.await
        })
    }
}

impl SecretStore for Prompting {
    fn write(
        &self,
        entry: EntryName,
        label: String,
        value: Secret,
    ) -> BoxFuture<'_, Result<(), KeychainError>> {
        self.answer(self.memory.write(entry, label, value))
    }

    fn read(&self, entry: EntryName) -> BoxFuture<'_, Result<Secret, KeychainError>> {
        self.answer(self.memory.read(entry))
    }

    fn remove(&self, entry: EntryName) -> BoxFuture<'_, Result<bool, KeychainError>> {
        self.answer(self.memory.remove(entry))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), KeychainError>> {
        self.answer(self.memory.probe())
    }

    fn view(&self) -> BoxFuture<'_, KeychainView> {
        self.memory.view()
    }
}

/// Calls a command as the page in `window` would.
fn call(
    window: &WebviewWindow<MockRuntime>,
    command: &str,
    request: Value,
) -> Result<Value, Value> {
    let body = if request.is_null() { json!({}) } else { json!({ "request": request }) };
    let url = if cfg!(windows) { "http://tauri.localhost" } else { "tauri://localhost" };
    get_ipc_response(
        window,
        InvokeRequest {
            cmd: command.to_owned(),
            callback: CallbackFn(0),
            error: CallbackFn(1),
            url: url.parse().expect("a URL"),
            body: InvokeBody::Json(body),
            headers: Default::default(),
            invoke_key: INVOKE_KEY.to_owned(),
        },
    )
    .map(|body| body.deserialize::<Value>().expect("an answer in JSON"))
}

fn create(connection: &str, op_id: &str, name: &str) -> Value {
    json!({
        "opId": op_id, "connection": connection, "name": name, "description": "made by a test",
        "ownerUid": null, "expiry": { "kind": "days", "days": 30 }, "saveToKeychain": true,
    })
}

#[test]
fn a_first_start_has_no_connection_and_offers_the_demo() {
    let stage = Stage::open();
    let start = call(&stage.main(), "start", json!({ "begins": true })).expect("start answers");
    assert_eq!(start["connections"], json!([]));
    assert_eq!(start["active"], Value::Null);
    assert_eq!(start["demo"], true);
    assert_eq!(start["settings"]["clipboardSeconds"], 30);
}

#[test]
fn connect_list_create_revoke_through_the_commands() {
    let stage = Stage::open();
    let connection = stage.connect();
    let main = stage.main();

    let list = call(&main, "list_keys", json!({ "connection": connection, "refresh": true }))
        .expect("a list");
    let before = list["keys"].as_array().expect("keys").len();
    assert_eq!(before, stage.sim.keys().len(), "an admin sees every key");

    let made =
        call(&main, "create_key", create(&connection, "create-1", "made-by-ipc")).expect("a key");
    assert_eq!(made["kind"], "created", "{made}");
    let uid = made["held"]["uid"].as_str().expect("the key was found in a fresh list").to_owned();
    assert_eq!(made["held"]["saved"]["kind"], "saved");
    assert_eq!(made["held"]["proof"]["kind"], "works");

    let revoked = call(
        &main,
        "revoke_key",
        json!({ "opId": "revoke-1", "connection": connection, "uid": uid }),
    )
    .expect("an answer");
    assert_eq!(revoked["kind"], "confirmed", "{revoked}");
    assert!(!stage.sim.key(&uid).expect("the key is there").active);
}

#[test]
fn no_answer_to_the_main_window_holds_a_value() {
    let stage = Stage::open();
    let connection = stage.connect();
    let main = stage.main();
    let mut said = String::new();
    let mut hear = |answer: Result<Value, Value>| match answer {
        Ok(value) | Err(value) => said.push_str(&value.to_string()),
    };
    hear(call(&main, "create_key", create(&connection, "create-1", "quiet")));
    let key =
        stage.sim.keys().into_iter().find(|key| key.name == "quiet").expect("the key was made");
    hear(call(&main, "held_values", Value::Null));
    hear(call(&main, "list_keys", json!({ "connection": connection, "refresh": true })));
    hear(call(&main, "key_details", json!({ "connection": connection, "uid": key.uid })));
    hear(call(&main, "list_activity", json!({ "connection": null, "before": null, "limit": 50 })));
    hear(call(&main, "start", json!({ "begins": true })));
    for (what, secret) in
        [("the new value", &key.value), ("the credential", &stage.sim.admin().api_key)]
    {
        assert!(!said.contains(secret.as_str()), "{what} reached the main window");
    }
}

#[test]
fn the_same_creation_twice_makes_one_key() {
    let stage = Stage::open();
    let connection = stage.connect();
    let main = stage.main();
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let (main, connection) = (main.clone(), connection.clone());
                scope.spawn(move || {
                    call(&main, "create_key", create(&connection, "press-1", "once"))
                        .expect("an answer")
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().expect("no panic")).collect()
    });
    let posts = stage
        .sim
        .requests()
        .iter()
        .filter(|r| r.method == "POST" && r.path == "/v1/apiKeys")
        .count();
    assert_eq!(posts, 1, "one press, one POST");
    assert_eq!(stage.sim.keys().iter().filter(|key| key.name == "once").count(), 1);
    assert!(
        answers.iter().all(|answer| answer == &answers[0]),
        "every caller gets the same answer"
    );
}

#[test]
fn errors_keep_their_json() {
    let stage = Stage::open();
    let main = stage.main();
    let error = call(&main, "parse_address", json!({ "address": "http://palette.example" }))
        .expect_err("plain http");
    assert_eq!(error["code"], "addressNotSecure");
    assert!(error["message"].as_str().is_some_and(|words| !words.is_empty()));
    assert_eq!(error["details"], Value::Null);

    let error = call(&main, "list_keys", json!({ "connection": "nobody", "refresh": true }))
        .expect_err("unknown");
    assert_eq!(error["code"], "connectionUnknown");

    let connection = stage.connect();
    let error =
        call(&main, "create_key", create(&connection, "create-9", "   ")).expect_err("no name");
    assert_eq!(error["code"], "nameEmpty");
    assert!(
        stage.sim.requests().iter().all(|r| r.method != "POST" || r.path != "/v1/apiKeys"),
        "nothing was sent"
    );
}

#[test]
fn a_wrong_key_is_refused_and_leaves_nothing_behind() {
    let stage = Stage::open();
    let error = call(
        &stage.main(),
        "connect",
        json!({
            "opId": "connect-1", "address": stage.sim.origin(),
            "signIn": { "method": "apiKey", "apiKey": "x".repeat(32) },
            "name": "", "colour": "indigo", "caCertificate": null, "proxy": { "kind": "none" }, "inMemoryOnly": false,
        }),
    )
    .expect_err("a wrong key");
    assert_eq!(error["code"], "credentialRejected");
    assert!(!error.to_string().contains(&"x".repeat(32)), "the key is not echoed");
    let start = call(&stage.main(), "start", json!({ "begins": true })).expect("start answers");
    assert_eq!(start["connections"], json!([]));
}

/// Every command from every window: the wrong window is refused by Tauri itself.
#[test]
fn commands_are_closed_to_the_wrong_window() {
    let stage = Stage::open();
    let mut refused = 0;
    for name in commands::NAMES {
        let of_reveal = name.starts_with("reveal_") && *name != "reveal_value";
        let wrong: &[&str] =
            if of_reveal { &["main", "stranger"] } else { &["reveal", "stranger"] };
        for label in wrong {
            let error = call(&stage.window(label), name, json!({})).expect_err("refused");
            assert!(error.to_string().contains("not allowed"), "{name} from {label}: {error}");
            refused += 1;
        }
    }
    for command in [
        "plugin:store|load",
        "plugin:dialog|open",
        "plugin:fs|read_text_file",
        "plugin:window|close",
        "plugin:webview|create_webview",
    ] {
        for label in ["main", "reveal"] {
            assert!(
                call(&stage.window(label), command, json!({ "path": "/tmp/x" })).is_err(),
                "{command} from {label}"
            );
            refused += 1;
        }
    }
    println!("refused {refused}/{refused}");
}

#[test]
fn a_value_waits_until_somebody_keeps_it() {
    let stage = Stage::open();
    let connection = stage.connect();
    let main = stage.main();
    let mut request = create(&connection, "create-1", "unkept");
    request["saveToKeychain"] = json!(false);
    call(&main, "create_key", request).expect("a key");
    let error =
        call(&main, "finish_held", json!({ "opId": "f-1", "held": "create-1", "finish": "kept" }))
            .expect_err("nobody kept it");
    assert_eq!(error["code"], "valueNotKept");
    assert_eq!(stage.app.state::<Desk>().keys.held_values().len(), 1);

    call(&main, "save_held_to_keychain", json!({ "held": "create-1" })).expect("saved");
    call(&main, "finish_held", json!({ "opId": "f-2", "held": "create-1", "finish": "kept" }))
        .expect("closed");
    assert_eq!(call(&main, "held_values", Value::Null).expect("a list"), json!([]));
}

/// `trust.md` check 29: the settings that everything else stands on.
#[test]
fn the_configuration_is_the_strict_one() {
    let text = include_str!("../../tauri.conf.json");
    let config: Value = serde_json::from_str(text).expect("JSON");
    let app = &config["app"];
    let cargo = include_str!("../../Cargo.toml");
    let checks = [
        ("no window from the configuration", app["windows"] == json!([])),
        ("no global Tauri object", app["withGlobalTauri"] == false),
        ("prototypes are frozen", app["security"]["freezePrototype"] == true),
        ("no asset protocol", app["security"]["assetProtocol"]["enable"] == false),
        ("capabilities are named", app["security"]["capabilities"] == json!(["main", "reveal"])),
        ("nothing by default", app["security"]["csp"]["default-src"] == "'none'"),
        ("scripts are ours", app["security"]["csp"]["script-src"] == "'self'"),
        ("styles are ours", app["security"]["csp"]["style-src"] == "'self'"),
        (
            "the page reaches no host",
            app["security"]["csp"]["connect-src"] == "ipc: http://ipc.localhost",
        ),
        ("no frames", app["security"]["csp"]["frame-src"] == "'none'"),
        ("unused commands are left out", config["build"]["removeUnusedCommands"] == true),
        (
            "no IPC tracing, no devtools",
            !cargo.contains("\"tracing\"]") && !cargo.contains("devtools"),
        ),
    ];
    let failed: Vec<_> = checks.iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect();
    assert!(failed.is_empty(), "{failed:?}");
    println!("{}/{}", checks.len(), checks.len());
}
