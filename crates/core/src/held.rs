//! Values that were just made and that nobody has kept yet.
//!
//! Palette shows a value once. Until a person has it somewhere, it is held here,
//! in memory, whatever happens to the window.

use crate::{
    ErrorCode, Failure, Secret,
    connection::live::{Live, key_uid},
    keychain::{EntryName, key_label},
    keys::{
        ApiKey, KeyUid,
        activity::{Act, ActState},
        create, revoke, roll,
    },
    once::lock,
    ports::{Deed, Ports},
    snippet::{CopyShape, snippet},
    store::CreateIntent,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    io::Write,
    path::Path,
    sync::{Arc, Mutex},
};
use ts_rs::TS;

/// A held value as the window sees it: everything but the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct HeldView {
    /// The `op_id` of the creation: names the held value in later calls.
    pub held: String,
    /// Id of the connection.
    pub connection: String,
    /// None until the key was found in a fresh list.
    pub uid: Option<String>,
    /// The key's name.
    pub name: String,
    /// The person the key acts as.
    pub owner_name: String,
    /// The organization it was made in.
    pub organization: String,
    /// Milliseconds since 1970 UTC; none: never.
    #[ts(type = "number | null")]
    pub expires: Option<i64>,
    /// Number of characters, for the mask.
    pub length: u32,
    /// Whether it is in the keychain.
    pub saved: SavedState,
    /// Whether it was tried on the server.
    pub proof: ProofState,
    /// True once it was saved, copied, written to a file or shown.
    pub kept: bool,
}

/// Whether the value is in the keychain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum SavedState {
    /// Nobody asked for it.
    NotAsked,
    /// Written and read back.
    Saved,
    /// The keychain did not take it; the value is still held.
    Failed {
        /// Why.
        problem: crate::Failure,
    },
}

/// Whether the value was tried on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ProofState {
    /// Somebody else's key: not tried.
    NotTried,
    /// The server accepted it.
    Works {
        /// The person it acts as.
        acts_as: String,
    },
    /// The server did not accept it, or could not be asked.
    Failed {
        /// Why.
        problem: crate::Failure,
    },
}

/// Names one held value.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct HeldRequest {
    /// The `op_id` of the creation.
    pub held: String,
}

/// How a person leaves "Save your API key".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Finish {
    /// "Done": refused with `valueNotKept` when nobody kept it.
    Kept,
    /// "Revoke and close".
    RevokeAndClose,
}

/// Close the dialog.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FinishRequest {
    /// Made once for each thing a person does; a second call with the same one joins the first.
    pub op_id: String,
    /// The `op_id` of the creation.
    pub held: String,
    /// How it is left.
    pub finish: Finish,
}

/// Which value is meant.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum ValueSource {
    /// One that was just made.
    Held {
        /// The `op_id` of the creation.
        held: String,
    },
    /// One that is in the keychain.
    Stored {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: String,
    },
}

/// A value for the window that shows it. No `Debug`.
pub struct RevealedValue {
    /// The key's name.
    pub name: String,
    /// The value.
    pub secret: Secret,
}

/// Why something could not be done with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// It is not held any more.
    #[error(
        "This value is no longer held: it was closed, or the app was started again. Palette shows \
         a value once; if nobody kept it, make a new key."
    )]
    Gone,
    /// "Done", though nobody has it.
    #[error(
        "Nobody has kept this value yet. Copy or save it, or revoke the key: Palette never shows \
         it again."
    )]
    NotKept,
    /// The keychain has no value of that key.
    #[error("The value of this key is not in this computer's keychain.")]
    NotStored,
    /// The key was not found on the server yet, so its value has no name in the keychain.
    #[error(
        "The new key was not found in a list of the server yet, so its value cannot be filed. It \
         is still held: try again, or copy it."
    )]
    NotFoundYet,
    /// The file was not written.
    #[error("{0} Nothing was written.")]
    File(&'static str),
    /// The key could not be revoked for sure; the value is still held.
    #[error("The revocation of this key is not confirmed. Its value is still held: try again. {0}")]
    NotRevoked(String),
    /// Something below failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl From<HeldError> for Failure {
    fn from(error: HeldError) -> Self {
        let code = match error {
            HeldError::Gone => ErrorCode::ValueGone,
            HeldError::NotKept => ErrorCode::ValueNotKept,
            HeldError::NotStored => ErrorCode::ValueNotStored,
            HeldError::NotFoundYet | HeldError::NotRevoked(_) => ErrorCode::OutcomeUnknown,
            HeldError::File(_) => ErrorCode::FileFailed,
            HeldError::Failed(failure) => return failure,
        };
        Failure::new(code, error.to_string())
    }
}

/// Kept values whose dialog was never closed; the oldest beyond these are let go.
const KEPT_BUT_OPEN: usize = 20;

/// The held values of this run, oldest first.
#[derive(Default)]
pub(crate) struct HeldValues(Mutex<Vec<Held>>);

struct Held {
    view: HeldView,
    value: Secret,
    /// How often it was handed out and not given back.
    taken: u32,
    /// The intent of its creation, forgotten on disk because somebody has the value.
    intent: Option<CreateIntent>,
}

impl HeldValues {
    /// Holds a value that was just made.
    pub(crate) fn hold(&self, view: HeldView, value: Secret) {
        let mut held = lock(&self.0);
        let mut kept = held.iter().filter(|held| held.view.kept).count();
        held.retain(|held| {
            let let_go = held.view.kept && kept > KEPT_BUT_OPEN;
            kept -= usize::from(let_go);
            !let_go
        });
        held.push(Held { view, value, taken: 0, intent: None });
    }

    /// Values that nobody has kept yet.
    pub(crate) fn not_kept(&self) -> Vec<HeldView> {
        lock(&self.0).iter().filter(|held| !held.view.kept).map(|held| held.view.clone()).collect()
    }

    /// No value is held, kept or not.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// One held value.
    pub(crate) fn view(&self, held: &str) -> Result<HeldView, HeldError> {
        self.with(held, |held| held.view.clone())
    }

    /// Changes what is known of a held value.
    pub(crate) fn change(
        &self,
        held: &str,
        change: impl FnOnce(&mut HeldView),
    ) -> Result<HeldView, HeldError> {
        self.with(held, |held| {
            change(&mut held.view);
            held.view.kept = held.taken > 0 || held.view.saved == SavedState::Saved;
            held.view.clone()
        })
    }

    /// The value, without handing it out.
    pub(crate) fn value(&self, held: &str) -> Result<Secret, HeldError> {
        self.with(held, |held| held.value.clone())
    }

    /// The value of a key, if it is held.
    pub(crate) fn value_of(&self, connection: &str, uid: &KeyUid) -> Option<Secret> {
        lock(&self.0)
            .iter()
            .find(|held| {
                held.view.connection == connection && held.view.uid.as_deref() == Some(uid.as_str())
            })
            .map(|held| held.value.clone())
    }

    /// The connection and uid of the held value that is this one.
    pub(crate) fn find(&self, value: &Secret) -> Option<(String, Option<String>)> {
        let all = lock(&self.0);
        let held = all.iter().find(|held| held.value.same_as(value))?;
        Some((held.view.connection.clone(), held.view.uid.clone()))
    }

    /// The value is handed out: it counts as kept.
    fn take(&self, held: &str) -> Result<(HeldView, Secret), HeldError> {
        self.with(held, |held| {
            held.taken += 1;
            held.view.kept = true;
            (held.view.clone(), held.value.clone())
        })
    }

    /// It did not arrive where it was handed out to.
    fn give_back(&self, held: &str) -> Result<HeldView, HeldError> {
        self.with(held, |held| held.taken = held.taken.saturating_sub(1))?;
        self.change(held, |_| {})
    }

    /// Remembers an intent that is forgotten on disk.
    pub(crate) fn put_aside(&self, held: &str, intent: CreateIntent) {
        // A value that is let go needs no intent any more.
        let _ = self.with(held, |held| held.intent = Some(intent));
    }

    /// The intent that was put aside.
    pub(crate) fn take_aside(&self, held: &str) -> Option<CreateIntent> {
        self.with(held, |held| held.intent.take()).ok().flatten()
    }

    /// Lets go of every value of a connection.
    pub(crate) fn drop_all_of(&self, connection: &str) {
        lock(&self.0).retain(|known| known.view.connection != connection);
    }

    /// Lets go of a value.
    pub(crate) fn drop_value(&self, held: &str) {
        lock(&self.0).retain(|known| known.view.held != held);
    }

    fn with<R>(&self, held: &str, f: impl FnOnce(&mut Held) -> R) -> Result<R, HeldError> {
        lock(&self.0).iter_mut().find(|known| known.view.held == held).map(f).ok_or(HeldError::Gone)
    }
}

/// Files a held value in the keychain: written, read back, and only then said to be saved. A
/// failure is remembered in the view, and the value is still held.
pub(crate) async fn save_to_keychain(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    held: &str,
) -> Result<HeldView, HeldError> {
    let view = ports.held.view(held)?;
    if view.saved == SavedState::Saved {
        return Ok(view);
    }
    let uid = match view.uid.as_deref().and_then(KeyUid::new) {
        Some(uid) => uid,
        None => create::find_held(ports, live, held).await?.ok_or(HeldError::NotFoundYet)?,
    };
    let deed = Deed {
        act: Act::SaveToKeychain,
        key_uid: uid.as_str(),
        key_name: &view.name,
        owner_name: &view.owner_name,
        detail: "Write to the keychain and read back",
    };
    let asked = ports.ask(live, &deed)?;
    match file_value(ports, live, held, &uid, &view.name).await {
        Ok(()) => {
            asked.done("Written to the keychain and read back");
            Ok(ports.held.view(held)?)
        }
        Err(problem) => {
            asked.failed(&problem);
            Err(problem.into())
        }
    }
}

/// Writes the value to the keychain and notes the outcome in the held value.
pub(crate) async fn file_value(
    ports: &Ports,
    live: &Live,
    held: &str,
    uid: &KeyUid,
    key_name: &str,
) -> Result<(), Failure> {
    let value = ports.held.value(held)?;
    let connection = live.id();
    let entry = EntryName::key_value(&*connection, uid.clone());
    let label = key_label(key_name, &live.name());
    let mut written = ports.keychain.write(entry, label, value).await.map_err(|e| e.failure());
    if written.is_ok() {
        // Secret first, index second. Without the index nobody would find it again.
        written = ports
            .store
            .mark_stored(&connection, uid.as_str(), key_name, ports.now())
            .map_err(|error| error.failure());
    }
    let saved = match &written {
        Ok(()) => SavedState::Saved,
        Err(problem) => SavedState::Failed { problem: problem.clone() },
    };
    ports.held.change(held, |view| view.saved = saved)?;
    if written.is_ok() {
        create::value_is_kept(ports, held);
        live.tell_changed(ports);
    }
    written
}

/// Writes a held value to a file that only its owner may read.
pub(crate) async fn save_to_file(
    ports: &Ports,
    live: &Live,
    held: &str,
    path: &Path,
) -> Result<HeldView, HeldError> {
    let view = ports.held.view(held)?;
    let value = ports.held.value(held)?;
    let deed = Deed {
        act: Act::SaveToFile,
        key_uid: view.uid.as_deref().unwrap_or_default(),
        key_name: &view.name,
        owner_name: &view.owner_name,
        detail: "Write to a file",
    };
    let asked = ports.ask(live, &deed)?;
    match write_private(path, value).await {
        Ok(()) => {
            asked.done("Written to a file that only you may read");
            let (view, _) = ports.held.take(held)?;
            create::value_is_kept(ports, held);
            Ok(view)
        }
        Err(error) => {
            let error = HeldError::File(error);
            asked.failed(&error.clone().into());
            Err(error)
        }
    }
}

/// Closes "Save your API key". A value that nobody kept is let go only with its key.
pub(crate) async fn finish(
    ports: &Arc<Ports>,
    live: &Arc<Live>,
    held: &str,
    finish: Finish,
    op_id: &str,
) -> Result<(), HeldError> {
    let view = ports.held.view(held)?;
    match finish {
        Finish::Kept if !view.kept => return Err(HeldError::NotKept),
        Finish::Kept => {}
        Finish::RevokeAndClose => {
            let uid = match view.uid.as_deref().and_then(KeyUid::new) {
                Some(uid) => uid,
                None => {
                    create::find_held(ports, live, held).await?.ok_or(HeldError::NotFoundYet)?
                }
            };
            let revoked = revoke::revoke(ports, live, &uid, op_id).await?;
            match revoked.view {
                revoke::RevokeView::Confirmed { .. } => {}
                // It happens, whether this dialog is open or not.
                revoke::RevokeView::Unconfirmed { .. } if revoked.recorded => {}
                revoke::RevokeView::Unconfirmed { problem } => {
                    return Err(HeldError::NotRevoked(problem.message));
                }
            }
        }
    }
    create::value_is_kept(ports, held);
    ports.held.drop_value(held);
    roll::handed_over(ports, live, held, finish == Finish::Kept).await;
    Ok(())
}

/// A value for the clipboard or the reveal window. It counts as kept from here on; whoever cannot
/// deliver it says so with [`not_taken`].
pub(crate) async fn take(
    ports: &Ports,
    live: &Live,
    source: &ValueSource,
    shape: CopyShape,
    act: Act,
) -> Result<RevealedValue, HeldError> {
    let detail = match (act, shape) {
        (Act::Reveal, _) => "Shown in a window of its own".to_owned(),
        (_, CopyShape::Value) => "Copied".to_owned(),
        (_, shape) => format!("Copied as {}", shape_words(shape)),
    };
    let (name, owner_name, uid, value) = match source {
        ValueSource::Held { held } => {
            let view = ports.held.view(held)?;
            (view.name, view.owner_name, view.uid.unwrap_or_default(), ports.held.value(held)?)
        }
        ValueSource::Stored { connection, uid } => {
            let uid = key_uid(uid)?;
            let stored = ports.store.stored_uids(connection).map_err(|error| error.failure())?;
            if !stored.contains(uid.as_str()) {
                return Err(HeldError::NotStored);
            }
            let entry = EntryName::key_value(&**connection, uid.clone());
            let value = ports.keychain.read(entry).await.map_err(|error| error.failure())?;
            let key = live.known_key(ports, &uid);
            let (name, owner) =
                key.map(|ApiKey { name, owner_name, .. }| (name, owner_name)).unwrap_or_default();
            (name, owner, uid.as_str().to_owned(), value)
        }
    };
    let deed =
        Deed { act, key_uid: &uid, key_name: &name, owner_name: &owner_name, detail: &detail };
    ports.note(live, &deed, ActState::Done)?;
    if let ValueSource::Held { held } = source {
        ports.held.take(held)?;
        create::value_is_kept(ports, held);
    }
    let (origin, host) = {
        let view = live.view();
        (view.origin, view.host)
    };
    Ok(RevealedValue { name, secret: snippet(shape, &origin, &host, &value) })
}

/// A value that was handed out did not arrive: nobody has it from that.
pub(crate) fn not_taken(
    ports: &Ports,
    live: &Live,
    source: &ValueSource,
    act: Act,
) -> Result<(), HeldError> {
    let (held, name, uid) = match source {
        ValueSource::Held { held } => {
            let view = ports.held.give_back(held)?;
            if !view.kept {
                create::value_is_not_kept(ports, &view.held);
            }
            (Some(view.owner_name), view.name, view.uid.unwrap_or_default())
        }
        ValueSource::Stored { uid, .. } => {
            let key = live.known_key(ports, &key_uid(uid)?);
            (None, key.map(|key| key.name).unwrap_or_default(), uid.clone())
        }
    };
    let deed = Deed {
        act,
        key_uid: &uid,
        key_name: &name,
        owner_name: held.as_deref().unwrap_or_default(),
        detail: "The value did not arrive",
    };
    Ok(ports.note(live, &deed, ActState::Failed)?)
}

fn shape_words(shape: CopyShape) -> &'static str {
    match shape {
        CopyShape::Value => "the value",
        CopyShape::SpectrocloudExport => "SPECTROCLOUD_APIKEY export",
        CopyShape::PaletteExport => "PALETTE_API_KEY export",
        CopyShape::Curl => "curl",
        CopyShape::TerraformProvider => "Terraform provider block",
        CopyShape::Tfvars => ".tfvars line",
        CopyShape::Powershell => "PowerShell variables",
        CopyShape::Dotenv => ".env lines",
        CopyShape::McpServer => "MCP server configuration",
        CopyShape::Go => "Go",
        CopyShape::Typescript => "TypeScript",
        CopyShape::Python => "Python",
    }
}

/// Writes a value and a line break to `path`, readable by its owner only, whole or not at all. On a
/// plain thread: a network drive may take its time.
async fn write_private(path: &Path, value: Secret) -> Result<(), &'static str> {
    let path = path.to_owned();
    written_by(move || {
        // EXPOSE: into the file that the person picked for it
        write_whole(&path, &[value.expose_secret().as_bytes(), b"\n"])
    })
    .await
}

/// Writes a text that is no secret to `path`, as [`write_private`] does.
pub(crate) async fn write_text(path: &Path, text: String) -> Result<(), &'static str> {
    let path = path.to_owned();
    written_by(move || write_whole(&path, &[text.as_bytes()])).await
}

async fn written_by(
    write: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<(), &'static str> {
    let (done, written) = tokio::sync::oneshot::channel();
    let writer = move || {
        let _ = done.send(write());
    };
    let started = std::thread::Builder::new().name("value-file".into()).spawn(writer);
    let written = match started {
        Ok(_) => written.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::Other))),
        Err(error) => Err(error),
    };
    written.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "That folder may not be written."
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "The disk is full.",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "That folder does not exist.",
        io::ErrorKind::IsADirectory => "That is a folder, not a file.",
        _ => "The file could not be written.",
    })
}

fn write_whole(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::IsADirectory.into());
    };
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}", uuid::Uuid::new_v4()));
    let beside = dir.join(beside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let whole = options.open(&beside).and_then(|mut file| {
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if whole.is_err() {
        let _ = fs::remove_file(&beside);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(held: &str) -> HeldView {
        HeldView {
            held: held.into(),
            connection: "c1".into(),
            uid: Some("k1".into()),
            name: "ci".into(),
            owner_name: "Jane Doe".into(),
            organization: "acme".into(),
            expires: None,
            length: 3,
            saved: SavedState::NotAsked,
            proof: ProofState::NotTried,
            kept: false,
        }
    }

    #[test]
    fn a_value_counts_as_kept_while_somebody_has_it() {
        let values = HeldValues::default();
        values.hold(view("a"), Secret::new("abc".into()));
        assert_eq!(values.not_kept().len(), 1);
        values.take("a").unwrap();
        values.take("a").unwrap();
        assert_eq!(values.not_kept().len(), 0);
        assert!(values.give_back("a").unwrap().kept, "the first taker has it");
        assert!(!values.give_back("a").unwrap().kept);
        assert_eq!(values.not_kept().len(), 1);
        assert!(values.change("a", |view| view.saved = SavedState::Saved).unwrap().kept);
        assert!(values.value_of("c1", &KeyUid::new("k1").unwrap()).is_some());
        assert!(values.value_of("c2", &KeyUid::new("k1").unwrap()).is_none());
        values.drop_value("a");
        assert_eq!(values.view("a"), Err(HeldError::Gone));
    }

    #[test]
    fn what_nobody_kept_is_never_let_go() {
        let values = HeldValues::default();
        for number in 0..100 {
            values.hold(view(&format!("kept {number}")), Secret::new("abc".into()));
            values.take(&format!("kept {number}")).unwrap();
            values.hold(view(&format!("open {number}")), Secret::new("abc".into()));
        }
        assert_eq!(values.not_kept().len(), 100);
        assert!(values.view("kept 0").is_err());
        assert!(values.view("kept 99").is_ok());
    }

    #[tokio::test]
    async fn a_value_goes_to_a_file_of_its_owner_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ci.key");
        fs::write(&path, "older, longer text").unwrap();
        write_private(&path, Secret::new("abc".into())).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "abc\n");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let absent = dir.path().join("absent").join("ci.key");
        let refused = write_private(&absent, Secret::new("abc".into())).await;
        assert_eq!(refused, Err("That folder does not exist."));
        let refused = write_private(dir.path(), Secret::new("abc".into())).await;
        assert_eq!(refused, Err("That is a folder, not a file."));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left over");
    }
}
