//! The layers of the networks as operations of our own.
//!
//! On the CPU they run the kernels of `dermagan-kernels`, on every other device those of burn and
//! a few of our own (`gpu`). The backward pass of the convolutions is written here for every
//! backend, that of batch normalisation for the CPU only.
//!
//! Images keep burn's shape `[batch, channels, height, width]`. On the CPU these operations store
//! their results channels-last, which is the order that the kernels read. They accept any other
//! order and copy it first.

mod activation;
mod batch_norm;
mod bytes;
mod conv;
mod flex;
mod forms;
#[cfg(feature = "cube")]
mod gpu;
mod layout;
mod optimiser;
mod precision;
mod product;
mod shortcut;

pub use activation::{leaky, tanh};
pub(crate) use batch_norm::EPSILON;
pub use batch_norm::{norm_act, norm_act_train};
pub use bytes::from_bytes;
pub use conv::{convolve, convolve_any, convolve_transposed};
pub use forms::{requested_form, wrong_forms};
pub use layout::{is_cpu, join};
pub use optimiser::{AdamStep, adam, lerp, squares};
pub use precision::Precision;
pub use product::product;
pub use shortcut::{
    Direction, ShortcutSpec, add_bias, add_noise, add_resampled, gate, normed_leaky,
    shortcut_layer, shortcut_layer_transposed,
};
