//! The ministry's side: the log, the registrar, the views, the roads in and out.
//!
//! Floors, top to bottom; a room names only rooms on lower floors:
//!
//! ```text
//! 10 tests
//! 9  main
//! 8  cli
//! 7  config
//! 6  web  intake  router  deadline_watch  audit  notices
//! 5  enrolment  redrive  statistics
//! 4  answers
//! 3  oidc
//! 3  registrar  views
//! 2  log  vault  quarantine  accounts  nats  reference
//! 2  strict_json  hops
//! 1  clock  wake  listen  callers  telemetry  signer  words  sheet
//! 0  problem
//! ```

pub mod accounts;
mod answers;
pub mod audit;
pub mod callers;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deadline_watch;
pub mod enrolment;
pub mod hops;
pub mod intake;
pub mod listen;
pub mod log;
pub mod nats;
pub mod notices;
pub mod oidc;
pub mod problem;
pub mod quarantine;
pub mod redrive;
pub mod reference;
pub mod registrar;
pub mod router;
pub mod sheet;
pub mod signer;
pub mod statistics;
pub mod strict_json;
pub mod telemetry;
pub mod vault;
pub mod views;
pub mod wake;
pub mod web;
pub mod words;

/// A submission is read on one thread, sealed on another and folded on a third. The system's
/// allocator took a sixth of all processor time to pass its pieces on; this one a small part of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(test)]
mod tests;
