//! The few views that belong to the shell, not to the product.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the shell knows of the clipboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ClipboardState {
    /// Nothing of ours is on it.
    Idle,
    /// Our value is on it and will be cleared.
    Armed,
    /// It was ours and is cleared.
    Cleared,
    /// Something else was copied meanwhile: left alone.
    LeftAlone,
    /// The desktop did not let us clear it.
    CouldNotClear,
}

/// The clipboard in the window's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ClipboardView {
    pub state: ClipboardState,
    /// Milliseconds until it is cleared, when armed.
    #[ts(type = "number | null")]
    pub clears_in: Option<u64>,
}

/// The keys of a connection changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct KeysChangedView {
    /// Id of the connection.
    pub connection: String,
    /// The state of its list now; a list with this number or a higher one shows the change.
    #[ts(type = "number")]
    pub revision: u64,
}

/// The one view that carries a value: only the `reveal` window may ask for it.
#[derive(Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct RevealView {
    pub name: String,
    pub value: String,
    /// Seconds until the window closes by itself.
    pub closes_in: u32,
}
