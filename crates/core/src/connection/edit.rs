//! Edit: how a connection is shown, and the way to its host.
//!
//! Another authority or proxy is tried on the server first. What worked goes on working until the
//! new way has been seen to, and what is under way on the old one ends there.

use super::{CertificateChange, ConnectionView, EditConnectionRequest, live::Live};
use crate::{
    ErrorCode, Failure,
    api::{ApiError, ClientSettings, Origin, PaletteClient},
    keys::{activity::Act, name::checked_name},
    palette_keys::{Change, Connections},
    ports::{Deed, Ports},
};
use std::sync::Arc;

/// Why a connection was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditConnectionError {
    /// The server was not reached on the new way.
    #[error("{} The connection is as it was.", .0.message)]
    NotReached(Failure),
    /// Something below failed; the connection is as it was.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<EditConnectionError> for Failure {
    fn from(error: EditConnectionError) -> Self {
        let message = error.to_string();
        match error {
            EditConnectionError::NotReached(failure) => Failure { message, ..failure },
            EditConnectionError::Failed(failure) => failure,
        }
    }
}

/// A client on the way that was asked for, and what the server answered there.
struct NewWay {
    client: PaletteClient,
    answer: Result<(), ApiError>,
}

/// Changes name and colour, and authority and proxy once the server was reached with them.
pub(crate) async fn edit(
    ports: &Arc<Ports>,
    connections: &Connections,
    live: &Arc<Live>,
    request: &EditConnectionRequest,
) -> Result<ConnectionView, EditConnectionError> {
    let name = checked_name(&request.name).map_err(Failure::from)?;
    let before = live.record();
    let mut record = before.clone();
    record.proxy.clone_from(&request.proxy);
    match &request.certificate {
        CertificateChange::Keep => {}
        CertificateChange::Remove => record.ca_certificate = None,
        CertificateChange::Replace { pem } => record.ca_certificate = Some(pem.clone()),
    }
    // The server of the demo tenant is inside the app: there is only one way to it.
    let is_other_way = !before.demo
        && (record.proxy != before.proxy || record.ca_certificate != before.ca_certificate);
    let new_way = if is_other_way {
        ports.store.check_connection(&record).map_err(|error| error.failure())?;
        let (origin, _) = Origin::parse(&record.origin).map_err(|error| error.failure())?;
        let client = ports.client(ClientSettings {
            origin,
            ca_certificate: record.ca_certificate.clone(),
            proxy: record.proxy.clone(),
        })?;
        Some(tried(ports, live, client).await?)
    } else {
        None
    };

    let _turn = connections.changing.lock().await;
    // It may have been removed meanwhile, or signed in to anew.
    let live = connections.find(&before.id).ok_or_else(|| {
        Failure::new(
            ErrorCode::ConnectionUnknown,
            "This connection was removed meanwhile. Nothing was changed.",
        )
    })?;
    let way = (record.ca_certificate, record.proxy);
    let mut record = live.record();
    record.name = name;
    record.colour = request.colour;
    if new_way.is_some() {
        (record.ca_certificate, record.proxy) = way;
    }
    let said = new_way.is_some().then(|| words(&before, &record));
    let deed = said.as_deref().map(|said| Deed::of_connection(Act::EditConnection, said));
    let asked = deed.as_ref().map(|deed| ports.ask(&live, deed)).transpose()?;
    let written = live.remember(ports, |known| {
        known.name.clone_from(&record.name);
        known.colour = record.colour;
        known.ca_certificate.clone_from(&record.ca_certificate);
        known.proxy.clone_from(&record.proxy);
    });
    if let Err(failure) = written {
        if let Some(asked) = asked {
            asked.failed(&failure);
        }
        return Err(failure.into());
    }
    if let Some(NewWay { client, answer }) = new_way {
        // Signed in to anew meanwhile: the newer credential is the one that counts.
        client.sign_in_as(&live.client(ports)?);
        live.go_by(client.clone());
        if let Some(asked) = asked {
            asked.done(said.as_deref().unwrap_or_default());
        }
        if client.is_signed_in() {
            live.heard(ports, &client, &answer);
        }
        ports.outbox.credential_changed(ports, &record.id);
    }
    ports.tell(Change::Connections);
    Ok(live.view())
}

/// Asks the server on a new way, with the credential if it is at hand. That a credential is refused
/// says nothing against the way.
async fn tried(
    ports: &Ports,
    live: &Live,
    client: PaletteClient,
) -> Result<NewWay, EditConnectionError> {
    if let Ok(signed_in) = live.signed_in(ports).await {
        client.sign_in_as(&signed_in);
    }
    let answer = if client.is_signed_in() {
        client.who_am_i().await.map(|_| ())
    } else {
        client.is_there().await
    };
    match answer {
        Err(error) if !error.comes_from_palette() => {
            Err(EditConnectionError::NotReached(error.failure()))
        }
        answer => Ok(NewWay { client, answer }),
    }
}

/// What was changed, for the time line.
fn words(
    before: &crate::store::ConnectionRecord,
    after: &crate::store::ConnectionRecord,
) -> String {
    use super::ProxyChoice;
    let mut said = Vec::new();
    match (&before.ca_certificate, &after.ca_certificate) {
        (before, after) if before == after => {}
        (None, Some(_)) => said.push("CA certificate added"),
        (Some(_), Some(_)) => said.push("CA certificate replaced"),
        (_, None) => said.push("CA certificate removed"),
    }
    if before.proxy != after.proxy {
        said.push(match after.proxy {
            ProxyChoice::System => "Proxy: the system's",
            ProxyChoice::None => "Proxy: none",
            ProxyChoice::Custom { .. } => "Proxy: one of its own",
        });
    }
    format!("{}; the server was reached with it first", said.join(". "))
}
