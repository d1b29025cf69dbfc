//! Looks at the pixels of an image, before they are resized, and says why it can be no photograph.

use std::collections::HashSet;

use image::RgbImage;

use crate::source::problem::ProblemKind;

/// Images with fewer pixels are not judged by their number of colours.
const FEW_PIXELS: usize = 1024;
/// An image of that many pixels with at most this many colours is a map of labels. The photograph of HAM10000 with
/// the fewest colours has 1,077 at 200×150 pixels.
const FEW_COLOURS: usize = 16;

/// Two levels are one colour if they differ by no more: a JPEG's flat blocks are exact within this.
const SAME: i32 = 2;
/// The colours of a mask differ by at least this in one channel.
const APART: i32 = 64;
/// A JPEG of a mask has at least this share of its pixels within [`SAME`] of two colours. Masks that were saved at
/// quality 30 to 95 reach 0.63 to 0.80 at 28×28 pixels and more above; photographs of HAM10000 reach 0.41.
const SHARE: f64 = 0.6;
/// The rarer colour of a mask has at least this share of its pixels.
const RARER: f64 = 0.002;
/// All but a tenth of a mask's pixels are this close to its colours: what compression adds beside the edges.
const NEAR: i32 = 32;
const NEAR_SHARE: f64 = 0.9;
/// Number of pixels of a first look, which ends the search in almost all photographs, and of the second.
const SAMPLES: [usize; 2] = [256, 65_536];
/// The limits of the first look are lower by this: more than chance explains.
const LENIENCE: f64 = 0.15;

/// Why the image is no photograph; `None` if it may be one.
pub(crate) fn look(image: &RgbImage) -> Option<ProblemKind> {
    let pixels = image.as_raw().as_chunks::<3>().0;
    let &first = pixels.first()?;
    let colours = few_colours(pixels);
    match colours {
        Some(1) => return Some(ProblemKind::OneColour),
        Some(2) => return Some(ProblemKind::TwoColours),
        _ => {}
    }
    if Shares::of(pixels, SAMPLES[0]).reach(SHARE - LENIENCE, 0.0, NEAR_SHARE - LENIENCE)
        && Shares::of(pixels, SAMPLES[1]).reach(SHARE, RARER, NEAR_SHARE)
    {
        return Some(ProblemKind::TwoColours);
    }
    if colours.is_some() && pixels.len() >= FEW_PIXELS {
        return Some(ProblemKind::Mask);
    }
    (first[2] == 0 && is_index_map(pixels)).then_some(ProblemKind::Mask)
}

/// The number of colours, if it is at most [`FEW_COLOURS`].
fn few_colours(pixels: &[[u8; 3]]) -> Option<usize> {
    let mut colours: Vec<[u8; 3]> = Vec::with_capacity(FEW_COLOURS + 1);
    let mut last = None;
    for &pixel in pixels {
        if last == Some(pixel) || colours.contains(&pixel) {
            last = Some(pixel);
            continue;
        }
        if colours.len() == FEW_COLOURS {
            return None;
        }
        colours.push(pixel);
        last = Some(pixel);
    }
    Some(colours.len())
}

/// How well two colours describe an image, as shares of its pixels.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    /// Within [`SAME`] of the most frequent colour.
    common: f64,
    /// Within [`SAME`] of the most frequent colour that is at least [`APART`] from it.
    rarer: f64,
    /// Within [`NEAR`] of one of both.
    near: f64,
}

impl Shares {
    /// The shares in a sample of about `number` pixels.
    fn of(pixels: &[[u8; 3]], number: usize) -> Self {
        // An odd step does not stay in the same columns of an image of even width.
        let step = (pixels.len() / number).max(1) | 1;
        let number = |&[red, green, blue]: &[u8; 3]| u32::from_be_bytes([0, red, green, blue]);
        let mut sample: Vec<u32> = pixels.iter().step_by(step).map(number).collect();
        sample.sort_unstable();
        let Some(common) = most_frequent(&sample, |_| true) else { return Self::default() };
        let rarer = most_frequent(&sample, |colour| distance(colour, common) >= APART);
        let mut counts = [0usize; 3];
        for &pixel in &sample {
            let pixel = colour(pixel);
            let from_common = distance(pixel, common);
            let from_rarer = rarer.map_or(i32::MAX, |rarer| distance(pixel, rarer));
            counts[0] += usize::from(from_common <= SAME);
            counts[1] += usize::from(from_rarer <= SAME);
            counts[2] += usize::from(from_common.min(from_rarer) <= NEAR);
        }
        let [common, rarer, near] = counts.map(|count| count as f64 / sample.len() as f64);
        Self { common, rarer, near }
    }

    /// Whether the image is a mask that was saved with loss.
    fn reach(self, share: f64, rarer: f64, near: f64) -> bool {
        self.common + self.rarer >= share && self.rarer >= rarer && self.near >= near
    }
}

/// The largest difference of two colours in one channel.
fn distance(a: [u8; 3], b: [u8; 3]) -> i32 {
    let [x, y, z] = [0, 1, 2].map(|c| (i32::from(a[c]) - i32::from(b[c])).abs());
    x.max(y).max(z)
}

/// The colour whose number the sample has.
fn colour(number: u32) -> [u8; 3] {
    let [_, red, green, blue] = number.to_be_bytes();
    [red, green, blue]
}

/// The most frequent of the colours that `counts` accepts, in sorted numbers of colours.
fn most_frequent(sorted: &[u32], counts: impl Fn([u8; 3]) -> bool) -> Option<[u8; 3]> {
    let runs = sorted.chunk_by(|a, b| a == b).filter(|run| counts(colour(run[0])));
    runs.max_by_key(|run| run.len()).map(|run| colour(run[0]))
}

/// Whether the pixels are numbers of regions, as in the superpixel images of the ISIC archive: red and the green
/// channel's multiples of 256 count from 0 without a gap, and blue is 0.
fn is_index_map(pixels: &[[u8; 3]]) -> bool {
    let mut seen = HashSet::new();
    for &[red, green, blue] in pixels {
        if blue != 0 {
            return false;
        }
        seen.insert(u16::from_le_bytes([red, green]));
    }
    let highest = seen.iter().max().map_or(0, |&index| usize::from(index));
    highest + 1 == seen.len()
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageFormat, Rgb};

    use super::*;

    /// A disc of one colour on another, with soft or hard edges.
    fn disc(side: u32, soft: bool) -> RgbImage {
        RgbImage::from_fn(side, side, |x, y| {
            let [x, y] = [x, y].map(|v| f64::from(v) - f64::from(side) / 2.2);
            let inside = f64::from(side) * 0.3 - x.hypot(y);
            let level = if soft { (128.0 + 255.0 * inside).clamp(0.0, 255.0) } else { inside };
            Rgb([if soft { level as u8 } else { 255 * u8::from(level > 0.0) }; 3])
        })
    }

    fn as_jpeg(image: &RgbImage, quality: u8) -> RgbImage {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality);
        encoder.encode_image(image).unwrap();
        image::load_from_memory_with_format(&bytes, ImageFormat::Jpeg).unwrap().into_rgb8()
    }

    /// A lesion on skin with a little noise, in a black circle: what comes closest to a mask among photographs.
    fn photograph(side: u32, contrast: f64) -> RgbImage {
        let mut random = 7u32;
        RgbImage::from_fn(side, side, |x, y| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(random >> 24) / 32.0 - 4.0;
            let [x, y] = [x, y].map(|v| f64::from(v) / f64::from(side) - 0.5);
            let radius = x.hypot(y);
            if radius > 0.6 {
                return Rgb([0; 3]);
            }
            let dark = contrast * (1.0 - radius / 0.3).clamp(0.0, 1.0);
            Rgb([210.0, 160.0, 140.0].map(|v| (v - dark - 40.0 * radius + noise) as u8))
        })
    }

    #[test]
    fn one_and_two_colours_are_named() {
        let flat = RgbImage::from_pixel(9, 5, Rgb([200, 150, 120]));
        assert_eq!(look(&flat), Some(ProblemKind::OneColour));
        assert_eq!(look(&RgbImage::new(1, 1)), Some(ProblemKind::OneColour));
        assert_eq!(look(&disc(50, false)), Some(ProblemKind::TwoColours));
        let mut nearly = flat.clone();
        nearly.put_pixel(3, 3, Rgb([200, 150, 121]));
        assert_eq!(look(&nearly), Some(ProblemKind::TwoColours));
    }

    #[test]
    fn a_mask_that_was_saved_with_loss_has_two_colours() {
        for side in [28, 64, 200] {
            for quality in [30, 50, 75, 90, 95] {
                for soft in [false, true] {
                    let saved = as_jpeg(&disc(side, soft), quality);
                    let what = format!("{side} pixels, quality {quality}, soft {soft}");
                    assert_eq!(look(&saved), Some(ProblemKind::TwoColours), "{what}");
                }
            }
        }
    }

    #[test]
    fn a_photograph_is_one_even_if_it_is_smooth_and_has_black_corners() {
        for side in [28, 64, 200] {
            for contrast in [0.0, 30.0, 100.0] {
                let photograph = photograph(side, contrast);
                assert_eq!(look(&photograph), None, "{side} pixels, contrast {contrast}");
                for quality in [50, 75, 95] {
                    let saved = as_jpeg(&photograph, quality);
                    assert_eq!(look(&saved), None, "{side}, {contrast}, quality {quality}");
                }
            }
        }
    }

    #[test]
    fn maps_of_labels_and_of_superpixels_are_masks() {
        let labels = RgbImage::from_fn(40, 40, |x, _| Rgb([(x / 8) as u8 * 50; 3]));
        assert_eq!(look(&labels), Some(ProblemKind::Mask));
        // 400 regions: the index is red + 256 × green.
        let index = |x: u32, y: u32| (y / 5 * 20 + x / 5) as u16;
        let map = RgbImage::from_fn(100, 100, |x, y| {
            let [low, high] = index(x, y).to_le_bytes();
            Rgb([low, high, 0])
        });
        assert_eq!(look(&map), Some(ProblemKind::Mask));
        // A gap in the numbers, or any blue, makes it an image.
        let gap = RgbImage::from_fn(100, 100, |x, y| {
            let [low, high] = (index(x, y) * 2).to_le_bytes();
            Rgb([low, high, 0])
        });
        assert_eq!(look(&gap), None);
    }

    #[test]
    fn a_grey_photograph_is_one() {
        let grey = DynamicImage::ImageRgb8(photograph(64, 60.0)).into_luma8();
        assert_eq!(look(&DynamicImage::ImageLuma8(grey).into_rgb8()), None);
    }
}
