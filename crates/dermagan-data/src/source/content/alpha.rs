//! Composites transparent pixels on white.

use image::{DynamicImage, ImageBuffer, Pixel, RgbImage};

/// How transparent an image was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transparency {
    /// Number of pixels that are not opaque.
    pub transparent: usize,
    /// Number of pixels whose alpha is less than half.
    pub mostly: usize,
}

/// The pixels of an image on white, in 8-bit RGB. The values are composited as they are stored, not in linear light,
/// as other programs do. `premultiplied` says that the colours are multiplied by alpha already.
pub(crate) fn on_white(image: DynamicImage, premultiplied: bool) -> (RgbImage, Transparency) {
    match image {
        DynamicImage::ImageLumaA8(image) => composite(&image, premultiplied),
        DynamicImage::ImageRgba8(image) => composite(&image, premultiplied),
        DynamicImage::ImageLumaA16(image) => composite(&image, premultiplied),
        DynamicImage::ImageRgba16(image) => composite(&image, premultiplied),
        DynamicImage::ImageRgba32F(_) => composite(&image.into_rgba16(), premultiplied),
        image => (image.into_rgb8(), Transparency::default()),
    }
}

/// An unsigned sample of 8 or 16 bits.
trait Sample: image::Primitive + Into<u32> {
    const MAX: u32;
    /// A value of this range in 8 bits, rounded.
    fn byte(value: u32) -> u8;
}

impl Sample for u8 {
    const MAX: u32 = 255;
    fn byte(value: u32) -> u8 {
        value as u8
    }
}

impl Sample for u16 {
    const MAX: u32 = 65_535;
    fn byte(value: u32) -> u8 {
        ((value + 128) / 257) as u8
    }
}

fn composite<P>(
    image: &ImageBuffer<P, Vec<P::Subpixel>>,
    premultiplied: bool,
) -> (RgbImage, Transparency)
where
    P: Pixel,
    P::Subpixel: Sample,
{
    let max = <P::Subpixel as Sample>::MAX;
    let mut found = Transparency::default();
    let mut out = Vec::with_capacity(image.len() / usize::from(P::CHANNEL_COUNT) * 3);
    for pixel in image.pixels() {
        let Some((&alpha, colours)) = pixel.channels().split_last() else { continue };
        let alpha: u32 = alpha.into();
        found.transparent += usize::from(alpha < max);
        found.mostly += usize::from(2 * alpha < max);
        let on_white = |colour: P::Subpixel| {
            let colour: u32 = colour.into();
            // At most 65,535² + 32,767, which fits.
            let value = match premultiplied {
                true => (colour + (max - alpha)).min(max),
                false => (colour * alpha + max * (max - alpha) + max / 2) / max,
            };
            P::Subpixel::byte(value)
        };
        match *colours {
            [grey] => out.extend([on_white(grey); 3]),
            _ => out.extend(colours.iter().map(|&colour| on_white(colour))),
        }
    }
    let (width, height) = image.dimensions();
    let image = RgbImage::from_raw(width, height, out);
    (image.unwrap_or_else(|| RgbImage::new(width, height)), found)
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, LumaA, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn straight_and_premultiplied_colours_are_composited_on_white() {
        let pixels = vec![200, 100, 0, 255, 200, 100, 0, 51, 9, 9, 9, 0];
        let image = || DynamicImage::ImageRgba8(RgbaImage::from_raw(3, 1, pixels.clone()).unwrap());
        let (straight, found) = on_white(image(), false);
        // 0.2 × 200 + 0.8 × 255 = 244, and so on.
        assert_eq!(straight.into_raw(), [200, 100, 0, 244, 224, 204, 255, 255, 255]);
        assert_eq!(found, Transparency { transparent: 2, mostly: 2 });
        let (premultiplied, _) = on_white(image(), true);
        assert_eq!(premultiplied.into_raw()[3..6], [255, 255, 204]);
    }

    #[test]
    fn sixteen_bits_and_grey_are_composited_too() {
        let deep = ImageBuffer::from_raw(1, 1, vec![0u16, 65_535, 32_768, 32_768]).unwrap();
        let (image, found) = on_white(DynamicImage::ImageRgba16(deep), false);
        assert_eq!(image.into_raw(), [127, 255, 191]);
        assert_eq!(found, Transparency { transparent: 1, mostly: 0 });
        let grey = GrayAlphaImage::from_pixel(1, 1, LumaA([10, 127]));
        let (image, found) = on_white(DynamicImage::ImageLumaA8(grey), false);
        assert_eq!(image.into_raw(), [133; 3]);
        assert_eq!(found, Transparency { transparent: 1, mostly: 1 });
    }

    #[test]
    fn opaque_images_keep_the_bytes_of_a_plain_conversion() {
        let deep = ImageBuffer::from_fn(257, 1, |x, _| {
            Rgba([x as u16 * 255, 65_535 - x as u16 * 17, x as u16, 65_535])
        });
        let deep = DynamicImage::ImageRgba16(deep);
        let (image, found) = on_white(deep.clone(), false);
        assert_eq!((image, found), (deep.into_rgb8(), Transparency::default()));
    }
}
