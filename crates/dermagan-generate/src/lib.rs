//! Makes images with a trained generator: in memory, as files with a table, as a set in a format of other programs, as a
//! grid, or as an animated walk through latent space.
//!
//! An [`ImageGenerator`] is a model on a device. An image depends only on the model, its seed, its class and the
//! truncation, never on the batch in which it is computed. This crate needs neither a data source nor the
//! training crate.
//!
//! ```
//! use dermagan_generate::{ImageGenerator, Selection};
//! use dermagan_model::ComputeDevice;
//!
//! # fn main() -> Result<(), dermagan_generate::GenerateError> {
//! let generator = ImageGenerator::shipped(ComputeDevice::cpu())?;
//! let images = generator.images(&Selection { classes: vec!["mel".into()], ..Selection::first(2) })?;
//! assert_eq!((images.len(), images[0].width, images[0].height), (2, 64, 64));
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod animation;
mod classes;
mod error;
mod generator;
mod grid;
mod provenance;
mod sampler;
mod seeds;
mod selection;
mod set;
mod slerp;
mod walk;

pub use animation::{Shown, write_gif};
pub use classes::{class_caution, class_index};
pub use error::GenerateError;
pub use generator::{ImageGenerator, shipped_model};
pub use grid::{GridRequest, parse_grid, save_grid};
pub use sampler::{Classes, Sampler, Shot};
pub use seeds::{first_seeds, parse_seeds, parse_walk};
pub use selection::Selection;
pub use set::earlier::{is_generated, is_own_png};
pub use set::files::{FilesRequest, Written};
pub use set::format::SetRequest;
pub use set::passport::{GeneratorFacts, KNOWN_GAPS, PASSPORT, PASSPORT_VERSION, USES_TO_AVOID};
pub use walk::{FRAME_MS, WalkRequest};
