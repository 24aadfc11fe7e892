//! Who a credential acts as, and what that person may see and do.
//!
//! Palette has no "is admin" flag (fact sheet §2.5): the answer is put together from permissions in
//! the tenant, where the hidden `users/me` or the roles tell them, and from what the lists show.

use super::{IdentityView, Sees};
use crate::{
    api::{ApiError, Me, PaletteClient, Person, RoleName, WhoAmI},
    keys::ApiKey,
};

/// An identity, and whether the caller's permissions are known or only guessed from the lists.
pub(crate) struct Identified {
    pub(crate) view: IdentityView,
    pub(crate) rights_known: bool,
}

/// Asks who the credential acts as. Only `users/info` must answer; what else is missing is filled
/// from the next best source.
pub(crate) async fn identify_with_rights(client: &PaletteClient) -> Result<Identified, ApiError> {
    let who = client.who_am_i().await?;
    let (me, roles) = tokio::join!(client.me(), client.roles_of(&who.user_uid));
    let me = me.ok().flatten();
    let roles = roles.ok().flatten();
    let person = match &me {
        Some(_) => None,
        None => client.user(&who.user_uid).await.ok().flatten(),
    };
    let permissions = match (&me, &roles) {
        (Some(me), _) => Some(me.tenant_permissions.clone()),
        (None, Some(roles)) => {
            let uids: Vec<String> = roles.iter().map(|role| role.uid.clone()).collect();
            client.role_permissions(&uids).await.ok().flatten()
        }
        (None, None) => None,
    };
    Ok(Identified {
        rights_known: permissions.is_some(),
        view: identity_of(
            &who,
            me.as_ref(),
            person.as_ref(),
            roles.as_deref().unwrap_or_default(),
            permissions.as_deref().unwrap_or_default(),
        ),
    })
}

/// As [`identify_with_rights`], without saying where the rights come from.
pub(crate) async fn identify(client: &PaletteClient) -> Result<IdentityView, ApiError> {
    identify_with_rights(client).await.map(|identified| identified.view)
}

/// Puts together what is known of the caller.
fn identity_of(
    who: &WhoAmI,
    me: Option<&Me>,
    person: Option<&Person>,
    roles: &[RoleName],
    permissions: &[String],
) -> IdentityView {
    let email = me
        .map(|me| me.email.clone())
        .or_else(|| person.map(|person| person.email.clone()))
        .filter(|email| !email.is_empty());
    let name = me
        .map(|me| format!("{} {}", me.first_name, me.last_name).trim().to_owned())
        .or_else(|| person.map(|person| person.name.clone()))
        .filter(|name| !name.is_empty());
    let may = |permission: &str| permissions.iter().any(|known| known == permission);
    let sees = if may("apiKey.list") { Sees::EveryKey } else { Sees::OwnKeys };
    IdentityView {
        user_uid: who.user_uid.clone(),
        tenant_uid: who.tenant_uid.clone(),
        organization: who.organization.clone(),
        name: name.or_else(|| email.clone()).unwrap_or_else(|| who.user_uid.clone()),
        email,
        roles: roles.iter().map(|role| role.name.clone()).filter(|name| !name.is_empty()).collect(),
        sees,
        // Only who sees the tenant's keys may make keys for others (fact sheet §2.5, §3.6).
        may_create_for_others: sees == Sees::EveryKey && may("apiKey.create"),
        may_list_people: may("user.list"),
        may_read_audits: may("audit.list"),
    }
}

/// Adds what the lists show: whoever is shown keys of others sees every key, and what the caller
/// may do with those rows is what the caller may do (fact sheet §3.2 \[INF\]).
pub(crate) fn with_evidence(
    mut identity: IdentityView,
    keys: &[ApiKey],
    people: Option<&[Person]>,
) -> IdentityView {
    let mut of_others = keys.iter().filter(|key| key.owner_uid != identity.user_uid).peekable();
    if of_others.peek().is_some() {
        identity.sees = Sees::EveryKey;
        let creates = |key: &ApiKey| key.permissions.iter().any(|may| may == "apiKey.create");
        identity.may_create_for_others |= of_others.any(creates);
    }
    identity.may_list_people |= people.is_some();
    if let Some(me) =
        people.unwrap_or_default().iter().find(|person| person.uid == identity.user_uid)
    {
        if identity.name == identity.user_uid && !me.name.is_empty() {
            identity.name = me.name.clone();
        }
        if identity.email.is_none() && !me.email.is_empty() {
            identity.email = Some(me.email.clone());
        }
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::{key, person};

    fn who() -> WhoAmI {
        WhoAmI { user_uid: "jane".into(), tenant_uid: "t1".into(), organization: "acme".into() }
    }

    fn me(first: &str, last: &str, email: &str) -> Me {
        Me {
            first_name: first.into(),
            last_name: last.into(),
            email: email.into(),
            roles: Vec::new(),
            tenant_permissions: Vec::new(),
        }
    }

    fn with(permissions: &[&str]) -> IdentityView {
        let permissions: Vec<String> = permissions.iter().map(|may| (*may).to_owned()).collect();
        identity_of(&who(), None, None, &[], &permissions)
    }

    #[test]
    fn the_name_comes_from_the_best_source_there_is() {
        let name = |me: Option<Me>, person: Option<Person>| {
            identity_of(&who(), me.as_ref(), person.as_ref(), &[], &[]).name
        };
        assert_eq!(name(Some(me("Jane", "Doe", "j@x")), None), "Jane Doe");
        assert_eq!(name(Some(me("", "Doe", "j@x")), None), "Doe");
        assert_eq!(name(Some(me("", "", "j@x")), None), "j@x");
        assert_eq!(name(None, Some(person("jane", None))), "Person jane");
        assert_eq!(name(None, None), "jane");
    }

    #[test]
    fn rights_follow_permissions_and_own_key_users_never_make_keys_for_others() {
        let table: [(&[&str], Sees, bool); 5] = [
            (&[], Sees::OwnKeys, false),
            (&["apiKey.create"], Sees::OwnKeys, false),
            (&["apiKey.list"], Sees::EveryKey, false),
            (&["apiKey.list", "apiKey.create"], Sees::EveryKey, true),
            (&["apiKey.listed"], Sees::OwnKeys, false),
        ];
        for (permissions, sees, creates) in table {
            let identity = with(permissions);
            assert_eq!((identity.sees, identity.may_create_for_others), (sees, creates));
        }
        assert!(with(&["user.list"]).may_list_people);
        assert!(with(&["audit.list"]).may_read_audits);
    }

    #[test]
    fn lists_are_evidence_where_permissions_are_not_known() {
        let all = vec!["apiKey.create".to_owned(), "apiKey.list".to_owned()];
        let own = ApiKey { permissions: all.clone(), ..key("k1", "jane") };
        let other = ApiKey { permissions: all, ..key("k2", "sam") };
        let bare = key("k3", "sam");

        let seen = with_evidence(with(&[]), std::slice::from_ref(&own), None);
        assert_eq!((seen.sees, seen.may_create_for_others), (Sees::OwnKeys, false), "own keys");
        let seen = with_evidence(with(&[]), &[own.clone(), bare], None);
        assert_eq!((seen.sees, seen.may_create_for_others), (Sees::EveryKey, false));
        let seen = with_evidence(with(&[]), &[own, other], Some(&[person("jane", Some(true))]));
        assert_eq!((seen.sees, seen.may_create_for_others), (Sees::EveryKey, true));
        assert!(seen.may_list_people);
        assert_eq!(
            (seen.name.as_str(), seen.email.as_deref()),
            ("Person jane", Some("jane@acme.example"))
        );
    }
}
