//! The training sets that a trial compares. All arms take the same number of steps.

use std::fmt;

/// The multiples of the gap between a class and the largest one that are filled with generated images.
pub(crate) const RATIOS: [f64; 3] = [0.5, 1.0, 2.0];

/// A training set and how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arm {
    /// Photographs, each drawn equally often, without augmentation.
    Real,
    /// Photographs, mirrored, rotated, shifted and changed in colour; predictions are the mean over eight orientations. So are
    /// those of all further arms.
    Augmented,
    /// As [`Arm::Augmented`], with every class drawn equally often. This or [`Arm::Adjusted`] is what the next arms are
    /// compared with: without it, rebalancing alone looks like a benefit of generated images.
    Rebalanced,
    /// As [`Arm::Rebalanced`], with generated images that fill this multiple of each class's gap to the largest class.
    Generated(f64),
    /// As [`Arm::Generated`], with as many repetitions of the class's photographs in place of generated images.
    Duplicated(f64),
    /// As [`Arm::Generated`], with the labels of the generated images permuted: it must not help.
    Permuted(f64),
    /// Generated images alone, as many of each class as there are photographs.
    GeneratedOnly,
    /// The classifiers of [`Arm::Augmented`] with the logarithm of each class's share of the training images subtracted from its
    /// logit (logit adjustment; Menon et al. 2021, arXiv:2007.07314), which needs no training of its own.
    Adjusted,
}

impl Arm {
    /// The arms of a trial that are trained.
    pub(crate) fn trained() -> Vec<Self> {
        let mut arms = vec![Self::Real, Self::Augmented, Self::Rebalanced];
        arms.extend(RATIOS.map(Self::Generated));
        arms.extend([Self::Duplicated(1.0), Self::Permuted(1.0), Self::GeneratedOnly]);
        arms
    }

    /// Whether images are augmented, and predictions averaged over orientations.
    pub(crate) fn augmented(self) -> bool {
        self != Self::Real
    }

    /// Whether every class is drawn equally often.
    pub(crate) fn balanced(self) -> bool {
        !matches!(self, Self::Real | Self::Augmented | Self::Adjusted)
    }

    /// The number of generated images, or of repeated ones, of a class of `real` photographs, where the largest class has
    /// `largest`.
    pub(crate) fn added(self, real: usize, largest: usize) -> usize {
        let gap = largest.saturating_sub(real) as f64;
        match self {
            Self::Generated(ratio) | Self::Duplicated(ratio) | Self::Permuted(ratio) => {
                (ratio * gap).round() as usize
            }
            Self::GeneratedOnly => real,
            Self::Real | Self::Augmented | Self::Rebalanced | Self::Adjusted => 0,
        }
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Real => f.write_str("real"),
            Self::Augmented => f.write_str("real, augmented"),
            Self::Rebalanced => f.write_str("real, augmented, rebalanced"),
            Self::Generated(ratio) => write!(f, "with generated images, {ratio} x gap"),
            Self::Duplicated(ratio) => write!(f, "with repeated photographs, {ratio} x gap"),
            Self::Permuted(ratio) => {
                write!(f, "with generated images of permuted labels, {ratio} x gap")
            }
            Self::GeneratedOnly => f.write_str("generated images only"),
            Self::Adjusted => f.write_str("real, augmented, logits adjusted"),
        }
    }
}
