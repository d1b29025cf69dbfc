//! Layers with a shortcut (He et al. 2016): a path around the convolution that resamples the input
//! and adds it to the result. With them come their parts: biases, noise, and the activation's slopes.
//! Each operation has its gradient.

mod backend;
mod cpu;
mod functions;
mod gradients;
mod spec;

#[cfg(feature = "cube")]
pub use backend::Shortcut;
pub use dermagan_kernels::pointwise::Direction;
pub use functions::{
    add_bias, add_noise, add_resampled, gate, normed_leaky, shortcut_layer,
    shortcut_layer_transposed,
};
pub use spec::ShortcutSpec;
