//! Small versions of images, by which copies are found.

use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;

/// A pixel of a small image is the sum of weights times pixels of the image along each axis.
type Weights = Vec<(usize, f32)>;

/// The image reduced to `[side, side, 3]`: each value is the mean over its square of the image.
pub(crate) fn reduced(image: &Image, side: usize) -> Vec<f32> {
    reduced_from(image, side, [0.0; 2])
}

/// As [`reduced`], with all squares moved right and down by `offset`, in squares. What is left of a square at the edge counts.
pub(crate) fn reduced_from(image: &Image, side: usize, offset: [f64; 2]) -> Vec<f32> {
    let (columns, rows) =
        (weights(image.width, side, offset[0]), weights(image.height, side, offset[1]));
    let mut small = vec![0.0; side * side * 3];
    for (row, target) in rows.iter().zip(small.chunks_exact_mut(side * 3)) {
        for (y, by_row) in row {
            for (column, pixel) in columns.iter().zip(target.as_chunks_mut::<3>().0) {
                for (x, by_column) in column {
                    let from = &image.pixels[(y * image.width + x) * 3..][..3];
                    for (value, from) in pixel.iter_mut().zip(from) {
                        *value += by_row * by_column * f32::from(*from);
                    }
                }
            }
        }
    }
    small
}

/// For each of `side` cells along an axis of `length` pixels, moved by `offset` cells, the pixels under it and their shares of
/// it.
fn weights(length: usize, side: usize, offset: f64) -> Vec<Weights> {
    let scale = length as f64 / side as f64;
    let of = |cell: usize| {
        let from = (cell as f64 + offset) * scale;
        let to = (from + scale).min(length as f64);
        let pixels = from as usize..(to.ceil() as usize).clamp(1, length);
        let share = |pixel: usize| {
            let covered = to.min((pixel + 1) as f64) - from.max(pixel as f64);
            (pixel, (covered / (to - from)) as f32)
        };
        pixels.map(share).filter(|(_, share)| *share > 0.0).collect()
    };
    (0..side).map(of).collect()
}

/// Removes the mean of each channel of `[n, 3]` and scales the result to length 1; a flat image becomes zero.
pub(crate) fn standardise(values: &mut [f32]) {
    let pixels = values.as_chunks_mut::<3>().0;
    let n = pixels.len() as f32;
    for channel in 0..3 {
        let mean = pixels.iter().map(|pixel| pixel[channel]).sum::<f32>() / n;
        pixels.iter_mut().for_each(|pixel| pixel[channel] -= mean);
    }
    let scale = scale_of(values.iter().map(|v| f64::from(v * v)).sum(), values.len() / 3);
    values.iter_mut().for_each(|v| *v *= scale);
}

/// The factor that gives `pixels` pixels with this sum of squares the length 1; 0 for a flat image.
pub(crate) fn scale_of(squares: f64, pixels: usize) -> f32 {
    let length = squares.max(0.0).sqrt();
    if length > 1e-3 * (pixels as f64).sqrt() { (1.0 / length) as f32 } else { 0.0 }
}

/// For each of the eight orientations, the place from which an oriented `[side, side]` takes each of its pixels.
pub(crate) fn sources(side: usize) -> [Vec<usize>; 8] {
    Orientation::all().map(|orientation| {
        let place = |i: usize| {
            let (x, y) = orientation.source((i % side, i / side), side - 1);
            y * side + x
        };
        (0..side * side).map(place).collect()
    })
}

/// Orients `[side, side, 3]` by one of [`sources`].
pub(crate) fn oriented(values: &[f32], source: &[usize]) -> Vec<f32> {
    source.iter().flat_map(|from| values[from * 3..from * 3 + 3].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_image_has_the_means_of_squares() {
        let pixels: Vec<u8> = (0..6 * 6 * 3).map(|i| (i * 37 % 251) as u8).collect();
        let image = Image { width: 6, height: 6, pixels };
        let mean = |x: std::ops::Range<usize>, y: std::ops::Range<usize>, channel: usize| {
            let n = (x.len() * y.len()) as f32;
            let of = |y: usize| x.clone().map(move |x| (y * 6 + x) * 3 + channel);
            y.flat_map(of).map(|at| f32::from(image.pixels[at])).sum::<f32>() / n
        };
        let small = reduced(&image, 3);
        assert!((small[(3 + 2) * 3 + 1] - mean(4..6, 2..4, 1)).abs() < 1e-3);
        // A cell of 1.5 pixels takes half of the second.
        let small = reduced(&image, 4);
        let value = |x: usize, y: usize| f32::from(image.pixels[(y * 6 + x) * 3]);
        let expected =
            (value(0, 0) + 0.5 * value(1, 0) + 0.5 * value(0, 1) + 0.25 * value(1, 1)) / 2.25;
        assert!((small[0] - expected).abs() < 1e-3);
        // Enlarged, a cell takes part of one pixel.
        assert_eq!(reduced(&image, 12)[0], value(0, 0));
    }

    #[test]
    fn a_standard_image_ignores_colour_casts_and_contrast() {
        let mut a: Vec<f32> = (0..48).map(|i| ((i * 7) % 13) as f32).collect();
        let mut b: Vec<f32> =
            a.iter().enumerate().map(|(i, v)| 3.0 * v + (i % 3) as f32 * 20.0).collect();
        standardise(&mut a);
        standardise(&mut b);
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5));
        let mut flat = vec![100.0; 48];
        standardise(&mut flat);
        assert_eq!(flat, [0.0; 48]);
    }

    #[test]
    fn small_images_are_oriented_as_images_are() {
        let image = Image { width: 4, height: 4, pixels: (0..48).collect() };
        let values: Vec<f32> = image.pixels.iter().map(|v| f32::from(*v)).collect();
        for (orientation, source) in Orientation::all().into_iter().zip(sources(4)) {
            let expected = image.clone().oriented(orientation).pixels;
            let found: Vec<u8> = oriented(&values, &source).iter().map(|v| *v as u8).collect();
            assert_eq!(found, expected);
        }
    }
}
