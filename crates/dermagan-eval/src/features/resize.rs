//! Resizes images to the input size of an extractor.

use std::borrow::Cow;

use dermagan_base::image::Image;
use dermagan_data::{Filter, Window, resized};

use crate::error::EvalError;

/// Resizes an image to `side`×`side` with the antialiasing `filter`; an image of that size is borrowed
/// unchanged. Width and height are scaled separately, which does not distort a square image.
///
/// # Errors
/// When the image has no pixels.
pub(crate) fn to_side(
    image: &Image,
    side: usize,
    filter: Filter,
) -> Result<Cow<'_, Image>, EvalError> {
    to_size(image, [side, side], filter)
}

/// Resizes an image to `width`×`height`, as [`to_side`] does.
///
/// # Errors
/// When the image has no pixels.
pub(crate) fn to_size(
    image: &Image,
    [width, height]: [usize; 2],
    filter: Filter,
) -> Result<Cow<'_, Image>, EvalError> {
    if !is_rgb(image) {
        return Err(EvalError::Input(format!(
            "an image of {}×{} has no pixels, or not three bytes for each ({} bytes)",
            image.width,
            image.height,
            image.pixels.len()
        )));
    }
    if (image.width, image.height) == (width, height) {
        return Ok(Cow::Borrowed(image));
    }
    let wrong = |e: String| {
        EvalError::Input(format!("cannot resize an image of {}×{}: {e}", image.width, image.height))
    };
    let extent = |n: usize| u32::try_from(n).map_err(|e| wrong(e.to_string()));
    let from = [extent(image.width)?, extent(image.height)?];
    let whole = Window { left: 0, top: 0, width: from[0], height: from[1] };
    let to = [extent(width)?, extent(height)?];
    let pixels = resized(&image.pixels, from, whole, to, filter).map_err(wrong)?;
    Ok(Cow::Owned(Image { width, height, pixels }))
}

/// Whether an image has pixels, of three bytes each.
pub(crate) fn is_rgb(image: &Image) -> bool {
    image.width > 0 && image.height > 0 && image.pixels.len() == image.width * image.height * 3
}
