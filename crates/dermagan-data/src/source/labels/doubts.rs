//! What in a table may be wrong though it is read: columns, rows and folders that contradict each other.

use std::collections::BTreeSet;

use crate::source::description::ham_codes;
use crate::source::entry::Entry;
use crate::source::labels::ledger::Ledger;
use crate::source::labels::names::known_class;
use crate::source::labels::survey::{Sheet, Survey};
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::Record;
use crate::source::tables::columns::ClassColumns;
use crate::source::tables::table::Table;
use crate::source::tables::vocabulary::{Classes, Diagnosis, diagnosis};

/// Says which of several columns of one meaning or of one name was used.
pub(super) fn unused_columns(sheet: &Sheet<'_>) -> String {
    let header = &sheet.table.header;
    let place = |column: usize| format!("column {} ('{}')", column + 1, header[column]);
    let mut words = String::new();
    let columns = &sheet.columns;
    let class = match columns.class {
        Some(ClassColumns::Value { column, archive: None }) => Some(column),
        _ => None,
    };
    if let Some(class) = class
        && !columns.rivals.is_empty()
    {
        let rivals: Vec<String> = columns.rivals.iter().map(|column| place(*column)).collect();
        words += &format!("; its classes are those of {}, not {}", place(class), rivals.join(", "));
    }
    let others = [columns.lesion, columns.dx_type, columns.age, columns.sex, columns.site];
    for used in others.into_iter().flatten().chain([columns.image]) {
        let same =
            |column: &usize| *column != used && header[*column].eq_ignore_ascii_case(&header[used]);
        if let Some(unused) = (0..header.len()).find(same) {
            words += &format!("; {} was used, not {}", place(used), place(unused));
        }
    }
    words
}

/// Warns of every row in which two columns of diagnoses disagree.
pub(super) fn of_columns(sheet: &Sheet<'_>, ledger: &mut Ledger) {
    let Some(ClassColumns::Value { column: used, archive: None }) = sheet.columns.class else {
        return;
    };
    let header = &sheet.table.header;
    for (line, cells) in &sheet.table.rows {
        let cell = |column: usize| Table::cell(cells, column).trim();
        let disagrees = |rival: &&usize| match (diagnosis(cell(used)), diagnosis(cell(**rival))) {
            (Diagnosis::None, _) | (_, Diagnosis::None) => false,
            (Diagnosis::Ham(a), Diagnosis::Ham(b)) => a != b,
            // Words that are no known diagnoses are compared only in columns of one name.
            _ => {
                header[used].eq_ignore_ascii_case(&header[**rival])
                    && !cell(used).eq_ignore_ascii_case(cell(**rival))
            }
        };
        if let Some(&rival) = sheet.columns.rivals.iter().find(disagrees) {
            let place = format!(
                "{} line {line}: {} '{}', {} '{}'",
                sheet.entry.path,
                header[used],
                cell(used),
                header[rival],
                cell(rival)
            );
            ledger.say(Problem::new(ProblemKind::DisagreeingColumns, place));
        }
    }
}

/// Warns of every image whose class differs from that of the folder that it is in, if its folders have two classes or
/// more. A single folder, such as `melanoma-project`, says nothing about its images.
pub(super) fn of_folders(
    survey: &Survey<'_>,
    classes: &Classes,
    records: &[(Record, usize)],
    ledger: &mut Ledger,
) {
    let codes = ham_codes();
    let of_folder = |folder: &str| {
        let own = classes.names.iter().find(|name| name.eq_ignore_ascii_case(folder.trim()));
        own.cloned().or_else(|| known_class(folder).map(|class| codes[class].clone()))
    };
    let found: Vec<(&Record, &Entry, &str, String)> = records
        .iter()
        .filter_map(|(record, image)| {
            let entry = &survey.tree.entries[*image];
            let mut folders = entry.path.rsplit('/').skip(1);
            let (folder, class) = folders.find_map(|folder| Some((folder, of_folder(folder)?)))?;
            Some((record, entry, folder, class))
        })
        .collect();
    let different: BTreeSet<&str> = found.iter().map(|(.., class)| class.as_str()).collect();
    if different.len() < 2 {
        return;
    }
    for (record, entry, folder, class) in &found {
        let own = &classes.names[record.class];
        // A class of the table's own, such as `scc`, is not compared with the seven.
        if own != class && (classes.names.contains(class) || codes.contains(own)) {
            let place = format!("{} ({own} by its table, not {folder})", entry.path);
            ledger.say(Problem::new(ProblemKind::DisagreeingFolder, place));
        }
    }
}

/// Says that a row has more cells than the table has columns: a delimiter in a cell without quotes moves those after it.
pub(super) fn of_length(sheet: &Sheet<'_>, cells: &[String], place: &str, ledger: &mut Ledger) {
    let (found, expected) = (cells.len(), sheet.table.header.len());
    let more = cells.get(expected..).unwrap_or_default();
    if more.iter().any(|cell| !cell.is_empty()) {
        let what = format!("{place}: found {found} cells, expected {expected}");
        ledger.say(Problem::new(ProblemKind::ExtraCells, what));
    }
}

/// The image that may have the name of a missing one in the other Unicode form, in words; nothing if there is none.
pub(super) fn of_form(survey: &Survey<'_>, id: &str) -> String {
    survey.other_form(id).map_or(String::new(), |path| {
        format!(" ({path} may have this name in the other Unicode form, with separate accents: rename it)")
    })
}
