//! What is known of an encoder, in its file and in its card.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Raise when an older program would misread the file.
pub const FORMAT: u32 = 1;
/// What the file is.
pub const KIND: &str = "lesion-encoder";

/// How a card begins.
pub const CARD_TITLE: &str = "# Lesion encoder";

/// Where an encoder comes from and how well it classifies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncoderCard {
    /// Version of this format.
    pub format: u32,
    /// [`KIND`].
    pub kind: String,
    /// Program and version that wrote it.
    pub producer: String,
    /// Channels of the first block.
    pub width: usize,
    /// Classes by code, in the order of the logits.
    pub classes: Vec<String>,
    /// Name of the training data.
    pub data: String,
    /// Fingerprint of the training data.
    pub fingerprint: String,
    /// Licence of the training data; what was learnt from it is bound by it.
    pub licence: String,
    /// Images it was trained on.
    pub trained_on: usize,
    /// Images seen in training, in thousands.
    pub kimg: f64,
    /// Seed of the training.
    pub seed: u64,
    /// How it does on lesions that it never saw.
    pub test: Score,
}

/// How a classifier does on a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Images.
    pub images: usize,
    /// Mean of the classes' recalls, 0 to 1.
    pub balanced_accuracy: f64,
    /// Its 95 % interval, by resampling images within each class 2,000 times.
    pub interval: [f64; 2],
    /// Recall of each class, 0 to 1, in the order of `classes`; `None` where the set has none.
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
            "| training | `dermagan encoder train --data SOURCE --kimg {} --width {} --seed {}` |",
            self.kimg, self.width, self.seed
        )?;
        writeln!(f, "| written by | {} |", self.producer)?;
        writeln!(f, "| input | 64×64 RGB |")?;
        writeln!(f, "| features | {} |", super::network::dims(self.width))?;
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
