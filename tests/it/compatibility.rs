//! The gate before a published schema: only what adds passes, and each way to break is shown to fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::compatibility::breaches;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1"))
}

fn schemas(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name());
    names.map(|it| it.into_string().unwrap()).filter(|it| it.ends_with(".schema.json")).collect()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn no_published_schema_was_broken() {
    let published = folder().join("published");
    let (was, is) = (schemas(&published), schemas(&folder()));
    assert!(was.len() >= 12, "the published schemas were not found");
    let gone: Vec<_> = was.difference(&is).collect();
    assert!(gone.is_empty(), "published and gone: {gone:?}");
    let mut found = Vec::new();
    for name in &was {
        let told = breaches(&read(&published.join(name)), &read(&folder().join(name)));
        found.extend(told.into_iter().map(|it| format!("{name}{it}")));
    }
    assert!(
        found.is_empty(),
        "a published schema only grows (a new version goes beside it):\n  {}",
        found.join("\n  ")
    );
}

#[test]
fn no_published_channel_message_or_operation_is_gone() {
    let document = |path: PathBuf| -> Value {
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    };
    let was = document(folder().join("published/asyncapi.yaml"));
    let is = document(folder().join("asyncapi.yaml"));
    for pointer in ["/channels", "/operations", "/components/messages"] {
        for (name, old) in was.pointer(pointer).unwrap().as_object().unwrap() {
            let new = is.pointer(pointer).unwrap().get(name);
            let new = new.unwrap_or_else(|| panic!("{pointer}/{name} is gone"));
            for same in ["address", "action", "name", "channel", "payload", "x-signature"] {
                assert_eq!(old.get(same), new.get(same), "{pointer}/{name}/{same}");
            }
        }
    }
    let kinds = |it: &Value, channel: &str| -> BTreeSet<String> {
        let kinds = it["channels"][channel]["parameters"]["kind"]["enum"].as_array().unwrap();
        kinds.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    for channel in ["work", "report"] {
        assert!(kinds(&is, channel).is_superset(&kinds(&was, channel)), "{channel}");
    }
}

fn schema() -> Value {
    json!({
        "$id": "urn:x",
        "title": "A",
        "type": "object",
        "required": ["kind"],
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "type": {"type": "string", "pattern": "^x\\.(a|b)\\.v1$"},
            "text": {"type": "string", "minLength": 1, "maxLength": 64, "format": "date"},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "list": {"type": "array", "maxItems": 4, "items": {"type": "string"}},
            "open": {"type": "object", "properties": {"in": {"const": "1"}}},
            "news": {"oneOf": [
                {"properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}},
                {"properties": {"kind": {"const": "b"}}}
            ]},
        },
        "not": {"required": ["never"]},
    })
}

/// The schema with one value set, or taken out when it is null.
fn changed(pointer: &str, value: Value) -> Value {
    let mut schema = schema();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match schema.pointer_mut(parent).expect(pointer) {
        Value::Object(members) if value.is_null() => {
            members.remove(name).expect(pointer);
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items.push(value),
        _ => panic!("{pointer} is no place"),
    }
    schema
}

#[test]
fn each_kind_of_breaking_change_is_refused_by_name() {
    let string = || json!({"type": "string"});
    #[rustfmt::skip] // a table
    let table = [
        // what is changed                       to                              is called
        ("/properties/count",                    Value::Null,                    "/count: removed"),
        ("/required",                            json!(["kind", "text"]),        "\"text\" is newly required"),
        ("/required",                            json!([]),                      "\"kind\" is no longer promised"),
        ("/additionalProperties",                json!(false),                   "/additionalProperties: closed"),
        ("/properties/open/additionalProperties",json!(false),                   "/open/additionalProperties: closed"),
        ("/properties/kind/enum",                json!(["a"]),                   "/kind/enum: \"b\" is no longer allowed"),
        ("/properties/kind",                     json!({"const": "a"}),          "/kind/enum: \"b\" is no longer allowed"),
        ("/properties/text/enum",                json!(["x"]),                   "/text/enum: newly demanded"),
        ("/properties/text/type",                json!("integer"),               "/text/type: no longer"),
        ("/properties/text/maxLength",           json!(63),                      "/text/maxLength: narrower"),
        ("/properties/text/minLength",           json!(2),                       "/text/minLength: narrower"),
        ("/properties/text/pattern",             json!("^x$"),                   "/text/pattern: newly demanded"),
        ("/properties/text/format",              json!("time"),                  "/text/format: changed"),
        ("/properties/type/pattern",             json!("^x\\.(a)\\.v1$"),        "/type/pattern: another one"),
        ("/properties/type/pattern",             json!("^y\\.(a|b)\\.v1$"),      "/type/pattern: another one"),
        ("/properties/count/maximum",            json!(8),                       "/count/maximum: narrower"),
        ("/properties/count/minimum",            json!(2),                       "/count/minimum: narrower"),
        ("/properties/count/exclusiveMaximum",   json!(9),                       "/count/exclusiveMaximum: narrower"),
        ("/properties/list/maxItems",            json!(3),                       "/list/maxItems: narrower"),
        ("/properties/list/minItems",            json!(1),                       "/list/minItems: narrower"),
        ("/properties/list/uniqueItems",         json!(true),                    "/list/uniqueItems: changed"),
        ("/properties/list/items",               json!({"type": "integer"}),     "/list/items/type: no longer"),
        ("/properties/open/properties/in",       Value::Null,                    "/open/in: removed"),
        ("/properties/open/items",               string(),                       "/open/items: newly demanded"),
        ("/properties/news/oneOf",               json!([{"properties": {"kind": {"const": "a"}, "n": {"type": "integer"}}}]),
                                                                                 "the alternative \"b\" is gone"),
        ("/properties/news/oneOf/0/properties/n",Value::Null,                    "[\"a\"]/n: removed"),
        ("/properties/open/oneOf",               json!([string()]),              "/open/oneOf: newly demanded"),
        ("/properties/open/const",               json!("x"),                     "/open/enum: newly demanded"),
        ("/not",                                 json!({"required": ["kind"]}),  "/not: changed"),
        ("/$id",                                 json!("urn:y"),                 "/$id: changed"),
    ];
    for (pointer, value, name) in table {
        let told = breaches(&schema(), &changed(pointer, value));
        assert!(told.iter().any(|it| it.contains(name)), "{pointer}: {told:?} does not say {name}");
    }
}

#[test]
fn what_only_adds_passes() {
    #[rustfmt::skip] // a table
    let table = [
        ("/title",                          json!("B")),
        ("/properties/text/description",    json!("new words")),
        ("/properties/new",                 json!({"type": "string", "maxLength": 3})),
        ("/properties/open/properties/new", json!({"type": "integer"})),
        ("/properties/kind/enum/2",         json!("c")),
        ("/properties/text/maxLength",      json!(65)),
        ("/properties/text/minLength",      Value::Null),
        ("/properties/text/type",           json!(["string", "null"])),
        ("/properties/type/pattern",        json!("^x\\.(a|b|c)\\.v1$")),
        ("/properties/count/maximum",       Value::Null),
        ("/properties/list/maxItems",       json!(5)),
        ("/properties/news/oneOf/2",        json!({"properties": {"kind": {"const": "c"}}})),
    ];
    for (pointer, value) in table {
        assert_eq!(breaches(&schema(), &changed(pointer, value)), [""; 0], "{pointer}");
    }
}
