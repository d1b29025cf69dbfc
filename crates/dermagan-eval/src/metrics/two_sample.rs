//! The classifier two-sample test (Lopez-Paz and Oquab 2017, "Revisiting classifier two-sample tests",
//! [arXiv:1610.06545](https://arxiv.org/abs/1610.06545)): how well a classifier tells two sets of images apart that it was
//! not fitted on.
//!
//! The classifier is a logistic regression on the features, and the figure is the area under its ROC curve: of the pairs of
//! an image of either set, the share in which the image of the second set has the higher score. 0.5 is chance.

use std::collections::BTreeSet;

use dermagan_base::rng::Keyed;
use rayon::prelude::*;

use super::logistic::{Labelled, Logistic};
use super::mmd::distinct;
use crate::error::EvalError;
use crate::features::Features;

/// Number of parts; a classifier is fitted on all parts but one, and judges the images of that one.
const PARTS: usize = 5;
/// The weight of the L2 penalty beside the mean loss. Weak enough to see what a network sees, and strong enough that a fit on
/// a few hundred images says something about others.
const PENALTY: f64 = 0.03;
/// With fewer lesions in a set there is no test: its error would be larger than 0.1.
pub const FEWEST_TO_TELL: usize = 50;

/// How well a classifier separates two sets of images.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoSample {
    /// The area under the ROC curve, 0 to 1: the mean over the parts. 0.5 is chance.
    pub auc: f64,
    /// The standard error of `auc`, as if images were independent (DeLong, DeLong and Clarke-Pearson 1988).
    pub standard_error: f64,
    /// For each image of the second set, the share of images of the first set that look less like the second set, 0 to 1,
    /// by a classifier that was fitted on neither. Their mean is `auc`.
    pub scores: Vec<f64>,
}

/// Tells `first` from `second`. Images of one lesion are in one part: `lesions` has one number per row of each set; the
/// two sets share no lesion. `seed` draws the parts. `None` with fewer than [`FEWEST_TO_TELL`] lesions in a set.
///
/// # Errors
/// As [`two_sample_in_parts`], or if `lesions` does not have one number per row.
pub fn two_sample(
    sets: [&Features; 2],
    lesions: [&[usize]; 2],
    seed: u64,
) -> Result<Option<TwoSample>, EvalError> {
    if lesions.iter().any(|lesions| distinct(lesions) < FEWEST_TO_TELL) {
        return Ok(None);
    }
    let [first, second] = lesions.map(|lesions| parts(lesions, seed));
    two_sample_in_parts(sets, [&first, &second]).map(Some)
}

/// The same for parts of the caller: `parts` has the number of a part per row of each set. The classifier that judges the
/// images of a part was fitted on all others. Every part has images of both sets.
///
/// # Errors
/// If the sets differ in the number of features, `parts` does not have one number per row, a part lacks images of a set, or
/// a value is not finite.
pub fn two_sample_in_parts(
    [first, second]: [&Features; 2],
    parts: [&[usize]; 2],
) -> Result<TwoSample, EvalError> {
    let counts = [first.count(), second.count()];
    let dims = first.dims;
    if second.dims != dims || counts != parts.map(<[usize]>::len) {
        return Err(EvalError::Input(format!(
            "cannot tell sets apart of {dims} and {} features per image, with {counts:?} rows and {:?} numbers of a part",
            second.dims,
            parts.map(<[usize]>::len)
        )));
    }
    if first.values.iter().chain(&second.values).any(|value| !value.is_finite()) {
        return Err(EvalError::Input("a feature is not finite".into()));
    }
    let numbers: [BTreeSet<usize>; 2] = parts.map(|parts| parts.iter().copied().collect());
    if numbers[0] != numbers[1] || numbers[0].len() < 2 {
        return Err(EvalError::Input(format!(
            "expected two parts or more, with images of both sets in each; found the parts {:?} and {:?}",
            numbers[0], numbers[1]
        )));
    }
    let features = standardised(first, second);
    let labels: Vec<bool> = (0..features.count()).map(|i| i >= counts[0]).collect();
    let parts = parts.concat();
    let rows = |is: &dyn Fn(usize) -> bool| -> Vec<usize> {
        (0..features.count()).filter(|i| is(*i)).collect()
    };
    let numbers: Vec<usize> = numbers[0].iter().copied().collect();
    let judged: Vec<_> = numbers
        .into_par_iter()
        .map(|part| {
            let fitted = rows(&|i| parts[i] != part);
            let data = Labelled { features: &features, rows: &fitted, labels: &labels };
            let classifier = Logistic::fit(&data, PENALTY);
            let score = |i: usize| (i, classifier.score(features.row(i)));
            let of = |label| rows(&|i| parts[i] == part && labels[i] == label);
            [false, true].map(|label| of(label).into_iter().map(score).collect::<Vec<_>>())
        })
        .collect();
    Ok(joined(&judged, counts))
}

/// The result, from the scores of the images of both sets in each part.
fn joined(judged: &[[Vec<(usize, f64)>; 2]], [first, second]: [usize; 2]) -> TwoSample {
    let mut scores = vec![0.0; second];
    let (mut auc, mut variance) = (0.0, 0.0);
    for [firsts, seconds] in judged {
        let [below, above] = shares([firsts, seconds]);
        let part = judged.len() as f64;
        auc += mean(&above) / part;
        variance += (spread(&above) / above.len() as f64 + spread(&below) / below.len() as f64)
            / (part * part);
        // The scores of different classifiers differ in their scale; the shares do not.
        seconds.iter().zip(above).for_each(|((i, _), share)| scores[i - first] = share);
    }
    TwoSample { auc, standard_error: variance.sqrt(), scores }
}

/// Both sets, with each feature standardised over both. A constant feature becomes zero, because it tells nothing.
fn standardised(first: &Features, second: &Features) -> Features {
    let rows =
        || first.values.chunks_exact(first.dims).chain(second.values.chunks_exact(first.dims));
    let n = (first.count() + second.count()) as f64;
    let mut means = vec![0.0f64; first.dims];
    for row in rows() {
        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += f64::from(*value) / n);
    }
    let mut variances = vec![0.0f64; first.dims];
    for row in rows() {
        for ((variance, value), mean) in variances.iter_mut().zip(row).zip(&means) {
            *variance += (f64::from(*value) - mean).powi(2) / n;
        }
    }
    let scales = means.iter().zip(variances).map(|(mean, variance)| {
        let deviation = variance.sqrt();
        if deviation > 1e-6 * mean.abs() { 1.0 / deviation } else { 0.0 }
    });
    let scales: Vec<f64> = scales.collect();
    let values = rows().flat_map(|row| {
        row.iter()
            .zip(means.iter().zip(&scales))
            .map(|(value, (mean, scale))| ((f64::from(*value) - mean) * scale) as f32)
    });
    Features { dims: first.dims, values: values.collect() }
}

/// The part of each image. Lesions are dealt out in a random order, so that each part has the same number of them.
fn parts(lesions: &[usize], seed: u64) -> Vec<usize> {
    let mut known = lesions.to_vec();
    known.sort_unstable();
    known.dedup();
    let order = Keyed::new(seed, "two-sample parts", 0).permutation(known.len());
    let place = |lesion: &usize| known.binary_search(lesion).unwrap_or_default();
    lesions.iter().map(|lesion| order[place(lesion)] as usize % PARTS).collect()
}

/// For each first image the share of second images with a higher score, and for each second image the share of first
/// images with a lower one. Equal scores count half.
fn shares([first, second]: [&[(usize, f64)]; 2]) -> [Vec<f64>; 2] {
    let sorted = |images: &[(usize, f64)]| {
        let mut scores: Vec<f64> = images.iter().map(|(_, score)| *score).collect();
        scores.sort_by(f64::total_cmp);
        scores
    };
    let (firsts, seconds) = (sorted(first), sorted(second));
    let below = |(_, score): &(usize, f64), others: &[f64]| {
        let below = others.partition_point(|other| other < score);
        let not_above = others.partition_point(|other| other <= score);
        (below + not_above) as f64 / (2 * others.len()).max(1) as f64
    };
    [
        first.iter().map(|image| 1.0 - below(image, &seconds)).collect(),
        second.iter().map(|image| below(image, &firsts)).collect(),
    ]
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The sample variance.
fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    squares / values.len().saturating_sub(1).max(1) as f64
}
