//! Generators and discriminators on burn, their weights, and images from latents.
//!
//! [`dcgan`] has the networks of Radford, Metz and Chintala (2015) as PyTorch's example writes them;
//! [`residual`] those without normalisation that train better on small data. A parameter is known by
//! the name that it has in PyTorch ([`named`]), so that weights travel both ways ([`weights`],
//! [`model_file`]).

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod config;
pub mod dcgan;
pub mod device;
pub mod discriminator;
pub mod error;
pub mod flat;
pub mod generator;
pub mod init;
pub mod latent;
#[cfg(feature = "cube")]
pub mod launches;
pub mod model_file;
pub mod named;
pub mod norm;
pub mod ops;
pub mod pixels;
pub mod precision;
pub mod prepared;
pub mod residual;
pub mod transfer;
pub mod weights;

pub use config::{Backbone, ModelConfig};
pub use dermagan_kernels::cpu;
pub use device::{Choice, Selected};
pub use discriminator::{Discriminator, Judgement};
pub use error::ModelError;
pub use flat::Flat;
pub use generator::Generator;
pub use init::Init;
pub use model_file::{Card, ModelFile};
pub use precision::{Precision, PrecisionChoice};
pub use prepared::Prepared;
