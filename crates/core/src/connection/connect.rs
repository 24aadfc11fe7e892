//! Connect: understand the address, sign in, find out who that is, keep the credential, write the
//! connection down. In that order, so that a failure leaves nothing half saved.

use super::{
    AddressView, ConnectRequest, ConnectView, IdentityView, SignIn, SignInMethod, live::Live,
    signing,
};
use crate::{
    ErrorCode, Failure, Secret,
    api::{ClientSettings, Credential, Origin, PaletteClient},
    keychain::{EntryName, credential_label},
    keys::{
        activity::Act,
        list::{Listed, read_first},
        name::checked_name,
    },
    palette_keys::{Change, Connections},
    ports::{Deed, Ports},
    store::ConnectionRecord,
};
use std::{collections::HashMap, sync::Arc};

/// A key is at least so long; shorter ones are a slip of the hand (fact sheet §3.3 \[INF\]).
const SHORTEST_KEY: usize = 16;

/// Why no connection was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// What was pasted is no key.
    #[error(
        "This does not look like an API key: keys have at least 16 characters and no spaces. Copy \
         it again."
    )]
    KeyMalformed,
    /// Something below failed; nothing was saved.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::KeyMalformed => Failure::new(ErrorCode::KeyMalformed, error.to_string()),
            ConnectError::Failed(failure) => failure,
        }
    }
}

/// What a typed address is understood as.
pub(crate) fn parse_address(address: &str) -> Result<AddressView, Failure> {
    let (origin, adjusted) = Origin::parse(address).map_err(|error| error.failure())?;
    Ok(AddressView { origin: origin.as_str().to_owned(), host: origin.host().to_owned(), adjusted })
}

/// A credential that the server accepted.
pub(crate) struct Entered {
    pub(crate) client: PaletteClient,
    pub(crate) listed: Listed,
    pub(crate) method: SignInMethod,
    /// The API key, to be kept; none for a password session, of which nothing is.
    pub(crate) key: Option<Secret>,
    /// The e-mail address typed.
    typed_email: Option<String>,
}

impl Entered {
    pub(crate) fn identity(&self) -> &IdentityView {
        &self.listed.identity
    }

    pub(crate) fn email(&self) -> Option<String> {
        self.identity().email.clone().or_else(|| self.typed_email.clone())
    }
}

/// Signs in and asks who that is. The client keeps the credential only if the server accepts it.
pub(crate) async fn enter(
    ports: &Ports,
    client: PaletteClient,
    sign_in: &SignIn,
) -> Result<Entered, ConnectError> {
    let (method, key, typed_email) = match sign_in {
        SignIn::ApiKey { api_key } => {
            let key = bare_key(api_key)?;
            client.sign_in(Credential::ApiKey(key.clone()));
            (SignInMethod::ApiKey, Some(key), None)
        }
        SignIn::Password { email, organization, password } => {
            let (email, organization) = (email.trim(), organization.trim());
            client
                .authenticate(email, organization, password)
                .await
                .map_err(|error| error.failure())?;
            (SignInMethod::Password, None, Some(email.to_owned()).filter(|text| !text.is_empty()))
        }
    };
    match read_first(&client, || ports.now()).await {
        Ok(listed) => Ok(Entered { client, listed, method, key, typed_email }),
        Err(error) => {
            client.sign_out();
            Err(error.failure().into())
        }
    }
}

/// A pasted key without the line break or spaces around it.
pub(crate) fn bare_key(pasted: &Secret) -> Result<Secret, ConnectError> {
    // EXPOSE: trimmed and looked at for characters that no key has; it becomes a Secret again
    let text = pasted.expose_secret().trim();
    if text.len() < SHORTEST_KEY || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ConnectError::KeyMalformed);
    }
    Ok(Secret::new(text.to_owned()))
}

/// Makes a connection. Signing in to the same host as the same person again replaces the credential
/// of the connection that is there, since two for the same would only be told apart by accident.
pub(crate) async fn connect(
    ports: &Arc<Ports>,
    connections: &Connections,
    request: &ConnectRequest,
) -> Result<ConnectView, ConnectError> {
    let (origin, _) = Origin::parse(&request.address).map_err(|error| error.failure())?;
    let name = match request.name.trim() {
        "" => None,
        name => Some(checked_name(name).map_err(Failure::from)?),
    };
    let settings = ClientSettings {
        origin: origin.clone(),
        ca_certificate: request.ca_certificate.clone().filter(|pem| !pem.trim().is_empty()),
        proxy: request.proxy.clone(),
    };
    let client = ports.client(settings)?;
    let steps: HashMap<String, u64> =
        connections.all().iter().map(|live| (live.id(), live.step())).collect();
    let entered = enter(ports, client, &request.sign_in).await?;

    let _turn = connections.changing.lock().await;
    let same = connections.all().into_iter().find(|live| is_same(ports, live, &origin, &entered));
    let identity = entered.identity().clone();
    let before = same.as_ref().map(|live| live.record());
    let known = same.map(|live| {
        // One that was made just now has only lists that are newer.
        let since = steps.get(&live.id()).copied().unwrap_or_default();
        (live, since)
    });
    let mut record = ConnectionRecord {
        id: before
            .as_ref()
            .map_or_else(|| uuid::Uuid::new_v4().to_string(), |record| record.id.clone()),
        name: identity.organization.clone(),
        colour: request.colour,
        origin: origin.as_str().to_owned(),
        method: entered.method,
        email: entered.email(),
        organization: Some(identity.organization.clone()).filter(|name| !name.is_empty()),
        ca_certificate: request.ca_certificate.clone().filter(|pem| !pem.trim().is_empty()),
        proxy: request.proxy.clone(),
        demo: false,
        in_memory_only: request.in_memory_only && entered.method == SignInMethod::ApiKey,
        signing_key_uid: None,
        credential_key: None,
        sign_in: Default::default(),
        position: connections.next_position(),
    };
    if record.name.trim().is_empty() {
        record.name = origin.host().to_owned();
    }
    if let Some(before) = &before {
        record.name.clone_from(&before.name);
        record.position = before.position;
    }
    if let Some(name) = name {
        record.name = name;
    }
    let live = keep(ports, connections, record, known, entered, Act::Connect).await?;
    connections.activate(ports, &live)?;
    ports.tell(Change::Connections);
    Ok(ConnectView { connection: live.view(), keychain: ports.keychain.view().await })
}

/// The same host and the same person of the same tenant.
fn is_same(ports: &Ports, live: &Live, origin: &Origin, entered: &Entered) -> bool {
    let (record, me) = (live.record(), entered.identity());
    if record.demo || record.origin != origin.as_str() {
        return false;
    }
    live.known(ports);
    match live.identity() {
        Some(known) => known.user_uid == me.user_uid && known.tenant_uid == me.tenant_uid,
        // Never listed yet: the address and organization it was made with.
        None => {
            record.email.is_some()
                && record.email == entered.email()
                && record.organization.as_deref() == Some(&*me.organization)
        }
    }
}

/// A connection that is there, to be signed in to again, and the step at which its list was asked for.
pub(crate) type Known = (Arc<Live>, u64);

/// Keeps a credential that works: secret first, record second, and the secret is taken back when
/// the record cannot be written. A connection that is `known` stays the same one for whatever is
/// under way on it. Whoever calls this holds [`Connections::changing`].
pub(crate) async fn keep(
    ports: &Arc<Ports>,
    connections: &Connections,
    record: ConnectionRecord,
    known: Option<Known>,
    entered: Entered,
    act: Act,
) -> Result<Arc<Live>, Failure> {
    let listed_keys = entered.listed.keys.is_some();
    let Entered { client, listed, key, .. } = entered;
    let was_stored = known.as_ref().is_some_and(|(live, _)| is_stored(&live.record()));
    let (live, since) = known.unwrap_or_else(|| (Arc::new(Live::remembered(record.clone())), 0));
    let who = format!("Signed in as {}", listed.identity.name);
    let asked = ports.ask(&live, &Deed::of_connection(act, &who))?;
    let entry = EntryName::credential(&*record.id);
    let kept = async {
        match (key, is_stored(&record)) {
            (Some(key), true) => {
                let label = credential_label(&record.name);
                ports.keychain.write(entry.clone(), label, key).await.map_err(|e| e.failure())?;
            }
            // The older credential is of no use any more. It is never read again, so a keychain
            // that cannot remove it now must not keep the person out.
            _ if was_stored => {
                let _ = ports.keychain.remove(entry.clone()).await;
            }
            _ => {}
        }
        let written = live.remember(ports, |known| {
            let notes = std::mem::take(&mut known.sign_in);
            *known = record;
            // Which key signs in is found out anew from the list, or asked for again.
            known.sign_in.keeps_password = notes.keeps_password;
            known.sign_in.making = notes.making;
        });
        if written.is_err() && !was_stored {
            let _ = ports.keychain.remove(entry).await;
        }
        written
    };
    if let Err(failure) = kept.await {
        client.sign_out();
        asked.failed(&failure);
        return Err(failure);
    }
    asked.done(&who);
    live.signs_in(ports, client, since, listed);
    connections.put(Arc::clone(&live));
    ports.outbox.credential_changed(ports, &live.id());
    if listed_keys {
        // Nothing is written down yet that this list could gainsay.
        signing::learn(ports, &live, false);
        live.write(ports);
    }
    Ok(live)
}

/// Whether its credential is in the keychain.
pub(crate) fn is_stored(record: &ConnectionRecord) -> bool {
    record.method == SignInMethod::ApiKey && !record.in_memory_only && !record.demo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_key_is_trimmed_and_looked_at() {
        let key = "QMOI1ZVKVIoW6LM6uXqSWFPsjmt0juvl";
        for good in [key.to_owned(), format!("  {key}\r\n"), "a+/=_.-a+/=_.-aa".to_owned()] {
            let bare = bare_key(&Secret::new(good.clone())).map_err(|error| error.to_string());
            // EXPOSE: a test's own value
            assert_eq!(bare.map(|key| key.expose_secret().to_owned()), Ok(good.trim().to_owned()));
        }
        for bad in
            ["", "short", "with a space in it", "line\nbreak-in-the-middle", "ünïcödé-ünïcödé"]
        {
            assert_eq!(
                bare_key(&Secret::new(bad.to_owned())).err(),
                Some(ConnectError::KeyMalformed),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_address_is_understood_or_refused_with_its_code() {
        let view = parse_address("https://acme.console.spectrocloud.com/login?x=1").unwrap();
        assert_eq!(view.origin, "https://acme.console.spectrocloud.com");
        assert_eq!(view.host, "acme.console.spectrocloud.com");
        assert!(view.adjusted);
        let refused = parse_address("http://api.spectrocloud.com").unwrap_err();
        assert_eq!(refused.code, ErrorCode::AddressNotSecure);
    }
}
