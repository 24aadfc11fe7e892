//! macOS and Windows: the `keyring` crate chooses the store.
//!
//! Making these stores cannot fail for want of a service, so the crate's one-time choice, which on
//! Linux would never recover, is right here. Whether they are locked cannot be asked without using
//! them; both prompt by themselves, and the deadline covers that.

use super::{KeychainError, Prompts, Seen, SeenState, Trouble};
use keyring_core::Error;
use std::{collections::HashMap, sync::Arc};

/// The keychain's name.
#[cfg(target_os = "macos")]
pub(super) const NAME: &str = "macOS Keychain";
/// The keychain's name.
#[cfg(windows)]
pub(super) const NAME: &str = "Windows Credential Manager";
/// The keychain's name.
#[cfg(not(any(target_os = "macos", windows)))]
pub(super) const NAME: &str = "Keychain";

/// Stands for the platform's store, which the `keyring` crate holds.
pub(super) struct Keychain;

impl Keychain {
    pub(super) fn new(_: Arc<Prompts>) -> Self {
        Self
    }

    /// The entry under that name. Labels are the platform's own: the service and user names.
    pub(super) fn entry(
        &mut self,
        service: &str,
        user: &str,
        _: Option<&str>,
    ) -> Result<keyring::Entry, Trouble> {
        // Chooses and sets the platform's store, once.
        if keyring::Entry::store_status().is_err() {
            return Err(KeychainError::Absent.into());
        }
        keyring_core::Entry::new_with_modifiers(service, user, &modifiers())
            .map(|inner| keyring::Entry { inner })
            .map_err(super::of_error)
    }

    pub(super) fn forget(&mut self) {}
}

/// Windows would let entries roam with the domain profile; ours stay on this computer.
fn modifiers() -> HashMap<&'static str, &'static str> {
    if cfg!(windows) { HashMap::from([("persistence", "Local")]) } else { HashMap::new() }
}

pub(super) fn relabel(_: &keyring::Entry, _: &str) {}

/// What the platform's own error means, where it says more than the store's.
#[cfg(target_os = "macos")]
pub(super) fn trouble(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<Trouble> {
    // Apple, Security framework result codes.
    match cause.downcast_ref::<security_framework::base::Error>()?.code() {
        // errSecUserCanceled, errSecAuthFailed: the person closed the prompt or could not answer it.
        -128 | -25293 => Some(KeychainError::Dismissed.into()),
        // errSecInteractionNotAllowed: locked, and no prompt may be shown.
        -25308 => Some(KeychainError::Locked.into()),
        // errSecNotAvailable, errSecNoSuchKeychain, errSecInvalidKeychain.
        -25291 | -25294 | -25295 => Some(KeychainError::Absent.into()),
        _ => None,
    }
}

/// What the platform's own error means, where it says more than the store's.
#[cfg(not(target_os = "macos"))]
pub(super) fn trouble(_: &(dyn std::error::Error + Send + Sync + 'static)) -> Option<Trouble> {
    None
}

pub(super) fn look() -> Seen {
    let state = match keyring::Entry::store_status() {
        Ok(()) => SeenState::Unknown,
        Err(Error::NoStorageAccess(_)) => SeenState::Locked,
        Err(_) => SeenState::Absent,
    };
    Seen { state, name: NAME }
}
