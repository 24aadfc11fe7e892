//! List: keys joined to people, from the server or from the cache.

use super::{ApiKey, KeyView, create, roll, view_of};
use crate::{
    Failure,
    api::{ApiError, KeyList, PaletteClient, People, Person, RoleRights},
    connection::{
        IdentityView,
        identity::{self, with_evidence},
        live::Live,
        signing,
    },
    once::lock,
    ports::Ports,
    review,
    store::CachedList,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use ts_rs::TS;

/// Who the caller is, people and the limit change rarely: they are read again after this time,
const ABOUT_LASTS: SignedDuration = SignedDuration::from_mins(1);
/// and after this one where they are more than [`FEW`], because reading them may take many requests.
const ABOUT_OF_MANY_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// So many people are read in ten requests at most.
const FEW: usize = 500;

/// Read the keys of a connection.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ListRequest {
    /// Id of the connection.
    pub connection: String,
    /// False: what is remembered (memory, else disk), at once. True: ask the server.
    pub refresh: bool,
    /// `snapshot` of the list that the window has: the answer then holds only what differs from it.
    #[serde(default)]
    #[ts(optional, type = "number")]
    pub have: Option<u64>,
}

/// The keys of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeyListView {
    /// Id of the connection.
    pub connection: String,
    /// Every key the caller sees, in the server's order; with `since`, only those that are new or
    /// differ.
    pub keys: Vec<KeyView>,
    /// Names what the window has when it has taken this.
    #[ts(type = "number")]
    pub snapshot: u64,
    /// The snapshot that `keys` and `gone` are to be put into; none: `keys` are all there are.
    #[ts(type = "number | null")]
    pub since: Option<u64>,
    /// uids of keys of that snapshot that are there no more.
    pub gone: Vec<String>,
    /// Keys that the server gave as well and that could not be understood: nobody knows what they
    /// are, and what is not in the list may be one of them.
    pub skipped: u32,
    /// People a key may be made for; empty when they may not be read.
    pub people: Vec<PersonView>,
    /// When the server last answered (this computer's clock, ms since 1970); none: never.
    #[ts(type = "number | null")]
    pub as_of: Option<i64>,
    /// The last refresh failed: `keys` are the ones of `as_of`.
    pub problem: Option<crate::Failure>,
    /// Server clock minus this computer's, in ms.
    #[ts(type = "number")]
    pub clock_offset: i64,
    /// Keys a user may have; none: the limit is not known.
    pub quota: Option<u32>,
    /// Keys of the caller.
    pub own_keys: u32,
    /// The caller; none: not known yet.
    pub own_user_uid: Option<String>,
    /// The state this shows; a "keys-changed" event with a higher number says that it is old.
    #[ts(type = "number")]
    pub revision: u64,
    /// Creations whose answer was lost and that a person has not settled yet.
    pub lost_creations: Vec<super::create::LostCreationView>,
    /// Rolls that are not over.
    pub rolls: Vec<super::roll::RollView>,
}

/// A person a key may be made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PersonView {
    /// Names the person in a creation.
    pub uid: String,
    /// First and last name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Keys this person has, revoked and expired ones included.
    pub keys: u32,
}

/// What one reading of a connection gave.
#[derive(Clone)]
pub(crate) struct Listed {
    /// When, by this computer's clock.
    pub(crate) as_of: Timestamp,
    /// None when only the identity could be read.
    pub(crate) keys: Option<Vec<ApiKey>>,
    /// Keys that could not be understood.
    pub(crate) skipped: usize,
    pub(crate) identity: IdentityView,
    pub(crate) people: Option<Vec<Person>>,
    /// When they were read, by the server's clock.
    pub(crate) people_as_of: Option<Timestamp>,
    pub(crate) roles: Option<Vec<RoleRights>>,
    pub(crate) quota: Option<u32>,
    pub(crate) clock_offset_ms: i64,
    /// Why the keys could not be read.
    pub(crate) problem: Option<Failure>,
    /// Identity, people and quota are as fresh as the keys.
    pub(crate) about_read: bool,
}

impl Listed {
    pub(crate) fn into_list(self) -> Option<CachedList> {
        Some(CachedList {
            as_of: self.as_of,
            keys: self.keys?,
            skipped: self.skipped,
            people: self.people,
            people_as_of: self.people_as_of,
            roles: self.roles,
            identity: self.identity,
            quota: self.quota,
            clock_offset_ms: self.clock_offset_ms,
        })
    }
}

/// What changes rarely.
pub(crate) struct About {
    identity: IdentityView,
    people: Known,
    quota: Option<u32>,
    /// People could not be read just now: they are as they were known before.
    people_failed: bool,
}

/// The people of a tenant, what their roles allow, and when that was read.
#[derive(Default)]
struct Known {
    people: Option<Vec<Person>>,
    roles: Option<Vec<RoleRights>>,
    as_of: Option<Timestamp>,
}

impl Known {
    fn of(list: &CachedList) -> Self {
        Self { people: list.people.clone(), roles: list.roles.clone(), as_of: list.people_as_of() }
    }
}

/// Reads who the caller is, the people and the limit. What may not be read is none; what could not
/// be read just now stays as it is known.
async fn read_about(client: &PaletteClient, known: Option<&CachedList>) -> Result<About, ApiError> {
    let who = identity::identify_with_rights(client).await?;
    // Who comes after this moment may not be among the people.
    let asked = client.server_now();
    let people = async {
        if who.rights_known && !who.view.may_list_people {
            return Ok(Known::default());
        }
        match client.people().await {
            Ok(People::Known(people)) => {
                let mut uids: Vec<String> =
                    people.iter().flat_map(|p| &p.roles).map(|role| role.uid.clone()).collect();
                uids.sort();
                uids.dedup();
                // One page for most tenants; not knowing what a role allows costs a sentence.
                let roles = client.role_rights(&uids).await.unwrap_or_default();
                Ok(Known { people: Some(people), roles, as_of: Some(asked) })
            }
            Ok(People::Unreadable) => Ok(Known::default()),
            Err(error) => Err(error),
        }
    };
    let quota = async {
        let limit = client.key_limit(&who.view.tenant_uid).await;
        limit.unwrap_or_else(|_| known.and_then(|list| list.quota))
    };
    let (people, quota) = tokio::join!(people, quota);
    let people_failed = people.is_err();
    let people = people.unwrap_or_else(|_| known.map(Known::of).unwrap_or_default());
    Ok(About { identity: who.view, people, quota, people_failed })
}

/// Reads a connection for the first time: who the caller is must be readable, the keys may fail.
pub(crate) async fn read_first(
    client: &PaletteClient,
    now: impl Fn() -> Timestamp,
) -> Result<Listed, ApiError> {
    let about = read_about(client, None).await?;
    let listed = client.read_keys().await;
    let problem = listed.as_ref().err().map(|error| error.failure());
    let (keys, skipped) = listed.ok().map(|list| (list.keys, list.skipped)).unzip();
    Ok(Listed {
        as_of: now(),
        identity: with_evidence(
            about.identity,
            keys.as_deref().unwrap_or_default(),
            about.people.people.as_deref(),
        ),
        keys,
        skipped: skipped.unwrap_or_default(),
        people: about.people.people,
        people_as_of: about.people.as_of,
        roles: about.people.roles,
        quota: about.quota,
        clock_offset_ms: client.clock_offset_ms(),
        problem,
        about_read: !about.people_failed,
    })
}

/// Asks the server; a second call meanwhile joins the first. A failure leaves the list as it was
/// and is shown beside it.
pub(crate) async fn refresh(ports: &Arc<Ports>, live: &Arc<Live>) -> Result<(), Failure> {
    let (task_ports, task_live) = (Arc::clone(ports), Arc::clone(live));
    let refreshed = live.refreshing.run(&ports.tasks, "refresh", || async move {
        let client = task_live.client(&task_ports);
        let refreshed = read_again(&task_ports, &task_live).await;
        if let Err(failure) = &refreshed {
            task_live.refresh_failed(client.as_ref().ok(), failure);
        }
        roll::tend(&task_ports, &task_live);
        refreshed
    });
    refreshed.await.unwrap_or_else(|| Err(crate::ports::internal("The list was not read.")))
}

/// Like [`refresh`], and people are read again as well, however short ago they were.
pub(crate) async fn refresh_with_people(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
) -> Result<(), Failure> {
    live.forget_about();
    refresh(ports, live).await?;
    // It may have joined one that had begun before.
    if live.forgot_about() { refresh(ports, live).await } else { Ok(()) }
}

async fn read_again(ports: &Arc<Ports>, live: &Arc<Live>) -> Result<(), Failure> {
    let client = live.signed_in(ports).await?;
    let known = live.known(ports);
    let since = live.step();
    let people = known.as_ref().and_then(|list| list.people.as_ref()).map_or(0, Vec::len);
    let lasts = if people > FEW { ABOUT_OF_MANY_LASTS } else { ABOUT_LASTS };
    let due = live.about_at().is_none_or(|at| ports.now().duration_since(at).abs() >= lasts);
    let about = async {
        match due {
            true => Some(read_about(&client, known.as_deref()).await),
            false => None,
        }
    };
    let (keys, about) = tokio::join!(client.read_keys(), about);
    live.heard(ports, &client, &keys);
    let KeyList { keys, skipped } = keys.map_err(|error| error.failure())?;
    let about_read = matches!(&about, Some(Ok(about)) if !about.people_failed);
    let about = match (about, &known, live.identity()) {
        (Some(Ok(about)), ..) => about,
        (_, Some(list), identity) => About {
            identity: identity.unwrap_or_else(|| list.identity.clone()),
            people: Known::of(list),
            quota: list.quota,
            people_failed: true,
        },
        (_, None, Some(identity)) => {
            About { identity, people: Known::default(), quota: None, people_failed: true }
        }
        (Some(Err(error)), None, None) => {
            live.heard::<()>(ports, &client, &Err(error.clone()));
            return Err(error.failure());
        }
        (None, None, None) => {
            return Err(crate::ports::internal("Nothing is known of the caller."));
        }
    };
    let identity = with_evidence(about.identity, &keys, about.people.people.as_deref());
    ports.read_policy();
    let changed = live.replace(
        ports,
        since,
        Listed {
            as_of: ports.now(),
            keys: Some(keys),
            skipped,
            identity,
            people: about.people.people,
            people_as_of: about.people.as_of,
            roles: about.people.roles,
            quota: about.quota,
            clock_offset_ms: client.clock_offset_ms(),
            problem: None,
            about_read,
        },
    );
    signing::learn(ports, live, skipped == 0);
    review::name_soon(ports, live, changed);
    Ok(())
}

/// The keys of a connection: what is remembered at once, or asked for anew.
pub(crate) async fn list(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    request: &ListRequest,
) -> KeyListView {
    if request.refresh {
        // A failure is in the view, beside the keys of the last time.
        let _ = refresh(ports, live).await;
    }
    view(ports, live, request.have)
}

/// What the window was last given of a list. It holds no key, only what tells whether one differs:
/// a window with thousands of keys is told of the few that do, and need not read all of them again.
#[derive(Default)]
pub(crate) struct Given {
    snapshot: u64,
    state: RandomState,
    keys: HashMap<String, u64>,
}

/// One count for all connections, so that one that was removed and made anew goes on.
static SNAPSHOTS: AtomicU64 = AtomicU64::new(1);

impl Given {
    /// What to give of these keys to a window that has the snapshot `have`: the keys to send, the
    /// snapshot they go into, and what is gone from it.
    fn next(
        &mut self,
        have: Option<u64>,
        keys: Vec<KeyView>,
    ) -> (Vec<KeyView>, Option<u64>, Vec<String>) {
        let since = have.filter(|have| *have == self.snapshot && self.snapshot > 0);
        let mut now = HashMap::with_capacity(keys.len());
        let mut sent = keys;
        sent.retain(|key| {
            let mark = self.state.hash_one(key);
            now.insert(key.uid.clone(), mark);
            since.is_none() || self.keys.get(&key.uid) != Some(&mark)
        });
        let gone = match since {
            Some(_) => self.keys.keys().filter(|uid| !now.contains_key(*uid)).cloned().collect(),
            None => Vec::new(),
        };
        self.keys = now;
        self.snapshot = SNAPSHOTS.fetch_add(1, Ordering::Relaxed);
        (sent, since, gone)
    }
}

/// The known list as the window sees it, or what of it differs from what the window has.
pub(crate) fn view(ports: &Ports, live: &Live, have: Option<u64>) -> KeyListView {
    // Read first: what changes meanwhile makes this view old, not wrong.
    let revision = ports.revision(&live.id());
    let lost_creations = create::lost_creations(ports, live);
    let rolls = roll::views(ports, live);
    let list = live.known(ports);
    live.look(ports, |lens| {
        let keys = list.as_ref().map(|list| &*list.keys).unwrap_or_default();
        let own = lens.identity.map(|me| &*me.user_uid);
        let views = keys.iter().map(|key| view_of(key, lens)).collect();
        let mut given = lock(&live.given);
        let (sent, since, gone) = given.next(have, views);
        KeyListView {
            connection: live.id(),
            keys: sent,
            snapshot: given.snapshot,
            since,
            gone,
            skipped: list
                .as_ref()
                .map_or(0, |list| u32::try_from(list.skipped).unwrap_or(u32::MAX)),
            people: people(list.as_deref(), lens.identity),
            as_of: list.as_ref().map(|list| list.as_of.as_millisecond()),
            problem: live.list_problem(),
            clock_offset: live.offset_ms(),
            quota: list.as_ref().and_then(|list| list.quota),
            own_keys: keys_of(own, keys),
            own_user_uid: own.map(str::to_owned),
            revision,
            lost_creations,
            rolls,
        }
    })
}

/// How many keys a person has; revoked and expired ones count (fact sheet §3.6 \[UNK\]).
pub(crate) fn keys_of(owner: Option<&str>, keys: &[ApiKey]) -> u32 {
    let count = keys.iter().filter(|key| Some(&*key.owner_uid) == owner).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// People a key may be made for, by name: nobody unless the caller may make keys for others, and
/// nobody who may not sign in.
fn people(list: Option<&CachedList>, me: Option<&IdentityView>) -> Vec<PersonView> {
    let (Some(list), true) = (list, me.is_some_and(|me| me.may_create_for_others)) else {
        return Vec::new();
    };
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for key in &list.keys {
        *counts.entry(&key.owner_uid).or_default() += 1;
    }
    let mut people: Vec<PersonView> = list
        .people
        .iter()
        .flatten()
        .filter(|person| person.active != Some(false))
        .map(|person| PersonView {
            uid: person.uid.clone(),
            name: person.name.clone(),
            email: person.email.clone(),
            keys: counts.get(&*person.uid).copied().unwrap_or_default(),
        })
        .collect();
    people.sort_by_cached_key(|person| (person.name.to_lowercase(), person.email.clone()));
    people
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{OwnerState, Status};

    fn view(uid: &str, name: &str) -> KeyView {
        KeyView {
            pair: None,
            uid: uid.into(),
            name: name.into(),
            description: String::new(),
            owner_uid: "jane".into(),
            owner_name: "Jane Doe".into(),
            owner_email: None,
            owner_state: OwnerState::Active,
            made_by: None,
            mine: true,
            created: 1,
            modified: None,
            expires: None,
            status: Status::Active,
            flags: Vec::new(),
            may: crate::keys::May { update: true, delete: true },
        }
    }

    fn uids(keys: &[KeyView]) -> Vec<&str> {
        keys.iter().map(|key| &*key.uid).collect()
    }

    #[test]
    fn a_window_is_told_only_what_differs_from_what_it_has() {
        let mut given = Given::default();
        let (sent, since, _) = given.next(None, vec![view("a", "a"), view("b", "b")]);
        assert_eq!((uids(&sent), since), (vec!["a", "b"], None));
        let first = given.snapshot;

        let revoked = KeyView { status: Status::Revoked, ..view("b", "b") };
        let (sent, since, gone) = given.next(Some(first), vec![revoked.clone(), view("c", "c")]);
        assert_eq!((uids(&sent), since), (vec!["b", "c"], Some(first)));
        assert_eq!(gone, ["a"]);
        let second = given.snapshot;
        assert_ne!(first, second);

        let same = || vec![revoked.clone(), view("c", "c")];
        let (sent, since, gone) = given.next(Some(second), same());
        assert_eq!((sent.len(), since, gone.len()), (0, Some(second), 0));
        // Whoever has anything else gets everything.
        for have in [None, Some(first), Some(0), Some(u64::MAX)] {
            let (sent, since, gone) = given.next(have, same());
            assert_eq!((uids(&sent), since, gone.len()), (vec!["b", "c"], None, 0), "{have:?}");
        }
    }

    #[test]
    fn nobody_has_what_was_never_given() {
        let (sent, since, _) = Given::default().next(Some(0), vec![view("a", "a")]);
        assert_eq!((sent.len(), since), (1, None));
    }
}
