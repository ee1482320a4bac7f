//! What may change in a published schema: something optional may be added. Everything else breaks
//! somebody who built on it, and belongs in a new version beside the old one.

use serde_json::{Map, Value};

/// Keywords that only explain: they may change freely.
const WORDS: [&str; 4] = ["description", "title", "examples", "$comment"];
/// Bounds that may only grow, or go.
const UPPER: [&str; 5] = ["maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"];
/// Bounds that may only shrink, or go.
const LOWER: [&str; 5] = ["minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"];

/// Every way in which `new` breaks who relies on `old`; none if the change only adds.
pub fn breaches(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(old, new, "", &mut found);
    found
}

fn compare(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        if old != new {
            found.push(format!("{at}: another schema altogether"));
        }
        return;
    };
    kinds(old, new, at, found);
    values(old, new, at, found);
    bounds(old, new, at, found);
    members(old, new, at, found);
    alternatives(old, new, at, found);
    for keyword in old.keys().chain(new.keys().filter(|it| !old.contains_key(*it))) {
        if !is_judged(keyword) && old.get(keyword) != new.get(keyword) {
            found.push(format!(
                "{at}/{keyword}: changed, and this check cannot tell that it only adds"
            ));
        }
    }
}

fn is_judged(keyword: &str) -> bool {
    const JUDGED: [&str; 10] = [
        "type",
        "enum",
        "const",
        "pattern",
        "required",
        "properties",
        "additionalProperties",
        "items",
        "oneOf",
        "anyOf",
    ];
    [&WORDS[..], &UPPER, &LOWER, &JUDGED].iter().any(|it| it.contains(&keyword))
}

/// A value of a type that was allowed stays allowed.
fn kinds(old: &Map<String, Value>, new: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    let types = |it: &Map<String, Value>| match it.get("type") {
        Some(Value::Array(all)) => Some(all.clone()),
        Some(one) => Some(vec![one.clone()]),
        None => None,
    };
    match (types(old), types(new)) {
        (_, None) => {}
        (None, Some(_)) => found.push(format!("{at}/type: newly demanded")),
        (Some(old), Some(new)) => {
            let lost: Vec<_> = old.iter().filter(|it| !new.contains(it)).collect();
            if !lost.is_empty() {
                found.push(format!("{at}/type: no longer {lost:?}"));
            }
        }
    }
}

/// A word that was allowed stays allowed; so does every text that fitted the pattern.
fn values(old: &Map<String, Value>, new: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    let words = |it: &Map<String, Value>| match (it.get("const"), it.get("enum")) {
        (Some(one), _) => Some(vec![one.clone()]),
        (None, Some(Value::Array(all))) => Some(all.clone()),
        _ => None,
    };
    match (words(old), words(new)) {
        (_, None) => {}
        (None, Some(_)) => found.push(format!("{at}/enum: newly demanded")),
        (Some(old), Some(new)) => {
            for lost in old.iter().filter(|it| !new.contains(it)) {
                found.push(format!("{at}/enum: {lost} is no longer allowed"));
            }
        }
    }
    let pattern =
        |it: &Map<String, Value>| it.get("pattern").and_then(Value::as_str).map(str::to_owned);
    match (pattern(old), pattern(new)) {
        (_, None) => {}
        (Some(old), Some(new)) if covers(&new, &old) => {}
        (Some(_), Some(_)) => found.push(format!("{at}/pattern: another one")),
        (None, Some(_)) => found.push(format!("{at}/pattern: newly demanded")),
    }
}

/// Whether the pattern `new` is `old` with more alternatives in its one list `(a|b|c)`.
fn covers(new: &str, old: &str) -> bool {
    let parts = |it: &str| {
        let (head, rest) = it.split_once('(')?;
        let (list, tail) = rest.split_once(')')?;
        let list: Vec<String> = list.split('|').map(str::to_owned).collect();
        Some((head.to_owned(), list, tail.to_owned()))
    };
    if new == old {
        return true;
    }
    match (parts(new), parts(old)) {
        (Some(new), Some(old)) => {
            new.0 == old.0 && new.2 == old.2 && old.1.iter().all(|it| new.1.contains(it))
        }
        _ => false,
    }
}

fn bounds(old: &Map<String, Value>, new: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    let number = |it: &Map<String, Value>, name: &str| it.get(name).and_then(Value::as_f64);
    for name in UPPER {
        let narrowed = match (number(old, name), number(new, name)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => new < old,
        };
        if narrowed {
            found.push(format!("{at}/{name}: narrower"));
        }
    }
    for name in LOWER {
        let narrowed = match (number(old, name), number(new, name)) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => new > old,
        };
        if narrowed {
            found.push(format!("{at}/{name}: narrower"));
        }
    }
}

/// Members stay, none becomes compulsory or ceases to be promised, and an open object stays open.
fn members(old: &Map<String, Value>, new: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    let required = |it: &Map<String, Value>| match it.get("required") {
        Some(Value::Array(all)) => all.clone(),
        _ => Vec::new(),
    };
    let (was, is) = (required(old), required(new));
    for name in is.iter().filter(|it| !was.contains(it)) {
        found.push(format!("{at}/required: {name} is newly required"));
    }
    for name in was.iter().filter(|it| !is.contains(it)) {
        found.push(format!("{at}/required: {name} is no longer promised"));
    }
    let none = Map::new();
    let properties =
        |it: &'_ Map<String, Value>| it.get("properties").and_then(Value::as_object).cloned();
    let (was, is) = (properties(old), properties(new));
    let is = is.as_ref().unwrap_or(&none);
    for (name, schema) in was.as_ref().unwrap_or(&none) {
        match is.get(name) {
            Some(new) => compare(schema, new, &format!("{at}/{name}"), found),
            None => found.push(format!("{at}/{name}: removed")),
        }
    }
    match (old.get("additionalProperties"), new.get("additionalProperties")) {
        (old, new) if old == new => {}
        (_, None | Some(Value::Bool(true))) => {}
        (None | Some(Value::Bool(true)), Some(_)) => {
            found.push(format!("{at}/additionalProperties: closed"));
        }
        (Some(old), Some(new)) => compare(old, new, &format!("{at}/additionalProperties"), found),
    }
    match (old.get("items"), new.get("items")) {
        (_, None) => {}
        (None, Some(_)) => found.push(format!("{at}/items: newly demanded")),
        (Some(old), Some(new)) => compare(old, new, &format!("{at}/items"), found),
    }
}

/// Each old alternative finds itself again among the new ones, whatever their order.
fn alternatives(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    at: &str,
    found: &mut Vec<String>,
) {
    for keyword in ["oneOf", "anyOf"] {
        let (was, is) = (old.get(keyword), new.get(keyword));
        match (was.and_then(Value::as_array), is.and_then(Value::as_array)) {
            (_, None) => {}
            (None, Some(_)) => found.push(format!("{at}/{keyword}: newly demanded")),
            (Some(was), Some(is)) => {
                for alternative in was {
                    one_of(alternative, is, &format!("{at}/{keyword}"), found);
                }
            }
        }
    }
}

fn one_of(alternative: &Value, among: &[Value], at: &str, found: &mut Vec<String>) {
    // Alternatives of ours are told apart by the constant of their `kind`.
    let name = |it: &Value| it.pointer("/properties/kind/const").cloned();
    let same = match name(alternative) {
        Some(kind) => among.iter().find(|it| name(it).as_ref() == Some(&kind)),
        None => among.iter().find(|it| *it == alternative),
    };
    let told = name(alternative).unwrap_or_else(|| alternative.clone());
    match same {
        Some(new) => compare(alternative, new, &format!("{at}[{told}]"), found),
        None => found.push(format!("{at}: the alternative {told} is gone")),
    }
}
