//! What is known about a person beside the course of events: illnesses, medicines, allergies,
//! check-ups, vaccinations, plans.

use std::sync::LazyLock;

use crate::day::{Day, Moment};
use crate::directory::Service;
use crate::history::Scribe;
use crate::profile::another_of;
use crate::table::{Row, Sex, rows};
use crate::{Density, record};

static ALLERGIES: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/allergies.tsv")).collect());
static LABS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/labs.tsv")).collect());
static VACCINES: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/vaccines.tsv")).collect());

pub(crate) fn write(scribe: &mut Scribe<'_>, density: Density) {
    let profile = scribe.profile;
    let Some(doctor) = profile.service("doctor") else {
        return;
    };
    match density {
        Density::Bench => {
            illnesses(scribe, doctor, 1);
            medicines(scribe, doctor, 1);
        }
        Density::Demo => {
            illnesses(scribe, doctor, usize::MAX);
            medicines(scribe, doctor, usize::MAX);
            changes(scribe, doctor);
            allergies(scribe, doctor);
            check_ups(scribe, doctor);
            vaccinations(scribe, doctor);
            plan(scribe);
        }
    }
}

fn illnesses(scribe: &mut Scribe<'_>, doctor: &Service<'_>, most: usize) {
    for condition in scribe.profile.conditions.iter().take(most) {
        let since = scribe.from.minus(i64::from(scribe.chance.between(90, 4200)));
        let fhir = record::condition(condition.text(0), condition.text(1), since, scribe.from, &doctor.shown);
        scribe.keep(fhir, "Condition", "condition", doctor, scribe.from.at(9 * 60));
    }
}

fn medicines(scribe: &mut Scribe<'_>, doctor: &Service<'_>, most: usize) {
    let profile = scribe.profile;
    for medicine in profile.medicines.iter().take(most) {
        let since = scribe.from.minus(i64::from(scribe.chance.between(30, 1500)));
        let (name, dosage) = (medicine.text(3), medicine.text(4));
        // What is taken is told by the pharmacist where there is one, ordered by the doctor.
        let pharmacist = profile.service("pharmacy");
        let (fhir, kind, author) = match pharmacist {
            Some(by) if scribe.chance.chance(50) => (
                record::medication_statement(name, dosage, since, scribe.from, &by.shown),
                "MedicationStatement",
                by,
            ),
            _ => (
                record::medication_request(
                    name,
                    dosage,
                    "active",
                    scribe.from.at(9 * 60 + 10),
                    &doctor.shown,
                ),
                "MedicationRequest",
                doctor,
            ),
        };
        scribe.keep(fhir, kind, "medication", author, scribe.from.at(9 * 60 + 10));
    }
}

/// So many days a prescription lasts.
const RENEWED: i64 = 84;

/// Prescriptions are renewed; and in longer histories medicines change: one ends, and another of its group
/// begins.
fn changes(scribe: &mut Scribe<'_>, doctor: &Service<'_>) {
    let profile = scribe.profile;
    let days = scribe.today.0 - scribe.from.0;
    let mut taken: Vec<(&Row, Day)> = profile.medicines.iter().map(|row| (*row, scribe.from)).collect();
    for (medicine, since) in &mut taken {
        if days < 120 || !scribe.chance.chance(i32::try_from(days / 20).unwrap_or(30).min(36)) {
            continue;
        }
        let Some(other) = another_of(medicine, &mut scribe.chance) else { continue };
        let after = scribe.chance.between(30, i32::try_from(days).unwrap_or(180) - 10);
        let when = scribe.from.plus(i64::from(after)).at(11 * 60);
        for (row, status) in [(*medicine, "stopped"), (other, "active")] {
            prescribe(scribe, doctor, row, status, when);
        }
        (*medicine, *since) = (other, when.day);
    }
    let last = scribe.today.minus(i64::from(scribe.chance.between(3, 60)));
    // Of those whose days are not all told the last time only.
    let first = if scribe.full > scribe.from { last } else { scribe.from.plus(RENEWED / 2) };
    let mut day = last;
    while day >= first {
        for (medicine, since) in &taken {
            if *since < day {
                prescribe(scribe, doctor, medicine, "active", day.at(11 * 60 + 10));
            }
        }
        day = day.minus(RENEWED);
    }
}

fn prescribe(scribe: &mut Scribe<'_>, doctor: &Service<'_>, row: &Row, status: &str, when: Moment) {
    let order = record::medication_request(row.text(3), row.text(4), status, when, &doctor.shown);
    scribe.keep(order, "MedicationRequest", "medication", doctor, when);
}

fn allergies(scribe: &mut Scribe<'_>, doctor: &Service<'_>) {
    if !scribe.chance.chance(28) {
        return;
    }
    if let Some(row) = scribe.chance.weighted(&ALLERGIES, |row| usize::try_from(row.number(0)).unwrap_or(0)) {
        let fhir = record::allergy(row, scribe.from, &doctor.shown);
        scribe.keep(fhir, "AllergyIntolerance", "allergy", doctor, scribe.from.at(9 * 60 + 20));
    }
}

/// Once a year, for three years.
fn check_ups(scribe: &mut Scribe<'_>, doctor: &Service<'_>) {
    let last = scribe.today.minus(i64::from(scribe.chance.between(10, 170)));
    for year in (0..3_i32).rev() {
        let day = last.minus(i64::from(year) * 364);
        for row in LABS.iter() {
            if let Some(value) = lab_value(row, scribe, year) {
                let fhir = record::laboratory(row, &value, day, &doctor.shown);
                scribe.keep(fhir, "Observation", "check-up", doctor, day.at(11 * 60));
            }
        }
        let on = scribe.standing();
        let conclusion = scribe.writer.write("report.checkup", &on, &mut scribe.chance);
        let when = day.at(10 * 60);
        let fhir = record::report("11502-2", "健康診査の結果", &conclusion, when, &doctor.shown);
        scribe.keep(fhir, "DiagnosticReport", "laboratory", doctor, day.at(11 * 60));
    }
}

fn lab_value(row: &Row, scribe: &mut Scribe<'_>, years_ago: i32) -> Option<String> {
    let profile = scribe.profile;
    let shifts: Vec<i32> = row
        .words(10)
        .iter()
        .filter_map(|shift| shift.split_once(':'))
        .filter(|(tag, _)| profile.has(tag) || (*tag == "bed" && profile.care >= 6))
        .filter_map(|(_, by)| by.parse().ok())
        .collect();
    if row.text(0) == "bnp" && shifts.is_empty() {
        return None;
    }
    let male = i32::from(scribe.who.sex == Sex::Male && matches!(row.text(0), "cre" | "hb")) * 10;
    let shift: i32 = shifts.iter().sum();
    // What is out of range was a little less so in earlier years.
    let earlier = shift * years_ago / 14;
    let value = (row.number(8) + male + shift - earlier + scribe.chance.bell(row.number(9))).max(1);
    Some(match row.number(5) {
        0 => value.to_string(),
        1 => format!("{}.{}", value / 10, value % 10),
        _ => format!("{}.{:02}", value / 100, value % 100),
    })
}

fn vaccinations(scribe: &mut Scribe<'_>, doctor: &Service<'_>) {
    let old = scribe.who.age(scribe.today) >= 65;
    for row in VACCINES.iter() {
        let month = i8::try_from(row.number(1)).unwrap_or(11);
        if !scribe.chance.chance(if old { row.number(2) } else { row.number(2) / 3 }) {
            continue;
        }
        let years: Vec<i16> = if row.number(3) == 1 {
            vec![0, 1, 2]
        } else {
            vec![i16::try_from(scribe.chance.between(1, 5)).unwrap_or(2)]
        };
        for back in years {
            let date = i8::try_from(scribe.chance.between(3, 26)).unwrap_or(10);
            let day = Day::from_date(scribe.today.year() - back, month, date);
            let fhir = record::immunization(row.text(0), day, &doctor.by.institution.name_ja, &doctor.shown);
            scribe.keep(fhir, "Immunization", "immunization", doctor, day.at(14 * 60));
        }
    }
}

/// So many days a care plan lasts.
const PLANNED: i64 = 180;

fn plan(scribe: &mut Scribe<'_>) {
    let profile = scribe.profile;
    let Some(author) = profile.service("care-manager") else {
        return;
    };
    let mut from = scribe.from.plus(i64::from(scribe.chance.between(3, 60)));
    while from < scribe.today {
        let until = from.plus(PLANNED);
        // Of those whose days are not all told the plan in force only.
        if scribe.full == scribe.from || until >= scribe.today {
            let on = scribe.standing();
            let goal = scribe.writer.write("plan.goal", &on, &mut scribe.chance);
            let mut activities = Vec::new();
            for service in &profile.services {
                let text = scribe.writer.write(&format!("plan.{}", service.key()), &on, &mut scribe.chance);
                if !text.is_empty() {
                    activities.push(format!("{text}（{}）", service.by.institution.name_ja));
                }
            }
            let fhir = record::care_plan("居宅サービス計画", &goal, &activities, from, until, &author.shown);
            scribe.keep(fhir, "CarePlan", "plan", author, from.at(16 * 60));
        }
        from = until;
    }
}
