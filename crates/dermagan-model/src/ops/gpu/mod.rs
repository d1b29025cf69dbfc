//! The operations on GPUs.

mod backends;
pub mod choice;
mod convolution;
mod kernels;

pub use convolution::{convolution, down, filter_gradient, up};
