//! All 34 units and the XPCC as tiles: places, not borders. Colour, figure, shape and words say the same.
//!
//! A grid needs no map review: 地图审核管理规定 (Art. 6) exempts what shows no boundaries.

use events::ids::ProvinceCode;
use jiff::Timestamp;

use super::words::words;
use crate::views::rows::Pressure;
use crate::web::api::told::Province;
use crate::words::Language;

words! { TileWords:
    online: "在线", "online";
    silent: "未签收", "silent";
    paused: "暂停", "paused";
    maintenance: "维护", "maintenance";
    not_connected: "未接入", "not connected";
    soon: "临期", "soon";
    overdue: "超期", "late";
    on_time: "按时", "timely";
    not_shown: "不在查看范围", "not for this account";
    quiet: "暂无办件", "nothing yet";
}

/// Where each stands: row and column from 1, code, Chinese and English name as a tile has room for.
#[rustfmt::skip] // a map
const PLACES: [(u8, u8, u8, &str, &str); 35] = [
    (1, 8, 23, "黑龙江", "Heilongjiang"),
    (2, 1, 65, "新疆", "Xinjiang"), (2, 5, 15, "内蒙古", "Inner Mongolia"), (2, 6, 11, "北京", "Beijing"), (2, 8, 22, "吉林", "Jilin"),
    (3, 1, 66, "兵团", "XPCC"), (3, 3, 62, "甘肃", "Gansu"), (3, 4, 64, "宁夏", "Ningxia"), (3, 5, 14, "山西", "Shanxi"),
    (3, 6, 13, "河北", "Hebei"), (3, 7, 12, "天津", "Tianjin"), (3, 8, 21, "辽宁", "Liaoning"),
    (4, 1, 54, "西藏", "Tibet"), (4, 2, 63, "青海", "Qinghai"), (4, 4, 61, "陕西", "Shaanxi"), (4, 5, 41, "河南", "Henan"), (4, 6, 37, "山东", "Shandong"),
    (5, 3, 51, "四川", "Sichuan"), (5, 4, 50, "重庆", "Chongqing"), (5, 5, 42, "湖北", "Hubei"), (5, 6, 34, "安徽", "Anhui"),
    (5, 7, 32, "江苏", "Jiangsu"), (5, 8, 31, "上海", "Shanghai"),
    (6, 3, 53, "云南", "Yunnan"), (6, 4, 52, "贵州", "Guizhou"), (6, 5, 43, "湖南", "Hunan"), (6, 6, 36, "江西", "Jiangxi"), (6, 7, 33, "浙江", "Zhejiang"),
    (7, 4, 45, "广西", "Guangxi"), (7, 5, 44, "广东", "Guangdong"), (7, 6, 35, "福建", "Fujian"), (7, 8, 71, "台湾", "Taiwan"),
    (8, 4, 46, "海南", "Hainan"), (8, 5, 82, "澳门", "Macao"), (8, 6, 81, "香港", "Hong Kong"),
];

/// Taiwan, Hong Kong, Macao: the national system does not reach them.
const OUTSIDE: [u8; 3] = [71, 81, 82];

/// A province's short name.
pub(super) fn name(code: ProvinceCode, language: Language) -> &'static str {
    let place = PLACES.iter().find(|it| it.2 == code.number());
    let (zh, en) = place.map_or(("", ""), |it| (it.3, it.4));
    if language == Language::Chinese { zh } else { en }
}

/// What a province's adapter looks like from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Light {
    NotConnected,
    Paused,
    Maintenance,
    Silent,
    Online,
}

impl Light {
    /// By membership first: a province that is paused or away is not called silent.
    pub(super) fn of(it: &Province, away: bool, pressure: &Pressure) -> Self {
        match (it.enrolled, it.paused, away, pressure.silent > 0) {
            (false, ..) => Self::NotConnected,
            (true, true, ..) => Self::Paused,
            (true, false, true, _) => Self::Maintenance,
            (true, false, false, true) => Self::Silent,
            (true, false, false, false) => Self::Online,
        }
    }

    pub(super) fn shape(self) -> &'static str {
        match self {
            Self::NotConnected => "○",
            Self::Paused => "❚❚",
            Self::Maintenance => "◇",
            Self::Silent => "✕",
            Self::Online => "●",
        }
    }

    pub(super) fn word(self, language: Language) -> &'static str {
        let words = TileWords::of(language);
        match self {
            Self::NotConnected => words.not_connected,
            Self::Paused => words.paused,
            Self::Maintenance => words.maintenance,
            Self::Silent => words.silent,
            Self::Online => words.online,
        }
    }
}

/// One tile.
pub(super) struct Tile {
    pub(super) place: String,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    /// Where it leads; nothing for a unit outside the system.
    pub(super) link: Option<String>,
    pub(super) shape: &'static str,
    pub(super) light: &'static str,
    pub(super) value: String,
    pub(super) more: String,
}

/// What a tile is drawn from.
pub(super) struct Drawn<'a> {
    pub(super) province: &'a Province,
    pub(super) pressure: Pressure,
    /// A declared maintenance covers now.
    pub(super) away: bool,
}

/// All of them, top to bottom.
pub(super) fn grid(drawn: &[Drawn<'_>], language: Language, leads: bool) -> Vec<Tile> {
    let words = TileWords::of(language);
    PLACES
        .iter()
        .map(|&(row, column, number, zh, en)| {
            let name = if language == Language::Chinese { zh } else { en };
            let place = format!("row-{row} col-{column}");
            match drawn.iter().find(|it| it.province.code.number() == number) {
                Some(it) => tile(it, place, name, (words, language), leads),
                None => {
                    // A province's account sees its own; the others are connected all the same.
                    let outside = OUTSIDE.contains(&number);
                    let (shape, light) =
                        if outside { ("○", words.not_connected) } else { ("", words.not_shown) };
                    let value = if outside { words.not_connected } else { "–" }.to_owned();
                    Tile {
                        place,
                        kind: "off",
                        name,
                        link: None,
                        shape,
                        light,
                        value,
                        more: String::new(),
                    }
                }
            }
        })
        .collect()
}

fn tile(
    it: &Drawn<'_>,
    place: String,
    name: &'static str,
    (words, language): (&TileWords, Language),
    leads: bool,
) -> Tile {
    let light = Light::of(it.province, it.away, &it.pressure);
    let pressure = &it.pressure;
    let judged = it.province.on_time + it.province.reported_late + it.province.overdue;
    // An English word may be cut off at the edge of a small tile, its number never.
    let told = |word: &str, number: String| match language {
        Language::Chinese => format!("{word} {number}"),
        Language::English => format!("{number} {word}"),
    };
    let (kind, more) = match light {
        Light::NotConnected => ("off", String::new()),
        Light::Silent => ("grave", format!("✕ {}", told(words.silent, grouped(pressure.silent)))),
        _ if pressure.overdue > 0 => {
            ("late", format!("■ {}", told(words.overdue, grouped(pressure.overdue))))
        }
        _ if pressure.soon > 0 => {
            ("soon", format!("▲ {}", told(words.soon, grouped(pressure.soon))))
        }
        Light::Paused | Light::Maintenance => ("soon", light.word(language).to_owned()),
        Light::Online if judged == 0 => ("good", words.quiet.to_owned()),
        Light::Online => {
            let share = match it.province.on_time {
                all if all == judged => "100%".to_owned(),
                some => format!("{:.1}%", some as f64 * 100.0 / judged as f64),
            };
            ("good", told(words.on_time, share))
        }
    };
    let connected = light != Light::NotConnected;
    Tile {
        place,
        kind,
        name,
        link: (connected && leads).then(|| format!("/provinces/{}", it.province.code)),
        shape: light.shape(),
        light: light.word(language),
        value: if connected { grouped(pressure.open) } else { words.not_connected.to_owned() },
        more,
    }
}

/// `1284551` as `1,284,551`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Whether a declared maintenance covers `now`.
pub(super) fn is_away(province: &hub_core::province::Province, now: Timestamp) -> bool {
    province.maintenance.iter().any(|it| it.from <= now && now < it.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_province_has_its_own_place_and_three_units_are_not_connected() {
        let places: std::collections::BTreeSet<_> = PLACES.iter().map(|it| (it.0, it.1)).collect();
        assert_eq!(places.len(), PLACES.len());
        for code in ProvinceCode::all() {
            assert!(!name(code, Language::Chinese).is_empty(), "{code}");
            assert!(code.name().starts_with(name(code, Language::Chinese)) || code.number() == 66);
        }
        let nobody = grid(&[], Language::Chinese, true);
        assert_eq!(nobody.iter().filter(|it| it.link.is_none()).count(), 35);
        // What an account may not see is not called unconnected.
        let outside = nobody.iter().filter(|it| it.value == "未接入").map(|it| it.name);
        assert_eq!(outside.collect::<Vec<_>>(), ["台湾", "澳门", "香港"]);
    }

    #[test]
    fn figures_are_grouped_in_threes() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_284_551, "1,284,551")] {
            assert_eq!(grouped(number), text);
        }
    }
}
