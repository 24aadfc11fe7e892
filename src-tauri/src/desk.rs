//! What the commands are given: the product, and the demo tenant when it runs.

use std::sync::Arc;

use palette_keys_core::{
    Failure, PaletteKeys,
    connection::{
        ConnectView, DemoPerson, DemoRequest,
        signing::{SignInChange, SignInChangeRequest},
    },
};

/// The product on a desk.
pub struct Desk {
    /// Everything the product does.
    pub keys: Arc<PaletteKeys>,
    #[cfg(feature = "demo")]
    demo: tokio::sync::Mutex<Option<palette_sim::Sim>>,
}

impl Desk {
    /// A desk without a demo tenant running.
    pub fn new(keys: Arc<PaletteKeys>) -> Self {
        Self {
            keys,
            #[cfg(feature = "demo")]
            demo: tokio::sync::Mutex::new(None),
        }
    }

    /// Starts the simulator once, on loopback, and connects to it like to any host.
    #[cfg(feature = "demo")]
    pub async fn open_demo(&self, request: DemoRequest) -> Result<ConnectView, Failure> {
        let mut demo = self.demo.lock().await;
        let sim = match demo.take() {
            Some(sim) => sim,
            None => {
                palette_sim::start(palette_sim::SimOptions::default()).await.map_err(|error| {
                    Failure::new(
                        palette_keys_core::ErrorCode::Internal,
                        format!("The demo tenant could not start on this computer: {error}."),
                    )
                })?
            }
        };
        let account = match request.person {
            DemoPerson::Admin => sim.admin(),
            DemoPerson::User => sim.user(),
        };
        let origin = demo.insert(sim).origin();
        let api_key = palette_keys_core::Secret::new(account.api_key);
        let mut opened = self.keys.open_demo(origin, api_key, request).await?;
        // Nobody need be asked which key it is: the tenant is ours.
        let change = SignInChange::Key { uid: account.api_key_uid };
        let connection = opened.connection.id.clone();
        match self.keys.change_sign_in(SignInChangeRequest { connection, change }) {
            Ok(connection) => opened.connection = connection,
            // Revoked in this tenant before: then no key of it signs in.
            Err(failure) => tracing::debug!("{failure}"),
        }
        Ok(opened)
    }

    /// This build has no simulator.
    #[cfg(not(feature = "demo"))]
    pub async fn open_demo(&self, _request: DemoRequest) -> Result<ConnectView, Failure> {
        Err(Failure::new(palette_keys_core::ErrorCode::Internal, "This build has no demo tenant."))
    }

    /// `--demo`: the demo tenant as its admin.
    pub async fn open_demo_at_start(&self) -> Result<ConnectView, Failure> {
        let op_id = uuid::Uuid::new_v4().to_string();
        self.open_demo(DemoRequest { op_id, person: DemoPerson::Admin }).await
    }
}

/// What this computer is called: the first part of its name on the network.
pub fn computer_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name.split('.').next().unwrap_or_default().to_owned()
}
