//! Findings: a table of rules, each a pure function from a key to its evidence in words.
//!
//! Nothing is guessed: who is gone is claimed only where people could be read, "not seen" speaks
//! of signing in only (Palette has no last-used field, fact sheet §3.2), and the limit of keys only
//! counts where it is known.

use super::policy::Policy;
use crate::{
    api::Person,
    connection::IdentityView,
    keys::{ApiKey, KeyUid, Lens, OwnerState, Status, created_of, owner_state_of, status_of},
    store::RollRecord,
};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use ts_rs::TS;

/// How many findings of one rule stand alone before they become one group.
const FEW: usize = 8;
/// Names that a group's evidence tells.
const NAMED: usize = 5;

/// How soon somebody should decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Act now.
    ActNow,
    /// This month.
    ThisMonth,
    /// Clean up.
    CleanUp,
    /// The rule says nothing.
    Off,
}

impl Severity {
    /// By its name in the policy file.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "act_now" => Self::ActNow,
            "this_month" => Self::ThisMonth,
            "clean_up" => Self::CleanUp,
            "off" => Self::Off,
            _ => return None,
        })
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Rule {
    /// The owner is not among the people.
    OwnerGone,
    /// The owner may not sign in.
    OwnerInactive,
    /// It has no end.
    NeverEnds,
    /// Its life is longer than the policy allows.
    LongerThanPolicy,
    /// It ends soon.
    ExpiringSoon,
    /// The owner has not signed in for long.
    OwnerNotSeen,
    /// Old, and its value is still the first.
    NeverRolled,
    /// The owner is near or at the limit of keys.
    NearQuota,
    /// The owner has another working key of this name.
    DuplicateName,
    /// Its name does not fit the policy.
    NameOutsidePolicy,
    /// Somebody else than its owner made it.
    MadeByOther,
    /// It does not say what it is for.
    NoDescription,
    /// Ended long ago and still there.
    ExpiredNotDeleted,
    /// Revoked long ago and still there.
    RevokedNotDeleted,
}

/// What to do about a finding; the window opens the list or the dialog for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Suggestion {
    /// Take it out of service.
    Revoke,
    /// Give it an end.
    SetEnd,
    /// Replace it by a new key.
    Roll,
    /// Move its end.
    Renew,
    /// Delete it.
    Delete,
    /// Change its name or description.
    Edit,
    /// Look at the keys.
    Show,
}

/// How findings of one rule come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Always one finding for all.
    Together,
    /// One by one, and together once there are more than a few.
    OneByOne,
    /// One for each owner.
    ByOwner,
    /// One for each owner and name.
    ByName,
}

/// One row of the table.
struct Row {
    rule: Rule,
    /// In the policy file.
    name: &'static str,
    /// In the window.
    title: &'static str,
    severity: Severity,
    shape: Shape,
    suggestion: Suggestion,
    /// The evidence where the rule speaks, else none.
    check: fn(&World<'_>, &Seen<'_>) -> Option<String>,
}

const ROWS: [Row; 14] = [
    Row {
        rule: Rule::OwnerGone,
        name: "owner_gone",
        title: "Owner gone",
        severity: Severity::ActNow,
        shape: Shape::Together,
        suggestion: Suggestion::Revoke,
        check: owner_gone,
    },
    Row {
        rule: Rule::OwnerInactive,
        name: "owner_inactive",
        title: "Owner inactive",
        severity: Severity::ActNow,
        shape: Shape::Together,
        suggestion: Suggestion::Revoke,
        check: owner_inactive,
    },
    Row {
        rule: Rule::NeverEnds,
        name: "never_ends",
        title: "Never expires",
        severity: Severity::ActNow,
        shape: Shape::OneByOne,
        suggestion: Suggestion::SetEnd,
        check: never_ends,
    },
    Row {
        rule: Rule::LongerThanPolicy,
        name: "longer_than_policy",
        title: "Lives longer than the policy",
        severity: Severity::ThisMonth,
        shape: Shape::OneByOne,
        suggestion: Suggestion::SetEnd,
        check: longer_than_policy,
    },
    Row {
        rule: Rule::ExpiringSoon,
        name: "expiring_soon",
        title: "Expires soon",
        severity: Severity::ThisMonth,
        shape: Shape::OneByOne,
        suggestion: Suggestion::Roll,
        check: expiring_soon,
    },
    Row {
        rule: Rule::OwnerNotSeen,
        name: "owner_not_seen",
        title: "Owner not seen for long",
        severity: Severity::ThisMonth,
        shape: Shape::Together,
        suggestion: Suggestion::Show,
        check: owner_not_seen,
    },
    Row {
        rule: Rule::NeverRolled,
        name: "never_rolled",
        title: "Old and never rolled",
        severity: Severity::ThisMonth,
        shape: Shape::Together,
        suggestion: Suggestion::Roll,
        check: never_rolled,
    },
    Row {
        rule: Rule::NearQuota,
        name: "near_quota",
        title: "Near the limit of keys",
        severity: Severity::ThisMonth,
        shape: Shape::ByOwner,
        suggestion: Suggestion::Show,
        check: near_quota,
    },
    Row {
        rule: Rule::DuplicateName,
        name: "duplicate_name",
        title: "Same name twice",
        severity: Severity::ThisMonth,
        shape: Shape::ByName,
        suggestion: Suggestion::Show,
        check: duplicate_name,
    },
    Row {
        rule: Rule::NameOutsidePolicy,
        name: "name_outside_policy",
        title: "Name outside the policy",
        severity: Severity::CleanUp,
        shape: Shape::Together,
        suggestion: Suggestion::Edit,
        check: name_outside_policy,
    },
    Row {
        rule: Rule::MadeByOther,
        name: "made_by_other",
        title: "Made by someone else",
        severity: Severity::CleanUp,
        shape: Shape::Together,
        suggestion: Suggestion::Show,
        check: made_by_other,
    },
    Row {
        rule: Rule::NoDescription,
        name: "no_description",
        title: "No description",
        severity: Severity::CleanUp,
        shape: Shape::Together,
        suggestion: Suggestion::Edit,
        check: no_description,
    },
    Row {
        rule: Rule::ExpiredNotDeleted,
        name: "expired_not_deleted",
        title: "Expired and not deleted",
        severity: Severity::CleanUp,
        shape: Shape::Together,
        suggestion: Suggestion::Delete,
        check: expired_not_deleted,
    },
    Row {
        rule: Rule::RevokedNotDeleted,
        name: "revoked_not_deleted",
        title: "Revoked and not deleted",
        severity: Severity::CleanUp,
        shape: Shape::Together,
        suggestion: Suggestion::Delete,
        check: revoked_not_deleted,
    },
];

impl Rule {
    /// All, worst first.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.rule)
    }

    /// By its name in the policy file.
    pub fn named(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(|row| row.rule)
    }

    /// Every name, for a message.
    pub fn names() -> String {
        ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
    }

    fn row(self) -> &'static Row {
        // The table has a row for each: held by a test.
        ROWS.iter().find(|row| row.rule == self).unwrap_or(&ROWS[0])
    }

    /// In the window: "Owner gone".
    pub fn title(self) -> &'static str {
        self.row().title
    }

    /// In the policy file: `owner_gone`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The product's severity.
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// What it looks for, with its threshold.
    pub fn about(self, policy: &Policy, lead_days: u32) -> String {
        let at = policy.thresholds;
        match self {
            Self::OwnerGone => "The owner is not among the people of the organization.".into(),
            Self::OwnerInactive => "The owner may not sign in.".into(),
            Self::NeverEnds => "The key has no end.".into(),
            Self::LongerThanPolicy => match policy.longest_life_days {
                Some(days) => format!("The key lives longer than {}.", days_of(days)),
                None => "No longest life is set, so nothing is found.".into(),
            },
            Self::ExpiringSoon => {
                format!("The key ends within {}.", days_of(at.expiring_days.unwrap_or(lead_days)))
            }
            Self::OwnerNotSeen => format!(
                "The owner has not signed in for {}. Whether the key works somewhere is not known.",
                days_of(at.owner_not_seen_days)
            ),
            Self::NeverRolled => {
                format!("The key is older than {}.", days_of(at.never_rolled_days))
            }
            Self::NearQuota => format!(
                "The owner has {} % or more of the keys that a person may have.",
                at.quota_percent
            ),
            Self::DuplicateName => "The owner has another working key of this name.".into(),
            Self::NameOutsidePolicy => match &policy.name_pattern {
                Some(pattern) => format!("The name is not like {}.", pattern.text),
                None => "No naming pattern is set, so nothing is found.".into(),
            },
            Self::MadeByOther => "Somebody else than its owner made the key.".into(),
            Self::NoDescription => "The key does not say what it is for.".into(),
            Self::ExpiredNotDeleted => {
                format!("The key ended more than {} ago.", days_of(at.expired_days))
            }
            Self::RevokedNotDeleted => {
                format!("The key was revoked more than {} ago.", days_of(at.revoked_days))
            }
        }
    }
}

/// What all rules look at.
pub struct World<'a> {
    /// The server's time.
    pub now: Timestamp,
    /// In which dates are told.
    pub zone: &'a TimeZone,
    /// With the longest life of the settings joined in.
    pub policy: &'a Policy,
    /// The lead time of the settings.
    pub lead_days: u32,
    /// Keys a person may have; none: not known.
    pub quota: Option<u32>,
    /// Severities that a person chose in the window.
    pub severities: &'a BTreeMap<Rule, Severity>,
    lens: Lens<'a>,
    own_affair: &'a HashSet<KeyUid>,
    keys_of: HashMap<&'a str, u32>,
    /// Of those, how many work.
    working_of: HashMap<&'a str, u32>,
    named: HashMap<(&'a str, &'a str), u32>,
}

/// What is known of one key.
struct Seen<'a> {
    key: &'a ApiKey,
    status: Status,
    owner: OwnerState,
    person: Option<&'a Person>,
    name: String,
    /// It is the old key of a roll that is not over.
    roll: Option<&'a RollRecord>,
}

impl Seen<'_> {
    /// Its roll is held up: it is no use to begin another, and only a person can help.
    fn is_held_up(&self) -> bool {
        self.roll.is_some_and(|roll| !roll.is_in_place())
    }

    /// Its value still opens the door.
    fn works(&self) -> bool {
        matches!(self.status, Status::Active | Status::Expiring)
    }
}

/// What a review looks at.
pub struct Input<'a> {
    /// Every key the caller sees.
    pub keys: &'a [ApiKey],
    /// None: they may not be read, and nothing is claimed of owners.
    pub people: Option<&'a [Person]>,
    /// When these were read, by the server's clock; none: just now.
    pub people_as_of: Option<Timestamp>,
    /// The caller.
    pub identity: Option<&'a IdentityView>,
    /// Keys a person may have; none: not known.
    pub quota: Option<u32>,
    /// The server's time.
    pub now: Timestamp,
    /// In which dates are told.
    pub zone: &'a TimeZone,
    /// The lead time of the settings.
    pub lead_days: u32,
    /// With the longest life of the settings joined in.
    pub policy: &'a Policy,
    /// Severities that a person chose in the window; the policy's count more.
    pub severities: &'a BTreeMap<Rule, Severity>,
    /// Keys whose value is in the keychain.
    pub stored: &'a HashSet<String>,
    /// Rolls that are not over.
    pub rolls: &'a [RollRecord],
    /// Keys whose ends are the app's own affair: it renews its sign-in.
    pub own_affair: &'a HashSet<KeyUid>,
}

/// One key of which one rule speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub rule: Rule,
    /// The key's place in the input.
    pub place: usize,
    /// The evidence, in words.
    pub evidence: String,
}

/// A finding, as the window shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    /// Names it as long as it is about the same keys: rule and first key.
    pub id: String,
    /// What it is about.
    pub rule: Rule,
    /// How soon somebody should decide.
    pub severity: Severity,
    /// "3 keys of people who are gone"
    pub title: String,
    /// Evidence in words.
    pub evidence: String,
    /// uids of its keys.
    pub keys: Vec<String>,
    /// How many of them still work.
    pub working: u32,
    /// What to do.
    pub suggestion: Suggestion,
}

impl<'a> World<'a> {
    /// What the rules look at, joined once.
    pub fn of(input: &Input<'a>) -> Self {
        let mut keys_of: HashMap<&str, u32> = HashMap::new();
        let mut working_of: HashMap<&str, u32> = HashMap::new();
        let mut named: HashMap<(&str, &str), u32> = HashMap::new();
        for key in input.keys {
            *keys_of.entry(&key.owner_uid).or_default() += 1;
            let works = key.active && key.expires.is_none_or(|ends| ends > input.now);
            if works {
                *working_of.entry(&key.owner_uid).or_default() += 1;
                *named.entry((&key.owner_uid, key.name.trim())).or_default() += 1;
            }
        }
        static NONE: std::sync::LazyLock<HashSet<String>> = std::sync::LazyLock::new(HashSet::new);
        Self {
            now: input.now,
            zone: input.zone,
            policy: input.policy,
            lead_days: input.lead_days,
            quota: input.quota,
            severities: input.severities,
            lens: Lens {
                now: input.now,
                lead_days: input.lead_days,
                identity: input.identity,
                people: input
                    .people
                    .map(|people| people.iter().map(|person| (&*person.uid, person)).collect()),
                people_as_of: input.people_as_of,
                stored: input.stored,
                signing_uid: None,
                revoking: &NONE,
                rolls: input.rolls,
            },
            own_affair: input.own_affair,
            keys_of,
            working_of,
            named,
        }
    }

    /// How severe findings of a rule are: the policy's word, then the person's, then ours.
    pub fn severity(&self, rule: Rule) -> Severity {
        let chosen = self.policy.severities.get(&rule).or_else(|| self.severities.get(&rule));
        chosen.copied().unwrap_or_else(|| rule.severity())
    }

    fn see(&self, key: &'a ApiKey) -> Seen<'a> {
        let person =
            self.lens.people.as_ref().and_then(|people| people.get(&*key.owner_uid).copied());
        let name = [&key.owner_name]
            .into_iter()
            .chain(person.map(|person| &person.name))
            .chain(person.map(|person| &person.email))
            .find(|name| !name.is_empty());
        Seen {
            key,
            status: status_of(key, self.now, self.lead_days),
            owner: owner_state_of(key, &self.lens),
            person,
            name: name.cloned().unwrap_or_else(|| "an unknown person".to_owned()),
            roll: self.lens.rolls.iter().find(|roll| roll.old.uid == key.uid),
        }
    }

    /// How many working keys its owner has of its name.
    fn of_this_name(&self, key: &ApiKey) -> u32 {
        self.named.get(&(&*key.owner_uid, key.name.trim())).copied().unwrap_or_default()
    }

    fn person_name(&self, uid: &str) -> Option<&str> {
        let me = self.lens.identity.filter(|me| me.user_uid == uid).map(|me| &*me.name);
        let known = || self.lens.people.as_ref()?.get(uid).map(|person| &*person.name);
        me.or_else(known).filter(|name| !name.is_empty())
    }

    /// Whole days since then.
    fn days_since(&self, then: Timestamp) -> u32 {
        let hours = self.now.duration_since(then).as_hours().max(0);
        u32::try_from(hours / 24).unwrap_or(u32::MAX)
    }

    /// Days until then, rounded up.
    fn days_until(&self, then: Timestamp) -> u32 {
        let seconds = then.duration_since(self.now).as_secs().max(0);
        u32::try_from(seconds.unsigned_abs().div_ceil(86_400)).unwrap_or(u32::MAX)
    }

    /// "3 March", with the year where it is another one.
    fn date(&self, at: Timestamp) -> String {
        let (then, now) = (at.to_zoned(self.zone.clone()), self.now.to_zoned(self.zone.clone()));
        let format = if then.year() == now.year() { "%-d %B" } else { "%-d %B %Y" };
        then.strftime(format).to_string()
    }
}

/// Every rule on every key, in the order of the table.
pub fn hits(world: &World<'_>, keys: &[ApiKey]) -> Vec<Hit> {
    let mut hits = Vec::new();
    let rows: Vec<&Row> =
        ROWS.iter().filter(|row| world.severity(row.rule) != Severity::Off).collect();
    for (place, key) in keys.iter().enumerate().filter(|(_, key)| key.deleted.is_none()) {
        let seen = world.see(key);
        for row in &rows {
            if let Some(evidence) = (row.check)(world, &seen) {
                hits.push(Hit { rule: row.rule, place, evidence });
            }
        }
    }
    hits
}

/// The queue: findings put together, worst first.
pub fn queue(world: &World<'_>, keys: &[ApiKey], hits: &[&Hit]) -> Vec<FindingView> {
    let mut by_rule: BTreeMap<Rule, Vec<&Hit>> = BTreeMap::new();
    for hit in hits {
        by_rule.entry(hit.rule).or_default().push(hit);
    }
    let mut found: Vec<(u128, FindingView)> = Vec::new();
    for (rule, mut hits) in by_rule {
        // The one that ends first comes first; what never ends by its age.
        hits.sort_by_key(|hit| urgency(&keys[hit.place]));
        let groups: Vec<Vec<&Hit>> = match rule.row().shape {
            Shape::Together => vec![hits],
            Shape::OneByOne if hits.len() > FEW => vec![hits],
            Shape::OneByOne => hits.into_iter().map(|hit| vec![hit]).collect(),
            Shape::ByOwner => grouped(hits, |hit| (&*keys[hit.place].owner_uid, "")),
            Shape::ByName => {
                grouped(hits, |hit| (&*keys[hit.place].owner_uid, keys[hit.place].name.trim()))
            }
        };
        for group in groups {
            let order = group.first().map_or(0, |hit| urgency(&keys[hit.place]));
            found.push((order, finding(world, keys, rule, &group)));
        }
    }
    found.sort_by(|(a, x), (b, y)| {
        (x.severity, x.rule, *a, &x.title).cmp(&(y.severity, y.rule, *b, &y.title))
    });
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn urgency(key: &ApiKey) -> u128 {
    let at = key.expires.or_else(|| created_of(key)).map_or(0, Timestamp::as_millisecond);
    // From the year -9999 on, so that order is kept.
    u128::try_from(i128::from(at) + (1 << 62)).unwrap_or_default()
}

fn grouped<'h, 'k>(
    hits: Vec<&'h Hit>,
    of: impl Fn(&Hit) -> (&'k str, &'k str),
) -> Vec<Vec<&'h Hit>> {
    let mut groups: Vec<Vec<&Hit>> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for hit in hits {
        match places.get(&of(hit)) {
            Some(place) => groups[*place].push(hit),
            None => {
                places.insert(of(hit), groups.len());
                groups.push(vec![hit]);
            }
        }
    }
    groups
}

fn finding(world: &World<'_>, keys: &[ApiKey], rule: Rule, group: &[&Hit]) -> FindingView {
    let members: Vec<&ApiKey> = group.iter().map(|hit| &keys[hit.place]).collect();
    let seen: Vec<Seen<'_>> = members.iter().map(|key| world.see(key)).collect();
    let working = seen.iter().filter(|seen| seen.works()).count();
    let alone = matches!(rule.row().shape, Shape::OneByOne) && members.len() == 1;
    let evidence = match (alone, group.first()) {
        (true, Some(hit)) => hit.evidence.clone(),
        _ => together(world, rule, &seen, working, group),
    };
    let mut suggestion = rule.row().suggestion;
    // Rolling needs the value here; without it the end is moved and the new value is not ours.
    if suggestion == Suggestion::Roll
        && !(alone && world.lens.stored.contains(members[0].uid.as_str()))
    {
        suggestion = if rule == Rule::ExpiringSoon { Suggestion::Renew } else { Suggestion::Show };
    }
    // A renewal would move the end that the roll goes by.
    if rule == Rule::ExpiringSoon && seen.iter().all(Seen::is_held_up) {
        suggestion = Suggestion::Show;
    }
    FindingView {
        id: format!("{}:{}", rule.name(), members.first().map_or("", |key| key.uid.as_str())),
        rule,
        severity: world.severity(rule),
        title: title(world, rule, &seen, alone),
        evidence,
        keys: members.iter().map(|key| key.uid.as_str().to_owned()).collect(),
        working: u32::try_from(working).unwrap_or(u32::MAX),
        suggestion,
    }
}

/// "1 key", "1,200 keys"
pub(crate) fn keys_word(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { "key" } else { "keys" })
}

fn days_of(days: u32) -> String {
    format!("{days} {}", if days == 1 { "day" } else { "days" })
}

fn title(world: &World<'_>, rule: Rule, seen: &[Seen<'_>], alone: bool) -> String {
    let count = seen.len();
    let many = keys_word(count);
    let first = seen.first();
    let name = first.map_or("", |seen| &seen.key.name);
    let owner = first.map_or("", |seen| &seen.name);
    let (is, has, does) =
        if count == 1 { ("is", "has", "does not") } else { ("are", "have", "do not") };
    let at = world.policy.thresholds;
    match rule {
        Rule::OwnerGone => format!("{many} of people who are gone"),
        Rule::OwnerInactive => format!("{many} of people who may not sign in"),
        Rule::NeverEnds if alone => format!("{name} never expires"),
        Rule::NeverEnds => format!("{many} never expire"),
        Rule::LongerThanPolicy if alone => format!("{name} lives longer than the policy"),
        Rule::LongerThanPolicy => format!("{many} live longer than the policy"),
        Rule::ExpiringSoon if alone => {
            let days = first.and_then(|seen| seen.key.expires).map(|at| world.days_until(at));
            format!("{name} ends in {}", days_of(days.unwrap_or_default()))
        }
        Rule::ExpiringSoon => {
            format!("{many} end within {}", days_of(at.expiring_days.unwrap_or(world.lead_days)))
        }
        Rule::OwnerNotSeen => {
            format!("{many} of people not seen for {}", days_of(at.owner_not_seen_days))
        }
        Rule::NeverRolled => {
            format!(
                "{many} {is} older than {} and {has} never been rolled",
                days_of(at.never_rolled_days)
            )
        }
        Rule::NearQuota => {
            let have = first.and_then(|seen| world.keys_of.get(&*seen.key.owner_uid)).copied();
            match world.quota {
                Some(limit) if have >= Some(limit) => format!("{owner} can have no more keys"),
                _ => format!("{owner} is near the limit of keys"),
            }
        }
        Rule::DuplicateName => {
            let same = first.map_or(0, |seen| world.of_this_name(seen.key));
            format!("{owner} has {same} keys named {name}")
        }
        Rule::NameOutsidePolicy => {
            format!(
                "{many} {has} {} outside the policy",
                if count == 1 { "a name" } else { "names" }
            )
        }
        Rule::MadeByOther => format!(
            "{many} {} made by someone else than the owner",
            if count == 1 { "was" } else { "were" }
        ),
        Rule::NoDescription => {
            format!("{many} {does} say what {} for", if count == 1 { "it is" } else { "they are" })
        }
        Rule::ExpiredNotDeleted => format!(
            "{} expired {} older than {}",
            count,
            if count == 1 { "key is" } else { "keys are" },
            days_of(at.expired_days)
        ),
        Rule::RevokedNotDeleted => format!(
            "{} revoked {} older than {}",
            count,
            if count == 1 { "key is" } else { "keys are" },
            days_of(at.revoked_days)
        ),
    }
}

/// The evidence of a group: whose keys, which, and what weighs.
fn together(
    world: &World<'_>,
    rule: Rule,
    seen: &[Seen<'_>],
    working: usize,
    group: &[&Hit],
) -> String {
    let still = match (working, seen.len()) {
        (0, _) => "None of them works any more.".to_owned(),
        (1, 1) => "It still works.".to_owned(),
        (works, all) if works == all => format!("All {} still work.", in_words(all)),
        (1, _) => "One of them still works.".to_owned(),
        (works, _) => format!("{} of them still work.", capital(&in_words(works))),
    };
    match rule {
        Rule::OwnerGone => format!(
            "{}. {still}",
            by_owner(seen, |seen| {
                match seen.name.as_str() {
                    "an unknown person" => "unknown person".to_owned(),
                    name => format!("{name}, not among the people"),
                }
            })
        ),
        Rule::OwnerInactive => format!(
            "{}. {still}",
            by_owner(seen, |seen| match seen.person {
                Some(person) if person.last_sign_in.is_none() => {
                    format!("{}, never signed in", seen.name)
                }
                _ => seen.name.clone(),
            })
        ),
        Rule::OwnerNotSeen => format!(
            "{}. Whether these keys work somewhere is not known.",
            by_owner(seen, |seen| match seen.person.and_then(|person| person.last_sign_in) {
                Some(at) => format!("{}, last signed in on {}", seen.name, world.date(at)),
                None => format!("{}, never signed in", seen.name),
            })
        ),
        Rule::NearQuota => {
            let owner = seen.first().map_or("", |seen| &seen.key.owner_uid);
            let of = |counts: &HashMap<&str, u32>| counts.get(owner).copied().unwrap_or_default();
            let dead = of(&world.keys_of).saturating_sub(of(&world.working_of)) as usize;
            let can_go = match dead {
                0 => "All of them still work.".to_owned(),
                1 => "One of them does not work any more and can go.".to_owned(),
                dead => {
                    format!("{} of them do not work any more and can go.", capital(&in_words(dead)))
                }
            };
            format!("{} {can_go}", group.first().map_or("", |hit| &hit.evidence))
        }
        Rule::MadeByOther => {
            let mut by: Vec<(&str, Vec<&str>)> = Vec::new();
            for one in seen {
                let maker = one.key.made_by_uid.as_deref().unwrap_or_default();
                let maker = world.person_name(maker).unwrap_or("an unknown person");
                match by.iter_mut().find(|(name, _)| *name == maker) {
                    Some((_, names)) => names.push(&one.key.name),
                    None => by.push((maker, vec![&one.key.name])),
                }
            }
            let told: Vec<String> = by
                .iter()
                .take(3)
                .map(|(maker, names)| format!("{} by {maker}", listed(names.iter().copied(), 3)))
                .collect();
            format!(
                "{}{}. Whoever made a key has seen its value.",
                told.join("; "),
                more_than(by.len(), 3)
            )
        }
        Rule::RevokedNotDeleted => format!(
            "{}. Deleting frees {} of the owners\u{2019} limits.",
            listed(seen.iter().map(|seen| &*seen.key.name), NAMED),
            places(seen.len())
        ),
        Rule::ExpiredNotDeleted => format!(
            "{}. A renewal would make {} work again; deleting frees {} of the owners\u{2019} limits.",
            listed(seen.iter().map(|seen| &*seen.key.name), NAMED),
            if seen.len() == 1 { "it" } else { "them" },
            places(seen.len())
        ),
        Rule::DuplicateName => {
            let ends: Vec<String> = seen
                .iter()
                .take(NAMED)
                .map(|seen| {
                    let uid = seen.key.uid.as_str();
                    let last = &uid[uid.len().saturating_sub(6)..];
                    match seen.key.expires {
                        Some(at) => format!("\u{2026}{last} ends on {}", world.date(at)),
                        None => format!("\u{2026}{last} never ends"),
                    }
                })
                .collect();
            format!(
                "{}{}. Only the uid tells them apart.",
                ends.join(", "),
                more_than(seen.len(), NAMED)
            )
        }
        _ => format!("{}.", listed(seen.iter().map(|seen| &*seen.key.name), NAMED)),
    }
}

fn places(count: usize) -> String {
    format!("{count} {}", if count == 1 { "place" } else { "places" })
}

fn more_than(all: usize, told: usize) -> String {
    if all > told { format!(" and {} more", all - told) } else { String::new() }
}

/// "a, b, c and 4 more"
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>, most: usize) -> String {
    let all = names.len();
    let told: Vec<&str> = names.take(most).collect();
    format!("{}{}", told.join(", "), more_than(all, most))
}

/// "a, b (Lena Petrov); c (unknown person)"
fn by_owner(seen: &[Seen<'_>], words: impl Fn(&Seen<'_>) -> String) -> String {
    let mut owners: Vec<(&Seen<'_>, Vec<&str>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for one in seen {
        let place = *places.entry(&one.key.owner_uid).or_insert_with(|| {
            owners.push((one, Vec::new()));
            owners.len() - 1
        });
        owners[place].1.push(&one.key.name);
    }
    let told: Vec<String> = owners
        .iter()
        .take(3)
        .map(|(one, names)| format!("{} ({})", listed(names.iter().copied(), 3), words(one)))
        .collect();
    let told_keys: usize = owners.iter().take(3).map(|(_, names)| names.len()).sum();
    let rest = match owners.len() > 3 {
        true => format!(" and {} of others", keys_word(seen.len() - told_keys)),
        false => String::new(),
    };
    format!("{}{rest}", told.join("; "))
}

fn in_words(count: usize) -> String {
    const WORDS: [&str; 11] =
        ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned())
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

// ---- the rules ----

fn owner_gone(_: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    (seen.owner == OwnerState::Gone && seen.status != Status::Revoked)
        .then(|| format!("{} is not among the people.", capital(&seen.name)))
}

fn owner_inactive(_: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    (seen.owner == OwnerState::Inactive && seen.status != Status::Revoked)
        .then(|| format!("{} may not sign in.", capital(&seen.name)))
}

fn never_ends(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    if seen.key.expires.is_some() || seen.status == Status::Revoked {
        return None;
    }
    let age =
        created_of(seen.key).map(|at| format!("Made {} ago by ", days_of(world.days_since(at))));
    let maker = seen.key.made_by_uid.as_deref().and_then(|uid| world.person_name(uid));
    let age = age.map_or_else(String::new, |age| format!("{age}{}", maker.unwrap_or(&seen.name)));
    let owner = match seen.person.and_then(|person| person.last_sign_in) {
        Some(at) if maker.is_none_or(|maker| maker == seen.name) => {
            format!(", who last signed in on {}", world.date(at))
        }
        _ => String::new(),
    };
    let policy = match world.policy.forbid_never_ending {
        true => " The policy wants every key to end.",
        false => "",
    };
    let words = format!("{age}{owner}.{policy}");
    Some(if age.is_empty() { format!("It belongs to {}.{policy}", seen.name) } else { words })
}

fn longer_than_policy(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let longest = world.policy.longest_life_days?;
    // What is being rolled gets another end by that.
    let ends = seen.key.expires.filter(|_| seen.works() && seen.roll.is_none())?;
    // A renewal counts from the day it was made. Any change moves that day, so this claims too
    // little rather than too much.
    let from = seen.key.modified.max(created_of(seen.key))?;
    let hours = ends.duration_since(from).as_hours();
    // An hour of grace for clocks that differ.
    if hours <= i64::from(longest) * 24 + 1 {
        return None;
    }
    let days = u32::try_from(hours / 24).unwrap_or(u32::MAX);
    Some(format!(
        "Ends on {}, {} after its last change; the policy allows {}.",
        world.date(ends),
        days_of(days),
        days_of(longest)
    ))
}

fn expiring_soon(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    // What was rolled is meant to end.
    let is_meant = seen.roll.is_some() && !seen.is_held_up();
    let is_ours = world.own_affair.contains(&seen.key.uid);
    let ends = seen.key.expires.filter(|_| seen.works() && !is_meant && !is_ours)?;
    let within = world.policy.thresholds.expiring_days.unwrap_or(world.lead_days);
    let left = world.days_until(ends);
    if left > within {
        return None;
    }
    if let Some(roll) = seen.roll {
        return Some(format!("Its roll to {} is not finished.", roll.new_name));
    }
    let about = match seen.key.description.trim() {
        "" => format!("Of {}.", seen.name),
        text => {
            let first: String = text.lines().next().unwrap_or_default().chars().take(120).collect();
            let end = if first.ends_with(['.', '!', '?']) { "" } else { "." };
            format!("{first}{end}")
        }
    };
    let value = match world.lens.stored.contains(seen.key.uid.as_str()) {
        true => " You hold its value: it can be rolled without downtime.",
        false => "",
    };
    Some(format!("{about}{value}"))
}

fn owner_not_seen(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    if seen.owner != OwnerState::Active || !seen.works() {
        return None;
    }
    let at = seen.person?.last_sign_in?;
    let days = world.days_since(at);
    // "For 90 days" includes the ninetieth.
    (days >= world.policy.thresholds.owner_not_seen_days)
        .then(|| format!("{} last signed in on {}.", seen.name, world.date(at)))
}

fn never_rolled(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let at = created_of(seen.key).filter(|_| seen.works() && seen.roll.is_none())?;
    let age = world.days_since(at);
    // What never ends is told by its own rule.
    (age > world.policy.thresholds.never_rolled_days && seen.key.expires.is_some())
        .then(|| format!("Made {} ago; its value is still the first.", days_of(age)))
}

fn near_quota(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let limit = world.quota.filter(|limit| *limit > 0)?;
    // People who are gone make no keys.
    if matches!(seen.owner, OwnerState::Gone | OwnerState::Inactive)
        || seen.key.owner_uid.is_empty()
    {
        return None;
    }
    let have = world.keys_of.get(&*seen.key.owner_uid).copied().unwrap_or_default();
    let percent = u64::from(world.policy.thresholds.quota_percent);
    (u64::from(have) * 100 >= u64::from(limit) * percent)
        .then(|| format!("{have} of {limit} keys."))
}

fn duplicate_name(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    if !seen.works() {
        return None;
    }
    let same = world.of_this_name(seen.key);
    (same > 1).then(|| format!("{} has {same} keys named {}.", seen.name, seen.key.name.trim()))
}

fn name_outside_policy(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let pattern = world.policy.name_pattern.as_ref().filter(|_| seen.works())?;
    (!pattern.fits(seen.key.name.trim()))
        .then(|| format!("The policy wants names like {}.", pattern.text))
}

fn made_by_other(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let maker = seen.key.made_by_uid.as_deref().filter(|uid| !uid.is_empty())?;
    let other = maker != seen.key.owner_uid && !seen.key.owner_uid.is_empty() && seen.works();
    other.then(|| {
        let maker = world.person_name(maker).unwrap_or("an unknown person");
        format!("Made by {maker}, acts as {}.", seen.name)
    })
}

fn no_description(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    (seen.works() && seen.key.description.trim().is_empty()).then(|| {
        match world.policy.description_required {
            true => "The policy wants a description.".to_owned(),
            false => "Nobody can see what it is for.".to_owned(),
        }
    })
}

fn expired_not_deleted(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    let ended = seen.key.expires.filter(|_| seen.status == Status::Expired)?;
    let days = world.days_since(ended);
    (days > world.policy.thresholds.expired_days)
        .then(|| format!("Ended {} ago, on {}.", days_of(days), world.date(ended)))
}

fn revoked_not_deleted(world: &World<'_>, seen: &Seen<'_>) -> Option<String> {
    // When it was revoked is not told; it was not changed after this.
    let changed = seen.key.modified.or_else(|| created_of(seen.key))?;
    let days = world.days_since(changed);
    (seen.status == Status::Revoked && days > world.policy.thresholds.revoked_days)
        .then(|| format!("Not changed for {}.", days_of(days)))
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
