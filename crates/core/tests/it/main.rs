//! What the core does from outside, in one binary: its calls against the simulator of Palette and
//! against servers that mean no good, its store on real files, its keychain.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on may panic, and the tables print what they counted"
)]

mod address;
mod audits;
mod bulk;
mod client;
mod connections;
mod create;
mod desk;
mod edit;
mod found;
mod held;
mod hostile;
mod keychain;
mod list;
mod meanwhile;
mod raw;
mod renewal;
mod report;
mod review;
mod revoke;
mod roll;
mod several;
mod signing;
mod store;
mod throttle;
mod tls;
mod undo;
