//! One of every event of letting in again.

use super::EVENTS;

/// What came with letting in again: `tests/golden/v1-redrives.jsonl`.
pub(crate) const REDRIVES: &[(&str, &str, &str)] = &[
    EVENTS[0],
    (
        "keeping",
        "keeping.redrive-ordered.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","operator":"li","reason":"the key is registered now","selection":{"of":"quarantined-reports","province":"22","why":"unknown-key","since":"2026-02-13T01:02:03Z","until":12,"only":[3,7]},"count":2,"per_minute":60,"needs_second":true}"#,
    ),
    (
        "keeping",
        "keeping.redrive-confirmed.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","operator":"wang"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-stepped.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","item":3,"outcome":"back","code":"wrong-signature"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-paused.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","operator":"li"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-resumed.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","operator":"li"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-stepped.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd","item":7,"outcome":"taken","code":"recorded"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-finished.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000dddd"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-ordered.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000eeee","operator":"li","reason":"merged","selection":{"of":"parked-cases","until":4},"count":1,"per_minute":1,"route_to":"23","needs_second":false}"#,
    ),
    (
        "keeping",
        "keeping.redrive-stepped.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000eeee","item":4,"case":"01900000-0000-7000-8000-000000000001","outcome":"released"}"#,
    ),
    (
        "keeping",
        "keeping.redrive-cancelled.v1",
        r#"{"redrive":"01900000-0000-7000-8000-00000000eeee","operator":"li"}"#,
    ),
];
