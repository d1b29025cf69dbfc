//! How well predictions fit: balanced accuracy first.

use serde::Serialize;

use crate::statistics::auc;

/// Bins of the calibration error.
const BINS: usize = 15;

/// The scores of predictions. A score of which nothing is known is NaN, which JSON writes as null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The mean of the classes' recalls.
    pub balanced_accuracy: f64,
    /// The mean of the areas under the ROC curves of each class against all others.
    pub macro_auc: f64,
    /// The area of melanoma (`mel`) against all others; NaN if the data has no such class.
    pub melanoma_auc: f64,
    /// The recall of each class.
    pub recall: Vec<f64>,
    /// The expected calibration error of the most likely class, in 15 bins of equal width (Guo et al. 2017).
    pub calibration_error: f64,
}

/// The predictions for some images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Predictions {
    /// Number of classes.
    pub classes: usize,
    /// `[n, classes]`.
    pub probabilities: Vec<f32>,
}

impl Predictions {
    /// The probabilities that belong to logits, `[n, classes]`.
    pub fn of_logits(logits: &[f32], classes: usize) -> Self {
        let row = |row: &[f32]| {
            let largest = row.iter().copied().fold(f32::MIN, f32::max);
            let exponentials: Vec<f32> = row.iter().map(|v| (v - largest).exp()).collect();
            let sum: f32 = exponentials.iter().sum();
            exponentials.into_iter().map(move |v| v / sum)
        };
        Self { classes, probabilities: logits.chunks_exact(classes).flat_map(row).collect() }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.probabilities.chunks_exact(self.classes)
    }

    /// The most likely class of each image.
    pub fn most_likely(&self) -> Vec<usize> {
        let largest = |row: &[f32]| {
            (0..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
        };
        self.rows().map(largest).collect()
    }

    /// The scores against the true classes. `melanoma` is the index of that class.
    pub fn scores(&self, truth: &[usize], melanoma: Option<usize>) -> Scores {
        let found = self.most_likely();
        let recall = recalls(&found, truth, self.classes, &vec![1; truth.len()]);
        let of_class = |class: usize| {
            let with = |is: bool| -> Vec<f64> {
                let rows = self.rows().zip(truth).filter(|(_, truth)| (**truth == class) == is);
                rows.map(|(row, _)| f64::from(row[class])).collect()
            };
            let (positive, negative) = (with(true), with(false));
            (!positive.is_empty() && !negative.is_empty()).then(|| auc(&positive, &negative))
        };
        let areas: Vec<f64> = (0..self.classes).filter_map(of_class).collect();
        Scores {
            balanced_accuracy: mean(&recall),
            macro_auc: areas.iter().sum::<f64>() / areas.len() as f64,
            melanoma_auc: melanoma.and_then(of_class).unwrap_or(f64::NAN),
            recall,
            calibration_error: self.calibration_error(&found, truth),
        }
    }

    fn calibration_error(&self, found: &[usize], truth: &[usize]) -> f64 {
        let mut bins = vec![(0usize, 0.0f64, 0.0f64); BINS];
        for ((row, found), truth) in self.rows().zip(found).zip(truth) {
            let sure = f64::from(row[*found]);
            // A bin includes its upper end.
            let bin = ((sure * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            bins[bin].0 += 1;
            bins[bin].1 += sure;
            bins[bin].2 += f64::from(u8::from(found == truth));
        }
        let gap = |(_, sure, right): &(usize, f64, f64)| (sure - right).abs();
        bins.iter().map(gap).sum::<f64>() / truth.len().max(1) as f64
    }
}

/// The recall of each class, where image `i` counts `weight[i]` times; NaN for a class without an image.
pub(crate) fn recalls(
    found: &[usize],
    truth: &[usize],
    classes: usize,
    weight: &[u32],
) -> Vec<f64> {
    let mut counts = vec![(0u64, 0u64); classes];
    for ((found, truth), weight) in found.iter().zip(truth).zip(weight) {
        counts[*truth].1 += u64::from(*weight);
        counts[*truth].0 += u64::from(*weight) * u64::from(found == truth);
    }
    counts
        .into_iter()
        .map(|(right, all)| if all > 0 { right as f64 / all as f64 } else { f64::NAN })
        .collect()
}

/// The mean of the values that are known.
pub(crate) fn mean(values: &[f64]) -> f64 {
    let known: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    known.iter().sum::<f64>() / known.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_known_predictions() {
        let probabilities = vec![0.8, 0.2, 0.4, 0.6, 0.3, 0.7, 0.9, 0.1];
        let found = Predictions { classes: 2, probabilities }.scores(&[0, 0, 1, 1], Some(1));
        assert_eq!(found.recall, [0.5, 0.5]);
        assert_eq!(found.balanced_accuracy, 0.5);
        // Pairs of class 1 above class 0: 0.7 over both, 0.1 over none.
        assert_eq!(found.melanoma_auc, 0.5);
        assert!(found.calibration_error > 0.0 && found.calibration_error < 1.0);
        let none = Predictions { classes: 2, probabilities: vec![0.8, 0.2] }.scores(&[0], None);
        assert!(
            none.melanoma_auc.is_nan() && none.recall[1].is_nan() && none.balanced_accuracy == 1.0
        );
    }

    #[test]
    fn logits_become_probabilities() {
        let found = Predictions::of_logits(&[0.0, 0.0, 100.0, 0.0], 2);
        assert_eq!(found.probabilities[..2], [0.5, 0.5]);
        assert_eq!(found.most_likely(), [0, 0]);
        assert!((found.probabilities[2] - 1.0).abs() < 1e-6);
    }
}
