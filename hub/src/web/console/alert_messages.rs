//! What people were told of alerts, and what became of each message, on the alerts page.

use super::alerts::Seen;
use super::shell::shanghai;
use super::tiles::grouped;
use crate::problem::Problem;
use crate::views::messages::{Carried, MessageRow};
use crate::web::Rooms;

/// Messages on a page, and groups that are named of each.
const MESSAGES: usize = 10;
const NAMED: usize = 4;

/// One of them, as it is shown.
pub(super) struct Message {
    pub(super) at: String,
    pub(super) said: String,
    pub(super) outcomes: Vec<(&'static str, String)>,
}

/// What people were told of, for whoever sees all provinces.
pub(super) async fn messages(rooms: &Rooms, seen: &Seen<'_>) -> Result<Vec<Message>, Problem> {
    if seen.visitor.sees().province().is_some() {
        return Ok(Vec::new());
    }
    let found = rooms.aside(|views| views.messages(MESSAGES)).await?;
    Ok(found.iter().map(|it| message(seen, it)).collect())
}

fn message(seen: &Seen<'_>, it: &MessageRow) -> Message {
    let named = it.notices.iter().take(NAMED).map(|notice| {
        let why = seen.words.why(notice.why);
        let (kind, province) = (seen.alert(notice.kind), seen.name(notice.province));
        format!("{kind} {province} {}（{why}）", grouped(notice.count))
    });
    let mut said: Vec<String> = named.collect();
    if it.notices.len() > NAMED {
        said.push(format!("{} {}", seen.words.and_more, it.notices.len() - NAMED));
    }
    let outcome = |(carrier, became): (&String, &Carried)| match became {
        Carried::Waiting => ("soon", format!("{carrier}：{}", seen.words.waiting)),
        Carried::Delivered { at, .. } => {
            ("good", format!("{carrier}：{} {}", seen.words.delivered, shanghai(*at)))
        }
        Carried::GivenUp { reason, .. } => {
            ("late", format!("{carrier}：{} {reason}", seen.words.given_up))
        }
    };
    Message {
        at: shanghai(it.planned_at),
        said: said.join("；"),
        outcomes: it.carried.iter().map(outcome).collect(),
    }
}
