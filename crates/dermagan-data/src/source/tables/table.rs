//! Delimited text as cells, with any delimiter, line ends, column order and byte-order mark.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Largest number of columns of a table; HAM10000's has at most 8.
const MAX_COLUMNS: usize = 64;

/// Names of the column with the image's id or file name.
const IMAGE_COLUMNS: [&str; 5] = ["image_id", "image", "file", "filename", "file_name"];

/// Names of the column with the class.
const CLASS_COLUMNS: [&str; 3] = ["dx", "class", "label"];

/// A table as text cells.
pub(crate) struct Table {
    /// The names of the columns, in lower case.
    pub header: Vec<String>,
    /// Each row with its line number in the file, from 1.
    pub rows: Vec<(u64, Vec<String>)>,
}

impl Table {
    /// Reads all rows; empty ones are skipped. The first is the header. Rows may differ in length.
    ///
    /// # Errors
    /// If the table has more than `max_rows` rows or 64 columns, or is not delimited text.
    pub fn read(bytes: &[u8], max_rows: usize) -> Result<Self, String> {
        let text = utf8(bytes);
        let first = text.lines().next().unwrap_or_default();
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter(first))
            .flexible(true)
            .has_headers(false)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        let mut header = Vec::new();
        for row in reader.byte_records() {
            let row = row.map_err(|e| e.to_string())?;
            if row.iter().all(<[u8]>::is_empty) {
                continue;
            }
            let line = row.position().map_or(0, csv::Position::line);
            let cell = |c: &[u8]| String::from_utf8_lossy(c).into_owned();
            // A row with too many cells is cut to one more than the limit, and so is still too long.
            let cells: Vec<String> = row.iter().take(MAX_COLUMNS + 1).map(cell).collect();
            if header.is_empty() {
                if cells.len() > MAX_COLUMNS {
                    return Err(format!("more than {MAX_COLUMNS} columns"));
                }
                header = cells;
                header.iter_mut().for_each(|name| name.make_ascii_lowercase());
            } else {
                rows.push((line, cells));
            }
            if rows.len() > max_rows {
                return Err(format!("more than {max_rows} rows"));
            }
        }
        Ok(Self { header, rows })
    }

    /// The index of a column, by its name in lower case.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|n| n == name)
    }

    /// Class by image, as the cells give both: from the first column named `image_id`, `image`, `file`,
    /// `filename` or `file_name`, and the first named `dx`, `class` or `label`.
    ///
    /// # Errors
    /// If one of the columns is missing, a row has more or fewer cells than the header, or an image has two
    /// classes.
    pub fn class_labels(&self) -> Result<BTreeMap<String, String>, String> {
        let column =
            |names: &[&str]| self.header.iter().position(|name| names.contains(&name.as_str()));
        let (Some(image), Some(class)) = (column(&IMAGE_COLUMNS), column(&CLASS_COLUMNS)) else {
            return Err("expected the columns image_id and dx in its first line".into());
        };
        let mut labels = BTreeMap::new();
        for (line, cells) in &self.rows {
            if cells.len() != self.header.len() {
                let (found, expected) = (cells.len(), self.header.len());
                return Err(format!("line {line}: found {found} cells, expected {expected}"));
            }
            let (image, class) = (cells[image].clone(), cells[class].clone());
            if let Some(before) = labels.insert(image.clone(), class.clone())
                && before != class
            {
                return Err(format!(
                    "line {line}: image {image:?} is of class {class:?}, and of class {before:?} in an earlier line"
                ));
            }
        }
        Ok(labels)
    }
}

/// The names in a table's first line, in lower case; `bytes` is the beginning of the file.
pub(super) fn header_names(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let text = utf8(bytes);
    let line = text.lines().next()?;
    let names = line
        .split(delimiter(line) as char)
        .map(|n| n.trim().trim_matches('"').to_ascii_lowercase())
        .collect();
    Some(names)
}

/// The delimiter of a table with this first line.
fn delimiter(first_line: &str) -> u8 {
    [b'\t', b';', b','].into_iter().find(|&d| first_line.contains(d as char)).unwrap_or(b',')
}

/// The text without its byte-order mark. Excel's "Unicode text" is UTF-16.
fn utf8(bytes: &[u8]) -> Cow<'_, str> {
    let wide = |read: fn([u8; 2]) -> u16| -> Cow<'static, str> {
        let units: Vec<u16> = bytes[2..].as_chunks().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16_lossy(&units).into()
    };
    match bytes {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        _ => String::from_utf8_lossy(bytes),
    }
}
