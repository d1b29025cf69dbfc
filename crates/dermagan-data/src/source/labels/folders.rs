//! Classes from the names of folders, when no table names the images.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::name::{self, UNLABELLED};

use crate::error::DataError;
use crate::source::description::ham_codes;
use crate::source::kind::Kind;
use crate::source::labelled::LabelledEntries;
use crate::source::labels::files::{Files, are_masks};
use crate::source::labels::from_tables::{self, isic_id, part_of_path};
use crate::source::labels::ledger::Ledger;
use crate::source::labels::names::{
    is_derived, is_mask_folder, is_structure, known_class, masked, words,
};
use crate::source::labels::refuse;
use crate::source::labels::survey::Survey;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::Record;
use crate::source::tables::vocabulary::{Diagnosis, diagnosis};

/// Labels the images of a tree without a table: by the innermost folder whose name does not describe structure. Images
/// in one folder without such a name have no labels.
///
/// # Errors
/// [`DataError::Unrecognised`], with what was seen, if the folders cannot be classes.
pub(super) fn read(survey: &Survey<'_>, mut ledger: Ledger) -> Result<LabelledEntries, DataError> {
    let tree = survey.tree;
    let photographs = without_masks(survey, &mut ledger);
    let photographs = without_copies(survey, photographs, &mut ledger);
    if photographs.is_empty() {
        let seen = refuse::folders(survey, survey.images.iter().copied());
        return Err(refused(
            survey,
            format!("all its {} images are masks, by their names: {seen}", survey.images.len()),
        ));
    }
    let mut of_class: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut loose: Vec<usize> = Vec::new();
    for &image in &photographs {
        match class_folder(&tree.entries[image].path) {
            Some(folder) => of_class.entry(folder).or_default().push(image),
            None => loose.push(image),
        }
    }
    if of_class.is_empty() {
        return unlabelled(survey, &photographs, ledger);
    }
    if 2 * loose.len() >= photographs.len() {
        let seen = refuse::folders(survey, photographs.iter().copied());
        let what = format!(
            "{} of its {} images are in no folder of a class: {seen}",
            loose.len(),
            photographs.len()
        );
        return Err(refused(survey, what));
    }
    loose.iter().for_each(|&image| ledger.leave_out(tree, image, ProblemKind::NoClassFolder));
    plausible(survey, &of_class)?;
    let (classes, label) = classes(survey, &of_class.keys().copied().collect())?;
    let labelled =
        of_class.iter().flat_map(|(folder, images)| images.iter().map(|&i| (i, label[folder])));
    finish(survey, Kind::ClassFolders, classes, labelled.collect(), ledger)
}

/// Labels every image by the folder that holds it, whatever its name: the user insists.
///
/// # Errors
/// [`DataError::Unrecognised`] if an image is in no folder. [`DataError::Bad`] if a folder's name cannot be a class.
pub(super) fn insisted(
    survey: &Survey<'_>,
    mut ledger: Ledger,
) -> Result<LabelledEntries, DataError> {
    let tree = survey.tree;
    let mut of_class: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &image in &survey.images {
        match tree.entries[image].folder() {
            Some(folder) => of_class.entry(folder).or_default().push(image),
            None => ledger.leave_out(tree, image, ProblemKind::NoClassFolder),
        }
    }
    if of_class.is_empty() {
        refuse::not_understood(survey)?;
        return Err(refused(
            survey,
            "`classes_from_folders` was asked for, but no image is in a folder".into(),
        ));
    }
    let (classes, label) = classes(survey, &of_class.keys().copied().collect())?;
    let labelled =
        of_class.iter().flat_map(|(folder, images)| images.iter().map(|&i| (i, label[folder])));
    for sheet in &survey.sheets {
        let rows = sheet.table.rows.len();
        ledger.table(
            &sheet.entry.path,
            rows,
            false,
            "ignored, because the classes are the folders' names",
        );
    }
    finish(survey, Kind::ClassFolders, classes, labelled.collect(), ledger)
}

/// The images that are no masks by their names. Masks are companions in the account.
fn without_masks(survey: &Survey<'_>, ledger: &mut Ledger) -> Vec<usize> {
    let tree = survey.tree;
    let mut photographs = Vec::new();
    for &image in &survey.images {
        let entry = &tree.entries[image];
        let of_a_photograph =
            masked(entry.stem()).is_some_and(|base| survey.by_stem.contains_key(base));
        match of_a_photograph || entry.path.rsplit('/').skip(1).any(is_mask_folder) {
            true => ledger.leave_out(tree, image, ProblemKind::Mask),
            false => photographs.push(image),
        }
    }
    photographs
}

/// The innermost folder of a path that is named after a diagnosis, or else the innermost one whose name does not describe
/// structure.
fn class_folder(path: &str) -> Option<&str> {
    let mut folders = path.rsplit('/').skip(1);
    let known = folders.clone().find(|folder| known_class(folder).is_some());
    known.or_else(|| folders.find(|folder| !is_structure(folder)))
}

/// The images that are not in a folder of processed copies, if there are any; the copies are left out.
fn without_copies(survey: &Survey<'_>, images: Vec<usize>, ledger: &mut Ledger) -> Vec<usize> {
    let tree = survey.tree;
    let is_copy = |i: &usize| tree.entries[*i].path.rsplit('/').skip(1).any(is_derived);
    let (copies, photographs): (Vec<usize>, Vec<usize>) = images.into_iter().partition(is_copy);
    if photographs.is_empty() {
        return copies;
    }
    copies.iter().for_each(|&image| ledger.leave_out(tree, image, ProblemKind::Derived));
    photographs
}

/// Images without labels, if they are in one folder.
fn unlabelled(
    survey: &Survey<'_>,
    images: &[usize],
    ledger: Ledger,
) -> Result<LabelledEntries, DataError> {
    let tree = survey.tree;
    let folders: BTreeSet<&str> =
        images.iter().map(|&i| super::survey::folder_of(&tree.entries[i])).collect();
    let others = survey.images.len() - images.len();
    // StyleGAN's numbered folders are no classes, and its dataset.json says that there are none.
    let numbered = survey.sheets.iter().any(|sheet| sheet.table.stylegan)
        && folders.iter().all(|folder| folder.chars().all(|c| c.is_ascii_digit() || c == '/'));
    let isic = images.iter().all(|&i| isic_id(tree.entries[i].stem()).is_some());
    let flat = folders.len() == 1 && (folders.contains("") || !isic);
    // A table that nobody understands may be that of these images.
    let unread = survey.unread.iter().any(|unread| !unread.pixels);
    if others != 0 || unread || !flat && !numbered {
        let seen = refuse::folders(survey, survey.images.iter().copied());
        let masks = if others == 0 {
            String::new()
        } else {
            format!(", {others} of them masks by their names")
        };
        let what = format!(
            "found {} images{masks}, but no table with the columns image_id and dx, and the names of the folders are \
             no classes: {seen}{}",
            survey.images.len(),
            refuse::no_tables(survey)
        );
        return Err(DataError::Unrecognised {
            path: tree.root.clone(),
            what,
            next: format!(
                "{} To train without classes, give one folder of photographs itself.{}",
                refuse::advice(),
                insist(survey)
            ),
        });
    }
    if are_masks(tree, images) {
        return Err(refused(
            survey,
            format!("its {} images have two colours, as masks have", images.len()),
        ));
    }
    let labelled = images.iter().map(|&image| (image, 0)).collect();
    finish(survey, Kind::Unlabelled, vec![UNLABELLED.to_owned()], labelled, ledger)
}

/// Refuses classes that are not plausible.
fn plausible(survey: &Survey<'_>, of_class: &BTreeMap<&str, Vec<usize>>) -> Result<(), DataError> {
    let tree = survey.tree;
    let known = |folder: &str| known_class(folder).is_some();
    if let Some((folder, images)) = of_class.iter().find(|(_, images)| are_masks(tree, images)) {
        let what = format!(
            "the {} images in {folder} have two colours, as masks have: no class of lesions",
            images.len()
        );
        return Err(refused(survey, what));
    }
    let images: usize = of_class.values().map(Vec::len).sum();
    let subjects: BTreeSet<&str> = of_class
        .values()
        .flatten()
        .map(|&i| tree.entries[i].stem())
        .map(|stem| isic_id(stem).unwrap_or(stem))
        .collect();
    let most = subjects.len().min(images) / 2;
    if of_class.len() > 2 && of_class.len() > most && !of_class.keys().all(|folder| known(folder)) {
        let some: Vec<&str> = of_class.keys().take(3).copied().collect();
        let what = format!(
            "found {images} images in {} folders, such as {}: nearly as many folders as images, so they are no classes{}",
            of_class.len(),
            some.join(", "),
            match survey.images.len() - images {
                0 => String::new(),
                others => format!(" ({others} more images are masks or in no folder)"),
            }
        );
        return Err(refused(survey, what));
    }
    // A single folder of images with ISIC's names is an archive whose table is missing.
    let isic = of_class.values().flatten().all(|&i| isic_id(tree.entries[i].stem()).is_some());
    match of_class.keys().next() {
        Some(only) if of_class.len() == 1 && isic && !known(only) => {
            let what = format!(
                "found {images} images in the one folder {only}, but no table with the columns image_id and dx"
            );
            Err(refused(survey, what))
        }
        _ => Ok(()),
    }
}

/// The names of the classes, and the label of each folder. If all folders are named after classes of HAM10000, the
/// classes are its seven. Else a folder that alone has the name of a class of HAM10000 gets its code, and the others
/// keep their names: `seborrheic keratosis` and `pigmented benign keratosis` are not merged.
///
/// # Errors
/// [`DataError::Bad`] if a name is not plain, or two names differ only in case or blanks.
fn classes<'f>(
    survey: &Survey<'_>,
    folders: &BTreeSet<&'f str>,
) -> Result<(Vec<String>, BTreeMap<&'f str, usize>), DataError> {
    let bad = |what: String| DataError::bad(survey.tree.root.display().to_string(), what);
    let known: BTreeMap<&str, usize> =
        folders.iter().filter_map(|f| Some((*f, known_class(f)?))).collect();
    let codes = ham_codes();
    let alone = |class: usize| {
        let names = known.iter().filter(|(_, c)| **c == class).map(|(folder, _)| plain(folder));
        names.collect::<BTreeSet<_>>().len() == 1
    };
    if known.len() == folders.len() && known.values().all(|class| alone(*class)) {
        return Ok((codes, known));
    }
    let name = |folder: &&'f str| match known.get(folder) {
        Some(&class) if alone(class) => codes[class].clone(),
        _ => folder.trim().to_owned(),
    };
    let named: Vec<(&'f str, String)> =
        folders.iter().map(|folder| (*folder, name(folder))).collect();
    if let Some((folder, _)) = named.iter().find(|(_, name)| !name::is_plain(name)) {
        return Err(bad(format!(
            "folder {folder:?} cannot be a class: expected {}; rename it",
            name::RULE
        )));
    }
    let mut names: Vec<String> = named.iter().map(|(_, name)| name.clone()).collect();
    if let Some(name) = name::twice(&names) {
        return Err(bad(format!(
            "two folders are called {name} and differ only in case or blanks: move their images into one folder, or rename \
             one of them"
        )));
    }
    names.sort();
    let label = named
        .into_iter()
        .filter_map(|(folder, name)| Some((folder, names.iter().position(|n| *n == name)?)));
    let label = label.collect();
    Ok((names, label))
}

/// A folder's name in small letters and digits, without the words of structure that may stand beside a diagnosis.
fn plain(folder: &str) -> String {
    let whole = folder.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    match matches!(diagnosis(folder), Diagnosis::Ham(_)) {
        true => whole,
        false => {
            let words = words(folder);
            let is_diagnosis =
                |n: &usize| matches!(diagnosis(&words[..*n].join(" ")), Diagnosis::Ham(_));
            (1..=words.len()).find(is_diagnosis).map_or(whole, |n| words[..n].concat())
        }
    }
}

/// Completes the account and the records.
fn finish(
    survey: &Survey<'_>,
    kind: Kind,
    classes: Vec<String>,
    labelled: Vec<(usize, usize)>,
    mut ledger: Ledger,
) -> Result<LabelledEntries, DataError> {
    let tree = survey.tree;
    let stems: BTreeSet<&str> = labelled.iter().map(|(i, _)| tree.entries[*i].stem()).collect();
    let unique = stems.len() == labelled.len();
    let record = |&(image, class): &(usize, usize)| {
        let entry = &tree.entries[image];
        let id = if unique { entry.stem().to_owned() } else { entry.path.replace('/', "_") };
        let part = if kind == Kind::Unlabelled { None } else { part_of_path(entry) };
        (Record { part, ..Record::bare(id, class) }, image)
    };
    let mut records: Vec<(Record, usize)> = labelled.iter().map(record).collect();
    from_tables::complete_records(survey, &mut records, &mut ledger);
    let beside: BTreeSet<&str> =
        labelled.iter().map(|(i, _)| super::survey::folder_of(&tree.entries[*i])).collect();
    for (i, entry) in tree.entries.iter().enumerate() {
        let among = !super::survey::folder_of(entry).is_empty()
            && beside.contains(super::survey::folder_of(entry));
        if among
            && entry.is_content()
            && !entry.is_other_format()
            && survey.images.binary_search(&i).is_err()
        {
            ledger.say(Problem::new(ProblemKind::NotAnImage, &entry.path));
        }
    }
    for sheet in &survey.sheets {
        ledger.table_unless_known(
            &sheet.entry.path,
            sheet.table.rows.len(),
            "names no image of this source",
        );
    }
    for unread in &survey.unread {
        ledger.table_unless_known(&unread.entry.path, 0, &format!("not read: {}", unread.what));
    }
    Files::new(survey).account(&records, &mut ledger);
    let (problems, tables) = ledger.close();
    Ok(LabelledEntries { kind, classes, records, problems, tables })
}

fn refused(survey: &Survey<'_>, what: String) -> DataError {
    DataError::Unrecognised {
        path: survey.tree.root.clone(),
        what: what + &refuse::no_tables(survey),
        next: refuse::advice() + insist(survey),
    }
}

/// The advice to insist on the folders, where that would give classes.
fn insist(survey: &Survey<'_>) -> &'static str {
    match refuse::folders_may_be_classes(survey) {
        true => " To take the folders for classes nevertheless, add `classes_from_folders`.",
        false => "",
    }
}
