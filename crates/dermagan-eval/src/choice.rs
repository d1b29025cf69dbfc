//! Which real pictures are compared: a reference, and as many others that say how far apart real
//! pictures are among themselves.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use dermagan_data::Header;

/// Two sets of real images that share no lesion and no picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealChoice {
    /// What generated pictures are compared with.
    pub reference: Vec<u32>,
    /// What the reference is compared with, as if these had been generated.
    pub yardstick: Vec<u32>,
}

impl RealChoice {
    /// Draws at most `n` for each set out of `images`, or half of them each where there are fewer
    /// than `2 n`. All images of one lesion, and all of one picture, go to one set.
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

/// The images by lesion; equal pictures count as one lesion, an image without one stands alone.
fn lesions(header: &Header, images: &[u32]) -> Vec<Vec<u32>> {
    let mut by_lesion: BTreeMap<&str, usize> = BTreeMap::new();
    let mut by_picture: BTreeMap<u64, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for &image in images {
        let i = image as usize;
        let lesion = header.records[i].lesion_id.as_deref();
        let known = lesion.and_then(|l| by_lesion.get(l)).or(by_picture.get(&header.hashes[i]));
        let group = known.copied().unwrap_or(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(image);
        if let Some(lesion) = lesion {
            by_lesion.insert(lesion, group);
        }
        by_picture.insert(header.hashes[i], group);
    }
    groups
}
