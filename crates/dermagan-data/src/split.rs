//! The split into training, validation and test images: no lesion and no image is on two sides.

use std::collections::BTreeMap;

use dermagan_base::rng::Keyed;
use sha2::{Digest, Sha256};

use crate::prepare::cache::Header;
use crate::source::record::Record;
pub use crate::source::side::Side;

/// The seed of the split. It is the split's own, not that of a run: runs that are compared must hold out the same
/// lesions.
pub const SPLIT_SEED: u64 = 0;

/// Share of the images for validation, and the same share for the test.
const HELD_OUT: f64 = 0.1;

/// The side of every image of a cache, in the order of its records, with [`SPLIT_SEED`].
///
/// ```rust
/// # use dermagan_data::{Filter, Fit, Options, Source, prepare, split::{self, Side}};
/// # let folder = tempfile::tempdir()?;
/// # let options = Options { size: 16, fit: Fit::Crop, filter: Filter::Lanczos };
/// # let source = Source::open("phantom:42")?;
/// # let cache = prepare(&source, options, &folder.path().join("c"), false, &mut |_, _| {})?.cache;
/// let sides = split::of_header(cache.header());
/// let held_out = sides.iter().filter(|side| **side != Side::Train).count();
/// assert!(held_out > 0 && held_out < cache.len() / 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn of_header(header: &Header) -> Vec<Side> {
    assign(&header.records, &header.hashes, SPLIT_SEED)
}

/// The side of every record: a function of the seed and of the content of the records, not of their order.
/// `hashes` are those of the images, in the order of the records ([`Header::hashes`]).
///
/// Images of one lesion stay together, and so do images with equal hashes: they are a group. Each class is split
/// 80/10/10 by itself, and each side of a class with at least three groups gets at least one group.
pub fn assign(records: &[Record], hashes: &[u64], seed: u64) -> Vec<Side> {
    let group = groups(records, hashes);
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (image, &root) in group.iter().enumerate() {
        members.entry(root).or_default().push(image);
    }
    // A group's position in the draw depends on its smallest id, so that the order of the rows does not
    // matter.
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

/// Removes groups from `groups`, in the order of the draw, up to a total of `quota` images; if every group has more
/// images than that, removes the smallest one. At least `sides_left` groups stay.
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

/// A group's position in the draw, its smallest id, and the indices of its images.
type Group<'a> = (u64, &'a str, &'a [usize]);

/// A number for an image id: the first 8 bytes of its SHA-256.
fn name_number(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

/// For each image, the smallest index in its group. Images of one lesion are in one group, and so are images with
/// equal pixel hashes (union-find). `hashes` are those of the images, in the order of the records.
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
