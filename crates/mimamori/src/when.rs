//! Times as people type and read them: Japan time.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mimamori_domain::Timestamp;

use crate::exit::{Exit, Failure, Result};

const ZONE: &str = "Asia/Tokyo";

/// Reads `YYYY-MM-DD` (the beginning of that day in Japan) or RFC 3339.
///
/// # Errors
/// [`Exit::Usage`] for anything else.
pub fn parse(text: &str) -> Result<Timestamp> {
    let wrong = || {
        Failure::new(Exit::Usage, format!("`{text}` is not a time"))
            .next("Write YYYY-MM-DD, or RFC 3339 such as 2026-04-01T09:00:00+09:00.")
    };
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.into());
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    let day = date.to_zoned(zone()).map_err(|_| wrong())?;
    Ok(day.timestamp().into())
}

/// `2026-04-01 09:00:00`, in Japan.
#[must_use]
pub fn show(time: Timestamp) -> String {
    jiff::Timestamp::from(time).to_zoned(zone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn zone() -> TimeZone {
    // The zone data is built in; Japan has had no daylight saving time since 1951.
    TimeZone::get(ZONE).unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(9)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        let time = parse("2026-04-01").unwrap();
        assert_eq!(time.to_string(), "2026-03-31T15:00:00.000000Z");
        assert_eq!(show(time), "2026-04-01 00:00:00");
        assert_eq!(parse("2026-03-31T15:00:00Z").unwrap(), time);
        assert_eq!(parse("yesterday").unwrap_err().exit, Exit::Usage);
    }
}
