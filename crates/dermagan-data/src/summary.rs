//! What a source holds: counts by everything the table says, and a grid of examples.

use std::collections::{BTreeMap, BTreeSet};

use dermagan_base::image::Image;
use serde::Serialize;

use crate::description::HAM10000;
use crate::error::DataError;
use crate::fit::{Fit, to_square};
use crate::problem::{Problem, Report};
use crate::record::Record;
use crate::resize::Filter;
use crate::source::{Kind, Source};

/// Images and lesions of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// Code.
    pub code: String,
    /// Full name, for HAM10000's classes.
    pub name: Option<String>,
    /// Images.
    pub images: usize,
    /// Lesions, where the source has lesion ids.
    pub lesions: Option<usize>,
}

/// Everything `dermagan data info` shows.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Name of the source.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Images with a usable row.
    pub images: usize,
    /// Lesions, where the source has lesion ids.
    pub lesions: Option<usize>,
    /// By class, in label order.
    pub classes: Vec<ClassCount>,
    /// By sex.
    pub sex: BTreeMap<String, usize>,
    /// By age in steps of ten years; `none` where it is empty.
    pub age: BTreeMap<String, usize>,
    /// By body site.
    pub localization: BTreeMap<String, usize>,
    /// By confirmation type.
    pub dx_type: BTreeMap<String, usize>,
    /// By `WIDTHxHEIGHT`; `unreadable` where the header is broken.
    pub sizes: BTreeMap<String, usize>,
    /// For HAM10000: where the counts differ from the published ones. Empty when they are all
    /// equal, `None` for other sources.
    pub differs_from_published: Option<Vec<String>>,
    /// What is wrong with rows and files (images are not decoded for this).
    pub report: Report,
}

fn count(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    keys.for_each(|key| *counts.entry(key).or_default() += 1);
    counts
}

fn lesions<'a>(records: impl Iterator<Item = &'a Record>) -> Option<usize> {
    let ids: BTreeSet<&str> = records.filter_map(|r| r.lesion_id.as_deref()).collect();
    (!ids.is_empty()).then_some(ids.len())
}

impl Summary {
    /// Counts a source; reads the header of every image for its size.
    pub fn of(source: &Source) -> Self {
        let records = &source.records;
        let classes: Vec<ClassCount> = source
            .classes
            .iter()
            .enumerate()
            .map(|(class, code)| ClassCount {
                code: code.clone(),
                name: HAM10000.classes.iter().find(|c| c.code == *code).map(|c| c.name.clone()),
                images: records.iter().filter(|r| r.class == class).count(),
                lesions: lesions(records.iter().filter(|r| r.class == class)),
            })
            .collect();
        let age = |r: &Record| match r.age {
            None => "none".to_owned(),
            Some(age) => format!("{:02}-{:02}", age as u32 / 10 * 10, age as u32 / 10 * 10 + 9),
        };
        let size = |size: Option<(u32, u32)>| match size {
            Some((width, height)) => format!("{width}x{height}"),
            None => "unreadable".to_owned(),
        };
        let mut summary = Self {
            name: source.name.clone(),
            kind: source.kind,
            images: records.len(),
            lesions: lesions(records.iter()),
            classes,
            sex: count(records.iter().map(|r| r.sex.to_string())),
            age: count(records.iter().map(age)),
            localization: count(records.iter().map(|r| r.localization.clone())),
            dx_type: count(records.iter().map(|r| r.dx_type.to_string())),
            sizes: count(source.sizes().into_iter().map(size)),
            differs_from_published: None,
            report: Report::new(records.len(), &source.problems),
        };
        if source.kind == Kind::Ham10000 {
            summary.differs_from_published = Some(summary.differences());
        }
        summary
    }

    fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |what: &str, here: Option<usize>, published: usize| {
            if here != Some(published) {
                let here = here.map_or("none".into(), |n| n.to_string());
                found.push(format!("{what}: {here} here, {published} published"));
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

/// A grid of examples: one row a class that has images, `columns` images a row, spread over the
/// class. An example that cannot be decoded is replaced by the next of its class, else black.
///
/// # Errors
/// As reading the source does.
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
                    .map_err(|e| Problem::new(crate::problem::ProblemKind::Undecodable, e))
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
