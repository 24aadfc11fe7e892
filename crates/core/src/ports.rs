//! What every operation is given: where things are kept, what time it is, whom to tell.

use crate::{
    ErrorCode, Failure,
    api::{ClientSettings, PaletteClient},
    clock::Clock,
    connection::live::Live,
    found::FoundValues,
    held::HeldValues,
    keychain::SecretStore,
    keys::{
        ApiKey,
        activity::{Act, ActState},
        create::AtWork,
    },
    once::{Tasks, lock},
    outbox::Outbox,
    palette_keys::{Change, Timing},
    review::{self, policy::PolicyFile},
    settings::Settings,
    store::{JournalEntry, JournalId, JournalOutcome, Store},
};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock},
};

/// Somebody who is told about changes.
pub(crate) type Listener = Arc<dyn Fn(Change) + Send + Sync>;

/// The outside of the product, passed in.
pub(crate) struct Ports {
    pub(crate) store: Store,
    pub(crate) keychain: Arc<dyn SecretStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) held: HeldValues,
    pub(crate) found: FoundValues,
    pub(crate) at_work: AtWork,
    pub(crate) tasks: Tasks,
    pub(crate) timing: Timing,
    pub(crate) listeners: RwLock<Vec<Listener>>,
    pub(crate) outbox: Outbox,
    pub(crate) revisions: Mutex<Revisions>,
    pub(crate) policy: PolicyFile,
}

/// The number of the last change of each connection's list.
#[derive(Default)]
pub(crate) struct Revisions {
    last: u64,
    of: HashMap<String, u64>,
}

impl Ports {
    /// This computer's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A client for one connection. Nothing is sent.
    pub(crate) fn client(&self, settings: ClientSettings) -> Result<PaletteClient, Failure> {
        PaletteClient::open_with(settings, Arc::clone(&self.clock), self.timing.limits.clone())
            .map_err(|error| error.failure())
    }

    /// The settings; the defaults when they cannot be read, since no reading should stop for them.
    pub(crate) fn settings(&self) -> Settings {
        self.store.settings().unwrap_or_default()
    }

    /// Longest life in days that a key may get: of the settings or the policy, the shorter one.
    pub(crate) fn longest_life(&self) -> Option<u32> {
        review::joined(&self.policy.state().policy, &self.settings()).longest_life_days
    }

    /// Reads the policy file again.
    pub(crate) fn read_policy(&self) {
        self.policy.read(&self.store, self.settings().policy_path.as_deref());
    }

    /// Something that a list view of this connection shows has changed.
    pub(crate) fn keys_changed(&self, connection: &str) {
        let revision = {
            let mut revisions = lock(&self.revisions);
            // One count for all, so that a connection that was removed and made anew goes on.
            revisions.last += 1;
            let revision = revisions.last;
            revisions.of.insert(connection.to_owned(), revision);
            revision
        };
        self.tell(Change::Keys { connection: connection.to_owned(), revision });
    }

    /// Which state of the list of this connection is the present one. A view made after this was
    /// asked shows it, or a later one.
    pub(crate) fn revision(&self, connection: &str) -> u64 {
        lock(&self.revisions).of.get(connection).copied().unwrap_or_default()
    }

    /// Tells everybody who listens. Never called with a lock held.
    pub(crate) fn tell(&self, change: Change) {
        let listeners = match self.listeners.read() {
            Ok(listeners) => listeners.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        };
        for listener in listeners {
            listener(change.clone());
        }
    }

    /// Writes down what is about to be done to a connection or key. Nothing is sent when this
    /// fails. (Revocations and deletions have their lines from the outbox, and go ahead.)
    pub(crate) fn ask(&self, live: &Live, deed: &Deed<'_>) -> Result<Asked<'_>, Failure> {
        let entry = self.entry(live, deed);
        let id = self.store.ask(&entry).map_err(|error| {
            let failure = error.failure();
            Failure::new(failure.code, format!("{} Nothing was sent.", failure.message))
        })?;
        Ok(Asked { ports: self, connection: entry.connection, id: Some(id) })
    }

    /// Writes down something that happened on this computer at once.
    pub(crate) fn note(
        &self,
        live: &Live,
        deed: &Deed<'_>,
        state: ActState,
    ) -> Result<(), Failure> {
        self.store.note(&self.entry(live, deed), state).map(drop).map_err(|error| error.failure())
    }

    pub(crate) fn entry(&self, live: &Live, deed: &Deed<'_>) -> JournalEntry {
        let record = live.record();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        JournalEntry {
            connection: record.id,
            connection_name: record.name,
            act: deed.act,
            key_uid: some(deed.key_uid),
            key_name: some(deed.key_name),
            owner_name: some(deed.owner_name),
            detail: deed.detail.to_owned(),
            at: self.now(),
        }
    }
}

/// Something that is done, for the journal. Empty texts are not known. Never a secret.
#[derive(Clone, Copy)]
pub(crate) struct Deed<'a> {
    pub(crate) act: Act,
    pub(crate) key_uid: &'a str,
    pub(crate) key_name: &'a str,
    pub(crate) owner_name: &'a str,
    pub(crate) detail: &'a str,
}

impl<'a> Deed<'a> {
    /// Something done to a connection.
    pub(crate) fn of_connection(act: Act, detail: &'a str) -> Self {
        Self { act, key_uid: "", key_name: "", owner_name: "", detail }
    }

    /// Something done to a key.
    pub(crate) fn of_key(act: Act, key: &'a ApiKey, detail: &'a str) -> Self {
        Self {
            act,
            key_uid: key.uid.as_str(),
            key_name: &key.name,
            owner_name: &key.owner_name,
            detail,
        }
    }
}

/// A line of the journal that waits for its outcome. Without one it keeps saying "asked", which is
/// the truth when the app ended in between.
#[must_use]
pub(crate) struct Asked<'a> {
    ports: &'a Ports,
    connection: String,
    id: Option<JournalId>,
}

impl Asked<'_> {
    /// It takes back what another line did.
    pub(crate) fn undoes(&self, undone: Option<JournalId>) {
        let (Some(line), Some(undone)) = (self.id, undone) else { return };
        // Without it the line says the same, only not that it was an undo.
        if self.ports.store.undoes(line, undone).is_err() {
            tracing::warn!("that a line is an undo could not be written down");
        }
    }

    /// It was done.
    pub(crate) fn done(self, detail: &str) {
        self.ended(ActState::Done, detail, |_| {});
    }

    /// It was done to a key: as it was, and as it was read back.
    pub(crate) fn changed(self, detail: &str, before: Option<&ApiKey>, after: Option<&ApiKey>) {
        self.ended(ActState::Done, detail, |outcome| {
            outcome.before = before.cloned();
            outcome.after = after.cloned();
        });
    }

    /// It was not done.
    pub(crate) fn failed(self, failure: &Failure) {
        self.ended(ActState::Failed, &in_words(failure), |_| {});
    }

    /// Any end, with more to say.
    pub(crate) fn ended(
        self,
        state: ActState,
        detail: &str,
        more: impl FnOnce(&mut JournalOutcome),
    ) {
        let Some(id) = self.id else { return };
        let mut outcome = JournalOutcome::new(state, detail, self.ports.now());
        more(&mut outcome);
        // The line of the asking stays and says so; what was done cannot be undone by this.
        if self.ports.store.outcome(id, &outcome).is_err() {
            tracing::warn!("the outcome of an act could not be written down");
        }
        self.ports.tell(Change::Activity { connection: self.connection });
    }
}

/// A failure as the journal tells it: the codes of the server's answer come last.
fn in_words(failure: &Failure) -> String {
    let Failure { message, details: Some(details), .. } = failure else {
        return failure.message.clone();
    };
    let status = details.status.map(|status| status.to_string());
    let codes: Vec<String> = status.into_iter().chain(details.server_code.clone()).collect();
    if codes.is_empty() { message.clone() } else { format!("{message} ({})", codes.join(" ")) }
}

/// A mistake of ours: said as such, with what is known.
pub(crate) fn internal(message: &str) -> Failure {
    Failure::new(ErrorCode::Internal, message)
}
