//! FOR OPERATORS AND PROGRAMS: the table of all routes. It reads; what it changes goes through the registrar.

mod acting;
mod again;
pub mod api;
pub mod audit_desk;
pub mod console;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::reconcile::Span;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Semaphore, mpsc};

use crate::accounts::Accounts;
use crate::callers::{Caller, Callers, Role};
use crate::clock::Clock;
use crate::enrolment::EnrolmentDesk;
use crate::log::Readers;
use crate::oidc::Provider;
use crate::problem::Problem;
use crate::quarantine::Quarantine;
use crate::redrive::{RedriveConfig, Waiting, WaitingError};
use crate::registrar::Registrar;
use crate::vault::Opener;
use crate::views::alarms::Alarms;
use crate::views::membership::Membership;
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::CaseRow;
use crate::wake::Wake;
use audit_desk::AuditDesk;

/// Most event streams that are open at once.
pub const STREAMS_MAX: usize = 64;
/// Most pages of the console that are kept live at once; the others stand still.
pub const ONLOOKERS_MAX: usize = 256;

/// Most comparisons that operators may have wished for and nobody has taken up.
pub const COMPARISONS_WISHED_MAX: usize = 64;

/// With which province, and over which days.
pub type CompareDoor = mpsc::Sender<(ProvinceCode, Span)>;

/// Handles of the rooms below, wired by whoever starts the hub. Copies share.
#[derive(Clone)]
pub struct Rooms {
    /// For what an operator changes.
    pub registrar: Registrar,
    /// For lists.
    pub views: ViewReader,
    /// For stories and the stream.
    pub readers: Readers,
    /// Who is enrolled and paused.
    pub membership: Membership,
    /// Lets provinces join, change keys and leave.
    pub enrolment: EnrolmentDesk,
    /// What was not understood.
    pub quarantine: Quarantine,
    /// How much one person may let in again alone.
    pub redrive: RedriveConfig,
    /// Who may call.
    pub callers: Arc<Callers>,
    /// For alerts that are told when asked, and the age of what is shown.
    pub clock: Clock,
    /// Rings when something was recorded.
    pub wake: Wake,
    /// Prints the counters.
    pub metrics: PrometheusHandle,
    /// Where a comparison with a province is wished for.
    pub compare: CompareDoor,
    /// Places for streams: `Arc::new(Semaphore::new(STREAMS_MAX))`.
    pub streams: Arc<Semaphore>,
    /// Rings when the views have read on.
    pub viewed: Wake,
    /// What stands now and no event tells.
    pub alarms: Alarms,
    /// The signed heads, and the whole log verified.
    pub audit: AuditDesk,
    /// For masks, for a reveal on record, and for looking up by a blind index.
    pub opener: Opener,
    /// Who may sign in to the console.
    pub accounts: Accounts,
    /// Who else vouches for people, if anybody.
    pub oidc: Option<Arc<Provider>>,
    /// Whether somebody without an account may look at what holds nothing personal.
    pub guests: bool,
    /// Places for pages that are told when to look again: `Arc::new(Semaphore::new(ONLOOKERS_MAX))`.
    pub onlookers: Arc<Semaphore>,
}

/// Method, path as in OpenAPI.
pub const ROUTES: &[(&str, &str)] = &[
    ("get", "/v1/cases"),
    ("get", "/v1/cases/{case}"),
    ("get", "/v1/cases/{case}/events"),
    ("get", "/v1/provinces"),
    ("get", "/v1/alerts"),
    ("get", "/v1/stream"),
    ("get", "/v1/quarantine"),
    ("get", "/v1/dead-letters"),
    ("get", "/v1/dead-letters/items"),
    ("get", "/v1/redrives"),
    ("get", "/v1/redrives/{redrive}"),
    ("post", "/v1/admin/redrives"),
    ("post", "/v1/admin/redrives/{redrive}/confirm"),
    ("post", "/v1/admin/redrives/{redrive}/pause"),
    ("post", "/v1/admin/redrives/{redrive}/resume"),
    ("post", "/v1/admin/redrives/{redrive}/cancel"),
    ("get", "/v1/admin/accounts"),
    ("post", "/v1/admin/accounts"),
    ("post", "/v1/admin/calendars"),
    ("post", "/v1/admin/provinces/{province}/enroll"),
    ("post", "/v1/admin/provinces/{province}/pause"),
    ("post", "/v1/admin/provinces/{province}/resume"),
    ("post", "/v1/admin/cases/{case}/release"),
    ("post", "/v1/admin/cases/{case}/park"),
    ("post", "/v1/admin/cases/{case}/explain"),
    ("post", "/v1/admin/cases/{case}/complaint-answered"),
    ("post", "/v1/admin/cases/{case}/archive"),
    ("post", "/v1/admin/provinces/{province}/revoke-key"),
    ("post", "/v1/admin/provinces/{province}/maintenance"),
    ("post", "/v1/admin/provinces/{province}/rotate-keys"),
    ("post", "/v1/admin/provinces/{province}/leave"),
    ("post", "/v1/admin/provinces/{province}/certify"),
    ("get", "/v1/provinces/{province}"),
    ("get", "/v1/provinces/{province}/bundle"),
    ("post", "/v1/admin/provinces/{province}/reconcile"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/openapi.json"),
];

/// The routes of [`ROUTES`], to be merged with those of the intake.
pub fn router(rooms: Rooms) -> Router {
    use api::{
        accounts, admin, aftercare, alerts, cases, certificates, dead_letters, enrolment, health,
        provinces, quarantine, reconcile, redrives, stream,
    };
    Router::new()
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/{case}", get(cases::one))
        .route("/v1/cases/{case}/events", get(cases::events))
        .route("/v1/provinces", get(provinces::list))
        .route("/v1/alerts", get(alerts::list))
        .route("/v1/stream", get(stream::open))
        .route("/v1/quarantine", get(quarantine::list))
        .route("/v1/dead-letters", get(dead_letters::groups))
        .route("/v1/dead-letters/items", get(dead_letters::items))
        .route("/v1/redrives", get(redrives::list))
        .route("/v1/redrives/{redrive}", get(redrives::one))
        .route("/v1/admin/redrives", post(redrives::order))
        .route("/v1/admin/redrives/{redrive}/confirm", post(redrives::confirm))
        .route("/v1/admin/redrives/{redrive}/pause", post(redrives::pause))
        .route("/v1/admin/redrives/{redrive}/resume", post(redrives::resume))
        .route("/v1/admin/redrives/{redrive}/cancel", post(redrives::cancel))
        .route("/v1/admin/accounts", get(accounts::list).post(accounts::put))
        .route("/v1/admin/calendars", post(admin::calendar))
        .route("/v1/admin/provinces/{province}/enroll", post(enrolment::enroll))
        .route("/v1/admin/provinces/{province}/pause", post(admin::pause))
        .route("/v1/admin/provinces/{province}/resume", post(admin::resume))
        .route("/v1/admin/cases/{case}/release", post(admin::release))
        .route("/v1/admin/cases/{case}/park", post(admin::park))
        .route("/v1/admin/cases/{case}/explain", post(aftercare::explain))
        .route("/v1/admin/cases/{case}/complaint-answered", post(aftercare::answered))
        .route("/v1/admin/cases/{case}/archive", post(aftercare::archive))
        .route("/v1/admin/provinces/{province}/revoke-key", post(enrolment::revoke))
        .route("/v1/admin/provinces/{province}/rotate-keys", post(enrolment::rotate))
        .route("/v1/admin/provinces/{province}/leave", post(enrolment::leave))
        .route("/v1/admin/provinces/{province}/certify", post(certificates::certify))
        .route("/v1/provinces/{province}", get(enrolment::facts))
        .route("/v1/provinces/{province}/bundle", get(enrolment::bundle))
        .route("/v1/admin/provinces/{province}/maintenance", post(aftercare::maintenance))
        .route("/v1/admin/provinces/{province}/reconcile", post(reconcile::start))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(health::openapi))
        .with_state(rooms)
}

impl Rooms {
    /// Whoever may see everything.
    pub(crate) fn overseer(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = self.callers.authenticate(headers)?;
        match caller.role {
            Role::Operator | Role::Auditor => Ok(caller),
            Role::National => Err(Problem::new("forbidden")),
        }
    }

    /// Whoever may change something.
    pub(crate) fn operator(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = self.callers.authenticate(headers)?;
        caller.must_be(Role::Operator)?;
        Ok(caller)
    }

    /// Asks the views where waiting for the disk harms nobody.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&ViewReader) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, Problem> {
        let views = self.views.clone();
        match tokio::task::spawn_blocking(move || ask(&views)).await {
            Ok(answer) => answer.map_err(Problem::from),
            Err(_panic) => Err(Problem::new("internal")),
        }
    }

    /// What waits for a person.
    pub(crate) async fn waiting<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Waiting) -> Result<T, WaitingError> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = Waiting { views: self.views.clone(), quarantine: self.quarantine.clone() };
        match tokio::task::spawn_blocking(move || ask(&waiting)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(WaitingError::Views(error))) => Err(error.into()),
            Ok(Err(WaitingError::Quarantine(error))) => Err(error.into()),
            Err(_panic) => Err(Problem::new("internal")),
        }
    }

    /// A case by id or number.
    pub(crate) async fn case(&self, name: &str) -> Result<CaseRow, Problem> {
        let unknown = || Problem::new("unknown-case");
        if let Ok(id) = name.parse::<CaseId>() {
            return self.aside(move |views| views.case(id)).await?.ok_or_else(unknown);
        }
        let number: CaseNumber = name.parse().map_err(|_| unknown())?;
        self.aside(move |views| views.case_by_number(&number)).await?.ok_or_else(unknown)
    }
}
