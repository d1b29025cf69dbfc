//! The card of a generator's file: where the generator comes from.

use dermagan_base::name;
use dermagan_base::quoted;
use serde::{Deserialize, Serialize};

use super::version::{SHOWN, Version};
use crate::error::ModelError;
use crate::network::ModelConfig;

/// The longest text of a card, in bytes: each image carries its licence.
const MAX_TEXT: usize = 1000;

fn fully() -> f64 {
    1.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_fully(strength: &f64) -> bool {
    *strength == 1.0
}

/// Where a generator comes from. The card is stored in the generator's file, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Version of this format, see [`Card::FORMAT`].
    pub format: u32,
    /// Kind of the file: `generator`, or `checkpoint` for the state of a run.
    pub kind: String,
    /// Program and version that wrote the file, such as `dermagan 1.0.0`.
    pub producer: String,
    /// Shape of the networks.
    pub model: ModelConfig,
    /// Name of the training data.
    pub data: String,
    /// Licence of the training data. It also binds what was learnt from the data.
    pub licence: String,
    /// Codes of the classes in the training data. A class-conditional generator numbers its classes
    /// in this order. A file with a code that is not [`name::is_plain`] is refused, because the
    /// codes become part of the names of image files.
    pub classes: Vec<String>,
    /// Number of training images per class, in the order of `classes`; empty if the generator is not
    /// class-conditional.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub class_images: Vec<u64>,
    /// Strength of the class condition when the generator was saved, 0 to 1. It is 1 for a generator
    /// that is not class-conditional.
    #[serde(default = "fully", skip_serializing_if = "is_fully")]
    pub condition: f64,
    /// Whether each image is to get one of the eight orientations, chosen by its seed. True for a
    /// generator trained with random orientations of real images and of its own, because such a
    /// generator has no preferred orientation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turns: bool,
    /// Preset of the run.
    pub preset: String,
    /// Number of real images seen in training.
    pub nimg: u64,
}

impl Card {
    /// The newest format version. Raise it when an older program would misread the file.
    pub const FORMAT: u32 = 1;

    /// What the card of a generator of another program says where nobody knows.
    pub const UNKNOWN: &'static str = "unknown";

    /// The card of a generator of another program, of which only the shape is known. `producer` wrote the card.
    pub fn of_other_program(model: ModelConfig, producer: String) -> Self {
        Self {
            format: Self::FORMAT,
            kind: "generator".into(),
            producer,
            model,
            data: Self::UNKNOWN.into(),
            licence: Self::UNKNOWN.into(),
            classes: Vec::new(),
            class_images: Vec::new(),
            condition: 1.0,
            turns: false,
            preset: Self::UNKNOWN.into(),
            nimg: 0,
        }
    }

    /// Whether the generator is one of another program.
    pub fn is_of_other_program(&self) -> bool {
        self.data == Self::UNKNOWN
    }

    /// Reads a card from its JSON, and refuses one of a newer format; `path` names the file in errors.
    pub(super) fn parse(path: &str, json: &str) -> Result<Self, ModelError> {
        let bad = |what: String| ModelError::weights(path, what);
        let version = Version::of(json).map_err(bad)?;
        if version.kind == "checkpoint" {
            return Err(bad(
                "a checkpoint, not a generator; a run's generator is the generator.safetensors in its folder"
                    .into(),
            ));
        }
        version.check("generator", Self::FORMAT).map_err(bad)?;
        serde_json::from_str(json).map_err(|e| bad(format!("its metadata: {}", quoted(e))))
    }

    /// Checks what the card says against the limits of its texts and against its own shape.
    pub(super) fn check(&self) -> Result<(), String> {
        let config = &self.model;
        if config.classes > 0 && self.classes.len() != config.classes {
            let (made, named) = (config.classes, self.classes.len());
            return Err(format!("it makes {made} classes, its card names {named}"));
        }
        if let Some(name) = self.classes.iter().find(|name| !name::is_plain(name)) {
            let start = name::start_of(name, SHOWN);
            return Err(format!("its card names a class {start:?}; expected {}", name::RULE));
        }
        if let Some(name) = name::twice(&self.classes) {
            return Err(format!("its card names class {name} twice"));
        }
        let texts = [&self.producer, &self.data, &self.licence, &self.preset];
        if let Some(long) = texts.into_iter().find(|text| text.len() > MAX_TEXT) {
            return Err(format!(
                "its card has a text of {} bytes, expected at most {MAX_TEXT}",
                long.len()
            ));
        }
        let total = self.class_images.iter().try_fold(0u64, |sum, n| sum.checked_add(*n));
        let shares = self.class_images.len() == config.classes && total.is_some_and(|sum| sum > 0);
        if !(self.class_images.is_empty() || shares) {
            return Err(format!(
                "its card counts the images of {} classes, {} in total, but it makes {} classes",
                self.class_images.len(),
                total.map_or("too many".to_owned(), |total| total.to_string()),
                config.classes
            ));
        }
        if !(0.0..=1.0).contains(&self.condition) {
            return Err(format!("its card's condition is {}, expected 0 to 1", self.condition));
        }
        Ok(())
    }
}
