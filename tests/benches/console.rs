//! What the console costs with a million cases in the views: each page as an operator asks for it, and how
//! long after its receipt a new case is told to an open page.
//!
//! `cargo bench -p tests --bench console [-- --cases 1000000] [--rounds 5] [--open-percent 90]`; a million take
//! some ten minutes to make. Without `--open-percent` only some thousand cases are open, as on a good day; with it
//! so many of a hundred stay open, most of them overdue, as after months in which nobody worked.

use std::time::{Duration, Instant};

use hub::accounts::{Account, Role};
use hub::log::EventLog as _;
use hub::log::sqlite::SqliteLog;
use hub::views::reader::{CaseFilter, Order};
use hub::views::runner;
use jiff::Timestamp;
use reqwest::header::{COOKIE, SET_COOKIE};
use tempfile::TempDir;
use tests::http::{HttpHub, submission};
use tests::measure::shown::{self, Better, Target};
use tests::measure::stand::{log_path, vault};
use tests::measure::story::{EVENTS_OF_OPEN, ORIGIN, Teller};
use tests::measure::{self};

/// Cases of an ordinary run.
const CASES: u64 = 1_000_000;
/// Events of a case from submission to completion, about.
const EVENTS_A_CASE: u64 = 6;
/// Each page is asked this often; the middle counts.
const ROUNDS: u64 = 5;
/// Steps appended together while the log is made.
const STEPS_AT_ONCE: usize = 4_096;
/// Who looks.
const WHO: &str = "operator";
const PASSWORD: &str = "a-long-enough-one";

/// Issue: overview and any filtered page in under 100 ms; live within a second of the commit.
const PAGE: Target = Target {
    name: "page",
    what: "the slowest page at a million cases, in ms",
    better: Better::Smaller,
    must: 100.0,
    aim: 50.0,
};
const LIVE: Target = Target {
    name: "live",
    what: "from a receipt to the word on an open page, in ms",
    better: Better::Smaller,
    must: 1_000.0,
    aim: 500.0,
};

/// What a page that makes figures may keep somebody waiting before it says how far it is.
const REPORT: Target = Target {
    name: "report",
    what: "the slowest first answer of a page with figures, in ms",
    better: Better::Smaller,
    must: 2_000.0,
    aim: 1_100.0,
};
/// Between two looks at a page that is still being made: it asks its browser to look again after two seconds.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Pages with figures of a whole period, and what they say once the figures are there.
const REPORTS: [(&str, &str, &str); 4] = [
    ("monthly", "/reports/figures?kind=monthly&period={month}", "口径修订"),
    (
        "monthly, one province",
        "/reports/figures?kind=monthly&period={month}&province=22",
        "口径修订",
    ),
    ("ledger", "/reports/ledger?kind=ledger&period={month}", "口径修订"),
    ("provinces, with the month", "/provinces", ""),
];
/// More looks than this are a page that never comes.
const LOOKS_MAX: u64 = 900;
/// What a page of provinces says while it has no figures of the month.
const STILL_COUNTED: &str = "…</td>";

/// Pages by what they are; `{after}` is a place in the middle of the list, `{case}` a case's number, `{day}` a
/// full day some days ago.
const PAGES: [(&str, &str); 30] = [
    ("overview", "/"),
    ("wall", "/wall"),
    ("cases, oldest", "/cases"),
    ("cases, newest", "/cases?order=newest"),
    ("cases, from the middle on", "/cases?after={after}"),
    ("cases, one province", "/cases?province=22"),
    ("cases, one province and stage", "/cases?province=22&stage=declined"),
    ("cases, open", "/cases?only=open"),
    ("cases, overdue", "/cases?only=overdue"),
    ("cases, due soon", "/cases?only=in-time&due_from={today}&due_before=2030-01-01"),
    ("cases, a stage that is rare", "/cases?stage=parked"),
    ("cases, a stage that is common", "/cases?stage=completed&order=newest"),
    ("cases, item and category", "/cases?item=cancellation&category=dangerous-goods"),
    ("cases, one channel that is rare", "/cases?channel=government-platform"),
    ("cases, received on one day", "/cases?recorded={day}"),
    ("cases, received in one hour", "/cases?recorded={day}T14&order=newest"),
    ("cases, of a rare channel on one day", "/cases?recorded={day}&channel=government-platform"),
    ("cases, ended on one day", "/cases?ended={day}"),
    ("cases, ended in one hour", "/cases?ended={day}T14"),
    ("cases, completed on one day", "/cases?stage=completed&ended={day}"),
    ("cases, declined in one province on a day", "/cases?province=22&stage=declined&ended={day}"),
    ("cases, not signed for", "/cases?only=waiting"),
    ("cases, denied", "/cases?outcome=denied"),
    ("cases, first routed to one province", "/cases?first=22"),
    ("cases, with no province", "/cases?only=open&province=none"),
    ("one case", "/cases/{case}"),
    ("provinces", "/provinces"),
    ("one province", "/provinces/22"),
    ("alerts", "/alerts"),
    ("parked", "/parked"),
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let cases = measure::told("--cases", CASES);
    let open_percent = measure::told("--open-percent", 0);
    let folder = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let (made, rebuilt, now) = make(&folder, cases, open_percent.min(100));
    shown::say(&format!("made in {:.0} s, views built in {:.0} s", made.as_secs_f64(), rebuilt));
    let found = runtime.block_on(async {
        let hub = HttpHub::start_in(folder, ORIGIN, now).await;
        let cookie = sign_in(&hub).await;
        say_open(&hub);
        // First, before anything has folded the log.
        let report = reports(&hub, &cookie).await;
        let page = pages(&hub, &cookie).await;
        vec![(REPORT, report), (PAGE, page), (LIVE, live(&hub, &cookie).await)]
    });
    shown::targets(&found);
}

/// A log of so many cases and its views; how long both took, and the moment after the last event.
fn make(folder: &TempDir, cases: u64, open_percent: u64) -> (Duration, f64, Timestamp) {
    let begun = Instant::now();
    let (sealer, opener) = vault(folder.path());
    let mut log = SqliteLog::open(&log_path(folder.path()), ORIGIN).expect("a new log opens");
    let teller = Teller::new(sealer, false);
    let (mut teller, events) = match open_percent {
        0 => (teller, cases * EVENTS_A_CASE),
        _ => (teller.leaving_open(open_percent, cases), cases * EVENTS_OF_OPEN),
    };
    let mut append = |items| {
        let answers = log.append(items).expect("there is room");
        answers.into_iter().map(|it| it.expect("nobody else writes").len() as u64).sum::<u64>()
    };
    let mut count = append(teller.beginning());
    while count < events {
        let next = teller.next(STEPS_AT_ONCE);
        teller.make_durable();
        count += append(next);
    }
    drop(log);
    let made = begun.elapsed();
    let begun = Instant::now();
    let readers = SqliteLog::readers(log_path(folder.path()));
    runner::rebuild(&folder.path().join("views.db"), &readers, Some(opener), &mut |_, _| {})
        .expect("the views are built");
    (made, begun.elapsed().as_secs_f64(), teller.now())
}

async fn sign_in(hub: &HttpHub) -> String {
    let role = Role::of(WHO, None).expect("it is a role");
    let account = Account {
        name: WHO.to_owned(),
        display: WHO.to_owned(),
        role,
        disabled: false,
        must_change: false,
    };
    hub.accounts.put(&account, Some(PASSWORD), hub.clock.now()).expect("it is kept");
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .expect("a client");
    let form = format!("name={WHO}&password={PASSWORD}");
    let request = browser.post(format!("http://{}/sign-in", hub.address)).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.expect("an answer");
    let cookie = answer.headers().get(SET_COOKIE).expect("somebody is let in");
    cookie.to_str().expect("text").split(';').next().expect("a cookie").to_owned()
}

/// How many cases there are and how many of them are open: what the figures below are about.
fn say_open(hub: &HttpHub) {
    let provinces = hub.views.provinces().expect("the views answer");
    let all: u64 = provinces.iter().map(|it| it.received).sum();
    let (now, today) = (hub.clock.now(), hub.clock.today());
    let pressing = hub.views.pressures(now, today, today).expect("the views answer");
    let (open, overdue) =
        pressing.iter().fold((0, 0), |sum, it| (sum.0 + it.open, sum.1 + it.overdue));
    shown::say(&format!("{all} cases, {open} of them open, {overdue} of these overdue"));
}

/// What each page with figures says first and how long until it has them: the slowest first answer, in
/// milliseconds.
async fn reports(hub: &HttpHub, cookie: &str) -> f64 {
    let month = &hub.clock.today().to_string()[..7];
    let (mut slowest, mut rows) = (0.0_f64, Vec::new());
    for (what, path, there) in REPORTS {
        let path = path.replace("{month}", month);
        let here = |page: &str| page.contains(there) && !page.contains(STILL_COUNTED);
        let begun = Instant::now();
        let (first, page) = look(hub, cookie, &path).await;
        let (mut at_once, mut looks) = (here(&page), 1_u64);
        let meanwhile = if at_once { "the figures" } else { "how far it is" };
        while !at_once {
            assert!(looks < LOOKS_MAX, "{path} never has its figures");
            tokio::time::sleep(LOOK_PAUSE).await;
            at_once = here(&look(hub, cookie, &path).await.1);
            looks += 1;
        }
        let whole = begun.elapsed().as_secs_f64() * 1e3;
        let (again, _) = look(hub, cookie, &path).await;
        slowest = slowest.max(first);
        let figures = [first, whole, again].map(shown::ms);
        let [first, whole, again] = figures;
        rows.push(vec![
            what.to_owned(),
            first,
            meanwhile.to_owned(),
            whole,
            looks.to_string(),
            again,
        ]);
    }
    let head =
        ["figures", "first answer, ms", "which says", "there after, ms", "looks", "again, ms"];
    shown::table(&head, &rows);
    slowest
}

/// How long one look took, in milliseconds, and what it showed.
async fn look(hub: &HttpHub, cookie: &str, path: &str) -> (f64, String) {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let begun = Instant::now();
    let request = http.get(format!("http://{}{path}", hub.address)).header(COOKIE, cookie);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    let page = answer.text().await.expect("a page");
    (begun.elapsed().as_secs_f64() * 1e3, page)
}

/// The slowest page's middle round, in milliseconds.
async fn pages(hub: &HttpHub, cookie: &str) -> f64 {
    let newest = hub.views.cases_in(&CaseFilter::default(), Order::Newest, None, 1);
    let newest = newest.expect("the views answer").rows.remove(0);
    let after = newest.position.0 / 2;
    let today = hub.clock.today();
    let day = today.saturating_sub(jiff::Span::new().days(4));
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let (mut slowest, mut rows) = (0.0_f64, Vec::new());
    for (what, path) in PAGES {
        let path = path
            .replace("{after}", &after.to_string())
            .replace("{today}", &today.to_string())
            .replace("{day}", &day.to_string())
            .replace("{case}", newest.number.as_str());
        let mut took = Vec::new();
        let mut bytes = 0;
        for _ in 0..measure::told("--rounds", ROUNDS) {
            let begun = Instant::now();
            let request = http.get(format!("http://{}{path}", hub.address)).header(COOKIE, cookie);
            let answer = request.send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{path}");
            bytes = answer.bytes().await.expect("a page").len();
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        let first = took[0];
        let middle = measure::median(took);
        slowest = slowest.max(middle);
        rows.push(vec![
            what.to_owned(),
            shown::ms(first),
            shown::ms(middle),
            shown::count(bytes as f64),
        ]);
    }
    shown::table(&["page", "first, ms", "middle, ms", "bytes"], &rows);
    slowest
}

/// From a submission's receipt to the next word on an open line of the console; the middle of the rounds.
async fn live(hub: &HttpHub, cookie: &str) -> f64 {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut took = Vec::new();
    for nth in 0..measure::told("--rounds", ROUNDS) {
        let request = http.get(format!("http://{}/live", hub.address)).header(COOKIE, cookie);
        let mut line = request.send().await.expect("an answer");
        let word = line.chunk().await.expect("the line holds").expect("it says where it is");
        assert!(!word.is_empty());
        // The first word may come with what was before.
        while tokio::time::timeout(Duration::from_millis(700), line.chunk()).await.is_ok() {}
        let mut body = submission(u32::try_from(nth).unwrap_or(0));
        let at = hub.clock.now().to_string();
        body["submitted_at"] = at.into();
        let answer = hub.submit(&format!("live-{nth}-0001"), body.to_string()).send().await;
        let answer = answer.expect("an answer");
        let status = answer.status();
        assert_eq!(status, 201, "{}", answer.text().await.unwrap_or_default());
        let begun = Instant::now();
        line.chunk().await.expect("the line holds").expect("it says that there is more");
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    measure::median(took)
}
