//! MedMNIST's `dermamnist*.npz` in any of its sizes: six numpy arrays in a zip, read row by row.
//!
//! It has no lesion ids: in dermagan's split, each row is a group by itself, and only identical images stay together.
//! Each record names its part of MedMNIST's own split, which has images of one lesion on both sides (Abhishek et al.,
//! Sci Data 12:196).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::RgbImage;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use dermagan_base::hex;
use dermagan_base::npy::read_header;

use crate::error::DataError;
use crate::shared_file::SharedFile;
use crate::source::decode::Decoded;
use crate::source::problem::{Problem, ProblemKind};
use crate::source::record::Record;
use crate::source::side::Side;

/// The parts of MedMNIST's own split.
const PARTS: [&str; 3] = ["train", "val", "test"];

/// The side of a part.
fn side(part: &str) -> Side {
    match part {
        "val" => Side::Val,
        "test" => Side::Test,
        _ => Side::Train,
    }
}

/// Maximum side in pixels. MedMNIST's largest is 224; the limit leaves room for larger ones.
const MAX_SIDE: usize = 1024;
/// Maximum number of bytes of images in memory at a time.
const CHUNK_BYTES: usize = 32 << 20;
/// Maximum number of images in memory at a time.
const CHUNK_IMAGES: usize = 64;
/// Largest number of images of one part; DermaMNIST has at most 7,007.
const MAX_ROWS: usize = 10_000_000;

/// An open npz.
pub(crate) struct MedMnist {
    path: PathBuf,
    archive: ZipArchive<SharedFile>,
    /// The parts in the file, each with its number of images.
    parts: Vec<(&'static str, usize)>,
    /// Height and width in pixels.
    side: (usize, usize),
    /// 1 (grey) or 3 (RGB).
    channels: usize,
    /// SHA-256 of the image arrays' names, sizes and checksums.
    stamp: String,
}

impl MedMnist {
    /// Opens `path` if it is a zip with a `train_images.npy`, `val_images.npy` or `test_images.npy`; `None` if it is
    /// not.
    ///
    /// # Errors
    /// [`DataError::Bad`] if an array is not of 8-bit images, is too large or differs in shape from the others.
    /// [`DataError::Unrecognised`] if the file name does not contain `dermamnist`. [`DataError::Io`] if it cannot be read.
    pub fn recognise(path: &Path) -> Result<Option<Self>, DataError> {
        let file = File::open(path).and_then(SharedFile::new).map_err(DataError::io(path))?;
        let Ok(mut archive) = ZipArchive::new(file) else { return Ok(None) };
        let mut parts = Vec::new();
        let mut shape: Option<(usize, usize, usize)> = None;
        let mut hash = Sha256::new();
        for part in PARTS {
            let name = format!("{part}_images.npy");
            let Ok(mut entry) = archive.by_name(&name) else { continue };
            hash.update(format!("{name} {} {}\n", entry.size(), entry.crc32()));
            let bad = |what: &str| DataError::bad(format!("{}: {name}", path.display()), what);
            let header = read_header(&mut entry).map_err(|e| bad(&e))?;
            let (rows, h, w, c) = match header.shape[..] {
                [n, h, w, c @ (1 | 3)] => (n, h, w, c),
                [n, h, w] => (n, h, w, 1),
                _ => {
                    return Err(bad(&format!(
                        "expected images of shape (n, h, w, 3), found {:?}",
                        header.shape
                    )));
                }
            };
            if header.kind.as_deref() != Some("|u1") || header.fortran {
                return Err(bad(&format!(
                    "expected 8-bit images in C order, found '{}'",
                    header.kind.unwrap_or_default()
                )));
            }
            if rows > MAX_ROWS || h == 0 || w == 0 || h > MAX_SIDE || w > MAX_SIDE {
                return Err(bad(&format!(
                    "found shape {:?}, expected sides of 1 to {MAX_SIDE} and at most {MAX_ROWS} images",
                    header.shape
                )));
            }
            if shape.is_some_and(|s| s != (h, w, c)) {
                return Err(bad("its images differ in shape from those of the other parts"));
            }
            shape = Some((h, w, c));
            parts.push((part, rows));
        }
        let Some((h, w, channels)) = shape else { return Ok(None) };
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if !name.contains("dermamnist") {
            return Err(DataError::Unrecognised {
                path: path.to_owned(),
                what: "a MedMNIST file whose name is not dermamnist*.npz".into(),
                next: "Only the labels of DermaMNIST are skin lesions; if the file is DermaMNIST, rename it."
                    .into(),
            });
        }
        let stamp = hex(hash.finalize().as_slice());
        Ok(Some(Self { path: path.to_owned(), archive, parts, side: (h, w), channels, stamp }))
    }

    /// Changes when the images do.
    pub fn fingerprint(&self) -> String {
        self.stamp.clone()
    }

    /// Width and height of every image, in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.side.1 as u32, self.side.0 as u32)
    }

    /// One record per row with a label from 0 to 6, with the id `train_00000` and so on, and a problem per other row.
    ///
    /// # Errors
    /// [`DataError::Bad`] if a label array is damaged or does not match its images.
    pub fn records(&self) -> Result<(Vec<Record>, Vec<Problem>), DataError> {
        let mut records = Vec::new();
        let mut problems = Vec::new();
        for &(part, rows) in &self.parts {
            for (row, label) in self.labels(part, rows)?.into_iter().enumerate() {
                let id = format!("{part}_{row:05}");
                match usize::try_from(label).ok().filter(|l| *l < 7) {
                    Some(class) => {
                        let part = Some(side(part));
                        records.push(Record { part, ..Record::bare(id, class) });
                    }
                    None => {
                        let place =
                            format!("{part}_labels.npy row {row}: label {label}, expected 0 to 6");
                        problems.push(Problem::new(ProblemKind::UnknownClass, place));
                    }
                }
            }
        }
        Ok((records, problems))
    }

    /// The labels of a part with `rows` images.
    fn labels(&self, part: &str, rows: usize) -> Result<Vec<i64>, DataError> {
        let name = format!("{part}_labels.npy");
        let bad = |what: String| DataError::bad(format!("{}: {name}", self.path.display()), what);
        let mut archive = self.archive.clone();
        let mut entry = archive.by_name(&name).map_err(|e| bad(e.to_string()))?;
        let header = read_header(&mut entry).map_err(bad)?;
        let width = match header.kind.as_deref().unwrap_or_default() {
            "|u1" | "|i1" => 1,
            "<i2" | "<u2" => 2,
            "<i4" | "<u4" => 4,
            "<i8" | "<u8" => 8,
            other => return Err(bad(format!("expected integer labels, found '{other}'"))),
        };
        if header.shape != [rows, 1] && header.shape != [rows] {
            return Err(bad(format!("expected {rows} labels, found shape {:?}", header.shape)));
        }
        let mut bytes = Vec::new();
        entry
            .take((rows * width) as u64)
            .read_to_end(&mut bytes)
            .map_err(|e| bad(e.to_string()))?;
        if bytes.len() != rows * width {
            return Err(bad(format!(
                "found {} bytes of labels, expected {}",
                bytes.len(),
                rows * width
            )));
        }
        let number = |b: &[u8]| b.iter().rev().fold(0i64, |n, &byte| (n << 8) | i64::from(byte));
        Ok(bytes.chunks(width).map(number).collect())
    }

    /// Reads the arrays from their beginning, and passes the images `wanted` (ascending indices into
    /// [`MedMnist::records`]) to `give`, up to 64 at a time, each with its index.
    ///
    /// # Errors
    /// Those of `give`, and [`DataError::Bad`] if an array is damaged.
    pub fn for_each(
        &self,
        wanted: &[usize],
        mut give: impl FnMut(Vec<(usize, Decoded)>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let bytes = self.side.0 * self.side.1 * self.channels;
        let chunk = (CHUNK_BYTES / bytes).clamp(1, CHUNK_IMAGES);
        let mut wanted = wanted.iter().copied().peekable();
        let mut pending = Vec::with_capacity(chunk);
        let mut record = 0;
        for &(part, rows) in &self.parts {
            let labels = self.labels(part, rows)?;
            let name = format!("{part}_images.npy");
            let bad =
                |what: String| DataError::bad(format!("{}: {name}", self.path.display()), what);
            let mut archive = self.archive.clone();
            let mut entry = archive.by_name(&name).map_err(|e| bad(e.to_string()))?;
            read_header(&mut entry).map_err(bad)?;
            for (row, label) in labels.into_iter().enumerate() {
                if wanted.peek().is_none() {
                    break;
                }
                let mut pixels = vec![0; bytes];
                entry.read_exact(&mut pixels).map_err(|e| bad(format!("row {row}: {e}")))?;
                if !(0..7).contains(&label) {
                    continue;
                }
                if wanted.next_if_eq(&record).is_some() {
                    pending.push((record, Decoded::plain(self.rgb(pixels))));
                }
                record += 1;
                if pending.len() == chunk {
                    give(std::mem::take(&mut pending))?;
                }
            }
        }
        give(pending)
    }

    /// The image of a row's bytes; a grey value is repeated for the three channels.
    fn rgb(&self, pixels: Vec<u8>) -> RgbImage {
        let pixels = if self.channels == 3 {
            pixels
        } else {
            pixels.into_iter().flat_map(|v| [v; 3]).collect()
        };
        let (width, height) = self.size();
        RgbImage::from_raw(width, height, pixels).unwrap_or_else(|| RgbImage::new(width, height))
    }
}
