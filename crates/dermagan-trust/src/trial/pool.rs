//! The images of an arm.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::Cache;
use dermagan_data::order::Order;
use dermagan_train::Learnt;

use super::arms::Arm;

/// Generated images of each class, by the class's index in the data; as many as any arm takes.
pub(crate) type Generated = BTreeMap<usize, Vec<Vec<u8>>>;

/// The images of an arm: those of a cache, and after them the generated ones.
pub(crate) struct Pool<'a> {
    cache: &'a Cache,
    generated: Vec<(&'a [u8], usize)>,
    /// The images to draw, some of them repeatedly.
    images: Vec<u32>,
}

impl<'a> Pool<'a> {
    /// The images of `arm` with the photographs `train`. `seed` permutes labels.
    pub fn new(
        arm: Arm,
        cache: &'a Cache,
        train: &[u32],
        generated: &'a Generated,
        seed: u64,
    ) -> Self {
        let classes = cache.header().classes.len();
        let members = |class: usize| -> Vec<u32> {
            train.iter().copied().filter(|image| Learnt::class(cache, *image) == class).collect()
        };
        let members: Vec<Vec<u32>> = (0..classes).map(members).collect();
        let largest = members.iter().map(Vec::len).max().unwrap_or(0);
        let mut images = if arm == Arm::GeneratedOnly { Vec::new() } else { train.to_vec() };
        let mut chosen: Vec<(&[u8], usize)> = Vec::new();
        for (class, members) in
            members.iter().enumerate().filter(|(_, members)| !members.is_empty())
        {
            let added = arm.added(members.len(), largest);
            match arm {
                Arm::Duplicated(_) => images.extend(members.iter().cycle().take(added)),
                _ => {
                    let made = generated.get(&class).into_iter().flatten();
                    chosen.extend(made.take(added).map(|pixels| (pixels.as_slice(), class)));
                }
            }
        }
        if matches!(arm, Arm::Permuted(_)) {
            // Each image gets the label of another class: with two classes a permutation of the labels of one of them would
            // change nothing.
            let present: Vec<usize> =
                (0..classes).filter(|class| !members[*class].is_empty()).collect();
            for (i, (_, label)) in chosen.iter_mut().enumerate() {
                let mut random = Keyed::new(seed, "trial permuted", i as u64);
                let others: Vec<usize> =
                    present.iter().copied().filter(|class| class != label).collect();
                *label = others
                    .get(random.below(others.len() as u64) as usize)
                    .copied()
                    .unwrap_or(*label);
            }
        }
        let first = cache.len() as u32;
        images.extend((0..chosen.len() as u32).map(|i| first + i));
        Self { cache, generated: chosen, images }
    }

    /// The order in which the images are drawn.
    pub fn order(&self, arm: Arm, seed: u64) -> Order {
        let order = match arm.balanced() {
            true => Order::balanced(seed, &self.images, |image| self.class(image), 1.0),
            false => Order::uniform(seed, self.images.clone()),
        };
        order.augmented(arm.augmented(), arm.augmented())
    }

    /// Whether there is nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The place of a generated image, if it is one.
    fn generated(&self, image: u32) -> Option<&(&'a [u8], usize)> {
        self.generated.get((image as usize).checked_sub(self.cache.len())?)
    }
}

impl Learnt for Pool<'_> {
    fn side(&self) -> usize {
        self.cache.size()
    }

    fn pixels(&self, image: u32) -> &[u8] {
        self.generated(image)
            .map_or_else(|| Learnt::pixels(self.cache, image), |(pixels, _)| pixels)
    }

    fn class(&self, image: u32) -> usize {
        self.generated(image).map_or_else(|| Learnt::class(self.cache, image), |(_, class)| *class)
    }

    fn classes(&self) -> usize {
        self.cache.header().classes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_data::{Filter, Fit, Options, open_or_prepare};

    #[test]
    fn arms_have_the_images_that_they_say_and_wrong_labels_are_all_wrong() {
        let options = Options { size: 16, fit: Fit::Crop, filter: Filter::Lanczos };
        let cache = open_or_prepare("phantom:700", options, &mut |_, _| ()).unwrap();
        // Two classes: 30 and 6 images.
        let class = |wanted: usize| -> Vec<u32> {
            (0..cache.len() as u32).filter(|i| Learnt::class(&cache, *i) == wanted).collect()
        };
        let (nv, mel) = (5, 4);
        let train: Vec<u32> = class(nv)[..30].iter().chain(&class(mel)[..6]).copied().collect();
        let images =
            Generated::from([(nv, vec![vec![1; 768]; 100]), (mel, vec![vec![2; 768]; 100])]);
        let pool = |arm| Pool::new(arm, &cache, &train, &images, 0);
        let count = |arm| pool(arm).images.len();
        assert_eq!(count(Arm::Rebalanced), 36);
        assert_eq!((count(Arm::Generated(0.5)), count(Arm::Generated(2.0))), (36 + 12, 36 + 48));
        assert_eq!((count(Arm::Duplicated(1.0)), count(Arm::GeneratedOnly)), (36 + 24, 36));
        let added = |arm: Arm| -> Vec<usize> {
            let pool = pool(arm);
            pool.images[36..].iter().map(|image| pool.class(*image)).collect()
        };
        assert_eq!(added(Arm::Generated(1.0)), [mel; 24]);
        assert_eq!(added(Arm::Permuted(1.0)), [nv; 24]);
        let pool = pool(Arm::Generated(1.0));
        assert_eq!(pool.pixels(*pool.images.last().unwrap())[0], 2);
    }
}
