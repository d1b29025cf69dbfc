//! The tables of HAM10000 and ISIC 2018: metadata, one-hot truth, and lesion groups. A table is recognised by its
//! header, whatever its file name.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::description::{ham_class, ham_codes};
use crate::source::entry::is_image_name;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::{DxType, Record, Sex, unknown};
use crate::source::tables::table::{Table, header_names};

/// Largest number of rows of a table; HAM10000's has 10,015.
const MAX_ROWS: usize = 1_000_000;

/// What a table was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// `image_id` and `dx`, with any of HAM10000's other columns.
    Ham,
    /// `image` and one column per class, with the values 0 and 1.
    IsicTruth,
    /// `image`, `lesion_id`, `diagnosis_confirm_type`.
    IsicLesions,
}

/// A recognised table.
pub(crate) struct MetadataTable {
    pub kind: TableKind,
    table: Table,
}

/// The kind of table in a file that begins with `bytes`; `None` if it is not a known table.
pub(crate) fn recognise(bytes: &[u8]) -> Option<TableKind> {
    let names = header_names(bytes)?;
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

impl MetadataTable {
    /// Reads all rows.
    ///
    /// # Errors
    /// If the header is not that of a known table, or the table has more rows or columns than any such table.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let kind = recognise(bytes).ok_or("its columns are not those of HAM10000 or ISIC 2018")?;
        Ok(Self { kind, table: Table::read("", bytes, MAX_ROWS)? })
    }

    /// The image ids in the table.
    pub fn ids(&self) -> BTreeSet<String> {
        let column =
            self.table.column("image_id").or_else(|| self.table.column("image")).unwrap_or(0);
        self.table
            .rows
            .iter()
            .filter_map(|(_, cells)| cells.get(column))
            .map(|c| image_id(c))
            .collect()
    }

    fn bad_row(&self, file: &str, line: u64, cells: usize) -> Problem {
        let expected = self.table.header.len();
        let what = format!("{file} line {line}: found {cells} cells, expected {expected}");
        Problem::new(ProblemKind::BadRow, what)
    }

    /// The records of a [`TableKind::Ham`] table. Rows without a usable id or class are left out; every row or
    /// value that is not usable is added to `problems` with `file` and its line.
    pub fn ham_records(&self, file: &str, problems: &mut Vec<Problem>) -> Vec<Record> {
        let column = |name| self.table.column(name);
        let (id, dx) = (column("image_id"), column("dx"));
        let (lesion, dx_type) = (column("lesion_id"), column("dx_type"));
        let (age, sex, site) = (column("age"), column("sex"), column("localization"));
        let mut records = Records::new(file);
        for (line, cells) in &self.table.rows {
            let cell = |c: Option<usize>| c.and_then(|c| cells.get(c)).map_or("", String::as_str);
            if cells.len() < self.table.header.len() || cell(id).is_empty() {
                problems.push(self.bad_row(file, *line, cells.len()));
                continue;
            }
            let Some(class) = ham_class(cell(dx)) else {
                let what = format!("{file} line {line}: {} has dx '{}'", cell(id), cell(dx));
                problems.push(Problem::new(ProblemKind::UnknownClass, what));
                continue;
            };
            let mut bad_value = |column: &str, value: &str| {
                let what = format!("{file} line {line}: {} has {column} '{value}'", cell(id));
                problems.push(Problem::new(ProblemKind::BadValue, what));
            };
            let record = Record {
                image_id: image_id(cell(id)),
                lesion_id: Some(cell(lesion)).filter(|l| !l.is_empty()).map(str::to_owned),
                class,
                dx_type: DxType::parse(cell(dx_type)).unwrap_or_else(|| {
                    bad_value("dx_type", cell(dx_type));
                    DxType::Unknown
                }),
                age: parse_age(cell(age)).unwrap_or_else(|()| {
                    bad_value("age", cell(age));
                    None
                }),
                sex: Sex::parse(cell(sex)).unwrap_or_else(|| {
                    bad_value("sex", cell(sex));
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

    /// The records of a [`TableKind::IsicTruth`] table, in which exactly one class of a row is at least 0.5.
    /// Other rows are left out and added to `problems` with `file` and their line.
    pub fn isic_records(&self, file: &str, problems: &mut Vec<Problem>) -> Vec<Record> {
        let columns: Vec<(usize, usize)> = ham_codes()
            .iter()
            .enumerate()
            .filter_map(|(class, code)| Some((class, self.table.column(code)?)))
            .collect();
        let id = self.table.column("image").unwrap_or(0);
        let mut records = Records::new(file);
        for (line, cells) in &self.table.rows {
            if cells.len() < self.table.header.len() || cells[id].is_empty() {
                problems.push(self.bad_row(file, *line, cells.len()));
                continue;
            }
            let hot: Vec<usize> = columns
                .iter()
                .filter(|(_, column)| cells[*column].parse::<f32>().is_ok_and(|v| v >= 0.5))
                .map(|(class, _)| *class)
                .collect();
            let [class] = hot[..] else {
                let what = format!(
                    "{file} line {line}: {} has {} classes, expected 1",
                    cells[id],
                    hot.len()
                );
                problems.push(Problem::new(ProblemKind::UnknownClass, what));
                continue;
            };
            records.push(*line, Record::bare(image_id(&cells[id]), class), problems);
        }
        records.done
    }

    /// Lesion and confirmation type by image id, of a [`TableKind::IsicLesions`] table.
    pub fn lesions(&self) -> BTreeMap<String, (String, DxType)> {
        let id = self.table.column("image").unwrap_or(0);
        let lesion = self.table.column("lesion_id").unwrap_or(0);
        let confirmed = self.table.column("diagnosis_confirm_type");
        self.table
            .rows
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

/// The image id in a cell. Some tables keep the file's extension, which is removed.
fn image_id(cell: &str) -> String {
    match cell.rsplit_once('.') {
        Some((stem, _)) if is_image_name(cell) => stem.to_owned(),
        _ => cell.to_owned(),
    }
}

/// The age in years, `None` if the cell gives none.
///
/// # Errors
/// If the cell is not a number from 0 to 130.
fn parse_age(cell: &str) -> Result<Option<f32>, ()> {
    match cell.to_ascii_lowercase().as_str() {
        "" | "unknown" | "nan" | "na" => Ok(None),
        text => match text.parse::<f32>() {
            Ok(age) if (0.0..=130.0).contains(&age) => Ok(Some(age)),
            _ => Err(()),
        },
    }
}

/// The records of a table while it is read; each id occurs once.
struct Records<'a> {
    file: &'a str,
    /// The line of each id.
    seen: BTreeMap<String, u64>,
    done: Vec<Record>,
}

impl<'a> Records<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, seen: BTreeMap::new(), done: Vec::new() }
    }

    /// Adds a record, or a problem if its id came before.
    fn push(&mut self, line: u64, record: Record, problems: &mut Vec<Problem>) {
        if let Some(first) = self.seen.get(&record.image_id) {
            let what =
                format!("{} line {line}: {} (first in line {first})", self.file, record.image_id);
            problems.push(Problem::new(ProblemKind::EqualRows, what));
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
        let records =
            MetadataTable::read(text.as_bytes()).unwrap().ham_records("t.csv", &mut problems);
        (records, problems)
    }

    #[test]
    fn columns_may_be_in_any_order_after_a_byte_order_mark_and_with_windows_line_ends() {
        let text = "\u{feff}dx,image_id,age,sex,lesion_id,localization,dx_type\r\n\
                    nv,ISIC_1,40.0,male,HAM_1,back,histo\r\n";
        let (records, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(records[0].image_id, "ISIC_1");
        assert_eq!(records[0].lesion_id.as_deref(), Some("HAM_1"));
        assert_eq!((records[0].age, records[0].sex), (Some(40.0), Sex::Male));
    }

    #[test]
    fn the_quoted_tab_separated_table_of_dataverse_is_read() {
        let text = "lesion_id\timage_id\tdx\tdx_type\tage\tsex\tlocalization\tdataset\n\
                    \"HAM_1\"\t\"ISIC_1\"\t\"bkl\"\t\"consensus\"\t\t\"unknown\"\t\"unknown\"\t\"x\"\n";
        let (records, problems) = read(text);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!((records[0].class, records[0].age), (2, None));
        assert_eq!(records[0].dx_type, DxType::Consensus);
    }

    #[test]
    fn bad_rows_are_reported_with_their_line() {
        let text = "lesion_id,image_id,dx,dx_type,age,sex,localization\n\
                    a,ISIC_1,nv,histo,40,male,back\n\
                    a,ISIC_1,nv,histo,40,male,back\n\
                    b,ISIC_2,xyz,histo,40,male,back\n\
                    c,ISIC_3\n\
                    d,ISIC_4,df,histo,old,male,back\n";
        let (records, problems) = read(text);
        let kinds: Vec<_> = problems.iter().map(|p| p.kind).collect();
        use ProblemKind::{BadRow, BadValue, EqualRows, UnknownClass};
        assert_eq!(kinds, [EqualRows, UnknownClass, BadRow, BadValue]);
        assert!(problems[1].place.contains("line 4") && problems[1].place.contains("xyz"));
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn a_one_hot_row_must_name_one_class() {
        let text = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\nI1,0,1.0,0,0,0,0,0\nI2,1,1,0,0,0,0,0\n";
        let mut problems = Vec::new();
        let records =
            MetadataTable::read(text.as_bytes()).unwrap().isic_records("t", &mut problems);
        assert_eq!((records.len(), records[0].class), (1, 5));
        assert_eq!(problems[0].kind, ProblemKind::UnknownClass);
    }
}
