//! Owners: what is known of the person a key acts as.
//!
//! A key has exactly its owner's rights (fact sheet §2.5 \[DOC\]), so the owner's roles say what
//! whoever holds the value can do.

use crate::{api::Person, api::RoleRights, store::CachedList};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The person a key acts as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OwnerView {
    /// First and last name.
    pub name: String,
    /// E-mail address; may be empty.
    pub email: String,
    /// May sign in; none: not known.
    pub active: Option<bool>,
    /// When the person last signed in, ms since 1970; none: never, or not known. Whether using a
    /// key moves it is not documented (fact sheet §4 \[UNK\]): it says nothing about the key.
    #[ts(type = "number | null")]
    pub last_sign_in: Option<i64>,
    /// Own roles; those from teams are not in the lists.
    pub roles: Vec<OwnerRoleView>,
}

/// A role, and what it allows with keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct OwnerRoleView {
    /// "Tenant Admin"
    pub name: String,
    /// "may create, edit, revoke and delete every key"; none: roles may not be read.
    pub allows: Option<String>,
}

/// The owner with this uid, where people could be read.
pub(crate) fn of(list: &CachedList, uid: &str) -> Option<OwnerView> {
    let person = list.people.as_ref()?.iter().find(|person| person.uid == uid)?;
    Some(OwnerView {
        name: person.name.clone(),
        email: person.email.clone(),
        active: person.active,
        last_sign_in: person.last_sign_in.map(jiff::Timestamp::as_millisecond),
        roles: roles_of(person, list.roles.as_deref()),
    })
}

fn roles_of(person: &Person, known: Option<&[RoleRights]>) -> Vec<OwnerRoleView> {
    let roles = person.roles.iter().map(|role| {
        let rights = known.and_then(|roles| roles.iter().find(|each| each.uid == role.uid));
        let name = Some(&role.name).filter(|name| !name.is_empty());
        let name = name.or_else(|| rights.map(|rights| &rights.name));
        OwnerRoleView {
            name: name.filter(|name| !name.is_empty()).unwrap_or(&role.uid).clone(),
            allows: rights.map(|rights| allows(&rights.permissions)),
        }
    });
    roles.collect()
}

/// What permissions allow with keys: "may create, edit, revoke and delete every key".
pub fn allows(permissions: &[String]) -> String {
    let may = |permission: &str| permissions.iter().any(|known| known == permission);
    let mut verbs = Vec::new();
    if may("apiKey.create") {
        verbs.push("create");
    }
    if may("apiKey.update") {
        verbs.extend(["edit", "revoke"]);
    }
    if may("apiKey.delete") {
        verbs.push("delete");
    }
    match verbs.split_last() {
        Some((last, [])) => format!("may {last} every key"),
        Some((last, rest)) => format!("may {} and {last} every key", rest.join(", ")),
        None if may("apiKey.list") => "may see every key".to_owned(),
        None => "has only own keys".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_role_allows_is_said_in_words() {
        let table = [
            (
                "apiKey.create apiKey.list apiKey.update apiKey.delete",
                "may create, edit, revoke and delete every key",
            ),
            ("apiKey.list apiKey.delete", "may delete every key"),
            ("apiKey.update", "may edit and revoke every key"),
            ("apiKey.get apiKey.list audit.list", "may see every key"),
            ("cluster.get", "has only own keys"),
        ];
        for (permissions, words) in table {
            let permissions: Vec<String> = permissions.split(' ').map(str::to_owned).collect();
            assert_eq!(allows(&permissions), words);
        }
    }
}
