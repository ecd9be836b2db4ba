//! What a person is like: illnesses, need of care, medicines, usual vital signs, services.

use std::sync::LazyLock;

use crate::day::Day;
use crate::directory::{Directory, Service};
use crate::household::{Living, Resident};
use crate::random::Stream;
use crate::table::{Row, Sex, rows};

static CONDITIONS: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/conditions.tsv")).collect());
static MEDICINES: LazyLock<Vec<Row>> =
    LazyLock::new(|| rows(include_str!("../data/medicines.tsv")).collect());
static VISITS: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/visits.tsv")).collect());

/// 要介護認定, lightest first; the first is none.
const CARE: [&str; 8] = ["", "要支援1", "要支援2", "要介護1", "要介護2", "要介護3", "要介護4", "要介護5"];

#[derive(Debug)]
pub(crate) struct Profile<'a> {
    pub(crate) conditions: Vec<&'static Row>,
    pub(crate) medicines: Vec<&'static Row>,
    /// 0 none, 1 and 2 要支援, 3 to 7 要介護1 to 5.
    pub(crate) care: i32,
    pub(crate) usual: Vitals,
    pub(crate) services: Vec<Service<'a>>,
}

/// Vital signs of one moment; temperature and weight in tenths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Vitals {
    pub(crate) systolic: i32,
    pub(crate) diastolic: i32,
    pub(crate) pulse: i32,
    pub(crate) temp: i32,
    pub(crate) spo2: i32,
    pub(crate) rr: i32,
    pub(crate) weight: i32,
    /// 0 for those who do not measure it.
    pub(crate) glucose: i32,
}

impl Profile<'_> {
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.conditions.iter().any(|c| c.text(2) == tag)
    }

    pub(crate) fn care_ja(&self) -> &'static str {
        usize::try_from(self.care).ok().and_then(|at| CARE.get(at)).copied().unwrap_or("")
    }

    pub(crate) fn service(&self, key: &str) -> Option<&Service<'_>> {
        self.services.iter().find(|s| s.key() == key)
    }
}

pub(crate) fn profile<'a>(
    who: &Resident,
    number: u32,
    today: Day,
    directory: &Directory<'a>,
    own: &mut Stream,
) -> Profile<'a> {
    let age = i32::from(who.age(today));
    let conditions = conditions(who, age, own);
    let weight: i32 = conditions.iter().map(|c| c.number(7)).sum();
    let care = match (who.typical, age) {
        (true, _) => 4,
        (_, ..=64) => (weight - 1).clamp(0, 4),
        (_, ..=79) => (weight + own.between(-2, 2)).clamp(0, 7),
        _ => (weight + own.between(-1, 3)).clamp(0, 7),
    };
    let medicines = medicines(&conditions, own);
    let usual = usual(who.sex, age, &conditions, own);
    let mut profile = Profile { conditions, medicines, care, usual, services: Vec::new() };
    profile.services = services(&profile, who, number, directory, own);
    profile
}

fn conditions(who: &Resident, age: i32, own: &mut Stream) -> Vec<&'static Row> {
    let column = match age {
        ..=64 => 4,
        65..=79 => 5,
        _ => 6,
    };
    let mut chosen: Vec<&'static Row> = Vec::new();
    for row in CONDITIONS.iter() {
        let sex = row.text(3);
        let percent = match (sex.is_empty(), sex == who.sex.letter()) {
            (true, _) => row.number(column),
            (_, true) => row.number(column) * 5 / 4,
            // Osteoporosis and COPD are rarer in the other sex, the rest belong to one.
            _ if matches!(row.text(2), "osteo" | "copd") => row.number(column) / 4,
            _ => 0,
        };
        let typical = who.typical && matches!(row.text(2), "ht" | "hf" | "osteo" | "constipation");
        let drawn = own.chance(percent) || typical;
        if drawn && chosen.len() < 7 && !chosen.iter().any(|c| c.text(2) == row.text(2)) {
            chosen.push(row);
        }
    }
    if chosen.is_empty() {
        chosen.extend(CONDITIONS.first());
    }
    chosen
}

fn medicines(conditions: &[&'static Row], own: &mut Stream) -> Vec<&'static Row> {
    let mut chosen: Vec<&'static Row> = Vec::new();
    for condition in conditions {
        let fitting: Vec<&'static Row> =
            MEDICINES.iter().filter(|m| m.text(0) == condition.text(2)).collect();
        let mut groups: Vec<&str> = fitting.iter().map(|m| m.text(1)).collect();
        groups.dedup();
        for (at, group) in groups.into_iter().enumerate() {
            let of_group: Vec<&'static Row> =
                fitting.iter().copied().filter(|m| m.text(1) == group).collect();
            let drawn = own.weighted(&of_group, |m| usize::try_from(m.number(2)).unwrap_or(0)).copied();
            // The first group is the usual treatment, further ones are added for some.
            if let Some(medicine) = drawn
                && own.chance(if at == 0 { 90 } else { 35 })
                && !chosen.iter().any(|c| c.text(3) == medicine.text(3))
            {
                chosen.push(medicine);
            }
        }
    }
    chosen
}

/// Another medicine of the same group.
pub(crate) fn another_of(medicine: &Row, own: &mut Stream) -> Option<&'static Row> {
    let fitting: Vec<&'static Row> = MEDICINES
        .iter()
        .filter(|m| m.text(0) == medicine.text(0) && m.text(1) == medicine.text(1))
        .filter(|m| m.text(3) != medicine.text(3))
        .collect();
    own.weighted(&fitting, |m| usize::try_from(m.number(2)).unwrap_or(0)).copied()
}

/// A medicine given in an episode (`tag` of `medicines.tsv`).
pub(crate) fn medicine_for(tag: &str, own: &mut Stream) -> Option<&'static Row> {
    let fitting: Vec<&'static Row> = MEDICINES.iter().filter(|m| m.text(0) == tag).collect();
    own.weighted(&fitting, |m| usize::try_from(m.number(2)).unwrap_or(0)).copied()
}

fn usual(sex: Sex, age: i32, conditions: &[&'static Row], own: &mut Stream) -> Vitals {
    let shift = |column: usize| conditions.iter().map(|c| c.number(column)).sum::<i32>();
    let heavy = if sex == Sex::Male { 620 } else { 510 };
    let thin = (age - 70).clamp(0, 25) * 3;
    let diastolic = 70 + own.bell(5) + shift(9) - (age - 75).clamp(0, 20) / 5;
    Vitals {
        systolic: (120 + own.bell(8) + shift(8)).clamp(92, 156),
        diastolic: diastolic.clamp(52, 90),
        pulse: (68 + own.bell(6) + shift(10)).clamp(52, 92),
        temp: 364 + own.bell(2),
        spo2: (97 + own.between(-1, 1) + shift(11)).clamp(91, 98),
        rr: (16 + own.between(-1, 1) + shift(12)).clamp(12, 22),
        weight: (heavy - thin + own.bell(60) + shift(13) * 10).clamp(320, 900),
        glucose: 0,
    }
}

fn services<'a>(
    profile: &Profile<'_>,
    who: &Resident,
    number: u32,
    directory: &Directory<'a>,
    own: &mut Stream,
) -> Vec<Service<'a>> {
    let mut chosen: Vec<Service<'a>> = Vec::new();
    for row in VISITS.iter() {
        let key = row.text(0);
        // Drawn for everybody, so that what follows does not shift.
        let drawn = own.chance(likely(key, profile, who));
        let always = who.typical && !matches!(key, "public-health" | "therapy");
        if !drawn && !always {
            continue;
        }
        // The same nurse or care manager writes to the family and to colleagues.
        let same = chosen
            .iter()
            .find(|s| s.row.text(1) == row.text(1) && s.row.text(2) == row.text(2))
            .map(|s| s.by);
        if matches!(key, "family" | "family-cm" | "staff") && same.is_none() {
            continue;
        }
        let by = same.or_else(|| directory.somebody(row.text(1), row.text(2), number, own));
        if let Some(by) = by {
            chosen.push(Service { row: row.clone(), by, shown: by.display() });
        }
    }
    chosen
}

/// How many of a hundred such people have the service.
fn likely(service: &str, profile: &Profile<'_>, who: &Resident) -> i32 {
    let care = profile.care;
    let needs_nursing = ["hf", "copd", "cancer", "sore", "stroke", "pd"].iter().any(|tag| profile.has(tag));
    let needs_training = ["stroke", "fracture", "pd", "knee", "ra"].iter().any(|tag| profile.has(tag));
    match service {
        "doctor" => 100,
        "helper" if care >= 1 => 40 + care * 6 + if who.living == Living::Alone { 25 } else { 0 },
        "nursing" if needs_nursing && care >= 1 => 85,
        "nursing" => care * 13 - 10,
        "pharmacy" => 75,
        "care-manager" if care >= 1 => 100,
        "therapy" if needs_training && care >= 1 => 60,
        "day-care" if (1..=6).contains(&care) => 50,
        "clinic-nurse" => 100 - care * 14,
        "public-health" => {
            if care == 0 {
                70
            } else {
                12
            }
        }
        "dental" => 22,
        "family" | "staff" => 75,
        "family-cm" => 45,
        _ => 0,
    }
}
