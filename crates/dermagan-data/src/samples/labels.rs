//! The classes of generated images, from the table beside them.

use std::collections::BTreeMap;

use crate::source::description::ham_codes;
use crate::source::entry::Entry;
use crate::source::labels::may_be_table;
use crate::source::tables::columns::{Columns, RowClass, known_columns, stem_of};
use crate::source::tables::table::{HEAD, Recognised, Table, recognise};
use crate::source::tables::vocabulary::{Diagnosis, diagnosis};
use crate::source::tree::Tree;

/// The usual name of the table with the classes. It is read before others.
const TABLE: &str = "metadata.csv";

/// Largest number of rows of a table.
const MAX_ROWS: usize = 10_000_000;

/// The classes of images, by their names without folder and extension.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub by_image: BTreeMap<String, String>,
    /// Why a table was not used, if there is one and it was not.
    pub note: Option<String>,
}

/// The classes of images from a table at the top of the tree, in any form that [`Table`] reads; none if there is no
/// table. A table that cannot be used is a note.
pub(super) fn labels_of(tree: &Tree) -> Labels {
    let at_top = |entry: &&Entry| !entry.path.contains('/') && may_be_table(&entry.extension());
    let mut tables: Vec<&Entry> = tree.entries.iter().filter(at_top).collect();
    tables.sort_by_key(|entry| entry.path != TABLE);
    let mut note = None;
    for entry in tables {
        let head = tree.read_some(entry, HEAD as u64).map(|(head, _)| head).unwrap_or_default();
        if !matches!(recognise(entry.name(), &head), Recognised::Table) {
            continue;
        }
        let bytes = tree.read(entry).map_err(|problem| problem.kind.describe().to_owned());
        let read = bytes.and_then(|bytes| classes(&Table::read(entry.name(), &bytes, MAX_ROWS)?));
        let numbered =
            |labels: &BTreeMap<String, String>| numbers(labels.values().map(String::as_str));
        match read.map(|labels| (numbered(&labels), labels)) {
            Ok((None, by_image)) => return Labels { by_image, note: None },
            Ok((Some(what), _)) | Err(what) => {
                note = note.or(Some(format!("{}/{}: {what}", tree.root.display(), entry.path)));
            }
        }
    }
    Labels { note, ..Labels::default() }
}

/// Class by image, from the columns of a table.
///
/// # Errors
/// If the table has no such columns, or an image has two classes.
fn classes(table: &Table) -> Result<BTreeMap<String, String>, String> {
    let columns = Columns::of(table);
    let Some((columns, class)) = columns.as_ref().and_then(|c| Some((c, c.class.as_ref()?))) else {
        let found = table.header.join(", ");
        return Err(format!("found the columns {found}. {}", known_columns()));
    };
    let mut labels = BTreeMap::new();
    for (line, cells) in &table.rows {
        let RowClass::Value(value) = class.of_row(cells) else { continue };
        let id = stem_of(Table::cell(cells, columns.image));
        if id.is_empty() {
            return Err(format!("line {line}: no image"));
        }
        if let Some(before) = labels.insert(id.clone(), value.clone().into_owned())
            && before != value
        {
            return Err(format!(
                "line {line}: image {id:?} is of class {value:?}, and of class {before:?} in an earlier line"
            ));
        }
    }
    Ok(labels)
}

/// The label of a word for a class of HAM10000.
pub(super) fn class_of(word: &str) -> Option<usize> {
    match diagnosis(word) {
        Diagnosis::Ham(class) => Some(class),
        _ => None,
    }
}

/// The note that labels are numbers, if all of them are. Programs number classes in different orders, so a number names
/// no class.
pub(super) fn numbers<'a>(labels: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut distinct: Vec<f64> = Vec::new();
    for label in labels.map(str::trim).filter(|label| !label.is_empty()) {
        let number: f64 = label.parse().ok()?;
        if !distinct.contains(&number) {
            distinct.push(number);
        }
        // Ids would be a long list.
        if distinct.len() > 1000 {
            break;
        }
    }
    let (low, high) =
        (distinct.iter().copied().reduce(f64::min)?, distinct.iter().copied().reduce(f64::max)?);
    Some(format!(
        "found numbers from {low} to {high} as classes, which programs order differently; expected codes such as nv, or \
         names of diagnoses"
    ))
}

/// A class code in HAM10000's spelling if it is one of HAM10000's classes; `None` if the class is not known, or is only
/// a number.
pub(super) fn known(class: &str) -> Option<String> {
    let class = class.trim();
    if class.is_empty()
        || class.eq_ignore_ascii_case("unknown")
        || class.bytes().all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let code = class_of(class).and_then(|i| ham_codes().get(i).cloned());
    Some(code.unwrap_or_else(|| class.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_and_name_no_class() {
        let said = numbers(["0", "6", "3.0", ""].into_iter()).unwrap();
        assert!(said.contains("from 0 to 6"), "{said}");
        assert_eq!(numbers(["0", "nv"].into_iter()), None);
        assert_eq!(numbers(std::iter::empty()), None);
        assert_eq!((known("4"), known("000001")), (None, None));
        assert_eq!(known("Melanoma").as_deref(), Some("mel"));
        assert_eq!(known("unknown"), None);
    }
}
