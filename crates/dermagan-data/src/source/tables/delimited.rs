//! Delimited text as rows of cells: which delimiter it has, and the rows.

use crate::source::tables::names::{means_image, names_image};

/// The delimiters that are tried. A space separates the cells of lists such as `a.jpg 3`.
const DELIMITERS: [u8; 5] = *b",;\t| ";

/// Number of bytes, and of rows, that the delimiter is decided by.
const LOOK: usize = 64 << 10;
const LOOK_ROWS: usize = 200;

/// How the rows of a text are written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// The character between two cells.
    pub delimiter: u8,
    /// Number of bytes before the first row, and of the lines in them: Excel's `sep=;`.
    pub skip: usize,
    pub skipped_lines: u64,
    /// Number of cells of the first row.
    pub columns: usize,
    /// Number of rows that were looked at, the first one included.
    pub rows: usize,
    /// Share of these rows that have as many cells as most of the rows below the first.
    pub consistent: f64,
    /// Whether the first row contains the name of an image's column.
    pub known_header: bool,
}

/// How `text`, or its beginning, is written; `None` if no row has a cell.
///
/// The delimiter is the one by which the most rows have equally many cells, more than one. Counting its occurrences
/// would take the decimal commas of a European table, or a comma inside one quoted cell.
pub(super) fn layout(text: &str) -> Option<Layout> {
    let (skip, named) = separator_line(text);
    let skipped_lines = u64::from(skip > 0);
    let body = &text[skip..];
    let of = |delimiter| {
        let counted = counted(body, delimiter)?;
        Some(Layout { skip, skipped_lines, ..counted })
    };
    if let Some(delimiter) = named {
        return of(delimiter);
    }
    let mut best: Option<Layout> = None;
    for layout in DELIMITERS.into_iter().filter_map(of).filter(|layout| layout.columns > 1) {
        // Sentences have spaces, too.
        if layout.delimiter == b' ' && (best.is_some() || layout.consistent < 0.95) {
            continue;
        }
        let rank = |l: &Layout| (l.known_header, (l.consistent * 20.0) as u32, l.columns);
        if best.is_none_or(|best| rank(&layout) > rank(&best)) {
            best = Some(layout);
        }
    }
    best.or_else(|| of(b','))
}

/// Excel's first line `sep=;`: its length in bytes with the line end, and the delimiter; 0 and `None` if there is no
/// such line.
fn separator_line(text: &str) -> (usize, Option<u8>) {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    let line = text[..end].trim_matches(['"', ' ', ',', '\u{feff}']);
    let delimiter = match line.get(..4).zip(line.as_bytes().get(4)) {
        Some((start, &c)) if start.eq_ignore_ascii_case("sep=") && line.len() == 5 => c,
        // A comma and a tab may have been cut off with the quotes.
        _ if line.eq_ignore_ascii_case("sep=") => b',',
        _ => return (0, None),
    };
    if !delimiter.is_ascii() || delimiter.is_ascii_alphanumeric() || b"\"\r\n".contains(&delimiter)
    {
        return (0, None);
    }
    let rest = &text[end..];
    let after = rest.len()
        - rest.strip_prefix("\r\n").unwrap_or_else(|| rest.get(1..).unwrap_or_default()).len();
    (end + after, Some(delimiter))
}

/// The layout of `text` with this delimiter, by its first rows; `None` if there is no row.
fn counted(text: &str, delimiter: u8) -> Option<Layout> {
    let head = beginning(text);
    let mut counts = Vec::new();
    let mut known_header = false;
    for record in reader(head, delimiter).byte_records().take(LOOK_ROWS) {
        let Ok(record) = record else { break };
        if record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if counts.is_empty() {
            let cells = || record.iter().filter_map(|cell| std::str::from_utf8(cell).ok());
            known_header = cells().any(means_image) || cells().any(names_image);
        }
        counts.push(record.len());
    }
    let columns = *counts.first()?;
    let below = if counts.len() > 1 { &counts[1..] } else { &counts[..] };
    let equal = |count: &usize| below.iter().filter(|c| *c == count).count();
    let usual = below.iter().copied().max_by_key(equal)?;
    let consistent = counts.iter().filter(|count| **count == usual).count();
    let consistent = consistent as f64 / counts.len() as f64;
    Some(Layout {
        delimiter,
        skip: 0,
        skipped_lines: 0,
        columns,
        rows: counts.len(),
        consistent,
        known_header: known_header && columns > 1,
    })
}

/// The beginning of a text, to the end of a line if it was cut.
fn beginning(text: &str) -> &str {
    if text.len() <= LOOK {
        return text;
    }
    let cut = text.floor_char_boundary(LOOK);
    let end = text[..cut].rfind(['\n', '\r']).unwrap_or(cut);
    &text[..end]
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes())
}

/// All rows that are not empty, each with its line number from 1 and its cells without blanks around them. A row is
/// cut to one cell more than `max_columns`.
///
/// # Errors
/// If there are more than `max_rows` rows, the first has more than `max_columns` cells, or a quote is opened and the
/// rows after it end in its cell. The last two errors name the line.
pub(super) fn rows(
    text: &str,
    layout: &Layout,
    max_rows: usize,
    max_columns: usize,
) -> Result<Vec<(u64, Vec<String>)>, String> {
    let mut rows: Vec<(u64, Vec<String>)> = Vec::new();
    let mut last = None;
    let body = &text[layout.skip..];
    let mut lines = Lines { text: body.as_bytes(), at: 0, line: 1 + layout.skipped_lines };
    for record in reader(body, layout.delimiter).byte_records() {
        let record = record.map_err(|e| e.to_string())?;
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.of(start);
        let has_lines = |cell: &[u8]| cell.trim_ascii().iter().any(|c| matches!(c, b'\r' | b'\n'));
        last = Some((start, line, record.iter().any(has_lines)));
        let cell = |c: &[u8]| String::from_utf8_lossy(c).trim_matches(is_blank).to_owned();
        let cells: Vec<String> = record.iter().take(max_columns + 1).map(cell).collect();
        if cells.iter().all(String::is_empty) {
            continue;
        }
        if rows.is_empty() && cells.len() > max_columns {
            return Err(format!("line {line}: found more than {max_columns} columns"));
        }
        if rows.len() > max_rows {
            return Err(format!("found more than {max_rows} rows"));
        }
        rows.push((line, cells));
    }
    if let Some((start, line, true)) = last {
        let rest = body.as_bytes().get(start as usize..).unwrap_or_default();
        // A quote inside a quoted cell is written twice.
        if rest.iter().filter(|byte| **byte == b'"').count() % 2 == 1 {
            return Err(format!("line {line}: a quote is opened and not closed"));
        }
    }
    Ok(rows)
}

/// The numbers of lines, which the reader of CSV counts only by line feeds and without empty lines.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The number of the line of the first character at or after byte `start` that ends no line. `start` may not be
    /// less than before.
    fn of(&mut self, start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        while let Some(&byte) = self.text.get(self.at) {
            if self.at >= start && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            let after = self.text.get(self.at + 1);
            self.line += u64::from(byte == b'\n' || (byte == b'\r' && after != Some(&b'\n')));
            self.at += 1;
        }
        self.line
    }
}

/// Whether a character around a cell is no part of it. The end-of-file mark of old systems ends some tables.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{1a}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (u8, Vec<Vec<String>>) {
        let layout = layout(text).unwrap();
        let rows = rows(text, &layout, 100, 20).unwrap();
        (layout.delimiter, rows.into_iter().map(|(_, cells)| cells).collect())
    }

    #[test]
    fn a_decimal_comma_or_a_quoted_comma_is_no_delimiter() {
        let (delimiter, rows) = read("image_id;dx;age\nI1;nv;85,0\nI2;mel;40,5\n");
        assert_eq!((delimiter, rows[1][2].as_str()), (b';', "85,0"));
        let (delimiter, rows) = read("id\tplace\tclass\n1\t\"Vienna, Austria, EU\"\ta\n2\tx\tb\n");
        assert_eq!((delimiter, rows[1][1].as_str()), (b'\t', "Vienna, Austria, EU"));
        let (delimiter, rows) = read("image_id,dx,note\nI1,nv,\"a;b;c\"\nI2,mel,a;b\n");
        assert_eq!((delimiter, rows[1][2].as_str()), (b',', "a;b;c"));
        let (delimiter, rows) = read("x;y, z;dx\n1,5;2,5;nv\n2,5;3,5;mel\n");
        assert_eq!((delimiter, rows[2][2].as_str()), (b';', "mel"));
    }

    #[test]
    fn every_delimiter_is_found() {
        for delimiter in [",", ";", "\t", "|"] {
            let text = format!("image_id{delimiter}dx\r\nI1{delimiter}nv\r\n");
            assert_eq!(read(&text).0, delimiter.as_bytes()[0]);
        }
        assert_eq!(
            read("a.jpg 3\nb.jpg 4\n"),
            (b' ', vec![vec!["a.jpg".into(), "3".into()], vec!["b.jpg".into(), "4".into()]])
        );
    }

    #[test]
    fn the_separator_line_of_excel_is_followed_and_counted() {
        for line in ["sep=;\n", "SEP=;\r\n", "\"sep=;\"\n", "sep=;\r"] {
            let text = format!("{line}image_id;dx\nI1;nv\n");
            let layout = layout(&text).unwrap();
            assert_eq!(layout.delimiter, b';', "{line:?}");
            let rows = rows(&text, &layout, 10, 10).unwrap();
            assert_eq!(rows[0].0, 2, "{line:?}");
            assert_eq!(rows[1].1, ["I1", "nv"]);
        }
        assert_eq!(read("sep=,\na,b\n1,2\n").1[0], ["a", "b"]);
    }

    #[test]
    fn sentences_have_no_delimiter() {
        let layout = layout("CC BY-NC 4.0\nCite the paper, please.\nThank you all.\n").unwrap();
        assert!(layout.columns == 1 || layout.consistent < 0.95, "{layout:?}");
    }

    #[test]
    fn limits_are_errors() {
        let text = "a,b,c\n1,2,3\n4,5,6\n";
        let layout = layout(text).unwrap();
        assert!(rows(text, &layout, 1, 9).unwrap_err().contains("1 rows"));
        assert!(rows(text, &layout, 9, 2).unwrap_err().contains("2 columns"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[a,;|=s\"\r\n\t é.jpg0]{0,80}", prefix in "(sep=|SEP=;|\"sep=)?") {
            let text = format!("{prefix}{text}");
            if let Some(layout) = layout(&text) {
                prop_assert!(rows(&text, &layout, 1000, 1000).is_ok() || text.contains('"'));
            }
        }
    }
}
