//! Select: open a connection, and try its credential when that was not done in this run.

use super::{ConnectionState, ConnectionView, live::Live};
use crate::{
    Failure,
    connection::{identity, own_key},
    palette_keys::{Change, Connections},
    ports::Ports,
};
use std::sync::Arc;

/// Opens a connection. Where it stands is in the view: offline, or in need of a person, it still
/// opens with what is remembered.
pub(crate) async fn select(
    ports: &Arc<Ports>,
    connections: &Connections,
    live: &Arc<Live>,
) -> Result<ConnectionView, Failure> {
    connections.activate(ports, live)?;
    // The tray shows the new one while the server of it is still being asked.
    ports.tell(Change::Connections);
    if live.view().state != ConnectionState::SignedIn {
        let (task_ports, task_live) = (Arc::clone(ports), Arc::clone(live));
        live.entering
            .run(&ports.tasks, "enter", || async move { enter(&task_ports, &task_live).await })
            .await;
    }
    ports.tell(Change::Connections);
    Ok(live.view())
}

/// Reads the credential and asks the server whom it acts as.
async fn enter(ports: &Arc<Ports>, live: &Arc<Live>) {
    // Identity of the last time, for the case that the server does not answer.
    live.known(ports);
    // A key that was made for the sign-in, before the app ended.
    own_key::resume(ports, live).await;
    let Ok(client) = live.signed_in(ports).await else { return };
    let identified = identity::identify(&client).await;
    live.heard(ports, &client, &identified);
    if let Ok(identity) = identified {
        live.identity_is(identity);
    }
}
