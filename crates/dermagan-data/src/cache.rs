//! The prepared images: one file, mapped into memory, that a training run reads at random.
//!
//! Layout, little-endian: 64 bytes of preamble (magic `DERMAGAN`, format version, where the
//! pixels and the JSON header are, how long they are, and the header's SHA-256 cut to 8 bytes),
//! the pixels (images × size × size × 3 bytes, from offset 4096), then the JSON header. The file
//! gets its name only when it is whole (see [`dermagan_base::atomic`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use dermagan_base::image::Image;
use dermagan_base::name;
use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::fit::Fit;
use crate::prepare::SIZES;
use crate::problem::Report;
use crate::record::Record;
use crate::resize::Filter;
use crate::source::Kind;

const MAGIC: [u8; 8] = *b"DERMAGAN";
/// Letters of a name that an error repeats.
const SHOWN: usize = 40;
/// Raise when the layout or the meaning of the pixels changes: older caches are then made anew.
const VERSION: u32 = 1;
const PREAMBLE: u64 = 64;
const PIXELS_AT: u64 = 4096;
const MAX_HEADER: u64 = 1 << 30;

/// What prepared the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Side of the square, in pixels.
    pub size: u32,
    /// How an image becomes square.
    pub fit: Fit,
    /// The filter of the resize.
    pub filter: Filter,
}

/// Everything about a cache but its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the source.
    pub name: String,
    /// What the source was.
    pub kind: Kind,
    /// Fingerprint of the source.
    pub fingerprint: String,
    /// Options of the preparation.
    pub options: Options,
    /// Class codes.
    pub classes: Vec<String>,
    /// One record an image, in the order of the pixels.
    pub records: Vec<Record>,
    /// A hash of each image's prepared pixels: equal images have equal hashes.
    pub hashes: Vec<u64>,
    /// What was kept and what was left out.
    pub report: Report,
}

/// An opened cache.
#[derive(Debug)]
pub struct Cache {
    header: Header,
    path: PathBuf,
    map: Mmap,
}

/// Hash of an image's pixels.
pub(crate) fn pixel_hash(pixels: &[u8]) -> u64 {
    let digest = Sha256::digest(pixels);
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

impl Cache {
    /// Whether a file begins like a cache.
    pub fn is_cache(path: &Path) -> bool {
        let mut magic = [0; 8];
        File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok() && magic == MAGIC
    }

    /// Opens and checks a cache.
    ///
    /// # Errors
    /// When it is not a cache, is of another version, is cut short, or its header was changed.
    #[expect(unsafe_code, reason = "memory-mapping a file; see the safety note")]
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let bad = |what: &str| {
            let next = "; make it anew with `dermagan prepare SOURCE`";
            DataError::bad(path.display().to_string(), format!("{what}{next}"))
        };
        let mut file = File::open(path).map_err(DataError::io(path))?;
        let length = file.metadata().map_err(DataError::io(path))?.len();
        let mut preamble = [0u8; PREAMBLE as usize];
        file.read_exact(&mut preamble).map_err(|_| bad("too short to be a dermagan cache"))?;
        if preamble[..8] != MAGIC {
            return Err(bad("not a dermagan cache"));
        }
        let word =
            |at: usize| u64::from_le_bytes(preamble[at..at + 8].try_into().unwrap_or_default());
        if word(8) != u64::from(VERSION) {
            return Err(bad(&format!("cache format {}, this program reads {VERSION}", word(8))));
        }
        let (pixels_len, header_at, header_len) = (word(16), word(24), word(32));
        if header_len > MAX_HEADER
            || PIXELS_AT.checked_add(pixels_len) != Some(header_at)
            || header_at.checked_add(header_len) != Some(length)
        {
            return Err(bad("its length is not what its beginning says: a copy cut short?"));
        }
        file.seek(SeekFrom::Start(header_at)).map_err(DataError::io(path))?;
        let mut json = vec![0; header_len as usize];
        file.read_exact(&mut json).map_err(DataError::io(path))?;
        if pixel_hash(&json) != word(40) {
            return Err(bad("its header does not match its checksum"));
        }
        let header: Header =
            serde_json::from_slice(&json).map_err(|e| bad(&format!("its header: {e}")))?;
        if let Some(name) =
            header.classes.iter().chain([&header.name]).find(|name| !name::is_plain(name))
        {
            let start = name::start_of(name, SHOWN);
            return Err(bad(&format!(
                "it names data or a class {start:?}; expected {}",
                name::RULE
            )));
        }
        if let Some(name) = name::twice(&header.classes) {
            return Err(bad(&format!("it names class {name} twice")));
        }
        if !SIZES.contains(&header.options.size) || header.records.is_empty() {
            let (count, size) = (header.records.len(), header.options.size);
            return Err(bad(&format!("{count} images of {size} pixels a side")));
        }
        let each = u64::from(header.options.size).pow(2) * 3;
        let count = header.records.len() as u64;
        let labels = header.records.iter().all(|r| r.class < header.classes.len());
        if each.checked_mul(count) != Some(pixels_len)
            || header.hashes.len() != header.records.len()
            || !labels
        {
            return Err(bad("its header and its pixels do not belong together"));
        }
        // SAFETY: the map is read-only, and a finished cache is never written again, only replaced
        // by a rename, which leaves this file alone. Another program that cut it short while it is
        // mapped could still stop this one with a bus error, as with any mapped file.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io(path))?;
        Ok(Self { header, path: path.to_owned(), map })
    }

    /// Everything but the pixels.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The cache's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.header.records.len()
    }

    /// Whether it holds no image; a prepared cache never does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Side of the images, in pixels.
    pub fn size(&self) -> usize {
        self.header.options.size as usize
    }

    /// Pixels of image `index`, row by row, RGB: `size * size * 3` bytes.
    pub fn pixels(&self, index: usize) -> &[u8] {
        let each = self.size() * self.size() * 3;
        let start = PIXELS_AT as usize + index * each;
        &self.map[start..start + each]
    }

    /// Image `index`, as a copy of its own.
    pub fn image(&self, index: usize) -> Image {
        let side = self.size();
        Image { width: side, height: side, pixels: self.pixels(index).to_vec() }
    }

    /// Compares images with their hashes.
    ///
    /// # Errors
    /// Names the first that is not what was prepared: features kept of it, and a run that began with it,
    /// would be taken for those of other pixels.
    pub fn verified(&self, images: &[u32]) -> Result<(), DataError> {
        match images.par_iter().find_first(|i| self.has_changed(**i as usize)) {
            None => Ok(()),
            Some(i) => Err(DataError::Bad {
                path: self.path.display().to_string(),
                what: format!(
                    "the pixels of image {} are not those that were prepared; make it anew with \
                     `dermagan prepare`",
                    self.header.records[*i as usize].image_id
                ),
            }),
        }
    }

    /// Compares every image with its hash; the indices of those that differ.
    pub fn verify(&self) -> Vec<usize> {
        (0..self.len()).filter(|i| self.has_changed(*i)).collect()
    }

    fn has_changed(&self, image: usize) -> bool {
        pixel_hash(self.pixels(image)) != self.header.hashes[image]
    }
}

/// Writes the preamble and header once the pixels are written from [`PIXELS_AT`] on.
pub(crate) fn finish(file: &mut File, pixels_len: u64, header: &Header) -> std::io::Result<()> {
    let json = serde_json::to_vec(header)?;
    let mut preamble = [0u8; PREAMBLE as usize];
    preamble[..8].copy_from_slice(&MAGIC);
    let words = [
        u64::from(VERSION),
        pixels_len,
        PIXELS_AT + pixels_len,
        json.len() as u64,
        pixel_hash(&json),
    ];
    for (i, word) in words.into_iter().enumerate() {
        preamble[8 + 8 * i..16 + 8 * i].copy_from_slice(&word.to_le_bytes());
    }
    file.seek(SeekFrom::Start(PIXELS_AT + pixels_len))?;
    file.write_all(&json)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&preamble)
}

/// Where the first pixel goes.
pub(crate) fn pixels_at() -> u64 {
    PIXELS_AT
}
