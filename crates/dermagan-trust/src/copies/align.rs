//! The closest view of a small image: shifted, rotated and enlarged a little.
//!
//! A copy that was moved by 2 of 64 pixels is no longer close as a thumbnail: of training images that were shifted by up to 2
//! pixels and compressed as JPEG, 50 % were below the threshold that 0.1 % of unseen images reach.

use dermagan_base::image::Image;

use crate::images::thumbnail::{reduced_from, standardise};

/// Side of the small images.
pub(crate) const SMALL: usize = 32;
/// Side of the central square that is compared, so that a moved image has values everywhere in it.
pub(crate) const CORE: usize = 24;
/// Values of the central square.
pub(crate) const CORE_DIMS: usize = CORE * CORE * 3;
/// Largest shift along each axis, in pixels of the small image: 4 of 64 pixels.
const SHIFT: usize = 2;
/// Rotations in degrees.
const ROTATIONS: [f32; 5] = [-10.0, -5.0, 0.0, 5.0, 10.0];
/// Enlargements.
const ZOOMS: [f32; 3] = [0.95, 1.0, 1.05];
/// Number of views of an image.
pub(crate) const VIEWS: usize = ROTATIONS.len() * ZOOMS.len() * (2 * SHIFT + 1) * (2 * SHIFT + 1);

/// Rotations of a finer search, in degrees from that of the coarse one.
const TURNS: [f32; 3] = [-2.5, 0.0, 2.5];
/// Enlargements of a finer search, as factors of that of the coarse one.
const FACTORS: [f32; 3] = [0.975, 1.0, 1.025];
/// Offsets of the small image of a finer search, in its pixels: half of one is a pixel of 64. A copy that was moved by an odd
/// number of these was farther from its original, by a ratio of 0.37 where it is 0.001 after an even number.
const OFFSETS: [[f64; 2]; 4] = [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5], [0.5, 0.5]];

/// The small images of an image that a finer search looks at.
pub(crate) fn moved(image: &Image) -> [Vec<f32>; 4] {
    OFFSETS.map(|offset| reduced_from(image, SMALL, offset))
}

/// The central square of the views around view number `view` of [`views`], each standardised: `[n, CORE_DIMS]`.
pub(crate) fn finer(small: &[Vec<f32>; 4], view: usize) -> Vec<f32> {
    let places = 2 * SHIFT + 1;
    let (x, y) = (view % places, view / places % places);
    let (zoom, rotation) = (view / places.pow(2) % ZOOMS.len(), view / places.pow(2) / ZOOMS.len());
    let around = |place: usize| place.saturating_sub(1)..=(place + 1).min(2 * SHIFT);
    let mut views = Vec::new();
    for small in small {
        for turn in TURNS {
            for factor in FACTORS {
                let moved = warped(small, ROTATIONS[rotation] + turn, ZOOMS[zoom] * factor);
                for y in around(y) {
                    for x in around(x) {
                        let mut view = crop(&moved, CORE + 2 * SHIFT, x, y);
                        standardise(&mut view);
                        views.extend(view);
                    }
                }
            }
        }
    }
    views
}

/// The central square of `[SMALL, SMALL, 3]`, standardised.
pub(crate) fn core(small: &[f32]) -> Vec<f32> {
    let mut core = crop(small, SMALL, (SMALL - CORE) / 2, (SMALL - CORE) / 2);
    standardise(&mut core);
    core
}

/// The central square of every view of `[SMALL, SMALL, 3]`, each standardised: `[VIEWS, CORE_DIMS]`.
pub(crate) fn views(small: &[f32]) -> Vec<f32> {
    let mut views = Vec::with_capacity(VIEWS * CORE_DIMS);
    for degrees in ROTATIONS {
        for zoom in ZOOMS {
            let moved = warped(small, degrees, zoom);
            for y in 0..=2 * SHIFT {
                for x in 0..=2 * SHIFT {
                    let mut view = crop(&moved, CORE + 2 * SHIFT, x, y);
                    standardise(&mut view);
                    views.extend(view);
                }
            }
        }
    }
    views
}

/// `CORE`×`CORE` pixels of a square of `side` pixels, from column `x` and row `y`.
fn crop(values: &[f32], side: usize, x: usize, y: usize) -> Vec<f32> {
    (y..y + CORE)
        .flat_map(|row| values[(row * side + x) * 3..][..CORE * 3].iter().copied())
        .collect()
}

/// The centre of the image, `CORE + 2 * SHIFT` pixels wide, rotated about it and enlarged, by bilinear interpolation.
/// Edge pixels are replicated beyond the edge.
fn warped(small: &[f32], degrees: f32, zoom: f32) -> Vec<f32> {
    let side = CORE + 2 * SHIFT;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let centre = |side: usize| (side as f32 - 1.0) / 2.0;
    let mut out = Vec::with_capacity(side * side * 3);
    for row in 0..side {
        for column in 0..side {
            let (u, v) =
                ((column as f32 - centre(side)) / zoom, (row as f32 - centre(side)) / zoom);
            let (x, y) = (cos * u - sin * v + centre(SMALL), sin * u + cos * v + centre(SMALL));
            out.extend(interpolated(small, x, y));
        }
    }
    out
}

/// The colour of a small image between pixel centres.
fn interpolated(small: &[f32], x: f32, y: f32) -> [f32; 3] {
    let last = SMALL as f32 - 1.0;
    let (x, y) = (x.clamp(0.0, last), y.clamp(0.0, last));
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(SMALL - 1), (top + 1).min(SMALL - 1));
    let (by_x, by_y) = (x - left as f32, y - top as f32);
    std::array::from_fn(|channel| {
        let at = |x: usize, y: usize| small[(y * SMALL + x) * 3 + channel];
        let above = at(left, top) + by_x * (at(right, top) - at(left, top));
        let below = at(left, bottom) + by_x * (at(right, bottom) - at(left, bottom));
        above + by_y * (below - above)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A smooth image without symmetry.
    fn image(x: f32, y: f32) -> f32 {
        (x * 0.31).sin() * 40.0 + (y * 0.23 + x * 0.1).cos() * 30.0 + x * 0.7
    }

    fn small(of: impl Fn(f32, f32) -> f32) -> Vec<f32> {
        let values = (0..SMALL * SMALL).flat_map(|i| {
            let v = of((i % SMALL) as f32, (i / SMALL) as f32);
            [v, 0.5 * v, 100.0 - v]
        });
        values.collect()
    }

    /// The largest product of a view of `a` with the centre of `b`.
    fn best(a: &[f32], b: &[f32]) -> f32 {
        let core = core(b);
        let dot = |view: &[f32]| view.iter().zip(&core).map(|(a, b)| a * b).sum::<f32>();
        views(a).chunks_exact(CORE_DIMS).map(dot).fold(-1.0, f32::max)
    }

    #[test]
    fn a_moved_image_is_found_and_an_unmoved_one_exactly() {
        let original = small(image);
        assert_eq!(views(&original).len(), VIEWS * CORE_DIMS);
        assert!((best(&original, &original) - 1.0).abs() < 1e-5);
        let shifted = small(|x, y| image(x + 2.0, y - 1.0));
        assert!((best(&shifted, &original) - 1.0).abs() < 1e-5);
        let (sin, cos) = 5.0_f32.to_radians().sin_cos();
        let centre = (SMALL as f32 - 1.0) / 2.0;
        let rotated = small(|x, y| {
            let (u, v) = (x - centre, y - centre);
            image(cos * u - sin * v + centre, sin * u + cos * v + centre)
        });
        assert!(best(&rotated, &original) > 0.999, "{}", best(&rotated, &original));
    }

    #[test]
    fn an_image_that_was_moved_by_a_pixel_of_64_is_found_by_the_finer_search() {
        let full = |dx: usize, dy: usize| {
            let pixels = (0..64 * 64).flat_map(|i| {
                let (x, y) = ((i % 64 + dx) as f32 / 2.0, (i / 64 + dy) as f32 / 2.0);
                let v = image(x, y) + 20.0 * (2.0 * x).sin() * (1.7 * y).cos();
                [v, 0.5 * v + 90.0, 200.0 - v].map(|v| v.clamp(0.0, 255.0) as u8)
            });
            Image { width: 64, height: 64, pixels: pixels.collect() }
        };
        let core = core(&reduced_from(&full(0, 0), SMALL, [0.0; 2]));
        let moved_image = full(3, 1);
        let best = |views: &[f32]| {
            let dot = |view: &[f32]| view.iter().zip(&core).map(|(a, b)| a * b).sum::<f32>();
            let products = views.chunks_exact(CORE_DIMS).map(dot).enumerate();
            products.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap()
        };
        let (view, coarse) = best(&views(&reduced_from(&moved_image, SMALL, [0.0; 2])));
        let (_, finer) = best(&finer(&moved(&moved_image), view));
        assert!(1.0 - finer < (1.0 - coarse) / 4.0, "{coarse} {finer}");
    }

    #[test]
    fn another_image_is_not_close_in_any_view() {
        let other = small(|x, y| (x * 0.9).cos() * 40.0 * (y * 0.7).sin());
        assert!(best(&other, &small(image)) < 0.7);
    }
}
