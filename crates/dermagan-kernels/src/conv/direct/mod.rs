//! Convolutions of any window, stride and padding, with bias and activation, depthwise convolutions, and pools: the
//! layers of a trained classifier. Of depthwise convolutions and of those with few channels there is also the gradient of the
//! image; that of a 1 × 1 convolution is a convolution with the transposed filter.
//!
//! The window of every pixel is copied to a row, and the rows times the filter are the result. Filters of 3 × 3 with
//! stride 1 use minimal filtering instead.

mod activation;
mod depthwise;
mod filter;
mod pool;
mod transposed;
mod window;
mod winograd_3x3;

pub use self::activation::{Activation, gate_relu6};
pub use self::depthwise::Depthwise;
pub use self::filter::Filter;
pub use self::pool::{Pool, pool};
pub use self::transposed::Transposed;
pub use self::window::{Image, Window};
