//! `mimamori pack status`: every clause of the pack in force, what answers it, and how it stands now.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use mimamori_app::{ClauseState, PackVersion, State};
use mimamori_policy::{Language, Pack};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::exit::{Exit, Result};
use crate::installation::Installation;

#[derive(Debug, Args)]
pub struct Status {
    /// Only clauses in one of these states, such as overdue or never-done
    #[arg(long, value_delimiter = ',', value_parser = State::NAMES)]
    state: Vec<String>,
    /// Only this catalogue
    #[arg(long)]
    catalogue: Option<String>,
    /// Language of the answer: ja or en
    #[arg(long, default_value = "ja", value_parser = ["ja", "en"])]
    language: String,
}

/// How many clauses are in each state.
type Counts = BTreeMap<&'static str, usize>;

/// Shows the state of every clause, and counts for each chapter.
///
/// # Errors
/// What the use case refused; unavailable.
pub async fn run(context: &Context, status: &Status) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let operator = installation.operator();
    let states = installation.app.clause_states(&operator).await?;
    let history = installation.app.pack_history(&operator).await?;
    let pack = installation.app.pack();
    let language = if status.language == "en" { Language::En } else { Language::Ja };
    let mut chapters: Vec<(String, String, Counts)> = Vec::new();
    let mut shown = Vec::new();
    for state in states.iter() {
        let Some(clause) = pack.clause(&state.id) else { continue };
        if status.catalogue.as_deref().is_some_and(|wanted| wanted != clause.catalogue()) {
            continue;
        }
        let here = (clause.catalogue(), clause.chapter());
        match chapters
            .iter_mut()
            .find(|(catalogue, chapter, _)| (catalogue.as_str(), chapter.as_str()) == here)
        {
            Some((_, _, counts)) => *counts.entry(state.state.as_str()).or_default() += 1,
            None => {
                let counts = BTreeMap::from([(state.state.as_str(), 1)]);
                chapters.push((here.0.to_owned(), here.1.to_owned(), counts));
            }
        }
        if status.state.is_empty() || status.state.iter().any(|wanted| wanted == state.state.as_str()) {
            shown.push(state);
        }
    }
    let value = json!({
        "pack": {"id": pack.id(), "hash": pack.hash_text()},
        "versions": history.iter().map(version_value).collect::<Vec<_>>(),
        "chapters": chapters.iter().map(|(catalogue, chapter, counts)| json!({
            "catalogue": catalogue, "chapter": chapter, "states": counts,
        })).collect::<Vec<_>>(),
        "clauses": shown.iter().map(|state| clause_value(pack, state, language)).collect::<Vec<_>>(),
    });
    context.console.result(&value, text(pack, &history, &chapters, &shown, language));
    installation.close().await;
    Ok(Exit::Done)
}

fn version_value(version: &PackVersion) -> Value {
    json!({
        "version": version.version,
        "hash": version.hash,
        "since": version.since.to_string(),
        "case": version.case.map(|case| case.to_string()),
        "by": version.by,
        "in_force": version.in_force,
    })
}

fn clause_value(pack: &Pack, state: &ClauseState, language: Language) -> Value {
    let answers = state.answers.iter().map(|answer| {
        json!({
            "kind": answer.answer.kind.as_str(),
            "code": answer.answer.code,
            "state": answer.state.as_str(),
            "seen": answer.seen.get(language),
        })
    });
    let until = match state.state {
        State::Attested(until) => Some(until.to_string()),
        _ => None,
    };
    json!({
        "id": state.id,
        "text": pack.clause(&state.id).map(|clause| clause.text(language)),
        "state": state.state.as_str(),
        "until": until,
        "answers": answers.collect::<Vec<_>>(),
    })
}

fn text(
    pack: &Pack,
    history: &[PackVersion],
    chapters: &[(String, String, Counts)],
    shown: &[&ClauseState],
    language: Language,
) -> String {
    let mut text = format!("{} ({})\n", pack.name(language), pack.hash_text());
    for version in history {
        let state = if version.in_force { "in force" } else { "earlier" };
        let _written = write!(text, "version {} {state}, since {}", version.version, version.since);
        let _written = match version.case {
            Some(case) => writeln!(text, ", by case {case} ({}) {}", version.by, version.hash),
            None => writeln!(text, ", at installation {}", version.hash),
        };
    }
    for (catalogue, chapter, counts) in chapters {
        let counts: Vec<_> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let _written = writeln!(text, "{catalogue} {chapter}: {}", counts.join(", "));
    }
    for state in shown {
        let words = pack.clause(&state.id).map_or("", |clause| clause.text(language));
        let _written = write!(text, "\n{} [{}] {words}", state.id, state.state.as_str());
        for answer in &state.answers {
            let _written = write!(
                text,
                "\n    {} {}: {}",
                answer.answer.kind.as_str(),
                answer.answer.code,
                answer.seen.get(language)
            );
        }
    }
    text
}
