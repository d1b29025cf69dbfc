//! What turns images into features.

use dermagan_base::image::Image;

use crate::error::EvalError;

/// Turns images into rows of numbers.
pub trait Extractor {
    /// Its short name: `lesion`, `inception` or `handmade`.
    fn name(&self) -> &'static str;

    /// What makes two extractors give the same numbers: name, version and weights' hash. Features of
    /// real images are kept under it.
    fn id(&self) -> String;

    /// Numbers an image.
    fn dims(&self) -> usize;

    /// How many images it likes to be given at a time.
    fn batch(&self) -> usize;

    /// The features of some images, of whatever size, row by row: `images.len() * dims()` values,
    /// all finite. An image's row depends on that image alone.
    ///
    /// # Errors
    /// When an image has no pixels.
    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError>;
}
