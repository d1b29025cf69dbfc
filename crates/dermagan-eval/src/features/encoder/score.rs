//! The score of a classifier: balanced accuracy, its interval, and recalls.

use dermagan_base::rng::Keyed;

use super::card::Score;

/// Number of bootstrap resamplings for the interval.
const RESAMPLED: u64 = 2000;

/// The index of the largest value; of equal values, that of the first.
pub(super) fn largest(row: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = i;
        }
    }
    best
}

/// Scores a classifier: balanced accuracy with its 95 % interval, and the recall of each class.
///
/// `logits` holds one row of `classes` values per image, and `truth` the class of each image. The
/// interval is the percentile bootstrap (Efron 1979) within each class. Without images every recall is
/// `None` and the balanced accuracy is 0.
///
/// # Panics
/// When an entry of `truth` is not below `classes`.
pub fn score(logits: &[f32], truth: &[usize], classes: usize) -> Score {
    let mut right: Vec<Vec<bool>> = vec![Vec::new(); classes];
    for (row, class) in logits.chunks(classes.max(1)).zip(truth) {
        right[*class].push(largest(row) == *class);
    }
    let share = |hits: usize, of: usize| hits as f64 / of as f64;
    let recall: Vec<Option<f64>> = right
        .iter()
        .map(|r| (!r.is_empty()).then(|| share(r.iter().filter(|x| **x).count(), r.len())))
        .collect();
    let present: Vec<&Vec<bool>> = right.iter().filter(|r| !r.is_empty()).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let balanced_accuracy = mean(&recall.iter().flatten().copied().collect::<Vec<_>>());
    let mut drawn: Vec<f64> = (0..RESAMPLED)
        .map(|i| {
            let mut draw = Keyed::new(0, "bootstrap", i);
            let recalls: Vec<f64> = present
                .iter()
                .map(|r| {
                    let hits = (0..r.len()).filter(|_| r[draw.below(r.len() as u64) as usize]);
                    share(hits.count(), r.len())
                })
                .collect();
            mean(&recalls)
        })
        .collect();
    drawn.sort_by(f64::total_cmp);
    let at = |p: f64| drawn[((RESAMPLED - 1) as f64 * p).round() as usize];
    Score { images: truth.len(), balanced_accuracy, interval: [at(0.025), at(0.975)], recall }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_class_counts_as_much_as_a_common_one() {
        // Nine images of class 0 are right, one of class 1 is wrong, and class 2 has none.
        let truth: Vec<usize> = std::iter::repeat_n(0, 9).chain([1]).collect();
        let logits: Vec<f32> = std::iter::repeat_n([2.0, 1.0, 0.0], 10).flatten().collect();
        let score = score(&logits, &truth, 3);
        assert_eq!(score.balanced_accuracy, 0.5);
        assert_eq!(score.recall, [Some(1.0), Some(0.0), None]);
        assert_eq!(score.interval, [0.5, 0.5]);
    }
}
