//! The simulator from outside, over HTTP: what it answers, what it refuses, and how it breaks.

// The helpers are tests too, which clippy cannot know.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod contract;
mod faults;
mod input;
mod keys;
mod limits;
mod lists;
mod login;
mod server;
mod support;
