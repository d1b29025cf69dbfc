//! What augmentation does to the images of a batch: drawn on the host, applied on the device.

use burn::tensor::{DType, Float, Int, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::ops::{is_cpu, product};
use dermagan_model::transfer::upload;
use rayon::prelude::*;

use crate::augment::AugmentConfig;
use crate::change::{Change, TAPS};

/// What is done to each image of a batch, drawn on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Transforms {
    side: usize,
    changes: Vec<Change>,
}

impl Transforms {
    /// Draws for as many images of `side`×`side` as there are `probabilities`, each kind but the turns
    /// with the image's, 0 (never) to 1 (always). Image i's draw depends on `config`, its probability,
    /// `side`, `seed`, `purpose` (at most 16 bytes) and `first` + i alone.
    pub fn draw(
        config: &AugmentConfig,
        probabilities: &[f64],
        seed: u64,
        purpose: &'static str,
        first: u64,
        side: usize,
    ) -> Self {
        let draw =
            |(i, p): (u64, &f64)| Change::draw(config, *p, side, Keyed::new(seed, purpose, i));
        Self { side, changes: (first..).zip(probabilities).map(draw).collect() }
    }

    /// Draws for the real images and for the fakes of a batch, each under a purpose of its own; `None`
    /// where no image is ever changed.
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

    /// The changed images, of `x`'s device and number format. `x`: [batch, 3, side, side] in
    /// [-1, 1], of any layout; the result is channels-last in memory, as the CPU's layers like it.
    /// Values may leave [-1, 1].
    ///
    /// # Panics
    /// When `x` has not the batch and side that were drawn for.
    pub fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let moves = self.changes.iter().any(Change::moves);
        let warps = self.changes.iter().any(|c| c.warp.is_some());
        let colours = self.changes.iter().any(|c| c.colour.is_some());
        let cuts = self.changes.iter().any(|c| c.cut.is_some());
        if !(moves || warps || colours || cuts) {
            return x;
        }
        let (batch, side) = (self.changes.len(), self.side);
        let [pixels, values] = [side * side, 3 * side * side];
        let (device, dtype) = (x.device(), x.dtype());
        let mut x = x.permute([0, 2, 3, 1]).reshape([batch, values]);
        let width = if is_cpu(&device) { DType::I64 } else { DType::I32 };
        let gathered = |x: Tensor<2>, places: Vec<i64>| {
            let places = TensorData::new(places, [batch, values]);
            x.gather(1, upload::<2, Int>(places, (&device, width)))
        };
        if warps {
            let taps: Vec<_> = self.changes.par_iter().map(|change| change.between(side)).collect();
            let of_tap = |tap: usize| tap * values..(tap + 1) * values;
            let parts = (0..TAPS).map(|tap| {
                let places: Vec<_> = taps.iter().map(|(places, _)| &places[of_tap(tap)]).collect();
                let shares: Vec<_> = taps.iter().map(|(_, shares)| &shares[of_tap(tap)]).collect();
                let shares = TensorData::new(shares.concat(), [batch, values]);
                gathered(x.clone(), places.concat()) * upload(shares, (&device, dtype))
            });
            x = parts.reduce(|sum, part| sum + part).unwrap_or(x);
        } else if moves {
            // An index for each value, not for each pixel: the gradient of `select` runs on GPUs in
            // as many threads as there are channels, that of `gather` in one for each value. On the
            // CPU burn copies indices that are not of 64 bits, here and in the gradient: that alone
            // would double the time of both.
            let places = self.each(values, 0i64, |change, places| change.sources(side, places));
            x = gathered(x, places);
        }
        if colours {
            let maps = self.each(9, 0.0f32, |change, map| {
                let (own, all) = change.colour.map_or((1.0, 0.0), |c| {
                    (c.contrast * c.saturation, c.contrast * (1.0 - c.saturation) / 3.0)
                });
                map.fill(all as f32);
                [0, 4, 8].into_iter().for_each(|i| map[i] = (own + all) as f32);
            });
            let offsets = self.each(1, 0.0f32, |change, offset| {
                offset[0] = change.colour.map_or(0.0, |c| c.offset) as f32;
            });
            let maps = TensorData::new(maps, [batch, 3, 3]);
            let maps = upload::<3, Float>(maps, (&device, dtype));
            let offsets = TensorData::new(offsets, [batch, 1]);
            let mapped = product(x.reshape([batch, pixels, 3]), maps);
            x = mapped.reshape([batch, values]) + upload(offsets, (&device, dtype));
        }
        if cuts {
            let kept = self.each(values, 1.0f32, |change, kept| {
                let Some([columns, rows]) = &change.cut else { return };
                for y in rows.clone() {
                    let row = 3 * side * y;
                    kept[row + 3 * columns.start..row + 3 * columns.end].fill(0.0);
                }
            });
            let kept = TensorData::new(kept, [batch, values]);
            x = x * upload::<2, Float>(kept, (&device, dtype));
        }
        x.reshape([batch, side, side, 3]).permute([0, 3, 1, 2])
    }

    /// `n` numbers for each image, `otherwise` where `fill` leaves them.
    fn each<T: Clone + Send>(
        &self,
        n: usize,
        otherwise: T,
        fill: impl Fn(&Change, &mut [T]) + Sync,
    ) -> Vec<T> {
        let mut all = vec![otherwise; n * self.changes.len()];
        all.par_chunks_mut(n).zip(&self.changes).for_each(|(part, change)| fill(change, part));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::tests::{ALWAYS, FULL, NEVER};
    use crate::change::{Colour, Warp};
    use burn::tensor::Device;
    use dermagan_base::orientation::Orientation;

    fn draw(config: &AugmentConfig, batch: usize, side: usize) -> Transforms {
        Transforms::draw(config, &vec![config.most(); batch], 7, "augment", 0, side)
    }

    fn of(side: usize, change: Change) -> Transforms {
        Transforms { side, changes: vec![change] }
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
    fn nothing_changes_when_all_is_off() {
        let x = noise(4, 6);
        assert_eq!(applied(&draw(&AugmentConfig::default(), 4, 6), &x), x);
        let never = AugmentConfig { turns: false, probability: NEVER, ..FULL };
        assert_eq!(applied(&draw(&never, 4, 6), &x), x);
    }

    #[test]
    fn turns_permute_the_pixels() {
        let x: Vec<f64> = (0..12).map(f64::from).collect();
        let turned = |mirror, quarters| {
            let orientation = Orientation { mirror, quarters };
            let change = Change { orientation, ..Change::default() };
            applied(&of(2, change), &x)[..4].to_vec()
        };
        assert_eq!(turned(true, 0), [1.0, 0.0, 3.0, 2.0]);
        assert_eq!(turned(false, 1), [1.0, 3.0, 0.0, 2.0]);
        assert_eq!(turned(true, 1), [0.0, 2.0, 1.0, 3.0]);
        assert_eq!(turned(false, 2), [3.0, 2.0, 1.0, 0.0]);
        let (side, only) = (5, AugmentConfig { turns: true, ..AugmentConfig::default() });
        let (x, mut seen) = (noise(1, side), Vec::new());
        for change in draw(&only, 64, side).changes {
            seen.push((change.orientation.mirror, change.orientation.quarters));
            let (mut y, mut sorted) = (applied(&of(side, change), &x), x.clone());
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
            let y = applied(&of(side, Change { shift, ..Change::default() }), &x);
            for (i, y) in y.iter().enumerate() {
                let (channel, row, column) = (i / 36, i / 6 % 6, i % 6);
                let place = (channel * 6 + from(row, shift[1])) * 6 + from(column, shift[0]);
                assert_eq!(*y, x[place]);
            }
        }
        let config = AugmentConfig { translate: 0.3, probability: ALWAYS, ..Default::default() };
        let shifts = draw(&config, 500, side).changes.into_iter().flat_map(|c| c.shift);
        let mut shifts: Vec<_> = shifts.collect();
        shifts.sort_unstable();
        shifts.dedup();
        assert_eq!(shifts, [-2, -1, 0, 1, 2]);
    }

    #[test]
    fn a_quarter_turned_by_its_angle_is_a_quarter_turned() {
        let side = 7;
        let x = noise(1, side);
        for quarters in 0..4u8 {
            let orientation = Orientation { mirror: false, quarters };
            let whole = applied(&of(side, Change { orientation, ..Change::default() }), &x);
            let angle = f64::from(quarters) * std::f64::consts::FRAC_PI_2;
            let warp = Some(Warp::of(angle, 1.0));
            let y = applied(&of(side, Change { warp, ..Change::default() }), &x);
            assert!(y.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-6), "{quarters}");
        }
        // With what else moves an image: first laid, then turned about its middle, then shifted.
        let laid = Orientation { mirror: true, quarters: 1 };
        let both = Change { orientation: laid, shift: [2, -1], ..Change::default() };
        let still = Change { warp: Some(Warp::of(0.0, 1.0)), ..both.clone() };
        assert_eq!(applied(&of(side, both), &x), applied(&of(side, still), &x));
    }

    #[test]
    fn an_image_is_enlarged_about_its_middle_and_values_lie_between_their_neighbours() {
        // One row of values, 0 to 4, in every row and channel.
        let x: Vec<f64> = (0..75).map(|i| f64::from(i % 5)).collect();
        let warped = |angle, zoom, shift| {
            let warp = Some(Warp::of(angle, zoom));
            let y = applied(&of(5, Change { warp, shift, ..Change::default() }), &x);
            assert!(y.chunks(5).all(|row| row == &y[..5]), "{y:?}");
            y[..5].to_vec()
        };
        assert_eq!(warped(0.0, 2.0, [0, 0]), [1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_eq!(warped(0.0, 2.0, [1, 0]), [0.5, 1.0, 1.5, 2.0, 2.5]);
        // Half as large: beyond the border it is reflected.
        assert_eq!(warped(0.0, 0.5, [0, 0]), [2.0, 0.0, 2.0, 4.0, 2.0]);
        assert_eq!(warped(0.0, 0.25, [0, 0]), [2.0, 2.0, 2.0, 2.0, 2.0]);
    }

    #[test]
    fn angles_and_zooms_stay_within_their_bounds_and_reach_them() {
        let draws = |rotate, zoom| {
            let config = AugmentConfig { rotate, zoom, probability: ALWAYS, ..Default::default() };
            let warp = |change: Change| {
                let Warp { right: [c, s], .. } = change.warp.unwrap();
                (s.atan2(c) / std::f64::consts::PI, 1.0 / c.hypot(s))
            };
            draw(&config, 2000, 8).changes.into_iter().map(warp).collect::<Vec<_>>()
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
    fn the_cutout_is_a_square_of_zeros_that_may_hang_over_the_edge() {
        for (cutout, size) in [(0.5, 4), (0.4, 3), (1.0, 8)] {
            let config = AugmentConfig { cutout, probability: ALWAYS, ..Default::default() };
            let mut largest = 0;
            for change in draw(&config, 200, 8).changes {
                let [columns, rows] = change.cut.clone().unwrap();
                let area = columns.len() * rows.len();
                assert!(columns.len() <= size && rows.len() <= size && area * 4 >= size * size);
                largest = largest.max(area);
                let y = applied(&of(8, change), &[1.0; 192]);
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
        let y =
            applied(&of(1, Change { colour: Some(known), ..Change::default() }), &[0.6, 0.0, -0.3]);
        let expected = [0.35, 0.05, -0.1].map(|v| 1.5 * v + 0.25);
        assert!(y.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{y:?}");
    }

    #[test]
    fn a_draw_depends_on_its_image_alone_and_one_option_moves_no_other() {
        let all = draw(&FULL, 8, 16);
        let one = Transforms::draw(&FULL, &[1.0], 7, "augment", 5, 16);
        assert_eq!(one.changes[0], all.changes[5]);
        assert_ne!(one.changes[0], all.changes[4]);
        let fewer = draw(&AugmentConfig { turns: false, translate: 0.0, ..FULL }, 8, 16);
        for (a, b) in all.changes.iter().zip(&fewer.changes) {
            assert_eq!((&a.warp, &a.colour, &a.cut), (&b.warp, &b.colour, &b.cut));
        }
        let half = Transforms::draw(&FULL, &[0.5; 1000], 7, "augment", 0, 16).changes;
        let share = half.iter().filter(|c| c.cut.is_some()).count();
        assert!((450..550).contains(&share), "{share}");
    }

    #[test]
    fn the_layout_of_the_images_does_not_matter() {
        let (transforms, x) = (draw(&FULL, 3, 5), images(&noise(3, 5), 5, &Device::flex()));
        // Channels last in memory, as the generator's layers leave it.
        let data = x.clone().permute([0, 2, 3, 1]).into_data();
        let last = Tensor::<4>::from_data(data, (&Device::flex(), DType::F64));
        let last = transforms.apply(last.permute([0, 3, 1, 2]));
        assert_eq!(values(transforms.apply(x)), values(last));
    }

    #[test]
    fn the_gradient_is_the_slope_where_reflection_repeats_pixels_too() {
        let (batch, side) = (4, 5);
        let transforms = draw(&AugmentConfig { translate: 0.5, ..FULL }, batch, side);
        assert!(transforms.changes.iter().any(|c| c.shift[0] != 0 && c.shift[1] != 0));
        assert!(transforms.changes.iter().all(|c| c.warp.is_some()));
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
