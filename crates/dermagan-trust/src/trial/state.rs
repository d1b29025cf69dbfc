//! The predictions of classifiers that are finished, in a folder, so that a trial can be stopped and go on.

use std::path::{Path, PathBuf};

use dermagan_base::atomic;
use serde::{Deserialize, Serialize};

use crate::claim::Claim;
use crate::error::TrustError;

impl Logits {
    /// The logits with one number per class subtracted.
    pub fn less(&self, numbers: &[f32]) -> Self {
        let less = |logits: &[f32]| {
            logits
                .iter()
                .zip(numbers.iter().cycle())
                .map(|(logit, number)| logit - number)
                .collect()
        };
        Self { settings: self.settings.clone(), val: less(&self.val), test: less(&self.test) }
    }
}

/// The folder of a trial.
pub(crate) struct State<'a> {
    pub folder: &'a Path,
    /// Everything that the predictions depend on.
    pub settings: String,
}

/// The logits of one classifier for the images of a fold's validation and test part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logits {
    settings: String,
    pub val: Vec<f32>,
    pub test: Vec<f32>,
}

impl State<'_> {
    /// Makes the folder, or accepts that of this trial.
    pub fn begin(&self) -> Result<(), TrustError> {
        Claim { folder: self.folder, what: "trial", settings: self.settings.clone() }.make()
    }

    fn file(&self, fold: usize, seed: u64, arm: usize) -> PathBuf {
        self.folder.join(format!("fold{fold}-seed{seed}-arm{arm}.json"))
    }

    /// The logits of a classifier that is finished; `test` is the number of logits that it must have for the test part.
    pub fn read(&self, fold: usize, seed: u64, arm: usize, test: usize) -> Option<Logits> {
        let bytes = std::fs::read(self.file(fold, seed, arm)).ok()?;
        let found: Logits = serde_json::from_slice(&bytes).ok()?;
        (found.settings == self.settings && found.test.len() == test).then_some(found)
    }

    /// Keeps the logits of a classifier.
    pub fn write(
        &self,
        [fold, arm]: [usize; 2],
        seed: u64,
        val: Vec<f32>,
        test: Vec<f32>,
    ) -> Result<Logits, TrustError> {
        let logits = Logits { settings: self.settings.clone(), val, test };
        let path = self.file(fold, seed, arm);
        let text =
            serde_json::to_vec(&logits).map_err(|error| TrustError::Input(error.to_string()))?;
        atomic::write(&path, &text).map_err(TrustError::io(path))?;
        Ok(logits)
    }
}
