//! Turns images into features: four extractors, the feature matrix, and its file format.

pub mod agree;
pub mod encoder;
mod extractor;
pub mod handmade;
mod imagenet;
mod inception;
mod matrix;
pub mod npz;
mod resize;

pub use encoder::LesionEncoder;
pub use extractor::Extractor;
pub use handmade::Handmade;
pub use imagenet::ImagenetEncoder;
pub use inception::Inception;
pub use matrix::Features;
