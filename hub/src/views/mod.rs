//! WHAT IS READ. Folds of the log; deletable, rebuildable, never ahead of their cursor.
//!
//! One file `views.db` with one cursor; rows and cursor commit together. Readers use
//! [`reader::ViewReader`]. Read: [`folds`] (which views there are), [`status`] (the first of them) and
//! [`journey`] (how an event moves a case), the other views in any order, [`runner`] (who moves the cursor), [`table`] (rows in memory with
//! a file behind them).

pub mod acts;
pub mod alarms;
pub(crate) mod alerts;
pub(crate) mod blame;
pub(crate) mod cells;
pub mod deeds;
pub(crate) mod due_days;
pub(crate) mod feed;
pub(crate) mod feedback;
pub(crate) mod file;
pub mod flow;
pub mod folds;
pub(crate) mod journey;
pub(crate) mod keys;
pub(crate) mod lapses;
pub(crate) mod lookup;
pub mod membership;
pub mod messages;
pub(crate) mod outbox;
pub mod parked;
pub mod pressing;
pub(crate) mod provinces;
pub(crate) mod queries;
pub mod reader;
pub mod redrives;
pub mod rows;
pub mod runner;
mod since;
pub(crate) mod status;
pub(crate) mod table;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod together;
pub mod when;
