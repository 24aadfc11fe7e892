//! Records that cannot be read: they stay as they are and are shown, and stop nothing.

use crate::desk::{Desk, Watch, drained, sampled, settle};
use palette_keys_core::keychain::KeychainState;
use palette_keys_core::outbox::{OutboxAction, OutboxView};
use palette_keys_core::store::{FILE_NAME, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
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

/// Every way in which this record can be broken. `ID` stands for its id, which has to be the row's.
fn broken(template: &str) -> Vec<Row> {
    let good = template.replace(ID, &fresh_id());
    let mut bad: Vec<(String, Option<i64>)> = Vec::new();
    for end in (0..template.len()).filter(|end| template.is_char_boundary(*end)) {
        bad.push((template[..end].into(), None));
        bad.push((template[..end].into(), Some(sum(&good))));
    }
    let record: Value = serde_json::from_str(template).unwrap();
    let mut with = |change: &dyn Fn(&mut Value)| {
        let mut changed = record.clone();
        change(&mut changed);
        bad.push((changed.to_string(), None));
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
    with(&|record| record["keyUid"] = json!("../users"));
    with(&|record| record["keyName"] = json!("x".repeat(10_000_000)));
    with(&|record| record["pad"] = json!("x".repeat(10_000_000)));
    for text in [
        "\0".repeat(template.len()),
        format!("{template}\0"),
        format!("\0{template}"),
        template.replacen(':', "\0", 1),
        "x".repeat(10_000_000),
        "[".repeat(100_000),
        "[]".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        " ".to_owned(),
        String::new(),
    ] {
        bad.push((text.clone(), None));
        bad.push((text, Some(1)));
    }
    // One letter changed on the disk, and a row under another's name.
    bad.push((template.replacen("target", "tarnet", 1), Some(sum(&good))));
    bad.push((good, None));
    let row = |(text, written): (String, Option<i64>)| {
        let id = fresh_id();
        let text = text.replace(ID, &id);
        let written = written.unwrap_or_else(|| sum(&text));
        (id, text, written)
    };
    bad.into_iter().map(row).collect()
}

/// Stands for the id of a record in a template.
const ID: &str = "@@the-id-of-this-record@@";

fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
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
    let record = record.replace(&id, ID);
    assert!(record.contains(ID), "a record knows its id");
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
    let (first, (twin, _)) = good.iter().next().unwrap();
    let twin = twin.replace(first, "twin");
    insert(desk.folder(), &[("twin".into(), twin.clone(), sum(&twin))]);

    let keys = desk.open();
    let watch = Watch::on(&keys, &desk.sim);
    let shown = keys.outbox().damaged;
    let ended = drained(&keys, Duration::from_secs(120)).await;
    let after = rows(desk.folder());
    let kept = |(id, text, written): &&Row| after.get(id) == Some(&(text.clone(), *written));
    let same = bad.iter().filter(kept).count();
    let shown_ones: HashSet<_> = shown.iter().map(|one| &one.record).collect();
    let is_shown = |(id, ..): &&Row| shown_ones.contains(id);
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

/// Damage in a record beside the outbox once had the whole file set aside, and with it what was
/// confirmed.
#[tokio::test(start_paused = true)]
async fn what_was_confirmed_is_sent_though_another_record_is_damaged() {
    for damage in [
        "INSERT INTO connection VALUES ('other', 9, '{}', 1)",
        "INSERT INTO intent VALUES ('lost', 'c', 1, '{}', 1)",
        "INSERT INTO roll VALUES ('r', 'c', 1, '{}', 1)",
        "INSERT INTO about VALUES ('settings', 'x')",
    ] {
        let (desk, _) = with_records(3).await;
        file(desk.folder()).execute(damage, []).unwrap();
        let keys = desk.open();
        assert_eq!(keys.start().await.unwrap().notices.len(), 1, "{damage}");
        assert!(drained(&keys, Duration::from_secs(60)).await, "{damage}");
        assert!(desk.targets[..2].iter().all(|uid| desk.is_done(uid)), "{damage}");
        assert_eq!(desk.touched(), 0, "{damage}");
        drop(keys);
        settle().await;
    }
}

/// Records of any kind that are read at once.
const BATCH: usize = 2_000;

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
        let bad: Vec<Row> = (0..BATCH as i64)
            .map(|at| {
                let id = fresh_id();
                let text = records.new_tree(&mut runner).unwrap().current().replace(ID, &id);
                // Mostly with the right sum, so that what comes after it is reached.
                let written = if at % 10 == 0 { at } else { sum(&text) };
                (id, text, written)
            })
            .collect();
        insert(folder.path(), &bad);
        // The reader alone, and now and then the whole product.
        let whole_product = (read / BATCH).is_multiple_of(5);
        let keys = whole_product.then(|| desk.open_in(folder.path()));
        let view = match &keys {
            Some(keys) => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                keys.outbox()
            }
            None => {
                let (listed, damaged) = Store::open(folder.path()).unwrap().0.outbox().unwrap();
                good += listed.len();
                OutboxView { damaged, ..OutboxView::default() }
            }
        };
        read += bad.len();
        damaged += view.damaged.len();
        good += view.items.len();
        let after = rows(folder.path());
        let damaged_ones: HashSet<_> = view.damaged.iter().map(|one| &one.record).collect();
        let is_damaged = |id: &String| damaged_ones.contains(id);
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
