//! JSON that every reader reads the same way: one text, no key twice, no depth, no strange numbers.

use std::cell::Cell;
use std::fmt;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::listen::whole_body;
use crate::problem::Problem;

/// How deep objects and lists may lie in each other.
pub const DEPTH_MAX: usize = 16;
/// How many keys a whole body may have.
pub const KEYS_MAX: usize = 1_000;
/// How many items all lists of a body may have.
pub const ITEMS_MAX: usize = 10_000;
/// The largest whole number that every reader keeps exactly.
const SAFE_NUMBER_MAX: u64 = (1 << 53) - 1;

/// Reads exactly one JSON text, or names what is wrong with it; never repeats what was sent.
pub fn read(bytes: &[u8]) -> Result<Value, Problem> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(Problem::new("byte-order-mark"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::new("not-utf8"))?;
    if text.trim_ascii().is_empty() {
        return Err(Problem::new("body-empty"));
    }
    let tally = Tally::default();
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { tally: &tally, depth: 0 }.deserialize(&mut reader);
    let value = value.map_err(|error| tally.problem(&error))?;
    reader.end().map_err(|_| Problem::new("trailing-bytes"))?;
    Ok(value)
}

/// Headers, size and JSON of a request whose sender is known: the bytes as sent, and what they say.
pub async fn read_json(request: Request) -> Result<(Bytes, Value), Problem> {
    content_is_json(request.headers())?;
    let bytes = whole_body(request).await?;
    let body = read(&bytes)?;
    Ok((bytes, body))
}

fn content_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |it: &HeaderValue| it.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|it| !plain(it)) {
        return Err(Problem::new("unsupported-encoding"));
    }
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return Err(Problem::new("unsupported-media-type"));
    };
    let told = only.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = told.split(';').map(str::trim);
    let is_json = parts.next() == Some("application/json");
    let charset_fits = |it: &str| matches!(it, "charset=utf-8" | "charset=\"utf-8\"");
    if is_json && parts.all(charset_fits) {
        Ok(())
    } else {
        Err(Problem::new("unsupported-media-type"))
    }
}

#[derive(Default)]
struct Tally {
    keys: Cell<usize>,
    items: Cell<usize>,
    wrong: Cell<Option<&'static str>>,
}

impl Tally {
    fn problem(&self, error: &serde_json::Error) -> Problem {
        let code = self.wrong.get().unwrap_or_else(|| {
            // The library has no kind for it. It says it for 1e400 only, which no number type holds.
            let too_large = error.to_string().starts_with("number out of range");
            if too_large { "unsafe-number" } else { "not-json" }
        });
        Problem::new(code).detail(format!("line {}, column {}", error.line(), error.column()))
    }
    fn say<E: Error>(&self, code: &'static str) -> E {
        self.wrong.set(Some(code));
        E::custom(code)
    }
    fn count<E: Error>(&self, what: &Cell<usize>, max: usize) -> Result<(), E> {
        what.set(what.get() + 1);
        if what.get() > max { Err(self.say("too-many-keys")) } else { Ok(()) }
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    tally: &'a Tally,
    depth: usize,
}

impl Strict<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(self.tally.say("too-deep"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON text")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E: Error>(self, it: bool) -> Result<Value, E> {
        Ok(Value::Bool(it))
    }
    fn visit_u64<E: Error>(self, it: u64) -> Result<Value, E> {
        if it > SAFE_NUMBER_MAX { Err(self.tally.say("unsafe-number")) } else { Ok(it.into()) }
    }
    fn visit_i64<E: Error>(self, it: i64) -> Result<Value, E> {
        if it.unsigned_abs() > SAFE_NUMBER_MAX {
            return Err(self.tally.say("unsafe-number"));
        }
        Ok(it.into())
    }
    fn visit_f64<E: Error>(self, it: f64) -> Result<Value, E> {
        let negative_zero = it == 0.0 && it.is_sign_negative();
        if !it.is_finite() || negative_zero || it.abs() > SAFE_NUMBER_MAX as f64 {
            return Err(self.tally.say("unsafe-number"));
        }
        Ok(it.into())
    }
    fn visit_str<E: Error>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_string<E: Error>(self, it: String) -> Result<Value, E> {
        Ok(it.into())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inside)? {
            self.tally.count(&self.tally.items, ITEMS_MAX)?;
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.tally.count(&self.tally.keys, KEYS_MAX)?;
            if fields.contains_key(&key) {
                return Err(self.tally.say("duplicate-key"));
            }
            let value = map.next_value_seed(inside)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        let deep = |it: usize| format!("{}1{}", "[".repeat(it), "]".repeat(it));
        let keys = |it: usize| {
            let all: Vec<String> = (0..it).map(|it| format!("\"{it}\":1")).collect();
            format!("{{{}}}", all.join(","))
        };
        let table: Vec<(Vec<u8>, Option<&str>)> = vec![
            (b"{\"a\":[1,-1,0.5,null,true,\"\xf0\xa0\xae\xb7\"]}".to_vec(), None),
            (b" {} \n".to_vec(), None),
            (b"".to_vec(), Some("body-empty")),
            (b" \n".to_vec(), Some("body-empty")),
            (b"\xef\xbb\xbf{}".to_vec(), Some("byte-order-mark")),
            (b"{\"a\":\"\xff\"}".to_vec(), Some("not-utf8")),
            (b"{\"a\":\"\xc0\xaf\"}".to_vec(), Some("not-utf8")),
            (b"{\"a\":\"\xed\xa0\x80\"}".to_vec(), Some("not-utf8")),
            (br#"{"a":"\ud800"}"#.to_vec(), Some("not-json")),
            (br#"{"a":"#.to_vec(), Some("not-json")),
            (b"{'a':1}".to_vec(), Some("not-json")),
            (b"hello".to_vec(), Some("not-json")),
            (b"{\"a\":\"\x01\"}".to_vec(), Some("not-json")),
            (b"{}{}".to_vec(), Some("trailing-bytes")),
            (b"{} x".to_vec(), Some("trailing-bytes")),
            (b"{}\0".to_vec(), Some("trailing-bytes")),
            (br#"{"a":1,"a":1}"#.to_vec(), Some("duplicate-key")),
            (br#"{"a":1,"\u0061":2}"#.to_vec(), Some("duplicate-key")),
            (b"1e400".to_vec(), Some("unsafe-number")),
            (b"-0".to_vec(), Some("unsafe-number")),
            (b"9007199254740991".to_vec(), None),
            (b"9007199254740992".to_vec(), Some("unsafe-number")),
            (b"-9007199254740992".to_vec(), Some("unsafe-number")),
            (b"18446744073709551616".to_vec(), Some("unsafe-number")),
            (b"NaN".to_vec(), Some("not-json")),
            (deep(16).into_bytes(), None),
            (deep(17).into_bytes(), Some("too-deep")),
            (deep(10_000).into_bytes(), Some("too-deep")),
            (keys(1_000).into_bytes(), None),
            (keys(1_001).into_bytes(), Some("too-many-keys")),
            (keys(100_000).into_bytes(), Some("too-many-keys")),
        ];
        for (bytes, expected) in table {
            let shown: String = String::from_utf8_lossy(&bytes).chars().take(40).collect();
            let said = read(&bytes).err().map(|it| it.code);
            assert_eq!(said, expected, "{shown}");
        }
    }
}
