//! Small sources that the tests make for themselves.
#![allow(dead_code, reason = "each test file uses some of these")]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use dermagan_data::{Filter, Fit, Options, PreparedCache, Report, Source, prepare};
use image::{ImageFormat, Rgb, RgbImage};

pub const HEADER: &str = "lesion_id,image_id,dx,dx_type,age,sex,localization";

/// An image of 40 × 30 pixels whose content depends on `n`.
pub fn image(n: u8) -> RgbImage {
    RgbImage::from_fn(40, 30, |x, y| Rgb([n.wrapping_mul(37), (x * 6) as u8, (y * 8) as u8 ^ n]))
}

pub fn encoded(n: u8, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image(n).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn jpeg(n: u8) -> Vec<u8> {
    encoded(n, ImageFormat::Jpeg)
}

/// The image id `ISIC_000000n`.
pub fn id(n: usize) -> String {
    format!("ISIC_{n:07}")
}

pub fn row(n: usize, dx: &str) -> String {
    format!("HAM_{n:07},{},{dx},histo,45.0,male,back", id(n))
}

/// A metadata table with `n` rows of class `nv`.
pub fn table(n: usize) -> String {
    let rows: Vec<String> = (0..n).map(|i| row(i, "nv")).collect();
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

/// The content of a file in this crate's `tests/data`.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// A temporary folder that a test fills file by file.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder like Kaggle's with `n` valid images.
    pub fn ham(n: usize) -> Self {
        let folder = Self::new();
        folder.put("HAM10000_metadata.csv", table(n).as_bytes());
        for i in 0..n {
            folder
                .put(&format!("HAM10000_images_part_{}/{}.jpg", 1 + i % 2, id(i)), &jpeg(i as u8));
        }
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub fn open(&self) -> Result<Source, dermagan_data::DataError> {
        Source::open(&self.path().to_string_lossy())
    }

    /// Prepares the folder; the cache is outside it.
    pub fn prepare(&self) -> (PreparedCache, tempfile::TempDir) {
        let out = tempfile::tempdir().unwrap();
        let prepared =
            prepare_to(&self.open().unwrap(), &out.path().join("c.dermagan"), false).unwrap();
        (prepared, out)
    }

    pub fn report(&self) -> Report {
        self.prepare().0.cache.header().report.clone()
    }
}

pub const OPTIONS: Options = Options { size: 16, fit: Fit::Crop, filter: Filter::Lanczos };

pub fn prepare_to(
    source: &Source,
    target: &Path,
    strict: bool,
) -> Result<PreparedCache, dermagan_data::DataError> {
    prepare(source, OPTIONS, target, strict, &mut |_, _| {})
}

/// A zip of files, each a name and bytes, stored or deflated.
pub fn zip_of(files: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A file of the real data, if this machine has it: in `$DERMAGAN_TEST_DATA`, else in `../shared/data` beside the
/// repository.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DERMAGAN_TEST_DATA").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.is_file() {
        println!("{name} is not on this machine: this test compared nothing with the real data");
        return None;
    }
    Some(path)
}

/// The summary of a source, by a look at all its images.
pub fn summary(source: &Source) -> dermagan_data::Summary {
    let examination = dermagan_data::examine(source, OPTIONS, &mut |_, _| {}).unwrap();
    dermagan_data::Summary::of(source, &examination)
}
