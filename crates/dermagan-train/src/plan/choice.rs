//! Which images of the data a run trains on.

use dermagan_base::{SettingError, hex};
use dermagan_data::Cache;
use dermagan_data::split::{self, Side};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::recipe::config::{Part, SourceConfig};

/// The index of each class `asked` among the classes of the data.
///
/// # Errors
/// When the data has no class of that code.
pub fn class_indices(classes: &[String], asked: &[String]) -> Result<Vec<usize>, SettingError> {
    let index = |code: &String| {
        let code = code.trim();
        classes.iter().position(|known| known.eq_ignore_ascii_case(code)).ok_or_else(|| {
            let known = classes.join(", ");
            SettingError::new("classes", format!("no class '{code}' in this data; it has {known}"))
        })
    };
    asked.iter().map(index).collect()
}

/// Chooses the images to train on, of the classes `asked` (all if empty) on the side `part` of a version of the split, and describes them.
/// `source` is the place of the data.
///
/// # Errors
/// When a class is not in the data, there are no images of the classes, or the cache is damaged.
pub fn choose(
    source: String,
    asked: &[String],
    part: Part,
    version: u32,
    cache: &Cache,
) -> Result<(SourceConfig, Vec<u32>), TrainError> {
    let header = cache.header();
    let sides = split::of_version(header, version);
    let wanted = class_indices(&header.classes, asked)?;
    let mut hash = Sha256::new();
    let mut images = Vec::new();
    for (i, record) in header.records.iter().enumerate() {
        let chosen = wanted.is_empty() || wanted.contains(&record.class);
        if chosen && (part == Part::All || sides[i] == Side::Train) {
            images.push(i as u32);
            hash.update(format!(
                "{} {} {:016x}\n",
                record.image_id, record.class, header.hashes[i]
            ));
        }
    }
    if images.is_empty() {
        return Err(TrainError::Invalid(
            "there are no images of these classes to train on; expected at least one on the training side of the \
             split"
                .into(),
        ));
    }
    cache.verified(&images)?;
    let has_images =
        |class: usize| images.iter().any(|&i| header.records[i as usize].class == class);
    let codes = header.classes.iter().enumerate();
    let classes: Vec<String> =
        codes.filter(|(class, _)| has_images(*class)).map(|(_, code)| code.clone()).collect();
    let count = |code: &String| {
        let is = |i: &&u32| header.classes[header.records[**i as usize].class] == *code;
        images.iter().filter(is).count() as u64
    };
    let config = SourceConfig {
        source,
        reading: header.reading,
        name: header.name.clone(),
        licence: dermagan_data::licence(header.kind),
        split: version,
        class_images: classes.iter().map(count).collect(),
        classes,
        images: images.len(),
        digest: hex(&hash.finalize()),
    };
    Ok((config, images))
}
