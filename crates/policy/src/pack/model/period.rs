//! Periods as ISO 8601 writes them.

use std::fmt;
use std::str::FromStr;

/// A period of calendar years, months, days, hours and minutes: `P1Y`, `P7D`, `PT1H`, `P1Y6M`.
///
/// Years, months and days are counted on Japan's calendar; weeks (`P2W`) are read as days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Period {
    pub years: u32,
    pub months: u32,
    pub days: u32,
    pub hours: u32,
    pub minutes: u32,
}

/// Greatest number in one place: nothing that rules count is longer than 9,999 days.
const MOST: u32 = 9_999;

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "a period is written like P1Y, P6M, P7D, P2W or PT1H";
        let rest = text.strip_prefix('P').ok_or(FORM)?;
        let (date, time) = match rest.split_once('T') {
            Some((_, "")) => return Err(FORM),
            Some(parts) => parts,
            None => (rest, ""),
        };
        let mut period = Self::default();
        let mut weeks = 0;
        part(
            date,
            &mut [
                ('Y', &mut period.years),
                ('M', &mut period.months),
                ('W', &mut weeks),
                ('D', &mut period.days),
            ],
        )
        .ok_or(FORM)?;
        part(time, &mut [('H', &mut period.hours), ('M', &mut period.minutes)]).ok_or(FORM)?;
        period.days += 7 * weeks;
        if period == Self::default() { Err("a period is longer than nothing") } else { Ok(period) }
    }
}

/// Reads numbers with their letters, which must come in the order given.
fn part(text: &str, places: &mut [(char, &mut u32)]) -> Option<()> {
    let mut places = places.iter_mut();
    let mut number = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            number.push(letter);
            continue;
        }
        let value: u32 = number.parse().ok()?;
        let place = places.find(|(unit, _)| *unit == letter)?;
        *place.1 = (value <= MOST).then_some(value)?;
        number.clear();
    }
    number.is_empty().then_some(())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P")?;
        for (number, unit) in [(self.years, 'Y'), (self.months, 'M'), (self.days, 'D')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        if self.hours > 0 || self.minutes > 0 {
            f.write_str("T")?;
        }
        for (number, unit) in [(self.hours, 'H'), (self.minutes, 'M')] {
            if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for text in ["P1Y", "P6M", "P7D", "PT1H", "P1Y2M3DT4H5M", "PT30M"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        assert_eq!("P2W".parse::<Period>().unwrap().to_string(), "P14D");
        for text in [
            "",
            "P",
            "PT",
            "P1",
            "1Y",
            "P1H",
            "P1M1Y",
            "PT1D",
            "P0D",
            "P-1D",
            "P1.5Y",
            "P99999999999D",
            "P10000D",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
