//! Kernel Inception Distance: Bińkowski, Sutherland, Arbel and Gretton, "Demystifying MMD GANs",
//! ICLR 2018 ([arXiv:1801.01401](https://arxiv.org/abs/1801.01401)).
//!
//! KID is the squared maximum mean discrepancy with the kernel `(x·y / dims + 1)³`. The authors of the paper
//! average over random subsets of 1,000 images to save work; this module uses all images at once.

use super::mmd::{Discrepancy, Kernel, mmd_by_lesion};
use crate::error::EvalError;
use crate::features::Features;

/// The KID of two sets of any sizes whose images are independent: each image is a lesion of its own.
///
/// # Errors
/// As [`mmd_by_lesion`].
pub fn kid(real: &Features, fake: &Features) -> Result<Discrepancy, EvalError> {
    let own = |set: &Features| (0..set.count()).collect::<Vec<_>>();
    kid_by_lesion([real, fake], [&own(real), &own(fake)])
}

/// The KID of two sets of any sizes, in which several images may show the same lesion. `lesions` has one
/// number per row of each set, as in [`mmd_by_lesion`].
///
/// # Errors
/// As [`mmd_by_lesion`].
pub fn kid_by_lesion(
    sets: [&Features; 2],
    lesions: [&[usize]; 2],
) -> Result<Discrepancy, EvalError> {
    mmd_by_lesion(sets, lesions, Kernel::Cubic)
}
