//! The classes of generated images, from the table beside them.

use std::collections::BTreeMap;

use crate::source::class_folders::class_of;
use crate::source::description::ham_codes;
use crate::source::tables::table::Table;
use crate::source::tree::Tree;

/// Name of the table with the classes.
const TABLE: &str = "metadata.csv";

/// Largest number of rows of that table.
const MAX_ROWS: usize = 10_000_000;

/// The classes of images by image id or file name.
#[derive(Debug, Default)]
pub(super) struct Labels {
    pub by_image: BTreeMap<String, String>,
    /// Why the table was not used, if there is one and it was not.
    pub note: Option<String>,
}

/// The classes of images by image id or file name, from the table at the top of the tree; none if there is no table. A
/// table that cannot be used is a note.
pub(super) fn labels_of(tree: &Tree) -> Labels {
    let Some(table) = tree.entries.iter().find(|entry| entry.path == TABLE) else {
        return Labels::default();
    };
    let read = tree.read(table).map_err(|problem| problem.kind.describe().to_owned());
    let read = read.and_then(|bytes| Table::read(&bytes, MAX_ROWS)?.class_labels());
    let place = format!("{}/{TABLE}", tree.root.display());
    match read {
        Ok(by_image) => match numbers(by_image.values().map(String::as_str)) {
            Some(what) => Labels { note: Some(format!("{place}: {what}")), ..Labels::default() },
            None => Labels { by_image, note: None },
        },
        Err(what) => Labels { note: Some(format!("{place}: {what}")), ..Labels::default() },
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
