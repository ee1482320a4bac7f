//! The examples that people copy are configurations that work, and list every setting that there is.

use super::*;

const EXAMPLE: &str = include_str!("../../../deploy/adapter.example.toml");

#[test]
fn the_example_lists_the_defaults_of_tables_and_folders_and_the_worked_examples_are_valid() {
    for name in ["table", "folder"] {
        let given: File = toml::from_str(EXAMPLE).unwrap();
        let path = format!("../deploy/examples/{name}-office/adapter.toml");
        let worked = std::fs::read_to_string(&path).unwrap();
        Config::parse(&worked, Path::new(&path), Path::new("")).unwrap();
        let listed = EXAMPLE;
        let section = listed.split(&format!("[{name}]\n")).nth(1).unwrap();
        let section: Vec<&str> = section.split("\n[").next().unwrap().lines().collect();
        let (given, defaults) = match name {
            "table" => (format!("{:?}", given.table), format!("{:?}", TableSettings::default())),
            _ => (format!("{:?}", given.folder), format!("{:?}", FolderSettings::default())),
        };
        assert_eq!(given, defaults);
        for setting in defaults.split(['{', ',']).filter_map(|it| it.trim().split_once(": ")) {
            let told = section
                .iter()
                .any(|it| it.trim_start_matches("# ").starts_with(&format!("{} = ", setting.0)));
            assert!(told, "`{name}.{}` is not in the example", setting.0);
        }
    }
}

#[test]
fn the_example_lists_the_defaults_of_telemetry() {
    let given: File = toml::from_str(EXAMPLE).unwrap();
    assert_eq!(given.telemetry, TraceSettings::default());
    let section = EXAMPLE.split("[telemetry]\n").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    for setting in format!("{:?}", given.telemetry).split(['{', ',']) {
        let Some((setting, _)) = setting.trim().split_once(": ") else { continue };
        assert!(
            section.contains(&format!("{setting} = ")),
            "`telemetry.{setting}` is not in the example"
        );
    }
}

#[test]
fn what_tables_and_folders_cannot_be_is_named() {
    for (right, wrong, named) in [
        ("schema = \"hub_exchange\"", "schema = \"x; DROP\"", "`table.schema`"),
        ("rows_at_once_max = 500", "rows_at_once_max = 0", "`table.rows_at_once_max` is 0"),
        ("\nsettle_ms = 2000", "\nsettle_ms = 1", "`folder.settle_ms` is 1"),
        ("encoding = \"gb18030\"", "encoding = \"big5\"", "big5"),
    ] {
        assert!(EXAMPLE.contains(right), "the example lacks {right}");
        let text = EXAMPLE.replace(right, wrong);
        let error = Config::parse(&text, Path::new("x"), Path::new("")).unwrap_err();
        let told = crate::check::chain(&error);
        assert!(told.contains(named), "{wrong}: {told}");
    }
}
