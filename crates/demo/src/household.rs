//! Households: who lives together, their names and ages, their kin, and the FHIR resources that
//! say so. People of one household share surname and address.

use crate::city::{TYPICAL_CITIZENS, address};
use crate::day::Day;
use crate::json::Object;
use crate::random::Stream;
use crate::table::{self, Name, Sex, TOWNS, Town, romaji, rows};
use crate::{Related, SUBJECT};

/// Who else lives there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Living {
    Alone,
    Couple,
    WithChild,
}

impl Living {
    /// As the notes' tags write it.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Alone => "alone",
            Self::Couple => "couple",
            Self::WithChild => "withchild",
        }
    }
}

/// One person as the register of residents would know them.
#[derive(Debug, Clone)]
pub(crate) struct Resident {
    pub(crate) family: Name,
    pub(crate) given: Name,
    pub(crate) sex: Sex,
    pub(crate) born: Day,
    pub(crate) town: &'static Town,
    pub(crate) place: String,
    pub(crate) living: Living,
    /// The closest relative: who is called, and what they are to the person.
    pub(crate) kin: Option<Kin>,
    pub(crate) spouse: Option<Kin>,
    /// The city's first person, who has the typical sign-in.
    pub(crate) typical: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Kin {
    family: Name,
    given: Name,
    sex: Sex,
    year: i16,
    /// As a note calls them: 長女.
    pub(crate) called: &'static str,
    /// HL7 v3 RoleCode.
    code: &'static str,
    same_address: bool,
    login: Option<&'static str>,
}

impl Resident {
    pub(crate) fn age(&self, today: Day) -> i16 {
        let (born, now) = (self.born.date(), today.date());
        now.year() - born.year() - i16::from((now.month(), now.day()) < (born.month(), born.day()))
    }
}

/// The members of household `number` who are people of the network: one, or a couple of whom both
/// are cared for.
pub(crate) fn household(chance: &Stream, number: u64, today: Day) -> Vec<Resident> {
    let mut own = chance.fork("household", number);
    if number == 0 {
        return typical(&mut own, today).into_iter().collect();
    }
    let family = table::family_name(&mut own);
    let Some(town) = own.pick(&TOWNS) else {
        return Vec::new();
    };
    let place = place(&mut own);
    let old = own.chance(88);
    let age = if old { 70 + own.between(0, 12) + own.between(0, 13) } else { own.between(34, 69) };
    let living = match own.between(0, 99) {
        0..35 => Living::Alone,
        35..68 => Living::Couple,
        _ => Living::WithChild,
    };
    let sex = if own.chance(60) { Sex::Female } else { Sex::Male };
    let first = Resident {
        family,
        given: table::NO_NAME,
        sex,
        born: birthday(&mut own, today, age),
        town,
        place,
        living,
        kin: None,
        spouse: None,
        typical: false,
    };
    let first = Resident { given: table::given_name(&mut own, sex, first.born.year()), ..first };
    let kin = child(&mut own, &first);
    if living == Living::Alone {
        return vec![Resident { kin: own.chance(85).then_some(kin), ..first }];
    }
    let partner_age = (age + own.between(-6, 4)).clamp(30, 98);
    let partner_born = birthday(&mut own, today, partner_age);
    let second = Resident {
        sex: sex.other(),
        given: table::given_name(&mut own, sex.other(), partner_born.year()),
        born: partner_born,
        ..first.clone()
    };
    let widowed = living == Living::WithChild && own.chance(60);
    if widowed {
        return vec![Resident { kin: Some(kin), ..first }];
    }
    let both = old && own.chance(40);
    let first_too = Resident { spouse: Some(spouse(&second)), kin: Some(kin.clone()), ..first.clone() };
    let second_too = Resident { spouse: Some(spouse(&first)), kin: Some(kin), ..second };
    if both { vec![first_too, second_too] } else { vec![first_too] }
}

fn typical(own: &mut Stream, today: Day) -> Option<Resident> {
    let name = |part: &str| {
        rows(TYPICAL_CITIZENS).find(|row| row.text(0) == part).map(|row| {
            let family = Name { written: row.text(2), kana: row.text(4) };
            let given = Name { written: row.text(3), kana: row.text(5) };
            (row.text(1), family, given)
        })
    };
    let (_, family, given) = name("citizen")?;
    let (login, kin_family, kin_given) = name("proxy")?;
    Some(Resident {
        family,
        given,
        sex: Sex::Female,
        born: birthday(own, today, 86),
        town: TOWNS.first()?,
        place: place(own),
        living: Living::WithChild,
        kin: Some(Kin {
            family: kin_family,
            given: kin_given,
            sex: Sex::Female,
            year: today.year() - 59,
            called: "長女",
            code: "DAUC",
            same_address: true,
            login: Some(login),
        }),
        spouse: None,
        typical: true,
    })
}

fn place(own: &mut Stream) -> String {
    let (block, lot, house) = (own.between(1, 5), own.between(1, 28), own.between(1, 19));
    let room = if own.chance(25) {
        format!(" ひだまり荘{}号室", own.between(1, 4) * 100 + own.between(1, 8))
    } else {
        String::new()
    };
    format!("{block}丁目{lot}番{house}号{room}")
}

fn birthday(own: &mut Stream, today: Day, age: i32) -> Day {
    today.minus(i64::from(age) * 365 + i64::from(age) / 4 + i64::from(own.between(1, 364)))
}

fn child(own: &mut Stream, parent: &Resident) -> Kin {
    let sex = if own.chance(58) { Sex::Female } else { Sex::Male };
    let year = parent.born.year() + i16::try_from(own.between(23, 34)).unwrap_or(28);
    let called = match (sex, own.between(0, 9)) {
        (Sex::Female, 0..7) => "長女",
        (Sex::Female, _) => "次女",
        (Sex::Male, 0..7) => "長男",
        (Sex::Male, _) => "次男",
    };
    let same_address = parent.living == Living::WithChild;
    let married_out = sex == Sex::Female && !same_address && own.chance(70);
    Kin {
        family: if married_out { table::family_name(own) } else { parent.family },
        given: table::given_name(own, sex, year),
        sex,
        year,
        called,
        code: if sex == Sex::Female { "DAUC" } else { "SONC" },
        same_address,
        login: None,
    }
}

fn spouse(of: &Resident) -> Kin {
    let (called, code) = if of.sex == Sex::Female { ("妻", "WIFE") } else { ("夫", "HUSB") };
    Kin {
        family: of.family,
        given: of.given,
        sex: of.sex,
        year: of.born.year(),
        called,
        code,
        same_address: true,
        login: None,
    }
}

/// The person's Patient resource. `number` is theirs in the whole city; `hospitals` are the
/// numbers of the hospitals that know them.
pub(crate) fn patient(who: &Resident, number: u32, hospitals: &[usize], own: &mut Stream) -> String {
    let mut identifiers = vec![insured_number(number)];
    for hospital in hospitals {
        // 2.999 is the arc for examples (ITU-T X.660).
        identifiers.push(
            Object::new()
                .object("type", &kind_of_identifier("MR", "患者番号"))
                .text("system", &format!("urn:oid:2.999.392.51.{hospital}"))
                .text("value", &format!("{:08}", u64::from(number) * 37 + 100_000 * *hospital as u64)),
        );
    }
    if own.chance(6) {
        // As an older system exports it.
        identifiers.push(
            Object::new()
                .text("use", "old")
                .text("system", "http://example.jp/mimamori-demo/old-register")
                .text("value", &format!("{}-{number}", half_width(who.family.kana))),
        );
    }
    let phone = format!("000-{:04}-{:04}", own.between(0, 9999), number % 10_000);
    let mut names = names(who.family, who.given, "official", number % NARROW == 4);
    if who.sex == Sex::Female && own.chance(4) {
        names.extend(self::names(table::family_name(own), who.given, "maiden", false));
    }
    Object::resource("Patient")
        .list("identifier", &identifiers)
        .plain("active", true)
        .list("name", &names)
        .list("telecom", &[Object::new().text("system", "phone").text("value", &phone).text("use", "home")])
        .text("gender", gender(who.sex))
        .text("birthDate", &who.born.iso())
        .list("address", &[address(who.town, &who.place)])
        .list(
            "communication",
            &[Object::new()
                .object("language", &coded("urn:ietf:bcp:47", "ja", "日本語"))
                .plain("preferred", true)],
        )
        .to_string()
}

fn insured_number(number: u32) -> Object {
    Object::new()
        .object("type", &kind_of_identifier("NI", "被保険者番号"))
        .text("system", "http://example.jp/mimamori-demo/insured-person-number")
        .text("value", &format!("H{number:09}"))
}

fn kind_of_identifier(code: &str, text: &str) -> Object {
    Object::new()
        .list(
            "coding",
            &[Object::new()
                .text("system", "http://terminology.hl7.org/CodeSystem/v2-0203")
                .text("code", code)],
        )
        .text("text", text)
}

pub(crate) fn coded(system: &str, code: &str, text: &str) -> Object {
    Object::new()
        .list("coding", &[Object::new().text("system", system).text("code", code)])
        .text("text", text)
}

const fn gender(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "female",
        Sex::Male => "male",
    }
}

/// Of so many people one came from an older system, which wrote kana half as wide.
const NARROW: u32 = 9;

/// A name twice: as written (IDE) and as read (SYL), as JP Core has it.
fn names(family: Name, given: Name, usage: &str, narrow: bool) -> Vec<Object> {
    let kana = |text: &str| if narrow { half_width(text) } else { text.to_owned() };
    let one = |representation: &str, family: &str, given: &str| {
        Object::new()
            .list(
                "extension",
                &[Object::new()
                    .text("url", "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation")
                    .text("valueCode", representation)],
            )
            .text("use", usage)
            .text("text", &format!("{family} {given}"))
            .text("family", family)
            .texts("given", &[given])
    };
    vec![one("IDE", family.written, given.written), one("SYL", &kana(family.kana), &kana(given.kana))]
}

/// The people close to a resident: a spouse, a child. At most one may speak for them.
pub(crate) fn related(who: &Resident, number: u32, needs_proxy: bool, own: &mut Stream) -> Vec<Related> {
    let mut proxy = needs_proxy || who.typical;
    who.kin
        .iter()
        .chain(&who.spouse)
        .map(|kin| {
            let is_proxy = std::mem::take(&mut proxy);
            let login = match kin.login {
                Some(login) => Some(login.to_owned()),
                None if is_proxy && own.chance(50) => {
                    Some(format!("{}.proxy{number}", romaji(kin.given.kana).to_lowercase()))
                }
                None => None,
            };
            Related { related_person: related_person(kin, who, number), is_proxy, login }
        })
        .collect()
}

fn related_person(kin: &Kin, who: &Resident, number: u32) -> String {
    let relationship = coded("http://terminology.hl7.org/CodeSystem/v3-RoleCode", kin.code, kin.called);
    let phone = format!("000-{:04}-{:04}", 5000 + number % 5000, number % 10_000);
    let home = if kin.same_address { vec![address(who.town, &who.place)] } else { Vec::new() };
    Object::resource("RelatedPerson")
        .plain("active", true)
        .object("patient", &Object::new().text("reference", SUBJECT))
        .list("relationship", &[relationship])
        .list("name", &names(kin.family, kin.given, "official", false))
        .list("telecom", &[Object::new().text("system", "phone").text("value", &phone).text("use", "mobile")])
        .text("gender", gender(kin.sex))
        .text("birthDate", &kin.year.to_string())
        .list("address", &home)
        .to_string()
}

/// Full-width katakana as half-width, voiced marks apart (JIS X 0201), for numbers of old systems.
fn half_width(kana: &str) -> String {
    const FULL: &str = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワヲンァィゥェォャュョッー";
    const HALF: &str = "ｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜｦﾝｧｨｩｪｫｬｭｮｯｰ";
    const VOICED: &str = "ガギグゲゴザジズゼゾダヂヅデドバビブベボ";
    const PLAIN: &str = "カキクケコサシスセソタチツテトハヒフヘホ";
    let half = |c: char| FULL.chars().zip(HALF.chars()).find(|(f, _)| *f == c).map_or(c, |(_, h)| h);
    kana.chars()
        .flat_map(|c| match VOICED.chars().zip(PLAIN.chars()).find(|(v, _)| *v == c) {
            Some((_, plain)) => vec![half(plain), 'ﾞ'],
            None => vec![half(c)],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_width_katakana_parts_the_voiced_mark() {
        assert_eq!(half_width("ワタナベ"), "ﾜﾀﾅﾍﾞ");
        assert_eq!(half_width("サトウ"), "ｻﾄｳ");
    }

    #[test]
    fn a_household_shares_surname_and_address_and_ages_are_possible() {
        let today = Day::from_date(2026, 11, 21);
        let chance = Stream::new(5);
        let homes: Vec<_> = (0..400).map(|n| household(&chance, n, today)).collect();
        assert!(homes.iter().filter(|home| home.len() == 2).count() > 20);
        for home in &homes {
            let first = home.first().unwrap();
            assert!(home.iter().all(|r| r.family == first.family && r.place == first.place));
            assert!(home.iter().all(|r| (29..=99).contains(&r.age(today))));
        }
        let elderly = homes.iter().flatten().filter(|r| r.age(today) >= 65).count();
        assert!(elderly * 10 > homes.iter().flatten().count() * 8);
    }
}
