//! The one resize of the program: of a window of an 8-bit image, with antialiasing.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

/// The filter of a resize. Both are antialiased: their support grows with the reduction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Lanczos with three lobes, the sharpest filter without visible aliasing.
    #[default]
    Lanczos,
    /// The triangle filter, the default of torchvision's `Resize`, equal to Pillow's `BILINEAR`.
    Bilinear,
}

/// A rectangle inside an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its left edge.
    pub left: u32,
    /// Its upper edge.
    pub top: u32,
    /// Its width, 1 or more.
    pub width: u32,
    /// Its height, 1 or more.
    pub height: u32,
}

/// Resizes a window of an RGB image of `width` × `height` pixels to `to[0]` × `to[1]` pixels (width × height). Both
/// images are bytes, row by row, 3 per pixel. The filter does not use pixels outside the window.
///
/// # Errors
/// If `rgb` is too short for the image, or the window is not inside the image.
///
/// ```rust
/// use dermagan_data::{Filter, Window, resized};
///
/// let grey = vec![128; 4 * 2 * 3];
/// let left_half = Window { left: 0, top: 0, width: 2, height: 2 };
/// assert_eq!(resized(&grey, [4, 2], left_half, [1, 1], Filter::Bilinear), Ok(vec![128; 3]));
/// ```
pub fn resized(
    rgb: &[u8],
    [width, height]: [u32; 2],
    window: Window,
    to: [u32; 2],
    filter: Filter,
) -> Result<Vec<u8>, String> {
    let Window { left, top, width: across, height: down } = window;
    let source =
        TypedImageRef::<U8x3>::from_buffer(width, height, rgb).map_err(|e| e.to_string())?;
    // Cropped first: with the resizer's own crop, the filter would use pixels outside the window.
    let source =
        TypedCroppedImage::new(source, left, top, across, down).map_err(|e| e.to_string())?;
    let mut pixels = vec![0; to[0] as usize * to[1] as usize * 3];
    let mut target =
        TypedImage::<U8x3>::from_buffer(to[0], to[1], &mut pixels).map_err(|e| e.to_string())?;
    let algorithm = ResizeAlg::Convolution(match filter {
        Filter::Lanczos => FilterType::Lanczos3,
        Filter::Bilinear => FilterType::Bilinear,
    });
    let options = ResizeOptions::new().resize_alg(algorithm);
    // `resize_typed` compiles the resize for one pixel type; `resize` compiles it for all of them, which takes half
    // a minute. This is the only call: each call with other image types adds 800 kB to the program.
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| e.to_string())?;
    Ok(pixels)
}
