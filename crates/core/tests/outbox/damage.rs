//! Records that cannot be read: they stay as they are and are shown, and stop nothing.

use crate::desk::{Desk, Watch, drained, sampled, settle};
use palette_keys_core::keychain::KeychainState;
use palette_keys_core::outbox::OutboxAction;
use palette_keys_core::store::FILE_NAME;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A row of the table: its id, its record, the sum of that.
type Row = (String, String, i64);

fn file(folder: &Path) -> Connection {
    Connection::open(folder.join(FILE_NAME)).unwrap()
}

fn rows(folder: &Path) -> BTreeMap<String, (String, i64)> {
    let file = file(folder);
    let mut asked = file.prepare("SELECT op_id, record, sum FROM outbox").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
    asked.query_map([], row).unwrap().map(Result::unwrap).collect()
}

fn insert(folder: &Path, rows: &[Row]) {
    let mut file = file(folder);
    let step = file.transaction().unwrap();
    for (id, record, sum) in rows {
        step.execute(
            "INSERT INTO outbox (op_id, asked_at, record, sum) VALUES (?1, 0, ?2, ?3)",
            params![id, record, sum],
        )
        .unwrap();
    }
    step.commit().unwrap();
}

/// FNV-1a, as the product sums its records.
fn sum(text: &str) -> i64 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// A value of another type.
fn other_types(value: &Value) -> Vec<Value> {
    let kind = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    let all = [json!(true), json!(-1.5), json!("x"), json!([1]), json!({"a": 1})];
    // What may be null may also be something, of a type that null does not tell.
    let all = all.into_iter().filter(|other| !value.is_null() && kind(other) != kind(value));
    all.collect()
}

/// Every way in which this record can be broken.
fn broken(good: &str) -> Vec<Row> {
    let right = sum(good);
    let mut bad: Vec<(String, i64)> = Vec::new();
    for end in (0..good.len()).filter(|end| good.is_char_boundary(*end)) {
        bad.push((good[..end].into(), right));
        if end % 7 == 0 {
            bad.push((good[..end].into(), sum(&good[..end])));
        }
    }
    let record: Value = serde_json::from_str(good).unwrap();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut changed = record.clone();
        change(&mut changed);
        let text = changed.to_string();
        let sum = sum(&text);
        bad.push((text, sum));
    };
    for (name, value) in record.as_object().unwrap() {
        for other in other_types(value) {
            with(&|record| record[name] = other.clone());
        }
    }
    with(&|record| record["v"] = json!(record["v"].as_u64().unwrap() + 1));
    with(&|record| {
        record["v"] = json!(99);
        record["something"] = json!({"of": "a newer version"});
    });
    with(&|record| *record = json!([]));
    with(&|record| *record = json!(null));
    with(&|record| record["pad"] = json!("x".repeat(10_000_000)));
    for text in [
        "\0".repeat(good.len()),
        format!("{good}\0"),
        format!("\0{good}"),
        good.replacen(':', "\0", 1),
        "{}".to_owned(),
        "null".to_owned(),
        " ".to_owned(),
        String::new(),
        "[".repeat(100_000),
        good.replacen("target", "tarnet", 1),
    ] {
        let own = sum(&text);
        bad.push((text.clone(), right));
        // With a sum of its own the last one is a good record of another name.
        if !text.contains("tarnet") {
            bad.push((text, own));
        }
    }
    bad.into_iter()
        .enumerate()
        .map(|(at, (text, sum))| (format!("broken-{at:05}"), text, sum))
        .collect()
}

/// A desk with this many records on disk, of which the last is returned and not there any more.
async fn with_records(count: usize) -> (Desk, String) {
    let desk = Desk::new(count).await;
    desk.sim.go_down().await;
    let keys = desk.open();
    keys.add_to_outbox(desk.bulk(OutboxAction::Revoke, &desk.targets)).await.unwrap();
    assert_eq!(keys.outbox().items.len(), count);
    drop(keys);
    settle().await;
    let last = desk.targets.last().unwrap();
    let (id, (record, written)) =
        rows(desk.folder()).into_iter().find(|(_, (record, _))| record.contains(last)).unwrap();
    assert_eq!(written, sum(&record), "the sum is the one this test knows");
    file(desk.folder()).execute("DELETE FROM outbox WHERE op_id = ?1", [id]).unwrap();
    desk.sim.come_back().await.unwrap();
    (desk, record)
}

#[tokio::test(start_paused = true)]
async fn broken_records_stay_and_the_good_ones_drain() {
    let (desk, template) = with_records(6).await;
    let good = rows(desk.folder());
    assert_eq!(good.len(), 5);
    let bad = broken(&template);
    insert(desk.folder(), &bad);
    // The same thing asked for twice, by an earlier version or two processes.
    let (_, (twin, written)) = good.iter().next().unwrap();
    insert(desk.folder(), &[("twin".into(), twin.clone(), *written)]);

    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    let shown = keys.outbox().damaged;
    let ended = drained(&keys, Duration::from_secs(120)).await;
    let after = rows(desk.folder());
    let kept = |(id, text, written): &&Row| after.get(id) == Some(&(text.clone(), *written));
    let same = bad.iter().filter(kept).count();
    let is_shown = |(id, ..): &&Row| shown.iter().any(|damaged| damaged.record == *id);
    let said = bad.iter().filter(is_shown).count();
    for (id, text, _) in bad.iter().filter(|row| !is_shown(row)).take(5) {
        println!("not shown: {id} {}", &text[..text.len().min(300)]);
    }
    let drained = desk.targets[..5].iter().filter(|uid| desk.is_done(uid)).count();
    println!(
        "check 7: good ones drained {drained}/5, broken ones kept {same}/{total} and shown \
         {said}/{total}, overwritten {}",
        bad.len() - same,
        total = bad.len()
    );
    assert!(ended, "{:?}", keys.outbox().items);
    assert_eq!((drained, same, said), (5, bad.len(), bad.len()));
    assert!(shown.iter().all(|damaged| !damaged.words.is_empty()));
    assert!(!desk.is_done(&desk.targets[5]), "a broken record was sent");
    assert_eq!((watch.falsely(), desk.touched()), (0, 0));
    // They stop nothing new either, and are still there after a start.
    keys.revoke_key(desk.act(&desk.targets[5])).await.unwrap();
    assert!(desk.is_done(&desk.targets[5]));
    drop(keys);
    settle().await;
    let keys = desk.open();
    assert_eq!(keys.outbox().damaged.len(), shown.len());
    drop(keys);
    settle().await;
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Counts the panics of the product in any thread or task: those of a task would go unseen.
fn count_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let ours = panic.location().is_some_and(|at| at.file().contains("core/src"));
            PANICS.fetch_add(usize::from(ours), Ordering::Relaxed);
            usual(panic);
        }));
    });
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-zA-Z]{0,8}", inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

/// Text that is nothing, a good record with some fields changed or missing, or with bytes changed.
fn any_record(template: &str) -> impl Strategy<Value = String> + use<> {
    let record: Value = serde_json::from_str(template).unwrap();
    let names: Vec<String> = record.as_object().unwrap().keys().cloned().collect();
    let text = template.to_owned();
    let field = (prop::sample::select(names), prop::option::weighted(0.8, any_json()));
    let changed = prop::collection::vec(field, 1..4).prop_map(move |changes| {
        let mut record = record.clone();
        let fields = record.as_object_mut().unwrap();
        for (name, value) in changes {
            match value {
                Some(value) => fields.insert(name, value),
                None => fields.remove(&name),
            };
        }
        record.to_string()
    });
    let spot = (any::<prop::sample::Index>(), any::<char>());
    let garbled = prop::collection::vec(spot, 1..5).prop_map(move |spots| {
        let mut letters: Vec<char> = text.chars().collect();
        for (spot, letter) in spots {
            let at = spot.index(letters.len());
            letters[at] = letter;
        }
        letters.into_iter().collect::<String>()
    });
    prop_oneof![
        2 => any::<String>(),
        1 => any_json().prop_map(|value| value.to_string()),
        5 => changed,
        3 => garbled,
    ]
}

#[tokio::test(start_paused = true)]
async fn no_record_makes_the_reader_panic() {
    count_panics();
    let (desk, template) = with_records(2).await;
    // What happens to be a good record stays here.
    desk.keychain.set_state(KeychainState::Absent);
    let total = sampled(10_000, 1_000_000);
    let records = any_record(&template);
    let mut runner = TestRunner::default();
    let (mut read, mut damaged, mut good, mut changed) = (0, 0, 0, 0);
    while read < total {
        let folder = desk.copy();
        let bad: Vec<Row> = (0..2_000)
            .map(|at| {
                let text = records.new_tree(&mut runner).unwrap().current();
                // Mostly with the right sum, so that what comes after it is reached.
                let written = if at % 10 == 0 { at } else { sum(&text) };
                (format!("any-{at:05}"), text, written)
            })
            .collect();
        insert(folder.path(), &bad);
        let keys = desk.open_in(folder.path());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let view = keys.outbox();
        read += bad.len();
        damaged += view.damaged.len();
        good += view.items.len();
        let after = rows(folder.path());
        let is_damaged = |id: &String| view.damaged.iter().any(|damaged| damaged.record == *id);
        let kept = |(id, text, written): &&Row| after.get(id) == Some(&(text.clone(), *written));
        changed += bad.iter().filter(|row| is_damaged(&row.0) && !kept(row)).count();
        drop(keys);
        settle().await;
    }
    let panics = PANICS.load(Ordering::Relaxed);
    println!(
        "check 36: {}/{read} (damaged {damaged}, good by chance {good}, overwritten {changed}, \
         panics {panics})",
        read - panics
    );
    assert_eq!((panics, changed), (0, 0));
    assert!(damaged > read / 2, "only {damaged} of {read} were damaged");
    assert!(desk.writes().is_empty());
}
