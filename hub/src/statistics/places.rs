//! Which prefecture a case belongs to: that of the issuing authority.

use events::case::RouteReason;
use events::ids::{DivisionCode, ProvinceCode};

use crate::reference::{division_name, division_name_en};

/// Municipalities have districts where provinces have prefectures.
const PREFECTURE: u32 = 100;

/// The division that a route names, if it names one.
pub(super) fn division_of(reason: &RouteReason) -> Option<DivisionCode> {
    match reason {
        RouteReason::Division { division } | RouteReason::ReturnedTo { division, .. } => {
            Some(*division)
        }
        RouteReason::RetiredDivision { successor, .. } => Some(*successor),
        RouteReason::AuthorityListed { .. } | RouteReason::Operator { .. } => None,
    }
}

/// A prefecture's code: `220100`; where there is no prefecture between province and county, the
/// county's own; for an authority of the province itself `220000`; `220000-` without any division.
pub(super) fn prefecture(province: ProvinceCode, division: Option<DivisionCode>) -> String {
    let Some(division) = division else { return format!("{province}0000-") };
    let prefecture = division.number() / PREFECTURE * PREFECTURE;
    let known = format!("{prefecture}").parse().is_ok_and(|it| division_name(it).is_some());
    if known { prefecture.to_string() } else { division.to_string() }
}

/// What people call it.
pub fn prefecture_name(code: &str) -> String {
    let province = code.get(..2).and_then(|it| it.parse::<ProvinceCode>().ok());
    let province = province.map_or("", ProvinceCode::name);
    if code.ends_with("0000-") {
        return format!("{province}·未列区划");
    }
    if code.ends_with("0000") {
        return format!("{province}·省本级");
    }
    let name = code.parse().ok().and_then(division_name).unwrap_or(code);
    format!("{province}·{name}")
}

/// The same in English. What has no name in Latin letters keeps its own.
pub fn prefecture_name_en(code: &str) -> String {
    let province = code.get(..2).and_then(|it| it.parse::<ProvinceCode>().ok());
    let Some(province) = province.map(ProvinceCode::name_en) else {
        return "no province yet".to_owned();
    };
    if code.ends_with("0000-") {
        return format!("{province} · no division given");
    }
    if code.ends_with("0000") {
        return format!("{province} · the province itself");
    }
    let name = code.parse().ok().and_then(|it| division_name_en(it).or_else(|| division_name(it)));
    format!("{province} · {}", name.unwrap_or(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_prefecture_or_what_stands_in_its_place() {
        for (division, code, name, english) in [
            (Some("220102"), "220100", "吉林省·长春市", "Jilin · Changchun"),
            (Some("220100"), "220100", "吉林省·长春市", "Jilin · Changchun"),
            (Some("220000"), "220000", "吉林省·省本级", "Jilin · the province itself"),
            (Some("110105"), "110105", "北京市·朝阳区", "Beijing · 朝阳区"),
            (Some("429004"), "429004", "湖北省·仙桃市", "Hubei · 仙桃市"),
            (None, "220000-", "吉林省·未列区划", "Jilin · no division given"),
        ] {
            let province = division.map_or("22", |it| &it[..2]).parse().unwrap();
            let found = prefecture(province, division.map(|it| it.parse().unwrap()));
            assert_eq!((found.as_str(), prefecture_name(&found).as_str()), (code, name));
            assert_eq!(prefecture_name_en(&found), english);
        }
    }
}
