//! What must not stand in clear: an identity number (GB 11643) in a field that nobody seals.
//!
//! In many provinces the certificate's number *is* the identity number; a log is for ever. Looked
//! for by form, birth date and check character, so that an office's own numbers are left alone.

use jiff::civil::Date;

use crate::report::{News, Report};

/// How long an identity number is.
const DIGITS: usize = 18;
/// Births of people who can hold a certificate; an office's date of these years is no birth date.
const BORN: std::ops::RangeInclusive<i16> = 1900..=2012;
/// ISO 7064 MOD 11-2.
const WEIGHTS: [u32; DIGITS - 1] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECKS: &[u8; 11] = b"10X98765432";

/// Whether an identity number stands anywhere in `text`, with something around it or alone.
pub fn has_identity_number(text: &str) -> bool {
    let part_of_one = |it: char| it.is_ascii_digit() || matches!(it, 'x' | 'X');
    text.split(|it| !part_of_one(it)).any(|it| is_identity_number(it.as_bytes()))
}

/// Whether a report says one in a field that is not sealed.
pub fn tells_identity_number(report: &Report) -> bool {
    let said = match &report.news {
        News::Accepted { acceptance_number } => [Some(acceptance_number), None],
        News::Completed { decision_number, result, .. } => {
            [Some(decision_number), result.certificate_id.as_ref()]
        }
        News::CertificateIssued { certificate_id } => [Some(certificate_id), None],
        News::Delivered { .. }
        | News::Returned { .. }
        | News::CorrectionRequested { .. }
        | News::Declined { .. }
        | News::Suspended { .. }
        | News::Resumed => [None, None],
    };
    let texts = said.into_iter().flatten().chain([&report.adapter]);
    texts.into_iter().any(|it| has_identity_number(it))
}

fn is_identity_number(run: &[u8]) -> bool {
    // `x` may also stand before or after the number.
    let run = run.strip_prefix(b"X").or(run.strip_prefix(b"x")).unwrap_or(run);
    if run.len() != DIGITS || !run[..DIGITS - 1].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |from: usize, to: usize| {
        run[from..to].iter().fold(0_i16, |sum, it| sum * 10 + i16::from(it - b'0'))
    };
    let (month, day) = (number(10, 12) as i8, number(12, 14) as i8);
    let born = Date::new(number(6, 10), month, day).is_ok_and(|it| BORN.contains(&it.year()));
    let sum: u32 = run.iter().zip(WEIGHTS).map(|(it, weight)| u32::from(it - b'0') * weight).sum();
    born && CHECKS[(sum % 11) as usize] == run[DIGITS - 1].to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_number_is_found_and_an_offices_number_is_left_alone() {
        #[rustfmt::skip] // a table
        let table = [
            ("11010519491231002X",      true),
            ("11010519491231002x",      true),
            ("证号：11010519491231002X", true),
            ("A-11010519491231002X/2",  true),
            ("X11010519491231002X",     true),
            ("220102199003078888",      false), // the check character does not fit
            ("110105194912310021",      false),
            ("220100202603020017",      false), // an office, a day of this year, a count
            ("2026030200000000000",     false), // 19 digits
            ("受-7",                    false),
            ("",                        false),
            ("XXXXXXXXXXXXXXXXXX",      false),
            ("11010519491399002X",      false), // no such day
        ];
        for (text, expected) in table {
            assert_eq!(has_identity_number(text), expected, "{text}");
        }
    }
}
