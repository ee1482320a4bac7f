//! The list of all scenarios. A file that is not named here is found by a test.

use super::script::{NotAStep, Script, What, read};

macro_rules! scenarios {
    ($($name:literal),+ $(,)?) => {
        const TEXTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("scenarios/", $name, ".txt")))),+];
    };
}

scenarios!(
    "01-ordinary-walk",
    "02-every-item-and-category",
    "03-decline-with-every-reason",
    "04-deny-with-every-reason",
    "05-correction",
    "06-suspension",
    "07-return",
    "08-withdrawal-in-flight",
    "09-copies",
    "10-out-of-order",
    "11-receipts-lost",
    "12-killed-at-every-step",
    "13-killed-while-taking-in",
    "14-killed-without-receipts",
    "15-holiday",
    "16-clock-skew",
    "17-unknown-fields",
    "18-work-that-must-not-be-believed",
    "19-work-of-others",
    "20-malformed-and-oversize",
    "21-broker-restarts",
    "22-broker-wiped",
    "23-keys-rotated",
    "24-another-writer",
    "25-refused-reports",
    "26-slow-office",
);

/// The names of all scenarios, in the order in which they are played.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|it| it.0)
}

/// The scenarios whose names contain one of `only`; all if there are none.
pub(crate) fn read_all(only: &[String]) -> Result<Vec<Script>, NotAStep> {
    let wanted = |name: &str| only.is_empty() || only.iter().any(|it| name.contains(it.as_str()));
    TEXTS.iter().filter(|it| wanted(it.0)).map(|(name, text)| read(name, text)).collect()
}

/// Whether the kit must be able to kill and start the adapter for it.
pub(crate) fn needs_restarts(script: &Script) -> bool {
    let restarts = |it: &What| matches!(it, What::Kill { .. } | What::Start | What::RotateKeys);
    script.steps.iter().any(|it| restarts(&it.what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_scenario_reads_and_is_titled_in_both_languages() {
        for script in read_all(&[]).unwrap() {
            assert!(!script.title_zh.is_empty() && !script.title_en.is_empty(), "{}", script.name);
            assert!(!script.steps.is_empty(), "{}", script.name);
        }
    }

    #[test]
    fn every_file_is_played() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/conformance/scenarios");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().file_name().into_string().unwrap())
            .filter_map(|it| it.strip_suffix(".txt").map(str::to_owned))
            .collect();
        files.sort();
        assert_eq!(files, names().collect::<Vec<_>>());
    }

    #[test]
    fn a_sentence_that_is_none_is_named_with_its_line() {
        let told = |text| read("x", text).unwrap_err().to_string();
        assert!(told("\nplease send A").contains("line 2"), "the line");
        assert!(told("await A done else no-such-finding").contains("no finding"), "the finding");
        assert!(told("case A answers decline because").contains("no reason"), "the reason");
        assert!(told("await A done").contains("else FINDING"), "every wait names its finding");
    }
}
