//! A number on a page and the way to its cases: a list that holds exactly what was counted, or no link.

use jiff::civil::Date;

use super::Visitor;
use super::tiles::grouped;
use crate::web::Rooms;
use crate::words::Language;

/// What is due soon, as the list of cases is asked for it.
pub(super) const SOON: &str = "only=in-time&due_from={today}&due_before={until}";

/// A number, and where the cases behind it are: exactly those.
pub(super) struct Counted {
    /// Its stable name on the page, for programs.
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Nothing for whoever sees no list of cases, or not this one.
    pub(super) link: Option<String>,
}

/// Which lists of cases a visitor may be led to, and the days that they are asked for.
pub(super) struct Lists {
    pub(super) language: Language,
    leads: bool,
    /// A province's list shows what is with it now: not what it received and gave back.
    own: bool,
    today: Date,
    /// The first day that is no longer soon.
    until: Date,
}

impl Lists {
    pub(super) fn of(rooms: &Rooms, visitor: &Visitor, leads: bool) -> Self {
        let today = rooms.clock.today();
        let soon = rooms.registrar.rules().calendar.due(today, 1).day;
        Self {
            language: visitor.language,
            leads,
            own: visitor.sees().province().is_some(),
            today,
            until: soon.tomorrow().unwrap_or(soon),
        }
    }

    /// A number that leads to what `asks` lists.
    pub(super) fn counted(&self, name: &'static str, value: u64, asks: &str) -> Counted {
        let asks = asks.replace("{today}", &self.today.to_string());
        let asks = asks.replace("{until}", &self.until.to_string());
        let query = if asks.is_empty() { String::new() } else { format!("?{asks}") };
        let link = self.leads.then(|| format!("/cases{query}"));
        Counted { name, value: grouped(value), link }
    }

    /// The same of what came in, wherever it is now.
    pub(super) fn received(&self, name: &'static str, value: u64, asks: &str) -> Counted {
        let counted = self.counted(name, value, asks);
        if self.own { Counted { link: None, ..counted } } else { counted }
    }
}
