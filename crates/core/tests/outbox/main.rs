//! That a confirmed revoke always happens: checks 1 to 11, 36 and 38 of trust.md, section 6, against
//! the simulator. Each prints what it counted as `check N: passed/total`. And that a roll which is
//! killed is finished, resumed or reported (`roll`).
//!
//! The long ones are sampled; with `PALETTE_KEYS_FULL=1`, which `cargo xtask test --full` sets, they
//! run whole. Where time matters it is tokio's, paused, with the simulator in the same runtime.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on may panic, and what it prints is what it is run for"
)]

mod answers;
#[cfg(target_os = "linux")]
mod child;
mod damage;
mod desk;
#[cfg(target_os = "linux")]
mod disk;
mod keychain;
#[cfg(target_os = "linux")]
mod kill;
#[cfg(target_os = "linux")]
mod names;
mod origin;
mod patience;
mod rate;
#[cfg(target_os = "linux")]
mod roll;
#[cfg(target_os = "linux")]
mod strace;
#[cfg(target_os = "linux")]
mod two;
