//! Whether generated images are nearer to training images than to held-out ones.
//!
//! The share of generated images whose nearest training image is nearer than the nearest held-out image is 1/2 for a
//! generator that knows no more of the one than of the other, however little it varies: both distances shrink alike. It is so
//! only for equal numbers of lesions, so these are drawn; without that, held-out photographs themselves have a share of 0.81
//! at 1,600 training and 400 held-out images.

use dermagan_base::rng::Keyed;
use rayon::prelude::*;
use serde::Serialize;

use crate::membership::lesions::{ToLesions, smallest};
use crate::statistics::{drawn, interval};

/// Number of draws of lesions.
const DRAWS: u64 = 400;
/// Number of draws without repetition.
const WHOLE: u64 = 50;

/// The share of generated images that are nearer to a training lesion than to a held-out one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TargetShare {
    /// The mean over draws of as many lesions of each side as the smaller one has; 0.5 is no preference.
    pub share: f64,
    /// The lower end of the 95 % interval, by drawing lesions with repetition.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Lesions of each side in a draw.
    pub lesions: usize,
    /// Number of generated images.
    pub images: usize,
}

/// The share of images that are nearer to a chosen training lesion than to a chosen held-out one; ties count half.
pub(crate) fn nearer([train, held]: [&ToLesions; 2], chosen: [&[usize]; 2]) -> f64 {
    let wins = train.rows().zip(held.rows()).map(|(of_train, of_held)| {
        let (of_train, of_held) = (smallest(of_train, chosen[0]), smallest(of_held, chosen[1]));
        match of_train.total_cmp(&of_held) {
            std::cmp::Ordering::Less => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 0.0,
        }
    });
    wins.sum::<f64>() / train.queries().max(1) as f64
}

/// The share itself, that of each draw, and the numbers of lesions and images.
#[derive(Clone)]
pub(crate) struct ShareDraws {
    share: f64,
    shares: Vec<f64>,
    lesions: usize,
    images: usize,
}

impl ShareDraws {
    /// Draws from the distances of the same images to the lesions of both sides. `index` distinguishes the calls.
    pub fn new(train: &ToLesions, held: &ToLesions, seed: u64, index: u64) -> Self {
        let lesions = train.lesions.min(held.lesions);
        let draw = |number: u64| {
            let mut random = Keyed::new(seed, "audit share", index * DRAWS + number);
            // With repetition from as many lesions of each side: from more lesions, fewer would repeat, and the nearest of
            // more different ones is nearer.
            let chosen = [train, held].map(|side| {
                let pool = random.permutation(side.lesions);
                let chosen = drawn(&mut random, lesions, lesions);
                chosen.into_iter().map(|i| pool[i] as usize).collect::<Vec<_>>()
            });
            nearer([train, held], chosen.each_ref().map(Vec::as_slice))
        };
        // The share itself has every lesion of the smaller side once. In a draw with repetition a third of the lesions is
        // missing, which brings every share nearer to a half.
        let whole = |number: u64| {
            let mut random = Keyed::new(seed, "audit share all", index * WHOLE + number);
            let chosen = [train, held].map(|side| {
                let pool = random.permutation(side.lesions);
                pool[..lesions].iter().map(|i| *i as usize).collect::<Vec<_>>()
            });
            nearer([train, held], chosen.each_ref().map(Vec::as_slice))
        };
        let wholes: Vec<f64> = (0..WHOLE).into_par_iter().map(whole).collect();
        let share = wholes.iter().sum::<f64>() / wholes.len() as f64;
        let shares = (0..DRAWS).into_par_iter().map(draw).collect();
        Self { share, shares, lesions, images: train.queries() }
    }

    /// The draws of several classes as one: each class counts by its number of images.
    pub fn joined(all: &[Self]) -> Self {
        let images: usize = all.iter().map(|one| one.images).sum();
        let mean = |of: &dyn Fn(&Self) -> f64| {
            let sum: f64 = all.iter().map(|one| of(one) * one.images as f64).sum();
            sum / images.max(1) as f64
        };
        let share = |draw: usize| mean(&|one| one.shares[draw]);
        Self {
            share: mean(&|one| one.share),
            shares: (0..DRAWS as usize).map(share).collect(),
            lesions: all.iter().map(|one| one.lesions).sum(),
            images,
        }
    }

    /// The share, with the interval of the draws moved from their mean to it.
    pub fn summary(&self) -> TargetShare {
        let mean = self.shares.iter().sum::<f64>() / self.shares.len() as f64;
        let [low, high] =
            interval(&self.shares).map(|end| (end - mean + self.share).clamp(0.0, 1.0));
        let share = self.share;
        TargetShare { share, low, high, lesions: self.lesions, images: self.images }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::products::Points;

    /// Points about the origin; `lesion` per point.
    fn points(n: usize, seed: u64) -> Points {
        Points::new(Keyed::new(seed, "test", 0).normals(n * 4, 0.0, 1.0), 4)
    }

    fn share(queries: &Points, train: &Points, held: &Points) -> TargetShare {
        let to =
            |side: &Points| ToLesions::new(queries, side, &(0..side.count()).collect::<Vec<_>>());
        ShareDraws::new(&to(train), &to(held), 0, 0).summary()
    }

    #[test]
    fn images_without_a_preference_have_a_half_at_any_sizes() {
        let found = share(&points(500, 1), &points(800, 2), &points(100, 3));
        assert!(found.low < 0.5 && 0.5 < found.high, "{found:?}");
        assert_eq!((found.lesions, found.images), (100, 500));
    }

    #[test]
    fn copies_prefer_the_training_side() {
        let train = points(100, 2);
        let found = share(&points(100, 2), &train, &points(100, 3));
        assert!(found.share == 1.0 && found.low > 0.8, "{found:?}");
    }
}
