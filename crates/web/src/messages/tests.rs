use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use mimamori_domain::Error;

use super::*;

fn in_japanese(error: Error) -> String {
    said(&Fault::from(error), Language::Japanese.texts())
}

fn has_japanese(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}'))
}

#[test]
fn rows_are_whole_and_unique_and_their_parts_agree() {
    let mut known = BTreeSet::new();
    for line in TABLE.lines().filter(|l| !l.starts_with('#')) {
        let (english, japanese) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
        assert!(known.insert(english), "{english} stands twice");
        assert!(!has_japanese(english) && has_japanese(japanese), "{line}");
        assert!(japanese.ends_with('。'), "a sentence that says what to do: {japanese}");
        assert_eq!(english.matches(PART).count(), japanese.matches(PART).count(), "{line}");
    }
}

#[test]
fn messages_are_in_the_language_of_the_page() {
    let conflict = || Error::conflict("this sign-in name is taken; choose another one");
    assert!(in_japanese(conflict()).contains("別の利用者IDを決めてください"));
    let english = said(&Fault::from(conflict()), Language::English.texts());
    assert_eq!(english, "this sign-in name is taken; choose another one");
    let parts = in_japanese(Error::invalid("the roles auditor and help-desk may not be held together"));
    assert_eq!(
        parts,
        "役割「auditor」と「help-desk」は、1人で兼ねることができません。どちらかを外してください。"
    );
    // Not told at all: nothing of use to whoever asked.
    assert_eq!(in_japanese(Error::internal("disk")), "");
    // English never stands beside Japanese.
    assert_eq!(in_japanese(Error::conflict("no row says this")), "");
}

#[test]
fn places_are_named_and_rules_without_a_row_are_told_in_general() {
    let fault = |rule: &str| mimamori_domain::Fault {
        place: "Observation.status".to_owned(),
        rule: rule.to_owned(),
        code: "required",
    };
    let message = "the resource breaks FHIR's rules; correct the places named and send it again";
    let error = || Error::invalid_at(message, vec![fault("this element is required")]);
    let text = in_japanese(error());
    assert!(text.contains("Observation.status") && text.contains("規則に合いません"), "{text}");
    assert!(!text.contains("required"), "{text}");
    let english = said(&Fault::from(error()), Language::English.texts());
    assert!(english.contains("Observation.status: this element is required"), "{english}");
    // What is message and rule at once is said once.
    let once = in_japanese(Error::invalid_at("a value is needed", vec![fault("a value is needed")]));
    assert_eq!(once.matches("値が入力されていません").count(), 1);
    assert_eq!(said(&Fault::status(StatusCode::CONFLICT), Language::Japanese.texts()), "");
}

/// Reached from the command line and from jobs alone: nobody meets their messages on a page.
const COMMAND_LINE: [&str; 5] = ["import", "key_admin", "ledger", "install.rs", "explain.rs"];

/// How messages begin in sources, and which argument they are.
const CONSTRUCTORS: [(&str, usize); 6] = [
    ("Error::new(", 1),
    ("Error::invalid(", 0),
    ("Error::conflict(", 0),
    ("Error::invalid_at(", 0),
    ("Self::new(ErrorKind::", 1),
    ("fault(", 1),
];

#[test]
fn every_message_that_can_reach_a_page_has_its_japanese() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = vec![crates.join("domain/src/error.rs")];
    sources(&crates.join("app/src"), &mut files);
    let messages: BTreeSet<String> = files.iter().flat_map(|file| messages_of(file)).collect();
    assert!(messages.len() > 35, "messages were not found: {}", messages.len());
    // One of each way they are written: plain, by name, with parts, of the domain.
    for message in [
        "a reason of 1 to 1,000 characters is needed",
        "this type is read by its id only",
        "the roles {} and {} may not be held together",
        "not permitted",
    ] {
        assert!(messages.contains(message), "{message} was not found");
    }
    let known: BTreeSet<&str> = rows(TABLE).map(|(english, _)| english).collect();
    let missing: Vec<&String> = messages.iter().filter(|m| !known.contains(m.as_str())).collect();
    assert!(missing.is_empty(), "locales/ja/messages.tsv lacks {missing:#?}");
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap();
        if COMMAND_LINE.contains(&name) {
            continue;
        }
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The messages in a source file; parts that vary as [`PART`].
fn messages_of(file: &Path) -> Vec<String> {
    told_in(file, &CONSTRUCTORS)
}

/// The messages that calls of these names are given.
fn told_in(file: &Path, calls: &[(&str, usize)]) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    for &(call, place) in calls {
        for (at, _) in text.match_indices(call) {
            let open = at + call.find('(').unwrap() + 1;
            let Some(argument) = arguments(&text[open..]).into_iter().nth(place) else { continue };
            let argument = argument.trim().trim_start_matches('&');
            if argument.contains('"') {
                found.extend(strings(argument));
                continue;
            }
            // By name: whatever was last bound to it.
            if let Some(bound) = text[..at].rfind(&format!("let {argument} =")) {
                found.extend(strings(text[bound..].split(';').next().unwrap_or_default()));
            }
        }
    }
    found.iter().map(|message| with_parts(message)).collect()
}

/// The arguments of a call whose parenthesis has just been opened.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    let mut found = vec![String::new()];
    for c in text.chars() {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            match c {
                '"' => quoted = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        found.last_mut().unwrap().push(c);
    }
    found
}

/// The string literals in a piece of source.
fn strings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while rest.any(|c| c == '"') {
        let mut literal = String::new();
        while let Some(c) = rest.next().filter(|c| *c != '"') {
            if c != '\\' {
                literal.push(c);
                continue;
            }
            match rest.next() {
                Some('\n') => while rest.next_if(|c| c.is_whitespace()).is_some() {},
                Some(other) => literal.push(other),
                None => {}
            }
        }
        found.push(literal);
    }
    found
}

/// `{least}` as `{}`.
fn with_parts(message: &str) -> String {
    let mut pieces = message.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str(PART);
        text.push_str(piece.split_once('}').map_or("", |(_, after)| after));
    }
    text
}

/// How problems of packs are told in sources, and which argument is what is wrong.
const OF_PROBLEMS: [(&str, usize); 5] = [
    ("object.problem(", 0),
    ("row.problem(", 0),
    (".problem_at(", 1),
    ("problems.add(", 2),
    ("cx.problem(", 2),
];

/// Nothing but parts: what they say is told where they are made.
const PASSED_ON: [&str; 4] = ["rule: {}", "value: {}", "{}: no {} {}", "{}: {}, not {}"];

#[test]
fn every_problem_of_a_pack_has_its_japanese() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    sources(&crates.join("policy/src/pack"), &mut files);
    let problems: BTreeSet<String> = files
        .iter()
        .flat_map(|file| told_in(file, &OF_PROBLEMS))
        .map(|text| text.replace("{:?}", PART))
        .collect();
    assert!(problems.len() > 100, "problems were not found: {}", problems.len());
    for known in ["a second document; a file holds one", "{} needs the argument {}", "stands twice"] {
        assert!(problems.contains(known), "{known} was not found");
    }
    let said = |problem: &str| pack_problem(&format!("a.yaml:1: {}", problem.replace(PART, "x")));
    let missing: Vec<&String> = problems
        .iter()
        .filter(|problem| !PASSED_ON.contains(&problem.as_str()))
        .filter(|problem| problem.split(PART).any(|fixed| fixed.chars().any(char::is_alphabetic)))
        .filter(|problem| !has_japanese(&said(problem)))
        .collect();
    assert!(missing.is_empty(), "locales/ja/pack-problems.tsv lacks {missing:#?}");
}

#[test]
fn problems_of_packs_are_told_in_the_language_of_the_page() {
    let mut known = BTreeSet::new();
    for line in PACK_TABLE.lines().filter(|l| !l.starts_with('#')) {
        let (english, japanese) = line.split_once('\t').unwrap_or_else(|| panic!("no tab: {line}"));
        assert!(known.insert(english), "{english} stands twice");
        assert!(!has_japanese(english) && has_japanese(japanese), "{line}");
        assert_eq!(english.matches(PART).count(), japanese.matches(PART).count(), "{line}");
    }
    let told =
        |problem: &str| in_japanese(Error::invalid(format!("the policy pack is not valid: {problem}")));
    assert!(
        told("roles.yaml:3: role head: scope is missing")
            .contains("roles.yaml:3: role head: scopeがありません")
    );
    assert!(
        told("registers/a.yaml:6: register a: title: no field \"b\"")
            .contains("registers/a.yaml:6: register a: title: 項目\"b\"がありません")
    );
    // What has no words stays as it is told elsewhere.
    assert!(told("a.yaml:1: something else").contains("a.yaml:1: something else"));
    let english = Error::invalid("the policy pack is not valid: roles.yaml:3: role head: scope is missing");
    assert!(said(&Fault::from(english), Language::English.texts()).ends_with("scope is missing"));
}
