//! Statistics of a tick. Fields have StyleGAN's names where they mean the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::step::measures::Measures;

/// Number, sum and sum of squares of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Number of values.
    pub num: u64,
    /// Sum of the values.
    pub sum: f64,
    /// Sum of their squares.
    pub squares: f64,
}

impl Moments {
    /// Mean of the values; 0 without values.
    pub fn mean(&self) -> f64 {
        if self.num == 0 { 0.0 } else { self.sum / self.num as f64 }
    }

    /// Standard deviation of the values (the population's, with divisor n); 0 without values.
    pub fn std(&self) -> f64 {
        if self.num == 0 {
            return 0.0;
        }
        (self.squares / self.num as f64 - self.mean().powi(2)).max(0.0).sqrt()
    }
}

/// Statistics of the steps since the last tick. A checkpoint holds them, so that a resumed run writes the same lines as
/// an uninterrupted one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// In the order of [`Measures::COLUMNS`]. Checkpoints of older programs hold fewer.
    values: Vec<Moments>,
}

/// One field of a line of `stats.jsonl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Number of values.
    pub num: u64,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the values.
    pub std: f64,
}

/// A line of `stats.jsonl`: its fields by name.
pub type StatsLine = BTreeMap<String, serde_json::Value>;

impl Tally {
    /// Adds the measures of one step.
    pub fn add(&mut self, measures: Measures) {
        self.values.resize(Measures::COUNT, Moments::default());
        for (moments, value) in self.values.iter_mut().zip(measures.into_array()) {
            let value = f64::from(value);
            moments.num += 1;
            moments.sum += value;
            moments.squares += value * value;
        }
    }

    /// The mean of each measure.
    pub fn means(&self) -> Measures<f64> {
        Measures::from_array(std::array::from_fn(|i| self.values.get(i).map_or(0.0, Moments::mean)))
    }

    /// Number of steps that were added.
    pub fn steps(&self) -> u64 {
        self.values.first().map_or(0, |m| m.num)
    }

    /// The measures as fields, each with its name.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Field)> {
        Measures::COLUMNS
            .into_iter()
            .zip(&self.values)
            .map(|(name, m)| (name, Field { num: m.num, mean: m.mean(), std: m.std() }))
    }
}

/// The current time in seconds since 1970, as StyleGAN's lines have it.
pub(crate) fn seconds_since_1970() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0.0, |time| time.as_secs_f64())
}

/// The mean of the field `name` of a line. `None` if the line has no such field.
pub fn mean_of(line: &StatsLine, name: &str) -> Option<f64> {
    line.get(name)?.get("mean")?.as_f64()
}

/// Column of `stats.jsonl` and of metrics: when the line was written, in seconds since 1970.
pub const TIMESTAMP: &str = "timestamp";
/// Column of `stats.jsonl`: number of the tick, from 0.
pub const TICK: &str = "Progress/tick";
/// Column of `stats.jsonl`: thousands of images seen.
pub const KIMG: &str = "Progress/kimg";
/// Column of `stats.jsonl`: seconds per thousand images in the tick, without snapshots.
pub const SECONDS_PER_KIMG: &str = "Timing/sec_per_kimg";
/// Column of `stats.jsonl`: seconds of training since the run began, over all processes.
pub const TOTAL_SECONDS: &str = "Timing/total_sec";

impl Measures<Option<f64>> {
    /// The means of a line of statistics. A line of an older program has fewer; the others are `None`.
    pub fn of_line(line: &StatsLine) -> Self {
        Self::from_array(Measures::COLUMNS.map(|column| mean_of(line, column)))
    }
}
