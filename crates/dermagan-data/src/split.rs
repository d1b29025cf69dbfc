//! Training, validation and test images, so that no lesion and no image is on two sides.

use std::collections::BTreeMap;
use std::fmt;

use dermagan_base::rng::Keyed;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::cache::Header;
use crate::record::Record;

/// A side of the split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// What a model is trained on: 80 %.
    Train,
    /// For choices during the work: 10 %.
    Val,
    /// For the last word: 10 %.
    Test,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        })
    }
}

/// Share of the images for validation, and as much again for the test.
const HELD_OUT: f64 = 0.1;

/// The side of every image of a cache. The seed is the split's own, not the run's: runs that are
/// compared must hold out the same lesions.
pub fn of_header(header: &Header, seed: u64) -> Vec<Side> {
    assign(&header.records, &header.hashes, seed)
}

/// The side of every record: a function of the seed and of what the records say, not of their
/// order. Images of one lesion stay together, and so do images of equal hash; each class gets its
/// own 80/10/10, and every side of a class with three groups or more gets at least one.
pub fn assign(records: &[Record], hashes: &[u64], seed: u64) -> Vec<Side> {
    let group = groups(records, hashes);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (image, &root) in group.iter().enumerate() {
        members.entry(root).or_default().push(image);
    }
    // A group's place in the draw hangs on its smallest id, so that the order of the rows is
    // no part of it.
    let mut by_class: BTreeMap<usize, Vec<Group<'_>>> = BTreeMap::new();
    for images in members.values() {
        let first = images.iter().map(|&i| &records[i]).min_by_key(|r| &r.image_id);
        if let Some(first) = first {
            let draw = Keyed::new(seed, "split", name_number(&first.image_id)).bits();
            by_class.entry(first.class).or_default().push((draw, &first.image_id, images));
        }
    }
    let mut side = vec![Side::Train; records.len()];
    for mut groups in by_class.into_values() {
        groups.sort_by_key(|(draw, id, _)| (*draw, *id));
        let total: usize = groups.iter().map(|(_, _, images)| images.len()).sum();
        let quota = (total as f64 * HELD_OUT).round().max(1.0) as usize;
        for (target, sides_left) in [(Side::Test, 2), (Side::Val, 1)] {
            for group in hold_out(&mut groups, quota, sides_left) {
                group.iter().for_each(|&i| side[i] = target);
            }
        }
    }
    side
}

/// Takes groups out of `groups`, in the order of the draw, that fill `quota` images without going
/// over it; if every group is larger than that, the smallest. Leaves a group for each of the
/// `sides_left`.
fn hold_out<'a>(groups: &mut Vec<Group<'a>>, quota: usize, sides_left: usize) -> Vec<&'a [usize]> {
    let mut held: Vec<&[usize]> = Vec::new();
    let mut room = quota;
    let mut at = 0;
    while at < groups.len() && groups.len() > sides_left {
        let images = groups[at].2;
        if images.len() <= room {
            room -= images.len();
            held.push(images);
            groups.remove(at);
        } else {
            at += 1;
        }
    }
    if held.is_empty() && groups.len() > sides_left {
        let smallest = (0..groups.len()).min_by_key(|&i| groups[i].2.len());
        held.extend(smallest.map(|i| groups.remove(i).2));
    }
    held
}

/// A group's place in the draw, its smallest id, and its images.
type Group<'a> = (u64, &'a str, &'a [usize]);

fn name_number(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

/// For each image, a representative of its group: images of one lesion belong together, and so do
/// images of equal pixel hash. Union-find.
pub fn groups(records: &[Record], hashes: &[u64]) -> Vec<usize> {
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut parent: Vec<usize> = (0..records.len()).collect();
    let mut lesions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut images: BTreeMap<u64, usize> = BTreeMap::new();
    for (i, record) in records.iter().enumerate() {
        let same_lesion = record.lesion_id.as_deref().map(|l| *lesions.entry(l).or_insert(i));
        let same_image = hashes.get(i).map(|&h| *images.entry(h).or_insert(i));
        for other in [same_lesion, same_image].into_iter().flatten() {
            let (a, b) = (root(&mut parent, i), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    (0..records.len()).map(|i| root(&mut parent, i)).collect()
}
