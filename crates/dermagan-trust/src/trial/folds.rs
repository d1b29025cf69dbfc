//! Which images a classifier learns from, and which judge it.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::split::{self, Side};
use dermagan_data::{Cache, Header};

/// Of the lesions outside of a fold's test part, every tenth chooses the ratio, and the others are learnt from.
const VALIDATES: usize = 10;

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
        for (number, fold) in found.iter_mut().enumerate() {
            let mut others = 0;
            for (place, lesion) in order.iter().enumerate() {
                let part = match place % count == number {
                    true => &mut fold.test,
                    false => {
                        others += 1;
                        match others % VALIDATES == 1 {
                            true => &mut fold.val,
                            false => &mut fold.train,
                        }
                    }
                };
                part.extend(&lesions[*lesion as usize]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use dermagan_data::{Filter, Fit, Options, open_or_prepare};

    #[test]
    fn every_image_judges_once_and_a_tenth_of_the_others_validates() {
        let options = Options { size: 16, fit: Fit::Crop, filter: Filter::Lanczos };
        let cache = open_or_prepare("phantom:700", options, &mut |_, _| ()).unwrap();
        let header = cache.header();
        let lesion = split::groups(&header.records, &header.hashes);
        let found = folds(&cache, 5, 0);
        let mut tested: Vec<u32> =
            found.iter().flat_map(|fold| fold.test.iter().copied()).collect();
        tested.sort_unstable();
        assert_eq!(tested, (0..cache.len() as u32).collect::<Vec<_>>());
        for fold in &found {
            let others = (fold.train.len() + fold.val.len()) as f64;
            let share = fold.val.len() as f64 / others;
            assert!((0.07..0.16).contains(&share), "{share}");
            let of = |part: &[u32]| -> std::collections::BTreeSet<usize> {
                part.iter().map(|image| lesion[*image as usize]).collect()
            };
            let (train, val, test) = (of(&fold.train), of(&fold.val), of(&fold.test));
            assert!(train.is_disjoint(&val) && train.is_disjoint(&test) && val.is_disjoint(&test));
        }
    }
}
