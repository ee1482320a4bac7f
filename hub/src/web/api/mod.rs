//! The reading API and the operators' few commands. Folders mirror URLs; lists have an order, a limit and a next page.

pub mod accounts;
pub mod admin;
pub mod aftercare;
pub mod alerts;
pub mod cases;
pub(crate) mod certificates;
pub(crate) mod dead_letters;
pub mod enrolment;
pub mod health;
pub mod provinces;
pub mod quarantine;
pub mod reconcile;
pub(crate) mod redrives;
pub mod stream;
pub mod told;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use crate::problem::Problem;
use crate::views::reader::PAGE_ROWS_MAX;

/// How many rows a page has unless asked otherwise.
pub const PAGE_ROWS_DEFAULT: usize = 100;

/// A query as it was understood, or a no that does not repeat it.
pub(crate) fn query<T>(given: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    given.map(|it| it.0).map_err(|_| Problem::new("bad-parameter").detail("see /openapi.json"))
}

/// Bounds a page.
pub(crate) fn rows(limit: Option<usize>) -> usize {
    limit.unwrap_or(PAGE_ROWS_DEFAULT).clamp(1, PAGE_ROWS_MAX)
}

/// A parameter's value from its word.
pub(crate) fn word<T>(
    given: Option<&str>,
    name: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    given
        .map(|it| read(it).ok_or_else(|| Problem::new("bad-parameter").detail(name.to_owned())))
        .transpose()
}
