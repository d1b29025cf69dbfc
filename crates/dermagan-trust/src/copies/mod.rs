//! Finds copies of training images, in any orientation and moved a little.

mod align;
pub(crate) mod planted;
pub(crate) mod search;
pub(crate) mod thresholds;
