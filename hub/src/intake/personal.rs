//! The person's particulars: what GB 11643 and a readable name ask for. No text here repeats a value.

use jiff::civil::Date;

/// What is wrong with a particular: its code, and a way out.
pub type Wrong = (&'static str, Option<&'static str>);

/// Longest run of combining marks in a text: more is a flood, and no language needs it.
pub const COMBINING_RUN_MAX: usize = 4;

/// The identity number in its one spelling: a final `x` becomes `X`. Or what is wrong with it.
pub fn identity_number(given: &str, today: Date) -> Result<String, &'static str> {
    if given.chars().any(|it| matches!(it, '\u{ff01}'..='\u{ff5e}')) {
        return Err("identity-number-full-width");
    }
    if is_other_document(given) {
        return Err("document-not-supported");
    }
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    if given.len() == 15 && digits(given) {
        return Err("identity-number-15-digits");
    }
    let number = given.strip_suffix('x').map_or_else(|| given.to_owned(), |it| format!("{it}X"));
    let (Some(body), Some(check)) = (number.get(..17), number.get(17..)) else {
        return Err("identity-number-malformed");
    };
    let check_is_one = check.len() == 1 && (digits(check) || check == "X");
    if !digits(body) || !check_is_one || body.starts_with('0') {
        return Err("identity-number-malformed");
    }
    let born = birth_date(body).ok_or("identity-number-birth-date")?;
    if born > today {
        return Err("identity-number-not-born");
    }
    if !check.starts_with(check_character(body)) {
        return Err("identity-number-check-digit");
    }
    Ok(number)
}

/// Passes and residence permits of Hong Kong, Macao, Taiwan and of foreigners: another procedure.
fn is_other_document(given: &str) -> bool {
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let home_return = given
        .strip_prefix(['H', 'h', 'M', 'm'])
        .is_some_and(|it| digits(it) && matches!(it.len(), 8 | 10));
    let taiwan_pass = digits(given) && given.len() == 8;
    let permit = given.len() == 18
        && ["81", "82", "83", "9"].iter().any(|it| given.starts_with(it))
        && digits(&given[..17.min(given.len())]);
    home_return || taiwan_pass || permit
}

fn birth_date(body: &str) -> Option<Date> {
    let year: i16 = body[6..10].parse().ok()?;
    let month: i8 = body[10..12].parse().ok()?;
    let day: i8 = body[12..14].parse().ok()?;
    Date::new(year, month, day).ok().filter(|it| it.year() >= 1850)
}

/// ISO 7064 MOD 11-2 over the first seventeen digits.
fn check_character(body: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];
    let sum: u32 =
        body.bytes().zip(WEIGHTS).map(|(it, weight)| u32::from(it - b'0') * weight).sum();
    CHECKS[(sum % 11) as usize]
}

/// A name that can be printed, compared and read out: as the identity card has it.
pub fn name(given: &str) -> Result<(), Wrong> {
    text(given)?;
    if given.trim() != given || given.chars().all(char::is_whitespace) {
        return Err(("blank-name", None));
    }
    match given.chars().find(|it| is_look_alike_dot(*it)) {
        Some(_) => Err(("look-alike-dot", Some("the dot in a name is U+00B7 (·)"))),
        None => Ok(()),
    }
}

/// A text without characters that hide, turn or flood.
pub fn text(given: &str) -> Result<(), Wrong> {
    let mut marks = 0;
    for character in given.chars() {
        marks = if is_combining(character) { marks + 1 } else { 0 };
        if marks > COMBINING_RUN_MAX {
            return Err(("combining-flood", None));
        }
        if let Some(code) = forbidden(character) {
            let private = code == "private-use-character";
            return Err((code, private.then_some("write it in Unicode, as GB 18030-2022 maps it")));
        }
    }
    Ok(())
}

/// A text for a field that nobody seals: readable, and nobody's identity number.
pub fn open_text(given: &str) -> Result<(), Wrong> {
    text(given)?;
    if events::personal::has_identity_number(given) {
        return Err(("identity-number-in-clear", Some("only the personal part is sealed")));
    }
    Ok(())
}

/// Several lines are fine in remarks.
pub fn remarks(given: &str) -> Result<(), Wrong> {
    given.split(['\n', '\r', '\t']).try_for_each(text)
}

#[rustfmt::skip] // a table
fn forbidden(character: char) -> Option<&'static str> {
    match character {
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => Some("control-character"),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}'
            => Some("bidirectional-override"),
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180e}' | '\u{115f}' | '\u{1160}' | '\u{3164}'
        | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}' | '\u{fff9}'..='\u{fffb}'
            => Some("invisible-character"),
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{fffff}' | '\u{100000}'..='\u{10ffff}'
        | '\u{fffc}'..='\u{fffd}' => Some("private-use-character"),
        _ if u32::from(character) & 0xfffe == 0xfffe => Some("private-use-character"),
        _ => None,
    }
}

fn is_combining(character: char) -> bool {
    unicode_normalization::char::is_combining_mark(character)
}

fn is_look_alike_dot(character: char) -> bool {
    matches!(
        character,
        '•' | '・'
            | '．'
            | '‧'
            | '∙'
            | '⋅'
            | '･'
            | '●'
            | '․'
            | '。'
            | '｡'
            | '\u{387}'
            | '.'
            | '▪'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[rustfmt::skip] // a table
    const NUMBERS: &[(&str, Result<&str, &str>)] = &[
        ("11010519491231002X",   Ok("11010519491231002X")),
        ("11010519491231002x",   Ok("11010519491231002X")),
        ("440524188001010014",   Ok("440524188001010014")),
        ("110105194912310021",   Err("identity-number-check-digit")),
        ("11010519491231003X",   Err("identity-number-check-digit")),
        ("110105491231002",      Err("identity-number-15-digits")),
        ("１１０１０５１９４９１２３１００２Ｘ", Err("identity-number-full-width")),
        ("110105194902310026",   Err("identity-number-birth-date")),
        ("110105194913310026",   Err("identity-number-birth-date")),
        ("110105209912310026",   Err("identity-number-not-born")),
        ("1101051949123100",     Err("identity-number-malformed")),
        ("1101051949123100XX",   Err("identity-number-malformed")),
        ("1101051949123１002X",  Err("identity-number-full-width")),
        ("110105 9491231002X",   Err("identity-number-malformed")),
        ("身份证号码身份",        Err("identity-number-malformed")),
        ("' OR 1=1; --      ",   Err("identity-number-malformed")),
        ("H12345678",            Err("document-not-supported")),
        ("M1234567890",          Err("document-not-supported")),
        ("12345678",             Err("document-not-supported")),
        ("810000199408230021",   Err("document-not-supported")),
        ("830000199201300022",   Err("document-not-supported")),
        ("911124198108030024",   Err("document-not-supported")),
    ];

    #[test]
    fn identity_numbers_after_gb_11643() {
        for (given, expected) in NUMBERS {
            let said = identity_number(given, date(2026, 2, 13));
            assert_eq!(said.as_deref().map_err(|it| *it), *expected, "{given}");
        }
    }

    #[test]
    fn names_of_all_peoples_pass_and_tricks_do_not() {
        let flood = format!("a{}", "\u{301}".repeat(10_000));
        #[rustfmt::skip] // a table
        let table: &[(&str, Option<&str>)] = &[
            ("张三",                 None),
            ("𠮷野家",               None), // CJK extension B
            ("𫖯",                   None), // CJK extension C
            ("古丽·买买提",           None),
            ("Zoë Müller",           None),
            ("e\u{301}",             None),
            ("'; DROP TABLE event",  None), // only text
            ("=cmd|' /C calc'!A0",   None),
            ("古丽•买买提",           Some("look-alike-dot")),
            ("古丽・买买提",          Some("look-alike-dot")),
            ("古丽．买买提",          Some("look-alike-dot")),
            ("张\u{0}三",            Some("control-character")),
            ("张\r\n三",             Some("control-character")),
            ("张\u{1b}[31m三",       Some("control-character")),
            ("张\u{202e}三",         Some("bidirectional-override")),
            ("张\u{2066}三",         Some("bidirectional-override")),
            ("张\u{200b}三",         Some("invisible-character")),
            ("张\u{feff}三",         Some("invisible-character")),
            ("张\u{e816}",           Some("private-use-character")),
            ("张\u{f0000}",          Some("private-use-character")),
            ("张\u{fffd}",           Some("private-use-character")),
            (&flood,                 Some("combining-flood")),
            (" 张三",                Some("blank-name")),
            ("　",                   Some("blank-name")),
        ];
        for (given, expected) in table {
            let shown: String = given.chars().take(12).collect();
            assert_eq!(name(given).err().map(|it| it.0), *expected, "{shown:?}");
        }
    }

    #[test]
    fn remarks_may_have_lines_and_nothing_hidden() {
        assert!(remarks("第一行\n第二行").is_ok());
        assert_eq!(remarks("第一行\u{202e}").unwrap_err().0, "bidirectional-override");
    }
}
