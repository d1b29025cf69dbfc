//! The one resize of the program: antialiased, on bytes, of a window of an image.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

/// The filter of the resize; both are antialiased (their support grows with the reduction).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Lanczos with three lobes: the sharpest without visible aliasing.
    #[default]
    Lanczos,
    /// Triangle filter: what Pillow and torchvision's `Resize` do by default.
    Bilinear,
}

/// A part of an image, in pixels.
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

/// Resizes a window of an RGB image of `width`×`height`, given row by row, to `to[0]`×`to[1]` pixels; the
/// filter does not look beyond the window.
///
/// # Errors
/// When there are not as many bytes as pixels, or the window is not in the image.
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
    // Cut out first: with the resizer's own crop the filter would look beyond the edges.
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
    // The call for one pixel type: the other compiles the resize for all of them, half a minute. And the
    // only call: each one for other types of images is 800 kB of program.
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| e.to_string())?;
    Ok(pixels)
}
