//! Gives each image of a tree its record: from the tables beside the images, else from the names of their folders.
//!
//! [`label`] decides only after [`survey`] has looked at the whole tree. [`choose`] says which tables count, [`merge`]
//! joins their rows, [`doubts`] says what in them is contradictory, [`files`] finds the image of each row, [`folders`]
//! takes classes from folders, and [`ledger`] keeps the account.

mod choose;
mod doubts;
mod files;
mod folders;
mod from_tables;
mod ledger;
mod merge;
mod names;
mod refuse;
mod survey;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::source::description::ham_codes;
use crate::source::entry::{Entry, is_data_name, is_unread_image_name};
use crate::source::kind::Kind;
use crate::source::labelled::LabelledEntries;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::reading::Reading;
use crate::source::tables::table::{Recognised, recognise};
use crate::source::tree::Tree;
pub use dermagan_base::name::UNLABELLED;
pub(crate) use from_tables::isic_id;
use ledger::Ledger;
pub(crate) use names::is_structure;
use survey::Survey;
pub(crate) use survey::may_be_table;

/// Labels the images of a tree by its tables, or only by the table at path `wanted`; without a table, by the folders.
///
/// # Errors
/// [`DataError::Unrecognised`] if there is no image, a table names the images and was not understood, or the names of
/// the folders cannot be classes. [`DataError::Bad`] if a table is damaged or too large, or two tables contradict each
/// other.
pub(crate) fn label(
    tree: &Tree,
    wanted: Option<&str>,
    reading: Reading,
) -> Result<LabelledEntries, DataError> {
    let survey = Survey::of(tree)?;
    let mut ledger = Ledger::default();
    survey.problems.iter().cloned().for_each(|problem| ledger.say(problem));
    unread_archives(tree)
        .for_each(|path| ledger.say(Problem::new(ProblemKind::UnreadArchive, path)));
    if reading.classes_from_folders {
        let mut labelled = folders::insisted(&survey, ledger)?;
        labelled.problems.extend(unread_files(tree, &survey, &labelled.problems));
        return Ok(labelled);
    }
    let chosen = choose::labelling(&survey, wanted, reading, &mut ledger)?;
    let mut labelled = if chosen.is_empty() {
        refuse::not_understood(&survey)?;
        folders::read(&survey, ledger)?
    } else {
        from_tables::read(&survey, &chosen, reading, ledger)?
    };
    labelled.problems.extend(unread_files(tree, &survey, &labelled.problems));
    let codes = ham_codes();
    let strange = !labelled.classes.iter().any(|class| codes.contains(class));
    if strange && matches!(labelled.kind, Kind::ClassFolders | Kind::Table) {
        let place = survey::listed(&labelled.classes);
        labelled.problems.push(Problem::new(ProblemKind::OwnClasses, place));
    }
    Ok(labelled)
}

/// The files of data and the images that are not read because of their format, unless the account has them.
fn unread_files(tree: &Tree, survey: &Survey<'_>, known: &[Problem]) -> Vec<Problem> {
    let known: BTreeSet<&str> = known
        .iter()
        .filter(|problem| problem.kind == ProblemKind::NotAnImage)
        .map(|problem| problem.place.as_str())
        .collect();
    let kind = |entry: &Entry| match entry.name() {
        name if is_unread_image_name(name) => Some(ProblemKind::UnreadImage),
        name if is_data_name(name) => Some(ProblemKind::DataFile),
        _ => None,
    };
    let is_image = |i: &usize| survey.images.binary_search(i).is_ok();
    (0..tree.entries.len())
        .filter(|i| !is_image(i) && !known.contains(tree.entries[*i].path.as_str()))
        .filter_map(|i| {
            let entry = &tree.entries[i];
            Some(Problem::new(kind(entry)?, &entry.path))
        })
        .collect()
}

/// The archives that were not opened: of other formats than zip, and zips too deep inside others.
fn unread_archives(tree: &Tree) -> impl Iterator<Item = &str> {
    let is_open = |path: &str| {
        let inside = format!("{path}/");
        tree.entries.iter().any(|entry| entry.path.starts_with(&inside))
            || tree.problems.iter().any(|problem| problem.place.starts_with(path))
    };
    let is_unread = move |entry: &&Entry| match entry.extension().as_str() {
        "tar" | "tgz" | "rar" | "7z" => true,
        "gz" | "bz2" | "xz" => entry.path.contains(".tar."),
        "zip" => !is_open(&entry.path),
        _ => false,
    };
    tree.entries.iter().filter(is_unread).map(|entry| entry.path.as_str())
}

/// The folder of a table and the table's name in it; `None` if `path` is no table.
///
/// # Errors
/// [`DataError::Unrecognised`] if it is a table in a format that is not read. [`DataError::Io`] if the file cannot be
/// read.
pub(crate) fn folder_of_table(path: &Path) -> Result<Option<(PathBuf, String)>, DataError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if !may_be_table(&extension) {
        return Ok(None);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, survey::HEAD_BYTES), &mut head)
        .map_err(DataError::io(path))?;
    let kind = recognise(&name, &head);
    if let Some((what, next)) = survey::not_read(&kind) {
        return Err(DataError::Unrecognised {
            path: path.to_owned(),
            what: format!("this is {what}"),
            next,
        });
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(matches!(kind, Recognised::Table).then(|| (parent.to_owned(), name)))
}
