//! What turns pictures into features.

use dermagan_base::picture::Picture;

use crate::error::EvalError;

/// Turns pictures into rows of numbers.
pub trait Extractor {
    /// Its short name: `lesion`, `inception` or `handmade`.
    fn name(&self) -> &'static str;

    /// What makes two extractors give the same numbers: name, version and weights' hash. Features of
    /// real pictures are kept under it.
    fn id(&self) -> String;

    /// Numbers a picture.
    fn dims(&self) -> usize;

    /// How many pictures it likes to be given at a time.
    fn batch(&self) -> usize;

    /// The features of some pictures, of whatever size, row by row: `pictures.len() * dims()` values,
    /// all finite. A picture's row depends on that picture alone.
    ///
    /// # Errors
    /// When a picture has no pixels.
    fn extract(&self, pictures: &[Picture]) -> Result<Vec<f32>, EvalError>;
}
