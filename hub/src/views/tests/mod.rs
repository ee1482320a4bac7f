//! What the views must say, given a story. Each test tells events to a log and asks the reader.

mod acts;
mod durability;
mod laws;
mod league;
mod lists;
pub(crate) mod stage;
mod stories;
pub(crate) mod world;
