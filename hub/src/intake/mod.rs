//! WHAT COMES IN: national systems over HTTP, adapters over NATS.

mod by_hand;
pub mod desk;
pub mod examine;
pub mod feed;
pub mod held;
pub mod http;
pub mod later;
pub mod personal;
pub mod pull;
mod receipt;
pub mod recent;
pub mod reports;
pub mod schema;
pub mod settled;
mod submission;
#[cfg(test)]
mod tests;
mod traced;
