//! Does the server of a connection answer? For the diagnostics of the settings.

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use ts_rs::TS;

use super::live::Live;
use crate::{Failure, ports::Ports};

/// How a server was just now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct NetworkView {
    /// Id of the connection.
    pub connection: String,
    /// Host and port of its server.
    pub host: String,
    /// Milliseconds from the request to its answer; none: there was none.
    pub answered_in: Option<u32>,
    /// What is in the way.
    pub problem: Option<Failure>,
}

/// Asks for the identity without a credential, which Palette refuses: that it does is the answer.
/// The way is new, so its name is looked up, and its certificate read, once more.
pub(crate) async fn check(ports: &Ports, live: &Live) -> NetworkView {
    let view = live.view();
    let asked = async {
        let client = live.bare_client(ports)?;
        let began = Instant::now();
        match client.is_there().await {
            Ok(()) => {}
            Err(error) if error.comes_from_palette() => {}
            Err(error) => return Err(error.failure()),
        }
        Ok::<_, Failure>(u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX))
    };
    let (answered_in, problem) = match asked.await {
        Ok(millis) => (Some(millis), None),
        Err(failure) => (None, Some(failure)),
    };
    NetworkView { connection: view.id, host: view.host, answered_in, problem }
}
