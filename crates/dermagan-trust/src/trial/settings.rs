//! The settings of a trial.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_data::Reading;
use dermagan_train::EncoderConfig;

/// The settings of a trial.
#[derive(Clone, Debug)]
pub struct TrialJob {
    /// The photographs: a source as for [`Source::open`](dermagan_data::Source::open), or a prepared cache of 64 pixels.
    pub data: String,
    /// How the source is read.
    pub reading: Reading,
    /// Number of classifiers of each arm, which differ in their seed, 1 to 100.
    pub seeds: u64,
    /// The smallest worthwhile difference of balanced accuracy, above 0 and below 1.
    pub margin: f64,
    /// Thousands of images that each classifier sees.
    pub kimg: f64,
    /// Folder that keeps the predictions, and the generators of folds, so that a trial that was stopped goes on.
    pub state: PathBuf,
    /// Seed of everything else that is drawn.
    pub seed: u64,
}

impl TrialJob {
    /// A trial of six seeds, with a margin of two points.
    pub fn new(data: impl Into<String>, state: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            reading: Reading::default(),
            seeds: 6,
            margin: 0.02,
            kimg: 40.0,
            state: state.into(),
            seed: 0,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingError> {
        if !(1..=100).contains(&self.seeds) {
            return Err(SettingError::value("seeds", self.seeds, "expected 1 to 100"));
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(SettingError::value(
                "margin",
                100.0 * self.margin,
                "expected above 0 and below 100 points",
            ));
        }
        self.classifier(0).check()
    }

    pub(crate) fn classifier(&self, seed: u64) -> EncoderConfig {
        EncoderConfig { kimg: self.kimg, seed, ..EncoderConfig::default() }
    }
}
