//! WHO IS TOLD. People hear of alerts that stand, in groups and seldom; what they did not get is brought again.
//!
//! Read: [`plan`] (of what and when: a pure function), [`compose`] (in which words), this file (the
//! message is recorded under its id before anybody sends it), [`carrier`] (each for itself, within
//! bounds, its outcome recorded), then the three ways: [`webhook`], [`alertmanager`], [`mail`].

pub mod alertmanager;
pub mod carrier;
pub mod compose;
pub mod config;
pub mod mail;
pub mod open;
pub mod plan;
pub mod webhook;

#[cfg(test)]
mod tests;

use std::time::Duration;

use events::envelope::{Actor, Position};
use events::keeping::KeepingEvent;
use events::keeping::alerts::{AlertMessageGivenUp, AlertMessagePlanned};
use tracing::{info, warn};
use uuid::Uuid;

use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::notices::plan::{HOUR, NoticePace, Planned, Standing, plan};
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What};
use crate::views::alarms::Alarms;
use crate::views::messages::Carried;
use crate::views::reader::{ViewError, ViewReader};
use crate::wake::Ear;

/// Looks again after this long even if nobody rang, and not sooner: a look counts all open cases. Real time.
const TICK: Duration = Duration::from_secs(5);
/// Open messages that are looked at for carriers that are gone.
const OPEN_MAX: usize = 256;

/// Why nothing could be planned; the next look tries again.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The views cannot be read.
    #[error("cannot look for what people are to be told")]
    Views(#[source] ViewError),
    /// The log cannot say how far it is.
    #[error("cannot find the head of the log")]
    Log(#[source] ReadError),
    /// The registrar cannot answer now.
    #[error("cannot have a message recorded")]
    Registrar(#[source] Unavailable),
}

/// The one who decides of what people are told.
pub struct Notices {
    pub pace: NoticePace,
    /// Names of those who bring it.
    pub carriers: Vec<String>,
    pub views: ViewReader,
    pub readers: Readers,
    pub registrar: Registrar,
    pub alarms: Alarms,
    pub clock: Clock,
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        said = format!("{said}: {it}");
        cause = it.source();
    }
    said
}

impl Notices {
    /// Looks for ever.
    pub async fn run(self, mut ear: Ear) {
        info!(carriers = self.carriers.len(), "looks for what people are to be told of alerts");
        loop {
            if let Err(error) = self.once().await {
                warn!(error = %chain(&error), "nobody can be told of alerts now");
            }
            tokio::time::sleep(TICK).await;
            ear.heard(TICK).await;
        }
    }

    /// One look. The message that was due, if one was.
    pub async fn once(&self) -> Result<Option<Uuid>, NoticeError> {
        if !self.views_have_seen_all().await? {
            return Ok(None);
        }
        self.give_up_for_the_gone().await?;
        if self.carriers.is_empty() {
            return Ok(None);
        }
        match self.plan().await.map_err(NoticeError::Views)? {
            None => Ok(None),
            Some(planned) => self.record_planned(planned).await.map(Some),
        }
    }

    /// A plan from views that have not seen the last message would tell it twice.
    async fn views_have_seen_all(&self) -> Result<bool, NoticeError> {
        let story = |log: &dyn crate::log::ReadLog| {
            let head = log.head()?;
            Ok(head.map_or(Position(0), |it| it.0))
        };
        let head = self.readers.read_aside(story).await.map_err(NoticeError::Log)?;
        // Events come in all the time: it is enough that all that was there is seen soon.
        for _ in 0..SEEN_LOOKS {
            if self.read(|views| views.position()).await.map_err(NoticeError::Views)? >= head {
                return Ok(true);
            }
            tokio::time::sleep(SEEN_TICK).await;
        }
        Ok(false)
    }

    async fn plan(&self) -> Result<Option<Planned>, ViewError> {
        let (now, today) = (self.clock.now(), self.clock.today());
        let soon = self.registrar.rules().calendar.due(today, 1).day;
        let (alarms, pace) = (self.alarms.clone(), self.pace.clone());
        self.read(move |views| {
            let groups = alarms.with_alerts(views, now, today, soon)?;
            let states = views.alert_states()?;
            let sent = views.messages_planned_after(now.saturating_sub(HOUR).unwrap_or(now))?;
            let standing = Standing { groups: &groups, states: &states, sent: &sent, now };
            Ok(plan(&standing, &pace))
        })
        .await
    }

    async fn record_planned(&self, planned: Planned) -> Result<Uuid, NoticeError> {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        let moment = uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds);
        let message = Uuid::new_v7(moment);
        let groups = planned.notices.len();
        let event = AlertMessagePlanned {
            message,
            notices: planned.notices,
            carriers: self.carriers.clone(),
            quiet_until: planned.quiet_until,
        };
        self.record(event.into()).await?;
        info!(groups, "people are told of alerts: message {message}");
        Ok(message)
    }

    /// Whoever is not in the configuration any more brings nothing.
    async fn give_up_for_the_gone(&self) -> Result<(), NoticeError> {
        let open = self.read(|views| views.open_messages(OPEN_MAX)).await;
        for row in open.map_err(NoticeError::Views)? {
            let waiting = row.carried.iter().filter(|it| *it.1 == Carried::Waiting);
            for (carrier, _) in waiting.filter(|it| !self.carriers.contains(it.0)) {
                let event = AlertMessageGivenUp {
                    message: row.message,
                    carrier: carrier.clone(),
                    attempts: 0,
                    reason: "carrier-removed".to_owned(),
                };
                self.record(event.into()).await?;
            }
        }
        Ok(())
    }

    async fn record(&self, event: KeepingEvent) -> Result<(), NoticeError> {
        let ask = Ask {
            actor: Actor::Hub,
            occurred_at: self.clock.now(),
            caused_by: None,
            what: What::Keeping(event),
        };
        match self.registrar.ask_patiently(ask).await.map_err(NoticeError::Registrar)? {
            Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
            Answer::Refused(refusal) => {
                warn!(refusal.code = refusal.code(), "a message was refused: {refusal}");
                Ok(())
            }
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce(&ViewReader) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let views = self.views.clone();
        let read = tokio::task::spawn_blocking(move || what(&views)).await;
        read.expect("reading a view does not panic")
    }
}

/// How often and how long the views are waited for.
const SEEN_LOOKS: u32 = 50;
const SEEN_TICK: Duration = Duration::from_millis(100);
