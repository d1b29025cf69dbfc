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

    /// Every class equally often: each round of as many draws as there are classes has one image
    /// of each, in an order of its own; within a class, every image once before any comes again.
    pub fn balanced(seed: u64, images: &[u32], class_of: impl Fn(u32) -> usize) -> Self {
        let mut pools: Vec<Vec<u32>> = Vec::new();
        for &image in images {
            let class = class_of(image);
            pools.resize(pools.len().max(class + 1), Vec::new());
            pools[class].push(image);
        }
        pools.retain(|pool| !pool.is_empty());
        Self::of_pools(seed, pools)
    }

    fn of_pools(seed: u64, pools: Vec<Vec<u32>>) -> Self {
        let latest = Mutex::new(vec![None; pools.len()]);
        Self { seed, pools, mirror: false, turns: false, latest }
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
        let classes = self.pools.len() as u64;
        let (round, within) = (position / classes, (position % classes) as usize);
        let pool = if classes == 1 {
            0
        } else {
            Keyed::new(self.seed, "classes", round).permutation(classes as usize)[within] as usize
        };
        let length = self.pools[pool].len() as u64;
        let (epoch, place) = (round / length, (round % length) as usize);
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
