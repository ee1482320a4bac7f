//! What the office is sent, as its own people write it. Values are escaped as the file's ending says,
//! and a name that nobody knows is an error with its line before anything is sent.

use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

/// Largest template.
const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;
/// Steps of one rendering; a loop without end stops here.
const FUEL: u64 = 1_000_000;

/// A template that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    /// Not there, too large or not UTF-8.
    #[error("cannot read the template `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The ending decides what is escaped.
    #[error("the template `{path}` must end in .json or .xml", path = path.display())]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// A mistake in it, or a value that it names and the work does not have.
    #[error("template `{name}`, line {line}: {what}")]
    Mistake {
        /// The file or setting.
        name: String,
        /// Where.
        line: usize,
        /// What; of values only their names.
        what: String,
    },
    /// The rendered text is not what its ending says.
    #[error("template `{name}` does not make whole {kind}")]
    NotWhole {
        /// The file.
        name: String,
        /// JSON or XML.
        kind: &'static str,
    },
}

/// A checked template.
pub(super) struct Template {
    name: String,
    environment: Environment<'static>,
}

impl Template {
    pub(super) fn load(path: &Path) -> Result<Self, TemplateError> {
        let read = |source| TemplateError::Read { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(read)?.len() > TEMPLATE_BYTES_MAX {
            return Err(read(std::io::Error::other("larger than 256 KiB")));
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let ending = path.extension().and_then(|it| it.to_str()).unwrap_or("");
        let escape = match ending {
            "json" => AutoEscape::Json,
            "xml" => AutoEscape::Html,
            _ => return Err(TemplateError::Ending { path: path.to_owned() }),
        };
        Self::of(&path.display().to_string(), text, escape)
    }

    /// One line in the configuration that becomes a URL.
    pub(super) fn url(name: &str, text: &str) -> Result<Self, TemplateError> {
        Self::of(name, text.to_owned(), AutoEscape::None)
    }

    fn of(name: &str, text: String, escape: AutoEscape) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.set_fuel(Some(FUEL));
        environment.add_template_owned("it", text).map_err(|it| mistake(name, &it))?;
        Ok(Self { name: name.to_owned(), environment })
    }

    pub(super) fn is_json(&self) -> bool {
        self.name.ends_with(".json")
    }

    /// The text; whole JSON or XML where the template is a file.
    pub(super) fn render(&self, values: &Value) -> Result<String, TemplateError> {
        let template = self.environment.get_template("it").expect("it was added under this name");
        template.render(minijinja::value::Serde(values)).map_err(|it| mistake(&self.name, &it))
    }

    /// The same for a body, and it is what its ending says.
    pub(super) fn body(&self, values: &Value) -> Result<String, TemplateError> {
        let text = self.render(values)?;
        let kind = if self.is_json() { "JSON" } else { "XML" };
        let illegal = text.chars().any(|it| it.is_control() && !"\t\r\n".contains(it));
        let starts_right = self.is_json() != text.trim_start().starts_with('<');
        if illegal || !starts_right || super::document::read(&text, None).is_err() {
            return Err(TemplateError::NotWhole { name: self.name.clone(), kind });
        }
        Ok(text)
    }
}

/// Only kind and place: the detail of an error may repeat a value.
fn mistake(name: &str, error: &minijinja::Error) -> TemplateError {
    let what = match error.kind() {
        minijinja::ErrorKind::UndefinedError => {
            "it names a value that the work does not have (a misspelt name, or one that is not always there: {% if name is defined %})".to_owned()
        }
        kind => kind.to_string(),
    };
    TemplateError::Mistake { name: name.to_owned(), line: error.line().unwrap_or(1), what }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(name: &str, text: &str) -> Result<Template, TemplateError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Template::load(&path)
    }

    #[test]
    fn values_are_escaped_as_the_ending_says() {
        let values = json!({"name": "O'\"<&>\\\n", "list": ["a\"", "b"]});
        let it = template("w.json", "{\"n\": {{ name }}, \"l\": {{ list }}}").unwrap();
        let told: Value = serde_json::from_str(&it.body(&values).unwrap()).unwrap();
        assert_eq!((&told["n"], &told["l"]), (&values["name"], &values["list"]));
        let it = template("w.xml", "<a><n>{{ name }}</n></a>").unwrap();
        let told = super::super::document::read(&it.body(&values).unwrap(), None).unwrap();
        assert_eq!(told["a"]["n"], "O'\"<&>\\");
    }

    #[test]
    fn mistakes_are_named_with_their_line_and_without_values() {
        let error = template("w.json", "{\n\"n\": {{ name }\n}").err().unwrap().to_string();
        assert!(error.contains("line 2") && error.contains("w.json"), "{error}");
        let it = template("w.json", "{\n\n\"n\": {{ nmae }}}").unwrap();
        let error = it.body(&json!({"name": "甲"})).unwrap_err().to_string();
        assert!(error.contains("line 3") && !error.contains("甲"), "{error}");
        let it = template("w.json", "{\"n\": {{ name }}").unwrap();
        assert!(it.body(&json!({"name": 1})).unwrap_err().to_string().contains("whole JSON"));
        let it = template("w.xml", "<a>{{ name }}</a>").unwrap();
        assert!(it.body(&json!({"name": "\u{1}"})).unwrap_err().to_string().contains("whole XML"));
        assert!(template("w.txt", "x").err().unwrap().to_string().contains(".json or .xml"));
        let endless =
            "[{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}]";
        assert!(template("w.json", endless).unwrap().body(&json!({})).is_err());
    }
}
