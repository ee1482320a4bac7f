//! What people did and at whom they looked: every event in an operator's name, for whoever watches the watchers.

use events::envelope::{Actor, Event, Position, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::keeping::KeepingEvent;
use events::keeping::alerts::AlertScope;
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::queries::{position, rows, whole};
use crate::views::reader::{PAGE_ROWS_MAX, Page, ViewError, ViewReader};
use crate::views::table::{Behind, Row, Table};

/// One deed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeedRow {
    pub position: Position,
    pub at: Timestamp,
    /// Who: an account, or a program with an operator's token.
    pub operator: String,
    /// The event's type.
    pub kind: String,
    pub case: Option<CaseId>,
    pub province: Option<ProvinceCode>,
    /// What was done and why, in the operator's words; never personal data.
    pub said: String,
    /// Somebody looked at a person, or for one.
    pub personal: bool,
}

/// Every event in an operator's name is a deed; any other is none.
pub(crate) fn apply(table: &mut Table<DeedRow>, behind: Behind<'_>, recorded: &Recorded) {
    let Actor::Operator(operator) = &recorded.envelope.actor else { return };
    let (mut case, mut province) = match recorded.envelope.stream {
        StreamName::Case(it) => (Some(it), None),
        StreamName::Province(it) => (None, Some(it)),
        StreamName::Reference | StreamName::Keeping => (None, None),
    };
    let (mut said, mut personal) = (String::new(), false);
    if let Event::Keeping(event) = &recorded.envelope.event {
        if let Some(scope) = scope(event) {
            (case, province) = (scope.case, scope.province);
        }
        match event {
            KeepingEvent::PersonalDataRead(it) => {
                (case, personal) = (Some(it.case), true);
                said.clone_from(&it.purpose);
            }
            KeepingEvent::CaseKeyDestroyed(it) => {
                case = Some(it.case);
                said.clone_from(&it.reason);
            }
            KeepingEvent::OperatorActed(it) => {
                personal = it.action == LOOK_UP;
                said = format!("{}: {}", it.action, it.target);
            }
            KeepingEvent::AlertsAcknowledged(it) => {
                said = format!("{}: {}", it.scope.kind, it.note);
            }
            KeepingEvent::AlertsAssigned(it) => said = format!("{}: → {}", it.scope.kind, it.to),
            KeepingEvent::AlertsSilenced(it) => {
                said = format!("{}: {} → {}", it.scope.kind, it.reason, it.until);
            }
            KeepingEvent::AlertsUnsilenced(it) => said = it.scope.kind.to_string(),
            _ => {}
        }
    }
    let row = DeedRow {
        position: recorded.position,
        at: recorded.recorded_at,
        operator: operator.clone(),
        kind: recorded.envelope.event.kind().to_owned(),
        case,
        province,
        said,
        personal,
    };
    table.put(behind, recorded.position, row);
}

/// What the hotline does when it looks for somebody.
const LOOK_UP: &str = "look-up";

fn scope(event: &KeepingEvent) -> Option<AlertScope> {
    match event {
        KeepingEvent::AlertsAcknowledged(it) => Some(it.scope),
        KeepingEvent::AlertsAssigned(it) => Some(it.scope),
        KeepingEvent::AlertsSilenced(it) => Some(it.scope),
        KeepingEvent::AlertsUnsilenced(it) => Some(it.scope),
        _ => None,
    }
}

struct_cells!(DeedRow { position, at, operator, kind, case, province, said, personal });

impl Row for DeedRow {
    type Key = Position;
    const NAME: &'static str = "deeds";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] =
        &["position INTEGER NOT NULL", "operator TEXT NOT NULL", "personal INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] =
        &["(position)", "(operator, position)", "(position) WHERE personal = 1"];
    fn columns(&self) -> Vec<Value> {
        vec![
            whole(self.position.0),
            Value::Text(self.operator.clone()),
            Value::Integer(self.personal.into()),
        ]
    }
}

impl ViewReader {
    /// Newest first; of one operator, or only looks at people, if wanted.
    pub fn deeds(
        &self,
        operator: Option<&str>,
        personal_only: bool,
        after: Option<u64>,
        count_max: usize,
    ) -> Result<Page<DeedRow>, ViewError> {
        let count_max = count_max.min(PAGE_ROWS_MAX);
        let mut values = vec![whole(after.unwrap_or(i64::MAX as u64)), whole(count_max as u64 + 1)];
        let mut narrowed = String::new();
        if let Some(name) = operator {
            values.push(Value::Text(name.to_owned()));
            narrowed.push_str("operator = ?3 AND ");
        }
        if personal_only {
            narrowed.push_str("personal = 1 AND ");
        }
        let tail = format!("WHERE {narrowed} position < ?1 ORDER BY position DESC LIMIT ?2");
        self.look(|file| {
            let mut found = rows::<DeedRow>(file, &tail, values)?;
            let more = found.len() > count_max;
            found.truncate(count_max);
            let next = found.last().map(|it| it.position.0).filter(|_| more);
            Ok(Page { rows: found, next, as_of: position(file)? })
        })
    }
}
