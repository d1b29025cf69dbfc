//! The closest view of a small image: shifted, rotated and enlarged a little.
//!
//! A copy that was moved by 2 of 64 pixels is no longer close as a thumbnail: of training images that were shifted by up to 2
//! pixels and compressed as JPEG, 50 % were below the threshold that 0.1 % of unseen images reach.
//!
//! An image has 375 coarse views and up to 648 finer ones. None of them is standardised by itself, which took most of the time
//! of an audit: sums over rectangles give their lengths.

use dermagan_base::image::Image;

use crate::images::thumbnail::{reduced_from, scale_of, standardise};

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
/// Places of the central square along each axis, and the side of the square that holds them all.
const PLACES: usize = 2 * SHIFT + 1;
const FIELD: usize = CORE + 2 * SHIFT;
/// Number of views of an image.
const VIEWS: usize = ROTATIONS.len() * ZOOMS.len() * PLACES * PLACES;

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

/// The largest product of a standardised `core` with the central squares of the views around view number `view` of [`views`],
/// standardised.
pub(crate) fn finer(small: &[Vec<f32>; 4], view: usize, core: &[f32]) -> f32 {
    let (x, y) = (view % PLACES, view / PLACES % PLACES);
    let (zoom, rotation) = (view / PLACES.pow(2) % ZOOMS.len(), view / PLACES.pow(2) / ZOOMS.len());
    let around = |place: usize| place.saturating_sub(1)..=(place + 1).min(2 * SHIFT);
    let mut best = f32::MIN;
    for small in small {
        for turn in TURNS {
            for factor in FACTORS {
                let field = Field::new(small, ROTATIONS[rotation] + turn, ZOOMS[zoom] * factor);
                for y in around(y) {
                    for x in around(x) {
                        best = best.max(field.product(x, y, core) * field.scale(x, y));
                    }
                }
            }
        }
    }
    best
}

/// The central square of `[SMALL, SMALL, 3]`, standardised.
pub(crate) fn core(small: &[f32]) -> Vec<f32> {
    let from = (SMALL - CORE) / 2;
    let row = |y: usize| small[(y * SMALL + from) * 3..][..CORE * 3].iter().copied();
    let mut core: Vec<f32> = (from..from + CORE).flat_map(row).collect();
    standardise(&mut core);
    core
}

/// The central squares of every view of an image.
pub(crate) struct Views {
    /// The squares, `[VIEWS, CORE_DIMS]`.
    pub squares: Vec<f32>,
    /// The factor for each: a square times its factor is standardised, except for the mean of each channel. That mean does not
    /// matter in the product with a [`core`], which has none.
    pub scales: Vec<f32>,
}

/// The views of `[SMALL, SMALL, 3]`.
pub(crate) fn views(small: &[f32]) -> Views {
    let mut squares = Vec::with_capacity(VIEWS * CORE_DIMS);
    let mut scales = Vec::with_capacity(VIEWS);
    for degrees in ROTATIONS {
        for zoom in ZOOMS {
            let field = Field::new(small, degrees, zoom);
            for y in 0..PLACES {
                for x in 0..PLACES {
                    field.rows(x, y).for_each(|row| squares.extend_from_slice(row));
                    scales.push(field.scale(x, y));
                }
            }
        }
    }
    Views { squares, scales }
}

/// The centre of a rotated and enlarged image, of which the shifted central squares are parts.
struct Field {
    /// `[FIELD, FIELD, 3]`, without the mean of each channel.
    values: Vec<f32>,
    /// The sums of each channel and of the squares, of all values above and to the left: `[FIELD + 1, FIELD + 1]`.
    sums: Vec<[f64; 4]>,
}

impl Field {
    /// The centre of `[SMALL, SMALL, 3]` after a rotation about it and an enlargement.
    fn new(small: &[f32], degrees: f32, zoom: f32) -> Self {
        let mut values = warped(small, degrees, zoom);
        let pixels = values.as_chunks_mut::<3>().0;
        for channel in 0..3 {
            let sum: f32 = pixels.iter().map(|pixel| pixel[channel]).sum();
            let mean = sum / pixels.len() as f32;
            pixels.iter_mut().for_each(|pixel| pixel[channel] -= mean);
        }
        let mut sums = vec![[0.0; 4]; (FIELD + 1) * (FIELD + 1)];
        for (i, pixel) in pixels.iter().enumerate() {
            let at = (i / FIELD + 1) * (FIELD + 1) + i % FIELD + 1;
            let [r, g, b] = pixel.map(f64::from);
            let here = [r, g, b, r * r + g * g + b * b];
            let (left, above, corner) = (at - 1, at - FIELD - 1, at - FIELD - 2);
            sums[at] =
                std::array::from_fn(|k| here[k] + sums[left][k] + sums[above][k] - sums[corner][k]);
        }
        Self { values, sums }
    }

    /// The rows of the square from column `x` and row `y`.
    fn rows(&self, x: usize, y: usize) -> impl Iterator<Item = &[f32]> {
        (y..y + CORE).map(move |row| &self.values[(row * FIELD + x) * 3..][..CORE * 3])
    }

    /// The product of the square from column `x` and row `y` with a core.
    fn product(&self, x: usize, y: usize, core: &[f32]) -> f32 {
        // Eight sums, which the compiler keeps in one register.
        let mut sums = [0.0; 8];
        for (row, core) in self.rows(x, y).zip(core.chunks_exact(CORE * 3)) {
            for (a, b) in row.as_chunks::<8>().0.iter().zip(core.as_chunks::<8>().0) {
                for k in 0..8 {
                    sums[k] += a[k] * b[k];
                }
            }
        }
        sums.iter().sum()
    }

    /// What the square from column `x` and row `y` is multiplied by to have length 1 without the mean of each channel; 0 if it
    /// is flat.
    fn scale(&self, x: usize, y: usize) -> f32 {
        let at = |x: usize, y: usize| self.sums[y * (FIELD + 1) + x];
        let (end, right, below, start) =
            (at(x + CORE, y + CORE), at(x + CORE, y), at(x, y + CORE), at(x, y));
        let [r, g, b, squares]: [f64; 4] =
            std::array::from_fn(|k| end[k] - right[k] - below[k] + start[k]);
        scale_of(squares - (r * r + g * g + b * b) / (CORE * CORE) as f64, CORE * CORE)
    }
}

/// The centre of the image, `FIELD` pixels wide, rotated about it and enlarged, by bilinear interpolation.
/// Edge pixels are replicated beyond the edge.
fn warped(small: &[f32], degrees: f32, zoom: f32) -> Vec<f32> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let centre = |side: usize| (side as f32 - 1.0) / 2.0;
    let mut out = Vec::with_capacity(FIELD * FIELD * 3);
    for row in 0..FIELD {
        for column in 0..FIELD {
            let (u, v) =
                ((column as f32 - centre(FIELD)) / zoom, (row as f32 - centre(FIELD)) / zoom);
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

    /// The products of views with a core.
    fn products(views: &Views, core: &[f32]) -> Vec<f32> {
        let dot = |(square, scale): (&[f32], &f32)| {
            scale * square.iter().zip(core).map(|(a, b)| a * b).sum::<f32>()
        };
        views.squares.chunks_exact(CORE_DIMS).zip(&views.scales).map(dot).collect()
    }

    /// The largest product of a view of `a` with the centre of `b`.
    fn best(a: &[f32], b: &[f32]) -> f32 {
        products(&views(a), &core(b)).into_iter().fold(-1.0, f32::max)
    }

    #[test]
    fn a_moved_image_is_found_and_an_unmoved_one_exactly() {
        let original = small(image);
        assert_eq!(views(&original).squares.len(), VIEWS * CORE_DIMS);
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
        let coarse = products(&views(&reduced_from(&moved_image, SMALL, [0.0; 2])), &core);
        let (view, coarse) =
            coarse.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        let finer = finer(&moved(&moved_image), view, &core);
        assert!(1.0 - finer < (1.0 - coarse) / 4.0, "{coarse} {finer}");
    }

    #[test]
    fn a_view_has_the_product_of_its_standardised_square() {
        let small = small(image);
        let core = core(&small);
        let views = views(&small);
        for (square, found) in views.squares.chunks_exact(CORE_DIMS).zip(products(&views, &core)) {
            let mut standard = square.to_vec();
            standardise(&mut standard);
            let expected: f32 = standard.iter().zip(&core).map(|(a, b)| a * b).sum();
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        let flat = Field::new(&[7.0; SMALL * SMALL * 3], 5.0, 1.0);
        assert_eq!(flat.scale(1, 2), 0.0);
    }

    #[test]
    fn another_image_is_not_close_in_any_view() {
        let other = small(|x, y| (x * 0.9).cos() * 40.0 * (y * 0.7).sin());
        assert!(best(&other, &small(image)) < 0.7);
    }
}
