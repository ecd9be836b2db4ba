//! Tables as files: CSV and Excel workbooks, written and read as rows of cells.
//!
//! A cell that a spreadsheet would run as a formula gets an apostrophe before it, which reading takes
//! away again. What is read is treated as hostile: a workbook is unpacked within bounds before
//! anything looks into it, and only as many rows and columns are taken as an import may have.

use std::io::{Cursor, Read};

use calamine::{DataRef, ExcelDateTime, Reader as _, Xlsx};
use mimamori_domain::{Error, ErrorKind, Result};
use rust_xlsxwriter::{ExcelDateTime as Moment, Format, Workbook, Worksheet, XlsxError};

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Text with commas: UTF-8 with a byte order mark, so that Excel knows it; Shift_JIS, which Excel
    /// writes in Japan, is read too.
    Csv,
    /// An Excel workbook; its first sheet is read.
    Excel,
}

impl TableFormat {
    /// What the file's name ends with, without the point.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Excel => "xlsx",
        }
    }

    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Excel => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// The format of a file by how it begins: workbooks are ZIP archives.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"PK\x03\x04") { Self::Excel } else { Self::Csv }
    }
}

/// Most columns of a table that is read.
const MOST_COLUMNS: usize = 500;
/// Most parts of a workbook, and most bytes of all of them unpacked.
const MOST_PARTS: usize = 1_000;
const MOST_UNPACKED: u64 = 128 << 20;
/// Width of a column in a workbook, in characters.
const WIDTH: f64 = 20.0;
/// Most characters of a sheet's name.
const MOST_SHEET_NAME: usize = 31;

/// A cell to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// A decimal number.
    Number(String),
    /// `2026-11-21`, `09:30` or `2026-11-21 09:30`.
    Moment(String),
}

impl Cell {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) | Self::Moment(text) => text,
        }
    }
}

/// A row that was read: its number as spreadsheets count, and its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) cells: Vec<String>,
}

/// Writes a table; the first row is its heading. `made` is when, in seconds since 1970, UTC.
pub(super) fn write(format: TableFormat, name: &str, rows: &[Vec<Cell>], made: i64) -> Result<Vec<u8>> {
    match format {
        TableFormat::Csv => write_csv(rows).map_err(Error::internal),
        TableFormat::Excel => write_excel(name, rows, made).map_err(|error| match error {
            XlsxError::MaxStringLengthExceeded => Error::new(
                ErrorKind::TooLarge,
                "a text is longer than a cell of Excel may be; take the table out as CSV",
            ),
            other => Error::internal(other),
        }),
    }
}

fn write_csv(rows: &[Vec<Cell>]) -> std::result::Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer("\u{feff}".as_bytes().to_vec());
    for row in rows {
        writer.write_record(row.iter().map(|cell| match cell {
            Cell::Text(text) => guarded(text),
            // These hold digits and signs only: no spreadsheet runs them.
            Cell::Number(text) | Cell::Moment(text) => text.clone(),
        }))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))
}

fn write_excel(name: &str, rows: &[Vec<Cell>], made: i64) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    book.set_properties(
        &rust_xlsxwriter::DocProperties::new().set_creation_datetime(&Moment::from_timestamp(made)?),
    );
    let heading = Format::new().set_bold().set_text_wrap();
    let formats = Moments {
        date: Format::new().set_num_format("yyyy-mm-dd"),
        time: Format::new().set_num_format("hh:mm"),
        both: Format::new().set_num_format("yyyy-mm-dd hh:mm"),
    };
    let wrapped = Format::new().set_text_wrap();
    let sheet = book.add_worksheet();
    sheet.set_name(sheet_name(name))?;
    let mut columns = 0_u16;
    for (at, row) in (0_u32..).zip(rows) {
        for (column, cell) in (0_u16..).zip(row) {
            columns = columns.max(column + 1);
            let text = guarded(cell.text());
            match cell {
                _ if at == 0 => drop(sheet.write_string_with_format(at, column, text, &heading)?),
                _ if text.is_empty() => {}
                Cell::Number(number) => match number.parse::<f64>() {
                    Ok(number) => drop(sheet.write_number(at, column, number)?),
                    Err(_) => drop(sheet.write_string(at, column, text)?),
                },
                Cell::Moment(moment) => formats.write(sheet, at, column, moment)?,
                Cell::Text(_) if text.contains('\n') => {
                    sheet.write_string_with_format(at, column, text, &wrapped)?;
                }
                Cell::Text(_) => drop(sheet.write_string(at, column, text)?),
            }
        }
    }
    for column in 0..columns {
        sheet.set_column_width(column, WIDTH)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    if columns > 0 && rows.len() > 1 {
        sheet.autofilter(0, 0, u32::try_from(rows.len() - 1).unwrap_or(u32::MAX), columns - 1)?;
    }
    book.save_to_buffer()
}

struct Moments {
    date: Format,
    time: Format,
    both: Format,
}

impl Moments {
    /// Days that Excel does not know (before 1900) stay text.
    fn write(
        &self,
        sheet: &mut Worksheet,
        row: u32,
        column: u16,
        text: &str,
    ) -> std::result::Result<(), XlsxError> {
        let format = match (text.contains('-'), text.contains(':')) {
            (true, true) => &self.both,
            (true, false) => &self.date,
            _ => &self.time,
        };
        match Moment::parse_from_str(text) {
            Ok(moment) => sheet.write_datetime_with_format(row, column, &moment, format)?,
            Err(_) => sheet.write_string(row, column, guarded(text))?,
        };
        Ok(())
    }
}

/// A name that a sheet may have.
fn sheet_name(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '[' | ']' | ':' | '*' | '?' | '/' | '\\' | '\''))
        // Excel counts in UTF-16.
        .scan(0, |length, c| {
            *length += c.len_utf16();
            (*length <= MOST_SHEET_NAME).then_some(c)
        })
        .collect();
    if name.trim().is_empty() { "Sheet1".to_owned() } else { name }
}

/// Whether a spreadsheet could take a text for a formula, apostrophes before it left aside. The wide
/// signs count too: Japanese Excel reads them as plain ones.
fn runs(text: &str) -> bool {
    let rest = text.trim_start_matches('\'');
    rest.starts_with(['\t', '\r', '\n'])
        || rest.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// A text that no spreadsheet takes for a formula.
fn guarded(text: &str) -> String {
    if runs(text) { format!("'{text}") } else { text.to_owned() }
}

/// The text that [`guarded`] was given.
fn unguarded(text: &str) -> &str {
    text.strip_prefix('\'').filter(|rest| runs(rest)).unwrap_or(text)
}

/// Reads a table of at most so many rows, its heading among them. Rows without a word are left out.
///
/// # Errors
/// Invalid for what is no table; too large.
pub(crate) fn read(format: TableFormat, bytes: &[u8], most_rows: usize) -> Result<Vec<Row>> {
    match format {
        TableFormat::Csv => read_csv(bytes, most_rows),
        TableFormat::Excel => read_excel(bytes, most_rows),
    }
}

fn unreadable(cause: impl std::fmt::Display) -> Error {
    Error::invalid("this file cannot be read; save it as CSV or as an Excel workbook (.xlsx) and try again")
        .with_detail(cause)
}

fn too_many(most_rows: usize) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("at most {} rows are taken at once; divide the table", most_rows.saturating_sub(1)),
    )
}

fn too_wide() -> Error {
    Error::new(ErrorKind::TooLarge, format!("a table may have at most {MOST_COLUMNS} columns"))
}

fn read_csv(bytes: &[u8], most_rows: usize) -> Result<Vec<Row>> {
    let text = decoded(bytes)?;
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains('\t') && !first.contains(',') { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    // The reader passes over empty lines; their rows still count, as they do in a spreadsheet. Lines
    // within a cell do not.
    let mut within = 0;
    while reader.read_record(&mut record).map_err(unreadable)? {
        within += record.iter().map(|cell| cell.matches('\n').count() as u64).sum::<u64>();
        let lines = reader.position().line().saturating_sub(1);
        let number = u32::try_from(lines.saturating_sub(within)).unwrap_or(u32::MAX);
        let cells: Vec<String> = record.iter().map(|cell| unguarded(cell).trim().to_owned()).collect();
        keep(&mut rows, Row { number, cells }, most_rows)?;
    }
    Ok(rows)
}

fn keep(rows: &mut Vec<Row>, row: Row, most_rows: usize) -> Result<()> {
    if row.cells.len() > MOST_COLUMNS {
        return Err(too_wide());
    }
    if row.cells.iter().all(|cell| cell.trim().is_empty()) {
        return Ok(());
    }
    if rows.len() >= most_rows {
        return Err(too_many(most_rows));
    }
    rows.push(row);
    Ok(())
}

/// The text of a file in UTF-8, or else in Shift_JIS.
fn decoded(bytes: &[u8]) -> Result<String> {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::SHIFT_JIS
            .decode_without_bom_handling_and_without_replacement(bytes)
            .ok_or_else(|| unreadable("neither UTF-8 nor Shift_JIS"))?
            .into_owned(),
    };
    if text.contains('\0') {
        return Err(unreadable("a NUL character"));
    }
    // One way of ending lines, the last one too.
    let mut text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.push('\n');
    Ok(text)
}

fn read_excel(bytes: &[u8], most_rows: usize) -> Result<Vec<Row>> {
    within_bounds(bytes, MOST_UNPACKED)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
    let name = book.sheet_names().first().cloned().ok_or_else(|| unreadable("no sheet"))?;
    let mut cells = book.worksheet_cells_reader(&name).map_err(unreadable)?;
    let mut rows: Vec<Row> = Vec::new();
    // Cells come in order. They are taken one by one: a range would be as large as the farthest of them.
    let mut row = Row { number: 1, cells: Vec::new() };
    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
        let text = text_of(cell.get_value());
        if text.is_empty() {
            continue;
        }
        let (at, column) = cell.get_position();
        let (number, column) = (at.saturating_add(1), column as usize);
        if column >= MOST_COLUMNS {
            return Err(too_wide());
        }
        if number < row.number {
            return Err(unreadable("rows out of order"));
        }
        if number > row.number {
            keep(&mut rows, std::mem::replace(&mut row, Row { number, cells: Vec::new() }), most_rows)?;
        }
        if row.cells.len() <= column {
            row.cells.resize(column + 1, String::new());
        }
        if let Some(place) = row.cells.get_mut(column) {
            *place = text;
        }
    }
    keep(&mut rows, row, most_rows)?;
    Ok(rows)
}

/// Refuses a workbook that is far larger than it looks: more than `most` bytes when unpacked.
fn within_bounds(bytes: &[u8], most: u64) -> Result<()> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > MOST_PARTS {
        return Err(unreadable("too many parts"));
    }
    let mut left = most;
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(unreadable)?;
        // What a part says about its own size proves nothing: it is counted.
        let size = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(unreadable)?;
        left = left
            .checked_sub(size)
            .ok_or_else(|| Error::new(ErrorKind::TooLarge, "this workbook is too large; divide the table"))?;
    }
    Ok(())
}

/// A cell of a workbook as its text would be typed into a form.
fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => unguarded(text).trim().to_owned(),
        DataRef::SharedString(text) => unguarded(text).trim().to_owned(),
        DataRef::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        DataRef::DateTime(moment) => moment_of(moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        // As the spreadsheet shows it: the field it stands in will say what is wrong.
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

fn moment_of(moment: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
    // Times of day are held as fractions of a day: the nearest minute was meant.
    let minutes = u32::from(hour) * 60 + u32::from(minute) + u32::from(second >= 59 && milli >= 500);
    let time = format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
    if moment.as_f64() < 1.0 {
        return time;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if minutes == 0 { date } else { format!("{date}T{time}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(rows: &[Vec<&str>]) -> Vec<Vec<Cell>> {
        rows.iter().map(|row| row.iter().map(|text| Cell::Text((*text).to_owned())).collect()).collect()
    }

    fn through(format: TableFormat, rows: &[Vec<Cell>]) -> Vec<Row> {
        read(format, &write(format, "台帳", rows, 1_795_000_000).unwrap(), 100).unwrap()
    }

    #[test]
    fn formulas_are_guarded_in_the_file_and_come_back_as_they_were() {
        let cells = vec!["=1+1", "+81", "-x", "@A1", "＝1", "'=1", "' plain", "plain", "  =HYPERLINK()"];
        let written = write(TableFormat::Csv, "x", &texts(&[vec!["h"; 9], cells.clone()]), 0).unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(text.starts_with('\u{feff}'));
        assert!(text.ends_with("'=1+1,'+81,'-x,'@A1,'＝1,''=1,' plain,plain,'  =HYPERLINK()\r\n"), "{text}");
        for format in [TableFormat::Csv, TableFormat::Excel] {
            let rows = through(format, &texts(&[vec!["h"; 9], cells.clone()]));
            let trimmed: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
            assert_eq!(rows[1], Row { number: 2, cells: trimmed });
        }
    }

    #[test]
    fn rows_are_counted_as_spreadsheets_count_them() {
        let rows = read(TableFormat::Csv, "a,b\r\n\r\n\"x\ny\",1\r\n,\r\nz,2".as_bytes(), 10).unwrap();
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(rows[1].cells, ["x\ny", "1"]);
    }

    #[test]
    fn what_excel_saves_in_japan_is_read() {
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode("開催日,件名\r\n2026/11/21,研修①\r\n");
        let rows = read(TableFormat::Csv, &bytes, 10).unwrap();
        assert_eq!(rows[1].cells, ["2026/11/21", "研修①"]);
        assert!(read(TableFormat::Csv, &[0xff, 0xff, 0x81], 10).is_err());
    }

    #[test]
    fn dates_and_numbers_are_cells_of_their_kind_in_a_workbook() {
        let row = vec![
            Cell::Moment("2026-11-21".to_owned()),
            Cell::Moment("09:30".to_owned()),
            Cell::Moment("2026-11-21 23:59".to_owned()),
            Cell::Number("36.5".to_owned()),
            Cell::Number("-12".to_owned()),
            Cell::Moment("1868-01-25".to_owned()),
        ];
        let heading = vec![Cell::Text("h".to_owned()); 6];
        let expected = ["2026-11-21", "09:30", "2026-11-21T23:59", "36.5", "-12", "1868-01-25"];
        assert_eq!(through(TableFormat::Excel, &[heading, row])[1].cells, expected);
    }

    #[test]
    fn what_is_too_large_or_no_table_is_refused() {
        let rows = texts(&[vec!["h"], vec!["1"], vec!["2"]]);
        for format in [TableFormat::Csv, TableFormat::Excel] {
            let bytes = write(format, "x", &rows, 0).unwrap();
            assert_eq!(read(format, &bytes, 2).unwrap_err().kind(), ErrorKind::TooLarge);
            assert_eq!(read(format, &bytes, 3).unwrap().len(), 3);
        }
        let wide = vec![vec!["x"; MOST_COLUMNS + 1]];
        let bytes = write(TableFormat::Csv, "x", &texts(&wide), 0).unwrap();
        assert_eq!(read(TableFormat::Csv, &bytes, 2).unwrap_err().kind(), ErrorKind::TooLarge);
        assert_eq!(read(TableFormat::Excel, b"PK\x03\x04 no", 2).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn a_workbook_that_unpacks_to_far_more_is_refused() {
        use std::io::Write as _;
        let mut bomb = zip::ZipWriter::new(Cursor::new(Vec::new()));
        bomb.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
        bomb.write_all(&vec![0_u8; 2 << 20]).unwrap();
        let bytes = bomb.finish().unwrap().into_inner();
        assert!(bytes.len() < 64 << 10, "{}", bytes.len());
        assert_eq!(within_bounds(&bytes, (2 << 20) - 1).unwrap_err().kind(), ErrorKind::TooLarge);
        within_bounds(&bytes, 2 << 20).unwrap();
        // Two parts together.
        let mut two = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["a", "b"] {
            two.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            two.write_all(&vec![0_u8; 1 << 20]).unwrap();
        }
        let bytes = two.finish().unwrap().into_inner();
        assert_eq!(within_bounds(&bytes, (2 << 20) - 1).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn a_cell_far_away_costs_nothing() {
        let mut book = Workbook::new();
        book.add_worksheet().write_string(1_048_575, 16_383, "far").unwrap();
        let bytes = book.save_to_buffer().unwrap();
        assert_eq!(read(TableFormat::Excel, &bytes, 2).unwrap_err().kind(), ErrorKind::TooLarge);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in "[\\PC\n]{0,40}") {
            let text = text.trim().to_owned();
            let row = vec![Cell::Text("x".to_owned()), Cell::Text(text.clone())];
            for format in [TableFormat::Csv, TableFormat::Excel] {
                let rows = through(format, &[row.clone(), row.clone()]);
                let cell = rows[1].cells.get(1).cloned().unwrap_or_default();
                prop_assert_eq!(&cell, &text);
            }
        }
    }
}
