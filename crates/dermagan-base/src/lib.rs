//! The foundation of all dermagan crates.
//!
//! - [`rng`]: random numbers on the host, keyed by seed, purpose and index
//! - [`atomic`]: files that are either complete or absent
//! - [`image`]: 8-bit RGB images and their PNG form
//! - [`orientation`]: the eight orientations of a square image
//! - [`name`]: names that are safe in a file name and on a terminal
//! - [`npy`]: the header of a numpy array
//! - [`protobuf`]: messages of protocol buffers
//! - [`distance`]: the difference between two computations of the same values
//! - [`run_until`] and [`stop_requested`]: a request to stop long work
//! - [`licence_yaml`], [`plain_markdown`] and [`citation_of`]: for the cards of models and data sets
//! - [`SettingError`]: what is wrong with a setting of a call
//!
//! A draw depends on its key alone, and an image becomes a PNG file in one call:
//!
//! ```rust
//! use dermagan_base::image::Image;
//! use dermagan_base::orientation::Orientation;
//! use dermagan_base::rng::Keyed;
//!
//! let side = 8;
//! let values = Keyed::new(42, "example", 0).uniforms(side * side * 3, 0.0, 256.0);
//! let pixels: Vec<u8> = values.iter().map(|value| *value as u8).collect();
//! let image = Image { width: side, height: side, pixels };
//!
//! let orientation = Orientation::draw(&mut Keyed::new(42, "orientation", 0));
//! let oriented = image.clone().oriented(orientation);
//! let png = oriented.to_png(&[("Software", dermagan_base::producer())])?;
//! assert!(png.starts_with(b"\x89PNG"));
//!
//! // The same key gives the same numbers.
//! let again = Keyed::new(42, "example", 0).uniforms(side * side * 3, 0.0, 256.0);
//! assert_eq!(again, values);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![warn(clippy::undocumented_unsafe_blocks)]
#![warn(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

pub mod atomic;
pub mod distance;
mod hex;
pub mod image;
mod markdown;
pub mod name;
pub mod npy;
pub mod orientation;
mod producer;
pub mod protobuf;
pub mod rng;
mod setting;
mod stop;

pub use hex::hex;
pub use markdown::{citation_of, licence_yaml, plain_markdown};
pub use producer::producer;
pub use setting::{SettingError, quoted};
pub use stop::{run_until, stop_requested};
