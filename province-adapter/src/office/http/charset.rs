//! Texts in the office's character set. What it cannot hold is named, never replaced by a question mark.

use encoding_rs::{Encoding, GB18030, GBK, UTF_8};

/// A character set that an office writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Charset(&'static Encoding);

/// A text that does not fit the character set, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CharsetError {
    /// A character that it does not have.
    #[error(
        "{charset} has no character U+{character:04X}\n(`charset = \"gb18030\"` has nearly all)"
    )]
    Unmappable {
        /// The set's name.
        charset: &'static str,
        /// The character, by its number: it may be part of a name.
        character: u32,
    },
    /// Bytes that are no text in it.
    #[error("the answer is no text in {charset}\n(does the office write another character set?)")]
    NoText {
        /// The set's name.
        charset: &'static str,
    },
}

impl Charset {
    /// The one with this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        let known = [("utf-8", UTF_8), ("gbk", GBK), ("gb2312", GBK), ("gb18030", GB18030)];
        let found = known.into_iter().find(|it| it.0.eq_ignore_ascii_case(name.trim()));
        found.map(|it| Self(it.1))
    }

    /// Its name in headers.
    pub(super) fn name(self) -> &'static str {
        self.0.name()
    }

    /// The text's bytes.
    pub(super) fn encode(self, text: &str) -> Result<Vec<u8>, CharsetError> {
        let (bytes, _, unmappable) = self.0.encode(text);
        if !unmappable {
            return Ok(bytes.into_owned());
        }
        let one = |it: &char| self.0.encode(it.encode_utf8(&mut [0; 4])).2;
        let character = text.chars().find(one).map_or(0, u32::from);
        Err(CharsetError::Unmappable { charset: self.name(), character })
    }

    /// The bytes as a text: in the set that they name themselves, else in this one.
    pub(super) fn decode(self, bytes: &[u8], said: Option<Self>) -> Result<String, CharsetError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let charset = declared(bytes).or(said).unwrap_or(self);
        let text = charset.0.decode_without_bom_handling_and_without_replacement(bytes);
        text.map(std::borrow::Cow::into_owned)
            .ok_or(CharsetError::NoText { charset: charset.name() })
    }
}

/// What the first line of an XML document says.
fn declared(bytes: &[u8]) -> Option<Charset> {
    let head = &bytes[..bytes.len().min(128)];
    let head: String = head.iter().map(|it| char::from(*it)).collect();
    let declaration = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split("encoding").nth(1)?.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|it| "\"'".contains(*it))?;
    Charset::of(value[1..].split(quote).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_goes_there_and_back_and_what_does_not_fit_is_named() {
        let gb18030 = Charset::of("GB18030").unwrap();
        let gbk = Charset::of("gbk").unwrap();
        // 𠮷 lies outside of GBK; names have such characters.
        for (charset, text) in
            [(gb18030, "古丽·买买提 𠮷"), (gbk, "受理"), (Charset::of("utf-8").unwrap(), "𠮷")]
        {
            let bytes = charset.encode(text).unwrap();
            assert_eq!(charset.decode(&bytes, None).as_deref(), Ok(text));
        }
        let error = gbk.encode("王𠮷").unwrap_err();
        assert_eq!(error, CharsetError::Unmappable { charset: "GBK", character: 0x20BB7 });
        assert!(Charset::of("big5").is_none());
    }

    #[test]
    fn an_answer_in_another_set_than_it_says_is_no_text() {
        let utf8 = Charset::of("utf-8").unwrap();
        let gbk = utf8.decode(b"\xca\xdc\xc0\xed", None);
        assert_eq!(gbk, Err(CharsetError::NoText { charset: "UTF-8" }));
        let declared = b"<?xml version='1.0' encoding='GBK'?><a>\xca\xdc\xc0\xed</a>";
        assert!(utf8.decode(declared, None).unwrap().contains("受理"));
        let said = utf8.decode(b"\xca\xdc\xc0\xed", Charset::of("gb2312"));
        assert_eq!(said.as_deref(), Ok("受理"));
    }
}
