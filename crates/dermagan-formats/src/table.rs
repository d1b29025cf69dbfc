//! The rows of a `metadata.csv`.

use std::io::Write;

use crate::set::{Item, Kind, Set, Value};

/// The name of the table.
pub(crate) const TABLE: &str = "metadata.csv";
/// The columns of HAM10000's metadata. Every set has them, in any order.
pub const HAM10000: [&str; 7] =
    ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"];
/// The columns of a set: those of HAM10000 with their types, and then `others`.
pub fn columns(others: &[(&'static str, Kind)]) -> Vec<(&'static str, Kind)> {
    let kind = |name| if name == "age" { Kind::Number } else { Kind::Text };
    let ham10000 = HAM10000.into_iter().map(|name| (name, kind(name)));
    ham10000.chain(others.iter().copied()).collect()
}

/// Columns that HAM10000 leaves empty where nothing is known. It has `unknown` in the others.
const EMPTY: [&str; 2] = ["lesion_id", "age"];

/// The columns of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Those of HAM10000.
    Ham10000,
    /// `file_name`, the label if there are classes, and all columns of the set.
    Everything,
}

impl Columns {
    /// The header.
    pub(crate) fn header(self, set: &Set) -> Vec<&'static str> {
        match self {
            Self::Ham10000 => HAM10000.to_vec(),
            Self::Everything => {
                let label = (!set.classes.is_empty()).then_some("label");
                let columns = set.columns.iter().map(|(name, _)| *name);
                ["file_name"].into_iter().chain(label).chain(columns).collect()
            }
        }
    }

    /// The row of an image.
    pub(crate) fn row(self, set: &Set, item: &Item) -> Vec<String> {
        match self {
            Self::Ham10000 => {
                let cell = |name: &&str| {
                    let value = set.column(name).and_then(|column| item.values.get(column));
                    cell(name, value.unwrap_or(&Value::Missing))
                };
                HAM10000.iter().map(cell).collect()
            }
            Self::Everything => {
                let number = |class: usize| class.to_string();
                let label = || item.class.map_or_else(String::new, number);
                let label = (!set.classes.is_empty()).then(label);
                let cells = set.columns.iter().zip(&item.values);
                let cells = cells.map(|((name, _), value)| cell(name, value));
                let name = format!("{}.png", item.name);
                [name].into_iter().chain(label).chain(cells).collect()
            }
        }
    }
}

/// The text of a value in a column. A missing one is written as HAM10000 writes it.
fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => format!("{number:?}"),
        Value::Flag(flag) => flag.to_string(),
        Value::Missing if HAM10000.contains(&name) && !EMPTY.contains(&name) => {
            "unknown".to_owned()
        }
        Value::Missing => String::new(),
    }
}

/// A table that is being written.
pub(crate) struct TableWriter<W: Write> {
    rows: csv::Writer<W>,
    columns: Columns,
}

impl<W: Write> TableWriter<W> {
    /// Writes the header.
    pub(crate) fn new(to: W, columns: Columns, set: &Set) -> std::io::Result<Self> {
        let mut rows = csv::Writer::from_writer(to);
        rows.write_record(columns.header(set))?;
        Ok(Self { rows, columns })
    }

    /// Writes the row of an image.
    pub(crate) fn put(&mut self, set: &Set, item: &Item) -> std::io::Result<()> {
        Ok(self.rows.write_record(self.columns.row(set, item))?)
    }

    /// Gives back what the rows were written to.
    pub(crate) fn finish(self) -> std::io::Result<W> {
        self.rows.into_inner().map_err(csv::IntoInnerError::into_error)
    }
}
