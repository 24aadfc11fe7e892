//! Review of a large tenant: in Rust, and until the timeline is painted in the window.

use crate::{
    desk::Cost,
    figures::{Figure, Samples},
    signed_in::{self, Window, number},
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use palette_keys_core::{
    api::Person,
    keys::{ApiKey, KeyUid},
    review::{self, findings::Input, policy::Policy},
};
use palette_sim::{Seed, SimOptions};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Instant,
};

const KEYS: usize = 6_000;
const PEOPLE: usize = 300;
const ROUNDS: usize = 25;
/// The targets of issue 5, in milliseconds.
const REVIEWED: f64 = 50.0;
const PAINTED: f64 = 100.0;
/// MiB of the whole process tree beyond an empty tenant.
const GROWTH: f64 = 60.0;
/// The list of everybody and the one with their last sign-ins; the API has no single call for both.
const CALLS: f64 = 2.0;
/// How often the screen is opened.
const OPENED: usize = 12;

/// The median of reviewing [`KEYS`] keys of [`PEOPLE`] people, with every rule switched on.
pub fn measure() -> Figure {
    let now: Timestamp = "2026-11-25T12:00:00Z".parse().expect("a time");
    let (keys, people) = tenant(now);
    let policy = review::policy::parse(
        "version = 1\nlongest_life_days = 90\nname_pattern = \"[a-z0-9-]+\"\n\
         description_required = true\nforbid_never_ending = true\n",
    )
    .unwrap_or_else(|_| Policy::default());
    let (severities, stored, zone) = (BTreeMap::new(), HashSet::new(), TimeZone::UTC);
    let own_affair = HashSet::new();
    let input = Input {
        keys: &keys,
        people: Some(&people),
        people_as_of: None,
        identity: None,
        quota: Some(20),
        now,
        zone: &zone,
        lead_days: 14,
        policy: &policy,
        severities: &severities,
        stored: &stored,
        rolls: &[],
        own_affair: &own_affair,
    };
    let took: Samples = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let found = review::review(&input, &[]);
            assert!(!found.findings.is_empty(), "a tenant with nothing to review measures nothing");
            began.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    let what = "6,000 keys, 300 people: reviewed in Rust (median)";
    Figure::bound(what, took.median(), took.span(), REVIEWED)
}

/// From pressing "Review" to the painted timeline, in the window of a large tenant.
pub async fn paint(window: &Window) -> Figure {
    let (mut took, mut made) = (Samples::default(), Samples::default());
    for _ in 0..OPENED {
        let seen = window.ask("review", serde_json::json!([])).await;
        took.push(number(&seen["painted"]));
        made.push(number(&seen["made"]));
        window.page.role("link", "Keys").click().await;
        window.page.role("grid", "API keys").wait().await;
        window.rest().await;
    }
    let what = "6,000 keys: Review opened, to the painted timeline (median)";
    let span = format!("{}; its elements were there after {:.0} ms", took.span(), made.median());
    Figure::bound(what, took.median(), span, PAINTED)
}

/// What 6,000 keys and 300 people cost the whole process tree beyond a tenant with next to nothing in
/// it, with Review opened once in both; and the requests that reading the people took.
pub async fn memory() -> Vec<Figure> {
    let empty = with_review_seen(signed_in::usual_but(Seed::Empty)).await;
    let large = with_review_seen(signed_in::large()).await;
    let of_people =
        |path: &str| ["/v1/users", "/v1/users/meta", "/v1/users/summary"].contains(&path);
    let requests = large.stage.sim.requests();
    // The first refresh only: later ones read people again after ten minutes.
    let asked: BTreeSet<String> = requests
        .iter()
        .map(|request| request.path.clone())
        .filter(|path| of_people(path))
        .collect();
    let calls = requests.iter().filter(|request| of_people(&request.path)).count();
    let (before, after) = (at_rest(&empty).await, at_rest(&large).await);
    let growth = (after - before) / 1024.0;
    vec![
        Figure::of(
            "memory (PSS): 6,000 keys beyond an empty tenant",
            format!("{growth:.1} MiB"),
            format!("{:.1} MiB against {:.1} MiB", after / 1024.0, before / 1024.0),
            growth,
            GROWTH,
            " MiB",
        ),
        Figure::of(
            "requests that read 300 people",
            calls.to_string(),
            asked.into_iter().collect::<Vec<_>>().join(", "),
            calls as f64,
            CALLS,
            "",
        ),
    ]
}

async fn with_review_seen(palette: SimOptions) -> Window {
    let window = Window::open(palette).await;
    window.page.role("link", "Review").click().await;
    window.page.role("heading", "Review").wait().await;
    window.rest().await;
    window.page.role("link", "Keys").click().await;
    window.page.role("grid", "API keys").wait().await;
    window
}

async fn at_rest(window: &Window) -> f64 {
    Cost::at_rest(window.stage.app_pid()).await.pss
}

fn tenant(now: Timestamp) -> (Vec<ApiKey>, Vec<Person>) {
    let day = |days: i64| {
        now.checked_add(SignedDuration::from_hours(24 * days)).expect("within the calendar")
    };
    let people = (0..PEOPLE).map(|n| Person {
        uid: format!("person-{n}"),
        name: format!("Person {n}"),
        email: format!("person-{n}@acme.example"),
        active: Some(n % 40 != 1),
        last_sign_in: Some(day(-((n % 130) as i64))),
        roles: Vec::new(),
    });
    let keys = (0..KEYS).map(|n| {
        let step = n as i64;
        let owner = match n % 50 {
            7 => "person-gone".to_owned(),
            _ => format!("person-{}", n % PEOPLE),
        };
        ApiKey {
            uid: KeyUid::new(&format!("{n:024x}")).expect("a uid"),
            name: if n % 9 == 0 { "ci".to_owned() } else { format!("key-{n}") },
            description: if n % 5 == 0 { String::new() } else { format!("Number {n}") },
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            owner_name: format!("Person {}", n % PEOPLE),
            made_by_uid: Some(if n % 11 == 0 { "person-3".to_owned() } else { owner.clone() }),
            owner_uid: owner,
            permissions: Vec::new(),
            created: Some(day(-(step % 500))),
            modified: Some(day(-(step % 300))),
            deleted: None,
            expires: (n % 20 != 3).then(|| day(step % 250 - 60)),
            active: n % 13 != 0,
        }
    });
    (keys.collect(), people.collect())
}
