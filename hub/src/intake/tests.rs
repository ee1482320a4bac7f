//! The published examples against the published schemas: the good fit, the bad do not.

use serde_json::Value;

use super::schema::{self, Schemas};
use crate::strict_json;

#[test]
fn published_examples_are_what_they_claim() {
    let schemas = Schemas::compile();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1/examples");
    let mut seen = 0;
    for kind in ["good", "bad"] {
        for entry in std::fs::read_dir(format!("{root}/{kind}")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let schema = match name.split('.').next().unwrap() {
                "submission" => &schemas.submission,
                "correction" => &schemas.correction,
                "withdrawal" => &schemas.withdrawal,
                "rating" => &schemas.rating,
                "complaint" => &schemas.complaint,
                "feed-confirmation" => &schemas.feed_confirmation,
                _ => continue, // between hub and provinces: `tests/it/schemas.rs`
            };
            let body = strict_json::read(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(schema::check(schema, &body).is_ok(), kind == "good", "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 18, "only {seen} examples were found");
}

#[test]
fn a_schema_problem_names_the_place_and_never_the_value() {
    let good = include_str!("../../../schemas/v1/examples/good/submission.renewal.json");
    let good: Value = serde_json::from_str(good).unwrap();
    let schemas = Schemas::compile();
    #[rustfmt::skip] // a table
    let table: Vec<(&str, Value, &str, &str)> = vec![
        ("/item",                    "secret-item".into(),              "unknown-item",         "/item"),
        ("/category",                "secret".into(),                   "unknown-category",     "/category"),
        ("/channel",                 7.into(),                          "unknown-channel",      "/channel"),
        ("/materials/0/kind",        "secret".into(),                   "unknown-material",     "/materials/0/kind"),
        ("/materials/0/reference",   "file:///secret".into(),           "reference-not-opaque", "/materials/0/reference"),
        ("/materials/0/reference",   "http://10.0.0.1/secret".into(),   "reference-not-opaque", "/materials/0/reference"),
        ("/materials/0/reference",   "s".repeat(10_000).into(),         "reference-not-opaque", "/materials/0/reference"),
        ("/submitted_at",            "2026-02-30T09:30:00+08:00".into(),"bad-moment",           "/submitted_at"),
        ("/submitted_at",            "2026-02-13T24:00:00+08:00".into(),"bad-moment",           "/submitted_at"),
        ("/submitted_at",            "2026-02-13T09:30:00".into(),      "bad-moment",           "/submitted_at"),
        ("/submitted_at",            "Fri, 13 Feb 2026 (((((s)))))".into(), "bad-moment",       "/submitted_at"),
        ("/applicant/name",          1.into(),                          "wrong-type",           "/applicant/name"),
        ("/applicant/name",          "s".repeat(65).into(),             "bad-length",           "/applicant/name"),
        ("/applicant/certificate_number", "se cret".into(),             "bad-form",             "/applicant/certificate_number"),
        ("/authority/division",      "secret".into(),                   "bad-form",             "/authority/division"),
        ("/client_reference",        "a\r\nsecret: 1".into(),           "bad-form",             "/client_reference"),
    ];
    for (pointer, value, code, place) in table {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        let problem = schema::check(&schemas.submission, &body).unwrap_err();
        assert_eq!((problem.code, problem.places[0].pointer.as_str()), (code, place), "{pointer}");
        assert!(!format!("{problem:?}").contains("secret"), "{pointer}");
    }
    let mut body = good.clone();
    body["secret"] = 1.into();
    let problem = schema::check(&schemas.submission, &body).unwrap_err();
    assert_eq!((problem.code, problem.places[0].pointer.as_str()), ("unknown-field", ""));
    assert!(!format!("{problem:?}").contains("secret"));
    for top in [Value::Null, "a".into(), vec![1].into()] {
        assert_eq!(schema::check(&schemas.submission, &top).unwrap_err().code, "not-an-object");
    }
}
