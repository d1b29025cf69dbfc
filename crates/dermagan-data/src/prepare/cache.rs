//! The prepared images: one memory-mapped file that a training run reads in random order.
//!
//! Layout, little-endian: a preamble of 64 bytes (magic `DERMAGAN`, format version, length of the pixels, position
//! and length of the JSON header, and the header's SHA-256 cut to 8 bytes), the pixels (images × size × size × 3
//! bytes, from offset 4096), then the JSON header. The file gets its final name only when it is complete (see
//! [`dermagan_base::atomic`]).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use dermagan_base::atomic::Pending;
use dermagan_base::image::Image;
use dermagan_base::{hex, name};
use memmap2::Mmap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::prepare::fit::Fit;
use crate::prepare::resize::Filter;
use crate::signature;
use crate::source::kind::Kind;
use crate::source::problem::Report;
use crate::source::reading::Reading;
use crate::source::record::Record;

/// Possible sides of prepared images, in pixels. A model has its own, narrower, range.
pub const SIZES: RangeInclusive<u32> = 4..=2048;

/// Maximum number of characters of a name that an error repeats.
const SHOWN: usize = 40;
/// Increase this when the layout or the meaning of the pixels changes: older caches are then prepared again.
const VERSION: u32 = 2;
/// Length of the preamble, in bytes.
const PREAMBLE: u64 = 64;
/// Offset of the first pixel, in bytes.
const PIXELS_AT: u64 = 4096;
/// Maximum length of the JSON header, in bytes.
const MAX_HEADER: u64 = 1 << 30;

/// How the pixels were prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Side of the square, in pixels.
    pub size: u32,
    /// How an image becomes square.
    pub fit: Fit,
    /// The filter of the resize.
    pub filter: Filter,
}

/// Everything in a cache except its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the source.
    pub name: String,
    /// Kind of the source.
    pub kind: Kind,
    /// Fingerprint of the source ([`Source::fingerprint`](crate::Source::fingerprint)).
    pub fingerprint: String,
    /// Options of the preparation.
    pub options: Options,
    /// How the source was read.
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
    /// Class codes.
    pub classes: Vec<String>,
    /// One record per image, in the order of the pixels.
    pub records: Vec<Record>,
    /// A hash of each image's prepared pixels: equal images have equal hashes.
    pub hashes: Vec<u64>,
    /// What was kept and what was left out.
    pub report: Report,
}

/// An open cache: its header in memory, its pixels mapped from the file.
#[derive(Debug)]
pub struct Cache {
    header: Header,
    path: PathBuf,
    map: Mmap,
}

/// Hash of an image's pixels: the first 8 bytes of their SHA-256.
pub(crate) fn pixel_hash(pixels: &[u8]) -> u64 {
    let digest = Sha256::digest(pixels);
    u64::from_le_bytes(digest[..8].try_into().unwrap_or_default())
}

impl Cache {
    /// Whether a file begins like a cache; `false` also for a file that cannot be read.
    pub fn is_cache(path: &Path) -> bool {
        signature::is_cache(path)
    }

    /// Opens a cache and checks everything except its pixels (see [`Cache::verify`]).
    ///
    /// # Errors
    /// [`DataError::Bad`] if the file is not a cache, has another format version or is truncated, or if its header
    /// was changed or does not match its pixels. [`DataError::Io`] if the system refuses to read.
    #[expect(unsafe_code, reason = "memory-mapping a file; see the safety note")]
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(DataError::io(path))?;
        let (json, pixels_len) = read_json(&mut file, path)?;
        let header: Header = serde_json::from_slice(&json)
            .map_err(|e| bad(path, &format!("its header is not readable ({e})")))?;
        check(&header, pixels_len).map_err(|what| bad(path, &what))?;
        // SAFETY: the map is read-only, and a finished cache is never written again, only replaced
        // by a rename, which leaves this file unchanged. Another program that truncated the file while it is
        // mapped could still stop this one with a bus error, as with any mapped file.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io(path))?;
        Ok(Self { header, path: path.to_owned(), map })
    }

    /// Refuses choices about the reading of the source that differ from those of the cache.
    ///
    /// # Errors
    /// [`DataError::Option`] if `reading` is not the default and not that of the cache.
    pub fn check_reading(&self, reading: Reading) -> Result<(), DataError> {
        match reading.is_default() || reading == self.header.reading {
            true => Ok(()),
            false => Err(DataError::Option(format!(
                "{} was prepared with other choices about its source than are asked for here; give the source itself, or \
                 prepare it again with the same choices",
                self.path.display()
            ))),
        }
    }

    /// Everything except the pixels.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Path of the cache's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.header.records.len()
    }

    /// Whether the cache has no image; never true of a prepared cache.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Side of the images, in pixels.
    pub fn size(&self) -> usize {
        self.header.options.size as usize
    }

    /// Writes some images of this cache, given by their indices, as a cache of their own at `target`, which is replaced only
    /// by a complete one. Its fingerprint is that of this cache and of the choice.
    ///
    /// # Errors
    /// [`DataError::Option`] if `images` is empty or `target` is a file that is no cache; [`DataError::Io`] if the system
    /// refuses to write.
    ///
    /// # Panics
    /// If an index is not less than [`Cache::len`].
    pub fn subset(&self, images: &[u32], target: &Path) -> Result<Self, DataError> {
        let refuse = |what: &str| Err(DataError::Option(format!("{}: {what}", target.display())));
        if images.is_empty() {
            return refuse("no image is left to write");
        }
        if target.exists() && !Self::is_cache(target) {
            return refuse("there is a file of this name that is no cache; name another");
        }
        let mut hash = Sha256::new();
        hash.update(&self.header.fingerprint);
        images.iter().for_each(|image| hash.update(image.to_le_bytes()));
        let header = Header {
            fingerprint: hex(&hash.finalize()),
            records: images.iter().map(|i| self.header.records[*i as usize].clone()).collect(),
            hashes: images.iter().map(|i| self.header.hashes[*i as usize]).collect(),
            ..self.header.clone()
        };
        let failed = DataError::io(target);
        let write = || -> std::io::Result<()> {
            let mut pending = Pending::create(target)?;
            let file = pending.file();
            file.seek(SeekFrom::Start(PIXELS_AT))?;
            images.iter().try_for_each(|image| file.write_all(self.pixels(*image as usize)))?;
            let length = images.len() as u64 * self.size().pow(2) as u64 * 3;
            finish(file, length, &header)?;
            pending.commit()
        };
        write().map_err(failed)?;
        Self::open(target)
    }

    /// Pixels of image `index`: `size * size * 3` bytes, row by row, RGB.
    ///
    /// # Panics
    /// If `index` is not less than [`Cache::len`].
    pub fn pixels(&self, index: usize) -> &[u8] {
        let each = self.size() * self.size() * 3;
        let start = PIXELS_AT as usize + index * each;
        &self.map[start..start + each]
    }

    /// Offset in the file of the first pixel of image 0, in bytes. The pixels of all images follow each other, `size *
    /// size * 3` bytes each, so that another program can map them into its memory.
    pub const fn pixels_offset() -> u64 {
        PIXELS_AT
    }

    /// A copy of image `index`.
    ///
    /// # Panics
    /// If `index` is not less than [`Cache::len`].
    pub fn image(&self, index: usize) -> Image {
        let side = self.size();
        Image { width: side, height: side, pixels: self.pixels(index).to_vec() }
    }

    /// The hash of an image's pixels, as in [`Header::hashes`]: RGB, row by row.
    pub fn hash_of(pixels: &[u8]) -> u64 {
        pixel_hash(pixels)
    }

    /// Compares the pixels of some images, given by their indices, with the hashes from the preparation.
    ///
    /// # Errors
    /// [`DataError::Bad`] names the first image whose pixels have changed since the preparation. Features computed
    /// from it, and a run that began with it, would otherwise be attributed to other pixels.
    ///
    /// # Panics
    /// If an index is not less than [`Cache::len`].
    pub fn verified(&self, images: &[u32]) -> Result<(), DataError> {
        match images.par_iter().find_first(|i| self.has_changed(**i as usize)) {
            None => Ok(()),
            Some(i) => {
                let id = &self.header.records[*i as usize].image_id;
                let what =
                    format!("the pixels of image {id} have changed since they were prepared");
                Err(bad(&self.path, &what))
            }
        }
    }

    /// The indices of all images whose pixels have changed since the preparation: all images, if the file has become shorter,
    /// because what is missing cannot be read.
    pub fn verify(&self) -> Vec<usize> {
        let length = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        if length < self.map.len() as u64 {
            return (0..self.len()).collect();
        }
        (0..self.len()).filter(|i| self.has_changed(*i)).collect()
    }

    fn has_changed(&self, image: usize) -> bool {
        pixel_hash(self.pixels(image)) != self.header.hashes[image]
    }
}

/// An error about a cache, with the next step.
fn bad(path: &Path, what: &str) -> DataError {
    DataError::bad(path.display().to_string(), format!("{what}; prepare it again from its source"))
}

/// Reads the preamble and the JSON header; gives the header's text and the length of the pixels in bytes.
fn read_json(file: &mut File, path: &Path) -> Result<(Vec<u8>, u64), DataError> {
    let length = file.metadata().map_err(DataError::io(path))?.len();
    let mut preamble = [0u8; PREAMBLE as usize];
    file.read_exact(&mut preamble)
        .map_err(|_| bad(path, "the file is too short to be a dermagan cache"))?;
    if preamble[..8] != signature::CACHE {
        return Err(bad(path, "the file is not a dermagan cache"));
    }
    let word = |at: usize| u64::from_le_bytes(preamble[at..at + 8].try_into().unwrap_or_default());
    if word(8) != u64::from(VERSION) {
        let what = format!("the cache has format {}, expected format {VERSION}", word(8));
        return Err(bad(path, &what));
    }
    let (pixels_len, header_at, header_len) = (word(16), word(24), word(32));
    if header_len > MAX_HEADER
        || PIXELS_AT.checked_add(pixels_len) != Some(header_at)
        || header_at.checked_add(header_len) != Some(length)
    {
        return Err(bad(
            path,
            "its length does not match its preamble: it may be a truncated copy",
        ));
    }
    file.seek(SeekFrom::Start(header_at)).map_err(DataError::io(path))?;
    let mut json = vec![0; header_len as usize];
    file.read_exact(&mut json).map_err(DataError::io(path))?;
    if pixel_hash(&json) != word(40) {
        return Err(bad(path, "its header does not match its checksum"));
    }
    Ok((json, pixels_len))
}

/// Checks that the names in a header are safe, and that it describes pixels of `pixels_len` bytes.
fn check(header: &Header, pixels_len: u64) -> Result<(), String> {
    let mut names = header.classes.iter().chain([&header.name]);
    if let Some(name) = names.find(|name| !name::is_plain(name)) {
        let start = name::start_of(name, SHOWN);
        return Err(format!(
            "its header names the data or a class {start:?}, expected {}",
            name::RULE
        ));
    }
    if let Some(name) = name::twice(&header.classes) {
        return Err(format!("its header names class {name} twice"));
    }
    let (count, size) = (header.records.len(), header.options.size);
    if !SIZES.contains(&size) || count == 0 {
        return Err(format!(
            "its header gives {count} images of {size} pixels a side, expected at least 1 image of {} to {}",
            SIZES.start(),
            SIZES.end()
        ));
    }
    let each = u64::from(size).pow(2) * 3;
    let labels = header.records.iter().all(|r| r.class < header.classes.len());
    if each.checked_mul(count as u64) != Some(pixels_len) || header.hashes.len() != count || !labels
    {
        return Err("its header does not match its pixels".into());
    }
    Ok(())
}

/// Completes a cache whose pixels are written from [`PIXELS_AT`] on: writes the header and the preamble.
pub(crate) fn finish(file: &mut File, pixels_len: u64, header: &Header) -> std::io::Result<()> {
    let json = serde_json::to_vec(header)?;
    let mut preamble = [0u8; PREAMBLE as usize];
    preamble[..8].copy_from_slice(&signature::CACHE);
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
