//! Codes in both directions, and files that must not be believed.

use std::path::Path;

use super::*;

const EXAMPLE: &str = include_str!("../../../../deploy/codes.example.toml");

fn parse(text: &str) -> Result<Codes, CodesError> {
    Codes::parse(text, Path::new("codes.toml"))
}

fn example() -> Codes {
    parse(EXAMPLE).unwrap()
}

/// All problems as one text; empty if there are none.
fn problems(text: &str) -> String {
    match parse(text) {
        Ok(_) => String::new(),
        Err(CodesError::Understand { source, .. }) => source.to_string(),
        Err(error) => error.to_string(),
    }
}

fn authority(code: Option<&str>, name: &str, division: Option<&str>) -> IssuingAuthority {
    IssuingAuthority {
        code: code.map(str::to_owned),
        name: name.to_owned(),
        division: division.map(|it| it.parse().unwrap()),
    }
}

#[test]
fn the_example_translates_every_list_in_both_directions() {
    let codes = example();
    for list in List::ALL {
        for hub in list.hub_codes().filter(|_| list.is_sent()) {
            let local = codes.to_office(list, hub).unwrap();
            assert!(codes.to_hub(list, local).is_ok(), "{list:?} {hub} {local}");
        }
    }
    assert_eq!(codes.item(Item::IntegrityAssessment), Ok("KH"));
    assert_eq!(codes.channel(Channel::Wechat), Ok("2"));
    assert_eq!(codes.to_hub(List::Channel, "2"), Ok("web"));
    assert_eq!(codes.grade_of(" 4 "), Ok(Grade::Aaa));
    assert_eq!(codes.outcome_of("0"), Ok(Outcome::Denied));
    assert_eq!(codes.ground_of("2"), Ok(SuspensionGround::Examination));
    assert_eq!(codes.material_of("CL06"), Ok(Material::LossStatement));
    assert_eq!(codes.answer_of("01"), Ok(AnswerKind::NothingNew));
    assert_eq!(codes.counts().len(), 12, "{:?}", codes.counts());
}

#[test]
fn several_local_codes_may_mean_one_and_only_one_is_said() {
    let codes = example();
    for local in ["16", "17"] {
        let reason = codes.reason_of(ReasonFor::Denying, local);
        assert_eq!(reason, Ok(Reason::LicenceInvalid));
    }
    assert_eq!(codes.to_office(List::Channel, "app"), Ok("2"));
    assert_eq!(codes.to_hub(List::Channel, "2"), Ok("web"));
}

#[test]
fn a_list_for_one_use_stands_instead_of_the_common_one() {
    let codes = example();
    assert_eq!(codes.reason_of(ReasonFor::Returning, "T1"), Ok(Reason::NotThisAuthority));
    codes.reason_of(ReasonFor::Returning, "21").unwrap_err();
    assert_eq!(codes.reason_of(ReasonFor::Declining, "21"), Ok(Reason::NotThisAuthority));
    codes.reason_of(ReasonFor::Declining, "T1").unwrap_err();
}

#[test]
fn an_unknown_code_is_named_with_what_is_known_and_what_is_nearest() {
    let codes = example();
    let error = codes.material_of("CL6").unwrap_err();
    assert_eq!(error.code(), "unknown-local-code");
    let text = error.to_string();
    for part in ["`CL6`", "`material`", "known: CL01, CL02", "nearest: CL06 = loss-statement"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = codes.reason_of(ReasonFor::Declining, "xyz").unwrap_err().to_string();
    assert!(!text.contains("nearest"), "nothing is near: {text}");
    assert!(codes.to_hub(List::Reason, "cl01").is_err(), "another list's codes do not count");
}

#[test]
fn without_a_table_the_office_speaks_the_hubs_codes() {
    let codes = Codes::default();
    assert_eq!(codes.item(Item::Renewal), Ok("renewal"));
    assert_eq!(codes.reason_of(ReasonFor::Declining, "over-age"), Ok(Reason::OverAge));
    let text = codes.reason_of(ReasonFor::Declining, "overage").unwrap_err().to_string();
    assert!(text.contains("nearest: over-age"), "{text}");
    assert_eq!(codes.division_of("370100").unwrap().number(), 370_100);
    codes.division_of("3701").unwrap_err();
    let told = authority(None, "某局", None);
    assert_eq!(codes.authority(&told), Ok("某局"));
}

#[test]
fn an_authority_is_found_by_code_then_name_then_division() {
    let codes = example();
    #[rustfmt::skip] // a table
    let table = [
        (Some("11220100MB1519234X"), "旧名称",         None,           Ok("2201")),
        (Some("unlisted"),           "吉林市交通运输局", None,           Ok("2202")),
        (None,                       "改名后的机关",     Some("220200"), Ok("2202")),
        (None,                       "改名后的机关",     Some("220300"), Err("unknown-hub-code")),
        (Some("11220100MB1519234X"), "吉林市交通运输局", None,           Err("authority-contradiction")),
    ];
    for (code, name, division, expected) in table {
        let told = authority(code, name, division);
        let found = codes.authority(&told);
        assert_eq!(found.as_ref().map(|it| *it).map_err(CodeError::code), expected, "{name}");
    }
    let told = authority(None, "吉林市交通局", None);
    let text = codes.authority(&told).unwrap_err().to_string();
    assert!(text.contains("nearest: 吉林市交通运输局 = 2202"), "{text}");
    assert_eq!(codes.division_of("3701").unwrap().number(), 370_100);
    let text = codes.division_of("2206").unwrap_err().to_string();
    assert!(text.contains("no `division`"), "{text}");
}

#[test]
fn a_division_that_two_authorities_have_tells_neither() {
    let rows = "authority = [{ local = \"1\", division = \"220100\" }, { local = \"2\", division = \"220100\" }]";
    let codes = parse(rows).unwrap();
    codes.authority(&authority(None, "某局", Some("220100"))).unwrap_err();
}

#[test]
fn all_problems_are_named_at_once_with_their_lines() {
    let text = r#"category = [
  { local = "1", hub = "passenger" },
  { local = "1", hub = "general-freight" },
  { local = "2", hub = "passenger" },
  { local = " 3", hub = "dangerous-good" },
]
reason = [{ local = "", hub = "other" }, { local = "11010519491231002X", hub = "over-age" }]
authority = [
  { local = "a", name = "甲" },
  { local = "a", name = "甲" },
  { local = "b" },
  { local = "c", division = "22" },
]
"#;
    let text = problems(text);
    for part in [
        "line 3, `category`: the office's code `1` stands in line 2 already",
        "line 4, `category`: `passenger` has an office's code in line 2 already",
        "line 5, `category`: a code must not begin or end with a blank",
        "the hub has no code `dangerous-good` (known: passenger, general-freight, dangerous-goods; nearest: dangerous-goods)",
        "`category`: no code of the office for dangerous-goods",
        "line 7, `reason`: a code must have 1 to 64 characters",
        "identity number",
        "line 10, `authority`: `local` `a` stands in line 9 already",
        "line 10, `authority`: `name` `甲` stands in line 9 already",
        "line 11, `authority`: needs a `code`, a `name` or a `division`",
        "line 12, `authority`: `22` is not a division code",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("11010519491231002X"), "{text}");
}

#[test]
fn a_table_for_what_the_hub_sends_is_sent() {
    let cut =
        EXAMPLE.replace("  { local = \"ZX\", hub = \"cancellation\", name = \"注销\" },\n", "");
    assert!(problems(&cut).contains("`item`: no code of the office for cancellation"));
    let cut = EXAMPLE.replace("  { local = \"1\", hub = \"hearing\", name = \"听证\" },\n", "");
    assert_eq!(problems(&cut), "", "an office need not know every ground");
}

#[test]
fn misspelt_tables_and_fields_and_wrong_encodings_are_refused() {
    assert!(problems("items = []").contains("unknown field `items`"));
    let row = "item = [{ local = \"1\", hub = \"change\", onyl = \"to-office\" }]";
    assert!(problems(row).contains("unknown field `onyl`"));
    assert!(problems("item = [{ local = 1, hub = \"change\" }]").contains("expected a string"));
    assert_eq!(problems(&format!("\u{feff}{EXAMPLE}")), "");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("codes.toml");
    // 补 as GBK.
    std::fs::write(&path, b"# \xb2\xb9").unwrap();
    let error = Codes::load(&path).unwrap_err();
    assert!(crate::check::chain(&error).contains("GBK"), "{error:?}");
    let error = Codes::load(&folder.path().join("none.toml")).unwrap_err();
    assert!(matches!(error, CodesError::Read { .. }));
}
