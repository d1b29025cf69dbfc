//! Labels images by the tables that were chosen.

use std::collections::BTreeMap;

use crate::error::DataError;
use crate::source::description::ham_codes;
use crate::source::entry::Entry;
use crate::source::kind::Kind;
use crate::source::labelled::LabelledEntries;
use crate::source::labels::doubts;
use crate::source::labels::files::Files;
use crate::source::labels::ledger::Ledger;
use crate::source::labels::merge::{self, Merged, Row, Subject};
use crate::source::labels::names::is_structure;
use crate::source::labels::refuse;
use crate::source::labels::survey::{Named, Sheet, Survey, folder_of, listed};
use crate::source::problem::{Problem, ProblemKind};
use crate::source::reading::Reading;
use crate::source::record::{DxType, Record, Sex, is_synthetic, is_unknown, parse_age, unknown};
use crate::source::tables::columns::{ClassColumns, RowClass, stem_of};
use crate::source::tables::vocabulary::{
    Classes, Diagnosis, classes_of, diagnosis, medmnist_classes, numbered, part_of,
};

/// Labels the images of a tree by the `chosen` tables, and completes the records from tables without classes.
///
/// # Errors
/// [`DataError::Unrecognised`] if the classes are not understood. [`DataError::Bad`] if two different images have the
/// id of one row.
pub(super) fn read(
    survey: &Survey<'_>,
    chosen: &[&Sheet<'_>],
    reading: Reading,
    mut ledger: Ledger,
) -> Result<LabelledEntries, DataError> {
    let classes = classes(survey, chosen)?;
    let mut files = Files::new(survey);
    let mut merged = Merged::default();
    for (number, sheet) in chosen.iter().enumerate() {
        read_sheet(survey, sheet, number, &classes, reading, &mut files, &mut merged, &mut ledger)?;
    }
    for sheet in survey.sheets.iter().filter(|sheet| sheet.columns.class.is_none()) {
        complete_from(survey, sheet, &mut files, &mut merged, &mut ledger)?;
    }
    say_tables(survey, chosen, &merged, &classes, &mut ledger);
    for (subject, places) in merged.contradictions() {
        if let Subject::Image(image) = subject {
            ledger.leave_out_with(survey.tree, *image, ProblemKind::ContradictingRows, places);
        }
    }
    let mut records = Vec::new();
    for Row { subject, mut record, place, .. } in merged.rows() {
        match subject {
            Subject::Missing(id) => {
                let words = format!("{place}: {id}{}", doubts::of_form(survey, &id));
                ledger.say(Problem::new(ProblemKind::MissingImage, words));
            }
            Subject::Image(image) => {
                let entry = &survey.tree.entries[image];
                record.part = record.part.or_else(|| part_of_path(entry));
                // The name of the file, where a table spells it differently.
                record.image_id = entry.stem().to_owned();
                records.push((record, image));
            }
        }
    }
    unique_ids(survey, &mut records);
    doubts::of_folders(survey, &classes, &records, &mut ledger);
    let kind = kind_of(chosen, &classes, &records);
    files.account(&records, &mut ledger);
    let (problems, tables) = ledger.close();
    Ok(LabelledEntries { kind, classes: classes.names, records, problems, tables })
}

/// The classes of all rows.
fn classes(survey: &Survey<'_>, chosen: &[&Sheet<'_>]) -> Result<Classes, DataError> {
    let mut values: BTreeMap<String, usize> = BTreeMap::new();
    for sheet in chosen {
        for (_, cells) in &sheet.table.rows {
            if let RowClass::Value(word) = word(sheet, cells) {
                *values.entry(word.into_owned()).or_default() += 1;
            }
        }
    }
    // A one-hot table's classes are its columns, also those without an image.
    let numbers = chosen.iter().all(|sheet| sheet.table.stylegan);
    let classes = match () {
        () if chosen.iter().all(|sheet| is_dermamnist(sheet)) => Ok(medmnist_classes()),
        () if numbers => numbered(&values),
        () => classes_of(&values),
    };
    let structural = |classes: &Classes| {
        !classes.is_ham && !numbers && classes.names.iter().all(|name| is_structure(name))
    };
    let classes = classes.and_then(|classes| match structural(&classes) {
        false => Ok(classes),
        true => Err(format!(
            "found the values {}, which are no diagnoses; expected the codes {} or names of diagnoses",
            listed(&classes.names),
            ham_codes().join(", ")
        )),
    });
    classes.map_err(|what| {
        let first = chosen.first().map_or("", |sheet| sheet.entry.path.as_str());
        let columns = chosen.first().map_or(String::new(), |sheet| listed(&sheet.table.header));
        DataError::Unrecognised {
            path: survey.tree.root.join(first),
            what: format!("{what}. Its columns are {columns}"),
            next: match refuse::folders_may_be_classes(survey) {
                true => "Or add `classes_from_folders` to take the folders' names for the classes.",
                false => "Correct the values, or name the right column dx.",
            }
            .into(),
        }
    })
}

/// Whether a table is that of DermaMNIST's images: it has no names of columns, and the classes are numbers.
fn is_dermamnist(sheet: &Sheet<'_>) -> bool {
    sheet.table.headerless && sheet.entry.path.to_lowercase().contains("dermamnist")
}

/// The class of a row in its table's words.
fn word<'a>(sheet: &'a Sheet<'_>, cells: &'a [String]) -> RowClass<'a> {
    sheet.columns.class.as_ref().map_or(RowClass::Hot(0), |class| class.of_row(cells))
}

#[expect(clippy::too_many_arguments, reason = "the state of one pass over the tables")]
fn read_sheet(
    survey: &Survey<'_>,
    sheet: &Sheet<'_>,
    number: usize,
    classes: &Classes,
    reading: Reading,
    files: &mut Files<'_, '_>,
    merged: &mut Merged,
    ledger: &mut Ledger,
) -> Result<(), DataError> {
    for (line, cells) in &sheet.table.rows {
        let place = format!("{} line {line}", sheet.entry.path);
        let id = cells.get(sheet.columns.image).map_or("", |c| c.trim());
        let needed = needed_cells(sheet);
        if id.is_empty() || cells.len() < needed {
            let (found, expected) = (cells.len(), sheet.table.header.len());
            let what = match id.is_empty() {
                true => format!("{place}: no image id"),
                false => format!("{place}: found {found} cells, expected {expected}"),
            };
            ledger.say(Problem::new(ProblemKind::BadRow, what));
            continue;
        }
        doubts::of_length(sheet, cells, &place, ledger);
        let candidates = survey.named(folder_of(sheet.entry), id);
        let subject = match candidates {
            Named::Path(image) => Subject::Image(image),
            Named::Id(all) => Subject::Image(files.photograph(all, ledger)?),
            Named::Nothing => Subject::Missing(stem_of(id)),
        };
        let mut say_out = |kind: ProblemKind, what: &str| match &subject {
            Subject::Image(image) => {
                ledger.leave_out_with(survey.tree, *image, kind, &format!("{what}, {place}"));
            }
            Subject::Missing(id) => {
                ledger.say(Problem::new(ProblemKind::MissingImage, format!("{place}: {id}")));
            }
        };
        let class = match word(sheet, cells) {
            RowClass::Hot(0) => {
                say_out(ProblemKind::NoDiagnosis, "no class is 1");
                continue;
            }
            RowClass::Hot(n) => {
                say_out(ProblemKind::UnknownClass, &format!("{n} classes are 1, expected one"));
                continue;
            }
            RowClass::Value(word) => match classes.label.get(word.as_ref()).copied().flatten() {
                Some(class) => class,
                None if matches!(diagnosis(&word), Diagnosis::None) => {
                    say_out(ProblemKind::NoDiagnosis, &format!("'{word}'"));
                    continue;
                }
                None => {
                    say_out(ProblemKind::UnknownClass, &format!("'{word}'"));
                    continue;
                }
            },
        };
        let made =
            sheet.columns.dx_type.and_then(|c| cells.get(c)).is_some_and(|c| is_synthetic(c));
        if made && !reading.keep_synthetic {
            say_out(ProblemKind::Synthetic, "by its row");
            continue;
        }
        let record = record(sheet, cells, class, &place, ledger);
        merged.add(Row { subject, record, place, table: number }, ledger);
    }
    Ok(())
}

/// Number of cells that a row needs: up to the last column that is used. A table may leave out empty cells at the end
/// of a row.
fn needed_cells(sheet: &Sheet<'_>) -> usize {
    let class = match &sheet.columns.class {
        Some(ClassColumns::Value { column, .. }) => *column,
        Some(ClassColumns::OneHot(columns)) => {
            columns.iter().map(|(column, _)| *column).max().unwrap_or(0)
        }
        None => 0,
    };
    1 + class.max(sheet.columns.image)
}

/// The record of a row. A value that is not understood is said, and missing in the record.
fn record(
    sheet: &Sheet<'_>,
    cells: &[String],
    class: usize,
    place: &str,
    ledger: &mut Ledger,
) -> Record {
    let cell = |c: Option<usize>| c.and_then(|c| cells.get(c)).map_or("", |c| c.trim());
    let columns = &sheet.columns;
    let id = stem_of(cell(Some(columns.image)));
    let mut bad_value = |column: &str, value: &str| {
        ledger.say(Problem::new(
            ProblemKind::BadValue,
            format!("{place}: {id} has {column} '{value}'"),
        ));
    };
    let (dx_type, age, sex, site) =
        (cell(columns.dx_type), cell(columns.age), cell(columns.sex), cell(columns.site));
    let known = |text: &&str| !is_unknown(text);
    Record {
        lesion_id: Some(cell(columns.lesion)).filter(known).map(str::to_owned),
        class,
        dx_type: DxType::parse(dx_type).unwrap_or_else(|| {
            bad_value("dx_type", dx_type);
            DxType::Unknown
        }),
        age: parse_age(age).unwrap_or_else(|()| {
            bad_value("age", age);
            None
        }),
        sex: Sex::parse(sex).unwrap_or_else(|| {
            bad_value("sex", sex);
            Sex::Unknown
        }),
        localization: Some(site).filter(known).map_or_else(unknown, str::to_lowercase),
        part: part_of(cell(columns.part)).or(sheet.part),
        image_id: id,
    }
}

/// Completes records from a table that gives no classes, such as ISIC's lesion groups.
fn complete_from(
    survey: &Survey<'_>,
    sheet: &Sheet<'_>,
    files: &mut Files<'_, '_>,
    merged: &mut Merged,
    ledger: &mut Ledger,
) -> Result<(), DataError> {
    let mut completed = 0;
    for (line, cells) in &sheet.table.rows {
        let id = cells.get(sheet.columns.image).map_or("", |c| c.trim());
        let subject = match survey.named(folder_of(sheet.entry), id) {
            Named::Path(image) => Subject::Image(image),
            Named::Id(all) => Subject::Image(files.photograph(all, ledger)?),
            Named::Nothing => continue,
        };
        let place = format!("{} line {line}", sheet.entry.path);
        let more = record(sheet, cells, 0, &place, ledger);
        completed += usize::from(merged.complete(&subject, more));
    }
    let what = match completed {
        0 => "describes no image that is used".to_owned(),
        n => format!("says more about {n} images"),
    };
    ledger.table(&sheet.entry.path, sheet.table.rows.len(), completed > 0, what);
    Ok(())
}

/// Completes the records of class folders from the tables that say more about their images, such as lesion ids.
pub(super) fn complete_records(
    survey: &Survey<'_>,
    records: &mut [(Record, usize)],
    ledger: &mut Ledger,
) {
    let at: BTreeMap<usize, usize> =
        (0..).zip(records.iter()).map(|(n, (_, image))| (*image, n)).collect();
    for sheet in survey.sheets.iter().filter(|sheet| sheet.columns.class.is_none()) {
        let mut completed = 0;
        for (line, cells) in &sheet.table.rows {
            let id = cells.get(sheet.columns.image).map_or("", |c| c.trim());
            let image = match survey.named(folder_of(sheet.entry), id) {
                Named::Path(image) => image,
                Named::Id(&[image]) => image,
                _ => continue,
            };
            if let Some(&n) = at.get(&image) {
                let place = format!("{} line {line}", sheet.entry.path);
                let more = record(sheet, cells, records[n].0.class, &place, ledger);
                merge::complete(&mut records[n].0, more);
                completed += 1;
            }
        }
        if completed > 0 {
            let what = format!("says more about {completed} images");
            ledger.table(&sheet.entry.path, sheet.table.rows.len(), true, what);
        }
    }
}

/// Says of every table what it was used for.
fn say_tables(
    survey: &Survey<'_>,
    chosen: &[&Sheet<'_>],
    merged: &Merged,
    classes: &Classes,
    ledger: &mut Ledger,
) {
    for (number, sheet) in chosen.iter().enumerate() {
        let new = merged.new.get(&number).copied().unwrap_or(0);
        let part = sheet.part.map(|part| format!("the {part} part"));
        let mut what = match (new, part) {
            (0, Some(part)) => format!("repeats rows of another table; gives {part}"),
            (0, None) if merged.contradictions().is_empty() => {
                "repeats rows of another table".to_owned()
            }
            (0, None) => "repeats or contradicts rows of another table".to_owned(),
            (n, Some(part)) => format!("labels {n} images, {part}"),
            (n, None) => format!("labels {n} images"),
        };
        what += &merged_words(sheet, classes);
        what += &doubts::unused_columns(sheet);
        doubts::of_columns(sheet, ledger);
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        for (_, cells) in &sheet.table.rows {
            if let RowClass::Value(word) = word(sheet, cells)
                && classes.label.get(word.as_ref()).copied().flatten().is_none()
                && !matches!(diagnosis(&word), Diagnosis::None)
            {
                *unknown.entry(word.into_owned()).or_default() += 1;
            }
        }
        for (value, rows) in unknown.iter().take(5) {
            what += &format!("; {rows} rows have '{value}', which is no known diagnosis");
        }
        if unknown.len() > 5 {
            what += &format!("; and {} more such values", unknown.len() - 5);
        }
        ledger.table(&sheet.entry.path, sheet.table.rows.len(), true, what);
    }
    for unread in &survey.unread {
        let what = match (unread.pixels, unread.names_images) {
            (true, _) => "pixels in a CSV, not read",
            (false, true) => "not understood, not read",
            (false, false) => "names no image of this source",
        };
        ledger.table(&unread.entry.path, 0, false, what);
    }
}

/// Says which different words of a table mean one class.
fn merged_words(sheet: &Sheet<'_>, classes: &Classes) -> String {
    let plain = |word: &str| word.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "");
    let mut words: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
    for (_, cells) in &sheet.table.rows {
        if let RowClass::Value(word) = word(sheet, cells)
            && let Some(class) = classes.label.get(word.as_ref()).copied().flatten()
        {
            words.entry(class).or_default().insert(plain(&word), word.into_owned());
        }
    }
    let several = words.iter().filter(|(_, words)| words.len() > 1);
    let say = |(class, words): (&usize, &BTreeMap<String, String>)| {
        let words: Vec<String> = words.values().map(|word| format!("'{word}'")).collect();
        format!("; {} stands for {}", classes.names[*class], words.join(", "))
    };
    several.map(say).collect()
}

/// The part of the author's split that the innermost folder of an image names.
pub(super) fn part_of_path(entry: &Entry) -> Option<crate::source::side::Side> {
    entry.path.rsplit('/').skip(1).find_map(part_of)
}

/// Gives images whose file names occur in several folders an id of their whole path.
fn unique_ids(survey: &Survey<'_>, records: &mut [(Record, usize)]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    records.iter().for_each(|(record, _)| *count.entry(record.image_id.clone()).or_default() += 1);
    for (record, image) in records {
        if count[&record.image_id] > 1 {
            record.image_id = survey.tree.entries[*image].path.replace('/', "_");
        }
    }
}

/// What the chosen tables are, by their columns and the ids of the images.
fn kind_of(chosen: &[&Sheet<'_>], classes: &Classes, records: &[(Record, usize)]) -> Kind {
    let Some(sheet) = chosen.first() else { return Kind::Table };
    let has = |name: &str| sheet.table.column(name).is_some();
    let isic = |(record, _): &&(Record, usize)| isic_id(&record.image_id).is_some();
    let most_isic = 2 * records.iter().filter(isic).count() > records.len();
    match &sheet.columns.class {
        _ if sheet.table.stylegan => Kind::StyleGan,
        _ if sheet.table.headerless && is_dermamnist(sheet) => Kind::MedMnist,
        Some(ClassColumns::OneHot(_)) if most_isic && classes.is_ham => Kind::Isic2018,
        Some(ClassColumns::OneHot(columns))
            if most_isic && columns.iter().any(|(_, c)| c.eq_ignore_ascii_case("scc")) =>
        {
            Kind::Isic2019
        }
        _ if has("img_id") && has("diagnostic") => Kind::PadUfes20,
        _ if has("isic_id") && (has("diagnosis_1") || has("diagnosis_3")) => Kind::IsicArchive,
        _ if has("image_name") && has("benign_malignant") => Kind::Isic2020,
        _ if has("image_id") && has("dx") && most_isic && classes.is_ham => Kind::Ham10000,
        _ => Kind::Table,
    }
}

/// The ISIC id inside a name, such as `ISIC_0024306` in `ISIC_0024306_aug_3`, in any case.
pub(crate) fn isic_id(name: &str) -> Option<&str> {
    let mark =
        |at: &usize| name.get(*at..at + 5).is_some_and(|mark| mark.eq_ignore_ascii_case("ISIC_"));
    let at = (0..name.len()).find(mark)?;
    let digits = name[at + 5..].chars().take_while(char::is_ascii_digit).count();
    (digits >= 4).then(|| &name[at..at + 5 + digits])
}
