//! How a case number is written: its characters, and the one that finds slips.

/// The characters of a case number: digits and capitals without I, L, O, U (Crockford's base 32).
pub(super) const BASE32: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// The alphabet of ISO 7064 MOD 37,36.
const ALPHANUMERIC: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// ISO 7064 MOD 37,36.
pub(super) fn check_character(characters: impl Iterator<Item = u8>) -> char {
    let mut product = 36u32;
    for character in characters {
        let value = match character {
            b'0'..=b'9' => u32::from(character - b'0'),
            b'A'..=b'Z' => u32::from(character - b'A') + 10,
            _ => 0,
        };
        let sum = (product + value) % 36;
        product = (if sum == 0 { 36 } else { sum } * 2) % 37;
    }
    char::from(ALPHANUMERIC[((37 - product) % 36) as usize])
}

/// Whether it is a case number exactly as one is written: logs hold millions of those.
pub(super) fn is_as_written(text: &[u8]) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    let bare = || (0..24).filter(|at| !HYPHENS.contains(at)).map(|at| text[at]);
    text.len() == 25
        && HYPHENS.iter().all(|at| text[*at] == b'-')
        && bare().take(8).all(|it| it.is_ascii_digit())
        && bare().skip(8).all(|it| BASE32.contains(&it))
        && check_character(bare()) == char::from(text[24])
}
