//! What an event of a case counts. A case belongs to the province that had it when the event came.

use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::CaseId;
use events::vocabulary::{Outcome, Rating, Reason, Stage};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;

use super::beginning::{begun, blamed, entry, late, on_time, overdue};
use super::{Belongs, Fold, No, Open, Unfounded};
use crate::statistics::ledger::{Entry, Explanation, Problem, Standing};
use crate::statistics::places::division_of;
use crate::statistics::tally::Count;
use crate::views::journey;
use crate::views::rows::Blame;
use crate::views::status::{Judged, Ladder};

impl Fold {
    pub(super) fn case(
        &mut self,
        case: CaseId,
        recorded: &Recorded,
        event: &CaseEvent,
    ) -> Result<(), Unfounded> {
        if let CaseEvent::CaseSubmitted(it) = event {
            self.open.insert(case, begun(case, recorded, it));
            return Ok(());
        }
        let at = recorded.recorded_at;
        // Taken out and put back: the rest of the fold may be changed meanwhile.
        let Some(mut open) = self.open.remove(&case) else {
            return self.late_fact(case, recorded, event);
        };
        let before = open.status.standing;
        journey::evolve(&mut open.status, at, event);
        let refused = matches!(event, CaseEvent::ReportRefused(_));
        self.heard(recorded, &open.belongs, refused);
        self.sent(case, at, event);
        self.handling(case, recorded, event, &mut open);
        self.limits(case, recorded, event, &mut open, &[before.acceptance, before.completion]);
        self.fact(case, recorded, event, &open.belongs);
        if open.status.row.stage.has_ended() {
            self.forget(case, at, open.belongs);
        } else {
            self.open.insert(case, open);
        }
        Ok(())
    }

    /// What is kept of a case that ended, if its late facts can still be of this period's interest.
    fn forget(&mut self, case: CaseId, at: Timestamp, belongs: Belongs) {
        let year = shanghai_date(at).year();
        if year >= self.oldest_year() {
            self.past.entry(year).or_default().insert(case, belongs);
        }
    }

    /// Late facts are counted for cases that ended in the year before the period's, or later.
    fn oldest_year(&self) -> i16 {
        self.period.first_day().year() - 1
    }

    /// A case that has ended still has a story.
    fn late_fact(
        &mut self,
        case: CaseId,
        recorded: &Recorded,
        event: &CaseEvent,
    ) -> Result<(), Unfounded> {
        self.sent(case, recorded.recorded_at, event);
        let Some(belongs) = self.past.values().find_map(|it| it.get(&case)).copied() else {
            // Told apart from a damaged log by its version: the first is a submission.
            if recorded.version.0 == 1 {
                return Err(Unfounded(recorded.position));
            }
            if self.started && !self.ended {
                self.cube.too_old += 1;
            }
            return Ok(());
        };
        let refused = matches!(event, CaseEvent::ReportRefused(_));
        self.heard(recorded, &belongs, refused);
        self.fact(case, recorded, event, &belongs);
        Ok(())
    }

    /// How long work waits for a signature.
    fn sent(&mut self, case: CaseId, at: Timestamp, event: &CaseEvent) {
        match event {
            CaseEvent::CaseForwarded(it) => self.links.sent(case, it.province, at),
            // Whoever answers has it; what is parked is not sent any more.
            CaseEvent::CaseDelivered(_)
            | CaseEvent::CaseReturned(_)
            | CaseEvent::CaseParked(_)
            | CaseEvent::CaseAccepted(_)
            | CaseEvent::CaseDeclined(_)
            | CaseEvent::CaseCompleted(_)
            | CaseEvent::CorrectionRequested(_) => self.links.settled(case, at),
            _ => {}
        }
    }

    /// What was decided.
    fn handling(&mut self, case: CaseId, recorded: &Recorded, event: &CaseEvent, open: &mut Open) {
        let at = recorded.recorded_at;
        match event {
            CaseEvent::CaseRouted(it) => {
                // An operator may route on without a return.
                self.day(&open.belongs, at, |it| it.went += 1);
                open.belongs.province = Some(it.province);
                if let Some(division) = division_of(&it.reason) {
                    open.belongs.division = Some(division);
                } else if open.routed {
                    open.belongs.division = None;
                }
                let count = if open.routed { Count::MovedIn } else { Count::Received };
                open.routed = true;
                self.add(&open.belongs, count);
                self.day(&open.belongs, at, |it| it.came += 1);
                self.ledger.mend(case, at, |it| it == Problem::Returned);
            }
            CaseEvent::CaseReturned(it) => {
                self.add(&open.belongs, Count::Returned);
                self.day(&open.belongs, at, |it| it.went += 1);
                self.reason(open, it.reason, No::Returned);
                let entry = entry(case, recorded, Problem::Returned, &open.belongs);
                let detail = it.reason.zh().to_owned();
                self.list(case, Entry { detail, standing: Standing::Open, ..entry });
                open.belongs.province = None;
            }
            CaseEvent::CaseAccepted(_) => self.add(&open.belongs, Count::Accepted),
            CaseEvent::CaseDeclined(it) => {
                self.add(&open.belongs, Count::Declined);
                self.reason(open, it.reason, No::Declined);
                self.decided(open, at);
            }
            CaseEvent::CaseCompleted(it) => {
                let approved = it.outcome == Outcome::Approved;
                self.add(&open.belongs, if approved { Count::Approved } else { Count::Denied });
                for reason in &it.reasons {
                    self.reason(open, *reason, No::Denied);
                }
                self.decided(open, at);
            }
            CaseEvent::CorrectionRequested(it) if it.repeated => {
                self.add(&open.belongs, Count::CorrectionsRepeated);
                let entry = entry(case, recorded, Problem::RepeatedCorrection, &open.belongs);
                self.list(case, entry);
            }
            CaseEvent::CorrectionRequested(_) => self.add(&open.belongs, Count::Corrections),
            CaseEvent::CaseWithdrawn(_) => self.add(&open.belongs, Count::Withdrawn),
            CaseEvent::CorrectionLapsed(_) => self.add(&open.belongs, Count::Lapsed),
            _ => {}
        }
        if open.status.row.stage.has_ended() {
            self.day(&open.belongs, at, |it| it.went += 1);
            self.ledger.mend(case, at, |it| it == Problem::Returned);
        }
    }

    fn decided(&mut self, open: &Open, at: Timestamp) {
        let from = open.status.row.submitted_at;
        self.count(&open.belongs, |it| it.add_hours(from, at));
    }

    fn reason(&mut self, open: &Open, reason: Reason, no: No) {
        if self.lists(open.belongs.province) {
            let key = (open.belongs.province, reason, no);
            *self.cube.reasons.entry(key).or_default() += 1;
        }
    }

    /// How the two clocks did.
    fn limits(
        &mut self,
        case: CaseId,
        recorded: &Recorded,
        event: &CaseEvent,
        open: &mut Open,
        before: &[Ladder; 2],
    ) {
        let at = recorded.recorded_at;
        match event {
            CaseEvent::AcceptanceOverdue(it) => {
                self.breached(case, recorded, open, Stage::Acceptance, it.due);
            }
            CaseEvent::CompletionOverdue(it) => {
                self.breached(case, recorded, open, Stage::Completion, it.due);
            }
            CaseEvent::CaseUrged(_) => self.add(&open.belongs, Count::Urged),
            CaseEvent::SeriouslyOverdue(_) => self.add(&open.belongs, Count::Serious),
            CaseEvent::DeemedAccepted(it) => {
                self.add(&open.belongs, Count::Deemed);
                let entry = entry(case, recorded, Problem::DeemedAccepted, &open.belongs);
                self.list(case, Entry { due: Some(it.until), ..entry });
            }
            CaseEvent::CaseAccepted(it) => {
                self.judge(case, recorded, open, Stage::Acceptance, before[0], it.decided_at);
            }
            CaseEvent::CaseDeclined(it) => {
                let accepted = open.status.row.accepted_at.is_some();
                let (stage, ladder) = if accepted {
                    (Stage::Completion, before[1])
                } else {
                    (Stage::Acceptance, before[0])
                };
                self.judge(case, recorded, open, stage, ladder, it.decided_at);
            }
            CaseEvent::CaseCompleted(it) => {
                self.judge(case, recorded, open, Stage::Completion, before[1], it.decided_at);
            }
            // Clock 1 starts again: what was due is answered for.
            CaseEvent::CorrectionRequested(_) => {
                self.ledger.mend(case, at, |it| it == Problem::Overdue(Stage::Acceptance));
            }
            CaseEvent::CorrectionSubmitted(_) => open.breached_here[0] = false,
            _ => {}
        }
        if open.status.row.stage.has_ended() {
            self.ledger.mend(case, at, |it| matches!(it, Problem::Overdue(_)));
        }
    }

    /// The day ended and nothing was on record: it counts at once.
    fn breached(
        &mut self,
        case: CaseId,
        recorded: &Recorded,
        open: &mut Open,
        stage: Stage,
        due: Date,
    ) {
        let Some((_, blame)) = open.status.standing.ladder(stage).overdue else { return };
        open.breached_here[usize::from(stage == Stage::Completion)] = true;
        self.count_breach(open, stage, blame, recorded.recorded_at);
        let entry = entry(case, recorded, Problem::Overdue(stage), &open.belongs);
        let (due, blame) = (Some(due), Some(blame));
        self.list(case, Entry { due, blame, standing: Standing::Open, ..entry });
    }

    fn count_breach(&mut self, open: &Open, stage: Stage, blame: Blame, at: Timestamp) {
        self.add(&open.belongs, overdue(stage));
        self.add(&open.belongs, blamed(blame));
        self.day(&open.belongs, at, |it| it.breached += 1);
    }

    fn judge(
        &mut self,
        case: CaseId,
        recorded: &Recorded,
        open: &Open,
        stage: Stage,
        ladder: Ladder,
        decided_at: Timestamp,
    ) {
        let Some(by) = open.status.row.province else { return };
        let on = shanghai_date(recorded.recorded_at);
        let judged = open.status.judged(Some(ladder), by, stage, on, decided_at);
        let row = &open.status.row;
        let due = match stage {
            Stage::Acceptance => Some(row.acceptance_due.day),
            Stage::Completion => row.completion_due.as_ref().map(|it| it.day),
        };
        let entry = |problem, blame| Entry {
            due,
            blame: Some(blame),
            ..entry(case, recorded, problem, &open.belongs)
        };
        match judged {
            None | Some(Judged::Stands) => {}
            Some(Judged::OnTime) => self.add(&open.belongs, on_time(stage)),
            Some(Judged::ReportedLate) => {
                self.add(&open.belongs, late(stage));
                self.add(&open.belongs, Count::BlameAdapter);
                self.list(case, entry(Problem::ReportedLate(stage), Blame::Adapter));
            }
            Some(Judged::Overdue(blame)) => {
                self.count_breach(open, stage, blame, recorded.recorded_at);
                let standing = Standing::Mended;
                let mended_at = Some(recorded.recorded_at);
                let entry = entry(Problem::Overdue(stage), blame);
                self.list(case, Entry { standing, mended_at, ..entry });
            }
            Some(Judged::TurnsOutLate(blame)) => {
                self.ledger.turns_out_late(case, stage);
                if open.breached_here[usize::from(stage == Stage::Completion)] {
                    self.count(&open.belongs, |it| {
                        it.take_back(overdue(stage));
                        it.take_back(blamed(blame));
                        it.add(late(stage));
                        it.add(Count::BlameAdapter);
                    });
                } else {
                    self.add(&open.belongs, Count::TurnedOutLate);
                }
            }
        }
        let at = recorded.recorded_at;
        self.ledger.mend(case, at, |it| {
            it == Problem::Overdue(stage) || it == Problem::ReportedLate(stage)
        });
    }

    /// What may come before the end and after it.
    fn fact(&mut self, case: CaseId, recorded: &Recorded, event: &CaseEvent, belongs: &Belongs) {
        let at = recorded.recorded_at;
        match event {
            CaseEvent::ConflictingDecision(it) => {
                self.add(belongs, Count::Conflicts);
                let entry = entry(case, recorded, Problem::Conflict, belongs);
                self.list(case, Entry { detail: it.kind.clone(), ..entry });
            }
            CaseEvent::ReportRefused(it) => {
                let entry = entry(case, recorded, Problem::ReportRefused, belongs);
                self.list(case, Entry { detail: it.code.clone(), ..entry });
            }
            CaseEvent::CertificateIssued(_) => self.add(belongs, Count::Certificates),
            CaseEvent::CaseRated(it) => {
                self.add(belongs, Count::Rated);
                if matches!(it.rating, Rating::VerySatisfied | Rating::Satisfied | Rating::Fair) {
                    self.add(belongs, Count::RatedGood);
                }
            }
            CaseEvent::ComplaintFiled(it) => {
                self.add(belongs, Count::Complaints);
                let entry = entry(case, recorded, Problem::Complaint, belongs);
                let detail = format!("{} {}", it.channel, it.reference);
                self.list(case, Entry { detail, standing: Standing::Open, ..entry });
            }
            CaseEvent::ComplaintAnswered(_) => {
                self.add(belongs, Count::ComplaintsAnswered);
                self.ledger.mend(case, at, |it| it == Problem::Complaint);
            }
            CaseEvent::BreachExplained(it) => {
                let (operator, note) = (it.operator.clone(), it.note.clone());
                self.ledger.explain(case, it.stage, &Explanation { operator, at, note });
            }
            _ => {}
        }
    }

    fn list(&mut self, case: CaseId, entry: Entry) {
        if self.lists(entry.province) {
            self.ledger.add(case, entry);
        }
    }
}
