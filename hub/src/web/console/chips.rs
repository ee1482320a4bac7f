//! The filters of a list of cases in words, each with the way to the list without it.

use events::ids::ProvinceCode;

use super::cases::{Asked, CasesWords, Select};
use super::tiles;
use crate::views::when::When;
use crate::words::Language;

/// One filter that is on.
pub(super) struct Chip {
    pub(super) label: &'static str,
    pub(super) value: String,
    /// The same list without it.
    pub(super) without: String,
}

/// What the list is narrowed to; the order narrows nothing.
pub(super) fn of(
    asked: &Asked,
    selects: &[Select],
    words: &CasesWords,
    language: Language,
) -> Vec<Chip> {
    let chosen = |name: &str| selects.iter().find(|it| it.0 == name);
    let chip = |(name, given): (&'static str, &String)| {
        let (label, value) = match name {
            "order" => return None,
            "first" => (words.routed_first, province(given, language)),
            "due_from" => (words.due_from, given.clone()),
            "due_before" => (words.due_before, given.clone()),
            "recorded" => (words.recorded, told(given)),
            "ended" => (words.ended_on, told(given)),
            _ => {
                let (_, label, choices) = chosen(name)?;
                (*label, choices.iter().find(|it| it.2)?.1.clone())
            }
        };
        Some(Chip { label, value, without: asked.address_without(name, "/cases", "") })
    };
    asked.pairs().into_iter().filter(|it| !it.1.is_empty()).filter_map(chip).collect()
}

/// Filters that the form has no field for.
pub(super) fn hidden(asked: &Asked) -> Vec<(&'static str, String)> {
    let hours = [("recorded", &asked.recorded), ("ended", &asked.ended)];
    let hours = hours.into_iter().filter(|it| is_hour(it.1));
    let first = Some(("first", &asked.first)).filter(|it| !it.1.is_empty());
    hours.chain(first).map(|(name, value)| (name, value.clone())).collect()
}

/// An hour of a day, as it is written.
pub(super) fn is_hour(given: &str) -> bool {
    given.parse::<When>().is_ok_and(|it| it.hour.is_some())
}

fn province(code: &str, language: Language) -> String {
    let code = code.parse::<ProvinceCode>();
    code.map_or_else(|_| String::new(), |it| tiles::name(it, language).to_owned())
}

/// `2026-11-29`, or `2026-11-29 14:00–14:59`.
fn told(given: &str) -> String {
    match given.parse::<When>() {
        Ok(When { day, hour: Some(hour) }) => format!("{day} {hour:02}:00–{hour:02}:59"),
        _ => given.to_owned(),
    }
}
