//! Features in units of how much they vary among real images.

use crate::features::Features;

/// No standardised value lies further from 0.
pub(super) const BOUND: f64 = 20.0;

/// Mean and deviation of every feature over real images. In its units no feature rules a distance
/// because it happens to be counted in large numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    /// From the features of real images.
    pub fn of(real: &Features) -> Self {
        let (mean, deviation) = (0..real.dims).map(|column| moments(real, column)).unzip();
        Self { mean, deviation }
    }

    /// Every value less its mean, over its deviation, within ±20. A feature that did not vary gives
    /// 0 where it has its one value, and ±20 elsewhere. Rows must be as long as those of
    /// [`Standard::of`].
    pub fn apply(&self, features: &Features) -> Features {
        let row = self.mean.iter().zip(&self.deviation);
        let values = features.values.iter().zip(row.cycle());
        let values = values
            .map(|(value, (mean, deviation))| {
                in_units(f64::from(*value) - mean, *deviation, *mean) as f32
            })
            .collect();
        Features { dims: features.dims, values }
    }
}

/// A difference in units of a deviation, within ±20; `size` is of the values that differ, of which
/// `f32` keeps seven digits.
pub(super) fn in_units(difference: f64, deviation: f64, size: f64) -> f64 {
    let least = 1e-6 * size.abs().max(1.0);
    if difference.abs() <= least {
        return 0.0;
    }
    (difference / deviation.max(least * 1e-6)).clamp(-BOUND, BOUND)
}

/// Mean and standard deviation (over n - 1) of a column; zeros where there are too few rows.
pub(super) fn moments(features: &Features, column: usize) -> (f64, f64) {
    let values = features.values.iter().skip(column).step_by(features.dims.max(1));
    let values = values.map(|v| f64::from(*v));
    let count = features.count() as f64;
    let mean = values.clone().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}
