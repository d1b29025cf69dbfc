//! Which real images are compared: a reference, and as many others that say how far apart real
//! images are among themselves.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::{Header, split};

/// Two sets of real images that share no lesion and no image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealChoice {
    /// What generated images are compared with.
    pub reference: Vec<u32>,
    /// What the reference is compared with, as if these had been generated.
    pub yardstick: Vec<u32>,
}

impl RealChoice {
    /// Draws at most `n` for each set out of `images`, or half of them each where there are fewer
    /// than `2 n`. All images of one lesion, and all of one image, go to one set.
    pub fn draw(header: &Header, images: &[u32], n: usize, seed: u64) -> Self {
        let n = n.min(images.len() / 2);
        let mut groups = lesions(header, images);
        let order = Keyed::new(seed, "eval real", 0).permutation(groups.len());
        let mut choice = Self::default();
        for group in order {
            let group = std::mem::take(&mut groups[group as usize]);
            let smaller = if choice.reference.len() <= choice.yardstick.len() {
                &mut choice.reference
            } else {
                &mut choice.yardstick
            };
            if smaller.len() < n {
                smaller.extend(group);
            }
        }
        // The last lesion may have had more images than there was room for; both end up equal.
        let n = n.min(choice.reference.len()).min(choice.yardstick.len());
        choice.reference.truncate(n);
        choice.yardstick.truncate(n);
        choice
    }
}

/// The images by lesion and by equal image, in the order of their first image.
fn lesions(header: &Header, images: &[u32]) -> Vec<Vec<u32>> {
    let group = split::groups(&header.records, &header.hashes);
    let mut groups: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for image in images {
        groups.entry(group[*image as usize]).or_default().push(*image);
    }
    groups.into_values().collect()
}
