//! The device to compute on, and the number format in which it computes.

mod choice;
mod compute_device;
#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "cube")]
mod launches;
mod precision;
mod select;

pub use choice::Choice;
pub use compute_device::{Adapter, ComputeDevice};
#[cfg(feature = "cube")]
pub use launches::Launches;
pub use precision::PrecisionChoice;
pub use select::{adapters, select};
