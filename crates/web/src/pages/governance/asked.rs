//! Forms of these pages themselves: their fields are made like those of the pack, so that each type
//! has its control, what was typed is kept, and what is wrong stands beside its field.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mimamori_app::{OpenedFile, Typed};
use mimamori_policy::Text;
use mimamori_policy::model::{Field, FieldType};

use super::inputs::{Control, Filled, controls};
use super::references::References;
use crate::error::Fault;
use crate::language::Language;
use crate::layout::Ask;
use crate::pages::{form_error, shown_again};
use crate::uploads::Form;

/// A field of a form of ours; `label` and `help` are keys of texts.
pub(super) fn field(code: &str, label: &str, help: Option<&str>, kind: FieldType) -> Field {
    Field {
        code: code.to_owned(),
        name: text(label),
        help: help.map(text),
        kind,
        required: false,
        many: false,
        when: None,
    }
}

/// The same, that must be filled in.
pub(super) fn must(code: &str, label: &str, help: Option<&str>, kind: FieldType) -> Field {
    Field { required: true, ..field(code, label, help, kind) }
}

/// A text of ours in both languages.
fn text(key: &str) -> Text {
    Text::new(Language::Japanese.texts().get(key), Language::English.texts().get(key))
}

/// A form as it is shown.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) controls: Vec<Control>,
    pub(super) lists: Vec<(String, Vec<String>)>,
    /// What the head of the form says.
    pub(super) error: Option<String>,
}

/// A form as it was sent.
pub(super) struct Sent {
    filled: Filled,
    references: References,
    pub(super) typed: Typed,
}

impl Asked {
    /// The form with what stands in it at first.
    pub(super) async fn new(ask: &Ask, fields: &[Field], filled: &Filled) -> Result<Self, Fault> {
        let references = References::ask(ask, fields).await?;
        Ok(Self::of(ask, fields, filled, &references))
    }

    fn of(ask: &Ask, fields: &[Field], filled: &Filled, references: &References) -> Self {
        Self {
            controls: controls(ask, fields, filled, references),
            lists: references.suggestions(),
            error: None,
        }
    }
}

impl Sent {
    pub(super) async fn read(ask: &Ask, fields: &[Field], form: &Form) -> Result<Self, Fault> {
        let references = References::ask(ask, fields).await?;
        let (filled, typed) = Filled::read(ask, fields, form, &references).await?;
        Ok(Self { filled, references, typed })
    }

    /// What was typed into a field that holds one thing; empty when nothing was.
    pub(super) fn get(&self, code: &str) -> &str {
        self.typed.get(code).and_then(|all| all.first()).map_or("", String::as_str)
    }

    /// What was typed, as `T`.
    pub(super) fn parsed<T: std::str::FromStr>(&self, code: &str) -> Option<T> {
        self.get(code).parse().ok()
    }

    /// Every value of a field that is a `T`.
    pub(super) fn all<T: std::str::FromStr>(&self, code: &str) -> Vec<T> {
        self.typed.get(code).into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
    }

    /// Says what is wrong with a field; `key` is the key of a text.
    pub(super) fn wrong(&mut self, ask: &Ask, code: &str, key: &str) {
        self.filled.wrong.entry(code.to_owned()).or_insert_with(|| ask.texts().get(key));
    }

    /// Marks the fields that must be filled in and are not.
    pub(super) fn missing(&mut self, ask: &Ask, fields: &[Field]) {
        for field in fields.iter().filter(|field| field.required) {
            if self.get(&field.code).is_empty() {
                self.wrong(ask, &field.code, "asked-missing");
            }
        }
    }

    /// Whether nothing is wrong so far.
    pub(super) fn right(&self) -> bool {
        self.filled.wrong.is_empty()
    }

    /// The form again, with what was typed and what is wrong: by what was found here already, or by
    /// the application. Gives the fault back when the person may not go on.
    pub(super) fn again(
        mut self,
        ask: &Ask,
        fields: &[Field],
        fault: Option<Fault>,
    ) -> Result<(StatusCode, Asked), Fault> {
        let texts = ask.texts();
        let (status, told) = match fault {
            None => (StatusCode::UNPROCESSABLE_ENTITY, texts.get("form-has-faults")),
            Some(fault) if !shown_again(&fault) => return Err(fault),
            Some(mut fault) => {
                let before = fault.faults.len();
                fault.faults = self.filled.blame(fields, &fault.faults, texts);
                let beside = before > 0 && fault.faults.is_empty();
                let told = if beside { texts.get("form-has-faults") } else { form_error(&fault, texts) };
                (fault.status, told)
            }
        };
        let mut asked = Asked::of(ask, fields, &self.filled, &self.references);
        asked.error = Some(told);
        Ok((status, asked))
    }
}

/// A file as a download: never shown by the browser as a page of this site.
pub(super) fn download(file: OpenedFile) -> Response {
    use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
    let disposition = crate::uploads::disposition("attachment", &file.name);
    let kind = if file.media_type.starts_with("text/") {
        "text/plain; charset=utf-8".to_owned()
    } else {
        file.media_type
    };
    let mut response =
        ([(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)], file.bytes).into_response();
    response.extensions_mut().insert(crate::error::Rendered);
    response
}
