//! Dates and times as people in Japan read them: Asia/Tokyo, era years beside Gregorian ones.

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use mimamori_domain::Timestamp;

use crate::language::{Language, Texts};

/// First day, name in Japanese, name in English; newest first. (The calendar was lunisolar until
/// the end of 1872; era years of Meiji before that are the Gregorian year's.)
const ERAS: [(Date, &str, &str); 5] = [
    (Date::constant(2019, 5, 1), "令和", "Reiwa"),
    (Date::constant(1989, 1, 8), "平成", "Heisei"),
    (Date::constant(1926, 12, 25), "昭和", "Showa"),
    (Date::constant(1912, 7, 30), "大正", "Taisho"),
    (Date::constant(1868, 1, 25), "明治", "Meiji"),
];

static TOKYO: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Asia/Tokyo").unwrap_or_else(|_| TimeZone::fixed(Offset::constant(9))));

/// A FHIR `date` or `dateTime` (FHIR R4 section 2.24.0.1) as far as it is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FhirTime {
    Year(i16),
    Month(i16, i8),
    Day(Date),
    Instant(Timestamp),
}

impl FhirTime {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.len() {
            4 => Some(Self::Year(text.parse().ok()?)),
            7 => {
                let (year, month) = text.split_once('-')?;
                let (year, month) = (year.parse().ok()?, month.parse().ok()?);
                Date::new(year, month, 1).ok().map(|_| Self::Month(year, month))
            }
            10 => text.parse().ok().map(Self::Day),
            _ => text.parse::<jiff::Timestamp>().ok().map(|t| Self::Instant(t.into())),
        }
    }

    /// The first and the last day it may mean.
    fn days(self) -> Option<(Date, Date)> {
        let whole = |year, from, until| {
            let first = Date::new(year, from, 1).ok()?;
            Some((first, Date::new(year, until, 1).ok()?.last_of_month()))
        };
        match self {
            Self::Year(year) => whole(year, 1, 12),
            Self::Month(year, month) => whole(year, month, month),
            Self::Day(day) => Some((day, day)),
            Self::Instant(time) => Some((day_of(time), day_of(time))),
        }
    }

    /// As text, with the time of day where it is stated.
    pub(crate) fn show(self, texts: &Texts) -> String {
        match (self, texts.language) {
            (Self::Year(y), Language::Japanese) => format!("{y}年"),
            (Self::Year(y), Language::English) => y.to_string(),
            (Self::Month(y, m), Language::Japanese) => format!("{y}年{m}月"),
            (Self::Month(y, m), Language::English) => format!("{} {y}", month_name(m)),
            (Self::Day(day), _) => date(day, texts),
            (Self::Instant(time), _) => date_time(time, texts),
        }
    }
}

/// The era years of a day or period: two when an era began within it.
fn era(time: FhirTime, language: Language) -> Option<String> {
    let (first, last) = time.days()?;
    let name = |day: Date| {
        let (start, ja, en) = ERAS.iter().find(|(start, ..)| *start <= day)?;
        let year = day.year() - start.year() + 1;
        Some(match language {
            Language::Japanese if year == 1 => format!("{ja}元年"),
            Language::Japanese => format!("{ja}{year}年"),
            Language::English => format!("{en} {year}"),
        })
    };
    let (from, until) = (name(first), name(last)?);
    match from {
        Some(from) if from != until => Some(format!("{from}／{until}")),
        _ => Some(until),
    }
}

/// A birth date: era year and Gregorian year, so that either can be checked against a card.
pub(crate) fn birth_date(text: &str, texts: &Texts) -> Option<String> {
    let time = FhirTime::parse(text)?;
    let shown = match time {
        FhirTime::Day(day) => plain(day, texts),
        _ => time.show(texts),
    };
    let Some(era) = era(time, texts.language) else { return Some(shown) };
    Some(match (time, texts.language) {
        (FhirTime::Month(y, m), Language::Japanese) => format!("{era}{m}月（{y}年）"),
        (FhirTime::Day(d), Language::Japanese) => {
            format!("{era}{}月{}日（{}年）", d.month(), d.day(), d.year())
        }
        (FhirTime::Year(y), Language::Japanese) => format!("{era}（{y}年）"),
        (FhirTime::Instant(_), Language::Japanese) => shown,
        (_, Language::English) => format!("{shown} ({era})"),
    })
}

/// Age in full years on `today`: exact, or from-to when the birth date is stated in part. Below one
/// year it is told in months.
pub(crate) fn age(birth: &str, today: Date, texts: &Texts) -> Option<String> {
    let (first, last) = FhirTime::parse(birth)?.days()?;
    let (most, least) = (full_months(first, today)?, full_months(last.min(today), today)?);
    if most / 12 != least / 12 {
        let range = format!("{}–{}", least / 12, most / 12);
        return Some(texts.with("age-between", "range", &range));
    }
    Some(match most / 12 {
        0 => texts.count("age-months", u64::from(least)),
        years => texts.count("age-years", u64::from(years)),
    })
}

fn full_months(from: Date, until: Date) -> Option<u32> {
    let months = (i32::from(until.year()) - i32::from(from.year())) * 12 + i32::from(until.month())
        - i32::from(from.month())
        - i32::from(until.day() < from.day());
    u32::try_from(months).ok()
}

/// The day in Asia/Tokyo.
pub(crate) fn day_of(time: Timestamp) -> Date {
    zoned(time).date()
}

/// The beginning of a day in Asia/Tokyo.
pub(crate) fn start_of(day: Date) -> Option<Timestamp> {
    day.to_zoned(TOKYO.clone()).ok().map(|z| z.timestamp().into())
}

/// A date and time of day in Asia/Tokyo, as an HTML `datetime-local` field states it.
pub(crate) fn from_local(text: &str) -> Option<Timestamp> {
    let local: jiff::civil::DateTime = text.trim().parse().ok()?;
    local.to_zoned(TOKYO.clone()).ok().map(|z| z.timestamp().into())
}

/// What an HTML `datetime-local` field wants: `2026-11-21T10:23`.
pub(crate) fn to_local(time: Timestamp) -> String {
    zoned(time).strftime("%Y-%m-%dT%H:%M").to_string()
}

/// A FHIR dateTime with the offset of Asia/Tokyo, to the second.
pub(crate) fn to_fhir(time: Timestamp) -> String {
    zoned(time).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// `2026年11月21日（土）`, or `Sat 21 Nov 2026`.
pub(crate) fn date(day: Date, texts: &Texts) -> String {
    let weekday = weekday(day, texts);
    match texts.language {
        Language::Japanese => format!("{}（{weekday}）", plain(day, texts)),
        Language::English => format!("{weekday} {}", plain(day, texts)),
    }
}

/// `土`, or `Sat`.
pub(crate) fn weekday(day: Date, texts: &Texts) -> &'static str {
    let names = match texts.language {
        Language::Japanese => ["月", "火", "水", "木", "金", "土", "日"],
        Language::English => ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    };
    let at = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or_default();
    names.get(at).copied().unwrap_or_default()
}

/// `11/21`: a day of a drawing.
pub(crate) fn short(day: Date) -> String {
    format!("{}/{}", day.month(), day.day())
}

/// A day without its weekday: days long ago.
fn plain(day: Date, texts: &Texts) -> String {
    match texts.language {
        Language::Japanese => format!("{}年{}月{}日", day.year(), day.month(), day.day()),
        Language::English => format!("{} {} {}", day.day(), month_name(day.month()), day.year()),
    }
}

/// `2026年11月21日（土）10:23`, or `Sat 21 Nov 2026, 10:23`.
pub(crate) fn date_time(time: Timestamp, texts: &Texts) -> String {
    let at = zoned(time);
    let (day, clock) = (date(at.date(), texts), at.strftime("%H:%M"));
    match texts.language {
        Language::Japanese => format!("{day}{clock}"),
        Language::English => format!("{day}, {clock}"),
    }
}

/// `10:23`
pub(crate) fn time_of_day(time: Timestamp) -> String {
    zoned(time).strftime("%H:%M").to_string()
}

/// RFC 3339 in UTC to the second, for the `datetime` attribute.
pub(crate) fn machine(time: Timestamp) -> String {
    format!("{:.0}", jiff::Timestamp::from(time))
}

fn zoned(time: Timestamp) -> jiff::Zoned {
    jiff::Timestamp::from(time).to_zoned(TOKYO.clone())
}

fn month_name(month: i8) -> &'static str {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    usize::try_from(month - 1).ok().and_then(|m| NAMES.get(m)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;

    use super::*;

    fn ja() -> &'static Texts {
        Language::Japanese.texts()
    }

    fn en() -> &'static Texts {
        Language::English.texts()
    }

    #[test]
    fn the_first_and_last_day_of_every_era() {
        for (text, shown) in [
            ("2019-05-01", "令和元年5月1日（2019年）"),
            ("2019-04-30", "平成31年4月30日（2019年）"),
            ("1989-01-08", "平成元年1月8日（1989年）"),
            ("1989-01-07", "昭和64年1月7日（1989年）"),
            ("1926-12-25", "昭和元年12月25日（1926年）"),
            ("1926-12-24", "大正15年12月24日（1926年）"),
            ("1912-07-30", "大正元年7月30日（1912年）"),
            ("1912-07-29", "明治45年7月29日（1912年）"),
            ("1868-01-25", "明治元年1月25日（1868年）"),
            ("1868-01-24", "1868年1月24日"),
        ] {
            assert_eq!(birth_date(text, ja()).as_deref(), Some(shown));
        }
        assert_eq!(birth_date("1950-03-04", en()).as_deref(), Some("4 Mar 1950 (Showa 25)"));
    }

    #[test]
    fn partial_birth_dates_show_what_they_may_mean() {
        assert_eq!(birth_date("1950", ja()).as_deref(), Some("昭和25年（1950年）"));
        assert_eq!(birth_date("1989", ja()).as_deref(), Some("昭和64年／平成元年（1989年）"));
        assert_eq!(birth_date("2019-05", ja()).as_deref(), Some("令和元年5月（2019年）"));
        assert_eq!(birth_date("1950-03", en()).as_deref(), Some("Mar 1950 (Showa 25)"));
        assert_eq!(birth_date("19500304", ja()), None);
        assert_eq!(birth_date("1950-13", ja()), None);
    }

    #[test]
    fn age_counts_full_years() {
        let age = |birth, today| age(birth, today, ja());
        assert_eq!(age("1950-03-04", day(2026, 3, 3)).as_deref(), Some("75歳"));
        assert_eq!(age("1950-03-04", day(2026, 3, 4)).as_deref(), Some("76歳"));
        assert_eq!(age("2024-02-29", day(2025, 2, 28)).as_deref(), Some("11か月"));
        assert_eq!(age("2024-02-29", day(2025, 3, 1)).as_deref(), Some("1歳"));
        assert_eq!(age("1950", day(2026, 11, 21)).as_deref(), Some("75–76歳"));
        assert_eq!(age("1950-03", day(2026, 11, 21)).as_deref(), Some("76歳"));
        assert_eq!(age("2026", day(2026, 11, 21)).as_deref(), Some("0か月"));
        assert_eq!(age("2026-11-22", day(2026, 11, 21)), None);
        assert_eq!(age("2026-12-01", day(2026, 11, 21)), None);
    }

    #[test]
    fn times_are_shown_in_tokyo_and_read_back() {
        let time = FhirTime::parse("2026-11-21T01:23:45Z");
        let Some(FhirTime::Instant(at)) = time else { panic!("a time") };
        assert_eq!(date_time(at, ja()), "2026年11月21日（土）10:23");
        assert_eq!(date_time(at, en()), "Sat 21 Nov 2026, 10:23");
        assert_eq!(to_fhir(at), "2026-11-21T10:23:45+09:00");
        assert_eq!(from_local(&to_local(at)).map(to_local), Some(to_local(at)));
        assert_eq!(machine(at), "2026-11-21T01:23:45Z");
        assert_eq!(time_of_day(at), "10:23");
        // 00:30 in Tokyo is still the day before in UTC.
        let late = FhirTime::parse("2026-11-20T15:30:00Z").unwrap();
        assert_eq!(late.days(), Some((day(2026, 11, 21), day(2026, 11, 21))));
        assert_eq!(start_of(day(2026, 11, 21)).map(machine).as_deref(), Some("2026-11-20T15:00:00Z"));
    }
}
