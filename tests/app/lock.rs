//! The lock: what a locked app gives its window, what the tray still does, and who opens it again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use palette_keys::{
    agent,
    commands::NAMES,
    lock::{self, Doorman, Lock},
};
use palette_keys_core::{ErrorCode, Failure, keychain::BoxFuture, tray::TrayId};
use serde_json::{Value, json};
use tauri::{Listener, Manager};

use super::{Prompting, Stage, call, create};

/// Somebody at the door who can be told what to say.
#[derive(Clone, Default)]
struct Door {
    refuses: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

impl Doorman for Door {
    fn asks(&self) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn admits(&self) -> BoxFuture<'_, Result<(), Failure>> {
        self.asked.fetch_add(1, Ordering::AcqRel);
        let refuses = self.refuses.load(Ordering::Acquire);
        let no = Failure::new(ErrorCode::NotRecognised, "Not you.");
        Box::pin(std::future::ready(if refuses { Err(no) } else { Ok(()) }))
    }
}

fn settings(stage: &Stage) -> Value {
    call(&stage.main(), "start", json!({ "begins": false })).expect("a start")["settings"].clone()
}

fn with_minutes(stage: &Stage, minutes: Option<u32>) -> Result<Value, Value> {
    let mut settings = settings(stage);
    settings["lockAfterMinutes"] = json!(minutes);
    call(&stage.main(), "save_settings", settings)
}

#[test]
fn a_locked_app_gives_its_window_nothing() {
    let stage = Stage::open();
    let connection = stage.connect();
    let heard = Arc::new(AtomicUsize::new(0));
    let counts = heard.clone();
    stage.main().listen("connections-changed", move |_| {
        counts.fetch_add(1, Ordering::AcqRel);
    });
    call(&stage.main(), "lock_now", Value::Null).expect("it locks");
    let state = call(&stage.main(), "lock_state", Value::Null).expect("it says so");
    assert_eq!(state, json!({ "locked": true, "asks": false }));

    // Every command there is, without a word about what it would need.
    let open = ["lock_state", "lock_now", "in_use", "shows", "painted", "background"];
    let not_tried = ["unlock", "quit", "clear_clipboard"];
    let other_window = ["reveal_take", "reveal_copy", "reveal_close"];
    let mut refused = 0;
    for name in NAMES {
        if open.contains(name) || not_tried.contains(name) || other_window.contains(name) {
            continue;
        }
        let request = if *name == "start" { json!({ "begins": true }) } else { Value::Null };
        let failure = call(&stage.main(), name, request).expect_err(name);
        assert_eq!(failure["code"], "appLocked", "{name}: {failure}");
        refused += 1;
    }
    assert_eq!(refused, NAMES.len() - open.len() - not_tried.len() - other_window.len());
    assert!(refused > 50, "{refused}");

    // Nor is it told anything.
    agent::background_changed(stage.app.handle());
    palette_keys::events::connections_changed(stage.app.handle());
    assert_eq!(heard.load(Ordering::Acquire), 0);

    call(&stage.main(), "unlock", Value::Null).expect("nobody asks here");
    palette_keys::events::connections_changed(stage.app.handle());
    assert_eq!(heard.load(Ordering::Acquire), 1);
    let start = call(&stage.main(), "start", json!({ "begins": true })).expect("a start");
    assert_eq!(start["active"], json!(connection));
}

#[test]
fn only_who_is_recognised_unlocks_it_and_a_restart_does_not() {
    let stage = Stage::open();
    let door = Door::default();
    let app = stage.app.handle();
    app.state::<Lock>().proved_by(Box::new(door.clone()));
    // Switching it on asks, so that nobody is shut out later; and says no where it is refused.
    door.refuses.store(true, Ordering::Release);
    assert_eq!(with_minutes(&stage, Some(5)).expect_err("refused")["message"], "Not you.");
    assert_eq!(settings(&stage)["lockAfterMinutes"], Value::Null);
    door.refuses.store(false, Ordering::Release);
    with_minutes(&stage, Some(5)).expect("it is saved");
    assert_eq!(door.asked.load(Ordering::Acquire), 2);
    with_minutes(&stage, Some(10)).expect("a change asks nothing");
    let failure = with_minutes(&stage, Some(0)).expect_err("out of its range");
    assert_eq!(failure["code"], "settingInvalid");
    assert_eq!(door.asked.load(Ordering::Acquire), 2);

    call(&stage.main(), "lock_now", Value::Null).expect("it locks");
    let keys = &app.state::<palette_keys::desk::Desk>().keys;
    assert!(keys.was_locked(), "the next start is a locked one");
    door.refuses.store(true, Ordering::Release);
    let failure = call(&stage.main(), "unlock", Value::Null).expect_err("refused");
    assert_eq!(
        (&failure["code"], &failure["message"]),
        (&json!("notRecognised"), &json!("Not you."))
    );
    // Neither does using it open it.
    call(&stage.main(), "in_use", Value::Null).expect("heard");
    assert!(lock::is_locked(app) && keys.was_locked());
    door.refuses.store(false, Ordering::Release);
    call(&stage.main(), "unlock", Value::Null).expect("recognised");
    assert!(!lock::is_locked(app) && !keys.was_locked());
}

#[test]
fn a_value_that_the_keychain_gives_behind_the_lock_goes_nowhere() {
    let keychain = Arc::new(Prompting::default());
    let stage = Stage::with_keychain(keychain.clone());
    palette_keys::windows::open_main(stage.app.handle(), Default::default()).expect("a window");
    let connection = stage.connect();
    let made = create(&connection, "create-1", "late");
    let made = call(&stage.main(), "create_key", made).expect("a key");
    let uid = made["held"]["uid"].as_str().expect("it is known").to_owned();
    let kept = json!({ "opId": "kept", "held": "create-1", "finish": "kept" });
    call(&stage.main(), "finish_held", kept).expect("it is kept");
    let source = json!({ "kind": "stored", "connection": connection, "uid": uid });
    keychain.prompts.store(true, Ordering::Release);
    let copy = json!({ "source": source, "shape": "value" });
    for (round, (command, request)) in
        [("copy_value", copy), ("reveal_value", source)].into_iter().enumerate()
    {
        let main = stage.main();
        let asking = std::thread::spawn(move || call(&main, command, request));
        while keychain.asked.load(Ordering::Acquire) == round {
            std::thread::sleep(Duration::from_millis(5));
        }
        call(&stage.main(), "lock_now", Value::Null).expect("it locks");
        keychain.answered.notify_one();
        let failure = asking.join().expect("an answer").expect_err("locked");
        assert_eq!(failure["code"], "appLocked", "{command}: {failure}");
        assert!(stage.app.get_webview_window("reveal").is_none(), "{command}");
        call(&stage.main(), "unlock", Value::Null).expect("it opens");
        let lines = json!({ "connection": null, "before": null, "limit": 1 });
        let lines = call(&stage.main(), "list_activity", lines).expect("lines");
        assert_eq!(lines[0]["state"], "failed", "{command}: {lines}");
    }
}

#[test]
fn the_tray_of_a_locked_app_takes_keys_out_of_service_and_nothing_else() {
    let stage = Stage::open();
    let connection = stage.connect();
    let app = stage.app.handle();
    let admin = stage.sim.admin();
    let own = |name: &str| {
        let keys = stage.sim.keys();
        let key = keys.iter().find(|key| key.name == name && key.owner_uid == admin.uid);
        key.expect("a key").clone()
    };
    let key = own("ci-prod");
    let uid = || palette_keys_core::keys::KeyUid::new(&key.uid).expect("a uid");
    call(
        &stage.main(),
        "list_keys",
        json!({ "connection": connection, "refresh": true, "have": null }),
    )
    .expect("a list");
    call(&stage.main(), "lock_now", Value::Null).expect("it locks");

    let act = |id: TrayId| tauri::async_runtime::block_on(agent::act(app, id));
    act(TrayId::Renew { connection: connection.clone(), uid: uid() });
    act(TrayId::Copy { connection: connection.clone(), uid: uid() });
    assert_eq!(own("ci-prod"), key, "nothing was done to it");
    act(TrayId::Revoke { connection: connection.clone(), uid: uid() });
    let began = std::time::Instant::now();
    while stage.sim.key(&key.uid).expect("it is there").active {
        assert!(began.elapsed() < Duration::from_secs(20), "it is revoked");
        std::thread::sleep(Duration::from_millis(20));
    }
    act(TrayId::Undo { connection, uid: uid() });
    std::thread::sleep(Duration::from_millis(300));
    assert!(!stage.sim.key(&key.uid).expect("it is there").active, "and stays so");
}
