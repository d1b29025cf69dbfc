//! The selection of images to make: seeds, classes and truncation.

use std::ops::Range;

use dermagan_base::SettingError;

use crate::sampler::Shot;
use crate::seeds::first_seeds;

/// The largest truncation. The values of the network overflow above it.
const MAX_TRUNCATION: f64 = 100.0;
/// Largest number of images per batch.
const MAX_BATCH: usize = 4096;
/// Largest number of images of one call.
const MAX_IMAGES: u64 = 100_000_000;

/// The images to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Seeds, as ranges in order.
    pub seeds: Vec<Range<u64>>,
    /// Codes of classes. Each seed is made once per class. Empty: the seed decides the class. The single word `all`
    /// stands for every class of the model.
    pub classes: Vec<String>,
    /// Truncation ψ, 0 to 100, which scales z but not the noise. 1 gives full variety, less gives images closer to the average
    /// (Brock et al. 2019).
    pub truncation: f64,
    /// Images per batch, 1 to 4096. It changes speed and memory, never the images.
    pub batch: usize,
}

impl Default for Selection {
    /// Seeds 0 to 63 at full variety.
    fn default() -> Self {
        Self { seeds: first_seeds(64), classes: Vec::new(), truncation: 1.0, batch: 64 }
    }
}

impl Selection {
    /// The seeds 0 to `n` - 1.
    pub fn first(n: u64) -> Self {
        Self { seeds: first_seeds(n), ..Self::default() }
    }

    /// The number of images if each seed is made once per class of `classes`.
    pub(crate) fn count(&self, classes: usize) -> u64 {
        let seeds = self
            .seeds
            .iter()
            .fold(0, |sum: u64, r| sum.saturating_add(r.end.saturating_sub(r.start)));
        seeds.saturating_mul(classes.max(1) as u64)
    }

    /// Refuses a truncation or a batch out of range.
    ///
    /// # Errors
    /// Names the setting and its range.
    pub fn check_values(&self) -> Result<(), SettingError> {
        check(self.truncation, self.batch)
    }

    /// Refuses values out of range.
    pub(crate) fn check(&self, classes: usize) -> Result<(), SettingError> {
        check(self.truncation, self.batch)?;
        if let Some(range) = self.seeds.iter().find(|range| range.is_empty()) {
            let problem = format!("the range {}..{} is empty", range.start, range.end);
            return Err(SettingError::new("seeds", problem));
        }
        let count = self.count(classes);
        match (1..=MAX_IMAGES).contains(&count) {
            true => Ok(()),
            false => {
                let problem = format!("{count} images requested; expected 1 to {MAX_IMAGES}");
                Err(SettingError::new("seeds", problem))
            }
        }
    }

    /// The ranges of seeds in words, such as `0-63`.
    pub(crate) fn ranges(&self) -> Vec<String> {
        let range = |seeds: &Range<u64>| format!("{}-{}", seeds.start, seeds.end.saturating_sub(1));
        self.seeds.iter().map(range).collect()
    }

    /// The images: all seeds of the first class, then of the next.
    pub(crate) fn shots(&self, classes: &[usize]) -> impl Iterator<Item = Shot> + use<> {
        let classes: Vec<Option<usize>> = match classes {
            [] => vec![None],
            some => some.iter().copied().map(Some).collect(),
        };
        let seeds = self.seeds.clone();
        classes.into_iter().flat_map(move |class| {
            seeds.clone().into_iter().flatten().map(move |seed| Shot { seed, class })
        })
    }
}

/// Refuses a truncation or a batch out of range.
pub(crate) fn check(truncation: f64, batch: usize) -> Result<(), SettingError> {
    if !(0.0..=MAX_TRUNCATION).contains(&truncation) {
        let problem = format!("expected 0 to {MAX_TRUNCATION}; 1 gives full variety");
        return Err(SettingError::value("truncation", truncation, problem));
    }
    if !(1..=MAX_BATCH).contains(&batch) {
        return Err(SettingError::value("batch", batch, format!("expected 1 to {MAX_BATCH}")));
    }
    Ok(())
}
