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
            let order = Keyed::new(seed, "trial permuted", 0).permutation(chosen.len());
            let labels: Vec<usize> = order.iter().map(|i| chosen[*i as usize].1).collect();
            chosen.iter_mut().zip(labels).for_each(|(image, label)| image.1 = label);
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
