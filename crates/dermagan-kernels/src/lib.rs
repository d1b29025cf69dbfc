//! The DCGAN's layers on the CPU, as plain functions on slices.
//!
//! Images are channels-last, `[batch, height, width, channels]`; filters are in PyTorch's order.
//! Every function is deterministic: a value is the same bits whatever the number of threads, and a
//! image whatever else is in the batch.
//!
//! - [`winograd`]: the stride-2 convolutions with 9 products instead of 16; [`few`]: those of layers
//!   with few channels; [`dense`]: those over the whole 4 × 4 image. Each has the three operations
//!   `down` (convolution), `up` (its adjoint, the transposed convolution) and `filter_gradient`.
//!   [`layer`] knows which form serves which layer.
//! - [`norm`], [`rms`]: normalisations with their activation; [`residual`]: biases and the path around a
//!   layer; [`activation`]; [`adam`].
//! - [`direct`]: convolutions of any window and pools, forward only, for trained classifiers.
//! - [`cpu`]: the level of vector instructions in use. [`gemm`], [`lane`]: matrix products of float32 or of bfloat16 pairs, which the layers share.

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(
    clippy::needless_range_loop,
    reason = "in the hot loops iterators are not always inlined, and then compiled without vectors"
)]

pub mod activation;
pub mod adam;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
pub mod cpu;
pub mod dense;
pub mod direct;
pub mod few;
pub mod gemm;
pub mod lane;
pub mod layer;
mod minimal;
pub mod norm;
pub mod residual;
pub mod rms;
pub mod scratch;
pub mod shape;
mod tile;
#[cfg(target_arch = "x86_64")]
mod turn;
mod vectorised;
pub mod winograd;
