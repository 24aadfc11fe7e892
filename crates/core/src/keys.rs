//! API keys: what they are, and one file for each thing done to them.

pub mod activity;
pub mod audits;
pub mod bulk;
pub mod create;
pub mod delete;
pub mod details;
pub mod edit;
pub mod expiry;
pub mod list;
pub mod name;
pub mod owner;
pub mod renew;
pub mod revoke;
pub mod roll;
pub mod undo;

use self::roll::PairRole;
use crate::{Secret, api::Person, connection::IdentityView, store::RollRecord};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use ts_rs::TS;

/// The uid of a key: opaque, but never anything that could change a URL's path.
///
/// Palette's are 24 hexadecimal digits (fact sheet §3.2 \[INF\]); accepted is
/// `[A-Za-z0-9_-]{1,64}` (trust.md 5.1), everything else is refused at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyUid(String);

impl KeyUid {
    /// The uid, if it is one.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        fits.then(|| Self(text.to_owned()))
    }

    /// The uid as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for KeyUid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<KeyUid> for String {
    fn from(uid: KeyUid) -> Self {
        uid.0
    }
}

impl TryFrom<String> for KeyUid {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text).ok_or("not a key uid")
    }
}

/// A key as Palette describes it. It never holds the value: the deprecated `spec.key` of the wire
/// is not decoded (fact sheet §3.2 \[SPEC\]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// `metadata.uid`.
    pub uid: KeyUid,
    /// `metadata.name`; not unique on the server (fact sheet §3.3 \[INF\]).
    pub name: String,
    /// `metadata.annotations.description` (fact sheet §3.2 \[DOC\]); empty when absent.
    pub description: String,
    /// Every annotation, the description included: a PUT has to send them all back (§3.4).
    pub annotations: BTreeMap<String, String>,
    /// Every label (console tags, §3.2): a PUT has to send them all back.
    pub labels: BTreeMap<String, String>,
    /// `spec.user.uid`: the person the key acts as; empty when the server names none.
    pub owner_uid: String,
    /// First and last name of that person; empty when the server gave none.
    pub owner_name: String,
    /// `annotations.ownerUid`: who made it, which for admin-made keys is not the owner (§3.2).
    pub made_by_uid: Option<String>,
    /// `annotations.permissions`: what the caller may do with this row (§3.2 \[INF\]).
    pub permissions: Vec<String>,
    /// `metadata.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// `metadata.lastModifiedTimestamp`.
    pub modified: Option<Timestamp>,
    /// `metadata.deletionTimestamp`; set while a deletion is in progress (§3.2 \[SPEC\]).
    pub deleted: Option<Timestamp>,
    /// `spec.expiry`; none when absent or year 0001 (§3.2).
    pub expires: Option<Timestamp>,
    /// `status.isActive`; absent means false (§3.2).
    pub active: bool,
}

/// A key to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations.description`.
    pub description: String,
    /// `spec.userUid`; always sent, since an omitted one is undocumented (§3.3 \[UNK\]).
    pub owner_uid: String,
    /// `spec.expiry`; always sent and always in the future (§3.3, client policy).
    pub expires: Timestamp,
    /// Further annotations to send: ours holds the `op_id`, by which a key is recognised after a
    /// lost answer when the server keeps annotations (trust.md 5.3).
    pub annotations: BTreeMap<String, String>,
}

/// The answer to a creation: the only time the value is seen (§3.3 \[DOC\]). No `Debug`.
pub struct CreatedKey {
    /// The key's value.
    pub value: Secret,
    /// `uid` of the answer. The spec calls it "User uid", so it is not trusted until a fresh list
    /// holds it (§3.3).
    pub uid: Option<String>,
}

/// What a PUT changes; annotations and labels of the key are kept beside it (§3.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The name after the change.
    pub name: String,
    /// The description after the change.
    pub description: String,
    /// The expiry after the change; none sends the year 0001, as the server gave it.
    pub expires: Option<Timestamp>,
}

/// Status of a key, exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// It works and will for longer than the lead time.
    Active,
    /// Ends within the lead time.
    Expiring,
    /// Its end has passed, by the server's clock.
    Expired,
    /// Taken out of service, whatever its expiry.
    Revoked,
}

/// What else is true of a key, in the order shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Flag {
    /// The server reports no expiry.
    NeverExpires,
    /// Its owner is not among the people of the tenant.
    OwnerGone,
    /// Its owner may not sign in.
    OwnerInactive,
    /// Its value is in this computer's keychain.
    InKeychain,
    /// The key this app signs in with.
    SignsIn,
    /// Another key takes its place, and it ends soon.
    Rolling,
    /// It takes the place of another key.
    Replaces,
    /// Confirmed by you, not yet by the server.
    Revoking,
}

/// What is known of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum OwnerState {
    /// Among the people, and may sign in.
    Active,
    /// Among the people, but may not sign in.
    Inactive,
    /// Not among the people.
    Gone,
    /// People, or this person's state, could not be read: nothing is claimed.
    Unknown,
}

/// A key as the window sees it. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Names it in every call.
    pub uid: String,
    /// As on the server, whatever characters it has.
    pub name: String,
    /// Empty when there is none.
    pub description: String,
    /// The person it acts as; empty when the server names none.
    pub owner_uid: String,
    /// "Jane Doe"; empty when the server gave no name.
    pub owner_name: String,
    /// None when it is not known.
    pub owner_email: Option<String>,
    /// What is known of the owner.
    pub owner_state: OwnerState,
    /// Who made it, when that is someone else than the owner and known.
    pub made_by: Option<String>,
    /// The caller owns it.
    pub mine: bool,
    /// When it was made; 0 when the server does not say.
    #[ts(type = "number")]
    pub created: i64,
    /// When it was last changed.
    #[ts(type = "number | null")]
    pub modified: Option<i64>,
    /// None: never.
    #[ts(type = "number | null")]
    pub expires: Option<i64>,
    /// By the server's clock.
    pub status: Status,
    /// What else is true, in the order shown.
    pub flags: Vec<Flag>,
    /// What the caller may do with it.
    pub may: May,
    /// The other key of a running roll.
    pub pair: Option<roll::PairView>,
}

/// What the caller may do with a key (`annotations.permissions`; own keys always).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct May {
    /// Edit, renew, revoke and re-activate it.
    pub update: bool,
    /// Delete it.
    pub delete: bool,
}

/// Names one key.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyRequest {
    /// Id of the connection.
    pub connection: String,
    /// uid of the key.
    pub uid: String,
}

/// Do something to one key, once.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyActRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// Id of the connection.
    pub connection: String,
    /// uid of the key.
    pub uid: String,
}

/// What a key is looked at with: everything beside the key itself that its view depends on.
#[derive(Debug, Clone)]
pub struct Lens<'a> {
    /// The server's time.
    pub now: Timestamp,
    /// A key is "Expiring" when it ends within so many days.
    pub lead_days: u32,
    /// The caller.
    pub identity: Option<&'a IdentityView>,
    /// People by uid; none: they may not be read.
    pub people: Option<HashMap<&'a str, &'a Person>>,
    /// When these were read, by the server's clock; none: just now.
    pub people_as_of: Option<Timestamp>,
    /// Keys whose value is in the keychain.
    pub stored: &'a HashSet<String>,
    /// The key that this app signs in with, when known.
    pub signing_uid: Option<&'a str>,
    /// Keys with an open record in the outbox.
    pub revoking: &'a HashSet<String>,
    /// Rolls of this connection that are not over.
    pub rolls: &'a [RollRecord],
}

/// The status of a key: revoked whatever its expiry, else by its end and the server's clock.
pub fn status_of(key: &ApiKey, now: Timestamp, lead_days: u32) -> Status {
    if !key.active {
        return Status::Revoked;
    }
    let Some(ends) = key.expires else { return Status::Active };
    let lead = SignedDuration::from_hours(24 * i64::from(lead_days));
    if ends <= now {
        Status::Expired
    } else if ends.duration_since(now) <= lead {
        Status::Expiring
    } else {
        Status::Active
    }
}

/// What else is true of a key, in the order shown.
pub fn flags_of(key: &ApiKey, owner: OwnerState, lens: &Lens<'_>) -> Vec<Flag> {
    let uid = key.uid.as_str();
    let role = roll::pair_of(key, lens.rolls).map(|pair| pair.role);
    [
        (key.expires.is_none(), Flag::NeverExpires),
        (owner == OwnerState::Gone, Flag::OwnerGone),
        (owner == OwnerState::Inactive, Flag::OwnerInactive),
        (lens.stored.contains(uid), Flag::InKeychain),
        (lens.signing_uid == Some(uid), Flag::SignsIn),
        (role == Some(PairRole::Old), Flag::Rolling),
        (role == Some(PairRole::New), Flag::Replaces),
        (lens.revoking.contains(uid), Flag::Revoking),
    ]
    .into_iter()
    .filter_map(|(is_true, flag)| is_true.then_some(flag))
    .collect()
}

/// The server's clock is known from a date in whole seconds.
const CLOCK_KNOWN_TO: SignedDuration = SignedDuration::from_secs(1);

/// What is known of a key's owner. Without people nothing is claimed, but of the caller, who is
/// signed in (fact sheet §3.6 \[INF\]: an owner who is not in the user list is gone). An owner who is not
/// in a list of people from before the key was made may have come since.
pub fn owner_state_of(key: &ApiKey, lens: &Lens<'_>) -> OwnerState {
    let mine = is_mine(key, lens.identity);
    let Some(people) = &lens.people else {
        return if mine { OwnerState::Active } else { OwnerState::Unknown };
    };
    match people.get(key.owner_uid.as_str()).map(|person| person.active) {
        _ if mine => OwnerState::Active,
        Some(Some(true)) => OwnerState::Active,
        Some(Some(false)) => OwnerState::Inactive,
        Some(None) => OwnerState::Unknown,
        None => {
            let made = created_of(key);
            let read = lens.people_as_of.map(|at| at.checked_add(CLOCK_KNOWN_TO).unwrap_or(at));
            let is_newer = read.is_some_and(|read| made.is_some_and(|at| at > read));
            if is_newer { OwnerState::Unknown } else { OwnerState::Gone }
        }
    }
}

/// A key as the window sees it.
pub fn view_of(key: &ApiKey, lens: &Lens<'_>) -> KeyView {
    let mine = is_mine(key, lens.identity);
    let me = lens.identity.filter(|_| mine);
    let person = |uid: &str| lens.people.as_ref().and_then(|people| people.get(uid).copied());
    let owner = person(&key.owner_uid);
    let owner_state = owner_state_of(key, lens);
    let owner_name = if !key.owner_name.is_empty() {
        key.owner_name.clone()
    } else if let Some(owner) = owner {
        owner.name.clone()
    } else {
        me.map(|me| me.name.clone()).unwrap_or_default()
    };
    let owner_email = owner
        .map(|owner| owner.email.clone())
        .filter(|email| !email.is_empty())
        .or_else(|| me.and_then(|me| me.email.clone()));
    KeyView {
        uid: key.uid.as_str().to_owned(),
        name: key.name.clone(),
        description: key.description.clone(),
        owner_uid: key.owner_uid.clone(),
        owner_name,
        owner_email,
        owner_state,
        made_by: made_by(key, lens),
        mine,
        created: created_of(key).map_or(0, Timestamp::as_millisecond),
        modified: key.modified.map(Timestamp::as_millisecond),
        expires: key.expires.map(Timestamp::as_millisecond),
        status: status_of(key, lens.now, lens.lead_days),
        flags: flags_of(key, owner_state, lens),
        may: May {
            update: mine || key.permissions.iter().any(|may| may == "apiKey.update"),
            delete: mine || key.permissions.iter().any(|may| may == "apiKey.delete"),
        },
        pair: roll::pair_of(key, lens.rolls),
    }
}

/// When a key was made: what the server says, else the second in its uid, which is a Mongo
/// ObjectId (fact sheet §3.2 \[INF\]).
pub fn created_of(key: &ApiKey) -> Option<Timestamp> {
    key.created.or_else(|| {
        let uid = key.uid.as_str();
        let object_id = uid.len() == 24 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
        let second = i64::from_str_radix(uid.get(..8).filter(|_| object_id)?, 16).ok()?;
        Timestamp::from_second(second).ok()
    })
}

fn is_mine(key: &ApiKey, identity: Option<&IdentityView>) -> bool {
    identity.is_some_and(|me| !me.user_uid.is_empty() && me.user_uid == key.owner_uid)
}

/// Who made a key, when that is another person than the owner whose name is known.
fn made_by(key: &ApiKey, lens: &Lens<'_>) -> Option<String> {
    let maker = key.made_by_uid.as_deref().filter(|maker| *maker != key.owner_uid)?;
    let me = lens.identity.filter(|me| me.user_uid == maker).map(|me| me.name.clone());
    let known = || lens.people.as_ref()?.get(maker).map(|person| person.name.clone());
    me.or_else(known).filter(|name| !name.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::connection::Sees;

    /// A roll of `old` that is at this step.
    pub(crate) fn roll(old: &ApiKey, step: crate::store::RollStep) -> RollRecord {
        RollRecord {
            roll: format!("roll of {}", old.uid),
            connection: "c1".into(),
            purpose: roll::RollPurpose::Ordinary,
            mine: true,
            old_is_own: false,
            new_name: format!("{}-new", old.name),
            new_uid: None,
            grace: roll::Grace::Week,
            asked_at: Timestamp::UNIX_EPOCH,
            step,
            target: old.expires,
            other_target: None,
            proved: true,
            credential_before: None,
            signing_before: None,
            swapped: false,
            revocation_asked: false,
            problem: None,
            line: None,
            old: old.clone(),
        }
    }

    /// An active key of `owner` that ends in 2027.
    pub(crate) fn key(uid: &str, owner: &str) -> ApiKey {
        ApiKey {
            uid: KeyUid::new(uid).unwrap(),
            name: format!("key {uid}"),
            description: String::new(),
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            owner_uid: owner.into(),
            owner_name: String::new(),
            made_by_uid: Some(owner.into()),
            permissions: Vec::new(),
            created: Some("2026-09-01T00:00:00Z".parse().unwrap()),
            modified: None,
            deleted: None,
            expires: Some("2027-06-01T00:00:00Z".parse().unwrap()),
            active: true,
        }
    }

    pub(crate) fn identity(uid: &str) -> IdentityView {
        IdentityView {
            user_uid: uid.into(),
            tenant_uid: "t1".into(),
            organization: "acme".into(),
            name: "Jane Doe".into(),
            email: Some("jane@acme.example".into()),
            roles: Vec::new(),
            sees: Sees::EveryKey,
            may_create_for_others: true,
            may_list_people: true,
            may_read_audits: true,
        }
    }

    pub(crate) fn person(uid: &str, active: Option<bool>) -> Person {
        Person {
            uid: uid.into(),
            name: format!("Person {uid}"),
            email: format!("{uid}@acme.example"),
            active,
            last_sign_in: None,
            roles: Vec::new(),
        }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn uids_that_could_change_a_path_are_refused() {
        for good in ["66e844c44bab2337f20c7471", "a", "A-b_9", &"x".repeat(64)] {
            assert_eq!(KeyUid::new(good).map(String::from).as_deref(), Some(good));
        }
        let long = "x".repeat(65);
        for bad in ["", "../x", "a/b", "%2e%2e", "?x", "#", "a\r\nb", "a b", "ä", ".", &long] {
            assert_eq!(KeyUid::new(bad), None, "{bad:?}");
            assert!(serde_json::from_value::<KeyUid>(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn status_is_exactly_one() {
        let now = time("2026-11-23T12:00:00Z");
        let table = [
            (true, Some("2026-12-07T12:00:00.001Z"), Status::Active, "just beyond the lead time"),
            (true, Some("2026-12-07T12:00:00Z"), Status::Expiring, "exactly the lead time"),
            (true, Some("2026-11-23T12:00:00.001Z"), Status::Expiring, "a millisecond left"),
            (true, Some("2026-11-23T12:00:00Z"), Status::Expired, "now"),
            (true, Some("2020-01-01T00:00:00Z"), Status::Expired, "long ago"),
            (true, None, Status::Active, "never"),
            (false, None, Status::Revoked, "revoked, never ending"),
            (false, Some("2020-01-01T00:00:00Z"), Status::Revoked, "revoked wins over expired"),
            (false, Some("2027-01-01T00:00:00Z"), Status::Revoked, "revoked wins over active"),
        ];
        for (active, expires, expected, why) in table {
            let subject = ApiKey { active, expires: expires.map(time), ..key("k", "jane") };
            assert_eq!(status_of(&subject, now, 14), expected, "{why}");
        }
    }

    #[test]
    fn an_owner_is_gone_only_when_people_are_known() {
        let (me, active, off) = (identity("jane"), Some(true), Some(false));
        let known = [person("sam", active), person("kim", off), person("lee", None)];
        let people: HashMap<_, _> = known.iter().map(|p| (p.uid.as_str(), p)).collect();
        let (stored, nothing) = (HashSet::new(), HashSet::new());
        let with = |people| Lens {
            now: time("2026-11-23T12:00:00Z"),
            lead_days: 14,
            identity: Some(&me),
            people,
            people_as_of: None,
            stored: &stored,
            signing_uid: None,
            revoking: &nothing,
            rolls: &[],
        };
        let table = [
            ("sam", OwnerState::Active, OwnerState::Unknown),
            ("kim", OwnerState::Inactive, OwnerState::Unknown),
            ("lee", OwnerState::Unknown, OwnerState::Unknown),
            ("left", OwnerState::Gone, OwnerState::Unknown),
            ("", OwnerState::Gone, OwnerState::Unknown),
            ("jane", OwnerState::Active, OwnerState::Active),
        ];
        for (owner, known, unknown) in table {
            let subject = key("k", owner);
            assert_eq!(owner_state_of(&subject, &with(Some(people.clone()))), known, "{owner}");
            assert_eq!(owner_state_of(&subject, &with(None)), unknown, "{owner}");
        }
        // Of who came after the people were read nothing is known.
        let read = Some(time("2026-11-23T11:00:00Z"));
        let lens = Lens { people_as_of: read, ..with(Some(people)) };
        for (made, expected) in [
            ("2026-11-23T11:00:01Z", OwnerState::Gone),
            ("2026-11-23T11:00:01.001Z", OwnerState::Unknown),
        ] {
            let subject = ApiKey { created: Some(time(made)), ..key("k", "left") };
            assert_eq!(owner_state_of(&subject, &lens), expected, "{made}");
        }
    }

    #[test]
    fn a_view_says_what_is_known_and_no_more() {
        let me = identity("jane");
        let known = [person("sam", Some(false))];
        let stored = HashSet::from(["k1".to_owned()]);
        let revoking = HashSet::from(["k2".to_owned()]);
        let lens = Lens {
            now: time("2026-11-23T12:00:00Z"),
            lead_days: 14,
            identity: Some(&me),
            people: Some(known.iter().map(|p| (p.uid.as_str(), p)).collect()),
            people_as_of: None,
            stored: &stored,
            signing_uid: Some("k1"),
            revoking: &revoking,
            rolls: &[],
        };

        let mine = view_of(&ApiKey { expires: None, ..key("k1", "jane") }, &lens);
        assert!(mine.mine && mine.may.update && mine.may.delete, "own keys always");
        assert_eq!(mine.flags, [Flag::NeverExpires, Flag::InKeychain, Flag::SignsIn]);
        assert_eq!((mine.owner_name.as_str(), mine.made_by), ("Jane Doe", None));

        let theirs = ApiKey {
            owner_name: "Sam Okafor".into(),
            made_by_uid: Some("jane".into()),
            permissions: vec!["apiKey.get".into(), "apiKey.update".into()],
            ..key("k2", "sam")
        };
        let theirs = view_of(&theirs, &lens);
        assert!(theirs.may.update && !theirs.may.delete && !theirs.mine);
        assert_eq!(theirs.owner_email.as_deref(), Some("sam@acme.example"));
        assert_eq!(theirs.made_by.as_deref(), Some("Jane Doe"));
        assert_eq!(theirs.flags, [Flag::OwnerInactive, Flag::Revoking]);

        let nobody = view_of(&key("k3", "left"), &lens);
        assert_eq!((nobody.owner_name.as_str(), nobody.owner_email), ("", None));
        assert_eq!(nobody.flags, [Flag::OwnerGone]);
        assert!(!nobody.may.update && !nobody.may.delete);
    }

    #[test]
    fn without_a_creation_time_the_uid_tells_the_second() {
        let bare = |uid| ApiKey { created: None, ..key(uid, "jane") };
        let made = created_of(&bare("66e844c44bab2337f20c7471"));
        assert_eq!(made, Some(time("2024-09-16T14:46:28Z")), "fact sheet §3.2");
        assert_eq!(created_of(&bare("not-an-object-id")), None);
    }
}
