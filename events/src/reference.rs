//! Rules being published: calendars, service standards, the route table.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::case::event_enum;

/// A State Council paper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paper {
    /// Its number, e.g. 国办发明电〔2025〕7号.
    pub number: String,
    /// Where it can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One year's working days as published: the exceptions to Monday to Friday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarYear {
    /// The year that this covers; every date below lies in it.
    pub year: i16,
    /// Days that are not worked, weekends within a holiday included.
    pub holidays: Vec<Date>,
    /// Weekend days that are worked (调休上班).
    pub makeup_workdays: Vec<Date>,
    /// The papers it rests on, oldest first.
    pub papers: Vec<Paper>,
}

/// A year's calendar was published or corrected; the latest revision of a year counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarPublished {
    /// 1, 2, 3… over all years.
    pub revision: u32,
    /// What it says.
    pub calendar: CalendarYear,
}

/// How many working days each clock has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStandardPublished {
    /// 1, 2, 3….
    pub revision: u32,
    /// Clock 1.
    pub acceptance_working_days: u32,
    /// Clock 2.
    pub completion_working_days: u32,
    /// From the due day to 催办.
    pub urged_after_working_days: u32,
    /// From the due day to seriously overdue.
    pub serious_after_working_days: u32,
    /// From submission to deemed acceptance (行政许可法 Art. 32(4)).
    pub deemed_after_working_days: u32,
    /// Where it stands.
    pub source: String,
}

/// A table of authorities and divisions was adopted; the table itself is named by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTablePublished {
    /// 1, 2, 3….
    pub revision: u32,
    /// SHA-256 of the table's bytes, hexadecimal.
    pub digest: String,
    /// How many divisions and authorities it has.
    pub entries: u32,
}

event_enum! {
    /// Rules being published.
    ReferenceEvent {
        CalendarPublished = "reference.calendar-published.v1",
        ServiceStandardPublished = "reference.service-standard-published.v1",
        RouteTablePublished = "reference.route-table-published.v1",
    }
}
