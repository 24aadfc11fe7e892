//! Values: held, filed, written, copied, shown; never in a view, never let go unkept.

use crate::desk::{Desk, op, saved};
use palette_keys_core::ErrorCode;
use palette_keys_core::held::{Finish, FinishRequest, HeldRequest, HeldView, ValueSource};
use palette_keys_core::keychain::{EntryName, KeychainError, KeychainState};
use palette_keys_core::keys::KeyUid;
use palette_keys_core::keys::activity::{Act, ActState};
use palette_keys_core::keys::create::CreateRequest;
use palette_keys_core::snippet::{CopyRequest, CopyShape};
use palette_sim::{Fault, Matcher};

/// A new value that nobody has kept yet, and what it is.
async fn unkept(desk: &Desk, name: &str) -> (HeldView, String) {
    let request = CreateRequest { save_to_keychain: false, ..desk.new_key(name) };
    let held = desk.created(&request).await;
    let value = desk.sim.key_named(name).unwrap().value;
    (held, value)
}

fn of(held: &HeldView) -> ValueSource {
    ValueSource::Held { held: held.held.clone() }
}

async fn copied(desk: &Desk, source: ValueSource, shape: CopyShape) -> String {
    let secret = desk.keys.copy_text(&CopyRequest { source, shape }).await.unwrap();
    // EXPOSE: compared by a test with what the simulator made
    secret.expose_secret().to_owned()
}

fn finish(held: &HeldView, finish: Finish) -> FinishRequest {
    FinishRequest { op_id: op(), held: held.held.clone(), finish }
}

#[tokio::test]
async fn a_value_is_let_go_only_after_somebody_kept_it() {
    let desk = Desk::admin().await;
    let (held, value) = unkept(&desk, "a").await;
    assert_eq!(desk.keys.held_values(), std::slice::from_ref(&held));
    assert_eq!(desk.keys.start().await.unwrap().held, std::slice::from_ref(&held));
    let refused = desk.keys.finish_held(finish(&held, Finish::Kept)).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ValueNotKept);

    assert_eq!(copied(&desk, of(&held), CopyShape::Value).await, value);
    assert!(desk.keys.held_values().is_empty());
    let name = HeldRequest { held: held.held.clone() };
    assert!(desk.keys.held_value(&name).unwrap().kept);
    desk.keys.finish_held(finish(&held, Finish::Kept)).await.unwrap();
    let gone = desk.keys.held_value(&name).unwrap_err();
    assert_eq!(gone.code, ErrorCode::ValueGone);
    assert!(desk.store().intents(None).unwrap().is_empty());
    assert_eq!(desk.line(Act::Copy).key_uid, held.uid);
    desk.nowhere_on_disk(&value);
}

#[tokio::test]
async fn the_app_is_at_rest_only_while_nothing_would_be_lost() {
    async fn rests(desk: &Desk) -> bool {
        for _ in 0..400 {
            if desk.keys.at_work().is_none() {
                return true;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        false
    }
    let desk = Desk::admin().await;
    assert!(rests(&desk).await, "signed in from the keychain, its list on disk");
    assert!(desk.keys.could_sign_in_anew().await);
    let (held, _) = unkept(&desk, "a").await;
    assert!(desk.keys.at_work().is_some(), "a value that only this process has");
    copied(&desk, of(&held), CopyShape::Value).await;
    assert!(desk.keys.at_work().is_some(), "the dialog of the value may still be open");
    desk.keys.finish_held(finish(&held, Finish::Kept)).await.unwrap();
    assert!(rests(&desk).await);
    desk.keychain.set_state(KeychainState::Locked);
    assert!(
        !desk.keys.could_sign_in_anew().await,
        "another run would have to ask for the keychain"
    );
}

#[tokio::test]
async fn a_copy_that_did_not_arrive_does_not_count() {
    let mut desk = Desk::admin().await;
    let (held, _) = unkept(&desk, "a").await;
    copied(&desk, of(&held), CopyShape::Curl).await;
    desk.keys.copy_failed(&of(&held)).unwrap();
    assert_eq!(desk.keys.held_values().len(), 1);
    desk.line_ended(Act::Copy, ActState::Failed);
    desk.crash();
    let offered = desk.list(true).await.lost_creations;
    assert_eq!(offered.len(), 1, "after a crash it is a key whose value nobody has");
    assert_eq!(offered[0].candidates[0].name, "a");
}

#[tokio::test]
async fn a_copied_value_is_not_offered_as_lost_after_a_restart() {
    let mut desk = Desk::admin().await;
    let (held, _) = unkept(&desk, "a").await;
    desk.keys.reveal_value(&of(&held)).await.unwrap();
    desk.crash();
    assert!(desk.list(true).await.lost_creations.is_empty());
}

#[tokio::test]
async fn revoke_and_close_revokes_first() {
    let desk = Desk::admin().await;
    let (held, _) = unkept(&desk, "a").await;
    let uid = held.uid.clone().unwrap();
    let state = Matcher::on("PUT", &format!("/v1/apiKeys/{uid}/state"));
    desk.sim.set_fault(state, Fault::status(204, "application/json", ""), Some(1));
    desk.keys.finish_held(finish(&held, Finish::RevokeAndClose)).await.unwrap();
    // Not confirmed at once, but written down: it happens, whether the dialog is open or not.
    desk.drained().await;
    assert!(!desk.sim.key(&uid).unwrap().active);
    assert!(desk.keys.held_values().is_empty());
    assert!(desk.list(false).await.lost_creations.is_empty());
}

#[tokio::test]
async fn a_value_is_filed_and_read_back_when_asked() {
    let desk = Desk::admin().await;
    let (held, value) = unkept(&desk, "ci").await;
    desk.keychain.set_state(KeychainState::Locked);
    let name = HeldRequest { held: held.held.clone() };
    let locked = desk.keys.save_held_to_keychain(name.clone()).await.unwrap_err();
    assert_eq!(locked.code, ErrorCode::KeychainLocked);
    desk.keychain.set_state(KeychainState::Ready);
    assert!(saved(&desk.keys.save_held_to_keychain(name.clone()).await.unwrap()));
    let writes = desk.keychain.writes();
    assert!(saved(&desk.keys.save_held_to_keychain(name).await.unwrap()));
    assert_eq!(desk.keychain.writes(), writes, "saved is saved");

    let uid = held.uid.clone().unwrap();
    assert_eq!(desk.stored_value(&uid).await.as_ref(), Some(&value));
    let entry = EntryName::key_value(&*desk.connection, KeyUid::new(&uid).unwrap());
    assert_eq!(desk.keychain.label(&entry).as_deref(), Some("Palette API key: ci (acme)"));
    desk.line_ended(Act::SaveToKeychain, ActState::Done);
    desk.keys.finish_held(finish(&held, Finish::Kept)).await.unwrap();
}

#[tokio::test]
async fn a_value_goes_to_a_file() {
    let desk = Desk::admin().await;
    let (held, value) = unkept(&desk, "ci").await;
    let folder = tempfile::tempdir().unwrap();
    let name = HeldRequest { held: held.held.clone() };
    let nowhere = folder.path().join("absent").join("ci.key");
    let refused = desk.keys.save_held_to_file(name.clone(), &nowhere).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::FileFailed);
    assert_eq!(desk.keys.held_values().len(), 1);
    let path = folder.path().join("ci.key");
    assert!(desk.keys.save_held_to_file(name, &path).await.unwrap().kept);
    assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{value}\n"));
    desk.line_ended(Act::SaveToFile, ActState::Done);
}

#[tokio::test]
async fn stored_values_come_from_the_keychain() {
    let desk = Desk::admin().await;
    let held = desk.created(&desk.new_key("ci")).await;
    desk.keys.finish_held(finish(&held, Finish::Kept)).await.unwrap();
    let uid = held.uid.unwrap();
    let value = desk.sim.key(&uid).unwrap().value;
    let stored = || ValueSource::Stored { connection: desk.connection.clone(), uid: uid.clone() };
    assert_eq!(copied(&desk, stored(), CopyShape::Value).await, value);
    let host = desk.sim.host();
    assert_eq!(
        copied(&desk, stored(), CopyShape::PaletteExport).await,
        format!("export PALETTE_HOST={host} PALETTE_API_KEY={value}")
    );
    assert!(copied(&desk, stored(), CopyShape::Curl).await.contains(&desk.sim.origin()));
    let shown = desk.keys.reveal_value(&stored()).await.unwrap();
    assert_eq!(shown.name, "ci");
    desk.line_ended(Act::Reveal, ActState::Done);

    let lines = desk.activity().len();
    let other = desk.listed("nightly-backup").await.uid;
    let absent = ValueSource::Stored { connection: desk.connection.clone(), uid: other };
    let refused = desk.keys.reveal_value(&absent).await.err().unwrap();
    assert_eq!(refused.code, ErrorCode::ValueNotStored);
    desk.keychain.fail_next_read(KeychainError::Locked);
    let locked = desk.keys.reveal_value(&stored()).await.err().unwrap();
    assert_eq!(locked.code, ErrorCode::KeychainLocked);
    assert_eq!(desk.activity().len(), lines, "what was not handed out is not written down");
}
