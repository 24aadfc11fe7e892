//! polkit, which has the desktop ask for a person's password and never hands it to us.
//!
//! The package installs what it is asked about (`packaging/dev.palettekeys.app.policy`); where that
//! is not there, nothing is asked. <https://polkit.pages.freedesktop.org/polkit/>, interface
//! `org.freedesktop.PolicyKit1.Authority`.

use std::{collections::HashMap, time::Duration};

use palette_keys_core::{ErrorCode, Failure};
use zbus::{Connection, zvariant::Value};

/// What is asked about.
const ACTION: &str = "dev.palettekeys.app.unlock";

const NAME: &str = "org.freedesktop.PolicyKit1";
const PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const AUTHORITY: &str = "org.freedesktop.PolicyKit1.Authority";

/// The authority is started by the bus when it is first asked.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// The person may be asked.
const ALLOW_INTERACTION: u32 = 1;
/// The detail that says that the person closed the question.
const DISMISSED: &str = "polkit.dismissed";

/// `EnumerateActions`: id, description, message, vendor, its address, icon, and for any, inactive and
/// active sessions what is asked; annotations.
type Action =
    (String, String, String, String, String, String, u32, u32, u32, HashMap<String, String>);

/// An authority that is there but says nothing in time would ask.
pub(super) async fn asks() -> bool {
    knows_us().await.map_or(true, |bus| bus.is_some())
}

pub(super) async fn admits() -> Result<(), Failure> {
    let Some(bus) = knows_us().await? else { return Ok(()) };
    let own = bus.unique_name().map(ToString::to_string).unwrap_or_default();
    let subject = ("system-bus-name", HashMap::from([("name", Value::from(own))]));
    let details = HashMap::<&str, &str>::new();
    let request = (subject, ACTION, details, ALLOW_INTERACTION, "");
    let answer = bus
        .call_method(Some(NAME), PATH, Some(AUTHORITY), "CheckAuthorization", &request)
        .await
        .map_err(|error| refused(&format!("polkit could not ask: {error}.")))?;
    let (yes, _, details): (bool, bool, HashMap<String, String>) = answer
        .body()
        .deserialize()
        .map_err(|_| refused("polkit gave an answer that could not be read."))?;
    match (yes, details.contains_key(DISMISSED)) {
        (true, _) => Ok(()),
        (false, true) => Err(refused("The question for your password was closed.")),
        (false, false) => Err(refused(
            "Your desktop did not recognise you. If it asked for no password, it has no polkit \
             agent running: start one, for instance polkit-gnome, and try again.",
        )),
    }
}

fn refused(why: &str) -> Failure {
    Failure::new(ErrorCode::NotRecognised, why)
}

/// The system's bus, when an authority there knows our action; none: there is nobody to ask.
async fn knows_us() -> Result<Option<Connection>, Failure> {
    let asked = async {
        // No bus is as good as no authority.
        let Ok(bus) = Connection::system().await else { return Ok(None) };
        let answer =
            bus.call_method(Some(NAME), PATH, Some(AUTHORITY), "EnumerateActions", &("",)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let actions: Vec<Action> = answer.body().deserialize()?;
        Ok(actions.iter().any(|(id, ..)| id == ACTION).then_some(bus))
    };
    match tokio::time::timeout(ANSWERS_WITHIN, asked).await {
        Ok(Ok(known)) => Ok(known),
        Ok(Err(error)) => Err(refused(&format!("polkit did not answer: {error}."))),
        Err(_) => Err(refused("polkit did not answer in time. Try again.")),
    }
}

/// Nobody has the name, and nobody can be started for it.
fn is_absent(error: &zbus::Error) -> bool {
    let zbus::Error::MethodError(name, ..) = error else { return false };
    ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"]
        .contains(&name.as_str())
}
