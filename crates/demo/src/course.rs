//! How a person's weeks go: regular visits, what happens in between, and the vital signs that
//! follow illness, season and event.

use std::sync::LazyLock;

use crate::day::{Day, Moment};
use crate::phrase::Situation;
use crate::profile::{Profile, Vitals};
use crate::random::Stream;
use crate::table::{Row, rows};

static EPISODES: LazyLock<Vec<Row>> = LazyLock::new(|| rows(include_str!("../data/episodes.tsv")).collect());

/// Something that happened, and what it did to the person.
#[derive(Debug)]
pub(crate) struct Episode {
    pub(crate) row: &'static Row,
    pub(crate) start: Day,
}

impl Episode {
    pub(crate) fn key(&self) -> &'static str {
        self.row.text(0)
    }

    fn length(&self) -> i64 {
        i64::from(self.row.number(4))
    }

    /// Whether somebody must look at once.
    pub(crate) fn is_grave(&self) -> bool {
        matches!(self.key(), "fever" | "pneumonia" | "heat" | "fall" | "low-sugar")
    }

    /// Keys of the services that see to it, in order.
    pub(crate) fn called(&self) -> impl Iterator<Item = &'static str> {
        stages(self.row).map(|(_, key)| key)
    }

    pub(crate) fn end(&self) -> Day {
        self.start.plus(self.length())
    }

    pub(crate) fn is_on(&self, day: Day) -> bool {
        self.start <= day && day < self.end()
    }

    /// How much of its weight is there already, in hundredths, in the week before it is noticed: water
    /// gathers before legs swell, and somebody eats less before it shows.
    fn gathering(&self, day: Day) -> i32 {
        match self.start.0 - day.0 {
            ahead @ 1..=7 => i32::try_from((8 - ahead) * 11).unwrap_or(0),
            _ => 0,
        }
    }

    /// How strong it is on that day, in hundredths: full for a third of its time, then fading.
    fn strength(&self, day: Day) -> i32 {
        if !self.is_on(day) {
            return 0;
        }
        let (gone, length) = (day.0 - self.start.0, self.length().max(1));
        let fading = (length - gone) * 150 / length;
        i32::try_from(fading.clamp(0, 100)).unwrap_or(0)
    }
}

/// A note to be written.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) when: Moment,
    /// Position in the profile's services.
    pub(crate) service: usize,
    /// Which episode's note and which of its notes; `None` for a regular visit.
    pub(crate) stage: Option<(usize, usize)>,
}

pub(crate) fn season(day: Day) -> &'static str {
    match day.month() {
        3..=5 => "spring",
        6..=9 => "summer",
        10 | 11 => "autumn",
        _ => "winter",
    }
}

/// What befalls the person between `from` and `to`, one after the other.
pub(crate) fn episodes(
    profile: &Profile<'_>,
    living: &str,
    from: Day,
    to: Day,
    own: &mut Stream,
) -> Vec<Episode> {
    let mut all: Vec<Episode> = Vec::new();
    let mut day = from.plus(i64::from(own.between(4, 25)));
    while day < to {
        let weight = |row: &Row| {
            let fits_season = row.text(2).is_empty() || row.words(2).contains(&season(day));
            let circumstances = row.words(3);
            let fits_person = circumstances.is_empty()
                || circumstances
                    .iter()
                    .any(|c| profile.has(c) || *c == living || (*c == "bed" && profile.care >= 6));
            let stages = stages(row).filter(|(_, key)| profile.service(key).is_some()).count();
            let recently = all.iter().rev().take(2).any(|e| e.key() == row.text(0));
            let base = usize::try_from(row.number(1)).unwrap_or(0);
            // What belongs to the illness or the season is likelier than what befalls anybody.
            let specific = if circumstances.is_empty() && row.text(2).is_empty() { 1 } else { 2 };
            if fits_season && fits_person && stages >= 2 && !recently { base * specific } else { 0 }
        };
        let Some(row) = own.weighted(&EPISODES, weight) else {
            break;
        };
        let episode = Episode { row, start: day };
        day = episode.end().plus(i64::from(own.between(8, 34)));
        all.push(episode);
    }
    all
}

/// Day and service of each note an episode leads to.
fn stages(row: &Row) -> impl Iterator<Item = (i64, &'static str)> {
    row.text(12).split(',').filter_map(|stage| {
        let (day, service) = stage.split_once(':')?;
        Some((day.parse().ok()?, service))
    })
}

/// How much seldomer a doctor's visits are noted before everything is.
const SELDOMER: i64 = 2;

/// Everything that will be noted, in order of time: from the first day what the doctor notes now and then,
/// from the second on everything, to the third.
pub(crate) fn events(
    profile: &Profile<'_>,
    episodes: &[Episode],
    (from, full, to): (Day, Day, Day),
    own: &mut Stream,
) -> Vec<Event> {
    let mut events = Vec::new();
    for (at, episode) in episodes.iter().enumerate() {
        let mut last: Option<Moment> = None;
        for (number, (offset, key)) in stages(episode.row).enumerate() {
            let Some(service) = profile.services.iter().position(|s| s.key() == key) else {
                continue;
            };
            let day = weekday(episode.start.plus(offset), key).max(last.map_or(from, |before| before.day));
            if day < full {
                continue;
            }
            let first = 9 * 60 + i64::from(own.between(0, 60));
            // Later notes of one day follow the earlier ones.
            let minute = match last {
                Some(before) if before.day == day => before.minute + 70 + i64::from(own.between(0, 80)),
                _ => first,
            };
            let when = day.at(minute);
            last = Some(when);
            events.push(Event { when, service, stage: Some((at, number)) });
        }
    }
    for (service, regular) in profile.services.iter().enumerate() {
        let every = i64::from(regular.row.number(4).max(1));
        let begin = if regular.key() == "doctor" { from } else { full };
        let mut day = begin.plus(i64::from(own.between(0, i32::try_from(every).unwrap_or(1) - 1)));
        while day <= to {
            let visit = weekday(day, if regular.key() == "helper" { "helper" } else { "office" });
            let hour = own.between(regular.row.number(5), regular.row.number(6));
            let when = visit.at(i64::from(hour * 60 + own.between(0, 5) * 10));
            let taken = events.iter().any(|e: &Event| {
                e.stage.is_some()
                    && e.service == service
                    && (e.when.day.0 - visit.0).abs() <= (every / 4).max(1)
            });
            if !taken && own.chance(regular.row.number(11)) {
                events.push(Event { when, service, stage: None });
            }
            let jitter = i32::try_from(every / 6).unwrap_or(0);
            let pause = if day < full { every * SELDOMER } else { every };
            day = day.plus(pause + i64::from(own.between(-jitter, jitter)));
        }
    }
    events.sort_by_key(|e| (e.when, e.stage.is_none(), e.service));
    events
}

/// Who has office hours comes on the Monday after; who is called when something happens comes at once.
pub(crate) fn weekday(day: Day, service: &str) -> Day {
    let called = matches!(service, "helper" | "nursing" | "doctor");
    match day.weekday() {
        5 if !called => day.plus(2),
        6 if !called => day.plus(1),
        _ => day,
    }
}

/// The vital signs somebody would measure on `day`.
pub(crate) fn vitals(
    profile: &Profile<'_>,
    episodes: &[Episode],
    from: Day,
    day: Day,
    own: &mut Stream,
) -> Vitals {
    let usual = profile.usual;
    let felt =
        |column: usize| episodes.iter().map(|e| e.row.number(column) * e.strength(day) / 100).sum::<i32>();
    let gathering = episodes.iter().map(|e| e.row.number(9) * e.gathering(day) / 100).sum::<i32>();
    let cold = match season(day) {
        "winter" => 6,
        "summer" => -5,
        _ => 0,
    };
    // A slow swing of some weeks and what a few months do.
    let weeks = i32::try_from((day.0 + i64::from(usual.weight)) % 46).unwrap_or(0);
    let swing = (weeks - 23).abs() / 4 - 3;
    let months = i32::try_from((day.0 - from.0) / 30).unwrap_or(0);
    let trend = usual.weight % 3 - 1;
    let strain = felt(8);
    Vitals {
        systolic: (usual.systolic + cold + swing + strain + own.bell(6)).clamp(84, 198),
        diastolic: (usual.diastolic + cold / 2 + strain / 3 + own.bell(4)).clamp(46, 108),
        pulse: (usual.pulse + felt(6) + own.bell(4)).clamp(48, 122),
        temp: (usual.temp + felt(5) + own.bell(2) + i32::from(cold < 0)).clamp(354, 394),
        spo2: (usual.spo2 + felt(7) + own.between(-1, 1)).clamp(84, 99),
        rr: (usual.rr - felt(7) + own.between(-1, 1)).clamp(11, 30),
        weight: usual.weight + felt(9) + gathering + trend * months * 2 + own.bell(2),
        glucose: glucose(profile, episodes, day, swing, own),
    }
}

/// Blood sugar before a meal in mg/dL, of those who measure it: it swings over weeks and falls in an
/// episode of too little of it.
fn glucose(profile: &Profile<'_>, episodes: &[Episode], day: Day, swing: i32, own: &mut Stream) -> i32 {
    if !profile.has("dm") {
        return 0;
    }
    let low = episodes.iter().filter(|e| e.key() == "low-sugar").map(|e| e.strength(day)).max().unwrap_or(0);
    let usual = 128 + profile.usual.weight % 34;
    ((usual + swing * 4 + own.bell(18)) * (100 - low / 2) / 100).clamp(54, 288)
}

/// Tags that the vital signs give a note.
pub(crate) fn tag_vitals(vitals: &Vitals, usual: &Vitals, on: &mut Situation) {
    let marks = [
        ("hot", vitals.temp >= 375),
        ("bphigh", vitals.systolic >= 152),
        ("bplow", vitals.systolic <= 100),
        ("spo2low", vitals.spo2 <= usual.spo2 - 3 || vitals.spo2 <= 90),
        ("tachy", vitals.pulse >= 98),
        ("heavier", vitals.weight >= usual.weight + 14),
        ("lighter", vitals.weight <= usual.weight - 10),
    ];
    let mut calm = true;
    for (tag, there) in marks {
        if there {
            on.tag(tag);
            calm = false;
        }
    }
    if calm {
        on.tag("normal");
    }
}
