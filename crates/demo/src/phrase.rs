//! Notes from a small grammar in data files.
//!
//! A file holds groups, `[vn.plan]`, of one line each way to say it. A line may begin with tags it
//! needs (`@winter`) or shuns (`@!alone`); it may hold values (`{bp}`), other groups (`<vn.skin>`)
//! and groups that are left out half of the time (`<vn.skin?>`). A line whose values are unknown is
//! never taken. Each writer takes the lines least used for that person, so nothing repeats soon.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::random::Stream;

static FILES: [&str; 5] = [
    include_str!("../data/notes/nursing.txt"),
    include_str!("../data/notes/care.txt"),
    include_str!("../data/notes/medical.txt"),
    include_str!("../data/notes/episodes.txt"),
    include_str!("../data/notes/papers.txt"),
];

pub(crate) static BOOK: LazyLock<Book> = LazyLock::new(|| Book::read(&FILES));

/// How much oftener than others a line is taken that is put together from groups.
const VARIED: u16 = 4;

/// All groups of all files.
#[derive(Debug, Default)]
pub(crate) struct Book {
    groups: HashMap<&'static str, Vec<Line>>,
    tags: Vec<&'static str>,
    slots: Vec<&'static str>,
    lines: usize,
}

#[derive(Debug)]
struct Line {
    id: usize,
    needs: u128,
    shuns: u128,
    slots: u128,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Text(&'static str),
    Break,
    Slot(usize),
    Group(&'static str),
    Maybe(&'static str),
}

/// What is true and known when a note is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Situation {
    tags: u128,
    slots: Vec<String>,
}

impl Situation {
    /// Tags and values no line mentions are dropped.
    pub(crate) fn tag(&mut self, tag: &str) {
        self.tags |= BOOK.tag_bit(tag);
    }

    pub(crate) fn set(&mut self, slot: &str, value: impl Into<String>) {
        if let Some(at) = BOOK.slots.iter().position(|s| *s == slot) {
            if self.slots.len() <= at {
                self.slots.resize(at + 1, String::new());
            }
            if let Some(place) = self.slots.get_mut(at) {
                *place = value.into();
            }
        }
    }

    fn known(&self) -> u128 {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, value)| !value.is_empty())
            .fold(0, |bits, (at, _)| bits | bit(at))
    }
}

/// Writes about one person and remembers which lines were used.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    uses: Vec<u16>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { uses: vec![0; BOOK.lines] }
    }

    /// A text of the group; empty when no line fits.
    pub(crate) fn write(&mut self, group: &str, situation: &Situation, chance: &mut Stream) -> String {
        let mut out = String::new();
        self.expand(group, situation, situation.known(), chance, &mut out, 0);
        let tidy: Vec<&str> = out.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect();
        tidy.join("\n")
    }

    fn expand(
        &mut self,
        group: &str,
        on: &Situation,
        known: u128,
        chance: &mut Stream,
        out: &mut String,
        depth: u8,
    ) {
        let Some(line) = self.choose(group, on.tags, known, chance) else {
            return;
        };
        for part in &line.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Break => out.push('\n'),
                Part::Slot(at) => out.push_str(on.slots.get(*at).map_or("", String::as_str)),
                Part::Group(name) if depth < 6 => self.expand(name, on, known, chance, out, depth + 1),
                Part::Maybe(name) if depth < 6 && chance.chance(50) => {
                    self.expand(name, on, known, chance, out, depth + 1);
                }
                Part::Group(_) | Part::Maybe(_) => {}
            }
        }
    }

    fn choose(&mut self, group: &str, tags: u128, known: u128, chance: &mut Stream) -> Option<&'static Line> {
        // A line of other groups says something else each time.
        let uses = |writer: &Self, line: &Line| {
            writer.uses.get(line.id).copied().unwrap_or(0) / if line.is_varied() { VARIED } else { 1 }
        };
        let fitting: Vec<&'static Line> =
            BOOK.groups.get(group)?.iter().filter(|line| line.fits(tags, known)).collect();
        let least = fitting.iter().map(|line| uses(self, line)).min()?;
        let fresh: Vec<_> = fitting.into_iter().filter(|line| uses(self, line) == least).collect();
        // What fits only here is said rather than what fits always.
        let line = *chance.weighted(&fresh, |line| 1 + 3 * line.needs.count_ones() as usize)?;
        if let Some(count) = self.uses.get_mut(line.id) {
            *count = count.saturating_add(1);
        }
        Some(line)
    }
}

impl Line {
    fn is_varied(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Group(_)))
    }

    const fn fits(&self, tags: u128, known: u128) -> bool {
        self.needs & tags == self.needs && self.shuns & tags == 0 && self.slots & known == self.slots
    }
}

impl Book {
    fn read(files: &[&'static str]) -> Self {
        let mut book = Self::default();
        for file in files {
            let mut group = "";
            for line in file.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
                match line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                    Some(name) => group = name,
                    None => book.add(group, line),
                }
            }
        }
        book
    }

    fn add(&mut self, group: &'static str, text: &'static str) {
        let mut line = Line { id: self.lines, needs: 0, shuns: 0, slots: 0, parts: Vec::new() };
        let mut rest = text;
        while let Some(tagged) = rest.strip_prefix('@') {
            let (word, after) = tagged.split_once(' ').unwrap_or((tagged, ""));
            match word.strip_prefix('!') {
                Some(tag) => line.shuns |= bit(intern(&mut self.tags, tag)),
                None => line.needs |= bit(intern(&mut self.tags, word)),
            }
            rest = after;
        }
        while let Some(at) = rest.find(['{', '<', '\\']) {
            let (before, from) = rest.split_at(at);
            if !before.is_empty() {
                line.parts.push(Part::Text(before));
            }
            // The marks are ASCII: one byte each.
            let opening = from.get(..1).unwrap_or("");
            let closing = match opening {
                "{" => '}',
                "<" => '>',
                _ => 'n',
            };
            let (inner, after) = from.get(1..).unwrap_or("").split_once(closing).unwrap_or_default();
            rest = after;
            line.parts.push(match opening {
                "{" => {
                    let slot = intern(&mut self.slots, inner);
                    line.slots |= bit(slot);
                    Part::Slot(slot)
                }
                "<" => inner.strip_suffix('?').map_or(Part::Group(inner), Part::Maybe),
                _ => Part::Break,
            });
        }
        if !rest.is_empty() {
            line.parts.push(Part::Text(rest));
        }
        self.groups.entry(group).or_default().push(line);
        self.lines += 1;
    }

    fn tag_bit(&self, tag: &str) -> u128 {
        self.tags.iter().position(|t| *t == tag).map_or(0, bit)
    }
}

fn intern(names: &mut Vec<&'static str>, name: &'static str) -> usize {
    names.iter().position(|n| *n == name).unwrap_or_else(|| {
        names.push(name);
        names.len() - 1
    })
}

fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|at| 1_u128.checked_shl(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_named_exists_and_every_tag_and_value_has_its_bit() {
        assert!(BOOK.tags.len() <= 128 && BOOK.slots.len() <= 128);
        assert!(BOOK.groups.len() >= 60, "{}", BOOK.groups.len());
        for line in BOOK.groups.values().flatten() {
            for part in &line.parts {
                if let Part::Group(name) | Part::Maybe(name) = part {
                    assert!(BOOK.groups.contains_key(name), "{name}");
                }
            }
        }
    }

    #[test]
    fn services_and_episodes_have_their_groups() {
        for row in crate::table::rows(include_str!("../data/visits.tsv")) {
            for group in [row.text(8).to_owned(), format!("topic.{}", row.text(0))] {
                assert!(BOOK.groups.contains_key(group.as_str()), "{group}");
            }
        }
        for row in crate::table::rows(include_str!("../data/episodes.tsv")) {
            assert!(
                BOOK.groups
                    .keys()
                    .any(|g| row.text(11).is_empty() || *g == format!("report.{}", row.text(11)))
            );
            for number in 0..row.words(12).len() {
                let group = format!("ep.{}.{number}", row.text(0));
                assert!(BOOK.groups.contains_key(group.as_str()), "{group}");
            }
        }
    }

    #[test]
    fn lines_are_taken_by_what_is_true_and_known_and_not_again_before_the_others() {
        let book = Book::read(&["[a]\n@winter 雪\n@!winter 花\n{bp}だけ\n# no\n[b]\n<a>と\\n<a>"]);
        let lines = &book.groups["a"];
        let (winter, bp) = (bit(0), bit(0));
        let fits = |tags, known| lines.iter().map(|l| l.fits(tags, known)).collect::<Vec<_>>();
        assert_eq!(fits(winter, 0), [true, false, false]);
        assert_eq!(fits(0, bp), [false, true, true]);
        assert_eq!(book.groups["b"][0].parts.len(), 4);

        let mut on = Situation::default();
        for tag in ["quiet", "normal", "summer"] {
            on.tag(tag);
        }
        let (mut writer, mut chance) = (Writer::new(), Stream::new(1));
        let said: std::collections::BTreeSet<String> =
            (0..8).map(|_| writer.write("vn.care", &on, &mut chance)).collect();
        assert!(said.len() >= 6, "{said:?}");
    }
}
