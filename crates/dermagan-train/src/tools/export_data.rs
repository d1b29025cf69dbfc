//! Writes prepared images of a source as a set in a format of other programs.

use std::collections::HashSet;
use std::path::PathBuf;

use dermagan_base::name::{is_plain, shortened};
use dermagan_base::{SettingError, hex, plain_markdown, producer, stop_requested};
use dermagan_data::split::{self, Side};
use dermagan_data::{
    Cache, HAM10000, Header, Kind as SourceKind, Options, Reading, Record, UNLABELLED, licence,
    open_or_prepare_with,
};
use dermagan_formats::{Format, Item, Kind, Part, Set, SetWriter, Value, columns};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::TrainError;

/// The columns of the provenance, which follow those of HAM10000.
const PROVENANCE: [(&str, Kind); 5] = [
    ("synthetic", Kind::Flag),
    ("split", Kind::Text),
    ("source", Kind::Text),
    ("licence", Kind::Text),
    ("producer", Kind::Text),
];
/// Number of images that are compressed at once.
const BATCH: usize = 256;
/// The longest image id that names a file, in bytes. A tar holds names of 100.
const LONGEST: usize = 80;

/// A request to write prepared images.
#[derive(Clone, Debug)]
pub struct DataExportRequest {
    /// A source, or a cache that was prepared from one.
    pub data: String,
    /// How the source is read.
    pub reading: Reading,
    /// How the images are prepared. A cache must have been prepared so.
    pub options: Options,
    /// The format.
    pub format: Format,
    /// The file or folder, as in [`SetRequest::out`](dermagan_generate::SetRequest::out).
    pub out: PathBuf,
    /// The side of the split; `None` for all.
    pub side: Option<Side>,
    /// Largest number of images in each file of a folder in WebDataset or Parquet, 1 to 10,000,000.
    pub images_per_file: u64,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataExported {
    /// Name of the data.
    pub name: String,
    /// The parts that have images, by the names that other programs expect, with their numbers of images.
    pub parts: Vec<(String, u64)>,
    /// Number of images of the data on other sides of the split.
    pub others: u64,
    /// The sentence about the split.
    pub split: String,
    /// Licence of the images.
    pub licence: String,
    /// What was kept of the source and what was left out.
    pub report: dermagan_data::Report,
}

/// Writes the prepared images of a source or a cache with their labels, sides of the split and metadata. `progress`
/// receives the number of images done and of all: first of those that are prepared, then of those that are written.
///
/// # Errors
/// When the data cannot be read, `out` does not fit the format or holds files of others or of another set, a file cannot be
/// written, or the data may contain images of a generator: they would lose the text that says so.
pub fn export_data(
    request: &DataExportRequest,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<DataExported, TrainError> {
    let cache =
        open_or_prepare_with(&request.data, request.reading, request.options, &mut |done, all| {
            progress(done as u64, all as u64)
        })?;
    let header = cache.header();
    check(request, header)?;
    let sides = split::of_header(header);
    let wanted = [Side::Train, Side::Val, Side::Test]
        .into_iter()
        .filter(|side| request.side.is_none_or(|only| only == *side));
    let parts: Vec<(Side, Vec<u32>)> = wanted
        .map(|side| {
            let images = (0..sides.len()).filter(|i| sides[*i] == side);
            (side, images.map(|i| i as u32).collect())
        })
        .collect();
    let count = parts.iter().map(|(_, images)| images.len() as u64).sum();
    let set = set_of(header, &parts);
    let named = set.parts.iter().filter(|part| part.images > 0);
    let named = named.map(|part| (part.name.clone(), part.images)).collect();
    let licence = set.licence.clone();
    let mut writer = SetWriter::create(request.format, &request.out, set, request.images_per_file)?;
    let names = file_names(&header.records);
    let mut done = 0;
    for (side, images) in &parts {
        for batch in images.chunks(BATCH) {
            if stop_requested() {
                return Err(TrainError::Stopped("while exporting"));
            }
            cache.verified(batch)?;
            let items: Result<Vec<Item>, TrainError> = batch
                .par_iter()
                .map(|i| item(&cache, *i as usize, &names[*i as usize], *side))
                .collect();
            items?.iter().try_for_each(|item| writer.put(item))?;
            done += batch.len() as u64;
            progress(done, count);
        }
    }
    writer.finish()?;
    Ok(DataExported {
        name: header.name.clone(),
        parts: named,
        others: sides.len() as u64 - count,
        split: split::facts(header).to_string(),
        licence,
        report: header.report.clone(),
    })
}

/// Refuses data that does not fit the request.
fn check(request: &DataExportRequest, header: &Header) -> Result<(), SettingError> {
    let (asked, has) = (request.options, header.options);
    let other = |setting, value: String, has: String| {
        let problem = format!("the cache was prepared with {has}; give that, or the source itself");
        Err(SettingError::value(setting, value, problem))
    };
    let lower = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    if asked.size != has.size {
        return other("size", asked.size.to_string(), has.size.to_string());
    }
    if asked.fit != has.fit {
        return other("fit", lower(&asked.fit), lower(&has.fit));
    }
    if asked.filter != has.filter {
        return other("filter", lower(&asked.filter), lower(&has.filter));
    }
    if header.kind == SourceKind::IsicArchive {
        return Err(SettingError::new(
            "data",
            "each image of the ISIC archive has a licence and an attribution of its own, which prepared images do not carry; \
             pass on the archive's own images with their table",
        ));
    }
    if header.reading.keep_synthetic {
        return Err(SettingError::new(
            "keep_synthetic",
            "images of a generator would lose the text that says so; `dermagan sample` writes its images in the same formats",
        ));
    }
    Ok(())
}

/// The name of a side, as the library `datasets` expects it.
fn name_of(side: Side) -> &'static str {
    match side {
        Side::Train => "train",
        Side::Val => "validation",
        Side::Test => "test",
    }
}

/// The licence in words.
fn licence_of(header: &Header) -> String {
    match header.kind {
        SourceKind::ClassFolders
        | SourceKind::Table
        | SourceKind::StyleGan
        | SourceKind::Unlabelled => "that of the source".to_owned(),
        kind => licence(kind),
    }
}

/// What the images have in common.
fn set_of(header: &Header, parts: &[(Side, Vec<u32>)]) -> Set {
    let Options { size, fit, filter } = header.options;
    let mut digest = Sha256::new();
    header.hashes.iter().for_each(|hash| digest.update(hash.to_le_bytes()));
    let unlabelled = header.classes == [UNLABELLED];
    let cite = (header.kind == SourceKind::Ham10000)
        .then(|| format!("Please cite https://doi.org/{}.", HAM10000.doi));
    Set {
        title: format!("{}, prepared", header.name),
        licence: licence_of(header),
        synthetic: header.kind == SourceKind::Phantom,
        about: vec![
            format!(
                "Source: {} ({}). Each image is one of the source, made square ({fit:?}) and resized to {size} × {size} \
                 pixels ({filter:?}) by {}. All their pixels together have the digest {}.",
                plain_markdown(&header.name),
                header.kind.describe(),
                producer(),
                hex(digest.finalize().as_slice())
            ),
            format!("The images are {}.", split::facts(header)),
        ]
        .into_iter()
        .chain(cite)
        .collect(),
        classes: if unlabelled { Vec::new() } else { header.classes.clone() },
        parts: parts
            .iter()
            .map(|(side, images)| Part {
                name: name_of(*side).to_owned(),
                images: images.len() as u64,
            })
            .collect(),
        side: size as usize,
        columns: columns(&PROVENANCE),
    }
}

/// A name for the file of each image: its id where that can name a file and no other image has it, else a shorter or a
/// numbered one.
pub fn file_names(records: &[Record]) -> Vec<String> {
    let mut taken = HashSet::new();
    let unique = |record: &Record| {
        let id = &record.image_id;
        let base = match is_plain(id) && id.len() <= LONGEST {
            true => id.clone(),
            false => shortened(id, "image"),
        };
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let mut names = std::iter::once(base.clone()).chain(numbered);
        // Some systems take names that differ in case for the same.
        names.find(|name| taken.insert(name.to_lowercase())).unwrap_or(base)
    };
    records.iter().map(unique).collect()
}

/// The PNG of a prepared image, whose text names its source and licence. `name` is its title.
///
/// # Errors
/// When the image cannot be encoded.
pub fn prepared_png(cache: &Cache, image: usize, name: &str) -> Result<Vec<u8>, TrainError> {
    let header = cache.header();
    // Without the name of the program as the software: images with it are known as those of a generator.
    let text = [
        ("Title", name.to_owned()),
        ("Source", header.name.clone()),
        ("Copyright", licence_of(header)),
        ("Comment", format!("Prepared by {}", producer())),
    ];
    cache
        .image(image)
        .to_png(&text)
        .map_err(|error| TrainError::io(name)(std::io::Error::other(error)))
}

/// One image with its metadata.
fn item(cache: &Cache, image: usize, name: &str, side: Side) -> Result<Item, TrainError> {
    let header = cache.header();
    let record = &header.records[image];
    let licence = licence_of(header);
    let png = prepared_png(cache, image, name)?;
    let unlabelled = header.classes == [UNLABELLED];
    let code = (!unlabelled).then(|| header.classes[record.class].as_str());
    // `unknown` stands for a missing value.
    let known = |text: String| Value::text(Some(text).filter(|text| text != "unknown"));
    let values = vec![
        Value::text(record.lesion_id.as_deref()),
        Value::Text(name.to_owned()),
        Value::text(code),
        known(record.dx_type.to_string()),
        record.age.map_or(Value::Missing, |age| Value::Number(age.into())),
        known(record.sex.to_string()),
        known(record.localization.clone()),
        Value::Flag(header.kind == SourceKind::Phantom),
        Value::Text(name_of(side).to_owned()),
        Value::Text(header.name.clone()),
        Value::Text(licence),
        Value::Text(producer()),
    ];
    Ok(Item { name: name.to_owned(), png, class: code.map(|_| record.class), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_has_a_name_that_can_be_a_file_and_no_other_has() {
        let records = ["ISIC_1", "isic_1", "a/b", "a/b", "..", &"x".repeat(200)];
        let records: Vec<Record> = records.into_iter().map(|id| Record::bare(id, 0)).collect();
        let short = "x".repeat(40);
        assert_eq!(file_names(&records), ["ISIC_1", "isic_1-2", "a-b", "a-b-2", "image", &short]);
    }
}
