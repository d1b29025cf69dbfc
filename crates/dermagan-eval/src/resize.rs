//! Pictures of any size to the side that an extractor looks at.

use std::borrow::Cow;

use dermagan_base::picture::Picture;
use dermagan_data::{Filter, Window, resized};

use crate::error::{EvalError, is_rgb};

/// The picture at `side`×`side`, antialiased by `filter`; as it is if it has that size. Both sides
/// are scaled, which for a square picture is no distortion.
///
/// # Errors
/// When it has no pixels.
pub(crate) fn to_side(
    picture: &Picture,
    side: usize,
    filter: Filter,
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
    filter: Filter,
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
    let from = [extent(picture.width)?, extent(picture.height)?];
    let whole = Window { left: 0, top: 0, width: from[0], height: from[1] };
    let to = [extent(width)?, extent(height)?];
    let pixels = resized(&picture.pixels, from, whole, to, filter).map_err(wrong)?;
    Ok(Cow::Owned(Picture { width, height, pixels }))
}
