//! Who is missing: whom the real and the generated images show, and for whom a classifier works.

mod amplification;
mod composition;
mod job;
mod recall;
mod surround;

#[cfg(test)]
pub(crate) use amplification::directional;
pub use amplification::{Amplification, ClassShift};
pub use composition::{Composition, GroupShare};
pub use job::{BiasJob, BiasReport, bias};
pub use recall::GroupRecall;
pub use surround::{SurroundColour, surround_colour};
#[cfg(test)]
pub(crate) use surround::{largest_difference, wasserstein};
