//! The league table: all 32, by code, with what membership knows of them.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use events::ids::ProvinceCode;
use serde::Serialize;

use super::told::Province;
use crate::problem::Problem;
use crate::views::rows::ProvinceRow;
use crate::web::Rooms;

/// All of them.
#[derive(Debug, Serialize)]
pub struct Provinces {
    pub provinces: Vec<Province>,
    /// The log position that it is as of.
    pub as_of: u64,
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
) -> Result<Json<Provinces>, Problem> {
    rooms.overseer(&headers)?;
    table(&rooms).await.map(Json)
}

/// The table; a province that nothing happened to has a row of zeros.
pub(crate) async fn table(rooms: &Rooms) -> Result<Provinces, Problem> {
    let (rows, as_of) = rooms.aside(|views| Ok((views.provinces()?, views.position()?.0))).await?;
    let provinces = ProvinceCode::all().map(|code| {
        let row = rows.iter().find(|it| it.province == code).cloned();
        let (membership, now) = (&rooms.membership, rooms.clock.now());
        let row = row.unwrap_or_else(|| nothing_yet(code));
        let mut province = Province::of(row, &membership.province(code), now);
        let lacks = province.enrolled && membership.lacks_certificate(code, None, now);
        province.held_back = lacks.then_some("adapter-not-certified");
        province
    });
    Ok(Provinces { provinces: provinces.collect(), as_of })
}

fn nothing_yet(province: ProvinceCode) -> ProvinceRow {
    ProvinceRow {
        province,
        received: 0,
        moved_in: 0,
        open: 0,
        waiting_delivery: 0,
        accepted: 0,
        declined: 0,
        completed_approved: 0,
        completed_denied: 0,
        corrections: 0,
        returned: 0,
        on_time: 0,
        reported_late: 0,
        overdue: 0,
        conflicts: 0,
        median_hours: None,
        top_reasons: Vec::new(),
        last_heard_at: None,
        blame: Vec::new(),
    }
}
