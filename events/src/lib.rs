//! The words and the proofs: what can happen to a case, how it is written down, how it is checked.
//!
//! Read in this order, which is the order of a case's life:
//!
//! 1. [`ids`]: what things are called: cases, events, reports, provinces, streams.
//! 2. [`case`]: what can happen to a case, from `CaseSubmitted` to `CaseArchived`.
//! 3. [`report`]: what a province can tell us, [`work`]: what we hand to a province, and
//!    [`feedback`]: what a national system is told in the end.
//!    [`reconcile`]: how both compare what they hold.
//! 4. [`province`], [`reference`], [`keeping`]: membership, published rules, the log itself.
//!    [`enrolment`]: how a province joins on paper, [`authority`]: who vouches for the broker. [`publicity`]: what it did to make the service known.
//! 5. [`envelope`]: an event as it is proposed and as the log holds it.
//! 6. [`wire`]: CloudEvents JSON in and out. [`subjects`]: every NATS name, once.
//!    [`trace`]: one trace a case, across all programs.
//! 7. [`proof`]: the chain, the signatures, the seals; [`personal`]: what must not stand in clear.
//!
//! Deliberately absent: input and output, the clock, randomness, rules. What needs a moment or
//! chance is given it.
#![warn(missing_docs)]

pub mod authority;
pub mod case;
pub mod certificate;
pub mod enrolment;
pub mod envelope;
mod event_enum;
pub mod feedback;
pub mod ids;
pub mod keeping;
pub mod personal;
pub mod proof;
pub mod province;
pub mod publicity;
pub mod reconcile;
pub mod reference;
pub mod report;
mod routing;
pub mod subjects;
pub mod time_lapse;
pub mod trace;
pub mod vocabulary;
pub mod wire;
pub mod work;
