//! The best snapshot of a run by its metric.

use std::path::Path;

use dermagan_model::ModelFile;
use serde::{Deserialize, Serialize};

/// The file of the best generator.
pub const BEST_GENERATOR: &str = "generator-best.safetensors";
/// The file with the record of the best generator ([`Best`]).
pub const BEST_RECORD: &str = "best.json";

/// The record of the best snapshot so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Name of the metric that chose it, such as `kid2048_lesion`.
    pub metric: String,
    /// Value of the metric; lower is better.
    pub value: f64,
    /// Number of images seen.
    pub nimg: u64,
}

/// The best snapshot of a run. `None` if it has no record or its generator is missing.
pub fn best_of(run: &Path) -> Option<Best> {
    let best = serde_json::from_slice(&std::fs::read(run.join(BEST_RECORD)).ok()?).ok()?;
    run.join(BEST_GENERATOR).is_file().then_some(best)
}

/// Number of images seen at the best snapshot of a run, from its generator or from the record, whichever is later: a
/// process may have been killed between writing the two.
pub fn best_nimg(run: &Path) -> Option<u64> {
    let card = ModelFile::open(&run.join(BEST_GENERATOR)).ok().and_then(|model| model.card);
    card.map(|card| card.nimg).max(best_of(run).map(|best| best.nimg))
}
