//! WHAT COMES IN: national systems over HTTP, adapters over NATS.

pub mod examine;
pub mod held;
pub mod pull;
pub mod reports;
