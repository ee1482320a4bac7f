//! The published rules that travel with the hub: calendars and the route table, as files a person
//! can read. What counts is still what the log says was published; these are what is published first.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use events::ids::{DivisionCode, ProvinceCode};
use events::reference::CalendarYear;
use hub_core::routes::Routes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The years in order; 2020 as it was after the Spring Festival was extended.
const CALENDARS: [&str; 7] = [
    include_str!("../../schemas/calendars/2020-2.json"),
    include_str!("../../schemas/calendars/2021.json"),
    include_str!("../../schemas/calendars/2022.json"),
    include_str!("../../schemas/calendars/2023.json"),
    include_str!("../../schemas/calendars/2024.json"),
    include_str!("../../schemas/calendars/2025.json"),
    include_str!("../../schemas/calendars/2026.json"),
];
const CURRENT: &str = include_str!("../../schemas/divisions/current.json");
const ROMANISED: &str = include_str!("../../schemas/divisions/romanised.json");
const RETIRED: &str = include_str!("../../schemas/divisions/retired.json");
const AUTHORITIES: &str = include_str!("../../schemas/divisions/authorities.json");

/// A division code that is not in use any more. The year until which it was is for people.
#[derive(Debug, Deserialize)]
struct Retired {
    name: String,
    successors: Vec<DivisionCode>,
}

/// The authorities that no division code finds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Authorities {
    authorities: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    entry: String,
    province: ProvinceCode,
}

/// The calendars that travel with the hub, 2020 to 2026, in order.
pub fn calendars() -> Vec<CalendarYear> {
    static PARSED: OnceLock<Vec<CalendarYear>> = OnceLock::new();
    let parse = || {
        let read = |text: &&str| serde_json::from_str(text).expect("a test reads every calendar");
        CALENDARS.iter().map(read).collect()
    };
    PARSED.get_or_init(parse).clone()
}

/// The route table that travels with the hub.
pub fn routes() -> Routes {
    static PARSED: OnceLock<Routes> = OnceLock::new();
    PARSED.get_or_init(parse_routes).clone()
}

/// What names the route table in the log: SHA-256 over its three files, and how many entries it has.
pub fn routes_digest() -> (String, u32) {
    let mut hasher = Sha256::new();
    for file in [CURRENT, RETIRED, AUTHORITIES] {
        // The length keeps a byte that moves from one file to the next from going unnoticed.
        hasher.update((file.len() as u64).to_be_bytes());
        hasher.update(file);
    }
    let digest = hasher.finalize().iter().map(|it| format!("{it:02x}")).collect();
    let routes = routes();
    let entries = routes.current.len() + routes.retired.len() + routes.listed.len();
    (digest, u32::try_from(entries).expect("the embedded table has a few thousand entries"))
}

/// What people call a division, current or retired.
pub fn division_name(division: DivisionCode) -> Option<&'static str> {
    static NAMES: OnceLock<BTreeMap<DivisionCode, String>> = OnceLock::new();
    let parse = || {
        let retired: BTreeMap<DivisionCode, Retired> = read(RETIRED);
        let mut names: BTreeMap<DivisionCode, String> =
            retired.into_iter().map(|(code, it)| (code, it.name)).collect();
        // A code that was given out again is called what it is called now.
        names.extend(read::<BTreeMap<DivisionCode, String>>(CURRENT));
        names
    };
    NAMES.get_or_init(parse).get(&division).map(String::as_str)
}

/// The same in Latin letters; only prefectures have such a name.
pub fn division_name_en(division: DivisionCode) -> Option<&'static str> {
    static NAMES: OnceLock<BTreeMap<DivisionCode, String>> = OnceLock::new();
    NAMES.get_or_init(|| read(ROMANISED)).get(&division).map(String::as_str)
}

fn parse_routes() -> Routes {
    let current: BTreeMap<DivisionCode, String> = read(CURRENT);
    let retired: BTreeMap<DivisionCode, Retired> = read(RETIRED);
    let listed: Authorities = read(AUTHORITIES);
    Routes {
        current: current.into_keys().collect(),
        retired: retired.into_iter().map(|(code, it)| (code, it.successors)).collect(),
        listed: listed.authorities.into_iter().map(|it| (it.entry, it.province)).collect(),
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("a test reads every embedded file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::case::RouteReason;
    use events::vocabulary::IssuingAuthority;
    use hub_core::calendar::Calendar;
    use hub_core::refusal::Refusal;

    fn authority(name: &str, division: Option<&str>) -> IssuingAuthority {
        let division = division.map(|it| it.parse().unwrap());
        IssuingAuthority { code: None, name: name.to_owned(), division }
    }

    #[test]
    fn every_published_year_is_usable_and_has_as_many_working_days_as_the_papers_say() {
        let mut calendar = Calendar::default();
        for (revision, year) in (1..).zip(calendars()) {
            calendar.publish(revision, &year).unwrap();
        }
        let working_days = [249, 250, 249, 249, 251, 248, 248];
        for (year, expected) in (2020..=2026).zip(working_days) {
            let before = jiff::civil::date(year - 1, 12, 31);
            let last = jiff::civil::date(year, 12, 31);
            assert_eq!(calendar.working_days_between(before, last), expected, "{year}");
        }
        assert_eq!(calendar.revision(), 7);
        assert!(!calendar.covers(2027), "nobody has published it");
    }

    #[test]
    fn the_table_leads_to_the_province_that_has_the_file_now() {
        let routes = routes();
        // name                          division        province or refusal
        let table = [
            ("长春市交通运输局", Some("220100"), Ok("22")),
            ("梅河口市交通运输局", Some("220581"), Ok("22")),
            ("长白山管委会", None, Ok("22")),
            ("新疆生产建设兵团交通局", None, Ok("66")),
            ("兵团某师交通局", Some("660000"), Ok("66")),
            // Retired, and its successor lies in another province.
            ("重庆市渝中区交通局", Some("510202"), Ok("50")),
            ("重庆市沙坪坝区交通局", Some("510212"), Ok("50")),
            ("海口市交通局", Some("441000"), Ok("46")),
            // Retired once and given out again: what it is now counts.
            ("农安县交通局", Some("220122"), Ok("22")),
            // Dissolved without a successor on record: nobody can say who has the file.
            ("邯郸地区交通局", Some("132100"), Err(Refusal::UnknownDivision)),
            ("香港运输署", Some("810000"), Err(Refusal::UnknownDivision)),
            ("某处", Some("999999"), Err(Refusal::UnknownDivision)),
            ("某处", None, Err(Refusal::UnknownAuthority)),
        ];
        for (name, division, expected) in table {
            let found = routes.province_of(&authority(name, division));
            let found = found.map(|it| it.0.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{name} {division:?}");
        }
    }

    #[test]
    fn sixty_three_retired_codes_lead_out_of_the_province_that_they_name() {
        let routes = routes();
        let mut links = BTreeMap::<(u8, u8), usize>::new();
        let mut codes = std::collections::BTreeSet::new();
        for (code, successors) in &routes.retired {
            for successor in successors {
                if code.province_part() != successor.province_part() {
                    let link = (code.province_part(), successor.province_part());
                    *links.entry(link).or_default() += 1;
                    codes.insert(*code);
                }
            }
        }
        assert_eq!(links, BTreeMap::from([((51, 50), 43), ((44, 46), 22)]));
        assert_eq!(codes.len(), 63);
        // 511422 was 丰都县 (now Chongqing) until 1997 and 彭山县 (Sichuan) from 2000 to 2014: the
        // code alone does not say where the file is, so it is refused rather than guessed.
        let given_out_twice: DivisionCode = "511422".parse().unwrap();
        assert!(codes.remove(&given_out_twice));
        assert_eq!(routes.province_of_division(given_out_twice), Err(Refusal::UnknownDivision));
        for code in codes.into_iter().filter(|it| !routes.current.contains(it)) {
            let (province, reason) = routes.province_of_division(code).unwrap();
            let expected = if code.province_part() == 51 { 50 } else { 46 };
            assert_eq!(province.number(), expected, "{code}");
            assert!(matches!(reason, RouteReason::RetiredDivision { .. }), "{code}: {reason:?}");
        }
    }

    #[test]
    fn the_digest_names_the_table_and_counts_it() {
        let (digest, entries) = routes_digest();
        assert_eq!(digest.len(), 64);
        assert_eq!((digest, entries), routes_digest());
        assert_eq!(entries, 3212 + 3459 + 5);
    }

    #[test]
    fn a_division_has_a_name_that_people_know() {
        let name = |code: &str| division_name(code.parse().unwrap());
        assert_eq!(name("220100"), Some("长春市"));
        assert_eq!(name("441000"), Some("海口市"));
        assert_eq!(name("999999"), None);
    }

    #[test]
    fn every_prefecture_has_a_name_in_latin_letters_and_nothing_else_has() {
        let current: BTreeMap<DivisionCode, String> = read(CURRENT);
        let prefecture = |it: &&DivisionCode| {
            it.number().is_multiple_of(100) && !it.number().is_multiple_of(10_000)
        };
        let prefectures: Vec<&DivisionCode> = current.keys().filter(prefecture).collect();
        let named: BTreeMap<DivisionCode, String> = read(ROMANISED);
        assert_eq!(prefectures.len(), 333);
        assert_eq!(prefectures, named.keys().collect::<Vec<_>>());
        let latin = |it: char| it.is_ascii_alphabetic() || "Üüê' ".contains(it);
        for (code, name) in &named {
            assert!(
                name.chars().all(latin) && name.starts_with(char::is_uppercase),
                "{code} {name}"
            );
        }
        let name = |code: &str| division_name_en(code.parse().unwrap());
        for (code, latin) in [
            ("220100", "Changchun"),
            ("610100", "Xi'an"),
            ("540100", "Lhasa"),
            ("152500", "Xilin Gol"),
        ] {
            assert_eq!(name(code), Some(latin));
        }
        assert_eq!((name("220000"), name("110105")), (None, None));
    }
}
