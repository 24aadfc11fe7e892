//! Review against the simulator: owners as far as they may be read, findings, what is accepted, the
//! policy in forms, and what others changed.

use crate::desk::{Desk, op, sim};
use jiff::SignedDuration;
use palette_keys_core::ErrorCode;
use palette_keys_core::background::{self, Refreshed};
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::edit::{EditBase, EditRequest};
use palette_keys_core::keys::expiry::ExpiryChoice;
use palette_keys_core::keys::renew::RenewRequest;
use palette_keys_core::keys::{KeyRequest, OwnerState};
use palette_keys_core::outbox::{OutboxAction, OutboxAddRequest};
use palette_keys_core::review::accepted::{AcceptRequest, TakeBackRequest};
use palette_keys_core::review::changes::ChangeKind;
use palette_keys_core::review::findings::{FindingView, Rule, Severity};
use palette_keys_core::review::{ReviewRequest, ReviewView, SpreadRequest};
use palette_keys_core::settings::Settings;
use palette_sim::{Account, Fault, Matcher, NewKey, Seed};

async fn review(desk: &Desk) -> ReviewView {
    let connection = desk.connection.clone();
    desk.keys.review(ReviewRequest { connection }).await.unwrap()
}

fn of(view: &ReviewView, rule: Rule) -> Vec<&FindingView> {
    view.findings.iter().filter(|finding| finding.rule == rule).collect()
}

async fn signed_in(pick: impl Fn(&palette_sim::Sim) -> Account) -> Desk {
    let mut desk = Desk::bare().await;
    let account = pick(&desk.sim);
    desk.sign_in(&account).await;
    desk
}

#[tokio::test]
async fn an_admin_reviews_everyones_keys_with_their_owners() {
    let desk = Desk::admin().await;
    let view = review(&desk).await;
    assert_eq!(view.keys as usize, desk.sim.keys().len());
    assert_eq!(view.people, Some(desk.sim.users().len() as u32));
    let gone = of(&view, Rule::OwnerGone);
    assert_eq!(gone.len(), 1, "told together");
    assert!(gone[0].title.ends_with("of people who are gone"), "{}", gone[0].title);
    assert_eq!(gone[0].severity, Severity::ActNow);
    assert!(of(&view, Rule::NeverEnds).iter().any(|f| f.title == "legacy-jenkins never expires"));
    assert!(of(&view, Rule::MadeByOther)[0].evidence.contains("Ana Ruiz"));
    assert!(view.counts.act_now > 0 && view.counts.pressing >= view.counts.act_now);
    assert!(!view.timeline.days.is_empty());
    assert!(view.findings.is_sorted_by_key(|finding| finding.severity), "worst first");

    let uid = desk.listed("edge-provisioner").await.uid;
    let request = KeyRequest { connection: desk.connection.clone(), uid };
    let owner = desk.keys.key_details(request).await.unwrap().owner.unwrap();
    assert_eq!((&*owner.email, owner.active), ("mikko.korhonen@acme.example", Some(true)));
    assert!(owner.last_sign_in.is_some());
    assert_eq!(owner.roles[0].name, "Project Editor");
    assert_eq!(owner.roles[0].allows.as_deref(), Some("has only own keys"));
    let uid = desk.listed("nightly-backup").await.uid;
    let request = KeyRequest { connection: desk.connection.clone(), uid };
    let owner = desk.keys.key_details(request).await.unwrap().owner.unwrap();
    assert_eq!(owner.roles[0].name, "Tenant Admin");
    let allows = owner.roles[0].allows.as_deref();
    assert_eq!(allows, Some("may create, edit, revoke and delete every key"));
    // An open invitation has a live link; it is in no file of ours.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    desk.nowhere_on_disk("/activate/");
}

#[tokio::test]
async fn a_project_admin_reviews_every_key_and_nothing_is_claimed_of_owners() {
    let desk = signed_in(palette_sim::Sim::project_admin).await;
    let view = review(&desk).await;
    assert_eq!(view.keys as usize, desk.sim.keys().len(), "a full list all the same");
    assert_eq!(view.people, None);
    for rule in [Rule::OwnerGone, Rule::OwnerInactive, Rule::OwnerNotSeen] {
        assert!(of(&view, rule).is_empty(), "{rule:?}");
    }
    assert!(!of(&view, Rule::NeverEnds).is_empty());
}

#[tokio::test]
async fn a_plain_user_reviews_own_keys() {
    let desk = Desk::user().await;
    let view = review(&desk).await;
    assert_eq!(view.keys, 4);
    assert_eq!(view.people, None);
    let expected = desk.list(false).await.keys.into_iter().map(|key| key.uid).collect::<Vec<_>>();
    for finding in &view.findings {
        assert!(finding.keys.iter().all(|uid| expected.contains(uid)));
    }
}

#[tokio::test]
async fn people_that_cannot_be_read_just_now_make_nobody_gone() {
    let desk = Desk::admin().await;
    let before = of(&review(&desk).await, Rule::OwnerGone)[0].keys.len();
    let failing = Fault::error(500, "Internal", "no");
    desk.sim.set_fault(Matcher::path("/v1/users/meta"), failing, None);
    desk.clock.wrong_by(SignedDuration::from_mins(11));
    desk.list(true).await;
    let view = review(&desk).await;
    assert_eq!(of(&view, Rule::OwnerGone)[0].keys.len(), before, "as they were known");

    let refused = Fault::error(403, "OperationForbidden", "no");
    desk.sim.clear_faults();
    desk.sim.set_fault(Matcher::path("/v1/users/meta"), refused, None);
    desk.clock.wrong_by(SignedDuration::from_mins(30));
    desk.list(true).await;
    let view = review(&desk).await;
    assert_eq!((view.people, of(&view, Rule::OwnerGone).len()), (None, 0));
}

#[tokio::test]
async fn who_came_after_the_people_were_read_is_not_gone() {
    let desk = Desk::admin().await;
    let before = of(&review(&desk).await, Rule::OwnerGone)[0].keys.len();
    // A key of somebody whom the remembered people cannot hold, made later than the clock is known to.
    desk.sim.advance_seconds(3);
    let kim = "6f0000000000000000000077".to_owned();
    desk.sim.add_key(NewKey { owner_uid: Some(kim.clone()), ..NewKey::named("kims-first") });
    let state = async || {
        let list = desk.list(false).await.keys.into_iter();
        list.filter(|key| key.owner_uid == kim).map(|key| key.owner_state).next()
    };
    // This app makes a key, and sees the fresh list with it.
    desk.created(&desk.new_key("mine")).await;
    assert_eq!(state().await, Some(OwnerState::Unknown));
    // People are asked for, and do not answer.
    let failing = Fault::error(500, "Internal", "no");
    desk.sim.set_fault(Matcher::path("/v1/users/meta"), failing, None);
    desk.clock.wrong_by(SignedDuration::from_mins(11));
    desk.list(true).await;
    assert_eq!(state().await, Some(OwnerState::Unknown));
    assert_eq!(of(&review(&desk).await, Rule::OwnerGone)[0].keys.len(), before);
    // They answer the next time, whenever that is, and Kim is not among them.
    desk.sim.clear_faults();
    desk.list(true).await;
    assert_eq!(state().await, Some(OwnerState::Gone));
    assert_eq!(of(&review(&desk).await, Rule::OwnerGone)[0].keys.len(), before + 1);
}

#[tokio::test]
async fn people_cost_the_fewest_calls() {
    let sim = sim(Seed::Size { keys: 60, users: 300 }).await;
    let mut desk = Desk::on(sim);
    let account = desk.sim.admin();
    let view = desk.connect(&account).await.unwrap();
    desk.connection = view.connection.id;
    assert_eq!(desk.sent("GET", "/v1/users/meta"), 1);
    assert_eq!(desk.sent("POST", "/v1/users/summary"), 1);
    let paged = desk.sim.requests().into_iter().filter(|r| r.path == "/v1/users").count();
    assert_eq!(paged, 0, "no page for what two calls tell");
    assert_eq!(review(&desk).await.people, Some(300));
}

fn accept(desk: &Desk, finding: &FindingView, days: i64) -> AcceptRequest {
    let until = desk.sim.now().checked_add(SignedDuration::from_hours(24 * days)).unwrap();
    AcceptRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        rule: finding.rule,
        keys: finding.keys.clone(),
        reason: " Old build farm ".into(),
        until: until.as_millisecond(),
    }
}

#[tokio::test]
async fn an_accepted_finding_comes_back_on_its_date_or_when_facts_change() {
    let mut desk = Desk::admin().await;
    let view = review(&desk).await;
    let legacy = of(&view, Rule::NeverEnds)
        .into_iter()
        .find(|finding| finding.title.starts_with("legacy-jenkins"))
        .unwrap()
        .clone();
    let is_open = |view: &ReviewView| view.findings.iter().any(|each| each.id == legacy.id);

    let refused = desk
        .keys
        .accept_finding(AcceptRequest { reason: "  ".into(), ..accept(&desk, &legacy, 30) })
        .await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::ReasonInvalid);
    for days in [-1, 400] {
        let refused = desk.keys.accept_finding(accept(&desk, &legacy, days)).await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::UntilInvalid);
    }

    let kept = desk.keys.accept_finding(accept(&desk, &legacy, 30)).await.unwrap();
    assert!(!is_open(&kept));
    assert_eq!((kept.accepted.len(), &*kept.accepted[0].reason), (1, "Old build farm"));
    assert!(kept.counts.act_now < view.counts.act_now);
    let line = desk.line(Act::Accept);
    assert_eq!(line.key_uid.as_deref(), Some(&*legacy.keys[0]));
    assert!(line.detail.ends_with(": Old build farm"), "{}", line.detail);
    desk.crash();
    assert!(!is_open(&review(&desk).await), "over a restart");

    desk.clock.wrong_by(SignedDuration::from_hours(24 * 31));
    // Without the server's word this computer's clock counts.
    assert!(is_open(&review(&desk).await), "its date has come");
    desk.clock.wrong_by(SignedDuration::ZERO);
    assert!(!is_open(&review(&desk).await));

    let admin = desk.sim.admin().uid;
    desk.sim.edit_key_directly(&legacy.keys[0], |key| key.owner_uid = admin);
    desk.list(true).await;
    assert!(is_open(&review(&desk).await), "another owner: what was decided on is not there");

    let again = desk.keys.accept_finding(accept(&desk, &legacy, 30)).await.unwrap();
    assert!(!is_open(&again));
    let back = desk
        .keys
        .take_back_finding(TakeBackRequest {
            op_id: op(),
            connection: desk.connection.clone(),
            rule: legacy.rule,
            keys: legacy.keys.clone(),
        })
        .await
        .unwrap();
    assert!(is_open(&back) && back.accepted.is_empty());
    desk.line_ended(Act::TakeBack, ActState::Done);
}

#[tokio::test]
async fn forms_obey_the_policy_and_a_broken_file_changes_nothing() {
    let desk = Desk::admin().await;
    let file = desk.folder().join("policy.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();

    write("version = 1\nlongest_life = 9\n");
    let refused = desk.keys.use_policy(&file).unwrap_err();
    assert_eq!(refused.code, ErrorCode::PolicyInvalid);
    assert!(refused.message.starts_with("Line 2, longest_life:"), "{}", refused.message);
    assert_eq!(desk.keys.settings().policy_path, None);

    write(
        "version = 1\nlongest_life_days = 20\nname_pattern = \"prod-[a-z]+\"\n\
         description_required = true\n",
    );
    desk.keys.use_policy(&file).unwrap();
    let code = async |request| desk.create(&request).await.unwrap_err().code;
    assert_eq!(code(desk.new_key("ci")).await, ErrorCode::NameOutsidePolicy);
    let bare = palette_keys_core::keys::create::CreateRequest {
        description: " ".into(),
        ..desk.new_key("prod-ci")
    };
    assert_eq!(code(bare).await, ErrorCode::DescriptionMissing);
    assert_eq!(code(desk.new_key("prod-ci")).await, ErrorCode::ExpiryBeyondPolicy);
    let made = desk
        .created(&palette_keys_core::keys::create::CreateRequest {
            expiry: ExpiryChoice::Days { days: 20 },
            ..desk.new_key("prod-ci")
        })
        .await;

    let renew = |days| {
        desk.keys.renew_key(RenewRequest {
            op_id: op(),
            connection: desk.connection.clone(),
            uid: made.uid.clone().unwrap(),
            expiry: ExpiryChoice::Days { days },
        })
    };
    assert_eq!(renew(21).await.unwrap_err().code, ErrorCode::ExpiryBeyondPolicy);
    let key = desk.listed("prod-ci").await;
    let edit = |name: &str, description: &str| {
        desk.keys.edit_key(EditRequest {
            op_id: op(),
            connection: desk.connection.clone(),
            uid: key.uid.clone(),
            base: EditBase {
                name: key.name.clone(),
                description: key.description.clone(),
                expires: key.expires,
            },
            name: name.into(),
            description: description.into(),
            expiry: None,
        })
    };
    assert_eq!(edit("ci", "x").await.unwrap_err().code, ErrorCode::NameOutsidePolicy);
    assert_eq!(edit("prod-ci", "").await.unwrap_err().code, ErrorCode::DescriptionMissing);

    // What other clients named stays as it is until somebody names it anew.
    let view = review(&desk).await;
    assert!(!of(&view, Rule::NameOutsidePolicy).is_empty());
    assert!(!of(&view, Rule::LongerThanPolicy).is_empty());
    assert_eq!(view.policy.longest_life_days, Some(20));

    write("version = 1\nlongest_life_days = \"many\"\n");
    desk.list(true).await;
    let view = review(&desk).await;
    let problem = view.policy.problem.unwrap();
    assert_eq!((problem.line, problem.field.as_deref()), (Some(2), Some("longest_life_days")));
    assert_eq!(view.policy.longest_life_days, Some(20), "the last good one is kept");
    assert_eq!(renew(21).await.unwrap_err().code, ErrorCode::ExpiryBeyondPolicy);
    let settings = Settings { policy_path: None, ..desk.keys.settings() };
    desk.keys.save_settings(settings).unwrap();
    renew(21).await.unwrap();
}

#[tokio::test]
async fn what_others_changed_is_told_over_a_restart_and_what_we_did_is_not() {
    let mut desk = Desk::admin().await;
    desk.list(true).await;
    let own = desk.created(&desk.new_key("made-here")).await;
    desk.list(true).await;
    let revoked = desk.listed("registry-sync").await.uid;
    desk.keys.revoke_key(desk.act(&revoked)).await.unwrap();
    desk.keys.reactivate_key(desk.act(&revoked)).await.unwrap();
    desk.list(true).await;
    assert_eq!(review(&desk).await.changes, [], "nobody else did anything");

    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    desk.crash();
    desk.sim.add_key(NewKey { owner_uid: Some(desk.sim.user().uid), ..NewKey::named("new-one") });
    let uid_of = |name: &str| desk.sim.key_named(name).unwrap().uid;
    desk.sim.edit_key_directly(&uid_of("cost-dashboard"), |key| key.expiry = None);
    desk.sim.edit_key_directly(&uid_of("leaked-in-slack"), |key| key.active = true);
    desk.sim.remove_key(&uid_of("demo-day"));
    desk.sim.set_fault(Matcher::on("GET", "/v1/audits"), Fault::DelayMs(300), None);
    desk.list(true).await;
    let mut changes = review(&desk).await.changes;
    assert!(changes.iter().all(|change| change.by.is_none()), "the list waits for no log");
    let mut told: Vec<(ChangeKind, &str)> =
        changes.iter().map(|change| (change.kind, &*change.name)).collect();
    told.sort_by_key(|(_, name)| *name);
    assert_eq!(
        told,
        [
            (ChangeKind::MadeNeverEnding, "cost-dashboard"),
            (ChangeKind::Removed, "demo-day"),
            (ChangeKind::Reactivated, "leaked-in-slack"),
            (ChangeKind::Made, "new-one"),
        ]
    );
    // The simulator writes these two in the name of another admin, and the others without a trace.
    for _ in 0..100 {
        if changes.iter().any(|change| change.by.is_some()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        changes = review(&desk).await.changes;
    }
    for change in &changes {
        let logged = ["cost-dashboard", "leaked-in-slack"].contains(&&*change.name);
        assert_eq!(change.by.is_some(), logged, "{change:?}");
    }
    assert!(changes.iter().all(|change| Some(&change.uid) != own.uid.as_ref()));
    desk.list(true).await;
    assert_eq!(review(&desk).await.changes.len(), 4, "told once");
}

#[tokio::test]
async fn a_list_that_comes_while_this_app_changes_keys_does_not_take_it_for_anothers_work() {
    let desk = Desk::admin().await;
    let listed = async |name: &str| desk.listed(name).await.uid;
    let (renewed, revoked) = (listed("cost-dashboard").await, listed("leaked-in-slack").await);
    let key = |uid: &str| format!("/v1/apiKeys/{uid}");
    let hang = || Fault::HangAfterHandling;
    let renew = || RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: renewed.clone(),
        expiry: ExpiryChoice::Days { days: 90 },
    };
    // The server has done it, and its answer does not come.
    desk.sim.set_fault(Matcher::on("PUT", &key(&renewed)), hang(), None);
    desk.sim.set_fault(Matcher::on("PUT", &key(&revoked)), hang(), None);
    let before = desk.sim.key(&renewed).unwrap().expiry;
    let meanwhile = async {
        while desk.sim.key(&renewed).unwrap().expiry == before
            || !desk.sim.key(&revoked).unwrap().active
        {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        desk.list(true).await;
    };
    let act = desk.act(&revoked);
    let (renewal, reactivation, ()) =
        tokio::join!(desk.keys.renew_key(renew()), desk.keys.reactivate_key(act), meanwhile);
    renewal.unwrap();
    reactivation.unwrap();
    assert_eq!(review(&desk).await.changes, [], "it was this app");

    // The key could not be read back either: the next list is the first to show it.
    desk.sim.edit_key_directly(&renewed, |key| key.expiry = before);
    desk.list(true).await;
    desk.sim.clear_faults();
    desk.sim.set_fault(Matcher::on("PUT", &key(&renewed)), hang(), None);
    let renewing = async {
        let renewal = desk.keys.renew_key(renew()).await;
        assert_eq!(renewal.unwrap_err().code, ErrorCode::OutcomeUnknown);
    };
    let breaking = async {
        while desk.sim.key(&renewed).unwrap().expiry == before {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let error = Fault::error(500, "Internal", "no");
        desk.sim.set_fault(Matcher::on("GET", &key(&renewed)), error, None);
    };
    tokio::join!(renewing, breaking);
    desk.sim.clear_faults();
    desk.list(true).await;
    assert_eq!(review(&desk).await.changes, [], "it was this app, too");

    // From then on it is somebody else again.
    desk.sim.edit_key_directly(&renewed, |key| key.expiry = None);
    desk.list(true).await;
    let changes = review(&desk).await.changes;
    assert!(matches!(&*changes, [one] if one.kind == ChangeKind::MadeNeverEnding), "{changes:?}");
}

#[tokio::test]
async fn what_others_did_to_a_key_that_is_read_by_itself_is_told_as_well() {
    let desk = Desk::admin().await;
    desk.list(true).await;
    let uid = |name: &str| desk.sim.key_named(name).unwrap().uid;
    let (opened, renewed, gone) = (uid("leaked-in-slack"), uid("cost-dashboard"), uid("demo-day"));
    desk.sim.edit_key_directly(&opened, |key| key.active = true);
    desk.sim.edit_key_directly(&renewed, |key| key.expiry = None);
    desk.sim.remove_key(&gone);

    // Opened to be edited, renewed, and asked for to be deleted: each reads the key before.
    let asked = |uid: &str| KeyRequest { connection: desk.connection.clone(), uid: uid.into() };
    desk.keys.read_key(asked(&opened)).await.unwrap();
    let renew = RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: renewed.clone(),
        expiry: ExpiryChoice::Days { days: 90 },
    };
    desk.keys.renew_key(renew).await.unwrap();
    assert!(desk.keys.reactivate_key(desk.act(&gone)).await.is_err());
    let told = async || {
        let changes = review(&desk).await.changes.into_iter();
        let mut told: Vec<_> = changes.map(|each| (each.name, each.kind)).collect();
        told.sort_by(|a, b| a.0.cmp(&b.0));
        told
    };
    let expected = [
        ("cost-dashboard".to_owned(), ChangeKind::MadeNeverEnding),
        ("demo-day".to_owned(), ChangeKind::Removed),
        ("leaked-in-slack".to_owned(), ChangeKind::Reactivated),
    ];
    assert_eq!(told().await, expected);
    desk.list(true).await;
    assert_eq!(told().await, expected, "and once");

    // What this app does itself is none of it, deletions and their confirmation included.
    desk.keys.revoke_key(desk.act(&opened)).await.unwrap();
    desk.keys.reactivate_key(desk.act(&opened)).await.unwrap();
    let add = OutboxAddRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        action: OutboxAction::Delete,
        uids: vec![opened.clone()],
    };
    desk.keys.add_to_outbox(add).await.unwrap();
    desk.drained().await;
    desk.list(true).await;
    assert_eq!(told().await, expected);
    // Who did it is asked, also of these.
    let named = async || review(&desk).await.changes.iter().any(|change| change.by.is_some());
    for _ in 0..100 {
        if named().await {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(named().await);
}

#[tokio::test]
async fn what_was_under_way_when_the_app_ended_is_not_anothers_work() {
    let mut desk = Desk::admin().await;
    desk.list(true).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let uid = desk.sim.key_named("cost-dashboard").unwrap().uid;
    let before = desk.sim.key(&uid).unwrap().expiry;
    let put = Matcher::on("PUT", &format!("/v1/apiKeys/{uid}"));
    desk.sim.set_fault(put, Fault::HangAfterHandling, None);
    let renew = RenewRequest {
        op_id: op(),
        connection: desk.connection.clone(),
        uid: uid.clone(),
        expiry: ExpiryChoice::Days { days: 90 },
    };
    let keys = std::sync::Arc::clone(&desk.keys);
    let renewing = tokio::spawn(async move { keys.renew_key(renew).await });
    while desk.sim.key(&uid).unwrap().expiry == before {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // The server has done it, and nobody lives to hear so.
    renewing.abort();
    let _ = renewing.await;
    desk.crash();
    desk.sim.clear_faults();
    desk.list(true).await;
    assert_eq!(review(&desk).await.changes, [], "it was this app");
    assert_eq!(desk.line(Act::Renew).state, ActState::Asked);

    // Settled with that list: at the next start the line, which has no outcome, excuses nothing.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    desk.clock.wrong_by(jiff::SignedDuration::from_mins(5));
    desk.list(true).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    desk.crash();
    desk.sim.edit_key_directly(&uid, |key| key.expiry = None);
    desk.list(true).await;
    let changes = review(&desk).await.changes;
    assert!(matches!(&*changes, [one] if one.kind == ChangeKind::MadeNeverEnding), "{changes:?}");
}

#[tokio::test]
async fn a_scheduled_refresh_ends_with_the_names_of_those_who_changed_keys() {
    let desk = Desk::admin().await;
    desk.list(true).await;
    let uid = desk.sim.key_named("cost-dashboard").unwrap().uid;
    desk.sim.edit_key_directly(&uid, |key| key.expiry = None);
    desk.sim.set_fault(Matcher::on("GET", "/v1/audits"), Fault::DelayMs(300), None);
    assert_eq!(background::refresh(&desk.keys).await, Refreshed::Read);
    let changes = review(&desk).await.changes;
    assert!(matches!(&*changes, [change] if change.by.is_some()), "{changes:?}");
}

#[tokio::test]
async fn a_pile_up_is_planned_for_keys_that_the_caller_may_change() {
    let desk = Desk::admin().await;
    let end = desk.sim.now().checked_add(SignedDuration::from_hours(24 * 40)).unwrap();
    for n in 0..6 {
        desk.sim.add_key(NewKey {
            owner_uid: Some(desk.sim.admin().uid),
            expiry: Some(end),
            ..NewKey::named(&format!("pile-{n}"))
        });
    }
    desk.list(true).await;
    let view = review(&desk).await;
    let date = view.timeline.pile_ups[0].date.clone();
    assert!(view.timeline.pile_ups[0].words.contains(" end on "));
    let request = SpreadRequest { connection: desk.connection.clone(), date };
    let plan = desk.keys.plan_spread(request).await.unwrap();
    assert!(plan.moves.len() >= 6);
    let days: std::collections::BTreeSet<&str> =
        plan.moves.iter().map(|each| &*each.date).collect();
    assert!(days.len() >= 6, "{days:?}");
    let connection = desk.connection.clone();
    let wrong = SpreadRequest { connection, date: "soon".into() };
    assert!(desk.keys.plan_spread(wrong).await.is_err());
}
