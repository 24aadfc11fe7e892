//! The operating system's keychain, on a thread of its own.
//!
//! Keychains block: a prompt that nobody answers blocks for ever, with the store's lock held
//! (trust.md 4). So one plain thread owns the store, callers wait with a deadline, and a thread
//! that is stuck is left behind for a new one with a new connection. What differs between systems
//! is in `platform`: [`linux`] talks to the Secret Service and knows it well enough to tell five
//! states apart; [`other`] leaves macOS and Windows to the `keyring` crate.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;
mod queue;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use other as platform;

use super::{
    BoxFuture, EntryName, KeychainError, KeychainState, KeychainView, SecretStore, is_bare_value,
    view_of,
};
use crate::Secret;
use queue::Queue;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use zeroize::Zeroize;

/// How long a caller waits: long enough to type a password, short enough not to look dead.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long [`SecretStore::view`] waits.
const VIEW_DEADLINE: Duration = Duration::from_secs(2);

/// Looks that may be under way at once; a session bus that hangs must not cost a thread a look.
const LOOKS: usize = 3;

/// The keychain of the operating system.
///
/// It connects at its first use and again whenever the other side was restarted, so a keychain
/// that starts late, or is unlocked later, works without a restart of the app.
pub struct NativeKeychain {
    service: Arc<str>,
    deadline: Duration,
    queue: Queue<platform::Keychain>,
    prompts: Arc<Prompts>,
    looks: Arc<AtomicUsize>,
}

/// What is known of the keychain's prompts in this process.
#[derive(Default)]
struct Prompts {
    /// Prompts that we opened and that are not closed.
    open: AtomicUsize,
    /// A person closed the last one, and it was not unlocked since.
    dismissed: AtomicBool,
}

/// Why an operation on the store failed.
enum Trouble {
    /// The other side went away or does not know us any more: connecting again may help.
    #[allow(dead_code, reason = "only a keychain that is a service of its own can be lost")]
    Lost,
    /// It is as it is.
    Because(KeychainError),
}

impl From<KeychainError> for Trouble {
    fn from(error: KeychainError) -> Self {
        Self::Because(error)
    }
}

impl NativeKeychain {
    /// The keychain, with entries under this service name (the app's is [`super::SERVICE`]).
    /// Touches nothing yet.
    pub fn new(service: &str) -> Self {
        Self::with_deadline(service, DEADLINE)
    }

    /// The same with another deadline for each operation.
    pub fn with_deadline(service: &str, deadline: Duration) -> Self {
        let prompts = Arc::new(Prompts::default());
        let for_thread = Arc::clone(&prompts);
        Self {
            service: service.into(),
            deadline,
            queue: Queue::new(move || platform::Keychain::new(Arc::clone(&for_thread))),
            prompts,
            looks: Arc::default(),
        }
    }

    /// Runs `act` with the entry on the keychain's thread.
    async fn with_entry<T: Send + 'static>(
        &self,
        user: String,
        label: Option<String>,
        act: impl Fn(&keyring::Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, KeychainError> {
        let service = Arc::clone(&self.service);
        self.queue
            .call(self.deadline, move |keychain: &mut platform::Keychain, given_up| {
                on_entry(keychain, &service, &user, label.as_deref(), given_up, &act)
            })
            .await
    }

    async fn write_to(
        &self,
        user: String,
        label: String,
        value: Secret,
    ) -> Result<(), KeychainError> {
        // EXPOSE: looked at for characters an entry may not have; not kept
        if !is_bare_value(value.expose_secret()) {
            return Err(KeychainError::Failed);
        }
        let written = value.clone();
        let shown = label.clone();
        self.with_entry(user.clone(), Some(label), move |entry| {
            // EXPOSE: handed to the keychain, which is where it is to be kept
            entry.set_secret(written.expose_secret().as_bytes())?;
            // An entry that was there keeps its old label. A stale label is no reason to call a
            // kept value lost.
            platform::relabel(entry, &shown);
            Ok(())
        })
        .await?;
        // Whatever keeps it from being read back: what became of the value is not known, and no
        // error but this one says so.
        match self.read_from(user).await {
            Ok(kept) if kept.same_as(&value) => Ok(()),
            _ => Err(KeychainError::Failed),
        }
    }

    async fn read_from(&self, user: String) -> Result<Secret, KeychainError> {
        let bytes = self.with_entry(user, None, |entry| entry.get_secret().map(Bytes)).await?;
        bytes.into_secret()
    }

    async fn remove_from(&self, user: String) -> Result<bool, KeychainError> {
        match self.with_entry(user, None, keyring::Entry::delete_credential).await {
            Ok(()) => Ok(true),
            Err(KeychainError::ItemMissing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Looks at the keychain on a thread of its own, since the one that owns the store may be
    /// behind a prompt.
    async fn look(&self) -> KeychainView {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let looks = Arc::clone(&self.looks);
        if looks.fetch_add(1, Ordering::SeqCst) < LOOKS {
            let spawned =
                std::thread::Builder::new().name("keychain-look".into()).spawn(move || {
                    let _ = answer.send(platform::look());
                    looks.fetch_sub(1, Ordering::SeqCst);
                });
            if spawned.is_err() {
                self.looks.fetch_sub(1, Ordering::SeqCst);
            }
        } else {
            looks.fetch_sub(1, Ordering::SeqCst);
        }
        let seen = match tokio::time::timeout(VIEW_DEADLINE, answered).await {
            Ok(Ok(seen)) => seen,
            _ => Seen { state: SeenState::Silent, name: platform::NAME },
        };
        view_of(self.state(seen.state), seen.name)
    }

    fn state(&self, seen: SeenState) -> KeychainState {
        let waiting = self.prompts.open.load(Ordering::SeqCst) > 0 || self.queue.is_stuck();
        match seen {
            SeenState::Unlocked | SeenState::Unknown if !waiting => {
                self.prompts.dismissed.store(false, Ordering::SeqCst);
                KeychainState::Ready
            }
            SeenState::Absent => KeychainState::Absent,
            _ if waiting => KeychainState::WaitingForPrompt,
            SeenState::Silent => KeychainState::Absent,
            _ if self.prompts.dismissed.load(Ordering::SeqCst) => KeychainState::Dismissed,
            _ => KeychainState::Locked,
        }
    }
}

/// What a look at the keychain from outside shows.
struct Seen {
    state: SeenState,
    name: &'static str,
}

/// Each system can tell some of these.
#[allow(dead_code, reason = "which of them can be seen depends on the system")]
enum SeenState {
    /// It is not there.
    Absent,
    /// It is there and locked.
    Locked,
    /// It is there and unlocked.
    Unlocked,
    /// It is there; whether it is locked only a use would show.
    Unknown,
    /// It did not answer in time.
    Silent,
}

impl SecretStore for NativeKeychain {
    fn write(
        &self,
        entry: EntryName,
        label: String,
        value: Secret,
    ) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(self.write_to(entry.user(), label, value))
    }

    fn read(&self, entry: EntryName) -> BoxFuture<'_, Result<Secret, KeychainError>> {
        Box::pin(self.read_from(entry.user()))
    }

    fn remove(&self, entry: EntryName) -> BoxFuture<'_, Result<bool, KeychainError>> {
        Box::pin(self.remove_from(entry.user()))
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(async move {
            // A name of its own each time: two probes at once must not see each other's entry.
            let user = format!("probe/{}", uuid::Uuid::new_v4());
            let label = "Palette Keys test entry".to_owned();
            let value = Secret::new("palette-keys-probe".to_owned());
            self.write_to(user.clone(), label, value).await?;
            self.remove_from(user).await.map(|_| ())
        })
    }

    fn view(&self) -> BoxFuture<'_, KeychainView> {
        Box::pin(self.look())
    }
}

/// Runs `act` with the entry, and once more on a new connection if the first one was lost.
fn on_entry<T>(
    keychain: &mut platform::Keychain,
    service: &str,
    user: &str,
    label: Option<&str>,
    given_up: &dyn Fn() -> bool,
    act: &dyn Fn(&keyring::Entry) -> keyring_core::Result<T>,
) -> Result<T, KeychainError> {
    let mut once = || -> Result<T, Trouble> {
        let entry = keychain.entry(service, user, label)?;
        // The keychain may have been unlocked long after the caller was told that it waits. A
        // value must not be written behind its back.
        if given_up() {
            return Err(KeychainError::Waiting.into());
        }
        act(&entry).map_err(|error| {
            let trouble = of_error(error);
            if matches!(trouble, Trouble::Lost) {
                keychain.forget();
            }
            trouble
        })
    };
    match once() {
        Err(Trouble::Lost) if !given_up() => match once() {
            Err(Trouble::Lost) => Err(KeychainError::Absent),
            Err(Trouble::Because(error)) => Err(error),
            Ok(done) => Ok(done),
        },
        Err(Trouble::Lost) => Err(KeychainError::Absent),
        Err(Trouble::Because(error)) => Err(error),
        Ok(done) => Ok(done),
    }
}

/// Turns the error of a store into ours at once: some of its variants hold the secret, and its
/// `Debug` prints them (trust.md 0.7). Those bytes are wiped here.
fn of_error(error: keyring_core::Error) -> Trouble {
    use keyring_core::Error;
    let error = match error {
        Error::NoEntry => KeychainError::ItemMissing,
        Error::Ambiguous(_) => KeychainError::Ambiguous,
        Error::NoDefaultStore => KeychainError::Absent,
        Error::BadEncoding(mut bytes) => {
            bytes.zeroize();
            KeychainError::Failed
        }
        Error::BadDataFormat(mut bytes, _) => {
            bytes.zeroize();
            KeychainError::Failed
        }
        Error::NoStorageAccess(cause) => {
            return platform::trouble(&*cause).unwrap_or(KeychainError::Locked.into());
        }
        Error::PlatformFailure(cause) => {
            return platform::trouble(&*cause).unwrap_or(KeychainError::Failed.into());
        }
        // Limits, unsupported operations, and whatever a later version adds.
        _ => KeychainError::Failed,
    };
    error.into()
}

/// The bytes of an entry, wiped when dropped before anybody read them.
struct Bytes(Vec<u8>);

impl Bytes {
    fn into_secret(mut self) -> Result<Secret, KeychainError> {
        match String::from_utf8(std::mem::take(&mut self.0)) {
            Ok(text) => Ok(Secret::new(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(KeychainError::Failed)
            }
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn because(error: keyring_core::Error) -> Option<KeychainError> {
        match of_error(error) {
            Trouble::Because(error) => Some(error),
            Trouble::Lost => None,
        }
    }

    #[test]
    fn each_error_of_a_store_becomes_one_without_content() {
        use keyring_core::Error;
        let cause = || Box::new(std::io::Error::other("a secret"));
        let cases = [
            (Error::NoEntry, KeychainError::ItemMissing),
            (Error::Ambiguous(Vec::new()), KeychainError::Ambiguous),
            (Error::NoDefaultStore, KeychainError::Absent),
            (Error::BadEncoding(b"a secret".to_vec()), KeychainError::Failed),
            (Error::BadDataFormat(b"a secret".to_vec(), cause()), KeychainError::Failed),
            (Error::BadStoreFormat("a secret".into()), KeychainError::Failed),
            (Error::TooLong("a secret".into(), 1), KeychainError::Failed),
            (Error::Invalid("a secret".into(), "x".into()), KeychainError::Failed),
            (Error::NotSupportedByStore("a secret".into()), KeychainError::Failed),
            (Error::NoStorageAccess(cause()), KeychainError::Locked),
            (Error::PlatformFailure(cause()), KeychainError::Failed),
        ];
        for (number, (error, expected)) in cases.into_iter().enumerate() {
            let ours = because(error);
            assert_eq!(ours, Some(expected), "case {number}");
            let words = format!("{ours:?} {expected} {:?}", expected.failure());
            assert!(!words.contains("a secret"), "case {number}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_secret() {
        assert_eq!(Bytes(vec![0xff]).into_secret().err(), Some(KeychainError::Failed));
        let secret = Bytes(b"value".to_vec()).into_secret().ok();
        assert!(secret.is_some_and(|secret| secret.same_as(&Secret::new("value".into()))));
    }
}
