//! The OS keychain: a port, its native adapter and a memory one for tests.
//!
//! [`SecretStore`] is what the operations know. [`NativeKeychain`] keeps entries where the
//! operating system keeps passwords, [`MemoryKeychain`] keeps them until the app quits. An entry
//! holds one bare value, one line of printable ASCII, and nothing else: hosts, certificates and
//! names are not secret and live in the store.

mod memory;
mod native;

use crate::{ErrorCode, Failure, Secret, keys::KeyUid};
use serde::{Deserialize, Serialize};
use std::{future::Future, pin::Pin};
use ts_rs::TS;

pub use memory::MemoryKeychain;
pub use native::NativeKeychain;

/// The service string of every entry of this app. Nobody else uses it, because the Secret Service
/// searches all collections by service and user name (trust.md 4).
pub const SERVICE: &str = "Palette Keys";

/// Where the keychain stands. Five states, five different words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum KeychainState {
    /// It can be read and written without a question to the person.
    Ready,
    /// No service answers (on Linux: no Secret Service on the session bus, or no default collection).
    Absent,
    /// It is locked and nobody unlocked it.
    Locked,
    /// A person closed its prompt.
    Dismissed,
    /// Its prompt has been open for longer than the deadline.
    WaitingForPrompt,
}

/// The keychain in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeychainView {
    /// Where it stands now.
    pub state: KeychainState,
    /// "GNOME Keyring", "KDE Wallet", "macOS Keychain", "Windows Credential Manager", else "Keychain".
    pub name: String,
    /// What to do when it is not ready.
    pub advice: Option<String>,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// The API key a connection signs in with.
    Credential,
    /// The value of a key, by the key's uid.
    KeyValue(KeyUid),
}

/// The name of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryName {
    /// The id of the connection it belongs to.
    pub connection: String,
    /// Which of the connection's secrets it is.
    pub item: Item,
}

impl EntryName {
    /// The entry of a connection's credential.
    pub fn credential(connection: impl Into<String>) -> Self {
        Self { connection: connection.into(), item: Item::Credential }
    }

    /// The entry of a key's value.
    pub fn key_value(connection: impl Into<String>, uid: KeyUid) -> Self {
        Self { connection: connection.into(), item: Item::KeyValue(uid) }
    }

    /// The user name under which the keychain has it: `<connection>/credential` or
    /// `<connection>/key/<uid>`. Ids only, since attributes of entries are not encrypted.
    pub fn user(&self) -> String {
        match &self.item {
            Item::Credential => format!("{}/credential", self.connection),
            Item::KeyValue(uid) => format!("{}/key/{uid}", self.connection),
        }
    }
}

/// The label of a key's entry, as the desktop's own keychain window shows it:
/// "Palette API key: ci-prod (acme)".
pub fn key_label(key_name: &str, connection_name: &str) -> String {
    label(&format!("Palette API key: {key_name} ({connection_name})"))
}

/// The label of a connection's credential: "Palette Keys sign-in: acme".
pub fn credential_label(connection_name: &str) -> String {
    label(&format!("Palette Keys sign-in: {connection_name}"))
}

/// One line of at most 200 characters: names come from a server and from people.
fn label(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// Why the keychain did not do what was asked. Carries nothing on purpose: errors of keychain
/// libraries can hold the secret itself (trust.md 0.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeychainError {
    /// No keychain answers, or it has no default collection.
    #[error("there is no keychain")]
    Absent,
    /// It is locked and nobody could be asked to unlock it.
    #[error("the keychain is locked")]
    Locked,
    /// A person closed its prompt.
    #[error("the keychain's prompt was closed")]
    Dismissed,
    /// It did not answer within the deadline: most likely its prompt is open. A write that waited
    /// for a prompt is not carried out when the prompt is answered later.
    #[error("the keychain waits for an answer to its prompt")]
    Waiting,
    /// There is no such entry in the keychain that answers now.
    #[error("there is no such entry in the keychain")]
    ItemMissing,
    /// More than one entry has this name.
    #[error("more than one entry in the keychain has this name")]
    Ambiguous,
    /// Anything else, a value that is not one line of ASCII and a failed read-back included.
    #[error("the keychain failed")]
    Failed,
}

impl KeychainError {
    /// The same in the words and codes the window knows.
    pub fn failure(&self) -> Failure {
        let (code, message) = match self {
            Self::Absent => (
                ErrorCode::KeychainAbsent,
                "This computer has no keychain that answers, so nothing can be stored or read.",
            ),
            Self::Locked => (
                ErrorCode::KeychainLocked,
                "The keychain is locked. Unlock it and try again. Nothing was stored or read.",
            ),
            Self::Dismissed => (
                ErrorCode::KeychainDismissed,
                "The keychain's prompt was closed, so it stays locked. Nothing was stored or read.",
            ),
            Self::Waiting => (
                ErrorCode::KeychainWaiting,
                "The keychain is waiting for an answer to its prompt. Answer it and try again. Until \
                 then do not count on anything having been stored.",
            ),
            Self::ItemMissing => (
                ErrorCode::KeychainItemMissing,
                "There is no such entry in the keychain that is in use now.",
            ),
            Self::Ambiguous => (
                ErrorCode::KeychainAmbiguous,
                "More than one entry in the keychain has this name. Remove the wrong one with your \
                 desktop's password app. Nothing was changed.",
            ),
            Self::Failed => (
                ErrorCode::KeychainFailed,
                "The keychain could not do it. Do not count on anything having been stored.",
            ),
        };
        Failure::new(code, message)
    }

    /// The state of the keychain that this error shows; none when it says nothing about it.
    pub fn state(&self) -> Option<KeychainState> {
        match self {
            Self::Absent => Some(KeychainState::Absent),
            Self::Locked => Some(KeychainState::Locked),
            Self::Dismissed => Some(KeychainState::Dismissed),
            Self::Waiting => Some(KeychainState::WaitingForPrompt),
            Self::ItemMissing | Self::Ambiguous | Self::Failed => None,
        }
    }
}

/// A future on the heap, so that [`SecretStore`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where secrets are kept.
pub trait SecretStore: Send + Sync {
    /// Writes `value` under `entry`, replacing what was there, reads it back and compares. Only
    /// after `Ok` may anybody say "saved".
    fn write(
        &self,
        entry: EntryName,
        label: String,
        value: Secret,
    ) -> BoxFuture<'_, Result<(), KeychainError>>;

    /// The value under `entry`; [`KeychainError::ItemMissing`] when there is none.
    fn read(&self, entry: EntryName) -> BoxFuture<'_, Result<Secret, KeychainError>>;

    /// Removes `entry`; false when it was not there.
    fn remove(&self, entry: EntryName) -> BoxFuture<'_, Result<bool, KeychainError>>;

    /// Writes, reads and deletes a dummy entry: true proof that a value could be kept.
    fn probe(&self) -> BoxFuture<'_, Result<(), KeychainError>>;

    /// Where the keychain stands. Answers within about two seconds and never opens a prompt.
    fn view(&self) -> BoxFuture<'_, KeychainView>;
}

/// Whether a value may be an entry: one line of printable ASCII. gnome-keyring 50 drops a whole
/// collection that holds a newline, and KDE Wallet takes UTF-8 only (trust.md 4).
fn is_bare_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// A view with the advice that belongs to the state.
fn view_of(state: KeychainState, name: &str) -> KeychainView {
    let advice = match state {
        KeychainState::Ready => None,
        KeychainState::Absent if cfg!(target_os = "linux") => Some(
            "No Secret Service with a default keyring answers on the session bus. Start GNOME \
             Keyring (package gnome-keyring), KDE Wallet or KeePassXC; no restart of this app is \
             needed. Until then credentials can be kept in memory until you quit."
                .to_owned(),
        ),
        KeychainState::Absent => Some(
            "The keychain of this computer does not answer. Until it does, credentials can be \
             kept in memory until you quit."
                .to_owned(),
        ),
        KeychainState::Locked => Some(format!(
            "{name} is locked. Unlock it with your desktop's password app, then try again."
        )),
        KeychainState::Dismissed => {
            Some(format!("The prompt of {name} was closed. Try again and enter its password."))
        }
        KeychainState::WaitingForPrompt => {
            Some(format!("{name} has a prompt open. Answer it, then try again."))
        }
    };
    KeychainView { state, name: name.to_owned(), advice }
}
