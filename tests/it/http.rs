//! A national system's stories over HTTP: receipts, repetitions, duplicates, and who sees what.

use std::collections::BTreeSet;

use events::proof::signature::{Purpose, verify};
use serde_json::{Value, json};
use tests::http::{HttpHub, PATIENCE, submission};

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_signed_and_the_same_again_is_the_same_bytes() {
    let hub = HttpHub::start().await;
    let body = submission(1).to_string();
    let first = hub.submit("key-00001", body.clone()).send().await.unwrap();
    assert_eq!(first.status(), 201);
    let signature = first.headers()["signature"].to_str().unwrap().to_owned();
    let location = first.headers()["location"].to_str().unwrap().to_owned();
    let bytes = first.bytes().await.unwrap();
    let key = hub.signing_key.verifying_key();
    assert_eq!(verify(&key, Purpose::SubmissionReceipt, &signature, &bytes), Ok(()));
    let receipt: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(receipt["province"], "22");
    assert_eq!(receipt["acceptance_due"]["day"], "2026-02-24");
    assert!(!receipt["acceptance_due"]["papers"].as_array().unwrap().is_empty());
    assert!(location.ends_with(receipt["case_id"].as_str().unwrap()));
    let events = hub.events();

    let again = hub.submit("key-00001", body).send().await.unwrap();
    assert_eq!(again.status(), 200);
    assert_eq!(again.headers()["signature"].to_str().unwrap(), signature);
    assert_eq!(again.bytes().await.unwrap(), bytes);

    let other = hub.submit("key-00001", submission(2).to_string()).send().await.unwrap();
    assert_eq!(other.status(), 422);
    assert_eq!(other.json::<Value>().await.unwrap()["code"], "idempotency-key-reused");
    assert_eq!(hub.events(), events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_with_one_key_are_one_case() {
    let hub = HttpHub::start().await;
    let body = submission(1).to_string();
    let all = (0..100).map(|_| hub.submit("key-00001", body.clone()).send());
    let answers = futures::future::join_all(all).await;
    let mut created = 0;
    let mut receipts = BTreeSet::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert!(matches!(answer.status().as_u16(), 200 | 201), "{}", answer.status());
        created += usize::from(answer.status() == 201);
        receipts.insert(answer.bytes().await.unwrap());
    }
    assert_eq!((created, receipts.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_application_of_one_person_names_the_first() {
    let hub = HttpHub::start().await;
    let body = submission(1);
    let first = hub.submit("key-00001", body.to_string()).send().await.unwrap();
    let first: Value = first.json().await.unwrap();
    let second = hub.submit("key-00002", body.to_string()).send().await.unwrap();
    assert_eq!(second.status(), 409);
    let second: Value = second.json().await.unwrap();
    assert_eq!(second["code"], "duplicate-application");
    assert_eq!(second["case_number"], first["case_number"]);

    // Another item is another case; and after a withdrawal the person may apply again.
    let mut other = body.clone();
    other["item"] = "change".into();
    assert_eq!(hub.submit("key-00003", other.to_string()).send().await.unwrap().status(), 201);
    let case = first["case_id"].as_str().unwrap();
    let withdrawal = hub
        .ask("POST", &format!("/v1/cases/{case}/withdrawal"), "ysfw")
        .header("idempotency-key", "withdrawal-1")
        .json(&json!({"requested_at": "2026-02-13T09:30:00+08:00"}));
    assert_eq!(withdrawal.send().await.unwrap().status(), 201);
    hub.wait_for(&format!("/v1/cases/{case}"), "ysfw", |it| it["stage"] == "withdrawn").await;
    let again = hub.submit("key-00004", body.to_string()).send().await.unwrap();
    assert_eq!(again.status(), 201, "{}", again.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_national_system_never_sees_anothers_case() {
    let hub = HttpHub::start().await;
    let first = hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let case = receipt["case_id"].as_str().unwrap();
    let number = receipt["case_number"].as_str().unwrap();
    hub.wait_for(&format!("/v1/cases/{number}"), "ysfw", |it| it["case_id"] == case).await;
    for path in [
        format!("/v1/cases/{case}"),
        format!("/v1/cases/{number}"),
        format!("/v1/cases/{case}/events"),
    ] {
        assert_eq!(hub.ask("GET", &path, "ysfw").send().await.unwrap().status(), 200, "{path}");
        assert_eq!(hub.ask("GET", &path, "auditor").send().await.unwrap().status(), 200, "{path}");
        assert_eq!(hub.ask("GET", &path, "other").send().await.unwrap().status(), 404, "{path}");
    }
    let theirs: Value =
        hub.ask("GET", "/v1/cases", "other").send().await.unwrap().json().await.unwrap();
    assert_eq!(theirs["items"], json!([]));
    let rating = hub
        .ask("POST", &format!("/v1/cases/{case}/rating"), "other")
        .header("idempotency-key", "rating-001")
        .json(&json!({"rating": "fair"}));
    assert_eq!(rating.send().await.unwrap().status(), 404);
    let story = hub.ask("GET", &format!("/v1/cases/{case}/events"), "ysfw");
    let story = story.send().await.unwrap().text().await.unwrap();
    for canary in ["古丽", "1949", "13800000000", "138 0000 0000", "请尽快办理"] {
        assert!(!story.contains(canary), "`{canary}` is in the story");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_after_the_last_id_and_misses_nothing() {
    let hub = HttpHub::start().await;
    let mut wanted: u64 = hub.events();
    let start = wanted;
    let mut heard = Vec::new();
    for round in 0..3 {
        let last = heard.last().copied().unwrap_or(start);
        let stream =
            hub.ask("GET", "/v1/stream", "auditor").header("last-event-id", last.to_string());
        let mut stream = stream.send().await.unwrap();
        assert_eq!(stream.status(), 200);
        let key = format!("key-0000{round}");
        assert_eq!(
            hub.submit(&key, submission(round).to_string()).send().await.unwrap().status(),
            201
        );
        wanted = wanted.max(hub.events());
        let listen = async {
            while heard.last().copied().unwrap_or(start) < wanted {
                let piece = stream.chunk().await.unwrap().expect("the stream goes on");
                let piece = String::from_utf8(piece.to_vec()).unwrap();
                assert!(!piece.contains("1949"), "personal data in the stream");
                heard.extend(
                    piece.lines().filter_map(|it| it.strip_prefix("id: ")?.parse::<u64>().ok()),
                );
            }
        };
        tokio::time::timeout(PATIENCE, listen).await.expect("the stream told everything");
    }
    assert_eq!(heard, (start + 1..=wanted).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_is_chinese_first_and_runs_no_inline_script() {
    let hub = HttpHub::start().await;
    let first = hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap();
    hub.wait_for(&format!("/v1/cases/{number}"), "ysfw", |it| it["case_number"] == number).await;
    for (path, words) in [
        ("/".to_owned(), ["跨省通办路由枢纽", "吉林"]),
        ("/?lang=en".to_owned(), ["Inter-provincial routing hub", "Jilin"]),
        (format!("/cases/{number}"), ["国办发明电", "时限"]),
    ] {
        let answer = hub.ask("GET", &path, "ysfw").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = answer.text().await.unwrap();
        for word in words {
            assert!(page.contains(word), "`{word}` is not on {path}");
        }
        assert!(!page.contains("<script>") && !page.contains("style="), "{path}");
        assert!(!page.contains("古丽"), "a name is on {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_publishes_a_calendar_and_anybody_asks_for_health() {
    let hub = HttpHub::start().await;
    let year = json!({"year": 2027, "holidays": ["2027-01-01"], "makeup_workdays": [],
        "papers": [{"number": "国办发明电〔2026〕1号"}]});
    let publish = || hub.ask("POST", "/v1/admin/calendars", "keeper").json(&year).send();
    let answer = publish().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    hub.wait_for("/readyz?verbose", "ysfw", |it| it["ready"] == true && it["lag_events"] == 0)
        .await;
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json"] {
        let answer = reqwest::get(format!("http://{}{path}", hub.address)).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    for path in ["/v1/provinces", "/v1/alerts", "/v1/quarantine", "/v1/cases?open=true&limit=1"] {
        let answer = hub.ask("GET", path, "auditor").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_or_changes_more_than_their_role_allows() {
    let hub = HttpHub::start().await;
    let path = |it: &str| it.replace("{case}", "0").replace("{province}", "22");
    let mut administered = 0;
    for (method, route) in hub::web::ROUTES {
        let open = ["/livez", "/readyz", "/metrics", "/openapi.json"].contains(route);
        let own = route.starts_with("/v1/cases");
        let administers = route.starts_with("/v1/admin/");
        administered += usize::from(administers);
        let method = method.to_uppercase();
        let ask = |who: &str| {
            let ask = hub.ask(&method, &path(route), who);
            if method == "POST" { ask.body("{}") } else { ask }.send()
        };
        if open || own {
            continue;
        }
        assert_eq!(ask("ysfw").await.unwrap().status(), 403, "a national system on {route}");
        assert_eq!(ask("stranger").await.unwrap().status(), 401, "nobody on {route}");
        if administers {
            assert_eq!(ask("auditor").await.unwrap().status(), 403, "an auditor on {route}");
        }
    }
    assert!(administered >= 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_revokes_a_key_explains_a_breach_and_each_is_an_event() {
    let hub = HttpHub::start().await;
    let first = hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let case = receipt["case_id"].as_str().unwrap();
    hub.wait_for(&format!("/v1/cases/{case}"), "ysfw", |it| it["case_id"] == case).await;
    let keys = json!({"sign": {"key_id": "s1", "public_key": "AA"},
        "seal": {"key_id": "e1", "public_key": "AA"}, "connect": {"key_id": "c1", "public_key": "U"}});
    hub.clock.advance_to("2026-02-25T01:30:00Z".parse().unwrap()); // one day too late
    let explain = format!("/v1/admin/cases/{case}/explain");
    let table = [
        ("/v1/admin/provinces/22/revoke-key", json!({"key_id": "s1", "reason": "stolen"}), 409, ""),
        ("/v1/admin/provinces/22/enroll", keys, 201, "province.key-registered.v1"),
        ("/v1/admin/provinces/22/revoke-key", json!({"key_id": "s2", "reason": "stolen"}), 404, ""),
        (
            "/v1/admin/provinces/22/revoke-key",
            json!({"key_id": "s1", "reason": "stolen"}),
            201,
            "province.key-revoked.v1",
        ),
        (
            "/v1/admin/provinces/22/maintenance",
            json!({"from": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z", "reason": "move"}),
            201,
            "province.maintenance-declared.v1",
        ),
        (&explain, json!({"stage": "completion", "note": "系统升级"}), 409, ""),
        (&explain, json!({"stage": "acceptance", "note": "11010519491231002X"}), 422, ""),
        (
            &explain,
            json!({"stage": "acceptance", "note": "系统升级"}),
            201,
            "case.breach-explained.v1",
        ),
    ];
    for (path, body, status, kind) in table {
        let answer = hub.ask("POST", path, "keeper").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path} {body}");
        let told: Value = answer.json().await.unwrap();
        let recorded = told["events"]
            .as_array()
            .is_some_and(|it| it.last().is_some_and(|it| it["type"] == kind));
        assert_eq!(recorded, status == 201, "{path}: {told}");
        if status == 201 {
            let again = hub.ask("POST", path, "keeper").json(&body).send().await.unwrap();
            assert_eq!(again.status(), 200, "{path} the second time");
        }
    }
}
