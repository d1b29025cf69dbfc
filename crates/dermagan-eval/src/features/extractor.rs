//! The interface of everything that turns images into features.

use dermagan_base::image::Image;

use crate::error::EvalError;

/// Turns images into rows of features.
pub trait Extractor {
    /// The short name: `lesion`, `imagenet`, `inception` or `handmade`.
    fn name(&self) -> &'static str;

    /// Identifies the features: name, version and, where there are weights, their hash. Two extractors
    /// with the same `id` give the same features. The features of real images are cached under it.
    fn id(&self) -> String;

    /// Features per image.
    fn dims(&self) -> usize;

    /// The number of images to pass to [`Extractor::extract`] at a time for the best speed.
    fn batch(&self) -> usize;

    /// The features of images of any size, row by row: `images.len() * dims()` finite values. The row of
    /// an image depends on that image alone.
    ///
    /// # Errors
    /// When an image has no pixels, or the weights give features that are not finite.
    fn extract(&self, images: &[Image]) -> Result<Vec<f32>, EvalError>;
}
