//! A summary of a source: counts by every column of the table, and a grid of examples.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::image::Image;
use serde::Serialize;

use crate::error::DataError;
use crate::prepare::cache::Header;
use crate::prepare::examine::Examination;
use crate::prepare::fit::{Fit, to_square};
use crate::prepare::resize::Filter;
use crate::source::description::HAM10000;
use crate::source::problem::{Problem, Report};
use crate::source::record::Record;
use crate::source::{kind::Kind, open::Source};
use crate::split::{self, SplitFacts};

/// Number of images and lesions of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class code.
    pub code: String,
    /// The full name, for the classes of HAM10000.
    pub name: Option<String>,
    /// Number of images.
    pub images: usize,
    /// Number of lesions, if the source has lesion ids.
    pub lesions: Option<usize>,
}

/// The summary of a source.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Name of the source.
    pub name: String,
    /// Kind of the source.
    pub kind: Kind,
    /// Number of images with a usable row.
    pub images: usize,
    /// Number of lesions, if the source has lesion ids.
    pub lesions: Option<usize>,
    /// Counts by class, in label order.
    pub classes: Vec<ClassCount>,
    /// Number of images by sex.
    pub sex: BTreeMap<String, usize>,
    /// Number of images by age in steps of ten years; `none` if the age is missing.
    pub age: BTreeMap<String, usize>,
    /// Number of images by body site.
    pub localization: BTreeMap<String, usize>,
    /// Number of images by confirmation type.
    pub dx_type: BTreeMap<String, usize>,
    /// Number of images by size in pixels, as `WIDTHxHEIGHT`; `unreadable` if the header is damaged.
    pub sizes: BTreeMap<String, usize>,
    /// For HAM10000, the counts that differ from the published ones, empty if all are equal; `None` for other
    /// sources.
    pub differs_from_published: Option<Vec<String>>,
    /// How the images are split.
    pub split: SplitFacts,
    /// The account of rows, images and tables.
    pub report: Report,
}

/// Number of occurrences of each key.
fn count(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}

/// Number of lesions, if the records have lesion ids.
fn lesions<'a>(records: impl Iterator<Item = &'a Record>) -> Option<usize> {
    let ids: BTreeSet<&str> = records.filter_map(|r| r.lesion_id.as_deref()).collect();
    (!ids.is_empty()).then_some(ids.len())
}

/// The parts that a summary is counted from.
struct Counted<'a> {
    name: &'a str,
    kind: Kind,
    classes: &'a [String],
    records: &'a [Record],
    split: SplitFacts,
    report: &'a Report,
}

impl Summary {
    /// Summarises the images of a source that an examination kept. It reads the header of every image for the sizes.
    pub fn of(source: &Source, examination: &Examination) -> Self {
        let kept = &examination.kept;
        let records: Vec<Record> = kept.iter().map(|&i| source.records[i].clone()).collect();
        let size = |size: Option<(u32, u32)>| match size {
            Some((width, height)) => format!("{width}x{height}"),
            None => "unreadable".to_owned(),
        };
        let sizes = source.sizes();
        let counted = Counted {
            name: &source.name,
            kind: source.kind,
            classes: &source.classes,
            records: &records,
            split: split::facts_of(source.reading, &records, &examination.hashes),
            report: &examination.report,
        };
        Self { sizes: count(kept.iter().map(|&i| size(sizes[i]))), ..Self::counted(&counted) }
    }

    /// Summarises prepared images. Their sizes before the preparation are not known: [`Summary::sizes`] is empty.
    pub fn of_header(header: &Header) -> Self {
        Self::counted(&Counted {
            name: &header.name,
            kind: header.kind,
            classes: &header.classes,
            records: &header.records,
            split: split::facts(header),
            report: &header.report,
        })
    }

    /// A summary without sizes.
    fn counted(of: &Counted<'_>) -> Self {
        let records = of.records;
        let classes = of.classes.iter().enumerate().map(|(class, code)| ClassCount {
            code: code.clone(),
            name: HAM10000.classes.iter().find(|c| c.code == *code).map(|c| c.name.clone()),
            images: records.iter().filter(|r| r.class == class).count(),
            lesions: lesions(records.iter().filter(|r| r.class == class)),
        });
        let age = |r: &Record| match r.age {
            None => "none".to_owned(),
            Some(age) => format!("{:02}-{:02}", age as u32 / 10 * 10, age as u32 / 10 * 10 + 9),
        };
        let mut summary = Self {
            name: of.name.to_owned(),
            kind: of.kind,
            images: records.len(),
            lesions: lesions(records.iter()),
            classes: classes.collect(),
            sex: count(records.iter().map(|r| r.sex.to_string())),
            age: count(records.iter().map(age)),
            localization: count(records.iter().map(|r| r.localization.clone())),
            dx_type: count(records.iter().map(|r| r.dx_type.to_string())),
            sizes: BTreeMap::new(),
            differs_from_published: None,
            split: of.split.clone(),
            report: of.report.clone(),
        };
        if of.kind == Kind::Ham10000 {
            summary.differs_from_published = Some(summary.differences());
        }
        summary
    }

    /// The counts that differ from HAM10000's published ones.
    fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, here: Option<usize>, published: usize| {
            if here != Some(published) {
                let here = here.map_or("none".into(), |n| n.to_string());
                found.push(format!("{what}: found {here}, published {published}"));
            }
        };
        compare("images", Some(self.images), HAM10000.images);
        compare("lesions", self.lesions, HAM10000.lesions);
        for (class, published) in self.classes.iter().zip(&HAM10000.classes) {
            compare(&format!("{} images", class.code), Some(class.images), published.images);
            compare(&format!("{} lesions", class.code), class.lesions, published.lesions);
        }
        found
    }
}

/// A grid of examples: one row per class that has images, with `columns` images spread evenly over the class. Each
/// is `cell` pixels wide and high. The next one of the class replaces an example that cannot be decoded; cells
/// without an example are black.
///
/// # Errors
/// [`DataError::Bad`] for a damaged npz.
///
/// # Panics
/// If `columns` is 0.
pub fn grid(source: &Source, columns: usize, cell: u32, fit: Fit) -> Result<Image, DataError> {
    let black = || Image::filled(cell as usize, cell as usize, [0; 3]);
    let mut rows = Vec::new();
    for class in 0..source.classes.len() {
        let members: Vec<usize> =
            (0..source.records.len()).filter(|&i| source.records[i].class == class).collect();
        if members.is_empty() {
            continue;
        }
        let step = (members.len() / (2 * columns)).max(1);
        let wanted: Vec<usize> = members.into_iter().step_by(step).take(2 * columns).collect();
        let mut row = Vec::new();
        source.decode_each(
            &wanted,
            |_, decoded| -> Result<Vec<u8>, Problem> {
                let image = decoded?.image;
                to_square(&image, cell, fit, Filter::Lanczos)
                    .map_err(|e| Problem::new(crate::source::problem::ProblemKind::Undecodable, e))
            },
            |pixels| {
                if let (Ok(pixels), true) = (pixels, row.len() < columns) {
                    row.push(Image { width: cell as usize, height: cell as usize, pixels });
                }
                Ok(())
            },
        )?;
        row.resize_with(columns, black);
        rows.extend(row);
    }
    Ok(Image::grid(&rows, columns))
}
