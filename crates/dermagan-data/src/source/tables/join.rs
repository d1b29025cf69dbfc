//! Joins the tables of HAM10000 and ISIC 2018 with the images beside them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::source::description::ham_codes;
use crate::source::entry::Entry;
use crate::source::kind::Kind;
use crate::source::labelled::LabelledEntries;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::{DxType, Record};
use crate::source::tables::metadata::{MetadataTable, TableKind, recognise};
use crate::source::tree::Tree;

/// Number of bytes that are read to see the header of a table.
const HEADER_BYTES: u64 = 64 << 10;

/// The largest table that is read, in bytes; HAM10000's has 0.6 MB.
const MAX_TABLE: u64 = 16 << 20;

/// The recognised tables of a tree, each with its entry.
type Tables<'a> = Vec<(&'a Entry, MetadataTable)>;

/// Whether a file with this extension may be a table.
fn may_be_table(extension: &str) -> bool {
    matches!(extension, "csv" | "tab" | "tsv" | "txt" | "")
}

/// The folder of a table and the table's name in it; `None` if `path` is not a known table.
///
/// # Errors
/// [`DataError::Io`] if the file cannot be read.
pub(crate) fn folder_of_table(path: &Path) -> Result<Option<(PathBuf, String)>, DataError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if !may_be_table(&extension) {
        return Ok(None);
    }
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, HEADER_BYTES), &mut head)
        .map_err(DataError::io(path))?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(recognise(&head).map(|_| (parent.to_owned(), name)))
}

/// Labels the images of a tree by its tables, or only by the table at path `wanted`; `None` if there is no table.
///
/// # Errors
/// [`DataError::Bad`] if a recognised table cannot be read or is too large.
pub(crate) fn read(
    tree: &Tree,
    wanted: Option<&str>,
) -> Result<Option<LabelledEntries>, DataError> {
    let mut problems = Vec::new();
    let tables = tables_of(tree, &mut problems)?;
    let (kind, chosen) = chosen(&tables, wanted);
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut records = Vec::new();
    let mut ids = BTreeSet::new();
    for (entry, table) in chosen {
        ids.extend(table.ids());
        records.extend(match table.kind {
            TableKind::Ham => table.ham_records(&entry.path, &mut problems),
            _ => table.isic_records(&entry.path, &mut problems),
        });
    }
    add_lesions(&mut records, &tables);
    let elsewhere: BTreeSet<String> = tables.iter().flat_map(|(_, t)| t.ids()).collect();
    let records = join(tree, records, &ids, &elsewhere, &mut problems);
    Ok(Some(LabelledEntries { kind, classes: ham_codes(), records, problems }))
}

/// Reads every recognised table of a tree. A file that cannot be read is added to `problems`.
fn tables_of<'a>(tree: &'a Tree, problems: &mut Vec<Problem>) -> Result<Tables<'a>, DataError> {
    let mut tables = Vec::new();
    for entry in &tree.entries {
        if !may_be_table(&entry.extension()) {
            continue;
        }
        match tree.read_some(entry, HEADER_BYTES) {
            Ok((head, _)) if recognise(&head).is_some() => {
                let (bytes, more) = tree
                    .read_some(entry, MAX_TABLE)
                    .map_err(|p| DataError::bad(&entry.path, p.place))?;
                if more {
                    let what = format!("a table of more than {} MB", MAX_TABLE >> 20);
                    return Err(DataError::bad(&entry.path, what));
                }
                let table = MetadataTable::read(&bytes)
                    .map_err(|what| DataError::bad(&entry.path, what))?;
                tables.push((entry, table));
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    Ok(tables)
}

/// The tables that label the images, and the kind of source that they make: HAM10000's metadata (only the table
/// at path `wanted`, if given), else ISIC 2018's one-hot truth.
fn chosen<'a, 'b>(
    tables: &'b Tables<'a>,
    wanted: Option<&str>,
) -> (Kind, Vec<&'b (&'a Entry, MetadataTable)>) {
    let of = |kind| tables.iter().filter(move |(_, t)| t.kind == kind).collect::<Vec<_>>();
    let mut chosen = of(TableKind::Ham);
    if let Some(wanted) = wanted {
        chosen.retain(|(entry, _)| entry.path == wanted);
    }
    // Dataverse puts the test table of ISIC 2018, which has the same columns, beside the metadata.
    let named = |entry: &Entry| entry.name().to_lowercase().starts_with("ham10000_metadata");
    if chosen.iter().any(|(entry, _)| named(entry)) {
        chosen.retain(|(entry, _)| named(entry));
        // The same table may be present as .csv and as .tab: one of them is enough.
        chosen.truncate(1);
    }
    if chosen.is_empty() {
        return (Kind::Isic2018, of(TableKind::IsicTruth));
    }
    (Kind::Ham10000, chosen)
}

/// Adds lesion and confirmation type from the lesion tables to the records that have no lesion.
fn add_lesions(records: &mut [Record], tables: &Tables<'_>) {
    let mut lesions: BTreeMap<String, (String, DxType)> = BTreeMap::new();
    for (_, table) in tables.iter().filter(|(_, table)| table.kind == TableKind::IsicLesions) {
        lesions.extend(table.lesions());
    }
    for record in records {
        if let (None, Some((lesion, confirmed))) =
            (&record.lesion_id, lesions.get(&record.image_id))
        {
            record.lesion_id = Some(lesion.clone());
            record.dx_type = *confirmed;
        }
    }
}

/// Finds each record's file. Records without a file, files without a record in this table (`ids`) or another
/// one (`elsewhere`), repeated records and different files of one name are added to `problems`.
fn join(
    tree: &Tree,
    records: Vec<Record>,
    ids: &BTreeSet<String>,
    elsewhere: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Vec<(Record, usize)> {
    let mut files: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, entry) in tree.entries.iter().enumerate() {
        if tree.is_image(entry) {
            files.entry(entry.stem()).or_default().push(index);
        }
    }
    for (stem, indices) in &files {
        // Segmentation masks are named after their image. Test images have their own table.
        let mask = stem.rsplit_once('_').is_some_and(|(base, suffix)| {
            ids.contains(base) && matches!(suffix, "segmentation" | "mask")
        });
        if !ids.contains(*stem) && !elsewhere.contains(*stem) && !mask {
            let place = &tree.entries[indices[0]].path;
            problems.push(Problem::new(ProblemKind::ImageWithoutRow, place));
        }
    }
    let mut seen = BTreeSet::new();
    let mut joined = Vec::with_capacity(records.len());
    for record in records {
        if !seen.insert(record.image_id.clone()) {
            // Two tables name it; each table has already reported its own repetitions.
            problems.push(Problem::new(ProblemKind::EqualRows, &record.image_id));
            continue;
        }
        let Some(indices) = files.get(record.image_id.as_str()) else {
            problems.push(Problem::new(ProblemKind::MissingImage, &record.image_id));
            continue;
        };
        let first = &tree.entries[indices[0]];
        for other in indices[1..].iter().map(|&i| &tree.entries[i]) {
            if !same_file(tree, first, other) {
                let place = format!("{} and {}", first.path, other.path);
                problems.push(Problem::new(ProblemKind::DuplicateFile, place));
            }
        }
        joined.push((record, indices[0]));
    }
    joined
}

/// Whether two files have equal sizes and equal first 64 KB, which counts as the same file. Kaggle's archive
/// contains both image folders twice, in two spellings.
fn same_file(tree: &Tree, a: &Entry, b: &Entry) -> bool {
    let head = |entry| tree.read_some(entry, HEADER_BYTES).map(|(bytes, _)| bytes).ok();
    a.size == b.size && head(a) == head(b)
}
