//! The augmentation of one image: its random draw, and where each value of the augmented image comes from.

use std::ops::Range;

use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;

use crate::recipe::augment::{AugmentConfig, pixels};

/// The transforms of one image, in the order in which they are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ImageDraw {
    pub orientation: Orientation,
    /// Rotation and scaling about the centre.
    pub warp: Option<Warp>,
    /// Shift in pixels, to the right and down.
    pub shift: [isize; 2],
    pub colour: Option<Colour>,
    /// Columns and rows of the cutout.
    pub cut: Option<[Range<usize>; 2]>,
}

/// Rotation and scaling about the centre: the columns of the matrix that maps an output position to the position in the
/// input where its value comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Warp {
    pub right: [f64; 2],
    pub down: [f64; 2],
}

impl Warp {
    /// Rotation by `angle` radians counter-clockwise and scaling by the factor `zoom`.
    pub fn of(angle: f64, zoom: f64) -> Self {
        let (sin, cos) = libm::sincos(angle);
        Self { right: [cos / zoom, sin / zoom], down: [-sin / zoom, cos / zoom] }
    }
}

/// Number of pixels that bilinear interpolation combines.
pub(crate) const TAPS: usize = 4;

/// Change of colour: the factors of saturation and contrast, then the offset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Colour {
    pub offset: f64,
    pub saturation: f64,
    pub contrast: f64,
}

impl ImageDraw {
    /// Draws every number whether it is used or not, so that one setting does not change the draws of the others.
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
        // The centre of a square with an even side lies between pixels, which has one more position.
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

    /// Whether pixels move as a whole.
    pub fn moves(&self) -> bool {
        self.orientation != Orientation::default() || self.shift != [0, 0]
    }

    /// Where the pixels of the oriented image come from, as one index per column and one per row. The sum of both is
    /// the index of the pixel's first value in the input, `[side, side, 3]`.
    fn origins(&self, side: usize) -> [Vec<i64>; 2] {
        let place = |x, y| {
            let (x, y) = self.orientation.source((x, y), side - 1);
            3 * (y * side + x) as i64
        };
        let columns = (0..side).map(|x| place(x, 0)).collect();
        [columns, (0..side).map(|y| place(0, y) - place(0, 0)).collect()]
    }

    /// Writes the index that each value of the moved image comes from, `[side, side, 3]`.
    pub fn sources(&self, side: usize, places: &mut [i64]) {
        let [columns, rows] = self.origins(side);
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

    /// The four pixels that each value of the warped image is interpolated from: their indices and their weights,
    /// `[TAPS, side, side, 3]` each.
    pub fn interpolation(&self, side: usize) -> (Vec<i64>, Vec<f32>) {
        let values = 3 * side * side;
        let (mut places, mut weights) = (vec![0; TAPS * values], vec![0.0; TAPS * values]);
        let warp = self.warp.unwrap_or(Warp::of(0.0, 1.0));
        let [columns, rows] = self.origins(side);
        let centre = (side as f64 - 1.0) / 2.0;
        let [right, down] = self.shift.map(|pixels| pixels as f64);
        for i in 0..side * side {
            let from = [(i % side) as f64 - right - centre, (i / side) as f64 - down - centre];
            let axis = |a: usize| {
                let at = warp.right[a] * from[0] + warp.down[a] * from[1] + centre;
                let (low, part) = (at.floor() as isize, at - at.floor());
                [(reflected(low, side), 1.0 - part), (reflected(low + 1, side), part)]
            };
            let (across, along) = (axis(0), axis(1));
            let taps = along.into_iter().flat_map(|y| across.map(|x| (x, y)));
            for (tap, ((x, wide), (y, high))) in taps.enumerate() {
                let (place, value) = (columns[x] + rows[y], tap * values + 3 * i);
                places[value..value + 3].copy_from_slice(&[place, place + 1, place + 2]);
                weights[value..value + 3].fill((wide * high) as f32);
            }
        }
        (places, weights)
    }
}

/// The pixel that is seen at `p` if the image is reflected at its borders without repeating the edge.
fn reflected(p: isize, side: usize) -> usize {
    let last = side.cast_signed() - 1;
    match 2 * last {
        _ if (0..=last).contains(&p) => p.cast_unsigned(),
        0 => 0,
        period => (last - (last - p.rem_euclid(period)).abs()).cast_unsigned(),
    }
}
