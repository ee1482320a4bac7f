//! The published catalogue says the same words and limits as the rules.
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use events::vocabulary::{Category, Item, Material};
use hub_core::deadlines::ServiceStandards;
use serde_json::Value;

fn catalogue() -> Value {
    serde_json::from_str(include_str!("../../../schemas/catalogue.json")).unwrap()
}

fn codes(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["code"].as_str().unwrap()).collect()
}

#[test]
fn every_item_and_category_is_listed_once_and_in_order() {
    let catalogue = catalogue();
    let items: Vec<_> = Item::ALL.iter().map(|it| it.code()).collect();
    assert_eq!(codes(&catalogue["items"]), items);
    let categories: Vec<_> = Category::ALL.iter().map(|it| it.code()).collect();
    assert_eq!(codes(&catalogue["categories"]), categories);
    for item in catalogue["items"].as_array().unwrap() {
        let code = item["code"].as_str().unwrap();
        assert_eq!(item["zh"], Item::of(code).unwrap().zh());
        for material in item["materials"].as_array().unwrap() {
            assert!(Material::of(material.as_str().unwrap()).is_some(), "{code}: {material}");
        }
        for field in item["result"].as_array().unwrap() {
            let known = ["grade", "valid_until", "certificate_id", "next_due"];
            assert!(known.contains(&field.as_str().unwrap()), "{code}: {field}");
        }
        for category in item["categories"].as_array().unwrap() {
            assert!(Category::of(category.as_str().unwrap()).is_some(), "{code}: {category}");
        }
    }
}

#[test]
fn the_limits_are_those_that_the_rules_count() {
    let limits = &catalogue()["limits"];
    let standards = ServiceStandards::default();
    assert_eq!(limits["acceptance_working_days"], standards.acceptance_working_days);
    assert_eq!(limits["completion_working_days"], standards.completion_working_days);
    let notice = &limits["statutory"]["one_time_notice_working_days"];
    assert_eq!(*notice, standards.deemed_after_working_days);
}
