//! The stage: real brokers, fake ends, a clock we turn by hand.

pub mod broker;
pub mod http;
pub mod journey;
