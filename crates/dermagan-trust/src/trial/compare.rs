//! What a difference between two arms means.

use dermagan_base::rng::Keyed;
use rayon::prelude::*;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::score::{mean, recalls};
use crate::statistics::{drawn, quantile, two_sided};

/// With fewer seeds a difference may be that of a few trainings, so nothing is concluded.
pub(crate) const FEWEST_SEEDS: usize = 6;
/// Draws of the bootstrap.
const DRAWS: u64 = 2000;

/// The answer to whether an arm is better than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The 95 % interval of the difference is above 0.
    Benefit,
    /// It is below 0.
    Harm,
    /// The 90 % interval lies within the margin: there is no benefit worth it.
    NoBenefit,
    /// None of these.
    Inconclusive,
}

/// The difference of two arms in balanced accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The mean difference over seeds.
    pub difference: f64,
    /// The ends of its 95 % interval, by drawing lesions with repetition within each class, and seeds.
    pub interval: [f64; 2],
    /// The ends of its 90 % interval.
    pub interval_90: [f64; 2],
    /// The two-sided p of no difference by the same draws, at least 1 / 2000.
    pub p: f64,
    /// The p after Holm's correction for the number of ratios; equal to `p` for a single comparison.
    pub p_corrected: f64,
    /// The ends of the 95 % interval by the corrected t of Nadeau and Bengio (2003) over folds, the conservative bound; `None`
    /// without folds.
    pub interval_t: Option<[f64; 2]>,
    /// The answer.
    pub answer: Answer,
    /// The number of held-out lesions with which the 90 % interval would fit into the margin; `None` unless inconclusive.
    pub lesions_needed: Option<usize>,
}

/// Predictions of two arms for the same images: the most likely classes by seed, and what the images are.
pub(crate) struct Paired<'a> {
    pub better: &'a [Vec<usize>],
    pub base: &'a [Vec<usize>],
    pub truth: &'a [usize],
    pub lesion: &'a [usize],
    pub classes: usize,
}

impl Paired<'_> {
    /// The difference. `margin` is the smallest worthwhile difference of balanced accuracy; `seed` draws.
    pub fn difference(&self, margin: f64, seed: u64) -> Difference {
        let strata = self.strata();
        let seeds: Vec<usize> = (0..self.better.len()).collect();
        let observed = self.with(&vec![1; self.truth.len()], &seeds);
        let draw = |number: u64| {
            let mut random = Keyed::new(seed, "trial draw", number);
            let mut weight = vec![0u32; self.truth.len()];
            for lesions in &strata {
                for _ in 0..lesions.len() {
                    let lesion = &lesions[random.below(lesions.len() as u64) as usize];
                    lesion.iter().for_each(|image| weight[*image] += 1);
                }
            }
            // The seeds are a sample too: another training would have given other predictions.
            self.with(&weight, &drawn(&mut random, seeds.len(), seeds.len()))
        };
        let draws: Vec<f64> = (0..DRAWS).into_par_iter().map(draw).collect();
        let ends = |tail: f64| [quantile(&draws, tail), quantile(&draws, 1.0 - tail)];
        let (interval, interval_90) = (ends(0.025), ends(0.05));
        let p = two_sided(&draws);
        let answer = match self.better.len() < FEWEST_SEEDS {
            true => Answer::Inconclusive,
            false => answer(interval, interval_90, margin),
        };
        let half = (interval_90[1] - interval_90[0]) / 2.0;
        let room = margin - observed.abs();
        let lesions: usize = strata.iter().map(Vec::len).sum();
        let needed = (answer == Answer::Inconclusive)
            .then(|| (lesions as f64 * (half / room.max(margin / 2.0)).powi(2)).ceil() as usize);
        Difference {
            difference: observed,
            interval,
            interval_90,
            p,
            p_corrected: p,
            interval_t: None,
            answer,
            lesions_needed: needed.map(|needed| needed.max(lesions + 1)),
        }
    }

    /// The images of each lesion, by class: the class of a lesion is that of its first image.
    fn strata(&self) -> Vec<Vec<Vec<usize>>> {
        let mut lesions: std::collections::BTreeMap<usize, Vec<usize>> =
            std::collections::BTreeMap::new();
        for (image, lesion) in self.lesion.iter().enumerate() {
            lesions.entry(*lesion).or_default().push(image);
        }
        let mut strata = vec![Vec::new(); self.classes];
        lesions.into_values().for_each(|images| strata[self.truth[images[0]]].push(images));
        strata.retain(|lesions| !lesions.is_empty());
        strata
    }

    /// The mean difference of balanced accuracy over some seeds, where image `i` counts `weight[i]` times.
    fn with(&self, weight: &[u32], seeds: &[usize]) -> f64 {
        let accuracy = |found: &[usize]| mean(&recalls(found, self.truth, self.classes, weight));
        let difference = |seed: &usize| accuracy(&self.better[*seed]) - accuracy(&self.base[*seed]);
        let differences: Vec<f64> = seeds.iter().map(difference).collect();
        mean(&differences)
    }
}

/// The answer that two intervals give.
fn answer(interval: [f64; 2], interval_90: [f64; 2], margin: f64) -> Answer {
    match () {
        () if interval[0] > 0.0 => Answer::Benefit,
        () if interval[1] < 0.0 => Answer::Harm,
        () if interval_90[0] > -margin && interval_90[1] < margin => Answer::NoBenefit,
        () => Answer::Inconclusive,
    }
}

/// The 95 % interval of a mean difference over folds by the corrected t of Nadeau and Bengio (2003): its variance is
/// (1/J + test/train) times that of the folds. `share` is the number of test images divided by that of training images.
/// `None` with fewer than two folds.
pub(crate) fn corrected_t(differences: &[f64], share: f64) -> Option<[f64; 2]> {
    let folds = differences.len() as f64;
    if differences.len() < 2 {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / folds;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (folds - 1.0);
    let error = ((1.0 / folds + share) * variance).sqrt();
    let t = StudentsT::new(0.0, 1.0, folds - 1.0).ok()?.inverse_cdf(0.975);
    Some([mean - t * error, mean + t * error])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Predictions that are right with a probability, for images of two per lesion.
    fn found(truth: &[usize], right: f64, seed: u64) -> Vec<usize> {
        let mut random = Keyed::new(seed, "test", 0);
        truth.iter().map(|t| if random.unit() < right { *t } else { (t + 1) % 3 }).collect()
    }

    fn difference(better: f64, base: f64, images: usize) -> Difference {
        let truth: Vec<usize> = (0..images).map(|i| i / 2 % 3).collect();
        let lesion: Vec<usize> = (0..images).map(|i| i / 2).collect();
        let of = |right: f64, first: u64| -> Vec<Vec<usize>> {
            (first..first + 6).map(|seed| found(&truth, right, seed)).collect()
        };
        let (better, base) = (of(better, 0), of(base, 100));
        Paired { better: &better, base: &base, truth: &truth, lesion: &lesion, classes: 3 }
            .difference(0.03, 0)
    }

    #[test]
    fn a_clear_difference_is_a_benefit_or_a_harm() {
        assert_eq!(difference(0.8, 0.6, 1500).answer, Answer::Benefit);
        assert_eq!(difference(0.6, 0.8, 1500).answer, Answer::Harm);
        let none = difference(0.7, 0.7, 9000);
        assert_eq!(none.answer, Answer::NoBenefit, "{none:?}");
        let few = difference(0.7, 0.7, 60);
        assert_eq!(few.answer, Answer::Inconclusive, "{few:?}");
        assert!(few.lesions_needed > Some(100), "{few:?}");
    }

    #[test]
    fn a_classifier_that_was_given_the_answers_shows_a_benefit() {
        let truth: Vec<usize> = (0..300).map(|i| i % 3).collect();
        let lesion: Vec<usize> = (0..300).collect();
        let told = vec![truth.clone(); 6];
        let base: Vec<Vec<usize>> = (0..6).map(|seed| found(&truth, 0.6, seed)).collect();
        let paired =
            Paired { better: &told, base: &base, truth: &truth, lesion: &lesion, classes: 3 };
        assert_eq!(paired.difference(0.02, 0).answer, Answer::Benefit);
    }
}
