//! A national load that anybody can repeat: one seed gives the same submissions at the same told moments.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use events::ids::ProvinceCode;
use events::vocabulary::{Category, Channel, Item};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// What the hub should answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expectation {
    /// 201, once.
    Recorded,
    /// 200 with the receipt of an earlier one.
    SameAgain,
    /// A problem document with this code.
    Refused(&'static str),
}

/// One request of the national system.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) expected: Expectation,
}

/// How the load is spread.
#[derive(Debug, Clone)]
pub(crate) struct LoadPlan {
    pub(crate) seed: u64,
    pub(crate) cases: usize,
    pub(crate) provinces: Vec<ProvinceCode>,
    pub(crate) start: Timestamp,
    pub(crate) span: SignedDuration,
}

/// Shares of the national volume, in thousandths: Hunan about a tenth, eight provinces over half (an
/// assumption of ours; the ministry publishes no table).
const WEIGHTS: [(u8, u32); 32] = [
    (11, 16),
    (12, 14),
    (13, 72),
    (14, 38),
    (15, 30),
    (21, 34),
    (22, 24),
    (23, 26),
    (31, 14),
    (32, 62),
    (33, 44),
    (34, 52),
    (35, 24),
    (36, 36),
    (37, 88),
    (41, 82),
    (42, 44),
    (43, 98),
    (44, 62),
    (45, 32),
    (46, 6),
    (50, 22),
    (51, 46),
    (52, 22),
    (53, 24),
    (54, 3),
    (61, 30),
    (62, 18),
    (63, 5),
    (64, 10),
    (65, 16),
    (66, 3),
];
const ITEMS: [(Item, u32); 5] = [
    (Item::IntegrityAssessment, 55),
    (Item::Renewal, 20),
    (Item::Reissue, 10),
    (Item::Change, 10),
    (Item::Cancellation, 5),
];
const CATEGORIES: [(Category, u32); 3] =
    [(Category::GeneralFreight, 75), (Category::Passenger, 13), (Category::DangerousGoods, 12)];
const CHANNELS: [(Channel, u32); 6] = [
    (Channel::MiniProgram, 48),
    (Channel::App, 22),
    (Channel::Web, 12),
    (Channel::Wechat, 10),
    (Channel::GovernmentPlatform, 6),
    (Channel::ProvincialPlatform, 2),
];
const SURNAMES: [&str; 16] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林",
];
const GIVEN: [&str; 16] = [
    "伟", "强", "磊", "军", "勇", "杰", "涛", "明", "超", "刚", "建国", "志强", "海涛", "春生",
    "永胜", "文博",
];

fn weighted<T: Copy>(rng: &mut StdRng, choices: &[(T, u32)]) -> T {
    choices.choose_weighted(rng, |it| it.1).map_or(choices[0].0, |it| it.0)
}

/// All requests in the order of their told moments.
pub(crate) fn plan(load: &LoadPlan) -> Vec<Planned> {
    let mut rng = StdRng::seed_from_u64(load.seed);
    let weights: Vec<(ProvinceCode, u32)> = load
        .provinces
        .iter()
        .map(|it| (*it, WEIGHTS.iter().find(|w| w.0 == it.number()).map_or(10, |w| w.1)))
        .collect();
    let mut planned = Vec::with_capacity(load.cases + load.cases / 10);
    for n in 0..load.cases {
        let offset = load.span.as_millis().max(1) * n as i128 / load.cases.max(1) as i128;
        let at = load.start + SignedDuration::from_millis(offset as i64);
        let province = weighted(&mut rng, &weights);
        let good = Planned {
            at,
            key: format!("demo-{}-{n}", load.seed),
            body: submission(&mut rng, province, at, n),
            expected: Expectation::Recorded,
        };
        if let Some(other) = spoiled(&mut rng, &good, n) {
            planned.push(other);
        }
        planned.push(good);
    }
    planned.sort_by_key(|it| it.at);
    planned
}

/// Writes the bodies of all requests to a new file, one a line.
pub(crate) fn write_down(planned: &[Planned], file: &Path) -> anyhow::Result<()> {
    let lines: String = planned.iter().map(|it| format!("{}\n", it.body)).collect();
    let mut new = std::fs::File::create_new(file)
        .with_context(|| format!("cannot make `{}`", file.display()))?;
    new.write_all(lines.as_bytes()).with_context(|| format!("cannot write `{}`", file.display()))
}

/// Now and then a request that must be refused, or one that is sent again.
fn spoiled(rng: &mut StdRng, good: &Planned, n: usize) -> Option<Planned> {
    let mut other = good.clone();
    other.key = format!("{}-bad", good.key);
    match n % 50 {
        7 => {
            other.at = good.at + SignedDuration::from_hours(2);
            other.key = good.key.clone();
            other.expected = Expectation::SameAgain;
        }
        13 => {
            other.body["applicant"]["identity_number"] = json!("110105194912310021");
            other.expected = Expectation::Refused("identity-number-check-digit");
        }
        23 => {
            other.body["authority"] = json!({"name": "不存在的发证机关"});
            other.body["applicant"] = applicant(rng, n + 1_000_000);
            other.expected = Expectation::Refused("unknown-authority");
        }
        31 => {
            other.body["submitted_at"] =
                json!((good.at + SignedDuration::from_hours(24 * 400)).to_string());
            other.body["applicant"] = applicant(rng, n + 2_000_000);
            other.expected = Expectation::Refused("submitted-in-future");
        }
        43 => {
            other.body["item"] = json!("driving-test");
            other.expected = Expectation::Refused("unknown-item");
        }
        _ => return None,
    }
    Some(other)
}

fn submission(rng: &mut StdRng, province: ProvinceCode, at: Timestamp, n: usize) -> Value {
    let item = weighted(rng, &ITEMS);
    let materials: &[&str] = match item {
        Item::Reissue => {
            &["registration-form", "identity-card", "driving-licence", "loss-statement"]
        }
        Item::Renewal => &["identity-card", "driving-licence", "photo", "old-certificate"],
        Item::Change => &["registration-form", "proof-of-change"],
        Item::Cancellation => &["identity-card"],
        Item::IntegrityAssessment => &["old-certificate", "education-record"],
    };
    let materials: Vec<Value> = materials
        .iter()
        .map(|it| json!({"kind": it, "reference": format!("att-{n}-{it}")}))
        .collect();
    // A little before the moment of sending: the national system hands on what it has taken in.
    let submitted_at = at - SignedDuration::from_secs(rng.random_range(0..240));
    json!({
        "client_reference": format!("N{:010}", n),
        "item": item.code(),
        "category": weighted(rng, &CATEGORIES).code(),
        "channel": weighted(rng, &CHANNELS).code(),
        "submitted_at": submitted_at.to_string(),
        "authority": authority(rng, province),
        "applicant": applicant(rng, n),
        "materials": materials,
    })
}

fn authority(rng: &mut StdRng, province: ProvinceCode) -> Value {
    match province.number() {
        66 => json!({"name": "新疆生产建设兵团交通局"}),
        22 if rng.random_ratio(1, 20) => json!({"name": "长白山管委会"}),
        11 | 12 | 31 => json!({
            "name": format!("{}交通委员会", province.name()), "division": format!("{province}0000")}),
        // Certificates outlive the codes of those who issued them.
        50 if rng.random_ratio(1, 8) => json!({"name": "大渡口区交通局", "division": "510203"}),
        46 if rng.random_ratio(1, 3) => json!({"name": "海口市交通局", "division": "441000"}),
        50 => json!({"name": "重庆市交通局", "division": "500000"}),
        _ => json!({
            "name": format!("{}交通运输局", province.name()), "division": format!("{province}0100")}),
    }
}

fn applicant(rng: &mut StdRng, n: usize) -> Value {
    let name =
        format!("{}{}", SURNAMES.choose(rng).unwrap_or(&"王"), GIVEN.choose(rng).unwrap_or(&"伟"));
    // Where the holder was registered says nothing about who issued the certificate.
    let home = ["220102", "440103", "430102", "370102", "510104", "230102"]
        .choose(rng)
        .unwrap_or(&"220102");
    let year = 1966 + (n / 336) % 34;
    let body = format!(
        "{home}{year}{:02}{:02}{:03}",
        1 + (n / 28) % 12,
        1 + n % 28,
        rng.random_range(1..999)
    );
    let identity = format!("{body}{}", check_digit(&body));
    json!({
        "name": name,
        "identity_number": identity,
        "phone": format!("139{:08}", rng.random_range(0..100_000_000)),
        "certificate_number": identity,
    })
}

/// GB 11643-1999: ISO 7064 MOD 11-2.
pub(crate) fn check_digit(seventeen: &str) -> char {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = seventeen
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    char::from(b"10X98765432"[(sum % 11) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_samples_have_their_check_digits() {
        assert_eq!(check_digit("11010519491231002"), 'X');
        assert_eq!(check_digit("44052418800101001"), '4');
    }

    #[test]
    fn one_seed_gives_one_load() {
        let load = LoadPlan {
            seed: 1,
            cases: 300,
            provinces: ProvinceCode::all().collect(),
            start: Timestamp::UNIX_EPOCH,
            span: SignedDuration::from_hours(60),
        };
        let (first, second) = (plan(&load), plan(&load));
        assert_eq!(first.len(), second.len());
        assert!(first.iter().zip(&second).all(|(a, b)| a.body == b.body && a.key == b.key));
        let other = plan(&LoadPlan { seed: 2, ..load });
        assert!(first.iter().zip(&other).any(|(a, b)| a.body != b.body));
    }
}
