//! What the provinces' pages say while their figures are still being counted.

use super::*;
use crate::statistics::fold::Fold;
use crate::statistics::period::Period;
use crate::web::console::visitor::{Theme, Who};

fn page(language: Language, making: bool) -> String {
    let visitor = Visitor {
        who: Who::Guest,
        language,
        theme: Theme::Auto,
        address: None,
        asked: "/provinces".to_owned(),
        secure: false,
        sent: false,
    };
    let words = ProvinceWords::of(language);
    let code = ProvinceCode::new(22).unwrap();
    let figures =
        Fold::new(Period::month_of("2026-04-01".parse().unwrap()).unwrap(), None).figures();
    let month = (!making).then_some(&figures);
    let row = Row {
        code: code.to_string(),
        name: code.name(),
        shape: "●",
        light: "",
        cells: Vec::new(),
        heard: String::new(),
        added: standing::added(month, code, language),
    };
    let (shell, heads, rows) = (Shell::plain(&visitor), Vec::new(), vec![row]);
    let month_at = (!making).then_some(4_711);
    Provinces { shell, words, month_at, heads, rows, nowhere: None }.render().unwrap()
}

#[test]
fn figures_that_are_still_counted_are_not_shown_as_none() {
    for language in [Language::Chinese, Language::English] {
        let (making, made) = (page(language, true), page(language, false));
        let words = ProvinceWords::of(language);
        assert!(making.contains(words.making.split('“').next().unwrap()), "{making}");
        // A page that turns by itself is only for browsers without our script (WCAG 2.2.1).
        let meta = "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>";
        assert!(making.contains(meta) && making.contains("data-again=\"5\""), "{making}");
        assert!(making.matches("…</td>").count() == 3);
        assert!(!made.contains("refresh") && !made.contains("…</td>"), "{made}");
        assert!(made.contains("–</td>"));
        // They may be older than the counters beside them, and say so.
        assert!(made.contains(&format!("{} 4711", words.month_at)), "{made}");
        assert!(!making.contains(words.month_at), "{making}");
    }
}
