//! MedMNIST's `dermamnist*.npz`: six numpy arrays in a zip, of any of its sizes, read row by row.
//!
//! It has no lesion ids: its rows are their own groups in the split, and only identical images
//! are held together (Abhishek et al., Sci Data 12:196, found its lesions on both sides of its own
//! split).

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use image::RgbImage;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use dermagan_base::npy::read_header;

use crate::decode::Decoded;
use crate::error::DataError;
use crate::problem::{Problem, ProblemKind};
use crate::record::Record;
use crate::shared_file::SharedFile;
use crate::source::hex;

const PARTS: [&str; 3] = ["train", "val", "test"];
/// MedMNIST's largest side is 224; room for larger ones to come.
const MAX_SIDE: usize = 1024;
/// At most so many bytes of images, and so many images, are held at a time.
const CHUNK_BYTES: usize = 32 << 20;
const CHUNK_IMAGES: usize = 64;
/// The most images of one part; MedMNIST has 7,007.
const MAX_ROWS: usize = 10_000_000;

/// An opened npz.
pub(crate) struct MedMnist {
    path: PathBuf,
    archive: ZipArchive<SharedFile>,
    /// Rows of each part that is there.
    parts: Vec<(&'static str, usize)>,
    side: (usize, usize),
    channels: usize,
    stamp: String,
}

impl MedMnist {
    /// Opens `path` if it is a zip with a `train_images.npy`, `val_…` or `test_…`.
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
                return Err(bad(&format!("a shape of {:?} is too large", header.shape)));
            }
            if shape.is_some_and(|s| s != (h, w, c)) {
                return Err(bad("its images are not of the same shape as the other parts'"));
            }
            shape = Some((h, w, c));
            parts.push((part, rows));
        }
        let Some((h, w, channels)) = shape else { return Ok(None) };
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if !name.contains("dermamnist") {
            return Err(DataError::Unrecognised {
                path: path.to_owned(),
                what: "a MedMNIST file that is not named dermamnist*.npz".into(),
                next: "Its labels mean skin lesions only in DermaMNIST; if it is that, rename it."
                    .into(),
            });
        }
        let stamp = hex(hash.finalize().as_slice());
        Ok(Some(Self { path: path.to_owned(), archive, parts, side: (h, w), channels, stamp }))
    }

    pub fn fingerprint(&self) -> String {
        self.stamp.clone()
    }

    /// Width and height.
    pub fn size(&self) -> (u32, u32) {
        (self.side.1 as u32, self.side.0 as u32)
    }

    /// One record a row: `train_00000`, …
    pub fn records(&self) -> Result<(Vec<Record>, Vec<Problem>), DataError> {
        let mut records = Vec::new();
        let mut problems = Vec::new();
        for &(part, rows) in &self.parts {
            for (row, label) in self.labels(part, rows)?.into_iter().enumerate() {
                let id = format!("{part}_{row:05}");
                match usize::try_from(label).ok().filter(|l| *l < 7) {
                    Some(class) => records.push(Record::bare(id, class)),
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
            return Err(bad(format!("ends after {} of {} bytes", bytes.len(), rows * width)));
        }
        let number = |b: &[u8]| b.iter().rev().fold(0i64, |n, &byte| (n << 8) | i64::from(byte));
        Ok(bytes.chunks(width).map(number).collect())
    }

    /// Reads the arrays from their beginning and hands out the wanted records (ascending indices
    /// into [`MedMnist::records`]), some at a time.
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
                    pending.push((record, Decoded { image: self.rgb(pixels), note: None }));
                }
                record += 1;
                if pending.len() == chunk {
                    give(std::mem::take(&mut pending))?;
                }
            }
        }
        give(pending)
    }

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
