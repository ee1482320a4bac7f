//! JSON and XML as one kind of value, so that one pointer finds a value in either. Elements lose their
//! prefixes; what repeats is a list; nothing outside of the document is ever looked at.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

/// Elements within elements; deeper is an attack, not an answer.
const DEPTH_MAX: usize = 64;

/// An answer that is neither.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer is {what}")]
pub(super) struct NoDocument {
    what: &'static str,
}

fn no(what: &'static str) -> NoDocument {
    NoDocument { what }
}

/// The document, and the one that stands in it as a text, if `inner` says where.
pub(super) fn read(text: &str, inner: Option<&str>) -> Result<Value, NoDocument> {
    let outer = read_one(text)?;
    let Some(pointer) = inner else { return Ok(outer) };
    match outer.pointer(pointer) {
        Some(Value::String(text)) => read_one(text),
        Some(_) => Err(no("without a text where `http.inner` points")),
        None => Err(no("without the place where `http.inner` points")),
    }
}

fn read_one(text: &str) -> Result<Value, NoDocument> {
    let text = text.trim_start();
    if text.is_empty() {
        return Err(no("empty"));
    }
    if text.starts_with('<') {
        return xml(text);
    }
    serde_json::from_str(text).map_err(|_| no("neither whole JSON nor whole XML"))
}

#[derive(Default)]
struct Element {
    name: String,
    children: Map<String, Value>,
    text: String,
}

impl Element {
    fn add(&mut self, name: String, value: Value) {
        match self.children.get_mut(&name) {
            None => drop(self.children.insert(name, value)),
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    fn value(self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text.trim().to_owned());
        }
        Value::Object(self.children)
    }
}

fn local(name: &str) -> String {
    name.rsplit(':').next().unwrap_or(name).to_owned()
}

fn xml(text: &str) -> Result<Value, NoDocument> {
    let broken = no("not whole XML");
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = vec![Element::default()];
    loop {
        let event = reader.read_event().map_err(|_| broken.clone())?;
        let top = open.last_mut().ok_or_else(|| broken.clone())?;
        match event {
            Event::Eof => break,
            Event::DocType(_) => return Err(no("XML with a DOCTYPE, which is not read")),
            Event::Start(it) => {
                if open.len() > DEPTH_MAX {
                    return Err(no("XML that is too deep"));
                }
                open.push(Element { name: local(it.name().as_ref()), ..Element::default() });
            }
            Event::Empty(it) => top.add(local(it.name().as_ref()), Value::String(String::new())),
            Event::End(_) => {
                let done = open.pop().ok_or_else(|| broken.clone())?;
                let name = done.name.clone();
                open.last_mut().ok_or_else(|| broken.clone())?.add(name, done.value());
            }
            Event::Text(it) => top.text.push_str(&it.xml10_content()),
            Event::CData(it) => top.text.push_str(&it.xml10_content()),
            Event::GeneralRef(it) => {
                let named = format!("&{};", it.xml10_content());
                // Only the five of XML itself and characters by number: nothing is expanded.
                let meant = quick_xml::escape::unescape(&named);
                top.text.push_str(&meant.map_err(|_| no("XML with an unknown entity"))?);
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) if !root.children.is_empty() => Ok(Value::Object(root.children)),
        _ => Err(broken),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_pointer_finds_the_same_in_json_and_in_xml() {
        let json = r#"{"r": {"code": "0", "missing": ["1", "2"]}}"#;
        let xml = "<?xml version=\"1.0\"?><x:r xmlns:x='u'><x:code> 0 </x:code><missing>1</missing><missing>2</missing></x:r>";
        for text in [json, xml] {
            let it = read(text, None).unwrap();
            assert_eq!(it.pointer("/r/code"), Some(&json!("0")));
            assert_eq!(it.pointer("/r/missing"), Some(&json!(["1", "2"])));
        }
    }

    #[test]
    fn a_document_in_a_document_is_read_where_it_stands() {
        let soap = "<Envelope><Body><return>&lt;a&gt;&lt;b&gt;1 &amp;amp; 2&lt;/b&gt;&lt;/a&gt;</return></Body></Envelope>";
        let it = read(soap, Some("/Envelope/Body/return")).unwrap();
        assert_eq!(it, json!({"a": {"b": "1 & 2"}}));
        let cdata = "<E><return><![CDATA[{\"b\": 1}]]></return></E>";
        assert_eq!(read(cdata, Some("/E/return")).unwrap(), json!({"b": 1}));
        read(soap, Some("/Envelope/none")).unwrap_err();
    }

    #[test]
    fn half_documents_and_attacks_are_no_documents() {
        let deep = "<a>".repeat(100);
        for text in [
            "",
            " ",
            "{\"a\":",
            "<a><b></a>",
            "<a><b>",
            "<a",
            "hello",
            &deep,
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<a>&x;</a>",
        ] {
            assert!(read(text, None).is_err(), "{text}");
        }
    }
}
