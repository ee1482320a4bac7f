//! What an operator may do to a province: pause, resume, declare that it will be away.

use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::Actor;
use events::province::MaintenanceDeclared;
use hub_core::province::ProvinceCommand;
use serde::Deserialize;

use super::Visitor;
use super::form::Posted;
use super::provinces::{code_of, page};
use super::shell::{Refused, to_correct};
use super::when::{self, Flaw, When};
use super::words::words;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::statistics::bench::Bench;
use crate::web::Rooms;
use crate::web::api::admin::note;
use crate::words::Language;

words! { DeedWords:
    deeds: "处理", "What can be done";
    pause: "暂停转办", "pause";
    pause_note: "暂停后不再下发新办件，仍接收该省报告；时限照常计算", "nothing new is sent; reports are still taken; due days do not move";
    resume: "恢复转办", "resume";
    maintenance: "登记停机维护", "declare maintenance";
    reason: "原因", "reason";
    save: "提交并记录", "do it and record it";
    from: "开始", "from";
    until: "结束", "until";
}

/// One form for all three.
#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
}

/// The form of an absence, with what was typed into it.
pub(super) struct Away {
    pub(super) words: &'static DeedWords,
    from: When,
    until: When,
    pub(super) reason: String,
}

impl Away {
    pub(super) fn blank(language: Language) -> Self {
        Self::of("", "", String::new(), language)
    }

    fn of(from: &str, until: &str, reason: String, language: Language) -> Self {
        let words = DeedWords::of(language);
        let from = When::moment("from", words.from, from, language).required();
        let until = When::moment("until", words.until, until, language).required();
        Self { words, from, until, reason }
    }

    /// What was typed, or the same with what is wrong said beside it.
    fn read(given: &Deed, language: Language) -> Result<MaintenanceDeclared, Box<Self>> {
        let (from, until) = (when::moment(&given.from), when::moment(&given.until));
        let mut form = Self::of(&given.from, &given.until, given.reason.clone(), language);
        match (from, until) {
            (Ok(from), Ok(until)) if from < until => {
                return Ok(MaintenanceDeclared { from, until, reason: given.reason.clone() });
            }
            (Ok(_), Ok(_)) => form.until.refuse(Flaw::Backwards),
            (from, until) => {
                let _ = from.map_err(|it| form.from.refuse(it));
                let _ = until.map_err(|it| form.until.refuse(it));
            }
        }
        Err(Box::new(form))
    }

    pub(super) fn fields(&self) -> [&When; 2] {
        [&self.from, &self.until]
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.fields().iter().any(|it| it.is_wrong())
    }
}

pub(super) async fn act(
    State(rooms): State<Rooms>,
    Extension(bench): Extension<Bench>,
    Path(code): Path<String>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    let command = match given.deed.as_str() {
        "maintenance" => match Away::read(&given, visitor.language) {
            Ok(absence) => absent(absence),
            Err(form) => {
                return to_correct(&visitor, page(&rooms, &visitor, &bench, &code, *form).await);
            }
        },
        _ => command(&visitor, given),
    };
    match done(&rooms, &visitor, &code, command).await {
        Ok(()) => Redirect::to(&format!("/provinces/{code}")).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

fn absent(absence: MaintenanceDeclared) -> Result<ProvinceCommand, Problem> {
    let reason = note(absence.reason, "/reason")?;
    Ok(ProvinceCommand::DeclareMaintenance(MaintenanceDeclared { reason, ..absence }))
}

fn command(visitor: &Visitor, given: Deed) -> Result<ProvinceCommand, Problem> {
    let operator = visitor.account()?.name.clone();
    match given.deed.as_str() {
        "pause" => {
            let reason = note(given.reason, "/reason")?;
            Ok(ProvinceCommand::Pause { operator, reason })
        }
        "resume" => Ok(ProvinceCommand::Resume { operator }),
        _ => Err(Problem::at("unknown-value", "/deed")),
    }
}

async fn done(
    rooms: &Rooms,
    visitor: &Visitor,
    code: &str,
    command: Result<ProvinceCommand, Problem>,
) -> Result<(), Problem> {
    let province = code_of(visitor, code)?;
    let what = What::Province { province, command: command? };
    let actor = Actor::Operator(visitor.account()?.name.clone());
    let ask = Ask { actor, occurred_at: rooms.clock.now(), caused_by: None, what };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}
