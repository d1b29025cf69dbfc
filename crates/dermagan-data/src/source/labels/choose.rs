//! Which tables label the images. Each table that does not is named in the account.

use std::collections::BTreeSet;

use crate::error::DataError;
use crate::source::labels::ledger::Ledger;
use crate::source::labels::survey::{Named, Sheet, Survey, folder_of, is_synthetic_name};
use crate::source::problem::ProblemKind;
use crate::source::reading::Reading;
use crate::source::record::is_synthetic;
use crate::source::tables::columns::known_columns;

/// The tables that give classes, in the order in which their rows count: the first row of an image is its own.
///
/// Generated sets are left out unless the user keeps them. A table without a part that names the images of no other
/// table makes tables of other images superfluous: Dataverse puts the test set of ISIC 2018 beside HAM10000.
///
/// # Errors
/// [`DataError::Unrecognised`] if all tables describe generated images, or the wanted one gives no classes.
pub(super) fn labelling<'s, 'a>(
    survey: &'s Survey<'a>,
    wanted: Option<&str>,
    reading: Reading,
    ledger: &mut Ledger,
) -> Result<Vec<&'s Sheet<'a>>, DataError> {
    let mut chosen: Vec<&Sheet<'a>> = survey.sheets.iter().filter(|s| gives_classes(s)).collect();
    if let Some(wanted) = wanted {
        let (named, others): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|s| s.entry.path == wanted);
        others
            .iter()
            .for_each(|sheet| set_aside(survey, sheet, ledger, "not the table that was named"));
        if named.is_empty() {
            return Err(DataError::Unrecognised {
                path: survey.tree.root.join(wanted),
                what: "this table gives no diagnoses".into(),
                next: known_columns().to_owned(),
            });
        }
        return Ok(named);
    }
    if !reading.keep_synthetic {
        let (real, made): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|s| !is_made(s));
        if real.is_empty() && !made.is_empty() {
            return Err(all_synthetic(survey, &made));
        }
        for sheet in &made {
            let images = images_of(survey, sheet);
            images.iter().for_each(|&i| ledger.leave_out(survey.tree, i, ProblemKind::Synthetic));
            ledger.table(
                &sheet.entry.path,
                sheet.table.rows.len(),
                false,
                "describes images that a generator made",
            );
        }
        chosen = real;
    }
    // Tables of nothing here are superfluous if another table names images.
    let names_some = |sheet: &&Sheet<'a>| !images_of(survey, sheet).is_empty();
    if chosen.iter().any(names_some) {
        let (here, nowhere): (Vec<_>, Vec<_>) = chosen.into_iter().partition(names_some);
        for sheet in nowhere {
            ledger.table(
                &sheet.entry.path,
                sheet.table.rows.len(),
                false,
                "none of its images is here",
            );
        }
        chosen = here;
    }
    Ok(without_other_sets(survey, chosen, ledger))
}

/// Leaves out the parts of a split whose images are no images of a table that is whole, if there is one.
fn without_other_sets<'s, 'a>(
    survey: &Survey<'a>,
    chosen: Vec<&'s Sheet<'a>>,
    ledger: &mut Ledger,
) -> Vec<&'s Sheet<'a>> {
    let (mut whole, mut parts): (Vec<_>, Vec<_>) =
        chosen.into_iter().partition(|s| s.part.is_none());
    // The table with most rows first, so that the copy in another format is the one that repeats it.
    whole.sort_by_key(|sheet| std::cmp::Reverse(sheet.table.rows.len()));
    let all: BTreeSet<usize> = whole.iter().flat_map(|sheet| images_of(survey, sheet)).collect();
    if !all.is_empty() {
        parts.retain(|sheet| {
            let same = images_of(survey, sheet).iter().any(|image| all.contains(image));
            if !same {
                let what =
                    "describes other images than the main table; name this table to read them";
                set_aside(survey, sheet, ledger, what);
            }
            same
        });
    }
    whole.extend(parts);
    whole
}

/// Whether a table has a column of classes, and rows: StyleGAN's `dataset.json` of a set without labels has none.
fn gives_classes(sheet: &Sheet<'_>) -> bool {
    sheet.columns.class.is_some() && !(sheet.table.stylegan && sheet.table.rows.is_empty())
}

/// Counts a table as unused, and its images as those of another set.
fn set_aside(survey: &Survey<'_>, sheet: &Sheet<'_>, ledger: &mut Ledger, what: &str) {
    // The images of a table that is used stay used: a reason counts only for images that nothing else uses.
    for image in images_of(survey, sheet) {
        ledger.set_aside(survey.tree, image, ProblemKind::OtherSet);
    }
    ledger.table(&sheet.entry.path, sheet.table.rows.len(), false, what);
}

/// The images that the rows of a table name.
pub(super) fn images_of(survey: &Survey<'_>, sheet: &Sheet<'_>) -> BTreeSet<usize> {
    let folder = folder_of(sheet.entry);
    let cells = sheet.table.rows.iter().filter_map(|(_, cells)| cells.get(sheet.columns.image));
    let mut images = BTreeSet::new();
    for cell in cells {
        match survey.named(folder, cell) {
            Named::Path(image) => images.extend([image]),
            Named::Id(all) => images.extend(all),
            Named::Nothing => {}
        }
    }
    images
}

/// Whether a table says that a generator made its images: in its name, or in every row's confirmation type.
fn is_made(sheet: &Sheet<'_>) -> bool {
    let rows = &sheet.table.rows;
    let says = |column: usize| {
        !rows.is_empty()
            && rows.iter().all(|(_, cells)| cells.get(column).is_some_and(|c| is_synthetic(c)))
    };
    is_synthetic_name(sheet.entry) || sheet.columns.dx_type.is_some_and(says)
}

fn all_synthetic(survey: &Survey<'_>, made: &[&Sheet<'_>]) -> DataError {
    let images: BTreeSet<usize> = made.iter().flat_map(|sheet| images_of(survey, sheet)).collect();
    let table = made.first().map_or("", |sheet| sheet.entry.path.as_str());
    DataError::Unrecognised {
        path: survey.tree.root.clone(),
        what: format!(
            "by {table}, a generator made its {} images: they are no photographs",
            images.len()
        ),
        next: "Add `keep_synthetic` to use them nevertheless.".into(),
    }
}
