//! What the views must say, given a story. Each test tells events to a log and asks the reader.

mod league;
mod stage;
mod stories;
