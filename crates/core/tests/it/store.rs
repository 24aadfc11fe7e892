//! The store against real files: rights, reopening, damage, power cuts, two at once.

use jiff::Timestamp;
use palette_keys_core::{
    ErrorCode,
    api::Person,
    connection::{Colour, IdentityView, ProxyChoice, Sees, SignInMethod},
    keys::{
        ApiKey, KeyUid,
        activity::{Act, ActState, ActivityRequest},
    },
    outbox::OutboxAction,
    settings::{Appearance, Settings},
    store::{
        CachedList, ConnectionRecord, CreateIntent, FILE_NAME, IntentState, JournalEntry,
        JournalId, JournalOutcome, NewRecord, OutboxRecord, Recorded, Store, StoreError,
    },
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn record(id: &str, position: u32) -> ConnectionRecord {
    ConnectionRecord {
        id: id.into(),
        name: format!("name of {id}"),
        colour: Colour::Teal,
        origin: "https://api.example.test".into(),
        method: SignInMethod::ApiKey,
        email: None,
        organization: Some("acme".into()),
        ca_certificate: None,
        proxy: ProxyChoice::System,
        demo: false,
        in_memory_only: false,
        signing_key_uid: Some("5f1b9e".into()),
        credential_key: None,
        sign_in: Default::default(),
        position,
    }
}

fn key(number: usize) -> ApiKey {
    ApiKey {
        uid: KeyUid::new(&format!("{number:024x}")).unwrap(),
        name: format!("ci-prod-{number} \u{202e}<b>&\"'\n"),
        description: "used by the nightly build of everything".into(),
        annotations: BTreeMap::from([("description".into(), "used by the nightly build".into())]),
        labels: BTreeMap::from([("team".into(), "spectro__tag".into())]),
        owner_uid: format!("owner-{}", number % 40),
        owner_name: "Jane Doe".into(),
        made_by_uid: None,
        permissions: vec!["update".into(), "delete".into()],
        created: Some(at(number as i64)),
        modified: Some(at(number as i64 + 1)),
        deleted: None,
        expires: (!number.is_multiple_of(7)).then(|| at(86_400_000)),
        active: !number.is_multiple_of(5),
    }
}

fn list(keys: usize) -> CachedList {
    CachedList {
        as_of: at(0),
        keys: (0..keys).map(key).collect(),
        skipped: 2,
        people: Some(
            (0..40)
                .map(|number| Person {
                    uid: format!("owner-{number}"),
                    name: "Jane Doe".into(),
                    email: "jane@example.test".into(),
                    active: Some(true),
                    last_sign_in: Some(at(3)),
                    roles: Vec::new(),
                })
                .collect(),
        ),
        people_as_of: None,
        roles: None,
        identity: IdentityView {
            user_uid: "u".into(),
            tenant_uid: "t".into(),
            organization: "acme".into(),
            name: "Jane Doe".into(),
            email: Some("jane@example.test".into()),
            roles: vec!["Tenant Admin".into()],
            sees: Sees::EveryKey,
            may_create_for_others: true,
            may_list_people: true,
            may_read_audits: false,
        },
        quota: Some(20),
        clock_offset_ms: -1500,
    }
}

fn intent(op_id: &str, asked: i64) -> CreateIntent {
    CreateIntent {
        op_id: op_id.into(),
        connection: "one".into(),
        name: "ci-prod".into(),
        description: String::new(),
        owner_uid: "u".into(),
        expires: at(86_400_000),
        uids_before: (0..20).map(|number| format!("{number:024x}")).collect(),
        asked_at: at(asked),
        state: IntentState::Asked,
    }
}

fn entry(act: Act, uid: &str, ms: i64) -> JournalEntry {
    JournalEntry {
        connection: "one".into(),
        connection_name: "acme".into(),
        act,
        key_uid: Some(uid.into()),
        key_name: Some("ci-prod".into()),
        owner_name: Some("Jane Doe".into()),
        detail: "PUT state".into(),
        at: at(ms),
    }
}

fn all() -> ActivityRequest {
    ActivityRequest { connection: None, before: None, limit: 200, filter: Default::default() }
}

fn open(dir: &Path) -> Store {
    let (store, notices) = Store::open(dir).unwrap();
    assert_eq!(notices, Vec::<String>::new());
    store
}

fn fill(store: &Store, keys: usize, lines: i64) {
    for (position, id) in ["one", "two", "three"].into_iter().enumerate() {
        store.put_connection(&record(id, position as u32)).unwrap();
    }
    store.set_active_connection(Some("two")).unwrap();
    store.put_list("one", &list(keys)).unwrap();
    store.mark_stored("one", "uid-1", "ci-prod", at(5)).unwrap();
    store.put_intent(&intent("op-1", 1)).unwrap();
    store.save_settings(&Settings { lead_days: 21, ..Settings::default() }).unwrap();
    for number in 0..lines {
        let id = store.ask(&entry(Act::Renew, &format!("uid-{number}"), number)).unwrap();
        let outcome = JournalOutcome {
            before: Some(key(1)),
            after: Some(key(2)),
            ..JournalOutcome::new(ActState::Done, "PUT → 204", at(number))
        };
        store.outcome(id, &outcome).unwrap();
    }
}

/// Everything a store remembers, for comparing.
#[derive(Debug, PartialEq)]
struct Remembered {
    connections: Vec<ConnectionRecord>,
    active: Option<String>,
    list: Option<CachedList>,
    stored: HashSet<String>,
    intents: Vec<CreateIntent>,
    settings: Settings,
    journal: Vec<palette_keys_core::keys::activity::ActivityView>,
}

fn remembered(store: &Store) -> Remembered {
    Remembered {
        connections: store.list_connections().unwrap(),
        active: store.active_connection().unwrap(),
        list: store.list("one").unwrap(),
        stored: store.stored_uids("one").unwrap(),
        intents: store.intents(None).unwrap(),
        settings: store.settings().unwrap(),
        journal: store.activity(&all()).unwrap(),
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn kept(dir: &Path) -> Vec<PathBuf> {
    let damaged = names(dir).into_iter().filter(|name| name.contains(".corrupt-"));
    damaged.map(|name| dir.join(name)).collect()
}

#[test]
fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let store = open(dir.path());
        fill(&store, 50, 30);
        remembered(&store)
    };
    assert_eq!(before.connections.len(), 3);
    assert_eq!(before.active.as_deref(), Some("two"));
    assert_eq!(before.list, Some(list(50)));
    assert_eq!(before.journal.len(), 30);
    assert_eq!(remembered(&open(dir.path())), before);
}

#[test]
fn a_clone_shares_the_file_and_memory_forgets() {
    let store = Store::open_in_memory().unwrap();
    fill(&store.clone(), 3, 2);
    assert_eq!(store.list_connections().unwrap().len(), 3);
    assert!(Store::open_in_memory().unwrap().list_connections().unwrap().is_empty());
}

#[cfg(unix)]
mod rights {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn assert_private(dir: &Path) {
        assert_eq!(mode(dir), 0o700, "directory");
        let names = names(dir);
        assert!(names.iter().any(|name| name.ends_with("-wal")), "the log exists while open");
        assert!(names.iter().any(|name| name.ends_with("-shm")));
        for name in names {
            assert_eq!(mode(&dir.join(&name)), 0o600, "{name}");
        }
    }

    /// Run by the test below, with the umask of its parent.
    #[test]
    #[ignore = "run by files_are_for_their_owner_only"]
    fn inside() {
        let dir = PathBuf::from(std::env::var_os("STORE_DIR").unwrap());
        let store = open(&dir);
        fill(&store, 5, 5);
        assert_private(&dir);
    }

    #[test]
    fn files_are_for_their_owner_only() {
        for umask in ["000", "022", "077"] {
            let dir = tempfile::tempdir().unwrap();
            let status = Command::new("sh")
                .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
                .arg(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "store::rights::inside"])
                .env("STORE_DIR", dir.path().join("a/b"))
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "umask {umask}");
        }
    }

    #[test]
    fn loose_rights_are_tightened_when_opened() {
        let dir = tempfile::tempdir().unwrap();
        fill(&open(dir.path()), 5, 5);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in names(dir.path()) {
            let path = dir.path().join(name);
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let store = open(dir.path());
        store.set_active_connection(None).unwrap();
        assert_private(dir.path());
    }
}

/// Damages a copy of the file, opens it, and checks what the person was promised.
fn survives(
    name: &str,
    whole: &[u8],
    before: &Remembered,
    damage: impl FnOnce(&mut Vec<u8>),
) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let mut bytes = whole.to_vec();
    damage(&mut bytes);
    fs::write(&path, &bytes).unwrap();

    let (store, notices) = Store::open(dir.path()).unwrap_or_else(|e| panic!("{name}: {e}"));
    let noticed = !notices.is_empty();
    let kept = kept(dir.path());
    if noticed && kept.is_empty() {
        // Rows of a good file: they alone are missing.
        assert_eq!(notices.len(), 1, "{name}");
        let after = remembered(&store);
        assert!(after.connections.iter().all(|c| before.connections.contains(c)), "{name}");
        assert!(after.intents.iter().all(|intent| before.intents.contains(intent)), "{name}");
        assert!(after.list.is_none() || after.list == before.list, "{name}: a wrong list");
        assert!(
            after.settings == before.settings || after.settings == Settings::default(),
            "{name}"
        );
    } else if noticed {
        assert_eq!(notices.len(), 1, "{name}");
        assert_eq!(kept.len(), 1, "{name}: {kept:?}");
        assert_eq!(fs::read(&kept[0]).unwrap(), bytes, "{name}: kept as it was");
        let file = kept[0].file_name().unwrap().to_str().unwrap();
        assert!(notices[0].contains(file), "{name}: the notice names the file");
        assert_eq!(store.list_connections(), Ok(vec![]), "{name}");
    } else {
        // What no check sees is at most a word of the journal. Nothing fails to read.
        let after = remembered(&store);
        assert_eq!(after.connections, before.connections, "{name}");
        assert_eq!(after.intents, before.intents, "{name}");
        assert!(after.list.is_none() || after.list == before.list, "{name}: a wrong list");
    }
    // It works, and goes on working.
    store.put_connection(&record("new", 9)).unwrap_or_else(|e| panic!("{name}: {e}"));
    store.ask(&entry(Act::Revoke, "x", 1)).unwrap_or_else(|e| panic!("{name}: {e}"));
    drop(store);
    let (store, notices) = Store::open(dir.path()).unwrap();
    assert_eq!(notices, Vec::<String>::new(), "{name}: told once");
    assert!(store.list_connections().unwrap().iter().any(|c| c.id == "new"), "{name}");
    noticed
}

fn whole_file() -> (Vec<u8>, Remembered) {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let store = open(dir.path());
        fill(&store, 60, 40);
        remembered(&store)
    };
    assert!(!dir.path().join(format!("{FILE_NAME}-wal")).exists(), "closing empties the log");
    (fs::read(dir.path().join(FILE_NAME)).unwrap(), before)
}

#[test]
fn a_truncated_file_is_kept_and_a_new_one_begun() {
    let (whole, before) = whole_file();
    let mut lengths = vec![0, 1, 15, 16, 17, 59, 60, 63, 64, 99, 100, 101, 511, 512, 1024, 4095];
    lengths.extend((1..=whole.len() / 4096 - 1).map(|page| page * 4096));
    lengths.extend([whole.len() - 4096, whole.len() - 1, whole.len() / 2 + 7]);
    for length in lengths {
        let noticed =
            survives(&format!("cut at {length}"), &whole, &before, |bytes| bytes.truncate(length));
        assert!(noticed, "cut at {length}: told");
    }
}

#[test]
fn overwritten_pages_are_noticed_or_harmless() {
    let (whole, before) = whole_file();
    let pages = whole.len() / 4096;
    let mut noticed = 0;
    for page in 0..pages {
        let range = page * 4096..(page + 1) * 4096;
        for (what, byte) in [("NULs", 0_u8), ("0xff", 0xff), ("text", b'x')] {
            let told = survives(&format!("{what} in page {page}"), &whole, &before, |bytes| {
                bytes[range.clone()].fill(byte);
            });
            noticed += usize::from(told);
        }
    }
    assert!(noticed * 10 >= pages * 3 * 8, "{noticed} of {} were noticed", pages * 3);
}

#[test]
fn small_damage_anywhere_never_stops_the_app() {
    let (whole, before) = whole_file();
    // A fixed sequence (xorshift): the same offsets on every run.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..150 {
        let start = next() as usize % whole.len();
        let end = (start + 1 + next() as usize % 64).min(whole.len());
        let noise: Vec<u8> = (start..end).map(|_| next() as u8).collect();
        survives(&format!("round {round}: {start}..{end}"), &whole, &before, |bytes| {
            bytes[start..end].copy_from_slice(&noise);
        });
    }
    // Every byte of the header that says what the file is.
    for start in 0..100 {
        survives(&format!("header byte {start}"), &whole, &before, |bytes| bytes[start] ^= 0x5a);
    }
}

#[test]
fn other_files_in_its_place_are_kept() {
    let (whole, before) = whole_file();
    let other = {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)").unwrap();
        drop(connection);
        fs::read(path).unwrap()
    };
    for (name, content) in [
        ("someone else's database", other),
        ("text", b"hello, this is no database at all\n".repeat(400)),
        ("NULs", vec![0; whole.len()]),
    ] {
        assert!(survives(name, &whole, &before, |bytes| *bytes = content), "{name}");
    }
}

/// A file with everything in it and two confirmed revocations.
fn file_with_revocations(dir: &Path) {
    let store = open(dir);
    fill(&store, 3, 2);
    let revocation = |number, name: &str| {
        let key = ApiKey { name: name.into(), ..key(number) };
        let record = OutboxRecord::new(NewRecord {
            op_id: format!("op-{number}"),
            connection: "one".into(),
            connection_name: "acme".into(),
            origin: "https://api.example.test".into(),
            tenant_uid: Some("t".into()),
            key_uid: key.uid.clone(),
            key: Some(key),
            action: OutboxAction::Revoke,
            asked_at: at(number as i64),
            alone: true,
        });
        Recorded { record, entry: entry(Act::Revoke, "x", 1), before: None }
    };
    store.add_to_outbox(&mut [revocation(1, "ci-prod"), revocation(2, "night\u{202e}ly")]).unwrap();
}

fn damage(dir: &Path, sql: &str) {
    let raw = rusqlite::Connection::open(dir.join(FILE_NAME)).unwrap();
    assert!(raw.execute(sql, []).unwrap() > 0, "{sql}");
}

#[test]
fn a_damaged_row_is_told_once_and_stops_nothing_else() {
    for (sql, said) in [
        ("UPDATE connection SET sum = sum + 1 WHERE id = 'two'", "1 connection."),
        ("UPDATE connection SET record = CAST(x'ff41' AS TEXT) WHERE id = 'two'", "1 connection."),
        ("UPDATE connection SET sum = 0", "3 connections."),
        ("UPDATE intent SET intent = '{}'", "1 unfinished creation."),
        ("INSERT INTO roll VALUES ('r', 'one', 1, 'x', 2)", "1 unfinished roll."),
        ("UPDATE about SET value = 'x' WHERE name = 'settings'", "the settings."),
    ] {
        let dir = tempfile::tempdir().unwrap();
        file_with_revocations(dir.path());
        let whole = remembered(&open(dir.path()));
        damage(dir.path(), sql);
        let (store, notices) = Store::open(dir.path()).unwrap();
        assert_eq!(notices.len(), 1, "{sql}: {notices:?}");
        assert!(notices[0].contains(&format!("wrote it: {said}")), "{sql}: {notices:?}");
        assert_eq!(kept(dir.path()), Vec::<PathBuf>::new(), "{sql}: the file goes on");
        let (waiting, damaged) = store.outbox().unwrap();
        assert_eq!((waiting.len(), damaged.len()), (2, 0), "{sql}: what was confirmed waits on");
        assert_eq!(remembered(&store).journal, whole.journal, "{sql}");
        assert_eq!(store.list_connections().unwrap().len() + store.intents(None).unwrap().len(), {
            let connections = if said.starts_with('3') { 0 } else { 2 };
            match said {
                said if said.contains("connection") => connections + 1,
                said if said.contains("creation") => 3,
                _ => 4,
            }
        });
        assert_eq!(store.rolls(None), Ok(vec![]), "{sql}");
        drop(store);
        // The rows are still there, for whoever can read them, and nobody is told twice.
        open(dir.path());
        let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
        let rows: i64 = raw
            .query_row(
                "SELECT (SELECT count(*) FROM connection) + (SELECT count(*) FROM intent)
                + (SELECT count(*) FROM roll)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(rows, if said.contains("roll") { 5 } else { 4 }, "{sql}");
    }
}

#[test]
fn settings_that_cannot_be_read_are_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()), 1, 1);
    damage(dir.path(), "UPDATE about SET value = '{\"leadDays\":2' WHERE name = 'settings'");
    let (store, notices) = Store::open(dir.path()).unwrap();
    assert!(notices[0].contains("the settings"), "{notices:?}");
    assert_eq!(store.settings(), Ok(Settings::default()));
    store.save_settings(&Settings { lead_days: 5, ..Settings::default() }).unwrap();
    drop(store);
    assert_eq!(open(dir.path()).settings().unwrap().lead_days, 5);
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    let sql = "SELECT value FROM about WHERE name = 'settings.corrupt'";
    let kept: String = raw.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, "{\"leadDays\":2");
}

#[test]
fn revocations_lost_with_a_damaged_file_are_named() {
    let notice = |sql: Option<&str>, damage_file: &dyn Fn(&mut Vec<u8>)| {
        let dir = tempfile::tempdir().unwrap();
        file_with_revocations(dir.path());
        if let Some(sql) = sql {
            damage(dir.path(), sql);
        }
        let path = dir.path().join(FILE_NAME);
        let mut bytes = fs::read(&path).unwrap();
        damage_file(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        let (_, notices) = Store::open(dir.path()).unwrap();
        let kept = kept(dir.path());
        assert_eq!((notices.len(), kept.len()), (1, 1), "{notices:?}");
        assert_eq!(fs::read(&kept[0]).unwrap(), bytes, "kept as it was");
        notices.into_iter().next().unwrap()
    };
    let strange = "DELETE FROM about WHERE name = 'schema'";
    let named = "2 keys that you revoked or deleted may still work, because the server had not \
                 confirmed it: ci-prod of acme, night\u{27e8}U+202E\u{27e9}ly of acme. ";
    let unsure = "Whether the server had confirmed everything";
    let told = notice(Some(strange), &|_| {});
    assert!(told.contains(named) && !told.contains(unsure), "{told}");

    let told = notice(Some("DELETE FROM outbox"), &|bytes| bytes[60..64].fill(9));
    assert!(!told.contains("may still work") && !told.contains(unsure), "{told}");

    let told = notice(Some("UPDATE outbox SET sum = 0 WHERE asked_at % 10 = 2"), &|bytes| {
        bytes[60..64].fill(9);
    });
    assert!(told.contains("1 key that you revoked or deleted may still work"), "{told}");
    assert!(told.contains("ci-prod of acme") && told.contains(unsure), "{told}");

    for gone in [0, 1, 100] {
        let told = notice(None, &|bytes| bytes.truncate(gone));
        assert!(!told.contains("may still work") && told.contains(unsure), "{told}");
    }
}

#[test]
fn a_directory_in_its_place_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(FILE_NAME)).unwrap();
    let (store, notices) = Store::open(dir.path()).unwrap();
    assert_eq!(notices.len(), 1);
    store.put_connection(&record("new", 1)).unwrap();
}

#[test]
fn a_log_without_its_file_is_kept_and_not_applied() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let log = format!("{FILE_NAME}-wal");
    let store = open(dir.path());
    fill(&store, 20, 20);
    fs::copy(dir.path().join(&log), copy.path().join(&log)).unwrap();
    let (other, notices) = Store::open(copy.path()).unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(other.list_connections(), Ok(vec![]));
    let kept = kept(copy.path());
    assert!(kept.iter().any(|path| path.to_str().unwrap().ends_with("-wal")), "{kept:?}");
}

#[test]
fn the_log_is_kept_with_a_damaged_file_and_no_name_is_used_twice() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let copy = tempfile::tempdir().unwrap();
        fill(&open(copy.path()), 5, 5);
        let store = open(copy.path());
        store.mark_stored("one", "uid", "name", at(1)).unwrap();
        // As after a crash: the file with its log, which holds a page of it. The file is damaged.
        for suffix in ["", "-wal", "-shm"] {
            let name = format!("{FILE_NAME}{suffix}");
            fs::copy(copy.path().join(&name), dir.path().join(&name)).unwrap();
        }
        fs::write(dir.path().join(FILE_NAME), b"damaged").unwrap();
        let past = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fs::File::options()
            .append(true)
            .open(dir.path().join(FILE_NAME))
            .unwrap()
            .set_modified(past)
            .unwrap();
        let (_, notices) = Store::open(dir.path()).unwrap();
        assert_eq!(notices.len(), 1);
        assert_eq!(kept(dir.path()).len(), round * 3, "file, log and index of each round");
        assert!(notices[0].contains(".corrupt-20231114T221320Z"), "{}", notices[0]);
    }
}

#[test]
fn a_newer_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    fill(&open(dir.path()), 5, 5);
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer
        .execute_batch(
            "CREATE TABLE from_the_future (x TEXT) STRICT;
             UPDATE about SET value = '9999' WHERE name = 'schema';
             PRAGMA user_version = 9999",
        )
        .unwrap();
    drop(newer);
    let before = fs::read(&path).unwrap();

    let (store, notices) = Store::open(dir.path()).unwrap();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("newer version"), "{}", notices[0]);
    assert_eq!(store.list_connections(), Ok(vec![]));
    store.put_connection(&record("new", 1)).unwrap();
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), before, "not touched");
    assert!(kept(dir.path()).is_empty());
}

#[test]
fn a_damaged_version_is_not_taken_for_a_newer_one() {
    let (whole, before) = whole_file();
    // `user_version` is at offset 60 of the header (SQLite file format).
    let noticed = survives("user_version", &whole, &before, |bytes| bytes[60..64].fill(0x7f));
    assert!(noticed);
}

#[test]
fn what_was_acknowledged_is_there_after_a_power_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in 1..=40 {
        store.ask(&entry(Act::Revoke, &format!("uid-{number}"), number)).unwrap();
        if number % 10 == 0 {
            // What is on the disk at this moment, as another machine would find it.
            let cut = tempfile::tempdir().unwrap();
            for suffix in ["", "-wal"] {
                let name = format!("{FILE_NAME}{suffix}");
                fs::copy(dir.path().join(&name), cut.path().join(&name)).unwrap();
            }
            let lines = open(cut.path()).activity(&all()).unwrap();
            assert_eq!(lines.len() as i64, number);
            assert!(lines.iter().all(|line| line.state == ActState::Asked));
        }
    }
}

#[test]
fn a_torn_log_costs_only_what_was_torn() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 5, 10);
    let log = fs::read(dir.path().join(format!("{FILE_NAME}-wal"))).unwrap();
    for length in (0..=log.len()).step_by(log.len() / 25) {
        let cut = tempfile::tempdir().unwrap();
        fs::copy(dir.path().join(FILE_NAME), cut.path().join(FILE_NAME)).unwrap();
        fs::write(cut.path().join(format!("{FILE_NAME}-wal")), &log[..length]).unwrap();
        let (store, _) = Store::open(cut.path()).unwrap();
        let lines = store.activity(&all()).unwrap();
        let ids: Vec<_> = lines.iter().rev().map(|line| line.id).collect();
        assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>(), "a prefix, no holes");
    }
}

/// Run by the test below: writes until it is killed.
#[test]
#[ignore = "run by a_killed_process_loses_nothing_it_acknowledged"]
fn writes_until_killed() {
    let store = open(&PathBuf::from(std::env::var_os("STORE_DIR").unwrap()));
    for number in 0.. {
        let id = store.ask(&entry(Act::Revoke, "uid", number)).unwrap();
        writeln!(std::io::stdout(), "\nacknowledged {}", id.get()).unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_it_acknowledged() {
    for lines in [3, 25, 60] {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "store::writes_until_killed"])
            .env("STORE_DIR", dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut last = 0;
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in output.map(Result::unwrap).filter(|line| line.starts_with("acknowledged")) {
            last = line.rsplit(' ').next().unwrap().parse::<i64>().unwrap();
            if last >= lines {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(last >= lines, "the child wrote");
        let newest = open(dir.path()).activity(&all()).unwrap()[0].id;
        assert!(newest >= last, "{newest} is there, {last} was acknowledged");
    }
}

#[test]
fn two_stores_share_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|writer| {
                let path = dir.path();
                scope.spawn(move || {
                    let store = open(path);
                    let ids = (0..25).map(|number| {
                        let id =
                            store.ask(&entry(Act::Revoke, &format!("{writer}"), number)).unwrap();
                        let done = JournalOutcome::new(ActState::Done, "204", at(number));
                        store.outcome(id, &done).unwrap();
                        id
                    });
                    ids.collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for of_one in &ids {
        assert!(of_one.is_sorted(), "monotonic for each writer");
    }
    let unique: HashSet<_> = ids.iter().flatten().collect();
    assert_eq!(unique.len(), 100, "no number twice");
    let (one, other) = (open(dir.path()), open(dir.path()));
    one.put_connection(&record("one", 1)).unwrap();
    assert_eq!(other.list_connections().unwrap().len(), 1, "seen by the other at once");
    assert_eq!(other.activity(&all()).unwrap().len(), 100);
}

#[test]
fn a_place_that_cannot_hold_files_is_an_error_in_words() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Store::open(&file.path().join("dir")).err().unwrap();
    assert_eq!(error, StoreError::NotPermitted);
    assert_eq!(error.failure().code, ErrorCode::StoreFailed);
    assert!(Store::open(Path::new("/proc/nothing/here")).is_err());
}

#[test]
fn connections_are_kept_in_their_order_and_forgotten_whole() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    fill(&store, 5, 5);
    store.put_connection(&ConnectionRecord { name: "renamed".into(), ..record("one", 7) }).unwrap();
    let ids: Vec<_> = store.list_connections().unwrap().into_iter().map(|c| c.id).collect();
    assert_eq!(ids, ["two", "three", "one"]);
    store.set_active_connection(Some("one")).unwrap();

    assert_eq!(store.remove_connection("one"), Ok(true));
    assert_eq!(store.remove_connection("one"), Ok(false));
    let after = remembered(&store);
    assert_eq!(after.connections.len(), 2);
    assert_eq!(after.active, None);
    assert_eq!(after.list, None);
    assert!(after.stored.is_empty());
    assert!(after.intents.is_empty());
    assert_eq!(after.journal.len(), 5, "what was done stays on record");

    store.set_active_connection(Some("no such connection")).unwrap();
    assert_eq!(store.active_connection(), Ok(None));
    store.set_active_connection(Some("two")).unwrap();
    store.set_active_connection(None).unwrap();
    assert_eq!(store.active_connection(), Ok(None));
}

#[test]
fn a_connection_that_would_bring_a_secret_to_disk_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let custom = |url: &str| ProxyChoice::Custom { url: url.into() };
    let pem = |kind: &str| Some(format!("-----BEGIN {kind}-----\nc2VjcmV0\n-----END {kind}-----"));
    let refused = [
        ConnectionRecord { proxy: custom("http://user:canary@proxy:3128"), ..record("one", 1) },
        ConnectionRecord { proxy: custom("user:canary@proxy:3128"), ..record("one", 1) },
        ConnectionRecord { proxy: custom("socks5h://u:canary@[::1]:1080/"), ..record("one", 1) },
        ConnectionRecord { ca_certificate: pem("PRIVATE KEY"), ..record("one", 1) },
        ConnectionRecord { ca_certificate: pem("RSA PRIVATE KEY"), ..record("one", 1) },
    ];
    for record in refused {
        assert_eq!(store.put_connection(&record), Err(StoreError::HoldsSecret));
    }
    assert_eq!(store.list_connections(), Ok(vec![]));
    for name in names(dir.path()) {
        let bytes = fs::read(dir.path().join(&name)).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{name}");
    }
    let kept = [
        ConnectionRecord { proxy: custom("http://proxy:3128"), ..record("a", 1) },
        ConnectionRecord { proxy: custom("socks5://user@proxy"), ..record("b", 1) },
        ConnectionRecord {
            proxy: ProxyChoice::None,
            ca_certificate: pem("CERTIFICATE"),
            ..record("c", 1)
        },
    ];
    for record in &kept {
        store.put_connection(record).unwrap();
    }
    assert_eq!(store.list_connections().unwrap(), kept);
}

#[test]
fn a_list_of_six_thousand_keys_is_written_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let list = list(6000);
    let began = Instant::now();
    store.put_list("one", &list).unwrap();
    store.put_list("one", &list).unwrap();
    let written = began.elapsed();
    drop(store);
    let began = Instant::now();
    let store = open(dir.path());
    let read = store.list("one").unwrap();
    let reading = began.elapsed();
    assert!(read == Some(list), "the same list");
    eprintln!("6,000 keys: written twice in {written:?}, opened and read in {reading:?}");
    assert_eq!(store.list("other"), Ok(None));
}

#[test]
fn a_list_of_another_version_counts_as_none() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()), 5, 1);
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    raw.execute("UPDATE list SET list = '{\"keys\": 3}', sum = -7", []).unwrap();
    drop(raw);
    let store = open(dir.path());
    assert_eq!(store.list("one"), Ok(None));
    store.put_list("one", &list(2)).unwrap();
    assert_eq!(store.list("one"), Ok(Some(list(2))));
}

#[test]
fn stored_values_are_known_by_connection() {
    let store = Store::open_in_memory().unwrap();
    store.mark_stored("one", "a", "ci", at(1)).unwrap();
    store.mark_stored("one", "a", "ci renamed", at(2)).unwrap();
    store.mark_stored("one", "b", "ci", at(3)).unwrap();
    store.mark_stored("two", "a", "ci", at(4)).unwrap();
    assert_eq!(store.stored_uids("one").unwrap(), HashSet::from(["a".into(), "b".into()]));
    assert_eq!(store.unmark_stored("one", "a"), Ok(true));
    assert_eq!(store.unmark_stored("one", "a"), Ok(false));
    assert_eq!(store.stored_uids("one").unwrap(), HashSet::from(["b".into()]));
    assert_eq!(store.stored_uids("two").unwrap(), HashSet::from(["a".into()]));
    assert!(store.stored_uids("three").unwrap().is_empty());
}

#[test]
fn an_intent_is_written_once_and_settled_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.put_intent(&intent("later", 9)).unwrap();
    store.put_intent(&intent("sooner", 2)).unwrap();
    let again = CreateIntent { name: "another name".into(), ..intent("later", 9) };
    assert_eq!(store.put_intent(&again), Err(StoreError::IntentExists));
    let elsewhere = CreateIntent { connection: "two".into(), ..intent("elsewhere", 1) };
    store.put_intent(&elsewhere).unwrap();

    let made = IntentState::Made { uid: "0123".into() };
    store.update_intent("later", made.clone()).unwrap();
    store.update_intent("sooner", IntentState::Lost).unwrap();
    assert_eq!(store.update_intent("none", IntentState::Lost), Err(StoreError::Missing));
    drop(store);

    let store = open(dir.path());
    let found = store.intents(Some("one")).unwrap();
    let expected = [
        CreateIntent { state: IntentState::Lost, ..intent("sooner", 2) },
        CreateIntent { state: made, ..intent("later", 9) },
    ];
    assert_eq!(found, expected);
    assert_eq!(store.intents(None).unwrap().len(), 3);
    assert_eq!(store.remove_intent("sooner"), Ok(true));
    assert_eq!(store.remove_intent("sooner"), Ok(false));
    assert_eq!(store.intents(Some("one")).unwrap().len(), 1);
    store.put_intent(&intent("sooner", 3)).unwrap();
}

#[test]
fn the_journal_has_the_intent_before_and_the_outcome_after() {
    let store = Store::open_in_memory().unwrap();
    let id = store.ask(&entry(Act::Edit, "uid", 1)).unwrap();
    let asked = &store.activity(&all()).unwrap()[0];
    assert_eq!((asked.id, asked.state), (id.get(), ActState::Asked));
    assert_eq!((asked.at, asked.detail.as_str()), (at(1).as_millisecond(), "PUT state"));
    assert_eq!(asked.key_name.as_deref(), Some("ci-prod"));
    assert!(!asked.can_undo);

    let outcome = JournalOutcome {
        before: Some(key(1)),
        after: Some(key(2)),
        ..JournalOutcome::new(ActState::Done, "PUT → 204, read back", at(2))
    };
    store.outcome(id, &outcome).unwrap();
    let change = store.change(id).unwrap().unwrap();
    assert_eq!(change.activity.state, ActState::Done);
    assert_eq!(change.activity.detail, "PUT → 204, read back");
    assert_eq!((change.before, change.after), (Some(key(1)), Some(key(2))));
    assert_eq!(change.activity.key_uid.as_deref(), Some("uid"), "kept");

    let nobody = JournalId::from_view(999);
    assert_eq!(store.outcome(nobody, &outcome), Err(StoreError::Missing));
    assert_eq!(store.change(nobody), Ok(None));

    let create = JournalEntry { key_uid: None, ..entry(Act::Create, "", 3) };
    let id = store.ask(&create).unwrap();
    let made = JournalOutcome {
        key_uid: Some("new-uid".into()),
        ..JournalOutcome::new(ActState::Done, "POST → 201", at(4))
    };
    store.outcome(id, &made).unwrap();
    assert_eq!(store.history("one", "new-uid", 10).unwrap()[0].act, Act::Create);
    let id = store.note(&entry(Act::Copy, "new-uid", 5), ActState::Done).unwrap();
    let history = store.history("one", "new-uid", 10).unwrap();
    assert_eq!((history[0].id, history[0].state), (id.get(), ActState::Done));
    assert_eq!(store.history("one", "new-uid", 1).unwrap().len(), 1);
    assert!(store.history("two", "new-uid", 10).unwrap().is_empty());
}

#[test]
fn each_act_and_state_comes_back_as_itself() {
    let store = Store::open_in_memory().unwrap();
    let acts = [
        Act::Connect,
        Act::SignIn,
        Act::RemoveConnection,
        Act::EditConnection,
        Act::Create,
        Act::Edit,
        Act::Renew,
        Act::Revoke,
        Act::Reactivate,
        Act::Delete,
        Act::Copy,
        Act::Reveal,
        Act::SaveToKeychain,
        Act::SaveToFile,
        Act::TryFound,
    ];
    let states = [ActState::Asked, ActState::Done, ActState::Failed, ActState::Unknown];
    for (number, act) in acts.into_iter().enumerate() {
        for state in states {
            let id = store.note(&entry(act, "uid", number as i64), state).unwrap();
            let view = store.change(id).unwrap().unwrap().activity;
            assert_eq!((view.act, view.state), (act, state));
        }
    }
}

#[test]
fn only_what_is_confirmed_and_still_stands_can_be_undone() {
    let store = Store::open_in_memory().unwrap();
    let act = |act, uid: &str, state| store.note(&entry(act, uid, 1), state).unwrap().get();
    let undoable = || -> Vec<i64> {
        let lines = store.activity(&all()).unwrap();
        lines.iter().filter(|line| line.can_undo).map(|line| line.id).collect()
    };
    let first = act(Act::Revoke, "a", ActState::Done);
    assert_eq!(undoable(), [first]);
    act(Act::Reactivate, "a", ActState::Failed);
    act(Act::Edit, "a", ActState::Done);
    assert_eq!(undoable(), [first], "nothing of this settled it");
    let back = act(Act::Reactivate, "a", ActState::Done);
    assert_eq!(undoable(), [back]);
    let second = act(Act::Revoke, "a", ActState::Done);
    assert_eq!(undoable(), [second]);
    act(Act::Delete, "a", ActState::Done);
    act(Act::Revoke, "c", ActState::Unknown);
    act(Act::Revoke, "d", ActState::Asked);
    assert_eq!(undoable(), [] as [i64; 0]);

    // A change counts as long as the key is as it left it, whatever was done and taken back since.
    let change = |from: &str, to: &str| {
        let named = |name: &str| Some(ApiKey { name: name.into(), ..key(1) });
        let id = store.ask(&entry(Act::Edit, "b", 2)).unwrap();
        let outcome = JournalOutcome {
            before: named(from),
            after: named(to),
            ..JournalOutcome::new(ActState::Done, "", at(3))
        };
        store.outcome(id, &outcome).unwrap();
        id
    };
    let one = change("a", "b");
    let two = change("b", "c");
    assert_eq!(undoable(), [two.get()]);
    let three = change("c", "b");
    store.undoes(three, two).unwrap();
    assert_eq!(undoable(), [three.get(), one.get()], "as the first left it");
    assert_eq!(store.change(three).unwrap().unwrap().activity.undoes, Some(two.get()));
    assert_eq!(store.newest_of("one", "b", Act::Edit), Ok(Some(three)));
    assert_eq!(store.newest_of("two", "b", Act::Edit), Ok(None));
}

#[test]
fn activity_is_read_in_pages_newest_first() {
    let store = Store::open_in_memory().unwrap();
    for number in 0..450 {
        let connection = if number % 3 == 0 { "two" } else { "one" };
        let entry = JournalEntry { connection: connection.into(), ..entry(Act::Copy, "u", number) };
        store.note(&entry, ActState::Done).unwrap();
    }
    for (connection, expected) in [(None, 450), (Some("two"), 150), (Some("none"), 0)] {
        let mut request = ActivityRequest {
            connection: connection.map(Into::into),
            before: None,
            limit: 37,
            filter: Default::default(),
        };
        let mut ids = Vec::new();
        loop {
            let page = store.activity(&request).unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= 37);
            request.before = Some(last.id);
            ids.extend(page.iter().map(|line| line.id));
        }
        assert_eq!(ids.len(), expected);
        assert!(ids.is_sorted_by(|newer, older| newer > older));
    }
    for (limit, expected) in [(0, 1), (1, 1), (200, 200), (u32::MAX, 200)] {
        let request =
            ActivityRequest { connection: None, before: None, limit, filter: Default::default() };
        assert_eq!(store.activity(&request).unwrap().len(), expected);
    }
}

#[test]
fn a_line_of_another_version_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()), 1, 5);
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    raw.execute("UPDATE journal SET act = 'fromTheFuture' WHERE id = 2", []).unwrap();
    raw.execute("UPDATE journal SET detail = CAST(x'ff41' AS TEXT) WHERE id = 3", []).unwrap();
    drop(raw);
    let lines = open(dir.path()).activity(&all()).unwrap();
    let ids: Vec<_> = lines.iter().map(|line| line.id).collect();
    assert_eq!(ids, [5, 4, 3, 1]);
    assert_eq!(lines[2].detail, "\u{fffd}A");
}

#[test]
fn settings_are_kept_with_what_a_newer_version_added() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.settings(), Ok(Settings::default()));
    let settings = Settings {
        appearance: Appearance::Dark,
        clipboard_seconds: 60,
        longest_life_days: Some(90),
        ..Settings::default()
    };
    store.save_settings(&settings).unwrap();
    drop(store);
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    raw.execute(
        "UPDATE about SET value = json_set(value, '$.fromTheFuture', 7, '$.leadDays', 4000)
         WHERE name = 'settings'",
        [],
    )
    .unwrap();
    drop(raw);
    let store = open(dir.path());
    assert_eq!(store.settings(), Ok(Settings { lead_days: 90, ..settings.clone() }));
    store.save_settings(&settings).unwrap();
    assert_eq!(store.settings(), Ok(settings));
    drop(store);
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    let future: i64 = raw
        .query_row(
            "SELECT value ->> '$.fromTheFuture' FROM about WHERE name = 'settings'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(future, 7);
}

#[test]
fn the_file_is_set_up_to_keep_what_it_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let _store = open(dir.path());
    let raw = rusqlite::Connection::open(dir.path().join(FILE_NAME)).unwrap();
    let mode: String = raw.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let version: i64 = raw.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back_as_it_was(texts in proptest::array::uniform6(any::<String>())) {
        let store = Store::open_in_memory().unwrap();
        let [a, b, c, d, e, f] = texts;
        let record = ConnectionRecord {
            name: a.clone(), email: Some(b.clone()), organization: Some(c.clone()), ..record(&d, 1)
        };
        store.put_connection(&record).unwrap();
        prop_assert_eq!(store.list_connections().unwrap(), vec![record]);

        let intent = CreateIntent { name: a.clone(), description: b.clone(), ..intent(&c, 1) };
        store.put_intent(&intent).unwrap();
        prop_assert_eq!(store.intents(None).unwrap(), vec![intent]);

        let entry = JournalEntry {
            connection: d.clone(), connection_name: c.clone(), key_name: Some(a.clone()),
            owner_name: Some(b.clone()), detail: e.clone(), ..entry(Act::Copy, &f, 1)
        };
        store.note(&entry, ActState::Done).unwrap();
        let lines = store.history(&d, &f, 5).unwrap();
        prop_assert_eq!(lines.len(), 1);
        prop_assert_eq!(&lines[0].connection_name, &c);
        prop_assert_eq!(lines[0].key_name.as_ref(), Some(&a));
        prop_assert_eq!(lines[0].owner_name.as_ref(), Some(&b));
        prop_assert_eq!(&lines[0].detail, &e);
    }
}
