//! Linux: the Secret Service on the session bus.
//!
//! The store crate unlocks on its own and cannot say whether anybody could answer, so before each
//! operation we ask the bus ourselves: is the service there, has it a default collection, is that
//! locked, could somebody answer a prompt? A locked one is unlocked here, not inside the store,
//! where it would block with the store's lock held and a late write could not be called off.

use super::{KeychainError, Prompts, Seen, SeenState, Trouble};
use keyring_core::api::CredentialStoreApi;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use zbus::{
    blocking::{Connection, MessageIterator, connection},
    message::Type,
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue},
};
use zbus_secret_service_keyring_store::{Store, cred::Specifier};

/// What the keychain is called while nobody answers.
pub(super) const NAME: &str = "Keychain";

const BUS: &str = "org.freedesktop.DBus";
const SECRETS: &str = "org.freedesktop.secrets";
const SECRETS_PATH: &str = "/org/freedesktop/secrets";
/// The program that shows gnome-keyring's prompts. Others show their own.
const PROMPTER: &str = "org.gnome.keyring.SystemPrompter";

/// How long one question to the bus may take while an operation is prepared. A keychain may have
/// to be started for it.
const QUESTION: Duration = Duration::from_secs(8);
/// The same for a look, which has to be quick.
const QUICK_QUESTION: Duration = Duration::from_millis(1500);

/// The store, connected when it is needed.
pub(super) struct Keychain {
    prompts: Arc<Prompts>,
    open: Option<Open>,
}

struct Open {
    store: Arc<Store>,
    /// The unique bus name of the service it is connected to: another one means a restart, after
    /// which the store's session is unknown for ever.
    owner: String,
}

impl Keychain {
    pub(super) fn new(prompts: Arc<Prompts>) -> Self {
        Self { prompts, open: None }
    }

    /// The entry under that name, in a keychain that is there and unlocked. May wait for a prompt.
    pub(super) fn entry(
        &mut self,
        service: &str,
        user: &str,
        label: Option<&str>,
    ) -> Result<keyring::Entry, Trouble> {
        let bus = Bus::connect(QUESTION)?;
        let provider = bus.provider()?;
        let collection = bus.default_collection(&provider)?.ok_or(KeychainError::Absent)?;
        if bus.is_locked(&provider, &collection)? {
            unlock(&bus, &provider, &collection, &self.prompts)?;
        }
        self.prompts.dismissed.store(false, Ordering::SeqCst);
        let store = match self.open.take() {
            Some(open) if open.owner == provider.owner => open.store,
            _ => Store::new().map_err(super::of_error)?,
        };
        let open = self.open.insert(Open { store, owner: provider.owner });
        let modifiers = label.map(|label| HashMap::from([("label", label)]));
        let inner = open.store.build(service, user, modifiers.as_ref()).map_err(super::of_error)?;
        Ok(keyring::Entry { inner })
    }

    /// The next operation connects again.
    pub(super) fn forget(&mut self) {
        self.open = None;
    }
}

/// Gives an entry that was there before the label it should have now.
pub(super) fn relabel(entry: &keyring::Entry, label: &str) {
    if let Some(item) = entry.inner.as_any().downcast_ref::<Specifier>()
        && item.get_label().is_ok_and(|current| current != label)
    {
        let _ = item.set_label(label);
    }
}

/// What the Secret Service's own error means. By type and by the names of D-Bus errors, never by
/// words.
pub(super) fn trouble(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<Trouble> {
    use secret_service::Error;
    match cause.downcast_ref::<Error>()? {
        Error::Unavailable | Error::NoResult => Some(KeychainError::Absent.into()),
        Error::Locked => Some(KeychainError::Locked.into()),
        Error::Prompt => Some(KeychainError::Dismissed.into()),
        Error::PromptDisconnected => Some(Trouble::Lost),
        Error::Zbus(error) => of_bus(error),
        Error::ZbusFdo(error) => of_fdo(error),
        // Decryption fails when the session is not the one the service has in mind.
        Error::Crypto(_) => Some(Trouble::Lost),
        _ => None,
    }
}

fn of_bus(error: &zbus::Error) -> Option<Trouble> {
    match error {
        zbus::Error::MethodError(name, _, _) => of_name(name),
        zbus::Error::FDO(error) => of_fdo(error),
        zbus::Error::InputOutput(_) => Some(Trouble::Lost),
        zbus::Error::InterfaceNotFound | zbus::Error::Address(_) | zbus::Error::Handshake(_) => {
            Some(KeychainError::Absent.into())
        }
        _ => None,
    }
}

fn of_fdo(error: &zbus::fdo::Error) -> Option<Trouble> {
    match error {
        zbus::fdo::Error::ZBus(error) => of_bus(error),
        error => of_name(zbus::DBusError::name(error).as_str()),
    }
}

fn of_name(name: &str) -> Option<Trouble> {
    match name {
        // The service was restarted, or is gone: it does not know our session or is not there.
        "org.freedesktop.Secret.Error.NoSession"
        | "org.freedesktop.DBus.Error.ServiceUnknown"
        | "org.freedesktop.DBus.Error.NameHasNoOwner"
        | "org.freedesktop.DBus.Error.NoReply"
        | "org.freedesktop.DBus.Error.Disconnected" => Some(Trouble::Lost),
        "org.freedesktop.Secret.Error.IsLocked" => Some(KeychainError::Locked.into()),
        _ => None,
    }
}

/// Looks without prompting.
pub(super) fn look() -> Seen {
    let mut name = NAME;
    let state = (|| -> Result<SeenState, Trouble> {
        let bus = Bus::connect(QUICK_QUESTION)?;
        let provider = bus.provider()?;
        name = provider.name();
        let Some(collection) = bus.default_collection(&provider)? else {
            return Ok(SeenState::Absent);
        };
        let locked = bus.is_locked(&provider, &collection)?;
        Ok(if locked { SeenState::Locked } else { SeenState::Unlocked })
    })();
    // What does not answer is not there for us.
    let state = state.unwrap_or(SeenState::Absent);
    Seen { state, name }
}

/// Asks the person to unlock the collection, through the service's prompt.
fn unlock(
    bus: &Bus,
    provider: &Provider,
    collection: &OwnedObjectPath,
    prompts: &Prompts,
) -> Result<(), Trouble> {
    // One prompt is enough, and a second one would only wait behind it.
    if prompts.open.load(Ordering::SeqCst) > 0 {
        return Err(KeychainError::Waiting.into());
    }
    if !bus.may_prompt(provider)? {
        return Err(KeychainError::Locked.into());
    }
    let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) =
        bus.service(provider, "Unlock", &(vec![collection],))?;
    if prompt.as_str() == "/" {
        return Ok(());
    }
    bus.watch(&format!("type='signal',interface='org.freedesktop.Secret.Prompt',path='{prompt}'"))?;
    bus.watch(&format!("type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SECRETS}'"))?;
    let messages = MessageIterator::from(&bus.connection);
    let _open = OpenPrompt::new(prompts);
    bus.call::<_, ()>(&provider.owner, &prompt, "org.freedesktop.Secret.Prompt", "Prompt", &("",))?;
    for message in messages {
        let message = message.map_err(|_| Trouble::Lost)?;
        if message.message_type() != Type::Signal {
            continue;
        }
        let header = message.header();
        match header.member().map(|member| member.as_str()) {
            Some("Completed") if header.path().is_some_and(|path| *path == *prompt) => {
                let body = message.body();
                let (dismissed, _): (bool, zbus::zvariant::Value<'_>) =
                    body.deserialize().map_err(|_| KeychainError::Failed)?;
                return if !dismissed {
                    Ok(())
                } else if provider.is_gnome() && !bus.has_owner(PROMPTER)? {
                    // The prompter could not be started, so nobody was asked.
                    Err(KeychainError::Locked.into())
                } else {
                    prompts.dismissed.store(true, Ordering::SeqCst);
                    Err(KeychainError::Dismissed.into())
                };
            }
            Some("NameOwnerChanged") => return Err(Trouble::Lost),
            _ => {}
        }
    }
    Err(Trouble::Lost)
}

/// Counts a prompt as open for as long as it lives.
struct OpenPrompt<'a>(&'a Prompts);

impl<'a> OpenPrompt<'a> {
    fn new(prompts: &'a Prompts) -> Self {
        prompts.open.fetch_add(1, Ordering::SeqCst);
        Self(prompts)
    }
}

impl Drop for OpenPrompt<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Who provides the Secret Service.
struct Provider {
    /// Its unique bus name.
    owner: String,
    /// The name of its process; empty when it cannot be told (another PID namespace).
    process: String,
}

impl Provider {
    fn is_gnome(&self) -> bool {
        self.process.starts_with("gnome-keyring")
    }

    fn name(&self) -> &'static str {
        match self.process.as_str() {
            _ if self.is_gnome() => "GNOME Keyring",
            name if name.starts_with("kwalletd") || name.starts_with("ksecretd") => "KDE Wallet",
            name if name.starts_with("keepassxc") => "KeePassXC",
            _ => NAME,
        }
    }
}

/// A connection of our own to the session bus, for questions that must not wait behind the store.
struct Bus {
    connection: Connection,
}

impl Bus {
    fn connect(question: Duration) -> Result<Self, Trouble> {
        let connection = connection::Builder::session()
            .and_then(|builder| builder.method_timeout(question).build())
            .map_err(|_| KeychainError::Absent)?;
        Ok(Self { connection })
    }

    /// Who owns the service, started if the bus knows how to.
    fn provider(&self) -> Result<Provider, Trouble> {
        if !self.has_owner(SECRETS)? {
            if !self.can_start(SECRETS)? {
                return Err(KeychainError::Absent.into());
            }
            self.ask_bus::<_, u32>("StartServiceByName", &(SECRETS, 0_u32))
                .map_err(|_| KeychainError::Absent)?;
        }
        let owner: String = self.ask_bus("GetNameOwner", &(SECRETS,))?;
        let process = self
            .ask_bus::<_, u32>("GetConnectionUnixProcessID", &(owner.as_str(),))
            .ok()
            .and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok())
            .unwrap_or_default();
        Ok(Provider { owner, process: process.trim_end().to_owned() })
    }

    fn default_collection(&self, provider: &Provider) -> Result<Option<OwnedObjectPath>, Trouble> {
        let path: OwnedObjectPath = self.service(provider, "ReadAlias", &("default",))?;
        Ok((path.as_str() != "/").then_some(path))
    }

    fn is_locked(&self, provider: &Provider, collection: &ObjectPath<'_>) -> Result<bool, Trouble> {
        let value: OwnedValue = self.call(
            &provider.owner,
            collection,
            "org.freedesktop.DBus.Properties",
            "Get",
            &("org.freedesktop.Secret.Collection", "Locked"),
        )?;
        bool::try_from(value).map_err(|_| KeychainError::Failed.into())
    }

    /// Whether a prompt could be shown at all: without its prompter gnome-keyring closes it at
    /// once, which would look as if a person had.
    fn may_prompt(&self, provider: &Provider) -> Result<bool, Trouble> {
        Ok(!provider.is_gnome() || self.has_owner(PROMPTER)? || self.can_start(PROMPTER)?)
    }

    fn has_owner(&self, name: &str) -> Result<bool, Trouble> {
        self.ask_bus("NameHasOwner", &(name,))
    }

    fn can_start(&self, name: &str) -> Result<bool, Trouble> {
        let names: Vec<String> = self.ask_bus("ListActivatableNames", &())?;
        Ok(names.iter().any(|known| known == name))
    }

    fn watch(&self, rule: &str) -> Result<(), Trouble> {
        self.ask_bus("AddMatch", &(rule,))
    }

    fn ask_bus<B, R>(&self, method: &str, body: &B) -> Result<R, Trouble>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        R: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let path = ObjectPath::from_static_str_unchecked("/org/freedesktop/DBus");
        self.call(BUS, &path, BUS, method, body)
    }

    fn service<B, R>(&self, provider: &Provider, method: &str, body: &B) -> Result<R, Trouble>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        R: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let path = ObjectPath::from_static_str_unchecked(SECRETS_PATH);
        self.call(&provider.owner, &path, "org.freedesktop.Secret.Service", method, body)
    }

    fn call<B, R>(
        &self,
        destination: &str,
        path: &ObjectPath<'_>,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<R, Trouble>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
        R: serde::de::DeserializeOwned + zbus::zvariant::Type,
    {
        let answer = self
            .connection
            .call_method(Some(destination), path, Some(interface), method, body)
            .map_err(|error| of_bus(&error).unwrap_or(KeychainError::Failed.into()))?;
        answer.body().deserialize().map_err(|_| KeychainError::Failed.into())
    }
}
