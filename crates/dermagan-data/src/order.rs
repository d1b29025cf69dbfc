//! The order of the training images: a pure function of the seed and of the position in the run.
//!
//! [`oriented`] and [`to_planes`] apply the orientation that a draw has.

use std::sync::{Mutex, PoisonError};

use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;

/// A sequence of draws without end.
///
/// ```rust
/// use dermagan_data::order::Order;
///
/// let order = Order::uniform(7, vec![0, 1, 2]);
/// let mut epoch: Vec<u32> = (0..3).map(|position| order.at(position).image).collect();
/// epoch.sort();
/// assert_eq!(epoch, [0, 1, 2]);
/// ```
#[derive(Debug)]
pub struct Order {
    seed: u64,
    /// The images of each class if balanced, else all images in one pool.
    pools: Vec<Vec<u32>>,
    /// The pool of each draw in a round, ordered by pool.
    round: Vec<usize>,
    mirror: bool,
    quarter_turns: bool,
    /// The last permutation of each pool, with its epoch; kept only for speed.
    latest: Mutex<Vec<Option<Shuffled>>>,
}

/// An epoch's number and its permutation.
type Shuffled = (u64, Vec<u32>);

/// One draw: an image and its orientation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Index of the image.
    pub image: u32,
    /// Its orientation.
    pub orientation: Orientation,
}

impl Order {
    /// Draws every image of `images` once per epoch, in a different order in each epoch.
    pub fn uniform(seed: u64, images: Vec<u32>) -> Self {
        Self::of_pools(seed, vec![images])
    }

    /// Draws a class of n images in proportion to n to the power of 1 - `evenness`. With `evenness` 1 all classes are
    /// drawn equally often; with 0, in proportion to their numbers of images. Values between favour rare classes, but
    /// repeat their images less often than 1 does.
    ///
    /// `class_of` gives the class of an image. Draws come in rounds, each in a different order. A round has a fixed
    /// number of draws per class: 1 with `evenness` 1, otherwise at least 4 of the rarest class if a round of 1024 draws
    /// allows it. Within a class, every image is drawn once before any is repeated.
    pub fn balanced(
        seed: u64,
        images: &[u32],
        class_of: impl Fn(u32) -> usize,
        evenness: f64,
    ) -> Self {
        let mut pools: Vec<Vec<u32>> = Vec::new();
        for &image in images {
            let class = class_of(image);
            pools.resize(pools.len().max(class + 1), Vec::new());
            pools[class].push(image);
        }
        pools.retain(|pool| !pool.is_empty());
        let sizes: Vec<usize> = pools.iter().map(Vec::len).collect();
        Self { round: round(&sizes, evenness), ..Self::of_pools(seed, pools) }
    }

    fn of_pools(seed: u64, pools: Vec<Vec<u32>>) -> Self {
        let latest = Mutex::new(vec![None; pools.len()]);
        let round = (0..pools.len()).collect();
        Self { seed, pools, round, mirror: false, quarter_turns: false, latest }
    }

    /// Also mirrors half of the draws if `mirror`, and rotates each by 0 to 3 quarter turns if `quarter_turns`: a lesion
    /// has no natural orientation.
    pub fn augmented(mut self, mirror: bool, quarter_turns: bool) -> Self {
        (self.mirror, self.quarter_turns) = (mirror, quarter_turns);
        self
    }

    /// Whether there is no image to draw.
    pub fn is_empty(&self) -> bool {
        self.pools.iter().all(Vec::is_empty)
    }

    /// The draw at `position` of the run, from 0.
    ///
    /// # Panics
    /// If [`Order::is_empty`].
    pub fn at(&self, position: u64) -> Draw {
        let draws = self.round.len() as u64;
        let (round, within) = (position / draws, (position % draws) as usize);
        let slots = match draws {
            1 => vec![0],
            _ => Keyed::new(self.seed, "classes", round).permutation(draws as usize),
        };
        let pool_of = |slot: &u32| self.round[*slot as usize];
        let pool = pool_of(&slots[within]);
        // Number of earlier draws from this pool, in earlier rounds and in this one.
        let a_round = self.round.iter().filter(|&&other| other == pool).count();
        let this_round = slots[..within].iter().filter(|slot| pool_of(slot) == pool).count();
        let before = round * a_round as u64 + this_round as u64;
        let length = self.pools[pool].len() as u64;
        let (epoch, place) = (before / length, (before % length) as usize);
        let mut flips = Keyed::new(self.seed, "flips", position);
        Draw {
            image: self.pools[pool][self.shuffled(pool, epoch, place)],
            orientation: Orientation {
                mirror: self.mirror && flips.below(2) == 1,
                quarters: if self.quarter_turns { flips.below(4) as u8 } else { 0 },
            },
        }
    }

    /// The position in the pool of the image at `place` of an epoch.
    fn shuffled(&self, pool: usize, epoch: u64, place: usize) -> usize {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = !matches!(&latest[pool], Some((kept, _)) if *kept == epoch);
        if fresh {
            // The pool's number is part of the index, so that two classes of one size have different orders.
            let index = epoch * self.pools.len() as u64 + pool as u64;
            let order = Keyed::new(self.seed, "order", index).permutation(self.pools[pool].len());
            latest[pool] = Some((epoch, order));
        }
        latest[pool].as_ref().map_or(0, |(_, order)| order[place] as usize)
    }
}

/// The pool of each draw in a round, ordered by pool; `sizes` are the numbers of images of the pools.
fn round(sizes: &[usize], evenness: f64) -> Vec<usize> {
    const LEAST: f64 = 4.0;
    const MOST: f64 = 1024.0;
    if evenness >= 1.0 {
        return (0..sizes.len()).collect();
    }
    let weights: Vec<f64> = sizes.iter().map(|&n| libm::pow(n as f64, 1.0 - evenness)).collect();
    let smallest = weights.iter().copied().fold(f64::INFINITY, f64::min);
    let unit = (LEAST / smallest).min(MOST / weights.iter().sum::<f64>());
    let draws = weights.iter().map(|weight| (weight * unit).round().max(1.0) as usize);
    draws.enumerate().flat_map(|(class, draws)| std::iter::repeat_n(class, draws)).collect()
}

/// Writes an image in an orientation. `pixels` and `out` are `size * size * 3` bytes, row by row, RGB.
///
/// # Panics
/// If `pixels` is shorter.
pub fn oriented(pixels: &[u8], size: usize, orientation: Orientation, out: &mut [u8]) {
    for (place, pixel) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = orientation.source((place % size, place / size), size - 1);
        let from = (y * size + x) * 3;
        pixel.copy_from_slice(&pixels[from..from + 3]);
    }
}

/// Writes an image in an orientation as floats in \[-1, 1\], channel by channel, as convolutions expect.
///
/// `pixels` are `size * size * 3` bytes, row by row, RGB; `planes` has the shape `[3, size, size]`.
///
/// # Panics
/// If `pixels` or `planes` is shorter.
pub fn to_planes(pixels: &[u8], size: usize, orientation: Orientation, planes: &mut [f32]) {
    let last = size - 1;
    for y in 0..size {
        for x in 0..size {
            let (from_x, from_y) = orientation.source((x, y), last);
            let from = (from_y * size + from_x) * 3;
            for channel in 0..3 {
                planes[(channel * size + y) * size + x] =
                    f32::from(pixels[from + channel]) / 127.5 - 1.0;
            }
        }
    }
}
