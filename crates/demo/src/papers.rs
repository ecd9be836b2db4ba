//! The papers of a person: plans, orders, letters, reports and summaries of each occupation, as rows of
//! `documents.tsv` say, each a PDF or a picture.

use std::sync::LazyLock;

use crate::day::Day;
use crate::directory::Service;
use crate::history::Scribe;
use crate::paper::{DemoFile, Part, Picture, Sheet};
use crate::record;
use crate::table::{Row, Sex, rows};

static DOCUMENTS: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/documents.tsv")).collect());

/// So many measurements, and so many events, stand in a report.
const MOST_ROWS: usize = 8;

/// How much fewer papers there are of people whose days are not all told.
const SELDOMER: i32 = 3;

/// Writes every paper that the person's circumstances ask for.
pub(crate) fn write(scribe: &mut Scribe<'_>) {
    let profile = scribe.profile;
    for row in DOCUMENTS.iter() {
        let (key, needs) = row.text(3).split_once(':').unwrap_or((row.text(3), "doctor"));
        let (Some(author), true) = (profile.service(key), profile.service(needs).is_some()) else {
            continue;
        };
        // Whose days are not all told has fewer papers, too.
        let seldomer = if scribe.full > scribe.from { SELDOMER } else { 1 };
        if profile.care < row.number(4) || !scribe.chance.chance(row.number(2) / seldomer) {
            continue;
        }
        let every = i64::from(row.number(6));
        let span = scribe.today.0 - scribe.full.0;
        let first = if every == 0 { span } else { every.min(span) };
        let offset = scribe.chance.between(1, i32::try_from(first).unwrap_or(180).max(2) - 1);
        let mut day = scribe.full.plus(i64::from(offset));
        while day < scribe.today {
            paper(scribe, row, author, day);
            if every == 0 {
                break;
            }
            day = day.plus(every);
        }
    }
}

fn paper(scribe: &mut Scribe<'_>, row: &Row, author: &Service<'_>, day: Day) {
    let when = day.at(17 * 60);
    let file = if row.text(7) == "entrance" {
        let step = scribe.chance.between(12, 24) * 10;
        let handrail = scribe.chance.chance(50);
        DemoFile::picture(file_name(row, day, "png"), Picture::Entrance { step, handrail })
    } else {
        let sheet = sheet(scribe, row, author, day);
        DemoFile::sheet(file_name(row, day, "pdf"), sheet)
    };
    let files = vec![file];
    let title = (row.text(5), row.text(0));
    let fhir = record::document(title, row.text(1), &files, when, &author.shown);
    let class = if row.text(5) == "18776-5" { "plan" } else { "document" };
    scribe.keep_with(fhir, files, ("DocumentReference", class), author, when);
}

fn file_name(row: &Row, day: Day, ending: &str) -> String {
    let title = row.text(0).split('（').next().unwrap_or_default();
    format!("{title}_{}.{ending}", day.iso().replace('-', ""))
}

fn sheet(scribe: &mut Scribe<'_>, row: &Row, author: &Service<'_>, day: Day) -> Sheet {
    let who = scribe.who;
    let born = who.born.date();
    let sex = if who.sex == Sex::Male { "男性" } else { "女性" };
    let mut facts = vec![
        (
            "氏名",
            format!(
                "{} {}（{} {}） 様",
                who.family.written, who.given.written, who.family.kana, who.given.kana
            ),
        ),
        (
            "生年月日",
            format!("{}年{}月{}日（{}歳・{sex}）", born.year(), born.month(), born.day(), who.age(day)),
        ),
        ("作成日", format!("{}年{}", day.year(), day.ja())),
    ];
    if scribe.profile.care > 0 {
        facts.push(("要介護度", scribe.profile.care_ja().to_owned()));
    }
    let mut parts = Vec::new();
    for part in row.words(7) {
        let Some((heading, what)) = part.split_once('=') else { continue };
        if let Some(part) = content(scribe, what, day) {
            parts.push(Part::Heading(heading));
            parts.push(part);
        }
    }
    Sheet { title: row.text(0).to_owned(), facts, parts, signed: author.shown.clone() }
}

/// A part of a paper: something that is known of the person, or words of a group.
fn content(scribe: &mut Scribe<'_>, what: &str, day: Day) -> Option<Part> {
    let profile = scribe.profile;
    let some = |rows: Vec<Vec<String>>| (rows.len() > 1).then_some(Part::Table(rows));
    let cells = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    match what {
        "conditions" => {
            let names: Vec<&str> = profile.conditions.iter().map(|condition| condition.text(1)).collect();
            (!names.is_empty()).then(|| Part::Text(names.join("、")))
        }
        "medicines" => {
            let mut rows = vec![cells(&["薬の名前", "用法・用量"])];
            rows.extend(profile.medicines.iter().map(|m| cells(&[m.text(3), m.text(4)])));
            some(rows)
        }
        "services" => {
            let on = scribe.standing();
            let mut rows = vec![cells(&["担当", "内容", "事業所"])];
            for service in &profile.services {
                let text = scribe.writer.write(&format!("plan.{}", service.key()), &on, &mut scribe.chance);
                if !text.is_empty() {
                    rows.push(cells(&[&service.by.staff.family, &text, &service.by.institution.name_ja]));
                }
            }
            some(rows)
        }
        "team" => {
            let mut names: Vec<&str> = Vec::new();
            for service in &profile.services {
                if !names.contains(&service.shown.as_str()) {
                    names.push(&service.shown);
                }
            }
            (!names.is_empty()).then(|| Part::Text(names.join("、")))
        }
        "vitals" => {
            let mut rows = vec![cells(&["日付", "血圧", "脈拍", "体温（℃）", "体重（kg）"])];
            let before: Vec<_> = scribe.seen.iter().filter(|(at, _)| *at < day).collect();
            let from = before.len().saturating_sub(MOST_ROWS);
            for (at, values) in before.into_iter().skip(from) {
                rows.push(std::iter::once(at.ja()).chain(values.iter().cloned()).collect());
            }
            some(rows)
        }
        "events" => {
            let before: Vec<_> = scribe.told.iter().filter(|(at, _)| *at < day).collect();
            let from = before.len().saturating_sub(MOST_ROWS);
            let told: Vec<String> =
                before.into_iter().skip(from).map(|(at, text)| format!("{}　{text}", at.ja())).collect();
            let text = if told.is_empty() {
                "この期間に大きな変化はありません。".to_owned()
            } else {
                told.join("\n")
            };
            Some(Part::Text(text))
        }
        group => {
            let on = scribe.situation_of(day);
            let one = scribe.writer.write(group, &on, &mut scribe.chance);
            let two = scribe.writer.write(group, &on, &mut scribe.chance);
            let text = if one == two || !group.starts_with("paper.") { one } else { format!("{one}\n{two}") };
            (!text.is_empty()).then_some(Part::Text(text))
        }
    }
}
