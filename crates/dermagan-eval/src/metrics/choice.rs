//! Selects the real images to compare: a reference, and a yardstick of the same size, which shows how far
//! apart two sets of real images are.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::{Header, split};

/// Two sets of real images that share no lesion and no identical image, as indices of a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealChoice {
    /// The images that generated images are compared with.
    pub reference: Vec<u32>,
    /// The images that are compared with the reference in the same way as generated images.
    pub yardstick: Vec<u32>,
}

impl RealChoice {
    /// Draws at most `n` of `images` for each set, or half of them where there are fewer than `2 n`. All
    /// images of one lesion go to the same set, and so do identical images. Both sets have the same size.
    ///
    /// # Panics
    /// When `images` has an index that `header` does not have.
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
        // The last lesion may have had more images than there was room for. Make both sets equal in size.
        let n = n.min(choice.reference.len()).min(choice.yardstick.len());
        choice.reference.truncate(n);
        choice.yardstick.truncate(n);
        choice
    }
}

/// Groups the images by lesion, with identical images in the same group, in the order of the split.
fn lesions(header: &Header, images: &[u32]) -> Vec<Vec<u32>> {
    let group = split::groups(&header.records, &header.hashes);
    let mut groups: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for image in images {
        groups.entry(group[*image as usize]).or_default().push(*image);
    }
    groups.into_values().collect()
}
