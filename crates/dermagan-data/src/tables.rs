//! Sources with a table beside the images: HAM10000 and ISIC 2018.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::description::ham_codes;
use crate::error::DataError;
use crate::problem::{Problem, ProblemKind};
use crate::record::{DxType, Record};
use crate::source::Kind;
use crate::table::{Table, TableKind, recognise};
use crate::tree::{Entry, Tree};

/// Enough of a file to see the header of a table.
const HEADER_BYTES: u64 = 64 << 10;

/// The largest table that is read: HAM10000's has 0.6 MB.
const MAX_TABLE: u64 = 16 << 20;

/// Records with the index of their entry in the tree.
pub(crate) struct Found {
    pub kind: Kind,
    pub classes: Vec<String>,
    pub records: Vec<(Record, usize)>,
    pub problems: Vec<Problem>,
}

/// Whether a file may be a table by its name.
fn may_be_table(extension: &str) -> bool {
    matches!(extension, "csv" | "tab" | "tsv" | "txt" | "")
}

/// If `path` is one of our tables, the folder it lies in and its name there.
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

/// Reads the tables of the tree, or only the one at `wanted`; `None` when there is none.
pub(crate) fn read(tree: &Tree, wanted: Option<&str>) -> Result<Option<Found>, DataError> {
    let mut problems = Vec::new();
    let mut tables: Vec<(&Entry, Table)> = Vec::new();
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
                let table =
                    Table::read(&bytes).map_err(|what| DataError::bad(&entry.path, what))?;
                tables.push((entry, table));
            }
            Ok(_) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let of = |kind| tables.iter().filter(move |(_, t)| t.kind == kind).collect::<Vec<_>>();
    let mut chosen = of(TableKind::Ham);
    if let Some(wanted) = wanted {
        chosen.retain(|(entry, _)| entry.path == wanted);
    }
    let mut kind = Kind::Ham10000;
    // Dataverse lays the ISIC 2018 test table, with the same columns, beside the metadata.
    let named = |entry: &Entry| entry.name().to_lowercase().starts_with("ham10000_metadata");
    if chosen.iter().any(|(entry, _)| named(entry)) {
        chosen.retain(|(entry, _)| named(entry));
        // The same table as .csv and as .tab: one of them is enough.
        chosen.truncate(1);
    }
    if chosen.is_empty() {
        chosen = of(TableKind::IsicTruth);
        kind = Kind::Isic2018;
    }
    if chosen.is_empty() {
        return Ok(None);
    }
    let mut records = Vec::new();
    let mut ids = BTreeSet::new();
    for (entry, table) in &chosen {
        ids.extend(table.ids());
        records.extend(match table.kind {
            TableKind::Ham => table.ham_records(&entry.path, &mut problems),
            _ => table.isic_records(&entry.path, &mut problems),
        });
    }
    let mut lesions: BTreeMap<String, (String, DxType)> = BTreeMap::new();
    for (_, table) in of(TableKind::IsicLesions) {
        lesions.extend(table.lesions());
    }
    for record in &mut records {
        if let (None, Some((lesion, confirmed))) =
            (&record.lesion_id, lesions.get(&record.image_id))
        {
            record.lesion_id = Some(lesion.clone());
            record.dx_type = *confirmed;
        }
    }
    let elsewhere: BTreeSet<String> = tables.iter().flat_map(|(_, t)| t.ids()).collect();
    let records = join(tree, records, &ids, &elsewhere, &mut problems);
    Ok(Some(Found { kind, classes: ham_codes(), records, problems }))
}

/// Finds each record's file, and counts the files that no record asks for.
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
        // Segmentation masks are named after their image; test images have their own table.
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
            // Named by two tables: each table reports its own repetitions.
            problems.push(Problem::new(ProblemKind::DuplicateId, &record.image_id));
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

/// Kaggle's archive holds both image folders twice, in two spellings. Equal size and equal first
/// 64 KB are taken as equal.
fn same_file(tree: &Tree, a: &Entry, b: &Entry) -> bool {
    let head = |entry| tree.read_some(entry, HEADER_BYTES).map(|(bytes, _)| bytes).ok();
    a.size == b.size && head(a) == head(b)
}
