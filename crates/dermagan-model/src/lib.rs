//! Generators and discriminators on [burn], their weights, and images from latents.
//!
//! The crate has six folders, each of which uses only those before it:
//!
//! - [`tensor`]: values on the host, and their transfer to and from a device
//! - [`ops`]: the layers of the networks as operations, on kernels of our own and of burn
//! - [`imagenet`]: a network that was trained on ImageNet, whose features judge images
//! - the networks: [`Generator`] and [`Discriminator`] of either [`Backbone`], which are those of
//!   Radford, Metz and Chintala (2015) as PyTorch's example writes them ([`dcgan`]), and those without
//!   normalisation, which train better on small data sets ([`residual`])
//! - [`device`]: the device to compute on, and its number format
//! - files: [`ModelFile`] with its [`Card`], and [`weights`]
//!
//! A parameter has the name that it has in PyTorch ([`Network`]), so weights can be exchanged with
//! PyTorch in both directions.
//!
//! Two images from an untrained generator:
//!
//! ```rust
//! use burn::tensor::{Tensor, TensorData};
//! use dermagan_model::{Backbone, ComputeDevice, Init, ModelConfig, latent, pixels};
//!
//! let config = ModelConfig {
//!     backbone: Backbone::Residual,
//!     resolution: 32,
//!     g_width: 8,
//!     d_width: 8,
//!     ..ModelConfig::default()
//! };
//! config.validate()?;
//! let device = ComputeDevice::cpu().handle;
//! let generator = Init::He.generator(&config, 7, &device);
//!
//! let seeds = [0, 1];
//! let values: Vec<f32> = seeds.iter().flat_map(|seed| latent(*seed, &config, 1.0)).collect();
//! let z = TensorData::new(values, [seeds.len(), config.latents()]);
//! let images = generator.forward(Tensor::from_data(z, &device), None);
//! assert_eq!(images.dims(), [2, 3, 32, 32]);
//!
//! let images = pixels::to_images(images)?;
//! assert_eq!((images[0].width, images[0].height), (32, 32));
//! assert_ne!(images[0], images[1]);
//! # Ok::<(), dermagan_model::ModelError>(())
//! ```

#![warn(clippy::undocumented_unsafe_blocks)]
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod device;
mod error;
mod file;
pub mod imagenet;
mod network;
pub mod ops;
pub mod tensor;

pub use dermagan_kernels::cpu;
pub use device::{Choice, ComputeDevice, PrecisionChoice};
pub use error::ModelError;
pub use file::{Card, ModelFile, weights};
pub use network::{
    Backbone, BatchNorm, BatchStats, CpuGenerator, Discriminator, Flat, Gathered, Generator, Init,
    Judgement, Layout, ModelConfig, Network, Parameter, RESOLUTIONS, dcgan, latent, pixels,
    residual, sequential, training_latents, training_values,
};
pub use ops::Precision;
