//! Stories that an auditor can read, and that are played on a real hub: a script is the documentation
//! of a behaviour.
//!
//! A line is a remark (`#`), something that happens, or a question (`>`) with its answer below it.
//!
//! ```text
//! on 2026-03-02 [09:00]                     national submits C1 to 22 for renewal
//! 22 goes away / 22 comes back              22 accepts C1 as 受-7
//! 22 declines C1 because renewal-not-due    22 returns C1 naming 500100 / 22 returns C1
//! 22 asks correction of C1 for photo until 2026-03-20
//! applicant corrects C1 / applicant withdraws C1
//! 22 suspends C1 for hearing / 22 resumes C1
//! 22 completes C1 approved as 决-7 / denied as 决-7 because over-age
//! 22 says the opposite of C1 / 22 says everything again
//! 22 sends its reports in reverse           operator releases C1 to 50
//! calendar 2027 is published
//! > alerts      > status C1      > story C1      > reports 22
//! ```

mod answers;
mod stage;
mod words;

use std::fmt::Write as _;

use self::stage::ScriptStage;

/// What a script came to.
pub struct Played {
    /// The script with the answers as they are.
    pub actual: String,
    /// What differs, as lines with `-` (expected) and `+` (found); empty if nothing does.
    pub difference: String,
}

/// Plays a script. A line that nobody understands is an error that names it.
pub fn play(script: &str) -> Result<Played, String> {
    let mut stage = ScriptStage::new();
    let mut actual = String::new();
    let mut lines = script.lines().enumerate().peekable();
    while let Some((at, line)) = lines.next() {
        actual.push_str(line);
        actual.push('\n');
        let told = line.trim();
        if told.is_empty() || told.starts_with('#') {
            continue;
        }
        let Some(question) = told.strip_prefix("> ") else {
            stage.happen(told).map_err(|why| format!("line {}: {why}: `{told}`", at + 1))?;
            continue;
        };
        let answer = stage.answer(question);
        let answer = answer.map_err(|why| format!("line {}: {why}: `{told}`", at + 1))?;
        for line in answer {
            writeln!(actual, "{line}").expect("a text takes more text");
        }
        // The expected answer ends with an empty line, a remark, an action or another question.
        while lines.peek().is_some_and(|(_, it)| is_answer(it)) {
            lines.next();
        }
    }
    let difference = if actual == script { String::new() } else { difference(script, &actual) };
    Ok(Played { actual, difference })
}

/// Answers are indented; everything else is not.
fn is_answer(line: &str) -> bool {
    line.starts_with("  ")
}

fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) =
        (expected.lines().collect(), found.lines().collect());
    let (mut left, mut right, mut text) = (0, 0, String::new());
    while left < expected.len() || right < found.len() {
        let (a, b) = (expected.get(left), found.get(right));
        if a == b {
            (left, right) = (left + 1, right + 1);
            continue;
        }
        let missing = a.is_some_and(|it| is_answer(it));
        let more = b.is_some_and(|it| is_answer(it));
        if let (Some(line), true) = (a, missing || !more) {
            let _ = writeln!(text, "- {line}");
            left += 1;
        }
        if let (Some(line), true) = (b, more || !missing) {
            let _ = writeln!(text, "+ {line}");
            right += 1;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_shown_as_a_difference() {
        let script =
            "on 2026-03-02\nnational submits C1 to 22 for renewal\n> status C1\n  C1  wrong\n";
        let played = play(script).unwrap();
        assert!(played.difference.starts_with("- ") && played.difference.contains("+ "));
        assert!(play(&played.actual).unwrap().difference.is_empty(), "an update settles it");
        assert!(play("22 dances\n").is_err());
    }
}
