//! What augmentation does to one image: what is drawn for it, and where its values then come from.

use std::ops::Range;

use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;

use crate::augment::{AugmentConfig, pixels};

/// What is done to one image, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub orientation: Orientation,
    pub warp: Option<Warp>,
    /// Pixels to the right and down.
    pub shift: [isize; 2],
    pub colour: Option<Colour>,
    /// Columns and rows.
    pub cut: Option<[Range<usize>; 2]>,
}

/// Turned and scaled about the middle: the columns of the matrix from a place to where its value lay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Warp {
    pub right: [f64; 2],
    pub down: [f64; 2],
}

impl Warp {
    /// Turned by `angle` counter-clockwise and `zoom` times as large.
    pub fn of(angle: f64, zoom: f64) -> Self {
        let (sin, cos) = libm::sincos(angle);
        Self { right: [cos / zoom, sin / zoom], down: [-sin / zoom, cos / zoom] }
    }
}

/// A value between four pixels is so much of each.
pub(crate) const TAPS: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Colour {
    pub offset: f64,
    pub saturation: f64,
    pub contrast: f64,
}

impl Change {
    /// Draws every number whether it is used or not: one option changes no other's draws.
    pub fn draw(config: &AugmentConfig, probability: f64, side: usize, mut random: Keyed) -> Self {
        let orientation = Orientation::draw(&mut random);

        let moved = random.unit() < probability;
        let most = pixels(config.translate, side).min(side.saturating_sub(1));
        let shift = [(); 2].map(|()| {
            random.below(2 * most as u64 + 1).cast_signed() as isize - most.cast_signed()
        });

        let coloured = random.unit() < probability && config.colours();
        let mut within = |most: f64| random.range(-most, most);
        let colour = Colour {
            offset: within(config.brightness),
            saturation: 1.0 + within(config.saturation),
            contrast: 1.0 + within(config.contrast),
        };

        let size = pixels(config.cutout, side);
        let cut = random.unit() < probability && size > 0;
        // The centre of an even square lies between pixels, of which there is one place more.
        let places = (side + 1 - size % 2) as u64;
        let square = [(); 2].map(|()| {
            let end = random.below(places) as usize + size.div_ceil(2);
            end.saturating_sub(size)..end.min(side)
        });

        let warped = random.unit() < probability && config.warps();
        let angle = random.range(-1.0, 1.0) * std::f64::consts::PI * config.rotate;
        let zoom = libm::exp(random.range(-1.0, 1.0) * libm::log1p(config.zoom));
        Self {
            orientation: if config.turns { orientation } else { Orientation::default() },
            shift: if moved { shift } else { [0, 0] },
            warp: warped.then(|| Warp::of(angle, zoom)),
            colour: coloured.then_some(colour),
            cut: cut.then_some(square),
        }
    }

    pub fn moves(&self) -> bool {
        self.orientation != Orientation::default() || self.shift != [0, 0]
    }

    /// Where the pixels of a turned image lay: the pixel at x, y at the sum of the column's number and
    /// the row's, which is the place of its first value in an image of pixels by rows, channels last.
    fn laid(&self, side: usize) -> [Vec<i64>; 2] {
        let place = |x, y| {
            let (x, y) = self.orientation.source((x, y), side - 1);
            3 * (y * side + x) as i64
        };
        let columns = (0..side).map(|x| place(x, 0)).collect();
        [columns, (0..side).map(|y| place(0, y) - place(0, 0)).collect()]
    }

    /// Where each value comes from.
    pub fn sources(&self, side: usize, places: &mut [i64]) {
        let [columns, rows] = self.laid(side);
        let [right, down] = self.shift;
        let columns: Vec<i64> =
            (0..side.cast_signed()).map(|x| columns[reflected(x - right, side)]).collect();
        for (y, row) in (0..).zip(places.chunks_exact_mut(3 * side)) {
            let from = rows[reflected(y - down, side)];
            for (pixel, column) in row.chunks_exact_mut(3).zip(&columns) {
                pixel.copy_from_slice(&[from + column, from + column + 1, from + column + 2]);
            }
        }
    }

    /// Which four pixels each value comes from and how much of each: [`TAPS`] images of places, and as
    /// many of shares.
    pub fn between(&self, side: usize) -> (Vec<i64>, Vec<f32>) {
        let values = 3 * side * side;
        let (mut places, mut shares) = (vec![0; TAPS * values], vec![0.0; TAPS * values]);
        let warp = self.warp.unwrap_or(Warp::of(0.0, 1.0));
        let [columns, rows] = self.laid(side);
        let middle = (side as f64 - 1.0) / 2.0;
        let [right, down] = self.shift.map(|pixels| pixels as f64);
        for i in 0..side * side {
            let from = [(i % side) as f64 - right - middle, (i / side) as f64 - down - middle];
            let axis = |a: usize| {
                let at = warp.right[a] * from[0] + warp.down[a] * from[1] + middle;
                let (low, part) = (at.floor() as isize, at - at.floor());
                [(reflected(low, side), 1.0 - part), (reflected(low + 1, side), part)]
            };
            let (across, along) = (axis(0), axis(1));
            let taps = along.into_iter().flat_map(|y| across.map(|x| (x, y)));
            for (tap, ((x, wide), (y, high))) in taps.enumerate() {
                let (place, value) = (columns[x] + rows[y], tap * values + 3 * i);
                places[value..value + 3].copy_from_slice(&[place, place + 1, place + 2]);
                shares[value..value + 3].fill((wide * high) as f32);
            }
        }
        (places, shares)
    }
}

/// Beyond the border an image is reflected without repeating its edge, as often as it takes.
fn reflected(p: isize, side: usize) -> usize {
    let last = side.cast_signed() - 1;
    match 2 * last {
        _ if (0..=last).contains(&p) => p.cast_unsigned(),
        0 => 0,
        period => (last - (last - p.rem_euclid(period)).abs()).cast_unsigned(),
    }
}
