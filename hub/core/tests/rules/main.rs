//! The rules as given-when-then: what each command yields, what it refuses, that it stays quiet.
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

mod afterwards;
mod again;
mod applicant;
mod days;
mod membership;
mod redrive;
mod refusals;
mod reports;
mod sending;
mod story;
mod submission;
