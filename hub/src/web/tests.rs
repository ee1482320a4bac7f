//! The document and the table of routes say the same.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ROUTES;
use crate::intake::http::ROUTES as INTAKE;

#[test]
fn every_route_is_documented_and_every_documented_one_is_there() {
    let document = include_str!("../../../schemas/v1/openapi.json");
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.insert((method.as_str(), path.as_str()));
        }
    }
    let there: BTreeSet<_> = ROUTES.iter().chain(INTAKE).copied().collect();
    assert_eq!(there, documented);
}
