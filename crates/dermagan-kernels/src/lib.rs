//! The networks' layers on the CPU, as plain functions on slices. The crate knows neither tensors nor burn.
//!
//! Images are channels-last, `[batch, height, width, channels]`; filters are in PyTorch's order. Every function is
//! deterministic: a value has the same bits for any number of threads, and an image has the same bits in any batch.
//!
//! The modules, from the inside out:
//!
//! - [`cpu`]: the level of vector instructions in use.
//! - [`matmul`]: matrix products of float32, or of bfloat16 pairs, which all convolutions share. Its elements are
//!   [`Lane`]s, its sums are [`Real`]s.
//! - [`conv`]: convolutions, transposed convolutions and the gradients of their filters. [`Layer`] picks the form that
//!   serves a layer; [`UpFilter`] keeps a packed filter for sampling.
//! - [`pointwise`]: normalisations, activations, biases, the shortcut of a residual layer, and Adam.
//!
//! Results are [`Buffer`]s, whose memory is reused by later calls.
//!
//! # Example
//!
//! The transposed convolution is the adjoint of the convolution: ⟨down(x), y⟩ = ⟨x, up(y)⟩.
//!
//! ```rust
//! use dermagan_kernels::{Layer, Shape};
//!
//! // 2 images of 8 × 8 with 3 channels, and their convolutions of 4 × 4 with 16 channels.
//! let shape = Shape { batch: 2, height: 4, width: 4, wide: 3, deep: 16 };
//! let layer = Layer::of(shape);
//! let values = |n: usize, step: f64| -> Vec<f64> { (0..n).map(|i| (i as f64 * step).sin()).collect() };
//! let x = values(shape.batch * shape.large(), 0.3);
//! let y = values(shape.batch * shape.small(), 0.7);
//! let filter = values(shape.filter(), 1.1);
//!
//! let down = layer.down::<f64>(&x, &filter);
//! let up = layer.up::<f64>(&y, &filter);
//!
//! let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
//! assert!((dot(&down, &y) - dot(&x, &up)).abs() < 1e-9);
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![warn(clippy::undocumented_unsafe_blocks, clippy::missing_safety_doc)]
#![allow(
    clippy::needless_range_loop,
    reason = "in the hot loops iterators are not always inlined, and are then compiled without vectors"
)]

pub mod conv;
pub mod cpu;
pub mod matmul;
pub mod pointwise;
mod scratch;
mod vectorised;

pub use self::conv::{Layer, Shape, UpFilter};
pub use self::matmul::{Lane, Pair, Real};
pub use self::scratch::Buffer;
