//! STATISTICS (统计): figures that anybody can compute again from the log, each with its definition.
//!
//! A report is a function of the log up to a position, a period and a revision of the definitions.
//! It asks no view, no clock and no setting: the same three give the same bytes on any day.
//!
//! Read in this order: [`period`], [`definitions`] (what each figure means and rests on),
//! [`tally`] (counting), [`fold`] (the log, event after event), [`ledger`] (the breaches, one by
//! one), [`links`] (how long work waited for a signature), [`publicity`] (annex 1 summed up),
//! [`report`] (tables made of it), [`bench`] (the work, a slice at a time).

pub mod bench;
pub mod definitions;
pub mod fold;
pub mod ledger;
pub mod links;
pub mod period;
pub mod places;
pub mod publicity;
pub mod report;
pub mod tally;
#[cfg(test)]
mod tests;

pub use definitions::REVISION;
pub use period::Period;
