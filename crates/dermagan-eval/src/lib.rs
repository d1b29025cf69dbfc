//! How good and how diverse generated images are.
//!
//! Images become numbers through an [`extractor::Extractor`]: the lesion [`encoder`], [`inception`]
//! as FID defines it, or [`handmade`] features that need no network. Two sets of such numbers are
//! compared by [`kid`] and its like of other kernels ([`mmd`]), [`fid`] and [`prdc`]; nothing here
//! trains a generator or changes a run.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod agree;
pub mod choice;
pub mod compare;
pub mod encoder;
pub mod error;
pub mod extractor;
pub mod features;
pub mod fid;
pub mod handmade;
pub mod inception;
pub mod kid;
pub mod mmd;
pub mod npz;
mod pairs;
pub mod prdc;
mod resize;

pub use choice::RealChoice;
pub use compare::{Comparison, compare};
pub use error::EvalError;
pub use extractor::Extractor;
pub use features::Features;
