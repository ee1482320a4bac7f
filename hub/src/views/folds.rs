//! All views, told one event after the other. The same code folds for the live file and for a replay.

use events::envelope::{Event, Position, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use rusqlite::Connection;

use crate::vault::Opener;
use crate::views::acts::{GroupKey, GroupState};
use crate::views::alerts::AlertKey;
use crate::views::deeds::DeedRow;
use crate::views::due_days::Running;
use crate::views::flow::FlowRow;
use crate::views::lookup::Indexed;
use crate::views::messages::MessageRow;
use crate::views::outbox::Asked;
use crate::views::parked::ParkedRow;
use crate::views::provinces::Tally;
use crate::views::reader::ViewError;
use crate::views::redrives::RedriveRow;
use crate::views::rows::{AlertRow, FeedbackRow, LapseRow};
use crate::views::status::{Change, StatusRow};
use crate::views::table::{Behind, Row, RowSum, Scanned, Table, scan, schema};
use crate::views::{
    acts, alerts, deeds, due_days, feedback, flow, journey, lapses, lookup, messages, outbox,
    parked, provinces, redrives,
};

/// The rows of all views.
#[derive(Default)]
pub struct Folds {
    status: Table<StatusRow>,
    outbox: Table<Asked>,
    due_days: Table<Running>,
    lapses: Table<LapseRow>,
    alerts: Table<AlertRow>,
    provinces: Table<Tally>,
    feedback: Table<FeedbackRow>,
    lookup: Table<Indexed>,
    groups: Table<GroupState>,
    messages: Table<MessageRow>,
    parked: Table<ParkedRow>,
    redrives: Table<RedriveRow>,
    deeds: Table<DeedRow>,
    flow: Table<FlowRow>,
    opener: Option<Opener>,
}

/// One view: what it is called and how it is kept.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) revision: u32,
    pub(crate) table: String,
    pub(crate) indexes: Vec<String>,
}

fn kind<R: Row>() -> Kind {
    let (table, indexes) = schema::<R>();
    Kind { name: R::NAME, revision: R::REVISION, table, indexes }
}

/// All views, in the order in which they are told.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        kind::<StatusRow>(),
        kind::<Asked>(),
        kind::<Running>(),
        kind::<LapseRow>(),
        kind::<AlertRow>(),
        kind::<Tally>(),
        kind::<FeedbackRow>(),
        kind::<Indexed>(),
        kind::<GroupState>(),
        kind::<MessageRow>(),
        kind::<ParkedRow>(),
        kind::<RedriveRow>(),
        kind::<DeedRow>(),
        kind::<FlowRow>(),
    ]
}

impl Folds {
    /// Empty. Without an opener nothing can be looked up by an identity number.
    pub fn new(opener: Option<Opener>) -> Self {
        Self { opener, ..Self::default() }
    }

    /// Takes one event into account.
    pub(crate) fn apply(
        &mut self,
        behind: Behind<'_>,
        recorded: &Recorded,
    ) -> Result<(), ViewError> {
        if let Some(opener) = &self.opener {
            lookup::apply(&mut self.lookup, behind, opener, recorded)?;
        }
        deeds::apply(&mut self.deeds, behind, recorded);
        match (&recorded.envelope.event, recorded.envelope.stream) {
            (Event::Case(event), StreamName::Case(case)) => {
                let before = journey::apply(&mut self.status, behind, case, recorded, event)?;
                let after = self
                    .status
                    .look(&case)
                    .ok_or(ViewError::UnknownEvent { position: recorded.position })?;
                let change = Change { recorded, case, event, before, after };
                outbox::apply(&mut self.outbox, behind, &change)?;
                parked::apply(&mut self.parked, behind, &change);
                due_days::apply(&mut self.due_days, behind, &change)?;
                lapses::apply(&mut self.lapses, behind, &change);
                alerts::apply(&mut self.alerts, behind, &change)?;
                provinces::apply(&mut self.provinces, behind, &change)?;
                flow::apply(&mut self.flow, behind, &change)?;
                feedback::apply(&mut self.feedback, behind, &change);
                Ok(())
            }
            // An event of a case in a story that is no case's: the log is damaged.
            (Event::Case(_), _) => Err(ViewError::UnknownEvent { position: recorded.position }),
            (Event::Keeping(event), _) => {
                messages::apply(&mut self.messages, behind, recorded, event)?;
                redrives::apply(&mut self.redrives, behind, recorded, event)?;
                acts::apply(&mut self.groups, &mut self.alerts, behind, recorded, event)
            }
            // Memberships are kept in memory by `membership`; rules change no row.
            (Event::Province(_) | Event::Reference(_), _) => Ok(()),
        }
    }

    /// Writes what changed; the caller commits it together with the cursor.
    pub(crate) fn flush(&mut self, file: &Connection) -> Result<(), ViewError> {
        self.status.flush(file)?;
        self.outbox.flush(file)?;
        self.due_days.flush(file)?;
        self.lapses.flush(file)?;
        self.alerts.flush(file)?;
        self.provinces.flush(file)?;
        self.feedback.flush(file)?;
        self.groups.flush(file)?;
        self.messages.flush(file)?;
        self.parked.flush(file)?;
        self.redrives.flush(file)?;
        self.deeds.flush(file)?;
        self.flow.flush(file)?;
        self.lookup.flush(file)
    }

    /// How many rows wait for a flush.
    pub(crate) fn changed_count(&self) -> usize {
        self.status.changed_count()
    }

    /// Each replayed view's sum over its rows. Only with nothing behind.
    pub fn sums(&self) -> Vec<(&'static str, RowSum)> {
        // Nearly all of the work is the cases' own rows.
        let (status, others) = std::thread::scope(|scope| {
            let status = scope.spawn(|| (StatusRow::NAME, self.status.sum()));
            let others = self.other_sums();
            (status.join(), others)
        });
        let status = status.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        std::iter::once(status).chain(others).collect()
    }

    fn other_sums(&self) -> [(&'static str, RowSum); 12] {
        [
            (Asked::NAME, self.outbox.sum()),
            (Running::NAME, self.due_days.sum()),
            (LapseRow::NAME, self.lapses.sum()),
            (AlertRow::NAME, self.alerts.sum()),
            (Tally::NAME, self.provinces.sum()),
            (FeedbackRow::NAME, self.feedback.sum()),
            (GroupState::NAME, self.groups.sum()),
            (MessageRow::NAME, self.messages.sum()),
            (ParkedRow::NAME, self.parked.sum()),
            (RedriveRow::NAME, self.redrives.sum()),
            (DeedRow::NAME, self.deeds.sum()),
            (FlowRow::NAME, self.flow.sum()),
        ]
    }

    /// One replayed view as it lies in a file.
    pub(crate) fn scan(&self, view: &str, file: &Connection) -> Result<Scanned, ViewError> {
        match view {
            StatusRow::NAME => scan::<StatusRow>(file),
            Asked::NAME => scan::<Asked>(file),
            Running::NAME => scan::<Running>(file),
            LapseRow::NAME => scan::<LapseRow>(file),
            AlertRow::NAME => scan::<AlertRow>(file),
            Tally::NAME => scan::<Tally>(file),
            FeedbackRow::NAME => scan::<FeedbackRow>(file),
            GroupState::NAME => scan::<GroupState>(file),
            MessageRow::NAME => scan::<MessageRow>(file),
            ParkedRow::NAME => scan::<ParkedRow>(file),
            RedriveRow::NAME => scan::<RedriveRow>(file),
            DeedRow::NAME => scan::<DeedRow>(file),
            FlowRow::NAME => scan::<FlowRow>(file),
            _ => Ok(Scanned { sum: RowSum::default(), wrong_columns: None }),
        }
    }

    /// The rows of one replayed view by the bytes of their keys, for finding the first difference.
    pub(crate) fn rows(&self, view: &str) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        match view {
            StatusRow::NAME => self.status.rows(),
            Asked::NAME => self.outbox.rows(),
            Running::NAME => self.due_days.rows(),
            LapseRow::NAME => self.lapses.rows(),
            AlertRow::NAME => self.alerts.rows(),
            Tally::NAME => self.provinces.rows(),
            FeedbackRow::NAME => self.feedback.rows(),
            GroupState::NAME => self.groups.rows(),
            MessageRow::NAME => self.messages.rows(),
            ParkedRow::NAME => self.parked.rows(),
            RedriveRow::NAME => self.redrives.rows(),
            DeedRow::NAME => self.deeds.rows(),
            FlowRow::NAME => self.flow.rows(),
            _ => std::collections::BTreeMap::new(),
        }
    }
}

/// A row's key as people read it: a case id, a case id and a number, or a province's code.
pub(crate) fn key_text(view: &str, key: &[u8]) -> String {
    use crate::views::cells::cell_of;
    match view {
        Tally::NAME => cell_of::<ProvinceCode>(key).map(|it| it.to_string()),
        AlertRow::NAME => cell_of::<AlertKey>(key).map(|it| format!("{}/{}", it.0, it.1)),
        GroupState::NAME => cell_of::<GroupKey>(key).map(|it| format!("{}/{:02}", it.0, it.1)),
        MessageRow::NAME | RedriveRow::NAME => cell_of::<uuid::Uuid>(key).map(|it| it.to_string()),
        FlowRow::NAME => cell_of::<(u8, u32)>(key).map(|it| format!("{:02}/{}", it.0, it.1)),
        DeedRow::NAME => cell_of::<Position>(key).map(|it| it.to_string()),
        _ => cell_of::<CaseId>(key).map(|it| it.to_string()),
    }
    .unwrap_or_else(|| "an unreadable key".to_owned())
}
