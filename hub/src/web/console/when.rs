//! Days and moments that a person types: one written form whatever the browser speaks, read as Shanghai's.

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::words::words;
use crate::words::Language;

/// What an input holds its text against before it is sent; the hub asks again.
const DAY_PATTERN: &str = r"\d{4}-\d{2}-\d{2}";
const MOMENT_PATTERN: &str = r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}";
/// How both look: `9` stands for a digit.
const DAY_FORM: &str = "9999-99-99";
const MOMENT_FORM: &str = "9999-99-99 99:99";

words! { WhenWords:
    day_hint: "格式 2026-02-24，上海时间（Asia/Shanghai）", "as 2026-02-24, Shanghai time (Asia/Shanghai)";
    moment_hint: "格式 2026-02-24 18:00，上海时间（Asia/Shanghai）", "as 2026-02-24 18:00, Shanghai time (Asia/Shanghai)";
    missing: "请填写", "please fill this in";
    day_form: "请写成 2026-02-24 的格式", "write it like 2026-02-24";
    moment_form: "请写成 2026-02-24 18:00 的格式", "write it like 2026-02-24 18:00";
    no_day: "没有这一天", "there is no such day";
    no_moment: "没有这一时刻", "there is no such moment";
    backwards: "须晚于开始时间", "must be later than the beginning";
}

/// Why what was typed is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Nothing was typed where something must be.
    Missing,
    /// Written in another way.
    Form,
    /// Written well, and in no calendar.
    Impossible,
    /// An end that does not come after its beginning.
    Backwards,
}

impl Flaw {
    /// A code that `problem.rs` knows.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing-field",
            Self::Form => "bad-form",
            Self::Impossible => "bad-moment",
            Self::Backwards => "out-of-bounds",
        }
    }
}

/// `2026-02-24`.
pub(super) fn day(given: &str) -> Result<Date, Flaw> {
    if given.is_empty() {
        return Err(Flaw::Missing);
    }
    if !is_written(given, DAY_FORM) {
        return Err(Flaw::Form);
    }
    given.parse().map_err(|_| Flaw::Impossible)
}

/// `2026-02-24 18:00`, or with a `T` between them, in Shanghai.
pub(super) fn moment(given: &str) -> Result<Timestamp, Flaw> {
    if given.is_empty() {
        return Err(Flaw::Missing);
    }
    if !is_written(&given.replacen('T', " ", 1), MOMENT_FORM) {
        return Err(Flaw::Form);
    }
    let (date, time) = given.split_at(DAY_FORM.len());
    let time: Time = time[1..].parse().map_err(|_| Flaw::Impossible)?;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let zoned = day(date)?.to_datetime(time).to_zoned(zone);
    zoned.map(|it| it.timestamp()).map_err(|_| Flaw::Impossible)
}

fn is_written(given: &str, form: &str) -> bool {
    let fits =
        |(it, wanted): (u8, u8)| if wanted == b'9' { it.is_ascii_digit() } else { it == wanted };
    given.len() == form.len() && given.bytes().zip(form.bytes()).all(fits)
}

/// A field of a form, ready for `console/when.html`: what was typed stays in it.
#[derive(Clone)]
pub(super) struct When {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    pub(super) required: bool,
    pub(super) hint: &'static str,
    pub(super) pattern: &'static str,
    /// The keys that a telephone offers.
    pub(super) keys: &'static str,
    pub(super) length_max: usize,
    /// What is wrong with it, in words and as a code.
    pub(super) wrong: Option<(&'static str, &'static str)>,
    words: &'static WhenWords,
}

impl When {
    /// A day that may be left out.
    pub(super) fn day(
        name: &'static str,
        label: &'static str,
        given: &str,
        language: Language,
    ) -> Self {
        let words = WhenWords::of(language);
        let (value, wrong) = (given.to_owned(), None);
        let (hint, pattern, length_max) = (words.day_hint, DAY_PATTERN, DAY_FORM.len());
        let (required, keys) = (false, "numeric");
        let field =
            Self { name, label, value, required, hint, pattern, keys, length_max, wrong, words };
        field.examined(day(given).err())
    }

    /// A moment that may be left out.
    pub(super) fn moment(
        name: &'static str,
        label: &'static str,
        given: &str,
        language: Language,
    ) -> Self {
        let words = WhenWords::of(language);
        let (value, wrong) = (given.to_owned(), None);
        let (hint, pattern, length_max) = (words.moment_hint, MOMENT_PATTERN, MOMENT_FORM.len());
        let (required, keys) = (false, "text");
        let field =
            Self { name, label, value, required, hint, pattern, keys, length_max, wrong, words };
        field.examined(moment(given).err())
    }

    /// The same, and it must be there.
    pub(super) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    fn examined(mut self, flaw: Option<Flaw>) -> Self {
        if let Some(flaw) = flaw.filter(|it| *it != Flaw::Missing) {
            self.refuse(flaw);
        }
        self
    }

    /// Says beside it why it was not taken.
    pub(super) fn refuse(&mut self, flaw: Flaw) {
        let (words, day) = (self.words, self.length_max == DAY_FORM.len());
        let said = match flaw {
            Flaw::Missing => words.missing,
            Flaw::Form if day => words.day_form,
            Flaw::Form => words.moment_form,
            Flaw::Impossible if day => words.no_day,
            Flaw::Impossible => words.no_moment,
            Flaw::Backwards => words.backwards,
        };
        self.wrong = Some((said, flaw.code()));
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.wrong.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shanghais_and_written_in_two_ways() {
        for (given, utc) in [
            ("2026-02-24 18:00", "2026-02-24T10:00:00Z"),
            ("2026-02-24T18:00", "2026-02-24T10:00:00Z"),
            ("2026-01-01 00:00", "2025-12-31T16:00:00Z"),
            ("2028-02-29 23:59", "2028-02-29T15:59:00Z"),
        ] {
            assert_eq!(moment(given).unwrap().to_string(), utc, "{given}");
        }
    }

    #[test]
    fn what_is_written_otherwise_or_is_in_no_calendar_is_refused_by_name() {
        use Flaw::{Form, Impossible, Missing};
        for (given, flaw) in [
            ("", Missing),
            ("yesterday", Form),
            ("2026-02-24", Form),
            ("24.02.2026 18:00", Form),
            ("02/24/2026 06:00 PM", Form),
            ("2026-02-24  18:00", Form),
            ("2026-02-24t18:00", Form),
            ("2026-02-24T18:00:00", Form),
            ("2026-02-24T18:00Z", Form),
            ("2026-02-24 18：00", Form),
            ("２０２６-02-24 18:00", Form),
            ("-026-02-24 18:00", Form),
            (" 2026-02-24 18:00", Form),
            ("2026-02-24 24:00", Impossible),
            ("2026-02-24 18:60", Impossible),
            ("2026-02-30 18:00", Impossible),
            ("2026-13-01 18:00", Impossible),
            ("2026-00-00 00:00", Impossible),
        ] {
            assert_eq!(moment(given), Err(flaw), "{given}");
        }
        for (given, flaw) in [
            ("", Missing),
            ("2026-2-4", Form),
            ("20260224", Form),
            ("2026/02/24", Form),
            ("24.02.2026", Form),
            ("2026-02-24T00:00", Form),
            ("2026-02-29", Impossible),
            ("2026-04-31", Impossible),
        ] {
            assert_eq!(day(given), Err(flaw), "{given}");
        }
        assert_eq!(day("2028-02-29").unwrap().to_string(), "2028-02-29");
    }

    #[test]
    fn every_flaw_has_a_code_that_is_explained_and_words_in_both_languages() {
        for flaw in [Flaw::Missing, Flaw::Form, Flaw::Impossible, Flaw::Backwards] {
            let known = crate::problem::CODES.iter().any(|it| it.0 == flaw.code());
            assert!(known, "{flaw:?}");
            let said = [Language::Chinese, Language::English].map(|language| {
                let mut field = When::moment("since", "", "", language);
                assert!(!field.is_wrong(), "nothing typed is no fault by itself");
                field.refuse(flaw);
                field.wrong.unwrap().0
            });
            assert_ne!(said[0], said[1], "{flaw:?}");
        }
    }
}
