//! The published schemas, compiled once. A body is compared with them before any rule looks at it.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::problem::{PLACES_MAX, Place, Problem};

macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident = $file:literal,)+) => {
        /// Each body that national systems send, with its schema.
        #[derive(Debug)]
        pub struct Schemas { $($(#[$doc])* pub $name: Validator,)+ }

        impl Schemas {
            /// Compiles all of them. They are part of this program: one that does not compile is a bug.
            pub fn compile() -> Self {
                Self { $($name: compile(include_str!(concat!("../../../schemas/v1/", $file, ".schema.json"))),)+ }
            }
        }
    };
}

schemas! {
    /// `POST /v1/cases`
    submission = "submission",
    /// `POST /v1/cases/{id}/correction`
    correction = "correction",
    /// `POST /v1/cases/{id}/withdrawal`
    withdrawal = "withdrawal",
    /// `POST /v1/cases/{id}/rating`
    rating = "rating",
    /// `POST /v1/cases/{id}/complaints`
    complaint = "complaint",
    /// `POST /v1/feed/confirm`
    feed_confirmation = "feed-confirmation",
}

fn compile(text: &str) -> Validator {
    let schema: Value = serde_json::from_str(text).expect("a test reads every published schema");
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a test compiles every published schema")
}

/// Compares `body` with `schema`; the problem names up to [`PLACES_MAX`] places and no value.
pub fn check(schema: &Validator, body: &Value) -> Result<(), Problem> {
    if !body.is_object() {
        return Err(Problem::at("not-an-object", ""));
    }
    if schema.is_valid(body) {
        return Ok(());
    }
    let mut places: Vec<Place> =
        schema.iter_errors(body).take(PLACES_MAX).map(|it| place(&it)).collect();
    places.sort_by(|a, b| (&a.pointer, a.code).cmp(&(&b.pointer, b.code)));
    places.dedup();
    // What hides behind an unknown field is seldom the caller's real mistake, a missing one often is.
    let code = places.first().map_or("schema", |it| it.code);
    Err(Problem { places, ..Problem::new(code) })
}

fn place(error: &jsonschema::ValidationError<'_>) -> Place {
    let mut pointer = error.instance_path().to_string();
    let at = pointer.clone();
    let code = match error.kind() {
        Kind::Required { property } => {
            pointer = format!("{at}/{}", property.as_str().unwrap_or(""));
            "missing-field"
        }
        // The name of an unknown field comes from outside and is not repeated.
        Kind::AdditionalProperties { .. } => "unknown-field",
        Kind::Type { .. } => "wrong-type",
        Kind::Enum { .. } => not_in_list(&at),
        _ if at.ends_with("/reference") && at.starts_with("/materials/") => "reference-not-opaque",
        _ if at.ends_with("_at") => "bad-moment",
        Kind::MaxLength { .. }
        | Kind::MinLength { .. }
        | Kind::MaxItems { .. }
        | Kind::MinItems { .. }
        | Kind::UniqueItems => "bad-length",
        Kind::Pattern { .. } | Kind::Format { .. } => "bad-form",
        _ => "schema",
    };
    Place { pointer, code, hint: None }
}

fn not_in_list(pointer: &str) -> &'static str {
    match pointer {
        "/item" => "unknown-item",
        "/category" => "unknown-category",
        "/channel" => "unknown-channel",
        _ if pointer.starts_with("/materials/") => "unknown-material",
        _ => "unknown-value",
    }
}
