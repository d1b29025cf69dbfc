//! The closest view of a small image: shifted, rotated and enlarged a little.
//!
//! A copy that was moved by 2 of 64 pixels is no longer close as a thumbnail: of training images that were shifted by up to 2
//! pixels and compressed as JPEG, 50 % were below the threshold that 0.1 % of unseen images reach.

use crate::images::thumbnail::standardise;

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
    fn another_image_is_not_close_in_any_view() {
        let other = small(|x, y| (x * 0.9).cos() * 40.0 * (y * 0.7).sin());
        assert!(best(&other, &small(image)) < 0.7);
    }
}
