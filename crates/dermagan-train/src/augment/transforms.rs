//! Augmentation of the images of a batch. It is drawn on the host and applied on the device.

use burn::tensor::{DType, Device, Float, Int, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::ops::{is_cpu, product};
use dermagan_model::tensor::upload;
use rayon::prelude::*;

use crate::augment::draw::{ImageDraw, TAPS};
use crate::recipe::augment::AugmentConfig;

/// The augmentation of each image of a batch, drawn on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Transforms {
    side: usize,
    draws: Vec<ImageDraw>,
}

/// Images with channels last, `[batch, side · side · 3]`, with the device and the number format of uploads.
#[derive(Clone)]
struct Rows {
    x: Tensor<2>,
    device: Device,
    dtype: DType,
}

impl Transforms {
    /// Draws the augmentation of one image of `side` × `side` pixels per element of `probabilities`. A probability, 0
    /// (never) to 1 (always), is that of each transform except the orientation. The draw of image i depends only on
    /// `config`, its probability, `side`, `seed`, `purpose` (at most 16 bytes) and `first` + i.
    pub fn draw(
        config: &AugmentConfig,
        probabilities: &[f64],
        seed: u64,
        purpose: &'static str,
        first: u64,
        side: usize,
    ) -> Self {
        let draw =
            |(i, p): (u64, &f64)| ImageDraw::draw(config, *p, side, Keyed::new(seed, purpose, i));
        Self { side, draws: (first..).zip(probabilities).map(draw).collect() }
    }

    /// Draws for the real images and for the fakes of a batch, each with its own purpose. `None` if no image is ever
    /// changed.
    pub fn pair(
        config: &AugmentConfig,
        probabilities: &[f64],
        seed: u64,
        purposes: [&'static str; 2],
        first: u64,
        side: usize,
    ) -> Option<[Self; 2]> {
        let draw = |purpose| Self::draw(config, probabilities, seed, purpose, first, side);
        (!config.is_off()).then(|| purposes.map(draw))
    }

    /// The augmented images, on the device and in the number format of `x`.
    ///
    /// `x` holds images of shape `[batch, 3, side, side]` with values in [-1, 1], in any memory layout. The result is
    /// channels-last in memory, as the CPU's layers prefer it. Its values may leave [-1, 1].
    ///
    /// # Panics
    /// When the batch or the side of `x` differs from those that were drawn for.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let moves = self.draws.iter().any(ImageDraw::moves);
        let warps = self.draws.iter().any(|d| d.warp.is_some());
        let colours = self.draws.iter().any(|d| d.colour.is_some());
        let cuts = self.draws.iter().any(|d| d.cut.is_some());
        if !(moves || warps || colours || cuts) {
            return x;
        }
        let (batch, side, values) = (self.draws.len(), self.side, self.values());
        let (device, dtype) = (x.device(), x.dtype());
        let x = x.permute([0, 2, 3, 1]).reshape([batch, values]);
        let mut rows = Rows { x, device, dtype };
        if warps {
            rows = self.warp(rows);
        } else if moves {
            let places = self.each(values, 0i64, |draw, places| draw.sources(side, places));
            rows = rows.gather(places);
        }
        if colours {
            rows = self.colour(rows);
        }
        if cuts {
            rows = self.cut(rows);
        }
        rows.x.reshape([batch, side, side, 3]).permute([0, 3, 1, 2])
    }

    /// Number of values of an image.
    fn values(&self) -> usize {
        3 * self.side * self.side
    }

    /// Orients, rotates, scales and shifts the images, with bilinear interpolation.
    fn warp(&self, rows: Rows) -> Rows {
        let (batch, side, values) = (self.draws.len(), self.side, self.values());
        let taps: Vec<_> = self.draws.par_iter().map(|draw| draw.interpolation(side)).collect();
        let of_tap = |tap: usize| tap * values..(tap + 1) * values;
        let parts = (0..TAPS).map(|tap| {
            let places: Vec<_> = taps.iter().map(|(places, _)| &places[of_tap(tap)]).collect();
            let weights: Vec<_> = taps.iter().map(|(_, weights)| &weights[of_tap(tap)]).collect();
            let weights = TensorData::new(weights.concat(), [batch, values]);
            rows.clone().gather(places.concat()).x * upload(weights, (&rows.device, rows.dtype))
        });
        let sum = parts.reduce(|sum, part| sum + part);
        Rows { x: sum.unwrap_or_else(|| rows.x.clone()), ..rows }
    }

    /// Changes saturation, contrast and brightness: one matrix and one offset per image.
    fn colour(&self, rows: Rows) -> Rows {
        let (batch, values) = (self.draws.len(), self.values());
        let matrices = self.each(9, 0.0f32, |draw, matrix| {
            let (own, all) = draw.colour.map_or((1.0, 0.0), |c| {
                (c.contrast * c.saturation, c.contrast * (1.0 - c.saturation) / 3.0)
            });
            matrix.fill(all as f32);
            [0, 4, 8].into_iter().for_each(|i| matrix[i] = (own + all) as f32);
        });
        let offsets = self.each(1, 0.0f32, |draw, offset| {
            offset[0] = draw.colour.map_or(0.0, |c| c.offset) as f32;
        });
        let matrices = TensorData::new(matrices, [batch, 3, 3]);
        let matrices = upload::<3, Float>(matrices, (&rows.device, rows.dtype));
        let offsets = TensorData::new(offsets, [batch, 1]);
        let mapped = product(rows.x.reshape([batch, values / 3, 3]), matrices);
        let x = mapped.reshape([batch, values]) + upload(offsets, (&rows.device, rows.dtype));
        Rows { x, ..rows }
    }

    /// Sets the cutout of each image to mid-grey.
    fn cut(&self, rows: Rows) -> Rows {
        let (batch, side, values) = (self.draws.len(), self.side, self.values());
        let kept = self.each(values, 1.0f32, |draw, kept| {
            let Some([columns, lines]) = &draw.cut else { return };
            for y in lines.clone() {
                let line = 3 * side * y;
                kept[line + 3 * columns.start..line + 3 * columns.end].fill(0.0);
            }
        });
        let kept = TensorData::new(kept, [batch, values]);
        let x = rows.x * upload::<2, Float>(kept, (&rows.device, rows.dtype));
        Rows { x, ..rows }
    }

    /// `n` numbers per image. They are `default` where `fill` does not write.
    fn each<T: Clone + Send>(
        &self,
        n: usize,
        default: T,
        fill: impl Fn(&ImageDraw, &mut [T]) + Sync,
    ) -> Vec<T> {
        let mut all = vec![default; n * self.draws.len()];
        all.par_chunks_mut(n).zip(&self.draws).for_each(|(part, draw)| fill(draw, part));
        all
    }
}

impl Rows {
    /// The values at `places`, `[batch, values]`.
    ///
    /// There is one index per value, not one per pixel: on GPUs the gradient of `select` runs with one thread per
    /// channel, that of `gather` with one per value. On the CPU, burn copies indices that are not of 64 bits, in the
    /// forward pass and in the gradient. That alone would double the time of both.
    fn gather(self, places: Vec<i64>) -> Self {
        let width = if is_cpu(&self.device) { DType::I64 } else { DType::I32 };
        let places = TensorData::new(places, self.x.dims());
        let x = self.x.gather(1, upload::<2, Int>(places, (&self.device, width)));
        Self { x, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::draw::{Colour, Warp};
    use crate::test_support::{ALWAYS, FULL, NEVER};
    use burn::tensor::Device;
    use dermagan_base::orientation::Orientation;

    fn draw(config: &AugmentConfig, batch: usize, side: usize) -> Transforms {
        Transforms::draw(config, &vec![config.most(); batch], 7, "augment", 0, side)
    }

    fn of(side: usize, draw: ImageDraw) -> Transforms {
        Transforms { side, draws: vec![draw] }
    }

    /// Images of [batch, 3, side, side] in float64.
    fn images(values: &[f64], side: usize, device: &Device) -> Tensor<4> {
        let batch = values.len() / (3 * side * side);
        let data = TensorData::new(values.to_vec(), [batch, 3, side, side]);
        Tensor::from_data(data, (device, DType::F64))
    }

    fn noise(batch: usize, side: usize) -> Vec<f64> {
        let mut random = Keyed::new(1, "noise", 0);
        (0..batch * 3 * side * side).map(|_| random.range(-1.0, 1.0)).collect()
    }

    fn values(x: Tensor<4>) -> Vec<f64> {
        x.into_data().try_to_vec::<f64>().unwrap()
    }

    fn applied(transforms: &Transforms, x: &[f64]) -> Vec<f64> {
        values(transforms.apply(images(x, transforms.side, &Device::flex())))
    }

    #[test]
    fn augmentation_that_is_off_changes_nothing() {
        let x = noise(4, 6);
        assert_eq!(applied(&draw(&AugmentConfig::default(), 4, 6), &x), x);
        let never = AugmentConfig { turns: false, probability: NEVER, ..FULL };
        assert_eq!(applied(&draw(&never, 4, 6), &x), x);
    }

    #[test]
    fn orientations_permute_the_pixels() {
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let oriented = |mirror, quarters| {
            let orientation = Orientation { mirror, quarters };
            let one = ImageDraw { orientation, ..ImageDraw::default() };
            applied(&of(2, one), &x)[..4].to_vec()
        };
        assert_eq!(oriented(true, 0), [1.0, 0.0, 3.0, 2.0]);
        assert_eq!(oriented(false, 1), [1.0, 3.0, 0.0, 2.0]);
        assert_eq!(oriented(true, 1), [0.0, 2.0, 1.0, 3.0]);
        assert_eq!(oriented(false, 2), [3.0, 2.0, 1.0, 0.0]);
        let (side, only) = (5, AugmentConfig { turns: true, ..AugmentConfig::default() });
        let (x, mut seen) = (noise(1, side), Vec::new());
        for one in draw(&only, 64, side).draws {
            seen.push((one.orientation.mirror, one.orientation.quarters));
            let (mut y, mut sorted) = (applied(&of(side, one), &x), x.clone());
            y.sort_by(f64::total_cmp);
            sorted.sort_by(f64::total_cmp);
            assert_eq!(y, sorted);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 8);
    }

    #[test]
    fn a_shifted_image_is_reflected_at_its_border() {
        let side = 6;
        let x = noise(1, side);
        let from = |p: usize, shift: isize| match p as isize - shift {
            p if p < 0 => -p as usize,
            p if p > 5 => 10 - p as usize,
            p => p as usize,
        };
        for shift in [[2, -1], [-3, 3], [5, -5]] {
            let y = applied(&of(side, ImageDraw { shift, ..ImageDraw::default() }), &x);
            for (i, y) in y.iter().enumerate() {
                let (channel, row, column) = (i / 36, i / 6 % 6, i % 6);
                let place = (channel * 6 + from(row, shift[1])) * 6 + from(column, shift[0]);
                assert_eq!(*y, x[place]);
            }
        }
        let config = AugmentConfig { translate: 0.3, probability: ALWAYS, ..Default::default() };
        let shifts = draw(&config, 500, side).draws.into_iter().flat_map(|c| c.shift);
        let mut shifts: Vec<_> = shifts.collect();
        shifts.sort_unstable();
        shifts.dedup();
        assert_eq!(shifts, [-2, -1, 0, 1, 2]);
    }

    #[test]
    fn a_rotation_by_90_degrees_equals_a_quarter_turn() {
        let side = 7;
        let x = noise(1, side);
        for quarters in 0..4u8 {
            let orientation = Orientation { mirror: false, quarters };
            let whole = applied(&of(side, ImageDraw { orientation, ..ImageDraw::default() }), &x);
            let angle = f64::from(quarters) * std::f64::consts::FRAC_PI_2;
            let warp = Some(Warp::of(angle, 1.0));
            let y = applied(&of(side, ImageDraw { warp, ..ImageDraw::default() }), &x);
            assert!(y.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6), "{quarters}");
        }
        // Together with the others: an image is first oriented, then rotated about its centre, then shifted.
        let orientation = Orientation { mirror: true, quarters: 1 };
        let both = ImageDraw { orientation, shift: [2, -1], ..ImageDraw::default() };
        let still = ImageDraw { warp: Some(Warp::of(0.0, 1.0)), ..both.clone() };
        assert_eq!(applied(&of(side, both), &x), applied(&of(side, still), &x));
    }

    #[test]
    fn an_image_is_scaled_about_its_centre_with_interpolated_values() {
        // One row of values, 0 to 4, in every row and channel.
        let x: Vec<f64> = (0..75).map(|i| f64::from(i % 5)).collect();
        let warped = |angle, zoom, shift| {
            let warp = Some(Warp::of(angle, zoom));
            let y = applied(&of(5, ImageDraw { warp, shift, ..ImageDraw::default() }), &x);
            assert!(y.chunks(5).all(|row| row == &y[..5]), "{y:?}");
            y[..5].to_vec()
        };
        assert_eq!(warped(0.0, 2.0, [0, 0]), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(warped(0.0, 2.0, [1, 0]), [0.5, 1.0, 1.5, 2.0, 2.5]);
        // At half the size, the image is reflected beyond its border.
        assert_eq!(warped(0.0, 0.5, [0, 0]), [2.0, 0.0, 2.0, 4.0, 2.0]);
        assert_eq!(warped(0.0, 0.25, [0, 0]), [2.0, 2.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn angles_and_zooms_stay_within_their_bounds_and_reach_them() {
        let draws = |rotate, zoom| {
            let config = AugmentConfig { rotate, zoom, probability: ALWAYS, ..Default::default() };
            let warp = |draw: ImageDraw| {
                let Warp { right: [c, s], .. } = draw.warp.unwrap();
                (s.atan2(c) / std::f64::consts::PI, 1.0 / c.hypot(s))
            };
            draw(&config, 2000, 8).draws.into_iter().map(warp).collect::<Vec<_>>()
        };
        for (angle, zoom) in draws(0.25, 0.0) {
            assert!(angle.abs() <= 0.25 && (zoom - 1.0).abs() < 1e-12);
        }
        let both = draws(1.0, 0.5);
        let most = |of: fn(&(f64, f64)) -> f64| both.iter().map(of).fold(f64::MIN, f64::max);
        let (angle, large, small) = (most(|w| w.0), most(|w| w.1), most(|w| 1.0 / w.1));
        assert!((0.99..=1.0).contains(&angle), "{angle}");
        assert!((1.49..=1.5).contains(&large) && (1.49..=1.5).contains(&small));
        let larger = both.iter().filter(|w| w.1 > 1.0).count();
        assert!((900..1100).contains(&larger), "{larger}");
    }

    #[test]
    fn the_cutout_is_a_square_of_zeros_that_may_extend_beyond_the_edge() {
        for (cutout, size) in [(0.5, 4), (0.4, 3), (1.0, 8)] {
            let config = AugmentConfig { cutout, probability: ALWAYS, ..Default::default() };
            let mut largest = 0;
            for one in draw(&config, 200, 8).draws {
                let [columns, rows] = one.cut.clone().unwrap();
                let area = columns.len() * rows.len();
                assert!(columns.len() <= size && rows.len() <= size && area * 4 >= size * size);
                largest = largest.max(area);
                let y = applied(&of(8, one), &[1.0; 192]);
                for (i, y) in y.iter().enumerate() {
                    let cut = columns.contains(&(i % 8)) && rows.contains(&(i / 8 % 8));
                    assert_eq!(*y, if cut { 0.0 } else { 1.0 });
                }
            }
            assert_eq!(largest, size * size);
        }
    }

    #[test]
    fn colour_leaves_grey_grey_and_stays_within_its_bounds() {
        let config = AugmentConfig {
            turns: false,
            translate: 0.0,
            rotate: 0.0,
            zoom: 0.0,
            cutout: 0.0,
            ..FULL
        };
        let (batch, side) = (32, 4);
        let transforms = draw(&config, batch, side);
        for plane in applied(&transforms, &vec![0.5; batch * 48]).chunks(48) {
            assert!(plane.iter().all(|v| (v - plane[0]).abs() < 1e-6));
            assert!(((0.25 - 0.5)..=(0.75 + 0.5)).contains(&plane[0]), "{}", plane[0]);
        }
        // A saturation of 2 takes (1, -1, -1) to 1 + 4/3.
        let y = applied(&transforms, &noise(batch, side));
        assert!(y.iter().all(|v| v.abs() <= 1.5 * (1.0 + 4.0 / 3.0) + 0.5));
        let known = Colour { offset: 0.25, saturation: 0.5, contrast: 1.5 };
        let y = applied(
            &of(1, ImageDraw { colour: Some(known), ..ImageDraw::default() }),
            &[0.6, 0.0, -0.3],
        );
        let expected = [0.35, 0.05, -0.1].map(|v| 1.5 * v + 0.25);
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{y:?}");
    }

    #[test]
    fn a_draw_depends_only_on_its_image_and_one_setting_changes_no_other_draw() {
        let all = draw(&FULL, 8, 16);
        let one = Transforms::draw(&FULL, &[1.0], 7, "augment", 5, 16);
        assert_eq!(one.draws[0], all.draws[5]);
        assert_ne!(one.draws[0], all.draws[4]);
        let fewer = draw(&AugmentConfig { turns: false, translate: 0.0, ..FULL }, 8, 16);
        for (a, b) in all.draws.iter().zip(&fewer.draws) {
            assert_eq!((&a.warp, &a.colour, &a.cut), (&b.warp, &b.colour, &b.cut));
        }
        let half = Transforms::draw(&FULL, &[0.5; 1000], 7, "augment", 0, 16).draws;
        let share = half.iter().filter(|c| c.cut.is_some()).count();
        assert!((450..550).contains(&share), "{share}");
    }

    #[test]
    fn the_layout_of_the_images_does_not_matter() {
        let (transforms, x) = (draw(&FULL, 3, 5), images(&noise(3, 5), 5, &Device::flex()));
        // Channels-last in memory, as the generator's layers leave it.
        let data = x.clone().permute([0, 2, 3, 1]).into_data();
        let last = Tensor::<4>::from_data(data, (&Device::flex(), DType::F64));
        let last = transforms.apply(last.permute([0, 3, 1, 2]));
        assert_eq!(values(transforms.apply(x)), values(last));
    }

    #[test]
    fn the_gradient_matches_finite_differences_also_where_reflection_repeats_pixels() {
        let (batch, side) = (4, 5);
        let transforms = draw(&AugmentConfig { translate: 0.5, ..FULL }, batch, side);
        assert!(transforms.draws.iter().any(|c| c.shift[0] != 0 && c.shift[1] != 0));
        assert!(transforms.draws.iter().all(|c| c.warp.is_some()));
        let (x, weights) = (noise(batch, side), noise(2 * batch, side)[300..].to_vec());
        let loss = |x: Tensor<4>| {
            let (device, y) = (x.device(), transforms.apply(x));
            (y.clone() * y * images(&weights, side, &device)).sum()
        };
        let at = images(&x, side, &Device::flex().autodiff()).require_grad();
        let gradient = values(at.grad(&loss(at.clone()).backward()).unwrap());
        for (i, found) in gradient.iter().enumerate() {
            let moved = |by: f64| {
                let mut x = x.clone();
                x[i] += by;
                loss(images(&x, side, &Device::flex())).into_scalar::<f64>()
            };
            let slope = (moved(1e-4) - moved(-1e-4)) / 2e-4;
            assert!((slope - found).abs() < 1e-7, "{i}: {slope} {found}");
        }
    }
}
