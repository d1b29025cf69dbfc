//! Tables beside the images: HAM10000's metadata, ISIC 2018's one-hot truth and its lesion groups.
//! A table is recognised by its header, whatever its name, delimiter, line ends, column order or
//! byte-order mark.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::description::{ham_class, ham_codes};
use crate::problem::{Problem, ProblemKind};
use crate::record::{DxType, Record, Sex, unknown};

/// HAM10000's table has 8 columns at most, and 10,015 rows.
const MAX_COLUMNS: usize = 64;
const MAX_ROWS: usize = 1_000_000;

/// What a table's header makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// `image_id` and `dx`, and what more there is of HAM10000's columns.
    Ham,
    /// `image` and one column a class, holding 0 or 1.
    IsicTruth,
    /// `image`, `lesion_id`, `diagnosis_confirm_type`.
    IsicLesions,
}

/// A table as text cells.
pub(crate) struct Table {
    pub kind: TableKind,
    header: Vec<String>,
    /// Line number in the file (from 1) and cells.
    rows: Vec<(u64, Vec<String>)>,
}

fn delimiter(first_line: &str) -> u8 {
    [b'\t', b';', b','].into_iter().find(|&d| first_line.contains(d as char)).unwrap_or(b',')
}

/// The text without its byte-order mark; Excel's "Unicode text" is UTF-16.
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

/// What a file that begins with `bytes` is, if it is one of our tables.
pub(crate) fn recognise(bytes: &[u8]) -> Option<TableKind> {
    let text = utf8(bytes);
    let line = text.lines().next()?;
    let names: BTreeSet<String> = line
        .split(delimiter(line) as char)
        .map(|n| n.trim().trim_matches('"').to_ascii_lowercase())
        .collect();
    let has = |name: &str| names.contains(name);
    if has("image_id") && has("dx") {
        Some(TableKind::Ham)
    } else if has("image") && ham_codes().iter().all(|code| has(code)) {
        Some(TableKind::IsicTruth)
    } else if has("image") && has("lesion_id") {
        Some(TableKind::IsicLesions)
    } else {
        None
    }
}

impl Table {
    /// Reads all rows.
    ///
    /// # Errors
    /// When the header is none of ours, or the table has more rows or columns than any such table.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = utf8(bytes);
        let kind = recognise(text.as_bytes()).ok_or("its columns are none that are known")?;
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
            // A row of too many cells is cut to as many as make it wrong.
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
            if rows.len() > MAX_ROWS {
                return Err(format!("more than {MAX_ROWS} rows"));
            }
        }
        Ok(Self { kind, header, rows })
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|n| n == name)
    }

    /// The ids in the table.
    pub fn ids(&self) -> BTreeSet<String> {
        let column = self.column("image_id").or_else(|| self.column("image")).unwrap_or(0);
        self.rows.iter().filter_map(|(_, cells)| cells.get(column)).map(|c| image_id(c)).collect()
    }

    /// The records of a [`TableKind::Ham`] table.
    pub fn ham_records(&self, file: &str, problems: &mut Vec<Problem>) -> Vec<Record> {
        let column = |name| self.column(name);
        let (id, dx) = (column("image_id"), column("dx"));
        let (lesion, dx_type) = (column("lesion_id"), column("dx_type"));
        let (age, sex, site) = (column("age"), column("sex"), column("localization"));
        let mut records = Records::new(file);
        for (line, cells) in &self.rows {
            let cell = |c: Option<usize>| c.and_then(|c| cells.get(c)).map_or("", String::as_str);
            if cells.len() < self.header.len() || cell(id).is_empty() {
                let what =
                    format!("{file} line {line}: {} of {} cells", cells.len(), self.header.len());
                problems.push(Problem::new(ProblemKind::BadRow, what));
                continue;
            }
            let Some(class) = ham_class(cell(dx)) else {
                let what = format!("{file} line {line}: {} has dx '{}'", cell(id), cell(dx));
                problems.push(Problem::new(ProblemKind::UnknownClass, what));
                continue;
            };
            let mut odd = |column: &str, value: &str| {
                let what = format!("{file} line {line}: {} has {column} '{value}'", cell(id));
                problems.push(Problem::new(ProblemKind::BadValue, what));
            };
            let record = Record {
                image_id: image_id(cell(id)),
                lesion_id: Some(cell(lesion)).filter(|l| !l.is_empty()).map(str::to_owned),
                class,
                dx_type: DxType::parse(cell(dx_type)).unwrap_or_else(|| {
                    odd("dx_type", cell(dx_type));
                    DxType::Unknown
                }),
                age: parse_age(cell(age)).unwrap_or_else(|()| {
                    odd("age", cell(age));
                    None
                }),
                sex: Sex::parse(cell(sex)).unwrap_or_else(|| {
                    odd("sex", cell(sex));
                    Sex::Unknown
                }),
                localization: Some(cell(site))
                    .filter(|s| !s.is_empty())
                    .map_or_else(unknown, str::to_owned),
            };
            records.push(*line, record, problems);
        }
        records.done
    }

    /// The records of a [`TableKind::IsicTruth`] table.
    pub fn isic_records(&self, file: &str, problems: &mut Vec<Problem>) -> Vec<Record> {
        let columns: Vec<(usize, usize)> = ham_codes()
            .iter()
            .enumerate()
            .filter_map(|(class, code)| Some((class, self.column(code)?)))
            .collect();
        let id = self.column("image").unwrap_or(0);
        let mut records = Records::new(file);
        for (line, cells) in &self.rows {
            if cells.len() < self.header.len() || cells[id].is_empty() {
                let what =
                    format!("{file} line {line}: {} of {} cells", cells.len(), self.header.len());
                problems.push(Problem::new(ProblemKind::BadRow, what));
                continue;
            }
            let hot: Vec<usize> = columns
                .iter()
                .filter(|(_, column)| cells[*column].parse::<f32>().is_ok_and(|v| v >= 0.5))
                .map(|(class, _)| *class)
                .collect();
            let [class] = hot[..] else {
                let what = format!("{file} line {line}: {} has {} classes", cells[id], hot.len());
                problems.push(Problem::new(ProblemKind::UnknownClass, what));
                continue;
            };
            records.push(*line, Record::bare(image_id(&cells[id]), class), problems);
        }
        records.done
    }

    /// Lesion and confirmation type by image id, of a [`TableKind::IsicLesions`] table.
    pub fn lesions(&self) -> BTreeMap<String, (String, DxType)> {
        let id = self.column("image").unwrap_or(0);
        let lesion = self.column("lesion_id").unwrap_or(0);
        let confirmed = self.column("diagnosis_confirm_type");
        self.rows
            .iter()
            .filter_map(|(_, cells)| {
                let kind = confirmed.and_then(|c| cells.get(c)).and_then(|c| DxType::parse(c));
                Some((
                    image_id(cells.get(id)?),
                    (cells.get(lesion)?.clone(), kind.unwrap_or_default()),
                ))
            })
            .collect()
    }
}

/// An id as tables write it: some keep the file's extension.
fn image_id(cell: &str) -> String {
    match cell.rsplit_once('.') {
        Some((stem, _)) if crate::tree::is_image_name(cell) => stem.to_owned(),
        _ => cell.to_owned(),
    }
}

fn parse_age(cell: &str) -> Result<Option<f32>, ()> {
    match cell.to_ascii_lowercase().as_str() {
        "" | "unknown" | "nan" | "na" => Ok(None),
        text => match text.parse::<f32>() {
            Ok(age) if (0.0..=130.0).contains(&age) => Ok(Some(age)),
            _ => Err(()),
        },
    }
}

/// Records in the making, each id once.
struct Records<'a> {
    file: &'a str,
    seen: BTreeMap<String, u64>,
    done: Vec<Record>,
}

impl<'a> Records<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, seen: BTreeMap::new(), done: Vec::new() }
    }

    fn push(&mut self, line: u64, record: Record, problems: &mut Vec<Problem>) {
        if let Some(first) = self.seen.get(&record.image_id) {
            let what =
                format!("{} line {line}: {} (first in line {first})", self.file, record.image_id);
            problems.push(Problem::new(ProblemKind::DuplicateId, what));
            return;
        }
        self.seen.insert(record.image_id.clone(), line);
        self.done.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Record>, Vec<Problem>) {
        let mut problems = Vec::new();
        let records = Table::read(text.as_bytes()).unwrap().ham_records("t.csv", &mut problems);
        (records, problems)
    }

    #[test]
    fn columns_may_stand_in_any_order_with_a_mark_and_windows_line_ends() {
        let text = "\u{feff}dx,image_id,age,sex,lesion_id,localization,dx_type\r\n\
                    nv,ISIC_1,40.0,male,HAM_1,back,histo\r\n";
        let (records, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(records[0].image_id, "ISIC_1");
        assert_eq!(records[0].lesion_id.as_deref(), Some("HAM_1"));
        assert_eq!((records[0].age, records[0].sex), (Some(40.0), Sex::Male));
    }

    #[test]
    fn the_tab_separated_table_of_dataverse_with_quotes_is_read() {
        let text = "lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization\tdataset\n\
                    \"HAM_1\"\t\"ISIC_1\"\t\"bkl\"\t\"consensus\"\t\t\"unknown\"\t\"unknown\"\t\"x\"\n";
        let (records, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((records[0].class, records[0].age), (2, None));
        assert_eq!(records[0].dx_type, DxType::Consensus);
    }

    #[test]
    fn bad_rows_are_counted_with_their_line() {
        let text = "lesion_id,image_id,dx,dx_type,age,sex,localization\n\
                    a,ISIC_1,nv,histo,40,male,back\n\
                    a,ISIC_1,nv,histo,40,male,back\n\
                    b,ISIC_2,xyz,histo,40,male,back\n\
                    c,ISIC_3\n\
                    d,ISIC_4,df,histo,old,male,back\n";
        let (records, problems) = read(text);
        let kinds: Vec<_> = problems.iter().map(|p| p.kind).collect();
        use ProblemKind::{BadRow, BadValue, DuplicateId, UnknownClass};
        assert_eq!(kinds, [DuplicateId, UnknownClass, BadRow, BadValue]);
        assert!(problems[1].place.contains("line 4") && problems[1].place.contains("xyz"));
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn a_one_hot_row_must_name_one_class() {
        let text = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nI1,0,1.0,0,0,0,0,0\nI2,1,1,0,0,0,0,0\n";
        let mut problems = Vec::new();
        let records = Table::read(text.as_bytes()).unwrap().isic_records("t", &mut problems);
        assert_eq!((records.len(), records[0].class), (1, 5));
        assert_eq!(problems[0].kind, ProblemKind::UnknownClass);
    }
}
