//! Which images a classifier learns from, and which judge it.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Header};

/// The share of the lesions of a fold's training part that choose the ratio instead.
const VALIDATION: f64 = 0.1;

/// The images of one classifier: no lesion is in two of the parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fold {
    /// Those that it learns from, and that its generator may have seen.
    pub train: Vec<u32>,
    /// Those that choose the ratio of generated images.
    pub val: Vec<u32>,
    /// Those that judge it.
    pub test: Vec<u32>,
}

/// The sides of the split of this program, which a published generator was trained by.
pub(crate) fn of_split(header: &Header) -> Fold {
    let mut fold = Fold::default();
    for (image, side) in (0..).zip(split::of_header(header)) {
        match side {
            Side::Train => fold.train.push(image),
            Side::Val => fold.val.push(image),
            Side::Test => fold.test.push(image),
        }
    }
    fold
}

/// `count` folds: each lesion is in the test part of one. Every class is divided by itself.
pub(crate) fn folds(cache: &Cache, count: usize, seed: u64) -> Vec<Fold> {
    let header = cache.header();
    let lesion = split::groups(&header.records, &header.hashes);
    let mut members: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for (image, lesion) in (0..).zip(&lesion) {
        members.entry(*lesion).or_default().push(image);
    }
    let mut by_class: BTreeMap<usize, Vec<Vec<u32>>> = BTreeMap::new();
    for images in members.into_values() {
        by_class.entry(header.records[images[0] as usize].class).or_default().push(images);
    }
    let mut found = vec![Fold::default(); count];
    for (class, lesions) in by_class {
        let order = Keyed::new(seed, "trial folds", class as u64).permutation(lesions.len());
        for (place, lesion) in order.iter().enumerate() {
            let images = &lesions[*lesion as usize];
            for (number, fold) in found.iter_mut().enumerate() {
                // The lesions of the other folds come in the same order in each; every tenth of them validates.
                let validates = (place / count).is_multiple_of((1.0 / VALIDATION) as usize)
                    && (place + 1) % count == number;
                let part = match () {
                    () if place % count == number => &mut fold.test,
                    () if validates => &mut fold.val,
                    () => &mut fold.train,
                };
                part.extend(images);
            }
        }
    }
    for fold in &mut found {
        [&mut fold.train, &mut fold.val, &mut fold.test]
            .into_iter()
            .for_each(|part| part.sort_unstable());
    }
    found
}
