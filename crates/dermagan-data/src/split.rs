//! The split into training, validation and test images: the author's own if there is one, else one in which no lesion
//! and no image is on two sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

use dermagan_base::rng::Keyed;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::prepare::cache::Header;
use crate::source::description::HAM10000;
use crate::source::labels::isic_id;
use crate::source::reading::{Reading, SplitBy};
use crate::source::record::Record;
pub use crate::source::side::Side;

/// The seed of the split. It is the split's own, not that of a run: runs that are compared must hold out the same
/// lesions.
pub const SPLIT_SEED: u64 = 0;

/// The version of the split by lesion. Version 2 also keeps together the images of one lesion that HAM10000 gives two
/// lesion ids ([`Description::same_lesion`](crate::Description::same_lesion)).
pub const VERSION: u32 = 2;

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
    of_version(header, VERSION)
}

/// As [`of_header`], by an earlier version of the split: a run goes on with the version that it began with.
pub fn of_version(header: &Header, version: u32) -> Vec<Side> {
    sides(header.reading, &header.records, &header.hashes, version)
}

fn sides(reading: Reading, records: &[Record], hashes: &[u64], version: u32) -> Vec<Side> {
    match is_official(reading, records) {
        true => official(records, hashes, SPLIT_SEED),
        false if version < VERSION => by_known_lesion(records, hashes, SPLIT_SEED),
        false => assign(records, hashes, SPLIT_SEED),
    }
}

/// Whether a split is by the author's parts, or by lesion with which [`VERSION`]: `official`, or such as `lesion-2`.
pub fn name(header: &Header, version: u32) -> String {
    match is_official(header.reading, &header.records) {
        true => "official".to_owned(),
        false => format!("lesion-{version}"),
    }
}

/// Whether the images are split as their author names the parts.
fn is_official(reading: Reading, records: &[Record]) -> bool {
    reading.split != SplitBy::Lesion && has_official(records)
}

/// Whether the author of the data names a validation or a test part, and other images are left to train on.
pub fn has_official(records: &[Record]) -> bool {
    let has = |part| records.iter().any(|record| record.part == part);
    (has(Some(Side::Train)) || has(None)) && (has(Some(Side::Val)) || has(Some(Side::Test)))
}

/// The author's split. An image without a part is for training. If the author names no validation or no test part, it
/// is drawn from the training part, as [`assign`] draws it.
fn official(records: &[Record], hashes: &[u64], seed: u64) -> Vec<Side> {
    let mut sides: Vec<Side> =
        records.iter().map(|record| record.part.unwrap_or(Side::Train)).collect();
    let missing: Vec<Side> =
        [Side::Val, Side::Test].into_iter().filter(|side| !sides.contains(side)).collect();
    if missing.is_empty() {
        return sides;
    }
    let train: Vec<usize> = (0..sides.len()).filter(|&i| sides[i] == Side::Train).collect();
    let of_train: Vec<Record> = train.iter().map(|&i| records[i].clone()).collect();
    let hashes: Vec<u64> = train.iter().filter_map(|&i| hashes.get(i).copied()).collect();
    for (&image, side) in train.iter().zip(assign(&of_train, &hashes, seed)) {
        if missing.contains(&side) {
            sides[image] = side;
        }
    }
    sides
}

/// The side of every record: a function of the seed and of the content of the records, not of their order.
/// `hashes` are those of the images, in the order of the records ([`Header::hashes`]).
///
/// Images of one lesion stay together, and so do images whose names hold the same ISIC id, as augmented copies do, and
/// images with equal hashes: they are a group. Each class is split
/// 80/10/10 by itself, and each side of a class with at least three groups gets at least one group.
///
/// Groups that show one lesion, by [`HAM10000`], are then joined: on the training side if one of them is there, else on the
/// validation side. So no image leaves the training side that networks learnt from before the pairs were known.
pub fn assign(records: &[Record], hashes: &[u64], seed: u64) -> Vec<Side> {
    let mut sides = by_known_lesion(records, hashes, seed);
    let group = groups(records, hashes);
    let mut of_group: BTreeMap<usize, BTreeSet<Side>> = BTreeMap::new();
    for (root, side) in group.iter().zip(&sides) {
        of_group.entry(*root).or_default().insert(*side);
    }
    for (root, side) in group.iter().zip(&mut sides) {
        let found = &of_group[root];
        if found.len() > 1 {
            *side = if found.contains(&Side::Train) { Side::Train } else { Side::Val };
        }
    }
    sides
}

/// The split by the lesion ids of the table alone.
fn by_known_lesion(records: &[Record], hashes: &[u64], seed: u64) -> Vec<Side> {
    let group = joined(records, hashes, &BTreeMap::new());
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

/// For each ISIC id in [`HAM10000`]'s pairs of one lesion under two lesion ids, the number of its pair.
static PAIRS: LazyLock<BTreeMap<&str, usize>> = LazyLock::new(|| {
    let pairs = HAM10000.same_lesion.iter().enumerate();
    pairs.flat_map(|(pair, ids)| ids.iter().map(move |id| (id.as_str(), pair))).collect()
});

/// For each image, the smallest index in its group. Images of one lesion are in one group, also if HAM10000 gives it two
/// lesion ids, and so are images whose names
/// hold the same ISIC id, and images with equal pixel hashes (union-find). `hashes` are those of the images, in the order of the records.
pub fn groups(records: &[Record], hashes: &[u64]) -> Vec<usize> {
    joined(records, hashes, &PAIRS)
}

/// [`groups`], with these pairs of ISIC ids.
fn joined(records: &[Record], hashes: &[u64], pairs: &BTreeMap<&str, usize>) -> Vec<usize> {
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut parent: Vec<usize> = (0..records.len()).collect();
    let mut lesions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut images: BTreeMap<u64, usize> = BTreeMap::new();
    let mut first_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (i, record) in records.iter().enumerate() {
        let same_lesion = record.lesion_id.as_deref().map(|l| *lesions.entry(l).or_insert(i));
        let same_name = source_name(&record.image_id).map(|id| *names.entry(id).or_insert(i));
        let same_image = hashes.get(i).map(|&h| *images.entry(h).or_insert(i));
        let pair = isic_id(&record.image_id).and_then(|id| pairs.get(id));
        let same_pair = pair.map(|pair| *first_of.entry(*pair).or_insert(i));
        for other in [same_lesion, same_name, same_image, same_pair].into_iter().flatten() {
            let (a, b) = (root(&mut parent, i), root(&mut parent, other));
            parent[a.max(b)] = a.min(b);
        }
    }
    (0..records.len()).map(|i| root(&mut parent, i)).collect()
}

/// The name of the photograph that an image is or was made from: the ISIC id in its name, or the name without what tools of
/// augmentation add, as in `a7_aug_3`, `aug_0_a7`, `b2_rot90` and `b2_flip`. `None` if it has neither.
fn source_name(image_id: &str) -> Option<&str> {
    const MADE: [&str; 20] = [
        "aug",
        "augmented",
        "blur",
        "bright",
        "contrast",
        "crop",
        "cropped",
        "dark",
        "flip",
        "flipped",
        "heatmap",
        "hflip",
        "mirror",
        "mirrored",
        "noise",
        "rot",
        "rotate",
        "rotated",
        "vflip",
        "zoom",
    ];
    if let Some(id) = isic_id(image_id) {
        return Some(id);
    }
    let separators = ['_', '-', ' '];
    let is_made = |word: &str| {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_lowercase();
        MADE.contains(&word.as_str())
    };
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    if let Some((first, rest)) = image_id.split_once(separators)
        && is_made(first)
    {
        let numbered = rest.split_once(separators).filter(|(number, _)| is_number(number));
        return Some(numbered.map_or(rest, |(_, rest)| rest));
    }
    // The photograph itself has the plain name.
    let mut name = image_id;
    let mut at = image_id;
    while let Some((rest, word)) = at.rsplit_once(separators) {
        if is_made(word) {
            name = rest;
        } else if !is_number(word) {
            break;
        }
        at = rest;
    }
    Some(name)
}

/// How the images of a cache were split, in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitFacts {
    /// Whether the split is the author's.
    pub official: bool,
    /// Number of images for training, validation and test.
    pub images: [usize; 3],
    /// Number of images by the author's parts: training, validation, test, and without a part.
    pub parts: [usize; 4],
    /// Number of images with a lesion id.
    pub by_lesion: usize,
    /// Number of images without a lesion id whose name holds an ISIC id.
    pub by_isic_id: usize,
    /// Number of images of which nothing says what else shows the same lesion.
    pub by_image: usize,
    /// Number of pairs of different lesion ids that are known to be one lesion, and were joined.
    pub merged: usize,
    /// Number of groups (lesions, ids or identical images) with images on two or three sides. It is 0 unless the split
    /// is the author's.
    pub on_two_sides: usize,
}

/// How the images of a cache are split, for a sentence about it.
pub fn facts(header: &Header) -> SplitFacts {
    facts_of(header.reading, &header.records, &header.hashes)
}

/// How records are split. `hashes` are those of their images.
pub(crate) fn facts_of(reading: Reading, records: &[Record], hashes: &[u64]) -> SplitFacts {
    let sides = sides(reading, records, hashes, VERSION);
    let of = |side| sides.iter().filter(|s| **s == side).count();
    let part = |part| records.iter().filter(|record| record.part == part).count();
    let lesion = |record: &&Record| record.lesion_id.is_some();
    let by_lesion = records.iter().filter(lesion).count();
    let isic = |record: &&Record| !lesion(record) && isic_id(&record.image_id).is_some();
    let by_isic_id = records.iter().filter(isic).count();
    let mut sides_of: BTreeMap<usize, BTreeSet<Side>> = BTreeMap::new();
    for (group, side) in groups(records, hashes).into_iter().zip(&sides) {
        sides_of.entry(group).or_default().insert(*side);
    }
    SplitFacts {
        official: is_official(reading, records),
        images: [Side::Train, Side::Val, Side::Test].map(of),
        parts: [Some(Side::Train), Some(Side::Val), Some(Side::Test), None].map(part),
        by_lesion,
        by_isic_id,
        by_image: records.len() - by_lesion - by_isic_id,
        merged: merged(records),
        on_two_sides: sides_of.values().filter(|sides| sides.len() > 1).count(),
    }
}

/// The number of [`PAIRS`] whose images are both there, with different lesion ids.
fn merged(records: &[Record]) -> usize {
    let mut lesions: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for record in records {
        let pair = isic_id(&record.image_id).and_then(|id| PAIRS.get(id));
        if let (Some(pair), Some(lesion)) = (pair, &record.lesion_id) {
            lesions.entry(*pair).or_default().insert(lesion);
        }
    }
    lesions.values().filter(|ids| ids.len() > 1).count()
}

impl fmt::Display for SplitFacts {
    /// The sentence about the split, such as `split by lesion: 8011 train, 1002 val, 1002 test`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            official,
            images: [train, val, test],
            parts,
            by_lesion,
            by_isic_id,
            by_image,
            merged,
            on_two_sides,
        } = self;
        let grouped = match (by_lesion, by_isic_id, by_image) {
            (_, 0, 0) => "by lesion".to_owned(),
            (0, _, 0) => "by the ISIC id in the file name, without lesion ids".to_owned(),
            (0, 0, _) => "by image, without lesion ids".to_owned(),
            (l, i, n) => {
                let some =
                    [(l, "by lesion"), (i, "by the ISIC id in the file name"), (n, "by image")];
                let some =
                    some.iter().filter(|(n, _)| **n > 0).map(|(n, by)| format!("{n} images {by}"));
                some.collect::<Vec<_>>().join(", ")
            }
        };
        if train + val + test == 0 {
            return f.write_str("no image to split");
        }
        match official {
            true => write!(
                f,
                "split as the data names its parts: {train} train, {val} val, {test} test"
            )?,
            false => write!(f, "split {grouped}: {train} train, {val} val, {test} test")?,
        }
        let [named_train, named_val, named_test, unnamed] = parts;
        if *official {
            for (named, used, part) in [(named_val, val, "val"), (named_test, test, "test")] {
                if *named == 0 && *used > 0 {
                    write!(
                        f,
                        "; it names no {part} part, so that is drawn from its train part, {grouped}"
                    )?;
                }
            }
            if *unnamed > 0 {
                write!(f, "; {unnamed} images in no part are in train")?;
            }
        } else if named_train + named_val + named_test > 0 && named_val + named_test > 0 {
            write!(
                f,
                "; the parts that the data names ({named_train} train, {named_val} val, {named_test} test) are merged"
            )?;
        }
        match merged {
            0 => {}
            1 => write!(f, "; 1 pair of lesion ids is one lesion and is kept together")?,
            n => write!(f, "; {n} pairs of lesion ids are one lesion each and are kept together")?,
        }
        if *on_two_sides > 0 {
            write!(f, "; {on_two_sides} lesions or identical images are on more than one side")?;
        }
        if *by_image > 0 {
            write!(f, "; without lesion ids, views of one lesion may be on two sides")?;
        }
        Ok(())
    }
}
