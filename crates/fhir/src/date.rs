//! FHIR's partial dates and times as intervals of UTC microseconds.
//!
//! A date is as long as its precision: `2026-02` is all of February. Where no zone is given, Japan's
//! is meant (+09:00, without the summer times of 1948 to 1951).

/// `[start, end)` in microseconds since 1970-01-01T00:00:00 UTC.
pub type Interval = (i64, i64);

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;
/// Asia/Tokyo.
const JAPAN_MINUTES: i64 = 9 * 60;

/// A date, perhaps partial, perhaps with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<Time>,
    /// Minutes east of UTC.
    zone: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Time {
    hour: i64,
    minute: i64,
    second: Option<i64>,
    /// Microseconds within the second and how long the written precision is.
    fraction: Option<(i64, i64)>,
}

impl Date {
    /// Reads `YYYY`, `YYYY-MM`, `YYYY-MM-DD` or a date with `Thh:mm[:ss[.f]]` and `Z` or `±hh:mm`.
    /// Dates that don't exist (2026-02-30) are none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut scan = Scan(text.as_bytes());
        let year = scan.digits(4).filter(|y| *y > 0)?;
        let mut date = Self { year, month: None, day: None, time: None, zone: None };
        if scan.eat(b'-') {
            date.month = Some(scan.digits(2).filter(|m| (1..=12).contains(m))?);
            if scan.eat(b'-') {
                let last = days_in_month(year, date.month?);
                date.day = Some(scan.digits(2).filter(|d| (1..=last).contains(d))?);
                if scan.eat(b'T') {
                    date.time = Some(scan.time()?);
                    if !scan.0.is_empty() {
                        date.zone = Some(scan.zone()?);
                    }
                }
            }
        }
        scan.0.is_empty().then_some(date)
    }

    pub(crate) const fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// With seconds and a zone, as FHIR demands of stored times.
    pub(crate) fn is_exact(&self) -> bool {
        self.zone.is_some() && self.time.is_some_and(|t| t.second.is_some())
    }

    /// All the time that is meant.
    pub(crate) fn interval(&self) -> Interval {
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        let zone = self.zone.unwrap_or(JAPAN_MINUTES) * 60;
        let midnight = |year, month, day| (days_from_epoch(year, month, day) * DAY - zone) * MICROS;
        let start = midnight(self.year, month, day);
        if let Some(time) = self.time {
            let seconds = (time.hour * 60 + time.minute) * 60 + time.second.unwrap_or(0);
            let (micros, precision) = time.fraction.unwrap_or((0, MICROS));
            let length = if time.second.is_some() { precision } else { 60 * MICROS };
            let start = start + seconds * MICROS + micros;
            return (start, start + length);
        }
        let end = match (self.month, self.day) {
            (None, _) => midnight(self.year + 1, 1, 1),
            (Some(12), None) => midnight(self.year + 1, 1, 1),
            (Some(month), None) => midnight(self.year, month + 1, 1),
            _ => start + DAY * MICROS,
        };
        (start, end)
    }
}

/// Whether a text is `hh:mm:ss[.f]`.
pub(crate) fn is_time(text: &str) -> bool {
    let mut scan = Scan(text.as_bytes());
    scan.time().is_some_and(|t| t.second.is_some()) && scan.0.is_empty()
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March so that
/// the leap day comes last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH: i64 = 719_468;
    year * 365 + leap_days + day_of_year - EPOCH
}

struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(digits.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0')))
    }

    fn time(&mut self) -> Option<Time> {
        let hour = self.digits(2).filter(|h| *h < 24)?;
        let minute = self.eat(b':').then(|| self.digits(2))?.filter(|m| *m < 60)?;
        let mut time = Time { hour, minute, second: None, fraction: None };
        if self.eat(b':') {
            // 60: a leap second, which counts as the next second.
            time.second = Some(self.digits(2).filter(|s| *s <= 60)?);
            if self.eat(b'.') {
                time.fraction = Some(self.fraction()?);
            }
        }
        Some(time)
    }

    fn fraction(&mut self) -> Option<(i64, i64)> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at_checked(count).filter(|(d, _)| !d.is_empty())?;
        self.0 = rest;
        let (mut micros, mut precision) = (0, MICROS);
        for digit in digits.iter().take(6) {
            precision /= 10;
            micros += i64::from(digit - b'0') * precision;
        }
        Some((micros, precision))
    }

    fn zone(&mut self) -> Option<i64> {
        if self.eat(b'Z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') { 1 } else { self.eat(b'-').then_some(-1)? };
        let hours = self.digits(2)?;
        let minutes = self.eat(b':').then(|| self.digits(2))?.filter(|m| *m < 60)?;
        let zone = hours * 60 + minutes;
        (zone <= 14 * 60).then_some(sign * zone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(text: &str) -> Interval {
        Date::read(text).unwrap().interval()
    }

    #[test]
    fn partial_dates_last_as_long_as_they_say() {
        let day = DAY * MICROS;
        assert_eq!(interval("1970-01-01T00:00:00Z"), (0, MICROS));
        assert_eq!(interval("1970-01-01").0, -9 * 3600 * MICROS);
        let (start, end) = interval("2024-02");
        assert_eq!(end - start, 29 * day);
        let (start, end) = interval("2023");
        assert_eq!(end - start, 365 * day);
        assert_eq!(interval("2023-12").1, interval("2024-01").0);
        assert_eq!(interval("2026-11-21T10:00:00.5+09:00"), {
            let start = interval("2026-11-21T01:00:00Z").0 + 500_000;
            (start, start + 100_000)
        });
        assert_eq!(interval("2026-11-21T10:05").1 - interval("2026-11-21T10:05").0, 60 * MICROS);
    }

    #[test]
    fn known_days() {
        assert_eq!(days_from_epoch(2000, 3, 1), 11_017);
        assert_eq!(days_from_epoch(1969, 12, 31), -1);
        assert_eq!(days_from_epoch(1, 1, 1), -719_162);
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for bad in [
            "",
            "0000",
            "26",
            "2026-",
            "2026-13",
            "2026-02-30",
            "2023-02-29",
            "1900-02-29",
            "2026-1-1",
            "2026-01-01T",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10",
            "2026-01-01T10:00:00+15:00",
            "2026-01-01T10:00:00.Z",
            "2026-01-01 ",
            "２０２６",
            "2026-01-01T10:00:61Z",
        ] {
            assert_eq!(Date::read(bad), None, "{bad}");
        }
        assert!(Date::read("2000-02-29").is_some());
        assert!(!Date::read("2026-01-01T10:00").unwrap().is_exact());
        assert!(is_time("08:30:00") && is_time("23:59:60.123") && !is_time("08:30") && !is_time("24:00:00"));
    }
}
