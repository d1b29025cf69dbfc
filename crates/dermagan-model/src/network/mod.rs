//! The networks: their shape, their weights by name, and what goes into and comes out of them.

mod batch_norm;
mod config;
mod cpu_generator;
pub mod dcgan;
mod discriminator;
mod flat;
mod generator;
mod init;
mod latent;
mod named;
pub mod pixels;
pub mod residual;

pub use batch_norm::{BatchNorm, BatchStats};
pub use config::{Backbone, ModelConfig, RESOLUTIONS};
pub use cpu_generator::CpuGenerator;
pub use discriminator::{Discriminator, Judgement};
pub use flat::{Flat, Gathered, Layout};
pub use generator::Generator;
pub use init::Init;
pub use latent::{latent, training_latents, training_values};
pub use named::{Network, Parameter, sequential};
