//! Recurrence rules (RFC 5545, section 3.3.10) in words.

use crate::language::Texts;

const WEEKDAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/// When a rule comes round, in words; `None` for a text that is no rule, or one whose parts have no
/// words here: it is then shown as written.
pub(super) fn rhythm(text: &str, texts: &Texts) -> Option<String> {
    let rule = Rule::read(text)?;
    let when = match rule.frequency {
        "DAILY" => rule.every("rhythm-daily", "rhythm-days", "", texts),
        "WEEKLY" => rule.every("rhythm-weekly", "rhythm-weeks", &rule.weekdays(texts)?, texts),
        "MONTHLY" => rule.every("rhythm-monthly", "rhythm-months", &rule.days_of_month(texts)?, texts),
        "YEARLY" => rule.every("rhythm-yearly", "rhythm-years", &rule.days_of_year(texts)?, texts),
        _ => return None,
    };
    Some(match rule.hour {
        Some(hour) => {
            texts.pairs("rhythm-at", &[("when", &when), ("time", &format!("{hour}:{:02}", rule.minute))])
        }
        None => when,
    })
}

/// The parts that have words.
#[derive(Default)]
struct Rule<'a> {
    frequency: &'a str,
    interval: Option<&'a str>,
    months: Vec<&'a str>,
    month_days: Vec<&'a str>,
    days: Vec<&'a str>,
    hour: Option<u8>,
    minute: u8,
}

impl<'a> Rule<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let mut rule = Self::default();
        for part in text.split(';') {
            let (name, value) = part.split_once('=')?;
            let list = || value.split(',').collect();
            match name {
                "FREQ" => rule.frequency = value,
                "INTERVAL" => rule.interval = Some(value).filter(|n| *n != "1"),
                "BYMONTH" => rule.months = list(),
                "BYMONTHDAY" => rule.month_days = list(),
                "BYDAY" => rule.days = list(),
                "BYHOUR" => rule.hour = Some(value.parse().ok()?),
                "BYMINUTE" => rule.minute = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(rule)
    }

    /// The words of once in every period, or of once in several.
    fn every(&self, one: &str, several: &str, days: &str, texts: &Texts) -> String {
        match self.interval {
            None => texts.with(one, "days", days),
            Some(n) => texts.pairs(several, &[("n", n), ("days", days)]),
        }
    }

    fn weekdays(&self, texts: &Texts) -> Option<String> {
        if self.days.is_empty() || !self.months.is_empty() || !self.month_days.is_empty() {
            return None;
        }
        let days: Option<Vec<String>> = self.days.iter().map(|day| weekday(day, texts)).collect();
        Some(days?.join(&texts.get("rhythm-and")))
    }

    fn days_of_month(&self, texts: &Texts) -> Option<String> {
        let days: Option<Vec<String>> = match (self.months.is_empty(), self.days.is_empty()) {
            (true, true) => self.month_days.iter().map(|day| day_of_month(day, texts)).collect(),
            (true, false) if self.month_days.is_empty() => {
                self.days.iter().map(|day| nth_weekday(day, texts)).collect()
            }
            _ => return None,
        };
        days.filter(|days| !days.is_empty()).map(|days| days.join(&texts.get("rhythm-and")))
    }

    fn days_of_year(&self, texts: &Texts) -> Option<String> {
        if self.months.is_empty() || self.month_days.is_empty() || !self.days.is_empty() {
            return None;
        }
        let mut months: Vec<u8> = self.months.iter().map(|m| m.parse().ok()).collect::<Option<_>>()?;
        months.sort_unstable();
        let date = |month: u8, day: &str| {
            let name = texts.find(&format!("rhythm-month-{month}"))?;
            Some(match day {
                "-1" => texts.with("rhythm-date-last", "month", &name),
                _ => texts.pairs("rhythm-date", &[("month", &name), ("day", day)]),
            })
        };
        let dates: Option<Vec<String>> =
            months.iter().flat_map(|month| self.month_days.iter().map(|day| date(*month, day))).collect();
        Some(dates?.join(&texts.get("rhythm-and")))
    }
}

fn weekday(day: &str, texts: &Texts) -> Option<String> {
    WEEKDAYS.contains(&day).then(|| texts.get(&format!("weekday-{}", day.to_ascii_lowercase())))
}

fn day_of_month(day: &str, texts: &Texts) -> Option<String> {
    match day {
        "-1" => Some(texts.get("rhythm-last-day")),
        day => day.parse::<u8>().ok().map(|n| texts.with("rhythm-day", "day", &n.to_string())),
    }
}

/// `1SU`: the first Sunday; `-1FR`: the last Friday.
fn nth_weekday(day: &str, texts: &Texts) -> Option<String> {
    let (number, name) = day.split_at_checked(day.len().checked_sub(2)?)?;
    let name = weekday(name, texts)?;
    match number.trim_start_matches('+') {
        "-1" => Some(texts.with("rhythm-last-weekday", "day", &name)),
        n @ ("1" | "2" | "3" | "4" | "5") => Some(texts.with(&format!("rhythm-weekday-{n}"), "day", &name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use mimamori_policy::Pack;

    use super::*;
    use crate::language::Language;

    #[test]
    fn rules_read_as_people_say_them() {
        let (ja, en) = (Language::Japanese.texts(), Language::English.texts());
        for (rule, japanese, english) in [
            ("FREQ=WEEKLY;BYDAY=MO", "毎週月曜日", "every week on Monday"),
            ("FREQ=MONTHLY;BYMONTHDAY=1", "毎月1日", "every month on day 1"),
            ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1", "3か月ごとの末日", "every 3 months on the last day"),
            (
                "FREQ=YEARLY;BYMONTH=10,4;BYMONTHDAY=1",
                "毎年4月1日・10月1日",
                "every year on 1 April and 1 October",
            ),
            ("FREQ=DAILY;BYHOUR=2;BYMINUTE=0", "毎日 2:00", "every day at 2:00"),
            (
                "FREQ=MONTHLY;BYDAY=1SU;BYHOUR=1;BYMINUTE=0",
                "毎月第1日曜日 1:00",
                "every month on the first Sunday at 1:00",
            ),
        ] {
            assert_eq!(rhythm(rule, ja).as_deref(), Some(japanese));
            assert_eq!(rhythm(rule, en).as_deref(), Some(english));
        }
        assert_eq!(rhythm("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=2", ja), None);
        assert_eq!(rhythm("komaki.example", en), None);
    }

    #[test]
    fn every_rule_of_the_packs_has_words() {
        for id in Pack::embedded_ids() {
            let pack = Pack::embedded(id).unwrap();
            for rule in pack.schedules().iter().filter_map(|schedule| schedule.rule.as_ref()) {
                for language in Language::ALL {
                    assert!(rhythm(rule.text(), language.texts()).is_some(), "{id}: {rule}");
                }
            }
        }
    }
}
