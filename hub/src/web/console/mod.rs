//! THE CONSOLE: the table of its pages and who may see each. One door in front of all; a page not in the table does not exist.

mod account;
mod alert_deeds;
mod alert_messages;
mod alert_words;
mod alerts;
mod audit;
mod audit_words;
mod bars;
mod case;
mod cases;
mod chips;
mod counted;
mod day;
mod deeds;
mod exports;
mod find;
mod form;
mod hours;
mod inside;
mod league;
mod live;
mod oidc;
mod overview;
mod parked;
mod parked_deeds;
mod parked_words;
mod people;
mod person;
mod province_deeds;
mod provinces;
mod reports;
mod saved;
mod shell;
mod sign_in;
mod standing;
mod tiles;
mod trend;
mod visitor;
mod when;
mod why;
mod words;

#[cfg(test)]
mod tests;

use axum::http::{HeaderName, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::statistics::bench::Bench;
use crate::web::Rooms;
pub use visitor::{Seen, Visitor, Who};

/// Who may see a page, as a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct May(u8);

impl May {
    /// Whoever reaches the port, signed in or not: the door itself.
    pub const ANYBODY: Self = Self(0b1100_0000 | Self::SIGNED_IN.0);
    /// Visitors without an account, where the configuration lets them look (`http.status_page`).
    pub const GUEST: Self = Self(0b0100_0000);
    /// Watches and acts.
    pub const OPERATOR: Self = Self(0b0000_0001);
    /// Answers the telephone.
    pub const HOTLINE: Self = Self(0b0000_0010);
    /// Its own province only.
    pub const PROVINCE: Self = Self(0b0000_0100);
    /// Reads everything.
    pub const AUDITOR: Self = Self(0b0000_1000);
    /// Lets people in and out.
    pub const ADMIN: Self = Self(0b0001_0000);
    /// Everybody with an account.
    pub const SIGNED_IN: Self = Self(0b0001_1111);

    /// Either.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether one of `who` is among them.
    pub const fn has(self, who: Self) -> bool {
        self.0 & who.0 != 0
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// `get` or `post`.
    pub method: &'static str,
    /// As the router spells it.
    pub path: &'static str,
    /// Who may.
    pub may: May,
}

const fn page(method: &'static str, path: &'static str, may: May) -> Page {
    Page { method, path, may }
}

const READERS: May = May::OPERATOR.or(May::HOTLINE).or(May::AUDITOR);

const STATISTICS: May = May::OPERATOR.or(May::AUDITOR).or(May::PROVINCE);

/// Every page. What is not here is answered `not-found`, whoever asks.
#[rustfmt::skip] // a table
pub const PAGES: &[Page] = &[
    page("get",  "/",                     READERS.or(May::GUEST).or(May::PROVINCE).or(May::ADMIN)),
    page("get",  "/wall",                 READERS.or(May::GUEST)),
    page("get",  "/cases",                READERS.or(May::PROVINCE)),
    page("get",  "/cases.csv",            READERS.or(May::PROVINCE)),
    page("get",  "/cases.xlsx",           READERS.or(May::PROVINCE)),
    page("post", "/cases/saved",          READERS.or(May::PROVINCE)),
    page("get",  "/cases/{case}",         READERS.or(May::GUEST).or(May::PROVINCE)),
    page("post", "/cases/{case}/reveal",  May::OPERATOR.or(May::HOTLINE).or(May::PROVINCE)),
    page("post", "/cases/{case}/deed",    May::OPERATOR.or(May::HOTLINE)),
    page("get",  "/provinces",            READERS.or(May::PROVINCE)),
    page("get",  "/provinces/{province}", READERS.or(May::PROVINCE)),
    page("post", "/provinces/{province}", May::OPERATOR),
    page("get",  "/alerts",               READERS.or(May::PROVINCE)),
    page("post", "/alerts",               May::OPERATOR),
    page("get",  "/parked",               May::OPERATOR.or(May::AUDITOR).or(May::PROVINCE)),
    page("post", "/parked",               May::OPERATOR),
    page("get",  "/parked/{number}",      May::OPERATOR.or(May::AUDITOR).or(May::PROVINCE)),
    page("post", "/parked/{number}/reveal", May::OPERATOR),
    page("get",  "/find",                 May::OPERATOR.or(May::HOTLINE)),
    page("post", "/find",                 May::OPERATOR.or(May::HOTLINE)),
    page("get",  "/reports",              STATISTICS),
    page("get",  "/reports/figures",      STATISTICS),
    page("get",  "/reports/ledger",       STATISTICS),
    page("get",  "/reports/publicity",    STATISTICS),
    page("post", "/reports/publicity",    May::OPERATOR.or(May::PROVINCE)),
    page("get",  "/reports/issued",       STATISTICS),
    page("post", "/reports/issued",       May::OPERATOR),
    page("get",  "/reports/table.csv",    STATISTICS),
    page("get",  "/reports/table.xlsx",   STATISTICS),
    page("get",  "/live",                 May::SIGNED_IN.or(May::GUEST)),
    page("get",  "/audit",                May::AUDITOR),
    page("post", "/audit",                May::AUDITOR),
    page("get",  "/people",               May::ADMIN),
    page("post", "/people",               May::ADMIN),
    page("get",  "/account",              May::SIGNED_IN),
    page("post", "/account",              May::SIGNED_IN),
    page("get",  "/sign-in",              May::ANYBODY),
    page("post", "/sign-in",              May::ANYBODY),
    page("get",  "/sign-in/oidc",         May::ANYBODY),
    page("get",  "/sign-in/oidc/callback", May::ANYBODY),
    page("post", "/sign-out",             May::SIGNED_IN),
    page("get",  "/static/console.css",   May::ANYBODY),
    page("get",  "/static/console.js",    May::ANYBODY),
];

/// The routes of [`PAGES`] behind their door.
pub fn router(rooms: Rooms) -> Router {
    let css = || async { fixed("text/css; charset=utf-8", include_str!("../static/console.css")) };
    let script =
        || async { fixed("text/javascript; charset=utf-8", include_str!("../static/console.js")) };
    let bench = Bench::new(rooms.readers.clone());
    Router::new()
        .route("/", get(overview::show))
        .route("/wall", get(overview::wall))
        .route("/cases", get(cases::show))
        .route("/cases.csv", get(exports::csv))
        .route("/cases.xlsx", get(exports::xlsx))
        .route("/cases/saved", post(saved::keep))
        .route("/cases/{case}", get(case::show))
        .route("/cases/{case}/reveal", post(deeds::reveal))
        .route("/cases/{case}/deed", post(deeds::act))
        .route("/provinces", get(provinces::list))
        .route("/provinces/{province}", get(provinces::one).post(province_deeds::act))
        .route("/alerts", get(alerts::show).post(alert_deeds::act))
        .route("/parked", get(parked::show).post(parked_deeds::act))
        .route("/parked/{number}", get(inside::show))
        .route("/parked/{number}/reveal", post(inside::reveal))
        .route("/find", get(find::show).post(find::find))
        .route("/reports", get(reports::index))
        .route("/reports/figures", get(reports::figures))
        .route("/reports/ledger", get(reports::ledger))
        .route("/reports/publicity", get(reports::publicity).post(reports::state))
        .route("/reports/issued", get(reports::issued).post(reports::issue))
        .route("/reports/table.csv", get(reports::csv))
        .route("/reports/table.xlsx", get(reports::xlsx))
        .route("/live", get(live::open))
        .route("/audit", get(audit::show).post(audit::act))
        .route("/people", get(people::show).post(people::put))
        .route("/account", get(account::show).post(account::change))
        .route("/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/sign-in/oidc", get(oidc::begin))
        .route("/sign-in/oidc/callback", get(oidc::come_back))
        .route("/sign-out", post(sign_in::leave))
        .route("/static/console.css", get(css))
        .route("/static/console.js", get(script))
        .layer(Extension(bench))
        .route_layer(from_fn_with_state(rooms.clone(), visitor::door))
        .route_layer(from_fn(shell::dress))
        .with_state(rooms)
}

fn fixed(
    kind: &'static str,
    text: &'static str,
) -> ([(HeaderName, &'static str); 2], &'static str) {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "max-age=300")], text)
}
