//! The broker: a pipe that we describe, start, watch, and never believe.
//!
//! Nothing here decides anything. `render` says what the broker must allow, `supervise` runs one as a
//! child, `streams` makes what is missing, `connect` keeps a connection, `keys` makes who may speak.
//! Wipe the broker's store while it runs: `streams::ensure` and the log bring everything back.

pub mod address;
pub mod connect;
pub mod differences;
pub mod keys;
pub mod release;
pub mod render;
pub mod streams;
pub mod supervise;
