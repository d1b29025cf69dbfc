//! How far two sets of scores are apart, by their ranks.

use crate::statistics::resample::quantile;

/// The share of pairs of a score of `positives` and one of `negatives` in which the positive is larger; ties count half
/// (Mann and Whitney 1947). 0.5 without a pair.
pub fn auc(positives: &[f64], negatives: &[f64]) -> f64 {
    let mut sorted = negatives.to_vec();
    sorted.sort_by(f64::total_cmp);
    share_above(positives, &sorted)
}

/// [`auc`] for negatives in ascending order.
fn share_above(positives: &[f64], sorted: &[f64]) -> f64 {
    if positives.is_empty() || sorted.is_empty() {
        return 0.5;
    }
    let wins = |score: &f64| {
        let below = sorted.partition_point(|other| other < score);
        let not_above = sorted.partition_point(|other| other <= score);
        (below + not_above) as f64 / 2.0
    };
    positives.iter().map(wins).sum::<f64>() / (positives.len() * sorted.len()) as f64
}

/// The share of `positives` above the threshold that `false_positives` (0 to 1) of the `negatives` exceed.
pub fn true_positive_rate(positives: &[f64], negatives: &[f64], false_positives: f64) -> f64 {
    let threshold = quantile(negatives, 1.0 - false_positives);
    let above = positives.iter().filter(|score| **score > threshold).count();
    above as f64 / positives.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs_and_half_of_the_ties() {
        assert_eq!(auc(&[1.0, 2.0], &[0.0, 1.0]), 3.5 / 4.0);
        assert_eq!(auc(&[0.0], &[0.0]), 0.5);
        assert_eq!(auc(&[], &[1.0]), 0.5);
        let (high, low): (Vec<f64>, Vec<f64>) =
            ((10..20).map(f64::from).collect(), (0..10).map(f64::from).collect());
        assert_eq!((auc(&high, &low), auc(&low, &high)), (1.0, 0.0));
    }

    #[test]
    fn the_rate_of_true_positives_is_taken_at_a_rate_of_false_ones() {
        let negatives: Vec<f64> = (0..100).map(f64::from).collect();
        assert_eq!(true_positive_rate(&[50.0, 98.0, 200.0, 300.0], &negatives, 0.01), 0.5);
    }
}
