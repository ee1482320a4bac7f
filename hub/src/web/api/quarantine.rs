//! What was not understood: how much from whom, and the latest, without what came.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::Serialize;

use super::PAGE_ROWS_DEFAULT;
use crate::problem::Problem;
use crate::quarantine::KeptFilter;
use crate::web::Rooms;

/// Counts and the latest.
#[derive(Debug, Serialize)]
pub struct Strays {
    counts: Vec<Count>,
    latest: Vec<Stray>,
}

#[derive(Debug, Serialize)]
struct Count {
    source: String,
    reason: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Stray {
    number: u64,
    at: Timestamp,
    source: String,
    subject: String,
    reason: String,
    size_bytes: u64,
    tries: u32,
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
) -> Result<Json<Strays>, Problem> {
    rooms.overseer(&headers)?;
    let quarantine = rooms.quarantine.clone();
    let read = move || {
        Ok((
            quarantine.counts()?,
            quarantine.kept(&KeptFilter::default(), true, PAGE_ROWS_DEFAULT)?,
        ))
    };
    let (counts, latest) = tokio::task::spawn_blocking(read)
        .await
        .unwrap_or_else(|_panic| Err(Problem::new("internal")))?;
    let counts = counts.into_iter().map(|(source, reason, count)| Count { source, reason, count });
    let latest = latest.into_iter().map(|it| Stray {
        number: it.number,
        at: it.at,
        source: it.source,
        subject: it.subject,
        reason: it.reason,
        size_bytes: it.size_bytes,
        tries: it.tries,
    });
    Ok(Json(Strays { counts: counts.collect(), latest: latest.collect() }))
}
