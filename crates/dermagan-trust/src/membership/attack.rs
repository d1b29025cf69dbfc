//! Membership inference: whether an attacker can tell from the generated images which photographs the generator learnt from.

use dermagan_base::rng::Keyed;
use rayon::prelude::*;
use serde::Serialize;

use crate::statistics::{auc, drawn, interval, quantile, true_positive_rate};

/// Rate of false positives at which true ones are counted.
const FALSE_POSITIVES: f64 = 0.01;
/// Draws of the interval.
const DRAWS: u64 = 400;
/// Draws of members that play non-members.
const BAND_DRAWS: u64 = 2000;
/// The chance that one of an audit's attacks on members alone leaves its band.
const FALSE_ALARM: f64 = 0.05;

/// An attack that scores photographs, and how well the scores tell members from held-out ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Attack {
    /// The area under the ROC curve: 0.5 is chance.
    pub auc: f64,
    /// The lower end of the 95 % interval of `auc`, by drawing lesions with repetition.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// The largest AUC of the same scores between members and members that play non-members, in a number of draws of which
    /// few are above it by chance.
    pub band: f64,
    /// The share of members that are found at 1 % false positives; `None` with fewer than 100 held-out lesions.
    pub found_at_1_percent: Option<f64>,
    /// The band of `found_at_1_percent`.
    pub found_band: Option<f64>,
    /// Lesions that the generator learnt from.
    pub members: usize,
    /// Held-out lesions.
    pub held_out: usize,
}

impl Attack {
    /// The attack whose scores are higher for likely members; one score per lesion. `tests` is the number of attacks of the
    /// audit, and `index` that of this one.
    pub fn new(members: &[f64], held_out: &[f64], tests: usize, seed: u64, index: u64) -> Self {
        let rates = held_out.len() >= (1.0 / FALSE_POSITIVES) as usize;
        let rate =
            |members: &[f64], others: &[f64]| true_positive_rate(members, others, FALSE_POSITIVES);
        let resampled = |number: u64| {
            let mut random = Keyed::new(seed, "audit attack", index * DRAWS + number);
            let mut pick = |scores: &[f64]| -> Vec<f64> {
                drawn(&mut random, scores.len(), scores.len()).iter().map(|i| scores[*i]).collect()
            };
            auc(&pick(members), &pick(held_out))
        };
        let draws: Vec<f64> = (0..DRAWS).into_par_iter().map(resampled).collect();
        let [low, high] = interval(&draws);
        // Two figures per attack.
        let level = 1.0 - FALSE_ALARM / (2 * tests.max(1)) as f64;
        let among_members = |number: u64| {
            let mut random = Keyed::new(seed, "audit band", index * BAND_DRAWS + number);
            let order = random.permutation(members.len());
            let (others, rest) = order.split_at(held_out.len().min(members.len() / 2));
            let pick =
                |some: &[u32]| -> Vec<f64> { some.iter().map(|i| members[*i as usize]).collect() };
            let (others, rest) = (pick(others), pick(rest));
            (auc(&rest, &others), if rates { rate(&rest, &others) } else { 0.0 })
        };
        let band: Vec<(f64, f64)> = (0..BAND_DRAWS).into_par_iter().map(among_members).collect();
        let (areas, found): (Vec<f64>, Vec<f64>) = band.into_iter().unzip();
        Self {
            auc: auc(members, held_out),
            low,
            high,
            band: quantile(&areas, level),
            found_at_1_percent: rates.then(|| rate(members, held_out)),
            found_band: rates.then(|| quantile(&found, level)),
            members: members.len(),
            held_out: held_out.len(),
        }
    }

    /// Whether the attack succeeds more than it does among members alone.
    pub fn succeeds(&self) -> bool {
        let found = self.found_at_1_percent.zip(self.found_band);
        self.auc > self.band || found.is_some_and(|(found, band)| found > band)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(n: usize, mean: f64, seed: u64) -> Vec<f64> {
        Keyed::new(seed, "test", 0).normals(n, mean, 1.0).into_iter().map(f64::from).collect()
    }

    #[test]
    fn equal_scores_do_not_succeed_and_higher_ones_do() {
        let chance = Attack::new(&scores(800, 0.0, 1), &scores(200, 0.0, 2), 8, 0, 0);
        assert!(!chance.succeeds() && chance.low < 0.5 && chance.high > 0.5, "{chance:?}");
        let told = Attack::new(&scores(800, 0.7, 1), &scores(200, 0.0, 2), 8, 0, 0);
        assert!(told.succeeds() && told.low > 0.6, "{told:?}");
        // One in twenty members that is known for certain is an attack too, though the area hardly shows it.
        let mut some = scores(800, 0.0, 1);
        some.iter_mut().take(40).for_each(|score| *score = 9.0);
        let sharp = Attack::new(&some, &scores(200, 0.0, 2), 8, 0, 0);
        assert!(sharp.succeeds() && sharp.found_at_1_percent > Some(0.04), "{sharp:?}");
    }

    #[test]
    fn few_lesions_have_no_rate_at_1_percent() {
        let few = Attack::new(&scores(90, 0.0, 1), &scores(20, 0.0, 2), 8, 0, 0);
        assert_eq!((few.found_at_1_percent, few.found_band), (None, None));
    }
}
