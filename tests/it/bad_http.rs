//! The catalogue of bad input over HTTP: each gets its named refusal, changes nothing, and is never repeated.

use serde_json::{Value, json};
use tests::http::{HttpHub, identity_number, submission};

/// A value that must never come back.
const CANARY: &str = "CANARY";

struct Bad {
    what: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    pointer: Option<&'static str>,
}

fn raw(what: &'static str, body: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Bad {
    Bad { what, body: body.into(), status, code, pointer: None }
}

/// The good example with one place changed.
fn changed(
    what: &'static str,
    pointer: &'static str,
    value: impl Into<Value>,
    code: &'static str,
) -> Bad {
    let mut body = submission(1);
    *body.pointer_mut(pointer).expect(pointer) = value.into();
    Bad { what, body: body.to_string().into(), status: 422, code, pointer: Some(pointer) }
}

fn bodies() -> Vec<Bad> {
    let good = submission(1).to_string();
    let with = |old: &str, new: &str| good.replacen(old, new, 1);
    let field = |name: &str| with("{", &format!("{{{name},"));
    vec![
        raw("1 empty body", "", 400, "body-empty"),
        raw("2 not JSON", "hello CANARY", 400, "not-json"),
        raw("3 a list", "[]", 422, "not-an-object"),
        raw("3 a text", "\"CANARY\"", 422, "not-an-object"),
        raw("3 null", "null", 422, "not-an-object"),
        raw("4 truncated", &good.as_bytes()[..good.len() - 1], 400, "not-json"),
        raw("5 trailing bytes", format!("{good}CANARY"), 400, "trailing-bytes"),
        raw("6 a key twice", field("\"item\":\"change\""), 400, "duplicate-key"),
        raw("7 unknown field", field("\"CANARY\":1"), 422, "unknown-field"),
        raw("9 1e400", field("\"x\":1e400"), 400, "unsafe-number"),
        raw("9 -0", field("\"x\":-0"), 400, "unsafe-number"),
        raw("9 2^53+1", field("\"x\":9007199254740993"), 400, "unsafe-number"),
        raw("9 2^64", field("\"x\":18446744073709551616"), 400, "unsafe-number"),
        raw("10 deep", format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)), 400, "too-deep"),
        raw("11 keys", many_keys(), 400, "too-many-keys"),
        raw("12 256 KiB and one", vec![b' '; 256 * 1024 + 1], 413, "too-large"),
        raw("18 byte order mark", format!("\u{feff}{good}"), 400, "byte-order-mark"),
        raw("19 invalid", [good.as_bytes(), b"\xff"].concat(), 400, "not-utf8"),
        raw("19 half a surrogate", field(r#""x":"\ud800""#), 400, "not-json"),
        changed("8 number for a text", "/applicant/name", 7, "wrong-type"),
        changed("20 NUL", "/applicant/name", "CANARY\u{0}", "control-character"),
        changed("20 line break", "/applicant/name", "CANARY\r\nx: y", "control-character"),
        changed("21 override", "/applicant/name", "CANARY\u{202e}", "bidirectional-override"),
        changed("21 zero width", "/applicant/name", "CANARY\u{200b}", "invisible-character"),
        changed(
            "22 flood",
            "/applicant/name",
            format!("a{}", "\u{301}".repeat(9)),
            "combining-flood",
        ),
        changed(
            "22 long flood",
            "/applicant/name",
            format!("a{}", "\u{301}".repeat(10_000)),
            "bad-length",
        ),
        changed("24 look-alike", "/applicant/name", "CANARY•x", "look-alike-dot"),
        changed("25 private use", "/applicant/name", "CANARY\u{e816}", "private-use-character"),
        changed(
            "26 full width",
            "/applicant/identity_number",
            "１１０１０５１９４９１２３１００２Ｘ",
            "identity-number-full-width",
        ),
        changed(
            "27 15 digits",
            "/applicant/identity_number",
            "110105491231002",
            "identity-number-15-digits",
        ),
        changed(
            "27 check",
            "/applicant/identity_number",
            "110105194912310021",
            "identity-number-check-digit",
        ),
        changed(
            "27 no such birth",
            "/applicant/identity_number",
            "110105194913310026",
            "identity-number-birth-date",
        ),
        changed(
            "27 not born",
            "/applicant/identity_number",
            "110105209912310026",
            "identity-number-not-born",
        ),
        changed(
            "in clear: the reference",
            "/client_reference",
            "CANARY-11010519491231002X",
            "identity-number-in-clear",
        ),
        changed(
            "in clear: the authority",
            "/authority/name",
            "CANARY 11010519491231002X",
            "identity-number-in-clear",
        ),
        changed("29 item", "/item", "CANARY", "unknown-item"),
        changed("29 category", "/category", "CANARY", "unknown-category"),
        changed("29 channel", "/channel", "CANARY", "unknown-channel"),
        changed("30 unknown division", "/authority/division", "990000", "unknown-division"),
        changed("30 Hong Kong", "/authority/division", "810000", "unknown-division"),
        changed(
            "30 Hong Kong pass",
            "/applicant/identity_number",
            "H12345678",
            "document-not-supported",
        ),
        changed("31 30 February", "/submitted_at", "2026-02-30T00:00:00+08:00", "bad-moment"),
        changed("31 24:00", "/submitted_at", "2026-02-12T24:00:00+08:00", "bad-moment"),
        changed("31 no zone", "/submitted_at", "2026-02-12T12:00:00", "bad-moment"),
        changed("31 RFC 2822", "/submitted_at", "Fri, 13 Feb 2026 (((((CANARY)))))", "bad-moment"),
        changed("31 year 9999", "/submitted_at", "9999-01-01T00:00:00Z", "submitted-in-future"),
        changed("32 future", "/submitted_at", "2026-02-14T00:00:00Z", "submitted-in-future"),
        changed(
            "32 ten years ago",
            "/submitted_at",
            "2016-02-13T00:00:00Z",
            "submitted-too-long-ago",
        ),
        changed("33 path", "/materials/0/reference", "../../CANARY", "reference-not-opaque"),
        changed("33 file", "/materials/0/reference", "file:///CANARY", "reference-not-opaque"),
        changed(
            "33 address",
            "/materials/0/reference",
            "http://10.0.0.1/CANARY",
            "reference-not-opaque",
        ),
        changed("33 long", "/materials/0/reference", "C".repeat(10_240), "reference-not-opaque"),
        changed("34 header", "/client_reference", "a\r\nCANARY: 1", "bad-form"),
    ]
}

fn many_keys() -> String {
    let keys: Vec<String> = (0..20_000).map(|it| format!("\"{it}\":1")).collect();
    format!("{{{}}}", keys.join(","))
}

/// Those of the rules carry no pointer: the rules know no JSON.
const OF_THE_RULES: [&str; 4] =
    ["unknown-division", "submitted-in-future", "submitted-too-long-ago", "unknown-authority"];

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_body_gets_its_named_refusal_and_changes_nothing() {
    let hub = HttpHub::start().await;
    let before = hub.events();
    for (nth, bad) in bodies().into_iter().enumerate() {
        let answer = hub.submit(&format!("bad-key-{nth}"), bad.body).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{}", bad.what);
        let text = answer.text().await.unwrap();
        assert!(!text.contains(CANARY), "{} came back: {text}", bad.what);
        let problem: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(problem["code"], bad.code, "{}: {text}", bad.what);
        assert_eq!(status, bad.status, "{}", bad.what);
        if let (Some(pointer), false) = (bad.pointer, OF_THE_RULES.contains(&bad.code)) {
            assert_eq!(problem["pointer"], pointer, "{}", bad.what);
        }
    }
    assert_eq!(hub.events(), before, "something was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_but_lawful_submissions_are_accepted() {
    let hub = HttpHub::start().await;
    let lower = identity_number_ending_in_x().replace('X', "x");
    // 23 rare characters, 24 the right dot, 27 lower-case x, 28 another region, 34 texts that only look wicked
    let names = [
        "𠮷野家",
        "古丽·买买提",
        "'; DROP TABLE event",
        "{{7*7}}",
        "=cmd|' /C calc'!A0",
        "<script>",
    ];
    for (nth, name) in names.iter().enumerate() {
        let mut body = submission(100 + nth as u32);
        body["applicant"]["name"] = (*name).into();
        if nth == 0 {
            body["applicant"]["identity_number"] = lower.clone().into();
        }
        let answer = hub.submit(&format!("odd-key-{nth}"), body.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 201, "{name}: {}", answer.text().await.unwrap());
    }
}

fn identity_number_ending_in_x() -> String {
    (0..100).map(identity_number).find(|it| it.ends_with('X')).expect("one in eleven does")
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_that_do_not_fit_are_refused_by_name() {
    let hub = HttpHub::start().await;
    let before = hub.events();
    let body = submission(1).to_string();
    let plain = || hub.ask("POST", "/v1/cases", "ysfw").body(body.clone());
    let typed = || plain().header("content-type", "application/json");
    let keyed = || plain().header("idempotency-key", "key-12345");
    let table: Vec<(&str, reqwest::RequestBuilder, u16, &str)> = vec![
        ("35 no key", typed(), 400, "idempotency-key-missing"),
        ("35 empty", typed().header("idempotency-key", ""), 400, "idempotency-key-missing"),
        (
            "35 short",
            typed().header("idempotency-key", "1234567"),
            400,
            "idempotency-key-malformed",
        ),
        (
            "35 10 KB",
            typed().header("idempotency-key", "k".repeat(10_240)),
            400,
            "idempotency-key-malformed",
        ),
        (
            "35 non-ASCII",
            typed().header("idempotency-key", "键键键键键键键键"),
            400,
            "idempotency-key-malformed",
        ),
        (
            "35 two",
            typed().header("idempotency-key", "key-12345").header("idempotency-key", "key-12346"),
            400,
            "idempotency-key-missing",
        ),
        (
            "16 gzip",
            keyed().header("content-type", "application/json").header("content-encoding", "gzip"),
            415,
            "unsupported-encoding",
        ),
        ("17 no type", keyed(), 415, "unsupported-media-type"),
        ("17 text", keyed().header("content-type", "text/plain"), 415, "unsupported-media-type"),
        (
            "17 GBK",
            keyed().header("content-type", "application/json; charset=GBK"),
            415,
            "unsupported-media-type",
        ),
        (
            "an auditor",
            hub.ask("POST", "/v1/cases", "auditor").body(body.clone()),
            403,
            "forbidden",
        ),
        ("46 method", hub.ask("DELETE", "/v1/cases", "ysfw"), 405, "method-not-allowed"),
        ("46 path", hub.ask("GET", "/..;/", "ysfw"), 404, "not-found"),
        ("46 NUL", hub.ask("GET", "/v1/cases/%00", "ysfw"), 404, "unknown-case"),
        ("a strange query", hub.ask("GET", "/v1/cases?CANARY=1", "ysfw"), 400, "bad-parameter"),
        ("a strange cursor", hub.ask("GET", "/v1/cases?after=-1", "ysfw"), 400, "bad-parameter"),
        ("national asks for alerts", hub.ask("GET", "/v1/alerts", "ysfw"), 403, "forbidden"),
        (
            "auditor administers",
            hub.ask("POST", "/v1/admin/calendars", "auditor").body("{}"),
            403,
            "forbidden",
        ),
    ];
    for (what, request, status, code) in table {
        let answer = request.send().await.unwrap();
        let got = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{what}: {text}");
        assert!(!text.contains(CANARY), "{what}: {text}");
    }
    let nobody = reqwest::Client::new().post(format!("http://{}/v1/cases", hub.address));
    assert_eq!(nobody.body(body).send().await.unwrap().status(), 401);
    assert_eq!(hub.events(), before, "something was recorded");
}
