//! Newline-delimited JSON, one resource a line (FHIR R4, "Bulk Data").

/// One line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1, blank lines too.
    pub number: usize,
    /// Bytes before the line.
    pub offset: usize,
    /// Without the line's end (LF, or CR LF).
    pub bytes: &'a [u8],
}

/// The lines that are not blank.
pub fn ndjson_lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut offset = 0;
    bytes
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(move |(at, line)| {
            let start = offset;
            offset += line.len() + 1;
            Line { number: at + 1, offset: start, bytes: line.strip_suffix(b"\r").unwrap_or(line) }
        })
        .filter(|line| !line.bytes.iter().all(|byte| matches!(byte, b' ' | b'\t')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_their_number_and_offset() {
        let lines: Vec<_> = ndjson_lines(b"{}\r\n\n [1]\n").collect();
        assert_eq!(
            lines,
            [Line { number: 1, offset: 0, bytes: b"{}" }, Line { number: 3, offset: 5, bytes: b" [1]" },]
        );
        assert_eq!(ndjson_lines(b"").count(), 0);
    }
}
