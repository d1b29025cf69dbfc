//! Statistics of a tick, under StyleGAN's field names where they mean the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::step::MEASURES;

/// Count, sum and sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many values.
    pub num: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

impl Moments {
    /// Mean; 0 of nothing.
    pub fn mean(&self) -> f64 {
        if self.num == 0 { 0.0 } else { self.sum / self.num as f64 }
    }

    /// Standard deviation, divided by n.
    pub fn std(&self) -> f64 {
        if self.num == 0 {
            return 0.0;
        }
        (self.squares / self.num as f64 - self.mean().powi(2)).max(0.0).sqrt()
    }
}

/// What the steps since the last tick measured; part of the checkpoint, so that a resumed run
/// writes the lines that an uninterrupted one would.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// In the order of [`MEASURES`]; checkpoints of older programs hold fewer.
    values: Vec<Moments>,
}

/// One value of a line of `stats.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// How many values.
    pub num: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub std: f64,
}

/// A line of `stats.jsonl`.
pub type Line = BTreeMap<String, serde_json::Value>;

impl Tally {
    /// Takes one step's values in.
    pub fn add(&mut self, values: &[f32]) {
        self.values.resize(MEASURES.len(), Moments::default());
        for (moments, &value) in self.values.iter_mut().zip(values) {
            let value = f64::from(value);
            moments.num += 1;
            moments.sum += value;
            moments.squares += value * value;
        }
    }

    /// Mean of a measure, by its place in [`MEASURES`].
    pub fn mean(&self, measure: usize) -> f64 {
        self.values.get(measure).map_or(0.0, Moments::mean)
    }

    /// Steps taken in.
    pub fn steps(&self) -> u64 {
        self.values.first().map_or(0, |m| m.num)
    }

    /// The measures as fields.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Field)> {
        MEASURES
            .iter()
            .zip(&self.values)
            .map(|(name, m)| (*name, Field { num: m.num, mean: m.mean(), std: m.std() }))
    }
}

/// The time for a line, in seconds since 1970, as StyleGAN has it.
pub(crate) fn seconds_since_1970() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}

/// The mean of a field of a line.
pub fn mean_of(line: &Line, name: &str) -> Option<f64> {
    line.get(name)?.get("mean")?.as_f64()
}
