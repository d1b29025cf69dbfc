//! Standardises features by their mean and deviation over real images.

use crate::features::matrix::Features;

/// The largest absolute value after standardisation.
pub(super) const BOUND: f64 = 20.0;

/// Mean and standard deviation of each feature over real images. After standardisation no feature
/// dominates a distance because its values happen to be large.
#[derive(Clone, Debug, PartialEq)]
pub struct Standard {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Standard {
    /// Computes mean and deviation from the features of real images.
    pub fn of(real: &Features) -> Self {
        let (mean, deviation) = (0..real.dims).map(|column| moments(real, column)).unzip();
        Self { mean, deviation }
    }

    /// Subtracts the mean from each value and divides by the deviation; the result is clamped to ±20. A
    /// feature that was constant over the real images gives 0 at that constant and ±20 elsewhere.
    /// `features` must have as many features per row as the matrix that [`Standard::of`] took.
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

/// A difference in units of a deviation, clamped to ±20. `size` is the magnitude of the values that
/// differ, of which `f32` keeps seven digits.
pub(super) fn in_units(difference: f64, deviation: f64, size: f64) -> f64 {
    let least = 1e-6 * size.abs().max(1.0);
    if difference.abs() <= least {
        return 0.0;
    }
    (difference / deviation.max(least * 1e-6)).clamp(-BOUND, BOUND)
}

/// Mean and standard deviation (over n - 1) of a column. The mean of no rows is 0, and so is the
/// deviation of fewer than two.
pub(super) fn moments(features: &Features, column: usize) -> (f64, f64) {
    let values = features.values.iter().skip(column).step_by(features.dims.max(1));
    let values = values.map(|v| f64::from(*v));
    let count = features.count() as f64;
    let mean = values.clone().sum::<f64>() / count.max(1.0);
    let squares: f64 = values.map(|v| (v - mean) * (v - mean)).sum();
    (mean, (squares / (count - 1.0).max(1.0)).sqrt())
}
