//! Review: what about a connection's keys needs a decision, when they end, and what changed.
//!
//! [`findings`] is the table of rules, [`policy`] what the organization asks, [`accepted`] what
//! somebody decided to live with, [`timeline`] when keys end, [`changes`] what others did.

pub mod accepted;
pub mod changes;
pub mod findings;
pub mod policy;
pub mod timeline;

use crate::{
    Failure,
    api::{AuditQuery, PaletteClient},
    connection::{live::Live, renewal::own_affair},
    keys::{ApiKey, Flag, view_of},
    ports::Ports,
    settings::Settings,
    store::CachedList,
};
use accepted::{Accepted, AcceptedView};
use changes::{ChangeKind, KeyChangeView, REMEMBERED};
use findings::{FindingView, Hit, Input, Rule, Severity, World};
use jiff::{Timestamp, civil::Date};
use policy::{Policy, PolicyView, RuleView};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use timeline::{Movable, SpreadView, TimelineView};
use ts_rs::TS;

/// Pages of the audit log that are read for the changes of one refresh.
const AUDIT_PAGES: usize = 2;
/// A page of the log is not waited for any longer.
const AUDITS_WITHIN: Duration = Duration::from_secs(5);

/// Review a connection.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReviewRequest {
    /// Id of the connection.
    pub connection: String,
}

/// Plan how to spread the keys that end on one day.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SpreadRequest {
    /// Id of the connection.
    pub connection: String,
    /// `2027-01-30`, where this computer is.
    pub date: String,
}

/// What needs a decision, when keys end, and what changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ReviewView {
    /// Id of the connection.
    pub connection: String,
    /// The state of the list this shows.
    #[ts(type = "number")]
    pub revision: u64,
    /// When the server last answered (this computer's clock, ms since 1970); none: never.
    #[ts(type = "number | null")]
    pub as_of: Option<i64>,
    /// Keys looked at.
    pub keys: u32,
    /// People looked at; none: they could not be read, and nothing is claimed of owners.
    pub people: Option<u32>,
    /// Distinct keys by severity.
    pub counts: CountsView,
    /// Worst first.
    pub findings: Vec<FindingView>,
    /// Accepted and still counting.
    pub accepted: Vec<AcceptedView>,
    /// The last 30 and the next 90 days.
    pub timeline: TimelineView,
    /// What others did, newest first.
    pub changes: Vec<KeyChangeView>,
    /// What the organization asks.
    pub policy: PolicyView,
}

/// Distinct keys by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct CountsView {
    /// Act now.
    pub act_now: u32,
    /// This month.
    pub this_month: u32,
    /// Clean up.
    pub clean_up: u32,
    /// Act now or this month: what the navigation shows.
    pub pressing: u32,
}

/// What a review finds: pure, and measured by the bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Worst first.
    pub findings: Vec<FindingView>,
    /// Accepted and still counting.
    pub accepted: Vec<AcceptedView>,
    /// Distinct keys by severity.
    pub counts: CountsView,
    /// The last 30 and the next 90 days.
    pub timeline: TimelineView,
}

/// What the rules say and nobody accepted, and what was accepted.
fn open_hits(
    world: &World<'_>,
    input: &Input<'_>,
    accepted: &[Accepted],
) -> (Vec<Hit>, Vec<AcceptedView>) {
    let known: HashMap<(Rule, &str), &Accepted> =
        accepted.iter().map(|row| ((row.rule, &*row.uid), row)).collect();
    let today = input.now.to_zoned(input.zone.clone()).date();
    let mut open = Vec::new();
    let mut kept = Vec::new();
    for hit in findings::hits(world, input.keys) {
        let key = &input.keys[hit.place];
        let view = |reason: &str, until: i64, by_policy| AcceptedView {
            rule: hit.rule,
            about: hit.rule.title().to_owned(),
            uid: key.uid.as_str().to_owned(),
            name: key.name.clone(),
            reason: reason.to_owned(),
            until,
            by_policy,
        };
        if let Some(row) = accepted::of(&known, &hit, key, input.now) {
            kept.push(view(&row.reason, row.until, false));
        } else if let Some(exception) =
            input.policy.exception(hit.rule, key.uid.as_str(), &key.name, today)
        {
            let until = policy::end_of_day(exception.until, input.zone);
            kept.push(view(&exception.reason, until, true));
        } else {
            open.push(hit);
        }
    }
    (open, kept)
}

/// The findings about the keys of these uids. What weighs in the whole list counts, such as a limit
/// or a name that is there twice; but no other key is in their words or counts.
pub fn findings_of(
    input: &Input<'_>,
    accepted: &[Accepted],
    uids: &HashSet<&str>,
) -> Vec<FindingView> {
    let world = World::of(input);
    let (open, _) = open_hits(&world, input, accepted);
    let named = |hit: &&Hit| uids.contains(input.keys[hit.place].uid.as_str());
    findings::queue(&world, input.keys, &open.iter().filter(named).collect::<Vec<_>>())
}

/// Reviews keys.
pub fn review(input: &Input<'_>, accepted: &[Accepted]) -> Review {
    let world = World::of(input);
    let (open, mut kept) = open_hits(&world, input, accepted);
    let open: Vec<&Hit> = open.iter().collect();
    let mut by_severity: HashMap<Severity, HashSet<usize>> = HashMap::new();
    for hit in &open {
        by_severity.entry(world.severity(hit.rule)).or_default().insert(hit.place);
    }
    let count = |places: Option<&HashSet<usize>>| {
        u32::try_from(places.map_or(0, HashSet::len)).unwrap_or(u32::MAX)
    };
    let pressing: HashSet<usize> = [Severity::ActNow, Severity::ThisMonth]
        .iter()
        .filter_map(|severity| by_severity.get(severity))
        .flatten()
        .copied()
        .collect();
    kept.sort_by(|a, b| (a.until, &a.name).cmp(&(b.until, &b.name)));
    Review {
        counts: CountsView {
            act_now: count(by_severity.get(&Severity::ActNow)),
            this_month: count(by_severity.get(&Severity::ThisMonth)),
            clean_up: count(by_severity.get(&Severity::CleanUp)),
            pressing: count(Some(&pressing)),
        },
        findings: findings::queue(&world, input.keys, &open),
        accepted: kept,
        timeline: timeline::timeline(
            input.keys,
            input.now,
            input.zone,
            input.lead_days,
            input.policy.thresholds.pile_up,
        ),
    }
}

/// The policy with the longest life of the settings joined in: the shorter one counts.
pub(crate) fn joined(policy: &Policy, settings: &Settings) -> Policy {
    let longest = [policy.longest_life_days, settings.longest_life_days];
    Policy { longest_life_days: longest.into_iter().flatten().min(), ..policy.clone() }
}

/// What a review looks at, and what is beside it.
pub(crate) fn look<R>(
    ports: &Ports,
    live: &Live,
    f: impl FnOnce(&Input<'_>, Option<&CachedList>) -> R,
) -> R {
    let list = live.known(ports);
    let settings = ports.settings();
    let policy = joined(&ports.policy.state().policy, &settings);
    let identity = live.identity();
    let stored = ports.store.stored_uids(&live.id()).unwrap_or_default();
    let rolls = ports.store.rolls(Some(&live.id())).unwrap_or_default();
    let (zone, now) = (ports.clock.time_zone(), live.server_now(ports));
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let own_affair = own_affair(&live.record(), keys, &rolls, now, &settings);
    let input = Input {
        keys,
        people: list.as_ref().and_then(|list| list.people.as_deref()),
        people_as_of: list.as_ref().and_then(|list| list.people_as_of()),
        identity: identity.as_ref(),
        quota: list.as_ref().and_then(|list| list.quota),
        now,
        zone: &zone,
        lead_days: settings.lead_days,
        policy: &policy,
        severities: &settings.severities,
        stored: &stored,
        rolls: &rolls,
        own_affair: &own_affair,
    };
    f(&input, list.as_deref())
}

/// The review as the window sees it, of what is known. Nothing is sent.
pub(crate) fn view(ports: &Ports, live: &Live) -> ReviewView {
    // Read first: what changes meanwhile makes this view old, not wrong.
    let connection = live.id();
    let revision = ports.revision(&connection);
    // Not knowing what was accepted shows a finding once more, which hides nothing.
    let accepted = ports.store.accepted(&connection).unwrap_or_default();
    let changes = ports.store.changes(&connection).unwrap_or_default();
    let policy = policy_view(ports);
    look(ports, live, |input, list| {
        let Review { findings, accepted, counts, timeline } = review(input, &accepted);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        ReviewView {
            connection,
            revision,
            as_of: list.map(|list| list.as_of.as_millisecond()),
            keys: count(input.keys.len()),
            people: input.people.map(|people| count(people.len())),
            counts,
            findings,
            accepted,
            timeline,
            changes,
            policy,
        }
    })
}

/// The policy as the window sees it.
pub(crate) fn policy_view(ports: &Ports) -> PolicyView {
    let state = ports.policy.state();
    let settings = ports.settings();
    let policy = joined(&state.policy, &settings);
    let rules = Rule::all().map(|rule| {
        let by_policy = policy.severities.get(&rule).copied();
        let chosen = by_policy.or_else(|| settings.severities.get(&rule).copied());
        RuleView {
            rule,
            name: rule.title().to_owned(),
            about: rule.about(&policy, settings.lead_days),
            severity: chosen.unwrap_or_else(|| rule.severity()),
            by_policy: by_policy.is_some(),
        }
    });
    PolicyView {
        path: state.path,
        problem: state.problem,
        counts: state.counts,
        longest_life_days: policy.longest_life_days,
        name_pattern: policy.name_pattern.as_ref().map(|pattern| pattern.text.clone()),
        description_required: policy.description_required,
        forbid_never_ending: policy.forbid_never_ending,
        thresholds: policy.thresholds,
        rules: rules.collect(),
    }
}

/// How the keys that end on one day would be spread. Nothing is changed.
pub(crate) fn plan_spread(
    ports: &Ports,
    live: &Live,
    request: &SpreadRequest,
) -> Result<SpreadView, Failure> {
    let date: Date = request
        .date
        .parse()
        .map_err(|_| crate::ports::internal("This is not a day. Nothing was changed."))?;
    let list = live.known(ports);
    let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
    let among: Vec<(&ApiKey, Movable)> = live.look(ports, |lens| {
        let movable = |key| match view_of(key, lens) {
            view if !view.may.update => Movable::NotByCaller,
            view if view.pair.is_some() => Movable::Rolling,
            view if view.flags.contains(&Flag::SignsIn) => Movable::SignsIn,
            _ => Movable::Yes,
        };
        keys.iter().map(|key| (key, movable(key))).collect()
    });
    let settings = ports.settings();
    let longest = joined(&ports.policy.state().policy, &settings).longest_life_days;
    let zone = ports.clock.time_zone();
    Ok(timeline::spread(&among, date, live.server_now(ports), &zone, longest))
}

/// Asks the audit log who made these changes, and writes it down. A log that may not be read, or
/// does not answer in time, leaves them nameless.
async fn name_changes(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    client: &PaletteClient,
    changed: Vec<KeyChangeView>,
) {
    let Some(after) = changed.iter().map(|change| change.after).min() else { return };
    let offset = client.clock_offset_ms();
    let Ok(from) = Timestamp::from_millisecond(after.saturating_add(offset)) else { return };
    let mut query = AuditQuery { uid: None, from: Some(from), until: None, next: None };
    let (mut entries, mut whole) = (Vec::new(), false);
    for _ in 0..AUDIT_PAGES {
        let page = tokio::time::timeout(AUDITS_WITHIN, client.audits(&query)).await;
        let Ok(Ok(page)) = page else { break };
        entries.extend(page.entries);
        whole = page.next.is_none() && page.skipped == 0;
        query.next = page.next;
        if query.next.is_none() {
            break;
        }
    }
    let named = changes::named(changed, &entries, whole);
    match ports.store.name_changes(&live.id(), &named) {
        Ok(()) if named.iter().any(|change| change.by.is_some()) => live.tell_changed(ports),
        Ok(()) => {}
        Err(_) => tracing::warn!("who changed keys could not be written down"),
    }
}

/// Finds what a fresh list shows that nobody here did, and writes it down. `ours` are keys that this
/// app was changing when the list came.
pub(crate) fn changed(
    ports: &Ports,
    connection: &str,
    before: &CachedList,
    now: &CachedList,
    ours: &HashSet<String>,
    at: Timestamp,
) -> Vec<KeyChangeView> {
    let mut found = changes::changes(before, now, at, day_of(ports));
    found.retain(|change| !ours.contains(&change.uid));
    if found.is_empty() {
        return found;
    }
    // What this app does itself shows in lists before it is known to be done.
    let going = ports.outbox.revoking(connection);
    let making = ports.store.intents(Some(connection)).unwrap_or_default();
    let owner_of: HashMap<&str, &str> =
        now.keys.iter().map(|key| (key.uid.as_str(), &*key.owner_uid)).collect();
    found.retain(|change| match change.kind {
        ChangeKind::Removed => !going.contains(&change.uid),
        ChangeKind::Made => !making.iter().any(|intent| {
            intent.name == change.name
                && owner_of.get(&*change.uid).is_some_and(|owner| *owner == intent.owner_uid)
                && !intent.uids_before.contains(&change.uid)
        }),
        _ => true,
    });
    write_down(ports, connection, &found, at);
    found
}

/// As [`changed`], of one key that was read by itself; none: it is gone. The list before is of the time
/// `after`.
pub(crate) fn changed_key(
    ports: &Ports,
    connection: &str,
    was: &ApiKey,
    now: Option<&ApiKey>,
    after: Timestamp,
) -> Vec<KeyChangeView> {
    if now.is_none() && ports.outbox.revoking(connection).contains(was.uid.as_str()) {
        return Vec::new();
    }
    let at = ports.now();
    let found = changes::of_key(was, now, at, after, day_of(ports));
    write_down(ports, connection, &found, at);
    found
}

fn day_of(ports: &Ports) -> impl Fn(Timestamp) -> String + use<> {
    let zone = ports.clock.time_zone();
    move |at| at.to_zoned(zone.clone()).strftime("%-d %b %Y").to_string()
}

fn write_down(ports: &Ports, connection: &str, found: &[KeyChangeView], at: Timestamp) {
    let forget = at.checked_sub(REMEMBERED).map_or(0, Timestamp::as_millisecond);
    if !found.is_empty() && ports.store.put_changes(connection, found, forget).is_err() {
        tracing::warn!("what changed could not be written down");
    }
}

/// Asks the audit log in a while who made these changes: whoever waits for the keys need not wait for
/// that too.
pub(crate) fn name_soon(ports: &Arc<Ports>, live: &Arc<Live>, changed: Vec<KeyChangeView>) {
    let Ok(client) = live.client(ports) else { return };
    if changed.is_empty() || !client.is_signed_in() {
        return;
    }
    let (task_ports, task_live) = (Arc::clone(ports), Arc::clone(live));
    // Not had while somebody waits for the reading before: then nobody waits for this one.
    let under_way = Arc::clone(&live.naming).try_read_owned();
    ports.tasks.spawn(async move {
        name_changes(&task_ports, &task_live, &client, changed).await;
        drop(under_way);
    });
}
