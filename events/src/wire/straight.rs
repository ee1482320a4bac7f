//! A recorded event, read once from its first byte to its last. That is possible when its parts stand as
//! the hub writes them: what the data is stands before the data. Anything else is nobody's error here;
//! the slow way finds out what it is.

use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use uuid::Uuid;

use super::TYPE_PREFIX;
use crate::case::CaseEvent;
use crate::envelope::{Envelope, Event};
use crate::ids::{EventId, StreamName};
use crate::keeping::KeepingEvent;
use crate::province::ProvinceEvent;
use crate::reference::ReferenceEvent;

/// The event, if it is written as the hub writes. The sealed part and the evidence are not set.
pub(super) fn event(bytes: &[u8]) -> Option<Envelope> {
    // The whole of it is text, also what nobody looks at.
    let text = str::from_utf8(bytes).ok()?;
    let mut from = serde_json::Deserializer::from_str(text);
    let envelope = from.deserialize_map(InOrder).ok()?;
    from.end().ok()?;
    Some(envelope)
}

/// Takes the parts in the order in which they are written.
struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Envelope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a recorded event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope, A::Error> {
        if text(&mut map, "specversion")? != "1.0" {
            return Err(otherwise());
        }
        named(&mut map, "id")?;
        let id: Uuid = map.next_value()?;
        let actor = text(&mut map, "source")?.parse().map_err(|_| otherwise::<A::Error>())?;
        let kind = text(&mut map, "type")?.strip_prefix(TYPE_PREFIX).ok_or_else(otherwise)?;
        let stream = text(&mut map, "subject")?.parse().map_err(|_| otherwise::<A::Error>())?;
        named(&mut map, "time")?;
        let occurred_at: Timestamp = map.next_value()?;
        let mut caused_by = None;
        match map.next_key::<&str>()? {
            Some("causedby") => {
                caused_by = Some(map.next_value::<Uuid>()?);
                text(&mut map, "datacontenttype")?;
            }
            Some("datacontenttype") => {
                map.next_value::<&str>()?;
            }
            _ => return Err(otherwise()),
        }
        named(&mut map, "data")?;
        let event = map.next_value_seed(Data { kind, stream })?;
        if map.next_key::<IgnoredAny>()?.is_some() {
            return Err(otherwise());
        }
        let id = EventId(id);
        let (sealed, evidence) = (None, None);
        Ok(Envelope { id, stream, occurred_at, actor, caused_by, event, sealed, evidence })
    }
}

/// The next part's name is `name`.
fn named<'de, A: MapAccess<'de>>(map: &mut A, name: &str) -> Result<(), A::Error> {
    if map.next_key::<&str>()? == Some(name) { Ok(()) } else { Err(otherwise()) }
}

/// The next part is `name`, a text without anything escaped.
fn text<'de, A: MapAccess<'de>>(map: &mut A, name: &str) -> Result<&'de str, A::Error> {
    named(map, name)?;
    map.next_value()
}

/// It is written in another way. Nobody reads this.
fn otherwise<E: Error>() -> E {
    E::custom("otherwise")
}

/// What the data is, told by what stood before it.
struct Data<'a> {
    kind: &'a str,
    stream: StreamName,
}

impl<'de> DeserializeSeed<'de> for Data<'_> {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Event, D::Error> {
        let kind = self.kind;
        let event = match self.stream {
            StreamName::Case(_) => CaseEvent::read(kind, from).map(|it| it.map(Event::Case)),
            StreamName::Province(_) => {
                ProvinceEvent::read(kind, from).map(|it| it.map(Event::Province))
            }
            StreamName::Reference => {
                ReferenceEvent::read(kind, from).map(|it| it.map(Event::Reference))
            }
            StreamName::Keeping => KeepingEvent::read(kind, from).map(|it| it.map(Event::Keeping)),
        };
        event.unwrap_or_else(|| Err(otherwise()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event_from_bytes;
    use super::event;
    use crate::envelope::Envelope;

    const PARTS: &str = r#"{"specversion":"1.0","id":"01890a5d-ac96-774b-bcce-b302099a8057","source":"hub","type":"cn.gov.mot.hub.case.released.v1","subject":"case-01890a5d-ac96-774b-bcce-b302099a8058","time":"2026-03-02T01:00:00Z","causedby":"01890a5d-ac96-774b-bcce-b302099a8059","datacontenttype":"application/json","data":{"operator":"o","note":"甲"}}"#;

    /// The same in another order: the slow way.
    fn slowly(parts: &str) -> Option<Envelope> {
        let moved = parts.replacen(r#""specversion":"1.0","#, "", 1);
        let moved = format!(r#"{},"specversion":"1.0"}}"#, moved.strip_suffix('}')?);
        assert!(event(moved.as_bytes()).is_none(), "{moved}");
        event_from_bytes(moved.as_bytes()).ok()
    }

    #[test]
    fn what_the_hub_writes_is_read_straight_and_means_the_same_as_in_another_order() {
        let caused = r#""causedby":"01890a5d-ac96-774b-bcce-b302099a8059","#;
        let more = r#""newer":[{"a":null}],"note""#;
        for parts in [PARTS.into(), PARTS.replace(caused, ""), PARTS.replace(r#""note""#, more)] {
            let read = event(parts.as_bytes());
            assert!(read.is_some() && read == slowly(&parts), "{parts}");
        }
    }

    #[test]
    fn what_is_wrong_or_written_otherwise_is_left_to_the_slow_way() {
        for (from, to) in [
            (r#""1.0""#, r#""2.0""#),
            ("released.v1", "released.v9"),
            ("cn.gov.mot.hub.", ""),
            (r#""source":"hub""#, r#""source":"nobody""#),
            (r#""subject":"case-"#, r#""subject":"tale-"#),
            (r#""operator":"o","#, ""),
            (r#""operator":"o","#, r#""operator":"o","operator":"p","#),
            (r#""id""#, r#""more":1,"id""#),
            (r#""data""#, r#""more":1,"data""#),
            ("甲\"}}", "甲\"},\"more\":1}"),
            ("甲\"}}", "甲\"}} x"),
            ("甲\"}}", "甲\"}"),
            (r#""hub""#, r#""\u0068ub""#),
        ] {
            let other = PARTS.replacen(from, to, 1);
            assert_ne!(other, PARTS, "{from}");
            assert!(event(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_also_where_nobody_looks() {
        let more = PARTS.replace(r#""note""#, r#""newer":"~","note""#);
        assert!(event_from_bytes(more.as_bytes()).is_ok());
        let bytes: Vec<u8> = more.bytes().map(|it| if it == b'~' { 0xff } else { it }).collect();
        assert!(event_from_bytes(&bytes).is_err());
    }
}
