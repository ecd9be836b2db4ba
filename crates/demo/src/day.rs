//! Days and minutes of Japan. Standard time there is UTC+9 without summer time.

use jiff::ToSpan;
use jiff::civil::Date;
use mimamori_domain::Timestamp;

const OFFSET_MICROS: i64 = 9 * 3600 * 1_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// A calendar day in Japan, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(pub(crate) i64);

impl Day {
    pub(crate) const fn of(time: Timestamp) -> Self {
        Self(time.as_micros().saturating_add(OFFSET_MICROS).div_euclid(DAY_MICROS))
    }

    pub(crate) fn from_date(year: i16, month: i8, day: i8) -> Self {
        let date = Date::new(year, month, day).unwrap_or(EPOCH);
        Self(i64::from((date - EPOCH).get_days()))
    }

    pub(crate) const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }

    pub(crate) const fn minus(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days))
    }

    pub(crate) fn date(self) -> Date {
        EPOCH.saturating_add(self.0.clamp(-2_000_000, 2_000_000).days())
    }

    pub(crate) fn year(self) -> i16 {
        self.date().year()
    }

    pub(crate) fn month(self) -> i8 {
        self.date().month()
    }

    /// Monday is 0.
    pub(crate) const fn weekday(self) -> i64 {
        (self.0 + 3).rem_euclid(7)
    }

    /// `2026-11-21`
    pub(crate) fn iso(self) -> String {
        self.date().to_string()
    }

    /// `11月21日`
    pub(crate) fn ja(self) -> String {
        let date = self.date();
        format!("{}月{}日", date.month(), date.day())
    }

    pub(crate) const fn at(self, minute: i64) -> Moment {
        Moment { day: self, minute }
    }
}

/// A minute of a day in Japan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) day: Day,
    /// Since midnight in Japan.
    pub(crate) minute: i64,
}

impl Moment {
    pub(crate) const fn timestamp(self) -> Timestamp {
        Timestamp::from_micros(
            self.day
                .0
                .saturating_mul(DAY_MICROS)
                .saturating_add(self.minute.saturating_mul(60_000_000))
                .saturating_sub(OFFSET_MICROS),
        )
    }

    /// FHIR instant: `2026-11-21T10:30:00+09:00`
    pub(crate) fn iso(self) -> String {
        let day = self.day.plus(self.minute.div_euclid(1440));
        let minute = self.minute.rem_euclid(1440);
        format!("{}T{:02}:{:02}:00+09:00", day.iso(), minute / 60, minute % 60)
    }

    /// `9:05`
    pub(crate) fn clock(self) -> String {
        let minute = self.minute.rem_euclid(1440);
        format!("{}:{:02}", minute / 60, minute % 60)
    }

    pub(crate) const fn later(self, minutes: i64) -> Self {
        Self { day: self.day, minute: self.minute + minutes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_japan_begins_nine_hours_before_greenwich() {
        let midnight = "2026-11-20T15:00:00Z".parse::<jiff::Timestamp>().unwrap().into();
        let day = Day::of(midnight);
        assert_eq!(day.iso(), "2026-11-21");
        assert_eq!(day.ja(), "11月21日");
        assert_eq!(day.weekday(), 5, "a Saturday");
        assert_eq!(day.at(0).timestamp(), midnight);
        assert_eq!(day.at(630).iso(), "2026-11-21T10:30:00+09:00");
        assert_eq!(day.at(23 * 60 + 50).later(20).iso(), "2026-11-22T00:10:00+09:00");
        assert_eq!(Day::from_date(2026, 11, 21), day);
    }
}
