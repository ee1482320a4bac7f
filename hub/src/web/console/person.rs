//! The person behind a case: masked unless somebody said why, and gone when the key is gone.

use events::case::CaseEvent;
use events::envelope::Recorded;
use serde_json::Value;

use super::words::words;
use crate::registrar::case_event;
use crate::vault::Opener;
use crate::words::Language;

words! { PersonWords:
    name: "姓名", "name";
    identity: "身份证号", "identity number";
    phone: "电话", "phone";
    certificate: "从业资格证号", "certificate number";
    gone: "密钥已销毁，无人可读", "the key is destroyed; nobody can read it";
}

/// What the page shows of somebody: words and values, masked or in clear.
pub(super) enum Person {
    /// Label and value.
    Shown(Vec<(&'static str, String)>),
    /// Nobody can open it any more.
    Gone(&'static str),
}

/// Its label, its value, and how it is masked.
type Particular = (&'static str, String, fn(&str) -> String);

/// From the sealed part of the submission.
pub(super) fn of(story: &[Recorded], opener: &Opener, clear: bool, language: Language) -> Person {
    let words = PersonWords::of(language);
    let first = story.iter().find(|it| matches!(case_event(it), Some(CaseEvent::CaseSubmitted(_))));
    let opened = first.and_then(|it| {
        let events::ids::StreamName::Case(case) = it.envelope.stream else { return None };
        let sealed = it.envelope.sealed.as_ref()?;
        let plain = opener.open(case, it.envelope.id, sealed).ok()?;
        serde_json::from_slice::<Value>(&plain).ok()
    });
    let Some(value) = opened else { return Person::Gone(words.gone) };
    let person = &value["applicant"];
    let text = |key: &str| person[key].as_str().unwrap_or("").to_owned();
    let rows: [Particular; 4] = [
        (words.name, text("name"), mask_name),
        (words.identity, text("identity_number"), |it| mask_middle(it, 3, 4)),
        (words.phone, text("phone"), |it| mask_middle(it, 3, 4)),
        (words.certificate, text("certificate_number"), |it| mask_middle(it, 4, 4)),
    ];
    let shown = rows
        .into_iter()
        .filter(|it| !it.1.is_empty())
        .map(|(label, value, mask)| (label, if clear { value } else { mask(&value) }));
    Person::Shown(shown.collect())
}

/// 张三 → 张*; the length is not told.
fn mask_name(name: &str) -> String {
    name.chars().take(1).chain(['*']).collect()
}

/// Shows `front` and `back` characters of what is long enough, else nothing.
fn mask_middle(text: &str, front: usize, back: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() < front + back + 4 {
        return "*".repeat(characters.len());
    }
    let hidden = characters.len() - front - back;
    let head: String = characters[..front].iter().collect();
    let tail: String = characters[front + hidden..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_leave_what_a_person_recognises_and_no_more() {
        assert_eq!(mask_name("古丽·买买提"), "古*");
        assert_eq!(mask_name("张三"), "张*");
        for (text, masked) in [
            ("11010519491231002X", "110***********002X"),
            ("13800000000", "138****0000"),
            ("1234", "****"),
            ("", ""),
        ] {
            assert_eq!(mask_middle(text, 3, 4), masked);
        }
    }
}
