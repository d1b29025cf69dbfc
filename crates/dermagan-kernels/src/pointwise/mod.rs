//! What surrounds the convolutions: normalisations, activations, biases, the shortcut of a residual layer, and the
//! optimiser. All operate in one pass over memory where the formulas allow it.

pub mod activation;
pub mod adam;
mod bias;
pub mod norm;
pub mod rms;
mod shortcut;

pub use self::bias::{add_bias, add_noise, sum_products, sum_rows};
pub use self::shortcut::{Direction, Extent, add_resampled};
