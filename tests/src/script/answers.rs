//! What scripts may ask, in words that an auditor would use.

use events::case::{CaseEvent, ParkReason, RouteReason};
use events::envelope::{Event, Recorded};
use events::vocabulary::{AlertKind, DueDay, Stage};
use hub::views::pressing::AlertFilter;
use hub::views::rows::{AlertRow, Blame};
use hub_core::case::parts::Decision;
use hub_core::feedback::feedback;

use super::stage::ScriptStage;
use super::words;
use crate::stage::ORIGIN;

/// Rows that one question may have; scripts are short.
const ROWS_MAX: usize = 100;

impl ScriptStage {
    pub(super) fn answer(&mut self, question: &str) -> Result<Vec<String>, String> {
        let words: Vec<&str> = question.split_whitespace().collect();
        match words.as_slice() {
            ["alerts"] => Ok(self.alerts()),
            ["status", name] => self.status(name),
            ["story", name] => self.story(name),
            ["reports", province] => self.reports(province),
            _ => Err("nobody understands this question".to_owned()),
        }
    }

    fn alerts(&mut self) -> Vec<String> {
        self.hub.catch_up();
        let rules = self.hub.registrar().rules();
        let soon = rules.calendar.due(self.hub.clock.today(), 1).day;
        let views = self.hub.views();
        let page = views.alerts(AlertFilter::default(), None, ROWS_MAX, self.now(), soon);
        let mut rows = page.expect("the alerts can be read").rows;
        rows.sort_by_key(|it| (self.name(it.case), it.position, it.kind));
        let mut lines: Vec<String> = rows.iter().map(|it| self.alert(it)).collect();
        if lines.is_empty() {
            lines.push("  none".to_owned());
        }
        lines
    }

    fn alert(&self, row: &AlertRow) -> String {
        let province = row.province.map_or_else(|| "--".to_owned(), |it| it.to_string());
        let due = row.due.map_or_else(String::new, |it| format!(" {it}"));
        let stage = match row.stage {
            Some(Stage::Acceptance) => "acceptance ",
            Some(Stage::Completion) => "completion ",
            None => "",
        };
        let what = match row.kind {
            AlertKind::DueSoon => format!("{stage}is due{due}"),
            AlertKind::AcceptanceOverdue | AlertKind::CompletionOverdue => {
                format!("{stage}was due{due}")
            }
            AlertKind::Urged => format!("{stage}urged, was due{due}"),
            AlertKind::SeriouslyOverdue => format!("{stage}seriously overdue, was due{due}"),
            AlertKind::DeemedAccepted => "counts as accepted by law".to_owned(),
            AlertKind::NothingCameBack => "nothing came back".to_owned(),
            AlertKind::ConflictingDecision => "a second, different decision".to_owned(),
            AlertKind::Parked => "parked, an operator must look".to_owned(),
            AlertKind::AdapterSilent | AlertKind::HeldBack | AlertKind::QuarantineFull => {
                row.kind.to_string()
            }
        };
        let told = matches!(row.kind, AlertKind::DueSoon);
        let raised =
            if told { String::new() } else { format!(", since {}", words::minute(row.raised_at)) };
        let ended =
            row.ended_at.map_or_else(String::new, |it| format!(", until {}", words::minute(it)));
        let blame = row.blame.map_or("", |it| match it {
            Blame::Hub => ", held by the hub",
            Blame::Transit => ", not delivered",
            Blame::Adapter => ", decided in time and told late",
            Blame::Desk => ", held by the office",
            Blame::Applicant => ", held by the applicant",
        });
        format!("  {}  {province}  {what}{raised}{ended}{blame}", self.name(row.case))
    }

    fn status(&mut self, name: &str) -> Result<Vec<String>, String> {
        let id = self.case(name)?;
        self.hub.catch_up();
        let case = self.hub.case(id).ok_or("there is no such case")?;
        let row = self.hub.views().case(id).map_err(|it| it.to_string())?;
        let row = row.ok_or("the views do not know it")?;
        assert_eq!(row.province, case.province(), "the view says what the story says");
        let province = case.province().map_or_else(|| "--".to_owned(), |it| it.to_string());
        let mut lines = vec![format!("  {name}  {province}  {}", case.stage())];
        lines.push(format!("      acceptance due {}", due(&case.acceptance_clock.due)));
        if let Some(clock) = &case.completion_clock {
            lines.push(format!("      completion due {}", due(&clock.due)));
        }
        if let Some(Decision::Completed { number, .. }) = &case.decision {
            lines.push(format!("      decision {number}"));
        }
        if let Some((_, told)) = feedback(ORIGIN, &self.hub.story(id)) {
            for (what, verdict) in [("accepted", &told.acceptance), ("completed", &told.completion)]
            {
                if let Some(verdict) = verdict {
                    lines.push(format!("      {what} {}", verdict_word(verdict.verdict)));
                }
            }
        }
        Ok(lines)
    }

    fn story(&mut self, name: &str) -> Result<Vec<String>, String> {
        let story = self.hub.story(self.case(name)?);
        let line = |it: &Recorded| {
            let Event::Case(event) = &it.envelope.event else { return None };
            Some(format!("  {}  {}", words::minute(it.recorded_at), said(event)))
        };
        Ok(story.iter().filter_map(line).collect())
    }

    /// What a province was told about its reports.
    fn reports(&mut self, province: &str) -> Result<Vec<String>, String> {
        let province = self.province(words::province(province)?);
        let refused = province.receipts.values().filter_map(|it| it.refused.clone());
        let mut lines = vec![format!(
            "  {} receipted, {} waiting",
            province.receipts.len(),
            province.outbox.len()
        )];
        lines.extend(refused.map(|it| format!("  refused: {it}")));
        Ok(lines)
    }
}

fn due(day: &DueDay) -> String {
    let provisional = if day.provisional { ", provisional" } else { "" };
    let papers =
        if day.papers.is_empty() { String::new() } else { format!(" ({})", day.papers.join(", ")) };
    format!("{}{papers}{provisional}", day.day)
}

fn verdict_word(verdict: events::feedback::Timeliness) -> &'static str {
    match verdict {
        events::feedback::Timeliness::OnTime => "on time",
        events::feedback::Timeliness::ReportedLate => "in time, reported late",
        events::feedback::Timeliness::Overdue => "overdue",
    }
}

fn rule(reason: &RouteReason) -> String {
    match reason {
        RouteReason::AuthorityListed { authority } => format!("listed authority {authority}"),
        RouteReason::Division { division } => format!("division {division}"),
        RouteReason::RetiredDivision { division, successor } => {
            format!("retired division {division}, now {successor}")
        }
        RouteReason::ReturnedTo { by, division } => format!("{by} names division {division}"),
        RouteReason::Operator { .. } => "an operator".to_owned(),
    }
}

fn said(event: &CaseEvent) -> String {
    match event {
        CaseEvent::CaseSubmitted(it) => format!("submitted, due {}", due(&it.due)),
        CaseEvent::CaseRouted(it) => format!("routed to {}: {}", it.province, rule(&it.reason)),
        CaseEvent::CaseForwarded(it) => {
            format!("forwarded to {}, attempt {}", it.province, it.attempt)
        }
        CaseEvent::CaseParked(it) => match &it.reason {
            ParkReason::ReturnedWithoutSuccessor { by } => {
                format!("parked: {by} returned it and names nobody")
            }
            ParkReason::ReturnedInCircle { by } => format!("parked: returned in a circle by {by}"),
            ParkReason::Operator { .. } => "parked by an operator".to_owned(),
        },
        CaseEvent::CaseReleased(_) => "released by an operator".to_owned(),
        CaseEvent::CaseDelivered(it) => format!("delivered: {}", it.work.token()),
        CaseEvent::CaseReturned(it) => format!("returned by {}: {}", it.province, it.reason),
        CaseEvent::CorrectionRequested(it) => {
            let again = if it.repeated { ", for the second time" } else { "" };
            format!("correction requested until {}{again}", it.until)
        }
        CaseEvent::CorrectionSubmitted(it) => format!("corrected, now due {}", due(&it.due)),
        CaseEvent::CorrectionLapsed(it) => format!("correction lapsed on {}", it.until),
        CaseEvent::CaseAccepted(it) => {
            format!("accepted as {}, completion due {}", it.acceptance_number, due(&it.due))
        }
        CaseEvent::CaseDeclined(it) => format!("declined: {}", it.reason),
        CaseEvent::ClockSuspended(it) => format!("clock suspended for {}", it.ground),
        CaseEvent::ClockResumed(it) => format!("clock resumed, due {}", due(&it.due)),
        CaseEvent::DueDayRevised(it) => {
            format!("due day revised from {} to {}", it.old.day, due(&it.due))
        }
        CaseEvent::CaseCompleted(it) => {
            format!("completed: {} as {}", it.outcome, it.decision_number)
        }
        CaseEvent::CaseWithdrawn(_) => "withdrawn".to_owned(),
        CaseEvent::AcceptanceOverdue(it) => format!("acceptance overdue since {}", it.due),
        CaseEvent::CompletionOverdue(it) => format!("completion overdue since {}", it.due),
        CaseEvent::CaseUrged(it) => format!("urged: {} was due {}", it.stage, it.due),
        CaseEvent::SeriouslyOverdue(it) => {
            format!("seriously overdue: {} was due {}", it.stage, it.due)
        }
        CaseEvent::DeemedAccepted(it) => format!("counts as accepted by law since {}", it.since),
        CaseEvent::ReportRefused(it) => format!("report refused: {} ({})", it.kind, it.code),
        CaseEvent::ConflictingDecision(it) => format!("conflicting decision kept: {}", it.kind),
        other => other.kind().to_owned(),
    }
}
