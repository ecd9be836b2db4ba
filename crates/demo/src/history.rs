//! Everything recorded about one person.

use std::collections::HashMap;

use mimamori_domain::{ClassCode, Kind, Timestamp};

use crate::course::{self, Episode, Event};
use crate::day::{Day, Moment};
use crate::directory::Service;
use crate::household::Resident;
use crate::json::tenths;
use crate::paper::Picture;
use crate::phrase::{Situation, Writer};
use crate::profile::{Profile, Vitals, medicine_for};
use crate::random::Stream;
use crate::record::Note;
use crate::{DemoFile, DemoResource, Density, Options, background, papers, record};

/// Collects one person's records.
pub(crate) struct Scribe<'a> {
    pub(crate) who: &'a Resident,
    pub(crate) profile: &'a Profile<'a>,
    pub(crate) from: Day,
    /// From this day on everything is noted.
    pub(crate) full: Day,
    pub(crate) today: Day,
    pub(crate) now: Timestamp,
    pub(crate) chance: Stream,
    pub(crate) writer: Writer,
    out: Vec<DemoResource>,
    episodes: Vec<Episode>,
    before: Measured,
    /// Day, blood pressure, temperature, pulse and weight of each visit where they were measured.
    pub(crate) seen: Vec<(Day, [String; 4])>,
    /// Days and first lines of what happened, for papers.
    pub(crate) told: Vec<(Day, String)>,
    /// How many notes there are.
    notes: u32,
    /// By episode: its latest note, for those who answer it.
    asked: HashMap<usize, Asked>,
}

/// Of a hundred next visits so many are written down beforehand, if they are within so many days.
const AGREED_PERCENT: i32 = 35;
const SOON: i64 = 7;

/// A note that may be answered.
#[derive(Debug)]
struct Asked {
    note: u32,
    author: String,
    /// How an answer calls it.
    shown: String,
}

/// What was last measured and recorded, as notes say it.
#[derive(Debug, Default)]
struct Measured {
    bp: String,
    temp: String,
    weight: String,
}

pub(crate) fn history(
    who: &Resident,
    profile: &Profile<'_>,
    options: &Options,
    full: Day,
    chance: Stream,
) -> Vec<DemoResource> {
    let today = Day::of(options.today);
    let mut scribe = Scribe {
        who,
        profile,
        from: today.minus(i64::from(options.days)),
        full,
        today,
        now: options.today,
        chance,
        writer: Writer::new(),
        out: Vec::new(),
        episodes: Vec::new(),
        before: Measured::default(),
        seen: Vec::new(),
        told: Vec::new(),
        notes: 0,
        asked: HashMap::new(),
    };
    background::write(&mut scribe, options.density);
    match options.density {
        Density::Demo => scribe.full(),
        Density::Bench => scribe.brief(),
    }
    scribe.out.sort_by_key(|r| r.at);
    scribe.out
}

impl Scribe<'_> {
    /// Keeps a record, unless it would lie after now. What lies before the history was entered on
    /// its first day.
    pub(crate) fn keep(
        &mut self,
        fhir: String,
        kind: &'static str,
        class: &str,
        author: &Service<'_>,
        when: Moment,
    ) {
        self.keep_with(fhir, Vec::new(), (kind, class), author, when);
    }

    /// The same with files.
    pub(crate) fn keep_with(
        &mut self,
        fhir: String,
        files: Vec<DemoFile>,
        (kind, class): (&'static str, &str),
        author: &Service<'_>,
        when: Moment,
    ) {
        let at = when.timestamp().max(self.from.at(8 * 60).timestamp());
        if let Ok(class) = ClassCode::new(class)
            && at <= self.now
        {
            self.out.push(DemoResource {
                fhir,
                kind: Kind::of(kind),
                class,
                author: author.by.staff.key.clone(),
                at,
                files,
                note: None,
                answers: None,
            });
        }
    }

    /// Keeps a note; gives its number.
    fn keep_note(
        &mut self,
        note: &Note<'_>,
        class: &str,
        files: Vec<DemoFile>,
        answers: Option<u32>,
        author: &Service<'_>,
    ) -> u32 {
        let before = self.out.len();
        let fhir = record::note(note, &files);
        self.keep_with(fhir, files, ("Communication", class), author, note.sent);
        self.notes += 1;
        if let Some(kept) = self.out.get_mut(before) {
            kept.note = Some(self.notes);
            kept.answers = answers;
        }
        self.notes
    }

    fn full(&mut self) {
        let (profile, who) = (self.profile, self.who);
        self.episodes = course::episodes(profile, who.living.tag(), self.from, self.today, &mut self.chance);
        let days = (self.from, self.full, self.today);
        let events = course::events(profile, &self.episodes, days, &mut self.chance);
        for event in &events {
            if event.when.later(40).timestamp() <= self.now {
                self.event(event);
            }
        }
        self.next_visits(&events);
        papers::write(self);
    }

    /// Visits of the next days that some have agreed upon already, told by whoever comes.
    fn next_visits(&mut self, events: &[Event]) {
        let profile = self.profile;
        for (at, service) in profile.services.iter().enumerate() {
            let class = service.row.text(9);
            if !matches!(service.key(), "nursing" | "doctor") || !self.chance.chance(AGREED_PERCENT) {
                continue;
            }
            let Some(last) = events.iter().rfind(|event| event.service == at) else { continue };
            let mut day = last.when.day;
            while day <= self.today {
                day = day.plus(i64::from(service.row.number(4).max(1)));
            }
            if day.0 - self.today.0 > SOON {
                continue;
            }
            let when = course::weekday(day, service.key()).at(last.when.minute / 10 * 10);
            let on = self.standing();
            let reason = self.writer.write("reason", &on, &mut self.chance);
            let place = &service.by.institution.name_ja;
            let visit = record::encounter(("planned", class), &reason, (when, 40), &service.shown, place);
            self.keep(visit, "Encounter", "visit", service, last.when.later(30));
        }
    }

    /// Two notes, one with a few measurements.
    fn brief(&mut self) {
        let days = i32::try_from((self.today.0 - self.from.0).clamp(2, 3650)).unwrap_or(2);
        for service in [0, self.profile.services.len().saturating_sub(1)] {
            let day = self.today.minus(i64::from(self.chance.between(1, days - 1)));
            let when = day.at(i64::from(self.chance.between(9 * 60, 17 * 60)));
            self.event(&Event { when, service, stage: None });
        }
    }

    fn event(&mut self, event: &Event) {
        let profile = self.profile;
        let Some(service) = profile.services.get(event.service) else {
            return;
        };
        let mut on = self.situation(event, service);
        let vitals = course::vitals(profile, &self.episodes, self.from, event.when.day, &mut self.chance);
        if !service.row.text(7).is_empty() {
            self.measure(&vitals, service, event, &mut on);
        }
        let group = match event.stage.and_then(|(at, number)| Some((self.episodes.get(at)?, number))) {
            Some((episode, number)) => format!("ep.{}.{number}", episode.key()),
            None => service.row.text(8).to_owned(),
        };
        let text = self.writer.write(&group, &on, &mut self.chance);
        let written = event.when.later(20);
        let class = if event.stage.is_some() { "note" } else { service.row.text(10) };
        if !text.is_empty() {
            let topic = self.writer.write(&format!("topic.{}", service.key()), &on, &mut self.chance);
            let files = self.photographs(event, service);
            let (priority, to) = self.addressed(event, service);
            let (answers, answered) = self.answered(event, service);
            let author = &service.shown;
            let note = Note { topic: &topic, text: &text, sent: written, author, priority, to, answered };
            let number = self.keep_note(&note, class, files, answers, service);
            if let Some((episode, _)) = event.stage {
                let shown = format!("{}（{} {}）", service.shown, written.day.ja(), written.clock());
                let author = service.by.staff.key.clone();
                self.asked.insert(episode, Asked { note: number, author, shown });
            }
            if event.stage.is_some() {
                let first = text.split_inclusive('。').next().unwrap_or_default();
                self.told.push((event.when.day, first.replace('\n', " ")));
            }
        }
        if event.stage.is_some() {
            self.consequences(event, service, &on);
        }
        let encounter = service.row.text(9);
        if !encounter.is_empty() && service.key() != "nursing" {
            let reason = self.writer.write("reason", &on, &mut self.chance);
            let place = &service.by.institution.name_ja;
            let visit =
                record::encounter(("finished", encounter), &reason, (event.when, 20), &service.shown, place);
            self.keep(visit, "Encounter", "visit", service, written);
        }
    }

    /// How urgent a note is and whom it names: whoever finds something tells those who come next.
    fn addressed(&mut self, event: &Event, service: &Service<'_>) -> (&'static str, Vec<(String, String)>) {
        let profile = self.profile;
        let others = |keys: &[&str]| {
            let mut to: Vec<(String, String)> = Vec::new();
            for other in keys.iter().filter_map(|key| profile.service(key)) {
                let key = &other.by.staff.key;
                if *key != service.by.staff.key && to.iter().all(|(known, _)| known != key) {
                    to.push((key.clone(), other.shown.clone()));
                }
            }
            to
        };
        match event.stage.and_then(|(at, number)| Some((self.episodes.get(at)?, number))) {
            Some((episode, 0)) => {
                let at_once = self.chance.chance(if episode.is_grave() { 45 } else { 0 });
                let called: Vec<&str> = episode.called().skip(1).take(2).collect();
                let priority = match at_once {
                    true => "stat",
                    false if self.chance.chance(60) => "urgent",
                    false => "",
                };
                (priority, others(&called))
            }
            Some(_) => ("", Vec::new()),
            None if !matches!(service.key(), "family" | "family-cm" | "staff") && self.chance.chance(7) => {
                let whom = if self.chance.chance(50) { "care-manager" } else { "nursing" };
                ("", others(&[whom]))
            }
            None => ("", Vec::new()),
        }
    }

    /// The note that this one answers: an earlier one of the same event, by somebody else.
    fn answered(&mut self, event: &Event, service: &Service<'_>) -> (Option<u32>, Option<String>) {
        let asked = event.stage.and_then(|(at, _)| self.asked.get(&at));
        match asked.filter(|asked| asked.author != service.by.staff.key) {
            Some(asked) if self.chance.chance(65) => (Some(asked.note), Some(asked.shown.clone())),
            _ => (None, None),
        }
    }

    /// What whoever visits photographs: a wound while it heals, a tray after lunch.
    fn photographs(&mut self, event: &Event, service: &Service<'_>) -> Vec<DemoFile> {
        let day = event.when.day;
        let gone = i32::try_from(day.0 - self.from.0).unwrap_or(0);
        let picture = match service.key() {
            "nursing" if self.profile.has("sore") && self.chance.chance(45) => {
                let healed = (gone * 100 / 200).min(95);
                let (length, width) = (34 - healed / 5, 22 - healed / 7);
                let uneven = self.chance.between(-1, 1);
                Picture::Wound {
                    length: length + uneven,
                    width: width + uneven,
                    healed,
                    shape: u64::from(self.profile.usual.weight.unsigned_abs()),
                }
            }
            "day-care" if self.chance.chance(14) => {
                let poorly = self.episodes.iter().any(|episode| episode.is_on(day));
                let most = if poorly { 7 } else { 10 };
                let mut eaten = || self.chance.between(most - 4, most);
                let eaten = [eaten(), eaten(), eaten()];
                Picture::Meal { eaten, tray: u64::try_from(day.0).unwrap_or(0) }
            }
            _ => return Vec::new(),
        };
        let what = if matches!(picture, Picture::Wound { .. }) { "仙骨部" } else { "昼食" };
        vec![DemoFile::picture(format!("{what}_{}.png", day.iso().replace('-', "")), picture)]
    }

    fn measure(&mut self, vitals: &Vitals, service: &Service<'_>, event: &Event, on: &mut Situation) {
        let (when, shown) = (event.when, service.shown.as_str());
        let weighed = service.measures("weight")
            || (service.key() == "nursing" && (self.profile.has("hf") || self.chance.chance(25)));
        let mut seen = self.profile.usual;
        if service.measures("temp") {
            let text = tenths(vitals.temp);
            on.set("prev_temp", std::mem::replace(&mut self.before.temp, text.clone()));
            on.set("temp", text);
            seen.temp = vitals.temp;
            self.keep_vital("temp", vitals.temp, service, when);
        }
        if service.measures("bp") {
            let text = format!("{}/{}", vitals.systolic, vitals.diastolic);
            on.set("prev_bp", std::mem::replace(&mut self.before.bp, text.clone()));
            on.set("bp", text);
            seen.systolic = vitals.systolic;
            self.keep(
                record::blood_pressure(vitals.systolic, vitals.diastolic, when, shown),
                "Observation",
                "vital-signs",
                service,
                when,
            );
        }
        let breath =
            ["hf", "copd", "asthma"].iter().any(|tag| self.profile.has(tag)) || self.chance.chance(20);
        for (key, value) in [("pulse", vitals.pulse), ("spo2", vitals.spo2), ("rr", vitals.rr)] {
            // Respirations are counted where breathing is watched.
            let counted = key != "rr" || breath;
            if counted && service.measures(key) {
                on.set(key, value.to_string());
                self.keep_vital(key, value, service, when);
            }
        }
        if service.measures("glucose") && vitals.glucose > 0 {
            on.set("glucose", vitals.glucose.to_string());
            self.keep_vital("glucose", vitals.glucose, service, when);
        }
        if service.measures("pulse") {
            seen.pulse = vitals.pulse;
        }
        if service.measures("spo2") {
            seen.spo2 = vitals.spo2;
        }
        if weighed {
            let text = tenths(vitals.weight);
            on.set("prev_weight", std::mem::replace(&mut self.before.weight, text.clone()));
            on.set("weight", text);
            seen.weight = vitals.weight;
            self.keep_vital("weight", vitals.weight, service, when);
        }
        let or_dash = |text: &str| if text.is_empty() { "－".to_owned() } else { text.to_owned() };
        let weight = if weighed { tenths(vitals.weight) } else { String::new() };
        let temp = if service.measures("temp") { tenths(vitals.temp) } else { String::new() };
        let pressure = format!("{}/{}", vitals.systolic, vitals.diastolic);
        self.seen.push((when.day, [pressure, vitals.pulse.to_string(), or_dash(&temp), or_dash(&weight)]));
        course::tag_vitals(&seen, &self.profile.usual, on);
    }

    fn keep_vital(&mut self, key: &str, value: i32, service: &Service<'_>, when: Moment) {
        if let Some(fhir) = record::vital(key, value, when, &service.shown) {
            self.keep(fhir, "Observation", "vital-signs", service, when);
        }
    }

    /// A doctor who sees somebody for something new prescribes and examines.
    fn consequences(&mut self, event: &Event, service: &Service<'_>, on: &Situation) {
        if service.key() != "doctor" {
            return;
        }
        let Some(row) = event.stage.and_then(|(at, _)| self.episodes.get(at)).map(|e| e.row) else {
            return;
        };
        let when = event.when.later(25);
        if let Some(medicine) = medicine_for(row.text(10), &mut self.chance) {
            let order = record::medication_request(
                medicine.text(3),
                medicine.text(4),
                "completed",
                when,
                &service.shown,
            );
            self.keep(order, "MedicationRequest", "medication", service, when);
        }
        if !row.text(11).is_empty() {
            let conclusion = self.writer.write(&format!("report.{}", row.text(11)), on, &mut self.chance);
            let (code, name, class) = match row.text(11) {
                "blood" => ("11502-2", "血液検査", "laboratory"),
                "ecg" => ("11524-6", "心電図", "report"),
                "echo" => ("18748-4", "超音波検査", "report"),
                _ => ("18748-4", "X線検査", "report"),
            };
            let fhir = record::report(code, name, &conclusion, event.when, &service.shown);
            self.keep(fhir, "DiagnosticReport", class, service, event.when.later(40));
        }
    }

    /// What is true and known at an event, apart from what is measured there.
    fn situation(&mut self, event: &Event, service: &Service<'_>) -> Situation {
        let day = event.when.day;
        let mut on = self.standing();
        on.tag(course::season(day));
        on.tag(&format!("m{}", day.month()));
        on.tag(if event.when.minute < 12 * 60 { "morning" } else { "afternoon" });
        on.set("month", format!("{}月", day.month()));
        let mut quiet = true;
        for episode in &self.episodes {
            let since = day.0 - episode.start.0;
            if episode.is_on(day) {
                on.tag(&format!("ep-{}", episode.key()));
                quiet = false;
            } else if (0..28).contains(&since) {
                on.tag(&format!("after-{}", episode.key()));
            } else {
                continue;
            }
            if since > 0 {
                on.set("ep_date", episode.start.ja());
            }
        }
        if quiet {
            on.tag("quiet");
        }
        let every = i64::from(service.row.number(4));
        on.set("next", day.plus(every).ja());
        on.set("soon", day.plus(i64::from(self.chance.between(2, 4))).ja());
        on
    }

    /// What holds on a day, for papers.
    pub(crate) fn situation_of(&mut self, day: Day) -> Situation {
        let mut on = self.standing();
        on.tag(course::season(day));
        for episode in self.episodes.iter().filter(|episode| episode.is_on(day)) {
            on.tag(episode.key());
        }
        on
    }

    /// What holds for the person throughout.
    pub(crate) fn standing(&mut self) -> Situation {
        let (profile, who) = (self.profile, self.who);
        let mut on = Situation::default();
        for condition in &profile.conditions {
            on.tag(condition.text(2));
        }
        on.tag(who.living.tag());
        on.tag(who.sex.letter());
        on.tag(match profile.care {
            0 => "nocare",
            1..=4 => "walks",
            5 => "wheelchair",
            _ => "bed",
        });
        for service in &profile.services {
            on.tag(&format!("has-{}", service.key()));
            on.set(&format!("by_{}", service.key()), service.by.staff.family.as_str());
            on.set(&format!("at_{}", service.key()), service.by.institution.name_ja.as_str());
        }
        on.set("name", who.family.written);
        on.set("care", profile.care_ja());
        on.set("town", who.town.name);
        if let Some(kin) = &who.kin {
            on.tag("haskin");
            on.set("kin", kin.called);
        }
        if let Some(spouse) = &who.spouse {
            on.set("spouse", spouse.called);
        }
        if let Some(condition) = profile.conditions.first() {
            on.set("illness", condition.text(1));
        }
        on.set("nights", self.chance.between(1, 3).to_string());
        if let Some(medicine) = self.chance.pick(&profile.medicines) {
            on.set("med", medicine.text(5));
        }
        on
    }
}
