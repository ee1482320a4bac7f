//! The office behind an animal: it does what the test case says, or what the defect makes of it.

use hub::clock::Clock;
use serde_json::{Value, json};

use super::Defect;
use super::animal::Animal;
use super::state::KeptAnswer;

impl Animal {
    /// What the office wants to have said, in this order.
    pub(super) fn plan(&mut self, work: usize, case: &str, answers: Vec<Value>) {
        for mut answer in answers {
            let members = answer.as_object_mut().expect("an answer is an object");
            let after_ms = members.remove("after_ms").and_then(|it| it.as_i64()).unwrap_or(0);
            let text = members.remove("text").and_then(|it| it.as_str().map(str::to_owned));
            let kind = answer["kind"].as_str().unwrap_or_default();
            let kept_back = self.is(Defect::NeverReportsAcceptance)
                && matches!(kind, "accepted" | "completed" | "certificate-issued")
                || self.is(Defect::NeverReportsDecision)
                    && matches!(kind, "completed" | "certificate-issued")
                || self.is(Defect::CompletesWithoutAcceptance) && kind == "accepted";
            if kept_back {
                continue;
            }
            let twice = self.is(Defect::AnswersTwice)
                || self.is(Defect::AsksTwiceForCorrection) && kind == "correction-requested";
            let news = self.numbered(work, case, answer);
            for _ in 0..=usize::from(twice) {
                let (news, text) = (news.clone(), text.clone());
                self.state.answers.push(KeptAnswer { work, news, text, after_ms, due_ms: None });
            }
        }
        self.state.schedule(case, Clock::real_now().as_millisecond());
    }

    /// The office adds its own numbers.
    fn numbered(&self, work: usize, case: &str, mut news: Value) -> Value {
        let own = match self.defect {
            Some(Defect::OneNumberForAll) => "Z-1".to_owned(),
            Some(Defect::LeaksPersonalData) => {
                self.state.works[work].identity_number.clone().unwrap_or_default()
            }
            _ => format!("Z-{}", &case[..13]),
        };
        match news["kind"].as_str() {
            Some("accepted") => news["acceptance_number"] = json!(own),
            Some("completed") => news["decision_number"] = json!(format!("D-{}", &case[..13])),
            _ => {}
        }
        news
    }
}

/// What the test case tells the office (conformance.md, part 2).
pub(super) fn answers_of(applicant: Option<&Value>) -> Vec<Value> {
    let told = applicant.map(|it| &it["conformance"]).filter(|it| it["v"] == 1);
    told.and_then(|it| it["answers"].as_array()).cloned().unwrap_or_default()
}
