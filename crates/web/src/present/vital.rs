//! Vital signs: their LOINC codes, UCUM units and the values a person can have.
//!
//! Codes and units are those of FHIR R4's vital signs profiles. The limits are not clinical norms:
//! they catch slips of the finger (366 for 36.6) and leave room for what bedsides do see.

use mimamori_fhir::Value;

use crate::language::Texts;

pub(crate) const LOINC: &str = "http://loinc.org";
pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

/// One measurement.
#[derive(Debug)]
pub(crate) struct Vital {
    /// LOINC.
    pub(crate) code: &'static str,
    /// LOINC's name in English, for `display`.
    pub(crate) display: &'static str,
    /// The text with its name.
    pub(crate) word: &'static str,
    /// UCUM; empty for a panel.
    pub(crate) unit: &'static str,
    /// How it is entered, where it is.
    pub(crate) entry: Option<Entry>,
}

/// A field of the form.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) field: &'static str,
    /// Least and greatest value, in thousandths of the unit.
    pub(crate) range: (u32, u32),
    pub(crate) decimals: u8,
    /// The panel it is a component of (LOINC).
    pub(crate) panel: Option<&'static str>,
}

const fn entry(
    code: &'static str,
    display: &'static str,
    word: &'static str,
    unit: &'static str,
    entry: Entry,
) -> Vital {
    Vital { code, display, word, unit, entry: Some(entry) }
}

const fn shown(code: &'static str, display: &'static str, word: &'static str, unit: &'static str) -> Vital {
    Vital { code, display, word, unit, entry: None }
}

const fn field(field: &'static str, range: (u32, u32), decimals: u8) -> Entry {
    Entry { field, range: (range.0 * 1000, range.1 * 1000), decimals, panel: None }
}

/// LOINC of the blood pressure panel.
pub(crate) const BLOOD_PRESSURE: &str = "85354-9";

const fn pressure(name: &'static str, range: (u32, u32)) -> Entry {
    Entry { panel: Some(BLOOD_PRESSURE), ..field(name, range, 0) }
}

/// In the order of the form.
pub(crate) static VITALS: &[Vital] = &[
    entry("8310-5", "Body temperature", "vital-temperature", "Cel", field("temperature", (25, 45), 1)),
    entry("8480-6", "Systolic blood pressure", "vital-systolic", "mm[Hg]", pressure("systolic", (30, 300))),
    entry(
        "8462-4",
        "Diastolic blood pressure",
        "vital-diastolic",
        "mm[Hg]",
        pressure("diastolic", (10, 200)),
    ),
    entry("8867-4", "Heart rate", "vital-pulse", "/min", field("pulse", (10, 300), 0)),
    entry(
        "2708-6",
        "Oxygen saturation in Arterial blood",
        "vital-oxygen",
        "%",
        field("oxygen", (30, 100), 0),
    ),
    entry("9279-1", "Respiratory rate", "vital-respiration", "/min", field("respiration", (2, 100), 0)),
    entry("29463-7", "Body weight", "vital-weight", "kg", field("weight", (0, 400), 1)),
    shown("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "vital-oxygen", "%"),
    shown(BLOOD_PRESSURE, "Blood pressure panel with all children optional", "vital-blood-pressure", ""),
    shown("8302-2", "Body height", "vital-height", "cm"),
    shown("39156-5", "Body mass index (BMI) [Ratio]", "vital-bmi", "kg/m2"),
    shown("2339-0", "Glucose [Mass/volume] in Blood", "vital-glucose", "mg/dL"),
];

/// One drawing of the page of a person's vital signs: the codes that stand in it, each a line of its own.
#[derive(Debug)]
pub(crate) struct Course {
    /// The text with its name.
    pub(crate) word: &'static str,
    /// LOINC; those in one list are the same measurement under different codes.
    pub(crate) lines: &'static [&'static [&'static str]],
    /// From where to where it usually is for adults at rest, for each line: a help for the eye, not a norm
    /// for treatment. In thousandths of the unit.
    pub(crate) usual: &'static [Option<(u32, u32)>],
}

/// In the order of the page. A temperature of 37.5 and above counts as fever under Japan's infectious
/// diseases law; 140 and 90 as hypertension by the Japanese Society of Hypertension (in a consulting room).
pub(crate) static COURSES: &[Course] = &[
    Course { word: "vital-temperature", lines: &[&["8310-5"]], usual: &[Some((36_000, 37_400))] },
    Course {
        word: "vital-blood-pressure",
        lines: &[&["8480-6"], &["8462-4"]],
        usual: &[Some((90_000, 139_000)), Some((50_000, 89_000))],
    },
    Course { word: "vital-pulse", lines: &[&["8867-4"]], usual: &[Some((50_000, 100_000))] },
    Course { word: "vital-oxygen", lines: &[&["2708-6", "59408-5"]], usual: &[Some((95_000, 100_000))] },
    Course { word: "vital-respiration", lines: &[&["9279-1"]], usual: &[Some((12_000, 20_000))] },
    Course { word: "vital-weight", lines: &[&["29463-7"]], usual: &[None] },
    Course { word: "vital-glucose", lines: &[&["2339-0"]], usual: &[None] },
];

/// The vital sign whose code a resource or component carries.
pub(crate) fn of(value: Value<'_>) -> Option<&'static Vital> {
    let codes = value.get("code")?.items("coding");
    codes.filter(|c| c.string("system") == Some(LOINC)).find_map(|c| with_code(c.string("code")?))
}

pub(crate) fn with_code(code: &str) -> Option<&'static Vital> {
    VITALS.iter().find(|v| v.code == code)
}

/// UCUM units that have a word.
pub(super) static UNITS: [(&str, &str); 7] = [
    ("Cel", "unit-celsius"),
    ("mm[Hg]", "unit-mmhg"),
    ("/min", "unit-per-minute"),
    ("%", "unit-percent"),
    ("d", "unit-days"),
    ("h", "unit-hours"),
    ("a", "unit-years"),
];

/// The word for a UCUM unit.
pub(crate) fn unit_word(code: Option<&str>, texts: &Texts) -> Option<String> {
    UNITS.iter().find(|(unit, _)| Some(*unit) == code).map(|(_, key)| texts.get(key))
}

/// How a number that somebody typed cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    NotANumber,
    Decimals,
    Range,
}

impl Entry {
    /// Reads a number as typed, full-width digits and points included, and gives it back in the
    /// form that goes into the record, digits as typed.
    pub(crate) fn read(&self, typed: &str) -> Result<String, Wrong> {
        let plain: String = typed.trim().chars().map(narrow).collect();
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain.as_str(), ""));
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let dangling = plain.ends_with('.');
        if whole.is_empty() || whole.len() > 4 || dangling || !digits(whole) || !digits(fraction) {
            return Err(Wrong::NotANumber);
        }
        if fraction.len() > usize::from(self.decimals) {
            return Err(Wrong::Decimals);
        }
        let thousandths: u32 = format!("{whole}{fraction:0<3}").parse().map_err(|_| Wrong::NotANumber)?;
        if thousandths == 0 || thousandths < self.range.0 || thousandths > self.range.1 {
            return Err(Wrong::Range);
        }
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        Ok(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
    }

    /// The range in words: `25–45`.
    pub(crate) fn range_words(&self) -> String {
        format!("{}–{}", self.range.0 / 1000, self.range.1 / 1000)
    }
}

fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).unwrap_or(c),
        '．' | '。' | '・' => '.',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str, typed: &str) -> Result<String, Wrong> {
        let entry = VITALS.iter().filter_map(|v| v.entry.as_ref()).find(|e| e.field == field);
        entry.unwrap().read(typed)
    }

    #[test]
    fn numbers_are_read_as_people_type_them() {
        assert_eq!(read("temperature", "36.5").as_deref(), Ok("36.5"));
        assert_eq!(read("temperature", "３６．５").as_deref(), Ok("36.5"));
        assert_eq!(read("temperature", "37.0").as_deref(), Ok("37.0"));
        assert_eq!(read("pulse", " 072 ").as_deref(), Ok("72"));
        assert_eq!(read("weight", "0.8").as_deref(), Ok("0.8"));
    }

    #[test]
    fn slips_of_the_finger_are_caught() {
        assert_eq!(read("temperature", "365"), Err(Wrong::Range));
        assert_eq!(read("temperature", "36.55"), Err(Wrong::Decimals));
        assert_eq!(read("pulse", "72.5"), Err(Wrong::Decimals));
        assert_eq!(read("oxygen", "101"), Err(Wrong::Range));
        assert_eq!(read("weight", "0"), Err(Wrong::Range));
        for bad in ["-1", "1e2", "36,5", "", ".5", "36.", "36.5.1", "99999", "NaN", "+3"] {
            assert_eq!(read("temperature", bad), Err(Wrong::NotANumber), "{bad}");
        }
    }

    #[test]
    fn every_line_of_a_course_is_a_known_measurement_with_its_range() {
        for course in COURSES {
            assert_eq!(course.lines.len(), course.usual.len(), "{}", course.word);
            for code in course.lines.iter().copied().flatten() {
                assert!(with_code(code).is_some_and(|vital| !vital.unit.is_empty()), "{code}");
            }
            assert!(course.usual.iter().flatten().all(|(low, high)| low < high), "{}", course.word);
        }
    }

    #[test]
    fn codes_are_listed_once() {
        let mut codes: Vec<_> = VITALS.iter().map(|v| v.code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), VITALS.len());
    }
}
