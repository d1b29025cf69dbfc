//! Kernel Inception Distance: Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs",
//! ICLR 2018 ([arXiv:1801.01401](https://arxiv.org/abs/1801.01401)).
//!
//! The squared maximum mean discrepancy under the kernel `(x·y / dims + 1)³`. The paper's authors average
//! over random subsets of 1,000 to save work; here all images are used at once.

use crate::error::EvalError;
use crate::features::Features;
use crate::mmd::{Discrepancy, Kernel, mmd_by_lesion};

/// Compares two sets, of whatever sizes, of images that have nothing to do with each other.
///
/// # Errors
/// As [`mmd_by_lesion`].
pub fn kid(real: &Features, fake: &Features) -> Result<Discrepancy, EvalError> {
    let own = |set: &Features| (0..set.count()).collect::<Vec<_>>();
    kid_by_lesion([real, fake], [&own(real), &own(fake)])
}

/// Compares two sets, of whatever sizes, whose images are of lesions: `lesions` has a number for each row,
/// as [`mmd_by_lesion`] says.
///
/// # Errors
/// As [`mmd_by_lesion`].
pub fn kid_by_lesion(
    sets: [&Features; 2],
    lesions: [&[usize]; 2],
) -> Result<Discrepancy, EvalError> {
    mmd_by_lesion(sets, lesions, Kernel::Cubic)
}
