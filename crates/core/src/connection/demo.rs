//! The demo tenant: the simulator inside the app, through the same door as a real host.

use super::{
    Colour, ConnectView, ProxyChoice, SignIn, SignInMethod, connect::enter, live::Live,
    remove::remove_secrets,
};
use crate::{
    Failure, Secret,
    api::{ClientSettings, Origin},
    palette_keys::{Change, Connections},
    ports::Ports,
    store::ConnectionRecord,
};
use std::sync::Arc;

/// The id of the demo tenant's connection. It is in no file: its server ends with the app.
pub const DEMO: &str = "demo";

/// Opens the demo tenant, as one of its people.
pub(crate) async fn open(
    ports: &Arc<Ports>,
    connections: &Connections,
    origin: &str,
    api_key: Secret,
) -> Result<ConnectView, Failure> {
    let (origin, _) = Origin::parse(origin).map_err(|error| error.failure())?;
    let record = ConnectionRecord {
        id: DEMO.to_owned(),
        name: "Demo tenant".to_owned(),
        colour: Colour::Grey,
        origin: origin.as_str().to_owned(),
        method: SignInMethod::ApiKey,
        email: None,
        organization: None,
        ca_certificate: None,
        proxy: ProxyChoice::None,
        demo: true,
        in_memory_only: true,
        signing_key_uid: None,
        credential_key: None,
        sign_in: Default::default(),
        position: u32::MAX,
    };
    let _turn = connections.changing.lock().await;
    let running = connections.find(DEMO).filter(|live| live.record().origin == record.origin);
    if running.is_none() {
        ports.outbox.forget_demo(DEMO);
        forget_earlier_runs(ports, &record).await;
    }
    let settings = ClientSettings { origin, ca_certificate: None, proxy: ProxyChoice::None };
    let client = ports.client(settings)?;
    let entered = enter(ports, client, &SignIn::ApiKey { api_key }).await.map_err(Failure::from)?;
    let record = ConnectionRecord {
        email: entered.email(),
        organization: Some(entered.identity().organization.clone()),
        ..record
    };
    let live = Arc::new(Live::remembered(record));
    live.signs_in(ports, entered.client, 0, entered.listed);
    connections.put(Arc::clone(&live));
    connections.activate(ports, &live)?;
    ports.tell(Change::Connections);
    Ok(ConnectView { connection: live.view(), keychain: ports.keychain.view().await })
}

/// Removes what earlier demo tenants left: values in the keychain, the list, unsettled creations.
/// Their server is gone, so none of it is of use to anybody.
async fn forget_earlier_runs(ports: &Ports, record: &ConnectionRecord) {
    let earlier = Live::remembered(record.clone());
    // Not worth a failure: the values are of keys that exist nowhere. The next run tries again.
    if remove_secrets(ports, &earlier).await.is_ok_and(|keychain_absent| !keychain_absent)
        && ports.store.remove_connection(DEMO).is_err()
    {
        tracing::warn!("what an earlier demo tenant left could not be forgotten");
    }
}
