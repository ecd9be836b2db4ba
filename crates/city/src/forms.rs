//! Fills forms in: registers, procedures and their steps, in the pack's own fields.

use std::collections::{BTreeMap, HashMap};

use mimamori_app::Typed;
use mimamori_demo::rules::{self, Chance};
use mimamori_domain::{InstitutionId, ObjectId, SubjectId, Timestamp};
use mimamori_policy::Language;
use mimamori_policy::Pack;
use mimamori_policy::RoleScope;
use mimamori_policy::model::{Choices, Condition, EffectKind, Field, FieldType, Procedure};

use crate::cast::Cast;

/// How often a field is filled in that need not be.
const OPTIONAL_PERCENT: i32 = 65;
/// People in a field that holds several.
const SEVERAL: usize = 3;
/// Choices in a field that holds several, at most.
const MOST_CHOSEN: i32 = 5;

/// What forms may refer to.
#[derive(Debug, Default)]
pub struct Known {
    pub institutions: Vec<InstitutionId>,
    /// Whom the city's network cares for.
    pub subjects: Vec<SubjectId>,
    /// By the person: the place of who registered them.
    pub registrars: HashMap<SubjectId, usize>,
    /// Entries that `asset` fields choose from.
    pub assets: Vec<ObjectId>,
    /// Entries by their register.
    pub entries: BTreeMap<String, Vec<ObjectId>>,
}

/// Stands in a form where a file is to be attached, until somebody attaches it.
pub const FILE: &str = "file";

/// What a form cannot be filled in without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacks {
    /// An entry of this register, which has none yet.
    Entry(String),
    /// Something that nobody writes into a register.
    Other,
}

/// One form to be filled in.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    /// The register's or procedure's code.
    pub object: &'a str,
    pub fields: &'a [Field],
    /// The step whose form it is.
    pub step: Option<&'a str>,
    /// Whose effects fall on the people in it.
    pub procedure: Option<&'a Procedure>,
    pub at: Timestamp,
    pub story: usize,
    /// Who fills it in.
    pub by: usize,
}

/// What was filled in so far, by `field` or `step.field`.
pub type Earlier = BTreeMap<String, Vec<String>>;

impl Form<'_> {
    /// The form filled in, with [`FILE`] for each file.
    ///
    /// # Errors
    /// What it needs that is not there yet.
    pub fn fill(
        &self,
        pack: &Pack,
        cast: &Cast,
        known: &Known,
        earlier: &Earlier,
        chance: &mut Chance,
    ) -> Result<Typed, Lacks> {
        let mut typed = Typed::new();
        for field in self.fields {
            let asked = field.when.as_ref().is_none_or(|when| self.holds(when, &typed, earlier));
            let wanted = field.required || chance.percent(OPTIONAL_PERCENT);
            if !asked || matches!(field.kind, FieldType::Derived(_)) {
                continue;
            }
            match self.value(field, pack, cast, known, chance).filter(|_| wanted) {
                Some(values) => drop(typed.insert(field.code.clone(), values)),
                None if field.required => return Err(lacks(pack, &field.kind)),
                None => {}
            }
        }
        Ok(typed)
    }

    fn holds(&self, when: &Condition, typed: &Typed, earlier: &Earlier) -> bool {
        let own = when.field.step.as_deref() == self.step;
        let values = if own { typed.get(&when.field.field) } else { earlier.get(&when.field.to_string()) };
        values.into_iter().flatten().any(|value| when.is.contains(value))
    }

    fn value(
        &self,
        field: &Field,
        pack: &Pack,
        cast: &Cast,
        known: &Known,
        chance: &mut Chance,
    ) -> Option<Vec<String>> {
        let code = field.code.as_str();
        let one = |text: String| Some(vec![text]);
        match &field.kind {
            FieldType::Text { most } | FieldType::LongText { most } => {
                let text = rules::text(self.object, code, field.name(Language::Ja), self.story);
                one(text.chars().take(*most as usize).collect())
            }
            FieldType::Number { least, most, .. } => {
                let number = i64::from(rules::amount(code, chance));
                one(number.max(least.unwrap_or(i64::MIN)).min(most.unwrap_or(i64::MAX)).to_string())
            }
            FieldType::Date => one(self.day(code, chance)?.0.to_string()),
            FieldType::Time => one("09:30".to_owned()),
            FieldType::DateTime => {
                let (day, hour) = self.day(code, chance)?;
                one(format!("{day}T{hour:02}:{:02}", 5 * chance.between(0, 11)))
            }
            FieldType::Choice(choices) => {
                let codes: Vec<String> = match choices {
                    Choices::Roles => self.roles(pack),
                    _ => pack.choices(field).into_iter().map(|choice| choice.code).collect(),
                };
                // Most forms are about the usual things, which stand first.
                let place = chance.between(0, i32::try_from(codes.len()).ok()?.saturating_sub(1));
                let usual = if chance.percent(40) { 0 } else { usize::try_from(place).ok()? };
                // Of several, those that follow each other in the list go together.
                let count =
                    if field.many { usize::try_from(chance.between(1, MOST_CHOSEN)).ok()? } else { 1 };
                let chosen: Vec<String> = codes.into_iter().skip(usual).take(count).collect();
                (!chosen.is_empty()).then_some(chosen)
            }
            FieldType::YesNo => one(if chance.percent(60) { "yes" } else { "no" }.to_owned()),
            FieldType::Person => {
                let candidates: Vec<usize> = match self.touches_people() {
                    true => cast.spare.clone(),
                    false => cast.staff().filter(|at| *at != self.by).collect(),
                };
                let count = if field.many { SEVERAL } else { 1 };
                let mut chosen: Vec<String> = Vec::new();
                for _ in 0..count {
                    let member = cast.members.get(*chance.pick(&candidates)?)?;
                    let id = member.actor.to_string();
                    if !chosen.contains(&id) {
                        chosen.push(id);
                    }
                }
                Some(chosen)
            }
            FieldType::Institution => one(chance.pick(&known.institutions)?.to_string()),
            FieldType::Asset => one(chance.pick(&known.assets)?.to_string()),
            FieldType::Entry { register } => one(chance.pick(known.entries.get(register)?)?.to_string()),
            FieldType::File => one(FILE.to_owned()),
            FieldType::Subject => one(chance.pick(&known.subjects)?.to_string()),
            FieldType::Derived(_) => None,
        }
    }

    /// Whether a decision changes accounts or appointments of people in the form.
    fn touches_people(&self) -> bool {
        self.procedure.is_some_and(|procedure| {
            procedure.effects.iter().any(|effect| {
                matches!(
                    effect.action,
                    EffectKind::StopAccount
                        | EffectKind::ResumeAccount
                        | EffectKind::DeleteAccount
                        | EffectKind::ChangeAccount
                        | EffectKind::Appoint
                        | EffectKind::EndAppointment
                        | EffectKind::GrantPrivilege
                )
            })
        })
    }

    /// Roles that a form asks for: of the whole installation and without privileges, for what is
    /// decided is really done.
    fn roles(&self, pack: &Pack) -> Vec<String> {
        let roles = pack.roles().iter().filter(|role| {
            !role.outside && !role.privileged && !role.committee && role.scope == RoleScope::Installation
        });
        roles.map(|role| role.code.as_str().to_owned()).rev().collect()
    }

    fn day(&self, code: &str, chance: &mut Chance) -> Option<(jiff::civil::Date, i32)> {
        let (days, hour) = rules::date(code, chance);
        let at = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(self.at)).date();
        let day = at.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        Some((day, hour))
    }
}

fn lacks(pack: &Pack, kind: &FieldType) -> Lacks {
    match kind {
        FieldType::Entry { register } => Lacks::Entry(register.clone()),
        FieldType::Asset => {
            let assets = pack.registers().iter().find(|register| register.assets);
            assets.map_or(Lacks::Other, |register| Lacks::Entry(register.code.clone()))
        }
        _ => Lacks::Other,
    }
}

/// Adds what a form holds to what is known of a case.
pub fn remember(earlier: &mut Earlier, step: Option<&str>, typed: &Typed) {
    for (field, values) in typed {
        let name = step.map_or_else(|| field.clone(), |step| format!("{step}.{field}"));
        earlier.insert(name, values.clone());
    }
}
