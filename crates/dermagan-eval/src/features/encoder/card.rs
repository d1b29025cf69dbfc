//! The card of an encoder: the metadata of its file, and its Markdown form.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::network::{SIDE, dims};

/// Version of the file format. Raise it when an older program would misread the file.
pub const FORMAT: u32 = 1;
/// The kind of file, as its card names it.
pub const KIND: &str = "lesion-encoder";

/// The first line of a card in Markdown.
pub const CARD_TITLE: &str = "# Lesion encoder";

fn usual_side() -> usize {
    SIDE
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_usual(side: &usize) -> bool {
    *side == SIDE
}

/// Where an encoder comes from and how well it classifies. `Display` writes it as Markdown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderCard {
    /// Version of the file format: [`FORMAT`].
    pub format: u32,
    /// Kind of file: [`KIND`].
    pub kind: String,
    /// Program and version that wrote the file.
    pub producer: String,
    /// Channels of the first block.
    pub width: usize,
    /// Side of the images that it looks at. Files of older programs do not name it.
    #[serde(default = "usual_side", skip_serializing_if = "is_usual")]
    pub side: usize,
    /// Codes of the classes, in the order of the logits.
    pub classes: Vec<String>,
    /// Name of the training data.
    pub data: String,
    /// Fingerprint of the training data.
    pub fingerprint: String,
    /// Licence of the training data, which also binds the weights.
    pub licence: String,
    /// Number of training images.
    pub trained_on: usize,
    /// Length of the training in thousands of images, repetitions included.
    pub kimg: f64,
    /// Seed of the training.
    pub seed: u64,
    /// Score on images of lesions that were not in the training data.
    pub test: Score,
}

/// The score of a classifier on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Number of images.
    pub images: usize,
    /// Mean recall of the classes that have images, 0 to 1.
    pub balanced_accuracy: f64,
    /// Lower and upper end of its 95 % interval, from 2,000 resamplings of the images within each class.
    pub interval: [f64; 2],
    /// Recall of each class, 0 to 1, in the order of `classes`; `None` for a class without images.
    pub recall: Vec<Option<f64>>,
}

impl fmt::Display for EncoderCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Score { images, balanced_accuracy, interval: [low, high], recall } = &self.test;
        writeln!(f, "{CARD_TITLE}\n")?;
        writeln!(
            f,
            "A small convolutional classifier of {} lesion classes; the averaged channels of its \
             last two layers are the features that `dermagan eval` compares images by. It is a \
             yardstick for generated images, not a diagnostic aid.\n",
            self.classes.len()
        )?;
        writeln!(f, "| what | value |\n|---|---|")?;
        writeln!(f, "| data | {} ({}) |", self.data, self.fingerprint)?;
        writeln!(f, "| licence of the data, which binds these weights | {} |", self.licence)?;
        writeln!(
            f,
            "| trained on | {} images of the training side of the split by lesion |",
            self.trained_on
        )?;
        writeln!(
            f,
            "| training | `dermagan encoder train --data SOURCE --kimg {} --width {} --seed {}{}` |",
            self.kimg,
            self.width,
            self.seed,
            if is_usual(&self.side) { String::new() } else { format!(" --size {}", self.side) }
        )?;
        writeln!(f, "| written by | {} |", self.producer)?;
        writeln!(f, "| input | {0}×{0} RGB |", self.side)?;
        writeln!(f, "| features | {} |", dims(self.width, self.side))?;
        writeln!(
            f,
            "| balanced accuracy on {images} images of lesions never seen | **{:.1} %** (95 % interval {:.1} to {:.1}, images resampled within their class) |",
            100.0 * balanced_accuracy,
            100.0 * low,
            100.0 * high
        )?;
        for (class, recall) in self.classes.iter().zip(recall) {
            let shown = recall.map_or("no image".to_owned(), |r| format!("{:.1} %", 100.0 * r));
            writeln!(f, "| recall of {class} | {shown} |")?;
        }
        Ok(())
    }
}
