use super::*;
use crate::keys::tests::{identity, key, person, roll};
use crate::review::{accepted, review};
use crate::store::RollStep;
use proptest::prelude::*;

const NOW: &str = "2026-11-25T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn in_days(days: i64) -> Timestamp {
    at(NOW).checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap()
}

/// A key of Sam, 40 days old and good for 60 more, with nothing to complain about.
fn good() -> ApiKey {
    ApiKey {
        name: "ci".into(),
        description: "Deploys".into(),
        created: Some(in_days(-40)),
        modified: Some(in_days(-40)),
        expires: Some(in_days(60)),
        owner_name: "Sam Okafor".into(),
        ..key("k1", "sam")
    }
}

fn sam() -> Person {
    Person {
        name: "Sam Okafor".into(),
        last_sign_in: Some(in_days(-3)),
        ..person("sam", Some(true))
    }
}

struct Scene {
    keys: Vec<ApiKey>,
    people: Option<Vec<Person>>,
    quota: Option<u32>,
    policy: Policy,
    severities: BTreeMap<Rule, Severity>,
    stored: HashSet<String>,
    rolls: Vec<RollRecord>,
    own_affair: HashSet<KeyUid>,
}

impl Scene {
    fn of(keys: Vec<ApiKey>) -> Self {
        Self {
            keys,
            people: Some(vec![
                sam(),
                Person { name: "Ana Ruiz".into(), ..person("ana", Some(true)) },
            ]),
            quota: Some(20),
            policy: Policy::default(),
            severities: BTreeMap::new(),
            stored: HashSet::new(),
            rolls: Vec::new(),
            own_affair: HashSet::new(),
        }
    }

    fn look<R>(&self, f: impl FnOnce(&Input<'_>) -> R) -> R {
        let me = identity("jane");
        f(&Input {
            keys: &self.keys,
            people: self.people.as_deref(),
            people_as_of: None,
            identity: Some(&me),
            quota: self.quota,
            now: at(NOW),
            zone: &TimeZone::UTC,
            lead_days: 14,
            policy: &self.policy,
            severities: &self.severities,
            stored: &self.stored,
            rolls: &self.rolls,
            own_affair: &self.own_affair,
        })
    }

    fn rules(&self) -> Vec<Rule> {
        self.look(|input| {
            let world = World::of(input);
            hits(&world, input.keys).into_iter().map(|hit| hit.rule).collect()
        })
    }

    fn evidence(&self) -> Vec<String> {
        self.look(|input| {
            let world = World::of(input);
            hits(&world, input.keys).into_iter().map(|hit| hit.evidence).collect()
        })
    }

    fn queue(&self) -> Vec<FindingView> {
        self.look(|input| review(input, &[]).findings)
    }
}

#[test]
fn each_rule_has_its_row() {
    let all: Vec<Rule> = Rule::all().collect();
    assert_eq!(all.len(), ROWS.len());
    for rule in all {
        assert_eq!(rule.row().rule, rule);
        assert_eq!(Rule::named(rule.name()), Some(rule));
        assert!(!rule.title().is_empty() && rule.about(&Policy::default(), 14).ends_with('.'));
    }
    assert_eq!(Rule::named("nothing"), None);
    let words = serde_json::to_string(&Rule::ExpiredNotDeleted).unwrap();
    assert_eq!(words, "\"expiredNotDeleted\"");
}

type Change = fn(&mut Scene);

fn owned_by_lena(scene: &mut Scene) {
    scene.keys[0].owner_uid = "lena".into();
    scene.keys[0].made_by_uid = Some("lena".into());
}

#[test]
fn what_each_rule_speaks_of_and_what_not() {
    let none: &[Rule] = &[];
    let table: Vec<(&str, Change, &[Rule])> = vec![
        ("a good key", |_| {}, none),
        ("owner gone", |s| owned_by_lena(s), &[Rule::OwnerGone]),
        (
            "owner gone, but people unreadable",
            |s| {
                owned_by_lena(s);
                s.people = None;
            },
            none,
        ),
        (
            "owner gone, key revoked",
            |s| {
                owned_by_lena(s);
                s.keys[0].active = false;
            },
            &[Rule::RevokedNotDeleted],
        ),
        (
            "owner inactive",
            |s| s.people.as_mut().unwrap()[0].active = Some(false),
            &[Rule::OwnerInactive],
        ),
        ("owner's state unknown", |s| s.people.as_mut().unwrap()[0].active = None, none),
        (
            "owner not seen for 90 days",
            |s| s.people.as_mut().unwrap()[0].last_sign_in = Some(in_days(-90)),
            &[Rule::OwnerNotSeen],
        ),
        (
            "owner seen 89 days ago",
            |s| s.people.as_mut().unwrap()[0].last_sign_in = Some(in_days(-89)),
            none,
        ),
        ("last sign-in unknown", |s| s.people.as_mut().unwrap()[0].last_sign_in = None, none),
        ("never ends", |s| s.keys[0].expires = None, &[Rule::NeverEnds]),
        (
            "never ends, revoked",
            |s| {
                s.keys[0].expires = None;
                s.keys[0].active = false;
            },
            &[Rule::RevokedNotDeleted],
        ),
        ("90 days of a policy of 100", |s| s.policy.longest_life_days = Some(100), none),
        (
            "100 days of a policy of 90",
            |s| s.policy.longest_life_days = Some(90),
            &[Rule::LongerThanPolicy],
        ),
        (
            "renewed yesterday for 61 of 90",
            |s| {
                s.policy.longest_life_days = Some(90);
                s.keys[0].modified = Some(in_days(-1));
            },
            none,
        ),
        ("ends in 14 days", |s| s.keys[0].expires = Some(in_days(14)), &[Rule::ExpiringSoon]),
        (
            "ends in 14 days, and the app renews it by itself",
            |s| {
                s.keys[0].expires = Some(in_days(14));
                s.own_affair.insert(s.keys[0].uid.clone());
            },
            &[],
        ),
        ("ends in 15 days", |s| s.keys[0].expires = Some(in_days(15)), none),
        (
            "ends in 15 days, policy 21",
            |s| {
                s.keys[0].expires = Some(in_days(15));
                s.policy.thresholds.expiring_days = Some(21);
            },
            &[Rule::ExpiringSoon],
        ),
        ("180 days old", |s| s.keys[0].created = Some(in_days(-180)), none),
        ("181 days old", |s| s.keys[0].created = Some(in_days(-181)), &[Rule::NeverRolled]),
        ("ended 14 days ago", |s| s.keys[0].expires = Some(in_days(-14)), none),
        (
            "ended 15 days ago",
            |s| s.keys[0].expires = Some(in_days(-15)),
            &[Rule::ExpiredNotDeleted],
        ),
        (
            "revoked 30 days ago",
            |s| {
                s.keys[0].active = false;
                s.keys[0].modified = Some(in_days(-30));
            },
            none,
        ),
        ("revoked 40 days ago", |s| s.keys[0].active = false, &[Rule::RevokedNotDeleted]),
        (
            "two of a name",
            |s| s.keys.push(ApiKey { uid: crate::keys::KeyUid::new("k2").unwrap(), ..good() }),
            &[Rule::DuplicateName, Rule::DuplicateName],
        ),
        (
            "two of a name, one revoked just now",
            |s| {
                let uid = crate::keys::KeyUid::new("k2").unwrap();
                s.keys.push(ApiKey { uid, active: false, modified: Some(in_days(0)), ..good() });
            },
            none,
        ),
        (
            "the same name of two people",
            |s| {
                let uid = crate::keys::KeyUid::new("k2").unwrap();
                s.keys.push(ApiKey {
                    uid,
                    owner_uid: "ana".into(),
                    made_by_uid: Some("ana".into()),
                    ..good()
                });
            },
            none,
        ),
        ("no description", |s| s.keys[0].description = "  ".into(), &[Rule::NoDescription]),
        ("made by Ana", |s| s.keys[0].made_by_uid = Some("ana".into()), &[Rule::MadeByOther]),
        ("maker not told", |s| s.keys[0].made_by_uid = None, none),
        ("1 of 1 keys", |s| s.quota = Some(1), &[Rule::NearQuota]),
        ("1 of 2 keys", |s| s.quota = Some(2), none),
        ("limit unknown", |s| s.quota = None, none),
        (
            "name outside the policy",
            |s| {
                s.policy =
                    crate::review::policy::parse("version = 1\nname_pattern = \"prod-.*\"").unwrap()
            },
            &[Rule::NameOutsidePolicy],
        ),
        (
            "being deleted",
            |s| {
                s.keys[0].deleted = Some(in_days(0));
                s.keys[0].expires = None;
            },
            none,
        ),
        (
            "switched off",
            |s| {
                s.keys[0].expires = None;
                s.severities.insert(Rule::NeverEnds, Severity::Off);
            },
            none,
        ),
    ];
    let mut wrong = Vec::new();
    for (what, change, expected) in table {
        let mut scene = Scene::of(vec![good()]);
        change(&mut scene);
        let spoken = scene.rules();
        if spoken != expected {
            wrong.push((what, spoken));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn the_evidence_is_in_words_and_never_says_unused() {
    let mut scene =
        Scene::of(vec![ApiKey { expires: None, created: Some(in_days(-412)), ..good() }]);
    scene.people.as_mut().unwrap()[0].last_sign_in = Some(at("2026-03-03T10:00:00Z"));
    let evidence = scene.evidence();
    assert_eq!(evidence[0], "Made 412 days ago by Sam Okafor, who last signed in on 3 March.");
    assert_eq!(evidence[1], "Sam Okafor last signed in on 3 March.");
    for finding in scene.queue() {
        assert!(!finding.evidence.contains("unused"), "{finding:?}");
    }
}

#[test]
fn keys_of_one_rule_are_told_together_as_in_the_comp() {
    let gone = |uid: &str, name: &str, owner: &str, owner_name: &str| ApiKey {
        name: name.into(),
        owner_uid: owner.into(),
        owner_name: owner_name.into(),
        made_by_uid: Some(owner.into()),
        ..ApiKey { uid: crate::keys::KeyUid::new(uid).unwrap(), ..good() }
    };
    let mut expired = gone("k3", "contractor-tmp", "x", "");
    expired.expires = Some(in_days(-2));
    let scene = Scene::of(vec![
        gone("k1", "vmo-migration", "lena", "Lena Petrov"),
        gone("k2", "old-ci", "lena", "Lena Petrov"),
        expired,
    ]);
    let queue = scene.queue();
    assert_eq!(queue[0].title, "3 keys of people who are gone");
    assert_eq!(
        queue[0].evidence,
        "contractor-tmp (unknown person); vmo-migration, old-ci (Lena Petrov, not among the \
         people). Two of them still work."
    );
    assert_eq!((queue[0].working, queue[0].suggestion), (2, Suggestion::Revoke));
}

#[test]
fn few_stand_alone_and_many_together_worst_first() {
    let never = |n: usize| ApiKey {
        uid: crate::keys::KeyUid::new(&format!("k{n}")).unwrap(),
        name: format!("key-{n}"),
        expires: None,
        ..good()
    };
    let scene = Scene::of((0..3).map(never).collect());
    let titles: Vec<String> = scene.queue().into_iter().map(|finding| finding.title).collect();
    assert_eq!(titles, ["key-0 never expires", "key-1 never expires", "key-2 never expires"]);
    let scene = Scene::of((0..9).map(never).collect());
    assert_eq!(scene.queue()[0].title, "9 keys never expire");

    let soon = ApiKey { expires: Some(in_days(5)), name: "ci-prod".into(), ..never(9) };
    let mut scene = Scene::of(vec![soon, never(1)]);
    scene.stored.insert("k9".into());
    let queue = scene.queue();
    assert_eq!(queue[0].title, "key-1 never expires");
    assert_eq!(
        (&*queue[1].title, queue[1].suggestion),
        ("ci-prod ends in 5 days", Suggestion::Roll)
    );
    assert!(queue[1].evidence.ends_with("You hold its value: it can be rolled without downtime."));
    scene.severities.insert(Rule::ExpiringSoon, Severity::ActNow);
    scene.severities.insert(Rule::NeverEnds, Severity::CleanUp);
    assert_eq!(scene.queue()[0].title, "ci-prod ends in 5 days", "as a person chose");
    scene.policy.severities.insert(Rule::NeverEnds, Severity::ActNow);
    assert_eq!(scene.queue()[0].title, "key-1 never expires", "the policy's word counts more");
}

#[test]
fn the_old_key_of_a_roll_is_left_to_its_roll() {
    let old = ApiKey { expires: Some(in_days(5)), created: Some(in_days(-300)), ..good() };
    let mut scene = Scene::of(vec![old.clone()]);
    scene.policy.longest_life_days = Some(20);
    scene.stored.insert("k1".into());
    let all = [Rule::LongerThanPolicy, Rule::ExpiringSoon, Rule::NeverRolled];
    assert_eq!(scene.rules(), all, "without a roll");
    scene.rolls = vec![roll(&old, RollStep::Rolling)];
    assert_eq!(scene.rules(), [], "it is meant to end");

    // One that is held up still ends, and a person has to know.
    scene.rolls = vec![roll(&old, RollStep::Orphaned)];
    let queue = scene.queue();
    assert_eq!(queue.len(), 1, "{queue:?}");
    assert_eq!((&*queue[0].title, queue[0].suggestion), ("ci ends in 5 days", Suggestion::Show));
    assert_eq!(queue[0].evidence, "Its roll to ci-new is not finished.");
}

#[test]
fn of_some_keys_only_these_are_told_and_the_whole_list_still_weighs() {
    let of = |n: usize, name: &str| ApiKey {
        uid: crate::keys::KeyUid::new(&format!("k{n}")).unwrap(),
        name: name.into(),
        ..good()
    };
    let mut keys: Vec<ApiKey> = (0..4).map(|n| of(n, &format!("key-{n}"))).collect();
    keys.extend([of(4, "twin"), of(5, "twin"), of(6, "twin")]);
    keys[3].active = false;
    keys[3].modified = Some(in_days(-1));
    let mut scene = Scene::of(keys);
    scene.quota = Some(7);
    let told = |uids: &[&str]| {
        let uids = uids.iter().copied().collect();
        scene.look(|input| crate::review::findings_of(input, &[], &uids))
    };
    let found = told(&["k4"]);
    let words: Vec<(&str, &str)> =
        found.iter().map(|finding| (&*finding.title, &*finding.evidence)).collect();
    assert_eq!(
        words,
        [
            (
                "Sam Okafor can have no more keys",
                "7 of 7 keys. One of them does not work any more and can go."
            ),
            (
                "Sam Okafor has 3 keys named twin",
                "\u{2026}k4 ends on 24 January 2027. Only the uid tells them apart."
            ),
        ]
    );
    assert!(found.iter().all(|finding| finding.keys == ["k4"]), "{found:?}");
    let all: Vec<&str> = scene.keys.iter().map(|key| key.uid.as_str()).collect();
    assert_eq!(told(&all), scene.queue(), "of all keys it is the review");
}

fn accept(scene: &Scene, rule: Rule, until: Timestamp) -> accepted::Accepted {
    accepted::Accepted {
        rule,
        uid: "k1".into(),
        name: "ci".into(),
        facts: accepted::facts(&scene.keys[0]),
        reason: "Known".into(),
        at: 0,
        until: until.as_millisecond(),
    }
}

#[test]
fn what_is_accepted_comes_back_by_itself() {
    let mut scene = Scene::of(vec![ApiKey { expires: None, ..good() }]);
    let row = accept(&scene, Rule::NeverEnds, in_days(30));
    let look = |scene: &Scene, rows: &[accepted::Accepted], now: Timestamp| {
        scene.look(|input| review(&Input { now, ..copy(input) }, rows))
    };
    let open = |found: &crate::review::Review| {
        found.findings.iter().any(|finding| finding.rule == Rule::NeverEnds)
    };
    let found = look(&scene, std::slice::from_ref(&row), at(NOW));
    assert!(!open(&found) && found.accepted.len() == 1 && found.counts.act_now == 0);
    assert_eq!(found.accepted[0].reason, "Known");
    let found = look(&scene, std::slice::from_ref(&row), in_days(30));
    assert!(open(&found) && found.accepted.is_empty(), "its date has come");

    let other_rule = accept(&scene, Rule::NoDescription, in_days(30));
    assert!(open(&look(&scene, &[other_rule], at(NOW))), "of one rule only");
    // A new end, another owner: what was decided on is not what is there.
    scene.keys[0].expires = Some(in_days(9));
    let soon = accept(&scene, Rule::ExpiringSoon, in_days(30));
    let count = |scene: &Scene| look(scene, std::slice::from_ref(&soon), at(NOW)).findings.len();
    assert_eq!(count(&scene), 0);
    scene.keys[0].expires = Some(in_days(10));
    assert_eq!(count(&scene), 1, "the facts changed");
}

fn copy<'a>(input: &Input<'a>) -> Input<'a> {
    Input { ..*input }
}

#[test]
fn an_exception_of_the_policy_counts_until_its_last_day() {
    let mut scene = Scene::of(vec![ApiKey { expires: None, ..good() }]);
    scene.policy = crate::review::policy::parse(
        "version = 1\n[[exceptions]]\nrule = \"never_ends\"\nkey = \"c*\"\nreason = \"Old farm\"\n\
         until = 2026-11-25\n",
    )
    .unwrap();
    let found = scene.look(|input| review(input, &[]));
    assert!(found.findings.is_empty());
    assert!(found.accepted[0].by_policy && found.accepted[0].reason == "Old farm");
    let tomorrow = scene.look(|input| review(&Input { now: in_days(1), ..copy(input) }, &[]));
    assert_eq!(tomorrow.findings.len(), 1);
}

fn any_key() -> impl Strategy<Value = ApiKey> {
    (
        0_u32..400,
        0_u8..5,
        proptest::option::of(-400_i64..800),
        -700_i64..0,
        any::<bool>(),
        "[a-c]{1,2}",
        any::<bool>(),
    )
        .prop_map(|(uid, owner, ends, made, active, name, described)| ApiKey {
            name,
            description: if described { "x".into() } else { String::new() },
            created: Some(in_days(made)),
            modified: Some(in_days(made)),
            expires: ends.map(in_days),
            active,
            ..key(&format!("u{uid}"), ["sam", "ana", "jane", "gone", ""][owner as usize])
        })
}

proptest! {
    #[test]
    fn whatever_the_keys_are_the_queue_is_about_them(
        keys in proptest::collection::vec(any_key(), 0..60),
        people in any::<bool>(),
    ) {
        let mut scene = Scene::of(keys);
        if !people {
            scene.people = None;
        }
        let found = scene.look(|input| review(input, &[]));
        let uids: HashSet<&str> = scene.keys.iter().map(|key| key.uid.as_str()).collect();
        for finding in &found.findings {
            prop_assert!(!finding.keys.is_empty());
            prop_assert!(finding.keys.iter().all(|uid| uids.contains(&**uid)));
            prop_assert!(!finding.title.is_empty() && finding.evidence.ends_with('.'), "{:?}", finding);
            prop_assert!(!finding.evidence.contains("unused"));
            if !people {
                let of_owner = matches!(
                    finding.rule,
                    Rule::OwnerGone | Rule::OwnerInactive | Rule::OwnerNotSeen
                );
                prop_assert!(!of_owner, "nothing is claimed of owners");
            }
        }
        let severities: Vec<Severity> = found.findings.iter().map(|each| each.severity).collect();
        prop_assert!(severities.is_sorted());
        prop_assert!(found.counts.pressing <= found.counts.act_now + found.counts.this_month);
        prop_assert!(found.counts.act_now as usize <= scene.keys.len());
    }
}

#[test]
fn every_key_of_a_group_is_counted_however_many_owners_there_are() {
    let owners = 70;
    let keys = (0..2 * owners).map(|n| {
        let owner = format!("owner{:03}", n % owners);
        ApiKey {
            name: format!("key{n:03}"),
            owner_name: owner.clone(),
            ..ApiKey { owner_uid: owner, ..good() }
        }
    });
    let keys: Vec<ApiKey> = keys
        .enumerate()
        .map(|(n, key)| ApiKey { uid: KeyUid::new(&format!("k{n}")).unwrap(), ..key })
        .collect();
    let scene = Scene { people: Some(vec![sam()]), ..Scene::of(keys) };
    let found = scene.look(|input| review(input, &[]));
    let gone = found.findings.iter().find(|each| each.rule == Rule::OwnerGone).unwrap();
    assert!(gone.evidence.contains("key000, key070 ("), "{}", gone.evidence);
    assert!(gone.evidence.contains("and 134 keys of others"), "{}", gone.evidence);
}
