//! Labels the images of a source with one folder per class.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::name;

use crate::error::DataError;
use crate::source::description::{HAM10000, ham_class, ham_codes};
use crate::source::kind::Kind;
use crate::source::labelled::LabelledEntries;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::Record;
use crate::source::tree::Tree;

/// Labels the images at `…/CLASS/IMAGE`. If all folders have codes (`nv`) or full names of HAM10000's classes, the
/// classes are HAM10000's seven; otherwise the names of the folders are the classes, in alphabetical order.
///
/// # Errors
/// [`DataError::Unrecognised`] if there is no image, an image is in no folder, or the folder looks like an archive
/// of images whose table is missing. [`DataError::Bad`] if a folder's name cannot be the name of a class.
pub(crate) fn read(tree: &Tree) -> Result<LabelledEntries, DataError> {
    let images: Vec<usize> =
        (0..tree.entries.len()).filter(|&i| tree.is_image(&tree.entries[i])).collect();
    let folders: BTreeSet<&str> = images.iter().filter_map(|&i| tree.entries[i].folder()).collect();
    refuse_missing_table(tree, &images, &folders)?;
    let known: BTreeMap<&str, usize> =
        folders.iter().filter_map(|f| Some((*f, class_of(f)?))).collect();
    let (classes, label): (Vec<String>, BTreeMap<&str, usize>) = if known.len() == folders.len() {
        (ham_codes(), known)
    } else {
        let names = own_classes(tree, &folders)?;
        (names, folders.iter().enumerate().map(|(i, f)| (*f, i)).collect())
    };
    let stems: BTreeSet<&str> = images.iter().map(|&i| tree.entries[i].stem()).collect();
    let unique = stems.len() == images.len();
    let mut problems = Vec::new();
    for (i, entry) in tree.entries.iter().enumerate() {
        let beside_images = entry.folder().is_some_and(|folder| folders.contains(folder));
        if beside_images && entry.is_content() && images.binary_search(&i).is_err() {
            problems.push(Problem::new(ProblemKind::NotAnImage, &entry.path));
        }
    }
    let records = images
        .iter()
        .map(|&i| {
            let entry = &tree.entries[i];
            let id = if unique { entry.stem().to_owned() } else { entry.path.replace('/', "_") };
            (Record::bare(id, label[entry.folder().unwrap_or_default()]), i)
        })
        .collect();
    Ok(LabelledEntries { kind: Kind::ClassFolders, classes, records, problems })
}

/// Refuses a tree without images, and one whose images look as if they should have a table.
fn refuse_missing_table(
    tree: &Tree,
    images: &[usize],
    folders: &BTreeSet<&str>,
) -> Result<(), DataError> {
    let unrecognised = |what: String| DataError::Unrecognised {
        path: tree.root.clone(),
        what,
        next:
            "Put HAM10000_metadata.csv beside the images (scripts/fetch-ham10000 downloads both), \
               or sort the images into one folder per class."
                .into(),
    };
    if images.is_empty() {
        let files = tree.entries.len();
        return Err(unrecognised(format!(
            "found no metadata table and no image among its {files} files"
        )));
    }
    let loose = images.iter().any(|&i| tree.entries[i].folder().is_none());
    let parts = folders.iter().any(|f| f.to_lowercase().contains("images_part"));
    // A single folder of images with ISIC's names is an archive whose table is missing.
    let isic = |&i: &usize| tree.entries[i].stem().starts_with("ISIC_");
    let lost = folders.len() == 1
        && images.iter().all(isic)
        && folders.iter().all(|folder| class_of(folder).is_none());
    if loose || parts || lost {
        return Err(unrecognised(format!(
            "found {} images, but no table with the columns image_id and dx",
            images.len()
        )));
    }
    Ok(())
}

/// The names of the folders as classes.
///
/// # Errors
/// [`DataError::Bad`] if a name is not plain, or two names differ only in case.
fn own_classes(tree: &Tree, folders: &BTreeSet<&str>) -> Result<Vec<String>, DataError> {
    let bad = |what: String| DataError::Bad { path: tree.root.display().to_string(), what };
    if let Some(folder) = folders.iter().find(|folder| !name::is_plain(folder)) {
        return Err(bad(format!(
            "folder {folder:?} cannot be a class: expected {}; rename it",
            name::RULE
        )));
    }
    let names: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    match name::twice(&names) {
        None => Ok(names),
        Some(name) => Err(bad(format!(
            "two folders are called {name} and differ only in case: move their images into one folder, or \
             rename one of them"
        ))),
    }
}

/// The label (0 to 6) of a folder named after a class of HAM10000: its code, or at least the first 8 letters and
/// digits of its full name, in any case and with any separators.
pub(crate) fn class_of(folder: &str) -> Option<usize> {
    let plain = |s: &str| -> String {
        s.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
    };
    ham_class(folder).or_else(|| {
        HAM10000.classes.iter().position(|c| {
            let (folder, name) = (plain(folder), plain(&c.name));
            folder.len() >= 8 && name.starts_with(&folder)
        })
    })
}
