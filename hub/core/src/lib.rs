//! The rules. Functions of values: what happens because of a command, and what that changes.
//!
//! Deliberately absent: the clock, the disk, the network, randomness. A moment is an argument.
//!
//! Read: [`refusal`] (every no), [`calendar`] (working days), [`deadlines`] (the clocks' lengths),
//! [`routes`] (which province), [`command`] (what may be asked), [`case`] (decide and evolve),
//! [`province`] (the same for membership), [`plan`] (what to send now), [`reconcile`] (what both
//! sides should hold), [`redrive`] (what waits for a person, let in again).
#![warn(missing_docs)]

pub mod calendar;
pub mod case;
pub mod command;
pub mod deadlines;
pub mod feedback;
pub mod plan;
pub mod province;
pub mod reconcile;
pub mod redrive;
pub mod refusal;
pub mod routes;
