//! Which image comes next: a pure function of the seed and of the position in the run.

use std::sync::{Mutex, PoisonError};

use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;

/// What to draw from, and how.
#[derive(Debug)]
pub struct Order {
    seed: u64,
    /// Images by class when balanced, else all in one list.
    pools: Vec<Vec<u32>>,
    /// The pool of each draw of a round, pool by pool.
    round: Vec<usize>,
    mirror: bool,
    turns: bool,
    /// The permutation last used of each pool, with its epoch: kept for speed only.
    latest: Mutex<Vec<Option<Shuffled>>>,
}

/// An epoch's number and its permutation.
type Shuffled = (u64, Vec<u32>);

/// One draw: an image and how it is turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Index of the image.
    pub image: u32,
    /// How it is laid.
    pub orientation: Orientation,
}

impl Order {
    /// Every image of `images` once an epoch, in an order of its own each epoch.
    pub fn uniform(seed: u64, images: Vec<u32>) -> Self {
        Self::of_pools(seed, vec![images])
    }

    /// A class of n images as often as n to the power 1 - `evenness` says: with 1 every class equally
    /// often, with 0 as often as it is there, between them rarer classes are favoured without being
    /// repeated as much as full balance repeats them. Draws come in rounds with a fixed number of
    /// each class, 1 with evenness 1 and else at least 4 of the rarest where 1024 draws allow it, in an
    /// order of their own; within a class, every image once before any comes again.
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
        Self { seed, pools, round, mirror: false, turns: false, latest }
    }

    /// Also mirror half of the draws, and turn each by 0, 1, 2 or 3 quarters: a lesion has no up.
    pub fn augmented(mut self, mirror: bool, turns: bool) -> Self {
        (self.mirror, self.turns) = (mirror, turns);
        self
    }

    /// Whether there is nothing to draw from.
    pub fn is_empty(&self) -> bool {
        self.pools.iter().all(Vec::is_empty)
    }

    /// Draw number `position` of the run, from 0.
    ///
    /// # Panics
    /// When [`Order::is_empty`].
    pub fn at(&self, position: u64) -> Draw {
        let draws = self.round.len() as u64;
        let (round, within) = (position / draws, (position % draws) as usize);
        let slots = match draws {
            1 => vec![0],
            _ => Keyed::new(self.seed, "classes", round).permutation(draws as usize),
        };
        let pool_of = |slot: &u32| self.round[*slot as usize];
        let pool = pool_of(&slots[within]);
        // How many of this class came before, in earlier rounds and in this one.
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
                quarters: if self.turns { flips.below(4) as u8 } else { 0 },
            },
        }
    }

    fn shuffled(&self, pool: usize, epoch: u64, place: usize) -> usize {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = !matches!(&latest[pool], Some((kept, _)) if *kept == epoch);
        if fresh {
            // The pool's number goes into the index: two classes of one size have two orders.
            let index = epoch * self.pools.len() as u64 + pool as u64;
            let order = Keyed::new(self.seed, "order", index).permutation(self.pools[pool].len());
            latest[pool] = Some((epoch, order));
        }
        latest[pool].as_ref().map_or(0, |(_, order)| order[place] as usize)
    }
}

/// The classes of a round's draws, class by class.
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

/// Writes `pixels` (`size`×`size` RGB rows), oriented, as they are: as many bytes, rows of RGB.
pub fn oriented(pixels: &[u8], size: usize, orientation: Orientation, out: &mut [u8]) {
    for (place, pixel) in out.chunks_exact_mut(3).enumerate() {
        let (x, y) = orientation.source((place % size, place / size), size - 1);
        let from = (y * size + x) * 3;
        pixel.copy_from_slice(&pixels[from..from + 3]);
    }
}

/// Writes `pixels` (`size`×`size` RGB rows), turned, as floats in [-1, 1], channel by channel:
/// `3 * size * size` numbers in the order that convolutions take.
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
