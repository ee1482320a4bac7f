//! The cases that a province should hold from one day on: what a comparison with it goes over.

use events::ids::ProvinceCode;
use hub_core::calendar::shanghai_date;
use jiff::civil::Date;

use crate::views::reader::{CaseFilter, PAGE_ROWS_MAX, ViewError, ViewReader};
use crate::views::rows::CaseRow;

impl ViewReader {
    /// Cases now with `province` that were submitted from the Shanghai date `since` on; without one,
    /// all its open cases. At most `count_max`, newest first.
    pub fn cases_since(
        &self,
        province: ProvinceCode,
        since: Option<Date>,
        count_max: usize,
    ) -> Result<Vec<CaseRow>, ViewError> {
        let open = since.is_none().then_some(true);
        let filter = CaseFilter { province: Some(province), open, ..CaseFilter::default() };
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.cases(&filter, after, PAGE_ROWS_MAX)?;
            // Nothing is submitted much later than it is recorded: what is older comes no more.
            let passed = |row: &CaseRow| {
                since
                    .is_some_and(|it| shanghai_date(row.recorded_at) < it.yesterday().unwrap_or(it))
            };
            let over = page.rows.last().is_none_or(passed);
            let wanted =
                |row: &CaseRow| since.is_none_or(|it| shanghai_date(row.submitted_at) >= it);
            found.extend(page.rows.into_iter().filter(wanted));
            after = page.next;
            if over || after.is_none() || found.len() >= count_max {
                found.truncate(count_max);
                return Ok(found);
            }
        }
    }
}
