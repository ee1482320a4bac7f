//! The words of scripts: dates of Shanghai, cases by name, provinces by number.

use events::ids::{DivisionCode, ProvinceCode};
use events::vocabulary::{Item, Material, Reason, SuspensionGround};
use jiff::civil::{Date, Time, time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

/// When a day begins for the people of a script.
pub(super) const MORNING: Time = time(9, 0, 0, 0);

/// UTC+8, the law's dates.
pub(super) fn shanghai() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// That time on that day in Shanghai.
pub(super) fn moment(day: Date, at: Time) -> Timestamp {
    let zoned = day.to_datetime(at).to_zoned(shanghai());
    zoned.expect("no Shanghai time is skipped").timestamp()
}

/// The same the other way.
pub(super) fn told(at: Timestamp) -> Zoned {
    at.to_zoned(shanghai())
}

/// `2026-03-02 09:00`
pub(super) fn minute(at: Timestamp) -> String {
    told(at).strftime("%Y-%m-%d %H:%M").to_string()
}

pub(super) fn date(word: &str) -> Result<Date, String> {
    word.parse().map_err(|_| format!("`{word}` is not a date"))
}

pub(super) fn province(word: &str) -> Result<ProvinceCode, String> {
    word.parse().map_err(|_| format!("`{word}` is not a province"))
}

pub(super) fn division(word: &str) -> Result<DivisionCode, String> {
    word.parse().map_err(|_| format!("`{word}` is not a division"))
}

pub(super) fn item(word: &str) -> Result<Item, String> {
    Item::of(word).ok_or_else(|| format!("`{word}` is not an item"))
}

pub(super) fn reason(word: &str) -> Result<Reason, String> {
    Reason::of(word).ok_or_else(|| format!("`{word}` is not a reason"))
}

pub(super) fn material(word: &str) -> Result<Material, String> {
    Material::of(word).ok_or_else(|| format!("`{word}` is not a material"))
}

pub(super) fn ground(word: &str) -> Result<SuspensionGround, String> {
    SuspensionGround::of(word).ok_or_else(|| format!("`{word}` is not a ground"))
}
