//! With the English switch every page speaks English: no code of the vocabulary, and no Chinese but names that have no other form.

use std::collections::BTreeSet;

use events::report::News;
use events::vocabulary::{
    AlertKind, Category, Channel, Item, Material, Outcome, Rating, Reason, SuspensionGround,
};
use hub::views::rows::CaseStage;
use hub::web::console::PAGES;
use hub_core::command::Command;

use crate::furnished::{Cases, Furnished};
use crate::injection::{CHOSEN, filled};

/// What has no English form: papers, channels as recorded, the switch itself.
const NO_ENGLISH: [&str; 10] = [
    "中文",
    "交办运函",
    "交办运",
    "交运发",
    "国办发明电",
    "国办发",
    "行政许可法第三十二条",
    "互联网道路运输便民政务服务业务办理工作指南",
    "司机有话说",
    "号",
];

/// Cases on which a province said every kind of thing.
async fn told(furnished: &mut Furnished) -> Vec<String> {
    let word = |name: &str| format!("Word#{name}#");
    furnished.clock("2026-02-25T01:00:00Z");
    let (mut numbers, mut last) = (Vec::new(), None);
    let accepted = || News::Accepted { acceptance_number: "A-7".to_owned() };
    let completed = |outcome, reasons| News::Completed {
        outcome,
        decision_number: "D-7".to_owned(),
        reasons,
        result: Default::default(),
    };
    let missing = Material::ALL.to_vec();
    let until = "2026-03-20".parse().unwrap();
    let stories = [
        vec![News::Declined { reason: Reason::AssessmentNotDue }],
        vec![News::Returned { reason: Reason::NotThisAuthority, division: None }],
        vec![News::CorrectionRequested { missing, until }],
        vec![accepted(), News::Suspended { ground: SuspensionGround::ExpertReview }],
        vec![
            accepted(),
            completed(Outcome::Denied, vec![Reason::EducationIncomplete, Reason::OverAge]),
            completed(Outcome::Approved, vec![]),
        ],
    ];
    for story in stories {
        let (case, number) = furnished.submitted(&word).await;
        for news in story {
            furnished.reported(case, news, "adapter").await;
        }
        numbers.push(number);
        last = Some(case);
    }
    furnished.case(last.unwrap(), Command::Rate(Rating::VeryDissatisfied)).await;
    numbers
}

/// Every page in English: where it is, and its words without what is marked as a code on purpose.
async fn all_pages(furnished: &Furnished, cases: &Cases, more: &[String]) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for role in ["operator", "auditor", "admin", "hotline", "province"] {
        let browser = furnished.console.signed_in(role).await;
        let of_table = PAGES.iter().filter(|it| it.method == "get" && it.path != "/live");
        let templates = of_table.map(|it| it.path).chain(CHOSEN.iter().copied());
        let mut paths: BTreeSet<String> =
            templates.flat_map(|it| filled(it, cases, 1, 22)).collect();
        paths.extend(more.iter().map(|it| format!("/cases/{it}")));
        paths.extend(
            ["item", "category", "channel", "prefecture"]
                .map(|by| format!("/reports/figures?kind=monthly&period=2026-02&by={by}")),
        );
        for path in paths {
            let sign = if path.contains('?') { '&' } else { '?' };
            let answer = browser.get(&format!("{path}{sign}lang=en")).await;
            let kind = answer.headers().get("content-type").map(|it| it.as_bytes().to_vec());
            if kind.is_none_or(|it| !it.starts_with(b"text/html")) {
                continue;
            }
            let words = read(&without_codes(&answer.text().await.unwrap()));
            pages.push((format!("{role} {path}"), words));
        }
    }
    pages
}

/// The page without what is set as a code (`mono`) on purpose, beside its words.
fn without_codes(page: &str) -> String {
    let mut parts = page.split("mono\"");
    let mut left = parts.next().unwrap().to_owned();
    for part in parts {
        let (open, rest) = part.split_once('>').unwrap();
        let (_, rest) = rest.split_once('<').unwrap();
        left.push_str(&format!("mono\"{open}><{rest}"));
    }
    left
}

/// What a reader sees or is read to: texts, labels, tips. Values and addresses are the machine's.
fn read(page: &str) -> String {
    let texts = page.split('>').map(|it| it.split('<').next().unwrap());
    let told = ["aria-label=\"", "title=\"", "placeholder=\""]
        .into_iter()
        .flat_map(|name| page.split(name).skip(1).map(|it| it.split('"').next().unwrap()));
    texts.chain(told).collect::<Vec<_>>().join("\n")
}

/// Codes that a reader can tell from words: those of several words.
fn codes() -> Vec<&'static str> {
    let mut all = Vec::new();
    all.extend(Item::ALL.iter().map(|it| it.code()));
    all.extend(Category::ALL.iter().map(|it| it.code()));
    all.extend(Channel::ALL.iter().map(|it| it.code()));
    all.extend(Reason::ALL.iter().map(|it| it.code()));
    all.extend(Material::ALL.iter().map(|it| it.code()));
    all.extend(Rating::ALL.iter().map(|it| it.code()));
    all.extend(SuspensionGround::ALL.iter().map(|it| it.code()));
    all.extend(AlertKind::ALL.iter().map(|it| it.code()));
    all.extend(CaseStage::ALL.iter().map(|it| it.code()));
    all.extend(News::TOKENS);
    all.extend(hub::problem::CODES.iter().map(|it| it.0));
    all.retain(|it| it.contains('-'));
    all
}

fn is_chinese(it: char) -> bool {
    ('\u{3400}'..='\u{9fff}').contains(&it)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_in_english_shows_a_bare_code_or_a_chinese_word() {
    let mut furnished = Furnished::open().await;
    let cases = furnished.say("Word", 22).await;
    let more = told(&mut furnished).await;
    furnished.seen().await;
    let pages = all_pages(&furnished, &cases, &more).await;
    assert!(pages.len() > 100, "{} pages", pages.len());
    let (mut found, mut chinese) = (BTreeSet::new(), BTreeSet::new());
    let codes = codes();
    for (path, words) in &pages {
        let tokens: BTreeSet<&str> =
            words.split(|it: char| !it.is_ascii_alphanumeric() && it != '-').collect();
        found.extend(
            codes.iter().filter(|it| tokens.contains(*it)).map(|it| format!("{path}: {it}")),
        );
        let mut words = words.clone();
        for known in NO_ENGLISH {
            words = words.replace(known, "");
        }
        let left = words.split(|it| !is_chinese(it)).filter(|it| !it.is_empty());
        chinese.extend(left.map(|it| format!("{path}: {it}")));
    }
    assert!(found.is_empty(), "codes: {found:#?}");
    assert!(chinese.is_empty(), "chinese: {chinese:#?}");
    let said: String = pages.into_iter().map(|it| it.1).collect();
    for words in [
        "assessment not due yet",
        "general freight",
        "expert review",
        "identity card",
        "Jilin · Changchun",
    ] {
        assert!(said.contains(words), "this test looks at nothing: {words}");
    }
}
