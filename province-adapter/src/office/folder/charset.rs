//! Texts as the bytes of a file, and back. What does not exist in an encoding is refused by name; no
//! character ever becomes a question mark.

use encoding_rs::{Encoding, GB18030, GBK, UTF_8};

use super::settings::Charset;

/// Excel opens a UTF-8 file without it as GBK.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The text as bytes; nothing if one of its characters does not exist there.
pub(super) fn encode(text: &str, charset: Charset, with_mark: bool) -> Option<Vec<u8>> {
    if charset == Charset::Utf8 {
        let mark = if with_mark { BYTE_ORDER_MARK } else { "" };
        return Some(format!("{mark}{text}").into_bytes());
    }
    let (bytes, _, unmappable) = encoding(charset).encode(text);
    (!unmappable).then(|| bytes.into_owned())
}

/// The text in these bytes, or the number of the first line that is none. A byte order mark counts
/// more than what `charset` says.
pub(super) fn decode(bytes: &[u8], charset: Charset) -> Result<String, usize> {
    let (encoding, bytes) = match bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()) {
        Some(rest) => (UTF_8, rest),
        None => (encoding(charset), bytes),
    };
    let whole = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    whole.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        // No character of these encodings has a line feed as a part.
        let fine =
            |it: &&[u8]| encoding.decode_without_bom_handling_and_without_replacement(it).is_some();
        bytes.split(|it| *it == b'\n').take_while(fine).count() + 1
    })
}

/// Chinese in UTF-8 under the name of GBK: most such bytes are characters in GBK too, only others.
pub(super) fn is_doubtful(bytes: &[u8], charset: Charset) -> bool {
    let marked = bytes.starts_with(BYTE_ORDER_MARK.as_bytes());
    charset != Charset::Utf8 && !marked && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()
}

/// What an XML file says of itself in its first line.
pub(super) fn declared(bytes: &[u8]) -> Option<Charset> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).to_ascii_lowercase();
    let declaration = head.strip_prefix("<?xml")?.split("?>").next()?.to_owned();
    let value = declaration.split("encoding").nth(1)?.trim_start_matches([' ', '=', '"', '\'']);
    let name = value.split(['"', '\'', ' ']).next()?;
    match name {
        "utf-8" | "utf8" => Some(Charset::Utf8),
        "gbk" | "gb2312" | "cp936" => Some(Charset::Gbk),
        "gb18030" => Some(Charset::Gb18030),
        _ => None,
    }
}

pub(super) fn name(charset: Charset) -> &'static str {
    match charset {
        Charset::Utf8 => "UTF-8",
        Charset::Gbk => "GBK",
        Charset::Gb18030 => "GB18030",
    }
}

fn encoding(charset: Charset) -> &'static Encoding {
    match charset {
        Charset::Utf8 => UTF_8,
        Charset::Gbk => GBK,
        Charset::Gb18030 => GB18030,
    }
}
