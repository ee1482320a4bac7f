//! The stage: a hub and provinces in one process, real brokers, fake ends, a clock we turn by hand.

pub mod broker;
pub mod canary;
pub mod http;
pub mod invariants;
pub mod journey;
pub mod script;
pub mod simulation;
pub mod stage;
