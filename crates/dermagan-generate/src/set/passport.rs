//! The passport of a set of generated images: what is in it, where it comes from, and what it must not be used for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_base::{SettingError, atomic, producer};
use dermagan_model::{Card, ModelFile};
use serde::Serialize;
use serde_json::Value;

use crate::error::GenerateError;

/// The name of the file in the folder of a set.
pub const PASSPORT: &str = "passport.json";
/// The version of a passport's fields.
pub const PASSPORT_VERSION: u32 = 1;
/// What no set of generated images must be used for.
pub const USES_TO_AVOID: [&str; 4] = [
    "diagnosis",
    "validation and test sets",
    "claims about groups of patients",
    "re-identification",
];
/// What generated images lack.
pub const KNOWN_GAPS: [&str; 2] = [
    "a generated image has no sex, age or site; nothing says whom it shows",
    "the generator can only vary what its training images show",
];

/// Where the images come from. What nobody knows is `None`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeneratorFacts {
    /// SHA-256 of the generator's file.
    pub sha256: String,
    /// The preset of its training.
    pub preset: Option<String>,
    /// Thousands of real images that it saw.
    pub kimg: Option<f64>,
    /// Name of its training data.
    pub data: Option<String>,
    /// Licence of the data, which binds the images too.
    pub licence: Option<String>,
}

impl GeneratorFacts {
    /// The facts about a model's file.
    pub fn of(model: &ModelFile) -> Self {
        let card = model.card.as_ref().filter(|card| card.data != Card::UNKNOWN);
        Self {
            sha256: model.hash.clone(),
            preset: card.map(|card| card.preset.clone()),
            kimg: card.map(|card| card.nimg as f64 / 1000.0),
            data: card.map(|card| card.data.clone()),
            licence: card.map(|card| card.licence.clone()),
        }
    }
}

/// The passport of images that were made by their seeds. It has no time of writing, so equal sets have equal passports.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SetPassport {
    pub schema_version: u32,
    pub synthetic: bool,
    pub not_for_diagnosis: bool,
    pub tool: String,
    pub generator: GeneratorFacts,
    /// Ranges of seeds, such as `0-63`. With classes each seed occurs once per class.
    pub seeds: Vec<String>,
    pub truncation: f64,
    pub resolution: usize,
    /// The number of images of each class; `unknown` is the class of a generator without classes.
    pub classes: BTreeMap<String, u64>,
    pub audit: &'static str,
    pub known_gaps: [&'static str; 2],
    pub licence: String,
    pub uses_to_avoid: [&'static str; 4],
}

impl SetPassport {
    /// The passport of `classes`, made by `model` from `seeds`.
    pub fn new(
        model: &ModelFile,
        seeds: Vec<String>,
        truncation: f64,
        classes: BTreeMap<String, u64>,
    ) -> Self {
        let generator = GeneratorFacts::of(model);
        Self {
            schema_version: PASSPORT_VERSION,
            synthetic: true,
            not_for_diagnosis: true,
            tool: producer(),
            seeds,
            truncation,
            resolution: model.config.resolution,
            classes,
            audit: "this file knows of none; `dermagan audit` tells whether images are copies of training images",
            known_gaps: KNOWN_GAPS,
            licence: generator.licence.clone().unwrap_or_else(|| Card::UNKNOWN.to_owned()),
            generator,
            uses_to_avoid: USES_TO_AVOID,
        }
    }

    /// Writes the passport.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), GenerateError> {
        let io = GenerateError::io(file);
        match serde_json::to_string_pretty(self) {
            Ok(text) => atomic::write(file, (text + "\n").as_bytes()).map_err(io),
            Err(error) => Err(io(error.into())),
        }
    }
}

/// The passport's file of a set that is one file, or a folder of files of another program: beside it.
pub(crate) fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{PASSPORT}"));
    out.with_file_name(name)
}

/// The generator's SHA-256 in a passport that dermagan wrote; empty for an empty file. `None` for any other file.
pub(crate) fn generator_of(file: &Path) -> Option<String> {
    let bytes = std::fs::read(file).ok()?;
    if bytes.is_empty() {
        return Some(String::new());
    }
    let passport: Value = serde_json::from_slice(&bytes).ok()?;
    let is_ours = passport["tool"].as_str()?.starts_with("dermagan");
    passport["generator"]["sha256"].as_str().filter(|_| is_ours).map(str::to_owned)
}

/// Refuses to replace a passport that dermagan did not write.
///
/// # Errors
/// When `file` exists and is something else.
pub(crate) fn check(file: &Path) -> Result<(), SettingError> {
    match file.symlink_metadata().is_err() || generator_of(file).is_some() {
        true => Ok(()),
        false => {
            let problem = format!(
                "{} is there, which dermagan did not write; move it away, or name a new file",
                file.display()
            );
            Err(SettingError::new("out", problem))
        }
    }
}
