//! What an evaluation compares, and its progress.

use dermagan_data::split::Side;
use dermagan_data::{Filter, Fit, Options};

/// How real images are prepared: central squares of 64 × 64 pixels. If the generated images have another side, the real
/// images get that side.
pub(crate) const PREPARED: Options = Options { size: 64, fit: Fit::Crop, filter: Filter::Lanczos };

/// The images to compare, and the figures to compute.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Largest number of images in each set.
    pub n: usize,
    /// The side of the split by lesion that the real images come from; `None` for all of them.
    pub side: Option<Side>,
    /// The real images, as indices of the cache, instead of those of [`Scope::side`].
    pub images: Option<Vec<u32>>,
    /// Whether each class is also compared.
    pub per_class: bool,
    /// Seed of the choice of real images.
    pub seed: u64,
    /// Whether the report lists the hand-made features that differ.
    pub explain: bool,
    /// Whether a classifier tells the sets apart ([`Comparison::auc`](crate::Comparison::auc)).
    pub tell_apart: bool,
}

/// The progress of an evaluation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum EvalEvent {
    /// Real images are being decoded and resized.
    Preparing {
        /// Number of images done.
        done: usize,
        /// Number of images in all.
        total: usize,
    },
    /// Features of real images are being computed.
    Real {
        /// Number of images done.
        done: usize,
        /// Number of images in all.
        total: usize,
    },
    /// Features of generated images are being computed.
    Fake {
        /// Number of images done.
        done: usize,
        /// Number of images in all.
        total: usize,
    },
    /// The sets are being compared.
    Comparing,
}

/// Receives the progress of an evaluation.
pub type Sink<'a> = &'a mut dyn FnMut(EvalEvent);
