//! Palette Keys without a window.
//!
//! Everything the product does lives here: reaching a Palette host, the life of
//! its API keys, the OS keychain, and what is remembered on disk. The desktop
//! shell (`src-tauri`) and the tests are its two consumers; nothing in this crate
//! knows that Tauri exists.
//!
//! Reading order: [`connection`] (who am I, where), [`keys`] (one operation a
//! file), [`api`] (HTTP and JSON), [`keychain`] and [`store`] (what is kept).

#![deny(missing_docs)]

pub mod api;
pub mod background;
pub mod clock;
pub mod connection;
pub mod error;
pub mod found;
pub mod held;
pub mod keychain;
pub mod keys;
pub mod notices;
mod once;
pub mod outbox;
pub mod palette_keys;
mod ports;
pub mod report;
pub mod review;
pub mod secret;
pub mod settings;
mod shown;
pub mod snippet;
pub mod store;
pub mod tray;

pub use error::{ErrorCode, ErrorDetails, Failure};
pub use palette_keys::PaletteKeys;
pub use secret::Secret;
