//! Who was late. One verdict a clock, from recorded moments only; a claim never makes a case on time.

use jiff::civil::Date;

use crate::views::rows::Blame;

/// How a decided clock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Recorded by the end of the due day.
    OnTime,
    /// The province says it decided in time; it was recorded later.
    ReportedLate,
    /// Neither.
    Overdue,
}

/// The verdict on a decision; all three are dates in Shanghai.
pub(crate) fn verdict(due: Date, recorded_on: Date, claimed_on: Date) -> Verdict {
    if recorded_on <= due {
        Verdict::OnTime
    } else if claimed_on <= due {
        Verdict::ReportedLate
    } else {
        Verdict::Overdue
    }
}

/// Where a case was, as far as is recorded; dates in Shanghai.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Custody {
    /// First handed to the broker.
    pub(crate) forwarded_on: Option<Date>,
    /// The adapter signed for it.
    pub(crate) delivered_on: Option<Date>,
    /// The applicant had to send something.
    pub(crate) awaiting_correction: bool,
    /// An operator had stopped it.
    pub(crate) parked: bool,
    /// It reached the hub more than a day after the applicant submitted it.
    pub(crate) late_intake: bool,
    /// When the province says it decided.
    pub(crate) claimed_on: Option<Date>,
}

/// Who held the case when `due` ended at 24:00.
pub(crate) fn blame(due: Date, custody: &Custody) -> Blame {
    let by_then = |day: Option<Date>| day.is_some_and(|it| it <= due);
    if by_then(custody.claimed_on) {
        Blame::Adapter
    } else if custody.awaiting_correction {
        Blame::Applicant
    } else if custody.parked || custody.late_intake {
        Blame::Hub
    } else if by_then(custody.delivered_on) {
        // The adapter's receipt can overtake the hub's note that it forwarded.
        Blame::Desk
    } else if by_then(custody.forwarded_on) {
        Blame::Transit
    } else {
        Blame::Hub
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Option<Date> {
        (text != "-").then(|| format!("2026-03-{text}").parse().unwrap())
    }

    #[test]
    fn the_verdict_is_judged_by_what_was_recorded() {
        // due  recorded  claimed
        for (due, recorded, claimed, expected) in [
            ("04", "04", "04", Verdict::OnTime),
            ("04", "03", "09", Verdict::OnTime), // a claim after the recording changes nothing
            ("04", "05", "04", Verdict::ReportedLate),
            ("04", "05", "05", Verdict::Overdue),
        ] {
            let day = |it| day(it).unwrap();
            assert_eq!(
                verdict(day(due), day(recorded), day(claimed)),
                expected,
                "{recorded} {claimed}"
            );
        }
    }

    #[test]
    fn blame_falls_on_who_held_the_case_when_the_day_ended() {
        let table = [
            // forwarded delivered claimed flags           who
            ("-", "-", "-", "", Blame::Hub),
            ("05", "05", "-", "", Blame::Hub), // only after the day had ended
            ("03", "-", "-", "", Blame::Transit),
            ("03", "05", "-", "", Blame::Transit),
            ("03", "04", "-", "", Blame::Desk),
            ("-", "04", "-", "", Blame::Desk), // the receipt overtook the note
            ("03", "03", "04", "", Blame::Adapter),
            ("03", "03", "05", "", Blame::Desk),
            ("03", "03", "-", "correcting", Blame::Applicant),
            ("03", "03", "-", "parked", Blame::Hub),
            ("03", "03", "-", "late intake", Blame::Hub),
            ("03", "03", "04", "late intake", Blame::Adapter),
        ];
        for (forwarded, delivered, claimed, flags, expected) in table {
            let custody = Custody {
                forwarded_on: day(forwarded),
                delivered_on: day(delivered),
                claimed_on: day(claimed),
                awaiting_correction: flags == "correcting",
                parked: flags == "parked",
                late_intake: flags == "late intake",
            };
            let told = blame(day("04").unwrap(), &custody);
            assert_eq!(told, expected, "{forwarded} {delivered} {claimed} {flags}");
        }
    }
}
