//! The real program in its real web view, with a real keychain, against a Palette on loopback.
//!
//! Every test has a [`harness::Stage`] of its own: home, display, session bus, keychain, simulator.
//! Controls are found by role and accessible name only, as a screen reader finds them.
//!
//! One test: `cargo test --workspace --test e2e NAME`. All, as CI runs them:
//! `cargo xtask test --only e2e`. The pages of what failed are in `target/e2e-failures`.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed expectation is a failed test"
)]
#![allow(clippy::print_stdout, reason = "the checks of trust.md print passed and total")]
#![allow(dead_code, reason = "the stage offers more than each scenario uses")]

mod acts;
mod admin;
mod background;
mod change;
mod clipboard;
mod connect;
mod connections;
mod create;
mod desk;
mod harness;
mod hostile;
mod keychain;
mod keys;
mod lock;
mod look;
mod offline;
mod outbox;
mod panel;
mod people;
mod restart;
mod reveal;
mod review;
mod roll;
mod scale;
mod scene;
mod selftest;
mod signin;
mod traces;
mod tray;
mod undo;
