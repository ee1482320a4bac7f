//! A page as a browser would cut it: every tag must be one of ours, with attributes of ours. Words that became markup stand out.

/// Elements that the console's pages are made of.
const ELEMENTS: &str = " a abbr b body br button caption circle code dd details div dl dt figure footer \
    form g h1 h2 h3 head header html i input label legend li line link main meta nav noscript ol option p path \
    polygon polyline pre progress rect script section select small span strong summary svg table tbody \
    td text textarea tfoot th thead time title tr ul ";
/// Attributes that they have. None of them runs anything.
const ATTRIBUTES: &str = " action aria-current aria-describedby aria-hidden aria-invalid aria-label \
    aria-labelledby autocomplete autofocus charset checked class colspan content cx cy d data-again data-figure data-live data-theme defer disabled for height href \
    http-equiv id inputmode lang max maxlength method min minlength name pattern placeholder points \
    preserveAspectRatio r rel required role rows scope selected src step tabindex title type value viewBox width \
    x x1 x2 y y1 y2 ";

/// What is wrong with a page's markup, if anything; the words between its tags and in its attributes.
pub fn read(page: &str) -> Result<String, String> {
    let mut words = String::new();
    let mut rest = page.strip_prefix("<!doctype html>").ok_or("no doctype")?;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        words.push('\n');
        rest = tag(&rest[at + 1..], &mut words)?;
    }
    words.push_str(rest);
    Ok(decoded(&words))
}

/// One tag, from behind its `<`; what follows it.
fn tag<'a>(from: &'a str, words: &mut String) -> Result<&'a str, String> {
    let told = |what: &str| format!("{what}: <{}", from.chars().take(80).collect::<String>());
    let closing = from.starts_with('/');
    let from_name = from.strip_prefix('/').unwrap_or(from);
    let name_ends = from_name.find(|it: char| !it.is_ascii_alphanumeric()).ok_or(told("cut"))?;
    let (name, mut rest) = from_name.split_at(name_ends);
    if name.is_empty() || !ELEMENTS.contains(&format!(" {name} ")) {
        return Err(told("an element that is not ours"));
    }
    loop {
        rest = rest.trim_start_matches([' ', '\n', '/']);
        if let Some(behind) = rest.strip_prefix('>') {
            if name == "script" && !closing {
                let own = from.starts_with("script src=\"/static/console.js\" defer></script>");
                return if own { Ok(behind) } else { Err(told("a script that is not ours")) };
            }
            return Ok(behind);
        }
        let ends = rest.find(|it: char| !(it.is_ascii_alphanumeric() || it == '-'));
        let (attribute, behind) = rest.split_at(ends.ok_or(told("cut"))?);
        if attribute.is_empty() || !ATTRIBUTES.contains(&format!(" {attribute} ")) {
            return Err(told("an attribute that is not ours"));
        }
        rest = behind;
        let Some(quoted) = behind.strip_prefix("=\"") else { continue };
        let (value, behind) = quoted.split_once('"').ok_or(told("an open value"))?;
        if ["href", "src", "action"].contains(&attribute) && !local(&decoded(value)) {
            return Err(told("an address that is not ours"));
        }
        words.push_str(value);
        words.push('\n');
        rest = behind;
    }
}

fn local(address: &str) -> bool {
    let path = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
    path || address.starts_with('#') || address.starts_with('?')
}

/// Character references as the console writes them.
fn decoded(text: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#60;", "<"), ("&#62;", ">")];
    let more = [("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&"), ("&#38;", "&")];
    let all = named.into_iter().chain(more);
    all.fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(inside: &str) -> Result<String, String> {
        read(&format!("<!doctype html><html><body><p class=\"a\">{inside}</p></body></html>"))
    }

    #[test]
    fn words_that_became_markup_stand_out() {
        for bad in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<a href=\"//elsewhere.example\">x</a>",
            "<b onclick=\"x\">x</b>",
            "<b class=a>x</b>",
            "<svg/onload=alert(1)>",
            "<input value=\"\" onfocus=\"x\" autofocus>",
            "<style>*{}</style>",
            "<p class=\"open",
        ] {
            assert!(page(bad).is_err(), "{bad}");
        }
        let good = "<a href=\"/cases?a=1&amp;b=2\">&lt;b&gt; &#39;</a><br><input required>";
        assert!(page(good).unwrap().contains("<b> '"));
    }
}
