//! What a test office is told to answer, inside the seal: `schemas/v1/conformance.schema.json`. One
//! type for the kit, which writes it, and for the obedient office, which reads it.

use events::report::News;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What every sandbox's origin begins with; nowhere else is an instruction obeyed.
pub const SANDBOX_ORIGIN_PREFIX: &str = "sandbox.";
/// The member of the applicant's part that holds the instruction.
pub const MEMBER: &str = "conformance";
/// The only version so far.
pub const VERSION: u32 = 1;
/// Longest wait before an answer, in milliseconds.
pub const AFTER_MS_MAX: u64 = 60_000;
/// Most answers to one request.
pub const ANSWERS_MAX: usize = 8;

/// Which answers are wanted to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// The version; another one is not obeyed.
    pub v: u32,
    /// For logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// In this order, each once; none means: stay silent.
    pub answers: Vec<Answer>,
}

/// One wanted answer: the members of the report's `news` but for the office's own number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Answer(Map<String, Value>);

impl Instruction {
    /// The instruction in an opened personal part; nothing if there is none that this version obeys.
    pub fn find(applicant: &Value) -> Option<Self> {
        let found: Self = serde_json::from_value(applicant.get(MEMBER)?.clone()).ok()?;
        (found.v == VERSION && found.answers.len() <= ANSWERS_MAX).then_some(found)
    }
}

impl Answer {
    /// Wants `news`, without its number, `after_ms` after the answer before it.
    pub fn new(news: &News, after_ms: u64, text: Option<&str>) -> Self {
        let value = serde_json::to_value(news).expect("plain structs always serialize");
        let Value::Object(mut members) = value else { return Self(Map::new()) };
        members.remove("acceptance_number");
        members.remove("decision_number");
        if after_ms > 0 {
            members.insert("after_ms".to_owned(), after_ms.into());
        }
        if let Some(text) = text {
            members.insert("text".to_owned(), text.into());
        }
        Self(members)
    }

    /// The kind of news.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// Milliseconds to wait before it.
    pub fn after_ms(&self) -> u64 {
        self.0.get("after_ms").and_then(Value::as_u64).unwrap_or(0).min(AFTER_MS_MAX)
    }

    /// The text for the applicant.
    pub fn text(&self) -> Option<&str> {
        self.0.get("text").and_then(Value::as_str)
    }

    /// The news with the office's own numbers; nothing if this program does not know such news.
    pub fn news(&self, acceptance_number: &str, decision_number: &str) -> Option<News> {
        let mut members = self.0.clone();
        members.remove("after_ms");
        members.remove("text");
        let number = match self.kind() {
            "accepted" => Some(("acceptance_number", acceptance_number)),
            "completed" => Some(("decision_number", decision_number)),
            _ => None,
        };
        if let Some((name, number)) = number {
            members.insert(name.to_owned(), number.into());
        }
        serde_json::from_value(Value::Object(members)).ok()
    }

    /// Whether `news` says what was wanted, whatever its number.
    pub fn is_met_by(&self, news: &News) -> bool {
        let number = match news {
            News::Accepted { acceptance_number } => acceptance_number,
            News::Completed { decision_number, .. } => decision_number,
            _ => "",
        };
        self.news(number, number).as_ref() == Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::vocabulary::{Outcome, Reason};
    use serde_json::json;

    #[test]
    fn the_published_example_is_understood_and_its_number_is_the_offices() {
        let text = include_str!("../../../schemas/v1/examples/good/conformance.approve.json");
        let personal = json!({ MEMBER: serde_json::from_str::<Value>(text).unwrap() });
        let found = Instruction::find(&personal).unwrap();
        let kinds: Vec<&str> = found.answers.iter().map(Answer::kind).collect();
        assert_eq!(kinds, ["accepted", "completed", "certificate-issued"]);
        let told = found.answers[1].news("受-7", "决-7").unwrap();
        let News::Completed { outcome: Outcome::Approved, decision_number, result, .. } = &told
        else {
            panic!("{told:?}");
        };
        assert_eq!((decision_number.as_str(), result.grade.is_some()), ("决-7", true));
        assert!(found.answers[1].is_met_by(&told) && !found.answers[0].is_met_by(&told));
    }

    #[test]
    fn an_answer_says_what_it_was_made_from_but_for_the_number() {
        let news = News::Declined { reason: Reason::OverAge };
        let answer = Answer::new(&news, 1500, Some("超龄"));
        assert_eq!((answer.after_ms(), answer.text()), (1500, Some("超龄")));
        assert!(answer.is_met_by(&news));
        assert!(!answer.is_met_by(&News::Declined { reason: Reason::Other }));
        let read: Answer = serde_json::from_str(&serde_json::to_string(&answer).unwrap()).unwrap();
        assert_eq!(read, answer);
    }

    #[test]
    fn another_version_or_none_is_not_obeyed() {
        assert_eq!(Instruction::find(&json!({})), None);
        assert_eq!(Instruction::find(&json!({ MEMBER: { "v": 2, "answers": [] } })), None);
    }
}
