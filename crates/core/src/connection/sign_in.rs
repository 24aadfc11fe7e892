//! Sign in again: a new credential for a connection that is there.

use super::{
    ConnectView, SignInRequest,
    connect::{ConnectError, Entered, enter, keep},
    live::Live,
    signing::SignInNotes,
};
use crate::{
    ErrorCode, Failure,
    api::{ClientSettings, Origin},
    keys::activity::Act,
    palette_keys::{Change, Connections},
    ports::Ports,
    store::ConnectionRecord,
};
use std::sync::Arc;

/// Why a connection was not signed in again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The credential works, but for another person or organization.
    #[error(
        "This credential acts as {theirs}, but the connection \u{201c}{connection}\u{201d} is \
         {ours}'s. Add it as a connection of its own. Nothing was changed."
    )]
    SomebodyElse {
        /// Whom the credential acts as.
        theirs: String,
        /// Whose connection it is.
        ours: String,
        /// The connection's name.
        connection: String,
    },
    /// Something below failed; the connection is as it was.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<ConnectError> for SignInError {
    fn from(error: ConnectError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::SomebodyElse { .. } => {
                Failure::new(ErrorCode::CredentialRejected, error.to_string())
            }
            SignInError::Failed(failure) => failure,
        }
    }
}

/// Signs in again. The old client goes on until the new credential is accepted and kept.
pub(crate) async fn sign_in(
    ports: &Arc<Ports>,
    connections: &Connections,
    live: &Arc<Live>,
    request: &SignInRequest,
) -> Result<ConnectView, SignInError> {
    let record = live.record();
    let (origin, _) = Origin::parse(&record.origin).map_err(|error| error.failure())?;
    let settings = ClientSettings {
        origin,
        ca_certificate: record.ca_certificate.clone(),
        proxy: record.proxy.clone(),
    };
    let client = ports.client(settings)?;
    let since = live.step();
    let entered = enter(ports, client, &request.sign_in).await?;
    if let Some(ours) = somebody_else(ports, live, &entered) {
        entered.client.sign_out();
        return Err(SignInError::SomebodyElse {
            theirs: entered.identity().name.clone(),
            ours,
            connection: record.name,
        });
    }
    let _turn = connections.changing.lock().await;
    // It may have been removed meanwhile, or edited.
    let live = connections.get(&record.id)?;
    let fresh = ConnectionRecord {
        method: entered.method,
        email: entered.email(),
        signing_key_uid: None,
        credential_key: None,
        sign_in: SignInNotes::default(),
        ..live.record()
    };
    let known = Some((live, since));
    let kept = keep(ports, connections, fresh, known, entered, Act::SignIn).await?;
    ports.tell(Change::Connections);
    Ok(ConnectView { connection: kept.view(), keychain: ports.keychain.view().await })
}

/// The name of the person whose connection it is, when the credential is not theirs: its cached
/// list, its stored values and its history are that person's.
fn somebody_else(ports: &Ports, live: &Live, entered: &Entered) -> Option<String> {
    live.known(ports);
    let (ours, theirs) = (live.identity()?, entered.identity());
    (ours.user_uid != theirs.user_uid || ours.tenant_uid != theirs.tenant_uid).then_some(ours.name)
}
