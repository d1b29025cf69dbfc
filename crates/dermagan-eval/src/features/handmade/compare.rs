//! How generated images differ from real ones, feature by feature, in figures and words.

use serde::Serialize;

use super::extractor::features;
use super::feature::{Feature, Group};
use super::standard::{in_units, moments};
use crate::features::matrix::Features;

/// How one feature of generated images differs from the same feature of real images.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Off {
    /// The feature's short name.
    pub name: &'static str,
    /// What the feature measures.
    pub group: Group,
    /// The feature in a plain phrase.
    pub what: &'static str,
    /// Its mean over real images.
    pub real: f64,
    /// Its mean over generated images.
    pub fake: f64,
    /// The difference of the means in pooled standard deviations (Cohen's d), clamped to ±20: 0.2 is
    /// small, 0.8 large; above 0 when generated images have the larger mean.
    pub effect: f64,
    /// The base 2 logarithm of the ratio of standard deviations, clamped to ±10: -1 when generated
    /// images vary half as much as real ones. Before the ratio is taken, 0.05 is added to the
    /// deviations of colour shares and 0.5 to those of the number of colours, so that rare colours
    /// do not lead the list by chance. It is near 0 for `lesion_found`, whose deviation follows from
    /// its mean.
    pub spread: f64,
}

/// Compares every feature of generated images with that of real ones. The result is sorted by the
/// effect or the spread of a feature, whichever is larger, with the largest difference first. It is
/// empty when the rows are not those of [`super::Handmade`], or a set has no rows.
pub fn what_is_off(real: &Features, fake: &Features) -> Vec<Off> {
    let known = |set: &Features| set.dims == features().len() && set.count() > 0;
    if !known(real) || !known(fake) {
        return Vec::new();
    }
    let mut all: Vec<Off> = features()
        .iter()
        .enumerate()
        .map(|(column, feature)| Off::of(feature, real, fake, column))
        .collect();
    all.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    all
}

impl Off {
    fn of(feature: &Feature, real: &Features, fake: &Features, column: usize) -> Self {
        let Feature { name, group, what, grain } = *feature;
        let degrees = [real, fake].map(|set| set.count() as f64 - 1.0);
        let (real, real_deviation) = moments(real, column);
        let (fake, fake_deviation) = moments(fake, column);
        let squares = degrees[0] * real_deviation.powi(2) + degrees[1] * fake_deviation.powi(2);
        let pooled = (squares / (degrees[0] + degrees[1]).max(1.0)).sqrt();
        let effect = in_units(fake - real, pooled, real.abs().max(fake.abs()));
        // Deviations that rounding explains count as equal.
        let least = 1e-6 * real.abs().max(fake.abs()).max(1.0);
        let seen = |deviation: f64| deviation.max(least) + grain;
        let ratio = seen(fake_deviation) / seen(real_deviation);
        Self { name, group, what, real, fake, effect, spread: ratio.log2().clamp(-10.0, 10.0) }
    }

    fn weight(&self) -> f64 {
        self.effect.abs().max(self.spread.abs())
    }

    /// A sentence for a report, without its full stop, about the mean or the variation, whichever
    /// differs more: "mean lightness L* is lower than in real images (62.1 against 68.4, 0.9 standard
    /// deviations)".
    pub fn words(&self) -> String {
        let what = self.what;
        if self.weight() == 0.0 {
            return format!("{what} is as in real images");
        }
        if self.effect.abs() >= self.spread.abs() {
            let than = if self.effect > 0.0 { "higher" } else { "lower" };
            let (fake, real) = two(self.fake, self.real);
            let effect = self.effect.abs();
            return format!(
                "{what} is {than} than in real images \
                 ({fake} against {real}, {effect:.1} standard deviations)"
            );
        }
        let than = if self.spread > 0.0 { "more" } else { "less" };
        let ratio = self.spread.exp2();
        format!("{what} varies {than} than in real images ({ratio:.2} times as much)")
    }
}

/// Formats two numbers with the same number of decimal places: about three significant digits of the
/// larger one.
fn two(one: f64, other: f64) -> (String, String) {
    let places = match one.abs().max(other.abs()) {
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    (format!("{one:.places$}"), format!("{other:.places$}"))
}
