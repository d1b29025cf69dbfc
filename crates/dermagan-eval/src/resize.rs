//! Pictures of any size to the side that an extractor looks at.

use std::borrow::Cow;

use dermagan_base::picture::Picture;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{EvalError, is_rgb};

/// The picture at `side`×`side`, antialiased by `filter`; as it is if it has that size. Both sides
/// are scaled, which for a square picture is no distortion.
///
/// # Errors
/// When it has no pixels.
pub(crate) fn to_side(
    picture: &Picture,
    side: usize,
    filter: FilterType,
) -> Result<Cow<'_, Picture>, EvalError> {
    to_size(picture, [side, side], filter)
}

/// The picture at `width`×`height`, as [`to_side`].
///
/// # Errors
/// When it has no pixels.
pub(crate) fn to_size(
    picture: &Picture,
    [width, height]: [usize; 2],
    filter: FilterType,
) -> Result<Cow<'_, Picture>, EvalError> {
    if !is_rgb(picture) {
        let what = format!("a picture of {}×{} with no pixels", picture.width, picture.height);
        return Err(EvalError::Input(what));
    }
    if (picture.width, picture.height) == (width, height) {
        return Ok(Cow::Borrowed(picture));
    }
    let wrong = |e: String| EvalError::Input(format!("a picture cannot be resized: {e}"));
    let extent = |n: usize| u32::try_from(n).map_err(|e| wrong(e.to_string()));
    let source = TypedImageRef::<U8x3>::from_buffer(
        extent(picture.width)?,
        extent(picture.height)?,
        &picture.pixels,
    )
    .map_err(|e| wrong(e.to_string()))?;
    let mut pixels = vec![0; width * height * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(extent(width)?, extent(height)?, &mut pixels)
        .map_err(|e| wrong(e.to_string()))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| wrong(e.to_string()))?;
    Ok(Cow::Owned(Picture { width, height, pixels }))
}
