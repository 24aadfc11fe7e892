//! What the core does from outside, in one binary: its calls against the simulator of Palette and
//! against servers that mean no good, its store on real files, its keychain.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on may panic")]

mod address;
mod client;
mod connections;
mod create;
mod desk;
mod edit;
mod held;
mod hostile;
mod keychain;
mod list;
mod raw;
mod revoke;
mod store;
mod throttle;
mod tls;
