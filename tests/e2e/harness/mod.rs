//! A desktop for one test, and the hands and eyes of a person on it.

mod axe;
mod child;
mod desktop;
mod driver;
mod keychain;
mod keys;
mod notices;
mod page;
mod polkit;
mod stage;
mod tray;

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

#[allow(unused_imports, reason = "the harness offers more than each scenario uses")]
pub use axe::Violation;
#[allow(
    unused_imports,
    reason = "for the measurements, which start programs without a driver"
)]
pub use child::{Child, Program, descendants};
#[allow(unused_imports, reason = "as above")]
pub use keychain::{Keychain, StoredSecret};
#[allow(unused_imports, reason = "as above")]
pub use notices::{Notice, Notices};
#[allow(unused_imports, reason = "as above")]
pub use page::{Locator, Name, Page, any, containing};
#[allow(unused_imports, reason = "as above")]
pub use polkit::{Person, Polkit};
pub use stage::{Launch, Setting, Stage};
#[allow(unused_imports, reason = "as above")]
pub use tray::{Entry, Icon, Panel, TrayItem};

/// How long something that should happen may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time between two looks.
pub const GLANCE: Duration = Duration::from_millis(40);

/// Looks again and again until `look` finds something, for at most [`PATIENCE`].
///
/// # Panics
/// When it never does, naming `what`.
pub async fn eventually<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    match within(PATIENCE, look).await {
        Some(found) => found,
        None => panic!("{what}: not within {} s", PATIENCE.as_secs()),
    }
}

/// Like [`eventually`] with a time of its own, and no failure.
pub async fn within<T>(time: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(found) = look().await {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// The computer's own clock, for what is measured from outside the app.
#[allow(clippy::disallowed_methods, reason = "the tests stand outside of the app and its clock")]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Where cargo builds; screenshots and the pages of failed tests go there.
pub fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp has a parent").to_owned()
}

/// The top of the clone.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name of the running test, fit for a file name.
pub fn test_name() -> String {
    std::thread::current().name().unwrap_or("test").replace("::", "-")
}
