//! The city's institutions and their staff.

use std::collections::{HashMap, HashSet};

use mimamori_domain::{OccupationCode, RoleCode};

use crate::json::Object;
use crate::random::Stream;
use crate::table::{self, Name, Row, Sex, TOWNS, Town, rows};
use crate::{City, Institution, InstitutionKind, Options, Staff, Typical};

pub(crate) const CITY_JA: &str = "ひだまり市";
const CITY_EN: &str = "Hidamari City";
/// 架空県: "imaginary prefecture".
pub(crate) const PREFECTURE: &str = "架空県";

const INSTITUTIONS: &str = include_str!("../data/institutions.tsv");
const STAFFING: &str = include_str!("../data/staffing.tsv");
const TYPICAL_STAFF: &str = include_str!("../data/typical.tsv");
pub(crate) const TYPICAL_CITIZENS: &str = include_str!("../data/typical_citizens.tsv");

/// Makes the city: its institutions grow in number with the people, and the staff with them.
#[must_use]
pub fn city(options: &Options) -> City {
    let chance = Stream::new(options.seed);
    let mut institutions = Vec::new();
    let mut branches = Vec::new();
    for row in rows(INSTITUTIONS) {
        let Some(kind) = table::institution_kind(row.text(0)) else {
            continue;
        };
        let count = how_many(&row, options.people);
        let first_town = chance.fork(row.text(4), 0).below(TOWNS.len());
        for number in 0..count {
            let at = institutions.iter().filter(|i: &&Institution| i.kind == kind).count() + 1;
            let town = TOWNS.get((first_town + number) % TOWNS.len().max(1));
            if let Some(town) = town {
                institutions.push(institution(&row, kind, at, number / TOWNS.len().max(1), town));
                branches.push(row.text(1));
            }
        }
    }
    let staff = staff(&chance, &institutions, &branches);
    City { name_ja: CITY_JA.into(), name_en: CITY_EN.into(), institutions, staff }
}

/// One sign-in of each typical kind: the same in every city, whatever its seed and size.
#[must_use]
pub fn typical_sign_ins(city: &City) -> Vec<Typical> {
    let staff = rows(TYPICAL_STAFF)
        .filter(|row| city.staff.iter().any(|s| s.login == row.text(0)))
        .map(|row| typical(row.text(0), row.text(8), row.text(9)));
    let citizens = rows(TYPICAL_CITIZENS).map(|row| typical(row.text(1), row.text(6), row.text(7)));
    staff.chain(citizens).collect()
}

fn typical(login: &str, who_ja: &str, who_en: &str) -> Typical {
    Typical { login: login.into(), who_ja: who_ja.into(), who_en: who_en.into() }
}

fn how_many(row: &Row, people: u32) -> usize {
    let least = usize::try_from(row.number(2)).unwrap_or(1);
    let per = usize::try_from(row.number(3)).unwrap_or(0);
    let people = usize::try_from(people).unwrap_or(usize::MAX);
    least + people.checked_div(per).unwrap_or(0)
}

fn institution(row: &Row, kind: InstitutionKind, at: usize, round: usize, town: &Town) -> Institution {
    let (suffix_ja, suffix_en) = if round == 0 {
        (String::new(), String::new())
    } else {
        (format!(" 第{}", round + 1), format!(" No. {}", round + 1))
    };
    let name_ja = row.text(4).replace("{town}", town.name) + &suffix_ja;
    let name_en = row.text(5).replace("{town_en}", town.name_en) + &suffix_en;
    let key = format!("{}-{at}", kind.as_str());
    let organization = Object::resource("Organization")
        .list(
            "identifier",
            &[Object::new()
                .text("system", "http://example.jp/mimamori-demo/institution")
                .text("value", &key)],
        )
        .plain("active", true)
        .list("type", &[Object::new().text("text", kind.as_str())])
        .text("name", &name_ja)
        .texts("alias", &[&name_en])
        .list(
            "telecom",
            &[Object::new()
                .text("system", "phone")
                .text("value", &format!("000-{:03}-{:04}", 100 + kind as usize, at))
                .text("use", "work")],
        )
        .list("address", &[address(town, &format!("{}番地", 100 + at))])
        .to_string();
    Institution { key, name_ja, name_en, kind, organization }
}

/// An address in a town of the city.
pub(crate) fn address(town: &Town, place: &str) -> Object {
    Object::new()
        .text("use", "home")
        .text("text", &format!("〒{} {PREFECTURE}{CITY_JA}{}{place}", town.postal_code, town.name))
        .texts("line", &[&format!("{}{place}", town.name)])
        .text("city", CITY_JA)
        .text("state", PREFECTURE)
        .text("postalCode", town.postal_code)
        .text("country", "JP")
}

fn staff(chance: &Stream, institutions: &[Institution], branches: &[&str]) -> Vec<Staff> {
    let mut typical: Vec<Row> = rows(TYPICAL_STAFF).collect();
    let mut logins: HashSet<String> = typical.iter().map(|row| row.text(0).to_owned()).collect();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut made: Vec<Staff> = Vec::new();
    for (institution, branch) in institutions.iter().zip(branches) {
        let posts = rows(STAFFING).filter(|r| r.text(0) == institution.kind.as_str() && r.text(1) == *branch);
        for post in posts {
            for number in 0..post.number(3) {
                let key = format!("staff-{:03}", made.len() + 1);
                let roles = if number == 0 { post.words(4) } else { Vec::new() };
                let fits = |row: &Row| {
                    row.text(4 + 1) == post.text(2)
                        && row.text(6) == institution.kind.as_str()
                        && (row.text(7).is_empty() || roles.contains(&row.text(7)))
                };
                let person = match typical.iter().position(fits) {
                    Some(found) => from_typical(&typical.remove(found)),
                    None => {
                        let mut own = chance.fork("staff", made.len() as u64);
                        colleague(&mut own, post.text(2), &mut logins, &mut numbers)
                    }
                };
                made.extend(employ(key, person, post.text(2), &institution.key, &roles));
            }
        }
    }
    made
}

/// More people at the city office, for the roles that an organisation's rules ask for.
#[must_use]
pub fn colleagues(options: &Options, city: &City, count: usize) -> Vec<Staff> {
    let chance = Stream::new(options.seed);
    let mut logins: HashSet<String> = city.staff.iter().map(|member| member.login.clone()).collect();
    let mut numbers = HashMap::new();
    let Some(office) = city.institutions.iter().find(|i| i.kind == InstitutionKind::CityOffice) else {
        return Vec::new();
    };
    let more = (0..count).filter_map(|number| {
        let mut own = chance.fork("colleague", number as u64);
        let person = colleague(&mut own, OFFICER, &mut logins, &mut numbers);
        let key = format!("staff-{:03}", city.staff.len() + number + 1);
        employ(key, person, OFFICER, &office.key, &[])
    });
    more.collect()
}

/// 市職員, as the base pack calls them.
const OFFICER: &str = "city-officer";

struct Someone {
    login: String,
    family: Name,
    given: Name,
}

fn from_typical(row: &Row) -> Someone {
    Someone {
        login: row.text(0).into(),
        family: Name { written: row.text(1), kana: row.text(3) },
        given: Name { written: row.text(2), kana: row.text(4) },
    }
}

fn colleague(
    chance: &mut Stream,
    occupation: &str,
    logins: &mut HashSet<String>,
    numbers: &mut HashMap<String, usize>,
) -> Someone {
    let mostly_women = !matches!(occupation, "doctor" | "dentist" | "city-officer" | "therapist");
    let sex = if chance.chance(if mostly_women { 80 } else { 40 }) { Sex::Female } else { Sex::Male };
    let year = i16::try_from(chance.between(1964, 2000)).unwrap_or(1980);
    let (family, given) = (table::family_name(chance), table::given_name(chance, sex, year));
    let last = table::OCCUPATIONS.iter().find(|o| o.code == occupation).map_or("", |o| o.login);
    let stem = format!("{}.{last}", table::romaji(given.kana).to_lowercase());
    // The first Yoko who is a helper is yoko.helper, the second yoko.helper2.
    let mut login = stem.clone();
    while !logins.insert(login.clone()) {
        let number = numbers.entry(stem.clone()).or_insert(1);
        *number += 1;
        login = format!("{stem}{number}");
    }
    Someone { login, family, given }
}

fn employ(key: String, who: Someone, occupation: &str, institution: &str, roles: &[&str]) -> Option<Staff> {
    Some(Staff {
        key,
        login: who.login,
        family: who.family.written.into(),
        given: who.given.written.into(),
        kana_family: who.family.kana.into(),
        kana_given: who.given.kana.into(),
        name_en: format!("{} {}", table::romaji(who.given.kana), table::romaji(who.family.kana)),
        occupation: OccupationCode::new(occupation).ok()?,
        institution: institution.into(),
        roles: roles.iter().filter_map(|r| RoleCode::new(r).ok()).collect(),
    })
}

/// What the first person of every city signs in with.
pub(crate) fn typical_citizen_login() -> Option<String> {
    rows(TYPICAL_CITIZENS).find(|row| row.text(0) == "citizen").map(|row| row.text(1).to_owned())
}
