//! Turns images into features: three extractors, the feature matrix, and its file format.

pub mod agree;
pub mod encoder;
mod extractor;
pub mod handmade;
mod inception;
mod matrix;
pub mod npz;
mod resize;

pub use encoder::LesionEncoder;
pub use extractor::Extractor;
pub use handmade::Handmade;
pub use inception::Inception;
pub use matrix::Features;
