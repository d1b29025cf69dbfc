//! Images of any size to the side that an extractor looks at.

use std::borrow::Cow;

use dermagan_base::image::Image;
use dermagan_data::{Filter, Window, resized};

use crate::error::{EvalError, is_rgb};

/// The image at `side`×`side`, antialiased by `filter`; as it is if it has that size. Both sides
/// are scaled, which for a square image is no distortion.
///
/// # Errors
/// When it has no pixels.
pub(crate) fn to_side(
    image: &Image,
    side: usize,
    filter: Filter,
) -> Result<Cow<'_, Image>, EvalError> {
    to_size(image, [side, side], filter)
}

/// The image at `width`×`height`, as [`to_side`].
///
/// # Errors
/// When it has no pixels.
pub(crate) fn to_size(
    image: &Image,
    [width, height]: [usize; 2],
    filter: Filter,
) -> Result<Cow<'_, Image>, EvalError> {
    if !is_rgb(image) {
        let what = format!("an image of {}×{} with no pixels", image.width, image.height);
        return Err(EvalError::Input(what));
    }
    if (image.width, image.height) == (width, height) {
        return Ok(Cow::Borrowed(image));
    }
    let wrong = |e: String| EvalError::Input(format!("an image cannot be resized: {e}"));
    let extent = |n: usize| u32::try_from(n).map_err(|e| wrong(e.to_string()));
    let from = [extent(image.width)?, extent(image.height)?];
    let whole = Window { left: 0, top: 0, width: from[0], height: from[1] };
    let to = [extent(width)?, extent(height)?];
    let pixels = resized(&image.pixels, from, whole, to, filter).map_err(wrong)?;
    Ok(Cow::Owned(Image { width, height, pixels }))
}
