//! Values on the host, and their transfer to and from a device.

mod array;
mod transfer;

pub use array::{Array, Weights};
pub(crate) use transfer::constant;
pub use transfer::{Transfers, from_slice, read, to_vec, upload};
