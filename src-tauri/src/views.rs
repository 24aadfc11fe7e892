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

/// How the app lives on without its window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct BackgroundView {
    /// The desktop shows tray icons now.
    pub tray_host: bool,
    /// What takes notices, in words ("GNOME Shell"); none: nothing does.
    pub notice_host: Option<String>,
    /// Notices are paused until then, ms since 1970 UTC.
    #[ts(type = "number | null")]
    pub paused_until: Option<i64>,
    /// Starting at login cannot be set up here, and why.
    pub login_problem: Option<String>,
}

/// The lock of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// The window shows nothing, and gets nothing, until it is unlocked.
    pub locked: bool,
    /// Unlocking has the desktop ask for the person's password; else it asks for nothing.
    pub asks: bool,
}

/// Pause the notices.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct PauseRequest {
    /// ms since 1970 UTC; none ends the pause.
    #[ts(type = "number | null")]
    pub until: Option<i64>,
}

/// Where do we stand?
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StartRequest {
    /// The page begins: the keys come with the answer, so that its first screen needs no second
    /// question, and it hears nothing yet.
    pub begins: bool,
}

/// End the app.
#[derive(Debug, Clone, Deserialize, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct QuitRequest {
    /// True: the person was told what is not confirmed yet, and quits all the same.
    pub anyway: bool,
}

/// Where the tray sends the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum GoView {
    /// The keys, with the focus in the search box.
    Search {
        /// Id of the connection.
        connection: String,
    },
    /// One key's details.
    Key {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: String,
    },
    /// "New API key".
    NewKey {
        /// Id of the connection; none: the open one.
        connection: Option<String>,
    },
    /// "Renew API key", for a key that could not be renewed from the tray.
    Renew {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: String,
    },
    /// "Roll API key" for a key.
    Roll {
        /// Id of the connection.
        connection: String,
        /// uid of the key.
        uid: String,
    },
    /// Another connection, on the screen that is shown.
    Connection {
        /// Its id.
        connection: String,
    },
    /// The list of what is not confirmed yet.
    Outbox,
    /// The settings.
    Settings,
    /// Words about what was picked in the tray and did not work, on the screen that is shown: the
    /// desktop shows no notices.
    Told {
        /// What did not work.
        title: String,
        /// Why, and what to do.
        body: String,
    },
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
