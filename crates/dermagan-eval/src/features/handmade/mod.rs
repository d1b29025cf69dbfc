//! Hand-made features in the terms of dermatology's ABCD rule: asymmetry, border, colour, size and
//! texture. With them a report can say *what* is wrong with generated images.
//!
//! The features need no network and no training. Every image is first resized to 64×64, where width and
//! height are scaled separately; lengths are in pixels of that size, and colours are in CIELAB.
//!
//! The ABCD rule: W. Stolz et al., "ABCD rule of dermatoscopy: a new practical method for early
//! recognition of malignant melanoma", European Journal of Dermatology 4 (1994).

mod border;
mod colour;
mod compare;
mod extractor;
mod feature;
mod grid;
pub mod lab;
mod lesion_colour;
pub mod mask;
mod plane;
mod shape;
mod standard;
mod texture;

pub use compare::{Off, what_is_off};
pub use extractor::{Handmade, features};
pub use feature::{Feature, Group};
pub use standard::Standard;
