//! The table and the router say the same: every row has a route, and nobody is let in by a route without a row.

use super::{May, PAGES};

#[test]
fn every_page_stands_in_the_table_once() {
    for (at, page) in PAGES.iter().enumerate() {
        let again =
            PAGES[at + 1..].iter().any(|it| (it.method, it.path) == (page.method, page.path));
        assert!(!again, "{} {}", page.method, page.path);
        assert!(["get", "post"].contains(&page.method), "{}", page.path);
    }
}

#[test]
fn nothing_is_changed_by_looking_and_nobody_without_an_account_changes_anything() {
    for page in PAGES.iter().filter(|it| it.method == "post" && it.path != "/sign-in") {
        assert!(!page.may.has(May::GUEST), "{}", page.path);
    }
}

#[test]
fn guests_see_what_the_configuration_lets_them_and_no_account_pages() {
    for path in ["/people", "/account"] {
        let rows = PAGES.iter().filter(|it| it.path == path);
        assert!(
            rows.clone().count() > 0 && rows.clone().all(|it| !it.may.has(May::GUEST)),
            "{path}"
        );
    }
}
