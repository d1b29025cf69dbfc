//! Compares sets of features: distances, shares of nearest neighbours, and a verdict.

mod choice;
mod compare;
mod fid;
mod kid;
mod logistic;
pub mod mmd;
mod pairs;
pub mod prdc;
mod two_sample;
mod verdict;

pub use choice::RealChoice;
pub use compare::{Comparison, Estimates, Figure, Inside, Repeats, compare};
pub use fid::{Gaussian, fid, frechet};
pub use kid::{kid, kid_by_lesion};
pub use logistic::{Labelled, Logistic};
pub use two_sample::{FEWEST_TO_TELL, TwoSample, two_sample, two_sample_in_parts};
pub(crate) use verdict::TOO_FEW;
pub use verdict::Verdict;
