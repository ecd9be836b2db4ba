//! A document on A4, as an office would print it, and its PDF (ISO 32000).

use std::collections::HashMap;
use std::sync::LazyLock;

use krilla::Document;
use krilla::color::luma;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::MetadataProvider as _;

/// Noto Sans CJK JP (SIL Open Font License 1.1, `data/font/LICENSE`), only what the city's papers say;
/// made by `tools/demo-font`.
static FONT: &[u8] = include_bytes!("../../data/font/NotoSansJP-demo.otf");

/// Glyph and width, in parts of the size, of every character there is.
static GLYPHS: LazyLock<HashMap<char, (u32, f32)>> = LazyLock::new(|| {
    let Ok(font) = skrifa::FontRef::new(FONT) else { return HashMap::new() };
    let metrics =
        font.glyph_metrics(skrifa::instance::Size::new(1.0), skrifa::instance::LocationRef::default());
    let known = |(code, glyph): (u32, skrifa::GlyphId)| {
        Some((char::from_u32(code)?, (glyph.to_u32(), metrics.advance_width(glyph)?)))
    };
    font.charmap().mappings().filter_map(known).collect()
});

/// A document: a title, who it is about and who made it, and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sheet {
    pub(crate) title: String,
    /// What stands above the parts, label and words.
    pub(crate) facts: Vec<(&'static str, String)>,
    pub(crate) parts: Vec<Part>,
    /// Who made it, below.
    pub(crate) signed: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Heading(&'static str),
    Text(String),
    /// A table: its first row is the head.
    Table(Vec<Vec<String>>),
}

pub(crate) fn can_be_set(character: char) -> bool {
    character == '\n' || GLYPHS.contains_key(&character)
}

/// A4 in points, and what stays free around.
const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
const MARGIN: f32 = 56.0;
const SIZE: f32 = 10.5;
const LINE: f32 = 17.0;
const LABEL: f32 = 92.0;

/// What no line begins with (JIS X 4051).
const NOT_FIRST: &str = "、。，．・：；）」』】〕％℃ーぁぃぅぇぉっゃゅょァィゥェォッャュョ";

/// One thing on a page.
enum Mark {
    Text { x: f32, y: f32, size: f32, text: String },
    Bar { x: f32, y: f32, width: f32, height: f32, grey: u8 },
}

/// Pages as they fill.
struct Layout {
    pages: Vec<Vec<Mark>>,
    y: f32,
}

impl Layout {
    fn room(&mut self, height: f32) {
        if self.y + height > HEIGHT - MARGIN {
            self.pages.push(Vec::new());
            self.y = MARGIN + LINE;
        }
    }

    fn put(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    fn text(&mut self, x: f32, size: f32, text: &str) {
        let y = self.y;
        self.put(Mark::Text { x, y, size, text: text.to_owned() });
    }

    fn bar(&mut self, x: f32, y: f32, width: f32, height: f32, grey: u8) {
        self.put(Mark::Bar { x, y, width, height, grey });
    }

    fn paragraph(&mut self, x: f32, width: f32, text: &str) {
        for line in lines(text, width, SIZE) {
            self.room(LINE);
            self.text(x, SIZE, &line);
            self.y += LINE;
        }
    }

    fn table(&mut self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let full = WIDTH - 2.0 * MARGIN;
        // A first column of labels is narrower than the others.
        let first = if columns > 1 { full * 0.24 } else { full };
        let other = (full - first) / (columns.max(2) - 1) as f32;
        for (number, row) in rows.iter().enumerate() {
            let width = |column: usize| if column == 0 { first } else { other };
            let cells: Vec<Vec<String>> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| lines(cell, width(column) - 10.0, SIZE - 1.0))
                .collect();
            let tall = cells.iter().map(Vec::len).max().unwrap_or(1).max(1) as f32 * LINE + 5.0;
            self.room(tall);
            let top = self.y - LINE + 4.0;
            if number == 0 {
                self.bar(MARGIN, top, full, tall, 232);
            }
            self.bar(MARGIN, top + tall, full, 0.6, 120);
            let begin = self.y;
            let mut x = MARGIN;
            for (column, cell) in cells.iter().enumerate() {
                self.y = begin + 2.0;
                for line in cell {
                    self.text(x + 5.0, SIZE - 1.0, line);
                    self.y += LINE;
                }
                x += width(column);
            }
            self.y = begin + tall;
        }
        self.y += LINE / 2.0;
    }
}

/// The PDF; empty if it could not be made.
pub(super) fn draw(sheet: &Sheet) -> Vec<u8> {
    let mut layout = Layout { pages: vec![Vec::new()], y: MARGIN + 14.0 };
    let width = WIDTH - 2.0 * MARGIN;
    let title = 17.0;
    layout.text((WIDTH - wide(&sheet.title, title)) / 2.0, title, &sheet.title);
    layout.y += 14.0;
    let y = layout.y;
    layout.bar(MARGIN, y, width, 1.2, 40);
    layout.y += LINE + 6.0;
    for (label, words) in &sheet.facts {
        layout.room(LINE);
        layout.text(MARGIN, SIZE, label);
        layout.paragraph(MARGIN + LABEL, width - LABEL, words);
    }
    for part in &sheet.parts {
        match part {
            Part::Heading(words) => {
                layout.y += LINE / 2.0;
                layout.room(3.0 * LINE);
                let top = layout.y - 11.0;
                layout.bar(MARGIN, top, 4.0, 14.0, 60);
                layout.text(MARGIN + 10.0, SIZE + 1.5, words);
                layout.y += LINE + 3.0;
            }
            Part::Text(words) => layout.paragraph(MARGIN, width, words),
            Part::Table(rows) => {
                layout.y += 4.0;
                layout.table(rows);
            }
        }
    }
    layout.y += LINE;
    layout.room(LINE);
    let right = WIDTH - MARGIN - wide(&sheet.signed, SIZE);
    layout.text(right.max(MARGIN), SIZE, &sheet.signed);
    written(&layout.pages, &sheet.title).unwrap_or_default()
}

fn written(pages: &[Vec<Mark>], title: &str) -> Option<Vec<u8>> {
    let font = Font::new(FONT.into(), 0)?;
    let mut document = Document::new();
    document.set_metadata(
        Metadata::new().title(title.to_owned()).language("ja".to_owned()).creator("Mimamori demo".to_owned()),
    );
    for (number, marks) in pages.iter().enumerate() {
        let mut page = document.start_page_with(PageSettings::from_wh(WIDTH, HEIGHT)?);
        let mut surface = page.surface();
        for mark in marks {
            match mark {
                Mark::Text { x, y, size, text } => write(&mut surface, &font, (*x, *y), *size, text),
                Mark::Bar { x, y, width, height, grey } => {
                    let mut path = PathBuilder::new();
                    path.push_rect(Rect::from_xywh(*x, *y, *width, *height)?);
                    surface.set_fill(Some(grey_of(*grey)));
                    surface.draw_path(&path.finish()?);
                }
            }
        }
        let foot = format!("{} / {}", number + 1, pages.len());
        write(&mut surface, &font, ((WIDTH - wide(&foot, 8.0)) / 2.0, HEIGHT - 30.0), 8.0, &foot);
        surface.finish();
        page.finish();
    }
    document.finish().ok()
}

fn grey_of(grey: u8) -> Fill {
    Fill { paint: luma::Color::new(grey).into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

fn write(surface: &mut Surface<'_>, font: &Font, (x, y): (f32, f32), size: f32, text: &str) {
    let glyphs: Vec<KrillaGlyph> = text
        .char_indices()
        .filter_map(|(at, character)| {
            let (glyph, advance) = *GLYPHS.get(&character)?;
            let range = at..at + character.len_utf8();
            Some(KrillaGlyph::new(GlyphId::new(glyph), advance, 0.0, 0.0, 0.0, range, None))
        })
        .collect();
    surface.set_fill(Some(grey_of(20)));
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font.clone(), text, size, false);
}

fn wide(text: &str, size: f32) -> f32 {
    text.chars().filter_map(|character| GLYPHS.get(&character)).map(|(_, advance)| advance * size).sum()
}

/// A text in lines of at most so many points.
fn lines(text: &str, width: f32, size: f32) -> Vec<String> {
    let mut all = Vec::new();
    for paragraph in text.lines() {
        let (mut line, mut used) = (String::new(), 0.0);
        for character in paragraph.chars() {
            let advance = GLYPHS.get(&character).map_or(0.0, |(_, advance)| advance * size);
            // A mark that begins no line may stand out a little instead.
            if used + advance > width && !NOT_FIRST.contains(character) {
                all.push(std::mem::take(&mut line));
                used = 0.0;
            }
            line.push(character);
            used += advance;
        }
        all.push(line);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_its_place_or_begins_with_a_full_stop() {
        let text = "体温36.5℃、血圧132/74、脈拍72回/分。食事は八割ほど召し上がり、むせはありませんでした。";
        let made = lines(text, 100.0, SIZE);
        assert!(made.len() > 3);
        assert_eq!(made.concat(), text);
        for line in &made {
            assert!(wide(line, SIZE) <= 100.0 + 2.0 * SIZE, "{line}");
            assert!(!line.starts_with(|c| NOT_FIRST.contains(c)), "{line}");
        }
    }

    #[test]
    fn a_long_document_has_more_pages_and_is_the_same_each_time() {
        let rows = vec![
            vec!["日付".to_owned(), "血圧".to_owned()],
            vec!["11月21日".to_owned(), "132/74".to_owned()],
        ];
        let mut parts = vec![Part::Heading("経過"), Part::Table(rows)];
        parts.extend((0..80).map(|_| Part::Text("歩行は安定し、食事も進んでいます。".to_owned())));
        let sheet = Sheet {
            title: "訪問看護報告書".to_owned(),
            facts: vec![("氏名", "髙橋 花".to_owned())],
            parts,
            signed: "みほん訪問看護".to_owned(),
        };
        let pdf = draw(&sheet);
        assert!(pdf.starts_with(b"%PDF-") && pdf.windows(5).any(|part| part == b"%%EOF"));
        assert_eq!(pdf, draw(&sheet));
        let short = draw(&Sheet { parts: Vec::new(), ..sheet });
        assert!(short.len() < pdf.len() && short.len() > 2_000, "{} {}", short.len(), pdf.len());
    }
}
