//! Refusals: what was seen, what was expected, and what to do.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::DataError;
use crate::source::entry::Entry;
use crate::source::labels::names::is_structure;
use crate::source::labels::survey::Survey;

/// Number of folders that a refusal names.
const SHOWN: usize = 6;

/// Ends the guess of classes from folders if a table names the images and was not understood, or is of a format that is
/// not read.
///
/// # Errors
/// [`DataError::Unrecognised`] then, and if there is no image.
pub(super) fn not_understood(survey: &Survey<'_>) -> Result<(), DataError> {
    let unread = survey.unread.iter().find(|unread| unread.names_images);
    let pixels = survey.unread.iter().find(|unread| unread.pixels && survey.images.is_empty());
    if let Some(unread) = unread.or(pixels) {
        let next = match unread.pixels || !folders_may_be_classes(survey) {
            true => unread.next.clone(),
            false => format!(
                "{}. Or add `classes_from_folders` to ignore the table and take the folders' names for the classes.",
                unread.next.trim_end_matches('.')
            ),
        };
        return Err(DataError::Unrecognised {
            path: survey.tree.root.clone(),
            what: unread.what.clone(),
            next,
        });
    }
    if survey.images.is_empty() {
        let files = survey.tree.entries.len();
        return Err(DataError::Unrecognised {
            path: survey.tree.root.clone(),
            what: format!("found no metadata table and no image among its {files} files"),
            next: advice(),
        });
    }
    Ok(())
}

/// What makes a source of images readable.
pub(super) fn advice() -> String {
    "Put a table with the columns image_id and dx beside the images (for HAM10000, HAM10000_metadata.csv; \
     scripts/fetch-ham10000 downloads both), or sort the images into one folder per class."
        .into()
}

/// Whether `classes_from_folders` would give classes: some image's folder has a name that is more than structure, or
/// the folders have several names.
pub(super) fn folders_may_be_classes(survey: &Survey<'_>) -> bool {
    let entries = survey.images.iter().map(|&image| &survey.tree.entries[image]);
    let names: BTreeSet<&str> = entries.filter_map(Entry::folder).collect();
    names.len() > 1 || names.iter().any(|name| !is_structure(name))
}

/// The files that should be tables and are none, to be added to a refusal; nothing if there is none.
pub(super) fn no_tables(survey: &Survey<'_>) -> String {
    survey
        .unread
        .iter()
        .filter(|unread| !unread.pixels)
        .map(|unread| format!("; {}", unread.what))
        .collect()
}

/// Folders with their number of images, the fullest first: `images/ (28), masks/ (28)`.
pub(super) fn folders(survey: &Survey<'_>, images: impl Iterator<Item = usize>) -> String {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for image in images {
        *count.entry(super::survey::folder_of(&survey.tree.entries[image])).or_default() += 1;
    }
    let mut folders: Vec<(&str, usize)> = count.into_iter().collect();
    folders.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let name =
        |folder: &str| if folder.is_empty() { "the top".to_owned() } else { folder.to_owned() };
    let mut shown: Vec<String> =
        folders.iter().take(SHOWN).map(|(folder, n)| format!("{} ({n})", name(folder))).collect();
    if folders.len() > SHOWN {
        shown.push(format!("and {} more", folders.len() - SHOWN));
    }
    shown.join(", ")
}
