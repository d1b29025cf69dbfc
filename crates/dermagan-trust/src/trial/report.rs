//! What a trial found.

use serde::Serialize;

use super::compare::Difference;
use super::score::Scores;

/// The scores of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmReport {
    /// The arm in words.
    pub arm: String,
    /// The mean of the scores over seeds.
    pub scores: Scores,
    /// The standard deviation of the balanced accuracy over seeds.
    pub deviation: f64,
    /// The mean balanced accuracy on the images that choose the ratio.
    pub validation: f64,
    /// The difference from the arm that is [`TrialReport::base`]; `None` for that one.
    pub difference: Option<Difference>,
}

/// The result of a trial.
#[derive(Clone, Debug, Serialize)]
pub struct TrialReport {
    /// The photographs.
    pub data: String,
    /// The generator.
    pub generator: String,
    /// Number of folds; 1 if one generator was tried on its own held-out side.
    pub folds: usize,
    /// Number of seeds.
    pub seeds: u64,
    /// Thousands of images that each classifier saw.
    pub kimg: f64,
    /// Number of images that judged.
    pub test_images: usize,
    /// Number of their lesions.
    pub test_lesions: usize,
    /// The smallest worthwhile difference of balanced accuracy.
    pub margin: f64,
    /// The codes of the classes, in the order of the recalls.
    pub classes: Vec<String>,
    /// The arm that others are compared with: photographs rebalanced, or with adjusted logits, whichever the validation images
    /// find better.
    pub base: String,
    /// The arms.
    pub arms: Vec<ArmReport>,
    /// The ratio that the validation images of each fold chose.
    pub chosen: Vec<f64>,
    /// The difference of generated images at the chosen ratios from [`TrialReport::base`].
    pub primary: Difference,
    /// The verdict in a sentence.
    pub words: String,
    /// What limits the meaning of the figures.
    pub notes: Vec<String>,
}
