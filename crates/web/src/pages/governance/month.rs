//! A month as a calendar: weeks from Sunday to Saturday, and how much falls due on each day.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::dates;
use crate::language::Texts;

/// A month's grid.
pub(super) struct Grid {
    /// From Sunday on.
    pub(super) weekdays: Vec<&'static str>,
    /// Each of seven days; none outside the month.
    pub(super) weeks: Vec<Vec<Option<Day>>>,
}

pub(super) struct Day {
    pub(super) number: i8,
    /// The whole date, for those who cannot see the grid.
    pub(super) date: String,
    pub(super) today: bool,
    pub(super) chosen: bool,
    /// Where what is due on this day is listed; none when nothing is.
    pub(super) link: Option<String>,
    pub(super) marks: Vec<Mark>,
}

/// How much of one state there is.
#[derive(Clone)]
pub(super) struct Mark {
    pub(super) style: &'static str,
    pub(super) word: String,
    pub(super) count: u64,
}

impl Grid {
    /// The month that begins on `first`. `marks` tells what a day has; `link` where it leads.
    pub(super) fn new(
        first: Date,
        (today, chosen): (Date, Option<Date>),
        texts: &Texts,
        marks: impl Fn(Date) -> Vec<Mark>,
        link: impl Fn(Date) -> String,
    ) -> Self {
        let of = |day: Date| {
            let marks = marks(day);
            (day.month() == first.month()).then(|| Day {
                number: day.day(),
                date: dates::date(day, texts),
                today: day == today,
                chosen: chosen == Some(day),
                link: (!marks.is_empty()).then(|| link(day)),
                marks,
            })
        };
        let sunday = first.saturating_sub(i64::from(first.weekday().to_sunday_zero_offset()).days());
        let week = |number: i64| (0..7).map(move |at| sunday.saturating_add((number * 7 + at).days()));
        let weekday = |day: Date| dates::weekday(day, texts);
        Self {
            weekdays: week(0).map(weekday).collect(),
            weeks: (0..6)
                .take_while(|number| {
                    week(*number).any(|day| day.month() == first.month() && day.year() == first.year())
                })
                .map(|number| week(number).map(of).collect())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date};

    use super::*;
    use crate::language::Language;

    fn grid(first: Date) -> Grid {
        let marks = |day: Date| match day.day() {
            7 => vec![Mark { style: "due", word: "期限".to_owned(), count: 2 }],
            _ => Vec::new(),
        };
        let texts = Language::Japanese.texts();
        Grid::new(first, (date(2026, 11, 22), Some(date(2026, 11, 7))), texts, marks, |day| day.to_string())
    }

    #[test]
    fn a_month_has_its_days_once_each_under_their_weekday() {
        for (first, weeks, length) in
            [(date(2026, 11, 1), 5, 30), (date(2026, 2, 1), 4, 28), (date(2026, 8, 1), 6, 31)]
        {
            let grid = grid(first);
            assert_eq!(grid.weekdays.first().zip(grid.weekdays.last()), Some((&"日", &"土")));
            assert_eq!(grid.weeks.len(), weeks, "{first}");
            let days: Vec<i8> = grid.weeks.iter().flatten().flatten().map(|day| day.number).collect();
            assert_eq!(days, (1..=length).collect::<Vec<i8>>());
            for day in grid.weeks.iter().flat_map(|week| week.iter().enumerate()) {
                let (at, Some(day)) = day else { continue };
                let expected = first.saturating_add(i64::from(day.number - 1).days()).weekday();
                assert_eq!(Weekday::from_sunday_zero_offset(at as i8).unwrap(), expected);
            }
        }
    }

    #[test]
    fn only_a_day_with_something_leads_somewhere() {
        let grid = grid(date(2026, 11, 1));
        let led: Vec<_> = grid.weeks.iter().flatten().flatten().filter(|day| day.link.is_some()).collect();
        assert_eq!(led.len(), 1);
        assert!(led[0].chosen && led[0].link.as_deref() == Some("2026-11-07") && led[0].marks[0].count == 2);
        let today: Vec<i8> =
            grid.weeks.iter().flatten().flatten().filter(|day| day.today).map(|day| day.number).collect();
        assert_eq!(today, [22]);
    }
}
