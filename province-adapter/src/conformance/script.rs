//! Reads a scenario: one sentence a line, so that an auditor and a province can read it too.

use events::vocabulary::{Category, Item, Material, Reason, SuspensionGround};

use super::findings;

/// A scenario as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// The file's name without its ending.
    pub(crate) name: String,
    pub(crate) title_zh: String,
    pub(crate) title_en: String,
    pub(crate) steps: Vec<Step>,
}

/// One sentence.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) what: What,
}

/// What the sentence asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Makes one case or many; nothing is sent.
    Cases {
        names: Names,
        wants: Vec<Want>,
    },
    /// Hands out work, perhaps again, several times, or spoilt.
    Send {
        who: String,
        how: How,
    },
    /// Hands out a correction.
    Correct {
        who: String,
        wants: Vec<Want>,
    },
    /// The applicant takes it back.
    Withdraw {
        who: String,
    },
    /// Receipts are kept back, or given again.
    HoldReceipts(bool),
    /// The receipts of a case say that the report was refused.
    RefuseReports {
        who: String,
        code: String,
    },
    /// Now, or at a moment.
    Kill {
        when: Option<(String, String)>,
    },
    /// After it was killed.
    AwaitKilled {
        finding: &'static str,
    },
    Start,
    RestartBroker,
    WipeBroker,
    /// New keys for the province; the old ones count no more from here on.
    RotateKeys,
    /// Another writer runs the hub.
    NewEpoch,
    /// Waits until it is so.
    Await {
        who: String,
        what: Sought,
        finding: &'static str,
    },
    /// Nothing but the delivery may have been said.
    Silent {
        who: String,
        finding: &'static str,
    },
    /// Nothing at all comes for so long.
    Quiet {
        ms: u64,
        finding: &'static str,
    },
}

/// Which cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Names {
    One {
        name: String,
        item: Item,
        category: Category,
    },
    /// Five items, three categories.
    Everything,
    /// One for each reason; `Want::*Each` takes it.
    Reasons,
    /// A backlog.
    Many {
        count: usize,
        days: i64,
    },
}

/// How work is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    Once,
    Times(usize),
    InReverse,
    /// Spoilt or odd, by a word of `spoil.rs`.
    As(String),
}

/// A wanted answer, before it has a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) what: Wanted,
    pub(crate) after_ms: u64,
    pub(crate) text: bool,
}

/// Which answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Accept,
    Approve,
    Deny(Option<Reason>),
    Decline(Option<Reason>),
    Correct(Vec<Material>),
    Suspend(SuspensionGround),
    Resume,
    Return,
    Certificate,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sought {
    Acknowledged,
    Done,
    Kind(String),
    /// A kind of news, sent at least so often.
    SentTimes(String, u32),
}

/// A sentence that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of scenario `{scenario}`: {why}")]
pub(crate) struct NotAStep {
    pub(crate) scenario: String,
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// Reads the whole scenario.
pub(crate) fn read(name: &str, text: &str) -> Result<Script, NotAStep> {
    let mut script = Script {
        name: name.to_owned(),
        title_zh: String::new(),
        title_en: String::new(),
        steps: Vec::new(),
    };
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let fault = |why: String| NotAStep { scenario: name.to_owned(), line: at + 1, why };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("title ") {
            let both =
                title.split_once(" / ").ok_or_else(|| fault("`title 中文 / English`".into()))?;
            (script.title_zh, script.title_en) = (both.0.to_owned(), both.1.to_owned());
            continue;
        }
        let what = sentence(line).map_err(fault)?;
        script.steps.push(Step { line: at + 1, text: line.to_owned(), what });
    }
    Ok(script)
}

/// One sentence, as it is also typed into a sandbox.
pub(crate) fn sentence(line: &str) -> Result<What, String> {
    let (main, otherwise) = match line.split_once(" else ") {
        Some((main, id)) => (main, Some(id.trim())),
        None => (line, None),
    };
    let finding = || -> Result<&'static str, String> {
        let id = otherwise.ok_or("a wait ends with `else FINDING`")?;
        findings::id(id).ok_or_else(|| format!("no finding is called `{id}`"))
    };
    let words: Vec<&str> = main.split_whitespace().collect();
    match words.as_slice() {
        ["case" | "cases", ..] => cases(main),
        ["send", who, rest @ ..] => Ok(What::Send { who: (*who).to_owned(), how: how(rest)? }),
        ["correct", who, "answers", ..] => {
            Ok(What::Correct { who: (*who).to_owned(), wants: wants_of(main)? })
        }
        ["withdraw", who] => Ok(What::Withdraw { who: (*who).to_owned() }),
        ["hold", "receipts"] => Ok(What::HoldReceipts(true)),
        ["give", "receipts"] => Ok(What::HoldReceipts(false)),
        ["refuse", "reports", "of", who, "as", code] => {
            Ok(What::RefuseReports { who: (*who).to_owned(), code: (*code).to_owned() })
        }
        ["kill", "adapter"] => Ok(What::Kill { when: None }),
        ["kill", "adapter", "when", who, moment] => {
            Ok(What::Kill { when: Some(((*who).to_owned(), (*moment).to_owned())) })
        }
        ["await", "adapter", "killed"] => Ok(What::AwaitKilled { finding: finding()? }),
        ["start", "adapter"] => Ok(What::Start),
        ["restart", "broker"] => Ok(What::RestartBroker),
        ["wipe", "broker"] => Ok(What::WipeBroker),
        ["rotate", "keys"] => Ok(What::RotateKeys),
        ["new", "epoch"] => Ok(What::NewEpoch),
        ["await", who, rest @ ..] => {
            Ok(What::Await { who: (*who).to_owned(), what: sought(rest)?, finding: finding()? })
        }
        ["expect", who, "silent"] => {
            Ok(What::Silent { who: (*who).to_owned(), finding: finding()? })
        }
        ["quiet", ms] => Ok(What::Quiet { ms: number(ms)?, finding: finding()? }),
        _ => Err(format!("cannot understand `{main}`")),
    }
}

fn cases(main: &str) -> Result<What, String> {
    let (left, _) = main.split_once(" answers ").ok_or("cases end with `answers …`")?;
    let words: Vec<&str> = left.split_whitespace().collect();
    let names = match words.as_slice() {
        ["cases", "for", "every", "item", "and", "category"] => Names::Everything,
        ["cases", "for", "every", "reason"] => Names::Reasons,
        ["cases", count, "over", days, "days"] => {
            Names::Many { count: number(count)?, days: number(days)? }
        }
        ["case", name] => Names::One {
            name: (*name).to_owned(),
            item: Item::Renewal,
            category: Category::GeneralFreight,
        },
        ["case", name, item, category] => Names::One {
            name: (*name).to_owned(),
            item: Item::of(item).ok_or_else(|| format!("no item `{item}`"))?,
            category: Category::of(category).ok_or_else(|| format!("no category `{category}`"))?,
        },
        _ => return Err(format!("cannot understand `{left}`")),
    };
    Ok(What::Cases { names, wants: wants_of(main)? })
}

fn wants_of(main: &str) -> Result<Vec<Want>, String> {
    let (_, list) = main.split_once(" answers ").ok_or("`answers` is missing")?;
    if list.trim() == "nothing" {
        return Ok(Vec::new());
    }
    list.split(',').map(|it| want(it.trim())).collect()
}

/// `decline over-age after 500ms with text`
fn want(text: &str) -> Result<Want, String> {
    let (text, with_text) = match text.strip_suffix(" with text") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (text, after_ms) = match text.split_once(" after ") {
        Some((rest, wait)) => (rest, number(wait.trim_end_matches("ms"))?),
        None => (text, 0),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let reason = |it: &str| Reason::of(it).ok_or_else(|| format!("no reason `{it}`"));
    let what = match words.as_slice() {
        ["accept"] => Wanted::Accept,
        ["approve"] => Wanted::Approve,
        ["deny"] => Wanted::Deny(None),
        ["deny", why] => Wanted::Deny(Some(reason(why)?)),
        ["decline"] => Wanted::Decline(None),
        ["decline", why] => Wanted::Decline(Some(reason(why)?)),
        ["correct", materials @ ..] => {
            let material =
                |it: &&str| Material::of(it).ok_or_else(|| format!("no material `{it}`"));
            Wanted::Correct(materials.iter().map(material).collect::<Result<_, _>>()?)
        }
        ["suspend", ground] => Wanted::Suspend(
            SuspensionGround::of(ground).ok_or_else(|| format!("no ground `{ground}`"))?,
        ),
        ["resume"] => Wanted::Resume,
        ["return"] => Wanted::Return,
        ["certificate"] => Wanted::Certificate,
        _ => return Err(format!("no answer `{text}`")),
    };
    Ok(Want { what, after_ms, text: with_text })
}

fn how(words: &[&str]) -> Result<How, String> {
    Ok(match words {
        [] | ["again"] => How::Once,
        [count, "times"] => How::Times(number(count)?),
        ["in", "reverse"] => How::InReverse,
        ["as", word] if super::spoil::Spoil::of(word).is_some() => How::As((*word).to_owned()),
        _ => return Err(format!("cannot send `{}`", words.join(" "))),
    })
}

fn sought(words: &[&str]) -> Result<Sought, String> {
    let kind = |it: &str| {
        let known = events::report::News::TOKENS.contains(&it);
        known.then(|| it.to_owned()).ok_or_else(|| format!("no kind of news `{it}`"))
    };
    Ok(match words {
        ["acknowledged"] => Sought::Acknowledged,
        ["done"] => Sought::Done,
        [it] => Sought::Kind(kind(it)?),
        [it, "sent", count, "times"] => Sought::SentTimes(kind(it)?, number(count)?),
        _ => return Err(format!("cannot await `{}`", words.join(" "))),
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}
