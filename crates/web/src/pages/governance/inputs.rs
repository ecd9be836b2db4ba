//! Controls for the fields of registers, forms and steps: each type has its own, generated from the
//! pack, with what was typed and what is wrong with it.

use std::collections::BTreeMap;

use mimamori_app::{Label, PeopleQuery, Shown, Typed, Values};
use mimamori_domain::{Fault as Broken, ObjectId};
use mimamori_policy::model::{Condition, Field, FieldType};
use serde_json::Value;

use super::references::{References, Resolved};
use super::words::{named, translated};
use crate::error::Fault;
use crate::language::Texts;
use crate::layout::Ask;
use crate::messages;
use crate::pages::paging;
use crate::uploads::Form;

/// Options up to this number are shown at once; more are chosen from a list.
const RADIO: usize = 6;
/// Blank places after what a `many` field holds already.
const BLANKS: usize = 2;
/// Most places of a `many` field.
const PLACES: usize = 200;

/// One field with its control.
#[derive(Debug, Clone, Default)]
pub(crate) struct Control {
    /// The name of its inputs.
    pub(crate) name: String,
    /// The id of its first input.
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) help: Option<String>,
    /// When it is asked for, where that depends on another field.
    pub(crate) condition: Option<String>,
    pub(crate) required: bool,
    pub(crate) error: Option<String>,
    /// `text`, `lines`, `number`, `date`, `time`, `datetime-local`, `radio`, `select`, `checks`,
    /// `suggest`, `file` or `derived`.
    pub(crate) kind: &'static str,
    /// Its inputs, at least one: id, and what stands there.
    pub(crate) places: Vec<(String, String)>,
    pub(crate) options: Vec<Choice>,
    /// The id of the list of suggestions.
    pub(crate) list: String,
    pub(crate) unit: Option<String>,
    pub(crate) most: u32,
    pub(crate) many: bool,
    /// Files kept already: id and name.
    pub(crate) files: Vec<(String, String)>,
}

impl Control {
    /// A group of inputs that share a label, rather than one input.
    pub(crate) fn is_group(&self) -> bool {
        matches!(self.kind, "radio" | "checks")
    }

    /// The code of its field.
    pub(crate) fn code(&self) -> &str {
        self.name.strip_prefix("f.").unwrap_or(&self.name)
    }

    /// The ids that describe its inputs to assistive technology.
    pub(crate) fn described(&self) -> String {
        let mut ids = Vec::new();
        if self.help.is_some() || self.condition.is_some() {
            ids.push(format!("{}-hint", self.id));
        }
        if self.error.is_some() {
            ids.push(format!("{}-error", self.id));
        }
        ids.join(" ")
    }
}

/// Something to choose.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) chosen: bool,
}

/// What stands in a form's inputs, by the code of the field, and what is wrong, by the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filled {
    pub(crate) typed: BTreeMap<String, Vec<String>>,
    pub(crate) wrong: BTreeMap<String, String>,
    /// Names of files that were kept, by their id.
    pub(crate) files: BTreeMap<String, String>,
    /// The person asked for more places in this field.
    pub(crate) more: Option<String>,
}

impl Filled {
    /// What an entry holds, as its form shows it.
    pub(crate) fn of(fields: &[Field], values: &Values, shown: &Shown, references: &References) -> Self {
        let mut filled = Self::default();
        for field in fields {
            let each = match values.get(&field.code) {
                Some(Value::Array(many)) => many.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => continue,
            };
            let texts = each.iter().map(|value| match value {
                Value::Bool(true) => "yes".to_owned(),
                Value::Bool(false) => "no".to_owned(),
                Value::String(text) => references.label(&field.kind, text),
                other => other.to_string(),
            });
            filled.typed.insert(field.code.clone(), texts.collect());
            for label in shown.get(&field.code).into_iter().flatten() {
                if let Label::File { id, name } = label {
                    filled.files.insert(id.to_string(), name.clone());
                }
            }
        }
        filled
    }

    /// Reads a form: keeps its files, and turns what was typed about people, institutions, things
    /// and entries into their ids. Gives what a use case takes, unless something is wrong already.
    pub(crate) async fn read(
        ask: &Ask,
        fields: &[Field],
        form: &Form,
        references: &References,
    ) -> Result<(Self, Typed), Fault> {
        let (mut filled, mut typed) = (Self::default(), Typed::new());
        filled.more = form.fields.some("more");
        for field in fields {
            let name = input_name(&field.code);
            let mut texts: Vec<String> = form.fields.all(&name).map(lines).collect();
            texts.retain(|text| !text.is_empty());
            let mut ids = Vec::new();
            if matches!(field.kind, FieldType::File) {
                filled.keep(ask, field, form, &mut texts).await?;
                ids.clone_from(&texts);
            } else {
                for text in &texts {
                    match resolve(ask, references, &field.kind, text).await? {
                        Resolved::Id(id) => ids.push(id),
                        Resolved::Unknown(key) => {
                            filled.wrong.insert(field.code.clone(), ask.texts().get(key));
                        }
                    }
                }
            }
            filled.typed.insert(field.code.clone(), texts);
            typed.insert(field.code.clone(), ids);
        }
        Ok((filled, typed))
    }

    /// Keeps the files that were sent for a field; `texts` are the ids of those it held already.
    async fn keep(
        &mut self,
        ask: &Ask,
        field: &Field,
        form: &Form,
        texts: &mut Vec<String>,
    ) -> Result<(), Fault> {
        let name = input_name(&field.code);
        for id in texts.iter() {
            let called = form.fields.get(&format!("name.{id}"));
            self.files.insert(id.clone(), called.to_owned());
        }
        for file in form.files.iter().filter(|file| file.field == name) {
            match ask.web.app.attach_file(&ask.caller, &file.name, &file.bytes).await {
                Ok(id) => {
                    if !field.many {
                        texts.clear();
                    }
                    self.files.insert(id.to_string(), file.name.clone());
                    texts.push(id.to_string());
                }
                Err(error) => {
                    let fault = Fault::from(error);
                    let Some(first) = fault.faults.first() else { return Err(fault) };
                    self.wrong.insert(field.code.clone(), messages::rule(first, ask.texts()));
                }
            }
        }
        Ok(())
    }

    /// Puts what the application found wrong beside its fields; gives what is about none of them.
    pub(crate) fn blame(&mut self, fields: &[Field], faults: &[Broken], texts: &Texts) -> Vec<Broken> {
        let (own, others): (Vec<&Broken>, Vec<&Broken>) =
            faults.iter().partition(|fault| fields.iter().any(|field| field.code == fault.place));
        for fault in own {
            let rule = messages::rule(fault, texts);
            let told = self.wrong.entry(fault.place.clone()).or_default();
            // A file may be wrong in many places; each has its line.
            if !told.is_empty() {
                told.push('\n');
            }
            told.push_str(&rule);
        }
        others.into_iter().cloned().collect()
    }
}

/// The name of a field's inputs: set apart from the form's own words.
pub(crate) fn input_name(code: &str) -> String {
    format!("f.{code}")
}

fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.trim().chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// What a typed text stands for.
async fn resolve(
    ask: &Ask,
    references: &References,
    kind: &FieldType,
    text: &str,
) -> Result<Resolved, Fault> {
    if !matches!(kind, FieldType::Subject) {
        return Ok(references.resolve(kind, text));
    }
    let id = text.rsplit('/').next().unwrap_or_default();
    if id.parse::<ObjectId>().is_ok() {
        return Ok(Resolved::Id(id.to_owned()));
    }
    let query = PeopleQuery { name: Some(text.to_owned()), ..PeopleQuery::default() };
    let found = ask.web.app.search_people(&ask.caller, &query, &paging(&Default::default(), 2)).await;
    Ok(match found {
        Ok(list) => match list.items.as_slice() {
            [only] => Resolved::Id(only.subject.to_string()),
            [] => Resolved::Unknown("input-subject-unknown"),
            _ => Resolved::Unknown("input-subject-several"),
        },
        Err(error) => {
            let fault = Fault::from(error);
            if !crate::pages::shown_again(&fault) && fault.status != axum::http::StatusCode::FORBIDDEN {
                return Err(fault);
            }
            Resolved::Unknown("input-subject-unknown")
        }
    })
}

/// The controls of these fields.
pub(crate) fn controls(
    ask: &Ask,
    fields: &[Field],
    filled: &Filled,
    references: &References,
) -> Vec<Control> {
    let pack = ask.web.app.pack();
    fields.iter().map(|field| control(ask, pack, fields, field, filled, references)).collect()
}

fn control(
    ask: &Ask,
    pack: &mimamori_policy::Pack,
    fields: &[Field],
    field: &Field,
    filled: &Filled,
    references: &References,
) -> Control {
    let texts = ask.texts();
    let language = translated(texts);
    let typed = filled.typed.get(&field.code).cloned().unwrap_or_default();
    let mut control = Control {
        name: input_name(&field.code),
        id: format!("f-{}", field.code),
        label: field.name(language).to_owned(),
        help: field.help(language).map(str::to_owned),
        condition: field.when.as_ref().and_then(|when| condition(pack, fields, when, texts)),
        required: field.required,
        error: filled.wrong.get(&field.code).cloned(),
        many: field.many,
        ..Control::default()
    };
    let chosen = |value: &str| typed.iter().any(|text| text == value);
    match &field.kind {
        FieldType::Text { most } => (control.kind, control.most) = ("text", *most),
        FieldType::LongText { most } => (control.kind, control.most) = ("lines", *most),
        FieldType::Number { unit, .. } => {
            control.kind = "number";
            control.unit = unit.as_ref().map(|unit| named(unit, texts));
        }
        FieldType::Date => control.kind = "date",
        FieldType::Time => control.kind = "time",
        FieldType::DateTime => control.kind = "datetime-local",
        FieldType::Choice(_) => {
            let choices = pack.choices(field);
            control.kind = match (field.many, choices.len()) {
                (true, _) => "checks",
                (false, n) if n <= RADIO => "radio",
                (false, _) => "select",
            };
            control.options = choices
                .into_iter()
                .map(|choice| Choice {
                    chosen: chosen(&choice.code),
                    label: choice.name(language).to_owned(),
                    value: choice.code,
                })
                .collect();
        }
        FieldType::YesNo => {
            control.kind = "radio";
            let option = |value: &str, key: &str| Choice {
                value: value.to_owned(),
                label: texts.get(key),
                chosen: chosen(value),
            };
            control.options = vec![option("yes", "word-yes"), option("no", "word-no")];
        }
        FieldType::Person | FieldType::Institution | FieldType::Asset | FieldType::Entry { .. } => {
            let list = references.list(&field.kind);
            control.list = References::list_id(&field.kind);
            control.kind = "suggest";
            // A short list is chosen from; what stands in the form stays choosable.
            if list.len() <= 12 && !field.many && typed.iter().all(|text| list.iter().any(|(_, l)| l == text))
            {
                control.kind = "select";
                control.options = list
                    .iter()
                    .map(|(_, label)| Choice {
                        value: label.clone(),
                        label: label.clone(),
                        chosen: chosen(label),
                    })
                    .collect();
            }
        }
        FieldType::Subject => {
            control.kind = "suggest";
            if control.help.is_none() {
                control.help = Some(texts.get("input-subject-hint"));
            }
        }
        FieldType::File => {
            control.kind = "file";
            control.files = typed
                .iter()
                .map(|id| (id.clone(), filled.files.get(id).cloned().unwrap_or_default()))
                .collect();
        }
        FieldType::Derived(_) => control.kind = "derived",
    }
    let wanted = filled.more.as_deref() == Some(field.code.as_str());
    let blanks = match (control.many, wanted) {
        (false, _) => usize::from(typed.is_empty()),
        (true, false) => BLANKS,
        (true, true) => BLANKS + 6,
    };
    let places = (typed.len() + blanks).min(PLACES.max(typed.len()));
    let values = typed.into_iter().chain(std::iter::repeat(String::new())).take(places);
    let id = |at: usize| if at == 0 { control.id.clone() } else { format!("{}-{at}", control.id) };
    control.places = values.enumerate().map(|(at, value)| (id(at), value)).collect();
    control
}

/// When a field is asked for, in words.
fn condition(
    pack: &mimamori_policy::Pack,
    fields: &[Field],
    when: &Condition,
    texts: &Texts,
) -> Option<String> {
    let language = translated(texts);
    let field = fields.iter().find(|field| field.code == when.field.field)?;
    let choices = pack.choices(field);
    let words: Vec<String> = when
        .is
        .iter()
        .map(|code| match code.as_str() {
            "yes" => texts.get("word-yes"),
            "no" => texts.get("word-no"),
            code => choices
                .iter()
                .find(|choice| choice.code == code)
                .map_or_else(|| code.to_owned(), |choice| choice.name(language).to_owned()),
        })
        .collect();
    let is = words.join(&texts.get("list-or"));
    Some(texts.pairs("input-when", &[("field", field.name(language)), ("is", &is)]))
}
