//! What a tenant holds at the start. All dates are relative to the start, and land some hours into
//! a day so that "in 5 days" stays true for a while.

use jiff::{SignedDuration, Timestamp};

use crate::clock::later;
use crate::tenant::{KeyTruth, NewKey, Organization, Role, Subject, Tenant, User, object_id};
use crate::{Seed, SimOptions};

const ORGANIZATION: &str = "acme";
/// The organization one demo person is in as well, so that a login has to name one.
const OTHER_ORGANIZATION: &str = "globex";

pub(crate) const ADMIN: &str = "jane.doe@acme.example";
pub(crate) const USER: &str = "sam.okafor@acme.example";
pub(crate) const VIEWER: &str = "priya.nair@acme.example";
pub(crate) const PROJECT_ADMIN: &str = "noah.lindqvist@acme.example";
pub(crate) const USER_ADMIN: &str = "tomas.brandt@acme.example";
pub(crate) const MFA_USER: &str = "chloe.martin@acme.example";

const TENANT_ADMIN_ROLE: &str = "Tenant Admin";
const TENANT_VIEWER_ROLE: &str = "Tenant Viewer";
const TENANT_PROJECT_ADMIN_ROLE: &str = "Tenant Project Admin";
const TENANT_USER_ADMIN_ROLE: &str = "Tenant User Admin";
const PROJECT_EDITOR_ROLE: &str = "Project Editor";

/// The tenant for these options.
pub(crate) fn tenant(options: &SimOptions, now: Timestamp) -> Tenant {
    let mut tenant = Tenant::new(ORGANIZATION, options.token_minutes);
    tenant.admin_email = ADMIN.to_owned();
    tenant.organizations = vec![
        Organization { name: ORGANIZATION, sso: false },
        Organization { name: OTHER_ORGANIZATION, sso: true },
    ];
    match options.seed {
        Seed::Demo => {
            roles(&mut tenant, 0, now);
            demo(&mut tenant, options, now);
        }
        Seed::Size { keys, users } => {
            // More than one page, with the system roles on the last.
            roles(&mut tenant, 53, now);
            size(&mut tenant, options, keys, users, now);
        }
        Seed::Empty => {
            roles(&mut tenant, 0, now);
            accounts(&mut tenant, options, usize::MAX, now);
        }
    }
    tenant.audits.sort_by_key(|audit| audit.at);
    tenant
}

/// The roles of the documentation that matter to keys (fact sheet §2.5 `[DOC]`), after `custom`
/// made-up ones. What the table of the sheet does not say (`role.*`, `tag.update`) is `[INF]`.
fn roles(tenant: &mut Tenant, custom: usize, now: Timestamp) {
    let created = later(now, SignedDuration::from_hours(-24 * 700));
    let mut add = |name: &str, scope: &'static str, kind: &'static str, permissions: &[&str]| {
        let mut permissions: Vec<String> = permissions
            .iter()
            .flat_map(|entry| match entry.split_once(':') {
                Some((subject, verbs)) => {
                    verbs.split(' ').map(|verb| format!("{subject}.{verb}")).collect::<Vec<_>>()
                }
                None => vec![(*entry).to_owned()],
            })
            .collect();
        permissions.sort();
        tenant.roles.push(Role {
            uid: object_id(created),
            name: name.to_owned(),
            permissions,
            scope,
            kind,
            created,
        });
    };
    for n in 1..=custom {
        let name = format!("Cluster crew {n:02}");
        add(&name, "project", "user", &["cluster:get list", "project:get"]);
    }
    let all = "create delete get list update";
    let every = |subject: &str| format!("{subject}:{all}");
    let (keys, users, roles, projects) =
        (every("apiKey"), every("user"), every("role"), every("project"));
    add(
        TENANT_ADMIN_ROLE,
        "tenant",
        "system",
        &[&keys, "audit:get list", &users, &roles, &projects, "tag:update"],
    );
    add(
        TENANT_VIEWER_ROLE,
        "tenant",
        "system",
        &[
            "apiKey:get list",
            "audit:get list",
            "user:get list",
            "role:get list",
            "project:get list",
        ],
    );
    add(
        TENANT_PROJECT_ADMIN_ROLE,
        "tenant",
        "system",
        &["apiKey:get list", "audit:get list", &projects],
    );
    add(
        "Tenant Team Admin",
        "tenant",
        "system",
        &["apiKey:get list", "user:get list", "role:get list"],
    );
    add(
        TENANT_USER_ADMIN_ROLE,
        "tenant",
        "system",
        &[&keys, "audit:get list", &users, "role:get list"],
    );
    add("Project Admin", "project", "system", &["cluster:create delete get list update"]);
    add(PROJECT_EDITOR_ROLE, "project", "system", &["cluster:get list update"]);
    add("Project Viewer", "project", "system", &["cluster:get list"]);
}

fn days(now: Timestamp, days: i64) -> Timestamp {
    hours(now, days * 24)
}

fn hours(now: Timestamp, hours: i64) -> Timestamp {
    later(now, SignedDuration::from_hours(hours))
}

/// A person with these roles who joined so many days ago. The password is `NAME-sim-password`.
fn person(
    tenant: &mut Tenant,
    (first, last, email): (&str, &str, &str),
    roles: &[&str],
    joined: i64,
    now: Timestamp,
) -> String {
    let created = hours(now, -24 * joined - 3);
    let uid = object_id(created);
    let nick = email.split(['.', '@']).next().unwrap_or_default();
    let roles = roles.iter().filter_map(|name| tenant.role_named(name)).map(|r| r.uid.clone());
    let user = User {
        uid: uid.clone(),
        first_name: first.to_owned(),
        last_name: last.to_owned(),
        email: email.to_owned(),
        password: format!("{nick}-sim-password"),
        active: true,
        mfa: email == MFA_USER,
        elsewhere: false,
        roles: roles.collect(),
        inherited: Vec::new(),
        created,
        modified: created,
        last_sign_in: Some(hours(now, -joined % 40 - 2)),
        activation_link: String::new(),
    };
    tenant.users.insert(uid.clone(), user);
    uid
}

/// First name, last name, e-mail address, role.
type Who = (&'static str, &'static str, &'static str, &'static str);

/// The people tests sign in as, in every seed: admin and plain user first.
const ACCOUNTS: [Who; 6] = [
    ("Jane", "Doe", ADMIN, TENANT_ADMIN_ROLE),
    ("Sam", "Okafor", USER, PROJECT_EDITOR_ROLE),
    ("Priya", "Nair", VIEWER, TENANT_VIEWER_ROLE),
    ("Noah", "Lindqvist", PROJECT_ADMIN, TENANT_PROJECT_ADMIN_ROLE),
    ("Tomás", "Brandt", USER_ADMIN, TENANT_USER_ADMIN_ROLE),
    ("Chloé", "Martin", MFA_USER, PROJECT_EDITOR_ROLE),
];

/// The six accounts, each with a sign-in key that lasts 180 days, for the first `most` of them.
fn accounts(tenant: &mut Tenant, options: &SimOptions, most: usize, now: Timestamp) {
    for (at, (first, last, email, role)) in ACCOUNTS.into_iter().enumerate() {
        let uid = person(tenant, (first, last, email), &[role], 500 - 10 * at as i64, now);
        if at < most {
            let key = NewKey {
                description: "Signs Palette Keys in".to_owned(),
                owner_uid: Some(uid),
                expiry: Some(hours(now, 180 * 24 + 4)),
                created: Some(hours(now, -(24 * 10 + at as i64))),
                value: fixed_value(options, email),
                ..NewKey::named("palette-keys")
            };
            sign_in_key(tenant, key, now);
        }
    }
}

fn fixed_value(options: &SimOptions, email: &str) -> Option<String> {
    match email {
        ADMIN => options.admin_key.clone(),
        USER => options.user_key.clone(),
        _ => None,
    }
}

fn sign_in_key(tenant: &mut Tenant, key: NewKey, now: Timestamp) -> KeyTruth {
    let key = tenant.add_key(key, now);
    tenant.sign_in_keys.insert(key.owner_uid.clone(), (key.uid.clone(), key.value.clone()));
    created_audit(tenant, &key, now);
    key
}

/// The log is kept for a year (fact sheet §5 `[DOC]`).
fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    at > days(now, -365)
}

fn created_audit(tenant: &mut Tenant, key: &KeyTruth, now: Timestamp) {
    if let Some(actor) = tenant.person(&key.creator_uid).cloned()
        && is_kept(key.created, now)
    {
        tenant.audit_key(&actor, "create", "created", key, key.created);
    }
}

/// The people of the demo beside the accounts, three of whom are gone.
const OTHERS: [Who; 8] = [
    ("Ana", "Ruiz", "ana.ruiz@acme.example", TENANT_ADMIN_ROLE),
    ("Mikko", "Korhonen", "mikko.korhonen@acme.example", PROJECT_EDITOR_ROLE),
    ("Yuki", "Tanaka", "yuki.tanaka@acme.example", PROJECT_EDITOR_ROLE),
    ("Omar", "Haddad", "omar.haddad@acme.example", PROJECT_EDITOR_ROLE),
    ("Grace", "Kim", "grace.kim@acme.example", PROJECT_EDITOR_ROLE),
    ("Ines", "Costa", "ines.costa@acme.example", PROJECT_EDITOR_ROLE),
    ("Lena", "Petrov", "lena.petrov@acme.example", PROJECT_EDITOR_ROLE),
    ("Viktor", "Sorel", "viktor.sorel@acme.example", PROJECT_EDITOR_ROLE),
];

/// A key of the demo: owner (start of the address; `?` is someone nobody remembers), name,
/// description, age in days, days to its end (`None` never ends, negative is past), state.
type DemoKey = (&'static str, &'static str, &'static str, i64, Option<i64>, State);

#[derive(Clone, Copy, PartialEq)]
enum State {
    On,
    /// Made by an administrator, Ana or Jane.
    Made(&'static str),
    Revoked,
}
use State::{Made, On, Revoked};

const DEMO_KEYS: [DemoKey; 39] = [
    ("jane", "ci-prod", "GitHub Actions, deploys of the payment clusters", 25, Some(5), On),
    ("jane", "release-bot", "Tags cluster profiles on each release", 21, Some(9), On),
    ("jane", "terraform-staging", "Plans and applies for the staging tenant", 18, Some(12), On),
    ("jane", "palette-keys on lark", "Signs Palette Keys in on this laptop", 4, Some(26), On),
    ("jane", "backup-verify", "Restores one backup a week and checks it", 13, Some(77), On),
    ("jane", "vertex-sandbox", "Trial of the FIPS edition", 130, Some(-40), On),
    (
        "jane",
        "leaked-in-slack",
        "Pasted into #platform by mistake, do not re-activate",
        39,
        Some(51),
        Revoked,
    ),
    ("ana", "nightly-backup", "Velero schedules of all production clusters", 81, Some(9), On),
    ("ana", "registry-sync", "Mirrors OCI charts into the private registry", 2, Some(88), On),
    ("ana", "pcg-installer", "Private cloud gateway in Madrid", 310, None, On),
    ("ana", "autoscale-poc", "", 36, Some(-6), On),
    ("mikko", "edge-provisioner", "Registers edge hosts in the plants", 66, Some(24), Made("ana")),
    ("mikko", "edge-factory-02", "Tampere, line 2", 6, Some(84), On),
    ("mikko", "poc-aks", "Azure trial with the customer", 48, Some(-18), On),
    ("mikko", "arm64-images", "Builds images for the new boards", 70, Some(20), Revoked),
    ("sam", "grafana-reader", "Cluster health panels", 49, Some(41), On),
    ("sam", "capacity-report", "Monday report to the platform group", 24, Some(6), On),
    ("sam", "sam-workstation", "", 15, Some(15), On),
    ("sam", "demo-day", "Stage demo, one week only", 9, Some(-2), On),
    ("tomas", "jenkins-agents", "Agents of the new build farm", 57, Some(33), Made("ana")),
    ("tomas", "legacy-jenkins", "Old build farm, nobody dares to touch it", 640, None, On),
    ("tomas", "sso-cutover", "Moved everyone to the new IdP", 102, Some(78), Revoked),
    ("priya", "cost-dashboard", "Reads cluster sizes for the monthly bill", 33, Some(57), On),
    ("priya", "audit-export", "Copies the audit log to cold storage", 27, Some(3), On),
    ("noah", "project-factory", "Makes a project for each new team", 18, Some(72), On),
    ("noah", "namespace-cleanup", "Removes test namespaces at night", 11, Some(19), On),
    ("yuki", "otel-collector", "Traces of the control planes", 61, Some(29), On),
    ("yuki", "alert-bridge", "Forwards alerts to the pager", 41, Some(-11), On),
    ("chloe", "chloe-cli", "Palette CLI", 46, Some(44), On),
    ("chloe", "mobile-preview", "Backend of the preview app", 22, Some(8), Revoked),
    ("omar", "homelab-sync", "", 54, Some(36), On),
    ("omar", "gpu-batch", "Training jobs on the GPU pool", 29, Some(61), On),
    (
        "grace",
        "globex-handover",
        "Shared with the Globex team until the hand-over",
        17,
        Some(13),
        On,
    ),
    ("grace", "migration-dryrun", "", 31, Some(-1), On),
    ("ines", "onboarding-kit", "First key of a new colleague", 1, Some(89), Made("jane")),
    ("lena", "vmo-migration", "Moves virtual machines off the old cluster", 117, Some(63), On),
    ("lena", "old-ci", "Replaced by ci-prod", 83, Some(7), Revoked),
    ("viktor", "capi-upgrade-check", "Dry runs of the provider upgrade", 180, Some(-90), On),
    ("?", "contractor-tmp", "", 40, Some(140), Revoked),
];

/// The sign-in key of each account in the demo.
const DEMO_SIGN_IN: [&str; 6] = [
    "palette-keys on lark",
    "grafana-reader",
    "cost-dashboard",
    "project-factory",
    "jenkins-agents",
    "chloe-cli",
];

fn demo(tenant: &mut Tenant, options: &SimOptions, now: Timestamp) {
    let mut people: Vec<(&str, String)> = Vec::new();
    for (at, (first, last, email, role)) in ACCOUNTS.into_iter().chain(OTHERS).enumerate() {
        let joined = 610 - 37 * at as i64;
        let uid = person(tenant, (first, last, email), &[role], joined, now);
        people.push((email.split('.').next().unwrap_or_default(), uid));
    }
    people.push(("?", object_id(days(now, -300))));
    let uid_of = |nick: &str| {
        people.iter().find(|(n, _)| *n == nick).map(|(_, uid)| uid.clone()).unwrap_or_default()
    };
    shape_people(tenant, &uid_of);

    for (nick, name, description, age, end, state) in DEMO_KEYS {
        let owner_uid = uid_of(nick);
        let creator = if let Made(by) = state { by } else { nick };
        let email = tenant.person(&owner_uid).map(|user| user.email.clone()).unwrap_or_default();
        let signs_in = DEMO_SIGN_IN.contains(&name);
        let mut annotations = std::collections::BTreeMap::new();
        let mut labels = std::collections::BTreeMap::new();
        if name == "ci-prod" {
            // Something a PUT must not lose.
            annotations.insert("ticket".to_owned(), "PLAT-481".to_owned());
            labels.insert("env".to_owned(), "prod".to_owned());
        }
        let new = NewKey {
            description: description.to_owned(),
            owner_uid: Some(owner_uid.clone()),
            creator_uid: Some(uid_of(creator)),
            // Four hours past the full day, so that "in 5 days" is true for hours to come; what has
            // ended did so a little more than that many days ago.
            expiry: end.map(|d| hours(now, if d < 0 { d * 24 - 4 } else { d * 24 + 4 })),
            created: Some(hours(now, -24 * age + 4)),
            active: true,
            annotations,
            labels,
            value: signs_in.then(|| fixed_value(options, &email)).flatten(),
            ..NewKey::named(name)
        };
        let key = if signs_in {
            sign_in_key(tenant, new, now)
        } else {
            let key = tenant.add_key(new, now);
            created_audit(tenant, &key, now);
            key
        };
        if state == Revoked {
            let by = uid_of(if nick == "jane" || nick == "?" { "ana" } else { "jane" });
            let at = hours(now, -(age.min(30) * 24) / 2 - 5);
            change(tenant, &key.uid, &by, "revoked", at, now, |key| key.active = false);
        }
    }
    history(tenant, &uid_of, now);
}

/// What makes the demo people differ: a team role, two organizations, an inactive one, an open
/// invitation, and those who left.
fn shape_people(tenant: &mut Tenant, uid_of: &impl Fn(&str) -> String) {
    let viewer = tenant.role_named(TENANT_VIEWER_ROLE).map(|role| role.uid.clone());
    if let Some(yuki) = tenant.users.get_mut(&uid_of("yuki")) {
        yuki.inherited.extend(viewer);
    }
    if let Some(grace) = tenant.users.get_mut(&uid_of("grace")) {
        grace.elsewhere = true;
    }
    tenant.set_user_active(&uid_of("omar"), false);
    if let Some(ines) = tenant.users.get_mut(&uid_of("ines")) {
        // Not accepted yet: inactive, never signed in, and the link is live (fact sheet §4).
        ines.active = false;
        ines.last_sign_in = None;
        let secret = crate::tenant::key_value();
        ines.activation_link = format!("https://acme.palette.example/activate/{secret}");
    }
    tenant.remove_user(&uid_of("lena"));
    tenant.remove_user(&uid_of("viktor"));
}

/// Changes a key of the seed at a time in the past.
fn change(
    tenant: &mut Tenant,
    key_uid: &str,
    actor_uid: &str,
    verb: &str,
    at: Timestamp,
    now: Timestamp,
    f: impl FnOnce(&mut KeyTruth),
) {
    let Some(key) = tenant.keys.get_mut(key_uid) else { return };
    f(key);
    key.modified = key.modified.max(at);
    let key = key.clone();
    if let Some(actor) = tenant.person(actor_uid).cloned()
        && is_kept(at, now)
    {
        tenant.audit_key(&actor, "update", verb, &key, at);
    }
}

/// The past of the demo beside the making of its keys: the story of `ci-prod`, keys that are gone,
/// and other kinds of entries, enough for three pages.
fn history(tenant: &mut Tenant, uid_of: &impl Fn(&str) -> String, now: Timestamp) {
    let ci_prod = tenant.keys.values().find(|key| key.name == "ci-prod").map(|key| key.uid.clone());
    if let Some(uid) = ci_prod {
        let (ana, jane) = (uid_of("ana"), uid_of("jane"));
        for (actor, verb, hours_ago) in
            [(&ana, "revoked", 483), (&ana, "activated", 482), (&jane, "updated", 266)]
        {
            change(tenant, &uid, actor, verb, hours(now, -hours_ago), now, |_| {});
        }
    }
    let other =
        |tenant: &mut Tenant, nick: &str, action: &str, verb: &str, what: Subject<'_>, ago: i64| {
            if let Some(actor) = tenant.person(&uid_of(nick)).cloned() {
                tenant.audit(&actor, action, verb, what, hours(now, -ago));
            }
        };
    for (n, name) in ["tmp-debug", "workshop-07", "workshop-08"].into_iter().enumerate() {
        let created = hours(now, -24 * (60 + n as i64));
        let uid = object_id(created);
        let ago = 24 * (60 + n as i64);
        let key = || Subject { kind: "apiKey", label: "API key", name, uid: &uid };
        other(tenant, "jane", "create", "created", key(), ago);
        other(tenant, "jane", "delete", "deleted", key(), ago - 24 * 52);
    }
    for (n, nick) in ["grace", "ines", "chloe"].into_iter().enumerate() {
        let uid = uid_of(nick);
        let name = tenant.person(&uid).map(User::name).unwrap_or_default();
        let user = Subject { kind: "user", label: "User", name: &name, uid: &uid };
        other(tenant, "jane", "create", "created", user, 24 * (20 + 9 * n as i64) + 5);
    }
    let clusters = ["payments-eu", "payments-us", "edge-tampere", "staging", "observability"];
    for n in 0..70_usize {
        let name = clusters[n % clusters.len()];
        let uid = format!("66f0c1{:018x}", n % clusters.len());
        let cluster = Subject { kind: "spectrocluster", label: "Cluster", name, uid: &uid };
        let nick = ["jane", "ana", "mikko", "noah", "sam"][n % 5];
        other(tenant, nick, "update", "updated", cluster, 7 + 31 * n as i64);
    }
}

const FIRST_NAMES: [&str; 20] = [
    "Ada", "Bela", "Carla", "Dmitri", "Elif", "Farid", "Greta", "Hiro", "Ida", "Jonas", "Kofi",
    "Lucia", "Mateo", "Nadia", "Oskar", "Paula", "Quentin", "Rosa", "Stefan", "Tara",
];
const LAST_NAMES: [&str; 20] = [
    "Abbott", "Berg", "Castro", "Dubois", "Eriksen", "Fischer", "Garcia", "Hansen", "Ivanov",
    "Jansen", "Keller", "Larsen", "Moreau", "Novak", "Olsen", "Pereira", "Quist", "Rossi", "Silva",
    "Toth",
];
const WHAT: [&str; 12] = [
    "ci",
    "backup",
    "terraform",
    "edge",
    "grafana",
    "registry",
    "jenkins",
    "report",
    "sync",
    "migration",
    "batch",
    "probe",
];
const WHERE: [&str; 8] = ["prod", "staging", "dev", "eu", "us", "lab", "qa", "dr"];

fn size(tenant: &mut Tenant, options: &SimOptions, keys: usize, users: usize, now: Timestamp) {
    accounts(tenant, options, keys, now);
    let mut uids: Vec<String> = tenant.users.keys().cloned().collect();
    for n in uids.len()..users {
        let (first, last) = (FIRST_NAMES[n % 20], LAST_NAMES[(n / 20) % 20]);
        let email = format!("{}.{}.{n}@acme.example", first.to_lowercase(), last.to_lowercase());
        let who = (first, last, email.as_str());
        let joined = 450 - i64::try_from(n % 440).unwrap_or(0);
        uids.push(person(tenant, who, &[PROJECT_EDITOR_ROLE], joined, now));
    }
    let unknown = object_id(days(now, -400));
    for n in tenant.keys.len()..keys {
        let step = i64::try_from(n).unwrap_or(0);
        // Of 20 keys: 2 expired, 1 revoked, 1 without end; of 50, 1 of a person who is gone.
        let (active, expiry) = match n % 20 {
            0 | 1 => (true, Some(hours(now, -(step % 90) * 24 - 4))),
            2 => (false, Some(hours(now, (step % 120 + 1) * 24 + 4))),
            3 => (true, None),
            _ => (true, Some(hours(now, (step % 180 + 1) * 24 + 4))),
        };
        let owner = if n % 50 == 7 { unknown.clone() } else { uids[n % uids.len()].clone() };
        let key = NewKey {
            description: format!("Number {n} of the measuring tenant"),
            owner_uid: Some(owner),
            active,
            expiry,
            created: Some(hours(now, -24 * (step % 300 + 91) - step % 24)),
            ..NewKey::named(&format!("{}-{}-{n:05}", WHAT[n % 12], WHERE[(n / 12) % 8]))
        };
        let key = tenant.add_key(key, now);
        created_audit(tenant, &key, now);
    }
    tenant.quota = keys.div_ceil(uids.len()) + 20;
}
