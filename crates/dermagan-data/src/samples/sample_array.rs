//! Generated images as one array in an npz, as ADM, EDM2's relatives and JiT write them: `arr_0` of shape (N, H, W, 3).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use dermagan_base::image::Image;
use dermagan_base::npy::{Header, read_header};
use image::RgbImage;
use rayon::prelude::*;
use zip::{CompressionMethod, ZipArchive};

use crate::error::DataError;
use crate::prepare::fit::{Fit, to_square};
use crate::prepare::resize::Filter;
use crate::samples::array_layout::{Encoding, Layout};
use crate::samples::labels::{known, numbers};
use crate::shared_file::SharedFile;
use crate::source::problem::{Problem, ProblemKind};

/// The names of arrays of images, the most likely first.
const IMAGES: [&str; 6] = ["arr_0", "samples", "images", "image", "x", "data"];
/// The names of arrays of labels.
const LABELS: [&str; 6] = ["arr_1", "labels", "label", "classes", "y", "dx"];
/// Largest number of arrays in a file.
const MAX_ARRAYS: usize = 1000;
/// Largest number of arrays that an error names.
const NAMED: usize = 8;
/// Largest number of bytes of an array of labels.
const MAX_LABEL_BYTES: u64 = 256 << 20;
/// Number of images that are converted at a time.
const CHUNK: usize = 64;
/// Bytes that are read at a time.
const READ: usize = 1 << 20;

/// An array of images in an npz. Images are read when they are needed.
#[derive(Clone, Debug)]
pub struct SampleArray {
    path: PathBuf,
    archive: ZipArchive<SharedFile>,
    array: Array,
    layout: Layout,
    encoding: Encoding,
    /// One class code per image, where it is known; empty without labels.
    classes: Vec<Option<String>>,
    notes: Vec<String>,
}

/// One array of an npz.
#[derive(Clone, Debug)]
struct Array {
    /// The name, without `.npy`.
    name: String,
    /// The index of the entry in the archive.
    index: usize,
    header: Header,
    /// Number of bytes before the first value.
    values_at: u64,
    /// Number of bytes of the values, as the archive says.
    bytes: u64,
    /// CRC-32 of the entry.
    crc: u32,
}

impl Array {
    /// The name, the type and the shape, for people.
    fn words(&self) -> String {
        let kind = self.header.kind.as_deref().unwrap_or("records");
        format!("{} {:?} {kind}", self.name, self.header.shape)
    }
}

impl SampleArray {
    /// Opens the array of images of an npz: `arr_0`, `samples` or `images`, else the only array whose shape is that of
    /// images. The shape is (N, H, W, 3), (N, 3, H, W) or, for grey images, (N, H, W, 1) or (N, H, W). The values are
    /// 8-bit numbers, or floats whose range says that they are from -1 to 1, from 0 to 1 or from 0 to 255.
    ///
    /// # Errors
    /// [`DataError::Bad`] if there is no such array, and says what the file holds; if an array is shorter than its header
    /// says, or if floats have another range. [`DataError::Io`] if the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let bad = |what: String| DataError::bad(path.display().to_string(), what);
        let file = File::open(path).and_then(SharedFile::new).map_err(DataError::io(path))?;
        let mut archive =
            ZipArchive::new(file).map_err(|e| bad(format!("not a readable npz: {e}")))?;
        let arrays = arrays(&mut archive).map_err(bad)?;
        let array = choose(&arrays).map_err(bad)?.clone();
        let layout = Layout::of(&array.header.shape).ok_or_else(|| bad(array.words()))?;
        let in_array = |what: String| bad(format!("{}: {what}", array.name));
        let value = Encoding::bytes_of(&array.header).map_err(in_array)?;
        let expected =
            layout.values().checked_mul(value).ok_or_else(|| in_array("too large".into()))?;
        if array.bytes < expected {
            let (found, shape) = (array.bytes, &array.header.shape);
            return Err(in_array(format!(
                "found {found} bytes of values, expected {expected} for its shape {shape:?}; the file may be cut: \
                 write it again"
            )));
        }
        let encoding = match value {
            1 => Encoding::Bytes,
            _ => {
                let mut entry =
                    archive.by_index(array.index).map_err(|e| in_array(e.to_string()))?;
                read_header(&mut entry).map_err(in_array)?;
                Encoding::of_floats(&mut entry, value, expected, READ).map_err(in_array)?
            }
        };
        let mut notes: Vec<String> = encoding.note(&array.name).into_iter().collect();
        let mut classes = Vec::new();
        if let Some(labels) = arrays.iter().find(|a| is_labels(a, &array)) {
            match read_labels(&mut archive, labels, layout.count) {
                Ok(found) => classes = found,
                Err(what) => {
                    let place = format!("{}: {}", path.display(), labels.name);
                    notes.push(format!("labels were not read: {place}: {what}"));
                }
            }
        }
        Ok(Self { path: path.to_owned(), archive, array, layout, encoding, classes, notes })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the array.
    pub fn name(&self) -> &str {
        &self.array.name
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.layout.count
    }

    /// Whether there is no image; never true after [`SampleArray::open`].
    pub fn is_empty(&self) -> bool {
        self.layout.count == 0
    }

    /// Width and height of every image in pixels.
    pub fn size(&self) -> (u32, u32) {
        (self.layout.width, self.layout.height)
    }

    /// Whether the images have no colour channels.
    pub fn is_grey(&self) -> bool {
        self.layout.is_grey()
    }

    /// The name, the shape and the CRC-32 of the array, and the classes, as words.
    pub fn signature(&self) -> String {
        format!("{} {} {:?}", self.array.words(), self.array.crc, self.classes)
    }

    /// The class code of image `i`, if it is known.
    pub fn class(&self, i: usize) -> Option<&str> {
        self.classes.get(i)?.as_deref()
    }

    /// How values were converted, and why labels were not used.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the images `wanted`, in this order, and resizes each to a square of `side` pixels with [`Fit::Crop`] and
    /// [`Filter::Lanczos`], as real photographs are. An image that cannot be read is a problem.
    ///
    /// Each call reads a compressed array from its beginning, so ask for many images at a time.
    pub fn read(&self, wanted: &[usize], side: usize) -> Vec<Result<Image, Problem>> {
        let mut order: Vec<usize> = (0..wanted.len()).collect();
        order.sort_by_key(|place| wanted[*place]);
        let mut found: Vec<Option<Result<Image, Problem>>> = wanted.iter().map(|_| None).collect();
        let mut archive = self.archive.clone();
        let mut reader = self.reader(&mut archive);
        for places in order.chunks(CHUNK) {
            let raw: Vec<Result<Vec<u8>, Problem>> = places
                .iter()
                .map(|place| self.raw(reader.as_mut().map_err(|e| e.clone()), wanted[*place]))
                .collect();
            let done: Vec<Result<Image, Problem>> = raw
                .into_par_iter()
                .zip(places)
                .map(|(raw, place)| self.square(wanted[*place], &raw?, side))
                .collect();
            for (place, image) in places.iter().zip(done) {
                found[*place] = Some(image);
            }
        }
        let missing = || Err(Problem::new(ProblemKind::Unreadable, self.array.name.clone()));
        found.into_iter().map(|image| image.unwrap_or_else(missing)).collect()
    }

    /// A reader that stands at the first value. An uncompressed array can be read at any place.
    fn reader<'a>(&self, archive: &'a mut ZipArchive<SharedFile>) -> Result<Values<'a>, String> {
        let stored = {
            let entry = archive.by_index(self.array.index).map_err(|e| e.to_string())?;
            let stored = entry.compression() == CompressionMethod::Stored;
            stored.then(|| entry.data_start()).flatten()
        };
        if let Some(start) = stored {
            let file = archive.clone().into_inner();
            let length = self.array.values_at + self.array.bytes;
            let window = file.window(start, length);
            return Ok(Values::Anywhere { window, values_at: self.array.values_at });
        }
        let mut entry = archive.by_index(self.array.index).map_err(|e| e.to_string())?;
        read_header(&mut entry)?;
        Ok(Values::InOrder { reader: Box::new(entry), at: 0 })
    }

    /// The bytes of image `i`.
    fn raw(&self, values: Result<&mut Values<'_>, String>, i: usize) -> Result<Vec<u8>, Problem> {
        let bytes = self.layout.values_of_one() * self.encoding.bytes();
        let problem = |what: String| {
            Problem::new(ProblemKind::Unreadable, format!("{} row {i} ({what})", self.array.name))
        };
        let values = values.map_err(problem)?;
        values.read(i as u64 * bytes, bytes as usize).map_err(|e| problem(e.to_string()))
    }

    /// Image `i` of its bytes, as a square.
    fn square(&self, i: usize, raw: &[u8], side: usize) -> Result<Image, Problem> {
        let bad = |what: String| {
            Problem::new(ProblemKind::Undecodable, format!("{} row {i} ({what})", self.array.name))
        };
        let pixels = self.layout.rgb(&self.encoding.to_bytes(raw));
        let image = RgbImage::from_raw(self.layout.width, self.layout.height, pixels)
            .ok_or_else(|| bad("too few values".into()))?;
        let size = u32::try_from(side).map_err(|e| bad(e.to_string()))?;
        let pixels = to_square(&image, size, Fit::Crop, Filter::Lanczos).map_err(bad)?;
        Ok(Image { width: side, height: side, pixels })
    }
}

/// The values of an array, as bytes.
enum Values<'a> {
    /// Stored without compression.
    Anywhere { window: SharedFile, values_at: u64 },
    /// Compressed; `at` is the number of bytes of values that are read.
    InOrder { reader: Box<dyn Read + 'a>, at: u64 },
}

impl Values<'_> {
    /// Reads `length` bytes from the byte `start` of the values. In a compressed array `start` may not decrease; the last
    /// image may be read again only after a new start.
    fn read(&mut self, start: u64, length: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        match self {
            Self::Anywhere { window, values_at } => {
                window.seek(SeekFrom::Start(*values_at + start))?;
                window.read_exact(&mut bytes)?;
            }
            Self::InOrder { reader, at } => {
                let skip = start.checked_sub(*at).ok_or(std::io::ErrorKind::InvalidInput)?;
                let skipped = std::io::copy(&mut reader.take(skip), &mut std::io::sink())?;
                *at += skipped;
                reader.read_exact(&mut bytes)?;
                *at += length as u64;
            }
        }
        Ok(bytes)
    }
}

/// The arrays of an npz, without their values.
fn arrays(archive: &mut ZipArchive<SharedFile>) -> Result<Vec<Array>, String> {
    if archive.len() > MAX_ARRAYS {
        return Err(format!("it has {} arrays, expected at most {MAX_ARRAYS}", archive.len()));
    }
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| format!("array {index}: {e}"))?;
        let crc = entry.crc32();
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
        let size = entry.size();
        let mut counted = Counted { reader: &mut entry, read: 0 };
        let header = read_header(&mut counted).map_err(|what| format!("{name}: {what}"))?;
        let values_at = counted.read;
        arrays.push(Array {
            name,
            index,
            header,
            values_at,
            bytes: size.saturating_sub(values_at),
            crc,
        });
    }
    Ok(arrays)
}

/// Counts the bytes that are read.
struct Counted<R> {
    reader: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// The array of images among `arrays`.
fn choose(arrays: &[Array]) -> Result<&Array, String> {
    let is_image = |array: &&Array| Layout::of(&array.header.shape).is_some();
    let named = |name: &&str| arrays.iter().filter(is_image).find(|array| array.name == **name);
    if let Some(array) = IMAGES.iter().find_map(named) {
        return Ok(array);
    }
    // A three-dimensional array may be anything unless its name says that it holds images.
    let mut others = arrays.iter().filter(is_image).filter(|array| array.header.shape.len() == 4);
    let found: Vec<String> = arrays.iter().take(NAMED).map(Array::words).collect();
    let more = if arrays.len() > NAMED { ", …" } else { "" };
    let found = format!("{}{more}", found.join(", "));
    let expected = "images: a folder or a zip of them, or an npz with arr_0 of shape (N, H, W, 3) and type uint8";
    match (others.next(), others.next()) {
        (Some(array), None) => Ok(array),
        (Some(_), Some(_)) => Err(format!(
            "found several arrays of images ({found}); name the samples arr_0, as numpy.savez(path, samples) does"
        )),
        _ if ["mu", "sigma"].iter().all(|name| arrays.iter().any(|a| a.name == *name)) => {
            Err(format!(
                "it holds the statistics of features (mu and sigma), as programs for FID keep them, and no images: found \
                 {found}; expected {expected}"
            ))
        }
        _ => Err(format!("found no array of images, but {found}; expected {expected}")),
    }
}

/// Whether an array holds labels of the images in `images`.
fn is_labels(array: &Array, images: &Array) -> bool {
    array.index != images.index && LABELS.contains(&array.name.as_str())
}

/// The class of each of `count` images, where it is known.
///
/// # Errors
/// If the array does not name classes.
fn read_labels(
    archive: &mut ZipArchive<SharedFile>,
    array: &Array,
    count: usize,
) -> Result<Vec<Option<String>>, String> {
    let shape = &array.header.shape;
    if !(shape[..] == [count] || shape[..] == [count, 1]) {
        return Err(format!(
            "found the shape {shape:?}, expected one label for each of {count} images"
        ));
    }
    let kind = array.header.kind.as_deref().unwrap_or("records");
    let mut entry = archive.by_index(array.index).map_err(|e| e.to_string())?;
    read_header(&mut entry)?;
    let mut bytes = Vec::new();
    entry.take(MAX_LABEL_BYTES).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let width = match kind.split_at_checked(2) {
        Some(("<U", width)) => width.parse::<usize>().ok().and_then(|n| n.checked_mul(4)),
        Some(("|S", width)) => width.parse::<usize>().ok(),
        _ => {
            let values = integers(kind, &bytes).unwrap_or_default();
            let words: Vec<String> = values.iter().map(i64::to_string).collect();
            let what = numbers(words.iter().map(String::as_str));
            return Err(what.unwrap_or_else(|| {
                format!("found labels of type {kind}, expected strings, such as nv")
            }));
        }
    };
    let width = width.filter(|w| *w > 0 && count.checked_mul(*w) == Some(bytes.len()));
    let width =
        width.ok_or_else(|| format!("found {} bytes of labels of type {kind}", bytes.len()))?;
    let wide = kind.starts_with("<U");
    let word = |row: &[u8]| -> String {
        let word: String = match wide {
            true => row
                .as_chunks::<4>()
                .0
                .iter()
                .map(|unit| char::from_u32(u32::from_le_bytes(*unit)).unwrap_or('\u{fffd}'))
                .collect(),
            false => String::from_utf8_lossy(row).into_owned(),
        };
        word.trim_end_matches('\0').to_owned()
    };
    let words: Vec<String> = bytes.chunks_exact(width).map(word).collect();
    match numbers(words.iter().map(String::as_str)) {
        Some(what) => Err(what),
        None => Ok(words.iter().map(|word| known(word)).collect()),
    }
}

/// The little-endian integers of a type of numpy; `None` for another type.
fn integers(kind: &str, bytes: &[u8]) -> Option<Vec<i64>> {
    let width = match kind {
        "|u1" | "|i1" => 1,
        "<i2" | "<u2" => 2,
        "<i4" | "<u4" => 4,
        "<i8" | "<u8" => 8,
        _ => return None,
    };
    let number = |b: &[u8]| {
        let unsigned = b.iter().rev().fold(0u64, |n, &byte| (n << 8) | u64::from(byte)) as i64;
        // The sign of a narrow signed number is in its last byte.
        match kind.as_bytes()[1] {
            b'i' if width < 8 => {
                let shift = 64 - 8 * width;
                (unsigned << shift) >> shift
            }
            _ => unsigned,
        }
    };
    Some(bytes.chunks_exact(width).map(number).collect())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;

    use super::*;

    /// A numpy array with a header of version 1.
    fn npy(kind: &str, shape: &str, values: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut out = b"\x93NUMPY\x01\x00".to_vec();
        out.extend((text.len() as u16).to_le_bytes());
        out.extend(text.as_bytes());
        out.extend(values);
        out
    }

    fn npz(path: &Path, method: CompressionMethod, arrays: &[(&str, Vec<u8>)]) {
        let mut writer = zip::ZipWriter::new(File::create(path).unwrap());
        for (name, bytes) in arrays {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(format!("{name}.npy"), options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap();
    }

    /// Six images of 8×8 pixels; image i has the colour (i, 10 + i, 200).
    fn six() -> Vec<u8> {
        (0..6u8).flat_map(|i| [i, 10 + i, 200].repeat(64)).collect()
    }

    fn colours(found: &[Result<Image, Problem>]) -> Vec<[u8; 3]> {
        found.iter().map(|i| i.as_ref().unwrap().pixels[..3].try_into().unwrap()).collect()
    }

    #[test]
    fn samples_are_read_in_any_order_from_stored_and_compressed_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            npz(&path, method, &[("arr_0", npy("|u1", "(6, 8, 8, 3)", &six()))]);
            let found = SampleArray::open(&path).unwrap();
            assert_eq!((found.len(), found.size(), found.name()), (6, (8, 8), "arr_0"));
            let images = found.read(&[4, 0, 5], 8);
            assert_eq!(colours(&images), [[4, 14, 200], [0, 10, 200], [5, 15, 200]]);
            assert_eq!(colours(&found.read(&[2], 4)), [[2, 12, 200]]);
        }
    }

    #[test]
    fn channels_may_come_first_and_images_may_be_grey() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        let planes: Vec<u8> =
            (0..2u8).flat_map(|i| [[i; 64], [10 + i; 64], [200; 64]].concat()).collect();
        npz(&path, CompressionMethod::Stored, &[("samples", npy("|u1", "(2, 3, 8, 8)", &planes))]);
        let found = SampleArray::open(&path).unwrap();
        assert_eq!(colours(&found.read(&[1, 0], 8)), [[1, 11, 200], [0, 10, 200]]);
        npz(&path, CompressionMethod::Stored, &[("images", npy("|u1", "(1, 8, 8)", &[7; 64]))]);
        assert_eq!(colours(&SampleArray::open(&path).unwrap().read(&[0], 8)), [[7; 3]]);
    }

    #[test]
    fn the_range_of_floats_says_what_they_mean() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        let open = |low: f32, high: f32| {
            let values: Vec<f32> = (0..192).map(|i| if i < 96 { low } else { high }).collect();
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            npz(&path, CompressionMethod::Stored, &[("arr_0", npy("<f4", "(1, 8, 8, 3)", &bytes))]);
            SampleArray::open(&path)
        };
        for (low, high) in [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)] {
            let found = open(low, high).unwrap();
            let image = found.read(&[0], 8).remove(0).unwrap();
            assert_eq!((image.pixels[0], image.pixels[191]), (0, 255), "{low} to {high}");
            assert!(found.notes()[0].contains(&format!("{high}")), "{:?}", found.notes());
        }
        for (low, high) in [(-3.0, 3.0), (0.0, 1.5), (-1.0, 255.0), (0.0, f32::NAN)] {
            let error = open(low, high).unwrap_err().to_string();
            assert!(error.contains("expected"), "{error}");
        }
    }

    #[test]
    fn strings_are_labels_and_numbers_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        let images = ("arr_0", npy("|u1", "(6, 8, 8, 3)", &six()));
        let words: Vec<u8> = ["nv", "MEL", "nv", "unknown", "nv", "nv"]
            .iter()
            .flat_map(|word| word.chars().chain("\0".repeat(7).chars()).take(7).collect::<Vec<_>>())
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect();
        let labelled = [images.clone(), ("arr_1", npy("<U7", "(6,)", &words))];
        npz(&path, CompressionMethod::Deflated, &labelled);
        let found = SampleArray::open(&path).unwrap();
        let classes: Vec<_> = (0..4).map(|i| found.class(i)).collect();
        assert_eq!(classes, [Some("nv"), Some("mel"), Some("nv"), None]);
        let numbers: Vec<u8> = (0..6i64).flat_map(|i| i.to_le_bytes()).collect();
        npz(&path, CompressionMethod::Stored, &[images, ("arr_1", npy("<i8", "(6,)", &numbers))]);
        let found = SampleArray::open(&path).unwrap();
        assert_eq!(found.class(0), None);
        assert!(found.notes()[0].contains("numbers from 0 to 5"), "{:?}", found.notes());
    }

    #[test]
    fn an_npz_without_images_is_called_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.npz");
        let error = |arrays: &[(&str, Vec<u8>)]| {
            npz(&path, CompressionMethod::Stored, arrays);
            SampleArray::open(&path).unwrap_err().to_string()
        };
        let zeros = |kind, shape, bytes| npy(kind, shape, &vec![0; bytes]);
        let statistics = [("mu", zeros("<f8", "(4,)", 32)), ("sigma", zeros("<f8", "(4, 4)", 128))];
        assert!(error(&statistics).contains("statistics of features (mu and sigma)"));
        let features = [("real", zeros("<f4", "(4, 2)", 32))];
        assert!(error(&features).contains("found no array of images, but real [4, 2] <f4"));
        let two =
            [("a", zeros("|u1", "(1, 2, 2, 3)", 12)), ("b", zeros("|u1", "(1, 2, 2, 3)", 12))];
        assert!(error(&two).contains("several arrays"));
        let cut = [("arr_0", zeros("|u1", "(9, 8, 8, 3)", 12))];
        assert!(error(&cut).contains("found 12 bytes of values, expected 1728"));
        let wide = [("arr_0", zeros("<i8", "(1, 2, 2, 3)", 96))];
        assert!(error(&wide).contains("astype"), "{}", error(&wide));
        let huge = [("arr_0", zeros("|u1", "(999999999999, 4000, 4000, 3)", 12))];
        assert!(error(&huge).contains("expected"), "{}", error(&huge));
    }
}
