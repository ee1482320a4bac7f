//! What comes in, as hops: a submission and what is added to it, a report, a result that is confirmed.

use axum::http::HeaderMap;
use events::ids::{CaseId, EventId, ProvinceCode};
use events::subjects::TRACE_HEADER;
use events::trace::{Attribute, Hop, HopKind, SpanId, TraceParent};
use hub_core::command::Command;

use super::examine::Examined;
use crate::hops::{self, Moment};

/// A caller that has just come: when, and in which trace of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    began: Moment,
    own: Option<TraceParent>,
}

impl Call {
    /// A `traceparent` that is none, or is given twice, is ignored: it is no part of what is handed in.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get_all(TRACE_HEADER).iter().map(|it| it.to_str().unwrap_or(""));
        Self { began: Moment::now(), own: TraceParent::read(given) }
    }

    /// A submission: recorded, it is the first span of the case's trace; known, one more below that.
    pub(super) fn submitted(self, case: CaseId, client: &str, recorded: bool) {
        self.taken_in("intake", case, client, SpanId::intake(case), recorded);
    }

    /// Something that is added to a case.
    pub(super) fn added(self, case: CaseId, client: &str, named: Option<SpanId>, recorded: bool) {
        let span = named.unwrap_or_else(hops::unnamed);
        self.taken_in("intake", case, client, span, recorded);
    }

    /// A result that the client confirms after reading it.
    pub(super) fn confirmed(self, case: CaseId, client: &str, end: EventId) {
        self.began.tell(|lasted| {
            let span = (case, SpanId::feedback(case));
            Hop::new("feedback", HopKind::Server, span, SpanId::append(end), lasted)
                .with(Attribute::Client(client.to_owned()))
                .with(Attribute::Event(end))
                .linked(self.own)
        });
    }

    fn taken_in(
        self,
        name: &'static str,
        case: CaseId,
        client: &str,
        named: SpanId,
        recorded: bool,
    ) {
        self.began.tell(|lasted| {
            let span = if recorded { named } else { hops::unnamed() };
            let outcome = if recorded { "recorded" } else { "known" };
            Hop::new(name, HopKind::Server, (case, span), SpanId::intake(case), lasted)
                .with(Attribute::Client(client.to_owned()))
                .with(Attribute::Outcome(outcome))
                .linked(self.own)
        });
    }
}

/// The span of an addition that names the request it leads to.
pub(super) fn named_by(command: &Command) -> Option<SpanId> {
    match command {
        Command::SubmitCorrection { request, .. } | Command::Withdraw { request, .. } => {
            Some(SpanId::later_intake(*request))
        }
        _ => None,
    }
}

/// A report that is taken in. Recorded, what it leads to goes back to it; otherwise nothing does.
pub(super) fn reported(
    province: ProvinceCode,
    report: &Examined,
    headers: Option<&async_nats::HeaderMap>,
    outcome: &'static str,
    began: Moment,
) {
    began.tell(|lasted| {
        let (id, case) = (report.message.id, report.message.report.case);
        let given = headers.into_iter().flat_map(|it| it.get_all(TRACE_HEADER));
        let parent = TraceParent::read(given.map(|it| it.as_str()));
        let parent = parent.and_then(|it| it.parent_in(case)).unwrap_or(SpanId::intake(case));
        let recorded = outcome == "recorded";
        let span = if recorded { SpanId::report_intake(id) } else { hops::unnamed() };
        Hop::new("report-intake", HopKind::Consumer, (case, span), parent, lasted)
            .with(Attribute::Province(province))
            .with(Attribute::Report(id))
            .with(Attribute::News(report.message.report.news.token()))
            .with(Attribute::Outcome(outcome))
    });
}
