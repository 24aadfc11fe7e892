//! The sign-in key renews itself: whatever fails, the old one goes on; and a year of it.

use crate::desk::{Desk, op, sim};
use jiff::SignedDuration;
use palette_keys_core::background::refresh;
use palette_keys_core::clock::Clock;
use palette_keys_core::connection::own_key::OwnKeyRequest;
use palette_keys_core::connection::signing::{SignInChange, SignInChangeRequest, SignInKeyView};
use palette_keys_core::connection::{ConnectRequest, ConnectionState, SignIn};
use palette_keys_core::keychain::KeychainState;
use palette_keys_core::keys::Flag;
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::roll::{Grace, RollAct, RollActRequest, RollRequest};
use palette_keys_core::notices::Teller;
use palette_keys_core::palette_keys::Change;
use palette_keys_core::review::{ReviewRequest, findings::Rule};
use palette_keys_core::tray::{self, TrayIcon};
use palette_keys_core::{ErrorCode, Secret};
use palette_sim::{Fault, KeyTruth, Matcher, Seed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const DAY: i64 = 86_400;

/// Signed in with a key that the app made for itself after a password.
async fn own() -> Desk {
    own_on(Desk::on(sim(Seed::Empty).await)).await
}

async fn own_on(mut desk: Desk) -> Desk {
    let account = desk.sim.admin();
    let password = SignIn::Password {
        email: account.email.clone(),
        organization: account.organization.clone(),
        password: Secret::new(account.password.clone()),
    };
    let request = ConnectRequest { sign_in: password, ..desk.request(&account) };
    desk.connection = desk.keys.connect(request).await.unwrap().connection.id;
    let request = OwnKeyRequest { op_id: op(), connection: desk.connection.clone() };
    desk.keys.make_own_key(request, "heron").await.unwrap();
    desk
}

fn obey(desk: &Desk, policy: &str) {
    let file = desk.folder().join("policy.toml");
    std::fs::write(&file, policy).unwrap();
    desk.keys.use_policy(&file).unwrap();
}

/// Shorter than the life of our own keys, and with words that ours are not.
const STRICT: &str = "version = 1\nlongest_life_days = 6\nname_pattern = \"prod-[a-z]+\"\n\
                      description_required = true\n";

async fn sign_in(desk: &Desk) -> SignInKeyView {
    let start = desk.keys.start().await.unwrap();
    start.connections.into_iter().find(|view| view.id == desk.connection).unwrap().sign_in
}

/// Nothing would be lost if the process began anew.
async fn rests(desk: &Desk) -> bool {
    for _ in 0..400 {
        if desk.keys.at_work().is_none() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

/// Both clocks, this computer's and the server's, stand so long after now.
fn at(desk: &Desk, seconds: i64) {
    desk.sim.set_clock_offset_seconds(seconds);
    desk.clock.wrong_by(SignedDuration::from_secs(seconds));
}

/// The key that the app signs in with, as the server has it.
async fn credential(desk: &Desk) -> KeyTruth {
    let uid = sign_in(desk).await.uid.expect("a sign-in key");
    desk.sim.key(&uid).expect("it is on the server")
}

fn works(desk: &Desk, key: &KeyTruth) -> bool {
    key.active && key.expiry.is_none_or(|ends| ends > desk.sim.now())
}

#[tokio::test]
async fn with_a_third_of_its_life_left_the_key_is_rolled_and_the_old_one_ends() {
    let mut desk = own().await;
    let first = credential(&desk).await;
    at(&desk, 19 * DAY);
    refresh(&desk.keys).await;
    assert_eq!(credential(&desk).await.uid, first.uid, "11 of 30 days left: not yet");
    at(&desk, 20 * DAY + 60);
    refresh(&desk.keys).await;
    let second = credential(&desk).await;
    assert_ne!(second.uid, first.uid);
    let view = sign_in(&desk).await;
    assert!(view.own && view.renews && view.problem.is_none(), "{view:?}");
    assert_eq!(desk.stored_value(&second.uid).await.as_deref(), Some(&*second.value));
    let old = desk.sim.key(&first.uid).unwrap();
    let grace = old.expiry.unwrap().as_second() - desk.sim.now().as_second();
    assert!(works(&desk, &old) && grace <= DAY, "{grace} seconds of grace, on the server");
    assert!(desk.keys.held_values().is_empty(), "nobody is asked to keep it");
    assert!(rests(&desk).await, "the new value is let go: {:?}", desk.keys.at_work());

    // Restarted, it signs in with the new one; the old one has ended and is tidied away.
    at(&desk, 22 * DAY);
    desk.crash();
    assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
    refresh(&desk.keys).await;
    refresh(&desk.keys).await;
    desk.drained().await;
    assert_eq!(credential(&desk).await.uid, second.uid);
    assert!(desk.sim.key(&first.uid).is_none(), "an ended key of our own does not fill the quota");
}

#[tokio::test]
async fn the_end_of_a_key_that_is_renewed_in_time_asks_nobody_for_anything() {
    let desk = own().await;
    for (day, is_news) in [(17, false), (24, false), (26, true)] {
        at(&desk, day * DAY);
        // A list alone renews nothing.
        assert_eq!(desk.list(true).await.problem, None);
        let now = desk.clock.now();
        let icon = tray::menu(&desk.keys.tray_model(), now).icon;
        assert_eq!(icon != TrayIcon::Fine, is_news, "day {day}: {icon:?}");
        let request = ReviewRequest { connection: desk.connection.clone() };
        let findings = desk.keys.review(request).await.unwrap().findings;
        let told = findings.iter().any(|finding| finding.rule == Rule::ExpiringSoon);
        assert_eq!(told, is_news, "day {day}");
    }
}

/// What the desktop would be told now, and is.
fn told(teller: &Teller, steady: &mut u64) -> Vec<String> {
    *steady += 120;
    let notices = teller.due(Duration::from_secs(*steady), true, false);
    for notice in &notices {
        teller.shown(notice, true);
    }
    notices.into_iter().map(|notice| format!("{}: {}", notice.title, notice.body)).collect()
}

#[tokio::test]
async fn a_year_of_renewals_is_no_news_to_anybody() {
    let mut desk = own().await;
    let first = credential(&desk).await.uid;
    let listen = |keys: &std::sync::Arc<palette_keys_core::PaletteKeys>| {
        let teller = std::sync::Arc::new(Teller::new(keys));
        let ended = std::sync::Arc::clone(&teller);
        keys.on_change(Box::new(move |change| {
            if let Change::OutboxEnded(end) = &change {
                ended.ended(end, Duration::ZERO);
            }
        }));
        teller
    };
    let (mut teller, mut steady, mut deleted) = (listen(&desk.keys), 0, 0);
    for day in 1..=70 {
        at(&desk, day * DAY + 60);
        // The loop of the notices is sooner than the one that reads lists.
        assert_eq!(told(&teller, &mut steady), Vec::<String>::new(), "day {day}, before");
        refresh(&desk.keys).await;
        assert!(rests(&desk).await);
        desk.drained().await;
        assert_eq!(told(&teller, &mut steady), Vec::<String>::new(), "day {day}, after");
        deleted += desk.sent("DELETE", "/v1/apiKeys");
        desk.sim.clear_requests();
        if day % 23 == 0 {
            desk.crash();
            desk.select().await;
            teller = listen(&desk.keys);
        }
    }
    assert_ne!(credential(&desk).await.uid, first);
    assert!(deleted >= 2, "{deleted} were deleted by themselves");
    // With the renewal switched off its end is a person's affair again, and so is one that came
    // while the app was not running.
    let mut settings = desk.keys.settings();
    settings.renew_sign_in_key = false;
    desk.keys.save_settings(settings.clone()).unwrap();
    let ends = credential(&desk).await.expiry.unwrap().as_second();
    let start = desk.sim.now().as_second() - 70 * DAY;
    at(&desk, ends - start - DAY);
    let bodies = told(&teller, &mut steady);
    assert!(bodies.len() == 1 && bodies[0].contains("ends in"), "{bodies:?}");
    settings.renew_sign_in_key = true;
    desk.keys.save_settings(settings).unwrap();
    at(&desk, ends - start + DAY);
    let bodies = told(&teller, &mut steady);
    assert!(bodies.len() == 1 && bodies[0].contains("has ended"), "{bodies:?}");
    at(&desk, 70 * DAY);
    // What a person asks for is told as ever.
    let asked = desk.created(&desk.new_key("by-hand")).await.uid.unwrap();
    desk.keys.revoke_key(desk.act(&asked)).await.unwrap();
    desk.drained().await;
    assert_eq!(told(&teller, &mut steady), ["Revocation confirmed: Revoked by-hand."]);
}

#[tokio::test]
async fn nobody_is_asked_to_keep_what_a_renewal_keeps_by_itself() {
    let desk = own().await;
    let first = credential(&desk).await;
    let seen = Arc::new(Mutex::new((0, Vec::new())));
    let (notes, keys) = (seen.clone(), Arc::downgrade(&desk.keys));
    desk.keys.on_change(Box::new(move |_| {
        let Some(keys) = keys.upgrade() else { return };
        let mut notes = notes.lock().unwrap();
        notes.0 += usize::from(keys.is_filing());
        notes.1.extend(keys.held_values());
    }));
    at(&desk, 20 * DAY + 60);
    refresh(&desk.keys).await;
    assert_ne!(credential(&desk).await.uid, first.uid);
    let (filing, waiting) = seen.lock().unwrap().clone();
    assert!(filing > 0, "somebody looked while the value was on its way into the keychain");
    assert_eq!(waiting, [], "and was not asked to keep it");
    assert!(!desk.keys.is_filing());
}

#[tokio::test]
async fn a_key_of_a_person_is_renewed_only_where_they_agreed() {
    for agreed in [false, true] {
        let mut desk = Desk::on(sim(Seed::Empty).await);
        let account = desk.sim.admin();
        desk.sign_in(&account).await;
        let start = desk.sim.now().as_second();
        desk.sim.edit_key_directly(&account.api_key_uid, |key| {
            key.expiry = key.created.checked_add(SignedDuration::from_hours(24 * 90)).ok();
        });
        desk.list(true).await;
        let end = desk.sim.key(&account.api_key_uid).unwrap().expiry.unwrap();
        if agreed {
            let (connection, change) = (desk.connection.clone(), SignInChange::Renew { on: true });
            desk.keys.change_sign_in(SignInChangeRequest { connection, change }).unwrap();
        }
        at(&desk, end.as_second() - start - DAY);
        refresh(&desk.keys).await;
        let renewed = credential(&desk).await.uid != account.api_key_uid;
        assert_eq!(renewed, agreed);
        // What a person made may be in use elsewhere: it ends, and is never deleted by itself.
        for later in [900, 25 * 3_600, 26 * 3_600] {
            at(&desk, end.as_second() - start - DAY + later);
            refresh(&desk.keys).await;
            refresh(&desk.keys).await;
            desk.drained().await;
            let kept = desk.sim.key(&account.api_key_uid);
            assert!(kept.is_some_and(|key| key.active), "{later} s later, agreed: {agreed}");
        }
        assert_eq!(desk.sent("DELETE", "/v1/apiKeys"), 0);
    }
}

#[tokio::test]
async fn a_key_of_a_person_is_theirs_again_once_its_renewal_is_cancelled() {
    let mut desk = Desk::on(sim(Seed::Empty).await);
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    let start = desk.sim.now().as_second();
    desk.sim.edit_key_directly(&account.api_key_uid, |key| {
        key.expiry = key.created.checked_add(SignedDuration::from_hours(24 * 90)).ok();
    });
    desk.list(true).await;
    let end = desk.sim.key(&account.api_key_uid).unwrap().expiry.unwrap().as_second();
    let (connection, change) = (desk.connection.clone(), SignInChange::Renew { on: true });
    desk.keys.change_sign_in(SignInChangeRequest { connection, change }).unwrap();
    at(&desk, end - start - 10 * DAY);
    refresh(&desk.keys).await;
    assert!(sign_in(&desk).await.own, "the new key is our own");
    let roll = desk.list(false).await.rolls.remove(0).roll;
    let cancel = RollActRequest { op_id: op(), roll, act: RollAct::Cancel };
    assert_eq!(desk.keys.act_on_roll(cancel).await.unwrap().roll, None);
    let view = sign_in(&desk).await;
    assert_eq!(view.uid.as_deref(), Some(&*account.api_key_uid));
    assert!(!view.own && view.renews, "{view:?}");

    // Renewed again, it still is no key of ours.
    at(&desk, end - start - 9 * DAY);
    refresh(&desk.keys).await;
    assert_ne!(credential(&desk).await.uid, account.api_key_uid);
    for later in [900, 25 * 3_600, 26 * 3_600] {
        at(&desk, end - start - 9 * DAY + later);
        refresh(&desk.keys).await;
        refresh(&desk.keys).await;
        desk.drained().await;
        assert!(desk.sim.key(&account.api_key_uid).is_some(), "{later} s later");
    }
}

#[tokio::test]
async fn a_renewal_is_work_that_a_new_beginning_waits_for() {
    let desk = own().await;
    at(&desk, 20 * DAY + 60);
    assert!(rests(&desk).await, "{:?}", desk.keys.at_work());
    let before = desk.sim.keys().len();
    desk.sim.clear_requests();
    desk.sim.set_fault(Matcher::on("POST", "/v1/apiKeys"), Fault::DelayMs(300), None);
    let keys = desk.keys.clone();
    let renewing = tokio::spawn(async move { refresh(&keys).await });
    let mut looked = 0;
    while !renewing.is_finished() {
        // Asked as long as the answer is on its way.
        if desk.sent("POST", "/v1/apiKeys") == 1 && desk.sim.keys().len() == before {
            assert!(desk.keys.at_work().is_some(), "the answer would be lost");
            looked += 1;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(looked > 20, "looked {looked} times");
}

#[tokio::test]
async fn a_policy_shortens_the_life_of_the_sign_in_key_and_never_stops_its_renewal() {
    let desk = Desk::on(sim(Seed::Empty).await);
    obey(&desk, STRICT);
    let desk = own_on(desk).await;
    let lives = |key: &KeyTruth| key.expiry.unwrap().duration_since(key.created).as_secs();
    let first = credential(&desk).await;
    assert!((6 * DAY - 60..=6 * DAY + 60).contains(&lives(&first)), "{} s", lives(&first));
    assert_eq!(first.name, "palette-keys on heron");
    at(&desk, 4 * DAY + 60);
    refresh(&desk.keys).await;
    let second = credential(&desk).await;
    assert_ne!(second.uid, first.uid, "{:?}", sign_in(&desk).await.problem);
    assert!((6 * DAY - 60..=6 * DAY + 60).contains(&lives(&second)), "{} s", lives(&second));

    // A pasted key that does not say what it is for, under a policy that came later.
    let mut desk = Desk::on(sim(Seed::Empty).await);
    let account = desk.sim.admin();
    desk.sign_in(&account).await;
    desk.sim.edit_key_directly(&account.api_key_uid, |key| {
        key.description.clear();
        key.expiry = key.created.checked_add(SignedDuration::from_hours(24 * 90)).ok();
    });
    obey(&desk, STRICT);
    desk.list(true).await;
    let (connection, change) = (desk.connection.clone(), SignInChange::Renew { on: true });
    desk.keys.change_sign_in(SignInChangeRequest { connection, change }).unwrap();
    let left = desk.sim.key(&account.api_key_uid).unwrap().expiry.unwrap();
    at(&desk, left.as_second() - desk.sim.now().as_second() - 10 * DAY);
    refresh(&desk.keys).await;
    let renewed = credential(&desk).await;
    assert_ne!(renewed.uid, account.api_key_uid, "{:?}", sign_in(&desk).await.problem);
    assert!(lives(&renewed) <= 6 * DAY + 60, "{} s", lives(&renewed));

    // What a person names has to fit, also where it signs in.
    let roll = RollRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: renewed.uid,
        name: "CI".into(),
        expiry: ExpiryChoice::Days { days: 5 },
        grace: Grace::Day,
    };
    let running = desk.list(false).await.rolls.remove(0).roll;
    let end = RollActRequest { op_id: op(), roll: running, act: RollAct::EndNow };
    assert_eq!(desk.keys.act_on_roll(end).await.unwrap().roll, None);
    let failure = desk.keys.roll_key(roll).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::NameOutsidePolicy, "{}", failure.message);
}

#[tokio::test]
async fn the_setting_stops_it() {
    let desk = own().await;
    let mut settings = desk.keys.settings();
    settings.renew_sign_in_key = false;
    desk.keys.save_settings(settings).unwrap();
    let first = credential(&desk).await.uid;
    at(&desk, 25 * DAY);
    refresh(&desk.keys).await;
    assert_eq!(credential(&desk).await.uid, first);
}

#[tokio::test]
async fn whatever_fails_the_old_key_goes_on_and_it_is_tried_again() {
    let mut passed = 0;
    let faults = [
        "keychain locked",
        "server down",
        "quota full",
        "POST refused",
        "PUT refused",
        "proof refused",
    ];
    for fault in faults {
        let mut desk = own().await;
        let first = credential(&desk).await;
        at(&desk, 21 * DAY);
        refresh_list(&desk).await;
        let error = |status| Fault::error(status, "Refused", "not now");
        match fault {
            "keychain locked" => desk.keychain.set_state(KeychainState::Locked),
            "server down" => desk.sim.go_down().await,
            "quota full" => desk.sim.set_quota(1),
            "POST refused" => {
                desk.sim.set_fault(Matcher::on("POST", "/v1/apiKeys"), error(403), None)
            }
            "PUT refused" => {
                desk.sim.set_fault(Matcher::on("PUT", "/v1/apiKeys"), error(403), None)
            }
            _ => desk.sim.set_fault(Matcher::on("GET", "/v1/users/info"), error(503), None),
        }
        at(&desk, 21 * DAY + 3_600);
        refresh(&desk.keys).await;
        let now = credential(&desk).await;
        assert!(works(&desk, &now), "{fault}: the credential works");
        assert!(works(&desk, &desk.sim.key(&first.uid).unwrap()), "{fault}: the old one goes on");

        // It is over; the app may have been started anew meanwhile.
        desk.keychain.set_state(KeychainState::Ready);
        desk.sim.clear_faults();
        desk.sim.set_quota(20);
        desk.sim.come_back().await.unwrap();
        desk.crash();
        desk.select().await;
        for hour in 1..=8 {
            at(&desk, 21 * DAY + 3_600 * (1 + 3 * hour));
            refresh(&desk.keys).await;
        }
        let after = credential(&desk).await;
        assert_ne!(after.uid, first.uid, "{fault}: renewed in the end");
        assert!(rests(&desk).await, "{fault}: {:?}", desk.keys.at_work());
        assert!(works(&desk, &after));
        assert!(sign_in(&desk).await.problem.is_none(), "{fault}");
        assert_eq!(desk.select().await.state, ConnectionState::SignedIn);
        passed += 1;
    }
    println!(
        "renewal: {passed}/{} faults left the old credential working and were made good",
        faults.len()
    );
}

/// Reads the list without the agent.
async fn refresh_list(desk: &Desk) {
    desk.list(true).await;
}

#[tokio::test]
async fn a_server_restored_from_a_backup_is_signed_in_to_with_the_key_before() {
    let desk = own().await;
    let first = credential(&desk).await;
    at(&desk, 20 * DAY + 60);
    refresh(&desk.keys).await;
    let second = credential(&desk).await;
    // The backup was made before the roll.
    desk.sim.remove_key(&second.uid);
    desk.sim.edit_key_directly(&first.uid, |key| key.expiry = first.expiry);
    assert!(desk.list(true).await.problem.is_some());
    refresh(&desk.keys).await;
    assert_eq!(credential(&desk).await.uid, first.uid);
    assert!(desk.list(true).await.problem.is_none());
}

#[tokio::test]
async fn without_its_roll_the_key_before_signs_in_too_and_the_window_hears_of_it() {
    let desk = own().await;
    let first = credential(&desk).await;
    at(&desk, 20 * DAY + 60);
    refresh(&desk.keys).await;
    let second = credential(&desk).await;
    let roll = desk.list(false).await.rolls.remove(0).roll;
    assert!(desk.store().remove_roll(&roll).unwrap());
    desk.sim.remove_key(&second.uid);
    desk.sim.edit_key_directly(&first.uid, |key| key.expiry = first.expiry);
    assert!(desk.list(true).await.problem.is_some());
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = std::sync::Arc::clone(&told);
    desk.keys.on_change(Box::new(move |change| match change {
        Change::Keys { .. } => hears.lock().unwrap().push("keys"),
        Change::Connections => hears.lock().unwrap().push("connections"),
        _ => {}
    }));
    refresh(&desk.keys).await;
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert!(told.contains(&"keys") && told.contains(&"connections"), "{told:?}");
    // What the window asks for then, without a request of its own.
    let list = desk.list(false).await;
    assert!(list.problem.is_none(), "{:?}", list.problem);
    let signing = list.keys.iter().filter(|key| key.flags.contains(&Flag::SignsIn));
    assert_eq!(signing.map(|key| &*key.uid).collect::<Vec<_>>(), [&*first.uid]);
    assert!(list.keys.iter().all(|key| key.uid != second.uid), "as the server has it");
    assert_eq!(credential(&desk).await.uid, first.uid);
}

/// xorshift64*: the same outages for the same seed.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.next() % u64::try_from(to - from + 1).unwrap()).unwrap()
    }
}

/// What a stretch of time came to.
struct Year {
    rolls: usize,
    outages: u32,
    lock_outs: u32,
}

/// A laptop that is looked at every 6 to 30 hours for so many days, started anew every few days,
/// with outages of up to 5 days, each of another kind.
async fn time_passes(seed: u64, days: i64) -> Year {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let mut desk = own().await;
    let mut year = Year { rolls: 0, outages: 0, lock_outs: 0 };
    let (mut now, mut restart, mut uid) = (0, 7 * DAY, credential(&desk).await.uid);
    let (mut next, mut until) = (chance.between(1, 15) * DAY, None);
    while now < days * DAY {
        now += chance.between(6 * 3_600, 30 * 3_600);
        at(&desk, now);
        if until.is_some_and(|until| now >= until) {
            desk.sim.clear_faults();
            desk.sim.set_quota(20);
            desk.keychain.set_state(KeychainState::Ready);
            desk.sim.come_back().await.unwrap();
            until = None;
            next = now + chance.between(1, 20) * DAY;
        }
        if until.is_none() && now >= next {
            year.outages += 1;
            until = Some(now + chance.between(3_600, 5 * DAY));
            let error = |status| Fault::error(status, "Unavailable", "later");
            match chance.between(0, 5) {
                0 => desk.sim.go_down().await,
                1 => desk.sim.set_fault(Matcher::any(), error(503), None),
                2 => desk.keychain.set_state(KeychainState::Locked),
                3 => desk.sim.set_quota(1),
                4 => desk.sim.set_fault(Matcher::on("PUT", "/v1/apiKeys"), error(403), None),
                _ => desk.sim.set_fault(
                    Matcher::on("POST", "/v1/apiKeys"),
                    Fault::ResetAfterHandling,
                    None,
                ),
            }
        }
        if now >= restart {
            desk.crash();
            restart = now + chance.between(1, 5) * DAY;
        }
        refresh(&desk.keys).await;
        let view = sign_in(&desk).await;
        let key = view.uid.as_deref().and_then(|uid| desk.sim.key(uid));
        let locked_out = !key.as_ref().is_some_and(|key| works(&desk, key));
        if locked_out {
            year.lock_outs += 1;
            println!("seed {seed}, day {}: {view:?}", now / DAY);
            break;
        }
        if view.uid.as_deref() != Some(&*uid) {
            uid = view.uid.unwrap_or_default();
            year.rolls += 1;
        }
        if until.is_none() {
            let list = desk.list(false).await;
            if list.problem.is_some() {
                year.lock_outs += 1;
                println!("seed {seed}, day {}: {:?}", now / DAY, list.problem);
                break;
            }
        }
    }
    year
}

/// The app keeps to its pace, about half a second for each look, so the seeds run side by side; more
/// at once on one thread would be late with their answers.
const AT_ONCE: usize = 6;

async fn with_outages(seeds: std::ops::RangeInclusive<u64>, days: i64) {
    let mut running = tokio::task::JoinSet::new();
    let (mut passed, mut total, mut rolls, mut outages) = (0, 0, 0, 0);
    let mut waiting = seeds;
    loop {
        while running.len() < AT_ONCE
            && let Some(seed) = waiting.next()
        {
            running.spawn(async move { (seed, time_passes(seed, days).await) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (seed, year) = ended.unwrap();
        total += 1;
        passed += u32::from(year.lock_outs == 0);
        rolls += year.rolls;
        outages += year.outages;
        let least = usize::try_from(days / 30).unwrap();
        assert!(year.rolls >= least, "seed {seed}: {} rolls in {days} days", year.rolls);
        println!(
            "seed {seed}: {} rolls, {} outages, {} lock-outs",
            year.rolls, year.outages, year.lock_outs
        );
    }
    println!(
        "renewals over {days} days: {passed}/{total} without a lock-out, {rolls} rolls, {outages} \
         outages of up to 5 days"
    );
    assert_eq!(passed, total);
}

#[tokio::test]
async fn three_years_with_outages_of_up_to_five_days_have_no_lock_out() {
    with_outages(1..=3, 365).await;
}

#[tokio::test]
#[ignore = "twenty years take minutes"]
async fn twenty_years_with_outages_of_up_to_five_days_have_no_lock_out() {
    with_outages(1..=20, 365).await;
}
