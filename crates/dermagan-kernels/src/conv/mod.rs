//! Convolutions and transposed convolutions, channels-last.
//!
//! [`Layer`] is a 4 × 4 layer of a DCGAN in the form that serves it: [`winograd`] for stride 2 with minimal
//! filtering, [`im2col`] for stride 2 with few channels, [`dense`] between the 4 × 4 image and one pixel. Each form has
//! three operations: `down` (the convolution), `up` (its adjoint, the transposed convolution) and `filter_gradient`.
//!
//! [`direct`] has convolutions of any window, forward only, for trained classifiers.

mod channel_blocks;
pub mod dense;
pub mod direct;
pub mod im2col;
mod layer;
mod shape;
pub mod winograd;

pub use self::layer::{Layer, UpFilter};
pub use self::shape::{Finish, SIDE, Shape, TAPS};
