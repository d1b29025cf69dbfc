//! The generated images that a classifier tells most easily from real ones.

use dermagan_base::image::Image;

use crate::EvalError;
use crate::report::generated::GeneratedImages;

/// Images per row.
const COLUMNS: usize = 8;
/// The most images that are drawn.
const SHOWN: usize = 64;

/// The generated images that give themselves away.
#[derive(Clone, Debug)]
pub struct Worst {
    /// Up to 64 images in rows of 8, the least real first.
    pub image: Image,
    /// Their numbers among the generated images.
    pub images: Vec<usize>,
    /// The features by which the classifier judged: the name of an extractor.
    pub features: String,
}

/// Draws the first images of `least_real`; `None` if there are none.
///
/// # Errors
/// The errors of reading images and of a generator.
pub(super) fn worst(
    fakes: &GeneratedImages,
    least_real: &[usize],
    features: &str,
) -> Result<Option<Worst>, EvalError> {
    let wanted = &least_real[..least_real.len().min(SHOWN)];
    let read = wanted.iter().zip(fakes.images(wanted)?);
    // All of them were read before; one that cannot be read any more is left out.
    let (images, cells): (Vec<usize>, Vec<Image>) =
        read.filter_map(|(i, image)| Some((*i, image.ok()?))).unzip();
    if cells.is_empty() {
        return Ok(None);
    }
    let image = Image::grid(&cells, COLUMNS);
    Ok(Some(Worst { image, images, features: features.to_owned() }))
}
