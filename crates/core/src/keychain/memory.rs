//! A keychain in memory: for tests, and for "keep in memory until quit".

use super::{
    BoxFuture, EntryName, KeychainError, KeychainState, KeychainView, SecretStore, is_bare_value,
    view_of,
};
use crate::Secret;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keeps entries until it is dropped; clones share them. Its state and its next failures can be
/// set, so that every path of a caller can be walked without a desktop.
#[derive(Clone, Default)]
pub struct MemoryKeychain {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    state: KeychainState,
    entries: HashMap<EntryName, Kept>,
    fail_writes: VecDeque<KeychainError>,
    fail_reads: VecDeque<KeychainError>,
    fail_removals: VecDeque<KeychainError>,
    writes: usize,
    reads: usize,
}

struct Kept {
    label: String,
    value: Secret,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            state: KeychainState::Ready,
            entries: HashMap::new(),
            fail_writes: VecDeque::new(),
            fail_reads: VecDeque::new(),
            fail_removals: VecDeque::new(),
            writes: 0,
            reads: 0,
        }
    }
}

impl Shared {
    fn reachable(&self) -> Result<(), KeychainError> {
        match self.state {
            KeychainState::Ready => Ok(()),
            KeychainState::Absent => Err(KeychainError::Absent),
            KeychainState::Locked => Err(KeychainError::Locked),
            KeychainState::Dismissed => Err(KeychainError::Dismissed),
            KeychainState::WaitingForPrompt => Err(KeychainError::Waiting),
        }
    }
}

impl MemoryKeychain {
    /// An empty keychain that is ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on it stands so; everything but `view` fails unless it is ready.
    pub fn set_state(&self, state: KeychainState) {
        self.lock().state = state;
    }

    /// The next write that would have worked fails so (the write of a probe counts too). Calls add up.
    pub fn fail_next_write(&self, error: KeychainError) {
        self.lock().fail_writes.push_back(error);
    }

    /// The next read that would have worked fails so. Calls add up.
    pub fn fail_next_read(&self, error: KeychainError) {
        self.lock().fail_reads.push_back(error);
    }

    /// The next removal that would have worked fails so. Calls add up.
    pub fn fail_next_removal(&self, error: KeychainError) {
        self.lock().fail_removals.push_back(error);
    }

    /// The names of all entries, in no order.
    pub fn names(&self) -> Vec<EntryName> {
        self.lock().entries.keys().cloned().collect()
    }

    /// The label of an entry.
    pub fn label(&self, entry: &EntryName) -> Option<String> {
        self.lock().entries.get(entry).map(|kept| kept.label.clone())
    }

    /// How many writes were asked for, failed ones and probes included.
    pub fn writes(&self) -> usize {
        self.lock().writes
    }

    /// How many reads were asked for, failed ones included.
    pub fn reads(&self) -> usize {
        self.lock().reads
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretStore for MemoryKeychain {
    fn write(
        &self,
        entry: EntryName,
        label: String,
        value: Secret,
    ) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(async move {
            let mut shared = self.lock();
            shared.writes += 1;
            shared.reachable()?;
            if let Some(error) = shared.fail_writes.pop_front() {
                return Err(error);
            }
            // EXPOSE: looked at for characters an entry may not have; not kept
            if !is_bare_value(value.expose_secret()) {
                return Err(KeychainError::Failed);
            }
            shared.entries.insert(entry, Kept { label, value });
            Ok(())
        })
    }

    fn read(&self, entry: EntryName) -> BoxFuture<'_, Result<Secret, KeychainError>> {
        Box::pin(async move {
            let mut shared = self.lock();
            shared.reads += 1;
            shared.reachable()?;
            if let Some(error) = shared.fail_reads.pop_front() {
                return Err(error);
            }
            let kept = shared.entries.get(&entry).ok_or(KeychainError::ItemMissing)?;
            Ok(kept.value.clone())
        })
    }

    fn remove(&self, entry: EntryName) -> BoxFuture<'_, Result<bool, KeychainError>> {
        Box::pin(async move {
            let mut shared = self.lock();
            shared.reachable()?;
            if let Some(error) = shared.fail_removals.pop_front() {
                return Err(error);
            }
            Ok(shared.entries.remove(&entry).is_some())
        })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), KeychainError>> {
        Box::pin(async move {
            let mut shared = self.lock();
            shared.writes += 1;
            shared.reachable()?;
            shared.fail_writes.pop_front().map_or(Ok(()), Err)
        })
    }

    fn view(&self) -> BoxFuture<'_, KeychainView> {
        Box::pin(async move { view_of(self.lock().state, "Keychain") })
    }
}
