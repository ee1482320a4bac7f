//! A province's side of the hub. A province writes one trait; the adapter keeps what arrives,
//! signs for it, and repeats the office's news until the hub has signed for that.
//!
//! 1. [`office::OfficeSystem`]: the one trait a province implements.
//! 2. [`reporter::Reporter`]: how its system tells news. Durable before the call returns.
//! 3. [`adapter::Adapter`]: opens the store, connects, and runs until it is told to stop.
//!
//! `examples/toy_province.rs` is the smallest complete province.

pub mod adapter;
pub mod by_hand;
pub mod check;
pub mod clock;
mod comparing;
pub mod config;
pub mod conformance;
mod connection;
mod ending;
pub mod enrol;
mod handing;
mod headers;
pub mod hops;
mod inbox;
mod inventory;
pub mod keys;
pub mod life;
pub mod limits;
pub mod office;
pub mod outbox;
mod pacing;
pub mod page;
pub mod publicity;
mod receiving;
pub mod reconcile;
mod recount;
pub mod reporter;
mod sending;
pub mod status;
pub mod store;
mod trouble;

#[cfg(test)]
mod tests;
