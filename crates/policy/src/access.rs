//! The access policies of a pack: parsed, validated against the program's schema, and put in order.

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{
    Effect as CedarEffect, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet, Schema,
    ValidationMode, Validator,
};
use miette::Diagnostic;
use mimamori_domain::LegalBasis;

use crate::pack::load::POLICIES;
use crate::pack::{Pack, Problems, embedded};
use crate::question::Mentioned;
use crate::text::Text;

/// The program's side of the contract with policies: the pack's copy serves editors and readers.
pub(crate) const PROGRAM_SCHEMA: &str = include_str!("../../../packs/base/access.cedarschema");

/// A policy's stable name: its `@id`.
pub type PolicyName = Arc<str>;

/// What a pack's two access files say.
pub(crate) struct Sources<'a> {
    pub policies: &'a str,
    pub policies_file: &'a str,
    pub schema: &'a str,
    pub schema_file: &'a str,
}

/// One policy's own words.
#[derive(Debug, Clone)]
pub(crate) struct PolicyInfo {
    pub name: PolicyName,
    pub forbids: bool,
    pub basis: LegalBasis,
    pub text: Text,
}

/// Compiled policies, and their words in the order of the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    pub policies: PolicySet,
    pub infos: Vec<PolicyInfo>,
    pub order: HashMap<PolicyId, usize>,
    pub mentioned: Mentioned,
}

impl Access {
    /// Parses and validates. What it returns is of use only when no problem was added.
    pub(crate) fn compile(sources: &Sources<'_>, pack: &Pack, problems: &mut Problems) -> Self {
        // Before Cedar sees them: its parser calls itself for each level.
        let sized = [
            within_limits(sources.policies, sources.policies_file, problems),
            within_limits(sources.schema, sources.schema_file, problems),
        ];
        if sized.contains(&false) {
            return Self::default();
        }
        let Some(parsed) = parse(sources, problems) else {
            return Self::default();
        };
        let mut access = Self { mentioned: mentioned(sources.policies), ..Self::default() };
        for (place, policy) in parsed.iter().enumerate() {
            let Some((info, policy)) = named(place, policy, sources, problems) else {
                continue;
            };
            for literal in policy.entity_literals() {
                if let Some(fault) = unknown_literal(&literal, pack) {
                    problems.add(
                        sources.policies_file,
                        line_of(sources, &info.name),
                        format!("{}: {fault}", info.name),
                    );
                }
            }
            let id = policy.id().clone();
            match access.policies.add(policy) {
                Ok(()) => {
                    access.order.insert(id, access.infos.len());
                    access.infos.push(info);
                }
                Err(_) => problems.add(
                    sources.policies_file,
                    line_of(sources, &info.name),
                    format!("policy {} stands twice", info.name),
                ),
            }
        }
        // Policies inside the program are known to be valid by its own schema: a test asks each. Two
        // schemas that say the same would find the same faults: the second is asked only when the first
        // finds none, and one that is the program's own, letter by letter, not at all.
        let valid = embedded::has(POLICIES, sources.policies)
            || validate(&access.policies, PROGRAM_SCHEMA, "the program's schema", sources, problems);
        if valid && sources.schema != PROGRAM_SCHEMA {
            validate(&access.policies, sources.schema, sources.schema_file, sources, problems);
        }
        access
    }
}

/// What the conditions look at. An attribute can be reached only by its name, so a name that stands
/// nowhere outside comments and annotations is not looked at; one that stands there for something else
/// counts too, which is harmless. A string with an escape could spell any name.
fn mentioned(policies: &str) -> Mentioned {
    let text = without_annotations(policies);
    let escapes = text.contains('\\');
    let mentions = |words: &[&str]| escapes || words.iter().any(|word| has_word(&text, word));
    Mentioned {
        occupation: mentions(&["occupation"]),
        class: mentions(&["class", "sensitivity"]),
        zone: mentions(&["zone"]),
    }
}

/// Policies without comments and without `@name("...")`. Other strings stay: `context["zone"]` reaches an
/// attribute too.
fn without_annotations(policies: &str) -> String {
    let mut rest = String::with_capacity(policies.len());
    let mut letters = policies.chars().peekable();
    let mut annotation = false;
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => while letters.next_if(|c| *c != '\n').is_some() {},
            '@' => annotation = true,
            '"' => {
                let mut escaped = false;
                while let Some(inside) = letters.next_if(|c| escaped || *c != '"') {
                    escaped = inside == '\\' && !escaped;
                    if !annotation {
                        rest.push(inside);
                    }
                }
                letters.next();
                rest.push(' ');
            }
            ')' if annotation => annotation = false,
            _ if annotation => {}
            _ => rest.push(letter),
        }
    }
    rest
}

/// Greatest number of words and signs in one statement, and of brackets inside one another. Rules
/// that people read stay far below; a text made to exhaust the parser's stack does not.
const MOST_TOKENS: usize = 1_000;
const MOST_DEPTH: usize = 32;

/// Refuses statements too long or too deep to be rules. Strings count as one word, comments as none.
fn within_limits(text: &str, file: &str, problems: &mut Problems) -> bool {
    let (mut line, mut tokens, mut depth) = (1, 0_usize, 0_usize);
    let mut in_word = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let word = letter.is_alphanumeric() || letter == '_';
        let goes_on = word && in_word;
        if !(goes_on || letter.is_whitespace()) {
            tokens += 1;
        }
        in_word = word;
        match letter {
            '\n' => line += 1,
            '/' if letters.peek() == Some(&'/') => {
                while letters.next_if(|c| *c != '\n').is_some() {}
                tokens -= 1;
            }
            '"' => {
                let mut escaped = false;
                while let Some(inside) = letters.next_if(|c| escaped || *c != '"') {
                    escaped = inside == '\\' && !escaped;
                    line += u64::from(inside == '\n');
                }
                letters.next();
            }
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            ';' => (tokens, depth) = (0, 0),
            _ => {}
        }
        if tokens > MOST_TOKENS || depth > MOST_DEPTH {
            problems.add(
                file,
                line,
                format!(
                    "a statement of more than {MOST_TOKENS} words or {MOST_DEPTH} brackets inside one another"
                ),
            );
            return false;
        }
    }
    true
}

/// Whether a text contains a word that is not part of a longer identifier.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|t| t.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

/// The policies in the order of the file.
fn parse(sources: &Sources<'_>, problems: &mut Problems) -> Option<Vec<Policy>> {
    let set = match PolicySet::from_str(sources.policies) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                problems.add(sources.policies_file, line(sources.policies, error), error.to_string());
            }
            return None;
        }
    };
    if let Some(template) = set.templates().next() {
        problems.add(
            sources.policies_file,
            0,
            format!("{}: templates with slots are not used", template.id()),
        );
    }
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    // Cedar numbers what it parses: policy0, policy1 ...
    policies.sort_by_key(|p| {
        p.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    if policies.is_empty() {
        problems.add(sources.policies_file, 0, "no policy at all: nobody could do anything");
    }
    Some(policies)
}

/// Reads a policy's annotations and gives it its own name.
fn named(
    place: usize,
    policy: &Policy,
    sources: &Sources<'_>,
    problems: &mut Problems,
) -> Option<(PolicyInfo, Policy)> {
    let file = sources.policies_file;
    let Some(name) = policy.annotation("id").filter(|id| mimamori_domain::RoleCode::new(id).is_ok()) else {
        problems.add(
            file,
            0,
            format!("policy number {} has no @id of a-z, 0-9 and '-', at most 64", place + 1),
        );
        return None;
    };
    // Looked for only where there is a problem: the file is long.
    let at = || line_of(sources, name);
    let mut words = |key: &str| {
        let words = policy.annotation(key).map(str::trim).unwrap_or_default();
        if words.is_empty() {
            problems.add(file, at(), format!("{name}: @{key} is missing"));
        }
        words.to_owned()
    };
    let (ja, en, basis) = (words("ja"), words("en"), words("basis"));
    let known = ["id", "basis", "ja", "en"];
    for (key, _) in policy.annotations().filter(|(key, _)| !known.contains(key)) {
        problems.add(file, at(), format!("{name}: no annotation @{key}; known are @{}", known.join(", @")));
    }
    let forbids = policy.effect() == CedarEffect::Forbid;
    let basis = match basis.parse::<LegalBasis>() {
        Ok(LegalBasis::None) if !forbids => {
            problems.add(file, at(), format!("{name}: what permits needs a legal basis"));
            LegalBasis::None
        }
        Ok(basis) => basis,
        Err(_) => {
            let words: Vec<_> = LegalBasis::ALL.iter().map(|b| b.as_str()).collect();
            problems.add(file, at(), format!("{name}: @basis is one of {}", words.join(", ")));
            LegalBasis::None
        }
    };
    let info = PolicyInfo { name: name.into(), forbids, basis, text: Text::new(ja, en) };
    Some((info, policy.new_id(PolicyId::new(name))))
}

/// Validates strictly; tells whether no fault was found.
fn validate(
    policies: &PolicySet,
    schema: &str,
    file: &str,
    sources: &Sources<'_>,
    problems: &mut Problems,
) -> bool {
    let schema = match Schema::from_cedarschema_str(schema) {
        Ok((schema, _warnings)) => schema,
        Err(error) => {
            problems.add(file, line(schema, &error), error.to_string());
            return false;
        }
    };
    let result = Validator::new(schema).validate(policies, ValidationMode::Strict);
    for error in result.validation_errors() {
        problems.add(sources.policies_file, line(sources.policies, error), format!("{error} ({file})"));
    }
    // A warning tells of a policy that can never apply or mixes alphabets: both are mistakes here.
    for warning in result.validation_warnings() {
        problems.add(sources.policies_file, line(sources.policies, warning), warning.to_string());
    }
    result.validation_passed_without_warnings()
}

/// A code that the pack's own files do not define would make a policy silently useless.
fn unknown_literal(literal: &EntityUid, pack: &Pack) -> Option<String> {
    let id = literal.id().unescaped();
    let known: BTreeSet<&str> = match literal.type_name().basename() {
        "Occupation" => pack.occupations.iter().map(|o| o.code.as_str()).collect(),
        "Role" => pack.roles.iter().map(|r| r.code.as_str()).collect(),
        "Class" => pack.classes.iter().map(|c| c.code.as_str()).collect(),
        "Zone" => pack.zones.iter().map(|z| z.code.as_str()).collect(),
        "Thing" => pack.things.iter().map(|t| t.code.as_str()).collect(),
        // The schema itself limits these.
        "Action" | "Purpose" | "State" => return None,
        other => return Some(format!("a policy cannot name one single {other}")),
    };
    (!known.contains(id)).then(|| format!("{literal} is not defined in this pack"))
}

/// The first line a diagnostic points at; 0 when it points nowhere.
fn line(text: &str, diagnostic: &dyn Diagnostic) -> u64 {
    let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    offset.map_or(0, |offset| line_at(text, offset))
}

/// The line of a policy's `@id`.
fn line_of(sources: &Sources<'_>, name: &str) -> u64 {
    sources.policies.find(&format!("@id(\"{name}\")")).map_or(0, |offset| line_at(sources.policies, offset))
}

fn line_at(text: &str, offset: usize) -> u64 {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count() as u64
}

/// An entity's identifier, built without parsing text. `type_name` must be a plain Cedar name.
pub(crate) fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conditions_mention_attributes() {
        let policies = r#"
            // Whatever the zone of an occupation.
            @id("class") @ja("zone \"occupation\" ) zone") @basis("consent")
            permit(principal, action, resource) when { WHEN };
        "#;
        let mentions = |when: &str| {
            let Mentioned { occupation, class, zone } = mentioned(&policies.replace("WHEN", when));
            [occupation, class, zone]
        };
        assert_eq!(mentions("principal.id == \"a\""), [false; 3]);
        assert_eq!(mentions("context.zone == Zone::\"x\" && principal has occupation"), [true, false, true]);
        assert_eq!(mentions("context[\"zone\"] == 1 && resource.sensitivity > 2"), [false, true, true]);
        assert_eq!(mentions("\"@\" == \"\" && resource.class == 1 // zone"), [false, true, false]);
        assert_eq!(mentions("principal.zones == 1"), [false; 3]);
        assert_eq!(mentions("context[\"z\\u{6f}ne\"] == 1"), [true; 3]);
    }

    /// [`Access::compile`] takes this as known.
    #[test]
    fn policies_inside_the_program_are_valid_by_its_schema() {
        let mut asked = 0;
        for files in embedded::ids().filter_map(embedded::files) {
            let Some(text) = files.get(POLICIES).map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            else {
                continue;
            };
            let sources = Sources {
                policies: &text,
                policies_file: POLICIES,
                schema: PROGRAM_SCHEMA,
                schema_file: "the program's schema",
            };
            let valid = |text: &str| {
                let (policies, mut problems) = (PolicySet::from_str(text).unwrap(), Problems::default());
                let valid =
                    validate(&policies, PROGRAM_SCHEMA, "the program's schema", &sources, &mut problems);
                assert_eq!(valid, !problems.any());
                valid
            };
            assert!(valid(&text));
            // The same with one wrong word is not.
            let wrong = text.replacen("context.", "context.no-", 1).replace("context.no-", "context.no_");
            assert!(wrong != text && !valid(&wrong));
            asked += 1;
        }
        assert!(asked > 0);
    }
}
