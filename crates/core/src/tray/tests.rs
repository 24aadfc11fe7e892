use super::*;
use crate::keys::name::is_invisible;
use crate::{
    Failure,
    clock::SystemClock,
    connection::{Colour, ProxyChoice, SignInMethod, live::Live},
    error::ErrorCode,
    keychain::MemoryKeychain,
    keys::{
        activity::{Act, ActState},
        list::Listed,
        tests::{identity, key, roll},
    },
    palette_keys::Parts,
    store::{ConnectionRecord, JournalEntry, JournalOutcome, RollRecord, RollStep, Store},
};
use proptest::{prelude::*, strategy::ValueTree};
use std::sync::Arc;

const NOON: &str = "2026-11-23T12:00:00Z";
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn noon() -> i64 {
    at(NOON).as_millisecond()
}

fn uid(text: &str) -> KeyUid {
    KeyUid::new(text).unwrap()
}

fn own(id: &str, name: &str, ends: Option<i64>) -> TrayKey {
    TrayKey {
        uid: uid(id),
        name: name.into(),
        mine: true,
        active: true,
        expires: ends.map(|life| noon() + life),
        stored: false,
        copies: 0,
        revoking: false,
        replaced_by: None,
        own_affair: false,
    }
}

fn record(id: &str, uid: &str, name: &str) -> OutboxItemView {
    OutboxItemView {
        record: id.into(),
        connection: "c1".into(),
        connection_name: "acme".into(),
        key_uid: uid.into(),
        key_name: name.into(),
        owner_name: "Jane Doe".into(),
        action: OutboxAction::Revoke,
        asked_at: noon() - 3 * 60_000,
        attempts: 4,
        state: OutboxState::Waiting,
        problem: Some(Failure::new(ErrorCode::HostUnreachable, "The host does not answer.")),
        last_tried_at: None,
        next_try_at: None,
        recorded: true,
        by_itself: false,
    }
}

fn acme(keys: Vec<TrayKey>) -> TrayModel {
    TrayModel {
        connections: vec![
            TrayConnection { id: "c1".into(), name: "acme".into(), ending: 0 },
            TrayConnection { id: "c2".into(), name: "other".into(), ending: 0 },
        ],
        active: Some("c1".into()),
        keys,
        lead_days: 14,
        zone: Some(TimeZone::fixed(jiff::tz::offset(1))),
        ..TrayModel::default()
    }
}

/// The menu as lines: two spaces for each level, `(…)` for what cannot be clicked.
fn lines(items: &[TrayItem]) -> Vec<String> {
    let mut all = Vec::new();
    for item in items {
        match item {
            TrayItem::Act { label, .. } => all.push(label.clone()),
            TrayItem::Line { label, .. } => all.push(format!("[{label}]")),
            TrayItem::Separator { .. } => all.push("---".into()),
            TrayItem::List { label, items, .. } => {
                all.push(format!("{label} >"));
                all.extend(lines(items).iter().map(|line| format!("  {line}")));
            }
        }
    }
    all
}

#[test]
fn the_menu_is_the_one_of_the_product() {
    let mut model = acme(vec![
        own("65a00000000000000b1f2a3b", "ci-prod", Some(5 * DAY - HOUR)),
        own("65a00000000000000b1f2a3c", "deploy", Some(40 * DAY)),
        own("65a00000000000000b1f2a3d", "for ever", None),
        TrayKey { revoking: true, ..own("65a00000000000000b1f2a3e", "leaked", Some(3 * HOUR)) },
        TrayKey { active: false, ..own("65a00000000000000b1f2a3f", "revoked", Some(DAY)) },
        own("65a00000000000000b1f2a40", "expired", Some(-DAY)),
        TrayKey { mine: false, stored: true, copies: 2, ..own("s1-other", "robot", Some(DAY)) },
    ]);
    model.keys[0].stored = true;
    model.outbox = vec![record("r1", "65a00000000000000b1f2a3e", "leaked")];
    model.undos = vec![TrayUndo {
        connection: "c1".into(),
        connection_name: "acme".into(),
        uid: uid("65a00000000000000b1f2a3f"),
        name: "revoked".into(),
        at: noon() - 60_000,
    }];
    let drawn = menu(&model, at(NOON));
    let expected = "\
Open Palette Keys
1 key expires within 14 days >
  ci-prod (ends in 5 d) >
    Roll…
    Renew 30 days
    Open
1 revocation not confirmed yet >
  leaked …1f2a3e >
    [Asked 3 min ago, sent 4 times]
    [Last answer: The host does not answer.]
    Try now
---
Quick revoke in acme >
  leaked (Revoking… not confirmed) >
    Try now
  ci-prod (ends in 5 d) >
    Revoke ci-prod …1f2a3b now
  deploy (ends in 40 d) >
    Revoke deploy …1f2a3c now
  for ever (never expires) >
    Revoke for ever …1f2a3d now
Undo revoke revoked (12:59)
Copy key >
  robot …-other
  ci-prod …1f2a3b
---
New key…
Connection: acme >
  other
Pause notices >
  1 hour
  Until tomorrow
Quit";
    assert_eq!(lines(&drawn.items).join("\n"), expected);
    assert_eq!(drawn.icon, TrayIcon::Unconfirmed);
    assert_eq!(drawn.stale_in, Duration::from_secs(60), "ages are told to the minute");
}

#[test]
fn without_a_connection_nothing_is_offered_that_needs_one() {
    let drawn = menu(&TrayModel::default(), at(NOON));
    let expected = "\
Open Palette Keys
---
Quick revoke >
  [No active keys of yours]
Copy key >
  [No stored keys]
---
Connect to Palette…
[Connection: none]
Pause notices >
  1 hour
  Until tomorrow
Quit";
    assert_eq!(lines(&drawn.items).join("\n"), expected);
    assert_eq!(drawn.icon, TrayIcon::Fine);
}

#[test]
fn the_icon_says_the_worst() {
    let soon = own("k1", "soon", Some(DAY));
    let late = own("k2", "late", Some(90 * DAY));
    let icon = |model: &TrayModel| menu(model, at(NOON)).icon;
    assert_eq!(icon(&acme(vec![late.clone()])), TrayIcon::Fine);
    assert_eq!(icon(&acme(vec![soon.clone(), late])), TrayIcon::Attention);
    let revoking = acme(vec![TrayKey { revoking: true, ..soon.clone() }]);
    assert_eq!(icon(&revoking), TrayIcon::Fine, "what is revoked needs no renewal");
    let ours = acme(vec![TrayKey { own_affair: true, ..soon.clone() }]);
    assert_eq!(icon(&ours), TrayIcon::Fine, "what renews itself needs nobody");
    let foreign = acme(vec![TrayKey { mine: false, ..soon.clone() }]);
    assert_eq!(icon(&foreign), TrayIcon::Fine, "others' keys are in the review");
    let mut open = acme(vec![soon]);
    open.outbox = vec![record("r1", "k1", "soon")];
    assert_eq!(icon(&open), TrayIcon::Unconfirmed);
    let damaged = TrayModel { damaged: 1, ..acme(Vec::new()) };
    assert_eq!(icon(&damaged), TrayIcon::Unconfirmed);
}

#[test]
fn what_ends_elsewhere_is_said_with_its_connection() {
    let mut model = acme(Vec::new());
    assert_eq!(menu(&model, at(NOON)).icon, TrayIcon::Fine);
    for (ending, expected) in
        [(1, "  other (1 key expires soon)"), (3, "  other (3 keys expire soon)")]
    {
        model.connections[1].ending = ending;
        let drawn = menu(&model, at(NOON));
        let all = lines(&drawn.items);
        assert!(all.iter().any(|line| line == expected), "{all:?}");
        assert_eq!(drawn.icon, TrayIcon::Attention, "also while another one is open");
    }
    // One alone needs no name to be told from others.
    model.connections.pop();
    assert!(lines(&menu(&model, at(NOON)).items).contains(&"Quick revoke >".to_owned()));
}

#[test]
fn ten_are_shown_soonest_first_and_more_opens_the_search() {
    let keys = (0..14).map(|n| own(&format!("k{n:02}"), &format!("n{n}"), Some((20 - n) * DAY)));
    let drawn = menu(&acme(keys.collect()), at(NOON));
    let Some(TrayItem::List { items, .. }) =
        drawn.items.iter().find(|item| item.label() == "Quick revoke in acme")
    else {
        panic!("there is a list")
    };
    assert_eq!(items.len(), 11);
    assert_eq!(items[0].label(), "n13 (ends in 7 d)");
    assert_eq!(items[9].label(), "n4 (ends in 16 d)");
    assert_eq!(
        items[10],
        TrayItem::act(TrayId::Search { connection: "c1".into() }, "More\u{2026}")
    );
}

#[test]
fn the_most_copied_come_first() {
    let stored = |id: &str, copies| TrayKey { stored: true, copies, ..own(id, id, None) };
    let model = acme(vec![stored("aaaaaaa", 0), stored("bbbbbbb", 9), stored("ccccccc", 3)]);
    let all = lines(&menu(&model, at(NOON)).items);
    let copy = all.iter().position(|line| line == "Copy key >").unwrap();
    assert_eq!(
        all[copy + 1..copy + 4],
        ["  bbbbbbb \u{2026}bbbbbb", "  ccccccc \u{2026}cccccc", "  aaaaaaa \u{2026}aaaaaa"]
    );
}

#[test]
fn an_undo_is_offered_for_fifteen_minutes_whatever_the_clock_does() {
    let undo = |at| TrayUndo {
        connection: "c2".into(),
        connection_name: "other".into(),
        uid: uid("k1"),
        name: "ci".into(),
        at,
    };
    let offered = |age: i64| {
        let model = TrayModel { undos: vec![undo(noon() - age)], ..acme(Vec::new()) };
        let drawn = menu(&model, at(NOON));
        let found = lines(&drawn.items).into_iter().find(|line| line.starts_with("Undo"));
        (found, drawn.stale_in)
    };
    assert_eq!(offered(0).0.as_deref(), Some("Undo revoke ci (13:00, other)"));
    let (line, stale_in) = offered(15 * 60_000 - 1_000);
    assert_eq!(line.as_deref(), Some("Undo revoke ci (12:45, other)"));
    assert!(stale_in < Duration::from_secs(2), "it lapses in time: {stale_in:?}");
    assert_eq!(offered(15 * 60_000).0, None);
    assert_eq!(offered(-DAY).0, None, "the clock was set back");
    let twins = TrayModel {
        undos: vec![undo(noon()), TrayUndo { uid: uid("k2xxxxxx"), ..undo(noon()) }],
        ..acme(Vec::new())
    };
    let all = lines(&menu(&twins, at(NOON)).items);
    assert!(all.contains(&"Undo revoke ci \u{2026}xxxxxx (13:00, other)".to_owned()), "{all:#?}");
}

#[test]
fn a_pause_can_be_ended_and_says_its_end() {
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    assert_eq!(Pause::Hour.ends(at(NOON), &zone), at("2026-11-23T13:00:00Z"));
    assert_eq!(Pause::Tomorrow.ends(at(NOON), &zone), at("2026-11-24T07:00:00Z"));
    let said = |until: &str| {
        let until = at(until).as_millisecond();
        let model = TrayModel { paused_until: Some(until), ..acme(Vec::new()) };
        lines(&menu(&model, at(NOON)).items).into_iter().find(|line| line.contains("Resume"))
    };
    let resume = |words: &str| Some(format!("  Resume notices (paused until {words})"));
    assert_eq!(said("2026-11-23T13:00:00Z"), resume("14:00"));
    assert_eq!(said("2026-11-24T07:00:00Z"), resume("Tue 08:00"));
    assert_eq!(said("2026-11-23T11:59:59Z"), None);
}

#[test]
fn names_are_plain_whole_and_cannot_pass_for_others() {
    let long = format!("{}-middle-{}", "a".repeat(30), "z".repeat(30));
    let table: [(&str, &str); 10] = [
        ("ci-prod", "ci-prod"),
        ("R&D_key && <b>", "R&D_key && <b>"),
        ("", "(no name)"),
        (" \u{a0} ", "(no name)"),
        ("two\nlines\t", "two\u{27e8}U+000A\u{27e9}lines\u{27e8}U+0009\u{27e9}"),
        ("pro\u{202e}dc", "pro\u{27e8}U+202E\u{27e9}dc"),
        ("ci\u{200b}-prod", "ci\u{27e8}U+200B\u{27e9}-prod"),
        ("line\u{2028}two", "line\u{27e8}U+2028\u{27e9}two"),
        (&long, "aaaaaaaaaaaaaaaaaaaa\u{2026}zzzzzzzzzzzzzzzzzzz"),
        ("\u{645}\u{641}", "\u{2068}\u{645}\u{641}\u{2069}"),
    ];
    for (name, expected) in table {
        assert_eq!(shown_name(name), expected, "{name:?}");
    }
    let huge = "x\u{202e}".repeat(100_000);
    assert!(shown_name(&huge).chars().count() <= NAME, "{}", shown_name(&huge));
    let twins = acme(vec![own("aaaa111111", "ci", None), own("aaaa222222", "ci", None)]);
    let all = lines(&menu(&twins, at(NOON)).items);
    assert!(all.contains(&"  ci \u{2026}111111 (never expires) >".to_owned()), "{all:#?}");
    assert!(all.contains(&"    Revoke ci \u{2026}222222 now".to_owned()), "{all:#?}");
}

#[test]
fn the_server_s_clock_decides_what_works() {
    let model = acme(vec![own("k1", "ci", Some(HOUR))]);
    let has = |model: &TrayModel| {
        lines(&menu(model, at(NOON)).items).iter().any(|line| line.contains("Revoke ci"))
    };
    assert!(has(&model));
    assert!(!has(&TrayModel { offset_ms: HOUR, ..model }), "it ended an hour ago over there");
}

#[test]
fn a_key_that_is_rolled_says_so_and_asks_for_nothing() {
    let rolling = TrayKey { replaced_by: Some("ci-next".into()), ..own("k1", "ci", Some(6 * DAY)) };
    let drawn = menu(&acme(vec![rolling.clone()]), at(NOON));
    let list = drawn.items.iter().find(|item| item.key() == "-expiring").unwrap();
    let TrayItem::List { label, items, .. } = list else { panic!("{list:?}") };
    assert_eq!(label, "1 key expires within 14 days");
    let expected =
        ["ci (ends in 6 d) >", "  [Rolling: replaced by ci-next]", "  Open"].map(str::to_owned);
    assert_eq!(lines(items), expected);
    assert_eq!(drawn.icon, TrayIcon::Fine, "it is meant to end");
    let both = acme(vec![rolling, own("k2", "other", Some(DAY))]);
    assert_eq!(menu(&both, at(NOON)).icon, TrayIcon::Attention);
}

fn arbitrary_id() -> impl Strategy<Value = TrayId> {
    let connection = "[A-Za-z0-9_-]{1,36}";
    let key = (connection, "[A-Za-z0-9_-]{1,64}");
    let key = key.prop_map(|(connection, id): (String, String)| (connection, uid(&id)));
    prop_oneof![
        Just(TrayId::Open),
        Just(TrayId::Outbox),
        Just(TrayId::Resume),
        Just(TrayId::Quit),
        Just(TrayId::Pause(Pause::Hour)),
        Just(TrayId::Pause(Pause::Tomorrow)),
        key.clone().prop_map(|(connection, uid)| TrayId::Show { connection, uid }),
        key.clone().prop_map(|(connection, uid)| TrayId::Renew { connection, uid }),
        key.clone().prop_map(|(connection, uid)| TrayId::Roll { connection, uid }),
        key.clone().prop_map(|(connection, uid)| TrayId::Revoke { connection, uid }),
        key.clone().prop_map(|(connection, uid)| TrayId::Undo { connection, uid }),
        key.prop_map(|(connection, uid)| TrayId::Copy { connection, uid }),
        "[ -~]{1,64}".prop_map(|record| TrayId::Try { record }),
        connection.prop_map(|connection| TrayId::Search { connection }),
        connection.prop_map(|connection| TrayId::NewKey { connection }),
        connection.prop_map(|connection| TrayId::Connection { connection }),
    ]
}

fn arbitrary_key() -> impl Strategy<Value = TrayKey> {
    (
        "[a-f0-9]{8,24}",
        prop_oneof![Just("same".to_owned()), ".{0,60}"],
        any::<(bool, bool, bool, bool)>(),
        proptest::option::of(-3 * DAY..90 * DAY),
        0_u32..5,
    )
        .prop_map(|(id, name, (mine, active, stored, revoking), ends, copies)| TrayKey {
            mine,
            active,
            stored,
            revoking,
            copies,
            ..own(&id, &name, ends)
        })
}

fn arbitrary_model() -> impl Strategy<Value = TrayModel> {
    let keys = proptest::collection::vec(arbitrary_key(), 0..30);
    let records = proptest::collection::vec(("[a-z0-9-]{1,12}", "[a-f0-9]{8}", ".{0,50}"), 0..14);
    (keys, records, 0_usize..2, any::<i64>(), proptest::option::of(any::<i64>())).prop_map(
        |(mut keys, records, damaged, offset_ms, paused_until)| {
            let mut seen = HashSet::new();
            keys.retain(|key| seen.insert(key.uid.clone()));
            let mut outbox: Vec<OutboxItemView> =
                records.iter().map(|(id, uid, name)| record(id, uid, name)).collect();
            let mut seen = HashSet::new();
            outbox.retain(|item| seen.insert(item.record.clone()));
            let undos = keys.iter().take(7).map(|key| TrayUndo {
                connection: "c1".into(),
                connection_name: "acme".into(),
                uid: key.uid.clone(),
                name: key.name.clone(),
                at: noon() - 1_000,
            });
            let undos = undos.collect();
            TrayModel { outbox, damaged, offset_ms, paused_until, undos, ..acme(keys) }
        },
    )
}

fn check_level(items: &[TrayItem]) {
    let keys: HashSet<String> = items.iter().map(TrayItem::key).collect();
    assert_eq!(keys.len(), items.len(), "keys of one level differ: {items:#?}");
    for item in items {
        let key = item.key();
        let as_id = key.parse::<TrayId>();
        match item {
            TrayItem::Act { id, .. } => assert_eq!(as_id.as_ref(), Ok(id)),
            _ => assert_eq!(as_id, Err(NotATrayId), "only an act can be clicked: {key}"),
        }
        let label = item.label();
        assert!(label.chars().count() <= 120, "{label}");
        assert!(
            !label
                .chars()
                .any(|c| c.is_control()
                    || (is_invisible(c) && !matches!(c, '\u{2068}' | '\u{2069}'))),
            "{label:?}"
        );
        if let TrayItem::List { items, .. } = item {
            assert!(!items.is_empty(), "nothing opens empty: {label}");
            assert!(items.len() <= SHOWN + 1, "{label}");
            check_level(items);
        }
    }
}

proptest! {
    #[test]
    fn ids_survive_their_text(id in arbitrary_id()) {
        prop_assert_eq!(id.to_string().parse::<TrayId>(), Ok(id));
    }

    #[test]
    fn a_text_is_an_id_or_nothing(text in prop_oneof![".{0,40}", "(revoke|copy|undo|try|open|new)(:[a-z0-9/.-]{0,9}){0,4}"]) {
        if let Ok(id) = text.parse::<TrayId>() {
            prop_assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn a_damaged_id_is_never_another_key(id in arbitrary_id(), cut in 0_usize..90) {
        let text = id.to_string();
        let cut: String = text.chars().take(cut).collect();
        // A cut uid may still look like one; it then names no key of the list. It must not panic,
        // nor turn into another act.
        if let Ok(other) = cut.parse::<TrayId>() {
            prop_assert_eq!(std::mem::discriminant(&other), std::mem::discriminant(&id));
        }
    }

    #[test]
    fn any_model_gives_a_sound_menu(model in arbitrary_model()) {
        let drawn = menu(&model, at(NOON));
        check_level(&drawn.items);
        prop_assert!(drawn.stale_in > Duration::ZERO);
    }
}

// Against the product

fn product() -> Arc<PaletteKeys> {
    PaletteKeys::open(Parts {
        store: Store::open_in_memory().unwrap(),
        keychain: Arc::new(MemoryKeychain::new()),
        clock: Arc::new(SystemClock),
        notices: Vec::new(),
        demo: false,
        version: "0".into(),
    })
}

fn connection(keys: &PaletteKeys, id: &str) -> Arc<Live> {
    let record = ConnectionRecord {
        id: id.into(),
        name: id.into(),
        colour: Colour::Teal,
        origin: format!("https://{id}.example"),
        method: SignInMethod::ApiKey,
        email: None,
        organization: None,
        ca_certificate: None,
        proxy: ProxyChoice::None,
        demo: false,
        in_memory_only: false,
        signing_key_uid: None,
        credential_key: None,
        sign_in: Default::default(),
        position: 0,
    };
    keys.ports().store.put_connection(&record).unwrap();
    let live = Arc::new(Live::remembered(record));
    keys.connections().put(Arc::clone(&live));
    keys.connections().activate(keys.ports(), &live).unwrap();
    live
}

fn list(keys: &PaletteKeys, live: &Arc<Live>, list: Vec<crate::keys::ApiKey>) {
    let listed = Listed {
        as_of: keys.ports().now(),
        keys: Some(list),
        skipped: 0,
        identity: identity("jane"),
        people: None,
        people_as_of: None,
        roles: None,
        quota: None,
        clock_offset_ms: 0,
        problem: None,
        about_read: true,
    };
    live.replace(keys.ports(), live.step(), listed);
}

fn ids(items: &[TrayItem]) -> Vec<TrayId> {
    let of = |item: &TrayItem| match item {
        TrayItem::Act { id, .. } => vec![id.clone()],
        TrayItem::List { items, .. } => ids(items),
        _ => Vec::new(),
    };
    items.iter().flat_map(of).collect()
}

/// trust.md check 12: the list changes under an open menu, then an old entry is clicked.
#[test]
fn an_old_entry_means_its_key_or_none() {
    const CASES: u32 = 200;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = proptest::test_runner::TestRunner::new_with_rng(
        ProptestConfig::default(),
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let mut pick = |below: usize| (0..below).new_tree(&mut random).unwrap().current();
    let (mut clicked, mut gone, mut wrong) = (0, 0, 0);
    runtime.block_on(async {
        for case in 0..CASES {
            let keys = product();
            let (other, live) = (connection(&keys, "other"), connection(&keys, "acme"));
            let many = 1 + pick(12);
            // The same uids on two hosts: only the connection tells them apart.
            let mut named: Vec<_> = (0..many)
                .map(|number| {
                    let mut key = key(&format!("{case:04}{number:04}"), "jane");
                    key.name = if pick(2) == 0 { "same".into() } else { format!("n{number}") };
                    key.expires = None;
                    key
                })
                .collect();
            list(&keys, &other, named.clone());
            list(&keys, &live, named.clone());
            let old = ids(&keys.tray_menu(None).items);
            for _ in 0..=pick(4) {
                match pick(4) {
                    0 => named.reverse(),
                    1 if !named.is_empty() => {
                        named.swap_remove(pick(named.len()));
                    }
                    2 => named.iter_mut().for_each(|key| key.name = "same".into()),
                    _ => named.iter_mut().for_each(|key| key.name = format!("{}'", key.name)),
                }
            }
            list(&keys, &live, named.clone());
            for id in old {
                let TrayId::Revoke { connection, uid } =
                    id.to_string().parse().expect("its own text")
                else {
                    continue;
                };
                clicked += 1;
                let there = named.iter().find(|key| key.uid == uid);
                let found = keys.tray_key(&connection, &uid);
                let right = found.as_ref().map(|view| (&*view.uid, &*view.name))
                    == there.map(|key| (key.uid.as_str(), &*key.name));
                wrong += u32::from(!right);
                gone += u32::from(found.is_none());
            }
        }
    });
    assert_eq!(wrong, 0);
    assert!(gone > 50 && clicked - gone > 50, "both happen: {gone} of {clicked} were gone");
}

#[tokio::test]
async fn a_roll_in_another_connection_asks_for_no_attention() {
    let keys = product();
    let (other, _open) = (connection(&keys, "other"), connection(&keys, "acme"));
    let soon = keys.ports().now().checked_add(SignedDuration::from_hours(72)).unwrap();
    let old = crate::keys::ApiKey { expires: Some(soon), ..key("k1", "jane") };
    list(&keys, &other, vec![old.clone()]);
    assert_eq!(keys.tray_menu(None).icon, TrayIcon::Attention, "without a roll");
    let rolling = RollRecord { connection: "other".into(), ..roll(&old, RollStep::Rolling) };
    keys.ports().store.add_roll(&rolling).unwrap();
    let model = keys.tray_model();
    assert!(model.connections.iter().all(|one| one.ending == 0), "{:?}", model.connections);
    assert_eq!(keys.tray_menu(None).icon, TrayIcon::Fine);
}

#[tokio::test]
async fn the_model_is_made_of_what_is_remembered() {
    let keys = product();
    let live = connection(&keys, "acme");
    let (mut mine, mut revoked, stored, theirs) =
        (key("k1", "jane"), key("k2", "jane"), key("k3", "sam"), key("k4", "sam"));
    mine.name = "mine".into();
    revoked.active = false;
    list(&keys, &live, vec![mine, revoked, stored, theirs]);
    let store = &keys.ports().store;
    store.mark_stored("acme", "k3", "robot", keys.ports().now()).unwrap();
    let entry = |act, uid: &str| JournalEntry {
        connection: "acme".into(),
        connection_name: "acme".into(),
        act,
        key_uid: Some(uid.into()),
        key_name: Some(format!("key {uid}")),
        owner_name: None,
        detail: String::new(),
        at: keys.ports().now(),
    };
    for _ in 0..3 {
        store.note(&entry(Act::Copy, "k3"), ActState::Done).unwrap();
    }
    for uid in ["k1", "k2"] {
        let line = store.ask(&entry(Act::Revoke, uid)).unwrap();
        let outcome = JournalOutcome::new(ActState::Done, "", keys.ports().now());
        store.outcome(line, &outcome).unwrap();
    }
    let model = keys.tray_model();
    let said: Vec<_> = model
        .keys
        .iter()
        .map(|key| (key.uid.as_str(), key.mine, key.active, key.stored, key.copies))
        .collect();
    assert_eq!(
        said,
        [("k1", true, true, false, 0), ("k2", true, false, false, 0), ("k3", false, true, true, 3),],
        "others' keys are there only with a stored value"
    );
    let undos: Vec<_> = model.undos.iter().map(|undo| undo.uid.as_str()).collect();
    assert_eq!(undos, ["k2"], "k1 is active again, so there is nothing to undo");
    assert_eq!(keys.tray_key("nobody", &uid("k1")), None);
}
