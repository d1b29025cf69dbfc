//! The pixels of a source's images, wherever they are stored.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::error::DataError;
use crate::source::decode::{self, Decoded};
use crate::source::entry::Entry;
use crate::source::medmnist::MedMnist;
use crate::source::phantom::Phantom;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::tree::Tree;

/// Number of images that are decoded at a time: enough work for every core, and little memory.
const CHUNK: usize = 64;

/// Number of bytes that are read for an image's size. In a HAM10000 file the size comes after
/// about 20 KB of XMP and Photoshop data.
const HEAD_BYTES: u64 = 64 << 10;

/// Where the pixels come from. Images are numbered as the source's records are.
pub(super) enum Pixels {
    /// The files of a tree.
    Tree {
        /// The files.
        tree: Tree,
        /// For each record, the index of its entry.
        entries: Vec<usize>,
        /// Locked while a large image is decoded.
        large: Mutex<()>,
    },
    /// The rows of an npz.
    MedMnist(MedMnist),
    /// Painted on request.
    Phantom(Phantom),
}

impl Pixels {
    /// Decodes the images `wanted` (ascending) on all cores, up to 64 at a time, passes each with its number to
    /// `work`, and passes the results to `sink` in order.
    ///
    /// # Errors
    /// Those of `sink`, and [`DataError::Bad`] for a damaged npz. An image that cannot be decoded is a problem
    /// that `work` receives.
    pub fn decode_each<T: Send>(
        &self,
        wanted: &[usize],
        work: impl Fn(usize, Result<Decoded, Problem>) -> T + Sync,
        mut sink: impl FnMut(T) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        match self {
            Self::Tree { tree, entries, large } => in_chunks(
                wanted,
                |index| work(index, decode_entry(tree, &tree.entries[entries[index]], large)),
                sink,
            ),
            Self::Phantom(phantom) => in_chunks(
                wanted,
                |index| work(index, Ok(Decoded::plain(phantom.render(index)))),
                sink,
            ),
            Self::MedMnist(npz) => npz.for_each(wanted, |chunk: Vec<(usize, Decoded)>| {
                let done: Vec<T> =
                    chunk.into_par_iter().map(|(index, image)| work(index, Ok(image))).collect();
                done.into_iter().try_for_each(&mut sink)
            }),
        }
    }

    /// Width and height in pixels of all `count` images, from their headers alone; `None` where the header is
    /// damaged.
    pub fn sizes(&self, count: usize) -> Vec<Option<(u32, u32)>> {
        match self {
            Self::Phantom(phantom) => vec![Some(phantom.size()); count],
            Self::MedMnist(npz) => vec![Some(npz.size()); count],
            Self::Tree { tree, entries, .. } => entries
                .par_iter()
                .map(|&entry| {
                    let entry = &tree.entries[entry];
                    let (head, _) = tree.read_some(entry, HEAD_BYTES).ok()?;
                    decode::dimensions(&entry.path, &head)
                        .or_else(|_| decode::dimensions(&entry.path, &tree.read(entry)?))
                        .ok()
                })
                .collect(),
        }
    }
}

/// Reads and decodes one file of a tree. Threads that decode large images wait for each other at `large`.
///
/// # Errors
/// A problem with the entry's path.
pub(crate) fn decode_entry(
    tree: &Tree,
    entry: &Entry,
    large: &Mutex<()>,
) -> Result<Decoded, Problem> {
    // A damaged or hostile file that makes a decoder panic must cost that file only.
    let decoded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tree.read(entry).and_then(|bytes| decode::decode(&entry.path, &bytes, large))
    }));
    decoded.unwrap_or_else(|_| {
        let what = format!("{} (the decoder panicked)", entry.path);
        Err(Problem::new(ProblemKind::Undecodable, what))
    })
}

/// Runs `work` on all cores for up to [`CHUNK`] images at a time, and passes the results to `sink` in order.
fn in_chunks<T: Send>(
    wanted: &[usize],
    work: impl Fn(usize) -> T + Sync,
    mut sink: impl FnMut(T) -> Result<(), DataError>,
) -> Result<(), DataError> {
    for chunk in wanted.chunks(CHUNK) {
        let done: Vec<T> = chunk.par_iter().map(|&index| work(index)).collect();
        done.into_iter().try_for_each(&mut sink)?;
    }
    Ok(())
}
