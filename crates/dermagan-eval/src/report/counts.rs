//! How many generated images there are, which of them are measured, and what is said of them as images.

use std::collections::BTreeSet;

use dermagan_data::{Cache, LeftOut, SizeCount};
use serde::Serialize;

use crate::report::extraction::FakeSet;
use crate::report::generated::GeneratedImages;

/// The generated images of an evaluation.
#[derive(Clone, Debug, Serialize)]
pub struct ImageCounts {
    /// Number of images in the folder, zip, npz or cache; `None` for a generator.
    pub found: Option<usize>,
    /// Number of images that the overall figures are of.
    pub measured: usize,
    /// Number of different images among those.
    pub distinct: usize,
    /// Number of those without any colour.
    pub grey: usize,
    /// The sizes of all image files, the most common first; empty for a generator and a cache.
    pub sizes: Vec<SizeCount>,
    /// What was left out, and why.
    pub left_out: Vec<LeftOut>,
    /// Whether the real images are these same images.
    pub same_as_real: bool,
}

impl ImageCounts {
    /// The counts of the first `n` images of `set`.
    pub(super) fn new(cache: &Cache, fakes: &GeneratedImages, set: &FakeSet, n: usize) -> Self {
        let mut left_out = fakes.left_out().to_vec();
        left_out.extend(set.left_out.iter().cloned());
        Self {
            found: fakes.found(),
            measured: n,
            distinct: set.hashes[..n].iter().collect::<BTreeSet<_>>().len(),
            grey: set.grey[..n].iter().filter(|grey| **grey).count(),
            sizes: fakes.sizes().to_vec(),
            left_out,
            same_as_real: match fakes {
                GeneratedImages::Cache(other) => {
                    other.header().fingerprint == cache.header().fingerprint
                }
                _ => false,
            },
        }
    }
}
