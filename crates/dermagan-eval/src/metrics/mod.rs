//! Compares sets of features: distances, shares of nearest neighbours, and a verdict.

mod choice;
mod compare;
mod fid;
mod kid;
pub mod mmd;
mod pairs;
pub mod prdc;
mod verdict;

pub use choice::RealChoice;
pub use compare::{Comparison, Figure, Inside, KidFigure, Repeats, compare};
pub use fid::{Gaussian, fid, frechet};
pub use kid::{kid, kid_by_lesion};
pub(crate) use verdict::TOO_FEW;
pub use verdict::Verdict;
