//! Sources with one folder per class.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::name;

use crate::description::{HAM10000, ham_class, ham_codes};
use crate::error::DataError;
use crate::problem::{Problem, ProblemKind};
use crate::record::Record;
use crate::source::Kind;
use crate::tables::Found;
use crate::tree::Tree;

/// Reads `…/CLASS/IMAGE`. Folders named by HAM10000's codes (`nv`) or full names give HAM10000's
/// seven classes; any other names are the classes, in alphabetical order.
pub(crate) fn read(tree: &Tree) -> Result<Found, DataError> {
    let images: Vec<usize> =
        (0..tree.entries.len()).filter(|&i| tree.is_image(&tree.entries[i])).collect();
    let folders: BTreeSet<&str> = images.iter().filter_map(|&i| tree.entries[i].folder()).collect();
    let loose = images.iter().filter(|&&i| tree.entries[i].folder().is_none()).count();
    let unrecognised = |what: String| DataError::Unrecognised {
        path: tree.root.clone(),
        what,
        next:
            "Put HAM10000_metadata.csv beside the images (see scripts/fetch-ham10000), or sort the \
               images into one folder per class."
                .into(),
    };
    if images.is_empty() {
        return Err(unrecognised(format!(
            "no metadata table and no image among its {} files",
            tree.entries.len()
        )));
    }
    let parts = folders.iter().any(|f| f.to_lowercase().contains("images_part"));
    // One folder of images named as ISIC names them is an archive that has lost its table.
    let isic = |&i: &usize| tree.entries[i].stem().starts_with("ISIC_");
    let lost = folders.len() == 1
        && images.iter().all(isic)
        && folders.iter().all(|folder| class_of(folder).is_none());
    if loose > 0 || parts || lost {
        return Err(unrecognised(format!(
            "{} images, but no table with the columns image_id and dx",
            images.len()
        )));
    }
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
        if beside_images && Tree::counts(entry) && images.binary_search(&i).is_err() {
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
    Ok(Found { kind: Kind::ClassFolders, classes, records, problems })
}

/// Classes called as their folders are.
fn own_classes(tree: &Tree, folders: &BTreeSet<&str>) -> Result<Vec<String>, DataError> {
    let bad = |what: String| DataError::Bad { path: tree.root.display().to_string(), what };
    if let Some(folder) = folders.iter().find(|folder| !name::is_plain(folder)) {
        return Err(bad(format!(
            "a folder is called {folder:?}, which would be a class; rename it: expected {}",
            name::RULE
        )));
    }
    let names: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
    match name::twice(&names) {
        None => Ok(names),
        Some(name) => Err(bad(format!(
            "a second folder is called {name}, but for small and large letters: put their images into one, or \
             rename it"
        ))),
    }
}

/// A folder's label, by code or by full name, whatever its case and separators.
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
