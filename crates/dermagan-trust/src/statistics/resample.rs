//! Intervals by resampling.

use dermagan_base::rng::Keyed;

/// A quantile of values, 0 to 1, between the two nearest in proportion, as by NumPy. NaN without a value.
pub fn quantile(values: &[f64], probability: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = probability.clamp(0.0, 1.0) * last as f64;
    let (below, share) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    sorted[below] + share * (sorted[above] - sorted[below])
}

/// The ends of the 95 % interval of some draws.
pub fn interval(draws: &[f64]) -> [f64; 2] {
    [quantile(draws, 0.025), quantile(draws, 0.975)]
}

/// The two-sided p of 0 by draws of a difference, at least that of a single draw.
pub fn two_sided(draws: &[f64]) -> f64 {
    let n = draws.len() as f64;
    let share = |is: &dyn Fn(&f64) -> bool| draws.iter().filter(|v| is(v)).count() as f64 / n;
    (2.0 * share(&|v| *v <= 0.0).min(share(&|v| *v >= 0.0))).clamp(1.0 / n, 1.0)
}

/// `n` indices below `count`, with repetition.
pub fn drawn(random: &mut Keyed, count: usize, n: usize) -> Vec<usize> {
    (0..n).map(|_| random.below(count as u64) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_the_nearest_values() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[0.0, 1.0], 0.25), 0.25);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
