//! The people of the city, one after the other.

use std::collections::VecDeque;

use mimamori_domain::ClassCode;

use crate::day::Day;
use crate::directory::Directory;
use crate::household::{self, Resident};
use crate::profile::{self, Profile};
use crate::random::Stream;
use crate::table::romaji;
use crate::{City, ConsentSpec, InstitutionKind, Options, Person, TeamMember, history};

/// Makes the people of a city lazily: only one household is in memory at a time.
///
/// `city` must be the one made from the same options.
pub fn people(options: &Options, city: &City) -> impl Iterator<Item = Person> {
    let options = *options;
    let chance = Stream::new(options.seed);
    let today = Day::of(options.today);
    let directory = Directory::of(city);
    let mut households = 0;
    let mut waiting: VecDeque<Resident> = VecDeque::new();
    (1..=options.people).map_while(move |number| {
        // A household without people cannot happen while there are towns; the bound is for safety.
        for _ in 0..8 {
            if waiting.is_empty() {
                waiting.extend(household::household(&chance, households, today));
                households += 1;
            }
        }
        let who = waiting.pop_front()?;
        Some(person(&options, city, &directory, &who, number, chance.fork("person", u64::from(number))))
    })
}

fn person(
    options: &Options,
    city: &City,
    directory: &Directory<'_>,
    who: &Resident,
    number: u32,
    mut own: Stream,
) -> Person {
    let today = Day::of(options.today);
    let profile = profile::profile(who, number, today, directory, &mut own);
    let hospitals = hospitals(city, &profile, who, &mut own);
    let names: Vec<String> =
        hospitals.iter().map(|at| format!("{}-{at}", InstitutionKind::Hospital.as_str())).collect();
    let protection_flag = !who.typical && own.chance(2);
    let login = match who.typical {
        true => crate::city::typical_citizen_login(),
        false => own.chance(22).then(|| format!("{}.citizen{number}", romaji(who.given.kana).to_lowercase())),
    };
    Person {
        key: format!("person-{number:05}"),
        patient: household::patient(who, number, &hospitals, &mut own),
        registered_by: registered_by(&profile, city),
        related: household::related(who, number, profile.care >= 4 || profile.has("dementia"), &mut own),
        team: team(&profile, &names),
        consents: consents(&profile, who, &names, &mut own),
        protection_flag,
        citizen_login: login,
        resources: history::history(
            who,
            &profile,
            options,
            today.minus(i64::from(options.full_days_of(number))),
            own.fork("history", 0),
        ),
    }
}

fn hospitals(city: &City, profile: &Profile<'_>, who: &Resident, own: &mut Stream) -> Vec<usize> {
    let there = city.institutions.iter().filter(|i| i.kind == InstitutionKind::Hospital).count();
    let ill = ["cancer", "hf", "stroke", "fracture", "pd"].iter().any(|tag| profile.has(tag));
    let mut chosen = Vec::new();
    if there > 0 && (who.typical || own.chance(if ill { 80 } else { 30 })) {
        chosen.push(own.below(there) + 1);
        if own.chance(12) {
            chosen.push(own.below(there) + 1);
        }
    }
    chosen.dedup();
    chosen
}

/// The care manager's office where there is one, else the doctor's clinic.
fn registered_by(profile: &Profile<'_>, city: &City) -> String {
    profile
        .service("care-manager")
        .or_else(|| profile.service("doctor"))
        .map(|s| s.by.institution.key.clone())
        .or_else(|| city.institutions.first().map(|i| i.key.clone()))
        .unwrap_or_default()
}

fn team(profile: &Profile<'_>, hospitals: &[String]) -> Vec<TeamMember> {
    let mut team: Vec<TeamMember> = Vec::new();
    let staff = profile.services.iter().map(|s| TeamMember::Staff(s.by.staff.key.clone()));
    // Home helpers and visiting nurses take turns: all of their station belong.
    let stations = profile
        .services
        .iter()
        .filter(|s| matches!(s.key(), "helper" | "nursing"))
        .map(|s| TeamMember::Institution(s.by.institution.key.clone()));
    for member in staff.chain(stations).chain(hospitals.iter().cloned().map(TeamMember::Institution)) {
        if !team.contains(&member) {
            team.push(member);
        }
    }
    team
}

/// Most people permit sharing as a whole; some make exceptions, few permit nothing.
fn consents(
    profile: &Profile<'_>,
    who: &Resident,
    hospitals: &[String],
    own: &mut Stream,
) -> Vec<ConsentSpec> {
    let class = |code: &str| ClassCode::new(code).ok();
    let all = ConsentSpec { permit: true, class: None, institution: None };
    if who.typical {
        return vec![all];
    }
    match own.between(0, 99) {
        0..82 => vec![all],
        82..88 => vec![all, ConsentSpec { permit: false, class: class("laboratory"), institution: None }],
        88..92 => {
            let helpers = profile.service("day-care").or_else(|| profile.service("pharmacy"));
            let institution = helpers.map(|s| s.by.institution.key.clone());
            match institution {
                Some(_) => vec![all, ConsentSpec { permit: false, class: None, institution }],
                None => vec![all],
            }
        }
        92..95 => vec![
            ConsentSpec { permit: true, class: class("vital-signs"), institution: None },
            ConsentSpec { permit: true, class: class("medication"), institution: hospitals.first().cloned() },
        ],
        95..98 => vec![ConsentSpec { permit: false, class: None, institution: None }],
        _ => Vec::new(),
    }
}
